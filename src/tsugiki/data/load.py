"""Whatever a person names as their photos -> :class:`~tsugiki.data.samples.Samples`."""

from __future__ import annotations

from pathlib import Path

from tsugiki.core.console import say
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.data.describe import describe_samples
from tsugiki.data.photo_index import PhotoIndex
from tsugiki.data.samples import DEFAULT_HELD_OUT, Samples
from tsugiki.data.sources.find import list_photos


def load(
    source: str | Path, *, seed: int = DEFAULT_SEED, held_out: float = DEFAULT_HELD_OUT, index: PhotoIndex | None = None
) -> Samples:
    """Read a data set and say what was decided: classes, counts, splits, files left out.

    Every file is read, and what cannot be a photo is left out; photos are decoded once, when their features are computed.

    Args:
        source: A folder of class folders (with or without ``train`` / ``val`` / ``test``), a ``.csv`` or ``.parquet`` manifest,
            a zip or tar archive of one of these, or ``sample:NAME``.
        seed: Of the draw that holds photos out, where nobody did.
        held_out: The share of every class to hold out then; 0 holds nothing out, and a score is out-of-fold.
        index: Where it is kept what the files hold; a feature store is one.

    Raises:
        RequestError: When there is nothing there, or it is laid out in another way.
        DataError: When the photos cannot be used as they are.
    """
    listing = list_photos(source)
    samples = Samples.from_listing(listing, (index or PhotoIndex()).contents(listing.paths), seed=seed, held_out=held_out)
    say(describe_samples(samples))
    return samples
