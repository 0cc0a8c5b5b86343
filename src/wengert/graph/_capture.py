"""Recording a call for wengert.compile: the call runs as it would, and what it did becomes a graph, or a reason why not."""

import builtins
import contextlib
import functools
import sys

import numpy as np

from .. import _core
from ..autograd.grad_mode import enable_grad
from ..func._levels import is_tensor, paused
from ..func._trees import numbers
from ._call_trees import Placed, flatten, names_of
from ._compare import payload_differences
from ._draws import pattern
from ._graph import Graph
from ._left import left_by
from ._lines import user_line
from ._numbers import Book, feed, is_followed
from ._readings import Readings
from ._recorder import Recorder
from ._regions import REGIONS
from ._survey import Forms, Survey
from ._ties import Ties, same_ties

_PLAIN = frozenset({int, bool, str, bytes})  # types whose equal values are the same


class _Capture(Recorder):
    """A recorder that never disturbs the call: it notes the first reason why the call has no graph and goes on."""

    def __init__(self, graph, resting, follows_reads=False):
        super().__init__(graph)
        self._readings = Readings(graph)
        self._follows_reads = follows_reads
        self._resting = resting
        self.problem = None
        self.lasting = False
        self.began = _core.moment()
        self.ties = Ties()
        self.arguments = {}  # number of a leaf -> tensor
        self.book = None
        self._gradients_before = []

    def refuse(self, message):
        if self.problem is None:
            self._resting.end()  # what is still to run may be much
            line = user_line()
            self.problem = f"{message} ({line})" if line else message

    def mark_value_read(self, op, t=None):
        if self.problem is not None:
            return None  # whether this one could be read is not known any more
        readable = t is not None and op in ("item", "bool", "int", "float", "index", "tolist")
        reading = self._readings.find(self.known(t).value, self._sources()) if readable else None
        if reading is not None:
            return self._read(op, t, reading)
        self.lasting = True
        self.refuse(
            f"{op}() reads a value, which a plan does not have when it is made. Use where() or keep the value as a tensor; "
            "read results outside of the compiled function"
        )

    def _sources(self):
        """What readings may begin with, beside states: value number -> (operand of the book, dtype of a followed number)."""
        found = {self._outside[id(t)]: (("leaf", k), None) for k, t in self.arguments.items()}
        if self.book is not None:
            found.update({self._outside[id(t)]: (("place", k), d) for (k, d), t in self.book.fed.items()})
        return found

    def _read(self, op, t, reading):
        """The number that stands for what Python reads, or None for that itself."""
        if reading.constant:
            return None
        if self.book is None:
            self.book = Book([], [])
        with paused():
            number = self.book.read(reading, t.tolist())
        if not is_followed(number):
            return None
        if op == "item" and (self._follows_reads or _called_by_library()):
            return number
        if op == "bool":
            bool(number)
        else:
            self.book.fix(number)
        return None

    def takes_sparse(self, op):
        self.lasting = True
        self.refuse(
            f"{op}() has a sparse gradient, which a plan cannot make: its size depends on values. Use sparse=False, or look "
            "tables up under no_grad()"
        )
        return True

    def add_argument(self, place, t):
        """Numbers an argument of the call, the leaf `place`."""
        self.add_input(t)
        self.arguments[place] = t
        if t.is_leaf and t.requires_grad:
            self._gradients_before.append((t, t.grad, None if t.grad is None else t.grad._version))

    def mark_older_graph(self, name):
        """A backward pass of the call reaches a node that was recorded before it."""
        self.refuse(
            f"backward() goes through {name}, which was recorded outside of the call, so that another call would need "
            "another plan. Compute the loss inside, or call backward() outside"
        )

    def is_tied(self, place, t):
        return self.ties.add(self, list(self.arguments.values()), place, t)

    def entangled(self):
        """Whether arguments share memory with each other where the call does more than read it."""
        inputs = list(self.arguments.values())
        told = self.written.keys() & {self._outside[id(t)] for t in inputs}
        told = told or any(tie[0] == "input" for tie in self.ties.found.values())
        return bool(told) and any(
            t is not u and _core.same_storage(t, u) for k, t in enumerate(inputs) for u in inputs[:k]
        )

    def check_histories(self):
        """What the call writes may not get a history by that: a plan writes values only."""
        for known in self.written.values():
            if known.tensor.grad_fn is not None:
                self.refuse(
                    "the call writes in place to a tensor from outside and gradients flow through that. Return the new "
                    "value, or write under no_grad()"
                )
        stand_ins = {id(state.tensor) for state in self.graph.states.values() if state.kind == "grad"}
        for t, g, version in self._gradients_before:
            if t.grad is not g or g is not None and g._version != version or id(t) in stand_ins:
                self.refuse(
                    "the call uses the gradient of an argument, which is another tensor in each call. Use "
                    "autograd.grad() and return the gradient"
                )

    def run(self, op, operands, attrs):
        if self.book is not None:
            operands, attrs = self._fed(op, operands, attrs)
        if self.problem is not None:
            with paused():
                return _core.apply(op, operands, attrs)
        return super().run(op, operands, attrs)

    def _fed(self, op, operands, attrs):
        """Operands and attributes without followed numbers: inputs of the plan stand for them, or bare numbers."""
        if any(map(is_followed, attrs)):
            attrs = tuple([self.book.fix(v) if is_followed(v) else v for v in attrs])
        if any(map(is_followed, operands)):
            operands = feed(self, self.book, op, operands, attrs)
        return operands, attrs

    def run_inplace(self, op, x, operands, attrs):
        if self.book is not None:
            operands, attrs = self._fed(op, operands, attrs)
        if self.problem is not None:
            with paused():
                return _core.inplace(op, x, operands[1:], attrs)
        return super().run_inplace(op, x, operands, attrs)

    def run_update(self, step, group, state):
        followed = {key: v for key, v in group.items() if is_followed(v)}
        if not all(self.book.is_as_it_was(group, key, v) for key, v in followed.items()):
            self.refuse(
                "the call changes an option of an optimizer before its step, which reads the options that are there when "
                "a run begins. Change it behind the step, or outside"
            )
        group.update({key: self.book.bare(v) for key, v in followed.items()})
        try:
            if self.problem is None:
                return super().run_update(step, group, state)
            with paused():
                return step(group, state)
        finally:
            group.update(followed)

    def _own(self, op, tensors, payload, run):
        if self.problem is not None:
            with paused():
                return run()
        return super()._own(op, tensors, payload, run)


