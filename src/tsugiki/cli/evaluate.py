"""``tsugiki evaluate``: judge a trained classifier on labelled photos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tsugiki.core.console import emit, say
from tsugiki.locale.messages import tr


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help=tr("a run folder"))],
    data: Annotated[str, typer.Argument(metavar="DATA", help=tr("a folder of photos, a manifest, an archive, or sample:NAME"))],
    out: Annotated[Path | None, typer.Option(help=tr("a folder for evaluation.json and predictions.csv"))] = None,
    device: Annotated[str | None, typer.Option(help=tr("cpu, cuda or mps; the best one when left out"))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=tr("one JSON document on standard output"))] = False,
) -> None:
    """Judge a trained classifier on labelled photos."""
    from tsugiki.classifier.classifier import Classifier
    from tsugiki.core.devices import pick_device
    from tsugiki.core.files import write_json
    from tsugiki.inspection.evaluate import evaluate as judge

    result = judge(Classifier.load(run).to(pick_device(device)), data)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / "evaluation.json", result.document)
        result.predictions.to_csv(out / "predictions.csv")
        say(tr("Written: {path}", path=out))
    emit(json.dumps(result.document, ensure_ascii=False, indent=2) if as_json else _table(result.document))


def _table(document: dict[str, object]) -> str:
    from tsugiki.cli.tables import aligned

    rows = [(tr("class"), tr("photos"), tr("precision"), tr("recall"), "F1")]
    for row in document["per_class"]:  # type: ignore[attr-defined]
        shares = (_percent(row[name]) for name in ("precision", "recall", "f1"))
        rows.append((row["class"], str(row["n"]), *shares))
    return aligned(rows)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
