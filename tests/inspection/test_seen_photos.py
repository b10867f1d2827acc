"""Which photos were held out and which were learned from is known by their content, whatever happened to the files since."""

import shutil
import time
from dataclasses import asdict

import pytest

import tsugiki as tg
from tsugiki.core.errors import DataError
from tsugiki.data.load import list_photos, load
from tsugiki.evaluation.label_issues import Decisions
from tsugiki.features.extract import FeatureSettings
from tsugiki.features.store import FeatureStore
from tsugiki.heads.linear import HeadSettings
from tsugiki.inspection.nearest_photos import nearest_photos
from tsugiki.inspection.seen_photos import (
    EXCLUDED,
    HELD_OUT,
    LEARNED,
    NEW,
    VALIDATION,
    fingerprint,
    rows_in_training,
    seen_before,
    seen_notes,
)
from tsugiki.training.corrections import apply_decisions

CLASSES = ("pizza", "steak", "sushi")
QUICK = HeadSettings(epochs=5)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return FeatureStore(tmp_path_factory.mktemp("store"))


@pytest.fixture
def flat(flat):
    """54 photos in class folders, nothing held out; the last of every class cannot be decoded."""
    for name in CLASSES:
        (flat / name / "17.jpg").write_bytes((flat / name / "17.jpg").read_bytes()[:900])
    time.sleep(0.06)
    return flat


def decided(samples):
    """A training photo and a held-out one left out, one of each given to another class."""
    learned, held_out = (samples.of(split).names for split in ("train", "test"))
    away = {name: "pizza" if name.startswith("sushi") else "sushi" for name in (learned[3], held_out[2])}
    return Decisions(frozenset({learned[0], held_out[0]}), away)


def trained(nae, samples, store):
    model = tg.Classifier(nae, classes=CLASSES)
    return model, tg.fit(model, samples, settings=QUICK, features=FeatureSettings(store=store))


def moved(root, target):
    """The folder elsewhere, every file renamed, so that no order is kept."""
    shutil.copytree(root, target)
    for number, path in enumerate(sorted(target.rglob("*.jpg"), reverse=True)):
        path.rename(path.with_name(f"{number:03}-{path.name[::-1][4:]}.jpg"))
    time.sleep(0.06)
    return target


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("listed", [False, True])
def test_evaluation_tells_what_fit_told(flat, nae, store, tmp_path, elsewhere, listed):
    samples = load(flat, seed=3, index=store)
    samples = apply_decisions(samples, decided(samples)) if listed else samples
    _, run = trained(nae, samples, store)
    tg.save_run(run, tmp_path / "run")
    root = moved(flat, tmp_path / "moved") if elsewhere else flat
    judged = tg.evaluate(tg.Classifier.load(tmp_path / "run"), root, store=store)
    assert judged.document["n"] == run.evaluation["n"] < 20
    assert judged.document["accuracy"] == run.evaluation["accuracy"]
    assert judged.document["confusion"] == run.evaluation["confusion"]
    assert len(judged.left_out) == 3
    if not elsewhere:
        assert sorted(judged.predictions.names) == sorted(run.predictions.names)


def test_new_photos_are_judged_and_known_ones_never_are(flat, nae, store, capsys):
    model, run = trained(nae, flat, store)
    (flat / "pizza" / "new.jpg").write_bytes((flat / "pizza" / "00.jpg").read_bytes() + b"\0")
    (flat / "pizza" / "again.jpg").write_bytes((flat / run.samples.of("train").names[0]).read_bytes())
    judged = tg.evaluate(model, flat, store=store)
    assert sorted(judged.predictions.names) == sorted([*run.predictions.names, "pizza/new.jpg"])
    assert "trained with" in capsys.readouterr().err
    kept = {"pizza/again.jpg", *run.samples.of("train").names}
    for path in flat.rglob("*.jpg"):
        if path.relative_to(flat).as_posix() not in kept:
            path.unlink()
    assert tg.evaluate(model, flat, store=store).document["n"] == len(kept)
    told = capsys.readouterr().err
    assert "trained with all of these photos (pizza/00.jpg" in told
    assert "held-out" not in told


def test_every_file_that_cannot_be_judged_is_named(flat, nae, store, capsys):
    model, _ = trained(nae, flat, store)
    (flat / "steak" / "gone.jpg").symlink_to(flat / "nowhere.jpg")
    (flat / "loose.jpg").write_bytes((flat / "steak" / "00.jpg").read_bytes())
    judged = tg.evaluate(model, flat, store=store)
    reasons = {entry.name: entry.reason for entry in judged.left_out}
    assert reasons["steak/gone.jpg"] == "no such file"
    assert reasons["loose.jpg"] == "in no class folder"
    assert len(reasons) == 5
    told = capsys.readouterr().err
    assert all(f"Left out: {name}: {reason}" in told for name, reason in reasons.items())


