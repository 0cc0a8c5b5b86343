"""wengert.compile: a function is recorded while it runs, then run by the core as a plan."""

import functools
import inspect

_LAZY = {
    "generator function": inspect.isgeneratorfunction,
    "coroutine": inspect.iscoroutinefunction,
    "asynchronous generator": inspect.isasyncgenfunction,
}
_MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")


def compile(
    model=None,
    *,
    fullgraph=False,
    dynamic=None,
    backend="inductor",
    mode=None,
    options=None,
    disable=False,
    memory_budget=None,
    exact=False,
):
    """A function or module that runs as a plan once it has been recorded.

    The first calls of a signature (shapes, dtypes, Python values of the arguments) run as they are written and are
    recorded; when two recordings agree, later calls run the plan. Parameters, buffers, optimizer state and the random
    state are read and written in place, so code before and after sees one truth.

    Args:
        model: a function or an nn.Module; without it, a decorator is returned.
        fullgraph: raise where a call cannot be captured, instead of one warning and plain calls.
        disable: return the model as it is.
        memory_budget: the most bytes that a plan may use beside arguments, states and results. It is kept by computing
            again what is cheap instead of keeping it, with the same bits; `explain()` says what and at which cost. Where
            results need gradients, the forward plan, the backward plan and the values between them share it.
        exact: give the same bits as plain calls everywhere: softmax, losses, normalisations and attention written by hand
            are not replaced by the kernels that compute them.
        dynamic, backend, mode, options: taken for compatibility; a plan is made for each size.

    Returns:
        The compiled function (with `plans`, `reason` and `explain()`), or a module around the given one.

    Raises:
        TypeError: the model is not callable, or is a generator function or a coroutine.
        RuntimeError: an unknown mode, or mode and options at once.
        CompileError: with fullgraph, from a call that cannot be captured: a branch on a value, `.item()`, Python state that
            changes with every call.
        MemoryBudgetError: from the call that makes the plan: no schedule within the budget was found. The message names
            the smallest budget that was.

    Example:
        >>> import wengert
        >>> f = wengert.compile(lambda x: (x * 2).tanh())
        >>> for _ in range(3):
        ...     y = f(wengert.ones(3))
        >>> f.plans, y
        (1, tensor([0.9640, 0.9640, 0.9640]))
    """
    if model is None:
        return functools.partial(
            compile,
            fullgraph=fullgraph,
            dynamic=dynamic,
            backend=backend,
            mode=mode,
            options=options,
            disable=disable,
            memory_budget=memory_budget,
            exact=exact,
        )
    if not callable(model):
        raise TypeError(f"compile: expected a function or a module, got {type(model).__name__}.")
    for what, is_one in _LAZY.items():
        if is_one(model):
            raise TypeError(
                f"compile: expected a function that returns its results, got the {what} {model.__name__}. Compile what it "
                "calls for each item."
            )
    if mode is not None and mode not in _MODES:
        raise RuntimeError(f"compile: expected a mode among {', '.join(_MODES)}, got {mode!r}.")
    if mode is not None and options is not None:
        raise RuntimeError("compile: expected either mode or options, got both.")
    if disable:
        return model
    from .graph._compiled_module import compiled

    return compiled(model, fullgraph, memory_budget, exact)


FUNCTIONS = {"compile": compile}
METHODS = {}
