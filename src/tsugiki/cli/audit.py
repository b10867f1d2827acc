"""``tsugiki audit``: look at the photos before anything is trained."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from tsugiki.cli.options import (
    LabelOptions,
    WeightOptions,
    data_argument,
    default_target,
    force_option,
    json_option,
    option,
    seed_option,
)
from tsugiki.cli.output import aligned, emit_json
from tsugiki.cli.waiting import starting
from tsugiki.core.console import emit, emit_exactly, say, typed, working
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.locale.messages import tr


def audit(
    *,
    data: Annotated[str, data_argument()],
    out: Annotated[Path | None, option("FOLDER", tr("a folder for the page with the photos in question"))] = None,
    backbone: Annotated[str | None, option("NAME", tr("what looks at the photos; the best network on this machine"))] = None,
    weights: WeightOptions,
    labels: LabelOptions,
    force: Annotated[bool, force_option()] = False,
    seed: Annotated[int, seed_option()] = DEFAULT_SEED,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Find unreadable, duplicate, leaked, mislabelled and odd photos; nothing is changed."""
    with starting():
        from tsugiki.data.load import load
        from tsugiki.features.extract import FeatureSettings
        from tsugiki.inspection.audit import audit as examine
        from tsugiki.inspection.audit import best_name
        from tsugiki.reporting.audit_page import audit_table, save_audit
        from tsugiki.reporting.run_folder import AUDIT, AUDIT_PAGE, SUSPECTS, check_output_folder

    labels.reading()
    if out is not None:
        check_output_folder(out, AUDIT, overwrite=force)
    with working(tr("Loading the backbone")):
        # Weights that are given without a name are those of the bundled network.
        name = backbone or ("bundled:nae" if weights.weights or weights.model_arg else best_name(weights.zoo))
        root = weights.load(name)
    features = FeatureSettings()
    samples = load(data, seed=seed, index=features.store, **vars(labels))
    found = examine(samples, backbone=root, seed=seed, features=features)
    if out is not None:
        with working(tr("Writing the page")):
            save_audit(found, out, overwrite=force)
    if as_json:
        emit_json(found.to_dict())
        return
    marks = {"ok": tr("ok"), "look": tr("look")}
    emit(aligned([(marks.get(mark, mark), sentence) for mark, sentence in audit_table(found)]))
    if out is not None:
        emit_exactly(str(out / AUDIT_PAGE))
        suspects = typed(out / SUSPECTS)
        words = shlex.join(["tsugiki", "fit", data, *labels.words()])
        command = f"{words} --exclude {suspects} --relabel {suspects}"
        say(
            tr(
                "next: write exclude or relabel into the column action of {file}, then {command}",
                file=suspects,
                command=command,
            )
        )
    else:
        words = shlex.join(["tsugiki", "audit", data, *labels.words()])
        command = f"{words} --out {typed(default_target(data, 'audits'))}"
        say(tr("next: {command} (a page with the photos in question)", command=command))
