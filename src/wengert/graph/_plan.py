"""A graph made ready to run: lowered to the core's plan, called with tensors."""

from .. import _core, _host
from ..autograd.grad_mode import no_grad
from ..func._levels import entry
from ..func._trees import unflatten
from ._budget import Fitting, checked
from ._collector import collector_resting
from ._needed import reached
from ._page import Page
from ._regions import PARTS, REGIONS, check_tapes, has_rows, has_tapes
from ._remat import Sizes
from .passes import EXACT, LIKE_PLACE, PASSES, optimise, rounding

ALIGN = 64  # bytes: what places in the arena are multiples of


class Plan(Page):
    """A graph with its memory laid out, run by the core without Python for each node.

    Args:
        graph: the Graph, with sizes that are all known.
        fuse: whether elementwise operations of one shape share a pass over memory.
        passes: what the graph goes through before (see graph/passes); () leaves it as it is.
        exact: leave passes out whose results round differently: those that recognise softmax, normalisations, losses and
            attention written by hand.
        memory_budget: the most bytes that the plan may use beside arguments, states and results (`memory()["arena"]`).
            It is kept by computing again what is cheap instead of keeping it; every bit of the results stays.
        inner: the plan is a part of a region of another plan: it has no memory of its own, and cannot be called.

    Raises:
        MemoryBudgetError: no schedule within the budget was found; the message names the smallest budget that was.

    Attributes:
        source: the graph that was given.
        graph: the graph after the passes.
        report: triples (name of a pass, nodes that it dealt with, values whose nodes it removed).

    Example:
        >>> import wengert
        >>> graph = wengert.graph.record(lambda x: (x * 2).tanh(), wengert.zeros(3))
        >>> plan = wengert.graph.Plan(graph)
        >>> plan(wengert.ones(3))
        tensor([0.9640, 0.9640, 0.9640])
    """

    def __init__(self, graph, fuse=True, passes=None, memory_budget=None, exact=False, inner=False):
        budget = checked(memory_budget)
        self._inner = inner
        self._forking = budget is None  # branches side by side take more memory
        self.source = graph
        self.seconds = None  # of each step, when profile() has measured them
        self.maps = {}  # number of sets of inputs -> plan for so many
        self.fitting = None
        with collector_resting():
            self.graph, self.report = optimise(graph, (EXACT if exact else PASSES) if passes is None else passes)
            if budget is None:
                self.build(self.graph, fuse=fuse)
            else:
                self.fitting = Fitting(self.graph, budget, lambda *made: self.build(*made, fuse), self.sizes)

    # ---- lowering --------------------------------------------------------------------------------------------

    def build(self, graph, fences=(), fuse=True):
        """Lays out a graph anew; no group goes on across a node whose id is among `fences`. Returns bytes of the arena."""
        self.graph = graph
        core = self._core = _core.StaticPlan()
        self._states = []  # pairs (tensor, whether its gradient is read)
        left = graph.reached
        wanted, read, _ = left if left is not None and left.nodes is graph.nodes else reached(graph)
        if has_tapes(graph):
            check_tapes(graph, wanted)
        self._place = place = {}  # value of the graph -> value of the plan
        for v in graph.inputs:
            place[v] = core.outside(graph.shapes[v], graph.dtypes[v])
        for v, state in graph.states.items():
            if v in read or v in graph.writes:
                t = state.read()
                place[v] = core.outside(
                    graph.shapes[v], graph.dtypes[v], state.strides if t is None else t.stride()
                )
                self._states.append((state.tensor, state.kind == "grad"))
        given = list(place)
        self._lookers = {p: [v] for v, p in place.items()}  # outside value of the plan -> values that lie there
        self._gradients = {id(s.tensor): v for v, s in graph.states.items() if s.kind == "grad"}
        self._stale = set()  # values whose memory an update has overwritten
        self._fresh = {}  # value of the graph -> which of a run's results holds it
        self._set_before = []  # pairs (leaf, which result): gradients that updates read
        self._written_inputs = [k for k, v in enumerate(graph.inputs) if v in graph.writes]
        numbers, measured = {}, {}
        entries, owner, call = {}, core.owner, core.call
        for node in wanted:
            if fences and id(node) in fences:
                core.fence()
            op = node.op
            if op == "shape":
                place[node.results[0]] = core.shape_only(*[value for _, value in node.attrs])
                continue
            if self._stale and not self._stale.isdisjoint(node.inputs):
                raise RuntimeError(
                    f"{graph.name}: expected operations after an optimizer's step to read the new values of what it "
                    f"updates, got {node.op} at {node.line}, which reads an old one. Compute it before the step."
                )
            known = entries.get(op)
            if known is None:
                if op == "update":
                    self._lower_update(node)
                    continue
                if op in REGIONS:
                    self._lower_region(node)
                    continue
                known = entries[op] = entry(op), LIKE_PLACE[op]
            operands = [
                place[v] if type(v) is int else v if v is None else _number(core, numbers, v[0])
                for v in node.inputs
            ]
            k = known[1]
            if k is not None and type(node.inputs[k]) is int:
                # Not kept alive for the sake of its shape.
                spec = tuple(graph.shapes[node.inputs[k]]), graph.dtypes[node.inputs[k]]
                if spec not in measured:
                    measured[spec] = core.shape_only(*spec)
                operands[k] = measured[spec]
            first = made = call(known[0], operands, node.attrs)
            for v in node.results:
                place[v] = made
                made += 1
            memory = owner(first)
            if memory != first and memory in self._lookers:
                self._lookers[memory].append(node.results[0])
        index = {v: k for k, v in enumerate(given)}
        self._outputs = []  # of each output: (True, which given tensor) or (False, which result)
        self._tapes = []  # of outputs that are tapes: (place among the outputs, value of the plan, shape of a row, dtype)
        for k, (_, v) in enumerate(graph.outputs):
            if has_rows(graph, v):
                self._tapes.append((k, place[v], graph.shapes[v][1:], graph.dtypes[v]))
            elif v in index and not self._inner:
                self._outputs.append((True, index[v]))
            elif v in self._stale:
                raise RuntimeError(f"{graph.name}: expected outputs that an optimizer's step does not overwrite.")
            else:
                self._outputs.append((False, self._result(v, share=False)))
        self._grads = [
            (graph.states[v].tensor, None if g is None else self._result(g)) for v, g in graph.grads.items()
        ]
        for target, v in graph.writes.items():
            core.write(place[target], place[v])
        core.finish(len(graph.inputs), fuse, self._inner, self._forking)
        if graph.repeats:
            core.preset({node.attrs[-2:]: node.attrs[-2:] for node in wanted if node.random})
        del self._stale, self._fresh, self._lookers, self._gradients
        return core.arena_bytes

    def sizes(self):
        """What the graph's values take in the arena."""
        core = self._core
        first, owner = {}, {}
        for v, p in self._place.items():
            owner[v] = first.setdefault(core.owner(p), v)
        taken = {p: -(-size // ALIGN) * ALIGN for p, _, size, _, _ in core.layout()}
        return Sizes(owner, {v: taken.get(p, 0) for p, v in first.items()})

    def _result(self, v, share=True):
        """Which of a run's results holds a value of the graph."""
        k = self._fresh.get(v) if share else None
        if k is None:
            k = self._core.result(self._place[v])
            if share:
                self._fresh[v] = k
        return k

    def _lower_region(self, node):
        """A node with sub-graphs, which the core runs as plans inside of this one, or a function of the host."""
        core, payload, place = self._core, node.payload, self._place
        operands = [place[v] for v in node.inputs]
        results, function = [], None
        for v in node.results:
            shape, dtype = self.graph.shapes[v], self.graph.dtypes[v]
            results.append((shape[1:], dtype, True) if has_rows(self.graph, v) else (shape, dtype))
        if node.op == "host":

            def function(running):
                made = _host.run(payload["function"], [running.read(v) for v in operands], payload["options"])
                for k, t in enumerate(made):
                    running.fill(first + k, t)

        parts = [Plan(payload[key], exact=True, inner=True) for key in PARTS[node.op]]
        first = core.region(
            node.op,
            operands,
            results,
            [part._core for part in parts],
            payload.get("carried", 0),
            payload.get("scanned", 0),
            length if type(length := payload.get("length", 0)) is int else -1,
            payload.get("reverse", False),
            function,
            node.draws,
        )
        for k, v in enumerate(node.results):
            place[v] = first + k

    def _lower_update(self, node):
        graph, core, place, update = self.graph, self._core, self._place, node.payload
        count = len(update.states)
        uses = []
        for target, v in zip(update.states, node.inputs[:count], strict=True):
            if place[v] != place[target]:
                core.write(place[target], place[v])
            uses.append(place[target])
        for leaf, v in zip(update.params, node.inputs[count:], strict=True):
            target = self._gradients.get(id(leaf))
            if target is not None:
                if place[v] != place[target]:
                    core.write(place[target], place[v])
                uses.append(place[target])
            else:
                k = self._result(v)
                self._set_before.append((leaf, k))
                uses.append(core.result_value(k))

        def run(_):
            if not update.step(update.group, update.state):
                raise RuntimeError(
                    f"{graph.name}: expected the optimizer as it was when this plan was made, got one that is set up "
                    "in another way. Make the plan again."
                )

        run.__name__ = update.step.__name__
        core.host(run, uses)
        for target, v in zip(update.states, node.results, strict=True):
            place[v] = place[target]
            self._stale.update(self._lookers[place[v]])
            self._lookers[place[v]] = [v]

    # ---- running ---------------------------------------------------------------------------------------------

    def __call__(self, *inputs):
        self._check(inputs)
        return assemble(self.graph, self.outputs(inputs))

    def outputs(self, inputs):
        """The outputs as a list, for inputs that are known to fit."""
        given = _core.values_of(inputs, self._states)
        results = self._core.make_results()
        _core.set_gradients(self._set_before, results)
        self._core.run(given, results)
        _core.set_gradients(self._grads, results)
        for k in self._written_inputs:
            if given[k] is not inputs[k]:  # a copy without gaps was written
                with no_grad():
                    inputs[k].copy_(given[k])
                given[k] = inputs[k]
        found = [given[k] if passed else results[k] for passed, k in self._outputs]
        for k, *tape in self._tapes:
            found.insert(k, self._core.tape(*tape))
        return found

    def run(self, n, *inputs, collect=True):
        """Runs n steps without Python in between.

        Args:
            n: the number of steps.
            inputs: for each input of the graph a tensor of its shape, which every step reads, or one with one more
                dimension of size n in front, of which step k reads slice k.
            collect: whether to keep the outputs of every step; otherwise only those of the last one are returned.

        Returns:
            The outputs in the structure of the graph, stacked along a new first dimension of size n (collect), or as
            one call returns them.

        Raises:
            TypeError: n is no int, or an input no tensor.
            ValueError: another number of inputs, or a negative n; with collect=False also n = 0.
            RuntimeError: an input of another shape or dtype.
        """
        check_steps(self.graph.name, n, collect)
        graph = self.graph
        if len(inputs) != len(graph.inputs):
            raise ValueError(f"{graph.name}.run: expected {len(graph.inputs)} inputs, got {len(inputs)}.")
        given, fed = [], []
        for k, (t, v) in enumerate(zip(inputs, graph.inputs, strict=True)):
            self._check_run(n, k, t, v)
            if k in self._written_inputs and not t.is_contiguous():
                raise RuntimeError(
                    f"{graph.name}.run: expected a contiguous tensor for input {k}, which the graph writes."
                )
            t = t.detach().contiguous()
            if tuple(t.shape) == (n, *graph.shapes[v]):
                fed.append((k, t))
                t = t[0] if n else _core.full(graph.shapes[v], 0, graph.dtypes[v])
            given.append(t)
        given += _core.values_of((), self._states)
        results = self._core.make_results()
        stacked = []
        if collect:
            for passed, k in self._outputs:
                if not passed:
                    whole = _core.empty((n, *results[k].shape), results[k].dtype)
                    stacked.append((k, whole))
        if n:
            _core.set_gradients(self._set_before, results)
            self._core.run_many(n, given, results, fed, stacked)
            _core.set_gradients(self._grads, results)
        whole = dict(stacked)
        outputs = []
        for passed, k in self._outputs:
            if not passed:
                outputs.append(whole[k] if collect else results[k])
            elif collect:
                found = [t for place, t in fed if place == k]
                outputs.append(found[0] if found else given[k].expand(n, *given[k].shape))
            else:
                outputs.append(given[k] if all(place != k for place, _ in fed) else dict(fed)[k][n - 1])
        return assemble(graph, outputs)

    def _check(self, inputs):
        graph = self.graph
        if len(inputs) != len(graph.inputs):
            raise ValueError(f"{graph.name}: expected {len(graph.inputs)} inputs, got {len(inputs)}.")
        for k, (t, v) in enumerate(zip(inputs, graph.inputs, strict=True)):
            if not isinstance(t, _core.Tensor):
                raise TypeError(f"{graph.name}: expected tensors, got {type(t).__name__} for {self._name(k)}.")
            if tuple(t.shape) != graph.shapes[v] or t.dtype != graph.dtypes[v]:
                raise RuntimeError(
                    f"{graph.name}: expected shape {graph.shapes[v]} and {graph.dtypes[v]} for {self._name(k)}, got "
                    f"{tuple(t.shape)} and {t.dtype}. Make a plan for such inputs."
                )

    def _check_run(self, n, k, t, v):
        """Input k of n steps."""
        shape, dtype = self.graph.shapes[v], self.graph.dtypes[v]
        if not isinstance(t, _core.Tensor):
            raise TypeError(f"{self.graph.name}.run: expected tensors, got {type(t).__name__} for {self._name(k)}.")
        if tuple(t.shape) not in (shape, (n, *shape)) or t.dtype != dtype:
            raise RuntimeError(
                f"{self.graph.name}.run: expected shape {(n, *shape)} (one for each step) or {shape}, and {dtype} for "
                f"{self._name(k)}, got {tuple(t.shape)} and {t.dtype}."
            )

    def _name(self, k):
        name = self.graph.names.get(self.graph.inputs[k])
        return f"input {name!r}" if name else f"input {k}"

    def ranges(self):
        """The random ranges of the latest run, for the plan of a backward pass: (seed, offset) as recorded -> as drawn."""
        return self._core.ranges()

    def preset(self, ranges):
        """Draws recorded with one of these ranges repeat the numbers that another plan has drawn."""
        self._core.preset(ranges)

    def map(self, *inputs):
        """Evaluates the graph for many sets of inputs at once: elementwise operations run over all sets in one pass.

        Args:
            inputs: for each input of the graph a tensor with one more dimension in front, of one size for all.

        Returns:
            The outputs in the structure of the graph, with such a dimension in front.

        Raises:
            ValueError: another number of inputs, or sizes that differ.
            RuntimeError: an input of another shape or dtype, or a graph that writes states.
        """
        from ._map import mapped

        return mapped(self, inputs)

    # ---- reading ---------------------------------------------------------------------------------------------

    def memory(self):
        """Bytes that a run uses beside its arguments, states and results; known before running.

        Returns:
            A dict: "arena" (bytes), "values" (how many lie in it), "without_reuse" (bytes if none shared memory), "tapes"
            (bytes that while_loops have taken so far to keep values of every iteration: what is not known before).
        """
        rows = self._core.layout()
        return {
            "arena": self._core.arena_bytes,
            "values": len(rows),
            "without_reuse": sum(size for _, _, size, _, _ in rows),
            "tapes": self._core.tape_bytes,
        }

    def explain(self):
        """What a run does, as text: its steps and its memory."""
        steps = self.steps()
        fused = sum(len(names) for kind, names, _ in steps if kind == "group")
        groups = sum(kind == "group" for kind, _, _ in steps)
        memory = self.memory()
        lines = [
            f"{self.graph.name}: {len(self.source.nodes)} nodes, {len(self.graph.nodes)} after the passes, {len(steps)} "
            f"steps; {fused} elementwise operations in {groups} passes over memory.",
            *self._done(),
            f"memory: {memory['arena']} bytes for {memory['values']} values ({memory['without_reuse']} without reuse).",
            *(self.fitting.lines() if self.fitting else ()),
            *self._side_by_side(),
        ]
        width = max((len(kind) for kind, _, _ in steps), default=0)
        for kind, names, count in steps:
            lines.append(f"  {kind.ljust(width)}  {' '.join(names)}  [{count}]")
        return "\n".join(lines)

    def _side_by_side(self):
        """Which steps run side by side, as lines."""
        for begin, end, branches, _ in self._core.forks():
            sizes = ", ".join(str(len(branch)) for branch in branches)
            yield f"side by side: steps {begin + 1} to {end} in {len(branches)} branches of {sizes} steps."

    def _done(self):
        """What the passes did, as lines."""
        rounds = rounding(self.report)
        return [
            f"{name.replace('_', ' ')}: {count} {'recognised; its results round differently' if name in rounds else 'nodes'}"
            for name, count, _ in self.report
            if count
        ]

    def steps(self):
        """The steps in order: triples (kind, names of operations, elements)."""
        return self._core.steps()

    def profile(self, *inputs, repeat=10):
        """Runs the plan several times and measures its steps; pictures of the plan show the times.

        Args:
            inputs: as for a call. States are written as many times as the plan runs.
            repeat: how many runs.

        Returns:
            The steps in order: tuples (kind, names of operations, elements, seconds of one run on average).

        Raises:
            ValueError: `repeat` below 1.
        """
        if repeat < 1:
            raise ValueError(f"{self.graph.name}.profile: expected at least one run, got {repeat}.")
        self._core.watch(True)
        try:
            for _ in range(repeat):
                self(*inputs)
        finally:
            found = self._core.watch(False)
        self.seconds = [t / repeat for t in found]
        return [(*step, t) for step, t in zip(self.steps(), self.seconds, strict=True)]

    def step_calls(self):
        """Of each of `steps()` the nodes that it runs: their places among the nodes that are needed and called."""
        return self._core.step_calls()


def check_steps(name, n, collect):
    """The number of steps of run()."""
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"{name}.run: expected a number of steps, got {n!r}.")
    if n < (0 if collect else 1):
        raise ValueError(f"{name}.run: expected at least {0 if collect else 1} steps, got {n}.")


def assemble(graph, outputs):
    """Outputs in the structure that the graph's function returned."""
    if graph.structure is None:
        return outputs[0] if len(outputs) == 1 else outputs
    if not graph.fixed:
        return unflatten(outputs, graph.structure)
    leaves = iter(outputs)
    size = len(outputs) + len(graph.fixed)
    return unflatten([graph.fixed[k] if k in graph.fixed else next(leaves) for k in range(size)], graph.structure)


def _number(core, numbers, value):
    key = (type(value), repr(value))
    found = numbers.get(key)
    if found is None:
        found = numbers[key] = core.number(value)
    return found
