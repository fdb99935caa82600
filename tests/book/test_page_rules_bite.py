"""A good small page keeps every rule, and each way to break a rule is noticed by that rule."""

import page_rules
import pytest
from bs4 import BeautifulSoup

GOOD = """<!DOCTYPE html>
<html lang="en">
<head>
<title>The chain rule — The book</title>
<link rel="stylesheet" href="../_static/course.css">
<link rel="canonical" href="https://example.org/page">
<script src="../_static/doctools.js"></script>
<style>p { background: url("../_static/paper.svg"); }</style>
</head>
<body>
<form><input type="search" name="q"></form>
<article>
<h1>The chain rule<a class="headerlink" href="#">#</a></h1>
<p id="start">Look: <span class="math"><svg></svg><math><mi>a</mi></math></span>,
a price of $5, $6, 7\u00a0%?</p>
<pre>re.compile("\\d+??")  # {eq}</pre>
<img src="net.svg" alt="A network of four nodes.">
<a href="https://example.org">Elsewhere</a>
</article>
</body>
</html>
"""


def parsed(text):
    return BeautifulSoup(text, "html.parser")


def test_a_good_page_keeps_every_rule():
    rules = [*page_rules.RULES, page_rules.launches_nothing]
    assert {rule.__name__: rule(parsed(GOOD)) for rule in rules} == {
        rule.__name__: [] for rule in rules
    }


HEAD, TITLE, END = "</head>", "<h1>The chain rule", "</article>"
CASES = [
    ("loads_nothing_from_other_hosts", HEAD, '<script src="https://cdn.org/a.js"></script>'),
    ("loads_nothing_from_other_hosts", HEAD, '<script src="//cdn.org/a.js"></script>'),
    ("loads_nothing_from_other_hosts", HEAD, '<link rel="stylesheet" href="https://cdn.org/a">'),
    ("loads_nothing_from_other_hosts", HEAD, '<link rel="preload" href="https://cdn.org/a">'),
    ("loads_nothing_from_other_hosts", HEAD, "<style>@import 'https://cdn.org/a';</style>"),
    ("loads_nothing_from_other_hosts", END, '<img alt="A net." src="https://cdn.org/a.svg">'),
    ("loads_nothing_from_other_hosts", END, '<iframe src="https://cdn.org/a"></iframe>'),
    ("loads_nothing_from_other_hosts", END, '<p style="background: url(//cdn.org/a)"></p>'),
    ("has_title", "<title>The chain rule — The book</title>", ""),
    ("has_title", "<title>The chain rule", "<title>Untitled"),
    ("has_title", TITLE, "<h1>"),
    ("has_title", TITLE, "<h2>The chain rule"),
    ("has_no_empty_heading", END, "<h2></h2>"),
    ("has_no_empty_heading", END, '<h2> <a class="headerlink">#</a></h2>'),
    ("has_alt_texts", END, '<img src="net.svg">'),
    ("has_alt_texts", END, '<img src="net.svg" alt=" ">'),
    ("has_alt_texts", END, '<img src="net.svg" alt="../_images/my net.svg">'),
    ("shows_no_raw_latex", END, "<p>$$a$$</p>"),
    ("shows_no_raw_latex", END, "<p>about $x_1$ here</p>"),
    ("shows_no_raw_latex", END, "<p>\\(x\\)</p>"),
    ("shows_no_raw_latex", END, "<p>\\frac{a}{b}</p>"),
    ("shows_no_raw_latex", END, '<img src="net.svg" alt="The node \\delta.">'),
    ("shows_no_raw_latex", "The book", "\\(x\\)"),
    ("shows_no_left_overs", END, "<p>as in equation ??</p>"),
    ("shows_no_left_overs", END, "<p>{eq}<code>softmax</code></p>"),
    ("shows_no_left_overs", END, "<p>:::{note}</p>"),
    ("shows_no_left_overs", END, "<pre># NBVAL_IGNORE_OUTPUT</pre>"),
    ("keeps_percent_signs_with_their_numbers", END, "<p>about 5 % of it</p>"),
    ("shows_no_error_of_the_builder", END, '<div class="system-message">Error</div>'),
    ("shows_no_error_of_the_builder", END, '<span class="problematic">[?]</span>'),
    ("has_one_search_field", '<input type="search" name="q">', ""),
    ("has_one_search_field", END, '<input type="search">'),
    ("has_unique_ids", END, '<p id="start">Again.</p>'),
    ("launches_nothing", END, '<a href="https://colab.research.google.com/github/x">Colab</a>'),
    ("launches_nothing", END, '<a href="https://mybinder.org/v2/gh/x">Binder</a>'),
    ("launches_nothing", END, '<a href="https://home-not-set.invalid/x">Home</a>'),
]


@pytest.mark.parametrize(("rule", "place", "text"), CASES)
def test_rule_notices(rule, place, text):
    assert GOOD.count(place) == 1
    # An end stays where it is; anything else is replaced.
    broken = GOOD.replace(place, text + place if place in (HEAD, END) else text)
    assert getattr(page_rules, rule)(parsed(broken))


def test_every_rule_is_broken_by_something():
    rules = [*page_rules.RULES, page_rules.launches_nothing]
    assert {rule for rule, _, _ in CASES} == {rule.__name__ for rule in rules}


@pytest.mark.parametrize(
    ("link", "complaint"),
    [
        ("b.html", None),
        ("b.html#there", None),
        ("#here", None),
        ("#", None),
        ("../file%20one.ipynb", None),
        ("https://example.org/nowhere#x", None),
        ("mailto:ada@example.org", None),
        ("c.html", "chapters/a.html: c.html does not exist"),
        ("b.html#gone", "chapters/a.html: chapters/b.html has no #gone"),
        ("#gone", "chapters/a.html: chapters/a.html has no #gone"),
    ],
)
def test_broken_links_are_found(tmp_path, link, complaint):
    texts = {
        "chapters/a.html": f'<p id="here"></p><a href="{link}">',
        "chapters/b.html": '<p id="there"></p>',
    }
    (tmp_path / "chapters").mkdir()
    (tmp_path / "file one.ipynb").touch()
    for path, text in texts.items():
        (tmp_path / path).write_text(text)
    pages = {path: parsed(text) for path, text in texts.items()}
    assert page_rules.broken_links(pages, tmp_path) == ([complaint] if complaint else [])


def test_foreign_addresses_in_style_sheets_are_found():
    sheet = "@import url('https://a.org/x.css'); p { background: url(//b.org/y); mask: url(z.svg) }"
    assert page_rules.FOREIGN_CSS.findall(sheet) == ["https://a.org/x.css", "//b.org/y"]
