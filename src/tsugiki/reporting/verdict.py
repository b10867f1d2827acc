"""How a fit ends: the score against guessing, and what to know before the score is used, a line each."""

from __future__ import annotations

from tsugiki.data.split_warnings import is_uneven
from tsugiki.evaluation.headline import never_answered_sentence, trust_state
from tsugiki.locale.messages import tr
from tsugiki.reporting.pages import sentences
from tsugiki.reporting.pages.training_sentences import is_weighted
from tsugiki.training.run import Run

_MOST_ALARMS = 3


def verdict(run: Run) -> list[str]:
    """Sentences for the person, in the language in use: against guessing first, then up to three alarms, the gravest first."""
    against = sentences.score_sentences(run.evaluation)["against"]
    alarms = [sentence for alarmed, sentence in _alarms(run) if alarmed]
    more = len(alarms) - _MOST_ALARMS
    told = [f"! {sentence}" for sentence in alarms[:_MOST_ALARMS]]
    return [against, *told, *([tr("The report has more: {count}.", count=more)] if more > 0 else [])]


def _alarms(run: Run) -> list[tuple[bool, str]]:
    """Whether there is a reason for each alarm, and its sentence; leaks and classes never answered stand with the score."""
    evaluation, findings, samples = run.evaluation, run.findings, run.samples
    copies = sentences.duplicate_sentences(evaluation, findings, samples.splits)
    labels = sentences.label_issue_sentences(findings, backbone=str(run.classifier.backbone.spec))
    notes = run.classifier.notes
    trust = sentences.calibration_sentences(evaluation, notes)
    return [
        (
            is_uneven(sentences.class_counts(samples)) and not never_answered_sentence(evaluation),
            sentences.balance_sentence(samples, weighted=is_weighted(notes)),
        ),
        (any(one.suspicious for one in findings.shortcuts), copies["shortcut"]),
        (any(one.confident for one in findings.suspects), labels["suspects_short"]),
        (bool(findings.contradictions), copies["contradictions"]),
        # Where answers are close to guessing the headline has said so, and nothing about percentages is worth saying.
        (not evaluation["near_chance"] and trust_state(evaluation) == "look", trust["trust_short"]),
    ]
