"""Random numbers that a compiled function draws again: checkpoints, and states of the generator that it puts back."""

import pytest
from compile_tools import run

import wengert as w
from wengert.utils.checkpoint import checkpoint, checkpoint_sequential


def same(each, plans=1):
    """Runs a program and asks for so many plans."""
    plain, compiled, made = run(each)
    assert repr(plain) == repr(compiled)
    assert [fast.plans for fast in made] == [plans], [fast.reason for fast in made]


@pytest.mark.parametrize("outside", [False, True], ids=["backward inside", "backward outside"])
@pytest.mark.parametrize("chain", [False, True], ids=["checkpoint", "checkpoint_sequential"])
@pytest.mark.parametrize("p", [0.0, 0.5])
def test_checkpoint_as_everybody_calls_it(p, chain, outside):
    def each(compile):
        w.manual_seed(0)
        body = w.nn.Sequential(w.nn.Linear(3, 8), w.nn.Dropout(p), w.nn.Tanh(), w.nn.Linear(8, 8), w.nn.Dropout(p))
        head = w.nn.Linear(8, 2)
        optimizer = w.optim.Adam([*body.parameters(), *head.parameters()])

        @compile
        def step(x, y):
            h = checkpoint_sequential(body, 2, x) if chain else checkpoint(body, x, use_reentrant=False)
            h = checkpoint(w.nn.functional.dropout, w.nn.functional.dropout(h, 0.2), 0.3, use_reentrant=False)
            loss = w.nn.functional.mse_loss(head(h), y)
            if outside:
                return loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.detach()

        out = []
        for _ in range(8):
            loss = step(w.randn(5, 3), w.randn(5, 2))
            if outside:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            out.append(loss.item())
        return out + [q.tolist() for q in body.parameters()] + w.rand(3).tolist()

    same(each)


def test_checkpoint_runs_batch_norm_twice_as_plain_calls_do():
    def each(compile):
        w.manual_seed(0)
        body = w.nn.Sequential(w.nn.Linear(3, 4), w.nn.BatchNorm1d(4), w.nn.Dropout(0.5))

        @compile
        def step(x):
            loss = checkpoint(body, x, use_reentrant=False).square().mean()
            loss.backward()
            return loss.detach()

        return [step(w.randn(6, 3)).item() for _ in range(6)] + [v.tolist() for v in body.state_dict().values()]

    same(each)


def test_a_state_of_the_generator_that_is_put_back():
    def each(compile):
        w.manual_seed(0)

        @compile
        def twice(x):
            state = w.get_rng_state()
            first = x + w.randn(3)
            w.set_rng_state(state)
            again = x * w.randn(3)
            return first, again, w.rand(2)

        return [[v.tolist() for v in twice(w.ones(3))] for _ in range(6)] + w.rand(2).tolist()

    same(each)


def test_gradients_of_what_was_drawn_again():
    def each(compile):
        w.manual_seed(0)
        p = w.ones(4, requires_grad=True)

        @compile
        def loss():
            state = w.get_rng_state()
            first = w.nn.functional.dropout(p * 2, 0.5)
            w.set_rng_state(state)
            return (first + w.nn.functional.dropout(p.exp(), 0.5) + w.nn.functional.dropout(p, 0.5)).sum()

        out = []
        for _ in range(6):
            p.grad = None
            value = loss()
            value.backward()
            out += [value.item(), p.grad.tolist()]
        return out

    same(each)


def _left_behind(x):
    state = w.get_rng_state()
    y = x + w.rand(3)
    w.set_rng_state(state)
    return y


def _overlapping(x):
    state = w.get_rng_state()
    y = x + w.rand(300).sum()
    w.set_rng_state(state)
    w.rand(3)
    return y + w.rand(500).sum()


STATE = w.get_rng_state()


def _from_outside(x):
    w.set_rng_state(STATE)
    return x + w.rand(3)


def _host_again(x):
    state = w.get_rng_state()
    y = w.multinomial(x, 2)
    w.set_rng_state(state)
    return y + w.multinomial(x, 2)


@pytest.mark.parametrize("f", [_left_behind, _overlapping, _from_outside, _host_again])
def test_other_ways_to_set_the_generator_have_no_plan(f):
    fast = w.compile(f, fullgraph=True)
    with pytest.raises(w.graph.CompileError, match="random|drawn"):
        for _ in range(5):
            fast(w.ones(3))


def test_a_draw_of_nothing_shares_no_numbers_with_the_next_one():
    def each(compile):
        w.manual_seed(0)

        @compile
        def f(x):
            return x[:0] + w.rand(0), x + w.rand(3), x + w.rand(3)

        return [[v.tolist() for v in f(w.ones(3))] for _ in range(6)] + w.rand(2).tolist()

    same(each)
