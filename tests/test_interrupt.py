"""Ctrl-C inside one long kernel: it is left off, no result is handed out, and the library goes on."""

import subprocess
import sys
import textwrap

import pytest
from ctrl_c import press_ctrl_c

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")

# Every one of these calls takes a second or more on two threads.
LONG = {
    "matmul": ("a = w.rand(4096, 4096)", "a @ a"),
    "elementwise": ("x = w.rand(40_000_000) + 1", "x.lgamma()"),
    "strided": ("x = (w.rand(6000, 6000) + 1).t()", "x.lgamma()"),
    "rows": ("x = w.rand(20_000, 6000)", "x.logcumsumexp(1)"),
    "convolution": (
        "x, k = w.rand(8, 128, 128, 128), w.rand(256, 128, 5, 5)",
        "w.nn.functional.conv2d(x, k)",
    ),
    "sort": ("x = w.rand(12_000_000)", "x.sort()"),
    "many short sorts": ("x = w.rand(120_000, 200)", "x.sort()"),
    "the best of one row": ("x = w.rand(120_000_000)", "[x.topk(5) for _ in range(9)]"),
    "the middle of one row": ("x = w.rand(40_000_000)", "x.median()"),
    "positions": (
        "x, i = w.rand(1000), w.zeros(120_000_000, dtype=w.int64)",
        "[x.index_select(0, i[:1_000_000]) for _ in range(99)]; x[i]",
    ),
    "random": ("x = w.empty(300_000_000)", "x.normal_()"),
    "backward": (
        "a = w.rand(4096, 4096, requires_grad=True); y = a @ a; one = w.ones(4096, 4096)",
        "y.backward(one, retain_graph=True)",
    ),
    "plan": (
        "from wengert.graph import Plan, record; a = w.rand(64, 64); big = w.rand(4096, 4096); "
        "p = Plan(record(lambda x: (x @ x).relu() + 1, big))",
        "p(big)",
    ),
}

PROGRAM = """
import gc, sys, time
import wengert as w
w.set_num_threads({threads})
{setup}
gc.collect()
before = w.cuda.memory_allocated()
print("ready", flush=True)
try:
    while True:
        {call}
except KeyboardInterrupt:
    print("interrupted", flush=True)
print(w.cuda.memory_allocated() - before)
m = w.eye(300) * 2
assert w.equal(m @ m, w.eye(300) * 4)
v = w.arange(100_000.0, requires_grad=True)
(v * v).sum().backward()
assert w.equal(v.grad, 2 * v.detach())
assert w.equal(w.arange(100_000).flip(0).sort().values, w.arange(100_000))
{after}
print("fine")
"""


def interrupt(setup, call, after="", threads=2):
    """Sends Ctrl-C into a call; returns the seconds until it was answered, and the bytes that it left."""
    code = PROGRAM.format(setup=setup, call=textwrap.indent(call, "        ").strip(), after=after, threads=threads)
    took, rest = press_ctrl_c(code, 0.15)
    assert rest[1:] == ["fine"], rest
    return took, int(rest[0])


@pytest.mark.parametrize("name", LONG)
def test_a_long_kernel_is_left_off(name):
    """Within 0.2 s, and three times that where other programs keep the processors busy."""
    taken = []
    for _ in range(3):
        took, left = interrupt(*LONG[name])
        assert left <= 0, f"{left} bytes"
        taken.append(took)
        if took < 0.2:
            break
    assert min(taken) < 0.6, taken


def test_on_one_thread():
    assert interrupt(*LONG["elementwise"], threads=1)[0] < 0.6


def test_an_interrupted_backward_can_be_started_again():
    setup = "a = w.rand(3000, 3000, dtype=w.float64, requires_grad=True); y = (a @ a).sum()"
    after = "assert a.grad is None; y.backward(); assert a.grad.allclose(a.detach().sum(1) + a.detach().sum(0)[:, None])"
    call = "y.backward(retain_graph=True); a.grad = None"
    assert interrupt(setup, call, after)[0] < 0.6


def test_an_interrupted_write_counts_as_a_write():
    setup = """
x = w.rand(40_000_000) + 1
s = w.rand(40_000_000, requires_grad=True)
y = s * x
version = x._version
""".strip()
    after = """
assert x._version > version
try:
    y.sum().backward()
    raise SystemExit("a stale value was used")
except RuntimeError as error:
    assert "changed in place" in str(error), error
""".strip()
    assert interrupt(setup, "x.lgamma_()", after)[0] < 0.6


def test_a_handler_of_ones_own_is_called_when_the_kernel_is_done():
    code = """
import os, signal, threading
import wengert as w
called = []
signal.signal(signal.SIGINT, lambda *_: called.append(1))
x = w.rand(20_000_000) + 1
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
while not called:
    y = x.lgamma()
assert w.equal(y, x.lgamma())
print(called)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[1]", done.stderr[-2000:]
