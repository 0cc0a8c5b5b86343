"""`viz.formula`: expressions and gradients that say what the graph does, checked by computing what is written."""

import functools
import math
import operator
import re

import numpy as np
import pytest
from optools import run
from samples import all_samples

import wengert as w
from wengert import nn
from wengert._bind import OPS
from wengert.viz import formula
from wengert.viz._formula import _Derivation


class Functions(dict):
    """What the names in a formula stand for: variables, `ones` and `full`, and the rows of the op table."""

    def __missing__(self, name):
        if name not in OPS:
            raise KeyError(name)
        row = OPS[name].row

        def call(*args, **attrs):
            count = len(args) if row.variadic else len(row.inputs)
            operands = [v if v is None or isinstance(v, w.Tensor) else w.tensor(float(v)) for v in args[:count]]
            values = []
            for field, default in zip(row.fields, row.defaults, strict=True):
                missing = False if row.schema[len(values)] == "b" else None
                values.append(attrs.get(field, missing if default is row.required else default))
            return w._core.apply(OPS[name].entry, operands, tuple(values))

        return call


def summed(x, size):
    """x summed to a shape that broadcasts to its own."""
    while x.dim() > len(size):
        x = x.sum(0)
    for k, n in enumerate(size):
        x = x.sum(k, keepdim=True) if n == 1 else x
    return x


def computed(expression, variables):
    """The value of an expression as text."""
    names = Functions(variables)
    names.update(ones=w.ones, full=lambda shape, value: w.full(shape, float(value)), inf=math.inf, outer=w.outer)
    names.update(expand=lambda x, size: x.expand(size), sum_to_size=summed)
    value = eval(expression, {"__builtins__": {}}, names)
    return value if isinstance(value, w.Tensor) else w.tensor(float(value))


def check(f, leaves):
    """Everything that the formula of f says is computed and compared with the tape; returns the formula."""
    found = formula(f, names=leaves)
    expected = w.autograd.grad(f.sum(), list(leaves.values()), allow_unused=True)
    with w.no_grad():
        values = {name: t.detach() for name, t in leaves.items()}
        for name, text in found.definitions.items():
            values[name] = computed(text, values)
        assert w.allclose(values[found.root], f.detach(), rtol=1e-5, atol=1e-6)
        for (name, leaf), gradient in zip(leaves.items(), expected, strict=True):
            if gradient is not None:
                value = computed(found.gradients[name], values).expand(leaf.shape)
                assert w.allclose(value, gradient, rtol=1e-4, atol=1e-5), (name, found.gradients[name])
    assert balanced(found.latex)
    return found


def balanced(latex):
    """Whether braces, \\left and \\right and environments of LaTeX match."""
    depth = 0
    for token in re.findall(r"\\[{}]|[{}]", latex):
        depth += (token == "{") - (token == "}")
        assert depth >= 0
    return depth == 0 and latex.count(r"\left") == latex.count(r"\right") and latex.count(r"\begin") == 1


def scalars():
    return {name: w.tensor(v, requires_grad=True) for name, v in (("x", 1.3), ("y", 0.7), ("z", -2.5))}


def test_the_first_example():
    x, y, z = (w.tensor(v, requires_grad=True) for v in (-2.0, 5.0, -4.0))
    f = (x + y) * z
    assert str(formula(f)).splitlines() == [
        "f     = (x + y) * z", "df/dx = z", "df/dy = z", "df/dz = x + y",
    ]  # fmt: skip
    assert formula(f).latex.splitlines()[1:-1] == [
        r"f &= \left(x + y\right) \cdot z \\",
        r"\frac{\partial f}{\partial x} &= z \\",
        r"\frac{\partial f}{\partial y} &= z \\",
        r"\frac{\partial f}{\partial z} &= x + y",
    ]
    assert formula(f)._repr_latex_().startswith(r"$\displaystyle \begin{aligned}")


