"""vmap's frame: an op on batches, from what its row says.

A Batched wrapper holds a tensor whose dimension 0 is the batch. Elementwise rows align dimensions; rows that name
dimensions (`Row.batch == "dims"`) shift them by one; shapes get one more size in front; matrix products broadcast.
What has no rule runs once for each element of the batch, which is right for every op.
"""

from textwrap import indent

from .. import _core, _host
from ..ops._def import DIM_FIELDS
from . import _batching_index, _batching_windows
from ._levels import Frame, Watcher, call, current_recorder, expand, is_tensor, paused, payload, reshape, zeros


class Batched:
    """Payload of a wrapper: `value` has the batch as dimension 0."""

    __slots__ = ("frame", "value")

    def __init__(self, frame, value):
        self.frame = frame
        self.value = value

    def detached(self):
        """The wrapper without history."""
        return wrap(self.frame, self.value.detach())

    def text(self):
        """The repr: the batch, with the level of its vmap."""
        return f"BatchedTensor(lvl={self.frame.depth}, bdim=0, value=\n{indent(repr(self.value), '    ')}\n)"


def wrap(frame, value):
    """The wrapper of a tensor whose dimension 0 is the frame's batch."""
    return _core.make_wrapper(tuple(value.shape)[1:], value.dtype, Batched(frame, value))


class BatchFrame(Frame):
    """One vmap: its size, and what random ops do inside."""

    __slots__ = ("randomness", "size")

    def __init__(self, size, randomness):
        self.size = size
        self.randomness = randomness

    def peel(self, v):
        """(value, True) for a wrapper of this frame, (v, False) for anything else."""
        p = payload(v)
        if p is not None and p.frame is self:
            return p.value, True
        return v, False

    def batch(self, v):
        """v with the batch as dimension 0, repeated where v has none."""
        value, mine = self.peel(v)
        return value if mine else expand(call("unsqueeze", v, attrs=(0,)), (self.size, *v.shape))

    def run(self, entry, operands, attrs):
        row = entry.row
        if "random" in row.flags:
            return self.run_random(entry, operands, attrs)
        rule = RULES.get(row.batch) or (_elementwise if row.elementwise else None)
        out = None if rule is None else rule(self, entry, operands, attrs)
        if out is None:
            out = self.loop(entry, operands, [attrs] * self.size)
        elif out is _UNBATCHED:
            return _core.apply(entry, [self.like(v) for v in operands], attrs)
        return tuple(self.wrapped(v) for v in out) if isinstance(out, tuple) else wrap(self, out)

    def wrapped(self, v):
        """wrap() for one of several results; a number that the whole batch shares has no batch."""
        return wrap(self, v) if v.dim() else v

    def like(self, v):
        """A tensor of v's shape and dtype without this frame's batch; its values do not matter."""
        return zeros(tuple(v.shape), v.dtype) if self.peel(v)[1] else v

    def loop(self, entry, operands, attrs):
        """The op on each element of the batch (with attributes of its own), stacked."""
        if self.size == 0:
            raise RuntimeError(f"vmap: expected a batch of at least 1 for {entry.name}, got 0.")
        peeled = [self.peel(v) for v in operands]
        parts = []
        for k in range(self.size):
            one = [call("select", v, attrs=(0, k)) if mine else v for v, mine in peeled]
            parts.append(_core.apply(entry, one, attrs[k]))
        if isinstance(parts[0], tuple):
            return tuple(call("stack", *column, attrs=(0,)) for column in zip(*parts, strict=True))
        return call("stack", *parts, attrs=(0,))

    def run_random(self, entry, operands, attrs):
        """A random op on wrappers of this frame."""
        if self.randomness == "error":
            raise RuntimeError(
                f"vmap: expected no random operation, got {entry.name}. Pass randomness='different' or 'same'."
            )
        one = [self.like(v) for v in operands]
        each = [attrs] + [
            attrs if self.randomness == "same" else _core.reserve_range(entry, one, attrs)
            for _ in range(1, self.size)
        ]
        return wrap(self, self.loop(entry, operands, each))

    def run_inplace(self, entry, x, operands, attrs):
        """x.op_(...): the batch itself is written, so views of it see the change."""
        value, mine = self.peel(x)
        if not mine:
            raise RuntimeError(
                f"vmap: expected a batched tensor for {entry.name}_ with batched operands, got one that every "
                f"element "
                "of the batch shares. Use the out-of-place form."
            )
        if entry.row.elementwise or entry.name == "assign":
            rank = len(x.shape)
            rest = [self.align(v, rank) if is_tensor(v) else v for v in operands[1:]]
            _core.inplace(entry, value, rest, attrs)
        else:
            result = self.run(entry, operands, attrs)
            call_inplace("assign", value, self.batch(result[0] if isinstance(result, tuple) else result))
        return x

    def align(self, v, rank):
        """v with the batch in front of `rank` dimensions; v itself where it has no batch."""
        value, mine = self.peel(v)
        missing = rank - (len(value.shape) - 1)
        if not mine or missing <= 0:
            return value
        return reshape(value, (value.shape[0],) + (1,) * missing + tuple(value.shape)[1:])


