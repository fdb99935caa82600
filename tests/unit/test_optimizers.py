"""Every optimizer against the textbook's formula and Keras's; what the book says of their steps.

TABLE has one entry for each optimizer. Gradients come from a list, not from a loss: so a rounding
error can't grow, and the laws hold for methods that step by the sign alone, too.
"""

import copy
import inspect
import itertools
import math
import pickle
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
import pytest

from backprop import optimizers
from backprop.optimizers import SGD, Adagrad, Adam, Momentum, Nesterov, clip_by_global_norm
from backprop.schedules import PiecewiseConstantDecay

# The textbook's formulas for one number: w and what is kept after the update number t.


def sgd(t, g, rate, w):
    return (w - rate * g,)


def heavy_ball(t, g, rate, w, v=0.0, *, momentum):
    v = momentum * v - rate * g
    return w + v, v


def nesterov(t, g, rate, w, v=0.0, *, momentum):
    v = momentum * v - rate * g
    return w + momentum * v - rate * g, v


def adagrad(t, g, rate, w, total=None, *, initial_accumulator_value, epsilon):
    total = (initial_accumulator_value if total is None else total) + g**2
    return w - rate * g / math.sqrt(total + epsilon), total


def rmsprop(t, g, rate, w, s=0.0, *, rho, epsilon):
    s = rho * s + (1 - rho) * g**2
    return w - rate * g / math.sqrt(s + epsilon), s


def adadelta(t, g, rate, w, s=0.0, u=0.0, *, rho, epsilon):
    s = rho * s + (1 - rho) * g**2
    step = math.sqrt(u + epsilon) / math.sqrt(s + epsilon) * g
    return w - rate * step, s, rho * u + (1 - rho) * step**2


def adam(t, g, rate, w, m=0.0, s=0.0, *, beta_1, beta_2, epsilon, weight_decay=0.0):
    m = beta_1 * m + (1 - beta_1) * g
    s = beta_2 * s + (1 - beta_2) * g**2
    m_hat, s_hat = m / (1 - beta_1**t), s / (1 - beta_2**t)
    e_hat = epsilon / math.sqrt(1 - beta_2**t)  # added before the correction, as in Keras
    return w - rate * (m_hat / (math.sqrt(s_hat) + e_hat) + weight_decay * w), m, s


class Entry(NamedTuple):
    """An optimizer, its formula, and what is needed to compare it with Keras's."""

    make: type[optimizers.Optimizer]
    formula: Any
    # Hyper-parameters besides the rate, large enough to matter in 3,000 updates, with few binary
    # digits: Keras rounds some to float32, which changes these not at all.
    dyadic: dict[str, float]
    equation: pytest.MarkDecorator
    keras: str | None = ""  # its name there, if it is another one; None if there is none
    extra: dict[str, Any] = {}  # noqa: RUF012  # what it needs there besides


E = 2.0**-7
RHO = {"rho": 1 - 2**-5, "epsilon": E}
BETAS = {"beta_1": 1 - 2**-9, "beta_2": 1 - 2**-10, "epsilon": E}
SUM = {"initial_accumulator_value": 0.125, "epsilon": E}
MU = {"momentum": 0.875}
TABLE = [
    Entry(SGD, sgd, {}, pytest.mark.equation("sgd")),
    Entry(Momentum, heavy_ball, MU, pytest.mark.equation("momentum"), "SGD"),
    Entry(Nesterov, nesterov, MU, pytest.mark.equation("nesterov"), "SGD", {"nesterov": True}),
    Entry(Adagrad, adagrad, SUM, pytest.mark.equation("adagrad")),
    Entry(optimizers.RMSProp, rmsprop, RHO, pytest.mark.equation("rmsprop"), "RMSprop"),
    Entry(optimizers.Adadelta, adadelta, RHO, pytest.mark.equation("adadelta")),
    Entry(Adam, adam, BETAS, pytest.mark.equation("adam")),
    Entry(optimizers.AdamW, adam, BETAS | {"weight_decay": 2**-8}, pytest.mark.equation("adamw")),
]
every_optimizer = pytest.mark.parametrize(
    "entry", [pytest.param(e, marks=e.equation, id=e.make.__name__) for e in TABLE]
)
RATE = 2.0**-6
NONE_AT = {0, 1, 2, *range(700, 720), *range(2000, 2020)}  # the updates with gradients of zero


