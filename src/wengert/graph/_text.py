"""Graphs as text that is read back to the same graph.

    graph "step" sizes [B]
    %0 = input "x": float32[B, 4]
    %1 = parameter "w" @"w": float32[4, 2]
    %2 = matmul(%0, %1): float32[B, 2] at "model.py:7" in ["encoder"]
    output "y" = %2
    end

Strings are JSON strings, sizes by name stand in angle brackets where they are attributes, `_` is an absent operand. `back`
names the value of the forward node whose gradient rule a node is part of.
States are references to tensors by key (`Graph.state_dict`). An operation's own sub-graphs follow it in braces.
"""

import json
import re

from .._dtypes import DTYPES
from ._symbols import Dim, Guard, Ratio, is_size
from ._updates import from_description

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<value>%\d+)|(?P<size><[^<>\n]*>)|(?P<number>-?(?:inf\b|nan\b|\d+(?:\.\d*)?"""
    r"""(?:[eE][+-]?\d+)?))|(?P<name>[A-Za-z_][A-Za-z_0-9]*)|(?P<mark>[\[\]{}(),:=@]))"""
)
_NAMES = {d.name: d for d in DTYPES.values()}
_COMPARISONS = {"==": "equals", "<": "below", "<=": "upto"}
MAX_DEPTH = 64  # of sub-graphs inside sub-graphs


class ParseError(ValueError):
    """A text that is no graph; the message gives the line."""


# ---- writing ---------------------------------------------------------------------------------------------------------


def literal(v):
    """A value of an attribute, or of the structure of results, as text."""
    if v is None:
        return "none"
    if v is True or v is False:
        return "true" if v else "false"
    if isinstance(v, (Dim, Ratio)):
        return f"<{v!r}>"
    if isinstance(v, (int, float)):
        return repr(v)
    if isinstance(v, str):
        return json.dumps(v)
    if isinstance(v, list):
        return "[" + ", ".join(map(literal, v)) + "]"
    if isinstance(v, tuple):
        return "(" + ", ".join(map(literal, v)) + ("," if len(v) == 1 else "") + ")"
    if isinstance(v, dict):
        return "{" + ", ".join(f"{literal(k)}: {literal(x)}" for k, x in v.items()) + "}"
    name = getattr(v, "name", None)
    if _NAMES.get(name) is v:
        return name
    raise TypeError(f"to_text: expected numbers, strings, dtypes and sequences of them, got {type(v).__name__}.")


def spec(graph, v):
    """The dtype and shape of a value as text."""
    return f"{graph.dtypes[v].name}[{', '.join(map(repr, graph.shapes[v]))}]"


def state_keys(graph):
    """A key for each state, by number: its name, made unique."""
    keys, used = {}, set()
    leaves = {id(state.tensor): v for v, state in graph.states.items() if state.kind != "grad"}
    for v, state in graph.states.items():
        if state.kind == "grad" and id(state.tensor) in leaves:
            continue  # the gradient of a state goes by that one's key
        key = state.name or f"#{v}"
        while key in used:
            key = f"{key}#{v}"
        used.add(key)
        keys[v] = key
    return {v: keys[v] if v in keys else keys[leaves[id(state.tensor)]] for v, state in graph.states.items()}


def to_text(graph, indent=""):
    """The text of a graph."""
    lines = [f"graph {json.dumps(graph.name)}" + (f" sizes [{', '.join(graph.symbols)}]" if graph.symbols else "")]
    for guard in graph.guards:
        left, right = literal(guard.left), literal(guard.right)
        lines.append(
            f"guard {left} {_COMPARISONS[guard.op]} {right} {literal(guard.outcome)} {literal(guard.line)}"
        )
    if graph.repeats:
        lines.append("repeats")
    for v in graph.inputs:
        lines.append(f"%{v} = input {json.dumps(graph.names.get(v, ''))}: {spec(graph, v)}")
    keys = state_keys(graph)
    for v, state in graph.states.items():
        lines.append(f"%{v} = {state.kind} {json.dumps(state.name)} @{json.dumps(keys[v])}: {spec(graph, v)}")
    for node in graph.nodes:
        lines.append(_node_text(graph, node, indent))
    named = {v: n for v, n in graph.names.items() if v not in graph.inputs and v not in graph.states}
    lines += [f"name %{v} = {json.dumps(n)}" for v, n in named.items()]
    lines += [f"output {json.dumps(n)} = %{v}" for n, v in graph.outputs]
    lines += [f"write %{target} = %{v}" for target, v in graph.writes.items()]
    lines += [f"gradient %{target} = " + ("none" if v is None else f"%{v}") for target, v in graph.grads.items()]
    if graph.structure is not None:
        lines.append(f"result {literal(graph.structure)} fixed {literal(graph.fixed)}")
    lines.append("end")
    return f"\n{indent}".join(lines)


def _node_text(graph, node, indent):
    inputs = ", ".join("_" if v is None else literal(v[0]) if type(v) is tuple else f"%{v}" for v in node.inputs)
    text = f"{', '.join(f'%{v}' for v in node.results)} = {node.op}({inputs})"
    if node.attrs:
        text += " {" + ", ".join(f"{name}={literal(v)}" for name, v in node.named_attrs.items()) + "}"
    text += ": " + ", ".join(spec(graph, v) for v in node.results)
    if node.line is not None:
        text += f" at {json.dumps(node.line)}"
    if node.scope:
        text += f" in {literal(list(node.scope))}"
    if node.gradient_of is not None:
        text += f" back %{node.gradient_of}"
    if node.payload is None:
        return text
    payload = node.payload.described() if hasattr(node.payload, "described") else node.payload
    if not isinstance(payload, dict):
        raise TypeError(f"to_text: expected sub-graphs and numbers as the payload of {node.op}, got {payload!r}.")
    inner = indent + "    "
    for key, value in payload.items():
        shown = to_text(value, inner) if hasattr(value, "nodes") else literal(value)
        text += f"\n{inner}with {json.dumps(key)} = {shown}"
    return text


# ---- reading ---------------------------------------------------------------------------------------------------------


class _Reader:
    def __init__(self, text, states, make):
        self.text = text
        self.at = 0
        self.states = states
        self.make = make  # () -> an empty Graph
        self.kind = self.token = None
        self.next()

    def fail(self, expected):
        line = self.text.count("\n", 0, self.at) + 1
        got = "the end" if self.token is None else repr(self.token)
        raise ParseError(f"parse: expected {expected}, got {got} in line {line}.")

    def next(self):
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            self.kind = self.token = None
            if self.text[self.at :].strip():
                self.token = self.text[self.at :].strip()[:20]
                self.fail("a word, number or string")
            return
        self.at = found.end()
        self.kind = found.lastgroup
        self.token = found[found.lastgroup]

    def take(self, token=None, kind=None, what=None):
        """The token, which must be as said; moves on."""
        if (
            self.token is None
            or token is not None
            and self.token != token
            or kind is not None
            and self.kind != kind
        ):
            self.fail(what or (repr(token) if token else f"a {kind}"))
        found = self.token
        self.next()
        return found

    def accept(self, token):
        if self.token == token and self.kind != "string":
            self.next()
            return True
        return False

    def string(self):
        text = self.take(kind="string")
        try:
            return json.loads(text)
        except ValueError:
            raise ParseError(f"parse: expected a string, got {text}.") from None

    def value(self):
        return int(self.take(kind="value")[1:])

    def several(self, read, end):
        """Comma-separated things up to a closing mark."""
        found = []
        while not self.accept(end):
            found.append(read())
            if not self.accept(","):
                self.take(end)
                break
        return found

    def literal(self):
        kind, token = self.kind, self.token
        if kind == "string":
            return self.string()
        if kind == "size":
            self.next()
            return parse_size(token[1:-1], self.sink, self.fail)
        if kind == "number":
            self.next()
            return int(token) if re.fullmatch(r"-?\d+", token) else float(token)
        if self.accept("["):
            return self.several(self.literal, "]")
        if self.accept("("):
            return tuple(self.several(self.literal, ")"))
        if self.accept("{"):
            return dict(self.several(self.pair, "}"))
        words = {"none": None, "true": True, "false": False, "inf": float("inf"), "nan": float("nan")}
        if kind == "name" and (token in words or token in _NAMES):
            self.next()
            return words[token] if token in words else _NAMES[token]
        return self.fail("a value")

    def pair(self):
        key = self.literal()
        if not isinstance(key, (str, int)):
            self.fail("a string or a number as a key")
        self.take(":")
        return key, self.literal()

    def spec(self):
        dtype = self.take(kind="name", what="a dtype")
        if dtype not in _NAMES:
            raise ParseError(f"parse: expected a dtype, got {dtype!r}.")
        self.take("[")
        end = self.text.find("]", self.at - len(self.token or ""))
        start = self.at - len(self.token or "")
        if end < 0:
            self.fail("']'")
        inner = self.text[start:end].strip()
        self.at = end
        self.next()
        self.take("]")
        sizes = [parse_size(part, self.sink, self.fail) for part in inner.split(",")] if inner else []
        if not all(is_size(n) and n.__index__() >= 0 for n in sizes):
            raise ParseError(f"parse: expected sizes of at least 0, got [{inner}].")
        return tuple(sizes), _NAMES[dtype]

    def graph(self, depth=0):
        """A whole graph, from its first word to `end`."""
        if depth > MAX_DEPTH:
            raise ParseError(f"parse: expected sub-graphs at most {MAX_DEPTH} deep, got more.")
        self.take("graph")
        graph = self.make()
        graph.name = self.string()
        self.sink = graph.guards
        self.specs = {}
        if self.accept("sizes"):
            self.take("[")
            graph.symbols = self.several(lambda: self.take(kind="name"), "]")
        while not self.accept("end"):
            self.statement(graph, depth)
        for node in graph.nodes:
            if node.op == "update":
                node.payload = self.update(node.payload, graph)
        specs, self.specs = self.specs, {}
        blank = ((), _NAMES["bool"])
        highest = max(specs, default=-1)
        if highest > 16 * len(specs) + 1024:
            raise ParseError(f"parse: expected numbers of values without large gaps, got %{highest}.")
        for v in range(highest + 1):
            shape, dtype = specs.get(v, blank)
            graph.shapes.append(shape)
            graph.dtypes.append(dtype)
        return graph

    def update(self, found, graph):
        try:
            return from_description(found, {v: state.tensor for v, state in graph.states.items()})
        except (TypeError, ValueError) as error:
            raise ParseError(f"parse: {error}.") from None

    def statement(self, graph, depth):
        if self.kind == "value":
            return self.definition(graph, depth)
        word = self.take(kind="name", what="a statement or 'end'")
        if word == "guard":
            left = self.literal()
            words = {word: op for op, word in _COMPARISONS.items()}
            op = words.get(self.take(kind="name"))
            if op is None:
                raise ParseError(f"parse: expected a comparison among {', '.join(words)}.")
            graph.guards.append(Guard(left, op, self.literal(), bool(self.literal()), self.literal()))
        elif word == "repeats":
            graph.repeats = True
        elif word == "output":
            name = self.string()
            self.take("=")
            graph.outputs.append((name, self.value()))
        elif word == "name":
            v = self.value()
            self.take("=")
            graph.names[v] = self.string()
        elif word in ("write", "gradient"):
            target = self.value()
            self.take("=")
            if word == "gradient" and self.accept("none"):
                graph.grads[target] = None
            else:
                (graph.writes if word == "write" else graph.grads)[target] = self.value()
        elif word == "result":
            graph.structure = self.literal()
            self.take("fixed")
            graph.fixed = self.literal()
            if not isinstance(graph.fixed, dict):
                self.fail("a dict of fixed results")
        else:
            raise ParseError(f"parse: expected a statement, got {word!r}.")
        return None

    def definition(self, graph, depth):
        results = [self.value()]
        while self.accept(","):
            results.append(self.value())
        self.take("=")
        op = self.take(kind="name", what="an op")
        if self.kind == "string":
            return self.source(graph, results, op)
        self.take("(")
        inputs = self.several(self.operand, ")")
        attrs = []
        if self.accept("{"):
            attrs = self.several(self.attribute, "}")
        self.take(":")
        specs = [self.spec()]
        while self.accept(","):
            specs.append(self.spec())
        if len(specs) != len(results):
            self.fail(f"{len(results)} dtypes and shapes")
        self.define(results, specs)
        line = self.string() if self.accept("at") else None
        scope = self.literal() if self.accept("in") else []
        if not isinstance(scope, list) or not all(isinstance(part, str) for part in scope):
            self.fail("a list of strings as a scope")
        graph.nodes.append(self.node(op, inputs, attrs, results, tuple(scope), line))
        graph.nodes[-1].gradient_of = self.value() if self.accept("back") else None
        outer, sink = self.specs, self.sink
        while self.accept("with"):
            key = self.string()
            self.take("=")
            value = self.graph(depth + 1) if self.token == "graph" else self.literal()
            node = graph.nodes[-1]
            node.payload = {**(node.payload or {}), key: value}
            self.specs, self.sink = outer, sink
        return None

    def node(self, op, inputs, attrs, results, scope, line):
        from ..ops import TABLE
        from ._graph import Node

        if op == "shape":
            return Node(op, tuple(inputs), tuple(attrs), tuple(results), scope, line)
        fields = TABLE[op].fields if op in TABLE else ()
        if tuple(name for name, _ in attrs) != tuple(fields):
            raise ParseError(
                f"parse: expected attributes {tuple(fields)} of {op}, got {tuple(n for n, _ in attrs)}."
            )
        values = [tuple(v) if isinstance(v, list) else v for _, v in attrs]
        return Node(op, tuple(inputs), tuple(values), tuple(results), scope, line)

    def source(self, graph, results, kind):
        from ._graph import State

        name = self.string()
        (v,) = results
        key = self.string() if self.accept("@") else None
        self.take(":")
        self.define(results, [self.spec()])
        if name:
            graph.names[v] = name
        if kind == "input":
            graph.inputs.append(v)
            return
        if key not in self.states:
            raise ParseError(
                f"parse: expected a tensor for state {key!r}, got none. Pass states=, a dict as Graph.state_dict() gives."
            )
        graph.states[v] = State(self.states[key], name, kind)

    def define(self, results, specs):
        for v, found in zip(results, specs, strict=True):
            if v in self.specs:
                raise ParseError(f"parse: expected each value once, got %{v} twice.")
            self.specs[v] = found

    def operand(self):
        if self.kind == "value":
            return self.value()
        if self.accept("_"):
            return None
        return (self.literal(),)

    def attribute(self):
        name = self.take(kind="name")
        self.take("=")
        return name, self.literal()


_SIZE_TOKEN = re.compile(r"\s*(\d+(?:\.\d*)?(?:e[+-]?\d+)?|[A-Za-z_]\w*|[-+*/()])")


def parse_size(text, sink, fail):
    """A size by name, or a ratio of such sizes, as `repr` writes it."""
    tokens = _SIZE_TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text) or not tokens or len(tokens) > 1000:
        fail(f"a size, not {text!r}")

    def product():
        sign = 1
        while tokens and tokens[0] == "-":
            tokens.pop(0)
            sign = -sign
        total = sign
        while tokens:
            token = tokens.pop(0)
            if token == "(":
                total = total * sums()
                if not tokens or tokens.pop(0) != ")":
                    fail(f"a size, not {text!r}")
            elif token[0].isdigit():
                total = total * (int(token) if token.isdigit() else float(token))
            elif token[0].isalpha() or token[0] == "_":
                total = total * Dim.named(token, sink)
            else:
                fail(f"a size, not {text!r}")
            if tokens and tokens[0] == "*":
                tokens.pop(0)
                continue
            break
        return total

    def sums():
        total = product()
        while tokens and tokens[0] in "+-":
            if tokens[0] == "+":
                tokens.pop(0)
            total = total + product()
        if tokens and tokens[0] == "/":
            tokens.pop(0)
            return Ratio(total, sums())
        return total

    try:
        found = sums()
    except (TypeError, IndexError, RecursionError):
        fail(f"a size, not {text!r}")
    if tokens:
        fail(f"a size, not {text!r}")
    return found


def parse(text, states, make):
    """The graph of a text."""
    if not isinstance(text, str):
        raise TypeError(f"parse: expected a string, got {type(text).__name__}.")
    reader = _Reader(text, states or {}, make)
    graph = reader.graph()
    if reader.token is not None:
        reader.fail("nothing after 'end'")
    return graph
