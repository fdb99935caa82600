"""Chapter 3's formulas, on its 784-30-10 network."""

import math

import numpy as np
import pytest

from backprop import datasets, gradcheck, losses
from backprop.activations import sigmoid
from backprop.network import Network

N = 4
RNG = np.random.default_rng(0)
NETWORK = Network.random([784, 30, 10], ["sigmoid"] * 2, RNG, scale=0.3)
X, T = RNG.uniform(size=(N, 784)), datasets.one_hot(RNG.integers(10, size=N), 10)
_, A1, A2 = NETWORK.forward(X)
W1, B1, W2, B2 = NETWORK.parameters
GRADIENTS = NETWORK.loss_and_gradients(losses.half_squared_error, X, T)[1]


def loss_of(Z2):
    return losses.half_squared_error(sigmoid(Z2), T)[0]


@pytest.fixture(scope="module")
def deltas():
    """Return delta_2 and delta_1, entry by entry."""
    delta_2, delta_1 = np.empty((N, 10)), np.empty((N, 30))
    for n, k in np.ndindex(N, 10):
        delta_2[n, k] = (A2[n, k] - T[n, k]) * A2[n, k] * (1 - A2[n, k]) / N
    for n, j in np.ndindex(N, 30):
        arriving = sum(delta_2[n, k] * W2[j, k] for k in range(10))
        delta_1[n, j] = arriving * A1[n, j] * (1 - A1[n, j])
    return delta_2, delta_1


@pytest.mark.equation("digits-output-error")
@pytest.mark.equation("digits-hidden-error")
def test_error_terms(deltas):
    through = [(loss_of, A1 @ W2 + B2), (lambda Z1: loss_of(sigmoid(Z1) @ W2 + B2), X @ W1 + B1)]
    for delta, (f, Z), A, (dW, db) in zip(
        deltas, through, (A1, X), (GRADIENTS[2:], GRADIENTS[:2]), strict=True
    ):
        (numerical,) = gradcheck.numerical_gradients(f, Z)
        assert gradcheck.relative_error(delta, numerical) <= 1e-7
        np.testing.assert_allclose(dW, A.T @ delta, atol=1e-14)
        np.testing.assert_allclose(db, sum(delta), atol=1e-15)


def test_numbers_of_one_path():
    # Chosen so that the hidden output is 0.6 and the output 0.8, for the pixel 1 and the target 0.
    def logit(p):
        return math.log(p / (1 - p))

    W1, W2 = logit(0.6) - 0.1, 0.5
    network = Network([[[W1]], [0.1], [[W2]], [logit(0.8) - 0.6 * W2]], ["sigmoid"] * 2)
    gradients = network.loss_and_gradients(losses.half_squared_error, [[1.0]], [[0.0]])[1]
    assert [g.item() for g in gradients] == pytest.approx([0.01536, 0.01536, 0.0768, 0.128])


@pytest.mark.equation("source-0-update")
def test_source_0_sums_for_weights_and_averages_for_biases():
    singles = [
        NETWORK.loss_and_gradients(losses.half_squared_error, X[[n]], T[[n]])[1] for n in range(N)
    ]
    for number, gradient in enumerate(GRADIENTS):
        total = sum(single[number] for single in singles)
        changed, formula = (total, N * gradient) if gradient.ndim == 2 else (total / N, gradient)
        np.testing.assert_allclose(changed, formula, atol=1e-14)


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
    network = Network.random([3, 5, 4, 2], ["sigmoid"] * 3, rng)
    X, T = rng.normal(size=(6, 3)), rng.uniform(size=(6, 2))
    outputs = network.forward(X)

    def delta_of(layer):
        """Return the gradient of the loss in Z of a layer, by differences."""

        def loss(Z):
            A = sigmoid(Z)
            for W, b, _ in network.layers[layer + 1 :]:
                A = sigmoid(A @ W + b)
            return losses.half_squared_error(A, T)[0]

        W, b, _ = network.layers[layer]
        return gradcheck.numerical_gradients(loss, outputs[layer] @ W + b)[0]

    for layer in (0, 1):
        A, W_next = outputs[layer + 1], network.layers[layer + 1][0]
        delta = (delta_of(layer + 1) @ W_next.T) * A * (1 - A)
        assert gradcheck.relative_error(delta, delta_of(layer)) < 1e-8


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
