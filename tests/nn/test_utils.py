"""nn.init and nn.utils."""

import copy

import numpy as np
import pytest
from helpers import copy_state, state_shapes

import wengert

torch = pytest.importorskip("torch")
nn = wengert.nn


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("uniform_", {"a": -2, "b": 3}), ("normal_", {"mean": 1.0, "std": 2.0}), ("trunc_normal_", {"a": -1.0,
        "b": 0.5}),
        ("xavier_uniform_", {"gain": 2}), ("xavier_normal_", {}), ("kaiming_uniform_", {"mode": "fan_out"}),
        ("kaiming_normal_", {"nonlinearity": "relu"}),
    ],
)  # fmt: skip
def test_random_init_has_torchs_moments(name, kwargs):
    ours = getattr(nn.init, name)(wengert.empty(150, 200), **kwargs).numpy()
    theirs = getattr(torch.nn.init, name)(torch.empty(150, 200), **kwargs).numpy()
    assert abs(ours.mean() - theirs.mean()) < 0.04 * max(1, theirs.std()) and ours.std() == pytest.approx(
        theirs.std(), rel=0.03
    )
    if name != "normal_" and "normal" not in name:
        assert ours.max() == pytest.approx(theirs.max(), rel=0.02)


def test_exact_init():
    for name, shape in (("dirac_", (4, 2, 3, 3)), ("eye_", (3, 4)), ("ones_", (2,)), ("zeros_", (2,))):
        ours, theirs = (getattr(lib.nn.init, name)(lib.empty(*shape)).numpy() for lib in (wengert, torch))
        np.testing.assert_array_equal(ours, theirs)
    w = nn.init.sparse_(wengert.empty(10, 4), 0.3).numpy()
    assert ((w == 0).sum(0) == 3).all()
    q = nn.init.orthogonal_(wengert.empty(6, 2, 2), gain=2).numpy().reshape(6, 4)
    np.testing.assert_allclose(q.T @ q, 4 * np.eye(4), atol=1e-4)
    for kind in ("linear", "tanh", "relu", "leaky_relu", "selu"):
        assert nn.init.calculate_gain(kind) == torch.nn.init.calculate_gain(kind)
    with pytest.raises(ValueError, match="expected a nonlinearity"):
        nn.init.calculate_gain("nope")


@pytest.mark.parametrize("norm_type", [1.0, 2.0, float("inf")])
def test_clipping(norm_type):
    results = []
    for lib in (wengert, torch):
        params = [lib.nn.Parameter(lib.zeros(3)), lib.nn.Parameter(lib.zeros(2, 2))]
        for i, p in enumerate(params):
            p.grad = lib.arange(p.numel(), dtype=lib.float32).reshape(tuple(p.shape)) - i
        total = lib.nn.utils.clip_grad_norm_(params, 1.0, norm_type).item()
        lib.nn.utils.clip_grad_value_(params, 0.3)
        results.append(np.concatenate([[total], *(p.grad.numpy().ravel() for p in params)]))
    np.testing.assert_allclose(*results, rtol=1e-5)


def test_parameters_as_a_vector():
    net = nn.Linear(2, 3)
    vector = nn.utils.parameters_to_vector(net.parameters())
    nn.utils.vector_to_parameters(vector * 2, net.parameters())
    np.testing.assert_allclose(
        nn.utils.parameters_to_vector(net.parameters()).detach().numpy(), 2 * vector.detach().numpy()
    )


def test_padding_of_sequences():
    for kwargs in ({}, {"batch_first": True, "padding_value": -1.0}, {"padding_side": "left"}):
        ours, theirs = (
            lib.nn.utils.rnn.pad_sequence([lib.ones(3, 2), lib.ones(1, 2), lib.ones(2, 2)], **kwargs).tolist()
            for lib in (wengert, torch)
        )
        assert ours == theirs
    packed = nn.utils.rnn.pack_sequence([wengert.ones(1), 2 * wengert.ones(3)], enforce_sorted=False)
    assert [s.tolist() for s in nn.utils.rnn.unpack_sequence(packed)] == [[1.0], [2.0, 2.0, 2.0]]


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("where", ["utils", "parametrizations"])
@pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm"])
def test_normalized_weights(where, kind):
    pair = []
    for lib in (wengert, torch):
        utils = lib.nn.utils if where == "utils" else lib.nn.utils.parametrizations
        pair.append(getattr(utils, kind)(lib.nn.Conv2d(2, 3, 2)))
    assert sorted(state_shapes(pair[0])) == sorted(state_shapes(pair[1]))
    copy_state(pair[1], pair[0], wengert)
    if where == "parametrizations":
        assert repr(pair[0]).splitlines()[0] == repr(pair[1]).splitlines()[0]
    x = np.random.default_rng(0).standard_normal((2, 2, 4, 4)).astype(np.float32)
    ours, theirs = pair
    outputs = [m(lib.from_numpy(x)).detach().numpy() for m, lib in zip(pair, (wengert, torch), strict=True)]
    np.testing.assert_allclose(*outputs, rtol=1e-4, atol=1e-5)
    if kind == "weight_norm":
        assert {n for n, _ in ours.named_parameters()} == {n for n, _ in theirs.named_parameters()}
    if where == "utils":
        getattr(nn.utils, "remove_" + kind)(ours)
        assert list(ours.state_dict()) == ["bias", "weight"] and not ours._forward_pre_hooks


@pytest.mark.parametrize("orthogonal_map", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3)])
def test_orthogonal_weights(orthogonal_map, shape):
    layer = nn.utils.parametrizations.orthogonal(nn.Linear(shape[1], shape[0]), orthogonal_map=orthogonal_map)
    other = torch.nn.utils.parametrizations.orthogonal(
        torch.nn.Linear(shape[1], shape[0]), orthogonal_map=orthogonal_map
    )
    assert state_shapes(layer) == state_shapes(other)
    copy_state(other, layer, wengert)
    np.testing.assert_allclose(layer.weight.detach().numpy(), other.weight.detach().numpy(), atol=1e-5)
    (layer.weight * wengert.arange(float(shape[1]))).sum().backward()
    with wengert.no_grad():
        layer.parametrizations.weight.original -= 0.1 * layer.parametrizations.weight.original.grad
    w = layer.weight.detach().numpy()
    w = w if shape[0] >= shape[1] else w.T
    np.testing.assert_allclose(w.T @ w, np.eye(w.shape[1]), atol=1e-4)


def test_parametrization_life():
    class Double(nn.Module):
        def forward(self, x):
            return x * 2

        def right_inverse(self, x):
            return x / 2

    layer = nn.Linear(2, 2)
    weight, value = layer.weight, layer.weight.detach().clone()
    parametrize = nn.utils.parametrize
    parametrize.register_parametrization(layer, "weight", Double())
    assert type(layer).__name__ == "ParametrizedLinear" and layer.parametrizations.weight.original is weight
    assert bool((layer.weight == value).all())
    with parametrize.cached():
        assert layer.weight is layer.weight
    layer.weight = wengert.ones(2, 2)
    assert bool((layer.parametrizations.weight.original == 0.5).all())
    twin = copy.deepcopy(layer)
    assert bool((twin.weight == 1).all())
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear and not parametrize.is_parametrized(layer)
    assert isinstance(layer.weight, nn.Parameter) and bool((layer.weight == 1).all())
    assert parametrize.is_parametrized(twin)
