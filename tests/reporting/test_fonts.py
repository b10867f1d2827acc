"""Letters in pictures: a font that has them, or an honest stand-in; matplotlib never warns (warnings are errors here)."""

import pytest
from matplotlib.font_manager import FontProperties

from tsugiki.locale.messages import language, tr, use_language
from tsugiki.reporting.plots import fonts
from tsugiki.reporting.plots.figures import encoded, picture


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    caches = (fonts._families, fonts._candidates)
    for cache in caches:
        cache.cache_clear()
    monkeypatch.setattr(fonts, "_told", set())
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def only_dejavu(monkeypatch):
    monkeypatch.setattr(fonts, "_installed", lambda *, thorough: [(fonts.BASE, fonts._base_file())])  # noqa: ARG005


def has_japanese_font():
    return not fonts._families(fonts._JAPANESE - fonts._glyphs(fonts._base_file()))[1]


def draw(title):
    figure = picture(3, 2)
    axes = figure.subplots()
    axes.set_title(title)
    return figure, axes


def test_japanese_is_drawn_by_a_font_that_has_it():
    if not has_japanese_font():
        pytest.skip("no Japanese font on this machine")
    use_language("ja")
    with fonts.legible(["寿司"]):
        assert language() == "ja"
        assert fonts.drawn("寿司") == "寿司"
        figure, axes = draw(tr("Loss") + " 寿司")
    families = axes.title.get_fontfamily()
    assert families[0] == fonts.BASE
    assert len(families) > 1
    assert FontProperties(family=families[1]).get_name() != fonts.BASE
    encoded(figure)


@pytest.mark.usefixtures("only_dejavu")
def test_without_a_font_names_are_boxes_with_numbers_and_titles_english(capsys):
    use_language("ja")
    with fonts.legible(["寿司", "天丼", "pizza"]):
        names = fonts.drawn_names(["寿司", "天丼", "pizza"])
        figure, axes = draw(tr("Loss") + " ".join(names.values()))
    assert names == {"寿司": "□□ #1", "天丼": "□□ #2", "pizza": "pizza"}
    assert axes.get_title().startswith("Loss")
    assert language() == "ja", "the person's language is back"
    encoded(figure)
    assert "fonts-noto-cjk" in capsys.readouterr().err


@pytest.mark.usefixtures("only_dejavu")
def test_the_missing_font_is_mentioned_once(capsys):
    for name in ("寿司", "寿司", "天丼"):
        with fonts.legible([name]):
            pass
    assert capsys.readouterr().err.count("Noto Sans CJK") == 1


@pytest.mark.usefixtures("only_dejavu")
def test_nothing_is_said_where_every_letter_is_there(capsys):
    with fonts.legible(["crème brûlée", "пицца"]):
        encoded(draw("crème brûlée пицца ✓ ✗")[0])
    assert not capsys.readouterr().err


@pytest.mark.parametrize("name", ["a$b$c", "$x^2$", "tab\there", "line\u2028end", "emoji 🍣", "\x07bell", "a_b%c\\d"])
def test_any_folder_name_can_be_drawn(name):
    with fonts.legible([name]):
        shown = fonts.drawn_names([name])[name]
        encoded(draw(shown)[0])
    assert shown.count("$") == shown.count(r"\$"), "a dollar sign would start a formula"


def test_long_names_are_cut_by_columns():
    assert fonts.shorten("abcdef", 6) == "abcdef"
    assert fonts.shorten("abcdefg", 6) == "abcde…"
    assert fonts.shorten("写真写真", 6) == "写真…"
    assert fonts.shorten("写真写", 6) == "写真写"


def test_the_last_resort_of_matplotlib_is_no_font_for_names():
    names = [name for name, _ in fonts._candidates(thorough=True)]
    assert not [name for name in names if name.startswith("Last Resort")]
