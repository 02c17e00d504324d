"""Commands as a user types them, for the tests of all commands."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(*arguments, cwd, **options):
    """A command of this Python in an otherwise empty folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, **options)


def start(*arguments, cwd):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, *map(str, arguments)], cwd=cwd, env=environment, stderr=subprocess.PIPE)


def size_of(picture):
    from PIL import Image

    with Image.open(picture) as opened:
        return opened.size
