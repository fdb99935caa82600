"""The data sets hold what the course says, and damaged data is refused."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop import datasets


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


def refused(path, what):
    """Expect `mnist()` to name the file, what is wrong with it, and how to restore it."""
    with pytest.raises(ValueError, match=what) as caught:
        datasets.mnist()
    message = str(caught.value)
    assert str(path) in message
    assert "git checkout -- code/backprop/data/mnist.npz" in message
    assert "reinstall" in message


def saved(path, **changed):
    """Replace arrays of the MNIST file at `path` and write it anew as a sound archive."""
    with np.load(path) as file:
        arrays = dict(file)
    arrays.update({name: change(arrays) for name, change in changed.items()})
    np.savez(path, **arrays)


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


def test_mnist_gives_new_arrays_that_the_caller_may_change(copy, digits):
    first = datasets.mnist()
    first.X_test[:] = 7
    first.y_test[:] = 7
    second = datasets.mnist()
    np.testing.assert_array_equal(second.X_test, digits.X_test)
    np.testing.assert_array_equal(second.y_test, digits.y_test)


def test_import_reads_no_data_and_draws_nothing():
    program = """
import builtins, sys
import numpy
opened = []
sys.addaudithook(lambda event, a: event == "open" and opened.append(str(a[0])))
import backprop.datasets
assert not any(name.endswith(".npz") for name in opened), opened
assert "matplotlib" not in sys.modules
assert "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


# MNIST: damage


def test_missing_file_is_refused(copy):
    copy.unlink()
    refused(copy, "the file is missing")


@pytest.mark.parametrize("keep", [0, 1, 100, 5_000_000, -1])
def test_truncated_file_is_refused(copy, keep):
    copy.write_bytes(copy.read_bytes()[:keep])
    refused(copy, "cannot be read")


@pytest.mark.parametrize("where", [0, 200, 5_000_000, 9_000_000, -10_000, -20])
def test_flipped_byte_is_refused(copy, where):
    data = bytearray(copy.read_bytes())
    data[where] ^= 0xFF
    copy.write_bytes(data)
    refused(copy, "cannot be read")


def test_another_file_is_refused(copy):
    copy.write_text("<html>404 Not Found</html>")
    refused(copy, "cannot be read")


def test_one_changed_pixel_in_a_sound_archive_is_refused(copy):
    def changed(arrays):
        arrays["train_images"][31415, 9, 2] ^= 1
        return arrays["train_images"]

    saved(copy, train_images=changed)
    refused(copy, "'train_images' does not have the SHA-256 sum")


@pytest.mark.parametrize("part", ["images", "labels"])
def test_swapped_train_and_test_arrays_are_refused(copy, part):
    train, test = f"train_{part}", f"test_{part}"
    with np.load(copy) as file:
        originals = {train: file[train], test: file[test]}
    swap = {train: lambda _: originals[test], test: lambda _: originals[train]}
    saved(copy, **swap)
    refused(copy, f"'{train}' holds uint8 \\(10000")


@pytest.mark.parametrize("name", list(datasets.MNIST_SHAPES))
def test_reordered_examples_are_refused(copy, name):
    saved(copy, **{name: lambda arrays: arrays[name][::-1]})
    refused(copy, f"'{name}' does not have the SHA-256 sum")


@pytest.mark.parametrize("name", list(datasets.MNIST_SHAPES))
def test_wrong_dtype_is_refused(copy, name):
    saved(copy, **{name: lambda arrays: arrays[name].astype(np.int16)})
    refused(copy, f"'{name}' holds int16")


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


def test_one_hot_takes_bytes():
    assert datasets.one_hot(np.array([255], np.uint8), 256)[0, 255] == 1


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ([], 3, r"labels: expected shape \(N,\) with at least one label, got \(0,\)"),
        ([[0, 1]], 3, r"labels: expected shape .* got \(1, 2\)"),
        (2, 3, r"labels: expected shape .* got \(\)"),
        ([0.0, 1.0], 3, "labels: expected integers, got float64"),
        ([True, False], 3, "labels: expected integers, got bool"),
        ([np.nan], 3, "labels: expected integers, got float64"),
        ([0, 3], 3, "labels: expected 0 to 2, got 0 to 3"),
        ([-1, 0], 3, "labels: expected 0 to 2, got -1 to 0"),
        ([0], 0, "classes: expected a whole number of at least 1, got 0"),
        ([0], 2.0, "classes: expected a whole number of at least 1, got 2.0"),
        ([0], True, "classes: expected a whole number of at least 1, got True"),
    ],
)
def test_one_hot_refuses(labels, classes, message):
    with pytest.raises(ValueError, match=message):
        datasets.one_hot(labels, classes)


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
    X, targets = datasets.classification_points(0)
    assert X.shape == targets.shape == (100, 1)
    assert targets[:50].sum() == 0
    assert targets[50:].sum() == 50


