"""Differentiation: backward, grad, the recording modes, custom functions."""

from .. import _core
from .._missing import module_error
from . import anomaly_mode as _anomaly_mode
from . import grad_mode as _grad_mode
from . import graph
from .anomaly_mode import detect_anomaly, set_detect_anomaly
from .function import Function
from .grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .variable import Variable

__all__ = [
    "Function",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "profiler",
    "set_detect_anomaly",
    "set_grad_enabled",
]

_Tensor = _core.Tensor


def _tensors(value, op, what):
    """One tensor or a sequence of them as a list."""
    if isinstance(value, _Tensor):
        return [value]
    if value is None:
        raise TypeError(f"{op}: expected tensors for {what}, got None.")
    value = list(value)
    for v in value:
        if not isinstance(v, _Tensor):
            raise TypeError(f"{op}: expected tensors for {what}, got {type(v).__name__}.")
    return value


def _first_gradients(roots, grads, op):
    """The gradients that a pass starts with: one tensor for each root."""
    if grads is None:
        grads = [None] * len(roots)
    elif isinstance(grads, _Tensor):
        grads = [grads]
    if len(grads) != len(roots):
        raise RuntimeError(f"{op}: expected one gradient for each of {len(roots)} tensors, got {len(grads)}.")
    out = []
    for root, g in zip(roots, grads, strict=True):
        if g is None:
            if root.requires_grad and root.numel() != 1:
                raise RuntimeError(
                    f"{op}: expected a tensor of one element, got shape {tuple(root.shape)}. Pass its gradient, or "
                    "reduce first with .sum()."
                )
            if root.requires_grad and root.dtype.is_complex:
                raise RuntimeError(
                    f"{op}: expected a real tensor, got {root.dtype}. Pass its gradient, or make it real with .abs() or "
                    ".real."
                )
            g = _core.full(tuple(root.shape), 1.0, root.dtype)
        elif not isinstance(g, _Tensor):
            raise TypeError(f"{op}: expected a Tensor or None for a gradient, got {type(g).__name__}.")
        elif g.shape != root.shape:
            raise RuntimeError(
                f"{op}: expected a gradient of shape {tuple(root.shape)}, got {tuple(g.shape)}. It must have "
                f"the shape "
                "of the tensor that it belongs to."
            )
        elif g.dtype != root.dtype and (g.dtype.is_complex or root.dtype.is_complex):
            raise RuntimeError(f"{op}: expected a gradient of dtype {root.dtype}, got {g.dtype}. Convert it first.")
        out.append(g if g.dtype == root.dtype else g.to(root.dtype))
    return out


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, grad_variables=None, inputs=None):
    """Computes the gradients of tensors with respect to the leaves of their graphs and adds them to the leaves'
    `.grad`.

    Args:
        tensors: one tensor or a sequence of tensors that require grad.
        grad_tensors: for each of them the gradient of something with respect to it, of its shape; None is allowed
            for tensors of one element.
        retain_graph: keep what the graph saved for another pass; the default is the value of create_graph.
        create_graph: record the gradients' own computation, so that they can be differentiated.
        inputs: only these tensors receive gradients.

    Raises:
        RuntimeError: a tensor has no history, a gradient is missing or has another shape, the graph has been
            freed, or a saved value was changed in place.

    Example:
        >>> import wengert
        >>> x = wengert.tensor([1.0, 2.0], requires_grad=True)
        >>> wengert.autograd.backward(x * x, wengert.tensor([1.0, 10.0]))
        >>> x.grad
        tensor([ 2., 40.])
    """
    roots = _tensors(tensors, "backward", "tensors")
    if inputs is not None:
        inputs = _tensors(inputs, "backward", "inputs")
        if not inputs:
            raise RuntimeError(
                "backward: expected at least one tensor in inputs, got none. Leave it out for all leaves."
            )
    grads = _first_gradients(roots, grad_tensors if grad_variables is None else grad_variables, "backward")
    keep = create_graph if retain_graph is None else retain_graph
    _core.backward(roots, grads, inputs, keep, create_graph)


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    only_inputs=True,
    allow_unused=None,
    is_grads_batched=False,
    materialize_grads=False,
):
    """The gradients of outputs with respect to inputs, returned instead of added to `.grad`.

    Args:
        outputs: one tensor or a sequence.
        inputs: one tensor or a sequence; any tensors that require grad, leaves or not.
        grad_outputs: as grad_tensors of `backward`.
        retain_graph, create_graph: as for `backward`.
        allow_unused: give None for an input that the outputs do not depend on, instead of an error.
        is_grads_batched: grad_outputs have one more leading dimension; the results have it too.
        materialize_grads: give zeros instead of None.

    Returns:
        A tuple with one tensor (or None) for each input.

    Raises:
        RuntimeError: as for `backward`, and for an input that is not part of the graph.

    Example:
        >>> import wengert
        >>> x = wengert.tensor(3.0, requires_grad=True)
        >>> (g,) = wengert.autograd.grad(x * x, x, create_graph=True)
        >>> wengert.autograd.grad(g, x)
        (tensor(2.),)
    """
    roots = _tensors(outputs, "grad", "outputs")
    wanted = _tensors(inputs, "grad", "inputs")
    if materialize_grads:
        if allow_unused is False:
            raise ValueError(
                "grad: expected allow_unused=True or nothing together with materialize_grads, got False."
            )
        allow_unused = True
    keep = create_graph if retain_graph is None else retain_graph
    if is_grads_batched:
        return _batched_grad(roots, wanted, grad_outputs, keep, create_graph, allow_unused, materialize_grads)
    grads = _first_gradients(roots, grad_outputs, "grad")
    results = _core.backward(roots, grads, wanted, keep, create_graph, False, bool(allow_unused))
    if materialize_grads:
        results = tuple(
            _core.full(tuple(t.shape), 0.0, t.dtype) if g is None else g
            for g, t in zip(results, wanted, strict=True)
        )
    return results


