"""Complex numbers against PyTorch: values, dtypes, two orders of gradients, errors."""

import numpy as np
import pytest
from against_torch import assert_same, check, pair, same_error

import wengert as wg

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(11)


def drawn(*shape):
    return RNG.normal(size=shape) + 1j * RNG.normal(size=shape)


Z, Y = drawn(3, 4), drawn(3, 4)
R = RNG.normal(size=(3, 4))
P = RNG.uniform(0.5, 2.0, size=(3, 4))  # real and positive
ROW = drawn(4)
V, W = drawn(5), drawn(5)
M, N, S = drawn(3, 4), drawn(4, 2), drawn(3, 3)
B3, C3 = drawn(2, 3, 4), drawn(2, 4, 5)
ZERO = np.array([0j, 1 + 1j, 0j])
INDEX = np.array([2, 0, 2])
MASK = np.array([[True, False, True, True], [False] * 4, [True] * 4])

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


# ---- dtypes -------------------------------------------------------------------------------------------------------

KINDS = "bool uint8 int64 float16 bfloat16 float32 float64 complex64 complex128".split()


def numbers(package, kind, dims):
    return package.ones((2,) * dims, dtype=getattr(package, kind))


@pytest.mark.parametrize("complex_kind", ["complex64", "complex128"])
@pytest.mark.parametrize("kind", KINDS)
def test_promotion(kind, complex_kind):
    for first, second in ((1, 1), (0, 1), (1, 0), (0, 0)):
        if kind == "float16" and first and not second:  # PyTorch has a type of two float16; it is not here
            assert (numbers(wg, kind, first) * numbers(wg, complex_kind, second)).dtype is wg.complex64
            continue
        found = [
            str((numbers(m, kind, first) * numbers(m, complex_kind, second)).dtype).split(".")[-1]
            for m in (wg, torch)
        ]
        assert found[0] == found[1], (first, second)
    if kind == "float16":
        assert (numbers(wg, kind, 1) * 1j).dtype is wg.complex64
        return
    assert str((numbers(wg, kind, 1) * 1j).dtype)[8:] == str((numbers(torch, kind, 1) * 1j).dtype)[6:]


@pytest.mark.parametrize("kind", KINDS)
def test_casts(kind):
    values = np.array([1.5 - 2j, 0j, 3 + 0j])
    for source in ("complex64", "complex128"):
        ours, theirs = pair(values.astype(source))
        if not kind.startswith("complex") and kind != "bool":
            with pytest.warns(UserWarning, match="imaginary part is dropped"):
                got = ours.to(getattr(wg, kind))
        else:
            got = ours.to(getattr(wg, kind))
        want = (
            theirs.real.to(getattr(torch, kind))
            if kind not in ("bool", "complex64", "complex128")
            else theirs.to(getattr(torch, kind))
        )
        assert_same(got, want)
    back = numbers(wg, kind, 1).to(wg.complex128)
    assert back.dtype is wg.complex128 and back.tolist() == [1, 1]


def test_the_default_dtype_decides_the_complex_one():
    assert wg.tensor([1j]).dtype is wg.complex64 and wg.full((1,), 1j).dtype is wg.complex64
    wg.set_default_dtype(wg.float64)
    try:
        assert wg.tensor([1j]).dtype is wg.complex128 and wg.full((1,), 1j).dtype is wg.complex128
        assert (wg.arange(2) * 1j).dtype is wg.complex128
    finally:
        wg.set_default_dtype(wg.float32)
    assert wg.zeros(2, dtype=complex).dtype is wg.complex128


