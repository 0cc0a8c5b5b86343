"""Limited-memory BFGS (Nocedal and Wright, Numerical Optimization, algorithms 7.4, 7.5, 3.5 and 3.6)."""

import wengert
from wengert.optim._update import check_lr, scalar
from wengert.optim.optimizer import Optimizer


class LBFGS(Optimizer):
    """L-BFGS: a quasi-Newton method over all parameters as one vector. It calls its closure several times per step.

    Args:
        params: parameters; one group only.
        lr: step length (the first trial of a line search).
        max_iter: iterations per ``step``.
        max_eval: calls of the closure per ``step``; ``max_iter * 5 // 4`` by default.
        tolerance_grad, tolerance_change: stop when the gradient, or a step or the loss change, is this small.
        history_size: pairs of steps and gradient changes that are kept.
        line_search_fn: None for fixed steps, or ``"strong_wolfe"``.

    Raises:
        ValueError: more than one group, or a negative ``lr``.
        RuntimeError: another ``line_search_fn``.

    Example:
        >>> import wengert
        >>> w = wengert.tensor([3.0, -2.0], requires_grad=True)
        >>> opt = wengert.optim.LBFGS([w], line_search_fn="strong_wolfe")
        >>> def closure():
        ...     opt.zero_grad()
        ...     loss = ((w - 1) ** 2).sum()
        ...     loss.backward()
        ...     return loss
        >>> _ = opt.step(closure)
        >>> [round(x, 4) for x in w.tolist()]
        [1.0, 1.0]
    """

    def __init__(
        self,
        params,
        lr=1,
        max_iter=20,
        max_eval=None,
        tolerance_grad=1e-7,
        tolerance_change=1e-9,
        history_size=100,
        line_search_fn=None,
    ):
        check_lr(lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError(
                f"LBFGS: expected one parameter group, got {len(self.param_groups)}. It takes no options by group."
            )

    @property
    def _params(self):
        return self.param_groups[0]["params"]

    def _flat_grad(self):
        """Return all gradients as one new vector; complex ones as pairs of real numbers."""
        pieces = []
        for p in self._params:
            grad = wengert.zeros_like(p) if p.grad is None else p.grad.detach()
            if grad.is_complex():
                grad = wengert.view_as_real(grad)
            pieces.append(grad.reshape(-1))
        return wengert.cat(pieces)

    def _move(self, length, direction):
        """Add ``length * direction`` to the parameters."""
        offset = 0
        for p in self._params:
            real = wengert.view_as_real(p) if p.is_complex() else p
            count = real.numel()
            real.add_(direction[offset : offset + count].view_as(real), alpha=length)
            offset += count

    def step(self, closure):
        """Run up to ``max_iter`` iterations; ``closure`` computes loss and gradients and returns the loss.

        Returns:
            The loss at the start, as the closure returned it.
        """
        group = self.param_groups[0]

        def evaluate():
            with wengert.enable_grad():
                return closure()

        with wengert.no_grad():
            return _minimize(self, group, self.state[self._params[0]], evaluate)


def _minimize(optimizer, group, state, evaluate):
    """One call of ``LBFGS.step``: iterate until a tolerance or a count is reached."""
    lr = scalar(group["lr"])
    max_iter, max_eval = group["max_iter"], group["max_eval"]
    tolerance_change = group["tolerance_change"]
    if group["line_search_fn"] not in (None, "strong_wolfe"):
        raise RuntimeError("only 'strong_wolfe' is supported")
    state.setdefault("func_evals", 0)
    state.setdefault("n_iter", 0)

    first_loss = evaluate()
    loss = float(first_loss)
    evaluations = 1
    state["func_evals"] += 1
    grad = optimizer._flat_grad()
    if grad.abs().max() <= group["tolerance_grad"]:
        return first_loss

    for iteration in range(1, max_iter + 1):
        state["n_iter"] += 1
        direction = _next_direction(state, grad, group["history_size"])
        if state.get("prev_flat_grad") is None:
            state["prev_flat_grad"] = grad.clone()
        else:
            state["prev_flat_grad"].copy_(grad)
        state["prev_loss"] = previous_loss = loss

        # The first direction is the bare gradient, so its length says nothing: take a step of at most lr.
        length = min(1.0, 1.0 / grad.abs().sum()) * lr if state["n_iter"] == 1 else lr
        state["t"] = length
        slope = grad.dot(direction)
        if slope > -tolerance_change:
            break

        used = 0
        if group["line_search_fn"] is not None:
            search = _LineSearch(optimizer, evaluate, direction)
            loss, grad, length, used = search.run(length, loss, grad, slope, max_eval - evaluations)
            state["t"] = length
            optimizer._move(length, direction)
        else:
            optimizer._move(length, direction)
            if iteration != max_iter:  # the next step evaluates first, so the last iteration need not
                loss = float(evaluate())
                grad = optimizer._flat_grad()
                used = 1
        evaluations += used
        state["func_evals"] += used

        if iteration == max_iter or evaluations >= max_eval or grad.abs().max() <= group["tolerance_grad"]:
            break
        if direction.mul(length).abs().max() <= tolerance_change or abs(loss - previous_loss) < tolerance_change:
            break
    return first_loss


def _next_direction(state, grad, history_size):
    """Return minus the approximate inverse Hessian times ``grad``, after learning from the step before."""
    if state["n_iter"] == 1:
        state.update(d=grad.neg(), old_dirs=[], old_stps=[], ro=[], H_diag=1)
        return state["d"]
    changes, steps, ro = state["old_dirs"], state["old_stps"], state["ro"]
    y = grad.sub(state["prev_flat_grad"])
    s = state["d"].mul(state["t"])
    ys = y.dot(s)
    if ys > 1e-10:  # keeps the approximation positive definite
        if len(changes) == history_size:
            changes.pop(0)
            steps.pop(0)
            ro.pop(0)
        changes.append(y)
        steps.append(s)
        ro.append(1.0 / ys)
        state["H_diag"] = ys / y.dot(y)

    # The two loops of algorithm 7.4.
    count = len(changes)
    al = state.setdefault("al", [None] * history_size)
    q = grad.neg()
    for i in range(count - 1, -1, -1):
        al[i] = steps[i].dot(q) * ro[i]
        q.add_(changes[i], alpha=-al[i])
    direction = wengert.mul(q, state["H_diag"])
    for i in range(count):
        direction.add_(steps[i], alpha=al[i] - changes[i].dot(direction) * ro[i])
    state["d"] = direction
    return direction


def _cubic_minimum(x1, f1, g1, x2, f2, g2, bounds=None):
    """Return the minimum of the cubic through two points with slopes, kept within ``bounds`` (equation 3.59)."""
    low, high = bounds if bounds is not None else (x1, x2) if x1 <= x2 else (x2, x1)
    d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2)
    square = d1**2 - g1 * g2
    if not square >= 0:
        return (low + high) / 2.0
    d2 = square.sqrt()
    if x1 <= x2:
        position = x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2))
    else:
        position = x1 - (x1 - x2) * ((g1 + d2 - d1) / (g1 - g2 + 2 * d2))
    return min(max(position, low), high)


