"""Dtypes, memory, printing, views and errors of complex tensors against PyTorch."""

import numpy as np
import pytest
from against_torch import assert_same, pair, same_error
from complex_arrays import R, V, Y, Z, generator

import wengert as wg

torch = pytest.importorskip("torch")
RNG, drawn = generator(21)

# ---- dtypes -------------------------------------------------------------------------------------------------------

KINDS = "bool uint8 int64 float16 bfloat16 float32 float64 complex64 complex128".split()


def numbers(package, kind, dims):
    return package.ones((2,) * dims, dtype=getattr(package, kind))


@pytest.mark.parametrize("complex_kind", ["complex64", "complex128"])
@pytest.mark.parametrize("kind", KINDS)
def test_promotion(kind, complex_kind):
    for first, second in ((1, 1), (0, 1), (1, 0), (0, 0)):
        if kind == "float16" and first and not second:  # PyTorch has a type of two float16; it is not here
            assert (numbers(wg, kind, first) * numbers(wg, complex_kind, second)).dtype is wg.complex64
            continue
        found = [
            str((numbers(m, kind, first) * numbers(m, complex_kind, second)).dtype).split(".")[-1]
            for m in (wg, torch)
        ]
        assert found[0] == found[1], (first, second)
    if kind == "float16":
        assert (numbers(wg, kind, 1) * 1j).dtype is wg.complex64
        return
    assert str((numbers(wg, kind, 1) * 1j).dtype)[8:] == str((numbers(torch, kind, 1) * 1j).dtype)[6:]


@pytest.mark.parametrize("kind", KINDS)
def test_casts(kind):
    values = np.array([1.5 - 2j, 0j, 3 + 0j])
    for source in ("complex64", "complex128"):
        ours, theirs = pair(values.astype(source))
        if not kind.startswith("complex") and kind != "bool":
            with pytest.warns(UserWarning, match="imaginary part is dropped"):
                got = ours.to(getattr(wg, kind))
        else:
            got = ours.to(getattr(wg, kind))
        want = (
            theirs.real.to(getattr(torch, kind))
            if kind not in ("bool", "complex64", "complex128")
            else theirs.to(getattr(torch, kind))
        )
        assert_same(got, want)
    back = numbers(wg, kind, 1).to(wg.complex128)
    assert back.dtype is wg.complex128 and back.tolist() == [1, 1]


def test_the_default_dtype_decides_the_complex_one():
    assert wg.tensor([1j]).dtype is wg.complex64 and wg.full((1,), 1j).dtype is wg.complex64
    wg.set_default_dtype(wg.float64)
    try:
        assert wg.tensor([1j]).dtype is wg.complex128 and wg.full((1,), 1j).dtype is wg.complex128
        assert (wg.arange(2) * 1j).dtype is wg.complex128
    finally:
        wg.set_default_dtype(wg.float32)
    assert wg.zeros(2, dtype=complex).dtype is wg.complex128


def test_a_number_without_dimensions():
    for kind in (wg.complex64, wg.complex128):
        z = wg.tensor(3 + 4j, dtype=kind)
        assert z.item() == 3 + 4j and complex(z) == 3 + 4j and abs(z).item() == 5 and z.dtype is kind
        assert (z * z).item() == -7 + 24j and (z + 1).item() == 4 + 4j and (-z).item() == -3 - 4j
        assert z.real.item() == 3 and z.imag.item() == 4 and z.clone().fill_(1j).item() == 1j
        assert wg.view_as_real(z).tolist() == [3, 4] and z.sum().item() == 3 + 4j
        z += 1j
        assert z.item() == 3 + 5j
        assert z.numpy().shape == () and wg.from_numpy(np.array(z.numpy())).item() == 3 + 5j
        w = z.clone().requires_grad_()
        (w * w.conj()).real.backward()
        assert w.grad.item() == 6 + 10j and w.grad.dtype is kind


def test_constructors():
    for make in ("zeros", "ones", "empty", "eye", "rand", "randn"):
        assert getattr(wg, make)(2, 2, dtype=wg.complex64).dtype is wg.complex64
    assert wg.tensor([1, 2j]).tolist() == [1, 2j]
    assert wg.tensor([[1.5, 2 + 1j]], dtype=wg.complex128).tolist() == [[1.5, 2 + 1j]]
    assert wg.zeros_like(wg.tensor(Z)).abs().sum().item() == 0
    assert wg.linspace(0, 1, 3, dtype=wg.complex64).tolist() == [0, 0.5, 1]
    wg.manual_seed(0)
    x = wg.randn(20000, dtype=wg.complex128)
    assert x.real.var().item() == pytest.approx(0.5, rel=0.05) and x.imag.var().item() == pytest.approx(
        0.5, rel=0.05
    )
    assert abs((x.real * x.imag).mean().item()) < 0.02
    y = wg.rand(1000, dtype=wg.complex64)
    assert 0 <= y.real.min().item() and y.imag.max().item() < 1 and not y.requires_grad and y._base is None


