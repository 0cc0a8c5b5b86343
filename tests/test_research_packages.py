"""Packages of models and training wrappers: pytorch-lightning, peft, flows, attention, explanations."""

from packages import run

LEARN = """
def learn(parameters, loss, steps=20, rate=1e-2):
    optimizer = torch.optim.Adam(parameters, rate)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        found = loss()
        found.backward()
        optimizer.step()
        losses.append(found.item())
    assert losses[-1] < losses[0], losses
"""


def test_lightning_trains_saves_and_loads():
    run(
        "pytorch_lightning",
        """
        import logging, tempfile
        import pytorch_lightning as pl
        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        x = torch.randn(32, 4)
        y = (x.sum(1) > 0).long()
        class Net(pl.LightningModule):
            def __init__(self, rate=0.05):
                super().__init__()
                self.save_hyperparameters()
                self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
            def loss(self, batch):
                return F.cross_entropy(self.net(batch[0]), batch[1])
            def training_step(self, batch, index):
                return self.loss(batch)
            def validation_step(self, batch, index):
                self.log("validation", self.loss(batch))
            def configure_optimizers(self):
                return torch.optim.AdamW(self.parameters(), self.hparams.rate)
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 8)
        with tempfile.TemporaryDirectory() as folder:
            best = pl.callbacks.ModelCheckpoint(dirpath=folder, monitor="validation")
            quiet = dict(logger=False, enable_progress_bar=False, enable_model_summary=False)
            trainer = pl.Trainer(
                max_epochs=5, accelerator="cpu", devices=1, gradient_clip_val=1.0, default_root_dir=folder,
                callbacks=[best, pl.callbacks.EarlyStopping("validation")], **quiet,
            )
            net = Net(rate=0.1)
            trainer.fit(net, data, data)
            again = Net.load_from_checkpoint(best.best_model_path, weights_only=False)
        assert again.hparams.rate == 0.1 and best.best_model_score < 0.6
        assert abs(trainer.validate(again, data, verbose=False)[0]["validation"] - best.best_model_score) < 1e-5
        """,
    )


def test_peft_adapts_a_frozen_model():
    run(
        "peft",
        LEARN
        + """
import tempfile
import peft, transformers
sizes = dict(vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48)
tokens = torch.arange(10).remainder(8).repeat(4, 1)
for options in (dict(target_modules=["q_proj", "v_proj"]), dict(target_modules="all-linear", use_dora=True)):
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, num_key_value_heads=2))
    kept = {name: p.detach().clone() for name, p in model.state_dict().items()}
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=4, **options))
    learn([p for p in adapted.parameters() if p.requires_grad], lambda: adapted(input_ids=tokens, labels=tokens).loss)
    base = transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, num_key_value_heads=2))
    base.load_state_dict(kept)
    with tempfile.TemporaryDirectory() as folder:
        adapted.save_pretrained(folder)
        again = peft.PeftModel.from_pretrained(base, folder)
    found = adapted.eval()(input_ids=tokens).logits
    assert torch.equal(again.eval()(input_ids=tokens).logits, found)
    assert torch.allclose(again.merge_and_unload()(tokens).logits, found, atol=1e-4)
""",
    )


def test_zuko_flows_learn_and_sample():
    run(
        "zuko",
        LEARN
        + """
import zuko
x = torch.randn(64, 2) * torch.tensor([1.0, 0.1])
for flow in (zuko.flows.MAF(2, transforms=2, hidden_features=(16,)), zuko.flows.NSF(2, transforms=1, hidden_features=(16,))):
    learn(flow.parameters(), lambda: -flow().log_prob(x).mean())
    assert flow().sample((5,)).shape == (5, 2)
""",
    )


def test_perceiver_learns():
    run(
        "perceiver_pytorch",
        LEARN
        + """
from perceiver_pytorch import Perceiver
model = Perceiver(
    input_channels=3, input_axis=2, num_freq_bands=3, max_freq=4.0, depth=1, num_latents=4, latent_dim=16, num_classes=3,
    latent_heads=2, cross_dim_head=8, latent_dim_head=8,
)
images, classes = torch.randn(6, 8, 8, 3), torch.arange(6) % 3
learn(model.parameters(), lambda: F.cross_entropy(model(images), classes))
""",
    )


def test_higher_differentiates_through_steps():
    run(
        "higher",
        """
        import higher
        net, x = nn.Linear(1, 1, bias=False), torch.tensor([[2.0]])
        start = net.weight.item()
        steps = torch.optim.SGD(net.parameters(), 0.1)
        with higher.innerloop_ctx(net, steps, copy_initial_weights=False) as (inner, optimizer):
            optimizer.step(inner(x).square().sum())  # w <- w - 0.1 * 8 w = 0.2 w
            inner(x).square().sum().backward()  # 4 (0.2 w)^2
        assert abs(net.weight.grad.item() - 2 * 4 * 0.04 * start) < 1e-6
        """,
    )


def test_captum_explains():
    run(
        "captum",
        """
        from captum.attr import DeepLift, FeatureAblation, IntegratedGradients, Saliency
        net, x = nn.Linear(4, 3), torch.randn(2, 4, requires_grad=True)
        exact = x * net.weight[1]
        for method in (DeepLift, FeatureAblation, IntegratedGradients):
            assert torch.allclose(method(net).attribute(x, target=1).float(), exact, atol=1e-4), method
        assert torch.allclose(Saliency(net).attribute(x, target=1), net.weight[1].abs().expand(2, 4))
        """,
    )
