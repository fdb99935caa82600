"""Problem set 5: what to ask of an optimizer that the book does not have."""

import numpy as np
from assignments import Question

MEAN, SQUARE = r"\frac{m_t}{1 - \beta_1^t}", r"\sqrt{s_t/(1 - \beta_2^t)} + \epsilon"
MEAN_CODE, SQUARE_CODE = "m / (1 - beta_1**t)", "np.sqrt(s / (1 - beta_2**t))"
# The second mean, and the step without its rate: where it leads, and what divides it.
RULES = {
    "AdaMax": {
        "s_formula": r"\max(\beta_2\, s_{t-1},\ |g_t|)",
        "step_formula": MEAN + r" \cdot \frac{1}{s_t + \epsilon}",
        "s_code": "np.maximum(beta_2 * s, np.abs(g))",
        "ahead": MEAN_CODE,
        "size": "s",
    },
    "AdaBelief": {
        "s_formula": r"\beta_2\, s_{t-1} + (1 - \beta_2)\,(g_t - m_t)^2",
        "step_formula": MEAN + rf" \cdot \frac{{1}}{{{SQUARE}}}",
        "s_code": "beta_2 * s + (1 - beta_2) * (g - m) ** 2",
        "ahead": MEAN_CODE,
        "size": SQUARE_CODE,
    },
    "Yogi": {
        "s_formula": r"s_{t-1} - (1 - \beta_2)\,\operatorname{sign}(s_{t-1} - g_t^2)\, g_t^2",
        "step_formula": MEAN + r" \cdot \frac{1}{\sqrt{s_t} + \epsilon}",
        "s_code": "s - (1 - beta_2) * np.sign(s - g**2) * g**2",
        "ahead": MEAN_CODE,
        "size": "np.sqrt(s)",
    },
    "Nadam": {
        "s_formula": r"\beta_2\, s_{t-1} + (1 - \beta_2)\, g_t^2",
        "step_formula": (
            r"\left(\frac{\beta_1 m_t}{1 - \beta_1^{t+1}} + \frac{(1 - \beta_1)\, g_t}"
            rf"{{1 - \beta_1^t}}\right) \cdot \frac{{1}}{{{SQUARE}}}"
        ),
        "s_code": "beta_2 * s + (1 - beta_2) * g**2",
        "ahead": (
            "(\n        beta_1 * m / (1 - beta_1 ** (t + 1))\n"
            "        + (1 - beta_1) * g / (1 - beta_1**t)\n    )"
        ),
        "size": SQUARE_CODE,
    },
}
FORGETS = r"m_t = \beta m_{t-1} + (1 - \beta)\, g_t"
MEANS = {
    "double": {
        "mean_title": "The mean of a mean",
        "mean_text": (
            "Smoothing a second time takes out more noise:\n\n$$\n"
            rf"{FORGETS}, \qquad n_t = \beta n_{{t-1}} + (1 - \beta)\, m_t"
            "\n$$\n\nThe start is too small, once more. "
            "Under a constant gradient $g$, $n_t = c_t\\, g$."
        ),
        "mean_code": "1 - beta**t * (1 + t * (1 - beta))",
    },
    "dampened": {
        "mean_title": "A dampened velocity",
        "mean_text": (
            "A library takes only a part of every new gradient into the velocity, but the first "
            "one whole:\n\n$$\n"
            r"v_1 = g_1, \qquad v_t = \beta v_{t-1} + << kept >>\, g_t \quad (t \ge 2)"
            "\n$$\n\nUnder a constant gradient $g$, $v_t = c_t\\, g$."
        ),
        "mean_code": "beta ** (t - 1) + << kept >> * (1 - beta ** (t - 1)) / (1 - beta)",
    },
    "alternating": {
        "mean_title": "A gradient every other step",
        "mean_text": (
            "A word comes in every other batch. In the steps $1, 3, 5, \\dots$ its gradient is "
            "$g$, in the steps $2, 4, 6, \\dots$ it is 0. Its mean goes on in all of them:\n\n$$\n"
            rf"{FORGETS}"
            "\n$$\n\nSo $m_t = c_t\\, g$. Mind the even and the odd $t$."
        ),
        "mean_code": ("np.where(t % 2, 1, beta) * (1 - beta ** (t + t % 2)) / (1 + beta)"),
    },
    "growing": {
        "mean_title": "A gradient that grows",
        "mean_text": (
            "The gradient grows steadily, $g_t = t\\, g$, and the mean runs after it:\n\n$$\n"
            rf"{FORGETS}"
            "\n$$\n\nSo $m_t = c_t\\, g$."
        ),
        "mean_code": "t - beta * (1 - beta**t) / (1 - beta)",
    },
}
# By a, the share of the new gradient in a step.
PAIRS = {
    0.0: {
        "pair_title": "A gradient that comes late",
        "pair_text": "Machines that work at the same time send gradients that are one step old:",
        "pair_formula": "g_{t-1}",
        "bound": "1",
        "half_way": "np.sqrt(1 / 2)",
        "bound_reason": "The product of the roots, x, is 1 at x = 1; p(-1) = 2 + x stays positive.",
    },
    0.5: {
        "pair_title": "Two gradients averaged",
        "pair_text": "To have less noise, average the gradient with the one before:",
        "pair_formula": r"\tfrac12\,(g_t + g_{t-1})",
        "bound": "2",
        "half_way": "np.sqrt(1 / 2)",
        "bound_reason": "The product of the roots, x / 2, is 1 at x = 2; p(-1) = 2 stays positive.",
    },
    1.5: {
        "pair_title": "Half a step ahead",
        "pair_text": "Guess by the last two gradients where the next will be, half a step ahead:",
        "pair_formula": r"\bigl(\tfrac32\, g_t - \tfrac12\, g_{t-1}\bigr)",
        "bound": "1",
        "half_way": "(1 + np.sqrt(17)) / 8",
        "bound_reason": "p(-1) = 2 - 2 x is 0 at x = 1; p(1) = x, and the product is -x / 2.",
    },
    2.0: {
        "pair_title": "A step ahead",
        "pair_text": "Guess by the last two gradients where the next will be, a step ahead:",
        "pair_formula": r"(2\, g_t - g_{t-1})",
        "bound": "2 / 3",
        "half_way": "(1 + np.sqrt(13)) / 6",
        "bound_reason": "p(-1) = 2 - 3 x is 0 at x = 2 / 3; p(1) = x, and the product is -x.",
    },
}
SYMPTOMS = {
    "each": "When one of the gradients is huge, the step has a wrong direction.",
    "inside": "Even from rest and without gradients, $W$ gets a velocity.",
    "biases": "Even from rest and without gradients, $b$ moves.",
    "velocity": "From rest, one huge gradient makes velocities that are too long.",
}
NOISE = "0.0412, 0.0377, 0.0431, 0.0388"
LOGS = {
    "noisy": f"2.0000, 0.2134, {NOISE}",
    "stuck": "2.0000, 0.4473, 0.3911, 0.3906, 0.3906, 0.3906",
    "narrow": "2.0000, 0.9112, 0.8651, 0.8229, 0.7828, 0.7446",
    "wild": "2.0000, 0.8317, 2.4871, 7.9604, 25.4742, 81.5170",
}


