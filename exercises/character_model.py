"""Answers to the exercises of chapter 7: the right ones, and mistakes with the hints they get."""

import numpy as np

from backprop.activations import sigmoid


def perplexity(p):
    return np.exp(-np.mean(np.log(p)))


def table_gradient(numbers, d_x, rows):
    return np.eye(rows)[numbers].T @ d_x


def last_slope_only(numbers, d_x, rows):
    d_M = np.zeros((rows, d_x.shape[1]))
    d_M[numbers] += d_x
    return d_M


def lean(times, shorter):
    D = np.count_nonzero(times)
    return (times + D * shorter) / (np.sum(times) + D)


def from_basic_lstm_cell(K, b, inputs, order=(0, 2, 1, 3), places=None, one=2, up=1):
    b = np.split(b, 4)
    b[one] = b[one] + up
    K = np.concatenate([np.split(K, 4, axis=1)[k] for k in order], axis=1)
    return [K[:inputs], K[inputs:], np.concatenate([b[k] for k in places or order])]


def mixture(a, p_network, p_table):
    w = sigmoid(a)
    p = w * p_network + (1 - w) * p_table
    return -np.mean(np.log(p)), -w * (1 - w) * np.mean((p_network - p_table) / p)


def mixed_surprises(a, p_network, p_table):
    w, network, table = sigmoid(a), -np.mean(np.log(p_network)), -np.mean(np.log(p_table))
    return w * network + (1 - w) * table, w * (1 - w) * (network - table)


def with_slope(change):
    """Return the mixture with its right value, and its slope changed."""

    def changed(a, p_network, p_table):
        value, slope = mixture(a, p_network, p_table)
        return value, change(slope, sigmoid(a), p_network, p_table)

    return changed


