"""Attention with scores and masks that are written as functions of the places of query and key.

The functions are mapped over all places, so the whole matrix of scores is held; `compile` fuses what it can of it.
"""

from typing import NamedTuple

import wengert

__all__ = ["AuxOutput", "AuxRequest", "BlockMask", "and_masks", "create_block_mask", "create_mask"]
__all__ += ["flex_attention", "noop_mask", "or_masks"]
_DEFAULT_SPARSE_BLOCK_SIZE = 128


class AuxRequest(NamedTuple):
    """What `flex_attention` gives beside its result."""

    lse: bool = False
    max_scores: bool = False


class AuxOutput(NamedTuple):
    """What `flex_attention` gave beside its result; None for what was not asked."""

    lse: object = None
    max_scores: object = None


def noop_mask(batch, head, query, key):
    """The mask that hides nothing."""
    return batch.new_ones((), dtype=wengert.bool)


def _joined(name, mask_mods, join):
    if not all(callable(mask) for mask in mask_mods):
        raise RuntimeError(f"{name}: expected functions of (batch, head, query, key), got {mask_mods!r}.")

    def mask(batch, head, query, key):
        seen = mask_mods[0](batch, head, query, key)
        for more in mask_mods[1:]:
            seen = join(seen, more(batch, head, query, key))
        return seen

    return mask if mask_mods else noop_mask


def and_masks(*mask_mods):
    """The mask function that shows what all of the given ones show."""
    return _joined("and_masks", mask_mods, lambda a, b: a & b)


def or_masks(*mask_mods):
    """The mask function that shows what one of the given ones shows."""
    return _joined("or_masks", mask_mods, lambda a, b: a | b)


def _over_places(function, sizes, *scores):
    """function(*scores, batch, head, query, key) for all places: a tensor of these sizes, (B, H, L, S)."""
    places = [wengert.arange(size) for size in sizes]
    for last in range(3, -1, -1):  # the innermost of the maps goes over the keys
        dims = [None] * 4
        dims[last] = 0
        function = wengert.vmap(function, (*(0 for _ in scores), *dims))
    return function(*scores, *places)


def create_mask(mod_fn, B, H, Q_LEN, KV_LEN, device=None):
    """The matrix of a mask function, or the scores that a score function makes of zeros.

    Args:
        mod_fn: takes (batch, head, query, key) and returns a bool, or (score, batch, head, query, key) and a score.
        B, H: batches and heads; None stands for one that is the same for all.
        Q_LEN, KV_LEN: numbers of queries and keys.

    Returns:
        A tensor of shape (B, H, Q_LEN, KV_LEN).

    Example:
        >>> from wengert.nn.flex_attention import create_mask
        >>> create_mask(lambda b, h, q, k: q >= k, None, None, 2, 3)[0, 0]
        tensor([[ True, False, False],
                [ True,  True, False]])
    """
    sizes = (1 if B is None else B, 1 if H is None else H, Q_LEN, KV_LEN)
    taken = mod_fn.__code__.co_argcount if hasattr(mod_fn, "__code__") else 4
    scores = [wengert.zeros(sizes, device=device)] if taken == 5 else []
    return wengert.broadcast_to(_over_places(mod_fn, sizes, *scores), sizes)


def _ordered(blocks):
    """For each row of a matrix of blocks: how many are there, and the columns, those that are there first."""
    order = blocks.to(wengert.int32).argsort(dim=-1, descending=True, stable=True)
    return blocks.sum(-1, dtype=wengert.int32), order.to(wengert.int32)


def _columns(count, order, width):
    """The matrix of blocks that `_ordered` described."""
    rank = wengert.arange(order.shape[-1])
    held = (rank < count[..., None]).to(wengert.int32)
    return wengert.zeros(*order.shape[:-1], width, dtype=wengert.int32).scatter_add(-1, order.long(), held) > 0


