"""``fit --backbone best``: the network is chosen by measurement, among those whose weights are on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tsugiki.cli.options import WeightOptions, option
from tsugiki.cli.output import aligned
from tsugiki.cli.usage import EXPERT
from tsugiki.cli.values import parse_time
from tsugiki.core.console import say
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.data.samples import Samples
    from tsugiki.features.extract import FeatureSettings
    from tsugiki.inspection.rank.ranking import Ranking
    from tsugiki.training.more_photos.extension import Extension

_CHOOSE = ("best", "auto")
_USUAL = "efficientnet_b0"
_USUAL_BUDGET = "2m"


@dataclass(frozen=True)
class BackboneOptions:
    """The network, or that one is to be chosen."""

    backbone: Annotated[
        str, option("NAME", tr("a pretrained network (see: tsugiki backbones), or best: chosen among those here"))
    ] = _USUAL
    rank_budget: Annotated[
        str | None,
        option("TIME", tr("how long choosing the best network may take"), show_default=_USUAL_BUDGET, rich_help_panel=EXPERT),
    ] = None
    extend: Annotated[Path | None, option("RUN", tr("a finished run that is to learn these photos as well"))] = None

    def extension(self, weights: WeightOptions, method: str) -> Extension | None:
        """The run that is to learn more; ``None`` where a network is named, or is to be chosen.

        Args:
            weights: Of a network that is named.
            method: How it is going to be trained.

        Raises:
            RequestError: When the run cannot learn more, or a network is named as well.
        """
        if self.extend is None:
            return None
        given: dict[str, object] = {
            "--backbone": self.backbone != _USUAL,
            "--rank-budget": self.rank_budget,
            "--weights": weights.weights,
        }
        given |= {"--model-arg": weights.model_arg, "--zoo": weights.zoo}
        if idle := [name for name, value in given.items() if value]:
            raise RequestError(
                tr("A run that learns more keeps its network: {names} would do nothing.", names=", ".join(idle)),
                allowed="--extend RUN",
                cure=tr("leave it out"),
            )
        if method != "transfer":
            raise RequestError(
                tr("A run learns more by its head alone."),
                allowed="--method transfer",
                got=f"--method {method}",
                cure=tr("leave it out, or fit the whole data set anew"),
            )
        from tsugiki.training.more_photos.extension import Extension

        return Extension.of(self.extend)

    def choice(self, weights: WeightOptions, method: str) -> BackboneChoice | None:
        """What is to be chosen; ``None`` where the network is named.

        Args:
            weights: Of a network that is named, and the zoo to choose from.
            method: How it is going to be trained.

        Raises:
            RequestError: When weights are named for a network that is not, or time for a choice that is made already.
        """
        if self.backbone not in _CHOOSE:
            if self.rank_budget is not None:
                raise RequestError(
                    tr("--rank-budget is for choosing a network, and this one is named."),
                    allowed="--backbone best",
                    got=f"--backbone {self.backbone}",
                    cure=tr("leave it out"),
                )
            return None
        idle = [name for name, value in (("--weights", weights.weights), ("--model-arg", weights.model_arg)) if value]
        if idle:
            raise RequestError(
                tr("{names} is about one network, and it is yet to be chosen.", names=", ".join(idle)),
                allowed=tr("{names} with the name of a backbone", names=", ".join(idle)),
                got=f"--backbone {self.backbone}",
                cure=tr("name your own weights in a zoo file (--zoo), or leave it out"),
            )
        return BackboneChoice(parse_time(self.rank_budget or _USUAL_BUDGET), weights.zoo, alone=method == "fine-tune")


@dataclass(frozen=True)
class BackboneChoice:
    """That a network is to be chosen, and what that may cost.

    Attributes:
        budget: Seconds.
        zoo: A zoo file whose networks are among those to choose from.
        alone: Whether it has to be one network: several together are not fine-tuned.
    """

    budget: float
    zoo: Path | None = None
    alone: bool = False

    def rank(self, samples: Samples, *, seed: int, features: FeatureSettings, device: str | None) -> Ranking:
        """Choose on the training photos, and say what was tried.

        Raises:
            RequestError: When not one network could be judged.
        """
        from tsugiki.inspection.rank.rank_backbones import rank
        from tsugiki.inspection.rank.rank_settings import MOST_PARTS, RankSettings

        say(tr("Choosing among the networks on this machine, for {seconds:g} s at most:", seconds=self.budget))
        settings = RankSettings(budget=self.budget, parts=1 if self.alone else MOST_PARTS, seed=seed)
        found = rank(samples, settings=settings, features=features, zoo=self.zoo, device=device)
        say(aligned(found.table()))
        for sentence in (*found.told(), found.reason, *found.warnings):
            say(sentence)
        return found
