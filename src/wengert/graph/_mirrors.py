"""Which forward node each operation of a recorded backward pass belongs to."""

import threading
from contextlib import contextmanager
from time import perf_counter_ns

from .. import _core


class Mirrors:
    """Follows the backward passes that run while a function is recorded.

    The core tells when it has finished a node of the tape; what was recorded since it began that node is part of its
    gradient rule.
    """

    def __init__(self):
        self._made = {}  # sequence of a node of the tape -> the node of the graph that recorded it
        self._recent = []  # (node of the graph, when it was recorded), latest last
        self._before = None
        self._thread = threading.get_ident()

    def note(self, node, tensor=None):
        """A node was recorded; `tensor` is its first result."""
        self._recent.append((node, perf_counter_ns()))
        tape = None if tensor is None else _core.node_of(tensor)
        if tape is not None:
            self._made[tape.make_notes().sequence] = node

    @contextmanager
    def following(self):
        """While this is open, gradients are told apart."""
        self._before = _core.set_backward_timer(self._finished)
        try:
            yield
        finally:
            _core.set_backward_timer(self._before)

    def _finished(self, name, notes, begin, end):
        if self._before is not None:
            self._before(name, notes, begin, end)
        if threading.get_ident() != self._thread:
            return
        forward = None if notes is None else self._made.get(notes.sequence)
        scope = None if forward is None else ("backward", *forward.scope)
        while self._recent and self._recent[-1][1] >= begin:
            node, _ = self._recent.pop()
            if forward is not None and node is not forward:
                node.gradient_of = forward.results[0]
                node.scope = scope
