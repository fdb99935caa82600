"""The repository's address: set in one place, and installed from by a chapter that is alone."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import home
import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from backprop import __version__

ROOT = Path(__file__).parents[2]
NOT_SET = "https://home-not-set.invalid/backprop-by-hand"
READY = f"backprop {__version__} is ready.\n"


def run_cell(source, folder, python=sys.executable, **variables):
    """Run a cell's source in `folder` with a Python that does not see the checkout."""
    return subprocess.run(
        [python, "-c", source],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )


# Chapters and pyproject.toml say the same ----------------------------------------------------


def test_every_chapter_has_the_set_up_cell():
    address = home.read_home((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    chapters = sorted((ROOT / "chapters").glob("*.ipynb"))
    assert chapters, "there are no chapters"
    for path in chapters:
        cell = home.find_setup_cell(json.loads(path.read_text(encoding="utf-8")))
        assert cell, f"{path.name}: its first code cell must have the tag 'setup'"
        assert "".join(cell["source"]) == home.render_setup_cell(address), (
            f"{path.name}: the set-up cell is not that of tools/home.py; `make home` writes it"
        )


def test_the_set_up_cell_is_short():
    assert len(home.render_setup_cell(NOT_SET).splitlines()) <= 20


# Setting the address -------------------------------------------------------------------------


@pytest.fixture
def course(tmp_path):
    """A small course: pyproject.toml and one chapter."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# Ein Titel: σ"),
            new_code_cell("old", metadata={"tags": ["setup"]}),
            new_code_cell("print('old')"),
        ]
    )
    (tmp_path / "chapters").mkdir()
    nbformat.write(notebook, tmp_path / "chapters" / "00_first.ipynb")
    return tmp_path


@pytest.mark.parametrize("end", ["", "/", ".git"])
def test_set_home_writes_the_address_and_nothing_else(course, end):
    chapter, pyproject = course / "chapters" / "00_first.ipynb", course / "pyproject.toml"
    before, old = nbformat.read(chapter, as_version=4), tomllib.loads(pyproject.read_text())
    address = "https://github.com/owner/course.by-hand_2"
    assert home.set_home(course, address + end) == [pyproject, chapter]

    old["project"]["urls"]["Repository"] = address
    assert tomllib.loads(pyproject.read_text()) == old
    before.cells[1].source = home.render_setup_cell(address)
    expected = nbformat.writes(before) + "\n"
    assert chapter.read_text(encoding="utf-8") == expected
    assert home.set_home(course, address) == []


@pytest.mark.parametrize(
    "address",
    ["", "github.com/owner/name", "http://github.com/owner/name", "https://github.com/owner",
     "https://github.com/owner/name/tree/main", 'https://github.com/o/n"; import os',
     "https://example.org/owner/name"],
)  # fmt: skip
def test_set_home_refuses_other_addresses(course, address):
    before = (course / "pyproject.toml").read_text()
    with pytest.raises(ValueError, match=r"expected https://github\.com/owner/name, got"):
        home.set_home(course, address)
    assert (course / "pyproject.toml").read_text() == before


def test_set_home_refuses_a_chapter_without_set_up_cell(course):
    notebook = new_notebook(cells=[new_code_cell("print(1)")])
    nbformat.write(notebook, course / "chapters" / "01_second.ipynb")
    before = (course / "pyproject.toml").read_text()
    with pytest.raises(ValueError, match=r"01_second.ipynb: its first code cell"):
        home.set_home(course, "https://github.com/owner/name")
    assert (course / "pyproject.toml").read_text() == before


# The cell, wherever a reader runs it ---------------------------------------------------------


def test_cell_finds_the_installed_package(tmp_path):
    done = run_cell(home.render_setup_cell(NOT_SET), tmp_path)
    assert (done.stdout, done.stderr) == (READY, "")


@pytest.mark.parametrize("place", ["chapters", "."])
def test_cell_finds_the_package_in_the_repository(tmp_path, bare_python, place):
    (tmp_path / "code").symlink_to(ROOT / "code")
    (tmp_path / "chapters").mkdir()
    done = run_cell(home.render_setup_cell(NOT_SET), tmp_path / place, bare_python)
    assert (done.stdout, done.stderr) == (READY, "")


def test_cell_says_what_to_do_while_there_is_no_address(tmp_path, bare_python):
    done = run_cell(home.render_setup_cell(NOT_SET), tmp_path, bare_python)
    assert done.returncode != 0
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: pip install the course's repository, or open")


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """The interpreter of a fresh environment with all packages of this one but our own."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for entry in Path(nbformat.__file__).parents[1].iterdir():
        if "backprop" not in entry.name and entry.suffix != ".pth":
            (site / entry.name).symlink_to(entry)
    return str(folder / "bin" / "python")


@pytest.fixture(scope="module")
def local_home(tmp_path_factory):
    """A git repository with this package and no data, as an address to install from."""
    folder = tmp_path_factory.mktemp("home") / "course"
    shutil.copytree(
        ROOT / "code", folder / "code", ignore=shutil.ignore_patterns("*.npz", "*.egg-info")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for command in ("init -q", "add .", "commit -q -m course"):
        subprocess.run(
            ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", *command.split()],
            cwd=folder,
            check=True,
        )
    return folder.as_uri()


def test_a_chapter_alone_installs_the_package_and_moves_nothing(tmp_path, bare_python, local_home):
    """The set-up cell in a notebook in an empty folder, twice, in a kernel of a fresh Python."""
    site = next(Path(bare_python).parents[1].glob("lib/python*/site-packages"))
    before = {path.name for path in site.iterdir()}
    look = "import numpy; print(numpy.__version__, numpy.__file__)"
    setup = home.render_setup_cell(local_home)
    notebook = new_notebook(cells=[new_code_cell(text) for text in (look, setup, setup, look)])
    kernel = tmp_path / "kernels" / "fresh"
    kernel.mkdir(parents=True)
    argv = [bare_python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "fresh", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {
        **os.environ,
        "JUPYTER_PATH": str(tmp_path),
        "PIP_NO_INDEX": "1",  # nothing else may be asked for
        "PIP_NO_BUILD_ISOLATION": "0",  # which means: without isolation
    }
    client = NotebookClient(notebook, kernel_name="fresh", resources={"metadata": {"path": empty}})
    client.create_kernel_manager().kernel_spec_manager.kernel_dirs.append(str(tmp_path / "kernels"))
    client.execute(env=environment)

    def printed(cell):
        return [(output.get("name"), output.get("text")) for output in cell.outputs]

    numpy_before, first, second, numpy_after = map(printed, notebook.cells)
    assert first == second == [("stdout", READY)]
    assert numpy_before == numpy_after
    new = {path.name for path in site.iterdir()} - before
    assert new == {"backprop", f"backprop_by_hand-{__version__}.dist-info"}
    assert list(empty.iterdir()) == []


def test_cell_asks_for_what_is_absent_and_holds_numpy(tmp_path):
    """With a pip that only writes down what it is asked for."""
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").touch()
    information = tmp_path / "numpy-1.99.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Name: numpy\nVersion: 1.99.0\n")
    (tmp_path / "tensorflow.py").touch()
    (tmp_path / "pip.py").write_text(
        "import sys\nopen('asked.txt', 'w').write('\\n'.join(sys.argv[1:]))\n"
        f"open('backprop.py', 'w').write('__version__ = \"{__version__}\"')\n"
    )
    source = home.render_setup_cell("https://github.com/owner/name")
    done = subprocess.run(
        [sys.executable, "-S", "-c", source], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == (READY, "")
    assert (tmp_path / "asked.txt").read_text().split("\n") == [
        "install", "-qq", "git+https://github.com/owner/name", "tqdm", "numpy==1.99.0",
    ]  # fmt: skip