def test_a_number_without_dimensions():
    for kind in (wg.complex64, wg.complex128):
        z = wg.tensor(3 + 4j, dtype=kind)
        assert z.item() == 3 + 4j and complex(z) == 3 + 4j and abs(z).item() == 5 and z.dtype is kind
        assert (z * z).item() == -7 + 24j and (z + 1).item() == 4 + 4j and (-z).item() == -3 - 4j
        assert z.real.item() == 3 and z.imag.item() == 4 and z.clone().fill_(1j).item() == 1j
        assert wg.view_as_real(z).tolist() == [3, 4] and z.sum().item() == 3 + 4j
        z += 1j
        assert z.item() == 3 + 5j
        assert z.numpy().shape == () and wg.from_numpy(np.array(z.numpy())).item() == 3 + 5j
        w = z.clone().requires_grad_()
        (w * w.conj()).real.backward()
        assert w.grad.item() == 6 + 10j and w.grad.dtype is kind


def test_constructors():
    for make in ("zeros", "ones", "empty", "eye", "rand", "randn"):
        assert getattr(wg, make)(2, 2, dtype=wg.complex64).dtype is wg.complex64
    assert wg.tensor([1, 2j]).tolist() == [1, 2j]
    assert wg.tensor([[1.5, 2 + 1j]], dtype=wg.complex128).tolist() == [[1.5, 2 + 1j]]
    assert wg.zeros_like(wg.tensor(Z)).abs().sum().item() == 0
    assert wg.linspace(0, 1, 3, dtype=wg.complex64).tolist() == [0, 0.5, 1]
    wg.manual_seed(0)
    x = wg.randn(20000, dtype=wg.complex128)
    assert x.real.var().item() == pytest.approx(0.5, rel=0.05) and x.imag.var().item() == pytest.approx(
        0.5, rel=0.05
    )
    assert abs((x.real * x.imag).mean().item()) < 0.02
    y = wg.rand(1000, dtype=wg.complex64)
    assert 0 <= y.real.min().item() and y.imag.max().item() < 1 and not y.requires_grad and y._base is None


def test_memory_is_shared_with_numpy():
    a = np.array([1 + 2j, 3j])
    t = wg.from_numpy(a)
    t[0] = 5j
    assert a[0] == 5j and t.numpy()[0] == 5j and t.numpy().dtype == np.complex128
    assert memoryview(t).format == "Zd" and np.asarray(t.detach()).tolist() == [5j, 3j]
    assert wg.tensor(np.complex64(2j)).dtype is wg.complex64
    assert (wg.ones(2) * np.complex128(2j)).tolist() == [2j, 2j]


@pytest.mark.parametrize(
    "values",
    [
        [1 + 2j, 3 - 1j, 0.5j],
        [[1 + 0j, -2.5j], [1e-6 + 1j, 3]],
        [1e10 + 1j, 2],
        [float("nan") + 1j, complex(1, float("inf")), complex(-0.0, -0.0)],
        2 - 0.5j,
        [],
        [(k - 3) * (1 + 0.25j) for k in range(40)],
        [k * 1j for k in range(1200)],
    ],
)
def test_printing(values):
    ours = repr(wg.tensor(values, dtype=wg.complex64)).replace("wengert.", "torch.")
    assert ours == repr(torch.tensor(values, dtype=torch.complex64))


# ---- views ----------------------------------------------------------------------------------------------------------


def written(m, z, base):
    """Writes through views of another dtype, between two uses of the base."""
    x = base(m) * 1.5
    first = x.sum()
    if z == "real":
        x.real[1:].mul_(2)
    elif z == "imag":
        x.imag.copy_(x.real)
    elif z == "view_as_real":
        parts = m.view_as_real(x)
        parts[..., 0] = parts[..., 1] * 3
    elif z == "view_as_complex":
        m.view_as_complex(x).mul_(1j)
    else:
        whole, part = m.view_as_complex(x), x[0]
        whole[1:] *= 2j
        part.mul_(3)
        first = first + (whole * 2j).sum().real + part.sum()
    return first, x


@pytest.mark.parametrize("z", ["real", "imag", "view_as_real", "view_as_complex", "both"])
def test_writes_through_views_of_another_dtype(z):
    array = RNG.normal(size=(3, 2)) if z in ("view_as_complex", "both") else drawn(3)
    grads = []
    for side, m in enumerate((wg, torch)):
        leaf = pair(array, True)[side]
        first, x = written(m, z, lambda m, leaf=leaf: leaf)
        (first.real + (x * x.conj()).sum().real).backward()
        grads.append((leaf.grad, x.detach()))
    assert_same(*grads)


