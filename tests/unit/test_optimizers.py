"""Optimizers against loops over Python floats, and what the book says of their steps."""

import inspect
import itertools
import math
from dataclasses import MISSING, dataclass, fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backprop import datasets, optimizers, schedules
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
)

# The textbook's formulas for one number: w after each update. Each takes the gradient and the
# learning rate of every update, and hyper-parameters spelled as in the package.


def sgd(w, gradients, rates):
    for g, rate in zip(gradients, rates, strict=True):
        w = w - rate * g
        yield w


def heavy_ball(w, gradients, rates, momentum):
    v = 0.0
    for g, rate in zip(gradients, rates, strict=True):
        v = momentum * v - rate * g
        w = w + v
        yield w


def nesterov(w, gradients, rates, momentum):
    v = 0.0
    for g, rate in zip(gradients, rates, strict=True):
        v = momentum * v - rate * g
        w = w + momentum * v - rate * g
        yield w


def adagrad(w, gradients, rates, initial_accumulator_value, epsilon):
    total = initial_accumulator_value
    for g, rate in zip(gradients, rates, strict=True):
        total = total + g**2
        w = w - rate * g / math.sqrt(total + epsilon)
        yield w


def rmsprop(w, gradients, rates, rho, epsilon):
    s = 0.0
    for g, rate in zip(gradients, rates, strict=True):
        s = rho * s + (1 - rho) * g**2
        w = w - rate * g / math.sqrt(s + epsilon)
        yield w


def adadelta(w, gradients, rates, rho, epsilon):
    s = u = 0.0
    for g, rate in zip(gradients, rates, strict=True):
        s = rho * s + (1 - rho) * g**2
        step = math.sqrt(u + epsilon) / math.sqrt(s + epsilon) * g
        u = rho * u + (1 - rho) * step**2
        w = w - rate * step
        yield w


def adam(w, gradients, rates, beta_1, beta_2, epsilon, weight_decay=0.0):
    m = s = 0.0
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), 1):
        m = beta_1 * m + (1 - beta_1) * g
        s = beta_2 * s + (1 - beta_2) * g**2
        m_hat, s_hat = m / (1 - beta_1**t), s / (1 - beta_2**t)
        e_hat = epsilon / math.sqrt(1 - beta_2**t)  # added before the correction, as in Keras
        w = w - rate * (m_hat / (math.sqrt(s_hat) + e_hat) + weight_decay * w)
        yield w


# Every constant is large enough to matter.
CASES = [
    pytest.param(SGD, sgd, {}, marks=pytest.mark.equation("sgd")),
    pytest.param(Momentum, heavy_ball, {"momentum": 0.7}, marks=pytest.mark.equation("momentum")),
    pytest.param(Nesterov, nesterov, {"momentum": 0.7}, marks=pytest.mark.equation("nesterov")),
    pytest.param(
        Adagrad,
        adagrad,
        {"initial_accumulator_value": 0.6, "epsilon": 0.2},
        marks=pytest.mark.equation("adagrad"),
    ),
    pytest.param(
        RMSProp, rmsprop, {"rho": 0.7, "epsilon": 0.2}, marks=pytest.mark.equation("rmsprop")
    ),
    pytest.param(
        Adadelta, adadelta, {"rho": 0.7, "epsilon": 0.2}, marks=pytest.mark.equation("adadelta")
    ),
    pytest.param(
        Adam,
        adam,
        {"beta_1": 0.7, "beta_2": 0.8, "epsilon": 0.2},
        marks=pytest.mark.equation("adam"),
    ),
    pytest.param(
        AdamW,
        adam,
        {"beta_1": 0.7, "beta_2": 0.8, "epsilon": 0.2, "weight_decay": 0.4},
        marks=pytest.mark.equation("adamw"),
    ),
]
EVERY = [SGD, Momentum, Nesterov, Adagrad, RMSProp, Adadelta, Adam, AdamW]
every_optimizer = pytest.mark.parametrize("make", EVERY)
with_slots = pytest.mark.parametrize("make", EVERY[1:])
SHAPES = [(2, 3), (4,), (), (4,)]


