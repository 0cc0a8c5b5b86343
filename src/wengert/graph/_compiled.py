"""Functions that run by plans: signatures, what they depend on, and when a call runs plainly instead."""

import contextlib
import functools
import sys
import types
import weakref

from .. import _core
from .._parameter import PLAIN
from .._warn import warn
from ..autograd import grad
from ..autograd.function import Function
from ..autograd.grad_mode import enable_grad, no_grad
from ..func._levels import current_recorder, is_tensor, payload
from ..func._trees import numbers, unflatten
from ._budget import MemoryBudgetError, checked
from ._call_trees import flatten
from ._capture import difference, holds_tensors, record_call
from ._collector import collector_resting
from ._numbers import Varying
from ._page import Page
from ._places import draws_in
from ._plan import Plan, assemble
from ._split import Halves

_TRIES = 5  # recordings of one signature, two equal ones in a row wanted
_CASES = 32  # plans of one function


class CompileError(RuntimeError):
    """A call that cannot be captured, of a function compiled with fullgraph=True."""


class _Case:
    """One signature of a function, in one state of what it depends on."""

    __slots__ = (
        "arguments",
        "book",
        "freed",
        "joint",
        "last",
        "left",
        "places",
        "plan",
        "stepped",
        "survey",
        "ties",
        "tries",
    )

    def __init__(self):
        self.arguments = None  # which the plan takes
        self.ties = self.places = None  # see Recording
        self.plan = None
        self.stepped = ()  # (state of an optimizer, its length, its first entry): others may clear it
        self.joint = None
        self.freed = self.left = None  # see Recording
        self.survey = None
        self.last = None  # the latest recording, until a plan is made
        self.book = None  # followed numbers
        self.tries = 0

    def changed_numbers(self):
        """The slots of numbers that are not as they were, where nothing else has changed."""
        survey = self.survey or self.last and self.last.survey
        return survey.changed_numbers(self.passed()) if survey else None

    def passed(self):
        """The groups of optimizers whose options each run reads anew."""
        graph = self.plan.graph if self.plan is not None else self.last and self.last.graph
        return [] if graph is None else [node.payload.group for node in graph.nodes if node.op == "update"]

    def may_repeat(self, leaves):
        """Whether a call may agree with the latest recording: it decides by numbers as that did, and the same tensors have
        gradients."""
        last = self.last
        if last is None:
            return True
        return last.survey.has_forms() and (last.book is None or last.book.evaluate(leaves) is not None)

    def holds(self):
        """Whether the Python state is what it was."""
        for state, length, first in self.stepped:
            if len(state) != length or next(iter(state.values()), None) is not first:
                return False
        return self.survey.holds() and (self.left is None or self.left.fits())

    def run(self, inputs, args, kwargs, values):
        """Runs the plan; `values` are the followed numbers of the call."""
        if self.left is None:
            return self._whole(inputs, args, kwargs, values)
        result, tensors = self._whole(inputs, args, kwargs, values)
        self.left.put(tensors)
        return result

    def _whole(self, inputs, args, kwargs, values):
        """The result, and with it what the call leaves in attributes."""
        graph = self.plan.graph
        if values is not None:
            inputs = [*inputs, *self.book.inputs(values)]
        outputs = self.plan.outputs(inputs) if self.joint is None else self.joint(inputs, args, kwargs, values)
        if self.freed is not None:
            _core.give_histories(outputs, self.freed, inputs)
        if self.ties is None and values is None:
            return assemble(graph, outputs)
        leaves = dict(graph.fixed)
        leaves.update(zip(self.places, outputs, strict=True))
        if self.ties is not None:
            self.ties.fill(leaves, inputs)
        if values is not None:
            self.book.apply(values, leaves)
        return unflatten(leaves, graph.structure)


_compiled = weakref.WeakSet()


def forget_plans():
    """Compiled functions are recorded anew."""
    for function in list(_compiled):
        function.reset()


