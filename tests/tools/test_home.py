"""The repository's address: set in one place, and installed from by a chapter that is alone."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import home
import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from backprop import __version__

ROOT = Path(__file__).parents[2]
NOT_SET = "https://home-not-set.invalid/backprop-by-hand"
GITHUB = "https://github.com/owner/name"
READY = f"backprop {__version__} is ready.\n"


def copy_package(folder):
    """Copy what installing the package takes, but for its data."""
    leave = shutil.ignore_patterns("*.npz", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT / "code", folder / "code", ignore=leave)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)


def render(address):
    return home.render_setup_cell(address, __version__)


# Chapters and pyproject.toml say the same ----------------------------------------------------


def test_every_chapter_has_the_set_up_cell():
    address = home.read_home((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    chapters = sorted((ROOT / "chapters").glob("*.ipynb"))
    assert chapters, "there are no chapters"
    for path in chapters:
        cell = home.find_setup_cell(json.loads(path.read_text(encoding="utf-8")))
        assert cell, f"{path.name}: its first code cell must have the tag 'setup'"
        assert "".join(cell["source"]) == render(address), (
            f"{path.name}: the set-up cell is not that of tools/home.py; `make home` writes it"
        )


@pytest.mark.parametrize("address", [NOT_SET, GITHUB, "file://localhost/course"])
def test_the_set_up_cell_is_short(address):
    lines = render(address).splitlines()
    assert len(lines) <= 12
    assert all(len(line) <= 80 or line.lstrip().startswith("%pip") for line in lines)


def test_the_version_is_that_of_the_package():
    assert home.read_version(ROOT) == __version__


# Setting the address -------------------------------------------------------------------------


@pytest.fixture
def course(tmp_path):
    """A small course: the package without its data, and one chapter."""
    copy_package(tmp_path)
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
    before.cells[1].source = render(address)
    before.cells[1].outputs = [new_output("stream", name="stdout", text=READY)]
    expected = nbformat.writes(before) + "\n"
    assert chapter.read_text(encoding="utf-8") == expected
    assert home.set_home(course, address) == []


@pytest.mark.parametrize("address", [GITHUB, NOT_SET, "file:///a/course", "file://localhost/a"])
def test_the_package_installs_with_every_form_of_the_address(course, address):
    home.set_home(course, address)
    command = "-m pip install --quiet --no-index --no-deps --no-build-isolation --target"
    done = subprocess.run(
        [sys.executable, *command.split(), str(course / "installed"), str(course)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (information,) = (course / "installed").glob("*.dist-info/METADATA")
    written = address.replace("///", "//localhost/")
    assert f"Project-URL: Repository, {written}\n" in information.read_text(encoding="utf-8")


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


def run_cell(source, folder, python):
    """Run a cell as IPython does, with a Python that does not see the checkout."""
    options = ["--quick", "--colors=NoColor", "--HistoryManager.enabled=False", "-c", source]
    environment = {**os.environ, "IPYTHONDIR": str(folder / ".ipython"), "PYTHONPATH": ""}
    return subprocess.run(
        [python, "-m", "IPython", *options],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def error_of(done):
    """Return the last line of a cell that has failed."""
    assert done.returncode != 0
    return done.stdout.rstrip().splitlines()[-1]


@pytest.mark.parametrize("place", ["chapters", "."])
def test_cell_finds_the_package_in_the_repository(tmp_path, bare_python, place):
    (tmp_path / "code").symlink_to(ROOT / "code")
    (tmp_path / "chapters").mkdir()
    done = run_cell(render(GITHUB), tmp_path / place, bare_python)
    assert done.stdout == READY


def test_cell_says_what_to_do_while_there_is_no_address(tmp_path, bare_python):
    error = error_of(run_cell(render(NOT_SET), tmp_path, bare_python))
    assert error == f"ImportError: {home.NO_HOME}"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("backprop.py", ""),
        ("backprop.py", "import a_module_that_nobody_has"),
        ("backprop/__init__.py", "__version__ = '9.9'"),
    ],
)
def test_cell_names_another_module_of_the_same_name(tmp_path, bare_python, file, text):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    error = error_of(run_cell(render(GITHUB), tmp_path, bare_python))
    assert error == f"ImportError: The course is kept out by {path}"


# A folder of the same name is no obstacle: Python prefers a package to it, wherever that is.
@pytest.mark.parametrize("folder", ["backprop", "."])
@pytest.mark.parametrize("reason", ["ERROR: Network is unreachable", "No module named pip"])
def test_cell_names_pip_below_its_error(tmp_path, bare_python, reason, folder):
    (tmp_path / folder).mkdir(exist_ok=True)
    program = f"import sys; raise SystemExit(' '.join([*sys.argv[1:], {reason!r}]))"
    (tmp_path / "pip.py").write_text(program)
    done = run_cell(render(GITHUB), tmp_path, bare_python)
    assert error_of(done) == "ImportError: The course is kept out by pip"
    archive = "https://github.com/owner/name/archive/main.zip"
    assert f"install -qq --no-deps --retries 0 {archive} {reason}\n" in done.stdout
    assert "During handling" not in done.stdout


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    """The address of a server that has the package as GitHub has: as an archive of the branch."""
    folder = tmp_path_factory.mktemp("web")
    copy_package(folder / "branch" / "name-main")
    archive = folder / "owner" / "name" / "archive" / "main"
    archive.parent.mkdir(parents=True)
    shutil.make_archive(str(archive), "zip", folder / "branch")
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def test_a_chapter_alone_installs_the_package_and_moves_nothing(tmp_path, bare_python, web):
    """The set-up cell in a notebook in an empty folder, twice, in a kernel of a fresh Python."""
    site = next(Path(bare_python).parents[1].glob("lib/python*/site-packages"))
    before = {path.name for path in site.iterdir()}
    look = "import numpy; print(numpy.__version__, numpy.__file__)"
    setup = render(GITHUB).replace("https://github.com", web)
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
        "PATH": "",  # no git
        "JUPYTER_PATH": str(tmp_path),
        "PIP_NO_INDEX": "1",  # nothing else may be asked for
        "PIP_NO_BUILD_ISOLATION": "0",  # which means: without isolation
        "PYTHONPATH": "",
    }
    client = NotebookClient(notebook, kernel_name="fresh", resources={"metadata": {"path": empty}})
    client.create_kernel_manager().kernel_spec_manager.kernel_dirs.append(str(tmp_path / "kernels"))
    client.execute(env=environment)

    def printed(cell):
        return "".join(output.text for output in cell.outputs)

    numpy_before, first, second, numpy_after = map(printed, notebook.cells)
    note = "Note: you may need to restart the kernel to use updated packages.\n"
    assert (first, second) == (note + READY, READY)
    assert numpy_before == numpy_after
    new = {path.name for path in site.iterdir()} - before
    assert new == {"backprop", f"backprop_by_hand-{__version__}.dist-info"}
    assert list(empty.iterdir()) == []
