"""The bug zoo: which checks notice sixteen published bugs, and what each of them costs.

    python tests/mutants/zoo.py            all of them; half an hour
    python tests/mutants/zoo.py A C        these, and the others as they are

Writes code/backprop/data/zoo.json, which the page chapters/bug_zoo shows. A bug is a line of
bugs.tsv. It is entered into a copy of the package; then every kind of check is run on the copy
until one fails, and networks are trained with and without it by zoo_runs.py.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from bugs import TABLE, bug, read_table
from forks import KILLED, ROOT, SURVIVED, Job, copy_package, in_forks
from mutant import PACKAGE, Mutant, controls
from tqdm import tqdm

SEEDS = 10
ZOO = PACKAGE / "data" / "zoo.json"
OPERATION = "ImageProjectiveTransformV3"
CHAPTERS = [f"chapters/{path.name}" for path in sorted((ROOT / "chapters").glob("[0-9]*.ipynb"))]
GRADIENTS = "tests/unit/test_gradients.py"
# What pytest is given for each kind of check, in stages: the next one if nothing was noticed.
KINDS = {
    # functions, shapes, bad input, values worked out by hand
    "unit": [["tests/unit", f"--ignore={GRADIENTS}", "-m not (tensorflow or equation or weekly)"]],
    # each gradient by hand, by the tape, by differences, by autodiff
    "three-way": [[GRADIENTS]],
    # whole layers and whole trainings, beside TensorFlow and Keras
    "agreement": [["tests/unit", f"--ignore={GRADIENTS}", "-m tensorflow and not weekly"]],
    # the formulas of the book, as they stand on the page
    "equation": [["tests/unit", "-m equation"], ["tests/chapters/test_formulas.py"]],
    # the chapters, run again and compared with their stored outputs
    "chapter": [[chapter] for chapter in CHAPTERS],
}


class Entry(NamedTuple):
    """A bug by its line of bugs.tsv, none if it is no bug of the package; and what is trained.

    `runs` are settings of zoo_runs.run by a name. `bug` are those that bring the bug along, if its
    line can't: one that hangs on a setting, or that sits in TensorFlow.
    """

    line: tuple[str, str, str] | None
    runs: dict[str, dict[str, Any]] = {"": {}}  # noqa: RUF012 (nobody changes it)
    bug: dict[str, Any] = {}  # noqa: RUF012


SIGMOIDS = {"sizes": (784, 30, 10), "activations": ("sigmoid", "sigmoid")}
RECIPE = SIGMOIDS | {"loss": "half_squared_error", "learning_rate": 0.5, "images": 10_000}
ENTRIES = {
    "A": Entry(
        (
            "activations",
            "relu_derivative",
            "true for outputs of the ReLU, which are never negative",
        )
    ),
    "B": Entry(
        ("network", "Network.backward", "dropout's factor left out of the backward pass"),
        {"": {"dropout": (0, 0.5)}},
    ),
    "C": Entry(("network", "dense_backward", "hidden error as a plain sum")),
    "D": Entry(
        ("network", "Network.backward", "error passes weights that are updated already"),
        {f"rate {rate}": {"learning_rate": rate} for rate in (0.03, 0.1)},
        {"trainer": "HastyTrainer"},
    ),
    "E": Entry(
        ("losses", "mean_squared_error", "gradient of half the loss"),
        {"": SIGMOIDS | {"loss": "mean_squared_error", "learning_rate": 10.0}},
    ),
    "F": Entry(
        ("optimizers", "Adam.update", "epsilon added to the parameter"),
        {"": {"optimizer": "Adam", "learning_rate": 0.001}},
    ),
    "G": Entry(
        ("optimizers", "Adam.update", "bias correction of step 1 for ever"),
        {f"rate {rate}": {"optimizer": "Adam", "learning_rate": rate} for rate in (0.001, 0.01)},
    ),
    "H": Entry(("optimizers", "Optimizer.step", "biases are never updated")),
    "I": Entry(
        ("network", "dense_backward", "weight gradients summed, bias gradients averaged"),
        {f"batches of {n}": RECIPE | {"batch_size": n} for n in (10, 100)},
    ),
    "J": Entry(
        ("data_parallel", "mean_of_shards", "each shard counts alike"),
        {"": {"trainer": "ShardedTrainer", "batch_size": 5, "learning_rate": 0.02}},
    ),
    "K": Entry(("losses", "softmax_cross_entropy", "its own guesses in place of the labels")),
    "L": Entry(
        ("losses", "softmax_cross_entropy", "logits and labels exchanged"),
        {f"rate {rate}": {"learning_rate": rate} for rate in (0.0001, 0.1)},
    ),
    "M": Entry(("activations", "softmax", "shifted by the largest logit of the batch")),
    "N": Entry(("network", "Network.random", "all variables drawn from one seed")),
    "O": Entry(
        ("training", "Trainer._epoch", "the same warps in every epoch"),
        {"": {"augment": True}},
    ),
    "P": Entry(
        None,
        {"": {"sizes": (784, 784, 10), "network": "WarpedNetwork"}},
        {"network": "InverseWarpedNetwork"},
    ),
}


def mutant_of(letter: str) -> Mutant | None:
    """Return the package's module with the bug, if it is one of the package."""
    line = ENTRIES[letter].line
    if line is None:
        return None
    (row,) = (row for row in read_table(TABLE) if tuple(row[:3]) == line)
    return bug(*row)


