"""What an audit found, as a table for the terminal and as a page with the photos in question."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tsugiki.core.files import atomic_folder, write_atomically, write_json
from tsugiki.data.samples import Samples
from tsugiki.inspection.audit import Audit
from tsugiki.inspection.backbone_photos import audit_sentence
from tsugiki.inspection.finding_sentences import contradictions_sentence, shortcut_sentence
from tsugiki.locale.messages import in_a_row, tr
from tsugiki.reporting.pages import sentences
from tsugiki.reporting.pages.gallery import Gallery
from tsugiki.reporting.pages.page import Bilingual, in_each_language, render_page
from tsugiki.reporting.pages.run_charts import draw_learning
from tsugiki.reporting.pages.set_sentences import set_finding_sentences, set_labels
from tsugiki.reporting.pages.training_sentences import Sentences
from tsugiki.reporting.report import count_table, states_of, suspects_state, told_about
from tsugiki.reporting.run_folder import AUDIT, AUDIT_NUMBERS, AUDIT_PAGE, SUSPECTS, check_output_folder
from tsugiki.reporting.run_tables import write_doubts


def save_audit(audit: Audit, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write ``audit.html``, ``audit.json`` and ``suspects.csv`` into ``folder``, whole or not at all.

    Args:
        audit: From :func:`tsugiki.audit`.
        folder: A new folder or an empty one.
        overwrite: Whether an older audit may be there and is replaced; nothing else ever is.

    Returns:
        The folder.

    Raises:
        RequestError: When the folder holds anything else, or cannot be written.
    """
    target = check_output_folder(Path(folder), AUDIT, overwrite=overwrite)
    with atomic_folder(target) as temporary:
        write_atomically(temporary / AUDIT_PAGE, write_audit_page(audit))
        write_json(temporary / AUDIT_NUMBERS, audit.to_dict())
        write_doubts(temporary / SUSPECTS, audit.findings, audit.samples)
    return target


def write_audit_page(audit: Audit) -> str:
    """One self-contained page, as the report of a run is."""
    samples, findings = audit.samples, audit.findings
    glance = [{"key": key, "to": to, "state": state} for key, to, state in _states(audit)]
    return render_page(
        "audit.html.j2",
        f"{samples.root.name} · tsugiki",
        name=samples.root.name,
        say=_in_two_languages(audit),
        glance=glance,
        states=states_of(glance),
        counts=count_table(samples),
        gallery=Gallery.of(samples, findings),
        learning=draw_learning(findings),
        **told_about(samples),
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
        ("balance", "data", sentences.balance_state(samples)),
        (
            "leaked",
            "leaks",
            "look" if found.leaks else "fine" if _has_two_sides(samples) and found.copies is not None else "open",
        ),
        ("copies_short", "leaks", "open" if found.copies is None else "look" if found.copies else "fine"),
        (
            "shortcut",
            "leaks",
            "look" if any(one.suspicious for one in found.shortcuts) else "fine" if found.shortcuts else "open",
        ),
        ("suspects_short", "suspects", suspects_state(found)),
        ("odd_short", "odd", "look" if found.odd else "fine"),
        ("more_short", "more", "told"),
    ]


def audit_sentences(audit: Audit) -> Sentences:
    """What was found, in the language in use."""
    samples, found = audit.samples, audit.findings
    return {
        **sentences.photo_sentences(len(samples), len(samples.classes), len(samples.left_out)),
        **sentences.remark_sentences(audit.table),
        **sentences.label_issue_sentences(found, backbone=audit.backbone),
        **sentences.learning_curve_sentences(found),
        **_duplicate_sentences(audit),
        "shortcut": shortcut_sentence(found),
        **(set_finding_sentences(found) if samples.targets is not None else {}),
        "audit_title": tr("A look at the photos, before training"),
        "audit_how": in_a_row(_how(audit), audit_sentence(audit.backbone, audit.learned, len(samples))),
        "suspects_worth": tr("The better the backbone knows such photos, the more its doubts are worth."),
        "balance": sentences.balance_sentence(samples),
        "sizes": _sizes(audit),
        "odd_short": tr("Photos unlike all others: {count}.", count=len(found.odd))
        if found.odd
        else tr("No photo is unlike all others."),
    }


def _how(audit: Audit) -> str:
    if audit.findings.cells is not None and audit.findings.head_accuracy is not None:
        return tr(
            "Looked at with {backbone}; heads on its features, cross-validated on all photos, have a mean average precision of "
            "{value}. Nothing was changed.",
            backbone=audit.backbone,
            value=f"{audit.findings.head_accuracy:.1%}",
        )
    if audit.accuracy is None:
        return tr(
            "Looked at with {backbone}. A head cannot be cross-validated. Nothing was changed.",
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
    if not _has_two_sides(audit.samples):
        leaked = tr("Nothing is held out here, so nothing could leak.")
    elif not found.leaks:
        leaked = tr("No held-out photo has a twin among the others.")
    else:
        leaked = tr(
            "Held-out photos with a twin in another split: {count}. A score on them rewards remembering.",
            count=len(found.leaks),
        )
    return {"leaked": leaked, "copies": pairs, "copies_short": pairs, "contradictions": contradictions_sentence(found)}


def _has_two_sides(samples: Samples) -> bool:
    """Whether some photos are held out and others are not."""
    return bool(samples.held_out) and len(set(samples.splits)) > 1


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
        several = set_labels() if audit.samples.targets is not None else {}
        return {**sentences.page_labels(), **several, **audit_sentences(audit), "report": tr("Audit"), "where": where}

    return in_each_language(say)
