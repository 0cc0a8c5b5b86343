"""Result dtypes and values of every row over dtypes, by PyTorch's rules."""

import itertools

import numpy as np
import pytest
from optools import FLOATS, INTS, TABLE, core, elementwise_rows, row_id, run, tensor, torch_call, values, wengert
from samples import INTEGERS_ONLY, elementwise_operands

KINDS = ("bool", *INTS, "float16", "bfloat16", *FLOATS)
OWN = {kind: getattr(wengert, kind) for kind in KINDS}


def name(dtype):
    return str(dtype).split(".")[-1]


def cast(t, kind):
    return core.apply(wengert._bind.OPS["cast"].entry, [t], (OWN[kind],))


def as_kind(array, kind):
    """A tensor of any dtype; NumPy has no bfloat16."""
    return cast(tensor(array), kind)


def plain(t):
    """Values as float64 or as they are."""
    return values(cast(t, "float64")) if name(t.dtype) in ("float16", "bfloat16", "float32") else values(t)


def small_operands(row, rng, n=9):
    """Operands that every dtype holds, inside the row's domain where whole numbers are."""
    return [rng.integers(1, 4, n).astype(np.float64) for _ in row.inputs]


def torch_of(torch, array, kind):
    return torch.from_numpy(np.array(array)).to(getattr(torch, kind))


@pytest.mark.parametrize("row", [r for r in elementwise_rows(1)], ids=row_id)
def test_one_operand(row, rng):
    torch = pytest.importorskip("torch")
    for kind in KINDS:
        array = small_operands(row, rng)[0]
        if row.domain[1] < 1:
            array = array * 0.25 if kind in (*FLOATS, "float16", "bfloat16") else array * 0
        theirs = torch_of(torch, array, kind)
        try:
            want = torch_call(torch, row, [theirs], ())
        except (RuntimeError, NotImplementedError):
            continue  # what torch refuses may be refused or computed
        if want is None:
            return
        if row.name == "square" and kind == "bool":
            continue  # torch gives int64, through pow; the square of a bool is refused here
        got = run(row, [as_kind(array, kind)])[0]
        assert name(got.dtype) == name(want.dtype), f"{row.name}({kind})"
        tolerance = {"float16": 2e-3, "bfloat16": 1.6e-2, "float32": 2e-6}.get(name(got.dtype), 1e-12)
        np.testing.assert_allclose(
            plain(got).astype(np.float64),
            want.to(torch.float64).numpy(),
            rtol=tolerance,
            atol=tolerance,
            err_msg=f"{row.name}({kind})",
        )


@pytest.mark.parametrize("row", elementwise_rows(2), ids=row_id)
def test_two_operands(row, rng):
    torch = pytest.importorskip("torch")
    pairs = list(itertools.product(("bool", "uint8", "int32", "int64", "float16", "bfloat16", *FLOATS), repeat=2))
    for left, right in pairs:
        a, b = small_operands(row, rng)
        theirs = [torch_of(torch, a, left), torch_of(torch, b, right)]
        try:
            want = torch_call(torch, row, theirs, ())
        except (RuntimeError, NotImplementedError):
            continue
        if want is None:
            return
        got = run(row, [as_kind(a, left), as_kind(b, right)])[0]
        assert name(got.dtype) == name(want.dtype), f"{row.name}({left}, {right})"
        if row.name == "nextafter":
            continue  # half types step in float32 and round
        tolerance = {"float16": 4e-3, "bfloat16": 3.2e-2, "float32": 2e-6}.get(name(got.dtype), 1e-12)
        np.testing.assert_allclose(
            plain(got).astype(np.float64),
            want.to(torch.float64).numpy(),
            rtol=tolerance,
            atol=tolerance,
            err_msg=f"{row.name}({left}, {right})",
        )


