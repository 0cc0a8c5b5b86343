"""Rows of bags: sums and means of rows of a table over bags of indices, and what their gradients are made of.

offsets (B + 1,) say where each bag begins, and the end of the last. Indices equal to padding_idx count for nothing. The sum
is linear in the table and in the factors of its rows, so the rules of three rows close over each other.
"""

from ._def import boolean, op, opt_integer


@op("bag_sum", public=False, grad_name="EmbeddingBagBackward0", shown="embedding_bag")
def bag_sum(g, w, index, offsets, factors=None, y=None, *, mean: boolean, padding_idx: opt_integer):
    """For each bag the sum of rows of w times their factors, or the mean."""
    by_factors = None if factors is None else g.bag_dots(w, index, offsets, mean, padding_idx)
    return g.bag_spread(index, offsets, factors, w, mean, padding_idx), None, None, by_factors


@op("bag_spread", absent="factors", public=False)
def bag_spread(g, u, index, offsets, factors, like, y, *, mean: boolean, padding_idx: opt_integer):
    """bag_sum's gradient for w: zeros of like's shape plus, for each index, its bag's row of u."""
    by_factors = None if factors is None else u.bag_dots(g, index, offsets, mean, padding_idx)
    return g.bag_sum(index, offsets, factors, mean, padding_idx), None, None, by_factors, None


@op("bag_dots", public=False)
def bag_dots(g, u, w, index, offsets, y, *, mean: boolean, padding_idx: opt_integer):
    """bag_sum's gradient for the factors: for each index the product of its bag's row of u and its row of w."""
    return (
        w.bag_sum(index, offsets, g, mean, padding_idx),
        u.bag_spread(index, offsets, g, w, mean, padding_idx),
        None,
        None,
    )


@op("bag_argmax", public=False, differentiable=False)
def bag_argmax(g, w, index, offsets, y, *, mean: boolean, padding_idx: opt_integer):
    """For each bag and column the row of w with the greatest element, or -1 for a bag without any."""
