"""The device "meta": tensors and models without memory, beside torch; what cannot be done without values is refused."""

import copy
import io
import pickle

import pytest

import wengert
import wengert.nn.functional as F

CALLS = """
x x+1 x@x.T x.sum() x.mean(1) x[0] x[:,None] x.to(lib.float64) x.max(1)[1] x.view(8,4) x.clone() x.std() x.argmax(1)
x.permute(1,0).reshape(-1) x>0 x.topk(2)[0] x.expand(2,4,8) x.split(2)[1] x.unbind(0)[3] x.add_(1) x.normal_() x.double()
x.zero_() x.half() lib.cat([x,x]) lib.stack([x,x],1) lib.where(x>0,x,0) lib.einsum('ij,kj->ik',x,x) x*lib.tensor(2.0)
lib.zeros_like(x) lib.empty_like(x,dtype=lib.int32) lib.rand_like(x) lib.full_like(x,2) x.new_zeros(3,2) x.new_full((2,),1)
x.new_ones((2,3),dtype=lib.int64) c.to('meta') c.to('meta',lib.float64) c.to(lib.device('meta')) c.to(x) x.to('meta')
lib.empty(2,3,device='meta') lib.zeros((2,3),device='meta') lib.ones(2,dtype=lib.int64,device='meta') x.T.detach()
lib.rand(2,2,device='meta') lib.randn(size=(2,2),device='meta') lib.full((2,),3,device='meta') lib.arange(5,device='meta')
lib.full((2,),3.5,device='meta') lib.eye(3,device='meta') lib.linspace(0,1,5,device='meta') lib.randperm(3,device='meta')
lib.randint(0,3,(2,2),device='meta') lib.tensor([1,2],device='meta') lib.as_tensor([1.5],device='meta')
lib.zeros_like(c,device='meta') lib.empty_like(c,device='meta') c.new_zeros(2,device='meta') x.copy_(c2)
lib.ones(2,device='meta',requires_grad=True) lib.ones(2,device='meta',requires_grad=True)*2
""".split()


def described(t):
    kind = str(t.dtype).rpartition(".")[2]
    return t.device.type, t.is_meta, tuple(t.shape), kind, t.requires_grad, t.numel(), t.element_size()


@pytest.mark.parametrize("call", CALLS)
def test_shapes_dtypes_and_devices_are_those_of_torch(call):
    torch = pytest.importorskip("torch")
    found = []
    for lib in (wengert, torch):
        x = lib.ones(4, 8, device="meta")
        found.append(described(eval(call, {"lib": lib, "x": x, "c": lib.ones(2, 3), "c2": lib.ones(4, 8)})))
    assert found[0] == found[1] and found[0][1]


def test_printing():
    torch = pytest.importorskip("torch")
    for make in ("lib.ones(2, 3, device='meta')", "lib.ones(2, device='meta', requires_grad=True)"):
        assert repr(eval(make, {"lib": wengert})) == repr(eval(make, {"lib": torch})).replace("torch.", "wengert.")
    assert "dtype=wengert.int64" in repr(wengert.arange(3, device="meta"))


MODELS = {
    "linear": (lambda nn: nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2)), (3, 8)),
    "convolutions": (
        lambda nn: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.MaxPool2d(2)),
        (2, 3, 8, 8),
    ),
    "transformer": (lambda nn: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8)),
    "norms": (lambda nn: nn.Sequential(nn.LayerNorm(8), nn.GELU(), nn.Dropout(0.5), nn.Softmax(-1)), (3, 8)),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_on_meta_count_run_and_get_memory(name):
    build, shape = MODELS[name]
    with wengert.device("meta"):
        model = build(wengert.nn)
        x = wengert.ones(shape)
    dense = build(wengert.nn)
    assert all(p.is_meta and isinstance(p, wengert.nn.Parameter) for p in model.parameters())
    assert {n: p.shape for n, p in model.named_parameters()} == {n: p.shape for n, p in dense.named_parameters()}
    y = model(x)
    assert y.is_meta and y.shape == dense(wengert.ones(shape)).shape and not wengert.ones(1).is_meta
    assert copy.deepcopy(model).state_dict().keys() == dense.state_dict().keys()
    model.load_state_dict(dense.state_dict(), assign=True)
    assert not any(t.is_meta for t in model.state_dict().values())
    x = wengert.randn(shape)
    assert model.eval()(x).equal(dense.eval()(x)) and all(p.requires_grad for p in model.parameters())
    model(x).sum().backward()


def test_to_empty_gives_memory_and_to_meta_takes_it():
    model = wengert.nn.Linear(3, 2).to("meta")
    assert model.weight.is_meta and model.weight.requires_grad and type(model.weight.data).__name__ == "MetaTensor"
    with pytest.raises(NotImplementedError, match="to_empty"):
        model.to("cpu")
    model.to_empty(device="cpu")
    model.reset_parameters()
    assert isinstance(model.weight, wengert.nn.Parameter) and model(wengert.ones(1, 3)).isfinite().all()
    assert wengert.nn.LSTM(3, 4, device="meta").half().weight_ih_l0.dtype is wengert.float16


def test_huge_models_take_no_memory():
    with wengert.device("meta"):
        model = wengert.nn.Linear(2_000_000, 2_000_000)
    assert sum(p.numel() for p in model.parameters()) == 4_000_002_000_000
    assert model(wengert.empty(7, 2_000_000, device="meta")).shape == (7, 2_000_000)


REFUSED = [
    ("x.item()", RuntimeError), ("x.tolist()", (RuntimeError, NotImplementedError)), ("x.cpu()", NotImplementedError),
    ("x.numpy()", (RuntimeError, TypeError)), ("x.to('cpu')", NotImplementedError), ("bool(x.sum())", RuntimeError),
    ("float(x.sum())", RuntimeError), ("x.nonzero()", NotImplementedError), ("c.copy_(x)", NotImplementedError),
    ("c.add_(x)", (RuntimeError, NotImplementedError)), ("x.add_(x[0,:2])", RuntimeError),
    ("x.sum().backward()", (RuntimeError, NotImplementedError)), ("lib.Generator('meta')", RuntimeError),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error"), REFUSED)
def test_what_needs_values_is_refused(call, error):
    known = {"lib": wengert, "x": wengert.ones(4, 8, device="meta"), "c": wengert.ones(4, 8)}
    with pytest.raises(error):
        eval(call, known)
    with pytest.raises(RuntimeError, match="set_default_device"):
        wengert.set_default_device("meta")


def test_states_without_memory():
    model = wengert.nn.Linear(2, 2, device="meta")
    with pytest.warns(UserWarning, match="nothing is copied"):
        model.load_state_dict(wengert.nn.Linear(2, 2).state_dict())
    x = wengert.ones(2, 3, device="meta", dtype=wengert.float64)
    assert described(pickle.loads(pickle.dumps(x))) == described(copy.deepcopy(x)) == described(x)
    with pytest.raises((RuntimeError, TypeError, NotImplementedError)):
        wengert.save(x, io.BytesIO())


def test_blocks_nest_and_explicit_devices_win():
    with wengert.device("meta"):
        assert wengert.zeros(2, device="cpu").sum().item() == 0 and wengert.zeros(2).is_meta
        with wengert.device("cpu"):
            pass
        assert not wengert.zeros_like(wengert.ones(2, device="cpu")).is_meta and wengert.tensor([1]).is_meta
    assert wengert.zeros(2).sum().item() == 0 and not F.relu(wengert.ones(2)).is_meta
