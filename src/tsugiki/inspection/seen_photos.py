"""What a classifier learned from and what was held out then, recovered for photos wherever they lie now.

A run notes the content of its photos, as it knew them in the end: after a person's decisions, without those that could not be
read. Content decides, so folders may be moved, files renamed and photos added. Letters: ``N`` photos.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tsugiki.classifier.predict import Predictor
from tsugiki.core.console import say
from tsugiki.core.errors import TsugikiError
from tsugiki.data.label_sets import LabelReading, LabelSet, parted, set_text
from tsugiki.data.load import label_reading, list_photos
from tsugiki.data.merged_copies import listed_once
from tsugiki.data.photo_index import Content, PhotoIndex
from tsugiki.data.samples import Samples
from tsugiki.data.sources.listing import Listing
from tsugiki.locale.messages import tr

LEARNED = "learned"
VALIDATION = "validation"
HELD_OUT = "held_out"
EXCLUDED = "excluded"
NEW = ""
_USED = (LEARNED, VALIDATION)

_DIGITS = 16  # of a digest: 64 bits tell a billion photos apart


@dataclass(frozen=True)
class SeenPhotos:
    """What photos were in training.

    Attributes:
        roles: ``N`` of :data:`LEARNED`, :data:`VALIDATION`, :data:`HELD_OUT`, :data:`EXCLUDED` (by a person's list), or
            :data:`NEW`.
        labels: ``N`` class names: the photo's own, or the one that a person's list gave it.
        leaked: ``N``: whether the photo was held out then and had a twin among the others.
    """

    roles: list[str]
    labels: list[str]
    leaked: list[bool]

    def label_sets(self, listing: Listing, rows: Sequence[int]) -> list[LabelSet]:
        """Several labels of each of the photos at ``rows``: those of the ``listing``, or what a person's list said, as text."""
        now = listing.label_sets or ()
        return [now[row] if self.labels[row] == listing.labels[row] else parted(self.labels[row]) for row in rows]


def seen_notes(samples: Samples) -> dict[str, Any]:
    """What a run notes about its photos, plain values; :func:`seen_before` reads it."""
    parts = {LEARNED: samples.train_rows, VALIDATION: samples.val_rows, HELD_OUT: samples.held_out_rows}
    # One string each: a list would take a line per photo in the run's description.
    notes = {role: " ".join(sorted({short_digest(samples.digests[row]) for row in rows})) for role, rows in parts.items()}
    return {**notes, "decided": [[short_digest(one.digest), one.label, one.now] for one in samples.corrections]}


def with_leaks(notes: Mapping[str, Any], digests: Iterable[str]) -> dict[str, Any]:
    """A run's ``notes`` that tell, too, which of its held-out photos leaked: those of these ``digests``."""
    seen = notes.get("seen")
    if not isinstance(seen, Mapping):
        return dict(notes)
    return {**notes, "seen": {**seen, "leaked": " ".join(sorted({short_digest(digest) for digest in digests}))}}


def reading_of(model: Predictor, label_separator: str | None) -> LabelReading:
    """How labels of data are to be read for a classifier: as they were in its training, where nobody says otherwise.

    Args:
        model: Trained before.
        label_separator: What a person says stands between several labels of one photo; ``None`` where nobody does.

    Raises:
        RequestError: When the separator is nothing.
    """
    several = model.answer_head.multi_label is not None
    kept = model.notes.get("label_separator") if several and label_separator is None else None
    if not isinstance(kept, str) or not kept:
        return label_reading(multi_label=several, label_separator=label_separator)
    say(
        tr(
            "Names of several labels are separated by {separator}, as in the training.",
            separator=repr(kept) if kept.strip() else tr("spaces"),
        )
    )
    return LabelReading(several, kept)


def photos_now(
    model: Predictor, data: str | Path, index: PhotoIndex, label_separator: str | None
) -> tuple[Listing, list[Content]]:
    """The photos of ``data`` as they lie now and their content, listed as in the training of a classifier.

    Where photos may have several labels, one that lies in several class folders is one photo, and every photo has a text for
    its labels, one with none of the classes, too: by that what a person's list said of it is found.

    Args:
        model: Trained before.
        data: What :func:`tsugiki.load` takes, but for ``Samples``.
        index: Where it is kept what the files hold.
        label_separator: What a person says stands between several labels; ``None`` where nobody does.
    """
    listing = list_photos(data, reading_of(model, label_separator))
    contents = index.contents(listing.paths)
    if listing.label_sets is None:
        return listing, contents
    listing, contents = listed_once(listing, contents)
    return replace(listing, labels=tuple(set_text(one.present) for one in listing.label_sets or ())), contents


def seen_before(notes: Mapping[str, Any], listing: Listing, contents: Sequence[Content]) -> SeenPhotos | None:
    """What ``N`` photos were in the training that wrote ``notes``.

    Args:
        notes: Of the classifier.
        listing: ``N`` photos as they lie now.
        contents: Their content.

    Returns:
        Roles and labels, or ``None`` where the notes do not tell.
    """
    try:
        if "seen" in notes:
            return _by_content(notes["seen"], listing, contents)
        return _drawn_again(notes["split"], listing, contents)
    except (TsugikiError, AttributeError, KeyError, TypeError, ValueError):  # other photos, or notes that somebody else wrote
        return None


def rows_in_training(notes: Mapping[str, Any], samples: Samples) -> tuple[list[int], list[int]]:
    """Rows of photos that were learned from, and of those that were held out, as far as ``notes`` tell; else as now.

    Photos that are drawn anew may come out in another part: near copies were moved, or another seed was asked for.
    """
    seen = notes.get("seen")
    if not isinstance(seen, Mapping):
        return samples.train_rows, samples.held_out_rows
    used, held_out = (set(" ".join(str(seen.get(part, "")) for part in parts).split()) for parts in (_USED, (HELD_OUT,)))
    short = [short_digest(digest) for digest in samples.digests]
    learned = [row for row, digest in enumerate(short) if digest in used]
    then = [row for row, digest in enumerate(short) if digest in held_out - used]
    return learned or samples.train_rows, then or [row for row in samples.held_out_rows if short[row] not in used]


def _by_content(seen: Mapping[str, Any], listing: Listing, contents: Sequence[Content]) -> SeenPhotos:
    # A content that is in two parts has been learned from.
    role_of = {digest: role for role in (HELD_OUT, VALIDATION, LEARNED) for digest in seen[role].split()}
    decided: dict[tuple[str, str], list[str]] = defaultdict(list)
    for digest, label, now in seen["decided"]:
        decided[digest, label].append(now)
    roles, labels = [], []
    for label, content in zip(listing.labels, contents, strict=True):
        # Copies of one photo are alike, so each decision counts for one of them, whichever it was.
        choices = decided.get((short_digest(content.digest), label))
        now = choices.pop() if choices else label
        # A photo without a label is no photo that a list left out.
        roles.append(EXCLUDED if label and not now else role_of.get(short_digest(content.digest), NEW))
        labels.append(now or label)
    leaked = set(str(seen.get("leaked", "")).split())
    return SeenPhotos(roles, labels, [short_digest(content.digest) in leaked for content in contents])


def _drawn_again(split: Mapping[str, Any], listing: Listing, contents: Sequence[Content]) -> SeenPhotos | None:
    """For runs of older programs, which noted how photos were drawn: the very same photos are drawn in the same way."""
    absent = set(split["left_out"])
    then = [Content(reason="-") if name in absent else content for name, content in zip(listing.names, contents, strict=True)]
    samples = Samples.from_listing(listing, then, seed=int(split["seed"]), held_out=float(split["held_out"]))
    # Photos that turned out unreadable only when they were computed took part in the draw.
    if fingerprint(samples) != split["fingerprint"]:
        return None
    role_of = {name: LEARNED if part == "train" else HELD_OUT for name, part in zip(samples.names, samples.splits, strict=True)}
    # Their other photos were left out then, not judged.
    roles = [role_of.get(name, EXCLUDED) for name in listing.names]
    return SeenPhotos(roles, list(listing.labels), [False] * len(roles))


def fingerprint(samples: Samples) -> str:
    """A digest of every photo's content, class and split, wherever the photos lie and in whatever order the classes are."""
    rows = sorted(zip(samples.digests, samples.label_names(), samples.splits, strict=True))
    return hashlib.sha256(repr((sorted(samples.classes), rows)).encode()).hexdigest()


def short_digest(digest: str) -> str:
    """A digest as runs note it."""
    return digest[:_DIGITS]
