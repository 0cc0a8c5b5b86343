"""Registries of callbacks whose entries can be removed by a handle."""

import itertools
import weakref

_ids = itertools.count()


class RemovableHandle:
    """A ticket for one registered callback; ``remove()`` (or leaving a ``with`` block) takes the callback out.

    The handle refers to its registry weakly, so keeping a handle does not keep an optimizer alive.
    """

    def __init__(self, registry):
        self.id = next(_ids)
        self._registry = weakref.ref(registry)

    def remove(self):
        """Take the callback out of its registry; doing so twice is harmless."""
        registry = self._registry()
        if registry is not None:
            registry.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.remove()


def register(registry, callback, prepend=False):
    """Add ``callback`` to an ``OrderedDict`` registry and return its handle."""
    handle = RemovableHandle(registry)
    registry[handle.id] = callback
    if prepend:
        registry.move_to_end(handle.id, last=False)
    return handle
