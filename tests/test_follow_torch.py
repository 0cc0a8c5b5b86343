"""Models of many layers follow torch step by step: equal starts and data, fifty steps of training.

In float64 the losses agree to 1e-9. In float32 our distance from the float64 run is at most three times torch's own.
"""

import numpy as np
import pytest

import wengert

torch = pytest.importorskip("torch")

STEPS = 50


def images(lib, dtype, step):
    rng = np.random.default_rng(step)
    x, y = rng.normal(size=(6, 2, 9, 9)), rng.integers(0, 5, 6)
    return lib.from_numpy(x).to(dtype), lib.from_numpy(y)


def tokens(lib, dtype, step):
    rng = np.random.default_rng(step)
    x, y = rng.integers(0, 11, (4, 7)), rng.integers(0, 11, (4, 7))
    y[rng.random(y.shape) < 0.2] = -100
    return lib.from_numpy(x), lib.from_numpy(y)


def sequences(lib, dtype, step):
    rng = np.random.default_rng(step)
    x, lengths, y = rng.normal(size=(4, 6, 3)), rng.integers(1, 7, 4), rng.normal(size=(4, 2))
    return (lib.from_numpy(x).to(dtype), lib.from_numpy(lengths)), lib.from_numpy(y).to(dtype)


def vectors(lib, dtype, step):
    rng = np.random.default_rng(step)
    return lib.from_numpy(rng.normal(size=(8, 4))).to(dtype), lib.from_numpy(rng.normal(size=(8, 3))).to(dtype)


def conv_net(lib):
    nn, functional = lib.nn, lib.nn.functional

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(2, 6, 3, padding=1, padding_mode="reflect")
            self.norm = nn.BatchNorm2d(6, momentum=0.2)
            self.second = nn.Conv2d(6, 6, 3, stride=2, padding=1, padding_mode="circular", groups=2)
            self.group = nn.GroupNorm(3, 6)
            self.up = nn.ConvTranspose2d(6, 4, 3, stride=2, output_padding=1)
            self.instance = nn.InstanceNorm2d(4, affine=True)
            self.out = nn.Linear(4 * 4, 5)

        def forward(self, x):
            x = functional.max_pool2d(functional.leaky_relu(self.norm(self.first(x))), 3, 2, 1, ceil_mode=True)
            x = functional.interpolate(x, scale_factor=1.6, mode="bilinear", align_corners=True)
            x = functional.silu(self.group(self.second(x)))
            x = functional.avg_pool2d(self.instance(self.up(x)), 2, ceil_mode=True, count_include_pad=False)
            return self.out(functional.adaptive_avg_pool2d(x, 2).flatten(1))

    return Net()


def language_model(lib):
    nn = lib.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(11, 8, padding_idx=0)
            layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, "gelu", batch_first=True, norm_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.lstm = nn.LSTM(8, 8, batch_first=True)
            self.head = nn.Linear(8, 11, bias=False)
            self.head.weight = self.embed.weight  # tied

        def forward(self, x):
            mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1]).to(self.embed.weight.dtype)
            return self.head(self.lstm(self.encoder(self.embed(x), mask=mask))[0]).transpose(1, 2)

    return Net()


def packed_gru(lib):
    nn = lib.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(3, 5, num_layers=2, bidirectional=True, batch_first=True)
            self.out = nn.Linear(10, 2)

        def forward(self, given):
            x, lengths = given
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            y, _ = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], batch_first=True)
            return self.out(y.sum(1))

    return Net()


def normalised_mlp(lib):
    nn = lib.nn
    parametrizations = nn.utils.parametrizations
    return nn.Sequential(
        parametrizations.weight_norm(nn.Linear(4, 7)), nn.LayerNorm(7), nn.ELU(), nn.Linear(7, 6), nn.RMSNorm(6),
        nn.Softplus(), nn.Linear(6, 3), nn.PReLU(3),
    )  # fmt: skip


def class_loss(lib, y, t):
    return lib.nn.functional.cross_entropy(y, t, label_smoothing=0.1, ignore_index=-100)


def square_loss(lib, y, t):
    return lib.nn.functional.smooth_l1_loss(y, t, beta=0.7) + lib.nn.functional.mse_loss(y, t)


PROGRAMS = {
    "conv": (
        conv_net,
        images,
        class_loss,
        lambda o, p: o.SGD(p, lr=0.03, momentum=0.9, nesterov=True, weight_decay=1e-3),
    ),
    "language": (language_model, tokens, class_loss, lambda o, p: o.AdamW(p, lr=3e-3, betas=(0.9, 0.95))),
    "packed": (packed_gru, sequences, square_loss, lambda o, p: o.RMSprop(p, lr=3e-3, momentum=0.5, centered=True)),
    "mlp": (normalised_mlp, vectors, square_loss, lambda o, p: o.Adam(p, lr=0.01, amsgrad=True)),
}


def train(lib, name, dtype, start):
    """The losses of fifty steps, and of the model in eval mode at the end."""
    build, batch, loss_of, make = PROGRAMS[name]
    model = build(lib).to(dtype)
    model.load_state_dict(
        {k: lib.from_numpy(v.copy()).to(dtype if v.dtype.kind == "f" else None) for k, v in start.items()}
    )
    optimizer = make(lib.optim, model.parameters())
    schedule = lib.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.02, total_steps=STEPS + 1)
    losses = []
    for step in range(STEPS):
        x, t = batch(lib, dtype, step)
        optimizer.zero_grad()
        loss = loss_of(lib, model(x), t)
        loss.backward()
        lib.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    model.eval()
    with lib.no_grad():
        x, t = batch(lib, dtype, STEPS)
        losses.append(loss_of(lib, model(x), t).item())
    return np.array(losses)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings("ignore")
def test_losses_follow_torch(name):
    torch.manual_seed(3)
    start = {k: v.numpy() for k, v in PROGRAMS[name][0](torch).double().state_dict().items()}
    exact, ours = train(torch, name, torch.float64, start), train(wengert, name, wengert.float64, start)
    np.testing.assert_allclose(ours, exact, rtol=1e-9)
    coarse = np.abs(train(torch, name, torch.float32, start) - exact).max()
    mine = np.abs(train(wengert, name, wengert.float32, start) - exact).max()
    assert mine <= 3 * coarse, (mine, coarse)
