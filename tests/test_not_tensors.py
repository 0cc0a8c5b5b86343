"""What is no tensor where a tensor is needed raises TypeError, never AttributeError from inside our code.

The calls are generated: for every public function that torch also has, those of a list of arguments that both libraries
accept are taken, and each tensor in them is replaced in turn by things that are none. Where torch refuses one, ours may
still take it (a number or an array often stands for a tensor here), but what it raises is TypeError.
"""

import inspect
import warnings

import pytest
from optools import wengert

torch = pytest.importorskip("torch")

NAMESPACES = ("", "nn.functional", "linalg", "special", "Tensor")
NOT_TENSORS = (5, "a", None, object())

# Shapes and dtypes of common arguments, over a module `t`.
M, V, N = "t.eye(4)", "t.ones(4)", "t.arange(4)"
LINE, IMAGE, BOX = "t.ones(1, 4, 4)", "t.ones(1, 4, 4, 4)", "t.ones(1, 4, 4, 4, 4)"
GRID = f"{N}.expand(4, 4)"
CALLS = [
    *(f"({x},)" for x in (M, V, N)),
    *(f"({x}, {y})" for x, y in [(M, M), (M, V), (V, V), (N, N), (M, N), (V, M), (LINE, LINE), (V, N)]),
    *(f"({x}, {n})" for x in (M, V, N, LINE, IMAGE, BOX) for n in (1, 2)),
    *(f"({M}, {rest})" for rest in ("0.5", "1, 1", "(4, 4)", "2.0, 1, 0")),
    *(f"({M}, 0, {rest})" for rest in (N, f"{N}, {M}", f"{N}, {V}", GRID, f"{GRID}, {M}", f"{GRID}, 1", f"{V}")),
    *(f"({M}, {rest})" for rest in (f"{M} > 1, 1", f"{M} > 1", f"{M} > 1, {M}", f"{GRID}, 0", f"{N}, {V}")),
    *(f"({x}, {y}, {z})" for x, y, z in [(M, M, M), (V, M, V), (V, V, V), (M, V, V), (M, LINE, LINE), (LINE,) * 3]),
    f"({M}, {M}, {V})",
    f"({M} > 1, {M}, {M})",
    f"({LINE}, 2.0, 2)",
    *(f"({x}, 2{p}, 2)" for x in (IMAGE, BOX) for p in ("", ".0")),
    f"({LINE}, t.ones(4, 4, 2))",
    f"({LINE}, t.ones(4, 4, 2), {V})",
    f"({IMAGE}, t.ones(4, 4, 2, 2))",
    f"({IMAGE}, t.ones(4, 4, 2, 2), {V})",
    f"({BOX}, t.ones(4, 4, 2, 2, 2))",
    f"({BOX}, t.ones(4, 4, 2, 2, 2), {V})",
    f"({IMAGE}, t.zeros(1, 2, 2, 2))",
    f"([{M}, {M}],)",
    f"({M}, {M}, {M}, {M}, {V}, {V})",
    f"('ij,jk', {M}, {M})",
    f"({LINE}, (2, 2), 1)",
]
# These set what other tests rely on, or write files.
SETTINGS = {"seed", "manual_seed", "save", "from_file", "share_memory_", "compile"}
# What is read as something else than a tensor: torch's type of error has to do with how it parses the arguments.
EXCEPTIONS = {
    "float_power": "takes numbers, as which it reads a str: ValueError",
    "from_dlpack": "takes any object with __dlpack__: AttributeError for others, RuntimeError in torch",
    **dict.fromkeys(
        ("fmod", "hypot", "logaddexp", "nextafter"), "a number first is an operand, whose dtype does not fit"
    ),
    **dict.fromkeys(
        (f"conv{a}{n}d" for a in ("", "_transpose") for n in "123"), "a bias that is a number has a dtype"
    ),
    **dict.fromkeys(("rnn_relu_cell", "rnn_tanh_cell"), "as the convolutions"),
    "quantile": "q may be a number, as which it reads a str: ValueError",
    "nanquantile": "as quantile",
    "searchsorted": "takes a sorted sequence that is a number as a tensor of no dimensions: RuntimeError",
    "batch_norm": "checks the statistics' presence before their types: RuntimeError",
}


def members(module, namespace):
    """The functions of a namespace by name."""
    for part in filter(None, namespace.split(".")):
        module = getattr(module, part)
    found = {
        n: getattr(module, n, None) for n in dir(module) if not n.startswith(("_", "set_")) and n not in SETTINGS
    }
    return {n: f for n, f in found.items() if callable(f) and not inspect.isclass(f) and not inspect.ismodule(f)}


def raised(function, arguments):
    """The exception of a call, or None."""
    try:
        function(*arguments)
    except Exception as error:
        return error
    return None


def replaced(module, call, place, thing):
    """The arguments of a call, one of which is another thing."""
    arguments = list(eval(call, {"t": module}))
    arguments[place] = thing
    return arguments


def wrong_errors(namespace, name, ours, theirs):
    """Calls with something that is no tensor whose error is not TypeError though torch refuses them; calls tried."""
    wrong, tried = [], 0
    for call in CALLS:
        if raised(theirs, eval(call, {"t": torch})) or raised(ours, eval(call, {"t": wengert})):
            continue
        for place, value in enumerate(eval(call, {"t": wengert})):
            if not isinstance(value, wengert.Tensor) or namespace == "Tensor" and place == 0:
                continue
            for thing in NOT_TENSORS:
                refusal = raised(theirs, replaced(torch, call, place, thing))
                if refusal is None:
                    continue
                tried += 1
                error = raised(ours, replaced(wengert, call, place, thing))
                strict = isinstance(refusal, TypeError)
                if isinstance(error, AttributeError) or strict and error and not isinstance(error, TypeError):
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
    assert total > 150  # the calls are there at all


@pytest.mark.parametrize("code", ["exp_(None)", "detach(5)", "detach_(None)", "scatter_add(x, 0, i, None)"])
def test_none_does_not_reach_the_core(code):
    with pytest.raises(TypeError):
        eval(f"t.{code}", {"t": wengert, "x": wengert.ones(3), "i": wengert.arange(3)})
