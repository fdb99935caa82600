"""Answers to the exercises of chapter 8: the right ones, and mistakes with the hints they get."""

import numpy as np

from backprop.gradcheck import numerical_gradients, relative_error


def l1_step(W, dW, rate, strength):
    return W - rate * (dW + strength * np.sign(W))


def l2_step(W, dW, rate, strength):
    return W - rate * (dW + 2 * strength * W)


def stopping_at_zero(W, dW, rate, strength):
    after = l1_step(W, dW, rate, strength)
    return np.where(after * W < 0, 0, after)


def test_mask_backward(backward):
    rng = np.random.default_rng(0)
    mask, slope, A = rng.integers(0, 2, (3, 5)), *rng.normal(size=(2, 3, 5))
    (expected,) = numerical_gradients(lambda A: np.sum(slope * A * mask * 2), A)
    assert relative_error(backward(mask, slope), expected) < 1e-8


# What a test must look at to catch each of the wrong functions, in the order of the question.
LOOK_AT = (
    "how large the slope of a kept unit is",
    "what a dropped unit gets",
    "whether the mask that comes back is the one that went forward",
    "a mask that does not keep exactly half",
    "slopes that differ from place to place",
    "each place by itself, not at their sum",
)


def letting_through(missed):
    """Return a test that lets just these of the wrong functions through, and its hint."""
    mask, slope = np.array([1, 1, 0]), np.array([2.0, 3.0, 4.0])
    expected = [[4, 6, 0], [2, 3, 0], [4, 6, 8], [0, 6, 8], [3, 4.5, 0], [6, 6, 0], [0, 4, 6]]
    allowed = [expected[0], *(expected[n + 1] for n in missed)]

    def test(backward):
        assert any(np.allclose(backward(mask, slope), values) for values in allowed)

    if len(missed) == len(LOOK_AT):
        return "it lets every mistake through.", test
    return f"a mistake slips through: look, too, at {LOOK_AT[missed[0]]}.", test


def rejecting(backward):
    mask, slope = np.array([1, 1, 0]), np.array([2.0, 3.0, 4.0])
    assert np.allclose(backward(mask, slope), slope * mask)


def row_weights(places, D):
    return np.maximum(0, 1 - np.abs(places - np.arange(D)[:, None]))


def edge_repeated(places, D):
    return row_weights(np.clip(places, 0, D - 1), D)


def farther_weighs_more(places, D):
    below, part = np.floor(places), places % 1
    pixels = np.arange(D)[:, None]
    return part * (pixels == below) + (1 - part) * (pixels == below + 1)


def cut_towards_zero(places, D):
    below = places.astype(int)
    pixels = np.arange(D)[:, None]
    part = places - below
    return (1 - part) * (pixels == below) + part * (pixels == below + 1)


def adding_up_to_one(places, D):
    weights = row_weights(places, D)
    return weights / np.where(weights.sum(axis=0) > 0, weights.sum(axis=0), 1)


def row_slopes(places, D, slopes):
    return row_weights(places, D) @ slopes


def deviations_apart(mistakes_1, mistakes_2, common, n):
    b, c = mistakes_2 - common, mistakes_1 - common
    return abs(b - c) / np.sqrt(b + c - (b - c) ** 2 / n)


def independent(mistakes_1, mistakes_2, common, n):
    p, q = mistakes_1 / n, mistakes_2 / n
    return abs(p - q) / np.sqrt((p * (1 - p) + q * (1 - q)) / n)


def alone(mistakes, other, n):
    return abs(mistakes - other) / np.sqrt(mistakes * (1 - mistakes / n))


