"""The checks of gradients: they are exact enough, and each of them can fail."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backprop.gradcheck import RELATIVE_STEP, agreement, numerical_gradients, relative_error

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


def test_every_argument_has_a_gradient_of_its_shape():
    rng = np.random.default_rng(0)
    A, b, c = rng.normal(size=(2, 3)), rng.normal(size=3), rng.normal()
    gradients = numerical_gradients(lambda A, b, c: np.sum((A @ b) ** 2) * c, A, b, c)
    expected = [2 * c * np.outer(A @ b, b), 2 * c * A.T @ (A @ b), np.sum((A @ b) ** 2)]
    assert [g.shape for g in gradients] == [(2, 3), (3,), ()]
    for gradient, right in zip(gradients, expected, strict=True):
        assert relative_error(gradient, right) < 1e-9


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
