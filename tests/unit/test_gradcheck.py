"""The checks of gradients: they are exact enough, and each of them can fail."""

import cmath
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backprop import losses
from backprop.gradcheck import (
    COMPLEX_STEP,
    RELATIVE_STEP,
    agreement,
    complex_step_gradients,
    directional_slopes,
    numerical_gradients,
    relative_error,
    worst_entries,
)
from backprop.network import Network

# Central differences


@pytest.mark.equation("central-difference")
@pytest.mark.parametrize("x", [-300.0, -2.0, -0.1, 0.0, 0.5, 1.0, 40.0])
def test_central_difference_is_its_formula(x):
    h = np.finfo(float).eps ** (1 / 3) * max(1, abs(x))

    def cube(v):
        return v**3

    (slope,) = numerical_gradients(cube, x)
    formula = (cube(x + h) - cube(x - h)) / (2 * h)
    assert slope == pytest.approx(formula, rel=1e-9, abs=1e-10)
    # (x + h)³ - (x - h)³ = 6x²h + 2h³: unlike a one-sided difference, off by h² only.
    assert slope == pytest.approx(3 * x * x + h * h, rel=1e-9, abs=1e-10)


def test_step_is_the_cube_root_of_the_rounding_error():
    assert pytest.approx(6.0555e-6, rel=1e-4) == RELATIVE_STEP


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (np.sin, np.cos),
        (np.exp, np.exp),
        (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
        (np.log1p, lambda x: 1 / (1 + x)),
    ],
)
@pytest.mark.parametrize("x", [0.1, 0.7, 2.0])
def test_known_slopes(f, slope, x):
    (numerical,) = numerical_gradients(f, x)
    assert numerical == pytest.approx(slope(x), rel=1e-9)


@given(st.floats(1, 1e8), st.sampled_from([-1, 1]))
def test_step_grows_with_the_number(size, sign):
    # With a fixed step, x and x + h would be one number at 1e8, or nearly.
    (slope,) = numerical_gradients(lambda v: v * v / 2, sign * size)
    assert slope == pytest.approx(sign * size, rel=1e-9)


@pytest.mark.parametrize(
    ("gradients_of", "tolerance"), [(numerical_gradients, 1e-9), (complex_step_gradients, 1e-15)]
)
def test_every_argument_has_a_gradient_of_its_shape(gradients_of, tolerance):
    rng = np.random.default_rng(0)
    A, b, c = rng.normal(size=(2, 3)), rng.normal(size=3), rng.normal()
    gradients = gradients_of(lambda A, b, c: np.sum((A @ b) ** 2) * c, A, b, c)
    expected = [2 * c * np.outer(A @ b, b), 2 * c * A.T @ (A @ b), np.sum((A @ b) ** 2)]
    assert [g.shape for g in gradients] == [(2, 3), (3,), ()]
    for gradient, right in zip(gradients, expected, strict=True):
        assert gradient.dtype == np.float64
        assert relative_error(gradient, right) < tolerance


def test_one_entry_moves_at_a_time_and_both_ways():
    calls = []

    def f(a, b):
        calls.append((a.tolist(), b.tolist()))
        return 0.0

    numerical_gradients(f, [1.0, 20.0], [[-3.0]])
    moves = [np.array([*a, b[0][0]]) - [1.0, 20.0, -3.0] for a, b in calls]
    h = RELATIVE_STEP
    steps = [[h, 0, 0], [0, 20 * h, 0], [0, 0, 3 * h]]
    expected = [sign * np.array(step) for step in steps for sign in (1, -1)]
    np.testing.assert_allclose(moves, expected, atol=1e-14)


def test_arguments_are_copied():
    x = np.array([1.0, 2.0])
    x.flags.writeable = False
    (slope,) = numerical_gradients(lambda v: float(v @ v), x)
    np.testing.assert_allclose(slope, [2, 4], rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, int, bool, complex, object])
