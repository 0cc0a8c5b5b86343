"""Modules and parameters in sequences and dictionaries."""

import itertools
import operator
from collections import OrderedDict
from collections.abc import Iterable, Mapping

import wengert

from .module import Module, _indented
from .parameter import Parameter


def _index(container, idx):
    """A valid non-negative position in `container`."""
    idx = operator.index(idx)
    if not -len(container) <= idx < len(container):
        raise IndexError(
            f"{type(container).__name__}: expected an index in [{-len(container)}, {len(container)}), got {idx}."
        )
    return idx % len(container)


class _ModuleRow(Module):
    """What Sequential and ModuleList share: children named by their position."""

    def _rebuild(self, modules):
        self._modules = {str(i): module for i, module in enumerate(modules)}

    def __getitem__(self, idx):
        return self._part(idx) if isinstance(idx, slice) else list(self._modules.values())[_index(self, idx)]

    def __setitem__(self, idx, module):
        self.register_module(str(_index(self, idx)), module)

    def __delitem__(self, idx):
        values = list(self._modules.values())
        if not isinstance(idx, slice):
            idx = _index(self, idx)
        del values[idx]
        self._rebuild(values)

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def append(self, module):
        """Add `module` at the end, by the next number that is free; return self."""
        number = next(n for n in itertools.count(len(self)) if str(n) not in self._modules)
        self.register_module(str(number), module)
        return self

    def insert(self, index, module):
        """Insert `module` before position `index`; return self where chaining makes sense."""
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        if not -len(self) <= index <= len(self):
            raise IndexError(f"Index out of range: {index}")
        values = list(self._modules.values())
        values.insert(index if index >= 0 else index + len(values), module)
        self._rebuild(values)
        return self

    def extend(self, modules):
        """Add every module of an iterable at the end; return self."""
        if not isinstance(modules, Iterable):
            raise TypeError(f"extend: expected an iterable of modules, got {type(modules).__name__}. Pass a list.")
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, key):
        """Remove the module at `key` and return it."""
        module = self[key]
        del self[key]
        return module

    def __iadd__(self, other):
        return self.extend(other)


class Sequential(_ModuleRow):
    """Modules called one after the other, from positional arguments or from one ordered dict of names.

    Example:
        >>> net = wengert.nn.Sequential(wengert.nn.Linear(4, 8), wengert.nn.ReLU(), wengert.nn.Linear(8, 2))
        >>> list(net(wengert.zeros(5, 4)).shape)
        [5, 2]
        >>> net[1:]
        Sequential(
          (1): ReLU()
          (2): Linear(in_features=8, out_features=2, bias=True)
        )
    """

    def __init__(self, *args):
        super().__init__()
        named = args[0].items() if len(args) == 1 and isinstance(args[0], Mapping) else enumerate(args)
        for name, module in named:
            self.register_module(str(name), module)

    def _part(self, places):
        """A Sequential of some of the modules, which keep their names, and so their keys in `state_dict`."""
        return type(self)(OrderedDict(list(self._modules.items())[places]))

    def __setitem__(self, idx, module):
        setattr(self, list(self._modules)[_index(self, idx)], module)

    def __add__(self, other):
        if not isinstance(other, Sequential):
            raise ValueError(
                f"Sequential.__add__: expected a Sequential, got {type(other).__name__}. Wrap it in one."
            )
        return Sequential(*self, *other)

    def __mul__(self, times):
        if not isinstance(times, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(times)}")
        if times <= 0:
            raise ValueError(f"Non-positive multiplication factor {times} for {type(self)}")
        return Sequential(*list(self) * times)

    __rmul__ = __mul__

    def __imul__(self, times):
        return self.extend(list(self * times)[len(self) :])

    def forward(self, input):
        for module in self._modules.values():
            input = module(input)
        return input


