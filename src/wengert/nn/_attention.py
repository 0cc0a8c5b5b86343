"""Multi-head attention as a function."""

import math

import wengert
from wengert._functional import dropout, linear, pad, scaled_dot_product_attention, softmax


def as_float_mask(mask, dtype):
    """A boolean mask (True: hidden) as one to be added to scores; float masks pass."""
    if mask is None or mask.dtype != wengert.bool:
        return mask
    return wengert.zeros(tuple(mask.shape), dtype=dtype).masked_fill_(mask, -math.inf)


def _project(query, key, value, weight, bias, separate):
    """The three input projections: of one stacked weight, or of three (`separate`)."""
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    if separate is None and query is key and key is value:
        return linear(query, weight, bias).chunk(3, -1)
    weights = weight.chunk(3) if separate is None else separate
    return tuple(linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True))


def _combined_mask(attn_mask, key_padding_mask, batch, heads, targets, sources, dtype):
    """One additive mask that broadcasts to (batch, heads, targets, sources), or None."""
    attn_mask = as_float_mask(attn_mask, dtype)
    if attn_mask is not None:
        if attn_mask.dim() == 2:
            wanted = (targets, sources)
            found, attn_mask = tuple(attn_mask.shape), attn_mask.unsqueeze(0).unsqueeze(0)
        elif attn_mask.dim() == 3:
            wanted = (batch * heads, targets, sources)
            found = tuple(attn_mask.shape)
            attn_mask = attn_mask.reshape(batch, heads, *found[1:]) if found == wanted else attn_mask
        else:
            raise RuntimeError(
                f"attention: expected an attn_mask of 2 or 3 dimensions, got shape {tuple(attn_mask.shape)}."
            )
        if found != wanted:
            raise RuntimeError(f"attention: expected an attn_mask of shape {wanted}, got {found}.")
    if key_padding_mask is None:
        return attn_mask
    key_padding_mask = as_float_mask(key_padding_mask, dtype).reshape(batch, 1, 1, sources)
    return key_padding_mask if attn_mask is None else attn_mask + key_padding_mask


def _widen(mask, by):
    """Masks see the appended keys: `by` columns of 0 (False), which hide nothing."""
    return None if mask is None else pad(mask, (0, by))


def multi_head_attention_forward(
    query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k, bias_v, add_zero_attn,
    dropout_p, out_proj_weight, out_proj_bias, training=True, key_padding_mask=None, need_weights=True,
    attn_mask=None,
    use_separate_proj_weight=False, q_proj_weight=None, k_proj_weight=None, v_proj_weight=None, static_k=None,
    static_v=None, average_attn_weights=True, is_causal=False,
):  # fmt: skip
    """Attention of queries (L, N, E) to keys and values (S, N, ...), or without the batch axis N.

    Returns:
        The output (L, N, E) and the weights, (N, L, S) averaged over heads or (N, heads, L, S), or None without
        `need_weights`.

    Raises:
        RuntimeError: the attention mask has the wrong shape, or `is_causal` comes without it.
        AssertionError: the padding mask has the wrong shape, or there are not as many keys as values.
        ValueError: the sizes of query and layer differ.
    """
    is_batched = query.dim() == 3
    if not is_batched:
        same_kv, same_qk = value is key, key is query
        query = query.unsqueeze(1)
        key = query if same_qk else key.unsqueeze(1)
        value = key if same_kv else value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    targets, batch, width = query.shape
    sources = key.shape[0]
    if width != embed_dim_to_check:
        raise AssertionError(
            f"attention: expected queries (..., embed_dim={embed_dim_to_check}), got shape {tuple(query.shape)}."
        )
    if is_causal and attn_mask is None:
        raise RuntimeError("attention: expected an attn_mask with is_causal=True, got none.")
    if key_padding_mask is not None and tuple(key_padding_mask.shape) != (batch, sources):
        raise AssertionError(
            f"key_padding_mask: expected shape {(batch, sources)}, got {tuple(key_padding_mask.shape)}. Mask the"
            " keys."
        )
    if key.shape[:2] != value.shape[:2]:
        raise AssertionError(
            f"attention: expected as many keys as values, got {tuple(key.shape)} and {tuple(value.shape)}."
        )
    head = width // num_heads
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None  # the causal kernel makes its own
    else:
        is_causal = False
    separate = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else None
    q, k, v = _project(query, key, value, in_proj_weight, in_proj_bias, separate)
    if bias_k is not None and bias_v is not None:
        k = wengert.cat((k, bias_k.expand(1, batch, width)))
        v = wengert.cat((v, bias_v.expand(1, batch, width)))
        attn_mask, key_padding_mask = _widen(attn_mask, 1), _widen(key_padding_mask, 1)

    def by_head(x):
        return x.reshape(x.shape[0], batch, num_heads, head).permute(1, 2, 0, 3)

    q = by_head(q)
    k = by_head(k) if static_k is None else static_k.reshape(batch, num_heads, -1, head)
    v = by_head(v) if static_v is None else static_v.reshape(batch, num_heads, -1, head)
    if add_zero_attn:
        zeros = wengert.zeros((batch, num_heads, 1, head), dtype=k.dtype)
        k, v = wengert.cat((k, zeros), 2), wengert.cat((v, zeros), 2)
        attn_mask, key_padding_mask = _widen(attn_mask, 1), _widen(key_padding_mask, 1)
    mask = _combined_mask(attn_mask, key_padding_mask, batch, num_heads, targets, k.shape[2], q.dtype)
    drop = dropout_p if training else 0.0
    weights = None
    if need_weights:
        scores = (q * math.sqrt(1.0 / head)) @ k.transpose(-2, -1)
        weights = softmax(scores if mask is None else scores + mask, -1)
        if drop > 0:
            weights = dropout(weights, drop, True)
        output = weights @ v
        weights = weights.mean(1) if average_attn_weights else weights
    else:
        output = scaled_dot_product_attention(q, k, v, mask, drop, is_causal)
    output = output.permute(2, 0, 1, 3).reshape(targets, batch, width)
    output = linear(output, out_proj_weight, out_proj_bias)
    if is_batched:
        return output, weights
    return output.squeeze(1), None if weights is None else weights.squeeze(0)
