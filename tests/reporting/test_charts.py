"""Charts put numbers where they belong."""

import re

import pytest

from tsugiki.evaluation.learning_curve import CurvePoint, LearningCurve, PowerLaw
from tsugiki.reporting.pages.charts import Frame, Words, history_chart, interval_strip, learning_chart, reliability_chart
from tsugiki.reporting.pages.page import Bilingual

WORDS = Words(Bilingual("its <name>", "名前"), Bilingual("across", "横"), Bilingual("up", "縦"))


def test_a_frame_maps_ends_to_edges():
    frame = Frame((8, 512), (0.5, 1.0), log_x=True)
    left, top, right, bottom = frame.edges
    assert (frame.across(8), frame.across(512)) == (left, right)
    assert (frame.up(0.5), frame.up(1.0)) == (bottom, top)
    assert frame.across(64) == pytest.approx((left + right) / 2)


def test_no_number_is_lost_in_infinity():
    point = CurvePoint(10, 1.0, 1.0, 1.0)
    flat = LearningCurve(
        10, (point, CurvePoint(20, 1.0, 1.0, 1.0)), PowerLaw(0, 0, 1), (CurvePoint(40, 1.0, 1.0, 1.0),), (0, 0, 0)
    )
    row = {"epoch": 1, "train_loss": 0.0, "train_acc": 1.0, "val_loss": float("nan"), "val_acc": None, "lr": 1, "seconds": 1}
    bar = {"lower": 0.9, "upper": 1.0, "n": 1, "confidence": 1.0, "accuracy": 1.0, "interval": [0.2, 1.0]}
    drawn = [
        learning_chart(flat, words=WORDS),
        history_chart([row], "loss", words=WORDS),
        history_chart([row], "acc", words=WORDS),
        reliability_chart([bar], [bar], words=WORDS),
        interval_strip(1.0, [1.0, 1.0], 0.0, words=WORDS),
        interval_strip(0.0, [0.0, 0.2], 1.0, words=WORDS),
    ]
    for chart in drawn:
        assert not re.search("nan|inf|None", chart)
        assert 'role="img" aria-label="its &lt;name&gt;"' in chart
        assert '<text class="axis" lang="ja"' in chart
        assert ">縦</text>" in chart
        for number in re.findall(r'(?:x1|y1|cx|cy)="([^"]+)"', chart):
            assert -20 <= float(number) <= 440
