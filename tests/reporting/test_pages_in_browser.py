"""The report and the page of an audit as people use them: by keyboard and mouse, on a telephone, printed, in both languages."""

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.reporting.browser import put_pages, reading, serious_faults
from tests.reporting.runs import small_run
from tsugiki.evaluation.metrics import softmax
from tsugiki.evaluation.predictions import evaluate_rows
from tsugiki.inspection.audit import Audit
from tsugiki.inspection.findings import find
from tsugiki.locale.messages import tr
from tsugiki.reporting.audit_page import write_audit_page
from tsugiki.reporting.report import write_report

LONG = ("g" * 120, "あ" * 60, "short")
REPORT_AND_AUDIT = pytest.mark.parametrize("kind", ["report", "audit"])


@pytest.fixture(scope="module")
def pages(tmp_path_factory, browser):  # noqa: ARG001 (skips before anything is drawn)
    """Files by name, and the run behind them."""
    folder = tmp_path_factory.mktemp("pages")
    run = _hard(small_run(folder / "photos", ("ants", "bees", "wasps"), count=180))
    table = replace(run.table, samples=replace(run.samples, decisions=(tr("Every file that was found could be used."),)))
    run = replace(run, table=table)
    long = small_run(folder / "long", LONG)
    made = {
        "report": write_report(run, name="my run"),
        "audit": _audited(run),
        "long": write_report(long, name="r" * 90),
        "long audit": _audited(long),
        "many": write_report(_many(run, 1000), name="many"),
    }
    return put_pages(folder, made) | {"run": run}


def _hard(run):
    """The same run, wrong about every third photo: more mistakes than are shown at once."""
    rows = run.predictions
    probabilities = rows.probabilities.copy()
    probabilities[1:] = probabilities[1:, [1, 2, 0]]
    rows = replace(rows, probabilities=probabilities)
    return replace(run, predictions=rows, evaluation=evaluate_rows(rows, split="val", temperature=1.3, leaked={}))


def _audited(run):
    table = run.table
    findings = find(table, table.samples.train_rows, softmax(run.out_of_fold))
    return write_audit_page(Audit(run.samples, table, findings, 0.9, "tiny"))


def _many(run, count):
    """The same run as if it had a thousand classes."""
    classes = tuple(f"class {number} of a great many" for number in range(count))
    rows = run.predictions
    probabilities = np.zeros((len(rows), count))
    probabilities[:, :3] = rows.probabilities
    rows = replace(rows, probabilities=probabilities, classes=classes)
    samples = replace(run.samples, classes=classes)
    run.classifier.classes = classes
    evaluation = evaluate_rows(rows, split="val", temperature=None)
    return replace(run, predictions=rows, evaluation=evaluation, table=replace(run.table, samples=samples))


@REPORT_AND_AUDIT
@pytest.mark.robust("surface", case="a page opened from a disk", right="it asks for nothing and no script fails")
def test_a_page_asks_for_nothing(browser, pages, kind):
    with reading(browser) as reader:
        reader.open(pages[kind])
        reader.open_everything()
        for button in reader.page.locator(".more:visible").all():
            button.click()
        assert [url for url in reader.asked if not url.startswith(("data:", "about:"))] == [pages[kind].as_uri()]
        assert reader.faults == []


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("kind", ["report", "audit", "long", "long audit", "many"])
@pytest.mark.robust(
    "surface", case="long names and a thousand classes on a telephone", right="nothing is wider than the window"
)
def test_nothing_is_wider_than_the_window(browser, pages, kind, width):
    with reading(browser, width=width) as reader:
        for language in ("en", "ja"):
            reader.open(pages[kind], f"#{language}")
            assert reader.overflow() <= 0
            reader.open_everything()
            assert reader.overflow() <= 0


@REPORT_AND_AUDIT
@pytest.mark.robust("surface", case="a window of 1280 pixels", right="the page uses its width: no third stays blank")
def test_no_third_of_a_wide_window_is_blank(browser, pages, kind):
    with reading(browser) as reader:
        reader.open(pages[kind])
        left, right = reader.page.evaluate(
            """() => { const boxes = [...document.querySelectorAll("nav a, h1, .glance li, .photos img, p, svg")]
                 .map((one) => one.getBoundingClientRect()).filter((box) => box.width);
               return [Math.min(...boxes.map((box) => box.left)), Math.max(...boxes.map((box) => box.right))]; }"""
        )
        assert left < 0.08 * 1280
        assert right > 0.92 * 1280


