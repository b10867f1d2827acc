"""A sentence that was said in one language is said again in another: with its numbers, and with the sentences inside it."""

import copy
import pickle
from pathlib import Path

import pytest

from tsugiki.locale.messages import first_few, in_a_row, listed, said_again, speaking, tr

LEFT_OUT = "Files left out, each with its reason: {count}."


@pytest.mark.parametrize("first", ["en", "ja"])
def test_a_sentence_is_said_again(first):
    with speaking(first):
        said = tr(LEFT_OUT, count=3)
    assert said_again(said) == "Files left out, each with its reason: 3."
    with speaking("ja"):
        assert said_again(said) == "除外したファイル: 3 個 (理由つき)。"


def test_sentences_inside_sentences_are_said_again_too():
    name = "an {odd} name"
    said = in_a_row(
        tr("{names} and {count} more", names=listed([tr("the mean colour"), name]), count=2), "", tr(LEFT_OUT, count=1)
    )
    assert said == "the mean colour, an {odd} name and 2 more Files left out, each with its reason: 1."
    with speaking("ja"):
        assert said_again(said) == "平均の色、an {odd} name ほか 2 件除外したファイル: 1 個 (理由つき)。"
        assert said_again(first_few(["a", "b", "c"], most=2)) == "a, b ほか 1 件"


def test_it_is_text_wherever_text_goes():
    said = tr("{folder} is there already; nothing was fetched.", folder=Path("写真"))
    assert said == "写真 is there already; nothing was fetched."
    for travelled in (pickle.loads(pickle.dumps(said)), copy.deepcopy(said)):  # noqa: S301
        assert travelled == said
        with speaking("ja"):
            assert said_again(travelled).startswith("写真")
            assert said_again(travelled) != said
    assert said_again("what nobody said") == "what nobody said"


def test_numbers_keep_how_they_are_written():
    said = tr("random crop of {low:.0%} to {high:.0%}", low=0.5, high=1)
    with speaking("ja"):
        assert said_again(said) == "面積の 50%〜100% をランダムに切り抜き"
