"""Programs that ask for a GPU get the kind of error that a PyTorch without one raises, and words that they look for."""

import pytest

import wengert

CALLS = """
x.cuda() x.cuda(0) x.xpu() x.ipu() m.cuda() m.cuda(0) m.xpu() m.ipu() torch.device('cuda') torch.device('cuda:0')
torch.device('cuda',1) torch.device(0) torch.device('cud') torch.device('cuda',-1) torch.device('cpu:0')
torch.device('privateuseone') torch.device('cuda').index torch.device('cuda:0')==torch.device('cuda')
torch.zeros(2,device='cuda') torch.zeros(2,device=0) torch.empty(2,device='cuda:1') torch.ones(1,device='cpu:x')
torch.ones(1,device='cpu:1').device.type torch.ones(2,device=torch.device('cuda')) torch.zeros(2,device='foo')
torch.zeros(2,device='xpu') torch.tensor([1.],device='cuda') torch.randn(2,device='cuda') torch.rand_like(x,device='cuda')
x.new_zeros(2,device='cuda') torch.zeros_like(x,device='cuda') torch.arange(3,device='cuda') torch.eye(2,device='cuda')
torch.as_tensor([1],device='cuda') torch.full((2,),1.,device='cuda') torch.linspace(0,1,3,device='cuda')
torch.randperm(4,device='cuda') torch.nn.Linear(2,2,device='cuda') x.to('cuda') x.to(0) x.to('mps') x.to('xpu') x.to('hip')
x.to('foo') x.to(device='cuda') x.to(torch.device('cuda')) m.to('cuda') m.to(torch.device('cuda:0')) m.to('mps')
x.type('torch.cuda.FloatTensor') torch.Generator('cuda') x.is_cuda torch.cuda.is_available() torch.cuda.device_count()
torch.cuda.current_device() torch.cuda.get_device_name() torch.cuda.get_device_properties(0) torch.cuda.mem_get_info()
torch.cuda.get_device_capability() torch.cuda.current_stream() torch.cuda.get_rng_state() torch.cuda.Stream()
torch.cuda.Event() torch.cuda.memory_allocated() torch.cuda.empty_cache() torch.nn.Sequential().cuda()
""".split()


def outcome(lib, call):
    x, m = lib.ones(2), lib.nn.Linear(2, 2)
    try:
        return repr(eval(call, {"torch": lib, "x": x, "m": m}))
    except Exception as error:
        return type(error).__name__


@pytest.mark.parametrize("call", CALLS)
def test_the_kind_of_outcome_is_that_of_torch(call):
    torch = pytest.importorskip("torch")
    assert outcome(wengert, call) == outcome(torch, call)


def test_messages_say_what_runs_and_hold_the_words_that_programs_look_for():
    with pytest.raises(
        AssertionError, match=r"expected device 'cpu', got 'cuda'.*Torch not compiled with CUDA enabled"
    ):
        wengert.ones(2).cuda()
    with pytest.raises(AssertionError, match="zeros: .*Torch not compiled with XPU enabled"):
        wengert.zeros(2, device="xpu")


def test_resize_is_deprecated():
    torch = pytest.importorskip("torch")
    for lib in (wengert, torch):
        x = lib.arange(6.0).reshape(2, 3).requires_grad_()
        with pytest.warns(UserWarning, match="deprecated"):
            y = x.resize(3, 2)
        with pytest.warns(UserWarning, match="deprecated"):
            z = x.resize_as(lib.ones(6))
        (y.sum() + (z * z).sum()).backward()
        assert y.tolist() == [[0, 1], [2, 3], [4, 5]] and x.grad.tolist() == [[1, 3, 5], [7, 9, 11]]


@pytest.mark.filterwarnings("ignore:resize")
def test_resize_keeps_the_number_of_elements():
    with pytest.raises(RuntimeError, match="view"):
        wengert.ones(2, 3).resize(4)
