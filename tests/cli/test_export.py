"""``tsugiki export``: one line on standard output, the next step on the other."""

import json
import shutil

import pytest


@pytest.fixture(scope="module")
def run(saved_classifier_once, tmp_path_factory):
    return shutil.copytree(saved_classifier_once, tmp_path_factory.mktemp("export") / "run")


@pytest.mark.long
def test_it_writes_a_folder_and_says_how_to_go_on(tsu, run, dishes, tmp_path):
    status, out, err = tsu("export", run, "--format", "openvino", "--out", tmp_path / "my model", "--photos", dishes / "test")
    assert (status, out) == (0, f"{tmp_path / 'my model'}\n")
    assert "Proven on 28 photos" in err
    assert f"next: python '{tmp_path / 'my model' / 'predict.py'}' PHOTO" in err
    status, out, _ = tsu("export", run, "--format", "openvino", "--out", tmp_path / "my model", "--json")
    assert (status, json.loads(out)["photos"]) == (0, 20)


def test_what_makes_no_sense_is_refused(tsu, run, tmp_path):
    status, out, err = tsu("export", run, "--format", "onyx")
    assert (status, out) == (2, "")
    assert "did you mean onnx?" in err
    status, out, err = tsu("export", run, "--format", "openvino", "--precision", "int8")
    assert (status, out) == (2, "")
    assert "name them with --data" in err
    status, _, err = tsu("export", run, "--format", "openvino", "--photos", tmp_path / "nowhere")
    assert status == 2
    assert "There is no folder" in err
    status, out, _ = tsu("--lang", "ja", "export", "--help")
    assert status == 0
    assert "ONNX" in out
