"""Where a run was trained: all that its numbers depend on, and nothing that tells who trained it."""

from __future__ import annotations

import getpass
import json
import platform
import subprocess
from pathlib import Path

import numpy as np
from tiny import tiny_trainer

import nanogan
from nanogan.commands.environment import commit, environment


def test_it_names_what_numbers_and_times_depend_on() -> None:
    found = environment(tiny_trainer(steps=2))
    assert found["nanogan"] == nanogan.__version__ and found["numpy"] == np.__version__
    assert found["python"] == platform.python_version() and found["floor_ms"] > 0
    text = json.dumps(found)
    names = (getpass.getuser(), platform.node())
    assert not any(f'"{name}"' in text or f"/{name}" in text for name in names) and str(Path.home()) not in text


def test_before_the_first_step_there_is_no_floor() -> None:
    assert "floor_ms" not in environment(tiny_trainer())


def test_the_commit_of_a_checkout_and_of_none(tmp_path: Path) -> None:
    assert commit(tmp_path) == "none, an installed package"

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
        done = subprocess.run(
            ["git", "-C", tmp_path, *identity, *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    git("init", "-q")
    assert commit(tmp_path) == "unknown"  # there is none yet
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "a")
    assert commit(tmp_path) == git("rev-parse", "HEAD")[:12]
    (tmp_path / "a").write_text("2")
    assert commit(tmp_path).endswith("-dirty")
