"""What the built-in optimizers share: collecting gradients and state, and choosing how to apply the update."""

import wengert
from wengert import _core
from wengert.optim import _compiled
from wengert.optim.optimizer import Optimizer, has_step_hooks, step_with_hooks


class UpdateOptimizer(Optimizer):
    """An optimizer whose step treats every parameter alike.

    A subclass states ``_new_state`` (what to remember about a parameter) and ``_update`` (the rule for one
    parameter, in tensor operations), and may name in ``_pass`` the compiled pass that does the same for a group.
    """

    _pass = None
    _views_complex_as_real = True  # complex parameters are updated as pairs of real numbers
    _allows_sparse = False

    def _new_state(self, p, group):
        """Return the state of a parameter at its first step."""
        raise NotImplementedError

    def _update(self, group, p, grad, state):
        """Update ``p`` and ``state`` in place."""
        raise NotImplementedError

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            for name in self.defaults.keys() - {"differentiable"}:  # not every optimizer has it
                group.setdefault(name, self.defaults[name])
            for p in group["params"]:
                own = self.state.get(p)
                if own and "step" in own and not isinstance(own["step"], wengert.Tensor):
                    own["step"] = wengert.tensor(float(own["step"]), dtype=_step_dtype())

    def step(self, closure=None):
        """Update every parameter that has a gradient.

        Args:
            closure: optional function that computes the loss again (with gradients) and returns it.

        Returns:
            What the closure returned, or None.
        """
        if has_step_hooks(self) and type(self).step is UpdateOptimizer.step:
            return step_with_hooks(UpdateOptimizer._step, self, (closure,) if closure is not None else (), {})
        return self._step(closure)

    step.hooked = True

    def _step(self, closure=None):
        loss = None
        if closure is not None:
            with wengert.enable_grad():
                loss = closure()
        run = _compiled.passes.get(self._pass)
        for group in self.param_groups:
            if run is None or not run(group, self.state):
                self._step_group(group, run)
        return loss

    def _step_group(self, group, run):
        """The first step of a group, and every step of a group that the compiled pass cannot take."""
        params = [p for p in group["params"] if p.grad is not None]
        fresh = False
        with wengert.no_grad():
            states = []
            for p in params:
                state = self._state_of(group, p)
                if state is not None and not state:
                    state.update(self._new_state(p, group))
                    fresh = True
                states.append(state)
        if fresh and run is not None and run(group, self.state):
            return
        grads = [p.grad for p in params]
        if group.get("differentiable"):
            self._update_each(group, params, grads, states)
        else:
            with wengert.no_grad():
                self._update_each(group, params, grads, states)

    def _state_of(self, group, p):
        """Return the dict of what is remembered about ``p`` (empty at first), or None for an optimizer without."""
        return self.state[p]

    def _update_each(self, group, params, grads, states):
        for p, grad, state in zip(params, grads, states, strict=True):
            if getattr(grad, "is_sparse", False) and not self._allows_sparse:
                raise RuntimeError(
                    f"{type(self).__name__}: expected dense gradients, got a sparse one. Use SparseAdam, SGD or Adagrad, or "
                    "sparse=False."
                )
            if group.get("maximize"):
                grad = -grad
            if self._views_complex_as_real and p.is_complex() and not grad.is_sparse:
                real = {k: wengert.view_as_real(v) if _is_complex(v) else v for k, v in state.items()}
                self._update(group, wengert.view_as_real(p), wengert.view_as_real(grad), real)
            else:
                self._update(group, p, grad, state)


def scalar(value):
    """Return a number as it is and a one-element tensor as a 0-d tensor."""
    if isinstance(value, wengert.Tensor) and value.dim() != 0:
        return value.squeeze()
    return value


def advance(state):
    """Count one step in the state's step tensor and return the count as a float; in a graph as a 0-d float64 tensor."""
    count(state)
    return number(state["step"])


def count(state):
    """Count one step in the state's step tensor, for rules that do not ask for the count."""
    state["step"] += 1


def number(value):
    """Return a Python number for a one-element tensor, the tensor in float64 in a graph, and anything else as it is."""
    if not isinstance(value, wengert.Tensor):
        return value
    return value.item() if _core.has_value(value) else value.double()


def decayed(group, p, grad):
    """Return the gradient of the loss with its L2 penalty ``weight_decay / 2 * |p|**2``."""
    weight_decay = group["weight_decay"]
    if grad.is_sparse:
        if weight_decay != 0:
            raise RuntimeError("weight_decay: expected 0 with sparse gradients, got another. Use sparse=False.")
        return grad
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


def options(arguments):
    """The options of an optimizer: the arguments of its ``__init__``, as its locals() has them before any other."""
    return {name: value for name, value in arguments.items() if name not in ("self", "params", "__class__")}


def _number(name, value):
    """The value of an option; raises TypeError for what is no number."""
    if not isinstance(value, (int, float, wengert.Tensor)) and getattr(value, "shape", None) != ():
        raise TypeError(f"optimizer: expected {name} as a number, got {value!r} of type {type(value).__name__}.")
    return value


def check_eps(eps):
    """Raise ValueError unless ``eps`` is a number ≥ 0."""
    check_not_negative(eps=eps)


def check_lr(lr):
    """Raise ValueError unless ``lr`` is a number ≥ 0 or a one-element tensor of such a number."""
    if isinstance(lr, wengert.Tensor) and lr.numel() != 1:
        raise ValueError(
            f"optimizer: expected lr as a number or a tensor of one element, got shape {tuple(lr.shape)}."
        )
    check_not_negative(lr=lr)


def check_not_negative(**values):
    """Raise ValueError for the first value that is below zero or NaN; keys name the options."""
    for name, value in values.items():
        if not 0.0 <= _number(name, value):
            raise ValueError(f"optimizer: expected {name} of at least 0, got {value}.")


def check_betas(betas):
    """Raise ValueError unless both decay rates lie in [0, 1), TypeError unless they are two numbers."""
    if not isinstance(betas, (list, tuple)):
        raise TypeError(f"optimizer: expected betas as a pair of numbers, got {betas!r}.")
    for i, beta in enumerate(betas):
        if not 0.0 <= _number(f"betas[{i}]", beta) < 1.0:
            raise ValueError(f"optimizer: expected betas[{i}] in [0, 1), got {beta}.")


def check_fused(fused, foreach, differentiable):
    """Raise RuntimeError for the combinations of implementation hints that exclude each other."""
    if fused and differentiable:
        raise RuntimeError("optimizer: expected fused or differentiable, got both. Leave one out.")
    if fused and foreach:
        raise RuntimeError("optimizer: expected fused or foreach, got both. Leave one out.")