@REPORT_AND_AUDIT
@pytest.mark.robust("surface", case="a run made in English, read in Japanese", right="findings, charts and names of photos too")
def test_the_language_switches_everything(browser, pages, kind):
    japanese = re.compile("[ぁ-んァ-ヶ一-龠]")
    with reading(browser) as reader:
        page = reader.open(pages[kind])
        reader.open_everything()
        english = {*reader.texts(), *reader.names()}
        page.get_by_text("日本語").click()
        texts, names = reader.texts(), reader.names()
        assert page.evaluate("document.documentElement.lang") == "ja"
        assert "見つかったファイルは、すべて使えました。" in texts
        assert any(name.startswith("ラベルは") for name in names)
        assert "正解率" in texts  # on an axis
        # What has no Japanese says the same in both languages: names of classes and files, numbers, commands.
        for text in (*texts, *names):
            assert japanese.search(text) or text in english
        english_only = [text for text in english if not japanese.search(text) and re.search(r"[a-z]{3,} [a-z]{2,} [a-z]", text)]
        code = set(page.locator("pre, dd, dt").all_text_contents())
        assert not [text for text in english_only if text in texts and not any(text in one for one in code)]
        page.get_by_text("English").click()
        assert {*reader.texts(), *reader.names()} == english


@pytest.mark.robust("surface", case="language and colours chosen once", right="remembered, on the next page too")
def test_what_was_chosen_is_remembered(browser, pages):
    with reading(browser) as reader:
        page = reader.open(pages["report"])
        page.get_by_text("日本語").click()
        page.locator("label[for=theme-dark]").click()
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        for kind in ("report", "audit"):
            page = reader.open(pages[kind])
            assert page.locator("#say-ja").is_checked()
            assert page.locator("#theme-dark").is_checked()
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
        assert reader.open(pages["report"], "#en+light").locator("#say-en").is_checked()


@pytest.mark.robust("surface", case="a browser that may keep nothing", right="the page works and begins in its language")
def test_where_nothing_may_be_kept_the_page_works(browser, pages):
    with reading(browser, language="ja-JP") as reader:
        reader.page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })")
        page = reader.open(pages["report"])
        assert page.locator("#say-ja").is_checked()
        page.get_by_text("English").click()
        assert "Its mistakes" in reader.texts()
        assert reader.faults == []


@pytest.mark.robust("surface", case="a browser without scripts", right="every photo, and both languages")
def test_without_scripts_everything_is_there(browser, pages):
    with reading(browser, script=False) as reader:
        page = reader.open(pages["report"])
        assert page.locator("#mistakes li img").count() == page.locator("#mistakes li:visible").count() > 24
        assert not page.locator(".tools").first.is_visible()
        page.get_by_text("日本語").click()
        assert page.get_by_role("heading", name="どう間違えたか").is_visible()
        assert not page.get_by_role("heading", name="Its mistakes").is_visible()


@REPORT_AND_AUDIT
@pytest.mark.robust(
    "surface", case="photos enlarged by keyboard", right="a dialog that keeps the focus, arrows, Escape, and back"
)
def test_photos_are_enlarged_by_keyboard(browser, pages, kind):
    with reading(browser) as reader:
        page = reader.open(pages[kind])
        photos = page.locator({"report": "#mistakes", "audit": "#suspects"}[kind] + " .enlarge")
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        count = photos.count()
        photos.first.focus()
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="The photo, enlarged")
        assert dialog.is_visible()
        first = dialog.locator("figcaption").inner_text()
        assert re.match(r"labelled \w+, (answered \w+ \d+%|looks like \w+)\n", first)
        assert first.endswith(f"\n1 / {count}")
        assert dialog.get_by_role("img").get_attribute("alt") == first.splitlines()[0]
        for keys, place in (("ArrowRight", 2), ("ArrowLeft ArrowLeft", count), ("Home", 1), ("End", count), ("ArrowRight", 1)):
            for key in keys.split():
                page.keyboard.press(key)
            assert dialog.locator("figcaption").inner_text().endswith(f"\n{place} / {count}")
        page.keyboard.press("ArrowRight")
        reached = set()
        for key in ["Tab"] * 4 + ["Shift+Tab"] * 4:
            page.keyboard.press(key)
            reached.add(page.evaluate("document.activeElement.closest('dialog') && document.activeElement.ariaLabel"))
        assert reached == {"Close", "Previous photo", "Next photo"}
        page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
        # What was seen last has the focus; the page is told of the end of the dialog a moment later.
        photos.nth(1).and_(page.locator(":focus")).wait_for()
        page.keyboard.press("Enter")
        page.keyboard.press("End")
        page.keyboard.press("Escape")
        page.locator("li:last-child > .enlarge:focus").wait_for()  # also where only the first were shown
        assert reader.faults == []


