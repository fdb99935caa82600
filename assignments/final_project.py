"""Final project: a machine that weighs measurements, from its loss to a report."""

import numpy as np
from assignments import Question


def losses(constant):
    low, high = f"{constant:g}", f"{1 - constant:g}"
    return {
        "fair": {
            "loss_formula": r"\ell(e) = c^2 \Bigl(\frac{\lvert e\rvert}{c} - \log\bigl(1 + "
            rf"\frac{{\lvert e\rvert}}{{c}}\bigr)\Bigr), \qquad c = {low}",
            "loss_code": [
                f"size, c = np.abs(e), {low}",
                "value, slope = c**2 * (size / c - np.log1p(size / c)), e / (1 + size / c)",
            ],
        },
        "bounded": {
            "loss_formula": rf"\ell(e) = \frac{{e^2}}{{2\,(1 + e^2/c^2)}}, \qquad c = {low}",
            "loss_code": [
                f"far = 1 + (e / {low}) ** 2",
                "value, slope = e**2 / (2 * far), e / far**2",
            ],
        },
        "lopsided": {
            "loss_formula": rf"\ell(e) = \begin{{cases}} {low}\,e^2 & e \ge 0 \\ "
            rf"{high}\,e^2 & e < 0 \end{{cases}}",
            "loss_code": [
                f"weight = np.where(e < 0, {high}, {low})",
                "value, slope = weight * e**2, 2 * weight * e",
            ],
        },
    }


CONSTANTS = {"fair": (0.5, 1.0), "bounded": (2.0, 3.0), "lopsided": (0.3, 0.4)}
KAPPAS = {
    "exponential": {
        "kappa_formula": "e^{s}",
        "kappa_code": ["k = np.exp(s - s.max(axis=1, keepdims=True))"],
        "kappa_slope": "a",
    },
    "sigmoid": {
        "kappa_formula": r"\sigma(s) = \frac{1}{1 + e^{-s}}",
        "kappa_code": [
            "log_k = -np.logaddexp(0, -s)",
            "k = np.exp(log_k - log_k.max(axis=1, keepdims=True))",
        ],
        "kappa_slope": "a * np.exp(-np.logaddexp(0, s))",
    },
    "square": {
        "kappa_formula": "1 + s^2",
        "kappa_code": ["k = 1 + s**2"],
        "kappa_slope": "2 * s / k.sum(axis=1, keepdims=True)",
    },
}
ACTIVATIONS = {
    "softsign": {
        "f_formula": r"\dfrac{z}{1 + \lvert z\rvert}",
        "f_code": "Z / (1 + np.abs(Z))",
        "f_slope": "/ (1 + np.abs(Z)) ** 2",
    },
    "arctan": {
        "f_formula": r"\arctan z",
        "f_code": "np.arctan(Z)",
        "f_slope": "/ (1 + Z**2)",
    },
    "softplus": {
        "f_formula": r"\log(1 + e^z)",
        "f_code": "np.logaddexp(0, Z)",
        "f_slope": "* np.exp(-np.logaddexp(0, -Z))",
    },
}
DIFFERENCES = {
    "five points": {
        "difference_formula": r"\frac{L(-2h) - 8\,L(-h) + 8\,L(h) - L(2h)}{12\,h}",
        "difference_code": "(L(-2 * h) - 8 * L(-h) + 8 * L(h) - L(2 * h)) / (12 * h)",
        "weights": {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12},
    },
    "one side": {
        "difference_formula": r"\frac{-3\,L(0) + 4\,L(h) - L(2h)}{2\,h}",
        "difference_code": "(-3 * L(0) + 4 * L(h) - L(2 * h)) / (2 * h)",
        "weights": {0: -3 / 2, 1: 2, 2: -1 / 2},
    },
    "two steps": {
        "difference_formula": r"\frac{4}{3} \cdot \frac{L(h/2) - L(-h/2)}{h} - "
        r"\frac{1}{3} \cdot \frac{L(h) - L(-h)}{2h}",
        "difference_code": "(8 * (L(h / 2) - L(-h / 2)) - (L(h) - L(-h))) / (6 * h)",
        "weights": {-1: 1 / 6, -0.5: -8 / 6, 0.5: 8 / 6, 1: -1 / 6},
    },
}


