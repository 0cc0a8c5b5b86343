"""Second gradients of every module, by its inputs and its parameters, beside torch, in float64."""

import warnings

import numpy as np
import pytest
from helpers import to_lib
from test_every_keyword import CASES, NAMES, carried, excused, flat

import wengert

torch = pytest.importorskip("torch")

PER_NAME = 8
# At these points the curvature is that of one side: ours of the curved one, torch's of the straight one, or, for
# probabilities of 0 and 1, of a logarithm that it cuts off. Inputs are moved off them.
KINKS = {"BCELoss", "CELU", "ELU", "SELU", "Softplus"}
TOLERANCE = {"CELU": 1e-6}  # torch rounds 1 / alpha to float32


def chosen(name):
    """Cases of a module that torch differentiates: at most PER_NAME, spread over all."""
    found = [c for c in CASES if c.name == name and not excused(c) and not c.kwargs.get("sparse")]
    step = max(1, len(found) // PER_NAME)
    return found[::step]


def twice(case, lib, state=None):
    """The second gradients of a case, and the module's weights."""
    kwargs = {k: carried(v, lib, None) for k, v in case.kwargs.items()}
    module = getattr(lib.nn, case.name)(*case.args, **kwargs).double().train(case.training)
    if state is None:
        state = {k: v.detach().numpy().copy() for k, v in module.state_dict().items()}
    else:
        module.load_state_dict({k: lib.from_numpy(v.copy()) for k, v in state.items()}, strict=False)
    leaves = []
    moved = tuple(a * 0.97 + 0.01 for a in case.inputs) if case.name in KINKS else case.inputs
    inputs = carried(moved, lib, leaves)
    named = {k: carried(v, lib, None) for k, v in case.named.items()}
    if case.kwargs.get("inplace"):
        inputs = tuple(x.clone() for x in inputs)
    if case.name == "CTCLoss":  # torch's gradient is that by the scores behind
        inputs = (inputs[0].log_softmax(-1), *inputs[1:])
    leaves += list(module.parameters())
    outputs = [t for t in flat(module(*inputs, **named)) if t.requires_grad and t.numel()]
    if not outputs or not leaves:
        return [], state
    weights = [np.cos(np.arange(t.numel(), dtype=float)).reshape(tuple(t.shape)) for t in outputs]
    total = sum((t * to_lib(lib, w)).sum() for t, w in zip(outputs, weights, strict=True))
    first = lib.autograd.grad(total, leaves, create_graph=True, allow_unused=True)
    again = [g for g in first if g is not None and g.requires_grad]
    total = sum((g * g.cos()).sum() for g in again)
    second = lib.autograd.grad(total, leaves, allow_unused=True) if again else [None] * len(leaves)
    return [np.zeros(x.shape) if g is None else g.numpy() for g, x in zip(second, leaves, strict=True)], state


@pytest.mark.parametrize("name", NAMES)
def test_second_gradients(name):
    ran = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in chosen(name):
            try:
                theirs, state = twice(case, torch)
            except Exception:  # a case of errors, or torch lacks the second derivative
                continue
            ours, _ = twice(case, wengert, state)
            ran += 1
            for a, b in zip(ours, theirs, strict=True):
                tolerance = TOLERANCE.get(name, 1e-9)
                scale = max(1, np.abs(b).max(initial=0))
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale, err_msg=str(case))
    if not ran:
        pytest.skip("torch has no second gradients of it")
