"""nn.utils.prune and the fusion of layers, against torch."""

import numpy as np
import pytest
from helpers import assert_close, copy_state, to_lib

import wengert

torch = pytest.importorskip("torch")
import torch.nn.utils.prune as theirs  # noqa: E402

ours = wengert.nn.utils.prune
LIBS = (wengert, torch)


def layers():
    """The same convolution in both libraries."""
    torch.manual_seed(0)
    pair = (wengert.nn.Conv2d(2, 4, 3), torch.nn.Conv2d(2, 4, 3))
    copy_state(pair[1], pair[0], wengert)
    return pair


CALLS = {
    "share": lambda p, m: p.l1_unstructured(m, "weight", 0.3),
    "count": lambda p, m: p.l1_unstructured(m, "weight", amount=7),
    "nothing": lambda p, m: p.l1_unstructured(m, "weight", amount=0),
    "rows": lambda p, m: p.ln_structured(m, "weight", 0.5, n=2, dim=0),
    "columns": lambda p, m: p.ln_structured(m, "weight", 1, n=1, dim=1),
    "infinite norm": lambda p, m: p.ln_structured(m, "weight", 2, n=float("inf"), dim=-1),
    "identity": lambda p, m: p.identity(m, "bias"),
    "twice": lambda p, m: p.l1_unstructured(p.l1_unstructured(m, "weight", 0.3), "weight", 0.5),
    "then rows": lambda p, m: p.ln_structured(p.l1_unstructured(m, "weight", 0.3), "weight", 0.5, n=2, dim=0),
    "rows, then elements": lambda p, m: p.l1_unstructured(
        p.ln_structured(m, "weight", 1, n=2, dim=0), "weight", 20
    ),
    "both": lambda p, m: p.l1_unstructured(p.l1_unstructured(m, "weight", 0.3), "bias", 2),
}


@pytest.mark.parametrize("name", CALLS)
def test_masks_are_torchs(name):
    mine, other = layers()
    assert CALLS[name](ours, mine) is mine
    CALLS[name](theirs, other)
    assert [k for k, _ in mine.named_parameters()] == [k for k, _ in other.named_parameters()]
    assert [k for k, _ in mine.named_buffers()] == [k for k, _ in other.named_buffers()]
    for key, value in other.state_dict().items():
        assert_close(mine.state_dict()[key], value)
    assert_close(mine.weight, other.weight)
    x = np.random.default_rng(0).standard_normal((2, 2, 5, 5)).astype(np.float32)
    for module, lib in ((mine, wengert), (other, torch)):
        module(to_lib(lib, x)).square().sum().backward()
    for (_, p), (_, q) in zip(mine.named_parameters(), other.named_parameters(), strict=True):
        assert_close(p.grad, q.grad, 1e-4)
    assert ours.is_pruned(mine) and theirs.is_pruned(other)
    which = "bias" if name == "identity" else "weight"
    value = getattr(mine, which).detach().clone()
    ours.remove(mine, which)
    theirs.remove(other, which)
    assert wengert.equal(getattr(mine, which), value) and isinstance(getattr(mine, which), wengert.nn.Parameter)
    assert sorted(mine.state_dict()) == sorted(other.state_dict())
    assert ours.is_pruned(mine) == theirs.is_pruned(other)


def test_importance_scores_and_masks_of_ones_own():
    mine, other = layers()
    scores = np.random.default_rng(1).random((4, 2, 3, 3)).astype(np.float32)
    ours.l1_unstructured(mine, "weight", 0.5, importance_scores=to_lib(wengert, scores))
    theirs.l1_unstructured(other, "weight", 0.5, importance_scores=to_lib(torch, scores))
    mask = (scores > 0.2).astype(np.float32)
    ours.custom_from_mask(mine, "weight", to_lib(wengert, mask))
    theirs.custom_from_mask(other, "weight", to_lib(torch, mask))
    assert_close(mine.weight_mask, other.weight_mask)


def test_pruning_over_several_parameters():
    mine, other = layers()
    for module, p in ((mine, ours), (other, theirs)):
        p.global_unstructured([(module, "weight"), (module, "bias")], p.L1Unstructured, amount=0.4)
    for key, value in other.state_dict().items():
        assert_close(mine.state_dict()[key], value)


def test_random_masks_have_the_wanted_size():
    mine, _ = layers()
    ours.random_unstructured(mine, "weight", 10)
    assert int(mine.weight_mask.sum()) == mine.weight.numel() - 10
    ours.random_structured(mine, "weight", 2, dim=0)
    assert int((mine.weight_mask.sum((1, 2, 3)) == 0).sum()) == 2
    pruned = ours.L1Unstructured(0.5).prune(wengert.tensor([3.0, 1.0, 2.0, 4.0]))
    assert pruned.tolist() == [3.0, 0.0, 0.0, 4.0]


def test_wrong_arguments_are_refused_as_torch_does():
    for p, module in zip((ours, theirs), layers(), strict=True):
        for amount, kind in ((1.5, ValueError), (-1, ValueError), ("x", TypeError), (10**6, ValueError)):
            with pytest.raises(kind):
                p.l1_unstructured(module, "weight", amount)
        with pytest.raises(ValueError):
            p.remove(module, "bias")
        with pytest.raises(ValueError):
            p.ln_structured(module, "bias", 1, n=2, dim=0)
        with pytest.raises(TypeError):
            p.global_unstructured([(module, "weight")], p.LnStructured, amount=0.1)


@pytest.mark.parametrize("bias", [True, False])
def test_fused_layers_do_what_the_pair_did(bias):
    rng = np.random.default_rng(3)
    for kind, shape, transpose in (
        ("Conv2d", (2, 3, 6, 6), False),
        ("ConvTranspose2d", (2, 3, 6, 6), True),
        ("Linear", (5, 3), False),
    ):
        results = []
        x = rng.standard_normal(shape).astype(np.float32)
        norm = "BatchNorm1d" if kind == "Linear" else "BatchNorm2d"
        size = (3, 4) if kind == "Linear" else (3, 4, 3)
        other = getattr(torch.nn, kind)(*size, bias=bias), getattr(torch.nn, norm)(4)
        other[1].running_mean.normal_()
        other[1].running_var.uniform_(0.5, 2)
        mine = getattr(wengert.nn, kind)(*size, bias=bias), getattr(wengert.nn, norm)(4)
        for lib, layer, bn in ((torch, *other), (wengert, *mine)):
            if lib is wengert:
                copy_state(other[0], layer, wengert)
                copy_state(other[1], bn, wengert)
            layer.eval(), bn.eval()
            utils = lib.nn.utils
            if kind == "Linear":
                fused = utils.fuse_linear_bn_eval(layer, bn)
            else:
                fused = utils.fusion.fuse_conv_bn_eval(layer, bn, transpose)
            results.append(fused(to_lib(lib, x)))
            assert np.allclose(
                fused(to_lib(lib, x)).detach().numpy(), bn(layer(to_lib(lib, x))).detach().numpy(), atol=1e-4
            )
        assert_close(results[1], results[0])
    with pytest.raises(AssertionError):
        wengert.nn.utils.fuse_linear_bn_eval(wengert.nn.Linear(2, 2), wengert.nn.BatchNorm1d(2).eval())
