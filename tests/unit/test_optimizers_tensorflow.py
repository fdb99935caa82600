"""Every optimizer of the table in test_optimizers.py against Keras's; clipping by TensorFlow."""

import inspect
from dataclasses import fields

import numpy as np
import pytest
from test_optimizers import RATE, TABLE

from backprop.optimizers import Momentum, clip_by_global_norm
from backprop.schedules import PiecewiseConstantDecay

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")
from backprop import tensorflow_twin  # noqa: E402, F401

every_optimizer = pytest.mark.parametrize(
    "entry", [pytest.param(e, id=e.make.__name__) for e in TABLE if e.keras is not None]
)


def keras_path(optimizer, start, gradients):
    """Return the variable after each update, made by one compiled loop."""
    variable = tf.Variable(start)
    optimizer.build([variable])

    @tf.function
    def run(gradients):
        path = tf.TensorArray(variable.dtype, len(gradients))
        for t in tf.range(len(gradients)):
            optimizer.apply([gradients[t]], [variable])
            path = path.write(t, variable)
        return path.stack()

    return run(tf.constant(gradients)).numpy()


def our_path(optimizer, start, gradients):
    p, path = start.copy(), []
    for g in gradients:
        optimizer.step([p], [g])
        path.append(p.copy())
    return np.array(path)


def keras_of(entry, **hyper):
    make = getattr(tf.keras.optimizers, entry.keras or entry.make.__name__)
    return make(**(entry.extra | entry.dyadic | hyper))


def problem(updates, dtype=np.float64):
    """Return a parameter and gradients of all sizes and both signs, none at first and later on."""
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(updates, 6)) * 10.0 ** rng.integers(-3, 2, (updates, 6))
    gradients[:3] = gradients[updates // 2 : updates // 2 + 20] = 0
    return np.linspace(-1, 1, 6, dtype=dtype), gradients.astype(dtype)


@every_optimizer
def test_names_and_defaults_are_keras(entry):
    keras = inspect.signature(getattr(tf.keras.optimizers, entry.keras or entry.make.__name__))
    ours = {f.name: f.default for f in fields(entry.make) if f.init}
    assert ours.keys() == {"learning_rate", *entry.dyadic}
    for name in ours.keys() - {"momentum"}:  # Keras's SGD has none if it is not told to
        assert ours[name] == keras.parameters[name].default


@every_optimizer
def test_3000_updates_are_keras(entry):
    # With momentum, it matters whether the velocity holds the old learning rate or none.
    start, gradients = problem(3000)
    pieces = [500, 1700], [RATE, RATE / 4, RATE / 2]
    keras_schedule = tf.keras.optimizers.schedules.PiecewiseConstantDecay(*pieces)
    theirs = keras_path(keras_of(entry, learning_rate=keras_schedule), start, gradients)
    ours = entry.make(PiecewiseConstantDecay(*pieces), **entry.dyadic)
    mine = our_path(ours, start, gradients)
    np.testing.assert_allclose(mine, theirs, rtol=1e-15, atol=1e-15)
    assert np.ptp(mine, axis=0).min() > 0.01


@every_optimizer
def test_float32_updates_are_keras(entry):
    start, gradients = problem(300, np.float32)
    theirs = keras_path(keras_of(entry, learning_rate=RATE), start, gradients)
    mine = our_path(entry.make(RATE, **entry.dyadic), start, gradients)
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=5e-6, strict=True)


def test_a_schedule_of_keras_fits_an_optimizer_of_the_package():
    start, gradients = problem(60)
    schedule = tf.keras.optimizers.schedules.CosineDecay(0.125, 40)
    theirs = keras_path(tf.keras.optimizers.SGD(schedule, momentum=0.875), start, gradients)
    np.testing.assert_allclose(our_path(Momentum(schedule, 0.875), start, gradients), theirs)


@pytest.mark.parametrize("limit", [0.01, 1.0, 2.5, 7.0, 100.0])
def test_clipping(limit):
    rng = np.random.default_rng(0)
    gradients = [rng.normal(size=shape) for shape in [(3, 4), (4,), (4, 2), ()]]
    mine, norm = clip_by_global_norm(gradients, limit)
    theirs, their_norm = tf.clip_by_global_norm([tf.constant(g) for g in gradients], limit)
    assert norm == pytest.approx(float(their_norm), rel=1e-15)
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=0, atol=1e-15)
