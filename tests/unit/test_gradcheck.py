"""The checks of gradients: they are exact enough, and each of them can fail."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.random import default_rng

from backprop.gradcheck import (
    assert_gradients_agree,
    complex_step_gradients,
    directional_derivatives,
    gradient_report,
    numerical_gradients,
    relative_error,
)

EPSILON = float(np.finfo(np.float64).eps)
BEST_STEP = EPSILON ** (1 / 3)
both_ways = pytest.mark.parametrize(
    ("gradients_of", "dtype"), [(numerical_gradients, float), (complex_step_gradients, complex)]
)


def refuses(message):
    return pytest.raises(ValueError, match=re.escape(message))


def normal(*shapes, seed=0):
    rng = default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def norm(*parts):  # of all arrays together
    return math.sqrt(sum(v * v for part in parts for v in np.ravel(part).tolist()))


# Central differences and complex steps


@pytest.mark.equation("central-difference")
@pytest.mark.parametrize("x", [-1e8, -300.0, -2.0, -0.1, 0.0, 0.5, 1.0, 40.0])
def test_central_difference_is_its_formula(x):
    h = BEST_STEP * max(1, abs(x))
    # (x + h)³ - (x - h)³ = 6x²h + 2h³: unlike a one-sided difference, off by h² only.
    assert numerical_gradients(lambda v: v**3, x) == [pytest.approx(3 * x * x + h * h, rel=1e-9)]


@pytest.mark.equation("complex-step")
@pytest.mark.parametrize("x", [1e-8, 0.1, 0.7, 2.0, 300.0])
def test_complex_step_is_exact(x):
    assert complex_step_gradients(np.log, x) == [pytest.approx(1 / x, rel=5e-15, abs=0)]
    (slope,) = complex_step_gradients(lambda z: 1 + z**3, x)  # which a difference loses beside 1
    assert slope == pytest.approx(3 * x * x, rel=5e-15, abs=0)


@pytest.mark.parametrize(
    ("gradients_of", "steps", "sizes"),
    [
        (numerical_gradients, [BEST_STEP, -BEST_STEP], [1, 20, 3]),
        (complex_step_gradients, [1e-100j], [1, 1, 1]),
    ],
)
def test_one_entry_moves_at_a_time(gradients_of, steps, sizes):
    calls = []

    def f(a, b):
        calls.append([*a, *b.ravel()])
        return a[0] * a[1] * b[0, 0]

    a, b = gradients_of(f, [1.0, 20.0], [[-3.0]])
    np.testing.assert_allclose(a, [-60, -3], rtol=1e-9)
    np.testing.assert_allclose(b, [[20]], rtol=1e-9)
    moved = np.array([1, 20, -3]) + [step * row for row in np.diag(sizes) for step in steps]
    for part in (np.real, np.imag):
        np.testing.assert_allclose(part(calls), part(moved), rtol=1e-15)


def careless(dtype):
    """Return a sum of squares that changes its argument and always gives the same array back."""
    number = np.zeros((), dtype)
    return lambda x: np.sum(np.square(x, out=x), out=number)


@both_ways
def test_arrays_that_are_used_again_change_nothing(gradients_of, dtype):
    x = np.array([2.0, 3.0])
    x.flags.writeable = False
    np.testing.assert_allclose(gradients_of(careless(dtype), x)[0], [4, 6], rtol=1e-9)
    np.testing.assert_allclose(gradients_of(np.squeeze, [[2.0]])[0], [[1]], rtol=1e-9)


@both_ways
def test_points_in_float32_are_refused(gradients_of, dtype):
    with refuses("arrays[1]: expected float64, got float32"):
        gradients_of(lambda a, b: 0j, [1.0], np.float32(2))


@pytest.mark.parametrize(
    ("f", "got"),
    [
        (lambda x: (1.0, np.ones((3, 9))), "(1.0, array([[1., "),
        (lambda x: [1.0, np.ones(2)], "[1.0, array([1., 1.])]"),
        (lambda x: np.ones(1), "array([1.])"),
        (lambda x: None, "None"),
        (lambda x: np.ma.masked, "masked"),
        (lambda x: x * np.nan, "np."),
        (lambda x: 1.0 if np.iscomplexobj(x) else 1j, "1"),  # the imaginary part is lost
    ],
)
@both_ways
def test_functions_that_return_no_number_are_refused(gradients_of, dtype, f, got):
    kind = "real" if dtype is float else "complex"
    with refuses(f"f: expected one finite {kind} number, got {got}"):
        gradients_of(f, 2.0)


# Random directions


@pytest.mark.equation("directional-slope")
@pytest.mark.parametrize("size", [0.01, 100])
def test_directional_derivative_is_its_formula(size):
    shapes = [(2, 3), (3,), (3,), ()]  # two of one shape, which have a direction each
    points = [size * point for point in normal(*shapes)]
    gradients, calls = normal(*shapes, seed=1), []

    def f(A, b, c, d):
        calls.append([A, b, c, d])
        return float(np.sum(np.sin(A @ b / size)) - c[0] * c[1] + d)

    pairs = directional_derivatives(f, gradients, points, default_rng(7), 4)
    drawn, moved = normal(*shapes * 4, seed=7), iter(list(calls))
    h = BEST_STEP * max(1, norm(*points))
    for k, (by_gradient, by_difference) in enumerate(zip(*pairs, strict=True)):
        u = [part / norm(*drawn[4 * k : 4 * k + 4]) for part in drawn[4 * k : 4 * k + 4]]
        product = sum(float(np.sum(g * d)) for g, d in zip(gradients, u, strict=True))
        assert by_gradient == pytest.approx(product, abs=1e-14)
        ends = [[p + step * d for p, d in zip(points, u, strict=True)] for step in (h, -h)]
        for a, b in zip([*next(moved), *next(moved)], ends[0] + ends[1], strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * h)
        assert by_difference == pytest.approx((f(*ends[0]) - f(*ends[1])) / (2 * h), rel=1e-6)


def test_one_wrong_entry_among_thousands_shows_in_every_direction():
    x = np.linspace(0.5, 1, 3000)
    wrong = 2 * x
    wrong[1234] += 0.01
    right, difference = directional_derivatives(careless(float), [2 * x], [x], default_rng(0))
    by_wrong, _ = directional_derivatives(careless(float), [wrong], [x], default_rng(0))
    assert right.shape == difference.shape == (10,)  # unless it is told otherwise
    assert relative_error(right, difference) <= 1e-7
    assert (np.abs(by_wrong - difference) > 10 * np.abs(right - difference)).all()


def test_gradients_of_other_shapes_are_refused():
    with refuses("gradients: expected the arrays' shapes [(2,), ()], got [(1, 2), ()]"):
        directional_derivatives(max, [[[1.0, 1.0]], 1.0], [[1.0, 2.0], 3.0], default_rng(0))


@pytest.mark.equation("relative-error")
@given(*[arrays(float, (2, 2), elements=st.integers(-1000, 1000))] * 2, st.floats(1e-300, 1e300))
def test_relative_error_is_its_formula_and_has_no_unit(a, b, unit):
    largest = max(norm(a), norm(b))
    error = norm(a - b) / largest if largest else 0
    assert relative_error(unit * a, unit * b) == pytest.approx(error, rel=1e-12)


def test_relative_errors_at_the_edge():
    assert relative_error(np.zeros((0, 3)), np.zeros((0, 3))) == 0
    assert relative_error(np.float32(3), -3.0) == 2  # a wrong sign is the worst
    assert relative_error(*np.float32([1, 1e-10])) == pytest.approx(1 - 1e-10, rel=1e-12)
    for a, b in [((3,), (3, 1)), ((3,), ()), ((2, 3), (3, 2)), ((1,), (3,)), ((), (1,))]:
        with refuses(f"b: expected shape {a} like a, got {b}"):
            relative_error(np.ones(a), np.ones(b))


NAMES = ["W", "bias"]
GRADIENTS = [np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([0.5, -0.25])]


def changed(number, by, place=0):
    """Return the gradients with one entry of one of them changed."""
    gradients = [g.copy() for g in GRADIENTS]
    gradients[number].flat[place] += by
    return gradients


def test_the_agreement_is_a_table():
    names = ["W", "a long bias"]
    table = assert_gradients_agree(names, GRADIENTS, changed(0, 5e-14), changed(1, 1e-9))
    assert table.split("\n") == [
        "gradient     shape               norm  hand-tape  hand-diff",
        "W            (2, 2)        5.00000000    ≤ 1e-13    ≤ 1e-17",
        "a long bias  (2,)          0.55901699    ≤ 1e-17    ≤ 1e-08",
    ]
    long = [np.ones((20, 10, 3))]
    header, row = assert_gradients_agree(["X"], long, long, long).split("\n")
    assert header.index("norm") + 4 == row.index(".") + 9


@pytest.mark.parametrize("by", [1, -1, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("number", "place", "where"), [(0, 3, "(1, 1)"), (1, 1, "(1,)")])
@pytest.mark.parametrize(
    ("others", "least"),
    [
        (["the tape"], 2e-12),
        (["central differences"], 7.5e-7),  # 1.5e-7 of the longer gradient
        (["the tape", "central differences"], 1.0),
        (["the tape", "central differences", "hand"], np.nan),
    ],
)
def test_a_gradient_that_is_wrong_is_named(others, least, number, place, where, by):
    three = dict.fromkeys(["hand", "the tape", "central differences"], GRADIENTS)
    three |= dict.fromkeys(others, changed(number, by * least, place))
    h, r = (three[key][number].flat[place] for key in ("hand", others[0]))
    message = (
        f"{NAMES[number]}: the hand-written gradient disagrees with {others[0]}, worst at {where}:"
        f" {h:.9g} by hand, {r:.9g} by {others[0]}"
    )
    with pytest.raises(AssertionError, match=re.escape(message)):
        assert_gradients_agree(NAMES, *three.values())


@pytest.mark.parametrize("position", [0, 1])
def test_each_tolerance_counts_for_its_own_column(position):
    others, tolerances = [GRADIENTS, GRADIENTS], [0, 0]
    others[position] = changed(0, 1e-4)
    with pytest.raises(AssertionError):
        assert_gradients_agree(NAMES, GRADIENTS, *others, *tolerances)
    with refuses("tolerance: expected a number of at least 0, got -1"):
        assert_gradients_agree(NAMES, GRADIENTS, *others, -1, -1)
    tolerances[position] = 1e-3
    assert_gradients_agree(NAMES, GRADIENTS, *others, *tolerances)


def test_the_report_is_a_table():
    # 1.5 / 5, since the reference has norm 5 and the other is shorter.
    report = gradient_report(["W", "a long bias"], changed(0, -1.5, 1), GRADIENTS)
    assert report.split("\n") == [
        "gradient     rel. error       entries off        worst     by hand   reference",
        "W               3.0e-01            1 of 4       (0, 1)    2.500000    4.000000",
        "a long bias     < 1e-07            0 of 2",
    ]


@pytest.mark.parametrize(
    ("hand", "reference", "line"),
    [
        ([[1.5, 98.0], [1.0, -0.9]], [[1.0, 100.0], [1.0, 1.0]], "2.8e-02 3 of 4 (0, 1) 98.000000"),
        ([1e7, 1.1], [1.0, 1.0], "1.0e+00 2 of 2 (0,) 10000000.000000 1.000000"),
        ([3.0, -400.0, 3.6e-4], [3.0, -400.0, 0.0], "9.0e-07 0 of 3"),  # a millionth of the largest
        ([3.0, -400.0, -4.4e-4], [3.0, -400.0, 0.0], "1.1e-06 1 of 3 (2,) -0.000440 0.000000"),
        (1e7, 1e7 - 1, "1.0e-07 0 of 1"),
        ([1e-300, 0.0], [0.0, 0.0], "1.0e+00 1 of 2 (0,) 0.000000 0.000000"),
        ([-1e-17, 0.0], [1.0, 0.0], "1.0e+00 1 of 2 (0,) 0.000000 1.000000"),
        (0.0, 0.0, "< 1e-07 0 of 1"),
        ([1.0, np.inf], [1.0, np.inf], "nan 1 of 2 (1,) inf inf"),
        ([5.0, np.nan], [1.0, 2.0], "nan 2 of 2 (1,) nan 2.000000"),
    ],
)
def test_the_report_counts_what_is_off_and_shows_the_worst(hand, reference, line):
    report = gradient_report(["W"], [np.array(hand)], [np.array(reference)])
    assert " ".join(report.split("\n")[1].split()).startswith(f"W {line}")


@pytest.mark.parametrize(("compare", "count"), [(assert_gradients_agree, 3), (gradient_report, 2)])
def test_gradients_that_cannot_be_compared_are_refused(compare, count):
    for position in range(count):
        for bad in (np.ones(3), np.ma.array(np.ones((3, 1)), mask=True)):
            group = [[np.ones((3, 1))]] * count
            group[position] = [bad]
            with refuses("W: expected arrays of one shape, without masks, got [(3,"):
                compare(["W"], *group)
        group[position] = []
        with refuses("names: expected one for each gradient, got 1 for ("):
            compare(["W"], *group)
    with refuses("names: expected a sequence, got 'W'"):
        compare("W", *[[1.0]] * count)
    for names, gradients in ((NAMES, GRADIENTS[:1]), ([], [])):
        with refuses(f"names: expected one for each gradient, got {len(names)} for ("):
            compare(names, *[gradients] * count)
