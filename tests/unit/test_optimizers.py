"""Every optimizer against a loop over Python's floats, and what the book says of their steps.

TABLE has one entry for each optimizer; everything below the word "laws" and in
test_optimizers_tensorflow.py runs for all of them. Gradients come from a list, not from a loss: so
a rounding error can't grow, and the laws hold for methods that step by the sign alone, too.
"""

import copy
import inspect
import itertools
import math
import pickle
from typing import Any, NamedTuple

import numpy as np
import pytest

from backprop import datasets, optimizers
from backprop.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    Optimizer,
    RMSProp,
    clip_by_global_norm,
    global_norm,
)
from backprop.schedules import CosineDecay, PiecewiseConstantDecay

# The textbook's formulas for one number: w after each update, given the gradient and the learning
# rate of every update.


def sgd(w, steps):
    for g, rate in steps:
        w = w - rate * g
        yield w


def heavy_ball(w, steps, momentum):
    v = 0.0
    for g, rate in steps:
        v = momentum * v - rate * g
        w = w + v
        yield w


def nesterov(w, steps, momentum):
    v = 0.0
    for g, rate in steps:
        v = momentum * v - rate * g
        w = w + momentum * v - rate * g
        yield w


def adagrad(w, steps, initial_accumulator_value, epsilon):
    total = initial_accumulator_value
    for g, rate in steps:
        total = total + g**2
        w = w - rate * g / math.sqrt(total + epsilon)
        yield w


def rmsprop(w, steps, rho, epsilon):
    s = 0.0
    for g, rate in steps:
        s = rho * s + (1 - rho) * g**2
        w = w - rate * g / math.sqrt(s + epsilon)
        yield w


def adadelta(w, steps, rho, epsilon):
    s = u = 0.0
    for g, rate in steps:
        s = rho * s + (1 - rho) * g**2
        step = math.sqrt(u + epsilon) / math.sqrt(s + epsilon) * g
        u = rho * u + (1 - rho) * step**2
        w = w - rate * step
        yield w


def adam(w, steps, beta_1, beta_2, epsilon, weight_decay=0.0):
    m = s = 0.0
    for t, (g, rate) in enumerate(steps, 1):
        m = beta_1 * m + (1 - beta_1) * g
        s = beta_2 * s + (1 - beta_2) * g**2
        m_hat, s_hat = m / (1 - beta_1**t), s / (1 - beta_2**t)
        e_hat = epsilon / math.sqrt(1 - beta_2**t)  # added before the correction, as in Keras
        w = w - rate * (m_hat / (math.sqrt(s_hat) + e_hat) + weight_decay * w)
        yield w


class Entry(NamedTuple):
    """An optimizer, its formula, and what is needed to compare it with Keras's."""

    make: type[Optimizer]
    formula: Any
    # Hyper-parameters besides the rate, with few binary digits: Keras rounds some to float32, which
    # changes these not at all. They are large enough to matter, in 3,000 updates.
    dyadic: dict[str, float]
    equation: pytest.MarkDecorator
    keras: str | None = ""  # its name there, if it is another one; None if there is none
    extra: dict[str, Any] = {}  # noqa: RUF012  # what it needs there besides


