"""Which photos the weights of a backbone have learned from: those that a run was fine-tuned on, whose network it now is.

A network that has learned the labels of photos answers for them by remembering: no score on them counts. So it is written
beside weights what they have learned, and it stays with them however often they are loaded, trained further and saved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsugiki.core.console import say_once
from tsugiki.core.regular_files import read_json
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.backbones.backbone import Backbone

LEARNED = "learned_by_backbone"
"""Where the description of a run tells it: a text for each backbone."""

_DESCRIPTION, _WEIGHTS = "classifier.json", "weights.safetensors"
_TRAINED_ON = ("learned", "validation")  # a choice made on photos has learned from them, too


def remembering(backbone: Backbone, weights: Path) -> Backbone:
    """A backbone that knows what its weights have learned, where they are those of a run.

    Args:
        backbone: As it was loaded; changed in place.
        weights: The file that its weights were read from.
    """
    description = _description_of(weights, backbone.origin.sha256)
    if description is None:
        return backbone
    if not _is_told(description):
        say_once(
            ("learned by", weights),
            tr(
                "{folder} was written by an older program and does not tell which photos its backbone has learned from: a "
                "score on those would be too good.",
                folder=weights.parent,
            ),
        )
    if photos := merged(*learned_by_parts(description)):
        backbone.origin = replace(backbone.origin, learned_from=photos)
    return backbone


def learned_by_parts(description: Mapping[str, Any]) -> list[str]:
    """What the weights of each backbone of a run have learned from, as :class:`~.backbone.WeightsOrigin` has it.

    Raises:
        KeyError: When something is missing that every run has.
    """
    several = description["backbone"].get("parts", [None])
    told, own = description.get(LEARNED), _fine_tuned_on(description["trained"])
    before = told if isinstance(told, list) and len(told) == len(several) else [""] * len(several)
    return [merged(str(each), own) for each in before]


def told_of(backbone: Backbone, notes: Mapping[str, Any]) -> dict[str, Any]:
    """What the description of a run tells of its backbones; nothing where they are as their publishers gave them.

    What they were fine-tuned on in the training that wrote these ``notes`` is told by the notes: of millions of photos nothing
    is written twice.
    """
    own = set(_fine_tuned_on(notes).split())
    learned = [merged(set(part.origin.learned_from.split()) - own) for part in backbone.parts]
    return {LEARNED: learned} if any(learned) or any(_is_of_a_run(part.spec.weights) for part in backbone.parts) else {}


def merged(*photos: str | Iterable[str]) -> str:
    """Digests of all of them as one text."""
    return " ".join(sorted({digest for each in photos for digest in (each.split() if isinstance(each, str) else each)}))


def _description_of(weights: Path, sha256: str) -> dict[str, Any] | None:
    """Of the run whose weights these are, if they are those of a run."""
    try:
        description = read_json(weights.parent / _DESCRIPTION)
        parts = (description["backbone"], description["trained"])
        whole = description["weights_sha256"] == sha256 and all(isinstance(part, dict) for part in parts)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return description if whole else None


def _fine_tuned_on(trained: Mapping[str, Any]) -> str:
    """What a run was fine-tuned on, as its notes on its photos tell."""
    seen = trained.get("seen")
    if trained.get("method") != "fine-tune" or not trained.get("unfrozen", True) or not isinstance(seen, Mapping):
        return ""
    return merged(*(str(seen.get(role, "")) for role in _TRAINED_ON))


def _is_told(description: Mapping[str, Any]) -> bool:
    """Whether all that the weights have learned can be known: a run of an older program may have begun with another run."""
    if LEARNED in description:
        return True
    trained, own = description["trained"], description["backbone"]
    if trained.get("method") == "fine-tune" and trained.get("unfrozen", True) and "seen" not in trained:
        return False
    return not _is_of_a_run(str(own.get("weights", "")))


def _is_of_a_run(weights: str) -> bool:
    return weights.rpartition("/")[2] == _WEIGHTS
