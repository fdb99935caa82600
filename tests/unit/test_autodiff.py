"""Automatic differentiation, in both modes: against central differences and TensorFlow."""

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
from backprop.autodiff import NESTED, PLAIN_ARRAY, RULES, Dual, Tensor, Traced, gradients, jvp, vjp
from backprop.gradcheck import numerical_gradients, relative_error

REDUCTIONS = [f for f in RULES if not isinstance(f, np.ufunc)]
ELEMENTWISE = [f for f in RULES if isinstance(f, np.ufunc) and f is not np.matmul]
FOR_POSITIVE_NUMBERS = [np.power, np.sqrt, np.log]


def normal(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def operands(f, *shapes):
    """Return numbers in (0.2, 0.9), which every function takes, away from ties of the two."""
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(0.2, 0.9, shape) for shape in shapes)
    assert np.abs(a - b).min() > 1e-3
    assert (a - b).min() < 0 < (a - b).max()
    return [a, b][: f.nin]


def check(f, *arrays):
    """Assert that both modes give f's value, and derivatives that agree with differences."""
    arrays = [np.array(array) for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    y = np.asarray(f(*arrays))
    cotangent, *tangents = normal(y.shape, *(a.shape for a in arrays), seed=1)
    value, pulled = vjp(f, arrays, cotangent)
    other_value, pushed = jvp(f, arrays, tangents)
    for mine in (value, other_value):
        np.testing.assert_allclose(mine, y, rtol=1e-15, strict=True)
    numerical = numerical_gradients(lambda *a: np.sum(cotangent * f(*a)), *arrays)
    for mine, other in zip(pulled, numerical, strict=True):
        assert relative_error(mine, other) <= 1e-8
    assert pushed.shape == value.shape
    along = sum(np.sum(gradient * t) for gradient, t in zip(pulled, tangents, strict=True))
    assert np.sum(cotangent * pushed) == pytest.approx(along, rel=1e-13, abs=1e-13)


# Rules


@pytest.mark.equation("elementwise-map")
@pytest.mark.equation("transpose-rule")
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("f", ELEMENTWISE, ids=lambda f: f.__name__)
def test_elementwise_maps(f, sign):
    if sign == 1 or f not in FOR_POSITIVE_NUMBERS:
        for shapes in [((3, 4), (3, 4)), ((4, 3), (3,)), ((4, 1), (1, 3)), ((), (2, 2))]:
            check(f, *(sign * a for a in operands(f, *shapes)))


@pytest.mark.tensorflow
@pytest.mark.parametrize("f", RULES, ids=lambda f: getattr(f, "__qualname__", f.__name__))
def test_rules_are_those_of_tensorflow(f):
    twin = pytest.importorskip("backprop.tensorflow_twin")
    sums = {np.add.reduce: twin.tf.reduce_sum, np.logaddexp.reduce: twin.tf.reduce_logsumexp}
    other = sums.get(f) or getattr(twin.tf.experimental.numpy, f.__name__)
    options = {"axis": -1} if f in sums else {}
    arrays = [a + 0.5 for a in operands(np.add, (4, 4), (4, 4))][: getattr(f, "nin", 1)]
    weights = normal(f(*arrays, **options).shape)[0]
    tape = twin.tape_gradients(
        lambda *a: twin.tf.reduce_sum(weights * other(*a, **options)), *arrays
    )
    for mine, theirs in zip(
        vjp(lambda *a: f(*a, **options), arrays, weights)[1], tape, strict=True
    ):
        # Each is a sum of at most four products near 1, in whatever order.
        np.testing.assert_allclose(mine, theirs, rtol=1e-14, atol=1e-14, strict=True)


@pytest.mark.equation("product-map")
def test_product_map():
    check(operator.matmul, *normal((3, 4), (4, 2)))


@pytest.mark.equation("reduction-map")
@pytest.mark.parametrize("axis", [0, 1, -1, -3, None, (0, 1), (2, 0), (-1, -3), (-2,), ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reduction_map(keepdims, axis):
    (a,) = normal((2, 3, 4))
    check(lambda a: np.add.reduce(a, axis=axis, keepdims=keepdims), a)
    check(lambda a: np.mean(a, axis=axis, keepdims=keepdims), a)
    if isinstance(axis, int):  # NumPy takes no more than one for this
        check(lambda a: np.logaddexp.reduce(a, axis=axis, keepdims=keepdims), a)


def test_numpy_reduces_the_first_axis_but_sums_all():
    for f in (*REDUCTIONS, lambda a: np.add.reduce(a, 1), np.sum, lambda a: a.sum()):
        check(f, *normal((3, 4)))
    check(lambda a: a.mean(axis=0, keepdims=True) * a.mean(), *normal((3, 4)))


@pytest.mark.equation("unbroadcast")
@given(mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=3, max_side=3))
def test_what_was_repeated_gets_the_sum_of_its_cotangents(shapes):
    check(operator.mul, *normal(*shapes.input_shapes))


@given(st.data())
def test_entries_give_their_cotangents_back(data):
    shape = data.draw(array_shapes(max_dims=3, max_side=3))
    key = data.draw(basic_indices(shape, allow_newaxis=True) | integer_array_indices(shape))
    check(lambda x: x[key].T, *normal(shape))


# Zero, infinity, kinks: where TensorFlow agrees, and where it does not. There a tie goes to the
# first number, and x⁰ has a gap at 0.
SPECIAL = [
    (lambda xp, x: x**0.5, 0.0, math.inf),
    (lambda xp, x: x**2, -2.0, -4),
    (lambda xp, x: x**0, -2.0, 0),
    (lambda xp, x: 1 / x, 0.0, -math.inf),
    (lambda xp, x: xp.sqrt(x), 0.0, math.inf),
    (lambda xp, x: xp.sqrt(x[0]) + x[1], [0.0, 1.0], [math.inf, 1]),
    (lambda xp, x: xp.log(x), 0.0, math.inf),
    (lambda xp, x: xp.absolute(x), 0.0, 0),
    (lambda xp, x: xp.power(0.0, x), 0.0, 0),
    (lambda xp, x: xp.maximum(x, 0.0), 0.0, 0),  # there it becomes tf.nn.relu
    (lambda xp, x: xp.sqrt(xp.maximum(0.0, x)), -1.0, 0),  # an infinite slope, but not chosen
    (lambda xp, x: xp.maximum(xp.sqrt(x), 1.0), 0.0, 0),
    (lambda xp, x: xp.logaddexp(x[0], x[1]), [-1e4, 1e4], [0, 1]),
    (lambda xp, x: xp.logaddexp(x[0], x[1]), [1e300, -1e300], [1, 0]),
]
DIFFERENT = [
    (lambda xp, x: x**0, 0.0, 0),
    (lambda xp, x: xp.maximum(x[0], x[1]), [1.0, 1.0], [0, 1]),
    (lambda xp, x: xp.minimum(x[0], x[1]), [1.0, 1.0], [0, 1]),
]


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")  # of the value
@pytest.mark.parametrize(
    ("f", "at", "expected"),
    [
        *SPECIAL,
        *DIFFERENT,
        (lambda xp, x: xp.minimum(x**0.5, -1), 0.0, 0),
        (lambda xp, x: xp.logaddexp.reduce(x), [-1e300, 0.0], [0, 1]),
        (lambda xp, x: xp.logaddexp.reduce(xp.array([-np.inf, 0]) + x), [1.0, 1.0], [0, 1]),
        (lambda xp, x: xp.sum(x ** xp.arange(3)), [0.0, 0.0, 0.0], [0, 1, 0]),
        (lambda xp, x: xp.sum([0.0, 2.0] ** x), [1.0, 1.0], [0, 2 * math.log(2)]),
    ],
)
def test_gradients_at_special_points(f, at, expected):
    (gradient,) = gradients(lambda x: f(np, x), at)
    np.testing.assert_allclose(gradient, expected, rtol=1e-15)
    for i in np.ndindex(gradient.shape):  # along each axis
        tangent = np.zeros_like(gradient)
        tangent[i] = 1
        assert jvp(lambda x: f(np, x), [at], [tangent])[1] == pytest.approx(gradient[i], rel=1e-15)


def test_an_infinite_derivative_is_no_reason_for_a_warning():
    assert gradients(np.sqrt, 0.0) == [math.inf]


@pytest.mark.tensorflow
@pytest.mark.parametrize("row", SPECIAL + DIFFERENT)
def test_special_points_in_tensorflow(row):
    twin = pytest.importorskip("backprop.tensorflow_twin")
    f, at, expected = row
    (tape,) = twin.tape_gradients(lambda x: f(twin.tf.experimental.numpy, x), at)
    assert np.array_equal(tape, expected) == (row in SPECIAL)


# Whole functions

A, B = normal((3, 3), (3, 3), seed=3)
FUNCTIONS = {
    "x ** y": lambda x, y: abs(x) ** y,
    "numbers on the left": lambda x, y: -(2 + 3 * x - 4 / y + 2**x - (1 - y)),
    "numbers on the right": lambda x, y: (x - 2) * 3 + y / 4 + x**3 + y**-2,
    "NumPy's numbers": lambda x, y: np.float64(2) * x - y / np.float64(3),
    "arrays on the left": lambda x, y: A + A * x - B / y + (A @ y),
    "arrays on the right": lambda x, y: (x - A) * B + y / A + (x @ B),
    "lists on the left": lambda x, y: [[1.0], [2.0], [3.0]] - [[1.0, 2.0, 3.0]] @ (x + y),
    "lists on the right": lambda x, y: x / (1.0, 2.0, 4.0) + y ** [1.0, 2.0, 3.0],
    "one result twice": lambda x, y: (lambda z: z * z + np.sin(z))(x * y),
    "entries": lambda x, y: x.T @ x - y[:, [0, 2, 0]] + math.prod(y) + x[B > 0][0],
    "shape and length": lambda x, y: np.sum(x) / x.shape[1] / len(x[:2]) * y,
    "recurrence": lambda x, y: np.tanh(x @ np.tanh(x @ np.tanh(x @ y))),
}


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=list(FUNCTIONS))
def test_functions_agree_with_central_differences_in_both_modes(f):
    x, y = normal((3, 3), (3, 3))
    check(f, x, np.abs(y) + 0.5)


@pytest.mark.equation("jvp")
@pytest.mark.equation("vjp")
def test_one_jvp_gives_a_column_of_the_jacobian_and_one_vjp_a_row():
    def f(x):
        first, second = x
        e = np.eye(3)
        return first * second * e[0] + np.sin(first) * e[1] + np.exp(second) * e[2]

    jacobian = np.array([[-0.4, 0.7], [math.cos(0.7), 0.0], [0.0, math.exp(-0.4)]])
    columns = [jvp(f, [[0.7, -0.4]], [e])[1] for e in np.eye(2)]
    rows = [vjp(f, [[0.7, -0.4]], e)[1][0] for e in np.eye(3)]
    np.testing.assert_allclose(columns, jacobian.T, rtol=1e-14)
    np.testing.assert_allclose(rows, jacobian, rtol=1e-14)


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
        (repeated(lambda x: x + x, 60), 2.0**60),  # on so many paths
        (repeated(lambda x: 1.001 * x + 0.5, 1000), 1.001**1000),
        (by_two_ways, (math.cos(9) + 3) * 6),
    ],
)
def test_every_path_counts_once(f, derivative):
    calls = []
    for _ in range(2):  # the second walk starts from nothing
        result = pytest.approx(derivative, rel=1e-12)
        assert gradients(lambda x: calls.append(x) or f(x), 3.0) == [result]
        assert jvp(lambda x: calls.append(x) or f(x), [3.0], [1.0])[1] == result
    assert len(calls) == 4


