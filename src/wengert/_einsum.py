"""einsum: Einstein's notation as diagonals, sums and batched matrix products.

What an equation says for operands of given numbers of dimensions is worked out once (`_plan`); a call follows the plan
and looks at sizes only.
"""

from functools import lru_cache
from math import prod

from . import _core
from ._bind import OPS
from ._overload import check_tensor

_matmul, _reshape, _sum, _permute = OPS["matmul"], OPS["reshape"], OPS["sum"], OPS["permute"]
_expand, _diagonal = OPS["expand"], OPS["diagonal"]


def _labels_of_result(inputs, wide):
    """The labels of a result that was not given: the dimensions of ..., then each letter that is there once."""
    flat = [v for term in inputs for v in term]
    return [*range(-wide, 0), *sorted(v for v in set(flat) if isinstance(v, str) and flat.count(v) == 1)]


def _parse(equation, ranks):
    """Labels of each operand and of the result; an ellipsis becomes negative numbers, counted from the end."""
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise RuntimeError(f"einsum: expected {len(terms)} operands for {equation!r}, got {len(ranks)}.")
    wide = 0

    def labels(term, room):
        head, dots, tail = term.partition("...")
        if not (head + tail).isalpha() and head + tail:
            raise RuntimeError(f"einsum: expected letters, ',', '->' and '...' in the equation, got {equation!r}.")
        return [*head, *(range(-room, 0) if dots else ()), *tail]

    inputs = []
    for term, rank in zip(terms, ranks, strict=True):
        named = len(term.replace("...", ""))
        room = rank - named
        if room < 0 or (room > 0 and "..." not in term):
            raise RuntimeError(f"einsum: expected {named} dimensions for {term!r}, got {rank}.")
        wide = max(wide, room)
        inputs.append(labels(term, room))
    return inputs, labels(right, wide) if arrow else _labels_of_result(inputs, wide)


def _letter(label):
    """A label of the form with lists, an int from 0 to 51, as a character of its own."""
    if not 0 <= label < 52:
        raise ValueError(f"einsum: expected labels from 0 to 51, got {label}.")
    return chr(65 + label)


def _sublists(operands):
    """einsum(x, [0, 1], y, [1, 2], [0, 2]) as tensors and labels."""
    tensors, lists = list(operands[0::2]), list(operands[1::2])
    result = None
    if len(operands) % 2:
        result = tensors.pop()
    wide, inputs = 0, []
    for x, labels in zip(tensors, lists, strict=True):
        room = check_tensor("einsum", x).dim() - sum(v is not Ellipsis for v in labels)
        wide = max(wide, room)
        inputs.append([w for v in labels for w in (range(-room, 0) if v is Ellipsis else (_letter(v),))])
    if result is None:
        return tensors, inputs, _labels_of_result(inputs, wide)
    return tensors, inputs, [w for v in result for w in (range(-wide, 0) if v is Ellipsis else (_letter(v),))]


class _Single:
    """Repeated labels of one operand become diagonals, labels that nobody needs are summed."""

    __slots__ = ("diagonals", "gone", "labels")

    def __init__(self, labels, keep):
        labels = list(labels)
        self.diagonals = []
        for v in [v for v in dict.fromkeys(labels) if labels.count(v) > 1]:
            while labels.count(v) > 1:
                i = labels.index(v)
                j = labels.index(v, i + 1)
                self.diagonals.append((i, j, v))
                labels = [w for k, w in enumerate(labels) if k not in (i, j)] + [v]
        self.gone = tuple(k for k, v in enumerate(labels) if v not in keep)
        self.labels = [v for v in labels if v in keep]

    def __call__(self, x):
        for i, j, v in self.diagonals:
            if x.shape[i] != x.shape[j]:
                raise RuntimeError(
                    f"einsum: expected one size for the repeated label {v!r}, got shape {tuple(x.shape)}."
                )
            x = _diagonal(x, 0, i, j)
        return _sum(x, self.gone) if self.gone else x


