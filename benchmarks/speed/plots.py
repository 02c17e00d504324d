"""The plots of the suite, from the JSON files in a folder of results: whatever parts are there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .contenders import BEFORE, JAX, KERAS, NAIVE, OURS, TORCH
from .tables import exponent

COLOURS = {
    **{OURS: "C3", BEFORE: "pink", NAIVE: "C7", JAX: "C5"},
    **dict(zip(TORCH, ("C0", "C1", "C2", "C4", "navy"), strict=True)),
    **dict(zip(KERAS, ("C6", "C8", "C9"), strict=True)),
}
FLOOR = {"color": "black", "linestyle": ":", "label": "floor"}


def draw(folder: Path) -> None:
    """A PNG beside each JSON file that there is a plot of."""
    for part, plot in PLOTS.items():
        if (folder / f"{part}.json").exists():
            rows = json.loads((folder / f"{part}.json").read_text(encoding="utf-8"))["rows"]
            for name, figure in plot(rows).items():
                figure.savefig(folder / f"{name}.png", dpi=100)


def figure(columns: int = 1, width: float = 6.4, height: float = 4.4) -> tuple[Any, Any]:
    """Without pyplot, which would look for a screen."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(width, height), layout="constrained")
    return drawing, drawing.subplots(1, columns)


