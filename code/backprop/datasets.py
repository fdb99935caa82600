"""Data of the course: MNIST, which ships with the package, the small sets, and your own images."""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt

from backprop import npz
from backprop.contracts import Count, as_array, checked

DATA = Path(__file__).parent / "data"
MNIST_FILE = DATA / "mnist.npz"
BOOK_FILE = DATA / "book.txt"
BOOK_SHA256 = "efbfbe4c812e79098fc8df3470db86c759aaa3222669cb581944b1afedad63e3"
# The sums of MNIST's four original files, each of which is one array behind a header.
MNIST_SHA256 = {
    "train_images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train_labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "test_images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "test_labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
# The third byte of an IDX file, after two zeros, tells the type of its numbers.
IDX_DTYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}

Labels = npt.NDArray[np.int64]
Images = npt.NDArray[np.float32]
Seed = Annotated[int, "[0, inf)"]


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
        If the file is missing, damaged, or not the original data.
    """
    with restore_hint(MNIST_FILE):
        arrays = npz.read(MNIST_FILE)
        for name, sha256 in MNIST_SHA256.items():
            array = arrays.get(name, np.array([]))
            header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            _check_sum(name, header + array.tobytes(), sha256)
    X_train, y_train, X_test, y_test = (arrays[name] for name in MNIST_SHA256)
    return Mnist(
        _as_rows(X_train), y_train.astype(np.int64), _as_rows(X_test), y_test.astype(np.int64)
    )


def read_idx(file: str | Path) -> npt.NDArray[np.number]:
    """Return the array in an IDX file, the format in which MNIST and its successors come.

    The file may be compressed with gzip. Nothing else has to be known about it: its header tells
    the type of its numbers and its shape.

    Raises
    ------
    ValueError
        If the file is missing, no IDX file, or shorter or longer than its header says.
    """
    try:
        data = Path(file).read_bytes()
        data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        zeros, kind, axes = struct.unpack_from(">HBB", data)
        if zeros or kind not in IDX_DTYPES:
            raise ValueError(f"it begins with {data[:4]!r}")
        shape = struct.unpack_from(f">{axes}I", data, 4)
        numbers = np.frombuffer(data, IDX_DTYPES[kind], offset=4 + 4 * axes).reshape(shape)
    except (OSError, EOFError, zlib.error, struct.error, ValueError) as error:
        raise ValueError(f"{file}: expected an IDX file, which this is not ({error})") from error
    return numbers.astype(numbers.dtype.newbyteorder("="))


def image_set(images: str | Path, labels: str | Path) -> tuple[Images, Labels]:
    """Return images and labels from two IDX files, as `mnist` returns its own.

    For Fashion-MNIST, EMNIST (whose images lie on their side: exchange rows and columns), or
    digits of your own.

    Returns
    -------
    X : ndarray of float32, shape (N, P)
        Pixels row by row, from 0 to 1.
    y : ndarray of int64, shape (N,)

    Raises
    ------
    ValueError
        If a file cannot be read, the images are no bytes with three axes, or there is not one label
        for each image.
    """
    lengths: dict[str, int] = {}
    pixels = as_array(str(images), read_idx(images), "N rows columns", lengths, np.uint8)
    y = as_array(str(labels), read_idx(labels), "N", lengths, np.integer)
    return _as_rows(pixels), y.astype(np.int64)


def _as_rows(pixels: npt.NDArray[np.number]) -> Images:
    """Return bytes of images as rows of numbers from 0 to 1."""
    rows: Images = pixels.reshape(len(pixels), -1).astype(np.float32)
    rows /= 255
    return rows


def book_text() -> str:
    """Return a snapshot of this book's own prose, 76,005 ASCII characters.

    Sentences without formulas, one paragraph in each line. `tools/book_text.py` took it.

    Raises
    ------
    ValueError
        If the file is missing or has been changed.
    """
    return contents(BOOK_FILE, BOOK_SHA256).decode("ascii")


def contents(file: Path, sha256: str) -> bytes:
    """Return the bytes of a file of the package.

    Raises
    ------
    ValueError
        If it is missing, cannot be read, or has another SHA-256 sum.
    """
    with restore_hint(file):
        data = file.read_bytes()
        _check_sum("it", data, sha256)
    return data


def _check_sum(name: str, data: bytes, sha256: str) -> None:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"{name} does not have the SHA-256 sum of the original")


@contextmanager
def restore_hint(file: Path) -> Iterator[None]:
    """Add to whatever goes wrong with a file of the package how to get it back."""
    command = f"git checkout -- code/backprop/data/{file.name}"
    how = f"in a clone of the repository run `{command}`, elsewhere reinstall backprop-by-hand"
    try:
        yield
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: {error}. Restore the file: {how}.") from error


@checked
def one_hot(
    labels: Annotated[npt.NDArray[np.integer], "N"], classes: Count
) -> npt.NDArray[np.float64]:
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
    low, high = labels.min(), labels.max()
    if low < 0 or high >= classes:
        raise ValueError(f"labels: expected 0 to {classes - 1}, got {low} to {high}")
    rows: npt.NDArray[np.float64] = np.eye(classes)[labels]
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


@checked
def regression_points(seed: Seed) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return source 4's regression: 100 numbers around 1, each with the target 10.

    Returns
    -------
    X : ndarray, shape (100, 1)
        Normal, mean 1, standard deviation 0.1.
    targets : ndarray, shape (100, 1)
    """
    rng = np.random.default_rng(seed)
    return rng.normal(1.0, 0.1, (100, 1)), np.full((100, 1), 10.0)


@checked
def classification_points(
    seed: Seed, sizes: Sequence[Count] = (50, 50)
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return source 4's two classes of numbers, class 0 around -1 and class 1 around 3.

    Parameters
    ----------
    seed : int
    sizes : pair of int
        How many numbers of class 0 and of class 1; N is their sum.

    Returns
    -------
    X : ndarray, shape (N, 1)
        Normal, standard deviation 1; class 0 comes first.
    targets : ndarray, shape (N, 1)
        The class, 0 or 1.
    """
    if len(sizes) != 2:
        raise ValueError(f"sizes: expected two numbers, one per class, got {sizes}")
    rng = np.random.default_rng(seed)
    points = [rng.normal(mean, 1, (n, 1)) for mean, n in zip((-1, 3), sizes, strict=True)]
    return np.concatenate(points), np.repeat([[0.0], [1.0]], sizes, axis=0)
