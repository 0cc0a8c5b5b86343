"""Python numbers that differ from call to call are inputs of plans, or decide between plans."""

import math
import operator

import numpy as np
import pytest
from compile_tools import run

import wengert as w
from wengert.graph._numbers import Book, Slot


def one_plan(each, plans=1):
    """Runs a program and asks for so many plans."""
    plain, compiled, made = run(each)
    assert repr(plain) == repr(compiled)
    assert [fast.plans for fast in made] == [plans], [fast.reason for fast in made]


def test_a_learning_rate_among_the_arguments():
    def each(compile):
        p = w.ones(3, requires_grad=True)

        @compile
        def step(x, lr):
            (p * x).square().sum().backward()
            with w.no_grad():
                p.sub_(lr * p.grad)
                p.add_(p.grad, alpha=-lr)
            p.grad = None
            return p.sum().detach()

        return [step(w.full((3,), 0.1 * k), 0.1 / (k + 1)).item() for k in range(60)]

    one_plan(each)


class Adam:
    def __init__(self):
        self.p = w.ones(3, requires_grad=True)
        self.m, self.v = w.zeros(3), w.zeros(3)
        self.t, self.lr = 0, 0.1

    def step(self, x):
        (self.p * x).sin().sum().backward()
        self.t += 1
        with w.no_grad():
            g = self.p.grad
            self.m.mul_(0.9).add_(g, alpha=0.1)
            self.v.mul_(0.999).addcmul_(g, g, value=0.001)
            first, second = self.m / (1 - 0.9**self.t), self.v / (1 - 0.999**self.t)
            self.p.sub_(self.lr * first / (second.sqrt() + 1e-8))
            self.p.addcdiv_(self.m, second.sqrt() + 1, value=-self.lr / self.t)
        self.p.grad = None
        return self.p.sum().detach()


def test_adam_written_by_hand_with_a_counter():
    def each(compile):
        adam = Adam()
        step = compile(adam.step)
        out = []
        for k in range(40):
            if k == 20:
                adam.lr = 0.05
            if k == 30:
                adam.t = 0
            out.append((step(w.full((3,), 0.1 * k)).item(), adam.t, adam.m.tolist()))
        return out

    one_plan(each, 2)  # the second one when the learning rate has changed: from then on it is followed too


def test_an_optimizer_of_a_user_with_a_step_count():
    class Optimizer(w.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 0.1})

        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    state = self.state[p]
                    if not state:
                        state["step"], state["m"] = 0, w.zeros_like(p)
                    state["step"] += 1
                    state["m"].mul_(0.9).add_(p.grad)
                    p.data.add_(state["m"], alpha=-group["lr"] / (1 - 0.9 ** state["step"]))

    def each(compile):
        p = w.ones(3, requires_grad=True)
        optimizer = Optimizer([p])

        @compile
        def step(x):
            optimizer.zero_grad()
            (p * x).square().sum().backward()
            optimizer.step()

        out = []
        for k in range(30):
            step(w.full((3,), 0.1 * k))
            out.append((p.tolist(), optimizer.state[p]["step"]))
        return out

    one_plan(each)


def test_counters_are_counted_and_returned():
    class State:
        n = 0

    def each(compile):
        state, total = State(), 0.0
        state.n = 0

        @compile
        def step(x):
            nonlocal total
            state.n += 1
            total = total + 0.5 * state.n
            return x * state.n, state.n, [total]

        return [(*map(str, step(w.ones(2))), state.n, total) for _ in range(20)]

    one_plan(each)


def test_decisions_by_numbers_have_plans_of_their_own():
    def each(compile):
        @compile
        def step(x, k):
            if k % 5 == 0:
                x = x * 10
            return x * 2 if k > 20 else x / (k + 1)

        return [step(w.ones(2), k).tolist() for k in range(60)]

    one_plan(each, 4)


def test_numbers_in_a_global_dict():
    config = {"lr": 0.1}

    def each(compile):
        step = compile(lambda x: x * config["lr"])
        out = []
        for k in range(40):
            config["lr"] = 0.1 / (k + 1)
            out.append(step(w.ones(1)).item())
        return out

    one_plan(each)


