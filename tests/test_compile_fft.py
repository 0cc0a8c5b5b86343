"""Fourier transforms and complex Python numbers inside compiled functions: one plan with the bits of plain calls."""

import pytest

import wengert as torch
from wengert.graph import Graph, record

TRANSFORMS = {
    "fft": lambda x: torch.fft.fft(x, n=7).abs(),
    "fft2": lambda x: torch.fft.fft2(x, norm="forward").real,
    "ifftn": lambda x: torch.fft.ifftn(x * 2j, dim=(0, 1), norm="ortho").imag,
    "rfft": lambda x: torch.fft.rfft(x, norm="ortho").abs() ** 2,
    "irfft": lambda x: torch.fft.irfft(x * (1 + 2j), n=5),
    "rfftn and back": lambda x: torch.fft.irfftn(torch.fft.rfftn(x) * (0.5 - 1j), s=tuple(x.shape)),
    "hfft": lambda x: torch.fft.hfft(x + 1j),
    "ihfft": lambda x: torch.fft.ihfft(x).imag,
    "fftshift": lambda x: torch.fft.fftshift(torch.fft.fft(x)).abs(),
    "stft": lambda x: torch.stft(
        x.flatten(), 8, window=torch.hann_window(8, dtype=x.dtype), return_complex=True
    ).abs(),
    "a number of numpy's size": lambda x: (x.sum() * (0.1 + 0.2j)).abs() + x,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_step_with_a_transform_is_one_plan(name, dtype, rng):
    def step(x):
        x = x.detach().requires_grad_()
        loss = (TRANSFORMS[name](x) ** 2).sum()
        loss.backward()
        return loss.detach(), x.grad

    fast = torch.compile(step, fullgraph=True)
    for _ in range(4):
        x = torch.tensor(rng.standard_normal((4, 6)), dtype=dtype)
        for got, want in zip(fast(x), step(x), strict=True):
            assert got.dtype == want.dtype
            assert torch.equal(got, want)
    assert fast.plans == 1


def test_a_recorded_transform_is_written_and_read(tmp_path, rng):
    graph = record(TRANSFORMS["irfft"], torch.ones(4, 6))
    x = torch.tensor(rng.standard_normal((4, 6)), dtype=torch.float32)
    graph.save(tmp_path / "fft")
    for g in (Graph.parse(graph.to_text(), graph.state_dict()), Graph.load(tmp_path / "fft")):
        assert g.differences(graph) == []
        assert torch.equal(g.compile()(x), TRANSFORMS["irfft"](x))
