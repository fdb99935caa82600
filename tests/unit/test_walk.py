"""The 1-2-2-1 network, node by node: the book's formulas, the table, `Network`, and differences."""

import math
from itertools import pairwise

import numpy as np
import pytest

from backprop import gradcheck, losses
from backprop.network import Network, dense_forward

NODES = [1, 2, 3, 4, 5, 6]
LAYERS = [[1], [2, 3], [4, 5], [6]]
W = {
    (1, 2): 0.5, (1, 3): -0.3,
    (2, 4): 0.4, (2, 5): -0.6, (3, 4): 0.7, (3, 5): 0.2,
    (4, 6): 0.8, (5, 6): -0.5,
}  # fmt: skip
B = {2: 0.1, 3: 0.2, 4: -0.1, 5: 0.3, 6: 0.05}
INPUT, TARGET = 1.0, 0.0

# The table of chapter 2, to eight digits.
X_TABLE = {2: 0.6, 3: -0.1, 4: 0.49077709, 5: 0.00761038, 6: 0.29528029}
Y_TABLE = {1: 1, 2: 0.64565631, 3: 0.47502081, 4: 0.62028948, 5: 0.50190259, 6: 0.57328834}
E_TABLE = 0.16432976
DY_TABLE = {
    1: 0.00129075, 2: 0.02108813, 3: 0.01499160,
    4: 0.11219428, 5: -0.07012142, 6: 0.57328834,
}  # fmt: skip
DX_TABLE = {2: 0.00482463, 3: 0.00373855, 4: 0.02642517, 5: -0.01753010, 6: 0.14024285}
DW_TABLE = {
    (1, 2): 0.00482463, (1, 3): 0.00373855,
    (2, 4): 0.01706158, (2, 5): -0.01131842, (3, 4): 0.01255250, (3, 5): -0.00832716,
    (4, 6): 0.08699116, (5, 6): 0.07038825,
}  # fmt: skip


def sigma(x):
    return 1 / (1 + math.exp(-x))


def forward(w=W, b=B, nudge=None, by=0.0):
    """Walk forward; add `by` to one node's total input, such as ("x", 4), or output, ("y", 4)."""
    x, y = {}, {1: INPUT + by * (nudge == ("y", 1))}
    for j in NODES[1:]:
        x[j] = sum(w[i, k] * y[i] for i, k in w if k == j) + b[j] + by * (nudge == ("x", j))
        y[j] = sigma(x[j]) + by * (nudge == ("y", j))
    return x, y


def error(y_out):
    return (y_out - TARGET) ** 2 / 2


def difference(kind, node):
    """Return dE/dx or dE/dy of a node by a central difference."""
    h = 1e-5
    up, down = (error(forward(nudge=(kind, node), by=by)[1][6]) for by in (h, -h))
    return (up - down) / (2 * h)


def backward(y):
    """Walk backward with the book's formulas."""
    dy, dx, dw, db = {6: y[6] - TARGET}, {}, {}, {}
    for j in reversed(NODES):
        if j != 6:
            dy[j] = sum(W[i, k] * dx[k] for i, k in W if i == j)
        if j != 1:
            dx[j] = y[j] * (1 - y[j]) * dy[j]
            db[j] = dx[j]
    for i, j in W:
        dw[i, j] = y[i] * dx[j]
    return dy, dx, dw, db


def parameters(w, b):
    """Return numbers on arrows and at nodes as [W1, b1, W2, b2, W3, b3]."""
    arrays = []
    for senders, receivers in pairwise(LAYERS):
        arrays.append(np.array([[w[i, j] for j in receivers] for i in senders]))
        arrays.append(np.array([b[j] for j in receivers]))
    return arrays


@pytest.fixture
def network():
    return Network(parameters(W, B), ["sigmoid"] * 3)


@pytest.fixture
def gradients(network):
    outputs = network.forward([[INPUT]])
    return network.backward(outputs, losses.half_squared_error(outputs[-1], [[TARGET]])[1])


X, Y = forward()
DY, DX, DW, DB = backward(Y)


@pytest.mark.equation("total-input")
def test_total_inputs(network):
    assert pytest.approx(X_TABLE, abs=5e-9) == X
    outputs = network.forward([[INPUT]])
    for layer, receivers in enumerate(LAYERS[1:]):
        weights, bias = network.parameters[2 * layer : 2 * layer + 2]
        z = dense_forward(outputs[layer], weights, bias)
        np.testing.assert_allclose(z, [[X[j] for j in receivers]], atol=1e-15)


@pytest.mark.equation("node-output")
def test_outputs(network):
    assert pytest.approx(Y_TABLE, abs=5e-9) == Y
    for layer, a in zip(LAYERS, network.forward([[INPUT]]), strict=True):
        np.testing.assert_allclose(a, [[Y[j] for j in layer]], atol=1e-15)


@pytest.mark.equation("squared-error")
def test_error(network):
    assert error(Y[6]) == pytest.approx(E_TABLE, abs=5e-9)
    value, _ = network.loss_and_gradients(losses.half_squared_error, [[INPUT]], [[TARGET]])
    assert value == pytest.approx(error(Y[6]), abs=1e-16)


