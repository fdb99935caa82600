"""Each known bug, injected into a copy of the package, must make its module's unit tests fail.

The tests that need TensorFlow are left out: the others are enough.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from mutants import MUTANTS, PACKAGE, ROOT, Mutant, copy_package

PASSED, FAILED, NOT_COLLECTED, NOT_THE_COPY = 0, 1, 2, 9

# Quick tests come first: Hypothesis searches for examples, and copies of MNIST take time to load.
PROGRAM = f"""
import sys, backprop, pytest

def slow(item):
    return "copy" in item.fixturenames or item.get_closest_marker("hypothesis") is not None

class QuickFirst:
    def pytest_collection_modifyitems(self, items):
        items.sort(key=slow)

folder, *arguments = sys.argv[1:]
if not backprop.__file__.startswith(folder):
    sys.exit({NOT_THE_COPY})
sys.exit(pytest.main(arguments, plugins=[QuickFirst()]))
"""


def run_tests(folder, file, environment):
    """Run a module's unit tests on the copy of the package in `folder`."""
    tests = f"tests/unit/test_{file}"
    options = ["-x", "-q", "-o", "addopts=", "-p", "no:cacheprovider", "-p", "no:nbval"]
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, folder, *options, tests],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def run_mutant(folder, mutant):
    return run_tests(folder, mutant.file, copy_package(folder, mutant))


@pytest.fixture(scope="module")
def runs(request, tmp_path_factory):
    """Start the runs of the chosen mutants, as many at a time as there are processors."""
    parameters = [getattr(item, "callspec", None) for item in request.session.items]
    chosen = [p.params["mutant"] for p in parameters if p and "mutant" in p.params]
    pool = ThreadPoolExecutor(os.cpu_count())
    yield {m: pool.submit(run_mutant, tmp_path_factory.mktemp("copy"), m) for m in chosen}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_mutant(runs, mutant):
    done = runs[mutant].result()
    assert done.returncode != PASSED, f"survived, so a test is missing: {mutant} ({mutant.origin})"
    assert done.returncode == FAILED, f"the tests could not run:\n{done.stdout}{done.stderr}"


# The runner itself


@pytest.mark.parametrize("file", sorted({mutant.file for mutant in MUTANTS}))
def test_a_copy_without_a_bug_passes(tmp_path, file):
    done = run_tests(tmp_path, file, copy_package(tmp_path))
    assert done.returncode == PASSED, done.stdout
    assert " passed" in done.stdout


def test_a_copy_that_cannot_be_imported_does_not_count_as_caught(tmp_path):
    broken = Mutant("broken", "network.py", "import numpy as np\n", "import nunpy as np\n", "")
    assert run_mutant(tmp_path, broken).returncode == NOT_COLLECTED


def test_a_run_on_the_package_itself_does_not_count_as_caught(tmp_path):
    copy_package(tmp_path)
    original = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    assert run_tests(tmp_path, "validation.py", original).returncode == NOT_THE_COPY


@pytest.mark.parametrize("old", ["no such text", "array"])
def test_a_mutant_that_no_longer_fits_says_so(tmp_path, old):
    with pytest.raises(LookupError, match=r"update the table in tests/mutants/mutants\.py"):
        copy_package(tmp_path, Mutant("stale", "validation.py", old, "", ""))


def test_mutants_are_distinct_and_change_something():
    assert len({str(mutant) for mutant in MUTANTS}) == len(MUTANTS)
    assert len({(m.file, m.old, m.new) for m in MUTANTS}) == len(MUTANTS)
    assert all(mutant.old != mutant.new and mutant.origin for mutant in MUTANTS)
