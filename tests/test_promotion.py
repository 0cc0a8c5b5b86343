"""Questions about dtypes have torch's answers, for every pair."""

import itertools

import pytest
from optools import wengert

torch = pytest.importorskip("torch")
NAMES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")


def name(dtype):
    return str(dtype).rpartition(".")[2]


@pytest.mark.parametrize(("a", "b"), list(itertools.product(NAMES, NAMES)))
def test_pairs(a, b):
    answers = []
    for lib in (wengert, torch):
        x, y = getattr(lib, a), getattr(lib, b)
        answers.append(
            [
                name(lib.promote_types(x, y)),
                lib.can_cast(x, y),
                name(lib.result_type(lib.ones(2, 3, dtype=x), lib.ones(5, dtype=y))),
                name(lib.result_type(lib.ones((), dtype=x), lib.ones(2, dtype=y))),
                name(lib.result_type(lib.ones(2, dtype=x), 1.5)),
                name(lib.result_type(True, lib.ones((), dtype=y))),
            ]
        )
    assert answers[0] == answers[1]


def test_two_numbers_and_what_is_refused():
    found = [wengert.result_type(*pair) for pair in ((1, 2), (1, 2.0), (2.0, 1), (True, 1), (1, 2j))]
    assert found == [wengert.int64, wengert.float32, wengert.float32, wengert.int64, wengert.complex64]
    with pytest.raises(TypeError, match="result_type: "):
        wengert.result_type("a", 2.0)
    with pytest.raises(RuntimeError, match="highest"):
        wengert.set_float32_matmul_precision("low")
    assert wengert.set_flush_denormal(True) is False