WRITTEN = {
    "x - (y - z)": lambda x, y, z: x - (y - z),
    "x - y - z": lambda x, y, z: x - y - z,
    "x + (y + z)": lambda x, y, z: x + (y + z),
    "x / (y / z)": lambda x, y, z: x / (y / z),
    "x / y / z": lambda x, y, z: x / y / z,
    "x * (y / z)": lambda x, y, z: x * (y / z),
    "x / (y * z)": lambda x, y, z: x / (y * z),
    "-(x + y)": lambda x, y, z: -(x + y),
    "-x * y": lambda x, y, z: (-x) * y,
    "-(x * y)": lambda x, y, z: -(x * y),
    "(-x)**2": lambda x, y, z: (-x) ** 2,
    "-x**2": lambda x, y, z: -(x**2),
    "(x + y)**3": lambda x, y, z: (x + y) ** 3,
    "(x**2)**3": lambda x, y, z: (x**2) ** 3,
    "x**y": lambda x, y, z: x**y,
    "x**-y": lambda x, y, z: x**-y,
    "x - -y": lambda x, y, z: x - (-y),
    "x * -y": lambda x, y, z: x * (-y),
    "(x * y)**2 * z": lambda x, y, z: (x * y) ** 2 * z,
    "sin(x) * (y + z)": lambda x, y, z: x.sin() * (y + z),
    "x**-0.5": lambda x, y, z: x**-0.5,
}


@pytest.mark.parametrize("text", WRITTEN)
def test_parentheses_are_those_that_are_needed(text):
    leaves = scalars()
    f = WRITTEN[text](**leaves)
    used = {k: v for k, v in leaves.items() if k in text}
    assert check(f, used).definitions["f"] == text


GRADIENTS = {
    "x * x": (lambda x, y: x * x, {"x": "2 * x"}),
    "x**3": (lambda x, y: x**3, {"x": "3 * x**2"}),
    "x / y": (lambda x, y: x / y, {"x": "1 / y", "y": "-x / y**2"}),
    "exp(x * y)": (lambda x, y: (x * y).exp(), {"x": "f * y", "y": "f * x"}),
    "log(x) - y": (lambda x, y: x.log() - y, {"x": "1 / x", "y": "-1"}),
    "tanh(x)": (lambda x, y: x.tanh(), {"x": "1 - f**2"}),
    "sigmoid(x)": (lambda x, y: x.sigmoid(), {"x": "f * (1 - f)"}),
    "sqrt(x)": (lambda x, y: x.sqrt(), {"x": "1 / (2 * f)"}),
    "x - y - (x - y)": (lambda x, y: (x - y) - (x - y), {"x": "0", "y": "0"}),
}


@pytest.mark.parametrize("text", GRADIENTS)
def test_gradients_as_on_paper(text):
    make, expected = GRADIENTS[text]
    leaves = {k: v for k, v in scalars().items() if k in expected}
    found = check(make(*leaves.values(), *[None] * (2 - len(leaves))), leaves)
    assert found.definitions["f"] == text and found.gradients == expected


UNARY = [name for name, op in OPS.items() if op.row.elementwise and len(op.row.inputs) == 1 and not op.row.fields
         and op.row.differentiable and op.row.public and op.row.domain]  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_every_elementwise_row(name):
    low, high = OPS[name].row.domain
    x = (low + (high - low) * w.tensor([0.13, 0.61, 0.87])).requires_grad_()
    check(OPS[name](x).sum(), {"x": x})
    check((OPS[name](x) * 3 - x).sum(), {"x": x})


def arrays():
    generator = w.Generator().manual_seed(3)
    shapes = {"v": (3,), "u": (2,), "A": (2, 3), "B": (3, 3)}
    return {k: w.randn(*s, generator=generator).requires_grad_() for k, s in shapes.items()}


