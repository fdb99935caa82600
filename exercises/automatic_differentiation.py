"""Answers to the exercises of chapter 4: the right ones, and mistakes with the hints they get."""

import numpy as np

from backprop.gradcheck import numerical_gradients
from backprop.losses import softmax_cross_entropy


def loss(T, X, W1, b1, W2, b2, W3, b3):
    Z = np.tanh(np.tanh(X @ W1 + b1) @ W2 + b2) @ W3 + b3
    return softmax_cross_entropy(Z, T)[0]


def comparison(hide=lambda parameters: None, N=5, limit=1e-7, factor=1):
    """Return a test at random parameters, or where `hide` leads them, for N examples."""

    def test(gradient):
        rng = np.random.default_rng(0)
        parameters = [rng.normal(size=s) for s in [(2, 3), 3, (3, 3), 3, (3, 4), 4]]
        hide(parameters)
        X, T = rng.normal(size=(N, 2)), np.eye(4)[rng.integers(4, size=N)]
        expected = numerical_gradients(lambda *p: loss(T, X, *p), *parameters)
        for slope, right in zip(gradient(parameters, X, T), expected, strict=True):
            assert np.linalg.norm(slope - factor * right) <= limit * np.linalg.norm(right)

    return test


def test_three_layers(gradient):
    comparison()(gradient)


def first_layer_at_zero(parameters):
    parameters[0][:] = parameters[1][:] = 0


def symmetric(parameters):
    parameters[2][:] = parameters[2] + parameters[2].T


def arctan_slope(y, a):
    return np.cos(y) ** 2


def maximum_slopes(y, a, b):
    share = (np.sign(np.subtract(a, b)) + 1) / 2
    return share, 1 - share


def pull_taken(a, key, S):
    counted = np.arange(a.size).reshape(a.shape)[key]
    return np.bincount(counted.ravel(), np.ravel(S), a.size).reshape(a.shape)


def written_over(a, key, S):
    slopes = np.zeros(a.shape)
    slopes[key] += S
    return slopes


def rows_only(a, key, S):
    slopes = np.zeros(a.shape)
    for k, slope in zip(key, S, strict=False):
        slopes[k] += slope
    return slopes


def hessian_times(gradient, w, v, h=1e-50):
    return gradient(w + 1j * h * v).imag / h


MISTAKES = {
    test_three_layers: {
        "it lets every mistake through: what does it assert?": (lambda gradient: None),
        "it rejects the right gradient: the loss is a mean, and a difference is not exact.": (
            comparison(factor=5)
        ),
        "it lets a missing division by N through: how many examples does your batch have?": (
            comparison(N=1)
        ),
        "it lets a missing 1 - A1² through: is that factor 1 where you look?": (
            comparison(first_layer_at_zero)
        ),
        "it lets W2 pass for its transpose: do the two differ where you look?": (
            comparison(symmetric)
        ),
        "it lets a slope in b1 through that is 1 % off: look at all six arrays, and closely.": (
            comparison(limit=0.05)
        ),
    },
    arctan_slope: {
        "a needs its square: the arctan is as steep at -a as at a.": lambda y, a: 1 / (1 + a),
        "that squares the value y; the slope needs the input.": lambda y, a: 1 / (1 + y * y),
        "that is the slope of the tangent, not of its inverse.": lambda y, a: 1 + np.tan(a) ** 2,
        "that is the slope of the arcsine.": lambda y, a: 1 / np.sqrt(1 - a * a),
        "that is cos y, the slope of arcsinh; far out it falls too slowly for arctan.": (
            lambda y, a: 1 / np.sqrt(1 + a * a)
        ),
        "that is one over the slope.": lambda y, a: 1 + a * a,
    },
    maximum_slopes: {
        "the two are swapped: which input moves the maximum, the larger or the smaller?": (
            lambda y, a, b: (a < b, a >= b)
        ),
        "at a tie both get the whole slope: together they should get it once.": (
            lambda y, a, b: (a >= b, a <= b)
        ),
        "at a tie neither gets a slope: what comes back to the maximum is lost there.": (
            lambda y, a, b: (a > b, a < b)
        ),
        "those are the numbers that got through, not the slopes.": (
            lambda y, a, b: (a * (a > b), b * (a <= b))
        ),
        "the half belongs to a tie only.": lambda y, a, b: (0 * a + 0.5, 0 * a + 0.5),
    },
    pull_taken: {
        "an entry that was taken twice gets only one of its two slopes.": written_over,
        "an entry that was taken twice gets the mean of its slopes: each copy moves the loss.": (
            lambda a, key, S: (
                pull_taken(a, key, S) / np.maximum(pull_taken(a, key, np.ones(np.shape(S))), 1)
            )
        ),
        "start from zeros, not from a: an entry that was not taken has the slope 0.": (
            lambda a, key, S: a + pull_taken(a, key, S)
        ),
        "that counts how often each entry was taken; S is not in it.": (
            lambda a, key, S: pull_taken(a, key, np.ones(np.shape(S)))
        ),
        "to take is not to multiply: the numbers in a have no say.": (
            lambda a, key, S: a * pull_taken(a, key, S)
        ),
        "a key may be any index, a column or a pair of lists, too, not only a list of rows.": (
            rows_only
        ),
        "those are slopes for what was taken; give them back to where they came from.": (
            lambda a, key, S: S
        ),
    },
    hessian_times: {
        "divide the imaginary part by h: so far it is as small as the step.": (
            lambda gradient, w, v: gradient(w + 1e-50j * v).imag
        ),
        "that is the real part, the gradient itself over h; the slope is in the imaginary part.": (
            lambda gradient, w, v: gradient(w + 1e-100j * v).real / 1e-100
        ),
        "the step goes along all axes at once: v is missing.": (
            lambda gradient, w, v: hessian_times(gradient, w, np.ones(len(v)))
        ),
        "the curvature at w is asked for: start there, not at v.": (
            lambda gradient, w, v: hessian_times(gradient, v, v)
        ),
        "v counts with its length: don't shorten it to 1.": (
            lambda gradient, w, v: hessian_times(gradient, w, v / np.linalg.norm(v))
        ),
        "each entry of Cv adds up a row of C: v belongs in the step, not beside the result.": (
            lambda gradient, w, v: v * hessian_times(gradient, w, np.ones(len(v)))
        ),
        "a difference loses small changes beside large slopes; a step to the side loses none.": (
            lambda gradient, w, v: (gradient(w + 1e-5 * v) - gradient(w - 1e-5 * v)) / 2e-5
        ),
        "the step is too long, its square is felt: what can it be, if nothing is subtracted?": (
            lambda gradient, w, v: hessian_times(gradient, w, v, 1e-3)
        ),
        "that is v times Cv, one number; keep the entries apart.": (
            lambda gradient, w, v: v @ hessian_times(gradient, w, v)
        ),
    },
}
