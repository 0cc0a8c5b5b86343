"""What packages written for PyTorch need beside tensors: metadata, dtypes by name, trees, settings, storages of files."""

import importlib.metadata
import pickle

import numpy as np
import pytest
from optools import wengert

from wengert import backends
from wengert.func._associative_scan import associative_scan
from wengert.utils import _pytree


def test_metadata_of_torch():
    with wengert.as_torch() as torch:
        assert importlib.metadata.version("torch") == torch.__version__
        assert "torch" in {d.metadata["Name"] for d in importlib.metadata.distributions()}
        assert importlib.metadata.version("numpy") == np.__version__


def test_dtypes_without_tensors():
    with wengert.as_torch() as torch:
        assert repr(torch.float8_e4m3fn) == "torch.float8_e4m3fn" and torch.uint16.itemsize == 2
        assert torch.float8_e5m2.is_floating_point and not torch.uint32.is_signed and torch.chalf.is_complex
        assert torch.uint16 != torch.int16 and pickle.loads(pickle.dumps(torch.uint64)) is torch.uint64
        with pytest.raises(TypeError, match="expected a dtype"):
            torch.zeros(2, dtype=torch.uint16)
        with pytest.raises(TypeError, match="expected"):
            torch.zeros(2).to(torch.float8_e4m3fn)
    assert not hasattr(wengert, "uint16")


def test_limits_of_dtypes_without_tensors():
    real = pytest.importorskip("torch")
    from wengert.dropin.dtypes import ABSENT

    for name in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz"):
        mine, theirs = wengert.finfo(ABSENT[name]), real.finfo(getattr(real, name))
        for field in ("bits", "eps", "max", "min", "tiny", "resolution"):
            assert getattr(mine, field) == getattr(theirs, field), (name, field)
    for name in ("uint16", "uint32", "uint64"):
        mine, theirs = wengert.iinfo(ABSENT[name]), real.iinfo(getattr(real, name))
        assert (mine.bits, mine.min, mine.max) == (theirs.bits, theirs.min, theirs.max)


class Pair(dict):
    """A class that is taken apart as it says."""


def test_registered_trees():
    try:
        _pytree.register_pytree_node(
            Pair, _pytree._dict_flatten, lambda values, keys: Pair(zip(keys, values, strict=True))
        )
        tree = {"a": Pair(x=1, y=[2, 3])}
        leaves, spec = _pytree.tree_flatten(tree)
        assert leaves == [1, 2, 3] and type(_pytree.tree_unflatten(leaves, spec)["a"]) is Pair
        assert spec == _pytree.tree_flatten({"a": Pair(x=4, y=[5, 6])})[1]
        assert spec != _pytree.tree_flatten({"a": Pair(z=4, y=[5, 6])})[1]
        x = wengert.arange(4.0)
        out = wengert.vmap(lambda p: Pair(y=p["x"] * 2))(Pair(x=x))
        assert type(out) is Pair and out["y"].tolist() == [0, 2, 4, 6]
        step = wengert.compile(lambda v: Pair(y=v + 1))
        for _ in range(3):
            assert type(step(x)) is Pair and step(x)["y"].tolist() == [1, 2, 3, 4]
        with pytest.raises(ValueError, match="again"):
            _pytree.register_pytree_node(Pair, _pytree._dict_flatten, _pytree._dict_unflatten)
    finally:
        _pytree.SUPPORTED_NODES.pop(Pair, None)
        _pytree.NODES.pop(Pair, None)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 8, 9])
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan(size, reverse):
    rng = np.random.default_rng(size)
    a, b = (wengert.tensor(rng.normal(size=(2, size, 3)), requires_grad=True) for _ in range(2))

    def combine(left, right):  # the recurrence h = a h + b
        return left[0] * right[0], right[0] * left[1] + right[1]

    decay, state = associative_scan(combine, (a, b), 1, reverse=reverse)
    h, rows = wengert.zeros(2, 3, dtype=wengert.float64), []
    for i in reversed(range(size)) if reverse else range(size):
        h = a[:, i] * h + b[:, i]
        rows.append(h)
    rows = rows[::-1] if reverse else rows
    expected = wengert.stack(rows, 1) if rows else b
    assert state.shape == decay.shape == b.shape and wengert.allclose(state, expected)
    if size:
        mine, by_hand = (wengert.autograd.grad(v.sin().sum(), (a, b), allow_unused=True) for v in (state, expected))
        assert wengert.allclose(mine[1], by_hand[1])
        assert size == 1 or wengert.allclose(mine[0], by_hand[0])
    with pytest.raises(ValueError, match="one size"):
        associative_scan(combine, (wengert.ones(2, 3), wengert.ones(3, 2)), 0)
    with pytest.raises(ValueError, match="combine_mode"):
        associative_scan(combine, a, 0, combine_mode="other")


