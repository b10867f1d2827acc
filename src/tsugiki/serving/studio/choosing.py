"""Which pretrained network looks at the photos: those on this machine are compared, and a person takes one.

Compared by cross-validation on the training photos of the run that leaves, as ``tsugiki rank`` does; judgements and features
are kept, so what was stopped goes on where it was, and a network that is taken has already looked at those photos.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsugiki.core.errors import UnknownName
from tsugiki.locale.messages import said_again, tr
from tsugiki.serving.limits import Refusal
from tsugiki.serving.studio.background_work import BackgroundWork
from tsugiki.serving.studio.learner import Learner, Network

if TYPE_CHECKING:
    from tsugiki.data.samples import Samples
    from tsugiki.inspection.rank.ranked_network import RankedNetwork
    from tsugiki.inspection.rank.ranking import Ranking


class NetworkChoice:
    """Compares networks in a thread of its own.

    Args:
        learner: Who uses the one that is taken.
        samples: Gives the photos as they are decided by now.
        named: Networks to compare besides those on this machine: ``NAME`` or ``NAME=WEIGHTS``.
        zoo: A zoo file whose networks are among them.
        ring: Called when there is something new to tell.
    """

    def __init__(
        self,
        learner: Learner,
        samples: Callable[[], Samples],
        ring: Callable[[], None],
        *,
        named: Sequence[str] = (),
        zoo: Path | None = None,
    ) -> None:
        self._learner, self._samples, self._named, self._zoo = learner, samples, named, zoo
        self._work = BackgroundWork(ring)
        self._found: Ranking | None = None

    def start(self, seconds: float | None) -> None:
        """Compare them, in so many seconds at most; without a number as long as it takes.

        Raises:
            Refusal: When that is being done already, or there is nothing to judge by.
        """
        if not self._work.begin(lambda: self._compare(seconds), tr("The networks could not be compared.")):
            raise Refusal(409, tr("Networks are being compared already."), cure=tr("wait until it is done, or stop it"))

    def stop(self) -> None:
        """End it; what was judged is kept for the next time."""
        self._work.stop()

    def close(self) -> None:
        """End it, soon."""
        self._work.stop()
        self._work.join(10)

    def take(self, name: str) -> None:
        """Use the network called ``name`` from now on.

        Raises:
            UnknownName: When no such network was compared.
        """
        found = self._found
        rows = {} if found is None else {row.name: row for row in found.rows}
        if found is None or name not in rows:
            raise UnknownName(tr("No network of this name was compared."), name=name[:200], known=[*rows])
        row, seed = rows[name], found.seed
        self._learner.use(Network(lambda: row.load(seed=seed), row.words))

    def told(self) -> dict[str, Any]:
        """What the page shows, plain values, in the language in use."""
        found, told = self._found, self._work.told()
        said = [self._brief(line) for line in told["said"]]
        return {
            **told,
            "label": self._brief(told["label"]),
            "said": said,
            "found": None if found is None else self._found_told(found),
        }

    def _found_told(self, found: Ranking) -> dict[str, Any]:
        titles, *cells = found.table()
        in_use = self._learner.words

        def row(network: RankedNetwork, texts: Sequence[str]) -> dict[str, Any]:
            return {
                "name": network.name,
                "cells": [self._brief(text) for text in texts],
                "best": network.name == found.best,
                "used": network.words == in_use,
            }

        rows = [row(*pair) for pair in zip(found.rows, cells, strict=True)]
        # One that was given arguments (--model-arg) has no name by which it could be ranked.
        missing = [] if any(one["used"] for one in rows) else [tr("The network in use is not among those that were compared.")]
        return {
            "titles": list(titles),
            "rows": rows,
            "best": found.best,
            "reason": self._brief(said_again(found.reason)),
            "notes": [*missing, *(self._brief(said_again(line)) for line in (*found.warnings, *found.told()))],
        }

    def _compare(self, seconds: float | None) -> None:
        from tsugiki.inspection.rank.candidates import candidates
        from tsugiki.inspection.rank.rank_backbones import rank
        from tsugiki.inspection.rank.rank_settings import RankSettings

        self._found = None
        names = dict.fromkeys([*map(str, candidates(None, self._zoo)), *self._named])
        self._found = rank(self._samples(), backbones=names, settings=RankSettings(budget=seconds), zoo=self._zoo)

    def _brief(self, text: str) -> str:
        """Files of weights by their own names: those of their folders make sentences long."""
        for name in self._named:
            weights = name.partition("=")[2]
            text = text.replace(f"={weights}", f"={Path(weights).name}") if weights else text
        return text
