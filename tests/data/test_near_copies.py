"""Near copies stay on one side where photos are held out by a draw, as they do in cross-validation."""

import shutil
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

import tsugiki as tg
from tsugiki.core.console import quiet
from tsugiki.data.samples import Samples, settled
from tsugiki.data.splits import Draw, draw_apart, draw_splits
from tsugiki.features.extract import FeatureSettings, extract
from tsugiki.features.store import FeatureStore


def drawn(count=40, seed=1, held_out=0.2):
    labels = [f"c{row % 2}" for row in range(count)]
    digests = [f"{row * 7919:064x}" for row in range(count)]
    draw = Draw(seed, held_out)
    return draw, labels, digests, draw_splits(draw, labels, digests, None)


def test_a_draw_that_parts_no_copies_stays_as_it_is():
    draw, labels, digests, splits = drawn()
    inside = [row for row, split in enumerate(splits) if split == "train"][:2]
    assert draw_apart(draw, labels, digests, None, [(inside[0], inside[1])], splits) == splits
    assert draw_apart(draw, labels, digests, None, [], splits) == splits


@pytest.mark.robust("scores", case="near copies in a flat folder", right="on one side of the draw, whatever the seed")
@pytest.mark.parametrize("seed", range(5))
def test_near_copies_are_drawn_together(seed):
    draw, labels, digests, splits = drawn(seed=seed)
    near = [(first, first + 2) for first in range(0, 36, 4)] + [(1, 3), (3, 5)]
    together = draw_apart(draw, labels, digests, None, near, splits)
    assert all(together[first] == together[second] for first, second in near)
    assert Counter(together)["test"] == pytest.approx(8, abs=2)
    assert {label for label, split in zip(labels, together, strict=True) if split == "test"} == {"c0", "c1"}


def test_a_class_that_is_one_picture_keeps_its_held_out_photos():
    draw, labels, digests, splits = drawn()
    near = [(first, first + 2) for first in range(0, 38, 2)]  # all of c0
    assert draw_apart(draw, labels, digests, None, near, splits) == splits


def test_what_is_settled_is_not_drawn_again():
    draw, labels, digests, splits = drawn()
    numbers = np.array([int(label[1]) for label in labels])
    names = tuple(f"{row}.jpg" for row in range(40))
    samples = Samples(Path("photos"), names, numbers, splits, ("c0", "c1"), tuple(digests), draw=draw)
    near = [(first, first + 2) for first in range(0, 36, 4)]
    once = settled(samples, near)
    assert once.splits != samples.splits
    assert any("Near copies stay together, too" in sentence for sentence in once.decisions)
    assert settled(once, [(1, 3)]) is once
    own = Samples(Path("photos"), names, numbers, splits, ("c0", "c1"), tuple(digests))
    assert settled(own, near) is own


@pytest.fixture(scope="module")
def frames(dishes, tmp_path_factory):
    """A flat folder: of 12 photos of each class, four frames of a film each (a little smaller, brighter, compressed anew)."""
    root = tmp_path_factory.mktemp("frames")
    rng = np.random.default_rng(0)
    for path in sorted((dishes / "train").rglob("*.jpg")):
        photo = Image.open(path).convert("RGB")
        for frame in range(4):
            left, top = rng.integers(0, 8, 2).tolist()
            part = photo.crop((left, top, photo.width - 8 + left, photo.height - 8 + top))
            target = root / path.parent.name / f"{path.stem}-{frame}.jpg"
            target.parent.mkdir(exist_ok=True)
            ImageEnhance.Brightness(part).enhance(float(rng.uniform(0.9, 1.1))).save(target, quality=80)
    time.sleep(0.06)
    return root


@pytest.mark.robust(
    "scores", case="a flat folder of video frames", right="no frame of a held-out scene is learned from, and it is said"
)
def test_frames_of_one_scene_are_not_parted(frames, nae, tmp_path, capsys):
    samples = tg.load(frames)
    before = {name.rsplit("-", 1)[0] for name in samples.of("train").names} & {
        name.rsplit("-", 1)[0] for name in samples.of("test").names
    }
    assert len(before) > 5, "the draw alone parts scenes"
    settings = FeatureSettings(store=FeatureStore(tmp_path / "store"))
    table = extract(samples, nae, settings=settings)
    found = table.samples
    scenes = {split: {name.rsplit("-", 1)[0] for name in found.of(split).names} for split in ("train", "test")}
    assert len(scenes["train"] & scenes["test"]) <= 1
    assert "Near copies stay together, too" in capsys.readouterr().err
    assert set(found.of("test").label_names()) == set(found.classes)
    count = found.splits.count("test")
    assert any(f"Held out for testing: {count} of 144 photos" in sentence for sentence in found.decisions)
    assert table.held_out.shape[0] == count
    with quiet():  # the same photos, the same split, in every command
        assert extract(tg.load(frames), nae, settings=settings).samples.splits == found.splits


def test_photos_without_copies_are_drawn_as_ever(flat, nae, tmp_path):
    samples = tg.load(flat)
    table = extract(samples, nae, settings=FeatureSettings(store=FeatureStore(tmp_path / "store")))
    assert table.samples.splits == samples.splits
    assert table.samples.decisions == samples.decisions
    shutil.rmtree(flat)
