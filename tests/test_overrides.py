"""`__torch_function__` of modes and classes: what is asked, with which function, in which order; beside torch."""

import pickle

import pytest

import wengert
import wengert.nn.functional


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


CALLS = [
    "x + y, x - y, x * y, x / y, x // y, x % y, x**y, x @ y, -x, abs(x)",
    "2 + x, 2 - x, 2 * x, 2 / x, 2 // x, 2 % x, 2**x",
    "x < y, x <= y, x == y, x != y, x > y, x >= y, 2 < x",
    "~i, i & i, i | i, i ^ i, i << i, i >> i, 1 & i, 1 << i",
    "len(x), bool(x.sum() > 0), float(x.sum()), x[0], x.size(), x.sum(0), x.to('cpu'), x.detach(), x.clone()",
    "torch.zeros(2), torch.tensor(1.0), torch.relu(x), torch.matmul(x, y), torch.cat([x, y]), torch.stack([x, y])",
    "F.relu(x), F.linear(x, y), F.softmax(x, dim=-1), torch.linalg.norm(x), torch.special.i1e(x), torch.fft.fft(x)",
    "x.double(), x.view(4), x.numel(), x.dim(), x.add_(1), torch.add(x, y), x.max(1)",
    "x.mean(dim=0, keepdim=True), torch.where(x > 0, x, y), x.tolist(), x.flatten(), torch.rand(2), torch.arange(3)",
    "torch.manual_seed(1), torch.is_tensor(x), torch.get_default_dtype(), torch.is_grad_enabled()",
]