E = 2.0**-7
RHO = {"rho": 1 - 2**-5, "epsilon": E}
BETAS = {"beta_1": 1 - 2**-9, "beta_2": 1 - 2**-10, "epsilon": E}
SUM = {"initial_accumulator_value": 0.125, "epsilon": E}
MU = {"momentum": 0.875}
NESTEROV = {"nesterov": True}
TABLE = [
    Entry(SGD, sgd, {}, pytest.mark.equation("sgd")),
    Entry(Momentum, heavy_ball, MU, pytest.mark.equation("momentum"), "SGD"),
    Entry(Nesterov, nesterov, MU, pytest.mark.equation("nesterov"), "SGD", NESTEROV),
    Entry(Adagrad, adagrad, SUM, pytest.mark.equation("adagrad")),
    Entry(RMSProp, rmsprop, RHO, pytest.mark.equation("rmsprop"), "RMSprop"),
    Entry(Adadelta, adadelta, RHO, pytest.mark.equation("adadelta")),
    Entry(Adam, adam, BETAS, pytest.mark.equation("adam")),
    Entry(AdamW, adam, BETAS | {"weight_decay": 2**-8}, pytest.mark.equation("adamw")),
]
DEFAULTS = """
SGD(learning_rate=0.01, iterations=0)
Momentum(learning_rate=0.01, iterations=0, momentum=0.9)
Nesterov(learning_rate=0.01, iterations=0, momentum=0.9)
Adagrad(learning_rate=0.001, iterations=0, initial_accumulator_value=0.1, epsilon=1e-07)
RMSProp(learning_rate=0.001, iterations=0, rho=0.9, epsilon=1e-07)
Adadelta(learning_rate=0.001, iterations=0, rho=0.95, epsilon=1e-07)
Adam(learning_rate=0.001, iterations=0, beta_1=0.9, beta_2=0.999, epsilon=1e-07)
AdamW(learning_rate=0.001, iterations=0, beta_1=0.9, beta_2=0.999, epsilon=1e-07, weight_decay=0.004)
"""  # noqa: E501
every_optimizer = pytest.mark.parametrize(
    "entry", [pytest.param(e, marks=e.equation, id=e.make.__name__) for e in TABLE]
)
SHAPES = [(2, 3), (4,), (), (4,)]
RATE = 2.0**-6


def problem(updates=6, dtype=np.float64):
    """Return parameters, and the gradients of each update: of all sizes, both signs and zero."""
    rng = np.random.default_rng(0)
    parameters = [rng.normal(size=shape).astype(dtype) for shape in SHAPES]
    gradients = [
        [np.asarray(rng.normal(0, 10.0 ** rng.integers(-2, 2), shape), dtype) for shape in SHAPES]
        for _ in range(updates)
    ]
    for t in [*range(700, 720), *range(2000, 2020)]:
        gradients[t : t + 1] = [[np.zeros_like(p) for p in parameters]] * (t < updates)
    return parameters, gradients


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


def everything(optimizer):
    """Return all that an optimizer keeps, in lists."""
    return optimizer.iterations, [{s: a.tolist() for s, a in d.items()} for d in optimizer.state]


# Laws


def test_no_optimizer_is_left_out_and_defaults_are_known():
    classes = {c for _, c in inspect.getmembers(optimizers, inspect.isclass)}
    found = {c for c in classes if issubclass(c, Optimizer)}
    assert found == {Optimizer, *(e.make for e in TABLE)}
    assert [repr(e.make()) for e in TABLE][:8] == DEFAULTS.split("\n")[1:-1]


@every_optimizer
def test_3000_updates_are_the_formula(entry):
    parameters, gradients = problem(3000)
    start = copy.deepcopy(parameters)
    rates = [RATE * (1 + t % 3) for t in range(len(gradients))]
    path = train(entry.make(rates.__getitem__, **entry.dyadic), parameters, gradients)
    for i, shape in enumerate(SHAPES):
        for place in list(np.ndindex(shape))[:2]:
            steps = zip([float(g[i][place]) for g in gradients], rates, strict=True)
            expected = list(entry.formula(float(start[i][place]), steps, **entry.dyadic))
            mine = [p[i][place] for p in path]
            np.testing.assert_allclose(mine, expected, rtol=1e-12, atol=1e-13)


@every_optimizer
def test_a_number_is_the_schedule_that_stays(entry):
    (p, gradients), (q, _), calls = problem(), problem(), []
    train(entry.make(0.1), p, gradients)
    train(entry.make(lambda t: calls.append(t) or 0.1), q, gradients)
    same(p, q)
    assert calls == [0, 1, 2, 3, 4, 5]


@every_optimizer
def test_float32_stays_float32(entry):
    (exact, gradients), (single, single_gradients) = problem(20), problem(20, np.float32)
    optimizer = entry.make(np.float64(0.01), **{k: np.float64(v) for k, v in entry.dyadic.items()})
    train(optimizer, single, single_gradients)
    train(entry.make(0.01, **entry.dyadic), exact, gradients)
    slots = [a for d in optimizer.state for a in d.values()]
    assert {a.dtype for a in [*single, *slots]} == {np.dtype(np.float32)}
    for p, q in zip(single, exact, strict=True):
        np.testing.assert_allclose(p, q, rtol=2e-6, atol=2e-6)


