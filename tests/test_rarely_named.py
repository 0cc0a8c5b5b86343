"""Names of the package that few programs use, against PyTorch: states, decorators, devices that are not there."""

import re

import numpy as np
import pytest
from against_torch import check, same_error

import wengert as wg

torch = pytest.importorskip("torch")

BOTH = (wg, torch)
RNG = np.random.default_rng(29)


def said(value):
    """A value as text, with one name for both packages."""
    return re.sub("wengert", "torch", repr(value))


def agree(run):
    """What run(package) gives is the same in both packages."""
    ours, theirs = (said(run(package)) for package in BOTH)
    assert ours == theirs
    return ours


# ---- tensors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "bool", "complex64"])
def test_where_a_tensor_lies(dtype):
    for package in BOTH:
        x = package.zeros(2, 3, dtype=getattr(package, dtype))
        assert x.is_cpu and x.t().is_cpu
        assert not x.is_meta and not x.is_mps and not x.is_nested
        with pytest.raises(AttributeError):
            x.is_cpu = False


def test_is_set_to():
    def run(package):
        a = package.ones(4)
        b = a.view(2, 2)
        pairs = [(a, a), (a, b), (a, a[1:]), (a, a.detach()), (b, b.t()), (a[:2], a[:2]), (b, a.reshape(2, 2))]
        pairs += [(a, a.clone()), (package.ones(0), package.ones(0)), (a, package.ones(4, dtype=package.float64))]
        return [x.is_set_to(y) for x, y in pairs], a.is_set_to(tensor=a)

    assert {"True", "False"} <= set(re.findall(r"\w+", agree(run)))
    same_error(".is_set_to", np.ones(2), 3)


@pytest.mark.parametrize("name", ["cfloat", "cdouble"])
def test_complex_numbers_of_a_precision(name):
    check("." + name, RNG.normal(size=(2, 3)), grad=False)
    check("." + name, np.arange(3), grad=False)
    check("." + name, RNG.normal(size=3) + 1j, grad=False)
    same_error("." + name, np.ones(2), 3, 4)

    def run(package):
        kind = getattr(package, name)
        x = package.tensor([1.0, -2.0], requires_grad=True)
        y = getattr(x, name)(memory_format=package.preserve_format)
        (y * (3 - 4j)).real.sum().backward()
        same = package.ones(2, dtype=kind)
        return kind, y.dtype, x.grad.tolist(), getattr(same, name)() is same, package.ones(2).to(kind)

    agree(run)


# ---- states -----------------------------------------------------------------------------------------------------------


def test_default_device():
    def run(package):
        found = [package.get_default_device()]
        package.set_default_device("cpu")
        found.append(package.get_default_device())
        package.set_default_device(None)
        with package.device("cpu"):
            found.append(package.get_default_device())
        return found, package.ones(1).device

    agree(run)


@pytest.mark.filterwarnings("ignore")
def test_anomaly_mode_tells_whether_it_looks_for_nan():
    def run(package):
        def now():
            return package.is_anomaly_enabled(), package.is_anomaly_check_nan_enabled()

        found = [now()]
        for check_nan in (True, False):
            with package.autograd.detect_anomaly(check_nan=check_nan):
                found.append(now())
        with package.autograd.set_detect_anomaly(True, check_nan=False):
            found.append(now())
        with package.autograd.set_detect_anomaly(False):
            found.append(now())
        return found, now()

    agree(run)


@pytest.mark.filterwarnings("ignore")
def test_default_tensor_type():
    def run(package):
        found = []
        try:
            for kind in (package.DoubleTensor, "torch.HalfTensor", "torch.DoubleTensor", package.FloatTensor):
                package.set_default_tensor_type(kind)
                found.append((package.get_default_dtype(), package.ones(1).dtype, package.tensor(1.5).dtype))
        finally:
            package.set_default_dtype(package.float32)
        return found

    agree(run)
    for wrong in ("torch.IntTensor", "torch.NoTensor", "torch.cuda.FloatTensor", 3, None):
        same_error("set_default_tensor_type", wrong)
        assert wg.get_default_dtype() == wg.float32


