"""Expressions as text that Python reads, and as LaTeX."""

import math

from ..ops import TABLE
from ..ops._def import Required

# How tightly a form holds its parts together, loosest first.
COMPARES, SUM, PRODUCT, SIGN, POWER, ATOM = range(6)

INFIX = {
    "add": ("+", "+", SUM),
    "sub": ("-", "-", SUM),
    "mul": ("*", r"\cdot", PRODUCT),
    "div": ("/", "/", PRODUCT),
    "matmul": ("@", r"\,", PRODUCT),
    "remainder": ("%", r"\bmod", PRODUCT),
    "eq": ("==", "=", COMPARES),
    "ne": ("!=", r"\neq", COMPARES),
    "lt": ("<", "<", COMPARES),
    "le": ("<=", r"\leq", COMPARES),
    "gt": (">", ">", COMPARES),
    "ge": (">=", r"\geq", COMPARES),
}
FUNCTIONS = {
    "sin": r"\sin", "cos": r"\cos", "tan": r"\tan", "sinh": r"\sinh", "cosh": r"\cosh", "tanh": r"\tanh",
    "asin": r"\arcsin", "acos": r"\arccos", "atan": r"\arctan", "log": r"\ln", "log2": r"\log_2",
    "log10": r"\log_{10}", "sigmoid": r"\sigma", "maximum": r"\max", "minimum": r"\min",
}  # fmt: skip
GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega".split()
)


def number_text(value):
    """A number as Python writes it, whole ones without a point."""
    if abs(value) < 1e15 and value == int(value):
        return str(int(value))
    return repr(value)


class Notation:
    """Writes expressions. `names` gives shared expressions a name of their own; an operand is written by it."""

    def __init__(self, names):
        self.names = names
        self._done = {}

    def write(self, e, defining=False):
        """An expression as a string; `defining` writes one that has a name by what it stands for."""
        return self._form(e, defining)[0]

    def _form(self, root, defining=False):
        """(text, how tightly it holds together). Walks without recursion: expressions can be deep."""
        todo = [(root, False)]
        while todo:
            e, ready = todo.pop()
            if e in self._done and not (e is root and defining and not ready):
                continue
            if e in self.names and not (e is root and defining):
                self._done[e] = (self.symbol(self.names[e]), ATOM)
            elif ready or not e.args:
                made = self.form(e)
                if e is root and defining:
                    return made
                self._done[e] = made
            else:
                todo.append((e, True))
                todo.extend((a, False) for a in e.args if a is not None)
        return self._done[root]

    def part(self, e, least, strictly=False):
        """An operand, in parentheses where it holds together less tightly than `least`."""
        text, bond = self._done[e]
        return self.wrap(text) if bond < least or strictly and bond == least else text

    def form(self, e):
        if e.op == "name":
            return self.symbol(e.attrs), ATOM
        if e.op == "number":
            return self.constant(e)
        if e.op == "+":
            return self._sum(e)
        if e.op == "*":
            return self._product(e)
        if e.op == "neg":
            return "-" + self.part(e.args[0], SIGN), SIGN
        if e.op in ("pow", "pow_scalar", "square"):
            return self.power(e)
        if e.op == "div":
            return self.quotient(e)
        if e.op == "linear":
            return self.linear(e)
        if e.op in INFIX and len(e.args) == 2:
            return self.infix(e)
        return self.special(e) or self.call(e)

    def infix(self, e):
        sign, bond = self.sign(e.op), INFIX[e.op][2]
        if bond == COMPARES:
            left, right = self.part(e.args[0], SUM), self.part(e.args[1], SUM)
        else:
            # a - (b + c) keeps its parentheses, and so does a + (b + c): it is what was written.
            left, right = self.part(e.args[0], bond), self.part(e.args[1], bond, strictly=True)
        return f"{left}{sign}{right}", bond

    def _sum(self, e):
        text = ""
        for k, (c, a) in enumerate(sorted(zip(e.attrs, e.args, strict=True), key=lambda t: t[0] < 0)):
            value = a.attrs if a.op == "number" else None
            if value is not None and value < 0:
                c, part = -c, self.scalar(-value)
            else:
                part = self.part(a, PRODUCT)
            if c in (1, -1) and value is None and self._done[a][1] == SIGN:
                part = self.wrap(part)
            if abs(c) != 1:
                part = self.times([self.scalar(abs(c)), self.part(a, PRODUCT)])
            text += ("-" if c < 0 else "") + part if k == 0 else f" {'-' if c < 0 else '+'} {part}"
        return text, SUM

    def _product(self, e):
        coefficient, exponents = e.attrs
        size = abs(coefficient)
        over, under = [], []
        for a, n in zip(e.args, exponents, strict=True):
            (over if n > 0 else under).append((a, abs(n)))
        if size != 1:
            inverse = 1 / size
            if size < 1 and inverse < 1e15 and inverse == int(inverse):
                under.insert(0, (inverse, 1))
            else:
                over.insert(0, (size, 1))
        text, bond = self.fraction(over, under)
        return ("-" + (self.wrap(text) if bond < PRODUCT else text), SIGN) if coefficient < 0 else (text, bond)

    def factors(self, parts, alone):
        """A product of pairs (expression or number, exponent); `alone`: nothing stands beside it."""
        texts = []
        for a, n in parts:
            if not hasattr(a, "op"):
                texts.append((self.scalar(a), ATOM))
            elif n == 1:
                texts.append(self._done[a])
            else:
                texts.append((self.raised(self.part(a, POWER, strictly=True), n), POWER))
        if len(texts) == 1 and alone:
            return texts[0]
        return self.times([self.wrap(t) if bond < PRODUCT or bond == SIGN else t for t, bond in texts]), PRODUCT

    def attributes(self, e):
        """The attributes of a call that are not the defaults: pairs (name, value)."""
        row = TABLE.get(e.op)
        defaults = {} if row is None else dict(zip(row.fields, row.defaults, strict=True))
        return [(k, v) for k, v in e.attrs if v is not None and v is not False and defaults.get(k, Required) != v]


