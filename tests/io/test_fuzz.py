"""A small part of `fuzz.py` in the suite: about 1,200 files, spread over all readers; the check itself works."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("PIL.Image", reason="Pillow isn't needed on a machine that only tests a GPU")

import hostile_files

from nanogan.data.images import load_images
from nanogan.errors import InputError
from tools import fuzz

EXAMPLES = 60  # for each of 20 readers


@pytest.mark.parametrize("name", fuzz.READERS)
def test_only_documented_errors_come_out(name):
    counts = fuzz.fuzz(fuzz.READERS[name], EXAMPLES)
    assert counts["taken"] > 0 and counts["refused"] > EXAMPLES / 4, "the files are all good, or all bad, to no purpose"


@pytest.mark.parametrize("name", fuzz.READERS)
def test_the_good_files_are_taken(name):
    reader = fuzz.READERS[name]
    assert all(fuzz.expect_return_or_input_error(reader, content) for content in reader.good)


def raises(error):
    def read(path):
        raise error

    return read


@pytest.mark.parametrize(
    "error", [KeyError("meta"), MemoryError(), InputError("two\nlines a.npy"), InputError("of another file")]
)
def test_the_check_sees_a_reader_that_breaks_the_rules(error):
    with pytest.raises((KeyError, MemoryError, AssertionError)):
        fuzz.fuzz(replace(fuzz.READERS["npy"], read=raises(error)), 3)


def test_the_check_sees_memory_beyond_the_bound():
    """What the script measures is what reading takes: here 40 MB more than there was."""
    memory = fuzz.Memory()
    if not fuzz.Path("/proc/self/clear_refs").exists():
        pytest.skip("memory is read from Linux's /proc")
    memory.of(lambda path: np.ones(5_000_000).sum())(fuzz.Path("a"))
    assert 35 < memory.most < 45


def test_a_bomb_is_refused_by_its_size(tmp_path):
    for kind, name in (
        ("gzip", "train-images-idx3-ubyte.gz"),
        ("npz", "a.npz"),
        ("PNG", "a.png"),
        ("npy", "a.npy.gz"),
        ("header", "a.npy.gz"),
        ("CSV", "a.csv.gz"),
    ):
        folder = tmp_path / kind
        folder.mkdir()
        (folder / name).write_bytes(hostile_files.bomb(kind))
        assert (folder / name).stat().st_size < 700_000
        with pytest.raises(InputError, match=r"truncated or dam|would unpack|too many|exceeds limit|header is dam"):
            load_images(folder / name if name.startswith("a.") and kind != "PNG" else folder)
