"""``tsugiki data``: bring a data set onto this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tsugiki.cli.help_pages import Command, Group
from tsugiki.core.console import emit
from tsugiki.locale.messages import tr

app = typer.Typer(cls=Group, help=tr("Bring a data set onto this machine."), no_args_is_help=True)


@app.command("get", cls=Command, help=tr("Fetch and unpack a data set; what is there already is not fetched again."))
def get(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help=tr("a name (see: tsugiki data list), an address, or a zip or tar archive"))
    ],
    to: Annotated[Path, typer.Option("--to", help=tr("where its folder is made"))] = Path("data"),
    as_json: Annotated[bool, typer.Option("--json", help=tr("one JSON document on standard output"))] = False,
) -> None:
    """Fetch and unpack a data set and tell its folder."""
    from tsugiki.data.sources.download import get_data

    folder = get_data(name, to=to)
    emit(json.dumps({"folder": folder.as_posix()}, ensure_ascii=False) if as_json else str(folder))


@app.command("list", cls=Command, help=tr("The data sets that are known by name."))
def list_names(
    as_json: Annotated[bool, typer.Option("--json", help=tr("one JSON document on standard output"))] = False,
) -> None:
    """Tell the data sets that are known by name and where they come from."""
    from tsugiki.data.sources.download import describe_data_sets

    known = describe_data_sets()
    if as_json:
        emit(json.dumps(known, ensure_ascii=False, indent=2))
        return
    width = max(map(len, known))
    for name, origin in known.items():
        emit(f"{name:{width}}  {origin}")
