"""Checkpoints: the state of a training run in one file, and what tells one run from another."""

from __future__ import annotations

import inspect
import json
import pkgutil
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from backprop import npz


def write(file: str | Path, state: Mapping[str, Any]) -> None:
    """Write numbers, texts and arrays, in lists and dictionaries of any depth, whole or not at all.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If there is anything else in `state`.
    """
    arrays: dict[str, Any] = {}

    def reference(value: Any) -> Any:
        """Return what stands in the text for a value that JSON does not know."""
        if isinstance(value, np.generic):
            return value.item()
        if not isinstance(value, np.ndarray) or value.dtype.hasobject:
            raise ValueError(f"state: expected numbers, texts and arrays, got {value!r}")
        name = f"array_{len(arrays)}"
        arrays[name] = value
        return {"array": name}

    text = json.dumps(dict(state), default=reference)
    npz.write(file, state=text, **arrays)


def read(file: str | Path) -> dict[str, Any]:
    """Return what `write` wrote, to the last bit.

    Raises
    ------
    ValueError
        If the file is missing, damaged, or another one.
    """
    arrays = npz.read(file)

    def resolve(found: dict[str, Any]) -> Any:
        return arrays[found["array"]] if found.keys() == {"array"} else found

    try:
        return dict(json.loads(str(arrays["state"]), object_hook=resolve))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file}: not a checkpoint ({error!r})") from error


def describe(name: str, value: Any) -> dict[str, Any]:
    """Return a setting as numbers and texts, by name, which any process finds to be the same.

    Numbers, texts and sequences are what they are. An object is its class and its fields, if it is
    one of a dataclass, as optimizers, schedules and augmentations are. A function is its name and
    its default arguments; what it does is not compared.

    Raises
    ------
    ValueError
        For anything else, since two of them could not be told apart: a lambda or another function
        made inside a function, an object of another class.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, str | int | float):
        return {name: value}
    parts: dict[Any, Any]
    if isinstance(value, list | tuple):
        kind, parts = f"{len(value)} entries", dict(enumerate(value))
    elif is_dataclass(value):
        kind = _global_name(name, type(value))
        parts = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
    elif isinstance(value, partial):
        kind = "functools.partial"
        parts = {"function": value.func, **dict(enumerate(value.args)), **value.keywords}
    else:
        kind = _global_name(name, value)
        parameters = inspect.signature(value).parameters.values()
        parts = {p.name: p.default for p in parameters if p.default is not p.empty}
    found = {name: kind}
    for part, inner in parts.items():
        found |= describe(f"{name}.{part}", inner)
    return found


def _global_name(name: str, value: Any) -> str:
    """Return the name by which another process finds a function or a class in its module."""
    path = f"{getattr(value, '__module__', None)}:{getattr(value, '__qualname__', None)}"
    try:
        found = pkgutil.resolve_name(path)
    except (AttributeError, ImportError, ValueError):
        found = None
    if found is not value:
        wanted = "what a checkpoint can tell from others, a dataclass or a function of a module"
        raise ValueError(f"{name}: expected {wanted}, got {value!r}")
    return path.replace(":", ".")
