"""Files of arrays: of just the name that was given, whole or not at all."""

import os

import numpy as np
import pytest

from backprop import npz

ARRAYS = {"a": np.ones((2, 3), np.float32), "b": np.array(["tanh", "relu"]), "c": np.array(1)}


def test_arrays_come_back_from_a_file_of_just_that_name(tmp_path):
    npz.write(tmp_path / "model", a=np.zeros(100))  # what was there before is gone
    npz.write(str(tmp_path / "model"), **ARRAYS)
    assert os.listdir(tmp_path) == ["model"]
    found = npz.read(tmp_path / "model")
    assert found.keys() == ARRAYS.keys()
    for key, array in ARRAYS.items():
        np.testing.assert_array_equal(found[key], array, strict=True)
    with pytest.raises(FileNotFoundError, match=r"model: there is no folder .*runs$"):
        npz.write(tmp_path / "runs" / "model", **ARRAYS)


@pytest.mark.parametrize("broken", [(np, "savez"), (os, "replace")])
def test_who_is_stopped_while_writing_leaves_the_old_file(tmp_path, monkeypatch, broken):
    def stop(target, *_, **__):
        if broken[0] is np:
            target.write(b"half of it")
        raise KeyboardInterrupt

    npz.write(tmp_path / "model", **ARRAYS)
    before = (tmp_path / "model").read_bytes()
    monkeypatch.setattr(*broken, stop)
    with pytest.raises(KeyboardInterrupt):
        npz.write(tmp_path / "model", a=np.zeros(3))
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("model", before)]


def test_other_files_are_refused(tmp_path):
    file = tmp_path / "model.npz"

    def refused(reason):
        with pytest.raises(ValueError, match=rf"model\.npz: cannot be read \(.*{reason}"):
            npz.read(file)

    refused("No such file")
    npz.write(file, **ARRAYS)
    whole = file.read_bytes()
    file.write_bytes(whole.replace("tanh".encode("utf-32-le"), "sinh".encode("utf-32-le")))
    refused("Bad CRC-32")
    for data in (b"", b"text", whole[:100], whole[:-100], b"\x93NUMPY"):
        file.write_bytes(data)
        refused("File is not a zip file")
    np.savez(file, a=np.array(["tanh", None], object))
    refused("allow_pickle=False")
