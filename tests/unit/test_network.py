"""Networks: layer after layer, starting weights, files, refusals. The registry holds gradients."""

import math
import re

import numpy as np
import pytest
from smooth import masked_case

from backprop import losses
from backprop.network import INITIALIZERS, Network, dense_backward

F = {
    "identity": (lambda z: z, lambda z: 1.0),
    "sigmoid": (
        lambda z: 1 / (1 + math.exp(-z)),
        lambda z: math.exp(-z) / (1 + math.exp(-z)) ** 2,
    ),
    "tanh": (math.tanh, lambda z: 1 / math.cosh(z) ** 2),
    "relu": (lambda z: max(z, 0.0), lambda z: float(z > 0)),
}
RNG = np.random.default_rng(0)
X, W, B, DELTA = (RNG.normal(size=shape) for shape in [(4, 3), (3, 2), (2,), (4, 2)])


def test_dense_backward_with_the_numbers_of_the_book():
    dW, db, dX = dense_backward([[1.0, 2], [3, 4]], [[2.0], [-1]], [[0.1], [-0.2]])
    np.testing.assert_allclose(dW, [[-0.5], [-0.6]], atol=1e-15)
    np.testing.assert_allclose(db, [-0.1], atol=1e-15)
    np.testing.assert_allclose(dX, [[0.2, -0.1], [-0.4, 0.2]], atol=1e-15)


@pytest.mark.equation("delta-recursion")
@pytest.mark.parametrize("activation", F)
def test_delta_is_its_formula(activation):
    # With W the identity and b zero, Z is X, so the gradient in X is the one in Z.
    network = Network([np.eye(3), np.zeros(3)], [activation])
    dA = RNG.normal(size=(4, 3))
    _, delta = network.backward(network.forward(X), dA)
    for n, j in np.ndindex(4, 3):
        assert delta[n, j] == pytest.approx(dA[n, j] * F[activation][1](X[n, j]), abs=1e-15)


@pytest.mark.equation("dropout-gradient")
def test_masked_gradients_are_their_formulas():
    mask = np.array([[0.0, 2, 2], [2, 0, 2], [0, 0, 0], [2, 2, 0]])
    network = Network([W, B], ["identity"])
    (dW, _), dX = network.backward(network.forward(X, [mask]), DELTA, [mask])
    for n, i in np.ndindex(4, 3):
        expected = mask[n, i] * sum(DELTA[n, j] * W[i, j] for j in range(2))
        assert dX[n, i] == pytest.approx(expected, abs=1e-14)
    for i, j in np.ndindex(3, 2):
        expected = sum(mask[n, i] * X[n, i] * DELTA[n, j] for n in range(4))
        assert dW[i, j] == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("activations", [*([name] * 3 for name in F), ["tanh", "relu"]])
def test_forward_is_a_loop_over_layers_and_nodes(activations, masked):
    network, X, _, masks = masked_case(activations)
    outputs = network.forward(X, masks if masked else None)
    assert len(outputs) == len(activations) + 1
    assert outputs[0] is X
    for layer, (W, b, name) in enumerate(network.layers):
        A = outputs[layer] * (masks[layer] if masked else 1)
        for n, j in np.ndindex(outputs[layer + 1].shape):
            z = sum(a * w for a, w in zip(A[n], W[:, j], strict=True)) + b[j]
            assert outputs[layer + 1][n, j] == pytest.approx(F[name][0](z), abs=1e-13)


# Making a network


def test_parameters_are_kept_so_that_an_optimizer_can_change_them():
    W, b = np.ones((2, 1)), np.zeros(1)
    network = Network([W, b], ["identity"])
    assert [network.parameters[0] is W, network.parameters[1] is b] == [True, True]
    b += 5
    assert network.forward([[1.0, 1.0]])[-1].tolist() == [[7.0]]
    assert Network([[[1.0], [2.0]], [3.0]], ["relu"]).forward([[1.0, 1.0]])[-1].tolist() == [[6.0]]


def test_with_parameters_keeps_kind_and_activations_and_the_old_network():
    class Special(Network):
        pass

    network = Special([np.ones((1, 1)), np.ones(1)], ["relu"])
    other = network.with_parameters([-p for p in network.parameters])
    assert (type(other), other.activations) == (Special, ("relu",))
    assert other.forward([[1.0]])[-1].tolist() == [[0.0]]
    assert network.forward([[1.0]])[-1].tolist() == [[2.0]]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("options", "scale"), [({}, 1.0), ({"scale": 0.1}, 0.1), ({"scale": 0}, 0)]
)
def test_random_draws_weights_and_biases_in_order(options, scale, dtype):
    rng, again = np.random.default_rng(5), np.random.default_rng(5)
    network = Network.random([3, 4, 2], ["tanh", "sigmoid"], rng, **options, dtype=dtype)
    assert (network.activations, network.dtype) == (("tanh", "sigmoid"), dtype)
    for parameter, shape in zip(network.parameters, [(3, 4), 4, (4, 2), 2], strict=True):
        drawn = again.normal(0, scale, shape).astype(dtype)
        np.testing.assert_array_equal(parameter, drawn, strict=True)