def variant(rng):
    rule, mean = rng.choice(list(RULES)), str(rng.choice(list(MEANS)))
    a = float(rng.choice(list(PAIRS)))
    kept = float(rng.choice([0.4, 0.6, 0.7]))
    order = rng.permutation(list(LOGS))
    letters = dict(zip(map(str, order), "ABCD", strict=True))
    divisor = int(rng.choice([2, 4]))
    bug = str(rng.choice(list(SYMPTOMS)))
    low, high = [(1, 8), (2, 5), (1, 20), (3, 10)][rng.integers(4)]
    return {
        **RULES[rule],
        "rule_title": rule,
        "eta": float(rng.choice([0.01, 0.02, 0.05])),
        "beta_1": float(rng.choice([0.8, 0.9])),
        "beta_2": float(rng.choice([0.9, 0.95, 0.99])),
        **{part: text.replace("<< kept >>", str(kept)) for part, text in MEANS[mean].items()},
        "mean": mean,
        "kept": kept,
        **PAIRS[a],
        "a": a,
        "low": low,
        "high": high,
        "bug": bug,
        "symptom": SYMPTOMS[bug],
        "clip": float(rng.choice([1.0, 2.0, 3.0])),
        "mu": float(rng.choice([0.8, 0.9])),
        "rate": float(rng.choice([0.1, 0.2])),
        "decay": float(rng.choice([0.05, 0.3])),
        **_log(rng),
        **letters,
        "logs": [(letters[name], LOGS[name]) for name in letters],
        "divisor": divisor,
        "lower": f"{0.01 + 0.03 / divisor:g}",
    }


