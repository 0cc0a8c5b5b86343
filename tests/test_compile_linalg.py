"""Decompositions inside compiled functions: host steps of the plan, forward and backward, with the bits of plain calls."""

import numpy as np
import pytest

import wengert as torch
from wengert import linalg

N = 4


def eye(n=N):
    return torch.eye(n, dtype=torch.float64)


def spd(a):
    return a @ a.mT + eye()


# name -> function of a (2, 4, 4) batch of regular matrices and a (2, 4, 3) batch of right-hand sides, both float64
CASES = {
    "inv": lambda a, b: linalg.inv(a),
    "solve": lambda a, b: linalg.solve(a, b),
    "solve from the right": lambda a, b: linalg.solve(a, b.mT, left=False),
    "solve_triangular": lambda a, b: linalg.solve_triangular(a, b, upper=False),
    "unit triangular": lambda a, b: linalg.solve_triangular(a, b, upper=True, unitriangular=True),
    "det": lambda a, b: linalg.det(a),
    "slogdet": lambda a, b: tuple(linalg.slogdet(a)),
    "logdet": lambda a, b: torch.logdet(spd(a)),
    "cholesky": lambda a, b: linalg.cholesky(spd(a)),
    "upper cholesky": lambda a, b: linalg.cholesky(spd(a), upper=True),
    "cholesky_solve": lambda a, b: torch.cholesky_solve(b, linalg.cholesky(spd(a))),
    "cholesky_inverse": lambda a, b: torch.cholesky_inverse(linalg.cholesky(spd(a))),
    "qr": lambda a, b: tuple(linalg.qr(a)),
    "qr of tall matrices": lambda a, b: tuple(linalg.qr(b)),
    "R alone": lambda a, b: linalg.qr(a.detach(), mode="r").R,
    "eigh": lambda a, b: linalg.eigh(spd(a)).eigenvalues,
    "eigenvectors": lambda a, b: linalg.eigh(spd(a)).eigenvectors.abs(),
    "eigvalsh": lambda a, b: linalg.eigvalsh(spd(a)),
    "svd": lambda a, b: tuple(v.abs() for v in linalg.svd(a, full_matrices=False)),
    "svdvals": lambda a, b: linalg.svdvals(b),
    "eig": lambda a, b: linalg.eig(a).eigenvalues.abs(),
    "eigvals": lambda a, b: linalg.eigvals(a).abs(),
    "pinv": lambda a, b: linalg.pinv(b),
    "pinv with a tolerance": lambda a, b: linalg.pinv(b, atol=1e-9),
    "matrix_rank": lambda a, b: linalg.matrix_rank(a),
    "lstsq": lambda a, b: linalg.lstsq(b, a).solution,
    "matrix_exp": lambda a, b: linalg.matrix_exp(a),
    "matrix_power": lambda a, b: linalg.matrix_power(a, -2),
    "lu": lambda a, b: tuple(linalg.lu(a)),
    "lu_factor": lambda a, b: tuple(linalg.lu_factor(a)),
    "lu_solve": lambda a, b: linalg.lu_solve(*linalg.lu_factor(a), b),
    "nuclear norm": lambda a, b: linalg.matrix_norm(a, "nuc"),
    "2-norm": lambda a, b: linalg.norm(a[0], 2),
    "cond": lambda a, b: linalg.cond(a),
    "tensorsolve": lambda a, b: linalg.tensorsolve(a[0].reshape(2, 2, 4), a[1, :2, :2]),
    "tensorinv": lambda a, b: linalg.tensorinv(a[0].reshape(2, 2, 4)),
}


def operands(rng):
    a = torch.tensor(rng.standard_normal((2, N, N)) + 3 * np.eye(N)).requires_grad_()
    b = torch.tensor(rng.standard_normal((2, N, 3))).requires_grad_()
    return a, b


def leaves(out):
    return list(out) if isinstance(out, tuple) else [out]


def gradients(out, a, b):
    total = sum((t * t).sum() for t in leaves(out) if t.requires_grad)
    return [] if type(total) is int else torch.autograd.grad(total, [a, b], allow_unused=True)


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_the_same_bits(name, rng):
    f = CASES[name]
    fast = torch.compile(f, fullgraph=True, exact=True)
    for _ in range(4):
        a, b = operands(rng)
        got, want = fast(a, b), f(a, b)
        for x, y in zip(leaves(got), leaves(want), strict=True):
            assert x.dtype == y.dtype and torch.equal(x, y)
        for x, y in zip(gradients(got, a, b), gradients(want, a, b), strict=True):
            assert (x is None) == (y is None)
            assert x is None or torch.equal(x, y)
    assert fast.plans == 1
    assert "host" in [node.op for node in fast.plan.graph.nodes]


