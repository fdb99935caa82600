"""The formulas of chapters 1 to 4: losses, the chain rule, digits, automatic differentiation."""

from math import comb

import numpy as np
from cases import INDICES, D, H, K, N, case, root, sigma, slopes
from formula import Both, after, d

from backprop import activations, autodiff, gradcheck, losses, network, optimizers

# Losses: value and gradient, of N examples with K outputs


def of_loss(loss, prediction, targets=lambda t: t, **more):
    def draw(rng):
        y, t = rng.normal(size=(N, K)), targets(rng.normal(size=(N, K)))
        value, gradient = loss(y, t)
        return {prediction: y, "t": t, "L": value, d("L", prediction): gradient, **INDICES, **more}

    return draw


def huber(y, t):
    return losses.huber(y, t, 0.7)


for name, loss, prediction, targets, more in [
    ("mean-squared-error", losses.mean_squared_error, "y", lambda t: t, {}),
    ("half-squared-error", losses.half_squared_error, "y", lambda t: t, {}),
    ("mean-absolute-error", losses.mean_absolute_error, "y", lambda t: t, {}),
    (
        "huber",
        huber,
        "y",
        lambda t: t,
        {
            "\\tau": 0.7,
            "\\rho": lambda e: huber(np.array([[e]]), np.array([[0.0]]))[0],
            "e": (0.3, -0.5, 1.1, -2.0),
        },
    ),
    ("sigmoid-cross-entropy", losses.sigmoid_cross_entropy, "z", sigma, {}),
]:
    case(name)(of_loss(loss, prediction, targets, **more))
    case(f"{name}-gradient")(of_loss(loss, prediction, targets, **more))


@case("softmax-cross-entropy")
@case("softmax-cross-entropy-gradient")
def softmax_cross_entropy(rng):
    names = of_loss(losses.softmax_cross_entropy, "z", activations.softmax)(rng)
    return names | {
        "p": activations.softmax(names["z"]),
        "m": names["z"].max(axis=1),
        "j": names["k"],
    }


@case("sigmoid")
def sigmoid(rng):
    z = rng.normal()
    return {"z": z, "p": activations.sigmoid(z)}


@case("sigmoid-derivative")
def sigmoid_derivative(rng):
    return sigmoid(rng) | {"\\sigma'": lambda z: slopes(lambda x: sigma(x), z)[0]}


@case("softmax")
def softmax(rng):
    z = rng.normal(size=K)
    return {
        "z": z,
        "p": activations.softmax(z[np.newaxis])[0],
        "k": range(1, K + 1),
        "j": range(1, K + 1),
    }


@case("central-difference", tolerance=1e-7)
def central_difference(rng):
    y = rng.normal()
    return {"L": np.sin, "y": y, "h": 1e-4, d("L", "y"): np.cos(y)}


@case("relative-error")
def relative_error(rng):
    hand, differences = rng.normal(size=(2, 5)) * [[2], [1]]
    error = gradcheck.relative_error(hand, differences)
    return {"": error, "\\text{hand}": hand, "\\text{differences}": differences}


@case("best-factor")
def best_factor(rng):
    x = rng.normal(1, 0.5, N)
    best = np.linalg.lstsq(x[:, np.newaxis], np.full(N, 10.0))[0][0]
    return {"x": x, "A": best, "A^*": best, "n": range(1, N + 1)}


@case("best-shift")
def best_shift(rng):
    x, t = rng.normal(size=9), rng.random(9) < 0.4
    t[0], t[1] = 0, 1

    def slope(A):
        return losses.sigmoid_cross_entropy((x + A)[:, np.newaxis], 1.0 * t[:, np.newaxis])[1].sum()

    return {"x_n": x, "t_n": t, "A^*": root(slope, -50, 50)}


# The chain rule: one variable, six nodes, layers


@case("sum-rule")
def sum_rule(rng):
    y, w = rng.normal(), rng.normal(size=K)
    of_y = slopes(lambda y: np.sum(np.sin(w * y) ** 2), y)[0]
    of_u = slopes(lambda u: np.sum(u**2), np.sin(w * y))[0]
    u_of_y = [slopes(lambda y, k=k: np.sin(w[k] * y), y)[0] for k in range(K)]
    return {
        d("E", "y"): of_y,
        d("E", "u"): of_u,
        d("u", "y"): np.array(u_of_y),
        "k": range(1, K + 1),
    }


EDGES = [(1, 2), (1, 3), (2, 4), (2, 5), (3, 4), (3, 5), (4, 6), (5, 6)]


