"""What every test may use: a quiet, English, offline program with its own cache, and the real material where it is."""

import os
import shutil
import struct
import sys
import time
import zlib
from pathlib import Path

import pytest

# Two test processes on two cores: more threads each would only fight. Set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # for tests that use ONNX Runtime themselves

MATERIAL = Path(os.environ.get("TSUGIKI_MATERIAL", Path(__file__).parents[2] / "shared"))


LONGEST = ("survival", "test_nothing_leaves.py", "docs_site", "serving", "publishing", "cli", "training")
"""What has long tests: begun first, so that at the end no process waits for another's last one."""


def pytest_collection_modifyitems(items):
    """Put the files with long tests first; inside, the order stays."""
    here = Path(__file__).parent

    def place(item):
        first = item.path.relative_to(here).parts[0]
        return LONGEST.index(first) if first in LONGEST else len(LONGEST)

    items.sort(key=place)


TRAINS = {"tsu", "run_cli", "dish_run", "nae"}
"""Fixtures of tests that save or ask classifiers: these begin where the bundled backbone has been compiled once."""


@pytest.fixture(autouse=True)
def _own_world(request, tmp_path_factory, monkeypatch):
    """English messages and a cache of its own, whatever the person's own settings are.

    It is empty, but for what is kept of the bundled backbone's compiled network, where a test may need it: compiling it takes
    longer than most tests. Tests marked ``cold`` find nothing.
    """
    from tsugiki.locale.messages import use_language

    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("TSUGIKI_CACHE", str(cache))
    monkeypatch.delenv("TSUGIKI_ZOO", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))
    use_language("en")
    if not TRAINS.isdisjoint(request.fixturenames) and request.node.get_closest_marker("cold") is None:
        engines = request.getfixturevalue("compiled")
        (cache / "engines").mkdir(exist_ok=True)
        for path in engines.iterdir():
            if not (cache / "engines" / path.name).exists():  # as where this test is the first one, and has compiled it
                os.link(path, cache / "engines" / path.name)
    yield
    use_language(None)
    shutil.rmtree(cache, ignore_errors=True)  # thousands of caches with a network in each would fill a small disk


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder of real photos and real weights."""
    if not (MATERIAL / "weights").is_dir():
        pytest.skip(f"no real photos and weights at {MATERIAL} (set TSUGIKI_MATERIAL)")
    return MATERIAL


@pytest.fixture(scope="session")
def drawn_sample(tmp_path_factory) -> Path:
    """The folder of the drawn sample, drawn once."""
    from tsugiki.data.synthetic.sample import sample_folder

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSUGIKI_CACHE", str(tmp_path_factory.mktemp("drawn")))
        return sample_folder("foodvision")


@pytest.fixture(scope="session")
def sets(tmp_path_factory):
    """Photos with a red, a green and a blue square, in any combination; on grey with noise, so that no two are the same."""
    import csv

    import numpy as np
    from PIL import Image

    dice, root = np.random.default_rng(0), tmp_path_factory.mktemp("sets")
    colours = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 230)}
    rows = []
    for number in range(150):
        picture = dice.integers(90, 140, (96, 96, 3)).astype(np.uint8)
        shown = [name for name in colours if dice.random() < 0.4]
        for place, name in zip(dice.permutation(4), shown, strict=False):
            top, left = 8 + 44 * (place // 2) + dice.integers(0, 8), 8 + 44 * (place % 2) + dice.integers(0, 8)
            picture[top : top + 32, left : left + 32] = colours[name]
        Image.fromarray(picture).save(root / f"{number:03}.png")
        rows.append((f"{number:03}.png", "|".join(sorted(shown)) or "|", "test" if number % 5 == 0 else "train"))
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "split"), *rows])
    return root


@pytest.fixture
def run_cli():
    """Run the program as a user would, in a process of its own; gives the finished process."""
    import subprocess

    def run(*words: object, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "tsugiki", *map(str, words)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
        )

    return run


@pytest.fixture(scope="session")
def dishes(tmp_path_factory):
    """A small part of the drawn sample with splits of its own: 12 photos to learn from and 6 held out of each of 3 classes."""
    from tsugiki.data.synthetic.sample import DISHES, draw_photo

    root = tmp_path_factory.mktemp("dishes")
    for dish in DISHES:
        for number in range(18):
            path = root / ("train" if number < 12 else "test") / dish / f"{number:02}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(draw_photo(dish, number))
    return root


@pytest.fixture
def decoded(monkeypatch):
    """The files that are decoded for their features, one entry per time."""
    from tsugiki.features.executor import PixelReader

    seen = []
    read = PixelReader.read

    def counted(reader, position):
        seen.append(reader.paths[position])
        return read(reader, position)

    monkeypatch.setattr(PixelReader, "read", counted)
    return seen


@pytest.fixture
def hollow_png():
    """A PNG file whose every checksum is right, and whose pixels cannot be decoded: only decoding tells."""
    rows = b"no stream of zlib"
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    written = [struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


@pytest.fixture
def flat(dishes, tmp_path):
    """54 photos in class folders, nothing held out; old enough to be trusted."""
    root = tmp_path / "flat"
    for path in sorted(dishes.rglob("*.jpg")):
        target = root / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    time.sleep(0.06)
    return root


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium for the pages."""
    from tests.reporting.browser import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def nae():
    """The bundled backbone, loaded once: tests must leave it as it is."""
    from tsugiki.backbones.load_backbone import load_backbone

    return load_backbone("bundled:nae")


