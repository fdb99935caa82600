"""Problem set 2: the chain rule where paths meet, in graphs and layers that the book lacks."""

import numpy as np
from assignments import Question

# Question 1. How v and E are made, and the slopes: of E in m and v, of v in b and c.
MIDDLES = {
    "sum": {"v_formula": "b + c", "v_code": "b + c", "v_in_b": "1", "v_in_c": "1"},
    "difference": {"v_formula": "b - c", "v_code": "b - c", "v_in_b": "1", "v_in_c": "(-1)"},
    "product": {"v_formula": r"b\,c", "v_code": "b * c", "v_in_b": "c", "v_in_c": "b"},
}
ENDS = {
    "sum": {"E_formula": r"v\,(m + v)", "dm": "v", "dv": "m + 2 * v"},
    "v squared": {"E_formula": r"m\,v^2", "dm": "v**2", "dv": "2 * m * v"},
    "m squared": {"E_formula": r"m^2\,v", "dm": "2 * m * v", "dv": "m**2"},
}

# Question 2. A block, with its slopes; f is the bend, df its slope.
BLOCKS = {
    "added": {
        "block_formula": r"a_{l-1} + w_l\, f(a_{l-1})",
        "block": "a + weight * f(a)",
        "in_weight": "f(a)",
        "in_a": "1 + weight * df(a)",
        "shortcut": "1",
    },
    "mixed": {
        "block_formula": r"(1 - w_l)\, a_{l-1} + w_l\, f(a_{l-1})",
        "block": "(1 - weight) * a + weight * f(a)",
        "in_weight": "f(a) - a",
        "in_a": "1 - weight + weight * df(a)",
        "shortcut": "1 - weight",
    },
    "inside": {
        "block_formula": r"a_{l-1} + f(w_l\, a_{l-1})",
        "block": "a + f(weight * a)",
        "in_weight": "a * df(weight * a)",
        "in_a": "1 + weight * df(weight * a)",
        "shortcut": "1",
    },
}
BENDS = {
    "tanh": (r"\tanh z", "np.tanh(z)", "1 - np.tanh(z) ** 2"),
    "arctan": (r"\arctan z", "np.arctan(z)", "1 / (1 + z**2)"),
    "softplus": (r"\log(1 + e^z)", "np.logaddexp(0, z)", "1 / (1 + np.exp(-z))"),
}

# Question 3. The two branches of a gated layer.
VALUES = {
    "sine": (r"\sin p", "np.sin(P)", "np.cos(P)"),
    "softsign": (r"\frac{p}{1 + |p|}", "P / (1 + np.abs(P))", "(1 + np.abs(P)) ** -2"),
    "root": (r"\frac{p}{\sqrt{1 + p^2}}", "P / np.sqrt(1 + P**2)", "(1 + P**2) ** -1.5"),
}
GATES = {
    "sigmoid": (r"\sigma(q)", "1 / (1 + np.exp(-Q))", "G * (1 - G)", r"\frac12"),
    "softplus": (r"\log(1 + e^q)", "np.logaddexp(0, Q)", "(1 - np.exp(-G))", r"\log 2"),
    "tanh": (r"\tanh q", "np.tanh(Q)", "(1 - G**2)", "0"),
    "relu": (r"\max(q, 0)", "np.maximum(Q, 0)", "(Q > 0)", "0"),
}

# Question 5. The hidden units and the loss of an autoencoder.
HIDDEN = {
    "tanh": (r"\tanh z", "np.tanh(Z)", "(1 - H**2)"),
    "sigmoid": (r"\sigma(z)", "1 / (1 + np.exp(-Z))", "H * (1 - H)"),
    "softplus": (r"\log(1 + e^z)", "np.logaddexp(0, Z)", "(1 - np.exp(-H))"),
}
LOSSES = {
    "half": {
        "loss_formula": r"\frac{1}{2N} \sum_{n,j} E_{nj}^2",
        "loss": "np.sum(E**2) / (2 * len(X))",
        "loss_slope": "E / len(X)",
    },
    "log cosh": {
        "loss_formula": r"\frac{1}{ND} \sum_{n,j} \log \cosh E_{nj}",
        "loss": "np.mean(np.log(np.cosh(E)))",
        "loss_slope": "np.tanh(E) / E.size",
    },
    "fourth power": {
        "loss_formula": r"\frac{1}{4N} \sum_{n,j} E_{nj}^4",
        "loss": "np.sum(E**4) / (4 * len(X))",
        "loss_slope": "E**3 / len(X)",
    },
}

