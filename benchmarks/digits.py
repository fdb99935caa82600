"""Train 784-300-100-10 on MNIST, with gradients by hand: five seeds, with and without augmentation.

    python benchmarks/digits.py            train on all 60,000 images, evaluate on the 10,000 of the
                                           test set, once for each seed, and write the results
    python benchmarks/digits.py choose     train every candidate on 50,000 images and evaluate it
                                           on the other 10,000: how the settings were chosen

Two runs go side by side, each on one thread. Stop it whenever you like: it goes on from its last
checkpoint, in build/digits. Results go to code/backprop/data/digits.json, and the parameters of
the first seed with augmentation to digits.npz beside it.
"""

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from time import perf_counter

import numpy as np
from workers import peak_memory

from backprop import datasets, fast, metrics, optimizers, schedules, training
from backprop.augmentation import Augmentation

FOLDER = Path("build/digits")
RESULTS = datasets.DATA / "digits.json"
WEIGHTS = datasets.DATA / "digits.npz"
SEEDS = range(5)
HELD_OUT = 10_000

MILD = {"rotation": 10, "scale": 0.1, "shear": 0.1, "shift": 1.5, "alpha": 34, "sigma": 5}
AUGMENTED = {"epochs": 120, "learning_rate": 0.05, "augment": MILD}
PLAIN = {"epochs": 120, "learning_rate": 0.05, "dropout": [0.2, 0.3, 0.2], "l2": 5e-5}
FINAL = {"with augmentation": AUGMENTED, "without augmentation": PLAIN}
LESS = PLAIN | {"dropout": [0.1, 0.3, 0.2]}
SHORT = LESS | {"epochs": 60}
CANDIDATES = {
    "with augmentation": AUGMENTED,
    "40 epochs": AUGMENTED | {"epochs": 40},
    "rate 0.1": AUGMENTED | {"learning_rate": 0.1},
    "rougher waves": AUGMENTED | {"augment": MILD | {"sigma": 4}},
    "flatter waves": AUGMENTED | {"augment": MILD | {"alpha": 20}},
    "no waves": AUGMENTED | {"augment": MILD | {"alpha": 0}},
    "without augmentation": PLAIN,
    "less dropout": LESS,
    "less of both": LESS | {"l2": 2.5e-5},
    "60 epochs, less dropout": SHORT,
    "60 epochs, less of both": SHORT | {"l2": 2.5e-5},
    "60 epochs, no penalty": SHORT | {"l2": 0.0},
    "60 epochs, no dropout": SHORT | {"l2": 2.5e-5, "dropout": []},
    "60 epochs, neither": SHORT | {"l2": 0.0, "dropout": []},
    "60 epochs, much dropout": SHORT | {"l2": 2.5e-5, "dropout": [0.2, 0.5, 0.5]},
}
SETTINGS = {"test": FINAL, "choose": CANDIDATES}


def trainer(settings, seed, n):
    """Return the training run with these settings on n examples."""
    rng = np.random.default_rng(seed)
    network = fast.FastNetwork.random(
        [784, 300, 100, 10], ["relu", "relu", "identity"], rng, "he", np.float32
    )
    updates = settings["epochs"] * n // 100
    rate = schedules.CosineDecay(settings["learning_rate"], updates)
    augment = settings.get("augment")
    return training.Trainer(
        network,
        fast.softmax_cross_entropy_inplace,
        optimizers.Momentum(rate, 0.9),
        seed=seed,
        l2=settings.get("l2", 0.0),
        dropout=settings.get("dropout", ()),
        augment=augment and Augmentation(**augment),
        metric=metrics.accuracy,
    )


