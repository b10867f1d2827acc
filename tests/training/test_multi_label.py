"""Several labels per photo, from class folders to an evaluated run: nothing lost, nothing guessed, copies named."""

import csv
import shutil

import numpy as np
import pytest

import tsugiki as tg
from tsugiki.core.errors import RequestError
from tsugiki.data.samples import Samples
from tsugiki.evaluation.label_issues import read_decisions
from tsugiki.inspection.audit import audit
from tsugiki.inspection.nearest_photos import nearest_photos
from tsugiki.training.corrections import apply_decisions


def rows_of(folder):
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def cells_of(rows, names):
    """1 where a photo shows a class."""
    return np.array([[float(name in row["label"].split("|")) for name in names] for row in rows])


@pytest.fixture(scope="module")
def model_and_run(sets):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSUGIKI_CACHE", str(sets.parent / "cache"))
        data = tg.load(sets)
        model = tg.Classifier("bundled:nae", classes=data.classes, task=data.task)
        before = {name: value.clone() for name, value in model.backbone.state_dict().items()}
        run = tg.fit(model, data)
        after = model.backbone.state_dict()
        assert all((before[name] == after[name]).all() for name in before)
        return model, run


def test_a_table_of_several_labels_becomes_a_run_that_is_far_above_guessing(model_and_run):
    model, run = model_and_run
    assert (model.task, run.samples.task, run.evaluation["task"]) == ("multi", "multi", "multi")
    numbers = run.evaluation
    assert numbers["n"] == 30
    assert numbers["mean_average_precision"] > 0.9 > numbers["frequency_guess"]["mean_average_precision"] + 0.2
    assert numbers["frequency_guess"]["verdict"] == "helped"
    assert [row["class"] for row in numbers["per_class"]] == list(model.classes)


def test_photos_with_none_of_the_classes_count_and_are_answered_so(sets, model_and_run):
    model, run = model_and_run
    rows = rows_of(sets)
    without = [row["path"] for row in rows if row["label"] == "|"]
    assert len(without) > 10
    assert set(without) <= set(run.samples.names)
    answers = model.predict([sets / name for name in without])
    assert np.mean([answer.labels == () for answer in answers]) > 0.7
    assert all(answer.label == "" and not answer.problem for answer in answers if answer.labels == ())


def test_what_was_saved_answers_the_same_with_and_without_pytorch(sets, model_and_run, tmp_path):
    model, _ = model_and_run
    model.save(tmp_path / "run")
    photos = sorted(sets.glob("*.png"))[:20]
    plain, again = model.predict(photos), tg.Classifier.load(tmp_path / "run").predict(photos)
    assert [one.labels for one in plain] == [one.labels for one in again]
    assert [one.probabilities for one in plain] == [one.probabilities for one in again]
    engine = tg.load_predictor(tmp_path / "run")
    assert engine.answer_head.task == "multi"
    for one, other in zip(plain, engine.predict(photos), strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)
        assert one.labels == other.labels


def test_who_evaluates_later_gets_the_same_numbers(sets, model_and_run):
    model, run = model_and_run
    later = tg.evaluate(model, sets).document
    for key in ("n", "mean_average_precision", "exact_match", "hamming_loss", "log_loss", "macro_f1", "calibration"):
        assert later[key] == run.evaluation[key], key


@pytest.mark.long
@pytest.mark.robust(
    "labels", case="a run whose labels were separated by spaces is evaluated", right="the table is read as in training"
)
def test_the_separator_of_the_training_holds_where_the_run_is_evaluated(sets, tmp_path, capsys):
    rows = [row for row in rows_of(sets) if row["label"] != "|"]
    with (tmp_path / "train.csv").open("w", newline="") as file:
        names = [(sets / row["path"], row["label"].replace("|", " "), row["split"]) for row in rows]
        csv.writer(file).writerows([("image_name", "tags", "split"), *names])
    data = tg.load(tmp_path / "train.csv", label_separator=" ")
    run = tg.fit(tg.Classifier("bundled:nae", classes=data.classes, task="multi"), data)
    model = tg.Classifier.load(run.classifier.save(tmp_path / "run"))
    capsys.readouterr()
    later = tg.evaluate(model, tmp_path / "train.csv").document
    assert "separated by spaces, as in the training" in capsys.readouterr().err
    assert later["mean_average_precision"] == run.evaluation["mean_average_precision"]
    near = nearest_photos(model, sets / rows[0]["path"], tmp_path / "train.csv", count=len(rows))
    assert {name for photo in near for name in photo.label.split("|")} == {"red", "green", "blue"}
    with pytest.raises(RequestError, match=r"(?s)hold \|.*add label_separator='\|'"):
        tg.evaluate(model, sets)
    assert tg.evaluate(model, sets, label_separator="|").document["n"] == 30


def test_where_nothing_is_held_out_no_photo_has_a_say_in_its_own_threshold(sets):
    rows = rows_of(sets)
    labels = [[name for name in row["label"].split("|") if name] for row in rows]
    data = Samples.from_lists([sets / row["path"] for row in rows], labels, held_out=0)
    assert (data.task, data.held_out) == ("multi", "")
    run = tg.fit(tg.Classifier("bundled:nae", classes=data.classes, task="multi"), data)
    assert run.evaluation["split"] == "out-of-fold"
    assert len({tuple(row) for row in run.predictions.thresholds.tolist()}) > 1


