"""Limit the size of gradients."""

import wengert
from wengert import _core
from wengert._warn import warn


def _as_list(tensors):
    return [tensors] if isinstance(tensors, wengert.Tensor) else list(tensors)


def _grads(parameters):
    return [p.grad for p in _as_list(parameters) if p.grad is not None]


def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The norm of all tensors, taken as one vector.

    Raises:
        RuntimeError: the norm is not finite and `error_if_nonfinite` is set.

    Example:
        >>> get_total_norm([wengert.tensor([3.0]), wengert.tensor([4.0])]).item()
        5.0
    """
    tensors = [t.coalesce().values() if t.is_sparse else t for t in _as_list(tensors)]
    if not tensors:
        return wengert.tensor(0.0)
    norm_type = float(norm_type)
    total = _core.grad_norm(tensors) if norm_type == 2.0 else None
    if total is None:  # another norm, a recorded one, or tensors that the compiled pass does not take
        norms = wengert.stack([wengert.linalg.vector_norm(t, norm_type) for t in tensors])
        total = wengert.linalg.vector_norm(norms, norm_type)
    if error_if_nonfinite and not bool(wengert.isfinite(total)):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be"
            " clipped."
            " To disable this error and scale the gradients by the non-finite norm anyway, set"
            " `error_if_nonfinite=False`"
        )
    return total


def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scale the gradients by max_norm / total_norm where that is below 1."""
    # 1e-6 keeps the quotient finite; the clamp replaces a branch on the norm's value.
    factor = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
    with wengert.no_grad():
        grads = _grads(parameters)
        if not _core.scale_many(grads, factor):
            for grad in grads:
                grad.mul_(factor)


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale all gradients so that their common norm is at most `max_norm`; return the norm before."""
    parameters = _as_list(parameters)
    with wengert.no_grad():
        total = get_total_norm(_grads(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_norm(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The old name of `clip_grad_norm_`; warns with FutureWarning."""
    warn("clip_grad_norm is the old name of clip_grad_norm_.", FutureWarning)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters, clip_value, foreach=None):
    """Clamp every element of every gradient to [-clip_value, clip_value]."""
    clip_value = float(clip_value)
    with wengert.no_grad():
        for grad in _grads(parameters):
            grad.clamp_(min=-clip_value, max=clip_value)
