"""Problem set 1: losses that the book does not have, and what becomes of their gradients."""

import numpy as np
from assignments import Question

# Each is written in the error e = y - t, with one constant c.
LOSSES = {
    "charbonnier": {
        "title": "The Charbonnier loss",
        "formula": r"\ell(e) = \sqrt{e^2 + c^2} - c",
        "value": "np.sqrt(e**2 + c**2) - c",
        "slope": "e / np.sqrt(e**2 + c**2)",
    },
    "cauchy": {
        "title": "The Cauchy loss",
        "formula": r"\ell(e) = \frac{c^2}{2} \log\bigl(1 + (e/c)^2\bigr)",
        "value": "c**2 / 2 * np.log1p((e / c) ** 2)",
        "slope": "e / (1 + (e / c) ** 2)",
    },
    "welsch": {
        "title": "The Welsch loss",
        "formula": r"\ell(e) = \frac{c^2}{2} \bigl(1 - e^{-(e/c)^2}\bigr)",
        "value": "c**2 / 2 * (1 - np.exp(-((e / c) ** 2)))",
        "slope": "e * np.exp(-((e / c) ** 2))",
    },
}


def variant(rng):
    return {
        **LOSSES[rng.choice(list(LOSSES))],
        "c": rng.choice([0.5, 1.5, 2.0]),
        "weight": int(rng.choice([3, 4, 5])),
        "smoothing": rng.choice([0.1, 0.2, 0.3]),
    }


def questions(v, rng):
    def batch(*shape):
        return np.round(rng.normal(0, 2, shape), 2)

    def zeros_and_ones(N, K):
        return rng.permutation(np.arange(N * K) % 2.0).reshape(N, K)

    def one_hot(N, K):
        return np.eye(K)[rng.integers(0, K, N)]

    far = np.array([[800.0, -800.0], [0.5, -0.5]])
    return [
        Question(
            "robust_loss",
            shown=[(batch(2, 3), batch(2, 3))],
            hidden=[(batch(4, 2), batch(4, 2)), (batch(1, 5), batch(1, 5))],
            points=(2, 6),
            mistakes={
                "the gradient lacks the mean's 1/(NK)": (
                    lambda right, Y, T: (right(Y, T)[0], right(Y, T)[1] * Y.size)
                ),
                "the gradient is divided by N only; the mean is over all NK entries": (
                    lambda right, Y, T: (right(Y, T)[0], right(Y, T)[1] * Y.shape[1])
                ),
                "the gradient has the wrong sign: the error is y - t": (
                    lambda right, Y, T: (right(Y, T)[0], -right(Y, T)[1])
                ),
                "the value is the sum over the entries, not their mean": (
                    lambda right, Y, T: (right(Y, T)[0] * Y.size, right(Y, T)[1])
                ),
            },
        ),
        Question(
            "weighted_cross_entropy",
            shown=[(batch(2, 3), zeros_and_ones(2, 3))],
            hidden=[
                (batch(3, 4), zeros_and_ones(3, 4)),
                (far, np.array([[0.0, 1.0], [1.0, 0.0]])),
            ],
            points=(2, 8),
            mistakes={
                "the weight belongs to the ones only, here it multiplies the zeros, too": (
                    lambda right, Z, T: tuple(
                        part * v["weight"] for part in _cross_entropy(Z, T, 1.0)
                    )
                ),
                "the weight is missing": lambda right, Z, T: _cross_entropy(Z, T, 1.0),
                "the weight is missing in the gradient": (
                    lambda right, Z, T: (right(Z, T)[0], _cross_entropy(Z, T, 1.0)[1])
                ),
                "the weight belongs to the ones, here it multiplies the zeros": (
                    lambda right, Z, T: tuple(
                        sign * part for sign, part in zip((1, -1), right(-Z, 1 - T), strict=True)
                    )
                ),
            },
        ),
        Question(
            "smoothed_cross_entropy",
            shown=[(batch(2, 3), one_hot(2, 3))],
            hidden=[
                (batch(4, 3), one_hot(4, 3)),
                (np.array([[900.0, -900.0, 0.0, 1.0]]), one_hot(1, 4)),
            ],
            points=(2, 8),
            mistakes={
                "the targets are not smoothed": lambda right, Z, T: _softmax_loss(Z, T),
                "the smoothing is missing in the gradient": (
                    lambda right, Z, T: (right(Z, T)[0], _softmax_loss(Z, T)[1])
                ),
                "the smoothed targets of a row must add up to 1": (
                    lambda right, Z, T: _softmax_loss(Z, (1 - v["smoothing"]) * T + v["smoothing"])
                ),
                "the mean is over the N examples, not over all NK entries": (
                    lambda right, Z, T: tuple(part / Z.shape[1] for part in right(Z, T))
                ),
            },
        ),
        Question(
            "slope_on_paper",
            shown=[],
            hidden=[()],
            points=(0, 4),
            mistakes={
                "the sign is wrong: who predicts too little must be pushed up": (
                    lambda right: -right()
                ),
                "the mean over the two entries is missing": lambda right: 2 * right(),
                "that is the slope of the squared error": lambda right: np.array([-1.0, 2.0]),
            },
        ),
    ]


def _softmax_loss(Z, S):
    """Return the mean of -sum S log p, and its gradient if the rows of S add up to 1."""
    log_p = Z - np.logaddexp.reduce(Z, axis=1, keepdims=True)
    return -np.sum(S * log_p) / len(Z), (np.exp(log_p) - S) / len(Z)


def _cross_entropy(Z, T, weight):
    cost = weight * T * np.logaddexp(0, -Z) + (1 - T) * np.logaddexp(0, Z)
    p = 1 / (1 + np.exp(-np.clip(Z, -700, 700)))
    return np.mean(cost), (weight * T * (p - 1) + (1 - T) * p) / Z.size
