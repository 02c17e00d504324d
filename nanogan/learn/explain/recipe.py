"""A recipe's training step, in shapes and statistics: the first step of a run on MNIST, watched like the tiny GAN's.

Layers that `formulas.py` doesn't know say themselves what they compute: the formula is the docstring's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CodeType, FrameType
from typing import Any

from ...data.images import load_mnist
from ...gan import generator_gradients
from ...layer import Layer
from ...network import Sequential
from ...norm import BatchNorm
from ...optim import Optimizer
from ...recipes.mnist import get_recipe
from ...training.gan_trainer import Trainer
from ...training.trainer import BaseTrainer
from .entry import Explanation, Section
from .formulas import BY_CODE, WORDS
from .record import Record, line_with
from .trace import Tracer

SEED = 0


def explain_recipe(name: str) -> Explanation:
    """One step of D and one of G of a recipe at its first weights, with a batch of MNIST's test images."""
    recipe = get_recipe(name)
    images, digits = load_mnist("test", scale=recipe.pixels)
    first = slice(recipe.batch_size)
    trainer = Trainer(recipe, images[first], labels=digits[first] if recipe.class_names else None, seed=SEED)
    networks = {"G": trainer.G, "D": trainer.D}
    records = [Record(networks, trainer.optimizers) for _ in networks]
    for record in records:
        give_weights(record)
    tracer = TwoSteps(records[0], records[1], formulas_of(trainer))
    with tracer.watching():
        trainer.step()
    sections = []
    for key, record in zip("DG", records, strict=True):
        for entry in record.finish():
            entry.what = entry.what.replace("points", "images").replace("each point", "each image")
        sections.append(Section(key, f"{key}'s step", TEXT, record.entries))
    title = f"A training step of the recipe {name}"
    text = f"{recipe.name}: {recipe.source}. A batch of {recipe.batch_size} images, at the first step of a run."
    return Explanation(title, text, sections)


TEXT = "Each array with its shape and the mean, the standard deviation and the range of its values."


def give_weights(record: Record) -> None:
    """All weights, which are drawn when a network is made."""
    lines = (line_with(Layer.bind, "value[...] ="),)
    for owner, layer in record.layers():
        for own in layer.param_names():
            record.given(getattr(layer, own), f"{owner}.{own}", "weights", lines=lines)


class TwoSteps(Tracer):
    """Watches D's step, and from the second noise on, or the generator's gradients, G's step."""

    def __init__(self, of_D: Record, of_G: Record, formulas: Mapping[CodeType, Mapping[str, str]]) -> None:
        super().__init__(of_D, formulas)
        self.of_G = of_G

    def call(self, frame: FrameType, event: str, argument: Any) -> Any:
        D_is_done = any(entry.name == "loss" for entry in self.record.entries)
        if D_is_done and self.record is not self.of_G and frame.f_code in BEGINNINGS:
            self.of_G.go_on_from(self.record)
            self.record = self.of_G
        return super().call(frame, event, argument)


BEGINNINGS = {Trainer.noise.__code__, generator_gradients.__code__}


# ---- formulas


def formulas_of(trainer: Trainer) -> Mapping[CodeType, Mapping[str, str]]:
    """What the functions make that this step calls: `formulas.py`, and for all others what they say of themselves."""
    found: dict[CodeType, Mapping[str, str]] = dict(BY_CODE)
    for function, made in of_trainer(trainer):
        found[function.__code__] = made
    for network in (trainer.G, trainer.D):
        for function, made in of_layers(network.layers):
            if (code := function.__code__) not in BY_CODE:
                found[code] = {**found.get(code, {}), **made}  # one layer may have a bias, and another none
    return found


def of_trainer(trainer: Trainer) -> Iterator[tuple[Callable[..., Any], Mapping[str, str]]]:
    loss, optimizer = type(trainer.loss), type(trainer.optimizers["D"])
    yield Trainer.noise, {"z: returned": ""}
    yield BaseTrainer.next_batch, {"real: returned": ""}
    if loss.terms.__code__ not in BY_CODE:
        yield loss.terms, {"terms: returned": said(loss, "")}
        yield loss.gradient, {"slopes: returned": said(loss.gradient, "")}
    yield Optimizer.step, {"params_new: self.network.params": said(optimizer, "p")}
    yield BatchNorm._use_statistics, {}
    yield BatchNorm._normalise, {"y": said(BatchNorm, "y")}
    yield (
        BatchNorm._params_gradient,
        {
            f"{name}: returned[{place}]": said(BatchNorm.backward_params, name)
            for place, name in enumerate(("dgamma", "dbeta"))
        },
    )
    yield BatchNorm._input_gradient, {"dx": said(BatchNorm.backward_input, "dx")}


def of_layers(layers: Iterable[Layer]) -> Iterator[tuple[Callable[..., Any], Mapping[str, str]]]:
    for layer in layers:
        kind = type(layer)
        if isinstance(layer, Sequential):
            yield from of_layers(layer.layers)
        gradients = {f"self.d{own}": said(kind.backward_params, f"d{own}") for own in layer.param_names()}
        dx = {"dx: returned": said(kind.backward_input, "dx")}
        yield kind.forward, {"y: returned": said(definer(kind, "forward"), "y")}
        yield kind.backward_params, gradients
        yield kind.backward_input, dx
        if kind.backward is not Layer.backward:
            yield kind.backward, gradients | dx


def definer(kind: type, method: str) -> type:
    """The class that a kind of layer has a method from: its formula is that of the method."""
    return next(base for base in kind.__mro__ if method in vars(base))


def said(of: Any, name: str) -> str:
    """What a docstring says of an array: the piece of it that begins as "dW = " does, or its first line."""
    lines = (inspect.getdoc(of) or "").split("\n")
    pieces = [piece.strip() for line in lines for piece in line.split("      ")]
    beginnings = tuple(f"{name} {sign} " for sign in ("=", "<-"))
    return WORDS + next((piece for piece in pieces if name and piece.startswith(beginnings)), pieces[0])
