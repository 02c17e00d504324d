"""The entries of a step, as its arrays are made: which memory holds which array now, and what it is called.

`trace.py` tells a `Record` what a line of code has made. Read it next.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np

from ...backend import Array
from ...layer import Layer
from ...losses import Loss
from ...network import Network, Sequential
from ...optim import Optimizer
from .entry import Entry, Line, Statistics, gradient_of

MOST_KEPT = 1024
"""Values of an array that is copied. Of a larger one there are statistics."""
PACKAGE = Path(__file__).parents[3]


def line_with(function: Callable[..., Any], code: str) -> Line:
    """The line of a function that has this code in it."""
    lines, first = inspect.getsourcelines(function)
    place = next(place for place, line in enumerate(lines) if code in line)
    return line_of(function.__code__, first + place)


class NotKnown(LookupError):
    """An array has no name yet, or needs none."""


def line_of(code: CodeType, number: int) -> Line:
    path = Path(code.co_filename)
    shown = path.relative_to(PACKAGE) if path.is_relative_to(PACKAGE) else Path(path.name)
    return Line(shown.as_posix(), number, linecache.getline(code.co_filename, number).strip())


def key(array: Any) -> Any:
    """Says in which memory the array lies, and how: another view of it has another key, unless it looks alike."""
    if not isinstance(array, np.ndarray):
        return float(array)  # a NumPy number has no place of its own
    return array.__array_interface__["data"][0], array.shape, array.strides


def unnumbered(name: str) -> str:
    """The name of the first array of its kind: "D0.y2" -> "D0.y"."""
    return name.rstrip("0123456789")


def fingerprint(array: Any) -> bytes:
    """Differs if the values do; of a large array a few hundred are compared."""
    return some(np.asarray(array)).tobytes()


def some(array: Array) -> Array:
    """All values of a small array, and some of a large one."""
    if array.size <= MOST_KEPT:
        return array
    return array[tuple(slice(None, None, max(1, size // 5)) for size in array.shape)]


class Record:
    """What has been recorded of one step of `networks`, by name."""

    def __init__(self, networks: Mapping[str, Network], optimizers: Mapping[str, Optimizer]) -> None:
        self.networks = networks
        self.entries: list[Entry] = []
        self.part = ""
        """If set, the part of the step that entries belong to, whichever function made them."""
        self.now: dict[Any, Entry] = {}  # what each piece of memory holds
        self.arrays: dict[str, Any] = {}
        self.inputs: dict[int, str] = {}  # what each layer was last given
        self.owners: dict[int, str] = {id(optimizer): name for name, optimizer in optimizers.items()}
        for name, network in networks.items():
            self.owners[id(network)] = name
        self.owners |= {id(layer): name for name, layer in self.layers()}

    # ---- entries

    def given(self, array: Any, name: str, what: str, formula: str = "", **options: Any) -> Any:
        """Record an array that no step makes; by default its line of code is the caller's. Returns the array."""
        if "lines" not in options:
            caller = sys._getframe(1)
            options["lines"] = (line_of(caller.f_code, caller.f_lineno),)
        self.add(name, array, formula, "given", what=what, **options)
        return array

    def add(
        self, name: str, array: Any, formula: str, part: str, lines: tuple[Line, ...], what: str, **options: Any
    ) -> Entry:
        """Record an array that now has its values. If the name is taken, it gets a number: "D0.y2"."""
        taken = {entry.name for entry in self.entries}
        if name in taken:
            name = next(other for n in count(2) if (other := f"{unnumbered(name)}{n}") not in taken)
        entry = Entry(name, what, self.part or part, np.shape(array), None, formula, lines, **options)
        self.entries.append(entry)
        self.now[key(array)] = entry
        self.arrays[name] = array  # kept, so that its memory is given to no other
        self.fill(entry, array)
        return entry

    def fill(self, entry: Entry, array: Any) -> None:
        """The values that the entry's array has now, and those of the arrays in its formula."""
        entry.fingerprint = fingerprint(array)
        if np.size(array) <= MOST_KEPT:
            entry.values = np.array(array, np.float64)
        if not entry.is_small:
            entry.statistics = statistics(array)
        known = {other.name: other.values for other in self.entries if other is not entry and other.values is not None}
        entry.operands = {name: known[name] for name in names_in(entry.formula) if name in known}

    def remake(self, entry: Entry, array: Any, lines: tuple[Line, ...]) -> None:
        """The array has changed once more, by the next line of the code that makes it."""
        entry.lines = lines
        self.fill(entry, array)
        self.entries.remove(entry)
        self.entries.append(entry)

    def forget(self, entry: Entry, array: Any, before: Entry) -> None:
        """The array has been computed once more, as it was before."""
        self.entries.remove(entry)
        self.now[key(array)] = before

    def holds(self, array: Any) -> Entry | None:
        """The entry of the array, if its values are still those."""
        entry = self.now.get(key(array))
        return entry if entry and entry.fingerprint == fingerprint(array) else None

    def name_of(self, array: Any) -> str:
        """What the array is called. Raises NotKnown."""
        if entry := self.now.get(key(array)):
            return entry.name
        raise NotKnown

    def alike(self, array: Any) -> str:
        """The name of the latest array with these values, wherever they lie."""
        for entry in reversed(self.entries):
            comparable = entry.shape == np.shape(array) and entry.values is not None
            if comparable and np.allclose(entry.values, array, rtol=1e-6, atol=0):
                return entry.name
        raise NotKnown

    def flat(self, network: Network, prefix: str) -> str:
        """The weights of a network, or with the prefix "d" their gradients, in the order of its flat vector."""
        pieces = []
        for layer in network.layers:
            for name in layer.param_names():
                array = getattr(layer, prefix + name)
                pieces.append(self.name_of(array) + (".ravel()" if array.ndim > 1 else ""))
        return f"concatenate([{', '.join(pieces)}])"

    def take(self, other: Record, wanted: Callable[[Entry], bool]) -> None:
        """Entries of another step, whose arrays this one uses as they are."""
        for entry in map(replace, filter(wanted, other.entries)):
            self.entries.append(entry)
            self.arrays[entry.name] = array = other.arrays[entry.name]
            self.now[key(array)] = entry
        self.inputs |= other.inputs

    def go_on_from(self, other: Record) -> None:
        """What the arrays are called that another step has made, and this one goes on with."""
        self.now = other.now | self.now
        self.inputs |= other.inputs

    def layers(self) -> Iterator[tuple[str, Layer]]:
        """Every layer with its name."""
        for name, network in self.networks.items():
            yield from _layers(name, network.layers)

    def __getitem__(self, name: str) -> Entry:
        return next(entry for entry in self.entries if entry.name == name)

    def named(self, owner: Any, own: str, frame: FrameType) -> str:
        """What the array is called that a method of `owner` calls `own`."""
        if not isinstance(owner, (Layer, Loss, Optimizer)):
            owner = frame.f_locals.get("layer")
        if isinstance(owner, Layer):
            return gradient_of(self.inputs[id(owner)]) if own == "dx" else f"{self.owners[id(owner)]}.{own}"
        if isinstance(owner, Loss) and "x" in frame.f_locals:
            x = self.name_of(frame.f_locals["x"])
            return gradient_of(x) if own == "dx" else x.removesuffix("logits") + own
        if isinstance(owner, Optimizer):
            return f"{self.owners[id(owner)]}.{own}"
        return "D.grads" if own == "grads" else own

    def described(self, owner: Any, name: str, own: str) -> str:
        """What the array is, in words."""
        if own == "y":
            return f"what {type(owner).__name__} makes of {self.inputs[id(owner)]}"
        return (
            WORDS.get(own)
            or f"derivative of the loss with respect to {name.replace('.d', '.') if '.' in name else name[1:]}"
        )

    def finish(self) -> list[Entry]:
        """The entries, each with its gradient, if the step has computed one."""
        by_name = {entry.name: entry for entry in self.entries}
        for entry in reversed(self.entries):
            if (gradient := by_name.get(gradient_of(entry.name))) and not entry.gradient_name:
                entry.has_gradient(gradient.name, gradient.values, gradient.statistics)
            if (same := by_name.get(entry.formula)) and entry.gradient_name:  # an array with two names
                same.has_gradient(entry.gradient_name, entry.gradient, entry.gradient_statistics)
        return self.entries


