"""Problem set 4: a network for a hundred small digits, by hand.

PICTURES are averages of pictures of MNIST (Yann LeCun and Corinna Cortes), and like them under the
licence CC BY-SA 3.0; see code/backprop/data/LICENSE.
"""

import numpy as np
from assignments import Question

# Written in Z, the total input.
ACTIVATIONS = {
    "softsign": {
        "f_formula": r"f(z) = \frac{z}{1 + |z|}",
        "f": "Z / (1 + np.abs(Z))",
        "slope": "1 / (1 + np.abs(Z)) ** 2",
    },
    "softplus": {
        "f_formula": r"f(z) = \log(1 + e^z)",
        "f": "np.logaddexp(0, Z)",
        "slope": "1 / (1 + np.exp(-Z))",
    },
    "swish": {
        "f_formula": r"f(z) = \frac{z}{1 + e^{-z}}",
        "f": "Z / (1 + np.exp(-Z))",
        "slope": "(1 + np.exp(-Z) * (1 + Z)) / (1 + np.exp(-Z)) ** 2",
    },
    "bell": {
        "f_formula": r"f(z) = e^{-z^2/2}",
        "f": "np.exp(-(Z**2) / 2)",
        "slope": "-Z * np.exp(-(Z**2) / 2)",
    },
}
# How a hidden unit puts its two looks together, and the slope of that in each.
JOINS = {
    "product": {
        "join_formula": r"f(Z) \odot U",
        "join": "f(Z) * U",
        "first": "slope(Z) * U",
        "second": "f(Z)",
    },
    "gate": {
        "join_formula": r"f(Z) \odot \sigma(U)",
        "join": "f(Z) / (1 + np.exp(-U))",
        "first": "slope(Z) / (1 + np.exp(-U))",
        "second": "f(Z) * np.exp(-U) / (1 + np.exp(-U)) ** 2",
    },
    "contrast": {
        "join_formula": r"f(Z) - f(U)",
        "join": "f(Z) - f(U)",
        "first": "slope(Z)",
        "second": "-slope(U)",
    },
}
LOSSES = {
    "brier": {
        "head_title": "Squares behind a softmax",
        "head_text": (
            "Let the rows of $P$ be the softmax of the rows of $Y$, and\n\n$$\n"
            r"L = \frac1N \sum_n \tfrac12 \lVert p_n - t_n \rVert^2"
            "\n$$\n\nHere the squared error, not the cross-entropy, follows the softmax. "
            "Logits may be as large as ±900."
        ),
    },
    "hinge": {
        "head_title": "Enough is enough",
        "head_text": (
            "Let $s_{nk} = 2 t_{nk} - 1$, which is 1 for the right digit and $-1$ for the others, "
            "and\n\n$$\n"
            r"L = \frac1N \sum_n \sum_k \tfrac12 \max(0,\ 1 - s_{nk}\, y_{nk})^2"
            "\n$$\n\nAn output that is at least 1 on its own side costs nothing. "
            "Outputs may be as large as ±900."
        ),
    },
    "margin": {
        "head_title": "Ahead by one",
        "head_text": (
            "Let $y_n^*$ be the output of picture $n$ for its right digit, and\n\n$$\n"
            r"L = \frac1N \sum_n \sum_{k\ \text{wrong}} \max(0,\ 1 + y_{nk} - y_n^*)"
            "\n$$\n\nA wrong output that stays behind the right one by 1 or more costs nothing; "
            "at the kink, where it stays behind by exactly 1, the slope is 0. "
            "Outputs may be as large as ±900."
        ),
    },
}
HIDDEN = {
    "tanh": {
        "hidden_formula": r"H = \tanh(X W_1 + b_1)",
        "hidden": "np.tanh(Z)",
        "hidden_slope": "(1 - H**2)",
    },
    "sigmoid": {
        "hidden_formula": r"H = \sigma(X W_1 + b_1)",
        "hidden": "1 / (1 + np.exp(-Z))",
        "hidden_slope": "H * (1 - H)",
    },
    "softsign": {
        "hidden_formula": r"H = f(X W_1 + b_1)$ with $f(z) = z/(1 + |z|)",
        "hidden": "Z / (1 + np.abs(Z))",
        "hidden_slope": "(1 - np.abs(H)) ** 2",
    },
    "softplus": {
        "hidden_formula": r"H = f(X W_1 + b_1)$ with $f(z) = \log(1 + e^z)",
        "hidden": "np.logaddexp(0, Z)",
        "hidden_slope": "(1 - np.exp(-H))",
    },
    "arctan": {
        "hidden_formula": r"H = \arctan(X W_1 + b_1)",
        "hidden": "np.arctan(Z)",
        "hidden_slope": "np.cos(H) ** 2",
    },
}
ACCUSED = {
    "late": "the changes of $W_1$ and $b_1$ do not fit; those of $W_2$ and $b_2$ do",
    "twice": "the changes of $W_1$ and $b_1$ do not fit; those of $W_2$ and $b_2$ do",
    "sum": "the change of $b_2$ does not fit; those of $W_1$, $b_1$ and $W_2$ do",
}
# Of each of these, the pictures at hand are not so easy that a straight cut gets all.
DIGITS = (3, 5, 8), (4, 7, 9), (1, 4, 7, 9), (2, 3, 5, 8), (3, 5, 8, 9), (1, 4, 6, 7, 9)
SHARES = {
    0.75: "at least three quarters of the pictures are",
    0.9: "at least nine tenths of the pictures are",
    1.0: "all pictures are",
}


