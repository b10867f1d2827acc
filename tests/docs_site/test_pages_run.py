"""Every block of code on the pages of the site runs; the pages of both languages hold the same ones."""

import os
import re
import shutil
import socket
import tomllib

import pytest

from tests.docs_site.pages import ENGLISH, PAGES, ROOT, RUN, Reader, assert_shown, blocks, commands, without_remarks
from tsugiki.locale import messages
from tsugiki.locale.messages import use_language

_BEGINNING = "how-to/index.md"
"""Its blocks make the photos and the run that the other pages of its folder begin with."""

_ASK_A_SERVER = {"how-to/serve.md", "how-to/studio.md"}
_LONG = {"how-to/cluster.md": "starts a cluster of processes on this machine, and a process anew for every command"}

WITH_CODE = [page for page in ENGLISH if any(kind in RUN for kind, _ in blocks("en", page)) and page != _BEGINNING]


@pytest.fixture(scope="module")
def world(drawn_sample, compiled, tmp_path_factory):
    """A cache in which the sample is drawn and the bundled backbone compiled, as on a machine that has run the demo."""
    cache = tmp_path_factory.mktemp("cache")
    shutil.copytree(drawn_sample, cache / "samples" / drawn_sample.name, copy_function=os.link)
    shutil.copytree(compiled, cache / "engines", copy_function=os.link)
    return cache


@pytest.fixture(scope="module")
def begun(world, tmp_path_factory):
    """The folder that a reader has who followed the first page of the how-to guides."""
    folder = tmp_path_factory.mktemp("begun")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSUGIKI_CACHE", str(world))
        patch.chdir(folder)
        assert Reader(folder).follow(_BEGINNING) == 1
    return folder


@pytest.fixture
def reader(request, world, tmp_path, monkeypatch):
    """A reader of one page, with what they have when they come to it."""
    page, language = (request.node.callspec.params.get(name, "en") for name in ("page", "language"))
    folder = tmp_path / "here"
    if page == "how-to/serve.md" and shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    if page.startswith("how-to/"):
        shutil.copytree(request.getfixturevalue("begun"), folder, copy_function=os.link)
    else:
        folder.mkdir()
    monkeypatch.setenv("TSUGIKI_CACHE", str(world))
    monkeypatch.chdir(folder)
    monkeypatch.setattr(messages, "_from_locale", lambda: language)
    use_language(None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        reader = Reader(folder, language, port=free.getsockname()[1] if page in _ASK_A_SERVER else 0)
    yield reader
    reader.leave()


@pytest.mark.long
@pytest.mark.parametrize("page", [pytest.param(page, marks=pytest.mark.slow) if page in _LONG else page for page in WITH_CODE])
def test_every_block_of_a_page_runs_and_prints_what_the_page_shows(page, reader):
    assert reader.follow(page) == sum(kind in RUN for kind, _ in blocks("en", page))


@pytest.mark.slow
@pytest.mark.parametrize("language", ["ja"])
@pytest.mark.parametrize("page", [page for page in WITH_CODE if page not in _LONG])
def test_the_program_says_in_japanese_what_the_japanese_pages_show(page, language, reader):
    assert reader.follow(page) == sum(kind in RUN for kind, _ in blocks(language, page))


def test_a_block_is_read_as_a_shell_reads_it():
    block = "# first\nmkdir a\ncat > b <<'END'\none\n# two\nEND\ntsugiki fit a \\\n  --out b\n"
    assert commands(block) == ["mkdir a", "cat > b <<'END'\none\n# two\nEND", "tsugiki fit a \\\n  --out b"]


def test_what_a_page_shows_has_to_be_printed_in_that_order_with_any_numbers():
    printed = "photos: 300\n  right  96.0%\nrest\n"
    assert_shown("photos: 12\n...\nright 7.5%\n", printed, "page")
    for shown in ("right 96.0%\nphotos: 300\n", "photos: many\n", "photos: 300\nphotos: 300\n"):
        with pytest.raises(AssertionError, match="not printed here"):
            assert_shown(shown, printed, "page")


def test_both_languages_have_the_same_pages():
    assert sorted(path.relative_to(PAGES / "ja").as_posix() for path in (PAGES / "ja").rglob("*.md")) == ENGLISH
    assert len(WITH_CODE) > 12


@pytest.mark.parametrize("page", ENGLISH)
def test_a_page_holds_the_same_blocks_in_both_languages(page):
    english, japanese = ([(kind, text) for kind, text in blocks(language, page)] for language in ("en", "ja"))
    assert [kind for kind, _ in english] == [kind for kind, _ in japanese]
    for (kind, one), (_, other) in zip(english, japanese, strict=True):
        assert kind not in RUN or without_remarks(one) == without_remarks(other)


def test_what_is_to_be_installed_can_be():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    asked = {
        command
        for page in ENGLISH
        for kind, text in blocks("en", page)
        if kind == "bash"
        for command in commands(text)
        if command.startswith("pip")
    }
    assert asked
    for command in asked:
        named = re.fullmatch(r"pip install (?:'tsugiki(?:\[([\w,]+)\])?'|\.)(?:  #.*)?", command)
        assert named, command
        assert set(filter(None, (named[1] or "").split(","))) <= set(extras)


def test_no_block_of_code_is_of_a_kind_that_nobody_looks_at():
    for page in ENGLISH:
        text = (PAGES / "en" / page).read_text(encoding="utf-8")
        assert {kind for kind, _ in blocks("en", page)} <= {*RUN, "text", "json", "csv"}, page
        assert text.count("```") == 2 * len(blocks("en", page)), f"{page}: a fence is indented or not closed"
