"""What an "update" node carries: an optimizer's pass in the core, with what it reads and writes."""

from .. import _core
from ..func._levels import is_tensor

PASSES = {step.__name__: step for step in (_core.sgd_step, _core.adam_step, _core.rmsprop_step, _core.adagrad_step)}


class Update:
    """A pass of the core with its arguments.

    Attributes:
        step: the pass, called with group and state.
        group: the optimizer's group: its options, and "params".
        state: parameter -> what the optimizer remembers of it.
        params: the parameters that had a gradient.
        states: for each operand of the node but the gradients the number of the state that it is: of each parameter
            itself, then the tensors of its state in order.
    """

    __slots__ = ("group", "params", "state", "states", "step")

    def __init__(self, step, group, state, params, states):
        self.step = step
        self.group = group
        self.state = state
        self.params = params
        self.states = states

    def described(self):
        """Everything but the tensors: strings, numbers and containers of them."""
        kept = [self.state.get(p, {}) for p in self.params]
        return {
            "pass": self.step.__name__,
            "options": {name: v for name, v in self.group.items() if name != "params"},
            "states": list(self.states),
            "remembered": [[name for name, v in own.items() if is_tensor(v)] for own in kept],
            "numbers": [{name: v for name, v in own.items() if not is_tensor(v)} for own in kept],
        }


def from_description(found, tensors):
    """The Update of a description; `tensors` are those of the states by number.

    Raises:
        ValueError: it describes none.
    """
    names = {"pass", "options", "states", "remembered", "numbers"}
    if not isinstance(found, dict) or set(found) != names:
        raise ValueError(f"expected {sorted(names)} of an update, got {found!r}")
    step, places = PASSES.get(found["pass"]), found["states"]
    if step is None:
        raise ValueError(f"expected a pass among {', '.join(PASSES)}, got {found['pass']!r}")
    remembered, numbers = found["remembered"], found["numbers"]
    fits = isinstance(found["options"], dict) and isinstance(places, list) and all(v in tensors for v in places)
    fits = fits and isinstance(remembered, list) and isinstance(numbers, list) and len(remembered) == len(numbers)
    fits = fits and all(isinstance(own, list) for own in remembered) and all(isinstance(n, dict) for n in numbers)
    if not fits or len(places) != sum(1 + len(own) for own in remembered):
        raise ValueError("expected a state for each tensor of an update, got others")
    left = iter([tensors[v] for v in places])
    params, state = [], {}
    for own, rest in zip(remembered, numbers, strict=True):
        p = next(left)
        params.append(p)
        state[p] = {**{name: next(left) for name in own}, **rest}
    return Update(step, {**found["options"], "params": params}, state, params, places)
