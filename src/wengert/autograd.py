"""Differentiation: backward, grad, the recording modes."""

from . import _core
from ._bind import OPS

FUNCTIONS = {}
METHODS = {}


def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    """Computes the gradients of this tensor with respect to the leaves of its graph and adds them to their `.grad`.

    Args:
        gradient: the gradient of something with respect to this tensor, of its shape; may be left out for a tensor of
            one element.
        retain_graph: keep what the graph saved for another pass; the default is the value of create_graph.
        create_graph: record the gradients' own computation, so that they can be differentiated.
        inputs: only these tensors receive gradients.

    Raises RuntimeError for tensors without history, for a missing gradient and for a graph that has been freed.
    """
    if gradient is None:
        if self.numel() != 1:
            raise RuntimeError(
                f"backward: expected a tensor of one element, got shape {tuple(self.shape)}. Pass gradient=, or reduce "
                "first with .sum()."
            )
        gradient = _core.full(tuple(self.shape), 1.0, self.dtype)
    if inputs is not None:
        inputs = [inputs] if isinstance(inputs, _core.Tensor) else list(inputs)
    keep = create_graph if retain_graph is None else retain_graph
    _core.backward([self], [gradient], inputs, keep, create_graph)


METHODS["backward"] = backward
__all__ = ["OPS", "backward"]
