"""What `Graph.compile` returns: inputs by name or position, and plans for the sizes that turn up."""

from .. import _core
from ..func._levels import is_tensor
from ._page import Page
from ._plan import Plan, check_steps
from ._regions import has_tapes
from ._specialize import sizes_of, specialize

MAX_PLANS = 64  # of one graph with sizes by name; the one used longest ago goes


def executable(graph, options=None):
    """The plan of a graph; of one with sizes by name, a chooser of plans."""
    return Executable(graph, options or {})


class Executable(Page):
    """A graph made ready to run.

    Attributes:
        graph: the graph.
        plans: the plans by their sizes, ((name, size), ...); of a graph without sizes by name, one.
    """

    def __init__(self, graph, options):
        self.graph = graph
        self.plans = {}
        self._options = options
        self._names = [graph.names.get(v, str(k)) for k, v in enumerate(graph.inputs)]
        if not graph.symbols:
            self.plans[()] = self._make(graph)

    def _make(self, graph):
        if has_tapes(graph) and self._options.get("memory_budget") is not None:
            raise RuntimeError(
                f"{graph.name}: expected a graph whose memory is known before it runs, got one with a while_loop that "
                "keeps values of every step, and a memory budget. Use scan, or no budget."
            )
        return Plan(graph, **self._options)

    def bind(self, inputs, named):
        """The input tensors in order."""
        graph, names = self.graph, self._names
        if len(inputs) > len(names):
            raise ValueError(f"{graph.name}: expected {len(names)} inputs ({', '.join(names)}), got {len(inputs)}.")
        given = dict(zip(names, inputs, strict=False))
        for name, t in named.items():
            if name not in names:
                raise ValueError(f"{graph.name}: expected inputs among {', '.join(names) or 'none'}, got {name!r}.")
            if name in given:
                raise ValueError(f"{graph.name}: expected input {name!r} once, got it by position and by name.")
            given[name] = t
        missing = [name for name in names if name not in given]
        if missing:
            raise ValueError(f"{graph.name}: expected a value for every input, got none for {', '.join(missing)}.")
        ordered = [given[name] for name in names]
        for name, v, t in zip(names, graph.inputs, ordered, strict=True):
            if not is_tensor(t):
                raise TypeError(f"{graph.name}: expected a tensor for input {name!r}, got {type(t).__name__}.")
            if t.dtype != graph.dtypes[v]:
                raise RuntimeError(
                    f"{graph.name}: expected {graph.dtypes[v]} for input {name!r}, got {t.dtype}. Convert it with .to()."
                )
        return ordered

    def plan_for(self, inputs):
        """The plan for the sizes of input tensors."""
        graph = self.graph
        sizes = sizes_of(graph, inputs)
        if not graph.symbols:
            return self.plans[()]
        key = tuple(sorted(sizes.items()))
        found = self.plans.pop(key, None)
        if found is None:
            missing = [name for name in graph.symbols if name not in sizes]
            if missing:
                raise RuntimeError(
                    f"{graph.name}: expected inputs that tell the size {missing[0]}, got none. Use it alone as a size of "
                    "an input."
                )
            found = self._make(specialize(graph, sizes))
            if len(self.plans) >= MAX_PLANS:
                del self.plans[next(iter(self.plans))]
        self.plans[key] = found
        return found

    def __call__(self, *inputs, **named):
        """Runs the graph: the one output, a list, or a dict of named outputs."""
        ordered = self.bind(inputs, named)
        return self.plan_for(ordered)(*ordered)

    def run(self, n, *inputs, collect=True, **named):
        """Runs n steps without Python in between: see `Plan.run`. Inputs are given by position or by name."""
        check_steps(self.graph.name, n, collect)
        ordered = self.bind(inputs, named)
        return self._plan_of_slices(ordered, n).run(n, *ordered, collect=collect)

    def map(self, *inputs, **named):
        """Evaluates the graph for many sets of inputs at once: see `Plan.map`. Inputs are given by position or by name."""
        ordered = self.bind(inputs, named)
        return self._plan_of_slices(ordered).map(*ordered)

    def _plan_of_slices(self, inputs, n=None):
        """The plan for inputs of which those with a dimension more are slices of the first; `n`: how many of them."""
        graph = self.graph
        if not graph.symbols:
            return self.plans[()]
        slices = []
        for v, t in zip(graph.inputs, inputs, strict=True):
            more = t.dim() == len(graph.shapes[v]) + 1 and n in (None, t.shape[0])
            slices.append(_core.make_wrapper(tuple(t.shape[1:]), t.dtype, None) if more else t)
        return self.plan_for(slices)

    def __getattr__(self, name):
        # What a plan offers besides running (memory, explain, ...), where there is one plan.
        if name.startswith("_") or not self.plans:
            raise AttributeError(name)
        if len(self.plans) > 1:
            raise AttributeError(
                f"{name}: expected a graph with one plan, got {len(self.plans)}. Use plans[...] or graph.specialize()."
            )
        return getattr(next(iter(self.plans.values())), name)

    def __repr__(self):
        return f"<plan of {self.graph!r}>"
