"""python -m nanogan explain: a training step, number by number."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io.files import one_line, replacing
from ..io.page import expect_page_or_nothing
from ..io.streams import say
from ..recipes.mnist import RECIPES
from .arguments import file_path, label, one_of

QUESTIONS = {
    "through_fakes": "why detach? D's step, with its gradient going on into G",
    "saturating": "saturating or not? G's step with the loss log(1 - D), and the slopes of both",
    "mixed_batch": "why real and fake apart? D with BatchNorm, and what one batch of both would do",
    "same_fake": "may G be trained on the points that D has just seen? A step that does so",
}
"""The flags, which learners' questions they answer, and how."""


MORE = """\
Go on with --through-fakes, --saturating, --mixed-batch, --label 0.9, or
--same-fake; --html FILE makes a page of it, and --recipe NAME shows a recipe."""


def add_to(commands: Any) -> None:
    command = commands.add_parser("explain", help="see a training step, number by number", description=run.__doc__)
    for name, question in QUESTIONS.items():
        command.add_argument(f"--{name.replace('_', '-')}", action="store_true", help=question)
    command.add_argument(
        "--label", type=label, default=1.0, metavar="X", help="what do smooth labels do? D's label of real points"
    )
    command.add_argument(
        "--recipe", type=one_of(RECIPES), metavar="NAME", help="a recipe's step instead, in shapes and statistics"
    )
    command.add_argument("--html", type=file_path, metavar="FILE", help="write one page, instead of text")
    command.set_defaults(run=run, smaller="")


def run(args: argparse.Namespace) -> int:
    """Show one step of D and one of G as they run: each array with its values, gradient, formula and lines of code."""
    from ..learn.explain.questions import explain
    from ..learn.explain.recipe import explain_recipe
    from ..learn.explain.text import as_text
    from ..learn.explain.tiny import Flags

    if args.html:
        made_by, else_say = "nanogan explain", "such a page; choose another name"
        expect_page_or_nothing(Path(args.html), "--html", made_by=made_by, else_say=else_say)
    flags = Flags(label=args.label, **{name: getattr(args, name) for name in QUESTIONS})
    if args.recipe and flags != Flags():
        raise InputError("--recipe shows a recipe's step as it is; leave out the questions, or --recipe")
    explanation = explain_recipe(args.recipe) if args.recipe else explain(flags)
    if args.html:
        from ..learn.explain.page import as_page

        with replacing(args.html) as file:
            file.write(as_page(explanation))
        say(f"{one_line(args.html)}: open it in a browser")
    else:
        print(as_text(explanation, coloured=sys.stdout.isatty() and not os.environ.get("NO_COLOR")))
        if not args.recipe:
            print(MORE)
    return 0
