"""Every optimizer, schedule and clipping against Keras's and TensorFlow's own."""

import inspect
from dataclasses import fields

import numpy as np
import pytest

from backprop import losses, optimizers, schedules
from backprop.network import Network

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")
from backprop import tensorflow_twin  # noqa: E402, F401

UPDATES = 150

# Ours, Keras's, what Keras's needs to be the same, and hyper-parameters that have few binary
# digits: Keras rounds some to float32, which changes these not at all. RMSProp's learning rate is
# small, because its steps do not shrink: with a large one it jumps about the minimum, where every
# rounding error grows.
TABLE = {
    "SGD": ("SGD", {}, {"learning_rate": 2**-6}),
    "Momentum": ("SGD", {"momentum": 0.9}, {"learning_rate": 2**-6, "momentum": 0.875}),
    "Nesterov": (
        "SGD",
        {"momentum": 0.9, "nesterov": True},
        {"learning_rate": 2**-6, "momentum": 0.875},
    ),
    "Adagrad": (
        "Adagrad",
        {},
        {"learning_rate": 2**-6, "initial_accumulator_value": 0.125, "epsilon": 2**-20},
    ),
    "RMSProp": ("RMSprop", {}, {"learning_rate": 2**-9, "rho": 0.875, "epsilon": 2**-20}),
    "Adadelta": ("Adadelta", {}, {"learning_rate": 1.0, "rho": 1 - 2**-5, "epsilon": 2**-20}),
    "Adam": (
        "Adam",
        {},
        {"learning_rate": 2**-6, "beta_1": 0.875, "beta_2": 1 - 2**-10, "epsilon": 2**-20},
    ),
    "AdamW": (
        "AdamW",
        {},
        {
            "learning_rate": 2**-6,
            "beta_1": 0.875,
            "beta_2": 1 - 2**-10,
            "epsilon": 2**-20,
            "weight_decay": 2**-8,
        },
    ),
}


def pair(name, **changes):
    """Return an optimizer of the package and Keras's, alike."""
    theirs, needed, _ = TABLE[name]
    keras = getattr(tf.keras.optimizers, theirs)
    return getattr(optimizers, name)(**changes), keras(**(needed | changes))


def round_pair(name, **changes):
    return pair(name, **(TABLE[name][2] | changes))


every_optimizer = pytest.mark.parametrize("name", list(TABLE))


def least_squares(dtype=np.float64):
    """Return 5 parameters, and the function that gives their gradient."""
    rng = np.random.default_rng(0)
    A, y = rng.normal(size=(20, 5)).astype(dtype), rng.normal(size=20).astype(dtype)
    return [np.linspace(-1, 1, 5, dtype=dtype)], lambda w: [A.T @ (A @ w[0] - y) / 20]


def tanh_network(dtype=np.float64):
    """Return the 4 parameters of a small network, and the function that gives their gradients."""
    rng = np.random.default_rng(1)
    network = Network.random([3, 4, 2], ["tanh", "tanh"], rng, dtype=dtype)
    X = rng.normal(size=(10, 3)).astype(dtype)
    T = np.tanh(rng.normal(size=(10, 2))).astype(dtype)

    def gradients(parameters):
        at = network.with_parameters(parameters)
        return at.loss_and_gradients(losses.half_squared_error, X, T)[1]

    return network.parameters, gradients


every_problem = pytest.mark.parametrize("problem", [least_squares, tanh_network])


def distances(ours, keras, parameters, slopes, updates=UPDATES):
    """Return the largest difference after each update; both sides go their own way."""
    variables = [tf.Variable(p) for p in parameters]
    start, found = [p.copy() for p in parameters], []
    for _ in range(updates):
        ours.step(parameters, slopes(parameters))
        keras.apply([tf.constant(g) for g in slopes([v.numpy() for v in variables])], variables)
        pairs = [(p, v.numpy()) for p, v in zip(parameters, variables, strict=True)]
        assert all(p.dtype == v.dtype for p, v in pairs)
        found.append(max(np.abs(p - v).max() for p, v in pairs))
    assert ours.iterations == keras.iterations == updates
    moved = max(np.abs(p - s).max() for p, s in zip(parameters, start, strict=True))
    assert moved > 1000 * max(found)
    return found