@every_optimizer
def test_arrays_are_changed_in_place(entry):
    parameters, gradients = problem()
    optimizer, before, given = entry.make(0.3), copy.deepcopy(parameters), list(parameters)
    optimizer.step(parameters, gradients[0])
    assert all((p != q).all() for p, q in zip(parameters, before, strict=True))
    slots = [a for d in optimizer.state for a in d.values()]
    contents = [a.copy() for a in slots]
    optimizer.step(parameters, gradients[1])
    after = [a for d in optimizer.state for a in d.values()]
    assert all(p is q for p, q in zip([*parameters, *after], [*given, *slots], strict=True))
    assert all((a != b).all() for a, b in zip(after, contents, strict=True))


@every_optimizer
def test_gradients_are_left_alone_and_not_kept(entry):
    (parameters, gradients), (reused, _) = problem(), problem()
    one, other, buffers = entry.make(0.3), entry.make(0.3), [np.empty(shape) for shape in SHAPES]
    for g in gradients:
        for buffer, values in zip(buffers, g, strict=True):
            buffer[...] = values
        one.step(parameters, g)
        other.step(reused, buffers)
        same(buffers, g)
        for buffer in buffers:
            buffer[...] = np.nan
    same(parameters, reused)


@every_optimizer
def test_every_parameter_has_its_own_state(entry):
    (together, gradients), (alone, _) = problem(), problem()
    optimizer, single = entry.make(0.3), [entry.make(0.3) for _ in SHAPES]
    train(optimizer, together, gradients)
    for i, own in enumerate(single):
        train(own, alone[i : i + 1], [g[i : i + 1] for g in gradients])
    same(together, alone)
    assert everything(optimizer)[1] == [everything(own)[1][0] for own in single]
    assert [tuple(d) for d in optimizer.state] == [entry.make.slots] * len(SHAPES)
    assert everything(entry.make(0.3)) == (0, [])


@every_optimizer
def test_a_pickled_optimizer_goes_on(entry):
    (parameters, gradients), (others, _) = problem(), problem()
    whole, first = entry.make(CosineDecay(0.1, 8)), entry.make(CosineDecay(0.1, 8))
    train(whole, parameters, gradients)
    train(first, others, gradients[:3])
    assert first.iterations == 3
    second = pickle.loads(pickle.dumps(first))
    train(second, others, gradients[3:])
    same(parameters, others)
    assert everything(second) == everything(whole)


@every_optimizer
def test_zero_gradients_from_the_start_move_nothing(entry):
    parameters, _ = problem()
    start, optimizer = copy.deepcopy(parameters), entry.make(0.25, **entry.dyadic)
    with np.errstate(all="raise"):
        train(optimizer, parameters, [[np.zeros(shape) for shape in SHAPES]] * 3)
    kept = (1 - 0.25 * entry.dyadic.get("weight_decay", 0)) ** 3
    for p, was in zip(parameters, start, strict=True):
        np.testing.assert_allclose(p, kept * was, rtol=0 if kept == 1 else 1e-15)


@every_optimizer
def test_hyperparameters_out_of_range_are_named(entry):
    for name in ("learning_rate", *entry.dyadic):
        share = name in ("momentum", "rho", "beta_1", "beta_2")
        least = "above" if name == "epsilon" else "of at least"
        message = f"^{name}: expected a number {least} 0{' and below 1' if share else ''}, got "
        for value in [-1e-300, np.nan, 1 if share else np.inf, *[0] * (name == "epsilon")]:
            with pytest.raises(ValueError, match=message):
                entry.make(**{name: value})
        for value in [1e-300 if name == "epsilon" else 0, 0.999999 if share else 7]:
            assert getattr(entry.make(**{name: value}), name) == value
    with pytest.raises(ValueError, match=r"^epsilon: expected a number"):  # only a rate can be one
        Adam(epsilon=lambda t: 0.1)


# What the book says of single steps


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
        np.testing.assert_allclose(optimizer.state[0]["velocity"], v, rtol=0, atol=1e-14)


@pytest.mark.equation("bias-correction")
def test_means_of_a_constant_gradient_start_too_small_by_a_known_factor():
    p, g = np.zeros(3), np.array([0.02, -3.0, 40.0])
    optimizer = Adam(0.1, beta_1=0.7, beta_2=0.95, epsilon=1e-30)
    for t in range(1, 30):
        optimizer.step([p], [g])
        mean, mean_square = optimizer.state[0]["mean"], optimizer.state[0]["mean_square"]
        np.testing.assert_allclose(mean, (1 - 0.7**t) * g, rtol=1e-14)
        np.testing.assert_allclose(mean_square, (1 - 0.95**t) * g**2, rtol=1e-14)
        # Corrected, so that every step is the learning rate.
        np.testing.assert_allclose(p, -0.1 * t * np.sign(g), rtol=1e-13)