class _Pair:
    """Two operands with distinct labels each: one batched product over the labels that end here."""

    __slots__ = ("batch", "direct", "labels", "left", "right", "shared", "x_order", "y_order")

    def __init__(self, xl, yl, keep):
        self.batch = [v for v in xl if v in yl and v in keep]
        self.shared = [v for v in xl if v in yl and v not in keep]
        self.left, self.right = [v for v in xl if v not in yl], [v for v in yl if v not in xl]
        self.x_order = self._order(xl, self.batch + self.left + self.shared)
        self.y_order = self._order(yl, self.batch + self.shared + self.right)
        self.labels = self.batch + self.left + self.right
        # What matmul takes as it is: one dimension for each part (without a batch, vectors too).
        parts = len(self.left), len(self.right)
        self.direct = len(self.shared) == 1 and (parts == (1, 1) or (not self.batch and max(parts) <= 1))

    @staticmethod
    def _order(labels, wanted):
        order = tuple(labels.index(v) for v in wanted)
        return None if order == tuple(range(len(order))) else order

    def __call__(self, x, y):
        if self.x_order is not None:
            x = _permute(x, self.x_order)
        if self.y_order is not None:
            y = _permute(y, self.y_order)
        xs, ys = tuple(x.shape), tuple(y.shape)
        b, s = len(self.batch), len(self.shared)
        a = len(xs) - s  # where x's shared dimensions begin
        if xs[:b] != ys[:b] or xs[a:] != ys[b : b + s]:
            x, y = self._broadcast(x, xs, y, ys, a)
            xs, ys = tuple(x.shape), tuple(y.shape)
        if self.direct:
            return _core.matmul_any(x, y)
        flat = _matmul(
            _reshape(x, (prod(xs[:b]), prod(xs[b:a]), prod(xs[a:]))),
            _reshape(y, (prod(ys[:b]), prod(ys[b : b + s]), prod(ys[b + s :]))),
        )
        return _reshape(flat, (*xs[:a], *ys[b + s :]))

    def _broadcast(self, x, xs, y, ys, a):
        """Sizes of 1 beside larger ones are expanded."""
        b, s = len(self.batch), len(self.shared)

        def common(v, m, n):
            if m != n and m != 1 and n != 1:
                raise RuntimeError(f"einsum: expected one size for the label {v!r}, got {m} and {n}.")
            return n if m == 1 else m

        batch = [common(*sizes) for sizes in zip(self.batch, xs[:b], ys[:b], strict=True)]
        shared = [common(*sizes) for sizes in zip(self.shared, xs[a:], ys[b : b + s], strict=True)]
        return _expand(x, (*batch, *xs[b:a], *shared)), _expand(y, (*batch, *shared, *ys[b + s :]))


def _steps(inputs, output):
    """One step for each operand: what is done to it alone, and its product with what came before; the last order."""
    known = {v for term in inputs for v in term}
    if len(set(output)) != len(output) or not known.issuperset(output):
        raise RuntimeError(
            f"einsum: expected each label of the result once, and among the operands', got {output}."
        )
    steps, labels = [], None
    for k, term in enumerate(inputs):
        later = {v for rest in inputs[k + 1 :] for v in rest} | set(output)
        single = _Single(term, later | set(labels or ()))
        pair = None if labels is None else _Pair(labels, single.labels, later)
        labels = single.labels if pair is None else pair.labels
        steps.append((single if single.diagonals or single.gone else None, pair))
    order = tuple(labels.index(v) for v in output)
    return steps, None if order == tuple(range(len(order))) else order


@lru_cache(256)
def _plan(equation, ranks):
    return _steps(*_parse(equation, ranks))


def einsum(equation, *operands):
    """Sums of products by Einstein's notation: "ij,jk->ik" is the matrix product.

    Repeated letters in one operand take a diagonal, letters that are not in the result are summed over, "..." stands
    for dimensions that broadcast. The sublist form einsum(x, [0, 1], y, [1, 2], [0, 2]) is the same with numbers.
    Operands are contracted from left to right.

    Example:
        >>> import wengert
        >>> wengert.einsum("i,i->", wengert.tensor([1.0, 2.0]), wengert.tensor([3.0, 4.0]))
        tensor(11.)
    """
    if isinstance(equation, str):
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = operands[0]
        if not operands:
            raise RuntimeError("einsum: expected at least one operand, got none.")
        steps, order = _plan(equation, tuple([check_tensor("einsum", x).dim() for x in operands]))
    else:
        operands, inputs, output = _sublists((equation, *operands))
        if not operands:
            raise RuntimeError("einsum: expected at least one operand, got none.")
        steps, order = _steps(inputs, output)
    result = None
    for x, (single, pair) in zip(operands, steps, strict=True):
        if single is not None:
            x = single(x)
        result = x if pair is None else pair(result, x)
    return result if order is None else _permute(result, order)
