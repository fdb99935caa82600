"""Automatic differentiation: each rule against loops over numbers and central differences."""

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
)

from backprop import activations, autodiff
from backprop.autodiff import NESTED, PLAIN_ARRAY, RULES, Dual, Tensor, gradients, jvp, vjp
from backprop.gradcheck import numerical_gradients, relative_error

REDUCTIONS = [f for f in RULES if not isinstance(f, np.ufunc)]
ELEMENTWISE = [f for f in RULES if isinstance(f, np.ufunc) and f is not np.matmul]
FOR_POSITIVE_NUMBERS = [np.power, np.sqrt, np.log]

every_rule = pytest.mark.parametrize("ufunc", ELEMENTWISE, ids=lambda u: u.__name__)
every_reduction = pytest.mark.parametrize(
    "reduce", REDUCTIONS, ids=lambda r: f"{r.__self__.__name__}.reduce"
)


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


def numbered(shape):
    return np.arange(math.prod(shape)).reshape(shape)


def scattered(cotangent, source, shape):
    """Add up cotangents by a loop: `source` tells which entry, counted from 0, each one goes to."""
    total = np.zeros(shape)
    for i in np.ndindex(cotangent.shape):
        total.flat[source[i]] += cotangent[i]
    return total


def inner(a, b):
    """Return the sum of products of two lists of arrays, of the same shapes."""
    assert [np.shape(x) for x in a] == [np.shape(y) for y in b]
    return sum(float(np.sum(x * y)) for x, y in zip(a, b, strict=True))


def assert_transposed(f, *arrays):
    """Assert that both modes give ⟨cotangent, J tangent⟩, for each array on its own."""
    (cotangent,) = normal(np.shape(f(*arrays)), seed=1)
    cotangents = vjp(f, arrays, cotangent)[1]
    for i, array in enumerate(arrays):
        tangents = [np.zeros(np.shape(a)) for a in arrays]
        (tangents[i],) = normal(np.shape(array), seed=2)
        pushed = jvp(f, arrays, tangents)[1]
        # Sums of some ten products near 1: rounding leaves 1e-15.
        assert inner(cotangents, tangents) == pytest.approx(inner([cotangent], [pushed]), abs=1e-13)


def assert_differences_agree(f, *arrays):
    (weights,) = normal(np.shape(f(*arrays)), seed=3)
    numerical = numerical_gradients(lambda *a: np.sum(weights * f(*a)), *arrays)
    for mine, other in zip(vjp(f, arrays, weights)[1], numerical, strict=True):
        assert mine.shape == other.shape
        assert relative_error(mine, other) <= 1e-8


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
@every_rule
def test_elementwise_map_is_its_formula(ufunc):
    arrays = operands(ufunc)
    assert len(CLOSED_FORMS[ufunc]) == ufunc.nin
    for argnum, formula in enumerate(CLOSED_FORMS[ufunc]):
        tangent, cotangent = normal((3, 4), (3, 4))
        linear = RULES[ufunc](argnum, ufunc(*arrays), *arrays)
        pushed, pulled = linear.jvp(tangent), linear.vjp(cotangent)
        for i in np.ndindex(3, 4):
            derivative = formula(*(float(a[i]) for a in arrays))
            assert pushed[i] == pytest.approx(derivative * tangent[i], rel=1e-14, abs=0)
            assert pulled[i] == pytest.approx(derivative * cotangent[i], rel=1e-14, abs=0)


@pytest.mark.equation("transpose-rule")
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    "shapes", [((3, 4), (3, 4)), ((4, 3), (3,)), ((4, 1), (1, 3)), ((), (2, 2))]
)
@every_rule
def test_elementwise_maps_agree_with_differences_and_each_other(ufunc, shapes, sign):
    if sign == 1 or ufunc not in FOR_POSITIVE_NUMBERS:
        arrays = [sign * a for a in operands(ufunc, shapes)]
        assert_differences_agree(ufunc, *arrays)
        assert_transposed(ufunc, *arrays)


