"""The house holds: layers, sizes of files, exception contracts, nothing unfinished, nothing unused."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "wengert"
LIMIT = 700  # lines of a file: about 600, and never more than this

pytestmark = pytest.mark.skipif(not SOURCE.exists(), reason="needs the source tree")


def files(*patterns):
    found = [p for pattern in patterns for p in ROOT.glob(pattern) if "build" not in p.relative_to(ROOT).parts]
    assert found, patterns
    return sorted(found)


def own_files():
    return files(
        "csrc/**/*.cpp", "csrc/**/*.h", "src/**/*.py", "src/**/*.pyx", "src/**/*.pxi", "src/**/*.h", "src/**/*.pyi"
    ) + files("tests/**/*.py", "tests/**/*.cpp", "benchmarks/**/*.py", "examples/**/*.py", "tools/*.py", "setup.py")


def imports(path):
    """Absolute names of the modules that a file imports, in its package."""
    package = path.relative_to(ROOT / "src").with_suffix("").parts
    out = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            out |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level] if node.level else ()
            stem = ".".join([*base, *([node.module] if node.module else [])])
            out.add(stem)
            out |= {f"{stem}.{name.name}" for name in node.names}
    return out


@pytest.mark.parametrize("path", own_files() if SOURCE.exists() else [], ids=lambda p: str(p.relative_to(ROOT)))
def test_file(path):
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= LIMIT or path.name == "_ops.pyi", f"{len(lines)} lines: one idea in a file"
    words = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"))
    assert not re.search(rf"\b({words})\b", text), "unfinished"
    places = "|".join(("/wo" + "rk/", "/ho" + "me/", "/ro" + "ot/", "/Us" + "ers/"))
    found = re.search(rf"(?<![\w.])({places})", text)
    assert not found, f"a path of one machine: {found and text[found.start() : found.start() + 40]}"


def test_kernels_know_nothing_of_python():
    for path in files("csrc/**/*.cpp", "csrc/**/*.h"):
        text = path.read_text()
        assert "Python.h" not in re.sub(r"//.*", "", text), path
        assert not re.search(r"\bPy[A-Z]\w+\(", text), path


def test_rows_import_the_standard_library_only():
    for path in files("src/wengert/ops/*.py"):
        for name in imports(path):
            top = name.split(".")[0]
            if top == "wengert":
                assert name.startswith("wengert.ops"), f"{path.name} imports {name}"
            else:
                assert top in sys.stdlib_module_names, f"{path.name} imports {name}"


# What nn, optim and utils may take from inside; everything else they use is public.
CORE_NAMES = re.compile(
    r"^(Parameter|Tensor|Generator|mark_parameter|is_parameter|\w+_step|\w+_many|clear_grads|grad_norm|has_value)$"
)
PUBLIC_MODULES = {
    "_functional",
    "_host",
    "_missing",
    "_parameter",
    "_published",
    "_random",
    "_warn",
    "autograd",
    "nn",
    "optim",
    "utils",
    "func",
    "serialization",
    "distributions",
}


def test_upper_layers_use_what_is_public():
    for path in files(*(f"src/wengert/{part}/**/*.py" for part in ("nn", "optim", "utils", "distributions"))):
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "wengert" or len(parts) == 1:
                continue
            where = f"{path.relative_to(ROOT)} imports {name}"
            if parts[1] == "_core":
                assert len(parts) == 2 or CORE_NAMES.match(parts[2]), where
            elif parts[1].startswith("_"):
                assert parts[1] in PUBLIC_MODULES, where
        attributes = set(re.findall(r"\b_core\.(\w+)", path.read_text()))
        assert all(CORE_NAMES.match(a) for a in attributes), f"{path.relative_to(ROOT)} uses _core's {attributes}"


def test_lower_layers_do_not_look_up():
    """The core and what stands on it know nothing of nn, optim and utils."""
    upper = {f"wengert.{name}" for name in ("nn", "optim", "utils", "demo")}
    for path in files("src/wengert/*.py", "src/wengert/ops/*.py", "src/wengert/autograd/**/*.py"):
        if path.name in ("__init__.py", "__main__.py") and path.parent == SOURCE:
            continue
        found = {n for n in imports(path) for u in upper if n == u or n.startswith(u + ".")}
        assert not found, f"{path.name} imports {found}"


SIGNATURE = re.compile(
    r"^[ ]*cdef (?!class|struct|enum|extern|cppclass|packed|union)(?P<head>[^=\n]*?)"
    r"\((?P<args>[^)]*(?:\n[^)]*)*?)\)(?P<tail>[^:\n]*):\s*$",
    re.M,
)
OBJECTS = r"^(inline )?(object|list|dict|tuple|str|bytes|set|{classes}) "


def test_core_functions_say_what_happens_to_exceptions():
    """Every C function of the core returns an object or states `except` or `noexcept`."""
    checked, missing = 0, []
    text = "".join(p.read_text() for p in files("src/wengert/core/*.pxi"))
    objects = re.compile(OBJECTS.format(classes="|".join(re.findall(r"cdef class (\w+)", text))))
    for path in files("src/wengert/core/*.pxi"):
        for match in SIGNATURE.finditer(path.read_text()):
            head, tail = match["head"].strip(), match["tail"]
            if "except" in tail or objects.match(head + " "):
                checked += 1
                continue
            name = head.split()[-1] if head.split() else "?"
            returns_object = len(head.replace("inline ", "").split()) == 1
            checked += 1
            if not returns_object:
                missing.append(f"{path.name}: {name}")
    assert checked > 100
    assert not missing, f"no exception contract: {missing}"


def test_every_forward_function_has_a_row():
    from wengert.ops import TABLE

    listed = set()
    for path in files("csrc/ops/*.cpp"):
        for block in re.findall(r"_forwards\[\]\s*=\s*\{(.*?)nullptr", path.read_text(), re.S):
            listed |= set(re.findall(r'\{"(\w+)"', block))
    used = {row.forward for row in TABLE.values()}
    assert not used - listed, "rows without a forward function"
    assert not listed - used, f"forward functions that no row uses: {sorted(listed - used)}"


def test_every_forward_list_is_joined():
    header = (ROOT / "csrc/include/wengert/op.h").read_text()
    joined = set(re.findall(r"X\((\w+)\)", header.split("WG_FORWARD_LISTS(X)")[1].split("#define")[0]))
    there = {
        m for p in files("csrc/ops/*.cpp") for m in re.findall(r"ForwardEntry (\w+)_forwards\[\] =", p.read_text())
    }
    assert joined == there


def test_every_kernel_unit_is_in_the_table():
    units = {m for p in files("csrc/kernels/*.cpp") for m in re.findall(r"WG_UNIT\((\w+),", p.read_text())}
    isa = (ROOT / "csrc/runtime/isa.cpp").read_text() + (ROOT / "csrc/include/wengert/kernels.h").read_text()
    missing = [u for u in units if not re.search(rf"\b{u}\b", isa)]
    assert not missing, f"kernel units that no table holds: {missing}"


def test_every_part_of_the_core_is_included():
    text = (SOURCE / "_core.pyx").read_text()
    parts = {p.name for p in files("src/wengert/core/*.pxi")}
    assert set(re.findall(r'include "core/(\w+\.pxi)"', text)) == parts


def test_no_flags_that_change_arithmetic():
    for path in [*files("csrc/**/*.cpp", "csrc/**/*.h"), ROOT / "setup.py"]:
        text = re.sub(r"(//|#(?!include|pragma|define)).*", "", path.read_text())
        assert "-ffast-math" not in text and "fast-math" not in text and "omp.h" not in text, path
    assert "-ffp-contract=off" in (ROOT / "setup.py").read_text()


def test_public_rows_are_documented():
    from wengert.ops import TABLE

    for row in TABLE.values():
        assert row.doc.rstrip().endswith((".", ")", "]")), f"{row.name}: a docstring is a sentence"
        assert len(row.doc) >= 10, row.name


def test_sources_of_the_wheel():
    """Packages are complete and the core's sources stay out of them."""
    text = (ROOT / "pyproject.toml").read_text()
    assert '"py.typed", "*.pyi", "data/*", "viz/assets/*"' in text and 'exclude = ["wengert.core*"]' in text
    for name in ("csrc", "tests", "benchmarks", "docs", "examples"):
        assert f"graft {name}" in (ROOT / "MANIFEST.in").read_text()


def test_import_is_quick():
    """At most 25 ms above NumPy's own import, on a machine where that takes 70 ms; in proportion where it is slower or busy.
    Processor time of the importing thread (NumPy's BLAS has threads of its own), the best of several."""
    code = (
        "from time import thread_time as now; a = now(); import numpy; b = now(); import wengert; "
        "print(b - a, now() - b)"
    )
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    pairs = []
    for _ in range(7):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
        pairs.append([float(v) for v in done.stdout.split()])
    best = min(ours for _, ours in pairs)
    least = min(theirs for theirs, _ in pairs)
    assert best <= 0.025 * max(1, least / 0.070), f"{best * 1e3:.1f} ms; NumPy {least * 1e3:.1f} ms"


def test_import_loads_no_heavy_modules():
    code = "import sys, wengert; print(sorted({'inspect', 'difflib', 'unittest', 'asyncio', 'torch'} & set(sys.modules)))"
    plain = "import sys, numpy; print(sorted({'inspect', 'difflib', 'unittest', 'asyncio', 'torch'} & set(sys.modules)))"
    found = [
        subprocess.run([sys.executable, "-c", c], capture_output=True, text=True, check=True).stdout
        for c in (code, plain)
    ]
    assert found[0] == found[1]
