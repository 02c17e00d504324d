"""What a run's folder says: its log, its settings, its pictures, and how far it has come.

Any of it may be missing or damaged, of a run that was killed or a folder that somebody sent. What can't be read is left
out of the report, with a line that says so.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..backend import Array
from ..errors import InputError
from ..io import checkpoint
from ..io.files import one_line, read_all
from ..io.page import Frame, picture, thinned
from ..recipes.recipe import ImageToImage, Recipe, Unpaired, restore
from ..training.log import COLUMNS, DIAGNOSED, Row
from ..training.old_checkpoints import RENAMED, upgraded
from ..training.run_folder import is_running

ALWAYS = (*COLUMNS, *DIAGNOSED, "accuracy")
"""Columns that every row has here, NaN if the log hasn't."""
MOST_ROWS = 2_000
"""Of a log, so that a chart is no larger than a picture."""
MOST_FRAMES = 24
"""Of a slider. A grid of 64 digits takes 20 to 34 kB, so a page of them stays below 1.2 MB."""
MOST_FRAME_BYTES = 1_000_000
"""Of all frames of a slider together; as text they are a third longer. Colour takes more than digits do."""


@dataclass
class Run:
    """A run's folder as it is now.

    name: of the folder, without its path. config: the arguments. rows: the log. frames: samples over time, thinned.
    arrays, meta, recipe: of the checkpoint; None if there is none that can be read. running: whether it goes on.
    environment, scores: what the run and `evaluate` wrote, {} if they didn't. notes: what could not be read.
    """

    folder: Path
    name: str
    running: bool
    notes: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    arrays: dict[str, Array] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    recipe: Recipe | ImageToImage | Unpaired | None = None

    @property
    def recipe_name(self) -> str:
        return str(self.config.get("recipe") or getattr(self.recipe, "name", "unknown"))

    @property
    def is_of_pairs(self) -> bool:
        return isinstance(self.recipe, ImageToImage) or ("task" in self.config and not self.is_of_styles)

    @property
    def is_of_styles(self) -> bool:
        """Of two kinds of pictures, without pairs."""
        return isinstance(self.recipe, Unpaired) or "cycle_weight" in self.config

    @property
    def epochs(self) -> str:
        """How many the log has: "1 epoch", "50 epochs"."""
        count = len(self.rows)
        return f"{count:,} epoch{'s' * (count != 1)}"

    @property
    def steps(self) -> int:
        """How many have been made, as far as the folder knows."""
        return int(self.meta.get("steps", self.rows[-1]["step"] if self.rows else 0))

    @cached_property
    def steps_per_epoch(self) -> int | None:
        settings = self.meta.get("settings", {})
        try:
            return int(settings["images"]) // int(settings["batch_size"])
        except (LookupError, TypeError, ValueError, ArithmeticError):
            return None

    @property
    def total_steps(self) -> int | None:
        """How many make the run whole."""
        epochs, steps = self.config.get("epochs"), self.config.get("steps")
        if isinstance(steps, int):
            return steps
        return epochs * self.steps_per_epoch if isinstance(epochs, int) and self.steps_per_epoch else None

    def column(self, name: str) -> list[float]:
        """A column of the log; NaN where it has no value."""
        return [row.get(name, math.nan) for row in self.rows]

    def has(self, *names: str) -> bool:
        """Whether the log has a number in one of these columns."""
        return any(math.isfinite(value) for name in names for value in self.column(name))


def expect_run(folder: Path) -> None:
    """Raise InputError unless a folder holds a run."""
    if folder.name == "checkpoint.npz":
        raise InputError(f"{one_line(folder)}: is a file of a run; give the folder that holds it")
    if not any((folder / name).is_file() for name in ("config.json", "log.csv", "checkpoint.npz")):
        raise InputError(f"{one_line(folder)}: holds no run (config.json, log.csv); train one, or give its folder")


