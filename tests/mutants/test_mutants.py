"""Each known bug, injected into a copy of the package, must make its module's unit tests fail.

The tests that need TensorFlow are left out: the others are enough.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import pytest
from mutants import MUTANTS, PACKAGE, ROOT, Mutant, copy_package

PASSED, FAILED, NOT_COLLECTED, NOT_THE_COPY = 0, 1, 2, 9

# Reads lines with a folder that holds a copy, what to put on the path, and a file of tests. Runs
# each in a fork, since starting Python and importing NumPy, pytest and Hypothesis takes longer than
# most tests. Quick ones come first: Hypothesis searches, and copies of MNIST take time to load.
SERVER = f"""
import os, signal, sys, traceback
import hypothesis.extra.numpy, matplotlib, nbval.plugin, numpy, pytest

def slow(item):
    marked = any(item.get_closest_marker(name) for name in ("hypothesis", "slow"))
    return marked or "copy" in item.fixturenames

class QuickFirst:
    def pytest_collection_modifyitems(self, items):
        items.sort(key=slow)

def run(folder, path, tests):
    signal.alarm(300)
    output = os.open(os.path.join(folder, "output"), os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.path.insert(0, path)
    import backprop
    if not backprop.__file__.startswith(folder):
        return {NOT_THE_COPY}
    options = ["-x", "-q", "-o", "addopts=", "-p", "no:cacheprovider", "-o", "filterwarnings="]
    return pytest.main([*options, tests], plugins=[QuickFirst()])

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = run(*line.rstrip().split("\\t"))
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Runner:
    """Runs a module's unit tests on copies of the package, one after the other."""

    def __init__(self):
        self.server = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, folder, file, path=None):
        """Return the exit code and what was printed."""
        tests = f"tests/unit/test_{file}"
        self.server.stdin.write(f"{folder}\t{path or folder}\t{tests}\n")
        self.server.stdin.flush()
        code = int(self.server.stdout.readline())
        return code, (folder / "output").read_text(encoding="utf-8")

    def close(self):
        self.server.communicate()


@pytest.fixture(scope="module")
def runner():
    runner = Runner()
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def runs(request, tmp_path_factory):
    """Start the runs of the chosen mutants, as many at a time as there are processors."""
    parameters = [getattr(item, "callspec", None) for item in request.session.items]
    chosen = [p.params["mutant"] for p in parameters if p and "mutant" in p.params]
    idle = SimpleQueue()
    for _ in range(os.cpu_count()):
        idle.put(Runner())

    def run(mutant):
        folder, runner = tmp_path_factory.mktemp("copy"), idle.get()
        try:
            copy_package(folder, mutant)
            return runner.run(folder, mutant.file)
        finally:
            idle.put(runner)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {mutant: pool.submit(run, mutant) for mutant in chosen}
        pool.shutdown(cancel_futures=True)
    while not idle.empty():
        idle.get().close()


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_mutant(runs, mutant):
    code, output = runs[mutant].result()
    assert code != PASSED, f"survived, so a test is missing: {mutant} ({mutant.origin})"
    assert code == FAILED, f"the tests could not run:\n{output}"


# The runner itself


@pytest.mark.parametrize("file", sorted({mutant.file for mutant in MUTANTS}))
def test_a_copy_without_a_bug_passes(runner, tmp_path, file):
    copy_package(tmp_path)
    code, output = runner.run(tmp_path, file)
    assert code == PASSED, output
    assert " passed" in output


def test_a_copy_that_cannot_be_imported_does_not_count_as_caught(runner, tmp_path):
    broken = Mutant("broken", "network.py", "import numpy as np\n", "import nunpy as np\n", "")
    copy_package(tmp_path, broken)
    assert runner.run(tmp_path, "network.py")[0] == NOT_COLLECTED


def test_a_run_on_the_package_itself_does_not_count_as_caught(runner, tmp_path):
    copy_package(tmp_path)
    code, _ = runner.run(tmp_path, "validation.py", path=PACKAGE.parent)
    assert code == NOT_THE_COPY


@pytest.mark.parametrize("old", ["no such text", "array"])
def test_a_mutant_that_no_longer_fits_says_so(tmp_path, old):
    with pytest.raises(LookupError, match=r"update the table in tests/mutants/mutants\.py"):
        copy_package(tmp_path, Mutant("stale", "validation.py", old, "", ""))


def test_mutants_are_distinct_and_change_something():
    assert len({str(mutant) for mutant in MUTANTS}) == len(MUTANTS)
    assert len({(m.file, m.old, m.new) for m in MUTANTS}) == len(MUTANTS)
    assert all(mutant.old != mutant.new and mutant.origin for mutant in MUTANTS)
