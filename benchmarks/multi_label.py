"""Several labels per photo: the program beside scikit-learn, one classifier per class by hand, on the same features.

    python -m benchmarks.multi_label [--material DIR] [--photos N] [--work DIR]

The photos are 2 x 2 mosaics of real ones (`benchmarks.make_mosaics`: training mosaics of training photos only, test mosaics of
test photos only) and `sample:table`, drawn tables with none to three dishes. Both see the same stored features of one frozen
network. By hand means what a person types: each class a LogisticRegression, once with scikit-learn's own settings on
standardised features, once with its penalty cross-validated. Printed: mean average precision on the held-out photos with its
95% interval, and F1 (mean over classes) at the thresholds that each would use: the program's own, one half by hand.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import average_precision_score, f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tsugiki as tg
from benchmarks.make_mosaics import make_mosaics
from tools.same_results import MATERIAL

DATA_SETS = ("food3", "waste", "flowers")


def by_hand(run: tg.Run, targets: np.ndarray[Any, Any], *, tuned: bool) -> np.ndarray[Any, Any]:
    """``[N, K]`` probabilities of the held-out photos, one classifier of scikit-learn per class."""
    table, targets = run.table, targets[run.samples.train_rows]
    features = table.train_photos.take(slice(None))
    columns = []
    for place in range(targets.shape[1]):
        kind = (
            LogisticRegressionCV(
                Cs=np.logspace(-4, 1, 8),
                cv=5,
                scoring="neg_log_loss",
                max_iter=2000,
                l1_ratios=(0,),
                use_legacy_attributes=False,
            )
            if tuned
            else LogisticRegression(max_iter=2000)
        )
        fitted = make_pipeline(StandardScaler(), kind).fit(features, targets[:, place])
        columns.append(fitted.predict_proba(table.held_out)[:, 1])
    return np.stack(columns, axis=1)


def line(name: str, run: tg.Run) -> str:
    """One data set: the program, scikit-learn twice, and the frequency guess."""
    samples, numbers = run.samples, run.evaluation
    targets = np.asarray(samples.targets)
    truth = targets[samples.held_out_rows]
    low, high = numbers["mean_average_precision_interval"]
    cells = [
        name,
        str(numbers["n"]),
        str(len(samples.classes)),
        f"{numbers['mean_average_precision']:.3f} ({low:.3f}-{high:.3f})",
    ]
    cells.append(f"{numbers['macro_f1']:.3f}")
    for tuned in (False, True):
        chances = by_hand(run, targets, tuned=tuned)
        cells.append(f"{average_precision_score(truth, chances):.3f}")
        cells.append(f"{f1_score(truth, chances >= 0.5, average='macro'):.3f}")
    cells.append(f"{numbers['frequency_guess']['mean_average_precision']:.3f}")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--material", type=Path, default=MATERIAL)
    parser.add_argument("--photos", type=int, default=900, help="mosaics of each set")
    parser.add_argument("--work", type=Path, default=None)
    given = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    work = given.work or Path(tempfile.mkdtemp(prefix="multi-label-"))
    weights = given.material / "weights" / "mobilenetv2_100.same_pad.safetensors"
    sources: dict[str, Any] = {"sample:table": "sample:table"}
    for name in DATA_SETS:
        if (given.material / "data" / name).is_dir():
            if not (work / name).is_dir():
                make_mosaics(given.material / "data" / name, work / name, photos=given.photos)
            sources[f"{name} mosaics"] = work / name
    print("| photos | test | classes | tsugiki mAP | F1 | LogisticRegression mAP | F1 | tuned per class mAP | F1 | guess mAP |")
    print("|" + "---|" * 10)
    for name, source in sources.items():
        data = tg.load(source)
        if weights.is_file():
            model = tg.Classifier(
                "timm:mobilenetv2_100", classes=data.classes, weights=weights, model_args={"pad_type": "same"}, task="multi"
            )
        else:
            model = tg.Classifier("bundled:nae", classes=data.classes, task="multi")
        print(line(name, tg.fit(model, data)), flush=True)


if __name__ == "__main__":
    main()
