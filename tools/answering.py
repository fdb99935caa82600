"""Run a student's cells and call the functions that they define; nothing else is in this process.

`sandbox` starts this file with NumPy's folder as its argument, in a process that sees neither the
course nor its package. It reads a job from its input and writes what comes of it, a line for each
step, so that the one who marks knows where a process died. Numbers go out as text; the marks are
made outside, where no student's code has been. It imports nothing of the project.
"""

import ast
import json
import os
import signal
import sys
from typing import Any

MOST_CHARACTERS = 1_000_000  # of one result
NO_FUNCTION = "no such function"
TOO_LARGE = "the result is too large"


def main() -> None:
    """Do the job: first all cells, then, once they are done and reported, the calls."""
    sys.path.insert(0, sys.argv[1])
    import numpy as np

    jobs = os.fdopen(os.dup(0), "rb")
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)

    def report(**line: Any) -> None:
        out.write(json.dumps(line) + "\n")
        out.flush()

    def stop(*_: Any) -> None:
        raise TimeoutError("it took too long")

    def do(step: list[Any], function: Any, *arguments: Any) -> None:
        report(at=step)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        done = function(*arguments)
        signal.setitimer(signal.ITIMER_REAL, 0)
        report(done=done)

    signal.signal(signal.SIGALRM, stop)
    seconds, cells = json.loads(jobs.readline())
    namespace = {"np": np, "__name__": "__main__"}
    for number, source in cells:
        do(["cell", number], run, source, namespace)
    report(at=["calls", 0])
    for name, number, arguments in json.loads(jobs.readline()):
        do([name, number], call, namespace.get(name), arguments, np)
    report(at=["end", 0])
    os._exit(0)  # no thread and no exit handler of a student's outlives the job


def run(source: str, namespace: dict[str, Any]) -> list[str]:
    """Run a cell, statement by statement; one that fails does not hold up the next."""
    lines = (line if line.lstrip()[:1] not in "%!" else "" for line in source.split("\n"))
    try:
        tree = ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return [described(error)]
    errors = []
    for statement in tree.body:
        try:
            code = compile(ast.Module([statement], []), "answer", "exec")
            exec(code, namespace)
        except BaseException as error:
            errors.append(described(error))
    return errors


def call(function: Any, arguments: list[Any], np: Any) -> dict[str, Any]:
    """Return the result of a call, or what went wrong."""
    if function is None:
        return {"error": NO_FUNCTION}
    try:
        values = [decoded(argument, np) for argument in arguments]
        result = function(*values)
        parts = result if isinstance(result, (tuple, list)) else [result]
        if any(part is None for part in parts):
            return {"result": None}
        text = json.dumps([np.asarray(part, dtype=float).tolist() for part in parts])
        if len(text) > MOST_CHARACTERS:
            return {"error": TOO_LARGE}
        return {"result": text, "single": not isinstance(result, (tuple, list))}
    except BaseException as error:
        return {"error": described(error)}


def decoded(argument: Any, np: Any) -> Any:
    """Return an argument as it was: arrays come as {"array": ...}."""
    if isinstance(argument, dict):
        return np.array(argument["array"], dtype=argument["dtype"])
    if isinstance(argument, list):
        return [decoded(part, np) for part in argument]
    return argument


def described(error: BaseException) -> str:
    """Return an error in a line."""
    return f"{type(error).__name__}: {error}"[:300]


if __name__ == "__main__":
    main()
