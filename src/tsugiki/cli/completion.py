"""Words that the shell completes: what ``--install-completion`` writes, and what the shell asks for at each TAB."""

from __future__ import annotations

import contextlib
import os
from collections.abc import MutableMapping
from typing import Any

import typer
import typer.completion

from tsugiki.core.console import emit, say
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr

SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
_typer: Any = typer.completion
ASKED = "_TSUGIKI_COMPLETE"
"""The variable that a shell sets when it asks for words."""


def answer_the_shell(environment: MutableMapping[str, str] | None = None) -> None:
    """Be ready where it is the shell that asks, at a TAB: then typer answers it before any verb begins."""
    if ASKED in (os.environ if environment is None else environment):
        _typer.completion_init()


def show(shell: str | None) -> None:
    """Print the script that makes a shell complete the program's words."""
    if shell:
        emit(_typer.get_completion_script(prog_name="tsugiki", complete_var=ASKED, shell=_known(shell)))
        raise typer.Exit


def install(shell: str | None) -> None:
    """Write that script where the shell reads it, and say where that is."""
    if shell:
        _, path = _typer.install(shell=_known(shell), prog_name="tsugiki", complete_var=ASKED)
        emit(str(path))
        say(tr("Words are completed in every new terminal with {shell}.", shell=shell))
        raise typer.Exit


def own_shell() -> str:
    """The shell that the program was started from, as far as that can be told."""
    name = os.environ.get("SHELL", "").rpartition("/")[2]
    with contextlib.suppress(Exception):  # whatever asks the system may fail in its own ways
        name = _typer._get_shell_name() or name  # noqa: SLF001 (typer asks it of nobody else either)
    return name


def _known(shell: str) -> str:
    name = own_shell() if shell == "auto" else shell
    if name not in SHELLS:
        raise RequestError(tr("Words cannot be completed in this shell."), allowed=", ".join(SHELLS), got=name or "-")
    return name
