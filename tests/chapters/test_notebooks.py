"""Every chapter keeps every rule of `notebook_rules`."""

from pathlib import Path

import nbformat
import notebook_rules
import pytest

CHAPTERS = Path(__file__).parents[2] / "chapters"
NOTEBOOKS = {
    path.stem: nbformat.read(path, as_version=4) for path in sorted(CHAPTERS.glob("*.ipynb"))
}
MOST_IGNORED = 0.05
NUMBERED = [name for name in NOTEBOOKS if name[0].isdigit()]  # the others are to look things up in
CASES = [
    pytest.param(rule, name, id=f"{rule.__name__}-{name}")
    for rules, names in [
        (notebook_rules.RULES, NOTEBOOKS),
        (notebook_rules.RULES_FOR_CHAPTERS, NUMBERED),
    ]
    for rule in rules
    for name in names
]


def test_there_are_chapters():
    assert "00_introduction" in NOTEBOOKS


@pytest.mark.parametrize(("rule", "name"), CASES)
def test_rule(rule, name):
    broken = rule(NOTEBOOKS[name])
    assert not broken, f"{name}.ipynb: " + "; ".join(broken)


@pytest.mark.parametrize("name", NUMBERED)
def test_exercises_have_the_number_of_their_chapter(name):
    exercises = [text for _, _, text in notebook_rules.headings(NOTEBOOKS[name]) if "★" in text]
    assert exercises
    assert all(text.startswith(f"Exercise {int(name[:2])}.") for text in exercises)


def test_few_outputs_are_ignored():
    share, cells = notebook_rules.ignored_share(NOTEBOOKS)
    assert share <= MOST_IGNORED, f"{share:.1%} of the code cells are ignored: {', '.join(cells)}"


def test_setup_cell_is_the_same_everywhere():
    sources = {
        name: notebook_rules.cells(notebook, "code")[0][1].source
        for name, notebook in NOTEBOOKS.items()
    }
    assert len(set(sources.values())) == 1, f"the set-up cells differ: {list(sources)}"
