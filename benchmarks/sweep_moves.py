"""Cases of the sweep that move, choose, order or draw elements, and steps of training around them."""

from __future__ import annotations

from .harness import Step
from .sweep_data import Data, case, unchecked, with_grad


@case
def _pad(d: Data) -> Step:
    x = d.new()
    return lambda: d.m.nn.functional.pad(x, (1, 1, 1, 1))


@case
def _gather(d: Data) -> Step:
    x, i = d.new(), d.whole(d.side)
    return lambda: x.gather(1, i)


@case
def _scatter_add(d: Data) -> Step:
    x, y, i = d.m.zeros(d.side, d.side), d.new(), d.whole(d.side)
    return lambda: x.scatter_add(1, i, y)


@case
def _index_select(d: Data) -> Step:
    x, i = d.new(), d.whole(d.side, d.side)
    return lambda: x.index_select(0, i)


@case
def _index_select_dim_1(d: Data) -> Step:
    x, i = d.new(), d.whole(d.side, d.side)
    return lambda: x.index_select(1, i)


@case
def _index_rows(d: Data) -> Step:
    x, i = d.new(), d.whole(d.side, d.side)
    return lambda: x[i]


@case
def _index_pairs(d: Data) -> Step:
    x, i, j = d.new(), d.whole(d.side, d.n), d.whole(d.side, d.n)
    return lambda: x[i, j]


@case
def _slice_copy(d: Data) -> Step:
    x = d.new()
    return lambda: x[:, 1:].contiguous()


@case
def _embedding__grad(d: Data) -> Step:
    w, i = d.new(1000, 64, grad=True), d.whole(1000, max(d.n // 64, 1))
    return with_grad(d, [w], lambda: d.m.nn.functional.embedding(i, w))


@case
def _one_hot(d: Data) -> Step:
    i = d.whole(10, max(d.n // 10, 1))
    return lambda: d.m.nn.functional.one_hot(i, 10)


@case
def _cat_dim_0(d: Data) -> Step:
    x, y = d.new(), d.new()
    return lambda: d.m.cat([x, y])


@case
def _cat_dim_1(d: Data) -> Step:
    x, y = d.new(), d.new()
    return lambda: d.m.cat([x, y], 1)


@case
def _stack_dim_1(d: Data) -> Step:
    x, y = d.new(), d.new()
    return lambda: d.m.stack([x, y], -1)


@case
def _transpose_copy(d: Data) -> Step:
    x = d.new()
    return lambda: x.t().contiguous()


@case
def _permute_copy(d: Data) -> Step:
    side = max(round((d.n / 16) ** 0.5), 1)
    x = d.new(4, side, 4, side)
    return lambda: x.permute(0, 2, 1, 3).contiguous()


@case
def _transposed_add(d: Data) -> Step:
    x, y = d.new(), d.new()
    return lambda: x + y.t()


@case
def _clone(d: Data) -> Step:
    x = d.new()
    return lambda: x.clone()


@case
def _zeros(d: Data) -> Step:
    return lambda: d.m.zeros(d.side, d.side)


@case
def _arange(d: Data) -> Step:
    return lambda: d.m.arange(d.n)


@case
def _repeat(d: Data) -> Step:
    x = d.new(d.side)
    return lambda: x.repeat(d.side, 1)


@case
def _flip(d: Data) -> Step:
    x = d.new()
    return lambda: x.flip(1)


@case
def _roll(d: Data) -> Step:
    x = d.new()
    return lambda: x.roll(1, 1)


@case
def _tril(d: Data) -> Step:
    x = d.new()
    return lambda: x.tril()


@case
def _topk(d: Data) -> Step:
    x = d.new()
    return lambda: x.topk(5)[0]


@case
def _sort(d: Data) -> Step:
    x = d.new()
    return lambda: x.sort()[0]


@case
def _sort_flat(d: Data) -> Step:
    x = d.new(d.n)
    return lambda: x.sort()[0]


@case
def _sort_dim_0(d: Data) -> Step:
    x = d.new()
    return lambda: x.sort(0)[0]


@case
def _unique(d: Data) -> Step:
    x = d.whole(50)
    return lambda: x.unique()


@case
def _bincount(d: Data) -> Step:
    x = d.whole(50, d.n)
    return lambda: x.bincount()


@case
def _cumsum(d: Data) -> Step:
    x = d.new()
    return lambda: x.cumsum(1)


@case
def _cumsum_dim_0(d: Data) -> Step:
    x = d.new()
    return lambda: x.cumsum(0)


@case
def _cumsum_flat(d: Data) -> Step:
    x = d.new(d.n, low=0.0, high=1.0)
    return lambda: x.cumsum(0)


@case
def _random_normal(d: Data) -> Step:
    return unchecked(lambda: d.m.randn(d.side, d.side))


@case
def _random_uniform(d: Data) -> Step:
    return unchecked(lambda: d.m.rand(d.side, d.side))


@case
def _random_permutation(d: Data) -> Step:
    return unchecked(lambda: d.m.randperm(d.n))


@case
def _dropout__grad(d: Data) -> Step:
    x = d.new(grad=True)
    run = with_grad(d, [x], lambda: d.m.nn.functional.dropout(x, 0.5))

    return unchecked(run)


@case
def _bernoulli(d: Data) -> Step:
    x = d.new(low=0, high=1)

    return unchecked(lambda: d.m.bernoulli(x))


@case
def _clip_grad_norm(d: Data) -> Step:
    parameters = [d.new(max(d.n // 10, 1), grad=True) for _ in range(10)]
    for p in parameters:
        p.grad = d.m.ones_like(p) * 1e-6
    return lambda: d.m.nn.utils.clip_grad_norm_(parameters, 1.0)


@case
def _adam_step(d: Data) -> Step:
    parameters = [d.new(max(d.n // 10, 1), grad=True) for _ in range(10)]
    for p in parameters:
        p.grad = d.m.ones_like(p)
    optimizer = d.m.optim.Adam(parameters, lr=1e-6)

    return unchecked(optimizer.step)


@case
def _item(d: Data) -> Step:
    x = d.new()
    return lambda: x[0, 0].item()
