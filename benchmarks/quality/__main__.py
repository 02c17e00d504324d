"""What there is to run here: `python -m benchmarks.quality` prints each part with the first line of its docstring."""

import ast
from pathlib import Path

if __name__ == "__main__":
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        print(f"python -m benchmarks.quality.{path.stem:16}{docstring.splitlines()[0]}")
