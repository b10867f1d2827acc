"""``tsugiki evaluate``: judge a trained classifier on labelled photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tsugiki.cli.answer_rows import set_score_rows
from tsugiki.cli.options import (
    data_argument,
    device_option,
    force_option,
    json_option,
    label_separator_option,
    option,
    run_argument,
)
from tsugiki.cli.output import aligned, emit_json
from tsugiki.cli.waiting import starting
from tsugiki.core.console import emit, say, typed
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr


def evaluate(
    run: Annotated[Path, run_argument()],
    data: Annotated[str, data_argument()],
    out: Annotated[Path | None, option("FOLDER", tr("a folder for evaluation.json and predictions.csv"))] = None,
    force: Annotated[bool, force_option()] = False,
    device: Annotated[str | None, device_option()] = None,
    label_separator: Annotated[str | None, label_separator_option()] = None,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Judge a trained classifier on labelled photos."""
    if out is not None:
        _check(out, force=force)
    with starting():
        from tsugiki.classifier.load_predictor import MANY, load_predictor
        from tsugiki.core.files import write_json
        from tsugiki.inspection.evaluate import evaluate as judge

        model = load_predictor(run, device=device, count=MANY)
    result = judge(model, data, label_separator=label_separator)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / "evaluation.json", result.document)
        result.predictions.to_csv(out / "predictions.csv")
        say(tr("Written: {path}", path=out))
    if as_json:
        emit_json(result.document)
    else:
        emit(_table(result.document))


def _check(folder: Path, *, force: bool) -> None:
    """Refuse to write over the numbers of another evaluation, or over those that a run was saved with."""
    there = [name for name in ("evaluation.json", "predictions.csv") if (folder / name).exists()]
    run = (folder / "classifier.json").exists()
    if there and (run or not force):
        raise RequestError(
            tr("{folder} holds another evaluation: it would be replaced.", folder=folder),
            allowed=tr("another folder") if run else tr("another folder, or --force to replace what is there"),
            got=tr("the numbers of the run itself") if run else ", ".join(there),
            cure=f"--out {typed(folder.with_name(f'{folder.name}-2'))}",
        )


def _table(document: dict[str, object]) -> str:
    if document.get("task") == "multi":
        return aligned(set_score_rows(document))
    rows = [(tr("class"), tr("photos"), tr("precision"), tr("recall"), "F1")]
    for row in document["per_class"]:  # type: ignore[attr-defined]
        shares = (_percent(row[name]) for name in ("precision", "recall", "f1"))
        rows.append((row["class"], str(row["n"]), *shares))
    return aligned(rows)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