def optimizers(rate):
    return {
        "adamax": {
            "keeps": ["m", "v"],
            "optimizer_text": (
                "Adamax divides not by a mean of squares but by a largest slope that is slowly "
                rf"forgotten. With $\eta = {rate}$, $\beta_1 = 0.9$, $\beta_2 = 0.99$, "
                r"$\epsilon = 10^{-6}$, for each entry, from $m = v = 0$, in step $t = 1, 2, \dots$"
            ),
            "optimizer_formula": (
                r"m &\leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad "
                r"v \leftarrow \max(\beta_2 v, \lvert g\rvert), \\ "
                r"w &\leftarrow w - \frac{\eta}{1 - \beta_1^t} \cdot \frac{m}{v + \epsilon}"
            ),
            "optimizer_code": [
                "m = 0.9 * m + 0.1 * g",
                "v = np.maximum(0.99 * v, np.abs(g))",
                f"w = w - {rate} / (1 - 0.9**t) * m / (v + 1e-6)",
            ],
        },
        "amsgrad": {
            "keeps": ["m", "v", "top"],
            "optimizer_text": (
                "AMSGrad divides by the root of the largest mean of squares so far, so that its "
                rf"rates never rise again. With $\eta = {rate}$, $\beta_1 = 0.9$, "
                r"$\beta_2 = 0.99$, $\epsilon = 10^{-6}$, entry by entry, from "
                r"$m = v = \hat v = 0$, without bias correction:"
            ),
            "optimizer_formula": (
                r"m &\leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad "
                r"v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2, \qquad "
                r"\hat v \leftarrow \max(\hat v, v), \\ "
                r"w &\leftarrow w - \eta\, \frac{m}{\sqrt{\hat v} + \epsilon}"
            ),
            "optimizer_code": [
                "m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2",
                "top = np.maximum(top, v)",
                f"w = w - {rate} * m / (np.sqrt(top) + 1e-6)",
            ],
        },
        "unit": {
            "keeps": ["v"],
            "optimizer_text": (
                "Momentum that sees only where a gradient points, hardly how long it is. With "
                rf"$\eta = {rate}$, $\mu = 0.8$, $\epsilon = 0.01$ and the length "
                r"$\lVert g\rVert$, the root of the sum of the squares of the whole array, from "
                r"$v = 0$:"
            ),
            "optimizer_formula": (
                r"v &\leftarrow \mu v - \eta\, \frac{g}{\lVert g\rVert + \epsilon}, \\ "
                r"w &\leftarrow w + v"
            ),
            "optimizer_code": [
                f"v = 0.8 * v - {rate} * g / (np.sqrt(np.sum(g**2)) + 0.01)",
                "w = w + v",
            ],
        },
    }


RATES = {"adamax": (0.02, 0.03), "amsgrad": (0.01, 0.015), "unit": (0.02, 0.03)}
DIAGNOSES = {
    "decoder": {
        "errors": ("0.63", "2e-10", "1e-10", "4e-11"),
        "diagnosis": (
            "- (2 points) $c$ and $q$ are right, so the loss's slope is, and what arrives at the "
            "pool and at the scores. $b$ is right: so is $\\partial L/\\partial Z$, which is all "
            "that it is made of, with everything before it.\n"
            "- (1 point) So the mistake is in the last line, that of $W$, which uses right slopes "
            "wrongly: most likely one of its two tasks, reading or writing, has been forgotten.\n"
            "- (1 point) The next check: make $\\partial L/\\partial W$ by differences with "
            "separate matrices for the two tasks, or compare the error with $X^{\\mathsf T} dZ$ "
            "and with $dY^{\\mathsf T} P$."
        ),
    },
    "scores": {
        "errors": ("0.21", "0.34", "1e-10", "4e-11"),
        "diagnosis": (
            "- (2 points) $c$ is right, so the loss's slope is. $q$ is right, so the slope in the "
            "scores is, and with it the slope in $P$, from which it was made.\n"
            "- (1 point) Wrong is what comes after: the slope in $A$, where a path is missing, "
            "directly or through the score ($ds \\cdot q$), or the slope of $f$. Both $W$ and $b$ "
            "get it.\n"
            "- (1 point) The next check: `pool_back` alone, its slope in $A$ against differences. "
            "If that is right, it is $f$."
        ),
    },
    "pool": {
        "errors": ("0.47", "0.58", "0.71", "4e-11"),
        "diagnosis": (
            "- (2 points) Only $c$ is right, and with it the loss's slope, $dY$; nothing else is "
            "cleared, as all other gradients are made of what comes back through the pool. The "
            "way forward must be right, too, or at least be the same in both opinions.\n"
            "- (1 point) So the first suspects are the first lines behind $dY$: the slope in $P$, "
            "$dY\\,W$, and the slope in the scores, for instance without the sum that all weights "
            "share. What is wrong early spoils all that follows.\n"
            "- (1 point) The next check: `pool_back` alone with a random $d$, against differences. "
            "If that is right, it is $dY\\,W$."
        ),
    },
}


