"""Problem set 3: judges of a gradient, from a difference to a machine, and what they report."""

import numpy as np
from assignments import Question

# Question 1. Where the three values are taken, in steps of h.
OFFSETS = [(0, 1, 2), (-2, -1, 0), (0, 1, 3), (-3, -1, 0), (-1, 0, 2), (-2, 0, 1), (1, 2, 3)]

# Question 2. Rounding is weights eps |f| / h^q, truncation |high| h^p / part.
FORMULAS = {
    "five points": {
        "derivative": "first",
        "long_formula": (
            r"\frac{f(x - 2h) - 8 f(x - h) + 8 f(x + h) - f(x + 2h)}{12 h}"
            r" = f'(x) - \frac{h^4}{30} f^{(5)}(x) + \dots"
        ),
        "high": "the fifth derivative",
        "weights": "1.5",
        "part": "30",
        "p": 4,
        "q": 1,
    },
    "one side": {
        "derivative": "first",
        "long_formula": (
            r"\frac{-2 f(x - h) - 3 f(x) + 6 f(x + h) - f(x + 2h)}{6 h}"
            r" = f'(x) - \frac{h^3}{12} f^{(4)}(x) + \dots"
        ),
        "high": "the fourth derivative",
        "weights": "2",
        "part": "12",
        "p": 3,
        "q": 1,
    },
    "second": {
        "derivative": "second",
        "long_formula": (
            r"\frac{-f(x - 2h) + 16 f(x - h) - 30 f(x) + 16 f(x + h) - f(x + 2h)}{12 h^2}"
            r" = f''(x) - \frac{h^4}{90} f^{(6)}(x) + \dots"
        ),
        "high": "the sixth derivative",
        "weights": "16 / 3",
        "part": "90",
        "p": 4,
        "q": 2,
    },
    "third": {
        "derivative": "third",
        "long_formula": (
            r"\frac{-f(x - 2h) + 2 f(x - h) - 2 f(x + h) + f(x + 2h)}{2 h^3}"
            r" = f'''(x) + \frac{h^2}{4} f^{(5)}(x) + \dots"
        ),
        "high": "the fifth derivative",
        "weights": "3",
        "part": "4",
        "p": 2,
        "q": 3,
    },
}

# Question 3. A loss that drops imaginary parts, and the same without that.
LOSSES = {
    "length": {
        "loss_formula": r"L = \log(1 + \lVert x \rVert)",
        "loss": "np.log1p(np.linalg.norm(x))",
        "repaired": "np.log1p(np.sqrt(np.sum(x**2)))",
    },
    "power": {
        "loss_formula": r"L = \sum_j |x_j|^{3/2}",
        "loss": "np.sum(np.abs(x) ** 1.5)",
        "repaired": "np.sum((x * np.sign(x.real)) ** 1.5)",
    },
    "both penalties": {
        "loss_formula": r"L = \sum_j |x_j| + \tfrac12 \sum_j x_j^2",
        "loss": "np.sum(np.abs(x)) + np.sum(x**2) / 2",
        "repaired": "np.sum(x * np.sign(x.real) + x**2 / 2)",
    },
    "direction": {
        "loss_formula": r"L = \frac{\sum_j j\, x_j}{\lVert x \rVert}",
        "loss": "np.vdot(x, np.arange(len(x)) + 1) / np.sqrt(np.vdot(x, x))",
        "repaired": "np.sum(x * (np.arange(len(x)) + 1)) / np.sqrt(np.sum(x**2))",
    },
}

# Questions 4 and 5. An operation f with two inputs, a and b, and g with a; y is the value.
PAIRS = {
    "max": (r"\max(a, b)", "max(a, b)", ("(a >= b)", "(a < b)")),
    "hypot": (r"\sqrt{a^2 + b^2}", "np.hypot(a, b)", ("a / y", "b / y")),
    "angle": (r"\arctan(a/b)", "np.arctan(a / b)", ("b / (a**2 + b**2)", "-a / (a**2 + b**2)")),
    "parallel": (
        r"\frac{ab}{a + b}",
        "a * b / (a + b)",
        ("(b / (a + b)) ** 2", "(a / (a + b)) ** 2"),
    ),
}
SINGLES = {
    "softplus": (r"\log(1 + e^a)", "np.logaddexp(0, a)", "np.exp(a - y)"),
    "cube": ("a^3", "a**3", "3 * a**2"),
    "inverse": (r"\frac1a", "1 / a", "-(y**2)"),
    "gauss": (r"e^{-a^2}", "np.exp(-(a**2))", "-2 * a * y"),
}

