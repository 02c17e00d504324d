"""The two networks of a step as a drawing: a box for each array, from the noise at the top to the loss below.

On the left of each row is what the forward pass makes, on the right what the backward pass makes; the line between the
right halves shows how far the gradient flows. `templates/drawing.svg` draws what is laid out here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .entry import Entry, Section

WIDTH, HALF = 288, 141
"""In pixels on a window of 320; the halves leave a gap between them."""
BOX, GAP = 26, 4
"""Height of a box, for a finger, and what is free around it."""
LETTER = 6.7
"""Width of a letter."""
CAPTION = 17
"""Height of the line over each row that says what it is."""

CAPTIONS = {
    "z": "noise",
    "points": "real and fake",
    "loss": "loss",
    "update": "update",
    "check": "one weight's derivative",
}
ORDER = ("z", "G", "points", "D", "loss", "update", "check")
BACKWARD = re.compile(r"(.*\.)?d(?!eviation)[^.]+|.*(slopes|grads|_new)\d?|gradient|central|ratio")
"""The names of what the backward pass makes, and what follows from it."""


@dataclass(frozen=True)
class Box:
    """An array. step: the number of its entry, from 1."""

    step: int
    label: str
    part: str
    x: float
    y: float
    width: float

    @property
    def is_long(self) -> bool:
        """Whether its name needs smaller letters."""
        return len(self.label) * LETTER > self.width


@dataclass
class Drawing:
    """Boxes; captions and notes (x, y, text); and lines between two rows, from one height to another, in each half."""

    height: float = 0
    boxes: list[Box] = field(default_factory=list)
    captions: list[tuple[float, float, str]] = field(default_factory=list)
    notes: list[tuple[float, float, str]] = field(default_factory=list)
    forward: list[tuple[float, float]] = field(default_factory=list)
    backward: list[tuple[float, float]] = field(default_factory=list)


@dataclass
class Row:
    """A layer, or arrays that belong together: what the forward pass makes of it, and what the backward pass makes."""

    name: str
    forward: list[tuple[int, Entry]] = field(default_factory=list)
    backward: list[tuple[int, Entry]] = field(default_factory=list)

    @property
    def is_layer(self) -> bool:
        return self.name not in ORDER

    @property
    def place(self) -> tuple[int, ...]:
        """Sorts the rows: G's and D's layers by their numbers, "D3_1" within "D3"."""
        first = self.name[0] if self.is_layer else self.name
        return ORDER.index(first), *map(int, re.findall(r"\d+", self.name))

    @property
    def is_passed(self) -> bool:
        """Whether the passes run through it."""
        return self.name not in ("update", "check")

    @property
    def gradient(self) -> str:
        """The name of a gradient in it, if there is any; that of a network's output is the loss's."""
        names = [entry.name for _, entry in self.backward] + [entry.gradient_name for _, entry in self.forward]
        return next(filter(None, names), "")

    @property
    def caption(self) -> str:
        kinds = [entry.what.split()[1] for _, entry in self.forward if entry.name.endswith(".y")]
        return " ".join([self.name, *kinds[:1]]) if self.is_layer else CAPTIONS[self.name]

    @property
    def columns(self) -> int:
        """Boxes on a line of each half: names of a layer's arrays are mostly short."""
        return 3 if all(len(label(entry)) <= 6 for _, entry in self.forward + self.backward) else 2

    @property
    def note(self) -> str:
        """What is said where there might be boxes of the backward pass."""
        if not self.backward and self.gradient:
            return f"its dy is {self.gradient}"
        backward, own = (
            {entry.name.split(".")[-1] for _, entry in side if self.is_layer} for side in (self.backward, self.forward)
        )
        missing = [f"d{name}" for name in ("W", "b", "gamma", "beta") if name in own and f"d{name}" not in backward]
        return f"no {', '.join(missing)}" if missing and backward else ""


def label(entry: Entry) -> str:
    """What stands in the box: a layer's name is already beside it."""
    return re.sub(r"^[GD]\d+\.", "", entry.name)


def name_of_row(entry: Entry) -> str:
    if entry.part in ("update", "check") or entry.name.startswith(("G.", "D.")):
        return "check" if entry.part == "check" else "update"
    if layer := re.match(r"[GD]\d+(?=\.)", entry.name):
        return layer[0]
    if entry.name == "z":
        return "z"
    return "points" if re.fullmatch(r"d?(real|fake|images)\d?", entry.name) else "loss"


def rows_of(section: Section) -> list[Row]:
    rows: dict[str, Row] = {}
    for step, entry in enumerate(section.entries, 1):
        row = rows.setdefault(name := name_of_row(entry), Row(name))
        side = row.backward if BACKWARD.fullmatch(entry.name) else row.forward
        side.append((step, entry))
    return sorted(rows.values(), key=lambda row: row.place)


def drawn(section: Section) -> Drawing:
    drawing, above, top = Drawing(), Row("z"), 0.0
    for row in rows_of(section):
        end, top = top - GAP, top + CAPTION
        drawing.captions.append((0, top - 5, row.caption))
        columns = row.columns
        left = place(drawing, row.forward, top, 0, columns, to_the_right=True)
        right = place(drawing, row.backward, top, WIDTH - HALF, columns, to_the_right=False)
        x = WIDTH - HALF + (len(row.backward) * (HALF + GAP) / columns)
        note = row.note
        if row.is_passed and end > 0:
            drawing.forward.append((end, top))
            if row.gradient and above.gradient:
                drawing.backward.append((top, end))
            elif row.gradient and above.name != "z":
                drawing.notes.append((WIDTH - HALF, end - BOX / 2 + 4, "the gradient stops here"))
        if note:
            drawing.notes.append((x, top + BOX / 2 + 4, note))
        above, top = row, top + max(left, right) * (BOX + GAP)
    drawing.height = top
    return drawing


def place(
    drawing: Drawing, entries: Sequence[tuple[int, Entry]], top: float, left: float, columns: int, to_the_right: bool
) -> int:
    """Add boxes in lines of so many columns, against the gap in the middle. Returns how many lines they take."""
    width, count = (HALF - GAP * (columns - 1)) / columns, len(entries)
    for number, (step, entry) in enumerate(entries):
        line, column = divmod(number, columns)
        if to_the_right:
            column += columns - min(columns, count - line * columns)
        x, y = left + column * (width + GAP), top + line * (BOX + GAP)
        drawing.boxes.append(Box(step, label(entry), entry.part, x, y, width))
    return -(-count // columns)
