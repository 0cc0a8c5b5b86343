"""Runs without the interpreter lock: other Python threads go on, Ctrl-C stops a run and says what it leaves."""

import subprocess
import sys
import threading
import time

import wengert as w
from wengert.graph import Plan, record


def test_two_threads_run_two_plans():
    xs = [w.randn(400, 200), w.randn(400, 200)]

    def f(x):
        for _ in range(30):
            x = (x * 1.01 + 0.1).tanh()
        return x, (x @ x.t()).sum(0)

    plans = [Plan(record(f, x)) for x in xs]
    expected = [f(x) for x in xs]
    found = [[], []]

    def work(k):
        for _ in range(20):
            found[k].append(plans[k](xs[k]))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for k in range(2):
        assert len(found[k]) == 20
        for got in found[k]:
            assert all(w.equal(a, b) for a, b in zip(got, expected[k], strict=True))


def ticks_during(run):
    """How often a second another Python thread had its turn while run() ran."""
    ticks, stop = [0], threading.Event()

    def tick():
        while not stop.is_set():
            ticks[0] += 1
            time.sleep(0.0005)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        start = time.perf_counter()
        before = ticks[0]
        run()
        return (ticks[0] - before) / (time.perf_counter() - start)
    finally:
        stop.set()
        thread.join()


def test_a_python_thread_goes_on_while_small_steps_run():
    def f(x, total):
        for _ in range(10):
            x = (x * 0.5 + 1) @ w.eye(16)
        return x, total + x.sum()

    x, total = w.randn(16, 16), w.tensor(0.0)
    plan = Plan(record(f, x, total))
    # With the lock held the whole time the other thread would have run once or twice.
    assert ticks_during(lambda: plan.run(40_000, x, total, collect=False)) > 10


def layers(x, tokens, total):
    """Ops that make and free memory of their own while they run."""
    F = w.nn.functional
    y = F.max_pool2d(F.conv2d(x, w.full((6, 3, 3, 3), 0.1), padding=1), 2)
    y = F.batch_norm(y, None, None, training=True).flatten(1)
    y = F.log_softmax(F.layer_norm(y, (y.shape[1],)), 1)
    e = F.embedding(tokens, w.ones(10, 8)).view(2, 3, 4, 8)
    e = F.scaled_dot_product_attention(e, e, e).softmax(-1)
    picked = y.index_select(1, tokens[:2]).cumsum(0).flip(0)
    loss = F.cross_entropy(y[:, ::2], tokens[:4])
    return x, tokens, total + loss + e.sum() + picked.std()


def given(seed):
    w.manual_seed(seed)
    return w.randn(4, 3, 8, 8), w.arange(24) % 10, w.tensor(0.0)


def test_a_python_thread_goes_on_while_layers_run():
    plan = Plan(record(layers, *given(0)))
    seen = ticks_during(lambda: plan.run(4_000, *given(0), collect=False))
    assert seen > 10


def test_layers_run_beside_plans_and_plain_calls():
    plans = [Plan(record(layers, *given(k))) for k in range(2)]
    expected = [layers(*given(k))[2] for k in range(2)]
    found, stop, plain = [[], []], threading.Event(), []

    def work(k):
        for _ in range(10):
            found[k].append(plans[k].run(100, *given_before[k], collect=False)[2])

    def churn():
        while not stop.is_set():
            plain.append(w.equal(layers(*given_before[0])[2], expected[0]))
            plain[:] = plain[-100:]

    given_before = [given(k) for k in range(2)]
    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    other = threading.Thread(target=churn)
    for t in (*threads, other):
        t.start()
    for t in threads:
        t.join()
    stop.set()
    other.join()
    assert all(w.equal(got, expected[k]) for k in range(2) for got in found[k])
    assert plain and all(plain)


def test_a_tensor_that_gets_other_memory_during_a_run():
    x = w.randn(1 << 20)
    expected = (x * 2 + 1).exp().tanh()
    plan = Plan(record(lambda x: (x * 2 + 1).exp().tanh(), x))
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            x.data = x.detach().clone()

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        assert all(w.equal(plan(x), expected) for _ in range(20))
    finally:
        stop.set()
        thread.join()


INTERRUPT = """
import signal, sys, threading, time
import wengert as w
from wengert.graph import Plan, record

state = w.zeros(500_000)

def f(x):
    for _ in range({ops}):
        x = (x * 0.5).lgamma()
    state.add_({last})
    return x.sum()

x = w.rand({size}) + 1
plan = Plan(record(f, x))
state.zero_()
plan(x)
before = state.clone()
sent = []
def send():
    time.sleep(0.3)
    sent.append(time.perf_counter())
    signal.raise_signal(signal.SIGINT)
threading.Thread(target=send, daemon=True).start()
try:
    for _ in range(100_000):
        {call}
    print("not interrupted")
except KeyboardInterrupt as error:
    late = time.perf_counter() - sent[0]
    print("interrupted", round(late, 2), w.equal(state, before), *error.__notes__, sep="|")
"""


def interrupted(**names):
    answer = subprocess.run(
        [sys.executable, "-c", INTERRUPT.format(**names)], capture_output=True, text=True, timeout=120
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    return answer.stdout.strip().split("|")


def test_interrupt_in_a_long_run():
    # The run as a whole takes a second.
    word, late, unchanged, note = interrupted(ops=1000, size=500_000, call="plan(x)", last="x[:1]")
    assert word == "interrupted" and float(late) < 1
    assert unchanged == "True" and "states are as before this run" in note


def test_interrupt_between_runs():
    word, late, _, note = interrupted(ops=2, size=5000, call="plan.run(10_000_000, x, collect=False)", last="0.5")
    assert word == "interrupted" and float(late) < 1
    assert note.startswith("plan: stopped after ") and "of 10000000 runs" in note
