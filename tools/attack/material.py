"""What the doors are tried with: a few drawn photos, a run of them, tables, archives, weights and caches, made once."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import tsugiki as tg
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.core.console import quiet
from tsugiki.data.synthetic.sample import DISHES, draw_photo
from tsugiki.features.extract import extract
from tsugiki.features.store import FeatureStore

SMALL = "timm:test_resnet"
"""A network that is built in a moment."""

ARCHIVES = ("photos.zip", "photos.tar", "photos.tar.gz", "photos.tar.bz2", "photos.tar.xz")
EXPORTS = ("onnx", "openvino")
TABLES = ("photos.csv", "photos.json", "photos.jsonl", "photos.parquet")


@dataclass(frozen=True)
class Material:
    """Folders and files that are copied before they are damaged.

    Attributes:
        root: Holds everything.
        probabilities: What the undamaged run answers about ``photo``, ``[K]``.
        features: Of the photos, as they are computed without a store, ``[N, D]``.
        weights: Sum over the small network's weights.
        count: Photos.
    """

    root: Path
    probabilities: npt.NDArray[np.float64]
    features: npt.NDArray[np.float32]
    weights: float
    count: int

    @property
    def photos(self) -> Path:
        """Class folders under ``train`` and ``test``."""
        return self.root / "photos"

    @property
    def photo(self) -> Path:
        """One of them."""
        return min(self.photos.rglob("*.jpg"))


def make_material(root: Path, *, exports: bool = False) -> Material:
    """Make everything in ``root``, in a process of its own: whoever forks must not have started other libraries' threads.

    Args:
        root: A folder that is not there.
        exports: Whether :data:`EXPORTS` are made, too, which takes longest.
    """
    words = [str(root), *(EXPORTS if exports else ())]
    subprocess.run([sys.executable, "-W", "ignore", "-m", "tools.attack.material", *words], check=True, env=_environment())
    arrays = [np.load(root / f"{name}.npy") for name in ("probabilities", "features", "weights")]
    return Material(root, arrays[0], arrays[1], float(arrays[2]), len(arrays[1]))


def _environment() -> dict[str, str]:
    here = str(Path(__file__).parents[2])
    path = os.pathsep.join((here, str(Path(tg.__file__).parents[1])))
    return os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def _make(root: Path, *exports: str) -> None:
    draw(root / "photos")
    os.environ["TSUGIKI_CACHE"] = str(root / "cache")
    with quiet():
        data = tg.load(root / "photos")
        model = tg.Classifier("bundled:nae", classes=data.classes)
        run = tg.fit(model, data, features=tg.FeatureSettings(store=FeatureStore(root / "store"), engine="torch"))
        tg.save_run(run, root / "run")
        for name in exports:
            tg.export(root / "run", name, root / "exports" / name)
        features = features_of(root / "photos", root / "unused")
        answer = run.classifier.predict(min((root / "photos").rglob("*.jpg")))
    assert isinstance(answer, tg.Prediction)  # noqa: S101
    _tables(root, sorted((root / "photos").rglob("*.jpg")))
    _archives(root)
    for name, values in (("probabilities", answer.probabilities), ("features", features), ("weights", _weights(root))):
        np.save(root / f"{name}.npy", np.array(values))


def draw(folder: Path, *, train: int = 6, test: int = 2) -> None:
    """A few photos of each dish in class folders, with splits."""
    for dish in DISHES:
        for number in range(train + test):
            path = folder / ("train" if number < train else "test") / dish / f"{number:02}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(draw_photo(dish, number))


def features_of(photos: Path, store: Path) -> npt.NDArray[np.float32]:
    """``[N, D]`` of the photos, by PyTorch."""
    settings = tg.FeatureSettings(store=FeatureStore(store), engine="torch")
    return extract(tg.load(photos), load_backbone("bundled:nae"), settings=settings).every


def _tables(root: Path, paths: list[Path]) -> None:
    rows = [{"path": str(path), "label": path.parent.name, "split": path.parent.parent.name} for path in paths]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    (root / "photos.csv").write_text(text.getvalue(), encoding="utf-8")
    (root / "photos.json").write_text(json.dumps(rows), encoding="utf-8")
    (root / "photos.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.Table.from_pylist(rows), root / "photos.parquet")
    names = ["path", "label", "suggested", "action"]
    decisions = [[path.relative_to(root / "photos").as_posix(), path.parent.name, "pizza", "exclude"] for path in paths[:3]]
    (root / "suspects.csv").write_text("\n".join(map(",".join, [names, *decisions])) + "\n", encoding="utf-8")


def _archives(root: Path) -> None:
    for name in ARCHIVES:
        kind = name.removeprefix("photos.")
        if kind == "zip":
            with zipfile.ZipFile(root / name, "w", zipfile.ZIP_DEFLATED) as packed:
                for path in sorted((root / "photos").rglob("*.jpg")):
                    packed.write(path, path.relative_to(root / "photos"))
            continue
        mode: Any = "w:" + kind.removeprefix("tar").removeprefix(".")
        with tarfile.open(root / name, mode) as archive:
            archive.add(root / "photos", "photos")


def _weights(root: Path) -> float:
    """Files of the small network's weights: by itself, in a zoo, and as a repository of the hub in its cache."""
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    state = timm.create_model("test_resnet").state_dict()
    save_file(state, root / "own.safetensors")
    torch.save({"state_dict": state}, root / "own.pth")
    (root / "zoo.toml").write_text(
        f'[backbone.ours]\narchitecture = "{SMALL}"\nweights = "own.safetensors"\nlicence = "MIT"\n'
        'preprocess = { size = [96, 64], fit = "squash" }\n',
        encoding="utf-8",
    )
    hub = root / "hub" / "models--someone--small" / "snapshots" / "main"
    hub.mkdir(parents=True)
    save_file(state, hub / "model.safetensors")
    config = {
        "architecture": "test_resnet",
        "num_classes": 1000,
        "pretrained_cfg": {"input_size": [3, 96, 96], "crop_pct": 0.8},
    }
    (hub / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return sum_of(load_backbone(SMALL, weights=str(root / "own.safetensors")))


def sum_of(backbone: Any) -> float:
    """The sum over all of a backbone's weights."""
    return float(sum(values.double().sum() for values in backbone.state_dict().values()))


if __name__ == "__main__":
    _make(Path(sys.argv[1]), *sys.argv[2:])
