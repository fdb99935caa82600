"""Accuracy."""

import math

import numpy as np
import pytest

from backprop.metrics import accuracy


def test_accuracy_is_a_share():
    outputs = np.array([[5.0, 4, 0], [0, -1, -2], [-9, -8, -7], [0, 0, 1e-9]], np.float32)
    share = accuracy(outputs, np.eye(3)[[0, 1, 2, 2]])  # the targets may be of another dtype
    assert (type(share), share) == (float, 0.75)
    with pytest.raises(ValueError, match=r"^outputs: expected a column for each .*, got \(4, 1\)$"):
        accuracy(np.ones((4, 1)), np.ones((4, 1)))
    with pytest.raises(ValueError, match=r"^T: expected shape \(4, 3\), got \(4, 2\)$"):
        accuracy(np.ones((4, 3)), np.ones((4, 2)))


@pytest.mark.equation("accuracy-deviation")
@pytest.mark.parametrize("p", [0.1, 0.5, 0.98])
def test_deviation_of_an_accuracy(p):
    n = 12  # small enough to sum over all outcomes
    outcomes = [(k / n, math.comb(n, k) * p**k * (1 - p) ** (n - k)) for k in range(n + 1)]
    mean = sum(share * chance for share, chance in outcomes)
    variance = sum((share - mean) ** 2 * chance for share, chance in outcomes)
    assert math.sqrt(variance) == pytest.approx(math.sqrt(p * (1 - p) / n), rel=1e-12)
