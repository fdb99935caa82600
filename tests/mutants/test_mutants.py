"""Every known bug is noticed, and so is a sample of those that a machine makes."""

import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest
from bugs import bug, bugs, node_of
from mutate import mutants_of

BUGS, STALE = bugs()
RUN = Path(__file__).with_name("run.py")


@functools.cache
def results():
    """Return what was found of each known bug, and of two mutants of each module."""
    command = [sys.executable, RUN, "--json", "--bugs", "--sample", "2"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    return {tuple(r["mutant"]): r["status"] for r in found}


def test_known_bugs_are_noticed():
    assert len(BUGS) > 150
    assert not [m.key for m in BUGS if results()[m.key] != "killed"]


def test_a_machine_finds_no_hole():
    made = results().items() - {(m.key, "killed") for m in BUGS}
    assert len(made) > 40
    allowed = ("killed", "not imported", "equivalent")
    assert not [key for key, status in made if status not in allowed]


# The machine


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("y = a + b", "y = (a - b)"),
        ("y = A.T @ B", "y = ((A) @ (B))"),
        ("y = x.sum(axis=0)", "y = x.mean(axis=0)"),
        ("y = x.sum(axis=0)", "y = x.sum(axis=1)"),
        ("y = x.sum(axis=0, keepdims=True)", "y = x.sum(axis=0)"),
        ("y = x.copy()", "y = (x)"),
        ("x += y", "x = (y)"),
        ("y = f(a, b)", "y = f(b, a)"),
        ("for t in range(T): pass", "for t in range((T) - 1): pass"),
        ("f(s[t])", "f(s[(t) + 1])"),
        ("y = a < b", "y = (a <= b)"),
        ("if a and b: f()", "if (a or b): f()"),
        ("f(x)", "pass"),
        ("def f():\n    return x", "def f():\n    pass"),
    ],
)
def test_a_mistake_of_each_kind_is_made(code, changed):
    def plain(text):
        return "".join(text.split()).replace("(", "").replace(")", "")

    assert plain(changed) in {plain(mutant.source) for mutant in mutants_of("m", code)}


def test_what_only_people_read_is_left_alone():
    code = 'def f(x: int):\n    """Add 1."""\n    raise ValueError(f"{x + 1} is 2")'
    assert [mutant.name for mutant in mutants_of("m", code)] == ["raise A(B) -> pass"]


def test_mutants_are_distinct_and_can_be_parsed():
    source = Path(node_of.__code__.co_filename).read_text(encoding="utf-8")
    sources = [mutant.source for mutant in mutants_of("m", source)]
    assert len(set(sources)) == len(sources) > 50
    for text in sources:
        compile(text, "m", "exec")


# The table


def test_bugs_fit_the_code_and_are_distinct():
    assert not STALE
    keys = [mutant.key for mutant in BUGS]
    assert len(set(keys)) == len(keys)
    assert sum(bool(mutant.origin) for mutant in BUGS) >= 60  # seen in public works and sources


@pytest.mark.parametrize(
    ("scope", "old", "message"),
    [
        ("relu", "np.minimum(z, 0)", "found it 0 times"),
        ("sigmoid", "e", "found it 4 times"),
        ("sine", "z", "there is no sine"),
    ],
)
def test_a_bug_that_no_longer_fits_says_so(scope, old, message):
    with pytest.raises(LookupError, match=rf"{message}.*update tests/mutants/bugs\.tsv"):
        bug("activations", scope, "stale", old, "0", "")


# The runs

PROGRAM = """
from forks import Job, in_forks
from mutant import Mutant, path_of
text = path_of("activations").read_text(encoding="utf-8")
tests = [["tests/unit/test_activations.py"]]
for new in (text, text.replace("import numpy as np", "import nunpy as np"),
            text.replace("def relu(", "while True: pass\\n\\n\\n@checked\\ndef relu(", 1)):
    job = Job(Mutant("activations", "", "", text, new), tests)
    print(*[result["status"] for _, result in in_forks([job])])
"""


@pytest.mark.weekly
def test_no_bug_passes_and_a_module_without_end_or_import_is_told_apart():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=RUN.parent, stdout=subprocess.PIPE, text=True
    )
    assert done.stdout.split("\n")[:3] == ["survived", "not imported", "killed"]
