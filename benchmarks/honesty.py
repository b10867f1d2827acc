"""Does a run tell the truth about itself? Faults are planted, and the program has to find them.

    python -m benchmarks.honesty PHOTOS UNLIKE [--backbone NAME] [--weights W] [--model-arg K=V]... [--seeds N]

PHOTOS and UNLIKE are two folders of labelled photos of different things. Features come from the program's own engine and store.
The section holds tables of planted copies, planted wrong labels, unknown photos in both directions, calibration, and the
coverage of the intervals by simulation.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.sections import table, write_section
from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.data.images.decode import open_photo
from tsugiki.data.load import load
from tsugiki.data.photo_index import PhotoFacts
from tsugiki.data.samples import Samples
from tsugiki.evaluation.calibration import fit_temperature
from tsugiki.evaluation.duplicates import Prints, find_duplicates
from tsugiki.evaluation.label_issues import find_suspects
from tsugiki.evaluation.metrics import f1_interval, mean_share_interval, softmax, wilson
from tsugiki.evaluation.out_of_distribution import Rejection, distance, energy, judge_rejection, threshold_at, training_distance
from tsugiki.evaluation.predictions import Predictions, evaluate_rows
from tsugiki.features.executor import FAST
from tsugiki.features.extract import Extractor
from tsugiki.features.store import FeatureRows
from tsugiki.heads.linear import HeadFit, HeadSettings, Labelled, fit_linear_head

Labels = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]

_COPIES = 10
_WRONG = 0.05  # share of labels that are planted wrong
_LOOKED_AT = 2  # a person looks at twice as many suspects as there are wrong labels


class Looker:
    """Looks at photos with one backbone; each photo once."""

    def __init__(self, backbone: Backbone) -> None:
        self._extractor = Extractor(backbone)

    def __call__(self, samples: Samples) -> tuple[Vectors, list[PhotoFacts]]:
        """Features ``[N, D]`` and facts of ``N`` readable photos."""
        vectors = self._extractor(samples, FAST).vectors()
        return vectors, [fact for fact in self._extractor.store.facts(samples.digests) if fact is not None]


@dataclass(frozen=True)
class Material:
    """A folder of photos that was looked at: ``N`` photos of all splits."""

    name: str
    samples: Samples
    features: Vectors
    facts: list[PhotoFacts]

    def of(self, split: str) -> tuple[Vectors, Labels]:
        """Features and labels of one split."""
        rows = self.samples.rows_of(split)
        return self.features[rows], self.samples.labels[rows]

    def prints(self) -> Prints:
        """What duplicates are recognised by."""
        return Prints(self.samples.digests, _hashes(self.facts), self.features, self.samples.splits)


def _hashes(facts: Sequence[PhotoFacts]) -> npt.NDArray[np.int64]:
    return np.array([fact.perceptual_hash for fact in facts], dtype=np.int64)


def look_at(folder: Path, looker: Looker) -> Material:
    """Load a folder and look at every photo."""
    samples = load(folder)
    return Material(folder.name, samples, *looker(samples))


def fit(features: Vectors, labels: Labels, seed: int = DEFAULT_SEED) -> HeadFit:
    """The program's own head, trained on features ``[N, D]`` and labels ``[N]``."""
    rows = FeatureRows(features, np.arange(len(labels)))
    return fit_linear_head(Labelled(rows, labels), int(labels.max()) + 1, settings=HeadSettings(seed=seed))


def logits_of(head: HeadFit, features: Vectors) -> Vectors:
    """``[N, K]`` of features ``[N, D]``."""
    logits: Vectors = features @ head.weight.numpy().T + head.bias.numpy()
    return logits


def out_of_fold(head: HeadFit) -> Vectors:
    """``[N, K]`` logits of the training photos; every class here has enough of them to hold some out."""
    if head.out_of_fold is None:
        raise SystemExit("these photos cannot be cross-validated")
    return head.out_of_fold


