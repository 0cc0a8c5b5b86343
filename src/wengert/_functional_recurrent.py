"""Recurrent layers and cells: the compiled op, the same formulas as plain tensor operations, and PyTorch's functions.

Rows of packed sequences are given by runs: (steps, sequences) for each run of steps that equally many sequences have.
"""

import wengert

from . import _core
from ._bind import OPS, composed
from ._overload import check_tensor
from ._random import dropout as _dropout
from .autograd import enable_grad, grad

_recurrent, _linear = OPS["recurrent"], OPS["linear"]
_MODES = {"RNN_TANH": 0, "RNN_RELU": 1, "LSTM": 2, "GRU": 3}


# ---- the formulas ------------------------------------------------------------------------------------------------


def _tanh_step(x, state, w_hh, b_hh, w_hr):
    return (wengert.tanh(x + _linear(state[0], w_hh, b_hh)),)


def _relu_step(x, state, w_hh, b_hh, w_hr):
    return (wengert.relu(x + _linear(state[0], w_hh, b_hh)),)


def _lstm_step(x, state, w_hh, b_hh, w_hr):
    h, c = state
    i, f, g, o = (x + _linear(h, w_hh, b_hh)).chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return (h if w_hr is None else _linear(h, w_hr, None), c)


def _gru_step(x, state, w_hh, b_hh, w_hr):
    (h,) = state
    x_r, x_z, x_n = x.chunk(3, -1)
    h_r, h_z, h_n = _linear(h, w_hh, b_hh).chunk(3, -1)
    z = (x_z + h_z).sigmoid()
    n = (x_n + (x_r + h_r).sigmoid() * h_n).tanh()
    return (n + z * (h - n),)


_STEPS = (_tanh_step, _relu_step, _lstm_step, _gru_step)


def _loop(step, x, sizes, state, reverse):
    """All steps: the outputs in the order of x, and the states after each sequence's last step."""
    chunks = x.split(sizes)
    outputs = []
    if reverse:
        initial = state
        state = tuple(s[: sizes[-1]] for s in initial)
        for chunk, count in zip(reversed(chunks), reversed(sizes), strict=True):
            active = state[0].shape[0]
            if count > active:
                state = tuple(wengert.cat((s, s0[active:count])) for s, s0 in zip(state, initial, strict=True))
            state = step(chunk, state)
            outputs.append(state[0])
        outputs.reverse()
        return wengert.cat(outputs), state
    finished = []  # states of the sequences that ended, the shortest first
    for chunk, count in zip(chunks, sizes, strict=True):
        if count < state[0].shape[0]:
            finished.append(tuple(s[count:] for s in state))
            state = tuple(s[:count] for s in state)
        state = step(chunk, state)
        outputs.append(state[0])
    if finished:
        state = tuple(wengert.cat(parts) for parts in zip(state, *reversed(finished), strict=True))
    return wengert.cat(outputs), state


def _formula(x, w_ih, w_hh, b_ih, b_hh, h0, c0, w_hr, mode, reverse, runs):
    """The first result of the op `recurrent`, from ops with rules of their own."""
    sizes = [batch for steps, batch in zip(runs[::2], runs[1::2], strict=True) for _ in range(steps)]
    batch, out, hidden = runs[1], w_hh.shape[1], w_hh.shape[0] // (1, 1, 4, 3)[mode]
    zeros = [wengert.zeros((batch, size), dtype=x.dtype) for size in ((out, hidden) if mode == 2 else (out,))]
    state = tuple(z if s is None else s for s, z in zip((h0, c0), zeros, strict=False))
    step = _STEPS[mode]
    y, last = _loop(
        lambda chunk, state: step(chunk, state, w_hh, b_hh, w_hr), _linear(x, w_ih, b_ih), sizes, state, reverse
    )
    return wengert.cat((y.reshape(-1), last[1].reshape(-1))) if mode == 2 else y.reshape(-1)