class Compiled(Page):
    """What wengert.compile returns for a function.

    Attributes:
        plans: how many plans there are.
        fullgraph: whether calls that cannot be captured raise.
        memory_budget: bytes that each plan may use beside arguments, states and results, or None.
        exact: whether results are to be the same bits as those of plain calls.
        reason: why calls run plainly; None where they need not.
    """

    def __init__(self, fn, fullgraph=False, name=None, roots=(), memory_budget=None, exact=False):
        _compiled.add(self)
        self.memory_budget = checked(memory_budget)
        self.exact = exact
        self._fn = fn
        self._roots = [(self_name(fn), fn), *roots]  # what calls may depend on
        self.fullgraph = fullgraph
        self._name = name or self_name(fn)
        self.reset()

    def reset(self):
        """Forgets all plans, and the reason why there are none."""
        self._cases = {}  # signature -> list of cases, the latest first
        self.reason = None
        self._latest = None  # the case that ran last
        self._entangled = set()  # signatures of calls whose arguments share memory, and that do more than read it
        self._varying = Varying()

    def __reduce__(self):
        found = sys.modules.get(getattr(self._fn, "__module__", None))
        for part in getattr(self._fn, "__qualname__", "").split("."):
            found = getattr(found, part, None)
        if found is self:  # a decorated function goes by its name
            return self._fn.__qualname__
        # A copy has no plans yet.
        return _again, (self._fn, self.fullgraph, self._name, self._roots[1:], self.memory_budget, self.exact)

    def __get__(self, instance, owner=None):
        """As a method of a class, it is called with the instance."""
        return self if instance is None else types.MethodType(self, instance)

    def reaches(self):
        """What a survey of Python state finds behind a compiled function."""
        return self._roots

    @property
    def plans(self):
        return sum(case.plan is not None for cases in self._cases.values() for case in cases)

    @property
    def plan(self):
        """The plan that ran last, or was made last; None where there is none."""
        cases = [self._latest] if self._latest is not None else [c for found in self._cases.values() for c in found]
        return next((case.plan for case in cases if case.plan is not None), None)

    @property
    def pair(self):
        """The forward and the backward plan behind `plan`; None where its results need no gradients."""
        cases = [self._latest, *[c for found in self._cases.values() for c in found]]
        return next((case.joint for case in cases if case is not None and case.plan is not None), None)

    def __call__(self, *args, **kwargs):
        case = self._latest
        if (
            case is not None
            and not kwargs
            and case.arguments.fits(args)
            and current_recorder() is None
            and case.holds()
        ):
            values = () if case.book is None else case.book.evaluate(args)
            if values is not None:
                return self._run(case, args, args, kwargs, values or None)
        if self.reason is not None or current_recorder() is not None:
            return self._fn(*args, **kwargs)
        leaves, structure = flatten((args, kwargs))
        shared = _shared([v for v in leaves if is_tensor(v)])
        # Inside of a transform, or where hooks keep what is saved.
        if any(payload(v) is not None for v in leaves) or _core.saved_hooks_open():
            return self._fn(*args, **kwargs)
        signature = self._signature(leaves, structure, shared)
        if signature in self._entangled:
            return self._fn(*args, **kwargs)
        cases = self._cases.get(signature)
        if cases is not None:
            for case in cases:
                inputs = [v for v in leaves if is_tensor(v)]
                if case.plan is not None and case.arguments.relates(inputs) and case.holds():
                    values = () if case.book is None else case.book.evaluate(leaves)
                    if values is None:
                        continue
                    self._latest = case
                    return self._run(case, inputs, args, kwargs, values or None)
        return self._record(signature, args, kwargs)

    def _run(self, case, inputs, args, kwargs, values):
        try:
            return case.run(inputs, args, kwargs, values)
        except _core.PlanBusy:  # another thread runs this plan
            return self._fn(*args, **kwargs)

    def _signature(self, leaves, structure, shared):
        parts = [repr(structure), tuple(numbers(structure)[1]), _mode(), shared]
        varying = self._varying.places(parts[0], leaves)
        for k, v in enumerate(leaves):
            if k in varying:
                parts.append((type(v), "varies"))
            elif is_tensor(v):
                parts.append((v.shape, v.dtype, v.requires_grad, None if v.is_contiguous() else v.stride()))
            elif isinstance(v, (float, complex)):
                parts.append((type(v), repr(v)))  # tells -0.0 from 0.0, and NaN equals itself
            else:
                try:
                    hash(v)
                    v = _Identity(v) if holds_tensors(v) else v
                except TypeError:
                    v = _Identity(v)
                parts.append((type(v), v))
        return tuple(parts)

    # ---- recording -------------------------------------------------------------------------------------------

    def _record(self, signature, args, kwargs):
        cases = self._cases.setdefault(signature, [])
        call = flatten((args, kwargs))
        for other in cases:
            self._varying.add(other.changed_numbers())
            if other.plan is not None or not other.may_repeat(call[0]):
                self._varying.note_reads(other.book or other.last and other.last.book)
        case = next((c for c in cases if c.plan is None and c.may_repeat(call[0])), None)
        if case is None:
            if sum(len(c) for c in self._cases.values()) >= _CASES:
                self._give_up(
                    f"it has been called with more than {_CASES} combinations of shapes and Python values"
                )
                return self._fn(*args, **kwargs)
            case = _Case()
            cases.insert(0, case)
        try:
            with collector_resting() as resting:
                slots = self._varying.slots(call)
                follows = self._varying.reads
                recording = record_call(self._fn, args, kwargs, self._name, self._roots, resting, slots, follows)
        except TypeError:
            self._varying.stop()  # the call may have wanted a bare number
            raise
        if recording.same is None:  # this call may not be replaced, others may
            if recording.entangled:
                self._note_entangled(signature)
            return recording.result
        if self._varying.add(recording.slots):  # the next recording follows these numbers
            case.last = None
            return recording.result
        case.tries += 1
        problem = recording.problem
        if problem is None and case.last is not None:
            with collector_resting():
                problem = difference(case.last, recording)
                if problem is None:
                    problem = self._make(case, recording, args, kwargs)
                elif case.tries < _TRIES:
                    problem = None
        elif problem is not None and case.tries < 2 and not recording.lasting:
            problem = None  # a first call may set things up
        case.last = None if case.plan is not None or recording.graph is None else recording
        if problem is not None:
            self._give_up(problem)
        return recording.result

    def _make(self, case, recording, args, kwargs):
        """Makes the plan; a reason where there is none."""
        graph = recording.graph
        try:
            if recording.joint is None:
                case.plan = Plan(graph, memory_budget=self.memory_budget, exact=self.exact)
            else:
                case.joint = _Pair(self._fn, graph, recording, self.memory_budget, self.exact)
                case.plan = case.joint.forward
        except MemoryBudgetError:
            raise
        except (RuntimeError, NotImplementedError) as error:
            case.plan = case.joint = None
            return str(error)
        case.book, case.freed, case.left = recording.book, recording.freed, recording.left
        case.ties, case.places = recording.ties, recording.places
        states = [state.tensor for state in graph.states.values() if state.kind != "literal"]
        states += recording.same.values()
        case.arguments = _core.Arguments(recording.same, states, recording.survey.tensors)
        plain = all(type(v) in PLAIN and v.is_contiguous() for v in args)
        if not kwargs and plain and not _shared(args):
            case.arguments.take(args)
        case.survey = recording.survey
        touched = [state.tensor for v, state in graph.states.items() if state.kind == "grad" or v in graph.grads]
        case.survey.keep_gradients(touched)
        updates = [node.payload for node in graph.nodes if node.op == "update"]
        case.survey.keep_options([update.group for update in updates])
        case.stepped = [(v.state, len(v.state), next(iter(v.state.values()), None)) for v in updates]
        return None

    def _note_entangled(self, signature):
        """Calls of this signature write to, or return views of, arguments that share memory with each other: they run as
        they are written, others may have plans."""
        text = (
            f"compile: {self._name} was called with arguments that share memory with each other, and writes to one or "
            "returns a view of one. Such calls run as they are written. Pass a .clone() of one of them."
        )
        if self.fullgraph:
            raise CompileError(text)
        if not self._entangled:
            warn(text)
        self._entangled.add(signature)

    def _give_up(self, reason):
        text = f"compile: {self._name} cannot be captured: {reason}."
        if self.fullgraph:
            raise CompileError(text)
        self.reason = reason
        self._latest = None
        self._cases.clear()
        warn(f"{text} It runs as it is written from now on.")

    def explain(self):
        """What became of the calls so far, as text: plans with their steps and memory, or the reason why there are none."""
        if self.reason is not None:
            return f"{self._name} runs as it is written: {self.reason}."
        lines = []
        for cases in self._cases.values():
            for case in cases:
                if case.plan is None:
                    lines.append(f"{self._name}: recorded {case.tries} times so far, no plan yet.")
                    continue
                lines.append(case.plan.explain())
        return "\n".join(lines) or f"{self._name} has not been called."


