"""Helpers of the course *Backpropagation by Hand, Checked by Machine*.

Import the modules by name, ``from backprop import losses, network``. Importing the package
itself loads nothing else: no matplotlib, no TensorFlow, no data.
"""

__version__ = "0.1.0"
