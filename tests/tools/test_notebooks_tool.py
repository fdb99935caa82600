"""`make text` and `make chapter`: a chapter comes back in the course's form, whoever saved it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import notebooks
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "chapters"))
import notebook_rules  # noqa: E402

from backprop import __version__  # noqa: E402

ALT = "A straight line that rises from the lower left."
FIGURE = {"mystnb": {"image": {"alt": ALT}, "figure": {"caption": "A line."}}}
LINE = """\
from IPython.display import SVG

SVG('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"></svg>')"""


def exercise(number):
    text = f"### Exercise 2.{number} ★ Do it\n\nHow?"
    return new_markdown_cell(text, metadata={"tags": ["exercise"]})


def solution():
    text = "<details>\n<summary>Solution</summary>\n\nSo.\n\n</details>"
    return new_markdown_cell(text, metadata={"tags": ["solution"]})


def good_notebook():
    """Return a notebook that keeps all rules when it has been executed."""
    cells = [
        new_markdown_cell("# Title\n\nWhat is σ?"),
        new_code_cell(
            f"print('backprop {__version__} is ready.')",
            metadata=notebooks.fold({"tags": ["setup"]}),
        ),
        new_markdown_cell("## Part"),
        new_code_cell("a = 1\nprint(a)"),
        new_code_cell(LINE, metadata=FIGURE),
        new_markdown_cell("## Exercises"),
        *(cell for number in range(1, 6) for cell in (exercise(number), solution())),
    ]
    return new_notebook(cells=cells, metadata=notebooks.METADATA)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository with one chapter, which has been executed and committed."""
    folder = tmp_path_factory.mktemp("course")
    path = folder / "chapters" / "01_first.ipynb"
    executed = notebooks.execute(good_notebook(), folder)
    notebooks.write_if_changed(path, nbformat.writes(executed) + "\n")
    for command in ("init -q", "add .", "commit -q -m chapter"):
        who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        subprocess.run(["git", *who, *command.split()], cwd=folder, check=True)
    return folder


@pytest.fixture
def chapter(tmp_path, monkeypatch, repository):
    """The chapter in a repository of the test's own."""
    shutil.copytree(repository, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    monkeypatch.setattr(notebooks, "CHAPTERS", tmp_path / "chapters")
    monkeypatch.setattr(notebooks, "TEXTS", tmp_path / "build" / "text")
    return tmp_path / "chapters" / "01_first.ipynb"


def run(path, action="chapter"):
    {"text": notebooks.export_text, "chapter": notebooks.run_chapter}[action](path.stem)


# Saved by another program --------------------------------------------------------------------


def colab(notebook):
    """No identifiers, a button before the title, and much about the run."""
    notebook["nbformat_minor"] = 0
    notebook["metadata"] = {
        "accelerator": "GPU",
        "colab": {"provenance": [], "gpuType": "T4", "include_colab_link": True},
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python"},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"1f": {"state": {}}}},
    }
    for n, cell in enumerate(notebook["cells"]):
        del cell["id"]
        cell["metadata"] |= {"id": f"aB3_{n:08}", "colab_type": cell["cell_type"]}
        if cell["cell_type"] == "code":
            cell["metadata"]["colab"] = {"base_uri": "https://localhost:8080/", "height": 34}
            cell["metadata"]["outputId"] = "0f3c4e5a-52a7-4d0f-b5c6-f8a3a3f8d9b1"
            cell["metadata"]["executionInfo"] = {"status": "ok", "elapsed": 3, "user": {"id": "7"}}
            for output in cell["outputs"]:
                output["metadata"] = {"tags": None}
    button = '<a href="https://example.org"><img src="https://example.org/badge.svg"/></a>'
    metadata = {"id": "view-in-github", "colab_type": "text"}
    notebook["cells"].insert(0, {"cell_type": "markdown", "metadata": metadata, "source": button})


def vscode(notebook):
    """Windows' ends of lines, sources in one piece, an environment's name, an older format."""
    notebook["nbformat_minor"] = 2
    notebook["metadata"] = {
        "kernelspec": {"name": "venv-12", "display_name": ".venv (3.12.1)", "language": "python"},
        "language_info": {"name": "python", "version": "3.12.1", "file_extension": ".py"},
        "orig_nbformat": 4,
    }
    for cell in notebook["cells"]:
        del cell["id"]
        cell["metadata"] |= {"vscode": {"languageId": "python"}, "notebookRunGroups": {"g": "1"}}
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")


def jupyterlab(notebook):
    """Another kernel, the state of each cell on the screen, times, and a widget."""
    notebook["metadata"] = {
        "kernelspec": {"name": "conda-env-x", "display_name": "x", "language": "python"},
        "language_info": {"name": "python", "version": "3.11.9", "nbconvert_exporter": "python"},
        "toc-autonumbering": True,
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}},
    }
    for cell in notebook["cells"]:
        cell["metadata"].setdefault("tags", [])
        cell["metadata"] |= {"editable": True, "slideshow": {"slide_type": ""}, "trusted": True}
        if cell["cell_type"] == "code":
            cell["metadata"] |= {"collapsed": True, "scrolled": True}
            cell["metadata"]["execution"] = {"iopub.status.busy": "2026-01-01T10:00:00Z"}
            cell["metadata"]["jupyter"] = {"source_hidden": True, "outputs_hidden": False}
            widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "1f"}}
            cell["outputs"].append(
                {"output_type": "display_data", "metadata": {}, "data": widget | {"text/plain": ""}}
            )