@pytest.fixture(scope="session")
def dish_run(dishes, nae, tmp_path_factory):
    """One run of the whole story on ``dishes``, trained once: tests must leave it as it is."""
    import tsugiki as tg
    from tsugiki.core.console import quiet
    from tsugiki.features.extract import FeatureSettings
    from tsugiki.features.store import FeatureStore

    with quiet():
        model = tg.Classifier(nae, classes=("pizza", "steak", "sushi"))
        return tg.fit(model, dishes, features=FeatureSettings(store=FeatureStore(tmp_path_factory.mktemp("store"))))


@pytest.fixture(scope="session")
def compiled(dish_run, tmp_path_factory):
    """What is kept of the bundled backbone's compiled network, compiled once; the program never writes into such a file."""
    import hashlib

    from tsugiki.backbones.load_backbone import load_backbone

    cache = tmp_path_factory.mktemp("compiled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSUGIKI_CACHE", str(cache))
        load_backbone("bundled:nae")
        dish_run.classifier.save(cache / "run")
    files = {path: hashlib.sha256(path.read_bytes()).digest() for path in (cache / "engines").iterdir()}
    assert len(files) > 2
    yield cache / "engines"
    assert files == {path: hashlib.sha256(path.read_bytes()).digest() for path in files}, "a test has damaged what all use"


@pytest.fixture(scope="session")
def saved_run_once(dish_run, tmp_path_factory):
    """The folder of ``dish_run``, saved once: tests must leave it as it is."""
    import tsugiki as tg

    return tg.save_run(dish_run, tmp_path_factory.mktemp("saved") / "run")


@pytest.fixture
def saved_run(saved_run_once, tmp_path):
    """The folder of ``dish_run``, ``run`` in ``tmp_path``: a copy, with which a test may do as it likes."""
    return shutil.copytree(saved_run_once, tmp_path / "run")


@pytest.fixture(scope="session")
def saved_classifier_once(dish_run, tmp_path_factory):
    """The classifier of ``dish_run`` alone, saved once: tests must leave it as it is."""
    return dish_run.classifier.save(tmp_path_factory.mktemp("saved") / "run")


@pytest.fixture
def saved_classifier(saved_classifier_once, tmp_path):
    """The classifier of ``dish_run`` alone, ``run`` in ``tmp_path``: a copy, with which a test may do as it likes."""
    return shutil.copytree(saved_classifier_once, tmp_path / "run")


@pytest.fixture(scope="session")
def plates(dishes, tmp_path_factory):
    """A table of 36 photos to learn from and 18 held out with none to three of 3 dishes each; some cells are not known."""
    from tests.mosaics import mosaics

    return mosaics(dishes, tmp_path_factory.mktemp("plates"))
