"""``tsugiki rank``: which pretrained network is best for these photos, before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tsugiki.cli.options import LabelOptions, data_argument, device_option, json_option, option, seed_option, zoo_option
from tsugiki.cli.output import aligned, emit_json
from tsugiki.cli.values import parse_time
from tsugiki.cli.waiting import starting
from tsugiki.core.console import emit, say
from tsugiki.core.errors import RequestError
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.locale.messages import first_few, tr

if TYPE_CHECKING:
    from tsugiki.inspection.rank.rank_settings import RankSettings
    from tsugiki.inspection.rank.ranking import Ranking
    from tsugiki.training.rank_check import RankCheck

Licence = Literal["any", "permissive"]


@dataclass(frozen=True)
class LimitOptions:
    """What the ranking may cost, and what the network that it recommends may."""

    budget: Annotated[
        str | None, option("TIME", tr("how long it may take: 20s, 5m; all networks on all photos if left out"))
    ] = None
    max_latency: Annotated[float | None, option("MS", tr("the most milliseconds that a photo may take, decoding aside"))] = None
    max_size: Annotated[float | None, option("MB", tr("the most megabytes that the weights may take"))] = None
    licence: Annotated[
        Licence, option("any|permissive", tr("permissive: only weights that may be used for anything, also for sale"))
    ] = "any"
    parts: Annotated[
        int, option("N", tr("how many networks may be put together at most; 1: each as it is, to be fine-tuned"), min=1)
    ] = 3

    def settings(self, seed: int) -> RankSettings:
        """The same for who ranks.

        Raises:
            RequestError: When a limit makes no sense.
        """
        from tsugiki.inspection.rank.rank_settings import RankSettings

        budget = None if self.budget is None else parse_time(self.budget)
        return RankSettings(budget, self.max_latency, self.max_size, self.licence, self.parts, seed)


def rank(
    *,
    data: Annotated[str, data_argument()],
    backbone: Annotated[
        list[str] | None, option("NAME", tr("a network, or NAME=WEIGHTS; may be repeated; all on this machine when left out"))
    ] = None,
    limits: LimitOptions,
    plot: Annotated[Path | None, option("FILE", tr("draw accuracy against time per photo into this file"))] = None,
    finetune_check: Annotated[
        int,
        option("N", tr("fine-tune the best N for real, after the budget, 5 minutes each at most"), "--finetune-check", min=0),
    ] = 0,
    labels: LabelOptions,
    zoo: Annotated[Path | None, zoo_option()] = None,
    seed: Annotated[int, seed_option()] = DEFAULT_SEED,
    device: Annotated[str | None, device_option()] = None,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Judge pretrained networks on the training photos, and recommend one.

    Raises:
        TsugikiError: When a request makes no sense, or not one network could be judged.
    """
    from tsugiki.inspection.rank.rank_settings import Clock

    settings = limits.settings(seed)
    clock = Clock(settings.budget)  # what is loaded now counts, too
    with starting():
        from tsugiki.data.load import load
        from tsugiki.inspection.rank.rank_backbones import rank as ranked
        from tsugiki.reporting.plots.figures import check_picture

    if plot is not None:
        check_picture(plot)
    _check_count(finetune_check)
    labels.reading()
    samples = load(data, seed=seed, **vars(labels))
    found = ranked(samples, backbones=backbone, settings=settings, zoo=zoo, device=device, clock=clock)
    seeded = [] if seed == DEFAULT_SEED else ["--seed", str(seed)]
    # Another device would compute other features than those that are stored.
    command = found.fit_command(data, *labels.words(), *seeded, *([] if device is None else ["--device", device]))
    _tell(found, plot, as_json=as_json)
    checked, refused = None, None
    if finetune_check:
        try:
            checked = found.fine_tune_check(finetune_check, device=device)
        except RequestError as error:  # what was ranked is told all the same
            refused = error
    if as_json:
        emit_json({**found.to_dict(), "fit": command, **({} if checked is None else {"finetune_check": checked.to_dict()})})
    else:
        _recommend(found, command, checked)
    if refused is not None:
        raise refused


def _check_count(finetune_check: int) -> None:
    """Refuse before anything is ranked what could not be compared afterwards."""
    if finetune_check == 1:
        raise RequestError(
            tr("An order can be checked with two networks or more."),
            allowed="--finetune-check 2",
            got="--finetune-check 1",
            cure=tr("let more networks be ranked, and check two or more"),
        )


def _tell(found: Ranking, plot: Path | None, *, as_json: bool) -> None:
    """The table, and the picture."""
    if not as_json:
        emit(aligned(found.table()))
    for sentence in found.told():
        say(sentence)
    if plot is not None:
        from tsugiki.reporting.plots.figures import save_picture
        from tsugiki.reporting.plots.front_plot import draw_front

        save_picture(draw_front(found), plot)
        say(tr("Written: {path}", path=plot))
        if undrawn := [row.name for row in found.rows if row.latency_ms is None]:
            say(tr("Not drawn, as there was no time to measure what a photo takes: {names}", names=first_few(undrawn)))


def _recommend(found: Ranking, command: str, checked: RankCheck | None) -> None:
    """What fine-tuning says of the order, the recommendation and the command that follows it."""
    if checked is not None:
        emit("\n" + aligned(checked.table_rows()) + "\n" + checked.sentence())
    emit("\n" + tr("Recommended: {name}", name=found.best) + "\n" + found.reason)
    for warning in found.warnings:
        say(warning)
    say(tr("next: {command}", command=command))
