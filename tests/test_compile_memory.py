"""Compiled calls write, share and return tensors as plain ones do: views, gradients, flags, parameters that move."""

import pytest
from compile_tools import Programs

import wengert as w
from wengert import nn

program = Programs()


@program.refused("the call uses the gradient of")
def input_grad(compile):
    f = compile(lambda x: (x * x).sum().backward())
    out = []
    for k in range(6):
        x = w.full((3,), float(k), requires_grad=True)
        f(x)
        out.append(x.grad.tolist())
    return out


@program
def alias_view_output(compile):
    f = compile(lambda x: x[0])
    out = []
    for k in range(6):
        x = w.full((3, 2), float(k))
        y = f(x)
        y.zero_()
        out.append(x.tolist())
    return out


@program
def alias_detach_output(compile):
    f = compile(lambda x: (x * 1, x.detach()))
    out = []
    for k in range(6):
        x = w.full((3, 2), float(k))
        _, y = f(x)
        y.zero_()
        out.append(x.tolist())
    return out


@program.refused("the call returns tensors that share")
def alias_two_outputs(compile):
    def g(x):
        y = x * 2
        return y, y.view(-1), y[0]

    f = compile(g)
    out = []
    for k in range(6):
        a, b, d = f(w.full((3, 2), float(k)))
        a.add_(1)
        d.add_(5)
        out += [a.tolist(), b.tolist(), d.tolist()]
    return out


@program
def alias_state_output(compile):
    s = w.zeros(3)

    def g(x):
        s.add_(x)
        return s.view(3, 1)

    f = compile(g)
    out = []
    kept = []
    for k in range(6):
        kept.append(f(w.full((3,), float(k))))
        out.append([t.tolist() for t in kept])
    return out


@program.refused("backward() goes through MulBackward0, which was")
def backward_through_outer(compile):
    p = w.ones(3, requires_grad=True)
    cc = w.full((3,), 2.0)
    f = compile(lambda a: a.sum().backward())
    out = []
    for k in range(8):
        p.grad = None
        a = p * cc if k < 6 else (p * cc).exp()
        f(a)
        out.append(p.grad.tolist())
    return out


@program.refused("the call writes in place to")
def inplace_on_nonleaf(compile):
    p = w.ones(3, requires_grad=True)
    f = compile(lambda a: a.mul_(3))
    out = []
    for k in range(6):
        p.grad = None
        a = p * float(k + 1)
        f(a)
        a.sum().backward()
        out.append(p.grad.tolist())
    return out


@program.refused("the call writes in place to")
def inplace_makes_grad(compile):
    p = w.ones(3, requires_grad=True)

    def g(b):
        b.mul_(p)
        return None

    f = compile(g)
    out = []
    for k in range(6):
        p.grad = None
        b = w.full((3,), float(k))
        f(b)
        out.append(b.requires_grad)
        if b.requires_grad:
            b.sum().backward()
            out.append(p.grad.tolist())
    return out


@program.refused("the call changes requires_grad of a")
def flips_requires_grad(compile):
    out = []

    def g(x):
        x.requires_grad_()
        return x * 2

    f = compile(g)
    for _k in range(6):
        x = w.ones(2)
        y = f(x)
        out += [x.requires_grad, y.requires_grad]
    return out


@program.refused("the call changes requires_grad of a")
def flips_param(compile):
    p = w.ones(2, requires_grad=True)
    out = []

    def g(x):
        y = (p * x).sum()
        p.requires_grad_(not p.requires_grad)
        return y.detach()

    f = compile(g)
    for _k in range(8):
        out += [f(w.ones(2)).item(), p.requires_grad]
    return out


@program
def strides_read(compile):
    f = compile(lambda x: (x * 2, x.stride(), x.is_contiguous()))
    out = []
    for k in range(10):
        x = w.ones(2, 3) if k % 2 else w.ones(3, 2).t()
        y = f(x)
        out.append([y[0].stride(), y[1], y[2]])
    return out


@program
def data_replaced(compile):
    p = nn.Parameter(w.ones(2, 3))
    f = compile(lambda x: (p * x).sum())
    out = []
    for k in range(14):
        if k == 5:
            p.data = w.full((3, 2), 2.0).t()
        if k == 9:
            p.data = w.full((2, 3), 4.0)
        out.append(f(w.ones(2, 3)).item())
    return out


@program
def buffer_relaid(compile):
    m = nn.BatchNorm2d(3)
    conv = nn.Conv2d(3, 3, 1)
    w.manual_seed(1)
    out = []
    with w.no_grad():
        conv.weight.fill_(0.3)
        conv.bias.fill_(0.1)
    f = compile(lambda x: m(conv(x)).sum())
    for k in range(10):
        if k == 5:
            m.running_mean = w.ones(6)[::2]
            conv.to(memory_format=w.channels_last)
        out.append(round(f(w.ones(2, 3, 4, 4) + k).item(), 3))
        out.append(m.running_mean.tolist())
    return out


