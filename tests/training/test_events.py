"""What --tensorboard writes, against stand-ins of both libraries; and what it says if there is neither."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
from running import ROOT, run
from tiny import tiny_trainer

from nanogan.errors import InputError
from nanogan.training import events
from nanogan.training.events import Events, event_library
from nanogan.training.loop import train
from nanogan.training.run_folder import RunFolder

NAMES = [
    name for messages, writer in events.FORMS for name in (f"{messages}.event_pb2", f"{messages}.summary_pb2", writer)
]


class Writer:
    """Keeps what it is given. It can be made to fail like a full disk."""

    made: ClassVar[list[Writer]] = []

    def __init__(self, folder: str) -> None:
        self.folder, self.written, self.is_open, self.full = folder, list[Any](), True, False
        self.made.append(self)

    def add_event(self, event: Any) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.written.append(event)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.is_open = False


def summary(**values: Any) -> SimpleNamespace:
    return SimpleNamespace(**values)


def install(monkeypatch: pytest.MonkeyPatch, form: int) -> None:
    """One of the two libraries, and not the other."""
    made: dict[str, Any] = {"event_pb2": {"Event": SimpleNamespace}}
    made["summary_pb2"] = {"Summary": type("Summary", (SimpleNamespace,), {"Value": summary, "Image": summary})}
    for name in NAMES:
        monkeypatch.setitem(sys.modules, name, None)  # as if it weren't there
    for name in NAMES[3 * form : 3 * form + 3]:
        module = ModuleType(name)
        vars(module).update(made.get(name.rpartition(".")[2], {"EventFileWriter": Writer}))
        parents = name.split(".")[:-1]
        for length in range(1, len(parents) + 1):
            monkeypatch.setitem(sys.modules, ".".join(parents[:length]), ModuleType(parents[length - 1]))
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize("form", [0, 1])
def test_every_epoch_is_an_event_with_its_numbers_and_its_picture(
    form: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, form)
    folder, trainer = RunFolder(tmp_path / "run"), tiny_trainer()
    folder.create()
    with Events(trainer, folder) as written:
        assert train(trainer, folder, 6, quiet=True, after_epoch=[written.update])
    writer = Writer.made[-1]
    assert writer.folder == str(tmp_path / "run" / "tensorboard") and not writer.is_open
    assert [event.step for event in writer.written] == [3, 6]
    values = {value.tag: value for value in writer.written[1].summary.value}
    assert values["d_loss"].simple_value == trainer.rows[1]["d_loss"]
    assert "gradient_norm" not in values  # nobody looked, so it is NaN
    image = values["samples"].image
    assert image.encoded_image_string == (folder.samples / "epoch-0002.png").read_bytes()
    assert (image.height, image.width) == (50, 50)


def test_a_full_disk_costs_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    install(monkeypatch, 0)
    folder, trainer = RunFolder(tmp_path / "run"), tiny_trainer()
    folder.create()
    with Events(trainer, folder) as written:
        written.writer.full = True
        assert train(trainer, folder, 6, quiet=True, after_epoch=[written.update])
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_without_either_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r'--tensorboard: needs .* pip install "nanogan\[tensorboard\]"'):
        event_library()


def test_nothing_of_it_is_loaded_otherwise(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.argv = ['', '--steps', '1', '--recipe', 'vanilla', '--seed', '0', '--no-report']\n"
        f"import runpy\ntry: runpy.run_path({str(ROOT / 'examples' / 'mnist_gan.py')!r}, run_name='__main__')\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'tensorboard', 'tensorboardX', 'google.protobuf', 'jinja2'} & sys.modules.keys()"
    )
    done = run("-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
