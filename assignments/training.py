"""Problem set 7: penalties, noise, normalisation, clipping, stopping, schedules, and curves."""

import itertools

import numpy as np
from assignments import Question


def penalties(strength, share):
    return {
        "rows": {
            "penalty_title": "Inputs that nobody needs",
            "penalty_text": (
                "A row of $W$ holds all weights that lead away from one input. To empty whole "
                "rows, let each row $W_i$ cost its length:"
            ),
            "penalty_formula": rf"{strength} \sum_{{i=1}}^D \sqrt{{\sum_{{j=1}}^H W_{{ij}}^2}}",
            "penalty_kink": "A row of zeros has no slope; take it as 0 there. ",
            "penalty_code": [
                "length = np.sqrt(np.sum(W**2, axis=1, keepdims=True))",
                f"slope = {strength} * W / np.where(length > 0, length, 1)",
                f"return {strength} * length.sum(), slope",
            ],
        },
        "elastic": {
            "penalty_title": "Some of each",
            "penalty_text": "The elastic net mixes the two penalties of the book:",
            "penalty_formula": (
                rf"{strength} \sum_{{i,j}} \Bigl({share}\,\lvert W_{{ij}}\rvert + "
                rf"\frac{{{1 - share:g}}}{{2}}\,W_{{ij}}^2\Bigr)"
            ),
            "penalty_kink": "At zero take the slope of $\\lvert w\\rvert$ as 0. ",
            "penalty_code": [
                f"value = {share} * np.abs(W) + {1 - share:g} * W**2 / 2",
                f"slope = {share} * np.sign(W) + {1 - share:g} * W",
                f"return {strength} * value.sum(), {strength} * slope",
            ],
        },
        "orthogonal": {
            "penalty_title": "Columns that differ",
            "penalty_text": (
                "Two units with the same weights are one too many. To make the columns of $W$ "
                "orthogonal, each of length 1, let what is missing cost:"
            ),
            "penalty_formula": (
                rf"{strength} \sum_{{j,k}} \bigl(W^{{\mathsf T}} W - I\bigr)_{{jk}}^2"
            ),
            "penalty_kink": "",
            "penalty_code": [
                "missing = W.T @ W - np.eye(W.shape[1])",
                f"return {strength} * np.sum(missing**2), {4 * strength:g} * W @ missing",
            ],
        },
        "neighbours": {
            "penalty_title": "Neighbours that agree",
            "penalty_text": (
                "The inputs are the samples of a signal, one after the other. Neighbouring inputs "
                "should have similar weights, so let the differences of neighbouring rows cost:"
            ),
            "penalty_formula": (
                rf"{strength} \sum_{{i=1}}^{{D-1}} \sum_{{j=1}}^{{H}} (W_{{i+1,j}} - W_{{ij}})^2"
            ),
            "penalty_kink": "",
            "penalty_code": [
                "steps, slope = np.diff(W, axis=0), np.zeros_like(W)",
                f"slope[1:] += {2 * strength:g} * steps",
                f"slope[:-1] -= {2 * strength:g} * steps",
                f"return {strength} * np.sum(steps**2), slope",
            ],
        },
    }


