"""Chapter 8's deviation of the difference between two networks on the same images."""

import math
from itertools import product

import numpy as np
import pytest


def deviation(b, c, n):
    return math.sqrt(b + c - (b - c) ** 2 / n) / n


@pytest.mark.equation("discordant-deviation")
def test_deviation_is_that_of_the_mean_of_the_differences():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 500)) < [[0.9], [0.8]]
    d = first.astype(int) - second
    b, c = np.sum(first & ~second), np.sum(second & ~first)
    assert np.mean(d) == pytest.approx((b - c) / 500, rel=1e-12)
    assert deviation(b, c, 500) == pytest.approx(np.std(d) / math.sqrt(500), rel=1e-12)


@pytest.mark.equation("discordant-deviation")
@pytest.mark.parametrize(("b", "c"), [(0, 0), (3, 0), (2, 3)])
def test_deviation_over_all_samples_of_the_same_images(b, c):
    n = 5  # small enough to draw every sample of five of the images, with repetition
    d = [1] * b + [-1] * c + [0] * (n - b - c)
    means = [sum(sample) / n for sample in product(d, repeat=n)]
    assert deviation(b, c, n) == pytest.approx(np.std(means), rel=1e-12)


def test_deviation_is_at_most_that_of_all_mistakes():
    for shared in range(64):
        assert deviation(64 - shared, 63 - shared, 10_000) <= math.sqrt(63 + 64) / 10_000
    assert 10_000 * deviation(24, 23, 10_000) == pytest.approx(6.9, abs=0.05)
