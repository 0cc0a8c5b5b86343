"""The guide's pictures are those that its examples draw."""

import importlib.util
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = "seeing-graphs.md"

pytestmark = pytest.mark.skipif(not (ROOT / "tools").exists(), reason="needs the source tree")


@pytest.fixture
def tool():
    spec = importlib.util.spec_from_file_location("draw_images", ROOT / "tools" / "draw_images.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pictures_are_current(tool):
    assert tool.differences(PAGE) == []


def test_pictures_are_small_and_all_shown(tool):
    kept = sorted(p.name for p in (ROOT / "docs" / "images").iterdir())
    assert kept == sorted(set(tool.named(PAGE)))
    assert all((ROOT / "docs" / "images" / name).stat().st_size < 20_000 for name in kept)


def test_a_picture_that_says_something_else_is_found(tool, tmp_path, monkeypatch):
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    monkeypatch.setattr(tool, "DOCS", tmp_path / "docs")
    picture = tmp_path / "docs" / "images" / "first.svg"
    picture.write_text(picture.read_text("utf-8").replace(">-12<", ">12<"), "utf-8")
    (tmp_path / "docs" / "images" / "join.svg").unlink()
    found = tool.differences(PAGE)
    assert len(found) == 2 and "first.svg" in found[0] and "join.svg" in found[1]
    assert tool.main(["--check"]) == 1
