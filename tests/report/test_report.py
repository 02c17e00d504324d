"""What a report says of runs of all kinds, and that it is the same for the same run."""

from __future__ import annotations

import html
import os
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from run_folders import change_json, make_run, named
from running import run as run_command
from tiny import TINY

from nanogan.data.images import load_mnist
from nanogan.errors import InputError
from nanogan.layers import LeakyReLU, Linear, ReLU, Tanh
from nanogan.losses import MSE
from nanogan.recipes.mnist import get_recipe
from nanogan.report.command import command, without_folders
from nanogan.report.page import report, write_report
from nanogan.report.run import MOST_FRAMES, read_run
from nanogan.reshape import Flatten, Reshape
from nanogan.training.run_folder import RunFolder

DIGITS = replace(
    get_recipe("vanilla"),
    name="small",
    generator=(Linear(16, 32), ReLU(), Linear(32, 784), Tanh(), Reshape((28, 28, 1))),
    discriminator=(Flatten(), Linear(784, 16), LeakyReLU(), Linear(16, 1)),
    noise_size=16,
    batch_size=32,
)


def page_of(*folders: Path) -> str:
    return report([read_run(folder) for folder in folders]).decode()


def text_of(page: str) -> str:
    """What a reader sees, without markup, on one line."""
    body = re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", body)).split())