@pytest.mark.parametrize("constant", [3.0, 3, True, np.ones(2)])
def test_a_value_that_depends_on_no_array_or_is_one(constant):
    x, y = np.float32([[1, 2]]), np.array(5.0)
    value, pulled = vjp(lambda x, y: constant, [x, y], np.ones(np.shape(constant)))
    other_value, pushed = jvp(lambda x, y: constant, [x, y], [x, y])
    for mine, expected in zip(
        [value, other_value, pushed, *pulled],
        [constant, constant, np.zeros(np.shape(constant)), np.float32([[0, 0]]), np.array(0.0)],
        strict=True,
    ):
        np.testing.assert_array_equal(mine, np.asarray(expected), strict=True)
    assert vjp(lambda x, y: y, [1.0, 2.0], 3.0) == (2, [0, 3])
    assert jvp(lambda x, y: y, [1.0, 2.0], [3.0, 4.0]) == (2, 4)


def test_duals_and_tensors_can_be_made_by_hand():
    x = Dual(3.0, 1.0)
    y = x * x + 2 / x
    assert (y.value, y.tangent) == (9 + 2 / 3, 6 - 2 / 9)
    tape = []
    x = Tensor(3.0, tape)
    y = 2 * x
    assert [x * y, *tape[:2]] == [tape[2], x, y]
    assert [t.index for t in tape] == [0, 1, 2]
    assert [[i.index for i, _ in t.inputs] for t in tape] == [[], [0], [0, 1]]
    with pytest.raises(TypeError, match="abstract"):
        Traced(3.0, None)


