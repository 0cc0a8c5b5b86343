"""Results of a call that are no values of their own: an argument itself, a view of a state, a gradient, one twice."""

import numpy as np

from .. import _core
from ..autograd.grad_mode import enable_grad, no_grad
from ..func._levels import call
from ..ops import TABLE


class Ties:
    """The tied results of one recorded call.

    Attributes:
        found: for each tied leaf of the result a tuple: ("input", place among the inputs, region), ("state", tensor,
            region), ("grad", leaf) or ("same", number of another leaf). A region (shape, strides, offset) is that of a
            view; None is the tensor itself.
    """

    def __init__(self):
        self.found = {}
        self._leaves = []  # (number, tensor) of the other results

    def add(self, recorder, inputs, place, t):
        """Whether a result is tied; notes how."""
        for k, other in self._leaves:
            if other is t:
                self.found[place] = ("same", k)
                return True
        tie = self._tie(recorder, inputs, t)
        if tie is not None:
            self.found[place] = tie
        elif any(_overlap(t, other) for _, other in self._leaves):
            recorder.refuse("the call returns tensors that share elements. Return a .clone() of one of them")
        self._leaves.append((place, t))
        return tie is not None

    def _tie(self, recorder, inputs, t):
        leaf = recorder.leaf_with_gradient(t)
        if leaf is not None:
            return ("grad", leaf)
        base = recorder.outside_under(t)
        if base is None:
            return None
        region = None
        if base is not t:
            region = self._steps(t, base) if t.requires_grad else _region(t, base)
            if region is None:
                recorder.refuse(
                    "the call returns a tensor that shares memory with one from outside, but is no view of it that can be "
                    "made again: its history is another, or its dtype. Return a .clone()"
                )
        for k, x in enumerate(inputs):
            if x is base:
                return ("input", k, region)
        return ("state", base, region)

    def _steps(self, t, base):
        """The views that lead from a tensor to its view t, as the tape has them: ((operation, attributes), ...), or None."""
        end, steps = _core.node_of(base), []
        node = _core.node_of(t)
        while node is not None and node != end:
            row = TABLE.get(node.op)
            if row is None:
                return tuple(reversed(steps)) if node.op == "leaf" and node.variable is base else None
            if "view" not in row.flags:
                return None
            steps.append((node.op, tuple(node.attributes.values())))
            node = node.next_functions[0][0]
        return None if node is None else tuple(reversed(steps))

    def fill(self, leaves, inputs):
        """Puts the tied results of a run into its list of leaves."""
        for place, (kind, what, *region) in self.found.items():
            if kind == "same":
                leaves[place] = leaves[what]
            elif kind == "grad":
                leaves[place] = what.grad
            else:
                leaves[place] = _view(inputs[what] if kind == "input" else what, region[0])


def _region(t, base):
    """Where the elements of a view without history lie; None where their dtype is another."""
    if t.dtype != base.dtype:
        return None
    return tuple(t.shape), t.stride(), t.storage_offset() - base.storage_offset()


def _view(base, region):
    if region is None:
        return base
    if not region or type(region[0][0]) is str:
        with enable_grad():
            for name, attributes in region:
                base = call(name, base, attrs=attributes)
        return base
    shape, strides, offset = region
    with no_grad():
        return base.detach().as_strided(shape, strides, base.storage_offset() + offset)


def _overlap(a, b):
    """Whether two tensors have elements in common."""
    if not a.numel() or not b.numel() or not _core.same_storage(a, b):
        return False
    first, second = _bytes(a), _bytes(b)
    return bool(np.intersect1d(first, second).size)


def _bytes(t):
    """The numbers of the bytes of a storage that a tensor's elements begin at, in steps of its smallest element."""
    size = t.dtype.itemsize
    places = np.array(t.storage_offset() * size)
    for n, step in zip(t.shape, t.stride(), strict=True):
        places = places[..., None] + np.arange(n) * step * size
    return places.reshape(-1)


def same_ties(a, b):
    """Whether the tied results of two calls are tied in the same way."""
    if a.keys() != b.keys():
        return False
    return all(
        x[0] == y[0] and x[2:] == y[2:] and (x[1] is y[1] or type(x[1]) is int and x[1] == y[1])
        for x, y in zip(a.values(), b.values(), strict=True)
    )
