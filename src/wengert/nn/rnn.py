"""Recurrent layers and cells: Elman, LSTM (Hochreiter and Schmidhuber, 1997), GRU (Cho et al., 2014)."""

import math

import wengert
from wengert._functional import recurrent_cell, recurrent_layers, runs_of
from wengert._warn import warn

from . import init
from .module import Module
from .parameter import Parameter
from .utils.rnn import PackedSequence

_GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "GRU": 3, "LSTM": 4}


class RNNBase(Module):
    """Parameters, states and layer order of RNN, LSTM and GRU."""

    def __init__(
        self, mode, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
        bidirectional=False, proj_size=0, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        if mode not in _GATES:
            raise ValueError(f"RNNBase: expected a mode of {sorted(_GATES)}, got {mode!r}.")
        if isinstance(dropout, bool) or not 0 <= float(dropout) <= 1:
            raise ValueError(
                f"{self._get_name()}: expected dropout as a probability between 0 and 1, got {dropout}."
            )
        for name, size in (("hidden_size", hidden_size), ("num_layers", num_layers)):
            if not isinstance(size, int):
                raise TypeError(f"{self._get_name()}: expected {name} as an int, got {type(size).__name__}.")
            if size <= 0:
                raise ValueError(f"{self._get_name()}: expected {name} above 0, got {size}.")
        if proj_size < 0 or proj_size >= hidden_size:
            raise ValueError(
                f"{self._get_name()}: expected proj_size in [0, hidden_size={hidden_size}), got {proj_size}."
            )
        if dropout > 0 and num_layers == 1:
            warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects"
                f" num_layers greater than 1, but got dropout={dropout} and num_layers={num_layers}",
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
        self._weight_names = []  # of each layer and direction, in the order of `_layer_weights`
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

    def _initial_states(self, hx, batch):
        """The given states checked, each (layers * directions, N, size); None stands for zeros."""
        if hx is None:
            return None
        if self.mode == "LSTM" and not isinstance(hx, (tuple, list)):
            raise RuntimeError(f"LSTM: expected hx as a pair (h, c), got {type(hx).__name__}. Pass both states.")
        states = list(hx) if self.mode == "LSTM" else [hx]
        names = ("hidden[0]", "hidden[1]") if self.mode == "LSTM" else ("hidden",)
        for state, size, name in zip(states, self._state_sizes(), names, strict=True):
            shape = (self.num_layers * self._directions, batch, size)
            if tuple(state.shape) != shape:
                raise RuntimeError(
                    f"{self._get_name()}: expected {name} of shape {shape}, got {tuple(state.shape)}."
                )
        return states

    def _layer_weights(self):
        """(w_ih, w_hh, b_ih, b_hh, w_hr) of each layer and direction, None where there is none."""
        out = []
        for names in self._weight_names:
            w_ih, w_hh, *rest = (getattr(self, name) for name in names)
            b_ih, b_hh, *rest = rest if self.bias else (None, None, *rest)
            out.append((w_ih, w_hh, b_ih, b_hh, rest[0] if rest else None))
        return out

    def _run_layers(self, x, runs, states):
        """All layers over packed rows x (total, input_size); returns the last outputs and the final states."""
        weights = self._layer_weights()
        if x.dtype != weights[0][0].dtype:
            raise ValueError(
                f"{self._get_name()}: expected an input of the weights' dtype {weights[0][0].dtype}, got {x.dtype}. "
                "Convert one of them."
            )
        return recurrent_layers(self.mode, x, runs, states, weights, self.dropout, self.training, self._directions)

    def _packed_hx(self, states):
        return tuple(states) if self.mode == "LSTM" else states[0]

    def _forward_packed(self, packed, hx):
        batch_sizes = packed.batch_sizes.tolist()
        states = self._initial_states(hx, batch_sizes[0])
        if packed.sorted_indices is not None and states is not None:
            states = [s.index_select(1, packed.sorted_indices) for s in states]
        output, finals = self._run_layers(packed.data, runs_of(batch_sizes), states)
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
            raise ValueError(
                f"{self._get_name()}: expected an input of 2 or 3 dimensions, got shape {tuple(input.shape)}."
            )
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                f"{self._get_name()}: expected an input (..., input_size={self.input_size}), got {tuple(input.shape)}."
            )
        is_batched = input.dim() == 3
        if not is_batched:
            input = input.unsqueeze(1)
            if hx is not None:
                hx = tuple(s.unsqueeze(1) for s in hx) if self.mode == "LSTM" else hx.unsqueeze(1)
        elif self.batch_first:
            input = input.transpose(0, 1)
        steps, batch = input.shape[:2]
        if steps == 0:
            raise RuntimeError(f"{self._get_name()}: expected a sequence of at least one step, got none.")
        states = self._initial_states(hx, batch)
        output, finals = self._run_layers(input.reshape(steps * batch, self.input_size), (steps, batch), states)
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
            raise ValueError(f"RNN: expected nonlinearity 'tanh' or 'relu', got {nonlinearity!r}.")
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
            raise ValueError(
                f"{self._get_name()}: expected an input of 1 or 2 dimensions, got shape {tuple(input.shape)}."
            )
        if states is None:
            zeros = wengert.zeros((*input.shape[:-1], self.hidden_size), dtype=input.dtype)
            states = (zeros, zeros) if mode == "LSTM" else (zeros,)
        for state in states:
            if state.dim() not in (1, 2):
                raise ValueError(
                    f"{self._get_name()}: expected a state of 1 or 2 dimensions, got shape {tuple(state.shape)}."
                )
        return recurrent_cell(mode, input, states, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)

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