# Question 6. The size of a row, its slope, and ways to go wrong.
SIZES = {
    "l2": {
        "size_formula": r"\sqrt{\textstyle\sum_k z_k^2}",
        "size_row": "np.sqrt(np.sum(z**2))",
        "size_rows": "np.sqrt(np.sum(Z**2, axis=1, keepdims=True))",
        "local": "z / r",
        "wrong local": "2 * z / r",
        "sum of the wrong local": "$-s$",
    },
    "rms": {
        "size_formula": r"\sqrt{\tfrac1D \textstyle\sum_k z_k^2}",
        "size_row": "np.sqrt(np.mean(z**2))",
        "size_rows": "np.sqrt(np.mean(Z**2, axis=1, keepdims=True))",
        "local": "z / (len(z) * r)",
        "wrong local": "z / r",
        "sum of the wrong local": "$(1 - D)\\, s$",
    },
    "l1": {
        "size_formula": r"\textstyle\sum_k |z_k|",
        "size_row": "np.sum(np.abs(z))",
        "size_rows": "np.sum(np.abs(Z), axis=1, keepdims=True)",
        "local": "np.sign(z)",
        "wrong local": "1.0",
        "sum of the wrong local": "$s\\,(1 - \\sum_j z_j / r)$, 0 only if no entry is negative",
    },
}
BUGS = {
    "power": ("-np.sum(dy * z) / r", "$(1 - r)\\, s$, not 0 unless $r = 1$"),
    "sign": ("np.sum(dy * z) / r**2", "$2s$"),
    "own": ("-dy * z / r**2", "a number that is 0 only by chance"),
    "local": ("-np.sum(dy * z) / r**2", ""),
}


def variant(rng):
    bend = BENDS[rng.choice(list(BENDS))]
    gate, size = str(rng.choice(list(GATES))), str(rng.choice(list(SIZES)))
    value, hidden = VALUES[rng.choice(list(VALUES))], HIDDEN[rng.choice(list(HIDDEN))]
    bug = str(rng.choice(list(BUGS)))
    return {
        **_graph(rng),
        **BLOCKS[rng.choice(list(BLOCKS))],
        **dict(zip(("bend_formula", "bend", "bend_slope"), bend, strict=True)),
        **dict(zip(("value_formula", "value", "value_slope"), value, strict=True)),
        "gate": gate,
        **dict(
            zip(
                ("gate_formula", "gate_code", "gate_slope", "gate_at_zero"),
                GATES[gate],
                strict=True,
            )
        ),
        **dict(zip(("hidden_formula", "hidden", "hidden_slope"), hidden, strict=True)),
        **LOSSES[rng.choice(list(LOSSES))],
        "size": size,
        **SIZES[size],
        "local_rows": SIZES[size]["local"].replace("len(z)", "Z.shape[1]").replace("z", "Z"),
        "bug": bug,
        "wrong_dr": BUGS[bug][0],
        "wrong_local": SIZES[size]["wrong local" if bug == "local" else "local"],
        "wrong_sum": BUGS[bug][1] or SIZES[size]["sum of the wrong local"],
    }


def _graph(rng):
    """Draw numbers for which the gate lets u through and no mistake hides."""
    middle, end = MIDDLES[rng.choice(list(MIDDLES))], ENDS[rng.choice(list(ENDS))]
    while True:
        a, b, c = (int(n) for n in rng.choice([-3, -2, 2, 3, 4, 5], 3, replace=False))
        u, v = a * b, _at(middle["v_code"], b=b, c=c)
        graph = {"a": a, "b": b, "c": c, "route": "max" if u > v else "min", **middle, **end}
        found = {tuple(slopes) for slopes in _paper_mistakes(graph).values()}
        are_apart = u != v and len(found) == len(_paper_mistakes(graph))
        if are_apart and np.abs(list(found)).max() < 1000:
            return graph


def _at(code, **names):
    """Return what a piece of a template's code computes."""
    return eval(code, {"np": np, **names})


def _paper_slopes(v, passed=("u",), own=False, b_through="uv"):
    """Return the slopes of question 1: right, or with a mistake."""
    a, b, c = v["a"], v["b"], v["c"]
    names = {"a": a, "b": b, "c": c, "m": a * b, "v": _at(v["v_code"], b=b, c=c)}
    dm, dv, in_b, in_c = (_at(v[key], **names) for key in ("dm", "dv", "v_in_b", "v_in_c"))
    du = dm if "u" in passed else 0
    dv += dm if "v" in passed else 0
    in_a, in_own = (a, b) if own else (b, a)
    return np.array(
        [
            du * in_a,
            du * in_own * ("u" in b_through) + dv * in_b * ("v" in b_through),
            dv * in_c,
        ],
        dtype=float,
    )