ARRAYS = {
    "A @ v": lambda v, u, A, B: A @ v,
    "A @ B": lambda v, u, A, B: A @ B,
    "u @ A": lambda v, u, A, B: u @ A,
    "A.T @ u": lambda v, u, A, B: A.T @ u,
    "layer": lambda v, u, A, B: (A @ v + u).tanh().sum(),
    "linear": lambda v, u, A, B: nn.functional.linear(B, A, u).relu().mean(),
    "broadcast": lambda v, u, A, B: A * v + u.unsqueeze(1),
    "sums": lambda v, u, A, B: (A.sum(0) * v).mean() + B.sum() * u.sum(),
    "norm": lambda v, u, A, B: v.norm() + (B * B).sum().sqrt(),
    "softmax": lambda v, u, A, B: (v.softmax(0) * v).sum(),
    "logsumexp": lambda v, u, A, B: v.logsumexp(0),
    "max": lambda v, u, A, B: v.max() + A.amax(1).sum(),
    "cat": lambda v, u, A, B: (w.cat([v, u]) * 2).sum(),
    "slices": lambda v, u, A, B: v[1:] * u + A[0, 1],
    "scalar times vector": lambda v, u, A, B: v * u.sum(),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name):
    leaves = arrays()
    with w.record():
        f = ARRAYS[name](**leaves)
    reached = w.autograd.grad(f.sum(), list(leaves.values()), allow_unused=True, retain_graph=True)
    check(f, {k: t for (k, t), g in zip(leaves.items(), reached, strict=True) if g is not None})


def test_a_layer_reads_as_in_a_book():
    leaves = arrays()
    f = ARRAYS["layer"](**leaves)
    found = formula(f, names=leaves)
    assert found.definitions == {"t1": "tanh(A @ v + u)", "t2": "1 - t1**2", "f": "sum(t1)"}
    assert found.gradients == {"v": "A.T @ t2", "u": "t2", "A": "outer(t2, v)"}
    assert r"A^{\top}\,t_{2}" in found.latex and r"\tanh\left(A\,v + u\right)" in found.latex


def test_ops_of_several_results_and_absent_operands():
    leaves = arrays()
    v, B = leaves["v"], leaves["B"]
    with w.record():
        made = [
            v.var(),
            nn.functional.layer_norm(B, (3,)).sum(),
            nn.functional.cross_entropy(B, w.tensor([0, 1, 2])),
            w.where(v > 0, v * v, -v).sum(),
            nn.functional.conv1d(B[None], B[None]).sum(),
            v.sort().values[0],
        ]
    for f in made:
        found = formula(f, names=leaves)
        assert balanced(found.latex) and len(found.gradients) == 1 and found.text
    bare = w.cat([B, w.ones(2, 3)]).sum()
    with pytest.raises(RuntimeError, match="constants are known"):
        formula(bare, names=leaves)
    assert "cat(B, c1)" in str(formula(bare, names=leaves, gradients=False))


def test_static_graphs():
    graph = w.graph.record(lambda x, y: (x + 1.5).tanh() * y, w.zeros(()), w.zeros(()))
    assert str(formula(graph)).splitlines() == [
        "t1     = tanh(x1 + 1.5)",
        "f      = t1 * x2",
        "df/dx1 = x2 * (1 - t1**2)",
        "df/dx2 = t1",
    ]
    model = nn.Linear(3, 2)
    graph = w.graph.record(lambda x: model(x).relu().sum(), w.ones(3))
    found = formula(graph)
    assert found.gradients == {"x1": "t2 @ weight", "weight": "outer(t2, x1)", "bias": "t2"}
    assert found.definitions["t1"] == "relu(x1 @ weight.T + bias)" and balanced(found.latex)
    two = w.graph.record(lambda x: (x, x * 2), w.zeros(3))
    with pytest.raises(ValueError, match="one output, got 2"):
        formula(two)
    several = w.graph.record(lambda x: x.sort().indices * 2, w.zeros(3))
    with pytest.raises(ValueError, match="first results"):
        formula(several)


def test_variables_name_inner_values():
    x, y = (w.tensor(v, requires_grad=True) for v in (2.0, 3.0))
    q = x + y
    f = q * q
    assert str(formula(f)).splitlines()[:2] == ["q     = x + y", "f     = q * q"]
    assert formula(f).gradients == {"x": "2 * q", "y": "2 * q"}


