"""Tracing a gradient rule: symbolic operands in, a straight-line program out.

The rule's body runs once on Symbols; each operation on them appends an instruction. Attributes of the op arrive as
Fields that may only be handed on; a rule that computes with them raises NeedsConcrete and is traced again for each
set of attributes. What the rule touches decides what the node saves: values, or only shapes (operands named `like`).
"""

from ._def import TABLE


class NeedsConcrete(Exception):
    """The rule computes with an attribute: trace it with the attribute's value."""


def _refuse(self, *args, **kwargs):
    raise NeedsConcrete


class Field:
    """An attribute that is handed on as it is."""

    def __init__(self, index):
        self.index = index


for _name in (
    "__add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __truediv__ __rtruediv__ __neg__ __pow__ __len__ __iter__ "
    "__getitem__ __bool__ __int__ __float__ __index__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __contains__"
).split():
    setattr(Field, _name, _refuse)
Field.__hash__ = object.__hash__


class Symbol:
    """A register of the program being traced. Operators and methods append instructions."""

    __slots__ = ("_shape", "place", "trace")

    def __init__(self, trace, place, shape=None):
        self.trace = trace
        self.place = place
        self._shape = shape

    @property
    def shape(self):
        """The operand's sizes; only for rows with shaped=True."""
        if self._shape is None:
            raise TypeError("op table: a rule reads a shape, but its row does not say shaped=True")
        return self._shape

    def __add__(self, other):
        return self.trace.emit("add", self, other)

    def __radd__(self, other):
        return self.trace.emit("add", other, self)

    def __sub__(self, other):
        return self.trace.emit("sub", self, other)

    def __rsub__(self, other):
        return self.trace.emit("sub", other, self)

    def __mul__(self, other):
        return self.trace.emit("mul", self, other)

    def __rmul__(self, other):
        return self.trace.emit("mul", other, self)

    def __truediv__(self, other):
        return self.trace.emit("div", self, other)

    def __rtruediv__(self, other):
        return self.trace.emit("div", other, self)

    def __pow__(self, other):
        return self.trace.emit("pow", self, other)

    def __neg__(self):
        return self.trace.emit("neg", self)

    def __matmul__(self, other):
        return self.trace.emit("matmul", self, other)

    def __lt__(self, other):
        return self.trace.emit("lt", self, other)

    def __le__(self, other):
        return self.trace.emit("le", self, other)

    def __gt__(self, other):
        return self.trace.emit("gt", self, other)

    def __ge__(self, other):
        return self.trace.emit("ge", self, other)

    def equals(self, other):
        """Elementwise ==."""
        return self.trace.emit("eq", self, other)

    @property
    def T(self):
        """The last two dimensions swapped."""
        return self.trace.emit("transpose", self, -2, -1)

    def __getattr__(self, name):
        if name.startswith("__") or name not in TABLE:
            raise AttributeError(f"op table: a rule uses the op {name!r}, which is no row")

        def call(*args, **attrs):
            return self.trace.emit(name, self, *args, **attrs)

        return call


class Traced:
    """A traced rule: plain data for the core (src/wengert/core/table.pxi: build_program)."""

    __slots__ = ("code", "constants", "fixed", "given", "nregs", "results", "saves")


class _Trace:
    def __init__(self):
        self.code = []  # (op name, operands, first result, attributes)
        self.constants = []
        self.next = 0

    def emit(self, name, *args, **attrs):
        row = TABLE[name]
        count = len(args) if row.variadic else len(row.inputs)
        operands = list(args[:count])
        values = list(args[count:])
        for field, default in list(zip(row.fields, row.defaults, strict=True))[len(values) :]:
            values.append(attrs.pop(field) if field in attrs else default)
        if attrs:
            raise TypeError(f"op table: a rule calls {name} with unknown attributes {sorted(attrs)}")
        places = []
        for v in operands:
            if isinstance(v, Symbol):
                places.append(v.place)
            elif v is None:
                places.append(None)
            elif isinstance(v, Field):
                raise NeedsConcrete
            else:
                # Static graphs trace with sizes by name, which are evaluated when the graph runs.
                places.append(("constant", v if getattr(v, "terms", None) else float(v)))
        first = ("result", len(self.code), 0)
        self.code.append((name, places, [self._attr(v) for v in values]))
        if len(row.outputs) == 1:
            return Symbol(self, first)
        return tuple(Symbol(self, ("result", len(self.code) - 1, k)) for k in range(len(row.outputs)))

    @staticmethod
    def _attr(value):
        if isinstance(value, Field):
            return ("field", value.index)
        if isinstance(value, (list, tuple)) and any(isinstance(v, Field) for v in value):
            raise NeedsConcrete
        return ("value", value)


