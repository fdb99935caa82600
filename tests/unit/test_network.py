"""Dense layers and whole networks: forward and backward, against loops and central differences."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from smooth import masked_case, smooth_case

from backprop import gradcheck, losses
from backprop.network import SCALES, Network, dense_backward, dense_forward

ACTIVATIONS = {
    "identity": (lambda z: z, lambda z: 1.0),
    "sigmoid": (
        lambda z: 1 / (1 + math.exp(-z)),
        lambda z: math.exp(-z) / (1 + math.exp(-z)) ** 2,
    ),
    "tanh": (math.tanh, lambda z: 1 / math.cosh(z) ** 2),
    "relu": (lambda z: max(z, 0.0), lambda z: float(z > 0)),
}
LOSSES = [
    losses.mean_squared_error,
    losses.half_squared_error,
    losses.mean_absolute_error,
    losses.huber,
    losses.sigmoid_cross_entropy,
    losses.softmax_cross_entropy,
]
every_activation = pytest.mark.parametrize("activation", list(ACTIVATIONS))
every_loss = pytest.mark.parametrize("loss", LOSSES)


@pytest.fixture
def layer():
    """Return X, W, b and delta of a layer with N = 4, D = 3, H = 2."""
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in [(4, 3), (3, 2), (2,), (4, 2)]]


def loss_of(network, loss, X, T):
    return lambda *parameters: loss(network.with_parameters(parameters).forward(X)[-1], T)[0]


# One layer


@pytest.mark.equation("layer-forward")
def test_dense_forward_is_its_formula(layer):
    X, W, b, _ = layer
    Z = dense_forward(X, W, b)
    assert Z.shape == (4, 2)
    for n, j in np.ndindex(4, 2):
        expected = sum(X[n, i] * W[i, j] for i in range(3)) + b[j]
        assert Z[n, j] == pytest.approx(expected, abs=1e-14)


@pytest.mark.equation("weight-gradient")
def test_weight_gradient_is_its_formula(layer):
    X, W, _, delta = layer
    dW, _, _ = dense_backward(X, W, delta)
    assert dW.shape == W.shape
    for i, j in np.ndindex(3, 2):
        assert dW[i, j] == pytest.approx(sum(X[n, i] * delta[n, j] for n in range(4)), abs=1e-14)


@pytest.mark.equation("bias-gradient")
def test_bias_gradient_is_its_formula(layer):
    X, W, b, delta = layer
    _, db, _ = dense_backward(X, W, delta)
    assert db.shape == b.shape
    for j in range(2):
        assert db[j] == pytest.approx(sum(delta[n, j] for n in range(4)), abs=1e-14)


@pytest.mark.equation("input-gradient")
def test_input_gradient_is_its_formula(layer):
    X, W, _, delta = layer
    _, _, dX = dense_backward(X, W, delta)
    assert dX.shape == X.shape
    for n, i in np.ndindex(4, 3):
        assert dX[n, i] == pytest.approx(sum(delta[n, j] * W[i, j] for j in range(2)), abs=1e-14)


def test_dense_backward_agrees_with_central_differences(layer):
    X, W, b, delta = layer
    hand = dense_backward(X, W, delta)
    numerical = gradcheck.numerical_gradients(
        lambda W, b, X: np.sum(delta * dense_forward(X, W, b)), W, b, X
    )
    for mine, other in zip(hand, numerical, strict=True):
        assert gradcheck.relative_error(mine, other) <= 1e-9


def test_dense_backward_with_the_numbers_of_the_book():
    X, W, delta = np.array([[1.0, 2], [3, 4]]), np.array([[2.0], [-1]]), np.array([[0.1], [-0.2]])
    dW, db, dX = dense_backward(X, W, delta)
    np.testing.assert_allclose(dW, [[-0.5], [-0.6]], atol=1e-15)
    np.testing.assert_allclose(db, [-0.1], atol=1e-15)
    np.testing.assert_allclose(dX, [[0.2, -0.1], [-0.4, 0.2]], atol=1e-15)


@pytest.mark.equation("delta-recursion")
@every_activation
def test_delta_is_its_formula(activation):
    # With W the identity and b zero, Z is X, so the slope in X is the slope in Z.
    rng = np.random.default_rng(0)
    network = Network([np.eye(3), np.zeros(3)], [activation])
    Z, dA = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    _, delta = network.backward(network.forward(Z), dA)
    slope = ACTIVATIONS[activation][1]
    for n, j in np.ndindex(4, 3):
        assert delta[n, j] == pytest.approx(dA[n, j] * slope(Z[n, j]), abs=1e-15)


# Whole networks


@pytest.mark.parametrize("depth", [1, 2, 3])
@every_activation
def test_forward_is_a_loop_over_layers_and_nodes(activation, depth):
    network, X, _ = smooth_case([activation] * depth)
    outputs = network.forward(X)
    assert len(outputs) == depth + 1
    A = X.tolist()
    np.testing.assert_array_equal(outputs[0], A)
    for layer in range(depth):
        W, b = network.parameters[2 * layer : 2 * layer + 2]
        f = ACTIVATIONS[activation][0]
        A = [
            [f(sum(a * w for a, w in zip(row, W[:, j], strict=True)) + b[j]) for j in range(len(b))]
            for row in A
        ]
        np.testing.assert_allclose(outputs[layer + 1], A, atol=1e-13)


@pytest.mark.parametrize(
    "activations",
    [
        *[[name] * depth for name in ACTIVATIONS for depth in (1, 2, 3)],
        ["tanh", "relu", "sigmoid"],
        ["relu", "tanh", "identity"],
        ["sigmoid", "identity", "relu"],
    ],
    ids="-".join,
)
@every_loss
def test_gradients_agree_with_central_differences(activations, loss):
    network, X, T = smooth_case(activations)
    value, hand = network.loss_and_gradients(loss, X, T)
    assert value == loss(network.forward(X)[-1], T)[0]
    numerical = gradcheck.numerical_gradients(loss_of(network, loss, X, T), *network.parameters)
    for parameter, mine, other in zip(network.parameters, hand, numerical, strict=True):
        assert mine.shape == parameter.shape
        assert gradcheck.relative_error(mine, other) <= 1e-7


@pytest.mark.parametrize("depth", [1, 2, 3])
@every_activation
def test_slope_of_the_input_agrees_with_central_differences(activation, depth):
    network, X, T = smooth_case([activation] * depth)
    outputs = network.forward(X)
    _, hand = network.backward(outputs, losses.half_squared_error(outputs[-1], T)[1])
    (numerical,) = gradcheck.numerical_gradients(
        lambda X: losses.half_squared_error(network.forward(X)[-1], T)[0], X
    )
    assert hand.shape == X.shape
    assert gradcheck.relative_error(hand, numerical) <= 1e-7


def test_gradient_descent_moves_every_parameter_and_lowers_the_loss():
    network, X, T = smooth_case(["tanh", "identity"])
    before = [p.copy() for p in network.parameters]
    history = []
    for _ in range(50):
        value, gradients = network.loss_and_gradients(losses.softmax_cross_entropy, X, T)
        history.append(value)
        for parameter, gradient in zip(network.parameters, gradients, strict=True):
            parameter -= 0.05 * gradient
    assert history == sorted(history, reverse=True)
    for old, new in zip(before, network.parameters, strict=True):
        assert (old != new).all()


def test_backward_keeps_nothing_from_one_call_to_the_next():
    network, X, T = smooth_case(["tanh", "sigmoid"])
    first = network.loss_and_gradients(losses.half_squared_error, X, T)[1]
    second = network.loss_and_gradients(losses.half_squared_error, X, T)[1]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@every_loss
@given(st.permutations(range(5)))
def test_order_of_examples_does_not_matter(loss, order):
    network, X, T = smooth_case(["tanh", "sigmoid"])
    value, gradients = network.loss_and_gradients(loss, X, T)
    other_value, other_gradients = network.loss_and_gradients(loss, X[order], T[order])
    assert other_value == pytest.approx(value, rel=1e-12)
    for a, b in zip(gradients, other_gradients, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-15)


@every_loss
def test_gradient_of_a_batch_is_the_mean_over_its_examples(loss):
    network, X, T = smooth_case(["relu", "tanh", "identity"])
    value, gradients = network.loss_and_gradients(loss, X, T)
    single = [network.loss_and_gradients(loss, X[[n]], T[[n]]) for n in range(len(X))]
    assert value == pytest.approx(np.mean([v for v, _ in single]), rel=1e-13)
    for number, gradient in enumerate(gradients):
        mean = np.mean([g[number] for _, g in single], axis=0)
        np.testing.assert_allclose(gradient, mean, atol=1e-14)


@every_loss
@every_activation
def test_float32_stays_float32(activation, loss):
    network, X, T = smooth_case(["tanh", activation])
    exact_value, exact = network.loss_and_gradients(loss, X, T)
    network = network.with_parameters([p.astype(np.float32) for p in network.parameters])
    assert network.dtype == np.float32
    outputs = network.forward(X.astype(np.float32))
    assert {a.dtype for a in outputs} == {np.dtype(np.float32)}
    value, gradients = network.loss_and_gradients(loss, X.astype(np.float32), T)
    assert value == pytest.approx(exact_value, rel=1e-4)
    for gradient, expected in zip(gradients, exact, strict=True):
        assert gradient.dtype == np.float32
        np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-5)


@every_loss
def test_arguments_are_left_alone(loss):
    network, X, T = smooth_case(["relu", "sigmoid", "identity"])
    arrays = [X, T, *network.parameters]
    before = [a.copy() for a in arrays]
    outputs = network.forward(X)
    stored = [a.copy() for a in outputs]
    d_output = loss(outputs[-1], T)[1]
    slope = d_output.copy()
    network.backward(outputs, d_output)
    for after, was in zip([*arrays, *outputs, d_output], [*before, *stored, slope], strict=True):
        np.testing.assert_array_equal(after, was)


# Masks


@pytest.mark.parametrize("depth", [1, 2, 3])
@every_activation
def test_masked_forward_is_a_loop_over_layers_and_nodes(activation, depth):
    network, X, _, masks = masked_case([activation] * depth)
    outputs = network.forward(X, masks)
    A = X.tolist()
    for layer, mask in enumerate(masks):
        W, b = network.parameters[2 * layer : 2 * layer + 2]
        f = ACTIVATIONS[activation][0]
        inputs = [[a * m for a, m in zip(*rows, strict=True)] for rows in zip(A, mask, strict=True)]
        A = [
            [f(sum(x * W[i, j] for i, x in enumerate(row)) + b[j]) for j in range(len(b))]
            for row in inputs
        ]
        np.testing.assert_allclose(outputs[layer + 1], A, atol=1e-13)


@pytest.mark.equation("dropout-gradient")
def test_masked_slope_of_the_input_is_its_formula(layer):
    X, W, b, delta = layer
    mask = np.array([[0.0, 2, 2], [2, 0, 2], [0, 0, 0], [2, 2, 0]])
    network = Network([W, b], ["identity"])
    (dW, _), dX = network.backward(network.forward(X, [mask]), delta, [mask])
    for n, i in np.ndindex(4, 3):
        expected = mask[n, i] * sum(delta[n, j] * W[i, j] for j in range(2))
        assert dX[n, i] == pytest.approx(expected, abs=1e-14)
    for i, j in np.ndindex(3, 2):
        expected = sum(mask[n, i] * X[n, i] * delta[n, j] for n in range(4))
        assert dW[i, j] == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(
    "activations",
    [
        *[[name] * depth for name in ACTIVATIONS for depth in (1, 2, 3)],
        ["tanh", "relu", "sigmoid"],
        ["relu", "relu", "identity"],
    ],
    ids="-".join,
)
def test_masked_gradients_agree_with_central_differences(activations):
    network, X, T, masks = masked_case(activations)
    loss = losses.half_squared_error

    def value(X, *parameters):
        return loss(network.with_parameters(parameters).forward(X, masks)[-1], T)[0]

    outputs = network.forward(X, masks)
    gradients, dX = network.backward(outputs, loss(outputs[-1], T)[1], masks)
    numerical = gradcheck.numerical_gradients(value, X, *network.parameters)
    for mine, other in zip([dX, *gradients], numerical, strict=True):
        assert gradcheck.relative_error(mine, other) <= 1e-7
    again, same = network.loss_and_gradients(loss, X, T, masks)
    assert again == value(X, *network.parameters)
    for mine, other in zip(same, gradients, strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda masks: masks[:1], "masks: expected one for each of 2 layers, got 1"),
        (lambda masks: [*masks, masks[0]], "masks: expected one for each of 2 layers, got 3"),
        (lambda masks: [], "masks: expected one for each of 2 layers, got 0"),
        # NumPy would broadcast this one.
        (lambda masks: [masks[0][0], masks[1]], r"masks\[0\]: expected shape \(5, 4\), got \(4,\)"),
        (lambda masks: masks[::-1], r"masks\[\d\]: expected shape \(5, .\), got \(5, .\)"),
        (lambda masks: [m > 0 for m in masks], r"masks\[\d\]: expected float32 .* got bool"),
        (lambda masks: [m * np.nan for m in masks], r"masks\[\d\]: expected finite numbers"),
        (
            lambda masks: [masks[0], masks[1].astype(np.float32)],
            r"masks\[1\]: expected float64 like the parameters, got float32",
        ),
    ],
)
def test_bad_masks_are_refused(change, message):
    network, X, _, masks = masked_case(["tanh", "identity"])
    wrong, outputs = change(masks), network.forward(X)
    with pytest.raises(ValueError, match=message):
        network.forward(X, wrong)
    with pytest.raises(ValueError, match=message):
        network.backward(outputs, np.ones((5, 3)), wrong)


# Making a network


def test_parameters_are_kept_so_that_an_optimizer_can_change_them():
    W, b = np.ones((2, 1)), np.zeros(1)
    network = Network([W, b], ["identity"])
    assert network.parameters[0] is W
    assert network.parameters[1] is b
    b += 5
    assert network.forward([[1.0, 1.0]])[-1].tolist() == [[7.0]]


def test_lists_of_numbers_are_parameters():
    network = Network([[[1.0], [2.0]], [3.0]], ["identity"])
    assert network.forward([[1.0, 1.0]])[-1].tolist() == [[6.0]]


def test_with_parameters_keeps_the_activations_and_the_old_network():
    network = Network([np.ones((1, 1)), np.ones(1)], ["relu"])
    other = network.with_parameters([-p for p in network.parameters])
    assert other.activations == ("relu",)
    assert other.forward([[1.0]])[-1].tolist() == [[0.0]]
    assert network.forward([[1.0]])[-1].tolist() == [[2.0]]


@pytest.mark.parametrize(("options", "scale"), [({}, 1.0), ({"scale": 0.1}, 0.1)])
def test_random_draws_weights_and_biases_in_order(options, scale):
    network = Network.random([3, 4, 2], ["tanh", "sigmoid"], np.random.default_rng(5), **options)
    rng = np.random.default_rng(5)
    shapes = [(3, 4), (4,), (4, 2), (2,)]
    assert [p.shape for p in network.parameters] == shapes
    for parameter, shape in zip(network.parameters, shapes, strict=True):
        np.testing.assert_array_equal(parameter, rng.normal(0, scale, shape))
        assert (parameter != 0).all()
    assert network.activations == ("tanh", "sigmoid")
    assert network.dtype == np.float64


def test_random_in_float32():
    network = Network.random([2, 1], ["tanh"], np.random.default_rng(0), dtype=np.float32)
    assert {p.dtype for p in network.parameters} == {np.dtype(np.float32)}


@pytest.mark.parametrize("scale", ["he", "glorot"])
def test_random_by_a_rule_draws_weights_and_leaves_biases_zero(scale):
    network = Network.random([50, 7, 2], ["relu"] * 2, np.random.default_rng(5), scale)
    rng, (W1, b1, W2, b2) = np.random.default_rng(5), network.parameters
    deviations = [math.sqrt(2 / n) for n in {"he": (50, 7), "glorot": (57, 9)}[scale]]
    for W, b, deviation in [(W1, b1, deviations[0]), (W2, b2, deviations[1])]:
        np.testing.assert_array_equal(W, rng.normal(0, deviation, W.shape))
        rng.normal(size=b.shape)
        assert not b.any()


# A layer of D inputs and H units multiplies mean squares by these, in 400 random layers. The
# mean over them is off by less than three in a hundred, which is four standard errors.
D, H, LAYERS = 40, 60, 400


def gains(scale, activation, slopes=False):
    """Return a layer's mean squares of Z (or of the slopes of X) over those of what came in."""
    rng, found = np.random.default_rng(0), []
    for _ in range(LAYERS):
        network = Network.random([D, H], ["identity"], rng, scale)
        X, delta = rng.normal(size=(10, D)), rng.normal(size=(10, H))
        inputs = np.maximum(X, 0) if activation == "relu" else X
        if activation == "relu" and slopes:
            delta = delta * (rng.random(delta.shape) < 0.5)  # every other unit is off
        outputs = network.forward(inputs)
        result = network.backward(outputs, delta)[1] if slopes else outputs[-1]
        found.append(np.mean(result**2))
    return np.mean(found)


