"""Settings shared by all tests."""

import os

import matplotlib
from hypothesis import settings

# Notebooks that tests execute inherit these: no progress bars in their outputs, and one thread
# for each product of matrices. On a busy machine several threads mostly wait for each other,
# which takes a chapter from 20 seconds to 80.
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Figures are drawn to memory, also on a machine with a screen. The variable MPLBACKEND would do
# it too, but executed notebooks inherit it, and show no figure then.
matplotlib.use("Agg")

# The same examples in every run: what passes here passes for everybody.
settings.register_profile("course", deadline=None, derandomize=True)
settings.load_profile("course")
