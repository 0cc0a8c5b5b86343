"""Runs a training program with PyTorch or with wengert, from the same random numbers and in a chosen precision.

The programs are written as any user's: they draw weights, noise and orders with the library's own functions. Libraries
differ in their generators, so that here each random function is replaced by one that takes NumPy's numbers.
"""

import contextlib
import importlib
import importlib.util
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest

import wengert

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (ROOT / "examples", ROOT / "tests" / "programs")


def programs():
    """Paths of all programs: the files that have a `main`."""
    found = [path for folder in FOLDERS for path in sorted(folder.glob("*.py"))]
    return [path for path in found if "def main(steps" in path.read_text(encoding="utf-8")]


def need_data(path):
    """Skips a test where the data of an example is not installed."""
    if "from example_data import" in path.read_text(encoding="utf-8"):
        folder = load(ROOT / "examples" / "example_data.py").FOLDER
        if not folder.is_dir():
            pytest.skip("the data sets are not installed (examples/example_data.py says where they are looked for)")


def losses(path, library, steps, *, double, numpy=True, nudge=0):
    """What a program's `main(steps)` returns, run with "torch" or "wengert", in float64 or float32.

    With `numpy` the random numbers are NumPy's, the same for both, with fractions off by `nudge` roundings of float32;
    without it the library's own.
    """
    with contextlib.ExitStack() as stack:
        torch = (
            stack.enter_context(wengert.as_torch()) if library == "wengert" else importlib.import_module("torch")
        )
        if library == "torch":  # eager is the reference: its compiler takes long and needs a C++ compiler
            stack.callback(setattr, torch, "compile", torch.compile)
            torch.compile = lambda model=None, **options: (lambda f: f) if model is None else model
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # small programs: more threads only wait for each other
        stack.callback(torch.set_num_threads, threads)
        before = set(sys.modules)
        stack.callback(_forget, path.parent, before)
        if numpy:
            stack.enter_context(numpy_random(torch, wengert if library == "wengert" else torch, nudge))
        stack.enter_context(_precision(torch, double))
        sys.path.insert(0, str(path.parent))
        stack.callback(sys.path.remove, str(path.parent))
        module = load(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [float(loss) for loss in module.main(steps)]


def load(path):
    """A program as a module of its own."""
    name = f"program_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _forget(folder, before):
    """Drops the modules beside a program: they hold the library that they were imported with."""
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).parent == folder and "import torch" in Path(file).read_text(encoding="utf-8"):
            del sys.modules[name]


@contextlib.contextmanager
def _precision(torch, double):
    """The default dtype; float() gives float64 in a run in float64."""
    default = torch.get_default_dtype()
    plain = torch.Tensor.float
    torch.set_default_dtype(torch.float64 if double else torch.float32)
    if double:
        torch.Tensor.float = torch.Tensor.double
    try:
        yield
    finally:
        torch.set_default_dtype(default)
        if double:
            torch.Tensor.float = plain


