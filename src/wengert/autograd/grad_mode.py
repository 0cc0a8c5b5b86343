"""Recording on and off: context managers that are decorators too. The classes are compiled (core/api.pxi)."""

import functools
import inspect

from .. import _core
from .._core import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = [
    "enable_grad",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_grad_enabled",
]

is_grad_enabled = _core.grad_enabled
is_inference_mode_enabled = _core.is_inference


def _decorate(make, function):
    """A function that runs every call of `function` inside make(); a generator leaves the mode while it is
    suspended."""
    if inspect.isclass(function):
        raise TypeError(
            f"{make}: expected a function to decorate, got the class {function.__name__}. Decorate methods."
        )
    if inspect.isgeneratorfunction(function):
        return _decorate_generator(make, function)

    @functools.wraps(function)
    def run(*args, **kwargs):
        with make():
            return function(*args, **kwargs)

    return run


def _decorate_generator(make, function):
    @functools.wraps(function)
    def run(*args, **kwargs):
        generator = function(*args, **kwargs)
        try:
            with make():
                value = next(generator)
            while True:
                try:
                    sent = yield value
                except GeneratorExit:
                    with make():
                        generator.close()
                    raise
                except BaseException as error:
                    with make():
                        value = generator.throw(error)
                else:
                    with make():
                        value = generator.send(sent)
        except StopIteration as end:
            return end.value

    return run


_core.set_mode_decorator(_decorate)

FUNCTIONS = {name: globals()[name] for name in __all__}
