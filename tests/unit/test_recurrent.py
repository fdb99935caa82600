"""Recurrent layers: against loops over single numbers, central differences and autodiff."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sequences import (
    MASKS,
    D,
    H,
    N,
    T,
    every_kind,
    every_loss,
    every_mask,
    make_case,
    with_visible_deltas,
)

from backprop import autodiff, gradcheck
from backprop.recurrent import GRU, LSTM, SimpleRNN

ENDS, HOLES = MASKS["ends"], MASKS["holes"]
BOUNDARIES = [(k1, k2) for k1 in range(1, T + 2) for k2 in range(k1, T + 3)]
every_truncation = pytest.mark.parametrize(("k1", "k2"), BOUNDARIES)
# Sums of at most some hundred products near 1, added up in another order.
ROUNDING = {"rtol": 0, "atol": 3e-14}


def assert_same(mine, others):
    for a, b in zip(mine, others, strict=True):
        np.testing.assert_allclose(a, b, **ROUNDING, strict=True)


def logistic(z):
    return 1 / (1 + math.exp(-z))


def total_inputs(layer, x, h):
    """Return ``x Wx + h Wh + b`` of one example as a list of floats."""
    Wx, Wh, b = (p.tolist() for p in layer.parameters)
    return [
        sum(x[i] * Wx[i][j] for i in range(len(x)))
        + sum(h[k] * Wh[k][j] for k in range(len(h)))
        + b[j]
        for j in range(len(b))
    ]


def back_through(Wh, delta):
    """Return ``delta Whᵀ`` of one example as a list of floats."""
    return [sum(d * w for d, w in zip(delta, row, strict=True)) for row in Wh.tolist()]


# One step, forward


@pytest.mark.equation("rnn-step")
def test_rnn_step_is_its_formula():
    layer, X, state, _, _ = make_case(SimpleRNN)
    cache = layer.forward(X, state)
    assert len(cache.states) == 1
    np.testing.assert_array_equal(cache.states[0][0], state[0])
    for n in range(N):
        h = state[0][n].tolist()
        for t in range(T):
            h = [math.tanh(z) for z in total_inputs(layer, X[t, n].tolist(), h)]
            np.testing.assert_allclose(cache.states[0][t + 1, n], h, **ROUNDING)
            np.testing.assert_allclose(cache.gates[t, n], h, **ROUNDING)


@pytest.mark.equation("lstm-step")
def test_lstm_step_is_its_formula():
    layer, X, state, _, _ = make_case(LSTM)
    cache = layer.forward(X, state)
    assert len(cache.states) == 2
    np.testing.assert_array_equal([s[0] for s in cache.states], state)
    for n in range(N):
        h, c = state[0][n].tolist(), state[1][n].tolist()
        for t in range(T):
            z = total_inputs(layer, X[t, n].tolist(), h)
            i, f, o = ([logistic(v) for v in z[k * H : (k + 1) * H]] for k in (0, 1, 3))
            g = [math.tanh(v) for v in z[2 * H : 3 * H]]
            c = [f[j] * c[j] + i[j] * g[j] for j in range(H)]
            h = [o[j] * math.tanh(c[j]) for j in range(H)]
            np.testing.assert_allclose(cache.gates[t, n], [*i, *f, *g, *o], **ROUNDING)
            np.testing.assert_allclose([s[t + 1, n] for s in cache.states], [h, c], **ROUNDING)


@pytest.mark.equation("gru-step")
def test_gru_step_is_its_formula():
    layer, X, state, _, _ = make_case(GRU)
    cache = layer.forward(X, state)
    assert len(cache.states) == 1
    np.testing.assert_array_equal(cache.states[0][0], state[0])
    for n in range(N):
        h = state[0][n].tolist()
        for t in range(T):
            x = X[t, n].tolist()
            gates = [logistic(v) for v in total_inputs(layer, x, h)[: 2 * H]]
            z, r = gates[:H], gates[H:]
            reset = [r[j] * h[j] for j in range(H)]
            g = [math.tanh(v) for v in total_inputs(layer, x, reset)[2 * H :]]
            h = [z[j] * h[j] + (1 - z[j]) * g[j] for j in range(H)]
            np.testing.assert_allclose(cache.gates[t, n], [*z, *r, *g], **ROUNDING)
            np.testing.assert_allclose(cache.states[0][t + 1, n], h, **ROUNDING)


@every_kind
def test_shapes_of_a_trace(kind):
    case = make_case(kind)
    cache = case.layer.forward(case.X)
    assert [s.shape for s in cache.states] == [(T + 1, N, H)] * kind.state_count
    assert cache.gates.shape == (T, N, kind.gate_count * H)
    assert cache.mask is None
    np.testing.assert_array_equal(cache.X, case.X)
    np.testing.assert_array_equal(cache.outputs, cache.states[0][1:])


@every_kind
def test_without_an_initial_state_it_is_zero(kind):
    case = make_case(kind)
    zeros = [np.zeros((N, H))] * kind.state_count
    given_zeros, given_none = case.layer.forward(case.X, zeros), case.layer.forward(case.X)
    np.testing.assert_array_equal(given_none.states, given_zeros.states)
    assert not np.any([s[0] for s in given_none.states])


# Error terms and gradients


def rnn_deltas(case):
    """Return delta and the slope in the initial state, by a loop."""
    layer, X, state, d_outputs, d_state = case
    h, Wh = layer.forward(X, state).outputs.tolist(), layer.parameters[1]
    delta, d_first = np.zeros((*X.shape[:2], H)), np.zeros(state[0].shape)
    for n in range(X.shape[1]):
        carried = d_state[0][n].tolist()
        for t in reversed(range(len(X))):
            error = [d_outputs[t, n, j] + carried[j] for j in range(H)]
            delta[t, n] = [error[j] * (1 - h[t][n][j] ** 2) for j in range(H)]
            carried = back_through(Wh, delta[t, n])
        d_first[n] = carried
    return delta, [d_first]


def lstm_deltas(case):
    """Return delta and the slopes in the initial states, by a loop."""
    layer, X, state, d_outputs, d_state = case
    cache, Wh = layer.forward(X, state), layer.parameters[1]
    gates, c = cache.gates.tolist(), cache.states[1].tolist()
    delta, d_first = np.zeros((T, N, 4 * H)), np.zeros((2, N, H))
    for n in range(N):
        carried_h, carried_c = d_state[0][n].tolist(), d_state[1][n].tolist()
        for t in reversed(range(T)):
            i, f, g, o = (gates[t][n][k * H : (k + 1) * H] for k in range(4))
            tanh_c = [math.tanh(v) for v in c[t + 1][n]]
            d_h = [d_outputs[t, n, j] + carried_h[j] for j in range(H)]
            d_c = [d_h[j] * o[j] * (1 - tanh_c[j] ** 2) + carried_c[j] for j in range(H)]
            delta[t, n] = [
                *(d_c[j] * g[j] * i[j] * (1 - i[j]) for j in range(H)),
                *(d_c[j] * c[t][n][j] * f[j] * (1 - f[j]) for j in range(H)),
                *(d_c[j] * i[j] * (1 - g[j] ** 2) for j in range(H)),
                *(d_h[j] * tanh_c[j] * o[j] * (1 - o[j]) for j in range(H)),
            ]
            carried_h = back_through(Wh, delta[t, n])
            carried_c = [d_c[j] * f[j] for j in range(H)]
        d_first[:, n] = carried_h, carried_c
    return delta, [*d_first]


def gru_deltas(case):
    """Return delta and the slope in the initial state, by a loop."""
    layer, X, state, d_outputs, d_state = case
    cache, Wh = layer.forward(X, state), layer.parameters[1]
    gates, h = cache.gates.tolist(), cache.states[0].tolist()
    delta, d_first = np.zeros((T, N, 3 * H)), np.zeros((N, H))
    for n in range(N):
        carried = d_state[0][n].tolist()
        for t in reversed(range(T)):
            z, r, g = (gates[t][n][k * H : (k + 1) * H] for k in range(3))
            before = h[t][n]
            d_h = [d_outputs[t, n, j] + carried[j] for j in range(H)]
            delta_z = [d_h[j] * (before[j] - g[j]) * z[j] * (1 - z[j]) for j in range(H)]
            delta_g = [d_h[j] * (1 - z[j]) * (1 - g[j] ** 2) for j in range(H)]
            d_reset = back_through(Wh[:, 2 * H :], delta_g)
            delta_r = [d_reset[j] * before[j] * r[j] * (1 - r[j]) for j in range(H)]
            delta[t, n] = [*delta_z, *delta_r, *delta_g]
            through_z = back_through(Wh[:, :H], delta_z)
            through_r = back_through(Wh[:, H : 2 * H], delta_r)
            carried = [
                d_h[j] * z[j] + d_reset[j] * r[j] + through_z[j] + through_r[j] for j in range(H)
            ]
        d_first[n] = carried
    return delta, [d_first]


DELTAS = {SimpleRNN: rnn_deltas, LSTM: lstm_deltas, GRU: gru_deltas}


@pytest.mark.equation("rnn-delta")
def test_rnn_delta_is_its_formula():
    case = with_visible_deltas(make_case(SimpleRNN, "many-to-one", sizes=(1, N, D, H)))
    h = case.layer.forward(case.X, case.state).outputs
    delta = case.by_hand()[3]
    for n, j in np.ndindex(N, H):
        formula = case.d_outputs[0, n, j] * (1 - h[0, n, j] ** 2)
        assert delta[0, n, j] == pytest.approx(formula, rel=1e-14)


@every_loss
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(SimpleRNN, marks=pytest.mark.equation("carried-error")),
        pytest.param(LSTM, marks=pytest.mark.equation("lstm-delta")),
        pytest.param(GRU, marks=pytest.mark.equation("gru-delta")),
    ],
)
def test_deltas_are_their_formulas(kind, loss):
    case = with_visible_deltas(make_case(kind, loss))
    delta, d_first = DELTAS[kind](case)
    assert_same(case.by_hand()[3:], [delta, *d_first])


@pytest.mark.equation("lstm-cell-error")
@pytest.mark.parametrize("t", range(T))
def test_lstm_cell_error_is_its_formula(t):
    layer, X, state, d_outputs, d_state = make_case(LSTM)
    cache = layer.forward(X, state)
    _, f, _, o = np.split(cache.gates[t], 4, axis=1)

    def walk_back_to(step):
        """Return the slopes of all that comes after in the states before a step."""
        if step == T:
            return d_state
        rest = layer.forward(X[step:], [s[step] for s in cache.states])
        return layer.backward(rest, d_outputs[step:], d_state)[2]

    def loss_of_cell(c):
        h = o * np.tanh(c)
        value = np.sum(d_outputs[t] * h)
        if t == T - 1:
            return value + np.sum(d_state[0] * h) + np.sum(d_state[1] * c)
        rest = layer.forward(X[t + 1 :], [h, c])
        final = sum(np.sum(d * s[-1]) for d, s in zip(d_state, rest.states, strict=True))
        return value + np.sum(d_outputs[t + 1 :] * rest.outputs) + final

    carried_h, carried_c = walk_back_to(t + 1)
    d_c = np.zeros((N, H))
    for n, j in np.ndindex(N, H):
        d_h = d_outputs[t, n, j] + carried_h[n, j]
        tanh_c = math.tanh(cache.states[1][t + 1, n, j])
        # What is carried to this step is the error of the next cell times the next forget gate.
        d_c[n, j] = d_h * o[n, j] * (1 - tanh_c**2) + carried_c[n, j]
    np.testing.assert_allclose(walk_back_to(t)[1], d_c * f, **ROUNDING)
    (numerical,) = gradcheck.numerical_gradients(loss_of_cell, cache.states[1][t + 1])
    assert gradcheck.relative_error(d_c, numerical) <= 1e-7


def add_up(what_came_in, delta):
    """Return the weight gradient: products added up over steps and examples."""
    total = np.zeros((what_came_in.shape[2], delta.shape[2]))
    for i, j in np.ndindex(*total.shape):
        total[i, j] = sum(
            x * d for x, d in zip(what_came_in[..., i].ravel(), delta[..., j].ravel(), strict=True)
        )
    return total


@pytest.mark.equation("rnn-gradients")
def test_rnn_gradients_are_their_formulas():
    case = make_case(SimpleRNN)
    states = case.layer.forward(case.X, case.state).states[0]
    delta, _ = rnn_deltas(case)
    Wx, Wh, _ = case.layer.parameters
    expected = [
        add_up(case.X, delta),
        add_up(states[:T], delta),
        np.array([sum(delta[..., j].ravel().tolist()) for j in range(H)]),
        np.array([[back_through(Wx, delta[t, n]) for n in range(N)] for t in range(T)]),
        np.array([back_through(Wh, delta[0, n]) for n in range(N)]),
    ]
    assert_same(case.by_hand(), expected)


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_gradients_with_gates_are_their_formulas(kind):
    case = make_case(kind)
    cache = case.layer.forward(case.X, case.state)
    delta, d_first = DELTAS[kind](case)
    before = cache.states[0][:T]
    state_weights = add_up(before, delta)
    if kind is GRU:  # the candidate receives r h
        reset = cache.gates[..., H : 2 * H]
        state_weights[:, 2 * H :] = add_up(reset * before, delta[..., 2 * H :])
    Wx = case.layer.parameters[0]
    expected = [
        add_up(case.X, delta),
        state_weights,
        np.array([sum(delta[..., j].ravel().tolist()) for j in range(delta.shape[2])]),
        np.array([[back_through(Wx, delta[t, n]) for n in range(N)] for t in range(T)]),
        *d_first,
    ]
    assert_same(case.by_hand(), expected)


@pytest.mark.equation("jacobian-product")
@pytest.mark.parametrize("steps", [1, 2, 6])
def test_jacobian_is_a_product_of_one_factor_for_each_step(steps):
    layer, X, state, _, _ = make_case(SimpleRNN, sizes=(steps, 1, D, H))
    cache, Wh = layer.forward(X, state), layer.parameters[1].tolist()
    jacobian = [[float(i == j) for j in range(H)] for i in range(H)]
    for h in cache.outputs[:, 0].tolist()[::-1]:
        factor = [[(1 - h[i] ** 2) * Wh[j][i] for j in range(H)] for i in range(H)]
        jacobian = [
            [sum(row[k] * factor[k][j] for k in range(H)) for j in range(H)] for row in jacobian
        ]
    no_output_matters = np.zeros((steps, 1, H))
    for i in range(H):
        (numerical,) = gradcheck.numerical_gradients(
            lambda h, i=i: layer.forward(X, [h]).outputs[-1, 0, i], state[0]
        )
        assert gradcheck.relative_error([jacobian[i]], numerical) <= 1e-7
        _, _, (d_first,) = layer.backward(cache, no_output_matters, [np.eye(H)[[i]]])
        np.testing.assert_allclose(d_first, [jacobian[i]], **ROUNDING)


# Central differences and autodiff


@every_loss
@every_mask
@every_kind
def test_gradients_agree_with_central_differences(kind, mask, loss):
    case = make_case(kind, loss)
    hand = case.by_hand(mask)
    numerical = gradcheck.numerical_gradients(case.value(mask), *case.arguments)
    for argument, mine, other in zip(case.arguments, hand, numerical, strict=True):
        assert mine.shape == argument.shape
        assert gradcheck.relative_error(mine, other) <= 1e-7


@every_kind
@pytest.mark.parametrize(
    "sizes", [(1, 4, 3, 2), (6, 1, 3, 2), (6, 4, 1, 2), (6, 4, 3, 1), (1, 1, 1, 1), (2, 1, 2, 1)]
)
def test_single_steps_examples_inputs_and_units(kind, sizes):
    case = make_case(kind, sizes=sizes)
    mask = np.random.default_rng(0).random(sizes[:2]) < 0.5
    for m in (None, mask, np.ones_like(mask), np.zeros_like(mask)):
        numerical = gradcheck.numerical_gradients(case.value(m), *case.arguments)
        for mine, other in zip(case.by_hand(m), numerical, strict=True):
            assert gradcheck.relative_error(mine, other) <= 1e-7


def followed_by_autodiff(case, mask):
    """Return the loss in operations that autodiff follows."""
    layer, _, _, d_outputs, d_state = case

    def sigma(z):
        return 1 / (1 + np.exp(-z))

    def f(Wx, Wh, b, X, *state):
        value = 0.0
        for t in range(T):
            h = state[0]
            if isinstance(layer, SimpleRNN):
                after = [np.tanh(X[t] @ Wx + h @ Wh + b)]
            elif isinstance(layer, LSTM):
                z = X[t] @ Wx + h @ Wh + b
                c = sigma(z[:, H : 2 * H]) * state[1]
                c = c + sigma(z[:, :H]) * np.tanh(z[:, 2 * H : 3 * H])
                after = [sigma(z[:, 3 * H :]) * np.tanh(c), c]
            else:
                z = sigma(X[t] @ Wx[:, :H] + h @ Wh[:, :H] + b[:H])
                middle = slice(H, 2 * H)
                r = sigma(X[t] @ Wx[:, middle] + h @ Wh[:, middle] + b[middle])
                g = np.tanh(X[t] @ Wx[:, 2 * H :] + (r * h) @ Wh[:, 2 * H :] + b[2 * H :])
                after = [z * h + (1 - z) * g]
            m = 1.0 if mask is None else mask[t][:, np.newaxis].astype(float)
            state = [m * new + (1 - m) * old for new, old in zip(after, state, strict=True)]
            value = value + np.sum(d_outputs[t] * state[0])
        return value + sum(np.sum(d * s) for d, s in zip(d_state, state, strict=True))

    return f


@every_loss
@every_mask
@every_kind
def test_gradients_agree_with_autodiff(kind, mask, loss):
    case = make_case(kind, loss)
    f = followed_by_autodiff(case, mask)
    assert f(*case.arguments) == pytest.approx(case.value(mask)(*case.arguments), abs=1e-13)
    assert_same(case.by_hand(mask), autodiff.gradients(f, *case.arguments))


# Masks


@pytest.mark.equation("masked-step")
@pytest.mark.parametrize("mask", [ENDS, HOLES], ids=["ends", "holes"])
@every_kind
def test_masked_step_is_its_formula(kind, mask):
    layer, X, state, d_outputs, d_state = case = make_case(kind)
    cache, steps, before = layer.forward(X, state, mask), [], state
    for t in range(T):
        m = mask[t].astype(float)[:, np.newaxis]
        steps.append(layer.forward(X[[t]], before))
        pairs = zip(steps[-1].states, before, strict=True)
        before = [m * s[1] + (1 - m) * old for s, old in pairs]
        np.testing.assert_allclose([s[t + 1] for s in cache.states], before, **ROUNDING)
    gradients, dX = [np.zeros_like(p) for p in layer.parameters], np.zeros_like(X)
    error = d_state
    for t in reversed(range(T)):
        m = mask[t].astype(float)[:, np.newaxis]
        error = [error[0] + d_outputs[t], *error[1:]]
        through, dX[[t]], earlier = layer.backward(
            steps[t], np.zeros((1, N, H)), [m * e for e in error]
        )
        gradients = [a + b for a, b in zip(gradients, through, strict=True)]
        error = [new + (1 - m) * e for new, e in zip(earlier, error, strict=True)]
    assert_same(case.by_hand(mask), [*gradients, dX, *error])


@every_kind
def test_a_mask_of_ones_is_no_mask(kind):
    case = make_case(kind)
    everywhere = np.ones((T, N), bool)
    cache, masked = (case.layer.forward(case.X, case.state, m) for m in (None, everywhere))
    np.testing.assert_array_equal(masked.states, cache.states)
    for a, b in zip(case.by_hand(everywhere), case.by_hand(), strict=True):
        np.testing.assert_array_equal(a, b)


@every_kind
def test_a_mask_may_be_a_list(kind):
    case = make_case(kind)
    by_list = case.layer.forward(case.X, case.state, HOLES.tolist())
    by_array = case.layer.forward(case.X, case.state, HOLES)
    np.testing.assert_array_equal(by_list.states, by_array.states)


@every_mask
@every_kind
def test_what_stands_at_a_masked_step_does_not_matter(kind, mask):
    case = make_case(kind)
    other = case._replace(X=case.X.copy())
    if mask is not None:
        other.X[~mask] = 1e3
    traces = [c.layer.forward(c.X, c.state, mask) for c in (case, other)]
    np.testing.assert_array_equal(traces[0].states, traces[1].states)
    hand, changed = case.by_hand(mask), other.by_hand(mask)
    assert mask is None or not hand[3][~mask].any()
    assert_same(hand, changed)


@every_kind
def test_an_example_without_a_step_keeps_its_state_and_hands_its_slope_on(kind):
    layer, X, state, d_outputs, d_state = case = make_case(kind)
    cache = layer.forward(X, state, HOLES)
    assert not HOLES[:, 2].any()
    for s, first in zip(cache.states, state, strict=True):
        assert (s[:, 2] == first[2]).all()
    _, _, _, dX, *d_first = case.by_hand(HOLES)
    assert not dX[:, 2].any()
    expected = d_state[0][2] + d_outputs[:, 2].sum(axis=0)
    np.testing.assert_allclose(d_first[0][2], expected, **ROUNDING)
    for d, last in zip(d_first[1:], d_state[1:], strict=True):
        assert (d[2] == last[2]).all()


@every_kind
def test_a_slope_at_a_masked_step_is_one_at_the_step_before(kind):
    case = make_case(kind)
    moved = case.d_outputs.copy()
    for n, length in enumerate(ENDS.sum(axis=0)):
        moved[length - 1, n] += moved[length:, n].sum(axis=0)
        moved[length:, n] = 0
    assert_same(case.by_hand(ENDS), case._replace(d_outputs=moved).by_hand(ENDS))


any_mask = arrays(bool, (T, N))


@every_kind
@given(mask=any_mask, places=st.lists(st.integers(0, T), max_size=4))
def test_padding_with_masked_steps_changes_nothing(kind, mask, places):
    case = make_case(kind)
    kept = np.insert(np.ones(T, bool), places, False)
    padded = case._replace(
        X=np.insert(case.X, places, 7.0, axis=0),
        d_outputs=np.insert(case.d_outputs, places, 0.0, axis=0),
    )
    longer = np.insert(mask, places, False, axis=0)
    cache, padded_trace = (
        c.layer.forward(c.X, c.state, m) for c, m in [(case, mask), (padded, longer)]
    )
    np.testing.assert_allclose(padded_trace.outputs[kept], cache.outputs, **ROUNDING)
    for s, other in zip(padded_trace.states, cache.states, strict=True):
        np.testing.assert_allclose(s[-1], other[-1], **ROUNDING)
    hand = padded.by_hand(longer)
    assert not hand[3][~kept].any()
    hand[3] = hand[3][kept]
    assert_same(hand, case.by_hand(mask))


@every_kind
@given(mask=any_mask)
def test_every_example_of_a_batch_is_as_if_alone_and_without_gaps(kind, mask):
    layer, X, state, _, d_state = case = make_case(kind)
    d_outputs = np.where(mask[..., np.newaxis], case.d_outputs, 0)
    cache = layer.forward(X, state, mask)
    *gradients, dX = [np.zeros_like(p) for p in [*layer.parameters, X]]
    d_first = [d.copy() for d in d_state]
    for n in np.flatnonzero(mask.any(axis=0)):
        own = np.ix_(mask[:, n], [n])
        alone = layer.forward(X[own], [s[[n]] for s in state])
        np.testing.assert_allclose(cache.outputs[own], alone.outputs, **ROUNDING)
        hand, dX[own], d_own = layer.backward(alone, d_outputs[own], [d[[n]] for d in d_state])
        gradients = [a + b for a, b in zip(gradients, hand, strict=True)]
        for d, own_d in zip(d_first, d_own, strict=True):
            d[n] = own_d[0]
    assert_same(case._replace(d_outputs=d_outputs).by_hand(mask), [*gradients, dX, *d_first])


# Truncation


def pieces(case, mask, k1, k2):
    """Yield for each boundary: where its walk begins, a case of the steps it sees, their mask."""
    layer, X, state, d_outputs, d_state = case
    states = layer.forward(X, state, mask).states
    last = 0
    while last < len(X):
        boundary = min(last + k1, len(X))
        start = max(boundary - k2, 0)
        fresh = d_outputs[start:boundary].copy()
        fresh[: last - start] = 0
        after = d_state if boundary == len(X) else [np.zeros_like(d) for d in d_state]
        seen = case._replace(
            X=X[start:boundary], state=[s[start] for s in states], d_outputs=fresh, d_state=after
        )
        yield start, seen, None if mask is None else mask[start:boundary]
        last = boundary


@pytest.mark.equation("truncated-gradient")
@every_truncation
@every_mask
@every_kind
def test_truncated_gradient_is_a_sum_over_boundaries(kind, mask, k1, k2):
    case = make_case(kind)
    total = [np.zeros_like(a) for a in case.arguments]
    for start, seen, seen_mask in pieces(case, mask, k1, k2):
        for place, gradient in enumerate(seen.by_hand(seen_mask)):
            if place == 3:
                total[3][start : start + len(gradient)] += gradient
            elif place < 3 or start == 0:
                total[place] += gradient
    assert_same(case.by_hand(mask, k1, k2), total)


@pytest.mark.equation("truncated-gradient")
@pytest.mark.parametrize(("k1", "k2"), [(1, 1), (2, 3), (4, 4), (4, 5)])
@pytest.mark.parametrize("mask", [None, HOLES], ids=["no mask", "holes"])
@every_kind
def test_truncated_gradients_agree_with_central_differences(kind, mask, k1, k2):
    case = make_case(kind)
    total = [np.zeros_like(p) for p in case.layer.parameters]
    for _, seen, seen_mask in pieces(case, mask, k1, k2):
        f = seen.value(seen_mask)
        numerical = gradcheck.numerical_gradients(
            lambda *p, f=f, seen=seen: f(*p, seen.X, *seen.state), *case.layer.parameters
        )
        total = [a + b for a, b in zip(total, numerical, strict=True)]
    for mine, other in zip(case.by_hand(mask, k1, k2)[:3], total, strict=True):
        assert gradcheck.relative_error(mine, other) <= 1e-7


@every_truncation
@every_kind
def test_a_slope_reaches_back_from_the_next_boundary(kind, k1, k2):
    # Also from the end, where the steps since the last boundary may be fewer than k1.
    case = make_case(kind, "many-to-many")
    for step in range(T):
        only = np.where(np.arange(T) == step, 1.0, 0.0)[:, np.newaxis, np.newaxis]
        _, _, _, dX, *d_first = case._replace(d_outputs=only * case.d_outputs).by_hand(None, k1, k2)
        boundary = min((step // k1 + 1) * k1, T)
        reached = [max(boundary - k2, 0) <= t <= step for t in range(T)]
        assert dX.any(axis=(1, 2)).tolist() == reached
        assert [d.any() for d in d_first] == [boundary <= k2] * kind.state_count


@every_truncation
@every_kind
def test_a_slope_from_later_reaches_back_from_the_end(kind, k1, k2):
    case = make_case(kind, "final state")
    _, _, _, dX, *d_first = case.by_hand(None, k1, k2)
    assert dX.any(axis=(1, 2)).tolist() == [t >= T - k2 for t in range(T)]
    assert [d.any() for d in d_first] == [k2 >= T] * kind.state_count


@every_mask
@every_kind
def test_walks_of_all_steps_are_the_full_gradient(kind, mask):
    case = make_case(kind)
    full = case.by_hand(mask)
    for k1, k2 in [(T, T), (T, None), (T, T + 3), (T + 1, T + 1), (50, None), (np.int64(T), T)]:
        for a, b in zip(case.by_hand(mask, k1, k2), full, strict=True):
            np.testing.assert_array_equal(a, b)
    for k1, k2 in [(1, None), (1, T), (2, None), (4, T), (4, T + 1), (5, 50)]:
        assert_same(case.by_hand(mask, k1, k2), full)


@every_kind
def test_short_walks_are_not_the_full_gradient(kind):
    case = make_case(kind)
    full = case.by_hand()
    for k1, k2 in [(1, 1), (1, T - 1), (2, 2), (3, 5), (T - 1, T - 1)]:
        for mine, other in zip(case.by_hand(None, k1, k2)[:4], full[:4], strict=True):
            assert gradcheck.relative_error(mine, other) > 1e-4


@every_mask
@every_kind
def test_walks_of_one_step_are_single_steps(kind, mask):
    case = make_case(kind, "many-to-many")
    layer, states = case.layer, case.layer.forward(case.X, case.state, mask).states
    total, dX = [np.zeros_like(p) for p in layer.parameters], np.zeros_like(case.X)
    for t in range(T):
        m = None if mask is None else mask[[t]]
        step = layer.forward(case.X[[t]], [s[t] for s in states], m)
        gradients, dX[[t]], d_first = layer.backward(step, case.d_outputs[[t]])
        total = [a + b for a, b in zip(total, gradients, strict=True)]
        if t == 0:
            at_start = d_first
    assert_same(case.by_hand(mask, 1, 1), [*total, dX, *at_start])


@pytest.mark.parametrize("k", [1, 2, 3, 6, 7])
@every_mask
@every_kind
def test_chunks_that_hand_their_state_over_are_truncated_at_their_ends(kind, mask, k):
    layer, X, state, d_outputs, d_state = case = make_case(kind)
    whole = layer.forward(X, state, mask)
    total, slopes, carried = [np.zeros_like(p) for p in layer.parameters], [], state
    for start in range(0, T, k):
        chunk = slice(start, start + k)
        cache = layer.forward(X[chunk], carried, None if mask is None else mask[chunk])
        np.testing.assert_allclose(cache.outputs, whole.outputs[chunk], **ROUNDING)
        after = d_state if start + k >= T else None
        gradients, dX, d_first = layer.backward(cache, d_outputs[chunk], after)
        total = [a + b for a, b in zip(total, gradients, strict=True)]
        slopes.append(dX)
        if start == 0:
            at_start = d_first
        carried = [s[-1] for s in cache.states]
    assert_same(carried, [s[-1] for s in whole.states])
    assert_same(case.by_hand(mask, k, k), [*total, np.concatenate(slopes), *at_start])


@every_kind
def test_chunks_that_hand_state_and_slopes_over_are_the_full_gradient(kind):
    layer, X, state, d_outputs, d_state = case = make_case(kind)
    first = layer.forward(X[:4], state)
    second = layer.forward(X[4:], [s[-1] for s in first.states])
    late, dX_late, between = layer.backward(second, d_outputs[4:], d_state)
    early, dX_early, d_first = layer.backward(first, d_outputs[:4], between)
    total = [a + b for a, b in zip(early, late, strict=True)]
    assert_same(case.by_hand(), [*total, np.concatenate([dX_early, dX_late]), *d_first])


# Starting weights


@every_kind
def test_starting_weights_of_the_input(kind):
    layer = kind.random(40, 30, np.random.default_rng(5))
    limit = math.sqrt(6 / (40 + kind.gate_count * 30))
    drawn = np.random.default_rng(5).uniform(-limit, limit, (40, kind.gate_count * 30))
    Wx = layer.parameters[0]
    np.testing.assert_array_equal(Wx, drawn)
    # Of 1200 draws and more; the bound is five standard deviations.
    assert Wx.var() == pytest.approx(2 / (40 + kind.gate_count * 30), rel=0.13)


@every_kind
@pytest.mark.parametrize("units", [1, 2, 30])
def test_starting_weights_of_the_state_have_orthogonal_rows(kind, units):
    rng = np.random.default_rng(5)
    Wh = kind.random(4, units, rng).parameters[1]
    assert Wh.shape == (units, kind.gate_count * units)
    np.testing.assert_allclose(Wh @ Wh.T, np.eye(units), rtol=0, atol=1e-14)


@every_kind
def test_starting_weights_of_the_state_prefer_no_direction(kind):
    # They are the Q of a matrix of normal numbers whose R has a positive diagonal; LAPACK's has a
    # negative one, mostly.
    rng = np.random.default_rng(5)
    Wh = kind.random(4, 7, rng).parameters[1]
    rng = np.random.default_rng(5)
    rng.uniform(size=(4, kind.gate_count * 7))
    R = Wh @ rng.normal(size=(kind.gate_count * 7, 7))
    np.testing.assert_allclose(np.tril(R, -1), 0, atol=1e-13)
    assert (np.diag(R) > 0).all()


@pytest.mark.parametrize(
    ("kind", "bias"), [(SimpleRNN, [0] * 3), (LSTM, [0, 0, 0, 1, 1, 1] + [0] * 6), (GRU, [0] * 9)]
)
def test_initial_biases_are_zero_but_a_forget_gate_is_open(kind, bias):
    assert kind.random(2, 3, np.random.default_rng(0)).parameters[2].tolist() == bias
    assert kind.initial_bias(3).tolist() == bias


@every_kind
def test_random_layers_can_be_drawn_again(kind):
    one, same, other = (kind.random(3, 4, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert type(one) is kind
    for a, b in zip(one.parameters, same.parameters, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(one.parameters[:2], other.parameters[:2], strict=True):
        assert (a != b).any()
    rng = np.random.default_rng(1)
    first, second = (kind.random(3, 4, rng) for _ in range(2))
    assert (first.parameters[0] != second.parameters[0]).all()


@every_kind
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_of_random_layers(kind, dtype):
    layer = kind.random(3, 4, np.random.default_rng(1), dtype)
    exact = kind.random(3, 4, np.random.default_rng(1))
    assert [p.dtype for p in layer.parameters] == [dtype] * 3
    for a, b in zip(layer.parameters, exact.parameters, strict=True):
        np.testing.assert_array_equal(a, b.astype(dtype))


# Numbers and arrays


@every_mask
@every_kind
def test_float32_stays_float32(kind, mask):
    layer, X, state, d_outputs, d_state = case = make_case(kind)
    layer = layer.with_parameters([p.astype(np.float32) for p in layer.parameters])
    X, d_outputs = X.astype(np.float32), d_outputs.astype(np.float32)
    state, d_state = ([a.astype(np.float32) for a in arrays] for arrays in (state, d_state))
    for start, last in [(state, d_state), (None, None)]:
        cache = layer.forward(X, start, mask)
        for k1, k2 in [(None, None), (2, 3)]:
            gradients, dX, d_first = layer.backward(cache, d_outputs, last, k1, k2)
            found = [cache.X, *cache.states, cache.gates, *gradients, dX, *d_first]
            assert {a.dtype for a in found} == {np.dtype(np.float32)}
            if start is not None:
                exact = case.by_hand(mask, k1, k2)
                for mine, other in zip([*gradients, dX, *d_first], exact, strict=True):
                    np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("truncation", [(None, None), (2, 3)])
@every_mask
@every_kind
def test_arguments_are_left_alone(kind, mask, truncation):
    layer, X, state, d_outputs, d_state = case = make_case(kind)
    mask = None if mask is None else mask.copy()
    arrays = [*case.arguments, d_outputs, *d_state, *([] if mask is None else [mask])]
    before = [a.copy() for a in arrays]
    cache = layer.forward(X, state, mask)
    stored = [*cache.states, cache.gates]
    before += [a.copy() for a in stored]
    _, dX, d_first = layer.backward(cache, d_outputs, d_state, *truncation)
    for a in (dX, *d_first):
        a[:] = 7.0  # what comes out is nobody's memory
    for after, was in zip([*arrays, *stored], before, strict=True):
        np.testing.assert_array_equal(after, was)
    layer.forward(X, state, mask)
    for after, was in zip([*arrays, *stored], before, strict=True):
        np.testing.assert_array_equal(after, was)


@every_kind
def test_a_trace_can_be_walked_back_twice(kind):
    layer, X, state, d_outputs, d_state = make_case(kind)
    cache = layer.forward(X, state, HOLES)
    (g, dX, d), (g2, dX2, d2) = (layer.backward(cache, d_outputs, d_state) for _ in range(2))
    for a, b in zip([*g, dX, *d], [*g2, dX2, *d2], strict=True):
        np.testing.assert_array_equal(a, b)


@every_kind
def test_without_slopes_from_later_they_are_zero(kind):
    layer, X, state, d_outputs, d_state = make_case(kind)
    cache = layer.forward(X, state)
    (g, dX, d), (g2, dX2, d2) = (
        layer.backward(cache, d_outputs, last) for last in (None, [0.0 * d for d in d_state])
    )
    for a, b in zip([*g, dX, *d], [*g2, dX2, *d2], strict=True):
        np.testing.assert_array_equal(a, b)


@every_kind
def test_large_inputs_do_not_overflow(kind):
    layer, X, state, d_outputs, d_state = make_case(kind)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        cache = layer.forward(1e4 * X, state)
        gradients, dX, d_first = layer.backward(cache, d_outputs, d_state)
    for a in (*cache.states, *gradients, dX, *d_first):
        assert np.isfinite(a).all()


@every_kind
def test_parameters_are_kept_so_that_an_optimizer_can_change_them(kind):
    case = make_case(kind)
    layer = kind(case.layer.parameters)
    for mine, other in zip(layer.parameters, case.layer.parameters, strict=True):
        assert mine is other
    before = layer.forward(case.X).outputs
    layer.parameters[2] += 0.5
    assert (layer.forward(case.X).outputs != before).all()


@every_kind
def test_with_parameters_keeps_the_kind_and_the_old_layer(kind):
    layer = make_case(kind).layer
    before = [p.copy() for p in layer.parameters]
    other = layer.with_parameters([-p for p in layer.parameters])
    assert type(other) is kind
    for new, old, was in zip(other.parameters, layer.parameters, before, strict=True):
        np.testing.assert_array_equal(new, -was)
        np.testing.assert_array_equal(old, was)


def test_lists_of_numbers_are_arguments():
    layer = SimpleRNN([[[1.0]], [[0.5]], [0.0]])
    cache = layer.forward([[[0.5]]], [[[1.0]]], [[True]])
    assert cache.outputs.tolist() == [[[math.tanh(1.0)]]]
    _, dX, _ = layer.backward(cache, [[[2.0]]], [[[1.0]]])
    assert dX[0, 0, 0] == pytest.approx(3 / math.cosh(1) ** 2, rel=1e-15)


def test_a_layer_without_formulas_says_so():
    class Empty(SimpleRNN.__base__):
        gate_count = 1

    layer = Empty(make_case(SimpleRNN).layer.parameters)
    with pytest.raises(NotImplementedError):
        layer.forward(np.ones((T, N, D)))
    cache = make_case(SimpleRNN).layer.forward(np.ones((T, N, D)))
    with pytest.raises(NotImplementedError):
        layer.backward(cache, np.ones((T, N, H)))


# Bad input

WX, WH, B = np.ones((D, H)), np.ones((H, H)), np.ones(H)


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        (SimpleRNN, [], "parameters: expected Wx, Wh and b, got 0 arrays"),
        (SimpleRNN, [WX, WH], "parameters: expected Wx, Wh and b, got 2 arrays"),
        (SimpleRNN, [WX, WH, B, B], "parameters: expected Wx, Wh and b, got 4 arrays"),
        (SimpleRNN, [WX, B, B], r"Wh: expected shape \(H, G H\), got \(2,\)"),
        (SimpleRNN, [WX, WH[:0], B], r"Wh: expected shape \(H, G H\), got \(0, 2\)"),
        (SimpleRNN, [WX, WH[:1], B], r"Wx: expected shape \(D, 1\), got \(3, 2\)"),
        (SimpleRNN, [WX, WX, B], r"Wx: expected shape \(D, 3\), got \(3, 2\)"),
        (SimpleRNN, [WX, np.ones((2, 3)), B], r"Wh: expected shape \(2, 2\), got \(2, 3\)"),
        (SimpleRNN, [WX[:0], WH, B], r"Wx: expected shape \(D, 2\), got \(0, 2\)"),
        (SimpleRNN, [WX.T, WH, B], r"Wx: expected shape \(D, 2\), got \(2, 3\)"),
        # NumPy would broadcast each of these two.
        (SimpleRNN, [WX, WH, B[:1]], r"b: expected shape \(2,\), got \(1,\)"),
        (SimpleRNN, [WX, WH, B[np.newaxis]], r"b: expected shape \(2,\), got \(1, 2\)"),
        (LSTM, [WX, WH, B], r"Wx: expected shape \(D, 8\), got \(3, 2\)"),
        (GRU, [WX, WH, B], r"Wx: expected shape \(D, 6\), got \(3, 2\)"),
        (SimpleRNN, [WX.astype(int), WH, B], "Wx: expected float32 or float64, got int64"),
        (SimpleRNN, [WX, WH.astype(complex), B], "Wh: expected .* float64, got complex128"),
        (SimpleRNN, [WX, WH, B.astype(np.float16)], "b: expected .* float64, got float16"),
        (SimpleRNN, [WX * np.nan, WH, B], r"Wx: expected finite numbers, got nan at \(0, 0\)"),
        (SimpleRNN, [WX, WH * np.inf, B], r"Wh: expected finite numbers, got inf at \(0, 0\)"),
        (SimpleRNN, [WX, WH, B * np.nan], r"b: expected finite numbers, got nan at \(0,\)"),
        (
            SimpleRNN,
            [WX, WH.astype(np.float32), B],
            "parameters: expected float64 like the parameters, got float32",
        ),
        (
            SimpleRNN,
            [WX, WH, B.astype(np.float32)],
            "parameters: expected float64 like the parameters, got float32",
        ),
        (
            SimpleRNN,
            [WX.astype(np.float32), WH, B],
            "parameters: expected float32 like the parameters, got float64",
        ),
    ],
)
def test_bad_parameters_are_refused(kind, parameters, message):
    with pytest.raises(ValueError, match=message):
        kind(parameters)


@every_kind
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": 0}, "inputs: expected a whole number of at least 1, got 0"),
        ({"inputs": 2.0}, "inputs: expected a whole number of at least 1, got 2.0"),
        ({"units": 0}, "units: expected a whole number of at least 1, got 0"),
        ({"units": True}, "units: expected a whole number of at least 1, got True"),
        ({"rng": 0}, r"rng: expected np.random.default_rng\(seed\), got 0"),
        ({"dtype": int}, "expected float32 or float64, got int64"),
    ],
)
def test_bad_random_layers_are_refused(kind, changes, message):
    arguments = {"inputs": 2, "units": 3, "rng": np.random.default_rng(0)}
    with pytest.raises(ValueError, match=message):
        kind.random(**(arguments | changes))


@every_kind
@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones((N, D)), r"X: expected shape \(T, N, 3\), got \(4, 3\)"),
        (np.ones((T, N, H)), r"X: expected shape \(T, N, 3\), got \(6, 4, 2\)"),
        (np.ones((0, N, D)), r"X: expected shape \(T, N, 3\), got \(0, 4, 3\)"),
        (np.ones((T, 0, D)), r"X: expected shape \(T, N, 3\), got \(6, 0, 3\)"),
        (np.ones((T, N, D), int), "X: expected float32 or float64, got int64"),
        (np.ones((T, N, D), np.float32), "X: expected float64 like the parameters, got float32"),
        (np.full((T, N, D), np.nan), r"X: expected finite numbers, got nan at \(0, 0, 0\)"),
    ],
)
def test_bad_inputs_are_refused(kind, X, message):
    with pytest.raises(ValueError, match=message):
        make_case(kind).layer.forward(X)


BAD_STATES = [
    (np.ones((N, D)), "expected shape (4, 2), got (4, 3)"),
    (np.ones((1, H)), "expected shape (4, 2), got (1, 2)"),
    (np.ones(H), "expected shape (4, 2), got (2,)"),
    (1.0, "expected shape (4, 2), got ()"),
    (np.ones((N, H), int), "expected float32 or float64, got int64"),
    (np.ones((N, H), np.float32), "expected float64 like the parameters, got float32"),
    (np.full((N, H), np.nan), "expected finite numbers, got nan at (0, 0)"),
]


@every_kind
@pytest.mark.parametrize(("wrong", "message"), BAD_STATES)
def test_bad_states_are_refused(kind, wrong, message):
    layer, X, state, d_outputs, d_state = make_case(kind)
    cache = layer.forward(X)
    for place in range(kind.state_count):
        bad, bad_slopes = list(state), list(d_state)
        bad[place] = bad_slopes[place] = wrong
        with pytest.raises(ValueError, match=f"^state: {re.escape(message)}"):
            layer.forward(X, bad)
        with pytest.raises(ValueError, match=f"^d_state: {re.escape(message)}"):
            layer.backward(cache, d_outputs, bad_slopes)


@every_kind
@pytest.mark.parametrize("change", [-1, 1])
def test_a_wrong_number_of_states_is_refused(kind, change):
    layer, X, _, d_outputs, _ = make_case(kind)
    cache, right = layer.forward(X), kind.state_count
    wrong = [np.zeros((N, H))] * (right + change)
    message = f"state: expected {right} arrays, got {right + change}"
    with pytest.raises(ValueError, match=f"^{message}"):
        layer.forward(X, wrong)
    with pytest.raises(ValueError, match=f"^d_{message}"):
        layer.backward(cache, d_outputs, wrong)


@every_kind
@pytest.mark.parametrize(
    ("mask", "got"),
    [
        (np.ones((T, N), int), "int64 (6, 4)"),
        (np.ones((T, N)), "float64 (6, 4)"),
        (np.ones((N, T), bool), "bool (4, 6)"),
        (np.ones(T, bool), "bool (6,)"),
        (np.ones((T, 1), bool), "bool (6, 1)"),
        (np.ones((1, N), bool), "bool (1, 4)"),
        (np.ones((T, N, 1), bool), "bool (6, 4, 1)"),
        (np.ones((T + 1, N), bool), "bool (7, 4)"),
        (True, "bool ()"),
    ],
)
def test_bad_masks_are_refused(kind, mask, got):
    message = re.escape(f"mask: expected bool (6, 4), got {got}")
    with pytest.raises(ValueError, match=message):
        make_case(kind).layer.forward(np.ones((T, N, D)), mask=mask)


@every_kind
@pytest.mark.parametrize(
    ("d_outputs", "message"),
    [
        (np.ones((N, H)), "expected shape (6, 4, 2), got (4, 2)"),
        (np.ones((T, N, D)), "expected shape (6, 4, 2), got (6, 4, 3)"),
        (np.ones((1, N, H)), "expected shape (6, 4, 2), got (1, 4, 2)"),
        (1.0, "expected shape (6, 4, 2), got ()"),
        (np.ones((T, N, H), int), "expected float32 or float64, got int64"),
        (np.ones((T, N, H), np.float32), "expected float64 like the parameters, got float32"),
        (np.full((T, N, H), np.inf), "expected finite numbers, got inf at (0, 0, 0)"),
    ],
)
def test_bad_output_slopes_are_refused(kind, d_outputs, message):
    layer, X, *_ = make_case(kind)
    with pytest.raises(ValueError, match=f"^d_outputs: {re.escape(message)}"):
        layer.backward(layer.forward(X), d_outputs)


@every_kind
@pytest.mark.parametrize(
    ("k1", "k2", "message"),
    [
        (0, None, "k1: expected a whole number of at least 1, got 0"),
        (-1, 3, "k1: expected a whole number of at least 1, got -1"),
        (2.0, 3, "k1: expected a whole number of at least 1, got 2.0"),
        (True, 3, "k1: expected a whole number of at least 1, got True"),
        ("2", 3, "k1: expected a whole number of at least 1, got '2'"),
        (1, 0, "k2: expected a whole number of at least 1, got 0"),
        (3, 2, "k2: expected a whole number of at least 3, got 2"),
        (T + 2, T + 1, "k2: expected a whole number of at least 8, got 7"),
        (2, 3.0, "k2: expected a whole number of at least 2, got 3.0"),
        (None, 3, "k1: expected a whole number, since k2 is 3, got None"),
        (None, T, "k1: expected a whole number, since k2 is 6, got None"),
    ],
)
def test_bad_truncations_are_refused(kind, k1, k2, message):
    case = make_case(kind)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        case.by_hand(None, k1, k2)
