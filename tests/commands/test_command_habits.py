"""Commands as people use them: piped, without streams, interrupted, resumed from elsewhere, under any name."""

import json
import os
import shlex
import signal
import subprocess
import sys

import numpy as np
import pytest
from running import ROOT, run, size_of

from nanogan.commands import sample
from nanogan.commands.arguments import errors_in_one_line, how_to_resume
from nanogan.io.plots import MOST_IN_GRID
from nanogan.recipes.mnist import get_recipe
from nanogan.training.gan_trainer import Trainer
from nanogan.training.trained import load_generator

EXAMPLE = str(ROOT / "examples" / "mnist_gan.py")
SMALL = ("--recipe", "vanilla", "--batch-size", 10, "--seed", 0, "--data")

posix = pytest.mark.skipif(os.name == "nt", reason="these streams are a shell's")


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """Ten pictures, and a finished run of two epochs of a step each, begun with a relative --data."""
    folder = tmp_path_factory.mktemp("begun")
    np.save(folder / "d.npy", np.random.default_rng(0).integers(0, 256, (10, 28, 28), dtype=np.uint8))
    done = run(EXAMPLE, *SMALL, "d.npy", "--epochs", 2, "--out", "run", "--quiet", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


def shell(line, cwd, **variables):
    """A line of the shell in which `nanogan` is `python -m nanogan`, with `gone` for a reader that leaves."""
    nanogan = shlex.join([sys.executable, "-m", "nanogan"])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", **variables}
    script = f'set -o pipefail; nanogan() {{ {nanogan} "$@"; }}; {line}'
    command = ["bash", "-c", script]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


# ---- streams


@posix
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("streams", ["| head -1", "2>&-", ">&-", ">&- 2>&- <&-", ">/dev/full", ">/dev/full 2>&1"])
def test_a_run_is_complete_whatever_its_streams(begun, tmp_path, streams, unbuffered):
    train = f"nanogan train {shlex.join(map(str, SMALL))} {begun / 'd.npy'} --epochs 3 --out run"
    done = shell(f"{train} {streams}", tmp_path, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 0 and "Traceback" not in done.stderr and "Exception" not in done.stderr
    assert (tmp_path / "run" / "log.csv").read_text().splitlines()[-1].startswith("3,3,")
    if streams == ">/dev/full":
        assert "not all that it had to print could be written (No space left on device)" in done.stderr


@posix
@pytest.mark.parametrize("command", ["doctor", "train --list", "--help", "train --help"])
def test_what_is_only_printed_may_be_cut_off(tmp_path, command):
    for reader in ("| head -1", "| true", ">/dev/full"):
        done = shell(f"nanogan {command} {reader}", tmp_path)
        assert done.returncode == 0 and "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 1


# ---- names

NAMES = ["with spaces", "bïld 画 🐈", "-", "%s {} $HOME", "a\nb"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_works_in_any_terminal(begun, tmp_path, name):
    variables = {"N": f"{name}.png", "C": str(begun / "run" / "checkpoint.npz"), "PYTHONIOENCODING": "ascii"}
    done = shell('nanogan sample "$C" --seed 0 --out="$N"', tmp_path, **variables)
    assert (done.returncode, done.stderr) == (0, "") and size_of(tmp_path / f"{name}.png") == (466, 466)


BAD_NAMES = {
    "empty": ("", "is not the name of a file or folder"),
    "300 letters": ("x" * 300, "File name too long"),
    "a file": ("FILE", "cannot be written"),
    "in a file": ("FILE/run", "cannot be written"),
}


@pytest.mark.parametrize("case", BAD_NAMES)
@pytest.mark.parametrize("command", ["train", "train --resume"])
def test_a_folder_that_cannot_be_is_one_line(begun, tmp_path, case, command):
    name, message = BAD_NAMES[case]
    (tmp_path / "FILE").write_text("precious")
    settings = () if "--resume" in command else (*SMALL, begun / "d.npy")
    done = run("-m", "nanogan", *command.split(), *settings, "--out", name, "--steps", 1, cwd=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert message in done.stderr or (case in ("a file", "in a file") and "nothing to resume" in done.stderr)
    assert (tmp_path / "FILE").read_text() == "precious"


@pytest.mark.parametrize("checkpoint", ["", "x" * 300, "run", ".", "d.npy", "nope.npz", "bad\nname.npz"])
@pytest.mark.parametrize("command", ["sample", "evaluate"])
def test_what_is_no_checkpoint_is_one_line(begun, checkpoint, command):
    done = run("-m", "nanogan", command, checkpoint, cwd=begun)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    if checkpoint == "run":
        assert "is the folder of a run; give the checkpoint.npz in it" in done.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user")
def test_a_folder_that_one_may_not_enter(begun, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o700)
    code = (
        "import os, sys; from nanogan.commands.arguments import errors_in_one_line; from nanogan.training.run_folder "
    )
    code += "import RunFolder; os.setuid(65534)\nwith errors_in_one_line('p'): RunFolder(sys.argv[1] + '/run').create()"
    done = run("-c", code, tmp_path / "locked", cwd=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "Permission denied" in done.stderr


def test_home_is_meant_where_no_shell_has_said_so(begun, tmp_path):
    done = shell(f"nanogan train {shlex.join(map(str, SMALL))} {begun}/d.npy --steps 1 --quiet --out='~/run'", tmp_path,
                 HOME=str(tmp_path))  # fmt: skip
    assert done.returncode == 0 and (tmp_path / "run" / "checkpoint.npz").exists()


# ---- the environment


@pytest.mark.parametrize("backend", ["TkAgg", "module://ipykernel.pylab.backend_inline", "module://nope", "nonsense"])
def test_the_plot_is_drawn_whatever_matplotlib_is_told(tmp_path, backend):
    code = "import os; from nanogan.io import plots; row = dict(epoch=1, d_loss=1, g_loss=1, d_real=.5, d_fake=.5); "
    code += f"plots.save_losses('l.png', [row]); assert os.environ['MPLBACKEND'] == {backend!r}; import matplotlib; "
    code += "print(matplotlib.rcParams._get_backend_or_none())"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": backend, "MPLCONFIGDIR": "/proc/nowhere"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "") and size_of(tmp_path / "l.png") == (990, 396)
    assert done.stdout.strip() == ("None" if backend == "nonsense" else backend)  # a later pyplot's is the user's own


def test_a_broken_matplotlib_costs_the_plot_alone(begun, tmp_path):
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib" / "__init__.py").write_text("raise AttributeError('made for another NumPy')")
    command = f"nanogan train {shlex.join(map(str, SMALL))} {begun}/d.npy --steps 1 --quiet --out run"
    done = shell(command, tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert done.returncode == 0 and len(done.stderr.splitlines()) == 1
    assert "losses.png: left out, and the run goes on (AttributeError: made for another NumPy)" in done.stderr
    assert (tmp_path / "run" / "samples.gif").exists()


@posix
@pytest.mark.parametrize("program", ["-m nanogan", "mnist_gan.py", "image_to_image.py", "style.py", "ring.py"])
def test_ctrl_c_while_numpy_is_loaded_has_no_traceback(tmp_path, program):
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text("import time\nprint('loading', flush=True)\ntime.sleep(60)")
    words = program.split() if program.startswith("-m") else [str(ROOT / "examples" / program)]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    with subprocess.Popen(
        [sys.executable, *words],
        cwd=tmp_path,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout and process.stdout.readline() == "loading\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[1] == "" and process.returncode == 130


def test_a_program_that_uses_nanogan_keeps_its_ctrl_c(tmp_path):
    code = "import signal, nanogan; assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    assert run("-c", code, cwd=tmp_path).returncode == 0


# ---- going on


def test_a_finished_run_says_so_from_any_folder_and_how_to_go_further(begun, tmp_path):
    """Without --recipe and --data, which its config.json knows, the data by their whole path."""
    config = json.loads((begun / "run" / "config.json").read_text())
    assert config["data"] == str(begun / "d.npy") and config["recipe"] == "vanilla"
    for program in ([EXAMPLE], ["-m", "nanogan", "train"]):
        done = run(*program, "--resume", "--out", begun / "run", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith(f"{begun / 'run'}: this run is finished, after 2 steps; --epochs 4 goes further\n")


def test_nothing_to_resume_names_the_runs_that_are_there(begun):
    done = run(EXAMPLE, "--resume", "--out", "other", cwd=begun)
    assert done.returncode == 2 and "other: nothing to resume" in done.stderr
    assert "runs are in run: choose with --out" in done.stderr and len(done.stderr.splitlines()) == 1


def test_nanogan_train_is_the_example(begun, tmp_path):
    for out, program in (("a", [EXAMPLE]), ("b", ["-m", "nanogan", "train"])):
        done = run(*program, *SMALL, begun / "d.npy", "--steps", 2, "--out", out, "--quiet", cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    one, other = (load_generator(tmp_path / out / "checkpoint.npz")[0].params for out in "ab")
    np.testing.assert_array_equal(one, other)
    assert (tmp_path / "a" / "config.json").read_text() == (tmp_path / "b" / "config.json").read_text()


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["examples/mnist_gan.py", "--out", "a b"], "python examples/mnist_gan.py --out 'a b' --resume"),
        (["/site/nanogan/__main__.py", "train"], "python -m nanogan train --resume"),
        (["/venv/bin/nanogan", "train", "--resume"], "nanogan train --resume"),
    ],
)
def test_how_to_resume_is_what_was_typed(monkeypatch, argv, expected):
    monkeypatch.setattr(sys, "argv", argv)
    assert how_to_resume() == expected


def test_ten_pictures_are_trained_at_the_speed_of_training(begun, tmp_path):
    """An epoch is one step here: reports follow the clock."""
    done = run("-m", "nanogan", "train", *SMALL, begun / "d.npy", "--steps", 100, "--out", "run", cwd=tmp_path)
    assert done.returncode == 0 and 2 <= len(done.stdout.splitlines()) < 30
    assert 2 <= len(list((tmp_path / "run" / "samples").iterdir())) < 30


# ---- memory


@pytest.mark.parametrize("chunk", [1000, 7])
def test_samples_are_the_same_in_chunks_of_any_size(begun, tmp_path, monkeypatch, chunk):
    G, recipe = load_generator(begun / "run" / "checkpoint.npz")
    whole = np.concatenate(list(sample.drawn(G, recipe, 20, 5)))
    monkeypatch.setattr(sample, "CHUNK", chunk)
    sample.save_array(tmp_path / "s.npy", 20, sample.drawn(G, recipe, 20, 5))
    found = np.load(tmp_path / "s.npy")
    assert found.shape == (20, 28, 28) and found.dtype == np.float32
    np.testing.assert_allclose(found, whole[..., 0], atol=1e-6)  # products of other sizes round otherwise


def test_samples_take_as_much_memory_for_many_as_for_few(begun, tmp_path):
    """A million goes the same way; 30,000 images alone are 94 MB."""
    resource = pytest.importorskip("resource")
    code = "import resource, sys; from nanogan.__main__ import main; main(sys.argv[1:]); "
    code += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    peaks = []
    for count in (1000, 30_000):
        command = ("-c", code, "sample", begun / "run" / "checkpoint.npz", "--seed", 0, "--count", count)
        done = run(*command, "--out", "s.npy", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout.splitlines()[-1]))
    assert resource and np.load(tmp_path / "s.npy", mmap_mode="r").shape == (30_000, 28, 28)
    assert peaks[1] - peaks[0] < 20, peaks


def test_a_grid_of_a_million_is_refused_with_what_works(begun):
    done = run("-m", "nanogan", "sample", "run/checkpoint.npz", "--count", 10**6, "--out", "grid.png", cwd=begun)
    assert done.returncode == 2 and "choose a smaller --count, or a .npy file" in done.stderr
    assert f"at most {MOST_IN_GRID // 784:,} of these images" in done.stderr


@pytest.mark.parametrize(
    ("command", "option"), [("sample", "--count"), ("evaluate", "--count"), ("train", "--batch-size")]
)
def test_out_of_memory_names_an_option_that_the_command_has(begun, monkeypatch, capsys, command, option):
    from nanogan import __main__ as program

    def too_much(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(Trainer, "__init__", too_much)
    monkeypatch.setattr("nanogan.training.trained.load_generator", too_much)
    words = (
        [command, "c.npz"] if option == "--count" else [command, *map(str, SMALL), str(begun / "d.npy"), "--out", "new"]
    )
    monkeypatch.chdir(begun)
    with pytest.raises(SystemExit) as ended:
        program.main(words)
    assert ended.value.code == 2 and capsys.readouterr().err == (
        f"python -m nanogan: error: out of memory; choose a smaller {option}\n"
    )
    with pytest.raises(SystemExit):
        program.main([command, "--help"])
    assert option in capsys.readouterr().out


def test_an_error_of_the_system_is_one_line(capsys):
    with pytest.raises(SystemExit) as ended, errors_in_one_line("p"):
        raise OSError(122, "Disk quota exceeded", "a\nb")
    assert ended.value.code == 2 and capsys.readouterr().err == "p: error: a b: Disk quota exceeded\n"


# ---- numbers

WRONG = ["--steps=0", "--steps=nan", "--steps=1e3", "--epochs=1.5", "--epochs=inf", "--seed=-1", "--seed=1e3"]
WRONG += ["--batch-size=nan", "--sample-every=0", "--sample-every=1.5s", "--checkpoint-every=nan", "--data="]


@pytest.mark.parametrize("argument", WRONG)
def test_a_setting_that_is_no_number_is_refused_by_name(argument, capsys):
    from nanogan import __main__ as program

    with pytest.raises(SystemExit) as ended:
        program.main(["train", argument])
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2 and f"argument {argument.split('=')[0]}:" in line


def test_a_huge_seed_is_a_seed():
    images = np.zeros((64, 28, 28, 1), np.float32)
    one, other = (Trainer(get_recipe("vanilla"), images, seed=seed) for seed in (10**40, 10**40))
    np.testing.assert_array_equal(one.G.params, other.G.params)