@pytest.mark.parametrize("left", KINDS)
def test_dimensions_before_zero_d_before_numbers(left):
    """add() over the whole lattice: tensors with dimensions, 0-d tensors and Python numbers."""
    torch = pytest.importorskip("torch")
    array = np.ones(3)
    for right in KINDS:
        for shape in ((3,), ()):
            want = torch_of(torch, array, left) + torch_of(torch, np.ones(shape), right)
            got = as_kind(array, left) + as_kind(np.ones(shape), right)
            assert name(got.dtype) == name(want.dtype), (left, right, shape)
    for number in (True, 2, 2.5):
        for shape in ((3,), ()):
            want = torch_of(torch, np.ones(shape), left) + number
            got = as_kind(np.ones(shape), left) + number
            assert name(got.dtype) == name(want.dtype), (left, number, shape)
            want, got = number * torch_of(torch, np.ones(shape), left), number * as_kind(np.ones(shape), left)
            assert name(got.dtype) == name(want.dtype), (number, left, shape)


@pytest.mark.parametrize("source", KINDS)
def test_casts(source, rng):
    """Every dtype to every other, the values that both hold, and rounding to the nearest even half value."""
    torch = pytest.importorskip("torch")
    array = rng.integers(0, 100, 300).astype(np.float64)
    for target in KINDS:
        want = torch_of(torch, array, source).to(getattr(torch, target))
        got = cast(as_kind(array, source), target)
        assert name(got.dtype) == target
        np.testing.assert_array_equal(plain(got).astype(np.float64), want.to(torch.float64).numpy())
    if source in FLOATS:
        fine = rng.standard_normal(1000) * 100
        for target in ("float16", "bfloat16"):
            want = torch_of(torch, fine, source).to(getattr(torch, target)).to(torch.float64).numpy()
            np.testing.assert_array_equal(plain(cast(as_kind(fine, source), target)), want)


@pytest.mark.parametrize("row", [r for r in elementwise_rows() if r.differentiable], ids=row_id)
@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_gradient_dtype(row, kind, rng):
    """The gradient has the operand's dtype, and about the value that float64 gives."""
    if row.name in INTEGERS_ONLY:
        return
    operands = elementwise_operands(row, rng, [(9,)] * len(row.inputs))
    place = 0 if row.name in ("copysign", "hardtanh", "polygamma_at", "smooth_abs") else len(operands) - 1
    # Both compute from the same rounded operands.
    rounded = [values(cast(as_kind(v, kind), "float64")) if v.dtype == np.float64 else v for v in operands]
    found = []
    for k in (kind, "float64"):
        ts = [as_kind(v, k) if v.dtype == np.float64 else tensor(v) for v in rounded]
        ts[place].requires_grad_()
        out = run(row, ts)[0]
        one = core.full(tuple(out.shape), 1.0, out.dtype)
        grad = core.backward([out], [one], [ts[place]], False, False, False, True)[0]
        assert name(grad.dtype) == k
        found.append(values(cast(grad, "float64")))
    if row.name in ("fmod", "remainder") and kind != "float32":
        return  # a quotient next to a whole number may fall on either side
    tolerance = {"float32": 1e-4, "float16": 2e-2, "bfloat16": 2e-1}[kind]
    np.testing.assert_allclose(found[0], found[1], rtol=tolerance, atol=tolerance, err_msg=row.name)


def test_integers_are_not_recorded():
    x = tensor(np.array([1, 2, 3]))
    assert not (x * 2).requires_grad
    with pytest.raises(RuntimeError, match="expected a floating dtype"):
        x.requires_grad_()


def test_integer_arithmetic_wraps_and_divides_down():
    a = tensor(np.array([127, -7, 7], np.int8))
    assert values(a + a).tolist() == [-2, -14, 14]
    assert values(a // 2).tolist() == [63, -4, 3]
    assert values(a % 3).tolist() == [1, 2, 1]
    assert name((a / 2).dtype) == "float32"


def test_reductions_widen():
    for kind in ("bool", *INTS):
        got = run(TABLE["sum"], [as_kind(np.ones(200), kind)], ((), False))[0]
        assert name(got.dtype) == "int64" and got.item() == 200
    for kind in ("float16", "bfloat16"):
        got = run(TABLE["sum"], [as_kind(np.ones(2000), kind)], ((), False))[0]
        assert name(got.dtype) == kind and got.item() == 2000, "half sums are accumulated in float32"
