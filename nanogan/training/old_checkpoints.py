"""Checkpoints of earlier formats, brought to today's names and numbers. `io/checkpoint.py` lists the formats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..backend import Array

RENAMED = {
    "average": "mean_of_terms",  # a field of a recipe
    "weight_average": "ema_decay",
    "average.params": "ema.params",  # arrays
    "average.state": "ema.state",
    "commonest_share": "top_digit_share",  # a column of the log
}
"""What was called otherwise until format 3."""


def upgraded(arrays: dict[str, Array], meta: dict[str, Any]) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and meta data of a checkpoint as a run of today would have saved them.

    Raises one of many errors if the meta data aren't those of a run.
    """
    if meta["format"] > 3:
        return arrays, meta
    meta = {**meta, "description": _renamed(meta["description"])}
    if "columns" in meta:
        meta["columns"] = [RENAMED.get(name, name) for name in meta["columns"]]
    if "rows" in meta:
        meta["rows"] = _renamed(meta["rows"])
    arrays = {RENAMED.get(name, name): array for name, array in arrays.items()}
    optimizer = meta["description"]["optimizer"]
    if optimizer["type"] == "Adam":  # whose saved moments were m / (1 - beta1) and v / (1 - beta2)
        for moment, beta in zip("mv", optimizer["betas"], strict=True):
            for network in "GD":
                name = f"{network}.{moment}"
                if name in arrays:
                    arrays[name] = (arrays[name] * (1 - beta)).astype(arrays[name].dtype)
    return arrays, meta


def _renamed(value: Any) -> Any:
    """Mappings at any depth with today's keys."""
    if isinstance(value, Mapping):
        return {RENAMED.get(key, key): _renamed(inner) for key, inner in value.items()}
    return [_renamed(inner) for inner in value] if isinstance(value, list) else value
