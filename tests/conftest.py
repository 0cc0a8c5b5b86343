"""Settings of the whole suite: fixed seeds, one state of the library for every test."""

import gc
import signal
import sys

import numpy as np
import pytest

import wengert._core as core

# A job in the background starts with Ctrl-C ignored, and tests that interrupt a loop would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def same_start():
    """Every test begins with recording on, and leaves it on and the number of threads as it was."""
    threads = core.threads()
    yield
    assert core.grad_enabled(), "a test left recording switched off"
    assert not core.is_inference(), "a test left inference mode on"
    core.set_threads(threads)


@pytest.fixture(autouse=True)
def arguments_are_checked():
    """PyTorch's compiler, which some of its own functions use, switches the checks of its distributions off for good."""
    theirs = sys.modules.get("torch.distributions")
    if theirs is not None and not theirs.__name__.startswith("wengert"):
        theirs.Distribution.set_default_validate_args(True)


@pytest.fixture
def rng():
    """NumPy's generator with a fixed seed."""
    return np.random.default_rng(20240607)


@pytest.fixture
def no_leak():
    """Fails when a test leaves nodes or tensor memory behind."""
    gc.collect()
    gc.freeze()  # what is there by now is not looked at again: late in a run of all tests that takes half a second each time
    nodes, memory = core.node_stats()["live"], core.memory()["current"]
    yield
    gc.collect()
    assert core.node_stats()["live"] == nodes, "nodes were left behind"
    assert core.memory()["current"] == memory, "tensor memory was left behind"
