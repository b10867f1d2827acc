"""Does the order of a ranking hold once networks are fine-tuned? A few of them are, for real, on training photos only.

A quarter of the training photos is set aside to judge them on; the held-out photos of the data set have no say.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import say
from tsugiki.core.devices import pick_device
from tsugiki.core.errors import RequestError
from tsugiki.data.samples import Samples, labels_to_draw
from tsugiki.data.splits import Draw, draw_splits
from tsugiki.evaluation.headline import main_score
from tsugiki.fine_tuning.comparison import compare
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.inspection.rank.ranking import Ranking
from tsugiki.inspection.score import AnyPredictions
from tsugiki.locale.messages import tr
from tsugiki.training.fit import FineTuning, fit

_SET_ASIDE = 0.25
_USUAL_BUDGET = 300.0
"""Seconds that the fine-tuning of one network may take."""

Verdict = Literal["held", "did not hold", "cannot tell"]


@dataclass(frozen=True)
class FineTunedNetwork:
    """One network that was fine-tuned.

    Attributes:
        name: As in the ranking.
        ranked_by: Its score there.
        fine_tuned: Its score after fine-tuning, on photos that were set aside.
        photos: How many these are.
    """

    name: str
    ranked_by: float
    fine_tuned: float
    photos: int


@dataclass(frozen=True)
class RankCheck:
    """What fine-tuning says of a ranking.

    Attributes:
        networks: In the ranking's order.
        verdict: Whether the order ``held``; ``cannot tell`` where it is another one, which may be chance.
        pairs: Names of networks, the worse ranked first, that are proven better than the better ranked ones.
    """

    networks: tuple[FineTunedNetwork, ...]
    verdict: Verdict
    pairs: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "verdict": self.verdict,
            "networks": [asdict(one) for one in self.networks],
            "overtaken": [list(pair) for pair in self.pairs],
        }

    def table_rows(self) -> list[tuple[str, ...]]:
        """Rows of a table for people, headings first."""
        titles = (tr("backbone"), tr("ranked by"), tr("fine-tuned"), tr("photos"))
        return [
            titles,
            *((one.name, f"{one.ranked_by:.1%}", f"{one.fine_tuned:.1%}", str(one.photos)) for one in self.networks),
        ]

    def sentence(self) -> str:
        """What came of it."""
        if self.verdict == "held":
            return tr("The order holds after fine-tuning.")
        if self.verdict == "cannot tell":
            return tr("The order is another one after fine-tuning, which may be chance on so few photos.")
        told = ", ".join(f"{better} > {worse}" for better, worse in self.pairs)
        return tr("The order does not hold after fine-tuning: {pairs}.", pairs=told)


def fine_tune_check(
    ranking: Ranking, count: int = 2, *, device: str | None = None, settings: FineTuneSettings | None = None
) -> RankCheck:
    """Fine-tune the best networks of a ranking on three quarters of the training photos, judge them on the others.

    Args:
        ranking: Whose.
        count: How many networks, the best ones; combinations are not fine-tuned.
        device: ``cpu``, ``cuda`` or ``mps``; by default the best one.
        settings: How; by default the usual ones, within five minutes each.

    Raises:
        RequestError: When there are fewer than two networks to compare.
        DataError: When no training photo can be set aside.
        TrainingError: When a training could not go on.
    """
    chosen = ranking.candidates[:count]
    if len(chosen) < 2 or ranking.samples is None:
        raise RequestError(
            tr("An order can be checked with two networks or more."),
            got=", ".join(map(str, chosen)),
            cure=tr("let more networks be ranked, and check two or more"),
        )
    samples = _set_aside(ranking.samples, ranking.seed)
    settings = settings or FineTuneSettings.preset("default", budget=_USUAL_BUDGET, seed=ranking.seed)
    networks, answers = [], []
    for candidate in chosen:
        say(tr("Fine-tuning {name}, to check the order:", name=candidate))
        root = candidate.load(seed=ranking.seed)
        model = Classifier(root, classes=samples.classes, task=samples.task).to(pick_device(device))
        run = fit(model, samples, method="fine-tune", fine_tuning=FineTuning(settings))
        row = ranking.row(str(candidate))
        networks.append(FineTunedNetwork(row.name, row.score, main_score(run.evaluation)[0], run.evaluation["n"]))
        answers.append(run.predictions)
    return _checked(networks, answers)


def _set_aside(samples: Samples, seed: int) -> Samples:
    """The training photos alone, a quarter of them held out."""
    inner = samples.take(samples.train_rows)
    draw = Draw(seed, _SET_ASIDE)
    splits = draw_splits(draw, labels_to_draw(inner), inner.digests, inner.groups)
    return replace(inner, splits=splits, draw=draw, decisions=(), warnings=())


def _checked(networks: list[FineTunedNetwork], answers: list[AnyPredictions]) -> RankCheck:
    scores = [one.fine_tuned for one in networks]
    if scores == sorted(scores, reverse=True):
        return RankCheck(tuple(networks), "held")
    proven = [
        (networks[later].name, networks[earlier].name)
        for later in range(len(networks))
        for earlier in range(later)
        if scores[later] > scores[earlier] and compare(answers[earlier], answers[later])["verdict"] == "helped"
    ]
    return RankCheck(tuple(networks), "did not hold" if proven else "cannot tell", tuple(proven))
