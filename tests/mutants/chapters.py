"""Run the chapters on each copy of the package with a wrong gradient, and tell which notice.

    python tests/mutants/chapters.py [CHAPTER.ipynb ...]

Prints a table of mutants and, for each chapter, the first cell whose output differs. Takes about
half an hour, so it is not a part of the tests; those of `test_mutants.py` take two minutes.
"""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from mutants import GRADIENT_MUTANTS, ROOT, Mutant, copy_package

# Every chapter prints the version first: if it does not notice this, its kernel runs no copy.
ANOTHER_VERSION = Mutant(
    "another version", "__init__.py", '__version__ = "', '__version__ = "0.', "control"
)


def first_difference(chapter, mutant):
    """Return the number of the first cell that differs from its stored output, or None."""
    with TemporaryDirectory() as folder:
        environment = copy_package(Path(folder), mutant) | {"TQDM_DISABLE": "1"}
        command = ["-m", "pytest", "--nbval", "--nbval-current-env", "-x", "-q"]
        done = subprocess.run(
            [sys.executable, *command, "-p", "no:cacheprovider", chapter],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
    if done.returncode == 0:
        return None
    failed = re.search(r"^FAILED .*::Cell (\d+)", done.stdout, re.MULTILINE)
    if done.returncode != 1 or not failed:
        sys.exit(f"{chapter} could not be run:\n{done.stdout}{done.stderr}")
    return int(failed[1])


def main(chapters):
    pool = ThreadPoolExecutor(os.cpu_count())

    def row(mutant):
        return list(pool.map(lambda chapter: first_difference(chapter, mutant), chapters))

    for chapter, cell in zip(chapters, row(None), strict=True):
        if cell is not None:
            sys.exit(f"{chapter} fails without a mutant, in cell {cell}")
    for chapter, cell in zip(chapters, row(ANOTHER_VERSION), strict=True):
        if cell is None:
            sys.exit(f"{chapter} does not run the copy of the package")
    print("| mutant |", *(f"{Path(chapter).stem} |" for chapter in chapters))
    print("|---|" + "---|" * len(chapters))
    unnoticed = 0
    for mutant in GRADIENT_MUTANTS:
        cells = row(mutant)
        unnoticed += all(cell is None for cell in cells)
        print(f"| {mutant} |", *("– |" if c is None else f"cell {c} |" for c in cells), flush=True)
    print(f"\n{len(GRADIENT_MUTANTS)} wrong gradients, {unnoticed} of them noticed by no chapter")
    return unnoticed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or sorted(map(str, (ROOT / "chapters").glob("*.ipynb")))))