def save_as(style, path, old="", new=""):
    """Save the chapter as another program does, with one text replaced."""
    notebook = json.loads(path.read_text(encoding="utf-8").replace(old, new))
    style(notebook)
    ends = "\r\n" if style is vscode else "\n"
    path.write_text(json.dumps(notebook, indent=2), encoding="utf-8", newline=ends)


STYLES = pytest.mark.parametrize("style", [colab, vscode, jupyterlab], ids=lambda s: s.__name__)


@STYLES
@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_a_chapter_saved_elsewhere_is_what_it_was(chapter, style):
    before = chapter.read_bytes()
    save_as(style, chapter)
    assert chapter.read_bytes() != before
    run(chapter)
    assert chapter.read_bytes() == before


@STYLES
@pytest.mark.slow
def test_a_chapter_changed_elsewhere_keeps_the_rules(chapter, style):
    before = nbformat.read(chapter, as_version=4)
    save_as(style, chapter, "a = 1", "a = 2")
    run(chapter)
    after = nbformat.read(chapter, as_version=4)
    assert {rule.__name__: rule(after) for rule in notebook_rules.RULES} == {
        rule.__name__: [] for rule in notebook_rules.RULES
    }
    assert [cell.id for cell in after.cells] == [cell.id for cell in before.cells]
    assert after.metadata == notebooks.METADATA
    changed = [a != b for a, b in zip(after.cells, before.cells, strict=True)]
    assert changed.index(True) == 3
    assert sum(changed) == 1
    assert after.cells[3].outputs[0].text == "2\n"


def test_it_says_what_it_leaves_out(chapter, capsys):
    save_as(colab, chapter)
    notebooks.read_notebook(chapter)
    assert capsys.readouterr().out == (
        "Left out, since the course does not store it: accelerator, colab, colab_type, "
        "executionInfo, id, outputId, widgets.\n"
    )


@STYLES
def test_the_text_of_a_chapter_saved_elsewhere_is_what_it_was(chapter, style):
    run(chapter, "text")
    text = notebooks.TEXTS / "01_first.md"
    before = text.read_bytes()
    text.unlink()
    save_as(style, chapter)
    run(chapter, "text")
    assert text.read_bytes() == before


# What is folded ------------------------------------------------------------------------------


def test_a_tag_is_enough_to_fold_a_cell():
    folded = notebooks.fold({"tags": ["figure"], "mystnb": {"image": {"alt": ALT}}})
    assert folded == {
        "tags": ["figure", "hide-input"],
        "mystnb": {
            "image": {"alt": ALT},
            "code_prompt_show": "How this figure is drawn",
            "code_prompt_hide": "How this figure is drawn",
        },
        "cellView": "form",
        "jupyter": {"source_hidden": True},
    }
    assert notebooks.unfold(folded) == {"tags": ["figure"], "mystnb": {"image": {"alt": ALT}}}


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"tags": ["timed"]},
        {"tags": ["plumbing"]},
        {"tags": ["plumbing", "hide-cell"]},
        {"tags": ["twin"], "mystnb": {"code_prompt_show": "The same in Keras"}},
    ],
)
def test_what_an_author_chooses_stays(chosen):
    folded = notebooks.fold(chosen)
    assert folded.get("mystnb", {}).items() >= chosen.get("mystnb", {}).items()
    assert notebooks.fold(folded) == folded
    assert notebooks.unfold(folded) == chosen


