"""A learning rate that stays for half of the epochs and then falls to 0, as translators of pictures are trained."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..recipes.recipe import own_classes, restore
from .trainer import BaseTrainer


class Shift(NamedTuple):
    """What is added to `lr_factor` once a run has another length: `size` at `epoch`, 0 from `length` epochs on."""

    epoch: float
    size: float
    length: float

    def at(self, epoch: float) -> float:
        left = 1 - (epoch - self.epoch) / self.length if self.length else 0.0
        return self.size * min(max(left, 0.0), 1.0)


def lr_factor(epochs: int, steps: int, steps_per_epoch: int) -> float:
    """Of the recipe's learning rate, after so many steps: 1 for half of the epochs, then less with every step.

    It ends just above 0, and stays there after the last epoch.
    """
    total = epochs * steps_per_epoch
    return min(1.0, 2 * (max(total - steps, 1) / total))


class FallingRate(BaseTrainer):
    """A trainer whose learning rate is the recipe's times `lr_factor`, or passes over to that from another length."""

    shift: Shift | None = None

    def follow_schedule(self) -> None:
        per_epoch = self.batches.steps_per_epoch
        factor = lr_factor(self.recipe.epochs, self.steps, per_epoch)
        if self.shift:
            factor += self.shift.at(self.steps / per_epoch)
        for optimizer in self.optimizers.values():
            optimizer.lr = self.recipe.optimizer.lr * factor

    def further(self) -> dict[str, Any]:
        return {"shift": self.shift}

    def take_up(self, meta: dict[str, Any]) -> None:
        """The learning rate goes on as before; if the run is to have another length, it passes over without a jump."""
        shift = None if meta.get("shift") is None else Shift(*map(float, meta["shift"]))
        if not np.isfinite(shift or 0.0).all():
            raise ValueError(f"a learning rate shifted by {shift}")
        before, epochs = restore(meta["description"], own_classes(self.recipe)).epochs, self.recipe.epochs
        if before != epochs:
            steps, per_epoch = meta["steps"], meta["settings"]["images"] // meta["settings"]["batch_size"]
            epoch = steps / per_epoch
            reached = lr_factor(before, steps, per_epoch) + (shift.at(epoch) if shift else 0)
            wanted = lr_factor(epochs, steps, per_epoch)
            shift = Shift(epoch, reached - wanted, max(epochs - epoch, 0) / 2) if reached != wanted else None
            base = self.recipe.optimizer.lr
            self.note = f"learning rate: {base * reached:.2g} now, "
            if shift:
                self.note += f"by epoch {epoch + shift.length:.3g} that of a run of {epochs} epochs, "
            self.note += f"falling from epoch {epochs / 2:.3g} on, to 0 at epoch {epochs}"
        self.shift = shift
