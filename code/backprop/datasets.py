"""Data of the course: MNIST, which ships with the package, and the small sets of the sources."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from backprop.network import Network
from backprop.validation import generator, whole_number

DATA = Path(__file__).parent / "data"
MNIST_FILE = DATA / "mnist.npz"
BOOK_FILE = DATA / "book.txt"
DIGITS_FILE = DATA / "digits.npz"
DIGITS_RESULTS_FILE = DATA / "digits.json"
SPEED_RESULTS_FILE = DATA / "speed.json"
BOOK_SHA256 = "66f834c8d76aae8f0427f48d7b336dd23b7cc5fef349e24cd04eafa3b270fae5"

MNIST_SHAPES = {
    "train_images": (60000, 28, 28),
    "train_labels": (60000,),
    "test_images": (10000, 28, 28),
    "test_labels": (10000,),
}
# The sums of the four original files, each of which is one array behind a header.
MNIST_SHA256 = {
    "train_images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train_labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "test_images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "test_labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


class Mnist(NamedTuple):
    """All 70,000 images of handwritten digits, one in each row, and the digits they show.

    Attributes
    ----------
    X_train : ndarray of float32, shape (60000, 784)
        Pixels row by row, from 0 (background) to 1 (ink).
    y_train : ndarray of int64, shape (60000,)
        Digits 0 to 9. Signed and wide, so that ``y - 1`` does not wrap around.
    X_test : ndarray of float32, shape (10000, 784)
    y_test : ndarray of int64, shape (10000,)
    """

    X_train: npt.NDArray[np.float32]
    y_train: npt.NDArray[np.int64]
    X_test: npt.NDArray[np.float32]
    y_test: npt.NDArray[np.int64]


def mnist() -> Mnist:
    """Load MNIST from the package, with no network, and verify every byte of it.

    Each call reads the file again and returns new arrays, about 220 MB, which are yours to change.

    Raises
    ------
    ValueError
        If the file is missing, cannot be read, or is not the original data.
    """
    X_train, X_test = (
        np.divide(_verified(name).reshape(-1, 28 * 28), np.float32(255), dtype=np.float32)
        for name in ("train_images", "test_images")
    )
    y_train, y_test = (_verified(name).astype(np.int64) for name in ("train_labels", "test_labels"))
    return Mnist(X_train, y_train, X_test, y_test)


def _verified(name: str) -> npt.NDArray[np.uint8]:
    """Return one array of the MNIST file, or raise ValueError if it is not the original one."""
    shape = MNIST_SHAPES[name]
    try:
        with np.load(MNIST_FILE, allow_pickle=False) as file:
            array: npt.NDArray[np.uint8] = file[name]
    except FileNotFoundError:
        raise ValueError(_restore(MNIST_FILE, "the file is missing")) from None
    except Exception as error:  # a damaged archive can raise almost anything
        raise ValueError(_restore(MNIST_FILE, f"'{name}' cannot be read ({error})")) from error
    if array.dtype != np.uint8 or array.shape != shape:
        wrong = f"'{name}' holds {array.dtype} {array.shape}, not uint8 {shape}"
        raise ValueError(_restore(MNIST_FILE, wrong))
    if hashlib.sha256(idx_header(shape) + array.tobytes()).hexdigest() != MNIST_SHA256[name]:
        wrong = f"'{name}' does not have the SHA-256 sum of the original data"
        raise ValueError(_restore(MNIST_FILE, wrong))
    return array


def idx_header(shape: tuple[int, ...]) -> bytes:
    """Return the header of an IDX file of bytes: two zeros, type 8, number of axes, lengths.

    MNIST came in this format. With its header, an array gives the published file's checksum.
    """
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)


def book_text() -> str:
    """Return a snapshot of this book's own prose, 78,188 ASCII characters.

    Sentences without formulas, one paragraph in each line. `tools/book_text.py` took it.

    Raises
    ------
    ValueError
        If the file is missing or has been changed.
    """
    return _contents(BOOK_FILE, BOOK_SHA256).decode("ascii")


def digits_results() -> dict[str, Any]:
    """Return what `make digits` found: settings, seeds, accuracies, seconds, versions."""
    return _results(DIGITS_RESULTS_FILE)


def speed_results() -> dict[str, Any]:
    """Return what `make speed` found, for each kernel of OpenBLAS: rates, ratios, versions."""
    return _results(SPEED_RESULTS_FILE)


def digit_reader() -> Network:
    """Return the network 784-300-100-10 that the first seed of `make digits` ended with.

    Raises
    ------
    ValueError
        If the file is missing, or does not have the SHA-256 sum that stands in the results.
    """
    _contents(DIGITS_FILE, digits_results()["weights SHA-256"])
    return Network.load(DIGITS_FILE)


def _results(file: Path) -> dict[str, Any]:
    """Return the JSON object in a file, or raise ValueError."""
    try:
        results: dict[str, Any] = json.loads(_contents(file))
    except json.JSONDecodeError as error:
        raise ValueError(_restore(file, f"it cannot be read ({error})")) from None
    return results


def _contents(file: Path, sha256: str | None = None) -> bytes:
    """Return a file's bytes, or raise ValueError if it is missing or has another SHA-256 sum."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ValueError(_restore(file, f"it cannot be read ({error})")) from None
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(_restore(file, "it does not have the SHA-256 sum of the original"))
    return data


