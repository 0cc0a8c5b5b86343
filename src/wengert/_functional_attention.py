"""Scaled dot-product attention and bilinear forms."""

import math

import wengert

from ._bind import OPS

_softmax, _where = OPS["softmax_rows"], OPS["where"]


def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False
):
    """softmax(query @ key^T * scale + mask) @ value.

    Args:
        query: (..., H, L, E). key: (..., H, S, E). value: (..., H, S, V).
        attn_mask: broadcasts to (..., L, S); bool: True takes part; floating: added to the scores.
        dropout_p: the share of attention weights that is dropped.
        is_causal: position i sees positions up to i (no attn_mask then).
        scale: 1 / sqrt(E) unless given.
        enable_gqa: query may have a multiple of the heads of key and value, which are repeated.

    Returns (..., H, L, V). Raises RuntimeError for shapes that do not fit and for a mask beside is_causal.
    """
    if is_causal and attn_mask is not None:
        raise RuntimeError("scaled_dot_product_attention: expected attn_mask or is_causal, got both.")
    if enable_gqa:
        key, value = (_repeat_heads(t, query.shape[-3]) for t in (key, value))
    if scale is None:
        scale = 1.0 / math.sqrt(query.shape[-1])
    scores = (query * scale) @ key.transpose(-2, -1)
    if is_causal:
        rows, columns = query.shape[-2], key.shape[-2]
        seen = wengert.arange(columns) <= wengert.arange(rows).unsqueeze(1)
        scores = _where(seen, scores, -math.inf)
    elif attn_mask is not None:
        scores = _where(attn_mask, scores, -math.inf) if attn_mask.dtype is wengert.bool else scores + attn_mask
    weights = _softmax(scores, -1)
    if attn_mask is not None and attn_mask.dtype is wengert.bool:
        # A row that sees nothing gives 0, not NaN.
        weights = _where(attn_mask.any(-1, keepdim=True), weights, 0.0)
    if dropout_p > 0:
        weights = wengert.nn.functional.dropout(weights, dropout_p)
    return weights @ value


def _repeat_heads(t, heads):
    own = t.shape[-3]
    if own == 0 or heads % own:
        raise RuntimeError(
            f"scaled_dot_product_attention: expected query heads to be a multiple of key and value "
            f"heads, got {heads} and {own}."
        )
    if own == heads:
        return t
    lead, tail = tuple(t.shape[:-2]), tuple(t.shape[-2:])
    return t.unsqueeze(-3).expand(*lead, heads // own, *tail).reshape(*lead[:-1], heads, *tail)


def bilinear(input1, input2, weight, bias=None):
    """y[k] = input1^T weight[k] input2 + bias[k] over the last dimensions: (..., I), (..., J), (K, I, J) → (...,
    K).
    """
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
