"""Data-parallel training: one batch, cut into shards, and the gradient put together again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Annotated

import numpy as np
import numpy.typing as npt

from backprop.contracts import Array, Count, checked


@checked
def shards(n: Count, workers: Count) -> list[slice]:
    """Cut `n` rows into one piece for each worker, the first ones longer by a row if need be.

    Returns
    -------
    list of slice
        For ``X[piece]``; together they are all rows, each once, in order.

    Raises
    ------
    ValueError
        If a worker would get no row: its mean loss would be 0 / 0.
    """
    if n < workers:
        raise ValueError(f"n: expected a row for each of {workers} workers, got {n}")
    length, longer = divmod(n, workers)
    ends = [length * k + min(k, longer) for k in range(workers + 1)]
    return [slice(*ends[k : k + 2]) for k in range(workers)]


@checked
def mean_of_shards(
    gradients: Sequence[Sequence[npt.ArrayLike]], sizes: Sequence[Count]
) -> list[Array]:
    """Return the gradients of a whole batch from those of its shards (eq: shard-gradient).

    Parameters
    ----------
    gradients : sequence of sequence of array_like
        One list for each shard, all ordered like the parameters; each is that of the mean loss
        over the shard.
    sizes : sequence of int
        The number of examples in each shard.

    Raises
    ------
    ValueError
        If there are not as many sizes as shards, or the shards' gradients do not fit together or
        are the same arrays, as those of a `fast.FastNetwork` are.
    """
    if not len(gradients) == len(sizes) > 0:
        raise ValueError(f"sizes: expected one for each of {len(gradients)}, got {len(sizes)}")
    N = sum(sizes)
    arrays = [[np.asarray(g) for g in shard] for shard in gradients]
    kinds = [[(g.shape, g.dtype) for g in shard] for shard in arrays]
    for number, kind in enumerate(kinds):
        if kind != kinds[0]:  # NumPy would broadcast (1, H) and (H,) without a word
            raise ValueError(f"gradients: expected {kinds[0]} in shard {number}, got {kind}")
    for two in combinations(arrays, 2):
        if any(map(np.may_share_memory, *two)):
            raise ValueError("gradients: two shards share their memory; copy them as they come")
    total = [np.zeros_like(g) for g in arrays[0]]
    for shard, size in zip(arrays, sizes, strict=True):
        for whole, gradient in zip(total, shard, strict=True):
            whole += size / N * gradient
    return total


@checked
def ring_all_reduce(vectors: Sequence[Annotated[Array, "P"]]) -> tuple[list[Array], list[int]]:
    """Add up one vector from each worker, by messages to the next one only.

    Each vector is cut into K pieces. In K - 1 rounds of *reduce-scatter* every worker passes a
    piece on and adds what comes to its own, so that worker k ends up with the sum of piece k + 1.
    In K - 1 rounds of *all-gather* the finished pieces go round.

    Parameters
    ----------
    vectors : sequence of array_like, each of shape (P,)
        One for each of K workers. They are left as they are.

    Returns
    -------
    sums : list of ndarray, shape (P,)
        What each worker holds at the end: the sum, to the last bit the same for all.
    sent : list of int
        How many bytes each worker has sent (eq: ring-bytes).
    """
    if len(vectors) == 0:
        raise ValueError("vectors: expected at least one, got none")
    held = [v.copy() for v in vectors]
    K = len(held)
    pieces = [np.array_split(v, K) for v in held]  # views: what changes them changes held
    sent = [0] * K
    for step in range(2 * (K - 1)):
        for k in range(K):  # all at once: what k sends is not what it receives in this round
            message = pieces[k][(k - step) % K]
            target = pieces[(k + 1) % K][(k - step) % K]
            target[...] = message if step >= K - 1 else target + message
            sent[k] += message.nbytes
    return held, sent
