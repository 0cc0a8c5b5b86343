"""Modules of torch that programs name around the work: devices that are not there, random states, trees, timing."""

import collections

import pytest

import wengert
import wengert.autograd.forward_ad as fwAD
from wengert.dropin.names import module_of
from wengert.utils import _pytree, benchmark


def test_devices_that_are_not_there():
    for module in (wengert.accelerator, wengert.mps, wengert.xpu, wengert.cuda):
        assert not module.is_available() and module.device_count() == 0
        module.synchronize()
        module.empty_cache()
    assert wengert.accelerator.current_accelerator() is None
    for call in (
        wengert.accelerator.current_device_index,
        wengert.cuda.get_device_properties,
        wengert.cuda.mem_get_info,
    ):
        with pytest.raises((RuntimeError, AssertionError), match="expected a"):
            call()
    wengert.mps.manual_seed(0)
    wengert.xpu.manual_seed_all(0)
    assert wengert.cuda.get_rng_state_all() == [] and wengert.cuda.memory_summary() == ""
    assert (
        issubclass(wengert.OutOfMemoryError, RuntimeError)
        and wengert.cuda.OutOfMemoryError is wengert.OutOfMemoryError
    )


def test_random_states_are_bytes_and_a_block_gives_them_back():
    wengert.manual_seed(-3)
    state = wengert.get_rng_state()
    assert state.dtype == wengert.uint8 and tuple(state.shape) == (16,)
    with wengert.random.fork_rng():
        first = wengert.rand(4)
    with wengert.random.fork_rng(enabled=False):
        second = wengert.rand(4)
    assert first.tolist() == second.tolist() and wengert.rand(4).tolist() != first.tolist()
    with pytest.raises(ZeroDivisionError), wengert.random.fork_rng():
        wengert.rand(1)
        raise ZeroDivisionError
    wengert.set_rng_state(state.byte())
    assert wengert.rand(4).tolist() == first.tolist()
    with pytest.raises(RuntimeError, match="uint8 state of shape"):
        wengert.set_rng_state(wengert.zeros(2, dtype=wengert.int64))


def test_trees():
    pair = collections.namedtuple("pair", "first second")
    tree = {"a": (1, [2, 3]), "b": pair(4, 5)}
    leaves, spec = _pytree.tree_flatten(tree)
    assert leaves == [1, 2, 3, 4, 5] and spec.num_leaves == 5
    assert _pytree.tree_unflatten(leaves, spec) == tree and type(_pytree.tree_unflatten(leaves, spec)["b"]) is pair
    assert repr(spec) == "TreeSpec(dict, ['a', 'b'], [" + repr(spec.children_specs)[1:] + ")"
    inner = spec.children_specs[0]
    assert inner == _pytree.TreeSpec(tuple, None, [_pytree.LeafSpec(), inner.children_specs[1]]) != spec
    assert _pytree.tree_map(lambda a, b: a * b, tree, tree)["a"] == (1, [4, 9])
    assert _pytree.tree_map_only(int, str, [1, "x"]) == ["1", "x"]
    assert _pytree.tree_leaves([(1, 2), 3], is_leaf=lambda v: isinstance(v, tuple)) == [(1, 2), 3]
    assert _pytree.tree_all(bool, [1, [2]]) and not _pytree.tree_any(bool, [0, [None]])
    with pytest.raises(ValueError, match="one form"):
        _pytree.tree_map(max, [1], [1, 2])
    with pytest.raises(ValueError, match="expected 5 leaves"):
        _pytree.tree_unflatten([1], spec)


