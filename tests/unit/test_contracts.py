"""The gate: what is right goes through, what is wrong gets a sentence with its name."""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    FloatType,
    as_array,
    as_number,
    check_fields,
    checked,
    float_type,
)
from backprop.network import Network

A, B = np.ones((4, 3)), np.ones((3, 2))


def refusal(f, /, *args, **kwargs):
    """Return the sentence with which a call is refused."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the caller looks at the sentence
        f(*args, **kwargs)
    return str(caught.value)


@checked
def product(X: Annotated[Array, "N D"], W: Annotated[Array, "D H"]) -> Array:
    """Return the product of two matrices."""
    return X @ W


# Arrays


@given(
    array_shapes(max_dims=3).flatmap(
        lambda shape: arrays(st.sampled_from([np.float32, np.float64]), shape, elements=st.just(1))
    )
)
def test_finite_floats_go_through_unchanged(array):
    assert as_array("x", array, "...") is array
    assert as_array("x", array, " ".join("NKD"[: array.ndim])) is array
    assert as_array("x", array, " ".join(map(str, array.shape))) is array


def test_lists_arrive_as_arrays_and_letters_hold_over_all_arguments():
    np.testing.assert_array_equal(product(A.tolist(), W=B), A @ B, strict=True)
    assert refusal(product, A, A) == "W: expected shape (3, H), got (4, 3)"
    assert product(A, B).shape == (4, 2)  # what one call has bound is forgotten


def test_a_letter_of_the_second_array_binds_the_third():
    @checked
    def dense(X: Annotated[Array, "N D"], W: Annotated[Array, "D H"], b: Annotated[Array, "H"]):
        return X @ W + b

    assert refusal(dense, A, B, np.ones(3)) == "b: expected shape (2,), got (3,)"


@pytest.mark.parametrize(
    ("value", "came"),
    [
        (np.ones(2, int), "float64, got int64"),
        (np.ones(2, np.uint8), "float64, got uint8"),
        (np.ones(2, bool), "float64, got bool"),
        (np.ones(2, complex), "float64, got complex128"),
        (np.ones(2, object), "float64, got object"),
        (np.ones(2, np.float16), "float64, got float16"),
        (np.ones(2, ">f8"), "float64, got >f8"),
        (["1", "2"], "float64, got <U1"),
        (None, "float64, got object"),
        ({"a": 1.0}, "float64, got object"),
        ([[1.0], [1.0, 2.0]], "an array, got list"),
    ],
)
def test_other_dtypes_are_refused(value, came):
    assert re.match(f"x: expected .*{re.escape(came)}", refusal(as_array, "x", value, "..."))


@pytest.mark.parametrize(
    ("got", "shape", "wanted"),
    [
        ((2,), "3", "(3,)"),
        ((1,), "3", "(3,)"),  # NumPy would broadcast these
        ((1, 2), "4 2", "(4, 2)"),
        ((2,), "2 1", "(2, 1)"),
        ((2, 1), "2", "(2,)"),
        ((), "N", "(N,)"),
        ((0,), "N", "(N,)"),
        ((2, 0), "N K", "(N, K)"),
        ((2, 3), "N 2", "(N, 2)"),
        ((1, 2, 2), "N K", "(N, K)"),
        ((5, 2), "M K", "(4, K)"),
    ],
)
def test_other_shapes_are_refused(got, shape, wanted):
    sentence = refusal(as_array, "x", np.ones(got), shape, {"M": 4})
    assert sentence == f"x: expected shape {wanted}, got {got}"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (1, 2)])
def test_numbers_that_are_not_finite_are_refused_with_their_place(dtype, bad, place):
    array = np.full((2, 3), np.finfo(dtype).max, dtype)  # their squares are not finite either
    assert as_array("x", array, "N K") is array
    array[place] = bad
    assert (
        refusal(as_array, "x", array, "N K") == f"x: expected finite numbers, got {bad} at {place}"
    )
    array[1, 2] = np.nan
    assert refusal(as_array, "x", array, "...").endswith(f"at {place}")  # the first of several


@pytest.mark.parametrize(
    "value",
    [
        np.ma.array([1.0, -9999.0], mask=[0, 1]),
        np.ma.array([1.0, 2.0]),
        [np.ma.array([1.0, -9999.0], mask=[0, 1])] * 2,
        [1.0, np.ma.masked],
    ],
)
def test_arrays_with_a_mask_are_refused(value):
    sentence = "x: expected an array without a mask: fill or drop what it hides"
    assert refusal(as_array, "x", value, "...") == sentence


@pytest.mark.parametrize(
    ("kind", "good", "bad", "sentence"),
    [
        (np.integer, [1, 2], [1.0, 2.0], "x: expected integers, got float64"),
        (np.integer, np.ones(2, np.uint8), [True, False], "x: expected integers, got bool"),
        (np.bool_, [True, False], [1, 0], "x: expected bool, got int64"),
    ],
)
def test_whole_numbers_and_truth_values(kind, good, bad, sentence):
    @checked
    def f(x: Annotated[npt.NDArray[kind], "N"], y: Annotated[Array, "N"]):
        return x

    assert f(good, np.ones(2, np.float32)).tolist() == list(good)  # they have no dtype to share
    assert refusal(f, bad, [1.0, 1.0]) == sentence
    assert refusal(f, good, [1.0]) == "y: expected shape (2,), got (1,)"


def test_all_arrays_are_of_one_dtype_unless_it_says_otherwise():
    @checked
    def f(
        a: Annotated[Array, "...", FREE],
        b: Annotated[Array, "..."],
        c: Annotated[Array, "...", CONVERTED],
        d: Annotated[Array, "..."],
    ):
        return [x.dtype.name for x in (a, b, c, d)]

    one, half = np.ones(2), np.ones(2, np.float32)
    assert f(one, half, one, half) == ["float64", "float32", "float32", "float32"]
    assert refusal(f, half, one, one, half) == "d: expected float64 like b, got float32"
    assert refusal(f, half, half, 1e300 * one, half).startswith(
        "c: expected finite numbers, got inf"
    )


def test_a_condition_sees_the_name_and_the_converted_array():
    def positive(name, array):
        if not array.min() > 0:
            raise ValueError(f"{name}: expected positive {array.dtype}")

    @checked
    def f(a: Annotated[Array, "N"], b: Annotated[Array, "N", CONVERTED, positive]):
        return a + b

    assert f([1.0], [2.0]).tolist() == [3.0]
    assert refusal(f, np.ones(1, np.float32), [0.0]) == "b: expected positive float32"


# Other arguments

INTERVALS = [
    ("[0, 1)", float, [0, 0.5, np.float32(0.5)], [-0.1, 1, np.inf], "of at least 0 and below 1"),
    ("(0, 1]", float, [1, Fraction(1, 2)], [0, "1", None, True, 1j], "above 0 and at most 1"),
    ("[0, inf)", float, [0.0, 1e300], [-1e-300, np.inf, np.nan], "of at least 0"),
    ("(-inf, 2]", float, [-5.0, 2], [-np.inf, 2.1, np.nan], "at most 2"),
    ("(-inf, inf)", float, [-5.0], [np.inf, -np.inf, np.nan], ""),
    ("[1, inf)", int, [1, np.int32(7)], [0, 2.0, np.float64(3), True, "3", None], "of at least 1"),
]


@pytest.mark.parametrize(("interval", "kind", "good", "bad", "wanted"), INTERVALS)
def test_numbers_lie_in_their_interval(interval, kind, good, bad, wanted):
    what = f"n: expected {'a whole number' if kind is int else 'a number'} {wanted}".rstrip()
    for value in good:
        number = as_number("n", value, interval, kind)
        assert (type(number), number) == (kind, value)
    for value in bad:
        assert refusal(as_number, "n", value, interval, kind) == f"{what}, got {value!r}"


def test_float_types():
    for good in (np.float32, "float32", np.dtype("f4")):
        assert float_type("dtype", good) == np.float32
    for bad in (int, np.float16, ">f8", "nothing", complex, 3):
        sentence = f"dtype: expected float32 or float64, got {bad!r}"
        assert refusal(float_type, "dtype", bad) == sentence


@checked
def everything(
    rng: np.random.Generator,
    f: Callable[[float], float] = abs,
    names: Sequence[Annotated[str, ("he", "glorot")]] = (),
    counts: Sequence[Count] = (),
    mode: Literal["a", "b"] = "a",
    network: Network | None = None,
    rate: Annotated[float, "[0, 1]"] | None = None,
    start: Annotated[float, "[0, 1]"] | Callable[[int], float] = 0.5,
    dtype: FloatType = float,
    arrays: Sequence[Annotated[Array, "N"]] = (),
    anything: object = None,
):
    """Return the arguments."""
    return locals()


RNG = np.random.default_rng(0)
NETWORK = Network([[[1.0]], [0.0]], ["relu"])


def test_what_fits_goes_through():
    good = {"f": np.exp, "names": ["he", "he"], "mode": "b", "network": NETWORK, "rate": 0.5}
    good |= {"start": abs, "dtype": "f4", "arrays": [A[0], A[1]], "anything": "x"}
    got = everything(RNG, **good)
    assert {name: got[name] for name in good} == good
    counts = everything(RNG, counts=np.array([3, 4]), rate=None, network=None)["counts"]
    assert (counts, type(counts[0])) == ([3, 4], int)


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"rng": 0}, "rng: expected np.random.default_rng(seed), got 0"),
        ({"rng": np.random}, f"rng: expected np.random.default_rng(seed), got {np.random!r}"),
        ({"f": "abs"}, "f: expected a function, got 'abs'"),
        ({"names": "he"}, "names: expected a sequence, got 'he'"),
        ({"names": ["he", "xavier"]}, "names[1]: expected one of he, glorot, got 'xavier'"),
        ({"names": [["he"]]}, "names[0]: expected one of he, glorot, got ['he']"),
        ({"counts": 3}, "counts: expected a sequence, got 3"),
        ({"counts": {1: 2}}, "counts: expected a sequence, got {1: 2}"),
        ({"counts": np.array(3)}, "counts: expected a sequence, got array(3)"),
        ({"counts": [2, 0]}, "counts[1]: expected a whole number of at least 1, got 0"),
        ({"mode": "c"}, "mode: expected one of a, b, got 'c'"),
        ({"mode": None}, "mode: expected one of a, b, got None"),
        ({"network": "net"}, "network: expected Network, got 'net'"),
        ({"rate": 2}, "rate: expected a number of at least 0 and at most 1, got 2"),
        ({"start": None}, "start: expected a number of at least 0 and at most 1, got None"),
        ({"dtype": int}, "dtype: expected float32 or float64, got <class 'int'>"),
        ({"arrays": [[1.0], [1.0, 2.0]]}, "arrays[1]: expected shape (1,), got (2,)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(bad, sentence):
    assert refusal(everything, **{"rng": RNG} | bad) == sentence


def test_an_old_random_state_is_no_generator():
    assert refusal(everything, np.random.RandomState(0)).startswith("rng: expected np.random.defa")


# Functions, methods, dataclasses


def test_a_gate_looks_like_its_function_and_can_be_taken_off():
    assert (product.__name__, product.__doc__) == ("product", "Return the product of two matrices.")
    assert list(inspect.signature(product).parameters) == ["X", "W"]
    assert inspect.unwrap(product)([[2]], np.array([[3]])).tolist() == [[6]]


@pytest.mark.parametrize(
    ("args", "kwargs"), [((A,), {}), ((A, B, B), {}), ((A, B), {"W": B}), ((A, B), {"V": B})]
)
def test_wrong_numbers_and_names_of_arguments_are_pythons_own_errors(args, kwargs):
    with pytest.raises(TypeError, match=r"product\(\)"):
        product(*args, **kwargs)


def test_letters_of_a_method_begin_with_its_object():
    class Layer:
        axes = {"D": 3, "dtype": (np.dtype(np.float64), "the parameters")}  # noqa: RUF012

        @checked
        def forward(self, X: Annotated[Array, "N D"]):
            return X

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


def test_fields_of_a_dataclass():
    child = Child(np.float32(0.5), steps=np.int64(2), note=3)
    assert (type(child.rate), type(child.steps), child.note) == (float, int, 3)
    assert refusal(Child, 0) == "rate: expected a number above 0, got 0"
    assert refusal(Child, 1, 0) == "steps: expected a whole number of at least 1, got 0"