def variant(rng):
    def one(options):
        return str(rng.choice(list(options)))

    loss, optimizer = one(CONSTANTS), one(RATES)
    return make_variant(
        loss=loss,
        constant=float(rng.choice(CONSTANTS[loss])),
        kappa=one(KAPPAS),
        f=one(ACTIVATIONS),
        difference=one(DIFFERENCES),
        optimizer=optimizer,
        rate=float(rng.choice(RATES[optimizer])),
        case=one(DIAGNOSES),
        share=float(rng.choice([0.4, 0.5])),
    )


def make_variant(**v):
    v |= losses(v["constant"])[v["loss"]] | KAPPAS[v["kappa"]] | ACTIVATIONS[v["f"]]
    v |= DIFFERENCES[v["difference"]] | optimizers(v["rate"])[v["optimizer"]]
    v |= DIAGNOSES[v["case"]]
    v["report"] = _report(v)
    return v


def questions(v, rng):
    def numbers(*shape, size=1.0):
        return np.round(rng.normal(0, size, shape), 2)

    def parameters(D, H, size=0.7):
        return [numbers(*shape, size=size) for shape in ((D, H), (H,), (H,), (D,))]

    def sets(N, M, D):
        return numbers(N, M, D), numbers(N, D)

    def along(N, M, D, H, h):
        return *parameters(D, H), *sets(N, M, D), *parameters(D, H), h

    def layers(N, M, D, H):
        W, b, _, _ = parameters(D, H)
        rest = numbers(N, H), numbers(N, M, H), numbers(N, D)
        return numbers(N, M, D), W, b, *rest

    def wrong_loss(*mistakes):
        return lambda right, *arguments: _loss(v, *arguments, mistakes)

    def wrong_pool(*mistakes, **change):
        return lambda right, *arguments: _pool(v | change, *arguments, mistakes)

    def wrong_back(*mistakes):
        return lambda right, *arguments: _pool_back(v, *arguments, mistakes)

    def wrong_tied(*mistakes):
        return lambda right, *arguments: _tied(v, *arguments, mistakes)

    def wrong_machine(*mistakes):
        return lambda right, *arguments: _machine(v, arguments[:4], *arguments[4:], mistakes)

    def wrong_difference(weights, scale=1):
        def slope(right, *arguments):
            *point, h = arguments
            return _difference(v, weights, point, h * scale)

        return slope

    def exact(right, *arguments):
        *point, _ = arguments
        _, *gradients = _machine(v, point[:4], *point[4:6])
        return sum(np.sum(g * U) for g, U in zip(gradients, point[6:], strict=True))

    def wrong_path(*mistakes):
        return lambda right, *arguments: _path(v, *arguments, mistakes)

    def wrong_train(*mistakes):
        return lambda right, W, b, q, c, X, T, steps: _trained(
            v, [W, b, q, c], X, T, steps, mistakes
        )[1]

    far = np.array([[[3.0, 0.2], [-3.0, 1.0], [2.5, 0.5], [2.4, -1.0]]])
    low = np.array([[[-3.0, 0.3], [-2.996, 1.0], [-2.99, -0.4], [-2.998, 0.5]]])
    fading = numbers(6, 3, size=np.geomspace(4, 0.1, 6)[:, None])  # for what keeps a maximum
    fading[0] = -np.abs(fading[0])
    return [
        Question(
            "loss",
            shown=[(numbers(2, 3), numbers(2, 3))],
            hidden=[(numbers(4, 2, size=2), numbers(4, 2)), (numbers(1, 5), numbers(1, 5))],
            points=(1, 4),
            mistakes={
                "the gradient lacks the mean's 1/(ND)": wrong_loss("no mean"),
                "the gradient is divided by N only; the mean is over all ND numbers": (
                    wrong_loss("mean over N")
                ),
                "the gradient has the wrong sign: the error is y - t": wrong_loss("sign"),
                "the value is the sum over the numbers, not their mean": wrong_loss("sum"),
                **(
                    {
                        "the two weights have changed places: e < 0 where too little is said": (
                            wrong_loss("swapped")
                        )
                    }
                    if v["loss"] == "lopsided"
                    else {"that is the slope of half the squared error": wrong_loss("squared")}
                ),
            },
        ),
        Question(
            "pool",
            shown=[(numbers(2, 3, 4), numbers(4))],
            hidden=[
                (numbers(3, 2, 5), numbers(5)),
                (np.concatenate([far, low]), np.array([300.0, 0.0])),
            ],
            points=(1, 4),
            mistakes={
                "the weights of a set add up to 1, not those of all sets": wrong_pool("other axis"),
                "all measurements weigh the same here": wrong_pool("equal"),
                "a weighted sum is not divided by M: the weights add up to 1 already": (
                    wrong_pool("mean")
                ),
                "the weights are right, and the sums are taken without them": (
                    wrong_pool("plain sum")
                ),
                **(
                    {"e to the power of a large score overflows": wrong_pool("overflow")}
                    if v["kappa"] == "exponential"
                    else {
                        "that is the softmax; look at kappa again": wrong_pool(kappa="exponential")
                    }
                ),
            },
        ),
        Question(
            "pool_back",
            shown=[(numbers(2, 3, 4), numbers(4), numbers(2, 4))],
            hidden=[
                (numbers(3, 4, 2), numbers(2), numbers(3, 2)),
                (numbers(1, 5, 3), numbers(3), numbers(1, 3)),
                (far, np.array([300.0, 1.0]), numbers(1, 2)),
            ],
            points=(2, 9),
            mistakes={
                "the weights are taken as given, but they depend on A and on q": (
                    wrong_back("weights given")
                ),
                "A has a direct path, too: it is what is weighed": wrong_back("no direct path"),
                "a score moves the weights of its neighbours, too: all share the sum": (
                    wrong_back("no neighbours")
                ),
                "q was multiplied by each measurement's A, not by the weighted sum": (
                    wrong_back("P for A")
                ),
                "the slope of kappa is missing, or it is that of another kappa": (
                    wrong_back("wrong slope of kappa")
                ),
            },
        ),
        Question(
            "tied",
            shown=[layers(1, 3, 2, 4)],
            hidden=[layers(3, 4, 2, 5), layers(1, 2, 3, 4)],
            points=(2, 5),
            mistakes={
                "W also writes: the part of its second task is missing": wrong_tied("reads only"),
                "W also reads: the part of its first task is missing": wrong_tied("writes only"),
                "the slope of f is missing": wrong_tied("no slope of f"),
                "the slope of f is taken at A; it belongs to Z = XW + b": wrong_tied("at A"),
                "the mean is part of the loss, and so of the slopes that come in": (
                    wrong_tied("mean")
                ),
            },
        ),
        Question(
            "value_and_gradients",
            shown=[(*parameters(3, 4), *sets(2, 5, 3))],
            hidden=[(*parameters(2, 3), *sets(5, 4, 2)), (*parameters(4, 2), *sets(1, 3, 4))],
            points=(2, 6),
            mistakes={
                "W also writes: the part of its second task is missing": (
                    wrong_machine("reads only")
                ),
                "the path of A through its scores is missing": wrong_machine("no scores"),
                "the slope of f is missing": wrong_machine("no slope of f"),
                "the slope in P is that in Y, taken back through W": wrong_machine("random W"),
                "the gradients have the wrong sign": wrong_machine("sign"),
            },
        ),
        Question(
            "slope_along",
            shown=[along(2, 4, 3, 2, 0.3)],
            hidden=[along(3, 2, 2, 4, 0.4), along(1, 3, 4, 2, 0.25)],
            points=(1, 4),
            mistakes={
                "that is the exact slope, by the gradients; asked for is the second opinion": exact,
                "that is the central difference with two points": (
                    wrong_difference({-1: -1 / 2, 1: 1 / 2})
                ),
                "that is the forward difference": wrong_difference({0: -1, 1: 1}),
                "h is taken twice as large": wrong_difference(v["weights"], 2),
                "the sign is wrong: look at what is subtracted from what": (
                    wrong_difference({k: -weight for k, weight in v["weights"].items()})
                ),
            },
        ),
        Question(
            "path",
            shown=[(numbers(2), numbers(3, 2))],
            hidden=[(numbers(3), fading), (numbers(1), numbers(4, 1, size=3))],
            points=(1, 5),
            mistakes=_path_mistakes(v, wrong_path),
        ),
        Question(
            "train",
            shown=[(*parameters(2, 3, 0.5), *sets(4, 3, 2), 3)],
            hidden=[
                (*parameters(3, 2, 0.5), *sets(5, 4, 3), 30),
                (*parameters(2, 4, 0.5), *sets(1, 3, 2), 12),
            ],
            points=(1, 5),
            mistakes={
                "the first loss is the one before any step": wrong_train("late"),
                "what the optimizer keeps is forgotten after each step": wrong_train("forgets"),
                "the gradients are those of the start; they belong to the present parameters": (
                    wrong_train("stale")
                ),
                "only W is trained": wrong_train("W only"),
                "these are plain steps, with the gradient itself": wrong_train("plain"),
            },
        ),
    ]


