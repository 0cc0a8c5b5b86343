"""What a function can reach, and whether it has changed: the Python state behind a captured call.

A survey walks from a function through what it closes over, the globals that its code names, the objects behind its
methods and its arguments, through modules, optimizers, containers and instances. It keeps a shallow copy of every
dict and list on the way. `changes()` compares: nothing but values of tensors may differ between two calls of a plan.
"""

import types

from .. import _core
from ..nn.module import Module
from ..optim.optimizer import Optimizer

_Tensor = _core.Tensor
_LIMIT = 20_000  # objects
_ITEMS = 1_000  # of one container
_REGISTRIES = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set")
_FIXED = (int, float, complex, str, bytes, bool, type(None), type, types.ModuleType, types.BuiltinFunctionType)


def _own(name):
    return (name or "").partition(".")[0] == "wengert"


class _Missing:
    pass


class Survey:
    """The state that `roots` (pairs of a name and an object) can reach.

    Attributes:
        tensors: every tensor met, in order.
        groups: parameter groups of the optimizers met.
    """

    def __init__(self, roots):
        self.tensors = []
        self.groups = []
        self._boxes = []  # (name, container, copy)
        self._names = []  # (name, dict, key, value): globals
        self._cells = []  # (name, cell, value)
        self._seen = {}
        todo = list(roots)
        while todo and len(self._seen) < _LIMIT:
            name, value = todo.pop()
            if isinstance(value, _FIXED) or id(value) in self._seen:
                continue
            self._seen[id(value)] = value
            todo.extend(self._visit(name, value))
        self._leaves = [
            (t, t.requires_grad, t.grad is None, t.dtype, t.shape, _core.hooks_of(t))
            for t in self.tensors
            if t.is_leaf
        ]

    def _visit(self, name, value):
        if isinstance(value, _Tensor):
            self.tensors.append(value)
            return ()
        if isinstance(value, types.FunctionType):
            return self._function(name, value)
        if isinstance(value, types.MethodType):
            return [(name.rpartition(".")[0] or "self", value.__self__), (name, value.__func__)]
        if isinstance(value, Optimizer):
            return self._optimizer(name, value)
        if isinstance(value, Module):
            return self._module(name, value)
        if isinstance(value, (list, tuple, set, frozenset)):
            return self._items(name, value, ((f"{name}[{k}]", v) for k, v in enumerate(value)))
        if isinstance(value, dict):
            return self._items(name, value, ((f"{name}[{k!r}]", v) for k, v in value.items()))
        fields = getattr(value, "__dict__", None)
        if fields is None or _own(type(value).__module__):
            return ()
        return self._items(name, fields, ((f"{name}.{k}", v) for k, v in fields.items()))

    def _module(self, name, module):
        """One dict holds what a module consists of: parameters, buffers and children are attributes too."""
        fields = module.__dict__
        self._boxes.append((name, fields, fields.copy()))
        found = [(f"{name}.{k}", v) for k, v in fields.items() if k not in _REGISTRIES]
        if module._hooks is not None:
            found.extend((f"{name} hooks", getattr(module._hooks, kind)) for kind in module._hooks.__slots__)
        return [*found, (f"{name}.forward", type(module).forward)]

    def _items(self, name, container, items):
        if len(container) > _ITEMS:
            return ()
        if not isinstance(container, (tuple, frozenset)):
            self._boxes.append((name, container, container.copy()))
        return list(items)

    def _function(self, name, function):
        if _own(function.__module__):
            return ()
        found = []
        for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                value = cell.cell_contents
            except ValueError:
                continue
            self._cells.append((variable, cell, value))
            found.append((variable, value))
        for variable in _global_names(function.__code__):
            value = function.__globals__.get(variable, _Missing)
            if value is not _Missing:
                self._names.append((variable, function.__globals__, variable, value))
                found.append((variable, value))
        found.extend((f"{name}()", v) for v in function.__defaults__ or ())
        found.extend((f"{name}()", v) for v in (function.__kwdefaults__ or {}).values())
        return found

    def _optimizer(self, name, optimizer):
        # Another state or other groups, as load_state_dict sets them, are other dicts and lists.
        self._boxes.append((name, optimizer.__dict__, optimizer.__dict__.copy()))
        self._boxes.append((f"{name}.param_groups", optimizer.param_groups, optimizer.param_groups.copy()))
        found = []
        for k, group in enumerate(optimizer.param_groups):
            self.groups.append((f"{name}.param_groups[{k}]", group))
            found.append((f"{name}.param_groups[{k}]['params']", group["params"]))
        return found

    def keep_options(self, passed):
        """Watches the options of every group but those in `passed`, whose options are read anew by each run."""
        mine = [group for group in passed]
        for name, group in self.groups:
            if not any(group is other for other in mine):
                self._boxes.append((name, group, group.copy()))

    def keep_gradients(self, tensors):
        """Of leaves other than these it does not matter whether they have gradients."""
        mine = {id(t) for t in tensors}
        self._leaves = [
            (t, wanted, bare if id(t) in mine else None, *rest) for t, wanted, bare, *rest in self._leaves
        ]

    def changes(self):
        """Names of what has changed, without values of tensors and gradients."""
        found = [name for name, cell, value in self._cells if _differs(cell.cell_contents, value)]
        found += [name for name, scope, key, value in self._names if _differs(scope.get(key, _Missing), value)]
        for name, box, copy in self._boxes:
            if not _same(box, copy):
                found.append(_where(name, box, copy))
        return found

    def holds(self):
        """Whether nothing has changed, and leaves have gradients and ask for them as they did."""
        for _, box, copy in self._boxes:
            if not _same(box, copy):
                return False
        for _, scope, key, value in self._names:
            if scope.get(key) is not value and _differs(scope.get(key, _Missing), value):
                return False
        for _, cell, value in self._cells:
            if cell.cell_contents is not value and _differs(cell.cell_contents, value):
                return False
        for t, wanted, bare, dtype, shape, hooks in self._leaves:
            if t.requires_grad is not wanted or t.dtype is not dtype or t.shape != shape:
                return False
            if _core.hooks_of(t) != hooks:
                return False
            if bare is not None and (t.grad is None) is not bare:
                return False
        return True


def _global_names(code):
    names = dict.fromkeys(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names.update(dict.fromkeys(_global_names(constant)))
    return names


def _same(box, copy):
    try:
        return len(box) == len(copy) and box == copy
    except (RuntimeError, ValueError):  # tensors or arrays that are not the same objects
        return False


def _differs(a, b):
    if a is b:
        return False
    return type(a) is not type(b) or not isinstance(a, _FIXED) or a != b


def _where(name, box, copy):
    """The name of the entry that differs, where one entry alone can be named."""
    if isinstance(box, dict):
        keys = [k for k in {**copy, **box} if _differs(box.get(k, _Missing), copy.get(k, _Missing))]
        if len(keys) == 1:
            known = isinstance(keys[0], str) and not name.endswith("]")
            return f"{name}.{keys[0]}" if known else f"{name}[{keys[0]!r}]"
    return name
