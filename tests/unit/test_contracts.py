"""The gate: what is right goes through, what is wrong gets a sentence with its name."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from backprop.contracts import (
    CONVERTED,
    FREE,
    Array,
    Count,
    F,
    FloatType,
    as_array,
    as_number,
    check_fields,
    checked,
    scalar_type,
)
from backprop.network import Network

A, B = np.ones((4, 3)), np.ones((3, 2))
RNG = np.random.default_rng(0)
NETWORK = Network([[[1.0]], [0.0]], ["relu"])


def gate(hint):
    """Return a checked function that returns its argument, which has this annotation."""

    def function(x):
        return x

    function.__annotations__["x"] = hint
    return checked(function)


def refusal(f, /, *args, **kwargs):
    """Return the sentence with which a call is refused."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the caller looks at the sentence
        f(*args, **kwargs)
    return str(caught.value)


# One argument

ANY, ROW, MATRIX = (Annotated[Array, shape] for shape in ("...", "N", "N K"))
KINDS = np.float64, np.integer, np.bool_, np.str_
DOUBLE, WHOLE, TRUTH, TEXTS = (Annotated[npt.NDArray[kind], "N"] for kind in KINDS)
NAMES = Sequence[Annotated[str, ("he", "glorot")]]
RATE = Annotated[float, "[0, 1]"]
NO_MASK = "an array without a mask: fill or drop what it hides"


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (WHOLE, np.ones(2, np.uint8)),
        (TRUTH, np.array([True])),
        (TEXTS, np.array(["a"])),
        (Callable[[float], float], abs),
        (NAMES, ["he", "he"]),
        (Sequence[int], (1, 2)),
        (Literal["a", "b"], "b"),
        (np.random.Generator, RNG),
        (Network, NETWORK),
        (Network | None, None),
        (None | RATE, 0.5),  # any order will do
        (RATE | Callable[[int], float], abs),
        (str | RATE | None, "x"),
        (FloatType, np.float32),
        (FloatType, "float64"),
        (F, "x"),
    ],
)
def test_what_fits_goes_through(hint, value):
    found = gate(hint)(value)
    assert found is value or found == value
    assert isinstance(found, np.dtype) == (hint is FloatType)


@pytest.mark.parametrize(
    ("hint", "bad", "sentence"),
    [
        (ANY, [1], "float32 or float64, got int64"),
        (ANY, np.ones(2, np.float16), "float32 or float64, got float16"),
        (ANY, np.ones(2, ">f8"), "float32 or float64, got >f8"),
        (ANY, None, "float32 or float64, got object"),
        (DOUBLE, np.ones(1, np.float32), "float64, got float32"),
        (DOUBLE, [np.nan], "finite numbers, got nan at (0,)"),
        (WHOLE, [1.0], "integers, got float64"),
        (WHOLE, [True], "integers, got bool"),
        (TRUTH, [1], "bool, got int64"),
        (TEXTS, [1], "texts, got int64"),
        (Annotated[Array, "3"], [1.0], "shape (3,), got (1,)"),  # NumPy would broadcast it
        (Annotated[Array, "2 1"], [1.0, 1.0], "shape (2, 1), got (2,)"),
        (Annotated[Array, "N 2"], A, "shape (N, 2), got (4, 3)"),
        (Annotated[Array, "N N"], A, "shape (N, N), got (4, 3)"),
        (ROW, 1.0, "shape (N,), got ()"),
        (ROW, np.ones(0), "shape (N,), got (0,)"),
        (MATRIX, np.ones((2, 0)), "shape (N, K), got (2, 0)"),
        (MATRIX, np.ones((1, 2, 2)), "shape (N, K), got (1, 2, 2)"),
        (ANY, np.ma.array([1.0]), NO_MASK),
        (ANY, [np.ma.array([1.0], mask=[1])], NO_MASK),
        (ANY, (1.0, np.ma.masked), NO_MASK),
        (Callable[[float], float], "abs", "a function, got 'abs'"),
        (Callable, "abs", "a function, got 'abs'"),
        (NAMES, "he", "a sequence, got 'he'"),
        (NAMES, {"he": 2}, "a sequence, got {'he': 2}"),
        (NAMES, np.array(3), "a sequence, got array(3)"),
        (NAMES, ["he", "xavier"], "one of he, glorot, got 'xavier'"),
        (NAMES, ["he", ["he"]], "one of he, glorot, got ['he']"),
        (Literal["a", "b"], None, "one of a, b, got None"),
        (np.random.Generator, np.random, f"np.random.default_rng(seed), got {np.random!r}"),
        (Network | None, "net", "Network, got 'net'"),
        (None | RATE, 2, "a number of at least 0 and at most 1, got 2"),
        (None | RATE, abs, f"a number of at least 0 and at most 1, got {abs!r}"),
        (RATE | Callable[[int], float], None, "a number of at least 0 and at most 1, got None"),
        (FloatType, int, "float32 or float64, got <class 'int'>"),
        (FloatType, ">f8", "float32 or float64, got '>f8'"),
        (FloatType, "no type", "float32 or float64, got 'no type'"),
        (Sequence[ROW], [[1.0], [1.0, 2.0]], "shape (1,), got (2,)"),
    ],
)
def test_what_does_not_fit_is_refused(hint, bad, sentence):
    name = "x[1]" if isinstance(bad, list) and "Sequence" in repr(hint) else "x"
    assert refusal(gate(hint), bad) == f"{name}: expected {sentence}"


