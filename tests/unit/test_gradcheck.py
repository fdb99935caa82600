"""The checks of gradients: they are exact enough, and each of them can fail."""

import cmath
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backprop import activations, losses
from backprop.gradcheck import (
    COMPLEX_STEP,
    RELATIVE_STEP,
    assert_gradients_agree,
    complex_step_gradients,
    directional_derivatives,
    gradient_report,
    numerical_gradients,
    relative_error,
)
from backprop.network import Network

EPSILON = float(np.finfo(np.float64).eps)
both_ways = pytest.mark.parametrize(
    ("gradients_of", "tolerance"), [(numerical_gradients, 1e-9), (complex_step_gradients, 1e-15)]
)


def refuses(message):
    return pytest.raises(ValueError, match=re.escape(message))


def rng(seed=0):
    return np.random.default_rng(seed)


# Central differences and complex steps


def central_difference(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


@pytest.mark.equation("central-difference")
@pytest.mark.parametrize("x", [-300.0, -2.0, -0.1, 0.0, 0.5, 1.0, 40.0])
def test_central_difference_is_its_formula(x):
    def cube(v):
        return v**3

    h = EPSILON ** (1 / 3) * max(1, abs(x))
    (gradient,) = numerical_gradients(cube, x)
    assert gradient == pytest.approx(central_difference(cube, x, h), rel=1e-9, abs=1e-10)
    # (x + h)³ - (x - h)³ = 6x²h + 2h³: unlike a one-sided difference, off by h² only.
    assert gradient == pytest.approx(3 * x * x + h * h, rel=1e-9, abs=1e-10)


@pytest.mark.equation("complex-step")
@pytest.mark.parametrize(
    ("f", "by_cmath", "derivative"),
    [
        (np.sin, cmath.sin, math.cos),
        (np.exp, cmath.exp, math.exp),
        (np.log, cmath.log, lambda x: 1 / x),
        (np.sqrt, cmath.sqrt, lambda x: 0.5 / math.sqrt(x)),
        (lambda z: z**3, lambda z: z**3, lambda x: 3 * x * x),
    ],
)
@pytest.mark.parametrize("x", [1e-6, 0.1, 0.7, 2.0, 300.0])
def test_complex_step_is_its_formula(f, by_cmath, derivative, x):
    (gradient,) = complex_step_gradients(f, x)
    h = 1e-100
    assert gradient == pytest.approx(by_cmath(complex(x, h)).imag / h, rel=1e-14, abs=0)
    assert gradient == pytest.approx(derivative(x), rel=5e-15, abs=0)


def test_complex_steps_do_not_cancel():
    # The derivative of 1 + x³ at 1e-8 is 3e-16; beside 1, differences cannot see it.
    (gradient,) = complex_step_gradients(lambda z: 1 + z**3, 1e-8)
    assert gradient == pytest.approx(3e-16, rel=1e-14, abs=0)
    (gradient,) = numerical_gradients(lambda x: 1 + x**3, 1e-8)
    assert gradient != pytest.approx(3e-16, rel=0.5, abs=0)


@both_ways
def test_every_argument_has_a_gradient_of_its_shape(gradients_of, tolerance):
    A, b, c = rng().normal(size=(2, 3)), rng(1).normal(size=3), rng(2).normal()
    A.flags.writeable = b.flags.writeable = False
    gradients = gradients_of(lambda A, b, c: np.sum((A @ b) ** 2) * c, A, b, c)
    expected = [2 * c * np.outer(A @ b, b), 2 * c * A.T @ (A @ b), np.sum((A @ b) ** 2)]
    assert [(g.shape, g.dtype) for g in gradients] == [(s, float) for s in ((2, 3), (3,), ())]
    for gradient, right in zip(gradients, expected, strict=True):
        assert relative_error(gradient, right) < tolerance


@pytest.mark.parametrize(
    ("gradients_of", "steps"),
    [
        (numerical_gradients, [RELATIVE_STEP, -RELATIVE_STEP]),
        (complex_step_gradients, [1j * COMPLEX_STEP]),
    ],
)
def test_one_entry_moves_at_a_time(gradients_of, steps):
    calls = []

    def f(a, b):
        calls.append(np.array([*a, *b.ravel()]) - [1.0, 20.0, -3.0])
        return np.sum(a) * 0

    gradients_of(f, [1.0, 20.0], [[-3.0]])
    sizes = [1, 20, 3] if gradients_of is numerical_gradients else [1, 1, 1]
    moves = [step * row for row in np.diag(sizes) for step in steps]
    np.testing.assert_allclose(np.real(calls), np.real(moves), atol=1e-14)
    np.testing.assert_allclose(np.imag(calls), np.imag(moves), rtol=1e-14)


def test_step_is_the_cube_root_of_the_rounding_error():
    assert pytest.approx(6.0555e-6, rel=1e-4) == RELATIVE_STEP


@given(st.floats(1, 1e8), st.sampled_from([-1, 1]))
def test_step_grows_with_the_number(size, sign):
    # With a fixed step, x and x + h would be one number at 1e8, or nearly.
    (gradient,) = numerical_gradients(lambda v: v * v / 2, sign * size)
    assert gradient == pytest.approx(sign * size, rel=1e-9)


def kept(dtype):
    """Return a function that gives the same array back each time."""
    number = np.zeros((), dtype)
    return lambda x: np.sum(x * x, out=number)


def change_argument(x):
    x *= 2
    return np.sum(x * x)


@both_ways
@pytest.mark.parametrize(
    ("f", "at", "expected"),
    [
        (lambda x: x, 2.0, 1),
        (lambda W: W.squeeze(), [[2.0]], [[1]]),
        (lambda x: x[1, ...], [2.0, 3.0], [0, 1]),
        (None, [2.0, 3.0], [4, 6]),
        (change_argument, [2.0, 3.0], [16, 24]),
    ],
)
def test_arrays_that_are_used_again_change_nothing(gradients_of, tolerance, f, at, expected):
    f = f or kept(float if gradients_of is numerical_gradients else complex)
    np.testing.assert_allclose(gradients_of(f, at)[0], expected, rtol=tolerance)


def test_the_identity_has_the_derivative_one():
    assert numerical_gradients(activations.identity, np.array(2.0))[0] == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, int, complex])
