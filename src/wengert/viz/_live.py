"""Training seen while it runs: a page that refreshes itself, a line in the terminal, TensorBoard event files."""

import math
import os
import sys
import time

from .. import _core
from ._chart import Series
from ._live_page import page
from ._summary import number

LAYERS_AT_MOST = 500


class Live:
    """Writes loss, learning rate, gradient norms by layer and the share of dead units while training runs.

    The page is one file without network that reads itself again every few seconds, written in whole each time. Call the
    object once a step, or use it as a callback: `callback(loss)`, `live(loss, accuracy=0.9)`.

    Gradients are looked at right before a step of `optimizer`, or without one when the object is called; that and the
    activations are looked at only when the page is due, so that steps in between cost next to nothing.

    Args:
        path: the page, a name in .html. None writes none.
        model: a module: gradient norms by layer; a unit of a ReLU (or another activation that is flat at zero) counts
            as dead where it is 0 for the whole batch. Units are the last dimension, or channels for images.
        optimizer: where the learning rate is read.
        title: the page's title.
        every: seconds between two pages.
        total: how many steps there will be, for the terminal.
        terminal: True prints the progress line (in place where the stream is a terminal, else a line a page), False
            does not, None prints where standard error is a terminal.
        tensorboard: a folder for event files, of finite numbers; needs tensorboardX.

    Raises:
        ValueError: a path that does not end in .html, or an interval below 0.
        OSError: the page cannot be written.
        ModuleNotFoundError: event files are asked for and tensorboardX is not installed.

    Example:
        >>> import wengert, tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp(), "run.html")
        >>> with wengert.viz.Live(path, terminal=False) as live:
        ...     for k in range(10):
        ...         live(1 / (k + 1))
        >>> "finished" in path.read_text()
        True
    """

    def __init__(
        self,
        path="live.html",
        *,
        model=None,
        optimizer=None,
        title="Training",
        every=2.0,
        total=None,
        terminal=None,
        tensorboard=None,
    ):
        if path is not None and not os.fspath(path).lower().endswith(".html"):
            raise ValueError(f"Live: expected a name that ends in .html, got {os.fspath(path)!r}.")
        if not every >= 0:
            raise ValueError(f"Live: expected an interval of at least 0 seconds, got {every!r}.")
        self.path = path
        self.title = title
        self.every = float(every)
        self.total = total
        self.status = "running"
        self.step_count = 0
        self.numbers = {}  # name -> Series
        self.gradients, self.dead = {}, {}  # name of a layer -> Series
        self._optimizer = optimizer
        self._model = model
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._writer = _event_writer(tensorboard) if tensorboard is not None else None
        self.places = {name: k for k, (name, _) in enumerate(model.named_modules())} if model is not None else {}
        self._handles = []
        self._norms = {}  # of the layers, at the last step of the optimizer
        self._due, self._fresh = True, set()
        self._began = self._last = time.monotonic()
        self._seen = 0  # steps at the last page
        self._speed = math.nan
        self._write()
        if optimizer is not None:
            self._handles.append(optimizer.register_step_pre_hook(self._before_step))
        if model is not None:
            self._watch_activations(model)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close("finished" if kind is None else f"stopped by {kind.__name__}")

    def __call__(self, loss=None, **numbers):
        """The same as `step`, so that the object is a callback."""
        self.step(loss, **numbers)

    def step(self, loss=None, **numbers):
        """A step of training has ended.

        Args:
            loss: a number or a tensor of one element.
            numbers: more numbers by name; each gets a chart.

        Raises:
            TypeError, ValueError, RuntimeError: something that is no single number.
        """
        given = {"loss": loss, **numbers} if loss is not None else numbers
        values = {name: _as_number(name, value) for name, value in given.items()}
        self.step_count += 1
        for name, value in values.items():
            self._add(self.numbers, name, value)
        if self._due:
            self._look()
            self._write()
            self._due = self.every == 0
        elif time.monotonic() - self._last >= self.every:
            self._due = True

    def close(self, status="finished"):
        """Writes the last page, ends the terminal's line and takes the hooks away. A second call does nothing."""
        if self.status != "running":
            return
        self.status = status
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._write()
        if self._terminal and sys.stderr.isatty():
            print(file=sys.stderr)
        if self._writer is not None:
            self._writer.close()

    # ---- what is looked at

    def _add(self, table, name, value):
        series = table.get(name)
        if series is None:
            series = table[name] = Series()
        series.add(self.step_count, value)
        if self._writer is not None and math.isfinite(value):
            group = {id(self.gradients): "gradient norm/", id(self.dead): "dead units/"}.get(id(table), "")
            self._writer.add_scalar(group + name, value, self.step_count)

    def _before_step(self, optimizer, args, kwargs):
        if self._due:
            self._look_at_gradients()

    def _look(self):
        for k, group in enumerate(self._optimizer.param_groups if self._optimizer is not None else ()):
            self._add(self.numbers, "learning rate" + (f" {k}" if k else ""), _as_number("lr", group["lr"]))
        if self._optimizer is None:
            self._look_at_gradients()
        for layer, norm in list(self._norms.items())[:LAYERS_AT_MOST]:
            self._add(self.gradients, layer, norm)
        if self._norms:
            self._add(self.numbers, "gradient norm", math.hypot(*self._norms.values()))
        self._norms = {}
        for name, share in sorted(self._fresh):
            self._add(self.dead, name, share)
        if self._fresh:
            shares = [share for _, share in self._fresh]
            self._add(self.numbers, "dead units", sum(shares) / len(shares))
        self._fresh = set()

    def _look_at_gradients(self):
        if self._model is None:
            return
        layers = {}
        self._norms = {}
        for name, p in self._model.named_parameters():
            if p.grad is not None:
                layer = name.rpartition(".")[0] or type(self._model).__name__
                layers.setdefault(layer, []).append(float(p.grad.detach().float().norm()))
        self._norms = {layer: math.hypot(*found) for layer, found in layers.items()}

    def _watch_activations(self, model):
        from .. import nn

        kinds = (nn.ReLU, nn.ReLU6, nn.Threshold, nn.Hardshrink, nn.Softshrink)
        for name, module in model.named_modules():
            if isinstance(module, kinds) and len(self._handles) <= LAYERS_AT_MOST:
                self._handles.append(module.register_forward_hook(self._activation_hook(name or "output")))

    def _activation_hook(self, name):
        def hook(module, args, out):
            if (
                self._due
                and isinstance(out, _core.Tensor)
                and out.dim()
                and out.numel()
                and _core.payload(out) is None
            ):
                self._fresh.add((name, dead_share(out)))

        return hook

    # ---- what is written

    def _write(self):
        now = time.monotonic()
        if now > self._last and self.step_count > self._seen:
            self._speed = (self.step_count - self._seen) / (now - self._last)
        self._last, self._seen = now, self.step_count
        if self.path is not None:
            from ._show import write

            write(self.path, page(self, now - self._began), "Live")
        if self._terminal and self.step_count:
            self._print()
        if self._writer is not None:
            self._writer.flush()

    def line(self):
        """The progress line: step, loss, learning rate, gradient norm, dead units, steps a second."""
        parts = [f"step {self.step_count:,}" + (f"/{self.total:,}" if self.total else "")]
        for name, short in (("loss", "loss"), ("learning rate", "lr"), ("gradient norm", "|grad|")):
            if name in self.numbers:
                parts.append(f"{short} {number(self.numbers[name].last)}")
        if "dead units" in self.numbers:
            parts.append(f"dead {100 * self.numbers['dead units'].last:.0f} %")
        known = ("loss", "learning rate", "gradient norm", "dead units")
        parts.extend(f"{name} {number(s.last)}" for name, s in self.numbers.items() if name not in known)
        if self._speed == self._speed:
            parts.append(f"{number(self._speed)} steps/s")
        return "  ".join(parts)

    def _print(self):
        from ._outline import printable

        line = printable(self.line())
        if sys.stderr.isatty():
            print("\r\x1b[K" + line, end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def dead_share(out):
    """The share of units that are 0 in the whole batch: channels of images, else the last dimension."""
    out = out.detach()
    unit = 1 if out.dim() >= 4 else out.dim() - 1
    rest = tuple(d for d in range(out.dim()) if d != unit)
    most = out.abs().amax(rest) if rest else out.abs()
    return float((most == 0).float().mean())


def _as_number(name, value):
    if isinstance(value, _core.Tensor):
        value = value.detach().item()
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"Live: expected a number for {name}, got {type(value).__name__}.") from None


def _event_writer(folder):
    try:
        from tensorboardX import SummaryWriter
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Live: expected tensorboardX for event files, got none. pip install tensorboardX, or leave tensorboard out."
        ) from error
    return SummaryWriter(os.fspath(folder))
