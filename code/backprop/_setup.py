"""The end of a chapter's set-up cell: what chapters import is there, or is installed.

It runs where NumPy may be missing, so it imports nothing but the standard library.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib import invalidate_caches, metadata, util

from backprop import __version__

# What chapters import, and the oldest versions that will do, as in pyproject.toml.
OLDEST = {"numpy": "2.0", "matplotlib": "3.9", "tqdm": "4.66", "tensorflow": "2.18"}
# The small TensorFlow goes by a name of its own, and exists for these processors only.
SMALL_TENSORFLOW = (platform.system(), platform.machine()) == ("Linux", "x86_64")


def ready(version: str) -> None:
    """Install what chapters import and this Python lacks, and say that the package is ready.

    Parameters
    ----------
    version : str
        The version of the package that the notebook was written for.

    Raises
    ------
    ImportError
        If something that is there is too old, or pip cannot install what is missing.
    """
    missing = [module for module in OLDEST if not util.find_spec(module)]
    for module in OLDEST:
        found = None if module in missing else _version(module)
        if found and _release(found) < _release(OLDEST[module]):
            raise ImportError(
                f"expected {module} {OLDEST[module]} or newer, got {found}: upgrade it, for "
                f"example by `%pip install --upgrade {module}`, and restart the kernel"
            )
    if missing:
        _install(missing)
    print(f"backprop {__version__} is ready.")
    if version != __version__:
        print(f"This notebook belongs to version {version}: with another one a cell may fail.")


def _version(module: str) -> str | None:
    """Return the version of an installed module, or None if nothing tells it."""
    for name in (module, f"{module}-cpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _release(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a version."""
    return tuple(int(number) for number in version.split(".")[:2])


def _install(modules: list[str]) -> None:
    """Let pip install the modules. It must keep the NumPy that is there: a kernel may hold it."""
    names = {"tensorflow": "tensorflow-cpu"} if SMALL_TENSORFLOW else {}
    wanted = [f"{names.get(module, module)}>={OLDEST[module]}" for module in modules]
    if numpy := _version("numpy"):
        wanted.append(f"numpy=={numpy}")
    print(f"Installing {', '.join(modules)} ...")
    command = [sys.executable, "-m", "pip", "install", *wanted]
    pip = subprocess.run(command, capture_output=True, text=True)
    if pip.returncode != 0:
        raise ImportError(f"{', '.join(modules)}: missing, and {_reason(pip.stderr)}")
    invalidate_caches()


def _reason(log: str) -> str:
    """Return in one sentence why pip has failed."""
    if "No module named pip" in log:
        return f"so is pip, which would install it: {sys.executable} -m ensurepip"
    if "connection broken" in log:
        return "pip cannot reach the package registry: check the network, and run the cell again"
    lines = log.splitlines() or ["it does not say why"]
    error = next((line for line in lines if line.startswith("ERROR: ")), lines[-1])
    return f"pip cannot install it: {error.removeprefix('ERROR: ')}"