def gradients_of(formula, operands, upstream):
    """The gradients of formula(*operands) for each operand, with a history; None for those that are None."""
    if any(v is not None and _core.payload(v) is not None for v in (*operands, upstream)):
        return _gradients_in_transform(formula, operands, upstream)
    with enable_grad():
        own = [
            v
            if v is None
            else OPS["alias"](v)
            if v.requires_grad
            or hasattr(_core.payload(v), "backward")  # a symbolic tensor has its history in its graph
            else v.detach().requires_grad_()
            for v in operands
        ]
        wanted = [v for v in own if v is not None]
        found = iter(grad(formula(*own), wanted, upstream, create_graph=True, allow_unused=True))
        gradients = [None if v is None else next(found) for v in own]
        return [
            wengert.zeros_like(v) if g is None and v is not None else g for g, v in zip(gradients, own, strict=True)
        ]


def _gradients_in_transform(formula, operands, upstream):
    """gradients_of for tensors of a vmap or jvp: a detached copy of those would have lost its tangents."""
    from .func import vjp

    places = [k for k, v in enumerate(operands) if v is not None]

    def of_given(*given):
        full = list(operands)
        for k, v in zip(places, given, strict=True):
            full[k] = v
        return formula(*full)

    found = iter(vjp(of_given, *[operands[k] for k in places])[1](upstream))
    return [None if v is None else next(found) for v in operands]


@composed("recurrent_backward")
def _recurrent_backward(operands, attrs):
    upstream, *given = operands[:9]
    return gradients_of(lambda *values: _formula(*values, *attrs), given, upstream)


# ---- layers ------------------------------------------------------------------------------------------------------


def runs_of(sizes):
    """The runs of a list of batch sizes.

    Example:
        >>> runs_of([3, 3, 1])
        (2, 3, 1, 1)
    """
    runs = []
    for size in sizes:
        if runs and runs[-1] == size:
            runs[-2] += 1
        else:
            runs += [1, size]
    return tuple(runs)