class Recording:
    """One recorded call.

    Attributes:
        result: what the call returned.
        graph: its graph; None where it has none, and then `problem` says why.
        lasting: whether the problem will not go away, as one of a first call may that sets things up.
        left: None, or the tensors that the call has left in attributes (see `Left`): the graph's last results.
        joint: None, or what a call whose results need gradients also computed (see `Joint`).
        entangled: whether arguments share memory with each other, and the call writes to one or returns a view of one;
            `same` is None then.
        freed: None, or the nodes of those outputs whose graph a backward pass of the call has freed: (number of the output,
            node) each.
        survey: the Python state that the call could reach, as it was before.
        same: for each argument that is a tensor which the function also reaches otherwise, its place and that tensor; None
            where an argument shares memory with such a tensor in another way.
        book: the numbers that were followed, or None.
        slots: None, or places of numbers that the call changes, where it changes nothing else.
        ties: None, or the results that are other objects (see `Ties`).
        places: the numbers of the leaves of the result that the graph's outputs are.
        take_apart: a function of a result that gives its leaves and structure.
    """

    __slots__ = (
        "book",
        "entangled",
        "freed",
        "graph",
        "joint",
        "lasting",
        "left",
        "places",
        "problem",
        "result",
        "same",
        "slots",
        "survey",
        "take_apart",
        "ties",
    )


