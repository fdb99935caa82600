"""What the project's papers say of each other: versions, make targets, decisions."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import backprop

ROOT = Path(__file__).parents[2]
WORKFLOWS = {
    path.name: path.read_text(encoding="utf-8") for path in (ROOT / ".github/workflows").glob("*")
}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z -]+):.*##", MAKEFILE, re.MULTILINE))


@pytest.fixture(params=sorted(WORKFLOWS))
def workflow(request):
    return WORKFLOWS[request.param]


def test_actions_are_pinned_by_their_hash(workflow):
    actions = re.findall(r"uses: (.*)", workflow)
    assert actions
    for action in actions:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)


def test_jobs_may_do_only_what_they_name(workflow):
    jobs = yaml.safe_load(workflow)
    assert jobs["permissions"] == {}
    for job in jobs["jobs"].values():
        assert "timeout-minutes" in job
        for step in job["steps"]:
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False


def test_make_targets_exist(workflow):
    named = set(re.findall(r"(?:run: make |target: )([a-z]+)", workflow))
    assert named
    assert named <= TARGETS


@pytest.mark.parametrize(
    ("path", "script"),
    sorted(set(re.findall(r'(?:PYTHONPATH=(\w+) )?"\$\(RUN\)" (\S+\.py)', MAKEFILE))),
)
def test_what_make_runs_finds_all_that_it_imports(path, script):
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = f"import runpy, sys; sys.path.insert(0, {str(Path(script).parent)!r}); "
    code += f"runpy.run_path({script!r}, run_name='imported')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=env | ({"PYTHONPATH": path} if path else {}),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_newest_version_is_cited():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version, date = re.search(r"^## \[([\d.]+)\] - (\S+)$", changelog, re.MULTILINE).groups()
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["date-released"]) == (version, date)
    assert backprop.__version__ == version
    page = (ROOT / "chapters" / "how_to_cite.md").read_text(encoding="utf-8")
    assert re.findall(r"ersion\W+([\d.]+\d)", page) == [version] * 2
    assert citation["title"] in page


def test_every_decision_is_in_the_list():
    folder = ROOT / "decisions"
    listed = re.findall(r"\]\((.*?)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in folder.glob("0*.md"))


def test_the_status_page_tells_of_every_chapter():
    status = (ROOT / "chapters" / "status.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| \[\]\((\w+)\.ipynb\) \| \d+ \| \d+ \| \d+ \|$", status, re.MULTILINE)
    assert told == sorted(path.stem for path in (ROOT / "chapters").glob("*.ipynb"))
