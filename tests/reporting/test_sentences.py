"""The report's sentences are true for the method that the classifier was trained by."""

import re
from dataclasses import replace

import pytest
from torch import nn

from tests.reporting.runs import D, small_run
from tsugiki.backbones.layer_groups import LayerGroup
from tsugiki.fine_tuning.model_selection import compare
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.inspection.findings import inspect
from tsugiki.locale.messages import speaking
from tsugiki.reporting.card import write_card
from tsugiki.reporting.pages.sentences import (
    calibration_sentences,
    duplicate_sentences,
    label_issue_sentences,
    out_of_distribution_sentences,
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
