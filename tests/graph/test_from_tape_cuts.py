"""Operands without history on a recorded tape: what a cut value was made of is not the value itself."""

import pytest

import wengert as w


@pytest.mark.parametrize(
    "cut",
    [
        lambda h: h.detach(),
        lambda h: h.detach() * 2,
        lambda h: w.where(h > 2, 1.0, h.detach()),
        lambda h: (h > 2).to(h.dtype),
    ],
    ids=["detached", "computed on", "chosen", "compared"],
)
@pytest.mark.parametrize("blind", [False, True], ids=["with gradients", "no_grad"])
def test_operands_that_were_cut_off(cut, blind):
    y = w.tensor([0.5, 1.0, 1.5], requires_grad=True)
    with w.record(values="all"):
        h = y.exp()
        with w.set_grad_enabled(not blind):
            m = cut(h)
        out = (h * m).sum()
    assert w.equal(w.graph.Graph.from_tensor(out).run(), out)


def test_a_recorded_ctc_loss():
    w.manual_seed(0)
    x = w.randn(6, 2, 4, requires_grad=True)
    with w.record(values="all"):
        loss = w.nn.functional.ctc_loss(
            x.log_softmax(-1), w.tensor([[1, 2], [3, 1]]), w.tensor([6, 5]), w.tensor([2, 1])
        )
    assert w.equal(w.graph.Graph.from_tensor(loss).run(), loss)
