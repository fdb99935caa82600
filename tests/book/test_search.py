"""The search finds what people type, the chapter that explains it first, and shows words."""

import http.server
import re
import threading
from functools import partial

import pytest

FINDS = {
    "δ": "06_backpropagation_through_time",
    "delta": "06_backpropagation_through_time",
    "σ": "01_loss_functions",
    "vanishing gradient": "06_backpropagation_through_time",
    "Adam": "05_optimizers",
    "softmax_cross_entropy": "01_loss_functions",
    "BPTT": "06_backpropagation_through_time",
}


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that writes nothing."""

    def log_message(self, *args):
        """Write nothing."""


@pytest.fixture(scope="module")
def address(folder):
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def results(browser, address, words):
    """Return the pages that a search finds, and all that it shows."""
    page = browser.new_page()
    page.goto(f"{address}/search.html?q={words}")
    page.get_by_text(re.compile("Search finished|did not match")).wait_for()
    page.wait_for_load_state("networkidle")
    links = page.locator("#search-results li > a").evaluate_all("all => all.map((a) => a.href)")
    text = page.locator("#search-results").inner_text()
    page.close()
    return links, text


@pytest.mark.parametrize("words", FINDS)
def test_it_finds(browser, address, words):
    links, text = results(browser, address, words)
    places = [n for n, link in enumerate(links) if FINDS[words] in link]
    assert places, links[:5]
    assert places[0] < 3, links[:5]
    assert "\\" not in text
    assert "$" not in text


def test_adam_is_at_home_in_its_chapter(browser, address):
    links, _ = results(browser, address, "Adam")
    assert "05_optimizers" in links[0]


def test_nothing_is_found_of_nonsense(browser, address):
    assert not results(browser, address, "xyzzyplugh")[0]


def test_files_are_told_of_titles_only(browser, folder, address):
    page = browser.new_page()
    page.goto((folder / "search.html").as_uri())
    assert page.locator("#titles-only").is_visible()
    page.goto(f"{address}/search.html")
    assert not page.locator("#titles-only").is_visible()
    page.close()
