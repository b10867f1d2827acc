"""A classifier of several labels, exported: each class has a probability of its own and is shown from its threshold on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import tsugiki as tg
from tsugiki.publishing.export import export


@pytest.fixture(scope="module")
def run(sets, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSUGIKI_CACHE", str(tmp_path_factory.mktemp("cache")))
        data = tg.load(sets)
        model = tg.Classifier("bundled:nae", classes=data.classes, task="multi")
        return tg.fit(model, data).save(tmp_path_factory.mktemp("runs") / "run")


@pytest.mark.long
@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_the_exported_program_shows_the_labels_that_predict_shows(run, sets, tmp_path, name):
    export(run, name, tmp_path / name)
    photos = sorted(sets.glob("*.png"))[:12]
    told = subprocess.run(
        [sys.executable, "-I", str(tmp_path / name / "predict.py"), "--json", *map(str, photos)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    answers = tg.Classifier.load(run).predict(photos)
    assert {len(one.labels) for one in answers} > {0, 1}
    for one, other in zip(answers, json.loads(told.stdout), strict=True):
        assert other["labels"] == list(one.labels)
        assert other["label"] == ", ".join(one.labels)
        assert list(other["probabilities"].values()) == pytest.approx(one.probabilities, abs=1e-4)
    if name == "onnx":
        example = Path(__file__).parents[2] / "examples" / "export" / "classify.py"
        for one, photo in list(zip(answers, photos, strict=True))[::4]:
            command = [sys.executable, example, tmp_path / name, photo]
            line = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True).stdout
            shown = [] if line.startswith("none of the classes\t") else line.split("\t")[0].split(", ")
            assert set(shown) == set(one.labels)
    about = json.loads((tmp_path / name / "model.json").read_text(encoding="utf-8"))
    assert about["task"] == "multi"


def test_a_line_of_the_exported_program_has_the_probability_of_each_label(run, sets, tmp_path):
    export(run, "onnx", tmp_path / "onnx")
    photos = sorted(sets.glob("*.png"))[:12]
    words = [sys.executable, "-I", str(tmp_path / "onnx" / "predict.py"), *map(str, photos)]
    lines = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", check=True).stdout.splitlines()
    for line, one in zip(lines, tg.Classifier.load(run).predict(photos), strict=True):
        _, label, chances = line.split("\t")
        if one.labels:
            assert chances.count("%") == len(one.labels)
        else:  # the probability is not that of showing none
            assert "none of the classes" in label
            assert chances.startswith("at most ")
