"""``tsugiki``: finds the verb, speaks the person's language, and turns errors into sentences.

Results go to standard output, talk to standard error. Exit status: 0 done, 1 the work failed, 2 the request made no sense.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from tsugiki import __version__
from tsugiki.cli import completion
from tsugiki.cli.options import spread
from tsugiki.cli.usage import Command, Group, refusal
from tsugiki.cli.values import as_typed
from tsugiki.core.arguments import named_by
from tsugiki.core.console import complain, emit
from tsugiki.core.errors import RequestError, TsugikiError
from tsugiki.locale.messages import LANGUAGES, tr, use_language

VERBS = (
    "demo",
    "audit",
    "rank",
    "fit",
    "evaluate",
    "predict",
    "explain",
    "next",
    "export",
    "serve",
    "studio",
    "summary",
    "backbones",
    "plot",
    "lr",
    "cache",
)
"""Verbs in the order that a newcomer meets them; each is a function of its name in a module of its name."""


def main() -> None:
    """The command ``tsugiki``: :func:`run` in a process of its own."""
    # Importing PyTorch makes a million objects that stay; looking through them again and again takes a third of a second.
    gc.set_threshold(100_000, 20, 20)
    try:
        run()
    except SystemExit as done:
        if done.code is not None and not isinstance(done.code, int):
            raise
        _leave(done.code or 0)


@contextlib.contextmanager
def no_interruption_lost() -> Iterator[None]:
    """Within this block Ctrl-C ends the work also where it meets code that may raise nothing.

    Where an object is tidied up after, Python only shows the interruption, and goes on as if nobody had pressed a key.
    """
    shown = sys.unraisablehook

    def heard(fault: sys.UnraisableHookArgs) -> None:
        if not issubclass(fault.exc_type, KeyboardInterrupt):
            shown(fault)
            return
        again = threading.Timer(_SOON, _interrupt)
        again.daemon = True
        again.start()

    sys.unraisablehook = heard
    try:
        yield
    finally:
        sys.unraisablehook = shown


_SOON = 0.05  # seconds, in which such code has ended


def _interrupt() -> None:
    """As Ctrl-C: whatever the main thread waits for."""
    thread = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and thread is not None:
        signal.pthread_kill(thread, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)


def _leave(status: int) -> None:
    """End the process as it would end, without taking every module apart first: with PyTorch that takes half a second."""
    atexit._run_exitfuncs()  # noqa: SLF001 (what others have put off to the end still happens)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # a reader that has left already
            stream.flush()
    os._exit(status)


def run(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says, then leave with its exit status."""
    with contextlib.suppress(AttributeError):  # what is written may hold any name, whatever the terminal's own encoding
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
        sys.stderr.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = _take_flag(words, "--debug")
    try:
        use_language(_take_language(words))
        completion.answer_the_shell()
        with named_by(as_typed), no_interruption_lost():
            if not _answered_plainly(words):
                program = command_line(words)
                sys.exit(program(words, standalone_mode=False, prog_name="tsugiki", complete_var=completion.ASKED))
            sys.exit(0)
    except KeyboardInterrupt:  # before a verb has begun: from then on typer answers with that status
        sys.exit(130)
    except Exception as error:
        if debug:
            raise
        sys.exit(_told(error, words))


def _answered_plainly(words: Sequence[str]) -> bool:
    """Do what ``predict RUN PHOTO...`` says without what reads options: starting that takes an eighth of one answer."""
    if words[:1] != ["predict"] or len(words) < 3 or any(word.startswith("-") for word in words):
        return False
    from tsugiki.cli.predict import predict
    from tsugiki.cli.waiting import told_what_is_kept

    run_folder, *photos = map(Path, words[1:])
    with told_what_is_kept("predict"):
        predict(run_folder, photos)
    return True


def _told(error: Exception, words: Sequence[str]) -> int:
    """Say an error as a sentence; returns the exit status."""
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(str(error), err=True)
        return RequestError.exit_status
    error = refusal(error, words) or error
    if isinstance(error, TsugikiError):
        complain(str(error))
        return error.exit_status
    if told := _of_the_machine(error):
        complain(told)
        return 1
    what = tr("Something went wrong that should not: {kind}: {detail}", kind=type(error).__name__, detail=error)
    complain(what + "\n" + tr("  next: {cure}", cure=tr("run the same command with --debug and report what it prints")))
    return 1