def problem(updates, dtype=np.float64):
    """Return parameters, two of them in turns in memory, and the gradients of each update."""
    rng = np.random.default_rng(0)
    whole, row = rng.normal(size=(2, 6)).astype(dtype), rng.normal(size=4).astype(dtype)
    parameters = [whole[:, ::2], whole[:, 1::2], row, np.array(0.5, dtype)]

    def gradient(t, p):
        size = 0 if t in NONE_AT else 10.0 ** rng.integers(-2, 2)
        return np.asarray(rng.normal(0, size, p.shape), dtype)

    return parameters, [[gradient(t, p) for p in parameters] for t in range(updates)]


def train(optimizer, parameters, gradients):
    """Return the parameters after each update."""
    path = []
    for g in gradients:
        optimizer.step(parameters, g)
        path.append([p.copy() for p in parameters])
    return path


def same(mine, others):
    for a, b in zip(mine, others, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


def arrays_of(optimizer):
    return [a for slots in optimizer.state for a in slots.values()]


def test_no_optimizer_is_left_out():
    base = optimizers.Optimizer
    classes = {c for _, c in inspect.getmembers(optimizers, inspect.isclass) if issubclass(c, base)}
    assert classes == {base, *(e.make for e in TABLE)}
    with pytest.raises(NotImplementedError):
        base(0.1).step([np.ones(1)], [np.ones(1)])


@every_optimizer
def test_3000_updates_are_the_formula(entry):
    parameters, gradients = problem(3000)
    start, rates = copy.deepcopy(parameters), [RATE * (t % 3) for t in range(3000)]
    optimizer = entry.make(rates.__getitem__, **entry.dyadic)
    assert (optimizer.iterations, optimizer.state) == (0, [])
    with np.errstate(all="raise"):
        path = train(optimizer, parameters, gradients)
    for i, p in enumerate(parameters):
        for place in list(np.ndindex(p.shape))[:2]:
            w, kept, expected = float(start[i][place]), (), []
            for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), 1):
                w, *kept = entry.formula(t, float(g[i][place]), rate, w, *kept, **entry.dyadic)
                expected.append(w)
            mine = [arrays[i][place] for arrays in path]
            slots = [a[place] for a in optimizer.state[i].values()]
            np.testing.assert_allclose([*mine, *slots], [*expected, *kept], rtol=1e-12, atol=1e-12)


@every_optimizer
def test_float32_stays_float32(entry):
    (exact, gradients), (single, single_gradients) = problem(20), problem(20, np.float32)
    optimizer = entry.make(np.float64(0.01), **{k: np.float64(v) for k, v in entry.dyadic.items()})
    train(optimizer, single, single_gradients)
    train(entry.make(0.01, **entry.dyadic), exact, gradients)
    assert {a.dtype for a in [*single, *arrays_of(optimizer)]} == {np.dtype(np.float32)}
    for p, q in zip(single, exact, strict=True):
        np.testing.assert_allclose(p, q, rtol=2e-6, atol=2e-6)


@every_optimizer
def test_parameters_change_in_place_and_gradients_are_neither_changed_nor_kept(entry):
    parameters, gradients = problem(9)
    given, others = list(parameters), copy.deepcopy(parameters)
    optimizer, pickled = entry.make(0.3), entry.make(0.3)
    for values in gradients[3:]:
        optimizer.step(parameters, values)
        buffers = copy.deepcopy(values)
        pickled.step(others, buffers)
        same(buffers, values)
        for buffer in buffers:
            buffer[...] = np.nan
        pickled = pickle.loads(pickle.dumps(pickled))
    same([*given, *arrays_of(optimizer)], [*others, *arrays_of(pickled)])


