"""Function transforms against PyTorch's, nested in many ways; numbers are the same arrays on both sides."""

import numpy as np
import pytest

import wengert as w

torch = pytest.importorskip("torch")
import torch.func as torch_func  # noqa: E402

from wengert import func  # noqa: E402


class Numbers:
    """The same sequence of random float64 tensors for either library."""

    def __init__(self, module):
        self._module = module
        self._random = np.random.default_rng(0)

    def __call__(self, *shape):
        values = np.asarray(self._random.standard_normal(shape))
        return self._module.tensor(values.tolist(), dtype=self._module.float64)


def leaves(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return [leaf for v in value for leaf in leaves(v)]
    return [np.asarray(value.detach().tolist())]


def written(x):
    x[0] = x[1] * 2
    x.mul_(3)
    return x


# name: (module, transforms, numbers) -> result
CASES = {
    "grad": lambda m, F, r: F.grad(lambda x: (x * x.sin()).sum())(r(3)),
    "grad of grad": lambda m, F, r: F.grad(F.grad(lambda x: x * x.sin()))(r()),
    "third grad": lambda m, F, r: F.grad(F.grad(F.grad(lambda x: (x * x.sin()).exp())))(r()),
    "perturbation grad": lambda m, F, r: F.grad(lambda x: x * F.grad(lambda y: x + y)(r()))(r()),
    "perturbation jvp": lambda m, F, r: F.jvp(
        lambda x: x * F.jvp(lambda y: x + y, (r(),), (r(),))[1], (r(),), (r(),)
    ),
    "perturbation mixed": lambda m, F, r: F.grad(lambda x: x * F.jvp(lambda y: x * y, (r(),), (r(),))[1])(r()),
    "grad argnums": lambda m, F, r: F.grad(lambda x, y: (x * y.sin()).sum(), argnums=(0, 1))(r(3), r(3)),
    "grad of a dict": lambda m, F, r: F.grad(lambda p: (p["a"] * p["b"]).sum())({"a": r(3), "b": r(3)}),
    "grad_and_value": lambda m, F, r: F.grad_and_value(lambda x: (x * x).sum())(r(3)),
    "aux": lambda m, F, r: F.grad_and_value(lambda x: ((x * x).sum(), x * 2), has_aux=True)(r(3)),
    "vjp": lambda m, F, r: F.vjp(lambda x, y: (x * y, x.sum()), r(3), r(3))[1]((r(3), r())),
    "jvp": lambda m, F, r: F.jvp(lambda x: (x * x.sin()).sum(), (r(3),), (r(3),)),
    "jvp of products": lambda m, F, r: F.jvp(
        lambda x, y: (x @ y).tanh().sum(0), (r(3, 4), r(4, 2)), (r(3, 4), r(4, 2))
    ),
    "jvp of reductions": lambda m, F, r: F.jvp(
        lambda x: m.logsumexp(x, 1) * x.amax(1) + x.var(1) + x.prod(1), (r(3, 4),), (r(3, 4),)
    ),
    "jvp of scans": lambda m, F, r: F.jvp(lambda x: x.cumsum(0) * m.sort(x)[0], (r(5),), (r(5),)),
    "vmap": lambda m, F, r: F.vmap(lambda x, y: (x * y).sum())(r(5, 3), r(5, 3)),
    "vmap dims": lambda m, F, r: F.vmap(lambda x, y: (x[:, None] * y).T, in_dims=(1, None), out_dims=2)(
        r(3, 5), r(2)
    ),
    "vmap of a dict": lambda m, F, r: F.vmap(lambda p: p["a"] + p["b"].sum(), in_dims=({"a": 0, "b": None},))(
        {"a": r(4, 2), "b": r(3)}
    ),
    "vmap chunks": lambda m, F, r: F.vmap(lambda x: x.sin().sum(), chunk_size=2)(r(5, 3)),
    "vmap matrix by shared": lambda m, F, r: F.vmap(lambda x, y: x @ y, in_dims=(0, None))(r(5, 3), r(3, 2)),
    "vmap shared by matrix": lambda m, F, r: F.vmap(lambda x, y: x @ y, in_dims=(None, 0))(r(3), r(5, 3, 2)),
    "vmap matrix by vector": lambda m, F, r: F.vmap(m.matmul)(r(5, 4, 3), r(5, 3)),
    "vmap nested": lambda m, F, r: F.vmap(F.vmap(lambda x, y: (x * y).sum(), in_dims=(None, 0)), in_dims=(0, None))(
        r(4, 3), r(5, 3)
    ),
    "vmap shapes": lambda m, F, r: F.vmap(
        lambda x: x.reshape(2, 3).transpose(0, 1).flatten() + x.unsqueeze(0).expand(2, 6).sum(0) + x.view(-1)
    )(r(4, 6)),
    "vmap permute": lambda m, F, r: F.vmap(lambda x: x.permute(1, 0, 2).squeeze(-1) * x.mean(-1).T)(r(4, 2, 3, 1)),
    "vmap of numbers": lambda m, F, r: F.vmap(lambda x: x.sum() + x.mean() + x.amax())(r(4)),
    "vmap of an op without a rule": lambda m, F, r: F.vmap(lambda x: m.sort(x)[0])(r(4, 3)),
    "vmap index": lambda m, F, r: F.vmap(lambda x: x[1:] + x[m.tensor([0, 2])])(r(4, 3)),
    "vmap cat": lambda m, F, r: F.vmap(lambda x, y: m.cat([x, y]) + m.stack([x, x]).sum())(r(4, 3), r(4, 2)),
    "vmap softmax": lambda m, F, r: F.vmap(lambda x: m.logsumexp(x, 0) + x.argmax())(r(4, 3)),
    "vmap writes": lambda m, F, r: F.vmap(lambda x: written(x.clone()))(r(4, 3)),
    "vmap of grad": lambda m, F, r: F.vmap(F.grad(lambda p, x: (x @ p).tanh().sum()), in_dims=(None, 0))(
        r(3, 2), r(5, 3)
    ),
    "grad of vmap": lambda m, F, r: F.grad(lambda x: F.vmap(lambda y: (y * x).sin().sum())(r(4, 3)).sum())(r(3)),
    "jvp of vmap": lambda m, F, r: F.jvp(
        lambda x: F.vmap(lambda y: (y * x).sin().sum())(r(4, 3)), (r(3),), (r(3),)
    ),
    "jacrev": lambda m, F, r: F.jacrev(lambda x: (x[:, None] * x).sin())(r(3)),
    "jacfwd": lambda m, F, r: F.jacfwd(lambda x: (x[:, None] * x).sin())(r(3)),
    "jacrev of trees": lambda m, F, r: F.jacrev(lambda x, y: {"a": x * y.sum(), "b": (x @ x) * y}, argnums=(0, 1))(
        r(3), r(2)
    ),
    "jacfwd of trees": lambda m, F, r: F.jacfwd(lambda x, y: {"a": x * y.sum(), "b": (x @ x) * y}, argnums=(0, 1))(
        r(3), r(2)
    ),
    "hessian": lambda m, F, r: F.hessian(lambda x: (x.sin() * x.cumsum(0)).prod())(r(3)),
    "jacrev of jacrev": lambda m, F, r: F.jacrev(F.jacrev(lambda x: (x.sin() * x[0]).sum()))(r(3)),
    "jacfwd of jacfwd": lambda m, F, r: F.jacfwd(F.jacfwd(lambda x: (x.sin() * x[0]).sum()))(r(3)),
    "jacrev of jacfwd": lambda m, F, r: F.jacrev(F.jacfwd(lambda x: (x.sin() * x[0]).sum()))(r(3)),
    "jacrev of hessian": lambda m, F, r: F.jacrev(F.hessian(lambda x: (x.sin() * x.exp()).sum()))(r(2)),
    "jvp of grad": lambda m, F, r: F.jvp(F.grad(lambda x: (x.sin() * x[0]).sum()), (r(3),), (r(3),)),
    "vmap of jvp of grad": lambda m, F, r: F.vmap(
        lambda x, v: F.jvp(F.grad(lambda x: (x.sin() * x[0]).sum()), (x,), (v,))[1]
    )(r(4, 3), r(4, 3)),
    "vmap of hessian": lambda m, F, r: F.vmap(F.hessian(lambda x: (x.sin() * x[0]).sum()))(r(4, 3)),
    "vmap of vmap of grad": lambda m, F, r: F.vmap(
        lambda x: F.vmap(lambda y: F.grad(lambda z: (z * y * x).sum())(y))(x)
    )(r(4, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_as_torch(name):
    expected = leaves(CASES[name](torch, torch_func, Numbers(torch)))
    result = leaves(CASES[name](w, func, Numbers(w)))
    assert len(result) == len(expected)
    for a, b in zip(result, expected, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_results_have_no_history_of_their_own():
    x = w.tensor([1.0, 2.0])
    g, value = func.grad_and_value(lambda v: (v * v).sum())(x)
    assert not g.requires_grad and not value.requires_grad


def test_history_of_outside_stays():
    p = w.tensor([1.0, 2.0]).requires_grad_()
    g = func.grad(lambda x: (x * x * p).sum())(w.tensor([3.0, 4.0]))
    g.sum().backward()
    assert p.grad.tolist() == [6.0, 8.0]


def test_random_in_vmap():
    x = w.zeros(3, 4)
    with pytest.raises(RuntimeError, match="randomness"):
        func.vmap(lambda v: v + w.rand(4))(x)
    same = func.vmap(lambda v: v + w.rand(4), randomness="same")(x).tolist()
    assert same[0] == same[1] == same[2]
    different = func.vmap(lambda v: v + w.rand(4), randomness="different")(x).tolist()
    assert different[0] != different[1] != different[2]


def test_errors():
    with pytest.raises(ValueError, match="one size"):
        func.vmap(lambda a, b: a)(w.zeros(2), w.zeros(3))
    with pytest.raises(RuntimeError, match="transform"):
        func.vmap(lambda a: a.item())(w.zeros(2))
    with pytest.raises(RuntimeError, match="shape"):
        func.grad(lambda a: a)(w.zeros(2))
    kept = []
    func.vmap(lambda a: kept.append(a) or a)(w.zeros(2))
    with pytest.raises(RuntimeError, match="still running"):
        kept[0] + 1


def test_linearize():
    value, forward = func.linearize(lambda x: x * x, w.tensor(3.0))
    assert value.item() == 9.0 and forward(w.tensor(2.0)).item() == 12.0


def test_detach_is_a_constant():
    x = w.tensor(3.0)
    assert func.grad(lambda v: v * v.detach())(x).item() == 3.0
    assert func.jvp(lambda v: v * v.detach(), (x,), (w.tensor(1.0),))[1].item() == 3.0


def test_wrappers_show_what_they_stand_for():
    seen = []
    func.vmap(lambda v: seen.append(repr(v)) or v)(w.tensor([[1.0, 2.0], [3.0, 4.0]]))
    func.jvp(lambda v: seen.append(repr(v)) or v, (w.tensor(1.0),), (w.tensor(2.0),))
    func.vmap(lambda v: func.jvp(lambda u: seen.append(repr(u)) or u, (v,), (v,))[1])(w.ones(2))
    assert seen[0] == "BatchedTensor(lvl=1, bdim=0, value=\n    tensor([[1., 2.],\n            [3., 4.]])\n)"
    assert seen[1] == "DualTensor(lvl=1, value=\n    tensor(1.),\n    tangent=tensor(2.)\n)"
    assert "lvl=2" in seen[2] and "lvl=1" in seen[2]


@pytest.mark.parametrize("kind", ["layer_norm", "rms_norm"])
@pytest.mark.parametrize("weights", ["none", "shared", "own"])
def test_vmap_over_row_normalisation_is_each_alone(kind, weights, rng):
    """The number of normalised dimensions stays what it is under vmap; gradients are each element's own."""

    def run(x, *given):
        more = given if kind == "layer_norm" else given[:1]
        return getattr(w.nn.functional, kind)(x, (4,), *more)

    x = w.tensor(rng.standard_normal((3, 5, 4))).requires_grad_()
    shape = {"none": None, "shared": (4,), "own": (3, 4)}[weights]
    given = [] if shape is None else [w.tensor(rng.standard_normal(shape)).requires_grad_() for _ in range(2)]
    dims = 0 if weights == "own" else None
    together = w.vmap(run, in_dims=(0, *[dims] * len(given)))(x, *given)
    alone = w.stack([run(x[k], *[g[k] if weights == "own" else g for g in given]) for k in range(3)])
    assert w.allclose(together, alone, rtol=1e-12)
    seed = w.tensor(rng.standard_normal((3, 5, 4)))
    used = [x, *given][: 2 if kind == "rms_norm" else 3]
    for a, b in zip(w.autograd.grad(together, used, seed), w.autograd.grad(alone, used, seed), strict=True):
        assert w.allclose(a, b, rtol=1e-10)
