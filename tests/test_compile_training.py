"""Compiled training steps do what plain ones do: schedules, micro batches, loaded states, modes, hooks, custom functions."""

import copy

import pytest
from compile_tools import Programs

import wengert as w
from wengert import nn

program = Programs()


class Counting(w.autograd.Function):
    calls = 0

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        Counting.calls += 1
        return x * 2

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * x


@program
def scheduler_inside(compile):
    p = w.ones(2, requires_grad=True)
    o = w.optim.SGD([p], lr=0.1)
    s = w.optim.lr_scheduler.ExponentialLR(o, 0.5)
    out = []

    def g(x):
        o.zero_grad()
        (p * x).sum().backward()
        o.step()
        s.step()

    f = compile(g)
    for _k in range(8):
        f(w.ones(2))
        out.append([p.tolist(), o.param_groups[0]["lr"], s.last_epoch])
    return out


@program
def schedulers_in_list(compile):
    p = w.ones(2, requires_grad=True)
    o = w.optim.SGD([p], lr=0.1)
    s = [w.optim.lr_scheduler.ExponentialLR(o, 0.5)]
    out = []

    def g(x):
        o.zero_grad()
        (p * x).sum().backward()
        o.step()
        [q.step() for q in s]

    f = compile(g)
    for _k in range(8):
        f(w.ones(2))
        out.append([p.tolist(), o.param_groups[0]["lr"], s[0].last_epoch])
    return out


@program
def autocast_outside(compile):
    f = compile(lambda a, b: a @ b)
    out = []
    a = w.linspace(0, 1, 9).view(3, 3)
    for k in range(10):
        with w.autocast("cpu", dtype=w.bfloat16, enabled=k > 5):
            y = f(a, a)
        out += [str(y.dtype), y.float().tolist()]
    return out


@program
def default_dtype(compile):
    f = compile(lambda x: w.zeros(2) + x.sum())
    out = []
    for k in range(10):
        w.set_default_dtype(w.float64 if k > 5 else w.float32)
        out.append(str(f(w.ones(2, dtype=w.float32)).dtype))
    w.set_default_dtype(w.float32)
    return out


@program
def no_grad_out_in(compile):
    layer = nn.Linear(2, 2)

    def g(x):
        with w.no_grad():
            y = layer(x)
        return y + layer(x)

    f = compile(g)
    out = []
    for k in range(10):
        with w.set_grad_enabled(k % 2 == 0):
            y = f(w.ones(2))
        out.append(y.requires_grad)
        if y.requires_grad:
            layer.zero_grad()
            y.sum().backward()
            out.append(layer.bias.grad.tolist())
    return out


@program
def micro_batches(compile):
    w.manual_seed(0)
    m = nn.Linear(2, 1)
    o = w.optim.Adam(m.parameters(), lr=0.1)

    def g(xs):
        for x in xs:
            (m(x).square().mean() / len(xs)).backward()
        o.step()
        o.zero_grad()

    f = compile(g)
    out = []
    for k in range(8):
        f([w.full((3, 2), float(k + j)) for j in range(3)])
        out.append(m.weight.tolist())
    return out


@program
def micro_batches_outside(compile):
    w.manual_seed(0)
    m = nn.Linear(2, 1)
    o = w.optim.Adam(m.parameters(), lr=0.1)
    f = compile(lambda x: (m(x).square().mean() / 3).backward())
    out = []
    for k in range(15):
        f(w.full((3, 2), float(k)))
        if k % 3 == 2:
            o.step()
            o.zero_grad()
        out.append(m.weight.tolist())
    return out


@program
def tied(compile):
    w.manual_seed(0)
    a = nn.Linear(3, 3)
    b = nn.Linear(3, 3)
    b.weight = a.weight
    o = w.optim.SGD([a.weight, a.bias, b.bias], lr=0.1, momentum=0.5)

    def g(x):
        o.zero_grad()
        loss = b(a(x)).square().sum()
        loss.backward()
        o.step()
        return loss.detach()

    f = compile(g)
    return [f(w.ones(2, 3)).item() for _ in range(9)]


@program
def func_inside(compile):
    def g(x):
        return w.func.grad(lambda y: (y**3).sum())(x), w.func.vmap(lambda r: r.sin())(x.view(3, 1))

    f = compile(g)
    return [[t.tolist() for t in f(w.full((3,), float(k)))] for k in range(6)]


@program.refused("the call changes Counting.calls")
def custom_function(compile):
    Counting.n = 0
    f = compile(lambda x: Counting.apply(x).sum())
    out = []
    for k in range(6):
        x = w.full((2,), float(k), requires_grad=True)
        f(x).backward()
        out.append(x.grad.tolist())
        out.append(Counting.n)
    return out


