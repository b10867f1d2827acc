"""Several labels per photo: the program beside scikit-learn, one classifier per class by hand, on the same features.

    python -m benchmarks.multi_label [--material DIR] [--seeds N] [--work DIR]

The photos are 2 x 2 mosaics of real ones (`benchmarks.make_mosaics`: training mosaics of training photos only, test mosaics of
test photos only, as few as let each photo come up about once), made anew for every seed, and `sample:table`, drawn tables with
none to three dishes. Both see the same stored features of one frozen network. By hand means what a person types: each class a
LogisticRegression on standardised features, once with scikit-learn's own settings, once with its penalty cross-validated.
Printed, means over the seeds: mean average precision on the held-out photos, and F1 (mean over classes) at the thresholds that
each would use: the program's own, one half by hand.
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
from benchmarks.sections import write_section
from tools.same_results import MATERIAL

DATA_SETS = ("food3", "waste", "flowers")
QUARTERS = 3.3
"""Photos in a mosaic, on average."""


def by_hand(run: tg.Run, targets: np.ndarray[Any, Any], *, tuned: bool) -> np.ndarray[Any, Any]:
    """``[N, K]`` probabilities of the held-out photos, one classifier of scikit-learn per class."""
    table, targets = run.table, targets[run.samples.train_rows]
    features = table.train_photos.take(slice(None))
    columns = []
    for place in range(targets.shape[1]):
        kind = (
            LogisticRegressionCV(
                Cs=np.logspace(-4, 1, 6),
                cv=5,
                scoring="neg_log_loss",
                max_iter=1000,
                l1_ratios=(0,),
                use_legacy_attributes=False,
            )
            if tuned
            else LogisticRegression(max_iter=1000)
        )
        fitted = make_pipeline(StandardScaler(), kind).fit(features, targets[:, place])
        columns.append(fitted.predict_proba(table.held_out)[:, 1])
    return np.stack(columns, axis=1)


def numbers_of(run: tg.Run) -> list[float]:
    """Mean average precision and F1 of the program, of scikit-learn twice, and of guessing by frequency."""
    targets = np.asarray(run.samples.targets)
    truth, numbers = targets[run.samples.held_out_rows], run.evaluation
    found = [numbers["mean_average_precision"], numbers["macro_f1"]]
    for tuned in (False, True):
        chances = by_hand(run, targets, tuned=tuned)
        found += [average_precision_score(truth, chances), f1_score(truth, chances >= 0.5, average="macro")]
    return [*map(float, found), float(numbers["frequency_guess"]["mean_average_precision"])]


def fitted(source: Any, weights: Path) -> tg.Run:
    """A run by transfer learning, with real weights where they are."""
    data = tg.load(source)
    network: dict[str, Any] = {"backbone": "bundled:nae"}
    if weights.is_file():
        network = {"backbone": "timm:mobilenetv2_100", "weights": weights, "model_args": {"pad_type": "same"}}
    return tg.fit(tg.Classifier(**network, classes=data.classes, task="multi"), data)


def main() -> None:
    """Print a table, and write it into ``RESULTS.md``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--material", type=Path, default=MATERIAL)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--work", type=Path, default=None)
    given = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    work = given.work or Path(tempfile.mkdtemp(prefix="multi-label-"))
    weights = given.material / "weights" / "mobilenetv2_100.same_pad.safetensors"
    lines = [
        "| photos | train/test | classes | tsugiki mAP | F1 | plain mAP | F1 | tuned mAP | F1 | guess |",
        "|" + "---|" * 10,
    ]
    for name in ("sample:table", *DATA_SETS):
        rows, sizes = [], ("", "", 0)
        for seed in range(given.seeds if name in DATA_SETS else 1):
            source: Any = name
            if name in DATA_SETS:
                if not (given.material / "data" / name).is_dir():
                    break
                source = work / f"{name}-{seed}"
                if not source.is_dir():
                    photos = tg.load(given.material / "data" / name)
                    make_mosaics(photos, source, photos=round(len(photos) / QUARTERS), seed=seed)
            run = fitted(source, weights)
            rows.append(numbers_of(run))
            parts = (len(run.samples.train_rows), len(run.samples.held_out_rows), len(run.samples.classes))
            sizes = (str(parts[0]), str(parts[1]), parts[2])
        if rows:
            means = [f"{value:.3f}" for value in np.mean(rows, axis=0).tolist()]
            lines.append("| " + " | ".join([name, f"{sizes[0]}/{sizes[1]}", str(sizes[2]), *means]) + " |")
            print(lines[-1], flush=True)
    write_results(lines)


def write_results(lines: list[str]) -> None:
    """The section of ``RESULTS.md``."""
    about = (
        "`python -m benchmarks.multi_label`: 2 x 2 mosaics of real photos, mean over three seeds, and `sample:table`; one "
        "frozen MobileNetV2. Plain: scikit-learn's LogisticRegression per class on standardised features; tuned: its penalty "
        "cross-validated. mAP: mean average precision; F1: mean over classes, at each one's own thresholds. So few test photos "
        "know a mean average precision to some points only."
    )
    write_section("multi_label", "Several labels per photo", f"{about}\n\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
