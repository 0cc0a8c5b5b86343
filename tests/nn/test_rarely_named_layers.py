"""Layers, losses and utilities that few programs name, beside PyTorch with the same weights."""

import re

import numpy as np
import pytest
from helpers import copy_state, run_both, to_lib

import wengert

torch = pytest.importorskip("torch")

BOTH = (wengert, torch)
RNG = np.random.default_rng(31)


def agree(run):
    """What run(package) gives is the same text in both packages."""
    ours, theirs = (re.sub("wengert", "torch", repr(run(package))) for package in BOTH)
    assert ours == theirs


def refused(run, kind=None):
    """Both packages refuse, with the same kind of error."""
    kinds = []
    for package in BOTH:
        with pytest.raises(Exception) as info:
            run(package)
        kinds.append(next(k for k in info.type.__mro__ if k.__module__ == "builtins"))
    assert issubclass(*kinds) or issubclass(*reversed(kinds)), kinds
    assert kind is None or issubclass(kinds[0], kind)


# ---- gradients' norms -------------------------------------------------------------------------------------------------


def parameters(package):
    made = [package.nn.Parameter(package.zeros(*shape)) for shape in ((3,), (2, 2), (1,))]
    made[0].grad = package.tensor([3.0, 0.0, 4.0])
    made[1].grad = package.tensor([[1.0, -2.0], [2.0, 4.0]])
    return made


def grads(made):
    return [None if p.grad is None else p.grad.tolist() for p in made]


@pytest.mark.parametrize("norm", [2.0, 1, 0.5, 0, float("inf"), -float("inf"), "inf"])
def test_total_norm(norm):
    ours, theirs = (p.nn.utils.get_total_norm([q.grad for q in parameters(p)[:2]], norm) for p in BOTH)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)


def test_total_norm_of_other_things():
    def run(package):
        of = package.nn.utils.get_total_norm
        mixed = [package.tensor([3.0]), package.tensor([4.0], dtype=package.float64)]
        one = package.tensor([3.0, 4.0])
        return of([]), of(one), of(v for v in [one]), of(mixed, foreach=False), of([one / 0])

    agree(run)
    for broken in ([float("nan")], [float("inf")]):
        refused(lambda t: t.nn.utils.get_total_norm([t.tensor(broken)], error_if_nonfinite=True), RuntimeError)  # noqa: B023


@pytest.mark.parametrize(("most", "total"), [(2.0, 4.0), (20.0, 4.0), (4.0, 4.0), (0.0, 1.0), (1.0, 0.0)])
def test_clipping_by_a_known_norm(most, total):
    def run(package):
        made = parameters(package)
        given = package.nn.utils.clip_grads_with_norm_(made, most, package.tensor(total))
        one = parameters(package)[0]
        package.nn.utils.clip_grads_with_norm_(one, max_norm=most, total_norm=package.tensor(total), foreach=False)
        return given, grads([*made, one])

    ours, theirs = (run(package) for package in BOTH)
    assert ours[0] is theirs[0] is None
    for a, b in zip(ours[1], theirs[1], strict=True):
        assert (a is None) == (b is None)
        if b is not None:
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_clip_grad_norm_without_its_dash_is_deprecated():
    found = []
    for package in BOTH:
        made = parameters(package)
        with pytest.warns(FutureWarning, match="clip_grad_norm_"):
            total = package.nn.utils.clip_grad_norm(made, max_norm=1.0, norm_type=float("inf"))
        found.append([total.item(), *grads(made)])
    assert found[0] == found[1]


# ---- other utilities --------------------------------------------------------------------------------------------------


def test_the_class_before_parametrizations():
    def run(package):
        parametrize = package.nn.utils.parametrize

        class Doubled(package.nn.Module):
            def forward(self, x):
                return x * 2

        layer = package.nn.Linear(2, 2)
        found = [parametrize.type_before_parametrizations(layer) is package.nn.Linear]
        parametrize.register_parametrization(layer, "weight", Doubled())
        found += [type(layer).__name__, parametrize.type_before_parametrizations(layer) is package.nn.Linear]
        parametrize.remove_parametrizations(layer, "weight")
        return [*found, type(layer) is package.nn.Linear]

    agree(run)


