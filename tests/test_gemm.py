"""Matrix products: values against NumPy in float64 for every size class and layout, and bits that do not depend on
layout, on batches or on the number of threads."""

import itertools

import numpy as np
import pytest
from optools import FLOATS, INTS, tensor, values

import wengert
from wengert import _core as core
from wengert._bind import OPS

EPS = {"float32": 2.0**-23, "float64": 2.0**-52}
# One element, one row, one column, few of either, whole tiles (12 by 32), one more and one less, several blocks.
SIZES = [
    (1, 1, 1),
    (1, 1, 1000),
    (1, 7, 5),
    (1, 300, 64),
    (2, 16, 3),
    (3, 33, 17),
    (4, 256, 31),
    (5, 5, 400),
    (6, 32, 8),
    (11, 31, 9),
    (12, 32, 16),
    (13, 33, 770),
    (17, 1, 40),
    (64, 1, 1024),
    (300, 1, 7),
    (40, 2, 129),
    (64, 3, 64),
    (70, 4, 385),
    (100, 10, 84),
    (197, 65, 50),
    (25, 1100, 20),
]


def draw(rng, shape, dtype):
    if dtype in INTS:
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    return rng.standard_normal(shape).astype(dtype)


def laid_out(array, layout):
    """A tensor with the array's values: rows or columns contiguous, or every other element of both dimensions."""
    if layout == "rows":
        return tensor(array)
    if layout == "columns":
        return tensor(np.swapaxes(array, -1, -2)).transpose(-1, -2)
    wide = np.zeros((*array.shape[:-2], 2 * array.shape[-2], 3 * array.shape[-1]), array.dtype)
    wide[..., ::2, ::3] = array
    return tensor(wide)[..., ::2, ::3]


def check(got, a, b, dtype, bias=0.0):
    """Every element is within a rounding for each term of the product in float64."""
    a64, b64 = a.astype("float64"), b.astype("float64")
    bound = (a.shape[-1] + 2) * EPS[dtype] * (np.abs(a64) @ np.abs(b64) + np.abs(bias))
    assert got.dtype == dtype
    assert np.all(np.abs(got - (a64 @ b64 + bias)) <= bound)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("m", "n", "k"), SIZES)
def test_values_and_layouts(rng, m, n, k, dtype):
    """All nine pairs of layouts: right values, and the same bits."""
    a, b = draw(rng, (m, k), dtype), draw(rng, (k, n), dtype)
    first = None
    for left, right in itertools.product(("rows", "columns", "strided"), repeat=2):
        got = values(laid_out(a, left) @ laid_out(b, right))
        check(got, a, b, dtype)
        first = got if first is None else first
        assert got.tobytes() == first.tobytes(), (left, right)


@pytest.mark.parametrize("dtype", FLOATS)
def test_every_tail(rng, dtype):
    """Heights and widths around a tile, with every remainder of the vectors."""
    for m, n in itertools.product((1, 2, 5, 12, 13), range(1, 36)):
        a, b = draw(rng, (m, 6), dtype), draw(rng, (6, n), dtype)
        check(values(tensor(a) @ tensor(b)), a, b, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("m", "n", "k"), [(1, 1, 100000), (1, 3000, 500), (3000, 1, 500), (130, 150, 400), (49, 65, 900)]
)
def test_same_bits_for_any_number_of_threads(rng, m, n, k, dtype):
    a, b = tensor(draw(rng, (m, k), dtype)), tensor(draw(rng, (k, n), dtype))
    batch = tensor(draw(rng, (3, m, 40), dtype)), tensor(draw(rng, (3, 40, n), dtype))
    seen = set()
    for threads in (1, 2, 3):
        core.set_threads(threads)
        seen.add((values(a @ b).tobytes(), values(batch[0] @ batch[1]).tobytes()))
    assert len(seen) == 1


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("k", [700, 1000, 3001])
def test_rows_do_not_depend_on_their_number(rng, k, dtype):
    """A row of a product is that row's own product, bit by bit, when there is more than one column."""
    a, b = tensor(draw(rng, (50, k), dtype)), tensor(draw(rng, (k, 37), dtype))
    whole = values(a @ b)
    for rows in (1, 2, 5, 13, 49):
        assert values(a[:rows] @ b).tobytes() == whole[:rows].tobytes()
    for columns in (2, 3, 16, 33):
        first = np.ascontiguousarray(whole[:, :columns])
        assert values(a @ b[:, :columns]).tobytes() == first.tobytes()
        assert values(a[:1] @ b[:, :columns].contiguous()).tobytes() == first[:1].tobytes()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("k", [5, 20, 700])
def test_a_column_of_results_has_the_bits_of_its_parts(rng, k, dtype):
    a, v = tensor(draw(rng, (300, k), dtype)), tensor(draw(rng, (k, 1), dtype))
    whole = values(a @ v)
    for rows in (16, 37, 299):
        assert values(a[:rows] @ v).tobytes() == whole[:rows].tobytes()
        assert values(v.t() @ a[:rows].t()).tobytes() == whole[:rows].tobytes()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((4, 5, 7), (4, 7, 3)),
        ((4, 5, 7), (7, 3)),
        ((5, 7), (4, 7, 3)),
        ((2, 1, 5, 7), (3, 7, 4)),
        ((2, 3, 1, 9), (2, 3, 9, 1)),
        ((6, 1, 9), (9, 1)),
        ((0, 5, 7), (7, 3)),
        ((1, 5, 7), (6, 7, 40)),
    ],
)
def test_batches_broadcast(rng, left, right, dtype):
    """Values of broadcast batches; each item has the bits of its own product, whatever the layout."""
    a, b = draw(rng, left, dtype), draw(rng, right, dtype)
    for layouts in itertools.product(("rows", "columns", "strided"), repeat=2):
        got = values(laid_out(a, layouts[0]) @ laid_out(b, layouts[1]))
        assert got.shape == np.matmul(a, b).shape
        check(got, a, b, dtype)
        lead = got.shape[:-2]
        wide_a, wide_b = (np.broadcast_to(x, (*lead, *x.shape[-2:])) for x in (a, b))
        for index in np.ndindex(lead):
            alone = values(tensor(wide_a[index]) @ tensor(wide_b[index]))
            assert alone.tobytes() == got[index].tobytes()


