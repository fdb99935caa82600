"""Answers to the exercises of chapter 3: the right ones, and mistakes with the hints they get."""

import numpy as np

from backprop import losses
from backprop.activations import sigmoid
from backprop.network import Network


def step(A1, A2, T):
    """Return the slopes of W2, summed over the batch."""
    return np.einsum("nh,nk->hk", A1, (A2 - T) * A2 * (1 - A2))


def mean_update(W2, A1, A2, T):
    return W2 - 5 * step(A1, A2, T) / len(T)


def cross_entropy_gradients(parameters, X, T):
    network = Network(parameters, ["sigmoid", "identity"])
    slopes = network.loss_and_gradients(losses.sigmoid_cross_entropy, X, T)[1]
    return [T.shape[1] * slope for slope in slopes]  # the package's is a mean over outputs, too


def variant(parameters, X, T, last=lambda A, T: A - T, hidden=lambda A: A * (1 - A), bias=np.sum):
    W1, b1, W2, b2 = parameters
    A1 = sigmoid(X @ W1 + b1)
    delta_2 = last(sigmoid(A1 @ W2 + b2), T) / len(X)
    delta_1 = delta_2 @ W2.T * hidden(A1)
    return [X.T @ delta_1, bias(delta_1, axis=0), A1.T @ delta_2, bias(delta_2, axis=0)]


def with_softmax(parameters, X, T):
    network = Network(parameters, ["sigmoid", "identity"])
    return network.loss_and_gradients(losses.softmax_cross_entropy, X, T)[1]


MISTAKES = {
    mean_update: {
        "with twice the images the step is twice as long: it is still that of a sum.": (
            lambda W2, A1, A2, T: W2 - 0.5 * step(A1, A2, T)
        ),
        "the step is ten times too short: a mean of ten needs another rate than their sum.": (
            lambda W2, A1, A2, T: W2 - 0.5 * step(A1, A2, T) / len(T)
        ),
        "that is the rate of the mean with the step of the sum: divide, too.": (
            lambda W2, A1, A2, T: W2 - 5 * step(A1, A2, T)
        ),
        "the mean runs over the images, not over their outputs.": (
            lambda W2, A1, A2, T: W2 - 5 * step(A1, A2, T) / T.size
        ),
        "that is the change; return the W2 after it.": (
            lambda W2, A1, A2, T: -5 * step(A1, A2, T) / len(T)
        ),
        "the step goes uphill.": lambda W2, A1, A2, T: W2 + 5 * step(A1, A2, T) / len(T),
    },
    cross_entropy_gradients: {
        "the outputs still have the factor that belongs to the squared error.": (
            lambda *arguments: variant(*arguments, last=lambda A, T: (A - T) * A * (1 - A))
        ),
        "the mean over the batch is missing: divide by N.": (
            lambda parameters, X, T: [
                len(X) * slope for slope in cross_entropy_gradients(parameters, X, T)
            ]
        ),
        "the mean runs over the images alone; over the outputs the loss is a sum.": (
            lambda parameters, X, T: [
                slope / T.shape[1] for slope in cross_entropy_gradients(parameters, X, T)
            ]
        ),
        "the hidden layer still has its sigmoid, so its slope stays: only the loss has changed.": (
            lambda *arguments: variant(*arguments, hidden=lambda A: 1)
        ),
        "the outputs that should be 0 do not push there: a yes-or-no question has two terms.": (
            lambda *arguments: variant(*arguments, last=lambda A, T: -T * (1 - A))
        ),
        "that is 0/0 where an output is 0 or 1 to the last bit: cancel on paper.": (
            lambda *arguments: variant(
                *arguments, last=lambda A, T: (A - T) / (A * (1 - A)) * A * (1 - A)
            )
        ),
        "each output is a question of its own, with a sigmoid; that is one softmax.": with_softmax,
        "the slopes of the biases are averaged twice: the error terms hold the 1/N already.": (
            lambda *arguments: variant(*arguments, bias=np.mean)
        ),
    },
}
