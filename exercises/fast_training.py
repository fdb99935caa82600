"""Answers to the exercises of chapter 9: the right ones, and mistakes with the hints they get."""

import numpy as np

from backprop.activations import sigmoid


def derivative_from_output(activation, A):
    return {
        "sigmoid": A * (1 - A),
        "tanh": 1 - A**2,
        "relu": np.where(A > 0, 1, 0),
        "identity": np.ones_like(A),
    }[activation]


def one_changed(activation, wrong):
    """Return the right answers but for one activation."""
    return lambda name, A: wrong(A) if name == activation else derivative_from_output(name, A)


def taken_for_inputs(activation, A):
    outputs = {"sigmoid": sigmoid(A), "tanh": np.tanh(A)}
    return derivative_from_output(activation, outputs.get(activation, A))


def mixed_up(activation, A):
    other = {"sigmoid": "tanh", "tanh": "sigmoid"}
    return derivative_from_output(other.get(activation, activation), A)


def momentum_path(slopes, rate, momentum):
    return np.cumsum(velocities(slopes, rate, momentum))


def velocities(slopes, rate, momentum):
    found = [0.0]
    for slope in slopes:
        found.append(momentum * found[-1] - rate * slope)
    return np.array(found[1:])


def lazy_path(slopes, rate, momentum):
    return np.cumsum(velocities(slopes, rate, momentum) * (np.array(slopes) != 0))


def nesterov_path(slopes, rate, momentum):
    moves = momentum * velocities(slopes, rate, momentum) - rate * np.array(slopes)
    return np.cumsum(moves)


def weights_for_raw(W, b, mean, deviation):
    return W / deviation[:, None], b - mean / deviation @ W


def gradient_from_raw(raw, delta, mean, deviation):
    return (raw - np.outer(mean, delta.sum(axis=0))) / deviation[:, None]


def product_in_parts(X, W, parts, places=True, shorter=0, cut=lambda rows, ends: max(ends[rows])):
    ends = np.max(np.arange(1, X.shape[1] + 1) * (X != 0), axis=1)
    if not places:
        ends = np.sum(X != 0, axis=1)
    Z, work = np.zeros((len(X), W.shape[1])), 0
    for rows in np.array_split(np.argsort(ends), parts):
        end = cut(rows, ends) - shorter
        Z[rows] = X[rows, :end] @ W[:end]
        work += len(rows) * (end + shorter)
    return Z, work / X.size


def sorted_rows(X, W, parts):
    Z, share = product_in_parts(X, W, parts)
    return Z[np.argsort(np.max(np.arange(1, X.shape[1] + 1) * (X != 0), axis=1))], share


def sorted_again(X, W, parts):
    order = np.argsort(np.max(np.arange(1, X.shape[1] + 1) * (X != 0), axis=1))
    return (X @ W)[order][order], product_in_parts(X, W, parts)[1]


def other_share(share):
    """Return the right product with another share."""
    return lambda X, W, parts: (X @ W, share(X, parts))


def as_they_come(X, parts):
    pieces = np.array_split(X, parts)
    return sum(np.flatnonzero(piece.any(axis=0))[-1] + 1 for piece in pieces) / parts / X.shape[1]


def inked_columns(X, parts):
    order = np.argsort(np.max(np.arange(1, X.shape[1] + 1) * (X != 0), axis=1))
    pieces = np.array_split(X[order], parts)
    return sum(np.sum(piece.any(axis=0)) for piece in pieces) / parts / X.shape[1]


