"""What ops refuse: the kind of error, a message that names the op, and nothing changed."""

import re

import numpy as np
import pytest
from optools import OPS, TABLE, core, elementwise_rows, row_id, run, tensor, values, wengert
from samples import INTEGERS_ONLY, samples

GRAMMAR = re.compile(r"^[\w.:]+: expected .+, got .+", re.S)


def check(error, row):
    text = str(error.value)
    assert text.startswith(f"{row.shown}: expected "), text
    assert ", got " in text, text


@pytest.mark.parametrize("row", [r for r in elementwise_rows() if len(r.inputs) > 1], ids=row_id)
def test_shapes_that_do_not_broadcast(row):
    operands = [tensor(np.ones((2, 3))) for _ in row.inputs]
    operands[-1] = tensor(np.ones((4,)))
    if row.name == "where":
        operands[0] = tensor(np.ones((2, 3), bool))
    if row.name in INTEGERS_ONLY:
        operands = [tensor(values(t).astype(np.int64)) for t in operands]
    with pytest.raises(RuntimeError) as error:
        run(row, operands)
    check(error, row)
    assert "(2, 3)" in str(error.value) and "(4,)" in str(error.value), str(error.value)


@pytest.mark.parametrize("row", [r for r in TABLE.values() if r.public and not r.variadic], ids=row_id)
def test_operands_that_are_no_tensors(row):
    for bad in ("text", object(), [1.0], {}):
        with pytest.raises(TypeError) as error:
            OPS[row.name](*([bad] * len(row.inputs)), *_some_attributes(row))
        check(error, row)


def _some_attributes(row):
    found = samples(row)
    count = len(row.fields) - (2 if "random" in row.flags else 0)
    return found[0].attrs[:count] if found else [0] * count


@pytest.mark.parametrize("row", [r for r in TABLE.values() if r.public and not r.variadic], ids=row_id)
def test_wrong_arguments(row):
    op = OPS[row.name]
    with pytest.raises(TypeError) as error:
        op()
    check(error, row)
    found = samples(row)
    if not found or "random" in row.flags:
        return
    operands = [tensor(v) if isinstance(v, np.ndarray) else v for v in found[0].operands]
    with pytest.raises(TypeError) as error:
        op(*operands, *found[0].attrs, no_such_argument=1)
    check(error, row)
    assert "no_such_argument" in str(error.value)
    with pytest.raises(TypeError) as error:
        op(*operands, *found[0].attrs, **{row.args[0]: operands[0]})
    check(error, row)


@pytest.mark.parametrize("row", [r for r in elementwise_rows() if r.name.startswith("bitwise")], ids=row_id)
def test_bits_of_floats(row):
    with pytest.raises((RuntimeError, TypeError)) as error:
        run(row, [tensor(np.ones(3)) for _ in row.inputs])
    check(error, row)


@pytest.mark.parametrize(
    "row", [r for r in TABLE.values() if "dim" in r.fields and r.forward == "reduce"], ids=row_id
)
def test_dimensions_out_of_range(row):
    x = tensor(np.ones((2, 3)))
    for dim in (2, -3, 17):
        with pytest.raises(IndexError) as error:
            run(row, [x], ((dim,), False))
        check(error, row)
        assert str(dim) in str(error.value)


@pytest.mark.parametrize("row", [r for r in TABLE.values() if r.inplace and r.elementwise], ids=row_id)
def test_in_place_refuses_what_cannot_be_written(row):
    """A result of another shape is an error, and the tensor and its version stay."""
    if len(row.inputs) != 2:
        return
    kind = np.int64 if row.name in INTEGERS_ONLY else np.float64
    x = tensor(np.ones(3, kind))
    version = x._version
    with pytest.raises(RuntimeError) as error:
        core.inplace(OPS[row.name].entry, x, (tensor(np.ones((2, 3), kind)),), ())
    text = str(error.value)
    assert text.startswith(row.name) and "(2, 3)" in text, text
    assert x._version == version and values(x).tolist() == [1, 1, 1]


def test_leaf_is_not_written():
    x = tensor(np.ones(3), grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        x += 1
    assert values(x).tolist() == [1.0, 1.0, 1.0]


def test_float_result_does_not_fit_integers():
    x = tensor(np.array([1, 2, 3]))
    with pytest.raises(RuntimeError, match=r"int64.*float"):
        x /= 2
    assert values(x).tolist() == [1, 2, 3]


MATMUL = [((2, 3), (2, 3)), ((3,), (4,)), ((2, 3, 4), (3, 4, 5)), ((2, 3), (4,)), ((), (3,))]


@pytest.mark.parametrize("shapes", MATMUL, ids=str)
def test_matmul_shapes(shapes):
    with pytest.raises(RuntimeError) as error:
        tensor(np.ones(shapes[0])) @ tensor(np.ones(shapes[1]))
    assert GRAMMAR.match(str(error.value)), str(error.value)


def test_dtype_of_where():
    with pytest.raises(RuntimeError, match="where: expected a condition of dtype bool, got .*float64"):
        wengert.where(tensor(np.ones(2)), tensor(np.ones(2)), tensor(np.ones(2)))


def test_non_differentiable_rows_give_no_history():
    for row in TABLE.values():
        if row.differentiable or "random" in row.flags or "bitwise" in row.name:
            continue
        for sample in samples(row)[:1]:
            listed = sample.operands[0] if row.variadic else sample.operands
            operands = [tensor(v, grad=v.dtype.kind == "f") if isinstance(v, np.ndarray) else v for v in listed]
            out = run(row, [operands] if row.variadic else operands, sample.attrs)[0]
            assert not out.requires_grad, row.name
