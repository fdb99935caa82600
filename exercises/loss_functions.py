"""Answers to the exercises of chapter 1: the right ones, and mistakes with the hints they get."""

import numpy as np

from backprop.activations import sigmoid
from backprop.losses import softmax


def slope_in_shift(A, share, width_0, width_1, end=8):
    u = np.linspace(-end, end, 200 * end + 1)
    weights = np.exp(-(u**2) / 2) / np.exp(-(u**2) / 2).sum()
    zeros = weights @ sigmoid(-1 + width_0 * u + A)
    ones = weights @ sigmoid(3 + width_1 * u + A)
    return (1 - share) * zeros + share * (ones - 1)


def best_shift(share, width_0=1, width_1=1, end=8):
    low, high = -20.0, 20.0
    for _ in range(60):
        A = (low + high) / 2
        rising = slope_in_shift(A, share, width_0, width_1, end) > 0
        low, high = (low, A) if rising else (A, high)
    return A


def short_descent(share, width_0=1, width_1=1):
    A = 0.0
    for _ in range(1400):
        A -= 0.05 * slope_in_shift(A, share, width_0, width_1)
    return A


def log_softmax(z):
    shifted = z - z.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def log_softmax_backward(z, G):
    return G - softmax(z) * G.sum(axis=1, keepdims=True)


def slopes_in_w_and_A(w, A, x, t):
    delta = (sigmoid(w * x + A) - t) / len(x)
    return np.sum(delta * x), np.sum(delta)


def log_cosh(Y, T):
    e = Y - T
    values = np.abs(e) + np.log1p(np.exp(-2 * np.abs(e))) - np.log(2)
    return np.mean(values), np.tanh(e) / e.size


def naive_log_cosh(Y, T):
    with np.errstate(over="ignore"):
        return np.mean(np.log(np.cosh(Y - T))), np.tanh(Y - T) / Y.size


MISTAKES = {
    best_shift: {
        "the share does not come in: weight the slopes of ones and zeros with it.": (
            lambda share, *widths: best_shift(0.5, *widths)
        ),
        "that is the rule for a slope that is free, too; here w is 1.": (
            lambda share, *widths: -1 + np.log(share / (1 - share))
        ),
        "the share is that of the ones, not of the zeros.": (
            lambda share, *widths: best_shift(1 - share, *widths)
        ),
        "width_0 belongs to the class around -1, width_1 to that around 3.": (
            lambda share, width_0=1, width_1=1: best_shift(share, width_1, width_0)
        ),
        "share and widths belong to the other class each.": (
            lambda share, width_0=1, width_1=1: best_shift(1 - share, width_1, width_0)
        ),
        "nearly: the grid ends at 3, and a part of the bell lies beyond.": (
            lambda share, width_0=1, width_1=1: best_shift(share, width_0, width_1, end=3)
        ),
        "nearly: has the descent arrived? More steps, or longer ones, will tell.": short_descent,
        "nearly: that is right to two decimals; three are asked for.": (
            lambda *arguments: round(best_shift(*arguments), 2)
        ),
    },
    log_softmax: {
        "large logits overflow: subtract the largest of each row first.": (
            lambda z: z - np.log(np.sum(np.exp(np.minimum(z, 709)), axis=1, keepdims=True))
        ),
        "the sum runs over the batch; each example has a softmax of its own, along its row.": (
            lambda z: log_softmax(z.T).T
        ),
        "the largest logit of each row is subtracted, not that of the whole batch.": (
            lambda z: (z - z.max()) - np.log(np.exp(z - z.max()).sum(axis=1, keepdims=True))
        ),
        "that is the softmax, without its logarithm.": softmax,
        "a constant of each row is missing: what you subtracted for safety, or log S.": (
            lambda z: z - z.max(axis=1, keepdims=True)
        ),
    },
    log_softmax_backward: {
        "a logit moves all logarithms of its row, through S: their slopes are missing.": (
            lambda z, G: G
        ),
        "that is the diagonal: a logit moves the other logarithms of its row, too.": (
            lambda z, G: G * (1 - softmax(z))
        ),
        "that takes G for a sum of 1: in general its row's sum stands beside p.": (
            lambda z, G: G - softmax(z)
        ),
        "the sum of G runs along a row, over the K logarithms, not over the batch.": (
            lambda z, G: G - softmax(z) * G.sum(axis=0)
        ),
        "p stands where its logarithm was differentiated: that is the slope of the softmax.": (
            lambda z, G: softmax(z) * (G - np.sum(G * softmax(z), axis=1, keepdims=True))
        ),
    },
    slopes_in_w_and_A: {
        "the mean over the points is missing: divide by N.": (
            lambda w, A, x, t: tuple(len(x) * s for s in slopes_in_w_and_A(w, A, x, t))
        ),
        "w is multiplied by x on the way to the logit: its slope needs the factor x.": (
            lambda w, A, x, t: (slopes_in_w_and_A(w, A, x, t)[1],) * 2
        ),
        "the factor p (1 - p) is too much: the cross-entropy cancels it.": (
            lambda w, A, x, t: tuple(
                np.mean((p - t) * p * (1 - p) * factor)
                for p in [sigmoid(w * x + A)]
                for factor in (x, 1)
            )
        ),
        "first the slope in w, then that in A.": (
            lambda *arguments: slopes_in_w_and_A(*arguments)[::-1]
        ),
    },
    log_cosh: {
        "far out it overflows: which power in cosh e is too large?": naive_log_cosh,
        "the gradient is not divided by the number of entries, as the mean is.": (
            lambda Y, T: (log_cosh(Y, T)[0], np.tanh(Y - T))
        ),
        "the gradient is divided by N only; the mean is over all N K entries.": (
            lambda Y, T: (log_cosh(Y, T)[0], np.tanh(Y - T) / len(Y))
        ),
        "the value is that of |e|, which is log cosh only far out: log 2 is missing, or more.": (
            lambda Y, T: (np.mean(np.abs(Y - T)), log_cosh(Y, T)[1])
        ),
        "the value is the sum over the entries, not their mean.": (
            lambda Y, T: (log_cosh(Y, T)[0] * Y.size, log_cosh(Y, T)[1])
        ),
    },
}
