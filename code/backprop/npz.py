"""Files of arrays: written whole or not at all, read with every damage as one error."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np


def write(file: str | Path, **arrays: Any) -> None:
    """Write arrays into a file of just this name, as `numpy.savez` does, whole or not at all.

    A program that is killed while it writes leaves the old file as it was.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    """
    if not Path(file).parent.is_dir():
        raise FileNotFoundError(f"{file}: there is no folder {Path(file).parent}")
    unfinished = Path(f"{file}.unfinished")
    try:
        with unfinished.open("wb") as stream:  # a stream, since NumPy would add .npz to a name
            np.savez(stream, **arrays)
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)


def read(file: str | Path) -> dict[str, Any]:
    """Return the arrays in a file, by name.

    Raises
    ------
    ValueError
        If the file is missing, damaged, or no archive of arrays.
    """
    try:
        # NumPy would take what is no archive for a pickle.
        with zipfile.ZipFile(file), np.load(file) as saved:
            return {name: saved[name] for name in saved.files}
    except Exception as error:  # a damaged archive can raise almost anything
        raise ValueError(f"{file}: cannot be read ({error})") from error
