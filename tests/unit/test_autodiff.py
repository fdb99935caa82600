"""Automatic differentiation: each rule against loops, complex steps and central differences."""

import math
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import (
    array_shapes,
    basic_indices,
    integer_array_indices,
    mutually_broadcastable_shapes,
    valid_tuple_axes,
)

from backprop.autodiff import (
    PARTIALS,
    REDUCTIONS,
    Dual,
    Tensor,
    elementwise,
    gradients,
    jvp,
    product,
    reduction,
    vjp,
)
from backprop.gradcheck import complex_step_gradients, numerical_gradients, relative_error

# A rule that is added to the tables is tested without another word.
every_rule = pytest.mark.parametrize("ufunc", PARTIALS, ids=lambda u: u.__name__)
every_reduction = pytest.mark.parametrize("ufunc", REDUCTIONS, ids=lambda u: u.__name__)

# NumPy has no complex logaddexp, and the absolute value of a complex number is another function.
NOT_COMPLEX = [np.absolute, np.logaddexp]
FOR_POSITIVE_NUMBERS = [np.power, np.sqrt, np.log]


def normal(*shapes, seed=0):
    """Return arrays of random numbers, one of each shape."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def operands(ufunc, shapes=((3, 4), (3, 4))):
    """Return numbers in (0.2, 0.9), which every function takes, away from ties of the two."""
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(0.2, 0.9, shape) for shape in shapes)
    assert np.abs(a - b).min() > 1e-3
    assert (a - b).min() < 0 < (a - b).max()
    return [a, b][: ufunc.nin]


def inner(a, b):
    """Return the sum of products of two lists of arrays, of the same shapes."""
    assert [np.shape(x) for x in a] == [np.shape(y) for y in b]
    return sum(float(np.sum(x * y)) for x, y in zip(a, b, strict=True))


def assert_transposed(f, *arrays):
    """Assert ⟨pull(slope), change⟩ = ⟨slope, push(change)⟩ for each array on its own."""
    (slope,) = normal(np.shape(f(*arrays)), seed=1)
    slopes = vjp(f, arrays, slope)[1]
    for place, array in enumerate(arrays):
        changes = [np.zeros(np.shape(a)) for a in arrays]
        (changes[place],) = normal(np.shape(array), seed=2)
        change = jvp(f, arrays, changes)[1]
        # Sums of some ten products near 1: rounding leaves 1e-15.
        assert inner(slopes, changes) == pytest.approx(inner([slope], [change]), abs=1e-13)


def scattered(slope, source, shape):
    """Add up slopes by a loop: `source` tells which entry, counted from 0, each one goes to."""
    total = np.zeros(shape)
    for place in np.ndindex(slope.shape):
        total.flat[source[place]] += slope[place]
    return total


def numbered(shape):
    return np.arange(math.prod(shape)).reshape(shape)


# Entry by entry

CLOSED_FORMS = {
    np.negative: (lambda a: -1,),
    np.add: (lambda a, b: 1, lambda a, b: 1),
    np.subtract: (lambda a, b: 1, lambda a, b: -1),
    np.multiply: (lambda a, b: b, lambda a, b: a),
    np.divide: (lambda a, b: 1 / b, lambda a, b: -a / b**2),
    np.power: (lambda a, b: b * a ** (b - 1), lambda a, b: a**b * math.log(a)),
    np.square: (lambda a: 2 * a,),
    np.sqrt: (lambda a: 1 / (2 * math.sqrt(a)),),
    np.exp: (math.exp,),
    np.log: (lambda a: 1 / a,),
    np.sin: (math.cos,),
    np.cos: (lambda a: -math.sin(a),),
    np.tanh: (lambda a: 1 / math.cosh(a) ** 2,),
    np.absolute: (lambda a: math.copysign(1, a),),
    np.maximum: (lambda a, b: int(a > b), lambda a, b: int(b > a)),
    np.minimum: (lambda a, b: int(a < b), lambda a, b: int(b < a)),
    np.logaddexp: (lambda a, b: 1 / (1 + math.exp(b - a)), lambda a, b: 1 / (1 + math.exp(a - b))),
}


@pytest.mark.equation("elementwise-map")
@pytest.mark.parametrize(
    ("ufunc", "place"),
    [(ufunc, place) for ufunc, forms in CLOSED_FORMS.items() for place in range(len(forms))],
    ids=lambda u: getattr(u, "__name__", None),
)
def test_elementwise_map_is_its_formula(ufunc, place):
    arrays = operands(ufunc)
    change, slope = normal((3, 4), (3, 4))
    linear = elementwise(ufunc, place, ufunc(*arrays), arrays)
    pushed, pulled = linear.push(change), linear.pull(slope)
    for i in np.ndindex(3, 4):
        derivative = CLOSED_FORMS[ufunc][place](*(float(a[i]) for a in arrays))
        assert pushed[i] == pytest.approx(derivative * change[i], rel=1e-14, abs=0)
        assert pulled[i] == pytest.approx(derivative * slope[i], rel=1e-14, abs=0)


@every_rule
def test_there_is_a_partial_for_each_input(ufunc):
    assert len(PARTIALS[ufunc]) == ufunc.nin


@pytest.mark.parametrize(
    "ufunc", [u for u in PARTIALS if u not in NOT_COMPLEX], ids=lambda u: u.__name__
)
def test_partials_agree_with_complex_steps(ufunc):
    arrays = operands(ufunc)
    (slope,) = normal((3, 4))
    exact = complex_step_gradients(lambda *a: np.sum(slope * ufunc(*a)), *arrays)
    for mine, other in zip(vjp(ufunc, arrays, slope)[1], exact, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-14)


@pytest.mark.equation("transpose-rule")
@pytest.mark.parametrize(
    ("ufunc", "sign"),
    [(u, 1) for u in PARTIALS] + [(u, -1) for u in PARTIALS if u not in FOR_POSITIVE_NUMBERS],
    ids=lambda u: getattr(u, "__name__", None),
)
def test_partials_agree_with_central_differences(ufunc, sign):
    arrays = [sign * a for a in operands(ufunc)]
    (slope,) = normal((3, 4))
    numerical = numerical_gradients(lambda *a: np.sum(slope * ufunc(*a)), *arrays)
    for mine, other in zip(vjp(ufunc, arrays, slope)[1], numerical, strict=True):
        assert relative_error(mine, other) <= 1e-9


@every_rule
def test_transposes_of_elementwise_maps(ufunc):
    assert_transposed(ufunc, *operands(ufunc))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("exponent", [1, 2, 3, 2.0, -1, -2, np.array([2.0, 3.0])])
def test_power_of_a_negative_base(exponent):
    # The slope in the exponent would need its logarithm.
    x = np.array([-2.0, -0.5])
    (gradient,) = gradients(lambda x: np.sum(x**exponent), x)
    np.testing.assert_allclose(gradient, exponent * x**exponent / x, rtol=1e-15)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("exponent", "slope"), [(1, 1), (2, 0), (3, 0), (1.5, 0)])
def test_power_at_zero(exponent, slope):
    assert gradients(lambda x: x**exponent, 0.0) == [slope]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e2, 1e4, 1e300])
def test_logaddexp_far_out(size):
    z = np.array([size, -size])
    (slope,) = gradients(lambda z: np.sum(np.logaddexp(0, z)), z)
    np.testing.assert_allclose(slope, [1, 0], atol=1e-40)
    (slope,) = gradients(np.logaddexp.reduce, z)
    np.testing.assert_allclose(slope, [1, 0], atol=1e-40)


# Kinks


def test_slope_of_a_relu_at_zero_is_zero():
    z = np.array([-1.0, -0.0, 0.0, 1.0])
    assert gradients(lambda z: np.sum(np.maximum(z, 0)), z)[0].tolist() == [0, 0, 0, 1]
    assert jvp(lambda z: np.maximum(z, 0), [z], [np.ones(4)])[1].tolist() == [0, 0, 0, 1]


def test_slope_of_an_absolute_value_at_zero_is_zero():
    assert gradients(lambda x: np.sum(abs(x)), [-2.0, 0.0, 2.0])[0].tolist() == [-1, 0, 1]


@pytest.mark.parametrize("ufunc", [np.maximum, np.minimum])
def test_a_tie_goes_to_the_second(ufunc):
    assert gradients(ufunc, 1.0, 1.0) == [0, 1]
    assert gradients(lambda x: ufunc(x, x), 1.0) == [1]


# Products


@pytest.mark.equation("product-map")
def test_product_map_is_its_formula():
    A, B, dA, dB, slope = normal((3, 4), (4, 2), (3, 4), (4, 2), (3, 2))
    left, right = product(0, A, B), product(1, A, B)
    for n, k in np.ndindex(3, 2):
        from_left = sum(dA[n, i] * B[i, k] for i in range(4))
        from_right = sum(A[n, i] * dB[i, k] for i in range(4))
        assert left.push(dA)[n, k] == pytest.approx(from_left, abs=1e-14)
        assert right.push(dB)[n, k] == pytest.approx(from_right, abs=1e-14)
        total = jvp(operator.matmul, [A, B], [dA, dB])[1][n, k]
        assert total == pytest.approx(from_left + from_right, abs=1e-14)
    for n, i in np.ndindex(3, 4):
        expected = sum(slope[n, k] * B[i, k] for k in range(2))
        assert left.pull(slope)[n, i] == pytest.approx(expected, abs=1e-14)
    for i, k in np.ndindex(4, 2):
        expected = sum(A[n, i] * slope[n, k] for n in range(3))
        assert right.pull(slope)[i, k] == pytest.approx(expected, abs=1e-14)


@given(st.tuples(*[st.integers(1, 4)] * 3))
def test_transposes_of_products(sizes):
    N, D, H = sizes
    A, B = normal((N, D), (D, H))
    assert_transposed(operator.matmul, A, B)
    assert_transposed(lambda A: A @ B, A)
    assert_transposed(lambda B: A @ B, B)


def test_transposes_of_a_square():
    assert_transposed(lambda A: A @ A, *normal((3, 3)))
    assert_transposed(lambda A: A.T @ A, *normal((4, 3)))


# Sums and their kin


@pytest.mark.equation("reduction-map")
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(
    ("ufunc", "share"),
    [
        (np.add, lambda x, line: 1),
        (np.logaddexp, lambda x, line: math.exp(x) / sum(math.exp(other) for other in line)),
    ],
)
def test_reduction_map_is_its_formula(ufunc, share, keepdims, axis):
    a, change = normal((3, 4), (3, 4))
    shape = ufunc.reduce(a, axis=axis, keepdims=keepdims).shape
    (slope,) = normal(shape, seed=1)
    y = ufunc.reduce(a, axis=axis, keepdims=True)
    linear = reduction(ufunc, y, a, axis, keepdims)
    pushed, pulled = linear.push(change), linear.pull(slope)
    assert pushed.shape == shape
    assert pulled.shape == a.shape
    lines, moves = np.moveaxis(a, axis, -1).tolist(), np.moveaxis(change, axis, -1).tolist()
    for n, (line, move) in enumerate(zip(lines, moves, strict=True)):
        shares = [share(x, line) for x in line]
        total = sum(s * m for s, m in zip(shares, move, strict=True))
        assert pushed.ravel()[n] == pytest.approx(total, abs=1e-14)
        back = [s * slope.ravel()[n] for s in shares]
        np.testing.assert_allclose(np.moveaxis(pulled, axis, -1)[n], back, rtol=1e-14)


@every_reduction
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_transposes_of_reductions(ufunc, axis, keepdims):
    (a,) = normal((2, 3, 4))
    assert_transposed(lambda a: ufunc.reduce(a, axis=axis, keepdims=keepdims), a)
    assert_transposed(lambda a: ufunc.reduce(a, axis, keepdims=keepdims), a)


@every_reduction
def test_reductions_agree_with_central_differences(ufunc):
    a, slope = normal((3, 4), (4,))
    (numerical,) = numerical_gradients(lambda a: np.sum(slope * ufunc.reduce(a)), a)
    assert relative_error(vjp(ufunc.reduce, [a], slope)[1][0], numerical) <= 1e-9


@given(st.data())
def test_a_sum_hands_its_slope_to_each_of_its_terms(data):
    shape = data.draw(array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    axis = data.draw(st.none() | valid_tuple_axes(len(shape)))
    keepdims = data.draw(st.booleans())
    (a,) = normal(shape)
    value = np.sum(a, axis=axis, keepdims=keepdims)
    slope = 1.0 + numbered(value.shape)
    for f in (np.sum, lambda a, **options: a.sum(**options)):
        y, (pulled,) = vjp(lambda a, f=f: f(a, axis=axis, keepdims=keepdims), [a], slope)
        np.testing.assert_array_equal(y, value)
        assert pulled.shape == shape
        gone = range(len(shape)) if axis is None else [i % len(shape) for i in axis]
        for place in np.ndindex(shape):
            kept = [0 if d in gone else i for d, i in enumerate(place) if keepdims or d not in gone]
            assert pulled[place] == slope[tuple(kept)]
    assert_transposed(lambda a: np.sum(a, axis=axis, keepdims=keepdims), a)


@pytest.mark.parametrize("options", [{}, {"axis": 0}, {"axis": -1, "keepdims": True}])
def test_a_mean_is_a_sum_divided_by_the_number_of_its_terms(options):
    (a,) = normal((3, 4))
    terms = a.size // np.mean(a, **options).size
    slope = 1.0 + numbered(np.mean(a, **options).shape)
    _, (of_sum,) = vjp(lambda a: np.sum(a, **options), [a], slope)
    for f in (lambda a: np.mean(a, **options), lambda a: a.mean(**options)):
        value, (of_mean,) = vjp(f, [a], slope)
        np.testing.assert_allclose(value, np.mean(a, **options), rtol=1e-15)
        np.testing.assert_allclose(of_mean, of_sum / terms, rtol=1e-15)


def test_reduce_takes_the_first_axis_unless_it_is_told_otherwise():
    # np.sum and its method take them all.
    a = np.ones((2, 3))
    assert vjp(np.add.reduce, [a], np.ones(3))[0].tolist() == [2, 2, 2]
    assert vjp(np.sum, [a], 1.0)[0] == 6


# Arrays that are repeated to fit


@pytest.mark.equation("unbroadcast")
@pytest.mark.parametrize(
    "shape", [(), (1,), (3,), (1, 1), (1, 3), (4, 1), (4, 3), (1, 4, 3), (2, 1, 1), (2, 4, 3)]
)
def test_what_was_repeated_gets_the_sum_of_its_slopes(shape):
    # Whole numbers, so that sums are exact in any order.
    slope = 1.0 + numbered((2, 4, 3))
    source = np.broadcast_to(numbered(shape), slope.shape)
    _, (_, pulled) = vjp(operator.add, [np.zeros((2, 4, 3)), np.ones(shape)], slope)
    assert pulled.shape == shape
    np.testing.assert_array_equal(pulled, scattered(slope, source, shape))


def test_a_change_is_repeated_as_the_value_is():
    for f in (lambda x: x + np.zeros((4, 3)), lambda x: np.zeros((4, 3)) - x):
        value, change = jvp(f, [np.ones(3)], [np.ones(3)])
        assert value.shape == change.shape == (4, 3)


@given(mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=3, max_side=3))
def test_any_two_shapes_that_fit(shapes):
    arrays = [1.0 + numbered(shape) for shape in shapes.input_shapes]
    slope = 1.0 + numbered(shapes.result_shape)
    _, slopes = vjp(operator.mul, arrays, slope)
    for shape, pulled, other in zip(shapes.input_shapes, slopes, reversed(arrays), strict=True):
        assert pulled.shape == shape
        source = np.broadcast_to(numbered(shape), slope.shape)
        np.testing.assert_array_equal(pulled, scattered(slope * other, source, shape))
    assert_transposed(operator.mul, *arrays)
    assert_transposed(operator.sub, *arrays)


@pytest.mark.parametrize("shapes", [((4, 3), (3,)), ((4, 1), (1, 3)), ((), (2, 2))])
@pytest.mark.parametrize(
    "ufunc", [u for u in PARTIALS if u.nin == 2], ids=lambda u: getattr(u, "__name__", None)
)
def test_every_rule_for_two_repeats_what_is_too_short(ufunc, shapes):
    arrays = operands(ufunc, shapes)
    slopes = gradients(lambda *a: np.sum(ufunc(*a)), *arrays)
    numerical = numerical_gradients(lambda *a: np.sum(ufunc(*a)), *arrays)
    for mine, other in zip(slopes, numerical, strict=True):
        assert mine.shape == other.shape
        assert relative_error(mine, other) <= 1e-9
    assert_transposed(ufunc, *arrays)


# Entries, transposes


@given(st.data())
def test_entries_give_their_slopes_back(data):
    shape = data.draw(array_shapes(max_dims=3, max_side=3))
    key = data.draw(basic_indices(shape, allow_newaxis=True) | integer_array_indices(shape))
    (x,) = normal(shape)
    slope = 1.0 + numbered(np.shape(x[key]))
    value, (pulled,) = vjp(lambda x: x[key], [x], slope)
    np.testing.assert_array_equal(value, x[key])
    np.testing.assert_array_equal(pulled, scattered(slope, numbered(shape)[key], shape))
    assert_transposed(lambda x: x[key], x)


def test_an_entry_taken_twice_gets_both_slopes():
    _, (pulled,) = vjp(lambda x: x[[0, 0, 2]], [np.zeros(3)], [1.0, 10.0, 100.0])
    assert pulled.tolist() == [11, 0, 100]


def test_entries_chosen_by_a_mask():
    (x,) = normal((3, 4))
    (gradient,) = gradients(lambda x: np.sum(x[x.value > 0] ** 2), x)
    np.testing.assert_array_equal(gradient, np.where(x > 0, 2 * x, 0))


def test_an_array_can_be_taken_apart():
    assert gradients(lambda x: math.prod(x), [2.0, 3.0, 5.0])[0].tolist() == [15, 10, 6]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4)])
def test_transpose(shape):
    (x,) = normal(shape)
    slope = 1.0 + numbered(shape[::-1])
    value, (pulled,) = vjp(lambda x: x.T, [x], slope)
    np.testing.assert_array_equal(value, x.T)
    np.testing.assert_array_equal(pulled, slope.T)
    assert_transposed(lambda x: x.T, x)


def test_shape():
    (gradient,) = gradients(lambda x: np.sum(x) / x.shape[0], np.ones((5, 2)))
    np.testing.assert_allclose(gradient, np.full((5, 2), 0.2), rtol=1e-15)


# Operators and whole functions

A, B = normal((3, 3), (3, 3), seed=3)
FUNCTIONS = {
    "-x": lambda x, y: -x,
    "x + y": lambda x, y: x + y,
    "x - y": lambda x, y: x - y,
    "x * y": lambda x, y: x * y,
    "x / y": lambda x, y: x / y,
    "x ** y": lambda x, y: abs(x) ** y,
    "x @ y": lambda x, y: x @ y,
    "abs": lambda x, y: abs(x - y),
    "numbers on the left": lambda x, y: 2 + 3 * x - 4 / y + 2**x - (1 - y),
    "numbers on the right": lambda x, y: (x - 2) * 3 + y / 4 + x**3 + y**-2,
    "NumPy's numbers": lambda x, y: np.float64(2) * x - y / np.float64(3),
    "arrays on the left": lambda x, y: A + A * x - B / y + (A @ y),
    "arrays on the right": lambda x, y: (x - A) * B + y / A + (x @ B),
    "lists on the left": lambda x, y: [[1.0], [2.0], [3.0]] - x * [1.0, 2.0, 3.0],
    "lists on the right": lambda x, y: x / [1.0, 2.0, 4.0] + (y @ [[1.0], [2.0], [3.0]]),
    "a list as exponent": lambda x, y: y ** [1.0, 2.0, 3.0],
    "a list as left factor": lambda x, y: [[1.0, 2.0, 3.0]] @ (x + y),
    "tuples": lambda x, y: x / (1.0, 2.0, 4.0),
    "one result twice": lambda x, y: (lambda z: z * z + np.sin(z))(x * y),
    "softmax": lambda x, y: np.exp(x - np.logaddexp.reduce(x, axis=1, keepdims=True)) * y,
    "normalized": lambda x, y: (
        (x - x.mean(axis=0)) / np.sqrt(np.mean(np.square(x - x.mean(axis=0)), axis=0) + 1) * y[0]
    ),
    "network": lambda x, y: np.tanh(np.maximum(A @ x + y[1], 0) @ B + y[2]) @ y.T,
    "Gram": lambda x, y: x.T @ x - y[:, [0, 2, 0]],
    "recurrence": lambda x, y: np.tanh(x @ np.tanh(x @ np.tanh(x @ y))),
}
every_function = pytest.mark.parametrize("f", FUNCTIONS.values(), ids=list(FUNCTIONS))


@pytest.fixture
def point():
    """Return two matrices, the second of positive numbers."""
    x, y = normal((3, 3), (3, 3))
    return [x, np.abs(y) + 0.5]


@every_function
def test_functions_agree_with_central_differences(f, point):
    (weights,) = normal(np.shape(f(*point)), seed=1)
    slopes = gradients(lambda x, y: np.sum(weights * f(x, y)), *point)
    numerical = numerical_gradients(lambda x, y: np.sum(weights * f(x, y)), *point)
    for mine, other in zip(slopes, numerical, strict=True):
        assert relative_error(mine, other) <= 1e-8


@every_function
def test_forward_and_reverse_mode_are_transposes(f, point):
    (slope,) = normal(np.shape(f(*point)), seed=1)
    changes = normal((3, 3), (3, 3), seed=2)
    value, change = jvp(f, point, changes)
    other_value, slopes = vjp(f, point, slope)
    for v in (value, other_value):
        assert type(v) is np.ndarray
        np.testing.assert_array_equal(v, f(*point))
    assert inner(slopes, changes) == pytest.approx(inner([slope], [change]), rel=1e-13, abs=1e-13)


def pieces(x):
    """Return [x0 x1, sin x0, exp x1]."""
    first, second = x
    e = np.eye(3)
    return first * second * e[0] + np.sin(first) * e[1] + np.exp(second) * e[2]


def jacobian(x):
    return [[x[1], x[0]], [math.cos(x[0]), 0.0], [0.0, math.exp(x[1])]]


@pytest.mark.equation("jvp")
def test_jvp_is_the_jacobian_times_a_change():
    x, change = [0.7, -0.4], [2.0, -3.0]
    value, pushed = jvp(pieces, [x], [change])
    np.testing.assert_allclose(value, [x[0] * x[1], math.sin(x[0]), math.exp(x[1])], rtol=1e-14)
    expected = [row[0] * change[0] + row[1] * change[1] for row in jacobian(x)]
    np.testing.assert_allclose(pushed, expected, rtol=1e-14)


@pytest.mark.equation("vjp")
def test_vjp_is_a_slope_times_the_jacobian():
    x, slope = [0.7, -0.4], [2.0, -3.0, 5.0]
    value, (pulled,) = vjp(pieces, [x], slope)
    np.testing.assert_allclose(value, [x[0] * x[1], math.sin(x[0]), math.exp(x[1])], rtol=1e-14)
    rows = jacobian(x)
    expected = [sum(slope[i] * rows[i][j] for i in range(3)) for j in range(2)]
    np.testing.assert_allclose(pulled, expected, rtol=1e-14)


def test_one_jvp_gives_a_column_of_the_jacobian_and_one_vjp_a_row():
    x = [0.7, -0.4]
    columns = [jvp(pieces, [x], [e])[1] for e in np.eye(2)]
    rows = [vjp(pieces, [x], e)[1][0] for e in np.eye(3)]
    np.testing.assert_allclose(np.transpose(columns), jacobian(x), rtol=1e-14)
    np.testing.assert_allclose(rows, jacobian(x), rtol=1e-14)


def test_jvp_is_the_slope_along_a_line(point):
    f = FUNCTIONS["network"]
    changes = normal((3, 3), (3, 3), seed=2)
    _, pushed = jvp(f, point, changes)
    h = 1e-6
    upper, lower = (
        f(*(p + sign * h * c for p, c in zip(point, changes, strict=True))) for sign in (1, -1)
    )
    assert relative_error(pushed, (upper - lower) / (2 * h)) <= 1e-8


def test_gradients_are_the_vjp_of_slope_one():
    f = FUNCTIONS["softmax"]
    x, y = normal((3, 3), (3, 3))
    hand = vjp(lambda x, y: np.sum(f(x, y)), [x, y], 1.0)[1]
    for mine, other in zip(gradients(lambda x, y: np.sum(f(x, y)), x, y), hand, strict=True):
        assert type(mine) is np.ndarray
        np.testing.assert_array_equal(mine, other)


# The tape


def test_a_node_used_twice_gets_both_slopes():
    assert gradients(lambda x: x + x, 3.0) == [2]
    assert gradients(lambda x: x * x, 3.0) == [6]
    assert gradients(lambda x: x - x, 3.0) == [0]
    assert gradients(lambda x: x * x * x, 3.0) == [27]
    assert jvp(lambda x: x * x * x, [3.0], [1.0])[1] == 27


def test_a_result_used_twice_is_walked_once():
    # 2⁶⁰ paths lead from the value to x.
    def doubled(x):
        for _ in range(60):
            x = x + x
        return x

    assert gradients(doubled, 1.0) == [2.0**60]
    assert jvp(doubled, [1.0], [1.0])[1] == 2.0**60


def test_a_slope_is_passed_on_only_when_it_is_complete():
    # The short way to y is on the tape after the long way: y's slope has two parts.
    def f(x):
        y = x * x
        return np.sin(y) + 3 * y

    assert gradients(f, 2.0)[0] == pytest.approx((math.cos(4) + 3) * 4, rel=1e-14, abs=0)


def test_a_second_walk_starts_from_nothing(point):
    def f(x, y):
        return np.sum(FUNCTIONS["network"](x, y))

    first, second = gradients(f, *point), gradients(f, *point)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert [vjp(lambda x: x * x, [3.0], 1.0)[1] for _ in range(3)] == [[6], [6], [6]]


def test_the_function_runs_once(point):
    calls = []

    def f(x, y):
        calls.append(1)
        return np.sum(x * y)

    gradients(f, *point)
    assert len(calls) == 1
    jvp(f, point, point)
    assert len(calls) == 2


def test_a_chain_of_5000_steps():
    def f(x):
        for _ in range(2500):
            x = 1.001 * x + 0.5
        return x

    expected = pytest.approx(1.001**2500, rel=1e-12)
    assert gradients(f, 1.0)[0] == expected
    assert jvp(f, [1.0], [1.0])[1] == expected


def test_steps_that_do_not_matter_are_passed_over():
    def f(x):
        np.exp(x)
        y = 2 * x
        np.exp(y)
        return y

    assert gradients(f, 3.0) == [2]


def test_the_value_may_be_an_argument():
    value, slopes = vjp(lambda x, y: y, [[1.0, 2.0], [3.0, 4.0]], [5.0, 6.0])
    assert value.tolist() == [3, 4]
    assert [s.tolist() for s in slopes] == [[0, 0], [5, 6]]
    assert jvp(lambda x, y: y, [1.0, 2.0], [3.0, 4.0]) == (2, 4)


@pytest.mark.parametrize("constant", [3.0, 3, np.ones(2), [1.0, 2.0]])
def test_a_value_that_depends_on_no_array(constant):
    arrays = [np.ones((2, 3), np.float32), np.ones(())]
    value, slopes = vjp(lambda x, y: constant, arrays, np.ones(np.shape(constant)))
    np.testing.assert_array_equal(value, constant)
    for slope, array in zip(slopes, arrays, strict=True):
        assert (slope.shape, slope.dtype) == (array.shape, array.dtype)
        assert not slope.any()
    value, change = jvp(lambda x, y: constant, arrays, arrays)
    np.testing.assert_array_equal(value, constant)
    assert change.shape == np.shape(constant)
    assert not change.any()


def test_an_array_that_does_not_matter_has_slope_zero():
    slopes = gradients(lambda x, y: np.sum(x), np.ones(2), np.ones((3, 1)))
    assert [s.tolist() for s in slopes] == [[1, 1], [[0], [0], [0]]]


# Arguments and results


def test_lists_and_numbers_are_arrays():
    slopes = gradients(lambda x, y: np.sum(x * y), [[1.0, 2.0]], 3.0)
    assert [s.tolist() for s in slopes] == [[[3, 3]], 3]
    assert [type(s) for s in slopes] == [np.ndarray] * 2
    value, change = jvp(lambda x, y: x[0, 1] * y, [[[1.0, 2.0]], 3.0], [[[1, 1]], 0])
    assert (type(value), type(change)) == (np.ndarray, np.ndarray)
    assert (value, change) == (6, 3)


def test_arguments_are_left_alone(point):
    changes, slope = normal((3, 3), (3, 3)), np.ones((3, 3))
    arrays = [*point, *changes, slope]
    before = [a.copy() for a in arrays]
    for array in arrays:
        array.flags.writeable = False
    for f in FUNCTIONS.values():
        jvp(f, point, changes)
        vjp(f, point, np.ones(np.shape(f(*point))))
    vjp(lambda x, y: x, point, slope)
    for array, was in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, was)


def test_results_are_new_arrays():
    x, slope, change = np.ones(2), np.ones(2), np.ones(2)
    for f in (lambda x: x, lambda x: x.T, lambda x: x[:], lambda x: x + 0, lambda x: x * 1.0):
        vjp(f, [x], slope)[1][0][:] = 7
        jvp(f, [x], [change])[1][:] = 7
    assert [*x, *slope, *change] == [1] * 6


@every_rule
def test_float32_stays_float32(ufunc):
    arrays = [a.astype(np.float32) for a in operands(ufunc)]
    value, slopes = vjp(ufunc, arrays, np.ones((3, 4)))
    assert {a.dtype for a in [value, *slopes]} == {np.dtype(np.float32)}
    for a in jvp(ufunc, arrays, [np.ones((3, 4)) for _ in arrays]):
        assert a.dtype == np.float32


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 2.0 * x - 1,
        lambda x: x**2 / 3,
        lambda x: np.maximum(x, 0),
        lambda x: np.logaddexp(0.0, x),
        lambda x: x @ x,
        lambda x: x.T,
        lambda x: x[0],
        lambda x: x[[0, 0]],
        lambda x: np.sum(x),
        lambda x: np.mean(x, axis=0),
        lambda x: np.logaddexp.reduce(x, axis=1),
        lambda x: x - x.mean(axis=1, keepdims=True),
        lambda x: x,
    ],
)
def test_functions_of_float32_stay_float32(f):
    x = normal((3, 3))[0].astype(np.float32)
    slope = np.ones(np.shape(f(x)))
    value, (pulled,) = vjp(f, [x], slope)
    other_value, change = jvp(f, [x], [np.ones((3, 3))])
    assert {a.dtype for a in (value, pulled, other_value, change)} == {np.dtype(np.float32)}
    (exact,) = vjp(f, [x.astype(np.float64)], slope)[1]
    np.testing.assert_allclose(pulled, exact, rtol=1e-5, atol=1e-6)
    number, (of_number,) = vjp(lambda x: 2.0 * x + 1.0, [np.float32(3)], 1.0)
    assert {number.dtype, of_number.dtype} == {np.dtype(np.float32)}


def test_duals_can_be_made_by_hand():
    x = Dual(3.0, 1.0)
    y = x * x + 2 / x
    assert (y.value, y.change) == (9 + 2 / 3, 6 - 2 / 9)


def test_tensors_write_themselves_on_their_tape():
    tape = []
    x = Tensor(3.0, tape)
    y = 2 * x
    z = x * y
    assert [id(t) for t in tape] == [id(x), id(y), id(z)]
    assert [t.place for t in tape] == [0, 1, 2]
    assert [[i.place for i, _ in t.inputs] for t in tape] == [[], [0], [0, 1]]


# What autodiff cannot follow


def add_in_place(x):
    y = x * 1
    y += 1
    return y


def add_to_zeros(x):
    y = np.zeros(3)
    y += x
    return y


ELSE = "autodiff follows operators, sums, means, indexing and the ufuncs in its table"
IN_PLACE = r"; in the place of x \+= y write x = x \+ y"


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (np.floor, r"^np\.floor: no rule in PARTIALS or REDUCTIONS. Write it with others"),
        (lambda x: x > 0, r"np\.greater: no rule"),
        (lambda x: x == 0, r"np\.equal: no rule"),
        (np.max, r"np\.maximum\.reduce: no rule"),
        (np.prod, r"np\.multiply\.reduce: no rule"),
        (lambda x: np.add.outer(x, x), r"np\.add\.outer: no rule"),
        (np.add.accumulate, r"np\.add\.accumulate: no rule"),
        (lambda x: np.where(np.ones(3) > 0, x, 0), ELSE),
        (np.asarray, ELSE),
        (np.array, ELSE),
        (lambda x: [x, x], ELSE),
        (lambda x: np.stack([x, x]), ELSE),
        (lambda x: np.dot(x, x), ELSE),
        (lambda x: np.clip(x, 0, 1), ELSE),
        (float, ELSE),
        (math.exp, ELSE),
        (lambda x: x if x else -x, ELSE),
        (add_in_place, f"np.add: cannot follow out{IN_PLACE}"),
        (add_to_zeros, f"np.add: cannot follow out{IN_PLACE}"),
        (lambda x: np.sum(x, where=[True, False, True]), "np.add: cannot follow where$"),
        (lambda x: np.mean(x, where=[True, False, True]), "np.add: cannot follow where$"),
        (lambda x: np.sum(x, initial=1.0), "np.add: cannot follow initial$"),
        (lambda x: np.sum(x, dtype=np.float32), "np.add: cannot follow dtype$"),
        (lambda x: np.exp(x, where=[True, False, True], out=None), "np.exp: cannot follow where$"),
        (lambda x: np.matmul(x[None], x[:, None], dtype=float), "np.matmul: cannot follow dtype$"),
        (lambda x: x @ x, r"@: expected two matrices, got shapes \(3,\) and \(3,\)"),
        (lambda x: np.ones((2, 3)) @ x, r"@: .* got shapes \(2, 3\) and \(3,\)"),
        (lambda x: x @ np.ones((3, 2)), r"@: .* got shapes \(3,\) and \(3, 2\)"),
        (lambda x: x[None, None] @ np.ones((3, 2)), r"@: .* \(1, 1, 3\) and \(3, 2\)"),
        (lambda x: None, "f: expected it to return an array, got None"),
        (lambda x: "loss", "f: expected it to return an array, got 'loss'"),
    ],
)
def test_what_cannot_be_followed_is_refused(f, message):
    x = np.array([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=message):
        jvp(f, [x], [x])
    with pytest.raises(ValueError, match=message):
        vjp(f, [x], x)


def test_entries_cannot_be_written():
    def write(x):
        x[0] = 1.0

    def write_to_zeros(x):
        y = np.zeros(3)
        y[0] = x[0]
        return y

    with pytest.raises(TypeError, match="does not support item assignment"):
        gradients(write, [1.0])
    with pytest.raises(ValueError, match="setting an array element") as caught:
        gradients(write_to_zeros, [1.0])
    assert ELSE in str(caught.value.__cause__)


def slope_of(g):
    return lambda x: gradients(g(x), 2.0)[0]


def change_of(g):
    return lambda x: jvp(g(x), [2.0], [1.0])[1]


@pytest.mark.parametrize(
    "g",
    [
        lambda x: lambda y: x * y,
        lambda x: lambda y: y * x,
        lambda x: lambda y: y @ x,
        lambda x: lambda y: x,
        lambda x: lambda y: x * x,
        lambda x: lambda y: x[...],
    ],
    ids=["left", "right", "product", "argument", "result", "entry"],
)
@pytest.mark.parametrize("inside", [slope_of, change_of])
def test_a_function_inside_a_function_is_refused(inside, g):
    # The inner slope would be taken for a constant, or the outer one for the inner one.
    message = "autodiff cannot follow a function inside a function it follows"
    with pytest.raises(ValueError, match=message):
        jvp(inside(g), [3.0], [1.0])
    with pytest.raises(ValueError, match=message):
        gradients(inside(g), 3.0)


@pytest.mark.parametrize(
    "inside",
    [
        lambda x: gradients(np.square, x)[0],
        lambda x: jvp(np.square, [x], [1.0])[1],
        lambda x: jvp(np.square, [1.0], [x])[1],
        lambda x: vjp(np.square, [1.0], x)[1][0],
    ],
)
def test_arguments_that_are_followed_already_are_refused(inside):
    with pytest.raises(ValueError, match=ELSE):
        jvp(inside, [3.0], [1.0])
    with pytest.raises(ValueError, match=ELSE):
        gradients(inside, 3.0)


def test_duals_and_tensors_do_not_mix():
    message = "autodiff cannot follow a function inside"
    for pair in [(Dual(1.0, 1.0), Tensor(1.0, [])), (Tensor(1.0, []), Tensor(1.0, []))]:
        for x, y in (pair, pair[::-1]):
            with pytest.raises(ValueError, match=message):
                x * y


def test_a_second_derivative_by_differences_of_the_first():
    # Not nested: gradients gets numbers.
    (second,) = numerical_gradients(lambda x: float(gradients(lambda x: x**3, x)[0]), 2.0)
    assert second == pytest.approx(12, rel=1e-9)


@pytest.mark.parametrize("dtype", [int, bool, complex, object, np.float16])
def test_arrays_that_are_not_float_are_refused(dtype):
    arrays = [np.ones(2), np.ones(2, dtype)]
    message = f"argument 1 of f: expected float32 or float64, got {np.dtype(dtype)}"
    for call in (
        lambda: jvp(operator.add, arrays, [np.ones(2)] * 2),
        lambda: vjp(operator.add, arrays, np.ones(2)),
        lambda: gradients(operator.add, *arrays),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([], "changes: expected 2, one for each array, got 0"),
        ([[1.0, 1.0]], "changes: expected 2, one for each array, got 1"),
        ([[1.0, 1.0], 1.0, 1.0], "changes: expected 2, one for each array, got 3"),
        ([1.0, 1.0], r"change 0: expected shape \(2,\), got \(\)"),
        ([[[1.0, 1.0]], 1.0], r"change 0: expected shape \(2,\), got \(1, 2\)"),
        ([[1.0, 1.0], [1.0]], r"change 1: expected shape \(\), got \(1,\)"),
    ],
)
def test_changes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        jvp(operator.add, [[1.0, 2.0], 3.0], changes)


@pytest.mark.parametrize(
    ("slope", "shape"), [(1.0, r"\(\)"), ([1.0], r"\(1,\)"), ([[1.0, 1.0]], r"\(1, 2\)")]
)
def test_slopes_that_do_not_fit_are_refused(slope, shape):
    message = rf"f: expected a value of the slope's shape {shape}, got \(2,\)"
    with pytest.raises(ValueError, match=message):
        vjp(np.exp, [[1.0, 2.0]], slope)
    with pytest.raises(ValueError, match=message):
        vjp(lambda x: np.ones(2), [[1.0, 2.0]], slope)


def test_gradients_are_of_a_single_number():
    with pytest.raises(ValueError, match=r"f: expected a value of .* shape \(\), got \(2, 1\)"):
        gradients(np.exp, [[1.0], [2.0]])


def test_arrays_that_f_changes_on_its_way_have_been_copied():
    def f(x):
        factor, y = np.ones(3), x
        for _ in range(2):
            y = y * factor
            factor *= 2
        return np.sum(y)

    for slope in (gradients(f, np.ones(3))[0], numerical_gradients(f, np.ones(3))[0]):
        np.testing.assert_allclose(slope, 2, rtol=1e-9)


def test_a_number_has_no_entries_to_go_through():
    assert [row.shape for row in Tensor(np.ones((2, 3)), [])] == [(3,), (3,)]
    with pytest.raises(TypeError, match="unsized"):
        gradients(lambda x: sum(x) * 3.0, 2.0)
