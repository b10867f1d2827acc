"""Photos that a backbone has learned from before: of those a score means nothing, whatever head is trained on it.

Its weights are those of a run that was fine-tuned on them (:mod:`tsugiki.backbones.weights.learned_photos`). Photos are known
by their content, file by file: one that was saved anew is another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tsugiki.backbones.weights.learned_photos import merged
from tsugiki.core.console import say
from tsugiki.core.display.visible import visible
from tsugiki.data.samples import Samples
from tsugiki.inspection.seen_photos import short_digest
from tsugiki.locale.messages import in_a_row, tr

if TYPE_CHECKING:
    from tsugiki.backbones.backbone import Backbone

_BY_BACKBONE = "backbone"
"""Under which name the notes on a run's photos keep what its backbone had learned from."""

Notes = Mapping[str, Any]


def learned_by(backbone: Backbone) -> frozenset[str]:
    """Short digests of the photos that any of its parts has learned from."""
    return frozenset(digest for part in backbone.parts for digest in part.origin.learned_from.split())


def learned_notes(backbone: Backbone) -> dict[str, str]:
    """What the notes on a run's photos keep of it; nothing where there is nothing."""
    learned = merged(learned_by(backbone))
    return {_BY_BACKBONE: learned} if learned else {}


def learned_before(notes: Notes) -> frozenset[str]:
    """Short digests of the photos that the backbone had learned from before the training that wrote ``notes``."""
    seen = notes.get("seen")
    return frozenset(str(seen.get(_BY_BACKBONE, "")).split()) if isinstance(seen, Mapping) else frozenset()


def rows_learned(learned: frozenset[str], digests: Sequence[str]) -> list[int]:
    """Which of the photos of these ``digests`` are among those that were ``learned`` from."""
    return [row for row, digest in enumerate(digests) if short_digest(digest) in learned] if learned else []


def say_learned(backbone: Backbone, samples: Samples) -> None:
    """Say which of the photos that a head is trained on and judged by the backbone has learned from, and what to do."""
    if sentence := learned_sentence(learned_by(backbone), _names_of(backbone), samples):
        say(sentence)


def learned_sentence(learned: frozenset[str], backbone: str, samples: Samples) -> str:
    """Which photos a backbone has learned from, and what that makes of the score; empty where it has from no photo.

    Args:
        learned: Short digests of photos.
        backbone: What it is called.
        samples: That a head is trained on and judged by.
    """
    rows = set(rows_learned(learned, samples.digests))
    if not rows:
        return _knows_none(backbone) if learned else ""
    held_out = len(rows & set(samples.held_out_rows))
    values = {"backbone": backbone, "count": len(rows), "all": len(samples)}
    if held_out:
        told = tr(
            "The backbone {backbone} was fine-tuned on {count} of these {all} photos, and {held_out} of them are held out now: "
            "the score is told without them. To have more photos to judge by, hold out those that its run held out (its seed, "
            "its share), or take a backbone that was not fine-tuned on these photos.",
            held_out=held_out,
            **values,
        )
    elif samples.held_out:
        told = tr(
            "The backbone {backbone} was fine-tuned on {count} of these {all} photos; none of them is held out, so the score "
            "is not touched.",
            **values,
        )
    else:
        told = tr(
            "The backbone {backbone} was fine-tuned on {count} of these {all} photos, so cross-validation on them proves "
            "nothing. Hold out photos that its run held out, or take a backbone that was not fine-tuned on these photos.",
            **values,
        )
    return in_a_row(told, _too_good(len(rows) - held_out, held_out=bool(samples.held_out)))


def _knows_none(backbone: str) -> str:
    return tr(
        "The backbone {backbone} was fine-tuned on photos, none of which is among these, file by file; copies that were saved "
        "anew would not be noticed.",
        backbone=backbone,
    )


def _too_good(count: int, *, held_out: bool) -> str:
    """What is estimated on photos to learn from, and so too good; empty where the backbone knows none of them."""
    if not count:
        return ""
    if not held_out:
        return tr("Its percentages are too sure, and wrong labels among these photos are hardly found.")
    return tr(
        "What cross-validation finds on those to learn from is too good: its percentages may be too sure, and wrong labels "
        "among them are hardly found."
    )


def audit_sentence(backbone: str, learned: int, photos: int) -> str:
    """That a backbone has learned some of the labels that it is to examine; empty where it has learned none."""
    if not learned:
        return ""
    return tr(
        "The backbone {backbone} was fine-tuned on {count} of these {all} photos and has learned their labels: wrong ones "
        "among them are hardly found. Take a backbone that was not fine-tuned on these photos.",
        backbone=backbone,
        count=learned,
        all=photos,
    )


def not_to_rank(learned_from: str, samples: Samples) -> str:
    """Why a network is not judged whose weights have learned from some of these photos; empty where they have not."""
    rows = rows_learned(frozenset(learned_from.split()), samples.digests)
    if not rows:
        return ""
    return tr(
        "it was fine-tuned on {count} of these {all} photos, so a score on them would mean nothing",
        count=len(rows),
        all=len(samples),
    )


def _names_of(backbone: Backbone) -> str:
    """Those of its parts that have learned from photos, with their weights."""
    return " + ".join(
        visible(f"{part.spec} ({part.origin.label})", one_line=True) for part in backbone.parts if part.origin.learned_from
    )
