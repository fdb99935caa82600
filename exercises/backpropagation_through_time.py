"""Answers to the exercises of chapter 6: the right ones, and mistakes with the hints they get.

What a right answer takes beyond its arguments changes one thing in it: a mistake.
"""

from functools import partial

import numpy as np

from backprop.activations import sigmoid
from backprop.gradcheck import numerical_gradients, relative_error


def piece_by_piece(layer, X, state, d_outputs, k, which=1, handed=True, heard=True):
    total = 0
    for begin in range(0, len(X), k):
        trace = layer.forward(X[begin : begin + k], list(state))
        slopes = d_outputs[begin : begin + k] if heard else d_outputs[:k]
        total = total + layer.backward(trace, slopes)[0][which]
        state = [s[-1] for s in trace.states] if handed else state
    return total


def last_piece(layer, X, state, d_outputs, k):
    trace = layer.forward(X[:-k], list(state))
    return piece_by_piece(layer, X[-k:], [s[-1] for s in trace.states], d_outputs[-k:], k)


def from_zeros(layer, X, state, d_outputs, k):
    pieces = [piece_by_piece(layer, X[:k], state, d_outputs[:k], k)]
    return pieces[0] + piece_by_piece(layer, X[k:], 0 * state, d_outputs[k:], k, handed=False)


def halved(z):
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def lstm_loss(
    Wx,
    Wh,
    b,
    X,
    state,
    slope,
    gate=halved,
    candidate=np.tanh,
    order="ifgo",
    shown=lambda c, before: np.tanh(c),
    c_kept=True,
    h_read=True,
):
    (h, c), units = state, slope.shape[1]
    for x in X:
        z = x @ Wx + (h if h_read else state[0]) @ Wh + b
        i, f, g, o = (z[:, k * units : (k + 1) * units] for k in map(order.index, "ifgo"))
        before = c if c_kept else state[1]
        c = gate(f) * before + gate(i) * candidate(g)
        h = gate(o) * shown(c, before)
    return np.sum(h * slope)


def loss_of_all_steps(Wx, Wh, b, X, state, slope):
    return sum(lstm_loss(Wx, Wh, b, X[: t + 1], state, slope) for t in range(len(X)))


def test_through_time(gradient):
    compare(gradient)


def compare(gradient, T=4, units=5, limit=1e-6, early=1.0, start=1.0):
    rng = np.random.default_rng(0)
    point = [rng.normal(size=shape) / 2 for shape in ((3, units), (units, units), units)]
    point += [rng.normal(size=(T, 4, 3)), start * rng.normal(size=(4, units))]
    slopes = rng.normal(size=(T, 4, units))
    slopes[:-1] *= early

    def states(Wx, Wh, b, X, h0):
        h = [h0]
        for x in X:
            h.append(np.tanh(x @ Wx + h[-1] @ Wh + b))
        return h

    numerical = numerical_gradients(lambda *point: np.sum(states(*point)[1:] * slopes), *point)
    hand = gradient(point[0], point[1], point[3], states(*point), slopes)
    for ours, theirs in zip(hand, numerical, strict=True):
        assert relative_error(ours, theirs) <= limit


def coupled_step(
    Wx,
    Wh,
    b,
    x,
    state,
    order="ifgo",
    squash=np.tanh,
    written=lambda f, c, g, i: f * c + (1 - f) * g,
):
    parts = np.split(x @ Wx + state[0] @ Wh + b, 4, axis=1)
    i, f, g, o = (parts[k] for k in map(order.index, "ifgo"))
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c = written(f, state[1], g, i)
    return [o * squash(c), c], (f, g, o)


def all_four_gates(Wx, Wh, b, x, state):
    states, (f, g, o) = coupled_step(Wx, Wh, b, x, state)
    return states, (sigmoid(np.split(x @ Wx + state[0] @ Wh + b, 4, axis=1)[0]), f, g, o)


def h_and_c_swapped(*arguments):
    states, gates = coupled_step(*arguments)
    return states[::-1], gates


def f_made_of_i(Wx, Wh, b, x, state):
    i, _, g, o = np.split(x @ Wx + state[0] @ Wh + b, 4, axis=1)
    f, g, o = 1 - sigmoid(i), np.tanh(g), sigmoid(o)
    c = f * state[1] + (1 - f) * g
    return [o * np.tanh(c), c], (f, g, o)


def coupled_back(
    Wh,
    before,
    after,
    gates,
    d,
    idle=True,
    later=1,
    through=lambda tanh_c: 1 - tanh_c**2,
    in_f=lambda c, g: c - g,
    in_g=lambda f: 1 - f,
    kept=lambda f: f,
):
    (f, g, o), tanh_c = gates, np.tanh(after[1])
    d_c = later * d[1] + d[0] * o * through(tanh_c)
    delta_i = 0 * f if idle else d_c * g * f * (1 - f)
    delta_f = d_c * in_f(before[1], g) * f * (1 - f)
    delta_g, delta_o = d_c * in_g(f) * (1 - g**2), d[0] * tanh_c * o * (1 - o)
    delta = np.concatenate([delta_i, delta_f, delta_g, delta_o], axis=1)
    return delta, [delta @ Wh.T, d_c * kept(f)]


def carried_swapped(*arguments):
    delta, carried = coupled_back(*arguments)
    return delta, carried[::-1]


def three_blocks(Wh, *arguments):
    delta, carried = coupled_back(Wh, *arguments)
    return delta[:, len(Wh) :], carried


