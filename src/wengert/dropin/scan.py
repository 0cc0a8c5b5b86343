"""Follows the names of torch through the syntax tree of a program.

Values are known as far as they are modules, classes and functions of the package, or tensors; everything else is
unknown, and nothing is said about it.
"""

import ast
import types

import wengert

from .names import Torch, module_of


class _Tensor:
    """Stands for a value that is a tensor."""


class _Method:
    """Stands for a bound method of a tensor."""

    def __init__(self, name):
        self.name = name


class _Object:
    """A module, class or function of ours with the name that programs know it by."""

    def __init__(self, name, value):
        self.name, self.value = name, value


_MAKERS = (
    "tensor as_tensor from_numpy zeros ones empty full eye arange linspace logspace rand randn randint randperm normal"
    " zeros_like ones_like empty_like full_like rand_like randn_like cat stack hstack vstack where einsum matmul mm bmm"
    " Tensor FloatTensor LongTensor DoubleTensor add sub mul div pow sum mean exp log sqrt abs sin cos tanh sigmoid"
    " softmax log_softmax relu clamp minimum maximum outer dot gather tril triu cumsum"
).split()
_LAYERS = (
    "linear conv1d conv2d conv_transpose2d relu gelu silu elu leaky_relu softmax log_softmax sigmoid tanh dropout"
    " embedding layer_norm batch_norm max_pool2d avg_pool2d pad normalize one_hot cross_entropy mse_loss l1_loss"
    " nll_loss binary_cross_entropy binary_cross_entropy_with_logits kl_div smooth_l1_loss interpolate softplus"
).split()
_METHODS = frozenset(
    (
        "view reshape transpose permute unsqueeze squeeze flatten expand repeat contiguous clone detach to float double"
        " long int half bool cpu cuda requires_grad_ zero_ fill_ add_ mul_ sub_ div_ copy_ clamp_ normal_ uniform_ t"
        " add sub mul div pow sum mean prod exp log sqrt rsqrt abs neg sin cos tanh sigmoid relu softmax log_softmax"
        " clamp matmul mm bmm argmax argmin cumsum gather scatter masked_fill index_select eq ne gt lt ge le type_as"
        " view_as expand_as norm std var tril triu flip roll floor ceil round sign square reciprocal T mT data grad"
    ).split()
)
_TYPES = (types.ModuleType, types.SimpleNamespace, type)


def known_names(owner):
    """The names that a module or class of torch, "torch.nn" or "torch.Tensor", has here."""
    found = find(owner)
    return dir(found) if found is not None else ()


def find(name):
    """The object behind a dotted name of torch, such as "torch.nn.Linear"; None where we have nothing."""
    if name == "torch":
        return Torch()
    owner, _, last = name.rpartition(".")
    if not owner:
        return module_of(name)
    found = module_of(name)
    return found if found is not None else getattr(find(owner), last, None)


def scan(tree, compiled=()):
    """Missing names of torch in a program, as (dotted name, line) in the order of the lines.

    Args:
        tree: the parsed program.
        compiled: packages whose import counts as missing.
    """
    guards = _guards(tree)
    walker = _Scan(compiled, guards, {})
    walker.block(tree.body, tree)
    return sorted(set(walker.missing), key=lambda need: need[1])


def _guards(tree):
    """Strings in hasattr and getattr with a default, and attributes that the program itself sets."""
    out = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            asks = node.func.id == "hasattr" or (node.func.id == "getattr" and len(node.args) == 3)
            if asks and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
                out.add(node.args[1].value)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            out.add(node.attr)
    return out


def _catches(handlers):
    """Whether one of the handlers catches what a missing name raises."""
    kinds = {"ImportError", "ModuleNotFoundError", "AttributeError", "NameError", "Exception", "BaseException"}
    for handler in handlers:
        if handler.type is None:
            return True
        if any(isinstance(n, ast.Name) and n.id in kinds for n in ast.walk(handler.type)):
            return True
    return False


