"""Checkpoints: all that a training run needs to go on after an interruption, in one file.

A run that goes on from its checkpoint ends with the same parameters, to the last bit, as one that
was never interrupted.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import zipfile
from dataclasses import fields
from pathlib import Path
from types import FunctionType
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
    if not Path(file).parent.is_dir():
        raise FileNotFoundError(f"{file}: there is no folder {Path(file).parent}")
    unfinished = Path(f"{file}.unfinished")
    with unfinished.open("wb") as stream:
        np.savez(stream, *arrays, **named_arrays)
    os.replace(unfinished, file)


def read(file: str | Path) -> dict[str, Any]:
    """Return the arrays that `write` wrote, by name. A damaged file can raise almost anything."""
    if not zipfile.is_zipfile(file):  # NumPy would take it for a pickle
        raise ValueError("no archive of arrays")
    with np.load(file, allow_pickle=False) as saved:
        return {name: saved[name] for name in saved.files}


def load(trainer: Trainer, file: str | Path) -> None:
    """Take over all that `save` wrote.

    Raises
    ------
    ValueError
        If the file is no checkpoint, or one of a run with other settings, or of fewer epochs than
        the trainer has made. Nothing has been changed then.
    """
    try:
        arrays = read(file)
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
    except Exception as error:
        raise ValueError(f"{file}: not a checkpoint ({error})") from error
    for name, value in settings(trainer).items():
        if theirs.get(name) != value:
            raise ValueError(
                f"{file}: a run with {name} {theirs.get(name)!r}, and this one has"
                f" {value!r}; name another file, or delete this one"
            )
    if len(history) < len(trainer.history):
        raise ValueError(
            f"{file}: a run of {len(history)} epochs, and this one has made"
            f" {len(trainer.history)}; name another file, or take a new Trainer"
        )
    for p, saved_p in zip(trainer.network.parameters, parameters, strict=True):
        p[...] = saved_p
    trainer.optimizer.state, trainer.optimizer.iterations = slots, iterations
    trainer.best, trainer.history, trainer.rng = best, history, rng


def settings(trainer: Trainer) -> dict[str, Any]:
    """Return what two runs must have in common for one to go on where the other stopped."""
    found: dict[str, Any] = {
        "network": type(trainer.network).__name__,
        "shapes": [list(p.shape) for p in trainer.network.parameters],
        "dtype": str(trainer.network.dtype),
        "activations": list(trainer.network.activations),
        "optimizer": type(trainer.optimizer).__name__,
    }
    for f in fields(trainer.optimizer):
        value = getattr(trainer.optimizer, f.name)
        if f.init:
            found[f.name] = schedule_of(value) if callable(value) else value
    for name in ("seed", "batch_size", "l1", "l2"):
        found[name] = getattr(trainer, name)
    for name in ("loss", "augment", "metric"):
        found[name] = name_of(getattr(trainer, name))
    return found | {"dropout": list(trainer.dropout)}


def name_of(value: Any) -> str:
    """Return a function's name, or an object's ``repr``, which are the same in every run."""
    if isinstance(value, FunctionType):
        return f"{value.__module__}.{value.__qualname__}"
    return re.sub(" at 0x[0-9a-f]+", "", repr(value))


def schedule_of(value: Any) -> str:
    """Return the name of a schedule, with the rates and other numbers that it encloses."""
    if not isinstance(value, FunctionType):
        return name_of(value)
    enclosed = inspect.getclosurevars(value).nonlocals
    inside = [f"{name}={schedule_of(v)}" for name, v in enclosed.items() if v is not value]
    return f"{name_of(value)}({', '.join(inside)})"
