"""Learning-rate schedules, against closed forms and against what they are for."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop import schedules

FALLING = [schedules.exponential_decay, schedules.inverse_time_decay]


# The book's equations


@pytest.mark.equation("exponential-decay")
@pytest.mark.parametrize("t", [0, 1, 4, 10, 33])
def test_exponential_decay_is_its_formula(t):
    schedule = schedules.exponential_decay(0.3, 10, 0.7)
    assert schedule(t) == pytest.approx(0.3 * math.exp(math.log(0.7) * t / 10), rel=1e-14)


@pytest.mark.equation("inverse-time-decay")
@pytest.mark.parametrize("t", [0, 1, 4, 10, 33])
def test_inverse_time_decay_is_its_formula(t):
    schedule = schedules.inverse_time_decay(0.3, 10, 0.7)
    assert 1 / schedule(t) == pytest.approx(1 / 0.3 + t * 0.7 / (10 * 0.3), rel=1e-14)


@pytest.mark.equation("cosine-decay")
@pytest.mark.parametrize("t", [0, 1, 4, 10, 19, 20])
def test_cosine_decay_is_its_formula(t):
    # (1 + cos 2x) / 2 = cos² x. The absolute error is that of π, where the cosine is zero.
    schedule = schedules.cosine_decay(0.3, 20)
    assert schedule(t) == pytest.approx(0.3 * math.cos(math.pi * t / 40) ** 2, abs=1e-16)


@pytest.mark.equation("cosine-decay")
@pytest.mark.parametrize("t", range(30))
def test_cosine_decay_after_a_warm_up(t):
    schedule = schedules.cosine_decay(0.3, 20, warmup_steps=5)
    expected = 0.3 * t / 5 if t < 5 else schedules.cosine_decay(0.3, 20)(t - 5)
    assert schedule(t) == pytest.approx(expected, rel=1e-15)


# What they are for


def test_piecewise_constant_changes_after_its_boundaries():
    schedule = schedules.piecewise_constant([2, 3, 6], [0.5, 0.4, 0.3, 0.2])
    rates = [schedule(t) for t in range(9)]
    assert rates == [0.5, 0.5, 0.5, 0.4, 0.3, 0.3, 0.3, 0.2, 0.2]


def test_piecewise_constant_without_boundaries_is_constant():
    schedule = schedules.piecewise_constant([], [0.5])
    assert [schedule(t) for t in (0, 1, 100)] == [0.5] * 3


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (schedules.exponential_decay(0.5, 4, 0.25), {0: 0.5, 2: 0.25, 4: 0.125, 8: 0.03125}),
        (schedules.inverse_time_decay(0.5, 4, 3.0), {0: 0.5, 4: 0.125, 20: 0.03125}),
        (schedules.cosine_decay(0.5, 4), {0: 0.5, 2: 0.25, 4: 0, 5: 0, 100: 0}),
        (schedules.cosine_decay(0.5, 4, 2), {0: 0, 1: 0.25, 2: 0.5, 4: 0.25, 6: 0, 100: 0}),
        (schedules.cosine_decay(0.5, 1, 1), {0: 0, 1: 0.5, 2: 0, 3: 0}),
    ],
)
def test_rates_in_round_numbers(schedule, rates):
    assert {t: schedule(t) for t in rates} == pytest.approx(rates, abs=1e-16)


@pytest.mark.parametrize("make", FALLING)
@given(st.floats(1e-3, 10), st.integers(1, 1000), st.floats(0.01, 0.99), st.integers(0, 100))
def test_decays_start_at_the_initial_rate_and_fall(make, initial, steps, decay, t):
    schedule = make(initial, steps, decay)
    assert schedule(0) == initial
    assert 0 < schedule(t + 1) < schedule(t) <= initial


@given(st.integers(1, 100), st.integers(0, 100), st.integers(0, 200))
def test_cosine_decay_rises_once_and_falls_once(steps, warmup, t):
    schedule = schedules.cosine_decay(0.3, steps, warmup)
    assert 0 <= schedule(t) <= schedule(warmup) == 0.3
    change = schedule(t + 1) - schedule(t)
    if t < warmup:
        assert change == pytest.approx(0.3 / warmup, rel=1e-9)
    elif t < warmup + steps:
        assert change < 0
    else:
        assert schedule(t) == schedule(t + 1) == 0


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.piecewise_constant([3], [0.5, 0.25]),
        schedules.exponential_decay(0.3, np.int64(10), 0.7),
        schedules.inverse_time_decay(0.3, np.int64(10), 0.7),
        schedules.cosine_decay(0.3, np.int64(10), np.int64(2)),
    ],
)
def test_counts_may_be_numpys(schedule):
    assert [schedule(np.int64(t)) for t in range(20)] == [schedule(t) for t in range(20)]


# Bad input


@pytest.mark.parametrize(
    ("boundaries", "values", "message"),
    [
        ([3, 7], [0.5, 0.25], "values: expected 3, got 2"),
        ([3, 7], [0.5, 0.25, 0.1, 0.05], "values: expected 3, got 4"),
        ([], [], "values: expected 1, got 0"),
        ([7, 3], [0.5, 0.25, 0.1], r"boundaries: expected increasing numbers, got \[7, 3\]"),
        ([3, 3], [0.5, 0.25, 0.1], r"boundaries: expected increasing numbers, got \[3, 3\]"),
    ],
)
def test_bad_pieces_are_refused(boundaries, values, message):
    with pytest.raises(ValueError, match=message):
        schedules.piecewise_constant(boundaries, values)


@pytest.mark.parametrize(
    "make", [*FALLING, lambda initial, steps, _: schedules.cosine_decay(1, steps)]
)
@pytest.mark.parametrize("steps", [0, -1, 2.0, True, None])
def test_decay_steps_are_a_positive_whole_number(make, steps):
    message = f"decay_steps: expected a whole number of at least 1, got {steps}"
    with pytest.raises(ValueError, match=message):
        make(0.1, steps, 0.5)


@pytest.mark.parametrize("steps", [-1, 2.0, True])
def test_warm_up_steps_are_a_whole_number(steps):
    message = f"warmup_steps: expected a whole number of at least 0, got {steps}"
    with pytest.raises(ValueError, match=message):
        schedules.cosine_decay(0.1, 10, steps)


@pytest.mark.parametrize("make", [schedules.exponential_decay, schedules.inverse_time_decay])
@pytest.mark.parametrize("bad", [-0.1, np.nan, np.inf])
def test_rates_out_of_range_are_named(make, bad):
    with pytest.raises(ValueError, match=f"^initial_learning_rate: .* got {bad}"):
        make(bad, 10, 0.5)
    with pytest.raises(ValueError, match=f"^decay_rate: .* got {bad}"):
        make(0.1, 10, bad)
    with pytest.raises(ValueError, match=f"^initial_learning_rate: .* got {bad}"):
        schedules.cosine_decay(bad, 10)
