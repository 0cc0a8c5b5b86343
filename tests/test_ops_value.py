"""Values of every row: against NumPy, against torch where it has a function of the name, over layouts and sizes."""

import numpy as np
import pytest
from optools import (
    COMPLEX_ONLY,
    OPS,
    TABLE,
    core,
    elementwise_rows,
    row_id,
    run,
    same,
    tensor,
    torch_call,
    values,
    wengert,
)
from samples import INTEGERS_ONLY, Sample, all_samples, elementwise_operands, samples

SIZES = (0, 1, 7, 8, 9, 255, 256, 257)
WITH_REF = [row for row in elementwise_rows() if row.ref is not None]


def reference(row, operands, attrs=()):
    """What NumPy (or the function in the row) gives."""
    with np.errstate(all="ignore"):
        if callable(row.ref):
            return row.ref(np, *operands)
        return getattr(np, row.ref)(*operands)


def flat_operands(row, rng, n, dtype=np.float64):
    """One-dimensional operands of n elements."""
    if row.name in INTEGERS_ONLY:
        return [rng.integers(0, 7, n) for _ in row.inputs]
    made = elementwise_operands(row, rng, [(n,)] * len(row.inputs))
    return [v if v.dtype == bool else v.astype(dtype) for v in made]


def test_every_row_has_samples():
    missing = [row.name for row in TABLE.values() if not samples(row) and "random" not in row.flags]
    missing = [name for name in missing if name not in COMPLEX_ONLY]
    assert not missing, f"rows without samples (tests/samples.py): {missing}"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("row", WITH_REF, ids=row_id)
def test_against_numpy(row, dtype, rng):
    for n in SIZES:
        operands = flat_operands(row, rng, n, dtype)
        want = reference(row, [v.astype(np.float64) if v.dtype == np.float32 else v for v in operands])
        got = values(run(row, [tensor(v) for v in operands])[0])
        if got.dtype.kind == "f":
            assert got.dtype == dtype
        if row.name == "nextafter" and dtype == "float32":
            want = np.nextafter(*operands)
        # Functions of a float32 argument: 4 units in the last place, see docs/numerics.md.
        tolerance = {"rtol": 5e-7, "atol": 3e-7} if dtype == "float32" else {"rtol": 1e-13, "atol": 1e-14}
        same(got, want, what=f"{row.name} n={n}", **tolerance)


@pytest.mark.parametrize("row", elementwise_rows(), ids=row_id)
def test_position_and_layout_do_not_matter(row, rng):
    """An element's bits depend on its operands alone: not on its place, the size, strides or views."""
    operands = flat_operands(row, rng, 257, np.float32)
    whole = values(run(row, [tensor(v) for v in operands])[0])
    for n in (1, 7, 8, 9, 64, 255):
        part = values(run(row, [tensor(v[257 - n :]) for v in operands])[0])
        assert part.tobytes() == whole[257 - n :].tobytes(), f"{row.name}: the last {n} alone"
    wide = [tensor(np.stack([v, v[::-1]], 1)) for v in operands]
    strided = values(run(row, [w.select(1, 0) for w in wide])[0])
    assert strided.tobytes() == whole.tobytes(), f"{row.name}: every other element"
    grid = [tensor(v[:252].reshape(12, 21)) for v in operands]
    turned = run(row, [w.transpose(0, 1) for w in grid])[0]
    assert np.ascontiguousarray(values(turned).T).tobytes() == whole[:252].tobytes(), f"{row.name}: transposed"
    mixed = [w.transpose(0, 1) if k else tensor(values(w).T) for k, w in enumerate(grid)]
    assert np.ascontiguousarray(values(run(row, mixed)[0]).T).tobytes() == whole[:252].tobytes(), (
        f"{row.name}: mixed"
    )
    for k in range(257 - 3, 257):
        zero = values(run(row, [tensor(v[k]) for v in operands])[0])
        assert zero.tobytes() == whole[k].tobytes(), f"{row.name}: 0-d"


@pytest.mark.parametrize("row", [r for r in elementwise_rows() if len(r.inputs) > 1], ids=row_id)
def test_broadcasting(row, rng):
    n = len(row.inputs)
    for shapes in (
        [(5, 1, 3), (4, 1), (1, 1, 3)],
        [(), (2, 3), ()],
        [(0, 3), (3,), (1, 1)],
        [(1,), (4, 4), (4, 1)],
    ):
        if row.name in INTEGERS_ONLY:
            operands = [rng.integers(0, 7, s) for s in shapes[:n]]
        else:
            operands = elementwise_operands(row, rng, shapes[:n])
        full = np.broadcast_arrays(*operands)
        got = values(run(row, [tensor(v) for v in operands])[0])
        want = values(run(row, [tensor(v) for v in full])[0])
        assert got.shape == want.shape and got.tobytes() == want.tobytes(), f"{row.name} {shapes[:n]}"
        expanded = [tensor(v).expand(want.shape) for v in operands]
        assert values(run(row, expanded)[0]).tobytes() == want.tobytes(), f"{row.name} expanded {shapes[:n]}"


