"""The names of `torch.fx` that packages import: nothing is traced symbolically here."""

from wengert._missing import explain
from wengert.nn import Module

from .absent import stand_in, stand_in_class

__getattr__ = explain(__name__)
_INSTEAD = "wengert.compile captures programs, graph.trace gives their graphs"


def wrap(fn_or_name):
    """Return a function or a name as it is: it marks what a symbolic trace takes as one node."""
    return fn_or_name


def has_proxies(value):
    """Whether a value stands in a symbolic trace: never."""
    return False


class GraphModule(Module):
    """What symbolic traces are instances of: nothing is."""

    stands_in = True

    def __init__(self, *args, **kwargs):
        stand_in("fx.GraphModule", _INSTEAD)()


symbolic_trace = stand_in("fx.symbolic_trace", _INSTEAD)
replace_pattern = stand_in("fx.replace_pattern", _INSTEAD)
Tracer, Graph, Node, Proxy, Interpreter, Transformer = (
    stand_in_class(f"fx.{name}", _INSTEAD)
    for name in ("Tracer", "Graph", "Node", "Proxy", "Interpreter", "Transformer")
)