class Text(Notation):
    """Python's notation; functions by the names of the op table."""

    def sign(self, op):
        return f" {INFIX[op][0]} "

    def symbol(self, name):
        return name

    def scalar(self, value):
        return number_text(value)

    def wrap(self, text):
        return f"({text})"

    def times(self, texts):
        return " * ".join(texts)

    def raised(self, base, exponent):
        return f"{base}**{number_text(exponent)}"

    def constant(self, e):
        text = number_text(e.attrs)
        if e.shape == ():
            return text, SIGN if e.attrs < 0 else ATOM
        shape = f"({', '.join(map(str, e.shape))}{',' * (len(e.shape) == 1)})"
        return (f"ones{shape}" if e.attrs == 1 else f"full({shape}, {text})"), ATOM

    def power(self, e):
        base = self.part(e.args[0], POWER, strictly=True)
        if e.op == "pow":
            return f"{base}**{self.part(e.args[1], SIGN)}", POWER
        exponent = 2.0 if e.op == "square" else dict(e.attrs)["exponent"]
        return self.raised(base, exponent), POWER

    def quotient(self, e):
        return self.infix(e)

    def fraction(self, over, under):
        top, bond = self.factors(over, not under) if over else ("1", ATOM)
        if not under:
            return top, bond
        if bond < PRODUCT or bond == SIGN:
            top = self.wrap(top)
        bottom, bond = self.factors(under, True)
        return f"{top} / {self.wrap(bottom) if bond <= SIGN else bottom}", PRODUCT

    def linear(self, e):
        x, w, b = e.args
        text = f"{self.part(x, PRODUCT)} @ {self.part(w, ATOM)}.T"
        return (text, PRODUCT) if b is None else (f"{text} + {self.part(b, SUM, strictly=True)}", SUM)

    def special(self, e):
        if e.op == "transpose" and _swaps_last(e):
            return f"{self.part(e.args[0], ATOM)}.T", ATOM
        return None

    def call(self, e):
        parts = ["None" if a is None else self._done[a][0] for a in e.args]
        result = ""
        for name, value in self.attributes(e):
            if name == "result":
                result = f"[{value}]"
            else:
                parts.append(f"{name}={value}")
        return f"{e.op}({', '.join(parts)}){result}", ATOM


