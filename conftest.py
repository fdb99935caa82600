"""Settings shared by all tests."""

import os

# Notebooks that tests execute inherit these: no progress bars in their outputs, and one thread
# for each product of matrices. On a busy machine several threads mostly wait for each other,
# which takes a chapter from 20 seconds to 80. NumPy and TensorFlow read them when they are loaded.
os.environ.setdefault("TQDM_DISABLE", "1")
for variable in ("OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(variable, "1")

import matplotlib  # noqa: E402
import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

pytest_plugins = ["execution", "parallel"]

# Figures are drawn to memory, also on a machine with a screen. The variable MPLBACKEND would do
# it too, but executed notebooks inherit it, and show no figure then.
matplotlib.use("Agg")

# The same examples in every run, and no look at the clock: what passes here passes for everybody.
settings.register_profile(
    "course", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("course")


def pytest_configure():
    if not __debug__:  # pytest itself only warns; the chapters' asserts would say nothing
        raise pytest.UsageError(
            "asserts are switched off, so these tests would check nothing: "
            "unset PYTHONOPTIMIZE, and run Python without -O"
        )
