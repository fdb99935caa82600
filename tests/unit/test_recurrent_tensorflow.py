"""Recurrent layers against Keras's layers."""

import numpy as np
import pytest
from sequences import MASKS, N, T, assert_same, every_dtype, every_kind, every_mask, make_case

from backprop.recurrent import LSTM, SimpleRNN

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")


def keras_layer(layer, with_weights=True):
    """Return Keras's layer of the same kind, with the same weights or its own."""
    make = {SimpleRNN: tf.keras.layers.SimpleRNN, LSTM: tf.keras.layers.LSTM}.get(
        type(layer), lambda *a, **options: tf.keras.layers.GRU(*a, reset_after=False, **options)
    )
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


@every_dtype
@every_mask
@every_kind
def test_states_and_gradients_are_those_of_keras(kind, mask, dtype):
    case, tolerance = make_case(kind, dtype), 1e-12 if dtype == np.float64 else 1e-5
    begun = np.ones((T, N, 1)) if mask is None else np.maximum.accumulate(mask)[..., np.newaxis]
    begun = begun.astype(dtype)  # before, Keras's outputs are zero, not the state
    keras, watched = keras_layer(case.layer), [tf.constant(a) for a in [case.X, *case.state]]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        outputs, last = keras_forward(keras, watched[0], watched[1:], mask)
        pairs = zip([case.d_outputs, *case.d_state], [outputs, *last], strict=True)
        value = sum(tf.reduce_sum(d * a) for d, a in pairs)
    gradients = tape.gradient(value, [*keras.trainable_variables, *watched])
    cache = case.layer.forward(case.X, case.state, mask)
    mine = [begun * cache.outputs, *(s[-1] for s in cache.states)]
    mine += case._replace(d_outputs=begun * case.d_outputs).by_hand(mask)
    assert_same(mine, [a.numpy() for a in [outputs, *last, *gradients]], tolerance)


@pytest.mark.parametrize("k", [1, 2, 3, 6])
@pytest.mark.parametrize("mask", [None, MASKS["ends"]], ids=["no mask", "ends"])
@every_kind
def test_truncated_gradients_are_those_of_keras_on_chunks(kind, mask, k):
    case = make_case(kind)
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
    case = case._replace(d_state=[np.zeros_like(d) for d in case.d_state])
    assert_same(case.by_hand(mask, k, k)[:3], total, 1e-12)


@every_kind
def test_initial_weights_are_like_keras(kind):
    layer = kind.random(40, 30, np.random.default_rng(0))
    theirs = keras_layer(layer, with_weights=False).get_weights()
    assert [p.shape for p in layer.parameters] == [p.shape for p in theirs]
    for Wx, Wh, _ in (layer.parameters, theirs):
        assert np.abs(Wx).max() == pytest.approx(np.sqrt(6 / np.sum(Wx.shape)), rel=0.02)
        np.testing.assert_allclose(Wh @ Wh.T, np.eye(30), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(layer.parameters[2], theirs[2])
