"""Make the virtual environment .venv in the checkout, or find it ready.

The Makefile calls it with one of these words:

    python    only look whether this Python is one that the course supports
    book      what building the book needs (requirements/book.txt)
    test      everything (requirements/test.txt), and the package in code/ itself
    pins      uv, which writes the two files above
    speed     .venv-speed, apart from the rest: what is measured there is no part of the course
    oldest    .venv-oldest, with the oldest packages that pyproject.toml allows
    newest    .venv-newest, with the newest that can be had

Standard library only, and no syntax newer than Python 3.6: an old Python must get as far
as the sentence that says it is too old.
"""

import hashlib
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import List

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST, NEWEST = (3, 11), (3, 13)  # the pins are resolved for these and what lies between
PIN = rb"^[A-Za-z0-9][\w.-]*==\S+"  # the first line of an entry in a pin file
# At the worst moment, measured, plus 20 %.
DISK_MB = {"book": 600, "test": 3400, "pins": 200, "oldest": 3400, "newest": 3400}
RESOLUTION = {"oldest": "lowest-direct", "newest": "highest"}


class SetupError(Exception):
    """Something the course needs is missing; the message says what to do."""


def check_python() -> None:
    """Refuse a Python outside the supported range, or one that cannot make environments."""
    version = platform.python_version()
    supported = "Python 3.{} to 3.{}".format(OLDEST[1], NEWEST[1])
    hint = "install one of these, or name it: make book PYTHON=python3.{}".format(NEWEST[1])
    if sys.version_info[:2] < OLDEST:
        raise SetupError(
            "Python {} is too old; the course needs {}: {}".format(version, supported, hint)
        )
    if sys.version_info[:2] > NEWEST:
        raise SetupError(
            "Python {} is newer than the pinned packages; the course needs {}: {}".format(
                version, supported, hint
            )
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise SetupError(
            "This Python {} has no venv module; install it and try again "
            "(on Debian and Ubuntu: apt install python3-venv)".format(version)
        ) from None


def check_disk(name: str) -> None:
    """Refuse to start an installation that the disk cannot hold."""
    free = shutil.disk_usage(str(ROOT)).free // 10**6
    if free < DISK_MB.get(name, 0):
        raise SetupError(
            "The disk has {} MB free, and `make {}` needs {} MB for its packages: "
            "make room and try again".format(free, name, DISK_MB[name])
        )


def read_requirements(name: str) -> bytes:
    """Return the pin file's content, or refuse a missing or damaged one."""
    path = ROOT / "requirements" / (name + ".txt")
    content = path.read_bytes() if path.is_file() else b""
    pins = re.findall(PIN, content, re.MULTILINE)
    if not pins or content.count(b"--hash=sha256:") < len(pins):
        raise SetupError(
            "requirements/{}.txt is missing or damaged; "
            "`git checkout requirements` brings it back".format(name)
        )
    return content


def stamp_text(name: str) -> str:
    """Return what a finished environment's stamp says; a change here means a new environment."""
    python = "{}.{}".format(*sys.version_info[:2])
    digest = hashlib.sha256(read_requirements(name)).hexdigest()
    return "{}\n{}\nPython {}\n".format(digest, ROOT, python)


def stamp_path(name: str) -> Path:
    """Return where the stamp of a finished environment lies."""
    return VENV / "finished-{}.txt".format(name)


def is_finished(name: str) -> bool:
    """Tell whether .venv holds exactly what the pin file `name` says."""
    stamp = stamp_path(name)
    return PYTHON.exists() and stamp.is_file() and stamp.read_text() == stamp_text(name)


def make_venv(name: str, venv: Path = VENV) -> None:
    """Make an empty environment, in place of whatever is there, for the packages of `name`."""
    if venv.exists():
        print("Removing the old or unfinished {} ...".format(venv.name), flush=True)
        shutil.rmtree(str(venv))
    check_disk(name)
    print("Making {} with Python {} ...".format(venv.name, platform.python_version()), flush=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(venv)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    if made.returncode != 0:
        print(made.stdout, file=sys.stderr)
        raise SetupError(explain(made.stdout, "Python could not make the environment"))


def explain(log: str, otherwise: str) -> str:
    """Turn the output of a failed installation into one sentence."""
    if "No space left on device" in log:
        return "The disk is full: make room (also in the folder for temporary files) and try again"
    if "DO NOT MATCH THE HASHES" in log or "Invalid requirement" in log:
        return (
            "A package does not match the hash in its pin file; "
            "`git checkout requirements` restores the file, and if that is not it, "
            "the download was changed on its way"
        )
    if re.search(r"Retrying|[Cc]onnect|timed out|Could not fetch URL|ProxyError|dns error", log):
        return "The package registry cannot be reached: check the network and try again"
    missing = re.search(r"No matching distribution found for (\S+)", log)
    if missing:
        return "There is no {} for Python {} on {} {}".format(
            missing.group(1), platform.python_version(), platform.system(), platform.machine()
        )
    return otherwise


def pip_install(arguments: List[str], total: int = 0, venv: Path = VENV) -> None:
    """Run pip in an environment."""
    python = str(venv / "bin" / "python")
    install([python, "-m", "pip", "install", "--disable-pip-version-check", *arguments], total)


def install(command: List[str], total: int = 0) -> None:
    """Run an installer; show progress, and its last lines if it fails."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        cwd=str(ROOT),
    )
    assert process.stdout is not None
    lines, collected = [], 0
    for line in process.stdout:
        lines.append(line)
        if line.startswith(("Collecting ", "Processing ")):  # the latter: from a local file
            collected += 1
            if total and collected % 20 == 0:
                print("  {} of {} packages fetched ...".format(collected, total), flush=True)
        elif total and line.startswith("Installing collected packages"):
            print("  unpacking all of them, the longest step ...", flush=True)
    if process.wait() != 0:
        otherwise = "the packages could not be installed (see above)"
        sentence = explain("".join(lines), otherwise)
        if sentence == otherwise:
            print("\n".join(line.rstrip()[:150] for line in lines[-6:]), file=sys.stderr)
        raise SetupError(sentence)


def prepare(name: str) -> None:
    """Bring .venv to what the pin file `name` says; do nothing if it is there already."""
    if is_finished(name):
        return
    pins = re.findall(PIN, read_requirements(name), re.MULTILINE)
    start = time.time()
    if name == "test" and is_finished("book") and not stamp_path("test").exists():
        check_disk(name)  # all pins of `book` are pins of `test` too: only add what is missing
    else:
        make_venv(name)
    for stamp in VENV.glob("finished-*.txt"):
        stamp.unlink()  # an interrupted installation must not look finished

    print("Installing {} packages for `make {}` ...".format(len(pins), name), flush=True)
    requirements = "requirements/{}.txt".format(name)
    pip_install(["--no-deps", "--require-hashes", "--requirement", requirements], len(pins))
    if name == "test":
        pip_install(["--no-deps", "--no-build-isolation", "--editable", "."])
    for finished in ["book", "test"] if name == "test" else [name]:
        stamp_path(finished).write_text(stamp_text(finished))
    print("The environment is ready ({:.0f} s).".format(time.time() - start), flush=True)


def prepare_pins() -> None:
    """Put uv into .venv; it cannot be pinned by the files it is there to write."""
    if not PYTHON.exists():
        make_venv("pins")
    pip_install(["uv"])


def prepare_speed() -> None:
    """Make .venv-speed, with the package and with what `make speed` compares it with."""
    venv = ROOT / ".venv-speed"
    make_venv("speed", venv)
    print("Installing what training is compared with; this takes minutes ...", flush=True)
    pip_install(["--requirement", "benchmarks/requirements.txt"], 0, venv)
    pip_install(["--no-deps", "--no-build-isolation", "--editable", "."], 0, venv)


def prepare_bound(name: str) -> None:
    """Make .venv-oldest or .venv-newest: the package, and what its tests need."""
    venv = ROOT / (".venv-" + name)
    make_venv(name, venv)
    print("Installing the {} packages; this takes minutes ...".format(name), flush=True)
    pip_install(["uv"], 0, venv)
    python = str(venv / "bin" / "python")
    options = ["--python", python, "--resolution", RESOLUTION[name], "--editable", ".[test]"]
    install([python, "-m", "uv", "pip", "install", *options])


def main() -> None:
    """Do what the one argument says."""
    try:
        (name,) = sys.argv[1:]
        check_python()
        if name == "pins":
            prepare_pins()
        elif name == "speed":
            prepare_speed()
        elif name in RESOLUTION:
            prepare_bound(name)
        elif name != "python":
            prepare(name)
    except SetupError as error:
        sys.exit("Error: {}.".format(error))
    except OSError as error:
        sys.exit("Error: {}.".format(explain(str(error), "the environment: {}".format(error))))
    except KeyboardInterrupt:
        print("Stopped. The next make begins this step anew.", file=sys.stderr)
        sys.exit(130)  # as the shell's own commands do


if __name__ == "__main__":
    main()