def problem(updates=6, dtype=np.float64, seed=0):
    """Return parameters, and the gradients of each update: of all sizes and both signs."""
    rng = np.random.default_rng(seed)
    parameters = [rng.normal(size=shape).astype(dtype) for shape in SHAPES]
    gradients = [
        [np.asarray(rng.normal(0, 10.0 ** rng.integers(-2, 2), shape), dtype) for shape in SHAPES]
        for _ in range(updates)
    ]
    return parameters, gradients


def everything(optimizer):
    """Return all that an optimizer keeps, in lists."""
    return optimizer.iterations, [{s: a.tolist() for s, a in d.items()} for d in optimizer.state]


def test_no_optimizer_is_left_out():
    classes = {c for _, c in inspect.getmembers(optimizers, inspect.isclass)}
    assert {c for c in classes if issubclass(c, Optimizer)} == {Optimizer, *EVERY}
    assert [case.values[0] for case in CASES] == EVERY
    for make, formula, constants in (case.values for case in CASES):
        assert {"learning_rate", *constants} == {f.name for f in fields(make) if f.init}
        assert {"w", "gradients", "rates", *constants} <= {*inspect.signature(formula).parameters}


# The book's equations


@pytest.mark.parametrize("scheduled", [False, True])
@pytest.mark.parametrize(("make", "formula", "constants"), CASES)
def test_updates_are_their_formula(make, formula, constants, scheduled):
    parameters, gradients = problem()
    start = [p.copy() for p in parameters]
    rates = [0.3 / (1 + t * scheduled) for t in range(len(gradients))]
    optimizer = make(rates.__getitem__ if scheduled else 0.3, **constants)
    path = []
    for g in gradients:
        optimizer.step(parameters, g)
        path.append([p.copy() for p in parameters])
    for i, shape in enumerate(SHAPES):
        for place in np.ndindex(shape):
            slopes = [float(g[i][place]) for g in gradients]
            expected = formula(float(start[i][place]), slopes, rates, **constants)
            mine = [float(p[i][place]) for p in path]
            assert mine == pytest.approx(list(expected), rel=1e-13, abs=1e-14)


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
    g = np.array([0.02, -3.0, 40.0])
    p, optimizer = np.ones(3), Adam(beta_1=0.7, beta_2=0.95)
    for t in range(1, 30):
        optimizer.step([p], [g])
        mean, mean_square = optimizer.state[0]["mean"], optimizer.state[0]["mean_square"]
        np.testing.assert_allclose(mean, (1 - 0.7**t) * g, rtol=1e-14)
        np.testing.assert_allclose(mean_square, (1 - 0.95**t) * g**2, rtol=1e-14)
        np.testing.assert_allclose(mean / (1 - 0.7**t), g, rtol=1e-14)


@pytest.mark.equation("bias-correction")
def test_every_step_of_adam_on_a_constant_gradient_is_the_learning_rate():
    p, g = np.zeros(3), np.array([0.02, -3.0, 40.0])
    optimizer = Adam(0.1, beta_1=0.7, beta_2=0.95, epsilon=1e-30)
    for t in range(1, 30):
        optimizer.step([p], [g])
        np.testing.assert_allclose(p, -0.1 * t * np.sign(g), rtol=1e-13)


@pytest.mark.equation("adagrad-step")
def test_adagrad_slows_down_like_one_over_the_root_of_t():
    p, g = np.zeros(3), np.array([0.02, -3.0, 40.0])
    optimizer = Adagrad(0.1, initial_accumulator_value=0, epsilon=1e-30)
    for t in range(1, 30):
        before = p.copy()
        optimizer.step([p], [g])
        np.testing.assert_allclose(before - p, 0.1 / math.sqrt(t) * np.sign(g), rtol=1e-13)


