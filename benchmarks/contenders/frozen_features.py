"""scikit-learn on frozen features: every photo once through plain PyTorch, then ``LogisticRegressionCV`` at its defaults.

The features are standardised, as scikit-learn's guide asks for, and the solver may take 1,000 steps: at its default of 100 it
stops, with a warning, before it has converged. Where no class has five photos there are fewer than five folds.
"""

from __future__ import annotations

import warnings
from collections import Counter

import numpy as np
import torch
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from benchmarks.contenders.asked import answer, read_job
from benchmarks.contenders.job import Photos, loader, own_transform, pretrained, use_seed


def main() -> None:
    """Look, learn, answer."""
    warnings.simplefilter("ignore")
    job = read_job()
    use_seed()
    model = pretrained(job).eval()
    model.classifier = nn.Identity()
    transform = own_transform(job)
    with torch.inference_mode():
        train, test = (
            np.concatenate([model(batch).numpy() for batch, _ in loader(Photos(photos, job.classes, transform))])
            for photos in (job.train, job.test)
        )
    labels = [photo.label for photo in job.train]
    folds = min(5, max(Counter(labels).values()))
    head = make_pipeline(StandardScaler(), LogisticRegressionCV(cv=folds, max_iter=1000, n_jobs=-1))
    head.fit(train, labels)
    answer(head.predict(test).tolist())


if __name__ == "__main__":
    main()