def test_the_type_of_an_arrays_numbers_is_found_in_either_form():
    assert scalar_type(npt.NDArray[np.float32]) is np.float32
    assert scalar_type(np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) is np.uint8
    assert scalar_type(list[np.float32]) is np.float32  # since NumPy 2.5


INTERVALS = [
    ("[0, 1)", float, [0, 0.5, np.float32(0.5)], [-0.1, 1, np.inf], " of at least 0 and below 1"),
    ("(0, 1]", float, [1, Fraction(1, 2)], [0, "1", None, True, 1j], " above 0 and at most 1"),
    ("[0, inf)", float, [0.0, 1e300], [-1e-300, np.inf, np.nan], " of at least 0"),
    ("(-inf, 2]", float, [-5.0, 2], [-np.inf, 2.1, np.nan], " at most 2"),
    ("(-inf, inf)", float, [-5.0], [np.inf, -np.inf, np.nan], ""),
    ("[1, inf)", int, [1, np.int32(7)], [0, 2.0, np.float64(3), True, "3"], " of at least 1"),
]


@pytest.mark.parametrize(("interval", "kind", "good", "bad", "limits"), INTERVALS)
def test_numbers_lie_in_their_interval(interval, kind, good, bad, limits):
    for value in good:
        number = gate(Annotated[kind, interval])(value)
        assert (type(number), number) == (kind, value)
    what = f"n: expected {'a whole number' if kind is int else 'a number'}{limits}"
    for value in bad:
        assert refusal(as_number, "n", value, interval, kind) == f"{what}, got {value!r}"
    assert type(as_number("n", 1, "[0, 2]")) is float


@given(
    array_shapes(max_dims=3).flatmap(
        lambda shape: arrays(st.sampled_from([np.float32, np.float64]), shape, elements=st.just(1))
    )
)
def test_finite_floats_go_through_unchanged(array):
    for shape in ("...", " ".join("NKD"[: array.ndim]), " ".join(map(str, array.shape))):
        assert as_array("x", array, shape) is array
    lengths = {"N": array.shape[0]}
    as_array("x", array, "...", lengths)
    assert lengths == {"N": array.shape[0], "dtype": (array.dtype, "x")}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (1, 2)])
def test_numbers_that_are_not_finite_are_refused_with_their_place(dtype, bad, place):
    array = np.full((2, 3), np.finfo(dtype).max, dtype)  # their squares are not finite either
    assert gate(MATRIX)(array) is array
    array[place] = bad
    assert refusal(gate(MATRIX), array) == f"x: expected finite numbers, got {bad} at {place}"
    array[1, 2] = np.nan
    assert refusal(gate(ANY), array).endswith(f"at {place}")  # the first of several


# Several arguments


@checked
def dense(
    X: Annotated[Array, "N D"],
    W: Annotated[Array, "D H"],
    b: Annotated[Array, "H"] | None = None,
) -> Array:
    """Return a layer's output."""
    return X @ W + (0 if b is None else b)


