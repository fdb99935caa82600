"""The fast gradients against the readable ones, which have been checked."""

from inspect import unwrap
from itertools import pairwise, product

import numpy as np
import pytest

from backprop import fast, losses
from backprop.fast import FastNetwork
from backprop.network import Network, dense_backward, dense_forward
from backprop.optimizers import SGD
from backprop.regularization import dropout_mask

# Relative to the largest entry: sums of some hundred products, in another order.
TOLERANCE = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-5}
SIZES = [30, 20, 15, 4]
LOSS = fast.softmax_cross_entropy_inplace
every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def make(sizes=SIZES, dtype=np.float64):
    activations = ["relu"] * (len(sizes) - 2) + ["identity"]
    return FastNetwork.random(sizes, activations, np.random.default_rng(0), 0.5, dtype)


def batch(n, sizes=SIZES, dtype=np.float64, zeros=(0, 3, 4), seed=1):
    """Return inputs of which some are zero in the whole batch, others here and there, targets."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, sizes[0])) * (rng.random((n, sizes[0])) < 0.7)
    X[0] += 10
    X[:, [column for column in zeros if column < sizes[0]]] = 0
    return X.astype(dtype), np.eye(sizes[-1], dtype=dtype)[rng.integers(0, sizes[-1], n)]


def masks_for(n, sizes=SIZES, dtype=np.float64, seed=2):
    rng = np.random.default_rng(seed)
    return [dropout_mask((n, D), 0.4, rng, dtype) for D in sizes[:-1]]


def assert_close(mine, others):
    for a, b in zip(mine, others, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE[b.dtype] * np.abs(b).max())


def assert_like_the_network(network, X, T, masks=None):
    """Compare gradients and steps; the network comes back with its old parameters."""
    start = [p.copy() for p in network.parameters]
    readable = Network([p.copy() for p in start], network.activations)
    expected, gradients = readable.loss_and_gradients(losses.softmax_cross_entropy, X, T, masks)
    SGD(0.25).step(readable.parameters, gradients)
    close = pytest.approx(expected, rel=TOLERANCE[network.dtype])
    for loss in (LOSS, losses.softmax_cross_entropy):
        value, found = network.loss_and_gradients(loss, X, T, masks)
        assert value == close
        assert_close(found, gradients)
        np.testing.assert_equal(network.parameters, start)
        assert network.sgd_step(loss, X, T, 0.25, masks) == close
        assert_close(network.parameters, readable.parameters)
        for p, was in zip(network.parameters, start, strict=True):
            p[...] = was


# How much work there is


class Counted(np.ndarray):
    """An array that counts the multiplications of its matrix products."""

    multiplications = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        plain = [np.asarray(a) for a in inputs]
        if ufunc is np.matmul:
            Counted.multiplications += plain[0].size * plain[1].shape[1]
        return getattr(ufunc, method)(*plain, **kwargs).view(Counted)


@pytest.mark.equation("products-of-a-step")
@pytest.mark.parametrize("sizes", [[30, 4], SIZES, [784, 300, 100, 10]])
def test_products_of_a_step(sizes, monkeypatch):
    monkeypatch.setattr(Counted, "multiplications", 0)
    N, layers = 5, list(pairwise(sizes))
    for layer, (D, H) in enumerate(layers):
        X, W, b, delta = (np.ones(s).view(Counted) for s in [(N, D), (D, H), (H,), (N, H)])
        unwrap(dense_forward)(X, W, b)
        unwrap(dense_backward)(X, W, delta)
        if layer == 0:  # the slope of the images, which nobody needs
            Counted.multiplications -= N * D * H
    products = sum(D * H for D, H in layers)
    assert Counted.multiplications == N * (3 * products - sizes[0] * sizes[1])


@pytest.mark.equation("expected-columns")
@pytest.mark.parametrize("N", [1, 2, 3])
def test_expected_columns(N):
    inked = np.array([[1, 0, 0, 1], [0, 0, 1, 1], [0, 0, 1, 1], [1, 0, 0, 1], [0, 0, 0, 1]])
    q = inked.mean(axis=0)
    every_batch = product(range(5), repeat=N)
    mean = np.mean([inked[list(rows)].any(axis=0).sum() for rows in every_batch])
    assert mean == pytest.approx(np.sum(1 - (1 - q) ** N), abs=1e-13)


# Gradients and steps


@every_dtype
@pytest.mark.parametrize("sizes", [[30, 4], SIZES, [30, 9, 8, 7, 2], [1, 1, 2], [5, 5, 5]])
@pytest.mark.parametrize("masked", [None, True])
def test_gradients_and_steps_are_the_networks(sizes, masked, dtype):
    X, T = batch(10, sizes, dtype)
    assert_like_the_network(make(sizes, dtype), X, T, masked and masks_for(10, sizes, dtype))


@pytest.mark.equation("active-columns")
@pytest.mark.parametrize("zeros", [[], [0], [29], [5, 6, 20], range(1, 30), range(30)])
def test_columns_that_are_zero_are_left_out_and_those_before_are_not_copied(zeros):
    network, (X, T) = make(), batch(8, zeros=zeros)
    first = min(zeros, default=30)
    *head, (rows, A, W) = network._active_parts(X)
    assert rows.tolist() == [i for i in range(first, 30) if i not in zeros]
    np.testing.assert_array_equal(A, X[:, rows])
    np.testing.assert_array_equal(W, network.parameters[0][rows])
    assert len(head) == (first > 0)
    for rows, A, W in head:
        assert rows == slice(first)
        assert A.shape[1] == len(W) == first
        assert np.shares_memory(A, X)
        assert np.shares_memory(W, network.parameters[0])
    assert_like_the_network(network, X, T)
    assert_like_the_network(network, X[:1], T[:1], masks_for(1))


@pytest.mark.equation("sorted-pixels")
def test_sorted_inputs_give_sorted_gradients():
    network, (X, T) = make(), batch(8)
    W1, *others = network.parameters
    order = np.argsort(-(X != 0).mean(axis=0), kind="stable")
    assert (order != np.arange(30)).any()
    same = network.with_parameters([W1[order], *others])
    assert_close(same.forward(X[:, order])[1:], network.forward(X)[1:])
    _, (dW1, *rest) = network.loss_and_gradients(LOSS, X, T)
    assert_close(same.loss_and_gradients(LOSS, X[:, order], T)[1], [dW1[order], *rest])


def test_memory_is_kept_for_each_length_and_nothing_is_left_behind():
    network, memory = make(), {}
    for seed, n in enumerate([10, 3, 10, 1, 3, 10]):
        X, T = batch(n, zeros=range(seed, 30, 7), seed=seed)  # other columns every time
        for masks in (masks_for(n, seed=seed), None):
            assert_like_the_network(network, X, T, masks)
        assert network.memory[n] is memory.setdefault(n, network.memory[n])


@every_dtype
@pytest.mark.parametrize("size", [1e-3, 1, 100, 1e4])
def test_softmax_cross_entropy_is_that_of_losses_in_the_memory_of_its_logits(size, dtype):
    rng = np.random.default_rng(0)
    z = (size * rng.uniform(-1, 1, (20, 5))).astype(dtype)
    z[0], z[1] = size, -size
    t = rng.dirichlet(np.ones(5), 20).astype(dtype)
    expected, gradient = losses.softmax_cross_entropy(z, t)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value, found = LOSS(z, t)
    assert found is z
    assert value == pytest.approx(expected, rel=TOLERANCE[z.dtype])
    assert_close([found], [gradient])


@pytest.mark.parametrize(
    "activations", [["relu"], ["tanh", "identity"], ["relu", "sigmoid"], ["identity"] * 2]
)
def test_other_activations_are_refused(activations):
    sizes = [3] * (len(activations) + 1)
    with pytest.raises(ValueError, match=r"^activations: expected \(.*'identity',?\), got \("):
        FastNetwork.random(sizes, activations, np.random.default_rng(0))


@pytest.mark.parametrize(
    "change", [lambda A: A[:, 1:], lambda A: A[0], lambda A: A.astype(np.float32)]
)
def test_inputs_and_masks_that_do_not_fit_are_refused(change):
    network, (X, T), masks = make(), batch(10), masks_for(10)
    with pytest.raises(ValueError, match=r"^X: expected \[\(\(.*30\), dtype.*, got \["):
        network.loss_and_gradients(LOSS, change(X), T)
    first, *others = masks
    for wrong in ([change(first), *others], [first, *map(change, others)], others, [first, *masks]):
        with pytest.raises(ValueError, match=r"^masks: expected \[\(\(10, 30\), "):
            network.loss_and_gradients(LOSS, X, T, wrong)