def test_parts_are_views():
    z = wg.tensor([1 + 2j, 3j])
    z.real = wg.tensor([5.0, 6.0])
    z.imag[0] = 7
    assert z.tolist() == [5 + 7j, 6 + 3j]
    assert wg.view_as_complex(wg.view_as_real(z)).tolist() == z.tolist()
    assert z.real.stride() == (2,) and z.imag.storage_offset() == 1
    assert z.view(wg.float32).tolist() == [5, 7, 6, 3]
    t = wg.tensor(Z).T
    assert t.real.tolist() == wg.tensor(Z).real.T.tolist() and not t.is_conj() and t.resolve_conj() is t


def test_writing_a_complex_number_into_real_memory():
    for m in (wg, torch):
        with pytest.raises(RuntimeError):
            m.ones(2).mul_(1j)
        with pytest.raises(RuntimeError):
            m.tensor([1j]).abs_()


# ---- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("lt", (Z, Y)),
        ("ge", (Z, 1.0)),
        ("max", (Z,)),
        ("amin", (Z,)),
        ("argmax", (Z,)),
        ("sort", (V,)),
        ("topk", (V, 2)),
        ("maximum", (Z, Y)),
        ("clamp", (Z, 0, 1)),
        ("floor", (Z,)),
        ("round", (Z,)),
        ("sign", (Z,)),
        ("relu", (Z,)),
        ("floor_divide", (Z, 2)),
        ("remainder", (Z, 2)),
        ("erf", (Z,)),
        ("median", (V,)),
        ("cummax", (V, 0)),
        ("nn.functional.softmax", (Z, 1)),
        ("imag", (R,)),
        ("view_as_real", (R,)),
        ("view_as_complex", (R,)),
        ("view_as_complex", (R[:, :2].copy().astype(int),)),
        ("complex", (R, R.astype(np.float32))),
        ("polar", (Z, Z)),
        ("mm", (Z, R.T.copy())),
        ("bitwise_and", (Z, Z)),
        ("nansum", (Z,)),
        (".float_", (Z,)),
    ],
)
def test_refused_as_in_torch(name, args):
    same_error(name, *args)


def test_backward_needs_a_real_loss():
    z = wg.tensor([1j], requires_grad=True)
    with pytest.raises(RuntimeError, match="expected a real tensor, got wengert.complex64"):
        (z * z).sum().backward()
    (z * z).sum().backward(wg.tensor(1 + 0j))
    assert z.grad.item() == -2j
    with pytest.raises(RuntimeError):
        (z * z).sum().backward(wg.tensor(1.0))
    with pytest.raises(RuntimeError, match="imaginary part"):
        float(wg.tensor(1j))


# ---- gradients --------------------------------------------------------------------------------------------------------


def test_the_gradient_is_that_by_the_conjugate():
    """Of |z|^2 it is 2 z, so that z - r * grad goes downhill."""
    z = wg.tensor([1 + 2j], requires_grad=True)
    (z.abs() ** 2).sum().backward()
    np.testing.assert_allclose(z.grad.numpy(), [2 + 4j], rtol=1e-6)


@pytest.mark.parametrize("forward", [False, True])
@pytest.mark.parametrize(
    "function",
    [
        lambda z: z.exp() * z.conj(),
        lambda z: (z / (z * z + 2)).abs(),
        lambda z: z @ z.mH,
        lambda z: z.sgn() + z.angle(),
        lambda z: z.prod(0),
        lambda z: (z.sum() * z.real.sum()).tanh(),
        lambda z: wg.view_as_real(z.sin()),
        lambda z: wg.complex(z.abs(), z.imag * z.real),
        lambda z: wg.einsum("ij,kj->ik", z, z.conj()),
        lambda z: z**3 + 2**z + z ** (1 + 1j),
        lambda z: wg.where(wg.tensor([[True, False], [False, True]]), z * 2, z.real),
    ],
)
def test_against_differences(function, forward):
    z = wg.tensor(drawn(2, 2)).requires_grad_()
    assert wg.testing.gradcheck(function, z, check_forward_ad=forward)
    if not forward:
        assert wg.testing.gradgradcheck(function, z)


