"""Public functions are the kind of object that they are in PyTorch: built in ones do not bind to instances."""

import copy
import inspect
import io
import pickle
import weakref
from importlib import import_module

import pytest

import wengert
import wengert.nn.functional as F
from wengert import _core

PLACES = [
    "",
    ".nn.functional",
    ".linalg",
    ".fft",
    ".special",
    ".sparse",
    ".masked",
    ".nn.init",
    ".func",
    ".utils.data",
]


def functions(namespace):
    """The public functions of a namespace by name, those behind lazy names too."""
    found = {n: getattr(namespace, n) for n in dir(namespace) if not n.startswith("_")}
    return {n: f for n, f in found.items() if callable(f) and not isinstance(f, type)}


@pytest.mark.parametrize("place", PLACES)
def test_what_binds_in_torch_binds(place):
    torch = pytest.importorskip("torch")
    ours = functions(import_module("wengert" + place))
    both = {n: f for n, f in functions(import_module("torch" + place)).items() if n in ours}
    assert len(both) >= 2
    assert {n: hasattr(ours[n], "__get__") for n in both} == {n: hasattr(f, "__get__") for n, f in both.items()}
    assert torch.relu is not None


def built_in():
    for place in ("", ".nn.functional", ".linalg", ".fft", ".special", ".sparse"):
        for name, f in functions(import_module("wengert" + place)).items():
            if isinstance(f, _core.Public):
                yield f"wengert{place}.{name}", f


@pytest.mark.parametrize("f", [pytest.param(f, id=name) for name, f in built_in()])
def test_built_in_functions_keep_what_functions_have(f):
    assert pickle.loads(pickle.dumps(f)) is f and pickle.loads(pickle.dumps(f, 0)) is f
    assert copy.copy(f) is f and copy.deepcopy(f) is f and weakref.ref(f)() is f
    assert f.__doc__ and f.__doc__ == f.__wrapped__.__doc__
    assert f.__name__ == f.__qualname__ and getattr(import_module(f.__module__), f.__name__) is f
    if not inspect.ismethoddescriptor(f.__wrapped__):
        assert inspect.signature(f) == inspect.signature(f.__wrapped__)
    with pytest.raises(AttributeError, match="no attribute 'zzz'"):
        f.zzz  # noqa: B018


def test_a_class_holds_functions():
    class Holder:
        convolve = F.conv2d
        multiply = wengert.matmul
        add = wengert.add
        invert = wengert.linalg.inv
        transform = wengert.fft.fft
        entropy = wengert.special.entr
        grad = wengert.is_grad_enabled
        cut = wengert.detach
        negate = wengert.neg_

    x, w = wengert.randn(1, 1, 4, 4), wengert.randn(2, 1, 3, 3)
    holder, square = Holder(), wengert.eye(3) * 2
    assert holder.convolve(x, w).equal(F.conv2d(x, w))
    assert holder.multiply(square, square).equal(square @ square) and holder.add(1.0, square)[0, 0] == 3
    assert holder.invert(square).equal(wengert.eye(3) / 2) and holder.transform(square).is_complex()
    assert holder.entropy(square)[0, 1] == 0 and holder.grad() and not holder.cut(square).requires_grad
    assert holder.negate(wengert.ones(1)).item() == -1


def test_methods_bind():
    class Tensor(wengert.Tensor):
        twice = wengert.Tensor.add
        copied = wengert.Tensor.clone

    x = wengert.ones(2).as_subclass(Tensor)
    assert x.twice(x).tolist() == [2, 2] and x.copied().tolist() == [1, 1]
    for f in (wengert.Tensor.add, wengert.Tensor.clone, wengert.Tensor.softmax):
        assert pickle.loads(pickle.dumps(f)) is f and f.__qualname__ == f"Tensor.{f.__name__}" and f.__doc__


def test_functions_are_saved_by_name():
    file = io.BytesIO()
    kept = [wengert.conv2d, F.linear, wengert.linalg.inv, wengert.relu, wengert.Tensor.relu, wengert.Tensor.clone]
    wengert.save(kept, file)
    file.seek(0)
    assert all(a is b for a, b in zip(wengert.load(file, weights_only=False), kept, strict=True))


def test_a_compiled_function_takes_them_as_they_are():
    class Layer(wengert.nn.Module):
        op = F.linear

        def forward(self, x, w):
            return self.op(x, w)

    layer, x, w = Layer(), wengert.randn(2, 3), wengert.randn(4, 3)
    fast = wengert.compile(layer)
    for _ in range(4):
        assert fast(x, w).equal(F.linear(x, w))
