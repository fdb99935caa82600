"""Augmentation: new training images from old ones, by warps that don't change the digit.

A warp is a field of places: for every pixel of the new image, where in the old one its value comes
from, between the pixels as a rule. `affine_fields` and `elastic_displacements` draw fields at
random, `warp` reads an image at these places, and an `Augmentation` does all of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from backprop.contracts import FREE, Array, Count, check_fields, checked

SIDE = 28  # pixels of MNIST's images, in each direction
CENTRE = (SIDE - 1) / 2
Images = Annotated[Array, "N 784"]
Size = Annotated[float, "[0, inf)"]


@checked
def affine_fields(
    n: Count,
    rng: np.random.Generator,
    rotation: Size = 0.0,
    scale: Size = 0.0,
    shear: Size = 0.0,
    shift: Size = 0.0,
) -> Array:
    """Return the places that n random rotations, scalings, shears and shifts lead to.

    Each number is drawn uniformly between minus and plus the given one (eq: affine-field).

    Parameters
    ----------
    n : int
        How many fields.
    rng : numpy.random.Generator
    rotation : float
        Angle, in degrees.
    scale : float
        Natural logarithm of the factor, drawn for rows and columns apart.
    shear : float
        How many rows further down, for each column to the right.
    shift : float
        Pixels, drawn for rows and columns apart.

    Returns
    -------
    ndarray, shape (2, n, 28, 28)
        Rows, then columns.
    """
    angle = np.radians(rng.uniform(-rotation, rotation, (n, 1, 1)))
    factors = np.exp(rng.uniform(-scale, scale, (2, n, 1, 1)))
    slant = rng.uniform(-shear, shear, (n, 1, 1))
    shifts = rng.uniform(-shift, shift, (2, n, 1, 1))
    rows, columns = np.mgrid[:SIDE, :SIDE] - CENTRE
    rows, columns = factors[0] * (rows + slant * columns), factors[1] * columns
    cos, sin = np.cos(angle), np.sin(angle)
    turned = np.stack([cos * rows - sin * columns, sin * rows + cos * columns])
    return turned + shifts + CENTRE


@checked
def elastic_displacements(
    n: Count, rng: np.random.Generator, alpha: Size, sigma: Annotated[float, "(0, inf)"]
) -> Array:
    """Return n random fields of smooth displacements (eq: elastic-field), after Simard 2003.

    Uniform noise between -1 and 1 is smoothed with a Gaussian, in rows and in columns.

    Parameters
    ----------
    n : int
        How many fields.
    rng : numpy.random.Generator
    alpha : float
        The displacements' size: what the smoothed noise is multiplied by, in pixels.
    sigma : float
        The Gaussian's standard deviation, in pixels.

    Returns
    -------
    ndarray, shape (2, n, 28, 28)
        Rows, then columns, to be added to places.
    """
    distance = np.subtract.outer(np.arange(SIDE), np.arange(SIDE))
    gauss = np.exp(-((distance / sigma) ** 2) / 2) / (math.sqrt(2 * math.pi) * sigma)
    displacements: Array = alpha * (gauss @ rng.uniform(-1, 1, (2, n, SIDE, SIDE)) @ gauss.T)
    return displacements


@checked
def warp(X: Images, field: Annotated[Array, "2 28 28", FREE]) -> Array:
    """Return images whose pixels are read from X at the places of a field (eq: bilinear).

    Between pixels the value is the mean of the four around, each weighed by its nearness. Outside
    the image it is 0. All images share the field: the products then run over whole rows of memory.

    Parameters
    ----------
    X : ndarray, shape (N, 784)
    field : ndarray, shape (2, 28, 28)
        Rows and columns; see `affine_fields`.
    """
    row, column = field.reshape(2, -1)
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    pixels = np.ascontiguousarray(X.T)  # one row for each pixel
    warped = np.zeros_like(pixels)
    for r in (top, top + 1):
        for c in (left, left + 1):
            inside = (r >= 0) & (r < SIDE) & (c >= 0) & (c < SIDE)
            weight = inside * (1 - np.abs(row - r)) * (1 - np.abs(column - c))
            place = inside * (r * SIDE + c)
            warped += weight.astype(X.dtype)[:, None] * pixels[place]
    return warped.T


@dataclass(frozen=True)
class Augmentation:
    """Random warps, drawn anew whenever it is called; see `affine_fields` for the numbers.

    Parameters
    ----------
    rotation, scale, shear, shift, alpha, sigma : float
    group : int
        How many images, picked at random, share a field.

    Raises
    ------
    ValueError
        If a number is negative or not finite.
    """

    rotation: Size = 0.0
    scale: Size = 0.0
    shear: Size = 0.0
    shift: Size = 0.0
    alpha: Size = 0.0
    sigma: Annotated[float, "(0, inf)"] = 5.0
    group: Count = 50

    def __post_init__(self) -> None:
        """Hold the numbers to their ranges."""
        check_fields(self)

    @checked
    def __call__(self, X: Images, rng: np.random.Generator) -> Array:
        """Return as many images as X has, each warped, in the same order.

        Parameters
        ----------
        X : ndarray, shape (N, 784)
        rng : numpy.random.Generator
        """
        n = math.ceil(len(X) / self.group)
        places = affine_fields(n, rng, self.rotation, self.scale, self.shear, self.shift)
        places += elastic_displacements(n, rng, self.alpha, self.sigma)
        warped = np.empty_like(X)
        groups = np.array_split(rng.permutation(len(X)), n)
        for rows, field in zip(groups, places.swapaxes(0, 1), strict=True):
            warped[rows] = warp(X[rows], field)
        return warped
