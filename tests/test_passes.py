"""What a backward pass does besides numbers: custom functions, saved values, anomaly mode, threads, life and death."""

import gc
import threading
import weakref

import pytest

import wengert as w
from wengert import _core, autograd


def leaf(values):
    return w.tensor(values, dtype=w.float64).requires_grad_()


class Cube(autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x * x * x
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * 3 * y / x


# ---- custom functions --------------------------------------------------------------------------------------------


def test_second_order_through_saved_input_and_output():
    x = leaf([2.0, 3.0])
    (g,) = autograd.grad(Cube.apply(x).sum(), x, create_graph=True)
    (h,) = autograd.grad(g.sum(), x, create_graph=True)
    assert h.tolist() == pytest.approx([12.0, 18.0])
    (t,) = autograd.grad(h.sum(), x)
    assert t.tolist() == pytest.approx([6.0, 6.0])


def test_gradcheck():
    x = leaf([[0.5, 1.0], [1.5, 2.0]])
    assert w.testing.gradcheck(Cube.apply, x)
    assert w.testing.gradgradcheck(Cube.apply, x)
    assert autograd.gradcheck(lambda v: (v.sin() * v[0]).prod(1), x, check_forward_ad=True)

    class Wrong(Cube):
        @staticmethod
        def backward(ctx, g):
            return g

    with pytest.raises(w.testing.GradcheckError):
        w.testing.gradcheck(Wrong.apply, x)
    assert not w.testing.gradcheck(Wrong.apply, x, raise_exception=False)


def test_functions_leave_nothing_behind():
    gc.collect()
    before = _core.node_stats()["live"]
    x = leaf([1.0])
    y = x
    for _ in range(1000):
        y = Cube.apply(y)
    context = weakref.ref(y.grad_fn)
    del y, x
    gc.collect()
    assert _core.node_stats()["live"] == before and context() is None


# ---- saved values ------------------------------------------------------------------------------------------------


def test_errors_name_the_op():
    x = leaf([1.0]) * 1
    y = x.sin()
    x.add_(1)
    with pytest.raises(RuntimeError, match="SinBackward0"):
        y.backward()
    z = leaf([1.0]).exp()
    z.backward()
    with pytest.raises(RuntimeError, match="ExpBackward0"):
        z.backward()


def test_saved_hooks_of_a_nested_pass():
    """unpack may run a pass of its own (checkpointing does)."""
    x = leaf([0.5])

    def unpack(t):
        u = leaf([1.0])
        with w.enable_grad():
            (u * u).sum().backward()
        assert u.grad.tolist() == [2.0]
        return t

    with autograd.graph.saved_tensors_hooks(lambda t: t, unpack):
        y = x.sin().exp() * x
    (g,) = autograd.grad(y.sum(), x, create_graph=True)
    (expected,) = autograd.grad((x.sin().exp() * x).sum(), x)
    assert g.tolist() == expected.tolist()
    with autograd.graph.save_on_cpu():
        z = x * x
    z.sum().backward()


def test_checkpoint():
    from wengert.utils.checkpoint import checkpoint

    x = leaf([0.5, 1.0])
    calls = []

    def f(v):
        calls.append(1)
        return (v.sin() * v).exp()

    checkpoint(f, x, use_reentrant=False).sum().backward()
    expected = autograd.grad(f(x).sum(), x)[0]
    assert x.grad.tolist() == expected.tolist() and len(calls) == 3


# ---- anomaly mode and lines --------------------------------------------------------------------------------------


def test_anomaly_names_the_line():
    x = leaf([-1.0])
    with autograd.detect_anomaly():
        y = x.sqrt()
        with pytest.raises(RuntimeError, match=r"SqrtBackward0.*test_passes\.py"):
            y.sum().backward()
    with autograd.set_detect_anomaly(True):
        x.exp().sum().backward()
        y = x.sqrt()
        y.grad_fn.register_hook(lambda after, before: None)
        with pytest.raises(RuntimeError, match=r"SqrtBackward0.*test_passes\.py"):
            y.sum().backward()
    assert not w.is_anomaly_enabled()


def test_record_keeps_lines():
    with w.record():
        y = leaf([1.0]) * 2
    z = y * 2
    assert y.grad_fn.line[0] == __file__ and z.grad_fn.line is None


# ---- order, threads, life ----------------------------------------------------------------------------------------


def test_long_chain():
    x = leaf([1.0])
    y = x
    for _ in range(1_000_000):
        y = y + 1.0
    y.backward()
    assert x.grad.item() == 1.0


def test_threads_on_one_graph():
    x = leaf([0.1] * 100)
    y = x
    for _ in range(200):
        y = (y.sin() + x).tanh()
    total = y.sum()
    (expected,) = autograd.grad(total, x, retain_graph=True)
    wrong = []

    def work():
        for _ in range(10):
            (g,) = autograd.grad(total, x, retain_graph=True)
            if g.tolist() != expected.tolist():
                wrong.append(g)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_modes_belong_to_threads():
    seen = []
    with w.no_grad():
        t = threading.Thread(target=lambda: seen.append(w.is_grad_enabled()))
        t.start()
        t.join()
    assert seen == [True]


def test_reentrant_pass_inside_a_hook():
    x = leaf([1.0, 2.0])
    y = x * x

    def hook(g):
        u = leaf([3.0])
        with w.enable_grad():
            (u * u * u).sum().backward()
        return g * u.grad

    y.register_hook(hook)
    (y * 2).sum().backward()
    assert x.grad.tolist() == [108.0, 216.0]


def test_leaf_that_dies_before_its_graph():
    z = leaf([2.0])
    x = leaf([1.0])
    y = (x * z).sum()
    del x
    y.backward()
    assert z.grad.tolist() == [1.0]


def test_hook_that_closes_over_its_tensor_is_collected():
    def make():
        x = leaf([1.0])
        x.register_hook(lambda g: x * g)
        y = x * 2
        y.register_hook(lambda g: y * g)
        return weakref.ref(x), weakref.ref(y)

    refs = make()
    gc.collect()
    assert refs[0]() is None and refs[1]() is None


def test_hooks_stay_with_the_value_they_were_set_on():
    seen = []
    x = leaf([1.0])
    y = x * 2
    y.register_hook(lambda g: seen.append(g.item()))
    y.mul_(5)
    y.sum().backward()
    assert seen == [5.0]
    del x, y
    gc.collect()


def test_grad_shares_memory_with_nothing():
    x = leaf([1.0, 2.0])
    g = w.tensor([1.0, 1.0], dtype=w.float64)
    (x + 0).backward(g)
    x.grad.add_(1)
    assert g.tolist() == [1.0, 1.0]


def test_failed_pass_leaves_the_mode():
    y = leaf([1.0]).exp()
    y.backward()
    with pytest.raises(RuntimeError):
        y.backward()
    assert w.is_grad_enabled()
