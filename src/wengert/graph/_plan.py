"""A graph made ready to run: lowered to the core's plan, called with tensors."""

from .. import _core
from ..func._levels import entry
from ..func._trees import unflatten


class Plan:
    """A graph with its memory laid out, run by the core without Python for each node.

    Args:
        graph: the Graph, with sizes that are all known.
        fuse: whether elementwise operations of one shape share a pass over memory.

    Example:
        >>> import wengert
        >>> graph = wengert.graph.record(lambda x: (x * 2).tanh(), wengert.zeros(3))
        >>> plan = wengert.graph.Plan(graph)
        >>> plan(wengert.ones(3))
        tensor([0.9640, 0.9640, 0.9640])
    """

    def __init__(self, graph, fuse=True):
        self.graph = graph
        self._core = _core.StaticPlan()
        self._states = []
        self._lower(fuse)

    # ---- lowering --------------------------------------------------------------------------------------------

    def _lower(self, fuse):
        graph, core = self.graph, self._core
        wanted = needed(graph)
        self._place = place = {}  # value of the graph -> value of the plan
        for v in graph.inputs:
            place[v] = core.outside(graph.shapes[v], graph.dtypes[v])
        read = {v for node in wanted for v in node.values} | set(graph.roots()) | set(graph.writes)
        for v, state in graph.states.items():
            if v in read:
                t = state.read()
                place[v] = core.outside(t.shape, t.dtype, t.stride())
                self._states.append(state)
        given = list(place)
        self._lookers = {p: [v] for v, p in place.items()}  # outside value of the plan -> values that lie there
        self._stale = set()  # values whose memory an update has overwritten
        self._fresh = {}  # value of the graph -> which of a run's results holds it
        self._set_before = []  # pairs (leaf, which result): gradients that updates read
        numbers = {}
        for node in wanted:
            if node.op == "shape":
                place[node.results[0]] = core.shape_only(*[value for _, value in node.attrs])
                continue
            if self._stale and not self._stale.isdisjoint(node.values):
                raise RuntimeError(
                    f"{graph.name}: expected operations after an optimizer's step to read the new values of what it "
                    f"updates, got {node.op} at {node.line}, which reads an old one. Compute it before the step."
                )
            if node.op == "update":
                self._lower_update(node)
                continue
            operands = [
                v if v is None else place[v] if type(v) is int else _number(core, numbers, v[0])
                for v in node.inputs
            ]
            first = core.call(entry(node.op), operands, node.attrs)
            for k, v in enumerate(node.results):
                place[v] = first + k
            lookers = self._lookers.get(core.owner(first))
            if lookers is not None:
                lookers.append(node.results[0])
        index = {v: k for k, v in enumerate(given)}
        self._outputs = []  # of each output: (True, which given tensor) or (False, which result)
        for _, v in graph.outputs:
            if v in index:
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
        core.finish(len(graph.inputs), fuse)
        del self._place, self._stale, self._fresh, self._lookers

    def _result(self, v, share=True):
        """Which of a run's results holds a value of the graph."""
        k = self._fresh.get(v) if share else None
        if k is None:
            k = self._core.result(self._place[v])
            if share:
                self._fresh[v] = k
        return k

    def _lower_update(self, node):
        graph, core, place, update = self.graph, self._core, self._place, node.payload
        count = len(update.states)
        grad_of = {id(s.tensor): v for v, s in graph.states.items() if s.kind == "grad"}
        uses = []
        for target, v in zip(update.states, node.inputs[:count], strict=True):
            if place[v] != place[target]:
                core.write(place[target], place[v])
            uses.append(place[target])
        for leaf, v in zip(update.params, node.inputs[count:], strict=True):
            if id(leaf) in grad_of:
                target = grad_of[id(leaf)]
                if place[v] != place[target]:
                    core.write(place[target], place[v])
                uses.append(place[target])
            else:
                k = self._result(v)
                self._set_before.append((leaf, k))
                uses.append(core.result_value(k))

        def run():
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
        graph = self.graph
        self._check(inputs)
        given = [t if t.is_contiguous() else t.contiguous() for t in inputs]
        given += [state.read() for state in self._states]
        results = self._core.make_results()
        for leaf, k in self._set_before:
            leaf.grad = results[k]
        self._core.run(given, results)
        for leaf, k in self._grads:
            leaf.grad = None if k is None else results[k]
        outputs = [given[k] if passed else results[k] for passed, k in self._outputs]
        if graph.structure is None:
            return outputs[0] if len(outputs) == 1 else outputs
        leaves = iter(outputs)
        size = len(outputs) + len(graph.fixed)
        return unflatten(
            [graph.fixed[k] if k in graph.fixed else next(leaves) for k in range(size)], graph.structure
        )

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

    def _name(self, k):
        name = self.graph.names.get(self.graph.inputs[k])
        return f"input {name!r}" if name else f"input {k}"

    def _repr_html_(self):
        """The graph and, beside it, what runs of it, as an interactive page, which notebooks show."""
        from ..viz import picture

        return picture(self, names={})._repr_html_()

    # ---- reading ---------------------------------------------------------------------------------------------

    def memory(self):
        """Bytes that a run uses beside its arguments, states and results; known before running.

        Returns:
            A dict: "arena" (bytes), "values" (how many lie in it), "without_reuse" (bytes if none shared memory).
        """
        rows = self._core.layout()
        return {
            "arena": self._core.arena_bytes,
            "values": len(rows),
            "without_reuse": sum(size for _, _, size, _, _ in rows),
        }

    def steps(self):
        """The steps in order: triples (kind, names of operations, elements)."""
        return self._core.steps()

    def step_calls(self):
        """Of each of `steps()` the nodes that it runs: their places among the nodes that are needed and called."""
        return self._core.step_calls()


def needed(graph):
    """The nodes that the roots and the effects depend on, in order."""
    wanted = set(graph.roots())
    kept = []
    for node in reversed(graph.nodes):
        if node.effect or not wanted.isdisjoint(node.results):
            kept.append(node)
            wanted.update(node.values)
    return kept[::-1]


def _number(core, numbers, value):
    key = (type(value), repr(value))
    found = numbers.get(key)
    if found is None:
        found = numbers[key] = core.number(value)
    return found
