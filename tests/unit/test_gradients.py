"""Every entry of the registry: one gradient, got in all ways that there are."""

import inspect

import numpy as np
import pytest
from registry import ROWS, Differentiable

from backprop import activations, autodiff, fast, gradcheck, losses, recurrent, regularization

every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


class Case:
    """An entry with arguments that were drawn for it."""

    def __init__(self, row, arguments):
        self.row, self.arguments = row, arguments
        self.value, gradients = row.by_hand(*arguments)
        self.gradients = gradients if isinstance(gradients, list) else [gradients]
        self.inputs = arguments[: len(self.gradients)]

    def of_inputs(self, f):
        """Return f as a function of what it is differentiated in."""
        return lambda *inputs: f(*inputs, *self.arguments[len(inputs) :])


def cases(row):
    for seed, sizes in enumerate(row.sizes):
        yield Case(row, row.draw(np.random.default_rng(seed), *sizes))


def assert_same(mine, others, tolerance=1e-12):
    for a, b in zip(mine, others, strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


@every_row
def test_value_is_that_of_the_formula(row):
    for case in cases(row):
        assert type(case.value) is float
        assert case.value == pytest.approx(row.formula(*case.arguments), rel=1e-12, abs=1e-12)
        assert case.gradients
        for x, gradient in zip(case.inputs, case.gradients, strict=True):
            assert (gradient.shape, gradient.dtype) == (x.shape, np.float64)


@pytest.mark.tensorflow
@every_row
def test_tape(row):
    twin = pytest.importorskip("backprop.tensorflow_twin")
    for case in cases(row):
        tape = case.of_inputs(lambda *arguments: row.tape(twin.tf, *arguments))
        assert case.value == pytest.approx(float(tape(*case.inputs)), rel=1e-12, abs=1e-12)
        assert_same(case.gradients, twin.tape_gradients(tape, *case.inputs))


@every_row
def test_central_differences(row):
    for case in cases(row):
        value = case.of_inputs(lambda *arguments: row.by_hand(*arguments)[0])
        numerical = gradcheck.numerical_gradients(value, *case.inputs)
        for mine, other in zip(case.gradients, numerical, strict=True):
            assert gradcheck.relative_error(mine, other) <= 1e-7


@pytest.mark.parametrize("row", [row for row in ROWS if row.analytic], ids=lambda row: row.name)
def test_complex_step(row):
    for case in cases(row):
        exact = gradcheck.complex_step_gradients(case.of_inputs(row.formula), *case.inputs)
        assert_same(case.gradients, exact)


@every_row
def test_autodiff_backward(row):
    for case in cases(row):
        assert_same(case.gradients, autodiff.gradients(case.of_inputs(row.formula), *case.inputs))


@every_row
def test_autodiff_forward(row):
    rng = np.random.default_rng(0)
    for case in cases(row):
        tangents = [rng.normal(size=x.shape) for x in case.inputs]
        value, change = autodiff.jvp(case.of_inputs(row.formula), case.inputs, tangents)
        expected = sum(np.sum(g * t) for g, t in zip(case.gradients, tangents, strict=True))
        assert_same([value, change], [case.value, expected], 1e-11)


@every_row
def test_float32(row):
    for case in cases(row):
        single = [a.astype(np.float32) if a.dtype == float else a for a in case.arguments]
        other = Case(row, single)
        assert type(other.value) is float
        assert other.value == pytest.approx(case.value, rel=1e-4, abs=1e-4)
        for mine, exact in zip(other.gradients, case.gradients, strict=True):
            assert mine.dtype == np.float32
            np.testing.assert_allclose(mine, exact, rtol=1e-3, atol=1e-4)


@every_row
def test_arguments_are_left_alone_and_calls_are_independent(row):
    for case in cases(row):
        before = [a.copy() for a in case.arguments]
        again = Case(row, case.arguments)
        assert again.value == case.value
        for was, a in zip(before, case.arguments, strict=True):
            np.testing.assert_array_equal(a, was)
        for first, second in zip(case.gradients, again.gradients, strict=True):
            np.testing.assert_array_equal(first, second)
            assert not any(np.shares_memory(first, a) for a in [*case.arguments, second])


@pytest.mark.parametrize("row", [row for row in ROWS if row.examples], ids=lambda row: row.name)
def test_a_batch_is_the_mean_of_its_examples(row):
    for case in cases(row):
        N = len(case.arguments[row.examples[0]])
        singles = [
            Case(row, [a[[n]] if i in row.examples else a for i, a in enumerate(case.arguments)])
            for n in range(N)
        ]
        assert case.value == pytest.approx(np.mean([s.value for s in singles]), rel=1e-12)
        for i, gradient in enumerate(case.gradients):
            found = [single.gradients[i] for single in singles]
            mean = np.concatenate(found) / N if i in row.examples else np.mean(found, axis=0)
            np.testing.assert_allclose(gradient, mean, rtol=1e-12, atol=1e-14)


# The registry itself


def test_whatever_has_a_gradient_is_registered():
    names = {
        name
        for module in (losses, regularization, fast)
        for name, f in inspect.getmembers(module, inspect.isfunction)
        if f.__module__ == module.__name__ and f.__annotations__["return"].startswith("tuple[float")
    }
    names |= activations.ACTIVATIONS.keys()
    names |= {kind.__name__ for kind in recurrent.Recurrent.__subclasses__()}
    assert names <= {row.name.split(",")[0] for row in ROWS}
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize(
    "check",
    [
        test_value_is_that_of_the_formula,
        test_central_differences,
        test_complex_step,
        test_autodiff_backward,
        test_autodiff_forward,
    ],
)
def test_a_wrong_gradient_fails(check):
    factor = 1 + 1e-6 * (check is test_value_is_that_of_the_formula)
    row = Differentiable(
        "square",
        by_hand=lambda x: (float(np.sum(x * x)) * factor, 2 * (1 + 1e-6) * x),
        formula=lambda x: np.sum(x * x),
        tape=None,
        draw=lambda rng, *shape: [rng.normal(size=shape)],
    )
    with pytest.raises(AssertionError):
        check(row)
