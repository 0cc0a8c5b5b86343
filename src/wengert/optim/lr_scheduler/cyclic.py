"""Schedules that rise and fall: warm restarts, cyclical rates, the one-cycle policy."""

import math

from wengert.optim.lr_scheduler.base import (
    LRScheduler,
    callable_state,
    check_optimizer,
    of_number,
    per_group,
    set_lr,
)


class _MomentumCycle:
    """What the schedules share that move momentum against the rate."""

    def _start_momentum(self, optimizer, base_momentum, max_momentum, last_epoch):
        """Check that the optimizer has a momentum, and set it to its largest value at the start."""
        if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
            raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
        self.use_beta1 = "betas" in optimizer.defaults
        largest = per_group("max_momentum", optimizer, max_momentum)
        smallest = per_group("base_momentum", optimizer, base_momentum)
        if last_epoch == -1:
            for high, low, group in zip(largest, smallest, optimizer.param_groups, strict=True):
                self._set_momentum(group, high)
                group["max_momentum"] = high
                group["base_momentum"] = low
        return smallest, largest

    def _set_momentum(self, group, value):
        if self.use_beta1:
            group["betas"] = (value, *group["betas"][1:])
        else:
            group["momentum"] = value


class CyclicLR(_MomentumCycle, LRScheduler):
    """The rate goes up from ``base_lr`` to ``max_lr`` and down again, in triangles (Smith, 2017, arXiv:1506.01186).

    Args:
        optimizer: whose rates are set.
        base_lr, max_lr: the ends of the range, numbers or one per group.
        step_size_up, step_size_down: steps of the rising and the falling half.
        mode: ``"triangular"``, ``"triangular2"`` (the height halves every cycle) or ``"exp_range"``.
        gamma, scale_fn, scale_mode: how the height changes; ``scale_fn`` gets the cycle or the step number.
        cycle_momentum, base_momentum, max_momentum: move the momentum the other way.
        last_epoch: the step to resume from.

    Raises:
        ValueError: an unknown mode, or cycling a momentum that the optimizer does not have.
    """

    def __init__(
        self,
        optimizer,
        base_lr,
        max_lr,
        step_size_up=2000,
        step_size_down=None,
        mode="triangular",
        gamma=1.0,
        scale_fn=None,
        scale_mode="cycle",
        cycle_momentum=True,
        base_momentum=0.8,
        max_momentum=0.9,
        last_epoch=-1,
    ):
        check_optimizer(optimizer)
        base_lrs = per_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for lr, group in zip(base_lrs, optimizer.param_groups, strict=True):
                set_lr(group, lr)
        self.max_lrs = per_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        down = float(step_size_down) if step_size_down is not None else up
        self.total_size = up + down
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums, self.max_momentums = self._start_momentum(
                optimizer, base_momentum, max_momentum, last_epoch
            )
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x):
        """Return the height of cycle (or at step) ``x``, as a part of the full range."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else self.gamma**x

    def get_lr(self):
        """Return the rates of this step; sets the momentum as well."""
        self._warn_outside_step()
        cycle = of_number(math.floor, 1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        position = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        height = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            bounds = zip(self.base_momentums, self.max_momentums, self.optimizer.param_groups, strict=True)
            for low, high, group in bounds:
                self._set_momentum(group, high - (high - low) * position * height)
        ranges = zip(self.base_lrs, self.max_lrs, strict=True)
        return [low + (high - low) * position * height for low, high in ranges]

    def state_dict(self):
        """Return the attributes; of ``scale_fn`` only the attributes of a callable object."""
        state = super().state_dict()
        function = state["_scale_fn_custom"]
        state["_scale_fn_custom"] = None if function is None else callable_state(function)
        return state

    def load_state_dict(self, state_dict):
        """Take over the attributes; ``scale_fn`` stays, a callable object gets its saved attributes."""
        state = dict(state_dict)
        attributes = state.pop("_scale_fn_custom", None)
        super().load_state_dict(state)
        if attributes is not None:
            self._scale_fn_custom.__dict__.update(attributes)


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half cosines down to ``eta_min``, each starting at the full rate (Loshchilov and Hutter, arXiv:1608.03983).

    The first takes ``T_0`` steps, each later one ``T_mult`` times as many. ``step`` also takes fractions of epochs.
    """

    def __init__(self, optimizer, T_0, T_mult=1, eta_min=0.0, last_epoch=-1):
        if T_0 <= 0 or not isinstance(T_0, int):
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if T_mult < 1 or not isinstance(T_mult, int):
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, (float, int)):
            raise ValueError(f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}")
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        """Return the rates of this step."""
        self._warn_outside_step()
        height = 1 + of_number(math.cos, math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (lr - self.eta_min) * height / 2 for lr in self.base_lrs]

    def step(self, epoch=None):
        """Advance by one step, or go to ``epoch``, which may be a fraction."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        elif epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        else:
            self._go_to(epoch)
        self.last_epoch = of_number(math.floor, epoch)
        with self._inside_step():
            rates = self.get_lr()
        self._set_rates(rates)

    def _go_to(self, epoch):
        """Find the restart that ``epoch`` lies in, and how far in."""
        if epoch < self.T_0:
            self.T_i = self.T_0
            self.T_cur = epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            restarts = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**restarts - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**restarts


class OneCycleLR(_MomentumCycle, LRScheduler):
    """One rise to ``max_lr`` and a long fall far below the start (Smith and Topin, 2018, arXiv:1708.07120).

    Args:
        optimizer: whose rates are set.
        max_lr: the top, a number or one per group.
        total_steps: length of the cycle; or give ``epochs`` and ``steps_per_epoch``.
        pct_start: part of the cycle that rises, a float in [0, 1].
        anneal_strategy: ``"cos"`` or ``"linear"``.
        cycle_momentum, base_momentum, max_momentum: move the momentum the other way.
        div_factor, final_div_factor: start = ``max_lr / div_factor``, end = start / ``final_div_factor``.
        three_phase: come down to the start as fast as up, then to the end.
        last_epoch: the step to resume from.

    Raises:
        ValueError: an argument is out of range, or ``step`` is called more often than ``total_steps``.
    """

    def __init__(
        self,
        optimizer,
        max_lr,
        total_steps=None,
        epochs=None,
        steps_per_epoch=None,
        pct_start=0.3,
        anneal_strategy="cos",
        cycle_momentum=True,
        base_momentum=0.85,
        max_momentum=0.95,
        div_factor=25.0,
        final_div_factor=1e4,
        three_phase=False,
        last_epoch=-1,
    ):
        check_optimizer(optimizer)
        self.total_steps = _cycle_length(total_steps, epochs, steps_per_epoch)
        if pct_start < 0 or pct_start > 1 or not isinstance(pct_start, float):
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._anneal_func_type = anneal_strategy
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        tops = per_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for top, group in zip(tops, optimizer.param_groups, strict=True):
                group["initial_lr"] = top / div_factor
                group["max_lr"] = top
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(optimizer, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _between(self, start, end, part):
        if self._anneal_func_type == "linear":
            return (end - start) * part + start
        return end + (start - end) / 2.0 * (of_number(math.cos, math.pi * part) + 1)

    def get_lr(self):
        """Return the rates of this step; sets the momentum as well."""
        self._warn_outside_step()
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"OneCycleLR: expected at most {self.total_steps} steps, the total_steps it was made for, got step {step}."
            )
        start = 0.0
        for phase in self._schedule_phases:
            end = phase["end_step"]
            if step <= end:
                break
            if phase is not self._schedule_phases[-1]:
                start = end
        part = (step - start) / (end - start)
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._between(group[phase["start_lr"]], group[phase["end_lr"]], part))
            if self.cycle_momentum:
                momentum = self._between(group[phase["start_momentum"]], group[phase["end_momentum"]], part)
                self._set_momentum(group, momentum)
        return rates


def _cycle_length(total_steps, epochs, steps_per_epoch):
    given = {"total_steps": total_steps}
    if total_steps is None:
        if epochs is None or steps_per_epoch is None:
            raise ValueError("OneCycleLR: expected total_steps, or epochs and steps_per_epoch, got neither.")
        given = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    for name, value in given.items():
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"OneCycleLR: expected {name} as an int above 0, got {value}.")
    return math.prod(given.values())


def _phases(total_steps, pct_start, three_phase):
    """Return the pieces of the cycle; each names the options of a group that it goes between."""

    def phase(end_step, rates, momenta):
        return {
            "end_step": end_step,
            "start_lr": rates[0],
            "end_lr": rates[1],
            "start_momentum": momenta[0],
            "end_momentum": momenta[1],
        }

    low, high = "base_momentum", "max_momentum"
    rise = phase(float(pct_start * total_steps) - 1, ("initial_lr", "max_lr"), (high, low))
    if not three_phase:
        return [rise, phase(total_steps - 1, ("max_lr", "min_lr"), (low, high))]
    fall = phase(float(2 * pct_start * total_steps) - 2, ("max_lr", "initial_lr"), (low, high))
    return [rise, fall, phase(total_steps - 1, ("initial_lr", "min_lr"), (high, high))]