@pytest.mark.equation("he-variance")
def test_he_keeps_the_mean_square_of_z_behind_a_relu():
    assert gains("he", "relu") == pytest.approx(1, abs=0.03)
    assert gains("he", "relu", slopes=True) == pytest.approx(H / D, rel=0.03)


@pytest.mark.equation("glorot-variance")
def test_glorot_keeps_the_mean_of_both_mean_squares():
    forward, backward = gains("glorot", "identity"), gains("glorot", "identity", slopes=True)
    assert forward == pytest.approx(2 * D / (D + H), rel=0.03)
    assert backward == pytest.approx(2 * H / (D + H), rel=0.03)
    assert (forward + backward) / 2 == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(("activation", "scale"), [("relu", "he"), ("tanh", "glorot")])
def test_signals_of_ten_layers_neither_vanish_nor_explode(activation, scale):
    rng = np.random.default_rng(0)
    network = Network.random([200] * 11, [activation] * 10, rng, scale)
    first, *_, last = (np.std(A) for A in network.forward(0.1 * rng.normal(size=(50, 200))))
    assert 0.5 < last / first < 2


def test_scales_are_named():
    assert SCALES.keys() == {"he", "glorot"}


# Files


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_network_comes_back_from_its_file(tmp_path, dtype):
    class Special(Network):
        pass

    network = Network.random([3, 4, 2], ["tanh", "relu"], np.random.default_rng(0), dtype=dtype)
    network.save(tmp_path / "network.npz")
    loaded = Special.load(tmp_path / "network.npz")
    assert type(loaded) is Special
    assert loaded.activations == ("tanh", "relu")
    for mine, other in zip(loaded.parameters, network.parameters, strict=True):
        np.testing.assert_array_equal(mine, other, strict=True)
        assert mine.flags.writeable


