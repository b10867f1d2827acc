"""The report's sentences are true for the method that the classifier was trained by."""

import re
from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from tests.reporting.runs import D, small_run
from tsugiki.backbones.layer_groups import LayerGroup
from tsugiki.evaluation.learning_curve import fit_discriminant
from tsugiki.evaluation.learning_curve import learning_curve as curve_of
from tsugiki.evaluation.metrics import softmax
from tsugiki.evaluation.predictions import OUT_OF_FOLD, Predictions, evaluate_rows
from tsugiki.fine_tuning.comparison import compare
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.inspection.findings import inspect
from tsugiki.locale.messages import speaking
from tsugiki.reporting.card import write_card
from tsugiki.reporting.pages.sentences import (
    balance_sentence,
    calibration_sentences,
    duplicate_sentences,
    label_issue_sentences,
    learning_curve_sentences,
    out_of_distribution_sentences,
    score_sentences,
)
from tsugiki.reporting.pages.training_sentences import training_sentences
from tsugiki.reporting.report import write_report


@pytest.fixture
def frozen(tmp_path):
    return small_run(tmp_path)


@pytest.fixture
def tuned(frozen):
    classifier = frozen.classifier
    classifier.backbone.origin = replace(classifier.backbone.origin, label="tiny.safetensors, fine-tuned")
    classifier.notes = {
        **classifier.notes,
        "method": "fine-tune",
        "settings": FineTuneSettings(epochs=9).to_dict(),
        "epochs": 7,
        "best_epoch": 5,
        "blended": 0.75,
        "best": {"loss": 0.3, "accuracy": 0.875},
        "validation_photos": 16,
        "unfrozen": ["layers"],
    }
    comparison = compare(frozen.predictions, frozen.predictions)
    findings = inspect(frozen.table, frozen.out_of_fold, with_curve=False)
    return replace(frozen, evaluation={**frozen.evaluation, "fine_tuning": comparison}, findings=findings)


def _with(run, **settings):
    run.classifier.notes = {**run.classifier.notes, "settings": {**run.classifier.notes["settings"], **settings}}
    return run


def _at_temperature(run, temperature):
    return {**run.evaluation, "calibration": {**run.evaluation["calibration"], "temperature": temperature}}


def test_after_transfer_learning(frozen):
    said = training_sentences(frozen)
    assert "stayed as it is" in said["trained_how"]
    assert "chosen by cross-validation" in said["trained_settings"]
    assert said["history_note"].endswith("From left to right: epochs 1 to 3.")
    assert said["kept"] == ""
    assert said["held_out_once"] == "The held-out photos were looked at once, after everything was decided."
    assert "out-of-fold" in calibration_sentences(frozen.evaluation, frozen.classifier.notes)["trust_how"]
    assert "out-of-fold" in calibration_sentences(_at_temperature(frozen, 1.0), frozen.classifier.notes)["trust_how"].lower()


@pytest.mark.robust(
    "scores", case="curves where a folder val/ exists, or none", right="what the dashed line is made of is named"
)
@pytest.mark.parametrize(
    ("validation", "said"),
    [("val", "Dashed: photos of the split val."), ("out-of-fold", "(cross-validation)."), ("none", "training photos. From")],
)
def test_curves_say_what_they_are_measured_on(frozen, validation, said):
    frozen.classifier.notes["head"]["validation"] = validation
    note = training_sentences(frozen)["history_note"]
    assert said in note
    assert "validation photos" not in note


@pytest.fixture
def whole(frozen):
    """The same run with nothing held out: its score is that of cross-validation."""
    chosen = frozen.samples.take(frozen.samples.train_rows)
    chances = softmax(frozen.out_of_fold)
    rows = Predictions(chosen.names, (OUT_OF_FOLD,) * len(chosen), chosen.labels, chances, chosen.classes)
    return replace(frozen, predictions=rows, evaluation=evaluate_rows(rows, split=OUT_OF_FOLD, leaked={}))


