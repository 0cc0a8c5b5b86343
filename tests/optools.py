"""What the tests of the core share: tensors from arrays, ops by row, gradients, comparison by dtype."""

import numpy as np

import wengert
from wengert import _core as core
from wengert._bind import OPS
from wengert.ops import TABLE

FLOATS = ("float32", "float64")
# Rows that take or give complex numbers only: test_complex.py has them.
COMPLEX_ONLY = set(
    "times_i complex_of complex_angle real_part imag_part view_as_real view_as_complex join_parts".split()
)
INTS = ("uint8", "int8", "int16", "int32", "int64")

# Relative and absolute tolerance of one op's result.
TOLERANCE = {
    "float64": (1e-12, 1e-13),
    "float32": (2e-6, 2e-6),
    "float16": (2e-3, 2e-3),
    "bfloat16": (1.6e-2, 1.6e-2),
}


def tensor(array, grad=False):
    """A tensor with memory of its own and the array's dtype."""
    t = wengert.from_numpy(np.array(array, copy=True, order="C"))
    return t.requires_grad_() if grad else t


def values(t):
    """A tensor's values as an array of its own."""
    return np.array(t.detach().numpy())


def run(row, operands, attrs=()):
    """Runs a row on tensors and numbers; always a tuple of results."""
    if row.variadic:
        operands = operands[0]
    out = core.apply(OPS[row.name].entry, operands, attrs)
    return out if isinstance(out, tuple) else (out,)


def gradients(out, grad, inputs, create_graph=False, keep=False):
    """Gradients of one tensor, None where there is none. Nothing is accumulated."""
    return core.backward([out], [grad], list(inputs), keep or create_graph, create_graph, False, True)


def same(got, want, dtype=None, rtol=None, atol=None, what=""):
    """Asserts that two arrays agree in shape and, within the tolerance of a dtype, in value."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape} instead of {want.shape}"
    base = TOLERANCE.get(dtype or str(got.dtype), (0, 0))
    np.testing.assert_allclose(
        got.astype(np.float64) if got.dtype.kind in "fV" else got,
        want.astype(np.float64) if got.dtype.kind in "fV" else want,
        rtol=base[0] if rtol is None else rtol,
        atol=base[1] if atol is None else atol,
        err_msg=what,
    )


# Public rows whose torch namesake takes other arguments; the families' own tests compare those.
OTHER_SIGNATURE = {"alias", "rows", "linear", "unfold", "squeeze", "as_strided", "contiguous", "slice"}


def torch_call(torch, row, operands, attrs):
    """The result of torch's function of the row's name; None where it has none of the same signature."""
    function = getattr(torch, row.name, None) or getattr(torch.nn.functional, row.name, None)
    if function is None or row.name in OTHER_SIGNATURE or row.variadic or not row.public:
        return None
    attrs = list(attrs)
    if row.fields[:2] != ("dim", "keepdim"):
        return function(*operands, *attrs)
    dim, keepdim = attrs
    if dim is None or dim == ():
        return None if keepdim else function(operands[0])
    if row.name == "count_nonzero":
        return None if keepdim else function(operands[0], dim)
    return function(operands[0], dim, keepdim)


def elementwise_rows(operands=None):
    """The elementwise rows, or those of them with a number of operands."""
    rows = [r for r in TABLE.values() if r.elementwise and r.name not in COMPLEX_ONLY]
    return [r for r in rows if operands is None or len(r.inputs) == operands]


def row_id(row):
    """The name of a parametrized test."""
    return row.name


__all__ = [
    "COMPLEX_ONLY",
    "FLOATS",
    "INTS",
    "OPS",
    "TABLE",
    "core",
    "elementwise_rows",
    "gradients",
    "row_id",
    "run",
    "same",
    "tensor",
    "torch_call",
    "values",
    "wengert",
]
