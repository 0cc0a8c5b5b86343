"""Python numbers that differ from call to call, followed through a recorded call.

While a call is recorded such a number is a `Number`. It computes like the number it stands for and notes how; where it meets
a tensor it becomes an input of the plan, and where Python decides by it (a comparison, an index, a conversion), the outcome
becomes a condition of the plan. It is no subclass of int or float: whatever needs the bare value has to ask for it.
"""

import contextlib
import functools
import operator

import numpy as np

from .. import _core
from .._promotion import promote_types
from ..func._levels import is_tensor, paused
from ..func._trees import unflatten
from ._readings import Reading

_TYPES = (int, float, bool)
# Ops that compute with a 0-d tensor what they compute with a number.
_TAKES = frozenset(
    "add sub mul div zdiv zmul add_scaled lt le gt ge eq ne where maximum minimum assign lerp clamp3 atan2 hypot".split()
)


class _Kind:
    """What a number shows as its dtype: it passes for a NumPy scalar of this kind."""

    def __init__(self, kind):
        self.kind = kind


_KINDS = {int: _Kind("i"), float: _Kind("f")}


def _plain(v):
    return v._value if is_followed(v) else v


def is_followed(v):
    """Whether v is a followed number. (isinstance would take it for an int or a float.)"""
    return type(v) in (Number, Whole)


def _operation(function, swapped=False):
    def method(self, other):
        if is_tensor(other):
            return NotImplemented
        if type(other) not in _TYPES and not is_followed(other):
            value = self._book.fix(self)
            return function(other, value) if swapped else function(value, other)
        pair = (other, self) if swapped else (self, other)
        return self._book.compute(function, *pair)

    return method


def _comparison(function):
    def method(self, other):
        if is_tensor(other):
            return NotImplemented
        if type(other) not in _TYPES and not is_followed(other):
            return function(self._book.fix(self), other)
        return self._book.decide(function, self, other)

    return method


def _fixed(function):
    def method(self, *args):
        return function(self._book.fix(self), *args)

    return method


class Number:
    """A followed float."""

    __slots__ = ("_book", "_place", "_value")
    shape = ()

    def __init__(self, book, place, value):
        self._book = book
        self._place = place  # among the steps of the book
        self._value = value

    @property
    def __class__(self):
        return type(self._value)

    @property
    def dtype(self):
        """What tells that this is a number, as a NumPy scalar's does."""
        return _KINDS[type(self._value)]

    def item(self):
        """The number itself; the plan depends on it from now on."""
        return self._book.fix(self)

    def follow(self, function):
        """function(number), followed as well; for what is more than arithmetic."""
        return self._book.compute(function, self)

    def __getattr__(self, name):
        return getattr(self._book.fix(self), name)

    def __array__(self, dtype=None, copy=None):
        return np.array(self._book.fix(self), dtype)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        bare = [v._book.fix(v) if is_followed(v) else v for v in inputs]
        return getattr(ufunc, method)(*bare, **options)

    def __bool__(self):
        return self._book.decide(operator.truth, self)

    def __reduce__(self):
        return type(self._value), (self._book.fix(self),)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    __add__, __radd__ = _operation(operator.add), _operation(operator.add, True)
    __sub__, __rsub__ = _operation(operator.sub), _operation(operator.sub, True)
    __mul__, __rmul__ = _operation(operator.mul), _operation(operator.mul, True)
    __truediv__, __rtruediv__ = _operation(operator.truediv), _operation(operator.truediv, True)
    __floordiv__, __rfloordiv__ = _operation(operator.floordiv), _operation(operator.floordiv, True)
    __mod__, __rmod__ = _operation(operator.mod), _operation(operator.mod, True)
    __pow__, __rpow__ = _operation(operator.pow), _operation(operator.pow, True)
    __lt__, __le__ = _comparison(operator.lt), _comparison(operator.le)
    __gt__, __ge__ = _comparison(operator.gt), _comparison(operator.ge)
    __eq__, __ne__ = _comparison(operator.eq), _comparison(operator.ne)
    __float__, __int__, __complex__ = _fixed(float), _fixed(int), _fixed(complex)
    __hash__, __str__, __repr__, __format__ = _fixed(hash), _fixed(str), _fixed(repr), _fixed(format)
    __round__, __divmod__, __rdivmod__ = _fixed(round), _fixed(divmod), _fixed(lambda a, b: divmod(b, a))
    __trunc__ = _fixed(lambda v: v.__trunc__())
    __floor__, __ceil__ = _fixed(lambda v: v.__floor__()), _fixed(lambda v: v.__ceil__())

    def __neg__(self):
        return self._book.compute(operator.neg, self)

    def __pos__(self):
        return self._book.compute(operator.pos, self)

    def __abs__(self):
        return self._book.compute(operator.abs, self)


