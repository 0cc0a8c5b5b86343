"""Running combinations along a dimension, by halves: as many steps in a row as the length has bits."""

import wengert

from ._trees import flatten, unflatten
from ._vmap import vmap


def associative_scan(combine_fn, xs, dim, reverse=False, combine_mode="pointwise", **options):
    """All prefixes of a sequence under an associative function.

    Args:
        combine_fn: takes two trees like `xs` without the dimension, returns one; associative.
        xs: a tensor, or a tree of tensors of one size along `dim`.
        dim: the dimension to go along.
        reverse: go from the end.
        combine_mode: "pointwise" or "generic"; both allow every function.

    Returns:
        A tree like `xs`: entry i combines entries 0 to i.

    Raises:
        ValueError: tensors of different sizes along `dim`, another mode, or no tensors.

    Example:
        >>> import wengert
        >>> from wengert.func._associative_scan import associative_scan
        >>> associative_scan(lambda a, b: a * b, wengert.tensor([1, 2, 3, 4]), 0)
        tensor([ 1,  2,  6, 24])
    """
    if combine_mode not in ("pointwise", "generic"):
        raise ValueError(f"associative_scan: expected combine_mode pointwise or generic, got {combine_mode!r}.")
    leaves, structure = flatten(xs)
    sizes = {leaf.shape[dim] for leaf in leaves}
    if len(sizes) != 1:
        raise ValueError(f"associative_scan: expected tensors of one size along {dim}, got {sorted(sizes)}.")

    def step(first, second):
        return flatten(combine_fn(unflatten(first, structure), unflatten(second, structure)))[0]

    columns = [leaf.movedim(dim, 0) for leaf in leaves]
    if reverse:
        columns = [column.flip(0) for column in columns]
    columns = _prefixes(vmap(step), columns)
    if reverse:
        columns = [column.flip(0) for column in columns]
    return unflatten([column.movedim(0, dim) for column in columns], structure)


def _prefixes(combine, columns):
    """Prefixes along dimension 0: of neighbours combined first, then what lies between them."""
    size = columns[0].shape[0]
    if size < 2:
        return columns
    odd = _prefixes(combine, combine([c[:-1:2] for c in columns], [c[1::2] for c in columns]))
    even = [c[:1] for c in columns]
    if size > 2:
        before = odd if size % 2 else [c[:-1] for c in odd]
        between = combine(before, [c[2::2] for c in columns])
        even = [wengert.cat(pair) for pair in zip(even, between, strict=True)]
    return [_woven(*pair) for pair in zip(even, odd, strict=True)]


def _woven(even, odd):
    """Rows of two tensors in turn; the first may have one more."""
    pairs = wengert.stack([even[: odd.shape[0]], odd], 1).flatten(0, 1)
    return wengert.cat([pairs, even[odd.shape[0] :]])
