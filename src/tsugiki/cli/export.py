"""``tsugiki export``: a trained classifier as files for other programs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

from tsugiki.cli.options import json_option, option, run_argument
from tsugiki.cli.output import emit_json
from tsugiki.cli.waiting import starting
from tsugiki.core.console import emit, say, typed, working
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr

_FORMATS = "onnx|openvino|torch|timm|torchvision|litert|coreml"
_PRECISIONS = "fp32|fp16|bf16|int8"


def export(
    run: Annotated[Path, run_argument()],
    format_: Annotated[str, option(_FORMATS, tr("for which runtime, or for which library"), "--format")] = "onnx",
    out: Annotated[Path | None, option("FOLDER", tr("where to write it; beside the run when left out"))] = None,
    precision: Annotated[str, option(_PRECISIONS, tr("how numbers are stored; not every format has all"))] = "fp32",
    data: Annotated[
        str | None, option("DATA", tr("what it was trained on: held-out photos join the proof; int8 needs it"))
    ] = None,
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
        from tsugiki.publishing.export import loss_sentence

    if photos is not None and not photos.is_dir():
        raise RequestError(tr("There is no folder {path}.", path=photos), allowed=tr("a folder of photos"))
    given = [] if photos is None else photos_in(photos)[0]
    with working(tr("Writing the export, and proving it")):
        made = publish(run, format_, out, precision=precision, data=data, photos=given)
    parity = made.parity
    say(
        tr(
            "Proven on {count} photos: every answer is PyTorch's, largest difference of a probability {difference}.",
            count=parity.photos,
            difference=f"{parity.largest_difference:.1g}",
        )
        if made.lost is None
        else loss_sentence(made.lost)
    )
    if as_json:
        lost = {} if made.lost is None else {"accuracy": dataclasses.asdict(made.lost)}
        emit_json({"folder": str(made.folder), **parity.to_dict(), **lost})
        return
    emit(str(made.folder))
    say(tr("next: {command}", command=f"python {typed(made.folder / 'predict.py')} PHOTO"))