def _batched_grad(roots, wanted, grad_outputs, keep, create_graph, allow_unused, materialize_grads):
    """grad() once for each slice of grad_outputs, the results stacked."""
    batches = _tensors(grad_outputs, "grad", "grad_outputs")
    size = batches[0].shape[0]
    rows = []
    for k in range(size):
        part = [b[k] for b in batches]
        rows.append(
            grad(
                roots,
                wanted,
                part,
                keep or k < size - 1,
                create_graph,
                True,
                allow_unused,
                False,
                materialize_grads,
            )
        )
    from .. import stack

    return tuple(None if column[0] is None else stack(list(column)) for column in zip(*rows, strict=True))


def _tensor_backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    """Computes the gradients of this tensor with respect to the leaves of its graph and adds them to their `.grad`.

    Args:
        gradient: the gradient of something with respect to this tensor, of its shape; may be left out for a tensor
            of one element.
        retain_graph, create_graph, inputs: as for `wengert.autograd.backward`.

    Raises:
        RuntimeError: the tensor has no history, a gradient is missing, the graph has been freed.
    """
    if gradient is None and inputs is None and self.numel() == 1 and not self.dtype.is_complex:
        keep = create_graph if retain_graph is None else retain_graph
        _core.backward([self], [_core.full(tuple(self.shape), 1.0, self.dtype)], None, keep, create_graph)
        return
    backward([self], gradient, retain_graph, create_graph, inputs=inputs)


def __getattr__(name):
    # Loaded at first use: they cost import time and most programs never need them.
    if name in ("forward_ad", "functional"):
        import importlib

        return importlib.import_module(f".{name}", __name__)
    if name == "profiler":
        from .. import profiler

        return profiler
    if name in ("gradcheck", "gradgradcheck", "GradcheckError"):
        from .. import testing

        return getattr(testing, name)
    raise module_error(__name__, name, __all__)


METHODS = {"backward": _tensor_backward, **graph.METHODS}
FUNCTIONS = {
    **_grad_mode.FUNCTIONS,
    **_anomaly_mode.FUNCTIONS,
}