# Identifiers ---------------------------------------------------------------------------------


def test_a_cell_put_in_between_is_new_and_the_others_are_what_they_were(chapter):
    before = [cell.id for cell in nbformat.read(chapter, as_version=4).cells]
    notebook = json.loads(chapter.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["id"] = f"other-{cell['id']}"
    # A program that copies a cell with its identifier, which an old cell has, too.
    copy = {"cell_type": "markdown", "id": before[2], "metadata": {}, "source": "A new thought."}
    notebook["cells"].insert(3, copy)
    chapter.write_text(json.dumps(notebook), encoding="utf-8")
    after = [cell.id for cell in notebooks.read_notebook(chapter).cells]
    assert after[:3] + after[4:] == before
    assert len(set(after)) == len(after)


def test_what_is_not_yet_committed_keeps_its_identifiers(chapter):
    notebook = nbformat.read(chapter, as_version=4)
    notebook.cells.insert(3, new_markdown_cell("A new thought."))
    nbformat.write(notebook, chapter)
    cells = notebooks.read_notebook(chapter).cells
    assert [cell.id for cell in cells] == [cell.id for cell in notebook.cells]


def test_ends_of_lines_are_those_of_the_course(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one\r\ntwo\r\n")
    assert notebooks.write_if_changed(path, "one\ntwo\n")
    assert path.read_bytes() == b"one\ntwo\n"
    assert not notebooks.write_if_changed(path, "one\ntwo\n")


@pytest.mark.parametrize("missing", ["git", "commit"])
def test_without_a_commit_the_identifiers_of_the_file_stay(chapter, monkeypatch, missing):
    if missing == "git":
        monkeypatch.setenv("PATH", "")
    else:
        chapter = chapter.rename(chapter.with_name("02_new.ipynb"))
    before = [cell.id for cell in nbformat.read(chapter, as_version=4).cells]
    assert [cell.id for cell in notebooks.read_notebook(chapter).cells] == before


def test_pictures_pasted_into_a_text_stay(chapter):
    notebook = json.loads(chapter.read_text(encoding="utf-8"))
    pasted = {"image.png": {"image/png": "iVBORw0KGgo="}}
    notebook["cells"][2]["attachments"] = pasted
    chapter.write_text(json.dumps(notebook), encoding="utf-8")
    assert notebooks.read_notebook(chapter).cells[2].attachments == pasted


# Text ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_edited_text_is_taken_over(chapter):
    before = nbformat.read(chapter, as_version=4)
    run(chapter, "text")
    text = notebooks.TEXTS / "01_first.md"
    text.write_text(text.read_text(encoding="utf-8").replace("a = 1", "a = 3"), encoding="utf-8")
    with pytest.raises(notebooks.ChapterError, match="holds edits"):
        run(chapter, "text")
    run(chapter)
    after = nbformat.read(chapter, as_version=4)
    assert after.cells[3].outputs[0].text == "3\n"
    assert [cell.id for cell in after.cells] == [cell.id for cell in before.cells]


# What cannot be stored -----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["1 / 0", 'import os\\n",\n    "os._exit(1)'])
def test_a_failing_cell_leaves_the_chapter_as_it_was(chapter, cell):
    text = chapter.read_text(encoding="utf-8").replace("a = 1", cell)
    chapter.write_text(text, encoding="utf-8")
    with pytest.raises(notebooks.ChapterError, match="a cell fails, and the chapter is left"):
        run(chapter)
    assert chapter.read_text(encoding="utf-8") == text


def test_a_file_that_is_no_notebook_is_refused(chapter):
    chapter.write_text("<<<<<<< HEAD\n{}", encoding="utf-8")
    with pytest.raises(notebooks.ChapterError, match=r"01_first\.ipynb is no notebook that can"):
        run(chapter)


@pytest.mark.parametrize(("flags", "variable"), [(["-O"], ""), ([], "1"), (["-OO"], "0")])
def test_it_refuses_to_run_with_asserts_switched_off(flags, variable, monkeypatch):
    monkeypatch.setenv("PYTHONOPTIMIZE", variable)
    program = [sys.executable, *flags, str(ROOT / "tools" / "notebooks.py")]
    chapter = ROOT / "chapters" / "00_introduction.ipynb"
    before = chapter.stat().st_mtime_ns
    done = subprocess.run([*program, "chapter", chapter.stem], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: asserts are switched off")
    assert chapter.stat().st_mtime_ns == before
