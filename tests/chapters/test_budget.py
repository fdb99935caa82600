"""Every chapter runs alone in an empty folder, within its time and its memory."""

import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from nbformat import write
from nbformat.v4 import new_code_cell, new_notebook

CHAPTERS = Path(__file__).parents[2] / "chapters"
MOST_SECONDS = 60
MOST_MEGABYTES = 2048


def run(notebook, folder):
    """Run a copy of the notebook in `folder`; return its seconds and its peak megabytes."""
    copy = shutil.copy(notebook, folder / "alone.ipynb")
    program = Path(__file__).with_name("budget.py")
    done = subprocess.run(
        [sys.executable, program, copy], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return tuple(map(float, done.stdout.split()))


@pytest.mark.slow
@pytest.mark.parametrize("name", [path.stem for path in sorted(CHAPTERS.glob("*.ipynb"))])
def test_chapter_is_quick_and_small(name, tmp_path):
    seconds, megabytes = run(CHAPTERS / f"{name}.ipynb", tmp_path)
    print(f"{name}: {seconds:.1f} s, {megabytes:.0f} MB")
    assert seconds < MOST_SECONDS
    assert megabytes < MOST_MEGABYTES


def make(folder, source):
    path = folder / "made.ipynb"
    write(new_notebook(cells=[new_code_cell(source)]), path)
    return path


def test_time_and_memory_are_measured(tmp_path):
    source = """
    import time
    while time.process_time() < 3:
        pass
    memory = bytearray(500 * 2**20)
    for page in range(0, len(memory), 4096):
        memory[page] = 1
    """
    seconds, megabytes = run(make(tmp_path, dedent(source)), tmp_path)
    assert 3 < seconds < 20
    assert 500 < megabytes < 700


def test_a_failing_cell_fails(tmp_path):
    with pytest.raises(AssertionError, match="FileNotFoundError"):
        run(make(tmp_path, "open('../chapters/data.csv')"), tmp_path)
