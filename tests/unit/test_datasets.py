"""The data sets hold what the course says, and damaged data is refused."""

import gzip
import re
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop import datasets, npz


@pytest.fixture(scope="module")
def digits():
    return datasets.mnist()


@pytest.fixture(scope="module")
def stored():
    return npz.read(datasets.MNIST_FILE)


# What ships with the package


def test_mnist_is_the_stored_bytes_as_rows_from_0_to_1(digits, stored):
    for X, y, part, n in [(*digits[:2], "train", 60_000), (*digits[2:], "test", 10_000)]:
        pixels = stored[f"{part}_images"].reshape(n, 784)
        np.testing.assert_array_equal(X, np.float32(pixels / 255), strict=True)
        np.testing.assert_array_equal(y, np.int64(stored[f"{part}_labels"]), strict=True)
        assert (X.min(), X.max()) == (0, 1)
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(digits.y_test).tolist() == counts


def test_book_text_is_plain():
    text = datasets.book_text()
    assert (len(text), len(set(text)), text.isascii()) == (76_005, 77, True)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def change(path, **changes):
    arrays = npz.read(path)
    npz.write(path, **arrays | {name: f(arrays[name]) for name, f in changes.items()})


OTHER_SUM = "does not have the SHA-256 sum of the original"


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("BOOK_FILE", Path.unlink, "No such file"),
        ("BOOK_FILE", flip, f"it {OTHER_SUM}"),
        ("MNIST_FILE", Path.unlink, "cannot be read"),
        ("MNIST_FILE", flip, "cannot be read"),
        ("MNIST_FILE", lambda path: npz.write(path, a=np.ones(1)), f"train_images {OTHER_SUM}"),
        ("MNIST_FILE", partial(change, test_labels=np.flip), f"test_labels {OTHER_SUM}"),
        ("MNIST_FILE", partial(change, test_labels=np.int16), f"test_labels {OTHER_SUM}"),
        ("MNIST_FILE", partial(change, test_images=np.ravel), f"test_images {OTHER_SUM}"),
    ],
)
def test_damaged_data_is_refused(tmp_path, monkeypatch, name, damage, message):
    path = Path(shutil.copy(getattr(datasets, name), tmp_path))
    monkeypatch.setattr(datasets, name, path)
    damage(path)
    how = f"`git checkout -- code/backprop/data/{path.name}`, elsewhere reinstall"
    with pytest.raises(ValueError, match=f"{re.escape(str(path))}: .*{message}.* run {how}"):
        datasets.mnist() if name == "MNIST_FILE" else datasets.book_text()


# Images of your own


KINDS = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}


def idx(array):
    shape = b"".join(n.to_bytes(4, "big") for n in array.shape)
    numbers = array.astype(array.dtype.newbyteorder(">")).tobytes()
    return bytes([0, 0, KINDS[array.dtype.name], array.ndim]) + shape + numbers


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("dtype", KINDS)
def test_an_idx_file_of_every_type(tmp_path, dtype, pack):
    array = np.arange(1, 25, dtype=dtype).reshape(2, 3, 4)
    (tmp_path / "a").write_bytes(pack(idx(array)))
    found = datasets.read_idx(tmp_path / "a")
    np.testing.assert_array_equal(found, array, strict=True)
    found += 1  # the caller's to change


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "No such file"),
        (b"\x1f\x8b\x08\x00", "ended"),
        (gzip.compress(bytes(9), mtime=0)[:10] + bytes([7] * 20), "invalid block type"),
        (b"", "at least 4 bytes"),
        (b"PK\x03\x04", r"it begins with b'PK\\x03\\x04'"),
        (b"\0\x01\x08\x01\0\0\0\x01\x07", r"it begins with b'\\x00\\x01\\x08\\x01'"),
        (bytes([0, 0, 7, 1, 0, 0, 0, 0, 0]), r"it begins with b'\\x00\\x00\\x07\\x01'"),
        (bytes([0, 0, 8, 2, 0, 0, 0, 3]), "at least 12 bytes"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2]), r"size 2 into shape \(3,\)"),
        (bytes([0, 0, 11, 1, 0, 0, 0, 1, 1, 2, 3]), "multiple of element size"),
    ],
)
def test_what_is_no_idx_file_is_refused(tmp_path, data, reason):
    if data is not None:
        (tmp_path / "a").write_bytes(data)
    with pytest.raises(ValueError, match=rf"/a: expected an IDX file, which .* \(.*{reason}"):
        datasets.read_idx(tmp_path / "a")


