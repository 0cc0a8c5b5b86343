"""Names that stand for others: in-place forms of synonyms, layers' functions as functions of the package."""

from . import _core
from ._arithmetic import float_power as _float_power
from ._bind import OPS, inplace_method
from ._methods import contiguous_format
from ._overload import Publisher, check_tensor, ints, store, wrap_dim, write
from ._shaping import FUNCTIONS as _shaping

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

for _name, _row in (
    ("arccos", "acos"),
    ("arccosh", "acosh"),
    ("arcsin", "asin"),
    ("arcsinh", "asinh"),
    ("arctan", "atan"),
    ("arctan2", "atan2"),
    ("arctanh", "atanh"),
):
    METHODS[_name + "_"] = FUNCTIONS[_name + "_"] = inplace_method(_row)


def _written(name, function):
    """name_ of a function whose result may have another dtype: it is converted."""

    def method(self, *args, **kwargs):
        return write(name, self, function(self.clone(), *args, **kwargs).to(self.dtype))

    method.__name__, method.__qualname__ = name + "_", f"Tensor.{name}_"
    method.__doc__ = f"In-place form of {name}: writes the result to the tensor and returns it."
    METHODS[name + "_"] = method


for _name in ("logical_and", "logical_not", "logical_or", "logical_xor"):
    _written(_name, OPS[_name])

publish.add("unsafe_chunk", _shaping["chunk"])
publish.add("unsafe_split", _shaping["split"])
publish.add(
    "narrow_copy", lambda self, dim, start, length: _shaping["narrow"](self, dim, start, length).clone(), False
)


def _sliced(input, dim=0, start=None, end=None, step=1):
    dim = wrap_dim("slice_copy", dim, input.ndim)
    return input[(slice(None),) * dim + (slice(start, end, step),)]


def _copying(name, view):
    def function(input, *args, out=None, **kwargs):
        result = view(check_tensor(name, input), *args, **kwargs)
        if isinstance(result, Tensor):
            result = result.clone(memory_format=contiguous_format)
            return result if out is None else store(result, out, name)
        result = tuple(part.clone() for part in result)
        return result if out is None else store(result, out, name)

    function.__name__ = function.__qualname__ = name
    function.__module__ = "wengert"
    function.__doc__ = f"A copy of what {name.removesuffix('_copy')} gives: a function that makes no view."
    FUNCTIONS[name] = function


_copying("alias_copy", lambda x: x)
_copying("detach_copy", lambda x: x.detach())
_copying("expand_copy", lambda x, size, *, implicit=False: x.expand(size))
_copying("slice_copy", _sliced)
_copying("view_copy", lambda x, size: x.view(size))
_copying("view_as_complex_copy", OPS["view_as_complex"])
_copying("view_as_real_copy", OPS["view_as_real"])
for _name in (
    "as_strided diagonal narrow permute select split split_with_sizes squeeze t transpose unbind unfold unsqueeze"
).split():
    _copying(_name + "_copy", lambda x, *args, _name=_name, **kwargs: getattr(x, _name)(*args, **kwargs))


@publish()
def positive(input):
    """The tensor itself; raises RuntimeError for bools."""
    if check_tensor("positive", input).dtype.name == "bool":
        raise RuntimeError("positive: expected numbers, got a bool tensor.")
    return input


@publish(function=False)
def sum_to_size(self, *size):
    """The sum over the dimensions that broadcasting would have added or enlarged to get here from `size`."""
    size = ints(size)
    try:
        common = tuple(_shaping["broadcast_shapes"](tuple(self.shape), size))
    except RuntimeError:
        common = None
    if common != tuple(self.shape):
        raise RuntimeError(f"sum_to_size: expected a size that expands to {tuple(self.shape)}, got {size}.")
    return OPS["sum_to_like"](self, _core.empty(size, self.dtype))


@publish()
def as_strided_scatter(input, src, size, stride, storage_offset=None):
    """A copy of input with src in a strided region of it."""
    offset = 0 if storage_offset is None else storage_offset
    if tuple(src.shape) != tuple(size):
        raise RuntimeError(f"as_strided_scatter: expected src of shape {tuple(size)}, got {tuple(src.shape)}.")
    return OPS["strided_scatter"](OPS["clone"](input).contiguous(), src, tuple(size), tuple(stride), offset)


def _resize_as_(input, the_template, *, memory_format=None):
    """Gives a tensor another's sizes in place; see Tensor.resize_."""
    check_tensor("resize_as_", input)
    return input.resize_as_(the_template)


FUNCTIONS["resize_as_"] = _resize_as_


def _float_power_(self, exponent):
    """In-place form of float_power, for tensors of float64 and complex128 alone: that is what it computes in."""
    result = _float_power(self.clone(), exponent)
    if self.dtype != result.dtype:
        raise RuntimeError(
            f"float_power_: expected a tensor of {result.dtype}, got {self.dtype}. Use float_power()."
        )
    return self.copy_(result)


METHODS["float_power_"] = _float_power_


@publish(method=False)
def constant_pad_nd(input, pad, value=0):
    """Padding by a constant; see wengert.nn.functional.pad."""
    from ._padding import pad as padded

    return padded(input, pad, "constant", value)


def _chalf(self):
    """Raises NotImplementedError: complex numbers of two float16 are not there."""
    raise NotImplementedError("chalf: expected complex64 or complex128, got complex32, which is not there.")


METHODS["chalf"] = _chalf
METHODS["is_nonzero"] = lambda self: bool(self)
METHODS["is_nonzero"].__doc__ = "Whether the single element is not zero."


def _by_method(name):
    def function(input, *args, **kwargs):
        return getattr(check_tensor(name, input), name)(*args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Tensor.{name} as a function: writes the result to the tensor and returns it."
    return function


for _name in (
    "addmv as_strided clamp clamp_max clamp_min clip conj_physical deg2rad fix index_put ldexp logit nan_to_num "
    "negative rad2deg round sinc"
).split():
    FUNCTIONS[_name + "_"] = _by_method(_name + "_")


@publish(method=False)
def dsmm(input, mat2):
    """The product of a sparse matrix and a dense one; see wengert.sparse.mm."""
    check_tensor("dsmm", input)
    check_tensor("dsmm", mat2)
    return input @ mat2