def call_inplace(name, x, *operands):
    """x.name_(operands)."""
    from ._levels import entry

    return _core.inplace(entry(name), x, operands, ())


class _Unbatched:
    """A rule's answer: the result is the same for the whole batch."""


_UNBATCHED = _Unbatched()


# ---- rules: (frame, entry, operands, attributes) -> results with the batch in front, None: no rule applies -------


def _elementwise(frame, entry, operands, attrs):
    tensors = [v for v in operands if is_tensor(v)]
    rank = max(len(v.shape) for v in tensors)
    values = [frame.align(v, rank) if is_tensor(v) else v for v in operands]
    dtypes = {v.dtype for v in tensors}
    if len(dtypes) > 1 and rank > 0 and any(len(v.shape) == 0 for v in tensors):
        # 0-d tensors are weaker in promotion; with a batch dimension they would not be.
        strong = {v.dtype for v in tensors if len(v.shape) > 0}
        wanted = _core.infer(entry, operands, attrs)[0][1] if len(strong) > 1 else strong.pop()
        if wanted.is_floating_point:
            values = [
                call("cast", value, attrs=(wanted,))
                if is_tensor(v) and len(v.shape) == 0 and v.dtype.is_inexact and v.dtype != wanted
                else value
                for v, value in zip(operands, values, strict=True)
            ]
    return _core.apply(entry, values, attrs)


def _pointwise(frame, entry, operands, attrs):
    """The result has the shape of operand 0; the others are asked for their dtype only."""
    value, mine = frame.peel(operands[0])
    if not mine:
        return _UNBATCHED
    return _core.apply(entry, [value] + [frame.like(v) for v in operands[1:]], attrs)


def _shape_only(frame, entry, operands, attrs):
    return _UNBATCHED


def _matmul(frame, entry, operands, attrs):
    rank = max(len(v.shape) for v in operands)
    return _core.apply(entry, [frame.align(v, rank) for v in operands], attrs)


def _leading(frame, entry, operands, attrs):
    """All leading dimensions of operand 0 are alike; the other operands serve them all."""
    peeled = [frame.peel(v) for v in operands]
    if any(mine for _, mine in peeled[1:]):
        return None
    return _core.apply(entry, [v for v, _ in peeled], attrs)


def _linear(frame, entry, operands, attrs):
    out = _leading(frame, entry, operands, attrs)
    if out is not None:
        return out
    x, w = operands[:2]
    row = len(x.shape) == 1
    y = call("matmul", call("unsqueeze", x, attrs=(0,)) if row else x, call("transpose", w, attrs=(-2, -1)))
    if row:
        y = call("select", y, attrs=(-2, 0))
    if operands[2] is not None:
        y = call("add", y, operands[2])
    return frame.batch(y)


def _matmul_rows(frame, entry, operands, attrs):
    out = _leading(frame, entry, operands, attrs)
    if out is not None:
        return out
    x, w = operands
    if len(x.shape) == 1:
        y = call("select", call("matmul", call("unsqueeze", x, attrs=(0,)), w), attrs=(-2, 0))
    else:
        y = call("matmul", x, w)
    return frame.batch(y)


def _rows(frame, entry, operands, attrs):
    value = frame.peel(operands[0])[0]
    shape = tuple(operands[0].shape)
    merged = 1
    for n in shape[:-1]:
        merged *= n
    return reshape(value, (frame.size, merged, shape[-1]))


def _size(frame, entry, operands, attrs):
    """The attribute is a shape: one more size in front."""
    value = frame.peel(operands[0])[0]
    size = tuple(attrs[0])
    if entry.name == "expand":
        missing = len(size) - len(operands[0].shape)
        value = frame.align(operands[0], len(operands[0].shape) + missing)
    return _core.apply(entry, [value], ((frame.size, *size), *attrs[1:]))


def _expand_like(frame, entry, operands, attrs):
    shape = tuple(operands[1].shape)
    return expand(frame.align(operands[0], len(shape)), (frame.size, *shape))


def _sum_to_like(frame, entry, operands, attrs):
    x, like = operands
    shape, rank = tuple(like.shape), len(x.shape)
    value = frame.batch(x)
    padded = (frame.size,) + (1,) * (rank - len(shape)) + shape
    return reshape(_core.apply(entry, [value, zeros(padded, like.dtype)], ()), (frame.size, *shape))


def _reshape_like(frame, entry, operands, attrs):
    return reshape(frame.batch(operands[0]), (frame.size, *operands[1].shape))


