"""Programs as graphs of calls, which Python code can edit and write out again: torch.fx.

`symbolic_trace` records a module, `Graph` holds its calls, `GraphModule` runs them, `Interpreter` goes through them. The
graphs of `wengert.graph` are another thing: they hold operations with their shapes, of whatever a program ran.
"""

from wengert._missing import explain

from . import passes, subgraph_rewriter  # noqa: F401  (modules that programs reach as attributes)
from ._symbolic_trace import PH, Tracer, symbolic_trace, wrap
from .graph import CodeGen, Graph
from .graph_module import GraphModule
from .interpreter import Interpreter, Transformer
from .node import Node, has_side_effect, map_arg
from .proxy import Proxy
from .subgraph_rewriter import replace_pattern

__getattr__ = explain(__name__)
__all__ = [
    "PH",
    "CodeGen",
    "Graph",
    "GraphModule",
    "Interpreter",
    "Node",
    "Proxy",
    "Tracer",
    "Transformer",
    "has_side_effect",
    "map_arg",
    "replace_pattern",
    "symbolic_trace",
    "wrap",
]
