"""Who learns while a person labels: one thread that always works for the newest decisions and gives up what is overtaken.

In this order: look at labelled photos, bring the heads up to date, fit them anew once nothing has changed for a moment, look at
the photos that have no class and propose one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tsugiki.core.console import working
from tsugiki.core.errors import TsugikiError
from tsugiki.core.events import Event, Message, ProgressAdvanced, ProgressEnded, ProgressStarted, subscribe
from tsugiki.locale.messages import said_again, tr
from tsugiki.serving.studio.background_work import Patience
from tsugiki.serving.studio.label_store import OUT, LabelStore
from tsugiki.serving.studio.photo_set import PhotoSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tsugiki.backbones.backbone import Backbone
    from tsugiki.serving.studio.learning import CurvePoint, Labels, Learned, Proposals
    from tsugiki.serving.studio.photo_features import PhotoFeatures

_CALM = 0.6  # seconds without a change, after which the heads are fitted anew
_AT_ONCE = 256  # photos that are looked at before decisions are asked for again
_MANY = 5_000  # photos, of which proposals wait until the heads are fitted anew
_TELL_EVERY = 0.15  # seconds between two words about progress


@dataclass(frozen=True)
class Network:
    """A pretrained network that looks at the photos.

    Attributes:
        load: Gives it.
        words: What names it on the command line; where ``--backbone`` is not among them, it is the name of what was loaded.
    """

    load: Callable[[], Backbone]
    words: tuple[str, ...] = ()


class Overtaken(Exception):
    """What is being done is not wanted any more."""


class Learner:
    """Learns in a thread of its own.

    Args:
        photos: Of the studio.
        labels: What is decided about them.
        network: Looks at them; it is loaded in the thread, once.
        ring: Called when there is something new to tell, from the thread.

    Attributes:
        learned: The newest result, or ``None``.
        proposals: What is said about photos without a class.
        backbone_lock: Held by whoever uses the backbone: one at a time.
    """

    def __init__(self, photos: PhotoSet, labels: LabelStore, network: Network, ring: Callable[[], None]) -> None:
        self._photos, self._labels, self._network, self._ring = photos, labels, network, ring
        self._next_network: Network | None = None
        self.learned: Learned | None = None
        self.proposals: Proposals | None = None
        self.features: PhotoFeatures | None = None
        self.wanted = False
        self.backbone_lock = threading.RLock()
        self._curve: list[CurvePoint] = []
        self._problem: TsugikiError | None = None
        self._lacking = ""
        self._label = ""
        self._patience: Patience | None = None
        self._all: Patience | None = None  # of all photos that are looked at, part by part
        self._told_at, self._changed_at = 0.0, 0.0
        self._proposed = -1
        self._version = 0
        self._some = threading.Condition()
        self._closed, self._changes = False, 0
        self._thread = threading.Thread(target=self._work, name="learner", daemon=True)
        self._thread.start()

    def want(self, *, wanted: bool) -> None:
        """Learn from now on, after every label; or pause."""
        with self._some:
            self.wanted, self._problem = wanted, None
        self.changed()

    def use(self, network: Network) -> None:
        """Look at the photos with another network from now on."""
        with self._some:
            self._next_network = network
        self.changed()

    @property
    def words(self) -> tuple[str, ...]:
        """What names the network in use on the command line."""
        words, features = self._network.words, self.features
        if "--backbone" in words or features is None:
            return words
        spec = features.backbone.spec
        return ("--backbone", spec.name if spec.source == "zoo" else str(spec), *words)

    def changed(self) -> None:
        """Something was decided."""
        with self._some:
            self._changes += 1
            self._changed_at = time.monotonic()
            self._some.notify_all()

    def close(self) -> None:
        """End, soon."""
        with self._some:
            self._closed = True
            self._some.notify_all()
        self._thread.join(timeout=10)

    def told(self) -> dict[str, Any]:
        """What the page shows, plain values, in the language in use."""
        learned, patience, features = self.learned, self._patience, self.features
        unreadable = 0 if features is None else len(features.problems)
        document: dict[str, Any] = {
            "wanted": self.wanted,
            "network": "" if features is None else str(features.backbone.spec),
            "lacking": said_again(self._lacking),
            "passed_over": tr("Photos that cannot be read are passed over: {count}.", count=unreadable) if unreadable else "",
            "label": said_again(self._label),
            "done": 0 if patience is None else patience.done,
            "total": None if patience is None else patience.total,
            "seconds_left": None if patience is None else patience.seconds_left(),
            "problem": "" if self._problem is None else said_again(self._problem.what),
            "proposals": self._version,
            "learned": -1 if learned is None else learned.labels.revision,
            "behind": learned is not None and learned.labels.revision != self._labels.revision,
            "curve": [asdict(point) for point in self._curve],
        }
        return document | ({} if learned is None else learned.told())

    def proposed(self) -> dict[str, Any]:
        """What is said about photos that have no class: numbers of classes, thousandths, and whether it is sure.

        Of several labels: ``chances``, for each photo the number and the probability of each.
        """
        proposals, place = self.proposals, {name: at for at, name in enumerate(self._labels.classes)}
        if proposals is None:
            return {"version": self._version, "rows": [], "labels": [], "probabilities": [], "known": [], "next": []}
        chances = proposals.chances
        if chances is not None:
            named = [[[place[name], round(share, 4)] for name, share in one if name in place] for one in chances]
        return {
            **({} if chances is None else {"chances": named}),
            "version": self._version,
            "rows": proposals.rows,
            "labels": [place.get(name, -1) for name in proposals.names],
            "probabilities": proposals.probabilities.round(4).tolist(),
            "known": proposals.known.tolist(),
            "next": proposals.next,
        }

    def _work(self) -> None:
        while not self._closed:
            seen = self._changes
            try:
                with subscribe(self._hear):
                    busy = self._step()
            except Overtaken:
                busy = True
            except TsugikiError as error:
                self._fail(error)
                busy = False
            except Exception as fault:  # noqa: BLE001 (the studio stays open, and says what happened)
                self._fail(TsugikiError(tr("Learning failed: {reason}", reason=f"{type(fault).__name__} {fault}"[:300])))
                busy = False
            self._label, self._patience = "", None
            with self._some:
                if not busy and not self._closed and self._changes == seen:
                    self._ring()
                    self._some.wait()

    def _fail(self, error: TsugikiError) -> None:
        self._problem, self.wanted = error, False
        self._ring()

    def _step(self) -> bool:
        """Do the next thing that is to be done; whether there may be more."""
        self._change_network()
        features = self._ready()
        if not self.wanted:
            return False
        from tsugiki.serving.studio.learning import Labels

        store = self._labels
        labels = Labels.of(store.revision, [*store.decided], self._photos.splits, store.classes, several=store.several)
        if missing := features.missing(labels.rows):
            self._look(features, missing)
            return True
        labels = labels.among(features.known(labels.rows))
        self._lacking = _lacking(labels)
        if self._lacking:
            self.learned, self.proposals, self._version = None, None, self._version + 1
            return False
        if self.learned is None or self.learned.labels.revision != labels.revision:
            self._learn(features, labels, self.learned)
            return True
        if self.learned.quick:
            return self._learn_when_calm(features, labels)
        return self._propose_for_more(features)

    def _change_network(self) -> None:
        """Forget what the network before has said, if there is another one by now."""
        with self._some:
            network, self._next_network = self._next_network, None
        if network is None:
            return
        with self.backbone_lock:  # nobody writes or tries with the one before
            self._network, self.features, self.learned, self.proposals = network, None, None, None
        self._curve, self._all, self._proposed, self._version = [], None, -1, self._version + 1
        self._ring()

    def _ready(self) -> PhotoFeatures:
        if self.features is None:
            with working(tr("Loading the backbone")):
                from tsugiki.serving.studio.photo_features import PhotoFeatures

                with self.backbone_lock:
                    self.features = PhotoFeatures(self._photos, self._network.load())
        return self.features

    def _look(self, features: PhotoFeatures, rows: list[int]) -> None:
        """Look at the first of the photos; how long all of them take is told."""
        if self._all is None or self._all.done >= (self._all.total or 0):
            self._all = Patience(len(rows))
        with self.backbone_lock:
            features.look(rows[:_AT_ONCE])

    def _learn(self, features: PhotoFeatures, labels: Labels, before: Learned | None) -> None:
        from tsugiki.serving.studio.learning import learn, with_point

        with self._unless_overtaken():
            learned = learn(features, labels, before)
        self.learned = learned
        if not learned.quick:
            self._curve = with_point(self._curve, learned.told())
        self._ring()
        if not learned.quick or len(self._photos) < _MANY:
            self._propose(features, in_order=not learned.quick)

    def _learn_when_calm(self, features: PhotoFeatures, labels: Labels) -> bool:
        with self._some:
            left = self._changed_at + _CALM - time.monotonic()
            if left > 0:
                self._some.wait(left)
                return True
        self._learn(features, labels, None)
        return True

    def _propose_for_more(self, features: PhotoFeatures) -> bool:
        missing = features.missing([*self._open_rows(), *self._held_out()])
        if missing:
            with self._unless_overtaken():
                self._look(features, missing)
        elif self._proposed == self._labels.revision:
            return False
        self._propose(features, in_order=len(missing) <= _AT_ONCE)
        return True

    def _propose(self, features: PhotoFeatures, *, in_order: bool) -> None:
        from tsugiki.serving.studio.learning import propose

        if self.learned is None:
            return
        rows = self._open_rows()
        revision = self._labels.revision
        self.proposals = propose(self.learned, features, features.known(rows), in_order=in_order)
        self._version += 1
        self._proposed = revision if in_order and not features.missing(rows) else -1
        self._ring()

    def _open_rows(self) -> list[int]:
        return [row for row, (label, mark) in enumerate([*self._labels.decided]) if not label and mark != OUT]

    def _held_out(self) -> list[int]:
        """Photos that the folder holds out: they are only compared with the others, as copies of them would be leaks."""
        learned = self.learned
        return [] if learned is None else [*learned.labels.held_out]

    @contextmanager
    def _unless_overtaken(self) -> Iterator[None]:
        """Within this block, work that tells how it goes ends when something else has been decided."""
        begun = self._changes

        def listen(event: Event) -> None:
            if isinstance(event, ProgressAdvanced) and (self._changes != begun or self._closed):
                raise Overtaken

        with subscribe(listen):
            yield

    def _hear(self, event: Event) -> None:
        if isinstance(event, ProgressEnded | Message):
            return
        if self._closed:
            raise Overtaken
        if isinstance(event, ProgressStarted):
            looks = getattr(event.label, "template", "") == "Looking at photos"
            self._label, self._patience = event.label, self._all if looks else Patience(event.total)
        elif self._patience is not None:
            self._patience.done += event.steps
        if time.monotonic() - self._told_at > _TELL_EVERY:
            self._told_at = time.monotonic()
            self._ring()


def _lacking(labels: Labels) -> str:
    """What has to be there before something can be learned; empty where nothing lacks."""
    if len(labels.classes) < 2:
        return tr("Give photos of two classes or more their class: then there is something to learn.")
    return ""
