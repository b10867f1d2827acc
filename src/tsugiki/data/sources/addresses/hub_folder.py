"""Data sets of the Hugging Face Hub by their name, ``OWNER/NAME``: fetched once into the cache, a folder from there on.

No code of a data set is ever run: its photos, tables and archives are read as those of any folder are.
"""

from __future__ import annotations

import re
from pathlib import Path

from tsugiki.core.console import say
from tsugiki.core.errors import DataError, RequestError, TsugikiError, UnknownName
from tsugiki.core.http import alone, not_written
from tsugiki.data.sources.addresses.fetched import fetched_folder
from tsugiki.data.sources.addresses.hub_telemetry import without_telemetry
from tsugiki.locale.messages import tr

_NAME = re.compile(r"(?P<repository>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w./-]+))?")


def hub_folder(name: str) -> Path:
    """The folder of a data set; what is here already is not asked for again.

    Args:
        name: ``OWNER/NAME``, optionally with ``@REVISION``.

    Raises:
        RequestError: When it is no such name, or the hub has no such data set.
        DataError: When it is not here and cannot be fetched.
    """
    if not (match := _NAME.fullmatch(name)) or ".." in name:
        raise RequestError(
            tr("This is neither a folder nor the name of a data set of the hub."),
            allowed="hf:FOLDER, hf:OWNER/NAME, hf:OWNER/NAME@REVISION",
            got=f"hf:{name}",
        )
    folder = fetched_folder() / "hf" / name.replace("/", "--")
    with alone(folder):
        if not folder.is_dir():  # what comes is whole before it is called so, and goes on where it stopped
            part = folder.with_name(f"{folder.name}.part")
            _fetch(match["repository"], match["revision"], part)
            part.rename(folder)
    return folder


def _fetch(repository: str, revision: str | None, part: Path) -> None:
    from huggingface_hub import constants, errors, snapshot_download

    address = f"{constants.ENDPOINT}/datasets/{repository}"
    if constants.is_offline_mode():
        raise _unreachable(repository, tr("HF_HUB_OFFLINE is set"))
    say(tr("Fetching {url}", url=address))
    try:
        with without_telemetry():
            snapshot_download(repository, repo_type="dataset", revision=revision, local_dir=part)
        if not any(entry.name != ".cache" for entry in part.iterdir()):
            raise _unreachable(repository, tr("there is nothing in it"))
    except errors.GatedRepoError as fault:
        raise DataError(
            tr("{repository} asks you to accept its licence first.", repository=repository),
            cure=tr("accept it at {url}, then run `hf auth login`", url=address),
        ) from fault
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as fault:
        raise UnknownName(
            tr("The hub has no {repository}, or it is private.", repository=repository), name=repository, known=()
        ) from fault
    except OSError as fault:
        if fault.errno is not None and fault.filename is not None:
            raise not_written(part, fault) from fault
        raise _unreachable(repository, str(fault.__cause__ or fault)) from fault
    except errors.HTTPError as fault:  # type: ignore[attr-defined]  # the HTTP client's own, whichever the hub uses
        raise _unreachable(repository, str(fault)) from fault


def _unreachable(repository: str, reason: str) -> TsugikiError:
    return DataError(
        tr("The data set {name} is not on this machine, and it could not be fetched.", name=repository),
        got=reason.strip().partition("\n")[0][:200],
        cure=tr("connect to the network once, or fetch its folder elsewhere and name that: hf:FOLDER"),
    )
