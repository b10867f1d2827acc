"""What the weights are worth on the validation photos: before, after every epoch, and between start and end."""

from __future__ import annotations

import torch
from torch.nn import functional

from tsugiki.core.console import say
from tsugiki.fine_tuning.course import Course, Running, gathered
from tsugiki.fine_tuning.ema import Ema
from tsugiki.fine_tuning.scores import Answers
from tsugiki.fine_tuning.state import State
from tsugiki.fine_tuning.totals import finite
from tsugiki.locale.messages import tr

_CHECK_PHOTOS = 64
_BLENDS = (0.25, 0.5, 0.75)


def score_start(course: Course, state: State, running: Running) -> None:
    """What the head alone is worth: the score to beat."""
    running.inputs.prepare(state.epoch)
    answers = validate(course, state.ema, running)
    state.answers, state.start = [answers], answers.score()
    state.start_weights = {name: tensor.detach().clone() for name, tensor in state.weights.items()}
    say(tr("the head alone: validation {accuracy} correct", accuracy=f"{state.start.accuracy:.1%}"))


@torch.no_grad()
def validate(course: Course, ema: Ema, running: Running) -> Answers:
    """What the (averaged) weights answer to the validation photos, all processes together.

    Raises:
        TrainingError: When a loss is no finite number.
    """
    found = torch.zeros(2, len(course.checked), device=course.device)  # losses, and 1 where the answer is right
    mine = course.share_of(len(course.checked))
    with ema.in_place():
        running.engine.network.eval()
        for start in range(mine.start, mine.stop, _CHECK_PHOTOS):
            rows = slice(start, min(start + _CHECK_PHOTOS, mine.stop))
            with running.engine.way.autocast(course.device):
                logits = running.engine.network(running.engine.ready(running.inputs.validation(rows))).float()
            labels = course.checked[rows]
            found[0, rows] = functional.cross_entropy(logits, labels, reduction="none")
            found[1, rows] = (logits.argmax(dim=1) == labels).float()
    losses, right = gathered(course, found).cpu()
    finite(losses.sum().item())
    return Answers(losses.clone(), right > 0)


def blend(course: Course, state: State, running: Running) -> None:
    """Go back some of the way to the start where that validates better.

    Weights between those of a pretrained and of a fine-tuned network often do better than either (WiSE-FT: Wortsman et al.,
    *Robust fine-tuning of zero-shot models*, CVPR 2022).
    """
    running.inputs.prepare(state.epoch)
    best, state.blends = state.best_weights, []
    for share in _BLENDS:
        mixed = {name: _between(state.start_weights[name], tensor, share) for name, tensor in best.items()}
        state.blends.append(validate(course, Ema.fixed(state.weights, mixed), running))
        score = state.blends[-1].score()
        if score.beats(state.best):
            state.best, state.best_weights, state.blended = score, mixed, share


def _between(start: torch.Tensor, end: torch.Tensor, share: float) -> torch.Tensor:
    return torch.lerp(start, end, share) if end.is_floating_point() else end
