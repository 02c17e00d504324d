"""What all pages share. How they look and work in a browser is in the tests of the pages themselves."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import re

import pytest
from making import NO_PILLOW

from nanogan.errors import InputError
from nanogan.io.page import number, picture, render, thinned

Image = pytest.importorskip("PIL.Image", reason=NO_PILLOW)


def png(width: int, height: int) -> bytes:
    content = io.BytesIO()
    Image.new("L", (width, height)).save(content, "PNG")
    return content.getvalue()


def test_a_page_lets_nothing_in_but_its_own_script() -> None:
    page = render("page.html").decode()
    script = re.findall("<script>(.*?)</script>", page, re.DOTALL)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert f"default-src 'none'; script-src 'sha256-{digest}'" in html.unescape(page)
    assert 'lang="en"' in page and "<main>" in page and "http://" not in page and "https://" not in page


def test_the_script_is_small_and_the_same_values_give_the_same_bytes() -> None:
    page = render("page.html")
    assert page == render("page.html")
    assert len(page.split(b"<script>")[1].split(b"</script>")[0]) < 2000


def test_a_picture_knows_its_size() -> None:
    found = picture(png(30, 20), "three digits")
    assert (found.width, found.height, found.alt) == (30, 20, "three digits")
    assert found.src.startswith("data:image/png;base64,iVBOR")


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"<svg onload=alert(1)>"])
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(InputError):
        picture(content, "digits")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (60000, "60,000"), (0.123456, "0.1235"), (3.0, "3"), (1e-7, "1e-07"), (float("nan"), "NaN"),
        (float("-inf"), "infinite"), (True, "True"), ("<b>", "<b>"), (None, "None"),
    ],
)  # fmt: skip
def test_numbers_of_tables(value: object, text: str) -> None:
    assert number(value) == text


def test_thinning_keeps_both_ends() -> None:
    assert thinned(range(1000), 24)[0] == 0 and thinned(range(1000), 24)[-1] == 999
    assert len(thinned(range(1000), 24)) == 24 and thinned([1, 2], 24) == [1, 2]
