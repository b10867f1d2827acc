"""The model card: the Hub reads its metadata, people read its numbers, Markdown does not stumble over names."""

import re

import pytest
from huggingface_hub import ModelCard

from tests.reporting.runs import small_run
from tsugiki.locale.messages import speaking
from tsugiki.reporting.card import _licence, write_card
from tsugiki.reporting.pages.page import plain_in_markdown


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small_run(tmp_path_factory.mktemp("photos"), ("a|b", "<b>猫</b>"))


@pytest.fixture(scope="module")
def card(run):
    return write_card(run, name="runs: 猫")


def test_the_hub_reads_the_metadata(run, card):
    data = ModelCard(card).data
    assert data.license == "mit"
    assert data.library_name == "tsugiki"
    assert data.pipeline_tag == "image-classification"
    accuracy = next(one for one in data.eval_results if one.metric_type == "accuracy")
    assert accuracy.metric_value == pytest.approx(run.evaluation["leaks"]["accuracy_without"], abs=1e-6)
    assert accuracy.dataset_split == "val"


def test_a_table_row_has_as_many_cells_as_its_head(card):
    tables = re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE)
    assert len(tables) == 2
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert "<b>" not in card


def test_it_is_english_with_a_japanese_summary_whatever_the_person_speaks(run, card):
    english, japanese = card.split("## 日本語の要約")
    assert "of 12 photos answered right, counting 1 with a twin in another split; of the 11 others" in english
    assert "正しく答えました" in japanese
    with speaking("ja"):
        assert write_card(run, name="runs: 猫") == card


def test_no_path_of_this_machine_is_inside(run, card):
    assert str(run.samples.root) not in card


@pytest.mark.parametrize(
    ("licence", "said"),
    [
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("unknown", {"license": "unknown"}),
        ("My Own (v2)", {"license": "other", "license_name": "my-own-v2"}),
    ],
)
def test_licences_are_the_hubs(licence, said):
    assert _licence(licence) == said


def test_names_are_text_in_markdown():
    assert plain_in_markdown("a|b *c* <i>\n`d`") == r"a\|b \*c\* &lt;i&gt; \`d\`"