def test_only_photos_that_were_learned_from_are_shown_as_such(flat, nae, store):
    samples = load(flat, seed=3, index=store)
    samples = apply_decisions(samples, decided(samples))
    model, run = trained(nae, samples, store)
    photo = run.samples.paths[run.samples.held_out_rows[0]]
    near = nearest_photos(model, photo, flat, count=100, store=store)
    learned = run.samples.of("train")
    labels = {path: CLASSES[label] for path, label in zip(learned.paths, learned.labels, strict=True)}
    assert {one.path: one.label for one in near} == labels


def test_the_photos_of_another_folder_are_no_training_photos(flat, dish_run, store, tmp_path):
    other = tmp_path / "other"
    for name in CLASSES:
        for number in range(3):
            path = other / name / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((flat / name / f"{number:02}.jpg").read_bytes() + b"\0")
    with pytest.raises(DataError, match="None of these photos"):
        nearest_photos(dish_run.classifier, flat / "pizza" / "00.jpg", other, store=store)


def test_each_decision_counts_for_one_copy(flat, store):
    (flat / "pizza" / "copy.jpg").write_bytes((flat / "pizza" / "00.jpg").read_bytes())
    (flat / "steak" / "copy.jpg").write_bytes((flat / "pizza" / "00.jpg").read_bytes())
    samples = load(flat, index=store)
    listing = list_photos(flat)
    contents = store.contents(listing.paths)
    changed = apply_decisions(samples, Decisions(frozenset({"pizza/copy.jpg"}), {"steak/copy.jpg": "pizza"}))
    known = seen_before({"seen": seen_notes(changed)}, listing, contents)
    of = dict(zip(listing.names, zip(known.roles, known.labels, strict=True), strict=True))
    kept = {of["pizza/00.jpg"], of["pizza/copy.jpg"]}
    assert kept == {(EXCLUDED, "pizza"), of["steak/copy.jpg"]}
    assert of["steak/copy.jpg"][1] == "pizza"


def test_validation_photos_are_told_from_held_out_ones(flat, tmp_path, store):
    root = tmp_path / "split"
    for split, numbers in (("train", range(4)), ("val", range(4, 6)), ("test", range(6, 8))):
        for name in CLASSES:
            (root / split / name).mkdir(parents=True)
            for number in numbers:
                shutil.copyfile(flat / name / f"{number:02}.jpg", root / split / name / f"{number}.jpg")
    samples = load(root, index=store)
    listing = list_photos(flat)
    known = seen_before({"seen": seen_notes(samples)}, listing, store.contents(listing.paths))
    wanted = [LEARNED] * 4 + [VALIDATION] * 2 + [HELD_OUT] * 2 + [NEW] * 10
    assert known.roles == wanted * 3
    samples = samples.take(row for row in range(len(samples)) if samples.splits[row] != "test")
    assert seen_before({"seen": seen_notes(samples)}, listing, store.contents(listing.paths)).roles.count(HELD_OUT) == 6


def test_runs_of_older_programs_are_drawn_again(flat, nae, store):
    samples = tg.load(flat, seed=5)
    model, run = trained(nae, samples, store)
    lost = [entry.name for entry in samples.left_out]
    old = {**asdict(samples.draw), "fingerprint": fingerprint(samples), "left_out": lost}
    notes = {name: value for name, value in model.notes.items() if name != "seen"}
    model.notes = {**notes, "split": old}
    assert sorted(tg.evaluate(model, flat, store=store).predictions.names) == sorted(run.predictions.names)
    photo = run.samples.paths[run.samples.held_out_rows[0]]
    near = nearest_photos(model, photo, flat, count=100, store=store)
    assert {one.path for one in near} == set(run.samples.of("train").paths)


@pytest.mark.parametrize("seen", [None, "text", [1], {"learned": 3}, {"learned": "", "held_out": "", "validation": ""}])
def test_notes_that_somebody_else_wrote_tell_nothing(flat, store, seen):
    listing = list_photos(flat)
    assert seen_before({"seen": seen}, listing, store.contents(listing.paths)) is None


def test_photos_that_are_drawn_anew_are_in_the_parts_of_their_training(flat):
    """What an export is judged on must not be what the classifier learned from."""
    then, now = (load(flat, seed=seed) for seed in (1, 2))
    learned, held_out = rows_in_training({"seen": seen_notes(then)}, now)
    assert {now.names[row] for row in held_out} == {then.names[row] for row in then.held_out_rows}
    assert {now.names[row] for row in learned} == {then.names[row] for row in then.train_rows}
    assert set(held_out) != set(now.held_out_rows)
    assert rows_in_training({}, now) == (now.train_rows, now.held_out_rows)
