"""Every numbered equation has a test, and every label named in tests and code is in the book."""

import re
from pathlib import Path

import bind
import equations
import pytest
from nbformat import write
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parents[2]
LABELS = equations.labels(ROOT / "chapters")
TESTED = equations.tested(ROOT / "tests")
CITED = equations.cited(ROOT / "code" / "backprop")


def test_every_equation_has_a_test():
    untested = sorted(LABELS.keys() - TESTED.keys())
    assert not untested, f"no test and no entry of the registry is marked with {untested}"


def test_every_marked_test_has_its_equation():
    gone = {label: place for label, place in TESTED.items() if label not in LABELS}
    assert not gone, f"these tests name labels that no chapter has: {gone}"


def test_every_label_in_the_code_is_in_the_book():
    gone = {label: file for label, file in CITED.items() if label not in LABELS}
    assert not gone, f"these docstrings name labels that no chapter has: {gone}"


def test_every_formula_is_what_its_test_was_bound_to():
    """Whoever changes a formula looks at its test and binds it anew: `make bind`."""
    bound = dict(equations.found_in(bind.BOUND.read_text(encoding="utf-8")))
    changed = bind.changes(bound, dict(equations.found(ROOT / "chapters")))
    assert not changed, f"look at the tests of {changed}, then run make bind"


def test_there_are_equations():
    assert LABELS
    assert CITED


def test_labels_are_unique():
    twice = [label for label, count in LABELS.items() if count > 1]
    assert not twice, f"these labels stand in the book more than once: {twice}"


def test_labels_are_lower_case_words_joined_by_hyphens():
    wrong = [label for label in LABELS if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", label)]
    assert not wrong


# The functions above find what is there: on small made-up trees


def make_chapter(folder, *texts):
    cells = [new_markdown_cell(text) for text in texts]
    cells.append(new_code_cell("'$$ a $$ (in-code)'"))
    write(new_notebook(cells=cells), folder / "chapter.ipynb")


def test_labels_are_found(tmp_path):
    make_chapter(
        tmp_path,
        "$$\nf(x)\n$$ (one)\n\n$$ a $$\n\n$$\n(b)\n+ c\n$$ (two)\n\nInline $x$ (not-this).",
        "> $$\n> y\n> $$ (three)\n\n```\n$$ z $$ (in-fence)\n```\n\n$$ u $$ (a pair) of words",
        "$$ v $$ (one)",
    )
    (tmp_path / "page.md").write_text("Text.\n\n$$w$$ (four)\n")
    assert equations.labels(tmp_path) == {"one": 2, "two": 1, "three": 1, "four": 1}


COLOURED = r"{\color{#B84F00}{\frac{\partial L}{\partial z}}} = {\color{#0072B2}{\{p\}}} - t"


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (r"\frac{\partial L}{\partial z} = \{p\} - t", True),
        (r"\frac{\partial L}{\partial z} \; = \quad \{p\} - \, t", True),
        (r"\frac{\partial L}{\partial z} = \{p\} + t", False),
        (r"\frac{\partial L}{\partial z} = \{p\}", False),
        (r"\frac{\partial L}{\partial z} = \{p\} - 2t", False),
        (r"\frac{\partial L}{\partial z} = \{p\} - t_n", False),
        (r"\frac{\partial z}{\partial L} = \{p\} - t", False),
    ],
)
def test_formulas_are_compared_without_colours_and_spacing(other, expected):
    assert equations.same(COLOURED, other) is expected


# A sign, an order of arguments, a transpose, an exponent, a factor, a time, a derivative.
SLIPS = [
    (r" - ", " + "),
    (r" \+ ", " - "),
    (r"\^\{\\mathsf T\}", ""),
    (r"\^2", "^3"),
    (r"\\t?frac12", ""),
    (r"_t\b", "_{t-1}"),
    (r"\\frac\{1\}\{N(K?)\}", r"\\frac{1}{K}"),
    (r"\\odot", ""),
    (r"\\partial L\}\{", r"\\partial y}{"),
]


def test_no_slip_in_a_formula_of_the_book_goes_unnoticed():
    now = dict(equations.found(ROOT / "chapters"))
    slips = [
        now | {label: latex[: place.start()] + place.expand(wrong) + latex[place.end() :]}
        for label, latex in now.items()
        for right, wrong in SLIPS
        for place in re.finditer(right, latex)
    ]
    slips += [{k: v for k, v in now.items() if k != label} for label in now]
    assert len(slips) > 400
    assert all(bind.changes(now, slip) for slip in slips)


