"""autocast accepts what torch's does and changes nothing; GradScaler scales, skips and adapts as torch's."""

import pytest
from optools import wengert


def test_autocast_leaves_dtypes_alone():
    x = wengert.ones(2, 2)
    with wengert.autocast("cpu", dtype=wengert.bfloat16) as region:
        assert (x @ x).dtype is wengert.float32 and region.fast_dtype is wengert.bfloat16

    @wengert.amp.autocast("cpu")
    def product(a):
        """Its words stay."""
        return a @ a

    assert product(x).dtype is wengert.float32 and product.__doc__ == "Its words stay."


def test_without_a_gpu_cuda_is_disabled_with_a_warning():
    with pytest.warns(UserWarning, match="no GPU"):
        wengert.autocast("cuda")
    with pytest.warns(UserWarning, match="no GPU"):
        scaler = wengert.cuda.amp.GradScaler(init_scale=4.0)
    assert not scaler.is_enabled() and scaler.get_scale() == 1.0 and scaler.state_dict() == {}
    assert scaler.scale(2.0) == 2.0
    wengert.autocast("cuda", enabled=False)
    with pytest.raises(RuntimeError, match="device_type"):
        wengert.autocast("abacus")
    with pytest.raises(ValueError, match="string"):
        wengert.autocast(3)


def losses(library, make_scaler, steps=12):
    """A small fit whose gradient is infinite in the fourth step; returns scales and weights."""
    w = library.ones(3, requires_grad=True)
    optimizer = library.optim.SGD([w], lr=0.05, momentum=0.9)
    scaler = make_scaler(library)
    out = []
    for step in range(steps):
        loss = ((w - 0.5) ** 2).sum() * (float("inf") if step == 4 else 1.0)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        library.nn.utils.clip_grad_norm_([w], 1.0) if step != 4 else None
        scaler.step(optimizer)
        scaler.update()
        out.append((scaler.get_scale(), w.detach().sum().item()))
    return out, scaler.state_dict()


def test_scaler_follows_torch():
    torch = pytest.importorskip("torch")

    def make(library):
        return library.amp.GradScaler("cpu", init_scale=64.0, growth_interval=3, backoff_factor=0.25)

    (ours, state), (theirs, their_state) = losses(wengert, make), losses(torch, make)
    assert state == their_state
    for a, b in zip(ours, theirs, strict=True):
        assert a[0] == b[0] and a[1] == pytest.approx(b[1], rel=1e-6)


def test_scaler_refuses_wrong_orders():
    w = wengert.ones(1, requires_grad=True)
    optimizer = wengert.optim.SGD([w], lr=0.1)
    scaler = wengert.amp.GradScaler("cpu")
    with pytest.raises(AssertionError, match="update"):
        scaler.update()
    scaler.scale([w.sum()])[0].backward()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="twice"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="two"):
        scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="after step"):
        scaler.unscale_(optimizer)
    scaler.update()
    copy = wengert.amp.GradScaler("cpu", init_scale=1.0)
    copy.load_state_dict(scaler.state_dict())
    assert copy.state_dict() == scaler.state_dict()
    with pytest.raises(RuntimeError, match="disabled"):
        copy.load_state_dict({})
    scaler.update(new_scale=8.0)
    assert scaler.get_scale() == 8.0
    with pytest.raises(ValueError, match="tensor"):
        scaler.scale(3.0)
    with pytest.raises(RuntimeError, match="closure"):
        scaler.step(optimizer, closure=lambda: w.sum())
