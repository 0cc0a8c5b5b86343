"""Sizes that are known when a graph runs: polynomials of named sizes with whole coefficients.

A `Dim` gives, where an int is needed, a probe: a large prime that stands for the size while the graph is built, so that
code that only knows ints works unchanged. What comes back from such code as a plain int is read as the polynomial that it
is (`recognise`); results of shape inference are read from two inferences with different probes (`agree`).
"""

import itertools
import re
import sys

from ._lines import counts_python_things

_FIRST = (524309, 272203, 140009)  # by order of appearance; later names get smaller primes
_SECOND = (393241, 199909, 90001)
_SPACE = 9001  # between later probes: more than any offset
_SMALL = 2048  # the largest offset in a*n + b that is recognised
_probes = {}  # name -> (first probe, second probe)


def _is_prime(n):
    return all(n % d for d in range(2, int(n**0.5) + 1))


def _more_primes():
    for start in itertools.count(70001, _SPACE):
        yield next(n for n in itertools.count(start) if _is_prime(n))


_later = _more_primes()


def probes(name):
    """The two sizes that stand for a named size while a graph is built."""
    found = _probes.get(name)
    if found is None:
        k = len(_probes)
        found = (_FIRST[k], _SECOND[k]) if k < len(_FIRST) else (next(_later), next(_later))
        _probes[name] = found
    return found


class Guard:
    """A comparison of sizes that building the graph has relied on: `left op right` came out as `outcome`."""

    __slots__ = ("left", "line", "op", "outcome", "right")

    def __init__(self, left, op, right, outcome, line):
        self.left = left
        self.op = op
        self.right = right
        self.outcome = outcome
        self.line = line

    def holds(self, sizes):
        """Whether the comparison comes out as it did, for concrete sizes by name."""
        left, right = evaluate(self.left, sizes), evaluate(self.right, sizes)
        return {"==": left == right, "<": left < right, "<=": left <= right}[self.op] == self.outcome

    def given(self, sizes):
        """The same comparison where some sizes by name are known, or are others; None where it comes out as it did.

        Raises:
            ValueError: it comes out the other way.
        """
        made = Guard(evaluate(self.left, sizes), self.op, evaluate(self.right, sizes), self.outcome, self.line)
        left, right = made.left, made.right
        if terms_of(left) == terms_of(right):
            left = right = 0  # the same size, whatever it is
        elif symbolic((left, right)):
            return made
        if Guard(left, self.op, right, self.outcome, self.line).holds({}):
            return None
        shown = ", ".join(f"{name} = {n}" for name, n in sizes.items())
        raise ValueError(
            f"expected sizes with {self}, which {self.line} has relied on, got {shown}. Build the graph for these sizes."
        )

    def __repr__(self):
        op = self.op if self.outcome else {"==": "!=", "<": ">=", "<=": ">"}[self.op]
        return f"{self.left} {op} {self.right}"


_UNKNOWN = (
    "{}: expected a size known when the graph is built, got {}. Use it in tensor operations, or give the input a number "
    "instead."
)


