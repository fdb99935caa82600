"""What the long runs found, and what the course promises of it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from backprop import datasets, results


def test_the_digit_reader_reads_as_well_as_the_results_say():
    reader, digits = results.digit_reader(), datasets.mnist()
    right = np.sum(reader.forward(digits.X_test)[-1].argmax(axis=1) == digits.y_test)
    assert sum(p.size for p in reader.parameters) == 266_610
    test = results.digits()["test"]
    assert right == 10_000 - test["with augmentation"]["runs"][0]["errors"]
    for name, mean, least in (("with", 0.993, 0.992), ("without", 0.986, 0)):
        accuracies = [run["accuracy"] for run in test[f"{name} augmentation"]["runs"]]
        assert len(accuracies) == 5
        assert np.mean(accuracies) >= mean
        assert min(accuracies) >= least


def test_speed_results_hold_both_thread_counts():
    runs = results.speed()
    assert {"SkylakeX", "Haswell"} <= set(runs)
    for run in runs.values():
        assert set(run["contenders"]) == set(run["steps"]) == {"1", "2"}
        assert {"sgd_step", "bare products", "Keras fit"} <= set(run["contenders"]["1"])


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text('{"seed":')])
def test_damaged_results_are_refused(damage, tmp_path, monkeypatch):
    loaders = {
        "SPEED_FILE": results.speed,
        "ZOO_FILE": results.zoo,
        "DIGITS_NETWORK_FILE": results.digit_reader,
        "DIGITS_FILE": results.digits,
    }
    for name, load in loaders.items():
        path = Path(shutil.copy(getattr(results, name), tmp_path))
        monkeypatch.setattr(results, name, path)
        damage(path)
        with pytest.raises(ValueError, match=f"git checkout -- code/backprop/data/{path.name}"):
            load()
