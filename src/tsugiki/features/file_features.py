"""Features of files that are asked about once: computed now and kept nowhere. PyTorch is imported only where it computes.

Letters: ``N`` photos, ``D`` feature width.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from tsugiki.core.console import progress, quiet, say
from tsugiki.data.images.remarks import sentences
from tsugiki.data.joined_preprocess import rules_of
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.engines.engine import EngineChoice, EngineName, FeatureBatch
from tsugiki.features.engines.joined_engine import JoinedEngines
from tsugiki.features.executor import EXACT, ChunkWorker, PixelReader, in_threads
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.backbones.backbone import Backbone


def engines_of(backbone: Backbone | EngineChoice, preprocess: Preprocess | None, name: EngineName = "auto") -> EngineChoice:
    """Who says which engine computes a backbone's features; whoever says so for a network that is not here is that already."""
    if hasattr(backbone, "choose"):  # no question to PyTorch, which need not be here
        return cast("EngineChoice", backbone)
    from tsugiki.features.engines.choose import Engines

    root = cast("Backbone", backbone)
    rules = rules_of(preprocess or root.preprocess)
    engines = [Engines(part, rule, name=name) for part, rule in zip(root.parts, rules, strict=True)]
    return engines[0] if len(engines) == 1 else JoinedEngines(engines)


def features_of_files(
    backbone: Backbone | EngineChoice, preprocess: Preprocess, paths: Sequence[Path], *, name: EngineName = "auto"
) -> tuple[FeatureBatch, dict[int, str]]:
    """Exact features of files, computed now and kept nowhere.

    Returns:
        ``[N, D]`` float32, zeros for files that cannot be read; and their problems, by position.
    """
    reader, engines = PixelReader(paths, (), preprocess, EXACT), engines_of(backbone, preprocess, name)
    vectors = np.zeros((len(paths), engines.num_features), np.float32)
    remarks: dict[str, tuple[str, ...]] = {}
    decoded, problems = reader.read_first(range(len(paths)))
    if decoded:
        first = np.stack([pixels.array for pixels in decoded.values()])
        # A person who asks for an answer did not ask how it is computed.
        with quiet(), reader.reading_ahead(range(len(paths)), decoded):
            engine = engines.choose(first, exact=True, count=len(paths))
        worker = ChunkWorker(reader, engine, decoded, engines.num_features)
        chunks = in_threads([row for row in range(len(paths)) if row not in problems], worker)
        with progress(tr("Looking at photos"), len(paths)) as tick, closing(chunks):
            for chunk in chunks:
                vectors[chunk.positions] = chunk.vectors
                problems.update(chunk.problems)
                remarks |= {str(paths[at]): fact.remarks for at, fact in zip(chunk.positions, chunk.facts, strict=True)}
                tick(len(chunk.positions) + len(chunk.problems), "")
    for sentence in sentences(remarks):
        say(sentence)
    return vectors, problems