def test_arguments_that_are_not_float64_are_refused(dtype):
    message = f"argument 1 of f: expected float64, got {np.dtype(dtype)}"
    with pytest.raises(ValueError, match=message):
        numerical_gradients(lambda a, b: 0.0, [1.0], np.ones(2, dtype))


# The two errors of a difference

EPSILON = float(np.finfo(np.float64).eps)


def forward_difference(f, x, h):
    upper = x + h
    return (f(upper) - f(x)) / (upper - x)


def central_difference(f, x, h):
    upper, lower = x + h, x - h
    return (f(upper) - f(lower)) / (upper - lower)


@pytest.mark.equation("forward-difference")
@pytest.mark.parametrize("h", [1e-3, 1e-4, 1e-5])
@pytest.mark.parametrize(
    ("f", "x", "slope", "second"),
    [(math.exp, 1.0, math.e, math.e), (math.sin, 0.7, math.cos(0.7), -math.sin(0.7))],
)
def test_error_of_a_forward_difference(f, x, slope, second, h):
    error = forward_difference(f, x, h) - slope
    assert error == pytest.approx(h * second / 2, rel=0.01)


@pytest.mark.equation("forward-difference")
@pytest.mark.parametrize("h", [1e-11, 1e-12, 1e-13])
def test_rounding_error_of_a_forward_difference(h):
    # One error is a matter of luck; of a hundred, the largest is near the bound.
    points = np.linspace(1, 1.5, 100).tolist()
    errors = [abs(forward_difference(math.exp, x, h) - math.exp(x)) for x in points]
    bounds = [EPSILON * math.exp(x) / h for x in points]
    assert 0.1 < max(e / b for e, b in zip(errors, bounds, strict=True)) < 1.5


@pytest.mark.equation("truncation-error")
@pytest.mark.parametrize("h", [1e-2, 1e-3])
@pytest.mark.parametrize(
    ("f", "x", "slope", "third"),
    [(math.exp, 1.0, math.e, math.e), (math.sin, 0.7, math.cos(0.7), -math.cos(0.7))],
)
def test_truncation_error_of_a_central_difference(f, x, slope, third, h):
    error = central_difference(f, x, h) - slope
    assert error == pytest.approx(h**2 * third / 6, rel=0.01)


@pytest.mark.equation("best-step")
@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_best_step_has_the_least_bound(f, third):
    def bound(h):
        return EPSILON * f / h + h**2 * third / 6

    best = (3 * EPSILON * f / third) ** (1 / 3)
    for factor in [1e-3, 0.1, 0.5, 0.9, 0.99, 1.01, 1.1, 2, 10, 1e3]:
        assert bound(factor * best) > bound(best)
    # The slope of the bound vanishes.
    assert EPSILON * f / best**2 == pytest.approx(best * third / 3, rel=1e-14, abs=0)


@pytest.mark.equation("best-step")
def test_steps_far_from_the_best_are_worse():
    # exp is its own third derivative. One error may be small by luck, so take a hundred.
    def worst(h):
        points = np.linspace(0.5, 1.5, 100).tolist()
        return max(abs(central_difference(math.exp, x, h) / math.exp(x) - 1) for x in points)

    best = (3 * EPSILON) ** (1 / 3)
    assert worst(best) < 1e-10
    for factor in [1e-2, 0.1, 10, 100]:
        assert worst(factor * best) > 3 * worst(best)
    # RELATIVE_STEP leaves out the 3, which costs nothing.
    assert worst(RELATIVE_STEP) < 2 * worst(best)


# Complex steps


