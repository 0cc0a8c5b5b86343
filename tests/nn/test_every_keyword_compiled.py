"""Every module of nn with every keyword, compiled, beside itself: the same bits of results, gradients, buffers and draws."""

import copy
import warnings

import numpy as np
import pytest
from helpers import to_lib
from test_every_keyword import CASES, NAMES, Outcome, carried, dense, flat

import wengert
from wengert.graph import CompileError

CALLS = 4
# What has no plan and why: by name, a part of the error.
IN_PLACE = "writes in place to a tensor from outside and gradients flow"
READS, SHAPES = "reads a value", "the result's shape depends on them"
REFUSED = {
    **dict.fromkeys(("ReLU", "ReLU6", "SELU", "SiLU", "Mish", "Hardswish", "Hardsigmoid", "ELU", "CELU"), IN_PLACE),
    **dict.fromkeys(("LeakyReLU", "Hardtanh", "Threshold", "RReLU", "Dropout"), IN_PLACE),
    **dict.fromkeys(
        ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"), READS
    ),  # momentum=None: how many batches there were
    **dict.fromkeys(("Embedding", "EmbeddingBag"), "sparse gradient"),
    "AdaptiveLogSoftmaxWithLoss": SHAPES,  # which clusters there are
}
ROUNDED = {"CTCLoss"}  # states behind the last label; sums of gradients of gathered elements
LIMITED = {"Embedding", "EmbeddingBag"}  # max_norm= asks which rows are too long


def passes(case, module, leaves, inputs, named):
    """Everything that some calls give and leave behind, as arrays."""
    seen = []
    for _ in range(CALLS):
        for t in (*leaves, *module.parameters()):
            t.grad = None
        given = tuple(x.clone() for x in inputs) if case.kwargs.get("inplace") else inputs
        results = flat(module(*given, **named))
        outputs = [t for t in results if t.requires_grad]
        total = sum(
            (t * to_lib(wengert, np.cos(np.arange(t.numel(), dtype=float)).reshape(tuple(t.shape)))).sum()
            for t in outputs
            if t.numel()
        )
        if isinstance(total, wengert.Tensor):
            total.backward()
        grads = [t.grad for t in (*leaves, *module.parameters())]
        seen += [t.requires_grad for t in results]
        seen += [None if t is None else dense(t).detach().numpy().copy() for t in (*results, *grads)]
        seen += [t.detach().numpy().copy() for t in module.state_dict().values()]
    return seen


def same(a, b, rounded=False):
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        if rounded:
            return a.dtype == b.dtype and np.allclose(a, b, rtol=1e-5, atol=1e-6, equal_nan=True)
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    return type(a) is type(b) and a == b


def difference(case):
    """What differs, as a text; None where nothing does, and where plain calls raise."""
    try:
        plain = Outcome.made(case, wengert)
        leaves = []
        inputs = carried(case.inputs, wengert, leaves)
        named = {k: carried(v, wengert, None) for k, v in case.named.items()}
        state = copy.deepcopy(plain.state_dict())
        wengert.manual_seed(1)
        want = passes(case, plain, leaves, inputs, named)
    except Exception:
        return None
    plain.load_state_dict(state)
    fast = wengert.compile(plain, fullgraph=True, exact=True)
    wengert.manual_seed(1)
    try:
        got = passes(case, fast, leaves, inputs, named)
    except CompileError as error:
        known = REFUSED.get(case.name, "nothing") in str(error)
        return None if known or case.name in LIMITED and READS in str(error) else str(error)
    if len(got) != len(want):
        return "another number of things"
    rounded = case.name in ROUNDED
    k = next((k for k, (a, b) in enumerate(zip(got, want, strict=True)) if not same(a, b, rounded)), None)
    return None if k is None else f"thing {k}: {got[k]} and {want[k]}"


@pytest.mark.parametrize("name", NAMES)
def test_module(name):
    problems = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in CASES:
            if case.name == name and (found := difference(case)):
                problems.append(f"{case}: {found[:300]}")
    assert not problems, f"{len(problems)}:\n" + "\n".join(problems)
