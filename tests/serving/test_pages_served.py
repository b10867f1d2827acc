"""The pages of the server as people use them: by mouse and keyboard, on a telephone, in both languages, and read aloud."""

import pytest

from tests.reporting.browser import reading


@pytest.fixture
def reader(browser):
    with reading(browser) as reader:
        yield reader


@pytest.mark.robust("surface", case="the page of the server", right="it asks nobody but the server, and no script fails")
def test_a_photo_is_dropped_and_answered(browser, served, photos):
    for language, title, answer in (("en-GB", "What is on the photo?", "Answers"), ("ja-JP", "写真に写っているのは?", "答え")):
        with reading(browser, language=language, width=390) as reader:
            page = reader.page
            page.goto(served.url)
            assert page.locator("h1").inner_text() == title
            page.set_input_files("#photos", [str(path) for path in photos[:2]])
            page.locator("#answers dl").nth(1).wait_for()
            assert page.locator("#answers .answer").first.inner_text()
            assert page.locator("#answers-title").inner_text() == answer
            assert page.locator("#answers dt").all_inner_texts()[0] in {"pizza", "steak", "sushi"}
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            page.goto(served.url + "docs")
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            assert not reader.faults
            assert all(url.startswith((served.url, "blob:")) for url in reader.asked)


def test_an_unreadable_photo_is_told_in_the_card(reader, served, tmp_path):
    (tmp_path / "notes.jpg").write_text("<img src=x onerror=alert(1)>")
    page = reader.page
    page.goto(served.url)
    page.set_input_files("#photos", str(tmp_path / "notes.jpg"))
    page.locator("#answers .unsure").wait_for()
    assert page.locator("#answers .unsure").inner_text() == "None of these photos can be read."
    assert "notes.jpg: a text file" in page.locator("#answers .why").inner_text()


def test_a_dropped_and_a_pasted_photo_are_asked_about(reader, served, photos):
    page = reader.page
    page.goto(served.url)
    content = list(photos[0].read_bytes())
    give = """(element, [content, kind, field]) => {
      const carried = new DataTransfer();
      carried.items.add(new File([new Uint8Array(content)], `${kind}.jpg`, { type: "image/jpeg" }));
      element.dispatchEvent(new (kind === "paste" ? ClipboardEvent : DragEvent)(kind, { [field]: carried, bubbles: true }));
    }"""
    page.locator(".drop").evaluate(give, [content, "drop", "dataTransfer"])
    page.locator("#answers dl").wait_for()
    page.locator("body").evaluate(give, [content, "paste", "clipboardData"])
    page.locator("#answers dl").nth(1).wait_for()
    assert page.locator("#answers .name").all_inner_texts() == ["paste.jpg", "drop.jpg"]


def test_the_keyboard_alone_is_enough(reader, served):
    page = reader.page
    page.goto(served.url)
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert {"Try a photo", "Addresses", "Metrics", "English", "日本語", "theme-auto", "photos"} <= set(reached)
    page.locator("#theme-auto").focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


@pytest.mark.long
def test_a_screen_reader_finds_nothing_missing(browser, served, photos):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme, bypass_csp=True)  # axe-core is a script of the test's own
        try:
            page = context.new_page()
            page.goto(served.url)
            page.set_input_files("#photos", str(photos[0]))
            page.locator("#answers dl").wait_for()
            for path in ("", "docs", "nothing"):
                if path:
                    page.goto(served.url + path)
                found = axe.run(page).response["violations"]
                assert not found, [(one["id"], one["nodes"][0]["html"]) for one in found]
        finally:
            context.close()


def test_without_scripts_the_page_says_how_programs_ask(browser, served):
    with reading(browser, script=False) as reader:
        reader.page.goto(served.url)
        assert "Programs ask at /v1/predict." in reader.page.locator("noscript").inner_text()


def test_the_language_can_be_chosen(reader, served):
    page = reader.page
    page.goto(served.url)
    page.get_by_role("link", name="日本語").click()
    assert page.locator("html").get_attribute("lang") == "ja"
    assert page.locator("h1").inner_text() == "写真に写っているのは?"
    page.get_by_role("link", name="アドレス").click()
    assert page.locator("h1").inner_text() == "プログラムからのたずね方"
