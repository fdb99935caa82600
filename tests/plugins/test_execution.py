"""A notebook is compared in every text and no picture, runs in an empty folder, is measured."""

from contextlib import contextmanager, nullcontext

import pytest
from execution import Notebook
from nbformat import write
from nbformat.v4 import new_code_cell, new_notebook, new_output
from nbval.plugin import NbCellError

DRAW = """
import random
from IPython.display import display
svg = f"<?xml version='1.0'?>\\n<svg>{random.random()}</svg>\\n"
display({"image/svg+xml": svg, "text/plain": "<Figure with 1 Axes>"}, raw=True)
"""


def picture(text="<Figure with 1 Axes>"):
    data = {"image/svg+xml": "<?xml version='1.0'?>\n<svg>stored</svg>\n", "text/plain": text}
    return new_output("display_data", data)


def printed(text):
    return new_output("stream", name="stdout", text=text)


@contextmanager
def started(session, folder, *cells):
    """Start a notebook of these cells; give its items, of which the last is `resources`."""
    write(new_notebook(cells=cells), folder / "made.ipynb")
    notebook = Notebook.from_parent(session, path=folder / "made.ipynb")
    items = list(notebook.collect())
    notebook.setup()
    yield items
    notebook.teardown()


CASES = {
    "equal text": ("print(0.25)", [printed("0.25\n")], True),
    "another number": ("print(0.25)", [printed("0.26\n")], False),
    "approximation": ("print('≈ 0.25')", [printed("≈ 0.26\n")], True),
    "small number": ("print('≈ 2e-05')", [printed("≈ 3e-11\n")], True),
    "number after one": ("print('≈ 1, 2')", [printed("≈ 1, 3\n")], False),
    "text that was not there": ("print(0.25)", [], False),
    "text that is gone": ("0.25;", [printed("0.25\n")], False),
    "error": ("1 / 0", [], False),
    "another picture": (DRAW, [picture()], True),
    "another figure size": (DRAW, [picture("<Figure with 2 Axes>")], False),
    "no picture": ("pass", [picture()], False),
    "picture that was not there": (DRAW, [], False),
    "empty folder": ("import os; print(os.listdir())", [printed("[]\n")], True),
    "assertion": ("assert False", [], False),
}


@pytest.fixture(scope="module")
def cells(request, tmp_path_factory):
    made = [
        new_code_cell(source, execution_count=1, outputs=stored)
        for source, stored, _ in CASES.values()
    ]
    with started(request.session, tmp_path_factory.mktemp("cells"), *made) as items:
        yield dict(zip(CASES, items, strict=False))


@pytest.mark.parametrize("case", CASES)
def test_what_is_compared(cells, case):
    with nullcontext() if CASES[case][2] else pytest.raises(NbCellError):
        cells[case].runtest()


def test_processor_seconds_and_memory_are_those_of_the_kernel(request, tmp_path):
    work = "import time\nwhile time.process_time() < 1: pass\nlen(b'x' * 200 * 2**20);"
    _ = b"x" * 700 * 2**20  # taken by the process of the tests, which is not the kernel
    with started(request.session, tmp_path, new_code_cell(work)) as (cell, resources):
        cell.runtest()
        resources.runtest()
    ((name, (seconds, processor, megabytes)),) = resources.user_properties
    assert name == "resources"
    assert seconds > 0
    assert processor >= 1
    assert 200 < megabytes < 400


def test_too_much_memory_fails(request, tmp_path):
    much = new_code_cell("len(b'x' * 2100 * 2**20);")  # given back before it is measured
    with started(request.session, tmp_path, much) as (cell, resources):
        cell.runtest()
        with pytest.raises(AssertionError, match=r"made.ipynb takes 2\d\d\d MB .* gives 2048"):
            resources.runtest()


def test_a_dead_kernel_fails(request, tmp_path):
    end = new_code_cell("import os; os.kill(os.getpid(), 9)")
    with started(request.session, tmp_path, end) as (_, resources):
        resources.parent.kernel.km.shutdown_kernel(now=True)
        with pytest.raises(RuntimeError, match="the kernel has died"):
            resources.runtest()
