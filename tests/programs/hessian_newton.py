"""Second-order methods for logistic regression: Hessians three ways, Newton steps, power iteration with products."""

import torch
import torch.nn.functional as F
from torch.autograd.functional import hvp, jacobian, vhp
from torch.func import hessian, jacfwd, jacrev, jvp


def main(steps=50):
    torch.manual_seed(0)
    X = torch.cat([torch.randn(40, 4), torch.ones(40, 1)], dim=1)
    y = (X @ torch.tensor([1.0, -2.0, 0.5, 0.0, 0.3]) + 0.5 * torch.randn(40) > 0).float()
    y = y.to(X.dtype)

    def loss_fn(w):
        logits = X.matmul(w)
        return F.binary_cross_entropy_with_logits(logits, y) + 0.01 * torch.dot(w, w)

    losses = []
    w = torch.zeros(5)
    for step in range(6):
        H = hessian(loss_fn)(w) if step % 2 else torch.autograd.functional.hessian(loss_fn, w)
        g = torch.func.grad(loss_fn)(w)
        w = w - torch.linalg.solve(H, g)
        losses.append(loss_fn(w).item())
    eigenvalues = torch.linalg.eigvalsh(jacfwd(jacrev(loss_fn))(w))
    losses += eigenvalues.tolist()
    v = F.normalize(torch.ones(5), dim=0)
    for _ in range(min(steps, 20)):
        _, Hv = hvp(loss_fn, w, v)
        v = Hv / Hv.norm()
    losses.append(torch.dot(v, vhp(loss_fn, w, v)[1]).item())
    J = jacobian(lambda w: torch.sigmoid(X[:3] @ w), w)
    _, tangent = jvp(lambda w: torch.sigmoid(X[:3] @ w), (w,), (torch.ones(5),))
    assert torch.allclose(J.sum(1), tangent, atol=1e-6)

    p = torch.tensor([-1.2, 1.0], requires_grad=True)
    for _ in range(steps):
        f = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
        (g,) = torch.autograd.grad(f, p, create_graph=True)
        rows = [torch.autograd.grad(g[i], p, retain_graph=True)[0] for i in range(2)]
        H = torch.stack(rows)
        step = torch.linalg.solve(H @ H + torch.eye(2), g.detach().unsqueeze(1))
        with torch.no_grad():
            p -= 0.3 * (H @ step).squeeze(1)
        losses.append(1 + f.item())
    return losses


if __name__ == "__main__":
    print(main())
