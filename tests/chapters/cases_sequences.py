"""The formulas of chapters 5 to 7: optimizers, backpropagation through time, a character model."""

import numpy as np
from cases import TIMES, D, H, N, T, case, root, sigma, slopes
from formula import after, d

from backprop import autodiff, losses, optimizers, recurrent, schedules

# Descent on a parabola, whose slope is lambda w: where it is stable, and how fast


def steps(optimizer, gradients, w, **slots):
    """Return the parameter after each update, and each slot, under numbers from t on."""
    p = np.array(w)
    values, kept = {0: p.copy()}, {name: {} for name in slots.values()}
    for t, g in enumerate(gradients, start=1):
        optimizer.step([p], [g])
        values[t] = p.copy()
        for slot, name in slots.items():
            kept[name][t] = optimizer.state[0][slot].copy()
    return values, kept


def spectral_radius(optimizer, curvature, place=lambda w, v: w):
    """Return the largest factor that one update has on a parabola: the map of (w, v) is linear."""
    columns = []
    for w, v in np.eye(2):
        p = np.array([w])
        one = optimizer()
        if one.slots:
            one.state = [{"velocity": np.array([v])}]
            one.iterations = 1
        one.step([p], [curvature * np.array([place(w, v)])])
        columns.append([p[0], one.state[0]["velocity"][0] if one.slots else 0.0])
    return max(abs(np.linalg.eigvals(np.array(columns).T)))


@case("least-squares-floor")
def least_squares_floor(rng):
    X, t = rng.normal(size=(9, D)), rng.normal(size=9)
    w = np.linalg.lstsq(X, t)[0]
    floor = losses.mean_squared_error((X @ w)[:, np.newaxis], t[:, np.newaxis])[0]
    return {"X": X, "t": t, "w^*": w, "L_{\\min}": floor, "N": 9}


@case("sgd")
def sgd(rng):
    g = rng.normal(size=(2, H))
    w, _ = steps(optimizers.SGD(0.3), g, rng.normal(size=H))
    return {"w": w, "g": {0: g[0], 1: g[1]}, "\\eta": 0.3, "t": (0, 1)}


@case("stability-bound")
def stability_bound(rng):
    curvature = rng.uniform(1, 3)
    rate = root(lambda rate: spectral_radius(lambda: optimizers.SGD(rate), curvature) - 1, 0.1, 9)
    return {"\\eta": rate, "\\lambda": curvature, "inside": {"\\eta": 0.9 * rate}}


@case("momentum-stability")
def momentum_stability(rng):
    curvature = rng.uniform(1, 3)

    def excess(rate):
        return spectral_radius(lambda: optimizers.Momentum(rate, 0.7), curvature) - 1

    rate = root(excess, 0.1, 9)
    return {
        "\\eta": rate, "\\lambda": curvature, "\\mu": 0.7, "inside": {"\\eta": 0.9 * rate}
    }  # fmt: skip


@case("best-rate")
def best_rate(rng):
    low, high = np.sort(rng.uniform(1, 9, 2))

    def factor(rate, curvature):
        return spectral_radius(lambda: optimizers.SGD(rate), curvature)

    rate = root(lambda rate: factor(rate, low) - factor(rate, high), 1 / high, 2 / high)
    return {"\\eta": rate, "\\lambda_{\\min}": low, "\\lambda_{\\max}": high, "\\kappa": high / low}


@case("best-momentum", tolerance=1e-4)
def best_momentum(rng):
    low, high = np.sort(rng.uniform(1, 9, 2))

    def factor(rate, momentum):
        optimizer = lambda: optimizers.Momentum(rate, momentum)  # noqa: E731
        return max(spectral_radius(optimizer, low), spectral_radius(optimizer, high))

    def smallest(f, a, b):
        """Return where a function with one valley is smallest, by thirds."""
        for _ in range(32):
            x, y = a + (b - a) / 3, b - (b - a) / 3
            a, b = (a, y) if f(x) < f(y) else (x, b)
        return (a + b) / 2

    def best(momentum):
        return smallest(lambda rate: factor(rate, momentum), 1e-3, 4 / low)

    momentum = smallest(lambda m: factor(best(m), m), 0, 0.9)
    rate = best(momentum)
    return {
        "R": factor(rate, momentum), "\\mu": momentum, "\\kappa": high / low, "\\eta": rate,
        "\\lambda_{\\min}": low, "\\lambda_{\\max}": high,
    }  # fmt: skip


@case("noise-floor")
def noise_floor(rng):
    rate, curvature, noise, v = 0.3, rng.uniform(1, 3), rng.uniform(1, 2), 0.0
    for _ in range(1000):
        v = (1 - rate * curvature) ** 2 * v + rate**2 * noise**2
    return {"v": v, "\\eta": rate, "\\lambda": curvature, "\\sigma": noise}


