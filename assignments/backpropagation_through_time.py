"""Problem set 6: a cell with one gate, forward, back, through time, and how far it reaches."""

import itertools

import numpy as np
from assignments import Question

# How the new state is made of the gate u, the state h and the candidate g; the slopes of the new
# state in h, g and u; and what becomes of a slope in a cell at rest.
MIXES = {
    "write": {
        "title": "A gate that writes",
        "mix": r"(1 - u_t) \odot h_{t-1} + u_t \odot g_t",
        "mix_code": "(1 - u) * h + u * g",
        "keep": "(1 - u)",
        "write": "u",
        "choice": "(g - h)",
        "nothing": "old state and candidate are both 0: it does not matter which is taken",
        "slope_in_u": r"d \odot (g - h)",
        "bias": "Large negative: $u$ is near 0, and the factor near 1.",
        "small": "$u$",
        "us": [0.1, 0.2, 0.4],
    },
    "add": {
        "title": "A gate that adds",
        "mix": r"h_{t-1} + u_t \odot g_t",
        "mix_code": "h + u * g",
        "keep": "1",
        "write": "u",
        "choice": "g",
        "nothing": "the candidate is 0: it does not matter how much of it is added",
        "slope_in_u": r"d \odot g",
        "bias": "Large negative: $u$ is near 0, and the factor near 1.",
        "small": "$u$",
        "us": [0.1, 0.2, 0.4],
    },
    "keep": {
        "title": "A gate that keeps",
        "mix": r"u_t \odot h_{t-1} + \sqrt{1 - u_t^2} \odot g_t",
        "mix_code": "u * h + np.sqrt(1 - u**2) * g",
        "keep": "u",
        "write": "np.sqrt(1 - u**2)",
        "choice": "(h - g * u / np.sqrt(1 - u**2))",
        "nothing": "old state and candidate are both 0: it does not matter how they are mixed",
        "slope_in_u": r"d \odot (h - g\,u/\sqrt{1 - u^2})",
        "bias": "Large positive: $u$ is near 1, and so is the factor.",
        "small": r"$\sqrt{1 - u^2}$",
        "us": [0.6, 0.8],
    },
}
ACTIVATIONS = {
    "tanh": {
        "activation": r"\tanh s",
        "activation_code": "np.tanh(s)",
        "activation_slope": "* (1 - g**2)",
    },
    "softsign": {
        "activation": r"\frac{s}{1 + \lvert s \rvert}",
        "activation_code": "s / (1 + np.abs(s))",
        "activation_slope": "* (1 - np.abs(g)) ** 2",
    },
    "arctan": {
        "activation": r"\arctan s",
        "activation_code": "np.arctan(s)",
        "activation_slope": "/ (1 + s**2)",
    },
}
RULES = {
    "fresh": (
        "Where $M_{tni}$ is 1, unit $i$ of example $n$ starts afresh: just before step $t$ its "
        "state is set back to that of $h_0$."
    ),
    "kept": (
        "Where $M_{tni}$ is 1, unit $i$ of example $n$ keeps its old number in step $t$: it is "
        "handed on, and what the cell has made for this unit is thrown away. `J` is the Jacobian "
        "of what the cell makes, before anything is thrown away."
    ),
    "cut": (
        "Where $M_{tni}$ is 1, the slope of unit $i$ of example $n$ is cut just before step $t$: "
        "forward nothing changes, but on the way back this unit's state before step $t$ counts "
        "as given, and its slope from step $t$ on is dropped."
    ),
}
# What the direct line and the one through the candidate bring, by the kind and by "gated".
LINES = {
    ("write", False): ("1 - u", r"u\,w"),
    ("write", True): ("1 - u", r"u^2\,w"),
    ("add", False): ("1", r"u\,w"),
    ("add", True): ("1", r"u^2\,w"),
    ("keep", False): ("u", r"\sqrt{1 - u^2}\,w"),
    ("keep", True): ("u", r"u \sqrt{1 - u^2}\,w"),
}
BUGS = list(itertools.combinations(["transposed", "time", "mean"], 2))


def variant(rng):
    kind = str(rng.choice(list(MIXES)))
    f = str(rng.choice(list(ACTIVATIONS)))
    gated = bool(rng.integers(2))
    rule = str(rng.choice(list(RULES)))
    bugs = BUGS[rng.integers(len(BUGS))]
    u = float(rng.choice(MIXES[kind]["us"]))
    w = float(rng.choice([-0.25, -0.5]))
    return make_variant(kind, f, gated, rule, bugs, u, w)


