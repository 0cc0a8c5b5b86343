"""Operations that give a tensor another shape in place, and writes through .data and .detach()."""

import numpy as np
import pytest

import wengert

torch = pytest.importorskip("torch", reason="compares with PyTorch")


def leaf(lib, *shape):
    return lib.arange(float(np.prod(shape)), dtype=lib.float64).reshape(shape).requires_grad_()


def chain(lib, x):
    y = x * 2
    y.t_()
    y.unsqueeze_(0)
    y.squeeze_()
    y.transpose_(0, 1)
    y.swapaxes_(0, 1)
    y.swapdims_(-1, 0)
    return y * y * lib.arange(3.0)


def view_of_a_transposed_base(lib, x):
    y = x * 2
    v = y[0]
    y.t_()
    v.mul_(3)
    y[1] = 7.0
    z = y[:, 0]
    z.add_(1)
    v.add_(2)
    return (y * y).sum() + (v * z).sum()


def transposed_view(lib, x):
    y = x * 2
    v = y[:, 1:]
    v.t_()
    v.mul_(3)
    return (y * y).sum() + (v**3).sum()


def strided_in_place(lib, x):
    y = x * 2
    y.as_strided_((3,), (2,))
    return y * y


def three_dimensions(lib, x):
    y = (x * 2).unsqueeze(0)
    y.transpose_(0, 2)
    y[1:].mul_(y.detach()[1:].clone())
    return y * lib.arange(3.0).reshape(3, 1, 1)


def without_gradients(lib, x):
    with lib.no_grad():
        x.t_()
    assert tuple(x.shape) == (3, 2) and x.is_leaf
    return x * x


@pytest.mark.parametrize(
    "program",
    [chain, view_of_a_transposed_base, transposed_view, strided_in_place, three_dimensions, without_gradients],
)
def test_gradients_follow_a_shape_given_in_place(program):
    found = []
    for lib in (wengert, torch):
        x = leaf(lib, 2, 3)
        out = program(lib, x)
        out.sum().backward()
        found.append((out.detach().numpy(), x.grad.numpy()))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs)


def test_history_follows_without_gradients_too():
    """PyTorch keeps the history of the old shape here, and backward fails."""
    x = leaf(wengert, 2, 3)
    y = x * 2
    with wengert.no_grad():
        y.t_()
    (y * wengert.tensor([[1.0, 2.0]])).sum().backward()
    assert x.grad.tolist() == [[2.0, 2.0, 2.0], [4.0, 4.0, 4.0]]


@pytest.mark.parametrize("change", ["leaf", "view of a leaf", "saved"])
def test_shapes_that_may_not_change_in_place(change):
    for lib in (wengert, torch):
        x = leaf(lib, 2, 3)
        with pytest.raises(RuntimeError):
            if change == "leaf":
                x.t_()
            elif change == "view of a leaf":
                x[0].unsqueeze_(0)
            else:
                y = x * 2
                z = y * y
                y.t_()
                z.sum().backward()


def test_copies_are_no_views():
    x = leaf(wengert, 4, 4)
    y = (x * 1)[:, ::2]
    with pytest.raises(RuntimeError, match="got a copy"):
        y.as_strided_((3, 2), (1, 2), 1)


def test_retained_gradients_have_the_new_shape():
    y = leaf(wengert, 2, 3) * 2
    y.retain_grad()
    y.t_()
    y.sum().backward()
    assert tuple(y.grad.shape) == (3, 2)


@pytest.mark.parametrize("transform", ["vmap", "grad", "vmap of grad"])
def test_transforms_see_shapes_given_in_place(transform):
    found = []
    for lib in (wengert, torch):

        def f(a, lib=lib):
            b = a * 2
            b.unsqueeze_(0)
            b.t_()
            b[1:].mul_(3)
            return (b * b).sum()

        f = {"vmap": lib.vmap(f), "grad": lib.func.grad(f), "vmap of grad": lib.vmap(lib.func.grad(f))}[transform]
        x = lib.arange(12.0).reshape(3, 4)
        found.append(f(x[0] if transform == "grad" else x).numpy())
    np.testing.assert_allclose(*found)


def test_compiled_functions_see_shapes_given_in_place():
    def f(a):
        b = a * 2
        v = b[0]
        b.t_()
        v.mul_(3)
        b.unsqueeze_(-1)
        return b * wengert.arange(2.0).reshape(2, 1), v + 1

    compiled = wengert.compile(f, fullgraph=True)
    x = wengert.arange(6.0).reshape(2, 3)
    for k in range(4):
        for ours, plain in zip(compiled(x + k), f(x + k), strict=True):
            assert ours.shape == plain.shape
            assert wengert.equal(ours, plain)


@pytest.mark.filterwarnings("ignore:compile")
def test_compiled_functions_refuse_to_reshape_what_they_are_given():
    def f(a):
        a.unsqueeze_(0)
        return a * 2

    compiled = wengert.compile(f)
    for _ in range(4):
        assert tuple(compiled(wengert.ones(3)).shape) == (1, 3)


# ---- writes past the version ------------------------------------------------------------------------------------


def write(x, how):
    if how == "data":
        x.data.mul_(3)
    elif how == "part of data":
        x.data[1:].mul_(3)
    elif how == "data of data":
        x.data.detach().view(-1)[:2] = 5.0
    elif how == "detach":
        x.detach().mul_(3)
    else:
        x.data = x.data * 3


@pytest.mark.parametrize("how", ["data", "part of data", "data of data", "detach"])
def test_writes_to_values_saved_for_backward(how):
    """Through .data they go unnoticed, through .detach() they are refused."""
    found = []
    for lib in (wengert, torch):
        x = leaf(lib, 4)
        y = x * 2
        z = y * y
        before = y._version
        write(y, how)
        if how == "detach":
            with pytest.raises(RuntimeError):
                z.sum().backward()
            continue
        assert y._version == before
        z.sum().backward()
        found.append(x.grad.numpy())
    if found:
        np.testing.assert_allclose(*found)


def test_writes_to_data_that_has_gradients_of_its_own_are_noticed():
    for lib in (wengert, torch):
        d = leaf(lib, 4).data
        d.requires_grad_()
        z = (d * d).sum()
        with lib.no_grad():
            d.add_(1)
        with pytest.raises(RuntimeError):
            z.backward()


def test_assigned_data_leaves_the_saved_value_alone():
    """PyTorch computes with the new value here."""
    x = leaf(wengert, 3)
    y = (x * x).sum()
    write(x, "assign")
    y.backward()
    assert x.grad.tolist() == [0.0, 2.0, 4.0]
    assert x.tolist() == [0.0, 3.0, 6.0]


def test_views_with_new_memory_are_no_views():
    base = leaf(wengert, 4) * 1
    v = base[:2]
    v.data = wengert.ones(2, dtype=wengert.float64)
    base.mul_(2)
    assert v.tolist() == [1.0, 1.0]
    assert v._base is None


def test_leaves_over_the_memory_of_others():
    """A view that becomes a leaf stays one when its base is written."""
    base = wengert.zeros(2, 3)
    x = base[0].requires_grad_()
    base.add_(1)
    assert x.is_leaf and x.requires_grad
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]
