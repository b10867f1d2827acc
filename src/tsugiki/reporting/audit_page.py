"""What an audit found, as a table for the terminal and as a page with the photos in question."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tsugiki.core.files import atomic_folder, write_atomically, write_json
from tsugiki.data.samples import Samples
from tsugiki.evaluation.label_issues import write_suspects
from tsugiki.inspection.audit import Audit
from tsugiki.locale.messages import tr
from tsugiki.reporting.pages import charts, sentences
from tsugiki.reporting.pages.page import Bilingual, in_each_language, render_page
from tsugiki.reporting.pages.training_sentences import Sentences
from tsugiki.reporting.report import add_images, count_table, pick_photos
from tsugiki.reporting.run_folder import AUDIT, AUDIT_NUMBERS, AUDIT_PAGE, SUSPECTS, check_output_folder

_MOST_SUSPECTS = 36
_MOST_ODD = 18
_UNEVEN = 3.0


def save_audit(audit: Audit, folder: str | Path) -> Path:
    """Write ``audit.html``, ``audit.json`` and ``suspects.csv`` into ``folder``, whole or not at all.

    Args:
        audit: From :func:`tsugiki.audit`.
        folder: A new folder, an empty one, or an older audit; nothing else is replaced.

    Returns:
        The folder.

    Raises:
        RequestError: When the folder holds anything else, or cannot be written.
    """
    target = check_output_folder(Path(folder), AUDIT)
    with atomic_folder(target) as temporary:
        write_atomically(temporary / AUDIT_PAGE, write_audit_page(audit))
        write_json(temporary / AUDIT_NUMBERS, audit.to_dict())
        write_suspects(temporary / SUSPECTS, audit.findings.suspects, names=audit.samples.names, classes=audit.samples.classes)
    return target


def write_audit_page(audit: Audit) -> str:
    """One self-contained page, as the report of a run is."""
    samples, findings = audit.samples, audit.findings
    suspects, twins, odd = pick_photos(samples, findings, suspects=_MOST_SUSPECTS, odd=_MOST_ODD)
    add_images(samples.root, [*suspects, *odd, *(side for pair in twins for side in pair)])
    return render_page(
        "audit.html.j2",
        " · ".join(samples.classes[:6]),
        say=_in_two_languages(audit),
        glance=[{"key": key, "to": to, "state": state} for key, to, state in _states(audit)],
        counts=count_table(samples),
        decisions=samples.decisions,
        left_out=samples.left_out,
        suspects=suspects,
        twins=twins,
        odd=odd,
        learning=charts.learning_chart(findings.curve) if findings.curve else "",
    )


def audit_table(audit: Audit) -> list[tuple[str, str]]:
    """A line per question: a mark (``ok``, ``look`` or ``-``) and a sentence, in the language in use."""
    said = audit_sentences(audit)
    marks = {"fine": "ok", "look": "look", "open": "-", "told": "-"}
    return [(marks[state], said[key]) for key, _, state in _states(audit)]


def _states(audit: Audit) -> list[tuple[str, str, str]]:
    found, samples = audit.findings, audit.samples
    return [
        ("left_out_short", "data", "look" if samples.left_out else "fine"),
        *([("remarks", "data", "look")] if audit.table.remarks else []),
        ("balance", "data", "look" if _unevenness(samples) > _UNEVEN else "fine"),
        ("leaked", "leaks", "open" if found.copies is None else "look" if found.leaks else "fine"),
        ("copies_short", "leaks", "open" if found.copies is None else "look" if found.copies else "fine"),
        (
            "shortcut",
            "leaks",
            "look" if any(one.suspicious for one in found.shortcuts) else "fine" if found.shortcuts else "open",
        ),
        (
            "suspects_short",
            "suspects",
            "look" if any(one.confident for one in found.suspects) else "fine" if found.examined else "open",
        ),
        ("odd_short", "odd", "look" if found.odd else "fine"),
        ("more_short", "more", "told"),
    ]


def audit_sentences(audit: Audit) -> Sentences:
    """What was found, in the language in use."""
    samples, found = audit.samples, audit.findings
    return {
        **sentences.photo_sentences(len(samples), len(samples.classes), len(samples.left_out)),
        **sentences.remark_sentences(audit.table),
        **sentences.label_issue_sentences(found),
        **sentences.learning_curve_sentences(found.curve),
        **_duplicate_sentences(audit),
        "shortcut": sentences.shortcut_sentence(found),
        "audit_title": tr("A look at the photos, before training"),
        "audit_how": _how(audit),
        "suspects_worth": tr("The better the backbone knows such photos, the more its doubts are worth."),
        "balance": _balance(samples),
        "sizes": _sizes(audit),
        "odd_short": tr("Photos unlike all others: {count}.", count=len(found.odd))
        if found.odd
        else tr("No photo is unlike all others."),
    }


def _how(audit: Audit) -> str:
    if audit.accuracy is None:
        return tr(
            "Looked at with {backbone}. A head cannot be cross-validated: too many photos belong together. Nothing was "
            "changed.",
            backbone=audit.backbone,
        )
    return tr(
        "Looked at with {backbone}; a head on its features, cross-validated on all photos, is right about {accuracy} of "
        "them. Nothing was changed.",
        backbone=audit.backbone,
        accuracy=f"{audit.accuracy:.1%}",
    )


def _duplicate_sentences(audit: Audit) -> Sentences:
    found = audit.findings
    if found.copies is None:
        unknown = tr("There are too many photos to compare each with each: nobody has looked for copies.")
        return {"leaked": unknown, "copies": "", "copies_short": unknown, "contradictions": ""}
    pairs = tr("Pairs of copies: {count}.", count=len(found.copies)) if found.copies else tr("No photo is there twice.")
    leaked = tr("No held-out photo has a twin among the others.")
    if found.leaks:
        leaked = tr(
            "Held-out photos with a twin in another split: {count}. A score on them rewards remembering.",
            count=len(found.leaks),
        )
    contradictions = ""
    if found.contradictions:
        contradictions = tr(
            "Copies with different classes: {count}. One of the two labels is wrong.", count=len(found.contradictions)
        )
    return {"leaked": leaked, "copies": pairs, "copies_short": pairs, "contradictions": contradictions}


def _unevenness(samples: Samples) -> float:
    counts = list(samples.counts()["train"].values())
    return max(counts) / max(1, min(counts))


def _balance(samples: Samples) -> str:
    counts = samples.counts()["train"]
    most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    if counts[most] == counts[least]:
        return tr("Every class has {n} training photos.", n=counts[most])
    if _unevenness(samples) <= _UNEVEN:
        return tr(
            "The classes are about evenly large: {least} to {most} training photos.", least=counts[least], most=counts[most]
        )
    return tr(
        "The classes are uneven: {most} has {many} training photos, {least} only {few}. --class-weights makes them count "
        "the same.",
        most=most,
        many=counts[most],
        least=least,
        few=counts[least],
    )


def _sizes(audit: Audit) -> str:
    edges = [min(fact.width, fact.height) for fact in audit.table.facts if fact is not None]
    if not edges:
        return ""
    smallest, usual, largest = np.quantile(edges, [0, 0.5, 1]).astype(int).tolist()
    if smallest == largest:
        return tr("The shorter side of every photo: {pixels} pixels.", pixels=smallest)
    return tr(
        "The shorter sides of the photos: {smallest} to {largest} pixels, half of them above {usual}.",
        smallest=smallest,
        largest=largest,
        usual=usual,
    )


def _in_two_languages(audit: Audit) -> dict[str, Bilingual]:
    def say() -> Sentences:
        where = tr("Type this in the folder of this page.")
        return {**sentences.page_labels(), **audit_sentences(audit), "report": tr("Audit"), "where": where}

    return in_each_language(say)
