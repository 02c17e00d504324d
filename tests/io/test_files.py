"""Files replaced as a whole or not at all, whatever fails; and files that are no files."""

import errno
import io
import os
import socket
import threading
import zipfile

import numpy as np
import pytest
from tiny import tiny_trainer

from nanogan.data.idx import read_idx
from nanogan.data.images import load_images
from nanogan.errors import InputError
from nanogan.io import checkpoint, files
from nanogan.io.files import Arrays, Content, opened, read_all, read_npy, replacing
from nanogan.training.run_folder import RunFolder
from nanogan.training.trained import load_generator


class Faults:
    """A file system whose n-th operation fails with `code`, and with `lasting` every one after it.

    Counted are the operations of writing: making, writing, flushing and closing the temporary file, both fsyncs, the
    rename, and removing files. `calls` are their names.
    """

    def __init__(self, code, fails_at, *, lasting=False):
        self.code, self.fails_at, self.lasting, self.calls = code, fails_at, lasting, []

    def operation(self, name):
        self.calls.append(name)
        if len(self.calls) == self.fails_at or (self.lasting and len(self.calls) > self.fails_at):
            raise OSError(self.code, os.strerror(self.code))

    def before(self, name, function):
        def faulty(*arguments, **options):
            self.operation(name)
            return function(*arguments, **options)

        return faulty

    def open(self, path, mode):
        self.operation("open")
        return FaultyFile(path, mode, self)

    def install(self, patch):
        for name in ("replace", "unlink"):
            patch.setattr(os, name, self.before(name, getattr(os, name)))
        patch.setattr(os, "fsync", lambda descriptor: self.operation("fsync"))  # the disk itself is not on trial
        patch.setattr(files, "open", self.open, raising=False)


class FaultyFile(io.FileIO):
    def __init__(self, path, mode, faults):
        super().__init__(path, mode.replace("b", ""))
        self.faults = faults

    def write(self, data):
        self.faults.operation("write")
        return super().write(data)

    def flush(self):
        if not self.closed:
            self.faults.operation("flush")
        super().flush()


ERRORS = {"full disk": errno.ENOSPC, "failing disk": errno.EIO, "read-only": errno.EROFS, "quota": errno.EDQUOT}


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("error", ERRORS)
def test_after_a_fault_at_any_moment_of_saving_a_good_checkpoint_is_there(tmp_path, monkeypatch, error, lasting):
    """Every operation of the save path in turn fails. What was saved before, or the new, loads to the last bit."""
    path = tmp_path / "c.npz"
    old, new = tiny_trainer(steps=2), tiny_trainer(steps=5)
    new.save(path)
    saved_new = path.read_bytes()
    old.save(path)
    saved_old = path.read_bytes()
    at, outcomes = 0, []
    while True:
        at += 1
        faults = Faults(ERRORS[error], at, lasting=lasting)
        with monkeypatch.context() as patch:
            faults.install(patch)
            try:
                new.save(path)
                assert len(faults.calls) < at  # nothing was left to fail
                break
            except InputError as refusal:
                assert str(refusal).startswith(f"{path}: could not be written ({os.strerror(ERRORS[error])})")
                assert "\n" not in str(refusal)
        outcomes.append((faults.calls[at - 1], path.read_bytes() == saved_new))
        assert path.read_bytes() in (saved_old, saved_new)
        assert checkpoint.load(path)[1]["steps"] in (2, 5)
        if not lasting:
            assert os.listdir(tmp_path) == ["c.npz"]
        old.save(path)
        assert os.listdir(tmp_path) == ["c.npz"]  # what the fault left was cleared away
    operations = [name for name, _ in outcomes]
    assert len(operations) > 50 and set(operations) == {"unlink", "open", "write", "flush", "fsync", "replace"}
    assert operations[-1] == "fsync" and [name for name, is_new in outcomes if is_new] == ["fsync"]  # of the folder


def test_the_disk_has_the_content_before_it_has_the_name(tmp_path, monkeypatch):
    faults = Faults(errno.EIO, fails_at=0)
    faults.install(monkeypatch)
    with replacing(tmp_path / "a") as file:
        file.write(b"content")
    monkeypatch.undo()
    written = [name for name in faults.calls if name != "flush"]
    assert written == ["unlink", "open", "write", "fsync", "replace", "fsync"]


def test_an_error_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a"]


