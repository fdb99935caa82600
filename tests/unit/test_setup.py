"""What chapters import is there or is installed; if that fails, a sentence says why."""

import platform
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
OLDEST = _setup.OLDEST


def test_it_asks_for_what_pyproject_declares():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = project["dependencies"] + project["optional-dependencies"]["chapters"]
    versions = dict(re.match(r"([\w-]+)>=([\d.]+)", line).groups() for line in declared)
    del versions["ipykernel"]  # the kernel runs already
    assert versions.pop("tensorflow-cpu") == versions["tensorflow"]
    assert versions == OLDEST


@pytest.fixture
def run(monkeypatch, capsys):
    """Return a function that runs `ready`, and gives what pip was asked for and what is printed."""

    def ready(installed, version=__version__, code=0, log=""):
        def version_of(name):
            if not installed.get(name):
                raise PackageNotFoundError(name)
            return installed[name]

        def pip(command, **options):
            assert options == {"capture_output": True, "text": True}
            asked.append(command)
            return SimpleNamespace(returncode=code, stderr=log)

        def spec(module):
            return {module, f"{module}-cpu"} & installed.keys() or None

        asked = []
        monkeypatch.setattr(_setup.util, "find_spec", spec)
        monkeypatch.setattr(_setup.metadata, "version", version_of)
        monkeypatch.setattr(_setup.subprocess, "run", pip)
        monkeypatch.setattr(_setup, "invalidate_caches", lambda: asked.append("look anew"))
        _setup.ready(version)
        return asked, capsys.readouterr().out

    return ready


def without(*names):
    return {name: version for name, version in OLDEST.items() if name not in names}


@pytest.mark.parametrize(
    "there",
    [
        OLDEST,
        OLDEST | {"numpy": "10.0.0rc1"},
        without("tensorflow") | {"tensorflow-cpu": "2.99.0"},
        OLDEST | {"tensorflow": None},  # of a name that tells no version
    ],
)
def test_nothing_is_installed_where_nothing_is_missing(run, there):
    assert run(there) == ([], READY)
    told = "This notebook belongs to version 0.0.9: with another one a cell may fail.\n"
    assert run(there, "0.0.9") == ([], READY + told)


@pytest.mark.parametrize("small", [True, False])
def test_what_is_missing_is_installed_beside_the_numpy_that_is_there(run, monkeypatch, small):
    monkeypatch.setattr(_setup, "SMALL_TENSORFLOW", small)
    name = "tensorflow-cpu" if small else "tensorflow"
    wanted = [f"tqdm>={OLDEST['tqdm']}", f"{name}>={OLDEST['tensorflow']}", "numpy==2.9.9"]
    asked, printed = run({"numpy": "2.9.9", "matplotlib": "3.99"})
    assert asked == [[sys.executable, "-m", "pip", "install", *wanted], "look anew"]
    assert printed == "Installing tqdm, tensorflow ...\n" + READY


@pytest.mark.parametrize(
    ("name", "old"), [("numpy", "1.9.3"), ("tensorflow", "2.4.0"), ("tensorflow-cpu", "1.99")]
)
def test_what_is_too_old_is_refused(run, name, old):
    module = name.removesuffix("-cpu")
    expected = f"expected {module} {OLDEST[module]} or newer, got {old}: upgrade it"
    with pytest.raises(ImportError, match=re.escape(expected)):
        run(without(module, "tqdm") | {name: old}, code=1, log="is not asked")


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (
            "... after connection broken by 'X'\nERROR: none",
            "pip cannot reach the package registry",
        ),
        ("much\nERROR: tqdm conflicts\nERROR: a page\n", "pip cannot install it: tqdm conflicts"),
        (f"{sys.executable}: No module named pip\n", "so is pip, which would install it: "),
        ("note: much\nTrouble", "pip cannot install it: Trouble"),
        ("", "pip cannot install it: it does not say why"),
    ],
)
def test_a_failure_of_pip_is_one_sentence(run, capsys, log, expected):
    with pytest.raises(ImportError, match=f"^tqdm: missing, and {re.escape(expected)}.*$"):
        run(without("tqdm"), code=1, log=log)
    assert capsys.readouterr().out == "Installing tqdm ...\n"


def test_a_python_without_packages_is_completed(tmp_path):
    """With a pip that only writes down what has been printed and what it is asked for."""
    pip = "import sys; print(open('printed').read(), *sys.argv[1:], file=open('asked', 'w'))"
    (tmp_path / "pip.py").write_text(pip)
    program = f"import sys; sys.path += [{str(ROOT / 'code')!r}]\nfrom backprop import _setup\n"
    command = [sys.executable, "-S", "-c", f"{program}_setup.ready('{__version__}')"]
    with (tmp_path / "printed").open("w") as printed:
        subprocess.run(command, cwd=tmp_path, stdout=printed, check=True)
    told = f"Installing {', '.join(OLDEST)} ...\n"
    assert (tmp_path / "printed").read_text() == told + READY
    small = (platform.system(), platform.machine()) == ("Linux", "x86_64")
    names = {"tensorflow": "tensorflow-cpu"} if small else {}
    wanted = [f"{names.get(name, name)}>={version}" for name, version in OLDEST.items()]
    assert (tmp_path / "asked").read_text() == f"{told} install {' '.join(wanted)}\n"