@pytest.mark.parametrize("size", [1e2, 1e4, 1e300])
def test_logaddexp_far_out(size):
    z = np.array([size, -size])
    (gradient,) = gradients(lambda z: np.sum(np.logaddexp(0, z)), z)
    np.testing.assert_allclose(gradient, [1, 0], atol=1e-40)
    (gradient,) = gradients(np.logaddexp.reduce, z)
    np.testing.assert_allclose(gradient, [1, 0], atol=1e-40)


# Zero, infinity, kinks


@pytest.mark.parametrize(
    ("f", "at", "expected"),
    [
        (lambda x: x**1, 0.0, 1),
        (lambda x: x**2, 0.0, 0),
        (lambda x: x**1.5, 0.0, 0),
        (lambda x: x**0.5, 0.0, math.inf),
        (lambda x: x**0, 0.0, 0),
        (lambda x: x**0, -2.0, 0),
        (lambda x: np.sum(x ** np.arange(3)), [0.0, 0.0, 0.0], [0, 1, 0]),
        (lambda b: np.sum(np.array([0.0, 2.0]) ** b), [1.0, 1.0], [0, 2 * math.log(2)]),
        (lambda b: 0**b, 0.0, 0),
        (np.sqrt, 0.0, math.inf),
        (lambda x: np.sqrt(np.maximum(x, 0)), -1.0, 0),  # an infinite slope, but not chosen
        (lambda x: np.maximum(np.sqrt(x), 1), 0.0, 0),
        (lambda x: np.minimum(x**0.5, -1), 0.0, 0),
        (lambda x: np.sum(np.maximum(x, 0)), [-1.0, -0.0, 0.0, 1.0], [0, 0, 0, 1]),
        (lambda x: np.sum(abs(x)), [-2.0, 0.0, 2.0], [-1, 0, 1]),
        (lambda x: np.logaddexp.reduce(np.array([-np.inf, 0]) + x), [1.0, 1.0], [0, 1]),
    ],
)
def test_gradients_at_special_points(f, at, expected):
    (gradient,) = gradients(f, at)
    np.testing.assert_allclose(gradient, expected, rtol=1e-15)
    at = np.asarray(at)
    for i in np.ndindex(at.shape):  # along each axis
        tangent = np.zeros(at.shape)
        tangent[i] = 1
        assert jvp(f, [at], [tangent])[1] == pytest.approx(gradient[i], rel=1e-15)


@pytest.mark.parametrize("ufunc", [np.maximum, np.minimum])
def test_a_tie_goes_to_the_second(ufunc):
    assert gradients(ufunc, 1.0, 1.0) == [0, 1]
    assert jvp(ufunc, [1.0, 1.0], [3.0, 5.0])[1] == 5


def test_a_direction_along_which_a_root_stays_is_not_steep():
    assert jvp(lambda x, y: np.sqrt(x) + y, [0.0, 1.0], [0.0, 1.0])[1] == 1


# Products


@pytest.mark.equation("product-map")
def test_product_map_is_its_formula():
    A, B, dA, dB, cotangent = normal((3, 4), (4, 2), (3, 4), (4, 2), (3, 2))
    pushed = jvp(operator.matmul, [A, B], [dA, dB])[1]
    _, (in_A, in_B) = vjp(operator.matmul, [A, B], cotangent)
    for n, k in np.ndindex(3, 2):
        total = sum(dA[n, i] * B[i, k] + A[n, i] * dB[i, k] for i in range(4))
        assert pushed[n, k] == pytest.approx(total, abs=1e-14)
    for n, i in np.ndindex(3, 4):
        expected = sum(cotangent[n, k] * B[i, k] for k in range(2))
        assert in_A[n, i] == pytest.approx(expected, abs=1e-14)
    for i, k in np.ndindex(4, 2):
        expected = sum(A[n, i] * cotangent[n, k] for n in range(3))
        assert in_B[i, k] == pytest.approx(expected, abs=1e-14)


# Sums and their kin

SHARES = {
    np.add.reduce: lambda x, line: 1,
    np.logaddexp.reduce: lambda x, line: math.exp(x) / sum(math.exp(other) for other in line),
}


