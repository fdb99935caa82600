"""The formulas of chapters 8 to 10: training for real, fast, and on several machines."""

from itertools import pairwise, product

import numpy as np
from cases import D, H, N, case, root, slopes
from cases_gradients import deviation_of_a_mean
from formula import Both, d

from backprop import augmentation, data_parallel, losses, network, regularization
from backprop.augmentation import CENTRE, SIDE


@case("accuracy-deviation")
def accuracy_deviation(rng):
    p = rng.uniform(0.1, 0.4)
    return {"p": p, "n": 7, "s": deviation_of_a_mean(p, 7)}


def initial_variance(rule):
    """Return the variance of a layer's weights: the same draws, beside those of variance 1."""
    one = network.Network.random([D, H], ["relu"], np.random.default_rng(0), rule)
    return float(np.mean(one.parameters[0] / np.random.default_rng(0).normal(size=(D, H)))) ** 2


@case("he-variance")
def he_variance(rng):
    return {"v": initial_variance("he"), "D": D}


@case("glorot-variance")
def glorot_variance(rng):
    return {"v": initial_variance("glorot"), "D": D, "H": H}


@case("discordant-deviation")
def discordant_deviation(rng):
    b, c, n = 5, 2, 12
    gains = np.repeat([1, -1, 0], [b, c, n - b - c])
    return {"b": b, "c": c, "n": n, "s_{\\text{diff}}": np.std(gains) / np.sqrt(n)}


@case("l1-penalty")
@case("l2-penalty")
@case("l1-gradient")
@case("l2-gradient")
def penalties(rng):
    W = rng.normal(size=(D, H))
    (L1, (dL1,)), (L2, (dL2,)) = regularization.l1([W], 0.3), regularization.l2([W], 0.2)
    return {
        "L_1": L1, "L_2": L2, d("L_1", "W"): dL1, d("L_2", "W"): dL2, "\\lambda_1": 0.3,
        "\\lambda_2": 0.2, "W": W, "i": range(1, D + 1), "j": range(1, H + 1),
    }  # fmt: skip


@case("dropout")
@case("dropout-gradient")
def dropout(rng):
    p, A, T = 0.3, rng.normal(size=(N, D)), rng.normal(size=(N, H))
    mask, W, b = regularization.dropout_mask((N, D), p, rng), rng.normal(size=(D, H)), np.zeros(H)
    mask[0, :2] = 0, 1 / (1 - p)
    net = network.Network([W, b], ["tanh"])
    outputs = net.forward(A, [mask])
    gradient = losses.half_squared_error(outputs[-1], T)[1]
    of_A = net.backward(outputs, gradient, [mask])[1]
    dropped = slopes(lambda x: np.sum((np.tanh(x @ W + b) - T) ** 2) / (2 * N), A * mask)[0]
    return {
        "A": A, "M": mask, "\\tilde A": A * mask, "p": p, d("L", "A"): of_A,
        d("L", "\\tilde A"): dropped, "n": range(1, N + 1), "i": range(1, D + 1),
    }  # fmt: skip


# Warps: pixels counted from 1, as the formulas' sums over arrays are


@case("bilinear")
def bilinear(rng):
    """All but a corner of the image is black, so the sums need no other pixels."""
    image, field = np.zeros((SIDE, SIDE)), rng.uniform(-1, 4, (2, SIDE, SIDE))
    image[:4, :4] = rng.random((4, 4))
    warped = augmentation.warp(image.reshape(1, -1), field).reshape(SIDE, SIDE)
    return {
        "x'": warped, "x": image, "u": field[0] + 1, "v": field[1] + 1, "r": (2, 17), "c": (1, 28),
        "i": range(1, 5), "j": range(1, 5),
    }  # fmt: skip


@case("affine-field")
def affine_field(rng):
    seed, row, column = int(rng.integers(9)), 3, 20
    options = {"rotation": 30.0, "scale": 0.3, "shear": 0.4, "shift": 2.0}
    field = augmentation.affine_fields(1, np.random.default_rng(seed), **options)[:, 0, row, column]
    rng = np.random.default_rng(seed)  # the same draws
    angle, s = np.radians(rng.uniform(-30, 30)), np.exp(rng.uniform(-0.3, 0.3, 2))
    return {
        "u": field[0], "v": field[1], "\\theta": angle, "s": s, "k": rng.uniform(-0.4, 0.4),
        "d": rng.uniform(-2, 2, 2), "m": CENTRE, "r": row, "c": column,
    }  # fmt: skip


@case("elastic-field")
def elastic_field(rng):
    seed, sides = int(rng.integers(9)), range(1, SIDE + 1)
    field = augmentation.elastic_displacements(1, np.random.default_rng(seed), 7.0, 3.0)[:, 0]
    noise = np.random.default_rng(seed).uniform(-1, 1, (2, 1, SIDE, SIDE))[:, 0]

    def gauss(x):
        return np.exp(-(x**2) / (2 * 3.0**2)) / (np.sqrt(2 * np.pi) * 3.0)

    return {
        "\\Delta u": field[0], "\\Delta v": field[1], "\\alpha": 7.0, "G_\\sigma": gauss,
        "\\xi": noise.transpose(1, 2, 0), "r": (4,), "c": (9,), "r'": sides, "c'": sides,
    }  # fmt: skip


