"""Answers to the exercises of chapter 5: the right ones, and mistakes with the hints they get."""

from collections import defaultdict

import numpy as np

from backprop.autodiff import gradients
from backprop.optimizers import Adam


def gradients_with_bias(w1, w2, b, x, t):
    return gradients(lambda w1, w2, b: np.mean((x @ w1 @ w2 + b - t) ** 2), w1, w2, b)


def stable_below(curvature, mu):
    return (1 + 1 / (1 + 2 * mu)) / curvature


def lion(w, g, s, rate, beta_1=0.9, beta_2=0.99):
    m = s["mean"]
    s["mean"] = m + (1 - beta_2) * (g - m)
    return w - rate * np.sign(m + (1 - beta_1) * (g - m))


def comparison(slopes, limit=1e-10, before=()):
    """Return a test beside the package's class, under some gradients, after others of the rule."""

    def test(rule):
        optimizer, packaged = Adam(0.125), np.ones(1)
        w, s = np.ones(1), defaultdict(float)
        for g in before:
            rule(w, np.array([g]), s, 0.125)
        for g in slopes:
            w = rule(w, np.array([g]), s, 0.125)
            optimizer.step([packaged], [np.array([g])])
            assert abs(w - packaged) <= limit

    return test


def test_adam(rule):
    comparison([3.0, -4.0, 0.5])(rule)


def lion_with(step):
    """Return a rule that keeps Lion's mean, and goes by a step of its own."""

    def rule(w, g, s, rate, beta_1=0.9, beta_2=0.99):
        m = s["m"]
        s["m"] = beta_2 * m + (1 - beta_2) * g
        return w - rate * step(m, s["m"], g, beta_1)

    return rule


def lion_of_shares(w, g, s, rate, beta_1=0.9, beta_2=0.99):
    return lion(w, g, s, rate, 1 - beta_1, 1 - beta_2)


def lion_without_a_share(w, g, s, rate, beta_1=0.9, beta_2=0.99):
    step = np.sign(beta_1 * s["m"] + (1 - beta_1) * g)
    s["m"] = beta_2 * s["m"] + g
    return w - rate * step


def lion_of_signs(w, g, s, rate, beta_1=0.9, beta_2=0.99):
    step = np.sign(beta_1 * s["m"] + (1 - beta_1) * g)
    s["m"] = beta_2 * s["m"] + (1 - beta_2) * step
    return w - rate * step


def lion_forgetting(w, g, s, rate, beta_1=0.9, beta_2=0.99):
    step = np.sign(beta_1 * s["m"] + (1 - beta_1) * g)
    s["m"] = (1 - beta_2) * s["m"] + beta_2 * g
    return w - rate * step


def lion_in_place(w, *arguments, **betas):
    w[:] = lion(w, *arguments, **betas)
    return w


def lion_with_one_mean(w, g, s, rate, beta_1=0.9, beta_2=0.99):
    s["m"] = beta_1 * s["m"] + (1 - beta_1) * g
    return w - rate * np.sign(s["m"])


