"""Programs of views and writes in place: the same bits when they run eagerly, as a recording and by hand."""

import random

import pytest

import wengert as w

SIZE = 6


def view_of(t, rng):
    """A random view of a tensor with elements."""
    d = rng.randrange(t.dim()) if t.dim() else 0
    makers = [lambda: t.detach() * 1 + t, lambda: t.view(t.shape)]
    if t.dim():
        n = t.shape[d]
        makers += [
            lambda: t.transpose(0, -1),
            lambda: t.select(d, rng.randrange(n)),
            lambda: t.narrow(d, k := rng.randrange(n), rng.randrange(1, n - k + 1)),
            lambda: t.unsqueeze(d),
            lambda: t.reshape(-1),
        ]
    return rng.choice(makers)()


def program(seed):
    """A function of one matrix that makes views of what it has and writes to some of them."""

    def run(x):
        rng = random.Random(seed)
        known = [x * 1]
        for _ in range(14):
            t = rng.choice(known)
            kind = rng.randrange(5)
            if kind < 2 or not t.dim():
                known.append(view_of(t, rng))
            elif kind == 2:
                t.mul_(1 + rng.random())
            elif kind == 3:
                source = rng.choice(known)
                t.add_(source.sum())
            else:
                t[rng.randrange(t.shape[0])] = rng.random()
        return tuple(t * 1 for t in known)

    return run


@pytest.mark.parametrize("seed", range(60))
def test_three_ways_to_run_it(seed):
    f = program(seed)
    x = w.randn(SIZE, SIZE - 2, generator=w.Generator().manual_seed(seed))
    want = f(x)
    recorded = w.graph.record(f, x)
    graph = w.Graph("by hand")
    graph.output(*f(graph.input("x", x.shape)))
    graph.verify()
    for found in (recorded.run(x), graph.compile(exact=True)(x)):
        assert len(found) == len(want)
        assert all(w.equal(a, b) for a, b in zip(found, want, strict=True))
