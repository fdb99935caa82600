"""Chapter 10's formulas of communication and arithmetic, beside rounds that are added up."""

from itertools import pairwise

import pytest

P, c, F, B = 266_610, 4, 5e10, 1.25e8


def ring_seconds(K, latency=0.0):
    """Send the pieces of a vector round, one round after the other, and add up the time."""
    return sum(latency + c * P / K / B for _ in range(2 * (K - 1)))


@pytest.mark.equation("ring-time")
@pytest.mark.equation("equal-times")
@pytest.mark.parametrize("K", [2, 8, 100])
def test_time_of_a_ring_and_the_batch_that_takes_equally_long(K):
    a = 3e-5
    assert 2 * (K - 1) * (a + c * P / (K * B)) == pytest.approx(ring_seconds(K, a), rel=1e-12)
    n = (K - 1) / K * c * F / (3 * B)
    assert 6 * n * P / F == pytest.approx(ring_seconds(K), rel=1e-12)


@pytest.mark.equation("step-operations")
def test_operations_of_a_step():
    sizes, n = (7, 5, 3), 4
    count = 0
    for D, H in pairwise(sizes):
        # Z = X W, dW = Xᵀ delta, dX = delta Wᵀ: of every product, a multiplication and an addition
        for rows, inner, columns in ((n, D, H), (D, n, H), (n, H, D)):
            count += 2 * rows * inner * columns
    assert count == 6 * n * (7 * 5 + 5 * 3)


@pytest.mark.equation("speed-up-limit")
@pytest.mark.equation("speed-up-at-all")
@pytest.mark.parametrize("ratio", [0.999, 1.001, 100])
def test_a_speed_up_has_a_limit_and_is_none_below_one(ratio):
    N = ratio * c * F / (3 * B)
    limit, one = 3 * N * B / (c * F), 6 * N * P / F
    speed_ups = [one / (one / K + ring_seconds(K)) for K in (1, 2, 8, 1000, 10_000)]
    assert speed_ups[0] == pytest.approx(1)
    assert speed_ups == sorted(speed_ups, reverse=ratio < 1)
    assert speed_ups[-1] == pytest.approx(limit, rel=0.01)
    assert (speed_ups[-1] < limit) == (ratio > 1)


@pytest.mark.equation("speed-up")
@pytest.mark.parametrize("K", [1, 2, 8, 100])
@pytest.mark.parametrize("N", [100, 8192])
def test_the_speed_up_is_that_of_arithmetic_shared_and_pieces_sent(K, N):
    one, R = 6 * N * P / F, 3 * N * B / (c * F)
    S = K / (1 + (K - 1) / R)
    assert pytest.approx(one / (one / K + ring_seconds(K)), rel=1e-12) == S
