"""What functions of users take, give, and depend on: the same when compiled."""

import collections
import dataclasses

import pytest
from compile_users import Net, Users, X, calls

import wengert as torch

F = torch.nn.functional
program = Users()
Pair = collections.namedtuple("Pair", "first second")
SCALE = 2.0
TABLE = torch.tensor([1.0, 2.0, 3.0])


@dataclasses.dataclass
class Batch:
    x: torch.Tensor
    scale: float = 1.0


@program
def named_tuples_in_and_out(compile):
    f = compile(lambda p: Pair(p.first * 2, {"sum": p.first + p.second, "none": None}))
    return calls(f, (Pair(X, X + 1),), (Pair(X, X),))


@program
def dataclasses_in_and_out(compile):
    f = compile(lambda b: Batch(b.x * b.scale, b.scale + 1))
    return calls(f, (Batch(X),), (Batch(X, 3.0),), (Batch(X + 1, 3.0),))


@program
def a_dataclass_whose_field_changes(compile):
    f = compile(lambda b: b.x * b.scale)
    batch, seen = Batch(X), []
    for k in range(8):
        batch.scale = float(k // 4)
        batch.x = X + k
        seen.append(f(batch))
    return seen


@program
def a_dataclass_of_one_number_each(compile):
    weight = torch.ones((), requires_grad=True)

    @dataclasses.dataclass(frozen=True)
    class Loss:
        value: torch.Tensor

    f, seen = compile(lambda given: Loss((given.value * weight) ** 2)), []
    for k in range(10):
        given = Loss(torch.tensor(1.0 if k < 5 else 2.0))  # equal to the one before, but another
        found = f(given)
        found.value.backward()
        seen += [found, weight.grad.clone()]
        given.value.fill_(7)
    return seen


@program
def keywords_and_defaults(compile):
    def f(x, y=2.0, *rest, flag=False, **more):
        out = x * y + sum(rest, 0.0)
        return (out.sin() if flag else out) * more.get("factor", 1.0)

    g = compile(f)
    seen = []
    for _ in range(4):
        seen += [g(X), g(X, 3.0), g(X, y=3.0), g(x=X), g(X, 1.0, 2.0, 3.0), g(X, flag=True), g(X, factor=0.5)]
    return seen


@program
def a_default_that_is_a_tensor_and_is_written(compile):
    def f(x, state=torch.zeros(3)):  # noqa: B008
        state.add_(x.sum(0))
        return state * 1

    f.__defaults__[0].zero_()
    return calls(compile(f), (X,))


@program
def a_default_that_is_replaced(compile):
    def f(x, y=1.0):
        return x * y

    g = compile(f)
    seen = calls(g, (X,))
    f.__defaults__ = (5.0,)
    return seen + calls(g, (X,))


@program
def none_in_and_out(compile):
    def f(x, mask=None):
        return None if mask is None else x * mask

    g = compile(f)
    return calls(g, (X,), (X, X > 0), (X, None)) + calls(compile(lambda x: (x, None, [None, x * 2])), (X,))


@program
def constants_out(compile):
    f = compile(lambda x: (x + 1, 3, "name", 2.5, True, x.shape, x.dtype, x.shape[0] * 2))
    return calls(f, (X,), (X[:1],))


@program
def a_closure_that_changes(compile):
    scale, bias = 1.0, torch.zeros(3)

    def f(x):
        return x * scale + bias

    g = compile(f)
    seen = calls(g, (X,))
    scale = 3.0
    seen += calls(g, (X,))
    bias = torch.ones(3)
    seen += calls(g, (X,))
    bias.mul_(5)
    return seen + calls(g, (X,))


@program
def globals_that_change(compile):
    global SCALE, TABLE
    f = compile(lambda x: x * SCALE + TABLE)
    SCALE, TABLE = 2.0, torch.tensor([1.0, 2.0, 3.0])
    seen = calls(f, (X,))
    SCALE = -1.0
    seen += calls(f, (X,))
    TABLE = TABLE * 2
    seen += calls(f, (X,))
    TABLE.zero_()
    return seen + calls(f, (X,))


@program
def a_list_and_a_dict_that_change(compile):
    config, layers = {"act": "tanh", "power": 2}, [torch.tanh]

    def f(x):
        for layer in layers:
            x = layer(x)
        return getattr(x, config["act"])() ** config["power"]

    g = compile(f)
    seen = calls(g, (X,))
    layers.append(torch.sin)
    seen += calls(g, (X,))
    config["act"] = "cos"
    seen += calls(g, (X,))
    config["power"] = 3
    layers[0] = torch.exp
    return seen + calls(g, (X,))


@program
def a_module_that_is_switched(compile):
    net = Net()
    fast = compile(net)
    torch.manual_seed(1)
    seen = calls(fast, (X,))
    net.eval()
    seen += calls(fast, (X,))
    net.train()
    seen += calls(fast, (X,))
    net.drop.p = 0.9
    seen += calls(fast, (X,))
    net.factor = 0.5
    seen += calls(fast, (X,))
    net.norm.eval()
    seen += calls(fast, (X,))
    net.second = torch.nn.Linear(4, 2)
    net.second.weight.data.fill_(0.5)
    net.second.bias.data.fill_(0.25)
    return [*seen, *calls(fast, (X,)), net.norm.running_mean, net.norm.num_batches_tracked]


@program
def keywords_of_a_module(compile):
    net = Net().eval()
    fast = compile(net)
    seen = []
    for _ in range(4):
        seen += [fast(X), fast(X, scale=2.0), fast(X, 2.0, shift=torch.ones(2)), fast(x=X, shift=None)]
    return seen


@program
def parameters_that_are_frozen(compile):
    net = Net().eval()
    fast = compile(net)
    seen = []
    for k in range(12):
        net.first.weight.requires_grad_(k // 4 != 1)
        net.second.bias.requires_grad_(k // 4 == 2)
        net.zero_grad()
        out = fast(X)
        out.sum().backward()
        seen += [out, *[p.grad for p in net.parameters()]]
    return seen


@program
def arguments_that_require_gradients(compile):
    f = compile(lambda x: (x * x).sum())
    seen = []
    for k in range(12):
        x = X.clone().requires_grad_(k // 4 != 1)
        out = f(x)
        seen += [out, *(torch.autograd.grad(out, x) if x.requires_grad else ())]
    return seen


@program
def dtypes_and_default_dtypes(compile):
    f = compile(lambda x: x * 0.1 + torch.ones(3) / 3 + torch.tensor(0.5))
    seen = calls(f, (X,), (X.double(),), (X.half(),), (X.int(),), (X > 0,))
    torch.set_default_dtype(torch.float64)
    try:
        return seen + calls(f, (X,), (X.double(),))
    finally:
        torch.set_default_dtype(torch.float32)


@program
def modes_around(compile):
    net = Net().eval()
    f = compile(lambda x: net(x) * torch.is_grad_enabled())
    seen = []
    for _ in range(4):
        seen.append(f(X))
        with torch.no_grad():
            seen.append(f(X))
        with torch.inference_mode():
            out = f(X)
            seen += [out.is_inference(), out * 1]
        with torch.set_grad_enabled(False), torch.enable_grad():
            seen.append(f(X))
    return seen


@program
def modes_inside(compile):
    w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)

    @torch.no_grad()
    def still(x):
        return x * w

    def f(x):
        with torch.no_grad():
            a = x * w
        with torch.enable_grad():
            b = x * w
        return a, b, still(x), (x * w).detach()

    g = compile(f)
    seen = calls(g, (X,))
    with torch.no_grad():
        return seen + calls(g, (X,))


@pytest.mark.parametrize("name", program)
def test_program(name, capsys):
    program.check(name, capsys)
