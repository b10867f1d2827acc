"""``tsugiki audit``: look at the photos before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tsugiki.core.console import emit, say
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.locale.messages import tr


def audit(
    data: Annotated[str, typer.Argument(metavar="DATA", help=tr("a folder of photos, a manifest, an archive, or sample:NAME"))],
    out: Annotated[Path | None, typer.Option(help=tr("a folder for the page with the photos in question"))] = None,
    backbone: Annotated[str, typer.Option(help=tr("what looks at the photos (see: tsugiki backbones)"))] = "bundled:nae",
    weights: Annotated[str, typer.Option(help=tr("default, a named set, a local file, or none"))] = "default",
    model_arg: Annotated[list[str] | None, typer.Option(help=tr("NAME=VALUE for the architecture"))] = None,
    seed: Annotated[int, typer.Option(help=tr("the same seed gives the same result"))] = DEFAULT_SEED,
    as_json: Annotated[bool, typer.Option("--json", help=tr("one JSON document on standard output"))] = False,
) -> None:
    """Find unreadable, duplicate, leaked, mislabelled and odd photos; nothing is changed."""
    from tsugiki.backbones.load import load_backbone
    from tsugiki.cli.options import parse_model_args
    from tsugiki.cli.tables import aligned
    from tsugiki.inspection.audit import audit as examine
    from tsugiki.reporting.audit_page import PAGE, SUSPECTS, audit_table, save_audit
    from tsugiki.reporting.run_folder import AUDIT, check_target

    if out is not None:
        check_target(out, AUDIT)
    found = examine(
        data, backbone=load_backbone(backbone, weights=weights, model_args=parse_model_args(model_arg or [])), seed=seed
    )
    if out is not None:
        save_audit(found, out)
    if as_json:
        emit(json.dumps(found.to_dict(), ensure_ascii=False, indent=2))
        return
    emit(aligned(audit_table(found)))
    if out is not None:
        emit(str(out / PAGE))
        say(tr("next: edit {file}, then tsugiki fit DATA --exclude FILE --relabel FILE", file=out / SUSPECTS))
    else:
        say(tr("next: --out FOLDER writes a page with the photos in question"))
