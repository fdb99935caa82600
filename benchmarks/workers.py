"""Programs that run in processes of their own and do something only when they are told to.

A worker is a fresh Python, so it reads the numbers of threads from its environment when it imports
its library, and the peak of its memory is its own.
"""

import multiprocessing
import resource
import signal
import sys
import traceback
from contextlib import suppress

SPAWN = multiprocessing.get_context("spawn")


class WorkerError(Exception):
    """A worker could not do what it was told; the message says which, and why."""


def attempt(function, *values):
    """Return whether a call succeeds, and its result or what went wrong."""
    try:
        return True, function(*values)
    except ImportError as error:
        return False, f"{error}: is it installed? (benchmarks/requirements.txt)"
    except Exception:
        return False, traceback.format_exc(limit=-3)


def serve(connection, make, arguments):
    """Make an object, then call its methods as they are asked for, in a worker's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent ends this one
    fine, work = attempt(make, *arguments)
    with suppress(EOFError, OSError):  # the parent has closed the pipe, or is gone
        connection.send((fine, None if fine else work))
        while fine:
            method, values = connection.recv()
            fine, result = attempt(getattr(work, method), *values)
            connection.send((fine, result))


class Worker:
    """The parent's end of a worker: ``worker("method", ...)`` waits for the result."""

    def __init__(self, name, make, *arguments):
        self.name = name
        self.connection, child = SPAWN.Pipe()
        self.process = SPAWN.Process(target=serve, args=(child, make, arguments), daemon=True)
        self.process.start()
        child.close()  # else the worker's death would not end the pipe
        self._result()

    def __call__(self, method, *values):
        with suppress(OSError):  # if it is dead already, _result says so
            self.connection.send((method, values))
        return self._result()

    def _result(self):
        try:
            fine, result = self.connection.recv()
        except (EOFError, ConnectionError):
            self.process.join()
            code = self.process.exitcode
            raise WorkerError(f"{self.name}: the worker died (exit code {code})") from None
        if not fine:
            raise WorkerError(f"{self.name}: {result}")
        return result

    def end(self):
        """End the process: let it finish if it is idle, which it notices at once."""
        self.connection.close()
        self.process.join(timeout=2)
        self.process.terminate()
        self.process.join()


def peak_memory():
    """Return the most memory that this process has held so far, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
