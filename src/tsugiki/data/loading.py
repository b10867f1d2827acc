"""The whole story of photos in: found, looked at, settled, told."""

from __future__ import annotations

from pathlib import Path

from tsugiki.core.console import say
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.data.describing import describe_samples
from tsugiki.data.listing import list_photos
from tsugiki.data.looking import look
from tsugiki.data.samples import Samples
from tsugiki.data.settling import settle


def load(source: str | Path, *, seed: int = DEFAULT_SEED, held_out: float = 0.2) -> Samples:
    """Read a data set and say what was decided: classes, counts, splits, files left out.

    Every photo is decoded once before it counts.

    Args:
        source: A folder of class folders (with or without ``train`` / ``val`` / ``test``), a ``.csv`` or ``.parquet`` manifest,
            a zip or tar archive of one of these, or ``sample:NAME``.
        seed: Of the draw that holds photos out, where nobody did.
        held_out: The share of every class to hold out then.

    Raises:
        RequestError: When there is nothing there, or it is laid out in another way.
        DataError: When the photos cannot be used as they are.
    """
    listing = list_photos(source)
    samples = settle(listing, look(listing.paths), seed=seed, held_out=held_out)
    say(describe_samples(samples))
    return samples
