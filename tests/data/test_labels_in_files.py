"""Shards of WebDataset: photos with their labels in files beside them, as tar archives or unpacked."""

import io
import json
import tarfile

import pytest

import tsugiki as tg


def write_shard(path, members):
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


@pytest.fixture
def members(dishes):
    """Every third photo of the sample with its class beside it, by split."""

    def of(split, label=lambda name: name.encode(), kind="cls"):
        for number, path in enumerate(sorted((dishes / split).rglob("*.jpg"))[::3]):
            yield f"{number:05}.jpg", path.read_bytes()
            yield f"{number:05}.{kind}", label(path.parent.name)

    return of


def test_a_folder_of_shards_is_read_as_photos_with_labels_and_not_as_classes(tmp_path, members):
    write_shard(tmp_path / "dishes-train-000000.tar", members("train"))
    write_shard(tmp_path / "dishes-test-000000.tar", members("test"))
    data = tg.load(tmp_path)
    assert data.classes == ("pizza", "steak", "sushi")
    assert {split: len(data.rows_of(split)) for split in ("train", "test")} == {"train": 12, "test": 6}
    said = " ".join(data.decisions)
    assert "has its label in a file of its own beside it" in said
    assert "names of shards say which photos are held out" in said


def test_one_shard_is_an_archive_like_any_other_and_is_split_here(tmp_path, members):
    write_shard(tmp_path / "shard.tar", members("train"))
    data = tg.load(tmp_path / "shard.tar")
    assert (len(data), data.classes, data.draw is not None) == (12, ("pizza", "steak", "sushi"), True)


def test_labels_may_be_in_json_and_be_numbers(tmp_path, members):
    number = {"pizza": 0, "steak": 1, "sushi": 2}
    write_shard(tmp_path / "a.tar", members("train", lambda name: json.dumps({"label": number[name]}).encode(), "json"))
    assert tg.load(tmp_path / "a.tar").classes == ("0", "1", "2")


def test_lists_of_labels_are_several_labels_and_an_empty_one_is_none_of_the_classes(tmp_path, members):
    of = {"pizza": ["pizza", "steak"], "steak": [], "sushi": ["sushi"]}
    write_shard(tmp_path / "a.tar", members("train", lambda name: json.dumps({"label": of[name]}).encode(), "json"))
    data = tg.load(tmp_path / "a.tar")
    assert (data.task, data.classes) == ("multi", ("pizza", "steak", "sushi"))
    assert sorted(map(sorted, data.label_sets())) == 4 * [[]] + 4 * [["pizza", "steak"]] + 4 * [["sushi"]]
    assert any("(multi-label)" in sentence and "are lists" in sentence for sentence in data.decisions)


def test_a_split_that_only_some_shards_name_is_not_followed_and_that_is_said(tmp_path, members):
    write_shard(tmp_path / "dishes-test-0.tar", members("test"))
    write_shard(tmp_path / "dishes-0.tar", members("train"))
    data = tg.load(tmp_path)
    assert data.draw is not None
    assert any("Not all names of shards say a split" in sentence for sentence in data.decisions)


def test_a_photo_without_its_label_is_named(tmp_path, members):
    shard = [member for member in members("train") if member[0] != "00003.cls"]
    write_shard(tmp_path / "a.tar", shard)
    data = tg.load(tmp_path / "a.tar")
    assert len(data) == 11
    assert [(left.name, left.reason) for left in data.left_out] == [("00003.jpg", "no label beside it")]


def test_the_same_photos_have_the_same_answers_however_they_come(tmp_path, members, dishes, nae):
    """From class folders and from shards: the same run."""
    write_shard(tmp_path / "train-0.tar", members("train"))
    write_shard(tmp_path / "test-0.tar", members("test"))
    folder = tmp_path / "folders"
    for split in ("train", "test"):
        for number, path in enumerate(sorted((dishes / split).rglob("*.jpg"))[::3]):
            place = folder / split / path.parent.name / f"{number:05}.jpg"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    answers = []
    for source in (_only_shards(tmp_path), folder):
        data = tg.load(source)
        run = tg.fit(tg.Classifier(nae, classes=data.classes), data)
        digests = [run.samples.digests[row] for row in run.samples.held_out_rows]
        answers.append(dict(zip(digests, run.predictions.probabilities.tolist(), strict=True)))
    assert answers[0] == answers[1]


def _only_shards(folder):
    place = folder / "shards"
    place.mkdir()
    for shard in folder.glob("*.tar"):
        shard.rename(place / shard.name)
    return place


def test_class_folders_with_other_json_files_beside_the_photos_stay_class_folders(tmp_path, dishes):
    for path in sorted((dishes / "train").rglob("*.jpg"))[::3]:
        place = tmp_path / path.parent.name / f"{path.parent.name}-{path.name}"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(path.read_bytes())
        place.with_suffix(".json").write_text(json.dumps({"camera": "a", "width": 3}), encoding="utf-8")
    assert tg.load(tmp_path).classes == ("pizza", "steak", "sushi")
