"""Reverse mode over traces: gradient rules derived from other rules.

A fused backward kernel needs a rule of its own before it can be differentiated again. Where that rule is long, it
is derived: the op is written once in plain tensor algebra, and `pullback` differentiates the instructions of that
writing by their rows' own rules, as often as needed. What no result needs is dropped when the trace is assembled.
"""

from ._def import TABLE
from ._trace import Field, Symbol


def pullback(function, inputs, cotangent):
    """The gradients of function(*inputs) for each input, given the gradient `cotangent` of its result.

    inputs are Symbols of one trace, or None; the result is a list of Symbols, None where there is no gradient.
    Rules of elementwise rows do not mention broadcasting, so each contribution is summed to its operand's shape.
    """
    trace = cotangent.trace
    first = len(trace.code)
    out = function(*inputs)
    places = {v.place for v in inputs if v is not None}
    grads = {out.place: cotangent}
    for k in range(len(trace.code) - 1, first - 1, -1):
        g = grads.pop(("result", k, 0), None)
        name, operands, attrs = trace.code[k]
        row = TABLE[name]
        if g is None or not row.differentiable:
            continue
        symbols = [_symbol(trace, p) for p in operands]
        results = [Symbol(trace, ("result", k, j)) for j in range(len(row.outputs))]
        values = {f: Field(v) if kind == "field" else v for f, (kind, v) in zip(row.fields, attrs, strict=True)}
        found = (
            row.rule(g, symbols, *results, **values) if row.variadic else row.rule(g, *symbols, *results, **values)
        )
        for p, part in zip(operands, found if isinstance(found, (tuple, list)) else [found], strict=True):
            inner = p is not None and p[0] == "result" and p[1] >= first
            if part is None or not (inner or p in places):
                continue
            part = part.sum_to_like(Symbol(trace, p))
            grads[p] = grads[p] + part if p in grads else part
    return [None if v is None else grads.get(v.place) for v in inputs]


def _symbol(trace, place):
    if place is None:
        return None
    return place[1] if place[0] == "constant" else Symbol(trace, place)
