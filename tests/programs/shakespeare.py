"""The text that the two language models learn: tinyshakespeare, beside the checkout."""

from __future__ import annotations

from pathlib import Path

_FILE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "tinyshakespeare" / "input.txt"


def find() -> Path | None:
    """Return the path of the text, or None where it is not installed (``../shared/data/tinyshakespeare``)."""
    return _FILE if _FILE.is_file() else None


def load() -> tuple[list[int], str]:
    """Return the text as indices into its alphabet, and the alphabet in order.

    Raises:
        FileNotFoundError: the data is not there.
    """
    path = find()
    if path is None:
        raise FileNotFoundError(f"shakespeare: expected the text at {_FILE}, got no file. Put input.txt there.")
    text = path.read_text(encoding="utf-8")
    alphabet = "".join(sorted(set(text)))
    index = {character: i for i, character in enumerate(alphabet)}
    return [index[character] for character in text], alphabet
