"""``tsugiki serve``: trained classifiers behind HTTP, on this machine alone unless a person says otherwise."""

from __future__ import annotations

import gc
import importlib.util
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tsugiki.cli.options import device_option, option
from tsugiki.cli.usage import EXPERT
from tsugiki.core.console import emit, say, working
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.serving.limits import Limits

_PACKAGES = ("starlette", "uvicorn", "h11", "python_multipart")


@dataclass(frozen=True)
class LimitOptions:
    """What requests may cost."""

    max_mb: Annotated[int, option("N", tr("the largest request, in megabytes"), "--max-mb", min=1, rich_help_panel=EXPERT)] = 32
    max_megapixels: Annotated[
        int, option("N", tr("the largest photo, in megapixels"), "--max-megapixels", min=1, rich_help_panel=EXPERT)
    ] = 50
    queue: Annotated[int, option("N", tr("how many photos may wait"), min=1, rich_help_panel=EXPERT)] = 256
    timeout: Annotated[
        float, option("SECONDS", tr("how long a request, and its answer, may take"), min=1, rich_help_panel=EXPERT)
    ] = 30.0

    def limits(self) -> Limits:
        """As the server takes them."""
        from tsugiki.serving.limits import MEGA, Limits

        return Limits(
            body_bytes=self.max_mb * MEGA,
            photo_pixels=self.max_megapixels * MEGA,
            photos=min(64, self.queue),
            queue=self.queue,
            bytes_in_flight=max(256, 4 * self.max_mb) * MEGA,
            seconds=self.timeout,
        )


def serve(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help=tr("run folders, each asked for by its name"))],
    *,
    host: Annotated[str, option("ADDRESS", tr("where to listen; others than this machine need another one"))] = "127.0.0.1",
    port: Annotated[int, option("N", tr("0 takes a free one, which is printed"), min=0, max=65535)] = 8000,
    token: Annotated[
        str | None, option("TEXT", tr("answer only to those who show it; auto makes one; or TSUGIKI_TOKEN"))
    ] = None,
    keep: Annotated[Path | None, option("FOLDER", tr("keep the photos that are sent, to learn from them"))] = None,
    name: Annotated[list[str] | None, option("NAME", tr("a further name that this server may be asked by"))] = None,
    limits: LimitOptions,
    device: Annotated[str | None, device_option()] = None,
) -> None:
    """Answer over HTTP until it is stopped.

    Raises:
        TsugikiError: When a run cannot be used, nobody can listen at the address, or packages are missing.
    """
    require_packages()
    from tsugiki.serving.api.service import Service
    from tsugiki.serving.kept_photos import KeptPhotos
    from tsugiki.serving.models import Model, Models
    from tsugiki.serving.server import Address, Server

    kept = None if keep is None else KeptPhotos(keep)
    with working(tr("Starting")):
        models = Models([Model.load(run, device=device) for run in runs])
        server = Server(Service(models, limits.limits(), kept), Address(host, port, tuple(name or ()), _token(token)))
    address = server.address
    if not address.is_loopback:
        say(_warning(address.host, has_token=bool(address.token)))
    if kept is not None:
        say(tr("Photos that are sent are kept in {folder}; label them in {table}.", folder=keep, table=kept.table))
    emit(server.url)
    say(tr("Answering with: {names}. Ctrl-C stops.", names=", ".join(models.by_name)))
    # What has been made so far stays; from here on garbage is looked for as often as usual, for a server lives long.
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 10, 10)
    server.run()
    say(tr("Stopped."))


def require_packages() -> None:
    """See to it that there is something to serve with.

    Raises:
        RequestError: When a package is not installed.
    """
    if missing := [package for package in _PACKAGES if importlib.util.find_spec(package) is None]:
        raise RequestError(
            tr("Serving needs packages that are not installed: {names}", names=", ".join(missing)),
            cure="pip install 'tsugiki[serve]'",
        )


def _token(given: str | None) -> str:
    wanted = given or os.environ.get("TSUGIKI_TOKEN", "")
    return secrets.token_urlsafe(24) if wanted == "auto" else wanted


def _warning(host: str, *, has_token: bool) -> str:
    if has_token:
        return tr(
            "Listening at {host}: other machines can ask, if they show the token. It travels unencrypted, and so do the "
            "photos: put a server with TLS in front where the network is not yours.",
            host=host,
        )
    return tr(
        "Warning: listening at {host}, so every machine that reaches this one can ask and send photos, unencrypted. "
        "--token auto asks for a token; --host 127.0.0.1 answers this machine alone.",
        host=host,
    )