@pytest.mark.parametrize("name", CASES)
def test_gradients_inside_are_the_same_bits(name, rng):
    def both(a, b):
        out = CASES[name](a, b)
        return [t.detach() for t in leaves(out)], gradients(out, a, b)

    fast = torch.compile(both, fullgraph=True, exact=True)
    for _ in range(4):
        a, b = operands(rng)
        for got, want in zip(fast(a, b), both(a, b), strict=True):
            for x, y in zip(got, want, strict=True):
                assert (x is None) == (y is None)
                assert x is None or torch.equal(x, y)
    assert fast.plans == 1


def gaussian_process(compiled):
    """Losses and parameters of maximum-likelihood training: Cholesky factor, triangular solve, log-determinant."""
    torch.manual_seed(0)
    x = torch.linspace(0, 4, 20, dtype=torch.float64)
    y = torch.sin(x) + 0.1 * torch.randn(20, dtype=torch.float64)
    parameters = [torch.tensor(v, dtype=torch.float64).requires_grad_() for v in (0.1, 0.2, -2.0)]
    optimizer = torch.optim.Adam(parameters, lr=0.05)

    def step(x, y):
        optimizer.zero_grad()
        length, size, noise = (p.exp() for p in parameters)
        distance = (x.unsqueeze(0) - x.unsqueeze(1)) / length
        kernel = size * torch.exp(-0.5 * distance * distance) + noise * eye(20)
        factor = linalg.cholesky(kernel)
        white = linalg.solve_triangular(factor, y.unsqueeze(-1), upper=False)
        loss = 0.5 * (white * white).sum() + factor.diagonal().log().sum()
        loss.backward()
        optimizer.step()
        return loss

    fast = torch.compile(step, fullgraph=True, exact=True) if compiled else step
    losses = [fast(x, y).item() for _ in range(30)]
    return losses, [p.item() for p in parameters], fast


def test_a_gaussian_process_trains_with_the_same_bits():
    losses, parameters, fast = gaussian_process(True)
    plain, expected, _ = gaussian_process(False)
    assert losses == plain and parameters == expected
    assert losses[-1] < losses[0]
    assert fast.plans == 1


def test_an_error_is_that_of_a_plain_call():
    fast = torch.compile(lambda a: linalg.cholesky(a).sum(), fullgraph=True)
    for _ in range(3):
        fast(eye())
    with pytest.raises(linalg.LinAlgError, match="linalg.cholesky"):
        fast(-eye())
    assert fast(eye()) == N  # and the plan goes on


def test_forms_that_report_are_refused():
    fast = torch.compile(lambda a: linalg.cholesky_ex(a).L, fullgraph=True)
    with pytest.raises(torch.graph.CompileError, match="cholesky_ex"):
        for _ in range(3):
            fast(eye())


def test_the_determinant_of_singular_matrices(rng):
    fast = torch.compile(lambda a: linalg.det(a), fullgraph=True)
    for k in range(4):
        a = torch.tensor(rng.standard_normal((3, 3)))
        if k > 1:
            a[0] = a[1]
        a.requires_grad_()
        (got,), (want,) = (torch.autograd.grad(f(a), [a]) for f in (fast, linalg.det))
        assert torch.equal(got, want)


def test_a_recording_is_read_back_from_its_text():
    graph = torch.graph.record(lambda a: tuple(linalg.qr(a, mode="complete")), torch.ones(3, 2))
    graph.verify()
    assert [node.op for node in graph.nodes] == ["host"]
    again = type(graph).parse(graph.to_text(), graph.state_dict())
    assert again.differences(graph) == []
    a = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]])
    for x, y in zip(again.run(a), linalg.qr(a, mode="complete"), strict=True):
        assert torch.equal(x, y)


def test_the_exponential_of_infinite_and_empty_matrices():
    assert torch.isinf(linalg.matrix_exp(torch.full((2, 2), torch.inf))).all()
    assert linalg.matrix_exp(torch.zeros(0, 3, 3)).shape == (0, 3, 3)


def test_the_gradient_of_the_exponential_keeps_its_precision(rng):
    a, g = rng.standard_normal((2, 4, 4)), rng.standard_normal((2, 4, 4)) * 1e3
    found = []
    for dtype in (torch.float32, torch.float64):
        x = torch.tensor(a, dtype=dtype).requires_grad_()
        (dx,) = torch.autograd.grad(linalg.matrix_exp(x), [x], [torch.tensor(g, dtype=dtype)])
        found.append(dx.double())
    assert ((found[0] - found[1]).abs().max() / found[1].abs().max()).item() < 3e-6
    assert torch.autograd.gradgradcheck(linalg.matrix_exp, (torch.tensor(a[0]).requires_grad_(),))