@both_ways
def test_points_that_are_not_finite_float64_are_refused(gradients_of, tolerance, dtype):
    with refuses(f"arrays[1]: expected float64, got {np.dtype(dtype)}"):
        gradients_of(lambda a, b: 0j, [1.0], np.ones(2, dtype))
    with refuses("arrays[0]: expected finite numbers, got inf at (1,)"):
        gradients_of(lambda x: 0j, [1.0, np.inf])
    with refuses("arrays[0]: expected an array without a mask"):
        gradients_of(lambda x: 0j, np.ma.array([1.0], mask=[True]))


@pytest.mark.parametrize(
    ("f", "got"),
    [
        (lambda Y: losses.mean_squared_error(np.real(Y), np.zeros((1, 2))), "a tuple of 2: differ"),
        (lambda x: [1.0], "a list of 1: differentiate one part, such as the loss"),
        (np.exp, "shape (1, 2): add the entries up, or take one"),
        (lambda x: None, "None"),
        (lambda x: "loss", "'loss'"),
        (lambda x: np.ma.array([1.0], mask=[True]).sum(), "masked"),
    ],
)
@both_ways
def test_functions_that_return_no_number_are_refused(gradients_of, tolerance, f, got):
    with refuses(f"f: expected it to return a number, got {got}"):
        gradients_of(f, [[1.0, 2.0]])


@pytest.mark.parametrize(
    ("f", "value"),
    [(np.abs, "2.0"), (np.real, "2.0"), (lambda z: float(z.real) ** 3, "8.0"), (lambda z: 1, "1")],
)
def test_functions_that_drop_the_imaginary_part_are_refused(f, value):
    with refuses(f"f: expected a complex number, got the real number {value}"):
        complex_step_gradients(f, 2.0)
    with refuses("f: expected a real number, got the complex number 1j"):
        numerical_gradients(lambda x: 1j, 2.0)


def test_values_that_are_not_finite_are_refused():
    with refuses("f: expected finite numbers, got 1.0 and nan"):
        numerical_gradients(lambda x: np.nan if x > 1 else 1.0, 1.0)
    with refuses("f: expected finite numbers, got inf and inf"):
        numerical_gradients(lambda x: np.inf, 1.0)
    with refuses("f: expected finite numbers, got (nan+nanj)"):
        complex_step_gradients(lambda x: x * np.nan, 1.0)


