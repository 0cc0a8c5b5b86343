"""Compiled calls see the Python state that they depend on, and those that change it are not replaced by plans."""

import collections
import contextlib
import dataclasses
import functools
import io
import random
import sys
import time
import types

import numpy as np
import pytest
from compile_tools import Programs

import wengert as w
from wengert import nn

program = Programs()


userconf = types.ModuleType("userconf")
sys.modules["userconf"] = userconf
exec("SCALE = 2.0\ndef helper(x): return x * SCALE", vars(userconf))
GLOBAL = 2.0
GLOBAL_LIST = [1.0]


class Config:
    scale = 2.0


class Net(nn.Module):
    factor = 1.0

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def encode(self, x):
        return self.layer(x) * GLOBAL * self.factor

    def forward(self, x):
        return self.encode(x)


class Gain:
    k = 1.0

    def __call__(self, x):
        return x * self.k * GLOBAL


@program
def compiled_in_compiled(compile):
    seen = {"n": 1.0}
    inner = compile(lambda x: x * seen["n"])
    f = compile(lambda x: inner(x) + 1)
    out = []
    for k in range(10):
        if k == 6:
            seen["n"] = 5.0
        out.append(f(w.ones(2)).tolist())
    return out


@program
def module_attribute(compile):
    userconf.SCALE = 2.0
    f = compile(lambda x: x * userconf.SCALE)
    out = []
    for k in range(10):
        if k == 6:
            userconf.SCALE = 7.0
        out.append(f(w.ones(2)).tolist())
    return out


@program
def module_function(compile):
    userconf.SCALE = 2.0
    f = compile(lambda x: userconf.helper(x))
    out = []
    for k in range(10):
        if k == 6:
            userconf.SCALE = 7.0
        out.append(f(w.ones(2)).tolist())
    return out


@program
def class_attribute(compile):
    Config.scale = 2.0
    f = compile(lambda x: x * Config.scale)
    out = []
    for k in range(10):
        if k == 6:
            Config.scale = 7.0
        out.append(f(w.ones(2)).tolist())
    return out


@program
def method_global(compile):
    global GLOBAL
    GLOBAL = 2.0
    w.manual_seed(0)
    n = Net()
    f = compile(n)
    out = []
    for k in range(10):
        if k == 6:
            GLOBAL = 7.0
        out.append(f(w.ones(2)).tolist())
    return out


@program
def class_level_attr_of_module(compile):
    w.manual_seed(0)
    Net.factor = 1.0
    n = Net()
    f = compile(n)
    out = []
    for k in range(10):
        if k == 6:
            Net.factor = 7.0
        out.append(f(w.ones(2)).tolist())
    return out


@program.refused("the call changes the random numbers")
def python_random(compile):
    random.seed(3)
    f = compile(lambda x: x.flip(0) if random.random() < 0.5 else x * 1)
    out = []
    for _k in range(30):
        out.append(f(w.arange(3.0)).tolist())
    return out


@program.refused("the call changes the random numbers")
def numpy_random(compile):
    np.random.seed(3)
    f = compile(lambda x: x.flip(0) if np.random.rand() < 0.5 else x * 1)
    out = []
    for _k in range(30):
        out.append(f(w.arange(3.0)).tolist())
    return out


@program.refused("the call changes the random numbers")
def own_random(compile):
    rng = random.Random(3)
    g = np.random.default_rng(2)
    f = compile(lambda x: (x.flip(0) if rng.random() < 0.5 else x * 1) + (1 if g.random() < 0.5 else 2))
    out = []
    for _k in range(40):
        out.append(f(w.arange(3.0)).tolist())
    return out


@program.refused("the calls use different tensors from")
def numpy_argument(compile):
    f = compile(lambda x, a: x * w.tensor(a))
    out = []
    a = np.ones(3, np.float32)
    for k in range(10):
        if k > 5:
            a[0] = k
        out.append(f(w.ones(3), a).tolist())
    return out


@program.refused("the calls use different tensors from")
def numpy_closure(compile):
    a = np.ones(3, np.float32)
    b = np.ones(3, np.float32)
    f = compile(lambda x: x * w.from_numpy(a) + w.tensor(b))
    out = []
    for k in range(12):
        if k > 5:
            a[0] = k
        if k > 8:
            b[1] = k
        out.append(f(w.ones(3)).tolist())
    return out


@program
def big_list(compile):
    t = [1.0] * 5000
    f = compile(lambda x: x * t[7])
    out = []
    for k in range(10):
        if k == 6:
            t[7] = 9.0
        out.append(f(w.ones(3)).tolist())
    return out


@program.refused("the call changes g(), which a")
def default_args(compile):
    def g(x, acc=[]):  # noqa: B006
        acc.append(1)
        return x * len(acc)

    f = compile(g)
    return [f(w.ones(1)).item() for _ in range(8)]


@program
def default_args2(compile):
    def g(x, acc={"k": 1.0}):  # noqa: B006
        return x * acc["k"]

    f = compile(g)
    out = []
    for k in range(10):
        if k == 6:
            g.__defaults__[0]["k"] = 4.0
        if k == 8:
            g.__defaults__ = ({"k": 9.0},)
        out.append(f(w.ones(1)).item())
    return out


@program
def dataclass_arg(compile):
    @dataclasses.dataclass
    class A:
        k: float
        t: object

    f = compile(lambda x, a: x * a.k + a.t)
    out = []
    a = A(1.0, w.ones(2))
    for k in range(10):
        if k == 5:
            a.k = 3.0
        if k == 8:
            a = A(1.0, w.zeros(2))
        out.append(f(w.ones(2), a).tolist())
    return out


