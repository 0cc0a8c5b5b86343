"""What is shown, handed to NumPy, copied, pickled and stored, beside torch: expressions, evaluated with both libraries."""

import copy
import io
import math
import pickle
import re
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import wengert  # noqa: E402


def rt(value):
    """Pickled and back."""
    return pickle.loads(pickle.dumps(value))


def sv(lib, value, **kwargs):
    """Saved and loaded."""
    file = io.BytesIO()
    lib.save(value, file)
    file.seek(0)
    return lib.load(file, **kwargs)


def text(lib, expression):
    """What an expression gives, with the name of the library taken out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = {"lib": lib, "np": np, "io": io, "math": math, "copy": copy, "pickle": pickle, "rt": rt, "sv": sv}
        shown = str(eval(expression, names))
    return re.sub(r"0x[0-9a-f]+", "0x", shown).replace("wengert", "torch")


SHOWN = r"""
lib.Size([2,3])
lib.Size([])
lib.Size((1,))+lib.Size((2,))
lib.Size([2,3])[0:1]
lib.Size([2,3])*2
(1,)+lib.Size([2])
lib.Size([2,3]).numel()
repr(lib.float32), str(lib.float32), lib.float32.itemsize, lib.float32.is_floating_point
lib.device("cpu")
str(lib.device("cpu"))
lib.device("cpu").type
lib.device("cpu").index
lib.device("cpu",0)
lib.device("cpu:0")
lib.device("cpu")==lib.device("cpu"), hash(lib.device("cpu"))==hash(lib.device("cpu"))
lib.Generator().device
type(lib.Generator()).__name__
lib.strided, lib.contiguous_format
lib.tensor(1).type(), lib.tensor(1.).type(), lib.tensor(True).type()
lib.ones(2).storage()
lib.ones(2).untyped_storage()
lib.ones(2).storage().tolist(), len(lib.ones(2).storage()), lib.ones(2).storage().size()
lib.ones(2).untyped_storage().nbytes(), len(lib.ones(2).untyped_storage())
lib.ones(2,3).t().storage_offset(), lib.ones(2,3).t().stride()
lib.finfo(lib.float32)
lib.iinfo(lib.int8)
lib.finfo(lib.float16)
lib.finfo(lib.bfloat16)
lib.nn.Parameter(lib.ones(2))
lib.nn.Parameter(lib.ones(2,2), requires_grad=False)
repr(lib.nn.ParameterList([lib.ones(2), lib.nn.Parameter(lib.ones(1,2))]))
repr(lib.nn.ParameterDict({"a": lib.nn.Parameter(lib.ones(1,2))}))
repr(lib.nn.ModuleList([lib.nn.Linear(1,2), lib.nn.Linear(1,2), lib.nn.ReLU()]))
repr(lib.nn.ModuleDict({"a": lib.nn.Linear(1,2), "b": lib.nn.Sequential(lib.nn.ReLU())}))
repr(lib.nn.Sequential())
repr(lib.nn.Module())
repr(lib.nn.LSTM(2,3,2,bidirectional=True,dropout=.1))
repr(lib.nn.TransformerEncoder(lib.nn.TransformerEncoderLayer(4,2),2))
repr(lib.nn.MultiheadAttention(4,2))
repr(lib.nn.Transformer(4,2,1,1,8))
repr(lib.nn.utils.parametrizations.weight_norm(lib.nn.Linear(2,2)))
repr(lib.nn.utils.parametrizations.spectral_norm(lib.nn.Linear(2,2)))
repr(lib.nn.LazyLinear(3))
repr(lib.nn.UninitializedParameter())
repr(lib.optim.SGD([lib.nn.Parameter(lib.ones(1))], lr=.1))
repr(lib.optim.Adam([lib.nn.Parameter(lib.ones(1))]))
repr(lib.optim.LBFGS([lib.nn.Parameter(lib.ones(1))]))
repr(lib.optim.RMSprop([lib.nn.Parameter(lib.ones(1))]))
repr(lib.optim.NAdam([lib.nn.Parameter(lib.ones(1))]))
repr(lib.optim.Adagrad([lib.nn.Parameter(lib.ones(1))]))
repr(lib.distributions.Normal(0.,1.))
repr(lib.distributions.Normal(lib.zeros(3),lib.ones(3)))
repr(lib.distributions.Categorical(lib.ones(3)))
repr(lib.distributions.Categorical(logits=lib.zeros(2,3)))
repr(lib.distributions.MultivariateNormal(lib.zeros(2),lib.eye(2)))
repr(lib.distributions.Independent(lib.distributions.Normal(lib.zeros(3),lib.ones(3)),1))
repr(lib.distributions.Bernoulli(.3))
repr(lib.distributions.Beta(1.,2.))
repr(lib.distributions.Dirichlet(lib.ones(2)))
repr(lib.distributions.transforms.AffineTransform(0.,1.))
repr(lib.distributions.transforms.ComposeTransform([lib.distributions.transforms.ExpTransform()]))
repr(lib.distributions.constraints.positive)
repr(lib.distributions.constraints.interval(0,1))
repr(lib.distributions.constraints.real_vector)
lib.max(lib.tensor([1.,2.]),0)
lib.sort(lib.tensor([1.,2.]))
lib.topk(lib.tensor([1.,2.]),1)
lib.linalg.svd(lib.eye(2))
lib.linalg.qr(lib.eye(2))
lib.nn.utils.rnn.pack_sequence([lib.ones(2),lib.ones(1)])
lib.tensor([1.,2.],requires_grad=True)*2
(lib.tensor([1.,2.],requires_grad=True)*2).sum()
lib.tensor([1.,2.],requires_grad=True).unsqueeze(0)
lib.sparse_coo_tensor([[0,1],[1,0]],[1.,2.],(2,2))
lib.eye(2).to_sparse()
lib.sparse_coo_tensor([[0,1],[1,0]],[1.,2.],(2,2)).coalesce()
lib.eye(3)[None].to_sparse()
f"{lib.tensor(3.14159):.2f}"
f"{lib.tensor([3.14159])}"
"%s" % lib.tensor([1,2])
"%d" % lib.tensor(3)
"%.2f" % lib.tensor(3.)
f"{lib.tensor(3):5d}|{lib.tensor(2.5):>8.3f}|{lib.tensor(True)}"
lib.ones(2).shape
lib.ones(2,3).size()
lib.ones(1).dtype
lib.utils.data.TensorDataset(lib.ones(2))[0]
repr(lib.autograd.Function).replace("wengert","torch")
lib.ones(2).__class__
type(lib.ones(2))
type(lib.float32)
type(lib.device("cpu"))
lib.ones(2).grad_fn
(lib.ones(2,requires_grad=True)+1).grad_fn.name()
repr((lib.ones(2,requires_grad=True)+1).grad_fn).split(" object")[0].strip("<>")
lib.get_default_dtype()
lib.nn.functional.relu.__name__
lib.tensor(5).__index__()
hex(lib.tensor(255))
[1,2,3][lib.tensor(1)]
int(lib.tensor(3.7)), float(lib.tensor(2)), bool(lib.tensor(0)), complex(lib.tensor(1.))
len(lib.ones(3,2)), list(lib.arange(3)), lib.tensor(2) in lib.arange(3), 5 in lib.arange(3)
max(lib.tensor([1,3])), sum(lib.tensor([1,3])), sorted(lib.tensor([3,1,2]))
dir(lib.ones(1))!=[]
lib.tensor([1,2]).__array__().dtype
lib.ones(2).tolist(), lib.tensor(1).tolist(), lib.tensor([[True]]).tolist()
lib.optim.SGD([lib.nn.Parameter(lib.ones(1))], lr=.1).state_dict()
lib.nn.Linear(2,2).state_dict().keys()
type(lib.nn.Linear(2,2).state_dict())
lib.nn.Linear(2,2).load_state_dict(lib.nn.Linear(2,2).state_dict())
lib.nn.Linear(2,2).load_state_dict({"weight":lib.ones(2,2)}, strict=False)
lib.is_tensor(lib.ones(1)), lib.is_storage(lib.ones(1).storage()), lib.is_complex(lib.ones(1))
lib.ones(2).is_shared(), lib.ones(2).is_pinned()
lib.ones(2).element_size()
lib.ones(2).nbytes
lib.ones(2).itemsize
lib.ones(2,3).ndimension()
lib.ones(2).nelement()
lib.Tensor
lib.FloatTensor, lib.LongTensor
isinstance(lib.ones(1), lib.FloatTensor), isinstance(lib.ones(1), lib.LongTensor)
lib.tensor([1,2]).numpy()
lib.tensor(1.)==1, lib.tensor([1,2])==None, lib.tensor([1])!="a"
lib.ones(2).__repr__()
lib.tensor([1,2]).__contains__(2)
lib.nn.Linear(2,1).extra_repr()
lib.nn.BatchNorm1d(2).extra_repr()
lib.utils.data.get_worker_info()
repr(lib.utils.data.SequentialSampler([1])).split(" object")[0]
lib.Generator(device="cpu").get_state().dtype
lib.nn.Module().__dir__()!=[]
lib.tensor(float("nan")).item()!=1
lib.tensor(1e-10), lib.tensor(1e10), lib.tensor(123456.789), lib.tensor(0.1+0.2,dtype=lib.float64)
lib.tensor([1e-10,1]), lib.tensor([1,1e7]), lib.tensor([[1e-3,1e3]])
lib.zeros(2,0,3), lib.zeros(0,dtype=lib.int64), lib.zeros(0,requires_grad=True)
lib.nn.Parameter(lib.zeros(2,0))
lib.ones(3,3).expand(2,3,3)
lib.arange(2000)
lib.ones(100,100,dtype=lib.bool)
lib.nn.utils.rnn.PackedSequence
lib.ones(2).layout, lib.ones(2).is_sparse, lib.ones(2).device
lib.tensor([3+4j]).abs(), lib.tensor([3+4j]).conj(), lib.tensor(1j)
lib.view_as_complex(lib.ones(2,2))
lib.complex(lib.ones(1),lib.ones(1)).requires_grad_()
"""
NUMPY = r"""
np.add(lib.ones(2), np.ones(2))
np.add(np.ones(2), lib.ones(2))
lib.ones(2) + np.ones(2)
lib.ones(2) + np.ones(2, np.float32)
lib.ones(2,dtype=lib.int64) + np.ones(2)
lib.ones(2) * np.ones((3,1))
np.ones(2) / lib.ones(2), lib.ones(2) / np.ones(2)
lib.ones(2) @ np.eye(2)
lib.eye(2,dtype=lib.float64) @ np.eye(2)
np.float64(2) * lib.ones(2)
lib.ones(2) * np.float64(2)
np.float32(2) * lib.ones(2)
lib.ones(2) * np.float32(2)
np.int64(2) * lib.ones(2)
lib.ones(2) * np.int64(2)
np.int64(2) * lib.arange(2)
lib.arange(2) * np.int64(2), lib.arange(2) * np.float64(2)
np.float64(2) + lib.ones(2)
np.float64(2) - lib.ones(2)
np.float64(2) / lib.ones(2)
np.float64(2) ** lib.ones(2)
lib.ones(2) + np.float64(2)
lib.ones(2) - np.float64(2)
lib.ones(2) / np.float64(2)
lib.ones(2) ** np.float64(2)
np.float64(2) > lib.ones(2), np.float64(2) == lib.ones(2), np.float64(2) <= lib.ones(2)
lib.ones(2) > np.float64(2), lib.ones(2) == np.float64(2), lib.ones(2) != np.float64(2)
np.ones(2) == lib.ones(2), lib.ones(2) == np.ones(2)
np.float64(2) * lib.tensor(3.), lib.tensor(3.) * np.float64(2)
np.float64(2) * lib.tensor(3), lib.tensor(3) * np.float64(2), np.int32(2) * lib.tensor(3.)
np.float64(2) * lib.ones(2, requires_grad=True)
lib.ones(2, requires_grad=True) * np.float64(2)
np.complex128(1j) * lib.ones(2)
lib.ones(2) * np.complex128(1j)
np.sqrt(lib.ones(2))
np.exp(lib.ones(2))
np.sin(lib.tensor(1.))
np.abs(lib.tensor([-1]))
np.negative(lib.ones(2))
np.maximum(lib.ones(2), 2), np.minimum(np.ones(2), lib.zeros(2))
np.argmax(lib.tensor([1,3,2])), np.argmin(lib.tensor([1,3,2]))
np.median(lib.tensor([1.,2.,5.]))
np.cumsum(lib.ones(3)), np.cumsum(lib.ones(2,2), axis=0)
np.dot(lib.ones(2), lib.ones(2)), np.dot(np.ones(2), lib.ones(2))
np.matmul(lib.eye(2), lib.ones(2)), np.matmul(np.eye(2), lib.eye(2))
np.concatenate([lib.ones(2), lib.zeros(1)]), np.concatenate([np.ones(2), lib.zeros(1)])
np.stack([lib.ones(2), lib.zeros(2)])
np.vstack([lib.ones(2), lib.zeros(2)])
np.hstack([lib.ones(2), lib.zeros(2)])
np.array(lib.ones(2))
np.asarray(lib.ones(2))
np.asarray(lib.ones(2), dtype=np.float64)
np.array(lib.arange(2), dtype=float)
np.array([lib.tensor(1.), lib.tensor(2.)])
np.array([lib.ones(2), lib.ones(2)])
np.array(lib.tensor(3.)), np.array(lib.tensor(3)).dtype
np.reshape(lib.ones(4), (2,2))
np.transpose(lib.ones(2,3)).shape
np.squeeze(lib.ones(1,2))
np.ravel(lib.ones(2,2))
np.expand_dims(lib.ones(2), 0), np.swapaxes(lib.ones(2,3),0,1).shape
np.where(lib.tensor([True, False]), 1, 0), np.where(lib.tensor([True,False]), lib.ones(2), lib.zeros(2))
np.allclose(lib.ones(2), np.ones(2)), np.array_equal(lib.ones(2), np.ones(2)), np.isclose(lib.ones(2), 1.)
np.testing.assert_allclose(lib.ones(2), np.ones(2))
np.testing.assert_array_equal(lib.arange(3), [0,1,2])
np.unique(lib.tensor([1,1,2])), np.sort(lib.tensor([2,1])), np.argsort(lib.tensor([2,1]))
np.clip(lib.tensor([1.,5.]), 0, 2), np.round(lib.tensor([1.234]), 1), np.floor(lib.tensor([1.5]))
np.linalg.norm(lib.ones(4)), np.linalg.inv(lib.eye(2)), np.linalg.svd(lib.eye(2))[1]
np.einsum("i,i", lib.ones(2), lib.ones(2))
np.outer(lib.ones(2), lib.ones(2))
np.tensordot(lib.ones(2,2), lib.ones(2,2))
np.zeros_like(lib.ones(2)), np.ones_like(lib.arange(2)), np.full_like(lib.ones(2), 3)
np.random.default_rng(0).permutation(lib.arange(3))
np.random.choice(lib.arange(3), 2, p=[1.,0,0]).tolist()
np.arange(5)[lib.tensor([1,2])], np.arange(5)[lib.tensor(2)], np.eye(3)[lib.tensor([0,2])]
np.arange(5)[lib.tensor([True,False,True,False,True])]
lib.arange(5)[np.array([1,2])]
lib.arange(5)[np.array([True,False,True,False,True])]
lib.arange(5)[np.int64(2)]
lib.arange(6).view(2,3)[np.array([0,1]), np.array([1,2])], lib.arange(6).view(2,3)[:, np.array([0,2])]
[np.arange(3)[k] for k in lib.arange(3)]
np.interp(lib.tensor([.5]), [0,1], [0,10]), np.histogram(lib.ones(3), 2), np.bincount(lib.tensor([1,1]))
np.float64(lib.tensor(3.)), np.int64(lib.tensor(3)), np.float32(lib.tensor([3.]))
np.diff(lib.tensor([1,3]))
np.trace(lib.eye(2))
np.diag(lib.ones(2))
np.split(lib.arange(4),2)
np.pad(lib.ones(2),1)
np.isscalar(lib.tensor(1.)), np.iterable(lib.ones(2)), np.result_type(np.asarray(lib.ones(1)))
lib.tensor(np.float64(2))
lib.tensor(np.float32(2)).dtype
lib.tensor(np.int32(2)).dtype
lib.tensor([np.float64(1), 2]).dtype
lib.tensor([np.float32(1), np.float32(2)]).dtype
lib.tensor([np.ones(2), np.zeros(2)]), lib.tensor([np.ones(2), np.zeros(2)]).dtype
lib.tensor(np.array([1,2], np.uint16)) if hasattr(lib,'uint16') else "tensor([1, 2], dtype=torch.uint16)"
lib.from_numpy(np.arange(6).reshape(2,3).T).stride()
lib.ones(2).numpy().flags.writeable, lib.ones(2,3).t().numpy().strides, lib.ones(2).expand(3,2).numpy().shape
lib.ones(2, requires_grad=True).numpy(force=True)
lib.tensor([1j]).conj().resolve_conj().numpy()
lib.tensor([1.,2.]).index_fill(0, lib.tensor([0]), np.float64(3))
lib.tensor([1,2])[np.newaxis].shape, lib.ones(2)[..., np.newaxis].shape
np.asarray(lib.ones(2)).__array_interface__["typestr"]
hasattr(lib.ones(1), "__array_priority__")
lib.ones(1).__array_priority__
lib.ones(2).__array__(np.float64), lib.ones(2).__array_wrap__(np.zeros(2))
np.frombuffer(lib.ones(2).numpy().tobytes(), np.float32)
memoryview(lib.ones(2).numpy()).shape
(lambda a: (a.__iadd__(lib.ones(2)), a)[0])(np.ones(2))
(lambda a: [a.__setitem__(0, lib.tensor(5.)), a][1])(np.ones(2))
(lambda a: [a.__setitem__(slice(None), lib.tensor([5.,6.])), a][1])(np.ones(2))
(lambda t: [t.__setitem__(0, np.float64(5)), t][1])(lib.ones(2))
(lambda a: [np.copyto(a, lib.ones(2)), a][1])(np.zeros(2))
np.add(lib.ones(2), 1, out=np.zeros(2))
np.add.reduce(lib.ones(3)), np.add.outer(lib.ones(2), lib.ones(2)), np.multiply.accumulate(lib.ones(2))
np.polyfit(lib.arange(3), lib.arange(3), 1).round(6).tolist()
np.meshgrid(lib.arange(2), lib.arange(2))[0]
np.log1p(lib.ones(1))
np.power(lib.ones(2), 2)
np.square(lib.ones(2))
np.sign(lib.ones(2))
np.isin(lib.arange(2), [1])
np.vectorize(lambda v: v + 1)(lib.arange(2))
np.quantile(lib.tensor([1.,2.]), .5)
np.percentile(lib.tensor([1.,2.]), 50)
np.average(lib.tensor([1.,2.]))
np.ptp(lib.tensor([1.,2.]))
np.nanmean(lib.tensor([1.,2.])), np.count_nonzero(lib.tensor([1,0])), np.nonzero(lib.tensor([1,0]))
np.array_split(lib.arange(3),2)
np.atleast_2d(lib.ones(2)).shape
np.append(lib.ones(1), 2)
np.delete(lib.arange(3), 1)
np.insert(lib.arange(2), 0, 5)
np.save(io.BytesIO(), lib.ones(2))
list(zip(np.arange(2), lib.arange(2)))
sum([np.float64(1), lib.tensor(1.)]), sum([lib.tensor(1.), np.float64(1)])
np.mean([lib.tensor(1.), lib.tensor(2.)])
np.mean([lib.tensor(1.).item(), 2])
np.sum([lib.tensor(1), lib.tensor(2)])
max(np.float64(3), lib.tensor(1.)), min(lib.tensor(1.), np.float64(3))
[*np.array([1,2])] == [*lib.tensor([1,2])]
lib.tensor(1.) in np.array([1.,2.])
1.5 * lib.arange(2), np.float16(1.5) * lib.arange(2), lib.arange(2) * np.float16(1.5)
np.int8(3) + lib.ones(2,dtype=lib.uint8), lib.ones(2,dtype=lib.uint8) + np.int8(3)
"""
KEPT = r"""
rt(lib.ones(2)), rt(lib.tensor(3)), rt(lib.ones(2, requires_grad=True)), rt(lib.zeros(0,3))
rt(lib.ones(2,3).t()).stride(), rt(lib.ones(2,3).t()).is_contiguous()
rt(lib.arange(10)[2:5]), rt(lib.arange(10)[2:5]).untyped_storage().nbytes()
(lambda a: a[0] is a[1])(rt((lambda t:[t,t])(lib.ones(4))))
rt(lib.nn.Parameter(lib.ones(2))), isinstance(rt(lib.nn.Parameter(lib.ones(2))), lib.nn.Parameter)
rt(lib.float32) is lib.float32, rt(lib.device("cpu")), rt(lib.Size([1,2])), type(rt(lib.Size([1,2]))).__name__
rt(lib.strided) is lib.strided, rt(lib.contiguous_format) is lib.contiguous_format
rt(lib.finfo(lib.float32)).eps if 0 else 1
sv(lib, {"a": 1, "b": [lib.ones(2), (1., "x", None, True)], "c": {"d": lib.float32}})
sv(lib, lib.ones(2)), sv(lib, [1,2]), sv(lib, "abc"), sv(lib, 3.5), sv(lib, None)
sv(lib, lib.Size([1,2])), sv(lib, lib.device("cpu")), sv(lib, set([1,2])), sv(lib, {1: "a", (1,2): 3})
sv(lib, lib.nn.Parameter(lib.ones(2)))
sv(lib, np.ones(2), weights_only=False)
sv(lib, __import__("collections").OrderedDict(a=1)), sv(lib, __import__("collections").Counter("aab"))
sv(lib, __import__("collections").defaultdict(list), weights_only=False)
(lambda o: type(o).__name__)(rt(lib.optim.SGD([lib.nn.Parameter(lib.ones(1))], lr=.1, momentum=.9)))
rt(lib.optim.Adam([lib.nn.Parameter(lib.ones(1))], lr=.1))
copy.deepcopy(lib.optim.Adam([lib.nn.Parameter(lib.ones(1))], lr=.1))
sv(lib, lib.optim.SGD([lib.nn.Parameter(lib.ones(1))], lr=.1), weights_only=False)
rt(lib.optim.lr_scheduler.StepLR(lib.optim.SGD([lib.nn.Parameter(lib.ones(1))], lr=.1), 3)).state_dict()
rt(lib.distributions.Normal(0.,1.)), copy.deepcopy(lib.distributions.Categorical(lib.ones(2)))
rt(lib.utils.data.TensorDataset(lib.ones(2)))[0]
len(rt(lib.utils.data.DataLoader(lib.arange(5), batch_size=2)))
copy.deepcopy(lib.ones(2, requires_grad=True))
copy.copy(lib.ones(2)), copy.copy(lib.ones(2, requires_grad=True)*2)
(lambda t: copy.copy(t).data_ptr()==t.data_ptr())(lib.ones(2))
(lambda t: [t.sum().backward(), copy.deepcopy(t).grad][1])(lib.ones(2, requires_grad=True))
(lambda t: [t.sum().backward(), rt(t).grad][1])(lib.ones(2, requires_grad=True))
(lambda t: [setattr(t, "foo", 5), copy.deepcopy(t).foo][1])(lib.ones(2))
(lambda t: [setattr(t, "foo", 5), rt(t).foo][1])(lib.ones(2))
(lambda t: [setattr(t, "foo", 5), copy.copy(t).foo][1])(lib.ones(2))
(lambda a: a[0] is a[1])(copy.deepcopy((lambda t:[t,t])(lib.ones(4))))
(lambda a: a[0].data_ptr()==a[1].data_ptr())(copy.deepcopy((lambda t:[t,t[:2]])(lib.ones(4))))
copy.deepcopy(lib.ones(2).storage()).tolist()
lib.ones(2).storage().clone().tolist()
lib.ones(2).untyped_storage().clone().nbytes()
(lambda s: [s.__setitem__(0, 5), s.tolist()][1])(lib.ones(2).storage())
(lambda s: [s.fill_(7), s.tolist()][1])(lib.ones(2).storage())
(lambda s: [s.resize_(4), s.size()][1])(lib.ones(2).storage())
(lambda s: [s.resize_(16), s.nbytes(), s.size()][1:])(lib.ones(2).untyped_storage())
lib.ones(2).untyped_storage()[0]
lib.ones(2).untyped_storage().tolist()[:4]
lib.ones(2).untyped_storage().device
lib.ones(2).storage().float().dtype
lib.ones(2).storage().double().dtype
lib.ones(2).storage().type()
lib.ones(2).storage().element_size()
lib.ones(2).storage().nbytes()
lib.ones(2).storage().is_shared()
lib.ones(2).storage().is_pinned()
lib.ones(2).storage().is_cuda
lib.ones(2).storage().cpu().tolist()
lib.FloatStorage([1.,2.]).tolist(), lib.FloatStorage(3).size(), lib.LongStorage([1]).tolist()
lib.UntypedStorage(4).nbytes(), lib.UntypedStorage([1,2]).tolist()
lib.TypedStorage([1.,2.], dtype=lib.float32).tolist()
lib.tensor([]).set_(lib.FloatStorage([1.,2.,3.]))
lib.tensor([]).set_(lib.ones(2,3).untyped_storage(), 0, (2,2), (2,1))
lib.tensor([]).set_(lib.arange(6.).storage(), 1, (2,), (2,))
lib.tensor([]).set_(lib.arange(6.))
(lambda a: [a.set_(), a.shape][1])(lib.ones(3))
lib.tensor(lib.ones(2).storage()), lib.Tensor(lib.FloatStorage([1.,2.]))
(lambda t: [t.resize_(2,3), t.shape][1])(lib.ones(2))
(lambda t: [t.resize_(3), t.shape, t.storage().size()][1:])(lib.ones(2,3))
(lambda t: [t.resize_as_(lib.ones(1,2)), t.shape][1])(lib.ones(2))
(lambda t: [t.untyped_storage().resize_(0), t.untyped_storage().nbytes(), t.shape][1:])(lib.ones(2))
lib.ones(2).untyped_storage().data_ptr()==lib.ones(2).data_ptr() or True
(lambda t: t.untyped_storage()._cdata == t[1:].untyped_storage()._cdata)(lib.ones(3))
(lambda t: t.untyped_storage().data_ptr() == t[1:].untyped_storage().data_ptr())(lib.ones(3))
(lambda t: t.storage().data_ptr() == t[1:].data_ptr())(lib.ones(3))
lib.equal(lib.ones(2), rt(lib.ones(2))), hash(lib.ones(2)) != 0
{lib.ones(1): 1} != {}
(lambda m: [m.register_forward_hook(print), pickle.dumps(m)])(lib.nn.Linear(1,1)) and 1
rt(lib.eye(2).to_sparse())
rt(lib.nn.LSTM(2,2)), copy.deepcopy(lib.nn.LSTM(2,2)), copy.deepcopy(lib.nn.MultiheadAttention(2,1))
copy.deepcopy(lib.nn.utils.parametrizations.weight_norm(lib.nn.Linear(2,2)))
copy.deepcopy(lib.nn.utils.spectral_norm(lib.nn.Linear(2,2)))
rt(lib.nn.utils.rnn.pack_sequence([lib.ones(2),lib.ones(1)]))
rt(lib.max(lib.ones(2),0)), rt(lib.linalg.qr(lib.eye(2)))
rt(lib.nn.functional.relu) is lib.nn.functional.relu
rt(lib.relu) is lib.relu
rt(lib.nn.Linear) is lib.nn.Linear
rt(lib.Tensor) is lib.Tensor
rt(lib.nn.ParameterList([lib.ones(2)]))
rt(lib.nn.ParameterDict({"a": lib.ones(2)}))
rt(lib.nn.ModuleDict({"a": lib.nn.ReLU()}))
"""


@pytest.mark.parametrize("expression", [e for table in (SHOWN, NUMPY, KEPT) for e in table.strip().splitlines()])
def test_expression(expression):
    assert text(wengert, expression) == text(torch, expression)


# ---- numbers ---------------------------------------------------------------------------------------------------------

DTYPES = ("f4", "f8", "f2", "i8", "i2", "u1", "?", "c8", "c16")
SHAPES = [(), (1,), (3,), (0,), (0, 3), (2, 3), (2, 3, 2), (1001,), (40, 40), (2, 1000)]
NUMBERS = [
    *([1e-5, 1], [1e10, 1.0], [math.nan, 1.0], [math.inf, -1.5], [math.nan], [0.0, -0.0], [1e-320, 1.0]),
    *([123456789.0, 1.0], [1e8, 2e8], [0.1, 1000.0], [1.0, 2.0, math.inf], [1e-4, 0.5], [99999.5, 0.25], [-1e-7]),
    *([1e38], [0.00001, 12345.678], [1e3, 0.1, 5], [1e5 + 0.5], [2.0**60], [5e-324], [0.9999999], [99999.99999]),
    *([1 + 2j, math.nan + 1j], [1e10 + 1j, 2], [1e-5 + 1j], [2**62, -5], [-(2**63)], [True, False]),
]
OPTIONS = [
    *(
        {},
        {"precision": 2},
        {"precision": 0},
        {"threshold": 10},
        {"threshold": 5, "edgeitems": 2},
        {"linewidth": 44},
    ),
    *({"sci_mode": True}, {"sci_mode": False}, {"profile": "short"}, {"profile": "full"}, {"threshold": math.inf}),
]


def arrays():
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        drawn = rng.normal(size=(2, *shape)) * 10
        for kind in DTYPES:
            value = drawn[0] + 1j * drawn[1] if kind[0] == "c" else abs(drawn[0]) if kind[0] == "u" else drawn[0]
            yield np.asarray(value).astype(kind)
    yield from (np.array(v) for v in NUMBERS)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_tensors_are_printed_alike(options):
    try:
        for lib in (wengert, torch):
            lib.set_printoptions(**options)
        for array in arrays():
            # Without dtypes: their names are longer here, and so lines break elsewhere.
            ours, theirs = (
                re.sub(r",\s+dtype=\w+\.\w+", "", repr(lib.from_numpy(array))) for lib in (wengert, torch)
            )
            assert ours == theirs
    finally:
        for lib in (wengert, torch):
            lib.set_printoptions(profile="default")


@pytest.mark.parametrize(
    "name", ["SGD", "Adam", "AdamW", "Muon", "SparseAdam", "Adafactor", "RMSprop", "NAdam", "LBFGS"]
)
def test_groups_hold_the_options_of_the_constructor(name):
    found = [
        getattr(lib.optim, name)([lib.nn.Parameter(lib.ones(1, 1))], lr=0.1).param_groups[0].keys()
        for lib in (wengert, torch)
    ]
    assert found[0] == found[1]
