"""Gradients of shards put together, and sums that go round a ring."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop import losses
from backprop.data_parallel import mean_of_shards, ring_all_reduce, shards
from backprop.network import Network


@given(workers=st.integers(1, 12), more=st.integers(0, 40))
def test_shards_hold_every_row_once_in_order(workers, more):
    rows = [range(piece.start, piece.stop) for piece in shards(workers + more, workers)]
    assert [i for piece in rows for i in piece] == list(range(workers + more))
    lengths = [len(piece) for piece in rows]
    assert len(lengths) == workers
    assert max(lengths) - min(lengths) <= 1
    assert lengths == sorted(lengths, reverse=True)
    with pytest.raises(ValueError, match=f"n: expected a whole number of at least {workers}, got"):
        shards(workers - 1, workers)


@pytest.mark.equation("shard-gradient")
@pytest.mark.equation("unweighted-error")
@pytest.mark.parametrize("sizes", [(6,), (4, 4), (7, 1), (1, 2, 3), (5, 1, 1, 4)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-15), (np.float32, 1e-7)])
def test_shards_give_the_gradient_of_the_batch_and_their_plain_mean_not(sizes, dtype, tolerance):
    rng, loss = np.random.default_rng(3), losses.softmax_cross_entropy
    N, K = sum(sizes), len(sizes)
    network = Network.random([4, 5, 3], ["tanh", "identity"], rng, dtype=dtype)
    X, T = rng.normal(size=(N, 4)).astype(dtype), np.eye(3, dtype=dtype)[rng.integers(0, 3, N)]
    pieces = [slice(a, b) for a, b in pairwise(np.cumsum([0, *sizes]))]
    of_shards = [network.loss_and_gradients(loss, X[p], T[p])[1] for p in pieces]
    at_once = network.loss_and_gradients(loss, X, T)[1]
    for i, (hand, whole) in enumerate(zip(mean_of_shards(of_shards, sizes), at_once, strict=True)):
        of_one = [shard[i] for shard in of_shards]
        assert (hand.dtype, hand.shape) == (dtype, whole.shape)
        np.testing.assert_allclose(hand, whole, rtol=0, atol=tolerance)
        error = sum(of_one) / K - whole
        predicted = sum((1 / K - n / N) * g for n, g in zip(sizes, of_one, strict=True))
        np.testing.assert_allclose(error, predicted, rtol=0, atol=3 * tolerance)
        assert (len(set(sizes)) == 1) == (np.abs(error).max() < 3 * tolerance)


ONES = np.ones(2)


@pytest.mark.parametrize(
    ("gradients", "sizes", "message"),
    [
        ([], [], r"expected 0 shards alike, got \[\]"),
        ([[ONES]], [1, 1], "expected 2 shards alike"),
        ([[ONES], [0 * ONES]], [1], "expected 1 shards alike"),
        ([[ONES], [np.ones((1, 2))]], [1, 1], r"expected 2 shards alike, got .*\(\(1, 2\), 'float"),
        ([[ONES], [np.ones(2, np.float32)]], [1, 1], "expected 2 shards alike, got .*'float32'"),
        ([[ONES], []], [1, 1], "expected 2 shards alike"),
        ([[ONES], [0 * ONES], [ONES[:]]], [1, 1, 1], "two shards share their memory; copy them"),
    ],
)
def test_shards_that_do_not_fit_are_refused(gradients, sizes, message):
    with pytest.raises(ValueError, match=f"^gradients: {message}"):
        mean_of_shards(gradients, sizes)


@pytest.mark.equation("ring-bytes")
@given(K=st.integers(1, 7), P=st.integers(1, 20), seed=st.integers(0, 99))
def test_a_ring_adds_up_and_every_worker_sends_its_share(K, P, seed):
    vectors = np.random.default_rng(seed).normal(size=(K, P * K)).astype([float, "f4"][seed % 2])
    before = vectors.copy()
    sums, sent = ring_all_reduce(vectors)
    assert len(sums) == K
    assert len({held.tobytes() for held in sums}) == 1  # to the last bit
    np.testing.assert_allclose(sums[0], before.sum(axis=0), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(vectors, before)
    assert sent == [2 * (K - 1) * vectors.nbytes // K // K] * K


def test_pieces_of_a_ring_may_differ_in_length():
    sums, sent = ring_all_reduce([n * np.arange(4.0) for n in (1, 2, 4)])
    assert [held.tolist() for held in sums] == [[0, 7, 14, 21]] * 3
    assert sent == [8 * 6, 8 * 5, 8 * 5]  # each piece twice, but two of them only once
    assert ring_all_reduce([]) == ([], [])