MISTAKES = {
    piece_by_piece: {
        "the last piece is right; the pieces' gradients are to be added up.": last_piece,
        "each piece starts from the first state: hand it the last states of the piece before.": (
            partial(piece_by_piece, handed=False)
        ),
        "later pieces start from zeros: hand them the last states of the piece before.": from_zeros,
        "that is the gradient of all steps at once, without a cut.": (
            lambda layer, X, state, d_outputs, k: piece_by_piece(layer, X, state, d_outputs, len(X))
        ),
        "each piece has direct slopes of its own: take them from its own steps.": (
            partial(piece_by_piece, heard=False)
        ),
        "that is the mean of the pieces' gradients; they add up.": (
            lambda layer, X, state, d_outputs, k: (
                piece_by_piece(layer, X, state, d_outputs, k) * k / len(X)
            )
        ),
        "that is the gradient of W_x; W_h comes second.": partial(piece_by_piece, which=0),
    },
    lstm_loss: {
        "the gates stand in the order i, f, g, o.": partial(lstm_loss, order="ifog"),
        "a sigmoid by tanh needs half of its input: z / 2.": (
            partial(lstm_loss, gate=lambda z: 0.5 + 0.5 * np.tanh(z))
        ),
        "gates are sigmoids, between 0 and 1; only the candidate g is a tanh.": (
            partial(lstm_loss, gate=np.tanh)
        ),
        "the cell passes through a tanh before it is shown: h is not o times c.": (
            partial(lstm_loss, shown=lambda c, before: c)
        ),
        "h shows the cell as it is after the step, not before it.": (
            partial(lstm_loss, shown=lambda c, before: np.tanh(before))
        ),
        "three gates are sigmoids, but the candidate g is a tanh.": (
            partial(lstm_loss, candidate=halved)
        ),
        "the layer starts from `state`, not from zeros.": (
            lambda Wx, Wh, b, X, state, slope: lstm_loss(Wx, Wh, b, X, 0 * state, slope)
        ),
        "h is not handed on: every step reads the first one.": partial(lstm_loss, h_read=False),
        "the cell is not handed on: every step adds to the first one.": (
            partial(lstm_loss, c_kept=False)
        ),
        "a state is h and c, in this order.": (
            lambda Wx, Wh, b, X, state, slope: lstm_loss(Wx, Wh, b, X, state[::-1], slope)
        ),
        "only the last h counts; the sum is over its entries, not over steps.": loss_of_all_steps,
        "the last h is to be multiplied by its slopes before the sum.": (
            lambda *arguments: lstm_loss(*arguments[:5], np.ones_like(arguments[5]))
        ),
    },
    test_through_time: {
        "it lets every mistake through: does it compare anything?": (lambda gradient: None),
        "it rejects the right gradient: is it compared with the right thing, not too strictly?": (
            partial(compare, limit=0)
        ),
        "it lets a walk through that carries nothing back: has the test more than one step?": (
            partial(compare, T=1)
        ),
        "it lets a walk through that carries by the wrong matrix: is more than one unit tested?": (
            partial(compare, units=1)
        ),
        "it lets a walk through that hears the last loss alone: has each step a loss?": (
            partial(compare, early=0)
        ),
        "a gradient of W_h without its first step gets through: is it compared, and h0 not zero?": (
            partial(compare, start=0)
        ),
    },
    coupled_step: {
        "that is the LSTM as it was: i has weights of its own, but shall be 1 - f.": (
            partial(coupled_step, written=lambda f, c, g, i: f * c + i * g)
        ),
        "f keeps what is in the cell, and 1 - f writes; you have them the other way round.": (
            partial(coupled_step, written=lambda f, c, g, i: (1 - f) * c + f * g)
        ),
        "the idle i keeps its place: f, g and o are the second to the fourth block.": (
            partial(coupled_step, order="fgoi")
        ),
        "the gates stand in the order i, f, g, o.": partial(coupled_step, order="ifog"),
        "the cell passes through a tanh before it is shown: h is not o times c.": (
            partial(coupled_step, squash=lambda c: c)
        ),
        "a state is h and c, in this order.": h_and_c_swapped,
        "the other way round: the weights of f stay, and i is made of f.": f_made_of_i,
        "the states are right; as gates return three, f, g and o.": all_four_gates,
        "g is written as it is: the factor 1 - f is missing.": (
            partial(coupled_step, written=lambda f, c, g, i: f * c + g)
        ),
    },
    coupled_back: {
        "f meets two products now; in its error term you have only the one with the old cell.": (
            partial(coupled_back, in_f=lambda c, g: c)
        ),
        "the two parts of the slope in f are there, but their signs are turned.": (
            partial(coupled_back, in_f=lambda c, g: g - c)
        ),
        "where f meets g it has a minus sign: the slope in f is a difference.": (
            partial(coupled_back, in_f=lambda c, g: c + g)
        ),
        "what multiplies g going forward multiplies its slope going back: not f.": (
            partial(coupled_back, in_g=lambda f: f)
        ),
        "the weights of i do nothing any more, but have an error term still.": (
            partial(coupled_back, idle=False)
        ),
        "i has no weights of its own any more: to which gate does the slope in its block belong?": (
            partial(coupled_back, idle=False, in_f=lambda c, g: c)
        ),
        "what is carried goes to h and c, in this order.": carried_swapped,
        "what later steps carry back into the cell is missing: d[1].": (
            partial(coupled_back, later=0)
        ),
        "what the cell carries on must pass the gate that kept it.": (
            partial(coupled_back, kept=lambda f: 1)
        ),
        "between h and the cell stands a tanh: its slope is missing.": (
            partial(coupled_back, through=lambda tanh_c: 1)
        ),
        "f met the cell as it was before the step, not after it.": (
            lambda Wh, before, after, gates, d: coupled_back(Wh, after, after, gates, d)
        ),
        "the error term has four blocks: the idle i keeps its place, with zeros.": three_blocks,
    },
}
