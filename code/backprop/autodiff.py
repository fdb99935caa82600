"""Automatic differentiation, forward and reverse, of functions written in plain NumPy.

Called with a `Dual` or a `Tensor` in the place of an array, ``np.exp``, ``@``, a sum, a power come
to `Traced.__array_ufunc__`, one at a time. Each becomes a step: a value, and for each input the
linear map, the Jacobian, that a small change of it goes through. Forward mode applies the maps in
order to a *tangent*, a change of the inputs: a Jacobian–vector product (JVP). Reverse mode applies
their transposes in reverse order to a *cotangent*, a gradient with respect to the value: a
vector–Jacobian product (VJP).
"""

from __future__ import annotations

import reprlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Annotated, Any, NamedTuple, NoReturn, Self

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from backprop.contracts import FREE, Array, checked

NESTED = "autodiff cannot follow a function inside a function it follows"
PLAIN_ARRAY = (
    "autodiff follows operators, sums, means, entries, T, shape and the functions in its RULES;"
    " what asks for a plain array or number here would lose the derivative. Write A @ B for"
    " np.dot(A, B), mask * x for np.where(mask, x, 0), x = x + y for x += y, a new array for"
    " c[0] = x[0], the formula for a @checked function, x.value where no derivative is needed"
)


class LinearMap(NamedTuple):
    """The Jacobian of a step in one of its inputs, as two functions. It is never built."""

    jvp: Callable[[Any], Any]  # tangent of the input -> tangent of the value
    vjp: Callable[[Any], Any]  # cotangent of the value -> cotangent of the input


# Takes argnum, the number of an input, then the value, all inputs, and options.
Rule = Callable[..., LinearMap]


def elementwise(*partials: Callable[..., Any]) -> Rule:
    """Return the rule of y = f(a) or y = f(a, b), entry by entry (eq: elementwise-map).

    Each of `partials` takes y and the inputs, and returns the derivative in one of the inputs.
    """

    def rule(argnum: int, y: Array, *inputs: Any) -> LinearMap:
        shape = np.shape(inputs[argnum])
        with np.errstate(divide="ignore"):  # a root is infinitely steep at 0
            partial = partials[argnum](y, *inputs)
        return LinearMap(
            lambda tangent: np.broadcast_to(_times(partial, tangent), y.shape),
            lambda cotangent: unbroadcast(_times(partial, cotangent), shape),
        )

    return rule


def _times(partial: Any, change: Array) -> Array:
    """Return ``partial * change``; here 0 · ∞ is 0, as in TensorFlow's maximum and square root."""
    if np.asarray(partial).dtype == bool:  # a choice: what was not chosen stays out
        return np.where(partial, change, np.zeros_like(change))
    with np.errstate(invalid="ignore"):  # no change stays none
        return np.where(change == 0, change, partial * change)


def unbroadcast(cotangent: Array, shape: tuple[int, ...]) -> Array:
    """Add up the copies that NumPy made of an input to fit another (eq: unbroadcast)."""
    cotangent = cotangent.sum(axis=tuple(range(cotangent.ndim - len(shape))))
    repeated = tuple(i for i, n in enumerate(shape) if n != cotangent.shape[i])
    total: Array = cotangent.sum(axis=repeated, keepdims=True)
    return total


def product(argnum: int, y: Array, A: Array, B: Array) -> LinearMap:
    """Multiply by the other factor of ``A @ B``, or by its transpose (eq: product-map)."""
    if np.ndim(A) != 2 or np.ndim(B) != 2:
        raise ValueError(f"@: expected two matrices, got shapes {np.shape(A)} and {np.shape(B)}")
    if argnum == 0:
        return LinearMap(lambda tangent: tangent @ B, lambda cotangent: cotangent @ B.T)
    return LinearMap(lambda tangent: A @ tangent, lambda cotangent: A.T @ cotangent)