def _paper_mistakes(v):
    route = v["route"]
    return {
        "": _paper_slopes(v),
        f"{route} routes: here it hands its slope to both inputs": _paper_slopes(v, ("u", "v")),
        f"{route} routes its slope to the input that it let through, not to the other": (
            _paper_slopes(v, ("v",))
        ),
        "b leads to u and to v: the path through v is missing": (_paper_slopes(v, b_through="u")),
        "b leads to u and to v: the path through u is missing": _paper_slopes(v, b_through="v"),
        "multiply swaps: in u = ab each factor gets the other's value": _paper_slopes(v, own=True),
    }


def _chain(v, x, w, in_a=None, late=0, early=False, alone=False):
    """Return the slopes of question 2: right, or with a mistake."""
    bend = {"f": lambda z: _at(v["bend"], z=z), "df": lambda z: _at(v["bend_slope"], z=z)}
    outputs = [x]
    for weight in w:
        outputs.append(_at(v["block"], a=outputs[-1], weight=weight, **bend))
    slope, dw = 1.0, np.zeros(len(w))
    for k in reversed(range(len(w))):
        names = {"a": outputs[k + late], "weight": w[k], **bend}
        factor = _at(in_a or v["in_a"], **names)
        before = slope * factor if early else 1.0 if alone else slope
        dw[k] = before * _at(v["in_weight"], **names)
        slope = slope * factor
    return slope, dw


def _gated(v, X, W, V, dY, slope_f=True, slope_g=True, product=True, relu=None):
    """Return both parts of dX, dW and dV of question 3: right, or with a mistake."""
    P, Q = X @ W, X @ V
    F, G = _at(v["value"], P=P), _at(v["gate_code"], Q=Q)
    dP = dY * (G if product else 1) * (_at(v["value_slope"], P=P) if slope_f else 1)
    in_Q = _at(relu or v["gate_slope"], Q=Q, G=G) if slope_g else 1
    dQ = dY * (F if product else 1) * in_Q
    return dP @ W.T, dQ @ V.T, X.T @ dP, X.T @ dQ


def _added(parts):
    return parts[0] + parts[1], *parts[2:]


def _tied(v, X, W, b, c, bent=True, again=False, uses=(0, 1)):
    """Return the loss, dW, db and dc of question 5, with a mistake."""
    Z = X @ W + b
    H = _at(v["hidden"], Z=Z)
    E = H @ W.T + c - X
    dY = _at(v["loss_slope"], E=E, X=X)
    at = _at(v["hidden"], Z=H) if again else H
    delta = (dY @ W) * (_at(v["hidden_slope"], H=at) if bent else 1)
    parts = X.T @ delta, dY.T @ H
    dW = sum(parts[use] for use in uses)
    return _at(v["loss"], E=E, X=X), dW, delta.sum(axis=0), dY.sum(axis=0)


def _by_rows(v, Z, dY, bug):
    """Return what the function of question 6 does, with one of its mistakes."""
    dZ = np.zeros_like(Z)
    for n, (z, dy) in enumerate(zip(Z, dY, strict=True)):
        r = _at(v["size_row"], z=z)
        dr = _at(BUGS[bug][0], z=z, dy=dy, r=r)
        dZ[n] = dy / r + dr * _at(v["wrong local" if bug == "local" else "local"], z=z, r=r)
    return dZ


def _over_the_batch(v, Z, dY):
    r = _at(v["size_rows"], Z=Z)
    return dY / r - np.sum(dY * Z) / r**2 * _at(v["local_rows"], Z=Z, r=r)


