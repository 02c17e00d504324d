"""A run with a fault or without, and which of nanogan's three alarms it sets off.

`gradcheck` and `objective` look at the code and need no training; `diagnosis` watches the run. Each alarm is asked only
if the ones before it were silent, because a wrong derivative may well train badly, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np

from ...backend import Array
from ...data.images import MNIST_FOLDER, read_images
from ...gradcheck.derivative import Report
from ...gradcheck.everything import prove_recipe
from ...gradcheck.objective import check_objective
from ...gradcheck.optimizers import OPTIMIZERS, check_optimizer
from ...recipes.recipe import Recipe
from ...training.diagnosis import Diagnosis
from ...training.gan_trainer import Trainer
from ...training.log import Row
from .catalog import Fault


@dataclass(frozen=True)
class Run:
    """What a run leaves: a row of the log per epoch, 64 images (64, 28, 28, 1) in [0, 1], and what its diagnosis said.

    said: (step, name, text) of each rule of the diagnosis, when it first spoke.
    """

    rows: list[Row]
    images: Array
    said: list[tuple[int, str, str]]


@dataclass(frozen=True)
class Verdict:
    """Which alarm found something: "gradcheck", "objective", "diagnosis" or, if all are silent, None; its words."""

    alarm: str | None
    said: str


@contextmanager
def broken_by(fault: Fault) -> Iterator[None]:
    """Run nanogan with all changes of a fault."""
    with ExitStack() as changes:
        for change in fault.changes:
            changes.enter_context(change.applied())
        yield


def train(
    make: Callable[[], Recipe],
    steps: int,
    *,
    seed: int,
    until_alarm: bool = False,
    each_step: Callable[[], object] = lambda: None,
) -> Run:
    """Train a recipe on MNIST, with a row of the log and a look of the diagnosis per epoch.

    until_alarm: stop when the diagnosis first speaks.
    """
    recipe = make()
    images = read_images(MNIST_FOLDER).scaled(recipe.pixels)
    trainer = Trainer(recipe, images, seed=seed)
    diagnosis = Diagnosis(trainer, digits=True)
    said: list[tuple[int, str, str]] = []
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        while trainer.steps < steps and not (until_alarm and said):
            trainer.step()
            each_step()
            if trainer.epoch_is_over or trainer.steps == steps:
                trainer.log_epoch(**diagnosis.figures())
                said += [(trainer.steps, name, text) for name, text in diagnosis.news().items()]
        return Run(trainer.rows, trainer.sample(), said)


def proofs(recipe: Recipe, *, seed: int) -> dict[str, list[Report]]:
    """What the alarms that need no training say of a recipe: the reports of gradcheck, and of the objective's test."""
    textbook = next(form for optimizer, form in OPTIMIZERS if type(optimizer) is type(recipe.optimizer))
    gradients = [*prove_recipe(recipe, count=4, seed=seed), check_optimizer(recipe.optimizer, textbook)]
    return {"gradcheck": gradients, "objective": [check_objective(recipe, seed=seed)]}


def verdict(reports: dict[str, list[Report]], run: Callable[[], Run]) -> Verdict:
    """The first alarm that finds something. run: asked for only if the proofs found nothing."""
    for alarm, found in reports.items():
        for report in found:
            if not report.passed:
                failed = next(row for row in report.rows if row.verdict == "FAIL")
                return Verdict(alarm, f"{report.title}\n{failed}")
    trained = run()
    return Verdict("diagnosis" if trained.said else None, said(trained))


def said(run: Run) -> str:
    """What the diagnosis said of a run, a line per rule."""
    return "\n".join(f"  step {step:,}: {name}: {text}" for step, name, text in run.said)
