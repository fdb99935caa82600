"""Recurrent layers: against loops over single numbers, central differences and autodiff."""

import math

import numpy as np
import pytest
from hypothesis import given
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

from backprop import gradcheck
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


# One step, forward: what a cell does with one example, in single numbers


def rnn_step(layer, x, h):
    h = [math.tanh(z) for z in total_inputs(layer, x, h)]
    return h, [h]


def lstm_step(layer, x, h, c):
    z = total_inputs(layer, x, h)
    i, f, o = ([logistic(v) for v in z[k * H : (k + 1) * H]] for k in (0, 1, 3))
    g = [math.tanh(v) for v in z[2 * H : 3 * H]]
    c = [f[j] * c[j] + i[j] * g[j] for j in range(H)]
    return [*i, *f, *g, *o], [[o[j] * math.tanh(c[j]) for j in range(H)], c]


def gru_step(layer, x, h):
    gates = [logistic(v) for v in total_inputs(layer, x, h)[: 2 * H]]
    z, r = gates[:H], gates[H:]
    reset = [r[j] * h[j] for j in range(H)]
    g = [math.tanh(v) for v in total_inputs(layer, x, reset)[2 * H :]]
    return [*z, *r, *g], [[z[j] * h[j] + (1 - z[j]) * g[j] for j in range(H)]]


@pytest.mark.parametrize("shift", [0.0, 3.0], ids=["", "open gates, so that a cell adds up"])
@pytest.mark.parametrize(
    ("kind", "step"),
    [
        pytest.param(SimpleRNN, rnn_step, marks=pytest.mark.equation("rnn-step")),
        pytest.param(LSTM, lstm_step, marks=pytest.mark.equation("lstm-step")),
        pytest.param(GRU, gru_step, marks=pytest.mark.equation("gru-step")),
    ],
)
def test_step_is_its_formula(kind, step, shift):
    layer, X, state, _, _ = make_case(kind)
    layer.parameters[2] += shift
    cache = layer.forward(X, state)
    np.testing.assert_array_equal([s[0] for s in cache.states], state)
    assert kind is not LSTM or not shift or np.abs(cache.states[1]).max() > 4
    for n in range(N):
        states = [s[n].tolist() for s in state]
        for t in range(T):
            gates, states = step(layer, X[t, n].tolist(), *states)
            np.testing.assert_allclose(cache.gates[t, n], gates, **ROUNDING)
            np.testing.assert_allclose([s[t + 1, n] for s in cache.states], states, **ROUNDING)


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


@every_loss
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(
            SimpleRNN,
            marks=[pytest.mark.equation("carried-error"), pytest.mark.equation("rnn-delta")],
        ),
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
@every_kind
def test_gradients_are_their_formulas(kind):
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


any_mask = arrays(bool, (T, N))


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


def test_a_layer_without_formulas_says_so():
    class Empty(SimpleRNN.__base__):
        gate_count = 1

    layer = Empty(make_case(SimpleRNN).layer.parameters)
    with pytest.raises(NotImplementedError):
        layer.forward(np.ones((T, N, D)))
    cache = make_case(SimpleRNN).layer.forward(np.ones((T, N, D)))
    with pytest.raises(NotImplementedError):
        layer.backward(cache, np.ones((T, N, H)))


# Bad input that no annotation can tell

WX, WH, B = np.ones((D, H)), np.ones((H, H)), np.ones(H)


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        (SimpleRNN, [WX, WH], "parameters: expected Wx, Wh and b, got 2 arrays"),
        (SimpleRNN, [WX, B, B], r"Wh: expected shape \(H, GH\), got \(2,\)"),
        (SimpleRNN, [WX, np.ones((2, 3)), B], r"Wh: expected shape \(2, 2\), got \(2, 3\)"),
        (SimpleRNN, [WX.T, WH, B], r"Wx: expected shape \(D, 2\), got \(2, 3\)"),
        (SimpleRNN, [WX, WH, B[:1]], r"b: expected shape \(2,\), got \(1,\)"),  # would broadcast
        (LSTM, [WX, WH, B], r"Wx: expected shape \(D, 8\), got \(3, 2\)"),
        (SimpleRNN, [WX, WH, B.astype(np.float32)], "b: expected float64 like Wx, got float32"),
        (
            GRU,
            [np.ones((D, 6)), np.ones((H, 6)), np.ones((2, 6))],
            "b: .* Keras's reset_after=True",
        ),
    ],
)
def test_bad_parameters_are_refused(kind, parameters, message):
    with pytest.raises(ValueError, match=message):
        kind(parameters)


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
@pytest.mark.parametrize(("k1", "k2"), [(3, 2), (T + 2, T + 1), (None, 3), (None, T)])
def test_walks_shorter_than_the_steps_between_them_are_refused(kind, k1, k2):
    with pytest.raises(ValueError, match=f"^k2: expected .* at least k1, {k1}, got {k2}$"):
        make_case(kind).by_hand(None, k1, k2)


@pytest.mark.parametrize("shape", [(T, N), (1, N, H), (T, N, D)])
def test_gradients_of_other_sequences_are_refused(shape):
    layer, X, *_ = make_case(SimpleRNN)
    with pytest.raises(ValueError, match=rf"^d_outputs: expected shape \({T}, {N}, {H}\)"):
        layer.backward(layer.forward(X), np.ones(shape))
