"""Notes the shapes and dtypes of a graph's values."""

from typing import NamedTuple

import wengert

from ..interpreter import Interpreter
from ..node import map_aggregate


class TensorMetadata(NamedTuple):
    """What is known of a tensor without its values."""

    shape: tuple
    dtype: wengert.dtype
    requires_grad: bool
    stride: tuple
    memory_format: object
    is_quantized: bool
    qparams: dict


def _extract_tensor_metadata(result, include_contiguity=True):
    """What a tensor is, without its values."""
    contiguous = include_contiguity and result.is_contiguous()
    return TensorMetadata(
        result.shape,
        result.dtype,
        result.requires_grad,
        result.stride(),
        wengert.contiguous_format if contiguous else None,
        False,
        {},
    )


class ShapeProp(Interpreter):
    """Runs a module on values and notes in `meta["tensor_meta"]` of each node what its tensors are.

    Example:
        >>> import wengert
        >>> module = wengert.fx.symbolic_trace(lambda x: x.sum(0))
        >>> result = ShapeProp(module).propagate(wengert.ones(2, 3))
        >>> [list(n.meta["tensor_meta"].shape) for n in module.graph.nodes]
        [[2, 3], [3], [3]]
    """

    def run_node(self, n):
        """The value of a node; what it is goes into the node's notes."""
        result = super().run_node(n)
        tensors = []

        def note(value):
            if not isinstance(value, wengert.Tensor):
                return value
            tensors.append(value)
            return _extract_tensor_metadata(value)

        noted = map_aggregate(result, note)
        if tensors:
            n.meta["tensor_meta"] = noted
        n.meta["type"] = type(result)
        return result

    def propagate(self, *args):
        """Runs the module on these arguments; returns its result."""
        return super().run(*args)


__all__ = ["ShapeProp", "TensorMetadata"]
