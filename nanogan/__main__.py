"""python -m nanogan COMMAND. `python -m nanogan --help` lists the commands; each is a file in `commands`."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from .commands.arguments import Parser, errors_in_one_line

COMMANDS = (
    *("train", "sample", "walk", "invert", "evaluate", "translate", "report"),
    *("explain", "learn", "breaks", "gradcheck"),
    *("doctor", "gpu_check"),
)


def main(arguments: list[str] | None = None) -> int:
    program = "nanogan" if Path(sys.argv[0]).stem == "nanogan" else "python -m nanogan"  # how it was called
    parser = Parser(prog=program, description="Train a GAN, and use one that was trained.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    for name in COMMANDS:
        import_module(f".commands.{name}", __package__).add_to(commands)
    args = parser.parse_args(arguments)
    with errors_in_one_line(program, smaller=getattr(args, "smaller", "")):
        return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