def variant(rng):
    digits = DIGITS[rng.integers(len(DIGITS))]
    K = len(digits)
    X, T = _pictures(digits)
    seen = np.arange(10 * K) % 10 < 7
    W, b, steps, *_ = _taught(np.zeros((64, K)), np.zeros(K), X[seen], T[seen], 0.5, 1.0)
    right = int(_right(X[~seen] @ W + b, T[~seen]))
    p = right / (3 * K)
    error = np.sqrt(p * (1 - p) / (3 * K))
    names = np.repeat(digits, 10)
    rows = np.rint(8 * X).astype(int)
    activation = ACTIVATIONS[rng.choice(list(ACTIVATIONS))]
    join = JOINS[rng.choice(list(JOINS))]
    plain = join["join"].replace("f(Z)", activation["f"])
    plain = plain.replace("f(U)", activation["f"].replace("Z", "U"))
    share = rng.choice(list(SHARES))
    head = str(rng.choice(list(LOSSES)))
    bug = str(rng.choice(list(ACCUSED)))
    by_answer = bool(rng.integers(2))
    return {
        **activation,
        **join,
        **LOSSES[head],
        **HIDDEN[rng.choice(list(HIDDEN))],
        "join_plain": plain,
        "head": head,
        "bug": bug,
        "accused": ACCUSED[bug],
        "digits": digits,
        "K": K,
        "H": int(rng.integers(5, 10)),
        "pictures": "\n".join(
            f"{name} {''.join(map(str, row))}" for name, row in zip(names, rows, strict=True)
        ),
        "share": share,
        "most": int(rng.choice([60, 80, 100])),
        "share_words": SHARES[share],
        "rows_are_answers": by_answer,
        "table_words": (
            "how many of the pictures that are answered with class $i$ show class $j$"
            if by_answer
            else "how many of the pictures that show class $i$ are answered with class $j$"
        ),
        "steps": steps,
        "right": right,
        "percent": f"{100 * p:.0f}",
        "error": f"{error:.2f}",
        "error_percent": f"{100 * error:.0f}",
    }