def foreign_files(file):
    """Write something else to a file, one after the other."""
    network = Network.random([3, 4, 2], ["tanh", "relu"], np.random.default_rng(0))
    network.save(file)
    whole = file.read_bytes()
    damaged = whole.replace("tanh".encode("utf-32-le"), "sinh".encode("utf-32-le"))
    for data in (b"", b"text", whole[:100], whole[:-100], damaged):
        yield file.write_bytes(data)
    one = network.parameters[0]
    yield np.savez(file, parameter_0=one)
    yield np.savez(file, activations=np.array(["tanh"]), parameter_0=one)
    yield np.savez(file, activations=np.array(["tanh"], object), parameter_0=one, parameter_1=one)
    with file.open("wb") as stream:
        yield np.save(stream, one)
    yield file.unlink()


def test_other_files_are_refused(tmp_path):
    file = tmp_path / "network.npz"
    for _ in foreign_files(file):
        with pytest.raises(ValueError, match=r"network\.npz: not a network \("):
            Network.load(file)


def test_a_file_with_parameters_that_do_not_fit_is_refused(tmp_path):
    one = np.ones((3, 2))
    np.savez(tmp_path / "n.npz", activations=["tanh"], parameter_0=one, parameter_1=one)
    with pytest.raises(ValueError, match=r"b1: expected shape \(2,\), got \(3, 2\)"):
        Network.load(tmp_path / "n.npz")


