"""What `python -m nanogan explain` has printed, read again, and the arithmetic of numbers that have been rounded."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nanogan.learn.explain.arithmetic import evaluate

HEAD = re.compile(r"^ *\d+  (\S+)  ([\dx ]+|a number): ")
CODE = re.compile(r"^ {5}(\S+\.py):(\d+)  (.*)$")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]\d+)?")


@dataclass
class Printed:
    """One entry as it was printed.

    units: how far each value may be off because it was rounded. numbers: for some values, index, arithmetic, result.
    """

    name: str
    values: Any = None
    units: Any = None
    gradient_name: str = ""
    gradient: Any = None
    formula: str = ""
    numbers: list[tuple[tuple[int, ...], str, float]] = field(default_factory=list)
    code: list[tuple[str, int, str]] = field(default_factory=list)

    def fill(self, shape: tuple[int, ...], own: list[str], other: list[str]) -> None:
        self.values = np.reshape(np.array(own, float), shape)
        self.units = np.reshape([half_unit(text, self.digits) for text in own], shape)
        self.gradient = np.reshape(np.array(other, float), shape) if other else None

    @property
    def digits(self) -> int:
        return (
            12 if self.name in ("weight", "gradient", "loss_plus", "loss_minus", "central", "ratio", "updated") else 4
        )


def read_text(text: str) -> list[list[Printed]]:
    """The entries of each section."""
    sections: list[list[Printed]] = []
    for block in re.split(r"\n\n+", text):
        lines = block.split("\n")
        if re.fullmatch(r"[A-Z0-9' ,.?]+", block):
            sections.append([])
        elif HEAD.match(lines[0]):
            sections[-1].append(_entry(lines))
    return [section for section in sections if section]


def _entry(lines: list[str]) -> Printed:
    found = HEAD.match(lines[0])
    assert found
    shape = _shape(found[2])
    entry = Printed(found[1])
    own: list[str] = []
    other: list[str] = []
    columns = shape[-1] if shape else 1
    for line in _joined(lines[1:]):
        if code := CODE.match(line):
            entry.code.append((code[1], int(code[2]), code[3]))
        elif " gradient " in line and line.split()[0] == "value":
            entry.gradient_name = line.split()[-1]
        elif numbers := re.match(rf" {{5}}{re.escape(entry.name)}(?:\[([\d, ]+)\])? = (.*) = ([-\d.e+]+)$", line):
            index = tuple(map(int, numbers[1].split(", "))) if numbers[1] else ()
            entry.numbers.append((index, numbers[2], float(numbers[3])))
        elif formula := re.match(rf" {{5}}{re.escape(entry.name)} = (.*)$", line):
            entry.formula = formula[1]
        elif all(map(NUMBER.fullmatch, line.split())):
            own += line.split()[: columns if entry.gradient_name else None]
            other += line.split()[columns:] if entry.gradient_name else []
        else:
            assert line.startswith("     gradient: "), line
    entry.fill(shape, own, other)
    return entry


def read_page(page: str) -> list[list[Printed]]:
    """The entries of each section of an HTML page."""
    return [
        list(map(_article, re.findall(r"<article.*?</article>", part, re.DOTALL)))
        for part in page.split("<section")[1:]
    ]


def _article(source: str) -> Printed:
    found = re.search(r"<h3[^>]*><code>(.*?)</code> <small>(.*?)</small>", source)
    assert found
    entry = Printed(found[1])
    tables = re.findall(r"<table>\n<caption>(.*?)</caption>(.*?)</table>", source, re.DOTALL)
    numbers = [re.findall(r"<td>(.*?)</td>", table) for _, table in tables]
    own = re.findall(r'<p class="value">(.*?)</p>', source) or numbers.pop(0)
    if numbers:
        entry.gradient_name = tables[-1][0]
    entry.fill(_shape(found[2]), own, numbers[0] if numbers else [])
    if formula := re.search(r'<p class="formula"><code>\S+ = (.*?)</code>', source):
        entry.formula = html.unescape(formula[1])
    lists = re.findall(r'<ul class="(numbers|code)">(.*?)</ul>', source, re.DOTALL)
    items = {kind: list(map(html.unescape, re.findall(r"<li>(.*?)</li>", text))) for kind, text in lists}
    for line in items.get("numbers", []):
        name, arithmetic, result = line.split(" = ")
        index = tuple(map(int, re.findall(r"\d+", name.removeprefix(entry.name))))
        entry.numbers.append((index, arithmetic, float(result)))
    for line in items["code"]:
        code = re.fullmatch(r"<span>(.*):(\d+)</span> <code>(.*)</code>", line)
        assert code
        entry.code.append((code[1], int(code[2]), code[3]))
    return entry


def _shape(text: str) -> tuple[int, ...]:
    return () if text == "a number" else tuple(map(int, text.split(" x ")))


def _joined(lines: list[str]) -> list[str]:
    """With formulas on one line each."""
    joined: list[str] = []
    for line in lines:
        if joined and " = " in joined[-1] and re.match(r" {9}\S", line):
            joined[-1] += " " + line.strip()
        else:
            joined.append(line)
    return joined


# ---- rounded numbers


def half_unit(text: str, digits: int) -> float:
    """How far a number may be from what is printed: one with fewer than all digits is what it says."""
    own = re.sub(r"e.*|\D", "", text).lstrip("0")
    return 0.5 * 10.0 ** (math.floor(math.log10(abs(float(text)))) - digits + 1) if len(own) >= digits else 0.0


def reach(compute: Callable[[Mapping[str, Any]], Any], inputs: Mapping[str, Any], units: Mapping[str, Any]) -> Any:
    """How far the result may be off because the inputs were rounded: the sum of what each of them can do."""
    centre = np.asarray(compute(inputs), float)
    total = np.zeros_like(centre)
    for name, array in inputs.items():
        for index in zip(*np.nonzero(np.atleast_1d(units[name])), strict=True):
            moved = np.array(array, float)
            place = index if np.ndim(array) else ()
            moved[place] += units[name][place]
            total = total + abs(compute({**inputs, name: moved}) - centre)
    return 1.1 * total  # because slopes change on the way


def agrees(result: Any, printed: Any, slack: Any) -> bool:
    return bool(np.all(abs(result - printed) <= slack + 1e-13))


def numbers_agree(arithmetic: str, result: float, unit: float, digits: int) -> bool:
    """Whether the arithmetic of printed numbers gives the printed result."""
    centre, slack = evaluate(arithmetic, {}), unit
    for found in NUMBER.finditer(arithmetic):
        moved = f"({float(found[0]) + half_unit(found[0], digits)!r})"
        slack += 1.1 * abs(evaluate(arithmetic[: found.start()] + moved + arithmetic[found.end() :], {}) - centre)
    return agrees(centre, result, slack)


# ---- a whole section


def problems(entries: list[Printed]) -> Iterator[str]:
    """Every number of a section that is not what its formula makes of the other printed numbers."""
    known: dict[str, Printed] = {}
    for entry in entries:
        for index, arithmetic, result in entry.numbers:
            unit = entry.units[index]
            if result != entry.values[index] or not numbers_agree(arithmetic, result, unit, entry.digits):
                yield f"{entry.name}{list(index)} = {arithmetic} is not {result}"
        if entry.formula and not is_right(entry, known):
            yield f"{entry.name} is not {entry.formula}"
        known[entry.name] = entry
    for entry in entries:
        if entry.gradient is not None and not np.array_equal(entry.gradient, known[entry.gradient_name].values):
            yield f"{entry.name}: its gradient is not {entry.gradient_name}"


def is_right(entry: Printed, known: dict[str, Printed]) -> bool:
    if entry.formula.startswith("loss_at"):
        moved = float(entry.formula.removeprefix("loss_at(").removesuffix(")"))
        inputs = {name: other.values for name, other in known.items() if not other.formula}
        first = f"{entry_of_weight(known)}0.W"

        def compute(given: Mapping[str, Any]) -> Any:
            return loss_at(moved, given, known, first)
    else:
        inputs = {name: known[name].values for name in names_in(entry.formula, known)}

        def compute(given: Mapping[str, Any]) -> Any:
            return evaluate(entry.formula, given)

    slack = entry.units + reach(compute, inputs, {name: known[name].units for name in inputs})
    result = compute(inputs)
    return np.shape(result) == np.shape(entry.values) and agrees(result, entry.values, slack)


def entry_of_weight(known: Mapping[str, Printed]) -> str:
    """Whose first weight it is: that of "D0.W[0, 0]" is "D"."""
    return known["weight"].formula[0]


def loss_at(moved: float, given: Mapping[str, Any], known: Mapping[str, Printed], first: str) -> Any:
    """The loss that all formulas give, one after the other, if the first weight is another."""
    arrays = {name: np.array(array) for name, array in given.items()}
    arrays[first][0, 0] = moved
    loss: Any = 0.0
    for entry in known.values():
        if entry.formula and entry.name not in arrays and entry.name not in ("weight", "gradient", "loss_plus"):
            arrays[entry.name] = evaluate(entry.formula, arrays)
            loss = arrays[entry.name] if re.fullmatch(r"loss\d?", entry.name) else loss
    return loss


def names_in(formula: str, known: Mapping[str, Printed]) -> list[str]:
    return [name for name in known if re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", formula)]
