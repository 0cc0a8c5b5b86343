# The public constructors: sizes as ints or one sequence, dtype, device, requires_grad, out.

cdef frozenset device_types = frozenset(
    "cpu cuda ipu xpu mkldnn opengl opencl ideep hip ve fpga maia xla lazy vulkan mps meta hpu mtia privateuseone".split())


@cython.binding(False)
cdef class DeviceObject:
    """A place where tensors live; here always the CPU.

    Accepts "cpu", "cpu:0", another device, or a type and an index. Programs name other kinds ("cuda", "mps", "xpu") to ask
    about them: using one raises what PyTorch without it raises: AssertionError for "cuda" and "xpu", RuntimeError for the
    others, for the number of one, and for a name of no kind. On "meta", tensors have a shape and a dtype, and neither memory
    nor values; inside `with device("meta"):` all are made there.

    Example:
        >>> import wengert
        >>> wengert.device("cpu")
        device(type='cpu')
    """
    cdef readonly str type
    cdef readonly object index

    def __init__(self, type, index=None):
        if isinstance(type, DeviceObject):
            type, index = (<DeviceObject> type).type, (<DeviceObject> type).index
        name = type
        if isinstance(name, str) and index is None:
            kind, colon, number = name.partition(":")
            if colon and number.isdigit():
                name, index = kind, int(number)
        if not isinstance(name, str) or name not in device_types:
            raise RuntimeError(f"device: expected 'cpu', got {type!r}. wengert runs on the CPU only.")
        if index is not None and index < 0:
            raise RuntimeError(f"device: expected an index of at least 0, got {index}.")
        self.type = name
        self.index = index

    def __repr__(self):
        return f"device(type={self.type!r})" if self.index is None else f"device(type={self.type!r}, index={self.index})"

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other):
        return (isinstance(other, DeviceObject) and (<DeviceObject> other).index == self.index
                and (<DeviceObject> other).type == self.type)

    def __hash__(self):
        return hash((self.type, self.index))

    def __reduce__(self):
        return DeviceObject, (self.type, self.index)

    def __enter__(self):
        if self.type == "meta":
            meta_part().enter()
        else:
            check_device(self, "device")
        return self

    def __exit__(self, *exception):
        if self.type == "meta":
            meta_part().leave()


cpu_device = DeviceObject("cpu")


cdef object meta_part = None   # () -> the module that makes tensors on the device "meta"


def set_meta_part(function):
    """Hands the core what imports the part for the device "meta" when it is first used."""
    global meta_part
    meta_part = function


class OnMeta(RuntimeError):
    """A call names the device "meta", or an operand is there: its public function answers with a tensor without values."""


cdef int raise_on_meta(str op) except -1:
    raise OnMeta(f"{op}: expected device 'cpu', got 'meta'. Constructors and .to() take it.")


cdef int check_same_device(object input, str op) except -1:
    """Raises OnMeta where a tensor is on the device "meta"."""
    if isinstance(input, Tensor) and (<Tensor> input).c.flags & T_SLOW and input.is_meta:
        raise_on_meta(op)
    return 0


def want_cpu(device, op):
    """Raises unless the device is the CPU: OnMeta for "meta", which the public function around answers."""
    check_device(device, op)


cdef int check_device(object device, str op) except -1:
    """Raises unless the device is the CPU."""
    if isinstance(device, str) and device == "cpu":
        return 0
    if not isinstance(device, (str, int, DeviceObject)):
        raise TypeError(f"{op}: expected a device or its name, got {type(device).__name__}.")
    cdef str kind = "" if isinstance(device, int) else DeviceObject(device).type
    if kind == "cpu":
        return 0
    if kind == "meta":
        raise_on_meta(op)
    text = f"{op}: expected device 'cpu', got {device!r}. wengert runs on the CPU only"
    if kind in ("cuda", "xpu"):   # programs look for these words
        raise AssertionError(f"{text} (Torch not compiled with {kind.upper()} enabled).")
    raise RuntimeError(f"{text}.")


cdef int read_sizes(tuple given, object size, int64_t* shape, str op) except -1:
    """Sizes as separate ints or as one sequence, by position or as size=; returns the number of dimensions."""
    cdef int n = 0
    if size is not None:
        return read_shape(size, shape, op)
    if len(given) == 1:
        if isinstance(given[0], Tensor) and (<Tensor> given[0]).c.array.layout.ndim == 1:
            return read_shape(given[0].tolist(), shape, op)
        return read_shape(given[0], shape, op)
    if not given:
        raise TypeError(f"{op}: expected sizes, got none. Pass () for a tensor of one element.")
    return read_shape(given, shape, op)