@pytest.mark.equation("reduction-map")
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3, None, (0, 1), (2, 0), (-1, -3), (-2,), ()])
@pytest.mark.parametrize("keepdims", [False, True])
@every_reduction
def test_reduction_map_is_its_formula(reduce, keepdims, axis):
    if reduce is np.logaddexp.reduce and isinstance(axis, tuple | None):
        axis = axis[0] if axis else 0  # NumPy reduces only one axis by it
    a, tangent = normal((2, 3, 4), (2, 3, 4))

    def f(a):
        return reduce(a, axis=axis, keepdims=keepdims)

    (cotangent,) = normal(np.shape(f(a)), seed=1)
    value, pushed = jvp(f, [a], [tangent])
    other_value, (pulled,) = vjp(f, [a], cotangent)
    for y in (value, other_value):
        np.testing.assert_array_equal(y, f(a), strict=True)
    assert (pushed.shape, pulled.shape) == (value.shape, a.shape)
    # Which number of the value each entry goes to
    kept = np.sum(a, axis=axis, keepdims=True).shape
    group = np.broadcast_to(numbered(kept), a.shape)
    total = np.zeros(pushed.size)
    for i in np.ndindex(a.shape):
        share = SHARES[reduce](a[i], a[group == group[i]].tolist())
        total[group[i]] += share * tangent[i]
        assert pulled[i] == pytest.approx(share * cotangent.flat[group[i]], rel=1e-14)
    np.testing.assert_allclose(pushed.ravel(), total, atol=1e-14)


def test_reductions_and_their_first_axis():
    # NumPy's reduce takes the first axis unless it is told otherwise, np.sum and x.sum() all.
    a = normal((3, 4))[0]
    for f in (np.add.reduce, np.logaddexp.reduce, lambda a: np.add.reduce(a, 1)):
        assert_differences_agree(f, a)
    assert vjp(np.add.reduce, [np.ones((2, 3))], np.ones(3))[0].tolist() == [2, 2, 2]
    for f in (np.sum, lambda a: a.sum()):
        assert vjp(f, [np.ones((2, 3))], 1.0)[0] == 6


@pytest.mark.parametrize("options", [{}, {"axis": 0}, {"axis": -1, "keepdims": True}])
def test_a_mean_is_a_sum_divided_by_the_number_of_its_terms(options):
    (a,) = normal((3, 4))
    mean = np.mean(a, **options)
    for f in (lambda a: np.mean(a, **options), lambda a: a.mean(**options)):
        value, (of_mean,) = vjp(f, [a], np.ones(mean.shape))
        np.testing.assert_allclose(value, mean, rtol=1e-15, strict=True)
        np.testing.assert_allclose(of_mean, np.full((3, 4), mean.size / a.size), rtol=1e-15)


# Arrays that are repeated to fit


@pytest.mark.equation("unbroadcast")
@given(mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=3, max_side=3))
def test_what_was_repeated_gets_the_sum_of_its_cotangents(shapes):
    # Whole numbers, so that sums are exact in any order.
    arrays = [1.0 + numbered(shape) for shape in shapes.input_shapes]
    cotangent = 1.0 + numbered(shapes.result_shape)
    _, pulled = vjp(operator.mul, arrays, cotangent)
    for shape, mine, other in zip(shapes.input_shapes, pulled, reversed(arrays), strict=True):
        source = np.broadcast_to(numbered(shape), cotangent.shape)
        expected = scattered(cotangent * other, source, shape)
        np.testing.assert_array_equal(mine, expected, strict=True)
    assert_transposed(operator.sub, *arrays)


# Entries, transposes


@given(st.data())
def test_entries_give_their_cotangents_back(data):
    shape = data.draw(array_shapes(max_dims=3, max_side=3))
    key = data.draw(basic_indices(shape, allow_newaxis=True) | integer_array_indices(shape))
    (x,) = normal(shape)
    cotangent = 1.0 + numbered(np.shape(x[key]))
    value, (pulled,) = vjp(lambda x: x[key].T, [x], cotangent.T)
    np.testing.assert_array_equal(value, x[key].T)
    np.testing.assert_array_equal(pulled, scattered(cotangent, numbered(shape)[key], shape))
    assert_transposed(lambda x: x[key].T, x)


