"""Warps that move whole pixels, random fields against their formulas, groups that share a field.

That a warp between pixels is its formula, the registry says.
"""

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


class Largest(np.random.Generator):
    """Draws the largest number there is in a range."""

    def uniform(self, low, high, size):
        assert low == -high
        return np.full(size, high)


def largest():
    return Largest(np.random.PCG64(0))


def images(n, dtype=np.float64):
    return np.random.default_rng(0).random((n, SIDE * SIDE)).astype(dtype)


def reading(X, place):
    """Return images whose pixels are read from X at whole places, and are 0 outside."""
    old, new = (a.reshape(-1, SIDE, SIDE) for a in (X, np.zeros_like(X)))
    for i, j in np.ndindex(SIDE, SIDE):
        r, c = place(i, j)
        if 0 <= r < SIDE and 0 <= c < SIDE:
            new[:, i, j] = old[:, r, c]
    return new.reshape(X.shape)


# Fields


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("down", "right"),
    [(0, 0), (0, 1), (2, -5), (-3, 0), (27, 27), (-28, 0), (0, 28), (10**9, 1), (-(10**18), 0)],
)
def test_whole_pixels_move_exactly_and_zeros_come_in(down, right, dtype):
    X = 1 + images(2, dtype)
    warped = warp(X, PIXELS + np.reshape([down, right], (2, 1, 1)))
    expected = reading(X, lambda i, j: (i + down, j + right))
    np.testing.assert_array_equal(warped, expected, strict=True)


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


def turned(X, quarters):
    return np.rot90(X.reshape(-1, SIDE, SIDE), quarters, axes=(1, 2)).reshape(X.shape)


def halved(X):
    blocks = X.reshape(-1, SIDE // 2, 2, SIDE // 2, 2).mean(axis=(2, 4))
    return np.pad(blocks, [(0, 0), (7, 7), (7, 7)]).reshape(X.shape)


MEANINGS = {
    "nothing": ({}, lambda X: X),
    "shear": ({"shear": 2}, lambda X: reading(X, lambda i, j: (i + 2 * j - 27, j))),
    "shift": ({"shift": 3}, lambda X: reading(X, lambda i, j: (i + 3, j + 3))),
    "a quarter turn": ({"rotation": 90}, lambda X: turned(X, -1)),
    "a half turn": ({"rotation": 180}, lambda X: turned(X, 2)),
    "scale": ({"scale": math.log(2)}, halved),
}


@pytest.mark.parametrize(("numbers", "expected"), MEANINGS.values(), ids=MEANINGS)
def test_what_the_largest_numbers_mean(numbers, expected):
    X = images(11)
    before = X.copy()
    warped = Augmentation(**numbers, group=3)(X, largest())
    np.testing.assert_allclose(warped, expected(X), rtol=0, atol=1e-12)  # in the same order
    np.testing.assert_array_equal(X, before)


@pytest.mark.equation("elastic-field")
def test_elastic_displacements_are_their_formula():
    alpha, sigma = 8.0, 2.5
    displacements = elastic_displacements(2, np.random.default_rng(0), alpha, sigma)
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 2, SIDE, SIDE))

    def gauss(d):
        return math.exp(-(d**2) / (2 * sigma**2)) / (math.sqrt(2 * math.pi) * sigma)

    assert displacements.shape == noise.shape
    for i, j in [(0, 0), (3, 20), (14, 1), (27, 13)]:
        weights = np.array(
            [[gauss(i - r) * gauss(j - c) for c in range(SIDE)] for r in range(SIDE)]
        )
        expected = alpha * np.sum(weights * noise, axis=(2, 3))
        np.testing.assert_allclose(displacements[:, :, i, j], expected, rtol=0, atol=1e-13)


def test_a_gaussian_without_width_is_refused():
    sentence = r"^sigma: expected a number above 0, got 0$"
    with pytest.raises(ValueError, match=sentence):
        elastic_displacements(1, np.random.default_rng(0), 1.0, 0)
    with pytest.raises(ValueError, match=sentence):
        Augmentation(sigma=0)


# Augmentation

NUMBERS = {"rotation": 15.0, "scale": 0.2, "shear": 0.3, "shift": 2.0, "alpha": 30.0, "sigma": 4.0}


@pytest.mark.parametrize("names", [*((name,) for name in NUMBERS), NUMBERS])
def test_every_number_goes_where_it_belongs(names):
    X, numbers = images(4), {name: NUMBERS[name] for name in names}
    affine = {name: numbers[name] for name in names if name not in ("alpha", "sigma")}
    rng = np.random.default_rng(0)
    field = affine_fields(1, rng, **affine)
    field += elastic_displacements(1, rng, numbers.get("alpha", 0), numbers.get("sigma", 5))
    warped = Augmentation(**numbers)(X, np.random.default_rng(0))
    np.testing.assert_array_equal(warped, warp(X, field[:, 0]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_group_shares_its_field_and_is_picked_anew(dtype):
    X, augment = np.repeat(images(1, dtype), 10, axis=0), Augmentation(**NUMBERS, group=4)
    rng, seen, partners = np.random.default_rng(0), [], set()
    for _ in range(20):
        warped = augment(X, rng)
        assert warped.dtype == dtype
        different, counts = np.unique(warped, axis=0, return_counts=True)
        assert sorted(counts) == [3, 3, 4]
        seen.extend(different)
        partners.add(tuple(np.flatnonzero((warped == warped[0]).all(axis=1))))
    assert len(partners) > 15
    assert len(np.unique(seen, axis=0)) == 60
    assert {Augmentation(), Augmentation(group=50)} == {Augmentation()}  # frozen, so it has a hash
