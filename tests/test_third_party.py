"""Packages written for PyTorch run on wengert's tensors; the table of docs/from-pytorch.md says which parts do not."""

import pytest
from packages import run


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


def test_averages_of_weights():
    run(
        "ema_pytorch",
        """
        from ema_pytorch import EMA
        net = nn.Linear(2, 2)
        start = net.weight.detach().clone()
        ema = EMA(net, beta=0.5, update_after_step=0, update_every=1)
        for _ in range(4):
            with torch.no_grad():
                net.weight.add_(1)
            ema.update()
        mean = ema.ema_model.weight
        assert (start < mean).all() and (mean < net.weight).all() and ema(torch.ones(1, 2)).shape == (1, 2)
        ema.load_state_dict(ema.state_dict())
        """,
    )
    run(
        "torch_ema",
        """
        from torch_ema import ExponentialMovingAverage
        net = nn.Linear(2, 2)
        start = net.weight.detach().clone()
        ema = ExponentialMovingAverage(net.parameters(), decay=0.5)
        with torch.no_grad():
            net.weight.add_(1)
        ema.update()
        ema.load_state_dict(ema.state_dict())
        with ema.average_parameters():
            inside = net.weight.detach().clone()
        assert (start < inside).all() and torch.allclose(net.weight, start + 1)
        """,
    )


def test_ignite_trains_and_evaluates():
    run(
        "ignite",
        """
        from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
        from ignite.handlers import EarlyStopping
        from ignite.metrics import Accuracy, Loss, RunningAverage
        from torch.utils.data import DataLoader, TensorDataset
        x = torch.randn(64, 4)
        y = (x.sum(1) > 0).long()
        net, loss = nn.Linear(4, 2), nn.CrossEntropyLoss()
        loader = DataLoader(TensorDataset(x, y), 8, shuffle=True)
        trainer = create_supervised_trainer(net, torch.optim.Adam(net.parameters(), 0.1), loss)
        evaluator = create_supervised_evaluator(net, metrics={"accuracy": Accuracy(), "loss": Loss(loss)})
        RunningAverage(output_transform=lambda out: out).attach(trainer, "mean")
        evaluator.add_event_handler(
            Events.COMPLETED, EarlyStopping(3, lambda engine: -engine.state.metrics["loss"], trainer)
        )
        seen = []
        @trainer.on(Events.EPOCH_COMPLETED)
        def evaluate(engine):
            evaluator.run(loader)
            seen.append(evaluator.state.metrics["accuracy"])
        trainer.run(loader, max_epochs=5)
        assert len(seen) == 5 and seen[-1] > 0.9, seen
        """,
    )


def test_torchmetrics():
    run(
        "torchmetrics",
        """
        import torchmetrics
        p, t = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3]]), torch.tensor([0, 2, 0])
        accuracy = torchmetrics.Accuracy(task="multiclass", num_classes=3, average="micro")
        assert abs(accuracy(p, t).item() - 2 / 3) < 1e-6 and abs(accuracy.compute().item() - 2 / 3) < 1e-6
        accuracy.reset()
        assert torchmetrics.F1Score(task="binary")(torch.tensor([1, 0, 1]), torch.tensor([1, 1, 1])).item() - 0.8 < 1e-6
        assert torchmetrics.AUROC(task="binary")(torch.tensor([0.1, 0.9, 0.8]), torch.tensor([0, 1, 0])).item() == 1
        both = torchmetrics.MetricCollection([torchmetrics.MeanSquaredError(), torchmetrics.MeanAbsoluteError()])
        assert [v.item() for v in both(torch.ones(3), torch.zeros(3)).values()] == [1.0, 1.0]
        matrix = torchmetrics.ConfusionMatrix(task="multiclass", num_classes=3)(p, t)
        assert matrix.sum() == 3 and matrix[0, 0] == 1
        """,
    )


