"""Every loss against torch's, for every reduction: values and gradients."""

import numpy as np
import pytest
from helpers import run_both

import wengert

torch = pytest.importorskip("torch")

rng = np.random.default_rng(1)


def real(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def unit(*shape):
    return rng.uniform(0.05, 0.95, shape).astype(np.float32)


def signs(*shape):
    return np.where(rng.random(shape) < 0.5, -1, 1).astype(np.int64)


LOSSES = [
    ("L1Loss", {}, [real(4, 3), real(4, 3)]),
    ("MSELoss", {}, [real(4, 3), real(4, 3)]),
    ("SmoothL1Loss", {"beta": 0.5}, [real(4, 3), real(4, 3)]),
    ("SmoothL1Loss", {"beta": 0}, [real(4, 3), real(4, 3)]),
    ("HuberLoss", {"delta": 0.5}, [real(4, 3), real(4, 3)]),
    ("NLLLoss", {}, [real(4, 3), np.array([0, 2, 1, 1])]),
    ("CrossEntropyLoss", {"label_smoothing": 0.1}, [real(4, 3), np.array([0, 2, -100, 1])]),
    ("BCELoss", {}, [unit(4, 3), unit(4, 3)]),
    ("BCEWithLogitsLoss", {}, [real(4, 3), unit(4, 3)]),
    ("KLDivLoss", {}, [-unit(4, 3), unit(4, 3)]),
    ("KLDivLoss", {"log_target": True}, [-unit(4, 3), -unit(4, 3)]),
    ("PoissonNLLLoss", {"full": True}, [real(4, 3), 3 * unit(4, 3)]),
    ("PoissonNLLLoss", {"log_input": False}, [unit(4, 3), 3 * unit(4, 3)]),
    ("GaussianNLLLoss", {"full": True}, [real(4, 3), real(4, 3), unit(4, 3)]),
    ("GaussianNLLLoss", {}, [real(4, 3), real(4, 3), unit(4, 1)]),
    ("CosineEmbeddingLoss", {"margin": 0.1}, [real(4, 3), real(4, 3), signs(4)]),
    ("MarginRankingLoss", {"margin": 0.1}, [real(4), real(4), signs(4)]),
    ("HingeEmbeddingLoss", {}, [real(4, 3), signs(4, 3)]),
    ("TripletMarginLoss", {"swap": True}, [real(4, 3), real(4, 3), real(4, 3)]),
    ("TripletMarginWithDistanceLoss", {}, [real(4, 3), real(4, 3), real(4, 3)]),
    ("SoftMarginLoss", {}, [real(4, 3), signs(4, 3)]),
    ("MultiMarginLoss", {"p": 2, "margin": 0.7}, [real(4, 3), np.array([0, 2, 1, 1])]),
    ("MultiLabelMarginLoss", {}, [real(3, 4), np.array([[0, 2, -1, 1], [3, -1, 0, 0], [-1, 0, 1, 2]])]),
    ("MultiLabelSoftMarginLoss", {}, [real(4, 3), unit(4, 3).round()]),
]


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "kwargs", "arrays"), LOSSES)
def test_loss(name, kwargs, arrays, reduction):
    ours = getattr(wengert.nn, name)(reduction=reduction, **kwargs)
    theirs = getattr(torch.nn, name)(reduction=reduction, **kwargs)
    assert repr(ours) == repr(theirs)
    run_both(ours, theirs, arrays, torch)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ctc(reduction):
    scores = real(8, 3, 5)
    losses = []
    for lib in (wengert, torch):
        x = lib.from_numpy(scores.copy()).requires_grad_()
        log_probs = lib.nn.functional.log_softmax(x, -1)
        targets = lib.tensor([[1, 1, 2], [3, 4, 0], [2, 0, 0]])
        loss = lib.nn.CTCLoss(reduction=reduction)(log_probs, targets, lib.tensor([8, 6, 7]), lib.tensor([3, 2, 1]))
        loss.sum().backward()
        losses.append((loss.detach().numpy(), x.grad.numpy()))
    np.testing.assert_allclose(losses[0][0], losses[1][0], rtol=1e-4)
    np.testing.assert_allclose(losses[0][1], losses[1][1], rtol=1e-3, atol=1e-5)


def test_weights_of_elements_and_classes():
    x, t, w = real(4, 3), unit(4, 3), unit(4, 3)
    for name in ("mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy_with_logits"):
        mine, other = (
            getattr(lib.nn.functional, name)(*map(lib.from_numpy, (x, t)), weight=lib.from_numpy(w)).item()
            for lib in (wengert, torch)
        )
        assert mine == pytest.approx(other, rel=1e-5), name


def test_deprecated_reduction_arguments():
    with pytest.warns(UserWarning, match="reduction='sum'"):
        assert wengert.nn.MSELoss(size_average=False).reduction == "sum"
    with pytest.warns(UserWarning, match="reduction='none'"):
        assert wengert.nn.MSELoss(reduce=False).reduction == "none"


def test_binary_cross_entropy_at_the_edges_of_float16():
    """The floor under the slope's divisor is a number that float16 has."""
    x = wengert.tensor([1.0, 0.5, 0.0], dtype=wengert.float16, requires_grad=True)
    target = wengert.tensor([0.0, 1.0, 0.0], dtype=wengert.float16)
    loss = wengert.nn.functional.binary_cross_entropy(x, target, reduction="none")
    assert loss.tolist() == pytest.approx([100.0, 0.6934, 0.0], abs=1e-3)
    loss.sum().backward()
    assert x.grad.isfinite().all()