# Bad input

W1, B1, W2, B2 = np.ones((3, 2)), np.ones(2), np.ones((2, 1)), np.ones(1)


@pytest.mark.parametrize(
    ("parameters", "activations", "message"),
    [
        ([], [], "parameters: expected .* each of the 0 activations, got 0 arrays"),
        ([W1], ["tanh"], "parameters: expected .* each of the 1 activations, got 1 arrays"),
        ([W1, B1], ["tanh"] * 2, "parameters: .* the 2 activations, got 2 arrays"),
        ([W1, B1, W2, B2], ["tanh"], "parameters: .* the 1 activations, got 4 arrays"),
        ([W1, B1], ["swish"], "activations: .* identity, sigmoid, tanh, relu, got 'swish'"),
        ([W1, B1], ["softmax"], "activations: expected one of .* got 'softmax'"),
        ([W1, B1], [None], "activations: expected one of .* got None"),
        ([B1, B1], ["tanh"], r"W1: expected shape \(D, H\), got \(2,\)"),
        ([np.ones((0, 2)), B1], ["tanh"], r"W1: expected shape \(D, H\), got \(0, 2\)"),
        ([np.ones((3, 0)), np.ones(0)], ["tanh"], r"W1: expected .*, got \(3, 0\)"),
        # NumPy would broadcast each of these three.
        ([W1, np.ones((1, 2))], ["tanh"], r"b1: expected shape \(2,\), got \(1, 2\)"),
        ([W1, np.ones(1)], ["tanh"], r"b1: expected shape \(2,\), got \(1,\)"),
        ([W1, 1.0], ["tanh"], r"b1: expected shape \(2,\), got \(\)"),
        ([W1, np.ones(3)], ["tanh"], r"b1: expected shape \(2,\), got \(3,\)"),
        ([W1, B1, W1, B1], ["tanh"] * 2, r"W2: expected shape \(2, H\), got \(3, 2\)"),
        ([W1, B1, W2, B1], ["tanh"] * 2, r"b2: expected shape \(1,\), got \(2,\)"),
        ([B1, W1], ["tanh"], r"W1: expected shape \(D, H\), got \(2,\)"),
        ([W1.astype(int), B1], ["tanh"], "W1: expected float32 or float64, got int64"),
        ([W1, B1.astype(complex)], ["tanh"], "b1: expected float32 or .* got complex128"),
        ([W1, B1.astype(np.float16)], ["tanh"], "b1: expected float32 or .* got float16"),
        ([W1, np.array([1.0, np.nan])], ["tanh"], r"b1: .* finite numbers, got nan at \(1,\)"),
        ([W1 * np.inf, B1], ["tanh"], r"W1: expected finite numbers, got inf at \(0, 0\)"),
        (
            [W1, B1, W2, B2.astype(np.float32)],
            ["tanh"] * 2,
            "parameters: expected float64 like the parameters, got float32",
        ),
        ([W1.astype(np.float32), B1], ["tanh"], "parameters: expected float32 .* got float64"),
    ],
)
def test_bad_parameters_are_refused(parameters, activations, message):
    with pytest.raises(ValueError, match=message):
        Network(parameters, activations)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": [3]}, "parameters: expected .* each of the 1 activations, got 0 arrays"),
        ({"sizes": [3, 4, 2]}, "parameters: expected .* the 1 activations, got 4 arrays"),
        ({"sizes": [0, 2]}, "sizes: expected a whole number of at least 1, got 0"),
        ({"sizes": [3.0, 2]}, "sizes: expected a whole number of at least 1, got 3.0"),
        ({"rng": 0}, r"rng: expected np.random.default_rng\(seed\), got 0"),
        ({"activations": [["tanh"]]}, "activations: expected one of"),
        ({"dtype": int}, "W1: expected float32 or float64, got int64"),
        ({"activations": ["gelu"]}, "activations: expected one of .* got 'gelu'"),
        ({"scale": np.inf}, "W1: expected finite numbers"),
        ({"scale": "xavier"}, "scale: expected a number, he or glorot, got 'xavier'"),
    ],
)
def test_bad_random_networks_are_refused(changes, message):
    arguments = {"sizes": [3, 2], "activations": ["tanh"], "rng": np.random.default_rng(0)}
    with pytest.raises(ValueError, match=message):
        Network.random(**(arguments | changes))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones((5, 2)), r"X: expected shape \(N, 3\), got \(5, 2\)"),
        (np.ones((3, 5)), r"X: expected shape \(N, 3\), got \(3, 5\)"),
        (np.ones(3), r"X: expected shape \(N, 3\), got \(3,\)"),
        (np.ones((2, 5, 3)), r"X: expected shape \(N, 3\), got \(2, 5, 3\)"),
        (np.ones((0, 3)), r"X: expected shape \(N, 3\), got \(0, 3\)"),
        (np.ones((5, 3), int), "X: expected float32 or float64, got int64"),
        (np.ones((5, 3), np.uint8), "X: expected float32 or float64, got uint8"),
        (np.ones((5, 3), np.float32), "X: expected float64 like the parameters, got float32"),
        (np.full((5, 3), np.nan), r"X: expected finite numbers, got nan at \(0, 0\)"),
    ],
)
def test_bad_inputs_are_refused(X, message):
    network = Network([W1, B1, W2, B2], ["tanh"] * 2)
    with pytest.raises(ValueError, match=message):
        network.forward(X)
    with pytest.raises(ValueError, match=message):
        network.loss_and_gradients(losses.mean_squared_error, X, np.ones((5, 1)))