class ModuleList(_ModuleRow):
    """A list whose modules are registered.

    Example:
        >>> layers = wengert.nn.ModuleList(wengert.nn.Linear(3, 3) for _ in range(4))
        >>> len(layers), len(list(layers.parameters()))
        (4, 8)
    """

    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def _part(self, places):
        return type(self)(list(self)[places])

    def insert(self, index, module):
        """Insert `module` before position `index`, like `list.insert`."""
        values = list(self._modules.values())
        values.insert(index, module)
        self._rebuild(values)

    def __add__(self, other):
        return ModuleList(itertools.chain(self, other))

    def __repr__(self):
        """Equal neighbours are printed once, with their number."""
        if not len(self):
            return self._get_name() + "()"
        lines, first = [], 0
        for text, group in itertools.groupby(map(repr, self)):
            count = len(list(group))
            label = f"({first})" if count == 1 else f"({first}-{first + count - 1}): {count} x"
            lines.append(f"{label}: {_indented(text)}" if count == 1 else f"{label} {_indented(text)}")
            first += count
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


class ModuleDict(Module):
    """A dict whose modules are registered, in insertion order.

    Example:
        >>> acts = wengert.nn.ModuleDict({"relu": wengert.nn.ReLU(), "tanh": wengert.nn.Tanh()})
        >>> acts["relu"], "gelu" in acts
        (ReLU(), False)
    """

    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key):
        return self._modules[key]

    def __setitem__(self, key, module):
        self.register_module(key, module)

    def __delitem__(self, key):
        del self._modules[key]

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules)

    def __contains__(self, key):
        return key in self._modules

    def clear(self):
        """Remove every module."""
        self._modules.clear()

    def pop(self, key):
        """Remove the module under `key` and return it."""
        return self._modules.pop(key)

    def keys(self):
        """The keys."""
        return self._modules.keys()

    def items(self):
        """The pairs of key and module."""
        return self._modules.items()

    def values(self):
        """The modules."""
        return self._modules.values()

    def update(self, modules):
        """Add the modules of a mapping, or of an iterable of pairs."""
        if not isinstance(modules, Iterable):
            raise TypeError(
                f"ModuleDict.update should be called with an iterable of key/value pairs, but got"
                f" {type(modules).__name__}"
            )
        pairs = modules.items() if isinstance(modules, (Mapping, ModuleDict)) else modules
        for pair in pairs:
            if len(pair) != 2:
                raise ValueError(
                    f"ModuleDict.update: expected pairs, got an element of length {len(pair)}. Pass (key, module)."
                )
            self[pair[0]] = pair[1]


def _as_entry(value):
    """What a parameter container stores: a plain tensor becomes a parameter."""
    if isinstance(value, wengert.Tensor) and not isinstance(value, Parameter):
        return Parameter(value)
    return value


def _entry_repr(name, value, type_name):
    if not isinstance(value, wengert.Tensor):
        return f"({name}): Object of type: {type(value).__name__}"
    kind = "Parameter" if isinstance(value, Parameter) else type(value).__name__
    size = "x".join(str(n) for n in value.size())
    return f"({name}): {kind} containing: [{type_name(value)} of size {size}]"


class ParameterList(Module):
    """A list whose tensors are registered as parameters; other values are kept as they are.

    Example:
        >>> p = wengert.nn.ParameterList([wengert.zeros(2), wengert.zeros(3)])
        >>> len(p), [list(q.shape) for q in p.parameters()]
        (2, [[2], [3]])
    """

    def __init__(self, values=None):
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def __getitem__(self, idx):
        if isinstance(idx, slice):
            return type(self)(self[i] for i in range(*idx.indices(len(self))))
        return getattr(self, str(_index(self, idx)))

    def __setitem__(self, idx, value):
        setattr(self, str(_index(self, idx)), _as_entry(value))

    def __len__(self):
        return self._size

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __iadd__(self, values):
        return self.extend(values)

    def append(self, value):
        """Add `value` at the end; return self."""
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values):
        """Add every value of an iterable; return self."""
        if not isinstance(values, Iterable) or isinstance(values, wengert.Tensor):
            raise TypeError(
                f"ParameterList.extend should be called with an iterable, but got {type(values).__name__}"
            )
        for value in list(values):
            self.append(value)
        return self

    def extra_repr(self):
        return "\n".join("  " + _entry_repr(i, value, lambda t: t.dtype) for i, value in enumerate(self))

    def __call__(self, *args, **kwargs):
        raise RuntimeError("ParameterList should not be called.")


