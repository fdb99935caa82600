"""nbval, as this project sets it up, compares every text and no picture."""

import subprocess
import sys
from pathlib import Path

import pytest
from nbformat import write
from nbformat.v4 import new_code_cell, new_notebook, new_output

ROOT = Path(__file__).parents[2]

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


@pytest.mark.parametrize(
    ("source", "stored", "passes"),
    [
        pytest.param("print(0.25)", [printed("0.25\n")], True, id="equal text"),
        pytest.param("print(0.25)", [printed("0.26\n")], False, id="another number"),
        pytest.param("print('≈ 0.25')", [printed("≈ 0.26\n")], True, id="approximation"),
        pytest.param("print('≈ 2e-05')", [printed("≈ 3e-11\n")], True, id="small number"),
        pytest.param("print('≈ 1, 2')", [printed("≈ 1, 3\n")], False, id="number after one"),
        pytest.param("print(0.25)", [], False, id="text that was not there"),
        pytest.param("0.25;", [printed("0.25\n")], False, id="text that is gone"),
        pytest.param("1 / 0", [], False, id="error"),
        pytest.param(DRAW, [picture()], True, id="another picture"),
        pytest.param(DRAW, [picture("<Figure with 2 Axes>")], False, id="another figure size"),
        pytest.param("pass", [picture()], False, id="no picture"),
        pytest.param(DRAW, [], False, id="picture that was not there"),
    ],
)
def test_nbval(tmp_path, source, stored, passes):
    cell = new_code_cell(source, execution_count=1, outputs=stored)
    write(new_notebook(cells=[cell]), tmp_path / "made.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env"]
    done = subprocess.run(
        [*command, "-c", ROOT / "pyproject.toml", "-p", "no:cacheprovider", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == (0 if passes else 1), done.stdout
