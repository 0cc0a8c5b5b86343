"""Gradients of complex numbers: by the conjugate, in hooks, custom functions, transforms and optimizers."""

import numpy as np
import pytest
from against_torch import assert_same, check
from complex_arrays import Z, generator

import wengert as wg

torch = pytest.importorskip("torch")
_, drawn = generator(22)


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
