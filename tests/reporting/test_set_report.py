"""Where photos have several labels, page, card, folder and last lines say what is true of them, and nothing of accuracy."""

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from huggingface_hub import ModelCard
from markupsafe import escape

from tests.reporting.runs import small_run
from tests.reporting.set_runs import CLASSES, small_set_run
from tsugiki.core.errors import RequestError
from tsugiki.evaluation.headline import headline
from tsugiki.evaluation.multi_label.evaluate_sets import evaluate_sets
from tsugiki.evaluation.predictions import OUT_OF_FOLD
from tsugiki.inspection.audit import Audit
from tsugiki.locale.messages import speaking
from tsugiki.reporting.audit_page import audit_sentences, write_audit_page
from tsugiki.reporting.card import write_card
from tsugiki.reporting.pages.run_sentences import run_sentences
from tsugiki.reporting.pages.set_gallery import set_mistakes_in, wrong_cells
from tsugiki.reporting.pages.set_sentences import thresholds_sentence
from tsugiki.reporting.pages.set_tables import errors_of
from tsugiki.reporting.report import write_report
from tsugiki.reporting.run_folder import save_run, what_is_there
from tsugiki.reporting.run_tables import read_history, read_predictions
from tsugiki.reporting.shown_report import run_cell
from tsugiki.reporting.verdict import verdict

