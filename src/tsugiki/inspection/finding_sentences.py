"""What was found about photos and labels, in sentences: the terminal, the report and the audit say the same."""

from __future__ import annotations

from tsugiki.data.label_sets import ABSENT
from tsugiki.evaluation.multi_label.cell_issues import CellIssues, unexamined_sentence
from tsugiki.inspection.findings import Findings
from tsugiki.locale.messages import in_a_row, tr


def failed_sentence() -> str:
    """In place of every finding of a search that has failed."""
    return tr("Nobody knows: the search ended with an error.")


def suspects_sentence(findings: Findings, *, backbone: str) -> str:
    """How many labels are doubted, by what, and how right that is: a doubt is worth as much as whoever doubts."""
    if findings.failed:
        return failed_sentence()
    if findings.cells is not None:
        return _cells_sentence(findings, findings.cells, backbone=backbone)
    photos, count = findings.examined, len(findings.suspects)
    if not photos or findings.head_accuracy is None:
        return tr("Doubtful labels were not looked for: cross-validation was impossible.")
    values = {"backbone": backbone, "accuracy": f"{findings.head_accuracy:.1%}"}
    if findings.head_near_chance:
        return tr(
            "No label is doubted: a head on {backbone} is right about {accuracy} of the photos, every class counting the same, "
            "which is close to guessing.",
            **values,
        )
    sure = sum(one.confident for one in findings.suspects)
    if not count:
        found = tr("No label of {photos} looks doubtful.", photos=photos)
    elif not sure:
        found = tr("Of {photos} labels, {count} look doubtful, none of them clearly.", photos=photos, count=count)
    else:
        found = tr("Of {photos} labels, {count} look doubtful, {sure} of them clearly.", photos=photos, count=count, sure=sure)
    how = tr(
        "They were looked at with {backbone}, which is right about {accuracy} of them, every class counting the same.", **values
    )
    return in_a_row(found, how)


def _cells_sentence(findings: Findings, cells: CellIssues, *, backbone: str) -> str:
    """Likewise where a photo may have several labels: each label, there or not, is a question of its own."""
    photos, count = findings.examined, len(cells.suspects)
    values = {"backbone": backbone, "precision": f"{findings.head_accuracy or 0:.1%}"}
    passed_by = unexamined_sentence(cells, cells.classes)
    if not cells.examined:
        none = tr(
            "No label is doubted: heads on {backbone} have a mean average precision of {precision} on photos that they have "
            "not learned from, which is too little, or there are too few photos of each class.",
            **values,
        )
        return in_a_row(none, passed_by)
    sure = sum(one.confident for one in cells.suspects)
    missing = sum(one.given == ABSENT for one in cells.suspects)
    numbers = {"cells": cells.cells, "photos": photos, "count": count, "sure": sure, "missing": missing}
    if not count:
        found = tr("No label of {photos} photos looks doubtful, neither one that is there nor one that is not.", photos=photos)
    else:
        found = tr(
            "Of {cells} labels (of what {photos} photos show, and of what not), {count} look doubtful, {sure} of them clearly: "
            "{missing} seem to be missing, {extra} seem to be too many.",
            extra=count - missing,
            **numbers,
        )
    how = tr(
        "They were looked at with {backbone}, whose heads have a mean average precision of {precision} on photos that they "
        "have not learned from.",
        **values,
    )
    return in_a_row(found, passed_by, how)


def contradictions_sentence(findings: Findings) -> str:
    """Copies of one photo that have two labels; empty where there are none."""
    count = len(findings.contradictions)
    return tr("Copies with different classes: {count}. One of the two labels is wrong.", count=count) if count else ""


def shortcut_sentence(findings: Findings) -> str:
    """Whether the class can be told without looking at the subject."""
    if findings.failed:
        return failed_sentence()
    suspicious = [one for one in findings.shortcuts if one.suspicious]
    if not findings.shortcuts:
        return tr("There are too few photos to look for shortcuts.")
    if not suspicious:
        return tr("Neither size, nor shape, nor mean colour of a photo gives its class away.")
    names = {"size": tr("the size in pixels"), "shape": tr("the shape (wide or tall)"), "colour": tr("the mean colour")}
    one = suspicious[0]
    if one.label:
        return tr(
            "Possible shortcut: {name} alone tells of {accuracy} of the photos whether they show {label}, guessing of {guess}. "
            "If that is no property of {label}, the classifier may have learned the camera instead.",
            name=names[one.name],
            accuracy=f"{one.accuracy:.0%}",
            guess=f"{one.majority:.0%}",
            label=one.label,
        )
    return tr(
        "Possible shortcut: {name} alone gives {accuracy}, guessing {guess}. If that is not a property of the classes, the "
        "classifier may have learned the camera instead.",
        name=names[one.name],
        accuracy=f"{one.accuracy:.0%}",
        guess=f"{one.majority:.0%}",
    )
