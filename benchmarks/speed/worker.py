"""A contender in a process of its own, which does what it is asked, line by line: be checked, be timed.

Thread pools of different libraries in one process would disturb each other. Here each has its own, and while one
contender is timed the others wait for a line.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from typing import Any, TypeAlias

from nanogan.recipes.recipe import describe, restore

from .contenders import BEFORE, OURS, build
from .environment import ROOT, variables
from .ours import Nanogan
from .reference import Contender, Missing, Setup, Work, recorded

WARM_UP = 0.06  # seconds of steps before each timed round: another library's threads may spin for some 30 ms after use
ROUND = 0.12  # seconds that a round should take


class Worker:
    """The parent's end: a process that runs `main` below."""

    def __init__(self, contender: str, setup: Setup) -> None:
        self.contender = contender
        checkout = setup.before if contender == BEFORE and setup.before else ROOT
        job = {
            "contender": OURS if contender == BEFORE else contender,
            "recipe": describe(setup.recipe),
            "batch_size": setup.batch_size,
            "backend": setup.backend,
            "threads": setup.threads,
            "clock": setup.clock,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.speed.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=checkout,  # where Python looks first
            env=variables(setup.threads, setup.avx2, checkout),
        )
        self._write(job)

    def _write(self, value: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()

    def ask(self, what: str) -> Any:
        """Its answer to "start", "check" or "time". Raises Missing where it can't take part."""
        assert self.process.stdout
        self._write(what)
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.contender}: its process ended with status {self.process.wait()}")
        value = json.loads(answer)
        if isinstance(value, dict) and "missing" in value:
            raise Missing(value["missing"])
        return value

    def close(self) -> None:
        """End the process, which waits for a line that never comes."""
        self.process.communicate()


# ---- the other end


Losses: TypeAlias = tuple[tuple[float, float], tuple[float, float]]
"""Of D and G: the reference's, and a contender's."""


class Server:
    """What can be asked for, by name."""

    def __init__(self, name: str, setup: Setup) -> None:
        self.name, self.setup, self.plain = name, setup, setup.without_dropout()
        self.losses: list[Losses] = []
        self.contender = build(name, setup)
        self.repetitions: dict[str, int] = {}

    def start(self) -> dict[str, float]:
        """Peak memory after two steps, in MB; for nanogan, what a step does, too."""
        if self.contender.compiles and self.plain == self.setup:
            self.losses = self._losses(self.contender)
        self.contender.run(2)
        self.contender.finish()
        facts = {"peak_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
        self.parts = self.contender.parts()
        return facts | (self.contender.facts() if isinstance(self.contender, Nanogan) else {})

    def check(self) -> list[Losses]:
        """(losses of the reference, losses got) for every recorded step."""
        return self.losses or self._losses(build(self.name, self.plain))

    def _losses(self, contender: Contender) -> list[Losses]:
        return [(step.losses, contender.losses(step)) for step in recorded(self.plain)]

    def time(self) -> dict[str, float]:
        """Milliseconds that each part takes."""
        return {name: 1000 * self._seconds(name, work) for name, work in self.parts.items()}

    def _seconds(self, name: str, work: Work) -> float:
        if name not in self.repetitions:
            work(2)
            self.repetitions[name] = max(1, round(ROUND / self.contender.seconds(work, 1)))
        n = self.repetitions[name]
        self.contender.seconds(work, max(1, round(n * WARM_UP / ROUND)))
        return self.contender.seconds(work, n) / n


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to the terminal, not into the answers
    job = json.loads(sys.stdin.readline())
    setup = Setup(restore(job["recipe"]), job["batch_size"], job["backend"], job["threads"], job["clock"])
    server = None
    for line in sys.stdin:
        try:
            server = server or Server(job["contender"], setup)
            answer = getattr(server, json.loads(line))()
        except Missing as missing:
            answer = {"missing": str(missing)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
