"""Training programs as users of torch.compile write them, step by step the same when compiled."""

import collections
import copy
import dataclasses

import numpy as np
import pytest
from compile_users import Users, net, params, regression, values

import wengert as torch

F = torch.nn.functional
program = Users()
# What is not captured, and why.
PLAIN = {
    "learned_optimizer": "uses the gradient of an argument",
}


@program
def gan(compile):
    G, D = (net(2, 8, 3), net(3, 8, 1, seed=1))
    og, od = (torch.optim.Adam(G.parameters(), 0.01, betas=(0.5, 0.999)), torch.optim.Adam(D.parameters(), 0.01))
    bce = F.binary_cross_entropy_with_logits

    def step_d(real):
        od.zero_grad()
        fake = G(torch.randn(real.shape[0], 2)).detach()
        a, b = (D(real), D(fake))
        loss = bce(a, torch.ones_like(a)) + bce(b, torch.zeros_like(b))
        loss.backward()
        od.step()
        return loss

    def step_g(n):
        og.zero_grad()
        s = D(G(torch.randn(n, 2)))
        loss = bce(s, torch.ones_like(s))
        loss.backward()
        og.step()
        return loss

    sd, sg = (compile(step_d), compile(step_g))
    out = []
    for _k in range(8):
        out += [sd(torch.randn(5, 3)), sg(5)]
    return out + params(G, D)


@program
def gan_in_one_step(compile):
    G, D = (net(2, 8, 3), net(3, 8, 1, seed=1))
    og, od = (torch.optim.RMSprop(G.parameters(), 0.01), torch.optim.SGD(D.parameters(), 0.01, momentum=0.9))

    def step(real):
        z = torch.randn(real.shape[0], 2)
        od.zero_grad(set_to_none=True)
        with torch.no_grad():
            fake = G(z)
        ld = F.softplus(-D(real)).mean() + F.softplus(D(fake)).mean()
        ld.backward()
        od.step()
        for p in D.parameters():
            p.requires_grad_(False)
        og.zero_grad(set_to_none=True)
        lg = F.softplus(-D(G(z))).mean()
        lg.backward()
        og.step()
        for p in D.parameters():
            p.requires_grad_(True)
        return {"d": ld.detach(), "g": lg.detach()}

    fast = compile(step)
    return [fast(torch.randn(5, 3)) for k in range(6)] + params(G, D)


@program
def accumulation(compile):
    model = net(3, 8, 2)
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)

    def micro(x, y, n):
        loss = F.mse_loss(model(x), y) / n
        loss.backward()
        return loss.detach()

    def finish():
        n = torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad()
        return n

    cm, cf = (compile(micro), compile(finish))
    out = []
    for _k in range(5):
        for _j in range(3):
            out.append(cm(torch.randn(4, 3), torch.randn(4, 2), 3))
        out.append(cf())
    return out + params(model)


@program
def accumulation_in_one(compile):
    model = net(3, 8, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)

    def step(x, y):
        optimizer.zero_grad()
        total = 0.0
        for a, b in zip(x.chunk(4), y.chunk(4), strict=True):
            loss = F.mse_loss(model(a), b) / 4
            loss.backward()
            total = total + loss.detach()
        optimizer.step()
        return total

    fast = compile(step)
    return [fast(torch.randn(8, 3), torch.randn(8, 2)) for _ in range(6)] + params(model)


@program
def mixed(compile):
    model = net(3, 8, 2)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    step = regression(model, optimizer)
    fast = compile(step)
    out = []
    for k in range(12):
        out.append((fast if k % 3 else step)(torch.randn(4, 3), torch.randn(4, 2)).detach())
    return out + params(model)


