"""One epoch of training the same network on the same data, in more than a dozen ways.

A contender is made of images, digits and starting parameters. It has `step`, one update on a given
batch; `epoch`, which shows every image once in a new order and returns how many there were; and
`trained`, the parameters as NumPy arrays. One whose `learns` is false has only `epoch`: it is a
part of another's work. The first line of a docstring goes into the results. Libraries are imported
by the contender that needs them.
"""

import os
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from workers import peak_memory

from backprop import datasets, fast, losses, metrics, optimizers, training
from backprop.network import Network

SIZES = [784, 300, 100, 10]
ACTIVATIONS = ["relu", "relu", "identity"]
BATCH, RATE = 100, 0.1


class Textbook:
    """The package: Network and Trainer.fit"""

    network, loss = Network, staticmethod(losses.softmax_cross_entropy)

    def __init__(self, X, y, parameters):
        self.X, self.T = X, targets(y)
        network = self.network(parameters, ACTIVATIONS)
        self.trainer = training.Trainer(network, self.loss, optimizers.SGD(RATE), seed=1)

    def step(self, X, y):
        _, gradients = self.trainer.loss_and_gradients(X, targets(y))
        self.trainer.optimizer.step(self.trainer.network.parameters, gradients)

    def epoch(self):
        self.trainer.fit(self.X, self.T, epochs=len(self.trainer.history) + 1)
        return len(self.X)

    def trained(self):
        return self.trainer.network.parameters


class Fast(Textbook):
    """The package: FastNetwork and Trainer.fit"""

    network, loss = fast.FastNetwork, staticmethod(fast.softmax_cross_entropy_inplace)


class FastSteps:
    """The package: FastNetwork.sgd_step for every batch, pixels sorted by ink"""

    def __init__(self, X, y, parameters):
        W1, *others = parameters
        self.order = by_ink(X)
        self.X, self.T = X.take(self.order, axis=1), targets(y)
        self.network = fast.FastNetwork([W1[self.order], *others], ACTIVATIONS)
        self.rng = np.random.default_rng(1)

    def _step(self, X, T):
        self.network.sgd_step(fast.softmax_cross_entropy_inplace, X, T, RATE)

    def step(self, X, y):
        self._step(X[:, self.order], targets(y))

    def epoch(self):
        for rows in training.batches(len(self.X), BATCH, self.rng):
            self._step(self.X.take(rows, axis=0), self.T.take(rows, axis=0))
        return len(self.X)

    def trained(self):
        W1, *others = self.network.parameters
        unsorted = np.empty_like(W1)
        unsorted[self.order] = W1
        return [unsorted, *others]


class Products:
    """The eight matrix products of a step, and nothing else"""

    learns, matmul = False, staticmethod(np.matmul)

    def __init__(self, X, y, parameters):
        self.batches = [X[k : k + BATCH] for k in range(0, len(X) - BATCH + 1, BATCH)]
        self.W1, self.W2, self.W3 = parameters[::2]
        self.dW1, self.dW2, self.dW3 = (np.empty_like(W) for W in parameters[::2])
        self.Z1, self.Z2, self.Z3 = (np.empty((BATCH, n), np.float32) for n in SIZES[1:])
        self.D1, self.D2 = np.empty_like(self.Z1), np.empty_like(self.Z2)

    def products(self, X):
        self.matmul(X, self.W1, out=self.Z1)
        self.matmul(self.Z1, self.W2, out=self.Z2)
        self.matmul(self.Z2, self.W3, out=self.Z3)
        self.matmul(self.Z2.T, self.Z3, out=self.dW3)
        self.matmul(self.Z3, self.W3.T, out=self.D2)
        self.matmul(self.Z1.T, self.D2, out=self.dW2)
        self.matmul(self.D2, self.W2.T, out=self.D1)
        self.matmul(X.T, self.D1, out=self.dW1)

    def epoch(self):
        for X in self.batches:
            self.products(X)
        return BATCH * len(self.batches)


