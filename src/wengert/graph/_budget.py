"""Memory budgets: the schedule that recomputes least among those whose plan takes no more than so many bytes."""

from collections import Counter

from ..ops import TABLE
from ._remat import Rehearsed

_REFINE = 3  # limits tried between the one that fits and the next
_ADDED_UP = ("sum", "mean", "sum_to_like")  # parts of groups, where their operands are made
_RUNGS = 20  # limits that are tried, between what one node needs and what no recomputation needs


class MemoryBudgetError(RuntimeError):
    """No plan within a memory budget was found; `smallest` is the smallest budget that was.

    Attributes:
        smallest: bytes.
    """

    def __init__(self, name, budget, smallest):
        super().__init__(
            f"{name}: expected a memory budget of at least {smallest} bytes, the smallest that the planner found a "
            f"schedule for, got {budget}. Pass memory_budget={smallest} or more, or smaller inputs."
        )
        self.smallest = smallest


def checked(budget):
    """A budget in bytes, or None.

    Raises:
        TypeError, ValueError: it is no number of bytes.
    """
    if budget is None:
        return None
    if isinstance(budget, bool) or not hasattr(budget, "__index__"):
        raise TypeError(f"memory_budget: expected a number of bytes or None, got {type(budget).__name__}.")
    if budget.__index__() < 0:
        raise ValueError(f"memory_budget: expected at least 0 bytes, got {budget}.")
    return budget.__index__()


def heavy(graph):
    """Ids of nodes before which groups end under a budget: a call that moved before one would hold its result for long."""
    found = set()
    for node in graph.nodes:
        row = TABLE.get(node.op)
        light = row is None or row.elementwise or "view" in row.flags or node.op in _ADDED_UP
        if not light:
            found.add(id(node))
    return found


class Fitting:
    """The search for a plan within a budget.

    Args:
        graph: what is to run, after the passes.
        budget: bytes.
        build: a function of a graph and the ids of nodes at which groups end; it returns bytes of the plan.
        sizes: a function that returns the Sizes of the plan that was built last.

    Attributes:
        used: bytes of the plan that was built last: the one found.
        copies: its nodes that compute something again.
        share: what these cost, as a share of all work, by the planner's estimate.
    """

    def __init__(self, graph, budget, build, sizes):
        self.given, self.budget, self.build = graph, budget, build
        self.copies, self.share, self.graph = [], 0.0, graph
        self.used = build(graph, ())
        if self.used <= budget:
            return
        self.used = build(graph, heavy(graph))
        if self.used <= budget:
            return
        self._rehearsed = Rehearsed(graph, sizes())
        self._tried = {}  # limit -> (bytes, schedule)
        self._search(self.used)

    def _search(self, most):
        least = self._rehearsed.floor or 1
        limits = [least * (most / least) ** (k / _RUNGS) for k in range(_RUNGS)] if most > least else [least]
        low, high = 0, len(limits) - 1
        while low < high:  # the largest limit that fits, if more room never takes more
            middle = (low + high + 1) // 2
            if self._try(limits[middle]) <= self.budget:
                low = middle
            else:
                high = middle - 1
        if self._try(limits[low]) > self.budget:
            for limit in limits:
                self._try(limit)
        elif low + 1 < len(limits):
            self._refine(limits[low], limits[low + 1])
        fits = [(s.share, b, limit) for limit, (b, s) in self._tried.items() if b <= self.budget]
        if not fits:
            raise MemoryBudgetError(
                self.given.name, self.budget, int(min([most, *[b for b, _ in self._tried.values()]]))
            )
        schedule = self._tried[min(fits)[2]][1]
        if self._last is not schedule:
            self._build(schedule)
        self.copies, self.share, self.graph = schedule.copies, schedule.share, schedule.graph

    def _refine(self, low, high):
        """Looks between a limit that fits and one that does not."""
        for _ in range(_REFINE):
            middle = (low + high) / 2
            if self._try(middle) <= self.budget:
                low = middle
            else:
                high = middle

    def _try(self, limit):
        found = self._tried.get(limit)
        if found is None:
            schedule = self._rehearsed.schedule(limit)
            used = float("inf") if schedule is None else self._build(schedule)
            found = self._tried[limit] = (used, schedule)
        return found[0]

    def _build(self, schedule):
        self._last = schedule
        self.used = self.build(schedule.graph, schedule.first | heavy(schedule.graph))
        return self.used

    def lines(self):
        """What was recomputed and what it costs, as lines of text."""
        lines = [f"memory budget: {self.used} of {self.budget} bytes."]
        if self.copies:
            computed = [node.op for node in self.copies if "view" not in TABLE[node.op].flags]
            names = ", ".join(f"{count} {op}" for op, count in Counter(computed).most_common())
            lines.append(
                f"recomputed: {len(computed)} operations ({names}), about {100 * self.share:.0f} % of the work again."
            )
        return lines