def test_lists_arrive_as_arrays_and_letters_hold_over_all_arguments():
    np.testing.assert_array_equal(dense(A.tolist(), W=B), A @ B, strict=True)
    assert refusal(dense, A, A) == "W: expected shape (3, H), got (4, 3)"
    assert refusal(dense, A, B, np.ones(3)) == "b: expected shape (2,), got (3,)"
    assert dense(A, B).shape == (4, 2)  # what one call has bound is forgotten
    assert gate(Sequence[Count])(np.array([3, 4])) == [3, 4]


def test_all_arrays_are_of_one_dtype_unless_it_says_otherwise():
    @checked
    def f(
        a: Annotated[Array, "...", FREE],
        n: Annotated[npt.NDArray[np.integer], "N"],
        b: Annotated[Array, "..."],
        c: Annotated[Array, "N", CONVERTED],
        d: Annotated[Array, "..."],
    ):
        return [x.dtype.name for x in (a, b, c, d)]

    one, half = np.ones(2), np.ones(2, np.float32)
    assert f(one, [1, 2], half, one, half) == ["float64", "float32", "float32", "float32"]
    assert refusal(f, half, [1, 2], one, one, half) == "d: expected float64 like b, got float32"
    sentence = "c: expected finite numbers, got inf at (0,)"
    assert refusal(f, half, [1, 2], half, 1e300 * one, half) == sentence
    assert refusal(f, half, [1], one, one, one) == "c: expected shape (1,), got (2,)"


def test_conditions_see_the_name_and_the_converted_array():
    seen = []

    @checked
    def f(a: Annotated[Array, "N"], b: Annotated[Array, "N", CONVERTED, lambda *x: seen.extend(x)]):
        return a + b

    f(np.ones(1, np.float32), [2.0])
    assert (seen[0], *seen[1], seen[1].dtype) == ("b", 2.0, np.float32)


# Functions, methods, dataclasses


def test_a_gate_looks_like_its_function_and_can_be_taken_off():
    assert (dense.__name__, dense.__doc__) == ("dense", "Return a layer's output.")
    assert list(inspect.signature(dense).parameters) == ["X", "W", "b"]
    assert inspect.unwrap(dense)(np.array([[2]]), np.array([[3]])).tolist() == [[6]]


def test_wrong_numbers_and_names_of_arguments_are_pythons_own_errors():
    for args, kwargs in [((A,), {}), ((A, B, B, B), {}), ((A, B), {"W": B}), ((A, B), {"V": B})]:
        with pytest.raises(TypeError, match=r"dense\(\)"):
            dense(*args, **kwargs)


def test_an_object_brings_its_letters_to_its_methods_and_to_functions():
    class Layer:
        axes = {"D": 3, "dtype": (np.dtype(np.float64), "the parameters")}  # noqa: RUF012

        @checked
        def forward(self, X: Annotated[Array, "N D"]):
            return X

    @checked
    def f(network: Network, X: Annotated[Array, "N D"]):
        return X

    assert refusal(f, NETWORK, A) == "X: expected shape (N, 1), got (4, 3)"
    assert Layer().forward(A) is A
    assert refusal(Layer().forward, A.T) == "X: expected shape (N, 3), got (3, 4)"
    sentence = "X: expected float64 like the parameters, got float32"
    assert refusal(Layer().forward, A.astype(np.float32)) == sentence
    assert Layer.axes.keys() == {"D", "dtype"}


@dataclass(frozen=True)
class Parent:
    rate: Annotated[float, "(0, inf)"]

    def __post_init__(self):
        check_fields(self)


@dataclass(frozen=True)
class Child(Parent):
    steps: Count = 1
    note: str = ""
    cache: Annotated[str, ("full",)] = field(default="empty", init=False)


def test_fields_of_a_dataclass():
    child = Child(np.float32(0.5), steps=np.int64(2), note=3)
    assert (type(child.rate), type(child.steps), child.note) == (float, int, 3)
    assert refusal(Child, 0) == "rate: expected a number above 0, got 0"
    assert refusal(Child, 1, 0) == "steps: expected a whole number of at least 1, got 0"
