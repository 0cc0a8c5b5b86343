"""Graphs in text and in files."""

from .. import _core
from ._graph_error import GraphError
from ._text import ParseError, parse, state_keys, to_text

KIND = "wengert.graph"
VERSION = 1


class InText:
    """Methods of Graph that write it down and read it again."""

    def to_text(self):
        """The graph as text that `Graph.parse` reads back to the same graph; states are references by key.

        Example:
            >>> import wengert
            >>> g = wengert.Graph("double")
            >>> g.output(g.input("x", shape=(3,)) * 2)
            >>> print(g.copy().to_text().replace(g.nodes[0].line, "example.py:1"))
            graph "double"
            %0 = input "x": float32[3]
            %1 = mul(%0, 2): float32[3] at "example.py:1"
            output "" = %1
            end
        """
        return to_text(self)

    @classmethod
    def parse(cls, text, states=None):
        """The graph of a text that `to_text` wrote; it is verified.

        Args:
            text: the text.
            states: tensors by key, as `state_dict` gives them.

        Raises:
            ParseError: the text is none of a graph; the message gives the line.
            GraphError: the graph is not legal.
        """
        graph = parse(text, states, cls)
        graph.verify()
        return graph

    def state_dict(self):
        """The tensors that the graph reads and writes, by the keys that its text uses."""
        keys = state_keys(self)
        return {keys[v]: state.tensor for v, state in self.states.items()}

    def save(self, f):
        """Saves the graph with its tensors, in the format of `wengert.save`; `wengert.graph.load` reads it.

        Args:
            f: a path, or a binary file object.
        """
        from ..serialization import save

        self.verify()
        save({"kind": KIND, "version": VERSION, "text": self.to_text(), "states": self.state_dict()}, f)

    @staticmethod
    def load(f):
        """The graph that `save` wrote, as `wengert.graph.load`."""
        return load(f)


def load(f):
    """Loads a graph that `Graph.save` wrote. No code of the file is run.

    Args:
        f: a path, or a binary file object.

    Returns:
        The graph, verified, with tensors of its own.

    Raises:
        FormatError: the file is cut off, altered, or holds no graph, or one that is not legal (a cycle, for example).
        OSError: the file cannot be read.

    Example:
        >>> import io, wengert
        >>> g = wengert.Graph("double")
        >>> g.output(g.input("x", shape=(3,)) * 2)
        >>> file = io.BytesIO()
        >>> g.save(file)
        >>> _ = file.seek(0)
        >>> wengert.graph.load(file).run(wengert.ones(3))
        tensor([2., 2., 2.])
    """
    from ..serialization import FormatError
    from ..serialization import load as load_state
    from ._graph import Graph

    state = load_state(f)
    if not isinstance(state, dict) or state.get("kind") != KIND:
        raise FormatError("load: expected a saved graph, got another state. Use wengert.load().")
    if state.get("version") != VERSION:
        raise FormatError(f"load: expected version {VERSION} of graphs, got {state.get('version')!r}.")
    states = state.get("states")
    if not isinstance(states, dict) or not all(isinstance(t, _core.Tensor) for t in states.values()):
        raise FormatError("load: expected tensors as the states of a graph, got others. The file is altered.")
    try:
        return Graph.parse(state.get("text"), states)
    except (GraphError, ParseError, TypeError, ValueError, KeyError, IndexError) as error:
        raise FormatError(f"load: expected a legal graph, got one that is not: {error}") from error
