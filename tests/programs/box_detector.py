"""Finding boxes: anchors on a grid, matching by overlap, focal loss, box losses, suppression of doubles."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def scenes(n, size=16):
    """Pictures with one or two bright rectangles, their boxes (x1, y1, x2, y2) and kinds."""
    images, targets = 0.1 * torch.randn(n, 1, size, size), []
    for k in range(n):
        boxes, kinds = [], []
        for _ in range(1 + int(torch.randint(0, 2, ()))):
            w, h = (int(v) for v in torch.randint(3, 8, (2,)))
            x, y = int(torch.randint(0, size - w, ())), int(torch.randint(0, size - h, ()))
            images[k, 0, y : y + h, x : x + w] += 1.0
            boxes.append([x, y, x + w, y + h])
            kinds.append(int(w > h))
        targets.append({"boxes": torch.tensor(boxes).float(), "labels": torch.tensor(kinds)})
    return images, targets


def area(b):
    return (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])


def overlaps(a, b):
    low = torch.maximum(a[:, None, :2], b[None, :, :2])
    high = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    inner = (high - low).clamp(min=0).prod(-1)
    return inner / (area(a)[:, None] + area(b)[None] - inner)


def anchors(cells=4, stride=4):
    centre = (torch.arange(cells) + 0.5) * stride
    cy, cx = torch.meshgrid(centre, centre, indexing="ij")
    sizes = torch.tensor([[4.0, 4.0], [7.0, 4.0], [4.0, 7.0]])
    middle = torch.stack((cx, cy), -1).reshape(-1, 1, 2)
    return torch.cat((middle - sizes / 2, middle + sizes / 2), -1).flatten(0, 1)


def to_deltas(boxes, base):
    size, wanted = base[:, 2:] - base[:, :2], boxes[:, 2:] - boxes[:, :2]
    shift = ((boxes[:, :2] + boxes[:, 2:]) - (base[:, :2] + base[:, 2:])) / 2 / size
    return torch.cat((shift, (wanted / size).log()), 1)


def from_deltas(deltas, base):
    size = base[:, 2:] - base[:, :2]
    centre = (base[:, :2] + base[:, 2:]) / 2 + deltas[:, :2] * size
    half = size * deltas[:, 2:].clamp(max=2.0).exp() / 2
    return torch.hstack((centre - half, centre + half))


def suppress(boxes, scores, limit=0.5):
    order, kept = scores.argsort(descending=True), []
    while order.numel():
        kept.append(order[0])
        order = order[1:][overlaps(boxes[order[:1]], boxes[order[1:]])[0] <= limit]
    return torch.stack(kept) if kept else order


def focal(logits, targets, alpha=0.25, gamma=2.0):
    p = logits.sigmoid()
    cross = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    right = p * targets + (1 - p) * (1 - targets)
    return ((alpha * targets + (1 - alpha) * (1 - targets)) * (1 - right) ** gamma * cross).sum()


class Detector(nn.Module):
    def __init__(self, kinds=2, per_cell=3):
        super().__init__()
        self.kinds = kinds
        self.body = nn.Sequential(
            nn.Conv2d(1, 12, 3, 2, 1), nn.GroupNorm(3, 12), nn.Mish(), nn.Conv2d(12, 16, 3, 2, 1), nn.GroupNorm(4, 16),
            nn.Mish(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU6(),
        )  # fmt: skip
        self.classes = nn.Conv2d(16, per_cell * kinds, 1)
        self.boxes = nn.Conv2d(16, per_cell * 4, 1)
        nn.init.constant_(self.classes.bias, -2.0)

    def forward(self, x):
        x = self.body(x)
        n = x.size(0)
        return (
            self.classes(x).permute(0, 2, 3, 1).reshape(n, -1, self.kinds),
            self.boxes(x).permute(0, 2, 3, 1).reshape(n, -1, 4),
        )


def main(steps=50):
    torch.manual_seed(0)
    net, base = Detector(), anchors()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.SequentialLR(
        optimizer,
        [
            torch.optim.lr_scheduler.LinearLR(optimizer, 0.2, total_iters=5),
            torch.optim.lr_scheduler.MultiStepLR(optimizer, [25, 40], 0.3),
        ],
        milestones=[5],
    )
    losses = []
    for _ in range(steps):
        images, targets = scenes(6)
        scores, deltas = net(images)
        loss, matched = 0.0, 0
        for score, delta, target in zip(scores, deltas, targets):
            best, which = overlaps(base, target["boxes"]).max(dim=1)
            foreground = best >= 0.4
            foreground[overlaps(base, target["boxes"]).argmax(dim=0)] = True
            wanted = torch.zeros_like(score)
            wanted[foreground, target["labels"][which[foreground]]] = 1.0
            loss = loss + focal(score[(best < 0.3) | foreground], wanted[(best < 0.3) | foreground])
            goal = to_deltas(target["boxes"][which[foreground]], base[foreground])
            loss = loss + F.smooth_l1_loss(delta[foreground], goal, beta=0.2, reduction="sum")
            matched += int(foreground.sum())
        loss = loss / max(matched, 1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    with torch.inference_mode():
        score, kind = scores[0].sigmoid().max(-1)
        kept = suppress(from_deltas(deltas[0], base), score)
        assert kept.unique().numel() == kept.numel() and kind[kept].max() < 2
        losses.append(score[kept].mean().item() + len(kept))
    return losses


if __name__ == "__main__":
    print(main()[-1])
