"""Methods, modules, errors, side effects and training loops of users: the same when compiled."""

import collections
import copy
import functools
import pickle

import numpy as np
import pytest
from compile_users import Net, Users, X, calls

import wengert as torch

F = torch.nn.functional
program = Users()


@program
def methods(compile):
    class Model:
        def __init__(self, scale):
            self.scale = torch.tensor(scale)

        def run(self, x):
            return x * self.scale

        @compile
        def decorated(self, x):
            return x + self.scale

        @classmethod
        def of(cls, x):
            return cls(2.0).run(x)

        @staticmethod
        def plain(x):
            return x * 3

        __call__ = run

    a, b = Model(2.0), Model(5.0)
    bound, other = compile(a.run), compile(b.run)
    seen = calls(bound, (X,)) + calls(other, (X,)) + calls(a.decorated, (X,)) + calls(b.decorated, (X,))
    a.scale = torch.tensor(7.0)
    seen += calls(bound, (X,)) + calls(a.decorated, (X,))
    return seen + calls(compile(Model.of), (X,)) + calls(compile(Model.plain), (X,)) + calls(compile(a), (X,))


@program
def lambdas_partials_and_builtins(compile):
    f = compile(functools.partial(lambda k, x: x * k, 3.0))
    return calls(f, (X,)) + calls(compile(torch.tanh), (X,)) + calls(compile(F.relu), (X,))


@program
def nested_compiled_functions(compile):
    inner = compile(lambda x: x.sin() * 2)
    middle = compile(lambda x: inner(x) + inner(x * 2))
    outer = compile(lambda x: middle(x).sum() + inner(x).mean())
    return calls(outer, (X,)) + calls(inner, (X,)) + calls(middle, (X,)) + calls(outer, (X * 2,))


@program
def copies_and_pickles(compile):
    net = Net().eval()
    fast = compile(net)
    seen = calls(fast, (X,))
    twin = copy.deepcopy(fast)
    with torch.no_grad():
        net.second.bias.add_(1)
    seen += calls(twin, (X,)) + calls(fast, (X,))
    again = pickle.loads(pickle.dumps(fast.state_dict()))
    return [*seen, *calls(copy.copy(fast), (X,)), sorted(k.replace("_orig_mod.", "") for k in again)]


@program
def an_error_inside(compile):
    counter, net = torch.zeros(()), Net()

    def f(x, bad):
        counter.add_(1)
        y = net(x)
        if bad:
            raise KeyError("bad")
        return y @ torch.ones(2, 1)

    g, seen = compile(f), []
    torch.manual_seed(3)
    for k in range(12):
        try:
            seen.append(g(X, k in (1, 5, 9)))
        except KeyError as error:
            seen.append(str(error))
        seen.append(counter.clone())
    try:
        g(X[0], False)
    except Exception as error:
        seen.append(type(error).__name__)
    return [*seen, counter, net.norm.running_var, torch.rand(2)]


@program
def an_error_in_an_operation(compile):
    f = compile(lambda a, b: a @ b)
    seen = []
    for k in range(8):
        try:
            seen.append(f(X, torch.ones(2 if k % 3 == 2 else 3, 2)))
        except RuntimeError as error:
            seen.append(str(error))
    return seen


@program
def errors_that_are_caught_inside(compile):
    def f(x):
        try:
            return x @ x
        except RuntimeError:
            return x @ x.mT

    return calls(compile(f), (X,), (torch.ones(2, 2),))


@program
def many_shapes(compile):
    f = compile(lambda x: (x * 2).sum(0) / x.shape[0])
    return [f(torch.ones(n, 3) * n) for n in range(1, 45) for _ in range(3)]


@program
def printing(compile):
    f = compile(lambda x: (print("called", x.shape), x * 2)[1])
    return calls(f, (X,))


@program
def values_that_are_read(compile):
    def f(x):
        total = x.sum().item()
        return x * total if total > 0 else x - total

    return calls(compile(f), (X,), (-X,))


@program
def side_effects(compile):
    log, model = [], type("Model", (), {"calls": 0, "last": None})()

    def f(x):
        model.calls += 1
        model.last = x * 2
        log.append(model.calls)
        return model.last + model.calls

    g = compile(f)
    return [*calls(g, (X,), (X + 1,)), model.calls, model.last, list(log)]