def _of_the_machine(error: Exception) -> str:
    """A sentence for what this machine lacks or refuses, whatever library ran into it; empty for faults of the program."""
    detail = " ".join(str(error).split())[:300] or type(error).__name__
    # Other libraries wrap the system's error, and each has an exception of its own for full memory.
    if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(detail):
        cure = tr("close other programs, or lift the limit (ulimit -a shows it), and run the same command again")
        return tr("There is not enough memory: {detail}", detail=detail) + "\n" + tr("  next: {cure}", cure=cure)
    if isinstance(error, ImportError):
        cure = tr("see to it that memory is free and the installation whole: pip check")
        return tr("A library could not be loaded: {detail}", detail=detail) + "\n" + tr("  next: {cure}", cure=cure)
    if isinstance(error, OSError) or _FROM_THE_SYSTEM.search(detail):  # no space, no permission: the system says it best
        return tr("The system refused: {detail}", detail=detail)
    if isinstance(error, RecursionError):
        return tr("Something that was read is nested too deep.")
    return ""


_OUT_OF_MEMORY = re.compile(
    r"out of memory|(can't|cannot|unable to|failed to|could not) (allocate|map|start new thread)|bad_alloc|bad allocation"
    r"|os error 12\b",
    re.IGNORECASE,
)
_FROM_THE_SYSTEM = re.compile(r"\(os error \d+\)|No space left on device|File too large|database or disk is full")


def command_line(words: Sequence[str]) -> typer.Typer:
    """The command line, with the one verb that is asked for or, where none is, with all of them."""
    application = typer.Typer(
        cls=Group,
        help=tr("A folder of labelled photos and a pretrained network become a classifier you can trust."),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=tr("Begin with `tsugiki demo`. Everywhere: --lang en|ja speaks that language, --debug shows tracebacks."),
    )
    application.callback()(_everywhere)
    verbs = [word for word in words[:1] if word in VERBS]
    for verb in verbs or VERBS:
        function = getattr(importlib.import_module(f"tsugiki.cli.{verb}"), verb)
        application.command(verb, cls=Command, help=_helps()[verb])(spread(function))
    if not verbs:
        application.add_typer(importlib.import_module("tsugiki.cli.data").application(), name="data")
    return application


def _helps() -> dict[str, str]:
    return {
        "demo": tr("See everything at work on the bundled sample and backbone, offline, in seconds."),
        "audit": tr("Find unreadable, duplicate, leaked, mislabelled and odd photos, before training."),
        "rank": tr("Find the pretrained network, or the few together, that are best for your photos."),
        "fit": tr("Train a classifier on a folder of labelled photos."),
        "evaluate": tr("Judge a trained classifier on labelled photos."),
        "predict": tr("Ask a trained classifier about photos."),
        "explain": tr("Draw why a photo is answered as it is."),
        "next": tr("Choose the unlabelled photos that are worth labelling next."),
        "export": tr(
            "Write a trained classifier as files for other programs (ONNX, OpenVINO, timm ...), proven to answer the same."
        ),
        "serve": tr(
            "Answer over HTTP: a small page, an API, the Open Inference Protocol, and a watch for photos of another kind."
        ),
        "studio": tr("Label photos, learn, try and export on a page in the browser, on this machine alone."),
        "summary": tr("Show a network's layers and parameters, and which of them learn."),
        "backbones": tr("List pretrained networks to choose from."),
        "plot": tr("Draw a run's curves, predictions and inputs."),
        "lr": tr("Try learning rates for fine-tuning and suggest one."),
        "cache": tr("Show, or clear, what is kept so that no photo is looked at twice."),
    }


def _everywhere(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, help=tr("say which version this is"), callback=lambda shown: _say_version(shown=shown)
        ),
    ] = False,
    install_completion: Annotated[
        str | None,
        typer.Option(
            "--install-completion",
            is_eager=True,
            metavar="SHELL",
            help=tr("let TAB complete the program's words: bash, zsh, fish, powershell, or auto for this shell"),
            callback=completion.install,
        ),
    ] = None,
    show_completion: Annotated[
        str | None,
        typer.Option(
            "--show-completion",
            is_eager=True,
            metavar="SHELL",
            help=tr("print what would be installed for it"),
            callback=completion.show,
        ),
    ] = None,
) -> None:
    del version, install_completion, show_completion


def _say_version(*, shown: bool) -> None:
    if shown:
        emit(f"tsugiki {__version__}")
        raise typer.Exit


def _take_flag(words: list[str], flag: str) -> bool:
    if flag in words:
        words.remove(flag)
        return True
    return False


def _take_language(words: list[str]) -> str | None:
    """Take ``--lang`` out of the words, wherever it stands: help texts need it before anything is parsed."""
    chosen = None
    for position, word in enumerate(words):
        if word == "--lang" or word.startswith("--lang="):
            chosen = word.partition("=")[2] or (words[position + 1] if position + 1 < len(words) else "")
            del words[position : position + (1 if "=" in word else 2)]
            break
    if chosen is not None and chosen not in LANGUAGES:
        raise RequestError(tr("The program does not speak {name}.", name=repr(chosen)), allowed=", ".join(LANGUAGES))
    return chosen