# Schedules


def schedule(label, of_rate, **more):
    @case(label)
    def draw(rng):
        rates = {t: of_rate(t) for t in range(1, 5)}
        return {"\\eta": rates, "\\eta_0": 0.4, "t": range(1, 5), "s": 7, **more}


schedule("exponential-decay", schedules.ExponentialDecay(0.4, 7, 0.3), q=0.3)
schedule("inverse-time-decay", schedules.InverseTimeDecay(0.4, 7, 0.3), q=0.3)
schedule("cosine-decay", schedules.CosineDecay(0.4, 7))


@case("clip")
def clip(rng):
    g = rng.normal(size=H)
    limit = rng.choice([0.5, 2]) * np.linalg.norm(g)  # some are too long, some are not
    (clipped,), _ = optimizers.clip_by_global_norm([g], limit)
    return {"g": g, "c": limit, after("g"): clipped}


# Optimizers: three updates each


def optimizer(label, one, **slots):
    def decorate(names_of):
        @case(label)
        def draw(rng):
            g = rng.normal(size=(3, H))
            w, kept = steps(one(), g, rng.normal(size=H), **slots)
            names = {"\\eta": 0.3, "g": dict(enumerate(g)), "t": (1, 2)}
            return names | names_of(w, kept) | kept

    return decorate


def numbered_from_1(values):
    """Return the same under numbers one larger: the book counts these updates from 1."""
    return {t + 1: value for t, value in values.items()}


@optimizer("momentum", lambda: optimizers.Momentum(0.3, 0.7), velocity="v")
def momentum(w, kept):
    return {"w": w, "\\mu": 0.7}


@optimizer("nesterov", lambda: optimizers.Nesterov(0.3, 0.7), velocity="v")
def nesterov(w, kept):
    return {"p": w, "\\mu": 0.7}


@case("nesterov-lookahead")
def nesterov_lookahead(rng):
    """The package's parameters are the places p = w + mu v; its w stands there minus mu v."""
    p, one = rng.normal(size=H), optimizers.Nesterov(0.3, 0.7)
    v, w = {0: np.zeros(H)}, {0: p.copy()}
    for t in (1, 2):
        one.step([p], [np.cos(p)])
        v[t] = one.state[0]["velocity"].copy()
        w[t] = p - 0.7 * v[t]
    return {"v": v, "w": w, "\\nabla L": np.cos, "\\mu": 0.7, "\\eta": 0.3, "t": (0, 1)}


def divided(label, one, slot, name, **more):
    @case(label)
    def draw(rng):
        g = rng.normal(size=(3, H))
        w, kept = steps(one(), g, rng.normal(size=H), **{slot: name})
        names = {"\\eta": 0.3, "\\epsilon": 0.2, "g": numbered_from_1(dict(enumerate(g)))}
        return names | kept | {"w": numbered_from_1(w), "t": (2, 3), **more}


divided(
    "adagrad",
    lambda: optimizers.Adagrad(0.3, initial_accumulator_value=0.1, epsilon=0.2),
    "accumulator",
    "G",
)
divided(
    "rmsprop",
    lambda: optimizers.RMSProp(0.3, rho=0.8, epsilon=0.2),
    "mean_square",
    "s",
    **{"\\rho": 0.8},
)


@case("adadelta")
def adadelta(rng):
    g = rng.normal(size=(3, H))
    w, kept = steps(
        optimizers.Adadelta(0.3, rho=0.8, epsilon=0.2), g, rng.normal(size=H),
        mean_square="s", mean_square_step="d",
    )  # fmt: skip
    Delta = {t: (w[t - 1] - w[t]) / 0.3 for t in (1, 2, 3)}
    return kept | {
        "w": numbered_from_1(w), "g": numbered_from_1(dict(enumerate(g))), "\\Delta": Delta,
        "\\eta": 0.3, "\\rho": 0.8, "\\epsilon": 0.2, "t": (2, 3),
    }  # fmt: skip


@case("adam")
def adam(rng):
    g, w0 = rng.normal(size=(3, H)), rng.normal(size=H)
    settings = {"learning_rate": 0.3, "beta_1": 0.7, "beta_2": 0.8, "epsilon": 0.2}
    w, kept = steps(optimizers.Adam(**settings), g, w0, mean="m", mean_square="s")
    names = {"w": numbered_from_1(w), "t": (2, 3), "\\eta": 0.3, "\\epsilon": 0.2}
    names |= {"\\beta_1": 0.7, "\\beta_2": 0.8, "g": numbered_from_1(dict(enumerate(g)))}
    return kept | names