def test_an_array_has_a_shape_a_length_and_entries():
    (gradient,) = gradients(lambda x: np.sum(x) / x.shape[1] / len(x), np.ones((5, 2)))
    np.testing.assert_allclose(gradient, np.full((5, 2), 0.1), rtol=1e-15)
    x = np.array([2.0, -3.0, 5.0])
    assert gradients(lambda x: math.prod(x), x)[0].tolist() == [-15, 10, -6]
    assert gradients(lambda x: np.sum(x[x.value > 0] ** 2), x)[0].tolist() == [4, 0, 10]
    for f in (len, sum):  # a number has none
        with pytest.raises(TypeError, match="unsized"):
            gradients(f, 2.0)


# Whole functions

A, B = normal((3, 3), (3, 3), seed=3)
FUNCTIONS = {
    "-x": lambda x, y: -x,
    "x ** y": lambda x, y: abs(x) ** y,
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


@pytest.fixture
def point():
    """Return two matrices, the second of positive numbers."""
    x, y = normal((3, 3), (3, 3))
    return [x, np.abs(y) + 0.5]


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=list(FUNCTIONS))
def test_functions_agree_with_central_differences_in_both_modes(f, point):
    before = [p.copy() for p in point]
    for p in point:
        p.flags.writeable = False
    assert_differences_agree(f, *point)
    assert_transposed(f, *point)
    for value in (jvp(f, point, point)[0], vjp(f, point, np.ones(f(*point).shape))[0]):
        assert type(value) is np.ndarray
        np.testing.assert_array_equal(value, f(*point))
    np.testing.assert_array_equal(point, before)


@pytest.mark.equation("jvp")
@pytest.mark.equation("vjp")
def test_one_jvp_gives_a_column_of_the_jacobian_and_one_vjp_a_row():
    def f(x):
        first, second = x
        e = np.eye(3)
        return first * second * e[0] + np.sin(first) * e[1] + np.exp(second) * e[2]

    x = [0.7, -0.4]
    value = [x[0] * x[1], math.sin(x[0]), math.exp(x[1])]
    jacobian = np.array([[x[1], x[0]], [math.cos(x[0]), 0.0], [0.0, math.exp(x[1])]])
    columns = [jvp(f, [x], [e]) for e in np.eye(2)]
    rows = [vjp(f, [x], e) for e in np.eye(3)]
    np.testing.assert_allclose([y for y, _ in columns + rows], [value] * 5, rtol=1e-14)
    np.testing.assert_allclose([c for _, c in columns], jacobian.T, rtol=1e-14)
    np.testing.assert_allclose([r for _, (r,) in rows], jacobian, rtol=1e-14)
    pushed, (pulled,) = jvp(f, [x], [[2.0, -3.0]])[1], vjp(f, [x], [2.0, -3.0, 5.0])[1]
    np.testing.assert_allclose(pushed, jacobian @ [2, -3], rtol=1e-14)
    np.testing.assert_allclose(pulled, [2, -3, 5] @ jacobian, rtol=1e-14)


# The tape


def repeated(step, times):
    def f(x):
        for _ in range(times):
            x = step(x)
        return x

    return f


def by_two_ways(x):
    np.exp(x)  # a step that does not matter
    y = x * x  # the short way to it is on the tape after the long way
    z = np.sin(y) + 3 * y
    np.exp(z)
    return z


@pytest.mark.parametrize(
    ("f", "derivative"),
    [
        (lambda x: x - x, 0),
        (lambda x: x * x * x, 27),
        (repeated(lambda x: x + x, 60), 2.0**60),  # on so many paths
        (repeated(lambda x: 1.001 * x + 0.5, 1000), 1.001**1000),
        (by_two_ways, (math.cos(9) + 3) * 6),
    ],
)
def test_every_path_counts_once(f, derivative):
    expected = pytest.approx(derivative, rel=1e-12)
    for _ in range(2):  # the second walk starts from nothing
        assert gradients(f, 3.0) == [expected]
        assert jvp(f, [3.0], [1.0])[1] == expected


