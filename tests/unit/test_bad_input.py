"""Bad input, made from the annotations: whatever is checked refuses it and names the argument.

A new function under ``@checked``, or a dataclass with ``check_fields``, is found by itself. Valid
arguments are made from its annotations, too; what these don't say stands in `EXAMPLES`.
"""

import inspect
import math
import pkgutil
import re
import types
from collections import namedtuple
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from importlib import import_module
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt
import pytest

import backprop
from backprop import losses, recurrent
from backprop.contracts import CONVERTED, FREE, checked, scalar_type
from backprop.network import Network
from backprop.optimizers import SGD
from backprop.training import Trainer

GATE = checked(lambda: None).__code__  # that of all gates
TENSORFLOW = ("backprop.tensorflow_twin", "backprop.multi_worker")  # they need it
NUMPY_KINDS = {np.integer: int, np.bool_: bool, np.str_: str}
LENGTHS = {"N": 5, "D": 3, "H": 4, "K": 2, "T": 6, "P": 9}  # of axes; for any other letter it is 7

NETWORK = Network.random([3, 4, 2], ["tanh"] * 2, np.random.default_rng(0))
RNN = recurrent.SimpleRNN.random(3, 4, np.random.default_rng(0))
X, T = np.full((5, 3), 0.1), np.full((5, 2), 0.5)


def f(*arrays):
    return sum(np.sum(a) for a in arrays)


# The objects whose methods are called. That of a dataclass without required fields is made.
OBJECTS = {
    "Network": NETWORK,
    "Recurrent": RNN,
    "Trainer": Trainer(NETWORK, losses.huber, SGD(0.1), 0),
}
# Arguments that annotations don't say, or that have to fit each other in ways they can't say.
EXAMPLES = {
    "network.Network.__init__": {"parameters": NETWORK.parameters, "activations": ["tanh"] * 2},
    "network.Network.random": {"sizes": [3, 2, 2], "activations": ["tanh"] * 2, "scale": 0.1},
    "network.Network.backward": {"outputs": NETWORK.forward(X)},
    "network.Network.loss_and_gradients": {"loss": losses.huber, "X": X, "T": T},
    "recurrent.Recurrent.__init__": {"parameters": RNN.parameters},
    "recurrent.Recurrent.forward": {"state": [np.full((5, 4), 0.1)]},
    "recurrent.Recurrent.backward": {
        "cache": RNN.forward(np.full((6, 5, 3), 0.1)),
        "d_state": [np.full((5, 4), 0.1)],
    },
    "autodiff.jvp": {"f": f},
    "autodiff.vjp": {"f": f, "cotangent": np.array(1.0)},
    "gradcheck.directional_derivatives": {"f": f},
    "gradcheck.assert_gradients_agree": {
        "names": ["W"], "hand": [X], "tape": [X], "numerical": [X],
    },
    "gradcheck.gradient_report": {"names": ["W"], "hand": [X], "reference": [X]},
    "schedules.PiecewiseConstantDecay": {"boundaries": [1, 2], "values": [0.1, 0.2, 0.3]},
    "training.Trainer": {"network": NETWORK, "loss": losses.huber, "optimizer": SGD(0.1)},
    "training.Trainer.fit": {"X": X, "T": T, "epochs": 1, "validation": (X, T)},
    "data_parallel.shards": {"n": 5, "workers": 2},
    "data_parallel.mean_of_shards": {"gradients": [[X], [2 * X]], "sizes": [1, 2]},
    "plotting.draw_layers": {"boxes": ["X", "Z"], "forward": ["x"], "backward": ["dx"]},
    "plotting.draw_graph": {"positions": {1: (0, 0), 2: (1, 0)}, "edges": [(1, 2)]},
}  # fmt: skip


# What is checked


# Something that checks its arguments: how to call it, its annotations, lengths known before.
Entry = namedtuple("Entry", "name call hints axes")


def owners():
    """Yield each module that needs no TensorFlow, and each of its classes."""
    for info in pkgutil.iter_modules(backprop.__path__, "backprop."):
        if info.name not in TENSORFLOW:
            module = import_module(info.name)
            own = [o for o in vars(module).values() if getattr(o, "__module__", "") == info.name]
            yield from [module, *filter(inspect.isclass, own)]