def make_variant(kind, f, gated, rule, bugs, u, w):
    keep, write = at_rest_of(kind, u)
    direct, through = LINES[kind, gated]
    reach = write * u if gated else write  # what the candidate's weight is multiplied by
    return {
        **MIXES[kind],
        **ACTIVATIONS[f],
        "kind": kind,
        "f": f,
        "gated": gated,
        "seen": r"(u_t \odot h_{t-1})" if gated else "h_{t-1}",
        "seen_code": "(u * h)" if gated else "h",
        "rule": rule,
        "rule_text": RULES[rule],
        "bugs": bugs,
        "indices": "nij,ni->nj" if "transposed" in bugs else "nij,nj->ni",
        "over": "mean" if "mean" in bugs else "sum",
        "u": u,
        "w": w,
        "direct": direct,
        "through": through,
        "factor": f"{direct} + {through}",
        "factor_code": f"{keep:.10g} + {write:.10g} * {f'{u} * ' if gated else ''}({w})",
        "above": (1 - keep) / reach,
        "below": (-1 - keep) / reach,
    }


def at_rest_of(kind, u):
    """Return the factors of the old state and of the candidate."""
    return {"write": (1 - u, u), "add": (1, u), "keep": (u, np.sqrt(1 - u**2))}[kind]


def questions(v, rng):
    def numbers(*shape, size=1.0):
        return np.round(rng.normal(0, size, shape), 2)

    def cell(N, D, H):
        return (
            numbers(D, 2 * H, size=0.7),
            numbers(H, 2 * H, size=0.7),
            numbers(2 * H, size=0.5),
            numbers(N, D),
            numbers(N, H),
        )

    def zeros_and_ones(T, N, H):
        """Return a mask with both of them in each step."""
        steps = [rng.permutation(np.arange(N * H) % 3 == 0) for _ in range(T)]
        return np.array(steps, float).reshape(T, N, H)

    def steps(T, N, H):
        return numbers(T, N, H, H, size=0.7), numbers(T, N, H), zeros_and_ones(T, N, H)

    def sequence(T, N, D, H):
        Wx, Wh, b, _, _ = cell(N, D, H)
        h0 = numbers(H)
        return Wx, Wh, b, numbers(T, N, D), h0, numbers(T, N, H), zeros_and_ones(T, N, H)

    def wrong_step(**change):
        return lambda right, *arguments: _step(v | change, *arguments)

    def wrong_back(*mistakes, **change):
        return lambda right, *arguments: _step_back(v | change, *arguments, mistakes)

    def wrong_walk(*mistakes, rule=v["rule"]):
        return lambda right, *arguments: _walk(rule, *arguments, mistakes)

    def wrong_sequence(*mistakes):
        return lambda right, *arguments: _through_time(v, *arguments, mistakes)

    return [
        Question(
            "step",
            shown=[cell(2, 3, 4)],
            hidden=[cell(3, 4, 2), cell(1, 2, 3)],
            points=(1, 3),
            mistakes={
                "the gate's weights are the left half, the candidate's the right one": (
                    lambda right, Wx, Wh, b, x, h: right(
                        np.roll(Wx, h.shape[1], 1),
                        np.roll(Wh, h.shape[1], 1),
                        np.roll(b, h.shape[1]),
                        x,
                        h,
                    )
                ),
                "look again at which state the candidate sees": wrong_step(gated=not v["gated"]),
                "the candidate lacks its activation f": wrong_step(f="identity"),
                "the gate and what stands beside it have changed places in the new state": (
                    wrong_step(kind=f"{v['kind']}, swapped")
                ),
                "the biases are missing": (
                    lambda right, Wx, Wh, b, x, h: right(Wx, Wh, 0 * b, x, h)
                ),
            },
        ),
        Question(
            "step_back",
            shown=[(*cell(2, 3, 4), numbers(2, 4))],
            hidden=[(*cell(3, 4, 2), numbers(3, 2)), (*cell(1, 2, 3), numbers(1, 3))],
            points=(2, 9),
            mistakes={
                "a line is missing in what is carried: the state is also handed on directly": (
                    wrong_back("no direct line")
                ),
                "a line is missing in what is carried: the gate saw the state, too": (
                    wrong_back("no line through the gate")
                ),
                "the candidate's error term lacks the slope of f": wrong_back("no slope of f"),
                "the gate's error term lacks the slope of the sigmoid": (
                    wrong_back("no slope of the sigmoid")
                ),
                "slopes go back through the transposed weights": wrong_back("not transposed"),
                **(
                    {
                        "the gate has a second way into the loss: the candidate saw u times h": (
                            wrong_back("no second way")
                        ),
                        "the candidate saw u times h: on the way to h its slope meets u": (
                            wrong_back("no u on the way")
                        ),
                    }
                    if v["gated"]
                    else {
                        "the candidate saw h itself here, not the gate times h": (
                            wrong_back("a u on the way")
                        )
                    }
                ),
            },
        ),
        Question(
            "walk",
            shown=[steps(2, 1, 3)],
            hidden=[steps(4, 3, 2), steps(3, 2, 4)],
            points=(2, 6),
            mistakes={
                "the Jacobians are used the wrong way round: i is before the step, j after it": (
                    wrong_walk("transposed")
                ),
                "M acts at the wrong place of the walk: ask what of the slope it touches, "
                "and whether before or after the Jacobian": wrong_walk("time"),
                "all examples share h0: at such a fan-out slopes add, they are not averaged": (
                    wrong_walk("mean")
                ),
                "both mistakes of the given program are still there": wrong_walk(*v["bugs"]),
                "M has no effect": wrong_walk("no mask"),
                **(
                    {
                        "a unit that starts afresh has received h0, which needs the slope": (
                            wrong_walk(rule="cut")
                        )
                    }
                    if v["rule"] == "fresh"
                    else {}
                ),
            },
        ),
        Question(
            "through_time",
            shown=[sequence(2, 1, 3, 2)],
            hidden=[sequence(4, 3, 2, 3), sequence(3, 2, 4, 1)],
            points=(2, 6),
            mistakes={
                "nothing is carried from step to step": wrong_sequence("no carry"),
                "the gradient of Wh holds the state after the step; it received the one before": (
                    wrong_sequence("after")
                ),
                "the gradients are those of the first step alone; the copies' gradients add": (
                    wrong_sequence("first step")
                ),
                "M has no effect on the way back": wrong_sequence("no mask"),
                "all examples share h0: at such a fan-out slopes add, they are not averaged": (
                    wrong_sequence("mean")
                ),
                **(
                    {
                        "the candidate's half of Wh received u times h, not h": (
                            wrong_sequence("h, not u times h")
                        )
                    }
                    if v["gated"]
                    else {}
                ),
            },
        ),
        Question(
            "at_rest",
            shown=[],
            hidden=[()],
            points=(0, 5),
            mistakes={
                "a line is missing: the candidate saw the state, too": lambda right: _reach(
                    v, 1, 0
                ),
                "a line is missing: the state is also handed on directly": (
                    lambda right: np.abs(_reach(v, 0, 1)) * [np.sign(v["w"]), 1, 1]
                ),
                "look again at which state the candidate sees": (
                    lambda right: _reach(v | {"gated": not v["gated"]}, 1, 1)
                ),
                "the last number is rounded the wrong way: that leaves a hundredth or more": (
                    lambda right: right() - [0, 0, 1]
                ),
                "steps multiply: ten of them leave a power, not a multiple": (
                    lambda right: right() * [1, 0, 1] + right()[0] * np.array([0, 10, 0])
                ),
            },
        ),
    ]