@pytest.mark.parametrize("row", elementwise_rows(), ids=row_id)
def test_all_operands_expanded(row, rng):
    """Strides of 0 in every operand: nothing beside the one value is read."""
    for lead in ((5,), (2, 300), (3, 1, 7)):
        operands = flat_operands(row, rng, 3)
        want = values(run(row, [tensor(v[1]) for v in operands])[0])
        expanded = [tensor(v).select(0, 1).expand(lead) for v in operands]
        got = values(run(row, expanded)[0])
        assert got.tobytes() == np.broadcast_to(want, lead).tobytes(), f"{row.name} {lead}"
        last = [tensor(v).view((3,) + (1,) * len(lead)).expand((3, *lead)) for v in operands]
        want = values(run(row, [tensor(v) for v in operands])[0])
        got = values(run(row, last)[0])
        assert got.tobytes() == np.broadcast_to(want.reshape(3, *[1] * len(lead)), (3, *lead)).tobytes(), row.name


@pytest.mark.parametrize("row", [r for r in elementwise_rows(2) if r.name not in INTEGERS_ONLY], ids=row_id)
def test_python_numbers(row, rng):
    """A number beside a tensor counts as a 0-d tensor of the tensor's dtype."""
    x, y = flat_operands(row, rng, 9, np.float32)
    number = float(np.float32(y[0]))
    got = run(row, [tensor(x), number])[0]
    want = run(row, [tensor(x), tensor(np.full(9, number, np.float32))])[0]
    assert got.dtype == want.dtype and values(got).tobytes() == values(want).tobytes()
    got = run(row, [number, tensor(x)])[0]
    want = run(row, [tensor(np.full(9, number, np.float32)), tensor(x)])[0]
    assert got.dtype == want.dtype and values(got).tobytes() == values(want).tobytes()


@pytest.mark.parametrize(**all_samples(lambda row: "random" not in row.flags and row.public))
def test_against_torch(row, sample):
    torch = pytest.importorskip("torch")
    operands = [torch.from_numpy(np.array(v)) if isinstance(v, np.ndarray) else v for v in sample.operands]
    want = torch_call(torch, row, operands, sample.attrs)
    if want is None:
        return
    inputs = [tensor(v) if isinstance(v, np.ndarray) else v for v in sample.operands]
    got = run(row, inputs, sample.attrs)[0]
    assert str(got.dtype).split(".")[-1] == str(want.dtype).split(".")[-1]
    same(values(got), want.numpy(), what=row.name, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(**all_samples(lambda row: "random" not in row.flags and not row.elementwise))
def test_other_layouts(row, sample, rng):
    """Rows that are not elementwise give the same for contiguous operands and for views of something larger."""
    if row.variadic or row.name in ("as_strided", "view", "alias"):
        return
    plain = [tensor(v) if isinstance(v, np.ndarray) else v for v in sample.operands]
    want = run(row, plain, sample.attrs)
    turned = []
    for v in sample.operands:
        if not isinstance(v, np.ndarray):
            turned.append(v)
        elif v.ndim == 0:
            turned.append(tensor(np.stack([v, v])).select(0, 1))
        else:
            wide = np.repeat(v, 2, axis=-1)
            turned.append(tensor(wide.T.copy()).permute(tuple(range(v.ndim))[::-1]).slice_last(2))
    got = run(row, turned, sample.attrs)
    for a, b in zip(got, want, strict=True):
        # Reductions may add in another order over another layout only where documented: same bits otherwise.
        same(values(a), values(b), what=row.name, rtol=1e-14, atol=1e-14)


def slice_last(t, step):
    return core.apply(OPS["slice"].entry, [t], (-1, 0, t.shape[-1] // step, step))


@pytest.fixture(autouse=True)
def _slices(monkeypatch):
    monkeypatch.setattr(wengert.Tensor, "slice_last", slice_last, raising=False)


@pytest.mark.parametrize(
    "row", [r for r in TABLE.values() if r.name in ("sum", "amax", "amin", "logsumexp", "sumsq")], ids=row_id
)
def test_reductions_over_sizes(row, rng):
    by_name = {
        "sum": np.sum,
        "amax": np.max,
        "amin": np.min,
        "sumsq": lambda x, axis: np.sum(x * x, axis),
        "logsumexp": lambda x, axis: np.log(np.sum(np.exp(x), axis)),
    }
    for n in SIZES:
        if n == 0 and row.name not in ("sum", "sumsq"):
            continue
        for shape, axis in (((n,), 0), ((3, n), 1), ((n, 3), 0), ((2, n, 5), 1)):
            x = rng.standard_normal(shape)
            got = values(run(row, [tensor(x)], ((axis,), False))[0])
            same(got, by_name[row.name](x, axis=axis), what=f"{row.name} {shape}", rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n", SIZES)
def test_matmul_over_sizes(n, rng):
    for m, k in ((n, 5), (5, n), (n, n)):
        a, b = rng.standard_normal((m, k)), rng.standard_normal((k, 6))
        same(values(tensor(a) @ tensor(b)), a @ b, rtol=1e-12, atol=1e-11)
        turned = tensor(a.T).transpose(0, 1) @ tensor(b.T).transpose(0, 1)
        same(values(turned), a @ b, rtol=1e-12, atol=1e-11)


def test_samples_are_not_changed_by_running(rng):
    """No row but the in-place ones writes to its operands."""
    for row in TABLE.values():
        for sample in samples(row):
            operands = sample.operands[0] if row.variadic else sample.operands
            ts = [tensor(v) if isinstance(v, np.ndarray) else v for v in operands]
            run(row, [ts] if row.variadic else ts, sample.attrs)
            for t, v in zip(ts, operands, strict=True):
                if isinstance(v, np.ndarray):
                    assert values(t).tobytes() == np.ascontiguousarray(v).tobytes(), row.name


def test_sample_knows_its_floating_operands():
    row = TABLE["where"]
    assert Sample([np.array([True]), np.ones(1), 2.0]).floating(row) == [1]