@every_optimizer
def test_hyperparameters_lie_in_their_ranges(entry):
    for name in ("learning_rate", *entry.dyadic):
        share = name in ("momentum", "rho", "beta_1", "beta_2")
        good = [1e-300, *[0] * (name != "epsilon"), *[7] * (not share)]
        assert [getattr(entry.make(**{name: value}), name) for value in good] == good
        for bad in {-1e-300, 0, 1 if share else np.inf} - {*good}:
            with pytest.raises(ValueError, match=f"^{name}: expected a number "):
                entry.make(**{name: bad})


@pytest.fixture
def tf():
    return pytest.importorskip("backprop.tensorflow_twin").tf


@pytest.mark.tensorflow
@every_optimizer
def test_names_defaults_and_3000_updates_are_keras(entry, tf):
    if entry.keras is None:
        pytest.skip("Keras has none")
    make = getattr(tf.keras.optimizers, entry.keras or entry.make.__name__)
    defaults = {f.name: f.default for f in fields(entry.make) if f.init}
    assert defaults.keys() == {"learning_rate", *entry.dyadic}
    theirs = {name: p.default for name, p in inspect.signature(make).parameters.items()}
    theirs["momentum"] = 0.9  # Keras's SGD has none if it is not told to
    assert defaults == {name: theirs[name] for name in defaults}

    # With momentum, it matters whether the velocity holds the old learning rate or none.
    pieces = [500, 1700], [RATE, RATE / 4, RATE / 2]
    schedule = tf.keras.optimizers.schedules.PiecewiseConstantDecay(*pieces)
    keras = make(schedule, **entry.extra, **entry.dyadic)
    (p, *_), gradients = problem(3000)
    variable = tf.Variable(p)
    keras.build([variable])

    @tf.function
    def path(gradients):
        found = tf.TensorArray(variable.dtype, 3000)
        for t in tf.range(3000):
            keras.apply([gradients[t]], [variable])
            found = found.write(t, variable)
        return found.stack()

    expected = path(tf.constant([g[0] for g in gradients])).numpy()
    optimizer = entry.make(PiecewiseConstantDecay(*pieces), **entry.dyadic)
    mine = np.concatenate(train(optimizer, [p], [g[:1] for g in gradients]))
    np.testing.assert_allclose(mine, expected, rtol=1e-15, atol=1e-15)


@pytest.mark.tensorflow
def test_a_schedule_of_keras_fits_an_optimizer_of_the_package(tf):
    schedule = tf.keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.5, 0.25])
    path = train(Momentum(schedule, 0), [np.zeros(1)], [[np.ones(1)]] * 3)
    assert path == [[-0.5], [-1], [-1.25]]


# What the book says


@pytest.mark.equation("nesterov-lookahead")
def test_nesterov_is_the_textbook_form_at_the_place_ahead():
    H, rate, momentum = np.array([[2.0, 0.3], [0.3, 0.5]]), 0.1, 0.8
    w, v = np.array([1.0, -2.0]), np.zeros(2)
    p, optimizer = w.copy(), Nesterov(rate, momentum)
    for _ in range(20):
        optimizer.step([p], [H @ p])
        v = momentum * v - rate * H @ (w + momentum * v)
        w = w + v
        np.testing.assert_allclose(p, w + momentum * v, rtol=0, atol=1e-14)


@pytest.mark.equation("bias-correction")
@pytest.mark.equation("adagrad-step")
def test_steps_of_a_constant_gradient_are_the_rate_and_fall_like_one_over_the_root_of_t():
    g, p, q = np.array([0.02, -3.0, 40.0]), np.zeros(3), np.zeros(3)
    adam = Adam(0.1, beta_1=0.7, beta_2=0.95, epsilon=1e-30)
    adagrad = Adagrad(0.1, initial_accumulator_value=0, epsilon=1e-30)
    for t in range(1, 30):
        adam.step([p], [g])
        mean, mean_square = arrays_of(adam)  # too small at first, by a known factor
        np.testing.assert_allclose(mean, (1 - 0.7**t) * g, rtol=1e-14)
        np.testing.assert_allclose(mean_square, (1 - 0.95**t) * g**2, rtol=1e-14)
        np.testing.assert_allclose(p, -0.1 * t * np.sign(g), rtol=1e-13)
        before = q.copy()
        adagrad.step([q], [g])
        np.testing.assert_allclose(before - q, 0.1 / math.sqrt(t) * np.sign(g), rtol=1e-13)