# The errors of a difference


def forward_difference(f, x, h):
    return (f(x + h) - f(x)) / h


@pytest.mark.equation("forward-difference")
@pytest.mark.equation("truncation-error")
@pytest.mark.parametrize("h", [2.0**-7, 2.0**-10])
@pytest.mark.parametrize(
    ("f", "x", "first", "second", "third"),
    [
        (math.exp, 1.0, math.e, math.e, math.e),
        (math.sin, 0.75, math.cos(0.75), -math.sin(0.75), -math.cos(0.75)),
    ],
)
def test_truncation_errors(f, x, first, second, third, h):
    assert forward_difference(f, x, h) - first == pytest.approx(h * second / 2, rel=0.01)
    assert central_difference(f, x, h) - first == pytest.approx(h**2 * third / 6, rel=0.01)


@pytest.mark.equation("forward-difference")
@pytest.mark.parametrize("h", [2.0**-37, 2.0**-40, 2.0**-43])
def test_rounding_error_of_a_forward_difference(h):
    # One error is a matter of luck; of many, the largest is near the bound.
    points = (np.arange(64, 96) / 64).tolist()
    errors = [abs(forward_difference(math.exp, x, h) - math.exp(x)) for x in points]
    bounds = [EPSILON * math.exp(x) / h for x in points]
    assert 0.1 < max(e / b for e, b in zip(errors, bounds, strict=True)) < 1.5


@pytest.mark.equation("rounding-error")
@pytest.mark.parametrize("power", [-30, -36, -42])
def test_rounding_error_of_a_central_difference(power):
    # Steps and points are few binary digits long, so that x + h and x - h are exact.
    h, x = 2.0**power, np.arange(33, 64) / 64
    error = np.abs(central_difference(np.sin, x, h) - np.cos(x))
    largest = 2.0**-53 * np.sin(x) / h
    assert (error <= 2 * largest).all()  # NumPy's sine is off by up to one unit, not a half
    assert error.max() > 0.1 * largest.max()


@pytest.mark.equation("best-step")
@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_best_step_has_the_least_bound(f, third):
    def bound(h):
        return EPSILON * f / h + h**2 * third / 6

    best = (3 * EPSILON * f / third) ** (1 / 3)
    for factor in [1e-3, 0.1, 0.5, 0.9, 0.99, 1.01, 1.1, 2, 10, 1e3]:
        assert bound(factor * best) > bound(best)
    # The derivative of the bound vanishes.
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


# Random directions


@pytest.fixture(scope="module")
def large():
    """Return a loss of 4710 parameters, the parameters, and their gradients by hand."""
    network = Network.random([30, 60, 40, 10], ["tanh", "tanh", "identity"], rng())
    X, T = rng(1).normal(size=(20, 30)), np.eye(10)[rng(2).integers(10, size=20)]

    def f(*parameters):
        outputs = network.with_parameters(parameters).forward(X)
        return losses.softmax_cross_entropy(outputs[-1], T)[0]

    _, hand = network.loss_and_gradients(losses.softmax_cross_entropy, X, T)
    return f, network.parameters, hand


def directions_of(seed, shapes, count):
    """Draw directions by a loop over Python floats."""
    generator = rng(seed)
    for _ in range(count):
        parts = [generator.normal(size=shape) for shape in shapes]
        length = math.sqrt(sum(v * v for part in parts for v in part.ravel().tolist()))
        yield [part / length for part in parts]


@pytest.mark.equation("directional-slope")
@pytest.mark.parametrize("size", [1, 100])
def test_directional_derivative_is_its_formula(size):
    shapes = [(2, 3), (3,), (3,), ()]  # two of one shape, which have a direction each
    points = [size * rng(i).normal(size=shape) for i, shape in enumerate(shapes)]
    gradients = [rng(i).normal(size=shape) for i, shape in enumerate(shapes, 9)]
    calls = []

    def f(A, b, c, d):
        calls.append([A, b, c, d])
        return float(np.sum(np.sin(A @ b / size)) - c[0] * c[1] + d)

    by_gradient, by_difference = directional_derivatives(f, gradients, points, rng(7), 4)
    assert by_gradient.shape == by_difference.shape == (4,)
    h = RELATIVE_STEP * max(1, math.sqrt(sum(v * v for p in points for v in p.ravel().tolist())))
    for k, parts in enumerate(directions_of(7, shapes, 4)):
        product = sum(float(np.sum(g * u)) for g, u in zip(gradients, parts, strict=True))
        assert by_gradient[k] == pytest.approx(product, abs=1e-14)
        upper, lower = (
            [p + s * h * u for p, u in zip(points, parts, strict=True)] for s in (1, -1)
        )
        for moved, expected in zip(calls[2 * k : 2 * k + 2], (upper, lower), strict=True):
            for a, b in zip(moved, expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * h)
        assert by_difference[k] == pytest.approx((f(*upper) - f(*lower)) / (2 * h), rel=1e-6)
        del calls[-2:]


