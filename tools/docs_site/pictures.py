"""Make the pictures of the site's pages, by what the program draws and shows: in both languages, each smaller than 150 kB.

    python -m tools.docs_site.pictures [NAME...]

Pages are taken in headless Chromium. Everything is of the drawn sample and the bundled backbone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

import tsugiki as tg
from tsugiki.core.console import quiet
from tsugiki.data.synthetic.sample import DISHES, draw_photo, sample_folder
from tsugiki.locale.messages import LANGUAGES, language, use_language

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGES = Path(__file__).parents[2] / "docs" / "site"
LARGEST = 150_000
"""Bytes of a picture."""

_WIDEST = 1200
_WIDTH, _HEIGHT = 1180, 760
"""Of the window that pages are taken in."""
_FOOT = 34
"""Pixels of the line at the end of the studio's page."""


class Maker:
    """Makes pictures in the language in use, from one run that is trained once.

    Args:
        work: A folder for what is made on the way.
    """

    def __init__(self, work: Path) -> None:
        self.work = work
        self.data = sample_folder("foodvision")
        model = tg.Classifier("bundled:nae", classes=tuple(DISHES))
        self.run = tg.fit(model, self.data)
        self._trained: dict[str, Any] = {}

    def predictions(self) -> Image.Image:
        """Six held-out photos with their answers."""
        _, test = self._loaders()
        return drawn(tg.plot_predictions(self.run.classifier, test, count=6, seed=3))

    def batch(self) -> Image.Image:
        """Six photos as the network sees them."""
        tg.set_seeds(42)
        train, _ = self._loaders()
        return drawn(tg.plot_batch(train, count=6))

    def curves(self) -> Image.Image:
        """Five epochs of the articles' loop."""
        return drawn(tg.plot_loss_curves(self._by_hand()["results"]))

    def own_photo(self) -> Image.Image:
        """One photo with its answer."""
        model, photo = self._by_hand()["model"], self.data / "test" / "sushi" / "sushi-001.jpg"
        preprocess = self.run.classifier.preprocess
        return drawn(tg.pred_and_plot_image(model, photo, list(DISHES), transform=preprocess, device="cpu"))

    def summary(self) -> Image.Image:
        """What is frozen and what learns in ResNet-18 with a new head."""
        from torchvision.models import resnet18

        return drawn(tg.plot_summary(tg.replace_head(tg.freeze(resnet18(weights=None)), 10), (1, 3, 224, 224), depth=1))

    def why(self) -> Image.Image:
        """Why a photo is answered as it is."""
        target = self.work / "why.png"
        folder = tg.save_run(self.run, self.work / "food", overwrite=True)
        command("explain", folder, self.data / "test" / "sushi" / "sushi-001.jpg", "--data", self.data, "--out", target)
        return Image.open(target).convert("RGB")

    def report(self) -> Image.Image:
        """The first screen of a report."""
        folder = tg.save_run(self.run, self.work / "food", overwrite=True)
        return seen((folder / "report.html").as_uri())

    def audit(self) -> Image.Image:
        """The page of an audit, where photos are doubted."""
        folder = self.work / f"audit-{language()}"
        command("audit", self.data, "--out", folder)
        return seen((folder / "audit.html").as_uri())

    def studio(self) -> Image.Image:
        """The studio, when some photos have their class and the others have proposals."""
        from tsugiki.backbones.load_backbone import load_backbone
        from tsugiki.serving.server import Address, Server
        from tsugiki.serving.studio.learner import Network
        from tsugiki.serving.studio.studio_app import studio_application
        from tsugiki.serving.studio.studio_session import Studio, table_for

        folder = self._half_labelled()
        studio = Studio.open(folder, table_for(folder, None), Network(lambda: load_backbone("bundled:nae")))
        server = Server(studio, Address(port=0, token="picture"), studio_application)  # noqa: S106
        with server.running():
            shown = seen(server.url, learn)
        return shown.crop((0, 0, shown.width, shown.height - _FOOT))  # where the table lies is this machine's affair

    def _half_labelled(self) -> Path:
        """A folder of 90 photos, 60 of which have a class in the studio's table."""
        folder = self.work / f"photos-{language()}"
        folder.mkdir()
        names = [f"{number:03}.jpg" for number in range(90)]
        for number, name in enumerate(names):
            (folder / name).write_bytes(draw_photo([*DISHES][number % 3], number))
        labels = [f"{folder.name}/{name},{[*DISHES][number % 3]}," for number, name in enumerate(names) if number % 9 < 6]
        text = "\n".join(["path,label,decision", *labels]) + "\n"
        folder.with_name(f"{folder.name}.studio.csv").write_text(text, encoding="utf-8")
        return folder

    def _loaders(self) -> tuple[Any, Any]:
        train, test, _ = tg.create_dataloaders(
            self.data / "train", self.data / "test", self.run.classifier.preprocess, batch_size=32
        )
        return train, test

    def _by_hand(self) -> dict[str, Any]:
        """A model that was trained as the tutorial does, in five epochs."""
        import torch
        from torch import nn

        if not self._trained:
            backbone, (train, test) = self.run.classifier.backbone, self._loaders()
            tg.set_seeds(42)
            model = nn.Sequential(tg.freeze(backbone), nn.Linear(backbone.num_features, len(DISHES)))
            optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
            with contextlib.redirect_stdout(io.StringIO()):
                results = tg.train(model, train, test, optimizer, nn.CrossEntropyLoss(), 5, "cpu")
            self._trained = {"model": model, "results": results}
        return self._trained


