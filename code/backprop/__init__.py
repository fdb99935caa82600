"""Helpers of the course *Backpropagation by Hand, Checked by Machine*.

Import the modules by name, ``from backprop import losses, network``. Importing the package itself
loads nothing else: no NumPy, no matplotlib, no TensorFlow, no data.

The mathematics:

- `activations`, `losses`: functions and their derivatives
- `network`: dense layers, forward and backward
- `recurrent`: RNN, LSTM and GRU, backpropagation through time, truncated or not
- `regularization`: L1, L2, dropout
- `optimizers`, `schedules`: what to do with a gradient, and how fast
- `autodiff`: gradients of plain NumPy functions, forward and reverse

Checks of a gradient:

- `gradcheck`: finite differences, the complex step, tables that say where a mistake sits
- `tensorflow_twin`: the same by TensorFlow's tape
- `exercises`: what is wrong with an answer to an exercise

Training:

- `training`, `metrics`, `checkpoints`: epochs of mini-batches, judged, interrupted and resumed
- `augmentation`: new images from old ones
- `fast`: the same gradients in less time
- `data_parallel`, `multi_worker`: one batch on several workers

Data and pages:

- `datasets`, `results`: MNIST, small sets, your own images; what the long runs found
- `plotting`, `display`: figures and source text for notebooks

Shared by all of them:

- `contracts`: what functions take, stated in their annotations and held by a gate
- `npz`: files of arrays
"""

__version__ = "0.2.0"