@pytest.mark.parametrize("change", [lambda g: -g, lambda g: 0.0, lambda g: g + 0.01])
@pytest.mark.parametrize(("number", "place"), [(0, 77), (2, 1234), (5, 3)])
def test_one_wrong_entry_among_thousands_shows_in_every_direction(large, number, place, change):
    f, parameters, hand = large
    wrong = [g.copy() for g in hand]
    wrong[number].flat[place] = change(wrong[number].flat[place])
    assert abs(wrong[number].flat[place] - hand[number].flat[place]) > 1e-3
    right, difference = directional_derivatives(f, hand, parameters, rng())
    by_wrong, _ = directional_derivatives(f, wrong, parameters, rng())
    assert relative_error(right, difference) <= 1e-7
    assert relative_error(by_wrong, difference) > 1e-4
    assert (np.abs(by_wrong - difference) > 10 * np.abs(right - difference)).all()


def test_arguments_of_directional_derivatives_are_left_alone():
    def f(v):
        v += 1
        return v.sum(out=number)

    x, number = np.ones(3), np.zeros(())
    x.flags.writeable = False
    assert relative_error(*directional_derivatives(f, [x], [x], rng())) < 1e-9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gradients": [[1.0, 1.0]]}, "gradients: expected the arrays' shapes [(2,), ()], got [("),
        ({"gradients": [[[1.0, 1.0]], 1.0]}, "shapes [(2,), ()], got [(1, 2), ()]"),
        ({"gradients": [[1.0, np.nan], 1.0]}, "gradients[0]: expected finite numbers, got nan at"),
        ({"arrays": [[1.0, 2.0], np.float32(3)]}, "arrays[1]: expected float64, got float32"),
        ({"f": lambda x, y: np.nan}, "f: expected finite numbers, got nan and nan"),
        ({"f": lambda x, y: x}, "f: expected it to return a number, got shape (2,)"),
    ],
)
def test_bad_arguments_of_directional_derivatives_are_refused(changes, message):
    arguments = {
        "f": lambda x, y: float(x @ x + y),
        "gradients": [np.float32([2.0, 4.0]), 1.0],
        "arrays": [[1.0, 2.0], 3.0],
        "rng": rng(),
    }
    directional_derivatives(**arguments)
    with refuses(message):
        directional_derivatives(**(arguments | changes))


# Norms


def norm(v):
    return math.sqrt(sum(x * x for x in np.ravel(v).tolist()))


@pytest.mark.equation("relative-error")
def test_relative_error_is_its_formula():
    a, b = rng().normal(size=(3, 4)), rng(1).normal(size=(3, 4))
    assert relative_error(a, b) == pytest.approx(norm(a - b) / max(norm(a), norm(b)), rel=1e-14)
    assert relative_error(a, 3 * b) == pytest.approx(norm(a - 3 * b) / norm(3 * b), rel=1e-14)
    assert relative_error(3 * a, b) == pytest.approx(norm(3 * a - b) / norm(3 * a), rel=1e-14)


@pytest.mark.parametrize(
    ("a", "b", "error"),
    [
        ([3.0, 4.0], [-3.0, -4.0], 2),  # a wrong sign is the worst
        ([3.0, 4.0], [0.0, 0.0], 1),
        ([3.0, 0.0], [0.0, 4.0], 1.25),
        ([0.0, 0.0], [0.0, 0.0], 0),
        (np.zeros((0, 3)), np.zeros((0, 3)), 0),
        (-2.0, 2.0, 2),
        (np.float32(0.1), 0.1, 1.49e-8),  # in float64
        (np.finfo(float).tiny, -np.finfo(float).tiny, 2),
        (np.finfo(np.float32).tiny, -np.finfo(np.float32).tiny, 2),
    ],
)
def test_known_relative_errors(a, b, error):
    assert relative_error(a, b) == pytest.approx(error, rel=1e-3)


