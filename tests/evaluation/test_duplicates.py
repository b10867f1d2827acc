"""The same photo twice is found, whatever was done to it; different photos are left alone."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from tsugiki.data.images.pixels import perceptual_hash
from tsugiki.evaluation import metrics
from tsugiki.evaluation.duplicates import (
    Pair,
    Prints,
    across,
    contradictions,
    copies_of,
    differing_bits,
    duplicate_groups,
    find_duplicates,
    find_leaks,
)


def scene(seed):
    """A picture with structure at all scales, as photos have."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((120, 160))
    for power, side in enumerate((3, 6, 12, 24), start=1):
        coarse = Image.fromarray(rng.integers(0, 256, (side, side)).astype(np.uint8))
        picture += np.asarray(coarse.resize((160, 120))) / 2.0**power
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


def hashes(photos):
    small = [photo.resize((32, 32), Image.Resampling.BILINEAR) for photo in photos]
    return np.array([perceptual_hash(np.asarray(photo).astype(np.float32)) for photo in small], dtype=np.int64)


def vectors(seed, n, width=64):
    return np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32) + 0.5


def variants(scenes=40, each=6, classes=2, spread=0.35):
    """Prints of ``each`` pictures of every scene, farther apart than copies are elsewhere; no two hashes are alike."""
    rng = np.random.default_rng(5)
    centre = rng.normal(size=(classes, 48))[np.arange(scenes) % classes] + rng.normal(size=(scenes, 48)) * 0.8
    features = np.repeat(centre, each, axis=0) + rng.normal(size=(scenes * each, 48)) * spread
    count = scenes * each
    looks = rng.integers(-(2**62), 2**62, count)
    labels = np.repeat(np.arange(scenes) % classes, each)
    scene = np.repeat(np.arange(scenes), each)
    return Prints([f"{row}" for row in range(count)], looks, features.astype(np.float32), ["train"] * count, labels), scene


@pytest.mark.robust("scores", case="six augmented variants of each photo", right="nearly all are known as one picture")
def test_variants_are_found_where_most_photos_have_some():
    prints, scene = variants()
    pairs = find_duplicates(prints)
    assert all(scene[pair.first] == scene[pair.second] for pair in pairs)
    groups = duplicate_groups(pairs, len(scene))
    assert len(set(groups.tolist())) <= 60, "forty scenes"
    blind = duplicate_groups(find_duplicates(replace(prints, labels=None)), len(scene))
    assert len(set(blind.tolist())) > 150, "their nearest others are no yardstick"


def test_small_classes_are_no_copies():
    """Photos of a class lie together, too: as many as half of it are not called copies."""
    prints, _ = variants(scenes=40, each=4, classes=40)
    assert find_duplicates(prints) == []
    alone, _ = variants(scenes=120, each=1)
    assert find_duplicates(alone) == []


@pytest.mark.parametrize("count", [0, 3])
def test_copies_of_a_gallery_are_known_by_their_features(count):
    gallery = vectors(3, 50)
    asked = np.concatenate([gallery[:count] + 0.01, vectors(4, 5)])
    assert copies_of(asked, gallery).tolist() == list(range(count))
    assert copies_of(asked[:0], gallery).tolist() == []
    assert copies_of(asked, gallery[:0]).tolist() == []


def found(pairs):
    return {(pair.first, pair.second) for pair in pairs}


@pytest.mark.parametrize(
    "change",
    [
        lambda photo: photo.resize((64, 48)),
        lambda photo: photo.resize((333, 250), Image.Resampling.BICUBIC),
        lambda photo: ImageEnhance.Brightness(photo).enhance(0.8),
        lambda photo: photo.quantize(64).convert("L"),
    ],
    ids=["smaller", "larger", "darker", "few shades"],
)
def test_a_changed_photo_keeps_its_hash(change):
    photos = [scene(seed) for seed in range(20)]
    bits = differing_bits(hashes(photos), hashes([change(photo) for photo in photos]))
    assert bits.diagonal().max() <= 4
    assert bits[~np.eye(20, dtype=bool)].min() > 10


def test_differing_bits_equals_a_loop():
    rng = np.random.default_rng(0)
    first, second = (rng.integers(-(2**63), 2**63 - 1, 5) for _ in range(2))
    expected = [[f"{(int(a) ^ int(b)) % 2**64:b}".count("1") for b in second] for a in first]
    assert differing_bits(first, second).tolist() == expected


