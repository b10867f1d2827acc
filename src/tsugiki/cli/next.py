"""``tsugiki next``: which unlabelled photos to label next."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tsugiki.cli.answer_rows import set_answer_rows
from tsugiki.cli.options import device_option, force_option, json_option, option, run_argument
from tsugiki.cli.output import aligned, emit_json
from tsugiki.cli.waiting import starting
from tsugiki.core.console import emit, say, typed
from tsugiki.core.errors import RequestError
from tsugiki.core.files import check_file_place
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsugiki.inspection.next_photos import NextPhoto


def next(  # noqa: A001 (the verb's name)
    run: Annotated[Path, run_argument()],
    photos: Annotated[
        Path, typer.Argument(metavar="PHOTOS", help=tr("a folder of unlabelled photos, or a table that names them"))
    ],
    count: Annotated[int, option("N", tr("how many photos to choose"), min=1)] = 20,
    out: Annotated[Path, option("FILE", tr("the table to write labels into"))] = Path("next.csv"),
    force: Annotated[bool, force_option()] = False,
    device: Annotated[str | None, device_option()] = None,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Choose the unlabelled photos that are worth labelling next.

    Raises:
        TsugikiError: When the run or the photos cannot be used, or the table would replace labels.
    """
    _check(out, force=force)
    with starting():
        from tsugiki.classifier.load_predictor import MANY, load_predictor
        from tsugiki.inspection.next_photos import next_photos, write_next

        model = load_predictor(run, device=device, count=MANY)
    chosen = next_photos(model, photos, count=count)
    write_next(out, chosen)
    if as_json:
        emit_json([{**one.answer.to_dict(model.classes), "score": one.score} for one in chosen])
    else:
        emit(_table(chosen, model.classes))
    if len(chosen) < count:
        say(tr("All others are nearly the same as these, or as photos that are known: {count} were chosen.", count=len(chosen)))
    say(tr("Written: {path}", path=out))
    command = f"tsugiki fit DATA --labels {typed(out)}"
    if model.answer_head.multi_label is None:
        say(tr("next: write the right class of each into its column label, then {command}", command=command))
    else:
        say(
            tr(
                "next: write what each shows into its column label (a|b; | alone for none of the classes), then {command}",
                command=command,
            )
        )


def _check(out: Path, *, force: bool) -> None:
    """Refuse to write over labels, or over what is no such table."""
    from tsugiki.core.regular_files import read_text

    check_file_place(out)
    if force or not out.exists():
        return
    try:
        rows = list(csv.DictReader(read_text(out, encoding="utf-8-sig").splitlines()))
    except (OSError, ValueError, csv.Error):
        rows = [{"label": str(out)}]
    if not rows or any((row.get("label") or "").strip() for row in rows) or "suggested" not in rows[0]:
        raise RequestError(
            tr("{path} is there already, and holds labels or something else: it would be replaced.", path=out),
            allowed=tr("another file, or --force to replace what is there"),
            cure=f"--out {typed(out.with_name(f'{out.stem}-2{out.suffix}'))}",
        )


def _table(chosen: Sequence[NextPhoto], classes: Sequence[str]) -> str:
    if any(one.answer.labels is not None for one in chosen):
        head, *told = set_answer_rows([one.answer for one in chosen], classes)
        uncertainty = (f"{one.uncertainty:.2f}" for one in chosen)
        return aligned([(*head, tr("uncertainty")), *((*row, each) for row, each in zip(told, uncertainty, strict=True))])
    rows = [(tr("photo"), tr("suggested"), tr("probability"), tr("uncertainty"))]
    for one in chosen:
        label = one.answer.label if one.answer.known else tr("not sure ({label}?)", label=one.answer.label)
        rows.append((one.answer.name, label, f"{one.answer.probability:.1%}", f"{one.uncertainty:.2f}"))
    return aligned(rows)
