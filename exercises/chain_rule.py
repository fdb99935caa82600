"""Answers to the exercises of chapter 2: the right ones, and mistakes with the hints they get."""

import numpy as np

from backprop import losses
from backprop.activations import sigmoid, softmax
from backprop.gradcheck import complex_step_gradients
from backprop.network import Network


def test_relu_backward(gradient):
    A = np.maximum(np.array([-1.5, -0.5, 0.5, 2.0, 4.0]), 0)
    dA = np.array([2.0, -3.0, -2.0, 0.5, 3.0])
    assert np.array_equal(gradient(dA, A), [0, 0, -2, 0.5, 3])


def asserts(dA, A, dZ):
    def test(gradient):
        assert np.array_equal(gradient(np.array(dA), np.array(A)), dZ)

    return test


def softmax_gradients(parameters, X, T):
    network = Network(parameters, ["tanh", "identity"])
    return network.loss_and_gradients(losses.softmax_cross_entropy, X, T)[1]


def softmax_variant(
    parameters,
    X,
    T,
    activation=np.tanh,
    hidden=lambda H: 1 - H**2,
    last=lambda P: 1,
    axis=1,
    bias=np.sum,
):
    W1, b1, W2, b2 = parameters
    H = activation(X @ W1 + b1)
    Z = H @ W2 + b2
    P = softmax(Z) if axis else softmax(Z.T).T
    delta_2 = (P - T) / len(X) * last(P)
    delta_1 = delta_2 @ W2.T * hidden(H)
    return [X.T @ delta_1, bias(delta_1, axis=0), H.T @ delta_2, bias(delta_2, axis=0)]


def unweighted(parameters, X, T):
    W1, b1 = parameters[:2]
    _, _, dW2, db2 = softmax_gradients(parameters, X, T)
    H = np.tanh(X @ W1 + b1)
    P = softmax(H @ parameters[2] + parameters[3])
    delta = np.sum((P - T) / len(X), axis=1, keepdims=True) * (1 - H**2)
    return [X.T @ delta, delta.sum(axis=0), dW2, db2]


# The walk, in complex numbers: an imaginary step leaves the slope in the imaginary part.


def curved(x):
    return 1 / (1 + np.exp(-x))


def error(y2, w24=0.4, w35=0.2, w26=0.0):
    y3 = curved(-0.3 + 0.2)
    y4, y5 = curved(w24 * y2 + 0.7 * y3 - 0.1), curved(-0.6 * y2 + w35 * y3 + 0.3)
    return curved(0.8 * y4 - 0.5 * y5 + w26 * y2 + 0.05) ** 2 / 2


Y2 = curved(0.5 + 0.1)


def slopes_24_35(w24, w35):
    return np.array(complex_step_gradients(lambda u, v: error(Y2, u, v), w24, w35))


def tied_slope(v):
    return slopes_24_35(v, v).sum()


def shortcut_slopes(w26):
    (dy2,) = complex_step_gradients(lambda y2: error(y2, w26=w26), Y2)
    return dy2, dy2 * Y2 * (1 - Y2)


def shortcut_variant(w26, forward=1, shortcut=1, through_6=True, through_2=True):
    """Walk back by hand, with one thing wrong."""
    y3 = curved(-0.3 + 0.2)
    y4, y5 = curved(0.4 * Y2 + 0.7 * y3 - 0.1), curved(-0.6 * Y2 + 0.2 * y3 + 0.3)
    y6 = curved(0.8 * y4 - 0.5 * y5 + forward * w26 * Y2 + 0.05)
    dx6 = y6 * (1 - y6) * y6
    dx4, dx5 = y4 * (1 - y4) * 0.8 * dx6, y5 * (1 - y5) * -0.5 * dx6
    dy2 = 0.4 * dx4 - 0.6 * dx5 + shortcut * w26 * (dx6 if through_6 else y6)
    return dy2, dy2 * Y2 * (1 - Y2) if through_2 else dy2


def jacobian(x, W, b):
    return np.array(
        [complex_step_gradients(lambda x, k=k: curved(x @ W + b)[k], x)[0] for k in range(len(b))]
    )


def layer_slope(x, W, b):
    return np.diag(sigmoid(x @ W + b) * (1 - sigmoid(x @ W + b)))


