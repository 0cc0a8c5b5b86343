"""Command line: ``python -m wengert run | check | demo | view | info | bench``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def _positive(text: str) -> int:
    """Parse an integer that is at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a number >= 1, got {text}")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m wengert",
        description="Computational graphs and automatic differentiation on the CPU.",
        epilog="Exit codes: 0 success, 1 the run failed its own check, 2 wrong arguments; run: the program's own.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    demo = commands.add_parser("demo", help="train a digit classifier and compare with pure Python (under 30 s)")
    demo.add_argument("--epochs", type=_positive, default=25, help="passes over the training images (default 25)")
    demo.add_argument(
        "--page",
        default="wengert-demo.html",
        help="where to save a picture of the model (default wengert-demo.html)",
    )
    demo.add_argument("--seed", type=int, default=0, help="seed of weights and image order (default 0)")
    run = commands.add_parser("run", help="run a program written for PyTorch, with wengert for torch")
    run.add_argument("-m", dest="as_module", action="store_true", help="the program is a module, as for python -m")
    run.add_argument("script", help="the program's file")
    run.add_argument("args", nargs=argparse.REMAINDER, help="the program's own arguments")
    check = commands.add_parser(
        "check", help="list the names of torch that programs need and that are missing here"
    )
    check.add_argument("scripts", nargs="+", help="the programs' files")
    view = commands.add_parser("view", help="show a saved graph: as text, as a picture, or in the browser")
    view.add_argument("file", help="a file that wengert.graph.load reads")
    view.add_argument("--out", metavar="PICTURE", help="write this picture: .html, .svg, .dot, .mmd or .txt")
    view.add_argument("--open", action="store_true", help="open the interactive page in the web browser")
    view.add_argument("--limit", type=_positive, help="print at most so many lines of nodes and groups")
    view.add_argument("--backward", action="store_true", help="print the nodes of the backward pass too")
    commands.add_parser("info", help="versions, instruction set, threads, memory, build flags")
    bench = commands.add_parser("bench", help="a few measurements against NumPy and pure Python (about 10 s)")
    bench.add_argument("--quick", action="store_true", help="shorter and noisier (about 2 s)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: the arguments without the program's name; ``sys.argv[1:]`` when None.
    """
    options = _parser().parse_args(argv)
    if options.command == "run":
        from wengert.dropin import run

        return run(options.script, options.args, as_module=options.as_module)
    if options.command == "check":
        from wengert.dropin import check

        reports = {script: check(script) for script in options.scripts}
        print("\n".join(str(report) or f"{script}: nothing is missing" for script, report in reports.items()))
        return 1 if any(reports.values()) else 0
    if options.command == "demo":
        from wengert.demo import digits

        result = digits.run(epochs=options.epochs, seed=options.seed, page=options.page)
        agree = result["difference"] < 1e-3  # float32 against float64, amplified by 46 steps of training
        if not agree:
            print("demo: the two models disagree; please report this", file=sys.stderr)
        return 0 if agree else 1
    if options.command == "view":
        from wengert.viz import _view

        return _view.run(
            options.file, options.out, limit=options.limit, backward=options.backward, browser=options.open
        )
    if options.command == "info":
        from wengert.demo import info

        info.run()
        return 0
    from wengert.demo import bench

    return bench.run(quick=options.quick)


if __name__ == "__main__":
    sys.exit(main())
