"""Comparison with PyTorch: the same call on the same values, results, gradients and second gradients."""

import importlib

import numpy as np
import pytest

import wengert as wg

torch = pytest.importorskip("torch")


def pair(array, requires_grad=False):
    """The same values as a wengert and a torch tensor."""
    if isinstance(array, np.ndarray) or np.isscalar(array):
        array = np.asarray(array)
        ours, theirs = wg.from_numpy(array.copy()), torch.from_numpy(array.copy())
        if requires_grad and array.dtype.kind in "fc":
            ours.requires_grad_(True)
            theirs.requires_grad_(True)
        return ours, theirs
    return array, array


def _split(value, requires_grad, side, leaves):
    if isinstance(value, np.ndarray):
        made = pair(value, requires_grad)[side]
        if requires_grad and value.dtype.kind in "fc":
            leaves.append(made)
        return made
    if isinstance(value, (list, tuple)):
        return type(value)(_split(v, requires_grad, side, leaves) for v in value)
    if isinstance(value, dict):
        return {k: _split(v, requires_grad, side, leaves) for k, v in value.items()}
    if isinstance(value, str) and value.startswith("dtype:"):
        return getattr((wg, torch)[side], value[6:])
    return value


def flat(result):
    """Tensors among a result, in order."""
    if isinstance(result, (wg.Tensor, torch.Tensor)):
        return [result]
    if isinstance(result, (list, tuple)):
        return [t for part in result for t in flat(part)]
    return [result]


def numpy_of(t):
    """A tensor's values; bfloat16 as float64."""
    if t.dtype in (wg.bfloat16, torch.bfloat16):
        return np.array(t.detach().tolist()).reshape(tuple(t.shape))
    return t.detach().numpy(force=True)


def assert_same(ours, theirs, rtol=1e-5, atol=1e-6):
    """Values, dtypes and shapes of (nested) results agree."""
    ours, theirs = flat(ours), flat(theirs)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        if not isinstance(b, torch.Tensor):
            assert a == b
            continue
        assert tuple(a.shape) == tuple(b.shape)
        assert str(a.dtype).split(".")[-1] == str(b.dtype).split(".")[-1]
        np.testing.assert_allclose(numpy_of(a), numpy_of(b), rtol=rtol, atol=atol)


def call(side, name, args, kwargs):
    """A function of the package by dotted name, or a method where the name starts with a dot."""
    if name.startswith("."):
        return getattr(args[0], name[1:])(*args[1:], **kwargs)
    target = (wg, torch)[side]
    for part in name.split("."):
        target = getattr(target, part)
    return target(*args, **kwargs)


def _gradients(side, result, leaves, weights):
    package = importlib.import_module(("wengert", "torch")[side])
    outputs = [t for t in flat(result) if getattr(t, "requires_grad", False)]
    if not outputs or not leaves:
        return [[None] * len(leaves)] * 2
    loss = None
    for t, w in zip(outputs, weights(outputs), strict=True):
        term = (t * pair(w)[side]).sum().real
        loss = term if loss is None else loss + term
    first = package.autograd.grad(loss, leaves, create_graph=True, allow_unused=True)
    found = [g for g in first if g is not None and g.requires_grad]
    second = [None] * len(leaves)
    if found:
        total = None
        for g in found:
            term = (g * g.sin()).sum().real
            total = term if total is None else total + term
        second = list(package.autograd.grad(total, leaves, allow_unused=True))
    return [list(first), second]


def check(name, *args, rtol=1e-6, atol=1e-8, grad=True, grad_rtol=1e-5, grad_atol=1e-7, **kwargs):
    """Runs a call in both packages on float64 copies and compares results and two orders of gradients."""
    rng = np.random.default_rng(5)
    cache = {}

    def weights(outputs):
        for k, t in enumerate(outputs):
            if k not in cache:
                drawn = rng.normal(size=(2, *t.shape))
                number = drawn[0] + 1j * drawn[1] if t.dtype.is_complex else drawn[0]
                cache[k] = number.astype(str(t.dtype).split(".")[-1])
        return [cache[k] for k in range(len(outputs))]

    results, gradients = [], []
    for side in (0, 1):
        leaves = []
        a = _split(args, grad, side, leaves)
        k = _split(kwargs, grad, side, leaves)
        result = call(side, name, a, k)
        results.append(result)
        gradients.append(_gradients(side, result, leaves, weights) if grad else [[], []])
    assert_same(*results, rtol=rtol, atol=atol)
    for ours, theirs in zip(*gradients, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            if a is None or b is None:
                zero = a if b is None else b
                assert zero is None or not np.any(numpy_of(zero))
                continue
            assert_same(a, b, rtol=max(rtol, grad_rtol), atol=max(atol, grad_atol))


def same_error(name, *args, **kwargs):
    """Both packages refuse a call with the same kind of error."""
    kinds = []
    for side in (0, 1):
        with pytest.raises(Exception) as info:
            call(side, name, _split(args, False, side, []), _split(kwargs, False, side, []))
        kinds.append(info.type)
    builtin = [next(k for k in kind.__mro__ if k.__module__ == "builtins") for kind in kinds]
    assert issubclass(builtin[0], builtin[1]) or issubclass(builtin[1], builtin[0]), kinds
