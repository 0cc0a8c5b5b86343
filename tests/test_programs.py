"""The language models learn the same with wengert and with PyTorch, from the same weights on the same text."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from programs import gpt_shakespeare, lstm_shakespeare, shakespeare  # noqa: E402

import wengert  # noqa: E402

torch = pytest.importorskip("torch", reason="PyTorch, the reference of these tests, is not installed")
pytestmark = pytest.mark.skipif(shakespeare.find() is None, reason="tinyshakespeare is not installed")

_STEPS = 20
# PyTorch's own losses over these 20 steps differ by at most 1.5e-7 (relative) between float32 and float64;
# a wrong gradient shows at 1e-3. The margin is for other orders of addition in larger sums.
_RTOL = 5e-6


@pytest.fixture(scope="module")
def text():
    indices, alphabet = shakespeare.load()
    return indices[:20_000], len(alphabet)


def _arrays(model) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy().copy() for name, value in model.state_dict().items()}


def _check(ours: list[float], theirs: list[float]) -> None:
    assert len(ours) == _STEPS
    np.testing.assert_allclose(ours, theirs, rtol=_RTOL)
    assert ours[-1] < ours[0] - 0.2, "the model does not learn"


def test_lstm_learns_as_with_torch(text):
    indices, vocabulary = text
    torch.manual_seed(0)
    initial = _arrays(lstm_shakespeare.make_model(torch, vocabulary, 32, 2))
    sizes = {"steps": _STEPS, "hidden": 32, "layers": 2, "batch": 8, "length": 16, "lr": 1e-2}
    _, theirs = lstm_shakespeare.train(torch, indices, vocabulary, initial=initial, **sizes)
    _, ours = lstm_shakespeare.train(wengert, indices, vocabulary, initial=initial, **sizes)
    _check(ours, theirs)


def test_gpt_learns_as_with_torch(text):
    indices, vocabulary = text
    torch.manual_seed(0)
    config = gpt_shakespeare.Config(
        vocabulary=vocabulary, context=16, width=32, heads=2, layers=2, batch=4, lr=3e-3
    )
    initial = _arrays(gpt_shakespeare.make_model(torch, config))
    _, theirs = gpt_shakespeare.train(torch, indices, config, steps=_STEPS, initial=initial)
    _, ours = gpt_shakespeare.train(wengert, indices, config, steps=_STEPS, initial=initial)
    _check(ours, theirs)


def test_models_write_text(text):
    _, vocabulary = text
    alphabet = "".join(chr(33 + i) for i in range(vocabulary))
    wengert.manual_seed(0)
    lstm = lstm_shakespeare.make_model(wengert, vocabulary, 8, 1)
    assert len(lstm_shakespeare.sample(wengert, lstm, alphabet, 12)) == 12
    config = gpt_shakespeare.Config(vocabulary=vocabulary, context=8, width=8, heads=2, layers=1)
    gpt = gpt_shakespeare.make_model(wengert, config)
    assert len(gpt_shakespeare.sample(wengert, gpt, config, alphabet, 12)) == 12
