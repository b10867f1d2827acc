"""What has to be done for one backbone: said completely before anything is built or fetched."""

from __future__ import annotations

import functools
import importlib
import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from tsugiki.backbones.backbone import NO_WEIGHTS, Backbone, BackboneSpec, WeightsOrigin
from tsugiki.backbones.joined import JoinedBackbone, JoinedSpec
from tsugiki.backbones.known.known_backbones import keep_backbone, keep_recipe, known_backbone, known_recipe
from tsugiki.backbones.names import Address, Named, each_of, resolve
from tsugiki.backbones.network_heads import AUXILIARY_HEADS, Cut, cut_head, head_paths
from tsugiki.backbones.sources.base import Recipe, Source
from tsugiki.backbones.sources.compiler_later import compiler_later
from tsugiki.backbones.stages import StagedBody
from tsugiki.backbones.weights.learned_photos import remembering
from tsugiki.backbones.weights.weights_file import State, WeightsFile, names_a_file, read_weights
from tsugiki.backbones.weights.weights_fit import Misfit, fill, misfit, not_finite, readings
from tsugiki.backbones.zoo import Zoo, find_zoo
from tsugiki.core.arguments import argument
from tsugiki.core.console import say, say_once
from tsugiki.core.errors import RequestError, WeightsError
from tsugiki.data.joined_preprocess import rules_of
from tsugiki.data.preprocess import Preprocess
from tsugiki.locale.messages import tr

