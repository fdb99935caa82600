"""Data-parallel training: one batch, cut into shards, and the gradient put together again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Annotated

import numpy as np
import numpy.typing as npt

from backprop.contracts import Array, Count, as_number, checked


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
    as_number("n", n, f"[{workers}, inf)", int)
    length, longer = divmod(n, workers)
    ends = [length * k + min(k, longer) for k in range(workers + 1)]
    return [slice(start, stop) for start, stop in pairwise(ends)]


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
    arrays = [[np.asarray(g) for g in shard] for shard in gradients]
    kinds = [[(g.shape, str(g.dtype)) for g in shard] for shard in arrays]
    if not kinds or kinds != len(sizes) * kinds[:1]:  # NumPy would broadcast (1, H) and (H,)
        raise ValueError(f"gradients: expected {len(sizes)} shards alike, got {kinds}")
    shared = (map(np.may_share_memory, *two) for two in combinations(arrays, 2))
    if any(map(any, shared)):
        raise ValueError("gradients: two shards share their memory; copy them as they come")
    weights = [size / sum(sizes) for size in sizes]
    return [
        sum(weight * g for weight, g in zip(weights, of_shards, strict=True))
        for of_shards in zip(*arrays, strict=True)
    ]


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
