"""Find the bugs that no unit test notices.

    python tests/mutants/run.py [MODULE ...]    all mutants that mutate.py makes
    python tests/mutants/run.py --sample 20     so many of each module, the same every time
    python tests/mutants/run.py --bugs          the table bugs.tsv instead
    python tests/mutants/run.py --bugs --chapters 02_chain_rule activations
                                                which bugs in activations a chapter notices

Results are kept in build/mutants/: a mutant runs again only if its module, its tests or what they
import has changed. Survivors are listed, but not those that equivalent.tsv explains.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from bugs import bugs, read_table
from forks import KILLED, NOT_IMPORTED, ROOT, SURVIVED, Job, Result, in_forks
from mutant import PACKAGE, Mutant, controls, path_of
from mutate import mutants_of
from tqdm import tqdm

UNIT = ROOT / "tests" / "unit"
RESULTS = ROOT / "build" / "mutants" / "results.jsonl"
EQUIVALENT = Path(__file__).parent / "equivalent.tsv"
EXPLAINED = {tuple(row[:4]) for row in read_table(EQUIVALENT)}
MOST_EQUIVALENT = 0.05  # of all mutants
# Tests of all modules, which are run if those that have the module's name notice nothing.
SHARED = ["gradients", "bad_input"]
MORE = {
    "__init__": ["package"],
    "_questions": ["exercises"],
    "training": ["checkpoints"],
    "activations": ["losses"],
}


def tests_of(module: str) -> list[list[str]]:
    """Return the test files that have to notice a bug in a module, in stages."""
    own = [f"{path_of(module).stem.lstrip('_')}*", *MORE.get(module, [])]
    stages = [
        {f for name in names for f in UNIT.glob(f"test_{name}.py")} for names in (own, SHARED)
    ]
    return [[str(f.relative_to(ROOT)) for f in sorted(files)] for files in stages if files]


@cache
def imported(file: Path) -> frozenset[Path]:
    """Return the package's modules and the tests' helpers that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {a.name for a in node.names} | {getattr(node, "module", None) or ""}
            names |= {f"{getattr(node, 'module', '')}.{a.name}" for a in node.names}
    paths = {path_of(name.removeprefix("backprop.")) for name in names}
    return frozenset(p for p in paths | {UNIT / f"{name}.py" for name in names} if p.is_file())


@cache
def fingerprint(module: str) -> str:
    """Return a hash of all that decides whether a mutant of a module is noticed, but the module."""
    found: set[Path] = set()
    new = {ROOT / "conftest.py", *(ROOT / name for names in tests_of(module) for name in names)}
    while new:
        found |= new
        new = {path for file in new for path in imported(file)} - found
    paths = sorted(found - {path_of(module)})
    return digest(*(f"{path.relative_to(ROOT)} {path.read_bytes()!r}" for path in paths))


def digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


class Results:
    """What earlier runs found, one line of JSON for each mutant."""

    def __init__(self) -> None:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        self.found: dict[str, Result] = {}
        self.killers: dict[str, Counter[str]] = defaultdict(Counter)
        if RESULTS.exists():
            for line in RESULTS.read_text(encoding="utf-8").splitlines():
                self.note(json.loads(line))

    def note(self, record: Result) -> None:
        self.found[record["key"]] = record
        for place in (record["module"], f"{record['module']}.{record['scope']}"):
            self.killers[place][record.get("killer") or ""] += 1

    def add(self, mutant: Mutant, result: Result) -> None:
        place = {"module": mutant.module, "scope": mutant.scope}
        record = {"key": key_of(mutant)} | place | result
        self.note(record)
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def forget(self, module: str) -> None:
        """Delete what was found of a module, which its tests have not decided."""
        kept = [record for record in self.found.values() if record["module"] != module]
        text = "".join(json.dumps(record) + "\n" for record in kept)
        RESULTS.write_text(text, encoding="utf-8")

    def first(self, mutant: Mutant) -> tuple[str, ...]:
        """Return the tests that have noticed most bugs, first of all in the same function."""
        near = self.killers[f"{mutant.module}.{mutant.scope}"].most_common()
        near += self.killers[mutant.module].most_common(10)
        return tuple(test for test, _ in near)


def key_of(mutant: Mutant) -> str:
    return digest(fingerprint(mutant.module), mutant.source)


def judged(mutant: Mutant, result: Result) -> Result:
    equivalent = result["status"] == SURVIVED and mutant.key in EXPLAINED
    return result | {"status": "equivalent"} if equivalent else result


def run(mutants: list[Mutant]) -> Iterator[tuple[Mutant, Result]]:
    """Yield each mutant with what its tests did, from an earlier run if nothing has changed.

    A survivor that equivalent.tsv explains is "equivalent". In the end, the tests that failed have
    to pass without a bug.
    """
    results = Results()
    known = [mutant for mutant in mutants if key_of(mutant) in results.found]
    yield from ((mutant, judged(mutant, results.found[key_of(mutant)])) for mutant in known)
    failed: dict[tuple[str, str], set[str]] = defaultdict(set)
    new = (mutant for mutant in mutants if mutant not in known)
    for job, result in in_forks(Job(m, tests_of(m.module), results.first(m)) for m in new):
        results.add(job.mutant, {k: v for k, v in result.items() if k != "output"})
        if "::" in (result.get("killer") or ""):
            test = result["killer"].partition("[")[0]  # what stands in brackets a bug can change
            failed[job.mutant.module, job.mutant.original].add(test)
        yield job.mutant, judged(job.mutant, result)
    clean = [Job(Mutant(m, "", "", text, text), [sorted(f)]) for (m, text), f in failed.items()]
    for job, result in in_forks(clean):
        if result["status"] != SURVIVED:
            results.forget(job.mutant.module)
            sys.exit(f"a test that noticed a bug fails without one, too:\n{result['output']}")


