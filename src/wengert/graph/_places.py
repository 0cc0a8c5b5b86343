"""Random numbers of branches and loops, drawn again: a part notes where in the sequence it begins, a replay goes there.

Note [Replays]. A backward pass runs a branch, or a step of a loop, once more. Where that draws, its sub-graph has another
result, the place of the default generator before its first draw; a loop stacks it over its steps. What runs again is the
sub-graph of a `replay`, whose first operand is such a place: inside of it the generator stands there, behind it where it
stood before. So every kind of draw repeats its numbers, those of inner loops and of functions of the host as well, and a
step keeps two words, however many numbers it draws.
"""

import contextlib

from .. import _core, _host
from .._dtypes import DTYPES
from ._needed import reached

_PLACE = (2,), DTYPES["int64"]


@_host.register_tensors("place", lambda: [_PLACE], random=True)
@_host.register_own("place")
def _place():
    return (_core.place_as_tensor(),)


@contextlib.contextmanager
def to_be_drawn_again():
    """What is drawn inside is drawn once more later: the generator stands behind the block where it stood before."""
    before = _core.default_place()
    try:
        yield
    finally:
        _core.draw_from(*before)


def is_place(shape, dtype):
    """Whether a value may be a place in the sequence."""
    return (tuple(shape), dtype) == _PLACE


def draws_in(graph):
    """Whether running a graph takes numbers from the default generator's sequence."""
    return not graph.repeats and any(node.random or node.draws for node in graph.nodes)


def needs_numbers(graph):
    """Whether the outputs of a graph depend on random numbers; where they do not, its draws are taken out."""
    if not draws_in(graph):
        return False
    nodes = reached(graph, effects=False).nodes
    if any(node.random or node.draws for node in nodes):
        return True
    graph.nodes = nodes
    return False


def note_place(part):
    """Lets a sub-graph give the place where it begins; returns which of its outputs that is."""
    first = part.nodes[0] if part.nodes else None
    if first is None or not _notes_place(first):
        part.add_node("host", (), (), [_PLACE], payload={"function": "place", "options": ()})
        part.nodes.insert(0, part.nodes.pop())
        first = part.nodes[0]
        part.outputs.append(("", first.results[0]))
    return [v for _, v in part.outputs].index(first.results[0])


def _notes_place(node):
    return node.op == "host" and node.payload["function"] == "place"


def without_place(part):
    """The nodes of a sub-graph, to be run again."""
    return part.nodes[1:] if part.nodes and _notes_place(part.nodes[0]) else part.nodes


def add_place(graph, node):
    """Lets branches give the place where they begin, as a result more of their node; returns its value."""
    k = [note_place(part) for part in node.payload.values()][0]
    if k == len(node.results):
        node.results = (*node.results, graph.new_value(*_PLACE))
    return node.results[k]


def replayed(part, at):
    """A graph that runs `part` from a place, which is its input number `at`."""
    turn = type(part)(part.name)
    turn.symbols, turn.guards = part.symbols, part.guards
    given = [turn.add_input(part.shapes[v], part.dtypes[v]) for v in part.inputs]
    place = turn.add_input(*_PLACE)
    turn.inputs = [*given[:at], place, *given[at:]]
    specs = [(part.shapes[v], part.dtypes[v]) for _, v in part.outputs]
    node = turn.add_node("replay", [place, *given], (), specs, payload={"graph": part})
    turn.outputs = [("", v) for v in node.results]
    return turn
