"""Random draws. Each row ends with (seed, offset): the core reserves the range of the counter that the draw uses.

A draw either takes a shape and a dtype, or fills a tensor in place (operand `like`). Neither has a gradient;
dropout is linear in x, and its gradient is the same dropout, which draws the same mask again from the same seed
and offset.
"""

from ._def import dtype, integer, ints, op, real

_hidden = {"flags": "random", "public": False, "differentiable": False}


@op("draw2", kernel="uniform", **_hidden)
def draw_uniform(g, y, *, shape: ints, dtype: dtype, low: real, high: real, seed: integer, offset: integer):
    """New numbers in [low, high)."""


@op("draw2", kernel="normal", **_hidden)
def draw_normal(g, y, *, shape: ints, dtype: dtype, mean: real, std: real, seed: integer, offset: integer):
    """New normally distributed numbers."""


@op("draw_integers", kernel="randint", **_hidden)
def draw_integers(g, y, *, shape: ints, dtype: dtype, low: integer, high: integer, seed: integer, offset: integer):
    """New integers in [low, high)."""


@op("randperm", kernel="randperm", **_hidden)
def draw_permutation(g, y, *, shape: ints, dtype: dtype, seed: integer, offset: integer):
    """The numbers 0 .. n-1 in random order."""


@op("draw2", kernel="uniform", **_hidden)
def uniform(g, like, y, *, low: real, high: real, seed: integer, offset: integer):
    """Numbers in [low, high), of another tensor's shape and dtype."""


@op("draw2", kernel="normal", **_hidden)
def normal(g, like, y, *, mean: real, std: real, seed: integer, offset: integer):
    """Normally distributed numbers, of another tensor's shape and dtype."""


@op("draw1", kernel="exponential", **_hidden)
def exponential(g, like, y, *, rate: real, seed: integer, offset: integer):
    """Exponentially distributed numbers, of another tensor's shape and dtype."""


@op("draw1", kernel="bernoulli", **_hidden)
def bernoulli(g, like, y, *, p: real, seed: integer, offset: integer):
    """1 with probability p, else 0, of another tensor's shape and dtype."""


@op("draw_integers", kernel="randint", **_hidden)
def random_integers(g, like, y, *, low: integer, high: integer, seed: integer, offset: integer):
    """Integers in [low, high), of another tensor's shape and dtype."""


@op("dropout", flags="random", public=False, linear=True)
def dropout(g, x, y, *, p: real, seed: integer, offset: integer):
    """x / (1 - p) with probability 1 - p, else 0, for each element on its own."""
    return g.dropout(p, seed, offset)
