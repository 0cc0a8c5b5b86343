"""torch.masked: reductions and normalisations with a mask, beside torch, with gradients."""

import math

import pytest
from against_torch import assert_same

import wengert

torch = pytest.importorskip("torch")

CALLS = """
sum(x,1,mask=m) sum(x,mask=m) sum(x) sum(i,1,mask=m) sum(x>2,1,mask=m) sum(x,[0,1],mask=m) sum(x,(),mask=m)
sum(x,1,mask=m[:1]) sum(x,1,mask=m,keepdim=True) sum(x,1,mask=m,dtype=lib.float64) sum(x,1,mask=x) prod(x,1,mask=m)
prod(x,mask=m) prod(i,(0,1),mask=m) prod(x,(0,1),mask=m,keepdim=True) mean(x,1,mask=m) mean(x,mask=m)
mean(i,1,mask=m,dtype=lib.float32) mean(x,1,mask=m[0]) amax(x,1,mask=m) amin(x,1,mask=m) amax(i,1,mask=m)
amin(i,1,mask=m) amax(x,mask=m) amax(x,1,mask=m,dtype=lib.int64) argmax(x,1,mask=m) argmin(x,1,mask=m)
argmax(x,mask=m) argmin(i,1,mask=m,keepdim=True) softmax(x,1,mask=m) softmax(x,1,mask=m[0]) log_softmax(x,1,mask=m)
softmin(x,1,mask=m) softmin(x,0) median(x,1,mask=m) median(x,1) median(x,mask=m,keepdim=True) norm(x,2,1,mask=m)
norm(x,1,mask=m) norm(x,float('inf'),1,mask=m) norm(x,float('-inf'),1,mask=m) norm(x,0,1,mask=m) norm(x,3.0,mask=m)
normalize(x,2,1,mask=m) normalize(x,2,1) var(x,1,mask=m) var(x,1,True,mask=m) var(x,1,False,mask=m) var(i,1,mask=m)
var(x) std(x,mask=m) std(x,1,mask=m,correction=0) std(i,1,mask=m) std(x,1,mask=m,keepdim=True) cumsum(x,1,mask=m)
cumsum(i,1,mask=m) cumprod(x,1,mask=m) cumprod(x,0,dtype=lib.float64) logsumexp(x,1,mask=m) logsumexp(x,mask=m)
logaddexp(x,x,input_mask=m,other_mask=~m) logaddexp(x,x,input_mask=m)
"""


def operands(lib):
    x = lib.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    return {"lib": lib, "x": x, "i": x.long(), "m": lib.tensor([[True, False, True], [False, False, False]])}


@pytest.mark.parametrize("call", CALLS.split())
def test_values(call):
    assert_same(*[eval(f"lib.masked.{call}", operands(lib)) for lib in (wengert, torch)])


WHOLE = """
median(i,1,mask=k) median(i,0) median(i>2,1,mask=k) median(i.int(),1,mask=k,keepdim=True) median(i.to(lib.uint8),0,mask=k)
median(i,1,mask=k,dtype=lib.float32) logsumexp(i,1,mask=m) logsumexp(i,mask=k) logsumexp(i.int(),1,mask=k,keepdim=True)
logsumexp(i-9,1,mask=k) logsumexp(i.to(lib.uint8),1,mask=m) logsumexp(i.to(lib.int8)*20,(0,1)) logsumexp(i>2,1)
logsumexp(i[:0],0) logsumexp(i*10**16,1,mask=k)
"""


@pytest.mark.parametrize("call", WHOLE.split())
def test_medians_and_sums_of_exponentials_of_integers(call):
    found = []
    for lib in (wengert, torch):
        k = lib.tensor([[True, False, True], [True, True, False]])
        found.append(eval(f"lib.masked.{call}", operands(lib) | {"k": k}))
    assert_same(*found)


def test_medians_of_large_integers_are_exact():
    large = 2**60 + wengert.tensor([5, 1, 3])
    assert wengert.masked.median(large, mask=wengert.tensor([True, True, True])).item() == 2**60 + 3
    assert wengert.masked.median(large, mask=wengert.tensor([True, True, False])).item() == 2**60 + 1


FULL = [
    c
    for c in CALLS.split()
    if "m" in c and "(x" in c and ">" not in c and not c.startswith("arg") and "int64" not in c
]


@pytest.mark.parametrize("call", [c for c in FULL if "mask" in c and "x,0," not in c])
def test_gradients_where_something_is_kept(call):
    found = []
    for lib in (wengert, torch):
        known = operands(lib)
        known["x"].requires_grad_()
        known["m"] = lib.tensor([[True, False, True], [True, True, False]])
        eval(f"lib.masked.{call}", known).exp().nan_to_num(neginf=0.0, posinf=0.0).sum().backward()
        found.append(known["x"].grad)
    assert_same(*found)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("mean(i,1,mask=m)", ValueError),
        ("mean(x>2,1)", ValueError),
        ("amax(x>2,1,mask=m)", NotImplementedError),
        ("sum(x,3)", IndexError),
        ("sum(x,1,mask=lib.ones(4)>0)", RuntimeError),
        ("median(i,1,mask=m)", ValueError),
        ("logsumexp(i>2,1,mask=m)", NotImplementedError),
        ("sum(x,1,mask=lib.ones(1,2,3)>0)", IndexError),
    ],
)
def test_mistakes(call, error):
    for lib in (wengert, torch):
        with pytest.raises(error):
            eval(f"lib.masked.{call}", operands(lib))


def test_what_is_not_there():
    assert not wengert.masked.is_masked_tensor(wengert.ones(2))
    with pytest.raises(AttributeError, match="MaskedTensor"):
        _ = wengert.masked.MaskedTensor
    with pytest.raises(TypeError):
        wengert.masked.sum(3)
    assert wengert.masked.amax(wengert.ones(2), mask=wengert.zeros(2)).item() == -math.inf
    with wengert.as_torch():
        import torch.masked as inside

        assert inside is wengert.masked