def image_set(folder, images, labels):
    (folder / "images").write_bytes(idx(images))
    (folder / "labels").write_bytes(idx(labels))
    return datasets.image_set(folder / "images", folder / "labels")


def test_own_images_come_as_mnist_does(tmp_path, digits, stored):
    X, y = image_set(tmp_path, stored["test_images"], stored["test_labels"])
    np.testing.assert_array_equal(X, digits.X_test, strict=True)
    np.testing.assert_array_equal(y, digits.y_test, strict=True)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.uint8([1]), np.uint8([1]), r"images: expected shape \(N, rows, columns\), got \(1,\)"),
        (np.int8([[[1]]]), np.uint8([1]), "images: expected uint8, got int8"),
        (np.uint8([[[1]]]), np.uint8([1, 1]), r"labels: expected shape \(1,\), got \(2,\)"),
        (np.uint8([[[1]]]), np.float32([1]), "labels: expected integers, got float32"),
    ],
)
def test_images_and_labels_belong_together(tmp_path, images, labels, message):
    with pytest.raises(ValueError, match=message):
        image_set(tmp_path, images, labels)


@given(st.integers(1, 12), st.data())
def test_one_hot_has_its_only_1_at_the_label(classes, data):
    labels = data.draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=30))
    rows = datasets.one_hot(labels, classes)
    assert (rows.shape, rows.dtype) == ((len(labels), classes), np.float64)
    assert rows.argmax(axis=1).tolist() == labels
    assert np.count_nonzero(rows) == rows.sum() == len(labels)
    for low, high in [(-1, 0), (0, classes)]:
        with pytest.raises(ValueError, match=f"0 to {classes - 1}, got {low} to {high}"):
            datasets.one_hot([low, high], classes)


# The sources' small sets


def test_toy_data_are_those_of_source_2():
    X, targets = datasets.toy_points()
    w1, w2 = datasets.toy_weights()
    assert [a.shape for a in (X, targets, w1, w2)] == [(32, 2), (32, 1), (2, 3), (3, 1)]
    assert {a.dtype.name for a in (X, targets, w1, w2)} == {"float64"}
    np.testing.assert_allclose(X[0], [0.83494319, 0.11482951], atol=5e-9)
    np.testing.assert_array_equal(targets[:, 0] == 1, X[:, 0] + X[:, 1] < 1)
    assert targets.sum() == 18
    np.testing.assert_array_equal(w2[:, 0], w1[0])
    # The loss that these weights have in chapter 1.
    assert np.mean((X @ w1 @ w2 - targets) ** 2) == pytest.approx(5.23348, abs=5e-6)


def assert_normal(points, mean, deviation):
    """Compare with mean and deviation, to within four standard errors of each."""
    error = deviation / points.size**0.5
    assert points.mean() == pytest.approx(mean, abs=4 * error)
    assert points.std() == pytest.approx(deviation, abs=4 * error / 2**0.5)


def test_points_of_source_4():
    X, targets = zip(*(datasets.regression_points(seed) for seed in range(200)), strict=True)
    np.testing.assert_array_equal(targets, np.full((200, 100, 1), 10.0), strict=True)
    assert np.shape(X) == (200, 100, 1)
    assert_normal(np.array(X), 1, 0.1)

    X, targets = datasets.classification_points(3, sizes=(40_000, 10_000))
    np.testing.assert_array_equal(targets, [[0.0]] * 40_000 + [[1.0]] * 10_000, strict=True)
    assert X.shape == (50_000, 1)
    assert_normal(X[:40_000], -1, 1)
    assert_normal(X[40_000:], 3, 1)
    assert [len(a) for a in datasets.classification_points(0)] == [100, 100]
    with pytest.raises(ValueError, match=r"sizes: expected two numbers, one per class, got \[50\]"):
        datasets.classification_points(0, sizes=(50,))
    for points in (datasets.regression_points, datasets.classification_points):
        np.testing.assert_array_equal(points(1)[0], points(1)[0])
        assert (points(1)[0] != points(2)[0]).all()
