"""Recurrent layers and cells: Elman, LSTM (Hochreiter and Schmidhuber, 1997), GRU (Cho et al., 2014)."""

import functools
import math
import warnings

import wengert

from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter
from .utils.rnn import PackedSequence

_GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "GRU": 3, "LSTM": 4}


def _tanh_step(x, state, w_hh, b_hh):
    return (wengert.tanh(x + F.linear(state[0], w_hh, b_hh)),)


def _relu_step(x, state, w_hh, b_hh):
    return (F.relu(x + F.linear(state[0], w_hh, b_hh)),)


def _lstm_step(x, state, w_hh, b_hh, w_hr=None):
    h, c = state
    i, f, g, o = (x + F.linear(h, w_hh, b_hh)).chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return (h if w_hr is None else F.linear(h, w_hr), c)


def _gru_step(x, state, w_hh, b_hh):
    (h,) = state
    x_r, x_z, x_n = x.chunk(3, -1)
    h_r, h_z, h_n = F.linear(h, w_hh, b_hh).chunk(3, -1)
    z = (x_z + h_z).sigmoid()
    n = (x_n + (x_r + h_r).sigmoid() * h_n).tanh()
    return (n + z * (h - n),)


_STEPS = {"RNN_TANH": _tanh_step, "RNN_RELU": _relu_step, "GRU": _gru_step, "LSTM": _lstm_step}


def _rnn_loop(step, x, batch_sizes, state, reverse):
    """Run one direction of one layer.

    Args:
        step: `step(x_t, state) -> state`, whose first entry is the output.
        x: (sum of batch_sizes, gates), the input's part of all gates, step after step.
        batch_sizes: how many sequences have each step; never increasing.
        state: tuple of (N, size), the state before the first step.
        reverse: run from the last step of each sequence to the first.

    Returns:
        The outputs (sum of batch_sizes, size) in the order of x, and the state after each sequence's last step.
    """
    chunks = x.split(batch_sizes)
    outputs = []
    if reverse:
        initial = state
        state = tuple(s[: batch_sizes[-1]] for s in initial)
        for chunk, count in zip(reversed(chunks), reversed(batch_sizes), strict=True):
            active = state[0].shape[0]
            if count > active:
                state = tuple(wengert.cat((s, s0[active:count])) for s, s0 in zip(state, initial, strict=True))
            state = step(chunk, state)
            outputs.append(state[0])
        outputs.reverse()
        return wengert.cat(outputs), state
    finished = []  # states of the sequences that ended, the shortest first
    for chunk, count in zip(chunks, batch_sizes, strict=True):
        if count < state[0].shape[0]:
            finished.append(tuple(s[count:] for s in state))
            state = tuple(s[:count] for s in state)
        state = step(chunk, state)
        outputs.append(state[0])
    if finished:
        state = tuple(wengert.cat(parts) for parts in zip(state, *reversed(finished), strict=True))
    return wengert.cat(outputs), state


