"""ReduceLROnPlateau: lower the rate when a metric has stopped improving."""

import math

from wengert._warn import warn
from wengert.optim.lr_scheduler.base import EPOCH_WARNING, LRScheduler, check_optimizer, group_values, set_lr


class ReduceLROnPlateau(LRScheduler):
    """Multiplies the rate by ``factor`` when ``patience`` steps in a row brought no improvement.

    Args:
        optimizer: whose rates are lowered.
        mode: ``"min"`` or ``"max"``, the direction that is better.
        factor: below 1.
        patience: steps without improvement that are tolerated.
        threshold, threshold_mode: what counts as improvement, relative (``"rel"``) or absolute (``"abs"``).
        cooldown: steps after a reduction that are not counted.
        min_lr: the lowest rate, a number or one per group.
        eps: smaller changes of the rate are not made.

    Raises:
        ValueError: ``factor`` ≥ 1, or an unknown mode.

    Example:
        >>> import wengert
        >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = wengert.optim.lr_scheduler.ReduceLROnPlateau(opt, patience=0, factor=0.5)
        >>> schedule.step(3.0); schedule.step(3.0); schedule.get_last_lr()
        [0.5]
    """

    def __init__(
        self,
        optimizer,
        mode="min",
        factor=0.1,
        patience=10,
        threshold=1e-4,
        threshold_mode="rel",
        cooldown=0,
        min_lr=0,
        eps=1e-8,
    ):
        if factor >= 1.0:
            raise ValueError(f"ReduceLROnPlateau: expected a factor below 1, got {factor}.")
        check_optimizer(optimizer)
        if mode not in ("min", "max"):
            raise ValueError(f"ReduceLROnPlateau: expected mode 'min' or 'max', got {mode!r}.")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"ReduceLROnPlateau: expected threshold_mode 'rel' or 'abs', got {threshold_mode!r}.")
        self.factor = factor
        self.optimizer = optimizer
        count = len(optimizer.param_groups)
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else min_lr
        self.min_lrs = [min_lr] * count if self.default_min_lr is not None else list(min_lr)
        if len(self.min_lrs) != count:
            raise ValueError(f"expected {count} min_lrs, got {len(self.min_lrs)}")
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = group_values(optimizer, "lr")
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self._reset()

    def _reset(self):
        """Forget the best value and all counts."""
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    @property
    def in_cooldown(self):
        """True while the steps after a reduction are not counted."""
        return self.cooldown_counter > 0

    def step(self, metrics, epoch=None):
        """Take note of the metric's value after one more step, and lower the rates if it is time."""
        current = float(metrics)
        if epoch is None:
            epoch = self.last_epoch + 1
        else:
            warn(EPOCH_WARNING, UserWarning)
        self.last_epoch = epoch
        if self._is_better(current, self.best):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = group_values(self.optimizer, "lr")

    def _reduce_lr(self):
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(
                    f"ReduceLROnPlateau: expected {len(self.min_lrs)} parameter groups as at construction, got "
                    f"{len(groups)}. Extend min_lrs when you add a group."
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for lowest, group in zip(self.min_lrs, groups, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, lowest)
            if old - new > self.eps:
                set_lr(group, new)

    def _is_better(self, value, best):
        relative = self.threshold_mode == "rel"
        if self.mode == "min":
            return value < (best * (1.0 - self.threshold) if relative else best - self.threshold)
        return value > (best * (self.threshold + 1.0) if relative else best + self.threshold)
