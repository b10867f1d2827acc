"""A photo is tried: what the classifier answers, how sure it is, where it looked, and which training photos are like it."""

from __future__ import annotations

import base64
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from tsugiki.classifier.predict import predict_files
from tsugiki.data.images.decode import check_pixels, content_digest
from tsugiki.data.images.file_type import ending_of
from tsugiki.data.label_sets import parted, spoken
from tsugiki.evaluation.out_of_distribution import nearest
from tsugiki.features.store import Floats
from tsugiki.reporting.plots.explanation_plot import explain, lit_up
from tsugiki.serving.previews import jpeg_of
from tsugiki.serving.studio.learning import Learned

_TOP = 5  # classes
_NEAR = 5  # training photos


def try_photo(learned: Learned, content: bytes, *, most_pixels: int, with_reasons: bool) -> dict[str, Any]:
    """Answer for a photo, plain values; pictures as data addresses.

    Args:
        learned: Who answers.
        content: Of the file.
        most_pixels: That it may have.
        with_reasons: Whether to say where the evidence lies and which training photos are like it, which takes longer.

    Raises:
        UnreadablePhoto: When it is no photo, or too large.
    """
    check_pixels(content, most_pixels)
    classifier = learned.classifier
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"photo{ending_of(content)}"
        path.write_bytes(content)
        explained = explain(classifier, path) if with_reasons else None
        sets = classifier.multi_label
        (answer,) = predict_files(classifier, [path], top=_TOP if sets is None else len(classifier.classes))
        vectors = classifier.features_of_files([path])[0] if with_reasons else None
    told: dict[str, Any] = {
        "label": answer.label,
        "probability": answer.probability,
        "known": answer.known,
        "problem": answer.problem,
        "top": [{"label": name, "probability": share} for name, share in answer.top],
    }
    if sets is not None:
        threshold_of = dict(zip(classifier.classes, sets.thresholds.tolist(), strict=True))
        told["labels"] = [*(answer.labels or ())]
        told["top"] = [{**one, "threshold": threshold_of[one["label"]]} for one in told["top"]]
    if explained is None or vectors is None:
        return told
    maps = [
        {
            "label": one.label,
            "method": one.attribution.method,
            "evidence": bool(one.attribution.heat.any()),
            "lit": _address(lit_up(explained.frame, one.attribution.heat)),
        }
        for one in explained.explained
    ]
    return told | {
        **(maps[0] if sets is None else {"maps": maps}),
        "frame": _address(explained.frame),
        "near": _near(learned, vectors, content_digest(content)),
    }


def _near(learned: Learned, vectors: Floats, digest: str) -> list[dict[str, Any]]:
    table = learned.table
    others = [at for at, other in enumerate(table.samples.digests) if other != digest]
    found = nearest(vectors, table.train.take(np.array(others, np.int64)), k=min(_NEAR, len(others)))
    pairs = zip(found.rows[0].tolist(), found.similarity[0].tolist(), strict=True)
    labels = learned.labels
    names = [spoken(parted(name).present) for name in labels.names] if labels.several else labels.names
    return [
        {"row": labels.rows[others[at]], "label": names[others[at]], "similarity": round(similarity, 4)}
        for at, similarity in pairs
        if at >= 0
    ]


def _address(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg_of(Image.fromarray(pixels))).decode("ascii")