def test_numbers_are_known_inside_a_recording():
    x = w.tensor(2.0, requires_grad=True)
    g = (x + 1.5) * 3
    found = formula(g)
    assert found.definitions == {"g": "(x + c1) * 3"} and found.gradients == {"x": "3"}
    assert "wengert.record()" in str(found)
    with w.record():
        g = (x + 1.5) * 3
    assert str(formula(g)).splitlines() == ["g     = (x + 1.5) * 3", "dg/dx = 3"]
    with w.record(values="all"):
        g = x * w.tensor(0.5) + 1.5
    assert formula(g).definitions == {"g": "x * 0.5 + 1.5"}
    with w.record():
        h = 1 / x + 1e-7 * x
    assert check(h, {"x": x}).definitions["f" if "f" in formula(h, names={"x": x}).definitions else "h"]


@pytest.mark.parametrize("number", [1e300, -1e300, 5e-324, 1e-7, math.inf, -math.inf, math.nan, 0.0, -0.0, 1e15, 3])
def test_numbers_of_every_size(number):
    x = w.tensor(2.0, requires_grad=True)
    with w.record():
        made = [(x * number) ** 2, x + number, number - x, x / 3 * number, (x + number) ** 3 * number]
    for f in made:
        found = formula(f, names={"x": x})
        assert balanced(found.latex) and "e+" not in found.latex and found.gradients["x"]


def test_a_result_that_is_no_scalar_says_so():
    v = w.tensor([1.0, 2.0], requires_grad=True)
    assert "the gradients are those of its sum" in str(formula(v * v))
    assert formula(v * 2).gradients == {"v": "full((2,), 2)"}


def test_a_leaf_and_a_leaf_without_gradient():
    x = w.tensor(2.0, requires_grad=True)
    assert formula(x, names={"x": x}).gradients == {"x": "1"}
    with w.record():
        y = x * (x.detach() > 0)
    assert formula(y).gradients == {"x": "1"}  # a constant of one element is its value


def test_a_freed_graph_still_reads():
    x = w.tensor(2.0, requires_grad=True)
    f = (x * x).exp()
    f.backward()
    assert formula(f).definitions["f"] == "exp(x * x)"


def test_deep_graphs_are_not_recursed_and_long_ones_refused():
    x = w.tensor(0.5, requires_grad=True)
    h = x
    for _ in range(150):
        h = h.sin()
    found = formula(h)
    assert len(found.definitions) > 1 and all(len(text) < 10_000 for text in found.definitions.values())
    for _ in range(100):
        h = h.sin()
    with pytest.raises(ValueError, match="at most 200 nodes, got 251"):
        formula(h)


def test_names_are_data_in_latex():
    x = w.tensor(2.0, requires_grad=True)
    for name in [
        "a_b",
        "50%",
        "x^2",
        "\\alpha",
        "{",
        "}",
        "a&b",
        "#1",
        "$x$",
        "two\nlines",
        "x~y",
        "w_1",
        "theta_2",
    ]:
        latex = formula(x * x, names={name: x}).latex
        body = latex.replace(r"\begin{aligned}", "").replace(r"\end{aligned}", "")
        assert balanced(latex) and body.count("&") - body.count(r"\&") == 2 and "$" not in body.replace(r"\$", "")
        assert body.count("\n") == 3 and "#" not in body.replace(r"\#", "") and "%" not in body.replace(r"\%", "")
    found = formula(x * x, names={"theta_2": x}).latex
    assert r"\theta_{2}" in found


