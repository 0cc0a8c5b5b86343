"""Writes a graph as a Python function."""

import dataclasses
import enum
import math
import types

import wengert
from wengert import _core

from ._names import BUILTINS, Namespace, public_name, qualified_name
from .node import Node

_ARITHMETIC = {
    "add": "+", "sub": "-", "mul": "*", "floordiv": "//", "truediv": "/", "div": "/", "mod": "%", "pow": "**",
    "lshift": "<<", "rshift": ">>", "and_": "&", "or_": "|", "xor": "^", "matmul": "@",
}  # fmt: skip
reflectable_magic_methods = {name: f"{{}} {sign} {{}}" for name, sign in _ARITHMETIC.items()} | {
    "getitem": "{}[{}]"
}
_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">="}
magic_methods = (
    {name: f"{{}} {sign} {{}}" for name, sign in _COMPARISONS.items()}
    | {"pos": "+{}", "neg": "-{}", "invert": "~{}"}
    | reflectable_magic_methods
)
# What the functions of `operator` for writes in place stand for.
inplace_methods = {
    f"i{name.rstrip('_')}": f"{{}} {sign}= {{}}" for name, sign in _ARITHMETIC.items() if name != "div"
} | {"setitem": "{}[{}] = {}"}


@dataclasses.dataclass
class PythonCode:
    """The source of a function, and the globals that it needs."""

    src: str
    globals: dict


class CodeGen:
    """Writes the function of a graph; subclasses change how arguments come in and results go out."""

    def __init__(self):
        self._body_transformer = None

    def gen_fn_def(self, free_vars, maybe_return_annotation):
        """The first line of the function.

        Args:
            free_vars: the arguments, as they stand in it.
            maybe_return_annotation: what stands before the colon, or nothing.
        """
        if not free_vars or free_vars[0] != "self":
            free_vars.insert(0, "self")
        return f"def forward({', '.join(free_vars)}){maybe_return_annotation}:"

    def generate_output(self, output_args):
        """The line that returns.

        Args:
            output_args: what is returned, as text or nodes.
        """
        return f"return {output_args}"

    def process_inputs(self, *args):
        """The arguments as the nodes take them, for interpreters."""
        return args

    def process_outputs(self, outputs):
        """The result as the caller gets it, for interpreters."""
        return outputs

    def additional_globals(self):
        """More globals for the function, as pairs of names and values."""
        return []

    def _gen_python_code(self, nodes, root_module, verbose=False):
        writer = _Writer(self, list(nodes), root_module)
        body = []
        for node in writer.nodes:
            if verbose and node.stack_trace:
                body += [f"# {line}\n" for line in node.stack_trace.strip().splitlines()[:1]]
            body += [writer.line(node), writer.end_of_line(node)]
        body = [part for part in body if part] or ["pass\n"]
        if self._body_transformer is not None:
            body = self._body_transformer(body)
        wrapped = "\n".join(f'{_core.shown_name()}.fx._symbolic_trace.wrap("{name}")' for name in writer.wrapped)
        head = self.gen_fn_def(writer.arguments, writer.returns)
        text = "".join(body)
        code = "\n".join("    " + line for line in text.split("\n"))
        return PythonCode(f"\n{wrapped}\n\n{head}\n{code}", writer.globals)


def _last_uses(nodes):
    """For each node, those whose results are not used behind it, in the order of its arguments."""
    last, found = set(), {}
    for node in reversed(nodes):
        for argument in node.all_input_nodes:
            if argument not in last:
                last.add(argument)
                found.setdefault(node, []).append(argument)
    return found


