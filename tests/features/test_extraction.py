"""Each photo is looked at once: whatever was kept is found again, whatever is new or changed is computed, nothing else."""

import copy
import dataclasses
import io
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from tests.features import sharing
from tsugiki.core.errors import DataError
from tsugiki.data.images.pixels import View, read_pixels
from tsugiki.data.preprocess import Preprocess
from tsugiki.data.samples import Samples
from tsugiki.features import extract as extraction
from tsugiki.features.engines.engine import ALIKE, mean_cosine, worst_difference
from tsugiki.features.engines.reference import reference_features, weights_key
from tsugiki.features.executor import EXACT, FAST, Way
from tsugiki.features.extract import Extractor, FeatureSettings, extract
from tsugiki.features.file_features import features_of_files
from tsugiki.features.store import FeatureStore, Space

KNOWN_MEANS = [79.0, 159.0, 79.0, 159.0, 206.0, 206.0, 126.0, 126.0, 118.4, 129.9, 127.1, 126.0]


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store")


@pytest.fixture
def folder(dishes, tmp_path):
    """20 photos of one's own to change."""
    root = tmp_path / "photos"
    root.mkdir()
    for number, path in enumerate(sorted(dishes.rglob("*.jpg"))[:20]):
        shutil.copyfile(path, root / f"{number:02}.jpg")
    _age(root)
    return root


def _age(*_):
    time.sleep(0.06)  # files that were touched just now are not trusted yet


def look(nae, store, paths, way=FAST, *, engine="auto"):
    return Extractor(nae, settings=FeatureSettings(engine=engine, store=store))(sharing.samples_of(paths), way)


def photos_in(folder):
    return sorted(folder.glob("*.jpg"))


def vectors_of(found):
    return found.vectors()


def expected(nae, paths, view=View()):  # noqa: B008 (frozen)
    pixels = [read_pixels(path.read_bytes(), nae.preprocess, fast=False, view=view).values.numpy() for path in paths]
    return reference_features(nae, nae.preprocess, np.stack(pixels))


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_exact_features_are_the_references_and_fast_ones_alike(nae, store, folder, engine):
    paths = photos_in(folder)
    right = expected(nae, paths)
    assert worst_difference(vectors_of(look(nae, store, paths, EXACT, engine=engine)), right) < 1e-4
    fast = look(nae, store, paths, FAST, engine=engine)
    assert mean_cosine(vectors_of(fast), right) >= ALIKE
    assert fast.computed == 20


@pytest.mark.parametrize("way", [FAST, EXACT, Way(view=View(2))])
def test_the_second_time_no_photo_is_decoded(nae, store, folder, decoded, way):
    first = look(nae, store, photos_in(folder), way)
    assert sorted(decoded) == photos_in(folder)
    decoded.clear()
    backwards = look(nae, store, photos_in(folder)[::-1], way)
    assert decoded == []
    assert backwards.computed == 0
    assert np.array_equal(vectors_of(backwards), vectors_of(first)[::-1])


def test_views_are_kept_beside_the_photo_itself(nae, store, folder, decoded):
    paths = photos_in(folder)
    frames = look(nae, store, paths)
    views = [look(nae, store, paths, Way(view=View(number))) for number in (1, 2)]
    assert len(decoded) == 60
    assert len({row for found in (frames, *views) for row in found.rows.tolist()}) == 60
    for number, found in enumerate(views, start=1):
        assert found.space.vectors().shape == frames.space.vectors().shape
        assert mean_cosine(vectors_of(found), expected(nae, paths, View(number))) >= 0.995


def test_moved_renamed_and_copied_files_are_not_computed_again(nae, store, folder, decoded, tmp_path):
    first = look(nae, store, photos_in(folder))
    decoded.clear()
    folder.rename(tmp_path / "elsewhere")
    moved = [path.rename(path.with_name(f"x{path.name}")) for path in photos_in(tmp_path / "elsewhere")]
    copies = [Path(shutil.copyfile(path, path.with_name(f"copy-{path.name}"))) for path in moved]
    again = look(nae, store, moved + copies)
    assert decoded == []
    assert np.array_equal(vectors_of(again), np.concatenate([vectors_of(first)] * 2))