def _log(rng):
    """Draw a valley, and the end of a run in it whose losses fall by r² with each step."""
    r = float(rng.choice([0.6, 0.8, 0.9]))
    rate = float(rng.choice([0.02, 0.05, 0.1]))
    turns = bool(rng.integers(2))
    # The other curvature is one whose direction loses more than this with each step.
    ends = {"flat": round((1 - r) / rate), "steep": round((1 + r) / rate)}
    other = ends["flat"] * 1.5 if turns else ends["steep"] * 0.75
    return {
        "r": r,
        "turns": turns,
        "log_rate": rate,
        "log_losses": r",\quad ".join(f"{50 * r ** (2 * k):.7g}" for k in range(4)),
        "log_sign": "turns its sign" if turns else "keeps its sign",
        "log_reason": "and the sign turns" if turns else "and the sign stays",
        "curvature": ends["steep" if turns else "flat"],
        "other": f"{other:g}",
    }


def questions(v, rng):
    def batch(*shape):
        return np.round(rng.normal(0, 2, shape), 2)

    def state(*shape):
        """Return w, m and s in the middle of a run, with all s well above 0."""
        return batch(*shape), batch(*shape), np.round(rng.uniform(0.5, 3, shape), 2)

    def layer(D, H):
        return batch(D, H), batch(H), batch(D, H), batch(H)

    none = np.zeros(3)
    one_is_zero = np.array([1.5, 0.0, -0.5])
    small = np.round(rng.uniform(0, 0.3, 5), 3)
    return [
        Question(
            "update",
            shown=[(*state(2), batch(2), 1)],
            hidden=[
                (*state(4, 3), batch(4, 3), 7),
                (np.ones(3), none, none, one_is_zero, 1),
                (*state(5), np.array([0.5, 2.0, -4.0, 8.0, 0.1]), 3000),
            ],
            points=(2, 7),
            mistakes=_misread(v),
        ),
        Question(
            "correction",
            shown=[(0.5, np.array([1, 2, 3]))],
            hidden=[(0.9, np.array([1, 2, 5, 10, 33])), (0.99, np.array([[4, 71], [1000, 10**6]]))],
            points=(1, 6),
            mistakes=_wrong_sums(v),
        ),
        Question(
            "factor",
            shown=[(np.array([0.0, 0.4]),)],
            hidden=[
                (np.array([0.01, 0.25, 0.5, 0.9, 1.7, 3.0]),),
                (np.array([[0.1], [0.7]]),),
                (small,),
            ],
            points=(2, 6),
            mistakes=_wrong_roots(v["a"]),
        ),
        Question(
            "bound_on_paper",
            shown=[],
            hidden=[()],
            points=(0, 4),
            mistakes={
                "that is the bound of plain descent": lambda right: (2 / v["high"], 0.0),
                "the steepest direction bounds the rate, not the flattest": (
                    lambda right: (right()[0] * v["high"] / v["low"], right()[1])
                ),
                "that takes the best rate of descent for a bound": (
                    lambda right: (2 / (v["low"] + v["high"]), right()[1])
                ),
                "the second number is asked for at half of the bound, not at the bound": (
                    lambda right: (right()[0], 1.0)
                ),
                "R is the larger root in size, not its square or the product of both": (
                    lambda right: (right()[0], right()[1] ** 2)
                ),
            },
        ),
        Question(
            "mended_step",
            shown=[(*layer(3, 2), batch(3, 2), batch(2))],
            hidden=[
                (*layer(2, 4), 3 * batch(2, 4), 0.1 * batch(4)),
                (*layer(4, 3), np.full((4, 3), 0.02), np.full(3, -0.01)),
                (*layer(1, 5), np.zeros((1, 5)), np.zeros(5)),
                (*layer(1, 1), np.full((1, 1), 0.9 * v["clip"]), np.full(1, 0.8 * v["clip"])),
            ],
            points=(2, 6),
            mistakes=_beside(v),
        ),
        Question(
            "log_on_paper",
            shown=[],
            hidden=[()],
            points=(0, 5),
            mistakes=_misread_logs(v),
        ),
    ]