def walk(w, b, y1, t, push_x, push_y):
    """Return total inputs, outputs and the error of the six nodes, some of them pushed."""
    x, y = {}, {1: y1 + push_y[0]}
    for j in range(2, 7):
        x[j] = sum(w[i - 1, j - 1] * y[i] for i, k in EDGES if k == j) + b[j - 1] + push_x[j - 1]
        y[j] = sigma(x[j]) + push_y[j - 1]
    return x, y, (y[6] - t) ** 2 / 2


@case("total-input")
@case("node-output", leaves=("f = \\sigma",))
@case("squared-error")
@case("output-derivative")
@case("input-derivative")
@case("weight-derivative")
@case("bias-derivative")
@case("hidden-output-derivative")
@case("weight-update")
def six_nodes(rng):
    w, b, zeros = np.zeros((6, 6)), rng.normal(size=6), np.zeros(6)
    for i, j in EDGES:
        w[i - 1, j - 1] = rng.normal()
    y1, t = rng.normal(size=2)
    x, y, E = walk(w, b, y1, t, zeros, zeros)
    dw, db, dx, dy = slopes(lambda w, b, *push: walk(w, b, y1, t, *push)[2], w, b, zeros, zeros)
    updated = w.copy()
    optimizers.SGD(0.3).step([updated], [dw])
    return {
        "w": w, "b": b, "x": x, "y": y, "y_{\\text{out}}": y[6], "t": t, "E": E,
        "f": activations.sigmoid,
        "f'": lambda x: activations.sigmoid_derivative(activations.sigmoid(x)), "\\eta": 0.3,
        d("E", "w"): dw, d("E", "b"): db, d("E", "x"): dx, d("E", "y"): dy, after("w"): updated,
        d("E", "y_{\\text{out}}"): dy[5], "i": (2, 3), "j": (4, 5),
    }  # fmt: skip


@case("layer-forward")
@case("weight-gradient")
@case("bias-gradient")
@case("input-gradient")
def layer(rng):
    X, W, b, delta = (rng.normal(size=shape) for shape in [(N, D), (D, H), H, (N, H)])
    dW, db, dX = network.dense_backward(X, W, delta)
    Z = network.dense_forward(X, W, b)
    return {
        "X": X, "W": W, "b": b, "Z": Z, "\\delta": delta, d("L", "W"): dW, d("L", "b"): db,
        d("L", "X"): dX, "n": range(1, N + 1), "i": range(1, D + 1), "j": range(1, H + 1),
    }  # fmt: skip


@case("delta-recursion")
def delta_recursion(rng):
    Z, target = rng.normal(size=(2, N, H))
    A = np.tanh(Z)
    delta = slopes(lambda Z: np.sum((np.tanh(Z) - target) ** 2) / (2 * N), Z)[0]
    return {
        "\\delta": delta, "Z": Z, d("L", "A"): losses.half_squared_error(A, target)[1],
        "f'": lambda Z: activations.tanh_derivative(np.tanh(Z)),
    }  # fmt: skip


@case("layer-to-layer")
def layer_to_layer(rng):
    Z, W = rng.normal(size=(N, H)), rng.normal(size=(H, K))
    first = slopes(lambda Z: np.sum(np.sin(np.tanh(Z) @ W)), Z)[0]
    return {
        "\\delta": {1: first, 2: np.cos(np.tanh(Z) @ W)}, "Z": {1: Z}, "W": {2: W}, "l": (1,),
        "f'": lambda Z: activations.tanh_derivative(np.tanh(Z)),
    }  # fmt: skip


@case("tanh-derivative")
def tanh_derivative(rng):
    return {"z": rng.normal(), "\\tanh'": lambda z: activations.tanh_derivative(np.tanh(z))}


@case("relu-derivative")
def relu_derivative(rng):
    of_relu = {"\\operatorname{relu}'": lambda z: activations.relu_derivative(activations.relu(z))}
    return of_relu | {"z": (*rng.uniform(0.1, 2, 2), *rng.uniform(-2, -0.1, 2))}