class Outline(HTMLParser):
    """Headings in order, and every id, of a page whose tags are all closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in ("meta", "link", "input", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = load_mnist("train")[0][:96]
    return make_run(tmp_path_factory.mktemp("runs") / "digits", recipe=DIGITS, images=images)


@pytest.fixture(scope="module")
def digits_page(digits: Path) -> str:
    return page_of(digits)


# ---- content


def test_the_sections_come_in_order_and_are_well_formed(digits_page: str) -> None:
    sections = re.findall(r'<section id="(\w+)"', digits_page)
    order = [
        "samples",
        "classes",
        "shares",
        "neighbours",
        "walk",
        "training",
        "metrics",
        "settings",
        "environment",
        "again",
    ]
    assert [name for name in sections if name in order] == order
    outline = Outline(digits_page)
    assert outline.headings[0] == 1 and outline.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(outline.headings, outline.headings[1:], strict=False))
    assert len(outline.ids) == len(set(outline.ids))


def test_an_untrained_generator_is_called_bad_beside_real_digits(digits_page: str) -> None:
    text = text_of(digits_page)
    assert re.search(r"(Bad digits; \d of ten are drawn|Collapsed: nearly all samples are one digit)\.", text)
    found, real = map(float, re.search(r"FD-mnist ([\d.]+), while real digits have ([\d.]+)", text).groups())  # type: ignore[union-attr]
    assert found > 50 and 0.3 < real < 1
    assert "The diagnosis found nothing wrong in 3 epochs" in text


def test_the_same_run_gives_the_same_bytes_wherever_it_lies(digits: Path, digits_page: str, tmp_path: Path) -> None:
    copied = shutil.copytree(digits, tmp_path / "other" / "digits")
    assert digits_page == page_of(copied)


def test_nothing_tells_where_it_was_made(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", data="/home/somebody/secret/faces", fit="pad", note="C:\\Users\\somebody\\x")
    page = page_of(folder)
    assert "somebody" not in page and str(tmp_path) not in page and os.uname().nodename not in text_of(page).split()
    assert "--data faces" in text_of(page)


def test_every_picture_is_embedded_once_and_nothing_else_is_named(digits_page: str) -> None:
    sources = re.findall(r'src="([^"]*)"', digits_page)
    assert len(sources) == len(set(sources)) == 7  # three frames, the classes, twice neighbours, a walk
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.findall(r"(?:https?:)?//\w", re.sub(r"data:image/png;base64,[^\"]*", "", digits_page))


def test_a_collapse_is_named_with_its_epoch_and_a_command_to_try(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", epochs=6)
    log = folder / "log.csv"
    names, *rows = [line.split(",") for line in log.read_text().splitlines()]
    for number, cells in enumerate(rows, start=1):
        share, d_fake = ("0.3", "0.3") if number < 4 else ("1.0", "0.001")
        cells[names.index("top_digit_share")], cells[names.index("d_fake")] = share, d_fake
    log.write_text("\n".join(map(",".join, [names, *rows])) + "\n")
    text = text_of(page_of(folder))
    assert "The diagnosis said: D has won, D(G(z)) = 0.001" in text
    assert "collapse, 100 % of samples are one digit (epoch 5)" in text
    assert (
        "python -m nanogan train --recipe tiny --epochs 6 --seed 0 --lr 5e-05 --beta1 0.5 --out runs/run-again" in text
    )


def test_a_loss_without_an_equilibrium_has_no_level(tmp_path: Path) -> None:
    assert "at equilibrium" in page_of(make_run(tmp_path / "bce"))
    page = page_of(make_run(tmp_path / "mse", recipe=replace(TINY, loss=MSE())))
    assert "at equilibrium" not in page and "the probability of being real" not in page


def test_several_runs_stand_side_by_side(digits: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "digits", epochs=1)
    page = page_of(digits, other)
    text = text_of(page)
    assert text.count("digits (1)") > 3 and "digits (2)" in text
    assert page.count('class="slider"') == 2 and page.count('class="verdict') == 2
    outline = Outline(page)
    assert len(outline.ids) == len(set(outline.ids)) and outline.headings.count(1) == 1


# ---- runs of all kinds


def test_a_run_of_one_epoch(tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", epochs=1))
    assert 'class="dots' in page and "nothing wrong in 1 epoch." in text_of(page)


def test_columns_that_were_never_measured_have_no_chart(tmp_path: Path) -> None:
    lost = ["gradient_norm", "d_loss", *[name for name in ("d_real_low", "move_G_0.W")]]
    text = text_of(page_of(make_run(tmp_path / "run", lost=lost)))
    assert "The losses are NaN or infinite in epoch 1" in text
    assert "Gradient that reaches" not in text and "layer 0, Linear" not in text


def test_a_log_of_an_old_version_is_read(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    (folder / "log.csv").write_text(
        "epoch,step,seconds,d_loss,g_loss,d_real,d_fake,commonest_share\n1,3,0.1,1,1,.5,.5,1\n"
    )
    run = read_run(folder)
    assert run.rows[0]["top_digit_share"] == 1 and np.isnan(run.rows[0]["gradient_norm"])
    assert "means over each epoch" in text_of(page_of(folder))


def test_a_thousand_epochs_stay_small(tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", epochs=1000))
    assert len(page) < 2_000_000 and "(100 of 1,000 rows)" in page


def test_a_log_of_days_is_thinned(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", epochs=1)
    rows = "".join(f"{epoch},{3 * epoch},1,1,1,.5,.5\n" for epoch in range(1, 20_001))
    (folder / "log.csv").write_text("epoch,step,seconds,d_loss,g_loss,d_real,d_fake\n" + rows)
    page = page_of(folder)
    assert "2,000 of the 20,000 rows of log.csv are shown." in page and len(page) < 2_000_000


def test_frames_are_thinned_and_keep_both_ends(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", epochs=1)
    for epoch in range(2, 101):
        shutil.copy(folder / "samples" / "epoch-0001.png", folder / "samples" / f"epoch-{epoch:04}.png")
    labels = [frame.label for frame in read_run(folder).frames]
    assert len(labels) == MOST_FRAMES and (labels[0], labels[-1]) == ("epoch 1", "epoch 100")


def test_frames_of_large_pictures_are_fewer(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", epochs=5)
    for frame in (folder / "samples").iterdir():
        frame.write_bytes(frame.read_bytes() + bytes(400_000))
    assert [frame.label for frame in read_run(folder).frames] == ["epoch 1", "epoch 5"]


def test_names_are_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    folder = make_run(tmp_path / "<script>alert(1)", recipe=named(TINY, evil), extra=evil)
    page = page_of(folder)
    assert "<script>alert" not in page and page.count("<script>") == 1
    assert evil in text_of(page) and text_of(page).startswith("<script>alert(1) - nanogan report")


def test_a_run_that_goes_on_says_so_until_it_has_ended(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    change_json(folder / "config.json", epochs=9)
    with RunFolder(folder, resume=True).held():
        page = page_of(folder)
    assert "still going on" in text_of(page) and 'http-equiv="refresh"' in page
    page = page_of(folder)
    assert "stopped after 9 of 27 steps" in text_of(page) and 'http-equiv="refresh"' not in page


def test_a_run_that_was_killed_before_its_first_epoch(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text('{"recipe": "vanilla", "seed": 0, "epochs": 50}')
    assert "No epoch has ended yet" in text_of(page_of(folder))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("checkpoint.npz", b"PK\3\4 cut off"),
        ("config.json", b"[1, 2"),
        ("config.json", b"[1, 2]"),
        ("log.csv", b"a,b\n1,2\n"),
        ("log.csv", b"\xff\xfe\0\0"),
        ("environment.json", b'{"x": ' + b"[" * 100_000),
        ("samples/epoch-0002.png", b"GIF89a"),
        ("evaluation.json", b"{}"),
        ("log.csv", b"epoch,step\n1,2\nx,3\n"),
        ("evaluation.json", b'{"scores": [1]}'),
    ],
)
def test_damaged_files_are_left_out_with_a_line(tmp_path: Path, name: str, content: bytes) -> None:
    folder = make_run(tmp_path / "run")
    (folder / name).write_bytes(content)
    text = text_of(page_of(folder))
    assert str(tmp_path) not in text
    assert f"{name} is left out, because it can't be read" in text


# ---- the command


def test_the_repeating_command_is_what_was_typed(tmp_path: Path) -> None:
    config = {"recipe": "vanilla", "epochs": 2, "steps": None, "lr": 1e-3, "backend": "numpy", "dtype": "float64"}
    run = read_run(make_run(tmp_path / "run"))
    run.config = {
        **config,
        "seed": 3,
        "invert": True,
        "fit": None,
        "data": "/a b/my pictures",
        "allow_nonfinite": False,
    }
    expected = "python -m nanogan train --recipe vanilla --epochs 2 --lr 0.001 --dtype float64 --seed 3 --invert"
    assert command(run) == f"{expected} --data 'my pictures'"


@pytest.mark.parametrize("path", ["/", "C:\\", "C:\\Users\\me\\data", "/home/me/data"])
def test_paths_lose_their_folders(path: str) -> None:
    assert without_folders(path) == "data"


def test_the_command_writes_it_into_the_runs_folder(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "a")
    make_run(tmp_path / "runs" / "b")
    done = run_command("-m", "nanogan", "report", "runs/a", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "runs/a/report.html: open it in a browser\n", "")
    assert (tmp_path / "runs" / "a" / "report.html").read_bytes() == page_of(tmp_path / "runs" / "a").encode()
    done = run_command("-m", "nanogan", "report", "runs/a", "runs/b", cwd=tmp_path)
    assert done.returncode == 0 and (tmp_path / "runs" / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: holds no run (config.json, log.csv); train one, or give its folder"),
        (["run/checkpoint.npz"], "run/checkpoint.npz: is a file of a run; give the folder that holds it"),
        (["run", "--out", "page.txt"], "--out page.txt: expected a name ending in .html"),
        (["run", "--out", "no/page.html"], "no: there is no such folder"),
        (["run", "--out", "mine.html"], "mine.html: holds something else than a report; choose another --out"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    make_run(tmp_path / "run")
    (tmp_path / "mine.html").write_text("<p>mine")
    done = run_command("-m", "nanogan", "report", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr == f"python -m nanogan: error: {said}\n"
    assert (tmp_path / "mine.html").read_text() == "<p>mine"


def test_a_page_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    (folder / "report.html").mkdir()
    with pytest.raises(InputError, match="could not be written"):
        write_report([folder], folder / "report.html")