class _Source:
    """Random functions over NumPy's generator, with torch's signatures. Each has a stream of its own."""

    def __init__(self, torch, nudge):
        self.torch, self.scale, self.streams = torch, 1 + nudge * 2.0**-23, {}
        self.generators = []

    def rng(self, name):
        if name not in self.streams:
            self.streams[name] = np.random.default_rng([0, zlib.crc32(name.encode())])
        return self.streams[name]

    def make(self, values, dtype=None, requires_grad=False):
        values = np.asarray(values)
        if values.dtype.kind == "f":
            values = values * self.scale
        if dtype is None:
            dtype = self.torch.get_default_dtype() if values.dtype.kind == "f" else self.torch.int64
        return (
            self.torch.from_numpy(values.reshape(-1)).to(dtype).reshape(values.shape).requires_grad_(requires_grad)
        )

    @staticmethod
    def sizes(size):
        return tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else tuple(size)

    # functions

    def randn(self, *size, dtype=None, requires_grad=False, generator=None, device=None, **k):
        size = self.sizes(size or (k["size"],))
        return self.make(self.rng("normal").standard_normal(size), dtype, requires_grad)

    def rand(self, *size, dtype=None, requires_grad=False, generator=None, device=None, **k):
        size = self.sizes(size or (k["size"],))
        return self.make(self.rng("uniform").random(size), dtype, requires_grad)

    def randint(self, *args, size=None, low=None, high=None, dtype=None, generator=None, device=None):
        args = list(args)
        if size is None:
            size = args.pop()
        high = args.pop() if high is None else high
        low = (args.pop() if args else 0) if low is None else low
        name = "seeds" if high > 2**62 else "randint"
        return self.make(np.asarray(self.rng(name).integers(low, high, tuple(size))), dtype or self.torch.int64)

    def randperm(self, n, *, generator=None, dtype=None, device=None):
        """Each generator has a stream: samplers make one for a pass, and torch's draw a second, unused order."""
        name = "randperm"
        if generator is not None and generator is not self.torch.default_generator:
            if not any(known is generator for known in self.generators):
                self.generators.append(generator)
            name += str(next(i for i, known in enumerate(self.generators) if known is generator))
        return self.make(self.rng(name).permutation(n), dtype or self.torch.int64)

    def normal(self, mean, std=1.0, size=None, generator=None):
        shape = size
        if shape is None:
            parts = [np.empty(tuple(v.shape)) for v in (mean, std) if hasattr(v, "shape")]
            shape = np.broadcast(*parts).shape if parts else ()
        return mean + std * self.make(self.rng("normal").standard_normal(tuple(shape)))

    def bernoulli(self, input, p=None, generator=None):
        p = input if p is None else self.torch.full_like(input, p)
        drawn = self.make(self.rng("bernoulli").random(tuple(p.shape)), p.dtype)
        return (drawn < p).to(input.dtype)

    def multinomial(self, input, num_samples, replacement=False, generator=None):
        weights = input.detach().double().numpy()
        rows = weights.reshape(-1, weights.shape[-1])
        rng = self.rng("multinomial")
        if num_samples == 1 or replacement:
            steps = np.cumsum(rows / rows.sum(1, keepdims=True), 1)
            drawn = [np.searchsorted(row, rng.random(num_samples)).clip(max=len(row) - 1) for row in steps]
        else:
            drawn = [rng.choice(len(row), num_samples, False, row / row.sum()) for row in rows]
        return self.make(np.array(drawn).reshape(*weights.shape[:-1], num_samples), self.torch.int64)

    def dropout(self, input, p=0.5, training=True, inplace=False):
        if not training or p == 0:
            return input
        keep = self.make(self.rng("dropout").random(tuple(input.shape)) >= p, input.dtype)
        return input * (keep / (1 - p))

    # methods

    def filled(self, name, draw):
        def method(tensor, *args, generator=None, **kwargs):
            values = draw(self.rng(name), tuple(tensor.shape), *args, **kwargs)
            with self.torch.no_grad():
                return tensor.copy_(self.make(np.asarray(values), tensor.dtype))

        return method

    def functions(self):
        made = (self.randn, self.rand, self.randint, self.randperm, self.normal, self.bernoulli, self.multinomial)
        found = {f.__name__: f for f in made}

        def like(draw):
            def of(input, *args, dtype=None, requires_grad=False, device=None):
                return draw(*args, tuple(input.shape), dtype=dtype or input.dtype).requires_grad_(requires_grad)

            return of

        return found | {f"{f.__name__}_like": like(f) for f in (self.randn, self.rand, self.randint)}

    def methods(self):
        return {
            "normal_": self.filled("normal", lambda r, s, mean=0.0, std=1.0: mean + std * r.standard_normal(s)),
            "uniform_": self.filled("uniform", lambda r, s, a=0.0, b=1.0: a + (b - a) * r.random(s)),
            "exponential_": self.filled("exponential", lambda r, s, lambd=1.0: r.exponential(1 / lambd, s)),
            "bernoulli_": self.filled("bernoulli", lambda r, s, p=0.5: (r.random(s) < p).astype(float)),
            "random_": self.filled("seeds", lambda r, s, a=0, b=2**62: r.integers(a, b, s)),
            "multinomial": lambda t, *a, **k: self.multinomial(t, *a, **k),
            "bernoulli": lambda t, *a, **k: self.bernoulli(t, *a, **k),
        }


@contextlib.contextmanager
def numpy_random(torch, behind, nudge=0):
    """Replaces the random functions of a library.

    Args:
        torch: the module that programs see.
        behind: the package that the library's own layers look into; `torch` again for PyTorch.
        nudge: roundings of float32 by which the fractions differ from NumPy's.
    """
    source = _Source(torch, nudge)
    patches = [(module, source.functions()) for module in {id(m): m for m in (torch, behind)}.values()]
    patches.append((torch.Tensor, source.methods()))
    patches.append((torch.nn.functional, {"dropout": source.dropout}))
    patches.append((importlib.import_module("torch.utils.data.dataset"), {"randperm": source.randperm}))
    missing = object()
    undo = []
    try:
        for owner, replaced in patches:
            for name, value in replaced.items():
                undo.append((owner, name, vars(owner).get(name, missing)))
                setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in reversed(undo):
            delattr(owner, name) if value is missing else setattr(owner, name, value)