def test_forward_mode_by_hand():
    x, v = wengert.tensor([1.0, 2.0]), wengert.tensor([1.0, -1.0])
    with fwAD.dual_level():
        y = fwAD.make_dual(x, v).exp() * x
        assert fwAD.unpack_dual(x).tangent is None
        value, tangent = fwAD.unpack_dual(y)
    assert value.tolist() == (x.exp() * x).tolist() and tangent.tolist() == (x.exp() * x * v).tolist()
    with pytest.raises(RuntimeError, match="inside forward_ad.dual_level"):
        fwAD.make_dual(x, v)
    with fwAD.dual_level():
        with pytest.raises(RuntimeError, match="nest forward mode"):
            fwAD.enter_dual_level()
        with pytest.raises(RuntimeError, match="tangent of shape"):
            fwAD.make_dual(x, v[:1])
        with pytest.raises(ValueError, match="floating dtype"):
            fwAD.make_dual(wengert.arange(2), wengert.arange(2))
    with pytest.raises(RuntimeError, match="open level"):
        fwAD.exit_dual_level()


class Logged:
    """A class that is no tensor and takes part in operations."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return function.__name__, [t.__name__ for t in types]


class Child(Logged):
    """A subclass is asked first."""


def test_functions_of_the_users_take_part_in_torch_function():
    def double(x):
        if wengert.overrides.has_torch_function((x,)):
            return wengert.overrides.handle_torch_function(double, (x,), x)
        return x * 2

    assert double(wengert.ones(1)).item() == 2 and double(Logged()) == ("double", ["Logged"])
    both = wengert.overrides.handle_torch_function(double, (Logged(), Child(), 3), 1)
    assert both == ("double", ["Child", "Logged"])
    assert wengert.overrides.is_tensor_like(wengert.ones(1)) and not wengert.overrides.is_tensor_like(3)

    class Refusing(Logged):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            return NotImplemented

    with pytest.raises(TypeError, match="double.*Refusing"):
        double(Refusing())


def test_timing():
    timer = benchmark.Timer(
        "x + y", setup="y = 2", globals={"x": wengert.ones(3)}, label="sum", sub_label="3", description="small"
    )
    found = timer.blocked_autorange(min_run_time=0.01)
    assert 0 < found.median < 0.01 and found.iqr >= 0 and sum(found.raw_times) >= 0.01
    assert found.times[0] == found.raw_times[0] / found.number_per_run
    assert "Median" in repr(found) and "sum: 3" in repr(found)
    once = timer.timeit(10)
    assert once.mean == once.median and "1 measurement, 10 runs" in repr(once)
    assert timer.adaptive_autorange(min_run_time=0.001, max_run_time=0.01).number_per_run >= 1
    table = str(benchmark.Compare([found, once]))
    assert "small" in table and "sum: 3" in table and len(table.splitlines()) == 3
    with pytest.raises(ValueError, match="in Python"):
        benchmark.Timer("x", language="c++")


def test_settings_are_kept():
    wengert.set_num_interop_threads(2)
    assert wengert.get_num_interop_threads() == 2
    wengert.set_num_interop_threads(1)
    with pytest.raises(RuntimeError, match="positive"):
        wengert.set_num_interop_threads(0)
    assert not wengert.is_warn_always_enabled()
    assert wengert.typename(wengert.ones(1)) == wengert.ones(1).type() and wengert.typename(3) == "int"
    with wengert.nn.attention.sdpa_kernel([wengert.nn.attention.SDPBackend.MATH]):
        pass
    with pytest.raises(TypeError, match="SDPBackend"), wengert.nn.attention.sdpa_kernel("math"):
        pass


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("torch.nn.modules.linear", "Identity"),
        ("torch.nn.utils.stateless", "functional_call"),
        ("torch.nn.utils.convert_parameters", "parameters_to_vector"),
        ("torch.nn.parallel.distributed", "DistributedDataParallel"),
        ("torch.autograd.forward_ad", "make_dual"),
        ("torch.storage", "UntypedStorage"),
        ("torch.random", "fork_rng"),
        ("torch.utils._pytree", "tree_map"),
        ("torch.accelerator", "is_available"),
    ],
)
def test_names_are_found_where_programs_look_for_them(place, name):
    assert callable(getattr(module_of(place), name))


def test_what_takes_several_processes_says_that_there_is_one():
    with pytest.raises(RuntimeError, match="got one process"):
        wengert.nn.parallel.DistributedDataParallel(wengert.nn.Linear(1, 1))