def functions(owner):
    """Yield what is in a module or class, and the function that it is or wraps."""
    for member in vars(owner).values():
        function = getattr(member, "__func__", member)  # that of a class method
        home = getattr(owner, "__module__", owner.__name__)
        if inspect.isfunction(function) and function.__module__ == home:
            yield member, function


def checks_fields(owner):
    after = getattr(owner, "__post_init__", None)
    return is_dataclass(owner) and after and "check_fields" in after.__code__.co_names


def entries():
    """Yield an entry for every checked function, method and dataclass."""
    for owner in owners():
        if checks_fields(owner):
            yield entry(owner, owner)
        for member, function in functions(owner):
            if function.__code__ is not GATE:
                continue
            call, axes = function, {}
            if inspect.isclass(owner):
                self = OBJECTS[owner.__name__] if owner.__name__ in OBJECTS else owner()
                first = function.__name__ == "__init__"
                call = type(self) if first else getattr(self, function.__name__)
                axes = getattr(self, "axes", {}) if member is function and not first else {}
            yield entry(function, call, axes)


def entry(named, call, axes=()):
    parameters = inspect.signature(call).parameters
    hints = {name: hint for name, hint in hints_of(named).items() if name in parameters}
    name = f"{named.__module__}.{named.__qualname__}".removeprefix("backprop.")
    return Entry(name, call, hints, dict(axes))


def hints_of(named):
    """Return the annotations of a class's fields, or of a function's arguments."""
    if inspect.isclass(named):
        return get_type_hints(named, include_extras=True)
    given = {name: hint for name, hint in named.__annotations__.items() if name != "return"}
    arguments = types.SimpleNamespace(__annotations__=given)
    return get_type_hints(arguments, vars(import_module(named.__module__)), include_extras=True)


# What fits, and what does not


ArrayHint = namedtuple("ArrayHint", "kind shape rules")


def array_hint(hint):
    """Return what an annotation says of an array, or None if it is of something else."""
    if get_origin(hint) is Annotated and get_origin(get_args(hint)[0]) in (np.ndarray, npt.NDArray):
        kind = scalar_type(get_args(hint)[0])
        return ArrayHint(kind, hint.__metadata__[0].split(), hint.__metadata__[1:])
    return None


def first(hint):
    """Return the first member of a union: its check says what is wrong."""
    if get_origin(hint) in (Union, types.UnionType):
        return next(member for member in get_args(hint) if member is not types.NoneType)
    return hint


def good(hint, lengths):
    """Return what fits an annotation."""
    hint = first(hint)
    if array := array_hint(hint):
        letters = ["2", "3"] if array.shape == ["..."] else array.shape
        for letter in letters:
            lengths.setdefault(letter, int(letter) if letter.isdigit() else LENGTHS.get(letter, 7))
        shape = [lengths[letter] for letter in letters]
        ones = np.ones(shape, NUMPY_KINDS.get(array.kind, float))
        return ones / shape[-1] if ones.dtype == float else ones  # rows may be distributions
    if get_origin(hint) is Annotated:
        kind, rule = get_args(hint)[:2]
        if kind in (int, float):
            low, high = map(float, rule[1:-1].split(","))
            middle = (max(low, -9) + min(high, low + 2)) / 2
            return math.ceil(middle) if kind is int else middle
        return np.float64 if callable(rule) else rule[0]
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    if get_origin(hint) is Sequence:
        return [good(get_args(hint)[0], lengths) for _ in range(2)]
    if hint is np.random.Generator:
        return np.random.default_rng(0)
    raise LookupError


def example(entry):
    """Return valid arguments: all that have no default or whose annotations say enough."""
    lengths = {letter: n for letter, n in entry.axes.items() if letter != "dtype"}
    arguments = dict(EXAMPLES.get(entry.name, {}))
    for name, parameter in inspect.signature(entry.call).parameters.items():
        try:
            if name not in arguments:
                arguments[name] = good(entry.hints.get(name), lengths)
        except LookupError:
            needed = parameter.default is inspect.Parameter.empty
            assert not needed, f"EXAMPLES needs {entry.name}: {name}"
    return arguments


