"""Measures the largest error of every elementary function, in units in the last place, through the Python API.

float32 is swept over every STRIDE-th bit pattern, special values included, against float64: NumPy's, or the library's own
where NumPy has none (which the float64 column checks). float64 is sampled over the whole range, all exponents and huge
arguments included, against mpmath. Instruction sets other than the best run in processes of their own; the table shows
the worst of them.

    python tools/ulp_table.py             prints the table
    python tools/ulp_table.py --write     puts it between the ulp marks of docs/numerics.md as well
    python tools/ulp_table.py --json      prints the results of this instruction set (WENGERT_ISA)
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import mpmath
import numpy as np

import wengert
from wengert import _core as core
from wengert._bind import OPS
from wengert.ops import TABLE

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs" / "numerics.md"
BEGIN, END = "<!-- ulp:begin -->", "<!-- ulp:end -->"
STRIDE = 4001  # of the bit patterns of float32
SAMPLES = 20000  # of float64 for one function
mp = mpmath.mp.clone()
mp.prec = 160


def each(function, pole=math.nan):
    """A function of numbers over an array; errors of domain give `pole` and errors of range inf."""

    def one(x):
        try:
            return function(x)
        except ValueError:
            return pole
        except OverflowError:
            return math.inf

    return lambda x: np.array([one(v) for v in x.tolist()])


def sigmoid_of(x, u):
    return x * mp.exp(u) / (1 + mp.exp(u)) if u < 0 else x / (1 + mp.exp(-u))


def softplus(x):
    return (x if x > 0 else mp.zero) + mp.log1p(mp.exp(-abs(x)))


def mish(x):
    t = mp.exp(-abs(x))
    return x * (1 + 2 * t) / (1 + 2 * t + 2 * t * t) if x > 0 else x * t * (2 + t) / (2 + 2 * t + t * t)


def gelu_tanh(x):
    return sigmoid_of(x, mp.sqrt(8 / mp.pi) * (x + mp.mpf("0.044715") * x**3))


def lgamma(x):
    # Near the poles at negative whole numbers the reflection keeps the digits.
    return mp.re(mp.loggamma(x)) if x > 0 else mp.log(mp.pi / abs(x * mp.sinpi(x))) - mp.re(mp.loggamma(-x))


# name: (float64 of an array or None, mpmath of a number, domain, the bound beyond which arguments are not sampled).
EVERYWHERE = (-math.inf, math.inf)
UNARY = {
    "exp": (np.exp, mp.exp, EVERYWHERE, 1e4),
    "exp2": (np.exp2, lambda x: mp.mpf(2) ** x, EVERYWHERE, 1e4),
    "expm1": (np.expm1, mp.expm1, EVERYWHERE, 1e4),
    "log": (np.log, mp.log, (0.0, math.inf), math.inf),
    "log2": (np.log2, lambda x: mp.log(x) / mp.log(2), (0.0, math.inf), math.inf),
    "log10": (np.log10, mp.log10, (0.0, math.inf), math.inf),
    "log1p": (np.log1p, mp.log1p, (-1.0, math.inf), math.inf),
    "sqrt": (np.sqrt, mp.sqrt, (0.0, math.inf), math.inf),
    "rsqrt": (lambda x: 1 / np.sqrt(x), lambda x: 1 / mp.sqrt(x), (0.0, math.inf), math.inf),
    "reciprocal": (np.reciprocal, lambda x: 1 / x, EVERYWHERE, math.inf),
    "sin": (np.sin, mp.sin, EVERYWHERE, math.inf),
    "cos": (np.cos, mp.cos, EVERYWHERE, math.inf),
    "tan": (np.tan, mp.tan, EVERYWHERE, math.inf),
    "asin": (np.arcsin, mp.asin, (-1.0, 1.0), 1),
    "acos": (np.arccos, mp.acos, (-1.0, 1.0), 1),
    "atan": (np.arctan, mp.atan, EVERYWHERE, math.inf),
    "sinh": (np.sinh, mp.sinh, EVERYWHERE, 1e4),
    "cosh": (np.cosh, mp.cosh, EVERYWHERE, 1e4),
    "tanh": (np.tanh, mp.tanh, EVERYWHERE, 1e3),
    "asinh": (
        np.arcsinh,
        lambda x: mp.sign(x) * mp.log1p(abs(x) + x * x / (1 + mp.sqrt(1 + x * x))),
        EVERYWHERE,
        math.inf,
    ),
    "acosh": (np.arccosh, mp.acosh, (1.0, math.inf), math.inf),
    "atanh": (np.arctanh, lambda x: (mp.log1p(x) - mp.log1p(-x)) / 2, (-1.0, 1.0), 1),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda x: sigmoid_of(mp.one, x), EVERYWHERE, 1e4),
    "silu": (lambda x: x / (1 + np.exp(-x)), lambda x: sigmoid_of(x, x), EVERYWHERE, 1e4),
    "logsigmoid": (None, lambda x: -softplus(-x), EVERYWHERE, 1e4),
    "softplus": (None, softplus, EVERYWHERE, 1e4),
    "mish": (None, mish, EVERYWHERE, 1e4),
    "gelu_erf": (None, lambda x: x * mp.erfc(-x / mp.sqrt(2)) / 2, EVERYWHERE, 60),
    "gelu_tanh": (None, gelu_tanh, EVERYWHERE, 60),
    "erf": (each(math.erf), mp.erf, EVERYWHERE, 30),
    "erfc": (each(math.erfc), mp.erfc, EVERYWHERE, 30),
    "erfinv": (None, mp.erfinv, (-1.0, 1.0), 1),
    "lgamma": (each(math.lgamma, math.inf), lgamma, EVERYWHERE, 1e6),
    "digamma": (None, mp.digamma, EVERYWHERE, 1e4),
    "hardsigmoid": (
        lambda x: np.clip(x + 3, 0, 6) / 6,
        lambda x: min(max(x + 3, 0), 6) / mp.mpf(6),
        EVERYWHERE,
        1e4,
    ),
    "hardswish": (lambda x: x * np.clip(x + 3, 0, 6) / 6, lambda x: x * min(max(x + 3, 0), 6) / 6, EVERYWHERE, 1e4),
}
BINARY = {
    "div": (np.divide, lambda a, b: a / b, math.inf),
    "pow": (np.power, lambda a, b: a**b, 100),
    "atan2": (np.arctan2, mp.atan2, math.inf),
    "hypot": (np.hypot, lambda a, b: mp.sqrt(a * a + b * b), math.inf),
    "logaddexp": (np.logaddexp, lambda a, b: max(a, b) + mp.log1p(mp.exp(-abs(a - b))), 1e3),
    "xlogy": (lambda a, b: a * np.log(b), lambda a, b: a * mp.log(b), math.inf),
}
# Errors of these count against the larger of the result and 1 (of the operands, for logaddexp): their zeros lie where
# the argument has no more digits to give.
NEAR_ZEROS = {"lgamma", "digamma", "erfinv", "logaddexp"}
# Rows that give the exact result rounded once, choose among their operands (as those of complex numbers do for real ones),
# or are compositions of such rows.
EXACT = set(
    "add sub mul zmul zdiv floor_divide remainder fmod pow_scalar neg abs sign square eq ne lt le gt ge logical_and "
    "logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift "
    "bitwise_not isnan isinf isfinite signbit floor ceil trunc round_even frac relu maximum minimum fmax fmin copysign "
    "nextafter where clamp clamp3 lerp leaky_relu elu hardtanh smooth_abs addcmul addcdiv add_scaled equals clone alias "
    "complex_of complex_angle conj sgn times_i gcd lcm".split()
)
# Sums of many terms, and inverses by iteration: tests/test_special.py bounds their relative errors.
ELSEWHERE = set(
    "polygamma_at zeta igamma igammac i0 i0e i1 i1e bessel_j0 bessel_j1 bessel_y0 bessel_y1 erfcx log_ndtr ndtri".split()
)


def missing():
    """Elementwise rows that are neither measured nor known to be exact."""
    rows = {name for name, row in TABLE.items() if row.elementwise}
    return sorted(rows - set(UNARY) - set(BINARY) - EXACT - ELSEWHERE)


def apply(name, *operands):
    """A row on arrays, as an array."""
    with np.errstate(all="ignore"):
        out = OPS[name](*(wengert.from_numpy(np.ascontiguousarray(x)) for x in operands))
    return np.array(out.numpy())


def errors32(y, want, scale):
    """Errors of float32 results against float64 ones, in ulp; infinite where one is NaN or beyond the range alone."""
    with np.errstate(all="ignore"):
        rounded = want.astype(np.float32)
        size = np.maximum(np.abs(want), scale)
        exponent = np.maximum(np.frexp(size)[1] - 1, -126)
        error = np.abs(y.astype(np.float64) - want) / np.ldexp(1.0, exponent - 23)
    odd = ~np.isfinite(rounded) | ~np.isfinite(y)
    same = (rounded == y) | (np.isnan(rounded) & np.isnan(y))
    error[odd] = np.where(same[odd], 0.0, np.inf)
    return error


def error64(y, want, scale):
    """The error of one float64 result against an mpmath number, in ulp."""
    size = max(abs(want), scale)
    if size == 0:
        return 0.0 if y == 0 else math.inf
    if math.isnan(y):
        return math.inf
    exponent = max(int(mp.frexp(size)[1]) - 1, -1022)
    if exponent > 1023 or math.isinf(y):
        return 0.0 if float(want) == y else math.inf
    return float(abs(mp.mpf(y) - want) / mp.ldexp(1, exponent - 52))


def patterns(step, seed=None):
    """float32 values: every STRIDE * step-th bit pattern, in a random order for a second operand."""
    x = np.arange(0, 1 << 32, STRIDE * step, dtype=np.uint64).astype(np.uint32).view(np.float32)
    special = np.array([0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e-45, -1e-45], np.float32)
    x = np.concatenate([x, special])
    return x if seed is None else np.random.default_rng(seed).permutation(x)


def samples(step, domain=EVERYWHERE, limit=math.inf, seed=5):
    """Finite float64 values of a domain, every step-th of SAMPLES: all exponents, and denser where functions bend."""
    rng = np.random.default_rng(seed)
    n = SAMPLES // 8
    bits = rng.integers(0, 1 << 64, 2 * n, dtype=np.uint64, endpoint=False).view(np.float64)
    parts = [bits, *(rng.uniform(-w, w, n) for w in (1.0, 16.0, 750.0))]
    parts += [rng.uniform(-3.0, 3.0, n), 1 + rng.uniform(-0.5, 0.5, n), 10.0 ** rng.uniform(-12, 12, n)]
    x = np.concatenate(parts)[::step]
    x = x[np.isfinite(x)]
    return x[(x >= domain[0]) & (x <= domain[1]) & (np.abs(x) <= limit)]


def measure32(name, step):
    """The largest error of a row in float32 and the number of arguments."""
    if name in UNARY:
        operands = [patterns(step)]
        reference = UNARY[name][0]
    else:
        operands = [patterns(step, 1), patterns(step, 2)]
        near = np.random.default_rng(3).uniform(-20, 20, (2, 100000 // step)).astype(np.float32)
        operands = [np.concatenate([x, more]) for x, more in zip(operands, near, strict=True)]
        reference = BINARY[name][0]
    with np.errstate(all="ignore"):
        wide = [x.astype(np.float64) for x in operands]
        want = apply(name, *wide) if reference is None else reference(*wide)
        scale = 1.0 if name in NEAR_ZEROS else 0.0
        if name == "logaddexp":
            scale = np.where(np.isfinite(want), np.maximum(np.abs(wide[0]), np.abs(wide[1])), 0.0)
            scale = np.where(np.isfinite(scale), scale, 0.0)
        error = errors32(apply(name, *operands), want, scale)
    if name == "xlogy":  # 0 where the first operand is 0, whatever the logarithm is
        error = error[(operands[0] != 0) & ~np.isnan(operands[1])]
    return float(np.max(error)), len(error)


def measure64(name, step):
    """The largest error of a row in float64 and the number of arguments."""
    if name in UNARY:
        _, reference, domain, limit = UNARY[name]
        columns = [samples(step, domain, limit)]
    else:
        _, reference, limit = BINARY[name]
        a, b = samples(step, limit=limit, seed=6), samples(step, limit=limit, seed=7)
        n = min(len(a), len(b))
        a, b = a[:n], b[:n]
        if name in ("pow", "xlogy"):
            a, b = (np.abs(a), b) if name == "pow" else (a, np.abs(b))
        columns = [a, b]
    got = apply(name, *columns)
    worst = 0.0
    for y, *x in zip(got.tolist(), *(c.tolist() for c in columns), strict=True):
        exact = [mp.mpf(v) for v in x]
        try:
            want = reference(*exact)
        except (ZeroDivisionError, ValueError):
            continue  # a pole: tests of special values look at those
        if not mp.isfinite(want):
            continue
        scale = max(map(abs, exact)) if name == "logaddexp" else 1 if name in NEAR_ZEROS else 0
        worst = max(worst, error64(y, want, scale))
    return worst, len(got)


def measure(step=1):
    """{name: [float32 error, arguments, float64 error, arguments]} on this instruction set."""
    return {name: [*measure32(name, step), *measure64(name, step)] for name in [*UNARY, *BINARY]}


def measure_all():
    """The worst of measure() over the instruction sets of this machine."""
    worst = {}
    for isa in core.isas():
        env = {**os.environ, "WENGERT_ISA": isa, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        done = subprocess.run(
            [sys.executable, __file__, "--json"], env=env, capture_output=True, text=True, check=True
        )
        for name, result in json.loads(done.stdout).items():
            worst[name] = [max(pair) for pair in zip(result, worst.get(name, result), strict=True)]
    return worst


def table(results):
    """The Markdown table; errors are rounded up, so that they are bounds for the arguments tried."""
    lines = ["| function | float32 | float64 | arguments |", "|---|---|---|---|"]
    for name, (e32, n32, e64, n64) in results.items():
        cells = [f"{math.ceil(e * 100) / 100:.2f}" if math.isfinite(e) else "inf" for e in (e32, e64)]
        mark = " ¹" if name in NEAR_ZEROS else ""
        lines.append(f"| `{name}`{mark} | {cells[0]} | {cells[1]} | {n32}, {n64} |")
    lines += ["", "¹ in units of the last place of the larger of the result and 1 (`logaddexp`: of the operands)."]
    return "\n".join(lines)


def published(text=None):
    """{name: (float32 bound, float64 bound)} as the marked section of docs/numerics.md says."""
    text = DOCS.read_text() if text is None else text
    bounds = {}
    for line in text.partition(BEGIN)[2].partition(END)[0].splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0].startswith("`"):
            bounds[cells[0].split("`")[1]] = (float(cells[1]), float(cells[2]))
    return bounds


def write(text):
    """Replaces the marked section of docs/numerics.md."""
    old = DOCS.read_text()
    if BEGIN not in old or END not in old:
        raise SystemExit(
            f"{DOCS}: expected the marks {BEGIN} and {END}, got neither. Put them where the table belongs."
        )
    head, _, rest = old.partition(BEGIN)
    DOCS.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


def main(arguments):
    if missing():
        raise SystemExit(
            f"ulp_table: expected every elementwise row, got none of {missing()}. Add them to a list above."
        )
    if "--json" in arguments:
        print(json.dumps(measure()))
        return
    text = table(measure_all())
    print(text)
    if "--write" in arguments:
        write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
