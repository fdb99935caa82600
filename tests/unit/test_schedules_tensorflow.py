"""Every schedule against Keras's of the same name and with the same arguments."""

import inspect

import numpy as np
import pytest

from backprop import schedules

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")
from backprop import tensorflow_twin  # noqa: E402, F401

# Keras computes with the first argument's dtype and rounds the others to float32, which changes
# numbers with few binary digits not at all.
FIRST = np.float64(0.3)


@pytest.mark.parametrize(
    ("name", "arguments", "named"),
    [
        ("PiecewiseConstantDecay", ([3, 7], [0.5, 0.25, 0.125]), {}),
        ("ExponentialDecay", (FIRST, 10, 0.75), {}),
        ("ExponentialDecay", (FIRST, 10, 1.75), {}),
        ("InverseTimeDecay", (FIRST, 10, 0.75), {}),
        ("CosineDecay", (FIRST, 20), {}),
        ("CosineDecay", (np.float64(0), 20), {"warmup_target": 0.125, "warmup_steps": 5}),
        ("CosineDecay", (FIRST, 20), {"warmup_target": 0.125, "warmup_steps": 5}),
    ],
)
def test_schedules_are_keras(name, arguments, named):
    ours, keras = getattr(schedules, name), getattr(tf.keras.optimizers.schedules, name)
    assert inspect.signature(ours).parameters.keys() <= inspect.signature(keras).parameters.keys()
    mine, theirs = ours(*arguments, **named), keras(*arguments, **named)
    rates = [float(theirs(t)) for t in range(40)]
    assert [mine(t) for t in range(40)] == pytest.approx(rates, rel=1e-15, abs=1e-17)
    assert len(set(rates)) >= 3
