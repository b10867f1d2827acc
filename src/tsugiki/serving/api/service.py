"""What all addresses share: the models, the lanes, the limits, and what is counted and kept of every answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from tsugiki.classifier.answer import Prediction
from tsugiki.serving.api.bodies import Intake
from tsugiki.serving.counters import Counters
from tsugiki.serving.kept_photos import KeptPhotos
from tsugiki.serving.lanes import Lanes, Photo
from tsugiki.serving.limits import Limits
from tsugiki.serving.models import Model, Models


@dataclass
class Service:
    """A running server, without its connections.

    Attributes:
        models: What answers.
        limits: What a request may cost.
        kept: Where photos are kept, if a person asked for it.
    """

    models: Models
    limits: Limits = field(default_factory=Limits)
    kept: KeptPhotos | None = None

    def __post_init__(self) -> None:
        self.counters = Counters()
        self.lanes = Lanes(self.limits)
        self.intake = Intake(self.limits, self.counters)
        self.stopping = False

    def close(self) -> None:
        """Let the threads end that answer."""
        self.lanes.close()

    async def answer(self, model: Model, photos: Sequence[Photo], *, top: int = 3) -> list[Prediction]:
        """Answers, counted and, where that is wanted, kept.

        Raises:
            Refusal: When the queue is full, or the answer takes too long.
        """
        answers = await self.lanes.ask(model.asked, photos, top=top)
        model.watch.note(answers)
        unread = sum(bool(answer.problem) for answer in answers)
        self.counters.photos[model.name, "unreadable"] += unread
        self.counters.photos[model.name, "answered"] += len(answers) - unread
        if self.kept is not None:
            await asyncio.to_thread(self.kept.add, photos, answers, model.name)
        return answers
