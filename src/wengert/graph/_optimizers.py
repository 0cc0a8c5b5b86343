"""An optimizer's step as nodes: its own update rule, run on symbolic tensors."""

import contextlib

from .. import _core
from .._dtypes import DTYPES
from .._record import scope
from ..func._levels import is_tensor
from ._gradients import differentiate, ones
from ._symbols import same_sizes


def minimize(graph, loss, optimizer):
    """Graph.minimize: see there."""
    if not hasattr(optimizer, "param_groups") or not hasattr(optimizer, "_update"):
        raise TypeError(
            f"minimize: expected an optimizer whose rule is written for one parameter, got {type(optimizer).__name__}. "
            "Write the update with g.gradients() and g.assign()."
        )
    frame = graph.frame
    value = frame.value_of(loss, "minimize")
    if not same_sizes(graph.shapes[value], (1,) * len(graph.shapes[value])):
        raise RuntimeError(f"minimize: expected a loss of one element, got shape {tuple(graph.shapes[value])}.")
    used = {v: state.tensor for v, state in graph.states.items() if state.kind != "grad"}
    places = {id(t): v for v, t in used.items()}
    groups = [[p for p in group["params"] if id(p) in places] for group in optimizer.param_groups]
    wrt = [places[id(p)] for params in groups for p in params]
    gradients = dict(zip(wrt, differentiate(graph, [(value, ones(graph, value))], wrt), strict=True))
    if all(g is None for g in gradients.values()):
        raise RuntimeError(
            "minimize: expected a loss that depends on parameters of the optimizer, got one that depends on none of "
            "them."
        )
    optimizer._opt_called = True  # a scheduler asks; from now on runs of the graph step
    made = []
    for group, params in zip(optimizer.param_groups, groups, strict=True):
        live = [(p, places[id(p)]) for p in params if gradients[places[id(p)]] is not None]
        if live:
            _step_group(frame, optimizer, group, live, gradients)
            made += [frame.wrap_value(gradients[v]) for _, v in live]
    return made


def _step_group(frame, optimizer, group, live, gradients):
    """Appends the update of the parameters of one group."""
    for key in ("differentiable",):
        if group.get(key):
            raise RuntimeError(f"minimize: expected an optimizer without {key}=True, got one with it.")
    if not is_tensor(group["lr"]):
        group["lr"] = _core.full((), float(group["lr"]), DTYPES["float64"])
    rate = frame.wrap(frame.state_cell(frame.kept_outside(group["lr"]), "minimize", "lr", "constant"))
    inside = dict(group, lr=rate)
    for p, v in live:
        state = optimizer._state_of(group, p)
        if state is not None and not state:
            state.update(optimizer._new_state(p, group))
        if state is not None:
            _fill_missing(optimizer, group, p, state)
        name = frame.graph.names.get(v, "")
        known = {
            key: _state(frame, t, f"{name}.{key}" if name else key) if is_tensor(t) else t
            for key, t in (state or {}).items()
        }
        target = frame.wrap(frame.state_cell(p))
        grad = frame.wrap_value(gradients[v])
        with _core.no_grad(), contextlib.ExitStack() as scopes:
            for part in ("optimizer", *filter(None, name.split("."))):
                scopes.enter_context(scope(part))
            if group.get("maximize"):
                grad = -grad
            optimizer._update(inside, target, grad, known if state is not None else None)


def _state(frame, t, name):
    return frame.wrap(frame.state_cell(frame.kept_outside(t), "minimize", name, "buffer"))


def _fill_missing(optimizer, group, p, state):
    """State that a first step would set to the gradient itself starts at zero, where that comes to the same."""
    for key, t in state.items():
        if t is None:
            if group.get("dampening"):
                raise RuntimeError(
                    f"minimize: expected an optimizer with a {key} where dampening is not 0, got a new one, whose first "
                    "step is another. Run one step outside the graph first."
                )
            state[key] = _core.full(tuple(p.shape), 0.0, p.dtype)
