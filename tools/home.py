"""Set the repository's address: in pyproject.toml and in the set-up cell of every chapter.

`make home HOME_URL=https://github.com/owner/name` runs it.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# The last form takes the address away again; the second serves to try things out on one computer.
VALID_HOME = re.compile(
    r"https://github\.com/[\w-]+/[\w.-]+|file:///[^\"\\\s]+|https://home-not-set\.invalid/[\w.-]+"
)

# Every chapter's first code cell, with the address in place of HOME_URL. It names the version
# of NumPy that is there, because a notebook breaks when another one takes its place; TensorFlow
# is asked for only where there is none, since nothing else here depends on it.
SETUP_CELL = """\
# Set-up: find the course's package, or install it. Run twice, it does nothing.
import subprocess
import sys
from importlib import import_module, invalidate_caches, metadata, util

home = "HOME_URL"
if not util.find_spec("backprop"):
    sys.path += ["../code", "code"]  # this notebook may lie in the repository
if not util.find_spec("backprop") and ".invalid/" in home:
    raise ModuleNotFoundError(
        "pip install the course's repository, or open its folder chapters"
    )
if not util.find_spec("backprop"):
    install = [sys.executable, "-m", "pip", "install", "-qq", f"git+{home}"]
    install += [n for n in ("tqdm", "tensorflow") if not util.find_spec(n)]
    if util.find_spec("numpy"):  # keep the version that is there
        install += [f"numpy=={metadata.version('numpy')}"]
    subprocess.run(install, check=True)
    invalidate_caches()
print(f"backprop {import_module('backprop').__version__} is ready.")
"""


def read_home(pyproject: str) -> str:
    """Return the repository's address from the text of pyproject.toml."""
    home: str = tomllib.loads(pyproject)["project"]["urls"]["Repository"]
    return home


def render_setup_cell(home: str) -> str:
    """Return the source of the set-up cell for a repository at `home`."""
    return SETUP_CELL.replace("HOME_URL", home).rstrip("\n")


def find_setup_cell(notebook: dict[str, Any]) -> dict[str, Any] | None:
    """Return the first code cell if it is tagged as the set-up cell."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            is_setup = "setup" in cell["metadata"].get("tags", [])
            return cell if is_setup else None
    return None


def set_home(root: Path, home: str) -> list[Path]:
    """Write the address into the course at `root`; return the files that changed.

    Raises
    ------
    ValueError
        If `home` is no address that notebooks can install from, or a chapter has no set-up
        cell. Nothing is written then.
    """
    home = home.removesuffix("/").removesuffix(".git")
    if not VALID_HOME.fullmatch(home):
        raise ValueError(f"HOME_URL: expected https://github.com/owner/name, got {home!r}")
    pyproject = root / "pyproject.toml"
    old = pyproject.read_text(encoding="utf-8")
    line = f'Repository = "{read_home(old)}"'
    texts = {pyproject: old.replace(line, f'Repository = "{home}"')}
    for path in sorted((root / "chapters").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cell = find_setup_cell(notebook)
        if cell is None:
            raise ValueError(f"{path.name}: its first code cell must have the tag 'setup'")
        cell["source"] = render_setup_cell(home).splitlines(keepends=True)
        # As Jupyter writes it, so that nothing else changes.
        texts[path] = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
    changed = [path for path, text in texts.items() if path.read_text(encoding="utf-8") != text]
    for path in changed:
        path.write_text(texts[path], encoding="utf-8")
    return changed


def main() -> None:
    """Set the address given as the one argument."""
    try:
        changed = set_home(ROOT, " ".join(sys.argv[1:]))
    except ValueError as error:
        sys.exit(f"Error: {error}.")
    for path in changed:
        print("changed", path.relative_to(ROOT))
    print(len(changed), "files changed." if changed else "files changed: this address was set.")


if __name__ == "__main__":
    main()
