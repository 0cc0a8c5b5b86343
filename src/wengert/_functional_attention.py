"""Scaled dot-product attention and bilinear forms."""

import math

import wengert

from . import _core
from ._bind import OPS, composed
from ._functional_recurrent import gradients_of
from ._overload import check_tensor
from ._padding import pad

_softmax, _where = OPS["softmax_rows"], OPS["where"]
_attention, _attention_dropout = OPS["attention"], OPS["attention_dropout"]


def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False
):
    """softmax(query @ key^T * scale + mask) @ value, in blocks: the matrix of scores is never there as a whole.

    A query that sees no key gives 0. Where attn_mask asks for a gradient, the scores are computed as a whole.

    Args:
        query: (..., H, L, E). key: (..., H, S, E). value: (..., H, S, V).
        attn_mask: broadcasts to (..., L, S); bool: True takes part; floating: added to the scores.
        dropout_p: the share of attention weights that is dropped.
        is_causal: position i sees positions up to i, of what attn_mask leaves.
        scale: 1 / sqrt(E) unless given.
        enable_gqa: query may have a multiple of the heads of key and value, which are repeated.

    Returns (..., H, L, V). Raises RuntimeError for shapes and dtypes that do not fit.

    Example:
        >>> import wengert
        >>> q = k = wengert.zeros(1, 3, 2)
        >>> v = wengert.tensor([[[1.0], [3.0], [5.0]]])
        >>> scaled_dot_product_attention(q, k, v, is_causal=True).tolist()
        [[[1.0], [2.0], [3.0]]]
    """
    check_tensor("scaled_dot_product_attention", query)
    check_tensor("scaled_dot_product_attention", key)
    check_tensor("scaled_dot_product_attention", value)
    _check_attention(query, key, value, attn_mask, dropout_p)
    lead = tuple(query.shape)[:-2]
    if tuple(key.shape)[:-2] != lead or tuple(value.shape)[:-2] != lead:
        query, key, value = _matching_heads(query, key, value, enable_gqa)
    if scale is None:
        scale = 1.0 / math.sqrt(query.shape[-1]) if query.shape[-1] else 1.0
    if attn_mask is not None and attn_mask.requires_grad:
        return _formula(query, key, value, attn_mask, scale, is_causal, dropout_p)
    if dropout_p > 0:
        return _attention_dropout(query, key, value, attn_mask, scale, is_causal, dropout_p)[0]
    return _attention(query, key, value, attn_mask, scale, is_causal)[0]


def _check_attention(query, key, value, mask, p):
    if query.dim() < 2 or key.dim() < 2 or value.dim() < 2:
        raise RuntimeError(
            "scaled_dot_product_attention: expected query, key and value of at least 2 dimensions, got "
            f"{query.dim()}, {key.dim()} and {value.dim()}."
        )
    if mask is not None and mask.dtype is not wengert.bool and not mask.dtype.is_floating_point:
        raise RuntimeError(
            f"scaled_dot_product_attention: expected an attn_mask of dtype bool or floating, got {mask.dtype}."
        )
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: expected a probability between 0 and 1, got {p}.")


def _matching_heads(query, key, value, grouped):
    """The operands with the same leading dimensions, but for heads that are shared."""
    if grouped and query.dim() > 2 and key.dim() > 2 and key.shape[-3] != value.shape[-3]:
        key, value = (_repeat_heads(t, query.shape[-3]) for t in (key, value))
    leads = [tuple(t.shape[:-2]) for t in (query, key, value)]
    if grouped and leads[1] == leads[2] and leads[0][:-1] == leads[1][:-1]:
        heads, own = leads[0][-1], leads[1][-1]
        if own and heads % own == 0:
            return query, key, value
        raise _heads_error(heads, own)
    if grouped:
        key, value = (_repeat_heads(t, query.shape[-3]) for t in (key, value))
        leads = [tuple(t.shape[:-2]) for t in (query, key, value)]
    lead = wengert.broadcast_shapes(*leads)
    return tuple(t.expand(*lead, *t.shape[-2:]) for t in (query, key, value))


def _formula(query, key, value, mask, scale, causal, p, seed=None, offset=None):
    """The same from ops with rules of their own. Dropout draws as the blocks do: each row of weights begins at a
    counter block of eight."""
    if query.dim() > 2 and query.shape[-3] != key.shape[-3]:
        key, value = (_repeat_heads(t, query.shape[-3]) for t in (key, value))
    scores = (query * scale) @ key.transpose(-2, -1)
    blind = None
    if causal:
        rows, columns = scores.shape[-2:]
        seen = wengert.arange(columns) <= wengert.arange(rows).unsqueeze(1)
        scores = _where(seen, scores, -math.inf)
    if mask is not None:
        scores = _where(mask, scores, -math.inf) if mask.dtype is wengert.bool else scores + mask.to(scores.dtype)
        blind = (scores.detach() == -math.inf).all(-1, keepdim=True)
        scores = _where(blind, 0.0, scores)
    weights = _softmax(scores, -1)
    if blind is not None:
        weights = _where(blind, 0.0, weights)
    if p > 0:
        columns = weights.shape[-1]
        wide = pad(weights, (0, -columns % 8))
        drop = OPS["dropout"]
        if seed is None:
            wide = drop(wide, p)
        else:
            wide = _core.apply(drop.entry, [wide], (p, seed, offset))
        weights = wide[..., :columns]
    return weights @ value


@composed("attention_backward")
def _attention_backward(operands, attrs):
    return _gradients(operands, (*attrs, 0.0))


@composed("attention_dropout_backward")
def _attention_dropout_backward(operands, attrs):
    return _gradients(operands, attrs)


def _gradients(operands, attrs):
    upstream, query, key, value, mask = operands[:5]
    return gradients_of(lambda q, k, v: _formula(q, k, v, mask, *attrs), (query, key, value), upstream)


def _heads_error(heads, own):
    return RuntimeError(
        f"scaled_dot_product_attention: expected query heads to be a multiple of key and value "
        f"heads, got {heads} and {own}."
    )


def _repeat_heads(t, heads):
    own = t.shape[-3]
    if own == 0 or heads % own:
        raise _heads_error(heads, own)
    if own == heads:
        return t
    lead, tail = tuple(t.shape[:-2]), tuple(t.shape[-2:])
    return t.unsqueeze(-3).expand(*lead, heads // own, *tail).reshape(*lead[:-1], heads, *tail)


def bilinear(input1, input2, weight, bias=None):
    """y[k] = input1^T weight[k] input2 + bias[k] over the last dimensions: (..., I), (..., J), (K, I, J) → (...,
    K).
    """
    for x in (input1, input2, weight):
        check_tensor("bilinear", x)
    if input1.shape[:-1] != input2.shape[:-1] or weight.ndim != 3:
        raise RuntimeError(
            f"bilinear: expected inputs that differ in the last size only and a weight (K, I, J), got "
            f"{tuple(input1.shape)}, {tuple(input2.shape)} and {tuple(weight.shape)}."
        )
    lead = tuple(input1.shape[:-1])
    count, first, second = weight.shape
    left = input1.reshape(-1, first)
    # (B, I) @ (I, K J) → (B, K, J), then a product with input2 for each sample.
    mixed = (left @ weight.transpose(0, 1).reshape(first, count * second)).reshape(-1, count, second)
    y = (mixed @ input2.reshape(-1, second, 1)).reshape(*lead, count)
    return y if bias is None else y + bias
