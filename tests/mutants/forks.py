"""Run the unit tests of a module on a copy of the package that has a bug in it.

Runs are forks of this process, which has imported all that takes long, one for each processor.
Processor time and memory are limited, test by test: a loop without an end counts as noticed.
"""

from __future__ import annotations

import compileall
import contextlib
import gc
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import pytest
from mutant import PACKAGE, Mutant, path_of

ROOT = PACKAGE.parents[1]
MEMORY = 4 * 2**30  # bytes of a run
SECONDS, CHAPTER_SECONDS = 30, 300  # processor time of a test; of a chapter, which is one process
OPTIONS = ["-x", "-q", "--tb=native", "--assert=plain", "-o", "addopts="]
OPTIONS += ["-pno:cacheprovider", "-pno:unraisableexception", "-p_hypothesis_pytestplugin"]
CHAPTER_OPTIONS = ["-pnbval.plugin", "--nbval", "--nbval-current-env"]
CHAPTER_OPTIONS += ["--nbval-sanitize-with=tests/plugins/nbval.cfg"]
KILLED, SURVIVED, NOT_IMPORTED, NOT_THE_COPY = "killed", "survived", "not imported", "not the copy"

Result = dict[str, Any]


def preload() -> None:
    """Import what takes long. Who imports NumPy and TensorFlow first decides on their settings."""
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in ("hypothesis.extra.numpy", "matplotlib.pyplot", "tensorflow"):
        importlib.import_module(name)
    sys.dont_write_bytecode = False
    compileall.compile_dir(PACKAGE, quiet=1)  # which every copy takes along
    gc.freeze()  # so that no fork looks at, and thereby copies, what is there already


class Job(NamedTuple):
    """A mutant, the tests that have to notice it, and which of them to run first.

    The tests come in stages, lists of files or tests. The next is run if nothing was noticed.
    """

    mutant: Mutant
    stages: list[list[str]]
    first: tuple[str, ...] = ()


def copy_package(folder: Path, mutant: Mutant) -> None:
    """Copy the package, with the bug, and what Python has compiled of the other modules."""
    copy, module = folder / "backprop", path_of(mutant.module)
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("data", f"{module.stem}.*.pyc"))
    (copy / "data").symlink_to(PACKAGE / "data")
    (copy / module.relative_to(PACKAGE)).write_text(mutant.source, encoding="utf-8")


class Plugin:
    """Orders and limits the tests of a run, and keeps the name of the one that fails."""

    def __init__(self, first: tuple[str, ...], seconds: int) -> None:
        self.first, self.seconds = first, seconds
        self.killer: str | None = None

    def pytest_sessionstart(self) -> None:
        """Let Hypothesis stop at the first example that fails: nobody reads the smallest one."""
        phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
        hypothesis.settings.register_profile("mutants", hypothesis.settings(), phases=phases)
        hypothesis.settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put first what has noticed bugs near by, and last what is slow."""

        def rank(item: pytest.Item) -> tuple[int, int]:
            known = self.first.index(item.nodeid) if item.nodeid in self.first else len(self.first)
            slow = ("hypothesis", "tensorflow", "slow")
            return known, sum(item.get_closest_marker(name) is not None for name in slow)

        items.sort(key=rank)

    def pytest_runtest_logstart(self) -> None:
        """Give a test its time; then a signal ends the run."""
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + self.seconds, hard))
        signal.alarm(10 * SECONDS)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.killer = self.killer or report.nodeid

    pytest_collectreport = pytest_runtest_logreport


def run_tests(folder: Path, job: Job) -> Result:
    """Run a job's tests on the copy in a folder, in a process of its own."""
    is_chapter = job.stages[0][0].endswith(".ipynb")
    plugin = Plugin(job.first, CHAPTER_SECONDS if is_chapter else SECONDS)
    os.setpgid(0, 0)
    plugin.pytest_runtest_logstart()  # for what happens before the first test
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(ROOT)
    os.environ["PYTHONPATH"] = str(folder)
    sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module(f"backprop.{job.mutant.module}")
    except BaseException:
        traceback.print_exc()
        return {"status": NOT_IMPORTED}
    if not str(module.__file__).startswith(str(folder)):
        return {"status": NOT_THE_COPY}
    options = [*OPTIONS, f"--basetemp={folder}/tmp"]
    options += CHAPTER_OPTIONS if is_chapter else []
    for tests in job.stages:
        code = pytest.main([*options, *tests], plugins=[plugin])
        if code:
            break
    status = {0: SURVIVED, 1: KILLED, 2: KILLED}.get(code, f"pytest ended with {code}")
    return {"status": status, "killer": plugin.killer}


def be_a_fork(folder: Path, job: Job) -> None:
    """Run the tests, leave the result in the folder, and end this process."""
    try:
        (folder / "result").write_text(json.dumps(run_tests(folder, job)))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(0)


def result_of(folder: Path, code: int) -> Result:
    """Return what a run has left behind; if a signal ended it, then that was noticed."""
    if (folder / "result").exists():
        result: Result = json.loads((folder / "result").read_text())
    else:
        name = signal.Signals(-code).name if code < 0 else "no result"
        result = {"status": KILLED if code < 0 else name, "killer": name}
    if (folder / "output").exists():
        result["output"] = (folder / "output").read_text(errors="replace")[-3000:]
    return result


def clean_up(pid: int, folder: Path) -> None:
    """End what a run has started, and delete its folder."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def in_forks(jobs: Iterable[Job]) -> Iterator[tuple[Job, Result]]:
    """Run jobs, one on each processor, and yield what happened, in the order in which they end."""
    preload()
    waiting, running = iter(jobs), dict[int, tuple[Job, Path]]()
    try:
        while True:
            while len(running) < (os.cpu_count() or 1) and (job := next(waiting, None)):
                folder = Path(tempfile.mkdtemp(prefix="mutant-"))
                copy_package(folder, job.mutant)
                if (pid := os.fork()) == 0:
                    be_a_fork(folder, job)
                running[pid] = job, folder
            if not running:
                return
            pid, status, usage = os.wait4(-1, 0)
            job, folder = running.pop(pid)
            result = result_of(folder, os.waitstatus_to_exitcode(status))
            clean_up(pid, folder)
            yield job, result | {"seconds": round(usage.ru_utime + usage.ru_stime, 2)}
    finally:
        for pid, (_, folder) in running.items():
            clean_up(pid, folder)