cdef int new_sizes(tuple given, object size, int64_t* shape, str op) except -1:
    """As read_sizes, for a tensor made now: refuses sizes that are known when a graph runs, which large numbers stand for."""
    cdef int n = read_sizes(given, size, shape, op), d
    for d in range(n):
        if shape[d] < 65536:
            continue
        v = given if size is None else size
        v = v[0] if len(v) == 1 and isinstance(v[0], (tuple, list)) else v
        if hasattr(v[d] if isinstance(v, (tuple, list)) else v, "terms"):
            raise RuntimeError(f"{op}: expected sizes that are known now, got {tuple(v)} of a graph. Make it from a tensor "
                               "that has that size: zeros_like(x), x * 0.")
    return n


cdef int wanted_dtype(object dtype, object out, object device, str op) except -1:
    if device is not None:
        check_device(device, op)
    if dtype is not None:
        if out is not None and (<Tensor?> out).c.array.dtype != dtype_code(dtype, op):
            raise RuntimeError(f"{op}: expected an out= tensor of dtype {dtype}, got {out.dtype}. Leave out dtype=.")
        return dtype_code(dtype, op)
    return default_dtype if out is None else (<Tensor?> out).c.array.dtype


cdef object made(Tensor t, object out, object requires_grad, str op):
    """The end of every constructor: hands out the tensor, or writes it to `out`."""
    if out is not None:
        return write_out(op, t, out)
    if requires_grad:
        set_requires_grad(t, True)
    return t


cdef Tensor filled(int code, int n, int64_t* shape, object value, str op):
    cdef Array weak
    cdef Tensor t = new_tensor(code, n, shape, op), number
    if is_complex_number(value) and is_complex(code):
        number = complex_number(value)
        fill_array(&t.c.array, &number.c.array)
        return t
    if is_complex_number(value):
        value = real_number(complex(value), op)
    weak_array(value, &weak, op)
    layout_decref(weak.layout)
    fill_array(&t.c.array, &weak)
    return t


def make_empty(*sizes, size=None, out=None, dtype=None, layout=None, device=None, requires_grad=False,
               pin_memory=False, memory_format=None):
    """A tensor with undefined contents.

    Sizes come as ints or as one sequence; the dtype is the default dtype unless given.

    Example:
        >>> import wengert
        >>> wengert.empty(2, 3).shape
        wengert.Size([2, 3])
    """
    cdef int64_t shape[kMaxDims]
    cdef int n = new_sizes(sizes, size, shape, "empty")
    return made(new_tensor(wanted_dtype(dtype, out, device, "empty"), n, shape, "empty"), out, requires_grad, "empty")


def make_zeros(*sizes, size=None, out=None, dtype=None, layout=None, device=None, requires_grad=False,
               pin_memory=False):
    """A tensor of zeros.

    Example:
        >>> import wengert
        >>> wengert.zeros(2)
        tensor([0., 0.])
    """
    cdef int64_t shape[kMaxDims]
    cdef int n = new_sizes(sizes, size, shape, "zeros")
    return made(filled(wanted_dtype(dtype, out, device, "zeros"), n, shape, 0, "zeros"), out, requires_grad, "zeros")


def make_ones(*sizes, size=None, out=None, dtype=None, layout=None, device=None, requires_grad=False,
              pin_memory=False):
    """A tensor of ones.

    Example:
        >>> import wengert
        >>> wengert.ones(2, dtype=wengert.int64)
        tensor([1, 1])
    """
    cdef int64_t shape[kMaxDims]
    cdef int n = new_sizes(sizes, size, shape, "ones")
    return made(filled(wanted_dtype(dtype, out, device, "ones"), n, shape, 1, "ones"), out, requires_grad, "ones")


def make_full(size, fill_value, *, out=None, dtype=None, layout=None, device=None, requires_grad=False,
              pin_memory=False):
    """A tensor filled with a number, whose kind gives the dtype (bool, int64, default floating) unless one is given.

    Example:
        >>> import wengert
        >>> wengert.full((2,), 7)
        tensor([7, 7])
    """
    if device is not None:
        check_device(device, "full")
    if dtype is None and out is not None:
        dtype = out.dtype
    return made(full(size, fill_value, dtype), out, requires_grad, "full")


