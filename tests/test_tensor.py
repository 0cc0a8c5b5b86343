"""Creation, conversion, methods and printing of tensors, against PyTorch where it is installed."""

import numpy as np
import pytest

import wengert

torch = pytest.importorskip("torch")

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]


def same(ours, theirs, exact=True):
    """Equal shape, dtype and values."""
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.dtype).partition(".")[2] == str(theirs.dtype).partition(".")[2]
    a, b = np.array(ours.tolist(), dtype=float), np.array(theirs.tolist(), dtype=float)
    if exact:
        np.testing.assert_array_equal(a, b)
    else:
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def both(text):
    """The value, or the kind of error, of an expression over `t` in both libraries."""
    results = []
    for t in (wengert, torch):
        try:
            results.append(eval(text, {"t": t, "np": np}))
        except Exception as error:
            results.append(error)
    return results


@pytest.mark.parametrize(
    "text",
    [
        "t.tensor(1)", "t.tensor(1.5)", "t.tensor(True)", "t.tensor([1, 2])", "t.tensor([1, 2.5])",
        "t.tensor([True, 2])", "t.tensor([])", "t.tensor([[]])", "t.tensor([[1, 2], [3, 4]])", "t.tensor(range(3))",
        "t.tensor([1.5, -2.5], dtype=t.int64)", "t.tensor([0, 2], dtype=t.bool)",
        "t.tensor((1, 2), dtype=t.float64)",
        "t.tensor(np.float64(1))", "t.tensor([np.float64(1)])", "t.tensor([np.float32(1), np.float64(2)])",
        "t.tensor([1, np.float32(1)])", "t.tensor(np.arange(3, dtype=np.int16))", "t.tensor(np.int8(3))",
        "t.tensor([t.tensor(1), t.tensor(2.0)])", "t.tensor([1.0, t.tensor(2)])",
        "t.tensor([t.tensor(2, dtype=t.int8)])", "t.tensor(np.array(3.0))", "t.tensor(np.ones((2, 0)))",
        "t.tensor([1, 2], dtype=float)", "t.tensor([1.5], dtype=int)", "t.tensor(1, dtype=t.bfloat16)",
        "t.zeros(2, 3)", "t.zeros((2, 3))", "t.zeros([2])", "t.zeros(())", "t.zeros(2, dtype=t.int32)",
        "t.zeros(size=(2, 3))", "t.ones(3, dtype=t.bool)", "t.ones(t.Size((2, 1)))", "t.full((2,), 3)",
        "t.full((2, 2), 0.5)", "t.full((), True)", "t.full((2,), 1, dtype=t.float64)", "t.full([3], float('inf'))",
        "t.arange(5)", "t.arange(2, 7)", "t.arange(2, 7, 2)", "t.arange(7, 2, -2)", "t.arange(0, 1, 0.1)",
        "t.arange(1.0, 3.0)", "t.arange(3, dtype=t.float32)", "t.arange(0, 2.5, 0.5, dtype=t.float64)",
        "t.arange(t.tensor(4))", "t.arange(0)", "t.arange(0, 5, 3)", "t.arange(5, dtype=t.int8)",
        "t.arange(3, dtype=t.float16)", "t.arange(-3, 3)", "t.arange(end=3)", "t.arange(start=1, end=3)",
        "t.linspace(0, 1, 5)", "t.linspace(-1, 1, 8)", "t.linspace(2, 2, 3)", "t.linspace(0, 1, 1)",
        "t.linspace(0, 1, 0)", "t.linspace(3, -2, 6, dtype=t.float64)", "t.linspace(0, 10, steps=5)",
        "t.logspace(0, 2, 3)", "t.logspace(0, 3, 4, base=2)", "t.eye(3)", "t.eye(2, 3)",
        "t.eye(3, 2, dtype=t.int64)",
        "t.zeros_like(t.ones(2, 3))", "t.ones_like(t.zeros(2, dtype=t.int32))", "t.full_like(t.ones(2), 7)",
        "t.full_like(t.ones(2), 7, dtype=t.int64)", "t.zeros_like(t.ones(2), dtype=t.bool)",
        "t.ones(2).new_zeros(3)", "t.ones(2).new_zeros((3, 1))", "t.ones(2).new_ones(2, 2, dtype=t.int64)",
        "t.ones(2, dtype=t.int32).new_full((2,), 5)", "t.ones(2).new_tensor([1, 2])", "t.ones(2).new([1, 2])",
        "t.as_tensor([1, 2.0])", "t.as_tensor(np.ones(2))", "t.as_tensor(np.ones(2), dtype=t.float32)",
        "t.asarray([1, 2])", "t.from_numpy(np.arange(4).reshape(2, 2))", "t.Tensor([1, 2])", "t.Tensor((2, 3))",
        "t.Tensor()", "t.Tensor(np.ones(2))", "t.LongTensor([1, 2])", "t.FloatTensor([[1], [2]])",
        "t.DoubleTensor([1])", "t.BoolTensor([True, False])", "t.ByteTensor([1, 255])", "t.IntTensor([3])",
        "t.HalfTensor([1.5])", "t.ShortTensor([3])", "t.CharTensor([-1])", "t.BFloat16Tensor([1.5])",
        "t.clone(t.ones(2))", "t.zeros(2, out=t.ones(2))", "t.arange(3, out=t.zeros(3, dtype=t.int32))",
    ],
)  # fmt: skip
def test_created_tensors_equal_torch(text):
    ours, theirs = both(text)
    assert not isinstance(theirs, Exception), theirs
    assert not isinstance(ours, Exception), ours
    same(ours, theirs, exact="linspace" not in text and "logspace" not in text and "0.1" not in text)