@case("source-0-loss")
@case("source-0-output")
@case("source-0-hidden")
def source_0(rng):
    """Outputs i are the nodes 1 and 2, hidden units j the next three, inputs k the last four."""
    out, hidden, inputs = slice(0, 2), slice(2, 5), slice(5, 9)
    W, Y = rng.normal(size=(9, 9)), rng.normal(size=9)
    h, outputs = np.zeros(9), np.zeros(9)
    outputs[inputs] = rng.normal(size=4)

    def loss(W):
        h_hidden = W[hidden, inputs] @ outputs[inputs]
        return np.sum((Y[out] - sigma(W[out, hidden] @ sigma(h_hidden))) ** 2) / 2

    h[hidden] = W[hidden, inputs] @ outputs[inputs]
    outputs[hidden] = sigma(h[hidden])
    h[out] = W[out, hidden] @ outputs[hidden]
    gradient = slopes(loss, W)[0]
    predicted = sigma(h)
    delta = (predicted - Y) * predicted * (1 - predicted)
    delta[hidden] = slopes(
        lambda z: np.sum((Y[out] - sigma(W[out, hidden] @ sigma(z))) ** 2) / 2, h[hidden]
    )[0]
    return {
        "J": loss(W), "Y": Y, "\\hat Y": predicted, "W": W, "h": h, "O": outputs, "\\delta": delta,
        "\\eta": 0.3, "g'": lambda h: activations.sigmoid_derivative(activations.sigmoid(h)),
        d("J", "W"): gradient, "\\Delta W": -0.3 * gradient,
        "i": (1, 2), "j": (3, 4, 5), "k": (6, 7, 8, 9),
    }  # fmt: skip


# Digits


@case("digits-output-error")
@case("digits-hidden-error")
def digits(rng):
    A1, target = (
        activations.sigmoid(rng.normal(size=(N, H))),
        activations.softmax(rng.normal(size=(N, K))),
    )
    W2, b2 = rng.normal(size=(H, K)), rng.normal(size=K)
    Z1, Z2 = np.log(A1 / (1 - A1)), A1 @ W2 + b2

    def loss(Z2):
        return np.sum((sigma(Z2) - target) ** 2) / (2 * N)

    delta1 = slopes(lambda Z1: loss(sigma(Z1) @ W2 + b2), Z1)[0]
    return {
        "\\delta": {1: delta1, 2: slopes(loss, Z2)[0]}, "A": {1: A1, 2: activations.sigmoid(Z2)},
        "T": target, "N": N, "W_2": W2,
    }  # fmt: skip


@case("source-0-update")
def source_0_update(rng):
    X, W, b, target = (rng.normal(size=shape) for shape in [(N, D), (D, H), H, (N, H)])
    net = network.Network([W, b], ["sigmoid"])
    _, (dW, db) = net.loss_and_gradients(losses.half_squared_error, X, target)
    summed = sum(  # over the images, one by one
        net.loss_and_gradients(losses.half_squared_error, X[n : n + 1], target[n : n + 1])[1][0]
        for n in range(N)
    )
    return {
        "W": W, "b": b, "N": N, "\\eta": 0.3, d("L", "W"): dW, d("L", "b"): db,
        after("W"): W - 0.3 * summed, after("b"): b - 0.3 * db,
    }  # fmt: skip


def deviation_of_a_mean(p, n):
    """Return the standard deviation of the mean of n answers, each right with probability p."""
    counts = np.arange(n + 1)
    weights = np.array([comb(n, c) * p**c * (1 - p) ** (n - c) for c in counts])
    return np.sqrt(weights @ (counts / n - p) ** 2)


@case("accuracy-standard-error")
def accuracy_standard_error(rng):
    p = rng.uniform(0.1, 0.4)
    return {"p": p, "M": 7, "": deviation_of_a_mean(p, 7)}


@case("constant-output")
def constant_output(rng):
    z = rng.normal()
    slope = slopes(lambda z: 0.9 * sigma(z) ** 2 / 2 + 0.1 * (1 - sigma(z)) ** 2 / 2, z)[0]
    return {"a": activations.sigmoid(z), d("L", "z"): slope}


# Automatic differentiation


@case("forward-difference", tolerance=1e-6)
def forward_difference(rng):
    x = rng.uniform(0.5, 1)
    return {"f": np.sin, "f'": np.cos, "f''": lambda x: -np.sin(x), "x": x, "h": 1e-3}


@case("truncation-error", tolerance=1e-9)
def truncation_error(rng):
    x = rng.uniform(0.5, 1)
    return {"f": np.sin, "f'": np.cos, "f'''": lambda x: -np.cos(x), "x": x, "h": 1e-2}


@case("rounding-error")
def rounding_error(rng):
    f, h = -rng.uniform(1, 2), 0.3
    highest = max(
        ((f + 0.1 * a * f) - (f + 0.1 * b * f)) / (2 * h) for a in (-1, 1) for b in (-1, 1)
    )
    return {"f": f, "\\varepsilon": 0.1, "h": h, "": highest}


