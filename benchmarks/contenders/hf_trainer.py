"""Hugging Face's `Trainer`: five epochs, AdamW, a linear schedule, nothing evaluated before the end (its default).

Frozen: batches of 32, learning rate 0.001 and the network's own transform, as in the article's recipe: its image-classification
example freezes nothing. With ``--fine-tune``: that example's random resized crops and flips, and the batches of 16 and learning
rate of 0.0002 of Hugging Face's guide to fine-tuning a ViT, the highest rate that its documents use (the example has 0.00002).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from typing import Any

import torch
from torch import nn
from torchvision import transforms
from transformers import Trainer, TrainingArguments

from benchmarks.contenders.asked import answer, read_job
from benchmarks.contenders.job import BATCH, MEAN, STD, Photos, freeze_base, own_transform, pretrained, with_new_head


class Network(nn.Module):
    """What `Trainer` expects: a loss and logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: torch.Tensor, labels: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """Loss and logits of a batch."""
        logits = self.model(pixel_values)
        return (
            {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}
            if labels is not None
            else {"logits": logits}
        )


def collate(batch: list[tuple[torch.Tensor, int]]) -> dict[str, torch.Tensor]:
    """Photos and labels as `Trainer` names them."""
    return {"pixel_values": torch.stack([photo for photo, _ in batch]), "labels": torch.tensor([label for _, label in batch])}


def main() -> None:
    """Train and test."""
    warnings.simplefilter("ignore")
    job = read_job()
    parser = argparse.ArgumentParser()
    parser.add_argument("--fine-tune", action="store_true")
    parser.add_argument("--lr", type=float)
    asked = parser.parse_args(job.words)
    learned_from = own_transform(job)
    if asked.fine_tune:
        learned_from = transforms.Compose(
            [
                transforms.RandomResizedCrop(224),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )
    classes = job.classes
    train_data, test_data = Photos(job.train, classes, learned_from), Photos(job.test, classes, own_transform(job))
    torch.manual_seed(42)
    model = pretrained(job)
    if not asked.fine_tune:
        freeze_base(model)
    model = with_new_head(model, len(classes))
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            num_train_epochs=job.epochs,
            per_device_train_batch_size=16 if asked.fine_tune else BATCH,
            per_device_eval_batch_size=BATCH,
            learning_rate=asked.lr or (2e-4 if asked.fine_tune else 1e-3),
            dataloader_num_workers=os.cpu_count() or 1,
            save_strategy="no",
            report_to="none",
            use_cpu=not torch.cuda.is_available(),
            disable_tqdm=True,
            logging_strategy="no",
            seed=42,
        )
        trainer = Trainer(Network(model), arguments, data_collator=collate, train_dataset=train_data)
        trainer.train()
        scores: Any = trainer.predict(test_data).predictions
    answer([classes[row] for row in scores.argmax(axis=1).tolist()])


if __name__ == "__main__":
    main()