def test_copies_are_found_and_different_photos_are_not():
    photos = [scene(seed) for seed in range(60)]
    features = vectors(0, 60)
    copies = [photo.resize((90, 70)) for photo in photos[:5]]
    noisy = features[:5] + 0.3 * vectors(1, 5)
    prints = Prints(
        [f"d{row}" for row in range(65)],
        hashes([*photos, *copies]),
        np.concatenate([features, noisy]),
        ["train"] * 60 + ["test"] * 5,
    )
    pairs = find_duplicates(prints)
    assert found(pairs) == {(row, 60 + row) for row in range(5)}
    assert {pair.kind for pair in pairs} == {"near"}
    assert find_leaks(pairs, prints.splits, "test") == {60 + row: row for row in range(5)}
    by_hash_alone = find_duplicates(Prints(prints.digests, prints.hashes, None, prints.splits))
    assert found(by_hash_alone) == found(pairs)


def test_features_find_what_the_hash_cannot_and_the_other_way_round():
    photos = [scene(seed) for seed in range(30)]
    mirrored = photos[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    features = vectors(2, 30)
    prints = Prints(
        [f"d{row}" for row in range(31)],
        hashes([*photos, mirrored]),
        np.concatenate([features, features[:1] + 0.02 * vectors(3, 1)]),
        ["train"] * 31,
    )
    assert found(find_duplicates(prints)) == {(0, 30)}
    assert find_duplicates(Prints(prints.digests, prints.hashes, None, prints.splits)) == []


def test_equal_hashes_of_pictures_that_look_different_to_the_network_are_no_pair():
    features = vectors(4, 40)
    features[1] = -features[0]
    flat = np.zeros(2, dtype=np.int64)
    prints = Prints(
        [f"d{row}" for row in range(40)],
        np.concatenate([flat, hashes([scene(seed) for seed in range(38)])]),
        features,
        ["train"] * 40,
    )
    assert find_duplicates(prints) == []


def test_exact_copies_are_paired_with_the_first_of_them():
    prints = Prints(
        ["a", "b", "a", "a"],
        hashes([scene(0), scene(1), scene(0), scene(0)]),
        vectors(5, 4),
        ["val", "train", "train", "train"],
    )
    pairs = find_duplicates(prints)
    assert [(pair.first, pair.second, pair.kind) for pair in pairs] == [(0, 2, "exact"), (0, 3, "exact")]
    assert found(across(pairs, prints.splits)) == {(0, 2), (0, 3)}
    assert find_leaks(pairs, prints.splits, "val") == {0: 2}
    assert find_leaks(pairs, prints.splits, "train") == {2: 0, 3: 0}


def test_a_leak_through_a_chain_of_copies_is_a_leak():
    pairs = [Pair(0, 1, "exact", 0, None), Pair(0, 2, "exact", 0, None)]
    assert find_leaks(pairs, ["test", "train", "test", "test"], "test") == {0: 1, 2: 1}
    assert duplicate_groups([Pair(2, 3, "near", 1, None), Pair(1, 2, "near", 1, None)], 5).tolist() == [0, 1, 1, 1, 4]


def test_many_copies_of_one_photo_do_not_explode_and_hide_no_leak():
    photos = [scene(seed) for seed in range(10)]
    prints = Prints(
        [f"d{row}" for row in range(310)],
        hashes([*photos, *[photos[0]] * 300]),
        np.concatenate([vectors(6, 10), np.repeat(vectors(6, 1), 300, axis=0)]),
        ["train"] * 309 + ["test"],
    )
    pairs = find_duplicates(prints)
    assert len(pairs) <= 310 * 2 * 10
    assert find_leaks(pairs, prints.splits, "test") == {309: 0}


def test_blocks_do_not_change_the_answer(monkeypatch):
    photos = [scene(seed % 20) for seed in range(50)]
    prints = Prints([f"d{row}" for row in range(50)], hashes(photos), np.tile(vectors(7, 20), (3, 1))[:50], ["train"] * 50)
    whole = find_duplicates(prints)
    monkeypatch.setattr(metrics, "_TILE", 200)
    assert found(find_duplicates(prints)) == found(whole)
    assert len(whole) == sum((i % 20) == (j % 20) for i in range(50) for j in range(i))


def test_copies_with_two_labels_contradict_each_other():
    pairs = [Pair(0, 1, "exact", 0, None), Pair(2, 3, "near", 2, 0.9)]
    assert contradictions(pairs, np.array([0, 1, 1, 1])) == pairs[:1]


def test_no_photos_and_one_photo():
    nothing = np.zeros(0, dtype=np.int64)
    assert find_duplicates(Prints([], nothing, np.zeros((0, 4)), [])) == []
    assert find_duplicates(Prints(["a"], hashes([scene(0)]), vectors(8, 1), ["train"])) == []
