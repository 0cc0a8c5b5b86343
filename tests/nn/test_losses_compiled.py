"""Losses whose work depends on values, in compiled functions: CTC and the adaptive softmax, against plain calls."""

import pytest

import wengert as torch

F = torch.nn.functional


def ctc_case(k, joined):
    torch.manual_seed(k)
    scores = torch.randn(9, 3, 5).requires_grad_()
    sizes = torch.tensor([[3, 2, 1], [4, 1, 0], [2, 2, 4], [1, 1, 1], [0, 4, 3]][k])
    targets = torch.randint(1, 5, (3, 4))
    if joined:
        targets = torch.cat([row[:n] for row, n in zip(targets, sizes.tolist(), strict=True)])
    return scores, targets, torch.tensor([9, 6 + k % 3, 7]), sizes


def gradients(f, scores, *rest):
    loss = f(scores, *rest)
    return loss.detach(), *torch.autograd.grad(loss.sum(), scores)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ctc_with_lengths_that_change(reduction):
    def f(scores, targets, lengths, sizes):
        return F.ctc_loss(scores.log_softmax(-1), targets, lengths, sizes, reduction=reduction, zero_infinity=True)

    fast = torch.compile(f, fullgraph=True, exact=True)
    for k in (0, 1, 2, 3, 4, 0, 1):
        case = ctc_case(k, joined=False)
        (loss, g), (plain, wanted) = gradients(fast, *case), gradients(f, *case)
        # States behind the last label are computed too, and gradients of gathered elements are added up in another order.
        assert torch.allclose(loss, plain, rtol=1e-6) and torch.allclose(g, wanted, rtol=1e-5, atol=1e-6)
    assert fast.plans == 1


def test_ctc_with_joined_targets():
    def f(scores, targets, lengths, sizes):
        return F.ctc_loss(scores.log_softmax(-1), targets, lengths, sizes, zero_infinity=True)

    fast = torch.compile(f, fullgraph=True, exact=True)
    for k in (0, 0, 0, 0, 2, 2, 2, 2, 0):
        case = ctc_case(k, joined=True)
        for a, b in zip(gradients(fast, *case), gradients(f, *case), strict=True):
            assert torch.allclose(a, b, rtol=1e-5, atol=1e-7)
    assert fast.plans == 2  # two numbers of targets


def test_ctc_with_lengths_from_python():
    loss = torch.nn.CTCLoss()
    fast = torch.compile(lambda x, y: loss(x.log_softmax(-1), y, (9, 8, 7), [3, 2, 1]), fullgraph=True, exact=True)
    for _ in range(4):
        x, y = torch.randn(9, 3, 5), torch.randint(1, 5, (3, 4))
        assert torch.equal(fast(x, y), loss(x.log_softmax(-1), y, (9, 8, 7), [3, 2, 1]))
    assert fast.plans == 1


@pytest.mark.parametrize(("lengths", "sizes"), [([10, 5, 5], [1, 1, 1]), ([5, 5, 5], [5, 1, 1])])
def test_lengths_are_checked_in_each_run(lengths, sizes):
    fast = torch.compile(lambda *given: F.ctc_loss(*given), fullgraph=True)
    x, y = torch.randn(9, 3, 5).log_softmax(-1), torch.randint(1, 5, (3, 4))
    for _ in range(4):
        fast(x, y, torch.tensor([9, 6, 7]), torch.tensor([3, 2, 1]))
    assert fast.plans == 1
    with pytest.raises(RuntimeError, match="^ctc_loss: expected"):
        fast(x, y, torch.tensor(lengths), torch.tensor(sizes))


def adaptive():
    torch.manual_seed(0)
    return torch.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10], div_value=2.0, head_bias=True)


def test_adaptive_softmax_without_gradients():
    model = adaptive()
    both = torch.compile(
        lambda x, y: (*model(x, y), model.predict(x), model.log_prob(x)), fullgraph=True, exact=True
    )
    with torch.no_grad():
        for _ in range(5):
            x, y = torch.randn(6, 8), torch.randint(0, 20, (6,))
            for a, b in zip(both(x, y), (*model(x, y), model.predict(x), model.log_prob(x)), strict=True):
                assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)
        assert both.plans == 1
        with pytest.raises(RuntimeError, match="Target values should be in"):
            both(x, y + 20)


def test_adaptive_softmax_with_gradients_runs_as_it_is_written():
    """A cluster that no target is in gets no gradient, which a plan cannot say."""
    model = adaptive()
    fast = torch.compile(lambda x, y: model(x, y).loss)
    with pytest.warns(UserWarning, match="the result's shape depends on them"):
        for y in ([0, 1], [2, 3], [6, 12], [0, 7]):
            found = []
            for call in (fast, lambda x, y: model(x, y).loss):
                model.zero_grad()
                call(torch.ones(2, 8), torch.tensor(y)).backward()
                found.append([None if p.grad is None else p.grad.tolist() for p in model.parameters()])
            assert found[0] == found[1]


def test_a_length_that_depends_on_values_has_no_plan():
    def f(x):
        return x * 2 if (x > 0).nonzero().numel() else x * 3

    fast = torch.compile(f)
    with pytest.warns(UserWarning, match="the result's shape depends on them"):
        for k in (-1, -1, -1, 1):
            assert torch.equal(fast(torch.full((2,), float(k))), f(torch.full((2,), float(k))))
