"""Networks: what they return, starting weights, files, refusals. The registry holds gradients."""

import math

import numpy as np
import pytest
from smooth import masked_case

from backprop import losses
from backprop.activations import ACTIVATIONS
from backprop.network import Network, dense_forward

TANH = ["tanh"] * 2
W1, B1, W2, B2 = np.ones((3, 2)), np.ones(2), np.ones((2, 1)), np.ones(1)


class Special(Network):
    """A subclass, of which copies and files have to be, too."""


def small(dtype=np.float64, **options):
    rng = np.random.default_rng(5)
    return Special.random([3, 4, 2], ["tanh", "relu"], rng, **options, dtype=dtype)


def assert_same(mine, others):
    for a, b in zip(mine, others, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


def test_masks_act_on_the_way_and_do_not_show_in_what_forward_returns():
    network, X, _, masks = masked_case(["tanh", "relu", "sigmoid"])
    X[:, 1] = masks[0][:, 1] = 0  # an input of zero is dropped like any other
    outputs = network.forward(X, masks)
    assert outputs[0] is X
    for i, (W, b, name) in enumerate(network.layers):
        A = ACTIVATIONS[name].function(dense_forward(outputs[i] * masks[i], W, b))
        np.testing.assert_array_equal(outputs[i + 1], A)
    slope = np.ones_like(outputs[-1])
    _, dX = network.backward(outputs, slope, masks)
    assert (slope == 1).all()
    assert dX.any(axis=0).tolist() == [True, False, True, True]


def test_parameters_are_kept_so_that_an_optimizer_can_change_them():
    network = small()
    other = network.with_parameters(network.parameters)
    assert (type(other), other.activations) == (Special, ("tanh", "relu"))
    assert all(a is b for a, b in zip(network.parameters, other.parameters, strict=True))
    A = network.forward([[1.0, 2, 3]])[1]
    other.parameters[3] += 100
    expected = A @ network.parameters[2] + network.parameters[3]
    np.testing.assert_array_equal(network.forward([[1.0, 2, 3]])[2], expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("options", "deviations"),
    [
        ({}, [1, 1, 1, 1]),
        ({"scale": 0.1}, [0.1] * 4),
        ({"scale": 0}, [0] * 4),
        ({"scale": "he"}, [math.sqrt(2 / 3), 0, math.sqrt(2 / 4), 0]),
        ({"scale": "glorot"}, [math.sqrt(2 / 7), 0, math.sqrt(2 / 6), 0]),
    ],
)
def test_random_draws_weights_and_biases_in_order(options, deviations, dtype):
    network, rng = small(dtype, **options), np.random.default_rng(5)
    assert (network.activations, network.dtype) == (("tanh", "relu"), dtype)
    pairs = zip(deviations, [(3, 4), 4, (4, 2), 2], strict=True)
    assert_same(network.parameters, [rng.normal(0, s, shape).astype(dtype) for s, shape in pairs])


D, H = 40, 60
GLOROT = [2 * D / (D + H), 2 * H / (D + H)]


@pytest.mark.parametrize(
    ("scale", "share", "expected"),
    [
        # Half the inputs of a layer behind a ReLU are zero, and so is half of what comes back.
        pytest.param("he", 0.5, [1, H / D], marks=pytest.mark.equation("he-variance")),
        pytest.param("glorot", 1, GLOROT, marks=pytest.mark.equation("glorot-variance")),
    ],
)
def test_mean_squares_of_z_and_of_the_gradient_in_x(scale, share, expected):
    rng, gains = np.random.default_rng(0), []
    for _ in range(400):
        network = Network.random([D, H], ["identity"], rng, scale)
        X, delta = (rng.normal(size=s) * (rng.random(s) < share) for s in [(10, D), (10, H)])
        outputs = network.forward(X)
        dX = network.backward(outputs, delta)[1]
        gains.append([np.mean(outputs[1] ** 2), np.mean(dX**2)])
    # The mean is off by less than three in a hundred, which is four standard errors.
    np.testing.assert_allclose(np.mean(gains, axis=0), expected, rtol=0.03)


@pytest.mark.parametrize(("file", "dtype"), [("network.npz", np.float64), ("model", np.float32)])
def test_a_network_comes_back_from_a_file_of_just_that_name(tmp_path, file, dtype):
    network = small(dtype)
    network.save(tmp_path / file)
    assert [path.name for path in tmp_path.iterdir()] == [file]
    loaded = Special.load(str(tmp_path / file))
    assert (type(loaded), loaded.activations) == (Special, ("tanh", "relu"))
    assert_same(loaded.parameters, network.parameters)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"parameter_0": W1}, r"n\.npz: not a network \('activations"),
        ({"activations": ["tanh"], "parameter_0": W1}, r"n\.npz: not a network \('parameter_1"),
        ({"activations": "tanh"}, r"n\.npz: not a network \("),
        ({"activations": ["sinh"], "parameter_0": W1, "parameter_1": B1}, r"tanh.*got 'sinh'"),
        ({"activations": ["tanh"], "parameter_0": W1, "parameter_1": W1}, "b1: expected shape"),
    ],
)
def test_files_of_something_else_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "n.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        Network.load(tmp_path / "n.npz")


