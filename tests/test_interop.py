"""Memory shared with NumPy and others, storages, pickles and copies, Parameter, Python subclasses."""

import copy
import gc
import io
import pickle
import weakref

import numpy as np
import pytest

import wengert
from wengert._parameter import Parameter

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


@pytest.mark.parametrize("name", NAMES)
def test_memory_is_shared_with_numpy_both_ways(name):
    array = np.zeros((2, 3), dtype=name)
    x = wengert.from_numpy(array)
    array[0, 1] = 1
    assert x.dtype is getattr(wengert, name) and x[0, 1].item() == 1
    x[1, 2] = 1
    assert array[1, 2] == 1
    y = wengert.ones(2, 3, dtype=getattr(wengert, name))
    for view in (y.numpy(), np.asarray(y), np.asarray(memoryview(y)), np.from_dlpack(y)):
        assert view.dtype == name and view.shape == (2, 3)
        assert view.ctypes.data == y.data_ptr()
    y.numpy()[0, 0] = 0
    assert y[0, 0].item() == 0


def test_strides_and_offsets_reach_numpy():
    x = wengert.arange(12).view(3, 4)
    for view in (x.T, x[1:, ::2], x[:, 1], x[2]):
        np.testing.assert_array_equal(view.numpy(), np.array(view.tolist()))
        np.testing.assert_array_equal(np.asarray(memoryview(view)), np.array(view.tolist()))
    array = np.arange(12.0).reshape(3, 4)[::2, 1:]
    assert wengert.from_numpy(array).tolist() == array.tolist()
    assert wengert.tensor(np.arange(3)[::-1]).tolist() == [2, 1, 0]


def test_arrays_outlive_their_tensors():
    array = wengert.ones(1000).numpy()
    view = memoryview(wengert.full((1000,), 2.0))
    gc.collect()
    wengert.zeros(1000)
    assert array.sum() == 1000 and sum(view.tolist()) == 2000
    x = wengert.from_numpy(np.full(1000, 3.0))
    gc.collect()
    assert x.sum().item() == 3000
    y = wengert.ones(3)
    array = y.numpy()
    y.data = wengert.zeros(3)
    assert array.tolist() == [1.0, 1.0, 1.0]


def test_arrays_that_may_not_be_written():
    array = np.zeros(3)
    array.flags.writeable = False
    x = wengert.from_numpy(array)
    with pytest.raises(RuntimeError):
        x.fill_(1)
    assert memoryview(x).readonly


def test_tensors_with_history_are_not_shared():
    x = wengert.ones(2, requires_grad=True)
    for share in (x.numpy, lambda: np.asarray(x), lambda: (x * 2).numpy()):
        with pytest.raises(RuntimeError):
            share()
    for share in (x.__dlpack__, lambda: memoryview(x), lambda: memoryview(wengert.ones(2).bfloat16())):
        with pytest.raises(BufferError):
            share()
    assert x.numpy(force=True).tolist() == [1.0, 1.0]
    assert x.detach().numpy().tolist() == [1.0, 1.0]
    with wengert.no_grad():  # nothing would be lost: as in PyTorch
        assert x.numpy().tolist() == np.asarray(x).tolist() == [1.0, 1.0]


def test_bytes_can_be_read_and_written():
    x = wengert.zeros(4)
    io.BytesIO(np.arange(4, dtype=np.float32).tobytes()).readinto(x)
    assert x.tolist() == [0.0, 1.0, 2.0, 3.0] and bytes(x) == np.arange(4, dtype=np.float32).tobytes()


def test_dlpack_shares_memory():
    array = np.zeros(3, dtype=np.float32)
    x = wengert.from_dlpack(array)
    array[0] = 1
    assert x.tolist() == [1.0, 0.0, 0.0] and x.__dlpack_device__() == (1, 0)
    torch = pytest.importorskip("torch")
    theirs = torch.from_dlpack(x)
    theirs[1] = 5
    assert x.tolist() == [1.0, 5.0, 0.0]
    assert wengert.from_dlpack(torch.arange(3)).tolist() == [0, 1, 2]


