"""The page of `python -m nanogan explain --html`: what the text says, as one file, in a real browser."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from printed import problems, read_page
from running import run

from nanogan.learn.explain.drawing import BOX, WIDTH, drawn
from nanogan.learn.explain.entry import Explanation
from nanogan.learn.explain.page import as_page
from nanogan.learn.explain.questions import explain
from nanogan.learn.explain.tiny import Flags

ALL = Flags(through_fakes=True, saturating=True, mixed_batch=True, label=0.9, same_fake=True)


@pytest.fixture(scope="module", params=[Flags(), ALL], ids=["plain", "all"])
def explanation(request: pytest.FixtureRequest) -> Explanation:
    return explain(request.param)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "explain.html"
    path.write_bytes(as_page(explain(Flags())))
    return path


@pytest.fixture(scope="module")
def path(explanation: Explanation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "explain.html"
    path.write_bytes(as_page(explanation))
    return path


def test_every_number_of_the_page_follows_from_its_formula(explanation: Explanation, path: Path) -> None:
    sections = read_page(path.read_text(encoding="utf-8"))
    for entries, section in zip(sections, explanation.sections, strict=True):
        assert [entry.name for entry in entries] == [entry.name for entry in section.entries]
        assert not list(problems(entries))
        for entry, of in zip(entries, section.entries, strict=True):
            assert entry.code == [(line.path, line.number, line.code) for line in of.lines]
            computed = [of.numbers(index) for index in np.ndindex(*of.shape) if of.formula]
            assert [numbers for _, numbers, _ in entry.numbers] == list(filter(None, computed))


def test_the_page_is_one_small_file(path: Path) -> None:
    page = path.read_bytes()
    assert len(page) < 300_000
    assert page == as_page(explain(ALL if b"Why detach?" in page else Flags()))  # the same bytes each time
    assert not re.search(rb"https?:|src=|@import|url\(", page) and b"default-src &#39;none&#39;" in page


def test_each_box_and_link_leads_to_an_array(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    for key in "DG":
        arrays = {found for found in ids if re.fullmatch(rf"{key}-\d+", found)}
        assert {found.removeprefix("box-") for found in ids if found.startswith(f"box-{key}-")} == arrays


def test_no_box_of_the_drawing_covers_another(explanation: Explanation) -> None:
    for section in explanation.sections[:2]:
        boxes = drawn(section).boxes
        places = {(round(box.x), box.y) for box in boxes}
        assert len(places) == len(boxes) and BOX >= 24
        assert all(box.x >= 0 and box.x + box.width <= WIDTH and box.width >= 24 for box in boxes)


# ---- in a browser


def shown(page) -> list[str]:
    """The arrays that can be seen now."""
    return page.evaluate("() => [...document.querySelectorAll('article')].filter(a => a.offsetHeight).map(a => a.id)")


def is_in_view(page, box: str) -> bool:
    """Whether the drawing, which may be scrolled, shows the box."""
    place = "b => [b, b.closest('.drawing')].map(e => e.getBoundingClientRect()).map(r => [r.top, r.bottom])"
    (top, bottom), (upper, lower) = page.eval_on_selector(box, place)
    return upper - 1 <= top and bottom <= lower + 1


def test_nothing_is_wrong_with_the_whole_page(visit: Callable, plain: Path) -> None:
    page = visit(plain, width=320)
    assert not page.violations()
    assert not page.errors and not page.requests and not page.sticking_out()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [320, 1200])
def test_nothing_is_wrong_with_a_step(visit: Callable, plain: Path, width: int, dark: bool) -> None:
    page = visit(plain, width=width, dark=dark)
    page.click("#box-G-20")
    assert shown(page) == ["G-20"]
    assert not page.violations() and not page.sticking_out()
    assert not page.errors and not page.requests


def test_the_answers_fit_a_narrow_window(visit: Callable, tmp_path: Path) -> None:
    path = tmp_path / "all.html"
    path.write_bytes(as_page(explain(ALL)))
    page = visit(path, width=320)
    assert not page.sticking_out() and not page.errors
    page.goto(page.address + "#mixed-batch-5")
    assert shown(page) == ["mixed-batch-5"] and not page.violations()


def test_without_script_everything_is_there(visit: Callable, plain: Path) -> None:
    page = visit(plain, script=False)
    arrays = plain.read_text(encoding="utf-8").count("<article ")
    assert page.locator("article").count() == arrays and page.locator("article:visible").count() == arrays
    page.click("#box-D-5")
    assert page.locator("article:visible").count() == 1 and page.locator("#D-5").is_visible()
    page.click("text=All at once")
    assert page.locator("article:visible").count() == arrays


def test_the_keyboard_alone_goes_through_all_steps(visit: Callable, plain: Path) -> None:
    page = visit(plain)
    steps = plain.read_text(encoding="utf-8").count('<article id="D-')
    while page.evaluate("document.activeElement.className") != "start":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    for step in range(1, steps + 1):
        assert shown(page) == [f"D-{step}"]
        assert page.evaluate(f"getComputedStyle(document.querySelector('#box-D-{step} rect')).fill") == page.evaluate(
            "getComputedStyle(document.querySelector('a')).color"
        )
        assert is_in_view(page, f"#box-D-{step}")
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert shown(page) == [f"D-{steps - 1}"]


def test_tab_and_enter_go_on_where_there_is_no_script(visit: Callable, plain: Path) -> None:
    page = visit(plain, script=False)
    page.goto(page.address + "#D-1")
    for step in range(2, 6):
        page.keyboard.press("Tab")
        if step > 2:
            page.keyboard.press("Tab")  # past the link back
        page.keyboard.press("Enter")
        assert page.locator(f"#D-{step}").is_visible()


def test_the_switch_shows_where_the_gradient_stops(visit: Callable, plain: Path) -> None:
    page = visit(plain)
    page.click("#box-D-6")
    (step,) = shown(page)
    assert "D0.db" in page.inner_text(f"#{step}")
    page.click(f"#{step} >> text=in the other step")
    (step,) = shown(page)
    assert step.startswith("G-") and "never computed" in page.inner_text(f"#{step}")


# ---- the command


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    done = run("-m", "nanogan", "explain", "--html", "step.html", "--label", 0.9, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "step.html: open it in a browser\n", "")
    assert "What does the label 0.9 do?" in (tmp_path / "step.html").read_text(encoding="utf-8")
    again = run("-m", "nanogan", "explain", "--html", "step.html", cwd=tmp_path)
    assert again.returncode == 0 and math.isclose((tmp_path / "step.html").stat().st_size, 155_000, rel_tol=0.2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--html", "notes.txt"), "--html notes.txt: expected a name ending in .html"),
        (("--html", "mine.html"), "mine.html: holds something else than such a page; choose another name"),
        (("--html", "nowhere/x.html"), "nowhere: there is no such folder"),
        (("--html", "folder.html"), "folder.html"),
        (("--label", "1.5"), "'1.5' is not a number above 0.5, up to 1"),
        (("--recipe", "nothing"), "'nothing' is not one of nanogan, vanilla"),
        (("--recipe", "vanilla", "--saturating"), "leave out the questions"),
        (("--label", "nan"), "'nan' is not a number above 0.5, up to 1"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "mine.html").write_text("<p>Mine.</p>")
    (tmp_path / "folder.html").mkdir()
    done = run("-m", "nanogan", "explain", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1 and not done.stdout
    assert (tmp_path / "mine.html").read_text() == "<p>Mine.</p>"