def _restore(file: Path, what: str) -> str:
    """Say what is wrong with a data file and how to get it back."""
    return (
        f"{file}: {what}. Restore the file: in a clone of the repository run "
        f"`git checkout -- code/backprop/data/{file.name}`, elsewhere reinstall backprop-by-hand."
    )


def one_hot(labels: npt.ArrayLike, classes: int) -> npt.NDArray[np.float64]:
    """Return one row per label, with a 1 in the label's column and 0 elsewhere.

    Parameters
    ----------
    labels : array_like of int, shape (N,)
        Class numbers from 0 to ``classes - 1``.
    classes : int
        Number of columns K.

    Returns
    -------
    ndarray, shape (N, K)
    """
    whole_number("classes", classes, least=1)
    y = np.asarray(labels)
    if y.ndim != 1 or y.size == 0:
        raise ValueError(f"labels: expected shape (N,) with at least one label, got {y.shape}")
    if not np.issubdtype(y.dtype, np.integer):
        raise ValueError(f"labels: expected integers, got {y.dtype}")
    if y.min() < 0 or y.max() >= classes:
        raise ValueError(f"labels: expected 0 to {classes - 1}, got {y.min()} to {y.max()}")
    rows: npt.NDArray[np.float64] = np.eye(classes)[y]
    return rows


def toy_points() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return source 2's 32 points and whether their coordinates sum to less than 1.

    Returns
    -------
    X : ndarray, shape (32, 2)
        Uniform in [0, 1), equal to the source's to the last bit.
    targets : ndarray, shape (32, 1)
        1 where ``x0 + x1 < 1``, which is 18 times, else 0.
    """
    X = np.random.RandomState(23455).rand(32, 2)  # the source's own generator
    return X, (X.sum(axis=1, keepdims=True) < 1).astype(np.float64)


def toy_weights() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the starting weights of source 2's network, as the source prints them.

    Returns
    -------
    w1 : ndarray, shape (2, 3)
    w2 : ndarray, shape (3, 1)
        The first row of `w1` again: the source draws both from one seed.
    """
    w1 = np.array([[-0.8113182, 1.4845988, 0.06532937], [-2.4427042, 0.0992484, 0.5912243]])
    w2 = np.array([[-0.8113182], [1.4845988], [0.06532937]])
    return w1, w2


def regression_points(seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return source 4's regression: 100 numbers around 1, each with the target 10.

    Returns
    -------
    X : ndarray, shape (100, 1)
        Normal, mean 1, standard deviation 0.1.
    targets : ndarray, shape (100, 1)
    """
    rng = np.random.default_rng(whole_number("seed", seed, least=0))
    return rng.normal(1.0, 0.1, (100, 1)), np.full((100, 1), 10.0)


def classification_points(
    seed: int, sizes: Sequence[int] = (50, 50), deviations: Sequence[float] = (1.0, 1.0)
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return source 4's two classes of numbers, class 0 around -1 and class 1 around 3.

    Parameters
    ----------
    seed : int
    sizes : pair of int
        How many numbers of class 0 and of class 1; N is their sum.
    deviations : pair of float
        The standard deviation of class 0 and of class 1.

    Returns
    -------
    X : ndarray, shape (N, 1)
        Normal; class 0 comes first.
    targets : ndarray, shape (N, 1)
        The class, 0 or 1.
    """
    rng = np.random.default_rng(whole_number("seed", seed, least=0))
    for name, pair in (("sizes", sizes), ("deviations", deviations)):
        if len(pair) != 2:
            raise ValueError(f"{name}: expected two numbers, one per class, got {pair}")
    for size, deviation in zip(sizes, deviations, strict=True):
        whole_number("sizes", size, least=1)
        if not 0 < deviation < np.inf:
            raise ValueError(f"deviations: expected positive numbers, got {deviation}")
    points = [
        rng.normal(mean, deviation, (size, 1))
        for mean, size, deviation in zip((-1.0, 3.0), sizes, deviations, strict=True)
    ]
    return np.concatenate(points), np.repeat([[0.0], [1.0]], sizes, axis=0)


def batches(n: int, batch_size: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """Shuffle the numbers 0 to n - 1 and return them in batches, each number once.

    Parameters
    ----------
    n : int
        Number of examples.
    batch_size : int
        Length of each batch; the last is shorter if `batch_size` does not divide `n`.
    rng : numpy.random.Generator
        Source of the order, as ``np.random.default_rng(seed)`` makes it.

    Returns
    -------
    iterator of ndarray
        Row numbers, for ``X[rows]``.
    """
    whole_number("n", n, least=1)
    whole_number("batch_size", batch_size, least=1)
    generator("rng", rng)
    order = rng.permutation(n)
    return (order[start : start + batch_size] for start in range(0, n, batch_size))