@pytest.mark.filterwarnings("ignore")
def test_spectral_norm_is_removed():
    def run(package):
        layer = package.nn.utils.spectral_norm(package.nn.Linear(2, 3))
        layer(package.ones(1, 2))
        value = layer.weight.detach().clone()
        keys = sorted(layer.state_dict())
        same = package.nn.utils.remove_spectral_norm(layer) is layer
        kept = package.allclose(value, layer.weight.detach(), atol=1e-6)
        return (
            keys,
            same,
            kept,
            sorted(layer.state_dict()),
            layer.weight.requires_grad,
            len(layer._forward_pre_hooks),
        )

    agree(run)
    refused(lambda t: t.nn.utils.remove_spectral_norm(t.nn.Linear(2, 3)), ValueError)
    refused(
        lambda t: t.nn.utils.remove_spectral_norm(t.nn.utils.spectral_norm(t.nn.Linear(2, 3)), "bias"), ValueError
    )


def test_permutations_and_padding_are_undone():
    def run(package):
        rnn = package.nn.utils.rnn
        order = package.tensor([2, 0, 1])
        lengths = package.tensor([4, 1, 2])
        parts = [
            *rnn.unpad_sequence(package.arange(12).view(4, 3), lengths),
            *rnn.unpad_sequence(package.arange(24).view(3, 4, 2), lengths, batch_first=True),
        ]
        back = rnn.pad_sequence(rnn.unpad_sequence(package.arange(12).view(4, 3), lengths))
        return rnn.invert_permutation(order), rnn.invert_permutation(None), parts, back

    agree(run)
    refused(lambda t: t.nn.utils.rnn.unpad_sequence(t.ones(4, 3), t.tensor([4, 1])), ValueError)


def test_modules_without_initial_values():
    def run(package):
        package.manual_seed(3)
        expected = package.rand(2).tolist()
        package.manual_seed(3)
        layer = package.nn.utils.skip_init(package.nn.Linear, 3, 4, dtype=package.float64)
        unmoved = package.rand(2).tolist() == expected
        image = package.nn.utils.skip_init(package.nn.Conv2d, 3, 4, 3, bias=False, device="cpu")
        return unmoved, layer, layer.weight.dtype, layer.weight.requires_grad, image, image.weight.shape

    agree(run)
    refused(lambda t: t.nn.utils.skip_init(t.nn.ReLU), RuntimeError)
    with pytest.raises(RuntimeError, match="class of modules"):
        wengert.nn.utils.skip_init(3)


# ---- layers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "options"),
    [("LSTM", {"proj_size": 2}), ("GRU", {"bidirectional": True}), ("RNN_TANH", {"bias": False}), ("RNN_RELU", {})],
)
def test_base_of_recurrent_layers(mode, options):
    ours, theirs = (package.nn.RNNBase(mode, 3, 4, num_layers=2, **options) for package in BOTH)
    assert repr(ours) == repr(theirs)
    assert [(k, tuple(v.shape)) for k, v in ours.state_dict().items()] == [
        (k, tuple(v.shape)) for k, v in theirs.state_dict().items()
    ]
    assert [len(w) for w in ours.all_weights] == [len(w) for w in theirs.all_weights]
    assert ours.flatten_parameters() is None
    assert issubclass(wengert.nn.LSTM, wengert.nn.RNNBase) and issubclass(wengert.nn.GRU, wengert.nn.RNNBase)


@pytest.mark.parametrize(
    ("args", "options"),
    [(("NO", 3, 4), {}), (("GRU", 3, 0), {}), (("GRU", 3, 4, 0), {}), (("GRU", 3, 4), {"dropout": 1.5})],
)
def test_base_of_recurrent_layers_refuses(args, options):
    refused(lambda t: t.nn.RNNBase(*args, **options), ValueError)


def test_base_of_recurrent_cells():
    def run(package):
        base = package.nn.RNNCellBase
        cells = [base(3, 4, True, 2), base(3, 4, False, num_chunks=3)]
        shapes = [[(k, tuple(v.shape)) for k, v in c.state_dict().items()] for c in cells]
        bound = [max(p.abs().max().item() for p in c.parameters()) <= 0.5 for c in cells]
        return cells, shapes, bound, cells[1].bias_ih, issubclass(package.nn.GRUCell, base)

    agree(run)
    refused(lambda t: t.nn.RNNCellBase(3, 4, True, 2)(t.ones(1, 3)), NotImplementedError)


