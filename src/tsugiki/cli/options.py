"""The options that verbs share: each one is written down once, and those that belong together are a group.

A verb takes a group as one parameter; :func:`spread` gives typer the group's options instead. What belongs to an option stands
inside its annotation, which is read when the command line is: by then the language is known.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_type_hints

import typer

from tsugiki.cli.usage import EXPERT, FINE_TUNING
from tsugiki.cli.values import AUGMENTATION, model_arg_words, parse_model_args, parse_settings, parse_time
from tsugiki.cli.waiting import told_what_is_kept
from tsugiki.core.errors import RequestError
from tsugiki.core.files import real_path
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.backbones.backbone import Backbone
    from tsugiki.data.label_sets import LabelReading
    from tsugiki.data.taxonomy import Taxonomy
    from tsugiki.features.extract import FeatureSettings
    from tsugiki.heads.linear import HeadSettings
    from tsugiki.training.fit import FineTuning

Method = Literal["transfer", "fine-tune", "auto"]
Engine = Literal["auto", "openvino", "torch"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]


def _any_of(choices: Any) -> str:
    return "|".join(get_args(choices))


def spread(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb as typer takes it: the options of its groups stand in the groups' places, which are put together at the call."""
    hints = get_type_hints(verb, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    single = inspect.Parameter.KEYWORD_ONLY
    flat = []
    for name, parameter in inspect.signature(verb).parameters.items():
        if name not in groups:
            flat.append(parameter.replace(kind=single, annotation=hints[name]))
            continue
        inner = get_type_hints(groups[name], include_extras=True)
        for each in fields(groups[name]):
            default = inspect.Parameter.empty if each.default is MISSING else each.default
            flat.append(inspect.Parameter(each.name, single, default=default, annotation=inner[each.name]))

    def call(**values: Any) -> None:
        made = {name: kind(**{each.name: values.pop(each.name) for each in fields(kind)}) for name, kind in groups.items()}
        with told_what_is_kept(verb.__name__):
            verb(**values, **made)

    vars(call)["__signature__"] = inspect.Signature(flat)
    call.__annotations__ = {each.name: each.annotation for each in flat}
    return call


def option(value: str, text: str, *names: str, **details: Any) -> Any:
    """An option as typer takes it.

    Args:
        value: What its value is called on the help page; empty for a switch.
        text: What the help page says.
        names: As it is typed, where that does not follow from the parameter's name.
        details: For typer.
    """
    return typer.Option(*names, metavar=value or None, help=text, **details)


def _expert(value: str, text: str, *names: str, **details: Any) -> Any:
    return option(value, text, *names, rich_help_panel=EXPERT, **details)


def _tuning(value: str, text: str, *names: str, **details: Any) -> Any:
    return option(value, text, *names, rich_help_panel=FINE_TUNING, **details)


def data_argument() -> Any:
    """``DATA``: whatever holds labelled photos."""
    return typer.Argument(
        metavar="DATA",
        help=tr("a folder of photos, a manifest of paths or addresses, an archive, hf:OWNER/NAME, or sample:NAME"),
    )


def run_argument() -> Any:
    """``RUN``: a run folder."""
    return typer.Argument(metavar="RUN", help=tr("a run folder"))


def json_option() -> Any:
    """``--json``."""
    return _expert("", tr("one JSON document on standard output"), "--json")


def force_option() -> Any:
    """``--force``."""
    return option("", tr("replace what an earlier command wrote there"), "--force")


def default_target(data: str, above: str = "runs") -> Path:
    """``runs/NAME`` for photos in ``.../NAME``."""
    name = data.partition(":")[2] if data.startswith("sample:") else real_path(Path(data)).name.partition(".")[0]
    return Path(above) / (name or "run")


def device_option() -> Any:
    """``--device``."""
    return _expert("NAME", tr("cpu, cuda or mps; the best one when left out"))


def seed_option() -> Any:
    """``--seed``."""
    return _expert("N", tr("the same seed gives the same result"), show_default=str(DEFAULT_SEED))


def model_arg_option() -> Any:
    """``--model-arg``."""
    return _expert("NAME=VALUE", tr("a setting of the architecture; may be repeated"))


def zoo_option() -> Any:
    """``--zoo``."""
    return _expert("FILE", tr("a zoo file with names of your own"))


@dataclass(frozen=True)
class WeightOptions:
    """Where a backbone's weights come from, and how it is built.

    Raises:
        RequestError: When an argument of the architecture makes no sense.
    """

    weights: Annotated[str | None, option("NAME", tr("default, a named set, a local file, or none"))] = None
    model_arg: Annotated[list[str] | None, model_arg_option()] = None
    zoo: Annotated[Path | None, zoo_option()] = None

    def __post_init__(self) -> None:
        parse_model_args(self.model_arg or [])

    def load(self, name: str) -> Backbone:
        """The backbone called ``name``, with these weights."""
        from tsugiki.backbones.load_backbone import load_backbone

        arguments = parse_model_args(self.model_arg or [])
        return load_backbone(name, weights=self.weights or "default", model_args=arguments, zoo=self.zoo)

    def to_rank(self, name: str) -> list[str]:
        """The backbone called ``name`` as ``rank`` takes it; none where it is built with arguments of its own."""
        return [] if self.model_arg else [name if self.weights is None else f"{name}={self.weights}"]

    def words(self) -> list[str]:
        """These options as they are typed."""
        weights = [] if self.weights in {None, "default"} else ["--weights", str(self.weights)]
        zoo = [] if self.zoo is None else ["--zoo", str(self.zoo)]
        return [*weights, *model_arg_words(parse_model_args(self.model_arg or [])), *zoo]


@dataclass(frozen=True)
class DataOptions:
    """The photos to learn from."""

    data: Annotated[str, data_argument()]
    exclude: Annotated[Path | None, option("FILE", tr("a list (suspects.csv) whose rows marked exclude are left out"))] = None
    relabel: Annotated[Path | None, option("FILE", tr("a list (suspects.csv) whose rows marked relabel change class"))] = None
    labels: Annotated[Path | None, option("FILE", tr("a table of further photos to learn from, as next writes it"))] = None
    held_out: Annotated[float, _expert("X", tr("share to hold out where the data set has no splits"))] = 0.2


def label_separator_option() -> Any:
    """``--label-separator``."""
    return _expert("TEXT", tr("what stands between several labels of one photo, if not |"), "--label-separator")


@dataclass(frozen=True)
class LabelOptions:
    """How labels are to be read."""

    multi_label: Annotated[bool, option("", tr("a photo may show several classes, or none"), "--multi-label")] = False
    label_separator: Annotated[str | None, label_separator_option()] = None

    def reading(self) -> LabelReading:
        """The same for who reads them.

        Raises:
            RequestError: When the separator is nothing.
        """
        from tsugiki.data.load import label_reading

        return label_reading(multi_label=self.multi_label, label_separator=self.label_separator)

    def words(self) -> list[str]:
        """These options as they are typed."""
        separator = [] if self.label_separator is None else ["--label-separator", self.label_separator]
        return ["--multi-label"] * self.multi_label + separator


@dataclass(frozen=True)
class TaxonomyOptions:
    """What the classes are kinds of.

    Raises:
        RequestError: When the file is no tree, or a probability is given without one, or is none.
    """

    taxonomy: Annotated[Path | None, _expert("FILE", tr("a table class,parent of what the classes are kinds of"))] = None
    at_least: Annotated[
        float | None, _expert("X", tr("a parent is named from this probability on, where no class is sure"), show_default="0.8")
    ] = None

    def __post_init__(self) -> None:
        from tsugiki.data.sources.tables.taxonomy_file import read_taxonomy
        from tsugiki.data.taxonomy import require_sure

        if self.at_least is not None:
            if self.taxonomy is None:
                raise RequestError(
                    tr("--at-least is about parents, and nobody has named any."),
                    cure=tr("add --taxonomy FILE, or leave it out"),
                )
            require_sure(self.at_least)
        if self.taxonomy is not None:
            read_taxonomy(self.taxonomy)  # what cannot be used is refused before the first photo is opened

    def tree(self, classes: Sequence[str]) -> Taxonomy | None:
        """What is above the classes; what of it is not used is said."""
        from tsugiki.data.sources.tables.taxonomy_file import taxonomy_of

        return None if self.taxonomy is None else taxonomy_of(self.taxonomy, classes, at_least=self.at_least)


@dataclass(frozen=True)
class MethodOptions:
    """The method, and what both methods have; ``None`` where an option was left out."""

    method: Annotated[
        Method,
        option(_any_of(Method), tr("transfer: the head learns; fine-tune: all layers; auto: what validation prefers")),
    ] = "transfer"
    epochs: Annotated[int | None, option("N", tr("passes over the photos; chosen for you when left out"))] = None
    lr: Annotated[float | None, _expert("X", tr("learning rate; chosen for you when left out"))] = None
    batch_size: Annotated[int | None, _expert("N", tr("photos per step; chosen for you when left out"))] = None
    class_weights: Annotated[bool | None, _expert("", tr("rare classes count as much as others"), "--class-weights")] = None
    threshold: Annotated[
        str | None, _expert("GOAL", tr("what several labels are shown for: f1, precision=0.9, recall=0.9"), "--threshold")
    ] = None
    seed: Annotated[int | None, seed_option()] = None

    def seed_or_default(self) -> int:
        """The seed that was typed, or the usual one."""
        return DEFAULT_SEED if self.seed is None else self.seed

    def given(self) -> dict[str, Any]:
        """The options that were typed, but for the method."""
        return {name: value for name, value in vars(self).items() if name != "method" and value is not None}

    def head(self) -> HeadSettings:
        """Settings of the head.

        Raises:
            RequestError: When a value is impossible.
        """
        from tsugiki.heads.linear import HeadSettings

        # Epochs, rate and batch size belong to the method that was asked for; the head under fine-tuning chooses its own.
        of_both = {"seed", "class_weights", "threshold"} if self.method != "transfer" else self.given().keys()
        return HeadSettings(**{name: value for name, value in self.given().items() if name in of_both})


@dataclass(frozen=True)
class FineTuneOptions:
    """What only fine-tuning has; ``None`` where an option was left out."""

    preset: Annotated[str | None, _tuning("NAME", tr("default, gentle, thorough or plain"), show_default="default")] = None
    budget: Annotated[str | None, _tuning("TIME", tr("how long it may take: 90s, 10m, 2h; the clock sets the epochs"))] = None
    resume: Annotated[bool | None, _tuning("", tr("go on where it stopped (default), or anew"), "--resume/--restart")] = None
    unfreeze: Annotated[str | None, _tuning("GROUPS", tr("all, how many layer groups learn, or the lowest one's name"))] = None
    flip: Annotated[bool | None, _tuning("", tr("mirror photos (default); off where left matters"), "--flip/--no-flip")] = None
    precision: Annotated[Precision | None, _tuning(_any_of(Precision), tr("auto (default) times what is fastest here"))] = None
    settings: Annotated[list[str] | None, _tuning("NAME=VALUE", tr("any other setting; may be repeated"), "--set")] = None

    def request(self, training: MethodOptions, folder: Path) -> FineTuning | None:
        """What the options ask for; ``None`` where only the head is to learn.

        Args:
            training: The method, and what both methods have.
            folder: For checkpoints.

        Raises:
            RequestError: When a value makes no sense or is given twice, an option would do nothing, or checkpoints cannot lie
                in ``folder``.
        """
        from tsugiki.fine_tuning.settings import FineTuneSettings
        from tsugiki.training.fit import FineTuning

        if training.method == "transfer":
            self._refuse_any()
            return None
        own = {name: getattr(self, name) for name in ("unfreeze", "flip", "precision", "budget")}
        shared = {name: value for name, value in training.given().items() if name != "threshold"}
        given = shared | {name: value for name, value in own.items() if value is not None}
        given |= parse_settings(self.settings or [], {name: _as_typed(name, value) for name, value in given.items()})
        if self.budget is not None:
            given["budget"] = parse_time(self.budget)
        changes = {name: value for name, value in given.items() if name not in AUGMENTATION}
        settings = FineTuneSettings.preset(self.preset or "default", **changes)
        parts = {name: value for name, value in given.items() if name in AUGMENTATION}
        settings = replace(settings, augmentation=replace(settings.augmentation, **parts))
        resume: Literal["auto", "must", "never"] = "auto" if self.resume is None else "must" if self.resume else "never"
        return FineTuning(settings, folder=_checked(folder), resume=resume)

    def _refuse_any(self) -> None:
        """Refuse options that would do nothing because only the head learns."""
        idle = [_as_typed(name, value).split()[0] for name, value in vars(self).items() if value not in (None, [])]
        if idle:
            names = ", ".join(idle)
            raise RequestError(
                tr("These options are for fine-tuning, but only the head is to learn: {names}", names=names),
                allowed=tr("{names} with --method fine-tune or --method auto", names=names),
                got="--method transfer",
                cure=tr("add --method fine-tune or --method auto, or leave these options out"),
            )


def _checked(folder: Path) -> Path:
    if folder.is_dir() or not os.path.lexists(folder):
        return folder
    raise RequestError(
        tr("The checkpoints of this run cannot lie in {folder}.", folder=folder),
        allowed=tr("a folder, or nothing of that name"),
        got=tr("a file"),
        cure=tr("move it away, or name another run folder with --out"),
    )


def _as_typed(name: str, value: Any) -> str:
    """An option with its value as it is typed."""
    option = "--set" if name == "settings" else f"--{name.replace('_', '-')}"
    if value is False:
        return "--restart" if name == "resume" else f"--no-{name}"
    return option if value is True else f"{option} {value}"


@dataclass(frozen=True)
class EngineOptions:
    """What computes, and how features are made."""

    device: Annotated[str | None, device_option()] = None
    engine: Annotated[Engine, _expert(_any_of(Engine), tr("what computes features"))] = "auto"
    views: Annotated[int, _expert("N", tr("augmented views per training photo"), min=0)] = 0
    cluster: Annotated[str | None, _expert("ADDRESS", tr("look at photos on a Ray cluster: local, auto, HOST:PORT"))] = None

    def features(self) -> FeatureSettings:
        """How features are to be made."""
        from tsugiki.features.extract import FeatureSettings

        if self.cluster is None:
            return FeatureSettings(engine=self.engine, views=self.views)
        from tsugiki.features.cluster import InRay

        return FeatureSettings(engine=self.engine, views=self.views, executor=InRay(self.cluster))


@dataclass(frozen=True)
class OutputOptions:
    """What is told, and to whom."""

    force: Annotated[bool, force_option()] = False
    open_report: Annotated[bool, option("", tr("show the report in the browser at the end"), "--open")] = False
    log: Annotated[str | None, _expert("NAME", tr("also send the curves to: tensorboard, mlflow or wandb"))] = None
    as_json: Annotated[bool, json_option()] = False
