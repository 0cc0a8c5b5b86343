"""Rows of recurrent layers: one direction of one layer over whole sequences.

mode is 0 for tanh, 1 for relu, 2 for the LSTM, 3 for the GRU. runs holds pairs (steps, sequences), one for each run of
steps that equally many sequences have; sequences never increase. Rows of x are packed step after step.
"""

from ._def import boolean, integer, ints, op


@op("recurrent", public=False, outputs=2)
def recurrent(
    g, x, w_ih, w_hh, b_ih=None, b_hh=None, h0=None, c0=None, w_hr=None, y=None, reserve=None, *, mode: integer,
    reverse: boolean, runs: ints,
):  # fmt: skip
    """Outputs of all steps, then the LSTM's last cell states, in one dimension; and what the gradient needs."""
    return g.recurrent_backward(x, w_ih, w_hh, b_ih, b_hh, h0, c0, w_hr, y, reserve, mode, reverse, runs)


@op(
    "recurrent_backward",
    absent="b_ih b_hh h0 c0 w_hr",
    public=False,
    outputs=8,
    differentiable=False,
    composed=True,
)
def recurrent_backward(
    g, u, x, w_ih, w_hh, b_ih, b_hh, h0, c0, w_hr, after, reserve, gx, gw_ih, gw_hh, gb_ih, gb_hh, gh0, gc0, gw_hr, *,
    mode: integer, reverse: boolean, runs: ints,
):  # fmt: skip
    """The gradients of recurrent."""