@pytest.mark.equation("adagrad-step")
def test_adagrad_slows_down_like_one_over_the_root_of_t():
    p, g = np.zeros(3), np.array([0.02, -3.0, 40.0])
    optimizer = Adagrad(0.1, initial_accumulator_value=0, epsilon=1e-30)
    for t in range(1, 30):
        before = p.copy()
        optimizer.step([p], [g])
        np.testing.assert_allclose(before - p, 0.1 / math.sqrt(t) * np.sign(g), rtol=1e-13)


# What the book says of steepness, noise, and a floor


def descend(optimizer, curvature, updates):
    """Return where the optimizer goes on curvature · w² / 2 from 1."""
    p, path = np.array([1.0]), [1.0]
    for _ in range(updates):
        optimizer.step([p], [curvature * p])
        path.append(p.item())
    return path


@pytest.mark.equation("stability-bound")
@pytest.mark.parametrize("curvature", [0.02, 4.0, 300.0])
def test_gradient_descent_converges_below_the_bound_only(curvature):
    bound = 2 / curvature
    for share, factor in [(0.01, 0.98), (0.5, 0.0), (0.99, -0.98), (1.01, -1.02)]:
        path = descend(SGD(share * bound), curvature, 400)
        assert path[:9] == pytest.approx([factor**t for t in range(9)], abs=1e-14)
        assert abs(path[-1]) < 1e-3 if share < 1 else path[-1] > 1e3
    assert descend(SGD(2 / 4.0), 4.0, 100) == [1.0, -1.0] * 50 + [1.0]


def iteration_matrix(rate, momentum, curvature):
    """Return the matrix that takes position and velocity one update further, column by column."""
    columns = []
    for w, v in [(1.0, 0.0), (0.0, 1.0)]:
        p, velocity = np.array([w]), np.array([v])
        optimizer = Momentum(rate, momentum)
        optimizer.state = [{"velocity": velocity}]
        optimizer.step([p], [curvature * p])
        columns.append([p.item(), velocity.item()])
    return np.array(columns).T


@pytest.mark.equation("momentum-stability")
@pytest.mark.parametrize("curvature", [0.02, 4.0, 300.0])
@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.9, 0.99])
def test_momentum_moves_the_bound(momentum, curvature):
    bound = 2 * (1 + momentum) / curvature

    def radius(rate):
        M = iteration_matrix(rate, momentum, curvature)
        # Its eigenvalues are the roots of z² - (1 + μ - ηλ) z + μ.
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
    # ξ = ±s: all 2^13 sequences are followed, so the variance is exact. After n updates (1/4)^2n of
    # the floor is missing.
    curvature, s, updates = 2.0, 0.3, 13
    xi = s * np.array(list(itertools.product([-1.0, 1.0], repeat=updates)))
    w, optimizer, variance = np.zeros(len(xi)), SGD(rate), 0.0
    sigma = curvature * s  # of the gradient's noise
    floor = rate * sigma**2 / (curvature * (2 - rate * curvature))
    for t in range(updates):
        optimizer.step([w], [curvature * (w - xi[:, t])])
        variance = (1 - rate * curvature) ** 2 * variance + (rate * sigma) ** 2
        assert np.mean(w) == pytest.approx(0, abs=1e-15)
        assert np.mean(w**2) == pytest.approx(variance, rel=1e-13)
        assert variance == pytest.approx(floor * (1 - 0.25 ** (2 * t + 2)), rel=1e-13)


