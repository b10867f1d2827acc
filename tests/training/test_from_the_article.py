"""The pages that lead from the articles to this program: their code runs, their names exist, both languages say the same."""

import importlib
import re
from pathlib import Path

import pytest
from PIL import Image

import tsugiki
from tsugiki.training.article_loop import train

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "from-the-article.ja.md", DOCS / "from-the-article.md"]


def code_of(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def without_comments(code):
    return re.sub(r"  #.*", "", code)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    for split in ("train", "test"):
        for number, name in enumerate(("pizza", "sushi")):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for index in range(1, 4):
                colour = (60 + 120 * number, 20 * index, 200 if split == "test" else 100)
                Image.new("RGB", (40, 30), colour).save(folder / f"{name}-{index:03}.jpg")
    monkeypatch.chdir(tmp_path)


@pytest.mark.long
@pytest.mark.usefixtures("photos")
def test_the_code_runs_and_is_the_same_in_both_languages(capsys):
    japanese, english = map(code_of, PAGES)
    assert [without_comments(code) for code in japanese] == [without_comments(code) for code in english]
    names: dict = {}
    for code in english:
        exec(compile(code, "from-the-article.md", "exec"), names)  # noqa: S102 (the page is the test's subject)
    assert capsys.readouterr().out.count("Epoch: ") == 5
    assert names["engine"].train is train


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_on_the_page_exists(page):
    text = page.read_text(encoding="utf-8")
    for name in set(re.findall(r"\btg\.(\w+)", text)):
        assert hasattr(tsugiki, name), name
    for module, name in set(re.findall(r"`(tsugiki(?:\.\w+)+)\.(\w+)", text)):
        assert hasattr(importlib.import_module(module), name), f"{module}.{name}"
    for link in re.findall(r"\]\((?!http)([^)]+)\)", text):
        assert (DOCS / link).exists(), link


def test_both_tables_have_the_same_rows():
    rows = [[line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("|")] for page in PAGES]
    assert len(rows[0]) == len(rows[1])


@pytest.mark.material
def test_every_code_block_of_the_second_article_is_on_the_page(material):
    article = material / "articles" / "2_foodvision_mini.ja.md"
    if not article.is_file():
        pytest.skip("the article is not among the material")
    blocks = re.findall(r"```python\n(.*?)```", article.read_text(encoding="utf-8"), flags=re.DOTALL)
    telling = [
        "from going_modular import data_setup, engine", "device = ", "requests.get(", "train_dir = image_path",
        "manual_transforms = ", "create_dataloaders(", "EfficientNet_B0_Weights.DEFAULT", "EfficientNet_B0_Weights.DEFAULT",
        "weights.transforms()", "create_dataloaders(", "DEFAULT", "efficientnet_b0(weights=weights)", "summary(model=model",
        "param.requires_grad = False", "model.classifier = ", "summary(", "CrossEntropyLoss()", "engine.train(",
        "plot_loss_curves(results)", "def pred_and_plot_image(", "random.sample", "pred_and_plot_image(",
    ]  # fmt: skip
    assert len(blocks) == len(telling)
    page = PAGES[0].read_text(encoding="utf-8")
    for block, words in zip(blocks, telling, strict=True):
        assert words in block.replace("torchvision.models.", "")
        assert words in page, words