@pytest.mark.robust("scores", case="nothing held out", right="no sentence of the report and the card speaks of held-out photos")
def test_where_nothing_is_held_out_no_sentence_says_so(whole):
    page, card = write_report(whole, name="x"), write_card(whole, name="x")
    english = re.sub(r'<span lang="ja">.*?</span>', "", page)
    assert "Nothing was held out: the score is that of cross-validation" in english
    assert "Nothing is held out, so nothing could leak" in english
    for text in (english, card):
        assert not re.search("of \\d+ held-out photos|held-out photo has|held-out photos were looked|more held-out", text)
    assert "Cross-validated on 48 training photos, since nothing was held out" in card
    assert "from where these photos come from" in card
    assert "no held-out photo" not in card.lower()
    assert 'class="open"><a href="#leaks"' in page


def test_a_perfect_score_of_cross_validation_speaks_of_no_held_out_photos(whole):
    answers = np.eye(2)[whole.predictions.labels] * 0.8 + 0.1
    rows = replace(whole.predictions, probabilities=answers)
    said = score_sentences(evaluate_rows(rows, split=OUT_OF_FOLD))
    assert said["no_mistakes"] == "There is none: every photo was answered right."
    few = rows.take([0, 1, 2])
    assert said["against"].startswith("Clearly better")
    assert score_sentences(evaluate_rows(few, split=OUT_OF_FOLD))["against"].endswith("more photos needed.")


@pytest.mark.robust("scores", case="a failed model", right="no tick, no green number, no doubted label, in report and findings")
def test_a_failed_run_gets_no_ticks(frozen):
    rng = np.random.default_rng(3)
    guessed = rng.normal(size=frozen.out_of_fold.shape).astype(np.float32)
    rows = replace(frozen.predictions, probabilities=np.tile([0.6, 0.4], (len(frozen.predictions), 1)))
    evaluation = evaluate_rows(rows, split="val", leaked={})
    findings = inspect(frozen.table, guessed)
    assert findings.head_near_chance
    assert findings.suspects == ()
    assert findings.summary()["suspects"] is None
    failed = replace(frozen, predictions=rows, evaluation=evaluation, findings=findings)
    page = write_report(failed, name="x")
    assert 'class="big doubtful"' in page
    assert '<li class="fine">' not in page
    assert "That is close to guessing" in page
    assert "Its percentages mean nothing" in page
    assert "points off" not in page
    assert "held-out photos needed" not in page
    assert "No label is doubted: a head on bundled:tiny is right about" in page
    assert "big doubtful" not in write_report(frozen, name="x")


@pytest.mark.robust(
    "scores", case="doubted labels", right="with what they were looked at, and how right that is, in the sentence"
)
def test_doubts_say_whose_they_are(frozen):
    said = label_issue_sentences(frozen.findings, backbone="bundled:tiny")["suspects_short"]
    accuracy = f"{frozen.findings.head_accuracy:.1%}"
    assert f"They were looked at with bundled:tiny, which is right about {accuracy} of them" in said


@pytest.mark.robust("scores", case="learning curve 97%, headline 94.8%", right="why the two differ is said, with both numbers")
def test_the_curve_says_why_it_is_not_the_score(frozen):
    labels = np.arange(80) % 4
    curve = curve_of(np.eye(4)[labels] * 2 + np.random.default_rng(0).normal(size=(80, 4)), labels, fit_discriminant)
    said = learning_curve_sentences(replace(frozen.findings, curve=curve), evaluation=frozen.evaluation)["more_short"]
    score = f"{frozen.evaluation['balanced_accuracy']:.1%}"
    assert f"the score is {score}, every class counting the same: the curve is cross-validated on training photos" in said


def test_the_refused_are_told(frozen):
    known = np.arange(len(frozen.predictions)) > 1
    evaluation = evaluate_rows(replace(frozen.predictions, known=known), split="val")
    said = score_sentences(evaluation)["refused"]
    assert said.startswith('Of the 12 photos, 2 are answered with "not sure", being less like the training photos than 95%')
    assert said in write_card(replace(frozen, evaluation={**evaluation, "leaks": None}), name="x")
    assert score_sentences(frozen.evaluation)["refused"] == ""
    one, none = ({**evaluation, "refused": {"n": n, "correct": 0}} for n in (1, 0))
    assert "1 is answered with" in score_sentences(one)["refused"]
    assert "Its most probable class is wrong." in score_sentences(one)["refused"]
    assert score_sentences(none)["refused"] == 'None of the 12 photos is answered with "not sure".'


