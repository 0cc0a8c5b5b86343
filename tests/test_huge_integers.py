"""Integers of more than 64 bits, and the least of them that do not fit: refused by the op's name, soon, or used as numbers.

Generated like the calls of test_not_tensors.py: each integer in an argument of a call that works is replaced in turn.
"""

import re
import time
import warnings

import pytest
from generated_calls import CALLS, NAMESPACES, M, V, members, raised
from optools import wengert

HUGE = (2**63, 2**70, -(2**63) - 1)
# More arguments with integers: sizes, ranges, windows, dimensions and lengths.
COUNTS = [
    *("(3,)", "(3, 3)", "((2, 2), 3)", "(0, 5, 1)", "(0, 1, 3)", "(0, 4, (3,))", "(4, (3,))", f"(2, {V})"),
    *(
        f"({M}, {rest})"
        for rest in ("0, 1, 2", "2, 0", "(2, 2), (2, 1), 0", "2, 2", "2, 2, 2", "(1, 1)", "1, 0, 1")
    ),
    *(f"({V}, {rest})" for rest in ("3, 0", "3, 0, 1")),
    "(t.ones(1, 4, 4, 4), 2, 2, 0, 1)",
    "(t.ones(1, 4, 4, 4), (2, 2), 3)",
    "(t.ones(1, 4, 4), t.ones(4, 4, 2), None, 1, 0, 1, 1)",
    "(t.ones(1, 4, 4), t.ones(4, 4, 2), None, 1, 0, 0, 1, 1)",
]
# A number of steps that is done as asked for, until Ctrl-C.
ENDLESS = {"svd_lowrank", "pca_lowrank"}
NAMED = re.compile(r"^[\w.]+: .*expected .+, got .+", re.S)


def spoilt(call):
    """The arguments of a call, each time with one integer, or one of a tuple, replaced."""
    for place, value in enumerate(eval(call, {"t": wengert})):
        for huge in HUGE:
            if type(value) is int:
                variants = [huge]
            elif type(value) is tuple and all(type(v) is int for v in value):
                variants = [(*value[:k], huge, *value[k + 1 :]) for k in range(len(value))]
            else:
                break
            for variant in variants:
                arguments = list(eval(call, {"t": wengert}))
                arguments[place] = variant
                yield arguments


def public(namespace):
    """The functions of a namespace, without what it imports for itself."""
    found, module = members(wengert, namespace), wengert
    for part in filter(None, namespace.split(".")):
        module = getattr(module, part)
    names = getattr(module, "__all__", found) if namespace else found
    return {name: found[name] for name in found.keys() & set(names)}


@pytest.mark.parametrize("namespace", [*NAMESPACES, "fft", "signal.windows"])
def test_huge_integers_are_refused_by_name(namespace):
    wrong, tried = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, function in sorted(public(namespace).items()):
            for call in (c for c in CALLS + COUNTS if name not in ENDLESS):
                if raised(function, eval(call, {"t": wengert})):
                    continue
                for arguments in spoilt(call):
                    begun = time.perf_counter()
                    error = raised(function, arguments)
                    seconds = time.perf_counter() - begun
                    tried += 1
                    if error is not None and not NAMED.match(str(error)):
                        wrong.append(f"{namespace}.{name}{call} with {arguments}: {error!r}")
                    if seconds > 2.0:
                        wrong.append(f"{namespace}.{name}{call} with {arguments}: {seconds:.1f} s")
    assert not wrong, f"{len(wrong)} calls:\n" + "\n".join(wrong[:40])
    assert tried > 20  # the calls are there at all


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("t.ones(2) * 2**70", OverflowError),
        ("2**70 + t.ones(2)", OverflowError),
        ("t.arange(2) == 2**70", OverflowError),
        ("t.ones(2).fill_(2**70)", OverflowError),
        ("t.full((2,), 2**70)", OverflowError),
        ("t.zeros(2**63)", TypeError),
        ("t.ones(3).repeat(2**70)", (TypeError, MemoryError)),
        ("t.ones(3).view(2**63)", TypeError),
        ("t.ones(3).sum(2**63)", ValueError),
        ("t.eye(2**63)", ValueError),
        ("t.tensor([2**63])", ValueError),
        ("t.ones(3)[2**70]", ValueError),
        ("t.arange(2**63)", RuntimeError),
        ("t.special.shifted_chebyshev_polynomial_t(100, t.tensor([2.0**40]))", RuntimeError),
        ("t.mvlgamma(t.ones(2) * 50, 2**64)", MemoryError),
        ("t.hamming_window(2**31)", MemoryError),
        ("t.histc(t.ones(3), 2**63)", MemoryError),
        ("t.histogram(t.ones(3), 2**40)", MemoryError),
        ("t.ones(3) * 10**5000", OverflowError),
    ],
)
def test_kinds_of_errors(code, kind):
    with pytest.raises(kind, match=r"^[\w.]+: expected .+, got "):
        eval(code, {"t": wengert})


def test_bounds_of_slices_end_with_the_tensor():
    x = wengert.arange(5)
    for bound in (2**63, 2**70):
        assert x[:bound].tolist() == x[-bound:].tolist() == [0, 1, 2, 3, 4]
        assert x[bound:].tolist() == x[:-bound].tolist() == []
        assert x[1::bound].tolist() == [1]
