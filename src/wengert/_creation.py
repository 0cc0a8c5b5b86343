"""New tensors: zeros, ones, arange and their like; what is asked of tensors and dtypes by functions."""

import math

from . import _core, _methods, _storage
from ._dtypes import finfo, iinfo
from ._format import set_printoptions
from ._overload import check_tensor
from ._parameter import Parameter
from ._size import Size

Tensor = _core.Tensor
FUNCTIONS = {}


def _function(f):
    FUNCTIONS[f.__name__] = f
    return f


@_function
def as_tensor(data, dtype=None, device=None):
    """The data as a tensor: tensors of the dtype come back as they are, arrays are shared, anything else is copied.

    Example:
        >>> import wengert
        >>> x = wengert.ones(2)
        >>> wengert.as_tensor(x) is x
        True
    """
    if isinstance(data, Tensor):
        return data.to(device=device, dtype=dtype)
    if hasattr(data, "__array_interface__") and hasattr(data, "__array_finalize__"):
        return _core.from_memory(data).to(device=device, dtype=dtype)
    return _core.make_tensor(data, dtype=dtype, device=device)


@_function
def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """The data as a tensor; memory is shared unless `copy` is set, where that is possible. A storage gives its bytes.

    Raises ValueError where copy=False cannot be granted.
    """
    if isinstance(obj, _storage.UntypedStorage):
        obj = obj.bytes.detach()
    if copy is False and not hasattr(obj, "__array_interface__") and not isinstance(obj, Tensor):
        raise ValueError(f"asarray: expected memory that can be shared, got {type(obj).__name__}. Use copy=None.")
    made = as_tensor(obj, dtype, device)
    if copy is False and isinstance(obj, Tensor) and made is not obj:
        raise ValueError(f"asarray: expected dtype {obj.dtype} with copy=False, got {dtype}.")
    if copy:
        made = made.detach().clone()
    elif requires_grad != made.requires_grad:
        made = made.detach()
    return made.requires_grad_(requires_grad)


@_function
def is_tensor(obj):
    """Whether the object is a Tensor."""
    return isinstance(obj, Tensor)


@_function
def is_storage(obj):
    """Whether the object is a storage."""
    return isinstance(obj, (_storage.UntypedStorage, _storage.TypedStorage))


@_function
def numel(input):
    """The number of elements."""
    check_tensor("numel", input)
    return input.numel()


@_function
def is_nonzero(input):
    """Whether a tensor of one element is not 0; raises RuntimeError for any other size."""
    return bool(input)


@_function
def set_default_device(device):
    """Accepts the CPU, the only device; raises RuntimeError for any other."""
    if device is not None:
        _core.want_cpu(device, "set_default_device")


@_function
def get_default_device():
    """The device of new tensors: the CPU."""
    return _core.cpu_device


@_function
def set_default_tensor_type(t):
    """Sets the default dtype by a tensor type such as DoubleTensor or its name."""
    if isinstance(t, str):
        device, _, name = t.rpartition(".")
        if device.endswith("cuda"):
            raise TypeError(f"set_default_tensor_type: expected a type of the CPU, got {t}.")
        if name not in TENSOR_TYPES:
            raise AttributeError(f"set_default_tensor_type: expected the name of a tensor type, got {t!r}.")
        t = TENSOR_TYPES[name]
    _core.set_default_dtype(getattr(t, "_dtype", t))


class _TensorType(type):
    """The class of FloatTensor and its like: constructors and instance checks for one dtype."""

    def __call__(cls, *args, device=None):
        if args and isinstance(args[0], Tensor):
            if args[0].dtype is not cls._dtype:
                raise TypeError(f"{cls.__name__}: expected dtype {cls._dtype}, got {args[0].dtype}. Use .to().")
            return args[0].detach()
        if device is not None:
            _core.want_cpu(device, cls.__name__)
        if not args:
            return _core.empty(0, cls._dtype)
        if isinstance(args[0], (int, Size)):
            return _core.make_empty(*args, dtype=cls._dtype)
        return _core.make_tensor(args[0], dtype=cls._dtype)

    def __instancecheck__(cls, value):
        return isinstance(value, Tensor) and value.dtype is cls._dtype


TENSOR_TYPES = {
    name: _TensorType(
        name,
        (),
        {"_dtype": _core._dtype_from_name(dtype), "__module__": "wengert", "__doc__": f"Tensors of dtype {dtype}."},
    )
    for dtype, name in _methods.type_names.items()
}

FUNCTIONS |= TENSOR_TYPES | _methods.FUNCTIONS | _storage.FUNCTIONS


@_function
def scalar_tensor(s, *, dtype=None, device=None, layout=None, pin_memory=False, requires_grad=False):
    """A number as a 0-d tensor of the default dtype, unless another is given."""
    dtype = _core.get_default_dtype() if dtype is None else dtype
    return _core.make_tensor(s, dtype=dtype, device=device, requires_grad=requires_grad)


FUNCTIONS |= {"e": math.e, "inf": math.inf, "nan": math.nan, "newaxis": None, "pi": math.pi}
FUNCTIONS |= {
    "Size": Size,
    "arange": _core.make_arange,
    "clone": _core.clone,
    "detach": Tensor.detach,
    "detach_": _core.detach_,
    "device": _core.DeviceObject,
    "empty": _core.make_empty,
    "empty_like": _core.make_empty_like,
    "eye": _core.make_eye,
    "finfo": finfo,
    "from_numpy": _core.from_numpy,
    "full": _core.make_full,
    "full_like": _core.make_full_like,
    "get_default_dtype": _core.get_default_dtype,
    "iinfo": iinfo,
    "linspace": _core.make_linspace,
    "logspace": _core.make_logspace,
    "ones": _core.make_ones,
    "ones_like": _core.make_ones_like,
    "set_default_dtype": _core.set_default_dtype,
    "set_printoptions": set_printoptions,
    "tensor": _core.make_tensor,
    "zeros": _core.make_zeros,
    "zeros_like": _core.make_zeros_like,
}
METHODS = _methods.METHODS | _storage.METHODS

for _name, _made in FUNCTIONS.items():
    if getattr(_made, "__name__", "").startswith("make_"):
        _made.__name__ = _made.__qualname__ = _name
_core.make_rand.__name__, _core.make_randn.__name__ = "rand", "randn"

__all__ = ["FUNCTIONS", "METHODS", "Parameter", "Size"]