# Optimizers


def test_every_optimizer_is_compared():
    classes = inspect.getmembers(optimizers, inspect.isclass)
    assert {c.__name__ for _, c in classes if issubclass(c, optimizers.Optimizer)} == {
        "Optimizer",
        *TABLE,
    }


@every_optimizer
def test_names_and_defaults_are_keras(name):
    theirs, needed, chosen = TABLE[name]
    signature = inspect.signature(getattr(tf.keras.optimizers, theirs)).parameters
    ours = {f.name: f.default for f in fields(getattr(optimizers, name)) if f.init}
    assert ours.keys() == chosen.keys()
    for argument, default in ours.items():
        assert default == needed.get(argument, signature[argument].default)


@every_problem
@every_optimizer
def test_rounding_errors_do_not_grow(name, problem):
    # Else the comparisons below would compare accidents.
    parameters, slopes = problem()
    near = [p + 1e-15 for p in parameters]
    (one, _), (other, _) = round_pair(name), round_pair(name)
    for _ in range(UPDATES):
        one.step(parameters, slopes(parameters))
        other.step(near, slopes(near))
        for p, q in zip(parameters, near, strict=True):
            np.testing.assert_allclose(p, q, rtol=0, atol=1e-12)


@every_problem
@every_optimizer
def test_paths_are_keras_paths(name, problem):
    assert max(distances(*round_pair(name), *problem())) <= 1e-12


@pytest.mark.slow
@every_problem
@every_optimizer
def test_paths_with_default_values_differ_by_keras_rounding(name, problem):
    # Keras's 0.001 and 0.9 are those of float32, and the comparison is fine enough to see it.
    assert 0 < max(distances(*pair(name), *problem())) <= 5e-6


@pytest.mark.slow
@every_problem
@every_optimizer
@pytest.mark.parametrize("make", [pair, round_pair])
def test_paths_in_float32(name, problem, make):
    # Only Adam and AdamW differ at all: Keras's powers of beta are float32, too.
    assert max(distances(*make(name), *problem(np.float32))) <= 5e-6


@every_optimizer
@pytest.mark.parametrize("size", [1e-6, 1e-3, 1.0, 1e3])
def test_first_update(name, size):
    g = size * np.array([[1.0, -2.0, 0.5], [-0.25, 4.0, 0.0]])
    found = distances(*round_pair(name), [np.zeros((2, 3))], lambda _: [g], updates=1)
    assert found[0] <= 1e-15 * max(1, size)


@every_optimizer
def test_zero_gradients(name):
    ours, keras = round_pair(name)
    p, v = np.ones(3), tf.Variable(np.ones(3))
    for g in [0, 0, 0.5, 0, 0, 0]:
        ours.step([p], [np.full(3, float(g))])
        keras.apply([tf.constant(np.full(3, float(g)))], [v])
        np.testing.assert_allclose(p, v.numpy(), rtol=0, atol=1e-15)


# Schedules

SCHEDULES = [
    (
        schedules.piecewise_constant([3, 7], [0.5, 0.3, 0.1]),
        lambda s: s.PiecewiseConstantDecay([3, 7], [0.5, 0.3, 0.1]),
    ),
    (
        schedules.exponential_decay(0.1, 10, 0.7),
        lambda s: s.ExponentialDecay(0.1, 10, 0.7),
    ),
    (
        schedules.inverse_time_decay(0.1, 10, 0.7),
        lambda s: s.InverseTimeDecay(0.1, 10, 0.7),
    ),
    (schedules.cosine_decay(0.1, 20), lambda s: s.CosineDecay(0.1, 20)),
    (
        schedules.cosine_decay(0.1, 20, 5),
        lambda s: s.CosineDecay(0.0, 20, warmup_target=0.1, warmup_steps=5),
    ),
]


