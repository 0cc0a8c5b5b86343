"""The adaptive softmax of Grave et al. (2017): an approximation for many classes of unequal frequency."""

from typing import NamedTuple

import wengert
from wengert import _host as host

from . import functional as F
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module


class _ASMoutput(NamedTuple):
    output: wengert.Tensor
    loss: wengert.Tensor


@host.check("AdaptiveLogSoftmaxWithLoss")
def _check_classes(target, n_classes):
    if target.numel() and (int(target.min()) < 0 or int(target.max()) >= n_classes):
        raise RuntimeError(
            f"Target values should be in [0, {n_classes - 1}], but values in range "
            f"[{int(target.min())}, {int(target.max())}] were found. "
        )


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-probabilities of many classes, sorted from frequent to rare, in a head and clusters of shrinking size.

    The head scores the first `cutoffs[0]` classes and each cluster; a cluster's classes are scored behind a projection
    to `in_features / div_value^i` features, for those samples alone that need it.

    Args:
        in_features: size of the input's last axis.
        n_classes: the number of classes.
        cutoffs: where the clusters begin, ascending.
        div_value: by how much the width shrinks from cluster to cluster.
        head_bias: whether the head has a bias.

    Raises:
        ValueError: the cutoffs are not ascending, unique and between 1 and `n_classes` - 1.

    Example:
        >>> layer = wengert.nn.AdaptiveLogSoftmaxWithLoss(32, 20, [5, 10])
        >>> output, loss = layer(wengert.zeros(3, 32), wengert.tensor([0, 7, 19]))
        >>> list(output.shape), loss.dim()
        ([3], 0)
    """

    def __init__(self, in_features, n_classes, cutoffs, div_value=4.0, head_bias=False, device=None, dtype=None):
        super().__init__()
        factory = {"device": device, "dtype": dtype}
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        proper = all(int(c) == c for c in cutoffs) and cutoffs == sorted(set(cutoffs))
        if not proper or cutoffs[0] <= 0 or cutoffs[-1] > n_classes - 1:
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each "
                f"value is between 1 and n_classes-1, got {cutoffs}"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, **factory)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(self._clusters()):
            width = int(in_features // (div_value ** (i + 1)))
            project = Linear(in_features, width, bias=False, **factory)
            self.tail.append(Sequential(project, Linear(width, high - low, bias=False, **factory)))

    def _clusters(self):
        """The first class of each cluster, and the one behind its last."""
        return list(zip(self.cutoffs[:-1], self.cutoffs[1:], strict=True))

    def reset_parameters(self):
        """Draw every parameter anew."""
        self.head.reset_parameters()
        for projection, scores in self.tail:
            projection.reset_parameters()
            scores.reset_parameters()

    def _check(self, input, target):
        if target.dim() == 1:
            if input.shape[0] != target.shape[0]:
                raise RuntimeError("Input and target should have the same size in the batch dimension.")
            if input.dim() != 2:
                raise RuntimeError(
                    f"1D target tensor expects 2D input tensors, but found inputs with size {input.shape}"
                )
        elif target.dim() == 0:
            if input.dim() != 1:
                raise RuntimeError(
                    f"0D target tensor expects 1D input tensors, but found inputs with size {input.shape}"
                )
        else:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        return host.checked("AdaptiveLogSoftmaxWithLoss", target, self.n_classes)

    def forward(self, input, target):
        """The log-probability of each target, and minus their mean.

        Args:
            input: (N, in_features), or (in_features,) for one sample.
            target: (N,) or (), class numbers.
        """
        target = self._check(input, target)
        single = target.dim() == 0
        if single:
            input, target = input.unsqueeze(0), target.unsqueeze(0)
        if host.watched(target) and not wengert.is_grad_enabled():
            output = self._of_all(input, target)
        else:
            output = self._of_rows(input, target)
        loss = (-output).mean()
        return _ASMoutput(output.squeeze(0) if single else output, loss)

    def _of_rows(self, input, target):
        """The log-probability of each target; clusters see their own rows. Those without rows get no gradients."""
        column = target  # of the head: the class, or its cluster
        extra = []
        for i, (low, high) in enumerate(self._clusters()):
            rows = ((target >= low) & (target < high)).nonzero().squeeze(1)
            if rows.numel():
                column = column.index_fill(0, rows, self.shortlist_size + i)
                scores = F.log_softmax(self.tail[i](input.index_select(0, rows)), 1)
                chosen = scores.gather(1, (target.index_select(0, rows) - low).unsqueeze(1)).squeeze(1)
                extra.append((rows, chosen))
        output = F.log_softmax(self.head(input), 1).gather(1, column.unsqueeze(1)).squeeze(1)
        for rows, chosen in extra:
            output = output.index_add(0, rows, chosen)
        return output

    def _of_all(self, input, target):
        """The same where values cannot be read: clusters see all rows."""
        column, extra = target, 0.0
        for i, (low, high) in enumerate(self._clusters()):
            inside = (target >= low) & (target < high)
            column = wengert.where(inside, self.shortlist_size + i, column)
            scores = F.log_softmax(self.tail[i](input), 1)
            chosen = scores.gather(1, (target - low).clamp(0, high - low - 1).unsqueeze(1)).squeeze(1)
            extra = extra + wengert.where(inside, chosen, 0.0)
        return F.log_softmax(self.head(input), 1).gather(1, column.unsqueeze(1)).squeeze(1) + extra

    def _all_classes(self, input, head):
        scores = F.log_softmax(head, 1)
        parts = [scores[:, : self.shortlist_size]]
        for i in range(self.n_clusters):
            cluster = F.log_softmax(self.tail[i](input), 1)
            parts.append(cluster + scores[:, self.shortlist_size + i].unsqueeze(1))
        return wengert.cat(parts, 1)

    def log_prob(self, input):
        """The log-probabilities (N, n_classes) of all classes for inputs (N, in_features)."""
        return self._all_classes(input, self.head(input))

    def predict(self, input):
        """The most probable class (N,) of each input; clusters are looked into only where the head asks for it."""
        head = self.head(input)
        best = head.argmax(1)
        if host.watched(best):
            return wengert.where(best >= self.shortlist_size, self._all_classes(input, head).argmax(1), best)
        rows = (best >= self.shortlist_size).nonzero().squeeze(1)
        if not rows.numel():
            return best
        return best.index_copy(0, rows, self._all_classes(input[rows], head[rows]).argmax(1))
