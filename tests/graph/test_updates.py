"""Recorded steps of optimizers as text and in files: read back they take the same steps."""

import pytest

import wengert as torch
from wengert.graph import Graph, GraphError, ParseError

OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True, maximize=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1, lr_decay=0.01),
}
X, Y = torch.randn(6, 3, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 1, 0, 1, 0])


def program(make, to_none=True):
    """A model, and a step that trains it."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    optimizer = make([{"params": [model[0].weight, model[0].bias]}, {"params": model[2].parameters(), "lr": 0.003}])

    def step(x, y):
        optimizer.zero_grad(set_to_none=to_none)
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step


@pytest.mark.parametrize("to_none", [True, False])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_text_and_file_take_the_same_steps(name, to_none, tmp_path):
    model, _, step = program(OPTIMIZERS[name], to_none)
    fast = torch.compile(step, fullgraph=True, exact=True)
    for _ in range(5):
        fast(X, Y)
    graph = fast.plan.graph
    assert [node.op for node in graph.nodes].count("update") == 2
    graph.save(tmp_path / "step")
    read = [Graph.parse(graph.to_text(), {k: t.clone() for k, t in graph.state_dict().items()})]
    read.append(Graph.load(tmp_path / "step"))
    shared = Graph.parse(graph.to_text(), graph.state_dict())
    for other in (*read, shared):
        assert other.differences(graph) == []
    for other in read:
        for state in other.states.values():
            if any(state.tensor is kept.tensor for kept in other.states.values() if kept.kind == "grad"):
                state.tensor.grad = torch.zeros_like(state.tensor)
    plans = [other.compile(exact=True) for other in read]
    for _ in range(4):
        want = fast(X, Y)
        assert all(torch.equal(plan(X, Y), want) for plan in plans)
    end = graph.state_dict()
    for other in read:
        for key, t in other.state_dict().items():
            assert torch.equal(t, end[key])
    assert torch.equal(shared.compile(exact=True)(X, Y), step(X, Y)) is False  # each has taken a step of its own


def test_options_of_a_step_that_was_read_can_be_changed(tmp_path):
    _, _, step = program(OPTIMIZERS["SGD"])
    fast = torch.compile(step, fullgraph=True)
    for _ in range(4):
        fast(X, Y)
    graph = fast.plan.graph
    graph.save(tmp_path / "step")
    other = Graph.load(tmp_path / "step")
    for node in other.nodes:
        if node.op == "update":
            node.payload.group["lr"] = 0.0
    plan = other.compile()
    assert torch.equal(plan(X, Y), plan(X, Y))


def test_what_is_no_update_is_refused():
    _, _, step = program(OPTIMIZERS["Adam"])
    fast = torch.compile(step, fullgraph=True)
    for _ in range(4):
        fast(X, Y)
    graph = fast.plan.graph
    text, states = graph.to_text(), graph.state_dict()
    for old, new, message in (
        ('"adam_step"', '"evil_step"', "expected a pass among"),
        ('with "numbers"', 'with "other"', "expected .* of an update"),
        ('"exp_avg", ', '"exp_avg", "more", ', "expected a state for each tensor"),
    ):
        assert old in text
        with pytest.raises(ParseError, match=message):
            Graph.parse(text.replace(old, new), states)
    copy = graph.copy()
    update = next(node for node in copy.nodes if node.op == "update")
    update.inputs = update.inputs[:-1]
    with pytest.raises(GraphError, match="expected a pass of an optimizer"):
        copy.verify()
