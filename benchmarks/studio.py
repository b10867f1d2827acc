"""How long a person waits in the studio: from a key that changes a label to the new accuracy on the page, in a browser.

    python benchmarks/studio.py [--photos 1000] [--labels 30]

Draws the photos, opens the studio on them in headless Chromium, learns, and relabels one photo after the other. Told: the time
from the key to the frame that shows the accuracy of heads that know of the change, and to that of a fit from nothing after it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.core.devices import usable_cores
from tsugiki.data.synthetic.sample import DISHES, draw_photo
from tsugiki.serving.server import Address, Server
from tsugiki.serving.studio.learner import Network
from tsugiki.serving.studio.studio_app import studio_application
from tsugiki.serving.studio.studio_session import Studio, table_for

RELABEL = """(key) => new Promise((done) => {
  const accuracy = document.getElementById("accuracy");
  const before = Number(accuracy.dataset.learned);
  new MutationObserver((_, observer) => {
    if (Number(accuracy.dataset.learned) <= before) return;
    observer.disconnect();
    requestAnimationFrame(() => done(performance.now() - start));
  }).observe(accuracy, { attributes: true });
  const start = performance.now();
  document.getElementById("grid").dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
})"""


def draw(folder: Path, count: int) -> None:
    """Photos of three classes, in class folders."""
    for number in range(count):
        dish = list(DISHES)[number % len(DISHES)]
        path = folder / dish / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw_photo(dish, number))


def settled(page: Any) -> None:
    """Wait until what is shown is of a fit from nothing."""
    page.wait_for_selector('#accuracy[data-quick="false"]', timeout=120_000)


def measure(page: Any, labels: int) -> tuple[list[float], list[float]]:
    """Milliseconds to the first new accuracy, and to the settled one, of each of so many labels."""
    first, last = [], []
    for number in range(labels):
        page.keyboard.press("ArrowRight")
        begun = time.perf_counter()
        first.append(page.evaluate(RELABEL, str(number % 3 + 1)))
        settled(page)
        last.append(1000 * (time.perf_counter() - begun))
    return first, last


def told(name: str, times: list[float]) -> str:
    """Best, median, 95th percentile and worst."""
    ranked, median = sorted(times), statistics.median(times)
    late = ranked[int(0.95 * len(ranked))]
    return f"{name}: best {ranked[0]:.0f} ms, median {median:.0f} ms, p95 {late:.0f} ms, worst {ranked[-1]:.0f} ms"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--labels", type=int, default=30)
    asked = parser.parse_args()
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("no Chromium on this machine")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "dishes"
        draw(folder, asked.photos)
        studio = Studio.open(folder, table_for(folder, None), Network(lambda: load_backbone("bundled:nae")))
        server = Server(studio, Address(port=0, token="benchmark"), studio_application)  # noqa: S106
        with server.running(), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            page.goto(server.url)
            page.wait_for_selector("html[data-ready]")
            begun = time.perf_counter()
            page.keyboard.press("l")
            page.locator("#accuracy:visible").wait_for(timeout=120_000)
            print(f"{asked.photos} photos, {usable_cores()} cores, load {os.getloadavg()[0]:.1f} before")
            print(f"Learn to the first accuracy, photos never seen before: {time.perf_counter() - begun:.1f} s")
            settled(page)
            first, last = measure(page, asked.labels)
            print(told("relabel to new accuracy shown", first))
            print(told("relabel to settled accuracy (0.6 s of calm, then a fit from nothing)", last))
            browser.close()


if __name__ == "__main__":
    main()