class Keras:
    """Keras on TensorFlow: fit, data as tensors (faster than as arrays)"""

    steps_per_execution = 1

    def __init__(self, X, y, parameters):
        tf = tensorflow()
        import keras

        self.X, self.y = tf.constant(X), tf.constant(y)
        hidden = [keras.layers.Dense(n, activation="relu") for n in SIZES[1:-1]]
        self.model = keras.Sequential(
            [keras.Input((SIZES[0],)), *hidden, keras.layers.Dense(SIZES[-1])]
        )
        self.model.set_weights(parameters)
        self.model.compile(
            keras.optimizers.SGD(RATE),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            steps_per_execution=self.steps_per_execution,
        )

    def step(self, X, y):
        self.model.fit(X, y, batch_size=BATCH, shuffle=False, verbose=0)

    def epoch(self):
        self.model.fit(self.X, self.y, batch_size=BATCH, shuffle=True, verbose=0)
        return len(self.X)

    def trained(self):
        return self.model.get_weights()


class KerasManySteps(Keras):
    """Keras on TensorFlow: fit with steps_per_execution=100, a hundred batches in one call"""

    steps_per_execution = 100


class TensorFlow:
    """TensorFlow: the whole epoch in one tf.function"""

    def __init__(self, X, y, parameters):
        tf = tensorflow()
        X, y = tf.constant(X), tf.constant(y)
        self.X, self.parameters = X, [tf.Variable(p) for p in parameters]
        W1, b1, W2, b2, W3, b3 = self.parameters
        full_batches = len(X) // BATCH * BATCH

        @tf.function
        def step(X, y):
            with tf.GradientTape() as tape:
                A1 = tf.nn.relu(X @ W1 + b1)
                A2 = tf.nn.relu(A1 @ W2 + b2)
                logits = A2 @ W3 + b3
                loss = tf.reduce_mean(
                    tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
                )
            gradients = tape.gradient(loss, self.parameters)
            for p, g in zip(self.parameters, gradients, strict=True):
                p.assign_sub(RATE * g)
            return loss

        @tf.function
        def epoch():
            order = tf.random.shuffle(tf.range(len(X)))[:full_batches]
            total = 0.0
            for rows in tf.reshape(order, (-1, BATCH)):
                total += step(tf.gather(X, rows), tf.gather(y, rows))
            return total

        self.step, self.run = step, epoch

    def epoch(self):
        self.run().numpy()
        return len(self.X)

    def trained(self):
        return [p.numpy() for p in self.parameters]


class TensorFlowSteps(TensorFlow):
    """TensorFlow: the step in a tf.function, called for every batch"""

    def __init__(self, X, y, parameters):
        super().__init__(X, y, parameters)
        self.images, self.digits, self.rng = X, y, np.random.default_rng(1)

    def epoch(self):
        for rows in training.batches(len(self.images), BATCH, self.rng):
            self.step(self.images.take(rows, axis=0), self.digits[rows])
        return len(self.images)


class Torch:
    """PyTorch, eager: the usual loop"""

    def __init__(self, X, y, parameters):
        import torch

        self.torch, self.library = torch, torch_library(torch)
        self.X, self.y = torch.from_numpy(X), torch.from_numpy(y)
        layers = [torch.nn.Linear(*W.shape) for W in parameters[::2]]
        self.model = torch.nn.Sequential(
            layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2]
        )
        with torch.no_grad():
            for p, value in zip(self.model.parameters(), parameters, strict=True):
                p.copy_(torch.from_numpy(value.T))
        self.cross_entropy = torch.nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=RATE)

    def loss(self, X, y):
        return self.cross_entropy(self.model(X), y)

    def step(self, X, y):
        X, y = self.torch.as_tensor(X), self.torch.as_tensor(y)
        self.optimizer.zero_grad()
        self.loss(X, y).backward()
        self.optimizer.step()

    def epoch(self):
        for rows in self.torch.randperm(len(self.X)).split(BATCH):
            self.step(self.X[rows], self.y[rows])
        return len(self.X)

    def trained(self):
        return [p.detach().numpy().T for p in self.model.parameters()]


