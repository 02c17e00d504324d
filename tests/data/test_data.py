"""Reading images, and refusing what isn't images with one line that names the file."""

import gzip
import hashlib
import struct

import numpy as np
import pytest

from nanogan.data.batches import Batches, train_test_split
from nanogan.data.images import MNIST_FOLDER, load_images, load_mnist, read_idx, rescale
from nanogan.errors import InputError


def write_idx(path, array, *, zipped=False, claim=None):
    """An IDX file of a uint8 array; `claim` is a shape to put in the header instead of the true one."""
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *(claim or array.shape))
    content = header + array.tobytes()
    path.write_bytes(gzip.compress(content) if zipped else content)


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (12, 28, 28), dtype=np.uint8)


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


def test_load_mnist_scales_as_asked():
    plain, _ = load_mnist("test", scale=(0, 1), dtype=np.float64)
    both_signs, _ = load_mnist("test", scale=(-1, 1), dtype=np.float64)
    assert plain.dtype == np.float64 and plain.min() == 0 and plain.max() == 1
    np.testing.assert_allclose(both_signs, 2 * plain - 1, atol=1e-15)


def test_load_mnist_refuses_an_unknown_split():
    with pytest.raises(InputError, match="'validation' is unknown: choose train or test"):
        load_mnist("validation")


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "emnist-letters-train-images-idx3-ubyte"])
def test_an_idx_folder(tmp_path, pictures, zipped, name):
    write_idx(tmp_path / (name + ".gz" * zipped), pictures, zipped=zipped)
    images = load_images(tmp_path, scale=(0, 1))
    np.testing.assert_allclose(images[..., 0], pictures / 255, atol=1e-6)


@pytest.mark.parametrize("ending", ["npy", "npz"])
@pytest.mark.parametrize("form", ["uint8", "0..1", "-1..1", "channel"])
def test_arrays(tmp_path, pictures, ending, form):
    array = {
        "uint8": pictures,
        "0..1": pictures / 255,
        "-1..1": pictures / 127.5 - 1,
        "channel": pictures[..., None],
    }[form]
    path = tmp_path / f"digits.{ending}"
    np.save(path, array) if ending == "npy" else np.savez(path, array)
    np.testing.assert_allclose(load_images(path)[..., 0], pictures / 127.5 - 1, atol=1e-6)


def test_an_npz_with_several_arrays_needs_one_called_images(tmp_path, pictures):
    np.savez(tmp_path / "named.npz", labels=np.zeros(12), images=pictures)
    assert load_images(tmp_path / "named.npz").shape == (12, 28, 28, 1)
    np.savez(tmp_path / "unnamed.npz", a=pictures, b=pictures)
    with pytest.raises(InputError, match=r"unnamed\.npz: expected one array, or one called images; found a, b"):
        load_images(tmp_path / "unnamed.npz")


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_a_folder_of_pictures_becomes_what_was_asked_for(tmp_path, mode):
    Image = pytest.importorskip("PIL.Image", reason="Pillow isn't needed on a machine that only tests a GPU")
    for number, ending in enumerate(["png", "jpg", "JPEG"]):
        picture = Image.new("L", (40, 30), 51 * number)
        picture.convert(mode if ending == "png" else "RGB").save(tmp_path / f"{number}.{ending}")
    gray = load_images(tmp_path, (28, 28, 1), scale=(0, 1))
    colour = load_images(tmp_path, (14, 20, 3), scale=(0, 1))
    assert gray.shape == (3, 28, 28, 1) and colour.shape == (3, 14, 20, 3)
    np.testing.assert_allclose(colour.mean(axis=(1, 2, 3)), [0, 0.2, 0.4], atol=0.01)  # in the order of the names


def test_a_picture_of_16_bits_a_pixel_is_scaled(tmp_path):
    Image = pytest.importorskip("PIL.Image", reason="Pillow isn't needed on a machine that only tests a GPU")
    Image.fromarray(np.full((28, 28), 32768, np.uint16)).save(tmp_path / "a.png")
    np.testing.assert_allclose(load_images(tmp_path, scale=(0, 1)), 128 / 255, rtol=1e-6)


