"""A few drawn photos and a tiny network with depthwise convolutions and BatchNorm."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tsugiki.classifier.answer import MultiLabel
from tsugiki.classifier.classifier import Classifier
from tsugiki.data.load import load
from tsugiki.data.preprocess import Preprocess
from tsugiki.data.samples import Samples
from tsugiki.fine_tuning.layers import Phase
from tsugiki.fine_tuning.trainer import Trainer

SIZE = 32


def draw_photos(root: Path, *, train: int = 12, test: int = 4) -> None:
    random = np.random.default_rng(0)
    for split, count in (("train", train), ("test", test)):
        for channel, name in enumerate(("red", "green", "blue")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 160, (40, 48, 3))
                pixels[..., channel] += 60
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")


def tiny_classifier(classes: tuple[str, ...] = ("blue", "green", "red"), *, dropout: float = 0.0) -> Classifier:
    """Random weights, with BatchNorm statistics that are not trivial; ``dropout`` is that of its features."""
    torch.manual_seed(0)
    classifier = Classifier(
        "timm:test_efficientnet",
        classes=classes,
        weights="none",
        model_args={"drop_rate": dropout},
        preprocess=Preprocess(size=(SIZE, SIZE), resize=36),
    )
    for module in classifier.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None and module.running_var is not None:
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return classifier


def several(classes: tuple[str, ...] = ("blue", "green", "red"), *, dropout: float = 0.0) -> Classifier:
    """Likewise, for photos that may have several labels."""
    classifier = tiny_classifier(classes, dropout=dropout)
    classifier.multi_label = MultiLabel.fresh(len(classes))
    return classifier


def state_of(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@contextmanager
def watching_weights() -> Iterator[dict[str, torch.Tensor]]:
    """Filled with the weights after the last step of a training in this block, whether or not they are the best."""
    found: dict[str, torch.Tensor] = {}
    fit = Trainer.fit

    def watched(trainer: Trainer, phases: list[Phase]) -> None:
        fit(trainer, phases)
        found.update({name: tensor.detach().clone() for name, tensor in trainer.state.weights.items()})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "fit", watched)
        yield found


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    draw_photos(root)
    return root


@pytest.fixture
def samples(folder: Path) -> Samples:
    return load(folder)


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 photos to learn from and 12 held out, each channel of which is bright or not; here and there nobody knows."""
    root: Path = tmp_path_factory.mktemp("colours")
    random = np.random.default_rng(0)
    rows = ["path,blue,green,red,split"]
    for number in range(52):
        bright = [number % 2, number // 2 % 2, int(number % 5 == 0)]
        pixels = random.integers(0, 160, (40, 48, 3))
        pixels += 60 * np.array(bright[::-1])
        Image.fromarray(pixels.astype(np.uint8)).save(root / f"{number:02}.png")
        cells = [str(one) for one in bright]
        if number % 7 == 3:
            cells[number % 3] = ""
        rows.append(f"{number:02}.png,{','.join(cells)},{'train' if number < 40 else 'test'}")
    (root / "labels.csv").write_text("\n".join(rows))
    return root / "labels.csv"
