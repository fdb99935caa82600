"""Write the pinned requirements from the extras in pyproject.toml; `make pins` runs it.

requirements/test.txt and book.txt name every package, direct or not, with its exact version and
the hashes of its files, for every Python and platform the course supports. In
binder/requirements.txt stand only the packages that chapters import: Binder brings a Jupyter of
its own, in which nothing else may be moved.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMON = ["--quiet", "--upgrade", "--custom-compile-command", "make pins", "--output-file"]
EXACT = ["--universal", "--python-version", "3.11", "--fork-strategy", "fewest"]
EXACT += ["--generate-hashes"]
AS_TESTED = ["--constraint", "requirements/test.txt"]
BINDER = ["--python-platform", "x86_64-unknown-linux-gnu", "--python-version", "3.12", "--no-deps"]


def resolve(target: str, *arguments: str, requirements: str = "") -> None:
    """Run `uv pip compile` with its source and options; `-` stands for `requirements`."""
    print(f"Resolving {target} ...", flush=True)
    subprocess.run(
        [sys.executable, "-m", "uv", "pip", "compile", *arguments, *COMMON, target],
        input=requirements,
        text=True,
        cwd=ROOT,
        check=True,
    )


def main() -> None:
    """Pin the extra `test`, then everything else to the same versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    # Not with `--extra book`, which would bring NumPy and matplotlib along.
    book = "\n".join(extras["book"])
    imported = [name for name in extras["chapters"] if not name.startswith("ipykernel")]
    binder = "\n".join(project["dependencies"] + imported)
    resolve("requirements/test.txt", "pyproject.toml", "--extra", "test", *EXACT)
    resolve("requirements/book.txt", "-", *EXACT, *AS_TESTED, requirements=book)
    resolve("binder/requirements.txt", "-", *BINDER, *AS_TESTED, requirements=binder)


if __name__ == "__main__":
    main()
