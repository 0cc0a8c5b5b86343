"""The autograd package: passes, modes, custom functions, hooks, graphs; against PyTorch where it is installed."""

import gc
import threading
import weakref

import pytest

import wengert as w
from wengert import _core, autograd

torch = pytest.importorskip("torch")


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


# ---- both libraries do the same, errors included: (module, leaf maker) -> a list of numbers ----------------------


def torch_leaf(values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def flat(t):
    return None if t is None else t.detach().reshape(-1).tolist()


def _twice(m, make):
    y = make([1.0, 2.0]).exp().sum()
    y.backward()
    y.backward()


def _changed(m, make):
    x = make([1.0, 2.0]) * 1
    y = x.sin()
    x.mul_(2)
    y.sum().backward()


def _function_twice(m, make):
    class Double(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2

    y = Double.apply(make([1.0])).sum()
    y.backward()
    y.backward()


def _dirty(m, make):
    class Write(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = make([1.0, 2.0])
    y = x * 3
    z = Write.apply(y)
    assert z is y
    z.sum().backward()
    return [flat(x.grad), flat(y)]


def _no_gradient(m, make):
    class Parts(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            whole = x.floor()
            ctx.mark_non_differentiable(whole)
            return x - whole, whole

        @staticmethod
        def backward(ctx, g, _):
            return g

    a, b = Parts.apply(make([1.5]))
    assert a.requires_grad and not b.requires_grad
    return [flat(a), flat(b)]


def _unmaterialized(m, make):
    seen = []

    class Two(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, a, b):
            seen.append((a is None, b is None))
            return b * 2

    x = make([1.0])
    Two.apply(x)[1].sum().backward()
    assert seen == [(True, False)]
    return [flat(x.grad)]


def _setup_context(m, make):
    class Scale(m.autograd.Function):
        @staticmethod
        def forward(x, k):
            return x * k

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.k = inputs[1]
            assert ctx.needs_input_grad == (True, False)

        @staticmethod
        def backward(ctx, g):
            return g * ctx.k, None

    x = make([1.0, 2.0])
    Scale.apply(x, 5).sum().backward()
    return [flat(x.grad)]


def _returned_input(m, make):
    class Same(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 7

    x = make([1.0])
    y = Same.apply(x)
    assert y is not x
    y.sum().backward()
    return [flat(x.grad)]


def _once(m, make):
    from torch.autograd.function import once_differentiable as theirs

    from wengert.autograd.function import once_differentiable as ours

    class Once(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        @(ours if m is w else theirs)
        def backward(ctx, g):
            return g * 2

    x = make([1.0])
    (g,) = m.autograd.grad(Once.apply(x * x).sum(), x, create_graph=True)
    m.autograd.grad(g.sum(), x)


def _wrong_count(m, make):
    class Bad(m.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, g):
            return g

    Bad.apply(make([1.0]), make([2.0])).sum().backward()


def double(t):
    t.grad.mul_(2)


def _hooks(m, make):
    x = make([1.0, 2.0])
    y = x * 3
    y.retain_grad()
    h = y.register_hook(lambda g: g * 10)
    x.register_post_accumulate_grad_hook(double)
    y.sum().backward()
    first = [flat(x.grad), flat(y.grad), y.retains_grad, x.retains_grad]
    h.remove()
    (x * 3).sum().backward()
    return [*first, flat(x.grad)]


def _inputs(m, make):
    x, z = make([1.0]), make([2.0])
    y = x * z
    (y * y).sum().backward(inputs=[x, y])
    return [flat(x.grad), flat(z.grad), flat(y.grad)]


def _unused(m, make):
    x, z = make([1.0]), make([2.0])
    a = m.autograd.grad((x * x).sum(), [x, z], allow_unused=True)
    b = m.autograd.grad((x * x).sum(), [x, z], materialize_grads=True)
    return [flat(t) for t in (*a, *b)]


def _batched(m, make):
    x = make([1.0, 2.0])
    y = x * x
    eye = m.eye(2, dtype=m.float64)
    return [flat(t) for t in m.autograd.grad(y, x, eye, is_grads_batched=True)]


def _modes(m, make):
    x = make([1.0])
    out = []
    with m.no_grad():
        out.append((x * 2).requires_grad)
        with m.enable_grad():
            out.append((x * 2).requires_grad)
        with m.set_grad_enabled(True):
            out.append(m.is_grad_enabled())
        out.append(m.is_grad_enabled())
    m.set_grad_enabled(False)
    out.append(m.is_grad_enabled())
    m.set_grad_enabled(True)
    with m.inference_mode():
        out += [m.is_inference_mode_enabled(), m.is_grad_enabled()]
    out.append(m.is_grad_enabled())
    return out


def _generator(m, make):
    @m.no_grad()
    def numbers():
        got = yield m.is_grad_enabled()
        try:
            yield (got, m.is_grad_enabled())
        except ValueError:
            yield ("caught", m.is_grad_enabled())
        return

    it = numbers()
    out = [
        next(it),
        m.is_grad_enabled(),
        it.send(5),
        m.is_grad_enabled(),
        it.throw(ValueError),
        m.is_grad_enabled(),
    ]
    return [*out, list(it)]


def _nodes(m, make):
    x = make([2.0])
    y = (x * x).exp()
    node = y.grad_fn
    return [
        node.name(),
        node.next_functions[0][0].name(),
        [f.name().rpartition(":")[2] for f, _ in node.next_functions[0][0].next_functions],
        node.next_functions[0][0].next_functions[0][0].variable is x,
        x.grad_fn is None,
        x.is_leaf,
        y.is_leaf,
    ]


def _node_hook(m, make):
    x = make([2.0])
    y = x * 3
    y.grad_fn.register_prehook(lambda gs: (gs[0] * 10,))
    seen = []
    y.grad_fn.register_hook(lambda ins, outs: seen.append((flat(ins[0]), flat(outs[0]))))
    y.sum().backward()
    return [flat(x.grad), seen]


def _detach_in_place(m, make):
    x = make([2.0])
    y = x * 3
    y.detach_()
    return [y.requires_grad, y.is_leaf]


def _roots(m, make):
    x = make([1.0, 2.0])
    m.autograd.backward([x.sum(), (x * x)], [None, m.ones(2, dtype=m.float64)])
    return [flat(x.grad)]


def _shape_error(m, make):
    make([1.0, 2.0]).exp().backward(m.ones(3, dtype=m.float64))


def _implicit(m, make):
    make([1.0, 2.0]).exp().backward()


def _no_history(m, make):
    m.ones(1).sum().backward()


def _not_in_graph(m, make):
    m.autograd.grad(make([1.0]).sum(), make([2.0]))


def _leaf_write(m, make):
    make([1.0]).mul_(2)


def _bad_hook(m, make):
    x = make([1.0])
    x.register_hook(lambda g: m.ones(3, dtype=m.float64))
    x.sum().backward()


def _hook_without_grad(m, make):
    m.ones(1).register_hook(print)


def _saved_hooks(m, make):
    seen = []
    x = make([1.0, 2.0])

    def pack(t):
        seen.append(flat(t))
        return len(seen) - 1

    def unpack(k):
        return m.tensor(seen[k], dtype=m.float64) * 10

    with m.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = (x * 3).sin()
    y.sum().backward()
    return [len(seen)]


SAME = {
    name[1:]: f
    for name, f in list(globals().items())
    if name.startswith("_") and callable(f) and f.__code__.co_argcount == 2
}


@pytest.mark.parametrize("name", SAME)
def test_as_torch(name):
    try:
        expected, error = SAME[name](torch, torch_leaf), None
    except Exception as caught:
        expected, error = None, caught
    if error is not None:
        with pytest.raises(type(error).__mro__[0]):
            SAME[name](w, leaf)
        return
    assert SAME[name](w, leaf) == expected


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
        with pytest.raises(RuntimeError, match=r"SqrtBackward0.*test_autograd\.py"):
            y.sum().backward()
    with autograd.set_detect_anomaly(True):
        x.exp().sum().backward()
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
