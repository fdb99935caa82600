"""The environment that make prepares, and the sentence it ends with where something is missing."""

import ast
import builtins
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import SimpleNamespace

import environment
import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tools" / "environment.py"


# What is missing before anything is installed ------------------------------------------------


def test_python_3_6_can_read_the_program():
    ast.parse(PROGRAM.read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize("version", [(3, 6), (3, 10), (3, 14)])
def test_refuses_other_pythons(monkeypatch, version):
    monkeypatch.setattr(environment.sys, "version_info", (*version, 0))
    problem = "too old" if version < (3, 11) else "newer than the pinned packages"
    with pytest.raises(environment.SetupError, match=f"{problem}.* needs Python 3.11 to 3.13"):
        environment.check_python()


def test_supported_pythons_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest, newest = environment.OLDEST[1], environment.NEWEST[1]
    assert project["requires-python"] == f">=3.{oldest}"
    named = {line for line in project["classifiers"] if "Python :: 3." in line}
    assert named == {
        f"Programming Language :: Python :: 3.{minor}" for minor in range(oldest, newest + 1)
    }


def test_refuses_a_python_without_venv(monkeypatch):
    def without_ensurepip(name, *rest):
        if name == "ensurepip":
            raise ImportError(name)
        return real_import(name, *rest)

    real_import = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without_ensurepip)
    with pytest.raises(environment.SetupError, match=r"no venv module.*apt install python3-venv"):
        environment.check_python()


@pytest.mark.parametrize("name", ["book", "test"])
def test_refuses_a_full_disk(monkeypatch, name):
    usage = SimpleNamespace(free=environment.DISK_MB[name] * 10**6)
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda _: usage)
    environment.check_disk(name)
    usage.free -= 10**6
    with pytest.raises(environment.SetupError, match=f"`make {name}` needs .* MB"):
        environment.check_disk(name)


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM", "does not match the hash"),
        ("WARNING: Retrying (Retry(total=4", "cannot be reached"),
        ("  Caused by: client error (Connect)\n  Caused by: dns error", "cannot be reached"),
        ("ERROR: No matching distribution found for tensorflow==2.0", "no tensorflow==2.0 for"),
        ("something else", "could not"),
    ],
)
def test_explains_a_failure(log, sentence):
    assert sentence in environment.explain(f"line\n{log}\nline", "pip could not")


# The whole program, on a course whose one package is a file beside it -------------------------


class Course:
    """A copy of the program in a folder with a space in its name, and a package `tiny`."""

    def __init__(self, folder):
        self.folder = folder / "a course"
        (self.folder / "tools").mkdir(parents=True)
        (self.folder / "requirements").mkdir()
        shutil.copy(PROGRAM, self.folder / "tools")

    @property
    def pins(self):
        return self.folder / "requirements" / "book.txt"

    def move(self, name):
        self.folder = self.folder.rename(self.folder.with_name(name))

    def pin(self, version):
        """Make the package in this version and pin it."""
        wheel = self.folder / f"tiny-{version}-py3-none-any.whl"
        about = f"tiny-{version}.dist-info"
        with zipfile.ZipFile(wheel, "w") as file:
            file.writestr("tiny.py", f"version = '{version}'\n")
            file.writestr(
                f"{about}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n"
            )
            file.writestr(
                f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            file.writestr(f"{about}/RECORD", "")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        self.pins.write_text(f"tiny=={version} \\\n    --hash=sha256:{digest}\n")

    def prepare(self):
        """Run the program as make does."""
        settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": self.folder.as_uri()}
        return subprocess.run(
            [sys.executable, "tools/environment.py", "book"],
            cwd=self.folder,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
        )

    def installed(self):
        """Return the version of the package that the environment holds."""
        python = self.folder / ".venv" / "bin" / "python"
        command = [python, "-c", "import tiny; print(tiny.version)"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def course(tmp_path):
    course = Course(tmp_path)
    course.pin("1.0")
    return course


@pytest.mark.slow
def test_makes_an_environment_once_and_again_when_it_no_longer_fits(course):
    done = course.prepare()
    assert done.returncode == 0, done.stderr
    assert "Installing 1 packages" in done.stdout
    assert course.installed() == "1.0"
    assert course.prepare().stdout == ""

    course.move("moved")
    assert "Removing the old" in course.prepare().stdout
    assert course.installed() == "1.0"

    course.pin("1.1")
    good = course.pins.read_text()
    course.pins.write_text(f"tiny==1.1 --hash=sha256:{'0' * 64}")
    done = course.prepare()
    assert done.returncode == 1
    reason = "Error: A package does not match the hash in its pin file"
    assert done.stderr.splitlines()[-1].startswith(reason)
    assert "Traceback" not in done.stderr

    course.pins.write_text(good)
    assert "Removing the old or unfinished .venv" in course.prepare().stdout
    assert course.installed() == "1.1"


@pytest.mark.parametrize("content", [None, "", "# tiny\n", "tiny==1.0\n"])
def test_refuses_a_damaged_pin_file_before_anything_else(course, content):
    course.pins.unlink() if content is None else course.pins.write_text(content)
    done = course.prepare()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: requirements/book.txt is missing or damaged; "
        "`git checkout requirements` brings it back.\n"
    )


# The pin files -------------------------------------------------------------------------------


def pinned(path):
    """Return name -> version of what a requirements file pins."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9][\w.-]*)==([^\s;]+)", text, re.MULTILINE))


def test_every_pin_has_a_hash_and_no_address():
    for name in ("book", "test"):
        content = environment.read_requirements(name)
        entries = re.split(rb"^(?=[a-z0-9][\w.-]*==)", content, flags=re.MULTILINE)[1:]
        assert all(b"--hash=sha256:" in entry for entry in entries)
        assert not re.search(rb"://|--index|--find-links|--extra", content)


def test_one_environment_holds_all_pins():
    book, test, binder = map(
        pinned, ("requirements/book.txt", "requirements/test.txt", "binder/requirements.txt")
    )
    assert book.items() <= test.items()
    assert binder.items() <= test.items()
    assert not {"tensorflow", "tensorflow-cpu", "numpy"} & book.keys()
    assert {"tensorflow", "tensorflow-cpu", "setuptools", "nbval"} <= test.keys()
    assert {"tensorflow-cpu", "numpy", "matplotlib", "tqdm"} == binder.keys()


def test_binder_uses_a_supported_python():
    major, minor = re.fullmatch(
        r"python-(\d+)\.(\d+)\n", (ROOT / "binder" / "runtime.txt").read_text()
    ).groups()
    assert environment.OLDEST <= (int(major), int(minor)) <= environment.NEWEST
    assert os.access(ROOT / "binder" / "postBuild", os.X_OK)
