"""MNIST, and the files in its format that others publish."""

import gzip
import hashlib

import numpy as np
import pytest
from making import grey, labels_of, names_of, write_idx

from nanogan.data.idx import read_idx
from nanogan.data.images import MNIST_FOLDER, load_images, load_mnist, read_images
from nanogan.errors import InputError

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def test_the_bundled_files_are_mnist():
    digests = {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    }
    for name, digest in digests.items():
        content = gzip.decompress((MNIST_FOLDER / f"{name}.gz").read_bytes())
        assert hashlib.sha256(content).hexdigest() == digest


@pytest.mark.parametrize("split, count", [("train", 60_000), ("test", 10_000)])
def test_load_mnist(split, count):
    images, labels = load_mnist(split)
    assert images.shape == (count, 28, 28, 1) and images.dtype == np.float32
    assert images.min() == -1 and images.max() == 1
    assert labels.shape == (count,) and set(labels) == set(range(10))


def test_the_folder_of_mnist_is_mnist():
    images, labels = load_mnist()
    found = read_images(MNIST_FOLDER)
    np.testing.assert_array_equal(found.scaled(), images)
    np.testing.assert_array_equal(found.labels, labels)
    start = "60,000 pictures of 28 x 28, grey, 0..255, from train-images-idx3-ubyte.gz; 10 classes: 0, 1, 2 ... 9"
    assert found.description == start


def test_load_mnist_scales_as_asked():
    plain, _ = load_mnist("test", scale=(0, 1), dtype=np.float64)
    both_signs, _ = load_mnist("test", scale=(-1, 1), dtype=np.float64)
    assert plain.dtype == np.float64 and plain.min() == 0 and plain.max() == 1
    np.testing.assert_allclose(both_signs, 2 * plain - 1, atol=1e-15)


def test_load_mnist_refuses_an_unknown_split():
    with pytest.raises(InputError, match="'validation' is unknown: choose train or test"):
        load_mnist("validation")


PLACES = {
    "plain": [IMAGES],
    "gzipped": [f"{IMAGES}.gz"],
    "torchvision": [f"MNIST/raw/{IMAGES}", f"MNIST/raw/{IMAGES}.gz"],
    "with a dot, as Kaggle has it": ["train-images.idx3-ubyte"],
    "with a dot, and in a folder of its name": ["train-images.idx3-ubyte", f"{IMAGES}/{IMAGES}"],
    "upper case": [IMAGES.upper()],
    "a copy": [f"a/{IMAGES}", f"b/{IMAGES}.gz"],
}


@pytest.mark.parametrize("place", PLACES)
def test_idx_files_are_found(tmp_path, place):
    for name in PLACES[place]:
        write_idx(tmp_path / name, grey(), zipped=name.endswith(".gz"))
        label = name.replace("images", "labels").replace("IMAGES", "LABELS").replace("idx3", "idx1")
        write_idx(tmp_path / label, np.arange(12, dtype=np.uint8) % 3, zipped=name.endswith(".gz"))
    for path in (tmp_path, (tmp_path / PLACES[place][0]).parent, tmp_path / PLACES[place][0]):
        found = read_images(path)
        np.testing.assert_array_equal(found.pixels[..., 0], grey())
        assert labels_of(found) == [0, 1, 2] * 4 and found.class_names == ("0", "1", "2")


def test_emnist_is_turned_upright(tmp_path):
    lying = grey().swapaxes(1, 2)
    for part, count in (("train", 12), ("test", 5)):
        write_idx(tmp_path / f"emnist-letters-{part}-images-idx3-ubyte.gz", lying[:count], zipped=True)
        labels = np.arange(1, count + 1, dtype=np.uint8)  # of a..z, from 1
        write_idx(tmp_path / f"emnist-letters-{part}-labels-idx1-ubyte.gz", labels, zipped=True)
    found = read_images(tmp_path)
    np.testing.assert_array_equal(found.pixels[..., 0], grey())
    assert labels_of(found) == list(range(12)) and names_of(found)[0] == "1"
    assert "EMNIST, turned upright" in found.description
    images, labels = load_mnist("test", folder=tmp_path, scale=(0, 255))
    np.testing.assert_array_equal(images[..., 0], grey()[:5])
    assert labels.tolist() == [1, 2, 3, 4, 5]


