"""Recurrent layers: masks, truncation, starting weights, refusals. The registry holds gradients."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from sequences import D, H, N, T, assert_same, every_dtype, every_kind, every_mask, make_case

from backprop.recurrent import GRU, LSTM, Recurrent, SimpleRNN, windows

# What a layer does


@every_dtype
@every_kind
def test_states_and_slopes_that_are_not_given_are_zero(kind, dtype):
    case = make_case(kind, dtype)
    zeros = [np.zeros((N, H), dtype)] * kind.state_count
    given, left_out = case.layer.forward(case.X, zeros), case.layer.forward(case.X)
    assert_same([*left_out.states, left_out.gates], [*given.states, given.gates], 0)
    for truncation in [(), (2, 3)]:
        expected, dX, d_first = case.layer.backward(given, case.d_outputs, zeros, *truncation)
        found, found_dX, found_d_first = case.layer.backward(
            left_out, case.d_outputs, None, *truncation
        )
        assert_same([*found, found_dX, *found_d_first], [*expected, dX, *d_first], 0)


@pytest.mark.equation("jacobian-product")
@pytest.mark.parametrize("steps", [1, 2, 6])
def test_jacobian_is_a_product_of_one_factor_for_each_step(steps):
    layer, X, state, _, _ = make_case(SimpleRNN, T=steps, N=1)
    cache, Wh = layer.forward(X, state), layer.parameters[1]
    jacobian = np.eye(H)
    for (h,) in cache.outputs[::-1]:
        jacobian = jacobian @ np.diag(1 - h**2) @ Wh.T
    for i in range(H):
        _, _, d_first = layer.backward(cache, np.zeros((steps, 1, H)), [np.eye(H)[[i]]])
        assert_same(d_first, [jacobian[[i]]])


def test_open_gates_let_a_cell_count():
    layer = LSTM([np.zeros((D, 4 * H)), np.zeros((H, 4 * H)), np.full(4 * H, 50.0)])
    h, c = layer.forward(np.ones((T, N, D))).states
    np.testing.assert_array_equal(c, np.broadcast_to(np.arange(T + 1.0), (H, N, T + 1)).T)
    np.testing.assert_allclose(h, np.tanh(c), rtol=1e-15)


@every_kind
def test_large_inputs_do_not_overflow(kind):
    layer, X, state, d_outputs, d_state = make_case(kind)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        cache = layer.forward(1e4 * X, state)
        gradients, dX, d_first = layer.backward(cache, d_outputs, d_state)
    for a in (*cache.states, *gradients, dX, *d_first):
        assert np.isfinite(a).all()


@every_kind
@given(mask=arrays(bool, (T, N)))
def test_every_example_of_a_batch_is_as_if_alone_and_without_gaps(kind, mask):
    case = make_case(kind)
    case = case._replace(d_outputs=np.where(mask[..., np.newaxis], case.d_outputs, 0))
    cache = case.layer.forward(case.X, case.state, mask)
    total = [np.zeros_like(a) for a in [*case.layer.parameters, case.X]]
    total += [d.copy() for d in case.d_state]  # an example without a step hands them on
    for n in np.flatnonzero(mask.any(axis=0)):
        own = np.ix_(mask[:, n], [n])
        state, d_state = ([a[[n]] for a in arrays] for arrays in (case.state, case.d_state))
        alone = case._replace(X=case.X[own], state=state, d_outputs=case.d_outputs[own])
        alone = alone._replace(d_state=d_state)
        assert_same([cache.outputs[own]], [alone.layer.forward(alone.X, state).outputs])
        *gradients, total[3][own] = alone.by_hand()[:4]
        for place, gradient in enumerate(gradients):
            total[place] += gradient
        for d, of_example in zip(total[4:], alone.by_hand()[4:], strict=True):
            d[n] = of_example[0]
    assert_same(case.by_hand(mask), total)


def test_windows_walk_back_from_every_second_step_through_three():
    assert list(windows(6, 2, 3)) == [(0, 2, 0), (1, 4, 2), (3, 6, 4)]
    assert list(windows(6, None, None)) == [(0, 6, 0)]


@pytest.mark.equation("truncated-gradient")
@pytest.mark.parametrize("k1", range(1, T + 2))
@every_mask
@every_kind
def test_truncated_gradient_is_a_sum_over_boundaries(kind, mask, k1):
    case = make_case(kind)
    states = case.layer.forward(case.X, case.state, mask).states
    for k2 in [*range(k1, T + 3), None]:
        total = [np.zeros_like(a) for a in [*case.layer.parameters, case.X, *case.state]]
        for last in range(0, T, k1):
            boundary = min(last + k1, T)
            start = max(boundary - (k2 or T), 0)
            seen = slice(start, boundary)
            fresh = case.d_outputs[seen].copy()
            fresh[: last - start] = 0  # the walk of an earlier boundary has seen them
            piece = case._replace(X=case.X[seen], state=[s[start] for s in states], d_outputs=fresh)
            if boundary < T:
                piece = piece._replace(d_state=[np.zeros_like(d) for d in case.d_state])
            for place, gradient in enumerate(piece.by_hand(None if mask is None else mask[seen])):
                if place == 3:
                    total[3][seen] += gradient
                elif place < 3 or start == 0:
                    total[place] += gradient
        assert_same(case.by_hand(mask, k1, k2), total)


@every_mask
@every_kind
def test_a_backward_pass_leaves_the_trace_alone(kind, mask):
    case = make_case(kind)
    cache = case.layer.forward(case.X, case.state, mask)
    stored = [cache.X, *cache.states, cache.gates, case.d_outputs, *case.d_state]
    before = [a.copy() for a in stored]
    for truncation in [(), (2, 3)]:
        gradients, dX, d_first = case.layer.backward(
            cache, case.d_outputs, case.d_state, *truncation
        )
        for a in (*gradients, dX, *d_first):
            a[:] = 7.0  # what comes out is nobody's memory
    assert_same(stored, before, 0)


# Making a layer


@every_dtype
@every_kind
def test_starting_weights(kind, dtype):
    width = kind.gate_count * 7
    layer = kind.random(4, 7, np.random.default_rng(5), dtype)
    assert [p.dtype for p in layer.parameters] == [dtype] * 3
    Wx, Wh, b = layer.parameters
    rng, limit = np.random.default_rng(5), math.sqrt(6 / (4 + width))
    np.testing.assert_array_equal(Wx, rng.uniform(-limit, limit, (4, width)).astype(dtype))
    # Those of the state are the Q of a matrix of normal numbers whose R has a positive diagonal;
    # LAPACK's has a negative one, mostly. So they prefer no direction.
    R = Wh @ rng.normal(size=(width, 7))
    np.testing.assert_allclose(np.tril(R, -1), 0, atol=1e-13 if dtype == np.float64 else 1e-5)
    np.testing.assert_allclose(Wh @ Wh.T, np.eye(7), atol=1e-6)
    assert (np.diag(R) > 0).all()
    forget = [0] * 7 + [1] * 7 + [0] * 14
    assert b.tolist() == kind.initial_bias(7).tolist() == (forget if kind is LSTM else [0] * width)


@every_kind
def test_parameters_are_kept_so_that_an_optimizer_can_change_them(kind):
    case = make_case(kind)
    layer = case.layer.with_parameters(case.layer.parameters)
    assert type(layer) is kind
    for mine, other in zip(layer.parameters, case.layer.parameters, strict=True):
        assert mine is other
    before = layer.forward(case.X).outputs
    layer.parameters[2] += 0.5
    assert (layer.forward(case.X).outputs != before).all()


@pytest.mark.parametrize("missing", ["cell", "cell_backward"])
def test_a_layer_without_formulas_cannot_be_made(missing):
    incomplete = type("Incomplete", (SimpleRNN,), {missing: getattr(Recurrent, missing)})
    with pytest.raises(TypeError, match=rf"Incomplete .* abstract method '?{missing}'?"):
        incomplete(make_case(SimpleRNN).layer.parameters)


# Bad input that no annotation can tell

WX, WH, B = np.ones((D, H)), np.ones((H, H)), np.ones(H)


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        (SimpleRNN, 3, "parameters: expected a sequence, got 3"),
        (SimpleRNN, [WX, WH], "parameters: expected Wx, Wh and b, got 2 arrays"),
        (SimpleRNN, [WX, WH, B, B], "parameters: expected Wx, Wh and b, got 4 arrays"),
        (SimpleRNN, [WX, B, B], r"Wh: expected shape \(H, GH\), got \(2,\)"),
        (SimpleRNN, [WX, np.ones((2, 3)), B], r"Wh: expected shape \(2, 2\), got \(2, 3\)"),
        (SimpleRNN, [WX.T, WH, B], r"Wx: expected shape \(D, 2\), got \(2, 3\)"),
        (SimpleRNN, [WX, WH, B[:1]], r"b: expected shape \(2,\), got \(1,\)"),  # would broadcast
        (LSTM, [WX, WH, B], r"Wx: expected shape \(D, 8\), got \(3, 2\)"),
        (SimpleRNN, [WX, WH, B.astype(np.float32)], "b: expected float64 like Wx, got float32"),
        # Keras's reset_after=True has two rows of biases.
        (GRU, [np.ones((D, 6)), np.ones((H, 6)), np.ones((2, 6))], r"b: expected shape \(6,\)"),
    ],
)
def test_bad_parameters_are_refused(kind, parameters, message):
    with pytest.raises(ValueError, match=f"^{message}"):
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"state": [np.zeros((1, H))]}, r"state\[0\]: expected shape \(4, 2\), got \(1, 2\)"),
        ({"mask": np.ones((T, 1), bool)}, r"mask: expected shape \(6, 4\), got \(6, 1\)"),
    ],
)
def test_states_and_masks_that_would_broadcast_are_refused(arguments, message):
    layer, X, *_ = make_case(SimpleRNN)
    with pytest.raises(ValueError, match=f"^{message}$"):
        layer.forward(X, **arguments)


@pytest.mark.parametrize(("k1", "k2"), [(3, 2), (T + 2, T + 1), (None, 3), (None, T)])
def test_walks_shorter_than_the_steps_between_them_are_refused(k1, k2):
    with pytest.raises(ValueError, match=f"^k2: expected .* at least k1, {k1}, got {k2}$"):
        make_case(SimpleRNN).by_hand(None, k1, k2)


@pytest.mark.parametrize("shape", [(T, N), (1, N, H), (T, 1, H), (T, N, D)])
def test_gradients_of_other_sequences_are_refused(shape):
    layer, X, *_ = make_case(SimpleRNN)
    with pytest.raises(ValueError, match=rf"^d_outputs: expected shape \({T}, {N}, {H}\)"):
        layer.backward(layer.forward(X), np.ones(shape))
