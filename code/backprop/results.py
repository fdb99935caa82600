"""What the long runs found, which `make digits`, `make speed` and `make zoo` wrote for the book."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from backprop.datasets import DATA, contents, restore_hint
from backprop.network import Network

DIGITS_FILE = DATA / "digits.json"
DIGITS_NETWORK_FILE = DATA / "digits.npz"
SPEED_FILE = DATA / "speed.json"
ZOO_FILE = DATA / "zoo.json"


def digits() -> dict[str, Any]:
    """Return what `make digits` found: settings, seeds, accuracies, seconds, versions."""
    return _read(DIGITS_FILE)


def speed() -> dict[str, Any]:
    """Return what `make speed` found, for each kernel of OpenBLAS: rates, ratios, versions."""
    return _read(SPEED_FILE)


def zoo() -> dict[str, Any]:
    """Return what `make zoo` found: for each bug, what it costs and which checks notice it."""
    return _read(ZOO_FILE)


def digit_reader() -> Network:
    """Return the network 784-300-100-10 that the first seed of `make digits` ended with.

    Raises
    ------
    ValueError
        If the file is missing, or does not have the SHA-256 sum that stands in the results.
    """
    contents(DIGITS_NETWORK_FILE, digits()["weights SHA-256"])
    return Network.load(DIGITS_NETWORK_FILE)


def _read(file: Path) -> dict[str, Any]:
    with restore_hint(file):
        results: dict[str, Any] = json.loads(file.read_bytes())
    return results