def test_the_function_runs_once():
    calls = []
    gradients(lambda x: calls.append(1) or np.sum(x * x), np.ones(3))
    jvp(lambda x: calls.append(1) or np.sum(x * x), [np.ones(3)], [np.ones(3)])
    assert len(calls) == 2


def test_the_value_may_be_an_argument():
    value, pulled = vjp(lambda x, y: y, [[1.0, 2.0], [3.0, 4.0]], [5.0, 6.0])
    assert value.tolist() == [3, 4]
    assert [c.tolist() for c in pulled] == [[0, 0], [5, 6]]
    assert jvp(lambda x, y: y, [1.0, 2.0], [3.0, 4.0]) == (2, 4)


@pytest.mark.parametrize("constant", [3.0, 3, True, np.ones(2)])
def test_a_value_that_depends_on_no_array(constant):
    arrays = [np.ones((2, 3), np.float32), np.ones(())]
    value, pulled = vjp(lambda x, y: constant, arrays, np.ones(np.shape(constant)))
    np.testing.assert_array_equal(value, constant)
    for cotangent, array in zip(pulled, arrays, strict=True):
        np.testing.assert_array_equal(cotangent, np.zeros_like(array), strict=True)
    value, tangent = jvp(lambda x, y: constant, arrays, arrays)
    np.testing.assert_array_equal(value, constant)
    np.testing.assert_array_equal(tangent, np.zeros(np.shape(constant)), strict=True)


def test_duals_and_tensors_can_be_made_by_hand():
    x = Dual(3.0, 1.0)
    y = x * x + 2 / x
    assert (y.value, y.tangent) == (9 + 2 / 3, 6 - 2 / 9)
    tape = []
    x = Tensor(3.0, tape)
    y = 2 * x
    z = x * y
    assert [id(t) for t in tape] == [id(x), id(y), id(z)]
    assert [t.index for t in tape] == [0, 1, 2]
    assert [[i.index for i, _ in t.inputs] for t in tape] == [[], [0], [0, 1]]


# Arguments and results


def test_lists_and_numbers_are_arrays():
    pulled = gradients(lambda x, y: np.sum(x * y), [[1.0, 2.0]], 3.0)
    assert [c.tolist() for c in pulled] == [[[3, 3]], 3]
    value, tangent = jvp(lambda x, y: x[0, 1] * y, [[[1.0, 2.0]], 3.0], [[[1.0, 1.0]], 0.0])
    assert [type(a) for a in [*pulled, value, tangent]] == [np.ndarray] * 4
    assert (value, tangent) == (6, 3)


def test_results_are_new_arrays():
    x, cotangent, tangent = np.ones(2), np.ones(2), np.ones(2)
    for f in (lambda x: x, lambda x: x.T, lambda x: x[:], lambda x: x + 0, lambda x: x * 1.0):
        value, (pulled,) = vjp(f, [x], cotangent)
        other_value, pushed = jvp(f, [x], [tangent])
        for result in (value, pulled, other_value, pushed):
            if result.flags.writeable:
                result[:] = 7
    assert [*x, *cotangent, *tangent] == [1] * 6


def test_arrays_that_f_changes_on_its_way_have_been_copied():
    def f(x):
        factor, key, y = np.ones(3), np.array([0, 1, 2]), x
        for _ in range(2):
            y = y[key] * factor
            factor *= 2
            key[:] = 0
        return np.sum(y)

    assert gradients(f, np.ones(3))[0].tolist() == [6, 0, 0]
    np.testing.assert_allclose(numerical_gradients(f, np.ones(3))[0], [6, 0, 0], atol=1e-9)