@program
def exceptions(compile):
    s = w.zeros(1)

    def g(x, bad):
        s.add_(1)
        if bad:
            raise ValueError("no")
        return x * 2

    f = compile(g)
    out = []
    for k in range(12):
        try:
            out.append(f(w.ones(1), k % 3 == 2).item())
        except ValueError:
            out.append("E")
        out.append(s.item())
    return out


@program
def dtype_double(compile):
    w.manual_seed(0)
    m = nn.Linear(2, 2)
    f = compile(lambda x: m(x))
    out = []
    for k in range(10):
        if k == 5:
            m.double()
        out.append(str(f(w.ones(1, 2, dtype=m.weight.dtype)).dtype))
    return out


@program
def param_changed_before_backward(compile):
    p = w.ones(2, requires_grad=True)
    f = compile(lambda x: (p * p * x).sum())
    out = []
    for _ in range(6):
        y = f(w.ones(2))
        with w.no_grad():
            p.mul_(2)
        try:
            y.backward()
            out.append(p.grad.tolist())
        except RuntimeError:
            out.append("E")
    return out


@program
def load_state(compile):
    w.manual_seed(0)
    m = nn.Linear(2, 1)
    o = w.optim.Adam(m.parameters(), lr=0.1)

    def g(x):
        o.zero_grad()
        loss = m(x).square().mean()
        loss.backward()
        o.step()
        return loss.detach()

    f = compile(g)
    out = []
    sd = copy.deepcopy(m.state_dict())
    od = None
    for k in range(12):
        if k == 4:
            od = copy.deepcopy(o.state_dict())
        if k == 6:
            m.load_state_dict(sd)
        if k == 8:
            o.load_state_dict(od)
        if k == 10:
            m.load_state_dict(sd, assign=True)
        out.append(f(w.ones(3, 2)).item())
    return out


@program
def gan(compile):
    w.manual_seed(0)
    G = nn.Linear(2, 2)
    D = nn.Linear(2, 1)
    og = w.optim.Adam(G.parameters(), lr=0.1)
    od = w.optim.RMSprop(D.parameters(), lr=0.1)

    def d(x):
        od.zero_grad()
        loss = D(x).mean() - D(G(w.randn(4, 2)).detach()).mean()
        loss.backward()
        od.step()
        return loss.detach()

    def g():
        og.zero_grad()
        loss = D(G(w.randn(4, 2))).mean()
        loss.backward()
        og.step()
        return loss.detach()

    d, g = compile(d), compile(g)
    out = []
    for _k in range(9):
        out += [d(w.ones(3, 2)).item(), g().item()]
    return out


@program
def train_flag(compile):
    w.manual_seed(0)
    m = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.BatchNorm1d(3))
    f = compile(m)
    out = []
    for k in range(14):
        m.train(k % 5 < 3)
        out.append(f(w.ones(4, 3)).tolist())
    return out


@program.refused("the call changes module.b, which a")
def setattr_buffer(compile):
    class M(nn.Module):
        def __init__(s):
            super().__init__()
            s.register_buffer("b", w.zeros(2))

        def forward(s, x):
            s.b = s.b * 0.9 + x
            return s.b

    m = M()
    f = compile(m)
    return [f(w.ones(2) * k).tolist() for k in range(8)]


@program
def rng_state_read(compile):
    w.manual_seed(0)
    f = compile(lambda x: x + w.rand(2))
    out = []
    for k in range(10):
        if k == 5:
            w.manual_seed(3)
        if k == 7:
            with w.random.fork_rng():
                out.append(f(w.zeros(2)).tolist())
        out.append(f(w.zeros(2)).tolist())
        out.append(w.rand(1).item())
    return out


@program
def retain_hook(compile):
    p = w.ones(2, requires_grad=True)

    def g(x):
        h = p * x
        h.register_hook(lambda gr: gr * 2)
        h.retain_grad()
        (h * h).sum().backward()
        return h.grad

    f = compile(g)
    out = []
    for k in range(6):
        p.grad = None
        r = f(w.ones(2) * k)
        out.append([p.grad.tolist(), r.tolist()])
    return out


@program
def cond_while(compile):
    p = w.tensor(2.0, requires_grad=True)

    def g(x):
        y = w.cond(x.sum() > 0, lambda a: a * p, lambda a: a - p, (x,))
        n, z = w.while_loop(lambda n, z: n < 3, lambda n, z: (n + 1, z * p), (w.tensor(0), y))
        cc, ys = w.scan(lambda cr, v: (cr + v * p, cr), x[0] * 0, z)
        return cc + ys.sum()

    f = compile(g)
    out = []
    for k in range(8):
        p.grad = None
        y = f(w.full((3,), float(k - 3)))
        y.backward()
        out += [y.item(), p.grad.item()]
    return out


@pytest.mark.parametrize("each", program.all, ids=lambda f: f.__name__)
def test_program(each):
    program.check(each)
