"""Constraints and their transforms, beside torch's."""

import math

import numpy as np
import pytest
from against_torch import assert_same
from distribution_cases import ours, theirs, torch, values_of

import wengert


def test_constraints():
    names = (
        "real",
        "positive",
        "nonnegative",
        "unit_interval",
        "boolean",
        "nonnegative_integer",
        "positive_integer",
    )
    values = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, math.nan, math.inf])
    for name in names:
        assert_same(
            getattr(ours.constraints, name).check(wengert.from_numpy(values)),
            getattr(theirs.constraints, name).check(torch.from_numpy(values)),
        )
    matrices = np.stack([np.eye(2), -np.eye(2), [[1.0, 0.5], [0.5, 1.0]], [[1.0, 0.0], [3.0, 1.0]]])
    for name in (
        "square",
        "positive_semidefinite",
        "corr_cholesky",
        "lower_cholesky",
        "lower_triangular",
        "positive_definite",
        "symmetric",
        "simplex",
        "one_hot",
        "real_vector",
    ):
        assert_same(
            getattr(ours.constraints, name).check(wengert.from_numpy(matrices)),
            getattr(theirs.constraints, name).check(torch.from_numpy(matrices)),
        )


def _bounds(side):
    return values_of(side, np.array([0.0, 1.0, 2.0]))


MADE = [
    lambda c, side: c.greater_than(1.0), lambda c, side: c.greater_than_eq(1), lambda c, side: c.less_than(1.0),
    lambda c, side: c.interval(0.5, 2.0), lambda c, side: c.interval(_bounds(side), 2.0),
    lambda c, side: c.half_open_interval(0.0, 2.0), lambda c, side: c.integer_interval(0, 2),
    lambda c, side: c.multinomial(3), lambda c, side: c.independent(c.positive, 1), lambda c, side: c.independent(c.real, 0),
    lambda c, side: c.cat([c.positive, c.real], -1, [1, 2]), lambda c, side: c.stack([c.positive, c.real, c.boolean], -1),
    lambda c, side: c.MixtureSameFamilyConstraint(c.positive), lambda c, side: c.cat([c.real_vector, c.simplex], 0),
    lambda c, side: c.positive, lambda c, side: c.simplex, lambda c, side: c.nonnegative_integer,
]  # fmt: skip


@pytest.mark.parametrize("make", MADE, ids=range(len(MADE)))
def test_made_constraints(make):
    values = np.array([[0.5, 1.0, 2.0], [0.0, 2.0, 1.0]])
    mine, other = make(ours.constraints, 0), make(theirs.constraints, 1)
    assert_same(mine.check(values_of(0, values)), other.check(values_of(1, values)))
    assert (mine.event_dim, mine.is_discrete) == (other.event_dim, other.is_discrete)
    assert type(mine).__name__ == type(other).__name__
    if not any(isinstance(v, torch.Tensor) for v in vars(other).values()) and not hasattr(other, "cseq"):
        assert repr(mine) == repr(other).replace("torch.", "wengert.")


UNCONSTRAINED = np.array([[0.3, -1.2, 0.7], [2.0, 0.1, -0.4], [0.5, 1.0, -1.5]])
REGISTERED = [
    lambda c, side: c.real, lambda c, side: c.positive, lambda c, side: c.nonnegative, lambda c, side: c.greater_than(2.0),
    lambda c, side: c.less_than(-1.0), lambda c, side: c.interval(-1.0, _bounds(side) + 1), lambda c, side: c.unit_interval,
    lambda c, side: c.half_open_interval(1, 3), lambda c, side: c.simplex, lambda c, side: c.lower_cholesky,
    lambda c, side: c.positive_definite, lambda c, side: c.positive_semidefinite, lambda c, side: c.corr_cholesky,
    lambda c, side: c.independent(c.positive, 1), lambda c, side: c.real_vector,
    lambda c, side: c.cat([c.positive, c.less_than(0.0)], -1, [1, 2]),
    lambda c, side: c.stack([c.positive, c.unit_interval, c.real], 0), lambda c, side: c.boolean,
    lambda c, side: c.symmetric,
]  # fmt: skip


@pytest.mark.parametrize("registry", ["biject_to", "transform_to"])
@pytest.mark.parametrize("make", REGISTERED, ids=range(len(REGISTERED)))
def test_registries(registry, make):
    constraint, other = make(ours.constraints, 0), make(theirs.constraints, 1)
    try:
        there = getattr(theirs, registry)(other)
    except NotImplementedError:
        with pytest.raises(NotImplementedError):
            getattr(ours, registry)(constraint)
        return
    here = getattr(ours, registry)(constraint)
    x = values_of(0, UNCONSTRAINED)
    y = here(x)
    assert_same(y, there(values_of(1, UNCONSTRAINED)), rtol=1e-12)
    assert bool(constraint.check(y).all())
    if here.bijective:
        assert_same(here.inv(y), there.inv(there(values_of(1, UNCONSTRAINED))), rtol=1e-9)
    assert here.bijective == there.bijective and repr(here) == repr(there)


def test_registering_a_constraint():
    class Even(ours.constraints.Constraint):
        pass

    registry = ours.constraint_registry.ConstraintRegistry()

    @registry.register(Even)
    def _even(constraint):
        return ours.AffineTransform(0, 2)

    assert registry(Even()).scale == 2
    registry.register(Even(), lambda constraint: ours.identity_transform)
    assert registry(Even()) is ours.identity_transform
    with pytest.raises(TypeError):
        registry.register(3, _even)
    with pytest.raises(NotImplementedError, match="Even"):
        ours.biject_to(Even())


def test_dependent_constraints():
    for package in (ours, theirs):
        c = package.constraints
        assert c.is_dependent(c.dependent) and not c.is_dependent(c.real)
        assert c.is_dependent(package.Uniform.support) and package.Uniform.support.event_dim == 0
        with pytest.raises(NotImplementedError):
            _ = c.dependent.event_dim
        with pytest.raises(ValueError):
            c.dependent.check(1)
        assert c.dependent(event_dim=2).event_dim == 2
        with pytest.raises(AssertionError):
            c.independent(3, 1)
        with pytest.raises(AssertionError):
            c.cat([c.real], lengths=[1, 2])


def test_supports_are_those_of_torch():
    """Each distribution's constraints, on the class, have torch's names, kinds and event dimensions."""
    for name in theirs.__all__:
        kind = getattr(theirs, name)
        if not isinstance(kind, type) or not issubclass(kind, theirs.Distribution):
            continue
        mine = getattr(ours, name)
        for flag in ("has_enumerate_support", "has_rsample"):
            here, there = getattr(mine, flag), getattr(kind, flag)
            assert isinstance(there, property) or here == there, (name, flag)
        assert issubclass(mine, ours.ExponentialFamily) == issubclass(kind, theirs.ExponentialFamily), name
        if isinstance(kind.arg_constraints, dict):
            rows = [{k: repr(v) for k, v in d.arg_constraints.items() if "0x" not in repr(v)} for d in (mine, kind)]
            assert rows[0] == {k: v.replace("_Dependent", "Dependent") for k, v in rows[1].items()}, name
        if isinstance(kind.support, theirs.constraints.Constraint) and not theirs.constraints.is_dependent(
            kind.support
        ):
            assert repr(mine.support) == repr(kind.support), name
        else:
            assert ours.constraints.is_dependent(mine.support) == theirs.constraints.is_dependent(kind.support), (
                name
            )
