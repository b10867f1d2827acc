"""How a fit ends: the score against guessing, and what to know before the score is used, a line each."""

from __future__ import annotations

from tsugiki.data.split_warnings import is_uneven
from tsugiki.evaluation.headline import never_answered_sentence, trust_state
from tsugiki.locale.messages import tr
from tsugiki.reporting.pages.run_sentences import run_sentences
from tsugiki.reporting.pages.sentences import class_counts
from tsugiki.reporting.report import suspects_state
from tsugiki.training.run import Run

_MOST_ALARMS = 3


def verdict(run: Run) -> list[str]:
    """Sentences for the person, in the language in use: against guessing first, then up to three alarms, the gravest first."""
    said = run_sentences(run)
    alarms = [said[name] for name, alarmed in _alarms(run).items() if alarmed and said[name]]
    more = len(alarms) - _MOST_ALARMS
    told = [f"! {sentence}" for sentence in alarms[:_MOST_ALARMS]]
    return [said["against"], *told, *([tr("The report has more: {count}.", count=more)] if more > 0 else [])]


def _alarms(run: Run) -> dict[str, bool]:
    """Whether there is a reason for each alarm; leaks and classes never answered stand with the score."""
    evaluation, findings, samples = run.evaluation, run.findings, run.samples
    return {
        "balance": is_uneven(class_counts(samples)) and not never_answered_sentence(evaluation),
        "shortcut": any(one.suspicious for one in findings.shortcuts),
        "suspects_short": suspects_state(findings) == "look",
        "contradictions": bool(findings.contradictions),
        # Where answers are close to guessing the headline has said so, and nothing about percentages is worth saying.
        "trust_short": not evaluation["near_chance"] and trust_state(evaluation) == "look",
    }
