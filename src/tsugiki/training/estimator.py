"""Transfer learning as scikit-learn knows it: estimators on photos, for pipelines, cross-validation and searches.

Every photo is looked at once and exactly, as predictions are, whether it is learned from or answered: in cross-validation each
is both, and its features are in the store from the first time on.

Letters: ``N`` photos, ``D`` feature width, ``K`` classes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.classifier.classifier import DEFAULT_BACKBONE, Classifier
from tsugiki.core.console import quiet
from tsugiki.core.errors import DataError, RequestError
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.data.images.picture_files import as_files
from tsugiki.data.label_sets import ABSENT, NOT_KNOWN, PRESENT, combinations
from tsugiki.data.preprocess import Preprocess
from tsugiki.data.samples import Samples
from tsugiki.data.sources.listing import Listing
from tsugiki.data.sources.lists import names_of
from tsugiki.evaluation.multi_label.set_metrics import shown_cells
from tsugiki.evaluation.multi_label.thresholds import ThresholdGoal
from tsugiki.features.extract import FeatureSettings, extract
from tsugiki.features.store import FeatureStore
from tsugiki.features.table import FeatureTable
from tsugiki.heads.linear import HeadSettings, fit_head
from tsugiki.inspection.backbone_photos import say_learned
from tsugiki.locale.messages import first_few, tr
from tsugiki.training.estimator_labels import PhotoError, SeveralLabels
from tsugiki.training.fit import notes_on, take_head
from tsugiki.training.judge import calibrate

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
    from sklearn.utils import Tags, check_random_state, column_or_1d
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted
except ImportError as missing:
    raise RequestError(
        tr("The estimators need scikit-learn, which is not installed."), cure="pip install 'tsugiki[sklearn]'"
    ) from missing

Floats = npt.NDArray[np.float32]


class _OnPhotos(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both estimators share: a backbone, a store, and photos of any kind."""

    backbone: str | Backbone
    weights: str | Path
    model_args: Mapping[str, Any] | None
    store: str | Path | None

    def _load(self) -> Backbone:
        if isinstance(self.backbone, Backbone):
            return self.backbone
        return load_backbone(self.backbone, weights=self.weights, model_args=self.model_args)

    def _table(
        self,
        photos: Sequence[Any],
        backbone: Backbone,
        preprocess: Preprocess,
        *,
        labels: Sequence[str] = (),
        several: SeveralLabels | None = None,
        groups: Any = None,
    ) -> FeatureTable:
        """Features of all photos, in their order; of training photos where there are labels, one or ``several`` per photo.

        Raises:
            DataError: When one of them cannot be read.
        """
        store = FeatureStore(None if self.store is None else Path(self.store))
        with quiet(), as_files(photos) as paths:
            contents = store.contents(paths)
            _refuse_unreadable([f"{path}: {one.reason}" for path, one in zip(paths, contents, strict=True) if one.reason])
            listing = Listing(
                root=Path(),
                names=tuple(path.absolute().as_posix() for path in paths),
                labels=tuple(labels) or ("",) * len(paths),
                splits=("train" if labels or several else "test",) * len(paths),
                groups=None if groups is None else tuple(names_of("groups", groups, len(paths))),
            )
            samples = Samples.from_listing(listing, contents, held_out=0) if labels else Samples.unlabelled(listing, contents)
            if several is not None:
                # Photo by photo: of one that is named twice, both rows count.
                classes, numbers = tuple(str(name) for name in several.classes), combinations(several.targets)
                samples = replace(samples, classes=classes, targets=several.targets, labels=numbers)
            table = extract(samples, backbone, preprocess=preprocess, settings=FeatureSettings(store=store, exact=True))
        _refuse_unreadable([f"{entry.name}: {entry.reason}" for entry in table.samples.left_out])
        return table

    def _pictures(self, photos: Any) -> list[Any]:
        """Photos one by one; a table of one column is that column, as pipelines hand it on.

        Raises:
            PhotoError: When these are no photos.
        """
        if isinstance(photos, str | bytes | os.PathLike) or not hasattr(photos, "__len__"):
            raise _no_photos(type(photos).__name__)
        if hasattr(photos, "to_numpy"):  # pandas and its kin
            photos = photos.to_numpy()
        if isinstance(photos, np.ndarray):
            if photos.ndim == 2 and photos.shape[1] == 1:
                photos = photos[:, 0]
            if photos.ndim not in ({1} if photos.dtype.kind in "OUST" else {4}):
                raise _no_photos(f"{photos.dtype} {list(photos.shape)}")
        if not len(photos):
            raise _no_photos(tr("nothing"))
        return [str(photo) if isinstance(photo, np.str_) else photo for photo in photos]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string = False, True
        tags.no_validation = True  # photos are no table of numbers
        return tags


