"""The device "meta": tensors that have a shape and a dtype, and neither memory nor values.

A model built on it costs nothing: its parameters can be counted, calls give the shapes of their results, and
`to_empty()` or `load_state_dict(assign=True)` give it memory. A meta tensor is a wrapper of the core, as sparse and symbolic
ones are; its ops come to a frame that is always open and asks each op for the shapes that it would make.
"""

from inspect import signature

from . import _core, _overriding
from .func._levels import Frame

Tensor = _core.Tensor
_SIZED = frozenset(("empty", "ones", "rand", "randn", "zeros"))
_NEW = frozenset(("new_empty", "new_full", "new_ones", "new_zeros"))
_NO_DATA = (
    "Cannot copy out of meta tensor; no data! Give a module memory by to_empty() or load_state_dict(assign=True)"
)


class _MetaFrame(Frame):
    """Interprets the ops that have a meta tensor among their operands: their results are meta tensors."""

    __slots__ = ()
    writes_outside = True

    def __init__(self):
        self.alive, self.depth = True, 1 << 29

    def run(self, entry, operands, attrs):
        follows = _core.grad_enabled() and any(isinstance(v, Tensor) and v.requires_grad for v in operands)
        made = [
            MetaTensor(shape, dtype, follows and dtype.is_inexact, leaf=not follows)
            for shape, dtype in _core.infer(entry, operands, attrs)
        ]
        return made[0] if len(made) == 1 else tuple(made)

    def run_inplace(self, entry, x, operands, attrs):
        if not x.is_meta:
            raise NotImplementedError(f"{entry.name}_: {_NO_DATA}.")
        ((shape, _), *_) = _core.infer(entry, operands, attrs)
        if tuple(shape) != tuple(x.shape):
            raise RuntimeError(f"{entry.name}_: expected a result of shape {tuple(x.shape)}, got {tuple(shape)}.")
        return x


class _Content:
    """The payload of a meta tensor: it leads ops to the frame."""

    frame = _MetaFrame()
    __slots__ = ("dtype", "leaf", "requires_grad", "sizes")

    def __init__(self, sizes, dtype, requires_grad, leaf):
        self.sizes, self.dtype, self.requires_grad, self.leaf = sizes, dtype, requires_grad, leaf

    def detached(self):
        """The same without history."""
        return MetaTensor(self.sizes, self.dtype)

    def explain_no_value(self, op):
        """Why Python cannot read a value."""
        return f"{op}: expected a tensor with values, got one on the device 'meta', which has none."

    def backward(self, roots, grads, inputs, accumulate, allow_unused):
        """Not possible: raises NotImplementedError."""
        raise NotImplementedError(
            "backward: expected tensors with values, got some on the device 'meta', which records no history."
        )

    def text(self):
        """What the tensor prints as."""
        kind = "" if self.dtype is _core.get_default_dtype() else f", dtype={self.dtype}"
        grad = ", requires_grad=True" if self.requires_grad else ""
        return f"tensor(..., device='meta', size={self.sizes}{kind}{grad})"