@program
def ema(compile):
    st = net(3, 8, 2)
    te = copy.deepcopy(st)
    for p in te.parameters():
        p.requires_grad_(False)
    optimizer = torch.optim.SGD(st.parameters(), 0.1)

    def step(x):
        optimizer.zero_grad()
        with torch.no_grad():
            t = te(x).softmax(-1)
        loss = -(t * st(x + 0.1 * torch.randn_like(x)).log_softmax(-1)).sum(-1).mean()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for a, b in zip(te.parameters(), st.parameters(), strict=True):
                a.mul_(0.99).add_(b, alpha=0.01)
        return loss

    fast = compile(step)
    return [fast(torch.randn(4, 3)) for _ in range(6)] + params(st, te)


@program
def averaged_model(compile):
    model = net(3, 8, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    avg = torch.optim.swa_utils.AveragedModel(model)

    fast = compile(regression(model, optimizer))
    out = []
    for k in range(8):
        out.append(fast(torch.randn(4, 3), torch.randn(4, 2)))
        if k > 3:
            avg.update_parameters(model)
    return out + params(model, avg)


@program
def dqn(compile):
    q = net(3, 8, 2)
    target = copy.deepcopy(q)
    optimizer = torch.optim.Adam(q.parameters(), 0.01)
    buf = collections.deque(maxlen=32)
    rng = np.random.default_rng(0)
    act = compile(lambda s: q(s).argmax(-1))

    def learn(s, a, r, s2, d):
        with torch.no_grad():
            y = r + 0.9 * (1 - d) * target(s2).max(1).values
        loss = F.smooth_l1_loss(q(s).gather(1, a[:, None]).squeeze(1), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    cl = compile(learn)
    out = []
    s = torch.randn(3)
    for k in range(40):
        with torch.no_grad():
            a = int(act(s[None])) if rng.random() > 0.3 else int(rng.integers(2))
        s2 = s * 0.9 + torch.randn(3) * 0.1 + (0.1 if a else -0.1)
        buf.append((s, a, float(-s2.norm()), s2, float(k % 7 == 0)))
        s = s2
        if len(buf) >= 8:
            idx = rng.choice(len(buf), 8, replace=False)
            b = [buf[i] for i in idx]
            join = (torch.stack, torch.tensor, torch.tensor, torch.stack, torch.tensor)
            out.append(
                cl(*[make(column) for make, column in zip(join, map(list, zip(*b, strict=True)), strict=True)])
            )
        if k % 10 == 0:
            target.load_state_dict(q.state_dict())
    return out + params(q, target)


@program
def reinforce(compile):
    pi = net(2, 8, 3)
    optimizer = torch.optim.Adam(pi.parameters(), 0.01)

    def step(s):
        d = torch.distributions.Categorical(logits=pi(s))
        a = d.sample()
        r = (a == 1).float()
        loss = -(d.log_prob(a) * (r - r.mean())).mean() - 0.01 * d.entropy().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return (a, loss.detach())

    fast = compile(step)
    out = []
    for _ in range(6):
        out += list(fast(torch.randn(5, 2)))
    return out + params(pi)


@program
def learned_optimizer(compile):
    opt = net(2, 8, 1)
    meta = torch.optim.Adam(opt.parameters(), 0.01)

    def step(w0, x, y):
        w = w0
        total = 0.0
        for _ in range(4):
            loss = ((x @ w - y) ** 2).mean()
            (g,) = torch.autograd.grad(loss, w, create_graph=True)
            w = w - 0.1 * opt(torch.stack([g, w], -1)).squeeze(-1)
            total = total + loss
        meta.zero_grad()
        total.backward()
        meta.step()
        return total.detach()

    fast = compile(step)
    return [fast(torch.randn(3).requires_grad_(), torch.randn(5, 3), torch.randn(5)) for _ in range(6)] + params(
        opt
    )


@program
def maml(compile):
    model = net(1, 8, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)

    def step(xs, ys, xq, yq):
        optimizer.zero_grad()
        ps = dict(model.named_parameters())
        total = 0.0
        for k in range(xs.shape[0]):
            loss = F.mse_loss(torch.func.functional_call(model, ps, (xs[k],)), ys[k])
            g = torch.autograd.grad(loss, list(ps.values()), create_graph=True)
            fast = {n: p - 0.1 * d for (n, p), d in zip(ps.items(), g, strict=True)}
            total = total + F.mse_loss(torch.func.functional_call(model, fast, (xq[k],)), yq[k])
        total.backward()
        optimizer.step()
        return total.detach()

    fast = compile(step)
    return [fast(*[torch.randn(2, 4, 1) for _ in range(4)]) for _ in range(5)] + params(model)


@program
def lbfgs(compile):
    model = net(3, 6, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4, line_search_fn="strong_wolfe")
    x, y = (torch.randn(8, 3), torch.randn(8, 1))

    def value(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        return loss

    v = compile(value)
    return [optimizer.step(lambda: v(x, y)) for _ in range(5)] + params(model)


@program
def lbfgs_forward(compile):
    model = net(3, 6, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)
    x, y = (torch.randn(8, 3), torch.randn(8, 1))
    f = compile(model)

    def closure():
        optimizer.zero_grad()
        loss = F.mse_loss(f(x), y)
        loss.backward()
        return loss

    return [optimizer.step(closure) for _ in range(5)] + params(model)


@program
def swap_state(compile):
    model = net(3, 8, 2)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    saved = None

    fast = compile(regression(model, optimizer))
    out = []
    for k in range(14):
        out.append(fast(torch.randn(4, 3), torch.randn(4, 2)))
        if k == 3:
            saved = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
        if k == 7:
            model.load_state_dict(saved[0])
            optimizer.load_state_dict(saved[1])
        if k == 10:
            model.load_state_dict(saved[0], assign=True)
    return out + params(model)


@program
def lr_by_hand(compile):
    model = net(3, 8, 2)
    out = []
    for kind in (torch.optim.SGD, torch.optim.Adam, torch.optim.Adadelta, torch.optim.NAdam):
        optimizer = kind(model.parameters(), lr=0.01)
        fast = compile(regression(model, optimizer))
        for k in range(8):
            if k > 3:
                optimizer.param_groups[0]["lr"] = 0.01 / (k + 1)
            out.append(fast(torch.randn(4, 3), torch.randn(4, 2)))
    return out + params(model)


@program
def schedulers(compile):
    model = net(3, 8, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    sch = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=20)
    out = []

    fast = compile(regression(model, optimizer))
    for _k in range(12):
        out.append(fast(torch.randn(4, 3), torch.randn(4, 2)))
        sch.step()
    return out + params(model)


@program
def freezing(compile):
    model = net(3, 8, 8, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
    out = []

    fast = compile(regression(model, optimizer))
    for k in range(16):
        if k == 5:
            model[0].requires_grad_(False)
        if k == 10:
            model[0].requires_grad_(True)
            model[2].weight.requires_grad_(False)
        out.append(fast(torch.randn(4, 3), torch.randn(4, 2)))
    return out + params(model) + [torch.tensor([p.grad is None for p in model.parameters()])]


@program
def gradual_unfreeze_groups(compile):
    model = net(3, 8, 2)
    optimizer = torch.optim.Adam(model[2].parameters(), 0.1)
    out = []

    fast = compile(regression(model, optimizer))
    for k in range(10):
        if k == 5:
            optimizer.add_param_group({"params": list(model[0].parameters()), "lr": 0.001})
        out.append(fast(torch.randn(4, 3), torch.randn(4, 2)))
    return out + params(model)


@program
def early_exit(compile):
    model = net(3, 8, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    out = []

    def step(x, y, k):
        loss = F.mse_loss(model(x), y)
        loss.backward()
        if k % 3 == 2:
            optimizer.step()
            optimizer.zero_grad()
            return (loss.detach(), True)
        return (loss.detach(), False)

    fast = compile(step)
    for k in range(14):
        loss, f = fast(torch.randn(4, 3), torch.randn(4, 2), k)
        out += [loss, torch.tensor(f)]
    return out + params(model)


@program
def early_exit_on_self(compile):

    class T:
        def __init__(self):
            self.model = net(3, 8, 2)
            self.optimizer = torch.optim.Adam(self.model.parameters(), 0.01)
            self.k = 0
            self.every = 4

        def step(self, x, y):
            self.k += 1
            loss = F.mse_loss(self.model(x), y)
            loss.backward()
            if self.k % self.every == 0:
                self.optimizer.step()
                self.optimizer.zero_grad()
            return loss.detach()

    t = T()
    fast = compile(t.step)
    out = [fast(torch.randn(4, 3), torch.randn(4, 2)) for _ in range(14)]
    t.every = 2
    out += [fast(torch.randn(4, 3), torch.randn(4, 2)) for _ in range(6)]
    return out + params(t.model) + [torch.tensor(t.k)]


@program
def last_batch(compile):
    model = net(3, 8, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    out = []

    fast = compile(regression(model, optimizer))
    for _e in range(4):
        for n in (4, 4, 4, 3):
            out.append(fast(torch.randn(n, 3), torch.randn(n, 2)))
    return out + params(model)


@program
def metrics(compile):
    model = net(3, 8, 2)
    correct = torch.zeros(())
    seen = torch.zeros(())

    def evaluate(x, y):
        with torch.no_grad():
            p = model(x).argmax(-1)
            correct.add_((p == y).sum())
            seen.add_(len(y))
            return correct / seen

    f = compile(evaluate)
    return [f(torch.randn(n, 3), torch.randint(0, 2, (n,))) for n in (4, 4, 4, 4, 3, 3, 3, 4)] + [correct, seen]


@program
def compiled_loss_and_model(compile):
    model = net(3, 8, 2)
    cm = compile(model)
    cl = compile(lambda a, b: F.cross_entropy(a, b, label_smoothing=0.1))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    out = []
    for _k in range(6):
        optimizer.zero_grad()
        loss = cl(cm(torch.randn(4, 3)), torch.randint(0, 2, (4,)))
        loss.backward()
        optimizer.step()
        out.append(loss.detach())
    return out + params(model)


@program
def penalty(compile):
    D = net(3, 8, 1)
    optimizer = torch.optim.Adam(D.parameters(), 0.01)

    def step(real, fake):
        optimizer.zero_grad()
        a = torch.rand(real.shape[0], 1)
        mid = (a * real + (1 - a) * fake).requires_grad_()
        (g,) = torch.autograd.grad(D(mid).sum(), mid, create_graph=True)
        loss = D(fake).mean() - D(real).mean() + 10 * ((g.norm(dim=1) - 1) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    fast = compile(step)
    return [fast(torch.randn(4, 3), torch.randn(4, 3)) for _ in range(5)] + params(D)


@program
def vae(compile):
    enc, dec = (net(4, 8, 4), net(2, 8, 4, seed=1))
    optimizer = torch.optim.Adam([*enc.parameters(), *dec.parameters()], 0.01)

    @dataclasses.dataclass
    class Out:
        loss: torch.Tensor
        recon: torch.Tensor
        n: int = 0

    def step(x):
        optimizer.zero_grad()
        mu, lv = enc(x).chunk(2, -1)
        z = mu + torch.randn_like(mu) * (lv / 2).exp()
        r = dec(z)
        kl = -0.5 * (1 + lv - mu.pow(2) - lv.exp()).sum(-1).mean()
        loss = F.mse_loss(r, x) + kl
        loss.backward()
        optimizer.step()
        return Out(loss.detach(), r.detach(), len(x))

    fast = compile(step)
    out = []
    for _ in range(6):
        r = fast(torch.randn(5, 4))
        out += [r.loss, r.recon, torch.tensor(r.n)]
    return out + params(enc, dec)


@pytest.mark.parametrize("name", program)
def test_program(name, capsys):
    made = program.check(name, capsys, values)
    reason = PLAIN.get(name)
    if reason is None:
        assert any(fast.plans for fast in made), [fast.reason for fast in made]
    else:
        assert any(fast.reason and reason in fast.reason for fast in made), [fast.reason for fast in made]