def test_torchsde_has_gradients():
    run(
        "torchsde",
        """
        import torchsde
        class Drift(nn.Module):
            noise_type, sde_type = "diagonal", "ito"
            def __init__(self):
                super().__init__()
                self.rate = nn.Parameter(torch.tensor(0.5))
            def f(self, t, y):
                return -self.rate * y
            def g(self, t, y):
                return 0.1 * torch.ones_like(y)
        sde = Drift()
        for solve in (torchsde.sdeint, torchsde.sdeint_adjoint):
            sde.zero_grad()
            y = solve(sde, torch.ones(3, 2), torch.linspace(0, 1, 5), dt=0.1)
            y[-1].sum().backward()
            assert y.shape == (5, 3, 2) and sde.rate.grad < 0
        """,
    )


def test_accelerate_prepares_a_training_loop():
    run(
        "accelerate",
        """
        from accelerate import Accelerator
        from torch.utils.data import DataLoader, TensorDataset
        accelerator = Accelerator(cpu=True)
        net = nn.Linear(4, 1)
        x = torch.randn(64, 4)
        loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), 8)
        optimizer = torch.optim.AdamW(net.parameters(), 0.1)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 100)
        net, optimizer, loader, schedule = accelerator.prepare(net, optimizer, loader, schedule)
        losses = []
        for _ in range(5):
            for a, b in loader:
                optimizer.zero_grad()
                loss = F.mse_loss(net(a), b)
                accelerator.backward(loss)
                accelerator.clip_grad_norm_(net.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                losses.append(loss.item())
        assert losses[-1] < 0.2 * losses[0], (losses[0], losses[-1])
        """,
    )


def test_optimizers_of_pytorch_optimizer():
    run(
        "pytorch_optimizer",
        """
        import pytorch_optimizer
        names = "Lion AdaBelief RAdam Prodigy AdamP Adan Tiger StableAdamW Lamb AdaBound".split()
        for name in names:
            w = torch.zeros(3, 2, requires_grad=True)
            optimizer = getattr(pytorch_optimizer, name)([w], lr=0.1)
            for _ in range(30):
                optimizer.zero_grad()
                loss = ((w - 1) ** 2).sum()
                loss.backward()
                optimizer.step()
            assert loss < 6, name
        w = torch.zeros(3, requires_grad=True)
        optimizer = pytorch_optimizer.Lookahead(torch.optim.SGD([w], lr=0.1))
        for _ in range(30):
            optimizer.zero_grad()
            ((w - 1) ** 2).sum().backward()
            optimizer.step()
        assert (w > 0.5).all()
        """,
    )


def test_x_transformers_train():
    run(
        "x_transformers",
        """
        from x_transformers import AutoregressiveWrapper, Decoder, TransformerWrapper
        layers = Decoder(dim=32, depth=2, heads=2, rotary_pos_emb=True)
        model = AutoregressiveWrapper(TransformerWrapper(num_tokens=8, max_seq_len=16, attn_layers=layers))
        tokens = torch.arange(16).remainder(8).expand(4, 16)
        optimizer = torch.optim.Adam(model.parameters(), 3e-3)
        losses = []
        for _ in range(40):
            optimizer.zero_grad()
            loss = model(tokens)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.3 * losses[0], losses
        """,
    )


def test_pyro_fits_and_samples():
    run(
        "pyro",
        """
        import pyro
        import pyro.distributions as dist
        from pyro.infer import MCMC, NUTS, SVI, Trace_ELBO
        from pyro.infer.autoguide import AutoNormal
        pyro.set_rng_seed(0)
        data = torch.randn(40) * 0.5 + 2
        def model(data):
            mean = pyro.sample("mean", dist.Normal(0.0, 5.0))
            scale = pyro.sample("scale", dist.LogNormal(0.0, 1.0))
            with pyro.plate("data", len(data)):
                pyro.sample("x", dist.Normal(mean, scale), obs=data)
        guide = AutoNormal(model)
        svi = SVI(model, guide, pyro.optim.Adam({"lr": 0.05}), Trace_ELBO())
        losses = [svi.step(data) for _ in range(150)]
        assert losses[-1] < losses[0] and abs(guide.median()["mean"] - data.mean()) < 0.3
        chain = MCMC(NUTS(model), num_samples=30, warmup_steps=30, disable_progbar=True)
        chain.run(data)
        assert abs(chain.get_samples()["mean"].mean() - data.mean()) < 0.3
        """,
    )


