"""vmap over convolution, pooling and indexing by tensors: no element of the batch runs on its own, and results and
gradients are those of a loop and of torch.func.vmap."""

import numpy as np
import pytest

import wengert as wg
from wengert.func import _batching, grad, jvp, vmap

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(31)
FEW = np.array([[0, 3], [4, 1], [2, 0]])  # places that no element names twice


def data(*shape):
    return RNG.normal(size=shape)


def whole(high, *shape, low=0):
    return RNG.integers(low, high, shape)


def _conv(n, **kwargs):
    return lambda t, x, w, b: getattr(t.nn.functional, f"conv{n}d")(x, w, b, **kwargs)


def _transposed(n, **kwargs):
    return lambda t, x, w, b: getattr(t.nn.functional, f"conv_transpose{n}d")(x, w, b, **kwargs)


def _written(t, x, values, *index):
    y = x.clone()
    y[index] = values
    return y


# name -> function of a package and one element's operands, operands with the batch in front
CASES = {
    "conv1d": (_conv(1, stride=2, padding=1), data(3, 2, 4, 7), data(3, 6, 4, 3), data(3, 6)),
    "conv2d": (_conv(2, padding=1, dilation=2), data(3, 2, 4, 7, 6), data(3, 6, 4, 3, 2), data(3, 6)),
    "conv2d in groups": (_conv(2, groups=2), data(3, 2, 4, 5, 5), data(3, 6, 2, 3, 3), data(3, 6)),
    "conv2d without N": (_conv(2, stride=2), data(3, 4, 5, 5), data(3, 6, 4, 3, 3), data(3, 6)),
    "conv3d": (_conv(3), data(3, 1, 2, 3, 4, 3), data(3, 2, 2, 2, 2, 2), data(3, 2)),
    "conv_transpose1d": (_transposed(1, stride=2, output_padding=1), data(3, 2, 4, 5), data(3, 4, 3, 3), data(3, 3)),
    "conv_transpose2d": (_transposed(2, stride=2, groups=2), data(3, 2, 4, 4, 3), data(3, 4, 3, 3, 2), data(3, 6)),
    "max_pool2d": (lambda t, x: t.nn.functional.max_pool2d(x, 2, padding=1), data(3, 2, 2, 6, 5)),
    "max_pool1d without N": (lambda t, x: t.nn.functional.max_pool1d(x, 3, 2), data(3, 2, 7)),
    "avg_pool2d": (lambda t, x: t.nn.functional.avg_pool2d(x, 2, ceil_mode=True), data(3, 2, 2, 5, 5)),
    "adaptive_avg_pool2d": (lambda t, x: t.nn.functional.adaptive_avg_pool2d(x, (3, 2)), data(3, 2, 2, 7, 5)),
    "adaptive_max_pool1d": (lambda t, x: t.nn.functional.adaptive_max_pool1d(x, 3), data(3, 2, 2, 7)),
    "x[i]": (lambda t, x, i: x[i], data(3, 5, 4), whole(5, 3, 6, low=-5)),
    "x[:, i]": (lambda t, x, i: x[:, i], data(3, 2, 5, 4), whole(5, 3, 6, 2)),
    "x[i, j]": (lambda t, x, i, j: x[i, j], data(3, 5, 4, 2), whole(5, 3, 6, 1), whole(4, 3, 7, low=-4)),
    "x[:, i, j]": (lambda t, x, i, j: x[:, i, j], data(3, 2, 5, 4), whole(5, 3, 6), whole(4, 3, 6)),
    "x[i, :, j]": (lambda t, x, i, j: x[i, :, j], data(3, 5, 2, 4), whole(5, 3, 6), whole(4, 3, 6)),
    "index_select": (lambda t, x, i: t.index_select(x, 1, i), data(3, 2, 5), whole(5, 3, 4)),
    "x[i] = v": (lambda t, x, v, i: _written(t, x, v, i), data(3, 5, 4), data(3, 2, 4), FEW),
    "x[:, i] = row": (
        lambda t, x, v, i: _written(t, x, v, slice(None), i), data(3, 2, 5), data(3, 1, 2), FEW,
    ),
    "x[i, :, j] = v": (
        lambda t, x, v, i, j: _written(t, x, v, i, slice(None), j), data(3, 5, 2, 4), data(3, 2, 2),
        FEW, whole(4, 3, 2),
    ),
    "index_put of repeated places": (
        lambda t, x, v, i: x.clone().index_put((i,), v, accumulate=True), data(3, 5, 4), data(3, 6, 4), whole(5, 3, 6),
    ),
    "index_add": (lambda t, x, v, i: t.index_add(x, 1, i, v), data(3, 2, 5), data(3, 2, 4), whole(5, 3, 4)),
}  # fmt: skip

# torch.func.vmap counts the dimensions of these values from the wrong end (its vmap of index_put in the middle).
BROADCAST = {"x[:, i] = row", "x[i, :, j] = v"}