def trace_rule(row, mask, attrs, shapes, nin, absent):
    """The program of row's rule for the operands in `mask` (-1: all).

    attrs are the attribute values, shapes the operands' (for shaped rows), nin the number of operands, absent the
    places of optional operands that were not given.
    """
    if row.fields and not row.shaped:
        try:
            return _trace(row, mask, [Field(k) for k in range(len(row.fields))], shapes, nin, absent, True)
        except NeedsConcrete:
            pass
    return _trace(row, mask, list(attrs), shapes, nin, absent, not row.fields and not row.shaped)


def _trace(row, mask, attrs, shapes, nin, absent, fixed):
    trace = _Trace()
    nout = len(row.outputs)
    g = Symbol(trace, ("given", 0))
    operands = [
        None if k in absent else Symbol(trace, ("given", 1 + k), shapes[k] if shapes else None) for k in range(nin)
    ]
    results = [Symbol(trace, ("given", 1 + nin + k)) for k in range(nout)]
    given_attrs = dict(zip(row.fields, attrs, strict=True))
    if row.variadic:
        out = row.rule(g, operands, *results, **given_attrs)
    else:
        out = row.rule(g, *operands, *results, **given_attrs)
    out = list(out) if isinstance(out, (tuple, list)) else [out]
    if len(out) != nin:
        raise TypeError(f"op table: the rule of {row.name!r} returns {len(out)} gradients for {nin} operands")
    if mask >= 0:
        out = [v if mask >> k & 1 else None for k, v in enumerate(out)]
    return _assemble(row, trace, out, 1 + nin + nout, nin, fixed)


def _assemble(row, trace, out, given, nin, fixed):
    """Drops what no result needs, numbers the registers, and finds what has to be saved."""
    needed = set()
    todo = [v.place[1] for v in out if v is not None and v.place[0] == "result"]
    while todo:
        k = todo.pop()
        if k in needed:
            continue
        needed.add(k)
        todo.extend(p[1] for p in trace.code[k][1] if p is not None and p[0] == "result")
    constants = []
    registers = {}
    for k in sorted(needed):
        for p in trace.code[k][1]:
            if p is not None and p[0] == "constant" and p not in registers:
                registers[p] = given + len(constants)
                constants.append(p[1])
    place = given + len(constants)
    for k in sorted(needed):
        for j in range(len(TABLE[trace.code[k][0]].outputs)):
            registers["result", k, j] = place
            place += 1

    def register(p):
        if p is None:
            return -1
        return p[1] if p[0] == "given" else registers[p]

    by_value, by_shape = set(), set()
    code = []
    for k in sorted(needed):
        name, places, attrs = trace.code[k]
        inputs = TABLE[name].inputs
        for j, p in enumerate(places):
            if p is not None and p[0] == "given" and p[1] > 0:
                is_like = not TABLE[name].variadic and inputs[j] == "like"
                (by_shape if is_like else by_value).add(p[1])
        code.append((name, [register(p) for p in places], registers["result", k, 0], _attrs(row, name, attrs)))
    for v in out:
        if v is not None and v.place[0] == "given" and v.place[1] > 0:
            by_value.add(v.place[1])
    traced = Traced()
    traced.given = given
    traced.constants = constants
    traced.nregs = place
    traced.code = code
    traced.results = [-1 if v is None else register(v.place) for v in out]
    traced.saves = [(r - 1, r, r not in by_value) for r in sorted(by_value | by_shape)]
    traced.fixed = fixed
    return traced


def _attrs(row, name, attrs):
    if not attrs:
        return None
    handed_on = [kind == "field" and value == k for k, (kind, value) in enumerate(attrs)]
    if all(handed_on) and len(attrs) == len(row.fields) and TABLE[name].schema == row.schema:
        return "inherit"
    return attrs