PICTURES: dict[str, tuple[Callable[[Maker], Image.Image], str]] = {
    "predictions": (Maker.predictions, "jpg"),
    "batch": (Maker.batch, "jpg"),
    "curves": (Maker.curves, "png"),
    "own-photo": (Maker.own_photo, "jpg"),
    "summary": (Maker.summary, "png"),
    "why": (Maker.why, "jpg"),
    "report": (Maker.report, "jpg"),
    "audit": (Maker.audit, "jpg"),
    "studio": (Maker.studio, "jpg"),
}
"""By name: what makes it, and its format."""


def command(*words: object) -> None:
    """Do what the command line says, in this process.

    Raises:
        SystemExit: When that fails.
    """
    from tsugiki.cli.main import run

    with contextlib.redirect_stdout(io.StringIO()):
        try:
            run([*map(str, words), "--lang", language()])
        except SystemExit as done:
            if done.code:
                raise


def drawn(figure: Figure) -> Image.Image:
    """A figure as a picture."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return Image.open(content).convert("RGB")


def learn(page: Any) -> None:
    """Press the key that learns, and wait until proposals are there."""
    page.wait_for_selector("html[data-ready]")
    page.keyboard.press("l")
    page.wait_for_selector('#accuracy[data-quick="false"]', timeout=120_000)
    page.wait_for_timeout(500)


@contextlib.contextmanager
def window() -> Iterator[Any]:
    """A window of headless Chromium, in the language in use.

    Raises:
        SystemExit: When there is no Chromium.
    """
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise SystemExit("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page(
            viewport={"width": _WIDTH, "height": _HEIGHT},
            locale={"en": "en-GB", "ja": "ja-JP"}[language()],
            reduced_motion="reduce",
        )
        browser.close()


def seen(address: str, act: Callable[[Any], None] | None = None) -> Image.Image:
    """The first screen of a page.

    Args:
        address: Of the page.
        act: What somebody does there first.
    """
    with window() as page:
        page.goto(address)
        if act is not None:
            act(page)
        return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def write(picture: Image.Image, path: Path) -> int:
    """Write a picture, as large as pages show it; gives its bytes.

    Raises:
        SystemExit: When it is too large.
    """
    if picture.width > _WIDEST:
        picture = picture.resize((_WIDEST, round(picture.height * _WIDEST / picture.width)), Image.Resampling.LANCZOS)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        picture.quantize(128).save(path, optimize=True)
    else:
        picture.save(path, quality=80, optimize=True, progressive=True)
    if (size := path.stat().st_size) >= LARGEST:
        raise SystemExit(f"{path.name} has {size:,} bytes, more than {LARGEST:,}")
    return size


def main() -> None:
    """Make the pictures that are named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PICTURES))
    names = parser.parse_args().names or PICTURES
    os.environ.setdefault("MPLBACKEND", "Agg")
    with tempfile.TemporaryDirectory() as work:
        for each in LANGUAGES:
            use_language(each)
            place = Path(work) / each
            place.mkdir()
            with quiet():
                maker = Maker(place)
                for name in names:
                    make, ending = PICTURES[name]
                    target = PAGES / each / "images" / f"{name}.{ending}"
                    print(f"{target.relative_to(PAGES)}: {write(make(maker), target):,} bytes")


if __name__ == "__main__":
    main()
