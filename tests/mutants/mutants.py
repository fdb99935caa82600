"""Known bugs, and copies of the package with one of them in it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "code" / "backprop"


@dataclass(frozen=True)
class Mutant:
    """One bug: what it does, the text in a module that it replaces, and where it comes from."""

    name: str
    file: str
    old: str
    new: str
    origin: str

    def __str__(self) -> str:
        return f"{self.file.removesuffix('.py')}: {self.name}"


def copy_package(folder: Path, mutant: Mutant | None = None) -> dict[str, str]:
    """Copy the package into a folder, with a bug if one is given.

    Returns the environment in which Python imports the copy and not the package itself.
    """
    copy = folder / "backprop"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("data", "__pycache__"))
    (copy / "data").symlink_to(PACKAGE / "data")
    if mutant:
        text = (copy / mutant.file).read_text(encoding="utf-8")
        found = text.count(mutant.old)
        if found != 1:
            raise LookupError(
                f"{mutant}: expected its old text once in {mutant.file}, found it {found} times;"
                " the code has changed, so update the table in tests/mutants/mutants.py"
            )
        (copy / mutant.file).write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    return os.environ | {"PYTHONPATH": str(folder)}


# Where several of them were seen
TUTORIAL = "numpy-tutorials, Deep learning on MNIST; Grokking Deep Learning issue 9"
SOURCE_0 = "source 0: sums over the batch where a mean belongs, and a mean where a sum does"
SOURCE_3_E1 = "source 3, E1: the output's error term without σ'"
SOURCE_3_E2 = "source 3, E2: one factor (1 - a) too many"
SOURCE_3_E5 = "source 3, E5: target minus prediction, while the update subtracts"
HUNKIM = "DeepLearningZeroToAll issue 25: loss and gradient differ by a factor"
D2L = "d2l-en: gradients repaired in issues 1364, 1401, 1402 and 1658"
OVERFLOW = "textbook formula of chapter 1: infinite or nan for large logits"
BROADCAST = "NumPy broadcasts (N, 1) with (N,) to (N, N) without a word"
SILENT = "a check that cannot fail, as in the peers' test suites"
UNCHECKED = "bad input accepted without a word"

GRADIENT_MUTANTS = [
    # activations
    Mutant(
        "σ' with one (1 - a) too many",
        "activations.py",
        "return a * (1 - a)",
        "return a * (1 - a) * (1 - a)",
        SOURCE_3_E2,
    ),
    Mutant(
        "σ' with a plus sign",
        "activations.py",
        "return a * (1 - a)",
        "return a * (1 + a)",
        "slip of a sign",
    ),
    Mutant(
        "σ' taken at the output",
        "activations.py",
        "return a * (1 - a)",
        "return sigmoid(a) * (1 - sigmoid(a))",
        "source 3, E2: σ'(A) instead of σ'(z)",
    ),
    Mutant(
        "σ' left out",
        "activations.py",
        "return a * (1 - a)",
        "return np.ones_like(a)",
        SOURCE_3_E1,
    ),
    Mutant(
        "tanh' with a plus sign",
        "activations.py",
        "return 1 - a * a",
        "return 1 + a * a",
        "slip of a sign",
    ),
    Mutant(
        "tanh' without the square",
        "activations.py",
        "return 1 - a * a",
        "return 1 - a",
        "slip of a power",
    ),
    Mutant(
        "relu' with >=",
        "activations.py",
        "(a > 0)",
        "(a >= 0)",
        TUTORIAL,
    ),
    Mutant(
        "relu' turned round",
        "activations.py",
        "(a > 0)",
        "(a <= 0)",
        "slip of a comparison",
    ),
    Mutant(
        "identity' is the identity",
        "activations.py",
        "return np.ones_like(a)",
        "return a",
        "function and derivative confused",
    ),
    Mutant(
        "tanh with σ'",
        "activations.py",
        "Activation(tanh, tanh_derivative)",
        "Activation(tanh, sigmoid_derivative)",
        "derivative of another activation, copied and not adapted",
    ),
    # losses
    Mutant(
        "mean squared error: slope without the 2",
        "losses.py",
        "2 * error / error.size",
        "error / error.size",
        HUNKIM,
    ),
    Mutant(
        "mean squared error: slope turned round",
        "losses.py",
        "2 * error / error.size",
        "-2 * error / error.size",
        SOURCE_3_E5,
    ),
    Mutant(
        "mean squared error: slope divided by N only",
        "losses.py",
        "2 * error / error.size",
        "2 * error / len(error)",
        HUNKIM,
    ),
    Mutant(
        "half squared error: slope not averaged",
        "losses.py",
        ", error / len(error)",
        ", error",
        SOURCE_0,
    ),
    Mutant(
        "half squared error: slope divided by N·K",
        "losses.py",
        ", error / len(error)",
        ", error / error.size",
        HUNKIM,
    ),
    Mutant(
        "half squared error: slope turned round",
        "losses.py",
        ", error / len(error)",
        ", -error / len(error)",
        SOURCE_3_E5,
    ),
    Mutant(
        "half squared error: value without the half",
        "losses.py",
        "(2 * len(error))",
        "len(error)",
        HUNKIM,
    ),
    Mutant(
        "absolute error: slope turned round",
        "losses.py",
        "np.sign(error) / error.size",
        "-np.sign(error) / error.size",
        SOURCE_3_E5,
    ),
    Mutant(
        "absolute error: slope divided by N only",
        "losses.py",
        "np.sign(error) / error.size",
        "np.sign(error) / len(error)",
        HUNKIM,
    ),
    Mutant(
        "huber: slope not cut off",
        "losses.py",
        "clipped / error.size",
        "error / error.size",
        "slope of the squared error",
    ),
    Mutant(
        "huber: line is no tangent",
        "losses.py",
        "(error - clipped / 2)",
        "(error - clipped)",
        "value with a jump at the threshold",
    ),
    Mutant(
        "sigmoid cross-entropy: slope turned round",
        "losses.py",
        "(sigmoid(z) - t) / z.size",
        "(t - sigmoid(z)) / z.size",
        SOURCE_3_E5,
    ),
    Mutant(
        "sigmoid cross-entropy: slope with σ' as well",
        "losses.py",
        "(sigmoid(z) - t) / z.size",
        "(sigmoid(z) - t) * sigmoid(z) * (1 - sigmoid(z)) / z.size",
        "slope of the squared error: the σ' that cancels, not cancelled",
    ),
    Mutant(
        "sigmoid cross-entropy: slope divided by N only",
        "losses.py",
        "(sigmoid(z) - t) / z.size",
        "(sigmoid(z) - t) / len(z)",
        HUNKIM,
    ),
    Mutant(
        "sigmoid cross-entropy: sign of z t",
        "losses.py",
        "np.maximum(z, 0) - z * t",
        "np.maximum(z, 0) + z * t",
        "slip of a sign",
    ),
    Mutant(
        "softmax cross-entropy: slope turned round",
        "losses.py",
        "(softmax(z) - t) / len(z)",
        "(t - softmax(z)) / len(z)",
        SOURCE_3_E5,
    ),
    Mutant(
        "softmax cross-entropy: slope not averaged",
        "losses.py",
        "(softmax(z) - t) / len(z)",
        "softmax(z) - t",
        SOURCE_0,
    ),
    Mutant(
        "softmax cross-entropy: slope divided by N·K",
        "losses.py",
        "(softmax(z) - t) / len(z)",
        "(softmax(z) - t) / z.size",
        HUNKIM,
    ),
    # network
    Mutant(
        "no bias in the forward pass",
        "network.py",
        "return X @ W + b",
        "return X @ W",
        "source 2 has no bias; source 1 has one forward and none backward",
    ),
    Mutant(
        "weight gradient averaged a second time",
        "network.py",
        "return X.T @ delta,",
        "return X.T @ delta / len(X),",
        SOURCE_0,
    ),
    Mutant(
        "weight gradient turned round",
        "network.py",
        "return X.T @ delta,",
        "return -X.T @ delta,",
        SOURCE_3_E5,
    ),
    Mutant(
        "weight gradient transposed",
        "network.py",
        "return X.T @ delta,",
        "return delta.T @ X,",
        "source 0 and source 3, E3: the other order of indices",
    ),
    Mutant(
        "bias gradient zero",
        "network.py",
        "delta.sum(axis=0)",
        "np.zeros(W.shape[1], W.dtype)",
        "Deep-Learning-with-TensorFlow-book issue 217: biases never trained",
    ),
    Mutant(
        "bias gradient averaged",
        "network.py",
        "delta.sum(axis=0)",
        "delta.mean(axis=0)",
        SOURCE_0,
    ),
    Mutant(
        "bias gradient summed over the wrong axis",
        "network.py",
        "delta.sum(axis=0)",
        "delta.sum(axis=1)",
        "slip of an axis",
    ),
    Mutant(
        "bias gradient turned round",
        "network.py",
        "delta.sum(axis=0)",
        "-delta.sum(axis=0)",
        SOURCE_3_E5,
    ),
    Mutant(
        "input gradient without weights",
        "network.py",
        "delta @ W.T",
        "delta @ np.ones_like(W.T)",
        "source 3, E4: the hidden error as a plain sum of output errors",
    ),
    Mutant(
        "input gradient without the transpose",
        "network.py",
        "delta @ W.T",
        "delta @ W.reshape(W.T.shape)",
        "a shape made to fit instead of a transpose",
    ),
    Mutant(
        "input gradient turned round",
        "network.py",
        "delta @ W.T",
        "-delta @ W.T",
        SOURCE_3_E5,
    ),
    Mutant(
        "no derivative of the activation",
        "network.py",
        "dA * derivative(outputs[layer + 1])",
        "dA",
        TUTORIAL,
    ),
    Mutant(
        "derivative of the activation added",
        "network.py",
        "dA * derivative(outputs[layer + 1])",
        "dA + derivative(outputs[layer + 1])",
        "slip of an operator",
    ),
    Mutant(
        "derivative at the layer's input",
        "network.py",
        "derivative(outputs[layer + 1])",
        "derivative(outputs[layer])",
        "off by one layer",
    ),
    Mutant(
        "derivative of another layer's activation",
        "network.py",
        "ACTIVATIONS[self.activations[layer]].derivative",
        "ACTIVATIONS[self.activations[0]].derivative",
        "off by one layer",
    ),
    Mutant(
        "weight gradient from the layer's output",
        "network.py",
        "dense_backward(outputs[layer],",
        "dense_backward(outputs[layer + 1],",
        "off by one layer",
    ),
    Mutant(
        "error not passed back",
        "network.py",
        "dW, db, dA = dense_backward",
        "dW, db, _ = dense_backward",
        D2L + ": a path left out",
    ),
    Mutant(
        "gradients in reverse order",
        "network.py",
        "gradients[:0] = [dW, db]",
        "gradients += [dW, db]",
        "the backward pass finds them last layer first",
    ),
]

OTHER_MUTANTS = [
    # activations
    Mutant(
        "sigmoid mirrored",
        "activations.py",
        "np.where(z >= 0, np.ones_like(e), e)",
        "np.where(z >= 0, e, np.ones_like(e))",
        "slip of a branch",
    ),
    Mutant(
        "sigmoid overflows",
        "activations.py",
        "np.where(z >= 0, np.ones_like(e), e) / (1 + e)",
        "1 / (1 + np.exp(-z))",
        OVERFLOW,
    ),
    Mutant(
        "softmax overflows",
        "activations.py",
        "np.exp(z - z.max(axis=1, keepdims=True))",
        "np.exp(z)",
        "source 3, E29: log(softmax(1000)) is nan",
    ),
    Mutant(
        "softmax shifted by the largest logit of the batch",
        "activations.py",
        "z.max(axis=1, keepdims=True)",
        "z.max()",
        "0 / 0 for a row far below another one",
    ),
    Mutant(
        "softmax over the batch",
        "activations.py",
        "e.sum(axis=1, keepdims=True)",
        "e.sum(axis=0, keepdims=True)",
        "slip of an axis",
    ),
    # losses
    Mutant(
        "mean squared error: value summed",
        "losses.py",
        "np.mean(error**2)",
        "np.sum(error**2)",
        SOURCE_0,
    ),
    Mutant(
        "half squared error: value divided by N·K",
        "losses.py",
        "(2 * len(error))",
        "(2 * error.size)",
        HUNKIM,
    ),
    Mutant(
        "absolute error: value without absolute",
        "losses.py",
        "np.mean(np.abs(error))",
        "np.mean(error)",
        "errors that cancel",
    ),
    Mutant(
        "huber: threshold ignored",
        "losses.py",
        "np.clip(error, -threshold, threshold)",
        "np.clip(error, -1, 1)",
        "argument that does nothing",
    ),
    Mutant(
        "huber: cut off on one side",
        "losses.py",
        "np.clip(error, -threshold, threshold)",
        "np.clip(error, None, threshold)",
        "negative errors forgotten",
    ),
    Mutant(
        "huber: any threshold",
        "losses.py",
        "if not 0 < threshold < np.inf:",
        "if threshold <= 0:",
        UNCHECKED,
    ),
    Mutant(
        "sigmoid cross-entropy overflows",
        "losses.py",
        "np.log1p(np.exp(-np.abs(z)))",
        "np.log1p(np.exp(-z)) - np.maximum(-z, 0)",
        OVERFLOW,
    ),
    Mutant(
        "sigmoid cross-entropy: swapped arguments pass",
        "losses.py",
        "if t.min() < 0 or t.max() > 1:",
        "if False:",
        "source 4, E31: logits and targets change places",
    ),
    Mutant(
        "softmax cross-entropy overflows",
        "losses.py",
        "shifted = z - z.max(axis=1, keepdims=True)",
        "shifted = z",
        OVERFLOW,
    ),
    Mutant(
        "softmax cross-entropy over the batch",
        "losses.py",
        "np.exp(shifted).sum(axis=1, keepdims=True)",
        "np.exp(shifted).sum(axis=0, keepdims=True)",
        "slip of an axis",
    ),
    Mutant(
        "softmax cross-entropy: any rows pass",
        "losses.py",
        "if t.min() < 0 or np.abs(t.sum(axis=1) - 1).max() > 1e-5:",
        "if False:",
        UNCHECKED,
    ),
    Mutant(
        "softmax cross-entropy: negative probabilities pass",
        "losses.py",
        "if t.min() < 0 or np.abs(",
        "if np.abs(",
        UNCHECKED,
    ),
    Mutant(
        "targets are broadcast",
        "losses.py",
        'float_array("targets", targets, y.shape)',
        "np.asarray(targets)",
        BROADCAST,
    ),
    Mutant(
        "targets decide the dtype",
        "losses.py",
        "t.astype(y.dtype, copy=False)",
        "t",
        "float32 training silently turned into float64",
    ),
    # network
    Mutant(
        "outputs before the activation",
        "network.py",
        "A = ACTIVATIONS[name].function(dense_forward(A, W, b))\n            outputs.append(A)",
        "outputs.append(dense_forward(A, W, b))\n"
        "            A = ACTIVATIONS[name].function(outputs[-1])",
        "source 3, E7: the input of the last layer as the network's output",
    ),
    Mutant(
        "biases broadcast",
        "network.py",
        'float_array(f"b{layer}", b, (inputs,))',
        "np.asarray(b)",
        BROADCAST,
    ),
    Mutant(
        "layers that do not fit together",
        "network.py",
        'float_array(f"W{layer}", W, (inputs, "H"))',
        'float_array(f"W{layer}", W, ("D", "H"))',
        UNCHECKED,
    ),
    Mutant(
        "parameters of two dtypes",
        "network.py",
        'same_dtype("parameters", array, self.dtype)',
        "pass",
        UNCHECKED,
    ),
    Mutant(
        "inputs of another dtype",
        "network.py",
        'same_dtype("X", A, self.dtype)',
        "pass",
        UNCHECKED,
    ),
    Mutant(
        "unknown activations",
        "network.py",
        "if not isinstance(name, str) or name not in ACTIVATIONS:",
        "if False:",
        UNCHECKED,
    ),
    Mutant(
        "output slopes broadcast",
        "network.py",
        'float_array("d_output", d_output, outputs[-1].shape)',
        "np.asarray(d_output)",
        BROADCAST,
    ),
    Mutant(
        "random ignores its scale",
        "network.py",
        "rng.normal(0, scale, shape)",
        "rng.normal(0, 1, shape)",
        "argument that does nothing",
    ),
    Mutant(
        "random biases are zero",
        "network.py",
        "rng.normal(0, scale, shape)",
        "(rng.normal(0, scale, shape) * (len(shape) == 2))",
        "zeros can mask a wrong backward pass",
    ),
    # gradcheck
    Mutant(
        "one-sided difference",
        "gradcheck.py",
        "x[i] = lower = middle - step",
        "x[i] = lower = middle",
        "Understanding Deep Learning's notebooks",
    ),
    Mutant(
        "difference divided by one step",
        "gradcheck.py",
        "/ (upper - lower)",
        "/ step",
        "slip of a factor",
    ),
    Mutant(
        "difference turned round",
        "gradcheck.py",
        "(f_upper - f_lower)",
        "(f_lower - f_upper)",
        "slip of a sign",
    ),
    Mutant(
        "difference that leaves the entry moved",
        "gradcheck.py",
        "            x[i] = middle\n",
        "",
        "every later entry is then taken at another point",
    ),
    Mutant(
        "step for the one-sided difference",
        "gradcheck.py",
        ".eps ** (1 / 3))",
        ".eps ** (1 / 2))",
        "four digits lost to rounding",
    ),
    Mutant(
        "same step for numbers of any size",
        "gradcheck.py",
        "RELATIVE_STEP * max(1.0, abs(middle))",
        "RELATIVE_STEP",
        "nothing but rounding error for large numbers",
    ),
    Mutant(
        "difference in the caller's array",
        "gradcheck.py",
        "[np.array(a) for a in arrays]",
        "[np.asarray(a) for a in arrays]",
        "arguments changed",
    ),
    Mutant(
        "differences of float32",
        "gradcheck.py",
        "if x.dtype != np.float64:",
        "if False:",
        UNCHECKED,
    ),
    Mutant(
        "relative error of the lengths",
        "gradcheck.py",
        "np.linalg.norm(x - y) /",
        "abs(np.linalg.norm(x) - np.linalg.norm(y)) /",
        SILENT + ": neither sign nor direction matters",
    ),
    Mutant(
        "relative error that ignores signs",
        "gradcheck.py",
        "np.linalg.norm(x - y) /",
        "np.linalg.norm(np.abs(x) - np.abs(y)) /",
        SILENT + ": a wrong sign passes",
    ),
    Mutant(
        "relative error by the smaller gradient",
        "gradcheck.py",
        "/ max(np.linalg.norm(x)",
        "/ min(np.linalg.norm(x)",
        SILENT + ": another number than the equation's",
    ),
    Mutant(
        "relative error that is absolute",
        "gradcheck.py",
        "np.linalg.norm(x - y) / max(np.linalg.norm(x), np.linalg.norm(y))",
        "np.linalg.norm(x - y) * largest",
        SILENT + ": small gradients always pass",
    ),
    Mutant(
        "relative error broadcasts",
        "gradcheck.py",
        "if x.shape != y.shape:",
        "if False:",
        BROADCAST,
    ),
    Mutant(
        "agreement never compares with the tape",
        "gradcheck.py",
        "if not np.abs(h - t).max() <= tape_tolerance:",
        "if False:",
        SILENT,
    ),
    Mutant(
        "agreement never compares with differences",
        "gradcheck.py",
        "if not relative_error(h, d) <= numerical_tolerance:",
        "if False:",
        SILENT,
    ),
    Mutant(
        "agreement accepts nan from the tape",
        "gradcheck.py",
        "if not np.abs(h - t).max() <= tape_tolerance:",
        "if np.abs(h - t).max() > tape_tolerance:",
        SILENT + ": every comparison with nan is false",
    ),
    Mutant(
        "agreement accepts nan from differences",
        "gradcheck.py",
        "if not relative_error(h, d) <= numerical_tolerance:",
        "if relative_error(h, d) > numerical_tolerance:",
        SILENT + ": every comparison with nan is false",
    ),
    Mutant(
        "agreement looks at one side of the tape",
        "gradcheck.py",
        "np.abs(h - t).max()",
        "(h - t).max()",
        SILENT + ": too small a gradient passes",
    ),
    Mutant(
        "agreement looks at the best entry",
        "gradcheck.py",
        "np.abs(h - t).max()",
        "np.abs(h - t).min()",
        SILENT + ": one right entry is enough",
    ),
    Mutant(
        "agreement compares tape and differences",
        "gradcheck.py",
        "relative_error(h, d) <=",
        "relative_error(t, d) <=",
        SILENT + ": the hand-written gradient is left out",
    ),
    Mutant(
        "agreement about nothing",
        "gradcheck.py",
        "== len(numerical) > 0:",
        "== len(numerical):",
        SILENT + ": no gradients agree",
    ),
    Mutant(
        "agreement broadcasts",
        "gradcheck.py",
        "if not h.shape == t.shape == d.shape:",
        "if False:",
        BROADCAST,
    ),
    # validation
    Mutant(
        "any dtype",
        "validation.py",
        "if array.dtype not in (np.float32, np.float64):",
        "if False:",
        UNCHECKED,
    ),
    Mutant(
        "any float",
        "validation.py",
        "if array.dtype not in (np.float32, np.float64):",
        "if not np.issubdtype(array.dtype, np.floating):",
        UNCHECKED,
    ),
    Mutant(
        "any shape",
        "validation.py",
        "if not fits:",
        "if False:",
        UNCHECKED,
    ),
    Mutant(
        "axes of length 1 fit everything",
        "validation.py",
        "else got == want",
        "else got in (1, want)",
        BROADCAST,
    ),
    Mutant(
        "empty batches",
        "validation.py",
        "got >= 1 if",
        "got >= 0 if",
        UNCHECKED,
    ),
    Mutant(
        "nan and infinity",
        "validation.py",
        "if not np.isfinite(array).all():",
        "if False:",
        UNCHECKED,
    ),
    Mutant(
        "infinity",
        "validation.py",
        "if not np.isfinite(array).all():",
        "if np.isnan(array).any():",
        UNCHECKED,
    ),
    Mutant(
        "one finite number is enough",
        "validation.py",
        "if not np.isfinite(array).all():",
        "if not np.isfinite(array).any():",
        UNCHECKED,
    ),
    Mutant(
        "two dtypes",
        "validation.py",
        "if array.dtype != dtype:",
        "if False:",
        UNCHECKED,
    ),
    # datasets
    Mutant(
        "one-hot off by one",
        "datasets.py",
        "np.eye(classes)[y]",
        "np.eye(classes)[y - 1]",
        "labels counted from 1",
    ),
    Mutant(
        "one-hot of a label too large",
        "datasets.py",
        "y.max() >= classes",
        "y.max() > classes",
        "slip of a comparison",
    ),
    Mutant(
        "one-hot of a negative label",
        "datasets.py",
        "if y.min() < 0 or y.max() >= classes:",
        "if y.max() >= classes:",
        "label -1 taken for the last class",
    ),
    Mutant(
        "MNIST with any checksum",
        "datasets.py",
        "if hashlib.sha256(idx_header(shape) + array.tobytes()).hexdigest() != MNIST_SHA256[name]:",
        "if False:",
        "intel/dffml issue 1042: an error page saved as data",
    ),
    Mutant(
        "MNIST divided by 256",
        "datasets.py",
        "np.float32(255)",
        "np.float32(256)",
        "slip of a number",
    ),
    Mutant(
        "MNIST labels that wrap around",
        "datasets.py",
        "_verified(name).astype(np.int64)",
        "_verified(name)",
        "bytes: 0 - 1 is 255",
    ),
    Mutant(
        "toy targets turned round",
        "datasets.py",
        "keepdims=True) < 1)",
        "keepdims=True) > 1)",
        "slip of a comparison",
    ),
    Mutant(
        "classes around other means",
        "datasets.py",
        "zip((-1.0, 3.0),",
        "zip((-1.0, 1.0),",
        "slip of a number",
    ),
    Mutant(
        "batches without the last examples",
        "datasets.py",
        "range(0, n, batch_size)",
        "range(0, n - batch_size + 1, batch_size)",
        "examples that are never seen",
    ),
    Mutant(
        "batches in the same order every time",
        "datasets.py",
        "rng.permutation(n)",
        "np.arange(n)",
        "source 2: cyclic batches",
    ),
    Mutant(
        "batches drawn with replacement",
        "datasets.py",
        "rng.permutation(n)",
        "rng.integers(n, size=n)",
        "some examples twice, some never",
    ),
]

MUTANTS = GRADIENT_MUTANTS + OTHER_MUTANTS
