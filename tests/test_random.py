"""Random draws: seeds, NumPy's stream, distributions, independence of threads, the gradient of dropout."""

import pickle

import numpy as np
import pytest

import wengert

FLOATS = ["float16", "bfloat16", "float32", "float64"]
SEED = 1234


def philox(seed=SEED):
    return np.random.Generator(np.random.Philox(key=seed))


@pytest.fixture
def threads():
    old = wengert._core.threads()
    yield wengert._core.set_threads
    wengert._core.set_threads(old)


@pytest.mark.parametrize("name", ["float32", "float64"])
@pytest.mark.parametrize("n", [0, 1, 3, 8, 1000, 100_001])
def test_uniform_numbers_equal_numpys(name, n):
    g = wengert.Generator().manual_seed(SEED)
    ours = wengert.rand(n, dtype=getattr(wengert, name), generator=g).numpy()
    np.testing.assert_array_equal(ours, philox().random(n, dtype=name))


def test_successive_draws_read_one_stream():
    wengert.manual_seed(SEED)
    parts = [wengert.rand(n, dtype=wengert.float64) for n in (4, 8, 12)]
    filled = wengert.empty(3, 4, dtype=wengert.float64).uniform_()
    ours = np.concatenate([*(p.numpy() for p in parts), filled.numpy().ravel()])
    np.testing.assert_array_equal(ours, philox().random(36))


def blocks(draw, dtype=None):
    """Counter blocks by which a draw advances a generator."""
    g = wengert.Generator().manual_seed(1)
    draw(g)
    return g.get_state().view(wengert.int64)[1].item()


def test_draws_reserve_what_they_use():
    f64 = wengert.float64
    assert blocks(lambda g: wengert.rand(17, generator=g)) == 3  # eight float32 a block
    assert blocks(lambda g: wengert.rand(17, dtype=f64, generator=g)) == 5
    assert blocks(lambda g: wengert.randn(2, 8, generator=g)) == 2
    assert blocks(lambda g: wengert.zeros(3, 3, dtype=f64).normal_(generator=g)) == 3
    assert blocks(lambda g: wengert.randint(0, 9, (9,), generator=g)) == 3
    assert blocks(lambda g: wengert.randperm(9, generator=g)) == 3
    assert blocks(lambda g: wengert.zeros(9, dtype=f64).bernoulli_(0.5, generator=g)) == 2
    assert blocks(lambda g: wengert.zeros(16).exponential_(generator=g)) == 2
    assert blocks(lambda g: wengert.rand(0, generator=g)) == 0
    assert blocks(lambda g: wengert.rand((), generator=g)) == 1


DRAWS = {
    "rand": lambda: wengert.rand(100_000),
    "randn": lambda: wengert.randn(300, 333, dtype=wengert.float64),
    "randint": lambda: wengert.randint(0, 1000, (100_000,)),
    "randperm": lambda: wengert.randperm(10_000),
    "normal": lambda: wengert.normal(1.0, 2.0, (100_000,)),
    "bernoulli": lambda: wengert.bernoulli(wengert.full((100_000,), 0.3)),
    "exponential_": lambda: wengert.empty(100_000).exponential_(),
    "dropout": lambda: wengert.dropout(wengert.ones(100_000), 0.3),
    "strided": lambda: wengert.zeros(300, 333).T.uniform_(),
}


@pytest.mark.parametrize("name", DRAWS)
def test_numbers_do_not_depend_on_threads(threads, name):
    results = []
    for count in (1, 2, 3):
        threads(count)
        wengert.manual_seed(SEED)
        results.append(DRAWS[name]().numpy())
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_seeds_and_states():
    g = wengert.manual_seed(7)
    assert g is wengert.default_generator and wengert.initial_seed() == 7
    state = wengert.get_rng_state()
    first = wengert.rand(5)
    wengert.set_rng_state(state)
    assert (first == wengert.rand(5)).all()
    assert not (first == wengert.rand(5)).all()
    assert wengert.seed() == wengert.initial_seed() != 7
    wengert.manual_seed(-1)
    assert wengert.initial_seed() == 2**64 - 1
    a = wengert.Generator().manual_seed(3)
    wengert.rand(9, generator=a)
    b, c = pickle.loads(pickle.dumps(a)), a.clone_state()
    x = wengert.rand(4, generator=a)
    assert (x == wengert.rand(4, generator=b)).all() and (x == wengert.rand(4, generator=c)).all()
    assert a.device == wengert.device("cpu") and a.initial_seed() == 3
    for bad in (lambda: wengert.Generator("cuda"), lambda: wengert.set_rng_state(wengert.zeros(3))):
        with pytest.raises(RuntimeError):
            bad()
    with pytest.raises(TypeError):
        wengert.rand(2, generator=7)