BOUND = {"kept": "a", "changed": "b", "gone": "c"}
NOW = {"new": "d", "changed": "b + 1", "kept": "{\\color{#0072B2}{a}}"}


def test_changed_new_and_deleted_formulas_are_noticed():
    assert sorted(bind.changes(BOUND, NOW)) == ["changed", "gone", "new"]
    assert bind.changes(BOUND, BOUND) == []


def test_only_what_is_named_is_bound():
    assert bind.bind(["changed"], BOUND, NOW) == {"changed": "b + 1", "kept": "a", "gone": "c"}
    assert bind.bind(["new", "gone"], BOUND, NOW) == {"new": "d", "changed": "b", "kept": "a"}


def test_binding_shows_old_and_new(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bind, "BOUND", tmp_path / "formulas.md")
    bind.main(["sigmoid"])
    assert "was not bound\n  is  p = \\sigma(z) =" in capsys.readouterr().out
    text = bind.BOUND.read_text(encoding="utf-8")
    bind.BOUND.write_text(text.replace("1 + e", "1 - e"), encoding="utf-8")
    bind.main([])
    shown = capsys.readouterr().out
    assert "sigmoid, tested in " in shown
    assert (
        "was p = \\sigma(z) = \\frac{1}{1 - e^{-z}}\n  is  p = \\sigma(z) = \\frac{1}{1 + e^{-z}}"
        in shown
    )
    assert 'make bind LABELS="' in shown
    with pytest.raises(SystemExit, match=r"has sigmoide\.$"):
        bind.main(["sigmoide"])


def make_test(folder, text):
    (folder / "unit").mkdir()
    (folder / "unit" / "test_it.py").write_text(f"import pytest\n{text}\n")


@pytest.mark.parametrize(
    "text",
    [
        "@pytest.mark.equation('one')\ndef test_it(): pass",
        "@pytest.mark.slow\n@pytest.mark.equation('one')\ndef test_it(): pass",
        "@pytest.mark.equation('one')\nclass TestIt: pass",
        "CASES = [pytest.param(1, marks=pytest.mark.equation('one'))]",
        "@pytest.mark.parametrize('a', [pytest.param(1, marks=pytest.mark.equation('one'))])\n"
        "def test_it(a): pass",
        "CASES = [pytest.param(1, marks=[pytest.mark.equation('one'), pytest.mark.slow])]",
    ],
)
def test_marks_are_found(tmp_path, text):
    make_test(tmp_path, text)
    assert equations.tested(tmp_path).keys() == {"one"}


def test_marks_in_text_are_not_marks(tmp_path):
    make_test(tmp_path, "'''@pytest.mark.equation('one')'''\n# pytest.mark.equation('two')")
    assert equations.tested(tmp_path) == {}


def test_labels_in_the_registry_are_found_and_in_no_other_file(tmp_path):
    for name in ("registry.py", "other.py"):
        (tmp_path / name).write_text(f"a = Entry('{name}', labels=('one', '{name}'))\nb = Entry()")
    assert equations.tested(tmp_path) == dict.fromkeys(["one", "registry.py"], "registry.py:1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@pytest.mark.equation('one')\ndef check(): pass", "mark on check, which pytest never"),
        ("@pytest.mark.equation(LABEL)\ndef test_it(): pass", "expected one label in quotes"),
        ("@pytest.mark.equation()\ndef test_it(): pass", "expected one label in quotes"),
        ("@pytest.mark.equation('a', 'b')\ndef test_it(): pass", "expected one label in quotes"),
    ],
)
def test_marks_that_test_nothing_are_refused(tmp_path, text, message):
    make_test(tmp_path, text)
    with pytest.raises(ValueError, match=message):
        equations.tested(tmp_path)


def test_marks_in_files_that_pytest_does_not_collect_are_refused(tmp_path):
    (tmp_path / "helper.py").write_text("@pytest.mark.equation('one')\ndef test_it(): pass")
    with pytest.raises(ValueError, match="never runs"):
        equations.tested(tmp_path)


def test_cited_labels_are_found(tmp_path):
    (tmp_path / "losses.py").write_text('"""Loss (eq: one) and\n(eq: two-three)."""')
    assert equations.cited(tmp_path) == {"one": "losses.py", "two-three": "losses.py"}