class FeatureExtractor(TransformerMixin, _OnPhotos):  # type: ignore[misc]
    """A pretrained network as a transformer: photos in, feature vectors out.

    Args:
        backbone: A name, or a loaded backbone.
        weights: ``default``, a named set of weights, a local file, or ``none``.
        model_args: Further arguments of the network's constructor.
        store: A folder that features are kept in; by default the program's cache.

    Attributes:
        backbone_: The network, once fitted.
    """

    def __init__(
        self,
        backbone: str | Backbone = DEFAULT_BACKBONE,
        *,
        weights: str | Path = "default",
        model_args: Mapping[str, Any] | None = None,
        store: str | Path | None = None,
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.model_args = model_args
        self.store = store

    def fit(self, X: Any = None, y: Any = None) -> FeatureExtractor:  # noqa: ARG002, N803 (scikit-learn's names)
        """Load the network; nothing is learned.

        Raises:
            RequestError: When the backbone has no such name.
            WeightsError: When the weights cannot be used.
        """
        self.backbone_ = self._load()
        return self

    def transform(self, X: Any) -> Floats:  # noqa: N803
        """Features ``[N, D]`` float32.

        Args:
            X: ``N`` paths, PIL pictures, or an array ``[N, H, W, 3]`` uint8.

        Raises:
            PhotoError: When these are no photos.
            DataError: When one of them cannot be read.
        """
        check_is_fitted(self)
        return self._table(self._pictures(X), self.backbone_, self.backbone_.preprocess).held_out

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:  # noqa: ARG002
        """Names ``[D]``: the backbone's, numbered."""
        check_is_fitted(self)
        name = self.backbone_.spec.architecture
        return np.array([f"{name}{number}" for number in range(self.backbone_.num_features)], dtype=object)


class TransferClassifier(ClassifierMixin, _OnPhotos):  # type: ignore[misc]
    """Transfer learning as a scikit-learn classifier: a frozen backbone, and a head with its penalty chosen and calibrated.

    Photos may have several labels each (multi-label): ``y`` is a table ``[N, K]`` of 1 and 0, or lists of names. Then every
    class has a probability and a threshold of its own, and ``predict`` gives back what ``y`` was: a table, as scikit-learn's
    ``OneVsRestClassifier`` does, or lists. ``score`` is the share of photos that are answered exactly right, scikit-learn's
    convention; ``scoring="average_precision"`` has the mean average precision, which depends on no threshold.

    Args:
        backbone: A name, or a loaded backbone.
        weights: ``default``, a named set of weights, a local file, or ``none``.
        model_args: Further arguments of the network's constructor.
        class_weight: ``"balanced"`` lets rare classes count as much as frequent ones.
        epochs: As in :class:`tsugiki.HeadSettings`.
        lr: Likewise.
        random_state: Of folds and order; an integer, a ``RandomState``, or ``None`` for another one each time.
        store: A folder that features are kept in; by default the program's cache.
        threshold: Multi-label: as in :class:`tsugiki.HeadSettings`.

    Attributes:
        classes_: ``[K]`` the labels as they were given, sorted; of a table its columns, by number, or by name where they have
            names.
        multilabel_: Whether photos have several labels.
        classifier_: The :class:`tsugiki.Classifier`, to save, to export, to ask. Of a table it has the classes that some photo
            shows.
        out_of_fold_: ``[N, K]`` logits of the training photos by heads that have not learned from them, or ``None``.
    """

    def __init__(
        self,
        backbone: str | Backbone = DEFAULT_BACKBONE,
        *,
        weights: str | Path = "default",
        model_args: Mapping[str, Any] | None = None,
        class_weight: Literal["balanced"] | None = None,
        epochs: int | None = None,
        lr: float = HeadSettings.lr,
        random_state: Any = DEFAULT_SEED,
        store: str | Path | None = None,
        threshold: str = "f1",
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.model_args = model_args
        self.threshold = threshold
        self.class_weight = class_weight
        self.epochs = epochs
        self.lr = lr
        self.random_state = random_state
        self.store = store

    def fit(self, X: Any, y: Any, groups: Any = None) -> TransferClassifier:  # noqa: N803
        """Learn a head.

        Args:
            X: ``N`` paths, PIL pictures, or an array ``[N, H, W, 3]`` uint8.
            y: ``N`` labels; or a table ``[N, K]`` of 1 and 0 (NaN or -1 where nobody knows whether the photo shows the class),
                or ``N`` lists of names.
            groups: ``N`` names of subjects: photos of one are never separated where the penalty is chosen.

        Raises:
            PhotoError: When photos and labels do not fit, or there are fewer than two classes.
            DataError: When a photo cannot be read.
            RequestError: When a setting is impossible, or the groups do not fit the photos.
        """
        settings = self._settings()
        several = SeveralLabels.read(y)
        self.multilabel_ = several is not None
        if several is not None:
            return self._fit_several(X, several, settings, groups)
        self.classes_, labels = np.unique(_checked_labels(y), return_inverse=True)
        photos = self._pictures(X)
        _require_fitting(photos, labels)
        if len(self.classes_) < 2:
            raise PhotoError(tr("There is only one class."), got=first_few([str(one) for one in self.classes_]))
        backbone = self._load()
        model = Classifier(backbone, classes=[str(one) for one in self.classes_])
        # By number, whatever the names look like: numbers sort as the classes do.
        numbers = [str(label) for label in labels]
        table = self._table(photos, backbone, model.preprocess, labels=numbers, groups=groups)
        self.out_of_fold_ = self._learn(model, table, settings)
        return self

    def _fit_several(self, X: Any, several: SeveralLabels, settings: HeadSettings, groups: Any) -> TransferClassifier:  # noqa: N803
        """A head for each class that some photo shows; the others get the share of photos that so many without one allow."""
        photos = self._pictures(X)
        _require_fitting(photos, several.targets)
        self.classes_, self._listed = several.classes, several.listed
        seen, shown = ((several.targets >= least).sum(axis=0) for least in (ABSENT, PRESENT))
        self._learned, self._shares = np.flatnonzero(shown), (shown + 0.5) / (seen + 1)
        learned = replace(several, classes=self.classes_[self._learned], targets=several.targets[:, self._learned])
        if len(self._learned) < 2:
            raise PhotoError(
                tr("Fewer than two classes are shown by a photo."), got=first_few([str(one) for one in learned.classes])
            )
        backbone = self._load()
        model = Classifier(backbone, classes=[str(one) for one in learned.classes], task="multi")
        table = self._table(photos, backbone, model.preprocess, several=learned, groups=groups)
        logits = self._learn(model, table, settings)
        self.out_of_fold_ = None if logits is None else self._of_all_classes(logits, log_odds(self._shares))
        return self

    def _learn(self, model: Classifier, table: FeatureTable, settings: HeadSettings) -> Floats | None:
        """Train the classifier inside; returns its out-of-fold logits."""
        say_learned(model.backbone, table.samples)
        with quiet():
            head = fit_head(table, len(model.classes), settings)
        logits = take_head(model, head, table)
        model.notes = notes_on(table, head, FeatureSettings(), model.backbone)
        calibrate(model, table, logits, goal=ThresholdGoal.read(settings.threshold))
        self.classifier_ = model
        return logits

    def predict(self, X: Any) -> Any:  # noqa: N803
        """``[N]`` the most probable class of each photo.

        Multi-label: ``[N, K]`` of 1 and 0; or, where ``y`` was lists, ``N`` lists of the labels in the order of ``classes_``.

        Raises:
            PhotoError: When these are no photos.
            DataError: When one of them cannot be read.
        """
        if getattr(self, "multilabel_", False):
            shown = self._shown(X)
            if not self._listed:
                return shown.astype(np.int64)
            return [self.classes_[row].tolist() for row in shown]
        best = self._logits(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def predict_proba(self, X: Any) -> Floats:  # noqa: N803
        """``[N, K]`` calibrated probabilities; multi-label: of each class on its own.

        Raises:
            PhotoError: When these are no photos.
            DataError: When one of them cannot be read.
        """
        features = self._features(X)
        probabilities = self.classifier_.answer_head.probabilities(features)
        return self._of_all_classes(probabilities, self._shares) if self.multilabel_ else probabilities

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:  # noqa: N803
        """Logits ``[N, K]``; of two classes ``[N]``, positive for the second one.

        Multi-label: how far the calibrated log-odds of each class are above those of its threshold.

        Raises:
            PhotoError: When these are no photos.
            DataError: When one of them cannot be read.
        """
        if getattr(self, "multilabel_", False):
            sets, logits = self.classifier_.answer_head.multi_label, self._logits(X)
            assert sets is not None  # noqa: S101 (its task is to give several labels)
            above = logits * sets.slope + sets.offset - log_odds(sets.thresholds)
            found: npt.NDArray[np.float64] = self._of_all_classes(above, log_odds(self._shares) - log_odds(np.ones(1)))
            return found
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:  # noqa: N803
        """The share of photos that are answered right; multi-label: exactly right, of those of which every label is known.

        Raises:
            PhotoError: When these are no photos, or the labels are of other classes.
            DataError: When one of them cannot be read, or there is nothing to judge.
        """
        check_is_fitted(self)
        if not self.multilabel_:
            return float(super().score(X, y, sample_weight))
        given = SeveralLabels.read(y, known=self.classes_ if self._listed else None)
        if given is None or given.targets.shape[1] != len(self.classes_) or given.listed != self._listed:
            what = tr("These labels are not of the kind that the estimator was fitted with.")
            raise PhotoError(what, allowed=tr("lists of names") if self._listed else f"[N, {len(self.classes_)}]")
        known = (given.targets != NOT_KNOWN).all(axis=1)
        if not known.any():
            raise DataError(tr("Of not one photo every label is known: nothing could be judged."))
        right = (self._shown(X) == (given.targets == PRESENT)).all(axis=1)
        if given.listed:  # a label that was never learned is never answered
            right &= np.array([len({*row}) for row in y]) == (given.targets == PRESENT).sum(axis=1)
        weights = None if sample_weight is None else np.asarray(sample_weight, np.float64)[known]
        return float(np.average(right[known], weights=weights))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _shown(self, photos: Any) -> npt.NDArray[np.bool_]:
        """``[N, K]`` which classes are answered."""
        head = self.classifier_.answer_head
        assert head.multi_label is not None  # noqa: S101 (its task is to give several labels)
        shown = shown_cells(head.probabilities(self._features(photos)), head.multi_label.thresholds)
        return np.asarray(self._of_all_classes(shown, np.zeros(len(self.classes_))), np.bool_)

    def _of_all_classes(self, learned: npt.NDArray[Any], others: npt.NDArray[Any]) -> Any:
        """``[N, K]`` of the columns of the classes that were learned, and of one value for each other class."""
        found = np.tile(np.asarray(others, learned.dtype), (len(learned), 1))
        found[:, self._learned] = learned
        return found

    def _logits(self, photos: Any) -> npt.NDArray[np.float64]:
        features = self._features(photos)
        return self.classifier_.answer_head.logits(features)

    def _features(self, photos: Any) -> Floats:
        check_is_fitted(self)
        return self._table(self._pictures(photos), self.classifier_.backbone, self.classifier_.preprocess).held_out

    def _settings(self) -> HeadSettings:
        if self.class_weight is not None and self.class_weight != "balanced":
            raise PhotoError(tr("There is no such class_weight."), allowed="None, balanced", got=repr(self.class_weight))
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(2**31)
        return HeadSettings(
            self.epochs, lr=self.lr, seed=int(seed), class_weights=self.class_weight == "balanced", threshold=self.threshold
        )


def log_odds(probabilities: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Finite ones of probabilities ``[K]`` or ``[N, K]``, of 0 and 1, too."""
    chance = np.clip(probabilities.astype(np.float64), 1e-12, 1 - 1e-12)
    return np.asarray(np.log(chance / (1 - chance)), np.float64)


def _require_fitting(photos: Sequence[Any], labels: Sequence[Any] | npt.NDArray[Any]) -> None:
    if len(labels) != len(photos):
        raise PhotoError(tr("The lists do not fit together."), allowed=f"y: {len(photos)}", got=f"y: {len(labels)}")


def _checked_labels(labels: Any) -> npt.NDArray[Any]:
    """Labels ``[N]``, each of them one.

    Raises:
        PhotoError: When some are missing.
        ValueError: When they are of several columns, or no classes but measurements.
    """
    column: npt.NDArray[Any] = column_or_1d(labels, warn=True)
    # None, NaN (which differs from itself) and, among numbers, the infinite ones.
    missing = sum(value is None or value != value or value in {np.inf, -np.inf} for value in column.tolist())  # noqa: PLR0124
    if missing:
        raise PhotoError(tr("Photos without a label: {count}.", count=missing), cure=tr("label them, or leave them out"))
    check_classification_targets(column)
    return column


def _no_photos(got: str) -> PhotoError:
    return PhotoError(
        tr("These are no photos."), allowed=tr("a list of paths or of PIL images, or an array [N, H, W, 3] of uint8"), got=got
    )


def _refuse_unreadable(problems: Sequence[str]) -> None:
    """An estimator answers photo by photo, in order: it cannot leave one out.

    Raises:
        DataError: When there are problems.
    """
    if problems:
        raise DataError(
            tr("Photos cannot be read: {count}.", count=len(problems)),
            got=first_few(problems),
            cure=tr("take them out of the list, or repair them"),
        )
