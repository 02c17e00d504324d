"""Write scikit-learn's handwritten digits as pictures, a folder for each: a second data set for examples/augment.py.

    pip install scikit-learn
    python -m tools.digits_8x8 digits

1,797 pictures of 8 x 8 by 43 people, 174 to 183 of each digit (Alpaydin and Kaynak 1998, the test part of UCI's optical
recognition of handwritten digits). They are part of scikit-learn's package, so nothing is downloaded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from nanogan.commands.arguments import Parser, errors_in_one_line, file_path
from nanogan.errors import InputError
from nanogan.io.plots import save_picture

WHITE = 16.0
"""Of the 8 x 8 digits: each pixel is the number of dots that were set among 4 x 4."""


def write(folder: Path) -> int:
    """Every digit as folder/DIGIT/NUMBER.png. How many there are."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise InputError(f"scikit-learn can't be imported ({error}); pip install scikit-learn") from None
    if folder.exists():
        raise InputError(f"{folder}: exists already; choose another folder")
    digits = load_digits()
    for number, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        path = folder / str(label) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_picture(path, np.asarray(image, np.float32)[..., np.newaxis] / WHITE)
    return len(digits.images)


def main() -> None:
    parser = Parser(
        prog="python -m tools.digits_8x8", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=file_path, help="where the pictures go")
    args = parser.parse_args()
    with errors_in_one_line(parser.prog):
        print(f"{write(Path(args.folder)):,} pictures in {args.folder}")


if __name__ == "__main__":
    main()