def _again(fn, *settings):
    return functools.update_wrapper(Compiled(fn, *settings), fn, updated=())


class _Identity:
    """A value that cannot be hashed, or whose equality asks tensors, as part of a signature: itself, kept alive."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return type(other) is _Identity and self.value is other.value

    def __hash__(self):
        return id(self.value)


def self_name(fn):
    """What the thing behind a function is called in messages."""
    return getattr(fn, "__name__", type(fn).__name__)


def _shared(tensors):
    """Which of the tensors look at the same memory, or are the same: pairs of places, True for the same
    one, and where each lies in it, for a plan may read one through the other."""
    found = []
    for k, t in enumerate(tensors):
        for j in range(k):
            other = tensors[j]
            if other is t or _core.same_storage(other, t):
                places = [(v.storage_offset(), v.stride()) for v in (other, t)]
                found.append((j, k, other is t, *places))
    return tuple(found)


def _mode():
    return _core.grad_enabled(), _core.is_inference(), _core.get_default_dtype()


class _Pair:
    """A forward plan and a backward plan, joined by a node of the tape."""

    def __init__(self, fn, graph, recording, budget, exact):
        self.fn = fn
        self.places, self.take_apart = recording.places, recording.take_apart
        self.book, self.left = recording.book, recording.left
        self.count = len(graph.outputs)
        self.joint = joint = recording.joint
        halves = Halves(graph, joint, budget, exact)
        self.forward, self.backward, self.again = halves.forward, halves.backward, halves.again
        self.states, self.found = halves.states, halves.found
        self.whole, self.report = halves.whole, halves.report
        self.random = draws_in(self.forward.graph)
        self.written = [graph.states[v].tensor for v in graph.writes if v in graph.states]

    def __call__(self, inputs, args, kwargs, values):
        graph = self.forward.graph
        place = {v: k for k, v in enumerate(graph.inputs)}
        wrt = [inputs[place[v]] if v in place else graph.states[v].tensor for v in self.joint.wrt]
        with (
            enable_grad() if not _core.grad_enabled() else contextlib.nullcontext()
        ):  # the function enables it inside
            outputs = _Planned.apply(self, inputs, (args, kwargs, values), *wrt)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return outputs[: self.count]


class _Planned(Function):
    """The tape's node of a compiled forward pass."""

    @staticmethod
    def forward(ctx, pair, inputs, call, *wrt):
        ctx.generator = _core.default_generator().get_state() if pair.random else None
        outputs = pair.forward.outputs(inputs)
        ctx.pair, ctx.call = pair, call
        ctx.inputs = inputs
        ctx.save_for_backward(*outputs[pair.count :])
        ctx.ranges = pair.forward.ranges()
        place = {v: k for k, v in enumerate(pair.forward.graph.inputs)}
        ctx.again = [inputs[place[v]] for v in pair.again]
        ctx.versions = [t._version for t in (*ctx.again, *pair.states)]
        results = tuple(outputs[: pair.count])
        ctx.mark_non_differentiable(*[t for k, t in enumerate(results) if k not in pair.joint.outputs])
        return results

    @staticmethod
    def backward(ctx, *grads):
        pair = ctx.pair
        held = ctx.saved_tensors
        seeds = [grads[k] for k in pair.joint.outputs]
        if [t._version for t in (*ctx.again, *pair.states)] != ctx.versions:
            raise RuntimeError(
                "backward: expected tensors that the compiled function has read as they were, got one that was changed "
                "in place since. Run backward() before changing it."
            )
        if _core.grad_enabled():
            return (None, None, None, *_Planned.differentiable(ctx, seeds))
        pair.backward.preset(ctx.ranges)
        found = iter(pair.backward.outputs([*held, *seeds, *ctx.again]))
        return (None, None, None, *[None if v is None else next(found) for v in pair.found])

    @staticmethod
    def differentiable(ctx, seeds):
        """Gradients that can be differentiated again: the function runs once more as it is written, with the random
        numbers of the plan's run, and what it writes is put back."""
        pair = ctx.pair
        generator = _core.default_generator()
        before = generator.get_state()
        kept = [t.detach().clone() for t in pair.written]
        if ctx.generator is not None:
            generator.set_state(ctx.generator)
        args, kwargs, values = ctx.call
        with (
            enable_grad(),
            contextlib.nullcontext() if values is None else pair.book.rewound(values),
            contextlib.nullcontext() if pair.left is None else pair.left.put_back() as left,
        ):
            result = pair.fn(*args, **kwargs)
            leaves = pair.take_apart(result if left is None else (result, left()))[0]
            results = [leaves[k] for k in pair.places]
        generator.set_state(before)
        with no_grad():
            for t, value in zip(pair.written, kept, strict=True):
                t.copy_(value)
        place = {v: k for k, v in enumerate(pair.forward.graph.inputs)}
        states = pair.forward.graph.states
        wrt = [ctx.inputs[place[v]] if v in place else states[v].tensor for v in pair.joint.wrt]
        outputs = [results[k] for k in pair.joint.outputs]
        # A tensor that stands there several times gets its whole gradient the first time.
        found = dict(
            zip(map(id, wrt), grad(outputs, wrt, seeds, create_graph=True, allow_unused=True), strict=True)
        )
        return [found.pop(id(t), None) for t in wrt]
