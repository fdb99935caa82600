"""The data sets hold what the course says, and damaged data is refused."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop import datasets, npz


@pytest.fixture(scope="module")
def digits():
    return datasets.mnist()


def copied(name, folder, monkeypatch):
    """Let `datasets` read a copy of the file with this name, which a test may damage."""
    path = Path(shutil.copy(getattr(datasets, name), folder))
    monkeypatch.setattr(datasets, name, path)
    return path


@pytest.fixture
def copy(tmp_path, monkeypatch):
    return copied("MNIST_FILE", tmp_path, monkeypatch)


# MNIST: what is in it


def test_mnist_shapes_types_and_range(digits):
    assert digits.X_train.shape == (60000, 784)
    assert digits.y_train.shape == (60000,)
    assert digits.X_test.shape == (10000, 784)
    assert digits.y_test.shape == (10000,)
    for X in (digits.X_train, digits.X_test):
        assert X.dtype == np.float32
        assert X.min() == 0
        assert X.max() == 1
    assert digits.y_train.dtype == digits.y_test.dtype == np.int64


def test_mnist_label_counts(digits):
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(digits.y_train).tolist() == train
    assert np.bincount(digits.y_test).tolist() == test


def test_mnist_pixels_are_bytes_divided_by_255(digits):
    with np.load(datasets.MNIST_FILE) as file:
        stored = file["test_images"].reshape(10000, 784)
    np.testing.assert_array_equal(np.rint(digits.X_test * 255), stored)


# MNIST: damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:5_000_000]), "cannot be read"),
        (lambda path: path.write_bytes(flipped(path.read_bytes(), 5_000_000)), "cannot be read"),
        (lambda path: path.write_text("<html>404 Not Found</html>"), "cannot be read"),
        (lambda path: rewrite(path, "test_labels", None), "test_labels does not have the SHA-256"),
        (lambda path: rewrite(path, "test_labels", lambda a: a[::-1]), "test_labels does not have"),
        (lambda path: rewrite(path, "test_labels", lambda a: a.astype("i2")), "test_labels does"),
        (lambda path: rewrite(path, "test_images", lambda a: a.reshape(-1, 784)), "test_images do"),
    ],
    ids=["missing", "cut", "a byte", "a page", "absent", "order", "dtype", "shape"],
)
def test_damaged_data_is_refused(copy, damage, message):
    damage(copy)
    with pytest.raises(ValueError, match=message) as caught:
        datasets.mnist()
    text = str(caught.value)
    assert str(copy) in text
    assert "git checkout -- code/backprop/data/mnist.npz" in text
    assert "reinstall" in text


def flipped(data, where):
    return data[:where] + bytes([data[where] ^ 0xFF]) + data[where + 1 :]


def rewrite(path, name, change):
    """Write the file at `path` anew as a sound archive with one array changed, or left out."""
    arrays = npz.read(path)
    array = arrays.pop(name)
    npz.write(path, **arrays, **({name: change(array)} if change else {}))


# Images of your own


def idx(kind, array):
    shape = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, kind, array.ndim]) + shape + array.tobytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("kind", "dtype"), [(8, ">u1"), (9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")]
)
def test_an_idx_file_of_every_type(tmp_path, kind, dtype, pack):
    array = np.arange(1, 25).reshape(2, 3, 4).astype(dtype)
    (tmp_path / "a").write_bytes(pack(idx(kind, array)))
    found = datasets.read_idx(tmp_path / "a")
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(found, array)
    found += 1  # the caller's to change


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "cannot be read"),
        (b"\x1f\x8b\x08\x00", "cannot be read"),
        (gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 1, 7]), mtime=0)[:-9], "cannot be read"),
        (b"", r"expected an IDX file, .* got \[\]"),
        (b"PK\x03\x04", r"expected an IDX file, .* got \[80, 75, 3, 4\]"),
        (bytes([0, 0, 7, 1, 0, 0, 0, 0]), r"expected an IDX file, .* got \[0, 0, 7, 1\]"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2]), r"expected 3 numbers of 1 bytes .* got 2 bytes"),
        (bytes([0, 0, 11, 1, 0, 0, 0, 1, 1, 2, 3]), r"expected 1 numbers of 2 bytes .* got 3"),
    ],
)
def test_what_is_no_idx_file_is_refused(tmp_path, data, message):
    if data is not None:
        (tmp_path / "a").write_bytes(data)
    with pytest.raises(ValueError, match=f"a: {message}"):
        datasets.read_idx(tmp_path / "a")


def test_own_images_come_as_mnist_does(tmp_path, digits):
    arrays = npz.read(datasets.MNIST_FILE)
    for name in ("images", "labels"):
        (tmp_path / name).write_bytes(idx(8, arrays[f"test_{name}"]))
    X, y = datasets.image_set(tmp_path / "images", tmp_path / "labels")
    np.testing.assert_array_equal(X, digits.X_test, strict=True)
    np.testing.assert_array_equal(y, digits.y_test, strict=True)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.ones(3, "u1"), np.ones((3, 2, 2), "u1"), r"images: .* got uint8 \(3,\); .* swapped"),
        (np.ones((3, 2, 2), ">f4"), np.ones(3, "u1"), "images: expected bytes .* got float32"),
        (np.ones((3, 2, 2), "u1"), np.ones(2, "u1"), "labels: expected a label for each of 3"),
        (np.ones((3, 2, 2), "u1"), np.ones(3, ">f4"), "labels: expected a label .* got float32"),
    ],
)
def test_images_and_labels_belong_together(tmp_path, images, labels, message):
    for name, array in {"images": images, "labels": labels}.items():
        kind = 8 if array.dtype == np.uint8 else 13
        (tmp_path / name).write_bytes(idx(kind, array))
    with pytest.raises(ValueError, match=message):
        datasets.image_set(tmp_path / "images", tmp_path / "labels")


# one_hot


@given(
    st.integers(1, 12).flatmap(
        lambda k: st.tuples(st.lists(st.integers(0, k - 1), min_size=1, max_size=30), st.just(k))
    )
)
def test_one_hot_has_its_only_1_at_the_label(case):
    labels, classes = case
    rows = datasets.one_hot(labels, classes)
    assert rows.shape == (len(labels), classes)
    assert rows.dtype == np.float64
    assert rows.argmax(axis=1).tolist() == labels
    assert np.count_nonzero(rows) == rows.sum() == len(labels)


@pytest.mark.parametrize(("labels", "got"), [([0, 3], "0 to 3"), ([-1, 0], "-1 to 0")])
def test_labels_without_a_column_are_refused(labels, got):
    with pytest.raises(ValueError, match=f"labels: expected 0 to 2, got {got}"):
        datasets.one_hot(labels, 3)


# The sources' small sets


def test_toy_points_are_those_of_source_2():
    X, targets = datasets.toy_points()
    assert X.shape == (32, 2)
    assert targets.shape == (32, 1)
    assert X.dtype == targets.dtype == np.float64
    np.testing.assert_allclose(X[0], [0.83494319, 0.11482951], atol=5e-9)
    assert targets.sum() == 18
    np.testing.assert_array_equal(targets[:, 0] == 1, X[:, 0] + X[:, 1] < 1)


def test_toy_weights_are_those_of_source_2():
    w1, w2 = datasets.toy_weights()
    assert w1.shape == (2, 3)
    assert w2.shape == (3, 1)
    assert w1.dtype == w2.dtype == np.float64
    np.testing.assert_array_equal(w2[:, 0], w1[0])
    # The loss that these weights have in chapter 1.
    X, targets = datasets.toy_points()
    assert np.mean((X @ w1 @ w2 - targets) ** 2) == pytest.approx(5.23348, abs=5e-6)


def test_regression_points():
    X, targets = datasets.regression_points(0)
    assert X.shape == targets.shape == (100, 1)
    assert set(targets.flat) == {10.0}
    many = np.concatenate([datasets.regression_points(seed)[0] for seed in range(200)])
    # Four standard errors around mean 1 and deviation 0.1 of 20,000 numbers.
    assert abs(many.mean() - 1) < 0.003
    assert abs(many.std() - 0.1) < 0.002


def test_classification_points():
    X, targets = datasets.classification_points(3, sizes=(40_000, 10_000))
    zeros, ones = X[targets == 0], X[targets == 1]
    assert X.shape == targets.shape == (50_000, 1)
    assert (len(zeros), len(ones)) == (40_000, 10_000)
    assert not targets[:40_000].any()
    for points, mean in [(zeros, -1), (ones, 3)]:
        assert points.mean() == pytest.approx(mean, abs=4 / len(points) ** 0.5)  # standard errors
        assert points.std() == pytest.approx(1, abs=4 / (2 * len(points)) ** 0.5)
    with pytest.raises(ValueError, match=r"sizes: expected two numbers, one per class, got \[50\]"):
        datasets.classification_points(0, sizes=(50,))


@pytest.mark.parametrize("points", [datasets.regression_points, datasets.classification_points])
def test_seed_decides(points):
    np.testing.assert_array_equal(points(1)[0], points(1)[0])
    assert (points(1)[0] != points(2)[0]).all()


# The book's own prose


@pytest.fixture
def book(tmp_path, monkeypatch):
    return copied("BOOK_FILE", tmp_path, monkeypatch)


def test_book_text_is_plain_prose():
    text = datasets.book_text()
    assert len(text) == 78_188
    assert len(set(text)) == 77
    assert text.isascii()
    assert text.count("gradient") > 100
    assert not set(text) & set("$\\{}|<>")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "it cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "does not have the SHA-256 sum"),
    ],
    ids=["missing", "cut"],
)
def test_a_changed_book_is_refused(book, damage, message):
    damage(book)
    with pytest.raises(ValueError, match=message) as caught:
        datasets.book_text()
    assert "git checkout -- code/backprop/data/book.txt" in str(caught.value)
