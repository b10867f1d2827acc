"""The two articles, typed as they stand: only imports and the place of weights and photos are changed."""

import re
import shutil

import pytest
import torch
from PIL import Image
from torch import nn

import tsugiki

MOBILENET = "mobilenet_v2-b0353104.pth"

NEW_IMPORTS = {
    "from going_modular import data_setup, engine": "import tsugiki as data_setup, tsugiki as engine",
    "from torchinfo import summary": "from tsugiki import summary",
    "from helper_functions import plot_loss_curves": "from tsugiki import plot_loss_curves",
}
OTHER_WEIGHTS = {"EfficientNet_B0_Weights.DEFAULT": "MobileNet_V2_Weights.IMAGENET1K_V1", "efficientnet_b0": "mobilenet_v2"}
LINE = re.compile(
    r"Epoch: (\d+) \| train_loss: \d+\.\d{4} \| train_acc: \d\.\d{4} \| test_loss: \d+\.\d{4} \| test_acc: \d\.\d{4}"
)


def blocks(article):
    """The article's code; its own ``pred_and_plot_image`` is the one thing that is imported instead."""
    code = re.findall(r"```python\n(.*?)```", article, flags=re.DOTALL)
    text = [("from tsugiki import pred_and_plot_image" if "def pred_and_plot_image" in block else block) for block in code]
    for old, new in (NEW_IMPORTS | OTHER_WEIGHTS).items():
        text = [block.replace(old, new) for block in text]
    return text


@pytest.fixture
def workplace(material, tmp_path, monkeypatch):
    """A folder as the article's reader has it: photos in ``data/pizza_steak_sushi``, weights where torchvision looks."""
    article = material / "articles" / "2_foodvision_mini.ja.md"
    photos = material / "data" / "food3"
    if not article.is_file() or not photos.is_dir():
        pytest.skip("the article or its photos are not among the material")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pizza_steak_sushi").symlink_to(photos, target_is_directory=True)
    shutil.copy(next((photos / "test").glob("*/*.jpg")), tmp_path / "data" / "sushi.jpg")
    checkpoints = tmp_path / "torch" / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    shutil.copy(material / "weights" / "mobilenet_v2.torchvision.pth", checkpoints / MOBILENET)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.chdir(tmp_path)
    return article.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.material
def test_the_second_article_runs_from_data_to_predictions(workplace, capsys):
    names: dict = {}
    for block in blocks(workplace):
        exec(compile(block, "article", "exec"), names)  # noqa: S102 (the article is the test's subject)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Epoch")]
    assert [int(LINE.fullmatch(line)[1]) for line in lines] == [1, 2, 3, 4, 5]
    results, model = names["results"], names["model"]
    assert all(abs(value * 75 - round(value * 75)) < 1e-9 for value in results["test_acc"]), "75 test photos"
    assert all(abs(value * 225 - round(value * 225)) < 1e-9 for value in results["train_acc"]), "225 training photos"
    assert results["test_acc"][-1] > 0.7, "the article says 85%+, about its own photos"
    pretrained = names["torchvision"].models.mobilenet_v2(weights=names["weights"]).features.state_dict()
    assert all(torch.equal(value, pretrained[name]) for name, value in model.features.state_dict().items())
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 3843, "as the article counts"


@pytest.mark.slow
@pytest.mark.material
def test_the_loaders_give_the_same_pixels_as_the_articles_imagefolder(material):
    from torchvision import datasets, models

    transform = models.MobileNet_V2_Weights.IMAGENET1K_V1.transforms()
    folder = material / "data" / "food3"
    _, test, names = tsugiki.create_dataloaders(folder / "train", folder / "test", transform, 32)
    theirs = datasets.ImageFolder(str(folder / "test"), transform=transform)
    assert names == theirs.classes
    rows = {path: row for row, (path, _) in enumerate(theirs.samples)}
    assert len(rows) == len(test.dataset) == 75
    for row in range(0, 75, 9):
        (photo, label), (same_photo, same_label) = test.dataset[row], theirs[rows[test.dataset.samples[row][0]]]
        assert torch.equal(photo, same_photo)
        assert label == same_label


def requires_grad_of(model):
    """The first article's listing."""
    return [f"weight name:  {name},\nparam config:   {param.requires_grad}\n" for name, param in model.named_parameters()]


def test_the_first_articles_listings_come_out():
    from torchvision.models import resnet18

    model = resnet18(weights=None)
    everything = requires_grad_of(model)
    assert all("True" in line for line in everything)
    assert len(everything) == 62

    tsugiki.freeze(model)
    assert all("False" in line for line in requires_grad_of(model))

    tsugiki.replace_head(model, 10)
    assert model.fc.out_features == 10
    learning = [line.split(",")[0] for line in requires_grad_of(model) if "True" in line]
    assert learning == ["weight name:  fc.weight", "weight name:  fc.bias"]
    table = tsugiki.parameter_table(model)
    assert [row.name for row in table.rows if row.trainable] == ["fc.weight", "fc.bias"]
    assert str(table).count("False") == 60

    tsugiki.unfreeze(model)
    assert all("True" in line for line in requires_grad_of(model)), "fine-tuning"


@pytest.fixture
def tiny(tmp_path):
    for split, count in (("train", 4), ("test", 2)):
        for name, colour in (("ants", 20), ("bees", 200)):
            (tmp_path / split / name).mkdir(parents=True)
            for index in range(count):
                blue = 255 if split == "test" else 220
                Image.new("RGB", (40, 40), (colour, 10 * index, blue)).save(tmp_path / split / name / f"{index}.png")
    return tmp_path


@pytest.mark.parametrize("by_hand", [True, False])
def test_freezing_by_hand_and_by_name_train_the_same_model(tiny, by_hand):
    """The article's ``requires_grad = False`` loop and ``freeze`` both leave the backbone bit-identical, BatchNorm included."""
    from torchvision import transforms
    from torchvision.models import resnet18

    transform = transforms.Compose([transforms.Resize((64, 64)), transforms.ToTensor()])
    train, test, names = tsugiki.create_dataloaders(tiny / "train", tiny / "test", transform, 7, num_workers=0)
    tsugiki.set_seeds(0)
    model = resnet18(weights=None)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    if by_hand:
        for _, param in model.named_parameters():
            param.requires_grad = False
        model.fc = nn.Linear(in_features=512, out_features=len(names), bias=True)
    else:
        tsugiki.freeze(model)
        tsugiki.replace_head(model, len(names))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001, weight_decay=0.1)
    results = tsugiki.train(model, train, test, optimizer, nn.CrossEntropyLoss(), epochs=2, device="cpu")
    after = model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before if not name.startswith("fc."))
    assert all(value * 4 in range(5) for value in results["test_acc"])
    answer = tsugiki.evaluate_model(model, test, nn.CrossEntropyLoss(), "cpu")
    assert answer["model_acc"] == results["test_acc"][-1]
    assert answer["model_loss"] == results["test_loss"][-1]


def test_tiny_vgg_learns_in_the_same_loop(tiny):
    from torchvision import transforms

    tsugiki.set_seeds(42)
    transform = transforms.Compose([transforms.Resize((64, 64)), transforms.ToTensor()])
    train, test, _ = tsugiki.create_dataloaders(tiny / "train", tiny / "test", transform, 3, num_workers=0)
    model = tsugiki.TinyVGG(input_shape=3, hidden_units=10, output_shape=2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
    results = tsugiki.train(model, train, test, optimizer, nn.CrossEntropyLoss(), epochs=12, device="cpu")
    assert results["test_acc"][-1] == 1