def copies(material: Material, looker: Looker, seeds: int) -> Iterator[list[object]]:
    """Held-out copies of training photos, resized, encoded again and renamed: how many are reported."""
    clean = find_duplicates(material.prints())
    rows = material.samples.rows_of("train")
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        with tempfile.TemporaryDirectory() as folder:
            chosen = rng.choice(rows, _COPIES, replace=False).tolist()
            paths = [_copy(material.samples.paths[row], Path(folder) / f"{row}.jpg", rng) for row in chosen]
            planted = Samples.from_lists(paths)
            features, facts = looker(planted)
        prints = Prints(
            [*material.samples.digests, *planted.digests],
            np.concatenate([_hashes(material.facts), _hashes(facts)]),
            np.concatenate([material.features, features]),
            [*material.samples.splits, *["held-out copy"] * _COPIES],
        )
        pairs = find_duplicates(prints)
        originals = {(row, len(material.facts) + place) for place, row in enumerate(chosen)}
        found = len({(pair.first, pair.second) for pair in pairs} & originals)
        yield [material.name, seed, f"{found} of {_COPIES}", len(pairs) - found - len(clean), len(clean)]


def _copy(original: Path, path: Path, rng: np.random.Generator) -> Path:
    photo = open_photo(original)
    scale = rng.uniform(0.4, 1.3)
    photo = photo.resize((max(16, int(photo.width * scale)), max(16, int(photo.height * scale))))
    photo.save(path, quality=int(rng.integers(40, 90)))
    return path


def wrong_labels(material: Material, seeds: int) -> Iterator[list[object]]:
    """Wrong labels among the training photos: how many are among the first suspects."""
    features, truth = material.of("train")
    count = round(_WRONG * len(truth))
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        wrong = rng.choice(len(truth), count, replace=False)
        labels = truth.copy()
        labels[wrong] = (truth[wrong] + rng.integers(1, truth.max() + 1, count)) % (truth.max() + 1)
        probabilities = softmax(out_of_fold(fit(features, labels, seed)))
        first = find_suspects(labels, probabilities)[: _LOOKED_AT * count]
        found = len({one.row for one in first} & set(wrong.tolist()))
        yield [material.name, seed, len(truth), count, _LOOKED_AT * count, found]


def unknowns(known: Material, unlike: Material) -> Iterator[list[object]]:
    """A classifier of one folder shown the photos of the other; the threshold is set on training photos only."""
    training, labels = known.of("train")
    held_out, _ = known.of(known.samples.held_out)
    threshold = threshold_at(training_distance(training))
    near, far = (distance(photos, training) for photos in (held_out, unlike.features))
    yield _rejection(known, unlike, "distance", judge_rejection(near, far, threshold))
    head = fit(training, labels)
    threshold = threshold_at(energy(out_of_fold(head)))
    low, high = (energy(logits_of(head, photos)) for photos in (held_out, unlike.features))
    yield _rejection(known, unlike, "energy", judge_rejection(low, high, threshold))


def _rejection(known: Material, unlike: Material, score: str, found: Rejection) -> list[object]:
    false_reject = f"{found.false_reject:.1%} ({_ends(found.false_reject_interval)})"
    return [known.name, unlike.name, score, f"{found.auroc:.3f}", false_reject, f"{found.rejected:.1%}"]


def _ends(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.1%} to {interval[1]:.1%}"


def calibration(material: Material) -> Iterator[list[object]]:
    """Held-out calibration before and after the temperature that was fitted on out-of-fold logits."""
    features, labels = material.of("train")
    held_out, truth = material.of(material.samples.held_out)
    head = fit(features, labels)
    temperature = fit_temperature(out_of_fold(head), labels)
    logits = logits_of(head, held_out)
    for name, value in (("before", 1.0), ("after", temperature)):
        rows = Predictions(
            tuple(map(str, range(len(truth)))),
            ("val",) * len(truth),
            truth,
            softmax(logits, value),
            material.samples.classes,
        )
        document = evaluate_rows(rows, split="val")
        after = document["calibration"]["after"]
        numbers = [f"{after[key]:.4f}" for key in ("ece", "ece_equal_mass", "log_loss")]
        yield [material.name, len(truth), f"{document['accuracy']:.1%}", name, f"{value:.3f}", *numbers]


