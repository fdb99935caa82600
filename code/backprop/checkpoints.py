"""Checkpoints: all that a training run needs to go on after an interruption, in one file.

A run that goes on from its checkpoint ends with the same parameters, to the last bit, as one that
was never interrupted.
"""

from __future__ import annotations

import json
import os
import re
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
        "best": len(trainer.best),
        "slots": [list(slots) for slots in trainer.optimizer.state],
        "iterations": trainer.optimizer.iterations,
        "history": trainer.history,
        "rng": trainer.rng.bit_generator.state,
    }
    text = json.dumps(state, default=lambda number: number.item())  # NumPy's numbers
    write(file, state=np.array(text), **arrays)


def write(file: str | Path, *arrays: Any, **named_arrays: Any) -> None:
    """Write arrays into a file as `numpy.savez` does, but whole or not at all."""
    unfinished = Path(f"{file}.unfinished")
    with unfinished.open("wb") as stream:
        np.savez(stream, *arrays, **named_arrays)
    os.replace(unfinished, file)


def load(trainer: Trainer, file: str | Path) -> None:
    """Take over all that `save` wrote.

    Raises
    ------
    ValueError
        If the file is no checkpoint, or one of a run with other settings. Nothing has been
        changed then.
    """
    try:
        with np.load(file, allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in saved.files}
        state: dict[str, Any] = json.loads(str(arrays["state"]))
        theirs, history, iterations = (state[k] for k in ("settings", "history", "iterations"))
        parameters = [arrays[f"parameter_{i}"] for i in range(len(theirs["shapes"]))]
        best = [arrays[f"best_{i}"] for i in range(state["best"])]
        slots = [
            {name: arrays[f"slot_{i}_{name}"] for name in names}
            for i, names in enumerate(state["slots"])
        ]
        rng = np.random.default_rng()
        rng.bit_generator.state = state["rng"]
    except Exception as error:  # a damaged archive can raise almost anything
        raise ValueError(f"{file}: not a checkpoint ({error})") from error
    for name, value in settings(trainer).items():
        if theirs.get(name) != value:
            raise ValueError(
                f"{file}: a run with {name} {theirs.get(name)!r}, and this one has"
                f" {value!r}; name another file, or delete this one"
            )
    for p, saved_p in zip(trainer.network.parameters, parameters, strict=True):
        p[...] = saved_p
    trainer.optimizer.state, trainer.optimizer.iterations = slots, iterations
    trainer.best, trainer.history, trainer.rng = best, history, rng


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
        # An address in memory is another one in every run.
        found[name] = getattr(value, "__qualname__", re.sub(" at 0x[0-9a-f]+", "", repr(value)))
    return found | {"dropout": list(trainer.dropout)}