def test_memory_is_shared_with_numpy():
    a = np.array([1 + 2j, 3j])
    t = wg.from_numpy(a)
    t[0] = 5j
    assert a[0] == 5j and t.numpy()[0] == 5j and t.numpy().dtype == np.complex128
    assert memoryview(t).format == "Zd" and np.asarray(t.detach()).tolist() == [5j, 3j]
    assert wg.tensor(np.complex64(2j)).dtype is wg.complex64
    assert (wg.ones(2) * np.complex128(2j)).tolist() == [2j, 2j]


@pytest.mark.parametrize(
    "values",
    [
        [1 + 2j, 3 - 1j, 0.5j],
        [[1 + 0j, -2.5j], [1e-6 + 1j, 3]],
        [1e10 + 1j, 2],
        [float("nan") + 1j, complex(1, float("inf")), complex(-0.0, -0.0)],
        2 - 0.5j,
        [],
        [(k - 3) * (1 + 0.25j) for k in range(40)],
        [k * 1j for k in range(1200)],
    ],
)
def test_printing(values):
    ours = repr(wg.tensor(values, dtype=wg.complex64)).replace("wengert.", "torch.")
    assert ours == repr(torch.tensor(values, dtype=torch.complex64))


# ---- views ----------------------------------------------------------------------------------------------------------


def written(m, z, base):
    """Writes through views of another dtype, between two uses of the base."""
    x = base(m) * 1.5
    first = x.sum()
    if z == "real":
        x.real[1:].mul_(2)
    elif z == "imag":
        x.imag.copy_(x.real)
    elif z == "view_as_real":
        parts = m.view_as_real(x)
        parts[..., 0] = parts[..., 1] * 3
    elif z == "view_as_complex":
        m.view_as_complex(x).mul_(1j)
    else:
        whole, part = m.view_as_complex(x), x[0]
        whole[1:] *= 2j
        part.mul_(3)
        first = first + (whole * 2j).sum().real + part.sum()
    return first, x


@pytest.mark.parametrize("z", ["real", "imag", "view_as_real", "view_as_complex", "both"])
def test_writes_through_views_of_another_dtype(z):
    array = RNG.normal(size=(3, 2)) if z in ("view_as_complex", "both") else drawn(3)
    grads = []
    for side, m in enumerate((wg, torch)):
        leaf = pair(array, True)[side]
        first, x = written(m, z, lambda m, leaf=leaf: leaf)
        (first.real + (x * x.conj()).sum().real).backward()
        grads.append((leaf.grad, x.detach()))
    assert_same(*grads)


def test_parts_are_views():
    z = wg.tensor([1 + 2j, 3j])
    z.real = wg.tensor([5.0, 6.0])
    z.imag[0] = 7
    assert z.tolist() == [5 + 7j, 6 + 3j]
    assert wg.view_as_complex(wg.view_as_real(z)).tolist() == z.tolist()
    assert z.real.stride() == (2,) and z.imag.storage_offset() == 1
    assert z.view(wg.float32).tolist() == [5, 7, 6, 3]
    t = wg.tensor(Z).T
    assert t.real.tolist() == wg.tensor(Z).real.T.tolist() and not t.is_conj() and t.resolve_conj() is t


def test_writing_a_complex_number_into_real_memory():
    for m in (wg, torch):
        with pytest.raises(RuntimeError):
            m.ones(2).mul_(1j)
        with pytest.raises(RuntimeError):
            m.tensor([1j]).abs_()


# ---- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("lt", (Z, Y)),
        ("ge", (Z, 1.0)),
        ("max", (Z,)),
        ("amin", (Z,)),
        ("argmax", (Z,)),
        ("sort", (V,)),
        ("topk", (V, 2)),
        ("maximum", (Z, Y)),
        ("clamp", (Z, 0, 1)),
        ("floor", (Z,)),
        ("round", (Z,)),
        ("sign", (Z,)),
        ("relu", (Z,)),
        ("floor_divide", (Z, 2)),
        ("remainder", (Z, 2)),
        ("erf", (Z,)),
        ("median", (V,)),
        ("cummax", (V, 0)),
        ("nn.functional.softmax", (Z, 1)),
        ("imag", (R,)),
        ("view_as_real", (R,)),
        ("view_as_complex", (R,)),
        ("view_as_complex", (R[:, :2].copy().astype(int),)),
        ("complex", (R, R.astype(np.float32))),
        ("polar", (Z, Z)),
        ("mm", (Z, R.T.copy())),
        ("bitwise_and", (Z, Z)),
        ("nansum", (Z,)),
        (".float_", (Z,)),
    ],
)
def test_refused_as_in_torch(name, args):
    same_error(name, *args)


def test_backward_needs_a_real_loss():
    z = wg.tensor([1j], requires_grad=True)
    with pytest.raises(RuntimeError, match="expected a real tensor, got wengert.complex64"):
        (z * z).sum().backward()
    (z * z).sum().backward(wg.tensor(1 + 0j))
    assert z.grad.item() == -2j
    with pytest.raises(RuntimeError):
        (z * z).sum().backward(wg.tensor(1.0))
    with pytest.raises(RuntimeError, match="imaginary part"):
        float(wg.tensor(1j))
