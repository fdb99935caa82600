"""Contracts: what a function takes, stated in its annotations and checked when it is called.

``@checked`` reads the annotations of the function below it. Shapes stand there in the book's
notation, ranges in that of intervals::

    @checked
    def huber(
        predictions: Annotated[Array, "N K"],
        targets: Annotated[Array, "N K", CONVERTED],
        threshold: Annotated[float, "(0, inf)"] = 1.0,
    ) -> tuple[float, Array]: ...

A letter stands for one length of at least one in all arguments of a call, so that ``N`` and ``K``
above are the same for both; an object of the package brings the letters of its ``axes``. ``...`` is
any shape. Floating-point arrays are finite float32 or float64, all of one dtype. A function among
the annotation's arguments states what else must be true: it takes the name and the array, and
raises; a function in the shape's place is all of the check. What does not fit gets a ValueError
that names the argument, what was expected and what came. ``inspect.unwrap`` gives the function
without its gate, for callers that have checked already.
"""

from __future__ import annotations

import functools
import inspect
import math
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from enum import Enum, auto
from numbers import Integral, Real
from typing import (
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Count = Annotated[int, "[1, inf)"]
# A check takes a name, a value and the lengths known so far, and returns the value to be used.
Check = Callable[[str, Any, dict[str, Any]], Any]
F = TypeVar("F", bound=Callable[..., Any])

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
KINDS = {
    np.floating: "float32 or float64",
    np.float64: "float64",
    np.integer: "integers",
    np.uint8: "uint8",
    np.bool_: "bool",
    np.str_: "texts",
}


class DType(Enum):
    """What happens to an array whose dtype is not that of the arrays before it."""

    CONVERTED = auto()  # it is converted to theirs
    FREE = auto()  # it stays as it is


CONVERTED, FREE = DType


def checked(function: F) -> F:
    """Return `function` behind a gate that holds its arguments to its annotations.

    Arrays arrive in `function` as arrays, also where a list was passed; numbers as Python's.

    Raises
    ------
    ValueError
        From the gate, for the first argument that does not fit.
    """
    names = list(inspect.signature(function).parameters)

    @functools.wraps(function)
    def gate(*args: Any, **kwargs: Any) -> Any:
        arguments = dict(zip(names, args, strict=False)) | kwargs
        if len(arguments) != len(args) + len(kwargs):
            return function(*args, **kwargs)  # raises Python's own TypeError
        checks = _checks(function)  # now, since annotations may name what comes later in a module
        lengths = dict(getattr(arguments.get("self"), "axes", {}))
        for name, value in arguments.items():
            if name in checks:
                arguments[name] = checks[name](name, value, lengths)
        return function(**arguments)

    return cast(F, gate)


def check_fields(instance: Any) -> None:
    """Hold the fields of a dataclass to their annotations; for its ``__post_init__``.

    Raises
    ------
    ValueError
        For the first field that does not fit.
    """
    checks = _checks(type(instance))  # type: ignore[arg-type]  # a type is hashable
    for field in fields(instance):
        if field.init and field.name in checks:
            value = checks[field.name](field.name, getattr(instance, field.name), {})
            object.__setattr__(instance, field.name, value)


@functools.cache
def _checks(annotated: Any) -> Mapping[str, Check]:
    if not inspect.isclass(annotated):  # what is returned may have a type that is not imported
        given = {k: v for k, v in annotated.__annotations__.items() if k != "return"}
        names = {"__annotations__": given, "__module__": annotated.__module__}
        annotated = type("Arguments", (), names)
    hints = get_type_hints(annotated, include_extras=True)
    found = {name: _check(hint) for name, hint in hints.items()}
    return {name: check for name, check in found.items() if check}


def _check(hint: Any) -> Check | None:
    """Return the check that an annotation asks for, or None if it asks for none."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        kind, (text, *rules) = arguments[0], hint.__metadata__
        if callable(text):
            return lambda name, value, _: text(name, value)
        if kind is str:
            return functools.partial(_choice, text)
        if kind in (int, float):
            return lambda name, value, _: as_number(name, value, text, kind)
        scalar = scalar_type(kind)
        rule = next((r for r in rules if isinstance(r, DType)), None)
        conditions = [r for r in rules if callable(r)]

        def check(name: str, value: Any, lengths: dict[str, Any]) -> Array:
            array = as_array(name, value, text, lengths, scalar, rule)
            for condition in conditions:
                condition(name, array)
            return array

        return check
    if origin is Literal:
        return functools.partial(_choice, arguments)
    if origin is Callable or hint is Callable:
        return _function
    if origin is Sequence:
        return functools.partial(_sequence, _check(*arguments))
    if origin in (Union, types.UnionType):
        checks = [_check(member) for member in arguments if member is not type(None)]
        return functools.partial(_either, type(None) in arguments, checks)
    if inspect.isclass(hint) and (
        hint is np.random.Generator or hint.__module__.startswith("backprop")
    ):
        return functools.partial(_instance, hint)
    return None


def scalar_type(array: Any) -> Any:
    """Return the type of the numbers that an annotation ``npt.NDArray[...]`` speaks of."""
    last = get_args(array)[-1]  # the type itself, or before NumPy 2.5 a dtype that has it
    (scalar,) = get_args(last) or [last]
    return scalar


def as_array(
    name: str,
    value: Any,
    shape: str,
    lengths: dict[str, Any] | None = None,
    kind: type = np.floating,
    rule: DType | None = None,
) -> Array:
    """Return `value` as an array of this shape, as the gate does; for shapes no annotation can say.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : array_like
    shape : str
        A letter or a number for each axis, ``"N K"``, or ``"..."``.
    lengths : dict, optional
        What the letters stand for so far; those of this array are added.
    kind : type
        ``np.floating``, ``np.float64``, ``np.integer``, ``np.uint8``, ``np.bool_`` or ``np.str_``.
    rule : DType, optional

    Raises
    ------
    ValueError
        If `value` has another shape or dtype, hides entries behind a mask, or is not finite.
    """
    lengths = {} if lengths is None else lengths
    parts = [value, *value] if isinstance(value, list | tuple) else [value]
    if any(isinstance(part, np.ma.MaskedArray) for part in parts):
        raise ValueError(f"{name}: expected an array without a mask: fill or drop what it hides")
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:  # rows of several lengths, tensors
        raise ValueError(
            f"{name}: expected an array, got {type(value).__name__} ({error})"
        ) from error
    floats = issubclass(kind, np.floating)
    if not np.issubdtype(array.dtype, kind) or (floats and array.dtype not in FLOATS):
        raise ValueError(f"{name}: expected {KINDS[kind]}, got {array.dtype}")
    if shape != "...":
        axes = shape.split()
        known = {a: int(a) for a in axes if a.isdigit()} | lengths
        found = dict(zip(axes, array.shape, strict=False)) | known
        if array.shape != tuple(map(found.get, axes)) or 0 in array.shape:
            text = ", ".join(str(known.get(a, a)) for a in axes) + ("," if len(axes) == 1 else "")
            raise ValueError(f"{name}: expected shape ({text}), got {array.shape}")
        lengths.update(zip(axes, array.shape, strict=True))
    if not floats:
        return array
    if rule is not FREE:
        dtype, owner = lengths.setdefault("dtype", (array.dtype, name))
        if array.dtype != dtype and rule is None:  # NumPy would promote without a word
            raise ValueError(f"{name}: expected {dtype} like {owner}, got {array.dtype}")
        with np.errstate(over="ignore"):  # infinity is refused below
            array = array.astype(dtype, copy=False)
    # A finite sum of squares has finite terms: one pass, no memory. If it overflows, look closer.
    if not math.isfinite(np.vdot(array, array)) and not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name}: expected finite numbers, got {array[place]} at {place}")
    return array


def float_type(name: str, value: Any) -> Any:
    """Return the dtype that `value` stands for, if it is float32 or float64.

    Raises
    ------
    ValueError
        If it is another one, or none.
    """
    try:
        dtype = np.dtype(value)
    except (TypeError, ValueError, SyntaxError):  # it stands for none
        dtype = np.dtype(object)
    if dtype not in FLOATS:
        raise ValueError(f"{name}: expected float32 or float64, got {value!r}")
    return dtype


FloatType = Annotated[npt.DTypeLike, float_type]


def as_number(name: str, value: Any, interval: str, kind: type = float) -> Any:
    """Return `value` as a Python number of this kind, int or float, if it lies in the interval.

    Raises
    ------
    ValueError
        If it does not, or is no number of this kind.
    """
    low, high = map(float, interval[1:-1].split(","))
    fits = isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
    fits = fits and (low < value or (interval[0] == "[" and low == value))
    fits = fits and (value < high or (interval[-1] == "]" and value == high))
    if not fits:
        what = "a whole number" if kind is int else "a number"
        least = f" {'of at least' if interval[0] == '[' else 'above'} {low:g}"
        most = f" {'at most' if interval[-1] == ']' else 'below'} {high:g}"
        limits = [s for s, limit in ((least, low), (most, high)) if math.isfinite(limit)]
        raise ValueError(f"{name}: expected {what}{' and'.join(limits)}, got {value!r}")
    return kind(value)


def _choice(choices: Sequence[Any], name: str, value: Any, _: Any) -> Any:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}, got {value!r}")
    return value


def _function(name: str, value: Any, _: Any) -> Any:
    if not callable(value):
        raise ValueError(f"{name}: expected a function, got {value!r}")
    return value


def _instance(kind: type, name: str, value: Any, lengths: dict[str, Any]) -> Any:
    if not isinstance(value, kind):
        maker = "np.random.default_rng(seed)" if kind is np.random.Generator else kind.__name__
        raise ValueError(f"{name}: expected {maker}, got {value!r}")
    lengths.update(getattr(value, "axes", {}))
    return value


def _sequence(check: Check | None, name: str, value: Any, lengths: Any) -> Any:
    sized = isinstance(value, Sequence | np.ndarray) and getattr(value, "shape", None) != ()
    if not sized or isinstance(value, str):
        raise ValueError(f"{name}: expected a sequence, got {value!r}")
    return [check(f"{name}[{i}]", v, lengths) for i, v in enumerate(value)] if check else value


def _either(
    optional: bool, checks: Sequence[Check | None], name: str, value: Any, lengths: Any
) -> Any:
    """Return `value` if one member of a union takes it; else the first one says what is wrong."""
    if (value is None and optional) or (callable(value) and _function in checks):
        return value
    return checks[0](name, value, lengths) if checks[0] else value
