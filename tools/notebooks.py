"""Turn a chapter into text for editing, and the edited text into an executed chapter.

make text CHAPTER=02_chain_rule       writes build/text/02_chain_rule.md
make chapter CHAPTER=02_chain_rule    takes over that text if it is newer, then executes
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import jupytext
import nbformat
from jupytext.combine import combine_inputs_with_outputs
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = ROOT / "chapters"
TEXTS = ROOT / "build" / "text"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}


class ChapterError(Exception):
    """A chapter that cannot be read, edited or executed; the message says why."""


def write_if_changed(path: Path, text: str) -> bool:
    """Write `text` to `path` unless it holds just that; tell whether it was written."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return True


def is_newer(path: Path, other: Path) -> bool:
    """Tell whether `path` exists and was written after `other`."""
    return path.exists() and (
        not other.exists() or path.stat().st_mtime_ns > other.stat().st_mtime_ns
    )


def export_text(name: str) -> None:
    """Write the chapter `name` as MyST Markdown, but never over edits not yet taken over."""
    notebook, text = CHAPTERS / f"{name}.ipynb", TEXTS / f"{name}.md"
    fresh = jupytext.writes(nbformat.read(notebook, as_version=4), fmt="md:myst")
    if is_newer(text, notebook) and text.read_text(encoding="utf-8") != fresh:
        raise ChapterError(
            f"{text.relative_to(ROOT)} holds edits: `make chapter CHAPTER={name}` takes them "
            "over; delete the file to drop them"
        )
    write_if_changed(text, fresh)
    print(f"Edit {text.relative_to(ROOT)}, then: make chapter CHAPTER={name}")


def load_chapter(name: str) -> NotebookNode:
    """Return the chapter, with the edited text in it if there is a newer one."""
    notebook, text = CHAPTERS / f"{name}.ipynb", TEXTS / f"{name}.md"
    if not is_newer(text, notebook):
        return nbformat.read(notebook, as_version=4)
    print(f"Taking over {text.relative_to(ROOT)} ...", flush=True)
    edited = jupytext.reads(text.read_text(encoding="utf-8"), fmt="md:myst")
    if notebook.exists():  # unchanged cells keep their identifiers
        edited = combine_inputs_with_outputs(edited, nbformat.read(notebook, as_version=4))
    return edited


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run a notebook from top to bottom in `folder` and return it with its new outputs.

    What would differ between two runs or two computers without meaning anything is taken out
    of it: versions of the kernel, times, identifiers in the metadata.

    Raises
    ------
    ChapterError
        If a cell fails; the message holds its traceback.
    """
    os.environ["TQDM_DISABLE"] = "1"  # no progress bars in the outputs
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as in the tests: the same order of summation
    notebook.metadata = nbformat.from_dict(METADATA)
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],  # else every kernel warns about its local port
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise ChapterError(f"a cell fails, and the chapter is left as it was:\n{error}") from None
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return notebook


def run_chapter(name: str) -> None:
    """Execute the chapter `name` and store it with its outputs."""
    chapter = load_chapter(name)
    print(f"Executing chapters/{name}.ipynb ...", flush=True)
    executed = execute(chapter, CHAPTERS)
    changed = write_if_changed(CHAPTERS / f"{name}.ipynb", nbformat.writes(executed) + "\n")
    print("Stored with its outputs." if changed else "The outputs are what they were.")


def main() -> None:
    """Do what the arguments say: `text NAME` or `chapter NAME`."""
    action, name = sys.argv[1:]
    try:
        if not (CHAPTERS / f"{name}.ipynb").exists() and not (TEXTS / f"{name}.md").exists():
            names = ", ".join(sorted(path.stem for path in CHAPTERS.glob("*.ipynb")))
            raise ChapterError(f"there is no chapter {name!r}: give CHAPTER=, one of {names}")
        {"text": export_text, "chapter": run_chapter}[action](name)
    except ChapterError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