@pytest.mark.parametrize(("ours", "theirs"), SCHEDULES)
def test_schedule(ours, theirs):
    keras = theirs(tf.keras.optimizers.schedules)
    rates = [float(keras(t)) for t in range(40)]
    assert [ours(t) for t in range(40)] == pytest.approx(rates, rel=0, abs=1e-7)
    assert len(set(rates)) >= 3


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("piecewise_constant", "PiecewiseConstantDecay"),
        ("exponential_decay", "ExponentialDecay"),
        ("inverse_time_decay", "InverseTimeDecay"),
        ("cosine_decay", "CosineDecay"),
    ],
)
def test_arguments_of_schedules_are_keras(ours, theirs):
    keras = inspect.signature(getattr(tf.keras.optimizers.schedules, theirs)).parameters
    assert inspect.signature(getattr(schedules, ours)).parameters.keys() <= keras.keys()


@every_optimizer
def test_paths_under_a_piecewise_constant_schedule(name):
    # With momentum, it matters whether the velocity holds the old learning rate or none.
    rate = TABLE[name][2]["learning_rate"]
    pieces = [20, 50], [rate, rate / 4, rate / 2]
    ours, _ = round_pair(name, learning_rate=schedules.piecewise_constant(*pieces))
    keras_schedule = tf.keras.optimizers.schedules.PiecewiseConstantDecay(*pieces)
    _, keras = round_pair(name, learning_rate=keras_schedule)
    assert max(distances(ours, keras, *least_squares(), updates=80)) <= 1e-12


@pytest.mark.parametrize(("schedule", "theirs"), SCHEDULES)
@pytest.mark.parametrize("name", ["Nesterov", "Adam"])
def test_paths_under_other_schedules(name, schedule, theirs):
    ours, _ = round_pair(name, learning_rate=schedule)
    _, keras = round_pair(name, learning_rate=theirs(tf.keras.optimizers.schedules))
    assert max(distances(ours, keras, *least_squares(), updates=40)) <= 1e-6


def test_a_schedule_of_keras_fits_an_optimizer_of_the_package():
    keras_schedule = tf.keras.optimizers.schedules.CosineDecay(0.125, 10)
    ours, keras = round_pair("Momentum", learning_rate=keras_schedule)
    assert max(distances(ours, keras, *least_squares(), updates=20)) <= 1e-12


# Clipping


@pytest.mark.parametrize("limit", [0.01, 1.0, 2.5, 7.0, 100.0])
def test_clipping(limit):
    rng = np.random.default_rng(0)
    gradients = [rng.normal(size=shape) for shape in [(3, 4), (4,), (4, 2), ()]]
    mine, norm = optimizers.clip_by_global_norm(gradients, limit)
    theirs, their_norm = tf.clip_by_global_norm([tf.constant(g) for g in gradients], limit)
    assert norm == pytest.approx(float(their_norm), rel=1e-15)
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=0, atol=1e-15)


def test_clipped_paths():
    ours, keras = round_pair("Momentum")
    parameters, slopes = tanh_network()

    def clipped(parameters):
        return optimizers.clip_by_global_norm(slopes(parameters), 0.125)[0]

    def clipped_by_tensorflow(parameters):
        return tf.clip_by_global_norm([tf.constant(g) for g in slopes(parameters)], 0.125)[0]

    variables = [tf.Variable(p) for p in parameters]
    for _ in range(50):
        ours.step(parameters, clipped(parameters))
        keras.apply(clipped_by_tensorflow([v.numpy() for v in variables]), variables)
        for p, v in zip(parameters, variables, strict=True):
            np.testing.assert_allclose(p, v.numpy(), rtol=0, atol=1e-12)