def test_hooks_see_complex_gradients():
    seen = []
    z = wg.tensor([1 + 1j, 2j], requires_grad=True)
    y = z * (2 - 1j)
    y.register_hook(seen.append)
    z.register_hook(lambda g: g * 1j)
    y.abs().sum().backward()
    want = torch.tensor([1 + 1j, 2j], requires_grad=True)
    (want * (2 - 1j)).abs().sum().backward()
    np.testing.assert_allclose(z.grad.numpy(), want.grad.numpy() * 1j, rtol=1e-6)
    assert seen[0].dtype is wg.complex64


def test_custom_functions():
    class Square(wg.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return z * z

        @staticmethod
        def backward(ctx, g):
            (z,) = ctx.saved_tensors
            return g * 2 * z.conj()

    z = wg.tensor(drawn(3)).requires_grad_()
    assert wg.testing.gradcheck(Square.apply, z) and wg.testing.gradgradcheck(Square.apply, z)


def test_a_real_operand_gets_the_real_part():
    x = wg.tensor([2.0], requires_grad=True)
    z = wg.tensor([1 + 3j], requires_grad=True)
    (x * z).imag.sum().backward()
    assert x.grad.tolist() == [3.0] and x.grad.dtype is wg.float32 and z.grad.tolist() == [2j]


def test_transforms():
    z = wg.tensor(drawn(4, 3))

    def loss(v):
        return (v.exp() * v.conj()).sum().real

    ours = wg.func.vmap(wg.func.grad(loss))(z)
    w = torch.from_numpy(z.numpy().copy()).requires_grad_()
    (w.exp() * w.conj()).sum().real.backward()
    np.testing.assert_allclose(ours.numpy(), w.grad.numpy(), rtol=1e-12)
    assert wg.func.vmap(lambda v: wg.view_as_real(v).sum(0) + v.real.sum())(z).shape == (4, 2)
    _, t = wg.func.jvp(lambda v: v.exp().prod(), (z,), (wg.ones_like(z) * 1j,))
    step = 1e-6
    ends = [(z + s * step * 1j).exp().prod() for s in (1, -1)]
    np.testing.assert_allclose(t.item(), ((ends[0] - ends[1]) / (2 * step)).item(), rtol=1e-6)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_optimizers_step_both_parts(name):
    start, target = drawn(3), drawn(3)
    found = []
    for m in (wg, torch):
        p = m.nn.Parameter(m.tensor(start))
        optimizer = getattr(m.optim, name)([p], lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            (p - m.tensor(target)).abs().pow(2).sum().backward()
            optimizer.step()
        found.append(p.detach())
    assert_same(*found, rtol=1e-9)


def test_saved_and_loaded(tmp_path):
    state = {"a": wg.tensor(Z), "b": wg.tensor([1j]), "c": wg.tensor(2j)}
    wg.save(state, tmp_path / "z.bin")
    again = wg.load(tmp_path / "z.bin")
    assert all(again[k].dtype is state[k].dtype and wg.equal(again[k], state[k]) for k in state)
    torch.save({"a": torch.tensor(Z)}, tmp_path / "z.pt")
    assert wg.load(tmp_path / "z.pt")["a"].tolist() == Z.tolist()


@pytest.mark.parametrize(
    "name", ["conj", "abs", "angle", "sgn", "exp", "sum", "mean", "prod", "isreal", "is_complex"]
)
def test_methods(name):
    check("." + name, Z)


# ---- linear algebra ---------------------------------------------------------------------------------------------------

HERMITIAN = S @ S.conj().T + np.eye(3)
TALL, WIDE = drawn(5, 3), drawn(2, 4)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("linalg.inv", (S,), {}),
        ("linalg.solve", (S, drawn(3, 2)), {}),
        ("linalg.solve", (S, drawn(2, 3)), {"left": False}),
        ("linalg.solve_triangular", (S, drawn(3, 2)), {"upper": True}),
        ("linalg.det", (S,), {}),
        ("linalg.slogdet", (S,), {}),
        ("logdet", (S,), {}),
        ("linalg.qr", (S,), {}),
        ("linalg.qr", (TALL,), {}),
        ("linalg.svdvals", (TALL,), {}),
        ("linalg.eigvalsh", (HERMITIAN,), {}),
        ("linalg.pinv", (TALL,), {}),
        ("linalg.matrix_norm", (S,), {"ord": "nuc"}),
        ("linalg.matrix_norm", (WIDE,), {}),
        ("linalg.norm", (S, 1), {}),
        ("linalg.cond", (S,), {}),
        ("linalg.matrix_exp", (S,), {}),
        ("linalg.vecdot", (V, W), {}),
        ("linalg.multi_dot", ([M, N, drawn(2, 3)],), {}),
    ],
)
def test_linear_algebra(name, args, kwargs):
    check(name, *args, rtol=1e-5, atol=1e-6, **kwargs)


