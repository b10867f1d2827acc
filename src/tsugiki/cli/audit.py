"""``tsugiki audit``: look at the photos before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tsugiki.cli.options import WeightOptions, data_argument, json_option, option, seed_option
from tsugiki.cli.output import aligned, emit_json
from tsugiki.core.console import emit, say
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.locale.messages import tr


def audit(
    *,
    data: Annotated[str, data_argument()],
    out: Annotated[Path | None, option("FOLDER", tr("a folder for the page with the photos in question"))] = None,
    backbone: Annotated[str | None, option("NAME", tr("what looks at the photos; the best network on this machine"))] = None,
    weights: WeightOptions,
    seed: Annotated[int, seed_option()] = DEFAULT_SEED,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Find unreadable, duplicate, leaked, mislabelled and odd photos; nothing is changed."""
    from tsugiki.backbones.catalog import best_at_hand
    from tsugiki.inspection.audit import audit as examine
    from tsugiki.reporting.audit_page import audit_table, save_audit
    from tsugiki.reporting.run_folder import AUDIT, AUDIT_PAGE, SUSPECTS, check_output_folder

    if out is not None:
        check_output_folder(out, AUDIT)
    # Weights that are given without a name are those of the bundled network.
    name = backbone or ("bundled:nae" if weights.weights or weights.model_arg else best_at_hand(weights.zoo))
    found = examine(data, backbone=weights.load(name), seed=seed)
    if out is not None:
        save_audit(found, out)
    if as_json:
        emit_json(found.to_dict())
        return
    emit(aligned(audit_table(found)))
    if out is not None:
        emit(str(out / AUDIT_PAGE))
        say(tr("next: edit {file}, then tsugiki fit DATA --exclude FILE --relabel FILE", file=out / SUSPECTS))
    else:
        say(tr("next: --out FOLDER writes a page with the photos in question"))