def noises(p, q):
    kept = f"{1 - p:g}"
    return {
        "gaussian": {
            "noise_title": "Noise without zeros",
            "noise_text": (
                f"Dropout multiplies by a mask with the mean 1. This layer does, too, but its "
                f"mask is $M = 1 + s R$, where $R$ holds independent random numbers with the mean "
                f"0 and the variance 1. Choose $s > 0$ such that an entry of $M$ has the same "
                f"variance as one of a dropout mask with $p = {p}$. Derive that variance first."
            ),
            "noise_code": [f"M = 1 + np.sqrt({p} / {kept}) * R", "return A * M, d * M"],
        },
        "uniform": {
            "noise_title": "Noise between two bounds",
            "noise_text": (
                f"Dropout multiplies by a mask with the mean 1. This layer does, too, but its "
                f"mask is $M = 1 + s\\,(2R - 1)$, where the entries of $R$ are independent and "
                f"uniform between 0 and 1. Choose $s > 0$ such that an entry of $M$ has the same "
                f"variance as one of a dropout mask with $p = {p}$. Derive both variances first."
            ),
            "noise_code": [
                f"M = 1 + np.sqrt(3 * {p} / {kept}) * (2 * R - 1)",
                "return A * M, d * M",
            ],
        },
        "fill": {
            "noise_title": "Dropout that leaves no hole",
            "noise_text": (
                f"Where $R < {p}$, with $R$ uniform between 0 and 1, an entry of $A$ is dropped. "
                f"In its place comes not 0 but ${q}$. Then *all* entries, dropped or not, are "
                f"multiplied by $a > 0$, and $c$ is added. Choose $a$ and $c$ such that an entry "
                f"with the mean 0 and the variance 1 still has both after that, averaged over its "
                f"value and over $R$. (First find mean and variance with $a = 1$ and $c = 0$.)"
            ),
            "noise_code": [
                f"a = 1 / np.sqrt({kept} * (1 + {p} * {q} ** 2))".replace(
                    f"* {q} **", f"* ({q}) **"
                ),
                f"c = -a * {p} * ({q})",
                f"dropped = R < {p}",
                f"return a * np.where(dropped, {q}, A) + c, a * d * ~dropped",
            ],
        },
        "pairs": {
            "noise_title": "Dropped in pairs",
            "noise_text": (
                f"Columns 0 and 1 of $A$ belong together, and so do 2 and 3, and so on; $D$ is "
                f"even. Who knows one of a pair can guess the other. So dropout drops both or "
                f"none: where the number in $R$, uniform between 0 and 1, of the *first* of the "
                f"two is below {p}. The other's number does not count. As in the book, the mask's "
                f"mean is 1."
            ),
            "noise_code": [
                f"M = np.repeat(R[:, ::2] >= {p}, 2, axis=1) / {kept}",
                "return A * M, d * M",
            ],
        },
    }


NORMS = {
    "layer": {
        "norm_title": "Each example by its own measure",
        "norm_text": (
            "Layer normalisation gives the numbers of each example the mean 0 and the size 1. For "
            "one row $x$ of $X$, with the means over its $D$ entries:"
        ),
        "norm_formula": (
            r"\mu = \frac1D \sum_i x_i, \quad \hat x_i = \frac{x_i - \mu}"
            r"{\sqrt{\frac1D \sum_k (x_k - \mu)^2 + \epsilon}}, \quad y_i = \gamma_i \hat x_i"
        ),
        "norm_code": [
            "centred = X - X.mean(axis=1, keepdims=True)",
            "size = np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + epsilon)",
            "X_hat, e = centred / size, d * gain",
            "along = np.mean(e * X_hat, axis=1, keepdims=True)",
            "dX = (e - e.mean(axis=1, keepdims=True) - X_hat * along) / size",
            "return gain * X_hat, dX, np.sum(d * X_hat, axis=0)",
        ],
    },
    "rms": {
        "norm_title": "Each example by its own size",
        "norm_text": (
            "Root-mean-square normalisation gives the numbers of each example the size 1. It takes "
            "no mean away first. For one row $x$ of $X$:"
        ),
        "norm_formula": (
            r"\hat x_i = \frac{x_i}{\sqrt{\frac1D \sum_k x_k^2 + \epsilon}}, "
            r"\quad y_i = \gamma_i \hat x_i"
        ),
        "norm_code": [
            "size = np.sqrt(np.mean(X**2, axis=1, keepdims=True) + epsilon)",
            "X_hat, e = X / size, d * gain",
            "dX = (e - X_hat * np.mean(e * X_hat, axis=1, keepdims=True)) / size",
            "return gain * X_hat, dX, np.sum(d * X_hat, axis=0)",
        ],
    },
    "absolute": {
        "norm_title": "Each example by its own size",
        "norm_text": (
            "This normalisation divides the numbers of each example by their mean size, and needs "
            "no root. For one row $x$ of $X$, where the slope of $\\lvert x\\rvert$ at 0 is taken "
            "as 0:"
        ),
        "norm_formula": (
            r"\hat x_i = \frac{x_i}{\frac1D \sum_k \lvert x_k\rvert + \epsilon}, "
            r"\quad y_i = \gamma_i \hat x_i"
        ),
        "norm_code": [
            "size = np.mean(np.abs(X), axis=1, keepdims=True) + epsilon",
            "X_hat, e = X / size, d * gain",
            "along = np.mean(e * X_hat, axis=1, keepdims=True)",
            "dX = (e - np.sign(X) * along) / size",
            "return gain * X_hat, dX, np.sum(d * X_hat, axis=0)",
        ],
    },
    "batch": {
        "norm_title": "Each column by the batch",
        "norm_text": (
            "Batch normalisation gives each column of $X$ the mean 0 and the size 1. So an "
            "example's output depends on all the others. For column $i$, with the means over the "
            "$N$ examples:"
        ),
        "norm_formula": (
            r"\mu_i = \frac1N \sum_n x_{ni}, \quad \hat x_{ni} = \frac{x_{ni} - "
            r"\mu_i}{\sqrt{\frac1N \sum_m (x_{mi} - \mu_i)^2 + \epsilon}}, \quad y_{ni} = \gamma_i "
            r"\hat x_{ni}"
        ),
        "norm_code": [
            "centred = X - X.mean(axis=0)",
            "size = np.sqrt(np.mean(centred**2, axis=0) + epsilon)",
            "X_hat, e = centred / size, d * gain",
            "dX = (e - e.mean(axis=0) - X_hat * np.mean(e * X_hat, axis=0)) / size",
            "return gain * X_hat, dX, np.sum(d * X_hat, axis=0)",
        ],
    },
}