def make_tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """A new tensor from a number, nested sequences of numbers or tensors, or an array; always a copy.

    Whole numbers give int64, bools bool, anything else the default dtype, unless a dtype is given. Raises ValueError for
    rows of different lengths and TypeError for what is no number.

    Example:
        >>> import wengert
        >>> wengert.tensor([[1, 2], [3, 4]], dtype=wengert.float32)
        tensor([[1., 2.],
                [3., 4.]])
    """
    if device is not None:
        check_device(device, "tensor")
    t = from_data(data, dtype)
    if requires_grad:
        set_requires_grad(<Tensor> t, True)
    return t


cdef object number_of(object v, str op):
    """A Python number, from a number or a tensor of one element."""
    if isinstance(v, Tensor) or hasattr(v, "item"):
        v = v.item()
    if not isinstance(v, (int, float, complex)):
        raise TypeError(f"{op}: expected a number, got {type(v).__name__}.")
    return v


def make_arange(start=0, end=None, step=1, *, out=None, dtype=None, layout=None, device=None, requires_grad=False,
                pin_memory=False):
    """Numbers from `start` up to, and without, `end` in steps: shape (ceil((end - start) / step),).

    The dtype is int64 if all three are ints, else the default dtype. Raises RuntimeError for a step of 0 or of the wrong
    sign and for bounds that are not finite.

    Example:
        >>> import wengert
        >>> wengert.arange(1, 6, 2)
        tensor([1, 3, 5])
    """
    cdef int code, work
    cdef int64_t n, k, first_int, step_int
    cdef double first, width
    cdef Tensor t
    cdef double* f64
    cdef float* f32
    cdef int64_t* i64
    if end is None:
        start, end = 0, start
    start, end, step = [real_number(number_of(v, "arange"), "arange") for v in (start, end, step)]
    whole = isinstance(start, int) and isinstance(end, int) and isinstance(step, int)
    code = wanted_dtype(dtype, out, device, "arange")
    if dtype is None and out is None and whole:
        code = kInt64
    if code == kInt64 and not whole:   # as in PyTorch, where narrower integers are counted in floats all the same
        for v in (start, end, step):
            if v - v != 0:
                raise RuntimeError(f"arange: expected finite bounds, got {start} and {end}.")
        start, end, step, whole = int(start), int(end), int(step), True
    if step == 0:
        raise RuntimeError("arange: expected a step that is not 0, got 0.")
    span = end - start
    if span != span or span - span != 0:
        raise RuntimeError(f"arange: expected finite bounds, got {start} and {end}.")
    if span and (span < 0) != (step < 0):
        raise RuntimeError(f"arange: expected a step towards the end, got a step of {step} from {start} to {end}.")
    if whole:
        count = -(-span // step)
    else:
        import math
        count = math.ceil(span / step)
    n = int64_of(count, "arange", "a length", RuntimeError)
    work = (code if code == kFloat64 or code == kFloat32 else kFloat32 if is_float(code)
            else kFloat64 if is_complex(code) else kInt64)
    t = new_tensor(work, 1, &n, "arange")
    if work == kInt64:
        first_int = int64_of(int(start), "arange", "bounds", RuntimeError)
        step_int = int64_of(int(step), "arange", "a step", RuntimeError)
        i64 = <int64_t*> t.c.array.data()
        for k in range(n):
            i64[k] = first_int + k * step_int
    elif work == kFloat64:
        first, width = float(start), float(step)
        f64 = <double*> t.c.array.data()
        for k in range(n):
            f64[k] = first + <double> k * width
    else:
        first, width = float(start), float(step)
        f32 = <float*> t.c.array.data()
        for k in range(n):
            f32[k] = <float> (first + <double> k * width)
    return made(converted(t, code), out, requires_grad, "arange")


def make_linspace(start, end, steps, *, out=None, dtype=None, layout=None, device=None, requires_grad=False,
                  pin_memory=False):
    """`steps` evenly spaced numbers from `start` to `end`, both included: shape (steps,).

    Example:
        >>> import wengert
        >>> wengert.linspace(0, 1, 3)
        tensor([0.0000, 0.5000, 1.0000])
    """
    cdef int code = wanted_dtype(dtype, out, device, "linspace")
    return made(converted(spaced(start, end, steps, "linspace"), code), out, requires_grad, "linspace")


def make_logspace(start, end, steps, base=10.0, *, out=None, dtype=None, layout=None, device=None,
                  requires_grad=False, pin_memory=False):
    """`steps` numbers from base**start to base**end whose logarithms are evenly spaced: shape (steps,).

    Example:
        >>> import wengert
        >>> wengert.logspace(0, 2, 3)
        tensor([  1.,  10., 100.])
    """
    cdef int code = wanted_dtype(dtype, out, device, "logspace")
    cdef double b = float(number_of(base, "logspace"))
    cdef Tensor t = spaced(start, end, steps, "logspace")
    cdef double* p = <double*> t.c.array.data()
    cdef int64_t k
    for k in range(t.c.array.layout.numel):
        p[k] = b ** p[k]
    return made(converted(t, code), out, requires_grad, "logspace")


cdef Tensor spaced(object start, object end, object steps, str op):
    """Evenly spaced float64 numbers, computed from the nearer end so that both ends are exact."""
    cdef int64_t n = attr_int(steps, op, "steps"), k
    cdef double first = float(number_of(start, op)), last = float(number_of(end, op)), width
    cdef Tensor t
    cdef double* p
    if n < 0:
        raise RuntimeError(f"{op}: expected at least 0 steps, got {n}.")
    t = new_tensor(kFloat64, 1, &n, op)
    p = <double*> t.c.array.data()
    width = (last - first) / <double> (n - 1) if n > 1 else 0.0
    for k in range(n):
        p[k] = first + <double> k * width if k < n // 2 or n == 1 else last - <double> (n - 1 - k) * width
    return t


def make_eye(n, m=None, *, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    """The (n, m) matrix with ones on the diagonal and zeros elsewhere; m is n unless given.

    Example:
        >>> import wengert
        >>> wengert.eye(2)
        tensor([[1., 0.],
                [0., 1.]])
    """
    cdef int64_t shape[2]
    cdef int64_t k, item
    cdef int code = wanted_dtype(dtype, out, device, "eye")
    cdef Tensor t
    shape[0] = attr_int(n, "eye", "n")
    shape[1] = shape[0] if m is None else attr_int(m, "eye", "m")
    t = filled(code, 2, shape, 0, "eye")
    item = itemsize(code)
    for k in range(shape[0] if shape[0] < shape[1] else shape[1]):
        put_number(t.c.array.data() + k * (shape[1] + 1) * item, code, 1)
    return made(t, out, requires_grad, "eye")


# ---- like another tensor -----------------------------------------------------------------------------------------

cdef int like_dtype(object input, object dtype, object device, str op) except -1:
    if not isinstance(input, Tensor):
        raise TypeError(f"{op}: expected a Tensor, got {type(input).__name__}.")
    if device is None:
        check_same_device(input, op)
    else:
        check_device(device, op)
    return (<Tensor> input).c.array.dtype if dtype is None else dtype_code(dtype, op)


cdef object symbolic_like(Tensor input, int code, str op, object value):
    """A tensor filled with a value, of the shape of a symbolic one with sizes by name; None for any other tensor."""
    if not input.c.flags & T_SLOW:
        return None
    like = getattr(payload(input), "like", None)
    return None if like is None else like(<object> dtypes[code], value, op)


cdef int64_t* like_shape(object input) noexcept:
    return (<Tensor> input).c.array.layout.shape()


def make_empty_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False,
                    memory_format=None):
    """A tensor of another's shape and, unless given, dtype, with undefined contents."""
    cdef int code = like_dtype(input, dtype, device, "empty_like")
    found = symbolic_like(input, code, "empty_like", 0)
    if found is not None:
        return found
    return made(new_tensor(code, input.ndim, like_shape(input), "empty_like"), None, requires_grad, "empty_like")


def make_zeros_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False,
                    memory_format=None, out=None):
    """Zeros of another tensor's shape and, unless given, dtype."""
    cdef int code = like_dtype(input, dtype, device, "zeros_like")
    found = symbolic_like(input, code, "zeros_like", 0)
    if found is not None:
        return found
    return made(filled(code, input.ndim, like_shape(input), 0, "zeros_like"), out, requires_grad, "zeros_like")


