"""Automatic differentiation, forward and reverse, of functions written in plain NumPy.

Called with a `Dual` or a `Tensor` in the place of an array, ``np.exp``, ``@``, a sum, a power come
to `Traced.__array_ufunc__`, one at a time. Each becomes a step: a value, and for each input the
linear map that a small change goes through. Forward mode applies the maps in order, reverse mode
their transposes in reverse order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, NoReturn, Self

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from backprop.validation import Array

# The derivative of y = f(a) or y = f(a, b) in each input, entry by entry.
PARTIALS: dict[np.ufunc, tuple[Callable[..., Any], ...]] = {
    np.negative: (lambda y, a: -1.0,),
    np.add: (lambda y, a, b: 1.0, lambda y, a, b: 1.0),
    np.subtract: (lambda y, a, b: 1.0, lambda y, a, b: -1.0),
    np.multiply: (lambda y, a, b: b, lambda y, a, b: a),
    np.divide: (lambda y, a, b: 1 / b, lambda y, a, b: -y / b),
    np.power: (lambda y, a, b: b * a ** (b - 1.0), lambda y, a, b: y * np.log(a)),
    np.square: (lambda y, a: 2 * a,),
    np.sqrt: (lambda y, a: 0.5 / y,),
    np.exp: (lambda y, a: y,),
    np.log: (lambda y, a: 1 / a,),
    np.sin: (lambda y, a: np.cos(a),),
    np.cos: (lambda y, a: -np.sin(a),),
    np.tanh: (lambda y, a: 1 - y * y,),
    np.absolute: (lambda y, a: np.sign(a),),
    np.maximum: (lambda y, a, b: a > b, lambda y, a, b: a <= b),  # so a ReLU's slope at 0 is 0
    np.minimum: (lambda y, a, b: a < b, lambda y, a, b: a >= b),
    np.logaddexp: (lambda y, a, b: np.exp(a - y), lambda y, a, b: np.exp(b - y)),
}
# The derivative of y = f.reduce(a) in each entry of a: a sum, a logarithm of a sum of exponentials.
REDUCTIONS: dict[np.ufunc, Callable[..., Any]] = {
    np.add: lambda y, a: np.ones_like(a),
    np.logaddexp: lambda y, a: np.exp(a - y),
}
NESTED = "autodiff cannot follow a function inside a function it follows"


class LinearMap(NamedTuple):
    """How a small change of one input goes through a step, and how a slope comes back."""

    push: Callable[[Any], Any]  # change of the input -> change of the output
    pull: Callable[[Any], Any]  # slope in the output -> slope in the input: the transpose


def elementwise(ufunc: np.ufunc, place: int, y: Array, inputs: Sequence[Array]) -> LinearMap:
    """Multiply by the derivative in the input at `place` (eq: elementwise-map)."""
    slope_of_y, shape = PARTIALS[ufunc][place](y, *inputs), np.shape(inputs[place])

    def pull(slope: Array) -> Array:
        # An input that was repeated to fit the other has an effect at each place (eq: unbroadcast).
        slope = slope_of_y * slope
        slope = slope.sum(axis=tuple(range(slope.ndim - len(shape))))
        repeated = tuple(i for i, n in enumerate(shape) if n != slope.shape[i])
        total: Array = slope.sum(axis=repeated, keepdims=True)
        return total

    return LinearMap(lambda change: np.broadcast_to(slope_of_y * change, y.shape), pull)


def product(place: int, A: Array, B: Array) -> LinearMap:
    """Multiply by the other factor of ``A @ B``, or by its transpose (eq: product-map)."""
    if np.ndim(A) != 2 or np.ndim(B) != 2:
        raise ValueError(f"@: expected two matrices, got shapes {np.shape(A)} and {np.shape(B)}")
    if place == 0:
        return LinearMap(lambda change: change @ B, lambda slope: slope @ B.T)
    return LinearMap(lambda change: A @ change, lambda slope: A.T @ slope)


def reduction(ufunc: np.ufunc, y: Array, a: Array, axis: Any, keepdims: bool) -> LinearMap:
    """Multiply by the derivative and add up, or hand out and multiply (eq: reduction-map)."""
    slope_of_y = REDUCTIONS[ufunc](y, a)  # y has all of its axes, so that it fits a
    return LinearMap(
        lambda change: np.sum(slope_of_y * change, axis=axis, keepdims=keepdims),
        lambda slope: slope_of_y * np.reshape(slope, y.shape),
    )


class Traced(NDArrayOperatorsMixin):
    """An array whose operations are followed; `Dual` and `Tensor` say what for."""

    def __init__(self, value: npt.ArrayLike, run: Any) -> None:
        self.value = np.asarray(value)
        self.run = run  # of a function: two that run one inside the other must not mix

    def follow(self, y: Array, inputs: Sequence[tuple[Any, LinearMap]]) -> Self:
        """Return a step: its value, and the traced inputs, each with its linear map."""
        raise NotImplementedError

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Self:
        """Do what NumPy was asked to do, and follow it."""
        traced = [i for i, x in enumerate(inputs) if isinstance(x, Traced)]
        if any(inputs[i].run is not self.run for i in traced):
            raise ValueError(NESTED)
        # Copies, since f may change its own arrays before the walk back. A number stays one: as an
        # array of float64 it would turn float32 into float64.
        arrays = [np.array(x) if isinstance(x, np.ndarray | list | tuple) else x for x in inputs]
        for i in traced:
            arrays[i] = inputs[i].value
        if method == "reduce" and ufunc in REDUCTIONS:
            axis, keepdims = options.pop("axis", 0), options.pop("keepdims", False)
            y = ufunc.reduce(arrays[0], axis=axis, keepdims=True)
            maps = [reduction(ufunc, y, arrays[0], axis, keepdims)]
            y = y if keepdims else np.squeeze(y, axis)
        elif method == "__call__" and ufunc is np.matmul:
            maps = [product(i, *arrays) for i in traced]
            y = ufunc(*arrays)
        elif method == "__call__" and ufunc in PARTIALS:
            y = ufunc(*arrays)
            maps = [elementwise(ufunc, i, y, arrays) for i in traced]
        else:
            name = ufunc.__name__ + ("" if method == "__call__" else f".{method}")
            raise ValueError(
                f"np.{name}: no rule in PARTIALS or REDUCTIONS. Write it with others, or compute"
                " with x.value, plain numbers without a slope"
            )
        refused = [name for name, value in options.items() if value is not None]
        if refused:
            hint = "; in the place of x += y write x = x + y" if "out" in refused else ""
            raise ValueError(f"np.{ufunc.__name__}: cannot follow {', '.join(refused)}{hint}")
        return self.follow(y, [(inputs[i], m) for i, m in zip(traced, maps, strict=True)])

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse to become a plain array: the function that asks would lose the derivative."""
        raise ValueError(
            "autodiff follows operators, sums, means, indexing and the ufuncs in its table, not"
            " other functions of NumPy: write A @ B for np.dot(A, B)"
        )

    __bool__ = __float__ = __array__  # ``if x:`` would be true for any x

    def __iter__(self) -> Iterator[Self]:
        """Go through the entries of the first axis; a number has none."""
        return iter([self[i] for i in range(len(self.value))])

    def __getitem__(self, key: Any) -> Self:
        """Return entries of the array."""

        def pull(slope: Array) -> Array:
            whole = np.zeros_like(self.value)
            np.add.at(whole, key, slope)  # an entry taken twice gets both slopes
            return whole

        return self.follow(self.value[key], [(self, LinearMap(lambda change: change[key], pull))])

    @property
    def T(self) -> Self:
        """The transpose."""
        return self.follow(self.value.T, [(self, LinearMap(np.transpose, np.transpose))])

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
    """A value and how it changes: forward mode."""

    def __init__(self, value: npt.ArrayLike, change: npt.ArrayLike, run: object = None) -> None:
        super().__init__(value, run)
        self.change = np.asarray(change)

    def follow(self, y: Array, inputs: Sequence[tuple[Dual, LinearMap]]) -> Dual:
        """Add up what every input contributes to the change."""
        return Dual(y, sum(linear.push(x.change) for x, linear in inputs), self.run)


