"""Files of the Hugging Face Hub, from this machine's cache or fetched into it."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import constants, errors, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tsugiki.backbones.sources.weights_download import unreachable, why_unreachable
from tsugiki.core.console import say
from tsugiki.core.errors import UnknownName, WeightsError
from tsugiki.core.http import not_written
from tsugiki.data.sources.addresses.hub_telemetry import without_telemetry
from tsugiki.locale.messages import tr

_LINE_BROKE = (OSError, errors.HTTPError)  # type: ignore[attr-defined]  # the HTTP client's own, whichever the hub uses
_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


def hub_file(repository: str, candidates: Sequence[str], *, name: str) -> Path:
    """The first of ``candidates`` that the repository has, as a file on this machine.

    What is in the cache is used as it is, without asking the hub.

    Args:
        repository: ``OWNER/NAME``, optionally with ``@REVISION``.
        candidates: File names, the preferred one first.
        name: Of the backbone, for the person.

    Raises:
        WeightsUnreachable: When the file is not here and the hub does not answer.
        UnknownName: When there is no such repository.
        WeightsError: When the repository has none of the files, or asks for a licence to be accepted.
    """
    if found := cached_file(repository, candidates):
        return found
    repository_id, revision = _split(repository)
    url = hf_hub_url(repository_id, candidates[0], revision=revision)
    reason = tr("HF_HUB_OFFLINE is set") if constants.is_offline_mode() else why_unreachable(url)
    if reason:
        raise unreachable(name, url, _place_by_hand(repository, candidates[0]), reason)
    say(tr("Fetching the weights of {name} from {url}", name=name, url=url))
    for candidate in candidates:
        if path := _fetch(repository, candidate, name):
            return path
    raise WeightsError(
        tr("{repository} on the hub holds no weights that can be read here.", repository=repository),
        allowed=", ".join(candidates),
    )


def cached_file(repository: str, candidates: Sequence[str]) -> Path | None:
    """The first of ``candidates`` that is in this machine's cache."""
    repository_id, revision = _split(repository)
    for candidate in candidates:
        found = try_to_load_from_cache(repository_id, candidate, revision=revision)
        if isinstance(found, str):
            return Path(found)
    return None


def cached_repositories(owner: str) -> list[str]:
    """Names, without the owner's, of what this machine's cache has files of."""
    mark = f"models--{owner}--"
    return sorted(folder.name.removeprefix(mark) for folder in Path(constants.HF_HUB_CACHE).glob(f"{mark}*"))


def _split(repository: str) -> tuple[str, str | None]:
    repository_id, _, revision = repository.partition("@")
    return repository_id, revision or None


def _place_by_hand(repository: str, filename: str) -> Path:
    # The cache also looks into a snapshot called like the revision itself, so a file can be put there without a commit's name.
    repository_id, revision = _split(repository)
    folder = "models--" + repository_id.replace("/", "--")
    return Path(constants.HF_HUB_CACHE) / folder / "snapshots" / (revision or "main") / filename


def _fetch(repository: str, filename: str, name: str) -> Path | None:
    repository_id, revision = _split(repository)
    try:
        with without_telemetry():
            return Path(hf_hub_download(repository_id, filename, revision=revision))
    except GatedRepoError as error:
        raise WeightsError(
            tr("{repository} asks you to accept its licence first.", repository=repository),
            cure=tr("accept it at {url}, then run `hf auth login`", url=f"{constants.ENDPOINT}/{repository_id}"),
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise UnknownName(
            tr("The hub has no {repository}, or it is private.", repository=repository), name=repository, known=()
        ) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise unreachable(name, hf_hub_url(repository_id, filename), _place_by_hand(repository, filename), error) from error
    except EntryNotFoundError:
        return None
    except _LINE_BROKE as error:
        place = _place_by_hand(repository, filename)
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            raise not_written(place, error) from error
        raise unreachable(name, hf_hub_url(repository_id, filename), place, error) from error