class RNNBase(Module):
    """Parameters, states and layer order of RNN, LSTM and GRU."""

    def __init__(
        self, mode, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
        bidirectional=False, proj_size=0, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        if mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + mode)
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
            )
        for name, size in (("hidden_size", hidden_size), ("num_layers", num_layers)):
            if not isinstance(size, int):
                raise TypeError(f"{name} should be of type int, got: {type(size).__name__}")
            if size <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if proj_size < 0 or proj_size >= hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size, and zero or positive")
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects"
                f" num_layers greater than 1, but got dropout={dropout} and num_layers={num_layers}",
                stacklevel=3,
            )
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        rows = _GATES[mode] * hidden_size
        out_size = proj_size or hidden_size
        self._weight_names = []  # of each layer and direction, in the order of `_STEPS`' arguments
        for layer in range(num_layers):
            in_size = input_size if layer == 0 else out_size * self._directions
            for suffix in ("", "_reverse")[: self._directions]:
                shapes = {"weight_ih": (rows, in_size), "weight_hh": (rows, out_size)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = []
                for kind, shape in shapes.items():
                    names.append(f"{kind}_l{layer}{suffix}")
                    self.register_parameter(names[-1], Parameter(wengert.empty(shape, device=device, dtype=dtype)))
                self._weight_names.append(names)
        self.reset_parameters()

    @property
    def _directions(self):
        return 2 if self.bidirectional else 1

    @property
    def all_weights(self):
        """The parameters of each layer and direction, as lists."""
        return [[getattr(self, name) for name in names] for names in self._weight_names]

    def reset_parameters(self):
        """Draw every parameter anew from U(-k, k), k = 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for param in self.parameters():
            init.uniform_(param, -bound, bound)

    def flatten_parameters(self):
        """Do nothing: kept for programs that call it before running on a GPU."""

    def _state_sizes(self):
        """The sizes of the states: (output,), and (cell,) for the LSTM."""
        out_size = self.proj_size or self.hidden_size
        return (out_size, self.hidden_size) if self.mode == "LSTM" else (out_size,)

    def _initial_states(self, hx, batch, like):
        """The given states checked, or zeros; each (layers * directions, N, size)."""
        wanted = [(self.num_layers * self._directions, batch, size) for size in self._state_sizes()]
        if hx is None:
            return [wengert.zeros(shape, dtype=like.dtype) for shape in wanted]
        states = list(hx) if self.mode == "LSTM" else [hx]
        names = ("hidden[0]", "hidden[1]") if self.mode == "LSTM" else ("hidden",)
        for state, shape, name in zip(states, wanted, names, strict=True):
            if tuple(state.shape) != shape:
                raise RuntimeError(f"Expected {name} size {shape}, got {list(state.shape)}")
        return states

    def _run_layers(self, x, batch_sizes, states):
        """All layers over packed steps x (total, input_size); returns the last outputs and the stacked final
        states.
        """
        step, finals = _STEPS[self.mode], []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(self._directions):
                index = layer * self._directions + direction
                w_ih, w_hh, *rest = (getattr(self, name) for name in self._weight_names[index])
                b_ih, b_hh, *rest = rest if self.bias else (None, None, *rest)
                run = functools.partial(step, w_hh=w_hh, b_hh=b_hh, **({"w_hr": rest[0]} if rest else {}))
                state = tuple(s[index] for s in states)
                output, final = _rnn_loop(run, F.linear(x, w_ih, b_ih), batch_sizes, state, direction == 1)
                outputs.append(output)
                finals.append(final)
            x = outputs[0] if len(outputs) == 1 else wengert.cat(outputs, -1)
            if self.dropout and layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout, self.training)
        return x, [wengert.stack(parts) for parts in zip(*finals, strict=True)]

    def _packed_hx(self, states):
        return tuple(states) if self.mode == "LSTM" else states[0]

    def _forward_packed(self, packed, hx):
        batch_sizes = packed.batch_sizes.tolist()
        states = self._initial_states(hx, batch_sizes[0], packed.data)
        if packed.sorted_indices is not None and hx is not None:
            states = [s.index_select(1, packed.sorted_indices) for s in states]
        output, finals = self._run_layers(packed.data, batch_sizes, states)
        if packed.unsorted_indices is not None:
            finals = [s.index_select(1, packed.unsorted_indices) for s in finals]
        return PackedSequence(output, *packed[1:]), self._packed_hx(finals)

    def forward(self, input, hx=None):
        """Run over (T, N, input_size), (N, T, input_size) with `batch_first`, (T, input_size), or a
        `PackedSequence`.

        Returns:
            The outputs of the last layer, and the final states (layers * directions, N, size).
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        if input.dim() not in (2, 3):
            raise ValueError(f"{self._get_name()}: Expected input to be 2D or 3D, got {input.dim()}D instead")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}"
            )
        is_batched = input.dim() == 3
        if not is_batched:
            input = input.unsqueeze(1)
            if hx is not None:
                hx = tuple(s.unsqueeze(1) for s in hx) if self.mode == "LSTM" else hx.unsqueeze(1)
        elif self.batch_first:
            input = input.transpose(0, 1)
        steps, batch = input.shape[:2]
        states = self._initial_states(hx, batch, input)
        output, finals = self._run_layers(input.reshape(steps * batch, self.input_size), [batch] * steps, states)
        output = output.reshape(steps, batch, output.shape[-1])
        if not is_batched:
            return output.squeeze(1), self._packed_hx([s.squeeze(1) for s in finals])
        return (output.transpose(0, 1) if self.batch_first else output), self._packed_hx(finals)

    def extra_repr(self):
        text = f"{self.input_size}, {self.hidden_size}"
        defaults = {
            "proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0,
            "bidirectional": False,
        }  # fmt: skip
        return text + "".join(f", {k}={getattr(self, k)}" for k, v in defaults.items() if getattr(self, k) != v)