@pytest.mark.parametrize("dtype", FLOATS + INTS)
def test_nothing_to_add_and_nothing_to_fill(dtype):
    """k = 0 gives zeros; an empty result stays empty."""
    zeros = lambda *shape: tensor(np.zeros(shape, dtype))  # noqa: E731
    assert values(zeros(3, 0) @ zeros(0, 40)).tolist() == [[0] * 40] * 3
    assert values(zeros(1, 0) @ zeros(0, 1)).tolist() == [[0]]
    assert values(zeros(2, 3, 0) @ zeros(0, 4)).tolist() == [[[0] * 4] * 3] * 2
    assert tuple((zeros(0, 3) @ zeros(3, 4)).shape) == (0, 4)
    assert tuple((zeros(3, 2) @ zeros(2, 0)).shape) == (3, 0)
    assert tuple((zeros(0, 2, 3) @ zeros(3, 4)).shape) == (0, 2, 4)


@pytest.mark.parametrize("dtype", INTS)
def test_integers_wrap_around(rng, dtype):
    for m, n, k in ((1, 1, 50), (3, 5, 7), (13, 33, 20)):
        a, b = draw(rng, (m, k), dtype), draw(rng, (k, n), dtype)
        want = (a.astype(object) @ b.astype(object)) % (1 << (8 * a.itemsize))
        got = values(tensor(a) @ tensor(b))
        assert got.dtype == dtype
        assert np.array_equal(got.view(f"uint{8 * a.itemsize}").astype(object), want)


def test_special_values(rng):
    """An infinity or a NaN reaches its row or its column and nothing else, tails included."""
    for place, value in itertools.product((0, 12, 32), (np.inf, np.nan)):
        a, b = draw(rng, (33, 40), "float32"), draw(rng, (40, 35), "float32")
        a[place, 3] = value
        got = np.isfinite(values(tensor(a) @ tensor(b)))
        assert not got[place].any() and got.sum() == 32 * 35


def test_shapes_that_do_not_fit():
    with pytest.raises(RuntimeError, match="matmul"):
        tensor(np.zeros((2, 3))) @ tensor(np.zeros((4, 2)))
    with pytest.raises(RuntimeError):
        tensor(np.zeros((2, 3, 4))) @ tensor(np.zeros((3, 4, 2)))
    with pytest.raises(RuntimeError, match="dtype"):
        tensor(np.zeros((2, 2), "float32")) @ tensor(np.zeros((2, 2), "float64"))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("rows", "inputs", "outputs"), [(1, 1, 1), (1, 64, 10), (32, 128, 512), (5, 400, 3), (130, 20, 33)]
)
def test_linear(rng, rows, inputs, outputs, dtype):
    x, w, b = (draw(rng, s, dtype) for s in ((rows, inputs), (outputs, inputs), (outputs,)))
    linear = OPS["linear"]
    check(values(linear(tensor(x), tensor(w), tensor(b))), x, w.T, dtype, b.astype("float64"))
    plain = values(linear(tensor(x), tensor(w)))
    check(plain, x, w.T, dtype)
    assert plain.tobytes() == values(tensor(x) @ tensor(w).T).tobytes()
    batched = values(linear(tensor(np.stack([x, x])), tensor(w), tensor(b)))
    check(batched[1], x, w.T, dtype, b.astype("float64"))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 9), (3, 40, 500), (128, 10, 64), (20, 1, 30)])
def test_gradients_add_to_what_is_there(rng, m, n, k, dtype):
    """A second backward pass adds to the gradients of the first, and so does a second use in one graph."""
    arrays = draw(rng, (m, k), dtype), draw(rng, (k, n), dtype)
    seed = draw(rng, (m, n), dtype)
    a, b = (tensor(x, grad=True) for x in arrays)
    for times in (1, 2, 3):
        (a @ b).backward(tensor(seed))
        once = seed.astype("float64") @ arrays[1].T, arrays[0].T.astype("float64") @ seed
        for leaf, want in zip((a, b), once, strict=True):
            np.testing.assert_allclose(values(leaf.grad), times * want, rtol=0, atol=(k + m + n) * 64 * EPS[dtype])
    c = tensor(arrays[0], grad=True)
    (c @ b + c @ b).backward(tensor(seed))
    np.testing.assert_allclose(values(c.grad), 2 * once[0], rtol=0, atol=(k + m + n) * 64 * EPS[dtype])


def test_named_products(rng):
    """mm and bmm are matmul for two and three dimensions."""
    a, b = draw(rng, (3, 4, 5), "float32"), draw(rng, (3, 5, 2), "float32")
    got = values(wengert.bmm(tensor(a), tensor(b)))
    assert got.tobytes() == values(wengert.matmul(tensor(a), tensor(b))).tobytes()
    assert values(wengert.mm(tensor(a[0]), tensor(b[0]))).tobytes() == got[0].tobytes()
