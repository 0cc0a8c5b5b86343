"""Multi-head attention as a layer, and the choice of a backend that programs make around it."""

import contextlib
import enum

import wengert
from wengert._missing import explain

from . import functional as F
from . import init
from .linear import NonDynamicallyQuantizableLinear
from .module import Module
from .parameter import Parameter


def __getattr__(name):
    if name == "flex_attention":  # loaded at first use
        from . import flex_attention

        return flex_attention
    return explain(__name__)(name)


class SDPBackend(enum.Enum):
    """PyTorch's ways to compute attention, by name."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextlib.contextmanager
def sdpa_kernel(backends, set_priority=False):
    """Accepts a backend or a list of them for the attention inside: there is one way here, which works in blocks.

    Raises:
        TypeError: something else than members of `SDPBackend`.
    """
    for backend in backends if isinstance(backends, (list, tuple, set)) else [backends]:
        if not isinstance(backend, SDPBackend):
            raise TypeError(f"sdpa_kernel: expected members of SDPBackend, got {backend!r}.")
    yield


class MultiheadAttention(Module):
    """Several attentions side by side on slices of the embedding (Vaswani et al., 2017).

    Args:
        embed_dim: size of queries and outputs, a multiple of `num_heads`.
        num_heads: how many slices.
        dropout: probability of dropping an attention weight.
        bias: whether the projections have biases.
        add_bias_kv: append one learned key and value.
        add_zero_attn: append one zero key and value.
        kdim, vdim: sizes of keys and values, `embed_dim` by default.
        batch_first: tensors are (N, L, E) instead of (L, N, E).

    Example:
        >>> x = wengert.zeros(5, 2, 8)
        >>> y, weights = wengert.nn.MultiheadAttention(8, 4)(x, x, x)
        >>> list(y.shape), list(weights.shape)
        ([5, 2, 8], [2, 5, 5])
    """

    def __init__(
        self, embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False, add_zero_attn=False, kdim=None,
        vdim=None,
        batch_first=False, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and"
                f" num_heads={num_heads} instead"
            )
        if embed_dim % num_heads != 0:
            raise AssertionError(
                f"MultiheadAttention: expected embed_dim divisible by num_heads, got {embed_dim} and {num_heads}."
            )
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        self.add_zero_attn = add_zero_attn
        shapes = {
            "in_proj_weight": (3 * embed_dim, embed_dim) if self._qkv_same_embed_dim else None,
            "q_proj_weight": None if self._qkv_same_embed_dim else (embed_dim, embed_dim),
            "k_proj_weight": None if self._qkv_same_embed_dim else (embed_dim, self.kdim),
            "v_proj_weight": None if self._qkv_same_embed_dim else (embed_dim, self.vdim),
            "in_proj_bias": (3 * embed_dim,) if bias else None,
            "bias_k": (1, 1, embed_dim) if add_bias_kv else None,
            "bias_v": (1, 1, embed_dim) if add_bias_kv else None,
        }
        for name, shape in shapes.items():
            empty = None if shape is None else Parameter(wengert.empty(shape, device=device, dtype=dtype))
            self.register_parameter(name, empty)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        self._reset_parameters()

    def _reset_parameters(self):
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            if self._parameters[name] is not None:
                init.xavier_uniform_(self._parameters[name])
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None,
        average_attn_weights=True,
        is_causal=False,
    ):  # fmt: skip
        """Attend from queries to keys; returns the output and the attention weights (None without `need_weights`).

        Masks are boolean (True hides) or added to the scores: `key_padding_mask` (N, S), `attn_mask` (L, S) or (N *
        heads, L, S).
        """
        flip = self.batch_first and query.dim() == 3
        if flip:
            same_kv, same_qk = value is key, key is query
            query = query.transpose(0, 1)
            key = query if same_qk else key.transpose(0, 1)
            value = key if same_kv else value.transpose(0, 1)
        output, weights = F.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight, self.in_proj_bias, self.bias_k,
            self.bias_v, self.add_zero_attn, self.dropout, self.out_proj.weight, self.out_proj.bias,
            training=self.training, key_padding_mask=key_padding_mask, need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim, q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight, v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights, is_causal=is_causal,
        )  # fmt: skip
        return (output.transpose(0, 1) if flip else output), weights
