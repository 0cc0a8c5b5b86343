"""What moves elements, at sizes where the kernels change their ways: blocks, parts of parallel work, squares, tails."""

import numpy as np
import pytest

import wengert

DTYPES = (np.uint8, np.int16, np.float32, np.float64)
SIDES = (1, 3, 8, 15, 16, 17, 64, 131)


def numbers(rng, shape, dtype):
    return rng.integers(0, 200, shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", SIDES)
def test_transposed_and_reversed_copies(dtype, rows, rng):
    for columns in SIDES:
        x = numbers(rng, (2, rows, columns), dtype)
        t = wengert.from_numpy(x)
        np.testing.assert_array_equal(t.transpose(1, 2).contiguous().numpy(), x.transpose(0, 2, 1))
        np.testing.assert_array_equal(t.transpose(0, 2).contiguous().numpy(), x.transpose(2, 1, 0))
        np.testing.assert_array_equal(t.flip(2).numpy(), x[:, :, ::-1])
        np.testing.assert_array_equal(t.flip(0, 1).numpy(), x[::-1, ::-1])
        np.testing.assert_array_equal(
            t[:, :, ::2].transpose(1, 2).contiguous().numpy(), x[:, :, ::2].transpose(0, 2, 1)
        )
        target = wengert.zeros(2, columns, rows, dtype=t.dtype)
        target.transpose(1, 2).copy_(t)
        np.testing.assert_array_equal(target.numpy(), x.transpose(0, 2, 1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "count"), [((3, 70_001), 70_003), ((70_001, 3), 70_003), ((2, 5, 40_000), 7), ((9,), 1)]
)
def test_gather_and_scatter_in_stretches(dtype, shape, count, rng):
    """More than one part of parallel work, along every dimension; of equal positions the last wins, sums take all."""
    x = numbers(rng, shape, dtype)
    t = wengert.from_numpy(x)
    for dim in range(len(shape)):
        size = count if shape[dim] > 10 else 4
        line = rng.integers(-shape[dim], shape[dim], size)
        np.testing.assert_array_equal(t.index_select(dim, wengert.from_numpy(line)).numpy(), np.take(x, line, dim))
        index = rng.integers(0, shape[dim], (*shape[:dim], size, *shape[dim + 1 :]))
        at = wengert.from_numpy(index)
        np.testing.assert_array_equal(t.gather(dim, at).numpy(), np.take_along_axis(x, index, dim))
        values = numbers(rng, index.shape, dtype)
        sums = x.copy()
        np.add.at(sums, tuple(index if d == dim else np.indices(index.shape)[d] for d in range(x.ndim)), values)
        np.testing.assert_array_equal(t.scatter_add(dim, at, wengert.from_numpy(values)).numpy(), sums)
        written = x.copy()
        np.put_along_axis(written, index, values, dim)
        np.testing.assert_array_equal(t.scatter(dim, at, wengert.from_numpy(values)).numpy(), written)


@pytest.mark.parametrize("place", [0, 1023, 1024, 2500])
@pytest.mark.parametrize("value", [100, -101, 2**62, -(2**63)])
def test_the_first_bad_position_is_named(place, value):
    index = wengert.arange(3000) % 100 - 50
    index[place] = value
    index[2999] = 777
    with pytest.raises(IndexError, match=rf"got {value}, which is out of range"):
        wengert.zeros(100)[index]
    if value > 0:
        with pytest.raises(RuntimeError, match=f"got {value}"):
            wengert.zeros(100).gather(0, (wengert.arange(3000) % 100).where(wengert.arange(3000) != place, value))


@pytest.mark.parametrize("shape", [(), (1,), (70_000,), (300, 7), (5, 1, 4, 1), (3, 0, 2), (2, 1), (40, 50, 60)])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_positions_of_what_is_true(shape, share, rng):
    mask = np.asarray(rng.random(shape) < share)
    t = wengert.from_numpy(mask.copy())
    np.testing.assert_array_equal(t.nonzero().numpy(), np.argwhere(mask))
    np.testing.assert_array_equal(wengert.ones(shape)[t].numpy(), np.ones(mask.sum(), np.float32))
    assert t.count_nonzero().item() == mask.sum()


def test_masks_with_other_bytes_than_0_and_1():
    mask = wengert.from_numpy(np.array([2, 0, 255, 1, 0], np.uint8).view(np.bool_))
    assert mask.nonzero().tolist() == [[0], [2], [3]]
    assert wengert.arange(5)[mask].tolist() == [0, 2, 3]
    assert wengert.where(mask, 1, 0).tolist() == [1, 0, 1, 1, 0]


@pytest.mark.parametrize("n", [1, 5, 63, 64, 65, 127, 500, 5000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
def test_topk_of_few_and_of_many(n, dtype, rng):
    """Equal values keep their order; NaN is the largest."""
    x = rng.integers(0, 20, (3, n)).astype(dtype)
    if np.issubdtype(dtype, np.floating):
        x[1, rng.integers(0, n)] = np.nan
        x[2] = np.sort(x[2])
    for k in {0, 1, min(n, 5), min(n, 16), min(n, 17), n}:
        for largest in (True, False):
            values, index = wengert.from_numpy(x).topk(k, largest=largest)
            ranked = np.where(np.isnan(x), np.inf, x)
            order = np.argsort(-ranked if largest else ranked, axis=1, kind="stable")[:, :k]
            np.testing.assert_array_equal(index.numpy(), order)
            np.testing.assert_array_equal(values.numpy(), np.take_along_axis(x, order, 1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [16, 17, 31, 63, 64, 65, 100, 511, 575, 4096, 4097, 9000])
def test_extremes_find_every_nan(dtype, n, rng):
    """A NaN anywhere in a row or a column is the result; elsewhere the extremes are NumPy's."""
    x = rng.standard_normal((7, n)).astype(dtype)
    for place in {0, 15, min(16, n - 1), n // 2, n - 1}:
        broken = x.copy()
        broken[3, place] = np.nan
        for array, dim in ((broken, 1), (broken.T.copy(), 0)):
            t = wengert.from_numpy(array)
            np.testing.assert_array_equal(t.amax(dim).numpy(), array.max(dim))
            np.testing.assert_array_equal(t.amin(dim).numpy(), array.min(dim))
            assert t.argmax(dim)[3].item() == place
        np.testing.assert_array_equal(wengert.from_numpy(x).amax(0).numpy(), x.max(0))