def test_grad_mode_is_the_module_of_the_switches():
    for package in BOTH:
        modes = package.autograd.grad_mode
        assert modes.no_grad is package.no_grad and modes.enable_grad is package.enable_grad
        assert modes.set_grad_enabled is package.set_grad_enabled
        x = package.ones(2, requires_grad=True)
        with modes.no_grad():
            assert not (x * 2).requires_grad
            with modes.enable_grad():
                assert (x * 2).requires_grad
        with modes.inference_mode():
            assert package.is_inference_mode_enabled() and not (x * 2).requires_grad


# ---- mixed precision --------------------------------------------------------------------------------------------------


def power(package, decorate_forward, decorate_backward):
    """A Function whose methods are decorated."""

    class Power(package.autograd.Function):
        @staticmethod
        @decorate_forward
        def forward(ctx, x, exponent):
            ctx.save_for_backward(x)
            ctx.exponent = exponent
            return x**exponent

        @staticmethod
        @decorate_backward
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * ctx.exponent * x ** (ctx.exponent - 1), None

    return Power


@pytest.mark.parametrize("cast", [False, True])
def test_decorated_functions(cast):
    def run(package):
        amp = package.amp
        options = {"cast_inputs": package.float32} if cast else {}
        kind = power(package, amp.custom_fwd(device_type="cpu", **options), amp.custom_bwd(device_type="cpu"))
        x = package.tensor([1.0, -3.0], requires_grad=True)
        with package.autocast("cpu", dtype=package.bfloat16):
            y = kind.apply(x, 3)
        y.sum().backward()
        return y.dtype, y.tolist(), x.grad.tolist(), kind.forward.__name__

    agree(run)


@pytest.mark.filterwarnings("ignore")
def test_decorators_for_a_gpu():
    def run(package):
        amp = package.cuda.amp
        kind = power(package, amp.custom_fwd(cast_inputs=package.float32), amp.custom_bwd)
        x = package.tensor([1.0, -3.0], requires_grad=True)
        kind.apply(x, 2).sum().backward()
        return x.grad.tolist()

    agree(run)


def test_decorators_want_a_device():
    for package in BOTH:
        for decorator in (package.amp.custom_fwd, package.amp.custom_bwd):
            with pytest.raises(TypeError, match="device_type"):
                decorator(lambda ctx: ctx)
            with pytest.raises(ValueError, match="device_type"):
                decorator(device_type=3)(lambda ctx: ctx)


# ---- what is not there ------------------------------------------------------------------------------------------------


def test_a_gpu_that_is_not_there():
    for package in BOTH:
        assert package.cuda.max_memory_allocated() == 0
        # torch: AssertionError
        with pytest.raises((RuntimeError, AssertionError)):
            package.cuda.current_device()
        with pytest.raises((RuntimeError, AssertionError)):
            package.cuda.get_device_name(0)
    assert wg.cuda.reset_peak_memory_stats() is None


def test_processes_that_are_not_there():
    assert not wg.distributed.is_available() and not wg.distributed.is_initialized()
    for call in (wg.distributed.init_process_group, wg.distributed.get_world_size):
        with pytest.raises(RuntimeError, match=r"is_available\(\) or is_initialized\(\)"):
            call()
    with pytest.raises((ValueError, RuntimeError)):
        torch.distributed.get_world_size()


# ---- transforms of two and more dimensions ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hfft2", "hfftn", "ihfft2", "ihfftn"])
@pytest.mark.parametrize(
    "options",
    [{}, {"norm": "ortho"}, {"norm": "forward"}, {"s": (4, 6)}, {"dim": (1, 0)}, {"s": (3, 4), "dim": (2, 0)}],
    ids=str,
)
def test_hermitian_transforms(name, options):
    x = RNG.normal(size=(3, 4, 5))
    check("fft." + name, x if name.startswith("i") else x + 1j * RNG.normal(size=x.shape), **options)
    check("fft." + name, x.astype(np.float32), grad=False, rtol=1e-4, atol=1e-5, **options)


@pytest.mark.parametrize("name", ["hfft2", "hfftn", "ihfft2", "ihfftn"])
def test_hermitian_transforms_refuse(name):
    for options in ({"norm": "no"}, {"dim": (0, 0)}, {"s": (0, 3)}, {"dim": (0, 5)}):
        same_error("fft." + name, np.ones((3, 4)), **options)
