"""The documentation tells the truth: code blocks are in the sources, examples run, generated files are current."""

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
from optools import TABLE, core, wengert

ROOT = Path(__file__).resolve().parent.parent
DOCS = sorted((ROOT / "docs").rglob("*.md"))

needs_sources = pytest.mark.skipif(not (ROOT / "src").exists(), reason="needs the source tree")


def squeezed(text):
    return re.sub(r"\s+", " ", text).strip()


@needs_sources
def test_quoted_code_is_in_its_file():
    found = 0
    for page in DOCS:
        for name, block in re.findall(r"<!-- file: (\S+) -->\s*```\w+\n(.*?)```", page.read_text("utf-8"), re.S):
            assert squeezed(block) in squeezed((ROOT / name).read_text("utf-8")), (
                f"{page.name}: not in {name}:\n{block}"
            )
            found += 1
    assert found >= 5


@needs_sources
def test_files_that_are_named_exist():
    names = r"`((?:src|csrc|tests|tools|docs|benchmarks)/[\w./-]+\.\w+)`"
    for page in [*DOCS, ROOT / "CONTRIBUTING.md", ROOT / "README.md"]:
        for name in re.findall(names, page.read_text("utf-8")):
            assert (ROOT / name).exists(), f"{page.name} names {name}"


@needs_sources
def test_functions_that_are_named_exist():
    """Names of C functions in the life of an op are in the sources."""
    text = (ROOT / "docs/architecture.md").read_text("utf-8").split("## The life of one op")[1]
    sources = "".join(p.read_text("utf-8") for p in (ROOT / "src").rglob("*.p*") if p.suffix in (".py", ".pxi"))
    sources += "".join(p.read_text("utf-8") for p in (ROOT / "csrc").rglob("*.cpp"))
    for name in set(re.findall(r"`([a-z]+_[a-z_]+)`", text)):
        assert re.search(rf"\b{name}\b", sources), name


def test_examples_in_the_pages(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # examples may write files
    for page in DOCS:
        result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
        assert result.failed == 0, page.name


def test_examples_in_the_rows():
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    for row in TABLE.values():
        test = parser.get_doctest(row.doc, {}, row.name, None, None)
        if test.examples:
            runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


def modules():
    skipped = ("wengert.demo", "wengert.__main__", "wengert._core")
    found = [m.name for m in pkgutil.walk_packages(wengert.__path__, "wengert.")]
    return ["wengert"] + [name for name in found if not name.startswith(skipped)]


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    threads = core.threads()
    result = doctest.testmod(
        module, extraglobs={"wengert": wengert}, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    core.set_threads(threads)
    assert result.failed == 0


@needs_sources
def test_generated_types_are_current():
    done = subprocess.run([sys.executable, "tools/gen_pyi.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-1000:]


@needs_sources
def test_types_are_valid_python():
    import ast

    for page in (ROOT / "src/wengert").glob("*.pyi"):
        ast.parse(page.read_text("utf-8"))


@needs_sources
def test_readme_has_the_commands_of_ci():
    text = (ROOT / "README.md").read_text("utf-8")
    for name in ("install", "test"):
        assert re.search(rf"<!-- ci:{name} -->\s*```sh\n.+?```", text, re.S), name


@needs_sources
def test_coverage_page_is_current():
    done = subprocess.run(
        [sys.executable, "tools/coverage_page.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr[-1000:]