@pytest.mark.parametrize("scale", INITIALIZERS)
def test_random_by_a_rule_draws_weights_and_leaves_biases_zero(scale):
    network = Network.random([50, 7, 2], ["relu"] * 2, np.random.default_rng(5), scale)
    rng = np.random.default_rng(5)
    deviations = [math.sqrt(2 / n) for n in {"he": (50, 7), "glorot": (57, 9)}[scale]]
    for (W, b, _), deviation in zip(network.layers, deviations, strict=True):
        np.testing.assert_array_equal(W, rng.normal(0, deviation, W.shape))
        rng.normal(size=b.shape)
        assert not b.any()


# A layer of D inputs and H units multiplies mean squares by these, in 400 random layers. The
# mean over them is off by less than three in a hundred, which is four standard errors.
D, H, LAYERS = 40, 60, 400


def gains(scale, activation):
    """Return the mean squares of a layer's Z and of the gradient in X over what they come from."""
    rng, forward, backward = np.random.default_rng(0), [], []
    for _ in range(LAYERS):
        network = Network.random([D, H], ["identity"], rng, scale)
        X, delta = rng.normal(size=(10, D)), rng.normal(size=(10, H))
        if activation == "relu":
            X, delta = (
                np.maximum(X, 0),
                delta * (rng.random((10, H)) < 0.5),
            )  # half the units are off
        outputs = network.forward(X)
        forward.append(np.mean(outputs[-1] ** 2))
        backward.append(np.mean(network.backward(outputs, delta)[1] ** 2))
    return np.mean(forward), np.mean(backward)


@pytest.mark.equation("he-variance")
def test_he_keeps_the_mean_square_of_z_behind_a_relu():
    assert gains("he", "relu") == pytest.approx((1, H / D), rel=0.03)


@pytest.mark.equation("glorot-variance")
def test_glorot_keeps_the_mean_of_both_mean_squares():
    both = gains("glorot", "identity")
    assert both == pytest.approx((2 * D / (D + H), 2 * H / (D + H)), rel=0.03)
    assert sum(both) / 2 == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(("activation", "scale"), [("relu", "he"), ("tanh", "glorot")])
def test_signals_of_ten_layers_neither_vanish_nor_explode(activation, scale):
    rng = np.random.default_rng(0)
    network = Network.random([200] * 11, [activation] * 10, rng, scale)
    first, *_, last = (np.std(A) for A in network.forward(0.1 * rng.normal(size=(50, 200))))
    assert 0.5 < last / first < 2


# Files


@pytest.mark.parametrize("file", ["network.npz", "model"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_network_comes_back_from_a_file_of_just_that_name(tmp_path, file, dtype):
    class Special(Network):
        pass

    network = Network.random([3, 4, 2], ["tanh", "relu"], np.random.default_rng(0), dtype=dtype)
    network.save(tmp_path / file)
    assert [path.name for path in tmp_path.iterdir()] == [file]
    loaded = Special.load(str(tmp_path / file))
    assert (type(loaded), loaded.activations) == (Special, ("tanh", "relu"))
    for mine, other in zip(loaded.parameters, network.parameters, strict=True):
        np.testing.assert_array_equal(mine, other, strict=True)
        assert mine.flags.writeable


ONE = np.ones((3, 2))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"parameter_0": ONE}, r"n\.npz: not a network \('activations"),
        ({"activations": ["tanh"], "parameter_0": ONE}, r"n\.npz: not a network \('parameter_1"),
        ({"activations": "tanh"}, r"n\.npz: not a network \("),
        ({"activations": ["sinh"], "parameter_0": ONE, "parameter_1": ONE[0]}, r"tanh.*got 'sinh'"),
        ({"activations": ["tanh"], "parameter_0": ONE, "parameter_1": ONE}, "b1: expected shape"),
    ],
)
def test_files_of_something_else_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "n.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        Network.load(tmp_path / "n.npz")
    with pytest.raises(ValueError, match=r"none\.npz: cannot be read"):
        Network.load(tmp_path / "none.npz")


# What annotations can't say


W1, B1, W2, B2 = np.ones((3, 2)), np.ones(2), np.ones((2, 1)), np.ones(1)
TWO = ["tanh"] * 2
HALF = np.float32