class Joint:
    """Gradients recorded behind a forward pass: how many nodes that has, the inputs that stand for the gradients of the
    results, the tensors that gradients are for (number of an input, or of a state) and the value of each one's gradient.
    A tensor that is used several times stands there as often, so that the tape adds up in the order of plain calls."""

    __slots__ = ("cotangents", "forward", "found", "outputs", "wrt")


def record_call(fn, args, kwargs, name, roots, resting, slots=(), follows_reads=False):
    """Runs fn(*args, **kwargs) once and records it; `roots` are pairs of a name and what calls may depend on, `resting`
    the open collector_resting, `slots` places of numbers that are followed, `follows_reads` whether those are too that
    the user's code reads of tensors."""
    recording_ = Recording()
    leaves, structure = flatten((args, kwargs))
    inputs = [v for v in leaves if is_tensor(v)]
    graph = Graph(name)
    recorder = _Capture(graph, resting, follows_reads)
    others = [(f"argument {k}", v) for k, v in enumerate(leaves) if not is_tensor(v)]
    others += [(kind.__name__, kind) for kind in numbers(structure)[1]]
    recording_.survey = survey = Survey([*roots, *others])
    recorder.take_apart = recording_.take_apart = functools.partial(flatten, known=survey.seen)
    recording_.slots = None
    book = recorder.book = Book(slots, leaves) if slots else None
    if book is not None:
        survey.loosen(slots)
    placed = Placed((args, kwargs), book and _placed(book, leaves))
    args, kwargs = placed.tree
    recording_.same = _relate(inputs, survey.tensors)
    forms = Forms(inputs)
    for k, t in enumerate(leaves):
        if is_tensor(t):
            recorder.add_argument(k, t)
    for t in survey.tensors:
        recorder.announce(t)
    recording_.joint = recording_.freed = None
    with recorder.open(), _watched_print(recorder):
        try:
            result = fn(*args, **kwargs)
        finally:
            recording_.book = book = recorder.book
            if book is not None:
                book.settle()
                book.settle_containers(survey.containers())
            kept = placed.take_back()
        if book is not None:
            result = book.settle_result(result, recorder.take_apart)
        recording_.result = whole = result
        recording_.left = left = left_by(recorder, survey) if recorder.problem is None else None
        if left is not None:
            survey.loosen(left.slots)
            whole = (result, left.tensors)
        if recorder.problem is None:
            try:
                recorder.finish(whole)
                if book is not None:
                    graph.fixed.update(dict.fromkeys(book.results))
                recorder.check_histories()
                recording_.joint, recording_.freed = _gradients(recorder, graph, inputs, whole)
                recorder.check_draws()
            except RuntimeError as error:
                recorder.refuse(str(error))
    recording_.entangled = recorder.entangled()
    if recording_.entangled:
        recording_.same = None
    recording_.ties, recording_.places = recorder.ties if recorder.ties.found else None, recorder.places
    if survey.unseen is not None:
        recorder.refuse(
            f"it can reach {survey.unseen}, an iterator, whose place a plan cannot advance. Take the item outside and pass "
            "it"
        )
    changed = survey.changes() + forms.changes() + ([] if kept else ["its arguments"])
    if changed and kept and recorder.problem is None:
        recording_.slots = survey.changed_numbers()
    if changed:
        recorder.refuse(
            f"the call changes {', '.join(changed[:3])}, which a plan would not do again. Return the value, keep it in "
            "a tensor that is written in place, or change it outside"
        )
    recording_.problem = recorder.problem
    recording_.lasting = recorder.lasting
    recording_.graph = None if recorder.problem else graph
    return recording_


def _called_by_library():
    """Whether the innermost Python code that reads a value is wengert's own, which computes with followed numbers."""
    frame = sys._getframe(3)  # of the reader: _read and mark_value_read stand before it
    return frame.f_globals.get("__name__", "").startswith("wengert.")