def test_classification_points_follow_sizes_and_deviations():
    X, targets = datasets.classification_points(3, sizes=(40_000, 10_000), deviations=(1, 2))
    zeros, ones = X[targets == 0], X[targets == 1]
    assert (len(zeros), len(ones)) == (40_000, 10_000)
    # Four standard errors.
    assert abs(zeros.mean() + 1) < 0.02
    assert abs(ones.mean() - 3) < 0.08
    assert abs(zeros.std() - 1) < 0.015
    assert abs(ones.std() - 2) < 0.06


@pytest.mark.parametrize("points", [datasets.regression_points, datasets.classification_points])
def test_seed_decides(points):
    np.testing.assert_array_equal(points(1)[0], points(1)[0])
    assert (points(1)[0] != points(2)[0]).all()
    for seed in (-1, 1.5, None):
        with pytest.raises(ValueError, match="seed: expected a whole number of at least 0"):
            points(seed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": (50,)}, r"sizes: expected two numbers, one per class, got \(50,\)"),
        ({"sizes": (0, 50)}, "sizes: expected a whole number of at least 1, got 0"),
        ({"sizes": (50, 2.5)}, "sizes: expected a whole number of at least 1, got 2.5"),
        ({"deviations": (1, 2, 3)}, r"deviations: expected two numbers, .* got \(1, 2, 3\)"),
        ({"deviations": (1, 0)}, "deviations: expected positive numbers, got 0"),
        ({"deviations": (np.nan, 1)}, "deviations: expected positive numbers, got nan"),
    ],
)
def test_classification_points_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        datasets.classification_points(0, **arguments)


# batches


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 9))
def test_batches_hold_each_example_once(n, batch_size, seed):
    parts = list(datasets.batches(n, batch_size, np.random.default_rng(seed)))
    assert all(len(part) == batch_size for part in parts[:-1])
    assert 1 <= len(parts[-1]) <= batch_size
    assert sorted(np.concatenate(parts)) == list(range(n))


def test_batches_are_shuffled_anew_by_the_generator():
    rng = np.random.default_rng(0)
    first, second = (np.concatenate(list(datasets.batches(100, 10, rng))) for _ in range(2))
    assert (first != np.arange(100)).any()
    assert (first != second).any()


@pytest.mark.parametrize(
    ("n", "batch_size", "rng", "message"),
    [
        (0, 10, np.random.default_rng(0), "n: expected a whole number of at least 1, got 0"),
        (10, 0, np.random.default_rng(0), "batch_size: expected a whole number of at least 1"),
        (10, 2.5, np.random.default_rng(0), "batch_size: expected a whole number of at least 1"),
        (10, 5, 0, r"rng: expected np\.random\.default_rng\(seed\), got 0"),
    ],
)
def test_batches_refuses_at_the_call(n, batch_size, rng, message):
    with pytest.raises(ValueError, match=message):
        datasets.batches(n, batch_size, rng)


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


@pytest.mark.parametrize("change", [lambda s: s[:-1], lambda s: s.replace(b"a", b"e", 1)])
def test_a_changed_book_is_refused(book, change):
    book.write_bytes(change(book.read_bytes()))
    with pytest.raises(ValueError, match="does not have the SHA-256 sum") as caught:
        datasets.book_text()
    assert "git checkout -- code/backprop/data/book.txt" in str(caught.value)


def test_a_missing_book_is_refused(book):
    book.unlink()
    with pytest.raises(ValueError, match="it cannot be read"):
        datasets.book_text()


# What the benchmarks found


def test_the_digit_reader_reads_as_well_as_the_results_say():
    reader, digits = datasets.digit_reader(), datasets.mnist()
    right = np.sum(reader.forward(digits.X_test)[-1].argmax(axis=1) == digits.y_test)
    runs = datasets.digits_results()["test"]["with augmentation"]["runs"]
    assert right == 10_000 - runs[0]["errors"]
    assert sum(p.size for p in reader.parameters) == 266_610


def test_results_keep_what_the_course_promises():
    results = datasets.digits_results()["test"]
    for name, least_mean, least in [
        ("with augmentation", 0.993, 0.992),
        ("without augmentation", 0.986, 0),
    ]:
        accuracies = [run["accuracy"] for run in results[name]["runs"]]
        assert len(accuracies) == 5
        assert np.mean(accuracies) >= least_mean
        assert min(accuracies) >= least


def test_speed_results_hold_both_thread_counts():
    runs = datasets.speed_results()
    assert {"SkylakeX", "Haswell"} <= set(runs)
    for run in runs.values():
        assert set(run["contenders"]) == set(run["steps"]) == {"1", "2"}
        assert {"sgd_step", "bare products", "Keras fit"} <= set(run["contenders"]["1"])


@pytest.mark.parametrize("loader", ["digits_results", "speed_results", "digit_reader"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_damaged_results_are_refused(loader, damage, tmp_path, monkeypatch):
    names = {
        "digits_results": "DIGITS_RESULTS_FILE",
        "speed_results": "SPEED_RESULTS_FILE",
        "digit_reader": "DIGITS_FILE",
    }
    file = copied(names[loader], tmp_path, monkeypatch)
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=f"git checkout -- code/backprop/data/{file.name}"):
        getattr(datasets, loader)()