MISTAKES = {
    derivative_from_output: {
        "A is the output already; here the activation is applied once more.": taken_for_inputs,
        "sigmoid and tanh are mixed up.": mixed_up,
        "after a ReLU no output is negative: your comparison holds everywhere.": (
            one_changed("relu", np.ones_like)
        ),
        "the output of a ReLU is not its slope.": one_changed("relu", lambda A: A),
        "the identity is a line: its slope is the same everywhere.": (
            one_changed("identity", lambda A: A)
        ),
        "the identity is a line, but no level one.": one_changed("identity", np.zeros_like),
        "A is the output already; here tanh is applied once more.": (
            one_changed("tanh", lambda A: 1 - np.tanh(A) ** 2)
        ),
        "A is the output already; here the sigmoid is applied once more.": (
            one_changed("sigmoid", lambda A: sigmoid(A) * (1 - sigmoid(A)))
        ),
    },
    momentum_path: {
        "where the slope is zero the weight stands still, but its velocity is not zero.": lazy_path,
        "there is no velocity: that is plain descent.": (
            lambda slopes, rate, momentum: momentum_path(slopes, rate, 0)
        ),
        "those are the moves, not the places to which they lead.": velocities,
        "the weight moves uphill.": (
            lambda slopes, rate, momentum: -momentum_path(slopes, rate, momentum)
        ),
        "a new slope counts in full in this book, not with the share 1 - momentum.": (
            lambda slopes, rate, momentum: momentum_path(slopes, rate * (1 - momentum), momentum)
        ),
        "the momentum shrinks the old velocity, not the new slope.": (
            lambda slopes, rate, momentum: momentum_path(slopes, rate * momentum, momentum)
        ),
        "that is Nesterov's step.": nesterov_path,
        "the velocity never shrinks.": (
            lambda slopes, rate, momentum: momentum_path(slopes, rate, 1)
        ),
        "it begins one step too early: give the places after the slopes, without the start.": (
            lambda slopes, rate, momentum: np.append(0, momentum_path(slopes, rate, momentum))
        ),
        "the weight moves by the velocity of the step before: change the velocity first.": (
            lambda slopes, rate, momentum: np.append(0, momentum_path(slopes, rate, momentum)[:-1])
        ),
        "that is the end of the path; give the weight after each slope.": (
            lambda slopes, rate, momentum: momentum_path(slopes, rate, momentum)[-1]
        ),
        "all places are the same array, changed in place: keep copies, or numbers.": (
            lambda slopes, rate, momentum: np.full(
                len(slopes), momentum_path(slopes, rate, momentum)[-1]
            )
        ),
    },
    weights_for_raw: {
        "a blank pixel is not 0 once its mean is subtracted: the biases must carry that.": (
            lambda W, b, mean, deviation: (weights_for_raw(W, b, mean, deviation)[0], b)
        ),
        "the weights must take over the division by the deviations.": (
            lambda W, b, mean, deviation: (W, weights_for_raw(W, b, mean, deviation)[1])
        ),
        "the biases move the wrong way: a mean is subtracted.": (
            lambda W, b, mean, deviation: weights_for_raw(W, b, -mean, deviation)
        ),
        "in the biases the means are not divided by the deviations.": (
            lambda W, b, mean, deviation: (W / deviation[:, None], b - mean @ W)
        ),
        "in the biases the means are divided by the deviations twice.": (
            lambda W, b, mean, deviation: (W / deviation[:, None], b - mean / deviation**2 @ W)
        ),
        "the old biases are lost.": (
            lambda W, b, mean, deviation: weights_for_raw(W, 0, mean, deviation)
        ),
        "the deviations stand on the wrong side of the fraction bar.": (
            lambda W, b, mean, deviation: weights_for_raw(W, b, mean, 1 / deviation)
        ),
        "the means are subtracted from pixels, not from weights.": (
            lambda W, b, mean, deviation: ((W - mean[:, None]) / deviation[:, None], b)
        ),
    },
    gradient_from_raw: {
        "the means are missing: they were subtracted from every image.": (
            lambda raw, delta, mean, deviation: raw / deviation[:, None]
        ),
        "the deviations are missing: they have divided every pixel.": (
            lambda raw, delta, mean, deviation: gradient_from_raw(raw, delta, mean, 1 + 0 * mean)
        ),
        "only one of the two parts is divided by the deviations.": (
            lambda raw, delta, mean, deviation: (
                raw / deviation[:, None] - np.outer(mean, delta.sum(axis=0))
            )
        ),
        "each image subtracts the means: delta is added up over the batch, not averaged.": (
            lambda raw, delta, mean, deviation: gradient_from_raw(
                raw, delta, mean / len(delta), deviation
            )
        ),
        "the means come in with the wrong sign.": (
            lambda raw, delta, mean, deviation: gradient_from_raw(raw, delta, -mean, deviation)
        ),
        "the deviations stand on the wrong side of the fraction bar.": (
            lambda raw, delta, mean, deviation: gradient_from_raw(raw, delta, mean, 1 / deviation)
        ),
        "the means are subtracted from pixels, and meet delta before they are in the gradient.": (
            lambda raw, delta, mean, deviation: (raw - mean[:, None]) / deviation[:, None]
        ),
        "the deviations divide once, not twice.": (
            lambda raw, delta, mean, deviation: (
                gradient_from_raw(raw, delta, mean, deviation) / deviation[:, None]
            )
        ),
        "delta is added up over the units, too: each has a sum of its own, over the batch.": (
            lambda raw, delta, mean, deviation: (
                (raw - mean[:, None] * delta.sum()) / deviation[:, None]
            )
        ),
    },
    product_in_parts: {
        "the rows come back in another order than those of X.": sorted_rows,
        "the last inked pixel of a part is left out.": (
            lambda X, W, parts: product_in_parts(X, W, parts, shorter=1)
        ),
        "the last inked pixel of a part is left out, of the product and of the work.": (
            lambda X, W, parts: (
                product_in_parts(X, W, parts, shorter=1)[0],
                product_in_parts(X, W, parts)[1] - 1 / X.shape[1],
            )
        ),
        "a part must go as far as its longest image, not its shortest.": (
            lambda X, W, parts: product_in_parts(X, W, parts, cut=lambda rows, e: min(e[rows]))
        ),
        "it counts inked pixels; ask for the place of the last one, behind all gaps.": (
            lambda X, W, parts: product_in_parts(X, W, parts, places=False)
        ),
        "the product is right; the share is that of a batch cut before it is sorted.": (
            other_share(as_they_come)
        ),
        "the product is right, but that is the share of all the work, not of what is left.": (
            other_share(lambda X, parts: 1)
        ),
        "the product is right; the share is that of images one by one, not of whole parts.": (
            other_share(
                lambda X, parts: (
                    np.max(np.arange(1, X.shape[1] + 1) * (X != 0), axis=1).sum() / X.size
                )
            )
        ),
        "the product is right; the share is that of inked pixels.": (
            other_share(lambda X, parts: np.mean(X != 0))
        ),
        "the product is right, but without gaps: the share leaves out blank columns, too.": (
            other_share(inked_columns)
        ),
        "rows that were sorted by an order are sorted back by another than that.": sorted_again,
        "the product is right; the parts' shares are added up, but each is of its part only.": (
            lambda X, W, parts: (X @ W, parts * product_in_parts(X, W, parts)[1])
        ),
    },
}
