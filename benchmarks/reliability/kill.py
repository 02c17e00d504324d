"""Kill short runs at random moments, resume each, and compare what is left with a run that nobody stopped.

    python -m benchmarks.reliability.kill                  200 runs; the result goes to benchmarks/results/kill.json
    python -m benchmarks.reliability.kill --kills 20       fewer

Each run is the user's own command, examples/mnist_gan.py, in a process that is forked from one that has imported
everything (so this needs Linux or macOS), and ended by SIGKILL at a moment drawn uniformly from the length of a whole
run: while weights are made, in steps, in the middle of a write. Then --resume, to the end.

Two runs are the same if their folders hold the same files, bit for bit. Only the clock is left out: the column
`seconds` of log.csv, in the checkpoint the seconds of the run and of the log's rows, and environment.json, which has a
step's time. No report is made, because it shows all of these.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib.util
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: a forked process has no second thread

import matplotlib.figure  # noqa: F401  (so that no run has to)
import numpy as np
import PIL.Image
import tqdm  # noqa: F401

from nanogan.io import checkpoint

ROOT = Path(__file__).parents[2]
RESULT = Path(__file__).parents[1] / "results" / "kill.json"
IMAGES, BATCH, EPOCHS = 192, 16, 4  # 12 steps an epoch, 48 in all: some checkpoints fall due at an epoch's end
ARGUMENTS = ["--seed", "7", "--epochs", str(EPOCHS), "--batch-size", str(BATCH), "--checkpoint-every", "4", "--quiet"]
ARGUMENTS += ["--no-report"]
ARGUMENTS += ["--sample-every", str(IMAGES // BATCH)]  # not by the clock, which leaves out such short epochs


def example() -> Any:
    """examples/mnist_gan.py as a module."""
    spec = importlib.util.spec_from_file_location("mnist_gan", ROOT / "examples" / "mnist_gan.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start(program: Any, arguments: list[str]) -> int:
    """The process id of a run of the example."""
    if child := os.fork():
        return child
    try:
        sys.argv = ["mnist_gan.py", *arguments]
        status = program.main(program.parse_arguments())
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        status = 1
    os._exit(status)


def finish(process: int) -> None:
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if status:
        raise SystemExit(f"a run ended with status {status}")


def identity(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a run's folder, by name, the clock left out."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "environment.json")
    return {str(path.relative_to(folder)): fingerprint(path) for path in files}


def fingerprint(path: Path) -> str:
    if path.suffix == ".npz":
        arrays, meta = checkpoint.load(path)
        del meta["seconds"]
        arrays["log"] = np.delete(arrays["log"], meta["columns"].index("seconds"), axis=1)
        return checkpoint.digest({**arrays, "meta": np.array(json.dumps(meta))})
    content = path.read_bytes()
    if path.suffix == ".csv":
        rows = [{**row, "seconds": ""} for row in csv.DictReader(content.decode().splitlines())]
        content = json.dumps(rows).encode()
    return hashlib.sha256(content).hexdigest()


def kill_and_resume(program: Any, arguments: list[str], folder: Path, after: float) -> dict[str, Any] | None:
    """What a run left that was killed after so many seconds and then resumed; None if it had ended before."""
    process = start(program, [*arguments, "--out", str(folder)])
    time.sleep(after)
    os.kill(process, signal.SIGKILL)
    if os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) != -signal.SIGKILL:
        return None
    left = [path.name for path in folder.rglob("*") if path.is_file()]
    saved = folder / "checkpoint.npz"
    record = {
        "after": round(after, 4),
        "checkpoint at step": checkpoint.load(saved)[1]["steps"] if saved.exists() else None,
        "half-written": [name for name in left if name.endswith(".new")],
    }
    begun = saved.exists() or (folder / "config.json").exists()  # else it was killed before it had written anything
    finish(start(program, [*arguments, "--out", str(folder), *["--resume"] * begun]))
    return {**record, "identity": identity(folder)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--recipe", default="vanilla")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    program, moments, records = example(), random.Random(args.seed), list[dict[str, Any]]()
    PIL.Image.init()
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "images.npy"
        np.save(data, np.random.default_rng(0).integers(0, 256, (IMAGES, 28, 28), dtype=np.uint8))
        arguments = [*ARGUMENTS, "--recipe", args.recipe, "--data", str(data)]
        began = time.monotonic()
        finish(start(program, [*arguments, "--out", f"{scratch}/whole"]))
        length, expected = time.monotonic() - began, identity(Path(scratch) / "whole")
        while len(records) < args.kills:
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                run = kill_and_resume(program, arguments, Path(folder) / "run", moments.uniform(0, length))
            records += [run] if run else []
    for run in records:
        found = run.pop("identity")
        run["different"] = sorted(
            name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
        )
    result = {
        "command": " ".join(["python -m benchmarks.reliability.kill", *sys.argv[1:]]),
        "files compared in each run": sorted(expected),
        "seconds of a whole run": round(length, 2),
        "kills": len(records),
        "identical": sum(not run["different"] for run in records),
        "before the first checkpoint": sum(run["checkpoint at step"] is None for run in records),
        "in the middle of a write": sum(bool(run["half-written"]) for run in records),
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n  ".join(map(json.dumps, records))
    args.out.write_text(f'{json.dumps(result, indent=1)[:-2]},\n "runs": [\n  {lines}\n ]\n}}\n')
    print(json.dumps(result, indent=1))
    return 0 if result["identical"] == args.kills else 1


if __name__ == "__main__":
    sys.exit(main())
