"""Accuracy."""

import math

import numpy as np
import pytest

from backprop.activations import softmax
from backprop.metrics import accuracy


def test_accuracy_is_a_share():
    T = np.eye(3)[[0, 1, 2, 2]]
    outputs = np.array([[5.0, 4, 0], [0, -1, -2], [-9, -8, -7], [0, 0, 1e-9]])
    assert accuracy(outputs, T) == accuracy(softmax(outputs), T) == 0.75
    assert accuracy(outputs.astype(np.float32), T) == 0.75  # the targets may be of another dtype
    assert type(accuracy(outputs, T)) is float


@pytest.mark.parametrize(
    ("outputs", "T", "message"),
    [
        (np.ones((4, 1)), np.ones((4, 1)), "outputs: expected a column for each of two classes"),
        (np.ones((4, 3)), np.ones(4), r"T: expected shape \(4, 3\), got \(4,\)"),
        (np.ones((4, 3)), np.ones((4, 2)), r"T: expected shape \(4, 3\), got \(4, 2\)"),
        (np.full((4, 3), np.nan), np.ones((4, 3)), "outputs: expected finite numbers, got nan"),
    ],
)
def test_what_has_no_accuracy_is_refused(outputs, T, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        accuracy(outputs, T)


@pytest.mark.equation("accuracy-deviation")
@pytest.mark.parametrize("p", [0.1, 0.5, 0.98])
def test_deviation_of_an_accuracy(p):
    n = 12  # small enough to sum over all outcomes
    outcomes = [(k / n, math.comb(n, k) * p**k * (1 - p) ** (n - k)) for k in range(n + 1)]
    mean = sum(share * chance for share, chance in outcomes)
    variance = sum((share - mean) ** 2 * chance for share, chance in outcomes)
    assert math.sqrt(variance) == pytest.approx(math.sqrt(p * (1 - p) / n), rel=1e-12)
