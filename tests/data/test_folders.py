"""Folders as people keep them: classes, parts, what systems leave there, and pictures that are broken."""

import os
import re
import shutil

import numpy as np
import pytest
from making import NO_PILLOW, colour, grey, labels_of, names_of, write_picture

from nanogan.data.images import image_shape_of, load_images, read_images
from nanogan.errors import InputError

Image = pytest.importorskip("PIL.Image", reason=NO_PILLOW)

P, C = grey(40), colour(40)


def fill(folder, names, pixels=P):
    for name, picture in zip(names, pixels, strict=False):
        write_picture(folder / name, picture)


NAMES = [f"{number}.png" for number in range(4)]
PETS = ("cat", "dog")
FOLDERS = {
    "flat": (NAMES, None, ""),
    "classes": ([f"{c}/{n}" for c in PETS for n in NAMES], "cat dog", "2 classes: cat, dog"),
    "numbered": (
        [f"{c}/{n}" for c in range(11) for n in NAMES[:2]],
        "0 1 2 3 4 5 6 7 8 9 10",
        "11 classes: 0, 1, 2 ... 10",
    ),
    "deeper": ([f"{c}/2020/{n}" for c in PETS for n in NAMES], "cat dog", ""),
    "in a folder alone": ([f"data/animals/{c}/{n}" for c in PETS for n in NAMES], "cat dog", "from .*animals"),
    "flat, in a folder alone": ([f"img_align_celeba/{n}" for n in NAMES], None, "from .*img_align_celeba"),
    "parts": ([f"{p}/{c}/{n}" for p in ("train", "test") for c in PETS for n in NAMES], "cat dog", "8 pict.*train"),
    "flat parts": ([f"{p}/{n}" for p in ("Training", "validation") for n in NAMES], None, "4 pictures.*Training"),
    "parts named for the set": (
        [f"seg_{p}/seg_{p}/{c}/{n}" for p in ("train", "test", "pred") for c in PETS for n in NAMES],
        "cat dog",
        "8 pictures .* from .*seg_train",
    ),
    "a class called train": ([f"{c}/{n}" for c in ("bus", "car", "train") for n in NAMES], "bus car train", ""),
    "beside train": (
        [*(f"{p}/{n}" for p in ("train", "test") for n in NAMES), "logo.png"],
        None,
        "1 outside train left out",
    ),
    "loose ones beside classes": (
        [*(f"{c}/{n}" for c in PETS for n in NAMES), "x.png"],
        None,
        "without labels, because 1 lie outside the folders of classes",
    ),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_folders(tmp_path, case):
    names, classes, said = FOLDERS[case]
    fill(tmp_path, names, [*P, *C, *P])
    found = read_images(tmp_path, (28, 28, 1))
    assert found.class_names == (tuple(classes.split()) if classes else None)
    assert re.search(said, found.description) and not found.skipped
    if classes:  # a label says from which folder a picture comes
        trained = [name for name in names if "test" not in name and "pred" not in name]
        folders = [[part for part in name.split("/")[:-1] if part in names_of(found)][-1] for name in trained]
        assert [names_of(found)[label] for label in labels_of(found)] == folders


def test_several_folders_to_train_on_are_not_chosen_between(tmp_path):
    fill(tmp_path, ["trainA/1.png", "trainB/1.png", "testA/1.png"])
    with pytest.raises(InputError, match="holds testA, trainA, trainB; give the one to train on"):
        load_images(tmp_path)


JUNK = [
    "._1.png",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    "__MACOSX/1.png",
    ".thumbnails/1.png",
    "notes.txt",
    "._cat/1.png",
]


def test_what_systems_leave_in_folders_is_ignored(tmp_path):
    fill(tmp_path, ["cat/1.png", "dog/1.png"])
    for name in JUNK:
        for folder in (tmp_path, tmp_path / "cat"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(b"\0\5\x16\7junk")
    found = read_images(tmp_path)
    assert len(found) == 2 and found.class_names == ("cat", "dog") and not found.skipped
    np.testing.assert_array_equal(found.pixels[..., 0], P[:2])


def test_an_empty_class_is_said(tmp_path):
    fill(tmp_path, ["cat/1.png", "dog/1.png"])
    (tmp_path / "eel").mkdir()
    assert "2 classes: cat, dog; no pictures in eel" in read_images(tmp_path).description


def test_pictures_come_in_natural_order(tmp_path):
    fill(tmp_path, ["10.png", "9.png", "img1.png", "img02.png", "img11.png"])
    expected = [P[1], P[0], P[2], P[3], P[4]]
    np.testing.assert_array_equal(read_images(tmp_path).pixels[..., 0], expected)


def test_links_are_followed_once(tmp_path):
    fill(tmp_path / "there", ["1.png", "2.png"])
    (tmp_path / "data" / "cat").mkdir(parents=True)
    (tmp_path / "data" / "cat" / "1.png").symlink_to(tmp_path / "there" / "1.png")
    (tmp_path / "data" / "dog").symlink_to(tmp_path / "there")
    (tmp_path / "data" / "dog" / "loop").symlink_to(tmp_path / "data")
    found = read_images(tmp_path / "data")
    assert found.class_names == ("cat", "dog") and labels_of(found) == [0, 1, 1]


def test_results_of_earlier_runs_are_no_data(tmp_path):
    fill(tmp_path, ["1.png", "2.png", "runs/vanilla/samples/epoch-0001.png"])
    for name in ("config.json", "checkpoint.npz"):
        (tmp_path / "runs" / "vanilla" / name).touch()
    assert len(load_images(tmp_path)) == 2


def test_sizes_that_differ_are_said(tmp_path):
    for number, (height, width) in enumerate([(30, 40), (28, 28), (30, 40), (100, 200)]):
        write_picture(tmp_path / f"{number}.png", grey(1, height, width)[0])
    assert image_shape_of(tmp_path) == (30, 40, 1)
    said = read_images(tmp_path, (28, 28, 1)).description
    assert said.startswith("4 pictures of 28 x 28 to 200 x 100, grey, 0..255, from ")
    assert said.endswith("; made 28 x 28, grey, cropped in the middle")


def test_one_colour_picture_makes_the_set_one_of_colour(tmp_path):
    fill(tmp_path, NAMES)
    write_picture(tmp_path / "x.jpg", C[0])
    assert image_shape_of(tmp_path) == (28, 28, 3)


# ---- what is broken


def test_a_few_broken_pictures_are_skipped_and_listed(tmp_path):
    fill(tmp_path, [f"{c}/{number}.png" for c in ("cat", "dog") for number in range(20)])
    content = (tmp_path / "cat" / "3.png").read_bytes()
    (tmp_path / "cat" / "3.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "dog" / "7.png").write_bytes(b"")
    found = read_images(tmp_path)
    assert len(found) == len(labels_of(found)) == 38 and labels_of(found) == [0] * 19 + [1] * 19
    kept = [number for number in range(40) if number not in (3, 27)]
    np.testing.assert_array_equal(found.pixels[..., 0], P[kept])
    assert (
        found.warning and found.warning.startswith("2 of 40 pictures could not be read: ") and "\n" not in found.warning
    )
    assert "3.png" in found.warning and "7.png" in found.warning
    assert found.description.startswith("38 pictures")


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def gone(path):
    path.unlink()
    path.symlink_to("nowhere")


BROKEN = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:60]),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not found"),
    "a link to nowhere": gone,
    "too large": lambda path: Image.new("1", (9000, 9000)).save(path),
    "a pipe": pipe,
    "from a phone": lambda path: path.rename(path.with_suffix(".heic")).write_bytes(b"\0\0\0\x18ftypheic"),
    "NaN": lambda path: Image.fromarray(np.full((28, 28), np.nan, np.float32)).save(path, "TIFF"),
}