def questions(v, rng):
    def batch(*shape, scale=1.0):
        entries = np.round(rng.normal(0, scale, shape), 2)
        return np.where(entries == 0, 0.5, entries)

    def gated(N, D, H):
        return batch(N, D), batch(D, H), batch(D, H), batch(N, H)

    def tied(N, D, H):
        return tuple(batch(*shape, scale=0.6) for shape in ((N, D), (D, H), (H,), (D,)))

    at_kink = np.array([[1.0, 1.0], [0.5, -1.5]]), batch(2, 3), batch(2, 3), batch(2, 3)
    at_kink[2][1] = -at_kink[2][0]  # the first row of XV is 0
    with_zero = np.array([[0.0, 1.5, -2.0, 0.5], [-1.0, 0.0, 0.5, 2.5]])
    gated_mistakes = {
        "X reaches Y through both branches, and its slope lacks the gate's": (
            lambda right, *given: (_gated(v, *given)[0], *right(*given)[1:])
        ),
        "X reaches Y through both branches; only the gate's is in its slope": (
            lambda right, *given: (_gated(v, *given)[1], *right(*given)[1:])
        ),
        "multiply swaps: the slope of each branch contains the other's output": (
            lambda right, *given: _added(_gated(v, *given, product=False))
        ),
        "the slope of f is missing": (
            lambda right, *given: _added(_gated(v, *given, slope_f=False))
        ),
        "the slope of g is missing": (
            lambda right, *given: _added(_gated(v, *given, slope_g=False))
        ),
        "the gradients of W and V are exchanged": (
            lambda right, *given: tuple(right(*given)[k] for k in (0, 2, 1))
        ),
    }
    if v["gate"] == "relu":
        gated_mistakes["at 0 the slope of the ReLU is to be 0"] = lambda right, *given: _added(
            _gated(v, *given, relu="(Q >= 0)")
        )
    size_mistakes = {
        "power": "in y = z/r, look again at the slope of 1/r",
        "sign": "the part that goes through r has the wrong sign: a larger r makes y smaller",
        "own": "r moves all entries of its row of y; their slopes add up",
        "local": "the slope of r in the entries of z is wrong",
    }
    return [
        Question(
            "slopes_on_paper",
            shown=[],
            hidden=[()],
            points=(0, 4),
            mistakes={
                hint: lambda right, slopes=slopes: slopes
                for hint, slopes in _paper_mistakes(v).items()
                if hint
            },
        ),
        Question(
            "chain_slopes",
            shown=[(0.5, np.array([0.5, -1.5]))],
            hidden=[
                (-0.8, batch(4)),
                (1.2, np.array([0.0, 0.75, -0.25])),
                (0.3, np.array([-2.0])),
            ],
            points=(1, 6),
            mistakes={
                "the slope that comes back along the shortcut is missing": (
                    lambda right, x, w: _chain(v, x, w, f"{v['in_a']} - ({v['shortcut']})")
                ),
                "only the shortcut's slope comes back, that of f is missing": (
                    lambda right, x, w: _chain(v, x, w, v["shortcut"])
                ),
                "a block's slopes are taken at its output; they belong to its input": (
                    lambda right, x, w: _chain(v, x, w, late=1)
                ),
                "a weight gets the slope at its block's output, not what is left at the input": (
                    lambda right, x, w: _chain(v, x, w, early=True)
                ),
                "each weight is treated as if its block were the last": (
                    lambda right, x, w: _chain(v, x, w, alone=True)
                ),
                "the slopes of the weights come in reversed order": (
                    lambda right, x, w: (right(x, w)[0], right(x, w)[1][::-1])
                ),
            },
        ),
        Question(
            "gated_gradients",
            shown=[gated(2, 3, 4)],
            hidden=[gated(4, 2, 3), gated(1, 5, 2), at_kink],
            points=(2, 7),
            mistakes=gated_mistakes,
        ),
        Question(
            "tied_gradients",
            shown=[tied(3, 4, 2)],
            hidden=[tied(2, 5, 3), tied(1, 3, 2), tied(5, 2, 3)],
            points=(2, 8),
            mistakes={
                "W is used twice: its slope as the second matrix is missing": (
                    lambda right, *given: _tied(v, *given, uses=(0,))
                ),
                "W is used twice: its slope as the first matrix is missing": (
                    lambda right, *given: _tied(v, *given, uses=(1,))
                ),
                "the slope of the hidden units is missing": (
                    lambda right, *given: _tied(v, *given, bent=False)
                ),
                "the slope of f is taken at H, not at the total input": (
                    lambda right, *given: _tied(v, *given, again=True)
                ),
                "the gradients lack the mean over the N examples": (
                    lambda right, *given: (
                        right(*given)[0],
                        *(len(given[0]) * part for part in right(*given)[1:]),
                    )
                ),
                "the biases' slopes are sums over the batch; the mean is in dY already": (
                    lambda right, *given: (
                        *right(*given)[:2],
                        *(part / len(given[0]) for part in right(*given)[2:]),
                    )
                ),
                "the error is Y - X, and the gradients have the other sign": (
                    lambda right, *given: (
                        right(*given)[0],
                        *(-part for part in right(*given)[1:]),
                    )
                ),
            },
        ),
        Question(
            "unit_slopes",
            shown=[(batch(2, 3), batch(2, 3))],
            hidden=[
                (batch(3, 5), batch(3, 5)),
                (batch(1, 4), batch(1, 4)),
                (with_zero, batch(2, 4)),
            ],
            points=(1, 5),
            mistakes={
                "r depends on z, and its path is missing": (
                    lambda right, Z, dY: dY / _at(v["size_rows"], Z=Z)
                ),
                **{
                    f"these are still the numbers of wrong_slopes: {hint}" * (bug == v["bug"])
                    or hint: lambda right, Z, dY, bug=bug: _by_rows(v, Z, dY, bug)
                    for bug, hint in size_mistakes.items()
                },
                "each row has a size of its own: here the sum over a row runs over the batch": (
                    lambda right, Z, dY: _over_the_batch(v, Z, dY)
                ),
            },
        ),
    ]
