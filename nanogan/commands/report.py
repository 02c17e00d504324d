"""python -m nanogan report: one page that shows a run, or several side by side."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io.files import one_line, read_all
from ..io.streams import say
from .arguments import file_path


def add_to(commands: Any) -> None:
    command = commands.add_parser("report", help="show runs as one page", description=run.__doc__)
    command.add_argument("runs", type=file_path, nargs="+", metavar="RUN", help="the folder of a run")
    command.add_argument(
        "--out",
        type=file_path,
        metavar="FILE",
        help="default: report.html in the run's folder; of several runs, in the folder that holds them",
    )
    command.set_defaults(run=run, smaller="")


def run(args: argparse.Namespace) -> int:
    """Make an HTML page that shows how good a run is, what went wrong, and everything about it. It needs no server."""
    from ..report.page import NAME, write_report
    from ..report.run import expect_run

    folders = list(dict.fromkeys(Path(name) for name in args.runs))
    for folder in folders:
        expect_run(folder)
    holder = (
        folders[0] if len(folders) == 1 else Path(os.path.commonpath([folder.resolve().parent for folder in folders]))
    )
    out = Path(args.out) if args.out else holder / NAME
    expect_report_or_nothing(out)
    write_report(folders, out)
    say(f"{one_line(out)}: open it in a browser")
    return 0


def expect_report_or_nothing(out: Path) -> None:
    """Raise InputError, before any work is done, if `out` has no folder or is a file that isn't a report."""
    if out.suffix not in (".html", ".htm"):
        raise InputError(f"--out {one_line(out)}: expected a name ending in .html")
    if not out.parent.is_dir():
        raise InputError(f"{one_line(out.parent)}: there is no such folder")
    if out.exists() and b'<meta name="generator" content="nanogan report">' not in read_all(out, at_most=2**26):
        raise InputError(f"{one_line(out)}: holds something else than a report; choose another --out")
