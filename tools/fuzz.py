"""Files that nobody vouches for: damaged, cut, lying about their sizes, or made by hand to do harm.

    python tools/fuzz.py                     10,000 files for each reader; benchmarks/results/fuzz.json
    python tools/fuzz.py --examples 500      fewer
    python tools/fuzz.py --atheris 60        a minute each of atheris, which follows the code's branches, if installed

Every reader of nanogan is given files that start from good ones (bytes changed, removed, repeated), from headers with
any claim, from archives with any member, and checkpoints whose content is wrong but whose SHA-256 is right. It may
return, or raise an InputError of one line that names the file. `test_fuzz.py` runs a small part of this in the suite.

The script also holds each reader's memory against its largest legitimate need. Each runs in a process of its own (this
needs Linux), reads a large good file first, and must stay under twice the memory that took.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import gzip
import inspect
import io
import json
import multiprocessing
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # what the tests share

import numpy as np
from hostile_files import (
    DIGITS,
    altered,
    as_json,
    bombs,
    damaged,
    good_checkpoint,
    idx,
    idx_files,
    many,
    npy,
    npy_files,
    npz,
    npz_files,
    picture,
    signed_checkpoints,
    table,
    tables,
    vanilla_checkpoint,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tiny import TINY, tiny_trainer

from nanogan.commands.training_arguments import FILLED_IN, complete
from nanogan.data.images import load_images
from nanogan.data.pictures import MOST_PIXELS
from nanogan.errors import InputError
from nanogan.pix2pix.pairs import load_pairs
from nanogan.recipes.recipe import describe, restore
from nanogan.training.run_folder import RunFolder
from nanogan.training.trained import load_generator

RESULT = Path(__file__).parents[1] / "benchmarks" / "results" / "fuzz.json"
SLOWEST = 10.0
"""Seconds after which a reader counts as hanging; the good files take milliseconds."""

SMALL = 8.0
"""MB that any reader may take, where the good files are smaller than what an allocator takes at a time."""

# ---- the readers


def read_generator_and_run(path: Path) -> None:
    """Both ways in which a checkpoint is read; the second also where the first refuses."""
    try:
        load_generator(path)
    except InputError as error:
        expect_documented(error, path)
    trainer = tiny_trainer()
    trainer.load(path, allow_change=True)
    trainer.step()  # whatever was taken over, the run goes on


def read_config(path: Path) -> None:
    args = argparse.Namespace(**{**dict.fromkeys(FILLED_IN), "seed": 1})
    complete(args, RunFolder(path.parent, resume=True).read_config())


def read_recipe(path: Path) -> None:
    """As it comes from a checkpoint: JSON, by then."""
    try:
        description = json.loads(path.read_bytes())
    except ValueError:
        raise InputError("no JSON") from None
    restore(description)


@dataclass(frozen=True)
class Reader:
    """What reads a file, and what it is tried with.

    name: of the file. good: files to take, and to damage. made: files of other origin. read: must return or raise
    InputError. large: a large good file, for the script. names_file: whether the reader knows the file's name.
    """

    name: str
    good: tuple[bytes, ...]
    made: st.SearchStrategy[bytes]
    read: Callable[[Path], Any]
    large: Callable[[], bytes]
    names_file: bool = True


def from_folder(path: Path) -> None:
    load_images(path.parent)


def as_pair(path: Path) -> None:
    load_pairs(path.parent, task=None, direction=None, seed=0)


def pictures(name: str, *modes: str, read: Callable[[Path], Any] = from_folder) -> Reader:
    """The reader of pictures of one format, in these modes of Pillow's."""
    kind = {"jpg": "JPEG", "tif": "TIFF", "pgm": "PPM"}.get(name[2:], name[2:].upper())
    return Reader(
        name,
        tuple(picture(kind, mode, (10, 8)) for mode in modes),
        bombs("PNG") | st.binary(max_size=64).map(picture(kind, modes[0])[:12].__add__),
        read,
        lambda: picture(kind, modes[-1], WIDE),
    )


