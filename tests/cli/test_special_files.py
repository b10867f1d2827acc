"""Whatever door a pipe, a socket, a device or a file of holes is brought to: nothing waits, and a sentence says what it is."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from tsugiki.classifier.engine_predictor import EnginePredictor
from tsugiki.core.errors import ArtefactError

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="files of these kinds are made on POSIX systems")

KINDS = ["pipe", "socket", "device", "holes"]


@pytest.fixture
def run_folder(saved_run):
    return saved_run


def _make(kind: str, path: Path) -> Path:
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            here = os.open(".", os.O_RDONLY)
            os.chdir(path.parent)  # the name of a socket must be short
            bound.bind(path.name)
            os.chdir(here)
            os.close(here)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.touch()
        os.truncate(path, 40 << 30)
    return path


def _refused(answer, path):
    status, out, err = answer
    assert status in {1, 2}, out
    assert "Something went wrong" not in err
    assert "not enough memory" not in err
    assert path.name in err
    return err


@pytest.mark.robust(
    "hostile",
    case="a pipe, socket, device or 40 GB of holes named as a photo",
    right="named as what it is, without waiting and without reading it",
)
@pytest.mark.parametrize("kind", KINDS)
def test_as_a_photo(tsu, run_folder, dishes, tmp_path, kind):
    path = _make(kind, tmp_path / "a.jpg")
    reason = "too large" if kind == "holes" else "no regular file"
    assert reason in _refused(tsu("predict", run_folder, path), path)
    photo = next(dishes.rglob("*.jpg"))
    status, out, err = tsu("predict", run_folder, photo, path)
    assert status == 1  # an answer is missing
    assert photo.name in out
    assert f"{path}: " in err
    assert reason in _refused(tsu("explain", run_folder, path, "--out", tmp_path / "why.png"), path)


@pytest.mark.robust(
    "hostile",
    case="a pipe, socket, device or 40 GB of holes among the photos of a class or the rows of a table",
    right="left out with its reason; the other photos are used",
)
@pytest.mark.parametrize("kind", KINDS)
def test_among_photos(tsu, dishes, tmp_path, kind):
    photos = shutil.copytree(dishes, tmp_path / "photos")
    bad = _make(kind, photos / "train" / "pizza" / "bad.jpg")
    rows = [f"{path.relative_to(photos)},{path.parent.name}" for path in sorted(photos.rglob("*.jpg"))]
    (photos / "list.csv").write_text("path,label\n" + "\n".join(rows), encoding="utf-8")
    for data in (photos, photos / "list.csv"):
        status, _, err = tsu("audit", data, "--backbone", "bundled:nae", "--out", tmp_path / f"found-{data.suffix}")
        assert status == 0, err
        assert bad.name in err
        assert ("too large" if kind == "holes" else "no regular file") in err


@pytest.mark.robust(
    "hostile",
    case="a pipe, socket, device or 40 GB of holes named as data: folder, table, archive",
    right="refused in a sentence, at once",
)
@pytest.mark.parametrize("name", ["photos", "list.csv", "list.parquet", "photos.zip", "photos.tar", "photos.tar.gz"])
@pytest.mark.parametrize("kind", KINDS)
def test_as_data(tsu, tmp_path, kind, name):
    path = _make(kind, tmp_path / name)
    _refused(tsu("audit", path, "--backbone", "bundled:nae"), path)


@pytest.mark.robust(
    "hostile",
    case="a pipe, socket, device or 40 GB of holes as weights, zoo, list of decisions or part of a run",
    right="refused in a sentence, at once",
)
@pytest.mark.parametrize("kind", KINDS)
def test_as_anything_else(tsu, dishes, run_folder, tmp_path, monkeypatch, kind):
    for name in ("weights.pth", "weights.safetensors"):
        path = _make(kind, tmp_path / name)
        _refused(tsu("fit", dishes, "--backbone", "timm:test_resnet", "--weights", path, "--out", tmp_path / "new"), path)
    path = _make(kind, tmp_path / "suspects.csv")
    _refused(tsu("fit", dishes, "--backbone", "bundled:nae", "--exclude", path, "--out", tmp_path / "new"), path)
    photo = next(dishes.rglob("*.jpg"))
    for name in ("classifier.json", "weights.safetensors"):
        run = shutil.copytree(run_folder, tmp_path / f"run-{name}")
        shutil.rmtree(run / "engine")  # which answers without the weights
        _make(kind, run / name)
        _refused(tsu("predict", run, photo), run)
    for name in ("history.csv", "predictions.csv"):
        run = shutil.copytree(run_folder, tmp_path / f"run-{name}")
        path = _make(kind, run / name)
        _refused(tsu("plot", run, "--data", dishes), path)
    path = _make(kind, tmp_path / "zoo.toml")
    monkeypatch.setenv("TSUGIKI_ZOO", str(path))
    _refused(tsu("summary", "ours"), path)


@pytest.mark.robust(
    "hostile",
    case="a pipe, socket or device in the place of a table, picture or folder that is to be written",
    right="refused in a sentence before anything is computed, and left as it is, also with --force",
)
@pytest.mark.parametrize("kind", KINDS[:-1])
def test_as_an_output(tsu, run_folder, dishes, tmp_path, kind):
    photo = next(dishes.rglob("*.jpg"))
    table, picture, folder = (_make(kind, tmp_path / name) for name in ("answers.csv", "picture.png", "folder"))
    before = [(path.lstat().st_mode, path.lstat().st_ino) for path in (table, picture, folder)]
    for words in (
        ("predict", run_folder, photo, "--out", table, "--force"),
        ("next", run_folder, dishes, "--out", table, "--force"),
    ):
        assert "cannot be written" in _refused(tsu(*words), table)
    for words in (("explain", run_folder, photo, "--out", picture), ("predict", run_folder, photo, "--plot", picture)):
        assert "no regular file" in _refused(tsu(*words), picture)
    for words in (
        ("plot", run_folder, "--out", folder),
        ("fit", dishes, "--backbone", "bundled:nae", "--out", folder, "--force"),
    ):
        _refused(tsu(*words), folder)
    assert [(path.lstat().st_mode, path.lstat().st_ino) for path in (table, picture, folder)] == before


@pytest.mark.cold
@pytest.mark.robust(
    "hostile", case="an engine, or an index of weights, of 40 GB of holes", right="known as damage without being read"
)
def test_files_of_holes_inside_of_others_are_not_read(tsu, run_folder, dishes, tmp_path):
    index = _make("holes", tmp_path / "model.safetensors.index.json")
    words = ("fit", dishes, "--backbone", "timm:test_resnet", "--weights", index, "--out", tmp_path / "new")
    assert "too large" in _refused(tsu(*words), index)
    for name in ("network.xml", "network.bin"):
        run = shutil.copytree(run_folder, tmp_path / f"run-{name}")
        _make("holes", run / "engine" / name)
        with pytest.raises(ArtefactError, match=r"(?s)damaged.*too large"):
            EnginePredictor.load(run)
