"""Names that few programs use, against PyTorch: orthogonal polynomials, memory of other objects, old layers."""

import array

import numpy as np
import pytest
from against_torch import check

import wengert as wg

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(43)
POLYNOMIALS = [name for name in dir(torch.special) if "_polynomial_" in name]


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_orthogonal_polynomials(name):
    """Ours have gradients, torch's have none."""
    x = np.concatenate([RNG.uniform(-1.5, 1.5, 20), [0.0, 1.0, -1.0, 3.0]])
    n = RNG.integers(-2, 9, 24)
    check(f"special.{name}", x, n.astype(float), grad=False)
    check(f"special.{name}", x.astype(np.float32), n, grad=False, rtol=1e-4, atol=1e-5)
    check(f"special.{name}", x[:, None], n, grad=False)
    check(f"special.{name}", np.array([0, 1, 2]), 3, grad=False)
    check(f"special.{name}", 0.5, n, grad=False, atol=1e-5)
    for degree in (-1, 0, 1, 7):
        check(f"special.{name}", x, degree, grad=False)
    function = getattr(wg.special, name)
    assert wg.autograd.gradgradcheck(
        lambda v: function(v, wg.tensor([0, 3, 4])), wg.tensor(x[:3], requires_grad=True)
    )
    out = wg.zeros(24, dtype=wg.float64)
    assert function(wg.tensor(x), 4, out=out) is out


def test_empty_strided():
    for package in (wg, torch):
        x = package.empty_strided((2, 3), (1, 2), dtype=package.float64, requires_grad=True)
        assert x.stride() == (1, 2) and x.dtype == package.float64 and x.requires_grad
        assert package.ones(1).new_empty_strided((2, 0), (4, 1)).shape == (2, 0)
        with pytest.raises(RuntimeError):
            package.empty_strided((2, 3), (1,))
        with pytest.raises(RuntimeError):
            package.empty_strided((2,), (-1,))


def test_frombuffer():
    source = array.array("f", [1.0, 2.0, 3.0])
    x = wg.frombuffer(source, dtype=wg.float32)
    x[0] = 5.0
    assert source[0] == 5.0
    raw = bytearray(RNG.bytes(24))
    for kind in ("uint8", "int16", "int64", "float64", "bfloat16", "complex64", "bool"):
        ours = wg.frombuffer(raw, dtype=getattr(wg, kind), count=2, offset=8)
        theirs = torch.frombuffer(raw, dtype=getattr(torch, kind), count=2, offset=8)
        assert ours.view(wg.uint8).tolist() == theirs.view(torch.uint8).tolist()
    with pytest.raises(RuntimeError, match="read-only"):
        wg.frombuffer(bytes(8), dtype=wg.int64).add_(1)


@pytest.mark.parametrize("given", [{"count": 4}, {"offset": 24}, {"offset": -1}, {"offset": 4}, {"count": 0}])
def test_frombuffer_refuses(given):
    for package in (wg, torch):
        with pytest.raises(ValueError):
            package.frombuffer(bytearray(24), dtype=package.float64, **given)


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_embedding_bag_of_the_package(mode):
    table, index, offsets = RNG.normal(size=(5, 3)), np.array([1, 2, 0, 4, 4, 1]), np.array([0, 2, 2])
    ours = wg.embedding_bag(*map(wg.tensor, (table, index, offsets)), False, mode)
    theirs = torch.embedding_bag(*map(torch.tensor, (table, index, offsets)), False, mode)
    for a, b in list(zip(ours, theirs, strict=True))[: 4 if mode else 1]:  # of sums torch leaves the others empty
        np.testing.assert_allclose(a.numpy(), b.numpy())


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_cross_map_normalisation(size):
    x = RNG.normal(size=(2, 7, 3, 2))
    ours, theirs = (t.nn.CrossMapLRN2d(size, alpha=0.5, beta=0.6, k=2) for t in (wg, torch))
    assert repr(ours) == repr(theirs)
    np.testing.assert_allclose(ours(wg.tensor(x)).numpy(), theirs(torch.tensor(x)).numpy(), rtol=1e-12)
    assert wg.autograd.gradcheck(ours, wg.tensor(x[:1, :, :1, :1], requires_grad=True))
    with pytest.raises(RuntimeError, match="4 dimensions"):
        ours(wg.ones(3))


def test_old_name_of_the_loss():
    with pytest.warns(FutureWarning, match="NLLLoss"):
        loss = wg.nn.NLLLoss2d(ignore_index=1)
    x, target = wg.ones(1, 3, 2, 2).log_softmax(1), wg.tensor([[[0, 1], [2, 1]]])
    assert loss(x, target) == wg.nn.NLLLoss(ignore_index=1)(x, target)


COPIES = """
alias_copy(x) as_strided_copy(x,(2,2),(1,2),1) detach_copy(x) diagonal_copy(x) diagonal_copy(x,1) expand_copy(x,(2,3,4))
narrow_copy(x,1,0,2) permute_copy(x,(1,0)) select_copy(x,0,1) slice_copy(x,1,1,3,2) slice_copy(x,-1) split_copy(x,2)
split_with_sizes_copy(x,[1,2]) squeeze_copy(x[:1]) squeeze_copy(x[:1],0) t_copy(x) transpose_copy(x,0,1) unbind_copy(x)
unbind_copy(x,1) unfold_copy(x,1,2,1) unsqueeze_copy(x,0) view_copy(x,(4,3)) view_as_complex_copy(x.view(6,2))
view_as_real_copy(c)
"""


@pytest.mark.parametrize("call", COPIES.split())
def test_copies_of_views(call):
    found = []
    for lib in (wg, torch):
        x = lib.arange(12.0).reshape(3, 4)
        result = eval(f"lib.{call}", {"lib": lib, "x": x, "c": lib.complex(x, x)})
        parts = result if isinstance(result, tuple) else (result,)
        assert all(p._base is None and p.data_ptr() != x.data_ptr() for p in parts)
        found.append([(type(result).__name__ == "Tensor", p.tolist(), p.is_contiguous()) for p in parts])
    assert found[0] == found[1]


def test_copies_take_out_and_have_gradients():
    x, out = wg.arange(4.0).requires_grad_(), wg.empty(0)
    wg.view_copy(x, (2, 2)).sum().backward()
    assert x.grad.tolist() == [1, 1, 1, 1]
    assert wg.view_copy(x.detach(), (2, 2), out=out) is out and out.tolist() == [[0, 1], [2, 3]]
    with pytest.raises(TypeError, match="t_copy"):
        wg.t_copy(3)