def _update(v, w, m, s, g, t, **changes):
    """Return what the rule of `v` does with changed code, or with the old m in its step."""
    codes = {**v, **changes}
    scope = {"np": np, "beta_1": v["beta_1"], "beta_2": v["beta_2"], "s": s, "g": g, "t": t}
    scope |= {"old": m, "m": v["beta_1"] * m + (1 - v["beta_1"]) * g}
    scope["s"] = eval(codes["s_code"], scope)
    step = eval(codes["ahead"], scope) / (eval(codes["size"], scope) + 1e-8)
    return w - v["eta"] * step, scope["m"], scope["s"]


def _misread(v):
    def changed(**codes):
        return lambda right, *given: _update(v, *given, **codes)

    def keeping_the_corrected(right, w, m, s, g, t):
        w, m, s = right(w, m, s, g, t)
        return w, m / (1 - v["beta_1"] ** t), s

    adams = "beta_2 * s + (1 - beta_2) * g**2"
    of_the_rule = {
        "AdaMax": {
            "the old maximum fades by beta_2": changed(s_code="np.maximum(s, np.abs(g))"),
            "s is the larger of two, not their mean": changed(
                s_code="beta_2 * s + (1 - beta_2) * np.abs(g)"
            ),
            "s needs no correction": changed(size="s / (1 - beta_2**t)"),
        },
        "AdaBelief": {
            "s is Adam's: the mean of squares of g itself": changed(s_code=adams),
            "the distance is that of g from the new m, not from the old one": changed(
                s_code="beta_2 * s + (1 - beta_2) * (g - old) ** 2"
            ),
            "s is not corrected": changed(size="np.sqrt(s)"),
        },
        "Yogi": {
            "s is Adam's; here only the sign of the difference counts": changed(s_code=adams),
            "s must grow where the squared gradient is larger": changed(
                s_code="np.abs(s + (1 - beta_2) * np.sign(s - g**2) * g**2)"
            ),
            "this rule does not correct s": changed(size=SQUARE_CODE),
        },
        "Nadam": {
            "the step is Adam's: the gradient itself has no share in it": changed(ahead=MEAN_CODE),
            "m and g have corrections of their own, with other exponents": changed(
                ahead="(beta_1 * m + (1 - beta_1) * g) / (1 - beta_1**t)"
            ),
            "s is not corrected": changed(size="np.sqrt(s)"),
        },
    }
    late = {
        k: v[k].replace("t + 1", "t + 2").replace("**t", "**(t + 1)") for k in ("ahead", "size")
    }
    return of_the_rule[v["rule_title"]] | {
        "t counts from 1: the exponents are one too large": changed(**late),
        "m must take in the new gradient before the step": changed(
            ahead=v["ahead"].replace("m /", "old /")
        ),
        "the correction is for the step; m itself is kept without it": keeping_the_corrected,
    }


# What comes out for c, by a slip on the way to it.
WRONG_SUMS = {
    "double": {
        "that is the first mean's": "1 - beta**t",
        "the second mean takes in different values of the first, not always its last": (
            "(1 - beta**t) ** 2"
        ),
        "two means in a row do not double the exponent": "1 - beta ** (2 * t)",
        "the second mean takes in m of the same step, not of the one before": (
            "1 - beta**t - t * (1 - beta) * beta ** (t - 1)"
        ),
        "a factor 1 - beta is missing in the second mean": "1 - beta**t * (1 + t)",
    },
    "dampened": {
        "that is the mean's; this velocity has other weights": "1 - beta**t",
        "the first gradient counts whole": "kept * (1 - beta**t) / (1 - beta)",
        "later gradients do not count whole": "(1 - beta**t) / (1 - beta)",
        "the first gradient is forgotten, too": ("1 + kept * (1 - beta ** (t - 1)) / (1 - beta)"),
        "the sum has one term too many": "beta**t + kept * (1 - beta**t) / (1 - beta)",
    },
    "alternating": {
        "that is c if the gradient comes in every step": "1 - beta**t",
        "not simply half: the last gradients count most": "(1 - beta**t) / 2",
        "in an even step the mean forgets, too": "(1 - beta ** (t + t % 2)) / (1 + beta)",
        "the mean forgets in every step, not only where a gradient comes": (
            "1 - beta ** ((t + 1) // 2)"
        ),
        "even and odd steps are exchanged": (
            "np.where(t % 2, beta * (1 - beta**t), 1 - beta ** (t + 1)) / (1 + beta)"
        ),
    },
    "growing": {
        "that is c under a constant gradient": "1 - beta**t",
        "earlier gradients were smaller": "t * (1 - beta**t)",
        "the mean lags behind the gradient": "t + 0.0",
        "the lag is that of a mean without the newest gradient": ("t - (1 - beta**t) / (1 - beta)"),
        "the lag is not there from the start": "t - beta / (1 - beta)",
    },
}