@pytest.mark.parametrize(
    "text",
    [
        "t.zeros()", "t.zeros(2.0)", "t.zeros(-1)", "t.zeros(2, dtype='x')", "t.arange(3, 0)", "t.arange(1, 2, 0)",
        "t.arange(float('nan'))", "t.tensor([[1, 2], [3]])", "t.tensor('a')", "t.tensor(10**20)", "t.Tensor(2.5)",
        "t.tensor(300, dtype=t.uint8)", "t.linspace(0, 1, -1)", "t.zeros(2).to('nowhere')", "t.ones(2).H",
        "t.ones(2).mT", "t.ones(2, 3).view(4)", "t.ones(2, 3).view(t.float64)", "t.tensor(1.0).view(t.int64)",
        "t.from_numpy([1])", "t.from_numpy(np.float32(1))", "t.from_numpy(np.ones(3)[::-1])",
        "t.from_numpy(np.array(['a']))", "t.ones(3, requires_grad=True).resize_(2)", "t.ones(2).item()",
        "t.ones(2, requires_grad=True).numpy()", "t.finfo(t.int8)", "t.iinfo(t.float32)",
        "t.set_default_dtype(t.int32)", "t.device('nowhere')", "t.is_nonzero(t.ones(2))", "t.ones(2).size(1)",
        "t.zeros(2, dtype=t.int64, requires_grad=True)", "t.tensor([1], requires_grad=True)",
        "format(t.ones(2), '.3f')", "t.ones(2).fill_(t.ones(2))",
    ],
)  # fmt: skip
def test_errors_have_torchs_kinds(text):
    ours, theirs = both(text)
    assert isinstance(theirs, Exception), theirs
    assert isinstance(ours, type(theirs)) or isinstance(ours, IndexError) and isinstance(theirs, IndexError), ours


@pytest.mark.parametrize("source", NAMES)
@pytest.mark.parametrize("target", NAMES)
def test_conversion_between_all_dtypes(source, target):
    values = [0, 1, 2, 100] if source == "bool" else [0, 1, 3, 100]
    ours = wengert.tensor(values, dtype=getattr(wengert, source)).to(getattr(wengert, target))
    theirs = torch.tensor(values, dtype=getattr(torch, source)).to(getattr(torch, target))
    same(ours, theirs)


@pytest.mark.parametrize(
    "method, name",
    [("float", "float32"), ("double", "float64"), ("half", "float16"), ("bfloat16", "bfloat16"), ("long", "int64"),
     ("int", "int32"), ("short", "int16"), ("char", "int8"), ("byte", "uint8"), ("bool", "bool")],
)  # fmt: skip
def test_conversion_methods(method, name):
    x = wengert.tensor([0.0, 1.0, 2.0])
    made = getattr(x, method)()
    assert made.dtype is getattr(wengert, name)
    assert getattr(made, method)() is made


