"""The command line, the embedded digits, and the pure-Python opponent of the demonstration."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import time

import numpy as np
import pytest

import wengert
from wengert import _pure
from wengert.__main__ import main
from wengert.datasets import digits
from wengert.demo import digits as demo


def test_digits_are_the_published_ones():
    images, labels = digits()
    pixels = images.numpy() * 16
    assert images.shape == (1797, 8, 8) and images.dtype == wengert.float32
    assert labels.shape == (1797,) and labels.dtype == wengert.int64
    assert np.bincount(labels.numpy()).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    # Sum over all pixels of the source, which is also the check of the packing.
    assert pixels.sum(dtype=np.float64) == 561718 and pixels.max() == 16
    assert pixels[0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]


def test_split_is_fixed_and_complete():
    parts = [digits(split) for split in ("train", "test")]
    assert [len(labels) for _, labels in parts] == [1500, 297]
    everything = np.concatenate([images.numpy() for images, _ in parts])
    whole = digits()[0].numpy()
    assert sorted(map(bytes, everything)) == sorted(map(bytes, whole))
    assert np.bincount(parts[1][1].numpy()).min() >= 20


def test_unknown_split_is_refused():
    with pytest.raises(ValueError, match="digits: expected split 'train', 'test' or None, got 'valid'"):
        digits("valid")


def _formula(x, y):
    return ((x * y + 2.0) / (y - 0.5) - 3.0 / x) ** 2.0 + (x.exp() + 1.0).log() * y.tanh() - (1.0 - x).relu() + -y


def test_value_has_the_derivatives_of_finite_differences():
    at, h = (1.3, -0.7), 1e-6
    leaves = [_pure.Value(value) for value in at]
    _formula(*leaves).backward()
    for index, leaf in enumerate(leaves):
        ends = []
        for sign in (1, -1):
            point = list(at)
            point[index] += sign * h
            ends.append(_formula(*map(_pure.Value, point)).data)
        assert math.isclose(leaf.grad, (ends[0] - ends[1]) / (2 * h), rel_tol=1e-7)


def test_value_accumulates_over_repeated_use_and_repeated_backward():
    x = _pure.Value(3.0)
    y = x * x
    (y + y * x).backward()
    assert x.grad == 2 * 3 + 3 * 9
    x.grad = y.grad = 0.0
    y.backward()
    assert x.grad == 6.0


def test_value_chain_of_300_000_links_needs_no_stack():
    x = _pure.Value(1.0)
    z = x
    for _ in range(300_000):
        z = z + x
    z.backward()
    assert x.grad == 300_001.0
    del z


def test_pure_network_has_the_same_numbers():
    """Weights after ten Adam steps agree to 1e-6 with the library in double precision."""
    nn = wengert.nn
    wengert.manual_seed(3)
    model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 4), nn.ReLU(), nn.Linear(4, 3)).double()
    linears = [model[0], model[2], model[4]]
    pure = _pure.MLP([n.weight.tolist() for n in linears], [n.bias.tolist() for n in linears], lr=1e-2)
    optimizer = wengert.optim.Adam(model.parameters(), lr=1e-2)
    rng = np.random.default_rng(0)
    for _ in range(10):
        x, y = rng.standard_normal((6, 5)), rng.integers(0, 3, 6)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(wengert.from_numpy(x)), wengert.from_numpy(y))
        loss.backward()
        optimizer.step()
        assert math.isclose(pure.step(x.tolist(), y.tolist()), loss.item(), rel_tol=1e-6)
    for layer, rows, bias in zip(linears, pure.weights, pure.biases, strict=True):
        np.testing.assert_allclose(layer.weight.detach().numpy(), rows, rtol=0, atol=1e-6)
        np.testing.assert_allclose(layer.bias.detach().numpy(), bias, rtol=0, atol=1e-6)


def test_demo_learns_and_agrees_with_pure_python(capsys, tmp_path):
    page = tmp_path / "step.html"
    result = demo.run(epochs=12, pure_seconds=0.5, page=str(page))
    assert result["accuracy"] >= 0.95
    assert result["difference"] < 1e-5
    assert result["speedup"] > 1
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("epoch") for line in lines) == 12
    assert re.search(r"wengert is [\d,]+ times faster than the same model in pure Python", lines[-2])
    assert lines[-1].startswith(f"graph     {page} shows a training step")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>") and all(f'"{name}"' in text for name in ("labels", "loss", "linear"))


def test_demo_goes_on_where_its_page_cannot_be_written(capsys, tmp_path):
    demo.run(epochs=1, pure_seconds=0.0, page=str(tmp_path / "missing" / "step.html"))
    assert "graph     not saved: " in capsys.readouterr().out


def test_demo_refuses_no_epochs():
    with pytest.raises(ValueError, match="demo: expected epochs >= 1, got 0"):
        demo.run(epochs=0)


def test_command_line_demo_reports_at_once(tmp_path):
    """The first line arrives before the training, and the whole run keeps to its 30 seconds."""
    started = time.perf_counter()
    command = [sys.executable, "-u", "-m", "wengert", "demo", "--page", str(tmp_path / "demo.html")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        first = process.stdout.readline()
        rest = process.stdout.read()
    assert process.returncode == 0, first + rest
    assert time.perf_counter() - started < 30
    assert first.startswith("wengert:")
    accuracy = re.search(r"accuracy  ([\d.]+) % of the 297 test images", rest)
    assert accuracy and float(accuracy.group(1)) >= 96


def test_info_names_what_a_report_needs(capsys):
    assert main(["info"]) == 0
    shown = capsys.readouterr().out
    for name in ("wengert", "numpy", "instruction set", "threads", "memory", "build flags"):
        assert re.search(rf"^{name} +\S", shown, re.MULTILINE), name


def test_bench_runs(capsys):
    assert main(["bench", "--quick"]) == 0
    assert capsys.readouterr().out.count("wengert ") >= 5


@pytest.mark.parametrize("arguments", [[], ["train"], ["demo", "--epochs", "0"], ["bench", "--fast"]])
def test_wrong_arguments_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: python -m wengert" in capsys.readouterr().err
