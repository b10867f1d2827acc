"""The classifiers that a server answers with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsugiki.classifier.artefact import backbone_named, read_description
from tsugiki.classifier.load_predictor import load_predictor
from tsugiki.core.errors import RequestError, UnknownName
from tsugiki.locale.messages import tr
from tsugiki.serving.drift_watch import DriftWatch, Expected
from tsugiki.serving.lanes import Asked

if TYPE_CHECKING:
    from tsugiki.classifier.predict import Predictor


@dataclass(frozen=True)
class Model:
    """One trained classifier.

    Attributes:
        name: What it is asked for by: the name of its run folder.
        asked: Its predictor.
        watch: What it has answered.
        about: What its run folder says of it, plain values.
    """

    name: str
    asked: Asked
    watch: DriftWatch
    about: dict[str, Any]

    @property
    def predictor(self) -> Predictor:
        """What answers."""
        return self.asked.predictor

    @classmethod
    def load(cls, run: Path, *, device: str | None = None) -> Model:
        """Read a run folder.

        Raises:
            RequestError: When there is no such folder.
            ArtefactError: When it holds no classifier, or a damaged one.
        """
        description = read_description(run)
        predictor = load_predictor(run, device=device)
        head = predictor.answer_head
        threshold = None if head.unknown is None else head.unknown.threshold
        watch = DriftWatch(head.classes, Expected.of_run(run, head), threshold)
        about = {
            "backbone": backbone_named(description),
            "method": description["trained"].get("method"),
            "weights_sha256": description["weights_sha256"],
            "input": list(predictor.preprocess.size),
        }
        return cls(run.resolve().name, Asked(predictor), watch, about)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "name": self.name,
            "classes": list(self.predictor.classes),
            "tells_unknown": self.watch.threshold is not None,
            **self.about,
            "drift": self.watch.to_dict(),
        }


class Models:
    """Models by name; the first one answers where none is named.

    Args:
        models: At least one.

    Raises:
        RequestError: When two have the same name.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        self.by_name = {model.name: model for model in models}
        if len(self.by_name) < len(models):
            names = [model.name for model in models]
            twice = next(name for name in names if names.count(name) > 1)
            raise RequestError(
                tr("Two run folders have the same name, by which they would be asked for."),
                got=twice,
                cure=tr("give one of them another name"),
            )

    def __iter__(self) -> Any:
        return iter(self.by_name.values())

    def named(self, name: str) -> Model:
        """The model called ``name``; the first one for ``""``.

        Raises:
            UnknownName: When there is none.
        """
        if not name:
            return next(iter(self.by_name.values()))
        if name not in self.by_name:
            raise UnknownName(tr("There is no model {name} here.", name=repr(name[:100])), name=name[:100], known=self.by_name)
        return self.by_name[name]