def _unreduce_like(frame, entry, operands, attrs):
    x, like = operands
    dims, keepdim = attrs
    rank = len(like.shape)
    if rank == 0:
        return frame.batch(x)
    reduced = set(range(rank)) if not dims else {d % rank for d in dims}
    kept = tuple(1 if d in reduced else n for d, n in enumerate(like.shape))
    return expand(reshape(frame.batch(x), (frame.size, *kept)), (frame.size, *like.shape))


def _permute(frame, entry, operands, attrs):
    rank = len(operands[0].shape)
    dims = (0,) + tuple(d % rank + 1 for d in attrs[0])
    return _core.apply(entry, [frame.peel(operands[0])[0]], (dims,))


def _squeeze(frame, entry, operands, attrs):
    shape = tuple(operands[0].shape)
    dims = range(len(shape)) if attrs[0] is None else [d % max(len(shape), 1) for d in attrs[0] if shape]
    kept = tuple(n for d, n in enumerate(shape) if n != 1 or d not in set(dims))
    return reshape(frame.peel(operands[0])[0], (frame.size, *kept))


def _new_dim(frame, entry, operands, attrs):
    """The attribute counts the dimensions of the result (unsqueeze, stack)."""
    rank = len(operands[0].shape) + 1
    dim = attrs[0] % rank if -rank <= attrs[0] < rank else attrs[0]
    return _core.apply(entry, [frame.batch(v) for v in operands], (dim + 1,))


def _dims(frame, entry, operands, attrs):
    """Attributes that name dimensions of operand 0 are shifted behind the batch."""
    row = entry.row
    rank = len(operands[0].shape)
    reduces = "keepdim" in row.fields
    values = []
    for k, v in enumerate(operands):
        if v is None or not is_tensor(v):
            values.append(v)
        elif k < len(row.inputs) and row.inputs[k] == "like":
            rank = len(v.shape)
            values.append(zeros((frame.size, *v.shape), v.dtype))
        else:
            values.append(frame.batch(v))
    if rank == 0:
        if not reduces or len(operands) > 1:
            return None
        values[0] = call("unsqueeze", values[0], attrs=(1,))
        fixed = {"dim": (1,) if row.schema[row.fields.index("dim")] == "I" else 1, "keepdim": False}
        return _core.apply(entry, values, tuple(fixed.get(f, a) for f, a in zip(row.fields, attrs, strict=True)))
    shifted = []
    for name, letter, value in zip(row.fields, row.schema, attrs, strict=True):
        if name not in DIM_FIELDS:
            shifted.append(value)
        elif letter == "I":
            if not value:
                if not reduces:
                    return None
                value = range(rank)
            shifted.append(tuple(d + 1 if d >= 0 else d for d in value))
        elif value is None:
            return None
        else:
            shifted.append(value + 1 if value >= 0 else value)
    return _core.apply(entry, values, tuple(shifted))


RULES = {
    "dims": _dims,
    "expand_like": _expand_like,
    "leading": _leading,
    "linear": _linear,
    "matmul": _matmul,
    "matmul_rows": _matmul_rows,
    "new_dim": _new_dim,
    "permute": _permute,
    "pointwise": _pointwise,
    "reshape_like": _reshape_like,
    "rows": _rows,
    "shape": _size,
    "shape_only": _shape_only,
    "squeeze": _squeeze,
    "sum_to_like": _sum_to_like,
    "unreduce_like": _unreduce_like,
    **_batching_index.RULES,
    **_batching_windows.RULES,
}


class RandomWatch(Watcher):
    """Sees the ops inside a vmap that no batched operand brings to its frame: random draws from a shape."""

    def __init__(self, frame):
        self._frame = frame

    def takes_sparse(self, op):
        return False  # sparse tensors have no batches

    def run_host(self, name, tensors, options):
        if _host.draws(name) and self._frame.randomness != "same":
            raise RuntimeError(f"vmap: expected no random operation of the host, got {name}. Draw outside of vmap.")
        return super().run_host(name, tensors, options)

    def run(self, entry, operands, attrs):
        frame = self._frame
        if "random" not in entry.row.flags or frame.randomness == "same":
            return self._outside(entry, operands, attrs)
        if frame.randomness == "error":
            return frame.run_random(entry, operands, attrs)
        draws = [attrs] + [_core.reserve_range(entry, operands, attrs) for _ in range(1, frame.size)]
        parts = [self._outside(entry, operands, a) for a in draws]
        with paused():
            return wrap(frame, call("stack", *parts, attrs=(0,)))

    def run_inplace(self, entry, x, operands, attrs):
        if "random" in entry.row.flags and self._frame.randomness == "error":
            self._frame.run_random(entry, operands, attrs)
        with paused():
            outer = current_recorder()
            if outer is None:
                return _core.run_inplace(entry, x, operands[1:], attrs)
            return outer.run_inplace(entry, x, operands, attrs)

    @staticmethod
    def _outside(entry, operands, attrs):
        with paused():
            outer = current_recorder()
            return _core.run(entry, operands, attrs) if outer is None else outer.run(entry, operands, attrs)
