"""Which array was the first to hold a NaN or an infinity, when a run has come to that.

Training looks only at its summed losses, a few numbers that no NaN leaves again: that costs nothing. But by then the
trouble is everywhere. So the run goes back to its last good checkpoint and repeats the steps, which come out the same
to the bit, this time with every array looked at as soon as a layer has made it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..backend import Array
from ..layer import Layer
from ..network import Network, Sequential
from ..workers import ALONE
from .trainer import BaseTrainer


def losses_are_finite(trainer: BaseTrainer) -> bool:
    """Whether all losses of this epoch so far were numbers. Waits for the device: one read."""
    return all(map(math.isfinite, trainer.means().values()))


def is_finite(trainer: BaseTrainer) -> bool:
    """Whether the run could be saved: losses, parameters, running statistics and moments are all finite."""
    return losses_are_finite(trainer) and not _bad_vector(trainer)


def explain(trainer: BaseTrainer, checkpoint: Path) -> str:
    """One line: at which step, in which layer and array the trouble began, and what to do.

    checkpoint: the last good one of this run, made with the same settings. `trainer` stands somewhere else afterwards.
    """
    last = trainer.steps
    found = _repeat(trainer, checkpoint, last) or (
        f"step {last}: NaN or infinity, but not when the steps were repeated: the machine or its memory may be faulty"
    )
    smaller = f"--lr {trainer.recipe.optimizer.lr / 4:.3g}"
    return (
        f"{found}. The checkpoint from before is kept. Try {smaller} or --dtype float64; "
        "--allow-nonfinite goes on nevertheless"
    )


def _repeat(trainer: BaseTrainer, checkpoint: Path, last: int) -> str:
    """What was wrong first on the way from the checkpoint to step `last`."""
    trainer.load(checkpoint)
    trainer.share(ALONE)  # the whole batch is here; the other workers wait
    trainer.advance = trainer.compute  # a replayed step can't be looked into
    with ExitStack() as stack:
        for name, network in trainer.networks.items():
            stack.enter_context(watched(network, name))
        while trainer.steps < last:
            step = trainer.steps + 1
            try:
                trainer.step()
            except FloatingPointError as found:
                return f"step {step}: {found}"
            if found_after := _bad_vector(trainer):
                return f"step {step}: {found_after}"
    return ""


@contextmanager
def watched(network: Network, name: str) -> Iterator[None]:
    """Within this block, a layer of `network` that is given or makes a NaN or infinity raises FloatingPointError."""
    verbs = ("forward", "backward_params", "backward_input", "backward", "forward_tangent")
    layers = list(_leaves(network, name))
    for label, layer in layers:
        for verb in verbs:
            setattr(layer, verb, _watching(layer, label, verb))  # an attribute hides the method of its class
    try:
        yield
    finally:
        for _, layer in layers:
            for verb in verbs:
                delattr(layer, verb)


GIVEN_AND_MADE = {"forward": ("x", "y"), "forward_tangent": ("v", "tangent")}


def _watching(layer: Layer, label: str, verb: str) -> Callable[..., Any]:
    method = getattr(layer, verb)
    given, made = GIVEN_AND_MADE.get(verb, ("dy", "dx"))

    def watching(array: Array, *options: Any) -> Any:
        _expect_finite(label, {given: array})
        result = method(array, *options)
        if verb in ("backward_params", "backward"):
            _expect_finite(label, {f"d{name}": getattr(layer, f"d{name}") for name in layer.param_names()})
        if result is not None:
            _expect_finite(label, {made: result})
        return result

    return watching


def _expect_finite(label: str, arrays: dict[str, Array]) -> None:
    for name, array in arrays.items():
        if kind := _trouble(array):
            raise FloatingPointError(f"first {kind}: {label}, {name}")


def _trouble(array: Array) -> str:
    """Says "NaN" or "infinity" if the array has any, else nothing. Waits for the device."""
    if not array.size:
        return ""
    limits = float(array.min()), float(array.max())  # NaN if any number is
    return "" if all(map(math.isfinite, limits)) else "NaN" if math.isnan(limits[0]) else "infinity"


def _bad_vector(trainer: BaseTrainer) -> str:
    """The first layer and array among parameters, running statistics and moments that holds a NaN or infinity."""
    for name, network in trainer.networks.items():
        start = 0
        for label, layer in _leaves(network, name):
            end = start + layer.param_count
            moments = {f"the optimizer's {own}": m[start:end] for own, m in trainer.optimizers[name].moments.items()}
            for own, array in {**layer.arrays(), **moments}.items():
                if kind := _trouble(array):
                    return f"first {kind}: {label}, {own} after the update"
            start = end
    return ""


def _leaves(network: Sequential, name: str) -> Iterator[tuple[str, Layer]]:
    """Every layer that isn't a sequence of others, with what to call it: "D, layer 3 (Linear(...))"."""
    for position, layer in enumerate(network.layers):
        if isinstance(layer, Sequential):
            yield from _leaves(layer, f"{name}, layer {position}")
        else:
            yield f"{name}, layer {position} ({layer!r})", layer