class TorchCompiled(Torch):
    """PyTorch, torch.compile: network and loss as one compiled function, both ways"""

    def __init__(self, X, y, parameters):
        super().__init__(X, y, parameters)
        self.loss = self.torch.compile(super().loss)


class TorchProducts(Products):
    """PyTorch: the eight matrix products of a step, and nothing else"""

    def __init__(self, X, y, parameters):
        import torch

        super().__init__(X, y, parameters)
        self.matmul, self.library = torch.matmul, torch_library(torch)
        self.batches = [torch.from_numpy(X) for X in self.batches]
        for name, array in vars(self).items():
            if isinstance(array, np.ndarray):
                setattr(self, name, torch.from_numpy(array))


class TorchTiny(Torch):
    """PyTorch, eager: the usual loop with 1-1-1-10, where multiplying costs next to nothing"""

    learns = False

    def __init__(self, X, y, parameters):
        # Linear(D, H) takes its sizes from the arrays: a corner of each.
        W1, b1, W2, b2, W3, b3 = parameters
        corners = [W1[:1, :1], b1[:1], W2[:1, :1], b2[:1], W3[:1], b3]
        super().__init__(np.ascontiguousarray(X[:, :1]), y, corners)


class Jax:
    """JAX: the whole epoch in one jit, with lax.scan"""

    def __init__(self, X, y, parameters):
        import jax
        import jax.numpy as jnp

        def loss(parameters, X, y):
            W1, b1, W2, b2, W3, b3 = parameters
            A1 = jax.nn.relu(X @ W1 + b1)
            A2 = jax.nn.relu(A1 @ W2 + b2)
            log_p = jax.nn.log_softmax(A2 @ W3 + b3)
            return -jnp.take_along_axis(log_p, y[:, None], axis=1).mean()

        def step(parameters, X, y):
            value, gradients = jax.value_and_grad(loss)(parameters, X, y)
            updates = zip(parameters, gradients, strict=True)
            return [p - RATE * g for p, g in updates], value

        def epoch(parameters, X, y, batches):
            return jax.lax.scan(lambda p, rows: step(p, X[rows], y[rows]), parameters, batches)

        # Donated: the new parameters take the place of the old ones.
        self.one_step, self.run = (jax.jit(f, donate_argnums=0) for f in (step, epoch))
        self.X, self.y = jnp.asarray(X), jnp.asarray(y, dtype=jnp.int32)
        self.parameters = [jnp.array(p) for p in parameters]
        self.rng = np.random.default_rng(1)

    def step(self, X, y):
        self.parameters, _ = self.one_step(self.parameters, X, y.astype(np.int32))

    def epoch(self):
        n = len(self.X)
        order = self.rng.permutation(n)[: n // BATCH * BATCH].astype(np.int32)
        self.parameters, losses = self.run(
            self.parameters, self.X, self.y, order.reshape(-1, BATCH)
        )
        losses.block_until_ready()
        return n

    def trained(self):
        return [np.asarray(p) for p in self.parameters]


class JaxSteps(Jax):
    """JAX: the step in a jit, called for every batch"""

    def __init__(self, X, y, parameters):
        super().__init__(X, y, parameters)
        self.images, self.digits = X, y.astype(np.int32)

    def epoch(self):
        for rows in training.batches(len(self.images), BATCH, self.rng):
            self.step(self.images.take(rows, axis=0), self.digits[rows])
        for p in self.parameters:
            p.block_until_ready()
        return len(self.images)


class ScikitLearn:
    """scikit-learn: MLPClassifier.partial_fit, plain SGD, no penalty"""

    def __init__(self, X, y, parameters):
        from sklearn.neural_network import MLPClassifier

        self.X, self.y = X, y
        self.model = MLPClassifier(
            SIZES[1:-1],
            solver="sgd",
            momentum=0,
            nesterovs_momentum=False,
            alpha=0,
            batch_size=BATCH,
            learning_rate_init=RATE,
            random_state=1,
        )
        self.step(X[:BATCH], y[:BATCH])  # makes the arrays that are then overwritten
        for p, value in zip(self.trained(), parameters, strict=True):
            p[...] = value

    def step(self, X, y):
        self.model.partial_fit(X, y, classes=np.arange(10))

    def epoch(self):
        self.step(self.X, self.y)
        return len(self.X)

    def trained(self):
        pairs = zip(self.model.coefs_, self.model.intercepts_, strict=True)
        return [p for pair in pairs for p in pair]


class PerExample:
    """NumPy, one example at a time, as in older books; a turn is a tenth of an epoch"""

    def __init__(self, X, y, parameters):
        self.X, self.y = X[:, :, None], targets(y)[:, :, None]  # columns
        self.weights = [W.T.copy() for W in parameters[::2]]
        self.biases = [b[:, None].copy() for b in parameters[1::2]]
        self.rng = np.random.default_rng(1)

    def gradients(self, x, t):
        """Return the gradients of one example's loss, weights first."""
        outputs = [x]
        for W, b in zip(self.weights, self.biases, strict=True):
            z = W @ outputs[-1] + b
            outputs.append(np.maximum(z, 0))
        e = np.exp(z - z.max())
        delta = e / e.sum() - t
        dW, db = [], []
        for layer in reversed(range(len(self.weights))):
            dW.insert(0, delta @ outputs[layer].T)
            db.insert(0, delta)
            delta = (self.weights[layer].T @ delta) * (outputs[layer] > 0)
        return dW + db

    def update(self, examples):
        """Add up the gradients of a batch, then go downhill by their mean."""
        parameters = self.weights + self.biases
        sums = [np.zeros_like(p) for p in parameters]
        for x, t in examples:
            for total, g in zip(sums, self.gradients(x, t), strict=True):
                total += g
        for p, total in zip(parameters, sums, strict=True):
            p -= RATE / len(examples) * total

    def step(self, X, y):
        self.update(list(zip(X[:, :, None], targets(y)[:, :, None], strict=True)))

    def epoch(self, share=1.0):
        n = max(BATCH, int(len(self.X) * share))
        for rows in islice(training.batches(len(self.X), BATCH, self.rng), n // BATCH):
            self.update([(self.X[i], self.y[i]) for i in rows])
        return n // BATCH * BATCH

    def turn(self):
        return self.epoch(share=0.1)

    def trained(self):
        pairs = zip(self.weights, self.biases, strict=True)
        return [p for W, b in pairs for p in (W.T, b[:, 0])]


CONTENDERS = {
    "sgd_step": FastSteps,
    "FastNetwork": Fast,
    "bare products": Products,
    "Network": Textbook,
    "JAX": JaxSteps,
    "JAX, whole epoch": Jax,
    "tf.function": TensorFlowSteps,
    "tf.function, whole epoch": TensorFlow,
    "PyTorch": Torch,
    "PyTorch, compiled": TorchCompiled,
    "Keras fit": Keras,
    "Keras fit, 100 at once": KerasManySteps,
    "scikit-learn": ScikitLearn,
    "one by one": PerExample,
}
# What one contender's time goes to. They take turns with the rest, and stand apart in the results.
PARTS = {
    "PyTorch's products": TorchProducts,
    "PyTorch, tiny network": TorchTiny,
}


def targets(y):
    """Return one-hot rows of float32."""
    return datasets.one_hot(y, SIZES[-1]).astype(np.float32)


def by_ink(X):
    """Return the order of the pixels in which those that often have ink come first."""
    return np.argsort(-(X != 0).mean(axis=0), kind="stable")


def torch_library(torch):
    """Return the name of the library for matrix products that PyTorch was built with."""
    return torch.__config__.show().partition("BLAS_INFO=")[2].partition(",")[0]


def thread_pools():
    """Return what the libraries say of their threads."""
    from threadpoolctl import threadpool_info

    return threadpool_info()


def tensorflow():
    """Return TensorFlow, which takes its numbers of threads from nowhere but here."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(int(os.environ["OMP_NUM_THREADS"]))
    tf.config.threading.set_inter_op_parallelism_threads(int(os.environ["OMP_NUM_THREADS"]))
    return tf


class Preparation:
    """Writes what all contenders read, so that none of them holds more than it needs."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def write(self, examples):
        """Write images, digits, starting parameters, and those after the textbook's one step."""
        data = datasets.mnist()
        X, y = data.X_train[:examples], data.y_train[:examples]
        rng = np.random.default_rng(0)
        start = Network.random(SIZES, ACTIVATIONS, rng, "he", np.float32).parameters
        textbook = Textbook(X, y, [p.copy() for p in start])
        textbook.step(X[:BATCH], y[:BATCH])
        np.save(self.folder / "X.npy", X)
        np.save(self.folder / "y.npy", y)
        for name, parameters in (("start", start), ("stepped", textbook.trained())):
            np.savez(self.folder / name, *parameters)


class Entry:
    """A contender in its worker: what the parent may ask for, in this order."""

    def __init__(self, name, folder, threads):
        self.folder, self.threads = Path(folder), threads
        self.X, self.y = np.load(self.folder / "X.npy"), np.load(self.folder / "y.npy")
        make = (CONTENDERS | PARTS)[name]
        self.contender = make(self.X, self.y, self._parameters("start"))
        self.learns = getattr(make, "learns", True)
        self.turn_of = getattr(self.contender, "turn", self.contender.epoch)

    def _parameters(self, name):
        with np.load(self.folder / f"{name}.npz") as arrays:
            return list(arrays.values())

    def check_step(self):
        """Do one step and compare with the textbook's."""
        if not self.learns:
            return
        self.contender.step(self.X[:BATCH], self.y[:BATCH])
        expected = self._parameters("stepped")
        for got, want in zip(self.contender.trained(), expected, strict=True):
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)

    def warm_up(self, epochs):
        """Train untimed, for compilation and caches, and return the peak memory in MB."""
        self.X = self.y = None  # from here on, only what the contender needs itself
        for _ in range(epochs):
            self.contender.epoch()
        for pool in thread_pools():
            if pool["num_threads"] > self.threads:
                raise RuntimeError(f"uses {pool['num_threads']} threads of {pool['internal_api']}")
        return peak_memory()

    def turn(self):
        """Train for one epoch, and return examples, seconds, and seconds of all its threads."""
        start, start_cpu = perf_counter(), process_time()
        examples = self.turn_of()
        return examples, perf_counter() - start, process_time() - start_cpu

    def finish(self, least_accuracy):
        """Return the peak memory in MB, and the accuracy on the data that it was trained on."""
        peak = peak_memory()
        if not self.learns:
            return peak, None
        y = np.load(self.folder / "y.npy")
        network = Network([np.array(p) for p in self.contender.trained()], ACTIVATIONS)
        outputs = network.forward(np.load(self.folder / "X.npy"))[-1]
        accuracy = metrics.accuracy(outputs, targets(y))
        if not accuracy > least_accuracy:
            raise RuntimeError(f"has learned too little: accuracy {accuracy:.3f}")
        return peak, accuracy

    def how(self):
        """Return one line on what the contender does, and with which library if that varies."""
        line, library = self.contender.__doc__.splitlines()[0], vars(self.contender).get("library")
        return f"{line}; products by {library}" if library else line

    def blas(self):
        """Return name, version and kernel of NumPy's library for matrix products."""
        return [
            " ".join(str(pool[key]) for key in ("internal_api", "version", "architecture"))
            for pool in thread_pools()
            if pool["user_api"] == "blas"
        ]
