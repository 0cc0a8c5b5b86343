"""Programs as graphs of calls: recorded, edited, written as Python, run node by node (`wengert.fx`)."""

import copy
import math
import operator
import pickle
import types

import pytest

import wengert as wg
from wengert import _core, fx, nn
from wengert.fx.passes.shape_prop import ShapeProp
from wengert.fx.proxy import GraphAppendingTracer, TraceError


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
        self.scale = nn.Parameter(wg.tensor(2.0))
        self.register_buffer("shift", wg.ones(4))

    def forward(self, x):
        y = self.layers(x) * (self.scale + 1)
        return {"sum": (y + self.shift).sum(-1), "rows": x.shape[0]}


def nothing_asks():
    return _core.count_overriding(0, 0) == 0


def test_modules_are_recorded_with_their_parameters():
    net = Net()
    traced = fx.symbolic_trace(net)
    assert [n.op for n in traced.graph.nodes] == [
        "placeholder", "call_module", "call_module", "get_attr", "call_function", "call_function", "get_attr",
        "call_function", "call_method", "call_function", "call_function", "output",
    ]  # fmt: skip
    assert list(traced.state_dict()) == ["scale", "shift", "layers.0.weight", "layers.0.bias"]
    assert traced.scale is net.scale and traced.get_submodule("layers.0") is net.layers[0]
    x = wg.randn(5, 3)
    found, wanted = traced(x), net(x)
    assert wg.equal(found["sum"], wanted["sum"]) and found["rows"] == 5
    found["sum"].sum().backward()
    # The parameter is read when the module runs: what is computed of it alone is no constant.
    assert net.scale.grad is not None and net.layers[0].weight.grad is not None
    with wg.no_grad():
        net.scale.fill_(7.0)
    assert wg.equal(traced(x)["sum"], net(x)["sum"])
    assert nothing_asks()


def test_calls_ask_only_while_proxies_live():
    assert nothing_asks()
    graph = fx.Graph()
    x = fx.Proxy(graph.placeholder("x"))
    assert not nothing_asks()
    y = wg.cat([x, wg.nn.functional.relu(x)], dim=0)
    del x, y
    assert nothing_asks()
    assert [n.name for n in graph.nodes] == ["x", "relu", "cat"]
    assert wg.nn.functional.relu(wg.tensor(-1.0)).item() == 0


def test_graphs_are_built_by_hand():
    graph = fx.Graph()
    tracer = GraphAppendingTracer(graph)
    x = fx.Proxy(graph.placeholder("x", wg.Tensor), tracer)
    n = fx.Proxy(graph.placeholder("n", int, 2), tracer)
    a, b = (x * n).chunk(2)
    out = wg.einsum("ij,kj->ik", (a, b)) ** 2
    graph.output((out.node, {"a": a.node}))
    module = fx.GraphModule({}, graph, "Built")
    assert module.code == (
        "\n\n\ndef forward(self, x : wengert.Tensor, n : int = 2):\n"
        "    mul = x * n;  x = n = None\n"
        "    chunk = mul.chunk(2);  mul = None\n"
        "    getitem = chunk[0]\n"
        "    getitem_1 = chunk[1];  chunk = None\n"
        "    einsum = wengert.einsum('ij,kj->ik', getitem, getitem_1);  getitem_1 = None\n"
        "    pow_1 = einsum ** 2;  einsum = None\n"
        "    return (pow_1, {'a': getitem})\n    "
    )
    assert type(module).__name__ == "Built"
    squares, rest = module(wg.ones(2, 3))
    assert squares.tolist() == [[144.0]] and rest["a"].tolist() == [[2.0, 2.0, 2.0]]
    assert module(wg.ones(2, 3), 1)[0].item() == 9.0


