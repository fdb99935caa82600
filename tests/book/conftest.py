"""The built book, and a browser that opens it, for all tests in this folder."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from chromium import MissingError, chromium

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def toc():
    """The pages of the book, in order, without the ending of their names."""
    table = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [chapter for part in table["parts"] for chapter in part["chapters"]]
    sections = [s for chapter in chapters for s in (chapter, *chapter.get("sections", []))]
    return [table["root"], *(section["file"] for section in sections)]


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """Build the book from nothing, as `make book` does; a warning is an error, but not the end."""
    output = tmp_path_factory.mktemp("book")
    command = [Path(sys.executable).with_name("jupyter-book"), "build", ROOT]
    done = subprocess.run(
        [*command, "--path-output", output, "-W", "-n", "--keep-going", "-q"],
        capture_output=True,
        text=True,
    )
    return done, output / "_build" / "html"


@pytest.fixture(scope="session")
def folder(build):
    """The built book."""
    return build[1]


@pytest.fixture(scope="module")
def browser():
    """Chromium, as the system has it; while it is open no other event loop can run."""
    try:
        with chromium() as opened:
            yield opened
    except MissingError as error:
        pytest.skip(str(error))
