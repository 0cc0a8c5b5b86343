"""Training that began in torch goes on here: model, optimizer and schedule from a file that torch wrote."""

import io

import pytest
from test_optimizers import CASES, IDS

import wengert

torch = pytest.importorskip("torch")


def model_of(lib):
    nn = lib.nn
    return nn.Sequential(
        nn.Linear(3, 5, bias=False), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 2, bias=False), nn.PReLU()
    ).double()


def data_of(lib, step):
    x = lib.arange(12, dtype=lib.float64).reshape(4, 3) * 0.37 + step * 0.11
    return x.sin(), (x[:, :2] * 1.3).cos()


def run(lib, model, optimizer, schedule, steps):
    losses = []
    for step in steps:
        x, y = data_of(lib, step)
        optimizer.zero_grad()
        loss = lib.nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def parts(lib, name, options):
    model = model_of(lib)
    groups = [
        {"params": list(model[0].parameters())},
        {"params": list(model[1:].parameters()), "lr": options["lr"] / 2},
    ]
    optimizer = getattr(lib.optim, name)(groups, **options)
    return model, optimizer, lib.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_training_goes_on(name, options):
    torch.manual_seed(0)
    theirs = parts(torch, name, options)
    run(torch, *theirs, range(10))
    file = io.BytesIO()
    torch.save(dict(zip(("model", "optimizer", "schedule"), (p.state_dict() for p in theirs), strict=True)), file)
    file.seek(0)
    state = wengert.load(file)
    ours = parts(wengert, name, options)
    for part, key in zip(ours, ("model", "optimizer", "schedule"), strict=True):
        part.load_state_dict(state[key])
    expected = run(torch, *theirs, range(10, 20))
    assert run(wengert, *ours, range(10, 20)) == pytest.approx(expected, rel=1e-9, abs=1e-14)
    for (key, p), (other, q) in zip(ours[0].state_dict().items(), theirs[0].state_dict().items(), strict=True):
        assert key == other
        assert p.reshape(-1).tolist() == pytest.approx(q.reshape(-1).tolist(), rel=1e-8, abs=1e-12)
    assert [g["lr"] for g in ours[1].param_groups] == pytest.approx([g["lr"] for g in theirs[1].param_groups])


def test_lbfgs_goes_on():
    def closure(lib, model, optimizer):
        def f():
            optimizer.zero_grad()
            x, y = data_of(lib, 0)
            loss = lib.nn.functional.mse_loss(model(x), y)
            loss.backward()
            return loss

        return f

    torch.manual_seed(0)
    theirs = model_of(torch).eval()
    optimizer = torch.optim.LBFGS(theirs.parameters(), lr=0.5, max_iter=4)
    for _ in range(3):
        optimizer.step(closure(torch, theirs, optimizer))
    file = io.BytesIO()
    torch.save([theirs.state_dict(), optimizer.state_dict()], file)
    file.seek(0)
    model_state, optimizer_state = wengert.load(file)
    ours = model_of(wengert).eval()
    mine = wengert.optim.LBFGS(ours.parameters(), lr=0.5, max_iter=4)
    ours.load_state_dict(model_state)
    mine.load_state_dict(optimizer_state)
    for _ in range(3):
        a, b = mine.step(closure(wengert, ours, mine)), optimizer.step(closure(torch, theirs, optimizer))
        assert a.item() == pytest.approx(b.item(), rel=1e-8)


def test_all_problems_of_a_state_are_named_at_once():
    model = model_of(wengert)
    state = model.state_dict()
    state["0.weight"] = wengert.zeros(2, 2)
    state["1.running_mean"] = wengert.zeros(9)
    del state["3.weight"]
    state["extra"] = wengert.zeros(1)
    with pytest.raises(RuntimeError) as info:
        model.load_state_dict(state)
    text = str(info.value)
    assert all(name in text for name in ("0.weight", "1.running_mean", "3.weight", "extra"))
    kept = model_of(wengert)
    report = kept.load_state_dict({"1.bias": kept[1].bias.detach(), "extra": wengert.zeros(1)}, strict=False)
    assert "0.weight" in report.missing_keys and report.unexpected_keys == ["extra"]


def test_an_optimizer_state_of_other_groups_is_refused():
    ours, theirs = (
        parts(wengert, "Adam", {"lr": 0.1})[1],
        wengert.optim.Adam([wengert.zeros(2, requires_grad=True)]),
    )
    with pytest.raises(ValueError):
        ours.load_state_dict(theirs.state_dict())
