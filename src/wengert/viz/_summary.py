"""A tensor in few numbers: whole where it is small, else range, mean, shares and a histogram."""

import math

import numpy as np

WHOLE = 64  # elements up to which a tensor is shown whole
BINS = 24
BLOCK = 1 << 14


class Summary:
    """What is shown of one tensor.

    Attributes:
        shape, dtype: of the tensor; dtype is a name such as "float32".
        whole: its elements as (nested) lists where there are at most WHOLE of them, else None.
        low, high, mean: of the finite elements; NaN where there are none.
        zeros, nans, infs: shares of the elements, 0 to 1.
        histogram: BINS counts between low and high, or None for few elements.
    """

    __slots__ = ("dtype", "high", "histogram", "infs", "low", "mean", "nans", "shape", "whole", "zeros")

    def __init__(self, shape, dtype, whole, low, high, mean, zeros, nans, infs, histogram):
        self.shape = shape
        self.dtype = dtype
        self.whole = whole
        self.low = low
        self.high = high
        self.mean = mean
        self.zeros = zeros
        self.nans = nans
        self.infs = infs
        self.histogram = histogram

    @classmethod
    def of(cls, value):
        """The summary of a tensor, an array, a number, or (unchanged) a Summary."""
        if isinstance(value, Summary):
            return value
        if isinstance(value, (bool, int, float)):
            number = float(value)
            finite = math.isfinite(number)
            shown = number if finite else math.nan
            return cls(
                (), type(value).__name__, value, shown, shown, shown, float(number == 0), float(number != number),
                float(math.isinf(number)), None,
            )  # fmt: skip
        dtype, a = as_array(value)
        return cls._of_array(a, dtype)

    @classmethod
    def _of_array(cls, a, dtype):
        count = a.size
        whole = a.tolist() if count <= WHOLE else None
        if count == 0:
            return cls(a.shape, dtype, whole, math.nan, math.nan, math.nan, 0.0, 0.0, 0.0, None)
        flat = a.real.reshape(-1)
        low, high, total = math.inf, -math.inf, 0.0
        zeros = nans = infs = 0
        for numbers in _blocks(flat):
            zeros += numbers.size - np.count_nonzero(numbers)
            finite = _finite(numbers)
            if finite.size < numbers.size:
                lost = int(np.isnan(numbers).sum())
                nans += lost
                infs += numbers.size - finite.size - lost
            if finite.size:
                low, high = min(low, float(finite.min())), max(high, float(finite.max()))
                with np.errstate(over="ignore"):  # the sum of numbers near the largest one
                    total += float(finite.sum())
        shares = zeros / count, nans / count, infs / count
        if low > high:
            return cls(a.shape, dtype, whole, math.nan, math.nan, math.nan, *shares, None)
        mean = total / (count - nans - infs)
        histogram = None
        if whole is None and math.isfinite(high - low):
            limits = (low, high) if high > low else (low - 0.5, low + 0.5)
            histogram = sum(_binned(_finite(numbers), *limits) for numbers in _blocks(flat)).tolist()
        return cls(a.shape, dtype, whole, low, high, mean, *shares, histogram)

    def short(self):
        """A few characters: the number, the list, or the range."""
        if self.whole is not None:
            text = number(self.whole) if self.shape == () else listed(self.whole)
            if len(text) <= 28:
                return text
        if self.low != self.low:
            return "no finite element"
        if self.low == self.high and self.nans + self.infs == 0:
            return f"all {number(self.low)}"
        return f"{number(self.low)} … {number(self.high)}"


def _blocks(flat):
    """The elements as float64, some thousands at a time: large temporaries cost more than the work on them."""
    for k in range(0, flat.size, BLOCK):
        yield flat[k : k + BLOCK].astype(np.float64)


def _finite(numbers):
    good = np.isfinite(numbers)
    return numbers if good.all() else numbers[good]


def _binned(numbers, low, high):
    """Counts of BINS equal steps from low to high; np.histogram takes three times as long."""
    places = ((numbers - low) / (high - low) * BINS).astype(np.intp)
    return np.bincount(np.minimum(places, BINS - 1), minlength=BINS)


def as_array(value):
    """(dtype's name, NumPy array) of a tensor or array."""
    if isinstance(value, np.ndarray):
        return str(value.dtype), value
    dtype = str(value.dtype).rpartition(".")[2]
    value = value.detach()
    return dtype, (value.float() if dtype == "bfloat16" else value).numpy()


def number(x):
    """A number in at most about eight characters."""
    if isinstance(x, (bool, int)):
        return str(x)
    if isinstance(x, complex):
        return f"{x:.3g}"
    return f"{x:.4g}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")


def listed(values):
    """Nested lists of numbers as text."""
    if isinstance(values, list):
        return "[" + ", ".join(listed(v) for v in values) + "]"
    return number(values)