@pytest.mark.equation("stability-bound")  # that without momentum
@pytest.mark.equation("momentum-stability")
@pytest.mark.parametrize("curvature", [0.02, 4.0, 300.0])
@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.9, 0.99])
def test_steps_converge_below_the_bound_only(momentum, curvature):
    bound = 2 * (1 + momentum) / curvature

    def radius(rate):
        """Return the largest of the roots of z² - (1 + μ - ηλ) z + μ."""
        optimizer, w, v = Momentum(rate, momentum), np.array([1.0, 0]), np.array([0, 1.0])
        optimizer.state = [{"velocity": v}]
        optimizer.step([w], [curvature * w])
        M = np.stack([w, v])  # It takes position and velocity one update further.
        assert np.trace(M) == pytest.approx(1 + momentum - rate * curvature, abs=1e-14)
        assert np.linalg.det(M) == pytest.approx(momentum, abs=1e-14)
        return np.abs(np.linalg.eigvals(M)).max()

    assert radius(bound) == pytest.approx(1, abs=1e-12)
    assert radius(1.001 * bound) > 1.001
    for share in (0.001, 0.1, 0.5, 0.9, 0.999):
        assert radius(share * bound) < 0.9999


@pytest.mark.equation("noise-floor")
@pytest.mark.parametrize("rate", [0.375, 0.625])  # with 1 - ηλ = ±1/4
def test_noise_keeps_sgd_from_the_minimum(rate):
    # All 2^13 sequences of ξ = ±s: the variance is exact. After n updates (1/4)^2n is missing.
    curvature, s, updates = 2.0, 0.3, 13
    xi = s * np.array(list(itertools.product([-1.0, 1.0], repeat=updates)))
    w, optimizer, sigma = np.zeros(len(xi)), SGD(rate), curvature * s  # that of the gradient
    floor = rate * sigma**2 / (curvature * (2 - rate * curvature))
    for t in range(updates):
        optimizer.step([w], [curvature * (w - xi[:, t])])
        assert np.mean(w) == pytest.approx(0, abs=1e-15)
        assert np.mean(w**2) == pytest.approx(floor * (1 - 0.25 ** (2 * t + 2)), rel=1e-13)


# Steps that are refused and change nothing

W, B = np.ones((2, 3)), np.ones(3)
DW, DB = 2 * W, 2 * B
F, FROZEN, MASKED = W.astype(np.float32), np.ones(3), np.ma.array(B, mask=[0, 0, 1])
FROZEN.flags.writeable = False
COUNTS, MASKS = "parameters, gradients: expected", "expected arrays without a mask"
WRITABLE, SHARED = "expected writable float32 or float64, got", "expected memory that no other"


def refuses(optimizer, parameters, gradients, message):
    arrays = [optimizer.iterations, *parameters, *arrays_of(optimizer)]
    before = copy.deepcopy(arrays)
    with pytest.raises(ValueError, match=f"^{message}"):
        optimizer.step(parameters, gradients)
    same([optimizer.iterations, *parameters, *arrays_of(optimizer)], before)


