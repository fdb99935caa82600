"""What chapters import is there or is installed; if that fails, a sentence says why."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest

from backprop import __version__, _setup

ROOT = Path(__file__).parents[2]
READY = f"backprop {__version__} is ready.\n"
GOOD = _setup.OLDEST


def test_it_asks_for_what_pyproject_declares():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = project["dependencies"] + project["optional-dependencies"]["chapters"]
    versions = dict(re.match(r"([\w-]+)>=([\d.]+)", line).groups() for line in declared)
    del versions["ipykernel"]  # the kernel runs already
    assert versions.pop("tensorflow-cpu") == versions["tensorflow"]
    assert versions == _setup.OLDEST


@pytest.fixture
def computer(monkeypatch):
    """Return a function that takes what is installed and how pip ends, and gives its commands."""

    def make(installed, code=0, log=""):
        def version(name):
            if name not in installed:
                raise PackageNotFoundError(name)
            return installed[name]

        def run(command, **options):
            commands.append(command)
            return SimpleNamespace(returncode=code, stderr=log)

        def find(module):
            return module in installed or f"{module}-cpu" in installed or None

        commands = []
        monkeypatch.setattr(_setup.util, "find_spec", find)
        monkeypatch.setattr(_setup.metadata, "version", version)
        monkeypatch.setattr(_setup.subprocess, "run", run)
        return commands

    return make


def test_nothing_is_installed_where_nothing_is_missing(computer, capsys):
    commands = computer({**GOOD, "numpy": "10.0.0rc1"})
    _setup.ready(__version__)
    assert capsys.readouterr().out == READY
    assert commands == []


@pytest.mark.parametrize(
    ("small", "name"), [(True, "tensorflow-cpu>=2.18"), (False, "tensorflow>=2.18")]
)
def test_what_is_missing_is_installed_beside_the_numpy_that_is_there(
    computer, capsys, monkeypatch, small, name
):
    monkeypatch.setattr(_setup, "SMALL_TENSORFLOW", small)
    commands = computer({"numpy": "2.9.9", "matplotlib": "3.99"})
    _setup.ready(__version__)
    tqdm = f"tqdm>={GOOD['tqdm']}"
    pip = [sys.executable, "-m", "pip", "install"]
    assert commands == [[*pip, tqdm, name, "numpy==2.9.9"]]
    assert capsys.readouterr().out == "Installing tqdm, tensorflow ...\n" + READY


def test_numpy_is_installed_where_there_is_none(computer):
    commands = computer({name: GOOD[name] for name in GOOD if name != "numpy"})
    _setup.ready(__version__)
    assert commands[0][4:] == [f"numpy>={GOOD['numpy']}"]


@pytest.mark.parametrize("name", ["tensorflow-cpu", "tf-nightly-under-another-name"])
def test_a_tensorflow_of_another_name_will_do(computer, capsys, name, monkeypatch):
    commands = computer({**{n: GOOD[n] for n in GOOD if n != "tensorflow"}, name: "2.99.0"})
    monkeypatch.setattr(_setup.util, "find_spec", lambda module: True)
    _setup.ready(__version__)
    assert (commands, capsys.readouterr().out) == ([], READY)


@pytest.mark.parametrize(
    ("name", "old"), [("numpy", "1.9.3"), ("tensorflow", "2.4.0"), ("tensorflow-cpu", "1.99")]
)
def test_what_is_too_old_is_refused(computer, name, old):
    installed = {n: v for n, v in GOOD.items() if not name.startswith(n)}
    commands = computer({**installed, name: old})
    module = name.removesuffix("-cpu")
    expected = f"expected {module} {GOOD[module]} or newer, got {old}: upgrade it"
    with pytest.raises(ImportError, match=re.escape(expected)):
        _setup.ready(__version__)
    assert commands == []


OFFLINE = """\
WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError'
ERROR: Could not find a version that satisfies the requirement tqdm>=4.66 (from versions: none)
ERROR: No matching distribution found for tqdm>=4.66
"""
CONFLICT = """\
ERROR: Cannot install numpy==2.9 and tqdm because these have conflicting dependencies.
ERROR: ResolutionImpossible: for help visit a page
"""


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (OFFLINE, "pip cannot reach the package registry: check the network"),
        (CONFLICT, "pip cannot install it: Cannot install numpy==2.9 and tqdm because"),
        (f"{sys.executable}: No module named pip\n", "so is pip, which would install it: "),
        ("note: much\nTrouble", "pip cannot install it: Trouble"),
        ("", "pip cannot install it: it does not say why"),
    ],
)
def test_a_failure_of_pip_is_one_sentence(computer, capsys, log, expected):
    computer({name: GOOD[name] for name in GOOD if name != "tqdm"}, code=1, log=log)
    with pytest.raises(ImportError, match=re.escape(f"tqdm: missing, and {expected}")) as caught:
        _setup.ready(__version__)
    assert "\n" not in str(caught.value)
    assert "ready" not in capsys.readouterr().out


def test_a_notebook_of_another_version_is_told(computer, capsys):
    computer(GOOD)
    _setup.ready("0.0.9")
    first, second = capsys.readouterr().out.splitlines(keepends=True)
    assert first == READY
    assert second.startswith("This notebook belongs to version 0.0.9:")


def test_a_python_without_packages_is_completed(tmp_path):
    """With a pip that only writes down what it is asked for."""
    (tmp_path / "pip.py").write_text("import sys; open('asked', 'w').write(' '.join(sys.argv[1:]))")
    program = f"import sys; sys.path += [{str(ROOT / 'code')!r}]\nfrom backprop import _setup\n"
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"{program}_setup.ready('{__version__}')"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout == f"Installing {', '.join(GOOD)} ...\n" + READY
    assert (tmp_path / "asked").read_text().startswith(f"install numpy>={GOOD['numpy']} ")