def test_arithmetic_with_arrays_and_numpy_scalars():
    x = wengert.ones(2)
    for made in (x + np.ones(2), np.ones(2) + x):
        assert isinstance(made, wengert.Tensor) and made.dtype is wengert.float64 and made.tolist() == [2.0, 2.0]
    for made in (x * np.float64(2), np.float64(2) * x, x * np.float32(2)):
        assert isinstance(made, wengert.Tensor) and made.dtype is wengert.float32 and made.tolist() == [2.0, 2.0]


# ---- storages, pickles, copies -----------------------------------------------------------------------------------


def test_storages():
    x = wengert.arange(6).float().view(2, 3)
    assert x.untyped_storage().data_ptr() == x[1].untyped_storage().data_ptr() == x.data_ptr()
    assert x.untyped_storage() is x.T.untyped_storage() and len(x.untyped_storage()) == 24
    assert x.storage().size() == 6 and x.storage().nbytes() == 24 and x.storage()[4] == 4.0
    assert x[1].storage().tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    x.storage()[0] = 7.0
    assert x[0, 0].item() == 7.0
    assert wengert.tensor(2.0).untyped_storage().nbytes() >= 4


def _pickled(value):
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize("duplicate", [_pickled, copy.deepcopy])
@pytest.mark.parametrize("name", [*NAMES, "bfloat16"])
def test_copies_keep_values_and_layout(duplicate, name):
    x = wengert.arange(6).to(getattr(wengert, name)).view(2, 3)
    for source in (x, x.T, x[:, 1], x[0, 2], wengert.zeros(0, 3, dtype=x.dtype)):
        made = duplicate(source)
        assert made.tolist() == source.tolist() and made.dtype is source.dtype
        assert made.stride() == source.stride() and made.data_ptr() != source.data_ptr()


@pytest.mark.parametrize("duplicate", [_pickled, copy.deepcopy])
def test_copies_keep_shared_memory_shared(duplicate):
    x = wengert.arange(6)
    a, b, c = duplicate([x, x[2:], x])
    a[3] = 100
    assert b.tolist() == [2, 100, 4, 5] and c is a and x[3].item() == 3


@pytest.mark.parametrize("duplicate", [_pickled, copy.deepcopy, copy.copy])
def test_copies_keep_marks(duplicate):
    p = Parameter(wengert.ones(2))
    p.note = "first"
    q = duplicate(p)
    assert isinstance(q, Parameter) and q.requires_grad and q.is_leaf and q.note == "first" and q is not p
    assert not duplicate(wengert.ones(1)).requires_grad
    assert duplicate(wengert.ones(1, requires_grad=True)).requires_grad
    if duplicate is copy.copy:  # a leaf of its own, as in PyTorch
        assert duplicate(p * 2).is_leaf and duplicate(p * 2).requires_grad
        return
    with pytest.raises(RuntimeError):
        duplicate(p * 2)


def test_gradients_are_copied_deeply_and_shallow_copies_share():
    x = wengert.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    y = copy.deepcopy(x)
    assert y.grad.tolist() == [3.0, 3.0] and y.grad is not x.grad
    assert copy.copy(x).data_ptr() == x.data_ptr()


# ---- Parameter ---------------------------------------------------------------------------------------------------


def test_parameter_is_a_mark():
    data = wengert.ones(2, 2)
    p = Parameter(data)
    assert isinstance(p, Parameter) and isinstance(p, wengert.Tensor) and p.requires_grad and p.is_leaf
    assert p.data_ptr() == data.data_ptr() and not isinstance(data, Parameter) and not data.requires_grad
    assert not isinstance(p * 2, Parameter) and not isinstance(p.detach(), Parameter)
    assert type(p * 2) is wengert.Tensor
    assert not isinstance(1, Parameter) and issubclass(Parameter, wengert.Tensor)
    assert repr(p) == "Parameter containing:\ntensor([[1., 1.],\n        [1., 1.]], requires_grad=True)"
    assert not Parameter(data, requires_grad=False).requires_grad and Parameter().shape == (0,)
    with pytest.raises(TypeError):
        Parameter([1.0])