def test_gradients_and_second_derivatives_with_numbers():
    def each(compile):
        p = w.ones(3, requires_grad=True)

        class State:
            t = 0

        state = State()
        state.t = 0

        @compile
        def loss(x, scale):
            state.t += 1
            return (p**3 * x * scale).sum() / state.t

        out = []
        for k in range(12):
            (g,) = w.autograd.grad(loss(w.ones(3), 0.1 * k), p, create_graph=True)
            (h,) = w.autograd.grad(g.sum(), p)
            out.append((g.tolist(), h.tolist(), state.t))
        return out

    one_plan(each)


def test_sizes_and_indices_stay_part_of_the_signature():
    def each(compile):
        table = [0.1] * 20 + [0.2] * 20
        step = compile(lambda x, k: (x[: k % 3] * table[k], w.zeros(k % 3 + 1)))
        return [str(step(w.ones(4), k)) for k in (5, 6, 5, 6, 5, 6, 25, 25, 25, 5)]

    plain, compiled, made = run(each)
    assert plain == compiled and made[0].plans == 3


@pytest.mark.parametrize(
    "use",
    [
        lambda x, s: x * float(s),
        lambda x, s: x * math.floor(s * 10) + math.sin(s),
        lambda x, s: x * np.sqrt(s) + float(np.array([s, 1.0])[0]),
        lambda x, s: x * w.tensor([s, 1.0]) + w.tensor(s) + w.full((2,), s),
        lambda x, s: x.fill_(s),
        lambda x, s: x * {round(s, 2): 2.0}.get(round(s, 2)) + len(f"{s:.3f} {s} {s!r} {round(s, 1)}"),
        lambda x, s: x * max(s, 0.3) + min(1.0, s) + abs(-s) + divmod(s, 0.3)[1],
        lambda x, s: x * (2 if isinstance(s, float) and not isinstance(s, int) else 3) + (-1.0) ** int(s * 10),
        lambda x, s: x * np.float64(s) + np.float32(2) * s,
        lambda x, s: w.nn.functional.dropout(x, s * 0.0) + s,
        lambda x, s: x.to(w.bfloat16) * s,
        lambda x, s: x.clamp(-s, s).lerp(x, s),
        lambda x, s: x.pow(s) + s**x + s // 0.03 + s % 0.03,
        lambda x, s: x * sum([s, s]) / (s or 1.0),
        lambda x, s: (x > s, s < x, x == s, s - x, s / (x + 1)),
        lambda x, s: x * complex(s, 1).real + s.is_integer() + s.real,
    ],
)
def test_every_use_of_a_number_gives_what_plain_calls_give(use):
    def each(compile):
        step = compile(use)
        return [str(step(w.linspace(0.5, 1.5, 2), s)) for s in (0.1, 0.2, 0.35, 0.35, 0.35, 0.4, 0.1, 0.0, 0.55)]

    plain, compiled, _ = run(each)
    assert plain == compiled


def test_arithmetic_of_followed_numbers_is_that_of_python():
    box = {"a": 7, "b": -2.5}
    book = Book([Slot(box, "a"), Slot(box, "b")], ())
    a, b = book.numbers
    for op in (operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod):
        for x, y in ((a, b), (b, a), (a, 3), (3, a), (b, 1.5), (1.5, b), (a, True)):
            got = op(x, y)
            plain = op(*[box["a"] if v is a else box["b"] if v is b else v for v in (x, y)])
            assert got._value == plain and type(got._value) is type(plain)
    power = 2**a
    assert power._value == 128 and (-a)._value == -7 and abs(b)._value == 2.5
    assert isinstance(a, int) and isinstance(b, float) and not isinstance(b, int)
    box.update(a=9, b=0.5)
    assert book.evaluate(())[power._place] == 512
    assert a > 5  # a decision: the plan serves for other numbers that decide so
    assert book.evaluate(())[power._place] == 512
    box["a"] = 3
    assert book.evaluate(()) is None