def steps(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """How often nanogan's step fits into each contender's, and the roofline."""
    drawing, axes = figure(width=11, height=1 + 0.8 * len(rows))
    names = list(dict.fromkeys(name for row in rows for name in row["speedup"] if name != OURS))
    height = 0.8 / len(names)
    for position, name in enumerate(names):
        there = [(at, row["speedup"][name]) for at, row in enumerate(rows) if name in row["speedup"]]
        low, middle, high = zip(*(quartiles for _, quartiles in there), strict=True)
        axes.barh(
            [at + (position - len(names) / 2 + 0.5) * height for at, _ in there],
            middle,
            height,
            xerr=[
                [m - lo for m, lo in zip(middle, low, strict=True)],
                [h - m for h, m in zip(high, middle, strict=True)],
            ],
            label=name,
            color=COLOURS[name],
        )
    axes.axvline(1, color=COLOURS[OURS], label="nanogan")
    axes.set_yticks(range(len(rows)), [f"{row['workload']}\nbatch {row['batch_size']}" for row in rows])
    axes.invert_yaxis()
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("time of a training step, nanogan's = 1 (medians and quartiles)")
    drawing.legend(loc="outside right upper")
    return {"steps": drawing, "roofline": roofline(rows)}


def roofline(rows: list[dict[str, Any]]) -> Any:
    """Speed of each step over its work per byte, under what the machine could do: its products alone, and a copy."""
    drawing, axes = figure(width=7.5)
    peak = max(row["facts"]["gflop"] / (row["parts_ms"][OURS]["products"][1] / 1000) for row in rows)
    bandwidth = max(row["facts"]["copy_MB"] / row["parts_ms"][OURS]["copy"][1] for row in rows)  # GB/s
    for row in rows:
        facts = row["facts"]
        intensity = 1000 * facts["gflop"] / (facts["product_MB"] + facts["copy_MB"])
        speed = facts["gflop"] / (row["ms"][OURS][1] / 1000)
        axes.plot(intensity, speed, "o", color=COLOURS[OURS])
        axes.annotate(
            f"{row['workload']} {row['batch_size']}",
            (intensity, speed),
            xytext=(4, -9),
            textcoords="offset points",
            fontsize=8,
        )
    left, right = 1.0, 200.0
    ridge = peak / bandwidth
    axes.plot([left, ridge, right], [left * bandwidth, peak, peak], color="black")
    axes.text(right, peak, f"fastest products: {peak:.0f} GFLOP/s", ha="right", va="bottom")
    axes.text(left, left * bandwidth, f" fastest copy: {bandwidth:.0f} GB/s", ha="left", va="top")
    axes.set(
        xscale="log", yscale="log", xlabel="flop per byte, every operand moved once", ylabel="GFLOP/s of a whole step"
    )
    return drawing


def sweep(size: str, label: str) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    """Time and peak memory over a size, with the exponents of how they grow."""

    def plot(rows: list[dict[str, Any]]) -> dict[str, Any]:
        drawing, (times, memory) = figure(2, width=11)
        sizes = [row[size] for row in rows]
        for name in rows[0]["ms"]:
            there = [row for row in rows if name in row["ms"]]
            here = [row[size] for row in there]
            for axes, values in (
                (times, [row["ms"][name][1] for row in there]),
                (memory, [row["peak_MB"][name] for row in there]),
            ):
                text = f"{name}: exponent {exponent(here, values):.2f}"
                axes.plot(here, values, "o-", label=text, color=COLOURS[name])
        times.plot(sizes, [row["floor_ms"][1] for row in rows], **FLOOR)
        times.set(xscale="log", yscale="log", xlabel=label, ylabel="ms a step")
        memory.set(xscale="log", yscale="log", xlabel=label, ylabel="peak memory of the process, MB")
        for axes in (times, memory):
            axes.legend(fontsize=8)
        return {NAMES[size]: drawing, **({"adam": adam(rows)} if size == "hidden" else {})}

    return plot


NAMES = {"batch_size": "batches", "hidden": "hidden"}


def adam(rows: list[dict[str, Any]]) -> Any:
    """Nanoseconds a parameter of the optimizers alone, over the number of parameters."""
    drawing, axes = figure()
    sizes = [row["facts"]["parameters"] for row in rows]
    for name in rows[0]["parts_ms"]:
        values = [1e6 * row["parts_ms"][name]["optimizer"][1] / row["facts"]["parameters"] for row in rows]
        axes.plot(sizes, values, "o-", label=name, color=COLOURS[name])
    floor = [1e6 * row["parts_ms"][OURS]["copy"][1] / row["facts"]["parameters"] for row in rows]
    axes.plot(sizes, floor, **{**FLOOR, "label": "a copy of as many bytes"})
    axes.set(xscale="log", yscale="log", xlabel="parameters of G and D", ylabel="Adam: ns a parameter and step")
    axes.legend()
    return drawing


def ablation(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Milliseconds of each rung of the ladder."""
    drawing, axes = figure(width=9)
    row = rows[0]
    names = list(row["ms"])
    labels = [*names[:-1], "+ reused work arrays, out= (nanogan)"]
    values = [row["ms"][name][1] for name in names]
    axes.barh(labels, values, color=["C7"] * (len(names) - 1) + [COLOURS[OURS]])
    axes.bar_label(axes.containers[0], [f" {value:.1f} ms" for value in values])
    axes.axvline(row["floor_ms"][1], **FLOOR)
    axes.invert_yaxis()
    axes.set_xlim(right=1.15 * max(values))
    axes.set_xlabel(f"ms a step: {row['workload']}, batch {row['batch_size']}")
    axes.legend(loc="lower right")
    return {"ablation": drawing}


def quality_time(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """FD-mnist over seconds, a line for each run."""
    drawing, axes = figure(width=7.5)
    colours = {"nanogan": "C3", "dcgan": "C4", "vanilla": "C2", "PyTorch careful": "C0"}
    for row in rows:
        name = row["workload"]
        points = [point for point in row["curve"] if point["step"]]
        label = {"PyTorch careful": "dcgan in PyTorch"}.get(name, name) if row["seed"] == 0 else None
        axes.plot(
            [point["seconds"] for point in points],
            [point["fd_mnist"] for point in points],
            ".-",
            color=colours[name],
            linewidth=1,
            label=label,
        )
    axes.axhline(0.098, color="black", linestyle=":", label="real digits")
    axes.set(xscale="log", yscale="log", xlabel="seconds since the command", ylabel="FD-mnist, lower is better")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.legend()
    return {"quality-time": drawing}


PLOTS: dict[str, Callable[[list[dict[str, Any]]], dict[str, Any]]] = {
    "steps": steps,
    "batches": sweep("batch_size", "batch size"),
    "hidden": sweep("hidden", "units in each hidden layer"),
    "ablation": ablation,
    "quality-time": quality_time,
}
