"""The network that all contenders start from, and photos as PyTorch's own examples read them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.contenders.asked import Job, Photo

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BATCH = 32
Transform = Callable[[Image.Image], torch.Tensor]


def pretrained(job: Job) -> nn.Module:
    """MobileNetV2 with its 1,000-class head, from a local file."""
    model: nn.Module
    if job.network.startswith("torchvision:"):
        model = torchvision.models.mobilenet_v2()
    else:
        model = timm.create_model("mobilenetv2_100", pad_type="same")
    weights = job.weights
    model.load_state_dict(load_file(weights) if weights.suffix == ".safetensors" else torch.load(weights, weights_only=True))
    return model


def with_new_head(model: nn.Module, classes: int) -> nn.Module:
    """The same network with an untrained head for other classes, in the place of the old one."""
    if isinstance(model.classifier, nn.Sequential):
        model.classifier[1] = nn.Linear(1280, classes)
    else:
        model.classifier = nn.Linear(1280, classes)
    return model


def freeze_base(model: nn.Module) -> None:
    """No gradient for anything but the head, as the article does it."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.startswith("classifier")


def own_transform(job: Job) -> Transform:
    """What belongs to the weights: torchvision's is bilinear, timm's bicubic."""
    if job.network.startswith("torchvision:"):
        transform: Transform = torchvision.models.MobileNet_V2_Weights.DEFAULT.transforms()
        return transform
    bicubic = transforms.InterpolationMode.BICUBIC
    composed: Transform = transforms.Compose(
        [transforms.Resize(256, bicubic), transforms.CenterCrop(224), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    )
    return composed


class Photos(Dataset[tuple[torch.Tensor, int]]):
    """Photos and the index of their class, opened as torchvision's ``ImageFolder`` opens them."""

    def __init__(self, photos: Sequence[Photo], classes: Sequence[str], transform: Transform) -> None:
        self.photos, self.transform = photos, transform
        self.index = {name: place for place, name in enumerate(classes)}

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        photo = self.photos[row]
        with photo.path.open("rb") as file:
            return self.transform(Image.open(file).convert("RGB")), self.index[photo.label]


def loader(photos: Photos, **settings: Any) -> DataLoader[tuple[torch.Tensor, int]]:
    """Batches of 32 and a worker per core: the article's own choice."""
    return DataLoader(photos, batch_size=BATCH, num_workers=os.cpu_count() or 1, **settings)


def use_seed() -> None:
    """The same seed for everyone."""
    torch.manual_seed(42)
