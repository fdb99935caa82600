"""Answers to the exercises of chapter 10: the right ones, and mistakes with the hints they get."""

import numpy as np


def loudness(sizes):
    return sum(sizes) / (len(sizes) * np.array(sizes))


def with_penalty(gradients, sizes, W, strength):
    return np.tensordot(np.array(sizes) / sum(sizes), gradients, 1) + 2 * strength * W


def delayed_descent(gradients, parameters, rate, delay, updates, wait=False, from_old=False):
    past = [parameters]
    for update in range(updates):
        old = past[max(0, update - delay)]
        start, factor = old if from_old else past[-1], 0 if wait and update < delay else rate
        past.append([p - factor * g for p, g in zip(start, gradients(old), strict=True)])
    return past


def too_old(gradients, parameters, rate, delay, updates):
    return delayed_descent(gradients, parameters, rate, delay + 1, updates)


def in_place(gradients, parameters, rate, delay, updates):
    return [delayed_descent(gradients, parameters, rate, 0, updates)[-1]] * (updates + 1)


def counted_from_the_end(gradients, parameters, rate, delay, updates):
    past = [parameters]
    for _ in range(updates):
        slopes = gradients(past[-delay] if len(past) > delay else past[0])
        past.append([p - rate * g for p, g in zip(past[-1], slopes, strict=True)])
    return past


def present_at_first(gradients, parameters, rate, delay, updates):
    past = [parameters]
    for update in range(updates):
        slopes = gradients(past[update - delay if update >= delay else update])
        past.append([p - rate * g for p, g in zip(past[-1], slopes, strict=True)])
    return past


def now_and_then(gradients, parameters, rate, delay, updates):
    past = [parameters]
    for update in range(updates):
        if update % (delay + 1) == 0:
            slopes = gradients(past[-1])
        past.append([p - rate * g for p, g in zip(past[-1], slopes, strict=True)])
    return past


def tree_all_reduce(vectors, partner=lambda k, r, K: k ^ 2**r, rounds=None):
    K = len(vectors)
    held = [v.copy() for v in vectors]
    for r in range(K.bit_length() - 1) if rounds is None else rounds:
        held = [held[k] + held[partner(k, r, K)] for k in range(K)]
    return held


