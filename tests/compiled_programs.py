"""Training programs rewritten so that they use `compile` where they can: their functions, their models, their steps.

A program is a file with `main(steps)`. Its syntax tree is changed in one of two ways, and the result runs like the program:

functions: every function and every outermost call of a module is compiled.
steps: the statements of every loop become functions of their own, which take what the loop gives them and return what
    they assign, and these are compiled; what surrounds the loop they close over, as a step written by hand would.
"""

import ast
import contextlib
import importlib.util
import sys
import warnings

import program_runner

import wengert
from wengert.func._levels import current_recorder
from wengert.graph import _compiled_module

JUMPS = (ast.Break, ast.Continue, ast.Return, ast.Yield, ast.YieldFrom, ast.Nonlocal, ast.Global, ast.Import)
SCOPES = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
READS = {"append", "item", "print", "float", "tolist", "assert", "extend", "numpy", "scheduler"}


def losses(path, kind, steps):
    """What main(steps) returns, and the compiled functions; `kind`: "plain", "functions" or "steps"."""
    made = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(wengert.as_torch())
        threads = wengert.get_num_threads()
        wengert.set_num_threads(1)
        stack.callback(wengert.set_num_threads, threads)
        stack.callback(program_runner._forget, path.parent, set(sys.modules))
        sys.path.insert(0, str(path.parent))
        stack.callback(sys.path.remove, str(path.parent))
        compiler = _Compiler(made)
        if kind == "functions":
            stack.enter_context(_compiled_modules(compiler))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        wengert.manual_seed(0)
        module = _load(path, kind, compiler)
        return [float(loss) for loss in module.main(steps)], made


class _Compiler:
    """Compiles each function once: a definition inside of a loop makes new ones."""

    def __init__(self, made):
        self.made = made
        self.modules = {}

    def __call__(self, fn):
        fast = wengert.compile(fn, exact=True)
        self.made.append(fast)
        return fast

    def module(self, module):
        found = self.modules.get(id(module))
        if found is None:
            fast = wengert.compile(module, exact=True)
            found = self.modules[id(module)] = fast, module
            self.made.append(fast._compiled)
        return found[0]


@contextlib.contextmanager
def _compiled_modules(compiler):
    """Outermost calls of modules run by plans."""
    plain = wengert.nn.Module.__call__
    busy = [False]
    inner = _compiled_module.__file__

    def call(self, *args, **kwargs):
        if busy[0] or current_recorder() is not None or sys._getframe(1).f_code.co_filename == inner:
            return plain(self, *args, **kwargs)
        busy[0] = True
        try:
            return plain(compiler.module(self), *args, **kwargs)
        finally:
            busy[0] = False

    wengert.nn.Module.__call__ = call
    try:
        yield
    finally:
        wengert.nn.Module.__call__ = plain


def _load(path, kind, compiler):
    name = f"program_{path.stem}"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if kind == "functions":
        tree = _Functions().visit(tree)
    elif kind == "steps":
        tree = _Steps().visit(tree)
    ast.fix_missing_locations(tree)
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(name, path))
    module._compiled_ = compiler
    sys.modules[name] = module
    exec(compile(tree, str(path), "exec"), vars(module))
    return module


# ---- functions -------------------------------------------------------------------------------------------------------


class _Functions(ast.NodeTransformer):
    """Decorates functions; those of classes are methods, which are left."""

    def visit_ClassDef(self, node):
        return node

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        yields = any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in ast.walk(node))
        if node.name != "main" and not yields:
            node.decorator_list.insert(0, ast.Name("_compiled_", ast.Load()))
        return node


# ---- steps -----------------------------------------------------------------------------------------------------------


class _Steps(ast.NodeTransformer):
    """Makes functions of the statements of loops, in functions that belong to no class."""

    def visit_ClassDef(self, node):
        return node

    def visit_FunctionDef(self, node):
        node.body = _Function(node).rewrite()
        return node


