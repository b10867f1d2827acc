"""Report and audit of photos with several labels in a browser: both languages, both themes, narrow and wide, printed."""

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.reporting.browser import put_pages, reading, serious_faults
from tests.reporting.set_runs import small_set_run
from tsugiki.evaluation.multi_label.evaluate_sets import evaluate_sets
from tsugiki.inspection.audit import Audit
from tsugiki.reporting.audit_page import write_audit_page
from tsugiki.reporting.pages.set_gallery import set_mistakes_in
from tsugiki.reporting.report import write_report

LONG = ("g" * 120, "あ" * 60, "short", "rare")
BOTH = pytest.mark.parametrize("kind", ["report", "audit"])


@pytest.fixture(scope="module")
def pages(tmp_path_factory, browser):  # noqa: ARG001 (skips before anything is drawn)
    """Files by name, and the run behind them."""
    folder = tmp_path_factory.mktemp("pages")
    run = small_set_run(folder / "photos", ("ants", "bees", "wasps", "moths"), count=150, unknown=0.1, noise=2.2)
    long = small_set_run(folder / "long", LONG, unknown=0.2)
    made = {
        "report": write_report(run, name="my run"),
        "audit": write_audit_page(Audit(run.samples, run.table, run.findings, None, "tiny")),
        "long": write_report(long, name="r" * 90),
        "many": write_report(_many(run, 500), name="many"),
    }
    return put_pages(folder, made) | {"run": run}


def _many(run, count):
    """The same run as if it had so many classes."""
    classes = (*run.samples.classes, *(f"class {number} of a great many" for number in range(count)))
    rows, samples, four = run.predictions, run.samples, len(run.samples.classes)

    def wide(values):
        return np.pad(values, ((0, 0), (0, count)))

    thresholds = np.pad(rows.thresholds, ((0, 0), (0, count)), constant_values=0.5)
    probabilities = wide(rows.probabilities)
    probabilities[:, four:] = np.random.default_rng(0).random((len(rows), count)) ** 20
    rows = replace(rows, targets=wide(rows.targets), probabilities=probabilities, thresholds=thresholds, classes=classes)
    several = run.classifier.multi_label
    run.classifier.multi_label = replace(several, thresholds=np.pad(several.thresholds, (0, count), constant_values=0.5))
    run.classifier.classes = classes
    samples = replace(samples, classes=classes, targets=wide(samples.targets))
    evaluation = evaluate_sets(rows, split="test", leaked={})
    assert len(evaluation["per_class"]) == four + count
    return replace(run, predictions=rows, evaluation=evaluation, table=replace(run.table, samples=samples))


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("kind", ["report", "audit", "long", "many"])
@pytest.mark.robust(
    "surface", case="several labels per photo, long names, hundreds of classes", right="nothing is wider than the window"
)
def test_nothing_is_wider_than_the_window(browser, pages, kind, width):
    with reading(browser, width=width) as reader:
        for language in ("en", "ja"):
            reader.open(pages[kind], f"#{language}")
            reader.open_everything()
            assert reader.overflow() <= 0
        assert reader.faults == []


def test_the_table_of_few_classes_needs_no_scrolling_in_a_wide_window(browser, pages):
    with reading(browser) as reader:
        for language in ("en", "ja"):
            page = reader.open(pages["report"], f"#{language}")
            reader.open_everything()
            hidden = page.locator("#score .scroll").evaluate_all("(all) => all.map((one) => one.scrollWidth - one.clientWidth)")
            assert max(hidden) <= 0


@BOTH
def test_the_language_switches_everything(browser, pages, kind):
    japanese = re.compile("[ぁ-んァ-ヶ一-龠]")
    with reading(browser) as reader:
        page = reader.open(pages[kind], "#en")
        reader.open_everything()
        english = {*reader.texts(), *reader.names()}
        page.get_by_text("日本語").click()
        texts = {*reader.texts(), *reader.names()}
        code = page.locator("pre, dd, dt").all_text_contents()
        left = [text for text in english & texts if re.search(r"[a-z]{3,} [a-z]{2,} [a-z]", text) and not japanese.search(text)]
        assert [text for text in left if not any(text in one for one in code)] == []
        assert any("どのクラスでもない" in text for text in texts)


@pytest.mark.long
@BOTH
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.robust(
    "surface", case="pages about several labels checked by axe-core in both languages and themes", right="no serious fault"
)
def test_axe_finds_no_serious_fault(browser, pages, kind, theme):
    with reading(browser) as reader:
        for language in ("en", "ja"):
            page = reader.open(pages[kind], f"#{language}+{theme}")
            reader.open_everything()
            assert serious_faults(page) == []


def test_mistakes_are_found_by_the_label_that_is_wrong(browser, pages):
    mistakes = list(set_mistakes_in(pages["run"].predictions.scored()))
    with reading(browser) as reader:
        page = reader.open(pages["report"], "#en")
        part = page.locator("#mistakes")
        for button in part.locator(".more:visible").all():
            button.click()
        assert part.locator("li:visible").count() == len(mistakes) > 6
        part.get_by_label("Label").select_option("bees")
        assert part.locator("li:visible").evaluate_all("(all) => all.map((one) => one.dataset.name)") == [
            one.name for one in mistakes if one.label == "bees"
        ]
        part.locator("li:visible .enlarge").first.click()
        words = page.get_by_role("dialog").locator("figcaption").inner_text()
        assert re.match(r"It shows: .*\. (Missed: .*\.|Named by mistake: .*\.)", words)


@pytest.mark.parametrize(("kind", "most"), [("report", 6), ("many", 6)])
def test_printed_pages_are_few(browser, pages, kind, most):
    pdfium = pytest.importorskip("pypdfium2")
    with reading(browser) as reader:
        printed = pdfium.PdfDocument(reader.open(pages[kind], "#en").pdf(format="A4", print_background=True))
        try:
            assert 2 <= len(printed) <= most
        finally:
            printed.close()
