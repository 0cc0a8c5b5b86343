"""wengert.fft against PyTorch: values, dtypes, two orders of gradients, errors."""

import numpy as np
import pytest
from against_torch import assert_same, check, pair, same_error

import wengert as wg

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(3)


def real(*shape):
    return RNG.normal(size=shape)


def drawn(*shape):
    return real(*shape) + 1j * real(*shape)


ANY = ("fft", "ifft")
FROM_REAL = ("rfft", "ihfft")
TO_REAL = ("irfft", "hfft")
NORMS = (None, "backward", "ortho", "forward")


def operand(name, *shape):
    return real(*shape) if name in FROM_REAL or name[:-1] in FROM_REAL else drawn(*shape)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ANY + FROM_REAL + TO_REAL)
def test_norms(name, norm):
    check("fft." + name, operand(name, 2, 5), norm=norm)
    check("fft." + name, operand(name, 4), norm=norm)


@pytest.mark.parametrize("n", [1, 2, 3, 6, 9, None])
@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("name", ANY + FROM_REAL + TO_REAL)
def test_sizes_and_dimensions(name, dim, n):
    check("fft." + name, operand(name, 5, 4), n=n, dim=dim)


@pytest.mark.parametrize("name", ANY)
def test_real_input_counts_as_complex(name):
    check("fft." + name, real(3, 4))
    check("fft." + name + "2", real(3, 4))


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize("name", ANY + FROM_REAL + TO_REAL)
def test_two_dimensions(name, norm):
    check(f"fft.{name}2", operand(name, 2, 4, 3), norm=norm)
    check(f"fft.{name}2", operand(name, 3, 4), s=(5, 2), norm=norm)
    check(f"fft.{name}2", operand(name, 3, 4), s=(-1, 6), dim=(1, 0), norm=norm)


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize("name", ANY + FROM_REAL + TO_REAL)
def test_several_dimensions(name, norm):
    check(f"fft.{name}n", operand(name, 2, 3, 4), norm=norm)
    check(f"fft.{name}n", operand(name, 2, 3, 4), s=(3, 5), norm=norm)
    check(f"fft.{name}n", operand(name, 2, 3, 4), dim=(0, 2), norm=norm)
    check(f"fft.{name}n", operand(name, 2, 3, 4), dim=1, norm=norm)


@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "bool", "complex64", "complex128"])
def test_dtypes(kind):
    array = (real(6) * 3).astype(kind)
    for name in ("fft", "ifft", "irfft", "hfft"):
        check("fft." + name, array, grad=False, rtol=1e-5, atol=1e-5)
    if not kind.startswith("complex"):
        check("fft.rfft", array, grad=False, rtol=1e-5, atol=1e-5)


def test_strided_input():
    ours, theirs = pair(drawn(4, 6))
    assert_same(wg.fft.fft(ours.T[1:, ::2]), torch.fft.fft(theirs.T[1:, ::2]))
    assert_same(wg.fft.rfft(ours.real.T), torch.fft.rfft(theirs.real.T))


@pytest.mark.parametrize("name", ["fftfreq", "rfftfreq"])
@pytest.mark.parametrize("n", [1, 2, 7, 8])
def test_frequencies(name, n):
    for m in (wg, torch):
        assert getattr(m.fft, name)(n, requires_grad=True).requires_grad
    assert_same(getattr(wg.fft, name)(n, 0.25), getattr(torch.fft, name)(n, 0.25))
    assert_same(
        getattr(wg.fft, name)(n, dtype=wg.float64), getattr(torch.fft, name)(n, dtype=torch.float64), rtol=1e-12
    )


@pytest.mark.parametrize("name", ["fftshift", "ifftshift"])
def test_shifts(name):
    for shape in ((5,), (4,), (3, 4)):
        check("fft." + name, real(*shape))
    check("fft." + name, drawn(3, 4), dim=1)
    check("fft." + name, drawn(3, 4), dim=(0,))


@pytest.mark.parametrize("pair_of", [("fft", "ifft"), ("rfft", "irfft"), ("ihfft", "hfft"), ("fft2", "ifft2")])
def test_inverses(pair_of):
    there, back = (getattr(wg.fft, name) for name in pair_of)
    x = wg.tensor(operand(pair_of[0], 6, 6))
    np.testing.assert_allclose(back(there(x)).numpy(), x.numpy(), atol=1e-14)


def test_single_precision_errors_are_small():
    x = real(4096)
    got = wg.fft.fft(wg.tensor(x, dtype=wg.float32)).numpy()
    assert got.dtype == np.complex64
    want = np.fft.fft(x.astype(np.float32).astype(np.float64))
    assert np.abs(got - want).max() / np.abs(want).max() < 1e-6


def test_out():
    x = wg.tensor(drawn(4))
    out = wg.empty(4, dtype=wg.complex128)
    assert wg.fft.fft(x, out=out) is out and wg.equal(out, wg.fft.fft(x))


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("rfft", (drawn(4),), {}),
        ("ihfft", (drawn(4),), {}),
        ("fft", (drawn(4), 0), {}),
        ("fft", (drawn(4), -3), {}),
        ("irfft", (drawn(1),), {}),
        ("fft", (drawn(4),), {"dim": 1}),
        ("fft", (drawn(4),), {"norm": "sideways"}),
        ("fft", (np.array(1j),), {}),
        ("fft", (real(4).astype(np.float16),), {}),
        ("fft", (drawn(0),), {}),
        ("fftn", (drawn(3, 4), (2, 2), (0,)), {}),
        ("fftn", (drawn(3, 4),), {"dim": (0, 0)}),
        ("fftn", (drawn(3, 4), (1, 2, 3)), {}),
        ("fft2", (drawn(4),), {}),
        ("rfftn", (drawn(3, 4),), {}),
        ("fft", ([1.0],), {}),
    ],
)
def test_refused_as_in_torch(name, args, kwargs):
    same_error("fft." + name, *args, **kwargs)


def test_gradients_against_differences():
    x = wg.tensor(real(5)).requires_grad_()
    for function in (wg.fft.rfft, wg.fft.ihfft, lambda v: wg.fft.fft(v, 7).abs()):
        assert wg.testing.gradcheck(function, x) and wg.testing.gradgradcheck(function, x)
    z = wg.tensor(drawn(2, 3)).requires_grad_()
    for function in (wg.fft.irfft2, wg.fft.hfft, lambda v: wg.fft.fftn(v) ** 2):
        assert wg.testing.gradcheck(function, z) and wg.testing.gradgradcheck(function, z)
