"""Chapter 10's formula of the speed-up, beside the time of rounds that are added up."""

import pytest

P, c, F, B = 266_610, 4, 1.6e11, 1.25e8


@pytest.mark.equation("speed-up")
@pytest.mark.parametrize("K", [1, 2, 8, 100])
@pytest.mark.parametrize("N", [100, 8192])
def test_the_speed_up_is_that_of_arithmetic_shared_and_pieces_sent(K, N):
    one = 6 * N * P / F
    sending = sum(c * P / K / B for _ in range(2 * (K - 1)))
    R = 3 * N * B / (c * F)
    S = K / (1 + (K - 1) / R)
    assert pytest.approx(one / (one / K + sending), rel=1e-12) == S
