"""The folder of an experiment: results.json after each seed, so that none is lost; a table, a plot, pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..backend import Array
from ..errors import InputError
from ..io.files import read_all, replacing
from ..io.plots import save_grid
from .experiment import ARMS, SHOWN, Settings
from .parts import Parts
from .summary import advice, gain, save_plot, table

RESULTS = "results.json"


class Folder:
    """Where the results go. Raises InputError if there are some and `resume` isn't said, or none and it is."""

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        self.path, self.resume = path, resume
        self.rows: list[dict[str, Any]] = []
        self.about: dict[str, Any] = {}
        there = (path / RESULTS).is_file()
        if there and not resume:
            raise InputError(f"{path}: already holds results; go on with --resume, or choose another --out")
        if resume and not there:
            raise InputError(f"{path}: nothing to resume, there is no {RESULTS}; start without --resume")
        if path.exists() and not path.is_dir():
            raise InputError(f"{path}: is a file; choose another --out")

    @property
    def seeds(self) -> list[int]:
        return [row["seed"] for row in self.rows]

    @contextmanager
    def opened(self, settings: Settings, parts: Parts) -> Iterator[Folder]:
        """Make the folder, or read what it holds. Raises InputError if that was found with other settings or data."""
        counts = {name: len(getattr(parts, name)) for name in ("pool", "validation", "test")}
        about = {
            "settings": json.loads(json.dumps(asdict(settings))),
            "data": {**counts, "shape": list(parts.shape), "classes": list(parts.class_names)},
        }
        if self.resume:
            self.rows = _read(self.path / RESULTS, about)
        self.about = about
        self.path.mkdir(parents=True, exist_ok=True)
        yield self

    def add(self, row: dict[str, Any], shown: Array) -> None:
        """Keep the results of one seed, and draw all that there are; the pictures are those of the first seed."""
        self.rows = sorted([*self.rows, row], key=lambda row: row["seed"])
        found, better, other = gain(self.rows)
        summary = {"gain_in_points": found._asdict(), "of": better, "over": other, "advice": advice(self.rows)}
        content = json.dumps({**self.about, "seeds": self.rows, **summary}, indent=1).replace("NaN", "null")
        with replacing(self.path / RESULTS) as file:
            file.write(f"{content}\n".encode())
        with replacing(self.path / "table.md") as file:
            file.write(f"{table(self.rows)}\n\n{advice(self.rows)}\n".encode())
        title = f"{self.about['settings']['per_class']} labelled pictures of each class"
        save_plot(self.path / "accuracy.png", self.rows, title)
        if row["seed"] == min(self.seeds):
            save_grid(self.path / "generated.png", shown, columns=SHOWN)


def _read(path: Path, about: dict[str, Any]) -> list[dict[str, Any]]:
    """The seeds that results.json has. Raises InputError unless they are of the same settings and data."""
    try:
        found = json.loads(read_all(path, at_most=2**26))
        rows = found["seeds"]
        differ = [name for name in about if found[name] != about[name]]
        for row in rows:
            for value in (
                row["seed"],
                *(row["arms"][arm][of] for arm in ARMS for of in ("test", "validation", "share")),
            ):
                float(value)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read ({error}); remove it, and start without --resume") from None
    if differ:
        raise InputError(f"{path}: was made with other {' and '.join(differ)}; give the same, or choose another --out")
    return rows
