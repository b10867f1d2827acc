"""The article's recipe in plain PyTorch: frozen backbone, new head, five epochs of Adam, batches of 32, float32."""

from __future__ import annotations

import os

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from benchmarks.contenders.job import MEAN, STD, pretrained, report, use_seed
from benchmarks.contenders.paths import read_paths


def main() -> None:
    """Train and test as the article does."""
    job = read_paths()
    use_seed()
    transform = transforms.Compose(
        [
            transforms.Resize(256, interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(mean=MEAN, std=STD),
        ]
    )
    train_data, test_data = (datasets.ImageFolder(folder, transform=transform) for folder in (job.train, job.test))
    workers = os.cpu_count() or 1  # the article's own choice
    train_loader = DataLoader(train_data, batch_size=32, shuffle=True, num_workers=workers)
    test_loader = DataLoader(test_data, batch_size=32, num_workers=workers)
    model = pretrained(job.weights)
    for parameter in model.parameters():
        parameter.requires_grad = False
    model.classifier = nn.Linear(1280, len(train_data.classes))
    loss_function = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    correct = 0
    for _ in range(job.epochs):
        model.train()
        for photos, labels in train_loader:
            loss = loss_function(model(photos), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            correct = sum(int((model(photos).argmax(dim=1) == labels).sum()) for photos, labels in test_loader)
    report(correct, len(test_data))


if __name__ == "__main__":
    main()