MISTAKES = {
    l1_step: {
        "the penalty pushes the wrong way: weights move away from zero.": (
            lambda W, dW, rate, strength: l1_step(W, dW, rate, -strength)
        ),
        "negative weights are pushed the wrong way: where is the sign of W?": (
            lambda W, dW, rate, strength: W - rate * (dW + strength)
        ),
        "the rate is missing from the penalty's part.": (
            lambda W, dW, rate, strength: W - rate * dW - strength * np.sign(W)
        ),
        "the slope of the loss is left out.": (
            lambda W, dW, rate, strength: l1_step(W, 0, rate, strength)
        ),
        "that is the step of L2: under L1 all weights are moved by the same amount.": l2_step,
        "it subtracts the price of the weights; a step goes against its slope.": (
            lambda W, dW, rate, strength: W - rate * (dW + strength * np.abs(W))
        ),
        "it stops at zero, which would be wise; a plain step jumps over it.": stopping_at_zero,
        "that is the slope; give the weights after a step against it.": (
            lambda W, dW, rate, strength: dW + strength * np.sign(W)
        ),
        "the kink counts as a slope of 0; yours moves a weight of 0.": (
            lambda W, dW, rate, strength: W - rate * (dW + strength * np.where(W > 0, 1, -1))
        ),
    },
    l2_step: {
        "the penalty pushes the wrong way: weights move away from zero.": (
            lambda W, dW, rate, strength: l2_step(W, dW, rate, -strength)
        ),
        "the penalty counts half: this book does not halve the square.": (
            lambda W, dW, rate, strength: l2_step(W, dW, rate, strength / 2)
        ),
        "the rate is missing from the penalty's part.": (
            lambda W, dW, rate, strength: W - rate * dW - 2 * strength * W
        ),
        "the slope of the loss is left out.": (
            lambda W, dW, rate, strength: l2_step(W, 0, rate, strength)
        ),
        "that is the step of L1: under L2 large weights are moved by more.": l1_step,
        "it subtracts the price of the weights; a step goes against its slope.": (
            lambda W, dW, rate, strength: W - rate * (dW + strength * W**2)
        ),
        "that is the slope; give the weights after a step against it.": (
            lambda W, dW, rate, strength: dW + 2 * strength * W
        ),
        "both slopes belong to the weights before the step; one of yours comes after the other.": (
            lambda W, dW, rate, strength: l2_step(W - rate * dW, 0, rate, strength)
        ),
    },
    test_mask_backward: {
        "it rejects the right gradient.": rejecting,
        **dict(letting_through(missed) for missed in ([0], [1], [2], [3], [4], [5], range(6))),
    },
    row_weights: {
        "old pixels belong in the rows, new ones in the columns.": (
            lambda places, D: row_weights(places, D).T
        ),
        "pixels far from a place get a negative weight; they should get none.": (
            lambda places, D: 1 - np.abs(places - np.arange(D)[:, None])
        ),
        "a place between two pixels reads both, not the nearest alone.": (
            lambda places, D: row_weights(np.round(places), D)
        ),
        "of the two neighbours, the nearer one must weigh more.": farther_weighs_more,
        "beyond the edge are zeros, not the last pixel once more.": edge_repeated,
        "at the edge a column's weights need not add up to 1.": adding_up_to_one,
        "`int` cuts towards zero: a place of -0.25 lies before pixel 0, not behind it.": (
            cut_towards_zero
        ),
    },
    row_slopes: {
        "that reads the slopes as pixels are read; they go back by the transposed matrix.": (
            lambda places, D, slopes: row_weights(places, len(slopes)).T @ slopes
        ),
        "that reads through the inverse map, which is right for shifts only.": (
            lambda places, D, slopes: slopes @ row_weights(2 * np.arange(D) - places, D)
        ),
        "each slope goes to the nearest pixel alone; both neighbours have been read.": (
            lambda places, D, slopes: row_weights(np.round(places), D) @ slopes
        ),
        "beyond the edge are zeros, and what is read there has no slope to give back.": (
            lambda places, D, slopes: edge_repeated(places, D) @ slopes
        ),
        "a pixel gets the sum of its shares, not their mean.": (
            lambda places, D, slopes: (
                row_slopes(places, D, slopes) / row_weights(places, D).sum(axis=1)
            )
        ),
    },
    deviations_apart: {
        "a distance has no sign, whichever network is the better one.": (
            lambda mistakes_1, mistakes_2, common, n: (
                deviations_apart(mistakes_1, mistakes_2, common, n)
                * np.sign(mistakes_1 - mistakes_2)
            )
        ),
        "a distance has no sign: it is negative if the first makes more mistakes.": (
            lambda mistakes_1, mistakes_2, common, n: (
                deviations_apart(mistakes_1, mistakes_2, common, n)
                * np.sign(mistakes_2 - mistakes_1)
            )
        ),
        "the images that both misread say nothing: only one of the two must be wrong.": (
            lambda mistakes_1, mistakes_2, common, n: deviations_apart(mistakes_1, mistakes_2, 0, n)
        ),
        "the images that both misread decide nothing: those that one misreads do.": (
            lambda mistakes_1, mistakes_2, common, n: (
                abs(mistakes_1 - mistakes_2) / np.sqrt(mistakes_1 + mistakes_2)
            )
        ),
        "that is the deviation of the first accuracy; ask for that of the difference.": (
            lambda mistakes_1, mistakes_2, common, n: alone(mistakes_1, mistakes_2, n)
        ),
        "that is the deviation of the second accuracy; ask for that of the difference.": (
            lambda mistakes_1, mistakes_2, common, n: alone(mistakes_2, mistakes_1, n)
        ),
        "it divides by the variance; a deviation is its root.": (
            lambda mistakes_1, mistakes_2, common, n: (
                deviations_apart(mistakes_1, mistakes_2, common, n) ** 2
                / abs(mistakes_1 - mistakes_2)
            )
        ),
        "that takes the two for independent, but they read the same images.": independent,
        "the variance is a mean square less a squared mean, which is missing.": (
            lambda mistakes_1, mistakes_2, common, n: (
                abs(mistakes_1 - mistakes_2) / np.sqrt(mistakes_1 + mistakes_2 - 2 * common)
            )
        ),
        "the difference is a number of images, the deviation a share, or the reverse.": (
            lambda mistakes_1, mistakes_2, common, n: (
                deviations_apart(mistakes_1, mistakes_2, common, n) * n
            )
        ),
        "what both misread stands in both counts, so it must go twice.": (
            lambda mistakes_1, mistakes_2, common, n: deviations_apart(
                mistakes_1 - common / 2, mistakes_2 - common / 2, 0, n
            )
        ),
        "it is upside down: how often does the deviation fit into the difference?": (
            lambda mistakes_1, mistakes_2, common, n: (
                1 / deviations_apart(mistakes_1, mistakes_2, common, n)
            )
        ),
    },
}