def halving_all_reduce(vectors, highest_first=False, back=True, half=lambda k, bit: k // bit % 2):
    K, held = len(vectors), np.array(vectors)
    mine, sent = [np.arange(held.shape[1])] * K, np.zeros(K)
    bits = [2**r for r in range(K.bit_length() - 1)][:: -1 if highest_first else 1]
    for bit in bits:
        mine = [np.array_split(mine[k], 2)[half(k, bit)] for k in range(K)]
        before = held.copy()
        for k in range(K):
            held[k, mine[k]] += before[k ^ bit, mine[k]]
            sent[k ^ bit] += 8 * len(mine[k])
    for bit in reversed(bits if back else []):
        before = held.copy()
        for k in range(K):
            held[k, mine[k ^ bit]] = before[k ^ bit, mine[k ^ bit]]
            sent[k ^ bit] += 8 * len(mine[k ^ bit])
        mine = [np.union1d(mine[k], mine[k ^ bit]) for k in range(K)]
    return held, sent


def with_sent(sent):
    """Return the right sums with other numbers of bytes."""
    return lambda vectors: (halving_all_reduce(vectors)[0], sent(halving_all_reduce(vectors)[1]))


def whole_vectors(vectors):
    K, P = np.shape(vectors)
    return tree_all_reduce(vectors), np.full(K, 8 * P * (K.bit_length() - 1))


def one_of_each_pair(vectors):
    held = [v.copy() for v in vectors]
    for r in range(len(held).bit_length() - 1):
        for k in range(len(held)):
            if k < k ^ 2**r:
                held[k] = held[k] + held[k ^ 2**r]
    return held


def one_after_the_other(vectors):
    held = [v.copy() for v in vectors]
    for r in range(len(held).bit_length() - 1):
        for k in range(len(held)):
            held[k] = held[k] + held[k ^ 2**r]
    return held


MISTAKES = {
    loudness: {
        "it is upside down: in the plain mean, the examples of small shards are the loud ones.": (
            lambda sizes: 1 / loudness(sizes)
        ),
        "that is the share of a shard in the batch, not how loud one of its examples is.": (
            lambda sizes: np.array(sizes) / sum(sizes)
        ),
        "that is how much an example counts; divide by how much it should.": (
            lambda sizes: 1 / (len(sizes) * np.array(sizes))
        ),
        "each worker has only one say of K in the plain mean.": (
            lambda sizes: sum(sizes) / np.array(sizes)
        ),
        "that is how loud a worker is, and all are equally loud; ask for one of its examples.": (
            lambda sizes: np.full(len(sizes), 1 / len(sizes))
        ),
        "that is a difference; a factor is asked for.": (
            lambda sizes: 1 / len(sizes) - np.array(sizes) / sum(sizes)
        ),
    },
    with_penalty: {
        "the penalty is there once for each worker: it is K times too strong.": (
            lambda gradients, sizes, W, strength: with_penalty(
                gradients, sizes, W, len(sizes) * strength
            )
        ),
        "the penalty is there in part only: the loss of the batch has it whole.": (
            lambda gradients, sizes, W, strength: with_penalty(
                gradients, sizes, W, strength / len(sizes)
            )
        ),
        "the penalty is no mean over examples: their number does not divide it.": (
            lambda gradients, sizes, W, strength: with_penalty(
                gradients, sizes, W, strength / sum(sizes)
            )
        ),
        "the penalty's gradient lacks a factor: the square is not halved.": (
            lambda gradients, sizes, W, strength: with_penalty(gradients, sizes, W, strength / 2)
        ),
        "the penalty is missing.": (
            lambda gradients, sizes, W, strength: with_penalty(gradients, sizes, W, 0)
        ),
        "that is the plain mean of the workers: each must count with its examples.": (
            lambda gradients, sizes, W, strength: with_penalty(
                gradients, np.ones(len(sizes)), W, strength
            )
        ),
        "the gradients are added up as they are: each must count with its share.": (
            lambda gradients, sizes, W, strength: np.sum(gradients, axis=0) + 2 * strength * W
        ),
        "the gradients are added up as they are, and the penalty with each of them.": (
            lambda gradients, sizes, W, strength: (
                np.sum(gradients, axis=0) + 2 * len(sizes) * strength * W
            )
        ),
        "the penalty itself is added, not its gradient.": (
            lambda gradients, sizes, W, strength: (
                with_penalty(gradients, sizes, W, 0) + strength * np.sum(W**2)
            )
        ),
        "the workers count with their numbers of examples; their shares must add up to 1.": (
            lambda gradients, sizes, W, strength: (
                np.tensordot(sizes, gradients, 1) + 2 * strength * W
            )
        ),
        "the penalty's gradient has the wrong sign.": (
            lambda gradients, sizes, W, strength: with_penalty(gradients, sizes, W, -strength)
        ),
    },
    delayed_descent: {
        "the gradient is one update too old: with a delay of 0 it is that of the present.": too_old,
        "the gradient is one update too young: with a delay of 1 it is not that of the present.": (
            lambda gradients, parameters, rate, delay, updates: delayed_descent(
                gradients, parameters, rate, max(0, delay - 1), updates
            )
        ),
        "the gradient is one update too young; and counted from the end, which entry is -0?": (
            counted_from_the_end
        ),
        "only the gradient is old; the step begins at the present weights.": (
            lambda *arguments: delayed_descent(*arguments, from_old=True)
        ),
        "it waits for news; until there are some, use the gradient at the first weights.": (
            lambda *arguments: delayed_descent(*arguments, wait=True)
        ),
        "the delay does not come in: the gradient is that of the present.": (
            lambda gradients, parameters, rate, delay, updates: delayed_descent(
                gradients, parameters, rate, 0, updates
            )
        ),
        "all places are the same arrays, changed in place: make new ones.": in_place,
        "the first weights belong to the path, before the first update.": (
            lambda *arguments: delayed_descent(*arguments)[1:]
        ),
        "that is the end of the path: return all places, from the first on.": (
            lambda *arguments: delayed_descent(*arguments)[-1]
        ),
        "it goes uphill.": (
            lambda gradients, parameters, rate, delay, updates: delayed_descent(
                gradients, parameters, -rate, delay, updates
            )
        ),
        "before anything is old enough, the gradient is that at the first weights.": (
            present_at_first
        ),
        "each update has a gradient of its own, as old as the delay; here one serves several.": (
            now_and_then
        ),
    },
    tree_all_reduce: {
        "only one of each pair adds: both must.": one_of_each_pair,
        "in a round all exchange what they held before it; here some send what they just made.": (
            one_after_the_other
        ),
        "a round is missing: not everybody is in the sum.": (
            lambda vectors: tree_all_reduce(
                vectors, rounds=range(max(0, len(vectors).bit_length() - 2))
            )
        ),
        "the partner is the neighbour in every round, so the same numbers are added again.": (
            lambda vectors: tree_all_reduce(vectors, lambda k, r, K: k ^ 1)
        ),
        "round r flips bit r of k, which is not to flip the bits of r.": (
            lambda vectors: tree_all_reduce(vectors, lambda k, r, K: k ^ r)
        ),
        "in Python ^ is no power: 2 ^ r flips bits of 2.": (
            lambda vectors: tree_all_reduce(vectors, lambda k, r, K: k ^ (2 ^ r))
        ),
        "nearly: who adds worker k + 2**r has partners of its own, and last bits that differ.": (
            lambda vectors: tree_all_reduce(vectors, lambda k, r, K: (k + 2**r) % K)
        ),
        "nearly: the rounds run backwards, so the last bits differ.": (
            lambda vectors: tree_all_reduce(
                vectors, rounds=reversed(range(len(vectors).bit_length() - 1))
            )
        ),
        "the sum is right but for its last bits: it is not added up in pairs.": (
            lambda vectors: [sum(vectors)] * len(vectors)
        ),
        "that is the mean: here only the sum is asked for.": (
            lambda vectors: [v / len(vectors) for v in tree_all_reduce(vectors)]
        ),
        "one vector comes back; every worker must hold its own.": (
            lambda vectors: tree_all_reduce(vectors)[0]
        ),
        "everybody passes on what it holds, and nobody adds.": (lambda vectors: vectors[::-1]),
    },
    halving_all_reduce: {
        "the sum is there, but whole vectors are sent, as in the tree.": whole_vectors,
        "each worker holds its own part of the sum only: the way back is missing.": (
            lambda vectors: halving_all_reduce(vectors, back=False)
        ),
        "what is sent on the way back counts, too.": with_sent(lambda sent: sent / 2),
        "those are numbers; in float64 each of them has 8 bytes.": with_sent(lambda sent: sent / 8),
        "those are numbers, of 8 bytes each, and only those of the way there.": (
            with_sent(lambda sent: sent / 16)
        ),
        "those are the bytes of all workers together; ask for each one's.": (
            with_sent(lambda sent: np.full(len(sent), sent.sum()))
        ),
        "both of a pair answer for the same half, so nobody adds up the other one.": (
            lambda vectors: halving_all_reduce(vectors, half=lambda k, bit: 0)
        ),
        "nearly: the pairs come in another order than in the tree, so the last bits differ.": (
            lambda vectors: halving_all_reduce(vectors, highest_first=True)
        ),
        "that is the mean: here, too, only the sum is asked for.": (
            lambda vectors: (
                np.array(halving_all_reduce(vectors)[0]) / len(vectors),
                halving_all_reduce(vectors)[1],
            )
        ),
        "that is what the workers hold; return what each has sent, too.": (
            lambda vectors: halving_all_reduce(vectors)[0]
        ),
    },
}
