"""Replacing a recognised expression by one op, together with its gradients where the graph has them.

Note [Gradients of a pattern]. What a pattern's backward pass looks like is not written down: its nodes are differentiated
by the rules of the op table, as the recording did, and each node that this gives is looked up in the graph. Where all
are found, the contributions to the gradients of the pattern's inputs are replaced by the gradients of the new op. Where
something else reads a value inside of the pattern, it stays as it is.
"""

from collections import Counter

from .._gradients import Walk
from .._graph import Graph
from .._needed import needed
from ._rewrite import substituted, with_nodes
from ._view import Expected, View

_ROUNDS = 50  # patterns that share gradients are replaced one in each round


class Match:
    """An expression that one op computes.

    Attributes:
        result: the value that it gives.
        inputs: the values that it is made from and that may ask for gradients.
        nodes: the nodes that it consists of.
        build: a function of (apply, inputs) that appends what replaces it and returns the value of the result.
        cuts: sets of values that gradients may stop at; what `detach` did leaves no trace in a recording.
    """

    __slots__ = ("build", "cuts", "inputs", "nodes", "result")

    def __init__(self, result, inputs, nodes, build, cuts=(frozenset(),)):
        self.result = result
        self.inputs = list(dict.fromkeys(inputs))
        self.nodes = list({id(n): n for n in nodes}.values())
        self.build = build
        self.cuts = cuts


class _Contributions(Walk):
    """A reverse walk that keeps what flows to some values apart."""

    def __init__(self, graph, ends, nodes, cut):
        super().__init__(graph, ends, nodes)
        self.depends -= cut
        self.ends = {v: [] for v in ends}

    def append(self, op, inputs, attrs, node):
        # What is found are nodes of the graph, which stay as they are.
        return self.graph.apply(op, inputs, attrs).results

    def add(self, value, gradient, node):
        super().add(value, gradient, node)
        if value in self.ends:
            self.ends[value].append(self.grads.pop(value))


def fused(name, anchors, needs, match):
    """A pass that replaces what `match(view, node)` yields for nodes of the ops `anchors`: Matches, the best first.

    It has work only in graphs with all of the ops `needs`.
    """

    def one(graph, view=None):
        count = 0
        for _ in range(_ROUNDS):
            edit = Edit(graph, view)
            view = None
            for node in graph.nodes:
                if node.op in anchors:
                    edit.first_of(match(edit.view, node))
            count += edit.count
            if edit.count:
                graph = edit.graph()
            if not edit.deferred or not edit.count:
                break
        return graph, count

    one.__name__ = name
    one.rounds = True
    one.wanted = frozenset(needs).issubset
    return one


