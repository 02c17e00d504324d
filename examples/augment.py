"""Few labelled pictures per class: does a GAN that is trained on them help a classifier, and by how much?

    python examples/augment.py --per-class 20                     MNIST, 20 pictures of each digit, five seeds
    python examples/augment.py --per-class 20 --data my_pictures  a folder for each class, or files with labels
    python examples/augment.py --per-class 20 --resume            go on with a run that was stopped

The same small classifier is trained on the few pictures, on these with small shifts and rotations, on a mixture with
generated pictures, and on all three; docs/augment.md explains how it is judged. The results are in
runs/augment-DATA-N: results.json, a table, a plot, and the generated pictures, a row for each class.
"""

import os
import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # Ctrl-C while NumPy is loaded: no traceback

import argparse
import sys
from pathlib import Path

from nanogan.backend import Shape
from nanogan.commands.arguments import Parser, colour, errors_in_one_line, file_path, positive_int, size
from nanogan.commands.data import announce, expect_apart, options
from nanogan.data.pictures import FITS
from nanogan.few.experiment import Settings, run_seed
from nanogan.few.folder import Folder
from nanogan.few.parts import read_parts
from nanogan.few.summary import advice, table
from nanogan.recipes.mnist import get_recipe


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--per-class", type=positive_int, default=20, metavar="N", help="labelled pictures of each class (default: 20)"
    )
    parser.add_argument("--data", type=file_path, metavar="PATH", help="labelled pictures (default: MNIST)")
    parser.add_argument("--size", type=size, metavar="N", help="height and width of the pictures (default: the data's)")
    parser.add_argument("--seeds", type=positive_int, default=5, metavar="N", help="seeds 0 to N - 1 (default: 5)")
    parser.add_argument("--gan-steps", type=positive_int, default=1200, metavar="N", help="of the GAN (default: 1200)")
    parser.add_argument(
        "--classifier-steps", type=positive_int, default=200, metavar="N", help="of a classifier (default: 200)"
    )
    parser.add_argument("--fit", choices=FITS, help="how pictures of another shape are made to fit (default: crop)")
    parser.add_argument(
        "--background", type=colour, metavar="COLOUR", help="beside and below pictures (default: white)"
    )
    parser.add_argument("--invert", action="store_const", const=True, help="swap black and white")
    parser.add_argument("--out", type=file_path, metavar="DIR", help="for the results (default: runs/augment-DATA-N)")
    parser.add_argument("--resume", action="store_true", help="go on with the seeds that the folder doesn't have yet")
    parser.add_argument("--quiet", action="store_true", help="print nothing but the table and the advice")
    return parser.parse_args()


def main(args: argparse.Namespace) -> int:
    name = Path(args.data).stem if args.data else "mnist"
    settings = Settings(args.per_class, args.gan_steps, args.classifier_steps)
    out = Path(args.out or f"runs/augment-{name}-{args.per_class}")
    expect_apart(args.data, out)
    folder = Folder(out, resume=args.resume)

    def wanted(natural: Shape) -> Shape:
        side = args.size or natural[0]
        shape = (side, side, natural[2]) if args.size or natural[0] == natural[1] else (28, 28, natural[2])
        get_recipe("conditional", shape)  # or say which sizes it can draw
        return shape

    parts = read_parts(args.data, wanted, **options(args))
    parts.expect(args.per_class)
    announce(parts.description, parts.warning, quiet=args.quiet)
    with folder.opened(settings, parts) as results:
        for seed in range(args.seeds):
            if seed not in results.seeds:
                row, shown = run_seed(parts, settings, seed)
                results.add(row, shown)
                if not args.quiet:
                    told = "  ".join(f"{arm} {value['test']:.1%}" for arm, value in row["arms"].items())
                    print(f"seed {seed}: {told}  ({row['cpu_seconds']['all']:.0f} s of CPU)", flush=True)
        print(f"{table(results.rows)}\n\n{advice(results.rows)}")
    return 0


if __name__ == "__main__":
    with errors_in_one_line("augment.py", smaller="--per-class"):
        sys.exit(main(parse_arguments()))
