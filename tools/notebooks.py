"""Turn a chapter into text for editing, and the edited text into an executed chapter.

make text CHAPTER=02_chain_rule       writes build/text/02_chain_rule.md
make chapter CHAPTER=02_chain_rule    takes over that text if it is newer, then executes

A chapter edited elsewhere (Colab, VS Code, JupyterLab) is brought back to the course's form: no
metadata but the course's own, and the cells' identifiers as they were in the last commit.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupytext.combine import map_outputs_to_inputs
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell
from scour import scour  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = ROOT / "chapters"
TEXTS = ROOT / "build" / "text"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
CELL_METADATA = ("tags", "mystnb")  # what the course says about a cell; all else is an editor's
# What a cell is for, in one tag: how the book folds it, and under which name.
KINDS = {
    "setup": ("hide-cell", "Set-up"),
    "plumbing": ("hide-input", "The code behind this"),
    "figure": ("hide-input", "How this figure is drawn"),
    "twin": ("hide-input", "The same in TensorFlow"),
    "solution": ("hide-cell", "Solution in code"),
}
HIDDEN = {"cellView": "form", "jupyter": {"source_hidden": True}}  # in Colab, in JupyterLab
# How a chapter writes an equation with its label, an exercise's heading, and a check.
EQUATION = re.compile(r"\$\$(.+?)\$\$[ \t]*(?:\(([^()\n]+)\)[ \t]*$)?", re.MULTILINE | re.DOTALL)
EXERCISE = re.compile(r"### Exercise (\d+)\.(\d+) (★{1,3}) (\S.*)")
CHECK = re.compile(r"^exercises\.check\((\w+)\)$", re.MULTILINE)
# What scour leaves out of a figure: about half of it. Names that are used stay as they are, since
# Jupyter puts the figures of a notebook into one page. Four digits are a tenth of a pixel.
LEAN = scour.parse_args(
    [
        "--set-precision=4",
        "--enable-id-stripping",
        "--enable-comment-stripping",
        "--remove-metadata",
        "--strip-xml-prolog",
        "--no-line-breaks",
        "--indent=none",
        "--quiet",
    ]
)
NEW_CELL = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}
COLAB_BUTTON = "view-in-github"  # Colab puts a cell with this name before the title


class ChapterError(Exception):
    """A chapter that cannot be read, edited or executed; the message says why."""


def write_if_changed(path: Path, text: str) -> bool:
    """Write `text` to `path` unless it holds just that; tell whether it was written."""
    data = text.encode("utf-8")  # not as text, which has other ends of lines on Windows
    if path.exists() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return True


def is_newer(path: Path, other: Path) -> bool:
    """Tell whether `path` exists and was written after `other`."""
    return path.exists() and (
        not other.exists() or path.stat().st_mtime_ns > other.stat().st_mtime_ns
    )


def has_tag(cell: NotebookNode, tag: str) -> bool:
    """Tell whether a cell has a tag."""
    return tag in cell.metadata.get("tags", [])


def fold(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return a code cell's metadata with all that hides it as its kind asks.

    What its author has chosen instead stays: a tag such as hide-cell, ``mystnb.code_prompt_show``.
    """
    tags, shown = metadata.get("tags", []), metadata.get("mystnb", {})
    for kind in KINDS.keys() & set(tags):
        hiding, name = KINDS[kind]
        if not any(tag.startswith("hide-") for tag in tags):
            tags = [*tags, hiding]
        name = shown.get("code_prompt_show", name)
        prompts = {"code_prompt_show": name, "code_prompt_hide": name}
        return metadata | HIDDEN | {"tags": tags, "mystnb": shown | prompts}
    return metadata


