"""`_foreach_*` beside torch: results, writes in place, numbers, lists of numbers and tensors."""

import numpy as np
import pytest
from against_torch import assert_same

import wengert
from wengert._foreach import _BINARY, _SCALED, _UNARY, FUNCTIONS

torch = pytest.importorskip("torch")
ARRAYS = [np.array([[0.2, 0.5], [0.9, 0.3]]), np.array(0.7), np.array([0.1, 0.4, 0.6])]
OTHERS = [0.5 * a + 0.1 for a in ARRAYS]
LIBS = (wengert, torch)


def lists(lib):
    return [[lib.from_numpy(np.array(a)) for a in arrays] for arrays in (ARRAYS, OTHERS, ARRAYS, OTHERS)]


def check(name, call):
    """The function and its form that writes, in both libraries."""
    for ending in ("", "_"):
        results = []
        for lib in LIBS:
            own = lists(lib)
            found = call(getattr(lib, f"_foreach_{name}{ending}"), *own)
            results.append(own[0] if ending else found)
            assert not ending or lib is torch or found is None
        assert_same(*results, rtol=1e-12)


@pytest.mark.parametrize("name", _UNARY)
def test_of_one_list(name):
    check(name, lambda f, a, b, c, d: f(a))


@pytest.mark.parametrize("name", _BINARY)
def test_of_two_lists_and_numbers(name):
    check(name, lambda f, a, b, c, d: f(a, b))
    check(name, lambda f, a, b, c, d: f(a, 0.3))
    check(name, lambda f, a, b, c, d: f(a, [0.3, 2.0, 0.5]))


def test_scaled_sums():
    for name in ("add", "sub"):
        check(name, lambda f, a, b, c, d: f(a, b, alpha=0.5))
    for name in _SCALED:
        check(name, lambda f, a, b, c, d: f(a, b, d))
        check(name, lambda f, a, b, c, d: f(a, b, d, 0.5))
        check(name, lambda f, a, b, c, d: f(a, b, d, value=0.5))
        check(name, lambda f, a, b, c, d: f(a, b, d, [0.5, 2.0, -1.0]))


def test_lerp():
    check("lerp", lambda f, a, b, c, d: f(a, b, 0.3))
    check("lerp", lambda f, a, b, c, d: f(a, b, d))


def test_norms_copies_and_zeros():
    for order in (1, 2, float("inf")):
        assert_same(*(lib._foreach_norm(lists(lib)[0], order) for lib in LIBS), rtol=1e-12)
    for lib in LIBS:
        a, b, *_ = lists(lib)
        lib._foreach_copy_(a, b)
        assert all(lib.equal(x, y) for x, y in zip(a, b, strict=True))
        lib._foreach_zero_(a)
        assert not any(bool(x.any()) for x in a)
        assert [x.item() for x in lib._foreach_max(b)] == [x.max().item() for x in b]


def test_gradients_flow_through_those_that_do_not_write():
    x = wengert.tensor([1.0, 2.0], requires_grad=True)
    wengert._foreach_mul([x], 3.0)[0].sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    assert all(name.startswith("_foreach_") for name in FUNCTIONS)
    with pytest.raises(AttributeError):
        wengert._foreach_nothing  # noqa: B018
