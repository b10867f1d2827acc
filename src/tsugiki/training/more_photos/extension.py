"""A finished run learns more: new classes, or more photos of old ones, and nobody looks at the photos of before again.

The run knows every photo that it learned from and was judged by (``photos.csv``), and the feature store has their features. So
only what is new is decoded; the head is fitted anew on all of them, which takes seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tsugiki.classifier.classifier import Classifier
from tsugiki.core.arguments import argument
from tsugiki.core.console import say, telling_once
from tsugiki.core.errors import RequestError
from tsugiki.core.processes import one_first
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.data.label_sets import AS_WRITTEN, LabelReading
from tsugiki.data.load import describe_samples, list_photos
from tsugiki.data.merged_copies import listed_once
from tsugiki.data.photo_index import PhotoIndex
from tsugiki.data.samples import DEFAULT_HELD_OUT, Correction, Samples, require_share
from tsugiki.data.taxonomy import Taxonomy
from tsugiki.evaluation.label_issues import Decisions
from tsugiki.features.extract import FeatureSettings, extract
from tsugiki.heads.linear import HeadSettings
from tsugiki.locale.messages import tr
from tsugiki.training.fit import fit
from tsugiki.training.more_photos.decided_names import with_names_of
from tsugiki.training.more_photos.known_photos import PHOTOS, read_known_photos
from tsugiki.training.more_photos.near_copies import with_copies_on_one_side
from tsugiki.training.more_photos.new_photos import NewPhotos
from tsugiki.training.more_photos.still_there import require_known
from tsugiki.training.more_photos.then_and_now import extended_sentence, then_and_now
from tsugiki.training.run import Run


@telling_once()
def extend(
    run: str | Path,
    data: Any,
    *,
    settings: HeadSettings | None = None,
    features: FeatureSettings | None = None,
    held_out: float = DEFAULT_HELD_OUT,
) -> Run:
    """Train a classifier on the photos of a finished run and on new ones, of new classes or of old ones.

    The photos of the run need not be there any more, as long as this machine has their features.

    Args:
        run: The folder of a run whose head alone was trained.
        data: New photos, as :func:`tsugiki.load` takes them; those that the run knows already may be among them.
        settings: Of the head.
        features: How features are computed, but for the views, which are those of the run.
        held_out: The share of every class of the new photos to hold out, where they have no splits of their own.

    Returns:
        A run of its own. ``evaluation["extended"]`` tells how photos that the old classifier was judged on are answered now.

    Raises:
        RequestError: When the run cannot learn more, or nothing is new.
        DataError: When photos cannot be used, or features of old ones are gone and so are the photos.
    """
    settings, features = settings or HeadSettings(), features or FeatureSettings()
    if not isinstance(run, str | Path):
        raise RequestError(
            tr("{name} is something else than was expected.", name="run"), allowed="run='runs/food'", got=type(run).__name__
        )
    extension = Extension.of(Path(run))
    samples = extension.samples(data, seed=settings.seed, held_out=held_out, index=features.store)
    say(describe_samples(samples))
    return extension.fitted(extension.model(samples), samples, settings=settings, features=features)


@dataclass(frozen=True)
class Extension:
    """A finished run that is to learn more.

    Attributes:
        folder: Where it lies.
        before: Its classifier.
        known: Its photos, in their splits, labelled as they counted.
    """

    folder: Path
    before: Classifier
    known: Samples

    @classmethod
    def of(cls, folder: Path) -> Extension:
        """Read a run that can learn more.

        Raises:
            RequestError: When all its layers were trained, or it does not know its photos.
            ArtefactError: When it is no run, or damaged.
        """
        before = Classifier.load(folder)
        if before.notes.get("method") == "fine-tune":
            raise RequestError(
                tr("{folder} was fine-tuned: its whole network is about the classes that it has.", folder=folder),
                allowed=tr("a run whose head alone was trained"),
                cure=tr("fit the whole data set anew"),
            )
        if not (folder / PHOTOS).exists():
            raise RequestError(
                tr("{folder} does not say which photos it knows: it is no run, or of an older program.", folder=folder),
                allowed=tr("a run with a file {name}", name=PHOTOS),
                cure=tr("fit the whole data set anew"),
            )
        several = before.task == "multi"
        known = read_known_photos(folder / PHOTOS, before.classes, several=several)
        separator = before.notes.get("label_separator")
        decided = before.notes.get("seen", {}).get("decided", [])
        corrections = tuple(Correction(digest, label, now) for digest, label, now in decided)
        return cls(folder, before, replace(known, corrections=corrections, separator=separator))

    # Its photos, and new ones.

    def samples(
        self,
        data: Any,
        *,
        seed: int = DEFAULT_SEED,
        held_out: float = DEFAULT_HELD_OUT,
        index: PhotoIndex | None = None,
        reading: LabelReading = AS_WRITTEN,
    ) -> Samples:
        """The photos of the run where they were, and the new ones of ``data``.

        A photo that both have stays in its split and, where ``data`` gives it another label than before, has that one now.
        With several labels, a column of 1 and 0 gives labels and takes them away; other names of labels only give.

        Args:
            data: What :func:`tsugiki.load` takes, but for ``Samples``; one class will do.
            seed: Of the draw that holds new photos out.
            held_out: The share of them.
            index: Where it is kept what files hold.
            reading: How labels are to be read.

        Raises:
            RequestError: When nothing is new, labels are of the other kind, or ``held_out`` is no share.
            DataError: When nothing can be learned from what is new.
        """
        require_share(held_out)
        if self.known.targets is not None:
            separator = reading.separator or self.known.separator
            reading = LabelReading(multi_label=True, separator=separator, is_of_run=not reading.several)
        elif reading.several:
            raise self._one_label_each()
        listing = list_photos(data, reading)
        contents = (index or PhotoIndex()).contents(listing.paths)
        if listing.label_sets is not None:
            listing, contents = listed_once(listing, contents)
        if listing.task != self.before.task:
            raise self._one_label_each()
        return NewPhotos(self.folder.name, self.known, listing, contents).joined(seed=seed, held_out=held_out)

    def _one_label_each(self) -> RequestError:
        return RequestError(
            tr("{run} gives one label per photo, and these photos may have several.", run=self.folder),
            allowed=tr("photos with one label each"),
            cure=tr("fit the whole data set anew, with {argument}", argument=argument("multi_label", value=True)),
        )

    def decided(self, samples: Samples, decisions: Decisions) -> Decisions:
        """A person's decisions about photos of ``samples``, where they name photos of the run as these lay then, too."""
        return with_names_of(samples, decisions, self.known)

    # Training.

    def model(self, samples: Samples, taxonomy: Taxonomy | None = None) -> Classifier:
        """A classifier for the classes of ``samples`` on the network of the run, which is not changed.

        Args:
            samples: From :meth:`samples`.
            taxonomy: What the classes are kinds of; that of the run, where nobody says, in which new classes are no kind.
        """
        before = self.before
        model = Classifier(before.backbone, classes=samples.classes, preprocess=before.preprocess, task=samples.task)
        if taxonomy is not None:
            model.taxonomy = taxonomy
        elif before.taxonomy is not None:
            gone = {*before.classes} - {*samples.classes}
            above = {name: parent for name, parent in before.taxonomy.parents.items() if name not in gone}
            parents = {**dict.fromkeys(samples.classes, ""), **above}
            model.taxonomy = Taxonomy(samples.classes, parents, before.taxonomy.sure)
        return model

    def fitted(self, model: Classifier, samples: Samples, *, settings: HeadSettings, features: FeatureSettings) -> Run:
        """Train ``model`` on ``samples``, and tell how photos of before are answered now.

        Args:
            model: From :meth:`model`.
            samples: From :meth:`samples`.
            settings: Of the head; where nobody says otherwise, its classes count, and its thresholds are chosen, as in the run.
            features: How features are computed; views are those of the run.

        Raises:
            RequestError: When other views are asked for.
            DataError: When features of old photos are gone, and so are the photos.
        """
        notes = self.before.notes
        views = int(notes.get("views", 0))
        if features.views not in {0, views}:
            raise RequestError(
                tr("A run that learns more looks at photos as before: {views} augmented views.", views=views),
                got=argument("views", features.views),
                cure=tr("leave it out"),
            )
        features = replace(features, views=views)
        if notes.get("head", {}).get("class_weights"):
            settings = replace(settings, class_weights=True)
        if settings.threshold == HeadSettings.threshold:
            settings = replace(settings, threshold=notes.get("thresholds", {}).get("goal", settings.threshold))
        known = frozenset(self.known.digests)
        require_known(self.folder, samples, known, model, features)
        with one_first(model.device):
            samples, computed = _settled(model, samples, known, features)
        run = fit(model, samples, settings=settings, features=features)
        run = replace(run, table=replace(run.table, computed=run.table.computed + computed))
        fresh = [name for name in model.classes if name not in self.before.classes]
        model.notes = {**model.notes, "extends": {"classes": list(self.before.classes), "new_classes": fresh}}
        told = then_and_now(self.before.answer_head, self.known, run)
        if told is None:
            return run
        say(extended_sentence(told))
        return replace(run, evaluation={**run.evaluation, "extended": told})


def _settled(model: Classifier, samples: Samples, known: frozenset[str], features: FeatureSettings) -> tuple[Samples, int]:
    """The samples with new near copies on the side of what they are copies of, and how many photos were decoded for that."""
    # A draw that is made again, where photos cannot be read, would move photos of the run to the other side.
    photos = replace(samples, draw=None)
    table = extract(photos, model.backbone, preprocess=model.preprocess, settings=replace(features, views=0))
    near = [(pair.first, pair.second) for pair in table.duplicates or ()]
    found = with_copies_on_one_side(table.samples, near, known=known, draw=samples.draw)
    for sentence in found.decisions[len(table.samples.decisions) :]:
        say(f"- {sentence}")
    return found, table.computed
