"""Are two graphs the same up to numbering? Found by matching from the ends backwards."""

from ._symbols import is_size, terms_of


def _same(a, b):
    """Whether two operands' numbers or attributes are the same: NaN is NaN, and 0.0 is not -0.0 nor 0."""
    if type(a) in (tuple, list) and type(b) in (tuple, list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if is_size(a) and is_size(b):
        return terms_of(a) == terms_of(b)
    return type(a) is type(b) and repr(a) == repr(b)


def _sizes(shape):
    return [terms_of(n) for n in shape]


class _Match:
    def __init__(self, a, b):
        self.a, self.b = a, b
        self.found = []
        self.pairs = {}  # value of a -> value of b
        self.ranges = {}  # of draws: (seed, offset) as a was built -> as b was
        self.made_a, self.made_b = a.producers(), b.producers()
        self.place_a = {v: f"input {k}" for k, v in enumerate(a.inputs)}
        self.place_b = {v: f"input {k}" for k, v in enumerate(b.inputs)}
        self.todo = []

    def say(self, where, mine, theirs):
        self.found.append(f"{where}: {mine} in {self.a.name!r}, {theirs} in {self.b.name!r}")

    def match(self, where, v, w):
        """Two values are to be the same; what they are made from follows."""
        if v in self.pairs:
            if self.pairs[v] != w:
                self.say(where, f"{self.a.label(v)} used again", f"another value, {self.b.label(w)}")
            return
        self.pairs[v] = w
        self.todo.append((where, v, w))

    def value(self, where, v, w):
        a, b = self.a, self.b
        if _sizes(a.shapes[v]) != _sizes(b.shapes[w]) or a.dtypes[v] != b.dtypes[w]:
            self.say(where, f"{tuple(a.shapes[v])} {a.dtypes[v]}", f"{tuple(b.shapes[w])} {b.dtypes[w]}")
        left, right = self.made_a.get(v), self.made_b.get(w)
        if left is None or right is None:
            kinds = [
                places.get(n)
                or (f"state {g.states[n].kind}" if n in g.states else made[n].op if n in made else "nothing")
                for g, places, n, made in ((a, self.place_a, v, self.made_a), (b, self.place_b, w, self.made_b))
            ]
            if kinds[0] != kinds[1]:
                self.say(where, *kinds)
            return
        if left.op != right.op or left.results.index(v) != right.results.index(w):
            self.say(where, f"{left.op} at {left.line}", f"{right.op} at {right.line}")
            return
        self.node(left, right)

    def node(self, left, right):
        where = f"{left.op} {self.a.label(left.results[0])}"
        names, attrs = list(left.named_attrs), right.attrs
        if left.random and not self.a.repeats and not self.b.repeats:
            # Each run draws anew: all that counts is which nodes draw the same numbers.
            if self.ranges.setdefault(left.attrs[-2:], attrs[-2:]) == attrs[-2:]:
                attrs = (*attrs[:-2], *left.attrs[-2:])
        for name, x, y in zip(names, left.attrs, attrs, strict=False):
            if not _same(x, y):
                self.say(f"{where}, {name}", repr(x), repr(y))
        if len(left.inputs) != len(right.inputs):
            self.say(where, f"{len(left.inputs)} operands", f"{len(right.inputs)} operands")
            return
        for k, (x, y) in enumerate(zip(left.inputs, right.inputs, strict=True)):
            if type(x) is int and type(y) is int:
                self.match(f"{where}, operand {k}", x, y)
            elif type(x) is not type(y) or not _same(x, y):
                self.say(f"{where}, operand {k}", _shown(self.a, x), _shown(self.b, y))
        self.payloads(where, left.payload, right.payload)

    def payloads(self, where, x, y):
        if hasattr(x, "described") and hasattr(y, "described"):  # updates
            x, y = x.described(), y.described()
            for v, w in zip(x.pop("states"), y.pop("states"), strict=False):
                self.match(f"{where}, a state", v, w)
        if not isinstance(x, dict) or not isinstance(y, dict):
            if x is not y and not (x is None and y is None):
                self.say(where, repr(x), repr(y))
            return
        for key in sorted({*x, *y}):
            p, q = x.get(key), y.get(key)
            if hasattr(p, "nodes") and hasattr(q, "nodes"):
                self.found += [f"{where}, {key}: {text}" for text in differences(p, q)]
            elif not _same(p, q):
                self.say(f"{where}, {key}", repr(p), repr(q))


def payload_differences(a, left, b, right):
    """What tells the payloads of two nodes apart, of graph a and of graph b."""
    m = _Match(a, b)
    m.payloads(left.op, left.payload, right.payload)
    return m.found


def _shown(graph, v):
    return graph.label(v) if type(v) is int else "nothing" if v is None else repr(v[0])


def differences(a, b):
    """Graph.differences: see there."""
    m = _Match(a, b)
    for what in ("inputs", "outputs", "writes", "grads"):
        x, y = getattr(a, what), getattr(b, what)
        if len(x) != len(y):
            m.say("graph", f"{len(x)} {what}", f"{len(y)} {what}")
    for k, (v, w) in enumerate(zip(a.inputs, b.inputs, strict=False)):
        m.match(f"input {k}", v, w)
    for k, ((n1, v), (n2, w)) in enumerate(zip(a.outputs, b.outputs, strict=False)):
        if n1 != n2:
            m.say(f"output {k}", repr(n1), repr(n2))
        m.match(f"output {k}", v, w)
    for what in ("writes", "grads"):
        for k, ((s, v), (t, w)) in enumerate(zip(getattr(a, what).items(), getattr(b, what).items(), strict=False)):
            m.match(f"{what} {k}, target", s, t)
            if v is not None and w is not None:
                m.match(f"{what} {k}", v, w)
            elif v is not w:
                m.say(f"{what} {k}", _shown(a, v), _shown(b, w))
    if repr(a.structure) != repr(b.structure) or not _same(sorted(a.fixed.items()), sorted(b.fixed.items())):
        m.say("results", f"{a.structure!r}", f"{b.structure!r}")
    if a.repeats != b.repeats:
        m.say("random numbers", *["repeated" if g.repeats else "drawn" for g in (a, b)])
    while m.todo:
        m.value(*m.todo.pop())
    dead = [
        len(g.nodes) - sum(1 for n in g.nodes if any(v in seen for v in n.results))
        for g, seen in ((a, m.pairs), (b, set(m.pairs.values())))
    ]
    if not m.found and dead[0] != dead[1]:
        m.say("graph", f"{dead[0]} unused nodes", f"{dead[1]} unused nodes")
    return m.found
