"""Lazy layers: shapes from the first input, states before and after, against torch."""

import copy
import pickle

import numpy as np
import pytest
from helpers import assert_close, copy_state, state_shapes, to_lib

import wengert

torch = pytest.importorskip("torch")
nn = wengert.nn
CONVOLUTIONS = [f"Lazy{kind}{n}d" for kind in ("Conv", "ConvTranspose") for n in (1, 2, 3)]
NORMS = [f"Lazy{kind}{n}d" for kind in ("BatchNorm", "InstanceNorm") for n in (1, 2, 3)]
INPUTS = {
    n: np.random.default_rng(n).standard_normal((3, 4, 7, 6, 5)[: n + 2]).astype(np.float32) for n in (1, 2, 3)
}
CASES = [
    ("LazyLinear", (5,), {}, INPUTS[1]),
    ("LazyLinear", (5,), {"bias": False}, INPUTS[2]),
    *((name, (6, 3), {}, INPUTS[int(name[-2])]) for name in CONVOLUTIONS),
    *((name, (6, 3), {"bias": False, "groups": 2}, INPUTS[int(name[-2])]) for name in CONVOLUTIONS),
    *((name, (6, 3), {"padding": 1, "stride": 2}, INPUTS[int(name[-2])]) for name in CONVOLUTIONS),
    *((name, (), kwargs, INPUTS[int(name[-2])]) for name in NORMS for kwargs in ({}, {"affine": False}, {"bias": False})),
    *((name, (), {"track_running_stats": False}, INPUTS[int(name[-2])]) for name in NORMS),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize(("name", "args", "kwargs", "array"), CASES)
def test_layer_becomes_the_plain_one(name, args, kwargs, array):
    ours, theirs = getattr(nn, name)(*args, **kwargs), getattr(torch.nn, name)(*args, **kwargs)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert ours.has_uninitialized_params() == theirs.has_uninitialized_params()
    before = list(ours.parameters())
    x, y = to_lib(wengert, array), to_lib(torch, array)
    ours(x)
    theirs(y)
    assert type(ours).__name__ == type(theirs).__name__ == name[4:]
    assert repr(ours) == repr(theirs) and state_shapes(ours) == state_shapes(theirs)
    assert all(p is q for p, q in zip(ours.parameters(), before, strict=True))
    copy_state(theirs, ours, wengert)
    assert_close(ours(x), theirs(y))
    assert not ours._forward_pre_hooks


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_values_are_drawn_like_those_of_the_plain_layer():
    net = nn.LazyLinear(1000)
    net(wengert.zeros(1, 16))
    assert 0.24 < float(net.weight.detach().abs().max()) <= 0.25
    norm = nn.LazyBatchNorm2d()
    norm(wengert.randn(2, 3, 4, 4))
    assert norm.weight.tolist() == [1.0] * 3 and norm.num_batches_tracked.item() == 1


@pytest.mark.parametrize("make", [lambda: nn.LazyLinear(2), lambda: nn.LazyConv1d(2, 3), nn.LazyBatchNorm1d])
def test_states_travel_in_every_direction(make):
    x = wengert.randn(4, 3, 5)
    done = make()
    done(x)
    fresh = make()
    fresh.load_state_dict(done.state_dict())
    assert not fresh.has_uninitialized_params()
    assert wengert.equal(fresh.eval()(x), done.eval()(x))
    assert type(fresh) is type(done)
    empty = make()
    empty.load_state_dict(make().state_dict())
    assert empty.has_uninitialized_params()
    with pytest.raises(RuntimeError):
        done.load_state_dict(make().state_dict())
    for twin in (copy.deepcopy(empty), pickle.loads(pickle.dumps(empty))):
        twin(x)
        assert type(twin) is type(done) and empty.has_uninitialized_params()


def test_dtypes_are_kept_until_there_are_shapes():
    layer = nn.LazyConv2d(2, 3).double()
    layer(wengert.zeros(1, 3, 5, 5, dtype=wengert.float64))
    assert layer.weight.dtype is wengert.float64


def test_tensors_without_a_shape_say_so():
    p = nn.UninitializedParameter()
    with pytest.raises(RuntimeError, match="not initialized"):
        p.shape  # noqa: B018
    assert repr(p) == "<UninitializedParameter>" and isinstance(p, nn.Parameter)
    p.materialize((2,), dtype=wengert.float64)
    assert not isinstance(p, nn.UninitializedParameter) and p.dtype is wengert.float64
    assert repr(p).startswith("Parameter containing:\ntensor(")
    b = nn.UninitializedBuffer()
    b.materialize((3,))
    b.zero_()
    assert not isinstance(b, nn.UninitializedBuffer) and repr(b + 1) == "tensor([1., 1., 1.])"


def test_a_lazy_class_of_ones_own():
    class LazyScale(nn.lazy.LazyModuleMixin, nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.UninitializedParameter()

        def initialize_parameters(self, x):
            with wengert.no_grad():
                self.scale.materialize((x.shape[-1],))
                self.scale.fill_(2.0)

        def forward(self, x):
            return x * self.scale

    layer = LazyScale()
    optimizer = wengert.optim.SGD(layer.parameters(), lr=1.0)
    layer(wengert.ones(2, 3)).sum().backward()
    optimizer.step()
    assert layer.scale.tolist() == [0.0, 0.0, 0.0]


def test_wrong_inputs_are_refused():
    with pytest.raises(RuntimeError, match="4 axes"):
        nn.LazyConv2d(2, 3)(wengert.zeros(3, 4))
    with pytest.raises(ValueError, match="divisible"):
        nn.LazyConv1d(4, 3, groups=2)(wengert.zeros(1, 3, 8))
