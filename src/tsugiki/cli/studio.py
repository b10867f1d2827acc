"""``tsugiki studio``: a page on which photos become a classifier."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from tsugiki.cli.options import WeightOptions, option
from tsugiki.cli.output import say_left_out
from tsugiki.cli.serve import require_packages
from tsugiki.core.console import emit, say, working
from tsugiki.locale.messages import tr


def studio(
    data: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", help=tr("a folder of photos, with or without class folders; photos when left out")),
    ] = None,
    *,
    backbone: Annotated[
        str | None, option("NAME", tr("a pretrained network; the best one on this machine when left out"))
    ] = None,
    weights: WeightOptions,
    labels: Annotated[Path | None, option("FILE", tr("the table of decisions; DATA.studio.csv when left out"))] = None,
    multi_label: Annotated[bool, option("", tr("a photo may show several classes, or none"), "--multi-label")] = False,
    port: Annotated[int, option("N", tr("0 takes a free one, which is printed"), min=0, max=65535)] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help=tr("open the page in the browser"))] = True,
) -> None:
    """Open the studio until it is stopped.

    Raises:
        TsugikiError: When the photos or the table cannot be used, or packages are missing.
    """
    require_packages()
    from tsugiki.data.load import SAMPLE_MARK
    from tsugiki.serving.server import Address, Server
    from tsugiki.serving.studio.learner import Network
    from tsugiki.serving.studio.photo_set import folder_of
    from tsugiki.serving.studio.studio_app import studio_application
    from tsugiki.serving.studio.studio_session import Studio, table_for

    with working(tr("Starting")):
        folder = folder_of(data)
        # A sample lies in the cache, which may be cleared: what was decided about it belongs here.
        here = Path(f"{folder.name}.studio.csv") if labels is None and str(data).startswith(SAMPLE_MARK) else labels
        # What was asked for by name is looked for now: who has mistyped it should not find that out on the page.
        root = None if backbone is None else weights.load(backbone)
        network = Network(lambda: root or weights.load(_best(weights)), tuple(weights.words()))
        table, named = table_for(folder, here), [] if backbone is None else weights.to_rank(backbone)
        opened = Studio.open(folder, table, network, named=named, zoo=weights.zoo, several=multi_label)
        server = Server(opened, Address(port=port, token=secrets.token_urlsafe(24)), studio_application)
    emit(server.url)
    say(tr("The studio is open for this machine alone: {count} photos. Ctrl-C closes it.", count=len(opened.photos)))
    say(tr("Decisions are kept in {table}; your photos stay as they are.", table=opened.labels.table))
    say_left_out((one.name, one.reason) for one in opened.photos.left_out)
    if who := opened.labels.told_by:
        say(tr("Photos may have several labels here: {name} says so.", name=who))
    if count := opened.photos.half_known:
        say(tr("Photos of which not every class is known are without a label here: {count}.", count=count))
    if browser and not _shown(server.url):
        say(tr("There is no browser here that could show it."))
    server.run()
    say(tr("Stopped."))


def _best(weights: WeightOptions) -> str:
    from tsugiki.inspection.audit import best_name

    return best_name(weights.zoo)


def _shown(url: str) -> bool:
    """Open a page in the person's browser, unless that is one that would take the terminal."""
    import webbrowser

    try:
        controller = webbrowser.get()
    except webbrowser.Error:
        return False
    return type(controller) is not webbrowser.GenericBrowser and controller.open(url)