def shares(arrays):
    """in_dims: all with a batch, and each operand in turn without."""
    n = len(arrays)
    yield (0,) * n
    if n > 1:
        for k in range(n):
            yield tuple(None if j == k else 0 for j in range(n))
        yield (0, *[None] * (n - 1))


def operands(package, arrays, dims):
    made = [package.from_numpy(np.array(a)) for a in arrays]
    return [v if d == 0 else v[0] for v, d in zip(made, dims, strict=True)]


@pytest.fixture
def no_loop(monkeypatch):
    """Fails where an op runs once for each element."""

    def loop(self, entry, operands, attrs):
        raise AssertionError(f"{entry.name} runs element by element")

    monkeypatch.setattr(_batching.BatchFrame, "loop", loop)


@pytest.mark.parametrize("name", CASES)
def test_as_a_loop_and_torch(name, no_loop):
    run, *arrays = CASES[name]
    for dims in shares(arrays):
        if "= " in name and dims[0] is None:
            continue  # what every element shares is not written to
        given = operands(wg, arrays, dims)
        found = vmap(lambda *v: run(wg, *v), in_dims=dims)(*given)
        one = [[v[k] if d == 0 else v for v, d in zip(given, dims, strict=True)] for k in range(3)]
        looped = wg.stack([run(wg, *v) for v in one])
        assert wg.allclose(found, looped, rtol=1e-12, atol=1e-12), dims
        if name in BROADCAST:
            continue
        theirs = torch.func.vmap(lambda *v: run(torch, *v), in_dims=dims)(*operands(torch, arrays, dims))
        np.testing.assert_allclose(found.numpy(), theirs.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_gradients_of_each_element(name, no_loop):
    """vmap of a gradient, of its own gradient, and of a directional derivative: the rows of the gradient rules too."""
    run, *arrays = CASES[name]
    floats = tuple(k for k, a in enumerate(arrays) if a.dtype.kind == "f")

    def sizes(t):
        def loss(*v):
            y = run(t, *v)
            return (y * y.sin()).sum()

        def norm(*v):
            grads = t.func.grad(loss, argnums=floats)(*v)
            return sum((g * g).sum() for g in grads)

        return t.func.grad(norm, argnums=floats)

    for dims in ((0,) * len(arrays), (0, *[None] * (len(arrays) - 1))):
        found = vmap(sizes(wg), in_dims=dims)(*operands(wg, arrays, dims))
        given = operands(torch, arrays, dims)
        for k in range(3):
            theirs = sizes(torch)(*[v[k] if d == 0 else v for v, d in zip(given, dims, strict=True)])
            for a, b in zip(found, theirs, strict=True):
                np.testing.assert_allclose(a[k].numpy(), b.numpy(), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_nested_and_forward(name, no_loop):
    run, *arrays = CASES[name]
    twice = [np.stack([a, a[::-1]]) for a in arrays]
    both = vmap(vmap(lambda *v: run(wg, *v)))(*[wg.from_numpy(a) for a in twice])
    each = wg.stack([vmap(lambda *v: run(wg, *v))(*[wg.from_numpy(a[k]) for a in twice]) for k in (0, 1)])
    assert wg.allclose(both, each, rtol=1e-12)
    x, *rest = [wg.from_numpy(np.array(a)) for a in arrays]

    def slope(v, *others):
        return jvp(lambda u: run(wg, u, *others).sin().sum(), (v,), (v,))[1]

    forward = vmap(slope)(x, *rest)
    backward = vmap(lambda v, *others: (grad(lambda u: run(wg, u, *others).sin().sum())(v) * v).sum())(x, *rest)
    assert wg.allclose(forward, backward, rtol=1e-10)


def test_an_index_out_of_range_reaches_no_other_element():
    x = wg.arange(12.0).reshape(3, 4)
    for bad in (4, -5):
        index = wg.tensor([[0], [bad], [1]])
        with pytest.raises(IndexError):
            vmap(lambda v, i: v[i])(x, index)
        with pytest.raises(IndexError):
            vmap(lambda v, i: v.index_put((i,), wg.zeros(1)))(x, index)


def test_one_place_and_values_of_fewer_dimensions(no_loop):
    """torch reads the value of such an index, and counts missing dimensions from the wrong end: compared with a loop."""
    x, i, row = wg.from_numpy(data(3, 5, 4)), wg.tensor([4, 0, 2]), wg.from_numpy(data(3, 2))
    assert (vmap(lambda v, k: v[k])(x, i) == wg.stack([v[k] for v, k in zip(x, i, strict=True)])).all()
    columns = wg.tensor([[0, 3], [3, 1], [2, 0]])
    found = vmap(lambda *v: _written(wg, *v[:2], slice(None), v[2]))(x, row, columns)
    each = [_written(wg, *v[:2], slice(None), v[2]) for v in zip(x, row, columns, strict=True)]
    assert (found == wg.stack(each)).all()
