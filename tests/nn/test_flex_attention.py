"""Attention with functions for scores and masks, against PyTorch and against the plain formula."""

import numpy as np
import pytest
from optools import wengert

from wengert.nn.attention import flex_attention as ours

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("torch.nn.attention.flex_attention")
RNG = np.random.default_rng(5)


def causal(b, h, q, k):
    return q >= k


def near(b, h, q, k):
    return (q - k).abs() <= 3 + h


def bias(score, b, h, q, k):
    return score * (1 + b) - 0.1 * h * (q - k)


def forward(module, tensor, arrays, **options):
    q, k, v = map(tensor, arrays)
    mask = options.pop("mask", None)
    if mask is not None:
        options["block_mask"] = module.create_block_mask(mask, 2, q.shape[1], q.shape[2], k.shape[2], "cpu", 4)
    return [t.numpy() for t in module.flex_attention(q, k, v, return_lse=True, **options)]


def by_hand(q, k, v, mask=None, score_mod=None, scale=None):
    """The formula on whole tensors, with places that broadcast."""
    k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], 1) for t in (k, v))
    places = wengert.meshgrid(*map(wengert.arange, (*q.shape[:3], k.shape[2])), indexing="ij")
    scores = q @ k.mT * (scale or q.shape[-1] ** -0.5)
    scores = scores if score_mod is None else score_mod(scores, *places)
    scores = scores if mask is None else scores.masked_fill(~mask(*places), -wengert.inf)
    return scores.softmax(-1) @ v


@pytest.mark.parametrize(
    ("heads", "options"),
    [
        ((4, 4), {}),
        ((4, 4), {"score_mod": bias, "scale": 0.3}),
        ((4, 4), {"mask": causal}),
        ((4, 2), {"mask": "both", "enable_gqa": True}),
        ((4, 4), {"mask": "either", "score_mod": bias}),
    ],
)
@pytest.mark.filterwarnings("ignore")  # PyTorch's own, of what it does without its compiler
def test_as_pytorch(heads, options):
    arrays = [RNG.normal(size=(2, h, n, 6)) for h, n in zip((heads[0], *heads[1:] * 2), (7, 9, 9), strict=True)]
    results = []
    for module, tensor in ((ours, wengert.tensor), (theirs, torch.tensor)):
        chosen = dict(options)
        if options.get("mask") == "both":
            chosen["mask"] = module.and_masks(causal, near)
        elif options.get("mask") == "either":
            chosen["mask"] = module.or_masks(causal, near)
        results.append(forward(module, tensor, arrays, **chosen))
    for mine, other in zip(*results, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"mask": near}, {"score_mod": bias, "scale": 0.3}])
def test_gradients(options):
    """PyTorch has none on the CPU."""
    leaves = [
        wengert.tensor(RNG.normal(size=(2, h, n, 6)), requires_grad=True) for h, n in ((4, 7), (2, 9), (2, 9))
    ]
    named = {k: v for k, v in options.items() if k != "mask"}
    if "mask" in options:
        named["block_mask"] = ours.create_block_mask(options["mask"], None, 4, 7, 9)
    found = wengert.autograd.grad(ours.flex_attention(*leaves, enable_gqa=True, **named).sin().sum(), leaves)
    expected = wengert.autograd.grad(by_hand(*leaves, **options).sin().sum(), leaves)
    assert all(wengert.allclose(a, b) for a, b in zip(found, expected, strict=True))


def test_a_row_that_sees_nothing_gives_zeros_and_finite_gradients():
    x = wengert.ones(1, 1, 3, 2, dtype=wengert.float64, requires_grad=True)
    mask = ours.create_block_mask(lambda b, h, q, k: q > k, None, None, 3, 3)
    out = ours.flex_attention(x, x, x, block_mask=mask)
    out.sum().backward()
    assert out[0, 0].tolist() == [[0, 0], [1, 1], [1, 1]] and x.grad.isfinite().all()


@pytest.mark.parametrize("size", [4, (3, 5), 128])
def test_block_masks_as_pytorch(size):
    made = [m.create_block_mask(near, 2, 3, 10, 13, "cpu", BLOCK_SIZE=size) for m in (ours, theirs)]
    for name in ("kv_num_blocks", "full_kv_num_blocks", "q_num_blocks"):
        assert getattr(made[0], name).tolist() == getattr(made[1], name).tolist(), name
    for name in ("kv_indices", "full_kv_indices", "q_indices"):
        rows = [getattr(m, name).tolist() for m in made]
        assert rows[0] == rows[1], name
    assert made[0].shape == made[1].shape and made[0].numel() == made[1].numel()
    assert made[0].sparsity() == pytest.approx(made[1].sparsity())
    assert made[0].to_dense().tolist() == made[1].to_dense().tolist()
    part = [m[1:, 0] for m in made]
    assert part[0].shape == part[1].shape and part[0].kv_indices.tolist() == part[1].kv_indices.tolist()
    again = ours.BlockMask.from_kv_blocks(made[0].kv_num_blocks, made[0].kv_indices, BLOCK_SIZE=4)
    assert again.seq_lengths == (again.kv_indices.shape[-2] * 4, again.kv_indices.shape[-1] * 4)


def test_what_does_not_fit():
    x = wengert.zeros(1, 2, 4, 6)
    with pytest.raises(ValueError, match="4 dimensions"):
        ours.flex_attention(x[0], x, x)
    with pytest.raises(ValueError, match="one last size"):
        ours.flex_attention(x, x[..., :3], x)
    with pytest.raises(ValueError, match="enable_gqa"):
        ours.flex_attention(x, x[:, :1], x[:, :1])
    with pytest.raises(ValueError, match="block_mask"):
        ours.flex_attention(x, x, x, block_mask=ours.create_block_mask(causal, 1, 1, 3, 4))
    with pytest.raises(RuntimeError, match="both or none"):
        ours.BlockMask.from_kv_blocks(wengert.ones(1, 1), wengert.zeros(1, 1, 1), wengert.ones(1, 1))
    with pytest.raises(RuntimeError, match="functions"):
        ours.and_masks(causal, 3)


def test_what_is_given_beside_the_result():
    x = wengert.tensor(RNG.normal(size=(1, 1, 3, 4)))
    out, beside = ours.flex_attention(x, x, x, return_aux=ours.AuxRequest(lse=True, max_scores=True))
    scores = x @ x.mT / 2
    assert beside.lse.allclose(scores.logsumexp(-1)) and beside.max_scores.allclose(scores.amax(-1))
    assert out.allclose(wengert.nn.functional.scaled_dot_product_attention(x, x, x))
