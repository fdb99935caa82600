"""Warps against a slow loop over pixels, random fields against their formulas and their sizes."""

import math

import numpy as np
import pytest

from backprop.augmentation import (
    SIDE,
    Augmentation,
    affine_fields,
    elastic_displacements,
    warp,
)

PIXELS = np.mgrid[:SIDE, :SIDE].astype(float)  # the field that leaves all in place
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


class Largest(np.random.Generator):
    """Draws the largest number there is in a range."""

    def uniform(self, low, high, size):
        return np.full(size, high)


def largest():
    return Largest(np.random.PCG64(0))


def images(n, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).random((n, SIDE * SIDE)).astype(dtype)


def rough_field(seed=0):
    """Return places of all kinds, some outside the image, and some of them far."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-3, SIDE + 2, (2, SIDE, SIDE))


# Reading an image at places


@pytest.mark.equation("bilinear")
def test_warp_is_its_formula():
    X, field = images(1), rough_field()
    old = X.reshape(SIDE, SIDE).tolist()
    new = warp(X, field).reshape(SIDE, SIDE)
    for i, j in np.ndindex(SIDE, SIDE):
        row, column = field[:, i, j]
        expected = 0.0
        for r in range(SIDE):
            for c in range(SIDE):
                if abs(row - r) < 1 and abs(column - c) < 1:
                    expected += (1 - abs(row - r)) * (1 - abs(column - c)) * old[r][c]
        assert new[i, j] == pytest.approx(expected, abs=1e-14)


@every_dtype
def test_the_identity_gives_the_images_back(dtype):
    X = images(4, dtype=dtype)
    np.testing.assert_array_equal(warp(X, PIXELS), X, strict=True)


@pytest.mark.parametrize(("down", "right"), [(0, 1), (2, -5), (-3, 0), (27, 27), (-28, 0), (0, 28)])
def test_whole_pixels_move_exactly_and_zeros_come_in(down, right):
    X = 1 + images(2)
    expected = np.zeros((2, SIDE, SIDE))
    for i, j in np.ndindex(SIDE, SIDE):
        if 0 <= i + down < SIDE and 0 <= j + right < SIDE:
            expected[:, i, j] = X.reshape(2, SIDE, SIDE)[:, i + down, j + right]
    warped = warp(X, PIXELS + np.reshape([down, right], (2, 1, 1)))
    np.testing.assert_array_equal(warped, expected.reshape(2, -1))


@pytest.mark.parametrize("size", [1e3, 1e9, 1e18])
def test_far_outside_there_is_nothing(size):
    assert not warp(images(2), PIXELS + size).any()
    assert not warp(images(2), PIXELS - size).any()


@every_dtype
def test_warp_keeps_the_dtype_and_its_arguments(dtype):
    X, field = images(3, dtype=dtype), rough_field()
    copies = X.copy(), field.copy()
    exact = warp(X.astype(float), field)
    warped = warp(X, field)
    assert warped.dtype == dtype
    np.testing.assert_allclose(warped, exact, rtol=0, atol=10 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(X, copies[0])
    np.testing.assert_array_equal(field, copies[1])


# Affine fields


@pytest.mark.equation("affine-field")
def test_affine_fields_are_their_formula():
    fields = affine_fields(3, np.random.default_rng(0), 20, 0.3, 0.2, 4)
    assert fields.shape == (2, 3, SIDE, SIDE)
    rng = np.random.default_rng(0)
    angles, factors = np.radians(rng.uniform(-20, 20, 3)), np.exp(rng.uniform(-0.3, 0.3, (2, 3)))
    slants, shifts = rng.uniform(-0.2, 0.2, 3), rng.uniform(-4, 4, (2, 3))
    for k, (angle, slant) in enumerate(zip(angles, slants, strict=True)):
        turn = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        linear = np.array(turn) @ np.diag(factors[:, k]) @ [[1, slant], [0, 1]]
        for i, j in np.ndindex(SIDE, SIDE):
            place = linear @ [i - 13.5, j - 13.5] + shifts[:, k] + 13.5
            np.testing.assert_allclose(fields[:, k, i, j], place, rtol=0, atol=1e-13)


def warped_by(X, **numbers):
    """Return images, shape (N, 28, 28), warped by the largest numbers."""
    (field,) = affine_fields(1, largest(), **numbers).swapaxes(0, 1)
    return warp(X, field).reshape(-1, SIDE, SIDE)


def test_no_numbers_no_warp():
    fields = affine_fields(3, np.random.default_rng(0))
    np.testing.assert_array_equal(fields, np.stack([PIXELS] * 3, axis=1))


@pytest.mark.parametrize(
    ("numbers", "reads"),
    [
        ({"shear": 2}, lambda i, j: (i + 2 * j - 27, j)),
        ({"shift": 3}, lambda i, j: (i + 3, j + 3)),
    ],
    ids=["shear", "shift"],
)
def test_whole_pixels_of_a_shear_and_a_shift(numbers, reads):
    old = images(2).reshape(-1, SIDE, SIDE)
    expected = np.zeros_like(old)
    for i, j in np.ndindex(SIDE, SIDE):
        r, c = reads(i, j)
        if 0 <= r < SIDE and 0 <= c < SIDE:
            expected[:, i, j] = old[:, r, c]
    np.testing.assert_array_equal(warped_by(images(2), **numbers), expected)


@pytest.mark.parametrize(("degrees", "quarters"), [(90, -1), (180, 2), (270, 1), (360, 0)])
def test_quarter_turns(degrees, quarters):
    X = images(2)
    expected = np.rot90(X.reshape(-1, SIDE, SIDE), quarters, axes=(1, 2))
    np.testing.assert_allclose(warped_by(X, rotation=degrees), expected, rtol=0, atol=1e-12)


def test_twice_as_many_pixels_make_an_image_of_half_the_size():
    X = images(2)
    blocks = X.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    expected = np.pad(blocks, [(0, 0), (7, 7), (7, 7)])
    np.testing.assert_allclose(warped_by(X, scale=math.log(2)), expected, rtol=0, atol=1e-13)


# How to read from fields the numbers that were drawn for them.


# Elastic displacements


@pytest.mark.equation("elastic-field")
def test_elastic_displacements_are_their_formula():
    alpha, sigma = 8.0, 2.5
    displacements = elastic_displacements(2, np.random.default_rng(0), alpha, sigma)
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 2, SIDE, SIDE))

    def gauss(d):
        return math.exp(-(d**2) / (2 * sigma**2)) / (math.sqrt(2 * math.pi) * sigma)

    assert displacements.shape == noise.shape
    for i, j in [(0, 0), (3, 20), (14, 1), (27, 13)]:
        for a, k in np.ndindex(2, 2):
            smooth = sum(
                gauss(i - r) * gauss(j - c) * noise[a, k, r, c] for r, c in np.ndindex(SIDE, SIDE)
            )
            assert displacements[a, k, i, j] == pytest.approx(alpha * smooth, abs=1e-13)


@pytest.mark.parametrize(
    "make",
    [
        lambda n, rng: affine_fields(n, rng, 20, 0.3, 0.2, 4),
        lambda n, rng: elastic_displacements(n, rng, 8, 4),
    ],
    ids=["affine", "elastic"],
)
def test_fields_repeat_with_the_seed_and_differ_from_each_other(make):
    fields = make(3, np.random.default_rng(1))
    np.testing.assert_array_equal(fields, make(3, np.random.default_rng(1)))
    assert (fields != make(3, np.random.default_rng(2))).all()
    for a, b in [(0, 1), (1, 2)]:
        assert (fields[:, a] != fields[:, b]).all()


# Augmentation

NUMBERS = {"rotation": 15.0, "scale": 0.2, "shear": 0.3, "shift": 2.0, "alpha": 30.0, "sigma": 4.0}


def test_images_keep_their_order():
    X = images(11)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(Augmentation(group=3)(X, rng), X)
    moved = Augmentation(shift=3, group=3)(X, largest())
    np.testing.assert_array_equal(moved, warped_by(X, shift=3).reshape(11, -1))


@pytest.mark.parametrize(
    "names", [("rotation",), ("scale",), ("shear",), ("shift",), tuple(NUMBERS)]
)
def test_every_number_goes_where_it_belongs(names):
    X, numbers = images(4), {name: NUMBERS[name] for name in names}
    affine = {name: numbers[name] for name in names if name not in ("alpha", "sigma")}
    rng = np.random.default_rng(0)
    field = affine_fields(1, rng, **affine)[:, 0]
    if "alpha" in names:
        field = field + elastic_displacements(1, rng, NUMBERS["alpha"], NUMBERS["sigma"])[:, 0]
    warped = Augmentation(**numbers)(X, np.random.default_rng(0))
    np.testing.assert_array_equal(warped, warp(X, field))
    assert (warped != X).any(axis=1).all()


def test_a_group_shares_its_field_and_is_picked_at_random():
    X = np.repeat(images(1), 10, axis=0)
    rng, partners = np.random.default_rng(0), set()
    for _ in range(20):
        warped = Augmentation(**NUMBERS, group=4)(X, rng)
        counts = np.unique(warped, axis=0, return_counts=True)[1]
        assert sorted(counts) == [3, 3, 4]
        partners.add(tuple(np.flatnonzero((warped == warped[0]).all(axis=1))))
    assert len(partners) > 15


@every_dtype
def test_augmented_images_repeat_with_the_seed_and_never_again(dtype):
    X, augment = images(7, dtype=dtype), Augmentation(**NUMBERS, group=2)
    before, rng = X.copy(), np.random.default_rng(1)
    first, second = augment(X, rng), augment(X, rng)
    assert first.shape == X.shape
    assert first.dtype == dtype
    np.testing.assert_array_equal(first, augment(X, np.random.default_rng(1)))
    assert (first != second).any(axis=1).all()
    np.testing.assert_array_equal(X, before)
