"""Printing of tensors: the layout of numbers and brackets that PyTorch users know."""

import math

from . import _core

# precision: digits behind the point; threshold: elements above which a tensor is summarised; edgeitems: elements
# then shown at each end of a dimension; sci_mode: None means as the values ask for.
_DEFAULT = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}
_PROFILES = {
    "default": _DEFAULT,
    "short": _DEFAULT | {"precision": 2, "edgeitems": 2},
    "full": _DEFAULT | {"threshold": math.inf},
}
_options = dict(_DEFAULT)


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None):
    """Sets how tensors are printed.

    Args:
        precision: digits behind the decimal point (4).
        threshold: number of elements above which only the edges are shown (1000).
        edgeitems: how many elements of a dimension are then shown at each end (3).
        linewidth: characters of a line (80).
        profile: "default", "short" or "full": a set of values that the other arguments then change.
        sci_mode: scientific notation always (True), never (False), or where the values ask for it (None).

    Raises ValueError for an unknown profile.

    Example:
        >>> import wengert
        >>> wengert.set_printoptions(precision=2)
        >>> wengert.tensor([1.2345])
        tensor([1.23])
        >>> wengert.set_printoptions(profile="default")
    """
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(f"set_printoptions: expected a profile among {sorted(_PROFILES)}, got {profile!r}.")
        _options.update(_PROFILES[profile])
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    _options.update({k: v for k, v in given.items() if v is not None}, sci_mode=sci_mode)


class _Numbers:
    """How the numbers of one tensor are written: all with the same notation and width."""

    def __init__(self, values, floating):
        self.floating = floating
        self.whole = True
        self.scientific = False
        self.width = 1
        if not floating:
            self.width = max((len(str(v)) for v in values), default=1)
            return
        shown = [v for v in values if v != 0 and math.isfinite(v)]
        if not shown:
            return
        low, high = min(map(abs, shown)), max(map(abs, shown))
        self.whole = all(v == math.ceil(v) for v in shown)
        self.scientific = high / low > 1000.0 or high > 1e8 or (not self.whole and low < 1e-4)
        if _options["sci_mode"] is not None:
            self.scientific = _options["sci_mode"]
        self.width = max(len(self.bare(v)) for v in shown)

    def bare(self, value):
        """A number without padding."""
        if not self.floating:
            return str(value)
        digits = _options["precision"]
        if self.scientific:
            return f"{value:.{digits}e}"
        if self.whole:
            return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"
        return f"{value:.{digits}f}"

    def __call__(self, value):
        return self.bare(value).rjust(self.width)


class _Complexes:
    """How complex numbers are written: each part with a notation and width of its own."""

    def __init__(self, values):
        self.real = _Numbers([v.real for v in values], True)
        self.imag = _Numbers([v.imag for v in values], True)
        self.width = self.real.width + self.imag.width + 1

    def __call__(self, value):
        imag = self.imag(value.imag).lstrip() + "j"
        return self.real(value.real) + (imag if imag[0] == "-" else "+" + imag)


def _vector(row, numbers, indent):
    """The text of a list of numbers, broken into lines; None stands for what is left out."""
    words = ["..."] if row == [None] else [" ..." if v is None else numbers(v) for v in row]
    per_line = max(1, int((_options["linewidth"] - indent) // (numbers.width + 2)))
    lines = [", ".join(words[k : k + per_line]) for k in range(0, len(words), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _body(values, ndim, numbers, indent):
    """The text of nested lists of numbers with `ndim` levels."""
    if ndim == 0:
        return numbers(values)
    if ndim == 1:
        return _vector(values, numbers, indent)
    parts = ["..." if v is None else _body(v, ndim - 1, numbers, indent + 1) for v in values]
    return "[" + ("," + "\n" * (ndim - 1) + " " * (indent + 1)).join(parts) + "]"


def _nested(tensor, summarised):
    """The values as nested lists; of a summarised tensor, long dimensions are their edges around None."""
    edge = _options["edgeitems"]
    size = tensor.shape[0] if tensor.dim() else 0
    if not summarised or tensor.dim() == 0:
        return tensor.tolist()
    if size <= 2 * edge:
        return tensor.tolist() if tensor.dim() == 1 else [_nested(tensor[k], True) for k in range(size)]
    if tensor.dim() == 1:
        return [*tensor[:edge].tolist(), None, *tensor[size - edge :].tolist()]
    shown = [*range(edge), *range(size - edge, size)]
    parts = [_nested(tensor[k], True) for k in shown]
    return [*parts[:edge], None, *parts[edge:]]


def _leaves(values, ndim):
    """All numbers of nested lists."""
    if ndim == 0:
        return [values]
    values = [v for v in values if v is not None]
    return values if ndim == 1 else [v for part in values for v in _leaves(part, ndim - 1)]


def values_text(tensor, indent):
    """The brackets and numbers of a tensor, without what stands around them."""
    if tensor.numel() == 0:
        return "[]"
    ndim = tensor.dim()
    summarised = tensor.numel() > _options["threshold"]
    values = _nested(tensor, summarised)
    leaves = _leaves(values, ndim)
    numbers = _Complexes(leaves) if tensor.dtype.is_complex else _Numbers(leaves, tensor.dtype.is_floating_point)
    return _body(values, ndim, numbers, indent)


def _suffixes(tensor, plain):
    """What stands behind the numbers: size, dtype and history."""
    out = []
    implied = [_core.get_default_dtype().name]
    if plain.numel() == 0:
        if plain.dim() != 1:
            out.append(f"size={tuple(plain.shape)}")
    else:
        implied += ["int64", "bool", _core.get_default_dtype().to_complex().name]
        if not _options["edgeitems"]:
            out.append(f"size={tuple(plain.shape)}")
    if plain.dtype.name not in implied:
        out.append(f"dtype={plain.dtype}")
    if tensor.grad_fn is not None:
        out.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        out.append("requires_grad=True")
    return out


def tensor_text(tensor):
    """The repr of a tensor; a wrapper of a transform shows what it stands for."""
    stands_for = _core.payload(tensor)
    if stands_for is not None:
        return stands_for.text()
    kind = type(tensor)
    name = "tensor" if kind is _core.Tensor or getattr(kind, "_plain_results", False) else kind.__name__
    indent = len(name) + 1
    with _core.SubclassesOff():
        plain = tensor.detach()
        text = f"{name}({values_text(plain, indent)}"
    length = len(text) - text.rfind("\n") + 1
    for suffix in _suffixes(tensor, plain):
        if length + len(suffix) + 2 > _options["linewidth"]:
            text += ",\n" + " " * indent + suffix
            length = indent + len(suffix)
        else:
            text += ", " + suffix
            length += len(suffix) + 2
    text += ")"
    return f"Parameter containing:\n{text}" if _core.is_parameter(tensor) else text
