"""What of a run goes into a checkpoint, and how a run takes it up again: `save` and `load` of every trainer."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array, Backend
from ..data.batches import Batches
from ..errors import InputError
from ..io import checkpoint
from ..network import Network
from ..optim import Optimizer
from ..recipes.recipe import are_layers, describe, own_classes, restore
from . import log
from .old_checkpoints import upgraded


class State:
    """All that a run consists of, by name; `trainer.BaseTrainer` fills it in and moves it on."""

    recipe: Any
    columns: Sequence[str]
    seed: int
    count: int
    backend: Backend
    dtype: np.dtype[Any]
    rng: np.random.Generator
    networks: Mapping[str, Network]
    optimizers: Mapping[str, Optimizer]
    batches: Batches
    shuffled: Mapping[str, Batches]
    data_digest: str
    sums: Array
    steps: int
    seconds: float
    rows: list[log.Row]

    @property
    def epoch(self) -> int:
        """The epoch that the last step belongs to, from 1."""
        return max(self.steps - 1, 0) // self.batches.steps_per_epoch + 1

    def settings(self) -> dict[str, Any]:
        """What a run must have in common with a checkpoint to continue it."""
        return {
            "recipe": self.recipe.name,
            "batch_size": self.batches.batch_size,
            "dtype": self.dtype.name,
            "seed": self.seed,
            "images": self.count,
            "data": self.data_digest,
        }

    def arrays(self) -> dict[str, Array]:
        """Every array that the run consists of, by name; live, not copied."""
        arrays = {name: batches.order for name, batches in self.shuffled.items()} | {"sums": self.sums}
        for name, network in self.networks.items():
            arrays |= {f"{name}.params": network.params, f"{name}.state": network.state}
        for name, optimizer in self.optimizers.items():
            arrays |= {f"{name}.{moment}": m for moment, m in optimizer.moments.items()}
        return arrays

    def further(self) -> dict[str, Any]:
        """What else a kind of run keeps, ready for JSON."""
        return {}

    def take_up(self, meta: dict[str, Any]) -> None:
        """Go on with what `further` gave to a checkpoint's meta data. May raise what `load` turns into one line."""

    def save(self, path: str | Path, **extra: Any) -> None:
        """Write everything that continuing needs to `path`. `extra` joins the meta data."""
        meta = {
            "settings": self.settings(),
            "description": describe(self.recipe),
            "rng": self.rng.bit_generator.state,
            "steps": self.steps,
            "seconds": self.seconds,
            "columns": self.columns,
            "optimizer_steps": {name: optimizer.t for name, optimizer in self.optimizers.items()},
            **self.further(),
            **extra,
        }
        arrays = {name: self.backend.to_host(array) for name, array in self.arrays().items()}
        checkpoint.save(path, {**arrays, "log": log.as_array(self.rows, self.columns)}, meta)

    def load(self, path: str | Path, *, allow_change: bool = False) -> None:
        """Stand exactly where the run that was saved to `path` stood.

        Raises InputError, with nothing changed here, if the file is damaged or, unless `allow_change`, of a run with
        other settings. A change of the batch or the images begins the epoch anew, counted in steps of the new size;
        other networks can't take over the weights.
        """
        arrays, meta = checkpoint.load(path)
        try:
            arrays, meta = upgraded(arrays, meta)
            expected, progress = self._checked(arrays, meta, allow_change)
            self.take_up(meta)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise InputError(f"{path}: is no checkpoint of a run ({type(error).__name__}: {error})") from None
        for name, array in expected.items():
            saved = arrays[name].astype(array.dtype)
            on_host = isinstance(array, np.ndarray)  # order and noise lie there whichever the backend
            array[...] = saved if on_host else self.backend.asarray(saved)
        for name, optimizer in self.optimizers.items():
            optimizer.t = progress["optimizer_steps"][name]
        self.rng.bit_generator.state = progress["rng"]
        self.steps, self.seconds, self.rows = progress["steps"], progress["seconds"], progress["rows"]
        for batches in self.shuffled.values():
            batches.stand_after(self.steps)

    def _checked(
        self, arrays: dict[str, Array], meta: dict[str, Any], allow_change: bool
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """The arrays here that a checkpoint's may be copied to, and its `_progress`."""
        changes = self._changes(meta)
        if changes and not allow_change:
            raise InputError(
                f"was trained with {'; '.join(changes.values())}; continue with the same, or choose another --out, "
                "or say --allow-change if the change is meant"
            )
        expected, anew = self.arrays(), not changes.keys().isdisjoint(("batch_size", "images", "data"))
        if anew:
            expected = {name: array for name, array in expected.items() if name not in self.shuffled}
        checkpoint.check_arrays(arrays, expected)
        progress = _progress(arrays, meta, self.columns, self.optimizers)
        if anew:
            epochs = progress["steps"] // (meta["settings"]["images"] // meta["settings"]["batch_size"])
            progress["steps"] = epochs * self.batches.steps_per_epoch
        for name in self.shuffled.keys() & expected.keys():
            if not np.array_equal(np.sort(arrays[name]), np.arange(len(expected[name]))):
                raise InputError(f"its {name} of the images doesn't name each of them once")
        return expected, progress

    def _changes(self, meta: dict[str, Any]) -> dict[str, str]:
        """The settings in which a checkpoint differs from this run, by name, each as "seed 0, not 1"."""
        was, here = dict(meta["settings"]), self.settings()
        was.setdefault("data", self.data_digest)  # which format 1 didn't have
        if was.get("recipe") == self.recipe.name:
            recipe = restore(meta["description"], own_classes(self.recipe))
            for field in dataclasses.fields(self.recipe):
                if field.name not in ("name", "source", "epochs", "steps", *self.settings()):
                    was[field.name], here[field.name] = getattr(recipe, field.name), getattr(self.recipe, field.name)
        return {
            name: _change(name, was.get(name), now)
            for name, now in here.items()
            if describe(was.get(name)) != describe(now)
        }


def _change(name: str, was: Any, now: Any) -> str:
    """One setting that differs, as "seed 0, not 1"; of an optimizer its own settings, of networks the first layer."""
    if isinstance(was, Optimizer) and type(was) is type(now):
        fields = ((field.name, getattr(was, field.name), getattr(now, field.name)) for field in dataclasses.fields(now))
        whose = "D's " if name == "d_optimizer" else ""
        return "; ".join(f"{whose}{field} {old}, not {new}" for field, old, new in fields if old != new)
    if are_layers(was) and are_layers(now):
        pairs = zip_longest(was, now)
        place, old, new = next((n, old, new) for n, (old, new) in enumerate(pairs) if describe(old) != describe(new))
        return f"{name} with layer {place} {old}, not {new}"
    return f"{name} {was}, not {now}"


def _progress(
    arrays: dict[str, Array], meta: dict[str, Any], columns: Sequence[str], names: Iterable[str]
) -> dict[str, Any]:
    """How far a checkpoint's run had come. Raises one of many errors if the meta data hold anything else."""
    rng = np.random.default_rng()
    rng.bit_generator.state = meta["rng"]
    # Until format 2, the log was part of the meta data.
    rows = meta["rows"] if "rows" in meta else log.from_array(arrays["log"], meta["columns"])
    progress = {
        "steps": meta["steps"],
        "seconds": float(meta["seconds"]),
        "rows": log.taken_over(rows, columns),
        "optimizer_steps": {name: meta["optimizer_steps"][name] for name in names},
        "rng": rng.bit_generator.state,
    }
    for count in (progress["steps"], *progress["optimizer_steps"].values()):
        if type(count) is not int or count < 0:
            raise ValueError(f"{count!r} steps")
    return progress
