"""Displayed formulas without a number: they go by their chapter and how they begin."""

from itertools import product

import numpy as np
from cases import D, H, K, N, case, sigma, slopes
from formula import Both, after, d

from backprop import activations, losses, network, optimizers


@case("01 y \\leftarrow")
def one_step(rng):
    y, slope = rng.normal(size=(2, N, K))
    updated = y.copy()
    optimizers.SGD(0.3).step([updated], [slope])
    return {"y": y, "\\eta": 0.3, d("L", "y"): slope, after("y"): updated}


@case("01 \\begin{gathered} Y")
def two_examples(rng):
    return {
        "Y": np.array([[0.9, 0.2, 0.1], [0.4, 0.7, 0.5]]),
        "T": np.array([[1, 0, 0], [0, 1, 0]]),
    }


@case("01 -\\log \\prod")
def likelihood(rng):
    t, y = rng.random((2, N))
    return {"p": lambda t, y: np.exp(-((t - y) ** 2)), "t": t, "y": y, "n": range(1, N + 1)}


@case("01 \\frac{\\partial \\ell}{\\partial z} = \\frac{\\partial \\ell}{\\partial p}")
def squared_error_of_a_sigmoid(rng):
    z, t = rng.normal(size=2)
    p = activations.sigmoid(z)
    return {
        d("\\ell", "z"): slopes(lambda z: (sigma(z) - t) ** 2 / 2, z)[0], "t": t, "p": p, "z": z,
        d("\\ell", "p"): p - t, "\\sigma'": lambda z: activations.sigmoid_derivative(sigma(z)),
    }  # fmt: skip


@case("01 \\frac{\\partial \\ell}{\\partial p} = -")
@case("01 \\frac{\\partial \\ell}{\\partial z} = \\frac{p - t}")
@case("01 \\begin{aligned} \\ell&=t")
def cross_entropy_of_a_sigmoid(rng):
    z, t = rng.normal(), rng.random()
    p = activations.sigmoid(z)

    def loss(p):
        return -(t * np.log(p) + (1 - t) * np.log(1 - p))

    return {
        "\\ell": loss(p), d("\\ell", "p"): slopes(loss, p)[0], "t": t, "p": p, "z": z,
        d("\\ell", "z"): slopes(lambda z: loss(sigma(z)), z)[0],
    }  # fmt: skip


@case("01 \\begin{aligned} \\ell&=-\\sum_k")
@case("01 \\frac{\\partial \\ell}{\\partial z_j} = \\frac{e^{z_j}}{S}")
@case("09 L = -\\sum_k")
def cross_entropy_of_a_softmax(rng):
    z, t = rng.normal(size=H), rng.dirichlet(np.ones(H))
    loss, gradient = losses.softmax_cross_entropy(z[np.newaxis], t[np.newaxis])
    return {
        "\\ell": loss, "L": loss, "z": z, "t": t, "p": activations.softmax(z[np.newaxis])[0],
        "S": np.exp(z).sum(), d("\\ell", "z"): gradient[0], "j": range(1, H + 1),
        "k": range(1, H + 1),
    }  # fmt: skip


@case("02 E = (a + b)")
def small_graph(rng):
    return {"E": 12, "a": 1, "b": 3, "c": 2}


@case("02 \\frac{\\partial E}{\\partial x} = \\frac{\\partial E}{\\partial u}")
def chain(rng):
    x = rng.normal()
    return {
        d("E", "x"): slopes(lambda x: np.sin(x**2), x)[0], d("u", "x"): 2 * x,
        d("E", "u"): slopes(np.sin, x**2)[0],
    }  # fmt: skip


@case("02 \\Delta E")
def two_moves(rng):
    u, v, du, dv = rng.normal(size=4)

    def E(u, v):
        return np.sin(u) * v**2

    return {
        "E": E, "\\Delta E": E(u + du, v + dv) - E(u, v), "u": u, "v": v, "\\Delta u": du,
        "\\Delta v": dv,
    }  # fmt: skip


@case("02 \\frac{\\partial E}{\\partial \\eta}", leaves=("\\eta = 0",))
def slope_in_the_rate(rng):
    theta = rng.normal(size=D)

    def E(theta):
        return np.sum(np.sin(theta))

    gradient = slopes(E, theta)[0]
    of_rate = slopes(lambda rate: E(theta - rate * gradient), 0.0)[0]
    return {d("E", "\\eta"): of_rate, d("E", "\\theta"): gradient, "k": range(1, D + 1)}


