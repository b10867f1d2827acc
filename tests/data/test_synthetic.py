"""The drawn sample: the article's counts, the same bytes every time, never half there, and colour that tells little."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tsugiki.core.errors import UnknownName
from tsugiki.core.files import cache_folder
from tsugiki.data.load import list_photos
from tsugiki.data.synthetic import sample
from tsugiki.data.synthetic.sample import SAMPLES, describe_samples, draw_photo, draw_table, sample_folder

DISHES = ("pizza", "steak", "sushi")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSUGIKI_CACHE", str(tmp_path_factory.mktemp("drawn")))
        return sample_folder()


def test_counts_are_those_of_the_article(drawn):
    found = {
        f"{split}/{dish}": len(list((drawn / split / dish).glob("*.jpg"))) for split in ("train", "test") for dish in DISHES
    }
    assert found == {f"{split}/{dish}": count for split, count in (("train", 75), ("test", 25)) for dish in DISHES}


def test_no_photo_is_there_twice(drawn):
    contents = [path.read_bytes() for path in drawn.rglob("*.jpg")]
    assert len(set(contents)) == len(contents) == 300


def test_files_are_the_photos_of_their_numbers(drawn):
    assert (drawn / "train" / "sushi" / "sushi-001.jpg").read_bytes() == draw_photo("sushi", 0)
    assert (drawn / "test" / "pizza" / "pizza-025.jpg").read_bytes() == draw_photo("pizza", 99)


def test_photos_are_small_and_rgb(drawn):
    for path in drawn.glob("train/*/*-07*.jpg"):
        with Image.open(path) as photo:
            assert (photo.mode, photo.size) == ("RGB", (176, 176))
        assert path.stat().st_size < 30_000


def test_drawn_once_and_found_again(drawn, monkeypatch):
    monkeypatch.setenv("TSUGIKI_CACHE", str(drawn.parents[1]))
    monkeypatch.setattr(sample, "draw_photo", lambda *_: pytest.fail("drawn again"))
    assert sample_folder() == drawn


def test_a_drawing_that_breaks_off_leaves_nothing(monkeypatch):
    def stop(_: str, number: int) -> bytes:
        if number == 3:
            raise KeyboardInterrupt
        return b"photo"

    monkeypatch.setattr(sample, "draw_photo", stop)
    with pytest.raises(KeyboardInterrupt):
        sample_folder()
    assert list((cache_folder() / "samples").iterdir()) == []


def test_colour_alone_tells_little(drawn):
    """A nearest class mean on average colours must stay near guessing (1/3): surfaces and light are drawn alike for all."""

    def table(split: str) -> tuple[np.ndarray, np.ndarray]:
        paths = sorted(drawn.glob(f"{split}/*/*.jpg"))
        colours = [np.asarray(Image.open(io.BytesIO(path.read_bytes())), dtype=float).mean((0, 1)) for path in paths]
        return np.array(colours), np.array([DISHES.index(path.parent.name) for path in paths])

    colours, labels = table("train")
    means = np.stack([colours[labels == label].mean(0) for label in range(3)])
    colours, labels = table("test")
    nearest = ((colours[:, None] - means) ** 2).sum(2).argmin(1)
    assert (nearest == labels).mean() < 0.6


def test_unknown_sample_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="foodvision"):
        sample_folder("foodvison")


def test_every_sample_is_described():
    assert set(describe_samples()) == set(SAMPLES)


@pytest.fixture
def tables(monkeypatch) -> Path:
    monkeypatch.setattr(sample, "TABLES", {"train": 9, "test": 5})
    return sample_folder("table")


def test_tables_have_none_to_three_dishes_and_a_list_of_which(tables):
    listing = list_photos(tables)
    assert list_photos("sample:table").label_sets == listing.label_sets
    assert listing.splits == ("train",) * 9 + ("test",) * 5
    assert [one.present for one in listing.label_sets] == [frozenset(draw_table(number)[1]) for number in range(14)]
    assert [path.read_bytes() for path in listing.paths] == [draw_table(number)[0] for number in range(14)]
    with Image.open(listing.paths[0]) as photo:
        assert (photo.mode, photo.size) == ("RGB", (176, 176))


def test_every_number_of_dishes_and_every_dish_is_common():
    served = [draw_table(number)[1] for number in range(60)]
    assert all(sum(len(dishes) == count for dishes in served) > 3 for count in range(4))
    assert all(sum(dish in dishes for dishes in served) > 12 for dish in DISHES)


def test_a_table_that_breaks_off_leaves_nothing(monkeypatch):
    monkeypatch.setattr(sample, "draw_table", lambda number: pytest.fail("stop") if number == 2 else (b"photo", ()))
    with pytest.raises(pytest.fail.Exception):
        sample_folder("table")
    assert list((cache_folder() / "samples").iterdir()) == []