# Fast training


@case("products-of-a-step")
def products_of_a_step(rng):
    widths = [7, 5, 4, 3]
    shapes = list(pairwise(widths))
    forward = sum(N * a * b for a, b in shapes)
    of_weights = sum(a * N * b for a, b in shapes)
    of_inputs = sum(N * b * a for a, b in shapes[1:])  # nobody needs those of the images
    return {
        "M": forward + of_weights + of_inputs, "D": dict(enumerate(widths, 1)), "N": N,
        "L": len(shapes), "l": range(1, 4),
    }  # fmt: skip


@case("active-columns")
def active_columns(rng):
    X, W, b, delta = (rng.normal(size=shape) for shape in [(N, D), (D, H), H, (N, H)])
    X[:, [1]] = 0
    S = np.array([1, 3, 4])
    return {
        "X": X, "W": {1: W}, "b_1": b, "S": S, "\\delta_1": delta,
        "Z_1": network.dense_forward(X, W, b),
        d("L", "W"): {1: network.dense_backward(X, W, delta)[0]},
    }  # fmt: skip


@case("expected-columns")
def expected_columns(rng):
    q, examples = rng.uniform(0.2, 0.8, D), 2
    expected = 0.0
    for lit in product([0, 1], repeat=examples * D):  # all images that there can be
        lit = np.reshape(lit, (examples, D))
        expected += np.prod(np.where(lit, q, 1 - q)) * np.any(lit, axis=0).sum()
    return {
        "\\mathbb E": lambda x: x,
        "S": expected,
        "q": q,
        "D": D,
        "N": examples,
        "i": range(1, D + 1),
    }


@case("sorted-pixels")
def sorted_pixels(rng):
    X, W, order = rng.normal(size=(N, D)), rng.normal(size=(D, H)), rng.permutation(D) + 1
    return {
        "X": X, "W": {1: W}, "\\pi": lambda i: order[int(i) - 1], "D": D, "i": range(1, D + 1),
    }  # fmt: skip


# Several machines


@case("shard-gradient")
@case("unweighted-error")
def shard_gradient(rng):
    sizes, g = [5, 2, 1], rng.normal(size=(3, D))
    (whole,) = data_parallel.mean_of_shards([[row] for row in g], sizes)
    return {
        d("L", "\\theta"): whole, "N": Both(8, np.array(sizes)), "g": g, "K": 3, "k": range(1, 4)
    }  # fmt: skip


P = 12  # parameters


@case("ring-bytes")
def ring_bytes(rng):
    _, sent = data_parallel.ring_all_reduce(list(rng.normal(size=(3, P))))
    return {"": sent[0], "K": 3, "c": 8, "P": P}


@case("step-operations")
def step_operations(rng):
    n, widths = 5, [(7, 4), (4, 3)]
    operations = sum(2 * 3 * n * a * b for a, b in widths)  # a product and a sum, three times
    return {"": operations, "n": n, "P": 7 * 4 + 4 * 3}


def transfer_time(workers, numbers, width, latency, bandwidth):
    """Return how long a ring takes: in each round all send a piece, at once."""
    pieces = [len(piece) for piece in np.array_split(np.zeros(numbers), workers)]
    return sum(latency + width * pieces[0] / bandwidth for _ in range(2 * (workers - 1)))


@case("ring-time")
def ring_time(rng):
    names = {"K": 4, "P": P, "c": 8, "a": rng.random(), "B": rng.uniform(1, 9)}
    return names | {"t_{\\text{ring}}": transfer_time(4, P, 8, names["a"], names["B"])}


def machine(rng):
    names = {"K": 4, "P": P, "c": 8, "B": rng.uniform(1, 9), "F": rng.uniform(10, 90), "N": 64}
    return names, lambda n: 6 * n * P / names["F"], transfer_time(4, P, 8, 0.0, names["B"])


@case("equal-times")
def equal_times(rng):
    names, computing, sending = machine(rng)
    return names | {"n^*": root(lambda n: computing(n) - sending, 0, 1e6)}


@case("speed-up")
@case("speed-up-limit")
def speed_up(rng):
    names, computing, sending = machine(rng)
    alone, together = computing(64), computing(64 / 4) + sending
    large = 4096  # with so many workers all sending takes 2 c P / B
    limit = computing(64) / (transfer_time(large, large, 8, 0.0, names["B"]) * P / large)
    assert abs(limit * (large - 1) / large / (computing(64) / (2 * 8 * P / names["B"])) - 1) < 1e-9
    return names | {"S": alone / together, "R": computing(64) / (2 * 8 * P / names["B"])}


@case("speed-up-at-all")
def speed_up_at_all(rng):
    names, computing, sending = machine(rng)
    least = root(lambda N: computing(N / 4) + sending - computing(N), 1e-6, 1e6)
    return names | {"N": least, "inside": {"N": 1.1 * least}}
