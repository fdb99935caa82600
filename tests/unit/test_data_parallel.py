"""Gradients of shards put together, and sums that go round a ring."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop import gradcheck, losses
from backprop.data_parallel import mean_of_shards, ring_all_reduce, shards
from backprop.fast import FastNetwork
from backprop.network import Network

# Shards


@given(workers=st.integers(1, 12), more=st.integers(0, 40))
def test_shards_hold_every_row_once_in_order(workers, more):
    rows = np.arange(workers + more)
    pieces = [rows[piece] for piece in shards(len(rows), workers)]
    assert len(pieces) == workers
    np.testing.assert_array_equal(np.concatenate(pieces), rows)
    lengths = [len(piece) for piece in pieces]
    assert max(lengths) - min(lengths) <= 1
    assert lengths == sorted(lengths, reverse=True)


def test_a_worker_without_a_row_is_refused():
    with pytest.raises(ValueError, match="n: expected a row for each of 4 workers, got 3"):
        shards(3, 4)


# The gradient of the whole batch


def case(sizes, dtype=np.float64):
    """Return a network, a batch and its pieces, and the gradients of the pieces."""
    rng = np.random.default_rng(3)
    network = Network.random([4, 5, 3], ["tanh", "identity"], rng, dtype=dtype)
    X = rng.normal(size=(sum(sizes), 4)).astype(dtype)
    T = np.eye(3, dtype=dtype)[rng.integers(0, 3, sum(sizes))]
    ends = np.cumsum([0, *sizes])
    pieces = [slice(a, b) for a, b in pairwise(ends)]
    loss = losses.softmax_cross_entropy
    of_shards = [network.loss_and_gradients(loss, X[p], T[p])[1] for p in pieces]
    return network, X, T, of_shards


@pytest.mark.equation("shard-gradient")
@pytest.mark.parametrize("sizes", [(6,), (4, 4), (7, 1), (1, 2, 3), (5, 1, 1, 4)])
def test_shards_give_the_gradient_of_the_batch(sizes):
    network, X, T, of_shards = case(sizes)
    together = mean_of_shards(of_shards, sizes)
    value, at_once = network.loss_and_gradients(losses.softmax_cross_entropy, X, T)
    numerical = gradcheck.numerical_gradients(
        lambda *p: losses.softmax_cross_entropy(network.with_parameters(p).forward(X)[-1], T)[0],
        *network.parameters,
    )
    assert value > 0.1
    for hand, whole, difference in zip(together, at_once, numerical, strict=True):
        np.testing.assert_allclose(hand, whole, rtol=0, atol=1e-15)
        assert gradcheck.relative_error(hand, difference) < 1e-8


@pytest.mark.equation("unweighted-error")
@pytest.mark.parametrize("sizes", [(4, 4), (7, 1), (1, 2, 3)])
def test_the_plain_mean_is_off_by_what_the_weights_are_off(sizes):
    network, X, T, of_shards = case(sizes)
    _, at_once = network.loss_and_gradients(losses.softmax_cross_entropy, X, T)
    for i, whole in enumerate(at_once):
        plain = sum(g[i] for g in of_shards) / len(sizes)
        predicted = sum(
            (1 / len(sizes) - n / sum(sizes)) * g[i] for n, g in zip(sizes, of_shards, strict=True)
        )
        np.testing.assert_allclose(plain - whole, predicted, rtol=0, atol=1e-15)
        assert (len(set(sizes)) == 1) == (np.abs(plain - whole).max() < 1e-15)


def test_the_mean_keeps_float32_and_leaves_its_arguments_alone():
    _, _, _, of_shards = case((3, 2), np.float32)
    before = [[g.copy() for g in shard] for shard in of_shards]
    assert {g.dtype for g in mean_of_shards(of_shards, (3, 2))} == {np.dtype(np.float32)}
    for shard, copies in zip(of_shards, before, strict=True):
        for g, copy in zip(shard, copies, strict=True):
            np.testing.assert_array_equal(g, copy)


@pytest.mark.parametrize(
    ("gradients", "sizes", "message"),
    [
        ([], [], "sizes: expected one for each of 0, got 0"),
        ([[np.ones(2)]], [1, 1], "sizes: expected one for each of 1, got 2"),
        ([[np.ones(2)], [np.ones((1, 2))]], [1, 1], "gradients: expected .* in shard 1"),
        ([[np.ones(2)], [np.ones(2, np.float32)]], [1, 1], "gradients: expected .* in shard 1"),
        ([[np.ones(2)], []], [1, 1], "gradients: expected .* in shard 1"),
    ],
)
def test_shards_that_do_not_fit_are_refused(gradients, sizes, message):
    with pytest.raises(ValueError, match=message):
        mean_of_shards(gradients, sizes)


def test_gradients_that_the_next_call_overwrites_are_refused():
    network, X, T, _ = case((3, 2))
    fast = FastNetwork(network.parameters, ["relu", "identity"])
    loss = losses.softmax_cross_entropy
    kept = [fast.loss_and_gradients(loss, X[rows], T[rows])[1] for rows in (slice(3), slice(3, 5))]
    with pytest.raises(ValueError, match="two shards share their memory; copy"):
        mean_of_shards(kept, (3, 2))


# The ring


@given(K=st.integers(1, 7), P=st.integers(1, 20), seed=st.integers(0, 99))
def test_a_ring_adds_up(K, P, seed):
    vectors = np.random.default_rng(seed).integers(-9, 9, (K, P)).astype(float)
    sums, _ = ring_all_reduce(vectors)
    assert len(sums) == K
    for held in sums:
        np.testing.assert_array_equal(held, vectors.sum(axis=0))


def test_all_workers_hold_the_same_to_the_last_bit_and_arguments_stay():
    vectors = list(np.random.default_rng(0).normal(size=(5, 33)))
    before = [v.copy() for v in vectors]
    sums, _ = ring_all_reduce(vectors)
    assert len({held.tobytes() for held in sums}) == 1
    np.testing.assert_allclose(sums[0], np.sum(vectors, axis=0), rtol=0, atol=1e-14)
    np.testing.assert_array_equal(vectors, before)


@pytest.mark.equation("ring-bytes")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("K", [1, 2, 3, 4, 10])
def test_what_a_worker_sends(K, dtype):
    P = 60  # all these K divide it
    _, sent = ring_all_reduce(np.ones((K, P), dtype))
    assert sent == [2 * (K - 1) * P * np.dtype(dtype).itemsize // K] * K


def test_an_empty_ring_is_refused():
    with pytest.raises(ValueError, match="vectors: expected at least one, got none"):
        ring_all_reduce([])


# Communication against arithmetic: the formulas, and what they are made of


def ring_seconds(K, latency, bytes_each, bandwidth):
    """Send the pieces of a vector round, one round after the other, and add up the time."""
    return sum(latency + bytes_each / K / bandwidth for _ in range(2 * (K - 1)))


@pytest.mark.equation("ring-time")
@pytest.mark.parametrize("K", [1, 2, 8, 100])
def test_time_of_a_ring(K):
    a, P, c, B = 3e-5, 266_610, 4, 1.25e8
    formula = 2 * (K - 1) * (a + c * P / (K * B))
    assert formula == pytest.approx(ring_seconds(K, a, c * P, B), rel=1e-12)


@pytest.mark.equation("step-operations")
def test_operations_of_a_step():
    sizes, n = (7, 5, 3), 4
    layers = list(pairwise(sizes))
    count = 0
    for D, H in layers:
        # Z = X W, dW = Xᵀ delta, dX = delta Wᵀ: of every product, a multiplication and an addition
        for rows, inner, columns in ((n, D, H), (D, n, H), (n, H, D)):
            count += 2 * rows * inner * columns
    assert count == 6 * n * sum(D * H for D, H in layers)


@pytest.mark.equation("equal-times")
@pytest.mark.parametrize("P", [266_610, 7_000_000_000])
@pytest.mark.parametrize("K", [2, 8])
def test_the_batch_at_which_both_take_equally_long(K, P):
    c, F, B = 4, 5e10, 1.25e8
    n = (K - 1) / K * c * F / (3 * B)
    assert 6 * n * P / F == pytest.approx(ring_seconds(K, 0, c * P, B), rel=1e-12)


@pytest.mark.equation("speed-up-limit")
@pytest.mark.parametrize("P", [266_610, 7_000_000_000])
def test_the_speed_up_that_no_number_of_workers_reaches(P):
    N, c, F, B = 8192, 4, 5e10, 1.25e8
    limit, one = 3 * N * B / (c * F), 6 * N * P / F
    speed_ups = [one / (one / K + ring_seconds(K, 0, c * P, B)) for K in (1, 10, 100, 10_000)]
    assert speed_ups == sorted(speed_ups)
    assert speed_ups[0] == pytest.approx(1)
    assert 0.99 * limit < speed_ups[-1] < limit


@pytest.mark.equation("speed-up-at-all")
@pytest.mark.parametrize("K", [2, 8, 1000])
@pytest.mark.parametrize("ratio", [0.999, 1.001])
def test_several_workers_are_faster_than_one_or_none_are(ratio, K):
    P, c, F, B = 266_610, 4, 5e10, 1.25e8
    N = ratio * c * F / (3 * B)
    one, several = 6 * N * P / F, 6 * N * P / (K * F) + ring_seconds(K, 0, c * P, B)
    assert (several < one) == (ratio > 1)
