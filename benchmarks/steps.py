"""From the textbook's step to the fast one: the same update in five forms, each built on the last.

Every form is a function of the parameters that returns a function ``gradients(X, T)``, which
returns the loss and its gradients, for the network of `contenders`.
"""

from pathlib import Path
from time import perf_counter

import numpy as np
from contenders import ACTIVATIONS, BATCH, RATE, SIZES, Products, targets

from backprop import fast, losses
from backprop.network import Network
from backprop.optimizers import SGD


def textbook(parameters):
    """The package's Network"""
    network = Network(parameters, ACTIVATIONS)
    return lambda X, T: network.loss_and_gradients(losses.softmax_cross_entropy, X, T)


def cross_entropy(z, t):
    """Do what losses.softmax_cross_entropy does, without its checks."""
    shifted = z - z.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return float(-np.sum(t * log_p) / len(z)), (p - t) / len(z)


def lean(parameters):
    """No checks of arguments, and no slope of the images, which nobody needs"""
    W1, b1, W2, b2, W3, b3 = parameters

    def gradients(X, T):
        A1 = np.maximum(X @ W1 + b1, 0)
        A2 = np.maximum(A1 @ W2 + b2, 0)
        value, d3 = cross_entropy(A2 @ W3 + b3, T)
        d2 = (d3 @ W3.T) * (A2 > 0)
        d1 = (d2 @ W2.T) * (A1 > 0)
        return value, [X.T @ d1, d1.sum(0), A1.T @ d2, d2.sum(0), A2.T @ d3, d3.sum(0)]

    return gradients


def in_place(parameters, loss=cross_entropy):
    """Every result goes to memory that is kept from step to step"""
    W1, b1, W2, b2, W3, b3 = parameters
    dW1, db1, dW2, db2, dW3, db3 = gradients_of_all = [np.empty_like(p) for p in parameters]
    A1, A2, Z3 = (np.empty((BATCH, n), W1.dtype) for n in SIZES[1:])
    d1, d2 = np.empty_like(A1), np.empty_like(A2)

    def layer(X, W, b, Z):
        np.matmul(X, W, out=Z)
        Z += b

    def weight_gradients(X, d, dW, db):
        np.matmul(X.T, d, out=dW)
        d.sum(axis=0, out=db)

    def slope(d, W, A, d_before):
        np.matmul(d, W.T, out=d_before)
        d_before *= A > 0

    def gradients(X, T):
        layer(X, W1, b1, A1)
        np.maximum(A1, 0, out=A1)
        layer(A1, W2, b2, A2)
        np.maximum(A2, 0, out=A2)
        layer(A2, W3, b3, Z3)
        value, d3 = loss(Z3, T)
        weight_gradients(A2, d3, dW3, db3)
        slope(d3, W3, A2, d2)
        weight_gradients(A1, d2, dW2, db2)
        slope(d2, W2, A1, d1)
        weight_gradients(X, d1, dW1, db1)
        return value, gradients_of_all

    return gradients


def fused(parameters):
    """Softmax and cross-entropy in one, in the memory of the logits"""
    return in_place(parameters, fast.softmax_cross_entropy)


def without_zeros(parameters):
    """Pixels that are zero in the whole batch are left out: the package's FastNetwork"""
    network = fast.FastNetwork(parameters, ACTIVATIONS)
    return lambda X, T: network.loss_and_gradients(fast.softmax_cross_entropy, X, T)


FORMS = [textbook, lean, in_place, fused, without_zeros]


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
        for form in FORMS:
            self.steps[form.__name__] = self._step(form, [p.copy() for p in start])

    def _products(self, parameters):
        bare = Products(self.X[:BATCH], None, parameters)
        return lambda X, T: bare.products(X)

    def _step(self, form, parameters):
        gradients, optimizer = form(parameters), SGD(RATE)
        self.gradients[form.__name__] = gradients
        return lambda X, T: optimizer.step(parameters, gradients(X, T)[1])

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
        seconds = {}
        for name in self.rng.permutation(list(self.steps)):
            step, times = self.steps[name], []
            for X, T in batches:
                start = perf_counter()
                step(X, T)
                times.append(perf_counter() - start)
            seconds[str(name)] = times
        return seconds

    def how(self):
        """Return one line on each form."""
        return {form.__name__: form.__doc__.splitlines()[0] for form in FORMS}