def reduction(partial: Callable[..., Any]) -> Rule:
    """Return the rule of a sum or its kin: multiply and add up (eq: reduction-map).

    `partial` takes y, with all axes of a, and a, and returns the derivative in each entry of a.
    """

    def rule(argnum: int, y: Array, a: Array, axis: Any = 0, keepdims: bool = False) -> LinearMap:
        lost = () if keepdims else tuple(range(a.ndim)) if axis is None else axis

        def expand(x: Array) -> Array:
            return np.expand_dims(x, lost)

        weights = partial(expand(y), a)
        return LinearMap(
            lambda tangent: np.sum(weights * tangent, axis=axis, keepdims=keepdims),
            lambda cotangent: weights * expand(cotangent),
        )

    return rule


# How NumPy's functions pass on a small change. Each partial derivative takes the value y and the
# inputs a, b. One that does not exist is infinite or NaN, as in TensorFlow: log's at 0, logaddexp's
# at (-inf, -inf). Exceptions, so that 0 · ∞ does not arise: in a⁰ the base does not matter, and at
# the base 0 the exponent doesn't. Of two equal numbers the second is the maximum, so that the slope
# of max(z, 0) at 0 is 0; tf.nn.relu agrees, tf.maximum takes the first.
RULES: dict[Callable[..., Any], Rule] = {
    np.negative: elementwise(lambda y, a: -1.0),
    np.add: elementwise(lambda y, a, b: 1.0, lambda y, a, b: 1.0),
    np.subtract: elementwise(lambda y, a, b: 1.0, lambda y, a, b: -1.0),
    np.multiply: elementwise(lambda y, a, b: b, lambda y, a, b: a),
    np.divide: elementwise(lambda y, a, b: 1 / b, lambda y, a, b: -y / b),
    np.power: elementwise(
        lambda y, a, b: b * a ** (b - 1.0 + (b == 0)),
        lambda y, a, b: y * np.log(np.where(a > 0, a, 1), dtype=y.dtype),
    ),
    np.square: elementwise(lambda y, a: 2 * a),
    np.sqrt: elementwise(lambda y, a: 0.5 / y),
    np.exp: elementwise(lambda y, a: y),
    np.log: elementwise(lambda y, a: 1 / a),
    np.sin: elementwise(lambda y, a: np.cos(a)),
    np.cos: elementwise(lambda y, a: -np.sin(a)),
    np.tanh: elementwise(lambda y, a: 1 - y * y),
    np.absolute: elementwise(lambda y, a: np.sign(a)),
    np.maximum: elementwise(lambda y, a, b: a > b, lambda y, a, b: a <= b),
    np.minimum: elementwise(lambda y, a, b: a < b, lambda y, a, b: a >= b),
    np.logaddexp: elementwise(lambda y, a, b: np.exp(a - y), lambda y, a, b: np.exp(b - y)),
    np.matmul: product,
    np.add.reduce: reduction(lambda y, a: np.ones_like(a)),
    np.logaddexp.reduce: reduction(lambda y, a: np.exp(a - y)),
}


