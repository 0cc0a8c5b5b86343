"""Values of tensors that Python reads in a compiled function, where a run can know them before it begins."""

import warnings

import numpy as np
import pytest
from compile_tools import run

import wengert as w


def same(each, plans):
    """Runs a program and asks for so many plans."""
    plain, compiled, made = run(each)
    assert repr(plain) == repr(compiled)
    assert [fast.plans for fast in made] == [plans], [fast.reason for fast in made]


class Counted(w.nn.Module):
    """A module that decides and computes by a count of its own."""

    def __init__(self):
        super().__init__()
        self.linear = w.nn.Linear(3, 3)
        self.register_buffer("count", w.tensor(0))
        self.register_buffer("started", w.tensor(False))

    def forward(self, x):
        self.count += 1
        if not self.started:
            self.started.fill_(True)
            return x * 0
        y = self.linear(x) * (1 - 0.9 ** self.count.item())
        return y if self.count % 4 else y * 2


def test_a_module_that_counts_in_a_buffer():
    def each(compile):
        w.manual_seed(0)
        model = Counted()
        fast = compile(model)
        return [fast(w.ones(2, 3) * k).tolist() for k in range(20)] + [model.count.item(), model.started.item()]

    same(each, 2)


def test_a_branch_on_an_argument_makes_a_plan_for_each_side():
    def each(compile):
        fast = compile(lambda x: x * 2 if x.sum() > 0 else -x)
        return [fast(w.full((3,), float((-1) ** k * k))).tolist() for k in range(12)]

    same(each, 2)


def test_sizes_that_are_read_of_an_argument():
    def each(compile):
        fast = compile(lambda x, n: x[: int(n.max())].sum() + n.tolist()[0])
        return [fast(w.arange(5.0), w.tensor([k % 3, 2])).item() for k in range(15)]

    same(each, 3)


def test_gradients_through_what_was_decided():
    def each(compile):
        w.manual_seed(0)
        linear = w.nn.Linear(3, 3)

        @compile
        def loss(x, mask):
            h = linear(x)
            return h.exp().sum() if mask.any() else h.sum()

        out = []
        for k in range(10):
            linear.zero_grad()
            loss(w.randn(2, 3), w.tensor([k % 3 == 0, False])).backward()
            out.append(linear.weight.grad.tolist())
        return out

    same(each, 2)


@pytest.mark.parametrize("kept", ["list", "dict", "attribute"])
def test_numbers_that_were_followed_are_plain_ones_where_they_are_kept(kept):
    class Owner:
        def __init__(self):
            self.count = w.tensor(0.0)
            self.kept = [] if kept == "list" else {}

        def step(self, x):
            self.count += 1
            number = self.count.item() / 2
            if kept == "list":
                self.kept.append(number)
            elif kept == "dict":
                self.kept["n"] = number
            else:
                self.kept = number
            return x * number

    owner = Owner()
    fast = w.compile(owner.step)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = [fast(w.ones(2)).tolist() for _ in range(6)]
    assert results == [[k / 2] * 2 for k in range(1, 7)]
    values = {
        "list": owner.kept,
        "dict": [*owner.kept.values()] if kept == "dict" else [],
        "attribute": [owner.kept],
    }
    assert {type(v) for v in values[kept]} == {float}


def test_a_rate_in_a_tensor_is_followed_through_arithmetic():
    def each(compile):
        rate, p = w.tensor(0.1, dtype=w.float64), w.ones(3)

        @compile
        def step(g):
            rate.mul_(0.5)
            p.add_(g, alpha=-rate.item() / 3)
            return p * 1

        return [step(w.full((3,), 1.0 + k)).tolist() for k in range(15)]

    same(each, 1)


def test_fill_by_a_number_that_was_read():
    def each(compile):
        count, p = w.tensor(0.0), w.zeros(2, 3)

        @compile
        def step(x):
            count.add_(1)
            p.fill_(1 / count.item())
            p[0].fill_(count.item() ** 0.5)
            return p + x

        return [step(w.zeros(3)).tolist() for _ in range(12)]

    same(each, 1)


@pytest.mark.parametrize(
    "read",
    [
        lambda p, x: (p * x).sum().item(),  # depends on a parameter
        lambda p, x: x.sum().item(),  # a fraction that differs in each call
        lambda p, x: float(x.exp().max()),
        lambda p, x: x.expand(2000, 3).sum() > 0,  # much to compute
        lambda p, x: w.rand(3).sum().item(),  # drawn
        lambda p, x: bool((p.grad * 0).sum() == 0) if p.grad is not None else 1.0,
        lambda p, x: float(np.asarray(x)[0]),
    ],
    ids=["parameter", "fraction", "float", "large", "random", "gradient", "numpy"],
)
def test_what_takes_a_plan_to_know_is_refused(read):
    p = w.nn.Parameter(w.ones(3))
    p.grad = w.ones(3)
    fast = w.compile(lambda x: x * 2 if read(p, x) else x, fullgraph=True)
    with pytest.raises(w.graph.CompileError, match="reads a value"):
        for _ in range(6):
            fast(w.ones(3))


def test_packed_sequences_of_other_lengths_have_plans_of_their_own():
    utils = w.nn.utils.rnn

    def each(compile):
        w.manual_seed(0)
        lstm, head = w.nn.LSTM(3, 4, batch_first=True), w.nn.Linear(4, 1)
        optimizer = w.optim.Adam([*lstm.parameters(), *head.parameters()])

        @compile
        def step(x, lengths):
            optimizer.zero_grad()
            packed = utils.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            out, sizes = utils.pad_packed_sequence(lstm(packed)[0], batch_first=True)
            loss = head(out).square().mean()
            loss.backward()
            optimizer.step()
            return loss.detach(), sizes

        out = []
        for k in range(16):
            lengths = [[5, 3, 2], [2, 5, 4]][k % 2]
            loss, sizes = step(w.randn(3, 5, 3), w.tensor(lengths))
            out += [loss.item(), sizes.tolist()]
        return out + [p.tolist() for p in lstm.parameters()]

    same(each, 2)


@pytest.mark.parametrize("kind", [w.nn.BatchNorm1d, w.nn.BatchNorm2d])
def test_batch_norm_with_the_mean_over_all_batches(kind):
    def each(compile):
        w.manual_seed(0)
        norm = kind(4, momentum=None)
        optimizer = w.optim.SGD(norm.parameters(), 0.1)

        @compile
        def step(x):
            optimizer.zero_grad()
            loss = norm(x).exp().mean()
            loss.backward()
            optimizer.step()
            return loss.detach()

        shape = (6, 4) if kind is w.nn.BatchNorm1d else (2, 4, 3, 3)
        return [step(w.randn(shape)).item() for _ in range(12)] + [v.tolist() for v in norm.state_dict().values()]

    same(each, 1)
