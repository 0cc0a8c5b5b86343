"""Calls of views, joining, indexing, constructors and conversions."""

import numpy as np
from scope.arrays import b, i, pos, unit, x, y
from scope.variants import call

D64 = "dtype:float64"
SAME = [call(x(2, 3)), call(x()), call(x(0, 2)), call(b(3)), call(i(9, 3))]
LIKE = [
    *SAME,
    call(x(2, 3), dtype="dtype:int32"),
    call(x(2, 3), requires_grad=True),
    call(x(2), device="cpu"),
    call(x(2), device="nowhere"),
]
SIZES = [
    call(3), call(2, 3), call((2, 3)), call([2, 3]), call(()), call(0), call(2, dtype=D64),
    call(2, dtype="dtype:int64"),
    call(size=(2, 3)), call(2, requires_grad=True), call(2, device="cpu"), call(-1), call(2.5), call("a"),
]  # fmt: skip
NEW = [
    call(x(2), 3),
    call(x(2), (3, 1)),
    call(i(3, 2), 2, 2),
    call(x(2), (2,), dtype="dtype:int32"),
    call(x(2), 2, requires_grad=True),
    call(x(2), -1),
]


def untouched(calls):
    """Calls whose values are random or were never written."""
    return [call(*c.args, values=False, **c.kwargs) for c in calls]


