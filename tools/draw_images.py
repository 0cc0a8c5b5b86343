"""Draws the pictures of the documentation: runs the examples of a page in docs/images.

python tools/draw_images.py            draw all pictures
python tools/draw_images.py --check    fail where a picture says something else than its example
"""

import doctest
import os
import re
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = ("seeing-graphs.md",)


def draw(page, folder):
    """Runs the examples of a page in a folder, where they leave their pictures; returns the number of failures."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        found = doctest.testfile(str(DOCS / page), module_relative=False, optionflags=doctest.ELLIPSIS)
    finally:
        os.chdir(before)
    return found.failed


def shown(path):
    """What a picture says: its texts, sorted. Where things stand is left to the painter."""
    return sorted("".join(e.itertext()) for e in ET.parse(path).iter() if e.tag.endswith("}text"))


def named(page):
    """The pictures that a page shows."""
    return re.findall(r"\]\(images/([\w-]+\.svg)\)", (DOCS / page).read_text("utf-8"))


def differences(page):
    """Sentences about pictures of a page that are missing or say something else than what its examples draw."""
    out = []
    with tempfile.TemporaryDirectory() as folder:
        if draw(page, folder):
            out.append(f"{page}: examples fail")
        for name in named(page):
            fresh, kept = Path(folder, name), DOCS / "images" / name
            if not fresh.exists():
                out.append(f"{page}: no example draws {name}")
            elif not kept.exists() or shown(fresh) != shown(kept):
                out.append(f"{page}: {name} is not what its example draws. Run tools/draw_images.py")
    return out


def main(arguments):
    """Draws or checks; returns the exit code."""
    if arguments == ["--check"]:
        found = [sentence for page in PAGES for sentence in differences(page)]
        print("\n".join(found), end="\n" if found else "")
        return 1 if found else 0
    images = DOCS / "images"
    images.mkdir(exist_ok=True)
    return 1 if sum(draw(page, images) for page in PAGES) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