F = {
    "tanh": (np.tanh, lambda s: 1 - np.tanh(s) ** 2),
    "softsign": (lambda s: s / (1 + np.abs(s)), lambda s: 1 / (1 + np.abs(s)) ** 2),
    "arctan": (np.arctan, lambda s: 1 / (1 + s**2)),
    "identity": (lambda s: s, np.ones_like),
}


def _gates(v, Wx, Wh, b, x, h):
    H = h.shape[1]
    Z = x @ Wx + b
    u = 1 / (1 + np.exp(-(Z[:, :H] + h @ Wh[:, :H])))
    seen = u * h if v["gated"] else h
    s = Z[:, H:] + seen @ Wh[:, H:]
    return u, seen, s, F[v["f"]][0](s)


def _step(v, Wx, Wh, b, x, h):
    u, _, _, g = _gates(v, Wx, Wh, b, x, h)
    return {
        "write": lambda: (1 - u) * h + u * g,
        "write, swapped": lambda: u * h + (1 - u) * g,
        "add": lambda: h + u * g,
        "add, swapped": lambda: u * h + g,
        "keep": lambda: u * h + np.sqrt(1 - u**2) * g,
        "keep, swapped": lambda: np.sqrt(1 - u**2) * h + u * g,
    }[v["kind"]]()


