"""What is no tensor where a tensor is needed raises TypeError, as in PyTorch, never AttributeError from inside our code.

The calls are generated: for every public function that torch also has, those of a list of arguments that both libraries
accept are taken (generated_calls.py), and each tensor in them is replaced in turn by things that are none. Where torch
raises TypeError ours does. Which operands of the op table's rows may be numbers is in the rows.
"""

import inspect
import warnings

import numpy as np
import pytest
from generated_calls import CALLS, NAMESPACES, members, raised, replaced
from optools import OPS, TABLE, core, wengert

torch = pytest.importorskip("torch")

NOT_TENSORS = (5, 2.0, "a", None, [1], object(), np.ones(4))

# Another type of error than torch's TypeError, or none.
EXCEPTIONS = {
    "from_dlpack": "takes any object with __dlpack__: AttributeError for others, RuntimeError in torch",
}


def optional(function, place):
    """Whether an argument is left out by None, which torch refuses for some."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # a compiled function without a signature
        return False
    return place < len(parameters) and parameters[place].default is None


def wrong_errors(namespace, name, ours, theirs):
    """Calls with something that is no tensor that torch refuses, and ours does not or with another error; calls tried."""
    wrong, tried = [], 0
    for call in CALLS:
        if raised(theirs, eval(call, {"t": torch})) or raised(ours, eval(call, {"t": wengert})):
            continue
        for place, value in enumerate(eval(call, {"t": wengert})):
            if not isinstance(value, wengert.Tensor) or namespace == "Tensor" and place == 0:
                continue
            for thing in NOT_TENSORS:
                refusal = raised(theirs, replaced(torch, call, place, thing))
                if refusal is None or thing is None and optional(ours, place):
                    continue
                tried += 1
                error = raised(ours, replaced(wengert, call, place, thing))
                strict = isinstance(refusal, TypeError)
                if isinstance(error, AttributeError) or strict and not isinstance(error, TypeError):
                    wrong.append(f"{namespace}.{name}{call}, argument {place} = {thing!r}: {error!r}")
    return wrong, tried


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_what_is_no_tensor_raises_type_error(namespace):
    ours, theirs = members(wengert, namespace), members(torch, namespace)
    wrong, total = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in sorted(ours.keys() & theirs.keys() - EXCEPTIONS.keys()):
            found, tried = wrong_errors(namespace, name, ours[name], theirs[name])
            wrong += found
            total += tried
    assert not wrong, f"{len(wrong)} calls:\n" + "\n".join(wrong[:40])
    assert total > 300  # the calls are there at all


BETWEEN = [row for row in TABLE.values() if row.public and row.elementwise and len(row.inputs) > 1]


def spoilt(module, row, numbers):
    """Whether a row's function takes numbers at these places and tensors at the others; of integers where it has to."""
    function = getattr(module, row.name, None) or getattr(module.special, row.name)
    for dtype, number in ((module.float64, 2.0), (module.int64, 2)):
        tensors = [module.full((3,), 2, dtype=dtype)] * len(row.inputs)
        if raised(function, tensors) is None:
            operands = [number if k in numbers else x for k, x in enumerate(tensors)]
            error = raised(function, operands)
            assert error is None or isinstance(error, TypeError), f"{row.name}{operands}: {error!r}"
            return error is None
    raise AssertionError(f"{row.name}: no operands that {module.__name__} takes")


@pytest.mark.parametrize("row", [r for r in BETWEEN if r.name != "where"], ids=lambda r: r.name)
def test_rows_take_numbers_where_torch_does(row):
    places = range(len(row.inputs))
    for numbers in [*((k,) for k in places), tuple(places)]:
        want = row.numbers is None or set(numbers) <= set(row.numbers) and len(numbers) < len(places)
        assert spoilt(wengert, row, numbers) == want, numbers
        assert spoilt(torch, row, numbers) == want, numbers


@pytest.mark.parametrize("row", [r for r in BETWEEN if r.inplace and r.numbers is not None], ids=lambda r: r.name)
def test_forms_in_place_take_the_same_numbers(row):
    for place in range(1, len(row.inputs)):
        dtype = "int64" if "bitwise" in row.name or row.name in ("gcd", "lcm") else "float64"
        x = wengert.full((3,), 2, dtype=getattr(wengert, dtype))
        operands = [x.clone() if k != place else 2 for k in range(len(row.inputs))]
        error = raised(getattr(wengert.Tensor, row.name + "_"), operands)
        assert (error is None) == (place in row.numbers), f"{row.name}_, place {place}: {error!r}"
        assert error is None or str(error).startswith(f"{row.name}: expected a Tensor as "), error


def test_operators_and_rules_take_numbers_on_either_side():
    x = wengert.tensor([1.0, 3.0], requires_grad=True)
    assert (2.0 < x).tolist() == [False, True]
    assert (5 == x).tolist() == [False, False]
    assert OPS["zmul"](2.0, x).tolist() == [2.0, 6.0]
    assert core.apply(OPS["maximum"].entry, [2.0, x]).tolist() == [2.0, 3.0]


@pytest.mark.parametrize("code", ["exp_(None)", "detach(5)", "detach_(None)"])
def test_none_does_not_reach_the_core(code):
    with pytest.raises(TypeError):
        eval(f"t.{code}", {"t": wengert})


@pytest.mark.parametrize(
    "code",
    [
        "scatter_add(x, 0, i, None)",
        "can_cast(1, 2)",
        "index_put(5, (i,), x)",
        "index_put(x, (i,), None)",
        "feature_dropout(5)",
        "instance_norm(5, None, None, None, None, True, 0.1, 1e-5, False)",
        "nn.functional.affine_grid(5, (1, 1, 2, 2))",
        "nn.functional.embedding_bag(5, t.ones(3, 2))",
        "nn.functional.embedding_bag(i, t.ones(3, 2), 5)",
        "nn.functional.instance_norm(None)",
        "nn.functional.conv_transpose3d(t.ones(1, 4, 4, 4, 4), t.ones(4, 4, 2, 2, 2), 2.0)",
        "Tensor.set_(x, 5)",
    ],
)
def test_other_things_do_not_reach_the_core(code):
    with pytest.raises(TypeError, match=r"^[\w.]+: expected .+, got "):
        eval(f"t.{code}", {"t": wengert, "x": wengert.ones(3), "i": wengert.arange(3)})
