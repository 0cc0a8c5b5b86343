"""Every name of the most used part of the API, in every form, beside torch: values, dtypes, gradients, errors."""

import pytest

torch = pytest.importorskip("torch")

from scope.calls_math import MATH  # noqa: E402  (needs torch)
from scope.calls_more import MORE  # noqa: E402
from scope.calls_nn import FUNCTIONAL  # noqa: E402
from scope.calls_rest import PATHS, REST  # noqa: E402
from scope.calls_shape import SHAPE  # noqa: E402
from scope.names import NAMES  # noqa: E402
from scope.variants import difference, forms, found, outcome  # noqa: E402

CALLS = MATH | SHAPE | FUNCTIONAL | REST | MORE
# Tested where complex numbers and sparse tensors are.
ELSEWHERE = {
    "to_sparse",
    "real",
    "view_as_real",
    "view_as_complex",
    "fft.fft",
    "fft.fft2",
    "linalg.eig",
    "complex",
    "angle",
    "polar",
    "conj",
}
REMOVED = {"Tensor.solve", "Tensor.eig"}  # torch's own only raise
SPELLED = {"uniform": "uniform_"}
# Where we differ, by name and form: what and why.
DIFFERENT = {
    ("linalg.solve", "method"): "torch's method only says that it was removed",
    **{
        (name, "in place"): "a tensor with a gradient does not change its own shape"
        for name in ("transpose", "t", "unsqueeze", "squeeze", "as_strided")
    },
    ("as_strided", "in place of a view"): "torch reads beyond a view that has a gradient",
    ("as_strided", "in place, strided"): "a tensor with a gradient does not change its own shape",
    **{
        (name, form): "torch's in-place synonyms of these have no gradient"
        for name in ("asinh", "atanh", "acosh", "arcsinh", "arctanh", "arccosh")
        for form in ("in place", "in place of a view", "in place, strided")
    },
    **{(name, "in place of bool"): "torch writes sums of bools to some shapes" for name in ("cumsum", "cumprod")},
    **{
        (
            f"logical_{name}",
            form,
        ): "torch's truth values leave the history of the tensor that they are written to alone"
        for name in ("not", "and", "or", "xor")
        for form in (
            "in place",
            "in place of a view",
            "in place, strided",
            "in place of a leaf",
            "in place of an expanded one",
        )
    },
    ("block_diag", "0-d operand"): "torch promotes to the dtype of the first operand",
    ("signbit", "bfloat16"): "the sign of NaN",
    ("cumulative_trapezoid", "None for an operand"): "the same as leaving the points out",
}
# Calls in which we refuse what torch does, by the name and the message.
_CUT = "expected integers as alpha and beta for integers"  # torch cuts the fractions off
REFUSED = {
    **{name: (_CUT,) for name in ("addmm", "addmv", "baddbmm")},
    "addbmm": (_CUT, "got (2, 3). In-place results do not broadcast"),  # torch changes the shape of the tensor
    "alpha_dropout": ("expected a probability",),  # a ValueError, as of nn.functional
    "index_reduce": ("expected indices in",),  # of the kind that scatter_reduce raises
}


def test_every_name_is_tested():
    missing = [n for n in NAMES if SPELLED.get(n, n) not in CALLS and n not in ELSEWHERE and n != "__getitem__"]
    assert not missing


@pytest.mark.parametrize("name", NAMES)
def test_name_is_there(name):
    """As a function, as a method and in place, wherever torch has it."""
    short = name.rpartition(".")[2]
    if name in ELSEWHERE:
        pytest.skip("tested elsewhere")
    for path in (name, f"Tensor.{short}", f"Tensor.{short}_", f"nn.functional.{short}", f"nn.functional.{short}_"):
        if found(1, path) is not None and path not in REMOVED:
            assert found(0, path) is not None, f"no {path}"


def disagreements(name, base):
    """(forms that ran, forms that torch runs, problems) of the calls of a base name, made by another name or its own."""
    problems, ran, accepted = [], 0, 0
    for k, c in enumerate(CALLS[base]):
        for label, run in forms(name, c):
            if (base, label) in DIFFERENT:
                continue
            ran += 1
            accepted += outcome(run, 1, lambda outputs: [1.0] * len(outputs))[0] == "ok"
            found = difference(name, c, label, run)
            if found and not any(text in found for text in REFUSED.get(base, ())):
                problems.append(f"{name}[{k}] {shown(c)}, {label}: {found}")
    return ran, accepted, problems


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore")
def test_calls(name):
    ran, accepted, problems = disagreements(name, name)
    assert accepted
    assert not problems, f"{len(problems)} of {ran}\n" + "\n".join(problems)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.filterwarnings("ignore")
def test_method_by_its_own_name(path):
    """Methods in place and synonyms, of which torch runs some call."""
    ran, accepted, problems = disagreements(path, path.removeprefix("Tensor.").removesuffix("_"))
    assert accepted
    assert not problems, f"{len(problems)} of {ran}\n" + "\n".join(problems)


def shown(c):
    """A call with shapes for its arrays."""

    def text(v):
        if hasattr(v, "shape"):
            return f"{v.dtype}{list(v.shape)}"
        if isinstance(v, (list, tuple)):
            return str([text(p) for p in v])
        return repr(v)

    return ", ".join([text(a) for a in c.args] + [f"{k}={text(v)}" for k, v in c.kwargs.items()])