@pytest.mark.parametrize("array", [S, TALL, WIDE, RNG.normal(size=(3, 3))])
def test_singular_vectors(array):
    """Of what does not depend on the vectors' phases."""
    found = []
    for side, m in enumerate((wg, torch)):
        x = pair(array, True)[side]
        u, s, vh = m.linalg.svd(x, full_matrices=False)
        weight = m.arange(1, s.shape[0] + 1, dtype=s.dtype)
        rotated = (u * weight) @ vh
        ((rotated.abs() ** 2) * 1.5 + (u.abs() ** 4).sum()).sum().backward()
        found.append([s.detach(), rotated.detach(), x.grad])
    assert_same(*found, rtol=1e-6)


def in_order(values):
    return sorted(values.tolist(), key=lambda v: (round(v.real, 6), v.imag))


@pytest.mark.parametrize("array", [S, RNG.normal(size=(3, 3)), np.array([[0.0, 1.0], [-1.0, 0.0]])])
def test_eigenvalues(array):
    found = []
    for side, m in enumerate((wg, torch)):
        x = pair(array, True)[side]
        values, vectors = m.linalg.eig(x)
        residual = x.detach() * (1 + 0j) @ vectors.detach() - vectors.detach() * values.detach()
        assert residual.abs().max().item() < 1e-10
        ((values**2 * (1 + 2j)).real.sum() + (vectors.abs() ** 4).sum()).backward()
        found.append((in_order(values), x.grad))
    np.testing.assert_allclose(found[0][0], found[1][0], atol=1e-10)
    assert_same(found[0][1], found[1][1], rtol=1e-6, atol=1e-8)
    assert wg.linalg.eigvals(wg.tensor(array)).dtype is wg.complex128


def eigenvectors(m, x):
    values, vectors = m.linalg.eigh(x)
    loss = (values * (vectors.abs() ** 2 * m.arange(3)[:, None]).sum(0)).sum()
    return loss, (vectors * values) @ vectors.mH


def factor(m, x):
    lower = m.linalg.cholesky(x)
    return (lower * (1 - 2j)).real.sum() + (lower.abs() ** 3).sum(), lower


@pytest.mark.parametrize("decompose", [eigenvectors, factor])
def test_hermitian_matrices(decompose):
    found = []
    for side, m in enumerate((wg, torch)):
        x = pair(HERMITIAN, True)[side]
        loss, result = decompose(m, x)
        loss.backward()
        found.append([loss.detach(), result.detach(), x.grad + x.grad.conj().T])  # what Hermitian steps see
    assert_same(*found, rtol=1e-6, atol=1e-9)
