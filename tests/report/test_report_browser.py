"""Reports in Chromium, as a reader has them: mouse, keys, dark, narrow, on paper; and runs of every kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from run_folders import change_json, make_run, named
from tiny import TINY

from nanogan.report.page import write_report
from nanogan.training.run_folder import RunFolder

SHOWN = "() => [...document.querySelectorAll('.frame')].filter(x => getComputedStyle(x).display !== 'none').length"


def killed(path: Path) -> Path:
    """Before its first epoch."""
    path.mkdir()
    (path / "config.json").write_text('{"recipe": "vanilla", "seed": 0, "epochs": 50}')
    return path


def unfinished(path: Path) -> Path:
    folder = make_run(path)
    change_json(folder / "config.json", epochs=9)
    return folder


KINDS: dict[str, Callable[[Path], Path]] = {
    "run": make_run,
    "one epoch": lambda path: make_run(path, epochs=1),
    "NaN": lambda path: make_run(path, lost=["g_loss", "gradient_norm", "d_fake_mid", "move_D_1.W"]),
    "1,000 epochs": lambda path: make_run(path, epochs=1000),
    "<script>alert(1)": lambda path: make_run(path, recipe=named(TINY, "<script>alert(1)</script>")),
    "going on": unfinished,
    "stopped": unfinished,
    "killed": killed,
}


def going_on(kind: str, folder: Path) -> AbstractContextManager[Any]:
    return RunFolder(folder, resume=True).held() if kind == "going on" else nullcontext()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report of a run of each kind."""
    found = {}
    for kind, make in KINDS.items():
        folder = make(tmp_path_factory.mktemp("runs") / kind)
        found[kind] = folder / "report.html"
        with going_on(kind, folder):
            write_report([folder], found[kind])
    return found


@pytest.mark.parametrize(("kind", "width", "dark"), [("run", 1000, False), *((kind, 320, True) for kind in KINDS)])
def test_every_kind_of_run_is_sound(visit: Any, pages: dict[str, Path], kind: str, width: int, dark: bool) -> None:
    page = visit(pages[kind], width=width, dark=dark)
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert not (page.errors or page.requests or page.sticking_out() or page.violations())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", paper)[:3])) < 120 if dark else paper == "rgb(255, 255, 255)"


def test_several_runs_are_sound(visit: Any, pages: dict[str, Path], tmp_path: Path) -> None:
    write_report([pages[kind].parent for kind in ("run", "one epoch", "killed")], tmp_path / "report.html")
    page = visit(tmp_path / "report.html")
    assert not (page.errors or page.requests or page.sticking_out() or page.violations())
    assert not visit(tmp_path / "report.html", width=320).sticking_out()


def test_the_verdict_is_on_the_first_screen(visit: Any, pages: dict[str, Path]) -> None:
    for width in (1000, 320):
        box = visit(pages["run"], width=width).locator(".verdict").bounding_box()
        assert box["y"] + box["height"] < 800


def test_the_slider_by_keys_buttons_and_mouse(visit: Any, pages: dict[str, Path]) -> None:
    page = visit(pages["run"])
    handle, words = page.locator(".slider input"), page.locator(".slider output")

    def stands_at(epoch: int) -> bool:
        shown = page.locator(".frame:not(.off) img").get_attribute("alt")
        said = {words.inner_text(), handle.get_attribute("aria-valuetext")}
        return (
            said == {f"epoch {epoch}"}
            and shown == f"Generated images after epoch {epoch}"
            and page.evaluate(SHOWN) == 1
        )

    assert stands_at(3)  # the last
    handle.focus()
    page.keyboard.press("ArrowLeft")
    assert stands_at(2)
    page.keyboard.press("Home")
    assert stands_at(1)
    back, on = page.locator(".slider button").all()
    back.click()  # nothing lies before the first
    assert stands_at(1)
    on.click()
    assert stands_at(2)
    box = handle.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    assert stands_at(3)
    page.mouse.move(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2)
    page.mouse.up()
    assert stands_at(1)
    for button in (back, on):
        size = button.bounding_box()
        assert min(size["width"], size["height"]) >= 24


def test_the_slider_is_reached_by_tab_and_its_focus_is_seen(visit: Any, pages: dict[str, Path]) -> None:
    page = visit(pages["run"])
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.tagName"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert reached == ["BUTTON", "INPUT", "BUTTON"]


def test_without_script_the_frames_are_a_strip(visit: Any, pages: dict[str, Path]) -> None:
    page = visit(pages["run"], script=False)
    frames = page.locator(".frame").all()
    assert len(frames) == 3 and all(frame.is_visible() for frame in frames)
    assert not page.locator(".slider input").is_visible()


def test_on_paper_all_frames_and_numbers_are_there(visit: Any, pages: dict[str, Path]) -> None:
    page = visit(pages["run"], dark=True)
    page.emulate_media(media="print")
    assert page.evaluate(SHOWN) == 3 and not page.locator(".slider input").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".chart table").first.is_visible()
    assert page.pdf().startswith(b"%PDF")


def test_a_run_that_goes_on_is_loaded_again_until_one_says_no(visit: Any, pages: dict[str, Path]) -> None:
    page = visit(pages["going on"])
    page.clock.install()
    page.reload()
    with page.expect_event("load", timeout=20_000):
        page.clock.run_for(25_000)
    page.locator("#follow input").uncheck()
    loads: list[str] = []
    page.on("load", lambda _: loads.append("again"))
    page.clock.run_for(60_000)
    page.wait_for_timeout(300)
    assert not loads