FLOAT32 = {
    f"{u.__name__} {i}": f
    for u in ELEMENTWISE
    for i, f in enumerate(
        [lambda x, u=u: u(*[x] * u.nin)]
        + ([lambda x, u=u: u(x, 2), lambda x, u=u: u(2.0, x)] if u.nin == 2 else [])
    )
} | {
    "@": lambda x: x @ x.T,
    "entries": lambda x: x[[0, 0]],
    "mean": lambda x: x - np.mean(x, axis=1, keepdims=True),
    "logaddexp.reduce": lambda x: np.logaddexp.reduce(x, axis=1),
    "identity": lambda x: x,
}


@pytest.mark.parametrize("f", FLOAT32.values(), ids=list(FLOAT32))
def test_float32_stays_float32_beside_pythons_numbers(f):
    x = operands(np.exp)[0].astype(np.float32)
    cotangent = np.ones(np.shape(f(x)))
    value, (pulled,) = vjp(f, [x], cotangent)
    assert {a.dtype for a in [value, pulled, *jvp(f, [x], [x])]} == {np.dtype(np.float32)}
    (exact,) = vjp(f, [x.astype(np.float64)], cotangent)[1]
    np.testing.assert_allclose(pulled, exact, rtol=1e-5, atol=1e-6)


def test_gradients_have_the_dtype_of_their_arrays():
    mine = gradients(lambda x, y: np.sum(x * y * np.ones(2)), np.ones(2, np.float32), np.ones(2))
    assert [g.dtype for g in mine] == [np.float32, np.float64]


def test_a_rule_can_be_added(monkeypatch):
    monkeypatch.setitem(RULES, np.arctan, autodiff.elementwise(lambda y, a: 1 / (1 + a * a)))
    assert_differences_agree(lambda x: np.arctan(x) ** 2, *normal((2, 3)))


# What autodiff cannot follow


def add_in_place(x):
    x += 1
    return x


def add_to_zeros(x):
    y = np.zeros(3)
    y += x
    return y


def write(x):
    x[0] = 1.0


def write_to_zeros(x):
    y = np.zeros(3)
    y[0] = x[0] * x[0]
    return y


class Table:
    """What a library for tables calls an array."""

    def __array__(self, dtype=None, copy=None):
        return np.eye(3)

    def __matmul__(self, other):
        return np.eye(3) @ np.asarray(other)


IN_PLACE = "np.add: cannot follow out; in the place of x += y write x = x + y"
MASKED = np.ma.array(np.ones(3), mask=[0, 1, 0])


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (np.floor, "np.floor: no rule in autodiff.RULES. Write it with others, or compute"),
        (lambda x: x > 0, "np.greater: no rule"),
        (np.max, "np.maximum.reduce: no rule"),
        (lambda x: np.add.outer(x, x), "np.add.outer: no rule"),
        (lambda x: np.where(np.ones(3) > 0, x, 0), PLAIN_ARRAY),
        (lambda x: np.dot(x, x), PLAIN_ARRAY),
        (float, PLAIN_ARRAY),
        (lambda x: x if x else -x, PLAIN_ARRAY),
        (write_to_zeros, PLAIN_ARRAY),
        (lambda W: Table() @ W, PLAIN_ARRAY),
        (activations.tanh, PLAIN_ARRAY),
        (lambda x: MASKED * x, PLAIN_ARRAY),
        (lambda x: x * MASKED, "autodiff: expected real numbers, none behind a mask, got masked"),
        (lambda x: x * 1j, "autodiff: expected real numbers, none behind a mask, got 1j"),
        (lambda x: x * "a", "autodiff: expected real numbers, none behind a mask, got 'a'"),
        (write, "autodiff cannot follow x[i] = y"),
        (add_in_place, IN_PLACE),
        (add_to_zeros, IN_PLACE),
        (lambda x: np.mean(x, where=[True, False, True]), "np.add: cannot follow where"),
        (lambda x: np.sum(x, dtype=np.float32), "np.add: cannot follow dtype"),
        (lambda x: np.exp(x, where=[True, False, True], out=None), "np.exp: cannot follow where"),
        (lambda x: x @ x, "@: expected two matrices, got shapes (3,) and (3,)"),
        (lambda x: np.ones((2, 3)) @ x, "@: expected two matrices, got shapes (2, 3) and (3,)"),
        (lambda x: x[None, None] @ np.ones((3, 2)), "got shapes (1, 1, 3) and (3, 2)"),
        (lambda x: None, "f: expected it to return an array, got None"),
        (lambda x: "loss", "f: expected it to return an array, got 'loss'"),
        (
            lambda x: (x, x, x),
            "f: expected it to return one array, got a tuple of 3: differentiate",
        ),
        (lambda x: [x, 1.0], "f: expected it to return one array, got a list of 2"),
    ],
)
def test_what_cannot_be_followed_is_refused(f, message):
    x = np.array([1.0, 2.0, 3.0])
    for call in (lambda: jvp(f, [x], [x]), lambda: vjp(f, [x], x)):
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            call()
        assert message in str(caught.value)