def _path_mistakes(v, wrong_path):
    return {
        "the step goes uphill": wrong_path("uphill"),
        "a row holds the weights after its step, not before it": (
            lambda right, w, G: np.array([w, *right(w, G)[:-1]])
        ),
        "what the optimizer keeps is forgotten after each step": wrong_path("forgets"),
        **{
            "adamax": {
                "the bias correction is missing": wrong_path("bias"),
                "slopes have a size, and v keeps the largest: abs is missing": wrong_path("no abs"),
                "v forgets slowly: beta_2 is missing": wrong_path("no beta_2"),
            },
            "amsgrad": {
                "there is no bias correction here": wrong_path("bias"),
                "the largest mean so far counts, not the present one": wrong_path("no max"),
                "the root is missing": wrong_path("no root"),
            },
            "unit": {
                "the gradient is divided by its length": wrong_path("raw"),
                "there is one length for the whole array, not one for each entry": (
                    wrong_path("each entry")
                ),
                "the old velocity fades: mu is missing": wrong_path("no mu"),
            },
        }[v["optimizer"]],
    }


F = {
    "softsign": (lambda z: z / (1 + np.abs(z)), lambda z: 1 / (1 + np.abs(z)) ** 2),
    "arctan": (np.arctan, lambda z: 1 / (1 + z**2)),
    "softplus": (lambda z: np.logaddexp(0, z), lambda z: np.exp(-np.logaddexp(0, -z))),
}