class Traced(NDArrayOperatorsMixin, ABC):
    """An array whose operations are recorded; `Dual` and `Tensor` say what for."""

    def __init__(self, value: npt.ArrayLike, trace_id: Any) -> None:
        self.value = np.asarray(value)
        self.trace_id = trace_id  # that of a call of jvp or vjp: two must not mix

    @abstractmethod
    def record(self, y: Array, inputs: Sequence[tuple[Any, LinearMap]]) -> Self:
        """Return a step: its value, and the traced inputs, each with its linear map."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Self:
        """Do what NumPy was asked to do, and record it."""
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        rule = RULES.get(function) or _no_rule(ufunc, method)
        arrays, options = self._arrays(inputs), _known(options, ufunc)
        y = function(*arrays, **options)
        maps = [
            (x, rule(argnum, y, *arrays, **options))
            for argnum, x in enumerate(inputs)
            if isinstance(x, Traced)
        ]
        return self.record(y, maps)

    def _arrays(self, inputs: Sequence[Any]) -> list[Any]:
        """Return the values of traced inputs, and copies of others: f may go on to change these."""
        arrays = []
        for x in inputs:
            if isinstance(x, Traced) and x.trace_id is not self.trace_id:
                raise ValueError(NESTED)
            # A number stays one: as an array of float64 it would turn float32 into float64.
            array = x.value if isinstance(x, Traced) else x if np.isscalar(x) else np.array(x)
            if isinstance(x, np.ma.MaskedArray) or np.asarray(array).dtype.kind not in "biuf":
                raise ValueError(f"autodiff: expected real numbers, none behind a mask, got {x!r}")
            arrays.append(array)
        return arrays

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse to become a plain array: whatever asks for one would lose the derivative."""
        raise ValueError(PLAIN_ARRAY)

    # x[i] = y would change what earlier steps have used, ``if x:`` be true, math.exp(x) a constant.
    __setitem__ = __bool__ = __float__ = __array__

    def __getattr__(self, name: str) -> NoReturn:
        """Say what there is instead of the other attributes of an array."""
        raise AttributeError(f"x.{name}: {PLAIN_ARRAY}")

    def __len__(self) -> int:
        """Return the length of the first axis."""
        return len(self.value)

    def __iter__(self) -> Iterator[Self]:
        """Go through the entries of the first axis; a number has none."""
        return iter([self[i] for i in range(len(self))])

    def __getitem__(self, key: Any) -> Self:
        """Return entries of the array."""
        y, key = self.value[key], deepcopy(key)  # since f may go on to change it

        def vjp(cotangent: Array) -> Array:
            whole = np.zeros_like(self.value)
            np.add.at(whole, key, cotangent)  # an entry taken twice gets both
            return whole

        return self.record(y, [(self, LinearMap(lambda tangent: tangent[key], vjp))])

    @property
    def T(self) -> Self:
        """The transpose."""
        return self.record(self.value.T, [(self, LinearMap(np.transpose, np.transpose))])

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return self.value.shape

    def sum(self, axis: Any = None, **options: Any) -> Any:
        """Return the sum along an axis, or of everything; ``np.sum`` calls this."""
        return np.add.reduce(self, axis=axis, **options)

    def mean(self, axis: Any = None, **options: Any) -> Any:
        """Return the mean along an axis, or of everything; ``np.mean`` calls this."""
        total = self.sum(axis, **options)
        return total * (total.value.size / self.value.size)


class Dual(Traced):
    """A value and its tangent: forward mode."""

    def __init__(self, value: npt.ArrayLike, tangent: npt.ArrayLike, trace_id: Any = None) -> None:
        super().__init__(value, trace_id)
        self.tangent = np.asarray(tangent)

    def record(self, y: Array, inputs: Sequence[tuple[Dual, LinearMap]]) -> Dual:
        """Add up what every input contributes to the tangent."""
        return Dual(y, sum(linear.jvp(x.tangent) for x, linear in inputs), self.trace_id)


class Tensor(Traced):
    """A value, its index on the tape, and the steps that it was made from: reverse mode."""

    def __init__(
        self,
        value: npt.ArrayLike,
        tape: list[Tensor],
        inputs: Sequence[tuple[Tensor, LinearMap]] = (),
    ) -> None:
        super().__init__(value, trace_id=tape)
        self.tape, self.index, self.inputs = tape, len(tape), inputs
        tape.append(self)

    def record(self, y: Array, inputs: Sequence[tuple[Tensor, LinearMap]]) -> Tensor:
        """Write the step on the tape."""
        return Tensor(y, self.tape, inputs)


@checked
def jvp(
    f: Callable[..., Any],
    arrays: Sequence[Annotated[Array, "...", FREE]],
    tangents: Sequence[Annotated[Array, "...", FREE]],
) -> tuple[Array, Array]:
    """Return ``f(*arrays)`` and its tangent, a Jacobian–vector product: forward mode (eq: jvp).

    One run of `f`, whatever the size of its value, but for one direction only.

    Parameters
    ----------
    f : callable
        Takes one argument for each array and uses operators and NumPy's functions.
    arrays : sequence of array_like
    tangents : sequence of array_like
        A direction: one array for each of `arrays`, of its shape.

    Raises
    ------
    ValueError
        Also if `f` does what autodiff cannot follow.
    """
    shapes, got = [x.shape for x in arrays], [tangent.shape for tangent in tangents]
    if got != shapes:
        raise ValueError(f"tangents: expected the arrays' shapes {shapes}, got {got}")
    trace_id = object()
    pairs = zip(arrays, tangents, strict=True)
    duals = [Dual(x.copy(), tangent.astype(x.dtype), trace_id) for x, tangent in pairs]
    output = _check_output(f, duals)
    if not isinstance(output, Dual):
        return output, np.zeros(output.shape)
    return output.value, output.tangent


