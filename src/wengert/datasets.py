"""Data that ships with the package: small enough to embed, real enough to learn from."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from wengert import Tensor

__all__ = ["digits"]

_TEST_COUNT = 297


def digits(split: str | None = None) -> tuple[Tensor, Tensor]:
    """Load the handwritten digits of the UCI repository: 1,797 grey images of 8 by 8 pixels.

    The split is fixed: the middle images of 297 equal stretches of the file are the test part, the other 1,500
    the training part. (Both parts therefore hold images by the same thirteen writers.) Origin and licence
    (CC BY 4.0) are in ``wengert/data/digits.txt``.

    Args:
        split: ``"train"`` (1,500 images), ``"test"`` (297) or ``None`` (all 1,797, in the order of the source).

    Returns:
        ``(images, labels)``: float32 of shape (n, 8, 8) in 0..1, where 1 is ink, and int64 of shape (n,) in 0..9.

    Raises:
        ValueError: ``split`` is none of the three.

    Example:
        >>> import wengert
        >>> from wengert.datasets import digits
        >>> images, labels = digits("train")
        >>> tuple(images.shape), tuple(labels.shape)
        ((1500, 8, 8), (1500,))
    """
    import wengert

    if split not in (None, "train", "test"):
        raise ValueError(f"digits: expected split 'train', 'test' or None, got {split!r}. Pass one of the three.")
    source = resources.files("wengert") / "data" / "digits.npz"
    with source.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        images, labels = archive["images"], archive["labels"]
    if split is not None:
        count = len(labels)
        in_test = np.zeros(count, dtype=bool)
        in_test[np.arange(_TEST_COUNT) * count // _TEST_COUNT + 3] = True
        chosen = in_test if split == "test" else ~in_test
        images, labels = images[chosen], labels[chosen]
    # 16 is the full count of a 4x4 block, and a power of two: the scaling is exact.
    return wengert.from_numpy(images.astype(np.float32) / 16), wengert.from_numpy(labels.astype(np.int64))