def test_only_what_changed_is_computed(nae, store, folder, decoded):
    paths = photos_in(folder)
    before = vectors_of(look(nae, store, paths))
    Image.open(paths[3]).convert("L").convert("RGB").save(paths[3], "JPEG")
    _age()
    decoded.clear()
    after = look(nae, store, paths)
    assert decoded == [paths[3]]
    assert after.computed == 1
    assert np.flatnonzero((vectors_of(after) != before).any(axis=1)).tolist() == [3]


def test_other_weights_and_other_preprocessing_are_other_features(nae, store, folder):
    photos = sharing.samples_of(photos_in(folder)[:4])
    settings = FeatureSettings(engine="torch", store=store)
    other = copy.deepcopy(nae)
    with torch.no_grad():
        next(other.parameters()).view(-1)[0] += 1e-3
    assert Extractor(nae, settings=settings)(photos, FAST).computed == 4
    assert Extractor(other, settings=settings)(photos, FAST).computed == 4
    assert Extractor(nae, dataclasses.replace(nae.preprocess, resize=160), settings)(photos, FAST).computed == 4
    assert Extractor(nae, settings=settings)(photos, FAST).computed == 0


def test_features_of_other_pixels_are_other_features(nae, store, folder, monkeypatch):
    paths = photos_in(folder)[:4]
    for way in (FAST, EXACT):
        look(nae, store, paths, way)
        assert look(nae, store, paths, way).computed == 0
        with monkeypatch.context() as upgraded:
            upgraded.setattr(extraction, "_PIXELS", extraction._PIXELS + 1)
            assert look(nae, store, paths, way).computed == 4


