"""Averages of a model's weights over training: AveragedModel, SWALR, and the averaging rules."""

import copy
import itertools
import math

import wengert
from wengert import nn
from wengert.optim.lr_scheduler.base import LRScheduler, of_number, per_group


def _check_decay(decay):
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def get_ema_avg_fn(decay=0.999):
    """Return the rule ``decay * mean + (1 - decay) * value``, an exponential moving average, for one tensor."""
    _check_decay(decay)

    @wengert.no_grad()
    def ema_update(ema_param, current_param, num_averaged):
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn():
    """Return the rule of an equally weighted mean, for one parameter."""

    @wengert.no_grad()
    def swa_update(averaged_param, current_param, num_averaged):
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


def get_ema_multi_avg_fn(decay=0.999):
    """Return the rule of an exponential moving average that updates lists of parameters in place."""
    _check_decay(decay)

    @wengert.no_grad()
    def ema_update(ema_params, current_params, num_averaged):
        for mean, value in zip(ema_params, current_params, strict=True):
            _move_towards(mean, value, 1 - decay)

    return ema_update


def get_swa_multi_avg_fn():
    """Return the rule of an equally weighted mean that updates lists of parameters in place."""

    @wengert.no_grad()
    def swa_update(averaged_params, current_params, num_averaged):
        for mean, value in zip(averaged_params, current_params, strict=True):
            _move_towards(mean, value, 1 / (float(num_averaged) + 1))

    return swa_update


def _move_towards(mean, value, weight):
    if mean.is_floating_point() or mean.is_complex():
        mean.lerp_(value, weight)
    else:
        mean.copy_(mean * (1 - weight) + value * weight)


class AveragedModel(nn.Module):
    """A copy of a model whose parameters are averages of the original's over time.

    Args:
        model: the module to average.
        device: accepted for compatibility; only the CPU exists.
        avg_fn: rule for one parameter, ``(mean, value, count) -> new mean``; an equally weighted mean by default.
        multi_avg_fn: rule that updates lists of parameters in place; excludes ``avg_fn``.
        use_buffers: average buffers too; otherwise they are copied.

    Example:
        >>> import wengert
        >>> model = wengert.nn.Linear(1, 1, bias=False)
        >>> mean = wengert.optim.swa_utils.AveragedModel(model)
        >>> for value in (1.0, 3.0):
        ...     _ = wengert.nn.init.constant_(model.weight, value)
        ...     mean.update_parameters(model)
        >>> mean.module.weight.item()
        2.0
    """

    def __init__(self, model, device=None, avg_fn=None, multi_avg_fn=None, use_buffers=False):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", wengert.tensor(0, dtype=wengert.int64))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args, **kwargs):
        """Call the averaged model."""
        return self.module(*args, **kwargs)

    def _averaged_tensors(self, model):
        if self.use_buffers:
            return itertools.chain(model.parameters(), model.buffers())
        return model.parameters()

    def update_parameters(self, model):
        """Take the parameters of ``model`` as they are now into the averages."""
        means = [p.detach() for p in self._averaged_tensors(self.module)]
        values = [p.detach() for p in self._averaged_tensors(model)]
        count = self.n_averaged
        if count == 0:
            for mean, value in zip(means, values, strict=True):
                mean.copy_(value)
        elif self.avg_fn is not None:
            for mean, value in zip(means, values, strict=True):
                mean.copy_(self.avg_fn(mean, value, count))
        else:
            (self.multi_avg_fn or get_swa_multi_avg_fn())(means, values, count)
        if not self.use_buffers:
            for mean, value in zip(self.module.buffers(), model.buffers(), strict=True):
                mean.detach().copy_(value.detach())
        self.n_averaged += 1


def update_bn(loader, model, device=None):
    """Compute the running statistics of all batch-norm layers afresh, as plain means over one pass of ``loader``.

    Batches that are lists or tuples give their first entry to the model. ``device`` is accepted for compatibility.
    """
    momenta = {}
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            module.reset_running_stats()
            momenta[module] = module.momentum
            module.momentum = None
    if not momenta:
        return
    was_training = model.training
    model.train()
    try:
        with wengert.no_grad():
            for batch in loader:
                model(batch[0] if isinstance(batch, (list, tuple)) else batch)
    finally:
        for module, momentum in momenta.items():
            module.momentum = momentum
        model.train(was_training)


class SWALR(LRScheduler):
    """Anneals the rate to ``swa_lr`` in ``anneal_epochs`` steps and keeps it there.

    Args:
        optimizer: whose rates are set.
        swa_lr: the final rate, a number or one per group.
        anneal_epochs: how many steps to take.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        last_epoch: the step to resume from.
    """

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1):
        for rate, group in zip(per_group("swa_lr", optimizer, swa_lr), optimizer.param_groups, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _progress(self, step):
        """Return how much of the way to ``swa_lr`` is done after ``step`` steps, in [0, 1]."""
        part = max(0, min(1, step / max(1, self.anneal_epochs)))
        return part if self._anneal_strategy == "linear" else (1 - of_number(math.cos, math.pi * part)) / 2

    def get_lr(self):
        """Return the rates of this step."""
        self._warn_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._progress(step - 1), self._progress(step)
        rates = []
        for group in self.optimizer.param_groups:
            final = group["swa_lr"]
            start = final if before == 1 else (group["lr"] - before * final) / (1 - before)
            rates.append(final * now + start * (1 - now))
        return rates
