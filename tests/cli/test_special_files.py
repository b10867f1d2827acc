"""Whatever door a pipe, a socket, a device or a file of holes is brought to: nothing waits, and a sentence says what it is."""

import os
import shutil
import socket
from pathlib import Path

import pytest

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
