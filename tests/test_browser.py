"""The browser's own checks: each must see what it is there to see."""

from __future__ import annotations

from pathlib import Path

import pytest

SOUND = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sound</title>
<body style="margin: 1em"><main><h1>A page</h1><p>Text.</p>
<div style="overflow-x: auto" tabindex="0"><p style="width: 2000px">A wide line that can be scrolled to.</p></div>
</main></body></html>"""

FAULTS = {
    "errors": ("</main>", "</main><script>console.error('trouble')</script>"),
    "exceptions": ("</main>", "</main><script>nothing()</script>"),
    "requests": ("</main>", "</main><img alt='' src='https://example.invalid/x.png'>"),
    "sticking_out": ("Text.", "<span style='display: block; width: 2000px'>Text.</span>"),
    "violations": ("Text.", "<img src='data:,'>"),
}
"""What is put into the page for each check to find."""


def open_page(visit, folder: Path, text: str):
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    return visit(path, width=600)


def test_a_sound_page_passes(visit, tmp_path):
    page = open_page(visit, tmp_path, SOUND)
    assert not (page.errors or page.requests or page.sticking_out() or page.violations())


@pytest.mark.parametrize("fault", FAULTS)
def test_every_check_sees_its_fault(visit, tmp_path, fault):
    page = open_page(visit, tmp_path, SOUND.replace(*FAULTS[fault]))
    found = {"sticking_out": page.sticking_out, "violations": page.violations}.get(fault)
    assert found() if found else page.requests if fault == "requests" else page.errors


def test_the_window_is_as_asked_for(visit, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(SOUND, encoding="utf-8")
    page = visit(path, width=320, dark=True, still=True)
    holds = "query => matchMedia(query).matches"
    for query in ("(width: 320px)", "(prefers-color-scheme: dark)", "(prefers-reduced-motion: reduce)"):
        assert page.evaluate(holds, query)
