"""python -m nanogan explain: a training step, number by number."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from .arguments import label

QUESTIONS = {
    "through_fakes": "why detach? D's step, with its gradient going on into G",
    "saturating": "saturating or not? G's step with the loss log(1 - D), and the slopes of both",
    "mixed_batch": "why real and fake apart? D with BatchNorm, and what one batch of both would do",
    "same_fake": "may G be trained on the points that D has just seen? A step that does so",
}
"""The flags, which learners' questions they answer, and how."""


def add_to(commands: Any) -> None:
    command = commands.add_parser("explain", help="see a training step, number by number", description=run.__doc__)
    for name, question in QUESTIONS.items():
        command.add_argument(f"--{name.replace('_', '-')}", action="store_true", help=question)
    command.add_argument(
        "--label", type=label, default=1.0, metavar="X", help="what do smooth labels do? D's label of real points"
    )
    command.set_defaults(run=run, smaller="")


def run(args: argparse.Namespace) -> int:
    """Show one step of D and one of G as they run: each array with its values, gradient, formula and lines of code."""
    from ..learn.explain.questions import explain
    from ..learn.explain.text import as_text
    from ..learn.explain.tiny import Flags

    flags = Flags(label=args.label, **{name: getattr(args, name) for name in QUESTIONS})
    explanation = explain(flags)
    print(as_text(explanation, coloured=sys.stdout.isatty() and not os.environ.get("NO_COLOR")), end="")
    return 0
