"""Chapter 4's errors of a difference, too long and too short a step."""

import math

import numpy as np
import pytest

from backprop.gradcheck import RELATIVE_STEP

EPSILON = float(np.finfo(np.float64).eps)


def forward_difference(f, x, h):
    return (f(x + h) - f(x)) / h


def central_difference(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


@pytest.mark.equation("forward-difference")
@pytest.mark.equation("truncation-error")
@pytest.mark.parametrize("h", [2.0**-7, 2.0**-10])
def test_truncation_errors(h):
    sin, cos = math.sin(0.75), math.cos(0.75)
    assert forward_difference(math.sin, 0.75, h) - cos == pytest.approx(h * -sin / 2, rel=0.01)
    assert central_difference(math.sin, 0.75, h) - cos == pytest.approx(h**2 * -cos / 6, rel=0.01)


@pytest.mark.equation("forward-difference")
@pytest.mark.equation("rounding-error")
@pytest.mark.parametrize("power", [-37, -40, -43])
@pytest.mark.parametrize("difference", [forward_difference, central_difference])
def test_rounding_errors(difference, power):
    # Steps and points are few binary digits long, so that x + h and x - h are exact.
    h, x = 2.0**power, np.arange(33, 64) / 64
    share = np.abs(difference(np.sin, x, h) - np.cos(x)) * h / (EPSILON * np.sin(x))
    limit = 2 if difference is forward_difference else 1
    assert 0.05 * limit < share.max() <= limit  # NumPy's sine is off by up to a unit, not a half


@pytest.mark.equation("best-step")
@pytest.mark.parametrize("k", [1, 30])
def test_steps_far_from_the_best_are_worse(k):
    x = np.linspace(0.7, 0.9, 100) / k  # where the third derivative is near -k³ f

    def worst(h):
        error = central_difference(lambda x: np.sin(k * x), x, h) - k * np.cos(k * x)
        return np.abs(error).max() / k

    best = (3 * EPSILON / k**3) ** (1 / 3)
    assert worst(RELATIVE_STEP / k) < 2 * worst(best) < 2e-10  # it leaves out the 3
    assert all(worst(factor * best) > 3 * worst(best) for factor in [1e-2, 0.1, 10, 100])