@pytest.mark.equation("least-squares-floor")
def test_no_linear_network_gets_below_least_squares():
    X, T = datasets.toy_points()
    best = np.linalg.lstsq(X, T, rcond=None)[0]
    floor = np.mean((X @ best - T) ** 2)
    assert round(floor, 8) == 0.38356051
    (a, b), (_, d) = X.T @ X  # and by hand: Xᵀ X w = Xᵀ T, two equations
    t, u = X.T @ T
    normal = np.array([t * d - b * u, a * u - b * t]) / (a * d - b * b)
    np.testing.assert_allclose(best, normal, rtol=1e-13)

    rng = np.random.default_rng(0)
    parameters, optimizer = [rng.normal(size=(2, 3)), rng.normal(size=(3, 1))], Momentum(0.05)
    for _ in range(1500):
        W1, W2 = parameters
        delta = 2 * (X @ W1 @ W2 - T) / len(X)
        assert np.mean((X @ W1 @ W2 - T) ** 2) > floor - 1e-15
        optimizer.step(parameters, [X.T @ delta @ W2.T, (X @ W1).T @ delta])
    assert np.mean((X @ W1 @ W2 - T) ** 2) == pytest.approx(floor, rel=1e-9)


# Steps that are refused and change nothing

W, B = np.ones((2, 3)), np.ones(3)
F, FROZEN, MASKED = W.astype(np.float32), np.ones(3), np.ma.array(B, mask=[0, 0, 1])
FROZEN.flags.writeable = False


@pytest.mark.parametrize(
    ("parameters", "gradients", "message"),
    [
        ([], [], "parameters: expected at least one, got none"),
        ([W, B], [W], "gradients: expected one for each of 2 parameters, got 1 for 2"),
        ([W], [W, B], "gradients: expected one for each of 1 parameters, got 2 for 1"),
        ([W, B.astype(np.float16)], [W, B], r"parameter 1: .* got float16 \(3,\)$"),
        ([W, FROZEN], [W, B], r"parameter 1: .* that can be .*, got float64 \(3,\), read-only$"),
        ([W, MASKED], [W, B], "without a mask"),
        ([W, B], [W, MASKED], "without a mask"),
        # These would be changed nowhere.
        (B, B, "parameter 0: expected an array of float32 or float64 .*, got a float64$"),
        ([W, [1.0]], [W, np.ones(1)], "parameter 1: expected an array .*, got a list$"),
        (
            [W],
            [F],
            r"gradient 0: expected float64 \(2, 3\) like the parameter, got float32 \(2, 3\)$",
        ),
        # NumPy would broadcast each of these.
        (
            [W],
            [B],
            r"gradient 0: expected float64 \(2, 3\) like the parameter, got float64 \(3,\)$",
        ),
        ([W, B], [W, 1.0], r"gradient 1: expected float64 \(3,\) .*, got float64 \(\)$"),
        ([W, B], [W, np.ones((1, 3))], r"gradient 1: expected .* got float64 \(1, 3\)$"),
        # These would be changed twice, or change a gradient that is yet to be used.
        ([B, B], [B + 1, B + 1], "parameter 1: expected memory that no other"),
        ([W, W.T], [W + 1, W.T + 1], "parameter 1: expected memory that no other"),
        ([W, B], [B + W, W[1]], "parameter 0: expected memory that no other"),
        ([B], [B], "parameter 0: expected memory that no other"),
    ],
)
def test_bad_steps_are_refused(parameters, gradients, message):
    calls = []
    optimizer = Adam(lambda t: calls.append(t) or 0.1)
    before = [np.array(p) for p in parameters]
    with pytest.raises(ValueError, match=message):
        optimizer.step(parameters, gradients)
    assert (everything(optimizer), calls) == ((0, []), [])
    same([np.array(p) for p in parameters], before)


@pytest.mark.parametrize("make", [SGD, Adam])
def test_an_optimizer_belongs_to_its_parameters(make):
    optimizer = make()
    optimizer.step([W.copy(), B.copy()], [W, B])
    before = everything(optimizer)
    for strangers, message in [
        ([W], "gradients: expected one for each of 2 parameters, got 1 for 1"),
        ([W, B, B], "gradients: expected one for each of 2 parameters, got 3 for 3"),
        ([], "parameters: expected at least one, got none"),
        ([B, W], r"mean 0: expected float64 \(3,\) like the parameter, got .* \(2, 3\)"),
        ([F, B], r"mean 0: expected float32 \(2, 3\) .*, got float64 \(2, 3\)"),
    ][: None if make is Adam else 3]:
        copies = [p.copy() for p in strangers]
        with pytest.raises(ValueError, match=message):
            optimizer.step(copies, strangers)
        assert everything(optimizer) == before
        same(copies, strangers)