MISTAKES = {
    test_relu_backward: {
        "it stops the right gradient: work out on paper what that returns for your numbers.": (
            asserts([1.0, 1.0], [0.0, 2.0], [1, 1])
        ),
        "it lets every wrong gradient through: does it assert anything?": lambda gradient: None,
        "a gradient that takes every unit for on gets through: which output has one that is off?": (
            asserts([1.0, -2.0], [3.0, 2.0], [1, -2])
        ),
        "a gradient that forgets dA gets through: look at a unit that is on, where dA is not 1.": (
            asserts([1.0, 1.0], [0.0, 2.0], [0, 1])
        ),
        "a gradient that multiplies by A gets through: look at a unit that is on and not at 1.": (
            asserts([3.0, -2.0], [0.0, 1.0], [0, -2])
        ),
        "a gradient that loses negative slopes gets through: send one through a unit that is on.": (
            asserts([3.0, 2.0], [0.0, 4.0], [0, 2])
        ),
    },
    softmax_gradients: {
        "the mean over the examples is missing: divide by N.": (
            lambda parameters, X, T: [
                len(X) * slope for slope in softmax_gradients(parameters, X, T)
            ]
        ),
        "the mean runs over the examples, not over all their outputs.": (
            lambda parameters, X, T: [
                slope / T.shape[1] for slope in softmax_gradients(parameters, X, T)
            ]
        ),
        "the last layer has a factor too many: p - t is the slope in the logits already.": (
            lambda *arguments: softmax_variant(*arguments, last=lambda P: P * (1 - P))
        ),
        "the hidden layer is tanh; that is the derivative of the sigmoid.": (
            lambda *arguments: softmax_variant(*arguments, hidden=lambda H: H * (1 - H))
        ),
        "on the way back the activation of the hidden layer is left out.": (
            lambda *arguments: softmax_variant(*arguments, hidden=lambda H: 1)
        ),
        "the derivative of tanh is taken at the output of the hidden layer, not at its input.": (
            lambda *arguments: softmax_variant(*arguments, hidden=lambda H: 1 - np.tanh(H) ** 2)
        ),
        "the hidden layer is a sigmoid there, forward and backward; tanh is asked for.": (
            lambda *arguments: softmax_variant(
                *arguments, activation=sigmoid, hidden=lambda H: H * (1 - H)
            )
        ),
        "the hidden layer is divided by N once more; what comes back to it holds the 1/N.": (
            lambda parameters, X, T: [
                slope / part
                for slope, part in zip(
                    softmax_gradients(parameters, X, T), (len(X), len(X), 1, 1), strict=True
                )
            ]
        ),
        "the softmax runs over the batch; each example has one of its own, along its row.": (
            lambda *arguments: softmax_variant(*arguments, axis=0)
        ),
        "the slopes of the biases are averaged twice: the error terms hold the 1/N already.": (
            lambda *arguments: softmax_variant(*arguments, bias=np.mean)
        ),
        "the hidden layer does not ask through which weights its outputs went on.": unweighted,
    },
    tied_slope: {
        "that is the slope of w24 alone, but v moves node 5, too.": (
            lambda v: slopes_24_35(v, v)[0]
        ),
        "that is the slope of w35 alone, but v moves node 4, too.": (
            lambda v: slopes_24_35(v, v)[1]
        ),
        "the two paths are averaged; what does the sum rule say?": (
            lambda v: slopes_24_35(v, v).mean()
        ),
        "these slopes belong to the old weights: with v the walk forward changes, too.": (
            lambda v: slopes_24_35(0.4, 0.2).sum()
        ),
        "w35 is still 0.2 there, but v is both weights.": lambda v: slopes_24_35(v, 0.2).sum(),
        "that is the slope at v = 0.4, whatever v it is given.": lambda v: tied_slope(0.4),
    },
    shortcut_slopes: {
        "three arrows leave node 2 now, and what comes back along the new one is missing.": (
            lambda w26: shortcut_variant(w26, shortcut=0)
        ),
        "the walk forward does not use the new arrow, so y6 is the old one.": (
            lambda w26: shortcut_variant(w26, forward=0)
        ),
        "that is the network as it was: walk along the new arrow forward and backward.": (
            lambda w26: shortcut_variant(0)
        ),
        "the new arrow ends at x6; what comes back along it must pass node 6, too.": (
            lambda w26: shortcut_variant(w26, through_6=False)
        ),
        "between y2 and w12 lies the sigmoid of node 2.": (
            lambda w26: shortcut_variant(w26, through_2=False)
        ),
        "these are the slopes at 0.3, whatever weight they are given.": (
            lambda w26: shortcut_slopes(0.3)
        ),
        "the slope in y2 comes first, then that in w12.": lambda w26: shortcut_slopes(w26)[::-1],
    },
    jacobian: {
        "it is transposed: a row belongs to an output, a column to an input.": (
            lambda x, W, b: jacobian(x, W, b).T
        ),
        "that is the layer without its sigmoid.": lambda x, W, b: W.T,
        "the slope of the sigmoid is taken at its output, not at the total input.": (
            lambda x, W, b: layer_slope(sigmoid(x @ W + b), np.eye(len(b)), 0 * b) @ W.T
        ),
        "that is how the weights move the outputs; asked for is how x does.": (
            lambda x, W, b: layer_slope(x, W, b).sum(axis=1, keepdims=True) * x
        ),
        "the outputs stand there, where their slopes in the total inputs belong.": (
            lambda x, W, b: np.diag(sigmoid(x @ W + b)) @ W.T
        ),
        "the biases are missing from the total inputs.": lambda x, W, b: jacobian(x, W, 0 * b),
    },
}