@pytest.mark.equation("complex-step")
@pytest.mark.parametrize(
    ("f", "by_cmath"),
    [
        (np.sin, cmath.sin),
        (np.exp, cmath.exp),
        (np.tanh, cmath.tanh),
        (lambda z: z**3 / (1 + z), lambda z: z**3 / (1 + z)),
    ],
)
@pytest.mark.parametrize("x", [-2.0, 0.1, 0.7, 3.0])
def test_complex_step_is_its_formula(f, by_cmath, x):
    (slope,) = complex_step_gradients(f, x)
    h = 1e-100
    assert slope == pytest.approx(by_cmath(complex(x, h)).imag / h, rel=1e-14, abs=0)


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (np.sin, math.cos),
        (np.exp, math.exp),
        (np.log, lambda x: 1 / x),
        (np.sqrt, lambda x: 0.5 / math.sqrt(x)),
        (lambda z: z**3, lambda x: 3 * x * x),
    ],
)
@pytest.mark.parametrize("x", [1e-6, 0.1, 0.7, 2.0, 300.0])
def test_complex_steps_are_exact_to_rounding(f, slope, x):
    (complex_step,) = complex_step_gradients(f, x)
    assert complex_step == pytest.approx(slope(x), rel=5e-15, abs=0)


def test_complex_steps_do_not_cancel():
    # The slope of 1 + x³ at 1e-8 is 3e-16; beside 1, differences cannot see it.
    (slope,) = complex_step_gradients(lambda z: 1 + z**3, 1e-8)
    assert slope == pytest.approx(3e-16, rel=1e-14, abs=0)
    (slope,) = numerical_gradients(lambda x: 1 + x**3, 1e-8)
    assert slope != pytest.approx(3e-16, rel=0.5, abs=0)


def test_one_entry_takes_a_complex_step_at_a_time():
    calls = []

    def f(a, b):
        calls.append([*a.tolist(), *b.ravel().tolist()])
        return 0j

    complex_step_gradients(f, [1.0, 20.0], [[-3.0]])
    h = 1j * COMPLEX_STEP
    assert calls == [[1 + h, 20, -3], [1, 20 + h, -3], [1, 20, -3 + h]]


def test_complex_steps_of_a_network():
    rng = np.random.default_rng(0)
    network = Network.random([4, 5, 3], ["tanh", "identity"], rng)
    X, T = rng.normal(size=(6, 4)), rng.normal(size=(6, 3))
    _, hand = network.loss_and_gradients(losses.half_squared_error, X, T)
    exact = complex_step_gradients(
        lambda W1, b1, W2, b2: np.sum((np.tanh(X @ W1 + b1) @ W2 + b2 - T) ** 2) / 12,
        *network.parameters,
    )
    for mine, other in zip(hand, exact, strict=True):
        assert relative_error(mine, other) < 1e-14


def test_arguments_of_complex_steps_are_copied():
    x = np.array([1.0, 2.0])
    x.flags.writeable = False
    (slope,) = complex_step_gradients(lambda v: v @ v, x)
    np.testing.assert_allclose(slope, [2, 4], rtol=1e-15)


@pytest.mark.parametrize(
    ("f", "value"),
    [(np.abs, "2.0"), (np.real, "2.0"), (lambda z: float(z.real) ** 3, "8.0"), (lambda z: 1, "1")],
)
def test_functions_that_drop_the_imaginary_part_are_refused(f, value):
    message = f"f: expected a complex number, got the real number {value}"
    with pytest.raises(ValueError, match=re.escape(message)):
        complex_step_gradients(f, 2.0)


@pytest.mark.parametrize("dtype", [np.float32, int, bool, complex])
def test_complex_steps_from_points_that_are_not_float64_are_refused(dtype):
    message = f"argument 1 of f: expected float64, got {np.dtype(dtype)}"
    with pytest.raises(ValueError, match=message):
        complex_step_gradients(lambda a, b: 0j, [1.0], np.ones(2, dtype))


def test_complex_steps_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="argument 0 of f: expected finite numbers, got inf"):
        complex_step_gradients(lambda x: x, np.inf)
    with pytest.raises(ValueError, match=r"f: expected finite numbers, got \(nan\+nanj\)"):
        complex_step_gradients(lambda x: x * np.nan, 1.0)


# Slopes along random directions


