"""Every module of nn with every keyword, beside torch with the same weights, in float64.

Compared are printed form, state, values, gradients of inputs and parameters, changed buffers, and kinds of errors.
"""

import inspect
import warnings

import numpy as np
import pytest
from helpers import to_lib
from keywords import activations, layers, losses, spatial
from keywords.case import Fixed

import wengert

torch = pytest.importorskip("torch")

CASES = [case for table in (activations, losses, spatial, layers) for case in table.CASES]
NAMES = sorted({case.name for case in CASES})
# Where the two differ, by name and arguments, and why.
DIFFERENT = [
    (
        "Embedding",
        {"sparse": True, "padding_idx": 2},
        "torch's gradient of an index without dimensions is an error",
    ),
    (
        "EmbeddingBag",
        {"scale_grad_by_freq": True},
        "torch divides by how often another row is used, for bags in rows",
    ),
    ("CosineSimilarity", {"eps": 2.0}, "below eps a norm is constant here; torch lets its gradient through"),
    (
        "CrossEntropyLoss",
        {"ignore_index": 1, "label_smoothing": 0.2},
        "weights of 0 alone: infinite here, NaN there",
    ),
]


def carried(value, lib, leaves):
    """Arrays among arguments as tensors of `lib`; those that can have gradients ask for them."""
    if isinstance(value, np.ndarray):
        tensor = to_lib(lib, value, leaves is not None and not isinstance(value, Fixed))
        if tensor.requires_grad:
            leaves.append(tensor)
        return tensor
    if isinstance(value, tuple):
        return tuple(carried(v, lib, leaves) for v in value)
    return value


def flat(value):
    if isinstance(value, (tuple, list)):
        return [t for part in value for t in flat(part)]
    return [] if value is None else [value]


def dense(t):
    return t.to_dense() if t.is_sparse else t


def builtin(error):
    return next(k for k in type(error).__mro__ if k.__module__ == "builtins")


class Outcome:
    """What one library made of a case."""

    def __init__(self, case, lib, state=None):
        self.error = self.module = None
        self.results, self.grads, self.param_grads = [], [], {}
        try:
            self.module = self.made(case, lib)
            if state is not None:
                self.load(state)
            self.shown, self.keys = repr(self.module), self.state()
            self.run(case, lib)
        except Exception as error:
            self.error = error

    @staticmethod
    def made(case, lib):
        kwargs = {k: carried(v, lib, None) for k, v in case.kwargs.items()}
        module = getattr(lib.nn, case.name)(*case.args, **kwargs).double()
        return module.train(case.training)

    def load(self, state):
        mine = {k: wengert.from_numpy(v.copy()) for k, v in state.items()}
        report = self.module.load_state_dict(mine, strict=False)
        assert not report.missing_keys and not report.unexpected_keys, report

    def state(self):
        return {k: v.detach().numpy().copy() for k, v in self.module.state_dict().items()}

    def run(self, case, lib):
        for _ in range(case.steps):
            leaves = []
            inputs = carried(case.inputs, lib, leaves)
            named = {k: carried(v, lib, None) for k, v in case.named.items()}
            # Written in place, a leaf would refuse.
            if case.kwargs.get("inplace"):
                inputs = tuple(x.clone() for x in inputs)
            # Torch's gradient is that by the scores behind: only through log_softmax are the two the same.
            if case.name == "CTCLoss":
                inputs = (inputs[0].log_softmax(-1), *inputs[1:])
            self.results = flat(self.module(*inputs, **named))
        outputs = [t for t in self.results if t.requires_grad]
        weights = [np.cos(np.arange(t.numel(), dtype=float)).reshape(tuple(t.shape)) for t in outputs]
        total = sum((t * to_lib(lib, w)).sum() for t, w in zip(outputs, weights, strict=True) if t.numel())
        if isinstance(total, lib.Tensor):
            total.backward()
        self.grads = [x.grad for x in leaves]
        self.param_grads = {name: p.grad for name, p in self.module.named_parameters()}


def same(ours, theirs, what):
    if ours is None or theirs is None:
        rest = ours if theirs is None else theirs
        assert rest is None or not dense(rest).numpy(force=True).any(), f"{what}: {ours} and {theirs}"
        return
    assert ours.is_sparse == theirs.is_sparse, f"{what}: sparse in one library alone"
    a, b = dense(ours).detach().numpy(), dense(theirs).detach().numpy()
    assert a.dtype == b.dtype and a.shape == b.shape, f"{what}: {a.dtype} {a.shape}, {b.dtype} {b.shape}"
    np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9, err_msg=what)


def excused(case):
    return any(
        case.name == name and all(case.kwargs.get(k) == v for k, v in kwargs.items())
        for name, kwargs, _ in DIFFERENT
    )


def difference(case):
    """What differs, as a text, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = Outcome(case, torch)
        ours = Outcome(
            case, wengert, theirs.keys if theirs.module is not None and hasattr(theirs, "keys") else None
        )
    if theirs.error is not None:
        if ours.error is None:
            return f"torch refuses: {type(theirs.error).__name__}: {str(theirs.error)[:150]}"
        a, b = builtin(ours.error), builtin(theirs.error)
        if not (issubclass(a, b) or issubclass(b, a)):
            return f"{a.__name__}({ours.error}) where torch has {b.__name__}({str(theirs.error)[:150]})"
        return None
    if ours.error is not None:
        return f"{type(ours.error).__name__}: {ours.error}"
    try:
        assert ours.shown == theirs.shown, f"{ours.shown} is not {theirs.shown}"
        assert list(ours.keys) == list(theirs.keys), f"{list(ours.keys)} is not {list(theirs.keys)}"
        assert len(ours.results) == len(theirs.results), "another number of results"
        for a, b in zip(ours.results, theirs.results, strict=True):
            assert a.requires_grad == b.requires_grad, f"requires_grad is {a.requires_grad}"
            same(a, b, "result")
        for a, b in zip(ours.grads, theirs.grads, strict=True):
            same(a, b, "gradient of an input")
        assert list(ours.param_grads) == list(theirs.param_grads)
        for name, grad in theirs.param_grads.items():
            same(ours.param_grads[name], grad, f"gradient of {name}")
        for name, value in theirs.state().items():
            np.testing.assert_allclose(ours.state()[name], value, rtol=1e-9, atol=1e-11, err_msg=f"state {name}")
    except AssertionError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", NAMES)
def test_module(name):
    problems, ran = [], 0
    for case in CASES:
        if case.name == name:
            found = difference(case)
            ran += 1
            if found and not excused(case):
                problems.append(f"{case}: {found}")
    assert ran
    assert not problems, f"{len(problems)} of {ran} differ:\n" + "\n".join(problems)


@pytest.mark.parametrize("name", NAMES)
def test_constructor_takes_the_same_arguments(name):
    ours, theirs = (inspect.signature(getattr(lib.nn, name)).parameters for lib in (wengert, torch))
    if any(p.kind is p.VAR_KEYWORD for p in (*ours.values(), *theirs.values())):
        pytest.skip("takes any keyword")
    assert list(ours) == list(theirs)
    for p, q in zip(ours.values(), theirs.values(), strict=True):
        both_functions = callable(p.default) and callable(q.default)
        assert p.default == q.default or (both_functions and p.default.__name__ == q.default.__name__), p
