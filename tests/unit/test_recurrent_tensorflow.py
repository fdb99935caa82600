"""Recurrent layers against Keras's layers, and against the tape with gradients that stop."""

import numpy as np
import pytest
from sequences import MASKS, N, T, every_kind, every_loss, every_mask, make_case

from backprop.recurrent import GRU, LSTM, SimpleRNN

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")
from backprop import tensorflow_twin  # noqa: E402

TRUNCATIONS = [(1, 1), (1, 3), (2, 3), (3, 3), (4, 5), (4, T + 3), (T + 1, T + 4)]


def keras_layer(layer, with_weights=True):
    """Return Keras's layer of the same kind, with the same weights or its own."""
    make = {
        SimpleRNN: tf.keras.layers.SimpleRNN,
        LSTM: tf.keras.layers.LSTM,
        GRU: lambda *a, **options: tf.keras.layers.GRU(*a, reset_after=False, **options),
    }[type(layer)]
    Wx, Wh, _ = layer.parameters
    keras = make(len(Wh), return_sequences=True, return_state=True, dtype=Wx.dtype.name)
    keras.build((None, None, len(Wx)))
    if with_weights:
        keras.set_weights(layer.parameters)
    return keras


def keras_forward(keras, X, state, mask):
    """Return outputs, shape (T, N, H), and last states; in Keras, the batch comes first."""
    steps = None if mask is None else tf.constant(mask.T)
    outputs, *last = keras(tf.transpose(X, [1, 0, 2]), mask=steps, initial_state=list(state))
    return tf.transpose(outputs, [1, 0, 2]), last


def has_begun(mask):
    """Tell where an example has had a step; before, Keras's outputs are zero, not the state."""
    return np.ones((T, N, 1)) if mask is None else np.maximum.accumulate(mask)[..., np.newaxis]


def tf_steps(kind, parameters, X, state, mask, k2=None, end=T):
    """Yield the states after each step, whose gradients stop k2 steps before the end."""
    Wx, Wh, b = parameters
    for t in range(end):
        if k2 is not None and t == end - k2 and t > 0:
            state = [tf.stop_gradient(s) for s in state]
        h = state[0]
        if kind is SimpleRNN:
            after = [tf.tanh(X[t] @ Wx + h @ Wh + b)]
        elif kind is LSTM:
            i, f, g, o = tf.split(X[t] @ Wx + h @ Wh + b, 4, axis=1)
            c = tf.sigmoid(f) * state[1] + tf.sigmoid(i) * tf.tanh(g)
            after = [tf.sigmoid(o) * tf.tanh(c), c]
        else:
            x_z, x_r, x_g = tf.split(X[t] @ Wx + b, 3, axis=1)
            W_z, W_r, W_g = tf.split(Wh, 3, axis=1)
            z, r = tf.sigmoid(x_z + h @ W_z), tf.sigmoid(x_r + h @ W_r)
            after = [z * h + (1 - z) * tf.tanh(x_g + (r * h) @ W_g)]
        if mask is None:
            state = after
        else:
            pairs = zip(after, state, strict=True)
            state = [tf.where(mask[t][:, np.newaxis], new, old) for new, old in pairs]
        yield state


def tape_gradients(case, mask, k1=T, k2=None):
    """Return the gradients of a loss that TensorFlow computes once more for each boundary."""

    def loss(Wx, Wh, b, X, *state):
        total, done = 0.0, 0
        for end in [*range(k1, T, k1), T]:
            steps = tf_steps(type(case.layer), (Wx, Wh, b), X, state, mask, k2, end)
            for t, states in enumerate(steps):
                if t >= done:
                    total += tf.reduce_sum(case.d_outputs[t] * states[0])
            done = end
        return total + sum(tf.reduce_sum(d * s) for d, s in zip(case.d_state, states, strict=True))

    return tensorflow_twin.tape_gradients(loss, *case.arguments)