class _Function:
    """One function: what is a local name of it, and the functions made of its loops."""

    def __init__(self, node):
        self.node = node
        self.made = []
        self.taken = set()
        self.temporary = _loop_variables(node)

    def rewrite(self):
        """The statements of the function."""
        body = []
        for statement in self.node.body:
            body += self.outside(statement)
        # A name that a first iteration passes along before it has a value.
        arguments = {a.arg for a in ast.walk(self.node.args) if isinstance(a, ast.arg)}
        return [*[_set(name) for name in sorted(self.taken - arguments)], *body]

    def outside(self, statement):
        """A statement outside of loops; functions made of a loop stand before it."""
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            return [statement]
        if not isinstance(statement, (ast.For, ast.While)):
            self.inner(statement, self.outside)
            return [statement]
        self.changing = _stored([statement])
        statement.body = self.inside(statement.body)
        made, self.made = self.made, []
        return [*made, statement]

    def inner(self, statement, visit):
        for field in ("body", "orelse", "finalbody"):
            nested = getattr(statement, field, None)
            if nested:
                setattr(statement, field, [new for old in nested for new in visit(old)])

    def inside(self, body):
        """The statements of a loop: runs of those that may be functions become calls."""
        out, run = [], []
        for statement in body:
            if _fits(statement):
                run.append(statement)
                continue
            out += self.call(run)
            run = []
            if not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                for field in ("body", "orelse"):
                    if getattr(statement, field, None):
                        setattr(statement, field, self.inside(getattr(statement, field)))
            out.append(statement)
        return out + self.call(run)

    def call(self, run):
        """The call of a new function that does what `run` does."""
        if not run:
            return []
        name = f"_{self.node.name}_{run[0].lineno}"
        certain, read = set(), set()
        _walk(run, certain, read)
        stored = _stored(run) - self.temporary
        taken = sorted((read & self.changing) | (stored - certain))
        self.taken.update(taken)
        function = ast.parse(f"@_compiled_\ndef {name}({', '.join(taken)}): pass").body[0]
        results = ast.Tuple([ast.Name(s, ast.Load()) for s in sorted(stored)], ast.Load())
        function.body = [*run, ast.Return(results)]
        self.made.append(function)
        call = ast.Call(ast.Name(name, ast.Load()), [ast.Name(s, ast.Load()) for s in taken], [])
        if not stored:
            return [ast.Expr(call)]
        return [ast.Assign([ast.Tuple([ast.Name(s, ast.Store()) for s in sorted(stored)], ast.Store())], call)]


def _set(name):
    return ast.Assign([ast.Name(name, ast.Store())], ast.Constant(None))


def _fits(statement):
    """Whether a statement may go to a function: it jumps nowhere, and reads and prints nothing."""
    if isinstance(statement, (ast.Pass, ast.Assert, ast.FunctionDef, ast.ClassDef, ast.Delete)):
        return False
    for n in ast.walk(statement):
        name = n.id if isinstance(n, ast.Name) else n.attr if isinstance(n, ast.Attribute) else None
        if isinstance(n, JUMPS) or name in READS:
            return False
    return True


def _own(node):
    """The nodes of the same scope: not of functions and comprehensions inside."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*SCOPES, ast.Lambda)):
            continue
        if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
            continue
        yield from _own(child)


def _stored(statements):
    return {n.id for s in statements for n in _own(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _loads(node):
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} if node is not None else set()


def _walk(statements, certain, read):
    """Adds to `read` what is read before it is certain to be set, to `certain` what is set in any case."""
    for s in statements:
        if isinstance(s, (ast.For, ast.While)):
            read |= _loads(s.iter if isinstance(s, ast.For) else s.test) - certain
            inside = certain | (_stored([ast.Expr(s.target)]) if isinstance(s, ast.For) else set())
            _walk(s.body, inside, read)
            _walk(s.orelse, set(certain), read)
        elif isinstance(s, ast.If):
            read |= _loads(s.test) - certain
            yes, no = set(certain), set(certain)
            _walk(s.body, yes, read)
            _walk(s.orelse, no, read)
            certain |= yes & no
        elif isinstance(s, ast.With):
            for item in s.items:
                read |= _loads(item.context_expr) - certain
                certain |= _stored([item.optional_vars]) if item.optional_vars is not None else set()
            _walk(s.body, certain, read)
        elif isinstance(s, ast.Assign):
            targets = _stored(s.targets)
            read |= (_loads(s.value) | {n for t in s.targets for n in _loads(t)} - targets) - certain
            certain |= targets
        else:
            read |= _loads(s) - certain
            if isinstance(s, ast.AugAssign):
                certain |= _stored([s])


def _loop_variables(node):
    """Names that nothing but the head of loops sets, and nothing outside of these loops reads."""
    found, others = set(), set()

    def visit(n, heads):
        if isinstance(n, ast.For):
            mine = _stored([ast.Expr(n.target)])
            found.update(mine)
            visit(n.iter, heads)
            for child in [*n.body, *n.orelse]:
                visit(child, heads | mine)
            return
        if isinstance(n, ast.Name) and (isinstance(n.ctx, ast.Store) or n.id not in heads):
            others.add(n.id)
        for child in ast.iter_child_nodes(n):
            visit(child, heads)

    visit(node, frozenset())
    return found - others