def make_ones_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False,
                   memory_format=None, out=None):
    """Ones of another tensor's shape and, unless given, dtype."""
    cdef int code = like_dtype(input, dtype, device, "ones_like")
    found = symbolic_like(input, code, "ones_like", 1)
    if found is not None:
        return found
    return made(filled(code, input.ndim, like_shape(input), 1, "ones_like"), out, requires_grad, "ones_like")


def make_full_like(input, fill_value, *, dtype=None, layout=None, device=None, requires_grad=False,
                   pin_memory=False, memory_format=None):
    """A tensor of another's shape and, unless given, dtype, filled with a number."""
    cdef int code = like_dtype(input, dtype, device, "full_like")
    fill_value = number_of(fill_value, "full_like")
    found = symbolic_like(input, code, "full_like", fill_value)
    if found is not None:
        return found
    return made(filled(code, input.ndim, like_shape(input), fill_value, "full_like"), None, requires_grad, "full_like")


def new_empty(self, *sizes, size=None, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False):
    """A tensor of the given sizes and, unless given, this dtype, with undefined contents."""
    cdef int64_t shape[kMaxDims]
    cdef int n = new_sizes(sizes, size, shape, "new_empty"), code = like_dtype(self, dtype, device, "new_empty")
    return made(new_tensor(code, n, shape, "new_empty"), None, requires_grad, "new_empty")