class Whole(Number):
    """A followed int."""

    __slots__ = ()
    __index__ = _fixed(operator.index)
    __and__, __or__, __xor__ = _fixed(operator.and_), _fixed(operator.or_), _fixed(operator.xor)
    __lshift__, __rshift__, __invert__ = _fixed(operator.lshift), _fixed(operator.rshift), _fixed(operator.invert)


class Slot:
    """Where a number lies: under a key of a dict or list, in a cell, or (container None) among a call's leaves."""

    __slots__ = ("container", "key")

    def __init__(self, container, key):
        self.container = container
        self.key = key

    def same(self, other):
        """Whether two slots are one."""
        return self.container is other.container and self.key == other.key

    def read(self, leaves):
        """What lies there."""
        if self.container is None:
            return leaves[self.key]
        if isinstance(self.container, dict):
            return self.container.get(self.key)
        if isinstance(self.container, list):
            return self.container[self.key] if self.key < len(self.container) else None
        return _core.held_by(self.container)[0]

    def write(self, value):
        """Puts a value there."""
        if isinstance(self.container, (dict, list)):
            self.container[self.key] = value
        else:
            self.container.cell_contents = value


class Book:
    """The numbers of one recording: where they come from, what was computed, decided and fed to the plan."""

    def __init__(self, slots, leaves):
        self.open = True
        self.slots = slots
        self.steps = []  # (function, operands, outcome); an operand is ("place", k), ("leaf", k) or a plain number
        self.feeds = []  # (place, dtype) of each number that is an input of the plan
        self.effects = []  # (slot, place or plain value)
        self.results = {}  # leaf of the result -> place
        self.fed = {}  # (place, dtype) -> tensor
        self.types = []
        self.numbers = [self._number(None, (), slot.read(leaves)) for slot in slots]
        self.types = [type(n._value) for n in self.numbers]

    def _number(self, function, operands, value):
        self.steps.append((function, operands, None))
        return (Whole if type(value) is int else Number)(self, len(self.steps) - 1, value)

    def _operands(self, values):
        return tuple([("place", v._place) if is_followed(v) else v for v in values])

    def compute(self, function, *values):
        """The result of arithmetic, followed."""
        result = function(*[_plain(v) for v in values])
        if not self.open:
            return result
        if type(result) not in (int, float):
            for v in values:
                if is_followed(v):
                    self.fix(v)
            return result
        return self._number(function, self._operands(values), result)

    def decide(self, function, *values):
        """The outcome of a comparison, which a plan depends on."""
        outcome = function(*[_plain(v) for v in values])
        if self.open:
            self.steps.append((function, self._operands(values), outcome))
        return outcome

    def fix(self, number):
        """The bare value, which a plan depends on."""
        if self.open:
            self.steps.append((_identical, (("place", number._place), number._value), True))
        return number._value

    def bare(self, number):
        """The value for somebody who reads it anew in each run."""
        return number._value

    def is_as_it_was(self, container, key, number):
        """Whether a number is the one that lay in this place when the call began."""
        k = number._place
        return k < len(self.slots) and self.slots[k].container is container and self.slots[k].key == key

    def read(self, reading, value):
        """What Python reads of a tensor (see Reading): a followed number, or where it is none, the value as it is, which a
        plan depends on."""
        number = self._number(reading, reading.operands, value)
        return number if type(value) in (int, float) else self.fix(number)

    def tensor(self, number, dtype):
        """(0-d tensor, whether it is new) that is the number as an input of the plan."""
        key = number._place, dtype
        found = self.fed.get(key)
        if found is not None:
            return found, False
        with paused():
            found = self.fed[key] = _core.full((), number._value, dtype)
        self.feeds.append(key)
        return found, True

    def settle(self):
        """The call is over: what it left in the slots becomes what a plan does, and plain numbers lie there again."""
        for slot in self.slots:
            if slot.container is not None:
                value = slot.read(())
                followed = is_followed(value)
                self.effects.append((slot, ("place", value._place) if followed else value))
                if followed:
                    slot.write(value._value)
        self.open = False

    def has_readings(self):
        """Whether values of tensors were read."""
        return any(isinstance(function, Reading) for function, _, _ in self.steps)

    def settle_result(self, result, take_apart):
        """The result of the call with plain numbers."""
        leaves, structure = take_apart(result)
        for k, v in enumerate(leaves):
            if is_followed(v):
                self.results[k] = v._place
                leaves[k] = v._value
        return unflatten(leaves, structure) if self.results else result

    def same(self, other):
        """Whether another recording has followed its numbers in the same way."""
        mine = (self.steps, self.feeds, [v for _, v in self.effects], self.results)
        return repr(mine) == repr((other.steps, other.feeds, [v for _, v in other.effects], other.results))

    def evaluate(self, leaves):
        """The numbers of another call; None where its decisions are others."""
        values = [slot.read(leaves) for slot in self.slots]
        if [type(v) for v in values] != self.types:
            return None
        try:
            for function, operands, outcome in self.steps[len(values) :]:
                given = [
                    v if type(v) is not tuple else values[v[1]] if v[0] == "place" else leaves[v[1]]
                    for v in operands
                ]
                result = function(*given)
                if outcome is not None and result is not outcome:
                    return None
                values.append(result)
        except (ArithmeticError, ValueError, TypeError, RuntimeError, IndexError):
            return None  # the call itself has to raise it
        return values

    def inputs(self, values):
        """The tensors that a plan takes beside its arguments."""
        return [_core.full((), values[place], dtype) for place, dtype in self.feeds]

    def apply(self, values, leaves):
        """Does after a run what the call does to its numbers; `leaves` are those of the result."""
        for slot, what in self.effects:
            slot.write(values[what[1]] if type(what) is tuple else what)
        for k, place in self.results.items():
            leaves[k] = values[place]

    @contextlib.contextmanager
    def rewound(self, values):
        """While this is open, the slots hold what they held before the call of these values."""
        slots = [slot for slot in self.slots if slot.container is not None]
        after = [slot.read(()) for slot in slots]
        for slot, value in zip(self.slots, values, strict=False):
            if slot.container is not None:
                slot.write(value)
        try:
            yield
        finally:
            for slot, value in zip(slots, after, strict=True):
                slot.write(value)

    def settle_containers(self, containers):
        """Plain numbers in the place of followed ones that the call has put into dicts and lists."""
        for container in containers:
            if isinstance(container, dict):
                container.update({k: v._value for k, v in container.items() if is_followed(v)})
            elif isinstance(container, list):
                container[:] = [_plain(v) for v in container]


