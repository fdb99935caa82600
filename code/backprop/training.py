"""Training: epochs of mini-batches, with what a long run needs besides gradients.

A `Trainer` takes a network, a loss and an optimizer through a data set. It adds penalties and
dropout, warps the images anew for every epoch, keeps the best parameters and the learning curves,
stops early, and writes checkpoints from which an interrupted run goes on as if there had been no
interruption.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from backprop import checkpoints
from backprop.datasets import batches
from backprop.losses import Loss
from backprop.network import Network
from backprop.optimizers import Optimizer
from backprop.regularization import dropout_mask, l1, l2
from backprop.validation import (
    Array,
    float_array,
    same_dtype,
    share_dropped,
    strength_of_penalty,
    whole_number,
)

Data = tuple[npt.ArrayLike, npt.ArrayLike]


def accuracy(outputs: Array, T: Array) -> float:
    """Return the share of examples whose largest output is where the target's largest is.

    Parameters
    ----------
    outputs : ndarray, shape (N, K)
        Logits or probabilities of two classes or more.
    T : ndarray, shape (N, K)
        One-hot rows, for example.
    """
    if outputs.ndim != 2 or outputs.shape[1] < 2 or T.shape != outputs.shape:
        raise ValueError(
            f"accuracy: expected outputs and targets of two columns or more, got {outputs.shape}"
            f" and {T.shape}"
        )
    return float(np.mean(outputs.argmax(axis=1) == T.argmax(axis=1)))


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
        ``metric(outputs, T)``, for the history: `accuracy`, for example.

    Attributes
    ----------
    history : list of dict
        For each epoch, the ``loss``: the mean over its batches, as they came, without penalties.
        With validation data, ``val_loss`` and ``val_metric`` at its end.
    best : list of ndarray
        The parameters of the epoch with the lowest ``val_loss``; empty without one.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """

    network: Network
    loss: Loss
    optimizer: Optimizer
    seed: int
    batch_size: int = 100
    l1: float = 0.0
    l2: float = 0.0
    dropout: Sequence[float] = ()
    augment: Callable[[Array, np.random.Generator], Array] | None = None
    metric: Callable[[Array, Array], float] | None = None
    history: list[dict[str, float]] = field(default_factory=list, init=False)
    best: list[Array] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what would fail in the middle of a run."""
        for name, kind in (("network", Network), ("optimizer", Optimizer)):
            if not isinstance(value := getattr(self, name), kind):
                raise ValueError(f"{name}: expected one of class {kind.__name__}, got {value!r}")
        for name in ("loss", "augment", "metric"):
            value = getattr(self, name)
            if not callable(value) and (name == "loss" or value is not None):
                raise ValueError(f"{name}: expected a function, got {value!r}")
        whole_number("batch_size", self.batch_size, least=1)
        strength_of_penalty("l1", self.l1)
        strength_of_penalty("l2", self.l2)
        layers = len(self.network.activations)
        if np.shape(self.dropout) not in ((0,), (layers,)):
            raise ValueError(
                f"dropout: expected a rate for each of {layers} layers, got {self.dropout}"
            )
        for rate in self.dropout:
            share_dropped("dropout", rate)
        self.rng = np.random.default_rng(whole_number("seed", self.seed, least=0))

    def fit(
        self,
        X: npt.ArrayLike,
        T: npt.ArrayLike,
        epochs: int,
        validation: Data | None = None,
        patience: int | None = None,
        checkpoint: str | Path | None = None,
    ) -> list[dict[str, float]]:
        """Train until so many epochs are done, and return the history.

        Parameters
        ----------
        X : array_like, shape (N, D)
        T : array_like, shape (N, K)
        epochs : int
            In all: with those that the history and the checkpoint hold already.
        validation : pair of array_like, optional
            ``(X, T)`` of examples that are not trained on, to be evaluated after every epoch.
        patience : int, optional
            Stop when ``val_loss`` has not fallen below its lowest for so many epochs.
        checkpoint : path, optional
            A file, which should end in ``.npz``. If it exists, the run goes on from there; it is
            written before the first epoch and after every one. Settings are compared, functions by
            their names, and schedules by the numbers that they enclose, too. Data are not.

        Raises
        ------
        ValueError
            If data do not fit, or the checkpoint belongs to a run with other settings, or to one
            that has not come as far.
        FloatingPointError
            If the loss, or that of the validation data, is not a finite number any more. (The
            functions of `losses` raise ValueError for outputs that are not finite.)
        """
        X, T = self._checked("", X, T)
        if validation is not None and (
            not isinstance(validation, tuple | list) or len(validation) != 2
        ):
            raise ValueError(
                f"validation: expected a pair (X, T), got a {type(validation).__name__}"
            )
        held_out = None if validation is None else self._checked("validation ", *validation)
        if held_out is None and patience is not None:
            raise ValueError("patience: expected validation data to judge by, got none")
        whole_number("epochs", epochs, least=1)
        if patience is not None:
            whole_number("patience", patience, least=1)
        if checkpoint is not None and Path(checkpoint).exists():
            checkpoints.load(self, checkpoint)
        elif checkpoint is not None:
            checkpoints.save(self, checkpoint)
        with tqdm(total=epochs, initial=len(self.history), unit="epoch") as bar:
            while len(self.history) < epochs and not self._exhausted(patience):
                record = {"loss": self._epoch(X, T)}
                if held_out is not None:
                    record |= self.evaluate(*held_out, prefix="val_")
                    self._refuse_divergence("validation loss", record["val_loss"])
                self.history.append(record)
                if self.best_epoch == len(self.history):
                    self.best = [p.copy() for p in self.network.parameters]
                if checkpoint is not None:
                    checkpoints.save(self, checkpoint)
                bar.set_postfix(record, refresh=False)
                bar.update()
        return self.history

    def _checked(self, whose: str, X: npt.ArrayLike, T: npt.ArrayLike) -> tuple[Array, Array]:
        """Return inputs and targets as finite arrays that fit the network and each other."""
        D, K = len(self.network.parameters[0]), len(self.network.parameters[-1])
        if np.ndim(T) == 1:
            raise ValueError(
                f"{whose}T: expected a row for each example, got {np.shape(T)}; of labels,"
                f" datasets.one_hot(labels, {K}) makes rows"
            )
        x = float_array(f"{whose}X", X, ("N", D))
        t = float_array(f"{whose}T", T, (len(x), K))
        same_dtype(f"{whose}X", x, self.network.dtype)
        same_dtype(f"{whose}T", t, self.network.dtype)
        return x, t

    def _epoch(self, X: Array, T: Array) -> float:
        """Show every example once and return the mean loss."""
        if self.augment is not None:
            original = X.view()
            original.flags.writeable = False
            X = float_array("augment(X)", self.augment(original, self.rng), X.shape)
        total = 0.0
        for rows in batches(len(X), self.batch_size, self.rng):
            x, t = X.take(rows, axis=0), T.take(rows, axis=0)  # faster than X[rows]
            value, gradients = self.loss_and_gradients(x, t)
            self._refuse_divergence("loss", value)
            self.optimizer.step(self.network.parameters, gradients)
            total += value * len(rows)
        return total / len(X)

    def _refuse_divergence(self, name: str, value: float) -> None:
        if not math.isfinite(value):
            raise FloatingPointError(
                f"the {name} is {value} after {self.optimizer.iterations} updates: try a smaller"
                " learning rate, or gradients that are clipped"
            )

    def loss_and_gradients(self, X: Array, T: Array) -> tuple[float, list[Array]]:
        """Return a batch's loss, without penalties, and the gradients of loss and penalties.

        Draws new dropout masks from the run's generator.
        """
        masks = None
        if len(self.dropout):
            widths = [len(W) for W in self.network.parameters[::2]]
            masks = [
                dropout_mask((len(X), width), rate, self.rng, self.network.dtype)
                for width, rate in zip(widths, self.dropout, strict=True)
            ]
        value, gradients = self.network.loss_and_gradients(self.loss, X, T, masks)
        for penalty, strength in ((l1, self.l1), (l2, self.l2)):
            if strength:
                more = penalty(self.network.parameters, strength)[1]
                gradients = [g + d for g, d in zip(gradients, more, strict=True)]
        return value, gradients

    def evaluate(self, X: Array, T: Array, prefix: str = "") -> dict[str, float]:
        """Return loss and metric on a data set, without penalties, dropout or augmentation."""
        outputs = self.network.forward(X)[-1]
        # The metric comes first: a loss may overwrite the outputs.
        record = {} if self.metric is None else {f"{prefix}metric": self.metric(outputs, T)}
        return {f"{prefix}loss": self.loss(outputs, T)[0]} | record

    @property
    def best_epoch(self) -> int:
        """The number of the epoch with the lowest ``val_loss``, from 1; 0 without one."""
        losses = [record.get("val_loss", math.inf) for record in self.history]
        return 1 + losses.index(min(losses)) if losses and min(losses) < math.inf else 0

    def _exhausted(self, patience: int | None) -> bool:
        since_best = ["val_loss" in record for record in self.history[self.best_epoch :]]
        return patience is not None and sum(since_best) >= patience

    def restore_best(self) -> None:
        """Give the network the parameters of the best epoch."""
        if not self.best:
            raise ValueError("there are no best parameters: fit with validation data first")
        for p, best in zip(self.network.parameters, self.best, strict=True):
            p[...] = best
