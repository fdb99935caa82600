"""Run the chapters on each copy of the package with a wrong gradient, and tell which notice.

    python tests/mutants/chapters.py [CHAPTER ...] [--mutants PATTERN]

Prints a table of mutants and, for each chapter, the first code cell, counted from 0, whose output
differs. All mutants and chapters are more than 2,000 runs of up to a minute, which takes many
hours: run the part that you have changed. `test_mutants.py`, a part of the tests, takes minutes.
"""

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from mutants import GRADIENT_MUTANTS, ROOT, Mutant, copy_package

# As in conftest.py and the Makefile: the stored numbers belong to one thread, without bars.
SETTINGS = {"OPENBLAS_NUM_THREADS": "1", "TQDM_DISABLE": "1"}

# Every chapter prints the version first: if it does not notice this, its kernel runs no copy.
ANOTHER_VERSION = Mutant(
    "another version", "__init__.py", '__version__ = "', '__version__ = "0.', "control"
)


def first_difference(chapter, mutant):
    """Return the number of the first cell that differs from its stored output, or None."""
    with TemporaryDirectory() as folder:
        environment = copy_package(Path(folder), mutant) | SETTINGS
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


def chosen():
    """Return the chapters and the mutants that the command line asks for."""
    parser = argparse.ArgumentParser(description="Run chapters on wrong gradients.")
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help="02_chain_rule, ...")
    parser.add_argument("--mutants", default="", help="a regular expression in their names")
    given = parser.parse_args()
    every = {path.stem: path for path in sorted((ROOT / "chapters").glob("*.ipynb"))}
    for name in given.chapters:
        if name not in every:
            parser.error(f"there is no chapter {name!r}: name any of {', '.join(every)}")
    mutants = [m for m in GRADIENT_MUTANTS if re.search(given.mutants, str(m))]
    if not mutants:
        parser.error(f"no mutant's name has {given.mutants!r} in it")
    return [every[name] for name in given.chapters or every], mutants


def main(chapters, mutants, pool):
    """Print the table, and return whether a mutant has passed unnoticed."""

    def start(mutant):
        return [pool.submit(first_difference, chapter, mutant) for chapter in chapters]

    for chapter, run in zip(chapters, start(None), strict=True):
        if run.result() is not None:
            sys.exit(f"{chapter} fails without a mutant, in cell {run.result()}")
    for chapter, run in zip(chapters, start(ANOTHER_VERSION), strict=True):
        if run.result() is None:
            sys.exit(f"{chapter} does not run the copy of the package")

    print("| mutant |", *(f"{chapter.stem} |" for chapter in chapters))
    print("|---|" + "---|" * len(chapters))
    unnoticed = 0
    for mutant, runs in [(mutant, start(mutant)) for mutant in mutants]:
        cells = [run.result() for run in runs]
        unnoticed += all(cell is None for cell in cells)
        print(f"| {mutant} |", *("– |" if c is None else f"cell {c} |" for c in cells), flush=True)
    print(f"\n{len(mutants)} wrong gradients, {unnoticed} noticed by none of these chapters")
    return unnoticed > 0


if __name__ == "__main__":
    workers = ThreadPoolExecutor(os.cpu_count())
    try:
        sys.exit(main(*chosen(), workers))
    finally:
        workers.shutdown(cancel_futures=True)
