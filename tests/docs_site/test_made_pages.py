"""What the site's tools make of docstrings, documents and links, without building anything."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.docs_site.pages import PAGES
from tools.docs_site import documents, pictures, python_reference
from tools.docs_site.docstrings import as_markdown, parsed
from tools.docs_site.public_names import definition, public_names

DOCSTRING = """Look at photos.

    More of it, with ``code`` and :func:`tsugiki.load`.

    Args:
        photos: ``N`` of them; the text
            goes on.
        *others: More.

    Returns:
        What was seen.

    Raises:
        DataError: When there is nothing.
    """


def test_a_docstring_is_read_in_its_parts():
    found = parsed(DOCSTRING)
    assert found.about == "Look at photos.\n\nMore of it, with ``code`` and :func:`tsugiki.load`."
    assert found.items["Args"] == {"photos": "``N`` of them; the text\ngoes on.", "*others": "More."}
    assert found.items["Raises"] == {"DataError": "When there is nothing."}
    assert found.texts == {"Returns": "What was seen."}


def test_marks_of_the_source_become_markdown():
    shown = as_markdown(
        "With ``a_b``, 2**32 and <b>, see :func:`tsugiki.load` and :class:`Other`.", {"tsugiki.load": "x.md"}.get
    )
    assert shown == "With `a_b`, 2\\*\\*32 and \\<b\\>, see [`load`](x.md) and `Other`."


def test_every_public_name_has_its_signature_as_python_has_it():
    """Against what Python itself says; the source is read without importing it."""
    import inspect

    import tsugiki

    for name, module in public_names():
        own, real = definition(name, module), getattr(tsugiki, name)
        expected = [each.name for each in inspect.signature(real).parameters.values()]
        assert [each.name.lstrip("*") for each in own.parameters if each.name not in {"*", "/"}] == expected, name


def test_every_argument_that_a_docstring_names_is_one():
    for name, module in public_names():
        one = definition(name, module)
        for each in (one, *one.members):
            named = {argument.lstrip("*") for argument in parsed(each.docstring).items.get("Args", {})}
            assert named <= {parameter.name.lstrip("*") for parameter in each.parameters}, f"{name}: {each.name}"


def test_defaults_are_values_and_no_names_that_a_reader_would_have_to_look_up():
    defaults = {
        f"{name}.{parameter.name}": parameter.default
        for name, module in public_names()
        for parameter in definition(name, module).parameters
    }
    assert defaults["Classifier.backbone"] == "'efficientnet_b0'"
    assert defaults["audit.seed"] == "42"
    assert defaults["TransferClassifier.lr"] == defaults["HeadSettings.lr"] != ""
    assert not [name for name, default in defaults.items() if re.search(r"[A-Z]{2}", default.partition("'")[0])]


def test_every_public_name_has_its_page():
    pages = {path.stem for path in (PAGES / "en" / "reference" / "python").glob("*.md")} - {"index"}
    assert sorted(one.name for page in pages for one in python_reference.names_of(page)) == sorted(
        name for name, _ in public_names()
    )


@pytest.mark.parametrize(
    ("path", "place", "text", "expected"),
    [
        (
            "docs/from-the-article.md",
            "tutorials/from-the-article.md",
            "[日本語](from-the-article.ja.md)",
            "[日本語](from-the-article.md)",
        ),
        ("docs/site/en/how-to/x.md", "how-to/x.md", "[d](../../../errors.md#a)", "[d](../reference/errors.md#a)"),
        ("docs/decisions/0001-x.md", "explanation/decisions/0001-x.md", "[a](../../src/tsugiki)", "a (`src/tsugiki`)"),
        ("CONTRIBUTING.md", "about/contributing.md", "[`src/tsugiki`](src/tsugiki)", "`src/tsugiki`"),
        ("CONTRIBUTING.md", "about/contributing.md", "[w](https://example.org/a)", "[w](https://example.org/a)"),
        ("CONTRIBUTING.md", "about/contributing.md", "```\n[d](docs/errors.md)\n```", "```\n[d](docs/errors.md)\n```"),
        ("CONTRIBUTING.md", "about/contributing.md", "[gone](gone.md)", "[gone](gone.md)"),
    ],
)
def test_links_of_the_repository_lead_to_pages_of_the_site(path, place, text, expected):
    assert documents.Links({"how-to/x.md"}).rewritten(text, path, place) == expected


def test_japanese_paragraphs_are_joined_and_nothing_else():
    blocks = [
        "一行目です。\n二行目。",
        "- 項目。\n- 項目。",
        "1. 一番。\n2. **二番。**",
        "| 表 |\n|---|",
        "```text\n出力\n出力\n```",
    ]
    text = "\n\n".join(blocks) + "\n"
    assert documents.without_breaks(text) == text.replace("です。\n", "です。")


def test_every_picture_of_the_pages_has_what_makes_it():
    made = {f"{name}.{ending}" for name, (_, ending) in pictures.PICTURES.items()}
    for language in ("en", "ja"):
        assert {path.name for path in (PAGES / language / "images").iterdir()} == made