def test_gpytorch_regression():
    run(
        "gpytorch",
        """
        import gpytorch
        class Model(gpytorch.models.ExactGP):
            def __init__(self, x, y, likelihood):
                super().__init__(x, y, likelihood)
                self.mean = gpytorch.means.ConstantMean()
                self.kernel = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel())
            def forward(self, x):
                return gpytorch.distributions.MultivariateNormal(self.mean(x), self.kernel(x))
        x = torch.linspace(0, 1, 30)
        y = torch.sin(6 * x) + torch.randn(30) * 0.1
        likelihood = gpytorch.likelihoods.GaussianLikelihood()
        model = Model(x, y, likelihood)
        optimizer = torch.optim.Adam(model.parameters(), 0.1)
        marginal = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
        losses = []
        for _ in range(40):
            optimizer.zero_grad()
            loss = -marginal(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0] - 0.5, losses
        model.eval(), likelihood.eval()
        with torch.no_grad(), gpytorch.settings.fast_pred_var():
            found = likelihood(model(torch.linspace(0, 1, 7)))
        assert (found.mean - torch.sin(6 * torch.linspace(0, 1, 7))).abs().max() < 0.3 and (found.variance > 0).all()
        """,
    )


def test_lightning_fabric_trains_and_saves():
    run(
        "lightning_fabric",
        """
        import tempfile
        import lightning_fabric
        fabric = lightning_fabric.Fabric(accelerator="cpu", devices=1)
        fabric.launch()
        data = torch.utils.data.TensorDataset(torch.randn(32, 4), torch.randn(32, 1))
        loader = fabric.setup_dataloaders(torch.utils.data.DataLoader(data, batch_size=8))
        model = nn.Linear(4, 1)
        model, optimizer = fabric.setup(model, torch.optim.SGD(model.parameters(), 0.1))
        for x, y in loader:
            optimizer.zero_grad()
            fabric.backward(F.mse_loss(model(x), y))
            fabric.clip_gradients(model, optimizer, max_norm=1.0)
            optimizer.step()
        weight = model.weight.detach().clone()
        with tempfile.TemporaryDirectory() as folder:
            fabric.save(folder + "/state.pt", {"model": model, "optimizer": optimizer})
            nn.init.zeros_(model.weight)
            fabric.load(folder + "/state.pt", {"model": model, "optimizer": optimizer})
        assert torch.equal(model.weight, weight)
        """,
    )


def test_skorch_classifies():
    run(
        "skorch",
        """
        import numpy as np
        from skorch import NeuralNetClassifier
        x = np.random.default_rng(0).standard_normal((100, 4)).astype("float32")
        y = (x[:, 0] > 0).astype("int64")
        layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2), nn.Softmax(-1))
        net = NeuralNetClassifier(layers, max_epochs=15, lr=0.3, verbose=0)
        assert (net.fit(x, y).predict(x) == y).mean() > 0.8
        """,
    )


def test_stable_baselines_learn():
    run(
        "stable_baselines3",
        """
        import stable_baselines3
        model = stable_baselines3.PPO("MlpPolicy", "CartPole-v1", n_steps=64, batch_size=32, n_epochs=2)
        before = [p.detach().clone() for p in model.policy.parameters()]
        model.learn(128)
        assert all(p.isfinite().all() for p in model.policy.parameters())
        assert any((p != q).any() for p, q in zip(model.policy.parameters(), before))
        stable_baselines3.DQN("MlpPolicy", "CartPole-v1", learning_starts=20).learn(60)
        """,
    )
