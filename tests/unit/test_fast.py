"""The fast gradients against the readable ones, which have been checked."""

import math
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
every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def make(sizes=SIZES, dtype=np.float64, seed=0):
    activations = ["relu"] * (len(sizes) - 2) + ["identity"]
    return FastNetwork.random(sizes, activations, np.random.default_rng(seed), 0.5, dtype)


def batch(n, sizes=SIZES, dtype=np.float64, seed=1, sparse=True):
    """Return inputs of which some are zero in the whole batch, others here and there, targets."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, sizes[0])) * (rng.random((n, sizes[0])) < 0.7)
    if sparse:
        X[:, rng.random(sizes[0]) < 0.4] = 0
    return X.astype(dtype), np.eye(sizes[-1], dtype=dtype)[rng.integers(0, sizes[-1], n)]


def masks_for(n, sizes=SIZES, dtype=np.float64, seed=2):
    rng = np.random.default_rng(seed)
    return [dropout_mask((n, D), 0.4, rng, dtype) for D in sizes[:-1]]


def assert_close(mine, others):
    for a, b in zip(mine, others, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE[b.dtype] * np.abs(b).max())


def assert_like_the_network(network, X, T, masks=None):
    readable = Network([p.copy() for p in network.parameters], network.activations)
    expected, gradients = readable.loss_and_gradients(losses.softmax_cross_entropy, X, T, masks)
    for loss in (fast.softmax_cross_entropy_inplace, losses.softmax_cross_entropy):
        value, found = network.loss_and_gradients(loss, X, T, masks)
        assert value == pytest.approx(expected, rel=TOLERANCE[network.dtype])
        assert_close(found, gradients)
    for p, was in zip(network.parameters, readable.parameters, strict=True):
        np.testing.assert_array_equal(p, was)


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


# Gradients


@every_dtype
@pytest.mark.parametrize(
    "sizes", [[30, 4], [30, 20, 4], SIZES, [30, 9, 8, 7, 2], [1, 1, 2], [5, 5, 5]]
)
@pytest.mark.parametrize("masked", [False, True])
def test_gradients_are_the_networks(sizes, masked, dtype):
    X, T = batch(10, sizes, dtype)
    masks = masks_for(10, sizes, dtype) if masked else None
    assert_like_the_network(make(sizes, dtype), X, T, masks)


@pytest.mark.equation("active-columns")
@pytest.mark.parametrize("kind", ["all zero", "none zero", "one pixel", "one example"])
def test_columns_that_are_zero(kind):
    X, T = batch(8, sparse=kind != "none zero")
    if kind == "none zero":
        X = X + 10
    elif kind != "one example":
        X[:, kind == "one pixel" :] = 0
    n = 1 if kind == "one example" else 8
    assert_like_the_network(make(), X[:n], T[:n])
    assert_like_the_network(make(), X[:n], T[:n], masks_for(n))


@pytest.mark.parametrize("zeros", [[], [0], [4], [29], [5, 6, 20], range(10, 30), range(30)])
def test_columns_before_the_first_zero_one_are_not_copied(zeros):
    network, (X, T) = make(), batch(8, sparse=False)
    X += 10
    X[:, zeros] = 0
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
    before = [p.copy() for p in network.parameters]
    _, gradients = network.loss_and_gradients(fast.softmax_cross_entropy_inplace, X, T)
    expected = [p - 0.25 * g for p, g in zip(before, gradients, strict=True)]
    network.sgd_step(fast.softmax_cross_entropy_inplace, X, T, 0.25)
    assert_close(network.parameters, expected)


@pytest.mark.equation("sorted-pixels")
def test_sorted_inputs_give_sorted_gradients():
    network, (X, T) = make(), batch(8)
    W1, *others = (p.copy() for p in network.parameters)
    order = np.argsort(-(X != 0).mean(axis=0), kind="stable")
    assert (order != np.arange(30)).any()
    sorted_network = FastNetwork([W1[order], *others], network.activations)
    Z = dense_forward(X, W1, others[0])
    np.testing.assert_allclose(dense_forward(X[:, order], W1[order], others[0]), Z, atol=1e-12)
    expected = network.with_parameters([W1, *others])
    value, (dW1, *rest) = expected.loss_and_gradients(losses.softmax_cross_entropy, X, T)
    loss = fast.softmax_cross_entropy_inplace
    got, found = sorted_network.loss_and_gradients(loss, X[:, order], T)
    assert got == pytest.approx(value, rel=1e-12)
    assert_close(found, [dW1[order], *rest])


def test_a_gradient_of_zero_takes_the_place_of_an_earlier_one():
    network, (X, T) = make(), batch(8, sparse=False)
    network.loss_and_gradients(fast.softmax_cross_entropy_inplace, X, T)
    dead = [0, 7, 29]
    X[:, dead] = 0
    gradients = network.loss_and_gradients(fast.softmax_cross_entropy_inplace, X, T)[1]
    assert not gradients[0][dead].any()
    assert_like_the_network(network, X, T)


def test_batches_of_several_lengths_in_turn():
    network = make()
    for seed, n in enumerate([10, 3, 10, 1, 3, 10]):
        X, T = batch(n, seed=seed)
        for masks in (None, masks_for(n, seed=seed)):
            assert_like_the_network(network, X, T, masks)
    assert sorted(network.memory) == [1, 3, 10]


def test_memory_is_kept_and_overwritten_but_nothing_is_left_behind():
    network, (X, T) = make(), batch(10)
    loss = fast.softmax_cross_entropy_inplace
    _, first = network.loss_and_gradients(loss, X, T)
    copies, places = [g.copy() for g in first], [id(a) for pair in network.memory[10] for a in pair]
    network.loss_and_gradients(loss, *batch(10, seed=9), masks_for(10))
    value, again = network.loss_and_gradients(loss, X, T)
    for g, was, copy in zip(again, first, copies, strict=True):
        assert g is was
        np.testing.assert_array_equal(g, copy)
    assert places == [id(a) for pair in network.memory[10] for a in pair]
    assert value == network.loss_and_gradients(loss, X, T)[0]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda masks: masks[:1],
        lambda masks: [*masks, masks[0]],
        lambda masks: [masks[0][:1], *masks[1:]],
        lambda masks: [*masks[:-1], masks[-1][:, :1]],
        lambda masks: [m.astype(np.float32) for m in masks],
    ],
    ids=["too few", "too many", "one row", "one column", "dtype"],
)
def test_masks_that_do_not_fit_are_refused(wrong):
    network, (X, T) = make(), batch(10)
    with pytest.raises(ValueError, match="masks: expected"):
        network.loss_and_gradients(fast.softmax_cross_entropy_inplace, X, T, wrong(masks_for(10)))


def test_arguments_are_left_alone():
    network, (X, T), masks = make(), batch(10), masks_for(10)
    arrays = [X, T, *masks, *network.parameters]
    copies = [a.copy() for a in arrays]
    network.loss_and_gradients(fast.softmax_cross_entropy_inplace, X, T, masks)
    for a, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(a, copy)


# The loss


@every_dtype
@pytest.mark.parametrize("size", [1e-3, 1, 100, 1e4])
def test_softmax_cross_entropy_is_that_of_losses(size, dtype):
    rng = np.random.default_rng(0)
    z = (size * rng.uniform(-1, 1, (20, 5))).astype(dtype)
    z[0], z[1] = size, -size
    t = rng.dirichlet(np.ones(5), 20).astype(dtype)
    expected, gradient = losses.softmax_cross_entropy(z, t)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value, found = fast.softmax_cross_entropy_inplace(z, t)
    assert type(value) is float
    assert value == pytest.approx(expected, rel=TOLERANCE[z.dtype])
    assert_close([found], [gradient])


def test_softmax_cross_entropy_takes_the_memory_of_its_logits_only():
    z, t = np.array([[1.0, 2.0], [0.0, 0.0]]), np.eye(2)
    _, gradient = fast.softmax_cross_entropy_inplace(z, t)
    assert gradient is z
    assert t.tolist() == [[1, 0], [0, 1]]
    p = 1 / (1 + math.e)
    np.testing.assert_allclose(z, [[(p - 1) / 2, (1 - p) / 2], [0.25, -0.25]], rtol=1e-15)


# Making one


@pytest.mark.parametrize(
    "activations",
    [["relu"], ["tanh", "identity"], ["relu", "sigmoid"], ["identity", "identity"], ["relu"] * 2],
)
def test_other_activations_are_refused(activations):
    sizes = [3] * (len(activations) + 1)
    with pytest.raises(ValueError, match=r"activations: expected relu, ..., identity, got \("):
        FastNetwork.random(sizes, activations, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones((5, 29)), r"X: expected \(N, 30\), got \(5, 29\)"),
        (np.ones(30), r"X: expected \(N, 30\), got \(30,\)"),
        (np.ones((5, 30), np.float32), "X: expected float64 like the parameters, got float32"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        make().loss_and_gradients(fast.softmax_cross_entropy_inplace, X, np.ones((5, 4)))


def test_it_is_a_network(tmp_path):
    network = make()
    network.save(tmp_path / "fast.npz")
    assert type(FastNetwork.load(tmp_path / "fast.npz")) is FastNetwork
    X, _ = batch(5)
    readable = Network(network.parameters, network.activations)
    np.testing.assert_array_equal(network.forward(X)[-1], readable.forward(X)[-1])


# One step of descent


@every_dtype
@pytest.mark.parametrize("sizes", [[30, 4], SIZES])
@pytest.mark.parametrize("masked", [False, True])
def test_a_step_is_that_of_sgd(sizes, masked, dtype):
    network, (X, T) = make(sizes, dtype), batch(7, sizes, dtype)
    masks = masks_for(7, sizes, dtype) if masked else None
    readable = Network([p.copy() for p in network.parameters], network.activations)
    before = [p.copy() for p in network.parameters]
    value, gradients = readable.loss_and_gradients(losses.softmax_cross_entropy, X, T, masks)
    SGD(0.25).step(readable.parameters, gradients)
    for _ in range(2):  # the second from where the first started
        for p, was in zip(network.parameters, before, strict=True):
            p[...] = was
        got = network.sgd_step(fast.softmax_cross_entropy_inplace, X, T, 0.25, masks)
        assert got == pytest.approx(value, rel=TOLERANCE[network.dtype])
        assert_close(network.parameters, readable.parameters)
