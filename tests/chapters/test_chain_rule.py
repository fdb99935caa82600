"""Chapter 2's 1-2-2-1 network: its formulas node by node, its table, `Network`, differences."""

import math
from itertools import pairwise

import numpy as np
import pytest

from backprop import gradcheck, losses
from backprop.network import Network

LAYERS = [[1], [2, 3], [4, 5], [6]]
W = {
    (1, 2): 0.5, (1, 3): -0.3,
    (2, 4): 0.4, (2, 5): -0.6, (3, 4): 0.7, (3, 5): 0.2,
    (4, 6): 0.8, (5, 6): -0.5,
}  # fmt: skip
B = {2: 0.1, 3: 0.2, 4: -0.1, 5: 0.3, 6: 0.05}
INPUT, TARGET = 1.0, 0.0

# The table of the chapter, to eight digits.
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


def forward(w=W, b=B, nudge=None, by=0.0):
    """Go forward; add `by` to one node's total input, such as ("x", 4), or output, ("y", 4)."""
    x, y = {}, {1: INPUT + by * (nudge == ("y", 1))}
    for j in b:
        x[j] = sum(w[i, k] * y[i] for i, k in w if k == j) + b[j] + by * (nudge == ("x", j))
        y[j] = 1 / (1 + math.exp(-x[j])) + by * (nudge == ("y", j))
    return x, y


def error(y):
    return (y[6] - TARGET) ** 2 / 2


def difference(changed):
    """Return a central difference of the error; `changed` goes forward with a small change."""
    h = 1e-5
    return (error(changed(h)[1]) - error(changed(-h)[1])) / (2 * h)


def backward(y):
    """Go backward with the book's formulas."""
    dy, dx, dw, db = {6: y[6] - TARGET}, {}, {}, {}
    for j in (6, 5, 4, 3, 2, 1):
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


X, Y = forward()
DY, DX, DW, DB = backward(Y)


@pytest.fixture
def network():
    return Network(parameters(W, B), ["sigmoid"] * 3)


@pytest.fixture
def by_network(network):
    """Return the network's gradients, and that of the input."""
    outputs = network.forward([[INPUT]])
    return network.backward(outputs, losses.half_squared_error(outputs[-1], [[TARGET]])[1])


@pytest.mark.equation("sum-rule")
def test_the_sum_rule():
    # E depends on three numbers, which depend on y; and the chapter's four gates, where b fans out.
    def numbers(y):
        return y**2, math.sin(y), math.exp(-y)

    def error_of(y):
        u, v, s = numbers(y)
        return u * v + s / u

    y = 0.7
    u, v, s = numbers(y)
    slopes, inner = (v - s / u**2, u, 1 / u), (2 * y, math.cos(y), -math.exp(-y))
    by_paths = sum(outer * slope for outer, slope in zip(slopes, inner, strict=True))
    h = 1e-5
    assert by_paths == pytest.approx((error_of(y + h) - error_of(y - h)) / (2 * h), rel=1e-8)

    a, b, c = 1.0, 3.0, 2.0
    up, down = ((a + b + step) * max(b + step, c) for step in (h, -h))
    assert max(b, c) * 1 + (a + b) * 1 == pytest.approx((up - down) / (2 * h), rel=1e-8) == 7


@pytest.mark.equation("total-input")
@pytest.mark.equation("node-output")
@pytest.mark.equation("squared-error")
def test_forward(network):
    assert pytest.approx(X_TABLE, abs=5e-9) == X
    assert pytest.approx(Y_TABLE, abs=5e-9) == Y
    assert error(Y) == pytest.approx(E_TABLE, abs=5e-9)
    for layer, a in zip(LAYERS, network.forward([[INPUT]]), strict=True):
        np.testing.assert_allclose(a, [[Y[j] for j in layer]], atol=1e-15)
    value, _ = network.loss_and_gradients(losses.half_squared_error, [[INPUT]], [[TARGET]])
    assert value == pytest.approx(error(Y), abs=1e-16)


