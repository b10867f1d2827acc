"""Views are pure functions of seed, round and row; what they do is what was asked for."""

import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from tsugiki.core.errors import RequestError
from tsugiki.data.augmentation.augment import NO_AUGMENTATION, Augmentation, Mix, mix_of, random_box, view_of
from tsugiki.data.augmentation.trivial_augment import SIGNED, UNSIGNED
from tsugiki.data.augmentation.views import Views, ahead, epoch_order, steps_of
from tsugiki.data.images.decoded_photos import DecodedEachTime, DecodedOnce, decoded, shrunk
from tsugiki.data.preprocess import Preprocess

SMALL = Preprocess(size=(32, 32), resize=36)
EVERYTHING = Augmentation(crop=(0.3, 1), trivial=True, mixup=0.2, cutmix=1.0, erase=0.5)


def photo(seed: int = 0, size: tuple[int, int] = (60, 44)) -> Image.Image:
    width, height = size
    noise = np.random.default_rng(seed).integers(0, 255, (6, 6, 3)).astype(np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


class Few:
    def read(self, row: int) -> Image.Image:
        return photo(row)


def test_every_fault_is_named_at_once():
    with pytest.raises(RequestError) as caught:
        Augmentation(crop=(0.0, 1.0), ratio=(2.0, 1.0), mixup=-1, erase=1.5)
    assert all(name in str(caught.value) for name in ("crop", "ratio", "mixup", "erase"))


@pytest.mark.parametrize(
    "changes",
    [{"crop": value} for value in (0.5, (0.5,), (0.5, 1, 1), ("a", "b"), (True, True), (0.5, math.nan), None, "0.5,1")]
    + [{"ratio": (1, 1, 1)}, {"ratio": (1, math.inf)}, {"flip": "maybe"}, {"trivial": 3}, {"erase": True}, {"mixup": "much"}],
)
def test_values_of_a_wrong_kind_are_refused_with_what_is_allowed(changes):
    with pytest.raises(RequestError, match="augmentation cannot work") as caught:
        Augmentation(**changes)
    (name,) = changes
    assert caught.value.allowed.startswith(f"{name}: ")
    assert caught.value.got.startswith(f"{name}=")
    if name in {"crop", "ratio"}:
        assert "two" in caught.value.allowed


def test_lists_and_numbers_of_numpy_are_taken():
    found = Augmentation(crop=[np.float32(0.5), 1], erase=np.float64(0.25))
    assert found == Augmentation(crop=(0.5, 1.0), erase=0.25)


def test_without_augmentation_a_view_is_what_prediction_sees():
    random = np.random.default_rng(0)
    assert torch.equal(view_of(photo(), SMALL, NO_AUGMENTATION, random), SMALL.pixels(photo()))


@pytest.mark.parametrize("augmentation", [Augmentation(), EVERYTHING])
def test_a_view_depends_on_seed_round_and_row_only(augmentation):
    views = Views(Few(), SMALL, augmentation, seed=3)
    alone = views.pixels([4], turn=2)
    torch.manual_seed(99)  # the process's own generator has no part in it
    assert torch.equal(views.pixels([1, 4, 2], turn=2)[1:2], alone)
    others = {"row": views.pixels([5], turn=2), "round": views.pixels([4], turn=3)}
    others["seed"] = Views(Few(), SMALL, augmentation, seed=4).pixels([4], turn=2)
    assert not any(torch.equal(alone, other) for other in others.values())


def test_the_process_generators_are_left_alone():
    before, numbers = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"].copy()
    Views(Few(), SMALL, EVERYTHING, seed=0).batch([0, 1, 2], slice(0, 3), turn=0, step=0, device=torch.device("cpu"))
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(numbers, np.random.get_state(legacy=False)["state"]["key"])


def test_threads_give_the_same_views_in_order():
    views = Views(Few(), SMALL, EVERYTHING, seed=1)
    with ThreadPoolExecutor(3) as pool:
        threaded = list(ahead([partial(views.pixels, [row], 0) for row in range(7)], pool, depth=3))
    assert torch.equal(torch.cat(threaded), views.pixels(range(7), 0))


def test_a_fault_in_a_thread_reaches_the_caller():
    with ThreadPoolExecutor(1) as pool, pytest.raises(ZeroDivisionError):
        list(ahead([lambda: 1 / 0], pool, depth=2))


def test_flips_are_half_and_can_be_switched_off():
    wedge = np.zeros((32, 32, 3), np.uint8)
    wedge[:, :8] = 255
    image = Image.fromarray(wedge)

    def left_is_bright(*, flip: bool) -> list[bool]:
        augmentation = Augmentation(crop=(1, 1), flip=flip)
        squash = Preprocess(size=(32, 32), resize=32)
        return [bool(view_of(image, squash, augmentation, np.random.default_rng(i))[0, 0, 0] > 128) for i in range(200)]

    assert all(left_is_bright(flip=False))
    assert 70 < sum(left_is_bright(flip=True)) < 130


def test_crops_keep_the_area_and_proportions_that_were_asked_for():
    augmentation = Augmentation(crop=(0.3, 0.6))
    for seed in range(300):
        left, top, right, bottom = random_box(200, 150, augmentation, np.random.default_rng(seed))
        assert 0 <= left < right <= 200
        assert 0 <= top < bottom <= 150
        assert 0.299 < (right - left) * (bottom - top) / (200 * 150) < 0.601
        assert 0.749 < (right - left) / (bottom - top) < 1.334


def test_a_very_long_photo_is_still_cropped():
    left, top, right, bottom = random_box(4000, 10, Augmentation(crop=(0.9, 1.0)), np.random.default_rng(0))
    assert bottom - top == 10
    assert right - left == pytest.approx(10 * 4 / 3)
    assert 0 <= left < right <= 4000


def test_trivial_augment_has_torchvisions_operations_and_strengths():
    space = v2.TrivialAugmentWide._AUGMENTATION_SPACE
    assert set(SIGNED) | set(UNSIGNED) == set(space)
    for name, (magnitudes, signed) in dict[str, Any](space).items():
        strengths = magnitudes(31, 32, 32)
        assert signed == (name in SIGNED)
        if signed:
            assert float(strengths[-1]) == pytest.approx(SIGNED[name][0])


@pytest.mark.parametrize("name", [*SIGNED, *UNSIGNED])
def test_each_operation_does_what_torchvision_does(name):
    pixels = SMALL.pixels(photo(3, (64, 64)))
    theirs = v2.TrivialAugmentWide()
    space: dict[str, Any] = theirs._AUGMENTATION_SPACE
    strength = float(space[name][0](31, 32, 32)[20]) if name not in _WITHOUT_STRENGTH else 0.0
    nearest = v2.InterpolationMode.NEAREST
    expected = theirs._apply_image_or_video_transform(pixels, name, strength, interpolation=nearest, fill=theirs._fill)
    ours = SIGNED[name][1](pixels, strength) if name in SIGNED else UNSIGNED[name](pixels, 20 / 30)
    assert torch.equal(ours, expected)


_WITHOUT_STRENGTH = {"Identity", "AutoContrast", "Equalize"}


def test_mixup_and_cutmix_share_pixels_as_they_share_labels():
    photos, others = torch.ones(2, 3, 40, 30), torch.zeros(2, 3, 40, 30)
    kinds = set()
    for seed in range(50):
        mix = mix_of(Augmentation(mixup=0.4, cutmix=1.0), (40, 30), np.random.default_rng(seed))
        assert mix is not None
        kinds.add(mix.box is None)
        assert mix.blend(photos, others).mean().item() == pytest.approx(mix.share, abs=1e-5)
    assert kinds == {True, False}
    assert mix_of(Augmentation(), (40, 30), np.random.default_rng(0)) is None
    assert Mix().blend(photos, others).equal(photos)


def test_a_step_divided_into_parts_is_the_same_step():
    views = Views(Few(), SMALL, EVERYTHING, seed=5)
    place = torch.device("cpu")
    rows = [3, 1, 4, 0, 2]
    whole = views.batch(rows, slice(0, 5), turn=1, step=7, device=place)
    parts = [views.batch(rows, part, turn=1, step=7, device=place) for part in (slice(0, 2), slice(2, 5))]
    assert torch.equal(torch.cat([part.inputs for part in parts]), whole.inputs)
    assert [row for part in parts for row in part.others] == whole.others == [2, 3, 1, 4, 0]


@pytest.mark.parametrize(("count", "batch"), [(33, 32), (64, 32), (5, 8), (1, 4), (65, 32), (100, 7)])
def test_steps_hold_every_photo_once_and_leave_no_tiny_rest(count, batch):
    steps = steps_of(epoch_order(0, 1, count), batch)
    assert sorted(row for step in steps for row in step) == list(range(count))
    assert len(steps) == math.ceil(count / batch)
    assert max(map(len, steps)) - min(map(len, steps)) <= 1
    assert max(map(len, steps)) <= batch


def test_stored_photos_are_the_decoded_ones(tmp_path):
    paths = []
    for row, size in enumerate([(80, 60), (30, 90), (20, 20)] * 7):
        paths.append(tmp_path / f"{row}.png")
        photo(row, size).save(paths[-1])
    once, each_time = decoded(paths, 40, tmp_path), decoded(paths, 40, tmp_path, limit=10)
    assert isinstance(once, DecodedOnce)
    assert isinstance(each_time, DecodedEachTime)
    for row, path in enumerate(paths):
        expected = np.asarray(shrunk(Image.open(path), 40))
        assert np.array_equal(np.asarray(once.read(row)), expected)
        assert np.array_equal(np.asarray(each_time.read(row)), expected)
    assert min(once.read(0).size) == 40
    assert once.read(2).size == (20, 20)  # never blown up


def test_how_large_a_store_becomes_is_guessed_from_photos_of_every_class(tmp_path):
    sizes = [(8, 8)] * 40 + [(60, 60)] * 40  # as in a list of two classes, one after the other
    paths = [tmp_path / f"{row}.png" for row in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        photo(0, size).save(path)
    limit = sum(3 * width * height for width, height in sizes) // 2
    for order in (paths, paths[::-1]):
        assert isinstance(decoded(order, 60, tmp_path, limit=limit), DecodedEachTime)
    assert isinstance(decoded(paths, 60, tmp_path, limit=limit * 3), DecodedOnce)


def test_stored_photos_are_large_enough_for_the_smallest_crop():
    assert Augmentation(crop=(0.25, 1)).stored_side(Preprocess()) == 448
    assert NO_AUGMENTATION.stored_side(Preprocess()) == 256


def test_the_description_names_what_is_on():
    assert NO_AUGMENTATION.describe() == "none"
    assert all(word in EVERYTHING.describe() for word in ("crop", "mirrored", "TrivialAugment", "MixUp", "CutMix", "erasing"))
    assert Augmentation.from_dict(EVERYTHING.to_dict()) == EVERYTHING