@case("adamw")
def adamw(rng):
    g, w0 = rng.normal(size=H), rng.normal(size=H)
    w, _ = steps(optimizers.AdamW(0.3, weight_decay=0.5), [g], w0)
    step, _ = steps(optimizers.Adam(0.3), [g], np.zeros(H))
    return {"w": w, "t": (0,), "\\eta": 0.3, "c": 0.5, "\\text{Adam's step}": -step[1]}


@case("adagrad-step")
def adagrad_step(rng):
    g, t = rng.normal() ** 2, 5
    one = optimizers.Adagrad(0.3, initial_accumulator_value=0.0, epsilon=1e-30)
    w, _ = steps(one, [np.full(1, g)] * t, [0.0])
    return {"": w[t - 1][0] - w[t][0], "\\eta": 0.3, "g": g, "t": t}


@case("bias-correction")
def bias_correction(rng):
    g = rng.normal(size=H)
    _, kept = steps(optimizers.Adam(beta_1=0.7), [g] * 4, np.zeros(H), mean="m")
    return kept | {"g": g, "\\beta": 0.7, "t": range(1, 5)}


# Through time. A loop that anyone can read gives the derivatives in what a step holds: it is pushed
# there, and the number L that weighs all outputs answers.


def draw_layer(kind, rng, mask=None):
    """Return a layer, its sequence, states, cache, what weighs its outputs, and its gradients."""
    cell = getattr(recurrent, kind)
    width = cell.gate_count * H
    layer = cell([rng.normal(0, 0.7, shape) for shape in [(D, width), (H, width), width]])
    X, c = rng.normal(size=(T, N, D)), rng.normal(size=(T, N, H))
    state = [rng.normal(size=(N, H)) for _ in range(cell.state_count)]
    cache = layer.forward(X, state, mask)
    return layer, X, c, state, cache, layer.backward(cache, c)


def by_step(array, first=1):
    """Return the steps of an array under their numbers."""
    return dict(enumerate(array, start=first))


def rnn_loss(X, h, parameters, c, push_z, push_h, mask):
    """Return the weighed outputs of a simple layer whose inputs z and outputs h are pushed."""
    Wx, Wh, b = parameters
    total = 0
    for t in range(T):
        h = mask[t] * (np.tanh(X[t] @ Wx + h @ Wh + b + push_z[t])) + (1 - mask[t]) * h + push_h[t]
        total = total + np.sum(c[t] * h)
    return total


@case("rnn-step")
@case("carried-error")
@case("rnn-delta")
@case("rnn-gradients")
def rnn(rng, mask=None):
    layer, X, c, (h0,), cache, (gradients, _, (dh0,)) = draw_layer("SimpleRNN", rng, mask)
    Wx, Wh, b = layer.parameters
    zeros = np.zeros((T, N, H))
    steps_made = np.ones((T, N, 1)) if mask is None else 1.0 * mask[:, :, np.newaxis]
    delta, dh = slopes(
        lambda *push: rnn_loss(X, h0, layer.parameters, c, *push, steps_made), zeros, zeros
    )
    h = {0: h0, **by_step(cache.outputs)}
    return {
        "x": by_step(X), "h": h, "z": by_step(np.arctanh(cache.gates)), "W_x": Wx,
        "W_h": Wh, "b": b, "\\delta": by_step(delta) | {T + 1: np.zeros((N, H))},
        d("L", "h"): by_step(dh) | {0: dh0}, d("^{+} L", "h"): by_step(c) | {0: np.zeros((N, H))},
        d("L", "W_x"): gradients[0], d("L", "W_h"): gradients[1], d("L", "b"): gradients[2],
        "n": range(1, N + 1), "h_0": h0, **TIMES,
    }  # fmt: skip


@case("masked-step")
def masked_step(rng):
    mask = rng.random((T, N)) < 0.5
    mask[0, 0], mask[0, 1] = True, False
    names = rnn(rng, mask)
    m = mask[:, :, np.newaxis] * 1.0
    before = np.array([names["h"][t] for t in range(T)])
    X = np.array([names["x"][t + 1] for t in range(T)])
    candidates = np.tanh(X @ names["W_x"] + before @ names["W_h"] + names["b"])
    dh = np.array([names[d("L", "h")][t + 1] for t in range(T)])
    return names | {
        "m": by_step(m), "\\tilde h": by_step(candidates),
        "\\delta": by_step(dh * (1 - candidates**2)),
    }  # fmt: skip


