"""Writes docs/coverage.md: which public names of PyTorch are here, and which of them a test names.

The names are in tools/torch_names.txt. A name is tested if a row of the op table has it (every row is in the generated
tests), or if a test or a program that tests run mentions it. Stand-ins, which only say what is missing, are missing.

    python tools/coverage_page.py           writes the page
    python tools/coverage_page.py --check   exits with 1 when the page is not what the package and the tests say
"""

import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = ROOT / "tools" / "torch_names.txt"
PAGE = ROOT / "docs" / "coverage.md"
# Area by the beginning of a name; the first that fits.
AREAS = (
    ("Tensor.", "Methods of tensors"),
    ("nn.functional.", "nn.functional"),
    ("nn.init.", "nn.init"),
    ("nn.utils.", "nn.utils"),
    ("nn.", "nn"),
    ("optim.lr_scheduler.", "optim.lr_scheduler"),
    ("optim.", "optim"),
    ("utils.", "utils"),
    ("distributions.", "distributions"),
    ("linalg.", "linalg"),
    ("fft.", "fft"),
    ("func.", "func"),
    ("autograd.", "autograd"),
    ("", "The package, and what is left"),
)
HEAD = """\
# Coverage

Public names of PyTorch that training code uses, and what is here. Written by `tools/coverage_page.py` from
`tools/torch_names.txt`, the package and the tests: do not edit. A name that is here takes PyTorch's arguments;
differences are in `docs/from-pytorch.md`.
"""


def names():
    """(name, weight) of every line; weight 0 where the count has none."""
    for line in NAMES.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, weight = line.partition(" ")
            yield name, int(weight or 0)


def mentioned():
    """All words of the tests and of the programs that they run."""
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "examples").glob("*.py")]
    return set(re.findall(r"\w+", " ".join(path.read_text(encoding="utf-8") for path in sorted(files))))


def in_rows(table, name):
    """Whether a row of the op table has a name, as a function or method, in place or not."""
    last = name.rpartition(".")[2]
    row = table.get(last) or table.get(last.removesuffix("_"))
    return row is not None and name.count(".") - name.startswith("Tensor.") == 0


def area_of(name):
    return next(title for prefix, title in AREAS if name.startswith(prefix))


def paragraph(title, found):
    if not found:
        return ""
    text = ", ".join(f"`{name}`" for name in found)
    return (
        textwrap.fill(f"**{title}** ({len(found)}): {text}.", 118, break_long_words=False, break_on_hyphens=False)
        + "\n\n"
    )


def render():
    from wengert.dropin.scan import find
    from wengert.ops import TABLE

    words = mentioned()
    areas = {title: {"tested": [], "untested": [], "missing": []} for _, title in AREAS}
    weight = {"here": 0, "all": 0}
    for name, count in names():
        found = find(f"torch.{name}")
        here = found is not None and not getattr(found, "stands_in", False)
        tested = here and (in_rows(TABLE, name) or name.rpartition(".")[2] in words)
        kind = "tested" if tested else "untested" if here else "missing"
        areas[area_of(name)][kind].append(name)
        weight["all"] += count
        weight["here"] += count if here else 0
    total = {kind: sum(len(area[kind]) for area in areas.values()) for kind in ("tested", "untested", "missing")}
    share = 100 * weight["here"] / weight["all"]
    summary = (
        f"Of {sum(total.values())} names, {total['tested']} are here and tested, {total['untested']} are here and no test"
        f" names them, {total['missing']} are missing. Weighted by use in training code, {share:.1f} % of the counted"
        " calls are here."
    )
    text = f"{HEAD}\n{textwrap.fill(summary, 118)}\n\n"
    text += "| area | tested | no test names it | missing |\n|---|---|---|---|\n"
    for title, area in areas.items():
        text += f"| {title} | {len(area['tested'])} | {len(area['untested'])} | {len(area['missing'])} |\n"
    for title, area in areas.items():
        text += f"\n## {title}\n\n" + paragraph("Missing", area["missing"])
        text += paragraph("Here, no test names it", area["untested"])
        text += paragraph("Here and tested", area["tested"]).rstrip("\n") + "\n"
    return re.sub(r"\n{3,}", "\n\n", text)


def main(argv):
    sys.path.append(str(ROOT / "src"))
    text = render()
    if "--check" in argv:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            print("docs/coverage.md: expected what the package and the tests say. Run tools/coverage_page.py.")
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
