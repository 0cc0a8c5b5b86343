"""The opponent without arrays: automatic differentiation and a trained network in plain Python.

``Value`` records scalars one by one, as a Wengert list does; ``MLP`` is the same network that the demonstration
trains, on lists of floats, with the gradient written by hand. Both are written to be fast for what they are
(``__slots__``, local derivatives stored as numbers instead of closures, whole rows handed to C loops), so that
"times faster than pure Python" is a fair statement. Nothing here imports NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul

try:
    from math import sumprod as dot  # Python 3.12 and later
except ImportError:

    def dot(a: Sequence[float], b: Sequence[float]) -> float:
        """Return the sum of products of two equally long sequences."""
        return sum(map(mul, a, b))


Matrix = list[list[float]]


class Value:
    """A scalar that remembers what it was computed from.

    Args:
        data: the number.

    Example:
        >>> x = Value(3.0)
        >>> y = x * x + x
        >>> y.backward()
        >>> x.grad
        7.0
    """

    __slots__ = ("_a", "_b", "_da", "_db", "_mark", "data", "grad")

    def __init__(self, data: float, a: Value | None = None, da=0.0, b: Value | None = None, db=0.0):
        self.data = data
        self.grad = 0.0
        self._a = a  # operands, or None, and the derivatives by them
        self._b = b
        self._da = da
        self._db = db
        self._mark = 0

    def __repr__(self) -> str:
        return f"Value({self.data!r}, grad={self.grad!r})"

    def __add__(self, other: Value | float) -> Value:
        if isinstance(other, Value):
            return Value(self.data + other.data, self, 1.0, other, 1.0)
        return Value(self.data + other, self, 1.0)

    __radd__ = __add__

    def __mul__(self, other: Value | float) -> Value:
        if isinstance(other, Value):
            return Value(self.data * other.data, self, other.data, other, self.data)
        return Value(self.data * other, self, other)

    __rmul__ = __mul__

    def __neg__(self) -> Value:
        return Value(-self.data, self, -1.0)

    def __sub__(self, other: Value | float) -> Value:
        if isinstance(other, Value):
            return Value(self.data - other.data, self, 1.0, other, -1.0)
        return Value(self.data - other, self, 1.0)

    def __rsub__(self, other: float) -> Value:
        return Value(other - self.data, self, -1.0)

    def __truediv__(self, other: Value | float) -> Value:
        if isinstance(other, Value):
            quotient = self.data / other.data
            return Value(quotient, self, 1.0 / other.data, other, -quotient / other.data)
        return Value(self.data / other, self, 1.0 / other)

    def __rtruediv__(self, other: float) -> Value:
        quotient = other / self.data
        return Value(quotient, self, -quotient / self.data)

    def __pow__(self, exponent: float) -> Value:
        return Value(self.data**exponent, self, exponent * self.data ** (exponent - 1))

    def tanh(self) -> Value:
        """Return the hyperbolic tangent; the derivative is 1 - y²."""
        y = math.tanh(self.data)
        return Value(y, self, 1.0 - y * y)

    def relu(self) -> Value:
        """Return max(x, 0); the derivative at 0 is taken as 0."""
        return Value(self.data, self, 1.0) if self.data > 0 else Value(0.0, self, 0.0)

    def exp(self) -> Value:
        """Return e to the power x."""
        y = math.exp(self.data)
        return Value(y, self, y)

    def log(self) -> Value:
        """Return the natural logarithm; raises ValueError unless x > 0."""
        return Value(math.log(self.data), self, 1.0 / self.data)

    def backward(self) -> None:
        """Add the derivative of this value by every value that it depends on to their ``grad``.

        The order comes from a walk with an explicit stack, so the depth of the graph is not limited by Python's
        recursion limit. Marks (1: entered, 2: placed) are cleared on the way back: backward may be called again.
        """
        order: list[Value] = []
        place = order.append
        stack: list[Value] = [self]
        push, pop = stack.append, stack.pop
        while stack:
            node = stack[-1]
            if node._mark == 0:
                node._mark = 1
                a, b = node._a, node._b
                if a is not None and a._mark == 0:
                    push(a)
                if b is not None and b._mark == 0:
                    push(b)
            elif pop()._mark == 1:
                node._mark = 2
                place(node)
        self.grad += 1.0
        for node in reversed(order):
            node._mark = 0
            a = node._a
            if a is not None:
                grad = node.grad
                a.grad += node._da * grad
                b = node._b
                if b is not None:
                    b.grad += node._db * grad


class MLP:
    """A classifier of linear layers with relu between them, trained with Adam on the mean cross-entropy.

    Args:
        weights: one matrix a layer, (outputs, inputs), as lists of rows.
        biases: one list a layer, (outputs,).
        lr: the step size of Adam; its other constants are 0.9, 0.999 and 1e-8.

    Example:
        >>> net = MLP([[[1.0, 0.0], [0.0, 1.0]]], [[0.0, 0.0]], lr=0.1)
        >>> round(net.step([[1.0, 2.0]], [1]), 4)
        0.3133
    """

    def __init__(self, weights: Sequence[Matrix], biases: Sequence[list[float]], lr: float = 1e-3):
        self.weights = [[list(row) for row in matrix] for matrix in weights]
        self.biases = [list(bias) for bias in biases]
        self._lr = lr
        self._steps = 0
        # Every row of a weight and every bias is one parameter list with two moment lists beside it.
        self._rows = [row for matrix in self.weights for row in matrix] + self.biases
        self._first = [[0.0] * len(row) for row in self._rows]
        self._second = [[0.0] * len(row) for row in self._rows]

    def forward(self, images: Matrix) -> list[Matrix]:
        """Return the input and the output of each layer, (batch, units) each; the last one holds the logits."""
        layers = [images]
        last = len(self.weights) - 1
        for index, (matrix, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            units = list(zip(matrix, bias, strict=True))
            if index < last:
                out = [[y if (y := dot(row, x) + b) > 0.0 else 0.0 for row, b in units] for x in layers[-1]]
            else:
                out = [[dot(row, x) + b for row, b in units] for x in layers[-1]]
            layers.append(out)
        return layers

    def gradients(self, images: Matrix, labels: Sequence[int]) -> tuple[float, list[list[float]]]:
        """Return the loss and its gradient: the rows of all weights, then the biases.

        Args:
            images: (batch, inputs).
            labels: (batch,), each an index of an output.
        """
        layers = self.forward(images)
        scale = 1.0 / len(images)
        loss = 0.0
        delta: Matrix = []
        for logits, label in zip(layers[-1], labels, strict=True):
            top = max(logits)
            exps = [math.exp(z - top) for z in logits]
            total = sum(exps)
            loss += math.log(total) + top - logits[label]
            row = [e * scale / total for e in exps]
            row[label] -= scale
            delta.append(row)
        weight_grads: list[list[list[float]]] = []
        bias_grads: list[list[float]] = []
        for index in range(len(self.weights) - 1, -1, -1):
            by_unit = list(zip(*delta, strict=True))
            by_input = list(zip(*layers[index], strict=True))
            weight_grads.append([[dot(d, x) for x in by_input] for d in by_unit])
            bias_grads.append([sum(d) for d in by_unit])
            if index:
                columns = list(zip(*self.weights[index], strict=True))
                delta = [
                    [dot(d, column) if y > 0.0 else 0.0 for column, y in zip(columns, ys, strict=True)]
                    for d, ys in zip(delta, layers[index], strict=True)
                ]
        weight_grads.reverse()
        bias_grads.reverse()
        return loss * scale, [row for matrix in weight_grads for row in matrix] + bias_grads

    def step(self, images: Matrix, labels: Sequence[int]) -> float:
        """Take one step of Adam on a batch and return the loss before it."""
        loss, grads = self.gradients(images, labels)
        self._steps += 1
        root = math.sqrt(1.0 - 0.999**self._steps)
        rate = self._lr * root / (1.0 - 0.9**self._steps)
        eps = 1e-8 * root
        sqrt = math.sqrt
        for index, (row, grad) in enumerate(zip(self._rows, grads, strict=True)):
            first = [0.9 * m + 0.1 * g for m, g in zip(self._first[index], grad, strict=True)]
            second = [0.999 * v + 0.001 * g * g for v, g in zip(self._second[index], grad, strict=True)]
            row[:] = [p - rate * m / (sqrt(v) + eps) for p, m, v in zip(row, first, second, strict=True)]
            self._first[index] = first
            self._second[index] = second
        return loss
