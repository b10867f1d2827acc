"""A finished run learns new classes and new photos, and nobody looks at the photos of before again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import tsugiki as tg
from tsugiki.core.console import quiet
from tsugiki.core.errors import ArtefactError, DataError, RequestError
from tsugiki.data.label_sets import LabelReading
from tsugiki.data.synthetic.sample import draw_photo
from tsugiki.evaluation.label_issues import Decisions
from tsugiki.features.extract import FeatureSettings
from tsugiki.features.store import FeatureStore
from tsugiki.heads.linear import HeadSettings
from tsugiki.training.corrections import apply_decisions
from tsugiki.training.more_photos.extension import Extension
from tsugiki.training.more_photos.known_photos import PHOTOS


@pytest.fixture
def two(dishes, nae, tmp_path):
    """A run on two of the dishes, the folder of its photos, a folder of the third, and where features are kept."""
    old, new = tmp_path / "old", tmp_path / "new"
    for path in sorted(dishes.rglob("*.jpg")):
        place = (new if path.parent.name == "sushi" else old) / path.relative_to(dishes)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    features = FeatureSettings(store=FeatureStore(tmp_path / "features"))
    with quiet():
        run = tg.fit(tg.Classifier(nae, classes=("pizza", "steak")), old, features=features)
        run.save(tmp_path / "run")
    return tmp_path / "run", old, new, features


def _answers(run, photos):
    return [np.array(answer.probabilities) for answer in run.classifier.predict(sorted(photos.rglob("*.jpg")))]


def test_a_new_class_is_learned_without_the_photos_of_the_others(two, dishes, nae, tmp_path, decoded, capsys):
    folder, old, new, features = two
    shutil.rmtree(old)
    before = sorted(decoded)
    run = tg.extend(folder, new, features=features)
    assert run.classifier.classes == ("pizza", "steak", "sushi")
    assert run.table.computed == 18
    assert not [path for path in decoded[len(before) :] if "old" in Path(path).parts]
    said = capsys.readouterr().err
    assert "New classes: sushi." in said
    assert "The 12 held-out photos of before" in said
    # The very same classifier as one that was trained on all of them at once.
    with quiet():
        whole = tg.fit(tg.Classifier(nae, classes=run.classifier.classes), dishes, features=features)
    assert whole.evaluation["n"] == run.evaluation["n"] == 18
    for mine, theirs in zip(_answers(run, dishes / "test"), _answers(whole, dishes / "test"), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=0.05)
    saved = run.save(tmp_path / "three")
    kept = json.loads((saved / "evaluation.json").read_text())["extended"]
    assert kept["n"] == 12
    assert json.loads((saved / "classifier.json").read_text())["trained"]["extends"]["new_classes"] == ["sushi"]


def test_what_was_held_out_is_never_learned_from(two, tmp_path):
    folder, old, new, features = two
    held_out = {path.read_bytes() for path in (old / "test").rglob("*.jpg")}
    everything = tmp_path / "flat"  # the same photos in another layout, without splits
    for path in [*old.rglob("*.jpg"), *new.rglob("*.jpg")]:
        place = everything / path.parent.name / f"{path.parent.parent.name}-{path.name}"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    samples = Extension.of(folder).samples(everything, index=features.store)
    learned = {samples.paths[row].read_bytes() for row in samples.train_rows}
    assert not learned & held_out
    assert len(samples) == 54
    drawn = [samples.label_names()[row] for row in samples.held_out_rows].count("sushi")
    assert 3 <= drawn <= 4  # a share of the new class, as of any other one


def test_more_photos_of_a_class_that_is_there(two, tmp_path):
    folder, _, _, features = two
    more = tmp_path / "more" / "steak"
    more.mkdir(parents=True)
    for number in range(30, 36):
        (more / f"{number}.jpg").write_bytes(draw_photo("steak", number))
    run = tg.extend(folder, more.parent, features=features)
    assert run.classifier.classes == ("pizza", "steak")
    assert len(run.samples) == 42
    assert run.table.computed == 6
    again = tg.extend(run.save(tmp_path / "again"), two[2], features=features)  # and so on
    assert len(again.samples) == 60


def test_what_a_person_decided_stays_decided(two, nae, tmp_path, capsys):
    _, old, new, features = two
    with quiet():
        samples = tg.load(old)
        gone, moved = "train/pizza/00.jpg", "train/pizza/01.jpg"
        decided = apply_decisions(samples, Decisions(frozenset({gone}), {moved: "steak"}))
        tg.fit(tg.Classifier(nae, classes=samples.classes), decided, features=features).save(tmp_path / "decided")
    shutil.copytree(new, old, dirs_exist_ok=True)
    run = tg.extend(tmp_path / "decided", old, features=features)
    label_of = dict(zip(run.samples.names, run.samples.label_names(), strict=True))
    assert gone not in label_of
    assert label_of[moved] == "steak"
    assert "Another label" not in capsys.readouterr().err
    notes = run.classifier.notes["seen"]["decided"]
    assert sorted(now for _, _, now in notes) == ["", "steak"]


def test_a_photo_that_is_in_another_class_now_counts_there_and_that_is_said(two):
    folder, old, _, features = two
    place = old / "train" / "sushi"
    place.mkdir()
    (old / "train" / "pizza" / "00.jpg").rename(place / "00.jpg")
    samples = Extension.of(folder).samples(old, index=features.store)
    assert samples.counts()["train"] == {"pizza": 11, "steak": 12, "sushi": 1}
    assert any("pizza -> sushi" in sentence for sentence in samples.decisions)


def test_a_new_class_that_looks_like_one_of_the_run_is_told(two, tmp_path):
    folder, _, new, features = two
    shutil.copytree(new / "train" / "sushi", tmp_path / "more" / "Steak")
    found = Extension.of(folder).samples(tmp_path / "more", index=features.store)
    assert found.classes == ("pizza", "Steak", "steak")
    assert any("look the same, or nearly" in said and "'steak' = 'Steak'" in said for said in found.decisions)


def test_nothing_new_is_refused(two):
    folder, old, _, features = two
    with pytest.raises(RequestError, match="does not know already"):
        tg.extend(folder, old, features=features)


def test_photos_that_are_gone_and_features_that_are_gone_are_refused_by_name(two, tmp_path):
    folder, old, new, _ = two
    other = FeatureSettings(store=FeatureStore(tmp_path / "other machine"))
    shutil.rmtree(old / "train" / "steak")
    with pytest.raises(DataError, match="are gone") as refused:
        tg.extend(folder, new, features=other)
    assert "12" in refused.value.what
    assert "steak" in refused.value.got


def test_every_photo_that_is_gone_counts_whatever_its_side(two, tmp_path):
    folder, old, new, _ = two
    shutil.rmtree(old)
    with pytest.raises(DataError, match="are gone") as refused:
        tg.extend(folder, new, features=FeatureSettings(store=FeatureStore(tmp_path / "other machine")))
    assert refused.value.what.endswith(": 36.")
    assert ".." not in refused.value.got


def test_photos_that_were_edited_since_are_refused_by_number_and_name(two, tmp_path):
    folder, old, new, features = two
    for name in ("train/pizza/00.jpg", "test/steak/12.jpg"):
        (old / name).write_bytes(draw_photo("sushi", 300 + len(name)))
    other = FeatureSettings(store=FeatureStore(tmp_path / "other machine"))
    with pytest.raises(DataError, match="no longer those that it learned") as refused:
        tg.extend(folder, new, features=other)
    assert refused.value.what.endswith("features of then: 2.")
    assert str(old / "train" / "pizza" / "00.jpg") in refused.value.got
    assert "put back the files of then" in refused.value.cure
    shutil.rmtree(old / "train" / "steak")
    with pytest.raises(DataError, match=r"are gone.*: 12\."):
        tg.extend(folder, new, features=other)
    assert len(tg.extend(folder, new, features=features).samples) == 54  # what is known of them is enough


def test_where_features_are_gone_and_photos_are_there_they_are_looked_at_again(two, tmp_path):
    folder, _, new, _ = two
    other = FeatureSettings(store=FeatureStore(tmp_path / "other machine"))
    assert tg.extend(folder, new, features=other).table.computed == 54


def test_known_photos_are_taken_where_they_lie_now(two, dishes, tmp_path):
    folder, old, _, _ = two
    shutil.rmtree(old)
    other = FeatureSettings(store=FeatureStore(tmp_path / "other machine"))
    run = tg.extend(folder, dishes, features=other)  # the whole data set, somewhere else: what the refusal advises
    assert len(run.samples) == run.table.computed == 54
    assert all(path.exists() for path in run.samples.paths)


def test_a_copy_in_another_class_beside_the_photo_itself_is_left_out_by_name(two):
    folder, old, _, features = two
    (old / "train" / "sushi").mkdir()
    shutil.copy(old / "train" / "pizza" / "00.jpg", old / "train" / "sushi" / "copy.jpg")
    (old / "train" / "sushi" / "new.jpg").write_bytes(draw_photo("sushi", 77))
    samples = Extension.of(folder).samples(old, index=features.store)
    assert samples.counts()["train"] == {"pizza": 12, "steak": 12, "sushi": 1}
    assert [one.name for one in samples.left_out] == ["train/sushi/copy.jpg"]


@pytest.mark.parametrize(("known", "new"), [("val", "test"), ("test", "val"), ("test", "test")])
def test_photos_that_are_held_out_meet_those_of_the_run(dishes, nae, tmp_path, known, new):
    def lists(names, held_out):
        paths = [path for path in sorted(dishes.rglob("*.jpg")) if path.parent.name in names]
        splits = [held_out if path.parts[-3] == "test" else "train" for path in paths]
        return paths, [path.parent.name for path in paths], splits

    features = FeatureSettings(store=FeatureStore(tmp_path / "features"))
    with quiet():
        samples = tg.Samples.from_lists(*lists({"pizza", "steak"}, known))
        tg.fit(tg.Classifier(nae, classes=samples.classes), samples, features=features).save(tmp_path / "run")
    table = tmp_path / "new.csv"
    rows = zip(*(map(str, one) for one in lists({"sushi"}, new)), strict=True)
    table.write_text("\n".join(["path,label,split", *map(",".join, rows)]))
    found = Extension.of(tmp_path / "run").samples(table)
    assert found.counts()[known] == {"pizza": 6, "steak": 6, "sushi": 6}
    assert {*found.splits} == {"train", known}


def test_other_views_are_refused_and_thresholds_are_chosen_as_before(two, nae, plates, tmp_path):
    folder, _, new, features = two
    with pytest.raises(RequestError, match="as before: 0 augmented views"):
        tg.extend(folder, new, features=FeatureSettings(views=2, store=features.store))
    settings = HeadSettings(threshold="recall=0.8", class_weights=True)
    with quiet():
        samples = tg.load(plates)
        model = tg.Classifier(nae, classes=samples.classes, task="multi")
        tg.fit(model, samples, settings=settings, features=features).save(tmp_path / "several")
    more = tmp_path / "more" / "soup"
    more.mkdir(parents=True)
    for number in range(6):
        (more / f"{number}.jpg").write_bytes(draw_photo("sushi", 200 + number))
    notes = tg.extend(tmp_path / "several", more.parent, features=features).classifier.notes
    assert notes["thresholds"]["goal"] == "recall=0.8"
    assert notes["head"]["class_weights"]


def test_views_of_photos_that_are_gone_have_to_be_there(two, nae, tmp_path):
    _, old, new, features = two
    with quiet():
        samples = tg.load(old)
        viewed = FeatureSettings(views=1, store=features.store)
        tg.fit(tg.Classifier(nae, classes=samples.classes), samples, features=viewed).save(tmp_path / "viewed")
    other = FeatureSettings(store=FeatureStore(tmp_path / "other"))
    with quiet():  # the photos themselves, without their views
        tg.fit(tg.Classifier(nae, classes=samples.classes), samples, features=other)
    shutil.rmtree(old)
    assert tg.extend(tmp_path / "viewed", new, features=features).table.views == 2
    with pytest.raises(DataError, match="are gone"):
        tg.extend(tmp_path / "viewed", new, features=other)


def run_of_subjects(known, nae, place):
    """A run in ``place`` of photos that each are a subject of their own: splits, subjects, and how photos were looked at."""
    splits = ["test" if path.parent.parent.name == "test" else "train" for path in known]
    groups = [f"{path.parent.name} {path.stem}" for path in known]
    features = FeatureSettings(store=FeatureStore(place / "features"))
    with quiet():
        samples = tg.Samples.from_lists(known, [path.parent.name for path in known], splits, groups)
        tg.fit(tg.Classifier(nae, classes=samples.classes), samples, features=features).save(place / "run")
    return splits, groups, features


def test_subjects_stay_on_their_side(dishes, nae, tmp_path):
    rows = sorted(dishes.rglob("*.jpg"))
    known = [path for path in rows if path.parent.name != "sushi"]
    splits, groups, _ = run_of_subjects(known, nae, tmp_path)
    held_out = next(group for group, split in zip(groups, splits, strict=True) if split == "test")
    table = tmp_path / "new.csv"
    new = [path for path in rows if path.parent.name == "sushi"]
    lines = [f"{path},sushi,{held_out if path is new[0] else ''}" for path in new]
    table.write_text("path,label,group\n" + "\n".join(lines))
    found = Extension.of(tmp_path / "run").samples(table)
    assert found.splits[len(known)] == "test"


def _with_groups(path, rows):
    """A table of paths, labels and groups."""
    path.write_text("path,label,group\n" + "\n".join(",".join(map(str, row)) for row in rows))
    return path


def test_subjects_that_a_new_table_names_hold_for_photos_of_before_too(two, tmp_path):
    folder, old, new, features = two
    held_out, learned = old / "test" / "pizza" / "12.jpg", old / "train" / "steak" / "00.jpg"
    fresh = sorted((new / "train" / "sushi").iterdir())
    rows = [(held_out, "pizza", "anna"), (learned, "steak", "ben")]
    rows += [(path, "sushi", ("anna", "ben", "")[number % 3]) for number, path in enumerate(fresh)]
    found = Extension.of(folder).samples(_with_groups(tmp_path / "new.csv", rows), index=features.store)
    sides = {
        name: {s for s, group in zip(found.splits, found.groups, strict=True) if group == name} for name in ("anna", "ben")
    }
    assert sides == {"anna": {"test"}, "ben": {"train"}}
    assert found.groups.count("anna") == 5
    assert not any("group is in train too" in sentence for sentence in found.warnings)


def test_a_subject_that_was_on_both_sides_is_learned_from_and_told(two, tmp_path):
    folder, old, new, features = two
    rows = [(old / "test" / "pizza" / "12.jpg", "pizza", "anna"), (old / "train" / "pizza" / "00.jpg", "pizza", "anna")]
    rows += [(path, "sushi", "anna" if path.stem < "03" else "") for path in sorted((new / "train" / "sushi").iterdir())]
    found = Extension.of(folder).samples(_with_groups(tmp_path / "new.csv", rows), index=features.store)
    of_anna = [split for split, group in zip(found.splits, found.groups, strict=True) if group == "anna"]
    assert sorted(of_anna) == ["test", *["train"] * 4]
    assert any("whose group is in train too: 1 (anna)" in sentence for sentence in found.warnings)


def test_two_names_of_a_subject_are_one_and_the_same_name_is_told(dishes, nae, tmp_path):
    known = [path for path in sorted(dishes.rglob("*.jpg")) if path.parent.name != "sushi"]
    splits, groups, features = run_of_subjects(known, nae, tmp_path)
    held_out, learned = splits.index("test"), splits.index("train")
    fresh = sorted((dishes / "train" / "sushi").iterdir())
    rows = [(known[held_out], known[held_out].parent.name, "anna")]  # another name for a subject that the run knows
    rows += [(path, "sushi", {"00": "anna", "01": groups[learned]}.get(path.stem, "")) for path in fresh]
    found = Extension.of(tmp_path / "run").samples(_with_groups(tmp_path / "new.csv", rows), index=features.store)
    new = range(len(known), len(found))
    assert [(found.groups[row], found.splits[row]) for row in new if found.groups[row]] == [
        (groups[held_out], "test"),
        (groups[learned], "train"),
    ]
    told = " ".join(found.decisions)
    assert f"another name here than in run: anna = {groups[held_out]}." in told
    assert f"knows by the same name: 1 ({groups[learned]})" in told
    rows.append((known[learned], known[learned].parent.name, groups[learned]))  # now the table says itself who that is
    found = Extension.of(tmp_path / "run").samples(_with_groups(tmp_path / "new.csv", rows), index=features.store)
    assert "by the same name" not in " ".join(found.decisions)


def test_photos_of_which_nothing_is_learned_are_left_out_by_name(two, tmp_path):
    folder, _, new, features = two
    extension = Extension.of(folder)
    shutil.copytree(new / "test" / "sushi", tmp_path / "held out" / "test" / "sushi")
    with pytest.raises(DataError, match="no training photo has their class"):
        extension.samples(tmp_path / "held out", index=features.store)
    more = tmp_path / "held out" / "train" / "steak"
    more.mkdir(parents=True)
    (more / "77.jpg").write_bytes(draw_photo("steak", 77))
    found = extension.samples(tmp_path / "held out", index=features.store)
    assert found.classes == ("pizza", "steak")
    assert len(found) == 37
    assert len(found.left_out) == 6
    assert any("no training photo has their class (sushi): 6" in sentence for sentence in found.decisions)


def test_several_labels_of_new_classes_are_not_known_of_photos_of_before(nae, tmp_path):
    def table(name, numbers, words):
        lines = []
        for number in numbers:
            path = tmp_path / f"{name}-{number}.jpg"
            path.write_bytes(draw_photo(words[number % len(words)].split("|")[0], number))
            lines.append(f"{path.name},{words[number % len(words)]},{'test' if number % 4 == 3 else 'train'}")
        (tmp_path / f"{name}.csv").write_text("path,label,split\n" + "\n".join(lines))
        return tmp_path / f"{name}.csv"

    features = FeatureSettings(store=FeatureStore(tmp_path / "features"))
    with quiet():
        samples = tg.load(table("old", range(24), ["pizza", "steak|pizza", "steak"]))
        model = tg.Classifier(nae, classes=samples.classes, task="multi")
        tg.fit(model, samples, features=features).save(tmp_path / "run")
    extension = Extension.of(tmp_path / "run")
    found = extension.samples(table("new", range(40, 52), ["sushi", "sushi|pizza"]))
    assert found.classes == ("pizza", "steak", "sushi")
    assert (found.targets[:24, 2] == -1).all()
    assert (found.targets[24:, 1] == -1).all()  # the new table never names it
    assert (found.targets[24:, 2] == 1).all()
    assert (found.targets[:24, :2] == samples.targets).all()
    run = extension.fitted(extension.model(found), found, settings=HeadSettings(), features=features)
    assert run.classifier.classes == found.classes
    one_each = tmp_path / "folder" / "sushi"
    one_each.mkdir(parents=True)
    (one_each / "99.jpg").write_bytes(draw_photo("sushi", 99))
    assert extension.samples(one_each.parent).targets.shape == (25, 3)


@pytest.mark.parametrize("share", [1.5, 1, -1, float("nan")])
def test_what_is_no_share_to_hold_out_is_refused_before_photos_are_looked_for(two, tmp_path, share):
    with pytest.raises(RequestError, match="held_out is the share of photos to hold out"):
        tg.extend(two[0], tmp_path / "nowhere", held_out=share)


def test_photos_with_several_labels_are_refused_in_words_that_lead_on(two):
    folder, _, new, _ = two
    extension = Extension.of(folder)
    with pytest.raises(RequestError, match="gives one label per photo") as refused:
        extension.samples(new, reading=LabelReading(multi_label=True))
    assert (refused.value.allowed, refused.value.cure) == (
        "photos with one label each",
        "fit the whole data set anew, with multi_label=True",
    )
    (new / "labels.csv").write_text("path,label\ntrain/sushi/00.jpg,sushi|pizza\ntrain/sushi/01.jpg,sushi")
    with pytest.raises(RequestError, match="gives one label per photo"):
        extension.samples(new / "labels.csv")


def test_a_list_of_the_run_is_about_its_photos_wherever_these_are_named_from(two):
    folder, _, new, features = two
    extension = Extension.of(folder)
    found = extension.samples(new, index=features.store)
    listed = Decisions(frozenset({"train/pizza/00.jpg", "00.jpg", "train/sushi/03.jpg"}), {"test/steak/13.jpg": "sushi"})
    decided = extension.decided(found, listed)
    assert decided.exclude == {"../old/train/pizza/00.jpg", "00.jpg", "train/sushi/03.jpg"}  # 00.jpg is several photos
    samples = apply_decisions(found, decided)
    assert len(samples) == len(found) - 2
    kept = dict(zip(samples.names, samples.label_names(), strict=True))
    assert kept["../old/test/steak/13.jpg"] == "sushi"
    run = extension.fitted(extension.model(samples), samples, settings=HeadSettings(), features=features)
    assert run.evaluation["extended"]["n_other_classes"] == 1
    with pytest.raises(RequestError, match="None of the photos in the list") as refused:
        apply_decisions(found, extension.decided(found, Decisions(frozenset({"x.jpg"}), {})))
    assert "write its paths as the photos are named here" in refused.value.cure


def test_what_cannot_learn_more_is_refused(two, tmp_path):
    folder, _, new, _ = two
    notes = json.loads((folder / "classifier.json").read_text())
    shutil.copytree(folder, tmp_path / "tuned")
    notes["trained"]["method"] = "fine-tune"
    (tmp_path / "tuned" / "classifier.json").write_text(json.dumps(notes))
    with pytest.raises(RequestError, match="fine-tuned"):
        tg.extend(tmp_path / "tuned", new)
    with pytest.raises(RequestError, match="something else"):
        tg.extend(tg.Run.load(folder), new)
    tg.Classifier.load(folder).save(tmp_path / "alone")
    with pytest.raises(RequestError, match="it is no run"):
        tg.extend(tmp_path / "alone", new)
    (folder / PHOTOS).write_text("path,label\nx,y\n")
    with pytest.raises(ArtefactError, match="no list of a run's photos"):
        tg.extend(folder, new)
    (folder / PHOTOS).unlink()
    with pytest.raises(RequestError, match="which photos it knows"):
        tg.extend(folder, new)