def unfold(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the shortest metadata of which `fold` makes these."""
    for kind in KINDS.keys() & set(metadata.get("tags", [])):
        hiding, name = KINDS[kind]
        tags = [tag for tag in metadata["tags"] if tag != hiding]
        shown = {k: v for k, v in metadata.get("mystnb", {}).items() if k != "code_prompt_hide"}
        if shown.get("code_prompt_show") == name:
            del shown["code_prompt_show"]
        return {"tags": tags} | ({"mystnb": shown} if shown else {})
    return metadata


def tidy(notebook: NotebookNode) -> NotebookNode:
    """Return a notebook's cells without their outputs and without what an editor has added."""
    cells, dropped = [], set(notebook.metadata) - set(METADATA)
    for cell in notebook.cells:
        if cell.metadata.get("id") == COLAB_BUTTON:
            continue
        dropped |= set(cell.metadata) - set(CELL_METADATA) - set(HIDDEN)
        kept = {key: cell.metadata[key] for key in CELL_METADATA if cell.metadata.get(key)}
        kept = fold(kept) if cell.cell_type == "code" else kept
        fresh = NEW_CELL[cell.cell_type](cell.source.replace("\r\n", "\n"), metadata=kept)
        fresh.update({key: cell[key] for key in ("id", "attachments") if key in cell})
        cells.append(fresh)
    if dropped := dropped - {"jupytext"}:
        print(f"Left out, since the course does not store it: {', '.join(sorted(dropped))}.")
    return new_notebook(cells=cells, metadata=METADATA)


def keep_ids(cells: list[NotebookNode], before: list[NotebookNode]) -> None:
    """Give the cells that stood there before their identifiers back, and no two cells the same."""
    places = map_outputs_to_inputs(cells, before)
    taken = {before[place].id for place in places if place is not None}
    for cell, place in zip(cells, places, strict=True):
        if place is not None:
            cell.id = before[place].id
        elif cell.id in taken:
            cell.id = new_raw_cell().id


def committed_cells(path: Path) -> list[NotebookNode]:
    """Return the cells of a notebook in the last commit: none if git does not know it."""
    command = ["git", "show", f"HEAD:./{path.name}"]
    try:
        shown = subprocess.run(command, cwd=path.parent, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    cells: list[NotebookNode] = nbformat.reads(shown.stdout.decode("utf-8"), as_version=4).cells
    return cells


def read_notebook(path: Path) -> NotebookNode:
    """Return a chapter as the course stores it, whatever program has written it."""
    try:
        notebook = tidy(nbformat.read(path, as_version=4))
    except (nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        problem = str(error).splitlines()[0][:200]
        raise ChapterError(f"{path.name} is no notebook that can be read: {problem}") from None
    keep_ids(notebook.cells, committed_cells(path))
    return notebook


def export_text(name: str) -> None:
    """Write the chapter `name` as MyST Markdown, but never over edits not yet taken over."""
    notebook, text = CHAPTERS / f"{name}.ipynb", TEXTS / f"{name}.md"
    chapter = read_notebook(notebook)
    for cell in chapter.cells:
        cell.metadata = nbformat.from_dict(unfold(cell.metadata))
    fresh = jupytext.writes(chapter, fmt="md:myst")
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
        return read_notebook(notebook)
    print(f"Taking over {text.relative_to(ROOT)} ...", flush=True)
    edited = tidy(jupytext.reads(text.read_text(encoding="utf-8"), fmt="md:myst"))
    if notebook.exists():
        keep_ids(edited.cells, read_notebook(notebook).cells)
    return edited


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run a notebook from top to bottom in `folder` and return it with its new outputs.

    What would differ between two runs or two computers without meaning anything is taken out
    of it: versions of the kernel, times, identifiers in the metadata.

    Raises
    ------
    ChapterError
        If a cell fails; the message holds its traceback. If asserts are switched off, too: they
        hold the numbers that are not compared.
    """
    if sys.flags.optimize:
        raise ChapterError(
            "asserts are switched off, and nothing else holds the numbers behind ≈: "
            "unset PYTHONOPTIMIZE, and run Python without -O"
        )
    os.environ["TQDM_DISABLE"] = "1"  # no progress bars in the outputs
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as in the tests: the same order of summation
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
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise ChapterError(f"a cell fails, and the chapter is left as it was:\n{error}") from None
    notebook.metadata = nbformat.from_dict(METADATA)  # the kernel has added its version
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if svg := output.get("data", {}).get("image/svg+xml"):
                output.data["image/svg+xml"] = scour.scourString(svg, LEAN)
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
    except KeyboardInterrupt:
        print("Stopped; the chapter is as it was.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
