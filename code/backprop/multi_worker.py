"""Train a network on several workers: this program runs once for each, on one machine or many.

Every worker gets the same command and its own variable TF_CONFIG, which lists the addresses of
all workers and says which of them it is::

    TF_CONFIG='{"cluster": {"worker": ["127.0.0.1:2001", "127.0.0.1:2002"]},
                "task": {"type": "worker", "index": 0}}'
    python -m backprop.multi_worker FOLDER

Worker 0 writes checkpoints to its FOLDER; started again, the cluster goes on from the last one.
At the end each worker writes its weights there. All workers must end with the same.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backprop import (
    datasets,
    npz,
    tensorflow_twin,  # before TensorFlow, whose settings it makes
)
from backprop.contracts import Array, as_number
from backprop.data_parallel import shards
from backprop.network import Network

import tensorflow as tf  # isort: skip

EXAMPLES, SIZES, ACTIVATIONS = 2000, (784, 32, 10), ("tanh", "identity")
LEARNING_RATE, MOMENTUM = 0.25, 0.875  # exact in binary


def read_cluster(text: str) -> tuple[int, int]:
    """Return the number of workers, and the number of this one, from the text of TF_CONFIG.

    Raises
    ------
    ValueError
        If the text is missing, no JSON of the right form, or the number is not a worker's, or
        two workers have one address.
    """
    form = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(text)
        ((kind, addresses),) = config["cluster"].items()
        task, index = config["task"]["type"], config["task"]["index"]
        fits = kind == task == "worker" and isinstance(addresses, list)
        fits = fits and all(":" in a for a in addresses) and len(set(addresses)) == len(addresses)
        fits = fits and type(index) is int and index in range(len(addresses))
    except (ValueError, LookupError, TypeError, AttributeError):  # no JSON, or something missing
        fits = False
    if not fits:
        raise ValueError(f"TF_CONFIG: expected {form}, all different, got {text or 'nothing'}")
    return len(addresses), index


def batch_rows(seed: int, step: int, batch_size: int) -> np.ndarray:
    """Return the rows of a step's batch. They depend on seed and step, and on nothing before."""
    return np.random.default_rng([seed, step]).choice(EXAMPLES, batch_size, replace=False)


def start(seed: int) -> tuple[list[Array], list[Array]]:
    """Return random weights, and velocities of zero."""
    weights = Network.random(SIZES, ACTIVATIONS, np.random.default_rng(seed), 0.1).parameters
    return weights, [np.zeros_like(w) for w in weights]


def examples() -> tuple[Array, Array]:
    """Return the images and their targets."""
    X, y = datasets.mnist()[:2]
    return X[:EXAMPLES].astype(np.float64), datasets.one_hot(y[:EXAMPLES], SIZES[-1])


def save(path: Path, run: Sequence[int], weights: Sequence[Any], velocities: Sequence[Any]) -> None:
    """Write a checkpoint, whole or not at all."""
    arrays = {f"weight_{i}": w.numpy() for i, w in enumerate(weights)}
    arrays |= {f"velocity_{i}": v.numpy() for i, v in enumerate(velocities)}
    npz.write(path, run=run, **arrays)


def load(path: Path) -> tuple[list[int], list[Array], list[Array]]:
    """Return what `save` has written: step, seed and batch size, the weights, the velocities."""
    saved = npz.read(path)
    try:
        step, seed, batch_size = saved["run"].tolist()
        names = [name for name in saved if name.startswith("weight_")]
        weights = [saved[name] for name in names]
        velocities = [saved[name.replace("weight", "velocity")] for name in names]
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path}: not a checkpoint ({error})") from error
    return [step, seed, batch_size], weights, velocities


def make_step(strategy: Any, weights: Sequence[Any], velocities: Sequence[Any]) -> Any:
    """Return a function of a shard and its share, which makes one update with all workers."""
    network = Network([w.numpy() for w in weights], ACTIVATIONS)
    loss = tensorflow_twin.LOSSES["softmax_cross_entropy"]

    def on_one_worker(X: Any, T: Any, share: Any) -> None:
        with tf.GradientTape() as tape:
            value = share * loss(tensorflow_twin.forward(network, weights, X), T)
        gradients = tape.gradient(value, weights)
        gradients = tf.distribute.get_replica_context().all_reduce("SUM", gradients)
        for w, v, g in zip(weights, velocities, gradients, strict=True):
            v.assign(MOMENTUM * v - LEARNING_RATE * g)
            w.assign_add(v)

    return tf.function(lambda *shard: strategy.run(on_one_worker, args=shard))


