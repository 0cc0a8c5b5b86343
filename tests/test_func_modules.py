"""Custom functions, modules and ensembles inside transforms, beside torch."""

import numpy as np
import pytest
from against_torch import assert_same, flat

import wengert

torch = pytest.importorskip("torch")


def classes(lib):
    class Cube(lib.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return x**3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(inputs[0])
            ctx.save_for_forward(inputs[0])

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x * x

        @staticmethod
        def jvp(ctx, t):
            (x,) = ctx.saved_tensors
            return t * 3 * x * x

    class Through(lib.autograd.Function):
        """Rounds; its rules pass gradients and tangents on: not what differentiating forward would give."""

        seen = []

        @staticmethod
        def forward(x, scale):
            return (x * scale).round(), x * scale

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.scale = inputs[1]

        @staticmethod
        def backward(ctx, g, h):
            return (g + h) * ctx.scale, None

        @staticmethod
        def jvp(ctx, t, _):
            return t * ctx.scale, t * ctx.scale

        @staticmethod
        def vmap(info, in_dims, x, scale):
            Through.seen.append((info.batch_size, info.randomness, in_dims[1]))
            return Through.apply(x.movedim(in_dims[0], -1), scale), (-1, -1)

    return Cube, Through


X = np.array([[0.3, -1.2, 2.6], [1.4, 0.7, -0.1]])

CALLS = {
    "vmap": lambda f, c, t, x: f.vmap(c.apply)(x),
    "vmap of grad": lambda f, c, t, x: f.vmap(f.grad(lambda v: c.apply(v).sum()))(x),
    "grad of vmap": lambda f, c, t, x: f.grad(lambda v: f.vmap(c.apply)(v).sum())(x),
    "per sample gradients": lambda f, c, t, x: f.vmap(f.grad(lambda w, v: (c.apply(w) * v).sum()), (None, 0))(x[0], x),
    "nested vmap": lambda f, c, t, x: f.vmap(f.vmap(c.apply))(x),
    "jvp": lambda f, c, t, x: f.jvp(c.apply, (x,), (x.cos(),)),
    "vmap of jvp": lambda f, c, t, x: f.vmap(lambda v: f.jvp(c.apply, (v,), (v.cos(),)))(x),
    "jvp of vmap": lambda f, c, t, x: f.jvp(f.vmap(c.apply), (x,), (x.cos(),)),
    "jacfwd": lambda f, c, t, x: f.jacfwd(c.apply)(x[0]),
    "jacrev": lambda f, c, t, x: f.jacrev(c.apply)(x[0]),
    "hessian": lambda f, c, t, x: f.hessian(lambda v: c.apply(v).sum())(x[0]),
    "rule": lambda f, c, t, x: f.vmap(lambda v: t.apply(v, 2.5), in_dims=1)(x),
    "gradients of a rule": lambda f, c, t, x: f.grad(
        lambda v: sum(p.sin().sum() for p in f.vmap(lambda r: t.apply(r, 2.5))(v))
    )(x),
    "tangents of a rule": lambda f, c, t, x: f.jvp(lambda v: t.apply(v, 2.5), (x,), (x.cos(),)),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_custom_functions(name):
    results = []
    for lib in (wengert, torch):
        cube, through = classes(lib)
        results.append(CALLS[name](lib.func, cube, through, lib.from_numpy(X.copy())))
        if name == "rule":
            assert through.seen == [(3, "error", None)]
    assert_same(*results, rtol=1e-9)


def test_rules_that_are_missing_or_wrong():
    class NoTangents(wengert.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.exp()

        @staticmethod
        def backward(ctx, g):
            return g

    with pytest.raises(NotImplementedError, match="jvp"):
        wengert.func.jvp(NoTangents.apply, (wengert.ones(2),), (wengert.ones(2),))

    class NoDims(NoTangents):
        @staticmethod
        def vmap(info, in_dims, x):
            return x

    with pytest.raises(RuntimeError, match="out_dims"):
        wengert.func.vmap(NoDims.apply)(wengert.ones(2))


def networks(lib, count):
    rng = np.random.default_rng(1)
    made = []
    for _ in range(count):
        net = lib.nn.Sequential(
            lib.nn.Linear(3, 4), lib.nn.Tanh(), lib.nn.BatchNorm1d(4), lib.nn.Linear(4, 2)
        ).double()
        for p in net.parameters():
            with lib.no_grad():
                p.copy_(lib.from_numpy(rng.normal(size=tuple(p.shape))))
        made.append(net.eval())
    return made


def test_functional_call_and_ensembles():
    results = []
    for lib in (wengert, torch):
        nets = networks(lib, 3)
        x = lib.from_numpy(np.random.default_rng(2).normal(size=(5, 3)))
        params, buffers = lib.func.stack_module_state(nets)
        assert {k: tuple(v.shape) for k, v in params.items()}["0.weight"] == (3, 4, 3)
        assert all(v.requires_grad for v in params.values())

        def run(p, b, v, net=nets[0], lib=lib):
            return lib.func.functional_call(net, (p, b), (v,))

        together = lib.func.vmap(run, (0, 0, None))(params, buffers, x)
        one_by_one = lib.stack([net(x) for net in nets])
        np.testing.assert_allclose(together.detach().numpy(), one_by_one.detach().numpy(), rtol=1e-12)
        own = {k: v.detach() for k, v in nets[1].named_parameters()}
        state = dict(nets[1].named_buffers())

        def loss(p, v, lib=lib, run=run, state=state):
            return (run(p, state, v[None]) ** 2).sum()

        per_sample = lib.func.vmap(lib.func.grad(loss), (None, 0))(own, x)
        results.append([together, *[per_sample[k] for k in sorted(per_sample)]])
        before = nets[0][0].weight
        lib.func.functional_call(nets[0], {"0.weight": before.detach() * 0}, (x,))
        assert nets[0][0].weight is before
    assert_same(*results, rtol=1e-9)
    assert len(flat(results[0])) == 7


def test_functional_call_names_what_is_wrong():
    for lib in (wengert, torch):
        net = networks(lib, 1)[0]
        x = lib.ones(2, 3, dtype=lib.float64)
        with pytest.raises(RuntimeError):
            lib.func.functional_call(net, {"nonsense": x}, (x,), strict=True)
        with pytest.raises(RuntimeError):
            lib.func.stack_module_state([])
        with pytest.raises(RuntimeError):
            lib.func.stack_module_state([net, lib.nn.Linear(2, 2)])


OPS = {
    "conv": (lambda t, x: t.nn.functional.conv2d(x.reshape(1, 1, 4, 4), x.reshape(1, 1, 4, 4)[:, :, :2, :2])),
    "max_pool": (lambda t, x: t.nn.functional.max_pool2d(x.reshape(1, 1, 4, 4), 2)),
    "index_put": (lambda t, x: x.clone().index_put((t.tensor([0, 3]),), x[:2].sin())),
    "gather": (lambda t, x: x.gather(0, t.tensor([3, 1, 1]))),
    "sort": (lambda t, x: x.sort(descending=True)[0].cumsum(0)),
    "where": (lambda t, x: t.where(x > 0, x.exp(), -x).softmax(0)),
    "layer_norm": (lambda t, x: t.nn.functional.layer_norm(x, (16,)) @ x),
    "cross_entropy": (lambda t, x: t.nn.functional.cross_entropy(x.reshape(4, 4), t.tensor([0, 1, 2, 3]))),
    "einsum": (lambda t, x: t.einsum("ij,kj->ik", x.reshape(4, 4), x.reshape(4, 4))),
    "embedding": (lambda t, x: t.nn.functional.embedding(t.tensor([0, 2, 2]), x.reshape(4, 4))),
    "norm": (lambda t, x: x.norm() * x.amax() + x.var() + x.prod()),
    "view": (lambda t, x: x.reshape(2, 8)[:, ::3].transpose(0, 1).unsqueeze(0).expand(2, 3, 2).flip((0, 1))),
    "scatter": (lambda t, x: t.zeros(3, dtype=x.dtype).scatter_add(0, t.tensor([0, 1, 1, 2]), x[:4])),
    "attention": (lambda t, x: t.nn.functional.scaled_dot_product_attention(*[x.reshape(1, 4, 4)] * 3)),
}


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("how", ["vmap", "grad", "jvp", "hessian"])
@pytest.mark.filterwarnings("ignore")
def test_compositions(name, how):
    results = []
    for lib in (wengert, torch):
        f, x = lib.func, lib.from_numpy(np.random.default_rng(4).normal(size=(3, 16)))

        def run(v, lib=lib):
            return OPS[name](lib, v)

        if how == "vmap":
            results.append(f.vmap(run)(x))
        elif how == "grad":
            results.append(f.vmap(f.grad(lambda v, run=run: run(v).sin().sum()))(x))
        elif how == "jvp":
            results.append(f.jvp(run, (x[0],), (x[1],)))
        else:
            try:
                results.append(f.hessian(lambda v, run=run: run(v).sin().sum())(x[0]))
            except (NotImplementedError, RuntimeError) as e:
                if lib is wengert:
                    raise
                pytest.skip(f"torch has no such derivative: {e}")
    assert_same(*results, rtol=1e-7, atol=1e-9)