def train(mode, name, seed):
    """Do one run, or go on with it, and write its result beside its checkpoint."""
    digits = datasets.mnist()
    T_train, T_test = (
        datasets.one_hot(y, 10).astype(np.float32) for y in (digits.y_train, digits.y_test)
    )
    if mode == "choose":
        order = np.random.default_rng(12345).permutation(len(T_train))
        judged, trained = order[:HELD_OUT], order[HELD_OUT:]
        X, T = digits.X_train[trained], T_train[trained]
        held_out = digits.X_train[judged], T_train[judged]
    else:
        X, T = digits.X_train, T_train
        held_out = digits.X_test, T_test
    settings = SETTINGS[mode][name]
    run = trainer(settings, seed, len(X))
    checkpoint = place(mode, name, seed, "npz")
    resumed, start = checkpoint.exists(), perf_counter()
    history = run.fit(X, T, settings["epochs"], checkpoint=checkpoint)
    seconds = None if resumed else round(perf_counter() - start)
    accuracy = run.evaluate(*held_out)["metric"]
    result = {
        "seed": seed,
        "accuracy": accuracy,
        "errors": round(len(held_out[0]) * (1 - accuracy)),
        "training loss": history[-1]["loss"],
        "seconds": seconds,
        "peak MB": round(peak_memory()),
    }
    run.network.save(place(mode, name, seed, "weights.npz"))
    text = json.dumps({"settings": settings, "result": result})
    place(mode, name, seed, "json").write_text(text)


def result_of(mode, name, seed):
    """Return the result of a run, or None if it has not been done with the present settings."""
    file = place(mode, name, seed, "json")
    found = json.loads(file.read_text()) if file.exists() else {}
    return found.get("result") if found.get("settings") == SETTINGS[mode][name] else None


def place(mode, name, seed, ending):
    """Return the file of a run that holds its checkpoint, its parameters or its result."""
    return FOLDER / f"{mode}-{name.replace(' ', '-')}-{seed}.{ending}"


def train_all(mode, runs):
    """Do all runs that have not been done, two at a time, and return their results."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    lines = SimpleQueue()  # of the terminal, one for each progress bar
    for line in range(2):
        lines.put(line)

    def start(run):
        name, seed = run
        if result_of(mode, name, seed) is None:
            line = lines.get()
            bar = {"TQDM_POSITION": str(line), "TQDM_DESC": f"{name}, seed {seed}"}
            quiet = {"OPENBLAS_NUM_THREADS": "1", "TQDM_LEAVE": "0"}
            command = [sys.executable, __file__, mode, "--run", name, str(seed)]
            try:
                subprocess.run(command, env=os.environ | bar | quiet, check=True)
            finally:  # or the runs that come next would wait for a line for ever
                lines.put(line)
        return name, result_of(mode, name, seed)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(start, runs))


def main(mode):
    """Train, print a table, and write the results."""
    settings = SETTINGS[mode]
    seeds = SEEDS[:1] if mode == "choose" else SEEDS
    try:
        found = train_all(mode, [(name, seed) for name in settings for seed in seeds])
    except subprocess.CalledProcessError as error:
        sys.exit(f"Error: a run has failed, see above: {' '.join(error.cmd[2:])}")
    section = {
        name: {"settings": settings[name], "runs": [run for n, run in found if n == name]}
        for name in settings
    }
    print(f"{'':<28} accuracy in %, each seed; mean")
    for name, results in section.items():
        shares = [100 * run["accuracy"] for run in results["runs"]]
        print(f"{name:<28}", *(f"{s:.2f}" for s in shares), f"  {np.mean(shares):.3f}")
    written = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    judge = "validation" if mode == "choose" else "test"
    written[judge] = section
    versions = {"Python": platform.python_version(), "NumPy": np.__version__}
    written["versions"] = written.get("versions", {}) | {judge: versions}
    if mode == "test":
        first = place(mode, "with augmentation", SEEDS[0], "weights.npz")
        WEIGHTS.write_bytes(first.read_bytes())
        written["weights SHA-256"] = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    RESULTS.write_text(json.dumps(written, indent=1) + "\n")
    print(f"written: {RESULTS.name}" + ("" if mode == "choose" else f", {WEIGHTS.name}"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mode", nargs="?", choices=SETTINGS, default="test")
    parser.add_argument("--run", nargs=2, metavar=("NAME", "SEED"), help="do this one only")
    given = parser.parse_args()
    try:
        if given.run:
            train(given.mode, given.run[0], int(given.run[1]))
        else:
            main(given.mode)
    except KeyboardInterrupt:  # Ctrl-C reaches the runs, too: only the first program speaks
        if not given.run:
            print("Stopped. Started again, it goes on from its last checkpoints.", file=sys.stderr)
        sys.exit(130)
