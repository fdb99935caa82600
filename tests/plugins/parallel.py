"""`pytest -n auto`: files side by side, in the order of the command line, a line for each.

Not test by test: the cells of a notebook belong to one kernel, and the tests of the book share
one built book.
"""

from collections import Counter, defaultdict

import pytest
from xdist.scheduler import LoadFileScheduling


class Scheduling(LoadFileScheduling):
    """One file, or the folder tests/book, is one piece of work."""

    def _split_scope(self, nodeid):
        return "tests/book" if nodeid.startswith("tests/book/") else file_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    config.option.loadscopereorder = False  # the command line names the long ones first
    return Scheduling(config, log)


@pytest.hookimpl(trylast=True)  # the terminal reporter comes first
def pytest_configure(config):
    if not hasattr(config, "workerinput") and config.getoption("numprocesses", None):
        config.pluginmanager.register(Progress(config))


class Progress:
    """Prints a line when all tests of a file have run, instead of a dot for each test."""

    def __init__(self, config):
        self.terminal = config.pluginmanager.get_plugin("terminalreporter")
        self.left, self.results, self.seconds = Counter(), defaultdict(Counter), Counter()

    def pytest_xdist_node_collection_finished(self, ids):
        self.left = Counter(map(file_of, ids))

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self):
        category, _, _ = yield
        return category, "", ""

    def pytest_runtest_logreport(self, report):
        file = file_of(report.nodeid)
        self.seconds[file] += report.duration
        if report.when == "call" or report.outcome != "passed":
            self.results[file][report.outcome] += 1
        if report.failed:
            self.terminal.write_line(f"FAILED {report.nodeid}", red=True)
        if report.when == "teardown":
            self.left[file] -= 1
            if not self.left[file]:
                self._finished(file)

    def _finished(self, file):
        done = sum(not left for left in self.left.values())
        results = ", ".join(f"{n} {outcome}" for outcome, n in sorted(self.results[file].items()))
        self.terminal.write_line(
            f"[{done:3} of {len(self.left)}] {file}: {results} in {self.seconds[file]:.0f} s"
        )


def file_of(nodeid):
    return nodeid.split("::")[0]
