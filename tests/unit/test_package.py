"""What importing the package brings along: NumPy, and nothing large unless asked for."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import backprop

FOLDER = Path(backprop.__file__).parent
MODULES = {path.stem: path for path in FOLDER.rglob("[!_]*.py")}
# The modules of the package that may import each of these. TensorFlow has two: the twin, with
# which everything is compared, and a program for several processes, in which each is a TensorFlow.
HOME = {"tensorflow": {"tensorflow_twin", "multi_worker"}, "matplotlib": {"plotting"}}


def loaded_by(statement):
    """Return the top-level modules that a new Python has loaded after a statement."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("module", ["", *sorted(MODULES.keys() - HOME["tensorflow"])])
def test_importing_loads_neither_tensorflow_nor_matplotlib(module):
    """Also not `plotting`: it loads matplotlib when it draws. The package alone loads nothing."""
    loaded = loaded_by(f"from backprop import {module}" if module else "import backprop")
    assert "backprop" in loaded
    assert not {*HOME, "keras", "" if module else "numpy"} & loaded


def test_help_lists_every_module():
    assert set(re.findall(r"`(\w+)`", backprop.__doc__)) == MODULES.keys()


@pytest.mark.parametrize("library", list(HOME))
def test_few_modules_import_a_large_library(library):
    statement = re.compile(rf"^ *(from|import) {library}\b", re.MULTILINE)
    found = {name for name, path in MODULES.items() if statement.search(path.read_text("utf-8"))}
    assert found == HOME[library]
