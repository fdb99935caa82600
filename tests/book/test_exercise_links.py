"""Exercises and solutions have addresses, mentions lead to them, and none leads nowhere."""

import io
import re
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

ROOT = Path(__file__).parents[2]
PAGE = """# A page

## Exercises

### Exercise 2.1 ★ One

What comes next?

### Exercise 2.2 ★★ Two

<details>
<summary>Solution</summary>

As in Exercise 2.1, not as in `Exercise 2.9`. [See Exercise 2.9](https://elsewhere.invalid).

</details>

(Exercises 2.1 to 2.2{more})
"""


@pytest.fixture
def render(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "_ext"))

    def built(more):
        (tmp_path / "index.md").write_text(PAGE.format(more=more), encoding="utf-8")
        warnings = io.StringIO()
        settings = {"extensions": ["myst_parser", "exercise_links"]}
        with docutils_namespace():
            out = tmp_path / "html"
            Sphinx(tmp_path, None, out, out, "html", settings, None, warnings).build()
        return (out / "index.html").read_text(encoding="utf-8"), warnings.getvalue()

    return built


def test_mentions_are_links(render):
    page, warnings = render("")
    assert re.findall(r'href="#(exercise-[\d-]+)"><', page)[-3:] == [
        "exercise-2-1",
        "exercise-2-1",
        "exercise-2-2",
    ]
    assert '<section id="exercise-2-2">' in page
    assert '<summary>Solution 2.2</summary><span id="solution-2-2"></span>' in page
    assert "exercise-2-9" not in page
    assert not warnings


def test_an_exercise_that_does_not_exist_is_a_warning(render):
    assert "undefined label: '2.3'" in render(" and 2.3")[1]


def test_each_exercise_of_the_book_has_an_address_and_so_has_each_solution(folder, toc):
    for name in toc:
        if number := re.match(r"chapters/(\d\d)_", name):
            page = (folder / f"{name}.html").read_text(encoding="utf-8")
            exercises = re.findall(r'<section id="exercise-(\d+-\d+)"', page)
            solutions = set(re.findall(r'<span id="solution-(\d+-\d+)"', page))
            chapter = int(number.group(1))
            assert exercises == [f"{chapter}-{k + 1}" for k in range(len(exercises))]
            assert len(exercises) >= 5
            assert solutions <= set(exercises)
            assert len(solutions) >= len(exercises) - 2  # some are code alone


def test_a_folded_solution_opens_for_who_is_led_to_it(browser, folder):
    page = browser.new_page()
    page.goto((folder / "chapters/02_chain_rule.html").as_uri() + "#solution-2-3")
    assert page.locator("details[open] > #solution-2-3").count() == 1
    page.close()