def _direction(mode, reverse, x, runs, weights, h0, c0):
    """One direction of one layer: the outputs (rows of x, out), and the last states."""
    w_ih, w_hh, b_ih, b_hh, w_hr = weights
    flat = _recurrent(x, w_ih, w_hh, b_ih, b_hh, h0, c0, w_hr, mode, reverse, runs)[0]
    total, batch, out = x.shape[0], runs[1], w_hh.shape[1]
    if mode == 2:
        y, c = flat[: total * out].reshape(total, out), flat[total * out :].reshape(batch, w_hh.shape[0] // 4)
        return y, (_last_rows(y, runs, reverse), c)
    y = flat.reshape(total, out)
    return y, (_last_rows(y, runs, reverse),)


def _last_rows(y, runs, reverse):
    """The row of each sequence's last step in the order of running."""
    if reverse:
        return y[: runs[1]]
    if len(runs) == 2:
        return y[y.shape[0] - runs[1] :]
    parts, end, have = [], y.shape[0], 0  # the longest sequences end in the last run
    for steps, batch in zip(runs[-2::-2], runs[::-2], strict=True):
        parts.append(y[end - batch + have : end])
        end -= steps * batch
        have = batch
    return wengert.cat(parts)


def recurrent_layers(mode, x, runs, states, weights, dropout, training, directions):
    """All layers over packed rows.

    Args:
        mode: "RNN_TANH", "RNN_RELU", "LSTM" or "GRU".
        x: (rows, input size).
        runs: see the module.
        states: the initial states, each (layers * directions, N, size), or None for zeros.
        weights: for each layer and direction (w_ih, w_hh, b_ih, b_hh, w_hr), None where there is none.
        dropout: probability of dropping an output between layers.
        training: whether to drop.
        directions: 1 or 2.

    Returns the last layer's outputs (rows, directions * size) and the list of last states.
    """
    finals = []
    for first in range(0, len(weights), directions):
        outputs = []
        for k in range(first, first + directions):
            h0, c0 = (None, None) if states is None else (states[0][k], states[1][k] if len(states) > 1 else None)
            y, last = _direction(_MODES[mode], k - first == 1, x, runs, weights[k], h0, c0)
            outputs.append(y)
            finals.append(last)
        x = outputs[0] if directions == 1 else wengert.cat(outputs, -1)
        if dropout and first + directions < len(weights):
            x = _dropout(x, dropout, training)
    if len(finals) == 1:
        return x, [wengert.stack([part]) for part in finals[0]]  # as torch: no views of the outputs
    return x, [wengert.stack(parts) for parts in zip(*finals, strict=True)]


def recurrent_cell(mode, x, state, w_ih, w_hh, b_ih, b_hh):
    """One step on (N, input size) or (input size,); `state` is a tuple. Returns the new state, a tuple."""
    for v in (x, *state, w_ih, w_hh):
        check_tensor(f"{mode}_cell", v)
    if x.dim() == 1:
        new = recurrent_cell(mode, x.unsqueeze(0), tuple(s.unsqueeze(0) for s in state), w_ih, w_hh, b_ih, b_hh)
        return tuple(s.squeeze(0) for s in new)
    given = (x, w_ih, w_hh, b_ih, b_hh, *state, *(None,) * (3 - len(state)))
    flat = _recurrent(*given, _MODES[mode], False, (1, x.shape[0]))[0]
    return tuple(flat.reshape(len(state), x.shape[0], w_hh.shape[1]).unbind(0))


# ---- PyTorch's functions -----------------------------------------------------------------------------------------


def _sequence_function(mode, name, doc):
    def function(input, *args):
        states_first = (
            isinstance(args[0], (list, tuple)) if mode == "LSTM" else not isinstance(args[1], _core.Tensor)
        )
        if states_first:
            hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first = args
            if batch_first:
                input = input.transpose(0, 1)
            steps, batch, size = input.shape
            runs, x = (steps, batch), input.reshape(steps * batch, size)
        else:
            batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional = args
            runs, x, batch_first = runs_of(batch_sizes.tolist()), input, False
        states = list(hx) if mode == "LSTM" else [hx]
        directions = 2 if bidirectional else 1
        each = len(params) // (num_layers * directions)
        weights = []
        for k in range(0, len(params), each):
            own = list(params[k : k + each])
            w_hr = own.pop() if each == (5 if has_biases else 3) else None
            weights.append((*own[:2], *(own[2:4] if has_biases else (None, None)), w_hr))
        y, finals = recurrent_layers(mode, x, runs, states, weights, dropout, train, directions)
        if states_first:
            y = y.reshape(steps, batch, y.shape[-1])
            y = y.transpose(0, 1) if batch_first else y
        return (y, *finals)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


_ARGUMENTS = """

    Called as PyTorch's: (input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first), or for
    packed sequences (data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional). The
    layer of wengert.nn is the convenient form.

    Returns the outputs of the last layer and the final states, (layers * directions, N, size) each.
    """

lstm = _sequence_function("LSTM", "lstm", "Long short-term memory over sequences; hx is (h, c)." + _ARGUMENTS)
gru = _sequence_function("GRU", "gru", "Gated recurrent units over sequences." + _ARGUMENTS)
rnn_tanh = _sequence_function("RNN_TANH", "rnn_tanh", "Elman's network with tanh over sequences." + _ARGUMENTS)
rnn_relu = _sequence_function("RNN_RELU", "rnn_relu", "Elman's network with relu over sequences." + _ARGUMENTS)


def lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of long short-term memory: input (N, I), hx = (h, c), each (N, H); returns the new (h, c)."""
    return recurrent_cell("LSTM", input, tuple(hx), w_ih, w_hh, b_ih, b_hh)


def gru_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of gated recurrent units: input (N, I), hx (N, H); returns the new state."""
    return recurrent_cell("GRU", input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def rnn_tanh_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of Elman's network with tanh: input (N, I), hx (N, H); returns the new state."""
    return recurrent_cell("RNN_TANH", input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def rnn_relu_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of Elman's network with relu: input (N, I), hx (N, H); returns the new state."""
    return recurrent_cell("RNN_RELU", input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


FUNCTIONS = {
    f.__name__: f for f in (lstm, gru, rnn_tanh, rnn_relu, lstm_cell, gru_cell, rnn_tanh_cell, rnn_relu_cell)
}