def test_several_data_sets_are_told_apart(tmp_path):
    for number, name in enumerate(("MNIST", "FashionMNIST")):
        write_idx(tmp_path / name / "raw" / IMAGES, grey(seed=number))
    with pytest.raises(InputError, match=r"holds several data sets; give the file of the one you mean: .*FashionMNIST"):
        load_images(tmp_path)
    assert len(load_images(tmp_path / "MNIST")) == 12
    for part in ("letters", "digits"):
        write_idx(tmp_path / "EMNIST" / f"emnist-{part}-train-images-idx3-ubyte", grey())
    with pytest.raises(InputError, match=r"holds several data sets.*emnist-digits.*emnist-letters"):
        load_images(tmp_path / "EMNIST")
    assert len(load_images(tmp_path / "EMNIST" / "emnist-letters-train-images-idx3-ubyte")) == 12


CLAIM = bytes((0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 9))  # a header without its 162 bytes
ZEROS = np.zeros((2, 28, 28), np.uint8)
BAD_FILES = {
    "truncated": ("truncated", lambda p: write_idx(p / IMAGES, ZEROS, claim=(9, 28, 28))),
    "too long": ("truncated", lambda p: write_idx(p / IMAGES, ZEROS, claim=(1, 28, 28))),
    "too long in gzip": (
        "truncated",
        lambda p: write_idx(p / f"{IMAGES}.gz", ZEROS, zipped=True, claim=(1, 28, 28)),
    ),
    "claims 10^12": (
        "takes 998,001,000,000,000 bytes after it",
        lambda p: write_idx(p / f"{IMAGES}.gz", ZEROS, zipped=True, claim=(10**9, 999, 999)),
    ),
    "labels as images": ("3 axes", lambda p: write_idx(p / IMAGES, np.zeros(5, "u1"))),
    "empty file": ("an empty file", lambda p: (p / IMAGES).write_bytes(b"")),
    "no images": ("found none", lambda p: write_idx(p / IMAGES, np.zeros((0, 28, 28), "u1"))),
    "cut gzip": ("cannot be read", lambda p: (p / f"{IMAGES}.gz").write_bytes(gzip.compress(CLAIM)[:-9])),
    "only test images": ("expected one file", lambda p: (p / "t10k-images-idx3-ubyte").touch()),
    "only labels": ("expected one file", lambda p: write_idx(p / LABELS, np.zeros(5, "u1"))),
    "black": ("every pixel is 0", lambda p: write_idx(p / IMAGES, ZEROS)),
    "labels of others": (
        "expected 12 labels, one for each image, found 11",
        lambda p: (write_idx(p / IMAGES, grey()), write_idx(p / LABELS, np.zeros(11, "u1"))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_folder_is_refused_by_name(tmp_path, case):
    message, make = BAD_FILES[case]
    make(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        load_images(tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_labels_must_be_there_and_match(tmp_path):
    write_idx(tmp_path / IMAGES, grey())
    with pytest.raises(InputError, match="expected the file of its labels beside it, found none"):
        load_mnist("train", folder=tmp_path)
    with pytest.raises(InputError, match=r"expected a file named like t10k-images-idx3-ubyte.gz, found none"):
        load_mnist("test", folder=tmp_path)
    write_idx(tmp_path / LABELS, np.zeros(11, np.uint8))
    with pytest.raises(InputError, match="expected 12 labels, one for each image, found 11"):
        load_mnist("train", folder=tmp_path)


def test_read_idx_reads_labels(tmp_path):
    write_idx(tmp_path / "labels", np.arange(7, dtype=np.uint8))
    np.testing.assert_array_equal(read_idx(tmp_path / "labels", axes=1), np.arange(7))
