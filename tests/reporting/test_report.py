"""The report: one file that asks for nothing, in two languages, whatever classes and files are called."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources

import pytest
from markupsafe import escape

from tests.reporting.runs import small_run
from tsugiki.data.sources.listing import LeftOut
from tsugiki.locale.messages import first_few, said_again, speaking, tr
from tsugiki.reporting.report import write_report

EVIL = ('<img src=x onerror="alert(1)">', "猫\"'&</style><script>alert(2)</script>", "{{ 7*7 }}")
VOID = {"meta", "img", "input", "br"}


class Reader(HTMLParser):
    """Reads a page strictly: every tag that opens closes, in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.faults, self.texts = [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append((tag, self.getpos()))

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"style", "script"}:
            self.texts.append(data)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small_run(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def page(run):
    return write_report(run, name="my run")


@pytest.fixture(scope="module")
def evil_page(tmp_path_factory):
    run = small_run(tmp_path_factory.mktemp("photos"), EVIL)
    return write_report(run, name='"><script>alert(3)</script>')


def test_every_tag_that_opens_closes(page, evil_page):
    for text in (page, evil_page):
        read = Reader(text)
        assert (read.faults, read.open) == ([], [])


def test_nothing_is_fetched(page):
    for tag, attributes in Reader(page).tags:
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            value = attributes.get(name, "")
            assert value == "" or value.startswith(("data:image/jpeg;base64,", "#")), (tag, value[:80])
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search(r"https?://", page)


def test_the_policy_allows_our_script_and_no_other(page):
    import base64
    import hashlib

    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(attributes["content"] for tag, attributes in Reader(page).tags if "http-equiv" in attributes)
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_names_that_look_like_html_are_text(evil_page):
    read = Reader(evil_page)
    assert len([tag for tag, _ in read.tags if tag == "script"]) == 1
    assert not [attributes for tag, attributes in read.tags if tag == "img" and not attributes["src"].startswith("data:")]
    assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)
    said = "".join(read.texts)
    assert EVIL[0] in said
    assert EVIL[2] in said
    assert "<i>with tags</i>" in said


def test_every_sentence_stands_in_both_languages(page):
    spans = re.findall(r'<span lang="(..)">(.*?)</span>', page)
    assert [language for language, _ in spans] == ["en", "ja"] * (len(spans) // 2)
    assert len(spans) > 100
    for (_, english), (_, japanese) in zip(spans[::2], spans[1::2], strict=True):
        assert not re.search("[ぁ-んァ-ヶ]", english)
        assert re.search("[ぁ-んァ-ヶ一-龠]", japanese), japanese


@pytest.mark.robust("surface", case="a run made in English, read in Japanese", right="findings, charts and names of photos too")
def test_what_was_decided_and_left_out_is_said_to_the_reader(run):
    samples = replace(
        run.samples,
        decisions=(tr("The folder {folder} holds no photos: it is no class.", folder="<b>"),),
        warnings=(tr("Only one training photo: {classes}.", classes=first_few(list("abcdefg"))),),
        left_out=(LeftOut(tr("row {number}", number=3), tr("row {number} has no path or no label", number=3)),),
    )
    page = write_report(replace(run, table=replace(run.table, samples=samples)), name="x")
    for english in (samples.decisions[0], samples.warnings[0], samples.left_out[0].name, samples.left_out[0].reason):
        with speaking("ja"):
            japanese = said_again(english)
        assert english != japanese
        assert f'<span lang="en">{escape(english)}</span><span lang="ja">{escape(japanese)}</span>' in page


@pytest.mark.parametrize("template", ["base", "parts", "report", "audit"])
def test_templates_hold_no_words_of_their_own(template):
    folder = resources.files("tsugiki.reporting").joinpath("pages", "templates")
    text = folder.joinpath(f"{template}.html.j2").read_text(encoding="utf-8")
    bare = re.sub(r"<(pre|style|script)>.*?</\1>|\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", " ", text, flags=re.DOTALL)
    assert set(re.findall(r"[^\W\d_]+", bare)) <= {"tsugiki", "接ぎ木", "English", "日本語"}


def test_every_sentence_is_used_somewhere(run):
    from tsugiki.reporting.report import _glance, _sentences

    folder = resources.files("tsugiki.reporting").joinpath("pages", "templates")
    templates = "".join(entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".j2"))
    used = set(re.findall(r"say\.(\w+)", templates)) | {one["key"] for one in _glance(run)}
    assert set(_sentences(run, "x")) <= used


def test_the_page_begins_in_the_language_in_use(run):
    with speaking("ja"):
        assert '<html lang="ja">' in write_report(run, name="x")
    assert '<html lang="en">' in write_report(run, name="x")


def test_its_numbers_are_those_of_the_run(run, page):
    assert f"{100 * run.evaluation['accuracy']:.1f}<small>%" in page
    assert "Held-out photos with a twin in another split: 1." in page
    wrong = run.evaluation["n"] - run.evaluation["correct"]
    assert page.count("✗&#160;") == wrong


def test_its_size_stays_small_and_no_path_of_this_machine_is_inside(run, page):
    assert len(page) < 1_500_000
    assert str(run.samples.root) not in page


def test_many_classes_get_a_list_instead_of_a_matrix(tmp_path):
    run = small_run(tmp_path, tuple(f"class {number}" for number in range(20)), count=200)
    page = write_report(run, name="many")
    assert "matrix" not in re.sub("<style>.*?</style>", "", page, flags=re.DOTALL)
    assert Reader(page).faults == []


def test_a_run_without_suspects_leaks_or_photos_is_told_too(tmp_path):
    import shutil

    run = small_run(tmp_path, leaky=False)
    shutil.rmtree(tmp_path / "val")
    page = write_report(run, name="x")
    assert "No held-out photo has a twin among the others." in page
    assert Reader(page).faults == []