def wrong(hint, value, others, axes):
    """Yield what does not fit, and whether another array may be named in its place."""
    if array := array_hint(hint):
        yield from ((bad, False) for bad in wrong_arrays(array, value))
        yield from ((bad, True) for bad in arrays_unlike(array, value, others, axes))
    elif get_origin(hint) is Sequence:
        yield from ((bad, False) for bad in ("text", 3, np.array(0.5), {}))
        inner = first(get_args(hint)[0])
        for last in (value or [])[-1:]:
            for bad, shared in wrong(inner, last, [*others, *arrays_in(hint)], axes):
                yield [*value[:-1], bad], shared
    else:
        yield from ((bad, False) for bad in wrong_others(hint))


def wrong_arrays(array, value):
    for dtype in (bool, int, np.uint8, np.float16, np.float32, float, complex, str, object):
        if dtype is np.float16 or not np.issubdtype(dtype, array.kind):
            yield value.astype(dtype)
    if issubclass(array.kind, np.floating):
        for number in (np.nan, np.inf, -np.inf):
            bad = value.copy()
            bad.flat[-1] = number
            yield bad
    yield from ("text", [[1.0], [1.0, 2.0]], np.ma.array(value), [np.ma.array(value)])
    if array.shape != ["..."]:
        yield from (value[np.newaxis], value[0], value[:0])


def arrays_unlike(array, value, others, axes):
    """Yield arrays that would fit, if others were not as they are."""
    bound = set(axes).union(*(other.shape for other in others)) - {"..."}
    for axis, letter in enumerate(array.shape):
        if letter.isdigit() or letter in bound:
            yield np.concatenate([value, value], axis)
    if sets_dtype(array) and ("dtype" in axes or any(map(sets_dtype, others))):
        yield value.astype(np.float32)


def sets_dtype(array):
    return issubclass(array.kind, np.floating) and not {FREE, CONVERTED} & set(array.rules)


def wrong_others(hint):
    if get_origin(hint) is Annotated:
        kind, rule = get_args(hint)[:2]
        bad = [None, "no such name", 1j, [0.5], np.ones(2)]
        if kind in (int, float):
            low, high = map(float, rule[1:-1].split(","))
            bad += [True, math.nan, math.inf, -math.inf, "1", low - 1, high + 1]
            bad += [low] * (rule[0] == "(") + [high] * (rule[-1] == ")") + [1.5] * (kind is int)
        return bad[1:] if callable(rule) else bad  # as a dtype, None is float64
    if get_origin(hint) in (Literal, Callable) or hint is Callable:
        return [None, "no such name", 3]
    if hint is np.random.Generator:
        return [None, 0, np.random, np.random.RandomState(0)]
    own = inspect.isclass(hint) and hint.__module__.startswith("backprop")
    return ["text", 3, object()] if own else []


def arrays_in(hint):
    """Return what an annotation says of arrays: of one, or of those in a sequence."""
    hint = first(hint)
    array = array_hint(first(get_args(hint)[0]) if get_origin(hint) is Sequence else hint)
    return [array] if array else []


ENTRIES = list(entries())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.name)
def test_the_example_is_accepted(entry):
    entry.call(**example(entry))


@pytest.mark.parametrize(
    ("entry", "name"),
    [(e, name) for e in ENTRIES for name in e.hints],
    ids=lambda x: x if isinstance(x, str) else x.name,
)
def test_bad_input_is_refused(entry, name):
    arguments, hint = example(entry), entry.hints[name]
    others = [a for other in entry.hints if other != name for a in arrays_in(entry.hints[other])]
    for bad, shared in wrong(first(hint), arguments.get(name), others, entry.axes):
        if bad is not None or types.NoneType not in get_args(hint):
            names = "|".join(entry.hints) if shared else name
            try:
                sentence = f"accepted {bad!r}: {entry.call(**arguments | {name: bad})!r}"
            except ValueError as error:
                sentence = str(error)
            assert re.match(rf"({names})(\[\d+\])*: expected .*(, got|mask)", sentence)


def test_what_states_a_contract_is_checked():
    assert len(ENTRIES) > 40
    for owner in owners():
        for _, function in functions(owner):
            name = function.__name__
            private = name.startswith("_") and not name.endswith("__")
            made = name == "__init__" and checks_fields(owner)
            if not (private or made or function.__code__ is GATE):
                text = f"{function.__qualname__} is not @checked"
                assert "Annotated[" not in repr(hints_of(function)), text