def test_results_are_new_arrays():
    x, cotangent, tangent = np.ones(2), np.ones(2), np.ones(2)
    for f in (lambda x: x, lambda x: x.T, lambda x: x[:], lambda x: x + 0, lambda x: x * 1.0):
        value, (pulled,) = vjp(f, [x], cotangent)
        for result in (value, pulled, *jvp(f, [x], [tangent])):
            if result.flags.writeable:
                result[:] = 7
    assert [*x, *cotangent, *tangent] == [1] * 6


def test_arrays_that_f_changes_on_its_way_have_been_copied():
    def f(x):
        factor, key, y = np.ones(3), np.array([2, 1, 0]), x
        for _ in range(2):
            y = y[key] * factor
            factor *= 2
            key[:] = 0
        return np.sum(y)

    assert gradients(f, np.ones(3))[0].tolist() == [0, 0, 6]


FLOAT32 = [
    *(lambda x, u=u: u(*[x] * u.nin) for u in ELEMENTWISE),
    *(lambda x, u=u: u(x, 2) + u(2.0, x) for u in ELEMENTWISE if u.nin == 2),
    lambda x: x @ x.T,
    lambda x: x[[0, 0]] - np.mean(x, axis=1, keepdims=True)[[0, 0]],
    lambda x: np.logaddexp.reduce(x, axis=1),
    lambda x: x,
]


