"""What a function can reach, and whether it has changed: the Python state behind a captured call.

A survey walks from a function through what it closes over, the globals that its code names, the classes and objects
behind its methods and its arguments, through modules, optimizers, containers and instances, near things first. It keeps
what every container on the way holds. `changes()` compares: nothing but values of tensors may differ between two calls
of a plan.
"""

import collections
import functools
import random
import types

import numpy as np

from .. import _core
from .._parameter import PLAIN
from ..nn.module import Module
from ..optim.lr_scheduler import LRScheduler
from ..optim.optimizer import Optimizer
from ._numbers import Slot
from ._reach import cells_of, classes_of, globals_of, is_library, is_own, members_of, slots_of

_Tensor = _core.Tensor
_LIMIT = 20_000  # objects
_ITEMS = 1_000  # of one container whose items are looked at too
_HELD = 100_000  # of one container that is compared
_BYTES = 1 << 22  # of an array that is compared
_REGISTRIES = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set")
_FIXED = (int, float, complex, str, bytes, bool, type(None), range, types.ModuleType, types.BuiltinFunctionType)
_ITERATORS = (types.GeneratorType, types.CoroutineType, map, filter, zip)


class _Missing:
    pass


class Survey:
    """The state that `roots` (pairs of a name and an object) can reach.

    Attributes:
        tensors: every tensor met, in order.
        groups: parameter groups of the optimizers met.
        unseen: the name of something whose state cannot be compared, or None.
    """

    def __init__(self, roots):
        self.tensors = []
        self.groups = []  # (name, group)
        self.unseen = None
        self._held = []  # (container, what it held)
        self._labels = []  # names of these containers
        self._named = []  # (scope, name, value)
        self._draws = [("random", random.getstate, random.getstate())]  # (name, state of a generator, value)
        self._draws.append(("numpy.random", _numpy_state, _numpy_state()))
        self._scopes = set()
        self._kinds = set()  # of the modules met
        self._apart = set()  # ids of containers whose numbers are not followed
        seen = self.seen = {}
        todo = collections.deque(roots)
        while todo and len(seen) < _LIMIT:
            name, value = todo.popleft()
            if isinstance(value, _FIXED) or id(value) in seen:
                continue
            seen[id(value)] = value
            todo.extend(self._visit(name, value))
        self._forms = Forms(self.tensors)

    # ---- walking ---------------------------------------------------------------------------------------------

    def _visit(self, name, value):
        """Keeps what an object holds; pairs of names and objects behind it."""
        if isinstance(value, _Tensor):
            return self._tensor(name, value)
        if isinstance(value, types.FunctionType):
            return self._function(name, value)
        if isinstance(value, types.MethodType):
            return [(name.rpartition(".")[0] or "self", value.__self__), (name, value.__func__)]
        if isinstance(value, type):
            return self._class(name, value)
        if isinstance(value, Optimizer):
            return self._optimizer(name, value)
        if isinstance(value, Module):
            return self._module(name, value)
        if isinstance(value, (list, tuple, set, frozenset, collections.deque)):
            return self._items(name, value)
        if isinstance(value, dict):
            return self._dict(name, value, ((f"{name}[{k!r}]", v) for k, v in value.items())) + self._instance(
                name, value
            )
        if isinstance(value, functools.partial):
            return [(name, value.func), (f"{name}()", value.args), (f"{name}()", value.keywords)]
        if isinstance(value, (np.ndarray, np.random.Generator, np.random.RandomState, random.Random)):
            return self._numbers(name, value)
        return self._other(name, value)

    def _tensor(self, name, t):
        self.tensors.append(t)
        fields = None if _core.payload(t) is not None else _core.attributes_of(t)
        found = [] if not fields else self._dict(name, fields, ((f"{name}.{k}", v) for k, v in fields.items()))
        return found if type(t) in PLAIN else [*found, (name, type(t))]

    def _keep(self, name, container):
        self._held.append((container, _core.held_by(container)))
        self._labels.append(name)

    def _dict(self, name, fields, items):
        if len(fields) > _HELD:
            return []
        self._keep(name, fields)
        return list(items) if len(fields) <= _ITEMS else []

    def _items(self, name, container):
        if len(container) > _HELD:
            return []
        if isinstance(container, list):
            self._keep(name, container)
        elif not isinstance(container, (tuple, frozenset)):
            self._keep(name, functools.partial(tuple, container))
        if len(container) > _ITEMS:
            return []
        return [(f"{name}[{k}]", v) for k, v in enumerate(container)]

    def _numbers(self, name, value):
        if isinstance(value, np.ndarray):
            if value.nbytes <= _BYTES:
                self._keep(name, functools.partial(_content, value))
        else:
            state = functools.partial(_state_of, value)
            self._draws.append((name, state, state()))
        return []

    def _module(self, name, module):
        """One dict holds what a module consists of: parameters, buffers and children are attributes too."""
        fields = module.__dict__
        self._keep(name, fields)
        found = [
            (f"{name}.{k}", v) for k, v in fields.items() if not isinstance(v, _FIXED) and k not in _REGISTRIES
        ]
        for hooks in (module._hooks, module._hooks_of_all):
            if hooks is not None:
                found.extend((f"{name} hooks", getattr(hooks, kind)) for kind in hooks.__slots__)
        if type(module) not in self._kinds:
            self._kinds.add(type(module))
            found.extend((name, c) for c in classes_of(type(module)))
        return found

    def _function(self, name, function):
        if is_library(function.__module__):
            return []
        self._keep(name, function)
        found = []
        for variable, cell in cells_of(function):
            self._keep(variable, cell)
            found.extend((variable, v) for v in _core.held_by(cell))
        for scope, variable, value in globals_of(function):
            if (id(scope), variable) not in self._scopes:
                self._scopes.add((id(scope), variable))
                self._named.append((scope, variable, value))
                found.append((variable, value))
        found.extend((f"{name}()", v) for v in function.__defaults__ or ())
        found.extend((f"{name}()", v) for v in (function.__kwdefaults__ or {}).values())
        return found

    def _class(self, name, cls):
        found = []
        for c in classes_of(cls):
            if c is not cls:
                found.append((name, c))
                continue
            self._keep(c.__name__, _core.class_dict(c))
            self._apart.add(id(_core.class_dict(c)))
            found.extend((f"{c.__name__}.{k}", v) for k, v in members_of(c))
        return found

    def _optimizer(self, name, optimizer):
        # Another state or other groups, as load_state_dict sets them, are other dicts and lists.
        self._keep(name, optimizer.__dict__)
        self._apart.add(id(optimizer.__dict__))
        self._keep(f"{name}.param_groups", optimizer.param_groups)
        found = []
        for k, group in enumerate(optimizer.param_groups):
            self.groups.append((f"{name}.param_groups[{k}]", group, _core.held_by(group)))
            found.append((f"{name}.param_groups[{k}]['params']", group["params"]))
        if is_library(type(optimizer).step.__module__):
            return found
        self._keep(f"{name}.state", optimizer.state)
        for k, state in enumerate(optimizer.state.values()):
            if isinstance(state, dict):
                self._keep(f"{name}.state[{k}]", state)
        return [*found, *[(name, c) for c in classes_of(type(optimizer))]]

    def _other(self, name, value):
        """An instance: its attributes, its slots and its class."""
        reaches = getattr(type(value), "reaches", None)
        if is_own(value) and reaches is not None:
            return reaches(value)
        if is_own(value) and type(value).__module__.startswith("wengert.graph"):
            return []
        if isinstance(value, _ITERATORS) or _is_iterator(value):
            self.unseen = self.unseen or name
            return []
        return self._instance(name, value)

    def _instance(self, name, value):
        found = []
        fields = getattr(value, "__dict__", None)
        if isinstance(fields, dict):
            if is_own(value) and not isinstance(value, LRScheduler):  # which computes with any kind of number
                self._apart.add(id(fields))
            found = self._dict(name, fields, ((f"{name}.{k}", v) for k, v in fields.items()))
        slots = slots_of(type(value))
        if slots:
            read = functools.partial(_slot_values, value, slots)
            self._keep(name, read)
            found.extend(zip([f"{name}.{k}" for k in slots], read(), strict=True))
        return [*found, *[(name, c) for c in classes_of(type(value))]]

    # ---- what a plan takes over ------------------------------------------------------------------------------

    def containers(self):
        """The dicts and lists that hold what the call can reach."""
        return [container for container, _ in self._held] + [group for _, group, _ in self.groups]

    def keep_options(self, passed):
        """Watches the options of every group but those in `passed`, whose options are read anew by each run."""
        for name, group, held in self.groups:
            if not any(group is other for other in passed):
                self._held.append((group, held))
                self._labels.append(name)
        self.groups.clear()

    def keep_gradients(self, tensors):
        """Of leaves other than these it does not matter whether they have gradients."""
        self._forms.keep_gradients({id(t) for t in tensors})

    # ---- numbers that are followed ---------------------------------------------------------------------------

    def changed_numbers(self, passed=()):
        """The slots of ints and floats that are not as they were, but for the options of groups in `passed`; None where
        anything else is not."""
        slots = []
        groups = [(group, held) for _, group, held in self.groups if not any(group is other for other in passed)]
        for scope, key, value in self._named:
            now = scope.get(key, _Missing)
            if differs(now, value):
                if not _both_numbers(now, value):
                    return None
                slots.append(Slot(scope, key))
        for container, held in [*self._held, *groups]:
            if _core.first_changed([(container, held)], [], differs) is not None:
                found = None if id(container) in self._apart else _changed_slots(container, held)
                if found is None:
                    return None
                slots += found
        moved = self._forms.changes() or any(state() != value for _, state, value in self._draws)
        return None if moved else slots

    def replaced(self):
        """What lies elsewhere than it did in dicts that hold what they held: (dict, key, what was there, what is there)."""
        found = []
        for container, held in self._held:
            if not isinstance(container, dict) or id(container) in self._apart:
                continue
            if _core.first_changed([(container, held)], [], differs) is None:
                continue
            now = _core.held_by(container)
            if len(now) == len(held) and all(a is b for a, b in zip(now[::2], held[::2], strict=True)):
                rows = zip(now[::2], held[1::2], now[1::2], strict=True)
                found += [(container, key, a, b) for key, a, b in rows if a is not _core.anything and differs(a, b)]
        return found

    def loosen(self, slots):
        """What lies in these slots may change."""
        for slot in slots:
            self._named = [
                (scope, key, _core.anything if slot.container is scope and slot.key == key else value)
                for scope, key, value in self._named
            ]
            for k, (container, held) in enumerate(self._held):
                if container is slot.container:
                    self._held[k] = container, _loosened(container, held, slot.key)
            for k, (name, group, held) in enumerate(self.groups):
                if group is slot.container:
                    self.groups[k] = name, group, _loosened(group, held, slot.key)

    # ---- comparing -------------------------------------------------------------------------------------------

    def changes(self):
        """Names of what the call has changed, beside values of tensors and gradients."""
        found = [
            name
            for scope, name, value in self._named
            if value is not _core.anything and differs(scope.get(name, _Missing), value)
        ]
        groups = [(name, group, held) for name, group, held in self.groups]
        for name, container, held in [
            *[(n, *pair) for n, pair in zip(self._labels, self._held, strict=True)],
            *groups,
        ]:
            if _core.first_changed([(container, held)], [], differs) is not None:
                found.append(_where(name, container, held))
        found += self._forms.changes()
        found += [f"the random numbers of {name}" for name, state, value in self._draws if state() != value]
        return found

    def has_forms(self):
        """Whether tensors are what they were, beside their values: leaves have gradients and ask for them as they did."""
        return self._forms.hold()

    def holds(self):
        """Whether nothing has changed, and leaves have gradients and ask for them as they did."""
        return _core.first_changed(self._held, self._named, differs) is None and self._forms.hold()


