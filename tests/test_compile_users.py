"""What users of torch.compile do: each program gives the same when its functions are compiled as when they are not.

A program takes `compile` and returns what it has seen; it is run with functions left as they are, and with compiled ones.
"""

import collections
import copy
import dataclasses
import functools
import pickle
import warnings

import numpy as np
import pytest

import wengert as torch

F = torch.nn.functional
PROGRAMS = {}


def program(f):
    PROGRAMS[f.__name__] = f
    return f


def shown(v):
    """Something that compares by value: tensors as dtype, shape, whether they require gradients, and bytes."""
    if isinstance(v, torch.Tensor):
        grad = None if not v.is_leaf or v.grad is None else shown(v.grad)
        return v.dtype, tuple(v.shape), v.requires_grad, v.detach().numpy().tobytes(), grad
    if isinstance(v, dict):
        return type(v).__name__, [(k, shown(x)) for k, x in v.items()]
    if isinstance(v, (list, tuple)):
        return type(v).__name__, [shown(x) for x in v]
    if dataclasses.is_dataclass(v) and not isinstance(v, type):
        return type(v).__name__, [shown(getattr(v, f.name)) for f in dataclasses.fields(v)]
    return (type(v).__name__, repr(v)) if isinstance(v, float) else v


def calls(f, *arguments, times=4):
    """The results of several calls with each of some arguments (tuples), one after the other."""
    return [f(*given) for given in arguments for _ in range(times)]


X = torch.tensor([[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]])
Pair = collections.namedtuple("Pair", "first second")
SCALE = 2.0
TABLE = torch.tensor([1.0, 2.0, 3.0])


@dataclasses.dataclass
class Batch:
    x: torch.Tensor
    scale: float = 1.0


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)
        self.drop, self.norm = torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(4)
        self.factor = 1.0

    def forward(self, x, scale=1.0, *, shift=None):
        h = self.drop(self.norm(self.first(x).tanh())) * self.factor
        out = self.second(h) * scale
        return out if shift is None else out + shift


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


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name, capsys):
    run = PROGRAMS[name]
    torch.manual_seed(7)
    want, printed = shown(run(lambda f: f)), capsys.readouterr().out
    torch.manual_seed(7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = shown(run(functools.partial(torch.compile, exact=True)))
    assert capsys.readouterr().out == printed
    assert len(got[1]) == len(want[1])
    for k, (a, b) in enumerate(zip(got[1], want[1], strict=True)):
        assert a == b, f"{name}, thing {k}: {a} and {b}"


OPTIONS = [
    {"dynamic": True},
    {"dynamic": False},
    {"mode": "reduce-overhead"},
    {"mode": "max-autotune"},
    {"backend": "eager"},
    {"backend": "inductor", "options": {"max_autotune": True}},
    {"backend": lambda module, inputs: module},
    {"disable": True},
    {"fullgraph": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options(options):
    f = torch.compile(lambda x: x * 2, **options)
    for n in (2, 2, 2, 2, 3, 4, 5):
        assert torch.equal(f(torch.ones(n)), torch.full((n,), 2.0))
    assert getattr(f, "plans", 0) == (0 if "disable" in options else 1)


def test_options_that_contradict():
    with pytest.raises(RuntimeError, match="expected a mode among default, .*got 'fast'"):
        torch.compile(torch.sin, mode="fast")
    with pytest.raises(RuntimeError, match="expected either mode or options"):
        torch.compile(torch.sin, mode="default", options={})


def test_generators_and_coroutines_are_refused():
    def items(x):
        yield x * 2

    async def later(x):
        return x * 2

    async def stream(x):
        yield x * 2

    for f, what in ((items, "generator"), (later, "coroutine"), (stream, "asynchronous generator")):
        with pytest.raises(
            TypeError, match=f"compile: expected a function that returns its results, got the {what}"
        ):
            torch.compile(f)