@pytest.mark.parametrize("f", FLOAT32)
def test_float32_stays_float32_beside_pythons_numbers(f):
    (x,) = operands(np.exp, (3, 4), (3, 4))
    single, cotangent = x.astype(np.float32), np.ones(np.shape(f(x)))
    value, (pulled,) = vjp(f, [single], cotangent)
    assert {a.dtype for a in [value, pulled, *jvp(f, [single], [x])]} == {np.dtype(np.float32)}
    np.testing.assert_allclose(pulled, vjp(f, [x], cotangent)[1][0], rtol=1e-5, atol=1e-6)
    mine = gradients(lambda x, y: np.sum(f(x)) * y * np.float64(2), single, 3.0)
    assert [g.dtype for g in mine] == [np.float32, np.float64]


def test_a_rule_can_be_added(monkeypatch):
    monkeypatch.setitem(RULES, np.arctan, autodiff.elementwise(lambda y, a: 1 / (1 + a * a)))
    check(lambda x: np.arctan(x) ** 2, *normal((2, 3)))


# What autodiff cannot follow


def add_in_place(x):
    x += 1
    return x


def write(y, value):
    y[0] = value


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (np.floor, f"np.floor: no rule; {PLAIN_ARRAY}"),
        (np.max, "np.maximum.reduce: no rule"),
        (lambda x: np.add.outer(x, x), "np.add.outer: no rule"),
        (lambda x: np.where(np.ones(3) > 0, x, 0), PLAIN_ARRAY),
        (float, PLAIN_ARRAY),
        (bool, PLAIN_ARRAY),
        (activations.tanh, PLAIN_ARRAY),
        (lambda x: gradients(np.sum, x)[0], PLAIN_ARRAY),
        (lambda x: jvp(np.exp, [np.ones(3)], [x])[1], PLAIN_ARRAY),
        (lambda x: vjp(np.exp, [np.ones(3)], x)[1][0], PLAIN_ARRAY),
        (lambda x: write(x, 1.0), PLAIN_ARRAY),
        (lambda x: write(np.zeros(3), x[0]), "setting an array element"),
        (
            lambda x: x * np.ma.ones(3),
            "autodiff: expected real numbers, none behind a mask, got masked",
        ),
        (lambda x: x * 1j, "autodiff: expected real numbers, none behind a mask, got 1j"),
        (add_in_place, "np.add: no out; "),
        (lambda x: np.add(x, 1, out=np.zeros(3), where=[True, False, True]), "np.add: no out, wh"),
        (lambda x: np.sum(x, dtype=np.float32), "np.add: no dtype; "),
        (lambda x: np.ones((2, 3)) @ x, "@: expected two matrices, got shapes (2, 3) and (3,)"),
        (lambda x: x[None, None] @ np.ones((3, 2)), "got shapes (1, 1, 3) and (3, 2)"),
        (lambda x: None, "f: expected it to return one array, got None"),
        (lambda x: "loss", "f: expected it to return one array, got 'loss'"),
        (lambda x: (1.0, x), "f: expected it to return one array, got (1.0, <"),
        (lambda x: [x, 1.0], "f: expected it to return one array, got [<"),
    ],
)
def test_what_cannot_be_followed_is_refused(f, message):
    x = np.array([1.0, 2.0, 3.0])
    for call in (lambda: jvp(f, [x], [x]), lambda: vjp(f, [x], x)):
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            call()
        assert message in str(caught.value)