# Question 6. What counts as equal.
ERRORS = {
    "norms": {
        "error_formula": r"\frac{\lVert a - b \rVert}{\lVert a \rVert + \lVert b \rVert}",
        "error_words": r"$\lVert a \rVert$ being the root of the sum of all squares",
        "gap": "np.linalg.norm(a - b)",
        "scale": "np.linalg.norm(a) + np.linalg.norm(b)",
    },
    "largest": {
        "error_formula": r"\frac{\max_j |a_j - b_j|}{\max_j \max(|a_j|, |b_j|)}",
        "error_words": "where $j$ runs over all entries",
        "gap": "np.max(np.abs(a - b))",
        "scale": "np.max(np.maximum(np.abs(a), np.abs(b)))",
    },
    "sums": {
        "error_formula": r"\frac{\sum_j |a_j - b_j|}{\sum_j (|a_j| + |b_j|)}",
        "error_words": "where $j$ runs over all entries",
        "gap": "np.sum(np.abs(a - b))",
        "scale": "np.sum(np.abs(a) + np.abs(b))",
    },
}

BOOK = {"gap": "np.linalg.norm(a - b)", "scale": "max(np.linalg.norm(a), np.linalg.norm(b))"}

# Question 7. For each mistake the parameters that are reported, and the factor if there is one.
NAMES = ["W1", "b1", "W2", "b2", "W3", "b3"]
CASES = {
    "too long": dict.fromkeys(NAMES, "N"),
    "too short": dict.fromkeys(NAMES, "1/N"),
    "error term": dict.fromkeys(NAMES[:4], ""),
    "biases of 1": {"b1": "1/N"},
    "biases of 2": {"b2": "1/N"},
    "weights of 2": {"W2": ""},
    "weights of 3": {"W3": ""},
}


def variant(rng):
    offsets = OFFSETS[rng.integers(len(OFFSETS))]
    pair, single = str(rng.choice(list(PAIRS))), SINGLES[rng.choice(list(SINGLES))]
    case, N = str(rng.choice(list(CASES))), int(rng.choice([4, 5, 8, 20]))
    loss = LOSSES[rng.choice(list(LOSSES))]
    at = np.array([3.0, -4.0])
    return {
        "offsets": offsets,
        "places": [_place(k) for k in offsets],
        **FORMULAS[rng.choice(list(FORMULAS))],
        **loss,
        "says": _row(_complex_slopes(loss["loss"], at)),
        "truth": _row(_complex_slopes(loss["repaired"], at)),
        "pair": pair,
        **dict(zip(("pair_formula", "pair_value", "pair_slopes"), PAIRS[pair], strict=True)),
        **dict(zip(("single_formula", "single_value", "single_slope"), single, strict=True)),
        **ERRORS[rng.choice(list(ERRORS))],
        "limit": int(rng.choice([-4, -5, -6])),
        "N": N,
        "case": case,
        "table": _table(CASES[case], N),
    }


def _place(k):
    """Write x + k h."""
    return f"x {'+' if k > 0 else '-'} {abs(k) if abs(k) > 1 else ''}h" if k else "x"


def _row(numbers):
    return f"({', '.join(f'{number:.4g}' for number in numbers)})"


def _table(wrong, N):
    """Return a report on the six parameters."""
    factors = {"N": f"{N}", "1/N": f"{1 / N:g}", "": ""}
    rows = ["| parameter | number | $k$ |", "|---|---|---|"]
    for name in NAMES:
        kind = ("3" if wrong[name] else "4") if name in wrong else "0"
        rows.append(f"| ${name[0]}_{name[1]}$ | {kind} | {factors[wrong.get(name, '')]} |")
    return "\n".join(rows)