def _placed(book, leaves):
    """Puts the followed numbers of a book where they lie; the leaves of the arguments with those among them."""
    leaves = list(leaves)
    for slot, number in zip(book.slots, book.numbers, strict=True):
        if slot.container is None:
            leaves[slot.key] = number
        else:
            slot.write(number)
    return leaves


def _relate(inputs, tensors):
    """Which inputs are tensors that the function reaches in another way; None where one is a part of such a tensor."""
    found = {}
    for k, x in enumerate(inputs):
        shared = _core.shares_memory(x)
        for t in tensors:
            if t is x:
                found[k] = t
            elif shared and _core.same_storage(t, x):
                return None
    return found


@contextlib.contextmanager
def _watched_print(recorder):
    """Lets the recorder know when the call prints."""
    plain = builtins.print

    def told(*args, **kwargs):
        recorder.lasting = True
        recorder.refuse(
            "print() writes text, which a plan would not do again. Print outside of the compiled function"
        )
        plain(*args, **kwargs)

    builtins.print = told
    try:
        yield
    finally:
        builtins.print = plain


def _gradients(recorder, graph, inputs, result):
    """Where results need gradients: (the backward pass, recorded behind the forward pass, None), or where the call has run
    it itself: (None, the nodes of these results)."""
    leaves = recorder.take_apart(result)[0]
    results = [leaves[k] for k in recorder.places]
    wanted = [k for k, t in enumerate(results) if t.requires_grad and t.grad_fn is not None]
    if any(t.requires_grad and t.grad_fn is None and recorder.outside_under(t) is None for t in results):
        recorder.refuse("the call returns a leaf that it has made with requires_grad=True. Make it outside")
    if not wanted:
        return None, None
    targets, wrt = [], []
    for t, v in zip(inputs, graph.inputs, strict=False):  # followed numbers stand behind the arguments
        if t.requires_grad:
            targets.append(t)
            wrt.append(v)
    for v, state in list(graph.states.items()):
        if state.kind not in ("grad", "literal") and state.tensor.requires_grad:
            targets.append(state.tensor)
            wrt.append(v)
    joint = Joint()
    joint.outputs, joint.cotangents = wanted, []
    joint.forward = len(graph.nodes)
    seeds = []
    for k in wanted:
        with paused():
            seed = _core.full(tuple(results[k].shape), 1.0, results[k].dtype)
        joint.cotangents.append(recorder.add_input(seed))
        seeds.append(seed)
    for _ in wanted:
        graph.inputs.pop()
    nodes = len(graph.nodes)

    def pulled(roots, seeds):
        """Their gradients; None where an earlier backward pass has freed the graph."""
        try:
            with enable_grad():
                return _core.backward(roots, seeds, targets, True, False, False, True, recorder.began)
        except RuntimeError as error:
            if "has freed" not in str(error):
                raise
            return None

    found = pulled([results[k] for k in wanted], seeds)
    if found is None:
        # The call has run backward() itself: what it returns has no gradients left to give.
        if len(wanted) > 1 and any(pulled([results[k]], [seed]) for k, seed in zip(wanted, seeds, strict=True)):
            recorder.refuse(
                "the call has run backward() for some of its results, and others still need gradients. Return .detach() of "
                "one kind"
            )
        del graph.nodes[nodes:]
        return None, [(k, _core.node_of(results[k])) for k in wanted]
    parts = [(v, g) for v, found_ in zip(wrt, found, strict=True) for g in found_ or ()]
    if not parts:
        recorder.refuse("gradients of what the call returns reach no tensor from outside. Return it detached")
    joint.wrt = [v for v, _ in parts]
    joint.found = [recorder.known(g).value for _, g in parts]
    return joint, None


