"""What surrounds the ops, beside torch: printing, constructors, operators, conversions, hooks, state, as expressions.

Each expression is evaluated with `lib` as wengert and as torch; the printed results, or the kinds of errors, agree.
"""

import io

import numpy as np
import pytest

import wengert

torch = pytest.importorskip("torch")

EXPRESSIONS = """
lib.tensor([])
lib.tensor(3)
lib.tensor(3.)
lib.tensor(True)
lib.tensor([1,2,3])
lib.tensor([1.,2.5,-3.])
lib.tensor([1e-8,1.,1e8])
lib.tensor([1e10,1.])
lib.tensor([0.1,float('nan'),float('inf'),-float('inf')])
lib.tensor([float('nan')])
lib.tensor([[1,2],[3,400]])
lib.zeros(2,0)
lib.zeros(0,3,dtype=lib.int64)
lib.zeros(2,3,2)
lib.arange(2000)
lib.arange(2000.).reshape(2,1000)
lib.arange(10000.).reshape(100,100)
lib.tensor([1.5],dtype=lib.float64)
lib.tensor([1.5],dtype=lib.float16)
lib.tensor([1.5],dtype=lib.bfloat16)
lib.tensor([1],dtype=lib.int8)
lib.tensor([1],dtype=lib.uint8)
lib.tensor([True,False])
lib.tensor([1.,2.],requires_grad=True)
lib.tensor([1.,2.],requires_grad=True)*2
lib.tensor([1.,2.],requires_grad=True).sum()
lib.tensor([123456.,0.001])
lib.tensor([1e-5,1e-4])
lib.tensor([100000.,1.])
lib.tensor([0.00001])
lib.tensor(1e-10)
lib.tensor([[[1.,-2.],[3.,4.]]])
lib.arange(1001)
lib.zeros(1001,2)
lib.tensor([1.,2.,3.]).t()
lib.ones(3,3).T
lib.tensor([99999999.])
lib.tensor([9999999.,0.5])
lib.tensor([0.5,100.])
lib.linspace(0,1,7)
lib.eye(3)
lib.full((2,2),float('inf'))
lib.tensor(-0.0)
lib.tensor([-0.0,1])
lib.nn.Parameter(lib.ones(2))
lib.nn.Linear(2,3)
lib.Size([1,2])
lib.float32
lib.device('cpu')
lib.tensor([1.,2.]).shape
lib.finfo(lib.float32)
lib.finfo(lib.bfloat16)
lib.ones(2).type()
lib.ones(2,dtype=lib.int64).type()
lib.ones(2).type('torch.DoubleTensor' if lib.__name__=='torch' else 'wengert.DoubleTensor')
lib.ones(2).type(lib.float16)
lib.ones(2).type(lib.LongTensor)
lib.FloatTensor([1,2])
lib.LongTensor(2,3).shape
lib.FloatTensor(2).shape
lib.Tensor([1,2])
lib.Tensor(2,3).shape
lib.Tensor().shape
lib.DoubleTensor([1]).dtype
lib.ByteTensor([1])
lib.BoolTensor([True])
lib.IntTensor([[1]])
lib.tensor(np.arange(3))
lib.tensor(np.float32(2))
lib.tensor([np.float64(1),2])
lib.tensor((1,2.5))
lib.tensor([[1,2],[3]])
lib.tensor('a')
lib.tensor([1,'a'])
lib.tensor([1,2],dtype=lib.float32).tolist()
lib.as_tensor([1,2])
lib.as_tensor(np.ones(2))
lib.from_numpy(np.ones(2,dtype=np.int16))
lib.from_numpy([1])
lib.get_default_dtype()
lib.is_tensor(1)
lib.tensor(3).item()
len(lib.ones(3,2))
len(lib.tensor(1))
list(lib.arange(3))
2 in lib.arange(3)
bool(lib.tensor([1,2]))
int(lib.tensor(2.7))
float(lib.tensor([3]))
lib.ones(2,3).size(1)
lib.ones(2,3).size()
lib.ones(2,3).dim()
lib.ones(2,3).numel()
lib.ones(2,3).stride()
lib.ones(2,3).t().is_contiguous()
lib.ones(2,3).nelement()
lib.ones(2).element_size()
lib.ones(2,3).ndim
lib.ones(2,3).nbytes
lib.ones(2).is_leaf
lib.ones(2,requires_grad=True).exp().grad_fn.name()
lib.tensor([3,1]).sort()
lib.ones(2,2).max(0)
lib.tensor([1.,2.]).data
lib.ones(2).device
lib.cuda.is_available()
lib.ones(2).numpy()
lib.ones(2,requires_grad=True).numpy()
hash(lib.float32) is not None
lib.tensor([1.,2.]).__format__('')
'{:.2f}'.format(lib.tensor(1.234))
f'{lib.tensor([1.])}'
lib.tensor(5)%3
5//lib.tensor(2)
2**lib.tensor([1,2])
1/lib.tensor([2.,4.])
-lib.tensor([1])
~lib.tensor([True])
abs(lib.tensor([-1]))
lib.tensor([1,2])@lib.tensor([3,4])
lib.tensor([1,2])&1
1|lib.tensor([2])
lib.tensor([1])<<2
lib.tensor([1,2])==lib.tensor([1,3])
round(lib.tensor(1.6))
divmod(lib.tensor(5),3)
lib.tensor([1.,2.])!=1
lib.ones(2)+np.ones(2,dtype=np.float32)
lib.ones(2)+[1,2]
lib.ones(2)+'a'
lib.tensor([1,2,3])[[0,2]]
lib.tensor([1,2,3])[-1]
lib.tensor([1,2,3])[5]
lib.tensor([1,2,3])[1.5]
lib.ones(2,3)[...,None].shape
lib.ones(2,3)[None,0,::2]
lib.ones(4)[::-1]
lib.empty(2, 3).new_tensor([1]).dtype
lib.ones(2).to(lib.float64).dtype
lib.ones(2).to("cpu", lib.int32).dtype
lib.ones(2).to(lib.ones(1, dtype=lib.float16)).dtype
lib.ones(2, 2).fill_diagonal_(3)
lib.tensor([1.0, 2.0], requires_grad=True).detach().requires_grad
lib.autograd.grad(lib.tensor(2.0, requires_grad=True) * 1, [lib.tensor(1.0, requires_grad=True)])
lib.autograd.functional.jacobian(lambda x: x**2, lib.tensor([1.0, 2.0]))
lib.autograd.functional.hessian(lambda x: (x**3).sum(), lib.tensor([1.0, 2.0]))
lib.autograd.functional.vjp(lambda x: x**2, lib.tensor([1.0, 2.0]), lib.ones(2))
lib.autograd.functional.jvp(lambda x: x**2, lib.tensor([1.0, 2.0]), lib.ones(2))
lib.autograd.functional.hvp(lambda x: (x**3).sum(), lib.tensor([1.0, 2.0]), lib.ones(2))
lib.nn.Sequential(lib.nn.Conv2d(1, 2, 3), lib.nn.ReLU(), lib.nn.Flatten())
lib.nn.ModuleDict({"a": lib.nn.Linear(1, 2), "b": lib.nn.ModuleList([lib.nn.GELU(), lib.nn.LSTM(2, 3)])})
lib.nn.ParameterList([lib.nn.Parameter(lib.zeros(2))])
lib.nn.ParameterDict({"w": lib.nn.Parameter(lib.zeros(2))})
lib.nn.TransformerEncoderLayer(4, 2, 8)
lib.nn.Linear(2, 3).weight.shape, lib.nn.Linear(2, 3, bias=False).bias
[n for n, _ in lib.nn.LSTM(2, 3, 2, bidirectional=True).named_parameters()]
[n for n, _ in lib.nn.Sequential(lib.nn.Linear(1, 1), lib.nn.BatchNorm1d(1)).named_modules()]
list(lib.nn.BatchNorm1d(3).state_dict())
lib.optim.SGD([lib.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
lib.optim.Adam([lib.zeros(1, requires_grad=True)])
list(lib.utils.data.DataLoader(lib.utils.data.TensorDataset(lib.arange(5), lib.arange(5.0)), batch_size=2))
len(lib.utils.data.DataLoader(lib.arange(5), batch_size=2, drop_last=True))
list(lib.utils.data.ConcatDataset([[1, 2], [3]]))
[len(part) for part in lib.utils.data.random_split(range(10), [0.5, 0.3, 0.2])]
lib.utils.data.default_collate([{"a": 1, "b": (2.0, "c")}, {"a": 3, "b": (4.0, "d")}])
list(lib.utils.data.BatchSampler(lib.utils.data.SequentialSampler(range(5)), 2, False))
lib.nn.utils.parameters_to_vector(lib.nn.Linear(2, 2).parameters()).shape
lib.nn.utils.rnn.pad_sequence([lib.ones(2), lib.ones(3)], batch_first=True)
lib.nn.utils.rnn.pack_padded_sequence(lib.arange(6.0).reshape(3, 2), [3, 2])
lib.nn.utils.rnn.pack_sequence([lib.arange(3), lib.arange(2)])
lib.nn.init.calculate_gain("leaky_relu", 0.2), lib.nn.init.eye_(lib.empty(2, 2)), lib.nn.init.dirac_(lib.empty(1, 1, 3))
lib.linalg.qr(lib.eye(2))
lib.linalg.slogdet(lib.eye(2))
lib.cummax(lib.tensor([1, 3, 2]), 0)
lib.initial_seed() == lib.manual_seed(7).initial_seed()
lib.rand(2, generator=lib.Generator().manual_seed(1)).shape
lib.pi, lib.e, lib.inf, lib.nan, lib.newaxis
lib.scalar_tensor(2)
lib.relu_(lib.tensor([-1.0, 2.0])), lib.sigmoid_(lib.zeros(1)), lib.exp_(lib.zeros(1))
lib.no_grad()(lambda: lib.is_grad_enabled())()
"""