def barrier(strategy: Any) -> Any:
    """Wait until all workers are here, by one more all-reduce, and return how many they are."""

    def ones() -> Any:
        return tf.distribute.get_replica_context().all_reduce("SUM", tf.ones(()))

    return tf.function(lambda: strategy.run(ones))()


def make_variables(strategy: Any, options: argparse.Namespace) -> tuple[int, list[Any], list[Any]]:
    """Return the updates made so far, the weights, and the velocities, as variables.

    All workers start from the values that worker 0 has, so only its checkpoint counts.
    """
    checkpoint, wanted = options.folder / "checkpoint.npz", [options.seed, options.batch]
    run, *arrays = load(checkpoint) if checkpoint.exists() else ([0, *wanted], *start(options.seed))
    with strategy.scope():
        of_worker_0 = tf.Variable(run, dtype=tf.int64)
        weights, velocities = ([tf.Variable(a) for a in group] for group in arrays)
    first, *found = of_worker_0.numpy().tolist()
    if found != wanted or first > options.steps:
        has = f"seed {found[0]}, batch {found[1]} and {first} updates"
        raise ValueError(f"options: expected those of worker 0's run, which has {has}")
    return first, weights, velocities


def train(workers: int, index: int, options: argparse.Namespace) -> None:
    """Be one of the workers: go on from the checkpoint if there is one, and save the weights."""
    # A worker may wait without end for one that is gone. Unless this alarm is set again in time, it
    # prints where the program waits, and ends it.
    faulthandler.dump_traceback_later(5 * options.patience, exit=True)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    if strategy.num_replicas_in_sync != workers:
        found = f"{strategy.num_replicas_in_sync} for {workers} workers"
        raise ValueError(f"CUDA_VISIBLE_DEVICES: expected one device for each, got {found}")
    first, weights, velocities = make_variables(strategy, options)
    step, X, T = make_step(strategy, weights, velocities), *examples()
    mine = shards(options.batch, workers)[index]
    share = tf.constant((mine.stop - mine.start) / options.batch, tf.float64)
    print(f"worker {index} of {workers}: updates {first + 1} to {options.steps}", flush=True)
    for number in range(first, options.steps):
        faulthandler.dump_traceback_later(options.patience, exit=True)
        rows = batch_rows(options.seed, number, options.batch)[mine]
        step(tf.constant(X[rows]), tf.constant(T[rows]), share)
        if index == 0 and (number + 1) % options.every == 0:
            run = (number + 1, options.seed, options.batch)
            save(options.folder / "checkpoint.npz", run, weights, velocities)
    npz.write(
        options.folder / f"weights-{index}.npz",
        **{f"weight_{i}": w.numpy() for i, w in enumerate(weights)},
    )
    barrier(strategy)  # worker 0 keeps the cluster's books: nobody leaves before all have finished


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and TF_CONFIG, and train."""
    parser = argparse.ArgumentParser(description="Train on several workers, named in TF_CONFIG.")
    parser.add_argument("folder", type=Path, help="for checkpoints and final weights; must exist")
    parser.add_argument("--steps", type=int, default=500, help="updates in all")
    parser.add_argument("--batch", type=int, default=64, help="examples of all workers together")
    parser.add_argument("--seed", type=int, default=0, help="of first weights and batches")
    parser.add_argument("--every", type=int, default=100, help="updates between checkpoints")
    parser.add_argument("--patience", type=int, default=60, help="seconds to wait in an update")
    given = parser.parse_args(arguments)
    try:
        workers, index = read_cluster(os.environ.get("TF_CONFIG", ""))
        intervals = dict.fromkeys(("steps", "every", "patience"), "[1, inf)")
        intervals |= {"seed": "[0, inf)", "batch": f"[{workers}, {EXAMPLES}]"}
        for name, interval in intervals.items():
            as_number(f"--{name}", getattr(given, name), interval, int)
        if not given.folder.is_dir():
            raise ValueError(f"folder: expected one that exists, got {given.folder}")
        train(workers, index, given)
    except ValueError as error:
        sys.exit(f"Error: {error}")
    except tf.errors.OpError as error:
        sys.exit(f"Error: worker {index} has lost the others and stops: {error.message}")


if __name__ == "__main__":
    main()