def _never_here(test):
    """Whether a condition holds only with a GPU, or only for a type checker."""
    return ast.unparse(test).endswith(("cuda.is_available()", "mps.is_available()", "TYPE_CHECKING"))


class _Scan:
    """One scope of a program: module, class or function."""

    def __init__(self, compiled, guards, outer):
        self.compiled, self.guards = compiled, guards
        self.names = dict(outer)
        self.missing = []
        self.quiet = 0

    def block(self, body, scope):
        """Read the statements of a scope: imports first, then what can only be tensors, then everything."""
        for node in _inside(scope):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self.bind(node)
        self.find_tensors(scope)
        for statement in body:
            self.statement(statement)

    # imports

    def miss(self, name, line):
        if not self.quiet and name.rpartition(".")[2] not in self.guards:
            self.missing.append((name, line))

    def bind(self, node):
        """What an import makes of names; nothing is reported."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] not in ("torch", "functorch"):
                    self.names.pop(alias.asname or alias.name.partition(".")[0], None)
                    continue
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                self.names[alias.asname or name] = _Object(name, find(name))
        elif not node.level and (node.module or "").partition(".")[0] in ("torch", "functorch"):
            for alias in node.names:
                value = getattr(find(node.module), alias.name, None) or module_of(f"{node.module}.{alias.name}")
                self.names[alias.asname or alias.name] = _Object(f"{node.module}.{alias.name}", value)

    def imports(self, node):
        """Report what an import statement does not find."""
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        for name in modules:
            top = name.partition(".")[0]
            if getattr(node, "level", 0) or top not in ("torch", "functorch", *self.compiled):
                continue
            if top in self.compiled or find(name) is None:
                self.miss(name, node.lineno)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if alias.name != "*" and self.lacks(find(name), name, alias.name):
                        self.miss(f"{name}.{alias.name}", node.lineno)

    @staticmethod
    def lacks(owner, name, attribute):
        if getattr(getattr(owner, attribute, None), "stands_in", False):
            return True
        return not hasattr(owner, attribute) and module_of(f"{name}.{attribute}") is None

    # statements

    def statement(self, node):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            self.imports(node)
        elif isinstance(node, ast.Try):
            self.quiet += _catches(node.handlers)
            self.statements(node.body)
            self.quiet -= _catches(node.handlers)
            self.statements([*node.handlers, *node.orelse, *node.finalbody])
        elif isinstance(node, ast.If):
            self.value(node.test)
            self.quiet += _never_here(node.test)
            self.statements(node.body)
            self.quiet -= _never_here(node.test)
            self.statements(node.orelse)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self.scope(node)
        else:
            for child in ast.iter_child_nodes(node):
                self.statement(child) if not isinstance(child, ast.expr) else self.value(child)

    def statements(self, nodes):
        for node in nodes:
            self.statement(node)

    def scope(self, node):
        """A function or class: its decorators and defaults are read here, its body in a scope of its own."""
        for part in node.decorator_list:
            self.value(part)
        inner = _Scan(self.compiled, self.guards, self.names)
        inner.quiet = self.quiet
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                self.value(base)
        else:
            arguments = [
                *node.args.posonlyargs,
                *node.args.args,
                *node.args.kwonlyargs,
                node.args.vararg,
                node.args.kwarg,
            ]
            for argument in filter(None, arguments):
                annotation = self.value(argument.annotation) if argument.annotation is not None else None
                tensor = isinstance(annotation, _Object) and annotation.value is wengert.Tensor
                inner.names[argument.arg] = _Tensor() if tensor else None
            for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
                self.value(default)
        inner.block(node.body, node)
        self.missing += inner.missing

    def find_tensors(self, scope):
        """Names whose every assignment in the scope is a tensor, assuming so of all and dropping those that fail."""
        sites, others = {}, set()
        for node in _inside(scope):
            if isinstance(node, ast.Assign) and all(isinstance(t, ast.Name) for t in node.targets):
                for target in node.targets:
                    sites.setdefault(target.id, []).append(node.value)
        plain = {id(t) for n in _inside(scope) if isinstance(n, ast.Assign) for t in n.targets}
        for node in _inside(scope):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in plain:
                others.add(node.id)
        arguments = {name for name, value in self.names.items() if value is None}
        candidates = {name for name in sites if name not in others and name not in arguments}
        for name in (*sites, *others):
            if name not in candidates and not isinstance(self.names.get(name), _Object):
                self.names[name] = None
        self.names |= {name: _Tensor() for name in candidates}
        self.quiet += 1
        while True:
            failed = {n for n in candidates if not all(isinstance(self.value(v), _Tensor) for v in sites[n])}
            if not failed:
                break
            candidates -= failed
            self.names |= dict.fromkeys(failed)
        self.quiet -= 1

    # expressions

    def value(self, node):
        """What is known of an expression; reports attributes that are missing in it."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Attribute):
            return self.attribute(node, self.value(node.value))
        if isinstance(node, ast.Call):
            return self.call(node)
        if isinstance(node, ast.Lambda):
            inner = _Scan(self.compiled, self.guards, self.names)
            inner.quiet = self.quiet
            inner.names |= dict.fromkeys(a.arg for a in (*node.args.args, *node.args.kwonlyargs))
            inner.value(node.body)
            self.missing += inner.missing
            return None
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
            return self.comprehension(node)
        found = [self.value(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        known = [isinstance(part, _Tensor) for part in found]
        if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Compare)) and not isinstance(
            getattr(node, "op", 0), ast.Not
        ):
            return _Tensor() if any(known) else None
        if isinstance(node, ast.Subscript):
            return found[0] if known[0] else None
        return None

    def comprehension(self, node):
        inner = _Scan(self.compiled, self.guards, self.names)
        inner.quiet = self.quiet
        for part in node.generators:
            inner.value(part.iter)
            inner.names |= {n.id: None for n in ast.walk(part.target) if isinstance(n, ast.Name)}
            for test in part.ifs:
                inner.value(test)
        for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            inner.value(part)
        self.missing += inner.missing

    def attribute(self, node, owner):
        if isinstance(owner, _Tensor):
            if not hasattr(wengert.Tensor, node.attr):
                if isinstance(node.ctx, ast.Load):
                    self.miss(f"torch.Tensor.{node.attr}", node.lineno)
                return None
            if node.attr in ("T", "mT", "data", "grad"):
                return _Tensor()
            return _Method(node.attr)
        if not isinstance(owner, _Object) or not isinstance(owner.value, _TYPES):
            return None
        if isinstance(owner.value, type) and owner.value is not wengert.Tensor:
            return None
        name = f"{owner.name}.{node.attr}"
        if self.lacks(owner.value, owner.name, node.attr):
            if isinstance(node.ctx, ast.Load):
                self.miss(name, node.lineno)
            return None
        return _Object(name, getattr(owner.value, node.attr, None) or module_of(name))

    def call(self, node):
        function = self.value(node.func)
        for child in (*node.args, *(k.value for k in node.keywords)):
            self.value(child)
        if isinstance(function, _Method):
            return _Tensor() if function.name in _METHODS and not _returns_pair(function.name, node) else None
        if isinstance(function, _Object):
            owner, _, last = function.name.rpartition(".")
            if (owner == "torch" and last in _MAKERS) or (owner == "torch.nn.functional" and last in _LAYERS):
                return _Tensor()
        return None


def _returns_pair(name, node):
    """Whether a call gives several tensors: max and min along a dimension do."""
    return name in ("max", "min", "sort", "topk", "median", "mode") and bool(node.args or node.keywords)


def _inside(scope):
    """The nodes of a scope without those of scopes within it."""
    todo = list(ast.iter_child_nodes(scope))
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            todo += list(ast.iter_child_nodes(node))