class BlockMask:
    """Which blocks of the matrix of scores a mask shows in part and which it shows whole.

    Attributes:
        kv_num_blocks, kv_indices: for each row of blocks, how many are shown in part, and the columns, those first:
            int32 tensors of shapes (B, H, rows) and (B, H, rows, columns).
        full_kv_num_blocks, full_kv_indices: the same for blocks that are shown whole; None if they count above.
        BLOCK_SIZE: queries and keys of a block.
        mask_mod: the function of (batch, head, query, key) that decides inside.
        seq_lengths: numbers of queries and keys.
    """

    def __init__(self, seq_lengths, partial, full, BLOCK_SIZE, mask_mod):
        self.seq_lengths, self.BLOCK_SIZE, self.mask_mod = tuple(seq_lengths), BLOCK_SIZE, mask_mod
        self.kv_num_blocks, self.kv_indices = partial
        self.full_kv_num_blocks, self.full_kv_indices = full

    @classmethod
    def from_kv_blocks(
        cls, kv_num_blocks, kv_indices, full_kv_num_blocks=None, full_kv_indices=None, BLOCK_SIZE=128, mask_mod=None,
        seq_lengths=None, compute_q_blocks=True,
    ):  # fmt: skip
        """A mask from its parts, which are those of the attributes.

        Raises:
            RuntimeError: indices of less than two dimensions, or one of the two tensors for whole blocks alone.
        """
        if kv_indices.dim() < 2:
            raise RuntimeError(f"BlockMask: expected kv_indices of two dimensions or more, got {kv_indices.dim()}.")
        if (full_kv_num_blocks is None) != (full_kv_indices is None):
            raise RuntimeError(
                "BlockMask: expected both or none of full_kv_num_blocks and full_kv_indices, got one."
            )
        size = (BLOCK_SIZE, BLOCK_SIZE) if isinstance(BLOCK_SIZE, int) else tuple(BLOCK_SIZE)
        if seq_lengths is None:
            seq_lengths = (kv_indices.shape[-2] * size[0], kv_indices.shape[-1] * size[1])
        partial, full = (kv_num_blocks, kv_indices), (full_kv_num_blocks, full_kv_indices)
        return cls(seq_lengths, partial, full, size, mask_mod or noop_mask)

    @property
    def shape(self):
        """(B, H, queries, keys)."""
        return (*self.kv_indices.shape[:-2], *self.seq_lengths)

    def to_dense(self):
        """Blocks as a matrix of ones, for what is shown in part or whole, and zeros: int32, (B, H, rows, columns)."""
        width = self.kv_indices.shape[-1]
        shown = _columns(self.kv_num_blocks, self.kv_indices, width)
        if self.full_kv_indices is not None:
            shown = shown | _columns(self.full_kv_num_blocks, self.full_kv_indices, width)
        return shown.to(wengert.int32)

    @property
    def q_num_blocks(self):
        """For each column of blocks, how many are shown in part."""
        return _ordered(_columns(self.kv_num_blocks, self.kv_indices, self.kv_indices.shape[-1]).mT)[0]

    @property
    def q_indices(self):
        """For each column of blocks, the rows, those of blocks that are shown in part first."""
        return _ordered(_columns(self.kv_num_blocks, self.kv_indices, self.kv_indices.shape[-1]).mT)[1]

    def numel(self):
        """The number of scores."""
        count = 1
        for size in self.shape:
            count *= size
        return count

    def sparsity(self):
        """How much of the matrix lies in blocks that are not shown, in percent."""
        return 100 * (1 - self.to_dense().sum().item() * self.BLOCK_SIZE[0] * self.BLOCK_SIZE[1] / self.numel())

    def to(self, device):
        """The mask itself: there is one device."""
        return self

    def __getitem__(self, index):
        """The mask of some batches and heads, by what indexes the first dimensions of a tensor; keeps the dimensions."""
        index = index if isinstance(index, tuple) else (index,)
        index = tuple(slice(i, i + 1 or None) if isinstance(i, int) else i for i in index)
        parts = (self.kv_num_blocks, self.kv_indices), (self.full_kv_num_blocks, self.full_kv_indices)
        taken = [tuple(None if t is None else t[index] for t in pair) for pair in parts]
        return BlockMask(self.seq_lengths, *taken, self.BLOCK_SIZE, self.mask_mod)

    def __repr__(self):
        return f"BlockMask(shape={self.shape}, sparsity={self.sparsity():.2f}%)"