@program
def a_counter_alone(compile):
    model = type("Model", (), {"calls": 0})()

    def f(x):
        model.calls += 1
        return x * model.calls

    g = compile(f)
    return [*calls(g, (X,)), model.calls, *calls(g, (X,)), model.calls]


@program
def results_written_afterwards(compile):
    f, seen = compile(lambda x: (x * 2, x + 1)), []
    for _ in range(5):
        a, b = f(X)
        seen += [a.clone(), b]
        a.mul_(100)
    return seen


@program
def arguments_written(compile):
    def f(x, y):
        x.mul_(2)
        y[0] = x.sum()
        return x + y

    g, seen = compile(f), []
    for _ in range(5):
        x, y = X.clone(), torch.zeros(3)
        seen += [g(x, y), x, y]
    return seen


@program
def views_as_arguments(compile):
    f = compile(lambda x: (x * 2, x.sum(0)))
    big = torch.arange(24.0).reshape(4, 6)
    return calls(f, (big[::2],), (big.T,), (big[1:3, 2:5],), (big[:0],), (big[0].expand(4, 6),))


@program
def numpy_in_and_out(compile):
    offsets = np.array([1.0, 2.0, 3.0], dtype=np.float32)
    f = compile(lambda x, k: x + torch.from_numpy(offsets) * k)
    seen = calls(f, (X, 2), (X, np.float32(2)), (X, np.int64(2)))
    offsets[0] = 10
    return seen + calls(f, (X, 2))


@program
def numbers_and_strings(compile):
    def f(x, how, k, flag):
        return getattr(x, how)(k) if flag else x * k

    g = compile(f)
    return calls(g, (X, "sum", 0, True), (X, "sum", 1, True), (X, "mean", 1, True), (X, "", 2.5, False), times=3)


@program
def a_training_loop(compile):
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    loss_of = torch.nn.MSELoss()

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = loss_of(net(x), y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        optimizer.step()
        return loss.detach()

    torch.manual_seed(5)
    seen = []
    for _ in range(10):
        seen.append(step(X, torch.ones(2, 2)))
        schedule.step()
    return [*seen, *net.parameters(), torch.rand(1)]


@program
def a_loop_over_a_dict_of_tensors(compile):
    f = compile(lambda d: {k: v * 2 for k, v in sorted(d.items())})
    return calls(f, ({"a": X, "b": X + 1},), ({"b": X, "a": X},), ({"a": X},))


@program
def sub_classes_of_containers(compile):
    f = compile(lambda d, items: (type(d)(x=d["x"] * 2), type(items)(v * 2 for v in items)))
    return calls(f, (collections.OrderedDict(x=X), [X, X + 1]), ({"x": X}, (X,)))


@program
def recursion_and_inner_functions(compile):
    def power(x, n):
        return x if n == 0 else power(x * x, n - 1)

    def f(x, n):
        def add(y):
            return y + x

        return add(power(x, n))

    return calls(compile(f), (X, 1), (X, 3))


@program
def generators_inside(compile):
    def f(x):
        return sum(v * k for k, v in enumerate(x)) + torch.stack([v for v in x if v.shape[0] == 3]).sum()

    return calls(compile(f), (X,))


@program
def a_custom_function(compile):
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, k):
            ctx.save_for_backward(x)
            ctx.k = k
            return x * k

        @staticmethod
        def backward(ctx, g):
            return g * ctx.k * ctx.saved_tensors[0], None

    f, seen = compile(lambda x: Double.apply(x, 3.0).sin()), []
    for _ in range(5):
        x = X.clone().requires_grad_()
        out = f(x)
        out.sum().backward()
        seen += [out, x.grad]
    return seen


@program
def hooks(compile):
    net, seen = Net().eval(), []
    net.first.register_forward_hook(lambda module, args, out: out * 2)
    fast = compile(net)
    for _ in range(4):
        seen.append(fast(X))
    handle = net.second.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    seen += calls(fast, (X,))
    handle.remove()
    return seen + calls(fast, (X,))


@pytest.mark.parametrize("name", program)
def test_program(name, capsys):
    program.check(name, capsys)