def _loss(v, Y, T, mistakes=()):
    e, c = Y - T, v["constant"]
    if v["loss"] == "fair":
        size = np.abs(e)
        value, slope = c**2 * (size / c - np.log1p(size / c)), e / (1 + size / c)
    elif v["loss"] == "bounded":
        value, slope = e**2 / (2 * (1 + (e / c) ** 2)), e / (1 + (e / c) ** 2) ** 2
    else:
        weight = np.where((e < 0) != ("swapped" in mistakes), 1 - c, c)
        value, slope = weight * e**2, 2 * weight * e
    slope = e if "squared" in mistakes else -slope if "sign" in mistakes else slope
    count = 1 if "no mean" in mistakes else len(e) if "mean over N" in mistakes else e.size
    return value.sum() / (1 if "sum" in mistakes else e.size), slope / count


def _shares(v, s, axis=1):
    """Return the weights, and the slope of kappa over the sum of the kappas."""
    if v["kappa"] == "exponential":
        k = np.exp(s - s.max(axis=axis, keepdims=True))
        slope = k
    elif v["kappa"] == "sigmoid":
        log_k = -np.logaddexp(0, -s)
        k = np.exp(log_k - log_k.max(axis=axis, keepdims=True))
        slope = k * np.exp(-np.logaddexp(0, s))
    else:
        k, slope = 1 + s**2, 2 * s
    total = k.sum(axis=axis, keepdims=True)
    return k / total, slope / total


