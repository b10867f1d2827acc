"""Several backbones against one, and ways of joining them: on training photos alone, and then, for what is built in, held out.

    python -m benchmarks.several_backbones [FOLDER...] [--material DIR] [--save]

Per folder and pair of networks, by cross-validation on the training photos (out-of-fold answers of the same folds): accuracy
and log loss of a head on each network alone; on both side by side, as they come and with each part scaled to length one; of the
mean of two heads' probabilities; and on both with their stages. From these numbers the way was chosen. Then the accuracy on
held-out photos of each network alone, with its stages, and of both, as ``tsugiki fit`` gives it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import tsugiki as tg
from benchmarks.sections import write_section
from tools.same_results import MATERIAL
from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.joined import JoinedBackbone
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.core.console import quiet
from tsugiki.evaluation.metrics import softmax, unit_rows
from tsugiki.features.extract import extract
from tsugiki.features.store import FeatureRows, Floats
from tsugiki.features.table import FeatureTable
from tsugiki.heads.linear import Labelled, fit_linear_head, judged_rows

MULTI = ":multi"
FOLDERS = ("hymenoptera", "food3", "waste", "flowers")
NETWORKS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "T": ("torchvision:mobilenet_v2", "mobilenet_v2.torchvision.safetensors", {}),
    "A": ("timm:mobilenetv2_100", "mobilenetv2_100.same_pad.safetensors", {"pad_type": "same"}),
    "B": (
        "timm:mobilenetv1_100",
        "mobilenetv1_100.same_pad.features.safetensors",
        {"pad_type": "same", "num_classes": 0},
    ),
}
PAIRS = (("T", "B"), ("A", "B"))
WAYS = ("first", "second", "as they come", "length one", "mean of answers", "length one, stages")


def main() -> None:
    """Print a table per question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--material", type=Path, default=MATERIAL)
    parser.add_argument("--save", action="store_true", help="write the section of RESULTS.md")
    asked = parser.parse_args()
    folders = asked.folders or [asked.material / "data" / name for name in FOLDERS]
    with quiet():
        networks = {
            f"{short}{suffix}": load_backbone(
                f"{name}{suffix}", weights=asked.material / "weights" / file, model_args=arguments
            )
            for short, (name, file, arguments) in NETWORKS.items()
            for suffix in ("", MULTI)
        }
        body = "\n".join([_ways(folders, networks), "", _held_out(folders, networks)])
    told = ", ".join(f"{short}: {network.spec}" for short, network in networks.items() if MULTI not in short)
    body = f"`python -m benchmarks.several_backbones`. {told}.\n\n{body}"
    if asked.save:
        write_section("several_backbones", "Several backbones", body)
    else:
        print(body)


def _ways(folders: list[Path], networks: dict[str, Backbone]) -> str:
    lines = [
        "Cross-validated on the training photos: accuracy, log loss.",
        "",
        f"| photos | pair | {' | '.join(WAYS)} |",
        f"|---|{'---|' * (len(WAYS) + 1)}",
    ]
    for folder in folders:
        data = tg.load(folder)
        tables = {short: extract(data, network) for short, network in networks.items()}
        for pair in PAIRS:
            cells = _compared([tables[f"{short}{suffix}"] for suffix in ("", MULTI) for short in pair])
            lines.append(f"| {folder.name} | {'+'.join(pair)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _compared(tables: list[FeatureTable]) -> list[str]:
    samples = tables[0].samples
    rows = samples.train_rows
    labels, groups = samples.labels[rows], tables[0].groups_of(rows)
    plain = [table.train_photos.take(slice(None)) for table in tables]

    def answers(vectors: Floats) -> Floats:
        training = Labelled(FeatureRows(vectors, np.arange(len(vectors))), labels)
        logits = fit_linear_head(training, len(samples.classes), groups=groups).out_of_fold
        assert logits is not None  # noqa: S101 (these folders can be cross-validated)
        return np.asarray(softmax(logits), np.float32)

    two, staged = plain[:2], plain[2:]
    alone = [answers(part) for part in two]
    joined = [answers(np.hstack([unit_rows(part) for part in parts])) for parts in (two, staged)]
    found = [*alone, answers(np.hstack(two)), joined[0], np.mean(alone, axis=0), joined[1]]
    judged = judged_rows(alone[0])
    return [_scores(each[judged], labels[judged]) for each in found]


def _scores(probabilities: Floats, labels: Any) -> str:
    right = (probabilities.argmax(axis=1) == labels).mean()
    loss = -np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-12, 1)).mean()
    return f"{right:.1%}, {loss:.3f}"


def _held_out(folders: list[Path], networks: dict[str, Backbone]) -> str:
    staged = [tuple(f"{short}{MULTI}" for short in pair) for pair in PAIRS]
    asked = [*((short,) for short in networks), *PAIRS, *staged]
    lines = [
        "Held-out accuracy, as `tsugiki fit` gives it.",
        "",
        f"| photos | {' | '.join('+'.join(shorts) for shorts in asked)} |",
        f"|---|{'---|' * len(asked)}",
    ]
    for folder in folders:
        data, cells = tg.load(folder), []
        for shorts in asked:
            parts = [networks[short] for short in shorts]
            root = parts[0] if len(parts) == 1 else JoinedBackbone(parts)
            run = tg.fit(tg.Classifier(root, classes=data.classes), data)
            cells.append(f"{run.evaluation['accuracy']:.1%}")
        lines.append(f"| {folder.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