CLIPS = {
    "global": (
        "multiplied by one common number not above 1, such that the root of the sum of all "
        "squares, of both arrays together, is at most"
    ),
    "largest": (
        "multiplied by one common number not above 1, such that no entry of either array has "
        "an absolute value above"
    ),
    "sum": (
        "multiplied by one common number not above 1, such that the absolute values of all "
        "entries, of both arrays together, add up to at most"
    ),
    "own": (
        "each of the two arrays multiplied by a number of its own, not above 1, such that the "
        "root of the sum of its squares is at most"
    ),
}
BUGS = list(itertools.combinations(["unweighted", "early", "stretch"], 2))

STOPS = {
    "patience": (
        "An epoch counts as better if its validation loss lies more than {delta} below the lowest "
        "one that has counted so far; the first epoch always counts. Training ends after "
        "{patience} epochs in a row that were not better. Kept is the last one that counted."
    ),
    "rises": (
        "Training ends as soon as the validation loss has risen {patience} times in a row, each "
        "time compared with the epoch just before. Kept is the epoch with the lowest loss of all "
        "that were trained, the first one if there are several."
    ),
    "percent": (
        "Training ends as soon as the validation loss lies more than {percent} % above the lowest "
        "one so far. Kept is the epoch with the lowest loss of all that were trained, the first "
        "one if there are several."
    ),
}