SHAPE = {
    "view": [
        call(x(2, 6), 3, 4), call(x(2, 6), (3, 4)), call(x(2, 6), -1), call(x(2, 6), 5, -1),
        call(x(2, 6), -1, -1), call(x(), 1), call(x(0, 3), 0), call(x(2, 3), 7),
        call(x(2, 2).astype(np.float32), "dtype:int32"),
    ],
    "reshape": [
        call(x(2, 6), (3, 4)), call(x(2, 6), (-1,)), call(x(2, 6), (5, -1)), call(x(), (1, 1)),
        call(x(0, 3), (3, 0)), call(x(2, 3), (7,)), call(x(2, 6), [4, 3]),
    ],
    "view_as": [call(x(2, 6), y(3, 4)), call(x(2, 6), y(3, 5))],
    "reshape_as": [call(x(2, 6), y(3, 4)), call(x(2, 6), y(3, 5))],
    "expand": [
        call(x(3, 1), 3, 4), call(x(3, 1), (2, 3, 4)), call(x(3, 1), -1, 4), call(x(3), 2, -1), call(x(3), 4),
        call(x(), 3), call(x(3, 1), (-1, 3, 4)),
    ],
    "expand_as": [call(x(3, 1), y(2, 3, 4)), call(x(3), y(4))],
    "transpose": [
        call(x(2, 3, 4), 0, 2), call(x(2, 3), -1, 0), call(x(), 0, 0), call(x(2, 3), 0, 2),
        call(x(2, 3), dim0=0, dim1=1),
    ],
    "permute": [
        call(x(2, 3, 4), (2, 0, 1)), call(x(2, 3, 4), (-1, 0, 1)), call(x(2, 3), (0, 0)), call(x(2, 3), (0,)),
        call(x(2, 3), dims=(1, 0)),
    ],
    "T": [call(x(2, 3)), call(x(3)), call(x())],
    "mT": [call(x(2, 3)), call(x(2, 3, 4)), call(x(3))],
    "H": [call(x(2, 3)), call(x(3)), call(x(2, 3, 4))],
    "t": [call(x(2, 3)), call(x(3)), call(x()), call(x(2, 3, 4))],
    "unsqueeze": [call(x(2, 3), 0), call(x(2, 3), -1), call(x(), 0), call(x(2), 3), call(x(2), dim=1)],
    "squeeze": [
        call(x(1, 3, 1)), call(x(1, 3, 1), 0), call(x(1, 3, 1), 1), call(x(1, 3, 1), dim=(0, -1)), call(x(), 0),
        call(x(1, 2), 2), call(x(1, 3, 1), ()),
    ],
    "flatten": [
        call(x(2, 3, 4)), call(x(2, 3, 4), 1), call(x(2, 3, 4), 0, 1), call(x()), call(x(3)),
        call(x(2, 3, 4), start_dim=-2), call(x(2, 3), 1, 0), call(x(0, 3)),
    ],
    "unflatten": [
        call(x(2, 6), 1, (2, 3)), call(x(2, 6), -1, (-1, 3)), call(x(2, 6), 1, (4, 2)),
        call(x(2, 6), dim=1, sizes=(2, 3)), call(x(6), 0, [3, 2]),
    ],
    "movedim": [
        call(x(2, 3, 4), 0, 2), call(x(2, 3, 4), (0, 1), (2, 0)), call(x(2, 3, 4), 0, 3),
        call(x(2, 3, 4), source=-1, destination=0), call(x(2, 3), (0, 1), (0,)),
    ],
    "cat": [
        call([x(2, 3), y(1, 3)]), call((x(2, 3), y(2, 2)), 1), call([x(2, 3), y(2, 3)], dim=-1),
        call([x(2, 3), y(2, 2)]), call([]), call([x(), y()]),
        call([i(3, 2), y(3)]), call([x(0), y(2, 3)]), call([x(2, 3), y(2, 3)], axis=1), call(x(2)),
        call([x(2).astype(np.float32), y(2)]), call([x(2, 3)], 2), call([b(2), i(3, 2)]),
    ],
    "stack": [
        call([x(2, 3), y(2, 3)]), call([x(2, 3), y(2, 3)], 1), call([x(2), y(2)], dim=-1), call([x(), y()]),
        call([x(2), y(3)]), call([]), call([i(3, 2), y(2)]), call([x(2)], 3),
    ],
    "chunk": [
        call(x(7), 3), call(x(2, 5), 2, 1), call(x(2, 5), 4, dim=-1), call(x(0, 3), 2), call(x(3), 0),
        call(x(), 1), call(x(3), 5),
    ],
    "split": [
        call(x(7), 3), call(x(2, 5), 2, 1), call(x(5), (2, 3)), call(x(5), [1, 2]),
        call(x(2, 5), [4, 1], dim=-1), call(x(0, 3), 2), call(x(3), 0), call(x(3), 5), call(x(), 1),
    ],
    "unbind": [call(x(3, 2)), call(x(3, 2), 1), call(x(3, 2), dim=-1), call(x()), call(x(0, 2)), call(x(3), 1)],
    "tile": [
        call(x(2, 3), (2,)), call(x(2, 3), (2, 1, 2)), call(x(), (3,)), call(x(2), (0,)),
        call(x(2), dims=(2, 2)), call(x(2), (-1,)),
    ],
    "repeat": [
        call(x(2, 3), 2, 1), call(x(2, 3), (2, 1, 2)), call(x(3), 2), call(x(2, 3), 2), call(x(), 3),
        call(x(2), 0), call(x(2), -1),
    ],
    "repeat_interleave": [
        call(x(3), 2), call(x(2, 3), 2, dim=1), call(x(2, 3), np.array([1, 2]), dim=0),
        call(x(2, 3), np.array([2])), call(x(3), np.array([1, 2, 0]), output_size=3),
        call(x(3), np.array([1, 2])), call(x(3), -1),
    ],
    "flip": [
        call(x(2, 3), (0,)), call(x(2, 3), (0, 1)), call(x(2, 3), [-1]), call(x(2, 3), (0, 0)),
        call(x(2, 3), dims=(1,)), call(x(), ()),
    ],
    "flipud": [call(x(2, 3)), call(x(3)), call(x())],
    "roll": [
        call(x(2, 3), 1), call(x(2, 3), 1, 0), call(x(2, 3), (1, -1), (0, 1)), call(x(2, 3), shifts=2, dims=1),
        call(x(0, 3), 1, 1), call(x(2, 3), (1, 2), 0),
    ],
    "narrow": [
        call(x(4, 3), 0, 1, 2), call(x(4, 3), 1, -2, 1), call(x(4), 0, 3, 2), call(x(4), 0, 4, 0),
        call(x(4), dim=0, start=1, length=2), call(x(4), 0, 5, 0), call(x(4), 1, 0, 1),
    ],
    "select": [
        call(x(4, 3), 0, 1), call(x(4, 3), -1, -1), call(x(4), 0, 4), call(x(4, 3), dim=1, index=0),
        call(x(), 0, 0),
    ],
    "diag": [
        call(x(3)), call(x(3), 1), call(x(3), -1), call(x(3, 4)), call(x(3, 4), 1), call(x(3, 4), diagonal=-2),
        call(x(2, 2, 2)), call(x(0)),
    ],
    "triu": [
        call(x(3, 4)), call(x(3, 4), 1), call(x(2, 3, 3), diagonal=-1), call(b(3, 3)), call(i(3, 3, 3)),
        call(x(3)),
    ],
    "tril": [call(x(3, 4)), call(x(3, 4), 1), call(x(2, 3, 3), diagonal=-1), call(b(3, 3)), call(x(3))],
    "as_strided": [
        call(x(12), (3, 2), (4, 1)), call(x(12), (2, 2), (1, 1), 3),
        call(x(12), size=(2,), stride=(3,), storage_offset=1), call(x(4), (3, 3), (4, 1)),
        call(x(4), (2,), (1, 1)),
    ],
    "unfold": [
        call(x(7), 0, 3, 2), call(x(2, 7), 1, 3, 1), call(x(2, 7), -1, 2, 3), call(x(3), 0, 4, 1),
        call(x(3), dimension=0, size=2, step=1),
    ],
    "contiguous": SAME,
    "clone": SAME,
    "gather": [
        call(x(3, 4), 1, i(4, 3, 2)), call(x(3, 4), 0, i(3, 2, 4)), call(x(3), 0, i(3, 0)),
        call(x(3, 4), 1, i(4, 3)), call(x(3, 4), 1, np.array([[4]])), call(x(3, 4), dim=1, index=i(4, 3, 2)),
        call(x(3, 4), 1, x(3, 2)), call(x(), 0, np.zeros((), np.int64)),
    ],
    "scatter": [
        call(x(3, 4), 1, np.array([[0, 2], [1, 3], [3, 0]]), y(3, 2)), call(x(3, 4), 0, i(3, 1, 4), 2.5),
        call(x(3, 4), 1, i(4, 3, 2), 1.5, reduce="add", grad=False, dtypes=False),
        call(x(3, 4), dim=1, index=np.array([[0], [1], [2]]), src=y(3, 1)),
        call(x(3, 4), dim=1, index=np.array([[0], [1], [2]]), value=3), call(x(3), 0, np.array([5]), 1.0),
        call(x(3, 4), 1, i(4, 3, 2), y(3, 2), reduce="multiply", grad=False, dtypes=False),
        call(x(3), 0, np.array([1]), i(3, 1)),
    ],
    "scatter_add": [
        call(x(3, 4), 1, i(4, 3, 5), y(3, 5), dtypes=False), call(x(3), 0, i(3, 6), y(6), dtypes=False),
        call(x(3), 0, np.array([3]), y(1)), call(x(3, 4), dim=0, index=i(3, 2, 4), src=y(2, 4), dtypes=False),
        call(x(3), 0, i(3, 2), i(3, 2)),
    ],
    "index_select": [
        call(x(3, 4), 0, np.array([2, 0, 2])), call(x(3, 4), 1, np.array([1])), call(x(3), 0, np.array([3])),
        call(x(3), dim=0, index=np.array([0])), call(x(3, 4), 0, i(3, 2, 2)),
        call(x(3), 0, np.zeros(0, np.int64)), call(x(3, 4), -1, np.array([1], np.int32)),
    ],
    "index_add": [
        call(x(3, 4), 0, np.array([2, 0, 2]), y(3, 4), dtypes=False),
        call(x(3, 4), 1, np.array([1]), y(3, 1), alpha=2, dtypes=False), call(x(3), 0, np.array([3]), y(1)),
        call(x(3), dim=0, index=np.array([0]), source=y(1), dtypes=False),
        call(x(3), 0, np.array([0, 1]), y(1)),
    ],
    "index_fill": [
        call(x(3, 4), 0, np.array([2, 0]), 1.5), call(x(3, 4), 1, np.array([1]), np.asarray(2.5)),
        call(x(3), 0, np.array([3]), 1), call(x(3), dim=0, index=np.array([0]), value=2),
    ],
    "masked_fill": [
        call(x(3, 4), b(3, 4), 1.5), call(x(3, 4), b(4), -np.inf, dtypes=False), call(x(3, 1), b(3, 4), 0),
        call(x(3), b(3), np.asarray(2.0)), call(x(3), i(2, 3), 1.0), call(i(3, 3), b(3), 2.5),
        call(x(3), mask=b(3), value=2), call(x(3), b(3), y(3)),
    ],
    "masked_select": [
        call(x(3, 4), b(3, 4)), call(x(3, 1), b(4)), call(x(3), i(2, 3)), call(x(3), np.zeros(3, bool)),
        call(x(3), mask=b(3)), call(x(3), b(4)),
    ],
    "nonzero": [
        call(i(2, 3, 2)), call(x(3)), call(x()), call(b(2, 2, 2)), call(i(2, 3, 2), as_tuple=True),
        call(x(0, 2)), call(np.zeros(3)),
    ],
    "argwhere": [call(i(2, 3, 2)), call(x()), call(b(2, 2))],
    "topk": [
        call(x(5), 2), call(x(3, 5), 2, 0), call(x(3, 5), 3, dim=-1, largest=False, dtypes=False),
        call(x(5), 6), call(x(3, 5), 2, sorted=False, values=False), call(x(), 1), call(x(3), 0),
        call(x(5), k=1),
    ],
    "sort": [
        call(x(5)), call(x(3, 5), 0), call(x(3, 5), descending=True),
        call(x(3, 5), dim=1, descending=True, stable=True), call(x()), call(x(0)),
        call(np.array([2, 1, 2, 1]), stable=True), call(np.array([np.nan, 1.0, -np.inf])), call(x(3), 1),
        call(b(4), stable=True),
    ],
    "unique": [
        call(np.array([3, 1, 3, 2])), call(np.array([3, 1, 3, 2]), return_inverse=True),
        call(np.array([3, 1, 3, 2]), return_counts=True), call(np.array([[3, 1], [3, 1], [2, 2]]), dim=0),
        call(np.array([3, 1, 3, 2]), return_inverse=True, return_counts=True), call(x(4)),
        call(np.array([], np.int64)), call(np.array([3, 1, 3]), sorted=True), call(b(3)),
    ],
    "meshgrid": [
        call(x(2), y(3), indexing="ij"), call(x(2), y(3), indexing="xy"),
        call([x(2), y(3), pos(2)], indexing="ij"), call(x(), y(2), indexing="ij"),
        call(x(2), y(2), indexing="no"), call(x(2, 2), y(2), indexing="ij"),
    ],
    "einsum": [
        call("ij,jk->ik", x(2, 3), y(3, 4)), call("bij,bjk->bik", x(2, 2, 3), y(2, 3, 4)),
        call("ii->i", x(3, 3)), call("ii", x(3, 3)), call("ij->ji", x(2, 3)),
        call("...ij,...jk->...ik", x(2, 2, 3), y(3, 2)), call("i,j", x(2), y(3), dtypes=False),
        call("ij,ij->", x(2, 3), y(2, 3)), call("bhqd,bhkd->bhqk", x(1, 2, 3, 4), y(1, 2, 2, 4)),
        call("ij,jk,kl->il", x(2, 3), y(3, 2), pos(2, 2)), call("ij,jk", x(2, 3), y(4, 2)),
        call("ij->ik", x(2, 3)), call("i j, j k -> i k", x(2, 3), y(3, 4)), call("...->...", x(2, 3)),
        call("ij", x(3)),
        call("ij,jk->ik", [x(2, 3), y(3, 4)]), call("bi,bi->b", x(2, 3), y(1, 3)),
    ],
    "item": [call(x()), call(x(1)), call(x(2)), call(i(3, 1)), call(b(1, 1)), call(x(0))],
    "fill": [
        call(x(2, 3), 1.5), call(i(3, 2), 2), call(i(3, 2), 2.5), call(x(2), np.asarray(2.0)), call(x(2), y(2)),
        call(b(2), 1),
    ],
    "zero_": [call(x(2, 3), grad=False), call(i(3, 2)), call(x(), grad=False)],
    "resize_": [call(x(2, 3), (3, 2), grad=False), call(x(2, 3), 2, 2, grad=False), call(x(6), (2,), grad=False)],
    "to": [
        call(x(2), "dtype:float32"), call(x(2), "dtype:int64"), call(x(2), dtype="dtype:float16"),
        call(x(2), "cpu"), call(x(2), "cpu", "dtype:float32"), call(x(2), device="cpu", dtype="dtype:float32"),
        call(x(2), y(2).astype(np.float32), dtypes=False),
        call(x(2), "dtype:float32", non_blocking=True, copy=True), call(x(2), copy=True), call(x(2), "nowhere"),
        call(np.array([1.7, -1.7, 0.0]), "dtype:int64", grad=False),
        call(np.array([1.7, -1.7, 0.0]), "dtype:bool", grad=False),
        call(np.array([300.0, -1.0]), "dtype:int16", grad=False),
    ],
    **{n: [call(x(2, 3)), call(i(9, 3)), call(b(3)), call(x()), call(np.array([0.3, 2.7, 100.0]))]
       for n in ("float", "double", "long", "int", "bool", "bfloat16", "byte")},
    "zeros": SIZES,
    "ones": SIZES,
    "empty": untouched(SIZES),
    "randn": untouched(SIZES),
    "zeros_like": LIKE,
    "ones_like": LIKE,
    "empty_like": untouched(LIKE),
    "randn_like": untouched([c for c in LIKE if c.args[0].dtype.kind == "f" and c.args[0].size]),
    "rand_like": untouched([c for c in LIKE if c.args[0].dtype.kind == "f"]),
    "randint_like": [
        call(x(2, 3), 5, values=False), call(i(3, 2), 1, 5, values=False),
        call(x(2), high=4, values=False, dtypes=False), call(x(2), 3, 3, values=False),
        call(x(2), 5, dtype="dtype:int64", values=False),
    ],
    "full_like": [
        call(x(2, 3), 2), call(i(3, 2), 2.5), call(i(3, 2), 2), call(x(2), 1, dtype="dtype:int64"),
        call(b(2), True), call(x(2), fill_value=3),
    ],
    "new_zeros": NEW,
    "new_ones": NEW,
    "new_empty": untouched(NEW),
    "new_full": [
        call(x(2), (2, 3), 1.5), call(i(3, 2), (2,), 2), call(x(2), (2,), 3, dtype="dtype:int64"),
        call(x(2), size=(2,), fill_value=4), call(i(3, 2), (2,), 2.5),
    ],
    "full": [
        call((2, 3), 1.5), call((2,), 2), call((2,), True), call(size=(2,), fill_value=3),
        call((2,), 1, dtype="dtype:float32"), call((), 2.5), call((2,), 2.5, requires_grad=True),
        call((-1,), 2),
    ],
    "arange": [
        call(5), call(1, 5), call(1, 5, 2), call(5.0), call(0, 1, 0.25), call(5, 1, -2), call(5, 1),
        call(5, dtype="dtype:float32"), call(end=4), call(start=1, end=4), call(1, 4, step=2), call(0, 1, 0),
        call(3, dtype="dtype:float64", requires_grad=True), call(2.5),
    ],
    "linspace": [
        call(0, 1, 5), call(0, 1, steps=3), call(start=0, end=10, steps=11), call(1, 0, 4),
        call(0, 10, 5, dtype="dtype:int64"), call(0, 1, 1), call(0, 1, 0), call(0, 1, -1), call(0, 1),
    ],
    "eye": [
        call(3), call(2, 3), call(3, dtype="dtype:int64"), call(0), call(n=2, m=3), call(-1),
        call(2, requires_grad=True),
    ],
    "randint": [
        call(5, (2, 3), values=False), call(1, 5, (2,), values=False),
        call(low=1, high=5, size=(2,), values=False), call(5, (2,), dtype="dtype:float32", values=False),
        call(5, 5, (2,), values=False), call(5, 3, values=False), call(0, (2,), values=False),
    ],
    "normal": [
        call(0.0, 1.0, (2, 3), values=False), call(x(3), 1.0, values=False, grad=False),
        call(x(3), pos(3), values=False, grad=False), call(0.0, pos(3), values=False, grad=False),
        call(mean=0.0, std=1.0, size=(2,), values=False), call(0.0, -1.0, (2,), values=False),
        call(x(3), values=False, grad=False),
    ],
    "uniform_": [
        call(x(2, 3), values=False, grad=False), call(x(2, 3), -1, 1, values=False, grad=False),
        call(x(2), 1, -1, values=False, grad=False), call(i(3, 2), values=False),
    ],
    "bernoulli": [
        call(unit(3, 4), values=False, grad=False), call(np.ones((2, 2)), grad=False),
        call(np.zeros(3), grad=False), call(np.array([2.0]), grad=False),
        call(unit(3), 0.5, values=False, grad=False),
    ],
    "multinomial": [
        call(unit(5), 2, values=False, grad=False), call(unit(2, 5), 3, True, values=False, grad=False),
        call(np.array([0.0, 1.0, 0.0]), 4, replacement=True, grad=False),
        call(unit(5), 6, values=False, grad=False), call(np.array([-1.0, 1.0]), 1, values=False, grad=False),
        call(unit(5), num_samples=1, values=False, grad=False), call(np.zeros(3), 1, values=False, grad=False),
    ],
    "softmax": [
        call(x(3, 4), 1), call(x(3, 4), dim=0), call(x(3, 4), -1, dtype="dtype:float32"), call(x(), 0),
        call(x(3), 1), call(x(0, 3), 1, dtypes=False),
        call(np.array([[np.inf, 1.0], [-np.inf, -np.inf]]), 1, grad=False), call(i(4, 3), 0),
        call(i(4, 3), 0, dtype="dtype:float32"),
    ],
    "log_softmax": [
        call(x(3, 4), 1), call(x(3, 4), dim=0), call(x(3, 4), -1, dtype="dtype:float32"), call(x(), 0),
        call(x(3), 1), call(i(4, 3), 0),
    ],
}  # fmt: skip
