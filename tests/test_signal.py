"""Windows and short-time Fourier transforms against PyTorch."""

import warnings

import numpy as np
import pytest
from against_torch import assert_same, check, same_error, torch

import wengert as wg

RNG = np.random.default_rng(3)
SIGNAL = RNG.normal(size=(2, 50))
COMPLEX = RNG.normal(size=40) + 1j * RNG.normal(size=40)
HANN = np.hanning(9)[:8]


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("length", [0, 1, 2, 7, 8])
@pytest.mark.parametrize("name", ["hann", "hamming", "blackman", "bartlett", "kaiser"])
def test_windows_of_the_package(name, length, periodic):
    for dtype in ("float32", "float64"):
        args = (length, periodic)
        ours = getattr(wg, name + "_window")(*args, dtype=getattr(wg, dtype))
        theirs = getattr(torch, name + "_window")(*args, dtype=getattr(torch, dtype))
        assert_same(ours, theirs, rtol=1e-5, atol=1e-7)


def test_arguments_of_windows():
    assert_same(wg.hamming_window(6, True, 0.6, 0.4), torch.hamming_window(6, True, 0.6, 0.4))
    assert_same(wg.kaiser_window(6, True, 5.0), torch.kaiser_window(6, True, 5.0))
    assert wg.hann_window(4, requires_grad=True).requires_grad
    same_error("hann_window", -1)
    with pytest.raises(RuntimeError, match="floating dtype"):
        wg.hann_window(4, dtype=wg.int64)


WINDOWS = {
    "bartlett": {},
    "blackman": {},
    "cosine": {},
    "exponential": {"tau": 2.5},
    "gaussian": {"std": 0.9},
    "general_cosine": {"a": [0.5, 0.3, 0.2]},
    "general_hamming": {"alpha": 0.7},
    "hamming": {},
    "hann": {},
    "kaiser": {"beta": 4.0},
    "nuttall": {},
}


@pytest.mark.parametrize("sym", [True, False])
@pytest.mark.parametrize("length", [0, 1, 2, 7, 8])
@pytest.mark.parametrize("name", WINDOWS)
def test_windows_of_signal(name, length, sym):
    if name == "kaiser" and length == 1:
        return  # torch divides by 0 there
    ours = getattr(wg.signal.windows, name)(length, sym=sym, dtype=wg.float64, **WINDOWS[name])
    theirs = getattr(torch.signal.windows, name)(length, sym=sym, dtype=torch.float64, **WINDOWS[name])
    assert_same(ours, theirs, rtol=1e-6, atol=1e-9)


def test_mistakes_in_windows():
    same_error("signal.windows.hann", -1)
    same_error("signal.windows.gaussian", 3, std=-1)
    same_error("signal.windows.exponential", 3, tau=-1)
    same_error("signal.windows.exponential", 3, center=1)
    same_error("signal.windows.kaiser", 3, beta=-1)
    same_error("signal.windows.general_cosine", 3, a=[])
    same_error("signal.windows.general_cosine", 3, a=None)
    same_error("signal.windows.hann", 3, dtype="dtype:int64")


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((SIGNAL, 8), {"window": HANN, "return_complex": True}),
        ((SIGNAL[0], 8, 3), {"window": HANN[:6], "win_length": 6, "return_complex": True}),
        ((SIGNAL, 7, 2, 5), {"return_complex": True, "center": False, "normalized": True}),
        ((SIGNAL, 8), {"return_complex": False, "pad_mode": "constant"}),
        ((SIGNAL, 8), {"return_complex": True, "onesided": False, "window": HANN}),
        ((COMPLEX, 8), {}),
        ((SIGNAL[0], 8), {"window": HANN + 0.5j * HANN, "return_complex": True}),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore")
def test_stft(args, kwargs):
    check("stft", *args, rtol=1e-9, **kwargs)
    check(".stft", *args, rtol=1e-9, **kwargs)


def spectrum(*args, **kwargs):
    made = [torch.from_numpy(v) if isinstance(v, np.ndarray) else v for v in args]
    named = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch advises windows
        return torch.stft(*made, return_complex=True, **named).numpy()


@pytest.mark.parametrize(
    ("spec", "args", "kwargs"),
    [
        (spectrum(SIGNAL, 8, window=HANN), (8,), {"window": HANN}),
        (spectrum(SIGNAL[0], 8, 2, window=HANN), (8, 2), {"window": HANN, "length": 45}),
        (spectrum(SIGNAL, 8, 2, normalized=True), (8, 2), {"normalized": True, "length": 60}),
        (spectrum(SIGNAL, 8, onesided=False), (8,), {"onesided": False}),
        (
            spectrum(COMPLEX, 8, window=HANN + 0.1),
            (8,),
            {"window": HANN + 0.1, "onesided": False, "return_complex": True},
        ),
        (spectrum(SIGNAL, 8, 2, center=False), (8, 2), {"center": False}),
    ],
    ids=["hann", "length", "padded", "two sides", "complex", "not centred"],
)
@pytest.mark.filterwarnings("ignore")
def test_istft(spec, args, kwargs):
    check("istft", spec, *args, rtol=1e-8, atol=1e-9, **kwargs)


def test_round_trip():
    x = wg.from_numpy(SIGNAL)
    window = wg.hann_window(16, dtype=wg.float64)
    back = wg.istft(x.stft(16, 4, window=window, return_complex=True), 16, 4, window=window, length=50)
    np.testing.assert_allclose(back.numpy(), SIGNAL, atol=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_mistakes_in_transforms():
    same_error("stft", SIGNAL, 8)  # return_complex is missing
    same_error("stft", SIGNAL, 0, return_complex=True)
    same_error("stft", SIGNAL, 8, win_length=9, return_complex=True)
    same_error("stft", SIGNAL, 8, window=HANN[:5], return_complex=True)
    same_error("stft", SIGNAL[:, :3], 8, center=False, return_complex=True)
    same_error("stft", np.arange(20), 8, return_complex=True)
    same_error("stft", COMPLEX, 8, onesided=True)
    same_error("istft", SIGNAL, 8)
    same_error("istft", spectrum(SIGNAL, 8), 10)
    same_error(
        "istft", spectrum(SIGNAL, 8, window=HANN, center=False), 8, window=HANN, center=False
    )  # no weight at 0


def test_drop_in_modules():
    with wg.as_torch():
        import torch as t
        import torch.signal.windows as windows
        from torch.special import expit

        assert windows.hann(3).tolist() == [0.0, 1.0, 0.0]
        assert expit(t.zeros(1)).item() == 0.5