# Arguments with which libraries would fetch or read weights, or load code.
_NOT_ARCHITECTURE = frozenset(
    {"pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "pretrained_model_args", "checkpoint_path", "cache_dir"}
    | {"scriptable", "weights", "weights_backbone", "pretrained_backbone", "use_pretrained_backbone", "use_timm_backbone"}
    | {"auto_map", "trust_remote_code", "attn_implementation", "_attn_implementation", "experts_implementation"}
    | {"_experts_implementation", "quantization_config", "_name_or_path"}
)

_AUXILIARY = tuple(path.partition(".")[0] for path in AUXILIARY_HEADS)


def load_backbone(
    name: str,
    *,
    weights: str | Path = "default",
    model_args: Mapping[str, Any] | None = None,
    zoo: str | Path | None = None,
    preprocess: Preprocess | None = None,
) -> Backbone:
    """Load a pretrained network without its classifying layer, in evaluation mode.

    Args:
        name: ``torchvision:NAME``, ``timm:NAME[.TAG]``, ``hub:OWNER/NAME``, ``bundled:NAME``, a zoo's name, a bare name, a run
            folder (its backbone), or a folder with ``config.json`` and weights, as the hub has them. ``A+B``: several, whose
            features stand side by side (:class:`tsugiki.backbones.joined.JoinedBackbone`).
        weights: ``default``; the name of a set (``IMAGENET1K_V2``, a timm tag); a local file; or ``none`` for random weights.
            Of several backbones one word for all, or ``FILE_A+FILE_B``.
        model_args: Arguments for the architecture; ``2.NAME`` is for the second of several only.
        zoo: A zoo file; without it the one in ``TSUGIKI_ZOO`` counts.
        preprocess: Instead of the one that belongs to the weights.

    Raises:
        UnknownName: When there is no such backbone or set of weights.
        RequestError: When the architecture does not take these arguments.
        WeightsError: When the weights cannot be used.
        WeightsUnreachable: When they are neither on this machine nor reachable.
    """
    found_zoo = find_zoo(zoo)
    asked = each_of(name, str(weights), model_args or {}, found_zoo.names())
    if len(asked) > 1:
        return JoinedBackbone([_load(one, found_zoo, preprocess) for one in asked])
    return _load(asked[0], found_zoo, preprocess)


def _load(asked: Named, found_zoo: Zoo, preprocess: Preprocess | None) -> Backbone:
    """One backbone."""
    name, weights, arguments = asked.name, asked.weights, asked.model_args
    recipe = None if name in found_zoo.names() else known_recipe(name, weights, arguments)
    if recipe is None:
        address = resolve(name, found_zoo.names())
        recipe = _recipe(address, weights, arguments, found_zoo, preprocess).fetched_once()
    plain = recipe
    if asked.multi:
        recipe = replace(recipe, spec=replace(recipe.spec, features="multi"))
    rule = preprocess or recipe.preprocess
    made = functools.partial(_make, recipe, rule)
    if seen := known_backbone(recipe, rule, lambda: made()[0]):
        known, card = seen
        _say_where(**card.reading)
        backbone: Backbone = known
    else:
        backbone, reading = made()
        keep_recipe(name, weights, arguments, plain)
        keep_backbone(recipe, backbone, reading)
    return backbone if recipe.fetch is None else remembering(_as_stated(backbone, recipe), recipe.fetch())


def _as_stated(backbone: Backbone, recipe: Recipe) -> Backbone:
    """The backbone with the licence that a person has written, if one has; a file that tells another one is named."""
    stated, found = recipe.stated_licence, backbone.origin.licence
    if not stated:
        return backbone
    if found.lower() not in {"unknown", stated.lower()}:
        say_once(
            ("licence", backbone.spec.name),
            tr(
                "The licence of {name} is {stated}, as the zoo file says; the file of its weights says {found}.",
                name=backbone.spec,
                stated=stated,
                found=found,
            ),
        )
    backbone.origin = replace(backbone.origin, licence=stated)
    return backbone


def rebuild_backbone(spec: BackboneSpec, preprocess: Preprocess) -> Backbone:
    """The architecture of ``spec`` with random weights and no old head, for weights that are loaded afterwards."""
    if isinstance(spec, JoinedSpec):
        rules = rules_of(preprocess)
        return JoinedBackbone([rebuild_backbone(part, rule) for part, rule in zip(spec.parts, rules, strict=True)])
    cut = cut_head(_build(spec), preprocess.size)
    body, width = _with_stages(cut, spec, preprocess)
    return Backbone(body, width, spec=spec, preprocess=preprocess).eval()


def arguments_given(spec: BackboneSpec) -> dict[str, Any]:
    """Those of ``spec``'s arguments that its name does not already bring: what has to be given to load it again.

    Where what the name brings cannot be found out (it is on a hub that is not reachable) there are none.
    """
    try:
        usual = _recipe(Address(spec.source, spec.name), "default", {}, find_zoo(None)).spec.model_args
    except (RequestError, WeightsError):
        return {}
    return {name: value for name, value in spec.model_args.items() if json.dumps(usual.get(name)) != json.dumps(value)}


def build_network(
    name: str, *, model_args: Mapping[str, Any] | None = None, zoo: str | Path | None = None
) -> tuple[nn.Module, Preprocess]:
    """The whole network called ``name``, classifying layer included, with random weights, and what its weights would expect.

    Raises:
        UnknownName: When there is no such backbone.
        RequestError: When the architecture does not take these arguments.
    """
    found_zoo = find_zoo(zoo)
    recipe = _recipe(resolve(name, found_zoo.names()), "none", dict(model_args or {}), found_zoo)
    return _build(recipe.spec), recipe.preprocess


def _recipe(
    address: Address, weights: str, model_args: dict[str, Any], zoo: Zoo, preprocess: Preprocess | None = None
) -> Recipe:
    local = names_a_file(weights)
    named = "" if local or weights.lower() in {"default", "none"} else weights
    recipe = _recipe_of_source(address, named, model_args, zoo, preprocess)
    if local:
        return recipe.with_file(Path(weights))
    return recipe.without_weights() if weights.lower() == "none" else recipe


def _recipe_of_source(
    address: Address, named: str, model_args: dict[str, Any], zoo: Zoo, preprocess: Preprocess | None
) -> Recipe:
    if address.source in {"torchvision", "timm"}:
        return _recipe_of_library(address, named, model_args)
    if named:
        raise RequestError(
            tr("{name} has one set of weights only.", name=str(address)),
            allowed=tr("default, none, or a file"),
            got=repr(named),
        )
    if address.source == "bundled":
        from tsugiki.backbones.sources import bundled_source

        return bundled_source.recipe(address.name, model_args)
    if address.source == "run":
        from tsugiki.backbones.sources import run_source

        return run_source.recipe(Path(address.name), model_args)
    if address.source in {"hub", "folder"}:
        from tsugiki.backbones.sources import hub_source

        on_hub = address.source == "hub"
        files = hub_source.OnHub(address.name) if on_hub else hub_source.InFolder(Path(address.name))
        return hub_source.recipe(files, model_args, preprocess)
    return _recipe_of_zoo(address, model_args, zoo)


def _recipe_of_library(address: Address, named: str, model_args: dict[str, Any]) -> Recipe:
    source = _library(address.source)
    plan = source.plan(address.name, named, model_args)
    spec = BackboneSpec(address.source, plan.name, f"{address.source}:{plan.name}", plan.model_args, plan.weights or "default")
    return Recipe(spec, source.preprocess(plan), lambda: source.fetch(plan), plan.weights, plan.licence)


def _recipe_of_zoo(address: Address, model_args: dict[str, Any], zoo: Zoo) -> Recipe:
    entry = zoo.entry(address.name)
    inner = resolve(entry.architecture)
    recipe = _recipe_of_library(inner, "", {**entry.model_args, **model_args})
    spec = BackboneSpec("zoo", entry.name, recipe.spec.architecture, recipe.spec.model_args)
    path = entry.weights
    return Recipe(spec, entry.preprocess or recipe.preprocess, lambda: path, path.name, stated_licence=entry.stated_licence)


def _library(name: str) -> Source:
    with compiler_later():
        return cast("Source", importlib.import_module(f"tsugiki.backbones.sources.{name}_source"))


def _make(recipe: Recipe, preprocess: Preprocess) -> tuple[Backbone, dict[str, Any]]:
    """The backbone, and where in the file its weights lie."""
    # The weights first: when they cannot be had, nobody waits for a network to be built.
    file = read_weights(recipe.fetch()) if recipe.fetch else None
    network = _build(recipe.spec)
    filled, reading = _filled(network, file, recipe.spec) if file else (set(), {})
    heads = head_paths(network)
    cut = cut_head(network, preprocess.size)
    origin = WeightsOrigin(recipe.label, file.sha256, file.licence or recipe.licence) if file else NO_WEIGHTS
    whole = bool(heads) and all(f"{path}.weight" in filled for path in heads)
    body, width = _with_stages(cut, recipe.spec, preprocess)
    backbone = Backbone(
        body,
        width,
        spec=recipe.spec,
        preprocess=preprocess,
        origin=origin,
        head=_at_rest(cut.head) if whole and body is cut.body else None,
    ).eval()
    _try_out(backbone)
    return backbone, reading


def _with_stages(cut: Cut, spec: BackboneSpec, preprocess: Preprocess) -> tuple[nn.Module, int]:
    """What maps photos to the features that are asked for, and how many these are."""
    if spec.features == "last":
        return cut.body, cut.num_features
    cut.body.eval()
    body = StagedBody(cut.body, preprocess.size)
    with torch.inference_mode():
        return body, int(body(torch.zeros(1, 3, *preprocess.size)).shape[1])


def _try_out(backbone: Backbone) -> None:
    """One photo of zeros: what was asked for is known to work now, not after the photos have been read."""
    problem = ""
    try:
        with torch.no_grad():
            features = backbone.body(torch.zeros(1, 3, *backbone.preprocess.size))
        if not isinstance(features, torch.Tensor) or features.flatten(1).shape != (1, backbone.num_features):
            shape = list(features.shape) if isinstance(features, torch.Tensor) else type(features).__name__
            problem = tr("it gives {shape}", shape=shape)
        elif not bool(features.isfinite().all()):
            problem = tr("its features are no finite numbers")
    except Exception as error:  # noqa: BLE001 (each network fails in its own way)
        problem = textwrap.shorten(str(error) or type(error).__name__, 300)
    if problem:
        spec, (height, width) = backbone.spec, backbone.preprocess.size
        raise RequestError(
            tr("{name}, built like this, does not turn photos into features.", name=spec.architecture),
            allowed=tr("photos [B, 3, {height}, {width}] to features [B, D]", height=height, width=width),
            got=f"{problem}; {_arguments(spec)}",
            cure=tr("leave out of {argument} what changes what goes in or comes out", argument=argument("model_args")),
        )


def _at_rest(head: nn.Module | None) -> nn.Module | None:
    if head is not None:
        for parameter in head.parameters():
            parameter.requires_grad = False
        head.eval()
    return head


def _build(spec: BackboneSpec) -> nn.Module:
    kind, _, name = spec.architecture.partition(":")
    _refuse_more_than_architecture(spec, name)
    try:
        return _library(kind).build(name, spec.model_args)
    except Exception as error:  # each library refuses odd arguments in its own way
        raise RequestError(
            tr("{name} cannot be built with these arguments.", name=spec.architecture),
            got=_arguments(spec),
            cure=textwrap.shorten(str(error), 300),
        ) from error


def _arguments(spec: BackboneSpec) -> str:
    return textwrap.shorten(", ".join(f"{key}={value}" for key, value in spec.model_args.items()), 300) or "-"


def _refuse_more_than_architecture(spec: BackboneSpec, name: str) -> None:
    """An architecture is built from its name alone: nothing is fetched, no file is read, no code is loaded on the way."""
    strange = sorted(key for key in _NOT_ARCHITECTURE if spec.model_args.get(key))
    if strange or not name or set(name) & set(":/\\"):
        raise RequestError(
            tr("{name} asks for more than an architecture.", name=spec.architecture),
            allowed=tr("the name of an architecture, and arguments that say how it is built"),
            got=", ".join(strange) or repr(name),
            cure=tr("give weights with {argument}", argument=argument("weights")),
        )


def _filled(network: nn.Module, file: WeightsFile, spec: BackboneSpec) -> tuple[set[str], dict[str, Any]]:
    """Put the file's weights into the network; the names that were filled, and where in the file they lie."""
    heads = (*head_paths(network), *_AUXILIARY, *_declared_heads(network))
    found = _fitting(network, file, _library(spec.architecture.partition(":")[0]), heads)
    if len(found.gap):
        raise WeightsError(
            tr("The weights in {file} do not fit {architecture}.", file=file.name, architecture=spec.architecture),
            got="; ".join([str(found.gap), *_contents(file)]),
            cure=tr(
                "name the architecture they were made for, or give its variant with {argument}", argument=argument("model_args")
            ),
        )
    filled = fill(network, found.state)
    if broken := not_finite(network):
        raise WeightsError(
            tr("The weights in {file} hold values that are no finite numbers (NaN or infinity).", file=file.name),
            got=tr("{count} tensors: {names}", count=len(broken), names=", ".join(broken[:3])),
            cure=tr("the training that wrote them diverged: take an earlier checkpoint"),
        )
    reading: dict[str, Any] = {
        "file": file.name,
        "key": found.key,
        "prefix": found.prefix,
        "others": [each for each in file.sets if each != found.key][:6],
    }
    _say_where(**reading)
    return filled, reading


def _say_where(*, file: str, key: str = "", prefix: str = "", others: Sequence[str] = ()) -> None:
    """Say where in the file the weights lie; nothing where it is the weights and nothing else."""
    where = [tr("read from {key}", key=key)] if key else []
    where += [tr("prefix {prefix} taken off", prefix=prefix)] if prefix else []
    if where:
        beside = " " + tr("(the file also holds {keys})", keys=", ".join(others)) if others else ""
        say(tr("Weights of {file}: {where}", file=file, where=", ".join(where)) + beside)


@dataclass(frozen=True)
class _Reading:
    """One way of reading a file: which set of it, under which prefix, and what then does not fit."""

    key: str
    prefix: str
    state: State
    gap: Misfit


def _fitting(network: nn.Module, file: WeightsFile, source: Source, heads: tuple[str, ...]) -> _Reading:
    """The first way of reading the file in which everything fits; else the one that comes nearest."""
    nearest: _Reading | None = None
    for key, weights in file.sets.items():
        for prefix, state in readings(network, weights, heads=heads):
            for tried in (state, None):
                fitted = source.adapt(network, state) if tried is None else tried
                reading = _Reading(key, prefix, fitted, misfit(network, fitted, heads=heads))
                if not len(reading.gap):
                    return reading
                if nearest is None or len(reading.gap) < len(nearest.gap):
                    nearest = reading
    assert nearest is not None  # noqa: S101 (a file of weights holds a set, and a set has a reading)
    return nearest


def _contents(file: WeightsFile) -> list[str]:
    """What the file holds, where that is more than names of tensors."""
    if [*file.sets] == [""]:
        return []
    sets = (f"{key or '-'} ({len(state)}: {', '.join([*state][:2])}, ...)" for key, state in file.sets.items())
    return [tr("the file holds {sets}", sets="; ".join(sets))]


def _declared_heads(network: nn.Module) -> tuple[str, ...]:
    declared = (getattr(network, "pretrained_cfg", None) or {}).get("classifier") or ()
    return (declared,) if isinstance(declared, str) else tuple(declared)
