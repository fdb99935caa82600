"""The zoo's results are those of its bugs, and its page shows every one of them."""

import re

import nbformat
import numpy as np
import pytest
import zoo

from backprop import results

ROOT = zoo.ROOT
FOUND = results.zoo()["bugs"]
PAGE = nbformat.read(ROOT / "chapters" / "bug_zoo.ipynb", as_version=4)


def test_results_are_complete():
    assert list(FOUND) == sorted(zoo.ENTRIES)
    assert len(FOUND) >= 12
    for letter, entry in zoo.ENTRIES.items():
        assert list(FOUND[letter]["noticed"]) == list(zoo.KINDS)
        assert list(FOUND[letter]["runs"]) == list(entry.runs)
        for run in FOUND[letter]["runs"].values():
            assert [len(run[kind]["accuracies"]) for kind in ("bug", "repaired")] == [10, 10]
        assert any(FOUND[letter]["noticed"].values())  # each is noticed by something


def test_each_bug_fits_the_code():
    for letter, entry in zoo.ENTRIES.items():
        assert (zoo.mutant_of(letter) is None) == (entry.line is None)
        assert entry.line or entry.bug


def test_what_noticed_a_bug_is_still_there():
    assert results.zoo()["chapters"] == len(zoo.CHAPTERS)
    for letter, of_bug in FOUND.items():
        if zoo.ENTRIES[letter].line is None:
            continue
        for killer in filter(None, of_bug["noticed"].values()):
            file, _, test = killer.partition("::")
            assert (ROOT / file).is_file(), killer
            if file.endswith(".py"):
                name = test.partition("[")[0]
                assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), killer


@pytest.mark.parametrize("letter", ["A", "C"])
@pytest.mark.parametrize("with_bug", [True, False])
def test_a_run_gives_what_is_stored(letter, with_bug):
    (name,) = zoo.ENTRIES[letter].runs
    stored = FOUND[letter]["runs"][name]["bug" if with_bug else "repaired"]
    again = zoo.trained(letter, name, with_bug, seeds=1)
    # Processors sum in another order; over ten epochs that moves a few images of 10,000.
    assert again["accuracies"][0] == pytest.approx(stored["accuracies"][0], abs=0.5)
    assert np.isfinite(again["loss"]).all()


def test_the_page_has_each_bug_once_as_a_riddle_then_its_answer():
    text = "\n".join(
        cell.source if cell.cell_type == "markdown" else f"CELL {cell.source}"
        for cell in PAGE.cells
    )
    riddles = re.split(r"^### ([A-Z]) · ", text, flags=re.MULTILINE)[1:]
    assert sorted(riddles[::2]) == sorted(FOUND)
    for letter, riddle in zip(riddles[::2], riddles[1::2], strict=True):
        riddle = re.split(r"^## ", riddle, flags=re.MULTILINE)[0]
        question, _, answer = riddle.partition("<details>\n<summary>The bug</summary>")
        assert f'CELL curve("{letter}")' in question
        assert "*Published*" not in question
        for part in ("*Published*", "*The repair:*", "</details>", f'price("{letter}")'):
            assert part in answer, (letter, part)


def test_answers_are_folded():
    for cell in PAGE.cells:
        if re.search(r'^price\("', cell.source, re.MULTILINE):
            assert "hide-cell" in cell.metadata["tags"]