@pytest.mark.parametrize("name", FLOATS)
def test_distributions_have_their_moments(name):
    wengert.manual_seed(SEED)
    n, dtype = 40_000, getattr(wengert, name)
    wide = 0.02 if name in ("float32", "float64") else 0.03

    def moments(x):
        assert x.dtype is dtype
        values = np.array(x.double().tolist())
        return values.mean(), values.std()

    def near(x, mean, std):
        got = moments(x)
        assert abs(got[0] - mean) < wide * max(1, std) and abs(got[1] - std) < wide * max(1, std), got

    empty = lambda: wengert.empty(n, dtype=dtype)  # noqa: E731
    near(wengert.rand(n, dtype=dtype), 0.5, 12**-0.5)
    near(wengert.randn(n, dtype=dtype), 0.0, 1.0)
    near(empty().uniform_(-1, 3), 1.0, 4 * 12**-0.5)
    near(empty().uniform_(**{"from": 1, "to": 2}), 1.5, 12**-0.5)
    near(empty().normal_(2, 0.5), 2.0, 0.5)
    near(empty().exponential_(2), 0.5, 0.5)
    near(empty().bernoulli_(0.25), 0.25, (0.25 * 0.75) ** 0.5)
    near(empty().geometric_(0.5), 2.0, 2**0.5)
    near(empty().random_(0, 2), 0.5, 0.5)
    near(empty().log_normal_(0, 0.25), np.exp(1 / 32), np.exp(1 / 32) * np.expm1(1 / 16) ** 0.5)
    near(wengert.rand_like(empty()), 0.5, 12**-0.5)
    near(wengert.randn_like(empty()), 0.0, 1.0)
    near(wengert.randint_like(empty(), 2), 0.5, 0.5)
    near(wengert.bernoulli(wengert.full((n,), 0.75, dtype=dtype)), 0.75, (0.25 * 0.75) ** 0.5)
    near(wengert.normal(wengert.ones(n, dtype=dtype), wengert.full((n,), 2.0, dtype=dtype)), 1.0, 2.0)
    near(wengert.normal(wengert.ones(n, dtype=dtype), 2.0), 1.0, 2.0)
    cauchy = np.array(empty().cauchy_(1.0, 2.0).double().tolist())
    assert abs(np.median(cauchy) - 1.0) < 0.1 and abs(np.percentile(cauchy, 75) - 3.0) < 0.15


def test_integers():
    wengert.manual_seed(SEED)
    for name in ("uint8", "int8", "int16", "int32", "int64", "float32"):
        dtype = getattr(wengert, name)
        x = wengert.randint(3, 7, (2000,), dtype=dtype)
        assert x.dtype is dtype and sorted(set(x.tolist())) == [3, 4, 5, 6]
        assert x.zero_().random_(5).amax().item() == 4
    assert wengert.randint(10, (2, 3)).shape == (2, 3) and wengert.randint(10, (2,)).dtype is wengert.int64
    assert wengert.randint(low=0, high=5, size=(4,)).shape == (4,)
    assert wengert.zeros(1000, dtype=wengert.uint8).random_().amax().item() > 240
    assert wengert.zeros(1000, dtype=wengert.bool).random_().sum().item() in range(400, 600)
    whole = wengert.zeros(1000).random_()
    assert whole.amax().item() <= 2**24 and (whole == whole.floor()).all()
    large = wengert.zeros(1000, dtype=wengert.int64).random_()
    assert large.amin().item() >= 0 and large.amax().item() > 2**61
    assert wengert.zeros(1000, dtype=wengert.int64).random_(-(2**63), 2**63 - 1).amin().item() < -(2**61)


def test_permutations():
    wengert.manual_seed(SEED)
    for n in (0, 1, 2, 1000):
        assert sorted(wengert.randperm(n).tolist()) == list(range(n))
    assert wengert.randperm(5, dtype=wengert.int32).dtype is wengert.int32
    firsts = np.bincount([wengert.randperm(4)[0].item() for _ in range(2000)])
    assert firsts.min() > 400


