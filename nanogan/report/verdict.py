"""The two lines at the top of a report: how good it is, beside real images, and what the diagnosis says."""

from __future__ import annotations

import math
from typing import NamedTuple

from ..recipes.recipe import Recipe
from ..training.diagnosis import ONE_DIGIT, findings, smaller_steps
from .command import command
from .drawn import COUNT, Drawn
from .pairs import DrawnPairs
from .run import Run

GOOD, FAIR = 3, 40
"""FD-mnist up to which digits look real at a glance, and up to which most can be read. After their published length
`nanogan` has 0.8, `paper-2014` 3.5, `dcgan` 15 and `vanilla` 29; `course`, which collapses, 104 (docs/recipes.md)."""


class Verdict(NamedTuple):
    """tone: "good", "fair" or "bad", which the headline says in words. command: what to try, or ""."""

    tone: str
    headline: str
    quality: str
    health: str
    command: str = ""


def verdict(run: Run, drawn: Drawn, pairs: DrawnPairs) -> Verdict:
    if drawn.scores:
        tone, headline, quality = _of_digits(drawn)
    elif pairs.scores:
        tone, headline, quality = _of_pairs(pairs)
    else:
        tone, (headline, quality) = "fair", _unmeasured(run)
    health, to_try = _health(run)
    return Verdict("bad" if to_try else tone, headline, quality, health, to_try)


def _of_digits(drawn: Drawn) -> tuple[str, str, str]:
    distance, real = drawn.scores["fd_mnist"], drawn.real_scores["fd_mnist"]
    tone = "good" if distance <= GOOD else "fair" if distance <= FAIR else "bad"
    if max(drawn.shares) >= ONE_DIGIT:
        tone, headline = "bad", "Collapsed: nearly all samples are one digit."
    else:
        drawn_ones = "all ten" if (covered := drawn.scores["digits_covered"]) == 10 else f"{covered} of ten"
        words = {"good": "Good", "fair": "Rough", "bad": "Bad"}[tone]
        headline = f"{words} digits; {drawn_ones} are drawn."
    quality = f"FD-mnist {distance:.2f}, while real digits have {real:.2f}: the distance to MNIST's test images, of "
    return tone, headline, f"{quality}{COUNT:,} each; lower is better."


def _of_pairs(pairs: DrawnPairs) -> tuple[str, str, str]:
    """Better than leaving the inputs as they are, or not."""
    now, before = pairs.scores, pairs.input_scores
    better = now["psnr"] > before["psnr"]
    read = f" and {now['accuracy']:.1%} of the digits are read right" if "accuracy" in now else ""
    headline = f"The outputs are {'nearer to' if better else 'no nearer to'} their targets than the inputs are."
    return (
        "good" if better else "bad",
        headline,
        (
            f"PSNR {now['psnr']:.2f} dB, while the inputs have {before['psnr']:.2f} dB, on test pairs, never "
            f"trained on; SSIM is {now['ssim']:.3f}{read}."
        ),
    )


def _unmeasured(run: Run) -> tuple[str, str]:
    if not run.rows:
        return "No epoch has ended yet.", ""
    last = run.rows[-1]
    if run.is_of_styles:
        read = last.get("read", math.nan)
        headline = f"{read:.1%} of the digits are read right." if math.isfinite(read) else "Look at the samples below."
        there = "On pictures that were set aside, a pixel comes back from there at a mean distance of"
        return headline, f"{there} {last.get('cycle_a', math.nan):.4f} (a) and {last.get('cycle_b', math.nan):.4f} (b)."
    if run.is_of_pairs:
        return f"PSNR {last.get('psnr', math.nan):.2f} dB on test pairs.", f"SSIM is {last.get('ssim', math.nan):.3f}."
    if run.running:
        return "Still training.", "How good the images are is measured when the run ends."
    return "Not measured.", "FD-mnist judges MNIST's digits alone; look at the samples below."


def _health(run: Run) -> tuple[str, str]:
    """What the diagnosis said, each with the epoch in which it said it first; and the command to try, or ""."""
    lost = [row["epoch"] for row in run.rows if not math.isfinite(row["d_loss"] + row["g_loss"])]
    if lost:
        return f"The losses are NaN or infinite in epoch {lost[0]:.0f}: the numbers have run away.", ""
    if not isinstance(run.recipe, Recipe) or not run.rows:
        return "", ""
    said: dict[str, str] = {}
    for count, row in enumerate(run.rows, start=1):
        for name, text in findings(run.rows[:count], run.recipe).items():
            said.setdefault(name, f"{name}, {text.split('; try ')[0]} (epoch {row['epoch']:.0f})")
    if not said:
        return f"The diagnosis found nothing wrong in {run.epochs}.", ""
    options = dict(option.removeprefix("--").split() for option in smaller_steps(run.recipe))
    return f"The diagnosis said: {'; '.join(said.values())}.", command(run, options, out=f"runs/{run.name}-again")
