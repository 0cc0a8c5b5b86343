"""Function transforms: gradients, Jacobians, vectorisation over batches. They nest in any order."""

from wengert._missing import explain

from . import _functions  # noqa: F401  (custom functions learn of the transforms)
from ._derivatives import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, linearize, vjp
from ._modules import functional_call, stack_module_state
from ._vmap import vmap

__getattr__ = explain(__name__)
__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "stack_module_state",
    "vjp",
    "vmap",
]
