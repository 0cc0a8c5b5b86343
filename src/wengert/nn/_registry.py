"""The dictionaries behind a module's parameters, buffers and children.

A plain `module.weight` must be found in the instance dictionary: a miss there followed by `Module.__getattr__`
costs ten times as much,
on every forward pass. So each registry repeats its entries in the owner's instance dictionary, whoever writes to it
and however.
"""

import weakref
from collections.abc import Mapping

NAMES = ("_parameters", "_buffers", "_modules")
_ABSENT = object()


class Registry(dict):
    """A dict whose entries are also attributes of the module that owns it (held weakly, so no reference cycle
    arises).

    A name that the owner's class defines keeps the meaning that the class gives it.
    """

    __slots__ = ("_owner",)

    def __init__(self, owner, entries=()):
        self._owner = weakref.ref(owner)
        self.update(entries)

    def __setitem__(self, key, value):
        dict.__setitem__(self, key, value)
        owner = self._owner()
        if owner is not None and not hasattr(type(owner), key):
            owner.__dict__[key] = value

    def __delitem__(self, key):
        dict.__delitem__(self, key)
        owner = self._owner()
        if owner is not None:
            owner.__dict__.pop(key, None)

    def update(self, entries=(), /, **named):
        pairs = entries.items() if isinstance(entries, Mapping) else entries
        for key, value in pairs:
            self[key] = value
        for key, value in named.items():
            self[key] = value

    def __ior__(self, entries):
        self.update(entries)
        return self

    def setdefault(self, key, default=None):
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key, default=_ABSENT):
        if key not in self and default is not _ABSENT:
            return default
        value = self[key]
        del self[key]
        return value

    def popitem(self):
        key = next(reversed(self), _ABSENT)
        if key is _ABSENT:
            raise KeyError("popitem: expected a registry with entries, got an empty one.")
        return key, self.pop(key)

    def clear(self):
        for key in list(self):
            del self[key]

    def copy(self):
        """A plain dict of the entries, tied to no module."""
        return dict(self)

    def __copy__(self):
        return dict(self)

    def __reduce_ex__(self, protocol):
        # Pickles and deep copies carry the entries alone; Module.__setstate__ ties them to the new owner.
        return dict, (dict(self),)
