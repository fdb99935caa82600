"""Set the repository's address: in pyproject.toml and in the set-up cell of every chapter.

The cell holds the package's version, too: a new version needs the address set once more.

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
NOT_SET = "https://home-not-set.invalid/backprop-by-hand"  # nobody can register it
# The second form serves to try things out on one computer, the last takes the address away again.
VALID_HOME = re.compile(
    r"https://github\.com/[\w-]+/[\w.-]+|file://(localhost)?/[^\"\\\s]+"
    r"|https://home-not-set\.invalid/[\w.-]+"
)

# Every chapter's first code cell. It says what the package itself cannot: that it is missing, or
# that another module has its name. With --no-deps pip moves nothing that is there; whatever else
# chapters import is up to `backprop._setup`.
SETUP_CELL = """\
# Set-up: find the course's package, or install it. Run twice, it does nothing.
import sys
from importlib import import_module, util

sys.path += ["../code", "code"]  # in the course's repository it is there
found = getattr(util.find_spec("backprop"), "origin", None)
if not found:
    {install}
try:
    import_module("backprop._setup").ready("{version}")
except ModuleNotFoundError:
    raise ImportError(f"The course is kept out by {{found or 'pip'}}") from None
"""
NO_HOME = "The course has no address: open this in its repository"


def read_home(pyproject: str) -> str:
    """Return the repository's address from the text of pyproject.toml."""
    home: str = tomllib.loads(pyproject)["project"]["urls"]["Repository"]
    return home


def read_version(root: Path) -> str:
    """Return the package's version from its source."""
    text = (root / "code" / "backprop" / "__init__.py").read_text(encoding="utf-8")
    version: str = re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)[0]
    return version


def render_setup_cell(home: str, version: str) -> str:
    """Return the source of the set-up cell for a repository at `home`."""
    if ".invalid/" in home:
        install = f'raise ImportError("{NO_HOME}")'
    else:
        # GitHub serves the branch as an archive, which pip installs without git.
        source = home if home.startswith("file:") else f"{home}/archive/main.zip"
        install = f"%pip install -qq --no-deps --retries 0 {source}"
    return SETUP_CELL.format(install=install, version=version).rstrip("\n")


def find_setup_cell(notebook: dict[str, Any]) -> dict[str, Any] | None:
    """Return the first code cell if it is tagged as the set-up cell."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            is_setup = "setup" in cell["metadata"].get("tags", [])
            return cell if is_setup else None
    return None


def set_home(root: Path, home: str) -> list[Path]:
    """Write the address into the course at `root`; return the files that changed.

    The set-up cell's output is written as well: it says which version is ready.

    Raises
    ------
    ValueError
        If `home` is no address that notebooks can install from, or a chapter has no set-up
        cell. Nothing is written then.
    """
    home = home.removesuffix("/").removesuffix(".git")
    if not VALID_HOME.fullmatch(home):
        raise ValueError(f"HOME_URL: expected https://github.com/owner/name, got {home!r}")
    home = home.replace("file:///", "file://localhost/")  # packages' addresses must name a host
    pyproject = root / "pyproject.toml"
    old = pyproject.read_text(encoding="utf-8")
    line = f'Repository = "{read_home(old)}"'
    version = read_version(root)
    source, output = render_setup_cell(home, version), f"backprop {version} is ready.\n"
    texts = {pyproject: old.replace(line, f'Repository = "{home}"')}
    for path in sorted((root / "chapters").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cell = find_setup_cell(notebook)
        if cell is None:
            raise ValueError(f"{path.name}: its first code cell must have the tag 'setup'")
        cell["source"] = source.splitlines(keepends=True)
        cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": [output]}]
        # As Jupyter writes it, so that nothing else changes.
        texts[path] = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
    changed = [path for path, text in texts.items() if path.read_text(encoding="utf-8") != text]
    for path in changed:
        path.write_text(texts[path], encoding="utf-8", newline="\n")
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
