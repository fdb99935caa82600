"""Time an LSTM's forward and backward pass: by hand, a TensorFlow loop, and Keras's layer.

    python benchmarks/recurrent.py [ROUNDS]

Batch 32, 100 steps, 128 units and inputs, float32, one thread. The contenders take turns, so that
a busy machine slows all of them alike; compare the ratios, not the times.
"""

import argparse
import os
import sys
from time import perf_counter

os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

from backprop import recurrent

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)

STEPS, BATCH, UNITS = 100, 32, 128


def contenders():
    """Return the three programs by name; each returns the gradients of Wx, Wh and b."""
    rng = np.random.default_rng(0)
    layer = recurrent.LSTM.random(UNITS, UNITS, rng, np.float32)
    X = rng.normal(size=(STEPS, BATCH, UNITS)).astype(np.float32)
    slopes = rng.normal(size=(STEPS, BATCH, UNITS)).astype(np.float32)

    def by_hand():
        return layer.backward(layer.forward(X), slopes)[0]

    cell = tf.keras.layers.LSTMCell(UNITS)
    cell.build((BATCH, UNITS))
    cell.set_weights(layer.parameters)
    steps, slopes_of_steps = tf.constant(X), tf.constant(slopes)

    @tf.function
    def loop():
        with tf.GradientTape() as tape:
            state, total = [tf.zeros((BATCH, UNITS))] * 2, 0.0
            for t in range(STEPS):
                output, state = cell(steps[t], state)
                total += tf.reduce_sum(output * slopes_of_steps[t])
        return tape.gradient(total, cell.trainable_variables)

    keras_layer = tf.keras.layers.LSTM(UNITS, return_sequences=True)
    keras_layer.build((BATCH, STEPS, UNITS))
    keras_layer.set_weights(layer.parameters)
    examples, slopes_of_examples = (tf.constant(a.transpose(1, 0, 2)) for a in (X, slopes))

    @tf.function
    def by_layer():
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(keras_layer(examples) * slopes_of_examples)
        return tape.gradient(total, keras_layer.trainable_variables)

    return {"NumPy by hand": by_hand, "TensorFlow loop": loop, "Keras layer": by_layer}


def main(rounds):
    """Check that all compute the same, time them in turns, and print a table."""
    programs = contenders()
    reference, *others = ([np.asarray(g) for g in run()] for run in programs.values())
    for other in others:
        for a, b in zip(reference, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-4 * np.abs(a).max())
    times = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            start = perf_counter()
            run()
            times[name].append(perf_counter() - start)
    by_hand = np.median(times["NumPy by hand"])
    print("| | median ms | 10 to 90 % | time / by hand |\n|---|---|---|---|")
    for name, t in times.items():
        low, middle, high = np.percentile(t, [10, 50, 90]) * 1e3
        ratio = middle / by_hand / 1e3
        print(f"| {name} | {middle:.1f} | {low:.1f} to {high:.1f} | {ratio:.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rounds", type=int, nargs="?", default=30, help="how often each is timed")
    if (rounds := parser.parse_args().rounds) < 1:
        parser.error(f"expected at least one round, got {rounds}")
    try:
        main(rounds)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(130)