def machine_made(modules: list[str], count: int | None) -> list[Mutant]:
    """Return the mutants that the machine makes of modules, or a sample of each."""
    mutants = []
    for module in modules:
        made = mutants_of(module, path_of(module).read_text(encoding="utf-8"))
        if count is not None:  # as good as drawn at random, and the same ones every time
            made = sorted(made, key=lambda mutant: digest(*mutant.key))[:count]
        mutants += made
    return mutants


def report(found: list[tuple[Mutant, Result]], complete: bool) -> list[str]:
    """Print a table, and return what is wrong: survivors, and the list of those explained."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    equivalent: set[tuple[str, ...]] = set()
    wrong = []
    for mutant, result in found:
        status = result["status"]
        if status == "equivalent":
            equivalent.add(mutant.key)
        elif status == SURVIVED:
            place = f"{mutant.module}.{mutant.scope}: {mutant.name}"
            wrong.append("\n".join([f"survived: {place}", *mutant.diff]))
        elif status not in (KILLED, NOT_IMPORTED):
            wrong.append(f"{mutant.module}.{mutant.scope}: {mutant.name}: {status}")
        for name in (mutant.module, "all"):
            counts[name] += Counter({"made": 1, status: 1, "seconds": result["seconds"]})
    if complete:
        stale = {key for key in EXPLAINED if key[0] in counts} - equivalent
        wrong += [f"equivalent.tsv, killed or not made any more: {' '.join(k)}" for k in stale]
        if counts["all"]["equivalent"] > MOST_EQUIVALENT * counts["all"]["made"]:
            wrong.append(f"equivalent.tsv explains more than {MOST_EQUIVALENT:.0%}")
    columns = ["made", KILLED, NOT_IMPORTED, "equivalent", SURVIVED, "seconds"]
    print(f"{'module':<16}", *(f"{name:>12}" for name in columns))
    for module in [*sorted(counts.keys() - {"all"}), "all"]:
        print(f"{module:<16}", *(f"{counts[module][name]:>12.0f}" for name in columns))
    return wrong


def noticed_by_chapters(mutants: list[Mutant], names: list[str]) -> list[str]:
    """Print a table of the cells that notice bugs, and return those that no chapter notices.

    A chapter prints the package's version: if a change of that goes unnoticed, it runs no copy.
    """
    clean, control = controls().values()
    jobs = [Job(m, [[f"chapters/{n}.ipynb"]]) for m in (clean, control, *mutants) for n in names]
    cells: dict[Mutant, dict[str, str]] = defaultdict(dict)
    for job, result in in_forks(jobs):
        if result["status"] not in (KILLED, SURVIVED):
            sys.exit(f"{job.stages[0][0]} could not be run\n{result['output']}")
        cells[job.mutant][job.stages[0][0]] = (result.get("killer") or "-").split("::")[-1]
    print("| bug |", *(f"{name} |" for name in names))
    print("|---|", *("---|" for _ in names))
    for mutant, found in cells.items():
        place = f"{mutant.module}.{mutant.scope}: {mutant.name}"
        print(f"| {place} |", *(f"{found[f'chapters/{name}.ipynb']} |" for name in names))
    if set(cells[clean].values()) != {"-"} or "-" in cells[control].values():
        return ["a chapter fails without a bug, or does not run the copy of the package"]
    return [f"noticed by no chapter: {m.name}" for m in mutants if set(cells[m].values()) == {"-"}]


def main() -> int:
    every = sorted(
        ".".join(p.relative_to(PACKAGE).with_suffix("").parts) for p in PACKAGE.rglob("*.py")
    )
    parser = argparse.ArgumentParser(description="Find the bugs that no unit test notices.")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="losses, ...; all if none")
    parser.add_argument("--sample", type=int, metavar="N", help="N mutants of each module")
    parser.add_argument(
        "--bugs", action="store_true", help="the table; with --sample, that as well"
    )
    parser.add_argument("--chapters", nargs="+", metavar="CHAPTER", help="run these, no unit tests")
    parser.add_argument("--json", action="store_true", help="print a line for each, no report")
    given = parser.parse_args()
    modules = given.modules or every
    mutants, wrong = bugs() if given.bugs else ([], [])
    mutants = [mutant for mutant in mutants if mutant.module in modules]
    if given.sample is not None or not given.bugs:
        mutants += machine_made(modules, given.sample)
    if given.chapters:
        wrong += noticed_by_chapters(mutants, given.chapters)
        print("", *wrong, sep="\n")
        return 1 if wrong else 0
    found = []
    with tqdm(total=len(mutants), unit="mutant", mininterval=10, disable=given.json) as bar:
        for mutant, result in run(mutants):
            found.append((mutant, result))
            bar.update()
            if given.json:
                print(json.dumps(result | {"mutant": mutant.key}), flush=True)
    if not given.json:
        wrong += report(found, complete=not given.bugs and given.sample is None)
        print("", *wrong, sep="\n\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
