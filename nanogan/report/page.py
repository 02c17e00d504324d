"""The report of one run or several side by side, as one HTML file. `write_report` is what commands call."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..io.charts import Chart
from ..io.files import replacing
from ..io.page import Table, render
from ..metrics.evaluation import REAL, ROWS
from ..recipes.recipe import are_layers, describe
from . import charts
from .command import command, without_folders
from .drawn import COUNT, Drawn, draw
from .pairs import DrawnPairs, draw_pairs
from .run import Run, read_run
from .verdict import Verdict, verdict

NAME = "report.html"
REFRESH = 20
"""Seconds after which the page of a run that goes on is loaded again."""


@dataclass(frozen=True)
class Part:
    """Of a report, one run: what its template shows."""

    run: Run
    progress: str
    verdict: Verdict
    drawn: Drawn
    pairs: DrawnPairs
    log_charts: Sequence[Chart]
    shares: Chart | None
    metrics: Sequence[Table]
    settings: Sequence[Table]
    environment: Sequence[Table]
    command: str


def write_report(folders: Sequence[str | Path], out: str | Path, *, quick: bool = False) -> None:
    """Make the report of the runs in these folders. Raises InputError if one holds none, or `out` can't be written.

    quick: leave out what the networks would have to draw, for the page of a run that goes on.
    """
    page = report([read_run(folder) for folder in folders], quick=quick)
    with replacing(out) as file:
        file.write(page)


def report(runs: Sequence[Run], *, quick: bool = False) -> bytes:
    """The page of runs, as UTF-8. The same runs give the same bytes."""
    names = Counter(run.name for run in runs)
    for number, run in enumerate(runs, start=1):
        run.name += f" ({number})" if names[run.name] > 1 else ""
    parts = [part_of(run, quick=quick) for run in runs]
    refresh = REFRESH if any(run.running for run in runs) else None
    return render("report.html", package="nanogan.report", styles=("report.css",), parts=parts, refresh=refresh)


def part_of(run: Run, *, quick: bool = False) -> Part:
    drawn, pairs = Drawn(), DrawnPairs()
    if run.recipe and not quick and not run.is_of_styles:
        if run.is_of_pairs:
            pairs = _or_a_note(run, draw_pairs, pairs)
        else:
            drawn = _or_a_note(run, draw, drawn)
    beside_real = _beside_real(f"Of {COUNT:,} digits, beside as many real ones", drawn.scores, drawn.real_scores)
    return Part(
        run,
        progress(run),
        verdict(run, drawn, pairs),
        drawn,
        pairs,
        [*charts.of_log(run), *([charts.histogram(*drawn.said)] if drawn.said else [])],
        charts.shares(drawn.shares) if drawn.shares else None,
        filled(beside_real, _evaluation(run), pairs.table),
        filled(_settings(run), _recipe(run)),
        filled(Table("Where it was trained", ("what", "value"), _named(run.environment))),
        command(run) if run.config else "",
    )


def _or_a_note(run: Run, draw: Callable[[Run], Any], otherwise: Any) -> Any:
    """What is drawn with the networks of a run; if they don't work, or their data are gone, a note."""
    try:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return draw(run)
    except (InputError, LookupError, TypeError) as error:
        run.notes.append(f"Nothing is drawn anew: {without_paths(str(error), run)}")
        return otherwise


def without_paths(text: str, run: Run) -> str:
    """The text, in which the run's folder and its data are called by their last name."""
    for path in (str(run.folder), *(str(run.config.get(name) or "") for name in ("data", "a", "b"))):
        text = text.replace(path, without_folders(path)) if path else text
    return text


def progress(run: Run) -> str:
    """Recipe vanilla, seed 0: finished, 46,850 steps in 50 epochs."""
    total, steps = run.total_steps, run.steps
    so_far = f"{steps:,} of {total:,} steps" if total else f"{steps:,} steps"
    if run.running:
        how = f"still going on, {so_far}"
    elif total is None or steps < total:
        how = f"stopped after {so_far}; --resume goes on"
    else:
        how = f"finished, {steps:,} steps, {run.epochs} in the log"
    seed = f", seed {run.config['seed']}" if "seed" in run.config else ""
    return f"Recipe {run.recipe_name}{seed}: {how}."


# ---- tables


def filled(*tables: Table) -> list[Table]:
    """Those that have rows."""
    return [table for table in tables if table.rows]


def _beside_real(caption: str, scores: dict[str, Any], real: dict[str, Any]) -> Table:
    rows = [
        (text, scores[name], real.get(name, math.nan), good) for name, (text, good) in ROWS.items() if name in scores
    ]
    return Table(caption, ("score", "generated", "real", "good is"), rows)


def _evaluation(run: Run) -> Table:
    """What `python -m nanogan evaluate` has found, if it was asked."""
    return _beside_real("By python -m nanogan evaluate", run.scores, REAL)


def _settings(run: Run) -> Table:
    given = {name: value for name, value in run.config.items() if value is not None}
    return Table("Arguments of the command", ("argument", "value"), _named(given))


def _recipe(run: Run) -> Table:
    """Every field of the recipe; a layer per line."""
    rows: list[tuple[str, str]] = []
    for name, value in describe(run.recipe).items() if run.recipe else ():
        layers = getattr(run.recipe, name, None)
        if are_layers(layers):
            rows += [(f"{name}, layer {place}", repr(layer)) for place, layer in enumerate(layers)]
        elif name != "type" and value is not None:
            rows.append((name, _text(getattr(run.recipe, name))))
    return Table("The recipe", ("field", "value"), rows)


def _named(values: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), _text(value)) for name, value in values.items()]


def _text(value: Any) -> str:
    """A setting in a table, at most a few lines long."""
    text = (
        without_folders(value)
        if isinstance(value, str)
        else json.dumps(value)
        if isinstance(value, dict | list)
        else str(value)
    )
    return text if len(text) <= 500 else f"{text[:497]}..."
