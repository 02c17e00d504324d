"""On a GPU: a replayed step beside PyTorch's, recorded as a CUDA graph likewise, and beside its kernels' own time.

    python -m benchmarks.speed.graphs [--out FILE]       needs CuPy, and PyTorch with CUDA; about half a minute

The contenders take turns. A kernel's own time is what CUPTI measures (`torch.profiler` sees CuPy's kernels, too).
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nanogan.recipes.mnist import RECIPES

from .ours import Nanogan
from .reference import Setup
from .with_torch import FORMS, PyTorch

RECIPES_TIMED = ("vanilla", "dcgan", "nanogan")
STEPS, TURNS = 400, 5
EAGER = "PyTorch fused"


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.graphs", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("graphs.json"))
    args = parser.parse_args()
    found: dict[str, Any] = {"command": "python -m benchmarks.speed.graphs", "card": torch.cuda.get_device_name()}
    found["torch"] = torch.__version__
    for name in RECIPES_TIMED:
        found[name] = row = timed(name)
        print(name, row, flush=True)
    args.out.write_text(json.dumps(found, indent=1) + "\n")


def timed(name: str) -> dict[str, float]:
    """Milliseconds of a step: medians over turns, and the sum of its kernels."""
    recipe = RECIPES[name]
    setup = Setup(recipe, recipe.batch_size, backend="cupy")
    ours = Nanogan(setup)
    contenders: dict[str, Any] = {"nanogan": ours}
    contenders |= {form: PyTorch(setup, FORMS[form]) for form in ("PyTorch graphed", EAGER)}
    for contender in contenders.values():
        contender.run(20)
    turns: dict[str, list[float]] = {label: [] for label in contenders}
    for _ in range(TURNS):
        for label, contender in contenders.items():
            steps = STEPS // 4 if label == EAGER else STEPS
            turns[label].append(1e3 * contender.seconds(contender.run, steps) / steps)
    row = {f"{label}, ms": statistics.median(times) for label, times in turns.items()}
    return row | kernels(ours.trainer.step, ours.finish)


def kernels(step: Callable[[], Any], finish: Callable[[], Any], steps: int = 5) -> dict[str, float]:
    """How many kernels and copies a step starts on the GPU, and their own time in milliseconds."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    step()
    finish()
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        for _ in range(steps):
            step()
        finish()
        torch.cuda.synchronize()
    events = [event for event in seen.events() if str(event.device_type).endswith("CUDA")]
    own = sum(event.time_range.elapsed_us() for event in events)
    return {"kernels": len(events) / steps, "kernels' own, ms": own / 1e3 / steps}


if __name__ == "__main__":
    main()
