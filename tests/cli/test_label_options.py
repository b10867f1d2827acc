"""What is typed about labels goes where photos are listed; what is asked about labels is answered by what can be typed."""

import pytest

from tests.data.test_several_labels import rows
from tsugiki.core.errors import RequestError
from tsugiki.data import load
from tsugiki.data.label_sets import LabelReading

OFFLINE = ("--backbone", "bundled:nae")


@pytest.fixture
def photos(tmp_path):
    """A table whose labels have a sign between them that nobody has named; what it names is never looked at."""
    path = tmp_path / "list.csv"
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(b"")
    path.write_text(rows("1.png,cat", "2.png,cat;dog"))
    return path


@pytest.mark.robust(
    "surface", case="labels such as cat;dog on the command line", right="refused with the option to type, in both languages"
)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_option_is_named_as_it_is_typed(tsu, photos, language):
    status, _, err = tsu("--lang", language, "fit", photos, *OFFLINE)
    assert status == 2
    assert "--label-separator ';'" in err


def test_one_photo_in_two_rows_names_the_switch(tsu, photos):
    photos.write_text(rows("1.png,cat", "1.png,dog"))
    status, _, err = tsu("fit", photos, *OFFLINE)
    assert status == 2
    assert "may have several labels, add --multi-label\n" in err


@pytest.mark.parametrize("verb", [("fit", *OFFLINE), ("audit", *OFFLINE), ("lr", "bundled:nae")])
@pytest.mark.parametrize(
    ("words", "reading"),
    [
        ((), LabelReading()),
        (("--multi-label",), LabelReading(multi_label=True)),
        (("--label-separator", " "), LabelReading(separator=" ")),
    ],
)
def test_what_is_typed_reaches_the_table(tsu, photos, monkeypatch, verb, words, reading):
    def asked(_, how):
        raise RequestError(f"read as {how}")

    monkeypatch.setattr(load, "list_photos", asked)
    status, _, err = tsu(*verb, photos, *words)
    assert status == 2
    assert f"read as {reading}" in err


@pytest.mark.parametrize("verb", [("fit",), ("audit",), ("lr", "bundled:nae")])
def test_an_empty_separator_is_refused_before_anything_is_loaded(tsu, photos, verb):
    status, _, err = tsu(*verb, photos, "--label-separator", "")
    assert status == 2
    assert "--label-separator is empty" in err
    assert "Loading the backbone" not in err