class Dim:
    """A size by name: `terms` is a tuple of pairs (names in order, coefficient); `sink` takes the guards.

    It is no int, since a float on the left of an operator would read an int's value without asking.
    """

    __slots__ = ("sink", "terms", "value")

    def __init__(self, terms, sink=None):
        self.terms = tuple(sorted((tuple(sorted(names)), c) for names, c in dict(terms).items() if c))
        self.value = value_of(self.terms, 0)
        self.sink = sink

    def __index__(self):
        if counts_python_things(sys._getframe(1)):
            raise TypeError(
                f"range: expected a number known when the graph is built, got the size {self}. Use wengert.scan(), "
                "or give the input a number as its size."
            )
        return self.value

    def __int__(self):
        raise TypeError(_UNKNOWN.format("int", self))

    def __float__(self):
        raise TypeError(_UNKNOWN.format("float", self))

    def __bool__(self):
        return not self == 0

    @classmethod
    def named(cls, name, sink=None):
        """The size of a name."""
        return cls({(name,): 1}, sink)

    @property
    def names(self):
        """The names in it."""
        return {name for names, _ in self.terms for name in names}

    def _with(self, terms, other):
        sink = self.sink if self.sink is not None else getattr(other, "sink", None)
        if all(not names for names, c in terms.items() if c):
            return terms.get((), 0)
        return Dim(terms, sink)

    def __add__(self, other):
        if not is_size(other):
            return _with_tensor("add", self, other)
        terms = dict(self.terms)
        for names, c in terms_of(other):
            terms[names] = terms.get(names, 0) + c
        return self._with(terms, other)

    __radd__ = __add__

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -other if is_size(other) else _with_tensor("sub", self, other)

    def __rsub__(self, other):
        return -self + other if is_size(other) else _with_tensor("sub", other, self)

    def __mul__(self, other):
        if isinstance(other, float):
            return Ratio(self, 1) * other
        if not is_size(other):
            return _with_tensor("mul", other, self)
        terms = {}
        for (a, c), (b, d) in itertools.product(self.terms, terms_of(other)):
            names = tuple(sorted(a + b))
            terms[names] = terms.get(names, 0) + c * d
        return self._with(terms, other)

    __rmul__ = __mul__

    def __pow__(self, power, modulus=None):
        if type(power) is not int or not 0 <= power <= 8 or modulus is not None:
            return self._refuse("**", power)
        product = 1
        for _ in range(power):
            product = self * product
        return product

    def __floordiv__(self, other):
        found = quotient(self, other) if is_size(other) else None
        return self._refuse("//", other) if found is None else found

    def __rfloordiv__(self, other):
        return self._refuse("//", other)

    def __mod__(self, other):
        if is_size(other) and quotient(self, other) is not None:
            return 0
        return self._refuse("%", other)

    def __rmod__(self, other):
        return self._refuse("%", other)

    def __divmod__(self, other):
        return self // other, self % other

    def __truediv__(self, other):
        if is_size(other) or isinstance(other, (float, Ratio)):
            return Ratio(self, other)
        return _with_tensor("div", self, other)

    def __rtruediv__(self, other):
        if is_size(other) or isinstance(other, (float, Ratio)):
            return Ratio(other, self)
        return _with_tensor("div", other, self)

    def _refuse(self, op, other):
        raise TypeError(
            f"{op}: expected sizes known when the graph is built, got {self!r} {op} {other!r}. Only +, -, * and exact "
            "division keep a size by name; give the input a number instead."
        )

    def _compare(self, op, other, outcome):
        if terms_of(other) != self.terms and self.sink is not None:
            from ._lines import user_line

            guard = Guard(self, op, other, outcome, user_line())
            if str(guard) not in {str(known) for known in self.sink}:
                self.sink.append(guard)
        return outcome

    def __eq__(self, other):
        return is_size(other) and self._compare("==", other, self.value == _probe(other))

    def __lt__(self, other):
        return self._compare("<", other, self.value < _probe(other)) if is_size(other) else NotImplemented

    def __le__(self, other):
        return self._compare("<=", other, self.value <= _probe(other)) if is_size(other) else NotImplemented

    def __gt__(self, other):
        return not self <= other if is_size(other) else NotImplemented

    def __ge__(self, other):
        return not self < other if is_size(other) else NotImplemented

    def __hash__(self):
        return hash(self.terms)

    def __reduce__(self):
        return Dim, (self.terms,)

    def __repr__(self):
        parts = []
        for names, c in sorted(self.terms, key=lambda term: (-len(term[0]), term[0])):
            factors = ([] if abs(c) == 1 and names else [str(abs(c))]) + list(names)
            parts += ["-" if c < 0 else "+", "*".join(factors)]
        return ("-" if parts[0] == "-" else "") + "".join(parts[1:])

    __str__ = __repr__

    def __format__(self, spec):
        return format(repr(self), spec)


class Ratio:
    """A quotient that involves a size by name; an operand of tensor operations, evaluated when the graph runs."""

    __slots__ = ("bottom", "top")

    def __init__(self, top, bottom):
        self.top = top
        self.bottom = bottom

    def probe(self):
        """Its value while the graph is built."""
        return evaluate(self, None)

    def __mul__(self, other):
        if is_size(other) or isinstance(other, (float, Ratio)):
            return Ratio(self, Ratio(1, other))
        return _with_tensor("mul", other, self)

    __rmul__ = __mul__

    def __truediv__(self, other):
        if is_size(other) or isinstance(other, (float, Ratio)):
            return Ratio(self, other)
        return _with_tensor("div", self, other)

    def __rtruediv__(self, other):
        if is_size(other) or isinstance(other, float):
            return Ratio(other, self)
        return _with_tensor("div", other, self)

    def __neg__(self):
        return self * -1

    def __add__(self, other):
        return _with_tensor("add", self, other)

    def __radd__(self, other):
        return _with_tensor("add", other, self)

    def __sub__(self, other):
        return _with_tensor("sub", self, other)

    def __rsub__(self, other):
        return _with_tensor("sub", other, self)

    __float__ = Dim.__float__
    __int__ = Dim.__int__

    def __eq__(self, other):
        return isinstance(other, Ratio) and (self.top, self.bottom) == (other.top, other.bottom)

    def __hash__(self):
        return hash((self.top, self.bottom))

    def __repr__(self):
        return f"({self.top!r})/({self.bottom!r})"


def is_size(v):
    """Whether v is a size: an int or one by name."""
    return isinstance(v, (int, Dim)) and not isinstance(v, bool)


def _probe(n):
    return n.value if isinstance(n, Dim) else n


def _with_tensor(op, a, b):
    """An operation of a size, or a ratio, and a tensor."""
    from ..func._levels import call, is_tensor

    return call(op, a, b) if is_tensor(a) or is_tensor(b) else NotImplemented


def terms_of(n):
    """The terms of a Dim or a plain int."""
    return n.terms if isinstance(n, Dim) else (((), int(n)),) if n else ()