def _layers(prefix: str, layers: list[Layer]) -> Iterator[tuple[str, Layer]]:
    for position, layer in enumerate(layers):
        yield f"{prefix}{position}", layer
        if isinstance(layer, Sequential):
            yield from _layers(f"{prefix}{position}_", layer.layers)


def statistics(array: Array) -> Statistics:
    values = np.asarray(array, np.float64)
    return Statistics(float(values.mean()), float(values.std()), float(values.min()), float(values.max()))


def names_in(formula: str) -> set[str]:
    """The names in a formula, with and without what stands after their dots."""
    if not formula:
        return set()
    nodes = ast.walk(ast.parse(formula, mode="eval"))
    return {ast.unparse(node) for node in nodes if isinstance(node, (ast.Name, ast.Attribute))}


WORDS = {
    "W": "weights",
    "b": "biases",
    "gamma": "scales",
    "beta": "shifts",
    "z": "noise, from which G makes points",
    "real": "real points",
    "fake": "the points that G has made",
    "images": "real and fake points as one batch",
    "logits": "what D says: above 0 is real",
    "real_logits": "what D says of the real points",
    "fake_logits": "what D says of the fake points",
    "mean": "the mean of each column of the batch",
    "deviation": "how far each value is from the mean",
    "std": "the standard deviation of each column",
    "terms": "the loss of each point",
    "slopes": "the derivative of each term with respect to its logit",
    "loss": "the loss",
    "real_grads": "the gradients of the real points' loss, kept",
    "grads": "all gradients in one vector",
    "m_new": "the running mean of the gradient",
    "v_new": "the running mean of its square",
    "params_new": "all weights after the step",
}
"""What an array is, by what the function calls it that makes it."""