@program.refused("print() writes text, which a plan")
def print_const(compile):

    b = io.StringIO()

    def g(x):
        print("hi")
        return x * 2

    f = compile(g)
    with contextlib.redirect_stdout(b):
        for _k in range(8):
            f(w.ones(1))
    return b.getvalue()


@program
def counter_in_nested(compile):
    class S:
        pass

    s = S()
    s.inner = S()
    s.inner.d = {"n": [0]}

    def g(x):
        s.inner.d["n"][0] += 1
        return x * s.inner.d["n"][0]

    f = compile(g)
    return [f(w.ones(1)).item() for _ in range(9)]


@program.refused("it can reach it, an iterator,")
def iterator_state(compile):
    it = iter(range(100))
    f = compile(lambda x: x * (next(it) // 3))
    return [f(w.ones(1)).item() for _ in range(12)]


@program.refused("it can reach it, an iterator,")
def generator_state(compile):
    def gen():
        k = 0
        while True:
            yield k // 4
            k += 1

    it = gen()
    f = compile(lambda x: x + 0 * next(it) if next(it) < 2 else x * 3)
    return [f(w.ones(1)).item() for _ in range(12)]


@program
def nonlocal_count(compile):
    n = 0

    def g(x):
        nonlocal n
        n += 1
        return x * n

    f = compile(g)
    return [f(w.ones(1)).item() for _ in range(9)]


@program
def time_inside(compile):

    f = compile(lambda x: x * (time.time() * 0 + 1))
    return [f(w.ones(1)).item() for _ in range(6)]


@program
def set_membership(compile):
    s = {1, 2}
    f = compile(lambda x: x * 3 if 5 in s else x)
    out = []
    for k in range(9):
        if k == 6:
            s.add(5)
        out.append(f(w.ones(1)).item())
    return out


@program
def hasattr_added(compile):
    class S:
        pass

    s = S()
    f = compile(lambda x: x * getattr(s, "k", 1.0))
    out = []
    for k in range(9):
        if k == 6:
            s.k = 4.0
        out.append(f(w.ones(1)).item())
    return out


@program
def slots_object(compile):
    class S:
        __slots__ = ("k",)

    s = S()
    s.k = 1.0
    f = compile(lambda x: x * s.k)
    out = []
    for k in range(9):
        if k == 6:
            s.k = 4.0
        out.append(f(w.ones(1)).item())
    return out


@program
def deque_partial(compile):
    d = collections.deque([1.0])
    box = {"a": 1.0}

    def h(b, x):
        return x * b["a"]

    part = functools.partial(h, box)
    f = compile(lambda x: part(x) * d[0])
    out = []
    for k in range(12):
        if k == 6:
            d[0] = 4.0
        if k == 9:
            box["a"] = 2.0
        out.append(f(w.ones(1)).item())
    return out


@program
def partial_root(compile):
    box = {"a": 1.0}

    def h(b, x):
        return x * b["a"]

    f = compile(functools.partial(h, box))
    out = []
    for k in range(12):
        if k == 6:
            box["a"] = 4.0
        out.append(f(w.ones(1)).item())
    return out


@program
def callable_object(compile):
    global GLOBAL
    GLOBAL = 1.0
    o = Gain()
    f = compile(o)
    out = []
    for k in range(12):
        if k == 5:
            o.k = 4.0
        if k == 8:
            GLOBAL = 3.0
        out.append(f(w.ones(1)).item())
    return out


@program
def subclass_tensor_state(compile):
    t = w.ones(2)
    f = compile(lambda x: x * t.requires_grad + len(t.shape))
    out = []
    for k in range(9):
        if k == 6:
            t.requires_grad_(True)
        out.append(f(w.ones(1)).tolist())
    return out


@program
def tensor_attr(compile):
    t = w.ones(2)
    t.gain = 2.0
    f = compile(lambda x: x * t.gain)
    out = []
    for k in range(9):
        if k == 6:
            t.gain = 3.0
        out.append(f(w.ones(1)).tolist())
    return out


@program
def property_closure(compile):
    class S:
        def __init__(s):
            s._k = {"v": 1.0}

        @property
        def k(s):
            return s._k["v"] * GLOBAL_LIST[0]

    s = S()
    f = compile(lambda x: x * s.k)
    out = []
    GLOBAL_LIST[0] = 1.0
    for k in range(12):
        if k == 5:
            s._k["v"] = 4.0
        if k == 8:
            GLOBAL_LIST[0] = 3.0
        out.append(f(w.ones(1)).item())
    return out


@pytest.mark.parametrize("each", program.all, ids=lambda f: f.__name__)
def test_program(each):
    program.check(each)


def test_an_optimizer_whose_state_is_cleared():
    """Another state is what a plan was not made for: the call is recorded anew."""

    def losses(compiled):
        w.manual_seed(0)
        model = nn.Linear(3, 2)
        optimizer = w.optim.Adam(model.parameters(), 0.1)

        def step(x):
            optimizer.zero_grad()
            loss = model(x).pow(2).mean()
            loss.backward()
            optimizer.step()
            return loss.detach()

        run, found = w.compile(step, fullgraph=True) if compiled else step, []
        for k in range(24):
            if k == 8:
                optimizer.state.clear()
            if k == 16:
                optimizer.state = collections.defaultdict(dict)
            found.append(run(w.randn(4, 3)).item())
        return found

    assert losses(True) == losses(False)
