"""The error for a name that is not there: it suggests the nearest one, or says what stands instead.

Modules answer through `__getattr__`. Tensors have no such hook: a Python-level attribute fallback would double the time
of every method call. Instead, the names that torch's tensors have and ours lack are there as descriptors that raise;
for everything else Python itself adds "Did you mean" to the traceback.
"""

import sys

# Names of torch that are left out on purpose, and what to do.
INSTEAD = {
    "cuda": "This library computes on the CPU only; leave out .cuda() and device arguments",
    "mps": "This library computes on the CPU only; leave out device arguments",
    "xpu": "This library computes on the CPU only; leave out device arguments",
    "init_process_group": "One process computes; there are no collectives",
    "all_reduce": "One process computes; there are no collectives",
    "sparse_csr_tensor": "Sparse tensors have one form: use sparse_coo_tensor",
    "quantize_per_tensor": "Integer dtypes are there, quantised ones are not",
    "hub": "Nothing is downloaded; load a file with wengert.load",
    "tensorboard": "Use wengert.viz.Live(tensorboard=folder), or tensorboardX itself",
    "onnx": "Export the state with wengert.save and load it where the model is rebuilt",
    "Variable": "It is in autograd; a Tensor with requires_grad=True is what it was",
    "FloatTensor": "Use wengert.tensor(data, dtype=wengert.float32)",
    "DoubleTensor": "Use wengert.tensor(data, dtype=wengert.float64)",
    "LongTensor": "Use wengert.tensor(data, dtype=wengert.int64)",
    "IntTensor": "Use wengert.tensor(data, dtype=wengert.int32)",
    "BoolTensor": "Use wengert.tensor(data, dtype=wengert.bool)",
    "ByteTensor": "Use wengert.tensor(data, dtype=wengert.uint8)",
}


def nearest(name, known):
    """The public name of `known` that is closest to `name`, or None."""
    from difflib import get_close_matches

    public = sorted(n for n in known if not n.startswith("_"))
    # The same letters come first: another case, underscores left out, two letters swapped.
    letters = sorted(name.lower().replace("_", ""))
    same = [n for n in public if sorted(n.lower().replace("_", "")) == letters]
    found = same or get_close_matches(name, public, n=1, cutoff=0.6)
    return found[0] if found else None


class MissingName(AttributeError):
    """An AttributeError whose text is made when it is read: probing with hasattr() stays cheap."""

    def __init__(self, owner, name, known):
        super().__init__(owner, name)
        self.owner, self.known = owner, known
        # `obj` stays unset, so that Python adds no suggestion of its own.
        self.name = name

    def __str__(self):
        text = f"{self.owner}: expected a name that it has, got {self.name!r}."
        if self.name in INSTEAD:
            return f"{text} {INSTEAD[self.name]}."
        known = self.known() if callable(self.known) else self.known
        found = nearest(self.name, known)
        return f"{text} Did you mean {found!r}?" if found else f"{text} See dir({self.owner})."

    def __reduce__(self):
        known = self.known() if callable(self.known) else self.known
        return type(self), (self.owner, self.name, list(known))


def module_error(module, name, known):
    """The exception for an unknown name of a module of the package.

    Args:
        module: the module's name, "wengert" or "wengert.nn".
        name: the name that was asked for.
        known: the names that the module has, or a function that gives them; read only when the text is made.
    """
    return MissingName(module, name, known)


def explain(module):
    """The `__getattr__` of a module of the package that has nothing but its names.

    Args:
        module: its `__name__`.
    """

    def __getattr__(name):
        raise MissingName(module, name, lambda: vars(sys.modules[module]))

    return __getattr__


# Methods of torch's tensors that are unknown to most programs; those that are here by now are left out.
_TENSOR_NAMES = """
angle arccos_ arccosh_ arcsin_ arcsinh_ arctan2_ arctan_ arctanh_ as_strided_ as_strided_scatter cdouble cfloat chalf
cholesky_inverse cholesky_solve coalesce conj conj_physical corrcoef cov cuda deg2rad_ dense_dim dequantize eig eq_
fill_diagonal_ float_power_ frexp gcd gcd_ ge_ geqrf greater_ greater_equal_ gt_ histogram i0 i0_ igamma igammac imag indices
is_coalesced is_conj is_distributed is_neg is_nonzero is_sparse_csr istft lcm lcm_ ldexp ldexp_ le_ less_ less_equal_
logical_and_ logical_not_ logical_or_ logical_xor_ lstsq lt_ lu lu_solve mvlgamma narrow_copy ne_ new_empty_strided
not_equal_ orgqr ormqr polygamma positive q_scale q_zero_point qscheme rad2deg_ real reinforce resize resize_as
resolve_conj resolve_neg sgn_ sinc_ smm solve sparse_dim sparse_mask sparse_resize_ sspaddmm stft storage_type sum_to_size
symeig to_dense to_mkldnn to_padded_tensor to_sparse to_sparse_bsc to_sparse_bsr to_sparse_coo to_sparse_csc to_sparse_csr
triangular_solve unsafe_chunk unsafe_split values xpu
""".split()


class _MissingMethod:
    """A name that a class does not have: looking it up raises; an instance may have an attribute of that name."""

    def __init__(self, name):
        self.name = name

    def __get__(self, instance, owner):
        raise MissingName("Tensor", self.name, lambda: [n for n in dir(owner) if hasattr(owner, n)])


def _dir(self):
    """The names that a tensor has."""
    lacking = {n for kind in type(self).__mro__ for n, v in vars(kind).items() if isinstance(v, _MissingMethod)}
    return [n for n in object.__dir__(self) if n not in lacking or n in self.__dict__]


def missing_methods(tensor):
    """Descriptors for the names that torch's tensors have and the class `tensor` lacks, and a `__dir__` without them."""
    return {n: _MissingMethod(n) for n in _TENSOR_NAMES if not hasattr(tensor, n)} | {"__dir__": _dir}
