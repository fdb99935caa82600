"""What importing the package brings along: NumPy, and nothing large unless asked for."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import backprop

FOLDER = Path(backprop.__file__).parent
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


def imports(path):
    """Return the top-level modules that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.partition(".")[0])
    return found


def test_importing_the_package_loads_nothing_else():
    assert not {"numpy", *HOME} & loaded_by("import backprop")


@pytest.mark.parametrize(
    "module", sorted({path.stem for path in FOLDER.glob("[!_]*.py")} - HOME["tensorflow"])
)
def test_importing_a_module_loads_neither_tensorflow_nor_matplotlib(module):
    """Also not `plotting`: it loads matplotlib when it draws."""
    loaded = loaded_by(f"from backprop import {module}")
    assert "backprop" in loaded
    assert not {*HOME, "keras"} & loaded


def test_help_lists_every_module():
    listed = set(re.findall(r"`(\w+)`", backprop.__doc__))
    assert listed == {path.stem for path in FOLDER.glob("[!_]*.py")}


@pytest.mark.parametrize("library", list(HOME))
def test_few_modules_import_a_large_library(library):
    importers = {path.stem for path in FOLDER.rglob("*.py") if library in imports(path)}
    assert importers == HOME[library]