@case("jacobian-product")
def jacobian_product(rng):
    """Only the last state is weighed, and one example is enough: its states are vectors."""
    layer, _, _, _, cache, _ = draw_layer("SimpleRNN", rng)
    last = rng.normal(size=(N, H))
    _, _, (first,) = layer.backward(cache, np.zeros((T, N, H)), [last])
    outputs = {t: cache.outputs[t - 1, 0] for t in range(1, T + 1)}
    return {
        d("L", "h"): {0: first[0], T: last[0]}, "h": outputs, "W_h": layer.parameters[1],
        "D": {t: np.diag(1 - h**2) for t, h in outputs.items()}, **TIMES,
    }  # fmt: skip


def lstm_loss(X, h, c, parameters, weights, push_z, push_h, push_c):
    Wx, Wh, b = parameters
    total = 0
    for t in range(T):
        i, f, g, o = np.split(X[t] @ Wx + h @ Wh + b + push_z[t], 4, axis=1)
        c = sigma(f) * c + sigma(i) * np.tanh(g) + push_c[t]
        h = sigma(o) * np.tanh(c) + push_h[t]
        total = total + np.sum(weights[t] * h)
    return total


@case("lstm-step", leaves=("(i_t, f_t, o_t)", "g_t = \\tanh(\\cdot)"))
@case("lstm-cell-error")
@case("lstm-delta")
def lstm(rng):
    layer, X, weights, (h0, c0), cache, _ = draw_layer("LSTM", rng)
    zeros = np.zeros((T, N, H))
    delta, dh, dc = slopes(
        lambda *push: lstm_loss(X, h0, c0, layer.parameters, weights, *push),
        np.zeros((T, N, 4 * H)), zeros, zeros,
    )  # fmt: skip
    i, f, g, o = np.split(cache.gates, 4, axis=2)
    names = {
        f"\\delta^{name}": by_step(part)
        for name, part in zip("ifgo", np.split(delta, 4, axis=2), strict=True)
    }
    nothing = {T + 1: np.zeros((N, H))}
    return names | {
        "i": by_step(i), "f": by_step(f) | nothing, "g": by_step(g), "o": by_step(o),
        "c": by_step(cache.states[1], 0), "h": by_step(cache.states[0], 0),
        d("L", "h"): by_step(dh), d("L", "c"): by_step(dc) | nothing, **TIMES,
    }  # fmt: skip


def gru_loss(X, h, parameters, weights, push_z, push_h):
    Wx, Wh, b = parameters
    total = 0
    for t in range(T):
        inputs = X[t] @ Wx + b + push_z[t]
        z, r = (sigma(inputs[:, part] + h @ Wh[:, part]) for part in (slice(H), slice(H, 2 * H)))
        g = np.tanh(inputs[:, 2 * H :] + (r * h) @ Wh[:, 2 * H :])
        h = z * h + (1 - z) * g + push_h[t]
        total = total + np.sum(weights[t] * h)
    return total


@case("gru-step", leaves=("(z_t, r_t)",))
@case("gru-delta")
def gru(rng):
    layer, X, weights, (h0,), cache, (gradients, _, (dh0,)) = draw_layer("GRU", rng)
    delta, dh = slopes(
        lambda *push: gru_loss(X, h0, layer.parameters, weights, *push),
        np.zeros((T, N, 3 * H)), np.zeros((T, N, H)),
    )  # fmt: skip
    z, r, g = np.split(cache.gates, 3, axis=2)
    of_z, of_r, of_g = np.split(delta, 3, axis=2)
    Wx, Wh, b = layer.parameters
    totals = [dh0, *dh]  # what arrives at a state: directly and carried
    carried = {t: totals[t - 1] - (weights[t - 2] if t > 1 else 0) for t in range(1, T + 1)}
    return {
        "x": by_step(X), "h": by_step(cache.states[0], 0), "z": by_step(z), "r": by_step(r),
        "g": by_step(g),
        "W_x^g": Wx[:, 2 * H :], "W_h^g": Wh[:, 2 * H :], "b^g": b[2 * H :], "W_h^z": Wh[:, :H],
        "W_h^r": Wh[:, H : 2 * H], "\\delta^g": by_step(of_g), "\\delta^z": by_step(of_z),
        "\\delta^r": by_step(of_r), "d": by_step(dh), "e": by_step(of_g @ Wh[:, 2 * H :].T),
        d("L", "W_h^g"): gradients[1][:, 2 * H :], "": carried, **TIMES,
    }  # fmt: skip


@case("embedding-gradient")
def embedding_gradient(rng):
    letters, rows = 3, rng.normal(size=(3, D))
    ids, weights = rng.integers(0, letters, (T, N)), rng.normal(size=(T, N, D))
    (gradient,) = autodiff.gradients(lambda M: np.sum(M[ids] * weights), rows)
    return {
        "i": ids + 1, d("L", "x"): weights, d("L", "M"): gradient, "j": range(1, letters + 1),
        "n": range(1, N + 1), "t": range(1, T + 1),
    }  # fmt: skip