class Edit:
    """Replacements in a graph, none of which touches what another one does."""

    def __init__(self, graph, view=None):
        self.given, self.view = graph, view or View(graph)
        self.made = Graph(graph.name)  # new values are numbered behind the old ones
        self.made.shapes, self.made.dtypes = list(graph.shapes), list(graph.dtypes)
        self.before = {}  # id of a node -> new nodes to stand before it
        self.gone = set()  # ids of nodes that are left out
        self.replaced = {}  # value -> the value that is read instead
        self.touched = set()
        self.count, self.deferred = 0, False

    def graph(self):
        """The graph with all replacements."""
        nodes = []
        for node in self.given.nodes:
            nodes += [substituted(n, self.replaced) for n in self.before.get(id(node), ())]
            if id(node) not in self.gone:
                nodes.append(substituted(node, self.replaced))
        new = with_nodes(self.given, nodes, self.replaced)
        new.shapes, new.dtypes = self.made.shapes, self.made.dtypes
        new.nodes = needed(new)  # what is left over would read values inside of the next pattern
        return new

    def first_of(self, matches):
        """Replaces the first of some matches that can be."""
        for match in matches:
            match.nodes.sort(key=lambda n: self.view.place[id(n)])
            for cut in match.cuts:
                gradients = self._gradients(match, cut)
                if self._replace(match, gradients):
                    self.count += 1
                    return

    # ---- finding gradients -----------------------------------------------------------------------------------

    def _gradients(self, match, cut):
        """(gradient of the result, contributions by input, nodes) as they are in the graph; None where it has none."""
        view = self.view
        inside = {v for node in match.nodes for v in node.results} | set(match.inputs)
        imagined = Expected(view)
        start = imagined.value(view.shapes[match.result], view.dtypes[match.result])
        self._walk(imagined, match, start, cut)
        tried = set()
        for call in imagined.calls:
            for v in inside.intersection(v for v in call.inputs if type(v) is int):
                for node in view.readers.get(v, ()):
                    bound = {}
                    if not imagined.matches(call, node, bound) or bound.get(start) in tried:
                        continue
                    tried.add(bound.get(start))
                    found = self._check(match, bound.get(start), cut)
                    if found is not None:
                        return found
        return None

    def _walk(self, graph, match, gradient, cut):
        ends = [v for v in match.inputs if self.view.dtypes[v].is_floating_point]
        walk = _Contributions(graph, ends, match.nodes, cut)
        walk.add(match.result, gradient, None)
        walk.run()
        return walk.ends

    def _check(self, match, gradient, cut):
        """What is found where the gradient of the result is a value of the graph."""
        if gradient is None:
            return None
        real = Expected(self.view)
        ends = self._walk(real, match, gradient, cut)
        ends = {v: parts for v, parts in ends.items() if parts and all(p < len(self.view.shapes) for p in parts)}
        return (gradient, ends, list(real.found.values())) if ends else None

    # ---- replacing -------------------------------------------------------------------------------------------

    def _replace(self, match, gradients):
        view = self.view
        gradient, ends, back = gradients or (None, {}, [])
        sums = {v: self._sum(parts, gradient, back) for v, parts in ends.items()}
        if any(s is None for s in sums.values()) or len({s.result for s in sums.values()}) < len(sums):
            return False
        used = [*match.nodes, *back, *[node for s in sums.values() for node in s.nodes]]
        if not self._dies(match, back, sums):
            return False
        if not self.touched.isdisjoint(map(id, used)):
            self.deferred = True
            return False
        last = view.maker[match.result]
        start = len(self.made.shapes)
        forward = self._emit(last, lambda apply: match.build(apply, match.inputs), match.result)
        if forward is None:
            del self.made.shapes[start:], self.made.dtypes[start:]
            return False
        if sums:
            self._emit_gradients(forward, gradient, sums, back)
        self.gone.add(id(last))
        self.before.setdefault(id(last), []).extend(forward)
        self.touched.update(map(id, used))
        return True

    def _emit(self, like, build, result):
        """The new nodes; the value that they give takes the number of an old one."""
        self.made.nodes = []

        def apply(op, inputs, attrs=()):
            return self.made.apply(op, inputs, attrs, like.scope, like.line).results[0]

        value = build(apply)
        shapes, dtypes = self.made.shapes, self.made.dtypes
        if shapes[value] != shapes[result] or dtypes[value] != dtypes[result]:
            return None
        nodes = []
        for node in self.made.nodes:
            results = tuple([result if v == value else v for v in node.results])
            nodes.append(node.rewritten(results=results, gradient_of=like.gradient_of))
        return nodes

    def _emit_gradients(self, forward, gradient, sums, back):
        self.made.nodes = []
        walk = Walk(self.made, list(sums), forward)
        walk.add(forward[-1].results[0], gradient, None)
        walk.run()
        first = min((n for n in back if gradient in n.values), key=lambda n: self.view.place[id(n)])
        self.before.setdefault(id(first), []).extend(self.made.nodes)
        for v, s in sums.items():
            self.made.nodes = []
            total = None
            for term in s.terms:
                value = walk.grads[v] if term is None else term
                total = value if total is None else self.made.apply("add", [total, value]).results[0]
            if s.nodes:
                self.before.setdefault(id(s.nodes[0]), []).extend(self.made.nodes)
            self.replaced[s.result] = total

    def _sum(self, parts, gradient, back):
        """Where the contributions to one gradient are added up; None where they are not found together."""
        view = self.view
        made = [p for p in parts if p != gradient and view.maker.get(p) in back]
        if not made:
            return None
        value = max(made, key=lambda p: view.place[id(view.maker[p])])
        if len(parts) == 1:
            return _Sum(value, [None], [])
        wanted = Counter(parts)
        while True:
            readers = view.readers.get(value, ())
            if len(readers) != 1 or readers[0].op != "add" or value in view.roots:
                return None
            top = readers[0]
            value = top.results[0]
            nodes, terms = [], []
            self._flatten(top, nodes, terms)
            if not wanted - Counter(terms):
                break
        kept, first = [], True
        for term in terms:
            if wanted[term] > 0:
                wanted[term] -= 1
                kept += [None] if first else []
                first = False
            else:
                kept.append(term)
        return _Sum(value, kept, nodes)

    def _flatten(self, top, nodes, terms):
        """The terms of a tree of sums, and its nodes, the top first."""
        view = self.view
        todo = [(top, True)]
        while todo:
            node, expand = todo.pop()
            if not expand:
                terms.append(node)
                continue
            nodes.append(node)
            for v in reversed(node.inputs):
                inner = view.made(v, "add") if type(v) is int else None
                alone = inner is not None and len(view.readers[v]) == 1 and v not in view.roots
                todo.append(
                    (inner, True) if alone and view.shapes[v] == view.shapes[top.results[0]] else (v, False)
                )

    def _dies(self, match, back, sums):
        """Whether nothing reads a value inside of the pattern once it is replaced."""
        view = self.view
        mine = {id(n) for n in match.nodes} | {id(n) for n in back}
        ended = {s.result for s in sums.values() if not s.nodes}
        tops = {id(n) for s in sums.values() for n in s.nodes}
        alive = set()
        for node in sorted({id(n): n for n in (*match.nodes, *back)}.values(), key=lambda n: -view.place[id(n)]):
            for v in node.results:
                if v == match.result or v in ended:
                    continue
                readers = [n for n in view.readers.get(v, ()) if id(n) not in tops]
                if v in view.roots or any(id(n) not in mine or id(n) in alive for n in readers):
                    alive.add(id(node))
        last = id(view.maker[match.result])
        return not any(id(n) in alive for n in match.nodes if id(n) != last)


class _Sum:
    """A gradient as it is added up: `terms` (None: what the pattern contributes), `nodes` that add, the top first."""

    __slots__ = ("nodes", "result", "terms")

    def __init__(self, result, terms, nodes):
        self.result, self.terms, self.nodes = result, terms, nodes