@pytest.mark.parametrize(
    ("function", "inputs", "line"),
    [
        (lambda x: x[1:, ..., None], 1, "getitem = x[(slice(1, None, None), Ellipsis, None)];"),
        (lambda x: 2 - x, 1, "sub = 2 - x;"),
        (lambda x: abs(x), 1, "abs_1 = _operator_abs(x);"),
        (lambda x: x.to(wg.float64), 1, "to = x.to(wengert.float64);"),
        (lambda x: x.clamp(max=float("inf")), 1, "clamp = x.clamp(max = inf);"),
        (lambda x: wg.ones(3) + x, 1, "add = _tensor_constant0.add(x);"),
        (lambda x: operator.iadd(x.clone(), 1), 1, "add = clone + 1;"),
        (lambda x, y: x @ y.T, 2, "matmul = x @ getattr_1;"),
        (lambda x: wg.linalg.norm(x), 1, "norm = wengert.linalg.norm(x"),
        (lambda x: x.sum(0, keepdim=True), 1, "sum_1 = x.sum(0, keepdim = True);"),
    ],
)
def test_lines_of_code(function, inputs, line):
    traced = fx.symbolic_trace(function)
    assert any(text.strip().startswith(line) for text in traced.code.splitlines()), traced.code
    args = [wg.randn(3, 3) for _ in range(inputs)]
    assert wg.equal(traced(*args), function(*args))


def test_arguments_of_every_kind():
    def function(a, b=1, *rest, c=2, **named):
        return a + b + c, rest, named

    traced = fx.symbolic_trace(function)
    assert traced.code.strip().startswith("def forward(self, a, b = 1, c = 2, *rest, **named):")
    assert traced(1) == (4, (), {}) and traced(1, b=3, c=5, k=7) == (9, (), {"k": 7})


def test_concrete_arguments_choose_the_branch():
    def function(x, double, shift=None):
        y = x * 2 if double else x
        return y if shift is None else y + shift

    traced = fx.symbolic_trace(function, {"double": True, "shift": None})
    assert traced(wg.ones(2), True).tolist() == [2.0, 2.0]
    with pytest.raises(AssertionError, match="double has been specialized to have value True"):
        traced(wg.ones(2), False)
    with pytest.raises(AssertionError, match="shift has been specialized"):
        traced(wg.ones(2), True, 3)
    with pytest.raises(NotImplementedError, match="single value"):
        fx.symbolic_trace(lambda x: x, {"x": (1, 2)})


@pytest.mark.parametrize(
    ("function", "error", "text"),
    [
        (lambda x: x if x.sum() > 0 else -x, TraceError, "control flow"),
        (lambda x: [row for row in x], TraceError, "cannot be iterated"),
        (lambda x: len(x), RuntimeError, "fx.wrap"),
        (lambda x: object(), NotImplementedError, "argument of type"),
        (lambda x: {x: 1}, RuntimeError, "keys of dicts"),
        (lambda x: range(x), TypeError, "integer"),
    ],
)
def test_what_no_graph_can_say_is_refused(function, error, text):
    with pytest.raises(error, match=text):
        fx.symbolic_trace(function)
    assert nothing_asks()


def test_failed_recordings_put_everything_back():
    call, lookup = nn.Module.__call__, "__getattribute__" in vars(nn.Module)

    class Bad(nn.Module):
        def forward(self, x):
            raise KeyError("own")

    with pytest.raises(KeyError):
        fx.symbolic_trace(Bad())
    assert nn.Module.__call__ is call and ("__getattribute__" in vars(nn.Module)) == lookup
    assert not fx._symbolic_trace.is_fx_tracing()


def test_functions_marked_by_wrap_are_one_node():
    source = (
        "from wengert import fx\nimport math\nfx.wrap('len')\n"
        "@fx.wrap\ndef pick(x, n):\n    return x[: int(n)] if n > 1 else x\n"
        "def program(x):\n    return pick(x, len(x)) * math.sqrt(x.shape[0])\n"
    )
    module = types.ModuleType("marked")
    exec(source, vars(module))
    traced = fx.symbolic_trace(module.program)
    assert [n.target for n in traced.graph.nodes if n.op == "call_function"] == [
        len, module.pick, getattr, operator.getitem, math.sqrt, operator.mul,
    ]  # fmt: skip
    x = wg.arange(4.0)
    assert wg.equal(traced(x), x * 2) and wg.equal(module.program(x), x * 2)
    with pytest.raises(NotImplementedError, match="top level"):
        fx.wrap("len")
    with pytest.raises(RuntimeError, match="name"):
        fx.wrap(3)