def test_what_an_array_has_besides_is_refused():
    with pytest.raises(AttributeError, match=r"^x\.reshape: autodiff follows operators, sums"):
        gradients(lambda x: x.reshape(-1), 2.0)
    for f in (len, sum):  # a number has no length and no entries
        with pytest.raises(TypeError, match="unsized"):
            gradients(f, 2.0)


@pytest.mark.parametrize(
    "g",
    [
        lambda x: lambda y: x * y,
        lambda x: lambda y: y @ x,
        lambda x: lambda y: x,
        lambda x: lambda y: x * x,
    ],
)
def test_a_function_inside_a_function_is_refused(g):
    # The inner derivative would be taken for a constant, or the outer one for the inner one.
    for inside in (lambda x: gradients(g(x), 2.0)[0], lambda x: jvp(g(x), [2.0], [1.0])[1]):
        for call in (lambda: jvp(inside, [3.0], [1.0]), lambda: gradients(inside, 3.0)):  # noqa: B023
            with pytest.raises(ValueError, match=NESTED):
                call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: jvp(operator.add, [[1.0, 2.0], 3.0], [[[1.0, 1.0]], 1.0]),
            "tangents: expected the arrays' shapes [(2,), ()], got [(1, 2), ()]",
        ),
        (
            lambda: vjp(np.exp, [[1.0, 2.0]], [[1.0, 1.0]]),
            "f: expected a value of shape (1, 2), that of the cotangent, got (2,)",
        ),
        (lambda: vjp(lambda x: 1.0, [1.0], [1.0]), "of shape (1,), that of the cotangent, got ()"),
        (lambda: gradients(np.exp, [1.0]), "of shape (), that of the cotangent, got (1,)"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(call, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        call()
    assert message in str(caught.value)
