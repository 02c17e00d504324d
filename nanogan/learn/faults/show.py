"""What `python -m nanogan break` prints of a fault: the changed lines, both runs side by side, the alarms, the cure."""

from __future__ import annotations

import math
from itertools import groupby
from pathlib import Path
from textwrap import fill

import numpy as np

from ...io.plots import save_grid
from ...training.log import Row
from .catalog import FAULTS, Fault
from .examine import Run, Verdict, said

WIDTH = 100
ROWS = 8
"""How many epochs of a run are shown, evenly spread."""
SHOWN = {"d_loss": "D", "g_loss": "G", "d_real": "D(x)", "d_fake": "D(G(z))", "top_digit_share": "one digit"}


def listed() -> str:
    """Every fault in one line, below its kind and the alarm that has to find it."""
    lines: list[str] = []
    for kind, faults in groupby(FAULTS, key=lambda fault: fault.kind):
        lines += [f"{kind.name} ({kind.alarm})", *(f"  {fault.name:<18} {fault.title}" for fault in faults)]
    return "\n".join(lines)


def introduction(fault: Fault) -> str:
    """What is wrong, of which kind it is, and the lines that are changed."""
    seen = f"; seen in {fault.seen}" if fault.seen else ""
    return f"{fault.title}\n{fault.kind.name}{seen}\n\n{changed_lines(fault)}\n"


def changed_lines(fault: Fault) -> str:
    """Each line as it is in the source, with its place, and as the fault has it."""
    lines = [line for change in fault.changes for line in change.lines()]
    return "\n".join(
        f"{line.file}:{line.number}\n  sound   {line.sound.strip()}\n  broken  {line.broken.strip() or '(left out)'}"
        for line in lines
    )


def side_by_side(sound: Run, broken: Run) -> str:
    """Losses, D's outputs and the share of the most frequent digit, epoch by epoch."""
    width = sum(len(f" {heading:>7}") for heading in SHOWN.values()) - 1
    heads = "  ".join(" ".join(f"{heading:>7}" for heading in SHOWN.values()) for _ in range(2))
    lines = [f"{'':6}  {'sound':^{width}}  {'broken':^{width}}", f"{'step':>6}  {heads}"]
    chosen = sorted({round(place) for place in np.linspace(0, len(sound.rows) - 1, ROWS)})
    for place in chosen:
        ours, theirs = sound.rows[place], broken.rows[place]
        lines.append(f"{ours['step']:>6}  {_figures(ours)}  {_figures(theirs)}")
    return "\n".join(map(str.rstrip, lines))


def _figures(row: Row) -> str:
    return " ".join(f"{_short(row[name]):>{max(7, len(heading))}}" for name, heading in SHOWN.items())


def _short(value: float) -> str:
    """Seven characters at most."""
    return f"{value:.3f}" if math.isnan(value) or abs(value) < 100 else f"{value:.1e}"


def conclusion(fault: Fault, found: Verdict, sound: Run) -> str:
    """What each alarm said, whether the right one spoke, and what helps."""
    alarms = list(dict.fromkeys(fault.kind.alarm for fault in FAULTS))
    silent = alarms if found.alarm is None else alarms[: alarms.index(found.alarm)]
    lines = [f"{alarm}: silent" for alarm in silent]
    if found.alarm:
        lines.append(f"{found.alarm}:\n{found.said}")
    if sound.said:
        lines.append("the sound run set off an alarm, too:\n" + said(sound))
    texts = {"What a learner sees": fault.sees, "The cure": fault.cure}
    return "\n".join(
        [*lines, judged(fault, found), "", *(fill(f"{what}: {text}", WIDTH) for what, text in texts.items())]
    )


def judged(fault: Fault, found: Verdict) -> str:
    """Whether the alarm was the right one."""
    alarm, name = fault.kind.alarm, fault.kind.name.capitalize()
    if found.alarm == alarm:
        return f"{name}, found by {alarm}."
    by = f"found by {found.alarm}" if found.alarm else "not found"
    return f"{name}, {by}; {alarm} should have. Both runs may have been too short."


def save_pair(path: Path, sound: Run, broken: Run) -> None:
    """Draw what both generators make of the same noise: 64 of the sound run, a white stripe, and 64 of the other."""
    stripe = np.ones_like(sound.images[:1])
    rows = [(sound.images[row : row + 8], stripe, broken.images[row : row + 8]) for row in range(0, 64, 8)]
    save_grid(path, np.concatenate([images for row in rows for images in row]), columns=17)