def test_subclasses_of_parameter():
    class Scale(Parameter):
        def doubled(self):
            return self * 2

    s = Scale(wengert.ones(2))
    assert isinstance(s, Scale) and isinstance(s, Parameter) and s.requires_grad
    assert type(s.doubled()) is wengert.Tensor
    s.doubled().sum().backward()
    assert s.grad.tolist() == [2.0, 2.0] and not isinstance(Parameter(wengert.ones(1)), Scale)


# ---- Python subclasses -------------------------------------------------------------------------------------------


class Meters(wengert.Tensor):
    def feet(self):
        return self * 3.28


class Kilometers(Meters):
    pass


def test_results_keep_the_subclass():
    m = Meters([1.0, 2.0])
    for made in (m + 1, 1 - m, m * m, -m, m[0], m.sum(), m.exp(), m.detach(), m.feet(), m.clone(), m.double(),
                 m + wengert.ones(2), wengert.ones(2) + m, m.view(1, 2), m.view(wengert.int32)):  # fmt: skip
        assert type(made) is Meters
    assert type(m + Kilometers([1.0, 2.0])) is Kilometers and [type(v) for v in m] == [Meters, Meters]
    m += 1
    assert type(m) is Meters and m.tolist() == [2.0, 3.0]
    assert repr(m) == "Meters([2., 3.])"
    assert type(copy.deepcopy(m)) is Meters and type(_pickled(m)) is Meters


def test_gradients_flow_through_subclasses():
    x = wengert.ones(2, requires_grad=True)
    m = x.as_subclass(Meters)
    (m * m).sum().backward()
    leaf = Meters([3.0]).requires_grad_()
    (leaf * leaf).sum().backward()
    assert leaf.grad.tolist() == [6.0]
    y = (x * 2).as_subclass(Meters)
    x.grad = None
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_constructors_of_subclasses():
    class Named(wengert.Tensor):
        def __new__(cls, data, name):
            return super().__new__(cls, data)

        def __init__(self, data, name):
            self.name = name

    n = Named([1.0], "a")
    assert n.name == "a" and type(n * 2) is Named
    assert type(wengert.ones(2).as_subclass(Named)) is Named
    with pytest.raises(TypeError):
        wengert.Tensor(2, extra=1)
    with pytest.raises(TypeError):
        wengert.ones(1).as_subclass(int)


def test_torch_function_sees_every_op():
    seen = []

    class Logged(wengert.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            seen.append(func.__name__)
            return super().__torch_function__(func, types, args, kwargs)

    x = Logged([1.0, 2.0])
    y = (x * 2).exp() + x
    assert type(y) is Logged and seen[:3] == ["mul", "exp", "add"]

    class Counted(wengert.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return "seen" if func is wengert.exp else NotImplemented

    assert wengert.exp(Counted([1.0])) == "seen"
    with pytest.raises(TypeError):
        Counted([1.0]) + 1


def test_subclass_instances_come_and_go():
    m = Meters([1.0])
    m.self = m  # a cycle through an attribute
    gone = weakref.ref(m)
    del m
    gc.collect()
    assert gone() is None
    for _ in range(2000):
        Meters([1.0]) * 2
    plain = wengert.ones(2)
    plain.note = 1
    assert plain.note == 1 and weakref.ref(plain)() is plain
    with pytest.raises(AttributeError):
        _ = plain.other


def test_methods_can_be_replaced_on_the_class():
    old = wengert.Tensor.exp
    try:
        wengert.Tensor.exp = lambda self: "patched"
        assert wengert.ones(1).exp() == "patched"
        wengert.Tensor.extra = lambda self: self + 1
        assert wengert.ones(1).extra().item() == 2.0
    finally:
        wengert.Tensor.exp = old
        del wengert.Tensor.extra
