"""Loss scaling: keeps small gradients of half types away from zero."""

import wengert
from wengert._warn import warn


class GradScaler:
    """Multiplies the loss, divides the gradients, and skips steps whose gradients are not finite.

    Args:
        device: "cpu" computes; "cuda" is switched off with a warning, as torch does it where there is no GPU.
        init_scale: the first factor.
        growth_factor: what the factor is multiplied with after `growth_interval` good steps in a row.
        backoff_factor: what it is multiplied with after a step that was skipped.
        growth_interval: see growth_factor.
        enabled: False makes `scale` the identity and `step` a plain step.

    Example:
        >>> import wengert
        >>> w = wengert.ones(1, requires_grad=True)
        >>> scaler, optimizer = wengert.amp.GradScaler("cpu", init_scale=8.0), wengert.optim.SGD([w], lr=0.5)
        >>> scaler.scale((w * w).sum()).backward()
        >>> w.grad
        tensor([16.])
        >>> scaler.step(optimizer)
        >>> scaler.update()
        >>> w.detach()
        tensor([0.])
    """

    def __init__(
        self,
        device="cuda",
        init_scale=2.0**16,
        growth_factor=2.0,
        backoff_factor=0.5,
        growth_interval=2000,
        enabled=True,
    ):
        if enabled and str(device).startswith("cuda"):
            warn("GradScaler: there is no GPU for device 'cuda'; disabled.")
            enabled = False
        if growth_factor <= 1.0:
            raise AssertionError(f"GradScaler: expected growth_factor > 1, got {growth_factor}.")
        if backoff_factor >= 1.0:
            raise AssertionError(f"GradScaler: expected backoff_factor < 1, got {backoff_factor}.")
        self._enabled = enabled
        self._scale, self._growth_tracker = float(init_scale), 0
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        self._found = {}  # optimizer -> whether an infinite or NaN gradient was found; there once it is unscaled
        self._stepped = set()

    def is_enabled(self):
        """Whether the scaler does anything."""
        return self._enabled

    def get_scale(self):
        """The factor, a number; 1.0 when disabled."""
        return self._scale if self._enabled else 1.0

    def scale(self, outputs):
        """Return a tensor, or a list or tuple of them, times the factor."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, wengert.Tensor):
            return outputs * self._scale
        if isinstance(outputs, (list, tuple)):
            return type(outputs)([self.scale(part) for part in outputs])
        raise ValueError(f"GradScaler.scale: expected a tensor or a list of them, got {type(outputs).__name__}.")

    def unscale_(self, optimizer):
        """Divide the gradients of an optimizer's parameters by the factor, in place: before clipping them.

        Raises:
            RuntimeError: it was called twice since the last `update`, or after `step`.
        """
        if not self._enabled:
            return
        if id(optimizer) in self._found:
            when = "after step()" if id(optimizer) in self._stepped else "twice since the last update()"
            raise RuntimeError(
                f"GradScaler.unscale_: expected one call for each optimizer and update, got it {when}."
            )
        bad = False
        with wengert.no_grad():
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        parameter.grad.mul_(1.0 / self._scale)
                        bad = bad or not bool(wengert.isfinite(parameter.grad).all())
        self._found[id(optimizer)] = bad

    def step(self, optimizer, *args, **kwargs):
        """Step an optimizer, unless its gradients hold infinities or NaN; unscales them first where that is to do.

        Returns:
            What the optimizer's step returns, or None if it was skipped.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError(
                "GradScaler.step: expected no closure, got one. Call optimizer.step(closure) itself."
            )
        if id(optimizer) in self._stepped:
            raise RuntimeError("GradScaler.step: expected one call since the last update(), got two.")
        if id(optimizer) not in self._found:
            self.unscale_(optimizer)
        self._stepped.add(id(optimizer))
        return None if self._found[id(optimizer)] else optimizer.step(*args, **kwargs)

    def update(self, new_scale=None):
        """Adapt the factor to what the steps found, or set it."""
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._found:
            raise AssertionError("GradScaler.update: expected a step since the last update(), got none.")
        elif any(self._found.values()):
            self._scale *= self._backoff_factor
            self._growth_tracker = 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                self._scale *= self._growth_factor
                self._growth_tracker = 0
        self._found, self._stepped = {}, set()

    def get_growth_factor(self):
        """What the factor grows by."""
        return self._growth_factor

    def get_backoff_factor(self):
        """What the factor shrinks by."""
        return self._backoff_factor

    def get_growth_interval(self):
        """After how many good steps the factor grows."""
        return self._growth_interval

    def state_dict(self):
        """The state as numbers, in torch's form; empty when disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict):
        """Take over a state; RuntimeError for the empty one of a disabled scaler."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "GradScaler.load_state_dict: expected a state, got the empty one of a disabled scaler."
            )
        self._scale, self._growth_tracker = float(state_dict["scale"]), state_dict["_growth_tracker"]
        self._growth_factor, self._backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
