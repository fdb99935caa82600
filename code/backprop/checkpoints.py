"""Checkpoints: all that a training run needs to go on after an interruption, in one file.

A run that goes on from its checkpoint ends with the same parameters, to the last bit, as one that
was never interrupted.
"""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from backprop.training import Trainer


def save(trainer: Trainer, file: str | Path) -> None:
    """Write all that the run needs to go on into one file, whole or not at all."""
    arrays: dict[str, Any] = {f"parameter_{i}": p for i, p in enumerate(trainer.network.parameters)}
    arrays |= {f"best_{i}": p for i, p in enumerate(trainer.best)}
    for i, slots in enumerate(trainer.optimizer.state):
        arrays |= {f"slot_{i}_{name}": slot for name, slot in slots.items()}
    state = {
        "settings": settings(trainer),
        "iterations": trainer.optimizer.iterations,
        "history": trainer.history,
        "rng": trainer.rng.bit_generator.state,
    }
    unfinished = Path(f"{file}.unfinished")
    with unfinished.open("wb") as stream:
        np.savez(stream, state=np.array(json.dumps(state)), **arrays)
    os.replace(unfinished, file)


def load(trainer: Trainer, file: str | Path) -> None:
    """Take over all that `save` wrote.

    Raises
    ------
    ValueError
        If the file is no checkpoint, or one of a run with other settings.
    """
    try:
        with np.load(file, allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in saved.files}
        state: dict[str, Any] = json.loads(str(arrays.pop("state")))
    except Exception as error:  # a damaged archive can raise almost anything
        raise ValueError(f"{file}: not a checkpoint ({error})") from error
    for name, value in settings(trainer).items():
        if state["settings"].get(name) != value:
            raise ValueError(
                f"{file}: a run with {name} {state['settings'].get(name)!r}, and this one has"
                f" {value!r}; name another file, or delete this one"
            )
    for i, p in enumerate(trainer.network.parameters):
        p[...] = arrays[f"parameter_{i}"]
    places = range(len(trainer.network.parameters))
    trainer.best = [arrays[f"best_{i}"] for i in places if f"best_{i}" in arrays]
    trainer.optimizer.iterations = state["iterations"]
    if state["iterations"]:
        trainer.optimizer.state = [
            {name: arrays[f"slot_{i}_{name}"] for name in trainer.optimizer.slots} for i in places
        ]
    trainer.history = state["history"]
    trainer.rng.bit_generator.state = state["rng"]


def settings(trainer: Trainer) -> dict[str, Any]:
    """Return what two runs must have in common for one to go on where the other stopped."""
    found: dict[str, Any] = {
        "shapes": [list(p.shape) for p in trainer.network.parameters],
        "dtype": str(trainer.network.dtype),
        "activations": list(trainer.network.activations),
        "optimizer": type(trainer.optimizer).__name__,
    }
    for f in fields(trainer.optimizer):
        value = getattr(trainer.optimizer, f.name)
        if f.init:  # a schedule is known by what it returns
            found[f.name] = [value(t) for t in (0, 1000)] if callable(value) else value
    for name in ("seed", "batch_size", "l1", "l2"):
        found[name] = getattr(trainer, name)
    for name in ("loss", "augment", "metric"):
        value = getattr(trainer, name)
        found[name] = getattr(value, "__qualname__", repr(value))
    return found | {"dropout": list(trainer.dropout)}