HOSTILE = ("<b>猫</b>", "a|b", "c*d", "rare_one")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small_set_run(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def partly_known(tmp_path_factory):
    return small_set_run(tmp_path_factory.mktemp("partly"), HOSTILE, unknown=0.2)


@pytest.fixture(scope="module")
def page(run):
    return write_report(run, name="my run")


def judged(run, **how):
    """The same run, judged in other circumstances."""
    rows = how.pop("rows", run.predictions)
    split = how.pop("split", "test")
    rows = replace(rows, splits=(split,) * len(rows))
    return replace(run, predictions=rows, evaluation=evaluate_sets(rows, split=split, **how))


def cells_of(page, heading):
    """The rows of the table under a heading, as texts."""
    table = re.search(rf"{heading}.*?<tbody>(.*?)</tbody>", page, re.DOTALL)[1]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    return [[re.sub(r"<[^>]+>", " ", cell).split() for cell in re.split("</t[hd]>", row)[:-1]] for row in rows]


def test_the_page_shows_the_score_that_the_rows_give(run, page):
    value = run.evaluation["mean_average_precision"]
    assert f'">{100 * value:.1f}<small>%</small>' in page
    assert str(escape(headline(run.evaluation))) in page
    for missing in ("Accuracy", "accuracy", "taken for what", "正解率", "always answering the largest"):
        assert missing not in page


def test_each_class_has_its_counts_its_precision_and_its_threshold(run, page):
    rows = cells_of(page, 'class="classes"')
    assert [row[0] for row in rows] == [[name] for name in CLASSES]
    for cells, truth in zip(rows, run.evaluation["per_class"], strict=True):
        assert (cells[1], cells[2]) == ([str(truth["n"])], [str(truth["n_absent"])])
        assert cells[3][0] == f"{100 * truth['average_precision']:.1f}%"
        assert cells[3][-1] == f"{100 * truth['guess']:.1f}%"
        assert [cell[0] for cell in cells[4:7]] == [f"{100 * truth[name]:.1f}%" for name in ("precision", "recall", "f1")]
        assert cells[7] == [f"{100 * truth['threshold']:.0f}%"]


def test_what_nobody_knows_is_counted_and_a_shared_threshold_is_marked(partly_known):
    page = write_report(partly_known, name="run")
    assert "<b>猫</b>" not in page
    rows = cells_of(page, 'class="classes"')
    unknown = (partly_known.predictions.targets == -1).sum(axis=0)
    assert [row[3] for row in rows] == [[str(count)] for count in unknown]
    assert [len(row[-1]) > 1 for row in rows] == [False, False, False, True]  # the last is shared, in either language
    assert "Classes with fewer than 5 such photos share one threshold: rare_one." in page
    told = run_sentences(partly_known)["exact"]
    complete = partly_known.evaluation["n_complete"]
    assert told.startswith(f"Of the {complete} photos of which every label is known, ")
    assert f"| all labels right, of {complete} photos of which every label is known |" in write_card(partly_known, name="run")


def test_errors_are_counted_per_class_by_hand(run):
    rows = run.predictions
    for one in errors_of(run.evaluation):
        column = CLASSES.index(one["class"])
        present, shown = rows.targets[:, column] == 1, rows.shown[:, column]
        assert (one["missed"], one["n"]) == ((present & ~shown).sum(), present.sum())
        assert (one["added"], one["others"]) == ((~present & shown).sum(), (~present).sum())
    counts = [one["missed"] + one["added"] for one in errors_of(run.evaluation)]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == wrong_cells(rows).sum() > 0


def test_every_photo_with_a_wrong_answer_is_there_the_surest_first(run, page):
    rows = run.predictions
    found = list(set_mistakes_in(rows))
    wrong = wrong_cells(rows)
    assert {one.name for one in found} == {name for name, bad in zip(rows.names, wrong.any(axis=1), strict=True) if bad}
    far = np.where(wrong, np.abs((rows.targets == 1) - rows.probabilities), 0)
    surest = [far[rows.names.index(one.name)].max() for one in found]
    assert surest == sorted(surest, reverse=True)
    for one in found:
        row = rows.names.index(one.name)
        assert {name for name, _ in one.missed} == {CLASSES[at] for at in range(3) if wrong[row, at] and rows.targets[row, at]}
        assert {name for name, _ in one.added} == {
            CLASSES[at] for at in range(3) if wrong[row, at] and not rows.targets[row, at]
        }
        assert one.label == CLASSES[int(far[row].argmax())]
        assert one.words.en.startswith("It shows: ")
        assert page.count(f'data-name="{one.name}"') >= 1
    assert f"Photos with a wrong answer: {len(found)} of {len(rows)}" in page


def test_what_nobody_knows_is_no_mistake(partly_known):
    rows = partly_known.predictions
    assert not (wrong_cells(rows) & (rows.targets == -1)).any()


def test_doubted_labels_are_asked_about_one_by_one(run, page):
    doubted = run.findings.cells.suspects
    extra = next(one for one in doubted if run.samples.names[one.row] == "train/写真 7.png")
    assert (CLASSES[extra.cls], extra.given) == ("ants", 0)
    assert "perhaps also" in page
    assert page.count("perhaps also ants") == sum(one.given == 0 and one.cls == 0 for one in doubted) * 2  # alt, and in English


def test_the_last_lines_compare_with_guessing_and_raise_alarms(run):
    lines = verdict(run)
    guess = run.evaluation["leaks"]["frequency_guess_without"]["mean_average_precision"]
    assert lines[0] == f"Clearly better than guessing by how frequent each class is, which gives {guess:.1%}."
    with speaking("ja"):
        assert verdict(run)[0].startswith("クラスの頻度だけで当て推量する場合")
    labels = np.random.default_rng(0).permutation(len(run.predictions))
    shuffled = replace(run.predictions, probabilities=run.predictions.probabilities[labels])
    poor = judged(run, rows=shuffled)
    assert poor.evaluation["near_chance"]
    assert verdict(poor)[0].startswith("Not proven better than guessing by how frequent each class is")
    assert "Its percentages mean nothing" in write_report(poor, name="poor")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_leaks_stand_with_the_score_and_take_its_worth(run, language):
    rows = run.predictions
    everything = judged(run, leaked=dict.fromkeys(rows.names, "train/x.png"))
    none_left = judged(
        run, leaked={name: "train/x.png" for name, cells in zip(rows.names, rows.targets, strict=True) if any(cells)}
    )
    with speaking(language):
        said = run_sentences(everything)
        assert (
            said["leaked"]
            == {
                "en": "Every held-out photo has a twin in another split: this score is worth nothing.",
                "ja": "取り分けた写真のすべてが、ほかの分割にもあります。この成績には意味がありません。",
            }[language]
        )
        assert said["strip"] == ""
        assert ("The others show none of the classes" in run_sentences(none_left)["leaked"]) == (language == "en")
    assert "doubtful" in write_report(everything, name="run").split("<small>%")[0].rsplit("<p", 1)[1]
    assert ModelCard(write_card(everything, name="run")).data.eval_results is None


def test_where_nothing_is_held_out_it_is_said_how_photos_were_judged(run):
    nothing = judged(run, split=OUT_OF_FOLD)
    said = run_sentences(nothing)
    assert said["headline"].endswith("guessing gives 45.6%).")
    assert "each answered by a head that had not learned from it" in said["headline"]
    assert said["thresholds"].endswith("each photo was judged with thresholds that the other photos chose.")
    assert "Cross-validated on 30 training photos" in write_card(nothing, name="run")


@pytest.mark.parametrize(
    ("noted", "said"),
    [
        ({"goal": "precision=0.9", "shared_by": []}, "so that a class is right at least 90% of the times that it is shown."),
        ({"goal": "recall=0.8", "shared_by": []}, "so that a class is shown on at least 80% of its photos."),
        (None, "Every class is shown from a probability of 50% on: there were no photos to choose thresholds on."),
    ],
)
def test_what_thresholds_were_chosen_for_is_said(noted, said):
    assert thresholds_sentence({"thresholds": noted} if noted else {}).endswith(said)


def test_the_correction_of_percentages_is_told_per_class(run):
    error = run.evaluation["calibration"]
    points = [f"{100 * error[name]['ece']:.1f}" for name in ("before", "after")]
    assert (
        f"A slope and an offset for 1 of 3 classes, fitted on out-of-fold answers of the training photos, changed this error "
        f"from {points[0]} to {points[1]} points."
    ) in run_sentences(run)["trust_how"]


def test_the_hub_reads_the_card(run):
    card = write_card(run, name="my run")
    data = ModelCard(card).data
    assert "multi-label" in data.tags
    assert (data.pipeline_tag, data.metrics) == ("image-classification", ["mean_average_precision", "f1"])
    (result,) = data.eval_results
    assert result.metric_type == "mean_average_precision"
    assert result.metric_value == pytest.approx(run.evaluation["leaks"]["mean_average_precision_without"], abs=1e-6)
    clean = judged(run, leaked={})
    kinds = {one.metric_type: one.metric_value for one in ModelCard(write_card(clean, name="x")).data.eval_results}
    assert kinds == {
        "mean_average_precision": pytest.approx(clean.evaluation["mean_average_precision"], abs=1e-6),
        "f1": pytest.approx(clean.evaluation["macro_f1"], abs=1e-6),
    }
    assert "accuracy" not in card


def test_the_card_is_whole_where_names_are_hostile(partly_known):
    card = write_card(partly_known, name="runs: 猫")
    tables = re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE)
    assert len(tables) == 2
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert "<b>" not in card
    english, japanese = card.split("## 日本語の要約")
    assert "it says which of 4 classes a photo shows, any number of them or none" in english
    assert "mAP (平均適合率のクラス平均)" in japanese


