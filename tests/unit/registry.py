"""Whatever in the package has a gradient, one entry each; test_gradients.py checks all of them.

A new loss, layer or regularizer gets its checks (by hand, by TensorFlow's tape, by central
differences, by the complex step, by autodiff in both modes, in float32) by one entry in a list:
``loss(name, formula, tape, labels=...)``, for example, or a `Differentiable`. What returns an array
gets one more argument c, of its shape: the number is then ``sum(c * array)``, and the gradient in c
is the array itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from smooth import masked_case

from backprop import activations, augmentation, fast, losses, network, recurrent, regularization
from backprop.augmentation import SIDE


@dataclass(frozen=True)
class Differentiable:
    """A number that depends on arrays, and its gradients."""

    name: str  # starts with the name of what is checked
    # Takes the arguments; returns the number and its gradients in the first of them, or its one.
    by_hand: Callable[..., Any]
    # The same number, independent of the package: autodiff follows it; and in TensorFlow, given tf.
    formula: Callable[..., Any]
    tape: Callable[..., Any]
    # Takes a generator and sizes, returns the arguments, in float64 and away from kinks. Some sizes
    # are all different, so that no axis can be taken for another, some equal.
    draw: Callable[..., list]
    sizes: tuple = ((4, 3, 2), (3, 3, 3), (1, 1, 1))
    analytic: bool = True  # whether complex numbers can go through the formula
    examples: tuple = ()  # the arguments with a row for each example, if it is a mean over examples
    labels: tuple = ()  # those of the equations that the entry tests


def away(rng, shape):
    """Draw numbers that are not near 0, 1 and -1, where something has a kink."""
    return rng.choice([-1, 1], shape) * (rng.uniform(0.1, 0.9, shape) + rng.integers(0, 2, shape))


def twin():
    return import_module("backprop.tensorflow_twin")  # which needs TensorFlow


# Activations

ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
}


def activation(name, **options):
    def by_hand(z, c):
        a = getattr(activations, name)(z)
        return float(np.sum(c * a)), [c * getattr(activations, f"{name}_derivative")(a), +a]

    return Differentiable(
        name,
        by_hand,
        formula=lambda z, c: np.sum(c * ACTIVATIONS[name](z)),
        tape=lambda tf, z, c: tf.reduce_sum(c * twin().ACTIVATIONS[name](z)),
        draw=lambda rng, *shape: [away(rng, shape), rng.normal(size=shape)],
        sizes=((), (5,), (3, 2), (2, 3, 4)),
        **options,
    )


def softmax_by_hand(z, c):
    p = activations.softmax(z)
    return float(np.sum(c * p)), [p * (c - np.sum(c * p, axis=1, keepdims=True)), p]


ROWS = [
    activation("identity"),
    activation("sigmoid", labels=("sigmoid", "sigmoid-derivative")),
    activation("tanh", labels=("tanh-derivative",)),
    activation("relu", analytic=False),
    Differentiable(
        "softmax",
        softmax_by_hand,
        formula=lambda z, c: np.sum(c * np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True)),
        tape=lambda tf, z, c: tf.reduce_sum(c * tf.nn.softmax(z)),
        draw=lambda rng, *shape: list(rng.normal(size=(2, *shape))),
        sizes=((4, 3), (3, 3), (1, 2)),
        labels=("softmax",),
    ),
]

# Losses


def huber(y, t):
    error = abs(y - t)
    clipped = np.minimum(error, 1)
    return np.mean(clipped * (error - clipped / 2))


def loss(name, formula, tape=None, by_hand=None, least=1, **options):
    def draw(rng, N, K):
        T = activations.softmax(rng.normal(size=(N, K)))
        return [T + away(rng, (N, K)), T]

    return Differentiable(
        name,
        by_hand or getattr(losses, name),
        formula,
        tape or (lambda tf, *arguments: twin().LOSSES[name](*arguments)),
        draw,
        sizes=((4, 3), (3, 3), (1, least), (5, least), (1, 4)),
        examples=(0, 1),
        **options,
    )


def sigmoid_cross_entropy(z, t):
    p = 1 / (1 + np.exp(-z))
    return -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))


def softmax_cross_entropy(z, t):
    p = np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True)
    return -np.sum(t * np.log(p)) / z.shape[0]


LOSSES = [
    loss(
        "mean_squared_error",
        lambda y, t: np.mean((y - t) ** 2),
        labels=("mean-squared-error", "mean-squared-error-gradient"),
    ),
    loss(
        "half_squared_error",
        lambda y, t: np.sum((y - t) ** 2) / (2 * y.shape[0]),
        labels=("half-squared-error", "half-squared-error-gradient"),
    ),
    loss(
        "mean_absolute_error",
        lambda y, t: np.mean(abs(y - t)),
        analytic=False,
        labels=("mean-absolute-error", "mean-absolute-error-gradient"),
    ),
    loss("huber", huber, analytic=False, labels=("huber", "huber-gradient")),
    loss(
        "sigmoid_cross_entropy",
        sigmoid_cross_entropy,
        labels=("sigmoid-cross-entropy", "sigmoid-cross-entropy-gradient"),
    ),
    loss(
        "softmax_cross_entropy",
        softmax_cross_entropy,
        least=2,
        labels=("softmax-cross-entropy", "softmax-cross-entropy-gradient"),
    ),
]
ROWS += [
    *LOSSES,
    loss(
        "softmax_cross_entropy_inplace",
        softmax_cross_entropy,
        lambda tf, z, t: twin().LOSSES["softmax_cross_entropy"](z, t),
        lambda z, t: fast.softmax_cross_entropy_inplace(z.copy(), t),
        least=2,
    ),
]

# Layers and networks


def dense_by_hand(X, W, b, c):
    dW, db, dX = network.dense_backward(X, W, c)
    Z = network.dense_forward(X, W, b)
    return float(np.sum(c * Z)), [dX, dW, db, Z]


def multilayer(names, loss_name, masked=False, sizes=None, N=5, fast_one=False, **options):
    """Return the entry of a network: its arguments are the parameters, X, targets, masks."""
    split, kind = 2 * len(names), fast.FastNetwork if fast_one else network.Network
    loss = getattr(*(fast, f"{loss_name}_inplace") if fast_one else (losses, loss_name))
    (of_loss,) = (row for row in LOSSES if row.name == loss_name)

    def by_hand(*arguments):
        net, (X, T, *masks) = kind(arguments[:split], names), arguments[split:]
        value, gradients = net.loss_and_gradients(loss, X, T, masks or None)
        if not fast_one:
            outputs = net.forward(X, masks or None)
            gradients.append(net.backward(outputs, loss(outputs[-1], T)[1], masks or None)[1])
        return value, gradients

    def formula(*arguments, f=ACTIVATIONS, of_output=of_loss.formula):
        A, T, *masks = arguments[split:]
        for i, name in enumerate(names):
            W, b = arguments[2 * i : 2 * i + 2]
            A = f[name]((A * masks[i] if masks else A) @ W + b)
        return of_output(A, T)

    def draw(rng):
        net, X, T, masks = masked_case(names, 0.4 if masked else 0, sizes, N)
        if fast_one:
            X[:, [1, 3]] = 0  # inputs that it leaves out
        return [*net.parameters, X, T, *masks[: masked * len(names)]]

    return Differentiable(
        f"{kind.__name__}, {'-'.join(names)}, {loss_name}, {masked=}, {sizes=}",
        by_hand,
        formula,
        lambda tf, *a: formula(*a, f=twin().ACTIVATIONS, of_output=twin().LOSSES[loss_name]),
        draw,
        sizes=((),),
        analytic="relu" not in names and of_loss.analytic,
        examples=tuple(range(split, split + 2 + len(names))),
        **options,
    )


ROWS += [
    Differentiable(
        "dense_backward",
        dense_by_hand,
        formula=lambda X, W, b, c: np.sum(c * (X @ W + b)),
        tape=lambda tf, X, W, b, c: tf.reduce_sum(c * (X @ W + b)),
        draw=lambda rng, N, D, H: [rng.normal(size=s) for s in [(N, D), (D, H), (H,), (N, H)]],
        labels=("layer-forward", "weight-gradient", "bias-gradient", "input-gradient"),
    ),
    *(
        multilayer([name] * depth, "half_squared_error", depth != 2, labels=("delta-recursion",))
        for name in ACTIVATIONS
        for depth in (1, 2, 3)
    ),
    *(multilayer(["tanh", "identity"], row.name) for row in LOSSES),
    multilayer(["relu", "tanh", "sigmoid"], "huber", masked=True, labels=("dropout-gradient",)),
    multilayer(["sigmoid", "relu", "identity"], "softmax_cross_entropy", masked=True),
    multilayer(["tanh", "sigmoid"], "mean_squared_error", True, [3, 3, 3], N=3),
    multilayer(["tanh", "sigmoid"], "mean_squared_error", True, [1, 1, 1], N=1),
    *(
        multilayer(["relu", "relu", "identity"], "softmax_cross_entropy", masked, fast_one=True)
        for masked in (False, True)
    ),
]

# Regularizers: kernels of two axes and more, and biases, which are free


SHAPES = [(4, 3), (3,), (3, 2), (2,), (2, 3, 2), (1, 2, 1, 3)]


def penalty(name, of_weights, **options):
    def formula(*parameters, total=np.sum):
        return 0.3 * sum(total(of_weights(p)) * (len(p.shape) > 1) for p in parameters)

    return Differentiable(
        name,
        by_hand=lambda *parameters: getattr(regularization, name)(parameters, 0.3),
        formula=formula,
        tape=lambda tf, *parameters: formula(*parameters, total=tf.reduce_sum),
        draw=lambda rng: [away(rng, shape) for shape in SHAPES],
        sizes=((),),
        analytic=name == "l2",
        **options,
    )


ROWS += [
    penalty("l1", abs, labels=("l1-penalty", "l1-gradient")),
    penalty("l2", lambda p: p * p, labels=("l2-penalty", "l2-gradient")),
]

# Recurrent layers


def through_time(kind, xp, total):
    """Return the number as a function of parameters, sequences, states and what weighs them."""

    def sigma(z):
        return 1 / (1 + xp.exp(-z))

    def after(x, state, Wx, Wh, b):
        h, H = state[0], Wh.shape[0]
        if kind == "SimpleRNN":
            return [xp.tanh(x @ Wx + h @ Wh + b)]
        # In an LSTM the gates are i, f, g, o; in a GRU z, r, g.
        gates = [slice(k * H, k * H + H) for k in range(4)]
        z = [x @ Wx[:, k] + b[k] for k in gates[: 4 if kind == "LSTM" else 3]]
        if kind == "LSTM":
            i, f, g, o = (part + h @ Wh[:, k] for part, k in zip(z, gates, strict=True))
            c = sigma(f) * state[1] + sigma(i) * xp.tanh(g)
            return [sigma(o) * xp.tanh(c), c]
        update, reset = (sigma(z[k] + h @ Wh[:, gates[k]]) for k in (0, 1))
        return [update * h + (1 - update) * xp.tanh(z[2] + (reset * h) @ Wh[:, gates[2]])]

    def f(Wx, Wh, b, X, *rest):
        states = len(rest) // 2 - 1
        state, c_outputs, mask = rest[:states], rest[states], rest[-1]
        value = 0.0
        for t in range(X.shape[0]):
            m = mask[t][:, np.newaxis] * 1.0
            pairs = zip(after(X[t], state, Wx, Wh, b), state, strict=True)
            state = [m * new + (1 - m) * old for new, old in pairs]
            value = value + total(c_outputs[t] * state[0])
        return value + sum(total(c * s) for c, s in zip(rest[states + 1 : -1], state, strict=True))

    return f


def recurrent_layer(kind, mask="no mask", **options):
    """Return an entry whose number weighs all outputs and the last states."""
    layer = getattr(recurrent, kind)

    def by_hand(Wx, Wh, b, X, *rest):
        states = layer.state_count
        state, c_outputs, last = rest[:states], rest[states], rest[states + 1 : -1]
        steps = None if mask == "no mask" else rest[-1]
        cell = layer([Wx, Wh, b])
        cache = cell.forward(X, state, steps)
        gradients, dX, d_state = cell.backward(cache, c_outputs, last)
        ends = sum(np.sum(c * s[-1]) for c, s in zip(last, cache.states, strict=True))
        return float(np.sum(c_outputs * cache.outputs) + ends), [*gradients, dX, *d_state]

    def draw(rng, T, N, D, H):
        width, states = layer.gate_count * H, [(N, H)] * layer.state_count
        shapes = [(D, width), (H, width), (width,), (T, N, D), *states, (T, N, H), *states]
        masks = {
            "no mask": np.ones((T, N), bool),
            "ends": np.arange(T)[:, np.newaxis] < rng.integers(0, T + 1, N),
            "holes": rng.random((T, N)) < 0.6,
        }
        return [*(rng.normal(0, 0.7, shape) for shape in shapes), masks[mask]]

    return Differentiable(
        f"{kind}, {mask}",
        by_hand,
        formula=through_time(kind, np, np.sum),
        tape=lambda tf, *a: through_time(kind, tf, tf.reduce_sum)(*a),
        draw=draw,
        sizes=((6, 4, 3, 2), (3, 3, 3, 3), (5, 1, 2, 1), (1, 1, 1, 1)),
        **options,
    )


ROWS += [
    recurrent_layer(kind, mask, labels=("carried-error", "rnn-gradients", "masked-step"))
    for kind in ("SimpleRNN", "LSTM", "GRU")
    for mask in ("ends", "holes")
]
ROWS += [
    recurrent_layer("SimpleRNN", labels=("rnn-step", "rnn-delta")),
    recurrent_layer("LSTM", labels=("lstm-step", "lstm-cell-error", "lstm-delta")),
    recurrent_layer("GRU", labels=("gru-step", "gru-delta")),
]

# Augmentation: a warp is linear in the images


def draw_warp(rng):
    """Return images, c, a field of which some places lie outside, and the matrix of its warp."""
    field = rng.uniform(-3, SIDE + 2, (2, SIDE, SIDE))
    rows, columns = (
        np.maximum(0, 1 - np.abs(places.reshape(-1, 1) - np.arange(SIDE))) for places in field
    )
    M = (rows[:, :, np.newaxis] * columns[:, np.newaxis]).reshape(SIDE**2, SIDE**2)
    return [rng.random((1, SIDE**2)), rng.normal(size=(1, SIDE**2)), field, M]


ROWS.append(
    Differentiable(
        "warp",
        by_hand=lambda X, c, field, M: (float(np.sum(c * augmentation.warp(X, field))), c @ M),
        formula=lambda X, c, field, M: np.sum((c @ M) * X),
        tape=lambda tf, X, c, field, M: tf.reduce_sum(c * (X @ M.T)),
        draw=draw_warp,
        sizes=((),),
        labels=("bilinear",),
    )
)