def keras_gradients(case, mask):
    """Return the gradients of the loss through Keras's layer by the tape."""
    keras, watched = keras_layer(case.layer), [tf.constant(a) for a in [case.X, *case.state]]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        outputs, last = keras_forward(keras, watched[0], watched[1:], mask)
        value = tf.reduce_sum(case.d_outputs * outputs) + sum(
            tf.reduce_sum(d * s) for d, s in zip(case.d_state, last, strict=True)
        )
    return tape.gradient(value, [*keras.trainable_variables, *watched])


def assert_same(mine, others):
    for a, b in zip(mine, others, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


# Forward


@every_mask
@every_kind
def test_states_are_keras_states(kind, mask):
    layer, X, state, _, _ = make_case(kind)
    cache = layer.forward(X, state, mask)
    outputs, last = keras_forward(keras_layer(layer), X, state, mask)
    shown = np.where(has_begun(mask), cache.outputs, 0)
    np.testing.assert_allclose(shown, outputs, rtol=0, atol=1e-14)
    for mine, other in zip(cache.states, last, strict=True):
        np.testing.assert_allclose(mine[-1], other, rtol=0, atol=1e-14)


# Gradients


@every_loss
@every_mask
@every_kind
def test_gradients_by_hand_by_keras_by_the_tape(kind, mask, loss):
    case = make_case(kind, loss)
    assert_same(case.by_hand(mask), tape_gradients(case, mask))
    case = case._replace(d_outputs=case.d_outputs * has_begun(mask))
    assert_same(case.by_hand(mask), keras_gradients(case, mask))


# Truncation


@pytest.mark.slow
@pytest.mark.parametrize(("k1", "k2"), TRUNCATIONS)
@every_mask
@every_kind
def test_truncated_gradients_are_those_of_stopped_gradients(kind, mask, k1, k2):
    case = make_case(kind)
    assert_same(case.by_hand(mask, k1, k2), tape_gradients(case, mask, k1, k2))


@pytest.mark.parametrize("k", [1, 2, 3, 6])
@pytest.mark.parametrize("mask", [None, MASKS["ends"]], ids=["no mask", "ends"])
@every_kind
def test_truncated_gradients_are_those_of_keras_on_chunks(kind, mask, k):
    case = make_case(kind, "many-to-many")
    keras, carried = keras_layer(case.layer), case.state
    total = [np.zeros_like(p) for p in case.layer.parameters]
    for start in range(0, T, k):
        chunk = slice(start, start + k)
        with tf.GradientTape() as tape:
            outputs, carried = keras_forward(
                keras, case.X[chunk], carried, None if mask is None else mask[chunk]
            )
            value = tf.reduce_sum(case.d_outputs[chunk] * outputs)
        gradients = tape.gradient(value, keras.trainable_variables)
        total = [a + g.numpy() for a, g in zip(total, gradients, strict=True)]
    assert_same(case.by_hand(mask, k, k)[:3], total)


# Initial weights and float32


@every_kind
def test_initial_weights_are_like_keras(kind):
    layer = kind.random(40, 30, np.random.default_rng(0))
    keras = keras_layer(layer, with_weights=False)
    theirs = keras.get_weights()
    assert [p.shape for p in layer.parameters] == [p.shape for p in theirs]
    for Wx, Wh, _ in (layer.parameters, theirs):
        assert np.abs(Wx).max() == pytest.approx(np.sqrt(6 / np.sum(Wx.shape)), rel=0.02)
        np.testing.assert_allclose(Wh @ Wh.T, np.eye(30), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(layer.parameters[2], theirs[2])


@every_mask
@every_kind
def test_float32(kind, mask):
    layer, X, state, *_ = make_case(kind)
    parameters = [p.astype(np.float32) for p in layer.parameters]
    X, state = X.astype(np.float32), [s.astype(np.float32) for s in state]
    cache = layer.with_parameters(parameters).forward(X, state, mask)
    outputs, last = keras_forward(keras_layer(layer.with_parameters(parameters)), X, state, mask)
    shown = np.where(has_begun(mask), cache.outputs, np.float32(0))
    for mine, other in zip([shown, *(s[-1] for s in cache.states)], [outputs, *last], strict=True):
        assert mine.dtype == other.numpy().dtype == np.float32
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-6)
