"""Operations of a program's own: gradients, mapping, names, and what is refused."""

import pytest
from optools import wengert

from wengert import library


@pytest.fixture(autouse=True)
def forget():
    before = dict(library._OPS)
    yield
    library._OPS.clear()
    library._OPS.update(before)


def make_power(**options):
    @library.custom_op("tests::power", mutates_args=(), **options)
    def power(x: wengert.Tensor, n: int = 2, *, scale: float = 1.0) -> wengert.Tensor:
        return scale * x**n

    return power


def setup(ctx, inputs, output, keyword_only_inputs):
    ctx.save_for_backward(inputs[0])
    ctx.n, ctx.scale = inputs[1], keyword_only_inputs["scale"]


def backward(ctx, g):
    (x,) = ctx.saved_tensors
    return g * ctx.scale * ctx.n * x ** (ctx.n - 1), None


def test_gradients_and_names():
    power = make_power()
    x = wengert.tensor([1.0, 2.0], requires_grad=True)
    assert power(x.detach(), 3).tolist() == [1, 8]
    with pytest.raises(NotImplementedError, match="register_autograd"):
        power(x).sum().backward()
    library.register_autograd("tests::power", backward, setup_context=setup)
    found = library.Ops().tests.power
    assert found is power and found.default is power and "tests::power" in repr(power)
    found(x, n=3, scale=2.0).sum().backward()
    assert x.grad.tolist() == [6, 24]
    assert wengert.vmap(lambda v: power(v, 2))(wengert.ones(2, 3)).shape == (2, 3)


def test_functions_for_kinds_of_device():
    power = make_power(device_types="cuda")
    with pytest.raises(NotImplementedError, match="for the CPU"):
        power(wengert.ones(1))

    @power.register_kernel("cuda")
    def elsewhere(x, n=2):
        return x

    power.register_kernel("cpu")(lambda x, n=2: x + n)
    assert power(wengert.ones(1)).tolist() == [3]
    assert (
        power.register_fake(elsewhere) is elsewhere
        and library.register_fake("tests::power")(elsewhere) is elsewhere
    )


def test_several_results_and_writes():
    @library.custom_op("tests::split", mutates_args=("out",))
    def split(x: wengert.Tensor, out: wengert.Tensor) -> tuple[wengert.Tensor, wengert.Tensor]:
        out.add_(1)
        return x + 1, x * 2

    out = wengert.zeros(2)
    first, second = split(wengert.ones(2), out)
    assert first.tolist() == second.tolist() == [2, 2] and out.tolist() == [1, 1]


def test_libraries_define_first():
    lib = library.Library("tests", "DEF")
    lib.define("twice(Tensor x) -> Tensor")
    lib.impl("twice", lambda x: x, "CUDA")
    with pytest.raises(NotImplementedError):
        library.Ops().tests.twice(wengert.ones(1))
    lib.impl("twice", lambda x: x * 2, "CompositeImplicitAutograd")
    assert library.Ops().tests.twice(wengert.ones(1)).item() == 2


def test_what_is_refused():
    with pytest.raises(ValueError, match="mylib::myop"):
        library.custom_op("power", lambda x: x)
    with pytest.raises(RuntimeError, match="defined"):
        library.register_autograd("tests::nothing", backward)
    with pytest.raises(AttributeError, match="nothing"):
        library.Ops().tests.nothing  # noqa: B018
    with pytest.raises(OSError, match=r"some\.so"):
        library.Ops().load_library("some.so")


def test_operations_by_their_inner_names():
    aten = library.Ops().aten
    x = wengert.tensor([-1.0, 2.0])
    assert aten.relu.default(x).tolist() == [0, 2] and aten.add_(x, 1).tolist() == [0, 3]
    assert aten.clone is aten.clone.default and repr(aten.clone) == "aten.clone"
    with pytest.raises(NotImplementedError, match="convolution_overrideable"):
        aten.convolution_overrideable(x)


def test_functions_that_are_recorded():
    """Registered for CompositeImplicitAutograd or Autograd, the function's own operations have the gradient."""
    for kind in ("CompositeImplicitAutograd", "Autograd"):
        lib = library.Library("tests", "FRAGMENT")
        lib.define(f"cube_{kind}(Tensor x) -> Tensor")
        lib.impl(f"cube_{kind}", lambda x: x**3, kind)
        x = wengert.tensor(2.0, requires_grad=True)
        (first,) = wengert.autograd.grad(getattr(library.Ops().tests, f"cube_{kind}")(x), x, create_graph=True)
        assert (first.item(), wengert.autograd.grad(first, x)[0].item()) == (12, 12)
