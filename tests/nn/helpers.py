"""Carry tensors and states between wengert and torch through NumPy, and compare them."""

from collections import OrderedDict

import numpy as np

import wengert


def to_lib(lib, array, requires_grad=False):
    """A fresh tensor of `lib` (wengert or torch) with the array's values."""
    tensor = lib.from_numpy(np.array(array))
    return tensor.requires_grad_() if requires_grad and array.dtype.kind == "f" else tensor


def copy_state(source, target, target_lib):
    """Load the state of `source` into `target`, a module of the other library."""
    state = OrderedDict((k, to_lib(target_lib, v.detach().numpy())) for k, v in source.state_dict().items())
    target.load_state_dict(state)


def state_shapes(module):
    return [(k, tuple(v.shape)) for k, v in module.state_dict().items()]


def flat_tensors(value):
    """All tensors in nested tuples."""
    if isinstance(value, (tuple, list)):
        return [t for part in value for t in flat_tensors(part)]
    return [] if value is None else [value]


def assert_close(ours, theirs, tol=1e-5):
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=tol, atol=tol)


def run_both(ours, theirs, arrays, torch, tol=1e-5):
    """Run both modules on the same inputs; compare outputs, input gradients and parameter gradients."""
    xs = [to_lib(wengert, a, True) for a in arrays]
    ys = [to_lib(torch, a, True) for a in arrays]
    results = flat_tensors(ours(*xs)), flat_tensors(theirs(*ys))
    assert len(results[0]) == len(results[1])
    losses = []
    for outputs in results:
        weighted = [(o * o).sum() for o in outputs if o.is_floating_point()]
        losses.append(sum(weighted[1:], weighted[0]))
    for mine, other in zip(*results, strict=True):
        assert_close(mine, other, tol)
    if not losses[1].requires_grad:
        return
    for loss in losses:
        loss.backward()
    for x, y in zip(xs, ys, strict=True):
        if y.grad is not None:
            assert_close(x.grad, y.grad, tol * 10)
    for (name, p), (other, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == other
        if q.grad is not None:
            assert_close(p.grad, q.grad, tol * 10)
