"""Photos of class folders as they are found, and what has to be said about what is beside and inside of these folders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tsugiki.data.label_sets import AS_WRITTEN, LabelReading, LabelSet
from tsugiki.data.sources.beside.columns_beside import columns_beside
from tsugiki.data.sources.beside.labels_beside import unread_tables
from tsugiki.data.sources.listing import LeftOut, Listing, one_spelling
from tsugiki.data.sources.split_words import means_pictures
from tsugiki.data.sources.walk import Walk
from tsugiki.locale.messages import first_few, tr

_MASK = re.compile(r"(?P<photo>.+)[-_ ]masks?(?:[-_ ]?\d+)?", re.IGNORECASE)


@dataclass
class ClassRows:
    """The columns of a listing of class folders, growing.

    Attributes:
        root: The data set's folder.
        walk: Of it.
        reading: How labels are to be read.
        names: Photos.
        labels: Their classes.
        splits: Their splits, or ``""``.
        groups: Their groups, where a table says any.
        decisions: Sentences for the person.
        merged: By class, the folders inside it whose photos count as its own.
        read: Files that were read although they are no photos.
        sets: By photo, its labels, where a table says that photos may have several.
    """

    root: Path
    walk: Walk
    reading: LabelReading = AS_WRITTEN
    names: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    groups: tuple[str, ...] | None = None
    decisions: list[str] = field(default_factory=list)
    merged: dict[str, list[str]] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    sets: dict[str, LabelSet] = field(default_factory=dict)

    def add_class(self, folder: str, split: str = "") -> None:
        """Take every photo below a class folder, but no masks."""
        photos = list(self._without_masks(self.walk.photos_below(folder)))
        if not photos and not any(f"{result}/".startswith(f"{folder}/") for result in self.walk.results):
            self.decisions.append(tr("The folder {folder} holds no photos: it is no class.", folder=folder))
        label = one_spelling(folder.rpartition("/")[2])
        inner = [name for name in self.walk.folders_with_photos(folder) if not means_pictures(name)]
        if inner:
            known = self.merged.setdefault(label, [])
            known += [name for name in inner if name not in known]
        self.names += photos
        self.labels += [label] * len(photos)
        self.splits += [split] * len(photos)

    def _without_masks(self, photos: list[str]) -> Iterator[str]:
        stems = {name.rpartition(".")[0] for name in photos}
        for name in photos:
            match = _MASK.fullmatch(name.rpartition(".")[0])
            if match and match["photo"] in stems:
                self.walk.left_out.append(LeftOut(name, tr("by its name a mask of {photo}", photo=match["photo"])))
            else:
                yield name

    def add_columns_beside(self) -> None:
        """Take the splits and groups that tables beside the class folders name."""
        beside = columns_beside(self.names, self.walk, split=not any(self.splits))
        self.splits = list(beside.splits) or self.splits
        self.groups = beside.groups or None
        self.decisions += beside.sentences
        self.read |= set(beside.read)

    def passed_by(self, but: str = "") -> list[str]:
        """Sentences about what is there and was not used."""
        tables = unread_tables(self.root, self.walk, self.read, dict(zip(self.names, self.labels, strict=True)))
        return [*tables.sentences, *self.walk.passed_by({*self.read, *tables.names}, but=but)]

    def listing(self) -> Listing:
        """What was found, with sentences about what is there and was not used."""
        if self.merged:
            kept = [f"{label} ({first_few(inner, 3)})" for label, inner in self.merged.items()]
            self.decisions.append(
                tr("Photos in folders inside a class folder count as that class: {folders}.", folders=first_few(kept, 3))
            )
        self.decisions += self.passed_by()
        one_each = (LabelSet(frozenset({label})) for label in self.labels)
        sets = tuple(self.sets.get(name, one) for name, one in zip(self.names, one_each, strict=True))
        return Listing(
            root=self.root,
            names=tuple(self.names),
            labels=tuple(self.labels),
            splits=tuple(self.splits),
            groups=self.groups,
            left_out=tuple(self.walk.left_out),
            decisions=tuple(self.decisions),
            label_sets=sets if self.sets else None,
        )