@case("best-step")
def best_step(rng):
    f, third, epsilon = rng.uniform(1, 2), -rng.uniform(1, 2), 0.1

    def error(h):
        return epsilon * abs(f) / h + h**2 / 6 * abs(third)

    h = root(lambda h: float(slopes(error, h)[0]), 0.01, 10)
    return {"f": f, "f'''": third, "\\varepsilon": epsilon, "h": h}


@case("complex-step", tolerance=1e-9)
def complex_step(rng):
    x = rng.uniform(0.5, 1)
    return {
        "f": Both(np.sin(x), np.sin), "f'": Both(np.cos(x), np.cos), "f''": -np.sin(x),
        "f'''": Both(-np.cos(x), lambda x: -np.cos(x)), "x": x, "h": 1e-2, "i": 1j,
    }  # fmt: skip


@case("directional-slope")
def directional_slope(rng):
    w, u = rng.normal(size=(2, D))

    def loss(w):
        return np.sum(np.sin(w) ** 2) + w[0] * w[1]

    return {
        d("L", "w"): slopes(loss, w)[0], "u": u, "i": range(1, D + 1),
        "g'": lambda t: slopes(lambda t: loss(w + t * u), t)[0],
    }  # fmt: skip


@case("transpose-rule")
def transpose_rule(rng):
    a, da, s, M = (rng.normal(size=shape) for shape in [D, D, H, (H, D)])
    dy = autodiff.jvp(lambda a: np.tanh(M @ a[:, np.newaxis]), [a], [da])[1].ravel()
    (of_a,) = autodiff.vjp(lambda a: np.tanh(M @ a[:, np.newaxis]), [a], s[:, np.newaxis])[1]
    J = np.array([slopes(lambda a, i=i: np.tanh(M @ a)[i], a)[0] for i in range(H)])
    return {
        "\\mathrm dL": s @ dy, "\\mathrm da": da, "s": s, "J": J, d("L", "a"): of_a, d("L", "y"): s,
        "i": range(1, H + 1), "k": range(1, D + 1),
    }  # fmt: skip


@case("jvp")
@case("vjp")
def jacobians(rng):
    a, v, s = (rng.normal(size=shape) for shape in [D, D, K])
    M1, M2, M3 = (rng.normal(size=shape) for shape in [(H, D), (N, H), (K, N)])

    def f(a):
        return M3 @ np.sin(M2 @ np.tanh(M1 @ a[:, np.newaxis]))

    h = np.tanh(M1 @ a)
    J1, J2 = (1 - h**2)[:, np.newaxis] * M1, np.cos(M2 @ h)[:, np.newaxis] * M2
    J = np.array([slopes(lambda a, k=k: f(a)[k, 0], a)[0] for k in range(K)])
    assert np.allclose(autodiff.jvp(f, [a], [v])[1].ravel(), J @ v)
    assert np.allclose(autodiff.vjp(f, [a], s[:, np.newaxis])[1][0], J.T @ s)
    return {"J": J, "J_1": J1, "J_2": J2, "J_m": M3, "v": v, "s": s}


@case("elementwise-map")
def elementwise_map(rng):
    A, dA, S = rng.normal(size=(3, N, H))
    dY, (of_A,) = autodiff.jvp(np.tanh, [A], [dA])[1], autodiff.vjp(np.tanh, [A], S)[1]
    return {
        "A": A, "\\mathrm dA": dA, "S": S, "\\mathrm dY": dY, d("L", "A"): of_A,
        "f'": lambda A: slopes(lambda A: np.sum(np.tanh(A)), A)[0],
    }  # fmt: skip


@case("product-map")
def product_map(rng):
    A, B, S = (rng.normal(size=shape) for shape in [(N, D), (D, H), (N, H)])
    of_A, of_B = autodiff.vjp(lambda A, B: A @ B, [A, B], S)[1]
    return {"A": A, "B": B, "S": S, d("L", "A"): of_A, d("L", "B"): of_B}


@case("reduction-map")
def reduction_map(rng):
    a, s = rng.normal(size=D), rng.normal()
    (of_a,) = autodiff.vjp(lambda a: np.sqrt(np.sum(a * a)), [a], np.asarray(s))[1]
    of_y = slopes(lambda a: np.sqrt(np.sum(a * a)), a)[0]
    return {d("L", "a"): of_a, d("y", "a"): of_y, "s": s, "j": range(1, D + 1)}


@case("unbroadcast")
def unbroadcast(rng):
    S = rng.normal(size=(N, H))
    return {d("L", "b"): autodiff.unbroadcast(S, (H,)), "S": S, "n": range(1, N + 1)}
