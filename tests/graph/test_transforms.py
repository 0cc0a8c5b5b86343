"""wengert.func and autograd.functional on symbolic tensors and in functions of branches and loops."""

import pytest

import wengert as torch
from wengert.func import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, linearize, vjp, vmap
from wengert.graph import Graph

functional = torch.autograd.functional


def number(x):
    return (x.sin() * x * 2).sum()


def vector(x):
    return x.exp() * x.flip(0)


CASES = {
    "grad": lambda x: grad(number)(x),
    "grad_and_value": lambda x: sum(grad_and_value(number)(x)),
    "aux": lambda x: sum(grad(lambda x: (number(x), x.cos()), has_aux=True)(x)),
    "argnums": lambda x: grad(lambda a, b: (a * b.exp()).sum(), argnums=1)(x, x * 2),
    "vjp": lambda x: vjp(vector, x)[1](x * 3)[0],
    "value of vjp": lambda x: vjp(vector, x)[0],
    "jvp": lambda x: jvp(vector, (x,), (x * 2,))[1],
    "jvp of a product": lambda x: jvp(lambda v: v.outer(v) @ v, (x,), (x * 2,))[1],
    "jvp of a sum that has no rule": lambda x: jvp(lambda v: v.cumsum(0).logsumexp(0), (x,), (x * 2,))[1] * x,
    "vmap": lambda x: vmap(lambda v: v.sin() * v)(x),
    "out_dims": lambda x: vmap(lambda v, w: v * w, in_dims=(0, None), out_dims=1)(x, x).sum(0),
    "jacrev": lambda x: jacrev(vector)(x) @ x,
    "jacfwd": lambda x: jacfwd(vector)(x) @ x,
    "hessian": lambda x: hessian(number)(x) @ x,
    "grad of grad": lambda x: grad(lambda x: (grad(number)(x) ** 2).sum())(x),
    "vmap of grad": lambda x: vmap(grad(lambda v: v.sin() * v * v))(x),
    "grad of vmap": lambda x: grad(lambda x: vmap(lambda v: v.sin() * v)(x).sum())(x),
    "jvp of grad": lambda x: jvp(grad(number), (x,), (x * 2,))[1],
    "jacrev of jacrev": lambda x: jacrev(jacrev(number))(x) @ x,
    "linearize": lambda x: linearize(vector, x)[1](x),
    "an inverse": lambda x: grad(lambda x: torch.linalg.inv(torch.diag(x + 2)).sum())(x),
    "jacobian of a solution": lambda x: jacrev(lambda x: torch.linalg.solve(torch.diag(x + 2), x))(x) @ x,
    "vmap of an inverse": lambda x: vmap(lambda v: torch.linalg.inv((v + 3).reshape(1, 1)).sum())(x),
    "a value from around": lambda x: grad(lambda y: (x * y).sum())(x),
    "detached": lambda x: grad(lambda y: (y * y.detach() * x).sum())(x),
    "functional.jacobian": lambda x: functional.jacobian(vector, x, create_graph=True) @ x,
    "functional.vjp": lambda x: functional.vjp(vector, x, x * 2, create_graph=True)[1],
    "functional.jvp": lambda x: functional.jvp(vector, x, x * 2, create_graph=True)[1],
    "functional.hessian": lambda x: functional.hessian(number, x, create_graph=True) @ x,
    "functional.hvp": lambda x: functional.hvp(number, x, x * 2, create_graph=True)[1],
}


def in_scan(f):
    return lambda x: torch.scan(lambda c, v: (c + f(v + c * 0.1), c), x * 0, torch.stack([x, x * 2]))[0]


def in_while(f):
    def run(x):
        start = (torch.tensor(0), x)
        return torch.while_loop(lambda n, c: n < 3, lambda n, c: (n + 1, c + f(c) * 0.1), start)[1]

    return run


def in_cond(f):
    return lambda x: torch.cond(x.sum() > -100, f, lambda x: x * 1, (x,))


PLACES = {"alone": lambda f: f, "scan": in_scan, "while_loop": in_while, "cond": in_cond}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_plain_calls(name, place):
    f = PLACES[place](CASES[name])
    x = torch.tensor([0.3, -0.7, 1.2], dtype=torch.float64, requires_grad=True)
    want = f(x)
    (slope,) = torch.autograd.grad(want.sum(), [x])
    graph = Graph(name)
    y = graph.input("x", (3,), torch.float64)
    out = f(y)
    graph.output(out, graph.gradients(out.sum(), y))
    graph.verify()
    assert Graph.parse(graph.to_text(), graph.state_dict()).differences(graph) == []
    value, found = graph.compile()(x.detach())
    assert torch.allclose(value, want.detach(), rtol=1e-12)
    assert torch.allclose(found, slope, rtol=1e-10, atol=1e-12)
    fast = torch.compile(f, fullgraph=True)
    for _ in range(3):
        got = fast(x)
        assert torch.allclose(got, want, rtol=1e-12)
        assert torch.allclose(torch.autograd.grad(got.sum(), [x])[0], slope, rtol=1e-10, atol=1e-12)
    assert fast.plans == 1


def test_a_tensor_from_outside_is_differentiated_by_inside_of_a_block():
    p = torch.tensor([1.0, 2.0])
    graph = Graph("g")
    with graph:
        x = graph.input("x", (2,))
        graph.output(grad(lambda q: (q * q * x * p).sum())(p))  # p itself stays what it is
    plan = graph.compile()
    assert torch.equal(plan(torch.tensor([3.0, 5.0])), torch.tensor([6.0, 40.0]))
    p.mul_(2)
    assert torch.equal(plan(torch.tensor([3.0, 5.0])), torch.tensor([24.0, 160.0]))


def test_outside_of_one_the_error_names_the_remedy():
    p = torch.tensor([1.0, 2.0])
    x = Graph("g").input("x", (2,))
    with pytest.raises(RuntimeError, match=r"Make them part of the graph with g\.parameter\(\)"):
        grad(lambda q: (q * x).sum())(p)


def test_without_grad_mode_results_have_no_history():
    graph = Graph("g")
    x = graph.input("x", (3,))
    with torch.no_grad():
        slope = grad(number)(x)
    assert graph.gradients((slope * x).sum(), x) is not None
    with pytest.raises(RuntimeError, match="expected a loss that depends on x"):
        graph.gradients((slope * 2).sum(), x)


def test_a_loop_below_a_jacobian_by_rows_is_refused():
    graph = Graph("g")
    x = graph.input("x", (3,), torch.float64)
    f = lambda x: torch.scan(lambda c, v: (c * v, None), x.flip(0), x)[0]  # noqa: E731
    with pytest.raises(RuntimeError, match="got scan at .*Use forward mode"):
        jacrev(f)(x)