@pytest.mark.equation("output-derivative")
@pytest.mark.equation("input-derivative")
@pytest.mark.equation("hidden-output-derivative")
def test_derivatives_in_the_nodes(by_network):
    assert pytest.approx(DY_TABLE, abs=5e-9) == DY
    assert pytest.approx(DX_TABLE, abs=5e-9) == DX
    for kind, derivatives in (("y", DY), ("x", DX)):
        for j, mine in derivatives.items():
            other = difference(lambda h, place=(kind, j): forward(nudge=place, by=h))
            assert mine == pytest.approx(other, rel=1e-7)
    assert by_network[1].item() == pytest.approx(DY[1], abs=1e-17)


@pytest.mark.equation("weight-derivative")
@pytest.mark.equation("bias-derivative")
def test_derivatives_in_weights_and_biases(by_network):
    assert pytest.approx(DW_TABLE, abs=5e-9) == DW
    assert pytest.approx(DX_TABLE, abs=5e-9) == DB
    for edge in W:
        other = difference(lambda h, edge=edge: forward(w=W | {edge: W[edge] + h}))
        assert DW[edge] == pytest.approx(other, rel=1e-7)
    for j in B:
        other = difference(lambda h, j=j: forward(b=B | {j: B[j] + h}))
        assert DB[j] == pytest.approx(other, rel=1e-7)
    for mine, other in zip(parameters(DW, DB), by_network[0], strict=True):
        np.testing.assert_allclose(other, mine, atol=1e-16)


@pytest.mark.equation("weight-update")
@pytest.mark.parametrize(("learning_rate", "after"), [(1, 0.13182), (10, 0.00617)])
def test_one_step_of_descent(network, by_network, learning_rate, after):
    new_w = {edge: W[edge] - learning_rate * DW[edge] for edge in W}
    new_b = {j: B[j] - learning_rate * DB[j] for j in B}
    assert error(forward(new_w, new_b)[1]) == pytest.approx(after, abs=5e-6)
    for mine, p, g in zip(parameters(new_w, new_b), network.parameters, by_network[0], strict=True):
        np.testing.assert_allclose(p - learning_rate * g, mine, atol=1e-15)


@pytest.mark.equation("source-0-loss")
@pytest.mark.equation("source-0-output")
@pytest.mark.equation("source-0-hidden")
def test_the_equations_of_source_0():
    # In its letters: error = target - output, W[i][j] leads to i from j, columns.
    rng = np.random.default_rng(0)
    network = Network.random([4, 3, 2], ["sigmoid"] * 2, rng)
    x, target, eta = rng.normal(size=(1, 4)), rng.uniform(size=(1, 2)), 0.5
    O_k, O_j, Y_hat = (a[0].tolist() for a in network.forward(x))
    t, to_output = target[0].tolist(), network.parameters[2].T

    J = sum((t[i] - Y_hat[i]) ** 2 for i in range(2)) / 2
    value, by_hand = network.loss_and_gradients(losses.half_squared_error, x, target)
    assert value == pytest.approx(J, rel=1e-15)

    delta = [(t[i] - Y_hat[i]) * Y_hat[i] * (1 - Y_hat[i]) for i in range(2)]
    output = [[eta * delta[i] * O_j[j] for j in range(3)] for i in range(2)]
    arriving = [sum(delta[i] * to_output[i, j] for i in range(2)) for j in range(3)]
    hidden = [
        [eta * O_j[j] * (1 - O_j[j]) * arriving[j] * O_k[k] for k in range(4)] for j in range(3)
    ]
    numerical = gradcheck.numerical_gradients(
        lambda *p: np.sum((target - network.with_parameters(p).forward(x)[-1]) ** 2) / 2,
        *network.parameters,
    )
    for gradients in (by_hand, numerical):
        assert gradcheck.relative_error(hidden, -eta * gradients[0].T) <= 1e-8
        assert gradcheck.relative_error(output, -eta * gradients[2].T) <= 1e-8
