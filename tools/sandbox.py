"""Run the answers of a notebook where they can do no harm.

With bubblewrap, a process sees Python, NumPy and an empty folder: no course, no other submission,
no network, no other process. Without it, the limits of time, memory and files still hold, and
root's rights are given up.
"""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

PROGRAM = Path(__file__).with_name("answering.py")
SECONDS = 10.0  # for a cell, or a call
GRACE = 5.0  # seconds until a process that does not end by itself is killed
MEMORY = 2 * 2**30  # bytes
FILE_SIZE = 2**20  # bytes
NOBODY = 65534
LONGEST_LINE = 2_000_000  # characters
KILLED = "it ended Python, took too long, or took too much memory"

Call = tuple[str, int, Sequence[Any]]  # a function's name, a number of its calls, its arguments


@dataclass
class Answers:
    """What a notebook's cells and functions did."""

    results: dict[tuple[str, int], Any] = field(default_factory=dict)
    errors: dict[tuple[str, int], str] = field(default_factory=dict)
    of_cells: dict[int, list[str]] = field(default_factory=dict)


def is_isolated() -> bool:
    """Tell whether answers run in a world of their own: bubblewrap is there, and works."""
    return bool(_bubblewrap())


def gives_up_root() -> bool:
    """Tell whether answers run as nobody: for root without bubblewrap, if nobody reaches Python."""
    places = Path(os.path.realpath(sys.executable)).parents
    reachable = all(place.stat().st_mode & 0o001 for place in places)
    return os.getuid() == 0 and not is_isolated() and reachable


def ask(cells: Sequence[str], calls: Sequence[Call]) -> Answers:
    """Run all cells, then make all calls; what kills its process is left out in the next one.

    Parameters
    ----------
    cells : sequence of str
        The student's code, in order.
    calls : sequence
        What is called: a function's name, the call's number, its arguments.

    Returns
    -------
    Answers
        Results by name and number: a number, an array, a tuple of them, or None.
    """
    answers = Answers()
    left = dict(enumerate(cells))
    calls = list(calls)
    while True:
        kind, number = _run(left, calls, answers)
        if kind == "end":
            return answers
        if kind == "cell" and number in left:
            answers.of_cells[number] = [KILLED]
            del left[number]
        elif any(name == kind for name, _, _ in calls):
            answers.errors |= {(name, k): KILLED for name, k, _ in calls if name == kind}
            calls = [call for call in calls if call[0] != kind]
        else:
            raise RuntimeError(f"the process that runs answers ended before any of them, {kind}")


def _run(cells: dict[int, str], calls: Sequence[Call], answers: Answers) -> tuple[str, int]:
    """Run one process, and return where it ended.

    The calls are sent when all cells are done: no cell can read them and say in an error what it
    saw. From then on nothing counts that is said of a cell.
    """
    at = ("start", 0)
    are_called = False
    with _process() as process:
        try:
            _send(process, [SECONDS, list(cells.items())])
            for line in _lines(process):
                try:
                    message = json.loads(line)
                    if "at" in message:
                        at = (str(message["at"][0]), int(message["at"][1]))
                    elif not are_called:
                        answers.of_cells[at[1]] = [str(error) for error in message["done"]]
                    else:
                        _keep(answers, at, message["done"])
                except (ValueError, KeyError, IndexError, TypeError, RecursionError):
                    continue  # not a line of ours
                if at[0] == "calls" and not are_called:
                    are_called = True
                    _send(process, [(n, k, [_encoded(a) for a in args]) for n, k, args in calls])
        except BrokenPipeError:
            pass
    return at


def _send(process: subprocess.Popen[bytes], job: list[Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(job).encode() + b"\n")
    process.stdin.flush()


def _keep(answers: Answers, at: tuple[str, int], done: dict[str, Any]) -> None:
    if "error" in done:
        answers.errors[at] = str(done["error"])
    elif done["result"] is None:
        answers.results[at] = None
    else:
        parts = tuple(np.array(part, dtype=float) for part in json.loads(done["result"]))
        answers.results[at] = parts[0] if done["single"] else parts


def _encoded(argument: Any) -> Any:
    if isinstance(argument, np.ndarray):
        return {"array": argument.tolist(), "dtype": argument.dtype.str}
    if isinstance(argument, list | tuple):
        return [_encoded(part) for part in argument]
    return argument.item() if isinstance(argument, np.generic) else argument


def _lines(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Yield what a process writes, as long as it does not stay silent too long."""
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    rest = b""
    deadline = time.monotonic() + SECONDS + GRACE
    while (left := deadline - time.monotonic()) > 0 and len(rest) < LONGEST_LINE:
        if not select.select([descriptor], [], [], left)[0]:
            return
        if not (data := os.read(descriptor, 65536)):
            return
        *lines, rest = (rest + data).split(b"\n")
        if lines:
            deadline = time.monotonic() + SECONDS + GRACE
        yield from lines


@contextmanager
def _process() -> Iterator[subprocess.Popen[bytes]]:
    """Start the process in a folder of its own; whatever is left of it in the end is killed."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [*_bubblewrap(), *_python(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={"OPENBLAS_NUM_THREADS": "1", "PATH": os.defpath, "HOME": folder},
            start_new_session=True,
            preexec_fn=lambda: _limit(folder),
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in filter(None, (process.stdin, process.stdout)):
                with suppress(BrokenPipeError):
                    pipe.close()


def _limit(folder: str) -> None:
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, FILE_SIZE),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    if gives_up_root():
        os.chown(folder, NOBODY, NOBODY)
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def _python(folder: str) -> list[str]:
    python = [os.path.realpath(sys.executable), "-I", "-S", "-B"]
    if _bubblewrap():
        return [*python, "/answering.py", "/numpy"]
    for part in _numpy():
        Path(folder, part.name).symlink_to(part)
    return [*python, str(PROGRAM), folder]


def _numpy() -> list[Path]:
    package = Path(np.__file__).parent
    libraries = package.with_name("numpy.libs")
    return [package, libraries] if libraries.exists() else [package]


@cache
def _bubblewrap() -> tuple[str, ...]:
    """Return the command that makes the world of a process; nothing if it can't be made here."""
    program = shutil.which("bwrap")
    if program is None:
        return ()
    command = [program, "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
    command += ["--setenv", "OPENBLAS_NUM_THREADS", "1", "--proc", "/proc", "--dev", "/dev"]
    command += ["--ro-bind", "/usr", "/usr", "--tmpfs", "/tmp", "--chdir", "/tmp"]
    for name in ("lib", "lib32", "lib64", "bin"):
        if Path("/", name).is_symlink():
            command += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
        else:
            command += ["--ro-bind-try", f"/{name}", f"/{name}"]
    home = os.path.realpath(sys.base_prefix)
    if not home.startswith("/usr"):
        command += ["--ro-bind", home, home]
    for part in _numpy():
        command += ["--ro-bind", str(part), f"/numpy/{part.name}"]
    command += ["--ro-bind", str(PROGRAM), "/answering.py"]
    works = subprocess.run([*command, "/usr/bin/env", "true"], capture_output=True).returncode == 0
    return tuple(command) if works else ()
