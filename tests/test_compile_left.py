"""Tensors that a compiled call leaves in attributes and dicts."""

import gc
import weakref

import pytest
from compile_tools import run

import wengert as w


def same(each, plans=1):
    """Runs a program and asks for so many plans."""
    plain, compiled, made = run(each)
    assert repr(plain) == repr(compiled)
    assert [fast.plans for fast in made] == [plans], [fast.reason for fast in made]


@pytest.mark.parametrize("outside", [False, True], ids=["backward inside", "backward outside"])
@pytest.mark.parametrize("norm", [w.nn.utils.weight_norm, w.nn.utils.spectral_norm])
def test_norms_by_hooks(norm, outside):
    def each(compile):
        w.manual_seed(0)
        model = w.nn.Sequential(norm(w.nn.Linear(3, 4)), w.nn.Tanh(), norm(w.nn.Linear(4, 2)))
        optimizer = w.optim.SGD(model.parameters(), 0.1)

        @compile
        def step(x):
            loss = model(x).square().mean()
            if not outside:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            return loss

        out = []
        for _ in range(8):
            loss = step(w.randn(5, 3))
            if outside:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            weight = model[0].weight
            out += [loss.item(), weight.tolist(), weight.requires_grad, outside or weight.grad_fn.name()]
        return out + [v.tolist() for v in model.state_dict().values()]

    same(each)


class Keeper(w.nn.Module):
    """A module that keeps what it has computed on the way."""

    def __init__(self):
        super().__init__()
        self.linear = w.nn.Linear(3, 3)
        self.hidden = None
        self.kept = {"mean": w.zeros(())}

    def forward(self, x):
        self.hidden = self.linear(x).tanh()
        self.kept["mean"] = self.hidden.detach().mean()
        return self.hidden.sum()


def test_what_a_model_keeps_for_its_owner():
    def each(compile):
        w.manual_seed(0)
        model = Keeper()
        fast = compile(model)
        out = []
        for k in range(12):
            model.zero_grad()
            loss = fast(w.full((2, 3), 0.1 * k)) + model.hidden.square().sum()  # the history of both
            loss.backward()
            out += [
                loss.item(),
                model.hidden.tolist(),
                model.kept["mean"].item(),
                model.linear.weight.grad.tolist(),
            ]
        return out

    same(each)


def test_second_derivatives_of_what_is_kept():
    def each(compile):
        w.manual_seed(0)
        model = Keeper()
        fast = compile(model)
        out = []
        for k in range(6):
            x = w.full((2, 3), 0.1 * k, requires_grad=True)
            (g,) = w.autograd.grad(fast(x) + model.hidden.sum(), x, create_graph=True)
            g.square().sum().backward()
            out += [g.tolist(), x.grad.tolist(), model.hidden.tolist()]
        return out

    same(each)


@pytest.mark.parametrize("other", [None, w.zeros(3, dtype=w.float64)], ids=["emptied", "another dtype"])
def test_what_lies_there_is_looked_at(other):

    class Cached:
        def __init__(self):
            self.last = w.zeros(3)

        def step(self, x):
            first = self.last is None or self.last.dtype == w.float64
            self.last = x * 2
            return self.last + (100 if first else 0)

    def each(compile):
        cached = Cached()
        fast = compile(cached.step)
        out = []
        for k in range(24):
            if k % 5 == 4:
                cached.last = other
            out += [fast(w.full((3,), 1.0 * k)).tolist(), cached.last.tolist()]
        return out

    plain, compiled, (fast,) = run(each)
    assert repr(plain) == repr(compiled)
    assert fast.plans == (0 if other is None else 2)  # what was no tensor before is not followed


class Recurrent:
    """An object whose state is another tensor after each call."""

    def __init__(self):
        self.state = w.zeros(3)

    def step(self, x):
        self.state = self.state * 0.5 + x
        return self.state.sum()


class Argument(Recurrent):
    """An object that keeps what it was given."""

    def step(self, x):
        self.state = x
        return x * 2


@pytest.mark.parametrize("kind", [Recurrent, Argument])
def test_what_is_read_or_comes_from_outside_is_refused(kind):
    def each(compile):
        owner = kind()
        fast = compile(owner.step)
        return [(fast(w.full((3,), 1.0 * k)).tolist(), owner.state.tolist()) for k in range(6)]

    plain, compiled, (fast,) = run(each)
    assert repr(plain) == repr(compiled)
    assert "the call changes" in fast.reason


@pytest.mark.parametrize("norm", [w.nn.utils.weight_norm, w.nn.utils.spectral_norm])
def test_models_that_keep_results_are_collected(norm):
    """Results that a model keeps lead to the plan, which knows the model: the collector sees the cycle."""

    def live():
        model = w.nn.Sequential(norm(w.nn.Linear(3, 4)), norm(w.nn.Linear(4, 2)))
        step = w.compile(lambda x: model(x).sum(), fullgraph=True)
        nodes = []
        for _ in range(6):
            step(w.ones(5, 3)).backward()
            nodes.append(w._core.node_stats()["live"])
        assert step.plans == 1 and nodes[-1] == nodes[-2]  # without a collection between calls
        return weakref.ref(model)

    gone = live()
    gc.collect()
    assert gone() is None
