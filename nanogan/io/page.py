"""Pages that stand alone: one HTML file that opens anywhere, asks nobody for anything, and works without script.

`render` fills a template in with Jinja2, which escapes every value. A page extends templates/page.html and is made of
the parts in templates/parts.html: tables, pictures, sliders, and the charts of `charts.py`. The same values give the
same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from .files import one_line, read_all

HOME = "nanogan.io"
"""The package whose folder `templates` has what all pages share."""


def render(
    template: str, *, package: str = HOME, styles: Sequence[str] = (), scripts: Sequence[str] = (), **values: Any
) -> bytes:
    """The page that a template makes of `values`, as UTF-8.

    package: whose folder `templates` holds the template, and the files of `styles` and `scripts`, which the page has
    besides those that all pages share. What isn't in one of them can't run: the page names the digest of each script.
    """
    environment = _environment(package)
    code = [_source(environment, name) for name in ("page.js", *scripts)]
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in code)
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    sheets = [_source(environment, name) for name in ("page.css", *styles)]
    text = environment.get_template(template).render(policy=policy, sheets=sheets, code=code, **values)
    return text.encode("utf-8", "replace")  # a name in the file system may hold half a letter


def expect_page_or_nothing(out: Path, option: str, *, made_by: str, else_say: str) -> None:
    """Raise InputError, before any work is done, if `out` has no folder or is a file that isn't a page of this kind.

    option: which names `out`. made_by: what such a page says of itself. else_say: what another file isn't, what to do.
    """
    if out.suffix not in (".html", ".htm"):
        raise InputError(f"{option} {one_line(out)}: expected a name ending in .html")
    if not out.parent.is_dir():
        raise InputError(f"{one_line(out.parent)}: there is no such folder")
    if out.exists() and f'<meta name="generator" content="{made_by}">'.encode() not in read_all(out, at_most=2**26):
        raise InputError(f"{one_line(out)}: holds something else than {else_say}")


@cache
def _environment(package: str) -> Any:
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    loaders = [PackageLoader(name) for name in dict.fromkeys((package, HOME))]
    environment = Environment(
        loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = number
    return environment


def _source(environment: Any, name: str) -> Any:
    """The text of a style or a script, which is ours and not to be escaped."""
    from markupsafe import Markup

    return Markup(environment.loader.get_source(environment, name)[0].strip())


def number(value: Any) -> str:
    """A value of a table: 4 digits of a float, thousands apart in a whole number, other things as they are."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return str(value)
    plain = float(value)
    if not math.isfinite(plain):
        return "NaN" if math.isnan(plain) else "infinite"
    return f"{plain:,.0f}" if plain.is_integer() and abs(plain) < 1e9 else f"{plain:.4g}"


# ---- parts of a page


class Picture(NamedTuple):
    """A picture within a page. src: a data URI. alt: what it shows, in words."""

    src: str
    width: int
    height: int
    alt: str


def picture(png: bytes, alt: str, *, zoom: int = 1) -> Picture:
    """A PNG file for use in a page, shown `zoom` times as large. Raises InputError if it is none."""
    if png[:8] != b"\x89PNG\r\n\x1a\n" or len(png) < 24:
        raise InputError("is no PNG picture")
    width, height = struct.unpack(">II", png[16:24])
    return Picture("data:image/png;base64," + base64.b64encode(png).decode(), zoom * width, zoom * height, alt)


class Frame(NamedTuple):
    """One position of a slider. label: what stands under the picture and beside the slider, as "epoch 3"."""

    label: str
    picture: Picture


class Table(NamedTuple):
    """Rows of values under the names of their columns. The first of each row is its name."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def thinned(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many of the items, evenly spread, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[int(place)] for place in np.linspace(0, len(items) - 1, most).round()]
