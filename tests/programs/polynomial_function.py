"""A custom autograd.Function in a fit of sin(x): the derivative of a Legendre polynomial by hand, double backward."""

import math

import torch


class LegendrePolynomial3(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


class ClippedExp(torch.autograd.Function):
    """New-style function with setup_context and an argument that needs no gradient."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, limit):
        return x.clamp(max=limit).exp()

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, limit = inputs
        ctx.save_for_backward(x, output)
        ctx.limit = limit

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        assert ctx.needs_input_grad == (True, False)
        return grad * y * (x <= ctx.limit), None


class Split(torch.autograd.Function):
    """Two outputs, one of them not differentiable."""

    @staticmethod
    def forward(ctx, x):
        positive = x > 0
        ctx.mark_non_differentiable(positive)
        ctx.save_for_backward(positive)
        return x * positive, positive

    @staticmethod
    def backward(ctx, g, _):
        (positive,) = ctx.saved_tensors
        return g * positive


def main(steps=50):
    x = torch.linspace(-math.pi, math.pi, 200)
    y = torch.sin(x)
    a = torch.full((), 0.0, requires_grad=True)
    b = torch.full((), -1.0, requires_grad=True)
    c = torch.full((), 0.0, requires_grad=True)
    d = torch.full((), 0.3, requires_grad=True)
    learning_rate = 5e-6
    losses = []
    for _ in range(steps):
        P3 = LegendrePolynomial3.apply
        y_pred = a + b * P3(c + d * x)
        loss = (y_pred - y).pow(2).sum()
        loss = loss + ClippedExp.apply(d * 3, 1.0) + Split.apply(b + 2)[0]
        slope = torch.autograd.grad(P3(c + d * x).sum(), d, create_graph=True)[0]
        (loss + 1e-3 * slope**2).backward()
        losses.append(loss.item())
        with torch.no_grad():
            for p in (a, b, c, d):
                p -= learning_rate * p.grad
                p.grad = None
    assert torch.autograd.gradcheck(
        LegendrePolynomial3.apply, (torch.randn(4, dtype=torch.double, requires_grad=True),)
    )
    return losses


if __name__ == "__main__":
    print(main())