def test_bad_input():
    class Own(w.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = w.tensor(2.0, requires_grad=True)
    with pytest.raises(TypeError, match="expected a Tensor or a Graph, got float"):
        formula(2.0)
    with pytest.raises(RuntimeError, match="tensor with history"):
        formula(w.tensor(2.0))
    with pytest.raises(ValueError, match="custom function Own"):
        formula(Own.apply(x) * 3)
    assert formula(Own.apply(x) * 3, gradients=False).definitions["f"] == "Own(x) * 3"


# ---- every row: the derived expressions are computed and compared with the tape ---------------------------------------


def raised(a, n):
    """a to the power of a whole number; counts, which are integers, may stand below a line."""
    return a if n == 1 else a**n if n > 0 else 1 / a**-n


def value_of(e, known):
    """The value of an expression; known: values of names."""
    if e in known:
        return known[e]
    args = [None if a is None else value_of(a, known) for a in e.args]
    if e.op == "number":
        value = e.attrs if e.shape == () else w.full(e.shape, e.attrs, dtype=w.float64)
    elif e.op == "+":
        value = sum(c * a for c, a in zip(e.attrs, args, strict=True))
    elif e.op == "*":
        factors = (raised(a, n) for a, n in zip(args, e.attrs[1], strict=True))
        value = functools.reduce(operator.mul, factors)
        value = value if e.attrs[0] == 1 else e.attrs[0] * value
    elif e.op == "sum_to_size":
        value = summed(args[0], e.shape)
    elif e.op in ("matmul", "outer"):
        value = getattr(w, e.op)(*args)
    else:
        attrs = dict(e.attrs)
        which = attrs.pop("result", 0)
        args = [w.tensor(a, dtype=w.float64) if k == 0 and isinstance(a, float) else a for k, a in enumerate(args)]
        value = w._core.apply(OPS[e.op].entry, args, tuple(attrs.values()))
        value = value[which] if isinstance(value, tuple) else value
    known[e] = value
    return value


@pytest.mark.parametrize(**all_samples(lambda row: row.differentiable and "random" not in row.flags))
def test_every_row(row, sample):
    """A graph of one op, and of the op times 2 plus 1: its gradients by formula are those of the tape."""
    arrays = sample.operands[0] if row.variadic else sample.operands
    floats = sample.floating(row)
    given = [
        w.tensor(v.astype(np.float64) if k in floats else v) if isinstance(v, np.ndarray) else v
        for k, v in enumerate(arrays)
    ]
    given = [v.requires_grad_() if k in floats else v for k, v in enumerate(given)]
    with w.record():
        y = run(row, [given] if row.variadic else given, sample.attrs)[0]
        if not y.requires_grad or y.dtype != w.float64:
            pytest.skip("no gradient for this sample")
        f = (y * 2 + 1).sum()
    inputs = [given[k] for k in floats]
    expected = w.autograd.grad(f, inputs, allow_unused=True, retain_graph=True)
    derivation = _Derivation(w._core.graph_nodes([f]), {})
    derivation.forward()
    gradients = derivation.backward()
    place = max(k for k, (node, _) in enumerate(derivation.pairs) if node.op == row.name)
    known = {}
    for e, v in zip(derivation.operands[place], given, strict=True):
        if e is not None and e.op == "name":
            known[e] = v.detach()
    for t, gradient in zip(inputs, expected, strict=True):
        leaf = next(
            k for k in derivation.leaves if derivation.pairs[k][0].variable is t
        ) if gradient is not None else None  # fmt: skip
        if leaf is None or gradients.get(leaf) is None:
            assert gradient is None or not gradient.abs().max()
            continue
        found = value_of(gradients[leaf], known)
        found = found if isinstance(found, w.Tensor) else w.tensor(found, dtype=w.float64)
        assert gradients[leaf].shape == tuple(t.shape)
        assert np.allclose(found.expand(t.shape).numpy(), gradient.numpy(), rtol=1e-6, atol=1e-6, equal_nan=True)
    with w.no_grad():
        assert balanced(str(formula(f, names={}).latex))


@pytest.mark.parametrize(
    "result, gradient",
    [
        (lambda x, y: w.where(x > 0, x, y * 2), "/dy = 0"),
        (lambda x, y: w.where(w.tensor([True, False]), x, y).sum(), "where(c1, 1, 0)"),
        (lambda x, y: (x * w.ones(3))[w.tensor([0, 2])].sum(), "index_embed("),
        (lambda x, y: (x * w.ones(3)).gather(0, w.tensor([1])).sum(), "gather_embed("),
        (lambda x, y: nn.functional.cross_entropy(x * w.ones(2, 3), w.tensor([1, 2])), "cross_entropy_backward("),
    ],
)
def test_what_a_rule_keeps_is_known_without_a_recording(result, gradient):
    x, y = w.tensor(1.0, requires_grad=True), w.tensor(2.0, requires_grad=True)
    found = str(formula(result(x, y)))
    assert gradient in found and "not kept" not in found
