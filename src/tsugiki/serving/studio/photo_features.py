"""Features of the studio's photos as they come in: each photo is looked at once, however often its label changes.

Letters: ``N`` photos of the studio, ``M`` of them looked at, ``D`` feature width.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tsugiki.core.errors import DataError
from tsugiki.data.label_sets import combinations, parted, target_matrix
from tsugiki.data.photo_index import PhotoFacts
from tsugiki.data.samples import UNKNOWN_CLASS, Samples
from tsugiki.data.sources.listing import Listing
from tsugiki.evaluation.duplicates import Pair
from tsugiki.features.extract import FeatureSettings, extract
from tsugiki.features.file_features import engines_of
from tsugiki.features.store import FeatureRows, FeatureStore, Floats
from tsugiki.features.table import FeatureTable
from tsugiki.serving.studio.photo_set import PhotoSet

if TYPE_CHECKING:
    from tsugiki.backbones.backbone import Backbone


class PhotoFeatures:
    """What is known of the photos by one backbone.

    Args:
        photos: Of the studio.
        backbone: That looks at them.

    Attributes:
        problems: Why photos cannot be read, by number.
    """

    def __init__(self, photos: PhotoSet, backbone: Backbone) -> None:
        self._photos, self.backbone = photos, backbone
        self._engines = engines_of(backbone, backbone.preprocess)
        self._store = FeatureStore()
        self._vectors = np.zeros((1024, backbone.num_features), np.float32)
        self._place: dict[int, int] = {}
        self._digests: list[str] = []
        self._facts: list[PhotoFacts | None] = []
        self._pairs: dict[tuple[int, ...], tuple[Pair, ...]] = {}  # of the last few tables: comparing photos takes a while
        self.problems: dict[int, str] = {}

    def missing(self, rows: Sequence[int]) -> list[int]:
        """Those of the photos that have not been looked at yet and may be readable."""
        return [row for row in rows if row not in self._place and row not in self.problems]

    def known(self, rows: Sequence[int]) -> list[int]:
        """Those of the photos that have been looked at."""
        return [row for row in rows if row in self._place]

    def take(self, rows: Sequence[int]) -> Floats:
        """``[M, D]`` of photos that have been looked at."""
        return self._vectors[[self._place[row] for row in rows]]

    def look(self, rows: Sequence[int]) -> None:
        """Look at photos; those that cannot be read become :attr:`problems`."""
        paths = [self._photos.paths[row].absolute() for row in rows]
        contents = self._store.contents(paths)
        self.problems |= {row: one.reason for row, one in zip(rows, contents, strict=True) if one.reason}
        readable = [at for at, one in enumerate(contents) if not one.reason]
        if not readable:
            return
        names = tuple(str(paths[at]) for at in readable)
        nobody = ("",) * len(names)
        listing = Listing(Path(), names, nobody, ("train",) * len(names))
        samples = Samples.unlabelled(listing, [contents[at] for at in readable])
        try:
            table = extract(samples, self._engines, settings=FeatureSettings(store=self._store))
        except DataError as fault:  # not one of them can be decoded
            if len(readable) == 1:
                self.problems[rows[readable[0]]] = str(fault.got or fault.what)
                return
            for at in readable:
                self.look([rows[at]])
            return
        self._keep(table, {name: rows[at] for name, at in zip(names, readable, strict=True)})

    def _keep(self, table: FeatureTable, row_of: dict[str, int]) -> None:
        self.problems |= {row_of[lost.name]: lost.reason for lost in table.samples.left_out if lost.name in row_of}
        first, count = len(self._digests), len(table.samples)
        if first + count > len(self._vectors):
            more = np.zeros((max(len(self._vectors), count), self._vectors.shape[1]), np.float32)
            self._vectors = np.concatenate([self._vectors, more])
        self._vectors[first : first + count] = table.train_photos.take(slice(None))
        self._digests += table.samples.digests
        self._facts += table.facts
        self._place |= {row_of[name]: first + at for at, name in enumerate(table.samples.names)}

    def table(
        self,
        rows: Sequence[int],
        labels: Sequence[str],
        classes: Sequence[str],
        held_out: Sequence[int] = (),
        pairs: tuple[Pair, ...] | None = None,
        *,
        several: bool = False,
    ) -> FeatureTable:
        """Photos that have been looked at.

        Args:
            rows: To learn from.
            labels: The class of each photo, those that are held out last; several as ``a|b``.
            classes: All classes.
            held_out: Those that are held out.
            pairs: Copies among them, where they are known.
            several: Whether photos may have several labels.

        Returns:
            ``M`` rows: those to learn from, then those that are held out.
        """
        count, rows = len(rows), (*rows, *held_out)
        index = {name: place for place, name in enumerate(classes)}
        targets = target_matrix([parted(label) for label in labels], classes) if several else None
        numbers = np.array([index.get(label, UNKNOWN_CLASS) for label in labels], np.int64)
        places = [self._place[row] for row in rows]
        samples = Samples(
            root=Path(),
            names=tuple(self._photos.names[row] for row in rows),
            labels=numbers if targets is None else combinations(targets),
            splits=("train",) * count + ("test",) * len(held_out),
            classes=tuple(classes),
            digests=tuple(self._digests[place] for place in places),
            targets=targets,
        )
        key = tuple(rows)
        table = FeatureTable(
            samples,
            train=FeatureRows(self._vectors, np.array(places[:count], np.int64)),
            val=np.zeros((0, self._vectors.shape[1]), np.float32),
            held_out=self._vectors[places[count:]],
            facts=[self._facts[place] for place in places],
            computed=0,
            looks=self.backbone.spec.weights != "none",
            pairs=self._pairs.get(key) if pairs is None else pairs,
        )
        if table.pairs is None and (found := table.duplicates) is not None:
            self._pairs = {**dict([*self._pairs.items()][-3:]), key: tuple(found)}
        return table