def test_every_other_column_can_be_a_parameter():
    whole = np.arange(12.0).reshape(3, 4)
    parts, g = [whole[:, ::2], whole[:, 1::2]], np.array([[1.0, -2], [3, -4], [5, -6]])
    copies = [p.copy() for p in parts]
    Adam().step(parts, [g, 2 * g])
    Adam().step(copies, [g, 2 * g])
    same(parts, copies)


def test_a_schedule_must_return_a_rate():
    def fails(t):
        raise RuntimeError("expected a number of at least 0, but failed")

    returned = [-1.0, np.nan, np.inf, None, "0.1", np.array(-0.5)]
    for schedule in [fails, *(lambda t, rate=rate: rate for rate in returned)]:
        w, optimizer = np.ones(2), Momentum(PiecewiseConstantDecay([3], [0.125, 1]))
        optimizer.step([w], [np.ones(2)])
        before, optimizer.learning_rate = everything(optimizer), schedule
        with pytest.raises((ValueError, RuntimeError), match="expected a number of at least 0"):
            optimizer.step([w], [np.ones(2)])
        assert (everything(optimizer), w.tolist()) == (before, [0.875, 0.875])


def test_an_optimizer_without_a_formula_says_so():
    with pytest.raises(NotImplementedError):
        Optimizer(0.1).step([np.ones(1)], [np.ones(1)])


# Clipping


@pytest.mark.equation("clip")
@pytest.mark.parametrize("limit", [0.01, 1.0, 2.0, 1000.0])
def test_clipping_is_its_formula(limit):
    gradients = problem()[1][0]
    numbers = [x for g in gradients for x in g.ravel().tolist()]
    length = math.sqrt(sum(x * x for x in numbers))
    clipped, norm = clip_by_global_norm(gradients, limit)
    assert [g.shape for g in clipped] == SHAPES
    assert norm == global_norm(gradients) == pytest.approx(length, rel=1e-15)
    mine = [x for g in clipped for x in g.ravel().tolist()]
    assert mine == pytest.approx([x * min(1, limit / length) for x in numbers], rel=1e-15)
    assert not any(np.shares_memory(c, g) for c, g in zip(clipped, gradients, strict=True))


def test_clipping_in_round_numbers():
    for limit, factor in [(2.5, 0.5), (5.0, 1), (5.5, 1), (1e300, 1)]:
        clipped, norm = clip_by_global_norm([[3.0], [[0.0, -4.0]]], limit)
        assert norm == 5
        assert [c.tolist() for c in clipped] == [[3 * factor], [[0, -4 * factor]]]
    with np.errstate(all="raise"):
        for gradients in ([[0.0, 0.0]], [[0.0], [[0.0]]], []):
            clipped, norm = clip_by_global_norm(gradients, 1e-300)
            assert ([g.tolist() for g in clipped], norm) == (gradients, 0)


@pytest.mark.parametrize("limit", [1.0, np.float64(1), np.float32(1), 1e35])
def test_clipping_large_float32(limit):
    g = [np.full(4, 1e30, np.float32), np.full((2, 6), -1e30, np.float32)]
    with np.errstate(all="raise"):
        clipped, norm = clip_by_global_norm(g, limit)
    assert (type(norm), [c.dtype for c in clipped]) == (float, [np.float32] * 2)
    assert norm == pytest.approx(4e30, rel=1e-7)
    size = min(float(limit) / 4, 1e30)
    np.testing.assert_allclose(clipped[1], np.full((2, 6), -size), rtol=1e-6)


def test_what_has_no_length_is_not_clipped():
    for gradients, limit, message in [
        ([[1.0]], 0, "^limit: expected a number above 0, got 0"),
        ([[1.0]], np.inf, "^limit: expected a number above 0, got inf"),
        ([[1.0], [np.nan, 1]], 1.0, r"^gradients\[1\]: expected finite numbers, got nan"),
        ([[1e200]], 1.0, "^gradients: expected a finite length, got inf"),
        ([MASKED], 1.0, r"^gradients\[0\]: expected an array without a mask"),
    ]:
        with np.errstate(over="ignore"), pytest.raises(ValueError, match=message):
            clip_by_global_norm(gradients, limit)
    assert type(global_norm([])) is float
    with pytest.raises(ValueError, match=r"^arrays\[1\]: expected float32 or float64, got int64"):
        global_norm([[1.0], [2]])
