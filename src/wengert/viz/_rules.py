"""What the op table says of an op: the text of its gradient rule, what the rule reads, where gradients flow."""

import ast
import functools
import inspect
import textwrap

from ..ops import TABLE
from ..ops._trace import trace_rule


@functools.cache
def rule_text(op):
    """The gradient rule of an op as text, a line for each operand, such as "grad input = g * other".

    g is the gradient of the (first) result. Operands have their public names. A rule of several statements is given
    as they stand; an op without a rule gives "".

    Example:
        >>> from wengert.viz._rules import rule_text
        >>> print(rule_text("mul"))
        grad input = g * other
        grad other = g * input
    """
    row = TABLE.get(op)
    if row is None or not row.differentiable:
        return ""
    tree = ast.parse(textwrap.dedent(inspect.getsource(row.rule))).body[0]
    body = tree.body[1:]  # without the docstring
    names = dict(zip(row.inputs, row.args, strict=False))

    class Rename(ast.NodeTransformer):
        def visit_Name(self, node):
            return ast.Name(names.get(node.id, node.id), node.ctx)

    body = [Rename().visit(statement) for statement in body]
    if len(body) == 1 and isinstance(body[0], ast.Return) and not row.variadic:
        value = body[0].value
        parts = value.elts if isinstance(value, ast.Tuple) else [value]
        if len(parts) == len(row.inputs):
            return "\n".join(
                f"grad {name} = {ast.unparse(part)}"
                for name, part in zip(row.args, parts, strict=True)
                if not (isinstance(part, ast.Constant) and part.value is None)
            )
    return "\n".join(ast.unparse(statement) for statement in body)


def rule_facts(op, count, attrs):
    """What the rule of an op of `count` operands does: (places of operands that it reads, whether it reads a result,
    places of operands that get a gradient).

    The rule is traced as the core does it. One that cannot be traced without shapes is taken to read everything and
    to give every operand a gradient.
    """
    row = TABLE.get(op)
    if row is None:
        return (), False, tuple(range(count))
    if not row.differentiable:
        return (), False, ()
    try:
        traced = trace_rule(row, -1, tuple(attrs.get(f) for f in row.fields), None, count, ())
    except Exception:  # rules that read shapes fail in ways of their own
        return tuple(range(count)), True, tuple(range(count))
    read = [k for k, _, by_shape in traced.saves if not by_shape]
    return (
        tuple(k for k in read if k < count),
        any(k >= count for k in read),
        tuple(k for k, place in enumerate(traced.results) if place >= 0),
    )


def shares_memory(op):
    """Whether the result of an op is a view of its first operand."""
    return op in TABLE and "view" in TABLE[op].flags


def operand_name(op, place):
    """What an operand of an op is called."""
    row = TABLE.get(op)
    return row.args[place] if row is not None and place < len(row.args) else f"operand {place}"
