"""Pages in headless Chromium: what is asked for, what goes wrong, what a person sees there."""

import json
import shutil
from contextlib import contextmanager

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

_VISIBLE_TEXT = """() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walk.nextNode());) {
    const shown = node.parentElement.checkVisibility({ contentVisibilityAuto: true });
    const text = node.parentElement.closest("script, style, option") ? "" : node.textContent.trim();
    if (shown && text) { found.push(text); }
  }
  return found;
}"""

_NAMES = """() => ["alt", "aria-label", "placeholder"].flatMap((name) =>
  [...document.querySelectorAll(`[${name}]`)].map((one) => one.getAttribute(name)).filter(Boolean))
  .concat([...document.querySelectorAll("option[data-text]")].map((one) => one.textContent))"""


@contextmanager
def chromium():
    """A headless Chromium, or a skip that says what is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install 'tsugiki[dev]'")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


class Reader:
    """Somebody who reads pages, in one window that remembers.

    Args:
        browser: From :func:`chromium`.
        width: Of the window, in pixels.
        language: Of the browser.
        script: Whether the browser runs scripts.
    """

    def __init__(self, browser, *, width=1280, language="en-GB", script=True):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, locale=language, java_script_enabled=script, reduced_motion="reduce"
        )
        self.context.set_default_timeout(60_000)  # on a busy machine nothing is quick
        self.page = self.context.new_page()
        self.asked, self.faults = [], []
        self.page.on("request", lambda request: self.asked.append(request.url[:100]))
        self.page.on("pageerror", lambda fault: self.faults.append(str(fault)))
        self.page.on("console", lambda line: self.faults.append(line.text) if line.type in {"error", "warning"} else None)

    def open(self, path, address=""):
        """Go to a page, with nothing of the last one left."""
        self.page.goto("about:blank")
        self.page.goto(path.as_uri() + address)
        return self.page

    def open_everything(self):
        """Open every part that is closed."""
        self.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")

    def texts(self):
        """Every text that is seen."""
        return self.page.evaluate(_VISIBLE_TEXT)

    def names(self):
        """Every text that is heard instead of something seen, and those of choices."""
        return self.page.evaluate(_NAMES)

    def overflow(self):
        """By how many pixels the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - innerWidth")


@contextmanager
def reading(browser, **how):
    """A :class:`Reader`, gone afterwards."""
    reader = Reader(browser, **how)
    try:
        yield reader
    finally:
        reader.context.close()


def put_pages(folder, texts):
    """Write pages by name; gives their files."""
    files = {name: folder / f"{name}.html" for name in texts}
    for name, text in texts.items():
        files[name].write_text(text, encoding="utf-8")
    return files


def serious_faults(page):
    """What axe-core finds on a page that keeps somebody from using it, and where."""
    found = pytest.importorskip("axe_playwright_python.sync_playwright").Axe().run(page).response
    assert found["testEngine"]["name"] == "axe-core"
    return [
        (one["id"], [json.dumps(node["target"]) for node in one["nodes"][:3]])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