def test_the_tables_of_a_folder_say_what_the_run_says(run, tmp_path):
    folder = save_run(run, tmp_path / "run")
    history = read_history(folder / "history.csv")
    assert list(history[0]) == ["epoch", "train_loss", "train_map", "val_loss", "val_map", "lr", "seconds"]
    assert history == run.history
    rows = read_predictions(folder / "predictions.csv")
    for name in ("targets", "probabilities", "thresholds", "known"):
        assert np.array_equal(getattr(rows, name), getattr(run.predictions, name))
    stored = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    again = evaluate_sets(rows, split="test", leaked={})
    for name in ("task", "mean_average_precision", "macro_f1", "exact_match", "hamming_loss"):
        assert stored[name] == again[name]
    assert f"mean average precision {stored['mean_average_precision']:.1%} on 30 photos" in what_is_there(folder)
    with pytest.raises(RequestError, match="holds a run already"):
        save_run(small_run(tmp_path / "photos"), folder)


def test_the_suspects_in_the_folder_are_changes_of_one_label_each(run, tmp_path):
    folder = save_run(run, tmp_path / "run")
    with (folder / "suspects.csv").open(encoding="utf-8-sig") as stream:
        lines = list(csv.DictReader(stream))
    rows = {row["path"]: row for row in lines}
    row = rows["train/写真 7.png"]
    shown = {name for name, cell in zip(CLASSES, run.samples.targets[7], strict=True) if cell == 1}
    assert set(row["label"].strip("|").split("|")) - {""} == shown
    assert set(row["suggested"].split("|")) == shown | {"ants"}
    assert [row["path"] for row in lines] == [run.samples.names[one.row] for one in run.findings.cells.suspects]


def test_a_notebook_shows_the_classes_one_by_one(run):
    cell = run_cell(run)
    assert "average precision" in cell
    assert f"{run.evaluation['per_class'][0]['average_precision']:.1%}" in cell


def test_an_audit_asks_about_labels_one_by_one(run):
    audit = Audit(run.samples, run.table, run.findings, None, "tiny")
    page = write_audit_page(audit)
    said = audit_sentences(audit)
    assert said["audit_how"].startswith(
        "Looked at with tiny; heads on its features, cross-validated on all photos, have a mean "
    )
    assert "perhaps also" in page
    assert "A photo with several labels counts in the row of each; the last row counts photos." in page
    counts = cells_of(page, 'class="n">train')
    assert [row[0] for row in counts[:-1]] == [[name] for name in CLASSES]
    assert counts[-1][1:] == [[str(run.samples.splits.count(split))] for split in run.samples.counts()]
