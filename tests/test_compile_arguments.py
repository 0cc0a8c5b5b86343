"""Which calls of a compiled function go straight to the latest plan, and which have their signature looked at first."""

import pytest

import wengert as w


@pytest.fixture
def ready():
    """A function of two tensors that reads two more, and its compiled form with a plan that has run."""
    weight, table = w.randn(3, requires_grad=True), w.randn(4, 3)

    def fn(x, y):
        return (x * weight + y * table).sum()

    fast = w.compile(fn, fullgraph=True)
    for _ in range(4):
        fast(w.randn(4, 3), w.randn(4, 3))
    return fast, fn, weight, table


class Slow(Exception):
    pass


def looked_at(fast, monkeypatch, *args):
    """Whether a call has its signature looked at."""

    def refuse(*_):
        raise Slow

    with monkeypatch.context() as patched:
        patched.setattr(fast, "_signature", refuse)
        patched.setattr(fast, "_fn", refuse)
        try:
            fast(*args)
        except Slow:
            return True
    return False


def test_same_layouts_go_straight_to_the_plan(ready, monkeypatch):
    fast = ready[0]
    for _ in range(3):
        assert not looked_at(fast, monkeypatch, w.randn(4, 3), w.randn(4, 3))
    both = w.randn(2, 4, 3)
    assert not looked_at(fast, monkeypatch, both[0], w.randn(4, 3))  # a view, alone


class Sub(w.Tensor):
    pass


OTHERS = {
    "shape": lambda x, y, weight, table: (w.randn(5, 3), y),
    "dtype": lambda x, y, weight, table: (x.double(), y),
    "strides": lambda x, y, weight, table: (w.randn(3, 4).t(), y),
    "gradient": lambda x, y, weight, table: (x.requires_grad_(), y),
    "count": lambda x, y, weight, table: (x,),
    "number": lambda x, y, weight, table: (x, 2.0),
    "subclass": lambda x, y, weight, table: (x.as_subclass(Sub), y),
    "twice": lambda x, y, weight, table: (x, x),
    "one memory": lambda x, y, weight, table: (x, x.view(4, 3)),
    "a state": lambda x, y, weight, table: (x, table),
    "a view of a state": lambda x, y, weight, table: (x, table.view(4, 3)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_arguments_are_looked_at(ready, monkeypatch, name):
    fast, _, weight, table = ready
    args = OTHERS[name](w.randn(4, 3), w.randn(4, 3), weight, table)
    assert looked_at(fast, monkeypatch, *args)


MODES = {
    "no_grad": w.no_grad,
    "inference": w.inference_mode,
    "saved hooks": lambda: w.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t),
}


@pytest.mark.parametrize("name", MODES)
def test_other_modes_are_looked_at(ready, monkeypatch, name):
    fast = ready[0]
    args = w.randn(4, 3), w.randn(4, 3)
    with MODES[name]():
        assert looked_at(fast, monkeypatch, *args)
    assert not looked_at(fast, monkeypatch, *args)


def test_another_default_dtype_is_looked_at(ready, monkeypatch):
    w.set_default_dtype(w.float64)
    try:
        assert looked_at(ready[0], monkeypatch, w.randn(4, 3).float(), w.randn(4, 3).float())
    finally:
        w.set_default_dtype(w.float32)


CHANGES = {
    "requires_grad": lambda t: t.requires_grad_(),
    "shape": lambda t: setattr(t, "data", w.randn(3)),
    "strides": lambda t: setattr(t, "data", w.randn(3, 4).t()),
    "dtype": lambda t: setattr(t, "data", w.randn(4, 3).double()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed_states_are_looked_at(ready, monkeypatch, name):
    fast, fn, _, table = ready
    args = w.randn(4, 3), w.randn(4, 3)
    CHANGES[name](table)
    assert looked_at(fast, monkeypatch, *args)
    assert w.equal(fast(*args), fn(*args))


def test_hooks_of_states_are_looked_at(ready, monkeypatch):
    fast, _, weight, _ = ready
    args = w.randn(4, 3), w.randn(4, 3)
    handle = weight.register_hook(lambda g: None)
    assert looked_at(fast, monkeypatch, *args)
    handle.remove()
    assert not looked_at(fast, monkeypatch, *args)


def test_missing_gradient_of_a_state_that_the_plan_adds_to_is_looked_at(monkeypatch):
    weight = w.randn(3, requires_grad=True)

    def step(x):
        loss = (x * weight).sum()
        loss.backward()
        return loss.detach()

    fast = w.compile(step, fullgraph=True)
    for _ in range(5):
        fast(w.randn(3))
    assert not looked_at(fast, monkeypatch, w.randn(3))
    weight.grad = None
    assert looked_at(fast, monkeypatch, w.randn(3))


@pytest.mark.parametrize("first", [lambda leaf, k: leaf[:2], lambda leaf, k: leaf[k : k + 2]])
def test_where_arguments_lie_in_shared_memory_belongs_to_a_plan(first):
    """Slices of one leaf at other places than those of a recorded call: their gradients are of where they lie now."""

    def f(x, y):
        return (x * y).sum()

    fast = w.compile(f, fullgraph=True)
    for k in (1, 1, 1, 1, 4, 4, 4, 2, 1):
        gradients = []
        for function in (f, fast):
            leaf = w.arange(8.0).requires_grad_()
            function(first(leaf, k), leaf[k + 1 : k + 3]).backward()
            gradients.append(leaf.grad.tolist())
        assert gradients[0] == gradients[1]


def test_no_view_looks_beyond_the_memory_of_an_argument():
    """What as_strided sees of a slice is memory behind it, which the argument of a later call may not have."""

    def f(x):
        return x.as_strided((4,), (1,)) * 2

    fast = w.compile(f, fullgraph=True)
    whole = w.arange(100.0)
    for k in (0, 0, 0, 50, 96):
        assert fast(whole[k : k + 2]).tolist() == f(whole[k : k + 2]).tolist()
    for x in (w.ones(2), whole[98:]):
        for function in (f, fast):
            with pytest.raises(RuntimeError, match="as_strided: expected"):
                function(x)
    graph = w.graph.record(f, whole[:2])
    with pytest.raises(RuntimeError, match="given as slices"):
        w.graph.Plan(graph).run(3, w.ones(3, 2))
