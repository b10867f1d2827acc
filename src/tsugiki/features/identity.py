"""What photos and weights are known by: their content."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from tsugiki.backbones.backbone import Backbone
from tsugiki.core.devices import usable_cores
from tsugiki.core.errors import UnreadablePhoto
from tsugiki.data.decode import read_content
from tsugiki.data.pixels import content_digest
from tsugiki.data.samples import Look
from tsugiki.features.store import FeatureStore, stamp_of


def identify(paths: Sequence[Path], store: FeatureStore) -> list[Look]:
    """The content of every file, without decoding it; files that were seen before and not touched since are not even read.

    Returns:
        One look per path: a digest, or the reason why the file cannot be opened.
    """
    looks = [Look(digest=digest) for digest in store.known_digests(paths)]
    new = [position for position, look in enumerate(looks) if not look.digest]
    stamps = [stamp_of(paths[position]) for position in new]
    with ThreadPoolExecutor(usable_cores()) as pool:
        for position, look in zip(new, pool.map(_read, (paths[position] for position in new)), strict=True):
            looks[position] = look
    store.remember_files([paths[position] for position in new], [looks[position].digest for position in new], stamps)
    return looks


def _read(path: Path) -> Look:
    try:
        return Look(digest=content_digest(read_content(path)))
    except UnreadablePhoto as fault:
        return Look(reason=fault.what)


def weights_key(backbone: Backbone) -> str:
    """A digest of a backbone's architecture and of every parameter and buffer it holds now."""
    digest = hashlib.sha256()
    digest.update(f"{backbone.spec.architecture} {sorted(backbone.spec.model_args.items())}".encode())
    for name, tensor in sorted(backbone.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {list(values.shape)}".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
