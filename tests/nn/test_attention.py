"""Scaled dot-product attention in blocks: against torch, in bits over threads, in memory, over transforms, in errors."""

import numpy as np
import pytest
from helpers import to_lib

import wengert
from wengert import _core, func
from wengert.nn import functional as F

# Queries, keys, size of q and k, size of v: on both sides of blocks (48 queries, 256 keys), tiles and vectors.
SIZES = [
    (1, 1, 1, 1),
    (5, 7, 3, 4),
    (12, 13, 8, 9),
    (47, 49, 16, 17),
    (49, 257, 20, 33),
    (100, 255, 7, 64),
    (300, 20, 8, 8),
]
MASKS = ["none", "bool", "float", "hidden", "keys", "queries"]


def mask_of(kind, rng, rows, columns, dtype):
    """Masks of several shapes; "hidden" hides every key from some queries."""
    if kind == "hidden":
        mask = np.where(rng.random((3, rows, columns)) < 0.5, 0, -np.inf).astype(dtype)
        mask[..., 0, :] = -np.inf
        return mask
    return {
        "none": lambda: None,
        "bool": lambda: rng.random((rows, columns)) < 0.7,
        "float": lambda: rng.standard_normal((2, 1, rows, columns)).astype(dtype),
        "keys": lambda: rng.random((2, 1, 1, columns)) < 0.6,
        "queries": lambda: rng.random((rows, 1)) < 0.6,
    }[kind]()


def run(lib, function, arrays, mask, options, twice=True):
    """The result, gradients by the kernel, recorded gradients and second gradients."""
    leaves = [to_lib(lib, a, True) for a in arrays]
    y = function(*leaves, attn_mask=None if mask is None else to_lib(lib, mask), **options)
    weights = np.cos(np.arange(y.numel())).reshape(tuple(y.shape)).astype(arrays[0].dtype)
    total = (y * to_lib(lib, weights)).sum()
    out = [y, *lib.autograd.grad(total, leaves, retain_graph=True)]
    if twice:
        first = lib.autograd.grad(total, leaves, create_graph=True)
        out += [*first, *lib.autograd.grad(sum((g * g).sum() for g in first), leaves)]
    return [v.detach().numpy() for v in out]