class MetaTensor(Tensor):
    """A tensor on the device "meta"."""

    _plain_results = True
    is_meta, is_cpu = True, False
    device = property(lambda self: _core.DeviceObject("meta"), doc="The device: meta.")
    is_leaf = property(lambda self: self._payload.leaf, doc="Whether no operation made the tensor.")
    grad_fn = property(lambda self: None, doc="None: no history is recorded.")

    def __new__(cls, sizes, dtype, requires_grad=False, leaf=True):
        sizes = tuple(sizes)
        made = _core.shell(cls, _core.make_wrapper(sizes, dtype, None))
        _core.mark_slow(made)
        made._payload = _Content(sizes, dtype, requires_grad, leaf)
        return made

    @property
    def requires_grad(self):
        """Whether gradients would flow to the tensor."""
        return self._payload.requires_grad

    @requires_grad.setter
    def requires_grad(self, value):
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad=True):
        """Notes that gradients would flow to the tensor; returns it."""
        if requires_grad and not self.dtype.is_inexact:
            raise RuntimeError(f"requires_grad: expected a floating or complex dtype, got {self.dtype}.")
        self._payload.requires_grad = bool(requires_grad)
        return self

    def detach(self):
        """The same tensor without history."""
        return self._payload.detached()

    def to(self, *args, device=None, **kwargs):
        """The tensor in another dtype; raises NotImplementedError for another device."""
        places = [
            a for a in (*args, device) if isinstance(a, (str, int, _core.DeviceObject)) and a not in (True, False)
        ]
        places += [a.device for a in (*args, kwargs.get("other")) if isinstance(a, Tensor)]
        for place in places:
            if _core.DeviceObject(place).type != "meta":
                raise NotImplementedError(f"to: {_NO_DATA}.")
        rest = [a for a in args if not isinstance(a, (str, _core.DeviceObject))]
        return Tensor.to(self, *[a.dtype if isinstance(a, Tensor) else a for a in rest], **kwargs)

    def cpu(self, memory_format=None):
        """Not possible: raises NotImplementedError."""
        return self.to("cpu")

    def stride(self, dim=None):
        """The strides of a row-major tensor of the shape."""
        steps, step = [], 1
        for n in reversed(self.shape):
            steps.insert(0, step)
            step *= max(n, 1)
        return tuple(steps) if dim is None else steps[dim]

    def is_contiguous(self, memory_format=None):
        """True: there is no memory that could be in another order."""
        return True

    def data_ptr(self):
        """0: there is no memory."""
        return 0

    def __deepcopy__(self, memo):
        made = memo[id(self)] = MetaTensor(self.shape, self.dtype, self.requires_grad)
        return _core.mark_parameter(made) if _core.is_parameter(self) else made

    def __reduce_ex__(self, protocol):
        return MetaTensor, (tuple(self.shape), self.dtype, self.requires_grad)


def _sizes(given, kwargs):
    size = kwargs.get("size")
    given = given if size is None else (size,)
    return tuple(given[0]) if len(given) == 1 and not isinstance(given[0], int) else tuple(given)


def answer(function, args, kwargs):
    """What a public function makes on the device "meta", for the call that named it or whose operand is there."""
    name, kwargs = function.__name__, dict(kwargs)
    kwargs.pop("device", None)
    needs, dtype = kwargs.pop("requires_grad", False), kwargs.get("dtype")
    if kwargs.get("out") is not None:
        raise RuntimeError(f"{name}: expected no out= beside device='meta', got one.")
    if name == "to":
        return _moved(*args, **kwargs)
    if name.endswith("_like"):
        like = args[0] if args else kwargs["input"]
        made = MetaTensor(like.shape, dtype or like.dtype)
    elif name in _SIZED:
        made = MetaTensor(_sizes(args, kwargs), dtype or _core.get_default_dtype())
    elif name in _NEW:
        given = args[1:2] if name == "new_full" else args[1:]
        made = MetaTensor(_sizes(given, kwargs), dtype or args[0].dtype)
    else:
        made = function.__wrapped__(*args, **kwargs)
        made = MetaTensor(made.shape, made.dtype)
    return made.requires_grad_() if needs else made


def _moved(x, *args, dtype=None, other=None, **options):
    """x.to(): a tensor without x's values, in the dtype that the arguments name."""
    for a in (*args, other):
        dtype = a.dtype if isinstance(a, Tensor) else a if isinstance(a, _core.DTypeObject) else dtype
    return MetaTensor(x.shape, dtype or x.dtype, x.requires_grad, leaf=not x.requires_grad)


class _Block:
    """The mode inside `with device("meta")`: what makes tensors of numbers makes them there."""

    def __init__(self):
        self.known = {}  # function -> whether it takes a device and no tensor whose device it would take

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func not in self.known:
            self.known[func] = _makes_tensors(func)
        if self.known[func] and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def _makes_tensors(function):
    name = getattr(function, "__name__", "")
    if not isinstance(function, _core.Public) or name.endswith("_like") or name.startswith("new_"):
        return False
    return not isinstance(function, _core.PublicMethod) and "device" in signature(function).parameters


def enter():
    """Begins a block in which tensors are made on the device "meta"."""
    _overriding.enter(_Block())


leave = _overriding.leave