@pytest.mark.parametrize(
    ("parameters", "activations", "message"),
    [
        ([], [], "parameters: .* each of the 0 activations, got 0 arrays"),
        ([W1], ["tanh"], "parameters: .* each of the 1 activations, got 1 arrays"),
        ([W1, B1], TWO, "parameters: .* the 2 activations, got 2 arrays"),
        ([W1, B1, W2, B2], ["tanh"], "parameters: .* the 1 activations, got 4 arrays"),
        ([W1, B1], ["softmax"], r"activations\[0\]: .* sigmoid, tanh, relu, got 'softmax'"),
        ([W1, B1], "relu", "activations: expected a sequence, got 'relu'"),
        ([np.ones((3, 0)), np.ones(0)], ["tanh"], r"W1: expected .*, got \(3, 0\)"),
        # NumPy would broadcast each of these three.
        ([W1, np.ones((1, 2))], ["tanh"], r"b1: expected shape \(2,\), got \(1, 2\)"),
        ([W1, np.ones(1)], ["tanh"], r"b1: expected shape \(2,\), got \(1,\)"),
        ([W1, 1.0], ["tanh"], r"b1: expected shape \(2,\), got \(\)"),
        ([W1, B1, W1, B1], TWO, r"W2: expected shape \(2, H\), got \(3, 2\)"),
        ([W1, B1, W2, B1], TWO, r"b2: expected shape \(1,\), got \(2,\)"),
        ([B1, W1], ["tanh"], r"W1: expected shape \(D, H\), got \(2,\)"),
        ([W1.astype(int), B1], ["tanh"], "W1: expected float32 or float64, got int64"),
        ([W1, np.ma.array(B1)], ["tanh"], "b1: expected an array without a mask"),
        ([W1, np.array([1.0, np.nan])], ["tanh"], r"b1: .* finite numbers, got nan at \(1,\)"),
        ([W1, B1, W2, B2.astype(HALF)], TWO, "b2: expected float64 like W1, got float32"),
        ([W1.astype(HALF), B1], ["tanh"], "b1: expected float32 like W1, got float64"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(parameters, activations, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        Network(parameters, activations)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": [3]}, "activations: expected one for each of 0 layers, got 1"),
        ({"sizes": [3, 4, 2]}, "activations: expected one for each of 2 layers, got 1"),
        ({"activations": "relu"}, "activations: expected a sequence, got 'relu'"),
        ({"scale": np.inf}, "scale: expected a number of at least 0, got inf"),
        ({"scale": -1.0}, "scale: expected a number of at least 0, got -1.0"),
        ({"scale": None}, "scale: expected a number of at least 0, got None"),
        ({"scale": "xavier"}, "scale: expected a number, he or glorot, got 'xavier'"),
    ],
)
def test_random_networks_that_cannot_be_are_refused(changes, message):
    arguments = {"sizes": [3, 2], "activations": ["tanh"], "rng": np.random.default_rng(0)}
    with pytest.raises(ValueError, match=f"^{message}"):
        Network.random(**(arguments | changes))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m[:1], "masks: expected one for each of 2 layers, got 1"),
        (lambda m: [*m, m[0]], "masks: expected one for each of 2 layers, got 3"),
        (lambda m: [], "masks: expected one for each of 2 layers, got 0"),
        # NumPy would broadcast this one.
        (lambda m: [m[0][0], m[1]], r"masks\[0\]: expected shape \(5, 4\), got \(4,\)"),
        (lambda m: m[::-1], r"masks\[0\]: expected shape \(5, 4\), got \(5, 5\)"),
        (lambda m: [m[0], m[1][:4]], r"masks\[1\]: expected shape \(5, 5\), got \(4, 5\)"),
        (lambda m: [m[0] > 0, m[1]], r"masks\[0\]: expected float32 or float64, got bool"),
        (lambda m: [m[0], m[1].astype(HALF)], r"masks\[1\]: expected float64 like the parameters"),
    ],
)
def test_masks_that_do_not_fit_are_refused(change, message):
    network, X, T, masks = masked_case(["tanh", "identity"])
    for use in (
        lambda wrong: network.forward(X, wrong),
        lambda wrong: network.backward(network.forward(X), np.ones((5, 3)), wrong),
        lambda wrong: network.loss_and_gradients(losses.huber, X, T, wrong),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            use(change(masks))


def test_a_backward_pass_needs_what_the_forward_pass_returned():
    network = Network.random([3, 4, 2], TWO, np.random.default_rng(0))
    X, A, Y = network.forward(np.ones((5, 3)))
    for wrong in ([A, Y], [X, A, Y, Y], [X, A[:1], Y], [X[:1], A, Y], [X, X, Y], [X, A, Y[:1]]):
        got = re.escape(str([a.shape for a in wrong]))
        message = r"^outputs: expected the 3 arrays .* \[\(5, 3\), \(5, 4\), \(5, 2\)\], got "
        with pytest.raises(ValueError, match=message + got):
            network.backward(wrong, np.ones((5, 2)))


def test_targets_are_refused_by_the_loss():
    network = Network([W1, B1, W2, B2], TWO)
    with pytest.raises(ValueError, match=r"^targets: expected shape \(5, 1\), got \(5,\)"):
        network.loss_and_gradients(losses.mean_squared_error, np.ones((5, 3)), np.ones(5))


def test_an_input_of_zero_is_dropped_like_any_other():
    network, X, _, masks = masked_case(["tanh", "identity"])
    X = np.where(np.arange(4) == 1, 0.0, X)
    masks[0] = np.where(np.arange(4) == 1, 0.0, masks[0])
    outputs = network.forward(X, masks)
    _, d_input = network.backward(outputs, np.ones_like(outputs[-1]), masks)
    assert not d_input[:, 1].any()
    assert d_input[:, 0].any()
