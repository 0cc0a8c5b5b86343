"""Bools that are added up, means of integers, complex activations, paddings to nothing, names of nodes, beside torch."""

import pytest

torch = pytest.importorskip("torch")

import wengert  # noqa: E402

EXPRESSIONS = """
lib.nn.functional.pad(lib.ones(1,2,3),(-1,-2),mode='replicate')
lib.nn.functional.pad(lib.ones(1,2,3),(-1,-2),mode='reflect')
lib.nn.functional.pad(lib.ones(1,2,3),(-1,-2))
lib.nn.functional.pad(lib.ones(1,2,3),(-1,-2),mode='circular')
lib.ones(3,dtype=lib.bool).scatter_add(0,lib.tensor([0,0]),lib.tensor([True,True]))
lib.zeros(3,dtype=lib.bool).scatter_add_(0,lib.tensor([0,1]),lib.tensor([True,False]))
lib.zeros(3,dtype=lib.bool).scatter_add_(0,lib.tensor([0,1]),lib.tensor([1,0]))
lib.zeros(3,dtype=lib.bool).index_add(0,lib.tensor([0,1]),lib.tensor([True,False]))
lib.zeros(3,dtype=lib.bool).index_add_(0,lib.tensor([0,0]),lib.tensor([True,True]))
lib.zeros(3,dtype=lib.bool).index_add_(0,lib.tensor([0,0]),lib.tensor([1,1]))
lib.zeros(3,dtype=lib.bool).index_put((lib.tensor([0,0]),),lib.tensor([True,True]),accumulate=True)
lib.zeros(3,dtype=lib.bool).index_put_((lib.tensor([0,2]),),lib.tensor(True),accumulate=True)
lib.zeros(3,dtype=lib.bool).put(lib.tensor([0,0]),lib.tensor([True,True]),True)
lib.zeros(3,dtype=lib.bool).put_(lib.tensor([0,0]),lib.tensor([True,True]),True)
lib.zeros(3,dtype=lib.bool).scatter(0,lib.tensor([0,1]),lib.tensor([True,False]),reduce='add')
lib.ones(3,dtype=lib.bool).scatter(0,lib.tensor([0,1]),lib.tensor([True,False]),reduce='multiply')
lib.zeros(3,dtype=lib.bool).scatter_(0,lib.tensor([0,1]),True,reduce='add')
lib.zeros(3,dtype=lib.bool).scatter_(0,lib.tensor([0,1]),True)
lib.zeros(3,dtype=lib.bool).scatter_(0,lib.tensor([0,1]),value=True)
lib.zeros(3,dtype=lib.bool).scatter_reduce(0,lib.tensor([0,1]),lib.tensor([True,False]),'sum')
lib.zeros(3,dtype=lib.bool).scatter_reduce(0,lib.tensor([0,1]),lib.tensor([True,False]),'amax')
lib.nn.functional.silu(lib.tensor([1+2j,-3j]))
lib.nn.SiLU()(lib.tensor([1+2j,-3j]))
lib.nn.functional.silu(lib.tensor([1+2j,-3j]),True)
lib.normal(lib.zeros(2,dtype=lib.complex64), lib.ones(2)).dtype
lib.normal(lib.zeros(2,dtype=lib.complex64), 1.).dtype
lib.normal(0., 1., (2,), dtype=lib.complex64).dtype
lib.nn.functional.avg_pool2d(lib.tensor([[[-3,2,-4,5],[-4,1,1,1]]]),2)
lib.nn.functional.avg_pool1d(lib.tensor([[[-3,2,-4,5]]]),3,2,1)
lib.nn.functional.avg_pool2d(lib.tensor([[[-3,2,-4,5],[-4,1,1,1]]]),2,divisor_override=3)
lib.nn.AvgPool1d(2)(lib.tensor([[[-3,2,-4,5]]]))
"""
# What an expression's result was made by: x of (3, 4), a 1-d v, an image, all with gradients.
NODES = """
x.sum() x.mean() x.exp() x+1 x*x x/2 x-1 -x x@x.T x**2 x.relu() x.sigmoid() x.tanh() x.log1p() x.sqrt() x.abs()
x.reshape(4,3) x.view(-1) x.T x[0] x[:,1:] x.permute(1,0) x.unsqueeze(0) x.squeeze() x.expand(2,3,4) x.clone()
x.double() x.clamp(0,1) x.max(1)[0] x.sort()[0] x.median() x.median(1)[0] x.prod() x.std() x.var() x.cumsum(0)
x.norm() x.softmax(1) x.log_softmax(1) F.linear(x,x,v) F.gelu(x) F.silu(x) F.leaky_relu(x) F.elu(x) F.logsigmoid(x)
x.sum(1) x.sum((0,1)) x.mean(1) x.mean(0,keepdim=True) x.prod(1) v.prod(0) x.max() x.min() x.amax(1) x.amin(1)
x.min(1)[0] x.norm(dim=1) x.std(1) x.var(1) x.nanmedian() lib.linalg.norm(x) x.unsqueeze(0).squeeze(0)
i.squeeze((0,1)) x.T.contiguous()
F.linear(x,x) F.linear(i,x[:,:4]) F.linear(i,x,v) F.linear(x[0],x) i@i x.matmul(x.T) F.avg_pool3d(i[None],1)
F.max_pool3d(i[None],1)
F.adaptive_avg_pool3d(i[None],2) F.avg_pool1d(x,2) F.max_pool1d(x,2) lib.linalg.svd(x)[1] lib.linalg.qr(x)[0]
lib.inverse(x@x.T+lib.eye(3))
lib.linalg.det(x@x.T) lib.linalg.cholesky(x@x.T+5*lib.eye(3)) lib.linalg.eigh(x@x.T)[0]
lib.linalg.solve(x@x.T+lib.eye(3),x)
lib.fft.rfft(x) lib.fft.fft(lib.complex(x,x)) lib.slogdet(x@x.T+lib.eye(3))[1] lib.linalg.matrix_exp(x@x.T)
F.layer_norm(x,(4,)) F.conv2d(i,w) F.max_pool2d(i,2) F.avg_pool2d(i,2) F.adaptive_avg_pool2d(i,2) F.group_norm(i,1)
F.batch_norm(i,None,None,training=True) F.conv_transpose2d(i,w) F.embedding(k,x) F.cross_entropy(x,k) F.hardswish(x)
F.nll_loss(x.log_softmax(1),k).neg() lib.cat([x,x]) lib.stack([x,x]) lib.where(x>0,x,x*2) x.gather(1,k[:,None])
lib.special.i1(x) lib.special.erfcx(x) lib.diag_embed(x) x.atan2(x) x.lerp(x,0.5) lib.einsum("ij,kj->ik",x,x).neg()
"""


@pytest.mark.parametrize("expression", EXPRESSIONS.strip().splitlines())
@pytest.mark.filterwarnings("ignore")
def test_expression(expression):
    found = []
    for lib in (wengert, torch):
        try:
            found.append(str(eval(expression, {"lib": lib})).replace("wengert", "torch"))
        except RuntimeError:
            found.append("refused")
    assert found[0] == found[1]


@pytest.mark.parametrize("expression", NODES.split())
def test_nodes_have_the_names_of_torch(expression):
    names = []
    for lib in (wengert, torch):
        x = lib.ones(3, 4).requires_grad_()
        known = {"lib": lib, "F": lib.nn.functional, "x": x, "k": lib.tensor([0, 1, 2])}
        known["v"] = lib.ones(3).requires_grad_()
        known["i"], known["w"] = lib.ones(1, 2, 4, 4).requires_grad_(), lib.ones(2, 2, 2, 2).requires_grad_()
        names.append(eval(expression, known).grad_fn.name())
    assert names[0] == names[1]
