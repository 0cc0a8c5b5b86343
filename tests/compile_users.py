"""What users of torch.compile do: each program gives the same when its functions are compiled as when they are not.

A program takes `compile` and returns what it has seen; it is run with functions left as they are, and with compiled ones.
"""

import dataclasses
import itertools
import warnings

import wengert as torch

F = torch.nn.functional

F = torch.nn.functional


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


def values(v):
    """As `shown`, for results whose history does not matter: that of a loss is gone after backward()."""
    if isinstance(v, torch.Tensor):
        return v.dtype, tuple(v.shape), v.detach().numpy().tobytes()
    return type(v).__name__, [values(x) for x in (v.values() if isinstance(v, dict) else v)]


def net(*sizes, seed=0, act=torch.nn.Tanh, extra=lambda n: []):
    """A chain of linear layers; `extra` gives what stands behind each of them."""
    torch.manual_seed(seed)
    layers = []
    for a, b in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(a, b), *extra(b), act()]
    return torch.nn.Sequential(*layers[:-1])


def params(*models):
    return [t.detach().clone() for m in models for t in m.state_dict().values()]


def regression(model, optimizer):
    """A step of training."""

    def step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


class Users(dict):
    """Programs by their names."""

    def __call__(self, program):
        self[program.__name__] = program
        return program

    def check(self, name, capsys, show=shown):
        """Runs a program both ways and compares what it has seen, as `show` gives it, and printed; returns the compiled
        functions."""
        run, made = self[name], []

        def compiled(fn, **options):
            fast = torch.compile(fn, exact=True, **options)
            made.append(getattr(fast, "_compiled", fast))
            return fast

        torch.manual_seed(7)
        want, printed = show(run(lambda f: f)), capsys.readouterr().out
        torch.manual_seed(7)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got = show(run(compiled))
        assert capsys.readouterr().out == printed
        assert len(got[1]) == len(want[1])
        for k, (a, b) in enumerate(zip(got[1], want[1], strict=True)):
            assert a == b, f"{name}, thing {k}: {a} and {b}"
        return made
