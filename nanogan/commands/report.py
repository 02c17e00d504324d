"""python -m nanogan report: one page that shows a run, or several side by side."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from ..io.files import one_line
from ..io.page import expect_page_or_nothing
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
    expect_page_or_nothing(out, "--out", made_by="nanogan report", else_say="a report; choose another --out")
    write_report(folders, out)
    say(f"{one_line(out)}: open it in a browser")
    return 0
