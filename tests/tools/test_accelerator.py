"""The comparison of a device with the processor: here, of the processor with itself."""

import re
import sys

import numpy as np
import pytest
import torch
import torchvision

from benchmarks import accelerator
from benchmarks.accelerator import agreement
from tests.pretended_device import pretended
from tsugiki.core import devices
from tsugiki.data.synthetic.sample import draw_photo
from tsugiki.fine_tuning.checkpoints import Checkpoints

NETWORK = ["--backbone", "timm:test_efficientnet", "--weights", "none", "--runs", "1", "--epochs", "1"]


@pytest.fixture
def photos(tmp_path):
    for dish in ("pizza", "sushi"):
        for number in range(10):
            path = tmp_path / "photos" / ("train" if number < 7 else "test") / dish / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(draw_photo(dish, number))
    return tmp_path / "photos"


@pytest.fixture
def compare(monkeypatch, capsys):
    """``compare(*words)``: what the command prints, and its rows by their first cell."""

    def compare(*words):
        monkeypatch.setattr(sys, "argv", ["accelerator", *map(str, words)])
        accelerator.main()
        told = capsys.readouterr().out
        cells = [
            [cell.strip(" *") for cell in line.strip("|").split("|")] for line in told.splitlines() if line.startswith("|")
        ]
        rows = {}
        for first, *others in cells:
            rows.setdefault(first, []).append(others)
        return told, rows

    return compare


def test_where_there_is_no_accelerator_it_says_so(compare, monkeypatch):
    monkeypatch.setattr(devices, "_available", lambda: ("cpu",))
    told, rows = compare()
    assert told.startswith("There is no accelerator here")
    assert told.count("\n") == 1
    assert not rows


def test_a_device_that_is_not_here_is_refused_with_those_that_are(compare):
    with pytest.raises(SystemExit, match="no device 'cuda:99'") as refused:
        compare("--device", "cuda:99")
    assert "allowed: " in str(refused.value)


def test_the_processor_answers_as_itself(compare, photos):
    _, rows = compare(photos, "--device", "cpu", "--precision", "float32", "bfloat16", *NETWORK)
    features, tuned = rows["cpu, float32"]
    assert features[:4] == ["1.000000", "0.0e+00", "100.0%", "0.0e+00"]
    assert tuned[:2] == ["100.0%", "0.0e+00"]
    reduced, tuned = rows["cpu, bfloat16"]
    assert 0.99 < float(reduced[0]) <= 1
    assert float(reduced[1]) > 0  # 16 bits were computed in
    assert reduced[-1] == tuned[-1] == ""
    numbers = [rows[name][0][0] for name in ("limit of decoding and computing", "extraction, store included")]
    assert all(re.match(r"\d+ \(\d+ to \d+\)$", number) for number in numbers)
    assert float(rows["share of the limit reached"][0][0]) > 0
    assert rows["decoded by the device (nvJPEG)"] == [["not here: CUDA has it"]]


@pytest.mark.long
def test_a_way_that_fails_is_a_row_and_no_end(compare, photos, monkeypatch):
    tune, engine = accelerator.fine_tuned, accelerator.Way.engine

    def fails(*given):
        way = next(one for one in given if isinstance(one, accelerator.Way))
        if way.precision == "bfloat16":
            raise RuntimeError("no such\nkernel | here")
        return (engine if len(given) == 2 else tune)(*given)

    monkeypatch.setattr(accelerator, "fine_tuned", fails)
    monkeypatch.setattr(accelerator.Way, "engine", fails)
    _, rows = compare(photos, "--device", "cpu", "--precision", "bfloat16", "float32", *NETWORK)
    assert [row[-1] for row in rows["cpu, bfloat16"]] == ["RuntimeError: no such kernel / here"] * 2
    assert [row[-1] for row in rows["cpu, float32"]] == ["", ""]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")  # PyTorch's own copies of its own tensors
def test_what_is_for_cuda_only_runs_where_cuda_is_pretended(compare, photos, monkeypatch):
    """Numbers say nothing there; but a command that nobody here can run must not fail where it is wanted."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a pretended device")
    monkeypatch.setattr(Checkpoints, "save", lambda *_: None)  # a file would need numbers
    decoded = []
    monkeypatch.setattr(torchvision.io, "decode_jpeg", lambda files, **how: decoded.append((len(files), how["device"])))
    with pretended(None, {"": "*"}) as watch:
        told, rows = compare(photos, "--no-compile", "--precision", "float16", *NETWORK)
    assert told.startswith("a pretended device; 20 photos")
    assert [row[-1] for row in rows["cuda, float16"]] == ["", ""]
    assert watch.types["convolution"] == {"float32", "bfloat16", "float16"}  # to compare, by the program's own choice, as asked
    assert decoded == [(20, torch.device("cuda"))] * 2
    assert re.match(r"\d+ ", rows["decoded by the device (nvJPEG)"][0][0])


def test_agreement_is_of_answers_and_of_probabilities():
    first = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.5, 0.5]], np.float32)
    second = np.array([[0.8, 0.2], [0.3, 0.7], [0.2, 0.8], [0.6, 0.4]], np.float32)
    share, largest = agreement(first, second)
    assert share == 0.75
    assert largest == pytest.approx(0.3)