class ParameterDict(Module):
    """A dict whose tensors are registered as parameters; other values are kept as they are.

    Example:
        >>> p = wengert.nn.ParameterDict({"left": wengert.zeros(2)})
        >>> p["right"] = wengert.zeros(3)
        >>> list(p), len(list(p.parameters()))
        (['left', 'right'], 2)
    """

    def __init__(self, parameters=None):
        super().__init__()
        self._keys = {}  # in insertion order; the value itself where it is not a parameter
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key):
        return self._parameters[key] if key in self._parameters else self._keys[key]

    def __setitem__(self, key, value):
        if not isinstance(key, str):
            raise TypeError(
                f"Index given to ParameterDict cannot be used as a key as it is not a string (type is"
                f" '{type(key).__name__}')."
            )
        value = _as_entry(value)
        # Written past __setattr__: a key may be the name of a method ("values", "type") and is still a good key.
        if isinstance(value, Parameter):
            self._parameters[key] = value
            value = None
        else:
            self._parameters.pop(key, None)
        self._keys[key] = value

    def __delitem__(self, key):
        del self._keys[key]
        self._parameters.pop(key, None)

    def __len__(self):
        return len(self._keys)

    def __iter__(self):
        return iter(self._keys)

    def __reversed__(self):
        return reversed(list(self._keys))

    def __contains__(self, key):
        return key in self._keys

    def __or__(self, other):
        merged = self.copy()
        merged.update(other)
        return merged

    def __ror__(self, other):
        merged = ParameterDict(other)
        merged.update(self)
        return merged

    def __ior__(self, other):
        self.update(other)
        return self

    def copy(self):
        """A new ParameterDict with the same values."""
        return ParameterDict({key: self[key] for key in self._keys})

    def setdefault(self, key, default=None):
        """The value under `key`, which is set to `default` if missing."""
        if key not in self:
            self[key] = default
        return self[key]

    def get(self, key, default=None):
        """The value under `key`, or `default`."""
        return self[key] if key in self else default

    def clear(self):
        """Remove every value."""
        for key in list(self._keys):
            del self[key]

    def pop(self, key):
        """Remove the value under `key` and return it."""
        value = self[key]
        del self[key]
        return value

    def popitem(self):
        """Remove the last pair and return it."""
        key = next(reversed(self))
        return key, self.pop(key)

    def fromkeys(self, keys, default=None):
        """A new ParameterDict with `default` under every key."""
        return ParameterDict((key, default) for key in keys)

    def keys(self):
        """The keys."""
        return self._keys.keys()

    def items(self):
        """The pairs of key and value."""
        return ((key, self[key]) for key in self._keys)

    def values(self):
        """The values."""
        return (self[key] for key in self._keys)

    def update(self, parameters):
        """Add the values of a mapping, or of an iterable of pairs."""
        if not isinstance(parameters, Iterable):
            raise TypeError(
                f"ParametersDict.update should be called with an iterable of key/value pairs, but got"
                f" {type(parameters).__name__}"
            )
        pairs = parameters.items() if isinstance(parameters, (Mapping, ParameterDict)) else parameters
        if isinstance(parameters, Mapping) and not isinstance(parameters, OrderedDict):
            pairs = sorted(
                pairs, key=operator.itemgetter(0)
            )  # as PyTorch does: the order of parameters is the order of optimizer states
        for key, value in list(pairs):
            self[key] = value

    def extra_repr(self):
        return "\n".join("  " + _entry_repr(key, value, lambda t: t.type()) for key, value in self.items())

    def __call__(self, *args, **kwargs):
        raise RuntimeError("ParameterDict should not be called.")