@pytest.mark.parametrize(("rows", "draws"), [(500, 1), (40000, 1), (500, 7), (3, 2000), (1, 1)])
def test_multinomial_picks_by_the_running_sum(rows, draws):
    """Comparing with all bounds at once picks what a search in each row would pick; never a weight of 0."""
    from wengert._random import _passing

    rng = np.random.default_rng(0)
    weights = rng.random((rows, 9)) * (rng.random((rows, 9)) < 0.6)
    weights[:, 4] += 0.1
    unit = rng.random((rows, draws))
    unit[0, 0] = 1 - 2.0**-53
    found = _passing(weights, unit)
    for row, shares, picked in list(zip(weights, unit, found, strict=True))[:: max(1, rows // 500)]:
        bounds = row.cumsum()
        wanted = np.minimum(np.searchsorted(bounds, shares * bounds[-1], side="right"), np.flatnonzero(row)[-1])
        assert (picked == wanted).all() and (row[picked] > 0).all()


def test_multinomial():
    wengert.manual_seed(SEED)
    weights = wengert.tensor([[1.0, 0.0, 3.0], [0.0, 2.0, 0.0]])
    x = wengert.multinomial(weights, 4000, replacement=True)
    assert x.shape == (2, 4000) and x.dtype is wengert.int64
    counts = np.bincount(x[0].numpy(), minlength=3)
    assert counts[1] == 0 and abs(counts[2] / 4000 - 0.75) < 0.03 and set(x[1].tolist()) == {1}
    rows = wengert.multinomial(wengert.ones(500, 4), 4)
    assert (np.sort(rows.numpy(), -1) == np.arange(4)).all()
    first = np.array(wengert.multinomial(weights[:1].expand(4000, 3), 1).tolist())
    assert abs((first == 2).mean() - 0.75) < 0.03
    assert wengert.multinomial(wengert.ones(3), 2).shape == (2,)


@pytest.mark.parametrize("generator", [False, True])
def test_one_draw_follows_the_weights(generator):
    weights = np.array([0.0, 1.0, 1e-3, 5.0, 0.0, 2.0])
    g = wengert.Generator().manual_seed(SEED) if generator else None
    wengert.manual_seed(SEED)
    rows = wengert.tensor(weights).expand(60000, 6)
    share = np.bincount(wengert.multinomial(rows, 1, generator=g).numpy()[:, 0], minlength=6) / 60000
    assert (share[weights == 0] == 0).all()
    np.testing.assert_allclose(share, weights / weights.sum(), atol=0.01)
    assert wengert.multinomial(wengert.tensor([1e308] * 40 + [0.0], dtype=wengert.float64), 1).item() < 40
    for bad in (float("inf"), float("nan"), -1.0):
        with pytest.raises(RuntimeError, match="finite and at least 0"):
            wengert.multinomial(wengert.tensor([1.0, bad]), 1)


@pytest.mark.parametrize("name", ["int64", "int32", "float32"])
@pytest.mark.parametrize("width", [1, 2, 100, 65535, 65536, 65537])
def test_integers_are_even(name, width, threads):
    """Short ranges take half as many bits; every value of both kinds is as likely, whatever the dtype and threads."""
    wengert.manual_seed(SEED)
    x = wengert.randint(-7, width - 7, (200000,), dtype=getattr(wengert, name)).numpy().astype(np.int64) + 7
    assert x.min() >= 0 and x.max() < width
    count = min(width, 16)
    share = np.bincount(x * count // width, minlength=count) / len(x)
    cells = np.bincount(np.arange(width) * count // width, minlength=count) / width
    np.testing.assert_allclose(share, cells, atol=0.006)
    threads(3)
    wengert.manual_seed(SEED)
    again = wengert.randint(-7, width - 7, (200000,)).numpy() + 7
    assert (again == x).all()


@pytest.mark.parametrize(
    "text",
    [
        "t.randint(5, 5, (2,))", "t.randint(0, 300, (2,), dtype=t.uint8)", "t.normal(0, -1.0, (2,))",
        "t.zeros(2).normal_(0, -1)", "t.zeros(2).uniform_(1, 0)", "t.zeros(2).bernoulli_(2)",
        "t.bernoulli(t.tensor([2.0]))", "t.zeros(2, dtype=t.int64).uniform_()", "t.rand(2, dtype=t.int64)",
        "t.randperm(-1)", "t.multinomial(t.ones(3), 4)", "t.multinomial(t.tensor([-1.0, 1]), 1)",
        "t.multinomial(t.zeros(3), 1)", "t.zeros(2).exponential_(-1)", "t.zeros(2).geometric_(0)",
        "t.zeros(3).random_(5, 2)", "t.rand()", "t.rand(-1)", "t.normal(t.ones(2), -1.0)",
        "t.zeros(2).cauchy_(0, 0)",
        "t.zeros(2).log_normal_(0, -1)", "t.randn(2, dtype=t.int32)", "t.ones(2, requires_grad=True).uniform_()",
        "t.normal(t.ones(2), t.ones(3))", "t.multinomial(t.ones(2, 2, 2), 1)", "t.multinomial(t.ones(2), 0)",
    ],
)  # fmt: skip
def test_errors_have_torchs_kinds(text):
    torch = pytest.importorskip("torch")
    kinds = []
    for t in (torch, wengert):
        with pytest.raises(Exception) as caught:
            eval(text, {"t": t})
        kinds.append(caught.type)
    assert issubclass(kinds[1], kinds[0]), kinds


def test_out_requires_grad_and_dtype():
    out = wengert.zeros(3)
    assert wengert.rand(3, out=out) is out and out.amax().item() > 0
    assert wengert.randint(0, 9, (3,), out=out) is out and wengert.randn(3, requires_grad=True).requires_grad
    assert wengert.rand(2, 3, dtype=wengert.float64).dtype is wengert.float64
    assert wengert.rand((2, 3)).shape == wengert.rand(size=(2, 3)).shape == (2, 3)


# ---- dropout -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FLOATS)
def test_dropout_scales_what_it_keeps(name):
    wengert.manual_seed(SEED)
    x = wengert.ones(4000, dtype=getattr(wengert, name))
    y = wengert.dropout(x, 0.75)
    assert y.dtype is x.dtype and sorted(set(y.tolist())) == [0.0, 4.0]
    assert abs((y == 0).sum().item() / 4000 - 0.75) < 0.03
    assert wengert.dropout(x, 0.75, False) is x and wengert.dropout(x, 0.0) is x
    assert wengert.dropout(x, 1.0).sum().item() == 0
    z = x.clone()
    assert wengert.dropout(z, 0.5, True, inplace=True) is z and 0.0 in z.tolist()


def test_dropouts_gradient_draws_the_same_mask():
    wengert.manual_seed(SEED)
    for shape in [(5,), (3, 4), (40_000,), ()]:
        x = wengert.ones(shape, dtype=wengert.float64, requires_grad=True)
        y = wengert.dropout(x, 0.4)
        y.sum().backward()
        assert (x.grad == y.detach()).all()
    x = wengert.rand(6, 5, dtype=wengert.float64).T.requires_grad_()
    y = wengert.dropout(x, 0.5)
    mask = (y.detach() != 0).double() * 2
    (y * y).sum().backward(create_graph=True)
    np.testing.assert_allclose(x.grad.detach().numpy(), (2 * x.detach() * mask * mask).numpy())
    first = x.grad
    x.grad = None
    first.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), (2 * mask * mask).numpy())


def test_dropout_in_place_is_recorded():
    x = wengert.ones(50, requires_grad=True)
    y = x * 1
    wengert.dropout(y, 0.5, True, True)
    kept = y.detach().clone()
    y.sum().backward()
    assert (x.grad == kept).all()


def test_feature_dropout_drops_channels():
    wengert.manual_seed(SEED)
    x = wengert.ones(20, 10, 3, 3, requires_grad=True)
    y = wengert.feature_dropout(x, 0.5)
    sums = set(y.detach().view(200, 9).sum(1).tolist())
    assert sums == {0.0, 18.0}
    y.sum().backward()
    assert (x.grad == y.detach()).all()


def test_dropout_refuses():
    for p in (-0.1, 1.5):
        with pytest.raises(ValueError):
            wengert.dropout(wengert.ones(2), p)
    with pytest.raises(RuntimeError):
        wengert.dropout(wengert.ones(2, dtype=wengert.int64), 0.5)
    with pytest.raises(RuntimeError):
        wengert.feature_dropout(wengert.ones(2), 0.5)


def test_randint_takes_its_bounds_by_name():
    for draw in (
        lambda: wengert.randint(high=3, size=(50,)),
        lambda: wengert.randint(low=1, high=3, size=(50,)),
        lambda: wengert.randint(0, 3, size=(50,)),
    ):
        assert draw().shape == (50,) and 0 <= draw().min() and draw().max() == 2
    with pytest.raises(TypeError, match="upper bound"):
        wengert.randint(size=(2,))