def _step_back(v, Wx, Wh, b, x, h, d, mistakes=()):
    H = h.shape[1]
    u, _, s, g = _gates(v, Wx, Wh, b, x, h)
    Wu, Wg = Wh[:, :H], Wh[:, H:]
    keep, write, choice = {
        "write": lambda: (1 - u, u, g - h),
        "add": lambda: (1, u, g),
        "keep": lambda: (u, np.sqrt(1 - u**2), h - g * u / np.sqrt(1 - u**2)),
    }[v["kind"]]()
    delta_g = d * write * (1 if "no slope of f" in mistakes else F[v["f"]][1](s))
    turned = "not transposed" in mistakes
    e = delta_g @ (Wg if turned else Wg.T)
    second = v["gated"] and "no second way" not in mistakes
    d_u = d * choice + (e * h if second else 0)
    delta_u = d_u * (1 if "no slope of the sigmoid" in mistakes else u * (1 - u))
    on_the_way = (v["gated"] and "no u on the way" not in mistakes) or "a u on the way" in mistakes
    carried = e * (u if on_the_way else 1)
    if "no direct line" not in mistakes:
        carried = carried + d * keep
    if "no line through the gate" not in mistakes:
        carried = carried + delta_u @ (Wu if turned else Wu.T)
    return np.hstack([delta_u, delta_g]), carried


def _walk(rule, J, d_outputs, M, mistakes=()):
    S, back, first = np.zeros_like(d_outputs), 0, 0
    M = 0 * M if "no mask" in mistakes else M
    for t in reversed(range(len(J))):
        step_back = J[t].transpose(0, 2, 1) if "transposed" in mistakes else J[t]
        late = "time" in mistakes
        if late and rule != "kept":
            back = (1 - M[t]) * back
        S[t] = d_outputs[t] + back
        into = S[t] * (1 - M[t]) if rule == "kept" and not late else S[t]
        back = np.einsum("nij,nj->ni", step_back, into)
        if rule == "kept":
            back = back * (1 - M[t] if late else 1) + M[t] * S[t]
        elif rule == "fresh":
            first = first + _over(M[t] * back, mistakes)
        if rule != "kept" and not late:
            back = (1 - M[t]) * back
    return S, first + _over(back, mistakes)


def _over(slopes, mistakes):
    """Return the sum over the examples, or wrongly the mean."""
    return slopes.sum(axis=0) / (len(slopes) if "mean" in mistakes else 1)


def _through_time(v, Wx, Wh, b, X, h0, d_outputs, M, mistakes=()):
    rule, h, before = v["rule"], np.tile(h0, (X.shape[1], 1)), []
    for x, m in zip(X, M, strict=True):
        before.append(np.where(m, h0, h) if rule == "fresh" else h)
        made = _step(v, Wx, Wh, b, x, before[-1])
        h = np.where(m, h, made) if rule == "kept" else made
    after = [*before[1:], h]
    M = 0 * M if "no mask" in mistakes else M
    gradients, dh0, carried = [0, 0, 0], 0, 0
    for t in reversed(range(len(X))):
        d, m, h = d_outputs[t] + carried, M[t], before[t]
        into = (1 - m) * d if rule == "kept" else d
        delta, carried = _step_back(v, Wx, Wh, b, X[t], h, into)
        seen = _gates(v, Wx, Wh, b, X[t], h)[1]
        if "h, not u times h" in mistakes:
            seen = h
        if "after" in mistakes:
            h = seen = after[t]
        H = h.shape[1]
        dWh = np.hstack([h.T @ delta[:, :H], seen.T @ delta[:, H:]])
        new = X[t].T @ delta, dWh, delta.sum(axis=0)
        if "first step" in mistakes:
            gradients = new
        else:
            gradients = [g + n for g, n in zip(gradients, new, strict=True)]
        if rule == "kept":
            carried = carried + m * d
        else:
            dh0 = dh0 + (_over(m * carried, mistakes) if rule == "fresh" else 0)
            carried = (1 - m) * carried
        if "no carry" in mistakes:
            last, carried = carried, 0
    final = last if "no carry" in mistakes else carried
    return (*gradients, dh0 + _over(final, mistakes))


def _reach(v, direct, through):
    keep, write = at_rest_of(v["kind"], v["u"])
    factor = direct * keep + through * write * (v["u"] if v["gated"] else 1) * v["w"]
    if factor == 1:
        return np.array([1.0, 1.0, 0.0])
    steps = np.ceil(np.log(0.01) / np.log(np.abs(factor)))
    return np.array([factor, factor**10, steps])
