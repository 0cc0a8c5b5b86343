"""Packages for images: torchvision, timm."""

from packages import run

LEARN = """
def learn(model, steps=6, size=32):
    images, classes = torch.randn(8, 3, size, size), torch.arange(8) % 3
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), classes)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0], losses
"""


def test_torchvision_models_learn():
    run(
        "torchvision",
        LEARN
        + """
import torchvision
learn(torchvision.models.resnet18(num_classes=3))
learn(torchvision.models.mobilenet_v3_small(num_classes=3), 12)
learn(torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=3))
""",
    )


def test_torchvision_transforms_and_data():
    run(
        "torchvision",
        """
        import torchvision
        from torchvision.transforms import v2
        from PIL import Image
        parts = [v2.ToImage(), v2.RandomHorizontalFlip(1.0), v2.ToDtype(torch.float32, scale=True), v2.Resize(4)]
        change = v2.Compose(parts)
        picture = Image.linear_gradient("L").resize((8, 8))
        out = change(picture)
        assert out.shape == (1, 4, 4) and type(out).__name__ == "Image" and (out.diff(dim=1) > 0).all()
        flip = torchvision.transforms.functional.hflip
        assert torch.equal(flip(torch.arange(3.0)[None, None]), torch.tensor([[[2.0, 1.0, 0.0]]]))
        data = torchvision.datasets.FakeData(8, (3, 16, 16), 5, transform=torchvision.transforms.ToTensor())
        batches = [x.shape for x, y in torch.utils.data.DataLoader(data, 4)]
        assert batches == [(4, 3, 16, 16)] * 2
        boxes = torch.tensor([[0.0, 0, 2, 2], [1, 1, 3, 3]])
        assert torch.allclose(torchvision.ops.box_iou(boxes, boxes), torch.tensor([[1, 1 / 7], [1 / 7, 1]]))
        ramp = torch.arange(16.0).expand(1, 1, 16, 16)
        pooled = torchvision.ops.roi_align(ramp, torch.tensor([[0, 2.0, 2, 10, 10]]), 2, aligned=True)
        assert torch.allclose(pooled[0, 0, 0], torch.tensor([3.5, 7.5])), pooled
        assert torchvision.ops.nms(boxes, torch.tensor([0.1, 0.9]), 0.1).tolist() == [1]
        kept = torchvision.ops.batched_nms(boxes, torch.tensor([0.1, 0.9]), torch.tensor([0, 1]), 0.1)
        assert kept.tolist() == [1, 0]
        """,
    )


def test_torchvision_detector_learns():
    run(
        "torchvision",
        """
        import torchvision
        sizes = dict(weights=None, weights_backbone=None, num_classes=3, min_size=64, max_size=64)
        model = torchvision.models.detection.fasterrcnn_mobilenet_v3_large_320_fpn(**sizes)
        images = [torch.rand(3, 64, 64)]
        boxes, labels = torch.tensor([[5.0, 6, 30, 40], [20, 20, 60, 50]]), torch.tensor([1, 2])
        optimizer = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9)
        losses = []
        for _ in range(4):
            optimizer.zero_grad()
            parts = model(images, [dict(boxes=boxes, labels=labels)])
            sum(parts.values()).backward()
            optimizer.step()
            losses.append(parts["loss_classifier"].item())
        assert losses[-1] < losses[0], losses
        found = model.eval()(images)[0]
        assert len(found["boxes"]) == len(found["scores"]) and (found["scores"].diff() <= 0).all()
        """,
    )


def test_timm_models_learn():
    run(
        "timm",
        LEARN
        + """
import timm
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
learn(timm.create_model("resnet18", num_classes=3))
learn(timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=3, embed_dim=32, depth=2, num_heads=2))
learn(timm.create_model("convnext_atto", num_classes=3))
features = timm.create_model("resnet18", features_only=True, out_indices=(1, 2))(torch.zeros(1, 3, 32, 32))
assert [f.shape[1] for f in features] == [64, 128]
layer = nn.Linear(2, 1)
optimizer = create_optimizer_v2(layer, opt="lamb", lr=0.1)
schedule = CosineLRScheduler(optimizer, t_initial=10, warmup_t=2)
schedule.step(1)
assert 0 < optimizer.param_groups[0]["lr"] < 0.1
""",
    )


def test_kornia_losses_hold_functions_as_class_attributes():
    run(
        "kornia",
        """
        from kornia.losses import HausdorffERLoss

        target = torch.zeros(1, 1, 8, 8, dtype=torch.int64)
        target[..., 2:6, 2:6] = 1
        scores = torch.randn(1, 2, 8, 8, dtype=torch.float64, requires_grad=True)
        loss, losses = HausdorffERLoss(k=4), []
        optimizer = torch.optim.Adam([scores], lr=0.3)
        for _ in range(10):
            value = loss(scores.softmax(1), target)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            losses.append(value.item())
        assert losses[-1] < 0.5 * losses[0], losses
        """,
    )
