"""The formulas of the chapter on handwritten digits, on its 784-30-10 network."""

import math

import numpy as np
import pytest

from backprop import datasets, gradcheck, losses
from backprop.activations import sigmoid
from backprop.network import Network, dense_forward

N = 4


@pytest.fixture(scope="module")
def digits():
    """Return a 784-30-10 network, made-up images and targets, and its forward pass."""
    rng = np.random.default_rng(0)
    network = Network.random([784, 30, 10], ["sigmoid"] * 2, rng, scale=0.3)
    X, T = rng.uniform(size=(N, 784)), datasets.one_hot(rng.integers(10, size=N), 10)
    return network, X, T, network.forward(X)


def output_error(A2, T):
    """Return delta_2, entry by entry."""
    delta = np.empty((N, 10))
    for n, k in np.ndindex(N, 10):
        delta[n, k] = (A2[n, k] - T[n, k]) * A2[n, k] * (1 - A2[n, k]) / N
    return delta


def hidden_error(delta_2, W2, A1):
    """Return delta_1, entry by entry."""
    delta = np.empty((N, 30))
    for n, j in np.ndindex(N, 30):
        arriving = sum(delta_2[n, k] * W2[j, k] for k in range(10))
        delta[n, j] = arriving * A1[n, j] * (1 - A1[n, j])
    return delta


@pytest.mark.equation("digits-output-error")
def test_output_error(digits):
    network, X, T, (_, A1, A2) = digits
    delta = output_error(A2, T)
    (numerical,) = gradcheck.numerical_gradients(
        lambda Z2: losses.half_squared_error(sigmoid(Z2), T)[0],
        dense_forward(A1, *network.parameters[2:]),
    )
    assert gradcheck.relative_error(delta, numerical) <= 1e-7
    gradients = network.loss_and_gradients(losses.half_squared_error, X, T)[1]
    np.testing.assert_allclose(gradients[2], A1.T @ delta, atol=1e-15)
    np.testing.assert_allclose(gradients[3], sum(delta), atol=1e-15)


@pytest.mark.equation("digits-hidden-error")
def test_hidden_error(digits):
    network, X, T, (_, A1, A2) = digits
    W1, b1, W2, b2 = network.parameters
    delta = hidden_error(output_error(A2, T), W2, A1)
    (numerical,) = gradcheck.numerical_gradients(
        lambda Z1: losses.half_squared_error(sigmoid(sigmoid(Z1) @ W2 + b2), T)[0],
        dense_forward(X, W1, b1),
    )
    assert gradcheck.relative_error(delta, numerical) <= 1e-7
    gradients = network.loss_and_gradients(losses.half_squared_error, X, T)[1]
    np.testing.assert_allclose(gradients[0], X.T @ delta, atol=1e-14)
    np.testing.assert_allclose(gradients[1], sum(delta), atol=1e-15)


def test_numbers_of_one_path():
    # Chosen so that the hidden output is 0.6 and the output 0.8, for the pixel 1 and the target 0.
    def logit(p):
        return math.log(p / (1 - p))

    W1, W2 = logit(0.6) - 0.1, 0.5
    network = Network([[[W1]], [0.1], [[W2]], [logit(0.8) - 0.6 * W2]], ["sigmoid"] * 2)
    dW1, db1, dW2, db2 = network.loss_and_gradients(losses.half_squared_error, [[1.0]], [[0.0]])[1]
    assert db2.item() == pytest.approx(0.128)
    assert dW2.item() == pytest.approx(0.0768)
    assert db1.item() == pytest.approx(0.01536)
    assert dW1.item() == pytest.approx(0.01536)


@pytest.mark.equation("source-0-update")
def test_source_0_sums_for_weights_and_averages_for_biases(digits):
    network, X, T, _ = digits
    eta = 0.5
    singles = [
        network.loss_and_gradients(losses.half_squared_error, X[[n]], T[[n]])[1] for n in range(N)
    ]
    batch = network.loss_and_gradients(losses.half_squared_error, X, T)[1]
    for number, (parameter, gradient) in enumerate(zip(network.parameters, batch, strict=True)):
        of_examples = [single[number] for single in singles]
        if parameter.ndim == 2:
            changed, formula = sum(of_examples), N * gradient
        else:
            changed, formula = sum(of_examples) / N, gradient
        np.testing.assert_allclose(parameter - eta * changed, parameter - eta * formula, atol=1e-14)


@pytest.mark.equation("accuracy-standard-error")
@pytest.mark.parametrize(("p", "M"), [(0.5, 1), (0.9, 20), (0.92, 300)])
def test_standard_deviation_of_an_accuracy(p, M):
    # Over all possible numbers of right answers, each with its probability.
    chances = [math.comb(M, k) * p**k * (1 - p) ** (M - k) for k in range(M + 1)]
    mean = sum(chance * k / M for k, chance in enumerate(chances))
    variance = sum(chance * (k / M - mean) ** 2 for k, chance in enumerate(chances))
    assert math.sqrt(variance) == pytest.approx(math.sqrt(p * (1 - p) / M), rel=1e-9)


@pytest.mark.equation("layer-to-layer")
def test_error_terms_go_from_layer_to_layer():
    rng = np.random.default_rng(1)
    shapes = ((3, 5), (5, 4), (4, 2))
    X, T = rng.normal(size=(6, 3)), rng.uniform(size=(6, 2))
    weights = [rng.normal(size=shape) for shape in shapes]
    biases = [rng.normal(size=shape[1]) for shape in shapes]
    totals, A = [], X
    for W, b in zip(weights, biases, strict=True):
        totals.append(A @ W + b)
        A = sigmoid(totals[-1])

    def slope_in(layer):
        def loss(Z):
            A = sigmoid(Z)
            for W, b in zip(weights[layer + 1 :], biases[layer + 1 :], strict=True):
                A = sigmoid(A @ W + b)
            return losses.half_squared_error(A, T)[0]

        return gradcheck.numerical_gradients(loss, totals[layer])[0]

    for layer in (0, 1):
        A = sigmoid(totals[layer])
        delta = (slope_in(layer + 1) @ weights[layer + 1].T) * A * (1 - A)
        assert gradcheck.relative_error(delta, slope_in(layer)) < 1e-8


@pytest.mark.equation("constant-output")
@pytest.mark.parametrize("a", [1e-4, 0.05, 0.1, 0.5, 0.99])
def test_an_output_that_is_the_same_for_every_image_is_pushed_towards_a_tenth(a):
    # One image of ten shows the output's digit; total inputs are logits of a.
    z = math.log(a / (1 - a))
    T = datasets.one_hot(range(10), 10)[:, :1]

    def loss(z):
        return losses.half_squared_error(sigmoid(np.full((10, 1), z)), T)[0]

    (slope,) = gradcheck.numerical_gradients(loss, z)
    assert slope == pytest.approx(a * (1 - a) * (a - 0.1), rel=1e-6, abs=1e-11)
