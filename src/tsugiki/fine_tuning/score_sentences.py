"""The validation scores of a fine-tuning as sentences: of accuracy, or of mean average precision."""

from __future__ import annotations

from tsugiki.fine_tuning.model_selection import Metric, Score
from tsugiki.fine_tuning.state import Row
from tsugiki.locale.messages import tr

HISTORY_NAMES: dict[Metric, str] = {"accuracy": "acc", "mean_average_precision": "map"}
"""What a metric is called in the columns of a history."""


def head_alone_sentence(score: Score) -> str:
    """The score to beat."""
    if score.metric == "accuracy":
        return tr("the head alone: validation {accuracy} correct", accuracy=f"{score.value:.1%}")
    return tr("the head alone: validation mean average precision {value}", value=f"{score.value:.1%}")


def epoch_sentence(row: Row) -> str:
    """One row of a history."""
    words = {"epoch": int(row["epoch"]), "loss": f"{row['train_loss']:.3f}"}
    if "val_acc" in row:
        return tr("epoch {epoch}: loss {loss}, validation {accuracy} correct", accuracy=f"{row['val_acc']:.1%}", **words)
    return tr("epoch {epoch}: loss {loss}, validation mean average precision {value}", value=f"{row['val_map']:.1%}", **words)


def kept_sentence(best: Score, epoch: int, blended: float) -> str:
    """Which weights are kept: those of an epoch, or some between the start and it."""
    words = {"epoch": epoch, "share": f"{blended:.0%}"}
    if best.metric == "mean_average_precision":
        words["value"] = f"{best.value:.1%}"
        if blended == 1:
            return tr("The weights of epoch {epoch} are kept: validation mean average precision {value}.", **words)
        return tr(
            "Kept: weights {share} of the way from the start to epoch {epoch}, the best on the validation photos (mean average "
            "precision {value}).",
            **words,
        )
    words["accuracy"] = f"{best.value:.1%}"
    if blended == 1:
        return tr("The weights of epoch {epoch} are kept: validation {accuracy} correct.", **words)
    return tr(
        "Kept: weights {share} of the way from the start to epoch {epoch}, the best on the validation photos ({accuracy} "
        "correct).",
        **words,
    )