@pytest.mark.robust(
    "scores", case="uneven classes, 40 : 5", right="said in the report, with --class-weights, unless it was used"
)
def test_uneven_classes_are_told(frozen):
    rows = [row for row, label in enumerate(frozen.samples.labels.tolist()) if label == 0 or row % 12 == 1]
    samples = frozen.samples.take(rows)
    assert "--class-weights makes them count the same." in balance_sentence(samples)
    assert "--class-weights made them count the same." in balance_sentence(samples, weighted=True)
    assert balance_sentence(frozen.samples) == "Every class has 24 training photos."
    assert balance_sentence(samples.of("val")) != ""


def test_after_fine_tuning(tuned):
    said = training_sentences(tuned)
    assert said["trained_how"] == (
        "The backbone bundled:tiny (tiny.safetensors, licence MIT) was fine-tuned, starting from a fitted head. "
        "All its layers learned (layer groups: 1)."
    )
    assert said["trained_settings"] == (
        "Fine-tuning: 7 epochs of at most 9, batches of 32, learning rate 0.0002 at the head and 0.8 times it from each layer "
        "group to the one below, weight decay 0.01, label smoothing 0.1, seed 42. Augmentation: random crop of 50% to 100%, "
        "mirrored left to right. 16 of the training photos were kept back for validation: none of them was learned from, they "
        "chose which weights were kept."
    )
    assert said["kept"] == (
        "Kept: weights 75% of the way from the start to epoch 5, the best on the validation photos (87.5% correct)."
    )
    assert "validation photos" in said["history_note"]
    assert "to compare" in said["held_out_once"]
    for temperature in (1.0, 1.3):
        how = calibration_sentences(_at_temperature(tuned, temperature), tuned.classifier.notes)["trust_how"]
        assert "16 validation photos" in how
        assert "out-of-fold" not in how.lower()


def test_layers_that_did_not_learn_are_not_said_to(tuned, monkeypatch):
    groups = [LayerGroup(name, (), ()) for name in ("layer2", "layer3", "layer4")]
    monkeypatch.setattr(type(tuned.classifier.backbone), "layer_groups", lambda _self: groups)
    tuned.classifier.notes["unfrozen"] = ["layer3", "layer4"]
    assert training_sentences(tuned)["trained_how"].endswith("2 of its 3 layer groups learned: layer3, layer4.")
    tuned.classifier.notes["unfrozen"] = []
    assert training_sentences(tuned)["trained_how"].endswith("stayed as it is; only the head was fine-tuned.")
    assert "Weights of the backbone now" not in write_card(tuned, name="x")


@pytest.mark.parametrize(
    ("setting", "said"), [("frozen", "BatchNorm was frozen"), ("update", "BatchNorm was updated"), (None, "")]
)
def test_batch_norm_is_named_where_there_is_one(tuned, setting, said):
    if setting:
        tuned.classifier.backbone.body.append(nn.BatchNorm1d(D))
        tuned = _with(tuned, batch_norm=setting)
    assert ("BatchNorm" in training_sentences(tuned)["trained_how"]) == bool(setting)
    assert said in training_sentences(tuned)["trained_how"]


def test_the_way_of_computing_is_told_in_the_language_in_use(tuned):
    tuned.classifier.notes["compute"] = {"precision": "bfloat16", "channels_last": True, "folded": True, "compiled": False}
    assert "Computed in bfloat16, channels_last, folded BatchNorm." in training_sentences(tuned)["trained_settings"]
    tuned.classifier.notes["compute"] = "float32, 畳み込み"  # as older runs hold it
    assert "Computed" not in training_sentences(tuned)["trained_settings"]


def test_the_card_names_both_weights_and_the_verdict(tuned):
    card = write_card(tuned, name="x")
    assert "- Weights it began with: tiny.safetensors, licence MIT\n" in card  # an older run: no digest
    assert (
        f"- Weights of the backbone now: fine-tuned, SHA-256 over all its parameters and buffers `{'0' * 64}`, licence MIT\n"
        in card
    )
    assert "Whether fine-tuning helped cannot be told" in card.split("## Intended use")[0]
    tuned.classifier.notes["began_with"] = {"label": "mine.pt, fine-tuned", "sha256": "a" * 64}
    card = write_card(tuned, name="x")
    assert f"- Weights it began with: mine.pt, fine-tuned, SHA-256 `{'a' * 64}`, licence MIT\n" in card
    assert "(mine.pt, fine-tuned, licence MIT) was fine-tuned" in card


