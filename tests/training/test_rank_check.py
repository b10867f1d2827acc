"""Fine-tuning a few networks of a ranking for real says whether their order holds."""

from dataclasses import replace

import numpy as np
import pytest

import tsugiki as tg
from tsugiki.core.errors import RequestError
from tsugiki.evaluation.predictions import Predictions
from tsugiki.training.rank_check import FineTunedNetwork, _checked

QUICK = tg.FineTuneSettings(epochs=1, batch_size=12, precision="float32")


@pytest.mark.long
def test_the_best_networks_are_fine_tuned_on_training_photos_only(dishes):
    data = tg.load(dishes)
    labels = data.labels.copy()
    labels[data.held_out_rows] = 0  # nobody asks
    found = tg.rank(
        replace(data, labels=labels),
        backbones=["bundled:nae", "timm:test_vit=none"],
        features=tg.FeatureSettings(engine="torch"),
    )
    checked = found.fine_tune_check(2, settings=QUICK)
    assert [one.name for one in checked.networks] == ["bundled:nae", "timm:test_vit=none"]
    assert {one.photos for one in checked.networks} == {9}
    assert [one.ranked_by for one in checked.networks] == [found.row(one.name).score for one in checked.networks]
    assert checked.to_dict()["verdict"] in {"held", "cannot tell"}
    assert len(checked.table_rows()) == 3
    assert checked.sentence()
    with pytest.raises(RequestError, match="two networks"):
        found.fine_tune_check(1)


def answers(right: int, of: int = 40) -> Predictions:
    """So many photos of two classes answered right."""
    labels = np.arange(of) % 2
    said = np.where(np.arange(of) < right, labels, 1 - labels)
    names, classes = tuple(map(str, range(of))), ("a", "b")
    return Predictions(names, ("test",) * of, labels, np.eye(2)[said], classes)


@pytest.mark.parametrize(
    ("right", "verdict", "pairs"),
    [
        ((39, 30), "held", ()),
        ((37, 38), "cannot tell", ()),
        ((20, 38), "did not hold", (("second", "first"),)),
    ],
)
def test_an_order_holds_or_does_not_or_nobody_can_tell(right, verdict, pairs):
    networks = [FineTunedNetwork(name, 0.9, count / 40, 40) for name, count in zip(("first", "second"), right, strict=True)]
    checked = _checked(networks, [answers(count) for count in right])
    assert (checked.verdict, checked.pairs) == (verdict, pairs)
    assert ("second > first" in checked.sentence()) == bool(pairs)