@given(*[arrays(np.float64, 4, elements=st.floats(-1e3, 1e3))] * 2, st.floats(1e-3, 1e3))
def test_relative_error_is_symmetric_and_has_no_unit(a, b, unit):
    error = relative_error(a, b)
    assert 0 <= error <= 2 + 1e-15
    assert relative_error(b, a) == error
    assert relative_error(unit * a, unit * b) == pytest.approx(error, rel=1e-9, abs=1e-12)


def test_relative_error_refuses_what_would_pass_a_limit_unseen():
    with refuses("a: expected finite numbers, got nan at (1,)"):
        relative_error([1.0, np.nan], np.ones(2))
    with refuses("b: expected finite numbers, got inf at ()"):
        relative_error(1.0, np.inf)
    for a, b in [((3,), (3, 1)), ((3,), ()), ((2, 3), (3, 2)), ((1,), (3,))]:
        with refuses(f"b: expected shape {a} like a, got {b}"):
            relative_error(np.ones(a), np.ones(b))


# The three-way agreement

NAMES = ["W", "bias"]
GRADIENTS = [np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([0.5, -0.25])]


def changed(number, by, place=0):
    """Return the gradients with one entry of one of them changed."""
    gradients = [g.copy() for g in GRADIENTS]
    gradients[number].flat[place] += by
    return gradients


def test_the_agreement_is_a_table():
    table = assert_gradients_agree(NAMES, GRADIENTS, changed(0, 1e-13), changed(1, 1e-9))
    assert table.split("\n") == [
        "gradient  shape               norm  hand-tape  hand-diff",
        "W         (2, 2)        5.00000000    < 1e-12    < 1e-07",
        "bias      (2,)          0.55901699    < 1e-12    < 1e-07",
    ]
    table = assert_gradients_agree(["a longer name"], [[1.0]], [[1.0]], [[1.0]], 1e-3, 1e-2)
    assert table.split("\n") == [
        "gradient       shape               norm  hand-tape  hand-diff",
        "a longer name  (1,)          1.00000000    < 1e-03    < 1e-02",
    ]


@pytest.mark.parametrize("by", [1, -1, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("number", "place", "where"), [(0, 3, "(1, 1)"), (1, 1, "(1,)")])
@pytest.mark.parametrize(("judge", "least"), [("the tape", 2e-12), ("central differences", 2e-6)])
def test_a_gradient_that_is_wrong_is_named(judge, least, number, place, where, by):
    three = {"hand": GRADIENTS, "the tape": GRADIENTS, "central differences": GRADIENTS}
    three[judge] = changed(number, by * least, place)
    message = (
        f"{NAMES[number]}: the hand-written gradient disagrees with {judge}, worst at {where}:"
        f" {GRADIENTS[number].flat[place]:.9g} by hand, {three[judge][number].flat[place]:.9g} by"
    )
    with pytest.raises(AssertionError, match=re.escape(f"{message} {judge}")):
        assert_gradients_agree(NAMES, *three.values())


@pytest.mark.parametrize(
    ("name", "hand", "tape", "numerical"),
    [
        ("bias", changed(1, 1.0), GRADIENTS, GRADIENTS),
        ("bias", *[changed(1, np.nan)] * 3),
        ("bias", *[changed(1, np.inf)] * 3),
        ("W", *[[-g for g in GRADIENTS]] * 2, GRADIENTS),
    ],
)
def test_other_disagreements(name, hand, tape, numerical):
    with pytest.raises(AssertionError, match=f"^{name}: the hand-written gradient disagrees"):
        assert_gradients_agree(NAMES, hand, tape, numerical)


@pytest.mark.parametrize("position", [0, 1])
def test_each_tolerance_counts_for_its_own_column(position):
    others, tolerances = [GRADIENTS, GRADIENTS], [0, 0]
    others[position] = changed(0, 1e-4)
    with pytest.raises(AssertionError):
        assert_gradients_agree(NAMES, GRADIENTS, *others, *tolerances)
    tolerances[position] = 1e-3
    assert_gradients_agree(NAMES, GRADIENTS, *others, *tolerances)


# The report

HEADER = "gradient  rel. error       entries off        worst     by hand   reference"


def test_the_report_is_a_table():
    # 1.5 / 5, since the reference has norm 5 and the other is shorter.
    assert gradient_report(NAMES, changed(0, -1.5, 1), GRADIENTS).split("\n") == [
        HEADER,
        "W            3.0e-01            1 of 4       (0, 1)    2.500000    4.000000",
        "bias         < 1e-07            0 of 2",
    ]
    assert gradient_report(["a longer name"], [[1.0, -2.0]], [[1.0, 2.0]]).split("\n") == [
        "gradient     " + HEADER.removeprefix("gradient"),
        "a longer name     1.8e+00            1 of 2         (1,)   -2.000000    2.000000",
    ]


def off(hand, reference):
    """Return how many entries of one gradient the report counts, and the rest of its line."""
    line = gradient_report(["W"], [np.array(hand)], [np.array(reference)]).split("\n")[1]
    return re.fullmatch(r"W +(.{7}) +(\d+ of \d+) *(.*)", line).groups()[1:]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("by", "count"), [(0.9e-6, 0), (1.1e-6, 1)])