@checked
def vjp(
    f: Callable[..., Any],
    arrays: Sequence[Annotated[Array, "...", FREE]],
    cotangent: Annotated[Array, "...", FREE],
) -> tuple[Array, list[Array]]:
    """Return ``f(*arrays)`` and the vector–Jacobian product of a cotangent: reverse mode (eq: vjp).

    One run of `f` forward, which writes the tape, and one walk back along it, for any number and
    size of arrays. Cotangents live as long as the walk, so that a second one starts from nothing.

    Parameters
    ----------
    f : callable
        Takes one argument for each array and uses operators and NumPy's functions.
    arrays : sequence of array_like
    cotangent : array_like
        ``dL/df`` for the number L that is to be differentiated, shaped like ``f(*arrays)``.

    Returns
    -------
    value : ndarray
    cotangents : list of ndarray
        ``dL/da`` for each array, of its shape and dtype; zeros where `f` does not depend on it.

    Raises
    ------
    ValueError
        Also if `f` does what autodiff cannot follow.
    """
    tape: list[Tensor] = []
    inputs = [Tensor(x.copy(), tape) for x in arrays]
    output = _check_output(f, inputs)
    if not isinstance(output, Tensor):
        output = Tensor(output, tape)
    if cotangent.shape != output.shape:
        shape = f"{cotangent.shape}, that of the cotangent, got {output.shape}"
        raise ValueError(f"f: expected a value of shape {shape}")
    cotangents = {output.index: cotangent.astype(output.value.dtype)}
    for step in reversed(tape[len(inputs) :]):
        if step.index in cotangents:
            d_step = cotangents.pop(step.index)
            for x, linear in step.inputs:
                cotangents[x.index] = cotangents.get(x.index, 0) + linear.vjp(d_step)
    return output.value, [
        np.asarray(cotangents.get(x.index, np.zeros_like(x.value)), x.value.dtype) for x in inputs
    ]


def gradients(f: Callable[..., Any], *arrays: npt.ArrayLike) -> list[Array]:
    """Return the gradients of ``f(*arrays)``, a single number, one array for each argument.

    The third of a family: `gradcheck.numerical_gradients` and `tensorflow_twin.tape_gradients`
    take the same arguments.

    Raises
    ------
    ValueError
        As in `vjp`.
    """
    return vjp(f, arrays, 1.0)[1]  # type: ignore[arg-type]  # the gate makes arrays of them


def _no_rule(ufunc: np.ufunc, method: str) -> NoReturn:
    name = ufunc.__name__ + ("" if method == "__call__" else f".{method}")
    raise ValueError(f"np.{name}: no rule; {PLAIN_ARRAY}")


def _known(options: dict[str, Any], ufunc: np.ufunc) -> dict[str, Any]:
    """Return what rules know, axis and keepdims, and refuse out, where and others."""
    refused = [k for k, v in options.items() if k not in ("axis", "keepdims") and v is not None]
    if refused:
        raise ValueError(f"np.{ufunc.__name__}: no {', '.join(refused)}; {PLAIN_ARRAY}")
    return {k: v for k, v in options.items() if k in ("axis", "keepdims")}


def _check_output(f: Callable[..., Any], inputs: Sequence[Traced]) -> Any:
    """Return what `f` returns: a step of its inputs' trace, or an array that depends on none."""
    output = f(*inputs)
    if isinstance(output, Traced):
        if all(output.trace_id is not x.trace_id for x in inputs):
            raise ValueError(NESTED)
        return output
    # A forgotten return would have gradient zero.
    if isinstance(output, list | tuple) or np.asarray(output).dtype.kind not in "biuf":
        raise ValueError(f"f: expected it to return one array, got {reprlib.repr(output)}")
    return np.asarray(output)