class _LineSearch:
    """Finds a step length with the strong Wolfe conditions, by bracketing and then narrowing the bracket."""

    armijo = 1e-4
    curvature = 0.9
    smallest_bracket = 1e-9

    def __init__(self, optimizer, evaluate, direction):
        self.optimizer = optimizer
        self.evaluate = evaluate
        self.direction = direction
        self.start = [p.clone() for p in optimizer._params]

    def at(self, length):
        """Return (length, loss, gradient, slope) at this length; the parameters are put back."""
        self.optimizer._move(length, self.direction)
        loss = float(self.evaluate())
        grad = self.optimizer._flat_grad()
        for p, value in zip(self.optimizer._params, self.start, strict=True):
            p.copy_(value)
        return length, loss, grad, grad.dot(self.direction)

    def run(self, length, loss, grad, slope, max_trials):
        """Return (loss, gradient, length, evaluations) of the best point found."""
        begin = (0, loss, grad.clone(), slope)
        point, previous = self.at(length), begin
        used, trials = 1, 0
        bracket = None
        done = False
        while trials < max_trials:
            t, f_new, _, slope_new = point
            if f_new > loss + self.armijo * t * slope or (trials > 1 and f_new >= previous[1]):
                bracket = [previous, point]
                break
            if abs(slope_new) <= -self.curvature * slope:
                bracket = [point]
                done = True
                break
            if slope_new >= 0:
                bracket = [previous, point]
                break
            reach = (t + 0.01 * (t - previous[0]), t * 10)
            t_next = _cubic_minimum(previous[0], previous[1], previous[3], t, f_new, slope_new, bounds=reach)
            previous, point = point, self.at(t_next)
            used += 1
            trials += 1
        if bracket is None:
            bracket = [begin, point]
        low, narrowed = self._narrow(bracket, done, loss, slope, trials, max_trials)
        return bracket[low][1], bracket[low][2], bracket[low][0], used + narrowed

    def _narrow(self, bracket, done, loss, slope, trials, max_trials):
        """Shrink ``bracket`` in place; return the index of its best point and the evaluations used."""
        low, high = (0, 1) if bracket[0][1] <= bracket[-1][1] else (1, 0)
        longest = self.direction.abs().max()
        near_edge_before = False
        used = 0
        while not done and trials < max_trials:
            a, b = bracket
            if abs(b[0] - a[0]) * longest < self.smallest_bracket:
                break
            t = _cubic_minimum(a[0], a[1], a[3], b[0], b[1], b[3])
            left, right = min(a[0], b[0]), max(a[0], b[0])
            # A trial close to an edge twice in a row makes no progress: move it a tenth of the bracket inwards.
            margin = 0.1 * (right - left)
            near_edge = False
            if min(right - t, t - left) < margin:
                if near_edge_before or t >= right or t <= left:
                    t = right - margin if abs(t - right) < abs(t - left) else left + margin
                else:
                    near_edge = True
            near_edge_before = near_edge

            point = self.at(t)
            used += 1
            trials += 1
            if point[1] > loss + self.armijo * t * slope or point[1] >= bracket[low][1]:
                bracket[high] = point
                low, high = (0, 1) if bracket[0][1] <= bracket[1][1] else (1, 0)
            else:
                if abs(point[3]) <= -self.curvature * slope:
                    done = True
                elif point[3] * (bracket[high][0] - bracket[low][0]) >= 0:
                    bracket[high] = bracket[low]
                bracket[low] = point
        return low, used