def _at(code, **names):
    """Return what a piece of a template's code computes."""
    return eval(code, {"np": np, **names})


def _complex_slopes(code, x):
    slopes = [np.imag(_at(code, x=row)) for row in x + 1e-100j * np.eye(len(x))]
    return np.array(slopes) / 1e-100 + 0.0  # no -0


def _log_step(v, f, high, eps, weights=None, part=None, balanced=False, alone=False):
    """Return what question 2 asks for, or with a mistake."""
    p, q = v["p"], v["q"]
    R = _at(weights or v["weights"]) * eps * abs(f)
    C = abs(high) / _at(part or v["part"])
    h = (R / C if balanced else q * R / (p * C)) ** (1 / (p + q))
    return np.log10(h), np.log10((0 if alone else R / h**q) + C * h**p)


def _push(v, program, x, direction, product=True, both=True, bent=True, ties=None):
    """Return what question 4 asks for, with a mistake."""
    numbers, speeds = list(x), list(direction)
    for name, *where in program:
        a, da = numbers[where[0]], speeds[where[0]]
        b, db = numbers[where[-1]], speeds[where[-1]]
        if name == "+":
            y, dy = a + b, da + db
        elif name == "*":
            y, dy = a * b, b * da + a * db if product else da * db
        elif name == "f":
            y = _at(v["pair_value"], a=a, b=b)
            in_a, in_b = (_at(slope, a=a, b=b, y=y) for slope in ties or v["pair_slopes"])
            dy = in_a * da + both * in_b * db
        else:
            y = _at(v["single_value"], a=a)
            dy = da * (_at(v["single_slope"], a=a, y=y) if bent else 1)
        numbers.append(y)
        speeds.append(dy)
    return y, dy


def _back(
    v,
    program,
    values,
    added=True,
    swaps=True,
    exchanged=False,
    bent=True,
    up=True,
    chained=True,
    ties=None,
):
    """Return what question 5 asks for, with a mistake."""
    slopes = np.zeros(len(values))
    slopes[-1] = 1.0
    inputs = len(values) - len(program)
    places = range(inputs, len(values))
    for place in reversed(places) if up else places:
        name, *where = program[place - inputs]
        a, b, y = values[where[0]], values[where[-1]], values[place]
        if name == "+":
            local = 1.0, 1.0
        elif name == "*":
            local = (b, a) if swaps else (a, b)
        elif name == "f":
            local = tuple(_at(slope, a=a, b=b, y=y) for slope in ties or v["pair_slopes"])
            local = local[::-1] if exchanged else local
        else:
            local = (_at(v["single_slope"], a=a, y=y) if bent else 1.0,)
        for k, slope in zip(where, local, strict=True):
            back = slope * (slopes[place] if chained else 1.0)
            slopes[k] = slopes[k] + back if added else back
    return slopes[:inputs]


def _report(v, hand, judge, gap=None, scale=None, sign=1, transposed=2, factor=3, zeros=0):
    """Return what question 6 asks for, or with a mistake."""

    def equal(a, b):
        if a.shape != b.shape:
            return False
        size = _at(scale or v["scale"], a=a, b=b)
        return _at(gap or v["gap"], a=a, b=b) <= 10.0 ** v["limit"] * size

    def kind(a, b):
        if equal(a, b):
            return 0 if a.any() or b.any() else zeros
        if equal(-a, b):
            return sign
        if a.ndim == 2 and equal(a.T, b):
            return transposed
        if a.shape == b.shape and b.any() and equal(a, np.sum(a * b) / np.sum(b * b) * b):
            return factor
        return 4

    return np.array([kind(a, b) for a, b in zip(hand, judge, strict=True)])


