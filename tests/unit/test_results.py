"""What the long runs found, and what the course promises of it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from backprop import datasets, results


def test_the_digit_reader_reads_as_well_as_the_results_say():
    reader, digits = results.digit_reader(), datasets.mnist()
    right = np.sum(reader.forward(digits.X_test)[-1].argmax(axis=1) == digits.y_test)
    runs = results.digits()["test"]["with augmentation"]["runs"]
    assert right == 10_000 - runs[0]["errors"]
    assert sum(p.size for p in reader.parameters) == 266_610


@pytest.mark.parametrize(
    ("name", "least_mean", "least"),
    [("with augmentation", 0.993, 0.992), ("without augmentation", 0.986, 0)],
)
def test_results_keep_what_the_course_promises(name, least_mean, least):
    accuracies = [run["accuracy"] for run in results.digits()["test"][name]["runs"]]
    assert len(accuracies) == 5
    assert np.mean(accuracies) >= least_mean
    assert min(accuracies) >= least


def test_speed_results_hold_both_thread_counts():
    runs = results.speed()
    assert {"SkylakeX", "Haswell"} <= set(runs)
    for run in runs.values():
        assert set(run["contenders"]) == set(run["steps"]) == {"1", "2"}
        assert {"sgd_step", "bare products", "Keras fit"} <= set(run["contenders"]["1"])


@pytest.mark.parametrize(
    ("loader", "file"),
    [
        (results.digits, "DIGITS_FILE"),
        (results.speed, "SPEED_FILE"),
        (results.digit_reader, "DIGITS_NETWORK_FILE"),
    ],
)
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_damaged_results_are_refused(loader, file, damage, tmp_path, monkeypatch):
    path = Path(shutil.copy(getattr(results, file), tmp_path))
    monkeypatch.setattr(results, file, path)
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=f"git checkout -- code/backprop/data/{path.name}"):
        loader()
