"""``tsugiki data``: bring a data set onto this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tsugiki.cli.options import LabelOptions, json_option, option, spread
from tsugiki.cli.output import emit_json
from tsugiki.cli.usage import Command, Group
from tsugiki.core.console import emit
from tsugiki.locale.messages import tr


def application() -> typer.Typer:
    """``tsugiki data`` with its own verbs, for typer."""
    app = typer.Typer(cls=Group, help=tr("Bring a data set onto this machine."), no_args_is_help=True)
    told = tr("Fetch and unpack a data set; what is there already is not fetched again.")
    app.command("get", cls=Command, help=told)(spread(get))
    app.command("list", cls=Command, help=tr("The data sets that are known by name."))(list_names)
    return app


def get(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help=tr("a name (see: tsugiki data list), an address, or a zip or tar archive"))
    ],
    labels: LabelOptions,
    to: Annotated[Path, option("FOLDER", tr("where its folder is made"), "--to")] = Path("data"),
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Fetch and unpack a data set and tell its folder."""
    from tsugiki.data.sources.data_sets import get_data

    folder = get_data(name, to=to, **vars(labels))
    if as_json:
        emit_json({"folder": folder.as_posix()})
    else:
        emit(str(folder))


def list_names(
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Tell the data sets that are known by name and where they come from."""
    from tsugiki.data.sources.data_sets import describe_data_sets

    known = describe_data_sets()
    if as_json:
        emit_json(known)
        return
    width = max(map(len, known))
    for name, origin in known.items():
        emit(f"{name:{width}}  {origin}")