IMAGES = "train-images-idx3-ubyte"
CLAIM = bytes((0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 9))  # a header without its 162 bytes
BAD_FILES = {
    "truncated": ("truncated", lambda p: write_idx(p / IMAGES, np.zeros((2, 28, 28), "u1"), claim=(9, 28, 28))),
    "too long": ("truncated", lambda p: write_idx(p / IMAGES, np.zeros((2, 28, 28), "u1"), claim=(1, 28, 28))),
    "too long in gzip": (
        "truncated",
        lambda p: write_idx(p / f"{IMAGES}.gz", np.zeros((2, 28, 28), "u1"), zipped=True, claim=(1, 28, 28)),
    ),
    "claims 10^12": (
        "takes 998,001,000,000,000 bytes after it",
        lambda p: write_idx(p / f"{IMAGES}.gz", np.zeros((2, 28, 28), "u1"), zipped=True, claim=(10**9, 999, 999)),
    ),
    "labels as images": ("3 axes", lambda p: write_idx(p / IMAGES, np.zeros(5, "u1"))),
    "empty file": ("an empty file", lambda p: (p / IMAGES).write_bytes(b"")),
    "no images": ("found none", lambda p: write_idx(p / IMAGES, np.zeros((0, 28, 28), "u1"))),
    "cut gzip": ("cannot be read", lambda p: (p / f"{IMAGES}.gz").write_bytes(gzip.compress(CLAIM)[:-9])),
    "other size": ("expected images of shape", lambda p: write_idx(p / IMAGES, np.zeros((2, 9, 9), "u1"))),
    "two candidates": ("expected one file", lambda p: [(p / f"{x}-train-images-idx3-ubyte").touch() for x in "ab"]),
    "only test images": ("expected one file", lambda p: (p / "t10k-images-idx3-ubyte").touch()),
    "nothing": ("found none", lambda p: None),
    "broken picture": ("1.png: cannot be read as a picture", lambda p: (p / "1.png").write_bytes(b"\x89PNG?")),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_folder_is_refused_by_name(tmp_path, case):
    message, make = BAD_FILES[case]
    make(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        load_images(tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


BAD_ARRAYS = {
    "pickled": (np.array([{}], object), "cannot be read"),
    "integers": (np.zeros((3, 28, 28), np.int64), "uint8 or a floating point"),
    "too bright": (np.full((3, 28, 28), 255.0), r"found 255 to 255"),
    "not a number": (np.full((3, 28, 28), np.nan), "found nan"),
    "flat": (np.zeros((3, 784)), "expected images of shape"),
    "empty": (np.zeros((0, 28, 28)), "found none"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_a_bad_array_is_refused_by_name(tmp_path, case):
    array, message = BAD_ARRAYS[case]
    np.save(tmp_path / "bad.npy", array, allow_pickle=True)
    with pytest.raises(InputError, match=message) as caught:
        load_images(tmp_path / "bad.npy")
    assert "bad.npy" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name, content", [("a.npy", b"?"), ("a.npz", b"PK\x03\x04?"), ("a.txt", b"hello")])
def test_other_files_are_refused_by_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        load_images(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        load_images(tmp_path / "missing.npy")


def test_labels_must_match_images(tmp_path, pictures):
    write_idx(tmp_path / "train-images-idx3-ubyte", pictures)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(11, np.uint8))
    with pytest.raises(InputError, match="expected 12 labels, one for each image, found 11"):
        load_mnist("train", folder=tmp_path)


def test_read_idx_reads_labels(tmp_path):
    write_idx(tmp_path / "labels", np.arange(7, dtype=np.uint8))
    np.testing.assert_array_equal(read_idx(tmp_path / "labels", axes=1), np.arange(7))


def test_rescale_keeps_what_is_right_already():
    images = np.array([-1, 0.5, 1], np.float32)
    np.testing.assert_array_equal(rescale(images, (-1.0, 1.0)), images)


def test_split_is_disjoint_complete_and_repeatable():
    images = np.arange(100)
    train, test = train_test_split(images, 0.2, rng=np.random.default_rng(3))
    assert len(train) == 80 and len(test) == 20
    assert sorted([*train, *test]) == list(range(100))
    np.testing.assert_array_equal(test, train_test_split(images, 0.2, rng=np.random.default_rng(3))[1])
    assert not np.array_equal(test, train_test_split(images, 0.2, rng=np.random.default_rng(4))[1])


@pytest.mark.parametrize("share", [0, 1, 0.001, -1])
def test_split_refuses_an_empty_part(share):
    with pytest.raises(InputError, match="empty"):
        train_test_split(np.arange(10), share, rng=np.random.default_rng(0))


def test_every_epoch_gives_every_image_once_in_another_order():
    batches = Batches(10, 3, np.random.default_rng(0))
    epochs = [np.concatenate([batches.next() for _ in range(batches.steps_per_epoch)]) for _ in range(3)]
    for epoch in epochs:
        assert len(epoch) == 9 and len(set(epoch)) == 9  # the partial last batch is dropped
    assert not np.array_equal(epochs[0], epochs[1])


def test_batches_go_on_from_a_saved_position():
    batches = Batches(10, 3, np.random.default_rng(0))
    for _ in range(4):
        batches.next()
    saved = batches.order, batches.position, batches.rng.bit_generator.state
    expected = [batches.next() for _ in range(5)]

    again = Batches(10, 3, np.random.default_rng(99))
    again.order, again.position, again.rng.bit_generator.state = saved
    np.testing.assert_array_equal([again.next() for _ in range(5)], expected)


@pytest.mark.parametrize("size, message", [(11, "larger than the data set of 10 images"), (0, "at least 1")])
def test_batches_refuse_a_wrong_size(size, message):
    with pytest.raises(InputError, match=message):
        Batches(10, size, np.random.default_rng(0))
