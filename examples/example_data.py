"""The data sets that the examples learn from, as NumPy arrays and strings.

They are read from the folder named by the environment variable WENGERT_DATA, or from ``shared/data`` beside the
checkout. Nothing is downloaded.
"""

import csv
import functools
import gzip
import os
from pathlib import Path

import numpy as np

FOLDER = Path(os.environ.get("WENGERT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def _path(*parts):
    path = FOLDER.joinpath(*parts)
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: set WENGERT_DATA to the folder that holds the data sets")
    return path


def _idx(name, header, count, shape):
    with gzip.open(_path("mnist", name)) as file:
        file.read(header)
        size = int(np.prod(shape, dtype=int))
        return np.frombuffer(file.read(count * size), dtype=np.uint8).reshape(count, *shape)


@functools.lru_cache
def mnist(count=2000, train=True):
    """Images of handwritten digits (uint8, count x 28 x 28) and their labels (int64)."""
    part = "train" if train else "t10k"
    images = _idx(f"{part}-images-idx3-ubyte.gz", 16, count, (28, 28)).copy()
    labels = _idx(f"{part}-labels-idx1-ubyte.gz", 8, count, ()).astype(np.int64)
    return images, labels


@functools.lru_cache
def shakespeare():
    """A million characters of Shakespeare."""
    return _path("tinyshakespeare", "input.txt").read_text(encoding="utf-8")


@functools.lru_cache
def given_names():
    """32,033 given names."""
    return _path("makemore", "names.txt").read_text(encoding="utf-8").split()


@functools.lru_cache
def surnames():
    """Surnames by language: a dict of lists."""
    return {
        path.stem: path.read_text(encoding="utf-8").split("\n") for path in sorted(_path("names18").glob("*.txt"))
    }


@functools.lru_cache
def california_housing():
    """Districts of California: numbers (n x 8, NaN where a cell is empty), ocean proximity (strings), prices."""
    with open(_path("california_housing", "housing.csv"), encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    numbers = np.array([[float(cell or "nan") for cell in row[:9]] for row in rows])
    return numbers[:, :8], [row[9] for row in rows], numbers[:, 8]


@functools.lru_cache
def cora(papers=400):
    """The first papers of a citation graph: words (n x 1433), subjects (int64), pairs of papers that cite."""
    with gzip.open(_path("cora", "cora.content.gz"), "rt") as file:
        rows = [line.split("\t") for _, line in zip(range(papers), file, strict=False)]
    index = {row[0]: i for i, row in enumerate(rows)}
    subjects = sorted({row[-1].strip() for row in rows})
    words = np.array([row[1:-1] for row in rows], dtype=np.float32)
    labels = np.array([subjects.index(row[-1].strip()) for row in rows])
    pairs = (line.split() for line in _path("cora", "cora.cites").read_text().splitlines())
    edges = np.array([(index[a], index[b]) for a, b in pairs if a in index and b in index])
    return words, labels, edges