class _Writer:
    """The lines of one function: names of nodes, globals, and what is given up where."""

    def __init__(self, codegen, nodes, root_module):
        self.codegen, self.nodes, self.root = codegen, nodes, root_module
        self.arguments, self.returns, self.wrapped, self.globals = [], "", {}, {}
        self.reached = {}  # the identity of a function or class -> its name in the globals
        self.last_uses = _last_uses(nodes)
        self.namespace = Namespace()
        self.namespace.create_name(root_module, self)
        self.names = {node: self.namespace.create_name(node.name, node) for node in nodes}
        for name, value in (*BUILTINS.items(), *codegen.additional_globals()):
            self.globals[name] = value
        self.globals[_core.shown_name()] = wengert

    # ---- names and values

    def reach(self, value):
        """The expression that gives a function, class or module; its name becomes a global where the package has none."""
        public = public_name(value)
        if public is not None:
            return public
        shown = "NoneType" if value is type(None) else qualified_name(value)
        if self.globals.get(shown) is value:
            return shown
        if id(value) not in self.reached:
            self.reached[id(value)] = self.namespace.create_name(shown.replace(".", "_"), value)
            self.globals[self.reached[id(value)]] = value
        return self.reached[id(value)]

    def attribute(self, target):
        """The expression for a dotted name of the owner."""
        text = self.root
        for atom in target.split("."):
            text = f"{text}.{atom}" if atom.isidentifier() else f'getattr({text}, "{atom}")'
        return text

    def value(self, arg):
        """The expression for an argument."""
        if isinstance(arg, Node):
            return self.names[arg]
        if isinstance(arg, tuple):
            parts = [self.value(v) for v in arg]
            if hasattr(arg, "_fields"):
                return f"{self.reach(type(arg))}({', '.join(parts)})"
            return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"
        if isinstance(arg, list):
            return f"[{', '.join(map(self.value, arg))}]"
        if isinstance(arg, dict):
            return "{" + ", ".join(f"{k!r}: {self.value(v)}" for k, v in arg.items()) + "}"
        if isinstance(arg, slice):
            return f"slice({self.value(arg.start)}, {self.value(arg.stop)}, {self.value(arg.step)})"
        if isinstance(arg, complex) and not (math.isfinite(arg.real) and math.isfinite(arg.imag)):
            return f"complex({arg.real!r}, {arg.imag!r})"
        if isinstance(arg, enum.Enum):
            return f"{self.reach(type(arg))}.{arg.name}"
        if isinstance(arg, (type, types.ModuleType)) or callable(arg) and hasattr(arg, "__name__"):
            return self.reach(arg)
        if isinstance(arg, (wengert.dtype, wengert.layout, wengert.memory_format)):
            return f"{_core.shown_name()}.{str(arg).rpartition('.')[2]}"
        return repr(arg)

    def annotation(self, kind):
        """What stands behind a name of that type."""
        return "" if kind is None else f" : {self.type(kind)}"

    def type(self, kind):
        """The expression for a type; those with parameters become globals."""
        if isinstance(kind, str):
            return kind
        if isinstance(kind, type) and not hasattr(kind, "__args__"):
            return self.reach(kind)
        name = self.namespace.create_name(repr(kind), kind)
        self.globals[name] = kind
        return name

    def call(self, args, kwargs):
        """Arguments between the parentheses of a call."""
        return ", ".join([*map(self.value, args), *(f"{k} = {self.value(v)}" for k, v in kwargs.items())])

    # ---- lines

    def line(self, node):
        """The line of a node, without its end."""
        return getattr(self, f"_{node.op}")(node)

    def end_of_line(self, node):
        """What ends a line: values whose last use it was are given up, so that their memory is free."""
        if node.op == "placeholder":
            return ""
        if node.op == "output":
            return "\n"
        over = list(self.last_uses.get(node, ())) + ([node] if not node.users else [])
        return f";  {' = '.join([*(self.names[n] for n in over), 'None'])}\n" if over else "\n"

    def _placeholder(self, node):
        default = f" = {self.value(node.args[0])}" if node.args else ""
        self.arguments.append(f"{node.target}{self.annotation(node.type)}{default}")
        plain = node.target.replace("*", "")
        return f"{self.names[node]} = {plain}\n" if plain != self.names[node] else ""

    def _call_method(self, node):
        owner = self.value(node.args[0])
        return f"{self._left(node)} = {owner}.{node.target}({self.call(node.args[1:], node.kwargs)})"

    def _call_module(self, node):
        return f"{self._left(node)} = {self.attribute(node.target)}({self.call(node.args, node.kwargs)})"

    def _get_attr(self, node):
        return f"{self._left(node)} = {self.attribute(node.target)}"

    def _output(self, node):
        if node.type is not None:
            self.returns = f" -> {self.type(node.type)}"
        return self.codegen.generate_output(self.value(node.args[0]))

    def _left(self, node):
        return f"{self.names[node]}{self.annotation(node.type)}"

    def _call_function(self, node):
        target, name = node.target, getattr(node.target, "__name__", "")
        if getattr(target, "__module__", "") == "_operator":
            for patterns, write in ((magic_methods, self._operator), (inplace_methods, self._inplace)):
                if name in patterns and len(node.args) == patterns[name].count("{}") and not node.kwargs:
                    return write(node, patterns[name])
        if (
            target is getattr
            and len(node.args) == 2
            and isinstance(node.args[1], str)
            and node.args[1].isidentifier()
        ):
            return f"{self._left(node)} = {self.value(node.args[0])}.{node.args[1]}"
        reached = self.reach(target)
        if node.meta.get("is_wrapped"):
            self.wrapped[reached] = None
        return f"{self._left(node)} = {reached}({self.call(node.args, node.kwargs)})"

    def _operator(self, node, pattern):
        return f"{self._left(node)} = {pattern.format(*map(self.value, node.args))}"

    def _inplace(self, node, pattern):
        return f"{pattern.format(*map(self.value, node.args))};  {self._left(node)} = {self.value(node.args[0])}"