def test_to_accepts_torchs_forms():
    x = wengert.ones(2, requires_grad=True)
    assert x.to("cpu") is x and x.to(wengert.device("cpu")) is x and x.to(wengert.float32) is x
    assert x.to("cpu", wengert.float64).dtype is wengert.float64
    assert x.to(device="cpu", dtype=wengert.float64, non_blocking=True).dtype is wengert.float64
    assert x.to(wengert.ones(1, dtype=wengert.float64)).dtype is wengert.float64
    copied = x.to(wengert.float32, copy=True)
    assert copied is not x and copied.data_ptr() != x.data_ptr()
    x.to(wengert.float64).sum().backward()
    assert x.grad.dtype is wengert.float32 and x.grad.tolist() == [1.0, 1.0]
    for call in (
        lambda: x.to("cuda"),
        lambda: wengert.zeros(2, device="cuda:0"),
        lambda: wengert.device("tpu", 1),
        lambda: wengert.ones(2).to(wengert.device("cuda", 1)),
        lambda: wengert.zeros(2, device=wengert.device("mps")),
        lambda: wengert.nn.Linear(2, 2).to(wengert.device("cuda:0")),
        lambda: wengert.set_default_device(wengert.device("xpu")),
        lambda: wengert.device("cuda").__enter__(),
    ):
        with pytest.raises((RuntimeError, AssertionError), match="CPU only"):
            call()
    cuda = wengert.device("cuda:1")  # programs ask about kinds
    assert (cuda.type, cuda.index, str(cuda)) == ("cuda", 1, "cuda:1") and cuda != wengert.device("cpu", 1)
    assert repr(cuda) == "device(type='cuda', index=1)" and cuda == wengert.device(cuda) and len({cuda, cuda}) == 1
    assert not wengert.cuda.is_available() and wengert.cuda.device_count() == 0
    assert not wengert.backends.mps.is_available()


def test_type_names_and_type_classes():
    x = wengert.ones(2)
    assert x.type() == "wengert.FloatTensor"
    assert x.type("torch.DoubleTensor").dtype is wengert.float64
    assert x.type(wengert.LongTensor).dtype is wengert.int64
    assert x.type(wengert.int8).type() == "wengert.CharTensor"
    assert isinstance(x, wengert.FloatTensor) and not isinstance(x, wengert.LongTensor)
    assert x.type_as(wengert.ones(1, dtype=wengert.float64)).dtype is wengert.float64
    with pytest.raises(ValueError):
        x.type("NoTensor")


def test_sizes_are_tuples_that_stay_sizes():
    size = wengert.zeros(2, 3, 4).shape
    assert size == (2, 3, 4) and isinstance(size, tuple) and isinstance(size, wengert.Size)
    assert repr(size) == "wengert.Size([2, 3, 4])" and size.numel() == 24
    assert isinstance(size[1:], wengert.Size) and size[-1] == 4
    assert isinstance(size + (1,), wengert.Size) and (0,) + size == (0, 2, 3, 4)
    assert wengert.zeros(2, 3).size() == (2, 3) and wengert.zeros(2, 3).size(-1) == 3
    a, b = wengert.zeros(2, 3).size()
    assert (a, b) == (2, 3)


def test_questions_about_a_tensor():
    x = wengert.zeros(2, 3)
    assert x.device == wengert.device("cpu") and str(x.device) == "cpu" and x.device.type == "cpu"
    assert repr(wengert.device("cpu", 0)) == "device(type='cpu', index=0)" and wengert.device("cpu:0").index == 0
    assert not x.is_cuda and not x.is_sparse and not x.is_shared() and not x.is_pinned() and x.get_device() == -1
    assert x.is_floating_point() and not x.is_complex() and x.element_size() == 4 and x.nelement() == 6
    assert x.layout is wengert.strided and repr(x.layout) == "wengert.strided"
    assert x.T.shape == (3, 2) and x.mT.shape == (3, 2) and x.H.shape == (3, 2) and wengert.zeros(4).T.shape == (4,)
    assert wengert.is_tensor(x) and not wengert.is_tensor(1) and wengert.numel(x) == 6
    assert wengert.is_floating_point(x) and wengert.is_nonzero(wengert.ones(1))
    assert x.share_memory_() is x and x.pin_memory() is x and x.cpu() is x and x.contiguous() is x
    assert x.T.contiguous().is_contiguous() and x.T.contiguous().data_ptr() != x.data_ptr()
    assert x.view_as(wengert.zeros(6)).shape == (6,) and "uniform_" in dir(x)
    assert f"{wengert.tensor(1.5):.3f}" == "1.500" and f"{wengert.ones(1)}" == "tensor([1.])"


