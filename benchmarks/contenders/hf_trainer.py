"""A head by Hugging Face's `Trainer`: frozen backbone, five epochs of AdamW, batches of 32."""

from __future__ import annotations

import os
import tempfile
import warnings
from typing import Any

import torch
from torch import nn
from torchvision import datasets, transforms
from transformers import Trainer, TrainingArguments

from benchmarks.contenders.job import MEAN, STD, pretrained, report
from benchmarks.contenders.paths import read_paths


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


def count_right(prediction: Any) -> dict[str, float]:
    """Exact number of right answers."""
    return {"right": float((prediction.predictions.argmax(axis=1) == prediction.label_ids).sum())}


def main() -> None:
    """Train and test."""
    warnings.simplefilter("ignore")
    job = read_paths()
    bicubic = transforms.InterpolationMode.BICUBIC
    transform = transforms.Compose(
        [transforms.Resize(256, bicubic), transforms.CenterCrop(224), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    )
    train_data, test_data = (datasets.ImageFolder(folder, transform=transform) for folder in (job.train, job.test))
    model = pretrained(job.weights)
    for parameter in model.parameters():
        parameter.requires_grad = False
    model.classifier = nn.Linear(1280, len(train_data.classes))
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            num_train_epochs=job.epochs,
            per_device_train_batch_size=32,
            per_device_eval_batch_size=32,
            learning_rate=1e-3,
            dataloader_num_workers=os.cpu_count() or 1,
            eval_strategy="epoch",
            save_strategy="no",
            report_to="none",
            use_cpu=not torch.cuda.is_available(),
            disable_tqdm=True,
            logging_strategy="no",
            seed=42,
        )
        trainer = Trainer(
            Network(model),
            arguments,
            data_collator=collate,
            train_dataset=train_data,
            eval_dataset=test_data,
            compute_metrics=count_right,
        )
        trainer.train()
        report(int(trainer.evaluate()["eval_right"]), len(test_data))


if __name__ == "__main__":
    main()