def value_of(terms, which):
    """The value of terms under the first (0) or second (1) probes."""
    total = 0
    for names, c in terms:
        for name in names:
            c *= probes(name)[which]
        total += c
    return total


def quotient(n, m):
    """n / m where that is exact for every size: by a number that divides all coefficients, or by a factor; or None."""
    terms = terms_of(m)
    if len(terms) != 1:
        return 1 if terms == terms_of(n) else None
    divisor, d = terms[0]
    out = {}
    for names, c in terms_of(n):
        rest = list(names)
        for name in divisor:
            if name not in rest:
                return None
            rest.remove(name)
        if c % d:
            return None
        out[tuple(rest)] = c // d
    return Dim(out, getattr(n, "sink", None)) if any(out) else out.get((), 0)


def evaluate(v, sizes):
    """A size, number, ratio or (nested) sequence of them for concrete sizes by name; None: for the first probes.

    A Dim keeps the names that `sizes` does not have.
    """
    if isinstance(v, Dim):
        if sizes is None:
            return v.value
        total = 0
        for names, c in v.terms:
            factor = c
            for name in names:
                factor = factor * sizes[name] if name in sizes else Dim.named(name, v.sink) * factor
            total = total + factor
        return total
    if isinstance(v, Ratio):
        top, bottom = evaluate(v.top, sizes), evaluate(v.bottom, sizes)
        if symbolic(top) or symbolic(bottom):
            return Ratio(top, bottom)
        return top / bottom
    if type(v) in (tuple, list):
        return type(v)(evaluate(x, sizes) for x in v)
    return v


def guards_given(guards, sizes):
    """Comparisons that still wait for sizes by name, when some are known; each once.

    Raises:
        ValueError: one comes out another way than it did.
    """
    left = [guard.given(sizes) for guard in guards]
    return list({str(guard): guard for guard in left if guard is not None}.values())


def loop_length(v):
    """The name of the number of iterations of a while_loop whose first result is value v."""
    return f"loop_{v}"


def second(v):
    """A size, ratio or sequence of them under the second probes."""
    return evaluate(v, {name: probes(name)[1] for name in names_in(v)})


def symbolic(v):
    """Whether a value (also inside a sequence) depends on a size by name."""
    return isinstance(v, (Dim, Ratio)) or type(v) in (tuple, list) and any(symbolic(x) for x in v)


def same_sizes(a, b):
    """Whether two shapes are the same for all sizes by name; unlike ==, it relies on nothing."""
    return len(a) == len(b) and all(terms_of(n) == terms_of(m) for n, m in zip(a, b, strict=True))


def names_in(v):
    """The names of sizes in a value."""
    if isinstance(v, Dim):
        return v.names
    if isinstance(v, Ratio):
        return names_in(v.top) | names_in(v.bottom)
    if type(v) in (tuple, list):
        return set().union(*[names_in(x) for x in v])
    return set()


def recognise(n, names, sink=None):
    """The Dim that a plain int from code under the first probes stands for; n itself where it is none.

    Raises:
        RuntimeError: n looks like a part of a size by name, such as a half.
    """
    if type(n) is not int or abs(n) < min((probes(name)[0] for name in names), default=n + 1) // 16:
        return n
    for form in _forms(abs(n), names, 3):
        return Dim(form, sink) * (1 if n > 0 else -1)
    for name in names:
        for parts in (2, 3, 4, 8):
            times, rest = divmod(abs(n) * parts + parts, probes(name)[0])
            if 0 < times < parts and rest <= 2 * parts:
                raise RuntimeError(
                    f"index: expected sizes that are sums and products of {', '.join(names)}, got about {times}/{parts} of "
                    f"{name}. Give the input a number as its size."
                )
    return n


def _forms(n, names, depth):
    """Terms of the polynomials that n may stand for, the likeliest first."""
    powers = []
    rest = n
    for name in names:
        p = probes(name)[0]
        while rest % p == 0 and len(powers) < 4:
            rest //= p
            powers.append(name)
    if powers and rest < _SMALL * 64:
        yield {tuple(powers): rest}
    elif powers and depth:
        for form in _forms(rest, names, depth - 1):
            yield {(*names_, *powers): c for names_, c in form.items()}
    near = []
    for count in (1, 2):
        for group in itertools.combinations_with_replacement(names, count):
            size = value_of([(group, 1)], 0)
            a, b = divmod(n + _SMALL, size)
            b -= _SMALL
            if 0 < a <= 65536 and abs(b) <= _SMALL:
                near.append((abs(b), a, group, b))
    for _, a, group, b in sorted(near):
        yield {group: a, (): b}


def agree(first, second_value, names, sink=None):
    """The size whose values under both probes these are; None where there is no such polynomial."""
    if first == second_value:
        return first
    for form in _forms(first, names, 3):
        if value_of(form.items(), 1) == second_value:
            return Dim(form, sink)
    return None


def readable(message, names):
    """A message in which probes are replaced by the names that they stand for."""

    def name(match):
        return str(recognise(int(match[0]), names))

    return re.sub(r"(?<![\w.])\d{4,}(?![\w.])", name, message) if names else message