@pytest.mark.parametrize("name", ["reshape", "dot", "max", "copy"])
def test_methods_that_are_missing_are_named(name):
    message = f"autodiff knows no x.{name}, of an array only T, shape, sum and mean"
    with pytest.raises(AttributeError, match=message):
        gradients(lambda x: getattr(x, name)(), 2.0)


def test_tables_are_constants_on_the_right():
    W = normal((2, 3))[0]
    assert_differences_agree(lambda W: W @ Table() * 2, W)


@pytest.mark.parametrize(
    "g",
    [
        lambda x: lambda y: x * y,
        lambda x: lambda y: y @ x,
        lambda x: lambda y: x,
        lambda x: lambda y: x * x,
        lambda x: lambda y: x[...],
    ],
    ids=["left", "right", "argument", "result", "entry"],
)
@pytest.mark.parametrize(
    "inside",
    [
        lambda g: lambda x: gradients(g(x), 2.0)[0],
        lambda g: lambda x: jvp(g(x), [2.0], [1.0])[1],
    ],
    ids=["vjp", "jvp"],
)
def test_a_function_inside_a_function_is_refused(inside, g):
    # The inner derivative would be taken for a constant, or the outer one for the inner one.
    with pytest.raises(ValueError, match=NESTED):
        jvp(inside(g), [3.0], [1.0])
    with pytest.raises(ValueError, match=NESTED):
        gradients(inside(g), 3.0)
    for pair in [(Dual(1.0, 1.0), Tensor(1.0, [])), (Tensor(1.0, []), Tensor(1.0, []))]:
        for x, y in (pair, pair[::-1]):
            with pytest.raises(ValueError, match=NESTED):
                x * y


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
    for call in (lambda: jvp(inside, [3.0], [1.0]), lambda: gradients(inside, 3.0)):
        with pytest.raises(ValueError, match="would lose the derivative"):
            call()


def test_a_second_derivative_by_differences_of_the_first():
    # Not nested: gradients gets numbers.
    (second,) = numerical_gradients(lambda x: float(gradients(lambda x: x**3, x)[0]), 2.0)
    assert second == pytest.approx(12, rel=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: jvp(operator.add, [[1.0, 2.0], 3.0], [[1.0, 1.0]]),
            "tangents: expected the arrays' shapes [(2,), ()], got [(2,)]",
        ),
        (
            lambda: jvp(operator.add, [[1.0, 2.0], 3.0], [[[1.0, 1.0]], 1.0]),
            "tangents: expected the arrays' shapes [(2,), ()], got [(1, 2), ()]",
        ),
        (lambda: vjp(np.exp, [[1.0, 2.0]], 1.0), "f: expected a value of shape (), that of the"),
        (lambda: vjp(np.exp, [[1.0, 2.0]], [[1.0, 1.0]]), "of shape (1, 2), that of the cotangent"),
        (lambda: vjp(lambda x: np.ones(2), [1.0], [1.0]), "of the cotangent, got (2,)"),
        (lambda: gradients(np.exp, [[1.0], [2.0]]), "of shape (), that of the cotangent, got (2, "),
        (
            lambda: gradients(operator.add, 1.0, 2),
            "arrays[1]: expected float32 or float64, got int",
        ),
        (lambda: gradients(np.sum, MASKED), "arrays[0]: expected an array without a mask"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(call, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        call()
    assert message in str(caught.value)
