"""Recurrent layers and cells: against torch in values, first and second gradients; transforms, threads, sizes, errors."""

import numpy as np
import pytest
from helpers import copy_state, flat_tensors, to_lib

import wengert
from wengert import func

LENGTHS = [5, 3, 3, 1]


def layers(kind, *sizes, **options):
    """Our layer and torch's with the same float64 weights."""
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn, kind)(*sizes, **options).double()
    ours = getattr(wengert.nn, kind)(*sizes, **options).double()
    copy_state(theirs, ours, wengert)
    return ours, theirs


def step(lib, layer, x, states, packed, batch_first=False):
    """The outputs and states, gradients by backward(), recorded gradients, and second gradients."""
    x, states = to_lib(lib, x, True), [to_lib(lib, s, True) for s in states]

    def outputs():
        given = x
        if packed:
            given = lib.nn.utils.rnn.pack_padded_sequence(x, LENGTHS[: states[0].shape[1]], batch_first=batch_first)
        out, last = layer(given, (tuple(states) if len(states) > 1 else states[0]) if states else None)
        return [out.data if packed else out, *flat_tensors(last)]

    def loss(values):
        return sum((v * v.sin()).sum() for v in values)

    leaves = [x, *states, *layer.parameters()]
    out = outputs()
    first = lib.autograd.grad(loss(out), leaves, create_graph=True)
    second = lib.autograd.grad(sum((g * g.cos()).sum() for g in first), leaves)
    loss(outputs()).backward()
    raw = [leaf.grad for leaf in leaves]
    return [v.detach().numpy() for v in (*out, *raw, *first, *second)]


