"""Custom functions inside transforms: their `vmap` and `jvp` rules, with PyTorch's protocol."""

from typing import NamedTuple

from .. import _core
from .._bind import OPS
from ..autograd import function as _function
from ._batching import BatchFrame
from ._batching import wrap as wrap_batch
from ._forward import wrap as wrap_dual
from ._levels import current_recorder, top_frame

_Tensor = _core.Tensor
Function, FunctionCtx = _function.Function, _function.FunctionCtx


class VmapInfo(NamedTuple):
    """What a Function's `vmap` rule is told: the size of the batch, and vmap's randomness."""

    batch_size: int
    randomness: str


def apply_elsewhere(cls, args):
    """cls.apply where a static graph is built or arguments belong to an open transform: (its result,), or None."""
    frame = top_frame(args) or current_recorder()
    if hasattr(frame, "run_function"):
        return (frame.run_function(cls, args),)
    return (_in_transform(cls, frame, args),) if hasattr(frame, "peel") else None


def _in_transform(cls, frame, args):
    """The rule for the deepest transform that arguments belong to."""
    peeled = [frame.peel(a) if isinstance(a, _Tensor) else (a, None) for a in args]
    if isinstance(frame, BatchFrame):
        return _batched(cls, frame, [v for v, _ in peeled], [mine is True for _, mine in peeled])
    return _dual(cls, frame, [v for v, _ in peeled], [t for _, t in peeled])


def _parts(output):
    return list(output) if isinstance(output, tuple) else [output]


def _batched(cls, frame, values, mine):
    rule = getattr(cls, "vmap", None)
    if rule is not None:
        if cls.generate_vmap_rule:
            raise RuntimeError(
                f"{cls.__name__}: expected either a vmap method or generate_vmap_rule = True, got both. Drop one."
            )
        in_dims = tuple(0 if m else None for m in mine)
        result = rule(VmapInfo(frame.size, frame.randomness), in_dims, *values)
        if not isinstance(result, tuple) or len(result) != 2:
            raise RuntimeError(
                f"{cls.__name__}.vmap: expected a pair (outputs, out_dims), got {type(result).__name__}."
            )
        output, dims = result
        parts = _parts(output)
        dims = list(dims) if isinstance(dims, (tuple, list)) else [dims] * len(parts)
        if len(dims) != len(parts):
            raise RuntimeError(f"{cls.__name__}.vmap: expected {len(parts)} out_dims, got {len(dims)}.")
        wrapped = [v if d is None else wrap_batch(frame, v.movedim(d, 0)) for v, d in zip(parts, dims, strict=True)]
    else:
        # Element by element: forward and backward are anything, so nothing is known of them on batches.
        results = [
            cls.apply(*[v.select(0, k) if m else v for v, m in zip(values, mine, strict=True)])
            for k in range(frame.size)
        ]
        output, rows = results[0], [_parts(r) for r in results]
        wrapped = [
            wrap_batch(frame, OPS["stack"](list(column), 0)) if isinstance(column[0], _Tensor) else column[0]
            for column in zip(*rows, strict=True)
        ]
    return tuple(wrapped) if isinstance(output, tuple) else wrapped[0]


def _dual(cls, frame, values, tangents):
    if cls.jvp is Function.jvp:
        raise NotImplementedError(
            f"{cls.__name__}: expected a static method jvp for forward mode, got none. Define jvp(ctx, *grad_inputs)."
        )
    ctx = FunctionCtx(cls, values)
    if cls.setup_context is Function.setup_context:
        with _function.no_grad():
            cls.forward(ctx, *values)
        output = cls.apply(*values)
    else:
        output = cls.apply(*values)
        cls.setup_context(ctx, tuple(values), output)
    zeros = [
        v.new_zeros(tuple(v.shape)) if t is None and isinstance(v, _Tensor) and v.is_floating_point() else t
        for v, t in zip(values, tangents, strict=True)
    ]
    moved = _parts(cls.jvp(ctx, *zeros))
    parts = _parts(output)
    if len(moved) != len(parts):
        raise RuntimeError(f"{cls.__name__}.jvp: expected {len(parts)} tangents, got {len(moved)}.")
    wrapped = [
        wrap_dual(frame, v, t) if isinstance(v, _Tensor) and isinstance(t, _Tensor) else v
        for v, t in zip(parts, moved, strict=True)
    ]
    return tuple(wrapped) if isinstance(output, tuple) else wrapped[0]


_function.set_elsewhere(apply_elsewhere)