class RNN(RNNBase):
    """The Elman network: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu with `nonlinearity="relu"`.

    Example:
        >>> y, h = wengert.nn.RNN(3, 4, num_layers=2)(wengert.zeros(5, 1, 3))
        >>> list(y.shape), list(h.shape)
        ([5, 1, 4], [2, 1, 4])
    """

    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", *args, **kwargs):
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory; the state is the pair (h, c). `proj_size` projects h down.

    Example:
        >>> y, (h, c) = wengert.nn.LSTM(3, 4, bidirectional=True)(wengert.zeros(5, 1, 3))
        >>> list(y.shape), list(c.shape)
        ([5, 1, 8], [2, 1, 4])
    """

    def __init__(self, *args, **kwargs):
        super().__init__("LSTM", *args, **kwargs)


class GRU(RNNBase):
    """Gated recurrent units."""

    def __init__(self, *args, **kwargs):
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """One step of a recurrent layer, with the parameters of one layer."""

    def __init__(self, input_size, hidden_size, bias, num_chunks, device=None, dtype=None):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        for name, shape in (
            ("weight_ih", (rows, input_size)),
            ("weight_hh", (rows, hidden_size)),
            ("bias_ih", (rows,) if bias else None),
            ("bias_hh", (rows,) if bias else None),
        ):
            empty = None if shape is None else Parameter(wengert.empty(shape, device=device, dtype=dtype))
            self.register_parameter(name, empty)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw every parameter anew from U(-k, k), k = 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for param in self.parameters():
            init.uniform_(param, -bound, bound)

    def _step(self, mode, input, states):
        """One step on (N, input_size) or (input_size,); missing states are zeros."""
        if input.dim() not in (1, 2):
            raise ValueError(f"{self._get_name()}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        if states is None:
            zeros = wengert.zeros((*input.shape[:-1], self.hidden_size), dtype=input.dtype)
            states = (zeros, zeros) if mode == "LSTM" else (zeros,)
        for state in states:
            if state.dim() not in (1, 2):
                raise ValueError(f"{self._get_name()}: Expected hidden to be 1D or 2D, got {state.dim()}D instead")
        x = F.linear(input, self.weight_ih, self.bias_ih)
        return _STEPS[mode](x, states, self.weight_hh, self.bias_hh)

    def extra_repr(self):
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text


class RNNCell(RNNCellBase):
    """One step of `RNN`."""

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input, hx=None):
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(f"RNN_{self.nonlinearity.upper()}", input, None if hx is None else (hx,))[0]


class LSTMCell(RNNCellBase):
    """One step of `LSTM`: returns (h, c)."""

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input, hx=None):
        return self._step("LSTM", input, hx)


class GRUCell(RNNCellBase):
    """One step of `GRU`."""

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input, hx=None):
        return self._step("GRU", input, None if hx is None else (hx,))[0]