@pytest.mark.equation("output-derivative")
def test_slope_of_the_output():
    assert DY[6] == pytest.approx(DY_TABLE[6], abs=5e-9)
    assert DY[6] == pytest.approx(difference("y", 6), rel=1e-8)
    assert losses.half_squared_error([[Y[6]]], [[TARGET]])[1].item() == pytest.approx(DY[6])


@pytest.mark.equation("input-derivative")
def test_slopes_of_the_total_inputs():
    assert pytest.approx(DX_TABLE, abs=5e-9) == DX
    for j in DX:
        assert DX[j] == pytest.approx(difference("x", j), rel=1e-7)


@pytest.mark.equation("hidden-output-derivative")
def test_slopes_of_the_outputs(gradients):
    assert pytest.approx(DY_TABLE, abs=5e-9) == DY
    for i in DY:
        assert DY[i] == pytest.approx(difference("y", i), rel=1e-7)
    assert gradients[1].item() == pytest.approx(DY[1], abs=1e-17)


@pytest.mark.equation("weight-derivative")
def test_slopes_of_the_weights(gradients):
    assert pytest.approx(DW_TABLE, abs=5e-9) == DW
    for edge in W:
        up, down = (error(forward(w=W | {edge: W[edge] + h})[1][6]) for h in (1e-5, -1e-5))
        assert DW[edge] == pytest.approx((up - down) / 2e-5, rel=1e-7)
    for mine, by_network in zip(parameters(DW, DB)[::2], gradients[0][::2], strict=True):
        np.testing.assert_allclose(by_network, mine, atol=1e-16)


@pytest.mark.equation("bias-derivative")
def test_slopes_of_the_biases(gradients):
    assert pytest.approx(DX_TABLE, abs=5e-9) == DB
    for j in B:
        up, down = (error(forward(b=B | {j: B[j] + h})[1][6]) for h in (1e-5, -1e-5))
        assert DB[j] == pytest.approx((up - down) / 2e-5, rel=1e-7)
    for mine, by_network in zip(parameters(DW, DB)[1::2], gradients[0][1::2], strict=True):
        np.testing.assert_allclose(by_network, mine, atol=1e-16)


@pytest.mark.equation("weight-update")
@pytest.mark.parametrize(("learning_rate", "after"), [(1, 0.13182), (10, 0.00617)])
def test_one_step_downhill(network, gradients, learning_rate, after):
    new_w = {edge: W[edge] - learning_rate * DW[edge] for edge in W}
    new_b = {j: B[j] - learning_rate * DB[j] for j in B}
    assert error(forward(new_w, new_b)[1][6]) == pytest.approx(after, abs=5e-6)
    for parameter, gradient in zip(network.parameters, gradients[0], strict=True):
        parameter -= learning_rate * gradient
    for mine, by_network in zip(parameters(new_w, new_b), network.parameters, strict=True):
        np.testing.assert_allclose(by_network, mine, atol=1e-15)


# Source 0's three equations: error = target - output, W[i][j] leads to i from j, columns


@pytest.fixture
def source_0():
    """Return a 4-3-2 network's quantities in source 0's letters, and its changes by differences."""
    rng = np.random.default_rng(0)
    network = Network.random([4, 3, 2], ["sigmoid"] * 2, rng)
    x, target, eta = rng.normal(size=(1, 4)), rng.uniform(size=(1, 2)), 0.5

    def J(*parameters):
        outputs = network.with_parameters(parameters).forward(x)
        return 0.5 * sum((target[0] - outputs[-1][0]) ** 2)

    slopes = gradcheck.numerical_gradients(J, *network.parameters)
    by_hand = network.loss_and_gradients(losses.half_squared_error, x, target)[1]
    O_k, O_j, Y_hat = (a[0] for a in network.forward(x))
    to_output = network.parameters[2].T
    changes = [[-eta * g.T for g in (s[0], s[2])] for s in (slopes, by_hand)]
    return eta, O_k, O_j, Y_hat, target[0], to_output, changes


@pytest.mark.equation("source-0-loss")
def test_source_0_loss(source_0):
    _, _, _, Y_hat, target, _, _ = source_0
    J = sum((target[i] - Y_hat[i]) ** 2 for i in range(2)) / 2
    value, _ = losses.half_squared_error(Y_hat[np.newaxis], target[np.newaxis])
    assert value == pytest.approx(J, rel=1e-15)


@pytest.mark.equation("source-0-output")
def test_source_0_output_weights(source_0):
    eta, _, O_j, Y_hat, target, _, changes = source_0
    change = np.empty((2, 3))
    for i in range(2):
        for j in range(3):
            slope = Y_hat[i] * (1 - Y_hat[i])
            change[i, j] = eta * (target[i] - Y_hat[i]) * slope * O_j[j]
    for _, to_output in changes:
        assert gradcheck.relative_error(change, to_output) <= 1e-8


@pytest.mark.equation("source-0-hidden")
def test_source_0_hidden_weights(source_0):
    eta, O_k, O_j, Y_hat, target, to_output, changes = source_0
    change = np.empty((3, 4))
    for j in range(3):
        arriving = sum(
            (target[i] - Y_hat[i]) * Y_hat[i] * (1 - Y_hat[i]) * to_output[i, j] for i in range(2)
        )
        for k in range(4):
            change[j, k] = eta * O_j[j] * (1 - O_j[j]) * arriving * O_k[k]
    for to_hidden, _ in changes:
        assert gradcheck.relative_error(change, to_hidden) <= 1e-8