def _loss_mistakes(v):
    """Return the mistakes of question 3 that only this loss invites."""
    if v["loss"] == LOSSES["length"]["loss"]:
        codes = {"the root is missing: that is the squared length": "np.log1p(np.sum(x**2))"}
    elif v["loss"] == LOSSES["direction"]["loss"]:
        codes = {
            "the numerator is still deaf": (
                "np.vdot(x, np.arange(len(x)) + 1) / np.sqrt(np.sum(x**2))"
            ),
            "the denominator is still deaf": (
                "np.sum(x * (np.arange(len(x)) + 1)) / np.sqrt(np.vdot(x, x))"
            ),
        }
    else:
        codes = {"the loss is a sum over the entries, not their mean": f"{v['repaired']} / len(x)"}
    return {hint: lambda right, x, c=code: _complex_slopes(c, x) for hint, code in codes.items()}


def questions(v, rng):
    def row(D):
        return rng.choice([-1, 1], D) * np.round(rng.uniform(0.3, 3, D), 2)

    def inputs(n):
        return rng.choice(np.arange(40, 160), n, replace=False) / 100

    def batch(*shape):
        return np.round(rng.normal(0, 1, shape), 2) + 0.005

    def values(program, x):
        numbers = list(x)
        for name, *where in program:
            a, b = numbers[where[0]], numbers[where[-1]]
            code = {"+": "a + b", "*": "a * b", "f": v["pair_value"]}
            numbers.append(_at(code.get(name, v["single_value"]), a=a, b=b))
        return np.array(numbers)

    def off(b, times):
        """Return b with one entry that is off by so many times the limit."""
        a = b.copy()
        a.flat[0] *= 1 + times * 10.0 ** v["limit"]
        return a

    shown = [[["+", 0, 1], ["f", 2, 0]], [["g", 0], ["*", 2, 1]]]
    programs = [
        ([["*", 0, 1], ["g", 0], ["f", 2, 3], ["+", 4, 0], ["*", 5, 4]], inputs(2)),
        ([["f", 1, 0], ["+", 0, 2], ["*", 3, 3], ["g", 5], ["*", 6, 0]], inputs(3)),
        ([["g", 0], ["g", 1], ["+", 2, 2], ["*", 3, 0]], inputs(1)),
        ([["f", 0, 1], ["*", 2, 0]], np.array([1.5, 1.5])),
        ([["f", 0, 1], ["*", 0, 2]], np.array([0.5, 1.25])),
    ]
    A, B, S = batch(2, 3), batch(3, 2), batch(3, 3)
    row_b, pair_b, ones, zero = batch(4), batch(2), np.ones(16), np.zeros((2, 2))
    ties = {}
    if v["pair"] == "max":
        ties["at a tie f is to count as its first input"] = "(a > b)", "(a <= b)"
    return [
        Question(
            "quotient_on_paper",
            shown=[],
            hidden=[()],
            points=(0, 4),
            mistakes={
                "in C the 1/6 of the Taylor series is missing": (
                    lambda right: right() * [1, 1, 1, 6]
                ),
                "the sign of C is wrong: it stands on the right side, beside f'": (
                    lambda right: right() * [1, 1, 1, -1]
                ),
                "the coefficients give twice the slope: it is divided by h, not by 2h": (
                    lambda right: right() * 2
                ),
                "the coefficients come in reversed order": lambda right: right()[[2, 1, 0, 3]],
                "f(x) does not cancel: the three coefficients must add up to 0": (
                    lambda right: right() * [1, 0, 1, 1]
                ),
            },
        ),
        Question(
            "best_step",
            shown=[(2.0, 3.0, 1e-16)],
            hidden=[(-0.5, 6.0, 2.0**-53), (40.0, -0.25, 2.0**-24), (1.0, 1.0, 1e-10)],
            points=(1, 5),
            mistakes={
                "the coefficients of the values are forgotten: they multiply the rounding errors": (
                    lambda right, *given: _log_step(v, *given, weights="1")
                ),
                "the factor in front of the derivative is forgotten": (
                    lambda right, *given: _log_step(v, *given, part="1")
                ),
                "the two errors are made equal; their sum is to be smallest": (
                    lambda right, *given: _log_step(v, *given, balanced=True)
                ),
                "the error is the truncation alone": (
                    lambda right, *given: _log_step(v, *given, alone=True)
                ),
                "the logarithms are natural ones": (
                    lambda right, *given: tuple(np.log(10) * part for part in right(*given))
                ),
            },
        ),
        Question(
            "hearing_slopes",
            shown=[(np.array([3.0, -4.0]),)],
            hidden=[(row(3),), (row(5),), (np.array([-0.5, 2.5, -1.5, 0.25]),)],
            points=(1, 4),
            mistakes={
                "these are the numbers of deaf_slopes": (
                    lambda right, x: _complex_slopes(v["loss"], x)
                ),
                "one step moves all entries at once; each needs its own": (
                    lambda right, x: np.full(len(x), np.sum(right(x)))
                ),
                "negative entries are taken for positive ones": lambda right, x: right(np.abs(x)),
                **_loss_mistakes(v),
            },
        ),
        Question(
            "push",
            shown=[
                (program, x, np.array(d))
                for program, x, d in zip(
                    shown, [inputs(2), inputs(2)], [[1.0, 0.0], [0.5, -2.0]], strict=True
                )
            ],
            hidden=[(program, x, np.array([1.0, -2.0, 0.5])[: len(x)]) for program, x in programs],
            points=(2, 5),
            mistakes={
                "a product has two speeds to add: b da + a db": (
                    lambda right, *given: _push(v, *given, product=False)
                ),
                "f has two inputs, and the speed of the second is missing": (
                    lambda right, *given: _push(v, *given, both=False)
                ),
                "the slope of g is missing": lambda right, *given: _push(v, *given, bent=False),
                "all inputs move at the speed 1; they have those in direction": (
                    lambda right, program, x, direction: right(program, x, np.ones(len(x)))
                ),
                **{
                    hint: lambda right, *given, slopes=slopes: _push(v, *given, ties=slopes)
                    for hint, slopes in ties.items()
                },
            },
        ),
        Question(
            "walk_back",
            shown=[(program, values(program, inputs(2))) for program in shown],
            hidden=[(program, values(program, x)) for program, x in programs],
            points=(2, 8),
            mistakes={
                "a value that is used twice keeps only one of its slopes; they add up": (
                    lambda right, *given: _back(v, *given, added=False)
                ),
                "multiply swaps: each factor gets the other's value": (
                    lambda right, *given: _back(v, *given, swaps=False)
                ),
                "the two slopes of f are exchanged": (
                    lambda right, *given: _back(v, *given, exchanged=True)
                ),
                "the slope of g is missing": (lambda right, *given: _back(v, *given, bent=False)),
                "the rows are walked in the order in which they were computed": (
                    lambda right, *given: _back(v, *given, up=False)
                ),
                "a row hands on its own slope only, not times the one that came back to it": (
                    lambda right, *given: _back(v, *given, chained=False)
                ),
                **{
                    hint: lambda right, *given, slopes=slopes: _back(v, *given, ties=slopes)
                    for hint, slopes in ties.items()
                },
            },
        ),
        Question(
            "report",
            shown=[([-pair_b, pair_b], [pair_b, pair_b])],
            hidden=[
                (
                    [A, B, 0.25 * A, S.T, A.T, -S, A.T, A[0], row_b, 0 * row_b],
                    [off(A, 0.01), -off(B, 0.01), A, S, A, S.T, B, A, row_b + 0.5, row_b],
                ),
                ([off(ones, n) for n in (0.5, 2, 5.6, 16, 50)], [ones] * 5),
                ([zero, zero + 1, off(20 * ones, 0.5)], [zero, zero, 20 * ones]),
            ],
            points=(1, 7),
            mistakes={
                "the error is not relative": lambda right, *given: _report(v, *given, scale="1.0"),
                "that is the error of the book, not the one asked for here": (
                    lambda right, *given: _report(v, *given, **BOOK)
                ),
                "a turned sign is reported as a factor; the first number that fits counts": (
                    lambda right, *given: _report(v, *given, sign=3)
                ),
                "a transposed array is not recognized": (
                    lambda right, *given: _report(v, *given, transposed=4)
                ),
                "a factor is not recognized": (lambda right, *given: _report(v, *given, factor=4)),
                "two arrays of zeros are equal": lambda right, *given: _report(v, *given, zeros=4),
            },
        ),
    ]
