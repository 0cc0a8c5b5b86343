"""The layout: nothing overlaps, data flows to the right, groups fold and stay put, and it is quick."""

import time

import numpy as np
import pytest

import wengert
from wengert import nn
from wengert.viz._build import build
from wengert.viz._groups import LIMIT, PART, REPEAT, SCOPE
from wengert.viz._layout import BOXES, Layout


def chain(count, requires_grad=True):
    h = wengert.ones(2, 2, requires_grad=requires_grad)
    w = wengert.ones(2, 2, requires_grad=True)
    u = h
    for _ in range(count):
        u = u + (u @ w).tanh()
    return u.sum()


def scoped():
    """Twelve alike blocks between a stem and a head."""
    w = wengert.ones(3, requires_grad=True)
    u = w
    with wengert.record():
        with wengert.scope("stem"):
            u = (u * 2).exp()
        for k in range(12):
            with wengert.scope(f"block {k}"):
                u = (u * w).tanh() + u
        with wengert.scope("head"):
            u = u.sin().sum()
    return u


GRAPHS = {
    "one leaf": lambda: build(wengert.ones(2, requires_grad=True)),
    "small": lambda: build((wengert.ones(2, requires_grad=True) * 2).sum()),
    "chain": lambda: build(chain(300)),
    "scopes": lambda: build(scoped()),
    "module": lambda: build(nn.Sequential(*[nn.Linear(4, 4) for _ in range(9)]), wengert.ones(2, 4)),
    "wide": lambda: build(wengert.cat([wengert.ones(1, requires_grad=True) * k for k in range(90)])),
    "graph": lambda: build(wengert.graph.record(lambda a, b: ((a * 2).sin() + b).sum(), *wengert.ones(2, 3))),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_overlaps_and_everything_lies_in_its_group(name):
    layout = Layout(GRAPHS[name]())
    groups, n = layout.groups, layout.n
    assert groups.items.max() <= LIMIT
    for group in range(groups.size):
        items = np.flatnonzero(groups.parent == group)
        items = items[items != n]
        x, y = layout.x[items], layout.y[items]
        right, below = x + layout.width[items], y + layout.height[items]
        assert (x >= 0).all() and (right <= layout.inner_width[group] + 1e-6).all()
        assert (y >= 0).all() and (below <= layout.inner_height[group] + 1e-6).all()
        apart = (right[:, None] <= x) | (x[:, None] >= right) | (below[:, None] <= y) | (y[:, None] >= below)
        assert (apart | np.eye(len(items), dtype=bool)).all(), groups.label(group)
        if group:
            box = n + group
            assert layout.left[group] + layout.inner_width[group] * layout.scale[group] <= layout.width[box] + 1e-6
            assert layout.top[group] + layout.inner_height[group] * layout.scale[group] <= layout.height[box] + 1e-6


@pytest.mark.parametrize("name", GRAPHS)
def test_data_flows_to_the_right_or_to_a_later_line(name):
    layout = Layout(GRAPHS[name]())
    x, y = layout.x, layout.y
    onward = (x[layout.a] + layout.width[layout.a] <= x[layout.b]) | (y[layout.b] > y[layout.a])
    assert onward.all()


@pytest.mark.parametrize("name", GRAPHS)
def test_at_first_not_too_many_boxes_are_seen(name):
    layout = Layout(GRAPHS[name]())
    groups, n = layout.groups, layout.n
    inside = [True] + [False] * (groups.size - 1)
    for group in np.argsort(groups.depth, kind="stable")[1:]:
        inside[group] = inside[groups.parent[n + group]] and bool(layout.open[group])
    seen = sum(inside[p] for p in groups.parent[:n]) + sum(
        inside[groups.parent[n + g]] and not inside[g] for g in range(1, groups.size)
    )
    assert 0 < seen <= BOXES


def test_scopes_are_groups_and_alike_ones_fold():
    groups = Layout(GRAPHS["scopes"]()).groups
    named = {groups.names[g]: g for g in range(1, groups.size) if g in groups.names}
    assert {"stem", "head", "block", "block 0", "block 11"} <= set(named)
    fold = named["block"]
    assert groups.kind[fold] == REPEAT and groups.times[fold] == 12
    assert all(groups.parent[len(groups.cells) + named[f"block {k}"]] == fold for k in range(12))
    assert groups.kind[named["stem"]] == SCOPE


def test_a_loop_without_scopes_folds():
    groups = Layout(GRAPHS["chain"]()).groups
    repeat = int(np.flatnonzero(groups.kind == REPEAT)[0])
    assert groups.label(repeat) == "matmul, tanh, add" and groups.times[repeat] == 300
    parts = [g for g in range(groups.size) if groups.kind[g] == PART]
    lowest = [g for g in parts if groups.items[g] == groups.count[g]]
    ends = sorted((int(groups.first[g]), int(groups.last[g])) for g in lowest)
    assert ends[0][0] == 1 and ends[-1][1] == 300
    assert all(b[0] == a[1] + 1 for a, b in zip(ends, ends[1:], strict=False))
    assert all(groups.count[g] == 3 * (groups.last[g] - groups.first[g] + 1) for g in lowest)


def test_parameters_without_operations_make_no_group():
    groups = Layout(GRAPHS["module"]()).groups
    titles = {groups.title(k) for k in groups.cells}
    assert "0.weight" in titles or any(name.endswith("0") for name in groups.names.values())


def test_opening_moves_nothing():
    """Places do not depend on which groups are open at first, but for what is open at first itself."""
    layout = Layout(GRAPHS["chain"]())
    x, y, scale = layout.world()
    n, groups = layout.n, layout.groups
    for group in range(1, groups.size):
        inner = np.flatnonzero(groups.parent[:n] == group)
        box = n + group
        right = x[box] + layout.width[box] * scale[box]
        assert (x[inner] >= x[box]).all() and (x[inner] + layout.width[inner] * scale[inner] <= right + 1e-6).all()


def test_layout_of_300_000_nodes_takes_half_a_second():
    model = build(chain(50_000))
    assert len(model) > 300_000
    best = np.inf
    for _ in range(3):
        started = time.perf_counter()
        Layout(model)
        best = min(best, time.perf_counter() - started)
    assert best <= 0.5, f"{best:.2f} s"


def test_a_deep_tree_of_scopes_is_quick():
    w = wengert.ones(1, requires_grad=True)
    u = w
    with wengert.record(values=None):
        for k in range(3000):
            with wengert.scope(f"step {k}"), wengert.scope("cell"):
                u = (u * w).tanh()
    model = build(u)
    started = time.perf_counter()
    layout = Layout(model)
    assert time.perf_counter() - started < 1.0
    assert layout.groups.times.max() == 3000


def test_what_does_not_repeat_is_open_at_first():
    """Fifty different operations are seen at once, though they are in parts."""

    def f(x):
        for k in range(50):
            x = (x.sin, x.cos, x.tanh, x.exp, x.sigmoid, x.square, x.abs)[(k * k + k // 7) % 7]()
        return x

    layout = Layout(build(wengert.graph.record(f, wengert.ones(2))))
    parts = [g for g in range(layout.groups.size) if layout.groups.kind[g] == PART]
    assert len(parts) >= 2 and layout.open[parts].all()
