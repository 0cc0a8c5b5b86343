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

import inspect
from dataclasses import dataclass, field

# Kinds of attributes, by annotation: the letters of the runtime's schema (csrc/include/wengert/op.h).
integer, boolean, real, dtype, ints, opt_integer, opt_real = "i", "b", "f", "d", "I", "j", "g"


class Required:
    """Stands for the default of an attribute that has none."""


@dataclass(slots=True)
class Row:
    """One op. `args` are the public names of the operands; `inputs` the names that the rule uses."""

    name: str
    forward: str
    kernel: str
    inputs: tuple
    args: tuple
    outputs: tuple
    fields: tuple
    schema: str
    defaults: tuple
    flags: tuple
    rule: object
    doc: str
    differentiable: bool
    shaped: bool = False
    variadic: bool = False
    optional: tuple = ()
    slot: str | None = None
    ref: object = None
    domain: tuple = (-2.0, 2.0)
    kinks: tuple = ()
    linear: bool = False
    batch: str | None = None
    samples: object = None
    public: bool = True
    inplace: bool = False
    grad_name: str = field(default="")

    def __post_init__(self):
        if not self.grad_name:
            self.grad_name = "".join(part.capitalize() for part in self.name.split("_")) + "Backward0"

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
    **more,
):
    """Makes a row of the decorated gradient rule and enters it into TABLE.

    forward names the function of csrc/ops that runs the op, kernel the kernel that it uses. flags are words:
    elementwise, view, random, float_result, accumulates.
    """

    def enter(rule):
        parameters = inspect.signature(rule).parameters.values()
        positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        attributes = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
        name = core_name or rule.__name__.rstrip("_") if rule.__name__ != "_" else core_name
        operands = positional[1 : len(positional) - outputs]
        bad = [p.name for p in attributes if p.annotation not in ("i", "b", "f", "d", "I", "j", "g")]
        if bad or not positional or positional[0].name != "g":
            raise TypeError(f"op table: row {name!r} has attributes without a kind: {bad}, or no parameter g")
        default_args = ("input", "other", "third")[: len(operands)]
        row = Row(
            name=name,
            forward=forward,
            kernel=kernel or name,
            inputs=tuple(p.name for p in operands),
            args=tuple(args or default_args),
            outputs=tuple(p.name for p in positional[len(positional) - outputs :]),
            fields=tuple(p.name for p in attributes),
            schema="".join(p.annotation for p in attributes),
            defaults=tuple(Required if p.default is p.empty else p.default for p in attributes),
            flags=tuple(flags.split()),
            rule=rule,
            doc=inspect.getdoc(rule) or "",
            differentiable=differentiable,
            variadic=variadic,
            optional=tuple(a for a, p in zip(args or default_args, operands, strict=False) if p.default is None),
            **more,
        )
        if not row.doc:
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
