"""The site as it is built: strictly, in both languages, with links that lead somewhere and nothing from elsewhere."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

from tests.docs_site.pages import PAGES, ROOT
from tests.reporting.browser import reading, serious_faults

pytestmark = pytest.mark.long  # the site is built for all of them

LARGEST = 150_000
"""Bytes of a picture."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built as CONTRIBUTING.md says."""
    for needed in ("mkdocs", "material"):
        pytest.importorskip(needed, reason="the site is not built here: pip install 'tsugiki[docs]'")
    folder = tmp_path_factory.mktemp("built") / "site"
    command = [sys.executable, "-m", "tools.docs_site", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout + done.stderr
    return folder


@dataclass
class Parts(HTMLParser):
    """What a page leads to, what it loads, and the places on it."""

    leads: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    places: set[str] = field(default_factory=set)
    other: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.places |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and found.get("href"):
            (self.other if "other-language" in (found.get("class") or "") else self.leads).append(found["href"])
        elif tag == "link" and found.get("rel") in {"stylesheet", "icon", "preconnect", "preload", "prefetch"}:
            self.loads.append(found["href"])
        elif tag in {"script", "img", "iframe", "source", "video", "audio", "embed"} and found.get("src"):
            self.loads.append(found["src"])


@pytest.fixture(scope="module")
def parts(site):
    """Every page of the site, by its file."""
    found = {}
    for path in sorted(site.rglob("*.html")):
        found[path] = Parts()
        found[path].feed(path.read_text(encoding="utf-8"))
    return found


def names(pages, site, language):
    """Names of the pages of one language."""
    paths = [path.relative_to(site).as_posix() for path in pages]
    inside = [name.removeprefix("ja/") for name in paths if name.startswith("ja/") == (language == "ja")]
    return set(inside) - {"404.html"}


def test_both_languages_have_the_same_pages_and_each_leads_to_its_other(site, parts):
    english, japanese = (names(parts, site, language) for language in ("en", "ja"))
    assert english == japanese
    assert len(english) > 60
    for name in english:
        for here, there in ((site / name, site / "ja" / name), (site / "ja" / name, site / name)):
            (link,) = parts[here].other
            assert (here.parent / link).resolve() == there.resolve()


def test_a_page_has_the_same_parts_in_both_languages(site):
    for page in sorted(path.relative_to(PAGES / "en").with_suffix(".html") for path in (PAGES / "en").rglob("*.md")):
        parts = [
            re.findall(r"<(h[1-6]|li|tr|figure|p|dt|pre|blockquote)[ >]", _article(site / each / page)) for each in ("", "ja")
        ]
        assert parts[0] == parts[1], page


def _article(path):
    return path.read_text(encoding="utf-8").partition("<article")[2].partition("</article>")[0]


def test_every_link_and_anchor_leads_somewhere(parts, site):
    broken, followed = [], 0
    for path, page in parts.items():
        if path.name == "404.html":  # shown at any address: its links begin at the root of a server
            continue
        for link in page.leads:
            address, place = urldefrag(link)
            if urlsplit(address).scheme:
                assert address.startswith("https://"), link
                continue
            target = (path.parent / unquote(address)).resolve() if address else path
            followed += 1
            if target not in parts or (place and unquote(place) not in parts[target].places):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert not broken, "\n".join(sorted(set(broken))[:40])
    assert followed > 5000


def test_nothing_is_loaded_from_another_host(parts, site):
    loads = {load for path, page in parts.items() if path.name != "404.html" for load in page.loads}
    assert loads
    assert not [load for load in loads if urlsplit(load).scheme not in {"", "data"} or load.startswith("//")]
    for path, page in parts.items():
        if path.name != "404.html":
            assert not [load for load in page.loads if not load.startswith("data:") and not (path.parent / load).exists()]
    for style in site.rglob("*.css"):
        addresses = re.findall(r"url\(([^)]*)\)|@import ([^;]*)", style.read_text(encoding="utf-8"))
        assert not [one for pair in addresses for one in pair if "//" in one and "data:" not in one], style.name


def test_no_page_and_no_entry_of_the_navigation_is_without_a_title(parts, site):
    for path in parts:
        text = path.read_text(encoding="utf-8")
        titles = re.findall(r'<span class="md-ellipsis">\s*(.*?)\s*</span>|<title>(.*?)</title>', text, re.DOTALL)
        assert titles, path.relative_to(site)
        assert not [one for one in titles if re.search(r"\bNone\b|\.md\b", "".join(one))], path.relative_to(site)


def test_a_japanese_sentence_is_not_broken_by_a_space(site):
    text = (site / "ja" / "index.html").read_text(encoding="utf-8")
    assert "示します。信頼区間" in text


def test_the_reference_describes_every_public_name_and_every_option(site):
    import tsugiki
    from tsugiki.cli.main import VERBS

    shown = "".join(path.read_text(encoding="utf-8") for path in (site / "reference" / "python").glob("*.html"))
    places = set(re.findall(r'<h[23] id="([\w.]+)"', shown))
    assert set(tsugiki.__all__) - {"__version__"} <= places
    assert {"Classifier.predict", "Run.load", "Samples.from_lists", "TransferClassifier.fit"} <= places
    for language, word in (("", "show this page"), ("ja", "このページを表示")):
        page = (site / language / "reference" / "commands.html").read_text(encoding="utf-8")
        assert {*VERBS, "data", "data-get", "data-list"} <= set(re.findall(r'<h2 id="([\w-]+)"', page))
        assert page.count(word) == len(VERBS) + 4  # each has --help: the program, its verbs, data and its two
        assert "--threshold GOAL" in page


def test_every_decision_and_every_document_has_a_page(site):
    for path in (ROOT / "docs").rglob("*.md"):
        inside = path.relative_to(ROOT / "docs")
        if inside.parts[0] != "site" and not path.name.endswith(".ja.md"):
            assert list(site.rglob(inside.with_suffix(".html").name)), inside


def test_pictures_are_small_and_all_are_shown(parts):
    shown = {(path.parent / load).name for path, page in parts.items() for load in page.loads}
    for language in ("en", "ja"):
        pictures = list((PAGES / language / "images").iterdir())
        assert {picture.name for picture in pictures} <= shown
        assert all(picture.stat().st_size < LARGEST for picture in pictures)
        assert len(pictures) == len(list((PAGES / "en" / "images").iterdir()))


SEEN = ("index.html", "tutorials/foodvision-mini.html", "how-to/audit.html", "reference/python/training.html")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("language", ["", "ja"])
def test_pages_read_well_in_a_browser(site, browser, language, width):
    with reading(browser, width=width) as reader:
        for name in SEEN:
            page = reader.open(site / language / name)
            assert reader.overflow() == 0, name
            assert page.evaluate("[...document.images].every((one) => one.complete && one.naturalWidth > 0)"), name
        assert not reader.faults
        assert not [address for address in reader.asked if not address.startswith(("file:", "data:", "about:", "blob:"))]


@pytest.mark.parametrize("language", ["", "ja"])
def test_nothing_keeps_anybody_from_using_a_page(site, browser, language):
    with reading(browser) as reader:
        for name in ("index.html", "how-to/audit.html"):
            assert not serious_faults(reader.open(site / language / name))


@pytest.mark.parametrize(
    ("language", "words", "found"),
    [
        ("", "leak", "What the numbers mean"),
        ("", "--threshold", "Commands"),
        ("ja", "交差検証", "scikit-learn とともに"),
        ("ja", "疑わしいラベル", "疑わしいラベルを片づける"),
    ],
)
def test_the_search_finds_words_in_pages_that_are_read_from_a_folder(site, browser, language, words, found):
    with reading(browser) as reader:
        page = reader.open(site / language / "index.html")
        page.locator("input[name=query]").click()
        page.keyboard.type(words)
        page.locator(".md-search-result__item").first.wait_for()
        assert found in page.locator(".md-search-result__list").inner_text()
        assert not reader.faults


@pytest.mark.parametrize(("language", "words"), [("", "leak"), ("ja", "交差検証")])
def test_words_that_come_without_a_key_are_searched_for(site, browser, language, words):
    with reading(browser) as reader:
        page = reader.open(site / language / "index.html")
        page.locator("input[name=query]").click()
        page.wait_for_timeout(1500)  # the search is ready: nothing but the words makes it look again
        page.keyboard.insert_text(words)
        page.locator(".md-search-result__item").first.wait_for()


def test_who_searches_before_everything_is_loaded_is_answered(site, browser):
    with reading(browser) as reader:
        late = []

        def hold(route):
            if route.request.frame == reader.page.main_frame and not late:
                late.append(route)  # the page's own; the search's comes at once
            else:
                route.continue_()

        reader.page.route("**/tinyseg.js", hold)
        page = reader.page
        page.goto((site / "ja" / "index.html").as_uri(), wait_until="domcontentloaded")
        page.locator("input[name=query]").click()
        page.keyboard.type("交差検証")
        page.wait_for_timeout(1500)
        assert page.locator(".md-search-result__item").count() == 0
        late.pop().continue_()
        page.locator(".md-search-result__item").first.wait_for()


def test_what_a_warning_is_about_stops_the_build(site, tmp_path):
    del site  # which says what is missing here
    copy = tmp_path / "copy"
    for name in (
        "docs",
        "tools",
        "benchmarks/RESULTS.md",
        "src",
        "mkdocs.yml",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
    ):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).symlink_to(ROOT / name) if name != "docs" else shutil.copytree(ROOT / name, copy / name)
    page = copy / "docs" / "site" / "en" / "about" / "index.md"
    page.write_text(page.read_text(encoding="utf-8") + "\n[nowhere](nowhere.md)\n", encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "built")]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "nowhere.md" in done.stderr