def _known_photo(kind):
    row, column = np.mgrid[0:90, 0:120]
    values = np.stack([2 * column, 255 - 2 * row, column * row * 7 // 40 % 256], axis=2).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, kind, quality=95, subsampling=0)
    return stream.getvalue()


@pytest.mark.parametrize(("kind", "fast"), [("PNG", False), ("JPEG", False), ("JPEG", True)])
def test_whoever_changes_what_pixels_come_out_counts_up(kind, fast):
    """When this fails on purpose, ``extraction._PIXELS`` goes up by one, and then these numbers are renewed."""
    seen = read_pixels(_known_photo(kind), Preprocess(size=(64, 64), resize=72), fast=fast).values.float()
    assert extraction._PIXELS == 2
    assert functional.avg_pool2d(seen[None], 32)[0].flatten().tolist() == pytest.approx(KNOWN_MEANS, abs=0.5)
    assert seen[2].std().item() == pytest.approx(68.5, abs=0.5)  # 65.7 if it were bilinear


def test_a_few_new_photos_do_not_make_the_stored_ones_be_computed_again(nae, store, dishes, decoded):
    paths = sorted(dishes.rglob("*.jpg"))
    look(nae, store, paths[:50])
    decoded.clear()
    look(nae, store, paths)
    assert sorted(decoded) == sorted(paths[50:])


@pytest.mark.robust(
    "pixels",
    case="photos that can be read and are odd: decoder warnings, nearly black, few of 16 bits",
    right="said with the file's name at every run, also when nothing has to be decoded any more",
)
def test_what_is_odd_about_a_photo_is_kept_and_said_every_time(nae, store, folder, capsys):
    dark, odd = folder / "mask.png", folder / "left_over.jpg"
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8) // 3).resize((80, 60)).convert("RGB").save(dark)
    odd.write_bytes(photos_in(folder)[0].read_bytes()[:-2] + b"left over" + b"\xff\xd9")
    _age()
    paths = sorted(folder.iterdir())
    labels = [name for _ in range(len(paths) // 2) for name in ("a", "b")]
    splits = ["train" if place < len(paths) // 2 else "test" for place in range(len(paths))]
    samples = Samples.from_lists(paths, labels, splits, index=store)
    for run in range(2):
        capsys.readouterr()
        table = extract(samples, nae, settings=FeatureSettings(store=store))
        assert (table.computed > 0) == (run == 0)
        said = capsys.readouterr().err
        for expected in (
            "Nearly black (beside each name: the brightest value of 255): 1 (mask.png: 1",
            "1 (left_over.jpg: Corrupt",
        ):
            assert expected in said
            assert sum(expected in warning for warning in table.samples.warnings) == 1
    again = extract(table.samples, nae, settings=FeatureSettings(store=store))
    assert again.samples.warnings == table.samples.warnings, "said once, however many backbones look at the photos"
    capsys.readouterr()
    features_of_files(nae, nae.preprocess, [dark])
    assert "mask.png: 1" in capsys.readouterr().err


def test_unreadable_photos_are_named_with_all_their_copies(nae, store, folder):
    paths = photos_in(folder)
    for at in (2, 7, 19):
        paths[at].write_bytes(b"<!DOCTYPE html><p>no photo</p>")
    paths[11].write_bytes(paths[12].read_bytes()[:-900])
    _age()
    for _ in range(2):  # the second time everything that can be read is stored
        found = look(nae, store, paths)
        assert sorted(found.problems) == [2, 7, 11, 19]
        assert len({found.problems[at] for at in (2, 7, 19)}) == 1
        assert "cut off" in found.problems[11]
        assert (found.rows[list(found.problems)] == -1).all()
        assert (np.delete(found.rows, list(found.problems)) >= 0).all()


def test_nothing_but_unreadable_photos(nae, store, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"")
    found = look(nae, store, [path])
    assert list(found.problems) == [0]
    assert found.rows.tolist() == [-1]


def test_no_photo_at_all(nae, store):
    found = look(nae, store, [])
    assert vectors_of(found).shape == (0, nae.num_features)
    vectors, problems = features_of_files(nae, nae.preprocess, [])
    assert (vectors.shape, problems) == ((0, nae.num_features), {})


def test_a_file_that_changes_while_it_is_looked_at_is_refused(nae, store, folder):
    paths = photos_in(folder)
    samples = sharing.samples_of(paths)
    shutil.copyfile(paths[0], paths[5])
    with pytest.raises(DataError, match=r"05\.jpg changed"):
        Extractor(nae, settings=FeatureSettings(store=store))(samples, FAST)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interruption_keeps_what_it_had(nae, store, folder, decoded, monkeypatch, error):
    take = extraction._Keeper.take

    def interrupted(keeper, chunk):
        take(keeper, chunk)
        raise error

    monkeypatch.setattr(extraction._Keeper, "take", interrupted)
    with monkeypatch.context() as small:
        small.setattr("tsugiki.features.engines.openvino_conversion.BATCH", 4)
        with pytest.raises(error):
            look(nae, store, photos_in(folder), engine="openvino")
    monkeypatch.setattr(extraction._Keeper, "take", take)
    decoded.clear()
    found = look(nae, store, photos_in(folder))
    assert found.computed == len(decoded) == 16
    assert mean_cosine(vectors_of(found), expected(nae, photos_in(folder))) >= ALIKE


def test_what_was_kept_long_ago_survives_a_crash_that_asks_nobody(nae, store, folder, monkeypatch):
    """As after a power cut: the keeper's last words are never spoken."""
    monkeypatch.setattr(extraction, "_KEEP_EVERY", -1)
    monkeypatch.setattr(extraction._Keeper, "__exit__", lambda *_: None)
    monkeypatch.setattr("tsugiki.features.engines.torch_engine.TorchEngine.batch_size", 4, raising=False)
    found = look(nae, store, photos_in(folder), engine="torch")
    assert (found.rows >= 0).all()


def test_lost_vectors_are_computed_again(nae, store, folder):
    paths = photos_in(folder)
    right = vectors_of(look(nae, store, paths, EXACT)).copy()
    for path in store.folder.glob("*.f32"):
        path.write_bytes(path.read_bytes()[: 4 * nae.num_features * 6 + 5])
    found = look(nae, store, paths[:10], EXACT)
    assert found.computed == 4
    found = look(nae, store, paths, EXACT)
    assert found.computed == 10
    assert worst_difference(vectors_of(found), right) < 1e-4


@pytest.mark.robust(
    "hostile",
    case="a stored feature vector was damaged",
    right="said, its photo looked at again; the features are what they were",
)
def test_damaged_vectors_are_computed_again(nae, store, folder, decoded, capsys):
    before = vectors_of(look(nae, store, photos_in(folder), EXACT))
    (path,) = store.folder.glob("*.f32")
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    content[4 * nae.num_features * 3 : 4 * nae.num_features * 4] = bytes(4 * nae.num_features)
    path.write_bytes(content)
    decoded.clear()
    capsys.readouterr()
    found = look(nae, FeatureStore(store.folder), photos_in(folder), EXACT)
    assert "2 entries of the feature store" in capsys.readouterr().err
    assert len(decoded) == found.computed == 2
    assert np.array_equal(vectors_of(found), before)


def test_lost_facts_are_found_out_again(nae, store, dishes):
    samples = sharing.samples_of(sorted(dishes.rglob("*.jpg"))[:6])
    settings = FeatureSettings(store=store)
    before = extraction.extract(samples, nae, settings=settings).facts
    store.ask(lambda connection: connection.execute("UPDATE photos SET look = look + 1"), None, writes=True)
    assert extraction.extract(samples, nae, settings=settings).facts == before


def test_features_that_are_no_numbers_are_refused(nae, store, folder):
    broken = copy.deepcopy(nae)
    with torch.no_grad():
        next(broken.parameters()).fill_(torch.nan)
    with pytest.raises(extraction.TsugikiError, match="no finite numbers"):
        look(broken, store, photos_in(folder), EXACT, engine="torch")
    assert store.size()[2] == 0


def test_a_store_that_is_cleared_meanwhile_is_noticed(nae, store, folder, monkeypatch):
    monkeypatch.setattr(Space, "add", lambda *_: None)
    with pytest.raises(extraction.TsugikiError, match="cleared"):
        look(nae, store, photos_in(folder))


def test_threads_are_given_back(nae, store, folder):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        look(nae, store, photos_in(folder), engine="torch")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_features_of_files_keep_order_and_name_what_cannot_be_read(nae, folder):
    paths = photos_in(folder)
    paths[4].write_bytes(b"no photo")
    vectors, problems = features_of_files(nae, nae.preprocess, paths[::-1])
    assert list(problems) == [15]
    right = expected(nae, [path for path in paths[::-1] if path != paths[4]])
    assert worst_difference(np.delete(vectors, 15, axis=0), right) < 1e-4
    assert not vectors[15].any()


def _process(folder, store, seconds):
    command = [sys.executable, "-m", "tests.features.sharing", str(folder), str(store), str(seconds)]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root)


@pytest.mark.long
def test_processes_share_a_store_and_one_that_is_killed_spoils_nothing(folder, tmp_path, decoded):
    place = tmp_path / "shared"
    other, killed = _process(folder, place, 0.02), _process(folder, place, 0.3)
    for process in (other, killed):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    assert sharing.look(folder, place).computed == 20
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    _, errors = other.communicate(timeout=60)
    assert other.returncode == 0, errors
    decoded.clear()
    found = sharing.look(folder, place)
    assert decoded == []
    backbone = sharing.small_backbone()
    assert mean_cosine(vectors_of(found), expected(backbone, photos_in(folder))) >= ALIKE


def test_the_key_of_weights_changes_with_any_number(nae):
    key = weights_key(nae)
    other = copy.deepcopy(nae)
    assert weights_key(other) == key
    buffer = next(buffer for buffer in other.buffers() if buffer.is_floating_point())
    with torch.no_grad():
        buffer.view(-1)[0] += 1e-3
    assert weights_key(other) != key