MISTAKES = {
    gradients_with_bias: {
        "the answer Y goes without the bias, and so does every slope.": (
            lambda w1, w2, b, x, t: gradients_with_bias(w1, w2, 0 * b, x, t)
        ),
        "the mean over the points is missing: divide by N.": (
            lambda w1, w2, b, x, t: [len(x) * g for g in gradients_with_bias(w1, w2, b, x, t)]
        ),
        "the mean is over the points that are given: N is not always 8.": (
            lambda w1, w2, b, x, t: [len(x) / 8 * g for g in gradients_with_bias(w1, w2, b, x, t)]
        ),
        "delta is already divided by N: b gets the sum over the points, not their mean.": (
            lambda w1, w2, b, x, t: [
                g / n
                for g, n in zip(gradients_with_bias(w1, w2, b, x, t), (1, 1, len(x)), strict=True)
            ]
        ),
        "the slope of b adds up delta, which holds the 2/N, not the bare errors.": (
            lambda w1, w2, b, x, t: [
                *gradients_with_bias(w1, w2, b, x, t)[:2],
                np.sum(x @ w1 @ w2 + b - t, axis=0),
            ]
        ),
        "the slope of b is one number for each point: add up over the batch.": (
            lambda w1, w2, b, x, t: [
                *gradients_with_bias(w1, w2, b, x, t)[:2],
                2 * (x @ w1 @ w2 + b - t) / len(x),
            ]
        ),
    },
    stable_below: {
        "that is the bound of momentum; looking ahead costs some of it.": (
            lambda curvature, mu: 2 * (1 + mu) / curvature
        ),
        "that is the bound of descent, without mu.": lambda curvature, mu: 2 / curvature,
        "that bounds the product of rate and curvature; the rate alone is asked for.": (
            lambda curvature, mu: stable_below(1, mu)
        ),
        "a steeper valley bears a smaller rate, not a larger one.": (
            lambda curvature, mu: stable_below(1, mu) * curvature
        ),
        "at r = -1 two terms have a q, and both count.": (
            lambda curvature, mu: (1 + 1 / (1 + mu)) / curvature
        ),
        "that lets the product of the roots grow to 1 in size: a root passes -1 before.": (
            lambda curvature, mu: (1 + 1 / mu) / curvature
        ),
        "a rate times its curvature is 1 - q, and q is negative at the bound.": (
            lambda curvature, mu: (1 - 1 / (1 + 2 * mu)) / curvature
        ),
        "that is q at the bound; solve it for the rate.": lambda curvature, mu: -1 / (1 + 2 * mu),
        "that is where q turns negative: the steps swing from there on, but still shrink.": (
            lambda curvature, mu: 1 / curvature
        ),
    },
    lion: {
        "the step goes by the mean from before: renew it afterwards.": (
            lion_with(lambda m, new, g, beta: np.sign(beta * new + (1 - beta) * g))
        ),
        "the two betas are swapped: the first mixes the step, the second keeps the mean.": (
            lambda w, g, s, rate, beta_1=0.9, beta_2=0.99: lion(w, g, s, rate, beta_2, beta_1)
        ),
        "the mean has no say: is it kept from one update to the next?": (
            lion_with(lambda m, new, g, beta: np.sign(g))
        ),
        "the sign is missing: every step is as long as the rate.": (
            lion_with(lambda m, new, g, beta: beta * m + (1 - beta) * g)
        ),
        "step and mean mix in different shares: keep the mean by beta_2.": lion_with_one_mean,
        "the step needs a share of the gradient beside the old mean.": (
            lion_with(lambda m, new, g, beta: np.sign(m))
        ),
        "the step needs a mixture of its own, by beta_1; that is the new mean's sign.": (
            lion_with(lambda m, new, g, beta: np.sign(new))
        ),
        "a beta is the share of the old mean, 1 - beta that of the gradient.": lion_of_shares,
        "in the mean the new gradient counts 1 - beta_2 times.": lion_without_a_share,
        "use the betas that are given, not always the default ones.": (
            lambda w, g, s, rate, **betas: lion(w, g, s, rate)
        ),
        "return the new w, not the step alone.": (
            lambda w, g, s, rate, *betas, **more: lion(0, g, s, rate, *betas, **more)
        ),
        "w itself is changed: return a new one, `descend` keeps its places.": lion_in_place,
        "m remembers slopes, not signs.": lion_of_signs,
        "the mean keeps beta_2 of its old value, not 1 - beta_2.": lion_forgetting,
        "the steps go uphill.": (
            lion_with(lambda m, new, g, beta: -np.sign(beta * m + (1 - beta) * g))
        ),
    },
    test_adam: {
        "it lets every mistake through: what does it assert?": (lambda rule: None),
        "it rejects the right rule: is s empty at first, and epsilon where this page adds it?": (
            comparison([3.0, -4.0, 0.5], before=[1.0])
        ),
        "it lets an epsilon beside the fraction through: where does a zero gradient lead?": (
            comparison([3.0, -4.0, 0.5], limit=1e-5)
        ),
        "it lets a t through that stays 1: how many updates do you look at?": (comparison([3.0])),
        "it lets swapped betas through: do your gradients change from update to update?": (
            lambda rule: (comparison([0.0])(rule), comparison([3.0] * 3, limit=1e-5)(rule))
        ),
        "it lets a mean of squares without its root through: have all your gradients the size 1?": (
            comparison([1.0, -1.0, -1.0])
        ),
    },
}