def many_rows() -> bytes:
    """A table of digits in the size of a real one."""
    text = io.StringIO()
    np.savetxt(text, many(5_000).reshape(5_000, -1), "%d", delimiter=",")
    return text.getvalue().encode()


IDX = idx(DIGITS.shape, DIGITS.tobytes())
WIDE = (8192, MOST_PIXELS // 8192)
CONFIG = {"epochs": 50, "steps": None, "seed": 3, "dtype": "float32", "data": None, "checkpoint_every": "30s"}

READERS: dict[str, Reader] = {
    "IDX": Reader(
        "train-images-idx3-ubyte", (IDX,), idx_files, from_folder, lambda: idx(many().shape, many().tobytes())
    ),
    "gzipped IDX": Reader(
        "train-images-idx3-ubyte.gz",
        (gzip.compress(IDX, mtime=0),),
        idx_files.map(gzip.compress) | bombs("gzip"),
        from_folder,
        lambda: gzip.compress(idx(many().shape, many().tobytes()), 1),
    ),
    "npy": Reader("a.npy", (npy(DIGITS), npy(DIGITS / 255)), npy_files, load_images, lambda: npy(many())),
    "gzipped npy": Reader(
        "a.npy.gz",
        (gzip.compress(npy(DIGITS), mtime=0),),
        npy_files.map(gzip.compress) | bombs("npy") | bombs("header"),
        load_images,
        lambda: gzip.compress(npy(many()), 1),
    ),
    "npz": Reader(
        "a.npz",
        (npz({"images": npy(DIGITS)}), npz({"a": npy(DIGITS), "b": npy(np.arange(5))}, zipfile.ZIP_STORED)),
        npz_files | bombs("npz"),
        load_images,
        lambda: npz({"images": npy(many())}),
    ),
    "CSV": Reader("a.csv", (table(), table(";"), table("\t")), tables, load_images, lambda: many_rows()),
    "gzipped CSV": Reader(
        "a.csv.gz",
        (gzip.compress(table(), mtime=0),),
        tables.map(gzip.compress) | bombs("CSV"),
        load_images,
        lambda: gzip.compress(many_rows(), 1),
    ),
    "PNG": pictures("a.png", "L", "RGB", "RGBA", "P", "1", "LA", "I;16", "RGB"),
    "JPEG": pictures("a.jpg", "L", "RGB", "CMYK"),
    "BMP": pictures("a.bmp", "L", "P", "1", "RGBA", "RGB"),
    "GIF": pictures("a.gif", "L", "P", "RGB"),
    "TIFF": pictures("a.tif", "L", "RGBA", "CMYK", "1", "I;16", "F", "RGB"),
    "WebP": pictures("a.webp", "RGBA", "RGB"),
    "PPM": pictures("a.pgm", "L", "1", "I", "RGB"),
    "pair": pictures("a.png", "L", "RGBA", "P", "I;16", "RGB", read=as_pair),
    "checkpoint": Reader(
        "c.npz", (good_checkpoint(),), signed_checkpoints(), read_generator_and_run, vanilla_checkpoint
    ),
    "recipe": Reader(
        "recipe.json",
        (as_json(describe(TINY)),),
        altered(describe(TINY)).map(as_json),
        read_recipe,
        lambda: as_json(describe(TINY)),
        names_file=False,  # `restore` gets what the JSON says, not the file
    ),
    "config": Reader(
        "config.json", (as_json(CONFIG),), altered(CONFIG).map(as_json), read_config, lambda: as_json(CONFIG)
    ),
}


def expect_documented(error: InputError, path: Path) -> None:
    message = str(error)
    assert "\n" not in message, f"more than one line: {message!r}"
    assert path.name in message or str(path.parent) in message, f"doesn't name the file: {message!r}"


def expect_return_or_input_error(reader: Reader, content: bytes) -> bool:
    """Whether the reader took the file. Anything but a return or a proper InputError comes out, and fails."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / reader.name
        path.write_bytes(content)
        began = time.monotonic()
        try:
            reader.read(path)
            return True
        except InputError as error:
            if reader.names_file:
                expect_documented(error, path)
            return False
        finally:
            assert time.monotonic() - began < SLOWEST, "it hangs"


def fuzz(reader: Reader, examples: int) -> dict[str, int]:
    """Try so many files, the same every time; how many were taken and how many refused."""
    counts = {"taken": 0, "refused": 0}

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(damaged(*reader.good) | reader.made)
    def try_one(content: bytes) -> None:
        counts["taken" if expect_return_or_input_error(reader, content) else "refused"] += 1

    try_one()
    return counts


# ---- the script


give_back_free_memory = functools.partial(getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: 0), 0)


class Memory:
    """The most memory, in MB, that reading any one file has added to this process; needs Linux's /proc."""

    most = 0.0

    def of(self, read: Callable[[Path], Any]) -> Callable[[Path], Any]:
        """The same reader, measured."""

        def measured(path: Path) -> None:
            give_back_free_memory()  # else what was used before is used again, and nothing is seen
            Path("/proc/self/clear_refs").write_text("5")  # VmHWM, the most so far, begins again at what there is now
            before = self.now("VmRSS")
            try:
                read(path)
            finally:
                self.most = max(self.most, self.now("VmHWM") - before)

        return measured

    @staticmethod
    def now(what: str) -> float:
        return int(Path("/proc/self/status").read_text().split(f"{what}:")[1].split()[0]) * 1024 / 1e6


def measure(name: str, examples: int) -> dict[str, Any]:
    """One reader's figures; in a process of its own, where no other reader has left memory to be used again."""
    large, fuzzed = Memory(), Memory()
    expect_return_or_input_error(replace(READERS[name], read=large.of(READERS[name].read)), READERS[name].large())
    began = time.monotonic()
    counts = fuzz(replace(READERS[name], read=fuzzed.of(READERS[name].read)), examples)
    return {
        **counts,
        "seconds": round(time.monotonic() - began, 1),
        "MB for a large good file": round(large.most, 1),
        "MB at most": round(fuzzed.most, 1),
        "under twice": fuzzed.most < max(2 * large.most, SMALL),
    }


def follow_branches(name: str, seconds: int) -> None:
    """Let atheris look for files that reach new branches of the code. Ends this process: 0 if all is well."""
    import atheris

    reader = READERS[name]
    with tempfile.TemporaryDirectory() as corpus:
        for number, content in enumerate(reader.good):
            (Path(corpus) / str(number)).write_bytes(content)
        for module in [module for module in sys.modules if module.startswith("nanogan.")] + ["zipfile", "gzip"]:
            for function in vars(sys.modules[module]).values():
                if inspect.isfunction(function) and function.__module__ == module:
                    atheris.instrument_func(function)
        options = [f"-max_total_time={seconds}", "-max_len=16384", "-rss_limit_mb=2048", "-verbosity=0", corpus]
        atheris.Setup(["fuzz.py", *options], lambda content: expect_return_or_input_error(reader, content))
        atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=10_000, help="files for each reader")
    parser.add_argument("--reader", choices=READERS, action="append", help="only this one (may be repeated)")
    parser.add_argument(
        "--atheris", type=int, metavar="SECONDS", help="search by coverage, for so long for each reader, instead"
    )
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    result: dict[str, dict[str, Any]] = {}
    for name in args.reader or READERS:
        if args.atheris:
            searching = multiprocessing.get_context("spawn").Process(target=follow_branches, args=(name, args.atheris))
            searching.start()
            searching.join()
            result[name] = {"seconds": args.atheris, "no failure": searching.exitcode == 0}
            continue
        with multiprocessing.get_context("spawn").Pool(1) as process:
            result[name] = process.apply(measure, (name, args.examples))
        print(name, result[name], flush=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    command = " ".join(["python tools/fuzz.py", *sys.argv[1:]])
    args.out.write_text(json.dumps({"command": command, **result}, indent=1) + "\n")
    return 1 if any(value is False for figures in result.values() for value in figures.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
