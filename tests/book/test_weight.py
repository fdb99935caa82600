"""The book is light, for those who visit a page and for those who carry all of it."""

import weight

MOST_KILOBYTES = 700  # of a first visit
MOST_MEGABYTES = 18  # of the book


def test_a_first_visit_is_light(browser, folder, toc):
    kilobytes = {name: weight.visit(browser, folder / f"{name}.html", slower=1)[0] for name in toc}
    assert min(kilobytes.values()) > 50
    assert max(kilobytes.values()) <= MOST_KILOBYTES, kilobytes


def test_the_book_is_small(folder):
    assert 5 < weight.size(folder) <= MOST_MEGABYTES


def test_everything_counts_but_the_printed_book(tmp_path):
    (tmp_path / "a").mkdir()
    for name, size in [("index.html", 200_000), ("a/figure.svg", 300_000), ("book.pdf", 10**6)]:
        (tmp_path / name).write_bytes(bytes(size))
    assert weight.size(tmp_path) == 0.5
