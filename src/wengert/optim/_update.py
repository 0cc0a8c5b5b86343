"""What the built-in optimizers share: collecting gradients and state, and choosing how to apply the update."""

import operator

import wengert
from wengert.optim import _compiled
from wengert.optim.optimizer import Optimizer


class UpdateOptimizer(Optimizer):
    """An optimizer whose step treats every parameter alike.

    A subclass states ``_new_state`` (what to remember about a parameter) and ``_update`` (the rule for one
    parameter, in tensor operations), and may name a compiled pass over whole groups in ``_run_pass``.
    """

    _views_complex_as_real = True  # complex parameters are updated as pairs of real numbers
    _allows_sparse = False

    def _new_state(self, p, group):
        """Return the state of a parameter at its first step."""
        raise NotImplementedError

    def _update(self, group, p, grad, state):
        """Update ``p`` and ``state`` in place."""
        raise NotImplementedError

    def _run_pass(self, group, params, grads, states):
        """Update the whole group by a compiled pass; return False to use ``_update`` instead."""
        return False

    def _forget_batches(self):
        self._batches = {}

    def __getstate__(self):
        return {**super().__getstate__(), "_batches": {}}

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            for name in self.defaults:
                group.setdefault(name, self.defaults[name])
            for p in group["params"]:
                state = self._state.get(p)
                if state and "step" in state and not isinstance(state["step"], wengert.Tensor):
                    state["step"] = wengert.tensor(float(state["step"]), dtype=_step_dtype())

    def step(self, closure=None):
        """Update every parameter that has a gradient.

        Args:
            closure: optional function that computes the loss again (with gradients) and returns it.

        Returns:
            What the closure returned, or None.
        """
        loss = None
        if closure is not None:
            with wengert.enable_grad():
                loss = closure()
        for index, group in enumerate(self.param_groups):
            params = group["params"]
            grads = [g for p in params if (g := p.grad) is not None]
            if len(grads) != len(params):
                params = [p for p in params if p.grad is not None]
            if not params:
                continue
            states = self._states_of(index, group, params)
            if group.get("differentiable"):
                self._update_each(group, params, grads, states)
            elif not self._run_pass(group, params, grads, states):
                with wengert.no_grad():
                    self._update_each(group, params, grads, states)
        return loss

    def _states_of(self, index, group, params):
        """Return the state dicts of ``params``, kept from the step before while the parameters are the same."""
        batch = self._batches.get(index)
        if batch is not None and len(batch[0]) == len(params) and all(map(operator.is_, batch[0], params)):
            return batch[1]
        states = []
        for p in params:
            state = self._state[p]
            if not state:
                with wengert.no_grad():
                    state.update(self._new_state(p, group))
            states.append(state)
        self._batches[index] = (list(params), states)
        return states

    def _update_each(self, group, params, grads, states):
        for p, grad, state in zip(params, grads, states, strict=True):
            if getattr(grad, "is_sparse", False) and not self._allows_sparse:
                raise RuntimeError(
                    f"{type(self).__name__}: expected dense gradients, got a sparse one. Use .to_dense() first."
                )
            if group.get("maximize"):
                grad = -grad
            if self._views_complex_as_real and p.is_complex():
                real = {k: wengert.view_as_real(v) if _is_complex(v) else v for k, v in state.items()}
                self._update(group, wengert.view_as_real(p), wengert.view_as_real(grad), real)
            else:
                self._update(group, p, grad, state)


def run_pass(name, group, *args):
    """Call the core's pass ``name`` when it exists and every option is a plain number."""
    run = _compiled.find_pass(name)
    if run is None or _is_tensor(group["lr"]) or _is_tensor(group["weight_decay"]):
        return False
    return run(*args)


def _is_tensor(value):
    """Tell tensors from numbers; the common kinds of numbers without a call."""
    return type(value) not in (float, int) and isinstance(value, wengert.Tensor)


def column(key, states):
    """Return the entry ``key`` of every state, as a list."""
    return list(map(operator.itemgetter(key), states))


def scalar(value):
    """Return a number as it is and a one-element tensor as a 0-d tensor."""
    if isinstance(value, wengert.Tensor) and value.dim() != 0:
        return value.squeeze()
    return value


def advance(state):
    """Count one step in the state's step tensor and return the count as a float."""
    state["step"] += 1
    return state["step"].item()


def decayed(group, p, grad):
    """Return the gradient of the loss with its L2 penalty ``weight_decay / 2 * |p|**2``."""
    weight_decay = group["weight_decay"]
    if isinstance(weight_decay, wengert.Tensor):
        if weight_decay.requires_grad:
            return grad.addcmul(p.clone(), weight_decay)
        return grad.add(p, alpha=weight_decay.item())
    return grad.add(p, alpha=weight_decay) if weight_decay != 0 else grad


def kept(group, value):
    """Return ``value``, copied when the step is differentiated: the next step overwrites it in place."""
    return value.clone() if group.get("differentiable") else value


def new_step():
    """Return a step count of zero, in the form that saved state has it."""
    return wengert.tensor(0.0, dtype=_step_dtype())


def _step_dtype():
    return wengert.float64 if wengert.get_default_dtype() == wengert.float64 else wengert.float32


def _is_complex(value):
    return isinstance(value, wengert.Tensor) and value.is_complex()


def check_lr(lr):
    """Raise ValueError unless ``lr`` is a number ≥ 0 or a one-element tensor of such a number."""
    if isinstance(lr, wengert.Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not 0.0 <= lr:
        raise ValueError(f"Invalid learning rate: {lr}")


def check_not_negative(**values):
    """Raise ValueError for the first value that is below zero or NaN; keys name the options."""
    for name, value in values.items():
        if not 0.0 <= value:
            raise ValueError(f"Invalid {name} value: {value}")


def check_betas(betas):
    """Raise ValueError unless both decay rates lie in [0, 1)."""
    for i, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


def check_fused(fused, foreach, differentiable):
    """Raise RuntimeError for the combinations of implementation hints that exclude each other."""
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