def questions(v, rng):
    K = v["K"]

    def batch(*shape):
        return np.round(rng.normal(0, 1, shape), 2)

    def one_hot(N, K):
        return np.eye(K)[rng.permutation(np.arange(N) % K)]

    def network(D, H, K):
        return batch(D, H), batch(H), batch(D, H), batch(H, K), batch(K)

    X, T = _pictures(v["digits"])
    few = np.arange(10 * K) % 10 < 3
    known, one_in_four = np.eye(3)[[0, 2, 2, 1]], np.array([[0.0], [0.0], [0.0], [1.0]])
    rare = np.eye(3)[[1, 1, 1, 0]]
    return [
        Question(
            "count_on_paper",
            shown=[],
            hidden=[()],
            points=(0, 3),
            mistakes=_miscounts(v["H"], K),
        ),
        Question(
            "output_loss",
            shown=[(batch(3, 2), one_hot(3, 2))],
            hidden=[
                (2 * batch(5, 4), one_hot(5, 4)),
                (batch(1, 5), one_hot(1, 5)),
                (
                    # The second picture is at the kink of "margin", the third behind twice.
                    np.array([[900.0, -900.0, 0.5], [0.0, 1.0, 2.0], [0.75, 0.25, 0.5]]),
                    np.eye(3)[[2, 1, 1]],
                ),
            ],
            points=(2, 7),
            mistakes=MISTAKES[v["head"]],
        ),
        Question(
            "gradients",
            shown=[(*network(4, 3, 2), batch(5, 4), batch(5, 2))],
            hidden=[
                (*network(3, 5, 4), batch(2, 3), batch(2, 4)),
                (*network(6, 4, 3), batch(1, 6), batch(1, 3)),
            ],
            points=(2, 9),
            mistakes=_slips(v),
        ),
        Question(
            "mended_step",
            shown=[(*_ordinary(batch, 3, 4, 2), batch(5, 3), one_hot(5, 2), 0.5)],
            hidden=[
                (*_ordinary(batch, 5, 6, 3), batch(4, 5), one_hot(4, 3), 0.1),
                (*_ordinary(batch, 2, 3, 4), batch(1, 2), one_hot(1, 4), 2.0),
            ],
            points=(2, 5),
            mistakes={
                "W2 must go back as it was in the forward pass, before its own step": (
                    lambda right, *given: _step(v, *given, late=True)
                ),
                "on the way to W1 and b1 the mean over the batch is taken twice": (
                    lambda right, *given: _step(v, *given, twice=True)
                ),
                "b2 has a slope for each output, not one for all of them": (
                    lambda right, *given: _step(v, *given, total=True)
                ),
                "the activation's slope is missing on the way to W1 and b1": (
                    lambda right, *given: _step(v, *given, slope="1")
                ),
                "a step goes against the slope, not along it": (
                    lambda right, *given: right(*given[:-1], -given[-1])
                ),
            },
        ),
        Question(
            "lesson",
            shown=[(batch(3, 2), batch(2), batch(4, 3), one_hot(4, 2), 0.5)],
            hidden=[
                (np.round(0.3 * batch(64, K), 2), batch(K), X[few], T[few], 0.25),
                (np.eye(3), np.zeros(3), known, known, 1.0),
                (np.zeros((1, 3)), np.array([1.0, -1.0, -3.0]), one_in_four, rare, 0.2),
                (batch(2, 3), np.zeros(3), np.zeros((4, 2)), np.eye(3)[[0, 0, 1, 2]], 0.5),
            ],
            points=(2, 7),
            mistakes={
                "the table is the other way round": (
                    lambda right, *given: (right(*given)[0], right(*given)[1].T)
                ),
                "the pictures are looked at only after a step; none may be needed": (
                    lambda right, *given: _lesson(v, *given, first=1)
                ),
                "one step is counted that was not needed": (
                    lambda right, *given: (right(*given)[0] + 1, right(*given)[1])
                ),
                "the slopes are added up over the pictures, not averaged": (
                    lambda right, W, b, X, T, rate: right(W, b, X, T, rate * len(X))
                ),
                "the biases stay where they were": (
                    lambda right, *given: _lesson(v, *given, bias=0.0)
                ),
                "the table is from before the last step": (
                    lambda right, *given: (right(*given)[0], _lesson(v, *given, behind=1)[1])
                ),
            },
        ),
    ]


def _miscounts(H, K):
    pixels = 7 * K * 64

    def counted(first, second, output):
        """Return both numbers with biases per hidden unit as given, and `output` in the end."""
        each = 64 * second + 64 + first + K
        return H * each + output, (pixels - output) // each

    return {
        "the biases are missing": lambda right: counted(0, 1, 0),
        "the second look has weights of its own": lambda right: counted(1, 0, K),
        "the second look has no bias": lambda right: counted(2, 1, K),
        "the output's biases are missing": lambda right: counted(1, 1, 0),
        "at the largest H there must not be more parameters than pixels": (
            lambda right: (right()[0], right()[1] + 1)
        ),
    }


