"""How the tests execute a notebook: by nbval, alone in an empty folder, and measured.

nbval compares each cell's output with the stored one. After the last cell stands one more item,
`resources`: it fails if the kernel has taken more memory than Binder gives, and it passes on the
seconds, which nobody judges. `make timing` makes a table of them: the end of the page on the
course's state.
"""

import ast
import os
import platform
import re
import sys
import time
from datetime import date
from importlib.metadata import packages_distributions, version
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, RunningKernel
from nbval.plugin import IPyNbFile

MOST_MEGABYTES = 2048  # of a free Binder
MARK = "<!-- `make timing` writes what follows. -->\n"

# Asked of the kernel, since only a process itself knows what its ended children have used.
USAGE = "[tuple(__import__('resource').getrusage(who)[:3]) for who in (0, -1)]"


class Notebook(IPyNbFile):
    """A notebook in an empty folder, as in Colab: it finds nothing that lies beside it."""

    def collect(self):
        for cell in super().collect():
            cell.output_timeout = 60  # nbval's 5 seconds can be too few on a busy machine
            yield cell
        yield Resources.from_parent(self, name="resources")

    def setup(self):
        self.folder = TemporaryDirectory()
        self.start = time.monotonic()
        self.kernel = RunningKernel(CURRENT_ENV_KERNEL_NAME, self.folder.name, startup_timeout=600)
        self.setup_sanitize_files()

    def teardown(self):
        super().teardown()
        self.folder.cleanup()

    def used(self):
        """Return seconds, processor seconds and peak megabytes of the kernel up to now."""
        seconds = time.monotonic() - self.start
        client = self.kernel.kc
        message = client.execute("", silent=True, user_expressions={"usage": USAGE})
        reply = {}
        while reply.get("parent_header", {}).get("msg_id") != message:
            reply = client.get_shell_msg(timeout=60)
        answer = reply["content"]["user_expressions"]["usage"]["data"]["text/plain"]
        usages = ast.literal_eval(answer)
        processor = sum(user + system for user, system, _ in usages)
        return seconds, processor, self._peak_megabytes(usages[0][2])

    def _peak_megabytes(self, peak):
        """Return the peak in megabytes, given what getrusage says of it.

        On Linux that includes what the process had before it became a kernel, when it was a copy
        of the one that runs the tests.
        """
        if sys.platform == "darwin":
            return peak / 2**20
        status = Path(f"/proc/{self.kernel.km.provisioner.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 2**10


class Resources(pytest.Item):
    """What the kernel has used when its last cell has run; only the memory is judged."""

    def runtest(self):
        if not self.parent.kernel.is_alive():
            raise RuntimeError("the kernel has died")
        used = self.parent.used()
        self.user_properties.append(("resources", used))
        assert used[2] <= MOST_MEGABYTES, (
            f"{self.path.name} takes {used[2]:.0f} MB of memory; Binder gives {MOST_MEGABYTES}"
        )

    def reportinfo(self):
        return self.path, None, f"{self.path.name}: resources"


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    collectors = yield
    if file_path.suffix == ".ipynb":
        return [Notebook.from_parent(parent, path=file_path)]
    return collectors


def pytest_addoption(parser):
    parser.addoption("--timing", metavar="FILE", help="end FILE with what each notebook has used")


def pytest_configure(config):
    if config.option.timing:
        config.pluginmanager.register(Timing(Path(config.option.timing)))


class Timing:
    """The table of what each notebook has used."""

    def __init__(self, file):
        self.file, self.rows = file, []

    def pytest_runtest_logreport(self, report):
        for name, used in report.user_properties:
            if report.when == "call" and name == "resources":
                self.rows.append((Path(report.nodeid.split("::")[0]).stem, *used))

    def pytest_terminal_summary(self, terminalreporter):
        lines = [
            f"{machine()}.",
            "",
            "| Chapter | Seconds | Processor seconds | Memory, MB at most |",
            "|---|---:|---:|---:|",
            *(
                f"| []({name}.ipynb) | {seconds:.0f} | {processor:.0f} | {megabytes:.0f} |"
                for name, seconds, processor, megabytes in sorted(self.rows)
            ),
        ]
        text = "\n".join(lines) + "\n"
        before, mark, _ = self.file.read_text(encoding="utf-8").partition(MARK)
        self.file.write_text(f"{before}{mark}\n{text}", encoding="utf-8")
        terminalreporter.section(str(self.file))
        terminalreporter.write(text)


def machine():
    """Return the day and on what was measured, in one line."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists() and (model := re.search(r"model name\s*: (.*)", cpuinfo.read_text())):
        processor = model[1]
    versions = [f"Python {platform.python_version()}", f"NumPy {version('numpy')}"]
    versions.append(f"TensorFlow {version(packages_distributions()['tensorflow'][0])}")
    threads = os.environ["OPENBLAS_NUM_THREADS"]
    return ", ".join(
        [f"{date.today()}: {processor}", f"{os.cpu_count()} cores, threads: {threads}", *versions]
    )
