"""Programs written for PyTorch learn the same with wengert: same weights at the start, same data, same losses.

In float64 the losses agree to 1e-9 over the steps. In float32 our distance from the float64 run is at most three times
PyTorch's own; where rounding errors grow until one run's distance is chance, the greatest of PyTorch's from starts that
differ by a few roundings.
"""

import math

import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the reference of these tests, is not installed")

import program_runner  # noqa: E402

STEPS = 50
RTOL = 1e-9
TIMES = 3.0
# Two roundings of float32: below this nobody's distance means anything.
FLOOR = 2 * 2.0**-23
PROGRAMS = program_runner.programs()


def distance(found, reference):
    """The largest relative difference between two lists of losses."""
    assert len(found) == len(reference)
    assert all(map(math.isfinite, reference)), "the reference run is not finite"
    gaps = [abs(a - b) / max(abs(b), 1e-12) for a, b in zip(found, reference, strict=True)]
    return max(gap if math.isfinite(gap) else math.inf for gap in gaps)


def drift(found, reference):
    """The distance between two lists of losses as vectors: losses that cross zero do not decide it."""
    return math.dist(found, reference) / math.hypot(*reference)


def test_there_are_programs():
    assert len(PROGRAMS) >= 100
    assert len({path.stem for path in PROGRAMS}) == len(PROGRAMS)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_program(path):
    program_runner.need_data(path)
    reference = program_runner.losses(path, "torch", STEPS, double=True)
    ours = program_runner.losses(path, "wengert", STEPS, double=True)
    assert len(set(reference)) > 3 and reference[0] != reference[-1], "the program does not learn"
    assert distance(ours, reference) <= RTOL
    ours = drift(program_runner.losses(path, "wengert", STEPS, double=False), reference)
    theirs = FLOOR
    for nudge in (0, 1, -1, 2):
        theirs = max(
            theirs, drift(program_runner.losses(path, "torch", STEPS, double=False, nudge=nudge), reference)
        )
        if ours <= TIMES * theirs:
            return
    pytest.fail(f"a distance of {ours:.1e} from the run in float64, where PyTorch's is {theirs:.1e}")


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_program_with_its_own_random_numbers(path):
    """As users run it: the library's own random functions, with their own signatures."""
    program_runner.need_data(path)
    found = program_runner.losses(path, "wengert", 4, double=False, numpy=False)
    assert found and all(map(math.isfinite, found))
