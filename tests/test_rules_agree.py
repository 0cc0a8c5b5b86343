"""One rule, three ways to run it: block by block, instruction by instruction, and recorded. All give the same bits.

The same traced program is also walked here, op by op in Python, as an independent account of what it says.
"""

import operator

import numpy as np
import pytest
from optools import OPS, TABLE, core, elementwise_rows, gradients, row_id, run, tensor, values
from samples import all_samples, elementwise_operands

from wengert.ops import trace_rule


def walk(row, operands, attrs, outs, upstream):
    """The rule of a row, traced and executed op by op on plain tensors."""
    listed = operands[0] if row.variadic else operands
    shapes = [tuple(v.shape) if hasattr(v, "shape") else () for v in listed] if row.shaped else None
    absent = tuple(k for k, v in enumerate(listed) if v is None)
    traced = trace_rule(row, -1, attrs, shapes, len(listed), absent)
    registers = dict(enumerate([upstream, *listed, *outs]))
    for k, value in enumerate(traced.constants):
        registers[traced.given + k] = value
    for name, places, first, code_attrs in traced.code:
        if code_attrs is None:
            given = ()
        elif code_attrs == "inherit":
            given = attrs
        else:
            given = tuple(attrs[v] if kind == "field" else v for kind, v in code_attrs)
        result = core.apply(OPS[name].entry, [registers[p] if p >= 0 else None for p in places], given)
        for j, r in enumerate(result if isinstance(result, tuple) else (result,)):
            registers[first + j] = r
    return [None if r < 0 else registers[r] for r in traced.results]


def bits(t):
    return None if t is None else (tuple(t.shape), values(t).tobytes())


def compare(row, arrays, attrs, rng, places):
    def fresh():
        return [tensor(v, grad=k in places) if isinstance(v, np.ndarray) else v for k, v in enumerate(arrays)]

    def call(ts):
        return run(row, [ts] if row.variadic else ts, attrs)

    ts = fresh()
    outs = call(ts)
    if not outs[0].requires_grad:
        return
    upstream = rng.standard_normal(tuple(outs[0].shape)).astype(values(outs[0]).dtype)
    inputs = [ts[k] for k in places]
    raw = gradients(outs[0], tensor(upstream), inputs, keep=True)
    again = gradients(outs[0], tensor(upstream), inputs, keep=True)
    recorded = gradients(outs[0], tensor(upstream), inputs, create_graph=True)
    # Rows whose gradient goes through the forward formula again when it is recorded: as numbers, not as bits.
    formula = TABLE.get(row.name + "_backward") is not None and TABLE[row.name + "_backward"].composed
    plain = [v.detach() if hasattr(v, "detach") else v for v in ts]
    walked = walk(row, [plain] if row.variadic else plain, attrs, [o.detach() for o in outs], tensor(upstream))
    for n, k in enumerate(places):
        assert bits(raw[n]) == bits(again[n]), f"{row.name}: a second pass over the kept graph differs"
        if formula and raw[n] is not None:
            np.testing.assert_allclose(values(raw[n]), values(recorded[n]), rtol=1e-10, atol=1e-12)
        else:
            assert bits(raw[n]) == bits(recorded[n]), f"{row.name}: recorded rule differs for operand {k}"
        reached = walked[k]
        if reached is None or raw[n] is None:
            assert reached is None and raw[n] is None
        elif tuple(reached.shape) == tuple(raw[n].shape):
            assert bits(raw[n]) == bits(reached), f"{row.name}: the rule says otherwise for operand {k}"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("row", [r for r in elementwise_rows() if r.differentiable], ids=row_id)
def test_elementwise(row, dtype, rng):
    """Sizes on both sides of the block of 256, of the parallel part of 16,384, and 0-d."""
    for shape in ((), (1,), (9,), (255,), (257,), (3, 100), (16385,)):
        arrays = elementwise_operands(row, rng, [shape] * len(row.inputs))
        arrays = [v if v.dtype == bool else np.asarray(v, dtype) for v in arrays]
        compare(row, arrays, (), rng, [k for k, v in enumerate(arrays) if v.dtype != bool])


@pytest.mark.parametrize(**all_samples(lambda row: row.differentiable))
def test_samples(row, sample, rng):
    arrays = sample.operands[0] if row.variadic else sample.operands
    compare(row, arrays, sample.attrs, rng, sample.floating(row))


@pytest.mark.parametrize("row", [r for r in elementwise_rows(1) if r.differentiable], ids=row_id)
def test_gradient_of_a_view_and_of_a_copy(row, rng):
    """A strided operand keeps the rule out of the block form; the numbers stay the same."""
    array = elementwise_operands(row, rng, [(300,)])[0].astype(np.float32)
    upstream = rng.standard_normal(300).astype(np.float32)
    plain = tensor(array, grad=True)
    first = gradients(run(row, [plain])[0], tensor(upstream), [plain])[0]
    wide = tensor(np.stack([array, array], 1)).select(1, 0).requires_grad_()
    second = gradients(run(row, [wide])[0], tensor(upstream), [wide])[0]
    reverse = tensor(np.stack([upstream, upstream], 1)).select(1, 0)
    third = gradients(run(row, [plain])[0], reverse, [plain])[0]
    assert bits(first) == bits(second) == bits(third)


def test_masks_of_operands(rng):
    """Asking for fewer gradients changes none of those that remain."""
    for row in TABLE.values():
        if not row.elementwise or not row.differentiable or len(row.inputs) < 2 or row.name == "copysign":
            continue
        arrays = elementwise_operands(row, rng, [(40,)] * len(row.inputs))
        floats = [k for k, v in enumerate(arrays) if v.dtype != bool]
        together = [tensor(v, grad=k in floats) for k, v in enumerate(arrays)]
        upstream = rng.standard_normal(40)
        wanted = gradients(run(row, together)[0], tensor(upstream), [together[k] for k in floats])
        for n, k in enumerate(floats):
            alone = [tensor(v, grad=j == k) for j, v in enumerate(arrays)]
            got = gradients(run(row, alone)[0], tensor(upstream), [alone[k]])[0]
            assert bits(got) == bits(wanted[n]), f"{row.name}: operand {k} alone"


BINARY_OPERATORS = ["add", "sub", "mul", "truediv", "mod", "pow"]


@pytest.mark.parametrize("name", BINARY_OPERATORS)
def test_operators_use_the_rule_every_time(name):
    """An operator records through a path of its own from its second use on; its gradients are those of the row."""
    function = getattr(operator, name)
    row = next(row for row in TABLE.values() if row.slot == name)
    a, b = np.random.default_rng(1).uniform(0.6, 1.9, (2, 5))
    found = []
    for call in (OPS[row.name], function, function):
        x, y = tensor(a).requires_grad_(), tensor(b).requires_grad_()
        call(x, y).sum().backward()
        found.append((x.grad.numpy().tobytes(), y.grad.numpy().tobytes()))
    assert len(set(found)) == 1