def test_fine_tuning_that_was_not_kept_is_told(frozen):
    frozen.classifier.notes["fine_tuning"] = {"validated": {"start": 0.9, "fine_tuned": 0.8, "photos": 10}}
    said = training_sentences(frozen)["kept"]
    assert said.startswith("Kept: the frozen backbone, the simpler one (90.0% of 10 validation photos")
    assert said in write_card(frozen, name="x")


def test_where_nothing_could_be_estimated_nothing_is_claimed(frozen):
    frozen.classifier.notes["head"]["penalty"] = {"C": 0.03, "chosen_by": "default"}
    frozen.classifier.unknown = None
    findings = replace(frozen.findings, suspects=(), examined=0)
    evaluation = _at_temperature(frozen, None)
    assert "could be estimated" in calibration_sentences(evaluation, frozen.classifier.notes)["trust_how"]
    assert "usual one" in training_sentences(frozen)["trained_settings"]
    assert "never" in out_of_distribution_sentences(frozen.classifier)["unknown_how"]
    assert "not looked for" in label_issue_sentences(findings, backbone="tiny")["suspects_short"]
    page = write_report(replace(frozen, evaluation=evaluation, findings=findings), name="x")
    assert "Crosses" not in page


def test_page_and_card_after_fine_tuning(tuned):
    assert tuned.findings.curve is None  # features that have learned these labels would only flatter
    page, card = write_report(tuned, name="x"), write_card(tuned, name="x")
    for text in (page, card):
        assert "16 of the training photos were kept back" in text
        assert "stayed as it is" not in text
        assert not re.search("out-of-fold answers|Only a head", text)
    assert "16 枚を検証用に" in page
    with speaking("ja"):
        assert "ファインチューニング" in training_sentences(tuned)["trained_how"]
        assert "凍結" in training_sentences(tuned)["held_out_once"]


def test_copies_inside_a_split_are_counted_by_pair(frozen):
    findings = frozen.findings
    leaky = [pair for pair in findings.copies if 5 in (pair.first, pair.second)]
    assert leaky
    # One held-out photo with two twins that are learned from: two pairs, none of them inside a split.
    two = replace(findings, copies=(leaky[0], replace(leaky[0], second=7)))
    assert duplicate_sentences(frozen.evaluation, two, frozen.samples.splits)["copies"] == ""
    three = replace(findings, copies=(*two.copies, replace(leaky[0], first=6, second=7)))
    assert (
        duplicate_sentences(frozen.evaluation, three, frozen.samples.splits)["copies"] == "Pairs of copies inside a split: 1."
    )


@pytest.mark.robust("scores", case="the card of a run with leaks", right="as a score machines read that of the others, or none")
def test_the_card_publishes_no_score_of_leaks(frozen):
    names = frozen.predictions.names

    def card(leaked):
        evaluation = evaluate_rows(
            frozen.predictions, split=frozen.evaluation["split"], leaked=dict.fromkeys(leaked, "train/x.jpg")
        )
        return evaluation, write_card(replace(frozen, evaluation=evaluation), name="x")

    evaluation, some = card(names[:3])
    without = evaluation["leaks"]["accuracy_without"]
    assert f"value: {round(without, 6)}\n" in some
    assert f"| accuracy without the photos that leaked ({len(names) - 3} others) | {without:.1%} |" in some
    _, every = card(names)
    assert "model-index" not in every
    assert every.count("価値はありません") + every.count("意味がありません") == 1
    assert "Whether its percentages are right cannot be told" in every


@pytest.mark.robust("scores", case="hundreds of classes that are never answered", right="counted, two of them named")
def test_many_classes_that_are_never_answered_are_counted():
    labels = np.arange(80) % 40
    rows = Predictions(("x.jpg",) * 80, ("test",) * 80, labels, np.eye(40)[labels * 0], tuple(f"class {k}" for k in range(40)))
    said = score_sentences(evaluate_rows(rows, split="test"))["never_answered"]
    assert said == "Never answered, although there are photos of them: 39 of 40 classes, as class 1, class 2."
