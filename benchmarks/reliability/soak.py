"""Train for an hour with a checkpoint every 10 seconds, and watch the process from outside: memory, open files.

    python -m benchmarks.reliability.soak                       an hour; the result goes to benchmarks/results/soak.json
    python -m benchmarks.reliability.soak --minutes 3           a shorter look

The command is the user's own, examples/mnist_gan.py. Its resident memory and open file descriptors are read from /proc
(so this needs Linux) every 5 seconds. The slope of memory over time is fitted by least squares to what comes after the
first five minutes, or the first twelfth of a shorter run; it should stay under 1 MB an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
RESULT = Path(__file__).parents[1] / "results" / "soak.json"
PAGE = os.sysconf("SC_PAGE_SIZE")
SECONDS_BETWEEN_LOOKS = 5


def look(pid: int) -> tuple[int, int]:
    """Resident memory in bytes and the number of open file descriptors of a process."""
    resident_pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return resident_pages * PAGE, len(os.listdir(f"/proc/{pid}/fd"))


def watch(process: subprocess.Popen[bytes], checkpoint: Path, minutes: float) -> list[tuple[float, int, int, int]]:
    """(seconds since the start, bytes of memory, open files, checkpoints seen so far), every few seconds."""
    rows, saved, last, began = [], 0, 0.0, time.monotonic()
    while (now := time.monotonic() - began) < 60 * minutes:
        if process.poll() is not None:
            raise SystemExit(f"the run ended after {now:.0f} s with status {process.returncode}")
        written = checkpoint.stat().st_mtime if checkpoint.exists() else 0.0
        saved, last = saved + (written != last), written
        rows.append((now, *look(process.pid), saved))
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--recipe", default="vanilla")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        arguments = ["--recipe", args.recipe, "--seed", "0", "--epochs", "100000", "--checkpoint-every", "10s"]
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "examples" / "mnist_gan.py"), *arguments, "--quiet", "--out", str(run)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            rows = watch(process, run / "checkpoint.npz", args.minutes)
            epochs = len(list((run / "samples").glob("*.png")))
            files = sorted(str(path.relative_to(run)) for path in run.iterdir())
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    seconds, memory, descriptors, saved = (np.array(column, float) for column in zip(*rows, strict=True))
    settled = seconds > min(300.0, 5 * args.minutes)
    slope, _ = np.polyfit(seconds[settled], memory[settled], 1)
    result = {
        "command": " ".join(["python -m benchmarks.reliability.soak", *sys.argv[1:]]),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}",
        "training": " ".join(arguments),
        "minutes": round(float(seconds[-1]) / 60, 1),
        "epochs": epochs,
        "checkpoints seen": int(saved[-1]),
        "memory after 5 minutes, MB": round(float(memory[settled][0]) / 1e6, 2),
        "memory at the end, MB": round(float(memory[-1]) / 1e6, 2),
        "most memory, MB": round(float(memory.max()) / 1e6, 2),
        "slope, MB an hour": round(float(slope) * 3600 / 1e6, 3),
        "open files after 5 minutes": int(descriptors[settled][0]),
        "most open files": int(descriptors.max()),
        "open files at the end": int(descriptors[-1]),
        "files in the folder": files,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    minutes = [[round(row[0]), round(row[1] / 1e6, 2), *row[2:]] for row in rows[:: 60 // SECONDS_BETWEEN_LOOKS]]
    lines = ",\n  ".join(map(json.dumps, minutes))
    args.out.write_text(f'{json.dumps(result, indent=1)[:-2]},\n "every minute": [\n  {lines}\n ]\n}}\n')
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
