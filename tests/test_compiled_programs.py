"""All training programs of the project learn the same when their functions, models and steps are compiled.

The losses are the same bits, but where a rule runs in other sums than the fused pass of plain code (listed below).
"""

import functools
import math

import compiled_programs
import program_runner
import pytest

STEPS = 12
PROGRAMS = program_runner.programs()

# Sums in another order: gradients of gathered elements (interpolation, Fourier modes, edges), and second derivatives
# of a compiled call, which runs once more for them.
ROUNDED = {
    *("unet_segmentation", "fourier_operator", "physics_informed", "graph_isomorphism"),
    *("link_prediction", "rotate_knowledge_graph", "siamese_triplets", "super_resolution"),
}


@functools.lru_cache(1)
def plain(path):
    return compiled_programs.losses(path, "plain", STEPS)[0]


@pytest.mark.parametrize("kind", ["functions", "steps"])
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_program(path, kind):
    program_runner.need_data(path)
    expected = plain(path)
    found, _ = compiled_programs.losses(path, kind, STEPS)
    if path.stem in ROUNDED:
        assert found == pytest.approx(expected, rel=1e-3)
    else:
        assert list(map(repr, found)) == list(map(repr, expected))
    assert all(map(math.isfinite, found))


def test_plans_run_most_programs():
    """Otherwise the comparison above would say nothing: plain calls agree with plain calls."""
    alone = [path for path in PROGRAMS if "example_data" not in path.read_text(encoding="utf-8")]
    planned = 0
    for path in alone:
        made = [fast for kind in ("functions", "steps") for fast in compiled_programs.losses(path, kind, STEPS)[1]]
        planned += any(fast.plans for fast in made)
    assert planned >= 0.75 * len(alone)