def _pool(v, A, q, mistakes=()):
    s = A @ q
    a, _ = _shares(v, s, axis=None if "other axis" in mistakes else 1)
    if "equal" in mistakes:
        a = np.full_like(a, 1 / a.shape[1])
    if "overflow" in mistakes:
        with np.errstate(all="ignore"):
            a = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
    P = A.sum(axis=1) if "plain sum" in mistakes else np.einsum("nm,nmh->nh", a, A)
    return P / (A.shape[1] if "mean" in mistakes else 1), a


def _pool_back(v, A, q, d, mistakes=()):
    a, slope = _shares(v, A @ q)
    if "wrong slope of kappa" in mistakes:
        slope = np.ones_like(a) if v["kappa"] == "exponential" else a
    da = np.einsum("nmh,nh->nm", A, d)
    shared = 0 if "no neighbours" in mistakes else np.sum(a * da, axis=1, keepdims=True)
    ds = slope * (da - shared)
    if "weights given" in mistakes:
        ds = 0 * ds
    dA = ds[:, :, None] * q * ("no scores" not in mistakes)
    if "no direct path" not in mistakes:
        dA = dA + a[:, :, None] * d[:, None]
    seen = np.einsum("nm,nmh->nh", a, A)[:, None] + 0 * A if "P for A" in mistakes else A
    return dA, np.einsum("nm,nmh->h", ds, seen)


def _tied(v, X, W, b, P, dA, dY, mistakes=()):
    f, slope = F[v["f"]]
    Z = X @ W + b
    dZ = dA * (1 if "no slope of f" in mistakes else slope(f(Z) if "at A" in mistakes else Z))
    reads, writes = np.einsum("nmd,nmh->dh", X, dZ), dY.T @ P
    dW = reads * ("writes only" not in mistakes) + writes * ("reads only" not in mistakes)
    count = X.shape[0] * X.shape[1] if "mean" in mistakes else 1
    return dW / count, dZ.sum(axis=(0, 1)) / count, dY.sum(axis=0) / count


def _machine(v, parameters, X, T, mistakes=()):
    W, b, q, c = parameters
    A = F[v["f"]][0](X @ W + b)
    P, _ = _pool(v, A, q)
    value, dY = _loss(v, P @ W.T + c, T)
    dY = -dY if "sign" in mistakes else dY
    into = np.repeat(dY.sum(axis=1, keepdims=True), W.shape[1], 1)
    dA, dq = _pool_back(v, A, q, into if "random W" in mistakes else dY @ W, mistakes)
    dW, db, dc = _tied(v, X, W, b, P, dA, dY, mistakes)
    return value, dW, db, dq, dc


def _difference(v, weights, point, h):
    start, (X, T), direction = point[:4], point[4:6], point[6:]
    total = 0
    for k, weight in weights.items():
        moved = [p + k * h * U for p, U in zip(start, direction, strict=True)]
        total += weight * _machine(v, moved, X, T)[0]
    return total / h