@program
def returns_param(compile):
    p = w.ones(2, requires_grad=True)
    f = compile(lambda x: (p, (p * x).sum()))
    out = []
    for _ in range(6):
        q, loss = f(w.ones(2))
        out.append(q is p)
        loss.backward()
        out.append(p.grad.tolist())
    return out


@program
def returns_input(compile):
    f = compile(lambda x: (x, x + 1))
    out = []
    for _ in range(6):
        x = w.ones(2)
        y, _z = f(x)
        out.append(y is x)
    return out


@program
def returns_input_grad(compile):
    p = w.ones(2, requires_grad=True)
    f = compile(lambda x: (x, x * p))
    out = []
    for _ in range(6):
        x = w.ones(2, requires_grad=True)
        y, z = f(x)
        out.append(y is x)
        (y + z).sum().backward()
        out.append(x.grad.tolist())
    return out


@program
def fresh_list_return(compile):
    f = compile(lambda x: {"a": [x, 1, "s"], "b": (None, x * 2)})
    out = []
    for _ in range(6):
        r = f(w.ones(1))
        r["a"].append(3)
        out.append(len(r["a"]))
    return out


@program.refused("the calls return different Python values")
def mutable_returned(compile):
    # a Python object (not tensor) made in the call and returned
    class Box:
        pass

    def g(x):
        b = Box()
        b.v = x * 2
        return b

    f = compile(g)
    return [f(w.full((1,), float(k))).v.item() for k in range(6)]


@program.unlike_any
def shared_storage_inputs(compile):
    def g(a, b):
        a.add_(1)
        return (a * b).sum()

    f = compile(g)
    out = []
    for _ in range(6):
        base = w.arange(6.0)
        out.append(f(base[:4], base[2:]).item())
        out.append(base.tolist())
    return out


@program
def input_is_view_of_state(compile):
    s = w.arange(4.0)

    def g(a):
        s.add_(1)
        return (a * 2).sum()

    f = compile(g)
    out = []
    for k in range(6):
        out.append(f(s[:2] if k > 3 else w.ones(2)).item())
    return out


@program
def input_is_state(compile):
    s = w.arange(4.0)

    def g(a):
        s.add_(1)
        return (a * 2).sum()

    f = compile(g)
    out = []
    for k in range(8):
        out.append(f(s if k > 4 else w.ones(4)).item())
    return out


@program
def none_grad_outside(compile):
    p = w.ones(2, requires_grad=True)

    def g(x):
        loss = (p * x).sum()
        loss.backward()
        return p.grad

    f = compile(g)
    out = []
    for k in range(9):
        if k in (3, 7):
            p.grad = None
        r = f(w.ones(2))
        out += [r.tolist(), r is p.grad]
    return out


@program
def grad_kept(compile):
    p = w.ones(2, requires_grad=True)
    o = w.optim.SGD([p], lr=0.1)

    def g(x):
        o.zero_grad()
        (p * x).sum().backward()
        return p.grad

    f = compile(g)
    out = []
    kept = []
    for k in range(9):
        kept.append(f(w.full((2,), float(k))))
        out.append([t.tolist() for t in kept])
    return out


@program.refused("the call uses the gradient of")
def param_arg(compile):
    p = nn.Parameter(w.ones(2))
    q = nn.Parameter(w.ones(2) * 3)
    f = compile(lambda a: (a * a).sum().backward())
    out = []
    for k in range(9):
        f(p if k % 2 else q)
        out.append([None if t.grad is None else t.grad.tolist() for t in (p, q)])
    return out


@program.refused("expected tensors from outside to keep")
def resize_input(compile):
    def g(x):
        x.unsqueeze_(0)
        return x * 2

    f = compile(g)
    out = []
    for _k in range(6):
        x = w.ones(2)
        y = f(x)
        out += [tuple(x.shape), tuple(y.shape)]
    return out


@program.refused("expected tensors from outside to keep")
def set_data_inside(compile):
    p = nn.Parameter(w.ones(2))
    old = p.data

    def g(x):
        p.data = p.data * x
        return p.sum().detach()

    f = compile(g)
    out = []
    for _k in range(6):
        out.append(f(w.full((2,), 2.0)).item())
        out.append(p.tolist())
        out.append(old.tolist())
    return out


@pytest.mark.parametrize("each", program.all, ids=lambda f: f.__name__)
def test_program(each):
    program.check(each)
