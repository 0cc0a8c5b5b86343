"""LRScheduler: counts steps, asks a subclass for the rates, and writes them into the parameter groups."""

import contextlib
import functools
import types
import weakref

import wengert
from wengert._warn import warn
from wengert.optim.optimizer import Optimizer

EPOCH_WARNING = (
    "scheduler.step(): the epoch argument is deprecated. Call scheduler.step() without it; "
    "with it, the closed form of the schedule is used where there is one."
)


def check_optimizer(optimizer):
    """Raise TypeError unless ``optimizer`` is an Optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"lr_scheduler: expected an Optimizer, got {type(optimizer).__name__}.")


def per_group(name, optimizer, value):
    """Return ``value`` as a list with one entry per parameter group; tensors are copied."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        value = [value] * count
    elif len(value) != count:
        raise ValueError(
            f"lr_scheduler: expected {name} with a value for each of {count} parameter groups, got {len(value)} values."
        )
    return [copied(entry) for entry in value]


def copied(value):
    """Return a tensor's copy, and a number itself."""
    return value.clone() if isinstance(value, wengert.Tensor) else value


def group_values(optimizer, key):
    """Return option ``key`` of every group; tensors are copied."""
    return [copied(group[key]) for group in optimizer.param_groups]


def set_lr(group, value):
    """Set the rate of a group; a tensor rate is filled in place, so that compiled plans see the change."""
    if isinstance(group["lr"], wengert.Tensor):
        group["lr"].fill_(float(value))
    else:
        group["lr"] = value


class LRScheduler:
    """Base class of schedules. A subclass defines ``get_lr``, the rates for step ``self.last_epoch``.

    Args:
        optimizer: whose parameter groups are written.
        last_epoch: the step to resume from; -1 starts afresh and sets ``initial_lr`` in every group.

    Raises:
        TypeError: ``optimizer`` is no Optimizer.
        KeyError: resuming although a group has no ``initial_lr``.

    Example:
        >>> import wengert
        >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
        >>> class Halving(wengert.optim.lr_scheduler.LRScheduler):
        ...     def get_lr(self):
        ...         return [lr * 0.5**self.last_epoch for lr in self.base_lrs]
        >>> schedule = Halving(opt)
        >>> opt.step()
        >>> schedule.step()
        >>> schedule.get_last_lr()
        [0.5]
    """

    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer, last_epoch=-1):
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with "
                    "last_epoch >= 0. Load the optimizer's state first, or start with last_epoch=-1."
                )
        self.base_lrs = group_values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        _note_steps(optimizer)
        self._initial_step()

    def _initial_step(self):
        """Set the rates of step 0; it counts as a call of ``step`` but changes nothing that is already set."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self):
        """Return every attribute but the optimizer, as a dict."""
        state = {key: value for key, value in self.__dict__.items() if key != "optimizer"}
        if "_last_lr" in state:  # later steps write to that list
            state["_last_lr"] = list(state["_last_lr"])
        return state

    def load_state_dict(self, state_dict):
        """Take over the attributes of a dict made by ``state_dict``."""
        self.__dict__.update(state_dict)

    def get_last_lr(self):
        """Return the rates that the last step set, one per group."""
        return list(self._last_lr)

    def get_lr(self):
        """Return the rates for step ``self.last_epoch``, one per group."""
        raise NotImplementedError

    def step(self, epoch=None):
        """Advance by one step (or go to ``epoch``) and set the rates."""
        if self._step_count == 1:
            self._check_order()
        self._step_count += 1
        if epoch is not None:
            warn(EPOCH_WARNING, UserWarning)
        self._update_lr(epoch)

    def _check_order(self):
        if not hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
            warn(
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization. "
                "Call `optimizer.step()` before `lr_scheduler.step()`.",
                UserWarning,
            )
        elif not getattr(self.optimizer, "_opt_called", False):
            warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. Call them in the opposite "
                "order, or the first value of the schedule is skipped.",
                UserWarning,
            )

    def _update_lr(self, epoch=None):
        with self._inside_step():
            if epoch is None:
                self.last_epoch += 1
                rates = self.get_lr()
            else:
                self.last_epoch = epoch
                closed_form = getattr(self, "_get_closed_form_lr", self.get_lr)
                rates = closed_form()
        self._set_rates(rates)

    def _set_rates(self, rates):
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            set_lr(group, lr)
        self._keep_rates(group_values(self.optimizer, "lr"))

    def _keep_rates(self, rates):
        """Remember the rates that a step has set, in one list, whose numbers a compiled step can follow."""
        kept = self.__dict__.setdefault("_last_lr", [])
        kept[:] = rates

    @contextlib.contextmanager
    def _inside_step(self):
        self._get_lr_called_within_step = True
        try:
            yield
        finally:
            self._get_lr_called_within_step = False

    def _current(self):
        """Return the rates as they stand."""
        return group_values(self.optimizer, "lr")

    def _scaled(self, factor):
        """Return the rates as they stand, times ``factor``."""
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _warn_outside_step(self):
        if not self._get_lr_called_within_step:
            warn(
                "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
                UserWarning,
            )


def _note_steps(optimizer):
    """Make ``optimizer.step`` record that it was called; done once per optimizer."""
    if hasattr(optimizer.step, "_wrapped_by_lr_sched"):
        return
    # The optimizer holds the wrapper, so the wrapper must not hold the optimizer: unbind its method.
    optimizer_ref = weakref.ref(optimizer)
    function = getattr(optimizer.step, "__func__", None)
    unbound = function or optimizer.step

    @functools.wraps(unbound)
    def step(*args, **kwargs):
        target = optimizer_ref()
        target._opt_called = True
        return unbound(*args, **kwargs) if function is None else unbound(target, *args, **kwargs)

    step._wrapped_by_lr_sched = True
    optimizer.step = step


def of_number(function, x):
    """Return ``function(x)``; where x stands for a number that a compiled step follows, what stands for the result."""
    follow = getattr(x, "follow", None)
    return function(x) if follow is None else follow(function)


def callable_state(function):
    """Return the attributes of a callable object; None for plain functions, which cannot be saved."""
    return None if isinstance(function, types.FunctionType) else function.__dict__.copy()
