"""The autograd package: passes, modes, custom functions, hooks, graphs; against PyTorch where it is installed."""

import gc
import weakref

import pytest

import wengert as w

torch = pytest.importorskip("torch")


def leaf(values):
    return w.tensor(values, dtype=w.float64).requires_grad_()


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
        type(node).__name__,
        isinstance(node, m.autograd.graph.Node),
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


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("kept", [[0], [1], [0, 1], [0, 1, 2], [0, 0]])
def test_outputs_in_what_their_context_holds_are_collected(kept, backward):
    class Owner:
        pass

    class Several(w.autograd.Function):
        @staticmethod
        def forward(ctx, x, owner):
            ctx.owner = owner
            return x * 1, x * 2, x * 3

        @staticmethod
        def backward(ctx, *grads):
            return sum(grads) * (1 if isinstance(ctx.owner, Owner) else 0), None

    owner, x = Owner(), w.ones(2, requires_grad=True)
    outputs = Several.apply(x, owner)
    owner.kept = [outputs[k] for k in kept]
    gone = weakref.ref(owner)
    if backward:
        outputs[2].sum().backward(retain_graph=True)
    outside = outputs[1]
    del owner, outputs
    gc.collect()
    x.grad = None
    outside.sum().backward()  # the context is there as long as an output is
    assert x.grad.tolist() == [1, 1] and gone() is not None
    del outside
    gc.collect()
    assert gone() is None
