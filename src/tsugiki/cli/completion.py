"""Words that the shell completes: what ``--install-completion`` writes, and what the shell asks for at each TAB."""

from __future__ import annotations

import contextlib
import os
from collections.abc import MutableMapping

import typer
from typer import completion

from tsugiki.core.console import emit, say
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr

SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
_ASKED = "_TSUGIKI_COMPLETE"


def answer_the_shell(environment: MutableMapping[str, str] | None = None) -> None:
    """Be ready where it is the shell that asks, at a TAB: then typer answers it before any verb begins."""
    if _ASKED in (os.environ if environment is None else environment):
        completion.completion_init()


def show(shell: str | None) -> None:
    """Print the script that makes a shell complete the program's words."""
    if shell:
        emit(completion.get_completion_script(prog_name="tsugiki", complete_var=_ASKED, shell=_known(shell)))
        raise typer.Exit


def install(shell: str | None) -> None:
    """Write that script where the shell reads it, and say where that is."""
    if shell:
        _, path = completion.install(shell=_known(shell), prog_name="tsugiki", complete_var=_ASKED)
        emit(str(path))
        say(tr("Words are completed in every new terminal with {shell}.", shell=shell))
        raise typer.Exit


def own_shell() -> str:
    """The shell that the program was started from, as far as that can be told."""
    name = os.environ.get("SHELL", "").rpartition("/")[2]
    with contextlib.suppress(Exception):  # whatever asks the system may fail in its own ways
        name = completion._get_shell_name() or name  # noqa: SLF001 (typer asks it of nobody else either)
    return name


def _known(shell: str) -> str:
    name = own_shell() if shell == "auto" else shell
    if name not in SHELLS:
        raise RequestError(tr("Words cannot be completed in this shell."), allowed=", ".join(SHELLS), got=name or "-")
    return name