@case("02 W = \\begin{pmatrix} w_{24}")
def nodes_as_a_layer(rng):
    W, a, b = rng.normal(size=(2, 2)), rng.normal(size=2), rng.normal(size=2)
    names = {f"w_{{{i}{j}}}": W[i - 2, j - 4] for i in (2, 3) for j in (4, 5)}
    z = network.dense_forward(a[np.newaxis], W, b)[0]
    return names | {"W": W, "a": a, "b": b, "z": z, "i": (1, 2), "j": (1, 2)}


@case("02 X = \\begin{pmatrix} 1 & 2")
@case("02 X^{\\mathsf T} \\delta = \\begin{pmatrix}")
def three_examples(rng):
    X, W = np.array([[1.0, 2], [3, 4], [0, 1]]), np.array([2.0, -1])
    delta = np.array([0.1, -0.2, 0.3])
    return {"X": X, "W": W, "\\delta": delta, "n": (1, 2, 3)}


@case("02 \\tanh' z")
def tanh_as_a_quotient(rng):
    z = rng.normal()
    u, v = np.exp(z) - np.exp(-z), np.exp(z) + np.exp(-z)
    slope = {"\\tanh'": lambda z: slopes(np.tanh, z)[0]}
    return slope | {"z": z, "u": u, "v": v, "u'": v, "v'": u}


@case("03 \\begin{aligned} A_1")
@case("03 L = \\frac1N")
@case("03 \\begin{aligned} \\frac{\\partial L}{\\partial W_2}")
def digit_reader(rng):
    shapes = [(D, H), (H,), (H, K), (K,)]
    net = network.Network([rng.normal(size=shape) for shape in shapes], ["sigmoid", "sigmoid"])
    X, target = rng.normal(size=(N, D)), rng.random((N, K))
    _, A1, A2 = net.forward(X)
    W1, b1, W2, b2 = net.parameters
    loss, gradients = net.loss_and_gradients(losses.half_squared_error, X, target)

    def of_sums(Z1, push):
        return np.sum((sigma(sigma(Z1) @ W2 + b2 + push) - target) ** 2) / (2 * N)

    delta1, delta2 = slopes(of_sums, X @ W1 + b1, np.zeros((N, K)))
    names = ["W_1", "b_1", "W_2", "b_2"]
    return {d("L", name): g for name, g in zip(names, gradients, strict=True)} | {
        "X": X, "W_1": W1, "b_1": b1, "W_2": W2, "b_2": b2, "A_1": A1, "A_2": A2, "a": {2: A2},
        "t": target, "L": loss, "N": N, "\\delta": {1: delta1, 2: delta2}, "n": range(1, N + 1),
    }  # fmt: skip


@case("04 f(x \\pm h)", tolerance=1e-8)
def taylor(rng):
    x = rng.uniform(0.5, 1)
    return {
        "f": Both(np.sin(x), np.sin), "f'": np.cos(x), "f''": -np.sin(x), "f'''": -np.cos(x),
        "x": x, "h": 1e-2, "\\pm": (1, -1),
    }  # fmt: skip


@case("04 L = (xy")
def program(rng):
    return {"L": (0.5 * 3 + np.sin(0.5)) ** 2, "x": 0.5, "y": 3}


@case("04 \\begin{aligned} \\sum_{ij} S_{ij}")
def product_rule(rng):
    A, B, S = (rng.normal(size=shape) for shape in [(N, D), (D, H), (N, H)])
    return {
        "\\mathrm dA": rng.normal(size=(N, D)), "\\mathrm dB": rng.normal(size=(D, H)), "A": A,
        "B": B, "S": S, "i": range(1, N + 1), "k": range(1, D + 1), "j": range(1, H + 1),
    }  # fmt: skip


def momentum_polynomial(rng):
    """Return the numbers for momentum on a parabola, and the factors that its steps have."""
    mu, rate, curvature = 0.9, 0.1, rng.uniform(1, 3)
    update = np.array([[1 - rate * curvature, mu], [-rate * curvature, mu]])  # of w and v
    first, second = np.linalg.eigvals(update)
    return mu, rate, curvature, first, second