class Forms:
    """What tensors are beside their values: shape, strides, dtype, memory, hooks, whether gradients are wanted and there."""

    def __init__(self, tensors):
        self.rows = [_core.Form(t) for t in tensors]
        self._memory = [_core.storage_address(t)[0] if t.numel() else 0 for t in tensors]

    def keep_gradients(self, mine):
        """Of tensors other than these (by id) it does not matter whether they have gradients."""
        for form in self.rows:
            if id(form.tensor) not in mine:
                form.forget_gradient()

    def changes(self):
        """What a call has changed, without gradients, in words."""
        found = []
        for form, address in zip(self.rows, self._memory, strict=True):
            t = form.tensor
            if form.wants_otherwise():
                found.append(f"requires_grad of a tensor of shape {form.shape}")
            if form.changed() or t.numel() and _core.storage_address(t)[0] != address:
                found.append(f"the memory of a tensor of shape {form.shape}")
        return found

    def hold(self):
        """Whether all is as it was, but where the memory lies: a run looks that up."""
        return _core.forms_hold(self.rows)


def differs(a, b):
    """Whether two values, in general two objects, are not the same to a function that reads them."""
    if a is b:
        return False
    if type(a) is not type(b) or not isinstance(a, _FIXED):
        return True
    return repr(a) != repr(b) if isinstance(a, (float, complex)) else a != b