class Tensor(Traced):
    """A value, the place of its step on the tape, and the steps it was made from: reverse mode."""

    def __init__(
        self,
        value: npt.ArrayLike,
        tape: list[Tensor],
        inputs: Sequence[tuple[Tensor, LinearMap]] = (),
    ) -> None:
        super().__init__(value, run=tape)
        self.inputs, self.place = inputs, len(tape)
        tape.append(self)

    def follow(self, y: Array, inputs: Sequence[tuple[Tensor, LinearMap]]) -> Tensor:
        """Write the step on the tape."""
        return Tensor(y, self.run, inputs)


def jvp(
    f: Callable[..., Any], arrays: Sequence[npt.ArrayLike], changes: Sequence[npt.ArrayLike]
) -> tuple[Array, Array]:
    """Return ``f(*arrays)`` and how it changes along `changes`: forward mode (eq: jvp).

    One run of `f`, whatever the size of its value, but for one direction only.

    Parameters
    ----------
    f : callable
        Takes one argument for each array and uses operators and NumPy's functions.
    arrays : sequence of array_like of float
    changes : sequence of array_like
        A direction: one array for each of `arrays`, of its shape.

    Raises
    ------
    ValueError
        If an array does not hold floats, if a shape differs, or if `f` does what autodiff cannot
        follow.
    """
    points = _float_arrays(arrays)
    if len(changes) != len(points):
        raise ValueError(f"changes: expected {len(points)}, one for each array, got {len(changes)}")
    run, duals = object(), []
    for i, (point, change) in enumerate(zip(points, changes, strict=True)):
        if np.shape(change) != point.shape:
            raise ValueError(f"change {i}: expected shape {point.shape}, got {np.shape(change)}")
        duals.append(Dual(point, np.array(change, dtype=point.dtype), run))
    output = f(*duals)
    if not _depends(output, run):
        output = Dual(output, np.zeros(np.shape(output)))
    return output.value, output.change