def seen_by_mode(torch, text):
    """The names, by resolve_name, of the functions that a mode sees in a tuple of expressions."""
    seen = []

    class Seeing(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            name = torch.overrides.resolve_name(func).partition(".")[2]
            assert name.rpartition(".")[2].startswith("__") or func.__name__.endswith(name.rpartition(".")[2])
            seen.append(name)
            return func(*args, **(kwargs or {}))

    x, y, i = torch.ones(2, 2), torch.ones(2, 2), torch.ones(2, 2).int()
    with Seeing():
        eval(text, {"torch": torch, "F": torch.nn.functional, "x": x, "y": y, "i": i})
    return seen


@pytest.mark.parametrize("text", CALLS)
def test_a_mode_sees_what_torch_shows_it(torch, text):
    assert seen_by_mode(wengert, text) == seen_by_mode(torch, text)


def test_functions_and_methods_are_told_apart():
    seen = []

    class Seeing(wengert.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append(func)
            return func(*args, **(kwargs or {}))

    x = wengert.ones(2)
    with Seeing():
        _ = (
            wengert.add(x, x),
            x.add(x),
            wengert.sum(x),
            x.sum(),
            wengert.clone(x),
            x.clone(),
            wengert.exp(x),
            x.exp(),
        )
    at, of = wengert, wengert.Tensor
    expected = [at.add, of.add, at.sum, of.sum, at.clone, of.clone, at.exp, of.exp]
    assert all(a is b for a, b in zip(seen, expected, strict=True)) and len({id(f) for f in seen}) == 8


def test_a_mode_enters_itself(torch):
    def once(torch):
        log = []

        class Again(torch.overrides.TorchFunctionMode):
            def __torch_function__(self, func, types, args=(), kwargs=None):
                log.append(func.__name__)
                if func is torch.mul:
                    with self:
                        return torch.add(*args)
                return func(*args, **(kwargs or {}))

        with Again():
            log.append(torch.mul(torch.ones(1), 3).item())
        return log

    assert once(wengert) == once(torch) == ["ones", "mul", "add", "item", 4.0]


def two_modes(torch):
    log = []

    class Named(torch.overrides.TorchFunctionMode):
        def __init__(self, name):
            self.name = name

        def __torch_function__(self, func, types, args=(), kwargs=None):
            log.append((self.name, func.__name__))
            return func(*args, **(kwargs or {}))

    x = torch.ones(3)
    with Named("outer"):
        x.sum()
        with Named("inner") as mode:
            x.mean()
            assert mode.name == "inner" and torch.overrides.has_torch_function((1,))
        x.prod()
    x.exp()
    assert not torch.overrides.has_torch_function((x,))
    with pytest.raises(ZeroDivisionError), Named("left"):
        _ = 1 / 0
    x.exp()
    return log


def test_the_innermost_mode_is_asked_first(torch):
    assert two_modes(wengert) == two_modes(torch)
    assert two_modes(wengert) == [("outer", "sum"), ("inner", "mean"), ("outer", "mean"), ("outer", "prod")]


def refusals(torch):
    """What two classes and a mode, some of which refuse, make of calls."""
    log = []

    class Base(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            log.append((cls.__name__, func.__name__, [t.__name__ for t in types]))
            if cls.__name__ == "Refusing":
                return NotImplemented
            return super().__torch_function__(func, types, args, kwargs or {})

    class Child(Base):
        pass

    class Refusing(torch.Tensor):
        __torch_function__ = Base.__dict__["__torch_function__"]

    base, child = torch.ones(2).as_subclass(Base), torch.ones(2).as_subclass(Child)
    log.append(type(base + child).__name__)
    log.append(type(torch.stack([torch.ones(2), base])).__name__)
    log.append(type(child.sum(0)).__name__)
    log.append([type(v).__name__ for v in child.view(1, 2).max(1)])
    log.append(type(torch.nn.functional.relu(child)).__name__)
    with torch._C.DisableTorchFunctionSubclass() if hasattr(torch, "_C") else wengert._core.SubclassesOff():
        log.append(type(base + child).__name__)
    with pytest.raises(TypeError):
        _ = torch.ones(2).as_subclass(Refusing) * 2
    return log


def test_classes_are_asked_as_torch_asks_them(torch):
    assert refusals(wengert) == refusals(torch)


class Kelvin:
    """No tensor at all: it takes part where it overrides a function."""

    handled = {}

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return cls.handled[func](*args) if func in cls.handled else NotImplemented


def test_values_that_are_no_tensors_answer_inside_a_mode_and_beside_tensors():
    Kelvin.handled = {wengert.add: lambda a, b: "added", wengert.mean: lambda a: "mean", wengert.Tensor.add: max}
    with wengert.overrides.BaseTorchFunctionMode():
        assert wengert.add(Kelvin(), 1) == "added" and wengert.mean(Kelvin()) == "mean"
        with pytest.raises(TypeError, match="sub.*Kelvin"):
            wengert.sub(Kelvin(), 1)


def test_what_no_mode_is_there_for_costs_nothing():
    code = wengert.einsum.__code__
    with wengert.overrides.BaseTorchFunctionMode():
        inside = wengert.einsum.__code__
        assert wengert.einsum("i->", wengert.ones(2)).item() == 2
    assert inside is not code or wengert.einsum.__code__ is code


def test_public_functions_of_the_core_have_names_and_pickle():
    for f in (wengert.zeros, wengert.Tensor.clone, wengert.matmul):
        assert pickle.loads(pickle.dumps(f)) is f and f.__doc__ and f.__qualname__.endswith(f.__name__)
    assert wengert.overrides.resolve_name(wengert.Tensor.clone) == "wengert.Tensor.clone"
    assert wengert.overrides.is_tensor_method_or_property(wengert.Tensor.clone)
    assert not wengert.overrides.is_tensor_method_or_property(wengert.clone)
    assert wengert.overrides.resolve_name(len) is None


def test_reflected_shifts(torch):
    for m in (wengert, torch):
        assert (1 << m.tensor([1, 2])).tolist() == [2, 4] and (8 >> m.tensor([1, 2])).tolist() == [4, 2]


def test_a_mode_without_a_method():
    with (
        pytest.raises(NotImplementedError, match="defines __torch_function__"),
        wengert.overrides.TorchFunctionMode(),
    ):
        wengert.ones(1)
    assert wengert.ones(1).item() == 1


def names_of(functions, namespace):
    return {name for name in dir(namespace) if any(getattr(namespace, name, None) is f for f in functions)}


@pytest.mark.parametrize("place", ["", "nn.functional", "linalg", "fft", "special"])
def test_overridable_functions_are_those_of_torch(torch, place):
    found, theirs = {}, None
    for lib in (torch, wengert):
        space = lib
        for part in place.split(".") if place else ():
            space = getattr(space, part)
        names = names_of(lib.overrides.get_overridable_functions()[space], space)
        # Torch leaves out abs_ and its like; classes are no functions.
        names = {n for n in names if not n.startswith("_") and not n.endswith("_")}
        names = {n for n in names if not isinstance(getattr(space, n), type)}
        if theirs is None:
            theirs = space
        found[lib.__name__] = {n for n in names if hasattr(theirs, n) and hasattr(space, n)}
    ours = {n for n in found["torch"] if hasattr(space, n)}
    here_only = {"lu", "unique", "pca_lowrank", "svd_lowrank"}
    here_only |= {
        "hardsigmoid",
        "hardswish",
        "sigmoid",
        "tanh",
        "upsample",
        "upsample_bilinear",
        "upsample_nearest",
    }
    assert ours - found["wengert"] == set() and len(ours) > 15
    assert found["wengert"] - found["torch"] <= here_only


def test_ignored_functions(torch):
    for lib in (torch, wengert):
        ignored = lib.overrides.get_ignored_functions()
        assert {lib.zeros, lib.tensor, lib.get_default_dtype, lib.rand_like, lib.fft.fftfreq} <= ignored
        assert not {lib.add, lib.zeros_like, lib.relu, lib.nn.functional.linear} & ignored


def test_stand_ins_take_what_the_functions_take(torch):
    for lib in (torch, wengert):
        overrides = lib.overrides.get_testing_overrides()
        assert overrides[lib.add](1, 2) == overrides[lib.Tensor.add](1, 2) == overrides[lib.Tensor.detach](1) == -1
        assert overrides[lib.nn.functional.linear](1, weight=2) == overrides[lib.linalg.inv](1) == -1
        with pytest.raises(TypeError):
            overrides[lib.nn.functional.linear](1, 2, 3, 4, 5)
    assert all(callable(f) for f in overrides.values()) and len(overrides) > 1000


def test_properties_have_names(torch):
    for lib in (torch, wengert):
        name = lib.__name__
        assert lib.overrides.resolve_name(lib.Tensor.shape.__get__) == f"{name}.Tensor.shape.__get__"
        assert lib.overrides.is_tensor_method_or_property(lib.Tensor.shape.__get__)
        assert lib.overrides.is_tensor_method_or_property(lib.Tensor.mT.__get__)
        assert not lib.overrides.is_tensor_method_or_property(lib.add)
