"""python -m nanogan break: train with a fault on purpose, beside the sound version, and see which alarm finds it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..io.streams import Forgiving
from .arguments import file_path, positive_int, seed

if TYPE_CHECKING:
    from ..learn.faults.catalog import Fault
    from ..learn.faults.examine import Run, Verdict


def add_to(commands: Any) -> None:
    command = commands.add_parser("break", help="train with a fault on purpose", description=run.__doc__)
    command.add_argument("fault", nargs="?", metavar="FAULT", help="its name; --list shows them")
    command.add_argument("--list", action="store_true", help="show the faults and exit")
    command.add_argument("--seed", type=seed, default=0, metavar="S", help="of both runs (default: 0)")
    command.add_argument("--steps", type=positive_int, metavar="N", help="of each run (default: what shows the fault)")
    command.add_argument("--out", type=file_path, metavar="FILE.png", help="the images (default: break-FAULT.png)")
    command.set_defaults(run=run, smaller="--steps")


def run(args: argparse.Namespace) -> int:
    """Break one thing in nanogan, train beside the sound version, and say what finds the fault and what cures it."""
    from ..learn.faults import show
    from ..learn.faults.catalog import get_fault

    if args.list:
        print(show.listed())
        return 0
    if args.fault is None:
        raise InputError("break: name a fault, as in break d-lr; --list shows them")
    fault = get_fault(args.fault)
    out = Path(args.out or f"break-{fault.name}.png")
    if out.suffix.lower() != ".png":
        raise InputError(f"--out {out}: expected a name ending in .png")
    if out.is_dir() or not out.parent.is_dir():
        trouble = "is a folder" if out.is_dir() else "its folder doesn't exist"
        raise InputError(f"--out {out}: {trouble}; choose another name")
    print(show.introduction(fault), flush=True)
    sound, broken, found = both(fault, args.steps or fault.steps, args.seed)
    show.save_pair(out, sound, broken)
    print(f"{show.side_by_side(sound, broken)}\n\n{show.conclusion(fault, found, sound)}")
    print(f"{out}: images of the sound run on the left, of the broken one on the right")
    return 0 if found.alarm == fault.kind.alarm else 1


def both(fault: Fault, steps: int, seed: int) -> tuple[Run, Run, Verdict]:
    """The sound run, the broken one, and which alarm the fault sets off."""
    from tqdm import tqdm

    from ..learn.faults import examine

    look: dict[str, Any] = {"desc": "sound, then broken", "unit": " steps", "leave": False, "delay": 0.3}
    with tqdm(total=2 * steps, file=Forgiving(sys.stderr), disable=None, **look) as bar:  # None: only on a terminal
        sound = examine.train(fault.recipe, steps, seed=seed, each_step=bar.update)
        with examine.broken_by(fault):
            broken = examine.train(fault.recipe, steps, seed=seed, each_step=bar.update)
            found = examine.verdict(examine.proofs(fault.recipe(), seed=seed), lambda: broken)
    return sound, broken, found