def test_in_place_fills():
    x = wengert.zeros(2, 3)
    assert x.fill_(2).tolist() == [[2.0] * 3] * 2 and x.zero_().sum().item() == 0
    x[:, 1].fill_(wengert.tensor(5.0))
    assert x.tolist() == [[0.0, 5.0, 0.0]] * 2
    assert x.copy_(wengert.arange(3)).tolist() == [[0.0, 1.0, 2.0]] * 2
    leaf = wengert.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError):
        leaf.zero_()
    y = leaf * 2
    y.zero_()
    assert y.tolist() == [0.0, 0.0]


def test_detach_in_place():
    x = wengert.ones(2, requires_grad=True)
    y = x * 2
    assert y.detach_() is y and not y.requires_grad and y.is_leaf
    with pytest.raises(RuntimeError):
        (x * 2)[0].detach_()
    assert not x.detach_().requires_grad


def test_views_as_another_dtype():
    values = np.arange(8, dtype=np.float32).reshape(2, 4)
    for name in NAMES:
        ours, theirs = wengert.tensor(values), torch.tensor(values)
        if name != "bool":
            same(ours.view(getattr(wengert, name)), theirs.view(getattr(torch, name)))
    x = wengert.zeros(2)
    x.view(wengert.int32)[0] = 1065353216
    assert x.tolist() == [1.0, 0.0]
    assert wengert.tensor(1.0).view(wengert.int32).item() == 1065353216


def test_resize_and_set():
    x = wengert.arange(6).float()
    address = x.data_ptr()
    assert x.resize_(2, 2).tolist() == [[0.0, 1.0], [2.0, 3.0]] and x.data_ptr() == address
    assert x.resize_(10)[:6].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    y = wengert.zeros(1).set_(x)
    y[0] = 9
    assert x[0].item() == 9
    z = wengert.zeros(1).set_(x.untyped_storage(), 2, (2, 2), (2, 1))
    assert z.tolist() == [[2.0, 3.0], [4.0, 5.0]]
    with pytest.raises(RuntimeError):
        wengert.zeros(1).set_(x.untyped_storage(), 0, (100,))


def test_default_dtype():
    try:
        wengert.set_default_dtype(wengert.float64)
        assert wengert.zeros(1).dtype is wengert.tensor(1.0).dtype is wengert.get_default_dtype() is wengert.float64
        assert wengert.rand(1).dtype is wengert.arange(1.0).dtype is wengert.float64
        assert repr(wengert.zeros(1)) == "tensor([0.])"
    finally:
        wengert.set_default_dtype(wengert.float32)
    wengert.set_default_device("cpu")
    with pytest.raises(AssertionError):
        wengert.set_default_device("cuda")


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_limits_of_floats(name):
    ours, theirs = wengert.finfo(getattr(wengert, name)), torch.finfo(getattr(torch, name))
    for field in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution", "dtype"):
        assert getattr(ours, field) == getattr(theirs, field), field
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("name", ["uint8", "int8", "int16", "int32", "int64"])
def test_limits_of_integers(name):
    ours, theirs = wengert.iinfo(getattr(wengert, name)), torch.iinfo(getattr(torch, name))
    assert (ours.bits, ours.min, ours.max, ours.dtype) == (theirs.bits, theirs.min, theirs.max, theirs.dtype)
    assert repr(ours) == f"iinfo(min={theirs.min}, max={theirs.max}, dtype={name})"