class Latex(Notation):
    """LaTeX for mathematics mode."""

    def sign(self, op):
        return r"\," if op == "matmul" else f" {INFIX[op][1]} "

    def symbol(self, name):
        return latex_name(name)

    def scalar(self, value):
        if not math.isfinite(value):
            return r"\infty" if value > 0 else r"-\infty" if value < 0 else r"\mathrm{NaN}"
        mantissa, _, exponent = number_text(value).partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa

    def wrap(self, text):
        return rf"\left({text}\right)"

    def times(self, texts):
        return r" \cdot ".join(texts)

    def raised(self, base, exponent):
        return f"{base}^{{{self.scalar(exponent)}}}"

    def constant(self, e):
        text = self.scalar(abs(e.attrs))
        if e.shape != ():
            size = r" \times ".join(map(str, e.shape))
            text = (rf"{text} \cdot " if abs(e.attrs) != 1 else "") + rf"\mathbf{{1}}_{{{size}}}"
        return ("-" + text, SIGN) if e.attrs < 0 else (text, ATOM if e.shape == () else PRODUCT)

    def power(self, e):
        base = self.part(e.args[0], POWER, strictly=True)
        if e.op == "pow":
            return f"{base}^{{{self._done[e.args[1]][0]}}}", POWER
        return self.raised(base, 2.0 if e.op == "square" else dict(e.attrs)["exponent"]), POWER

    def quotient(self, e):
        return rf"\frac{{{self._done[e.args[0]][0]}}}{{{self._done[e.args[1]][0]}}}", PRODUCT

    def fraction(self, over, under):
        top = self.factors(over, bool(under)) if over else ("1", ATOM)
        if not under:
            return top
        return rf"\frac{{{top[0]}}}{{{self.factors(under, True)[0]}}}", PRODUCT

    def linear(self, e):
        x, w, b = e.args
        text = rf"{self.part(x, PRODUCT)}\,{self.part(w, POWER, strictly=True)}^{{\top}}"
        return (text, PRODUCT) if b is None else (f"{text} + {self.part(b, SUM, strictly=True)}", SUM)

    def special(self, e):
        inner = self._done[e.args[0]][0] if e.args and e.args[0] is not None else ""
        if e.op == "transpose" and _swaps_last(e):
            return rf"{self.part(e.args[0], POWER, strictly=True)}^{{\top}}", POWER
        if e.op == "exp":
            return f"e^{{{inner}}}", POWER
        if e.op == "sqrt":
            return rf"\sqrt{{{inner}}}", ATOM
        if e.op == "abs":
            return rf"\left|{inner}\right|", ATOM
        if e.op == "reciprocal":
            return rf"\frac{{1}}{{{inner}}}", PRODUCT
        if e.op == "sum" and not self.attributes(e):
            return rf"\sum {self.part(e.args[0], PRODUCT)}", SUM
        if e.op == "expand":
            return rf"{self.part(e.args[0], PRODUCT)} \cdot \mathbf{{1}}_{{{_times(e.shape)}}}", PRODUCT
        if e.op == "sum_to_size":
            return rf"\sum\nolimits_{{\to {_times(e.shape)}}} {self.part(e.args[0], PRODUCT)}", SUM
        return None

    def call(self, e):
        parts = [r"\varnothing" if a is None else self._done[a][0] for a in e.args]
        index = ""
        for name, value in self.attributes(e):
            if name == "result":
                index = f"_{{{value}}}"
            else:
                parts.append(rf"\mathrm{{{latex_text(name)}}}={latex_text(str(value))}")
        name = FUNCTIONS.get(e.op) or rf"\operatorname{{{latex_text(e.op)}}}"
        return rf"{name}{index}\left({', '.join(parts)}\right)", ATOM


def _swaps_last(e):
    rank = len(e.shape)
    return rank >= 2 and {v % rank for _, v in e.attrs} == {rank - 2, rank - 1}


def _times(shape):
    return r" \times ".join(map(str, shape)) or "1"


def latex_text(text):
    """Any text as data in LaTeX."""
    out = []
    for c in str(text):
        if c in "#$%&_{}":
            out.append("\\" + c)
        elif c in LATEX_CODES:
            out.append(LATEX_CODES[c])
        else:
            out.append(c if c.isprintable() else " ")
    return "".join(out)


LATEX_CODES = {"\\": r"\backslash{}", "~": r"\sim{}", "^": r"\hat{\ }"}


def latex_name(name):
    """A variable's name: letters as they are, Greek by name, "w1" and "h_t" with an index, others upright."""
    letters = name.rstrip("0123456789")
    index = name[len(letters) :]
    if letters.endswith("_") or "_" in letters and len(letters.partition("_")[0]) <= 5 and not index:
        letters, _, index = name.partition("_")
    if letters in GREEK:
        letters = "\\" + letters
    elif not (len(letters) == 1 and letters.isascii() and letters.isalpha()):
        letters = rf"\mathrm{{{latex_text(letters)}}}"
    if not index:
        return letters
    return f"{letters}_{{{index if index.isdigit() or len(index) == 1 and index.isalpha() else latex_text(index)}}}"