@pytest.mark.equation("clip")
@pytest.mark.parametrize("limit", [0.01, 1.0, 2.0, 100.0])
def test_clipping_is_its_formula(limit):
    gradients = problem()[1][0]
    numbers = [x for g in gradients for x in g.ravel().tolist()]
    length = math.sqrt(sum(x * x for x in numbers))
    clipped, norm = clip_by_global_norm(gradients, limit)
    assert [g.shape for g in clipped] == SHAPES
    assert norm == pytest.approx(length, rel=1e-15)
    mine = [x for g in clipped for x in g.ravel().tolist()]
    assert mine == pytest.approx([x * min(1, limit / length) for x in numbers], rel=1e-15)


# What the book says of steepness, noise, and a floor


def descend(optimizer, curvature, updates, w=1.0):
    """Return where the optimizer goes on curvature · w² / 2."""
    p, path = np.array([w]), [w]
    for _ in range(updates):
        optimizer.step([p], [curvature * p])
        path.append(p.item())
    return path


@pytest.mark.equation("stability-bound")
@pytest.mark.parametrize("curvature", [0.02, 4.0, 300.0])
@pytest.mark.parametrize(("share", "factor"), [(0.01, 0.98), (0.5, 0.0), (0.99, -0.98)])
def test_gradient_descent_converges_below_the_bound(curvature, share, factor):
    path = descend(SGD(share * 2 / curvature), curvature, 400)
    assert path[:9] == pytest.approx([factor**t for t in range(9)], abs=1e-14)
    assert abs(path[-1]) < 1e-3


@pytest.mark.equation("stability-bound")
def test_gradient_descent_oscillates_at_the_bound_and_diverges_beyond():
    assert descend(SGD(2 / 4.0), 4.0, 100) == [1.0, -1.0] * 50 + [1.0]
    path = descend(SGD(1.01 * 2 / 4.0), 4.0, 400)
    assert path[:9] == pytest.approx([(-1.02) ** t for t in range(9)], rel=1e-13)
    assert path[-1] > 1e3


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


@pytest.mark.parametrize("momentum", [0.3, 0.9])
def test_momentum_converges_below_its_bound_and_diverges_beyond(momentum):
    bound = 2 * (1 + momentum) / 4.0
    assert abs(descend(Momentum(0.95 * bound, momentum), 4.0, 400)[-1]) < 1e-6
    assert abs(descend(Momentum(1.05 * bound, momentum), 4.0, 400)[-1]) > 1e3


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
    assert variance == pytest.approx(floor, rel=1e-13)


@pytest.mark.equation("least-squares-floor")
def test_no_linear_network_gets_below_least_squares():
    X, T = datasets.toy_points()
    best = np.linalg.lstsq(X, T, rcond=None)[0]
    floor = np.mean((X @ best - T) ** 2)
    assert round(floor, 8) == 0.38356051

    # By hand: Xᵀ X w = Xᵀ T, two equations.
    (a, b, t), (_, d, u) = (
        [sum(x * y for x, y in zip(row, other, strict=True)) for other in (*X.T, T[:, 0])]
        for row in X.T
    )
    normal = np.array([[t * d - b * u], [a * u - b * t]]) / (a * d - b * b)
    np.testing.assert_allclose(best, normal, rtol=1e-13)

    rng = np.random.default_rng(0)
    parameters = [rng.normal(size=(2, 3)), rng.normal(size=(3, 1))]
    optimizer = Momentum(0.05)
    for _ in range(1500):
        W1, W2 = parameters
        delta = 2 * (X @ W1 @ W2 - T) / len(X)
        assert np.mean((X @ W1 @ W2 - T) ** 2) > floor - 1e-15
        optimizer.step(parameters, [X.T @ delta @ W2.T, (X @ W1).T @ delta])
    assert np.mean((X @ W1 @ W2 - T) ** 2) == pytest.approx(floor, rel=1e-9)


# Single steps

TINY = 1e-60
RATE = 0.1