CASES = [
    ("LSTM", {}, 6, 3),
    ("LSTM", {"num_layers": 2, "bidirectional": True}, 4, 13),
    ("LSTM", {"bias": False, "batch_first": True}, 2, 1),
    ("LSTM", {"proj_size": 3, "bidirectional": True}, 5, 4),
    ("LSTM", {"proj_size": 3, "num_layers": 2, "batch_first": True}, 5, 2),
    ("GRU", {}, 6, 3),
    ("GRU", {"num_layers": 2, "bidirectional": True, "batch_first": True}, 5, 4),
    ("GRU", {"bias": False}, 1, 1),
    ("RNN", {}, 6, 3),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2}, 5, 4),
    ("RNN", {"bidirectional": True, "bias": False, "batch_first": True}, 5, 2),
]


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("with_states", [False, True], ids=["zeros", "states"])
@pytest.mark.parametrize(("kind", "options", "steps", "batch"), CASES)
def test_as_torch(kind, options, steps, batch, with_states, packed, rng):
    if packed:
        steps, batch = 5, min(batch, 4)
    torch = pytest.importorskip("torch")
    ours, theirs = layers(kind, 5, 7, **options)
    first = options.get("batch_first", False)
    x = rng.standard_normal((batch, steps, 5) if first else (steps, batch, 5))
    count = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    sizes = [options.get("proj_size") or 7, 7][: 2 if kind == "LSTM" else 1]
    states = [rng.standard_normal((count, batch, size)) for size in sizes] if with_states or packed else []
    got, want = (step(lib, m, x, states, packed, first) for lib, m in ((wengert, ours), (torch, theirs)))
    for k, (a, b) in enumerate(zip(got, want, strict=True)):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9, err_msg=f"value {k}")


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("hidden", [1, 7, 8, 9, 33, 64])
@pytest.mark.parametrize("batch", [1, 2, 12, 25])
def test_sizes_around_vectors_and_tiles(kind, hidden, batch, rng):
    """float32 and float64 by the op agree with the formula of one step at a time in float64."""
    layer = getattr(wengert.nn, kind)(3, hidden)
    double = getattr(wengert.nn, kind)(3, hidden).double()
    double.load_state_dict({k: v.double() for k, v in layer.state_dict().items()})
    cell = getattr(wengert.nn, kind + "Cell")(3, hidden).double()
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in double.state_dict().items()})
    x = rng.standard_normal((5, batch, 3))
    state, want = None, []
    for t in range(5):
        state = cell(wengert.from_numpy(x[t].copy()), state)
        want.append(state[0] if kind == "LSTM" else state)
    want = wengert.stack(want).detach().numpy()
    np.testing.assert_allclose(
        double(wengert.from_numpy(x.copy()))[0].detach().numpy(), want, rtol=1e-11, atol=1e-12
    )
    single = layer(wengert.from_numpy(x.astype(np.float32)))[0].detach().numpy()
    np.testing.assert_allclose(single, want, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell"])
@pytest.mark.parametrize("shape", [(3, 5), (5,), (0, 5)])
def test_cells_as_torch(kind, shape, rng):
    torch = pytest.importorskip("torch")
    ours, theirs = layers(kind, 5, 7)
    x = rng.standard_normal(shape)
    states = [rng.standard_normal((*shape[:-1], 7)) for _ in range(2 if kind == "LSTMCell" else 1)]
    found = []
    for lib, cell in ((wengert, ours), (torch, theirs)):
        leaves = [to_lib(lib, v, True) for v in (x, *states)]
        out = flat_tensors(cell(leaves[0], tuple(leaves[1:]) if len(states) > 1 else leaves[1]))
        first = lib.autograd.grad(sum((v * v.sin()).sum() for v in out), leaves, create_graph=True)
        second = lib.autograd.grad(sum((v * v.cos()).sum() for v in first), leaves) if x.size else ()
        found.append([v.detach().numpy() for v in (*out, *first, *second)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


def test_functions_as_torch(rng):
    """The functions below the layers, for whole and for packed sequences."""
    torch = pytest.importorskip("torch")
    x, h, c = (rng.standard_normal(s) for s in ((4, 2, 3), (2, 2, 5), (2, 2, 5)))
    for name, gates in (("lstm", 4), ("gru", 3), ("rnn_tanh", 1), ("rnn_relu", 1)):
        shapes = [(gates * 5, 3), (gates * 5, 5), (gates * 5,), (gates * 5,)] * 2
        params = [rng.standard_normal(s) for s in shapes]
        found = []
        for lib in (wengert, torch):
            hx = [to_lib(lib, h), to_lib(lib, c)] if name == "lstm" else to_lib(lib, h)
            weights = [to_lib(lib, p) for p in params]
            function = getattr(lib, name)
            whole = function(to_lib(lib, x), hx, weights, True, 1, 0.0, False, True, False)
            sizes = lib.tensor([2, 2, 1])
            packed = function(to_lib(lib, x.reshape(8, 3)[:5]), sizes, hx, weights, True, 1, 0.0, False, True)
            found.append([t.numpy() for t in (*whole, *packed)])
        for a, b in zip(*found, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_transforms(kind, rng):
    """Forward mode is the transpose of backward, vmap is a loop, and a Hessian product is what differences say."""
    layer = getattr(wengert.nn, kind)(3, 4).double()
    x, d = (wengert.from_numpy(rng.standard_normal((5, 2, 3))) for _ in range(2))

    def f(v):
        return layer(v)[0].tanh()

    value, tangent = func.jvp(f, (x,), (d,))
    again = x.clone().requires_grad_()
    out = f(again)
    (back,) = wengert.autograd.grad(out, again, value)
    assert (tangent * value).sum().item() == pytest.approx((back * d).sum().item(), rel=1e-10)
    both = func.vmap(f)(wengert.stack([x, d]))
    for k, one in enumerate((x, d)):
        np.testing.assert_allclose(both[k].detach().numpy(), f(one).detach().numpy(), rtol=1e-12)

    def slope(v):
        return func.grad(lambda u: f(u).square().sum())(v)

    eps = 1e-5
    change = (slope(x + eps * d) - slope(x - eps * d)) / (2 * eps)
    _, product = func.jvp(slope, (x,), (d,))
    np.testing.assert_allclose(product.detach().numpy(), change.detach().numpy(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_same_bits_for_any_number_of_threads(kind, rng):
    layer = getattr(wengert.nn, kind)(64, 96)
    x = wengert.from_numpy(rng.standard_normal((9, 50, 64)).astype(np.float32)).requires_grad_()
    threads, found = wengert.get_num_threads(), []
    try:
        for n in (1, 2, 3):
            wengert.set_num_threads(n)
            y, _ = layer(x)
            grads = wengert.autograd.grad(y.square().sum(), [x, *layer.parameters()])
            found.append([v.detach().numpy().tobytes() for v in (y, *grads)])
    finally:
        wengert.set_num_threads(threads)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_compute_in_float32(dtype, rng):
    layer = wengert.nn.GRU(3, 5)
    x = wengert.from_numpy(rng.standard_normal((4, 2, 3)).astype(np.float32))
    want = layer(x)[0].detach()
    half = getattr(wengert, dtype)
    y = layer.to(half)(x.to(half))[0]
    assert y.dtype == half
    np.testing.assert_allclose(y.detach().float().numpy(), want.numpy(), atol=3e-2)
    y.float().sum().backward()
    assert layer.weight_hh_l0.grad.dtype == half


def test_strided_and_empty_inputs(rng):
    layer = wengert.nn.LSTM(3, 4).double()
    wide = wengert.from_numpy(rng.standard_normal((2, 6, 3)))
    strided = wide.transpose(0, 1)[::2]
    np.testing.assert_array_equal(layer(strided)[0].detach().numpy(), layer(strided.clone())[0].detach().numpy())
    y, (h, c) = layer(wengert.zeros(5, 0, 3, dtype=wengert.float64))
    assert tuple(y.shape) == (5, 0, 4) and tuple(h.shape) == tuple(c.shape) == (1, 0, 4)
    y.sum().backward()
    assert layer.weight_hh_l0.grad.abs().sum().item() == 0


def test_dropout_between_layers_is_repeatable():
    layer = wengert.nn.GRU(3, 16, num_layers=2, dropout=0.5)
    x = wengert.ones(4, 2, 3)
    wengert.manual_seed(3)
    first = layer(x)[0]
    wengert.manual_seed(3)
    assert (layer(x)[0] == first).all().item() and not (layer(x)[0] == first).all().item()
    layer.eval()
    assert (layer(x)[0] == layer(x)[0]).all().item()


def test_only_what_is_needed_is_differentiated(rng):
    """Frozen weights and plain inputs get no gradient, and the others stay the same."""
    x = wengert.from_numpy(rng.standard_normal((4, 2, 3)).astype(np.float32))
    layer = wengert.nn.LSTM(3, 5)
    layer(x)[0].sum().backward()
    want = layer.weight_hh_l0.grad.clone()
    layer.zero_grad()
    layer.weight_ih_l0.requires_grad_(False)
    layer(x)[0].sum().backward()
    assert layer.weight_ih_l0.grad is None and x.grad is None
    assert (layer.weight_hh_l0.grad == want).all().item()


def test_refuses():
    layer = wengert.nn.LSTM(3, 4)
    with pytest.raises(RuntimeError, match="at least one step"):
        layer(wengert.zeros(0, 2, 3))
    with pytest.raises(RuntimeError, match="expected hidden"):
        layer(wengert.zeros(2, 2, 3), (wengert.zeros(1, 3, 4), wengert.zeros(1, 2, 4)))
    with pytest.raises(ValueError, match="weights. dtype"):
        layer(wengert.zeros(2, 2, 3, dtype=wengert.float64))
    with pytest.raises(RuntimeError, match="recurrent: expected weight_ih of shape"):
        wengert.lstm_cell(wengert.zeros(2, 2), [wengert.zeros(2, 4)] * 2, layer.weight_ih_l0, layer.weight_hh_l0)
    with pytest.raises(RuntimeError, match="recurrent: expected hx of shape"):
        wengert.gru_cell(wengert.zeros(2, 3), wengert.zeros(3, 4), wengert.zeros(12, 3), wengert.zeros(12, 4))