def test_settings_for_a_while():
    with backends.cudnn.flags(enabled=True, other=3):
        assert backends.cudnn.enabled and backends.cudnn.other == 3
    assert not backends.cudnn.enabled and not hasattr(backends.cudnn, "other")
    with backends.cuda.sdp_kernel(enable_flash=False):
        assert not backends.cuda.flash_sdp_enabled() and backends.cuda.math_sdp_enabled()
    assert backends.cuda.flash_sdp_enabled()
    backends.cuda.enable_cudnn_sdp(False)
    assert not backends.cuda.cudnn_sdp_enabled()
    backends.cuda.enable_cudnn_sdp(True)


def test_storages_of_files(tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(np.arange(6, dtype=np.float32).tobytes())
    storage = wengert.UntypedStorage.from_file(str(path), nbytes=24)
    x = wengert.asarray(storage.untyped()[8:16], dtype=wengert.uint8).view(dtype=wengert.float32)
    assert x.tolist() == [2, 3]
    x[0] = 9  # the parts share memory, and the file stays as it was
    assert wengert.asarray(storage).view(wengert.float32).tolist() == [0, 1, 9, 3, 4, 5]
    assert np.fromfile(path, np.float32).tolist() == [0, 1, 2, 3, 4, 5]
    shared = wengert.UntypedStorage.from_file(str(path), shared=True, nbytes=28)
    wengert.asarray(shared).view(wengert.float32)[6] = 7
    assert shared.nbytes() == 28
    del shared
    assert np.fromfile(path, np.float32).tolist() == [0, 1, 2, 3, 4, 5, 7]
    with pytest.raises(RuntimeError, match="expected 99 bytes"):
        wengert.UntypedStorage.from_file(str(path), nbytes=99)


def test_names_of_what_only_gpus_have():
    cuda = wengert.cuda
    with cuda.stream(None):
        pass
    for make in (cuda.Stream, cuda.Event, cuda.CUDAGraph, cuda.device):
        with pytest.raises(RuntimeError, match="expected a GPU"):
            make()
    for ask in (cuda.current_stream, cuda.get_rng_state):
        with pytest.raises(AssertionError, match="expected a GPU"):
            ask()
    with pytest.raises(RuntimeError, match="expected a GPU"):
        cuda.stream(1)


def test_private_names_that_packages_use():
    with wengert.as_torch() as torch:
        from torch._C import DispatchKey, DispatchKeySet
        from torch._dynamo import TransformGetItemToIndex
        from torch.jit.annotations import BroadcastingList2, List
        from torch.onnx.symbolic_helper import parse_args

        assert len(DispatchKeySet(DispatchKey.CPU) | DispatchKeySet(DispatchKey.CUDA)) == 2
        assert parse_args("v", "i")(len) is len and List[int] and BroadcastingList2[int]
        with TransformGetItemToIndex():
            assert torch.vmap(lambda i: torch.arange(4)[i])(torch.tensor([2, 1])).tolist() == [2, 1]
        with torch._tensor_str.printoptions(precision=1):
            assert repr(torch.tensor(1.25)) == "tensor(1.2)"
        assert repr(torch.tensor(1.25)) == "tensor(1.2500)"
        torch._check(True)
        with pytest.raises(RuntimeError, match="told"):
            torch._check(False, lambda: "as told")
        with pytest.raises(AssertionError, match="no"):
            torch._assert(False, "no")
        assert torch.jit.isinstance([1], List[int]) and not torch.jit.isinstance(1, (str, List[int]))
        assert torch.jit.annotate(int, 3) == torch.jit.Attribute(3, int) == 3
        with pytest.raises(NotImplementedError, match="save"):
            torch.jit.save(None, "x")
        assert torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2", "AVX512")
        assert not torch.is_autocast_enabled() and torch.get_autocast_dtype("cpu") == torch.bfloat16


def test_results_of_classes_that_give_way_are_plain():
    with wengert.as_torch() as torch:

        class Mine(torch.Tensor):
            __torch_function__ = torch._C._disabled_torch_function_impl

        x = torch.ones(2).as_subclass(Mine)
        assert type(x) is Mine and type(x + 1) is torch.Tensor and (x + 1).tolist() == [2, 2]

        class Kept(torch.Tensor):
            pass

        y = torch.ones(2).as_subclass(Kept)
        with torch._C.DisableTorchFunctionSubclass():
            assert type(y + 1) is torch.Tensor
        assert type(y + 1) is Kept


@pytest.mark.parametrize("dimension", [1, 5, 40])
def test_sobol_points(dimension):
    real = pytest.importorskip("torch")
    pytest.importorskip("scipy")
    mine, theirs = (m.quasirandom.SobolEngine(dimension) for m in (wengert, real))
    for n in (1, 3, 4, 24):
        assert mine.draw(n).tolist() == theirs.draw(n).tolist()
    mine.fast_forward(5), theirs.fast_forward(5)
    assert mine.draw(2, dtype=wengert.float64).tolist() == theirs.draw(2, dtype=real.float64).tolist()
    assert mine.reset().draw_base2(3).tolist() == theirs.reset().draw_base2(3).tolist()
    with pytest.raises(ValueError, match="power of two"):
        mine.draw_base2(2)
    with pytest.raises(ValueError, match="dimension"):
        wengert.quasirandom.SobolEngine(0)
    assert repr(mine) == repr(theirs)


def test_scrambled_sobol_points():
    pytest.importorskip("scipy")
    first, again, other = (wengert.quasirandom.SobolEngine(3, scramble=True, seed=s).draw(64) for s in (1, 1, 2))
    assert wengert.equal(first, again) and not wengert.equal(first, other)
    for column in first.T:  # one point in each 64th
        assert (column * 64).floor().sort().values.tolist() == list(range(64))


def test_in_place_functions_and_names_of_other_kinds():
    x = wengert.tensor([-1.5, 0.4, 2.0])
    assert wengert.clamp_(x, min=0) is x and x.tolist() == [0, pytest.approx(0.4), 2]
    assert wengert.round_(x).tolist() == [0, 0, 2]
    eye = wengert.eye(2)
    assert wengert.dsmm(eye.to_sparse(), wengert.ones(2, 3)).tolist() == [[1, 1, 1]] * 2
    assert wengert.autograd.forward_ad.unpack_dual(x).tangent is None
    tagged = x.as_subclass(type("Tagged", (wengert.Tensor,), {}))
    for value in (1, 2):
        tagged.__dict__ = {"tag": value}
        assert tagged.tag == value
    with pytest.raises(TypeError, match="expected a dict"):
        tagged.__dict__ = 3
    with wengert.as_torch():
        import torch

        assert not isinstance(3, torch.SymInt) and x.layout != torch.sparse_csr
        torch._assert_async(wengert.tensor(True))
        with pytest.raises(RuntimeError, match="zero"):
            torch._assert_async(wengert.tensor(False))
        seen = []
        wengert.vmap(lambda v: seen.append(torch._C._are_functorch_transforms_active()) or v)(x)
        assert seen == [True] and not torch._C._are_functorch_transforms_active()