def create_block_mask(
    mask_mod, B, H, Q_LEN, KV_LEN, device=None, BLOCK_SIZE=128, _compile=False, separate_full_blocks=True, **options
):
    """A `BlockMask` from a mask function.

    Args:
        mask_mod: takes (batch, head, query, key) as 0-d int64 tensors and returns whether the score counts.
        B, H: batches and heads; None stands for one that is the same for all.
        Q_LEN, KV_LEN: numbers of queries and keys.
        BLOCK_SIZE: queries and keys of a block, one number or two.
        separate_full_blocks: whether blocks that are shown whole are counted apart.

    Example:
        >>> from wengert.nn.flex_attention import create_block_mask
        >>> create_block_mask(lambda b, h, q, k: q >= k, None, None, 256, 256, BLOCK_SIZE=64)
        BlockMask(shape=(1, 1, 256, 256), sparsity=37.50%)
    """
    rows, columns = (BLOCK_SIZE, BLOCK_SIZE) if isinstance(BLOCK_SIZE, int) else BLOCK_SIZE
    shown = create_mask(mask_mod, B, H, Q_LEN, KV_LEN, device).to(wengert.int32)
    shown = wengert.nn.functional.pad(shown, (0, -KV_LEN % columns, 0, -Q_LEN % rows))
    blocks = shown.unflatten(-1, (-1, columns)).unflatten(-3, (-1, rows)).sum((-1, -3))
    whole = blocks == rows * columns if separate_full_blocks else wengert.zeros_like(blocks, dtype=wengert.bool)
    full = _ordered(whole) if separate_full_blocks else (None, None)
    return BlockMask((Q_LEN, KV_LEN), _ordered((blocks > 0) & ~whole), full, (rows, columns), mask_mod)


def _check(query, key, value, block_mask, enable_gqa):
    """The shapes fit each other and the mask."""
    if not query.dim() == key.dim() == value.dim() == 4:
        dims = f"{query.dim()}, {key.dim()} and {value.dim()}"
        raise ValueError(f"flex_attention: expected query, key and value of 4 dimensions, got {dims}.")
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(
            f"flex_attention: expected query and key of one last size, got {query.shape[-1]}, {key.shape[-1]}."
        )
    heads, shared = query.shape[1], key.shape[1]
    if heads != shared and not (enable_gqa and heads % shared == 0):
        raise ValueError(
            f"flex_attention: expected query and key of the same number of heads, got {heads} and {shared}. "
            "With enable_gqa=True the first may be a multiple of the second."
        )
    lengths = (query.shape[-2], key.shape[-2])
    if block_mask is not None and (
        any(seen > made for seen, made in zip(lengths, block_mask.seq_lengths, strict=True))
        or any(made not in (1, seen) for seen, made in zip(query.shape[:2], block_mask.shape[:2], strict=True))
    ):
        raise ValueError(
            f"flex_attention: expected a block_mask for {(*query.shape[:2], *lengths)}, got one of {block_mask.shape}."
        )


def flex_attention(
    query, key, value, score_mod=None, block_mask=None, scale=None, enable_gqa=False, return_lse=False,
    kernel_options=None, *, return_aux=None,
):  # fmt: skip
    """Attention whose scores a function changes and a mask function hides.

    Args:
        query: shape (B, H, L, E).
        key: shape (B, H, S, E), or fewer heads with `enable_gqa`.
        value: shape (B, H, S, Ev).
        score_mod: takes (score, batch, head, query, key), all 0-d, and returns the score to use.
        block_mask: a `BlockMask`; its function decides which scores count. Rows without one give zeros.
        scale: factor of the products, 1/sqrt(E) by default.
        enable_gqa: heads of keys and values are shared by groups of heads of queries.
        return_lse: give the logarithms of the sums of exponentials, (B, H, L), too.
        return_aux: an `AuxRequest`; the result is (output, AuxOutput).

    Returns:
        A tensor of shape (B, H, L, Ev), or a pair.

    Raises:
        ValueError: shapes that do not fit each other or the mask.

    Example:
        >>> from wengert.nn.flex_attention import flex_attention
        >>> q = wengert.ones(1, 1, 3, 4)
        >>> flex_attention(q, q, q, lambda s, b, h, i, j: s - (i - j).abs()).shape
        wengert.Size([1, 1, 3, 4])
    """
    _check(query, key, value, block_mask, enable_gqa)
    if query.shape[1] != key.shape[1]:
        times = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(times, 1), value.repeat_interleave(times, 1)
    scores = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
    if score_mod is not None:
        scores = _over_places(score_mod, scores.shape, scores)
    if block_mask is not None:
        seen = wengert.broadcast_to(_over_places(block_mask.mask_mod, scores.shape), scores.shape)
        scores = scores.masked_fill(~seen, -wengert.inf)
    top = scores.detach().amax(-1, keepdim=True)
    weights = (scores - top.masked_fill(top == -wengert.inf, 0)).exp()
    total = weights.sum(-1, keepdim=True)
    output = weights / total.masked_fill(total == 0, 1) @ value
    if return_aux is not None:
        lse = scores.logsumexp(-1) if return_aux.lse else None
        return output, AuxOutput(lse, top[..., 0] if return_aux.max_scores else None)
    return (output, scores.logsumexp(-1)) if return_lse else output
