"""A fine-tuned run as a backbone has learned photos and their labels: no score on those counts, and that is said everywhere."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import tsugiki as tg
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.core.errors import RequestError
from tsugiki.evaluation.headline import headline, is_worth_nothing
from tsugiki.evaluation.predictions import OUT_OF_FOLD
from tsugiki.features.extract import FeatureSettings
from tsugiki.features.store import FeatureStore
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.inspection.backbone_photos import learned_by
from tsugiki.inspection.seen_photos import short_digest
from tsugiki.locale.messages import speaking
from tsugiki.reporting.audit_page import write_audit_page
from tsugiki.reporting.pages.run_sentences import run_sentences
from tsugiki.training.fit import FineTuning

NOISE = "bundled:nae"
QUICK = FineTuning(FineTuneSettings(epochs=1, batch_size=16, precision="float32"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """24 photos of three colours in noise, in no splits."""
    root, dice = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for channel, name in enumerate(("red", "green", "blue")):
        (root / name).mkdir()
        for number in range(8):
            pixels = dice.integers(0, 160, (40, 48, 3))
            pixels[..., channel] += 60
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    return FeatureSettings(engine="torch", store=FeatureStore(tmp_path_factory.mktemp("store")))


def fitted(backbone, samples, features, **given):
    return tg.fit(tg.Classifier(backbone, classes=samples.classes), samples, features=features, **given)


@pytest.fixture(scope="module")
def tuned(photos, features, tmp_path_factory):
    """The folder of a run that was fine-tuned on 18 of the photos, the other six held out."""
    run = fitted(NOISE, tg.load(photos, held_out=0.25, seed=1), features, method="fine-tune", fine_tuning=QUICK)
    return tg.save_run(run, tmp_path_factory.mktemp("runs") / "tuned")


@pytest.fixture(scope="module")
def known(photos):
    """Short digests of those 18."""
    samples = tg.load(photos, held_out=0.25, seed=1)
    return frozenset(short_digest(samples.digests[row]) for row in samples.train_rows)


@pytest.fixture(scope="module")
def transferred(tuned, photos, features, tmp_path_factory):
    """A run whose head was trained on the fine-tuned backbone, other photos being held out; and its folder."""
    run = fitted(str(tuned), tg.load(photos, held_out=0.5, seed=2), features)
    return run, tg.save_run(run, tmp_path_factory.mktemp("runs") / "next")


def rows_known(samples, known):
    return {name for name, digest in zip(samples.names, samples.digests, strict=True) if short_digest(digest) in known}


@pytest.mark.robust(
    "scores",
    case="`--backbone RUN` of a run that was fine-tuned on photos which are held out now",
    right="counted and named as leaked, and the score without them, in the same sentence and in the report",
)
def test_photos_that_the_backbone_has_learned_from_are_no_part_of_the_score(transferred, known):
    run, folder = transferred
    held_out = run.samples.of("test")
    lost, leaks = rows_known(held_out, known), run.evaluation["leaks"]
    assert 0 < len(lost) < len(held_out)
    assert leaks["n"] == len(lost)
    assert leaks["n_clean"] == len(held_out) - len(lost)
    assert {one["path"] for one in leaks["photos"] if one["learned"] and not one["twin"]} == lost
    assert f"counting {len(lost)} that the backbone has learned from; of the {leaks['n_clean']} others," in headline(
        run.evaluation
    )
    said = run_sentences(run)
    assert said["leaked"].startswith(f"Photos that the backbone has learned from: {len(lost)} of {len(held_out)}.")
    assert f"(tuned) was fine-tuned on 18 of these 24 photos, and {len(lost)} of them are held out now" in said["trained_how"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "that the backbone has learned from" in page
    assert "バックボーンがすでに学んだ" in page
    assert json.loads((folder / "evaluation.json").read_text())["leaks"]["n"] == len(lost)


def test_that_is_said_before_the_head_is_trained_and_when_it_is_judged_again(tuned, transferred, photos, features, capsys):
    run, folder = transferred
    capsys.readouterr()
    fitted(str(tuned), tg.load(photos, held_out=0.5, seed=2), features)
    told = capsys.readouterr().err
    assert "was fine-tuned on 18 of these 24 photos" in told
    assert "hold out those that its run held out" in told
    judged = tg.evaluate(tg.Classifier.load(folder), photos, store=features.store)
    told = capsys.readouterr().err
    assert judged.document["leaks"] == run.evaluation["leaks"]
    assert f"The backbone of this classifier was fine-tuned on {run.evaluation['leaks']['n']} of these photos (" in told


def test_what_the_run_held_out_may_be_held_out_again(tuned, photos, features, capsys):
    run = fitted(str(tuned), tg.load(photos, held_out=0.25, seed=1), features)
    assert run.evaluation["leaks"]["n"] == 0
    told = capsys.readouterr().err
    assert "none of them is held out, so the score is not touched" in told
    assert "of 6 held-out photos answered right" in told


def test_cross_validation_on_learned_photos_proves_nothing(tuned, photos, features, tmp_path, capsys):
    run = fitted(str(tuned), tg.load(photos, held_out=0), features)
    assert run.evaluation["split"] == OUT_OF_FOLD
    assert run.evaluation["leaks"]["n"] == 18
    assert "counting 18 that the backbone has learned from; of the 6 others" in headline(run.evaluation)
    assert "cross-validation on them proves nothing" in capsys.readouterr().err
    samples = tg.load(photos, held_out=0.25, seed=1)
    for path in samples.of("train").paths:
        target = tmp_path / "learned" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    run = fitted(str(tuned), tg.load(tmp_path / "learned", held_out=0), features)
    assert headline(run.evaluation).startswith(
        f"{run.evaluation['accuracy']:.1%} of 18 photos answered right, but each of them is one that the backbone has learned "
        "from: this score is worth nothing."
    )
    assert is_worth_nothing(run.evaluation)
    assert "this one is worth nothing" in run_sentences(run)["leaked"]


@pytest.mark.robust(
    "scores",
    case="a fine-tuned run as one of several backbones, by its stages, by its file of weights, through other runs",
    right="what it was fine-tuned on is known all the same",
)
@pytest.mark.parametrize("name", ["{tuned}", "{tuned}:multi", "bundled:nae+{tuned}", "{tuned}+{tuned}:multi", "{next}"])
def test_what_was_learned_is_known_by_whatever_way_the_backbone_comes(tuned, transferred, known, name):
    name = name.replace("{tuned}", str(tuned)).replace("{next}", str(transferred[1]))
    assert learned_by(load_backbone(name)) == known
    assert learned_by(load_backbone(NOISE, weights=tuned / "weights.safetensors")) == known
    assert not learned_by(load_backbone(str(tuned), weights="none"))


@pytest.mark.long
def test_it_stays_with_weights_that_are_saved_without_a_training(tuned, transferred, known, tmp_path):
    joined = tg.Classifier(f"bundled:nae+{tuned}", classes=("a", "b"))
    again = tg.Classifier.load(joined.save(tmp_path / "joined"))
    assert [bool(part.origin.learned_from) for part in again.backbone.parts] == [False, True]
    assert again.backbone.parts[1].origin == joined.backbone.parts[1].origin
    alone = tg.Classifier(str(transferred[1]), classes=("a", "b")).save(tmp_path / "alone")
    assert learned_by(load_backbone(str(alone))) == known


@pytest.mark.long
def test_a_run_that_is_fine_tuned_again_has_learned_from_all_of_them(tuned, known, photos, features, tmp_path):
    samples = tg.load(photos, held_out=0.25, seed=3)
    run = fitted(str(tuned), samples, features, method="fine-tune", fine_tuning=QUICK)
    own = {short_digest(samples.digests[row]) for row in samples.train_rows}
    assert own != known
    # What is held out now and was learned from then has leaked, for the fine-tuned classifier, too; what it learns now has not.
    assert {one["path"] for one in run.evaluation["leaks"]["photos"]} == rows_known(samples.of("test"), known)
    folder = tg.save_run(run, tmp_path / "twice")
    assert learned_by(load_backbone(str(folder))) == known | own == learned_by(tg.Classifier.load(folder).backbone)
    assert learned_by(run.classifier.backbone) == known | own  # in Python it need not be saved for that
    assert json.loads((folder / "classifier.json").read_text())["learned_by_backbone"] == [" ".join(sorted(known - own))]


@pytest.mark.long
def test_a_frozen_backbone_has_learned_from_nothing(photos, features, tmp_path, capsys):
    samples = tg.load(photos, held_out=0.25, seed=1)
    run = fitted(NOISE, samples, features)
    folder = tg.save_run(run, tmp_path / "run")
    assert not learned_by(load_backbone(str(folder)))
    assert "learned_by_backbone" not in json.loads((folder / "classifier.json").read_text())
    head_only = FineTuning(FineTuneSettings(epochs=1, batch_size=16, precision="float32", unfreeze=0))
    assert not learned_by(fitted(NOISE, samples, features, method="fine-tune", fine_tuning=head_only).classifier.backbone)
    again = fitted(str(folder), tg.load(photos, held_out=0.5, seed=2), features)
    assert again.evaluation["leaks"]["n"] == 0
    assert "backbone" not in again.classifier.notes["seen"]
    assert "fine-tuned on" not in capsys.readouterr().err
    saved = json.loads((tg.save_run(again, tmp_path / "again") / "classifier.json").read_text())
    assert saved["learned_by_backbone"] == [""]  # asked, and told


def without(folder, target, *, seen=False):
    """A run as older programs wrote it."""
    shutil.copytree(folder, target)
    document = json.loads((target / "classifier.json").read_text())
    document.pop("learned_by_backbone", None)
    if seen:
        document["trained"].pop("seen")
    (target / "classifier.json").write_text(json.dumps(document))
    return target


def test_runs_of_older_programs_tell_what_they_know(tuned, transferred, known, tmp_path, capsys):
    assert learned_by(load_backbone(str(without(tuned, tmp_path / "old")))) == known
    assert "older program" not in capsys.readouterr().err
    for folder, name, seen in ((transferred[1], "chain", False), (tuned, "older", True)):
        old = without(folder, tmp_path / name, seen=seen)
        assert not learned_by(load_backbone(str(old)))
        assert f"{old} was written by an older program and does not tell which photos" in capsys.readouterr().err


@pytest.mark.robust(
    "scores",
    case="`rank` with a run that was fine-tuned on these photos",
    right="left out, with how many of them; never recommended",
)
def test_a_network_that_has_learned_from_the_photos_is_not_ranked(tuned, transferred, photos, features):
    asked = [NOISE, str(tuned), str(transferred[1])]
    ranking = tg.rank(photos, backbones=asked, features=features, settings=tg.RankSettings(parts=1))
    assert ranking.best == NOISE
    assert [row.name for row in ranking.rows] == [NOISE]
    why = "it was fine-tuned on 18 of these 24 photos, so a score on them would mean nothing"
    assert {one.name: one.reason for one in ranking.left_out} == dict.fromkeys(asked[1:], why)
    with pytest.raises(RequestError, match="Not one network could be judged") as refused:
        tg.rank(photos, backbones=[str(tuned)], features=features)
    assert why in str(refused.value)


def test_an_audit_says_that_the_backbone_has_learned_the_labels(tuned, photos, features, capsys):
    found = tg.audit(photos, backbone=str(tuned), features=features)
    assert found.learned == found.to_dict()["learned_by_backbone"] == 18
    told = "was fine-tuned on 18 of these 24 photos and has learned their labels: wrong ones among them are hardly found."
    assert told in capsys.readouterr().err
    assert told in write_audit_page(found)
    plain = tg.audit(photos, backbone=NOISE, features=features)
    assert "learned_by_backbone" not in plain.to_dict()
    assert "fine-tuned on" not in capsys.readouterr().err


def test_the_estimator_says_it_too(tuned, photos, capsys):
    samples = tg.load(photos, held_out=0)
    tg.TransferClassifier(str(tuned)).fit(samples.paths, samples.label_names())
    assert "cross-validation on them proves nothing" in capsys.readouterr().err


def test_photos_of_several_labels_are_told_in_their_own_words(tuned, photos, features, tmp_path):
    samples = tg.load(photos, held_out=0.5, seed=2)
    lines = [
        f"{path.absolute()},{label},{split}"
        for path, label, split in zip(samples.paths, samples.label_names(), samples.splits, strict=True)
    ]
    (tmp_path / "table.csv").write_text("\n".join(["path,label,split", *lines]))
    several = tg.load(tmp_path / "table.csv", multi_label=True)
    run = tg.fit(tg.Classifier(str(tuned), classes=several.classes, task="multi"), several, features=features)
    assert "that the backbone has learned from; on the" in headline(run.evaluation)
    with speaking("ja"):
        assert "バックボーンがすでに学んだ写真です" in headline(run.evaluation)
    assert run_sentences(run)["leaked"].startswith("Photos that the backbone has learned from:")


def test_photos_that_were_saved_anew_are_not_known_and_that_is_said(tuned, photos, features, tmp_path, capsys):
    for path in sorted(photos.rglob("*.png")):
        target = tmp_path / "anew" / path.parent.name / f"{path.stem}.bmp"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).save(target)
    run = fitted(str(tuned), tg.load(tmp_path / "anew", held_out=0.5, seed=2), features)
    assert run.evaluation["leaks"]["n"] == 0
    told = "none of which is among these, file by file; copies that were saved anew would not be noticed."
    assert told in capsys.readouterr().err
    assert told in run_sentences(run)["trained_how"]
