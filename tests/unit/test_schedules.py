"""Learning-rate schedules, against closed forms and against what they are for."""

import math
import pickle

import numpy as np
import pytest

from backprop.schedules import (
    CosineDecay,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    PiecewiseConstantDecay,
)

TIMES = [0, 1, 4, 10, 19, 20, 33]


@pytest.mark.equation("exponential-decay")
@pytest.mark.parametrize("factor", [0.7, 1.0, 1.3])  # the rate may grow
def test_exponential_decay_is_its_formula(factor):
    rates = [0.3 * math.exp(math.log(factor) * t / 10) for t in TIMES]
    assert list(map(ExponentialDecay(0.3, 10, factor), TIMES)) == pytest.approx(rates, rel=1e-14)


@pytest.mark.equation("inverse-time-decay")
@pytest.mark.parametrize("factor", [0.0, 0.7, 3.0])
def test_inverse_time_decay_is_its_formula(factor):
    schedule = InverseTimeDecay(0.3, 10, factor)
    inverse = [1 / 0.3 + t * factor / (10 * 0.3) for t in TIMES]
    assert [1 / schedule(t) for t in TIMES] == pytest.approx(inverse, rel=1e-14)


@pytest.mark.equation("cosine-decay")
def test_cosine_decay_is_its_formula():
    # (1 + cos 2x) / 2 = cos² x. The absolute error is that of π, where the cosine is zero.
    rates = [0.3 * math.cos(math.pi * min(t, 20) / 40) ** 2 for t in TIMES]
    assert list(map(CosineDecay(0.3, 20), TIMES)) == pytest.approx(rates, abs=1e-16)


@pytest.mark.parametrize("first", [0.0, 0.1, 0.5])
def test_a_warm_up_is_a_line_to_where_the_cosine_begins(first):
    schedule, cosine = (
        CosineDecay(first, 20, warmup_target=0.3, warmup_steps=5),
        CosineDecay(0.3, 20),
    )
    for t in range(30):
        expected = (5 - t) / 5 * first + t / 5 * 0.3 if t < 5 else cosine(t - 5)
        assert schedule(t) == pytest.approx(expected, rel=1e-15)
    assert CosineDecay(0.1, 20, warmup_target=0.3)(0) == 0.3  # a warm-up of no updates
    with pytest.raises(TypeError):  # Keras's third is another one
        CosineDecay(0.1, 20, 0.3)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (PiecewiseConstantDecay([2, 3], [0.5, 0.4, 0.3]), [0.5, 0.5, 0.5, 0.4, 0.3, 0.3, 0.3]),
        (PiecewiseConstantDecay([0], [0.5, 0.4]), [0.5, 0.4, 0.4]),
        (PiecewiseConstantDecay([], [0.5]), [0.5, 0.5]),
        (ExponentialDecay(0.5, 2, 0.25), [0.5, 0.25, 0.125]),
        (ExponentialDecay(0.5, 2, 4.0), [0.5, 1, 2, 4, 8]),
        (ExponentialDecay(0.5, 2, 0.0), [0.5, 0, 0]),
        (InverseTimeDecay(0.5, 2, 2.0), [0.5, 0.25, 1 / 6, 0.125]),
        (CosineDecay(0.5, 2), [0.5, 0.25, 0, 0, 0]),
        (CosineDecay(0.0, 2, warmup_target=0.5, warmup_steps=2), [0, 0.25, 0.5, 0.25, 0, 0]),
    ],
)
def test_rates_in_round_numbers(schedule, rates):
    assert [schedule(t) for t in range(len(rates))] == pytest.approx(rates, abs=1e-16)
    assert [schedule(np.int64(t)) for t in range(len(rates))] == pytest.approx(rates, abs=1e-16)


def test_schedules_are_values():
    for make, other in [
        (lambda: PiecewiseConstantDecay([3, 7], [0.5, 0.3, 0.1]), [([3, 8], [0.5, 0.3, 0.1])]),
        (lambda: PiecewiseConstantDecay(np.array([3]), np.ones(2)), [((3,), (1.0, 2.0))]),
        (lambda: ExponentialDecay(0.1, 10, 0.7), [(0.2, 10, 0.7), (0.1, 9, 0.7), (0.1, 10, 1)]),
        (lambda: InverseTimeDecay(0.1, 10, 0.7), [(0.2, 10, 0.7), (0.1, 9, 0.7), (0.1, 10, 1)]),
        (lambda: CosineDecay(0.1, np.int64(10)), [(0.2, 10), (0.1, 9)]),
    ]:
        schedule = make()
        assert schedule == make() == pickle.loads(pickle.dumps(schedule))
        assert hash(schedule) == hash(make())
        assert all(schedule != type(schedule)(*arguments) for arguments in other)
        with pytest.raises(AttributeError, match="cannot assign"):
            schedule.decay_steps = 5
    assert ExponentialDecay(0.1, 10, 0.7) != InverseTimeDecay(0.1, 10, 0.7)
    assert repr(CosineDecay(0.1, 10)) == (
        "CosineDecay(initial_learning_rate=0.1, decay_steps=10, warmup_target=None, warmup_steps=0)"
    )


def test_what_a_list_holds_is_copied():
    values = [0.5, 0.25]
    schedule = PiecewiseConstantDecay([3], values)
    values[0] = 7
    assert schedule(0) == 0.5
    with pytest.raises(NotImplementedError):
        LearningRateSchedule()(0)


DECAYS = [ExponentialDecay, InverseTimeDecay]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PiecewiseConstantDecay([3, 7], [0.5, 0.2]), "values: expected 3, got 2"),
        (lambda: PiecewiseConstantDecay([3], [0.5, 0.2, 0.1]), "values: expected 2, got 3"),
        (lambda: PiecewiseConstantDecay([], []), "values: expected 1, got 0"),
        (lambda: PiecewiseConstantDecay([7, 3], [1, 2, 3]), r"boundaries: .* got \[7, 3\]"),
        (lambda: PiecewiseConstantDecay([3, 3], [1, 2, 3]), r"boundaries: .* got \[3, 3\]"),
        (lambda: PiecewiseConstantDecay([2.5], [1, 2]), r"boundaries\[0\]: .* whole number"),
        (lambda: PiecewiseConstantDecay([-1], [1, 2]), r"boundaries\[0\]: .* at least 0, got -1"),
        (lambda: PiecewiseConstantDecay([3], [1, -2]), r"values\[1\]: .* at least 0, got -2"),
        *[(lambda d=d: d(-0.1, 5, 0.5), "initial_learning_rate: .* got -0.1") for d in DECAYS],
        *[(lambda d=d: d(0.1, 0, 0.5), "decay_steps: .* at least 1, got 0") for d in DECAYS],
        *[(lambda d=d: d(0.1, 2.5, 0.5), "decay_steps: .* whole number") for d in DECAYS],
        *[(lambda d=d: d(0.1, 5, math.nan), "decay_rate: .* got nan") for d in DECAYS],
        (lambda: CosineDecay(math.inf, 5), "initial_learning_rate: .* got inf"),
        (lambda: CosineDecay(0.1, 0), "decay_steps: .* at least 1, got 0"),
        (lambda: CosineDecay(0.1, 5, warmup_steps=2), "warmup_target: .* got None"),
        (lambda: CosineDecay(0.1, 5, warmup_target=-1), "warmup_target: .* got -1"),
        (lambda: CosineDecay(0, 5, warmup_target=1, warmup_steps=-1), "warmup_steps: .* got -1"),
    ],
)
def test_bad_schedules_are_refused(make, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make()