# What annotations can't say


@pytest.mark.parametrize(
    ("parameters", "activations", "message"),
    [
        ([], [], "parameters: expected a sequence of length 2, got 0"),
        ([W1], ["tanh"], "parameters: expected a sequence of length 2, got 1"),
        ([W1, B1, W2, B2], ["tanh"], "parameters: expected a sequence of length 2, got 4"),
        ([W1, B1], [], "activations: expected a sequence of length 1, got 0"),
        ([W1, np.ones((1, 2))], ["tanh"], r"b1: expected shape \(2,\), got \(1, 2\)"),
        ([W1, B1, W1, B1], TANH, r"W2: expected shape \(2, H\), got \(3, 2\)"),
        ([W1, B1, W2, B1], TANH, r"b2: expected shape \(1,\), got \(2,\)"),
        ([W1, B1, W2, B2.astype("f4")], TANH, "b2: expected float64 like W1, got float32"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(parameters, activations, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Network(parameters, activations)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": [3]}, "activations: expected a sequence of length 0, got 1"),
        ({"sizes": [3, 4, 2]}, "activations: expected a sequence of length 2, got 1"),
        ({"scale": np.inf}, "scale: expected a number of at least 0, got inf"),
        ({"scale": "xavier"}, "scale: expected a number, he or glorot, got 'xavier'"),
    ],
)
def test_random_networks_that_cannot_be_are_refused(changes, message):
    arguments = {"sizes": [3, 2], "activations": ["tanh"], "rng": np.random.default_rng(0)}
    with pytest.raises(ValueError, match=f"^{message}$"):
        Network.random(**(arguments | changes))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m[:-1], ": expected a sequence of length {n}, got "),
        (lambda m: [*m, m[0]], ": expected a sequence of length {n}, got "),
        (lambda m: [m[0][0], *m[1:]], r"\[0\]: expected shape \(5, 4\), got \(4,\)"),
        (lambda m: [m[0], m[1][:4], *m[2:]], r"\[1\]: expected shape \(5, 5\), got \(4, 5\)"),
        (lambda m: [m[0], m[0], *m[2:]], r"\[1\]: expected shape \(5, 5\), got \(5, 4\)"),
        (lambda m: [*m[:-1], m[-1].astype("f4")], r"\[.\]: expected float64 like the parameters"),
    ],
)
def test_masks_and_outputs_that_do_not_fit_are_refused(change, message):
    network, X, T, masks = masked_case(TANH)
    outputs, slope = network.forward(X), np.ones((5, 3))
    for name, right, call in [
        ("masks", masks, lambda wrong: network.forward(X, wrong)),
        ("masks", masks, lambda wrong: network.backward(outputs, slope, wrong)),
        ("masks", masks, lambda wrong: network.loss_and_gradients(losses.huber, X, T, wrong)),
        ("outputs", outputs, lambda wrong: network.backward(wrong, slope)),
    ]:
        with pytest.raises(ValueError, match=f"^{name}{message.format(n=len(right))}"):
            call(change(right))


def test_the_name_of_a_loss_is_no_loss():
    with pytest.raises(ValueError, match=r"^loss: expected a function, got 'huber'$"):
        small().loss_and_gradients("huber", np.ones((5, 3)), np.ones((5, 2)))