def torch_attention(torch):
    """torch's formula: the only one of its forms with second gradients."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    def attend(*args, **options):
        with sdpa_kernel(SDPBackend.MATH):
            return torch.nn.functional.scaled_dot_product_attention(*args, **options)

    return attend


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_as_torch(sizes, kind, causal, dtype, rng):
    torch = pytest.importorskip("torch")
    rows, columns, width, values = sizes
    shapes = ((2, 3, rows, width), (2, 3, columns, width), (2, 3, columns, values))
    arrays = [rng.standard_normal(s).astype(dtype) for s in shapes]
    mask = theirs = mask_of(kind, rng, rows, columns, dtype)
    options = {"is_causal": causal}
    if mask is not None and causal:  # torch's formula takes one of them
        seen = np.tril(np.ones((rows, columns), bool))
        theirs = mask & seen if mask.dtype == bool else np.where(seen, mask, -np.inf).astype(dtype)
    twice = dtype is np.float64 and rows * columns < 3000
    got = run(wengert, F.scaled_dot_product_attention, arrays, mask, options, twice)
    want = run(torch, torch_attention(torch), arrays, theirs, options if theirs is mask else {}, twice)
    tolerance = 1e-9 if dtype is np.float64 else 2e-4
    for k, (a, b) in enumerate(zip(got, want, strict=True)):
        if k > 6 and np.isnan(b).any():
            continue  # torch's second gradient of a query that sees nothing is NaN; ours is not
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=f"value {k}")


@pytest.mark.parametrize(
    "leads",
    [
        ((), (), ()),
        ((4,), (4,), (4,)),
        ((2, 6), (2, 2), (2, 2)),
        ((2, 3), (1, 3), (2, 1)),
        ((2, 4), (2, 2), (2, 1)),
    ],
    ids=str,
)
def test_heads_and_batches_as_torch(leads, rng):
    """Shared heads (enable_gqa), broadcasting leading dimensions, none at all; another scale."""
    torch = pytest.importorskip("torch")
    arrays = [rng.standard_normal((*lead, n, 5)) for lead, n in zip(leads, (6, 7, 7), strict=True)]
    options = {"scale": 0.3, "enable_gqa": len(leads[0]) == 2 and leads[1][1] < leads[0][1]}
    got = run(wengert, F.scaled_dot_product_attention, arrays, None, options)
    want = run(torch, torch_attention(torch), arrays, None, options)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


def test_heads_out_of_one_projection(rng):
    """Operands that are views keep their order in memory, so that results go back without copies, as torch's."""
    torch = pytest.importorskip("torch")
    x = rng.standard_normal((2, 50, 3 * 24)).astype(np.float32)
    found = []
    for lib, attend in (
        (wengert, F.scaled_dot_product_attention),
        (torch, torch.nn.functional.scaled_dot_product_attention),
    ):
        leaf = to_lib(lib, x, True)
        q, k, v = (t.view(2, 50, 3, 8).transpose(1, 2) for t in leaf.split(24, 2))
        y = attend(q, k, v, is_causal=True)
        (grad,) = lib.autograd.grad(y.square().sum(), leaf)
        found.append((y.stride(), y.detach().numpy(), grad.numpy()))
    assert found[0][0] == found[1][0]
    for a, b in zip(found[0][1:], found[1][1:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_gradient_of_a_mask(rng):
    torch = pytest.importorskip("torch")
    q, k, v, mask = (rng.standard_normal(s) for s in ((2, 5, 4), (2, 6, 4), (2, 6, 3), (5, 6)))
    found = []
    for lib, attend in ((wengert, F.scaled_dot_product_attention), (torch, torch_attention(torch))):
        leaf = to_lib(lib, mask, True)
        y = attend(*(to_lib(lib, a) for a in (q, k, v)), attn_mask=leaf)
        found.append(lib.autograd.grad(y.square().sum(), leaf)[0].numpy())
    np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-10)


def test_dropout_draws_one_mask_for_all_derivatives(rng):
    """Weights are kept at the rate 1 - p and scaled; the kernel, the formula and a repeated seed agree."""
    ones = wengert.ones(1, 1, 1000, 1)
    share = F.scaled_dot_product_attention(
        wengert.zeros(1, 1, 400, 4), wengert.zeros(1, 1, 1000, 4), ones, dropout_p=0.3
    )
    assert share.mean().item() == pytest.approx(1, abs=0.01) and share.std().item() == pytest.approx(
        0.0207, rel=0.2
    )
    q, k, v = (wengert.from_numpy(rng.standard_normal((2, 3, n, 5))).requires_grad_() for n in (50, 301, 301))
    wengert.manual_seed(4)
    y = F.scaled_dot_product_attention(q, k, v, dropout_p=0.4)
    wengert.manual_seed(4)
    assert (F.scaled_dot_product_attention(q, k, v, dropout_p=0.4) == y).all().item()
    assert not (F.scaled_dot_product_attention(q, k, v, dropout_p=0.4) == y).all().item()
    raw = wengert.autograd.grad(y.square().sum(), [q, k, v], retain_graph=True)
    recorded = wengert.autograd.grad(y.square().sum(), [q, k, v], create_graph=True)
    for a, b in zip(raw, recorded, strict=True):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-10)
    assert F.scaled_dot_product_attention(q, k, v, dropout_p=1.0).abs().sum().item() == 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_compute_in_float32(dtype, rng):
    half = getattr(wengert, dtype)
    q, k, v = (wengert.from_numpy(rng.standard_normal((3, 20, 8))).to(half).requires_grad_() for _ in range(3))
    y = F.scaled_dot_product_attention(q, k, v)
    want = F.scaled_dot_product_attention(q.float(), k.float(), v.float())
    assert y.dtype == half and (y.detach() == want.detach().to(half)).all().item()
    y.float().sum().backward()
    assert q.grad.dtype == half


