"""`make test` refuses to check nothing, says how far it is, and fails on a warning."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from execution import MARK
from nbformat import write
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parents[2]


def run_pytest(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": "tests/plugins"} | environment,
        capture_output=True,
        text=True,
    )


def test_it_refuses_to_run_without_asserts():
    done = run_pytest("tests/unit/test_losses.py", PYTHONOPTIMIZE="1")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.startswith("ERROR: asserts are switched off")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run three files side by side: tests of which one fails, a warning, a notebook."""
    folder = tmp_path_factory.mktemp("run")
    some = "import pytest\n@pytest.mark.parametrize('i', range(5))\ndef test(i): assert i != 3\n"
    (folder / "test_some.py").write_text(some)
    warning = "import warnings\ndef test(): warnings.warn('old')\n"
    (folder / "test_warning.py").write_text(warning)
    (folder / "status.md").write_text(f"# Status\n\n{MARK}old\n")
    write(new_notebook(cells=[new_code_cell("pass")]), folder / "made.ipynb")
    options = ["-c", ROOT / "pyproject.toml", "-p", "execution", "-p", "parallel", "-n", 2]
    done = run_pytest(*options, "--timing", folder / "status.md", folder)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    return done.stdout, folder


def test_it_says_how_far_it_is(run):
    lines = [line for line in run[0].splitlines() if line.startswith("[  ")]
    assert [line[:10] for line in lines] == ["[  1 of 3]", "[  2 of 3]", "[  3 of 3]"]
    assert any(re.search(r"test_some\.py: 1 failed, 4 passed in \d+ s", line) for line in lines)
    assert any(re.search(r"made\.ipynb: 2 passed in \d+ s", line) for line in lines)
    assert re.search(r"^FAILED .*test_some\.py::test\[3\]$", run[0], re.MULTILINE)


def test_a_warning_fails(run):
    assert "UserWarning: old" in run[0]


def test_times_and_memory_become_a_table(run):
    output, folder = run
    before, table = (folder / "status.md").read_text(encoding="utf-8").split(f"{MARK}\n")
    assert before == "# Status\n\n"
    assert re.search(r"^\| \[\]\(made\.ipynb\) \| \d+ \| \d+ \| \d+ \|$", table, re.MULTILINE)
    assert table in output
