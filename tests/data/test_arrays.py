"""Arrays in any layout, range and file that people keep pictures in; and what isn't one, refused with what to do."""

import gzip
import re
import tarfile
import zipfile
from typing import Any

import numpy as np
import pytest
from making import colour, grey, labels_of

from nanogan.data.images import image_shape_of, load_images, read_images, rescale
from nanogan.data.pixels import layout
from nanogan.errors import InputError

P, C = grey(), colour()

# ---- which axis is which

LAYOUTS = {
    "(N, H, W)": (P, P, ""),
    "(N, H, W, 1)": (P[..., None], P, ""),
    "(N, 1, H, W)": (P[:, None], P, "taken as (N, channels, height, width)"),
    "(N, H*W)": (P.reshape(12, -1), P, "each of 784 values in rows"),
    "(H, W, N)": (np.moveaxis(P, 0, -1), P, "taken as (height, width, N)"),
    "Fortran's order": (np.asfortranarray(P), P, ""),
    "(N, H, W, 3)": (C, C, ""),
    "(N, 3, H, W)": (C.transpose(0, 3, 1, 2), C, "taken as (N, channels, height, width)"),
    "(H, W, 3, N), as SVHN": (C.transpose(1, 2, 3, 0), C, "taken as (height, width, channels, N)"),
    "not square": (P[:, :20], P[:, :20], ""),
    "grey stored as colour": (np.repeat(P[..., None], 3, -1), P, "grey, 0..255"),
    "opaque": (np.concatenate([C, np.full_like(C[..., :1], 255)], axis=-1), C, "transparency painted on white"),
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_layouts(tmp_path, case):
    array, expected, said = LAYOUTS[case]
    np.save(tmp_path / "a.npy", array)
    found = read_images(tmp_path / "a.npy")
    if expected.ndim == 3:
        expected = expected[..., None]
    assert image_shape_of(tmp_path / "a.npy") == expected.shape[1:] and said in found.description
    pixels = read_images(tmp_path / "a.npy", expected.shape[1:]).pixels
    np.testing.assert_array_equal(pixels, expected)
    assert pixels.flags.c_contiguous and found.scaled().flags.c_contiguous


NO_LAYOUTS = {
    (28,): "which isn't one of pictures",
    (3, 783): "783 values per picture are no square",
    (3, 785): "785 values per picture are no square, but 784 are; if one is the label",
    (28, 28, 3): "one picture; expected many",
    (9, 3, 3, 3): r"may be \(N, height, width, channels\) or \(N, channels, height, width\)",
    (5, 9, 9, 7): "which isn't one of pictures",
    (2, 3, 28, 28, 1): "which isn't one of pictures",
}


@pytest.mark.parametrize("shape", NO_LAYOUTS)
def test_a_shape_of_no_pictures_is_refused(shape):
    with pytest.raises(ValueError, match=NO_LAYOUTS[shape]):
        layout(shape)


# ---- which value is what

BITS = (P > 127).astype(np.int8)
VALUES = {
    "uint8": (P, P / 255, "0..255"),
    "int16": (P.astype(np.int16), P / 255, "0..255"),
    "int64": (P.astype(np.int64), P / 255, "0..255"),
    "big-endian": (P.astype(">u4"), P / 255, "0..255"),
    "16 bits": (P.astype(np.uint16) * 16, P / 255, "0..4080"),
    "bool": (P > 127, BITS, "0..1"),
    "int of 0 and 1": (BITS.astype(np.int32), BITS, "0..1"),
    "uint8 of 0 and 1": (BITS.astype(np.uint8), BITS, "0..1"),
    "int8 of -1 and 1": (2 * BITS - 1, BITS, "-1..1"),
    "float 0..1": (P / 255, P / 255, "0..1"),
    "float16": ((P / 255).astype(np.float16), P / 255, "0..1"),
    "float -1..1": (P / 127.5 - 1, P / 255, "-1..1"),
    "float 0..255": (P.astype(np.float64), P / 255, "0..255"),
    "1e-6 above 1": (P / 255 * (1 + 1e-6), P / 255, "0..1"),
    "1e-6 below 0": (P / 255 * (1 + 1e-6) - 1e-6, P / 255, "0..1"),
    "1e-6 below -1": ((P / 127.5 - 1) * (1 + 1e-6), P / 255, "-1..1"),
    "1e-6 above 255": (P * (1 + 1e-6), P / 255, "0..255"),
}


@pytest.mark.parametrize("case", VALUES)
def test_values(tmp_path, case):
    array, expected, said = VALUES[case]
    np.save(tmp_path / "a.npy", array)
    found = read_images(tmp_path / "a.npy")
    assert f"12 pictures of 28 x 28, grey, {said}, from a.npy" == found.description
    for scale in ((0, 1), (-1, 1)):
        scaled = found.scaled(scale)
        np.testing.assert_allclose(scaled[..., 0], expected * (scale[1] - scale[0]) + scale[0], atol=1e-3)
        assert scaled.min() == scale[0] and scaled.max() == scale[1]
    inverted = load_images(tmp_path / "a.npy", scale=(0, 1), invert=True)
    np.testing.assert_allclose(inverted[..., 0], 1 - expected, atol=1e-3)


NO_VALUES = {
    "normalised": (
        (P / 255 - 0.1307) / 0.3081,
        "expected pixels in 0..1, -1..1 or 0..255, found -0.424.*undo a normal",
    ),
    "negative integers": (P.astype(np.int16) - 128, "found -128 to 127"),
    "more than 16 bits": (P.astype(np.int32) * 1000, "found 0 to 255000"),
    "interpolated over": (np.where(P == 0, -0.004, P / 255), "neither 0..1 nor -1..1; clip them"),
    "not a number": (np.where(P == 0, np.nan, P / 255), "picture number 0, counted from 0, holds NaN"),
    "infinity": (np.where(np.arange(12)[:, None, None] == 3, np.inf, P), "picture number 3, counted from 0, holds"),
    "complex": (P * 1j, "holds values of type complex128; expected numbers"),
    "text": (P.astype(str), "expected pixels as numbers"),
    "objects": (np.array([{}], object), "holds Python objects.*np.stack makes one of a list"),
    "records": (np.zeros(3, [("a", "u1", (28, 28))]), "expected numbers"),
    "black": (np.zeros_like(P), "every pixel is 0: there is nothing to learn"),
    "one grey": (np.full(P.shape, 0.5), "every pixel is 0.5"),
    "dark": ((P // 25).astype(np.uint8), "from 0 to 10 only, less than 5% of 0..255"),
    "dull": (0.5 + P / 255 / 100, "from 0.5 to 0.51 only, less than 5% of 0..1"),
    "0..5 of 0..255": (P / 51.0, "from 0 to 5 only, less than 5% of 0..255"),
    "empty": (P[:0], r"expected pictures, found none: an array of shape \(0, 28, 28\)"),
}


@pytest.mark.parametrize("case", NO_VALUES)
def test_an_array_of_no_pictures_is_refused_by_name(tmp_path, case):
    array, message = NO_VALUES[case]
    np.save(tmp_path / "bad.npy", array, allow_pickle=True)
    with pytest.raises(InputError, match=message) as caught:
        load_images(tmp_path / "bad.npy")
    assert "bad.npy" in str(caught.value) and "\n" not in str(caught.value)


def test_transparent_pixels_of_arrays_show_the_background(tmp_path):
    pictures = np.zeros((2, 28, 28, 4), np.uint8)
    pictures[1, ..., 0] = 200
    pictures[1, ..., 3] = 255  # opaque; the first is transparent everywhere
    np.save(tmp_path / "a.npy", pictures)
    found = read_images(tmp_path / "a.npy", background="#102030").pixels
    assert found[0, 0, 0].tolist() == [0x10, 0x20, 0x30] and found[1, 0, 0].tolist() == [200, 0, 0]
    np.save(tmp_path / "a.npy", pictures[..., [0, 3]] / 255)
    assert load_images(tmp_path / "a.npy", scale=(0, 1))[0].min() == 1  # white


@pytest.mark.parametrize("kind", ["uint8", "float"])
@pytest.mark.parametrize("fit, left", [("crop", [0.5, 0.5]), ("squeeze", [0.0, 0.2]), ("pad", [0.0, 0.2])])
def test_arrays_of_another_shape_are_made_to_fit(tmp_path, kind, fit, left):
    """Wide pictures, black at the left and right, grey in the middle."""
    wide = np.zeros((3, 30, 60), np.uint8)
    wide[:, :, 15:45] = 128
    wide[0, 10, 30] = 255
    np.save(tmp_path / "a.npy", wide if kind == "uint8" else wide / 255)
    found = read_images(tmp_path / "a.npy", (20, 20, 3), fit=fit)
    scaled = found.scaled((0, 1))
    assert scaled.shape == (3, 20, 20, 3) and left[0] - 0.03 <= scaled[2, 10, 0, 0] <= left[1] + 0.03
    assert abs(scaled[2, 0, 10, 0] - (1 if fit == "pad" else 0.5)) < 0.01
    assert (
        found.description.startswith("3 pictures of 60 x 30, grey, ") and "made 20 x 20, colour, " in found.description
    )


def test_a_function_decides_on_the_shape(tmp_path):
    np.save(tmp_path / "a.npy", C)
    images = load_images(tmp_path / "a.npy", lambda shape: (shape[0] // 2, shape[1] - 2, shape[2]))
    assert images.shape == (12, 14, 26, 3)


# ---- which array

LABELLED = np.arange(12) % 3
KEYS = {
    "one": (["anything"], "anything"),
    "images and labels": (["images", "labels"], "images"),
    "Keras": (["x_train", "y_train", "x_test", "y_test"], "x_train"),
    "scikit-learn": (["X_train", "X_test", "y_train", "y_test"], "X_train"),
    "MedMNIST": ([f"{part}_{of}" for part in ("train", "val", "test") for of in ("images", "labels")], "train_images"),
    "without names": (["arr_0", "arr_1"], "arr_0"),
    "data and target": (["data", "target"], "data"),
    "trainX": (["trainX", "trainY", "testX", "testY"], "trainX"),
    "others beside": (["imgs", "latents", "labels"], "imgs"),
}


@pytest.mark.parametrize("form", ["npz", "compressed", "folder", "folder of .npy.gz"])
@pytest.mark.parametrize("case", KEYS)
def test_the_array_is_chosen_by_its_name(tmp_path, case, form):
    names, chosen = KEYS[case]
    arrays = {}
    for number, name in enumerate(names):
        is_label = name.lower().endswith(("labels", "y")) or name.startswith("y_") or name in ("target", "arr_1")
        pictures = P if name == chosen else grey(seed=number + 1)
        arrays[name] = np.zeros((12, 6)) if name == "latents" else LABELLED if is_label else pictures
    if case == "MedMNIST":
        arrays["train_labels"] = LABELLED[:, None]
    path = tmp_path / "all.npz"
    if form.startswith("folder"):
        path = tmp_path / "all"
        path.mkdir()
        for name, array in arrays.items():
            np.save(path / f"{name}.npy", array)
            if form.endswith("gz"):
                (path / f"{name}.npy.gz").write_bytes(gzip.compress((path / f"{name}.npy").read_bytes()))
                (path / f"{name}.npy").unlink()
    else:
        (np.savez if form == "npz" else np.savez_compressed)(path, allow_pickle=False, **arrays)
    found = read_images(path)
    np.testing.assert_array_equal(found.pixels[..., 0], P)
    assert re.match(
        r"12 pictures of 28 x 28, grey, 0..255, from .*" + (chosen if len(names) > 1 else ""), found.description
    )
    if len(names) > 1:
        assert labels_of(found) == LABELLED.tolist() and found.class_names == ("0", "1", "2")


NO_KEYS: dict[str, tuple[dict[str, Any], str]] = {
    "two": ({"a": P, "b": P}, r"found a \(12, 28, 28\), b \(12, 28, 28\); rename it, or save it alone"),
    "labels alone": ({"y_train": LABELLED}, "which isn't one of pictures"),
    "no pictures": ({"labels": LABELLED, "names": LABELLED}, "expected one array of pictures"),
    "objects": ({"images": np.array([{}], object)}, "it holds Python objects"),
    "nothing": ({}, "archive; unpack it"),
}


@pytest.mark.parametrize("case", NO_KEYS)
def test_an_archive_of_no_pictures_is_refused(tmp_path, case):
    arrays, message = NO_KEYS[case]
    np.savez(tmp_path / "a.npz", allow_pickle=True, **arrays)
    with pytest.raises(InputError, match=message):
        load_images(tmp_path / "a.npz")


LABELS = {
    "from 1": (LABELLED + 1, ("1", "2", "3")),
    "far apart": (LABELLED * 100, ("0", "100", "200")),
    "floats": (LABELLED.astype(np.float64), ("0", "1", "2")),
    "one-hot": (np.eye(3)[LABELLED], ("0", "1", "2")),
    "text": (np.array(["cat", "dog", "eel"])[LABELLED], ("cat", "dog", "eel")),
    "bool": (LABELLED == 2, ("False", "True")),
    "not whole": (LABELLED / 2, None),
    "of other length": (LABELLED[:5], None),
    "attributes": (np.ones((12, 5)), None),
}


@pytest.mark.parametrize("case", LABELS)
def test_labels_count_from_0_and_have_names(tmp_path, case):
    labels, names = LABELS[case]
    np.savez(tmp_path / "a.npz", images=P, labels=labels)
    found = read_images(tmp_path / "a.npz")
    assert found.class_names == names
    if names is None:
        assert found.labels is None and "classes" not in found.description
    else:
        np.testing.assert_array_equal(found.labels, LABELLED == 2 if case == "bool" else LABELLED)
        assert f"{len(names)} classes: {', '.join(names)}" in found.description


# ---- other files


def archive(path):
    with zipfile.ZipFile(path, "w") as held:
        held.writestr("1.png", b"?")


def tape(path):
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as held:
        held.add(__file__)


FILES: dict[str, tuple[Any, str]] = {
    "a.zip": (archive, "is an archive; unpack it"),
    "a.tar": (tape, "is an archive; unpack it"),
    "a.tar.gz": (tape, "is an archive; unpack it"),
    "a.mat": (b"MATLAB 5.0 MAT-file", "read its array with scipy.io.loadmat"),
    "a.h5": (b"\x89HDF\r\n\x1a\n", "read its array with h5py"),
    "a.parquet": (b"PAR1", "Parquet"),
    "data_batch_1": (b"\x80\x02}q\x01", "is a pickle"),
    "a.pt": (b"\x80\x04\x95", "is a pickle"),
    "a.png": (b"\x89PNG\r\n\x1a\n", "is one picture; give a folder of many"),
    "a.jpg": (b"\xff\xd8\xff\xe0", "is one picture; give a folder of many"),
    "a.npy": (b"?", "no array in NumPy's .npy format"),
    "b.npz": (b"PK\x03\x04?", "b.npz"),
    "c.npz": (b"hello", "cannot be read as an .npz file"),
    "d.npy.gz": (b"\x1f\x8b\x08cut", "cannot be read|no array"),
    "a.doc": (b"hello", "expected a folder, or a file ending in .npy, .npz or .csv"),
}


@pytest.mark.parametrize("name", FILES)
def test_other_files_are_refused_with_what_to_do(tmp_path, name):
    content, message = FILES[name]
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    else:
        content(tmp_path / name)
    with pytest.raises(InputError, match=message) as caught:
        load_images(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_is_known_by_its_content(tmp_path):
    with open(tmp_path / "digits.data", "wb") as file:
        np.save(file, P)
    assert len(load_images(tmp_path / "digits.data")) == 12


def test_a_screenshot_beside_arrays_is_not_the_data(tmp_path):
    np.savez(tmp_path / "digits.npz", images=P)
    (tmp_path / "screenshot.png").write_bytes(b"?")
    with pytest.raises(InputError, match=r"holds 1 pictures and arrays \(digits\); give the file that you mean"):
        load_images(tmp_path)


def test_the_home_folder_has_a_short_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.save(tmp_path / "a.npy", P)
    assert len(load_images("~/a.npy")) == 12


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(
        InputError, match=r"no such file or folder; expected a folder of pictures or IDX files, or a .npy"
    ):
        load_images(tmp_path / "missing.npy")
    for name in ("x" * 300, "a\0b"):
        with pytest.raises(InputError, match="cannot be read") as caught:
            load_images(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_rescale_keeps_what_is_right_already():
    images = np.array([-1, 0.5, 1], np.float32)
    np.testing.assert_array_equal(rescale(images, (-1.0, 1.0), (-1.0, 1.0)), images)