@pytest.mark.parametrize(
    ("parameters", "gradients", "message"),
    [
        ([], [], rf"{COUNTS} at least 1 of each, got \(0, 0\)"),
        ([W, B], [DW], rf"{COUNTS} 2 of each, got \(2, 1\)"),
        ([W], [DW, DB], rf"{COUNTS} 1 of each, got \(1, 2\)"),
        ([W, MASKED], [DW, DB], MASKS),
        ([W, B], [DW, MASKED], MASKS),
        # These would be changed nowhere.
        (B, DB, f"parameter 0: {WRITABLE} a float64$"),
        ([W, [1.0]], [DW, np.ones(1)], f"parameter 1: {WRITABLE} a list$"),
        ([W, B.astype(np.float16)], [DW, DB], rf"parameter 1: {WRITABLE} float16 \(3,\)$"),
        ([W, FROZEN], [DW, DB], rf"parameter 1: {WRITABLE} float64 \(3,\), read-only$"),
        # NumPy would convert or broadcast each of these.
        ([W], [F], r"gradient 0: .* parameter's float64 \(2, 3\), got float32 \(2, 3\)$"),
        ([W, B], [DW, 1.0], r"gradient 1: .* parameter's float64 \(3,\), got float64 \(\)$"),
        # These would be changed twice, or change a gradient that is yet to be used.
        ([B, B], [DB, DB], f"parameter 1: {SHARED}"),
        ([W, W.T], [DW, DW.T], f"parameter 1: {SHARED}"),
        ([W, B], [DW, W[1]], f"parameter 0: {SHARED}"),
        ([B], [B], f"parameter 0: {SHARED}"),
    ],
)
def test_bad_steps_are_refused(parameters, gradients, message):
    refuses(Adam(lambda t: pytest.fail("the schedule was asked")), parameters, gradients, message)


def test_an_optimizer_belongs_to_its_parameters():
    for make, strangers, message in [
        (SGD, [W], rf"{COUNTS} 2 of each, got \(1, 1\)"),
        (Adam, [DB, DW], r"mean 0: .* parameter's float64 \(3,\), got float64 \(2, 3\)"),
        (Adam, [F, DB], r"mean 0: .* parameter's float32 \(2, 3\), got float64 \(2, 3\)"),
    ]:
        optimizer = make()
        optimizer.step([W.copy(), B.copy()], [W, B])
        refuses(optimizer, [p.copy() for p in strangers], strangers, message)


@pytest.mark.parametrize("rate", [-1.0, np.nan, np.inf, None, "0.1", np.array(-0.5)])
def test_a_schedule_must_return_a_rate(rate):
    optimizer = Momentum()
    optimizer.step([B.copy()], [B])
    optimizer.learning_rate = lambda t: rate
    # That the gradient shares its memory goes unnoticed: only the first step looks.
    refuses(optimizer, [B], [B], r"learning_rate\(1\): expected a number of at least 0, got")


@pytest.mark.equation("clip")
@pytest.mark.parametrize("limit", [0.01, 1.0, 5.0, 5.5, 1e300, 1e-300])
@pytest.mark.parametrize("factor", [1.0, 0.0])
def test_clipping_is_its_formula(limit, factor):
    gradients = [factor * np.array([3.0]), np.array([[0, -4 * factor]], np.float32)]
    with np.errstate(all="raise"):
        clipped, norm = clip_by_global_norm(gradients, limit)
    assert norm == optimizers.global_norm(gradients) == 5 * factor
    for c, g in zip(clipped, gradients, strict=True):
        np.testing.assert_allclose(c, g * min(1, limit / (norm or 1)), rtol=1e-15, strict=True)
        assert not np.shares_memory(c, g)
    assert (clip_by_global_norm([], limit), type(optimizers.global_norm([]))) == (([], 0), float)


@pytest.mark.parametrize("limit", [np.float64(1), np.float32(1), 1e35])
def test_clipping_large_float32(limit):
    g = [np.full(4, 1e30, np.float32), np.full((2, 6), -1e30, np.float32)]
    with np.errstate(all="raise"):
        clipped, norm = clip_by_global_norm(g, limit)
    assert (type(norm), [c.dtype for c in clipped]) == (float, [np.float32] * 2)
    assert norm == pytest.approx(4e30, rel=1e-7)
    np.testing.assert_allclose(clipped[1], np.full((2, 6), -min(float(limit) / 4, 1e30)), 1e-6)


def test_what_has_no_length_is_not_clipped():
    for gradients, limit, message in [
        ([[1.0]], 0, "limit: expected a number above 0"),
        ([[1.0], [np.nan]], 1, r"gradients\[1\]: expected finite numbers, got nan"),
        ([[1e200]], 1, "the length of gradients: expected a number of at least 0, got inf"),
    ]:
        with np.errstate(over="ignore"), pytest.raises(ValueError, match=f"^{message}"):
            clip_by_global_norm(gradients, limit)