def difference(a, b):
    """What differs between two recordings of a call, in words; None where a plan of one serves for both."""
    g, h = a.graph, b.graph
    for k, (m, n) in enumerate(zip(g.nodes, h.nodes, strict=False)):
        if m.op != n.op or _other_operands(m.inputs, n.inputs) or _other_attrs(m, n):
            return _node_difference(m, n, k)
        if m.op in REGIONS and (found := payload_differences(g, m, h, n)):
            return f"what {n.op} runs differs between calls: {found[0]}"
    if len(g.nodes) != len(h.nodes):
        return "the calls run different numbers of operations"
    if g.shapes != h.shapes or g.dtypes != h.dtypes:
        return "the calls make values of different shapes"
    for v, state in g.states.items():
        other = h.states.get(v)
        if other is None or other.kind != state.kind:
            return "the calls use different tensors from outside"
        if state.kind == "literal":
            if not _equal(state.tensor, other.tensor):
                return (
                    "a tensor that the function makes from Python numbers has other values in each call. Pass it in"
                )
        elif state.tensor is not other.tensor:
            return "the calls use different tensors from outside. Pass them as arguments"
    if (a.book is None) != (b.book is None) or a.book is not None and not a.book.same(b.book):
        return "the calls compute with their numbers in different ways"
    if pattern(g) != pattern(h):
        return "the calls draw random numbers again that they have drawn, in different ways"
    ties = [r.ties.found if r.ties else {} for r in (a, b)]
    if (
        (g.outputs, g.writes, g.grads) != (h.outputs, h.writes, h.grads)
        or g.structure != h.structure
        or not same_ties(*ties)
    ):
        return "the calls return or write different values"
    if (a.left is None) != (b.left is None) or a.left is not None and not a.left.same(b.left):
        return "the calls leave tensors in different places"
    if g.fixed.keys() != h.fixed.keys() or any(_changed(v, h.fixed[k]) for k, v in g.fixed.items()):
        return "the calls return different Python values"
    return None


def _other_operands(a, b):
    return (a != b or tuple in map(type, a)) and _changed(a, b)  # numbers, in tuples, may be equal and yet differ


def _other_attrs(m, n):
    return m.attrs is not n.attrs and _changed(_attrs(m), _attrs(n))


def _attrs(node):
    return node.attrs[:-2] if node.random else node.attrs


def _node_difference(m, n, k):
    where = f" at {n.line}" if n.line else f" (operation {k})"
    if m.op != n.op:
        return f"one call runs {m.op} and the next {n.op}{where}: a branch or a loop depends on Python state"
    numbers = [
        (x[0], y[0]) for x, y in zip(m.inputs, n.inputs, strict=False) if type(x) is tuple and type(y) is tuple
    ]
    for x, y in numbers:
        if _changed(x, y):
            return f"the number {x!r} of one call is {y!r} in the next{where}. Keep it in a tensor, or pass it in"
    if _other_attrs(m, n):
        return f"the attributes of {n.op} differ between calls{where}: {_attrs(m)} and {_attrs(n)}"
    return f"{n.op} has other operands in each call{where}"


def _equal(a, b):
    return np.array_equal(a.detach().numpy(), b.detach().numpy(), equal_nan=a.dtype.is_floating_point)


def holds_tensors(v, depth=4):
    """Whether an object has an `==` of its own that asks tensors among its attributes."""
    if is_tensor(v):
        return True
    if not depth or type(v).__eq__ is object.__eq__ or isinstance(v, type):
        return False
    return any(holds_tensors(x, depth - 1) for x in flatten([getattr(v, name) for name in names_of(v)])[0])


def _changed(a, b):
    """Whether two Python values differ, or tuples of them; NaN is NaN, and 0.0 is not -0.0."""
    if a is b:
        return False
    kind = type(a)
    if kind is type(b):
        if kind in _PLAIN:
            return a != b
        if kind in (float, complex):
            return repr(a) != repr(b)
        if kind is tuple:
            return len(a) != len(b) or any(map(_changed, a, b))
    return holds_tensors(a) or holds_tensors(b) or kind is not type(b) or a != b