@pytest.mark.robust("surface", case="more mistakes than fit on a page", right="all of them are there, sorted and filtered")
def test_every_mistake_is_there_sorted_and_filtered(browser, pages):
    run = pages["run"]
    wrong = run.evaluation["n"] - run.evaluation["correct"]
    with reading(browser) as reader:
        page = reader.open(pages["report"])
        part = page.locator("#mistakes")
        shown, status = part.locator("li:visible"), part.get_by_role("status")
        assert (shown.count(), status.inner_text()) == (24, f"24 of {wrong} shown")
        part.get_by_role("button", name=f"Show {wrong - 24} more").click()
        assert shown.count() == wrong
        assert page.evaluate("document.activeElement.closest('li') !== null")
        names = shown.evaluate_all("(all) => all.map((one) => one.dataset.name)")
        assert sorted(names) == sorted(
            name for name, right in zip(run.predictions.names, run.predictions.correct, strict=True) if not right
        )
        part.get_by_label("Label").select_option("bees")
        bees = [name for name in names if "/bees/" in name]
        assert shown.evaluate_all("(all) => all.map((one) => one.dataset.name)") == bees
        part.get_by_label("Order").select_option("by file name")
        numbers = [
            int(re.search(r"(\d+)\.png", name)[1]) for name in shown.evaluate_all("(all) => all.map((one) => one.dataset.name)")
        ]
        assert numbers == sorted(numbers)
        part.get_by_label("Search files and classes").fill(f" {numbers[0]}.PNG")
        assert shown.count() == sum(name.endswith(f" {numbers[0]}.png") for name in bees) == 1
        assert status.inner_text() == f"1 of {wrong} shown"


@REPORT_AND_AUDIT
@pytest.mark.robust(
    "surface", case="a reader of tables and charts by ear", right="every picture has words, every heading a scope"
)
def test_what_is_seen_is_said_too(browser, pages, kind):
    with reading(browser) as reader:
        page = reader.open(pages[kind])
        assert page.locator("th:not([scope])").count() == 0
        assert page.locator("svg:not([aria-label])").count() == page.locator("img:not([alt]), img[alt='']").count() == 0
        charts = page.locator("svg[role=img]").evaluate_all("(all) => all.map((one) => one.ariaLabel)")
        assert charts
        assert all(re.search(r"\d+%|\d\.\d", chart) for chart in charts)
        assert page.locator(".run b").inner_text() == {"report": "my run", "audit": "photos"}[kind]
        assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d", page.locator(".run time").inner_text())


@REPORT_AND_AUDIT
def test_links_open_the_part_they_lead_to(browser, pages, kind):
    with reading(browser) as reader:
        page = reader.open(pages[kind])
        part = page.locator("#more > details")
        assert not part.evaluate("(one) => one.open")
        page.locator(".glance a[href='#more']").click()
        page.locator("#more > details[open]").wait_for()


@pytest.mark.long
@REPORT_AND_AUDIT
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.robust(
    "surface", case="pages checked by axe-core in both languages and themes", right="no serious or critical fault"
)
def test_axe_finds_no_serious_fault(browser, pages, kind, theme):
    with reading(browser) as reader:
        for language in ("en", "ja"):
            page = reader.open(pages[kind], f"#{language}+{theme}")
            reader.open_everything()
            assert serious_faults(page) == []
        if theme == "dark":
            page.locator(".enlarge").first.click()
            assert serious_faults(page) == []


@pytest.mark.parametrize(("kind", "most"), [("report", 5), ("audit", 4), ("many", 5)])
@pytest.mark.robust("surface", case="a printed page", right="a handful of sheets, none of them two thirds empty but the last")
def test_printed_pages_are_few_and_filled(browser, pages, kind, most):
    pdfium = pytest.importorskip("pypdfium2")
    with reading(browser) as reader:
        printed = pdfium.PdfDocument(reader.open(pages[kind], "#en+dark").pdf(format="A4", print_background=True))
        try:
            assert 2 <= len(printed) <= most
            filled = [_filled(sheet) for sheet in printed]
        finally:
            printed.close()
        assert min(filled[:-1]) > 0.6
        assert filled[-1] > 0.05


def _filled(sheet):
    """How far down the sheet something is printed: 0 to 1."""
    pixels = sheet.render(scale=0.25, grayscale=True).to_numpy()
    return (np.flatnonzero((pixels < 250).reshape(len(pixels), -1).any(axis=1)).max() + 1) / len(pixels)