EXPRESSIONS = [line for line in EXPRESSIONS.splitlines() if line]


def evaluated(lib, expression):
    """The printed result, or the kind of error."""
    try:
        text = repr(eval(expression, {"lib": lib, "np": np}))
    except Exception as e:
        return next(k for k in type(e).__mro__ if k.__module__ == "builtins")
    return text.replace("torch.", "").replace("wengert.", "")


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.filterwarnings("ignore")
def test_expressions_agree(expression):
    assert evaluated(wengert, expression) == evaluated(torch, expression)


OPTIONS = [
    {"precision": 2}, {"sci_mode": True}, {"threshold": 5}, {"linewidth": 30}, {"edgeitems": 1, "threshold": 3},
    {"profile": "full"}, {"profile": "short"}, {"sci_mode": False, "precision": 6},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_print_options(options):
    texts = []
    for lib in (wengert, torch):
        lib.set_printoptions(profile="default")
        lib.set_printoptions(**options)
        try:
            values = [lib.arange(30) * 1.37, lib.tensor([1e-6, 123456.789]), lib.arange(24.0).reshape(2, 3, 4) / 7]
            texts.append([repr(v) for v in values])
        finally:
            lib.set_printoptions(profile="default")
    assert texts[0] == texts[1]


def test_hooks_of_modules_and_tensors():
    """Every kind of hook runs, sees and changes what it does in torch.

    A leaf's own hooks run when its gradient arrives, in torch before and here behind the module's: kinds are compared
    one by one.
    """
    logs = []
    for lib in (wengert, torch):
        log = []
        net = lib.nn.Sequential(lib.nn.Linear(2, 2), lib.nn.Tanh()).double()
        with lib.no_grad():
            for p in net.parameters():
                p.fill_(0.5)
        layer = net[0]

        def pre(m, args, kwargs, log=log):
            log.append(("pre", sorted(kwargs)))
            return (args[0] * 2,), kwargs

        layer.register_forward_pre_hook(pre, with_kwargs=True)
        layer.register_forward_hook(lambda m, i, o, log=log: log.append(("forward", o.sum().item())))
        layer.register_forward_hook(lambda m, i, o: o + 1)
        layer.register_full_backward_hook(lambda m, gi, go, log=log: log.append(("backward", go[0].sum().item())))
        layer.register_full_backward_pre_hook(lambda m, go: (go[0] * 3,))
        handle = net.register_forward_hook(lambda m, i, o, log=log: log.append(("gone",)))
        handle.remove()
        x = lib.tensor([[0.1, -0.2]], dtype=lib.float64, requires_grad=True)
        x.register_hook(lambda g: g * 2)
        layer.weight.register_post_accumulate_grad_hook(
            lambda p, log=log: log.append(("grad", p.grad.sum().item()))
        )
        y = net(x)
        y.register_hook(lambda g, log=log: log.append(("y", g.sum().item())))
        y.retain_grad()
        y.sum().backward()
        log += [x.grad.tolist(), y.grad.tolist(), layer.weight.grad.tolist()]
        net.register_state_dict_pre_hook(lambda m, prefix, keep, log=log: log.append(("state", prefix)))
        net.register_load_state_dict_post_hook(lambda m, keys, log=log: log.append(("loaded", keys.missing_keys)))
        net.load_state_dict(net.state_dict())
        logs.append(log)
    logs = [sorted(log, key=lambda entry: entry[0] if isinstance(entry, tuple) else "~") for log in logs]
    for a, b in zip(*logs, strict=True):
        if isinstance(b, tuple) and isinstance(b[-1], float):
            assert a[0] == b[0] and a[1] == pytest.approx(b[1], rel=1e-9)
        elif isinstance(b, list):
            np.testing.assert_allclose(a, b, rtol=1e-9)
        else:
            assert a == b


def test_batched_gradients():
    results = []
    for lib in (wengert, torch):
        x = lib.tensor([1.0, 2.0, 3.0], requires_grad=True)
        y = x**2
        (g,) = lib.autograd.grad(y, [x], lib.eye(3), is_grads_batched=True)
        results.append(g.tolist())
    assert results[0] == results[1]


def test_generators_and_states():
    """A state that is set again gives the same numbers; the streams are our own, not torch's."""
    state = wengert.get_rng_state()
    a = wengert.randn(5)
    wengert.set_rng_state(state)
    assert wengert.equal(a, wengert.randn(5))
    file = io.BytesIO()
    wengert.save(state, file)
    file.seek(0)
    wengert.set_rng_state(wengert.load(file))
    assert wengert.equal(a, wengert.randn(5))
    assert wengert.randperm(5, generator=wengert.Generator().manual_seed(3)).sort()[0].tolist() == list(range(5))
