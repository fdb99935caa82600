"""What comes in wrong is refused with a sentence, and what is right goes through unchanged."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from backprop.validation import float_array, same_dtype, whole_number


@given(
    array_shapes(max_dims=3).flatmap(
        lambda shape: arrays(st.sampled_from([np.float32, np.float64]), shape, elements=st.just(1))
    )
)
def test_finite_floats_go_through_unchanged(array):
    assert float_array("x", array, array.shape) is array
    assert float_array("x", array, tuple("NKD"[: array.ndim])) is array


def test_lists_of_numbers_become_arrays():
    array = float_array("x", [[1.0, 2.0]], ("N", 2))
    assert array.dtype == np.float64
    assert array.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (np.ones(2, int), "int64"),
        (np.ones(2, np.uint8), "uint8"),
        (np.ones(2, bool), "bool"),
        (np.ones(2, complex), "complex128"),
        (np.ones(2, object), "object"),
        (np.ones(2, np.float16), "float16"),
        (["1", "2"], "<U1"),
        (None, "object"),
        ({"a": 1.0}, "object"),
    ],
)
def test_other_dtypes_are_refused(value, dtype):
    message = re.escape(f"name: expected float32 or float64, got {dtype}")
    with pytest.raises(ValueError, match=message):
        float_array("name", value, (2,))


@pytest.mark.parametrize(
    ("got", "want", "wanted"),
    [
        ((2,), (3,), "(3,)"),
        ((1,), (3,), "(3,)"),
        ((1, 2), (4, 2), "(4, 2)"),
        ((4, 1), ("N", 2), "(N, 2)"),
        ((2,), (2, 1), "(2, 1)"),
        ((2, 1), (2,), "(2,)"),
        ((2, 3), ("N", 2), "(N, 2)"),
        ((3, 2), (2, "K"), "(2, K)"),
        ((0, 2), ("N", 2), "(N, 2)"),
        ((2, 0), (2, "K"), "(2, K)"),
        ((0,), ("N",), "(N,)"),
        ((), ("N",), "(N,)"),
        ((1,), (), "()"),
        ((1, 2, 2), ("N", "K"), "(N, K)"),
    ],
)
def test_other_shapes_are_refused(got, want, wanted):
    message = re.escape(f"name: expected shape {wanted}, got {got}")
    with pytest.raises(ValueError, match=message):
        float_array("name", np.ones(got), want)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (1, 2)])
def test_numbers_that_are_not_finite_are_refused_with_their_place(dtype, bad, place):
    array = np.ones((2, 3), dtype)
    array[place] = bad
    message = re.escape(f"name: expected finite numbers, got {bad} at {place}")
    with pytest.raises(ValueError, match=message):
        float_array("name", array, ("N", 3))


def test_the_first_of_several_places_is_named():
    with pytest.raises(ValueError, match=r"got inf at \(1,\)"):
        float_array("name", [0.0, np.inf, np.nan], ("N",))


def test_the_largest_numbers_are_finite():
    for dtype in (np.float32, np.float64):
        float_array("x", np.array([np.finfo(dtype).max, np.finfo(dtype).tiny, -0.0], dtype), (3,))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_dtype(dtype):
    other = np.float64 if dtype == np.float32 else np.float32
    same_dtype("name", np.ones(2, dtype), np.dtype(dtype))
    message = f"name: expected {np.dtype(dtype)} like the parameters, got {np.dtype(other)}"
    with pytest.raises(ValueError, match=message):
        same_dtype("name", np.ones(2, other), np.dtype(dtype))


@pytest.mark.parametrize("value", [True, 2.0, "3", None, 0, np.float64(3)])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(ValueError, match="n: expected a whole number of at least 1, got"):
        whole_number("n", value, least=1)


@pytest.mark.parametrize("value", [1, 7, np.int32(7)])
def test_whole_numbers_go_through(value):
    assert type(whole_number("n", value, least=1)) is int
    assert whole_number("n", value, least=1) == value