@pytest.fixture(scope="module")
def large():
    """Return a loss of 4710 parameters, the parameters, and their gradients by hand."""
    rng = np.random.default_rng(0)
    network = Network.random([30, 60, 40, 10], ["tanh", "tanh", "identity"], rng)
    X, T = rng.normal(size=(20, 30)), np.eye(10)[rng.integers(10, size=20)]

    def f(*parameters):
        outputs = network.with_parameters(parameters).forward(X)
        return losses.softmax_cross_entropy(outputs[-1], T)[0]

    _, hand = network.loss_and_gradients(losses.softmax_cross_entropy, X, T)
    return f, network.parameters, hand


def directions_of(seed, shapes, count):
    """Draw directions by a loop over Python floats."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        parts = [rng.normal(size=shape) for shape in shapes]
        length = math.sqrt(sum(v * v for part in parts for v in part.ravel().tolist()))
        yield [part / length for part in parts]


@pytest.mark.equation("directional-slope")
def test_directional_slope_is_its_formula():
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=(2, 3)), rng.normal(size=3), rng.normal(size=())]
    gradients = [rng.normal(size=a.shape) for a in arrays]

    def f(A, b, c):
        return float(np.sum(np.sin(A @ b)) * np.exp(c))

    by_gradient, by_difference = directional_slopes(
        f, gradients, arrays, np.random.default_rng(7), directions=4
    )
    assert by_gradient.shape == by_difference.shape == (4,)
    h = RELATIVE_STEP * math.sqrt(sum(float(np.sum(a * a)) for a in arrays))
    for k, parts in enumerate(directions_of(7, [(2, 3), (3,), ()], 4)):
        flat = zip(gradients, parts, strict=True)
        product = sum(
            g * u
            for gradient, part in flat
            for g, u in zip(gradient.ravel(), part.ravel(), strict=True)
        )
        assert by_gradient[k] == pytest.approx(product, abs=1e-15)
        upper, lower = (
            f(*(a + sign * h * u for a, u in zip(arrays, parts, strict=True))) for sign in (1, -1)
        )
        assert by_difference[k] == pytest.approx((upper - lower) / (2 * h), abs=1e-9)


def test_exact_gradients_have_the_slopes_of_the_function(large):
    f, parameters, hand = large
    by_gradient, by_difference = directional_slopes(f, hand, parameters, np.random.default_rng(0))
    assert by_gradient.shape == by_difference.shape == (10,)
    assert relative_error(by_gradient, by_difference) <= 1e-7


@pytest.mark.parametrize("change", [lambda g: -g, lambda g: 0.0, lambda g: g + 0.01])
@pytest.mark.parametrize(("number", "place"), [(0, 77), (2, 1234), (5, 3)])
def test_one_wrong_entry_among_thousands_shows_in_every_direction(large, number, place, change):
    f, parameters, hand = large
    wrong = [g.copy() for g in hand]
    wrong[number].flat[place] = change(wrong[number].flat[place])
    assert abs(wrong[number].flat[place] - hand[number].flat[place]) > 1e-3
    right, difference = directional_slopes(f, hand, parameters, np.random.default_rng(0))
    slopes, _ = directional_slopes(f, wrong, parameters, np.random.default_rng(0))
    assert relative_error(slopes, difference) > 1e-4
    assert (np.abs(slopes - difference) > 10 * np.abs(right - difference)).all()


def test_directions_are_the_generators():
    def slopes(seed):
        rng = np.random.default_rng(seed)
        return directional_slopes(lambda x: float(x @ x), [np.ones(5)], [np.ones(5)], rng)

    np.testing.assert_array_equal(slopes(3), slopes(3))
    assert not np.intersect1d(slopes(3)[0], slopes(4)[0]).size
    rng = np.random.default_rng(3)
    halves = [
        directional_slopes(lambda x: float(x @ x), [np.ones(5)], [np.ones(5)], rng, 5)[0]
        for _ in range(2)
    ]
    np.testing.assert_array_equal(np.concatenate(halves), slopes(3)[0])


@given(st.integers(0, 1000), st.floats(0, 1e6))
def test_directions_have_length_one_over_all_arrays(seed, size):
    arrays, calls = [np.full((2, 3), size), np.zeros(4), np.zeros(())], []

    def f(*moved):
        calls.append(np.concatenate([m.ravel() for m in moved]))
        return 0.0

    zeros = [np.zeros_like(a) for a in arrays]
    directional_slopes(f, zeros, arrays, np.random.default_rng(seed), directions=3)
    assert len(calls) == 6
    middle = np.concatenate([a.ravel() for a in arrays])
    step = RELATIVE_STEP * max(1, size * math.sqrt(6))
    for upper, lower in zip(calls[::2], calls[1::2], strict=True):
        # The step is small beside the point: subtracting leaves ten digits.
        assert np.linalg.norm(upper - lower) == pytest.approx(2 * step, rel=1e-9)
        np.testing.assert_allclose(upper - middle, middle - lower, atol=1e-9 * step)


def test_directions_point_everywhere():
    # Each component is positive as often as negative, and none is larger than the others.
    columns = [
        directional_slopes(lambda x: 0.0, [e], [np.zeros(3)], np.random.default_rng(0), 2000)[0]
        for e in np.eye(3)
    ]
    # Five standard deviations of a mean of 2000.
    np.testing.assert_allclose(np.mean(columns, axis=1), 0, atol=5 / math.sqrt(3 * 2000))
    np.testing.assert_allclose(np.mean(np.square(columns), axis=1), 1 / 3, atol=0.04)


@pytest.mark.parametrize("size", [1.0, 1e4, 1e8])
def test_step_along_a_direction_grows_with_the_point(size):
    x = np.array([size, -size])
    pair = directional_slopes(lambda v: float(v @ v) / 2, [x], [x], np.random.default_rng(0))
    assert relative_error(*pair) < 1e-9


def test_arguments_of_directional_slopes_are_left_alone():
    x, g = np.ones(3), np.ones(3)

    def f(v):
        v += 1
        return float(v.sum())

    x.flags.writeable = g.flags.writeable = False
    pair = directional_slopes(f, [g], [x], np.random.default_rng(0))
    assert relative_error(*pair) < 1e-9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gradients": []}, "gradients: expected the arrays' shapes [(2,), ()], got []"),
        ({"gradients": [[1.0, 1.0]]}, "gradients: expected the arrays' shapes [(2,), ()], got [("),
        ({"gradients": [1.0, 1.0]}, "shapes [(2,), ()], got [(), ()]"),
        ({"gradients": [[[1.0, 1.0]], 1.0]}, "shapes [(2,), ()], got [(1, 2), ()]"),
        ({"gradients": [[1.0, 1.0], [1.0]]}, "shapes [(2,), ()], got [(2,), (1,)]"),
        ({"arrays": [[1.0, 2.0], 3]}, "argument 1 of f: expected float64, got int64"),
        (
            {"arrays": [[1.0, np.nan], 3.0]},
            "argument 0 of f: expected finite numbers, got [",
        ),
        ({"rng": 0}, "rng: expected np.random.default_rng(seed), got 0"),
        ({"directions": 0}, "directions: expected a whole number of at least 1, got 0"),
        ({"directions": 2.0}, "directions: expected a whole number of at least 1, got 2.0"),
        ({"f": lambda x, y: np.nan}, "f: expected finite numbers, got nan and nan"),
        ({"f": lambda x, y: np.inf}, "f: expected finite numbers, got inf and inf"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_bad_arguments_of_directional_slopes_are_refused(changes, message):
    arguments = {
        "f": lambda x, y: float(x @ x + y),
        "gradients": [[2.0, 4.0], 1.0],
        "arrays": [[1.0, 2.0], 3.0],
        "rng": np.random.default_rng(0),
    }
    directional_slopes(**arguments)
    with pytest.raises(ValueError, match=re.escape(message)):
        directional_slopes(**(arguments | changes))


# Relative error


@pytest.mark.equation("relative-error")
def test_relative_error_is_its_formula():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))

    def norm(v):
        return math.sqrt(sum(x * x for x in v.ravel().tolist()))

    assert relative_error(a, b) == pytest.approx(norm(a - b) / max(norm(a), norm(b)), rel=1e-14)
    assert relative_error(a, 3 * b) == pytest.approx(norm(a - 3 * b) / norm(3 * b), rel=1e-14)


@pytest.mark.parametrize(
    ("a", "b", "error"),
    [
        ([3.0, 4.0], [3.0, 4.0], 0),
        ([3.0, 4.0], [-3.0, -4.0], 2),  # a wrong sign is the worst
        ([3.0, 4.0], [6.0, 8.0], 0.5),
        ([6.0, 8.0], [3.0, 4.0], 0.5),
        ([3.0, 4.0], [0.0, 0.0], 1),
        ([0.0, 0.0], [3.0, 4.0], 1),
        ([3.0, 0.0], [0.0, 4.0], 1.25),
        ([0.0, 0.0], [0.0, 0.0], 0),
        (-2.0, 2.0, 2),
    ],
)
def test_known_relative_errors(a, b, error):
    assert relative_error(a, b) == pytest.approx(error)


@given(
    arrays(np.float64, 4, elements=st.floats(-1e3, 1e3)),
    arrays(np.float64, 4, elements=st.floats(-1e3, 1e3)),
    st.floats(1e-3, 1e3),
)
def test_relative_error_is_symmetric_and_has_no_unit(a, b, unit):
    error = relative_error(a, b)
    assert 0 <= error <= 2 + 1e-15
    assert relative_error(b, a) == error
    assert relative_error(unit * a, unit * b) == pytest.approx(error, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("position", [0, 1])
def test_relative_error_of_nan_is_nan(position):
    pair = [np.ones(2), np.ones(2)]
    pair[position][1] = np.nan
    assert math.isnan(relative_error(*pair))


@pytest.mark.parametrize(("a", "b"), [((3,), (3, 1)), ((3,), ()), ((2, 3), (3, 2)), ((1,), (3,))])
def test_relative_error_does_not_broadcast(a, b):
    with pytest.raises(ValueError, match=r"b: expected shape \(.*\) like a, got \("):
        relative_error(np.ones(a), np.ones(b))


# The three-way agreement

NAMES = ["W", "bias"]
GRADIENTS = [np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([0.5, -0.25])]


def changed(number, by, place=0):
    """Return the gradients with one entry of one of them changed."""
    gradients = [g.copy() for g in GRADIENTS]
    gradients[number].flat[place] += by
    return gradients


def test_agreement_is_a_table():
    lines = agreement(NAMES, GRADIENTS, changed(0, 1e-13), changed(1, 1e-9)).split("\n")
    assert lines == [
        "gradient  shape               norm  hand-tape  hand-diff",
        "W         (2, 2)        5.00000000    < 1e-12    < 1e-07",
        "bias      (2,)          0.55901699    < 1e-12    < 1e-07",
    ]


def test_table_shows_the_tolerances_that_were_used_and_long_names():
    table = agreement(["a longer name"], [[1.0]], [[1.0]], [[1.0]], 1e-3, 1e-2)
    assert table.split("\n") == [
        "gradient       shape               norm  hand-tape  hand-diff",
        "a longer name  (1,)          1.00000000    < 1e-03    < 1e-02",
    ]


@pytest.mark.parametrize("by", [2e-12, -2e-12, 1e-6, 1.0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("number", "place", "where"), [(0, 3, "(1, 1)"), (1, 1, "(1,)")])
def test_a_gradient_that_is_not_the_tapes_is_named(number, place, where, by):
    with pytest.raises(AssertionError) as caught:
        agreement(NAMES, GRADIENTS, changed(number, by, place), GRADIENTS)
    message = str(caught.value)
    hand, tape = GRADIENTS[number].flat[place], changed(number, by, place)[number].flat[place]
    assert message.startswith(f"{NAMES[number]}: the hand-written gradient disagrees with the tape")
    assert f"worst at {where}: {hand:.9g} by hand, {tape:.9g} by the tape" in message


@pytest.mark.parametrize("by", [2e-6, -2e-6, 1.0, np.nan, np.inf])
@pytest.mark.parametrize(("number", "place", "where"), [(0, 2, "(1, 0)"), (1, 1, "(1,)")])
def test_a_gradient_that_is_not_the_differences_is_named(number, place, where, by):
    with (
        pytest.raises(AssertionError, match=NAMES[number]) as caught,
        np.errstate(invalid="ignore"),
    ):
        agreement(NAMES, GRADIENTS, GRADIENTS, changed(number, by, place))
    message = str(caught.value)
    assert message.startswith(f"{NAMES[number]}: the hand-written gradient disagrees with central")
    assert f"worst at {where}: " in message


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1.0])
def test_a_wrong_hand_written_gradient_is_refused(wrong):
    with np.errstate(invalid="ignore"), pytest.raises(AssertionError, match="bias"):
        agreement(NAMES, changed(1, wrong), GRADIENTS, GRADIENTS)


def test_nan_in_all_three_is_no_agreement():
    nan = [np.array([np.nan])]
    with pytest.raises(AssertionError, match="disagrees with the tape"):
        agreement(["W"], nan, nan, nan)


def test_the_sign_matters():
    with pytest.raises(AssertionError, match="the tape"):
        agreement(NAMES, [-g for g in GRADIENTS], GRADIENTS, GRADIENTS)
    with pytest.raises(AssertionError, match="central differences"):
        agreement(NAMES, [-g for g in GRADIENTS], [-g for g in GRADIENTS], GRADIENTS)


@pytest.mark.parametrize("position", [0, 1])
def test_each_tolerance_counts_for_its_own_column(position):
    others = [GRADIENTS, GRADIENTS]
    others[position] = changed(0, 1e-4)
    tolerances = [0, 0]
    with pytest.raises(AssertionError):
        agreement(NAMES, GRADIENTS, *others, *tolerances)
    tolerances[position] = 1e-3
    agreement(NAMES, GRADIENTS, *others, *tolerances)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_missing_gradients_are_refused(position):
    three = [GRADIENTS] * 3
    three[position] = GRADIENTS[:1]
    with pytest.raises(ValueError, match="names: expected one for each gradient, got"):
        agreement(NAMES, *three)


def test_no_gradients_are_no_agreement():
    with pytest.raises(ValueError, match="names: expected one for each gradient, got 0"):
        agreement([], [], [], [])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relative_error_of_tiny_numbers(dtype):
    tiny = np.array([np.finfo(dtype).tiny], dtype)
    assert relative_error(tiny, -tiny) == 2


def test_points_and_values_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="argument 0 of f: expected finite numbers, got nan"):
        numerical_gradients(lambda x: 1.0, np.nan)
    with pytest.raises(ValueError, match="f: expected finite numbers, got nan and nan"):
        numerical_gradients(lambda x: np.nan, 1.0)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_shapes_that_numpy_would_broadcast_are_refused(position):
    three = [[np.ones((3, 1))] for _ in range(3)]
    three[position] = [np.ones(3)]
    with pytest.raises(ValueError, match=r"W: shapes differ: \(3,.*\(3"):
        agreement(["W"], *three)


# The table of worst entries

HEADER = "gradient  rel. error       entries off        worst     by hand   reference"


def test_worst_entries_are_a_table():
    lines = worst_entries(NAMES, changed(0, -1.5, 1), GRADIENTS).split("\n")
    # 1.5 / 5, since the reference has norm 5 and the other is shorter.
    assert lines == [
        HEADER,
        "W            3.0e-01            1 of 4       (0, 1)    2.500000    4.000000",
        "bias         < 1e-07            0 of 2",
    ]


def test_columns_fit_long_names():
    table = worst_entries(["a longer name"], [[1.0, -2.0]], [[1.0, 2.0]])
    header, line = table.split("\n")
    assert header == "gradient     " + HEADER.removeprefix("gradient")
    assert (
        line == "a longer name     1.8e+00            1 of 2         (1,)   -2.000000    2.000000"
    )


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("by", "off"), [(0.9e-6, 0), (1.1e-6, 1)])
def test_an_entry_is_off_by_a_millionth_of_the_largest(by, off, sign):
    # The largest entry is -400: neither the largest of the numbers nor one of `hand`.
    reference = np.array([3.0, -400.0, 0.0])
    for place in range(3):
        hand = reference.copy()
        hand[place] += sign * by * 400
        line = worst_entries(["W"], [hand], [reference]).split("\n")[1]
        assert f" {off} of 3" in line
        assert (f"({place},)" in line) == bool(off)


def test_the_worst_entry_is_the_one_with_the_largest_difference():
    reference = np.array([[1.0, 100.0], [1.0, 1.0]])
    hand = np.array([[1.5, 98.0], [1.0, -0.9]])
    line = worst_entries(["W"], [hand], [reference]).split("\n")[1]
    assert line.endswith("3 of 4       (0, 1)   98.000000  100.000000")


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 1])
def test_entries_that_are_not_finite_are_off(wrong, position):
    pair = [GRADIENTS, GRADIENTS]
    pair[position] = changed(0, wrong, 2)
    with np.errstate(invalid="ignore"):
        line = worst_entries(NAMES, *pair).split("\n")[1]
    assert " 0 of 4" not in line
    assert "(1, 0)" in line


def test_anything_but_zero_is_off_where_the_reference_is_zero():
    table = worst_entries(["W", "b", "c"], [[1e-300, 0.0], [0.0, 0.0], 0.0], [[0.0] * 2] * 2 + [0])
    assert [line.split()[1:5] for line in table.split("\n")[1:]] == [
        ["1.0e+00", "1", "of", "2"],
        ["<", "1e-07", "0", "of"],
        ["<", "1e-07", "0", "of"],
    ]


@pytest.mark.parametrize("position", [0, 1])
def test_worst_entries_of_missing_gradients_are_refused(position):
    pair = [GRADIENTS] * 2
    pair[position] = GRADIENTS[:1]
    with pytest.raises(ValueError, match="names: expected one for each gradient, got 2 for"):
        worst_entries(NAMES, *pair)
    with pytest.raises(ValueError, match="names: expected one for each gradient, got 1 for"):
        worst_entries(NAMES[:1], GRADIENTS, GRADIENTS)
    with pytest.raises(ValueError, match="names: expected one for each gradient, got 0 for"):
        worst_entries([], [], [])


@pytest.mark.parametrize("shape", [(2,), (1, 2), ()])
def test_worst_entries_of_unequal_shapes_are_refused(shape):
    message = re.escape(f"bias: shapes differ: (2, 1), {shape}")
    with pytest.raises(ValueError, match=message):
        worst_entries(NAMES, [np.ones(1), np.ones((2, 1))], [np.ones(1), np.ones(shape)])


@pytest.mark.equation("rounding-error")
@pytest.mark.parametrize("power", [-30, -36, -42])
def test_rounding_error_of_a_central_difference(power):
    # Steps and points are few binary digits long, so that x + h and x - h are exact.
    h, x = 2.0**power, np.arange(33, 64) / 64
    error = np.abs((np.sin(x + h) - np.sin(x - h)) / (2 * h) - np.cos(x))
    largest = 2.0**-53 * np.sin(x) / h
    assert (error <= 2 * largest).all()  # NumPy's sine is off by up to one unit, not a half
    assert error.max() > 0.1 * largest.max()