def test_a_label_that_is_missing_and_one_that_is_too_many_are_found_and_mended_by_the_list(sets, tmp_path):
    copy = shutil.copytree(sets, tmp_path / "sets")
    rows = rows_of(copy)
    changed = {}
    for row in rows[1:60:12]:
        names = {name for name in row["label"].split("|") if name} ^ {"red"}
        changed[row["path"]], row["label"] = row["label"], "|".join(sorted(names)) or "|"
    with (copy / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "split"), *(row.values() for row in rows)])
    found = audit(copy, backbone="bundled:nae")
    names, classes = found.samples.names, found.samples.classes
    doubted = [(names[one.row], classes[one.cls]) for one in found.findings.cells.suspects]
    first = doubted[: 2 * len(changed)]
    assert sum((name, "red") in first for name in changed) >= len(changed) - 1
    assert {one["class"] for one in found.to_dict()["suspects"]} == {name for _, name in doubted}

    listed = tmp_path / "suspects.csv"
    lines = [f"{name},{row['label']},{changed[name]},1.0,relabel" for row in rows if (name := row["path"]) in changed]
    listed.write_text("path,label,suggested,score,action\n" + "\n".join(lines) + "\n", encoding="utf-8")
    mended = apply_decisions(found.samples, read_decisions(listed))
    truth = {row["path"]: frozenset(filter(None, row["label"].split("|"))) for row in rows_of(sets)}
    assert dict(zip(mended.names, mended.label_sets(), strict=True)) == truth
    assert len(mended.corrections) == len(changed)
    assert f"Other labels because a list says so: {len(changed)}." in mended.decisions


@pytest.fixture
def twice(sets, tmp_path):
    """Class folders in which two photos lie in two of them, under other names."""
    rows = [row for row in rows_of(sets) if row["label"] in {"red", "green", "blue"}]
    for row in rows:
        (tmp_path / "photos" / row["label"]).mkdir(parents=True, exist_ok=True)
        shutil.copy(sets / row["path"], tmp_path / "photos" / row["label"] / row["path"])
    for number, (one, other) in enumerate([("red", "blue"), ("green", "blue")]):
        source = min((tmp_path / "photos" / one).iterdir())
        shutil.copy(source, tmp_path / "photos" / other / f"again-{number}.png")
    return tmp_path / "photos"


@pytest.mark.robust(
    "labels", case="one photo copied into several class folders", right="named as a contradiction; two labels when asked for"
)
def test_one_photo_in_two_class_folders_is_a_contradiction_or_has_two_labels(twice):
    files = sum(1 for _ in twice.rglob("*.png"))
    single = tg.load(twice)
    assert single.task == "single"
    assert len(single) == files
    assert any("different classes: 2" in warning for warning in single.warnings)
    several = tg.load(twice, multi_label=True)
    assert (several.task, len(several)) == ("multi", files - 2)
    assert not any("different classes" in warning for warning in several.warnings)
    assert sorted(text for text in several.label_names() if "|" in text) == ["blue|green", "blue|red"]
    assert any("one photo with all their labels" in sentence for sentence in several.decisions)


def test_a_classifier_of_the_other_task_is_refused_with_the_cure(sets, twice):
    data = tg.load(sets)
    with pytest.raises(RequestError, match=r"task='multi'"):
        tg.fit(tg.Classifier("bundled:nae", classes=data.classes), data)
    single = tg.load(twice)
    with pytest.raises(RequestError, match=r"task='single'"):
        tg.fit(tg.Classifier("bundled:nae", classes=single.classes, task="multi"), single)
    with pytest.raises(RequestError, match="single, multi"):
        tg.Classifier("bundled:nae", classes=["a", "b"], task="several")


def test_a_label_that_nobody_knows_is_neither_learned_nor_judged(sets):
    rows = rows_of(sets)
    names = ["red", "green", "blue"]
    cells = cells_of(rows, names)
    hidden = np.random.default_rng(1).random(cells.shape) < 0.3
    hidden[hidden.all(axis=1), 0] = False  # of a photo of which nothing is known nothing can be learned
    cells[hidden] = np.nan
    data = Samples.from_lists([sets / row["path"] for row in rows], cells, [row["split"] for row in rows], classes=names)
    assert (data.targets[:, [data.classes.index(name) for name in names]] == -1).sum() == hidden.sum()
    run = tg.fit(tg.Classifier("bundled:nae", classes=data.classes, task="multi"), data)
    assert sum(row["n_not_known"] for row in run.evaluation["per_class"]) == hidden[::5].sum()
    assert run.evaluation["mean_average_precision"] > 0.85


def test_thresholds_reach_what_was_asked_for_and_are_refused_where_each_photo_has_one_label(sets, twice):
    rows, names = rows_of(sets), ["blue", "green", "red"]
    cells = cells_of(rows, names)
    cells[np.random.default_rng(1).random(cells.shape) < 0.1] = 1  # so that no threshold has every photo right
    data = Samples.from_lists([sets / row["path"] for row in rows], cells, [row["split"] for row in rows], classes=names)
    model = tg.Classifier("bundled:nae", classes=data.classes, task="multi")
    present = data.targets[data.train_rows] == 1

    def reached(run):
        """The share of the photos of each class that it is shown on, by heads that had not seen them."""
        several = run.classifier.multi_label
        return (several.probabilities(run.out_of_fold) >= several.thresholds).T[present.T].mean()

    assert reached(tg.fit(model, data)) < 1
    careful = tg.fit(model, data, settings=tg.HeadSettings(threshold="recall=1"))
    assert careful.classifier.notes["thresholds"]["goal"] == "recall=1"
    assert reached(careful) == 1
    single = tg.load(twice)
    with pytest.raises(RequestError, match="threshold is for photos with several labels"):
        tg.fit(tg.Classifier("bundled:nae", classes=single.classes), single, settings=tg.HeadSettings(threshold="recall=0.9"))
    with pytest.raises(RequestError, match="threshold says"):
        tg.HeadSettings(threshold="high")
