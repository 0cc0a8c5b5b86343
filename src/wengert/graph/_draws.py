"""Which numbers of the default generator a recorded function draws, when it sets the generator back to draw them again."""

from .. import _core


class Draws:
    """The draws of a recording, by the places of their numbers in the sequence."""

    def __init__(self):
        self._seed, self._end = _core.default_place()  # where the sequence has come to
        self._at = self._end  # where the generator stood when it was last seen
        self._known = {}  # where a draw begins -> where it ends

    def add(self, offset):
        """Notes a draw that begins at `offset`; False where it shares numbers with another one and is not the same again."""
        before, self._at = self._at, _core.default_place()[1]
        end = self._known.get(offset)
        if end is not None:
            return self._at in (before, end)  # a gradient draws as its operation did, without the generator
        if self._at == offset:
            return True  # a draw of nothing
        if offset < self._end:
            return False
        self._known[offset] = self._end = self._at
        return True

    def rewind(self, seed, offset):
        """Whether the generator may be set to this place: the sequence is the same, and has been there."""
        self.follow()
        self._at = offset
        return seed == self._seed and offset <= self._end

    def complete(self):
        """Whether the generator stands behind all that was drawn."""
        self.follow()
        return _core.default_place() == (self._seed, self._end)

    def follow(self):
        """Sees how far functions of the host have drawn, which do not say."""
        seed, self._at = _core.default_place()
        if seed == self._seed:
            self._end = max(self._end, self._at)


def pattern(graph):
    """For each random operation of a graph the number of the first one that draws the same."""
    first = {}
    return [first.setdefault(node.attrs[-2:], k) for k, node in enumerate(graph.nodes) if node.random]
