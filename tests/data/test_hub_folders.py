"""Data sets of the Hugging Face Hub: folders laid out as theirs, and those named by OWNER/NAME."""

import csv
import io
import json
import shutil
from collections import Counter
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants, errors
from PIL import Image

import tsugiki as tg
from tests.data.conftest import refusal
from tsugiki.core.errors import DataError, UnknownName
from tsugiki.data.sources.addresses.fetched import fetched_folder

CLASSES = ("ant", "bee", "cow")


def photo(number):
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (16, 16, 3)).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def shards(folder):
    """``data/train-00000-of-00002.parquet`` and so on, with the names of the classes in their notes."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    notes = {"info": {"features": {"image": {"_type": "Image"}, "label": {"names": CLASSES, "_type": "ClassLabel"}}}}
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    (folder / "data").mkdir(parents=True)
    parts = {"train-00000-of-00002": range(6), "train-00001-of-00002": range(6, 12), "test-00000-of-00001": range(12, 18)}
    for name, rows in parts.items():
        stored = pa.array([{"bytes": photo(row), "path": f"{row}.png"} for row in rows], type=kind)
        table = pa.table({"image": stored, "label": [row % 3 for row in rows]})
        table = table.replace_schema_metadata({"huggingface": json.dumps(notes)})
        parquet.write_table(table, folder / "data" / f"{name}.parquet")


def photos_with(metadata):
    def laid_out(folder):
        for split, rows in {"train": range(12), "test": range(12, 18)}.items():
            (folder / split).mkdir(parents=True)
            for row in rows:
                (folder / split / f"{row}.png").write_bytes(photo(row))
            with (folder / split / metadata).open("w", newline="") as file:
                said = [{"file_name": f"{row}.png", "label": CLASSES[row % 3]} for row in rows]
                if metadata.endswith("csv"):
                    csv.writer(file).writerows([said[0], *(one.values() for one in said)])
                else:
                    file.writelines(json.dumps(one) + "\n" for one in said)

    return laid_out


def image_folder(folder):
    for row in range(18):
        place = folder / "data" / ("train" if row < 12 else "test") / CLASSES[row % 3] / f"{row}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(photo(row))


LAYOUTS = {
    "shards": shards,
    "csv": photos_with("metadata.csv"),
    "jsonl": photos_with("metadata.jsonl"),
    "folders": image_folder,
}


@pytest.fixture(params=LAYOUTS)
def laid_out(request, tmp_path):
    """A folder as the Hub's are."""
    folder = tmp_path / "set"
    LAYOUTS[request.param](folder)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    (folder / ".gitattributes").write_text("*.parquet filter=lfs\n")
    return folder


def is_all_there(samples):
    found = Counter(zip((path.read_bytes() for path in samples.paths), samples.label_names(), samples.splits, strict=True))
    return found == Counter((photo(row), CLASSES[row % 3], "train" if row < 12 else "test") for row in range(18))


@pytest.fixture
def animals(tmp_path):
    """One of these folders."""
    LAYOUTS["csv"](tmp_path / "animals")
    return tmp_path / "animals"


@pytest.fixture
def hub(monkeypatch, animals):
    """A hub with one data set, and what it was asked for."""
    asked = []

    def snapshot_download(name, *, repo_type, revision, local_dir):
        assert constants.HF_HUB_DISABLE_TELEMETRY
        asked.append((name, repo_type, revision))
        if name != "zoo/animals":
            raise errors.RepositoryNotFoundError("no", response=_Answer())
        (Path(local_dir) / ".cache" / "huggingface").mkdir(parents=True)
        shutil.copytree(animals, local_dir, dirs_exist_ok=True)
        return str(local_dir)

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return asked


class _Answer:
    def __init__(self):
        self.headers, self.request = {}, None


@pytest.mark.robust(
    "layouts",
    case="a folder as the Hugging Face Hub has them (Parquet shards, metadata.csv, metadata.jsonl), plain and as hf:FOLDER",
    right="the same photos, classes and splits",
)
def test_a_folder_of_the_hub_is_read_as_it_is(laid_out):
    assert is_all_there(tg.load(laid_out))
    assert tg.load(f"hf:{laid_out}").names == tg.load(laid_out).names


def test_a_data_set_of_the_hub_is_fetched_once(hub, capsys):
    samples = tg.load("hf:zoo/animals")
    assert is_all_there(samples)
    assert "The data set zoo/animals of the Hugging Face Hub is in" in capsys.readouterr().err
    assert tg.load("hf:zoo/animals").paths == samples.paths
    assert is_all_there(tg.load("hf:zoo/animals@v2"))
    assert hub == [("zoo/animals", "dataset", None), ("zoo/animals", "dataset", "v2")]


@pytest.mark.usefixtures("hub")
def test_a_data_set_that_is_not_there_is_said():
    with pytest.raises(UnknownName, match="The hub has no zoo/plants, or it is private"):
        tg.load("hf:zoo/plants")
    assert not (fetched_folder() / "hf" / "zoo--plants").exists()


@pytest.mark.robust("layouts", case="hf:OWNER/NAME without a network", right="said, with the way round")
def test_without_a_network_it_is_said(monkeypatch):
    with pytest.raises(DataError, match=r"(?s)not on this machine.*HF_HUB_OFFLINE is set.*hf:FOLDER"):
        tg.load("hf:zoo/animals")

    def broken(*_, **__):
        raise errors.LocalEntryNotFoundError("cannot be found") from OSError("Name or service not known")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", broken)
    with pytest.raises(DataError, match=r"(?s)not on this machine.*Name or service not known.*connect to the network once"):
        tg.load("hf:zoo/animals")


@pytest.mark.parametrize("name", ["hf:", "hf:zoo/animals/more", "hf:../up", "hf:a b", "hf:zoo/animals@../../x"])
def test_what_is_no_name_is_refused(name):
    assert "hf:OWNER/NAME" in refusal(name)


def test_a_data_set_of_the_hub_cannot_name_files_outside_of_it(hub, animals, tmp_path):
    (tmp_path / "own.png").write_bytes(photo(0))
    shutil.rmtree(animals)
    animals.mkdir()
    (animals / "metadata.csv").write_text(f"file_name,label\n{tmp_path}/own.png,a\n../own.png,b\n")
    assert "names files outside of it" in refusal("hf:zoo/animals")
    assert hub
