"""A list of doubted labels of a run names its photos as they lay then; where the run learns more, they have other names."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path, PurePosixPath

from tsugiki.data.samples import Samples
from tsugiki.evaluation.label_issues import Decisions


def with_names_of(samples: Samples, decisions: Decisions, known: Samples) -> Decisions:
    """The decisions under the names that photos have now.

    A name that no photo has now is looked for among the photos of the run, by the end of their paths: a list names them from
    their folder. One that fits none of them, or several, stays as it is.

    Args:
        samples: Photos of the run, and others.
        decisions: What a person decided, by name.
        known: The photos of the run, where they lay then.
    """
    there = set(samples.names)
    if there.issuperset((*decisions.exclude, *decisions.relabel)):
        return decisions
    name_of = dict(zip(reversed(samples.digests), reversed(samples.names), strict=True))
    ends: dict[str, set[str]] = defaultdict(set)
    for path, digest in zip(known.paths, known.digests, strict=True):
        parts = Path(os.path.normpath(path)).parts
        for start in range(len(parts)):
            ends["/".join(parts[start:])].add(digest)

    def now(name: str) -> str:
        # A list of a run that has learned more already leads out of its folder.
        end = "/".join(part for part in PurePosixPath(name).parts if part not in {"..", "/"})
        found = ends.get(end, set()) if name not in there else set()
        return name_of.get(next(iter(found)), name) if len(found) == 1 else name

    return Decisions(
        frozenset(map(now, decisions.exclude)),
        {now(name): label for name, label in decisions.relabel.items()},
        {now(name): changes for name, changes in decisions.changes.items()},
    )