def new_zeros(self, *sizes, size=None, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False):
    """Zeros of the given sizes and, unless given, this dtype."""
    cdef int64_t shape[kMaxDims]
    cdef int n = new_sizes(sizes, size, shape, "new_zeros"), code = like_dtype(self, dtype, device, "new_zeros")
    return made(filled(code, n, shape, 0, "new_zeros"), None, requires_grad, "new_zeros")


def new_ones(self, *sizes, size=None, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False):
    """Ones of the given sizes and, unless given, this dtype."""
    cdef int64_t shape[kMaxDims]
    cdef int n = new_sizes(sizes, size, shape, "new_ones"), code = like_dtype(self, dtype, device, "new_ones")
    return made(filled(code, n, shape, 1, "new_ones"), None, requires_grad, "new_ones")


def new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False):
    """A tensor of the given sizes and, unless given, this dtype, filled with a number."""
    cdef int64_t shape[kMaxDims]
    cdef int n = read_shape(size, shape, "new_full"), code = like_dtype(self, dtype, device, "new_full")
    fill_value = number_of(fill_value, "new_full")
    return made(filled(code, n, shape, fill_value, "new_full"), None, requires_grad, "new_full")


# ---- random ------------------------------------------------------------------------------------------------------

cdef object drawn(str name, tuple sizes, object size, object out, object dtype, object device, object requires_grad,
                  object generator, double a, double b, str op):
    cdef int64_t shape[kMaxDims]
    cdef int k, n = new_sizes(sizes, size, shape, op), code = wanted_dtype(dtype, out, device, op)
    cdef int64_t count = 1
    cdef vector[int64_t] words
    cdef Entry e = <Entry> entry_by_name[name]
    cdef int wanted = code
    if is_complex(code):   # both parts are drawn; a normal variance is shared by them
        if n == kMaxDims:
            raise ValueError(f"{op}: expected at most {kMaxDims - 1} dimensions, got {n}.")
        shape[n] = 2
        n += 1
        code = part_type(code)
        if name == "draw_normal":
            b *= 0.5 ** 0.5
    if not is_float(code):
        raise NotImplementedError(f"{op}: expected a floating dtype, got {dtypes[code].name}. Use randint() for integers.")
    words.push_back(n)
    for k in range(n):
        if shape[k] < 0:
            raise RuntimeError(f"{op}: expected sizes of at least 0, got {shape[k]}.")
        words.push_back(shape[k])
        count *= shape[k]
    words.push_back(code)
    words.push_back(float_bits(a))
    words.push_back(float_bits(b))
    push_counter(words, e, code, count, generator)
    t = apply_op(e, [], attr_new(words.data(), <int> words.size()))
    if code != wanted:
        t = apply_op(<Entry> entry_by_name["view_as_complex"], [t], NULL).detach()
    return made(<Tensor> t, out, requires_grad, op)


def make_rand(*sizes, size=None, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False,
              pin_memory=False):
    """Numbers drawn evenly from [0, 1).

    Example:
        >>> import wengert
        >>> wengert.rand(2, 3).shape
        wengert.Size([2, 3])
    """
    return drawn("draw_uniform", sizes, size, out, dtype, device, requires_grad, generator, 0.0, 1.0, "rand")


def make_randn(*sizes, size=None, generator=None, out=None, dtype=None, layout=None, device=None,
               requires_grad=False, pin_memory=False):
    """Numbers drawn from the normal distribution of mean 0 and variance 1.

    Example:
        >>> import wengert
        >>> wengert.randn(2, 3, generator=wengert.Generator().manual_seed(1)).shape
        wengert.Size([2, 3])
    """
    return drawn("draw_normal", sizes, size, out, dtype, device, requires_grad, generator, 0.0, 1.0, "randn")