def _both_numbers(a, b):
    return type(a) is type(b) and type(a) in (int, float)


def _changed_slots(container, held):
    """The slots of a dict, list or cell in which numbers have changed; None where anything else has."""
    now = _core.held_by(container)
    if len(now) != len(held) or not isinstance(container, (dict, list, types.CellType)):
        return None
    keyed = isinstance(container, dict)
    slots = []
    for k, (a, b) in enumerate(zip(now, held, strict=True)):
        if b is _core.anything or not differs(a, b):
            continue
        if keyed and not k % 2 or not _both_numbers(a, b):
            return None
        slots.append(Slot(container, now[k - 1] if keyed else k))
    return slots


def _loosened(container, held, key):
    """What a container held, with `anything` in the place of one of its values."""
    held = list(held)
    places = range(0, len(held), 2) if isinstance(container, dict) else ()
    place = next((k + 1 for k in places if held[k] == key), key)
    held[place] = _core.anything
    return tuple(held)


def _is_iterator(value):
    """Iterators of the interpreter: where they are cannot be seen."""
    return type(value).__module__ in ("builtins", "itertools") and hasattr(type(value), "__next__")


def _content(array):
    return repr(array.shape), array.dtype.str, array.tobytes()


def _numpy_state():
    return _plain(np.random.get_state())


def _state_of(generator):
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, np.random.RandomState):
        return _plain(generator.get_state())
    return repr(generator.bit_generator.state)


def _plain(state):
    return tuple(v.tobytes() if isinstance(v, np.ndarray) else v for v in state)


def _slot_values(value, slots):
    return tuple([getattr(value, name, _Missing) for name in slots])


def _where(name, container, held):
    """The name of the entry that differs, where one entry alone can be named."""
    if isinstance(container, dict):
        before = dict(zip(held[::2], held[1::2], strict=True))
        keys = [k for k in {**before, **container} if differs(container.get(k, _Missing), before.get(k, _Missing))]
        if len(keys) == 1:
            known = isinstance(keys[0], str) and not name.endswith("]")
            return f"{name}.{keys[0]}" if known else f"{name}[{keys[0]!r}]"
    return name