def vjp(
    f: Callable[..., Any], arrays: Sequence[npt.ArrayLike], slope: npt.ArrayLike
) -> tuple[Array, list[Array]]:
    """Return ``f(*arrays)`` and what becomes of a slope in it: reverse mode (eq: vjp).

    One run of `f` forward, which writes the tape, and one walk back along it, for any number and
    size of arrays. The slopes live as long as the walk, so that a second one starts from nothing.

    Parameters
    ----------
    f : callable
        Takes one argument for each array and uses operators and NumPy's functions.
    arrays : sequence of array_like of float
    slope : array_like
        ``dL/df`` for the number L that is to be differentiated, shaped like ``f(*arrays)``.

    Returns
    -------
    value : ndarray
    slopes : list of ndarray
        ``dL/da`` for each array, of its shape; zeros where `f` does not depend on it.

    Raises
    ------
    ValueError
        As in `jvp`, and if the slope has not the shape of the value.
    """
    tape: list[Tensor] = []
    inputs = [Tensor(a, tape) for a in _float_arrays(arrays)]
    output = f(*inputs)
    if not _depends(output, tape):
        output = Tensor(output, tape)
    if np.shape(slope) != output.shape:
        shapes = f"{np.shape(slope)}, got {output.shape}"
        raise ValueError(f"f: expected a value of the slope's shape {shapes}")
    slopes = {output.place: np.array(slope, dtype=output.value.dtype)}
    for step in reversed(tape[len(inputs) :]):
        if step.place in slopes:
            d_step = slopes.pop(step.place)
            for x, linear in step.inputs:
                slopes[x.place] = slopes.get(x.place, 0) + linear.pull(d_step)
    return output.value, [np.asarray(slopes.get(x.place, np.zeros_like(x.value))) for x in inputs]


def gradients(f: Callable[..., Any], *arrays: npt.ArrayLike) -> list[Array]:
    """Return the gradients of ``f(*arrays)``, a single number, one array for each argument.

    The third of a family: `gradcheck.numerical_gradients` and `tensorflow_twin.tape_gradients`
    take the same arguments.

    Raises
    ------
    ValueError
        As in `vjp`.
    """
    return vjp(f, arrays, 1.0)[1]


def _float_arrays(arrays: Sequence[npt.ArrayLike]) -> list[Array]:
    copies = [np.array(a) for a in arrays]
    for place, x in enumerate(copies):
        if x.dtype not in (np.float32, np.float64):
            raise ValueError(f"argument {place} of f: expected float32 or float64, got {x.dtype}")
    return copies


def _depends(output: Any, run: object) -> bool:
    """Tell whether a function's value depends on any of its arrays."""
    if isinstance(output, Traced):
        if output.run is not run:
            raise ValueError(NESTED)
        return True
    if np.asarray(output).dtype.kind not in "biuf":  # a forgotten return would have slope zero
        raise ValueError(f"f: expected it to return an array, got {output!r}")
    return False
