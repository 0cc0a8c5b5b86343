"""A residual network with batch normalization: one-cycle schedule, label smoothing, mixed-precision boilerplate."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from example_data import mnist


def conv3x3(in_planes, out_planes, stride=1):
    return nn.Conv2d(in_planes, out_planes, kernel_size=3, stride=stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, in_planes, planes, stride=1):
        super().__init__()
        self.conv1 = conv3x3(in_planes, planes, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != self.expansion * planes:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_planes, self.expansion * planes, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(self.expansion * planes),
            )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return F.relu(out)


class ResNet(nn.Module):
    def __init__(self, block, num_blocks, width=8, num_classes=10):
        super().__init__()
        self.in_planes = width
        self.conv1 = conv3x3(1, width)
        self.bn1 = nn.BatchNorm2d(width)
        layers = [
            self._make_layer(block, width * 2**i, blocks, stride=1 if i == 0 else 2)
            for i, blocks in enumerate(num_blocks)
        ]
        self.layers = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d((1, 1))
        self.linear = nn.Linear(width * 2 ** (len(num_blocks) - 1) * block.expansion, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)

    def _make_layer(self, block, planes, num_blocks, stride):
        strides = [stride] + [1] * (num_blocks - 1)
        layers = []
        for s in strides:
            layers.append(block(self.in_planes, planes, s))
            self.in_planes = planes * block.expansion
        return nn.Sequential(*layers)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.pool(self.layers(out)).flatten(1)
        return self.linear(out)


def augment(x):
    """Shifts by up to two pixels and flips nothing: digits have a direction."""
    dx, dy = torch.randint(-2, 3, (2,)).tolist()
    return torch.roll(x, shifts=(dy, dx), dims=(-2, -1))


def main(steps=60, log=False):
    torch.manual_seed(0)
    torch.cuda.manual_seed_all(0)
    torch.backends.cudnn.benchmark = True
    use_amp = torch.cuda.is_available()
    images, labels = mnist(512)
    x = (torch.as_tensor(images).float() / 255.0)[:, None, ::2, ::2].contiguous()
    y = torch.as_tensor(labels, dtype=torch.long)

    model = ResNet(BasicBlock, [1, 1])
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=steps)
    scaler = torch.amp.GradScaler("cuda", enabled=use_amp)

    losses = []
    for step in range(steps):
        index = torch.randperm(len(x))[:16]
        with torch.autocast("cuda", enabled=use_amp):
            loss = criterion(model(augment(x[index])), y[index])
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=5.0)
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
        losses.append(loss.item())
        if log and step % 10 == 0:
            print(f"step {step:4d}  lr {scheduler.get_last_lr()[0]:.4f}  loss {loss:.4f}")
    model.eval()
    with torch.inference_mode():
        accuracy = (model(x[:256]).argmax(1) == y[:256]).float().mean()
    if log:
        print(f"accuracy {accuracy.item():.3f}")
    return losses


if __name__ == "__main__":
    main(log=True)