def _step(v, t, w, g, state, mistakes=()):
    """Return the weights after a step, and what the optimizer keeps."""
    m, s, top = [0 * w] * 3 if "forgets" in mistakes else state
    rate = -v["rate"] if "uphill" in mistakes else v["rate"]
    if "plain" in mistakes:
        return w - rate * g, state
    if v["optimizer"] == "adamax":
        m = 0.9 * m + 0.1 * g
        decay = 1 if "no beta_2" in mistakes else 0.99
        s = np.maximum(decay * s, g if "no abs" in mistakes else np.abs(g))
        rate = rate / (1 if "bias" in mistakes else 1 - 0.9**t)
        return w - rate * m / (s + 1e-6), (m, s, top)
    if v["optimizer"] == "amsgrad":
        m, s = 0.9 * m + 0.1 * g, 0.99 * s + 0.01 * g**2
        top = s if "no max" in mistakes else np.maximum(top, s)
        below = top if "no root" in mistakes else np.sqrt(top)
        if "bias" in mistakes:
            rate = rate / (1 - 0.9**t) * np.sqrt(1 - 0.99**t)
        return w - rate * m / (below + 1e-6), (m, s, top)
    length = np.abs(g) if "each entry" in mistakes else np.sqrt(np.sum(g**2))
    kept = 1 if "no mu" in mistakes else 0.8
    new = kept * s - rate * (g if "raw" in mistakes else g / (length + 0.01))
    return w + new, (m, new, top)


def _path(v, w, G, mistakes=()):
    state, seen = [0 * w] * 3, []
    for t, g in enumerate(G, 1):
        w, state = _step(v, t, w, g, state, mistakes)
        seen.append(w)
    return np.array(seen)


def _trained(v, parameters, X, T, steps, mistakes=()):
    parameters, losses, gradients = list(parameters), [], None
    state = [[0 * w] * 3 for w in parameters]
    for t in range(1, steps + 1 + ("late" in mistakes)):
        value, *new = _machine(v, parameters, X, T)
        losses.append(value)
        gradients = gradients if gradients and "stale" in mistakes else new
        for k, g in enumerate(gradients[:1] if "W only" in mistakes else gradients):
            parameters[k], state[k] = _step(v, t, parameters[k], g, state[k], mistakes)
    losses.append(_machine(v, parameters, X, T)[0])
    return parameters, np.array(losses[1:] if "late" in mistakes else losses)


def _report(v):
    """Return the numbers of the last question: the same run as in the template."""

    def measurements(seed, N, end=3):
        rng = np.random.default_rng(seed)
        T = rng.normal(size=(N, 3))
        X = T[:, np.newaxis] + rng.normal(0, 0.3, (N, 5, 3))
        stuck = rng.random((N, 5)) < v["share"]
        stuck[:, 0] = False
        X[stuck] = end + rng.normal(0, 0.1, X[stuck].shape)
        return X, T, stuck

    rng = np.random.default_rng(0)
    start = rng.normal(0, 0.4, (3, 6)), np.zeros(6), rng.normal(0, 0.3, 6), np.zeros(3)
    (X, T, _), (X_new, T_new, stuck) = measurements(1, 60), measurements(2, 400)
    end, losses = _trained(v, start, X, T, 200)
    X_next, T_next, stuck_next = measurements(3, 400, -3)

    def weights(X):
        return _pool(v, F[v["f"]][0](X @ end[0] + end[1]), end[2])[1]

    a, a_next = weights(X_new), weights(X_next)
    return {
        "before": losses[0],
        "after": losses[-1],
        "new": _machine(v, end, X_new, T_new)[0],
        "mean": _loss(v, X.mean(axis=1), T)[0],
        "mean_new": _loss(v, X_new.mean(axis=1), T_new)[0],
        "next_door": _machine(v, end, X_next, T_next)[0],
        "mean_next_door": _loss(v, X_next.mean(axis=1), T_next)[0],
        "stuck_next_door": a_next[stuck_next].mean(),
        "good_next_door": a_next[~stuck_next].mean(),
        "stuck": a[stuck].mean(),
        "good": a[~stuck].mean(),
    }