# ---- printing ----------------------------------------------------------------------------------------------------


def assert_same_text(theirs, ours=None):
    """Equal texts, but for the longer name in dtype=, which may move that to a line of its own."""
    if ours is None:
        ours = wengert.tensor(theirs.tolist(), dtype=getattr(wengert, str(theirs.dtype)[6:]))
        ours = ours.reshape(tuple(theirs.shape))
    a, b = repr(theirs).replace("torch.", "wengert."), repr(ours)
    if "dtype" in a:
        a, b = a.split(), b.split()
    assert a == b


SHAPES = [(), (1,), (3,), (2, 3), (2, 2, 2), (0,), (0, 3), (2, 0), (40,), (3, 30), (1001,), (40, 30), (2, 2, 2, 2),
          (7, 1, 200), (1, 1001), (1100, 1)]  # fmt: skip


@pytest.mark.parametrize("scale", [1, 1000, 1e5, 1e-3, 1e-6, 1e9, 123])
def test_numbers_print_as_in_torch(scale):
    generator = torch.Generator().manual_seed(0)
    for shape in SHAPES:
        x = torch.randn(shape, generator=generator) * scale
        whole = x.clamp(-1e9, 1e9)
        for y in (x, x.round(), x.double(), x.bfloat16(), whole.long(), whole.int(), x > 0):
            assert_same_text(y)
        if x.numel():
            for place, value in ((0, float("nan")), (-1, float("inf")), (-1, -float("inf"))):
                x.view(-1)[place] = value
                assert_same_text(x)


@pytest.mark.parametrize(
    "options",
    [{"precision": 2}, {"precision": 8}, {"edgeitems": 2, "threshold": 10}, {"linewidth": 120}, {"linewidth": 20},
     {"profile": "short"}, {"profile": "full"}, {"sci_mode": True}, {"sci_mode": False},
     {"edgeitems": 0, "threshold": 5}],
)  # fmt: skip
def test_print_options(options):
    generator = torch.Generator().manual_seed(1)
    try:
        torch.set_printoptions(**options)
        wengert.set_printoptions(**options)
        for shape in [(3,), (4, 9), (8, 8, 8), (50,)]:
            for scale in (1, 1e-5, 1e6):
                x = torch.randn(shape, generator=generator) * scale
                for y in (x, x.round(), x.long()):
                    assert_same_text(y)
    finally:
        torch.set_printoptions(profile="default")
        wengert.set_printoptions(profile="default")
    with pytest.raises(ValueError):
        wengert.set_printoptions(profile="none")


def test_history_is_printed():
    x, y = torch.ones(3, requires_grad=True), wengert.ones(3, requires_grad=True)
    assert_same_text(x, y)
    assert_same_text(x * 2, y * 2)
    assert_same_text((x * 2).sum(), (y * 2).sum())
    assert_same_text(torch.nn.Parameter(torch.ones(2)), wengert.nn.Parameter(wengert.ones(2)))


def test_python_functions_of_elements():
    calls = [
        lambda t: t.tensor([[1.0, 2.0]]).apply_(lambda v: v * 2),
        lambda t: t.ones(2, dtype=t.int64).apply_(lambda v: v + 0.7),
        lambda t: t.ones(2, dtype=t.bool).apply_(lambda v: not v),
        lambda t: t.ones(2, 3).t().map_(t.arange(2.0), lambda a, b: a - b),
        lambda t: t.ones(2).map2_(t.ones(2), t.full((2,), 3.0), lambda a, b, c: a + b * c),
        lambda t: t.ones(2, requires_grad=True).apply_(abs),
        lambda t: t.ones(2).map_(t.ones(2, requires_grad=True), max),
        lambda t: t.ones(2).map_(t.ones(3), max),
        lambda t: t.ones(2).map_(t.ones(2, dtype=t.int64), max),
        lambda t: t.ones(2).apply_(str),
        lambda t: t.ones(2).apply_(3),
        lambda t: t.zeros(2)["a"],
    ]
    for call in calls:
        results = []
        for lib in (torch, wengert):
            try:
                results.append(call(lib).tolist())
            except (RuntimeError, TypeError) as error:
                results.append(type(error))
        assert results[0] == results[1]
