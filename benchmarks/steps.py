"""From the textbook's step to the fast one: the same update in seven forms, each built on the last.

An eighth is the sixth on standardised pixels, which leave nothing to skip.

The forms are those of the chapter on fast training, taken from its cells with the tag "timed". Each
is a function of the parameters that returns a function ``gradients(X, T)``, which returns the loss
and its gradients, for the network of `contenders`. So what is timed is what the page shows. The
chapter draws the times in cells of its own; the timed ones need none of them.
"""

import json
from pathlib import Path
from time import perf_counter

import numpy as np
from contenders import ACTIVATIONS, BATCH, RATE, SIZES, Products, by_ink, targets

from backprop import fast, losses
from backprop.activations import softmax
from backprop.network import Network
from backprop.optimizers import SGD

CHAPTER = Path(__file__).parents[1] / "chapters" / "09_fast_training.ipynb"
FORMS = {
    "textbook": "the package's Network",
    "lean": "no checks of arguments, and no slope of the images",
    "in_place": "every result goes to memory that is kept from step to step",
    "fused": "softmax and cross-entropy in one, in the memory of the logits",
    "without_zeros": "pixels that are zero in the whole batch are left out: FastNetwork",
}


def forms_of_the_chapter():
    """Return the functions named in FORMS, by name."""
    found = {
        "ACTIVATIONS": ACTIVATIONS,
        "Network": Network,
        "SIZES": SIZES,
        "fast": fast,
        "losses": losses,
        "np": np,
        "softmax": softmax,
    }
    for cell in json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]:
        if "timed" in cell["metadata"].get("tags", []):
            exec("".join(cell["source"]), found)
    return {name: found[name] for name in FORMS}


class Steps:
    """All forms in one worker, and the bare products beside them."""

    def __init__(self, folder):
        folder = Path(folder)
        self.X = np.load(folder / "X.npy")
        self.T = targets(np.load(folder / "y.npy"))
        self.rng = np.random.default_rng(2)
        with np.load(folder / "start.npz") as arrays:
            start = list(arrays.values())
        self.gradients = {}
        self.steps = {"bare products": self._products(start)}
        for name, form in forms_of_the_chapter().items():
            self.steps[name] = self._step(name, form, [p.copy() for p in start])
        self.order = by_ink(self.X)
        self.steps["sgd_step"] = self._sgd_step([p.copy() for p in start])
        self.steps["sorted"] = self._sgd_step([start[0][self.order], *start[1:]])
        self.mean, self.deviation = self.X.mean(axis=0), self.X.std(axis=0)
        self.deviation[self.deviation == 0] = 1  # pixels that never have ink
        self.steps["standardised"] = self._sgd_step([p.copy() for p in start])

    def _products(self, parameters):
        bare = Products(self.X[:BATCH], None, parameters)
        return lambda X, T: bare.products(X)

    def _step(self, name, form, parameters):
        gradients, optimizer = form(parameters), SGD(RATE)
        self.gradients[name] = gradients
        return lambda X, T: optimizer.step(parameters, gradients(X, T)[1])

    def _sgd_step(self, parameters):
        network, loss = (
            fast.FastNetwork(parameters, ACTIVATIONS),
            fast.softmax_cross_entropy_inplace,
        )
        return lambda X, T: network.sgd_step(loss, X, T, RATE)

    def _batch(self):
        rows = self.rng.integers(len(self.X), size=BATCH)
        return self.X[rows], self.T[rows]

    def check(self):
        """Compare the losses and gradients of all forms with the textbook's."""
        X, T = self._batch()
        value, expected = self.gradients["textbook"](X, T)
        for name, gradients in self.gradients.items():
            value_here, got = gradients(X, T)
            np.testing.assert_allclose(value_here, value, rtol=1e-5, err_msg=name)
            for g, want in zip(got, expected, strict=True):
                np.testing.assert_allclose(g, want, rtol=0, atol=1e-6, err_msg=name)

    def turn(self, count):
        """Let each form, in random order, do so many steps; return the seconds of each step."""
        batches = [self._batch() for _ in range(count)]
        batches_of = {
            "sorted": [(X.take(self.order, axis=1), T) for X, T in batches],
            "standardised": [((X - self.mean) / self.deviation, T) for X, T in batches],
        }
        seconds = {}
        for name in self.rng.permutation(list(self.steps)):
            step, times = self.steps[name], []
            for X, T in batches_of.get(name, batches):
                start = perf_counter()
                step(X, T)
                times.append(perf_counter() - start)
            seconds[str(name)] = times
        return seconds

    def how(self):
        """Return one line on each form."""
        return FORMS | {
            "sgd_step": "the update folded into the products: FastNetwork.sgd_step",
            "sorted": "the same, pixels that often have ink first, so that few are copied",
            "standardised": "sgd_step on standardised pixels, of which hardly any is zero",
        }