@pytest.mark.parametrize("count", [1, 10])
@pytest.mark.parametrize("case", BROKEN)
def test_more_than_5_percent_broken_stops(tmp_path, case, count):
    fill(tmp_path, [f"{number}.png" for number in range(count)])
    BROKEN[case](tmp_path / f"{count - 1}.png")
    with pytest.raises(InputError, match=f"1 of {count} pictures could not be read: .*; more than 5%") as caught:
        load_images(tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_all_broken_stops(tmp_path):
    for number in range(40):
        (tmp_path / f"{number}.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InputError, match=r"3 of 40 pictures could not be read: .*0\.jpg.*1\.jpg.*2\.jpg"):
        load_images(tmp_path)


def test_a_folder_one_may_not_enter(tmp_path, monkeypatch):
    fill(tmp_path, ["cat/1.png", "dog/1.png"])
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("dog"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(InputError, match=r"dog: cannot be read \(Permission denied\)"):
        load_images(tmp_path)


OTHERS = {
    "empty": ([], "found none: the folder is empty; expected a folder of pictures or IDX files, or a .npy"),
    "text": (["a.txt", "b.txt", "c.pdf"], "found none: the folder holds 2 .txt, 1 .pdf; expected a folder"),
    "junk": ([".DS_Store", "Thumbs.db"], "the folder is empty"),
    "a zip": (["pictures.zip"], "holds 1 .zip; pictures.zip is an archive; unpack it"),
    "MATLAB": (["train_32x32.mat"], "train_32x32.mat is a MATLAB file; read its array with scipy.io.loadmat"),
    "CIFAR's pickles": (["data_batch_1"], "1 without ending; data_batch_1 is a pickle"),
}
CONTENTS = {".zip": b"PK\3\4", ".mat": b"MATLAB 5.0", "": b"\x80\x02}q"}


@pytest.mark.parametrize("case", OTHERS)
def test_a_folder_of_something_else_says_what_it_holds(tmp_path, case):
    names, message = OTHERS[case]
    for name in names:
        (tmp_path / name).write_bytes(CONTENTS.get(os.path.splitext(name)[1], b"hello"))
    with pytest.raises(InputError, match=message) as caught:
        load_images(tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


ODD_NAMES = ["ünïcödé 图片.png", "with space.png", "new\nline.png", "x" * 240 + ".png", b"not-utf8-\xff.png"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_is_read_and_printed(tmp_path, name):
    name = os.fsdecode(name)
    fill(tmp_path, ["1.png"])
    shutil.copy(tmp_path / "1.png", tmp_path / name)
    assert len(load_images(tmp_path)) == 2
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError) as caught:
        load_images(tmp_path)
    message = str(caught.value)
    assert "\n" not in message and message.encode("utf-8") and name[:8] in message.replace(" ", "\n") + message


def test_contrast_of_pictures(tmp_path):
    for number in range(3):
        write_picture(tmp_path / f"{number}.png", np.full((28, 28), 200, np.uint8))
    with pytest.raises(InputError, match="every pixel is 200: there is nothing to learn"):
        load_images(tmp_path)
    write_picture(tmp_path / "3.png", np.full((28, 28), 210, np.uint8))
    with pytest.raises(InputError, match=r"found pixels from 200 to 210 only, less than 5% of 0..255"):
        load_images(tmp_path)


def test_a_progress_bar_is_shown_to_whoever_watches(tmp_path, monkeypatch, capsys):
    import sys

    import tqdm

    fill(tmp_path, NAMES)
    monkeypatch.setattr(tqdm, "tqdm", lambda *args, **options: tqdm.std.tqdm(*args, **{**options, "delay": 0}))
    for watching, quiet, shown in ((True, False, True), (True, True, False), (False, False, False)):
        monkeypatch.setattr(sys.stderr, "isatty", lambda watching=watching: watching, raising=False)
        load_images(tmp_path, quiet=quiet)
        assert ("reading: " in capsys.readouterr().err) == shown
    monkeypatch.setattr(sys, "stderr", None)
    assert len(load_images(tmp_path)) == 4
