"""Results as text: JSON files, a row of the suite as lines on the terminal, the exponents of how cost grows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nanogan.io.files import replacing

from .contenders import KERAS, OURS


def lines(row: dict[str, Any]) -> str:
    """Milliseconds and their spread, how often nanogan's step fits, and the share of the floor reached."""
    size = "".join(f", {name.split('_')[0]} {row[name]}" for name in ("batch_size", "hidden") if name in row)
    if "curve" in row:
        last = row["curve"][-1]
        return f"{row['workload']}, seed {row['seed']}: FD-mnist {last['fd_mnist']:.2f} after {last['seconds']:.0f} s"
    if "speedup" not in row:
        return f"{row['workload'] + size:48}{spread(row['ms'][OURS], 'ms')}"
    width = max(48, *(len(name) + 4 for name in row["ms"]))
    head = f"{row['workload']}{size}"
    text = [f"\n{head:{width}}{'median (lowest to highest)':32}{'nanogan is faster by':32}share of the floor"]
    for name, ms in row["ms"].items():
        speedup = "" if name == OURS else spread(row["speedup"][name], "x")
        floor = spread([100 * share for share in row["share_of_floor"]], "%") if name == OURS else ""
        text.append(f"  {name:{width - 2}}{spread(ms, 'ms'):32}{speedup:32}{floor}".rstrip())
    text.append(f"  {'floor: products, a pass over the moments':{width - 2}}{spread(row['floor_ms'], 'ms')}")
    text += [f"  left out: {name} ({reason})" for name, reason in row["left_out"].items()]
    return "\n".join(text)


def compared(rows: list[dict[str, Any]]) -> str:
    """For the page: nanogan's medians, and how many times as long each of the others takes, with its spread; but for
    Keras's, which has a step for one of the recipes.
    """
    others = list(dict.fromkeys(name for row in rows for name in row["speedup"] if name not in (OURS, *KERAS)))
    cells = [["workload", "batch", "nanogan", "of the floor", *others], ["---"] * (4 + len(others))]
    for row in rows:
        times = [ratio(row["speedup"][name]) if name in row["speedup"] else "" for name in others]
        share = f"{100 * row['share_of_floor'][1]:.0f} %"
        cells.append([row["workload"], str(row["batch_size"]), f"{row['ms'][OURS][1]:.3g} ms", share, *times])
    return markdown(cells)


def ratio(spread: list[float]) -> str:
    low, median, high = (f"{value:.2f}" for value in spread)
    return f"{median} ({low} to {high})"


def ladder(rows: list[dict[str, Any]]) -> str:
    """For the page: milliseconds of every rung of the first ablation, and how much faster than the one before."""
    times = {name: quartiles[1] for name, quartiles in rows[0]["ms"].items()}
    cells = [["from naive NumPy to nanogan, one trick at a time", "ms", "faster by"], ["---"] * 3]
    before = None
    for name, ms in times.items():
        label = "reused work arrays, `out=` (nanogan)" if name == OURS else name.removeprefix("+ ")
        cells.append([label, f"{ms:.1f}", f"{before / ms:.2f}" if before else ""])
        before = ms
    return markdown(cells)


def others(rows: list[dict[str, Any]]) -> str:
    """For the page: the medians of what is no step."""
    cells = [["what", "median", "quartiles"], ["---"] * 3]
    for row in rows:
        low, median, high = (f"{ms:.0f} ms" if ms < 10_000 else f"{ms / 1000:.1f} s" for ms in row["ms"][OURS])
        cells.append([row["workload"], median, f"{low} to {high}"])
    return markdown(cells)


def markdown(cells: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def save(path: Path, about: dict[str, Any], **rows: list[dict[str, Any]]) -> None:
    """Replace the JSON file by what is known about the rows, and the rows under their name, each on a line."""
    ((name, found),) = rows.items()
    lines = ",\n  ".join(map(json.dumps, found))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(f'{json.dumps(about, indent=1)[:-2]},\n "{name}": [\n  {lines}\n ]\n}}\n'.encode())


def spread(values: list[float], unit: str) -> str:
    """values: lowest, median, highest; or quartiles."""
    low, median, high = (f"{value:.3g}" if value < 100 else f"{value:.0f}" for value in values)
    return f"{median:>6} {unit} ({low} to {high})"


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """k of values ~ sizes^k, by least squares between logarithms, over the upper half of the sizes."""
    half = len(sizes) // 2
    if len(sizes) - half < 2:
        return float("nan")
    return float(np.polyfit(np.log(sizes[half:]), np.log(values[half:]), 1)[0])