class Varying:
    """Which numbers of a function have been seen to differ from call to call.

    Attributes:
        reads: whether numbers that the function reads of tensors are followed; wengert's own code always does.
    """

    def __init__(self):
        self.reads = False
        self._seen = {}  # structure of the arguments -> (numbers among them, places of those that vary)
        self._slots = []
        self._off = False

    def stop(self):
        """From now on no number is followed."""
        self._off = True
        self.reads = False

    def note_reads(self, book):
        """Takes in a book whose conditions another call has not met."""
        self.reads = self.reads or not self._off and book is not None and book.has_readings()

    def places(self, structure, leaves):
        """The places of arguments that vary, after what is seen now."""
        numbers = {k: v for k, v in enumerate(leaves) if type(v) in (int, float)}
        if not numbers or self._off:
            return ()
        first, varying = self._seen.setdefault((structure, *numbers), (numbers, set()))
        for k, v in numbers.items():
            if k not in varying and not _identical(v, first[k]):
                varying.add(k)
        return varying

    def add(self, slots):
        """Notes slots; whether there are new ones among them."""
        new = [] if self._off else [s for s in slots or () if not any(s.same(known) for known in self._slots)]
        self._slots += new
        return bool(new)

    def slots(self, call):
        """What a recording of a call (its leaves and their structure) follows."""
        leaves, structure = call
        if self._off:
            return []
        return [*[Slot(None, k) for k in sorted(self.places(repr(structure), leaves))], *self._slots]


def _identical(a, b):
    return type(a) is type(b) and (repr(a) == repr(b) if type(a) is float else a == b)


def feed(recorder, book, op, operands, attrs):
    """Operands in which followed numbers are inputs of the plan, where that gives the same bits, and elsewhere bare ones."""
    bare = [_plain(v) for v in operands]
    if recorder.problem is not None:
        return bare
    taken = list(operands)
    fit = _fit(op, operands)
    for k, v in enumerate(operands):
        if is_followed(v):
            dtype = fit(v)
            if dtype is None:
                taken[k] = book.fix(v)
                continue
            taken[k], new = book.tensor(v, dtype)
            if new:
                recorder.add_input(taken[k])
    if all(a is b for a, b in zip(taken, bare, strict=True)):
        return bare
    with paused(), _core.no_grad():
        if _same_bits(_core.apply(op, bare, attrs), _core.apply(op, taken, attrs)):
            return taken
    for v in operands:
        if is_followed(v):
            book.fix(v)
    return bare


def _fit(op, operands):
    """A function that gives the dtype of the tensor that may stand for a number; None where the op needs the number."""
    tensors = [v.dtype for v in operands if is_tensor(v)]
    base = None
    if op.name in _TAKES and tensors:
        base = functools.reduce(promote_types, tensors)

    def fit(number):
        if base is None or base.is_complex or base.is_floating_point and base.itemsize < 4:
            return None
        if base.is_floating_point:
            return base
        if type(number._value) is float:
            return _core.get_default_dtype()
        return base if base.name == "int64" else None

    return fit


def _same_bits(a, b):
    """Whether two results of an op are the same, bit for bit."""
    pairs = zip(a, b, strict=True) if isinstance(a, tuple) else [(a, b)]
    return all(x.dtype == y.dtype and x.shape == y.shape and np.array_equal(_raw(x), _raw(y)) for x, y in pairs)


def _raw(t):
    return np.ascontiguousarray(t.detach().numpy()).reshape(-1).view(np.uint8)