def _softmax(Y):
    E = np.exp(Y - Y.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def _missing(Y, T):
    """Return by how much each entry fails to be 1 on its own side."""
    return np.maximum(0, 1 - (2 * T - 1) * Y)


def _behind(Y, T):
    """Return how far each output is above what would cost nothing."""
    return 1 + Y - np.sum(T * Y, axis=1, keepdims=True)


def _value_and(slope):
    """Return a mistake with the right value, and another slope."""
    return lambda right, Y, T: (right(Y, T)[0], slope(Y, T) / len(Y))


def _margin_slope(Y, T, own):
    on = (_behind(Y, T) > 0) * (1 - T)
    return on - T * own(on.sum(axis=1, keepdims=True))


# Of every loss.
BY_ENTRIES = {
    "the mean is over the N pictures, not over all NK entries": (
        lambda right, Y, T: tuple(part / Y.shape[1] for part in right(Y, T))
    ),
    "the gradient lacks the mean's 1/N": (
        lambda right, Y, T: (right(Y, T)[0], right(Y, T)[1] * len(Y))
    ),
}
MISTAKES = {
    "brier": {
        **BY_ENTRIES,
        "that is the slope in P; it has yet to go back through the softmax": (
            _value_and(lambda Y, T: _softmax(Y) - T)
        ),
        "a logit moves all probabilities of its row, not its own alone": (
            _value_and(lambda Y, T: (_softmax(Y) - T) * _softmax(Y) * (1 - _softmax(Y)))
        ),
        "the square's 2 has gone against the half": (
            lambda right, Y, T: (right(Y, T)[0], 2 * right(Y, T)[1])
        ),
    },
    "hinge": {
        **BY_ENTRIES,
        "an entry that costs nothing has no slope": (
            _value_and(lambda Y, T: -(2 * T - 1) * (1 - (2 * T - 1) * Y))
        ),
        "the slope lacks the inner derivative, the sign s": (
            _value_and(lambda Y, T: -_missing(Y, T))
        ),
        "the square's 2 has gone against the half": (
            lambda right, Y, T: (right(Y, T)[0], 2 * right(Y, T)[1])
        ),
        "the signs s are -1 and 1; targets are 0 and 1": (
            lambda right, Y, T: (
                np.sum(np.maximum(0, 1 - T * Y) ** 2) / (2 * len(Y)),
                -T * np.maximum(0, 1 - T * Y) / len(Y),
            )
        ),
    },
    "margin": {
        **BY_ENTRIES,
        "the right output has a slope, too: it stands in every term": (
            _value_and(lambda Y, T: _margin_slope(Y, T, lambda count: 0 * count))
        ),
        "the right output stands in more than one term": (
            _value_and(lambda Y, T: _margin_slope(Y, T, lambda count: np.minimum(count, 1)))
        ),
        "the sum is over the wrong outputs; the right one adds 1": (
            lambda right, Y, T: (right(Y, T)[0] + 1, right(Y, T)[1])
        ),
        "at the kink the slope is 0": (
            lambda right, Y, T: right(np.where(_behind(Y, T) == 0, Y + 1e-12, Y), T)
        ),
    },
}


def _gradients(v, W1, b1, V, W2, b2, X, delta):
    """Walk back through the network that `v` describes."""
    scope = {"np": np, "Z": X @ W1 + b1, "U": X @ V}
    scope["f"] = eval(f"lambda Z: {v['f']}", {"np": np})
    scope["slope"] = eval(f"lambda Z: {v['slope']}", {"np": np})
    A, first, second = (eval(v[part], scope) for part in ("join", "first", "second"))
    dZ, dU = delta @ W2.T * first, delta @ W2.T * second
    return X.T @ dZ, dZ.sum(axis=0), X.T @ dU, A.T @ delta, delta.sum(axis=0)


def _slips(v):
    def changed(**parts):
        return lambda right, *given: _gradients(v | parts, *given)

    def averaged(right, *given):
        return tuple(part / (1 if part.ndim > 1 else len(given[5])) for part in right(*given))

    slips = {
        "the activation's slope is taken at its output; it belongs to the total input": changed(
            first=v["first"].replace("slope(Z)", "slope(f(Z))"),
            second=v["second"].replace("slope(U)", "slope(f(U))"),
        ),
        "the activation's slope is missing on the way to W1 and b1": changed(
            first=v["first"].replace("slope(Z)", "1.0")
        ),
        "delta has the mean's 1/N; a bias adds up what comes back": averaged,
        "what comes in to W2 is A, both looks together": changed(join="f(Z)"),
    }
    if v["join"] == "f(Z) - f(U)":
        return slips | {
            "the second look goes in with a minus": changed(second="slope(U)"),
            "each look has a slope of its own; V got that of the first": changed(
                second="-slope(Z)"
            ),
        }
    return slips | {
        "what goes back to one look is multiplied by the other; V got nothing of the first": (
            changed(second=v["second"].replace("f(Z)", "1.0"))
        ),
        "what goes back to one look is multiplied by the other; W1 got nothing of the second": (
            changed(first="slope(Z)")
        ),
    }


def _ordinary(batch, D, H, K):
    return batch(D, H), batch(H), batch(H, K), batch(K)


def _step(v, W1, b1, W2, b2, X, T, rate, late=False, twice=False, total=False, slope=None):
    """Return what the step of question 4 does with one of its possible mistakes."""
    H = eval(v["hidden"], {"np": np, "Z": X @ W1 + b1})
    d2 = (_softmax(H @ W2 + b2) - T) / len(X)
    new = W2 - rate * H.T @ d2
    d1 = (d2 @ (new if late else W2).T) * eval(slope or v["hidden_slope"], {"np": np, "H": H})
    d1 = d1 / len(X) if twice else d1
    db2 = d2.sum() if total else d2.sum(axis=0)
    return W1 - rate * X.T @ d1, b1 - rate * d1.sum(axis=0), new, b2 - rate * db2


def _right(Y, T):
    return np.sum(Y.argmax(axis=1) == T.argmax(axis=1))


def _taught(W, b, X, T, rate, share, most=100, first=0, bias=1.0):
    """Return weights, biases, the number of steps, and the outputs after and before the last."""
    Y = X @ W + b
    for steps in range(most + 1):
        before, Y = Y, X @ W + b
        if (steps >= first and _right(Y, T) >= share * len(X)) or steps == most:
            break
        delta = (_softmax(Y) - T) / len(X)
        W, b = W - rate * X.T @ delta, b - bias * rate * delta.sum(axis=0)
    return W, b, steps, Y, before


def _lesson(v, W, b, X, T, rate, behind=0, **changes):
    """Return steps and table of question 5, with changes that are mistakes."""
    *_, steps, after, before = _taught(W, b, X, T, rate, v["share"], v["most"], **changes)
    said = np.eye(len(b))[(before if behind else after).argmax(axis=1)]
    return steps, said.T @ T if v["rows_are_answers"] else T.T @ said


def _pictures(digits):
    """Return the pictures of some digits, ten of each, as rows, and one-hot targets."""
    levels = np.array([list(map(int, row)) for row in PICTURES.split()]).reshape(10, 10, 64)
    return levels[list(digits)].reshape(-1, 64) / 8, np.repeat(np.eye(len(digits)), 10, axis=0)


# Ten pictures of each digit in turn, of 8 x 8 pixels, from 0 for paper to 8 for ink.
PICTURES = """
0000200000178340005812810381018108300470082038300488840000121000
0000000000287710006305400080018002700180028003600083381000154100
0000131000048880005820810181018105400660063168100388820000330000
0000100000188500028508800740038228000181350248702888861000010000
0000000000038620003846500071036001600340016007000181540000462000
0000000000031000006653000467557008100033240001722301472000001000
0000030000028860003831810281008208200180180018300877830000231000
0000000000005720002758810482018318100581287676200243000000000000
0000000000178780017600710770004208400082084007600485881000244000
0000200000018200000564000007070000270700002635000016810000022000
0000200000006000000060000002600000035000000620000008000000020000
0000100000007100000181000003800000065000000820000018300000020000
0001100000026000000260000002600000028000000280000002800000011000
0001000000041000000520000005200000043000000340000001600000002000
0000100000007100000081000003700000054000000810000018000000020000
0000020000002800000056000000820000057000001810000086000000310000
0000000000070000000830000006600000066000000480000001800000005000
0000000000044000000350000002500000025000000250000002500000004000
0000000000002800000048000000840000047000000820000046000000420000
0000020000001800000055000001820000057000001820000085000000300000
0000000000687550028578300034325000000630003356000588820004623100
0002410000442600002005000000060000257611037742640451000000000000
0000000000001541000065810001864000222700166875002763000000000000
0113310005888810000038100001840000185000008624820088865100220000
0003630000543400000042000001700000062000004414400187642000000000
0000430000025810000187200000252004300700075877000677410000000000
0001310000175700004348500038545000000720057255000388830000210000
0000210000047700000728000000080001577600055074000367400000210000
0006100000025000000170000000710000158300008252000035610000000000
0002300000188700004786300028252000002800007883000088586000210000
0000000000158810002644400004781000058200040025001734820003651000
0002300000475500000007000024740000446300010007000577840000220000
0001330000065750000015500027850000334300310014002867820001320000
0000000000377600000046000002810000003500000056000157710002520000
0000000000577710003604300000282000188700040008000723750002651000
0000000000246850004632800003375000068600310054003856700002530000
0000000000488400001582000068820000103700031008000287670000154000
0003210000036810000027200056520001772000000273000256810001310000
0000000002653000004580000004700000185100000148200000082000006600
0013100003747200000033000145830001310620000002500043472000332000
0000000000161000007304400084681000445600000052000000800000008100
0210000004601300028056000185840000578300000073000000586500000200
0000000000040020003604400075470000657200000170000005300000080000
0000000000120100004217000064850000236100000060000001600000005000
0000000000030100003205100060050001742600000014000000330000003100
0000000000022020000613400035070001858400003170000004400000060000
0000000004500081183003802800056018578830014318000000280000000600
0000000000023020001811800076482003868500000370000028200000630000
0000000000043021000820810066484004888800013173000003700000051000
0000000000042013001810540073127004886720075264000004600000041000
0000000000001013000388750038210000874000000070000435400000540000
0000000000256620004531000078750000300800000017000021730000473000
0000000000056787005764200181310003887810012018100235840001641000
0000000000387400018831000078300000268600000018000014680000156200
0000000000000001000156540006300000653000012620000451000000000000
0000020000578400006100000046670000033630000017100077830000131000
0000000000002753000384200038700000105200052470000775100000000000
0000000000000000000155540038300000115000025240000024100000000000
0000000000001224000068630016800000846100052070000187200000000000
0000000000000000000046640034300001433500046661000000000000000000
0000230000027100001710000042000000613810005788100036300000000000
0000140000028800004871000386233005878881058888700168740000000000
0000530000018100000750000018000000452800003888000004510000000000
0000551000054140000810000035000000446700002867000008830000000000
0000015000002730000182000006200000286000005554000058710000000000
0000036000017420000710000043000000505600006566000048710000000000
0001610000184100005700000085530000844770008537600038840000000000
0001610000078100002830000067000000775870007888600018741000000000
0000282000028300002820000083242006788780078758400146410000000000
0001500000282000008883000087882001851860008846600028861000000000
0000000000011000688786001000082000157850037426400100181000004400
0000000000222300014576000000620000458640013280000001700000015000
0000000000423200007784000001810000068100000886000005500000027000
0000000000052000001876000026160000005400000181000005400000170000
0000000000700000008502300034883000006500000460000028100000320000
0000000000200000018854510180338100401830000075000005700000370000
0000000000011000000688200008271000004500000270000008100000440000
0000000000043110001668600032071000116400001370000047100000810000
0000000000000000000232100542113304400023000003300000120000000000
0000000000130000006886200053173000311700000072000007400000450000
0000000000017870000741700007383000288300037306000353650000463000
0000310000186830003504300008874000667020035042000185732000232000
0000000000036510004636830038866301857100053053000522800001883000
0000000000038400000353300003854000068000004180000056400000240000
0000000000058882002847820028388000288610178870003888600003420000
0002100000086000001640000008100000064100000506000003570000002100
0000000000057710005401600036485000177500007326000362720000461000
0000000000178300004544000003810000077000002643000036720000054000
0000000000057661005400530056573000274600007006100252640000562000
0013100001514100014000000034200000055100000404200004425000001310
0000000000034000005314000340460002763500000015000000140000001400
0000000000046610016636700640184007038700058774000000810000036000
0000000000251000005150000140600000666300000025000000050000000600
0000000000001310005877800584347001788600000380000018200000540000
0000000000356510046222720710018206303840017887000000810000046000
0000000001466200088678000830020002840850002788400000185000000460
0000000000003650001641810171036003204700026881000017100000650000
0000000000026610006735500450056006117820048855000000710000034000
0000000000135510048533711710004128324781024538200000440000004100
0000000000013310004755400070043000604800004783000000600000024000
"""
