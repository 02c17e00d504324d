"""python -m nanogan gradcheck: prove the gradients."""

from __future__ import annotations

import argparse
from typing import Any

from ..gradcheck import everything


def add_to(commands: Any) -> None:
    command = commands.add_parser("gradcheck", help="prove the gradients", description=run.__doc__)
    command.add_argument(
        "--layer", metavar="FILE.py:CLASS", help="prove this layer alone; it is made without arguments"
    )
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prove every gradient by finite differences: all layers, losses, optimizers and recipes, or a layer of yours."""
    return everything.run(args.layer)