def _wrong_sums(v):
    return {
        hint: eval(f"lambda right, beta, t: {code}", {"np": np, "kept": v["kept"]})
        for hint, code in WRONG_SUMS[v["mean"]].items()
    }


def _wrong_roots(a):
    def roots(total, product):
        """Return both roots of r² - total r + product, as complex numbers."""
        root = np.sqrt((total**2 / 4 - product).astype(complex))
        return total / 2 + root, total / 2 - root

    def larger(total, product):
        return np.max(np.abs(roots(total, product)), axis=0)

    wrong = {
        "that is plain descent's factor": lambda right, x: np.abs(1 - x),
        "p(r) has a wrong sign in its last term": (lambda right, x: larger(1 - a * x, (a - 1) * x)),
        "the larger root counts, not the smaller one": (
            lambda right, x: np.min(np.abs(roots(1 - a * x, (1 - a) * x)), axis=0)
        ),
        "p(r) lacks the place from which the step goes out": (
            lambda right, x: larger(-a * x, (1 - a) * x)
        ),
    }
    if a < 1:
        wrong["the size of a complex root is not that of its real part"] = lambda right, x: np.max(
            np.abs(np.real(roots(1 - a * x, (1 - a) * x))), axis=0
        )
    else:
        wrong["the shares of the new and the old gradient are exchanged"] = lambda right, x: larger(
            1 - (1 - a) * x, a * x
        )
    return wrong


def _beside(v):
    def wrong(where):
        def step(right, W, b, vW, vb, gW, gb):
            def kept(parameter):
                return parameter * (1 - v["decay"] * (1 if where == "no rate" else v["rate"]))

            long = max(v["clip"], np.sqrt(np.sum(gW**2) + np.sum(gb**2)))
            scales = [v["clip"] / long] * 2
            if where == "each":
                scales = [v["clip"] / max(v["clip"], np.linalg.norm(g)) for g in (gW, gb)]
            elif where == "velocity":
                scales = [1.0, 1.0]
            elif where == "always":
                scales = [v["clip"] / max(1e-9, np.sqrt(np.sum(gW**2) + np.sum(gb**2)))] * 2
            gW, gb = scales[0] * gW, scales[1] * gb
            gW = gW + v["decay"] * W if where == "inside" else gW
            vW, vb = v["mu"] * vW - v["rate"] * gW, v["mu"] * vb - v["rate"] * gb
            if where == "velocity":
                long = max(v["clip"], np.sqrt(np.sum(vW**2) + np.sum(vb**2)))
                vW, vb = v["clip"] / long * vW, v["clip"] / long * vb
            if where == "after":
                return kept(W + vW), b + vb, vW, vb
            W = W if where == "inside" else kept(W)
            return W + vW, (kept(b) if where == "biases" else b) + vb, vW, vb

        return step

    return {
        "the two gradients have one length, and are shortened alike": wrong("each"),
        "the decay has gone into the velocity": wrong("inside"),
        "biases do not decay": wrong("biases"),
        "the gradients are shortened, not the velocities": wrong("velocity"),
        "W decays before it moves; the velocity does not decay with it": wrong("after"),
        "the decay is multiplied by the rate": wrong("no rate"),
        "short gradients stay as they are": wrong("always"),
    }


def _misread_logs(v):
    r, rate, other = v["r"], v["log_rate"], float(v["other"])
    side = 1 if v["turns"] else -1

    def numbers(left):
        return left, 2 / (left + other), abs(left - other) / (left + other)

    kappa = max(v["curvature"], other) / min(v["curvature"], other)
    return {
        "the loss goes with the square of the distance": (
            lambda right: numbers((1 + side * r**2) / rate)
        ),
        "a gradient that turns its sign jumps over the minimum, one that keeps it creeps": (
            lambda right: numbers((1 - side * r) / rate)
        ),
        "the best rate depends on both curvatures": (
            lambda right: (right()[0], 1 / max(right()[0], other), right()[2])
        ),
        "that is momentum's best factor; this is plain descent": (
            lambda right: (*right()[:2], (kappa**0.5 - 1) / (kappa**0.5 + 1))
        ),
        "the factor is asked for at the best rate, not at the one of the log": (
            lambda right: (*right()[:2], r)
        ),
    }