def read_run(folder: str | Path) -> Run:
    """The run in a folder. Raises InputError if it holds none."""
    folder = Path(folder)
    expect_run(folder)
    run = Run(folder, one_line(folder.resolve().name), is_running(folder))
    run.config = _tried(run, "config.json", _read_json, {})
    run.environment = _tried(run, "environment.json", _read_json, {})
    run.scores = _tried(run, "evaluation.json", _read_scores, {})
    rows = _tried(run, "log.csv", read_log, [])
    run.rows = thinned(rows, MOST_ROWS)
    if len(rows) > MOST_ROWS:
        run.notes.append(f"{MOST_ROWS:,} of the {len(rows):,} rows of log.csv are shown.")
    run.arrays, run.meta = _tried(run, "checkpoint.npz", _read_checkpoint, ({}, {}))
    if run.meta:
        run.recipe = _tried(run, "checkpoint.npz", lambda path: restore(run.meta["description"]), None)
    run.frames = _tried(run, "samples", lambda path: _frames(run, path), [])
    return run


def _tried(run: Run, name: str, read: Callable[[Path], Any], otherwise: Any) -> Any:
    """What `read` makes of a file of the run. If there is none, or it is damaged, which leaves a note: `otherwise`."""
    path = run.folder / name
    if not path.exists():
        return otherwise
    try:
        return read(path)
    except (
        InputError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        OSError,
        csv.Error,
    ) as error:
        text = one_line(error).replace(one_line(path), name)
        run.notes.append(f"{name} is left out, because it can't be read: {text}")
        return otherwise


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_all(path, at_most=2**20))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no JSON ({error})") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected values by name")
    return found


def _read_scores(path: Path) -> dict[str, float]:
    scores = _read_json(path)["scores"]
    return {name: value for name, value in scores.items() if isinstance(value, float | int)}


def _read_checkpoint(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    arrays, meta = upgraded(*checkpoint.load(path))
    if type(meta["steps"]) is not int:
        raise InputError(f"{path}: it has made {meta['steps']!r} steps")
    return arrays, meta


def read_log(path: Path) -> list[Row]:
    """The rows of a log.csv, of any version of nanogan: what isn't there, or isn't a number, is NaN.

    Raises InputError if it is no such table, or a row has no epoch.
    """
    text = read_all(path, at_most=2**26).decode("utf-8", "replace")
    reader, rows = csv.DictReader(io.StringIO(text)), []
    if not {"epoch", "step"} <= set(reader.fieldnames or ()):
        raise InputError(f"{path}: has no columns epoch and step")
    for number, cells in enumerate(reader, start=2):
        row = dict.fromkeys(ALWAYS, math.nan) | {
            RENAMED.get(name, name): _number(cell) for name, cell in cells.items() if name is not None
        }
        if not (row.get("epoch", math.nan) >= 0 and row.get("step", math.nan) >= 0):
            raise InputError(f"{path}: line {number} has no epoch and step")
        rows.append(row)
    return rows


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return math.nan


# ---- samples over time


def _frames(run: Run, folder: Path) -> list[Frame]:
    """The pictures of a run in the order of its steps, thinned evenly, the first and the last among them."""
    found = []
    for path in folder.iterdir():
        if match := re.fullmatch(r"(epoch|step)-(\d{1,9})\.png", path.name):
            kind, count = match[1], int(match[2])
            step = count * (run.steps_per_epoch or 1) if kind == "epoch" else count
            found.append((step, kind, count, path))
    paths = thinned(sorted(found), MOST_FRAMES)
    largest = max((path.stat().st_size for *_, path in paths), default=0)
    chosen = thinned(paths, max(2, MOST_FRAME_BYTES // max(largest, 1)))
    return [frame for _, kind, count, path in chosen if (frame := _frame(run, kind, count, path))]


def _frame(run: Run, kind: str, count: int, path: Path) -> Frame | None:
    words = f"{kind} {count:,}"
    what = "Inputs, outputs and targets" if run.is_of_pairs else "Generated images"
    what = "Pictures a, in style b, and back; pictures b, in style a, and back" if run.is_of_styles else what
    drawn = _tried(
        run, f"samples/{path.name}", lambda file: picture(read_all(file, at_most=2**24), f"{what} after {words}"), None
    )
    return drawn and Frame(words, drawn)