# Which check notices it


def judged_in_tensorflow() -> dict[str, str | None]:
    """Return which check notices TensorFlow's gradient of a warp, of which the package has none.

    It imports the package, which a process that forks for mutants can't: call it last.
    """
    relative_error = importlib.import_module("backprop.gradcheck").relative_error
    tf = importlib.import_module("tensorflow")
    zoo_runs = importlib.import_module("zoo_runs")
    rng = np.random.default_rng(0)
    pictures, slopes = rng.random((2, 1, 784), np.float32)
    with tf.GradientTape() as tape:
        tape.watch(x := tf.constant(pictures))
        warped = tf.raw_ops.ImageProjectiveTransformV3(
            images=tf.reshape(x, (-1, 28, 28, 1)),
            transforms=[[0.5, 0, 6.75, 0, 0.5, 6.75, 0, 0]],
            output_shape=[28, 28],
            fill_value=0.0,
            interpolation="BILINEAR",
        )
        value = tf.reduce_sum(tf.reshape(warped, (1, 784)) * slopes)
    stretch = zoo_runs.STRETCH
    pairs = {
        "three-way": (tape.gradient(value, x).numpy(), slopes @ stretch.T),
        "agreement": (warped.numpy().reshape(1, 784), pictures @ stretch),
    }
    found = {
        kind: f"{OPERATION} beside the warp's matrix" if relative_error(*pair) > 1e-3 else None
        for kind, pair in pairs.items()
    }
    with_it = [name for name in CHAPTERS if OPERATION in (ROOT / name).read_text(encoding="utf-8")]
    return dict.fromkeys(KINDS) | found | {"chapter": (with_it or [None])[0]}


def noticed(letters: list[str]) -> Iterator[tuple[str, str, str | None]]:
    """Yield letter, kind, and the test that notices the bug, None if none does.

    Without a bug nothing may fail. With another version the chapters have to, which print it.
    """
    mutants = controls() | {letter: m for letter in letters if (m := mutant_of(letter))}
    jobs = {
        id(job): (name, kind, job)
        for name, mutant in mutants.items()
        for kind, stages in KINDS.items()
        if name != "another version" or kind == "chapter"
        for job in [Job(mutant, stages)]
    }
    for done, result in in_forks(job for _, _, job in jobs.values()):
        name, kind, _ = jobs[id(done)]
        if result["status"] not in (KILLED, SURVIVED):
            sys.exit(f"{name}, {kind}: {result['status']}\n{result['output']}")
        killer = result["killer"] if result["status"] == KILLED else None
        if name in ENTRIES:
            yield name, kind, killer
        elif (name == "no bug") != (killer is None):
            sys.exit(f"{name}, {kind}: {killer}\n{result['output']}")


# What it costs


def trained(letter: str, name: str, with_bug: bool, seeds: int = SEEDS) -> dict[str, Any]:
    """Return accuracies in percent: each run's last one; and losses and accuracies, their means."""
    entry = ENTRIES[letter]
    settings = entry.runs[name] | (entry.bug if with_bug else {})
    mutant = mutant_of(letter) if with_bug and not entry.bug else None
    with tempfile.TemporaryDirectory() as folder:
        if mutant:
            copy_package(Path(folder), mutant)
        package = folder if mutant else str(PACKAGE.parent)
        done = subprocess.run(
            [
                sys.executable,
                str(Path(__file__).with_name("zoo_runs.py")),
                str(seeds),
                json.dumps(settings),
            ],
            env=os.environ
            | {"PYTHONPATH": package, "OPENBLAS_NUM_THREADS": "1", "TQDM_DISABLE": "1"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    runs = json.loads(done.stdout)  # seeds, epochs, (loss, accuracy)
    epochs = [list(zip(*epoch, strict=True)) for epoch in zip(*runs, strict=True)]
    return {
        "accuracies": [round(100 * run[-1][1], 2) for run in runs],
        "loss": [None if None in loss else round(sum(loss) / len(loss), 4) for loss, _ in epochs],
        "accuracy": [round(100 * sum(right) / len(right), 2) for _, right in epochs],
    }


def main(letters: list[str]) -> None:
    letters = letters or list(ENTRIES)
    before = json.loads(ZOO.read_text(encoding="utf-8"))["bugs"] if ZOO.exists() else {}
    bugs = before | {
        letter: {
            "noticed": dict.fromkeys(KINDS),
            "runs": {name: {} for name in ENTRIES[letter].runs},
        }
        for letter in letters
    }
    total = len(KINDS) * sum(ENTRIES[letter].line is not None for letter in letters)
    for letter, kind, test in tqdm(noticed(letters), "checked", total, unit="runs"):
        bugs[letter]["noticed"][kind] = test
    for letter in letters:
        if ENTRIES[letter].line is None:
            bugs[letter]["noticed"] = judged_in_tensorflow()
    tasks = [
        (letter, name, with_bug)
        for letter in letters
        for name in ENTRIES[letter].runs
        for with_bug in (True, False)
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = tqdm(pool.map(lambda task: trained(*task), tasks), "trained", len(tasks))
        for (letter, name, with_bug), result in zip(tasks, results, strict=True):
            bugs[letter]["runs"][name]["bug" if with_bug else "repaired"] = result
    found = {
        "bugs": dict(sorted(bugs.items())),
        "chapters": len(CHAPTERS),
        "numpy": importlib.metadata.version("numpy"),
    }
    ZOO.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