def masks(package):
    causal = package.full((4, 4), float("-inf"), dtype=package.float64).triu(1)
    return {
        "plain": {},
        "causal": {"tgt_mask": causal, "tgt_is_causal": True},
        "keys": {
            "tgt_mask": causal,
            "memory_mask": package.eye(4, 5, dtype=package.bool),
            "memory_key_padding_mask": package.tensor([[0, 0, 0, 0, 1], [0, 0, 0, 1, 1]]).bool(),
            "tgt_key_padding_mask": package.tensor([[0, 0, 0, 1], [0, 0, 0, 0]]).bool(),
        },
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("kind", ["plain", "causal", "keys"])
def test_decoder(kind, norm):
    def made(package):
        layer = package.nn.TransformerDecoderLayer(8, 2, 12, 0.0)
        return package.nn.TransformerDecoder(layer, 3, norm=package.nn.LayerNorm(8) if norm else None).double()

    ours, theirs = made(wengert), made(torch)
    assert repr(ours) == repr(theirs) and ours.num_layers == len(ours.layers) == 3
    copy_state(theirs, ours, wengert)
    for module, package in ((ours, wengert), (theirs, torch)):
        module.plain, given = module.forward, masks(package)[kind]
        module.forward = lambda tgt, memory, m=module, given=given: m.plain(tgt, memory, **given)
    run_both(ours, theirs, [RNG.normal(size=(4, 2, 8)), RNG.normal(size=(5, 2, 8))], torch, tol=1e-8)


ATTENTION = {
    "plain": lambda t: {},
    "no weights": lambda t: {"need_weights": False},
    "weights of heads": lambda t: {"average_attn_weights": False},
    "padding": lambda t: {"key_padding_mask": t.arange(5) >= t.tensor([[4], [2], [5]]), "training": False},
    "mask": lambda t: {"attn_mask": t.ones(4, 5).tril().logical_not()},
    "masks of heads": lambda t: {
        "attn_mask": t.arange(120.0, dtype=t.float64).view(6, 4, 5).sin(),
        "need_weights": False,
    },
    "causal": lambda t: {"attn_mask": t.ones(4, 5).triu(1).bool(), "is_causal": True, "need_weights": False},
}


def attend(package, options, *, added=False, apart=False):
    """multi_head_attention_forward with weights of sines; results and gradients as arrays."""
    leaves = []

    def leaf(*shape):
        values = np.sin(0.7 * np.arange(np.prod(shape)) + len(leaves)).reshape(shape)
        leaves.append(to_lib(package, values, True))
        return leaves[-1]

    q, k, v = leaf(4, 3, 8), leaf(5, 3, 8), leaf(5, 3, 8)
    weight = None if apart else leaf(24, 8)
    bias, extra = leaf(24), (leaf(1, 1, 8), leaf(1, 1, 8)) if added else (None, None)
    if apart:
        names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
        options = options | {"use_separate_proj_weight": True} | {name: leaf(8, 8) for name in names}
    y, weights = package.nn.functional.multi_head_attention_forward(
        q, k, v, 8, 2, weight, bias, *extra, added, 0.0, leaf(8, 8), leaf(8), **options
    )
    (y.sin().sum() + (0 if weights is None else weights.square().sum())).backward()
    return [None if x is None else x.detach().numpy() for x in (y, weights, *(p.grad for p in leaves))]


@pytest.mark.parametrize("form", [{}, {"added": True}, {"apart": True}], ids=str)
@pytest.mark.parametrize("kind", ATTENTION)
def test_attention_as_a_function(kind, form):
    for a, b in zip(*(attend(package, ATTENTION[kind](package), **form) for package in BOTH), strict=True):
        assert (a is None) == (b is None)
        if b is not None:
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("wrong", [{"attn_mask": (3, 5)}, {"key_padding_mask": (3, 4)}, {"attn_mask": (2, 4, 5)}])
def test_attention_as_a_function_refuses(wrong):
    refused(lambda t: attend(t, {name: t.zeros(shape, dtype=t.bool) for name, shape in wrong.items()}))
    refused(lambda t: attend(t, {"is_causal": True, "need_weights": False}), RuntimeError)


# ---- random layers ----------------------------------------------------------------------------------------------------


def test_gumbel_softmax_draws_by_the_logits():
    wengert.manual_seed(0)
    gumbel_softmax = wengert.nn.functional.gumbel_softmax
    logits = wengert.tensor([0.0, 1.0, 2.0], requires_grad=True)
    hard = gumbel_softmax(logits.expand(20_000, 3), tau=0.5, hard=True)
    assert set(hard.flatten().tolist()) == {0.0, 1.0} and (hard.sum(-1) == 1).all()
    np.testing.assert_allclose(hard.detach().mean(0), logits.detach().softmax(0), atol=0.015)
    soft = gumbel_softmax(logits.expand(7, 3), tau=2.0)
    np.testing.assert_allclose(soft.detach().sum(-1), 1, atol=1e-6)
    (hard[0] * wengert.arange(3)).sum().backward()
    assert logits.grad.abs().sum() > 0 and abs(logits.grad.sum().item()) < 1e-6


@pytest.mark.parametrize(("name", "shape"), [("dropout1d", (50, 40, 3)), ("dropout3d", (50, 40, 1, 2, 2))])
def test_whole_channels_are_dropped(name, shape):
    wengert.manual_seed(1)
    y = getattr(wengert.nn.functional, name)(wengert.ones(shape), 0.25).flatten(2)
    assert (y == y[..., :1]).all() and sorted(set(y.flatten().tolist())) == pytest.approx([0.0, 4 / 3])
    assert 0.2 < (y == 0).float().mean().item() < 0.3


@pytest.mark.parametrize("name", ["alpha_dropout", "feature_alpha_dropout"])
def test_alpha_dropouts_keep_the_moments(name):
    wengert.manual_seed(2)
    drop = getattr(wengert.nn.functional, name)
    y = drop(wengert.randn(200, 300, 2), 0.3, True)
    assert abs(y.mean().item()) < 0.02 and abs(y.std().item() - 1) < 0.02
    y = drop(wengert.zeros(200, 300, 2), 0.3, True)
    dropped = (y == y.amin()).float()
    assert abs(dropped.mean().item() - 0.3) < 0.02
    assert name == "alpha_dropout" or (dropped[..., 0] == dropped[..., 1]).all()


def test_rrelu_in_place_draws_slopes():
    wengert.manual_seed(3)
    x = wengert.full((1000,), -1.0)
    assert wengert.nn.functional.rrelu_(x, 0.1, 0.3, True) is x
    assert -0.3 <= x.min().item() < -0.29 and -0.11 < x.max().item() <= -0.1


# ---- schedules --------------------------------------------------------------------------------------------------------


def test_schedules_of_the_users():
    def run(package):
        def optimizer():
            return package.optim.SGD([package.nn.Parameter(package.zeros(1))], lr=1.0)

        class Harmonic(package.optim.lr_scheduler.LRScheduler):
            def get_lr(self):
                return [base / (self.last_epoch + 1) for base in self.base_lrs]

        descent = optimizer()
        schedule = Harmonic(descent)
        found = [schedule.get_last_lr()]
        for _ in range(3):
            descent.step()
            schedule.step()
            found.append((schedule.get_last_lr(), schedule.last_epoch, descent.param_groups[0]["lr"]))
        other = Harmonic(optimizer())
        other.load_state_dict(schedule.state_dict())
        return found, other.last_epoch, other.get_last_lr(), sorted(schedule.state_dict())

    agree(run)
    refused(lambda t: t.optim.lr_scheduler.LRScheduler(t.optim.SGD([t.ones(1)], lr=1.0)), NotImplementedError)
    refused(lambda t: t.optim.lr_scheduler.LRScheduler(3), TypeError)
    refused(lambda t: t.optim.lr_scheduler.LRScheduler(t.optim.SGD([t.ones(1)], lr=1.0), last_epoch=3), KeyError)