def test_an_entry_is_off_by_a_millionth_of_the_largest(by, count, sign):
    # The largest entry is -400: neither the largest of the numbers nor one of `hand`.
    reference = np.array([3.0, -400.0, 0.0])
    for place in range(3):
        hand = reference.copy()
        hand[place] += sign * by * 400
        counted, entry = off(hand, reference)
        assert counted == f"{count} of 3"
        assert entry.startswith(f"({place},)") == bool(count)


def test_the_largest_entry_is_the_references():
    assert off([1e7, 1.1], [1.0, 1.0])[0] == "2 of 2"
    assert off([1.0, 1.1], [1e7, 1.0])[0] == "1 of 2"


def test_the_worst_entry_is_the_one_with_the_largest_difference():
    counted, entry = off([[1.5, 98.0], [1.0, -0.9]], [[1.0, 100.0], [1.0, 1.0]])
    assert (counted, entry) == ("3 of 4", "(0, 1)   98.000000  100.000000")


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_entries_that_are_not_finite_are_off(wrong):
    for pair in [(changed(0, wrong, 2)[0], GRADIENTS[0]), (GRADIENTS[0], changed(0, wrong, 2)[0])]:
        counted, entry = off(*pair)
        assert counted != "0 of 4"
        assert entry.startswith("(1, 0)")
    assert off([1.0, wrong], [1.0, wrong])[1].startswith("(1,)")


def test_anything_but_zero_is_off_where_the_reference_is_zero():
    table = gradient_report(
        ["W", "b", "c"], [[1e-300, 0.0], [0.0, 0.0], 0.0], [[0.0] * 2] * 2 + [0]
    )
    assert [line.split()[1:5] for line in table.split("\n")[1:]] == [
        ["1.0e+00", "1", "of", "2"],
        ["<", "1e-07", "0", "of"],
        ["<", "1e-07", "0", "of"],
    ]


@pytest.mark.parametrize(("compare", "count"), [(assert_gradients_agree, 3), (gradient_report, 2)])
def test_gradients_that_cannot_be_compared_are_refused(compare, count):
    for position in range(count):
        group = [GRADIENTS] * count
        group[position] = GRADIENTS[:1]
        with refuses("names: expected one for each gradient, got 2 for"):
            compare(NAMES, *group)
        group = [[np.ones((3, 1))] for _ in range(count)]
        group[position] = [np.ones(3)]
        with pytest.raises(ValueError, match=r"W: shapes differ: \(3,.*\(3"):
            compare(["W"], *group)
        group[position] = [np.ma.array(np.ones((3, 1)), mask=True)]
        with refuses("W: expected arrays without a mask"):
            compare(["W"], *group)
    with refuses("names: expected one for each gradient, got 1 for"):
        compare(NAMES[:1], *[GRADIENTS] * count)
    with refuses("names: expected one for each gradient, got 0 for"):
        compare([], *[[]] * count)
    with refuses("names: expected a sequence, got 'W'"):
        compare("W", *[[np.ones(1)]] * count)