def test_same_bits_for_any_number_of_threads(rng):
    q, k, v = (
        wengert.from_numpy(rng.standard_normal((2, 3, 260, 16)).astype(np.float32)).requires_grad_()
        for _ in range(3)
    )
    threads, found = wengert.get_num_threads(), []
    try:
        for n in (1, 2, 3):
            wengert.set_num_threads(n)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            grads = wengert.autograd.grad(y.square().sum(), [q, k, v])
            found.append([t.detach().numpy().tobytes() for t in (y, *grads)])
    finally:
        wengert.set_num_threads(threads)
    assert found[0] == found[1] == found[2]


def test_memory_grows_with_the_length_not_with_its_square():
    """The peak of forward and backward beside operands, results and gradients is a few rows' worth."""
    peaks = []
    for length in (1024, 2048):
        q, k, v = (wengert.ones(1, 2, length, 16, requires_grad=True) for _ in range(3))
        before = _core.memory()["current"]
        _core.reset_peak_memory()
        F.scaled_dot_product_attention(q, k, v, is_causal=True).sum().backward()
        peaks.append(_core.memory()["peak"] - before)
        del q, k, v
    assert peaks[1] < 2.1 * peaks[0]
    assert peaks[1] < 12 * 2 * 2048 * 16 * 4  # a matrix of scores alone would be 64 times one operand


def test_transforms(rng):
    q, k, d = (wengert.from_numpy(rng.standard_normal((3, 5, 4))) for _ in range(3))

    def f(x):
        return F.scaled_dot_product_attention(x, k, k, is_causal=True)

    value, tangent = func.jvp(f, (q,), (d,))
    again = q.clone().requires_grad_()
    (back,) = wengert.autograd.grad(f(again), again, value)
    assert (tangent * value).sum().item() == pytest.approx((back * d).sum().item(), rel=1e-10)
    both = func.vmap(f)(wengert.stack([q, d]))
    np.testing.assert_allclose(both[1].numpy(), f(d).numpy(), rtol=1e-12)


def test_nothing_to_attend_to():
    q = wengert.ones(2, 3, 4)
    assert F.scaled_dot_product_attention(q, q[:, :0], q[:, :0]).tolist() == wengert.zeros(2, 3, 4).tolist()
    assert tuple(F.scaled_dot_product_attention(q[:, :0], q, q).shape) == (2, 0, 4)
    assert tuple(F.scaled_dot_product_attention(q[:0], q[:0], q[:0]).shape) == (0, 3, 4)
    assert tuple(F.scaled_dot_product_attention(q, q, q[..., :0]).shape) == (2, 3, 0)


def test_refuses():
    q = wengert.ones(2, 4, 3, 5)
    attend = F.scaled_dot_product_attention
    for message, call in {
        "attention: expected query .* got": lambda: attend(q, q[..., :4], q),
        "of one dtype": lambda: attend(q, q.double(), q),
        "at least 2 dimensions": lambda: attend(q[0, 0, 0], q, q),
        "attn_mask that broadcasts to": lambda: attend(q, q, q, attn_mask=wengert.ones(2, 2)),
        "attn_mask of dtype bool or floating": lambda: attend(
            q, q, q, attn_mask=wengert.ones(3, 3, dtype=wengert.int64)
        ),
        "multiple of key and value": lambda: attend(q, q[:, :3], q[:, :3], enable_gqa=True),
        "broadcast": lambda: attend(q, q[:, :2], q[:, :2]),
    }.items():
        with pytest.raises(RuntimeError, match=message):
            call()
    with pytest.raises(ValueError, match="between 0 and 1"):
        attend(q, q, q, dropout_p=1.5)