@pytest.mark.parametrize("g", [0.002, -3.0, 4000.0])
@pytest.mark.parametrize(
    ("optimizer", "size"),
    [
        (lambda: SGD(RATE), lambda g: RATE * abs(g)),
        (lambda: Momentum(RATE, 0.7), lambda g: RATE * abs(g)),
        (lambda: Nesterov(RATE, 0.7), lambda g: 1.7 * RATE * abs(g)),
        (lambda: Adagrad(RATE, 0, TINY), lambda g: RATE),
        (lambda: RMSProp(RATE, 0.75, TINY), lambda g: RATE / math.sqrt(1 - 0.75)),
        (lambda: Adadelta(RATE, 0.75, TINY), lambda g: RATE * math.sqrt(TINY / (1 - 0.75))),
        (lambda: Adam(RATE, 0.7, 0.8, TINY), lambda g: RATE),
        (lambda: AdamW(RATE, 0.7, 0.8, TINY), lambda g: RATE),  # where the parameter is 0
    ],
)
def test_first_step(optimizer, size, g):
    p = np.zeros(1)
    optimizer().step([p], [np.array([g])])
    assert p.item() == pytest.approx(-math.copysign(size(g), g), rel=1e-13, abs=0)


def test_the_defaults_are_those_of_keras():
    def defaults(make):
        return {f.name: f.default for f in fields(make) if f.init and f.default is not MISSING}

    ours = {make.__name__: defaults(make) for make in EVERY}
    assert ours == {
        "SGD": {"learning_rate": 0.01},
        "Momentum": {"learning_rate": 0.01, "momentum": 0.9},
        "Nesterov": {"learning_rate": 0.01, "momentum": 0.9},
        "Adagrad": {"learning_rate": 0.001, "initial_accumulator_value": 0.1, "epsilon": 1e-7},
        "RMSProp": {"learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-7},
        "Adadelta": {"learning_rate": 0.001, "rho": 0.95, "epsilon": 1e-7},
        "Adam": {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
        "AdamW": {
            "learning_rate": 0.001,
            "beta_1": 0.9,
            "beta_2": 0.999,
            "epsilon": 1e-7,
            "weight_decay": 0.004,
        },
    }


# Zero gradients


@every_optimizer
def test_zero_gradients_from_the_start_move_nothing(make):
    parameters, _ = problem()
    before = [p.copy() for p in parameters]
    optimizer = make(0.3)
    with np.errstate(all="raise"):
        for _ in range(3):
            optimizer.step(parameters, [np.zeros(shape) for shape in SHAPES])
    shrunk = (1 - 0.3 * 0.004) ** 3 if make is AdamW else 1
    for p, start in zip(parameters, before, strict=True):
        np.testing.assert_allclose(p, shrunk * start, rtol=0 if shrunk == 1 else 1e-15)


@pytest.mark.parametrize("make", [SGD, Adagrad, RMSProp, Adadelta])
def test_zero_gradients_stop_what_has_no_momentum(make):
    p, optimizer = np.ones(2), make(0.3)
    optimizer.step([p], [np.array([1.0, -2.0])])
    there = p.copy()
    for _ in range(3):
        optimizer.step([p], [np.zeros(2)])
        np.testing.assert_array_equal(p, there)


@pytest.mark.parametrize("make", [Momentum, Nesterov])
def test_momentum_coasts(make):
    p, optimizer = np.zeros(1), make(0.5, 0.75)
    optimizer.step([p], [np.ones(1)])
    for t in range(1, 6):
        before = p.item()
        optimizer.step([p], [np.zeros(1)])
        power = t if make is Momentum else t + 1
        assert p.item() - before == pytest.approx(-0.5 * 0.75**power, rel=1e-14)


def test_adam_coasts():
    p, optimizer = np.zeros(1), Adam(0.5, 0.75, 0.9, 1e-30)
    optimizer.step([p], [np.ones(1)])
    for t in range(2, 6):
        before = p.item()
        optimizer.step([p], [np.zeros(1)])
        mean = 0.25 * 0.75 ** (t - 1) / (1 - 0.75**t)
        mean_square = 0.1 * 0.9 ** (t - 1) / (1 - 0.9**t)
        assert before - p.item() == pytest.approx(0.5 * mean / math.sqrt(mean_square), rel=1e-13)


def test_weight_decay_does_not_go_through_the_gradient():
    # The step of Adam is the same wherever the parameter is; that of L2 is not.
    g, start = np.full(3, 0.5), np.array([-7.0, 0.0, 2.0])
    p, optimizer = start.copy(), AdamW(0.1, weight_decay=0.5)
    q, plain = start.copy(), Adam(0.1)
    optimizer.step([p], [g])
    plain.step([q], [g])
    np.testing.assert_allclose(q - p, 0.1 * 0.5 * start, rtol=1e-14, atol=1e-15)
    assert everything(optimizer) == everything(plain)


# What holds for every optimizer


@every_optimizer
def test_float32_stays_float32(make):
    exact, gradients = problem(20)
    single, single_gradients = problem(20, np.float32)
    optimizer, other = make(np.float64(0.01)), make(0.01)
    for name in [f.name for f in fields(make) if f.init]:
        setattr(optimizer, name, np.float64(getattr(optimizer, name)))
    for g, h in zip(gradients, single_gradients, strict=True):
        optimizer.step(single, h)
        other.step(exact, g)
    slots = [a for d in optimizer.state for a in d.values()]
    assert {a.dtype for a in [*single, *slots]} == {np.dtype(np.float32)}
    for p, q in zip(single, exact, strict=True):
        np.testing.assert_allclose(p, q, rtol=2e-6, atol=2e-6)


@every_optimizer
def test_arrays_are_changed_in_place(make):
    parameters, gradients = problem()
    optimizer, before = make(0.3), [p.copy() for p in parameters]
    given = list(parameters)
    optimizer.step(parameters, gradients[0])
    slots = [a for d in optimizer.state for a in d.values()]
    contents = [a.copy() for a in slots]
    optimizer.step(parameters, gradients[1])
    assert all(p is q for p, q in zip(parameters, given, strict=True))
    assert all((p != q).all() for p, q in zip(parameters, before, strict=True))
    after = [a for d in optimizer.state for a in d.values()]
    assert all(a is b for a, b in zip(after, slots, strict=True))
    assert all((a != b).all() for a, b in zip(after, contents, strict=True))


@every_optimizer
def test_part_of_an_array_can_be_a_parameter(make):
    whole, copy = np.arange(12.0).reshape(3, 4), np.arange(12.0).reshape(3, 4)[:, ::2].copy()
    g = np.array([[1.0, -2], [3, -4], [5, -6]])
    make(0.3).step([whole[:, ::2]], [g])
    make(0.3).step([copy], [g])
    np.testing.assert_array_equal(whole[:, ::2], copy)
    np.testing.assert_array_equal(whole[:, 1::2], np.arange(12.0).reshape(3, 4)[:, 1::2])


@every_optimizer
def test_gradients_are_left_alone_and_not_kept(make):
    parameters, gradients = problem()
    reused, _ = problem()
    one, other = make(0.3), make(0.3)
    buffers = [np.empty(shape) for shape in SHAPES]
    for g in gradients:
        for buffer, values in zip(buffers, g, strict=True):
            buffer[...] = values
        one.step(parameters, g)
        other.step(reused, buffers)
        for buffer, values in zip(buffers, g, strict=True):
            np.testing.assert_array_equal(buffer, values)
            buffer[...] = np.nan
    for p, q in zip(parameters, reused, strict=True):
        np.testing.assert_array_equal(p, q)


@every_optimizer
def test_every_parameter_has_its_own_state(make):
    together, gradients = problem()
    alone, _ = problem()
    optimizer, single = make(0.3), [make(0.3) for _ in SHAPES]
    for g in gradients:
        optimizer.step(together, g)
        for i, own in enumerate(single):
            own.step(alone[i : i + 1], g[i : i + 1])
    for p, q in zip(together, alone, strict=True):
        np.testing.assert_array_equal(p, q)
    assert len(optimizer.state) == len(SHAPES)
    for d, own, shape in zip(optimizer.state, single, SHAPES, strict=True):
        assert tuple(d) == make.slots
        assert [a.shape for a in d.values()] == [shape] * len(make.slots)
        assert all((d[s] == own.state[0][s]).all() for s in make.slots)


@every_optimizer
def test_every_optimizer_has_its_own_state(make):
    one, other = make(0.3), make(0.3)
    parameters, gradients = problem()
    one.step(parameters, gradients[0])
    assert everything(other) == (0, [])
    assert all((a != 0).all() for d in one.state for a in d.values())


@every_optimizer
def test_updates_are_counted(make):
    parameters, gradients = problem()
    optimizer = make()
    for t, g in enumerate(gradients):
        assert optimizer.iterations == t
        optimizer.step(parameters, g)
    assert optimizer.iterations == len(gradients)


@every_optimizer
def test_a_schedule_is_asked_once_for_each_update(make):
    calls = []

    def schedule(t):
        calls.append(t)
        return 0.1

    parameters, gradients = problem()
    constant, _ = problem()
    optimizer, other = make(schedule), make(0.1)
    for g in gradients:
        optimizer.step(parameters, g)
        other.step(constant, g)
    assert calls == [0, 1, 2, 3, 4, 5]
    for p, q in zip(parameters, constant, strict=True):
        np.testing.assert_array_equal(p, q)


def test_a_schedule_of_the_package():
    p, optimizer = np.zeros(1), SGD(schedules.piecewise_constant([1], [1.0, 0.25]))
    for _ in range(4):
        optimizer.step([p], [np.ones(1)])
    assert p.item() == -(1 + 1 + 0.25 + 0.25)


def test_a_new_optimizer_is_fields_slots_and_a_formula():
    @dataclass
    class Signs(Optimizer):
        power: float = 0.5
        slots = ("count",)

        def update(self, p, g, rate, count):
            count += 1
            p -= rate * np.sign(g) / count**self.power

    p, optimizer = np.zeros(2), Signs(0.1, power=1.0)
    for _ in range(3):
        optimizer.step([p], [np.array([5.0, -0.2])])
    np.testing.assert_allclose(p, [-0.1 * (1 + 1 / 2 + 1 / 3), 0.1 * (1 + 1 / 2 + 1 / 3)])


def test_an_optimizer_without_a_formula_says_so():
    with pytest.raises(NotImplementedError):
        Optimizer(0.1).step([np.ones(1)], [np.ones(1)])


# Clipping


@given(
    st.lists(arrays(np.float64, 3, elements=st.floats(-1e6, 1e6)), min_size=1, max_size=4),
    st.floats(1e-3, 1e3),
)
def test_clipping_keeps_the_direction_and_makes_nothing_longer(gradients, limit):
    clipped, norm = clip_by_global_norm(gradients, limit)
    g, c = np.concatenate(gradients), np.concatenate(clipped)
    if norm <= limit:
        np.testing.assert_array_equal(c, g)
    else:
        assert np.linalg.norm(c) == pytest.approx(limit, rel=1e-14)
        np.testing.assert_allclose(c * norm, g * limit, rtol=1e-14, atol=1e-300)


def test_clipping_in_round_numbers():
    clipped, norm = clip_by_global_norm([[3.0], [[0.0, -4.0]]], 2.5)
    assert (norm, clipped[0].tolist(), clipped[1].tolist()) == (5, [1.5], [[0, -2]])
    for limit in (5.0, 5.5, 1e300):
        clipped, norm = clip_by_global_norm([[3.0], [[0.0, -4.0]]], limit)
        assert (norm, clipped[0].tolist(), clipped[1].tolist()) == (5, [3], [[0, -4]])


@pytest.mark.parametrize("gradients", [[[0.0, 0.0]], [[0.0], [[0.0]]], []])
def test_clipping_zero_gradients(gradients):
    with np.errstate(all="raise"):
        clipped, norm = clip_by_global_norm(gradients, 1e-300)
    assert norm == 0
    assert [g.tolist() for g in clipped] == gradients


@pytest.mark.parametrize("limit", [1.0, np.float64(1), np.float32(1), 1e35])
def test_clipping_large_float32(limit):
    g = [np.full(4, 1e30, np.float32), np.full((2, 6), -1e30, np.float32)]
    with np.errstate(all="raise"):
        clipped, norm = clip_by_global_norm(g, limit)
    assert type(norm) is float
    assert norm == pytest.approx(4e30, rel=1e-7)
    assert [c.dtype for c in clipped] == [np.float32] * 2
    size = min(float(limit) / 4, 1e30)
    np.testing.assert_allclose(clipped[0], np.full(4, size), rtol=1e-6)
    np.testing.assert_allclose(clipped[1], np.full((2, 6), -size), rtol=1e-6)


@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_clipping_returns_new_arrays(limit):
    g = np.array([3.0, 4.0])
    (clipped,), _ = clip_by_global_norm([g], limit)
    clipped[:] = 7
    assert g.tolist() == [3, 4]


@pytest.mark.parametrize("limit", [0, -1.0, np.nan, np.inf])
def test_clipping_wants_a_positive_limit(limit):
    with pytest.raises(ValueError, match=f"limit: expected a positive number, got {limit}"):
        clip_by_global_norm([np.ones(2)], limit)


@pytest.mark.parametrize(
    ("value", "length"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "inf"), (1e200, "inf")]
)
def test_clipping_refuses_what_has_no_length(value, length):
    with (
        np.errstate(over="ignore"),
        pytest.raises(ValueError, match=f"gradients: expected a finite length, got {length}"),
    ):
        clip_by_global_norm([np.ones(2), np.array([1.0, value])], 1.0)


# Bad input


@pytest.mark.parametrize(
    ("make", "name"),
    [(make, f.name) for make in EVERY for f in fields(make) if f.init],
)
def test_hyperparameters_out_of_range_are_named(make, name):
    below = "1" if name in ("momentum", "rho", "beta_1", "beta_2") else "inf"
    sign = "<" if name == "epsilon" else "<="
    bad = [-0.1, -1e-300, np.nan, np.inf, -np.inf]
    bad += [1, 1.5] if below == "1" else []
    bad += [0, 0.0] if name == "epsilon" else []
    for value in bad:
        message = f"^{name}: expected 0 {sign} {name} < {below}, got {value}$"
        with pytest.raises(ValueError, match=message):
            make(**{name: value})
    for value in [1e-300 if name == "epsilon" else 0, 0.999999] + [7.0] * (below == "inf"):
        assert getattr(make(**{name: value}), name) == value


@pytest.mark.parametrize("make", EVERY)
def test_hyperparameters_that_are_no_numbers_are_named(make):
    with pytest.raises(ValueError, match=r"^learning_rate: expected .* got '0.1'$"):
        make("0.1")


def test_only_the_learning_rate_has_a_schedule():
    with pytest.raises(ValueError, match=r"^momentum: expected .* got <function"):
        Momentum(0.1, lambda t: 0.9)


@pytest.mark.parametrize("rate", [-1.0, np.nan, np.inf])
def test_a_schedule_must_return_a_rate(rate):
    w, optimizer = np.ones(2), Adam(lambda t: rate)
    with pytest.raises(ValueError, match=f"expected the schedule to return a rate, got {rate}"):
        optimizer.step([w], [np.ones(2)])
    assert optimizer.iterations == 0
    assert not optimizer.state


def test_a_read_only_parameter_is_refused_before_anything_changes():
    first, second, optimizer = np.ones(2), np.ones(2), SGD()
    second.flags.writeable = False
    with pytest.raises(ValueError, match="parameter 1: expected an array to change"):
        optimizer.step([first, second], [np.ones(2), np.ones(2)])
    assert first.tolist() == [1, 1]
    assert optimizer.iterations == 0


W, B = np.ones((2, 3)), np.ones(3)


@every_optimizer
@pytest.mark.parametrize(
    ("parameters", "gradients", "message"),
    [
        ([], [], "parameters: expected at least one, got none"),
        ([W, B], [W], "gradients: expected one for each of 2 parameters, got 1 for 2"),
        ([W, B], [], "gradients: expected one for each of 2 parameters, got 0 for 2"),
        ([W], [W, B], "gradients: expected one for each of 1 parameters, got 2 for 1"),
        ([W.astype(int)], [W], "parameter 0: expected float32 or float64, got int64"),
        ([W, B.astype(np.float16)], [W, B], "parameter 1: expected float32 .* got float16"),
        ([W, B.astype(complex)], [W, B], "parameter 1: expected float32 .* got complex128"),
        ([W, B.astype(object)], [W, B], "parameter 1: expected float32 .* got object"),
        # These would be changed nowhere.
        (B, B, "parameter 0: expected an array, got float64"),
        ([W, 1.0], [W, 1.0], "parameter 1: expected an array, got float"),
        ([W, [1.0]], [W, np.ones(1)], "parameter 1: expected an array, got list"),
        ([W.astype(np.float32)], [W], r"parameter 0 is float32 \(2, 3\): .* got float64 \(2, 3\)"),
        ([W], [W.astype(np.float32)], r"parameter 0 is float64 \(2, 3\): .* got float32 \(2, 3\)"),
        ([W, B], [W, B.astype(int)], r"parameter 1 is float64 \(3,\): .* got int64 \(3,\)"),
        ([W, B], [W, None], r"parameter 1 is float64 \(3,\): .* got object \(\)"),
        ([W], [W.T], r"parameter 0 is float64 \(2, 3\): .* got float64 \(3, 2\)"),
        # NumPy would broadcast each of these.
        ([W], [B], r"parameter 0 is float64 \(2, 3\): .* got float64 \(3,\)"),
        ([W, B], [W, 1.0], r"parameter 1 is float64 \(3,\): .* got float64 \(\)"),
        ([W, B], [np.ones((1, 3)), B], r"parameter 0 is .* got float64 \(1, 3\)"),
        ([W, B], [W, np.ones((1, 3))], r"parameter 1 is .* got float64 \(1, 3\)"),
    ],
)
def test_bad_steps_are_refused_and_change_nothing(make, parameters, gradients, message):
    calls = []
    optimizer = make(lambda t: calls.append(t) or 0.1)
    before = [np.array(p) for p in parameters]
    with pytest.raises(ValueError, match=message):
        optimizer.step(parameters, gradients)
    assert everything(optimizer) == (0, [])
    assert calls == []
    for p, start in zip(parameters, before, strict=True):
        np.testing.assert_array_equal(p, start)


STRANGERS = [
    ([B, W], "to be alike"),
    ([W, np.ones(4)], "to be alike"),
    ([W, np.ones((1, 3))], "to be alike"),
    ([W.astype(np.float32), B.astype(np.float32)], "to be alike"),
    ([W], "gradients: expected one for each of 2 parameters, got 1 for 1"),
    ([W, B, B], "gradients: expected one for each of 2 parameters, got 3 for 3"),
    ([], "parameters: expected at least one, got none"),
]


@with_slots
@pytest.mark.parametrize(("parameters", "message"), STRANGERS)
def test_an_optimizer_belongs_to_its_parameters(make, parameters, message):
    optimizer = make()
    optimizer.step([W.copy(), B.copy()], [W, B])
    before, copies = everything(optimizer), [p.copy() for p in parameters]
    with pytest.raises(ValueError, match=message):
        optimizer.step(parameters, copies)
    assert everything(optimizer) == before
    for p, start in zip(parameters, copies, strict=True):
        np.testing.assert_array_equal(p, start)


def test_sgd_keeps_nothing_but_wants_as_many_parameters_as_before():
    optimizer = SGD()
    optimizer.step([W.copy(), B.copy()], [W, B])
    optimizer.step([B.copy(), W.copy()], [B, W])
    assert everything(optimizer) == (2, [{}, {}])
    for parameters, message in STRANGERS[4:]:
        with pytest.raises(ValueError, match=message):
            optimizer.step(parameters, parameters)


def test_a_schedule_that_fails_changes_nothing():
    def broken(t):
        raise RuntimeError("no rate")

    for schedule, error in [(broken, RuntimeError), (lambda t: None, TypeError)]:
        p, optimizer = np.ones(2), Momentum(schedule)
        with pytest.raises(error):
            optimizer.step([p], [np.ones(2)])
        assert everything(optimizer) == (0, [])
        assert p.tolist() == [1, 1]
