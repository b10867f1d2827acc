"""The article's recipe in plain PyTorch: frozen backbone, new head, five epochs of Adam at 0.001, batches of 32, float32.

With ``--fine-tune`` nothing is frozen, and the learning rate is a tenth of it.
"""

from __future__ import annotations

import argparse

import torch
from torch import nn

from benchmarks.contenders.asked import answer, read_job
from benchmarks.contenders.job import Photos, freeze_base, loader, own_transform, pretrained, use_seed, with_new_head


def main() -> None:
    """Train and test as the article does."""
    job = read_job()
    parser = argparse.ArgumentParser()
    parser.add_argument("--fine-tune", action="store_true")
    parser.add_argument("--lr", type=float)
    asked = parser.parse_args(job.words)
    use_seed()
    classes, transform = job.classes, own_transform(job)
    train_loader = loader(Photos(job.train, classes, transform), shuffle=True)
    test_loader = loader(Photos(job.test, classes, transform))
    model = pretrained(job)
    if not asked.fine_tune:
        freeze_base(model)
    model = with_new_head(model, len(classes))
    loss_function = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=asked.lr or (1e-4 if asked.fine_tune else 1e-3))
    answers: list[int] = []
    for _ in range(job.epochs):
        model.train()
        for photos, labels in train_loader:
            loss = loss_function(model(photos), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            answers = [row for photos, _ in test_loader for row in model(photos).argmax(dim=1).tolist()]
    answer([classes[row] for row in answers])


if __name__ == "__main__":
    main()
