"""The `torch._foreach_*` functions that optimizers of other packages call: one operation on every tensor of a list.

Here they are loops: operations on small tensors cost little. Those whose names end in "_" write in place and return nothing.
"""

import wengert

from ._published import published

_UNARY = (
    "abs acos asin atan ceil cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p log2 neg reciprocal round rsqrt"
    " sigmoid sign sin sinh sqrt tan tanh trunc"
).split()
_BINARY = "add sub mul div clamp_max clamp_min maximum minimum pow".split()
_SCALED = "addcdiv addcmul".split()
# Of numbers these are other operations.
_OF_NUMBERS = {"maximum": "clamp_min", "minimum": "clamp_max"}


def _at(value, k):
    """The k-th entry of a list, or the one value that goes with all tensors."""
    return value[k] if isinstance(value, (list, tuple)) else value


def _apply(name, write, calls):
    """`calls` yields tensors with what their method is given."""
    results = []
    for tensor, args, kwargs in calls:
        is_number = args and not isinstance(args[0], wengert.Tensor)
        method = _OF_NUMBERS.get(name, name) if is_number else name
        results.append(_call(tensor, method, write, args, kwargs))
    return None if write else results


def _call(tensor, method, write, args, kwargs):
    in_place = getattr(tensor, method + "_", None) if write else None
    if in_place is not None:
        return in_place(*args, **kwargs)
    result = getattr(tensor, method)(*args, **kwargs)
    return tensor.copy_(result) if write else result


def _unary(name, write):
    def function(tensors):
        return _apply(name, write, [(t, (), {}) for t in tensors])

    return function


def _binary(name, write):
    def function(tensors, other, *, alpha=1):
        scaled = {} if alpha == 1 else {"alpha": alpha}
        return _apply(name, write, [(t, (_at(other, k),), scaled) for k, t in enumerate(tensors)])

    return function


def _scaled(name, write):
    def function(tensors, tensors1, tensors2, scalars=1, *, value=None):
        scalars = scalars if value is None else value
        if isinstance(scalars, wengert.Tensor):
            scalars = scalars.tolist()
        calls = [(t, (tensors1[k], tensors2[k]), {"value": _at(scalars, k)}) for k, t in enumerate(tensors)]
        return _apply(name, write, calls)

    return function


def _lerp(name, write):
    def function(tensors, tensors1, weight):
        return _apply(name, write, [(t, (tensors1[k], _at(weight, k)), {}) for k, t in enumerate(tensors)])

    return function


def _copy_(tensors, sources, non_blocking=False):
    _apply("copy", True, [(t, (sources[k],), {}) for k, t in enumerate(tensors)])


def _zero_(tensors):
    _apply("zero", True, [(t, (), {}) for t in tensors])


def _norm(tensors, ord=2, dtype=None):
    return [wengert.linalg.vector_norm(t, ord, dtype=dtype) for t in tensors]


def _max(tensors):
    return [t.max() for t in tensors]


def _made():
    found = {"_foreach_copy_": _copy_, "_foreach_zero_": _zero_, "_foreach_norm": _norm, "_foreach_max": _max}
    kinds = ((_UNARY, _unary), (_BINARY, _binary), (_SCALED, _scaled), (["lerp"], _lerp))
    for names, make in kinds:
        for name in names:
            for write in (False, True):
                found[f"_foreach_{name}{'_' * write}"] = make(name, write)
    for name, function in found.items():
        function.__name__ = function.__qualname__ = name
    return {name: published(name, function) for name, function in found.items()}


FUNCTIONS = _made()
