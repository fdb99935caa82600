"""Learning-rate schedules against closed forms, round numbers and Keras's."""

import math
import pickle

import numpy as np
import pytest

from backprop import schedules
from backprop.schedules import (
    CosineDecay,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
)


@pytest.mark.equation("exponential-decay")
@pytest.mark.equation("inverse-time-decay")
@pytest.mark.equation("cosine-decay")
@pytest.mark.parametrize("t", [0, 1, 4, 10, 19, 20, 33])
@pytest.mark.parametrize("factor", [0.7, 1.0, 1.3])  # the rate may grow
def test_decays_are_their_formulas(factor, t):
    exponential, inverse = ExponentialDecay(0.3, 10, factor), InverseTimeDecay(0.3, 10, factor)
    assert exponential(t) == pytest.approx(0.3 * math.exp(math.log(factor) * t / 10), rel=1e-14)
    assert 1 / inverse(t) == pytest.approx(1 / 0.3 + t * factor / (10 * 0.3), rel=1e-14)
    # (1 + cos 2x) / 2 = cos² x. The absolute error is that of π, where the cosine is zero.
    cosine = 0.3 * math.cos(math.pi * min(t, 20) / 40) ** 2
    assert CosineDecay(0.3, 20)(t) == pytest.approx(cosine, abs=1e-16)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (PiecewiseConstantDecay([2, 3], [0.5, 0.4, 0.3]), [0.5, 0.5, 0.5, 0.4, 0.3, 0.3, 0.3]),
        (PiecewiseConstantDecay([0], [0.5, 0]), [0.5, 0, 0]),
        (PiecewiseConstantDecay([], [0.5]), [0.5, 0.5]),
        (ExponentialDecay(0.5, 2, 0.25), [0.5, 0.25, 0.125]),
        (ExponentialDecay(0.5, 1, 0.0), [0.5, 0, 0]),
        (InverseTimeDecay(0.5, 2, 2.0), [0.5, 0.25, 1 / 6, 0.125]),
        (InverseTimeDecay(0.5, 1, 0.0), [0.5, 0.5, 0.5]),
        (CosineDecay(0.5, 2), [0.5, 0.25, 0, 0, 0]),
        (CosineDecay(0.5, 1, warmup_target=0.25), [0.25, 0, 0]),  # a warm-up of no updates
        (CosineDecay(0.0, 2, warmup_target=0.5, warmup_steps=2), [0, 0.25, 0.5, 0.25, 0, 0]),
        (CosineDecay(0.5, 2, warmup_target=0, warmup_steps=2), [0.5, 0.25, 0, 0, 0, 0]),
    ],
)
def test_rates_in_round_numbers(schedule, rates):
    for whole in (int, np.int64):
        found = [schedule(whole(t)) for t in range(len(rates))]
        assert found == pytest.approx(rates, abs=1e-16)
    again = pickle.loads(pickle.dumps(schedule))
    assert (again, hash(again), repr(again)) == (schedule, hash(schedule), repr(schedule))
    with pytest.raises(AttributeError, match="cannot assign"):
        schedule.values = (1.0,)


def test_schedules_are_values_of_their_own():
    boundaries, values = np.array([3, 7]), [0.5, 0.25, 0]
    schedule = PiecewiseConstantDecay(boundaries, values)
    boundaries[0] = values[0] = 7
    assert schedule == PiecewiseConstantDecay((3, 7), (0.5, 0.25, 0)) != CosineDecay(0.5, 3)
    assert ExponentialDecay(0.1, 10, 0.7) != InverseTimeDecay(0.1, 10, 0.7)


ENDS = "boundaries: expected one fewer than values, increasing, got"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PiecewiseConstantDecay([3, 7], [0.5, 0.2]), rf"{ENDS} \[3, 7\]"),
        (lambda: PiecewiseConstantDecay([3], [0.5, 0.2, 0.1]), rf"{ENDS} \[3\]"),
        (lambda: PiecewiseConstantDecay([7, 3], [1, 2, 3]), rf"{ENDS} \[7, 3\]"),
        (lambda: PiecewiseConstantDecay([3, 3], [1, 2, 3]), rf"{ENDS} \[3, 3\]"),
        (lambda: PiecewiseConstantDecay([-1], [1, 2]), r"boundaries\[0\]: .* at least 0, got -1"),
        (lambda: CosineDecay(0.1, 5, warmup_steps=2), "warmup_target: .* got None"),
        (lambda: CosineDecay(math.inf, 5), "initial_learning_rate: .* got inf"),
    ],
)
def test_bad_schedules_are_refused(make, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make()
    with pytest.raises(TypeError):  # Keras's third argument is another one
        CosineDecay(0.1, 20, 0.3)
    with pytest.raises(TypeError, match="abstract"):
        schedules.LearningRateSchedule()


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("PiecewiseConstantDecay", {"boundaries": [3, 7], "values": [0.5, 0.25, 0.125]}),
        ("ExponentialDecay", {"decay_steps": 10, "decay_rate": 1.75}),
        ("InverseTimeDecay", {"decay_steps": 10, "decay_rate": 0.75}),
        ("CosineDecay", {"decay_steps": 20}),
        ("CosineDecay", {"decay_steps": 20, "warmup_target": 0.125, "warmup_steps": 5}),
    ],
)
def test_schedules_are_keras(name, arguments):
    tf = pytest.importorskip("backprop.tensorflow_twin").tf
    # Keras computes with the first rate's dtype and rounds the others to float32, which changes
    # numbers with few binary digits not at all.
    first = {} if "Piecewise" in name else {"initial_learning_rate": np.float64(0.3)}
    mine = getattr(schedules, name)(**first, **arguments)
    theirs = getattr(tf.keras.optimizers.schedules, name)(**first, **arguments)
    rates = [float(theirs(t)) for t in range(40)]
    assert [mine(t) for t in range(40)] == pytest.approx(rates, rel=1e-15, abs=1e-17)
