"""Help pages in the language in use, with lines that break anywhere.

typer draws them with rich, which cuts a column's text short where it finds no space to break at. Japanese has none.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

from tsugiki.locale.messages import tr


class Command(TyperCommand):
    """A command whose ``--help`` speaks the language in use."""

    def get_help_option(self, ctx: Any) -> Any:
        """The option ``--help``."""
        return _told(super().get_help_option(ctx))


class Group(TyperGroup):
    """A group of commands whose ``--help`` speaks the language in use."""

    def get_help_option(self, ctx: Any) -> Any:
        """The option ``--help``."""
        return _told(super().get_help_option(ctx))


def _told(option: Any) -> Any:
    if option is not None:
        option.help = tr("show this page")
    return option


def prepare_help() -> None:
    """Give the pages the words of the language in use, and columns that fold; to be called before one is drawn."""
    import rich.columns
    from rich.table import Table
    from typer import rich_utils

    class Folding(Table):
        def add_row(self, *cells: Any, **options: Any) -> None:
            super().add_row(*cells, **options)
            for column in self.columns:  # they come into being with the first row
                column.overflow = "fold"

    for drawer in (rich_utils, rich.columns):
        vars(drawer)["Table"] = Folding
    rich_utils.ARGUMENTS_PANEL_TITLE = tr("Arguments")
    rich_utils.OPTIONS_PANEL_TITLE = tr("Options")
    rich_utils.COMMANDS_PANEL_TITLE = tr("Commands")
    rich_utils.DEFAULT_STRING = tr("[default: {}]")
    rich_utils.REQUIRED_LONG_STRING = tr("[required]")
