"""Shapes, joining, splitting and padding against PyTorch."""

import numpy as np
import pytest
from against_torch import assert_same, check, pair, same_error, torch

import wengert

RNG = np.random.default_rng(4)
X = RNG.normal(size=(2, 3, 4))
M = RNG.normal(size=(3, 5))
V = RNG.normal(size=(4,))
INTS = np.arange(12).reshape(3, 4)

CASES = [
    (".view", (X, 6, 4), {}),
    (".view", (X, (-1, 2)), {}),
    (".view", (X, -1), {}),
    (".reshape", (X, 4, 6), {}),
    ("reshape", (X, (3, -1)), {}),
    (".view_as", (X, X.reshape(6, 4)), {}),
    (".reshape_as", (X, X.reshape(6, 4)), {}),
    ("flatten", (X,), {}),
    ("flatten", (X, 1), {}),
    (".flatten", (X,), {"start_dim": 0, "end_dim": 1}),
    ("flatten", (np.array(1.0),), {}),
    ("unflatten", (M, 1, (5, 1)), {}),
    (".unflatten", (X, 2, (2, -1)), {}),
    ("squeeze", (X[:, :1].copy(),), {}),
    ("squeeze", (X[:, :1].copy(), 1), {}),
    ("squeeze", (X[:1, :1].copy(), (0, 1)), {}),
    (".squeeze", (X, 1), {}),
    ("unsqueeze", (X, -1), {}),
    (".unsqueeze", (X, 0), {}),
    ("transpose", (X, 0, -1), {}),
    ("swapaxes", (X, 0, 1), {}),
    ("swapdims", (X, 0, 1), {}),
    ("t", (M,), {}),
    ("t", (V,), {}),
    (".permute", (X, 2, 0, 1), {}),
    (".permute", (X, (1, 2, 0)), {}),
    ("permute", (X, (1, 2, 0)), {}),
    ("movedim", (X, 0, 2), {}),
    ("moveaxis", (X, (0, 1), (-1, 0)), {}),
    (".expand", (V, 3, 4), {}),
    (".expand", (X[:, :1].copy(), -1, 5, -1), {}),
    (".expand_as", (V, X), {}),
    ("broadcast_to", (V, (2, 4)), {}),
    ("broadcast_tensors", (V, X), {}),
    (".repeat", (M, 2, 1), {}),
    (".repeat", (M, 2, 3, 1), {}),
    ("tile", (M, (2,)), {}),
    ("repeat_interleave", (M, 2), {}),
    ("repeat_interleave", (M, 2), {"dim": 1}),
    ("repeat_interleave", (M, np.array([1, 0, 2])), {"dim": 0}),
    ("cat", ([M, M * 2],), {}),
    ("cat", ((M, M * 2), 1), {}),
    ("cat", ([M, np.zeros((0,))],), {}),
    ("concat", ([M, M],), {"dim": -1}),
    ("stack", ([M, M * 2, M * 3],), {}),
    ("stack", ([M, M * 2], -1), {}),
    ("hstack", ([V, V],), {}),
    ("hstack", ([M, M],), {}),
    ("vstack", ([V, V],), {}),
    ("dstack", ([M, M],), {}),
    ("dstack", ([V, V],), {}),
    ("column_stack", ([V, RNG.normal(size=(4, 2))],), {}),
    ("block_diag", (M, X[0]), {}),
    ("split", (M, 2), {"dim": 1}),
    ("split", (M, [1, 4], 1), {}),
    (".split", (M, 2), {}),
    ("chunk", (M, 2, 1), {}),
    (".chunk", (M, 4), {}),
    ("tensor_split", (M, 3), {"dim": 1}),
    ("tensor_split", (M, [1, 3]), {"dim": 1}),
    ("hsplit", (X, 3), {}),
    ("vsplit", (X, 2), {}),
    ("dsplit", (X, 2), {}),
    ("unbind", (X,), {}),
    ("unbind", (X, 1), {}),
    ("flip", (X, (0, 2)), {}),
    (".flip", (X, 0), {}),
    (".flip", (X, 0, 1), {}),
    ("fliplr", (M,), {}),
    ("flipud", (M,), {}),
    ("roll", (X, 1), {}),
    ("roll", (X, (1, -2)), {"dims": (0, 2)}),
    ("roll", (X, 5, 1), {}),
    ("rot90", (M,), {}),
    ("rot90", (X, 3, (1, 2)), {}),
    ("rot90", (X, 2, (0, 2)), {}),
    ("tril", (M,), {}),
    ("triu", (M, 1), {}),
    ("tril", (X, -1), {}),
    ("diagonal", (X,), {}),
    ("diagonal", (X, 1), {"dim1": 1, "dim2": 2}),
    ("diagonal", (X,), {"offset": -1, "dim1": 2, "dim2": 0}),
    ("diag", (V,), {}),
    ("diag", (V, -1), {}),
    ("diag", (M, 1), {}),
    ("diag_embed", (M,), {}),
    ("diag_embed", (M, 1), {"dim1": 0, "dim2": 2}),
    ("diag_embed", (M, 1), {"dim1": 2, "dim2": 0}),
    ("diagflat", (M[:2, :2].copy(),), {}),
    ("trace", (M,), {}),
    ("cartesian_prod", (V, V[:2].copy()), {}),
    ("combinations", (V,), {}),
    ("combinations", (V, 3), {"with_replacement": True}),
    ("narrow", (M, 1, 1, 3), {}),
    ("narrow", (M, 1, -2, 2), {}),
    ("select", (X, 1, -1), {}),
    ("slice_scatter", (M, M[:1] * 2), {"dim": 0, "start": 1, "end": 2}),
    ("slice_scatter", (M, M[:, ::2] * 2), {"dim": 1, "step": 2}),
    ("select_scatter", (M, M[0] * 2, 0, 1), {}),
    ("diagonal_scatter", (M, V[:3] * 2), {}),
    (".unfold", (X, 2, 2, 1), {}),
    (".unfold", (X, 1, 2, 2), {}),
    ("as_strided", (X, (2, 2), (1, 3)), {}),
    ("as_strided", (X, (2, 2), (1, 3), 2), {}),
    ("atleast_1d", (np.array(1.0),), {}),
    ("atleast_2d", (V,), {}),
    ("atleast_3d", (M,), {}),
    ("atleast_3d", (V,), {}),
    ("ravel", (X,), {}),
    (".contiguous", (X,), {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), CASES, ids=[f"{c[0]}-{k}" for k, c in enumerate(CASES)])
def test_cases(name, args, kwargs):
    check(name, *args, **kwargs)


@pytest.mark.parametrize("indexing", ["ij", "xy"])
def test_meshgrid(indexing):
    check("meshgrid", V, V[:2].copy(), RNG.normal(size=3), indexing=indexing)
    check("meshgrid", V, indexing=indexing)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("amounts", [(1, 2), (1, 0, 2, 1)])
def test_pad(mode, amounts):
    from wengert._shaping import pad

    x = RNG.normal(size=(2, 3, 4, 5))
    x = x if len(amounts) == 4 else x[0]
    ours, theirs = pair(x, requires_grad=True)
    a, b = pad(ours, amounts, mode), torch.nn.functional.pad(theirs, amounts, mode)
    assert_same(a, b)
    (a.sin().sum()).backward()
    (b.sin().sum()).backward()
    assert_same(ours.grad, theirs.grad)


def test_pad_constant_negative_and_value():
    from wengert._shaping import pad

    ours, theirs = pair(X)
    assert_same(pad(ours, (-1, 2, 0, 1), value=3), torch.nn.functional.pad(theirs, (-1, 2, 0, 1), value=3))
    with pytest.raises(RuntimeError):
        pad(ours, (9, 9), "reflect")


@pytest.mark.parametrize("offset", [-1, 0, 2])
def test_triangle_indices(offset):
    check("tril_indices", 3, 4, offset)
    check("triu_indices", 3, 4, offset)


def test_properties():
    ours, theirs = pair(X)
    assert_same(ours.mT, theirs.mT)
    assert_same(pair(M)[0].T, pair(M)[1].T)
    assert ours.is_same_size(ours) and wengert.broadcast_shapes((2, 1), (3,)) == torch.broadcast_shapes(
        (2, 1), (3,)
    )
    x = ours.transpose(0, 1)
    assert x.contiguous().is_contiguous() and ours.contiguous() is ours
    assert ours.view(wengert.int64).dtype == wengert.int64


def test_inplace_shapes():
    x = wengert.ones(1, 3)
    assert x.squeeze_().shape == (3,) and x.unsqueeze_(1).shape == (3, 1) and x.t_().shape == (1, 3)
    check(".tril_", M.copy(), grad=False)


def test_integers_move_too():
    for name, args in (
        ("flip", ((0,),)),
        ("roll", (1, 0)),
        ("cumsum", (0,)),
        ("tril", ()),
        ("repeat_interleave", (2,)),
    ):
        check(name, INTS, *args)


def test_errors():
    same_error(".view", X, 5, 5)
    same_error("reshape", X, (-1, -1))
    same_error("cat", [M, X])
    same_error("cat", [])
    same_error("stack", [M, V])
    same_error("squeeze", X, 7)
    same_error("narrow", M, 1, 3, 9)
    same_error("split", M, [1, 1], 1)
    same_error("chunk", M, 0)
    same_error(".permute", X, 0, 0, 1)
    same_error(".expand", X, 5, 3, 4)
    same_error("movedim", X, (0, 1), (0,))
    same_error("unbind", np.array(1.0))
    same_error("tril", V)


def test_view_writes_through():
    x = wengert.zeros(2, 3)
    x.view(6)[1] = 5.0
    x.chunk(3, 1)[2].fill_(7.0)
    assert x.tolist() == [[0.0, 5.0, 7.0], [0.0, 0.0, 7.0]]