def schedules(rate):
    return {
        "warm-up": {
            "schedule_text": (
                f"With $t = 1, \\dots, 100$ the learning rate is ${rate}\\,t/20$ up to $t = 20$, "
                f"and ${rate}\\,(120 - t)/100$ from then on."
            ),
            "schedule_code": [
                "total = 21 / 2 + (99 * 100 - 19 * 20) / 200  # 1 to 20; 99 to 20",
                f"return {rate} * np.array([0.9, total, 50 / 20 + 50 / 5])",
            ],
            "rate_at": lambda t: rate * min(t / 20, (120 - t) / 100),
            "first": 1,
        },
        "stairs": {
            "schedule_text": (
                f"With $t = 0, \\dots, 99$ the learning rate is ${rate}$ for the first 20 steps, "
                "and is halved after every 20 steps."
            ),
            "schedule_code": [
                "# 20 steps each with 1, 1/2, 1/4, 1/8, 1/16. Line: from 1 to 1/16.",
                f"return np.array([{rate} / 2, {rate} * 20 * 31 / 16, {rate} * 50 * 17 / 16])",
            ],
            "rate_at": lambda t: rate / 2 ** (t // 20),
            "first": 0,
        },
        "cosine": {
            "schedule_text": (
                f"With $t = 0, \\dots, 99$ the learning rate is "
                rf"$\frac{{{rate}}}{{2}}\bigl(1 + \cos\frac{{\pi t}}{{100}}\bigr)$."
            ),
            "schedule_code": [
                "low = (1 + np.cos(np.pi * 99 / 100)) / 2  # t and 100 - t cancel, 0 is left",
                f"return {rate} * np.array([(1 + np.cos(0.3 * np.pi)) / 2, 50.5, 50 + 50 * low])",
            ],
            "rate_at": lambda t: rate / 2 * (1 + np.cos(np.pi * t / 100)),
            "first": 0,
        },
        "decay": {
            "schedule_text": (
                f"With $t = 0, \\dots, 99$ the learning rate is ${rate} \\cdot 0.97^t$."
            ),
            "schedule_code": [
                "total = (1 - 0.97**100) / 0.03  # a geometric sum",
                f"return {rate} * np.array([0.97**30, total, 50 + 50 * 0.97**99])",
            ],
            "rate_at": lambda t: rate * 0.97**t,
            "first": 0,
        },
    }


STORIES = {
    "spike": {
        "text": "A recurrent network, plain SGD, the same batches in a new order in each epoch.",
        "head": ("epoch", "4", "5", "6", "7", "8"),
        "rows": [
            ("training loss", "0.71", "0.64", "2.93", "2.41", "2.18"),
            ("validation loss", "0.74", "0.69", "3.02", "2.40", "2.21"),
            ("median norm of the batches' gradients", "0.8", "0.8", "1.1", "1.0", "0.9"),
            ("largest norm", "3", "4", "870", "5", "4"),
        ],
        "marks": (
            "One batch of epoch 6 had a huge gradient, and a single step threw the parameters far "
            "away; both losses jump together, so it is not overfitting. The largest norm says so, "
            "870, while the median stays. Clip by the norm, somewhat above the usual 1 to 4, and "
            "go on from the parameters of epoch 5; look at the batch. (A smaller rate for "
            "everything would cost more.)"
        ),
    },
    "leak": {
        "text": (
            "Each of 6,000 drawings was warped ten times. The 60,000 images were shuffled and cut "
            "into a training and a validation set. The test set holds drawings by other people."
        ),
        "head": ("epoch", "5", "10", "20", "30", "test, after 30"),
        "rows": [
            ("training loss", "0.21", "0.08", "0.02", "0.01", ""),
            ("validation loss", "0.22", "0.09", "0.03", "0.02", "0.64"),
            ("validation accuracy", "94 %", "97 %", "99.2 %", "99.6 %", "86 %"),
        ],
        "marks": (
            "It has learned by heart, and the validation set could not tell: it holds warped "
            "copies of drawings that are in the training set, too. The test accuracy says so, 86 "
            "% against 99.6 %, far more than luck. Cut by drawings, or better by people, first, "
            "and warp only what is in the training set; then choose anew, and not by this test "
            "set, which has now been looked at."
        ),
    },
    "floor": {
        "text": "SGD with batches of 10. The learning rate is 0.2, and 0.02 from epoch 21 on.",
        "head": ("epoch", "5", "10", "20", "21", "22", "30"),
        "rows": [
            ("training loss", "0.63", "0.61", "0.62", "0.44", "0.42", "0.41"),
            ("validation loss", "0.66", "0.65", "0.64", "0.47", "0.46", "0.45"),
        ],
        "marks": (
            "Up to epoch 20 the steps were too large for the noise of such small batches: the "
            "parameters danced around a minimum and could not come closer. It was neither "
            "underfitting nor the end. The fall between epochs 20 and 21 says so: only the rate "
            "has changed. Lower the rate sooner and further, or let it fall from the start along "
            "a schedule; larger batches would do, too. More units would not."
        ),
    },
    "smothered": {
        "text": (
            "A network of 300 units that can learn 2,000 examples by heart if it is let. Here it "
            "has dropout with $p = 0.7$ in both layers and a strong L2 penalty. The training loss "
            "is measured under dropout and without the penalty."
        ),
        "head": ("epoch", "10", "20", "30", "40"),
        "rows": [
            ("training loss", "1.31", "1.24", "1.23", "1.23"),
            ("training loss, without dropout", "0.93", "0.87", "0.86", "0.86"),
            ("validation loss", "0.95", "0.90", "0.89", "0.89"),
        ],
        "marks": (
            "It underfits: the remedies are stronger than the illness. The two losses that are "
            "measured in the same way, without dropout, say so: 0.86 and 0.89, both high, flat "
            "and close to each other. (1.23 is only higher as dropout disturbs it.) Take away "
            "from both remedies, one at a time, until a gap opens; more units or more epochs come "
            "later, if at all."
        ),
    },
}


def table(story):
    lines = [story["head"], ["---"] * len(story["head"]), *story["rows"]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def variant(rng):
    def one(options):
        return str(rng.choice(list(options)))

    return make_variant(
        penalty=one(["rows", "elastic", "orthogonal", "neighbours"]),
        strength=float(rng.choice([0.2, 0.3, 0.5])),
        noise=one(["gaussian", "uniform", "fill", "pairs"]),
        p=float(rng.choice([0.2, 0.3, 0.4])),
        norm=one(NORMS),
        epsilon=float(rng.choice([0.01, 0.05, 0.1])),
        clip=one(CLIPS),
        limit=float(rng.choice([0.5, 1.5, 2.0])),
        bugs=BUGS[rng.integers(len(BUGS))],
        rule=one(STOPS),
        patience=int(rng.choice([2, 3])),
        delta=float(rng.choice([0.025, 0.045])),
        percent=float(rng.choice([4.7, 7.3])),
        schedule=one(["warm-up", "stairs", "cosine", "decay"]),
        rate=float(rng.choice([0.2, 0.4, 0.8])),
        stories=[str(name) for name in rng.choice(list(STORIES), 2, replace=False)],
    )


def make_variant(**v):
    v |= {"share": 0.4, "q": -1.5}
    v |= penalties(v["strength"], v["share"])[v["penalty"]]
    v |= noises(v["p"], v["q"])[v["noise"]]
    v |= NORMS[v["norm"]]
    v |= schedules(v["rate"])[v["schedule"]]
    v |= {"clip_text": CLIPS[v["clip"]], "stop_text": STOPS[v["rule"]].format(**v)}
    v["blind"] = {
        ("unweighted", "early"): "pieces of equal sizes and no norm above",
        ("unweighted", "stretch"): "pieces of equal sizes and norms above",
        ("early", "stretch"): "a single piece and norms above",
    }[v["bugs"]]
    v["stories"] = [STORIES[name] | {"table": table(STORIES[name])} for name in v["stories"]]
    return v


# Validation losses: rises in a row and apart, slow falls and slow rises, a better end, a tie.
CURVES = [
    [0.90, 0.70, 0.75, 0.65, 0.70, 0.60, 0.63, 0.64, 0.59, 0.68, 0.69, 0.71, 0.72, 0.40],
    [1.00, 0.80, 0.70, 0.69, 0.72, 0.74, 0.73, 0.66, 0.60, 0.61, 0.80, 0.90, 0.95],
    [0.50, 0.49, 0.48, 0.47, 0.46, 0.45, 0.45, 0.44],
    [2.00, 1.50, 1.20, 1.21, 1.19, 1.22, 1.10, 1.13, 1.16, 1.17, 1.05, 1.30],
    [0.90, 0.80, 0.81, 0.70, 0.71, 0.60, 0.61, 0.50, 0.51, 0.40],
    [0.60, 0.50, 0.56, 0.54, 0.53, 0.52, 0.51, 0.45],
    [0.60, 0.50, 0.51, 0.52, 0.53, 0.54, 0.55, 0.56, 0.57, 0.45],
    [0.70],
]


def questions(v, rng):
    def numbers(*shape, size=1.0, digits=2):
        return np.round(rng.normal(0, size, shape), digits)

    def with_zeros(D, H):
        W = numbers(D, H)
        W[1], W[0, 1] = 0, 0
        return W

    def noisy(N, D):
        R = numbers(N, D) if v["noise"] == "gaussian" else np.round(rng.random((N, D)), 2)
        return numbers(N, D), R, numbers(N, D)

    def rows(N, D):
        return numbers(N, D, size=2), numbers(D), numbers(N, D)

    def in_pieces(sizes, D, H, size):
        P = len(sizes)
        return numbers(P, D, H, size=size, digits=3), numbers(P, H, size=size, digits=3), sizes

    def wrong_norm(*mistakes):
        return lambda right, *arguments: _normalise(v["norm"], v["epsilon"], *arguments, mistakes)

    def wrong_pieces(*mistakes, clip=v["clip"]):
        return lambda right, *arguments: _pieces(clip, v["limit"], *arguments, mistakes)

    def wrong_stop(*mistakes):
        return lambda right, losses: _stop(v, losses, mistakes)

    return [
        Question(
            "penalty",
            shown=[(numbers(2, 3),)],
            hidden=[(numbers(4, 3),), (with_zeros(3, 2),)],
            points=(2, 5),
            mistakes=_penalty_mistakes(v),
        ),
        Question(
            "noise",
            shown=[noisy(2, 4)],
            hidden=[noisy(3, 6), noisy(1, 8)],
            points=(2, 5),
            mistakes=_noise_mistakes(v),
        ),
        Question(
            "normalise",
            shown=[rows(2, 3)],
            hidden=[rows(4, 2), rows(3, 5), rows(1, 4)],
            points=(2, 7),
            mistakes={
                "what x is divided by depends on x, too; here it counts as given": (
                    wrong_norm("constant")
                ),
                "the gain is missing on the way to X": wrong_norm("no gain"),
                "the gain was multiplied by x-hat, not by x": wrong_norm("gain met X"),
                "the gain serves all examples: its slopes add, they are not averaged": (
                    wrong_norm("mean over examples")
                ),
                "the means go over the other axis": wrong_norm("other axis"),
                **(
                    {"the path through the mean is missing": wrong_norm("mean constant")}
                    if v["norm"] in ("layer", "batch")
                    else {}
                ),
                **(
                    {"the slope of a size is a sign; it is missing": wrong_norm("no sign")}
                    if v["norm"] == "absolute"
                    else {f"{v['epsilon']} belongs under the root": wrong_norm("outside")}
                ),
            },
        ),
        Question(
            "pieces",
            shown=[in_pieces(np.array([1, 4]), 2, 3, 8.0)],
            hidden=[
                in_pieces(np.array([5, 2, 3]), 4, 2, 8.0),
                in_pieces(np.array([6, 1]), 3, 2, 0.02),
                in_pieces(np.array([2, 3, 2, 1]), 1, 3, 1.5),
            ],
            points=(2, 5),
            mistakes={
                "a piece of five examples must count five times as much as one of one": (
                    wrong_pieces("unweighted")
                ),
                "the pieces are clipped; what is to be clipped is the gradient of the batch": (
                    wrong_pieces("early")
                ),
                "clipping makes long gradients short, and short ones are left as they are": (
                    wrong_pieces("stretch")
                ),
                "both mistakes of the given program are still there": wrong_pieces(*v["bugs"]),
                "nothing is clipped": wrong_pieces("no clipping"),
                "look again at whether both arrays share one number, or each has its own": (
                    wrong_pieces(clip="global" if v["clip"] == "own" else "own")
                ),
            },
        ),
        Question(
            "stop",
            shown=[(np.array(CURVES[0]),)],
            hidden=[(np.array(curve),) for curve in CURVES[1:]],
            points=(1, 4),
            mistakes={
                "epochs count from 1": lambda right, losses: tuple(np.array(right(losses)) - 1),
                "the parameters of the last epoch are kept": (
                    lambda right, losses: (right(losses)[1], right(losses)[1])
                ),
                "the list is searched to its end, also where training has ended before": (
                    wrong_stop("sees the future")
                ),
                **{
                    "patience": {
                        "it ends an epoch too late": wrong_stop("late"),
                        "an epoch counts as better only if it is so by a margin": (
                            wrong_stop("no margin")
                        ),
                        "a better epoch starts the count anew": wrong_stop("no reset"),
                    },
                    "rises": {
                        "it ends an epoch too late": wrong_stop("late"),
                        "each loss is compared with the one just before, not with the lowest": (
                            wrong_stop("lowest")
                        ),
                        "rises count in a row only": wrong_stop("no reset"),
                    },
                    "percent": {
                        "each loss is compared with the lowest, not with the one just before": (
                            wrong_stop("before")
                        ),
                        "a loss may lie a little above the lowest": wrong_stop("no margin"),
                    },
                }[v["rule"]],
            },
        ),
        Question(
            "rates_on_paper",
            shown=[],
            hidden=[()],
            points=(0, 4),
            mistakes={
                "the second number is the mean of the rates; the distance is their sum": (
                    lambda right: right() / [1, 100, 1]
                ),
                "the second number sums over t from the wrong place: look where t begins": (
                    lambda right: np.array([right()[0], _distance(v, 1 - v["first"]), right()[2]])
                ),
                **(
                    {
                        "step 20 is counted twice, in both parts of the second number": (
                            lambda right: right() + np.array([0, v["rate"], 0])
                        )
                    }
                    if v["schedule"] == "warm-up"
                    else {}
                ),
                "on a straight line the mean is halfway between the first and the last; "
                "100 of that, not 99": lambda right: right() * [1, 1, 0.99],
                "the third number takes the rate of t = 30 throughout": (
                    lambda right: np.array([*right()[:2], 100 * right()[0]])
                ),
                "the three are right up to a factor, the rate in the text": (
                    lambda right: right() / v["rate"]
                ),
            },
        ),
    ]


def _penalty_mistakes(v):
    strength, share = v["strength"], v["share"]

    def with_slope(slope):
        return lambda right, W: (right(W)[0], slope(W, right(W)[1]))

    def divided(W, slope):
        with np.errstate(invalid="ignore"):
            return strength * W / np.sqrt(np.sum(W**2, axis=1, keepdims=True))

    def from_rows(right, W):
        value, slope = right(W.T)
        return value, slope.T

    of_kind = {
        "rows": {
            "a row costs its length, not the square of it": (
                lambda right, W: (strength * np.sum(W**2), 2 * strength * W)
            ),
            "columns have taken the place of rows": from_rows,
            "the slope of a length is a direction, of length 1": (
                with_slope(lambda W, slope: strength * W)
            ),
            "a row of zeros has been divided by zero": with_slope(divided),
        },
        "elastic": {
            "the two parts have changed places": lambda right, W: _elastic(strength, 1 - share, W),
            "the slope of half a square has no 2": (
                with_slope(lambda W, slope: slope + strength * (1 - share) * W)
            ),
            "the slope of a size is a sign, negative for negative weights": (
                with_slope(lambda W, slope: slope + strength * share * (1 - np.sign(W)))
            ),
            "the value is the mean over the weights, not their sum": (
                lambda right, W: (right(W)[0] / W.size, right(W)[1])
            ),
        },
        "orthogonal": {
            "W stands in the product twice, and both count": (
                with_slope(lambda W, slope: slope / 2)
            ),
            "the rows are made orthogonal, not the columns": from_rows,
            "the slope of a square holds what was squared; that was more than W": (
                with_slope(lambda W, slope: W * 4 * strength)
            ),
            "the identity is missing: a column should have the length 1": (
                lambda right, W: (
                    strength * np.sum((W.T @ W) ** 2),
                    4 * strength * W @ W.T @ W,
                )
            ),
        },
        "neighbours": {
            "each row has two neighbours; the slope knows one of them": (
                with_slope(lambda W, slope: _one_neighbour(strength, W))
            ),
            "the slope's sign is wrong": with_slope(lambda W, slope: -slope),
            "columns have taken the place of rows": from_rows,
            "the first row and the last are no neighbours": (
                lambda right, W: _neighbours_in_a_ring(strength, W)
            ),
        },
    }[v["penalty"]]
    return of_kind | {
        "the slope lacks the strength of the penalty": (
            with_slope(lambda W, slope: slope / strength)
        ),
    }


def _elastic(strength, share, W):
    value = share * np.abs(W) + (1 - share) * W**2 / 2
    return strength * value.sum(), strength * (share * np.sign(W) + (1 - share) * W)


def _one_neighbour(strength, W):
    slope = np.zeros_like(W)
    slope[1:] = 2 * strength * np.diff(W, axis=0)
    return slope


def _neighbours_in_a_ring(strength, W):
    before, after = W - np.roll(W, 1, axis=0), W - np.roll(W, -1, axis=0)
    return strength * np.sum(before**2), 2 * strength * (before + after)


def _noise_mistakes(v):
    p, q, kind = v["p"], v["q"], v["noise"]
    random = (lambda R: R) if kind == "gaussian" else (lambda R: 2 * R - 1)
    spread = 1 if kind == "gaussian" else 3  # one over the variance of what is random

    def mask(M, M_back=None):
        return lambda right, A, R, d: (A * M(R), d * (M_back or M)(R))

    def strength(s):
        return mask(lambda R: 1 + s * random(R))

    def filled(a, c, a_back=None):
        return lambda right, A, R, d: (
            a * np.where(p > R, q, A) + c,
            (a_back or a) * d * (p <= R),
        )

    if kind == "fill":
        a = 1 / np.sqrt((1 - p) * (1 + p * q**2))
        about_zero = 1 / np.sqrt(1 - p + p * q**2)
        return {
            "nothing is rescaled: mean and variance have changed": filled(1, 0),
            "the slope meets a, too": filled(a, -a * p * q, 1),
            "what was dropped has no slope": (lambda right, A, R, d: (right(A, R, d)[0], a * d)),
            "the variance is measured from the mean, which is not 0 any more": (
                filled(about_zero, -about_zero * p * q)
            ),
            "the mean that c must take away has been multiplied by a before": filled(a, -p * q),
            "kept and dropped have changed places": (
                lambda right, A, R, d: (
                    a * np.where(p > R, A, q) - a * p * q,
                    a * d * (p > R),
                )
            ),
        }
    if kind == "pairs":

        def first(R):
            return np.repeat(R[:, ::2], 2, axis=1)

        def kept(R):
            return first(R) >= p

        return {
            "each column follows its own number, not the pair's first": (
                mask(lambda R: (p <= R) / (1 - p))
            ),
            "the mask's mean is not 1: its factor is missing": mask(kept),
            "the slope goes back through the same mask, factor included": (
                mask(lambda R: kept(R) / (1 - p), kept)
            ),
            "the factor belongs to the share that is kept": mask(lambda R: kept(R) / p),
            "kept and dropped have changed places": mask(lambda R: (first(R) < p) / (1 - p)),
        }
    s = np.sqrt(spread * p / (1 - p))
    return {
        "s is a factor, and the variance has its square": strength(s**2),
        "p and 1 - p have changed places": strength(np.sqrt(spread * (1 - p) / p)),
        "that is the variance of zeros and ones; what a mask keeps is enlarged": (
            strength(np.sqrt(spread * p * (1 - p)))
        ),
        "the slope goes back through the same mask": (
            mask(lambda R: 1 + s * random(R), np.ones_like)
        ),
        "the mask's mean is 0, not 1": mask(lambda R: s * random(R)),
        **(
            {"2R - 1 has not the variance 1": strength(s / np.sqrt(3))} if kind == "uniform" else {}
        ),
    }


def _normalise(kind, epsilon, X, gain, d, mistakes=()):
    def mean(a):
        axis = 0 if (kind == "batch") != ("other axis" in mistakes) else 1
        return a.mean(axis=axis, keepdims=True)

    has_mean = kind in ("layer", "batch")
    centred = X - mean(X) if has_mean else X
    if kind == "absolute":
        size = mean(np.abs(X)) + epsilon
    elif "outside" in mistakes:
        size = np.sqrt(mean(centred**2)) + epsilon
    else:
        size = np.sqrt(mean(centred**2) + epsilon)
    X_hat, e = centred / size, d if "no gain" in mistakes else d * gain
    dX = e
    if has_mean and not {"constant", "mean constant"} & set(mistakes):
        dX = dX - mean(e)
    if "constant" not in mistakes:
        shape = np.sign(X) if kind == "absolute" and "no sign" not in mistakes else X_hat
        shape = np.ones_like(X) if "no sign" in mistakes else shape
        dX = dX - shape * mean(e * X_hat)
    d_gain = np.sum(d * (X if "gain met X" in mistakes else X_hat), axis=0)
    d_gain = d_gain / (len(X) if "mean over examples" in mistakes else 1)
    return gain * X_hat, dX / size, d_gain


def _pieces(clip, limit, GW, Gb, sizes, mistakes=()):
    def clipped(dW, db):
        both = [dW, db]
        if "no clipping" in mistakes:
            return both
        norms = {
            "global": lambda: [np.sqrt(sum(np.sum(g**2) for g in both))] * 2,
            "largest": lambda: [max(np.abs(g).max() for g in both)] * 2,
            "sum": lambda: [sum(np.abs(g).sum() for g in both)] * 2,
            "own": lambda: [np.linalg.norm(g) for g in both],
        }[clip]()
        factors = [limit / n for n in norms]
        if "stretch" not in mistakes:
            factors = [min(1, f) for f in factors]
        return [f * g for f, g in zip(factors, both, strict=True)]

    shares = np.ones(len(sizes)) if "unweighted" in mistakes else sizes
    shares, early = shares / np.sum(shares), "early" in mistakes
    parts = [clipped(*g) if early else g for g in zip(GW, Gb, strict=True)]
    dW, db = (
        sum(s * g for s, g in zip(shares, of_pieces, strict=True))
        for of_pieces in zip(*parts, strict=True)
    )
    return tuple(g.copy() for g in ((dW, db) if early else clipped(dW, db)))


def _stop(v, losses, mistakes=()):
    kept, lowest, count, end = 1, losses[0], 0, len(losses)
    margin = 0 if "no margin" in mistakes else v["delta"]
    factor = 1 if "no margin" in mistakes else 1 + v["percent"] / 100
    most = v["patience"] + ("late" in mistakes)
    for epoch in range(2, len(losses) + 1):
        loss, before = losses[epoch - 1], losses[epoch - 2]
        is_better = loss < lowest - (margin if v["rule"] == "patience" else 0)
        if v["rule"] == "patience":
            is_worse = not is_better
        else:
            is_worse = loss > (lowest if "lowest" in mistakes else before)
        count = count + 1 if is_worse else count if "no reset" in mistakes else 0
        stops = count >= most
        if v["rule"] == "percent":
            stops = loss > factor * (before if "before" in mistakes else lowest)
        if is_better:
            kept, lowest = epoch, loss
        if stops:
            end = epoch
            break
    if "sees the future" in mistakes:
        kept = int(np.argmin(losses)) + 1
    return kept, end


def _distance(v, first):
    return sum(v["rate_at"](t) for t in range(first, first + 100))
