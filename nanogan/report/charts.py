"""The charts of a report: of the log of a GAN's run or an image-to-image run, and of what its networks draw."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..backend import Array
from ..io.charts import Chart, Line
from ..io.plots import Equilibrium, equilibrium
from ..losses import BCE, BCEWithLogits
from ..recipes.recipe import Recipe
from ..training.health import HELD_OUT, OPINIONS
from .run import Run

BINS = 20
MOST_LINES = 6
"""Of a chart: as many can be told apart."""


def of_log(run: Run) -> list[Chart]:
    """Those for which the log has numbers, in the order of the report."""
    if not run.rows:
        return []
    return list(_of_pairs(run) if run.is_of_pairs else _of_styles(run) if run.is_of_styles else _of_gan(run))


def _of_gan(run: Run) -> Iterator[Chart]:
    epochs, level = run.column("epoch"), _level(run)
    text, levels = "Means over each epoch.", dict[str, float]()
    if level:
        levels = {"discriminator at equilibrium": level.d_loss, "generator at equilibrium": level.g_loss}
        text += (
            " Where neither network can gain anything, D says the same of every image, and both losses are at their "
            "level; a loss of D near 0 means that it has won."
        )
    lines = [Line("discriminator", run.column("d_loss")), Line("generator", run.column("g_loss"))]
    yield Chart("Losses", text, "epoch", epochs, lines, levels, limits=(0,) if level else ())
    yield _opinions(run, epochs, level)
    if run.has("gradient_norm"):
        yield Chart(
            "Gradient that reaches the generator",
            "Its mean norm per image, on a logarithmic scale, after the last step of each epoch. Below 1e-6 the "
            "generator learns nothing.",
            "epoch",
            epochs,
            [Line("norm", run.column("gradient_norm"))],
            log=True,
        )
    for name, network in (("G", "generator"), ("D", "discriminator")):
        columns = [column for column in run.rows[-1] if column.startswith(f"move_{name}_") and run.has(column)]
        if columns:
            yield _moves(run, epochs, network, columns)
    yield time_per_step(run, epochs)


def _level(run: Run) -> Equilibrium | None:
    """Of a GAN trained by cross-entropy; other losses have none that is known."""
    recipe = run.recipe
    if not isinstance(recipe, Recipe) or type(recipe.loss) not in (BCE, BCEWithLogits):
        return None
    return equilibrium(recipe.real_label, recipe.mean_of_terms)


def _opinions(run: Run, epochs: Sequence[float], level: Equilibrium | None) -> Chart:
    if run.has(*OPINIONS):
        (low, mid, high), (fake_low, fake_mid, fake_high) = (
            [run.column(f"{of}_{name}") for name in ("low", "mid", "high")] for of in ("d_real", "d_fake")
        )
        lines = [Line("D(x), real", mid, (low, high)), Line("D(G(z)), generated", fake_mid, (fake_low, fake_high))]
        text = (
            "What the discriminator says of 256 images of each kind after each epoch: the median, and the middle 80 %."
        )
        if run.has(*HELD_OUT):
            low, mid, high = (run.column(name) for name in HELD_OUT)
            lines.append(Line("D(x), held out", mid, (low, high)))
            text += (
                " Held-out images are real ones that it has never seen: if it says less of them than of the real ones "
                "that it trains on, it knows those by heart; --augment keeps it from that."
            )
    else:
        lines = [Line("D(x), real", run.column("d_real")), Line("D(G(z)), generated", run.column("d_fake"))]
        text = "What the discriminator says: the means over each epoch."
    if not level:
        return Chart("D(x) and D(G(z))", text, "epoch", epochs, lines)
    title = "D(x) and D(G(z)), the probability of being real"
    return Chart(title, text, "epoch", epochs, lines, {"at equilibrium": level.says}, limits=(0, 1))


def _moves(run: Run, epochs: Sequence[float], network: str, columns: list[str]) -> Chart:
    places = np.linspace(0, len(columns) - 1, min(len(columns), MOST_LINES)).round().astype(int)
    chosen = [columns[place] for place in places]
    return Chart(
        f"Update-to-weight ratio of the {network}",
        "How far the last step of each epoch moved the weights of each layer, as a share of their length. A layer "
        "far above the others loses what it has learned; one far below learns nothing.",
        "epoch",
        epochs,
        [Line(_layer(run, column), run.column(column)) for column in chosen],
        log=True,
    )


def _layer(run: Run, column: str) -> str:
    """move_G_0.W as "layer 0, Linear"."""
    _, network, place = column.split("_", 2)
    place = place.removesuffix(".W")
    layers = getattr(run.recipe, "generator" if network == "G" else "discriminator", ())
    kind = f", {type(layers[int(place)]).__name__}" if place.isdigit() and int(place) < len(layers) else ""
    return f"layer {place}{kind}"


def time_per_step(run: Run, epochs: Sequence[float]) -> Chart:
    """Of each epoch alone. A run that was resumed counts its own seconds on."""
    steps, seconds = (np.array([0.0, *run.column(name)]) for name in ("step", "seconds"))
    made = np.diff(steps)
    per_step = np.divide(1000 * np.diff(seconds), made, out=np.full(len(made), math.nan), where=made > 0)
    text, levels = "Milliseconds per training step, without pictures and files.", dict[str, float]()
    floor = run.environment.get("floor_ms")
    if isinstance(floor, float) and (measured := per_step[per_step > 0]).size:
        text += (
            " The floor is the time of its matrix products alone, and of one pass over the optimizer's numbers: "
            f"{floor / np.median(measured):.0%} of the median."
        )
        levels["floor"] = floor
    return Chart("Time per step", text, "epoch", epochs, [Line("milliseconds", per_step.tolist())], levels, limits=(0,))


def _of_pairs(run: Run) -> Iterator[Chart]:
    epochs = run.column("epoch")
    parts = {
        "Adversarial part of the loss": (
            "How far D is from taking the outputs for real, on as many training pairs as test pairs.",
            {"training pairs": "adversarial", "test pairs": "test_adversarial"},
        ),
        "L1 part of the loss": (
            "The mean distance of a pixel from its target. Training pairs far below test pairs: learned by heart.",
            {"training pairs": "l1", "test pairs": "test_l1"},
        ),
        "PSNR on the test pairs": ("Nearness to the target in decibels; higher is better.", {"dB": "psnr"}),
        "SSIM on the test pairs": ("Likeness in structure to the target; 1 is the same.", {"SSIM": "ssim"}),
        "D's and G's loss": (
            "Means over each epoch; the generator's is the weighted sum of its two parts.",
            {"discriminator": "d_loss", "generator": "g_loss"},
        ),
    }
    yield from _filled(run, parts)
    yield time_per_step(run, epochs)


def _of_styles(run: Run) -> Iterator[Chart]:
    parts = {
        "There and back": (
            "The mean distance of a pixel from where it began, on pictures that were set aside.",
            {"a, to b, and back": "cycle_a", "b, to a, and back": "cycle_b"},
        ),
        "Digits read right": (
            "The share that the classifier of FD-mnist reads as the digit that was drawn, once it is in MNIST's style.",
            {"a, to b": "read", "b, to a, and back": "read_back"},
        ),
        "Losses": (
            "Means over each epoch. The discriminators' is the sum of both, the generators' that of all their terms.",
            {"discriminators": "d_loss", "generators": "g_loss"},
        ),
        "What the discriminators say": (
            "Means over each epoch, of both; they aim at 1 for real pictures, and at 0 for the others.",
            {"real": "d_real", "generated": "d_fake"},
        ),
    }
    yield from _filled(run, parts)
    yield time_per_step(run, run.column("epoch"))


def _filled(run: Run, parts: Mapping[str, tuple[str, dict[str, str]]]) -> Iterator[Chart]:
    """Charts by title, of a text and the log's columns by label: those that have numbers."""
    for title, (text, columns) in parts.items():
        if run.has(*columns.values()):
            lines = [Line(label, run.column(column)) for label, column in columns.items()]
            yield Chart(title, text, "epoch", run.column("epoch"), lines)


def shares(of_digits: Sequence[float]) -> Chart:
    return Chart(
        "How often each digit is drawn",
        "The share of each digit, as a classifier reads them. MNIST has nearly as many of each.",
        "digit",
        list(range(10)),
        [Line("share", of_digits)],
        {"expected, 0.1": 0.1},
        limits=(0,),
        bars=True,
    )


def histogram(real: Array, fake: Array) -> Chart:
    """What D says of real and of generated images, as shares of the images."""
    everything = np.concatenate([real, fake])
    inside = bool((everything >= 0).all() and (everything <= 1).all())
    limits = (0.0, 1.0) if inside else (float(everything.min()), float(everything.max()))
    counts = [np.histogram(said, BINS, limits)[0] / len(said) for said in (real, fake)]
    edges = np.linspace(*limits, BINS + 1)
    return Chart(
        "D(x) and D(G(z)) at the end, as a histogram",
        "The share of images of which the discriminator says so much. The farther apart, the surer it is.",
        "D's output",
        ((edges[1:] + edges[:-1]) / 2).round(6).tolist(),
        [Line("real", counts[0].tolist()), Line("generated", counts[1].tolist())],
        limits=(0,),
    )
