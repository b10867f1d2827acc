"""Everything that is said about one run, whatever its task, for the report, the card and the last lines of a fit."""

from __future__ import annotations

from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
from tsugiki.reporting.pages import sentences, set_sentences
from tsugiki.reporting.pages.set_gallery import wrong_cells
from tsugiki.reporting.pages.taxonomy_part import taxonomy_part
from tsugiki.reporting.pages.training_sentences import Sentences, is_fine_tuned, is_weighted, training_sentences
from tsugiki.training.more_photos.then_and_now import extended_sentence
from tsugiki.training.run import Run


def run_sentences(run: Run) -> Sentences:
    """Sentences in the language in use, by the names that templates ask for."""
    evaluation, findings, notes, rows = run.evaluation, run.findings, run.classifier.notes, run.predictions
    return {
        **sentences.out_of_distribution_sentences(run.classifier),
        **sentences.duplicate_sentences(evaluation, findings, run.samples.splits),
        **sentences.label_issue_sentences(findings, backbone=str(run.classifier.backbone.spec)),
        "balance": sentences.balance_sentence(run.samples, weighted=is_weighted(notes)),
        "extended": extended_sentence(evaluation["extended"]) if "extended" in evaluation else "",
        "fine_tuning": sentences.fine_tuning_sentence(evaluation),
        **taxonomy_part(evaluation),
        **training_sentences(run),
        **(_of_several_labels(run, rows) if isinstance(rows, MultiLabelPredictions) else _of_one_label(run)),
    }


def _of_one_label(run: Run) -> Sentences:
    evaluation, notes = run.evaluation, run.classifier.notes
    return {
        **sentences.headline_sentences(evaluation),
        **sentences.score_sentences(evaluation),
        **sentences.calibration_sentences(evaluation, notes),
        **sentences.learning_curve_sentences(run.findings, evaluation=evaluation, fine_tuned=is_fine_tuned(notes)),
    }


def _of_several_labels(run: Run, rows: MultiLabelPredictions) -> Sentences:
    evaluation = run.evaluation
    wrong = wrong_cells(rows.of(evaluation["split"])).any(axis=1)
    nothing_clean = set_sentences.set_leaked_sentence(evaluation)
    return {
        **set_sentences.set_headline_sentences(evaluation),
        **set_sentences.set_score_sentences(evaluation, run.classifier.notes, wrong=int(wrong.sum())),
        **set_sentences.set_calibration_sentences(evaluation, run.classifier),
        **set_sentences.set_finding_sentences(run.findings),
        **({"leaked": nothing_clean} if nothing_clean else {}),
    }