def coverage(rounds: int = 20_000) -> Iterator[list[object]]:
    """How often intervals at nominal 95% hold the truth, over shares of 0.7 to 0.98 and 40 to 160 photos per class."""
    rng = np.random.default_rng(0)
    held = {"accuracy, recall, precision (Wilson)": 0, "balanced accuracy (MOVER)": 0, "F1 (Wilson, mapped)": 0}
    for _ in range(rounds):
        shares, n = rng.uniform(0.7, 0.98, 2), int(rng.integers(40, 161))
        hits = rng.binomial(n, shares).tolist()
        cells = np.array([shares[0], 1 - shares[0], 1 - shares[1], shares[1]]) / 2
        hit, miss, alarm, _ = rng.multinomial(2 * n, cells).tolist()
        f1 = 2 * cells[0] / (2 * cells[0] + cells[1] + cells[2])
        tries = (
            (wilson(hits[0], n), shares[0]),
            (mean_share_interval(hits, [n, n]), shares.mean()),
            (f1_interval(hit, miss + alarm), f1),
        )
        for name, ((low, high), truth) in zip(held, tries, strict=True):
            held[name] += low <= truth <= high
    for name, count in held.items():
        yield [name, f"{count / rounds:.1%}"]


def titled(title: str, columns: str, rows: Iterable[Sequence[object]]) -> str:
    """A table under its title."""
    return f"### {title}\n\n{table(columns.split('|'), [list(map(str, row)) for row in rows])}"


def words_of(asked: argparse.Namespace) -> str:
    """The command line again, files by their names."""
    words = [asked.photos.name, asked.unlike.name, "--backbone", asked.backbone, "--weights", Path(asked.weights).name]
    for argument in asked.model_arg:
        words += ["--model-arg", argument]
    return " ".join([*words, "--seeds", str(asked.seeds)])


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("unlike", type=Path)
    parser.add_argument("--backbone", default="bundled:nae")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--model-arg", action="append", default=[])
    parser.add_argument("--seeds", type=int, default=10)
    asked = parser.parse_args()
    model_args = dict(argument.split("=", 1) for argument in asked.model_arg)
    looker = Looker(load_backbone(asked.backbone, weights=asked.weights, model_args=model_args))
    both = look_at(asked.photos, looker), look_at(asked.unlike, looker)
    parts = [f"`python -m benchmarks.honesty {words_of(asked)}`"]
    columns = "photos|seed|copies found|other pairs|pairs in the clean folder"
    parts.append(titled("Planted copies", columns, (row for one in both for row in copies(one, looker, asked.seeds))))
    columns = "photos|seed|training photos|wrong labels|suspects looked at|wrong ones among them"
    parts.append(titled("Planted wrong labels", columns, (row for one in both for row in wrong_labels(one, asked.seeds))))
    columns = "trained on|shown|score|AUROC|held-out photos rejected|other photos rejected"
    parts.append(titled("Unknown photos", columns, (row for pair in (both, both[::-1]) for row in unknowns(*pair))))
    columns = "photos|held out|accuracy||temperature|ECE|ECE, equal mass|log loss"
    parts.append(titled("Calibration", columns, (row for one in both for row in calibration(one))))
    parts.append(titled("Coverage of 95% intervals", "interval|holds the truth", coverage()))
    write_section("honesty", "Planted faults, unknown photos, calibration, coverage", "\n\n".join(parts))


if __name__ == "__main__":
    main()
