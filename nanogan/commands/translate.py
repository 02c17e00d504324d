"""python -m nanogan translate: turn a picture into another, or a folder of pictures."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..backend import Array
from ..errors import InputError, ShapeError
from .arguments import file_path, one_of


def add_to(commands: Any) -> None:
    command = commands.add_parser("translate", help="turn pictures into others", description=run.__doc__)
    command.add_argument(
        "checkpoint", type=file_path, metavar="CHECKPOINT", help="checkpoint.npz of an image-to-image run, or a style's"
    )
    command.add_argument("input", type=file_path, metavar="IN", help="a picture, or a folder of pictures")
    command.add_argument(
        "output",
        type=file_path,
        metavar="OUT",
        help="where to write what becomes of it: OUT.png, or a folder",
    )
    command.add_argument("--to", type=one_of(("a", "b")), help="of a style: into which kind of pictures (default: b)")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Turn pictures into others with a generator that examples/image_to_image.py or examples/style.py has trained."""
    source, out = Path(args.input), Path(args.output)
    if source.is_dir():
        return _translate_folder(args, source, out)
    if out.suffix.lower() != ".png":
        raise InputError(f"{out}: expected a name ending in .png")
    _translate_picture(translator(args.checkpoint, args.to), source, out)
    print(f"{source} translated to {out}")
    return 0


def _translate_folder(args: argparse.Namespace, source: Path, out: Path) -> int:
    """Every picture at any depth, under the same name with the ending .png."""
    from ..data.folders import files_below, is_picture

    inner = out.resolve()
    if source.resolve() in (inner, *inner.parents):
        raise InputError(f"{out}: lies in {source}, whose pictures are read; choose another folder")
    if out.is_file():
        raise InputError(f"{out}: is a file, but {source} is a folder; give a folder for the results")
    targets: dict[Path, Path] = {}
    for file in filter(is_picture, files_below(source)):
        first = targets.setdefault(out / file.relative_to(source).with_suffix(".png"), file)
        if first != file:
            raise InputError(f"{first} and {file} would have one result; rename one")
    if not targets:
        raise InputError(f"{source}: holds no pictures")
    translate = translator(args.checkpoint, args.to)
    for target, file in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        _translate_picture(translate, file, target)
    print(f"{len(targets):,} pictures of {source} translated to {out}")
    return 0


def _translate_picture(translate: Callable[[Array], Array], source: Path, out: Path) -> None:
    from ..data.pictures import decode_picture
    from ..io.plots import save_picture

    try:
        picture = translate(decode_picture(source))
    except ShapeError as error:
        raise InputError(f"{source}: {error}") from None
    save_picture(out, picture)


def translator(checkpoint: str, to: str | None) -> Callable[[Array], Array]:
    """The generator in a checkpoint as a function of a picture (H, W, C), uint8, whose values lie in [0, 1]."""
    from ..cyclegan.trainer import Translator
    from ..io.checkpoint import load
    from ..pix2pix.trainer import load_image_to_image, translate

    description = load(checkpoint)[1].get("description")
    if isinstance(description, dict) and description.get("type") == "Unpaired":
        return Translator(checkpoint, to or "b")
    G, recipe = load_image_to_image(checkpoint)
    if to is not None:
        raise InputError(f"--to {to}: {checkpoint} turns pictures one way only; leave it out")
    return lambda picture: translate(G, recipe, picture)
