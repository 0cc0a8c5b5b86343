"""Operations on complex numbers against PyTorch: values and two orders of gradients."""

import numpy as np
import pytest
from against_torch import assert_same, check, pair
from complex_arrays import B3, C3, INDEX, MASK, ROW, ZERO, M, N, P, R, S, V, W, Y, Z, generator

import wengert as wg

torch = pytest.importorskip("torch")
RNG, drawn = generator(20)

UNARY = """neg conj abs angle sgn square sqrt rsqrt reciprocal exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos
    atan sinh cosh tanh asinh acosh atanh sigmoid conj_physical resolve_conj real""".split()


@pytest.mark.parametrize("name", UNARY)
def test_one_operand(name):
    check(name, Z)


@pytest.mark.parametrize("name", UNARY)
def test_one_operand_in_single_precision(name):
    check(name, Z.astype(np.complex64), grad=False, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", ["imag", "isfinite", "isnan", "isinf", "isreal", "logical_not", "view_as_real"])
def test_parts_and_tests(name):
    check(name, Z if name != "isreal" else np.array([1 + 0j, 1j]))


@pytest.mark.parametrize("name", ["logical_and", "logical_or", "logical_xor"])
def test_logic(name):
    check(name, ZERO, ZERO[::-1].copy())


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow", "eq", "ne"])
@pytest.mark.parametrize(
    "operands", [(Z, Y), (Z, ROW), (Z, R), (P, Z), (Z, 2.5), (Z, 1 - 2j), (R, 1j), (Z, 3), (Z, P[0]), (ROW, Z)]
)
def test_two_operands(name, operands):
    check(name, *operands)


def test_a_real_base_may_be_negative():
    for base in (R, -2.0):
        ours, theirs = pair(Z, True)
        (base_ours, base_theirs) = pair(base, True)
        (base_ours**ours + wg.pow(base_ours, ours)).sum().real.backward()
        (base_theirs**theirs + torch.pow(base_theirs, theirs)).sum().real.backward()
        assert_same(ours.grad, theirs.grad)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("sum", (Z,), {}),
        ("sum", (Z, 1), {}),
        ("sum", (Z, (0, 1)), {"keepdim": True}),
        ("mean", (Z,), {}),
        ("mean", (Z, 0), {"keepdim": True}),
        ("prod", (Z, 1), {}),
        ("prod", (ZERO,), {}),
        ("cumsum", (Z, 1), {}),
        ("cumsum", (Z, -2), {}),
        ("cumprod", (Z, 1), {}),
        ("var", (Z,), {}),
        ("var", (Z, 1), {"unbiased": False}),
        ("std", (Z, 0), {}),
        ("norm", (Z,), {}),
        ("norm", (Z,), {"p": 1}),
        ("norm", (Z,), {"p": 3, "dim": 1}),
        ("linalg.vector_norm", (Z,), {"ord": float("inf")}),
        ("any", (ZERO,), {}),
        ("all", (ZERO,), {}),
        ("count_nonzero", (ZERO,), {}),
        ("sum", (drawn(0, 3),), {}),
        ("sum", (drawn(5, 0), 1), {}),
        ("sum", (np.array(2 + 1j),), {}),
        ("mean", (np.array(2 + 1j),), {}),
        ("cumsum", (np.array(2 + 1j), 0), {}),
    ],
)
def test_reductions(name, args, kwargs):
    check(name, *args, **kwargs)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("mm", (M, N), {}),
        ("matmul", (M, N), {}),
        ("matmul", (B3, C3), {}),
        ("matmul", (B3, N), {}),
        ("matmul", (V, W), {}),
        ("matmul", (M, drawn(4)), {}),
        ("bmm", (B3, C3), {}),
        ("mv", (M, drawn(4)), {}),
        ("dot", (V, W), {}),
        ("vdot", (V, W), {}),
        ("inner", (V, W), {}),
        ("outer", (V, W), {}),
        ("addmm", (drawn(3, 2), M, N), {"alpha": 2 + 1j, "beta": 0.5}),
        ("baddbmm", (drawn(2, 3, 5), B3, C3), {}),
        ("tensordot", (B3, C3), {"dims": ([0, 2], [0, 1])}),
        ("kron", (M, N), {}),
        ("einsum", ("ij,jk->ik", M, N), {}),
        ("einsum", ("bij,bjk->ik", B3, C3), {}),
        ("einsum", ("i,j->ij", V, W), {}),
        ("nn.functional.linear", (M, drawn(2, 4)), {}),
        ("nn.functional.linear", (B3, drawn(2, 4), drawn(2)), {}),
        ("trace", (S,), {}),
        ("linalg.matrix_power", (S, 3), {}),
        (".adjoint", (B3,), {}),
    ],
)
def test_products(name, args, kwargs):
    check(name, *args, **kwargs)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("cat", ([Z, R],), {}),
        ("cat", ([Z, Y], 1), {}),
        ("stack", ([Z, Y],), {}),
        ("where", (MASK, Z, Y), {}),
        ("where", (MASK, Z, R), {"grad": False}),  # fails inside PyTorch
        ("where", (MASK, 1j, Z), {}),
        ("flip", (Z, (0,)), {}),
        ("roll", (Z, 1, 0), {}),
        ("permute", (B3, (2, 0, 1)), {}),
        ("transpose", (Z, 0, 1), {}),
        ("reshape", (Z, (2, 6)), {}),
        ("index_select", (Z, 0, INDEX), {}),
        ("gather", (Z, 0, INDEX[None]), {}),
        ("scatter_add", (Z, 0, INDEX[None], Y[:1, :3].copy()), {}),
        ("index_add", (Z, 0, INDEX, Y), {}),
        ("masked_fill", (Z, MASK, 1j), {}),
        ("masked_select", (Z, MASK), {}),
        ("tril", (Z,), {}),
        ("diag", (V,), {}),
        ("diagonal", (Z,), {}),
        ("repeat_interleave", (Z, 2), {"dim": 1}),
        ("tile", (Z, (2, 1)), {}),
        ("take", (Z, INDEX), {}),
        ("unsqueeze", (Z, 0), {}),
        ("narrow", (Z, 1, 1, 2), {}),
        (".unfold", (V, 0, 3, 1), {}),
        ("nn.functional.pad", (Z, (1, 2)), {}),
        ("lerp", (Z, Y, 0.25), {}),
        ("lerp", (Z, Y, drawn(3, 4)), {}),
        ("addcmul", (Z, Y, R), {"value": 2j}),
        ("addcdiv", (Z, Y, P), {}),
        ("nan_to_num", (np.array([np.nan + 1j, 1 + np.inf * 1j]),), {"grad": False}),
        ("complex", (R, P), {}),
        ("polar", (P, R), {}),
        (".cumsum", (B3, 2), {}),
        ("view_as_complex", (RNG.normal(size=(3, 2)),), {}),
        ("clone", (Z,), {}),
        ("angle", (R,), {}),
        ("sgn", (R,), {}),
        ("sinc", (Z,), {}),
        ("movedim", (B3, 0, 2), {}),
    ],
)
def test_shapes_and_selection(name, args, kwargs):
    check(name, *args, **kwargs)


@pytest.mark.parametrize("name", ["abs", "angle", "sgn", "norm"])
def test_gradients_at_zero_are_zero(name):
    ours, theirs = pair(ZERO, True)
    for x, package in ((ours, wg), (theirs, torch)):
        getattr(package, name)(x).sum().real.backward()
    assert_same(ours.grad, theirs.grad)
