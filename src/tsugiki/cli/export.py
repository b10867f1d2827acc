"""``tsugiki export``: a trained classifier as files for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from tsugiki.cli.options import json_option, option, run_argument
from tsugiki.cli.output import emit_json
from tsugiki.cli.waiting import starting
from tsugiki.core.console import emit, say, typed, working
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr


class Format(StrEnum):
    """What an export is written as."""

    onnx = "onnx"
    openvino = "openvino"


def export(
    run: Annotated[Path, run_argument()],
    format_: Annotated[
        Format, option("onnx|openvino", tr("for which runtime; LiteRT and Core ML are not written yet"), "--format")
    ] = Format.onnx,
    out: Annotated[Path | None, option("FOLDER", tr("where to write it; beside the run when left out"))] = None,
    photos: Annotated[Path | None, option("FOLDER", tr("photos to prove it on, besides the drawn ones"))] = None,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Write a trained classifier as files for other programs, proven to answer the same.

    Raises:
        TsugikiError: When the run or the folder cannot be used, or what was exported would answer otherwise.
    """
    with starting():
        from tsugiki.data.sources.folders import photos_in
        from tsugiki.publishing.export import export as publish

    if photos is not None and not photos.is_dir():
        raise RequestError(tr("There is no folder {path}.", path=photos), allowed=tr("a folder of photos"))
    given = [] if photos is None else photos_in(photos)[0]
    with working(tr("Writing the export, and proving it")):
        made = publish(run, format_.value, out, photos=given)
    parity = made.parity
    say(
        tr(
            "Proven on {count} photos: every answer is PyTorch's, largest difference of a probability {difference}.",
            count=parity.photos,
            difference=f"{parity.largest_difference:.1g}",
        )
    )
    if as_json:
        emit_json({"folder": str(made.folder), **parity.to_dict()})
        return
    emit(str(made.folder))
    say(tr("next: {command}", command=f"python {typed(made.folder / 'predict.py')} PHOTO"))