@pytest.mark.parametrize(
    ("d_output", "shape"),
    [(np.ones(5), "(5,)"), (np.ones((5, 3)), "(5, 3)"), (np.ones((1, 1)), "(1, 1)"), (1.0, "()")],
)
def test_bad_output_slopes_are_refused(d_output, shape):
    network = Network([W1, B1, W2, B2], ["tanh"] * 2)
    outputs = network.forward(np.ones((5, 3)))
    message = re.escape(f"d_output: expected shape (5, 1), got {shape}")
    with pytest.raises(ValueError, match=message):
        network.backward(outputs, d_output)


@pytest.mark.parametrize(
    ("value", "message"), [(np.nan, "finite numbers, got nan"), (1, "float64, got int64")]
)
def test_bad_numbers_in_output_slopes_are_refused(value, message):
    network = Network([W1, B1, W2, B2], ["tanh"] * 2)
    with pytest.raises(ValueError, match=f"d_output: expected .*{message}"):
        network.backward(network.forward(np.ones((5, 3))), np.full((5, 1), value))


@pytest.mark.parametrize(
    ("T", "message"),
    [
        (np.ones(5), r"targets: expected shape \(5, 1\), got \(5,\)"),
        (np.ones((4, 1)), r"targets: expected shape \(5, 1\), got \(4, 1\)"),
        (np.ones((5, 1), int), "targets: expected float32 or float64, got int64"),
    ],
)
def test_bad_targets_are_refused(T, message):
    network = Network([W1, B1, W2, B2], ["tanh"] * 2)
    with pytest.raises(ValueError, match=message):
        network.loss_and_gradients(losses.mean_squared_error, np.ones((5, 3)), T)


def test_a_backward_pass_needs_what_the_forward_pass_returned():
    network = Network.random([3, 2], ["tanh"], np.random.default_rng(0), dtype=np.float32)
    outputs = network.forward(np.ones((4, 3), np.float32))
    slope = np.ones((4, 2), np.float32)
    for wrong in (outputs[1:], [*outputs, outputs[-1]]):
        with pytest.raises(ValueError, match="outputs: expected the 2 arrays that forward returns"):
            network.backward(wrong, slope)
    with pytest.raises(ValueError, match="d_output: expected float32 like the parameters"):
        network.backward(outputs, slope.astype(np.float64))
