"""Packages written for PyTorch run on wengert's tensors; the table of docs/from-pytorch.md says which parts do not."""

import subprocess
import sys
import textwrap

import pytest


def run(package, program):
    """Runs lines after `import torch`, in a process of their own, with wengert for torch."""
    code = "import warnings\nwarnings.simplefilter('ignore')\nimport wengert\nwengert.as_torch()\n"
    code += "import torch\nimport torch.nn as nn\nfrom torch.nn import functional as F\ntorch.manual_seed(0)\n"
    code += textwrap.dedent(program)
    try:
        # The parent may have imported the real torch: only whether the package is there is asked here.
        found = subprocess.run(
            [sys.executable, "-c", f"import importlib.util; print(importlib.util.find_spec({package!r}) is not None)"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    except subprocess.CalledProcessError:
        pytest.skip(f"{package} cannot be looked up")
    if found.stdout.strip() != "True":
        pytest.skip(f"{package} is not installed")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_einops_functions():
    out = run(
        "einops",
        """
        from einops import einsum, pack, rearrange, reduce, repeat, unpack
        x = torch.arange(96.0).reshape(2, 3, 4, 4).requires_grad_()
        y = rearrange(x, "b c (h h2) (w w2) -> b (c h2 w2) h w", h2=2, w2=2)
        assert torch.equal(y, F.pixel_unshuffle(x, 2))
        z = reduce(x, "b c h w -> b c", "mean")
        assert torch.allclose(z, x.mean((2, 3)))
        assert torch.equal(reduce(x, "b c h w -> b 1", "max"), x.amax((1, 2, 3))[:, None])
        r = repeat(z, "b c -> b c k", k=2)
        e = einsum(r, r, "b c k, b d k -> b c d")
        assert torch.allclose(e, r @ r.mT)
        packed, shapes = pack([e, r], "b c *")
        assert torch.equal(unpack(packed, shapes, "b c *")[1], r)
        packed.sum().backward()
        assert x.grad.shape == x.shape and x.grad.abs().sum() > 0
        print(type(y).__module__)
        """,
    )
    assert out.startswith("wengert")


def test_einops_layers():
    run(
        "einops",
        """
        import copy
        from einops.layers.torch import EinMix, Rearrange, Reduce
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.ReLU(), Rearrange("b c h w -> b (c h w)"), nn.Linear(144, 8),
            Rearrange("b (t c) -> b t c", t=2), EinMix("b t c -> b t d", weight_shape="c d", bias_shape="d", c=4, d=5),
            Reduce("b t d -> b d", "mean"),
        )
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        x, y = torch.randn(8, 1, 8, 8), torch.randint(0, 5, (8,))
        losses = []
        for _ in range(20):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.8 * losses[0], losses
        copy.deepcopy(model).load_state_dict(model.state_dict())
        """,
    )


TRAIN = """
def train(make):
    model = nn.Linear(3, 1)
    optimizer = make(model.parameters())
    x = torch.randn(16, 3)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5]])
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0], losses
"""


def test_optimizers_of_torch_optimizer():
    names = "RAdam AdaBound AdaMod Yogi Lamb DiffGrad QHAdam NovoGrad Apollo AggMo MADGRAD SWATS".split()
    loop = f"for name in {names}:\n    train(lambda p: getattr(to, name)(p, lr=1e-2))\n"
    run("torch_optimizer", TRAIN + "import torch_optimizer as to\n" + loop)


def test_lion():
    run(
        "lion_pytorch",
        TRAIN + "from lion_pytorch import Lion\ntrain(lambda p: Lion(p, lr=1e-2, weight_decay=1e-2))\n",
    )


@pytest.mark.parametrize(
    ("function", "method"),
    [
        ("odeint", "euler"),
        ("odeint", "midpoint"),
        ("odeint", "rk4"),
        ("odeint_adjoint", "rk4"),
        ("odeint", "dopri5"),
        ("odeint", "bosh3"),
        ("odeint_adjoint", "dopri5"),
    ],
)
def test_torchdiffeq(function, method):
    run(
        "torchdiffeq",
        f"""
        from torchdiffeq import {function}
        class Field(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = nn.Linear(2, 2, bias=False)
            def forward(self, t, y):
                return self.net(y)
        field = Field()
        t = torch.linspace(0, 1, 11, dtype=torch.float32)
        y = {function}(field, torch.ones(1, 2), t, method={method!r})
        exact = torch.matrix_exp(field.net.weight.detach()) @ torch.ones(2)
        assert torch.allclose(y[-1, 0], exact, atol=0.1 if {method!r} == "euler" else 2e-3), (y[-1], exact)
        y[-1].sum().backward()
        assert field.net.weight.grad.abs().sum() > 0
        """,
    )


def test_torchinfo_counts_parameters():
    out = run(
        "torchinfo",
        """
        from torchinfo import summary
        model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
        print(summary(model, input_size=(2, 1, 8, 8), verbose=0).total_params)
        """,
    )
    assert int(out) == 4 * 9 + 4 + 144 * 2 + 2
