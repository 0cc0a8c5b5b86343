"""Every name of the most used part of the API, in every form, beside torch: values, dtypes, gradients, errors."""

import pytest

torch = pytest.importorskip("torch")

from scope.calls_math import MATH  # noqa: E402  (needs torch)
from scope.calls_nn import FUNCTIONAL  # noqa: E402
from scope.calls_shape import SHAPE  # noqa: E402
from scope.names import NAMES  # noqa: E402
from scope.variants import difference, forms, found  # noqa: E402

CALLS = MATH | SHAPE | FUNCTIONAL
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


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore")
def test_calls(name):
    problems, ran = [], 0
    for k, c in enumerate(CALLS[name]):
        for label, run in forms(name, c):
            if (name, label) in DIFFERENT:
                continue
            ran += 1
            found = difference(name, c, label, run)
            if found:
                problems.append(f"{name}[{k}] {shown(c)}, {label}: {found}")
    assert ran
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