@case("05 \\begin{aligned} p(r)")
@case("05 \\begin{aligned} (1 - r_1)")
def characteristic_polynomial(rng):
    mu, rate, curvature, first, second = momentum_polynomial(rng)
    return {
        "\\mu": mu, "\\eta": rate, "\\lambda": curvature, "r_1": first, "r_2": second,
        "r": (first, second),
        "p": lambda r: (r - first) * (r - second),
    }  # fmt: skip


@case("05 \\eta\\, \\frac{m_t/")
def two_forms_of_adam(rng):
    names = {"\\eta": 0.3, "\\beta_1": 0.7, "\\beta_2": 0.8, "t": (2, 3)}
    return names | {"m": {2: 0.5, 3: -0.2}, "s": {2: 0.7, 3: 0.4}}


@case("05 p(r) = r^2 - q")
@case("05 \\eta\\lambda < 1 +")
def nesterov_polynomial(rng):
    mu, curvature = 0.7, rng.uniform(1, 3)
    bound = 2 * (1 + mu) / (1 + 2 * mu)
    rate = bound / curvature
    q = 1 - rate * curvature
    update = np.array([[q * (1 + mu), -q * mu], [1, 0]])  # of this w and the last
    roots = np.linalg.eigvals(update)
    assert np.isclose(np.min(roots.real), -1)  # here the steps no longer shrink
    return {
        "\\mu": mu, "q": q, "\\eta": rate, "\\lambda": curvature, "r": (0.3, -0.8, 2.0),
        "p": lambda r: np.prod(r - roots).real, "inside": {"\\eta": 0.9 * rate},
    }  # fmt: skip


@case("06 h_{\\text{new}}")
def one_unit(rng):
    old, x = rng.normal(size=2)
    return {"h_{\\text{new}}": np.tanh(0.5 * x + 0.8 * old), "h_{\\text{old}}": old, "x": x}


@case("06 \\frac{\\partial L}{\\partial w_x}", tolerance=1e-4)
def two_steps(rng):
    def loss(w_x, w_h, push1=0.0, push2=0.0):
        h1 = np.tanh(w_x * 1 + push1)
        h2 = np.tanh(w_x * -1 + w_h * h1 + push2)
        return h1**2 / 2 + (h2 - 1) ** 2 / 2

    of_x, of_h, first, second = slopes(loss, 0.5, 0.8, 0.0, 0.0)
    return {
        d("L", "w_x"): of_x, d("L", "w_h"): of_h, "\\delta_1": first, "\\delta_2": second, "h_0": 0,
        "h_1": np.tanh(0.5),
    }  # fmt: skip


@case("08 \\operatorname{var} z_j")
def variance_of_a_sum(rng):
    a = rng.normal(size=(D, 6))
    a /= np.sqrt(np.mean(a**2, axis=1, keepdims=True) / 1.7)  # all alike in their mean square
    weights = np.sqrt(0.3) * np.array(list(product([-1, 1], repeat=D)))  # each as likely
    return {
        "\\operatorname{var}": lambda z: z, "z": np.full(K, np.mean((weights @ a) ** 2)), "a": a,
        "\\mathbb E": np.mean, "v": 0.3, "D": D, "i": range(1, D + 1), "j": range(1, K + 1),
    }  # fmt: skip


@case("09 \\eta\\,\\bigl(X")
def rate_in_the_product(rng):
    return {"\\eta": 0.3, "X": rng.normal(size=(N, D)), "\\delta": rng.normal(size=(N, H))}


@case("10 L_k = ")
@case("10 L = \\frac1N")
def shards(rng):
    losses_of, members = rng.normal(size=5), {1: [1, 4], 2: [2, 3, 5]}
    slopes_of = {1: rng.normal(size=D), 2: rng.normal(size=D)}
    means = {k: np.mean([losses_of[n - 1] for n in S]) for k, S in members.items()}
    return {
        "L": Both(np.mean(losses_of), means), "\\ell": losses_of, "S": members, "K": 2,
        "N": Both(5, {1: 2, 2: 3}), "n": range(1, 6), "k": (1, 2), "g": slopes_of,
        d("L", "\\theta"): slopes_of,
    }  # fmt: skip
