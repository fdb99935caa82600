"""Training: epochs of mini-batches, with what a long run needs besides gradients.

A `Trainer` takes a network, a loss and an optimizer through a data set. It adds penalties and
dropout, warps the images anew for every epoch, keeps the best parameters and the learning curves,
stops early, and writes checkpoints from which an interrupted run goes on as if there had been no
interruption.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from inspect import unwrap
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from backprop import checkpoints
from backprop.contracts import Array, Count, as_array, check_fields, checked
from backprop.losses import Loss
from backprop.network import Network
from backprop.optimizers import Optimizer
from backprop.regularization import Rate, Strength, dropout_mask, l1, l2

Data = tuple[npt.ArrayLike, npt.ArrayLike]


@checked
def batches(
    n: Count, batch_size: Count, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.int64]]:
    """Shuffle the numbers 0 to n - 1, and return them in batches, each number once.

    The order is drawn at once, not when the first batch is taken.

    Parameters
    ----------
    n : int
        Number of examples.
    batch_size : int
        Length of each batch; the last is shorter if `batch_size` does not divide `n`.
    rng : numpy.random.Generator
        Source of the order, as ``np.random.default_rng(seed)`` makes it.

    Returns
    -------
    iterator of ndarray
        Row numbers, for ``X[rows]``.
    """
    order = rng.permutation(n)
    return (order[start : start + batch_size] for start in range(0, n, batch_size))


@dataclass
class Trainer:
    """A training run: what is trained, how, and how far it has come.

    Parameters
    ----------
    network : Network
        Trained in place. All data must have its dtype.
    loss : callable
        A function of `losses`, or one like it.
    optimizer : Optimizer
        With its schedule, if it has one.
    seed : int
        Of all that is random: the order of the examples, dropout, augmentation.
    batch_size : int
    l1, l2 : float
        Strengths of the penalties, see `regularization`.
    dropout : sequence of float
        For each layer, the share of its inputs that is dropped; empty for none.
    augment : callable, optional
        ``augment(X, rng)`` returns as many new examples; called once in every epoch. It can't
        change X. An `augmentation.Augmentation`, for example.
    metric : callable, optional
        ``metric(outputs, T)``, for the history: `metrics.accuracy`, for example.

    Attributes
    ----------
    history : list of dict
        For each epoch, the ``loss``: the mean over its batches, as they came, without penalties.
        With validation data, ``val_loss`` and ``val_metric`` at its end.
    best : list of ndarray
        The parameters of the epoch with the lowest ``val_loss``; empty without one.
    rng : numpy.random.Generator
    """

    network: Network
    loss: Loss
    optimizer: Optimizer
    seed: Annotated[int, "[0, inf)"]
    batch_size: Count = 100
    l1: Strength = 0.0
    l2: Strength = 0.0
    dropout: Sequence[Rate] = ()
    augment: Callable[[Array, np.random.Generator], Array] | None = None
    metric: Callable[[Array, Array], float] | None = None
    history: list[dict[str, float]] = field(default_factory=list, init=False)
    best: list[Array] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        """Hold the fields to their annotations and to each other."""
        check_fields(self)
        layers = len(self.network.layers)
        if len(self.dropout) not in (0, layers):
            raise ValueError(f"dropout: expected a rate for each of {layers}, got {self.dropout}")
        self.rng = np.random.default_rng(self.seed)

    @property
    def axes(self) -> dict[str, Any]:
        """The network's, which all data must have."""
        return self.network.axes

    @checked
    def fit(
        self,
        X: Annotated[Array, "N D"],
        T: Annotated[Array, "N K"],
        epochs: Count,
        validation: Data | None = None,
        patience: Count | None = None,
        checkpoint: str | Path | None = None,
    ) -> list[dict[str, float]]:
        """Train until so many epochs are done, and return the history.

        Parameters
        ----------
        X : array_like
        T : array_like
            A row for each example; `datasets.one_hot` makes them of labels.
        epochs : int
            In all: with those that the history and the checkpoint hold already.
        validation : pair of array_like, optional
            ``(X, T)`` of examples that are not trained on, to be evaluated after every epoch.
        patience : int, optional
            Stop when ``val_loss`` has not fallen below its lowest for so many epochs.
        checkpoint : path, optional
            A file, which should end in ``.npz``. If it exists, the run goes on from there; it is
            written before the first epoch and after every one. Settings are compared, as
            `checkpoints.describe` shows them. Data are not.

        Raises
        ------
        ValueError
            If data do not fit, or the checkpoint belongs to a run with other settings, or to one
            that has not come as far, or if a setting can't be compared.
        FloatingPointError
            If the loss, or that of the validation data, is not a finite number any more. (The
            functions of `losses` raise ValueError for outputs that are not finite.)
        """
        held_out = None if validation is None else self._held_out(validation)
        if held_out is None and patience is not None:
            raise ValueError("patience: expected validation data to judge by, got none")
        if checkpoint is not None:
            self._resume(checkpoint)
        with tqdm(total=epochs, initial=len(self.history), unit="epoch") as bar:
            while len(self.history) < epochs and not self._out_of_patience(patience):
                record = {"loss": self._epoch(X, T)}
                if held_out is not None:
                    record |= self.evaluate(*held_out, prefix="val_")
                self.history.append(record)
                if self.best_epoch == len(self.history):
                    self.best = [p.copy() for p in self.network.parameters]
                if checkpoint is not None:
                    checkpoints.write(checkpoint, self.state())
                bar.set_postfix(record, refresh=False)
                bar.update()
        return self.history

    def _held_out(self, pair: Data) -> tuple[Array, Array]:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ValueError(f"validation: expected a pair (X, T), got a {type(pair).__name__}")
        lengths = self.axes
        return (
            as_array("validation X", pair[0], "N D", lengths),
            as_array("validation T", pair[1], "N K", lengths),
        )

    # One epoch

    def _epoch(self, X: Array, T: Array) -> float:
        """Show every example once and return the mean loss."""
        if self.augment is not None:
            original = X.view()
            original.flags.writeable = False
            X = as_array("augment(X)", self.augment(original, self.rng), f"{len(X)} D", self.axes)
        total = 0.0
        for rows in unwrap(batches)(len(X), self.batch_size, self.rng):
            x, t = X.take(rows, axis=0), T.take(rows, axis=0)  # faster than X[rows]
            value, gradients = self.loss_and_gradients(x, t)
            total += self._finite("loss", value) * len(rows)
            self.optimizer.step(self.network.parameters, gradients)
        return total / len(X)

    def loss_and_gradients(self, X: Array, T: Array) -> tuple[float, list[Array]]:
        """Return a batch's loss, without penalties, and the gradients of loss and penalties.

        Draws new dropout masks from the run's generator.
        """
        network, masks = self.network, None
        if self.dropout:
            masks = [
                unwrap(dropout_mask)((len(X), len(W)), rate, self.rng, network.dtype)
                for (W, _, _), rate in zip(network.layers, self.dropout, strict=True)
            ]
        value, gradients = network.loss_and_gradients(self.loss, X, T, masks)
        for penalty, strength in ((l1, self.l1), (l2, self.l2)):
            if strength:
                more = unwrap(penalty)(network.parameters, strength)[1]
                gradients = [g + d for g, d in zip(gradients, more, strict=True)]
        return value, gradients

    def evaluate(self, X: Array, T: Array, prefix: str = "") -> dict[str, float]:
        """Return loss and metric on a data set, without penalties, dropout or augmentation."""
        outputs = self.network.forward(X)[-1]
        # The metric comes first: a loss may overwrite the outputs.
        record = {} if self.metric is None else {f"{prefix}metric": self.metric(outputs, T)}
        value = self._finite(f"{prefix}loss", self.loss(outputs, T)[0])
        return {f"{prefix}loss": value} | record

    def _finite(self, name: str, value: float) -> float:
        if not math.isfinite(value):
            after = f"after {self.optimizer.iterations} updates: try a smaller learning rate"
            raise FloatingPointError(f"the {name} is {value} {after}, or clip the gradients")
        return value

    # The best epoch

    @property
    def best_epoch(self) -> int:
        """The number of the epoch with the lowest ``val_loss``, from 1; 0 without one."""
        losses = [record.get("val_loss", math.inf) for record in self.history]
        return 1 + losses.index(min(losses)) if losses and min(losses) < math.inf else 0

    def _out_of_patience(self, patience: int | None) -> bool:
        since_best = ["val_loss" in record for record in self.history[self.best_epoch :]]
        return patience is not None and sum(since_best) >= patience

    def restore_best(self) -> None:
        """Give the network the parameters of the best epoch."""
        if not self.best:
            raise ValueError("there are no best parameters: fit with validation data first")
        for p, best in zip(self.network.parameters, self.best, strict=True):
            p[...] = best

    # Interruptions

    def state(self) -> dict[str, Any]:
        """Return a copy of all that a run needs to go on: numbers, texts and arrays."""
        network, optimizer = self.network, self.optimizer
        settings = {
            "network": type(network).__name__,
            "activations": ", ".join(network.activations),
            "parameters": ", ".join(f"{p.dtype} {p.shape}" for p in network.parameters),
        }
        for f in fields(self):
            if f.init and f.name != "network":
                settings |= checkpoints.describe(f.name, getattr(self, f.name))
        progress = {
            "parameters": network.parameters,
            "slots": optimizer.state,
            "iterations": optimizer.iterations,
            "best": self.best,
            "history": self.history,
            "rng": self.rng.bit_generator.state,
        }
        return {"settings": settings} | copy.deepcopy(progress)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over the state of this run or of another one with the same settings.

        Raises
        ------
        ValueError
            If it is the state of a run with other settings, or of fewer epochs than this one has
            made. Nothing has been changed then.
        """
        mine = self.state()
        theirs, ours = (s.get("settings", {}) | {"state": ", ".join(s)} for s in (state, mine))
        for name in ours | theirs:
            one, other = (found.get(name, "no such setting") for found in (theirs, ours))
            if one != other:
                raise ValueError(f"a run with {name} {one!r}, and this one has {other!r}")
        done, made = len(state["history"]), len(self.history)
        if done < made:
            raise ValueError(f"a run of {done} epochs, and this one has made {made}")
        state, rng = copy.deepcopy(dict(state)), np.random.default_rng()
        rng.bit_generator.state = state["rng"]
        for p, saved in zip(self.network.parameters, state["parameters"], strict=True):
            p[...] = saved
        self.optimizer.state, self.optimizer.iterations = state["slots"], state["iterations"]
        self.best, self.history, self.rng = state["best"], state["history"], rng

    def _resume(self, file: str | Path) -> None:
        """Go on from a checkpoint, or write the first one."""
        if not Path(file).exists():
            return checkpoints.write(file, self.state())
        state = checkpoints.read(file)
        try:
            self.restore(state)
        except ValueError as error:
            raise ValueError(f"{file}: {error}; name another file, or delete this one") from error
