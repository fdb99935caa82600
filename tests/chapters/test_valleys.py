"""Chapter 5's valleys: the best rates against a search; and what its 32 points allow."""

import itertools

import numpy as np
import pytest

from backprop import datasets
from backprop.optimizers import Momentum

VALLEYS = [(1.0, 20.0), (0.3, 2.0), (5.0, 600.0)]


def slowest(rate, momentum, curvatures):
    """Return the factor of a step: the largest eigenvalue of the map of position and velocity."""
    maps = [
        [[1 - rate * curvature, momentum], [-rate * curvature, momentum]]
        for curvature in curvatures
    ]
    return np.abs(np.linalg.eigvals(maps)).max()


@pytest.mark.equation("best-rate")
@pytest.mark.parametrize(("low", "high"), VALLEYS)
def test_no_rate_of_descent_beats_the_best(low, high):
    curvatures, kappa = np.linspace(low, high, 9), high / low
    best, factor = 2 / (low + high), (kappa - 1) / (kappa + 1)
    assert slowest(best, 0, curvatures) == pytest.approx(factor, rel=1e-12)
    for share in (*np.linspace(0.01, 0.999, 50), *np.linspace(1.001, 2, 50)):
        assert slowest(share * best, 0, curvatures) > factor


@pytest.mark.equation("best-momentum")
@pytest.mark.parametrize(("low", "high"), VALLEYS)
def test_no_rate_and_momentum_beat_the_best(low, high):
    curvatures, kappa = np.linspace(low, high, 9), high / low
    best, factor = (2 / (low**0.5 + high**0.5)) ** 2, (kappa**0.5 - 1) / (kappa**0.5 + 1)
    # At both ends of the valley the roots coincide, and there half of the digits are lost.
    assert slowest(best, factor**2, curvatures) == pytest.approx(factor, rel=1e-6)
    rates, momenta = best * np.linspace(0.01, 3, 80), np.linspace(0, 0.999, 80)
    for rate, momentum in itertools.product(rates, momenta):
        assert slowest(rate, momentum, curvatures) > factor - 1e-6


@pytest.mark.equation("least-squares-floor")
def test_no_linear_network_gets_below_least_squares():
    X, T = datasets.toy_points()
    floor = np.mean((X @ np.linalg.solve(X.T @ X, X.T @ T) - T) ** 2)
    assert round(floor, 8) == 0.38356051
    rng, optimizer = np.random.default_rng(0), Momentum(0.05)
    W1, W2 = rng.normal(size=(2, 3)), rng.normal(size=(3, 1))
    for _ in range(1500):
        error = X @ W1 @ W2 - T
        assert np.mean(error**2) > floor - 1e-15
        delta = 2 * error / len(X)
        optimizer.step([W1, W2], [X.T @ delta @ W2.T, (X @ W1).T @ delta])
    assert np.mean(error**2) == pytest.approx(floor, rel=1e-9)