def test_tracers_choose_what_is_one_node():
    class Whole(fx.Tracer):
        def is_leaf_module(self, m, module_qualified_name):
            return module_qualified_name == "layers" or super().is_leaf_module(m, module_qualified_name)

    net = Net()
    graph = Whole().trace(net)
    assert [n.target for n in graph.find_nodes(op="call_module")] == ["layers"]
    assert graph.find_nodes(op="call_module")[0].meta["nn_module_stack"]["layers"] == ("layers", nn.Sequential)
    shapes = fx.Tracer(param_shapes_constant=True)
    assert shapes.trace(_Sized()).find_nodes(op="call_method", target="expand")[0].args[1] == 4


class _Sized(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(wg.ones(4))

    def forward(self, x):
        return x.expand(self.weight.shape[0]) * self.weight


def small():
    return fx.symbolic_trace(lambda a, b: wg.relu(a + b) * a)


def test_nodes_know_their_users_and_change_places():
    traced = small()
    a, b, add, relu, mul, out = traced.graph.nodes
    assert list(a.users) == [add, mul] and add.all_input_nodes == [a, b] and mul.args == (relu, a)
    assert (add.next, add.prev) == (relu, b) and len(traced.graph.nodes) == 6
    with traced.graph.inserting_after(add):
        extra = traced.graph.call_method("exp", (add,))
    assert add.replace_all_uses_with(extra, lambda user: user is not extra) == [relu]
    assert relu.args == (extra,) and list(add.users) == [extra]
    traced.graph.lint()
    traced.recompile()
    x, y = wg.randn(3), wg.randn(3)
    assert wg.equal(traced(x, y), wg.relu((x + y).exp()) * x)
    mul.update_arg(1, 3)
    relu.insert_arg(0, b)
    relu.args = relu.args[:1]
    mul.update_kwarg("k", b)
    assert mul.kwargs == {"k": b} and mul in b.users and mul not in a.users
    mul.kwargs = {}
    traced.graph.eliminate_dead_code()
    traced.recompile()
    assert wg.equal(traced(x, y), wg.relu(y) * 3)
    assert [n.name for n in reversed(traced.graph.nodes)] == ["output", "mul", "relu", "b", "a"]


def test_wrong_edits_are_refused():
    graph = small().graph
    a, b, add, *_ = graph.nodes
    with pytest.raises(RuntimeError, match="without users"):
        graph.erase_node(a)
    with pytest.raises(RuntimeError, match="of this graph"):
        fx.Graph().erase_node(small().graph.output_node())
    with pytest.raises(AssertionError, match="op among"):
        graph.create_node("call", "x")
    with pytest.raises(ValueError, match="function as the target"):
        graph.create_node("call_function", "x")
    with pytest.raises(ValueError, match="name as the target"):
        graph.create_node("call_module", len)
    with pytest.raises(AssertionError, match="same graph"):
        add.append(fx.Graph().placeholder("z"))
    with pytest.raises(AssertionError, match="this graph"):
        graph.inserting_before(fx.Graph().placeholder("z"))
    for change in (lambda: add.args.append(1), lambda: add.args[0].append(1), lambda: add.kwargs.update(k=1)):
        add.args = ([a, b],)
        with pytest.raises((TypeError, AttributeError)):
            change()
    with pytest.raises(RuntimeError, match="before it has been defined"):
        b.append(a) or add.append(b) or graph.lint()
    with pytest.raises(RuntimeError, match="another graph's"):
        other = fx.Graph()
        other.call_function(len, (a,))
        other.lint()
    with pytest.raises(RuntimeError, match="expected a root with 'w'"):
        graph = fx.Graph()
        graph.get_attr("w")
        fx.GraphModule({}, graph)
    with pytest.raises(AttributeError):
        fx.GraphModule(nn.Module(), graph)
    with pytest.raises(AssertionError, match="ends with its output"):
        graph.output_node()


def test_dead_code_goes_but_for_what_does_more():
    graph = fx.Graph()
    x = graph.placeholder("x")
    graph.call_function(wg.exp, (graph.call_function(wg.relu, (x,)),))
    graph.call_function(operator.setitem, (x, 0, 1))
    graph.call_function(wg.rand, (2,))
    graph.output(x)
    assert graph.eliminate_dead_code() and not graph.eliminate_dead_code()
    assert [n.name for n in graph.nodes] == ["x", "setitem", "rand", "output"]

    @fx.has_side_effect
    def tell(x):
        return x

    with graph.inserting_before(graph.output_node()):
        node = graph.call_function(tell, (x,))
    assert node.is_impure() and not graph.eliminate_dead_code()
    assert graph.eliminate_dead_code(lambda n: n.target is not tell)


def test_copies_and_pickles_run_alike():
    net = Net()
    traced = fx.symbolic_trace(net)
    traced.meta["note"] = [1]
    x = wg.randn(2, 3)
    deep, shallow, again = copy.deepcopy(traced), copy.copy(traced), pickle.loads(pickle.dumps(traced))
    for other in (deep, shallow, again):
        assert other.code == traced.code and wg.equal(other(x)["sum"], traced(x)["sum"])
    assert shallow.scale is traced.scale and deep.scale is not traced.scale and deep.meta == {"note": [1]}
    assert deep.graph is not traced.graph and deep.graph.owning_module is deep
    with pytest.raises(TypeError, match="imported"):
        pickle.dumps(_calling_local())


def _calling_local():
    graph = fx.Graph()
    graph.output(graph.call_function(lambda: 1))
    return fx.GraphModule({}, graph)


def test_submodules_come_and_go():
    traced = fx.symbolic_trace(Net())
    assert traced.add_submodule("extra.deep", nn.ReLU()) and traced.get_submodule("extra.deep") is not None
    assert not traced.add_submodule("scale.below", nn.ReLU())
    traced.delete_all_unused_submodules()
    assert [n for n, _ in traced.named_modules()] == ["", "layers", "layers.0", "layers.1"]
    assert traced.delete_submodule("layers.1") and not traced.delete_submodule("layers.9")
    with pytest.raises(RuntimeError, match="targets that the owner has"):
        traced.graph.lint()


def test_interpreters_run_node_by_node():
    seen = []

    class Watch(fx.Interpreter):
        def run_node(self, n):
            seen.append(n.name)
            return super().run_node(n)

        def call_module(self, target, args, kwargs):
            return super().call_module(target, args, kwargs) + 1

    net = Net()
    traced = fx.symbolic_trace(net)
    x = wg.randn(2, 3)
    found = Watch(traced).run(x)["sum"]
    hidden = (net.layers[1](net.layers[0](x) + 1) + 1) * (net.scale + 1)
    assert wg.allclose(found, (hidden + net.shift).sum(-1)) and seen == [n.name for n in traced.graph.nodes]
    given = [x]
    assert wg.equal(fx.Interpreter(traced).boxed_run(given)["sum"], net(x)["sum"]) and given == []
    first = next(iter(traced.graph.nodes))
    assert fx.Interpreter(traced).run(initial_env={first: x})["rows"] == 2
    with pytest.raises(RuntimeError, match="positional argument for parameter x"):
        fx.Interpreter(traced).run()
    with pytest.raises(RuntimeError) as error:
        fx.Interpreter(traced).run(wg.ones(2, 9))
    assert "call_module[target=layers.0]" in error.value.__notes__[0]


def test_transformers_make_another_graph():
    class Smooth(fx.Transformer):
        def call_module(self, target, args, kwargs):
            if isinstance(self.submodules[target], nn.ReLU):
                return wg.tanh(args[0])
            return super().call_module(target, args, kwargs)

    net = Net()
    smooth = Smooth(fx.symbolic_trace(net)).transform()
    x = wg.randn(2, 3)
    assert wg.equal(smooth(x)["sum"], (net.layers[0](x).tanh() * (net.scale + 1) + net.shift).sum(-1))
    assert nothing_asks()


def test_patterns_are_replaced():
    def program(a, b):
        c = wg.relu(a + b)
        d = wg.relu(c + a)
        kept = a + d
        return c - d + wg.relu(kept) + kept

    traced = fx.symbolic_trace(program)
    found = fx.replace_pattern(traced, lambda x, y: wg.relu(x + y), lambda x, y: wg.sigmoid(x) * y)
    # `kept` is used outside, so that part stays.
    assert [m.anchor.name for m in found] == ["relu", "relu_1"]
    a, b = wg.randn(3), wg.randn(3)
    c = wg.sigmoid(a) * b
    d = wg.sigmoid(c) * a
    assert wg.allclose(traced(a, b), c - d + wg.relu(a + d) + a + d)
    traced.graph.lint()
    assert fx.replace_pattern(traced, lambda x: wg.cos(x), lambda x: x) == []
    with pytest.raises(RuntimeError, match="1 arguments, got 2"):
        fx.replace_pattern(traced, lambda x: wg.relu(x), lambda x, y: x)
    same = fx.symbolic_trace(lambda a, b: (a * a, a * b))
    assert len(fx.replace_pattern(same, lambda x: x * x, lambda x: x**2)) == 1 and "a ** 2" in same.code


def test_shapes_are_noted():
    traced = fx.symbolic_trace(Net())
    ShapeProp(traced).propagate(wg.ones(2, 3))
    notes = {n.name: n.meta.get("tensor_meta") for n in traced.graph.nodes}
    assert notes["layers_0"].shape == (2, 4) and notes["layers_0"].dtype is wg.float32
    assert notes["output"]["sum"].shape == (2,) and notes["getitem"] is None


def test_graphs_as_text(capsys):
    traced = small()
    assert str(traced.graph).splitlines() == [
        "graph():",
        "    %a : [num_users=2] = placeholder[target=a]",
        "    %b : [num_users=1] = placeholder[target=b]",
        "    %add : [num_users=1] = call_function[target=operator.add](args = (%a, %b), kwargs = {})",
        "    %relu : [num_users=1] = call_function[target=wengert.relu](args = (%add,), kwargs = {})",
        "    %mul : [num_users=1] = call_function[target=operator.mul](args = (%relu, %a), kwargs = {})",
        "    return mul",
    ]
    traced.graph.print_tabular()
    assert "call_function  relu" in capsys.readouterr().out
    text = traced.print_readable()
    assert text.startswith("class <lambda>(wengert.nn.Module):\n    def forward(self, a, b):\n        add = a + b")
    assert capsys.readouterr().out.strip() == text.strip()
    assert "def forward(self, a, b):" in str(traced)


def test_lines_of_code_can_be_changed():
    traced = small()
    with traced.graph.on_generate_code(lambda before: lambda body: ["print('runs')\n", *body]):
        assert "    print('runs')\n    add = a + b" in traced.recompile().src
    assert "print" not in traced.recompile().src

    class Doubled(fx.CodeGen):
        def generate_output(self, output_args):
            return f"return 2 * {output_args}"

    traced.graph.set_codegen(Doubled())
    traced.recompile()
    assert traced(wg.ones(1), wg.ones(1)).item() == 4.0
    assert fx.Graph().python_code("self").src == "\n\n\ndef forward(self):\n    pass\n    "