MISTAKES = {
    perplexity: {
        "many small factors end as 0 in floating point: add up logarithms instead.": (
            lambda p: 1 / np.prod(p) ** (1 / len(p))
        ),
        "the mean is missing: a longer text is not more uncertain for its length.": (
            lambda p: np.exp(-np.sum(np.log(p)))
        ),
        "surprise is minus the logarithm: the sign is missing.": (
            lambda p: np.exp(np.mean(np.log(p)))
        ),
        "that is the mean surprise; its perplexity is a number of letters.": (
            lambda p: -np.mean(np.log(p))
        ),
        "take the mean of the surprises, not of the probabilities.": lambda p: 1 / np.mean(p),
        "the mean comes before the power of e, not after it.": lambda p: np.mean(1 / p),
        "the logarithm has base 2, the power base e: take the same for both.": (
            lambda p: np.exp(-np.mean(np.log2(p)))
        ),
        "the logarithm has base e, the power base 2: take the same for both.": (
            lambda p: 2 ** -np.mean(np.log(p))
        ),
    },
    table_gradient: {
        "a row that comes several times keeps only its last slope: they must add.": last_slope_only,
        "the slopes of a row add up; that is their mean.": (
            lambda numbers, d_x, rows: (
                table_gradient(numbers, d_x, rows)
                / np.maximum(np.bincount(numbers, minlength=rows), 1)[:, np.newaxis]
            )
        ),
        "the mean over the letters is in the slopes already: do not divide again.": (
            lambda numbers, d_x, rows: table_gradient(numbers, d_x, rows) / len(numbers)
        ),
        "a row that no letter has used has a gradient, too: zeros.": (
            lambda numbers, d_x, rows: table_gradient(numbers, d_x, rows)[np.unique(numbers)]
        ),
        "the gradient has the table's shape, a row for each letter: this is its transpose.": (
            lambda numbers, d_x, rows: table_gradient(numbers, d_x, rows).T
        ),
        "that is each letter's slope as it came; the table has a row for each letter of all.": (
            lambda numbers, d_x, rows: d_x
        ),
    },
    lean: {
        "D counts the different letters that came, not all that there are.": (
            lambda times, shorter: (times + len(times) * shorter) / (np.sum(times) + len(times))
        ),
        "not half and half: the shorter context has one vote for each different letter.": (
            lambda times, shorter: (times / np.sum(times) + shorter) / 2
        ),
        "the votes of the shorter context count among all votes, too: the sum must be 1.": (
            lambda times, shorter: (times + np.count_nonzero(times) * shorter) / np.sum(times)
        ),
        "those are votes, not yet probabilities: divide by their number.": (
            lambda times, shorter: times + np.count_nonzero(times) * shorter
        ),
        "below the line count the votes, v and D, not the letters that there are.": (
            lambda times, shorter: (
                (times + np.count_nonzero(times) * shorter) / (np.sum(times) + len(times))
            )
        ),
        "the shorter context has D votes, not one.": (
            lambda times, shorter: (times + shorter) / (np.sum(times) + 1)
        ),
        "the shorter context has no vote yet: what never came would have probability 0.": (
            lambda times, shorter: times / np.sum(times)
        ),
        "D votes are missing in the numerator: the shorter guess counts D times.": (
            lambda times, shorter: (times + shorter) / (np.sum(times) + np.count_nonzero(times))
        ),
    },
    from_basic_lstm_cell: {
        "the 1 that the old cell adds in every step is missing.": (
            lambda *arguments: from_basic_lstm_cell(*arguments, up=0)
        ),
        "the 1 stands with g: which block of the old bias belongs to f?": (
            lambda *arguments: from_basic_lstm_cell(*arguments, one=1)
        ),
        "the biases keep the old order of the gates.": (
            lambda *arguments: from_basic_lstm_cell(*arguments, places=(0, 1, 2, 3))
        ),
        "the biases keep the old order of the gates, and the old cell's 1 is missing.": (
            lambda *arguments: from_basic_lstm_cell(*arguments, places=(0, 1, 2, 3), up=0)
        ),
        "the gates stand in the old order still: i, g, f, o.": (
            lambda *arguments: from_basic_lstm_cell(*arguments, order=(0, 1, 2, 3))
        ),
        "the gates stand in the old order still, and the old cell's 1 is missing.": (
            lambda *arguments: from_basic_lstm_cell(*arguments, order=(0, 1, 2, 3), up=0)
        ),
        "the matrices keep the old order of the gates.": (
            lambda *arguments: from_basic_lstm_cell(
                *arguments, order=(0, 1, 2, 3), places=(0, 2, 1, 3)
            )
        ),
        "the gates stand as i, f, o, g: which order has the cell of this book?": (
            lambda *arguments: from_basic_lstm_cell(*arguments, order=(0, 2, 3, 1), one=2)
        ),
        "the old cell adds its 1 to the gate itself, once, so it belongs into b, not into K.": (
            lambda K, b, inputs: from_basic_lstm_cell(
                K + np.repeat([0, 0, 1, 0], len(b) // 4), b, inputs, up=0
            )
        ),
        "in (x, h) the input comes first, so its rows are the first ones.": (
            lambda K, b, inputs: from_basic_lstm_cell(np.roll(K, inputs, axis=0), b, inputs)
        ),
        "the 1 is added to the forget gate, not taken from it.": (
            lambda *arguments: from_basic_lstm_cell(*arguments, up=-1)
        ),
    },
    mixture: {
        "that is the slope in w; w moves with a by the slope of the sigmoid.": (
            with_slope(lambda slope, w, *_: slope / (w * (1 - w)))
        ),
        "the slope of the sigmoid is more than w: it falls as w comes near 1.": (
            with_slope(lambda slope, w, *_: slope / (1 - w))
        ),
        "a larger w leaves less to the table: its part of the slope is missing.": (
            with_slope(lambda slope, w, p, q: -w * (1 - w) * np.mean(p / (w * p + (1 - w) * q)))
        ),
        "w is the sigmoid of a; a itself can be any number.": (
            lambda a, p, q: (
                -np.mean(np.log(a * p + (1 - a) * q)),
                -np.mean((p - q) / (a * p + (1 - a) * q)),
            )
        ),
        "the value is right, the slope's sign is turned.": with_slope(lambda slope, *_: -slope),
        "the value is a mean over the letters, and so is its slope.": (
            with_slope(lambda slope, w, p, _: slope * len(p))
        ),
        "the slope of the logarithm is missing: divide by p, letter by letter.": (
            with_slope(lambda slope, w, p, q: -w * (1 - w) * np.mean(p - q))
        ),
        "w is the network's share, 1 - w the table's; you have them the other way round.": (
            lambda a, p, q: mixture(a, q, p)
        ),
        "that mixes surprises; mix the probabilities, then take the logarithm.": mixed_surprises,
        "first the logarithm at each letter, then the mean.": (
            lambda a, p, q: (
                -np.log(np.mean(sigmoid(a) * p + (1 - sigmoid(a)) * q)),
                mixture(a, p, q)[1],
            )
        ),
        "the value is the sum over the letters, not their mean.": (
            lambda a, p, q: (len(p) * mixture(a, p, q)[0], mixture(a, p, q)[1])
        ),
        "value and slope are sums over the letters, not their means.": (
            lambda a, p, q: tuple(len(p) * part for part in mixture(a, p, q))
        ),
    },
}