def test_what_a_killed_run_left_is_written_over(tmp_path):
    (tmp_path / "a.new").write_text("half of an earlier one")
    with replacing(tmp_path / "a") as file:
        file.write(b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole" and os.listdir(tmp_path) == ["a"]


def test_nothing_is_written_through_a_link(tmp_path):
    (tmp_path / "precious").write_text("old")
    for name in ("a", "a.new"):
        (tmp_path / name).symlink_to(tmp_path / "precious")
    with replacing(tmp_path / "a") as file:
        file.write(b"new")
    assert (tmp_path / "precious").read_text() == "old" and (tmp_path / "a").read_text() == "new"
    assert not (tmp_path / "a").is_symlink()


def test_a_folder_that_has_vanished_is_named(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create()
    folder.samples.rmdir()
    folder.path.rmdir()
    with pytest.raises(InputError, match=r"config\.json: could not be written \(No such file or directory\)"):
        folder.write_config({})


# ---- reading


def special_files(folder):
    os.mkfifo(folder / "pipe")
    (folder / "device").symlink_to("/dev/zero")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
    return [folder / name for name in ("pipe", "device", "loop", "folder", "socket", "missing")]


@pytest.mark.skipif(os.name == "nt", reason="pipes and devices have no names in Windows' folders")
def test_special_files_are_refused_at_once(tmp_path):
    """A pipe that nobody writes to, a device without an end: reading either would never return."""
    for path in special_files(tmp_path):
        for read in (load_generator, lambda path: read_idx(path, axes=3), lambda path: read_all(path, at_most=9)):
            refused = refusal_within_seconds(read, path)
            assert path.name in refused and "\n" not in refused


def refusal_within_seconds(read, path):
    messages = []

    def try_it():
        with pytest.raises(InputError) as caught:
            read(path)
        messages.append(str(caught.value))

    reader = threading.Thread(target=try_it, daemon=True)
    reader.start()
    reader.join(timeout=10)
    assert messages, f"{path.name} hangs"
    return messages[0]


@pytest.mark.skipif(os.name == "nt", reason="pipes have no names in Windows' folders")
@pytest.mark.parametrize("name", ["a.npy", "a.npz", "train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "a.png"])
def test_a_pipe_in_place_of_data_is_refused(tmp_path, name):
    if name == "a.png":
        pytest.importorskip("PIL.Image", reason="Pillow isn't needed on a machine that only tests a GPU")
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match="found a folder, pipe or device"):
        load_images(tmp_path / name if name[:3] == "a.n" else tmp_path)


def test_links_to_regular_files_are_followed(tmp_path):
    np.save(tmp_path / "there.npy", np.eye(28, dtype=np.uint8)[None] * np.full((3, 1, 1), 255, np.uint8))
    (tmp_path / "here.npy").symlink_to(tmp_path / "there.npy")
    assert load_images(tmp_path / "here.npy").shape == (3, 28, 28, 1)


def test_a_text_longer_than_allowed_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_all(tmp_path / "a", at_most=5) == b"12345"
    with pytest.raises(InputError, match="at most 4 bytes, found 5"):
        read_all(tmp_path / "a", at_most=4)


@pytest.mark.parametrize("dtype", ["u1", "i8", "f2", "<f4", ">f8", "?", "U5"])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3, 4)])
@pytest.mark.parametrize("order", "CF")
def test_read_npy_reads_what_numpy_writes(tmp_path, dtype, shape, order):
    array = np.asarray(np.arange(np.prod(shape)).reshape(shape).astype(dtype), order=order)
    np.save(tmp_path / "a.npy", array)
    with opened(tmp_path / "a.npy") as (file, length):
        found = read_npy(Content(file, length))
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_a_hundred_bytes_that_claim_a_million_million_images_are_refused(tmp_path):
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 28, 28), }"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", content)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(InputError, match=r"takes 784,000,000,000,000 bytes after it.*is truncated"):
            load_images(tmp_path / name)


def test_objects_are_refused_without_being_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "it ran"),))

    np.save(tmp_path / "a.npy", np.array([Bomb()], object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", np.array([Bomb()], object))
    for read, name in ((load_images, "a.npy"), (load_images, "a.npz"), (load_generator, "a.npz")):
        with pytest.raises(InputError, match="it holds Python objects"):
            read(tmp_path / name)
    assert not (tmp_path / "it ran").exists()


def test_a_member_that_was_changed_is_found(tmp_path):
    """Zip's own sum of each member."""
    np.savez(tmp_path / "a.npz", np.eye(28, dtype=np.uint8)[None] * np.full((3, 1, 1), 255, np.uint8))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[1000] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match="Bad CRC"):
        load_images(tmp_path / "a.npz")


def test_an_archive_gives_its_arrays_by_name(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.arange(3), b=np.eye(2))
    with opened(tmp_path / "a.npz") as (file, length):
        held = Arrays(file, length)
        assert held.names == ["a", "b"] and held.read("b").tolist() == [[1, 0], [0, 1]]
        with pytest.raises(ValueError, match="no array called c"):
            held.read("c")
