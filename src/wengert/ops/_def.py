"""Rows of the op table: what an op is, in one place.

A row is a decorated function. Its signature says what the op takes, its body is the gradient rule, its docstring the
public documentation::

    @op("elementwise", kernel="tanh", flags="elementwise", ref="tanh", domain=(-4, 4))
    def tanh(g, x, y):
        \"\"\"Hyperbolic tangent, elementwise. ...\"\"\"
        return g * (1 - y * y)

The parameters are `g` (the gradient of the first result), the operands, the results, and after `*` the attributes,
annotated with their kind. The body is traced into a program (see _trace.py); it returns one gradient for each
operand, None where there is none. Only the standard library is imported here.
"""

from ._node_names import NODE_NAMES, VARIANTS

# Kinds of attributes, by annotation: the letters of the runtime's schema (csrc/include/wengert/op.h).
integer, boolean, real, dtype, ints, opt_integer, opt_real = "i", "b", "f", "d", "I", "j", "g"
KINDS = frozenset("ibfdIjg")


# Attributes of these names are dimensions of operand 0. vmap shifts them (func/_batching.py) unless the row says
# otherwise by `batch`: a kind of rule listed there, or "loop".
DIM_FIELDS = frozenset({"dim", "dims", "dim0", "dim1", "dim2", "dimension"})


class Required:
    """Stands for the default of an attribute that has none."""


class Row:
    """One op: plain data, made by the decorators below.

    name, forward, kernel: the op, the function of csrc/ops that runs it, the kernel that it uses.
    inputs: the operands' names in the rule; args: their public names; outputs: the results' names.
    fields, schema, defaults: the attributes' names, kinds and defaults.
    flags: elementwise, view, random, float_result, accumulates, divides, conjugates (docs/decisions/0010).
    rule, differentiable: the gradient rule, and whether it is one.
    shaped: the rule reads shapes; variadic: the op takes a list; optional: public names of operands that may be absent.
    slot: the operator that the row stands for.
    ref, domain, kinks, samples: for the tests: a NumPy reference, the interval of good inputs, where the derivative jumps.
    parts: for a row of several results that gradient rules use: rows of one result each that take the same operands and
        attributes. They stand in where the results need a history of their own (create_graph).
    composed: the same for a row whose results have no rows of their own: the package computes them from ops that have
        rules (_bind.composed), by going through the forward formula again.
    linear: the op is linear in its floating operands together (with 0 for all it gives 0), so that it is its own
        forward-mode rule; batch: its batching rule.
    draws: for a random op whose draw is not of its first operand's size: f(shapes of the operands) -> elements drawn.
    absent: places of operands that may be missing (None).
    numbers: places of operands that may be Python numbers in a call, beside a tensor; None: all may be, even all at once.
        Given by their public names, or as "alone" for None; left out, it is every place of elementwise rows of several
        operands, no place of others.
    public: published under its name; inplace: has a form `name_`.
    shown: the name by which users know the op, in errors and in grad_name, what grad_fn shows; grad_variant: what chooses
        another one for a node, or None.
    """

    batch = None
    composed = False
    domain = (-2.0, 2.0)
    draws = None
    inplace = False
    kinks = ()
    linear = False
    optional = ()
    parts = ()
    public = True
    ref = None
    samples = None
    shaped = False
    slot = None
    variadic = False

    def __init__(self, **given):
        self.__dict__ = given
        if self.batch is None and "random" not in self.flags and not DIM_FIELDS.isdisjoint(self.fields):
            self.batch = "dims"
        if "shown" not in given:
            self.shown = self.name
        if "grad_name" not in given:
            own = "".join([w.capitalize() for w in self.shown.split("_")]) + "Backward0"
            self.grad_name = NODE_NAMES.get(self.name) or NODE_NAMES.get(self.shown, own)
        self.grad_variant = VARIANTS.get(self.name)

    @property
    def doc(self):
        """The public documentation: the rule's docstring."""
        import inspect

        return inspect.getdoc(self.rule)

    @property
    def required(self):
        """What `defaults` holds for an attribute that has to be given."""
        return Required

    @property
    def elementwise(self):
        """Whether the op works element by element, with broadcasting."""
        return "elementwise" in self.flags


TABLE = {}


def op(
    forward,
    *,
    kernel="",
    flags="",
    args=None,
    outputs=1,
    differentiable=True,
    variadic=False,
    core_name=None,
    absent="",
    numbers=None,
    **more,
):
    """Makes a row of the decorated gradient rule and enters it into TABLE.

    forward names the function of csrc/ops that runs the op, kernel the kernel that it uses. flags are words:
    elementwise, view, random, float_result, accumulates, divides (an integer divisor of 0 is an error), conjugates (the
    rule says itself what is conjugated). absent are the operands that may be missing, besides those with a default.
    """

    def enter(rule):
        code = rule.__code__
        positional = code.co_varnames[: code.co_argcount]
        fields = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        kinds = [rule.__annotations__.get(f) for f in fields]
        name = core_name or rule.__name__
        if positional[:1] != ("g",) or not KINDS.issuperset(kinds):
            raise TypeError(f"op table: row {name!r} needs g first and a kind for each of its attributes {fields}")
        operands = positional[1 : len(positional) - outputs]
        public = tuple(args or ("input", "other", "third")[: len(operands)] + operands[3:])
        # Trailing parameters have the default None; the results are among them.
        with_default = len(rule.__defaults__ or ())
        if numbers is None:
            numeric = range(len(operands)) if "elementwise" in flags and len(operands) > 1 else ()
        else:
            numeric = None if numbers == "alone" else [public.index(a) for a in numbers.split()]
        may_miss = operands[len(positional) - with_default - 1 :] if with_default else ()
        row = Row(
            name=name,
            forward=forward,
            kernel=kernel or name,
            inputs=operands,
            args=public,
            outputs=positional[len(positional) - outputs :],
            fields=fields,
            schema="".join(kinds),
            defaults=tuple([(rule.__kwdefaults__ or {}).get(f, Required) for f in fields]),
            flags=tuple(flags.split()),
            rule=rule,
            differentiable=differentiable,
            variadic=variadic,
            absent=tuple([k for k, p in enumerate(operands) if p in may_miss or p in absent.split()]),
            numbers=None if numeric is None else tuple(numeric),
            optional=tuple([a for a, p in zip(public, operands, strict=False) if p in may_miss]),
            **more,
        )
        if not rule.__doc__:
            raise TypeError(f"op table: row {name!r} has no docstring")
        if name in TABLE:
            raise TypeError(f"op table: row {name!r} is there twice")
        TABLE[name] = row
        return rule

    return enter


def unary(**more):
    """A row of an elementwise op of one operand."""
    more["flags"] = "elementwise " + more.get("flags", "")
    return op("elementwise", **more)


def binary(**more):
    """A row of an elementwise op of two operands."""
    more["flags"] = "elementwise " + more.get("flags", "")
    return op("elementwise", **more)
