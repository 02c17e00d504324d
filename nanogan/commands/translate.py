"""python -m nanogan translate: turn a picture into another."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import InputError, ShapeError
from .arguments import file_path


def add_to(commands: Any) -> None:
    command = commands.add_parser("translate", help="turn a picture into another", description=run.__doc__)
    command.add_argument(
        "checkpoint", type=file_path, metavar="CHECKPOINT", help="checkpoint.npz of an image-to-image run"
    )
    command.add_argument(
        "input", type=file_path, metavar="IN.png", help="a picture of the size that the run was trained on"
    )
    command.add_argument(
        "output", type=file_path, metavar="OUT.png", help="where to write what the generator makes of it"
    )
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Turn a picture into another with a generator that examples/image_to_image.py has trained."""
    from ..data.pictures import decode_picture
    from ..io.plots import save_picture
    from ..pix2pix import trainer as image_to_image

    source, out = Path(args.input), Path(args.output)
    if out.suffix.lower() != ".png":
        raise InputError(f"{out}: expected a name ending in .png")
    G, recipe = image_to_image.load_image_to_image(args.checkpoint)
    try:
        picture = image_to_image.translate(G, recipe, decode_picture(source))
    except ShapeError as error:
        raise InputError(f"{source}: {error}") from None
    save_picture(out, picture)
    print(f"{source} translated to {out}")
    return 0
