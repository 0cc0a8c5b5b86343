"""Hands the op table to the core, checks that both agree, and publishes the callables.

`OPS` maps the name of every row to its callable. Rows with public=True become functions of the package and methods of
Tensor; rows with inplace=True also get `name_`. Overloads that one signature cannot say (sum over all or some
dimensions, max of one or two tensors) are Python functions in the modules `_creation`, `_shaping`, `_rearranging`,
`_diagonals`, `_reduction`, `_ordering`, `_indexing`, `_scattering`, `_masks`, `_linalg`, `_functional` and so on; each lists
what it publishes in FUNCTIONS (package names) and METHODS (of Tensor).
"""

import functools
from types import FunctionType

from . import _core
from ._published import published, published_method
from .ops import TABLE, trace_rule


def _bind():
    ops = {}
    for row in TABLE.values():
        entry = _core.register(row)
        if row.slot:
            _core.bind_slot(row.slot, entry)
        ops[row.name] = _core.make_op(entry)
    missing = _core.unbound_slots()
    if missing:
        raise ImportError(f"op table: no row for the operators {missing}")
    _core.set_tracer(trace_rule)
    return ops


OPS = _bind()


COMPOSED = {}  # name of a row with composed=True -> what computes its results from ops with rules


def composed(name):
    """Decorates what computes the results of a row with composed=True from ops with rules: f(operands, attributes)."""

    def enter(function):
        if not TABLE[name].composed:
            raise ImportError(f"op table: the row {name!r} does not say composed=True")
        COMPOSED[name] = function
        _core.set_composed(name, function)
        return function

    return enter


def inplace_method(name):
    """The method `name_` of a row: x.name_(*operands, *attributes)."""
    op = OPS[name]
    entry, row = op.entry, op.row
    nin, fields, defaults = len(row.inputs) - 1, row.fields, row.defaults
    run = _core.inplace

    if not fields and nin == 0:

        def method(self):
            return run(entry, self, (), ())

    elif not fields and nin == 1 and (row.numbers is None or 1 in row.numbers):

        def method(self, other):
            return run(entry, self, (other,), ())

    elif not fields and nin == 1:

        def method(self, other):
            op.check((self, other))
            return run(entry, self, (other,), ())

    else:
        names = row.args[1:] + fields

        def method(self, *args, **kwargs):
            values = list(args)
            for k in range(len(args), len(names)):
                if names[k] in kwargs:
                    values.append(kwargs.pop(names[k]))
                elif k >= nin:
                    values.append(defaults[k - nin])
                else:
                    raise TypeError(f"{name}_: expected an argument {names[k]!r}, got none.")
            if kwargs or len(values) > len(names):
                raise TypeError(f"{name}_: expected arguments {names}, got {args} and {sorted(kwargs)}.")
            op.check([self, *values[:nin]])
            return run(entry, self, values[:nin], values[nin:])

    method.__name__ = name + "_"
    method.__qualname__ = f"Tensor.{name}_"
    method.__doc__ = f"In-place form of {name}: writes the result to the tensor and returns it."
    return method


def public_ops():
    """Names and callables of the public rows."""
    return {name: op for name, op in OPS.items() if op.row.public}


def attach(functions, methods, namespace):
    """Publishes functions in the package's namespace and methods on Tensor."""
    for name, function in functions.items():
        namespace[name] = published(name, function)
    for name, method in methods.items():
        place = f"Tensor.{name}"
        setattr(_core.Tensor, name, published_method(place, as_method(place, method, name in functions)))


def as_method(place, function, twofold=True):
    """What binds to a tensor, for an op; a second object for what is a function of the package too (`twofold`):
    `torch.add` and `torch.Tensor.add` are told apart."""
    if isinstance(function, _core.Op):
        return _core.OpMethod(function.entry)
    if twofold and type(function) is FunctionType:
        twin = FunctionType(
            function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
        )
        functools.update_wrapper(twin, function, updated=())
        twin.__kwdefaults__ = function.__kwdefaults__
        twin.__qualname__, twin.__module__ = place, __package__
        return twin
    return function


def attach_ops(namespace):
    """Publishes the public rows and the in-place forms."""
    for name, op in public_ops().items():
        namespace[name] = op
        setattr(_core.Tensor, name, as_method(f"Tensor.{name}", op))
    for name, op in OPS.items():
        if op.row.inplace:
            method = inplace_method(name)
            namespace[name + "_"] = published(name + "_", method)
            setattr(_core.Tensor, name + "_", as_method(f"Tensor.{name}_", method))
