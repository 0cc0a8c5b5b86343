"""Rows of attention: softmax(scale q k^T + mask) v in blocks.

q is (..., H, L, E), k (..., h, S, E), v (..., h, S, V) with H a multiple of h; mask broadcasts to (..., H, L, S). With
causal, query i sees keys 0 to i. lse keeps the log of each query's sum of exponentials.
"""

from math import prod

from ._def import boolean, integer, op, real


def _draws(q, k, *_):
    """Elements that a mask of dropout takes: each row of weights begins at a counter block of eight."""
    return prod(q[:-1]) * (-(-k[-2] // 8) * 8)


@op("attention", public=False, outputs=2, shown="scaled_dot_product_attention")
def attention(g, q, k, v, mask=None, y=None, lse=None, *, scale: real, causal: boolean):
    """Attention without dropout."""
    return (*g.attention_backward(q, k, v, mask, y, lse, scale, causal), None)


@op("attention_backward", absent="mask", public=False, outputs=3, differentiable=False, composed=True)
def attention_backward(g, u, q, k, v, mask, after, lse, gq, gk, gv, *, scale: real, causal: boolean):
    """The gradients of attention."""


@op("attention", public=False, outputs=2, flags="random", draws=_draws)
def attention_dropout(
    g, q, k, v, mask=None, y=None, lse=None, *, scale: real, causal: boolean, p: real, seed: integer,
    offset: integer,
):  # fmt: skip
    """Attention that drops each weight with probability p and divides the others by 1 - p."""
    return (*g.attention_dropout_backward(q, k, v, mask, y, lse, scale, causal, p, seed, offset), None)


@op(
    "attention_backward",
    absent="mask",
    kernel="attention_dropout_backward",
    public=False,
    outputs=3,
    differentiable=False,
    composed=True,
    flags="random",
    draws=_draws,
)
def attention_dropout_backward(
    g, u, q, k, v, mask, after, lse, gq, gk, gv, *, scale: real, causal: boolean, p: real, seed: integer,
    offset: integer,
):  # fmt: skip
    """The gradients of attention_dropout, whose mask is drawn again."""
