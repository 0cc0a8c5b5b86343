"""Tensors that a call leaves in attributes and dicts, in the place of others that it does not ask for.

An old weight norm puts its weight into the module before each forward, and models keep what they want to show. Such a tensor
is one more result of the call, and a run puts it where the call did. What lay there before the call must look as it did when
the call was recorded: Python may have asked for that, and nobody would know.
"""

import contextlib

from ..func._levels import is_tensor
from ._numbers import Slot


class Left:
    """The places in which one recorded call has left tensors.

    Attributes:
        slots: the places.
        tensors: what the call has left there.
    """

    def __init__(self, found):
        self.slots = [Slot(container, key) for container, key, _, _ in found]
        self.tensors = [now for _, _, _, now in found]
        self._forms = [_form(before) for _, _, before, _ in found]

    def same(self, other):
        """Whether another recording has left tensors in the same places."""
        return len(self.slots) == len(other.slots) and all(
            a.same(b) for a, b in zip(self.slots, other.slots, strict=True)
        )

    def fits(self):
        """Whether what lies there looks as it did."""
        return all(_form(slot.read(())) == form for slot, form in zip(self.slots, self._forms, strict=True))

    def put(self, tensors):
        """Leaves tensors there."""
        for slot, t in zip(self.slots, tensors, strict=True):
            slot.write(t)

    @contextlib.contextmanager
    def put_back(self):
        """Gives a function that reads what lies there; afterwards it is what it was."""
        before = [slot.read(()) for slot in self.slots]
        try:
            yield lambda: [slot.read(()) for slot in self.slots]
        finally:
            self.put(before)


def left_by(recorder, survey):
    """The Left of a call; None where it has left nothing."""
    found = [
        (container, key, before, now)
        for container, key, before, now in survey.replaced()
        if is_tensor(before) and is_tensor(now) and recorder.has_made(now) and not recorder.has_met(before)
    ]
    return Left(found) if found else None


def _form(t):
    return (type(t), t.shape, t.dtype, t.stride(), t.requires_grad, t.grad_fn is None) if is_tensor(t) else type(t)
