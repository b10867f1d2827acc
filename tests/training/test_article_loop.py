"""The plain training loop: exact numbers, frozen parts that stay, single photos, odd models."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tsugiki.core.errors import DataError, RequestError, TrainingError
from tsugiki.training.article_loop import evaluate_model, test_step, train, train_step


def loader(photos=10, batch_size=4, size=8, classes=3, seed=0):
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(photos) % classes
    pixels = torch.randn(photos, 3, size, size, generator=random) + labels.view(-1, 1, 1, 1)
    return DataLoader(TensorDataset(pixels, labels), batch_size=batch_size)


class Small(nn.Module):
    """A backbone with BatchNorm and dropout, and a head: the shape of torchvision's networks."""

    def __init__(self, classes=3):
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(8, classes)

    def forward(self, photos):
        return self.classifier(self.pool(self.features(photos)).flatten(1))


def adam(model, **options):
    return torch.optim.Adam(model.parameters(), lr=0.01, **options)


def freeze_by_hand(model):
    for parameter in model.features.parameters():
        parameter.requires_grad = False


def test_the_lines_and_the_results_are_those_of_the_article(capsys):
    model = Small()
    results = train(model, loader(), loader(seed=1), adam(model), nn.CrossEntropyLoss(), epochs=2, device="cpu", writer=None)
    assert list(results) == ["train_loss", "train_acc", "test_loss", "test_acc"]
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"Epoch: {epoch + 1} | train_loss: {results['train_loss'][epoch]:.4f} | train_acc: {results['train_acc'][epoch]:.4f} | "
        f"test_loss: {results['test_loss'][epoch]:.4f} | test_acc: {results['test_acc'][epoch]:.4f}"
        for epoch in range(2)
    ]


def test_numbers_are_sums_over_photos_and_not_means_of_batches():
    model, data = Small(), loader(photos=9, batch_size=4)
    answer = evaluate_model(model, data, nn.CrossEntropyLoss(), "cpu")
    model.eval()
    losses, right = [], 0
    for photo, label in data.dataset:
        logits = model(photo[None])
        losses.append(nn.functional.cross_entropy(logits, label[None]).item())
        right += int(logits.argmax() == label)
    assert answer["correct"] == right
    assert answer["photos"] == 9
    assert answer["model_acc"] == right / 9
    assert answer["model_loss"] == pytest.approx(sum(losses) / 9, abs=1e-6)
    assert answer["model_name"] == "Small"
    added_up = evaluate_model(model, data, nn.CrossEntropyLoss(reduction="sum"), "cpu")
    assert added_up["model_loss"] == pytest.approx(answer["model_loss"], abs=1e-6)


def test_a_part_frozen_by_hand_is_bit_identical_afterwards():
    model = Small()
    freeze_by_hand(model)
    before = copy.deepcopy(model.state_dict())
    # All parameters go to the optimiser, as in the article, with weight decay; 9 photos leave a last batch of one.
    train(model, loader(9), loader(9), adam(model, weight_decay=0.1), nn.CrossEntropyLoss(), 2, "cpu")
    after = model.state_dict()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed == {"classifier.weight", "classifier.bias"}


def test_a_frozen_part_keeps_a_gradient_from_earlier_without_moving():
    model = Small()
    train(model, loader(), loader(), optimizer := adam(model, weight_decay=0.1), nn.CrossEntropyLoss(), 1, "cpu")
    freeze_by_hand(model)
    before = copy.deepcopy(model.features.state_dict())
    train(model, loader(), loader(), optimizer, nn.CrossEntropyLoss(), 1, "cpu")
    assert all(torch.equal(value, before[name]) for name, value in model.features.state_dict().items())


def test_what_is_not_frozen_learns_and_moves_its_statistics():
    model = Small()
    before = copy.deepcopy(model.state_dict())
    train(model, loader(), loader(), adam(model), nn.CrossEntropyLoss(), 1, "cpu")
    assert all(not torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Norm1d(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))

    def forward(self, photos):
        return self.body(photos)


@pytest.mark.parametrize("photos", [1, 5])
def test_a_last_batch_of_one_is_learned_from_without_moving_the_statistics(photos):
    model = Norm1d()
    with pytest.raises(ValueError, match="more than 1 value"):
        model.train()(torch.zeros(1, 3, 8, 8))
    batches = model.body[2].num_batches_tracked.item()
    weight = model.body[1].weight.detach().clone()
    train_step(model, loader(photos), nn.CrossEntropyLoss(), adam(model), "cpu")
    assert model.body[2].num_batches_tracked.item() == batches + photos // 4
    assert not torch.equal(model.body[1].weight, weight)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_in_the_mode_it_was_found_in(training):
    model = Small().train(training)
    model.features[3].train(not training)
    modes = [module.training for module in model.modules()]
    train(model, loader(), loader(), adam(model), nn.CrossEntropyLoss(), 1, "cpu")
    test_step(model, loader(), nn.CrossEntropyLoss(), "cpu")
    assert [module.training for module in model.modules()] == modes
    with pytest.raises(DataError):
        train_step(model, [], nn.CrossEntropyLoss(), adam(model), "cpu")
    assert [module.training for module in model.modules()] == modes


class Auxiliary(nn.Module):
    """Gives its logits as Inception does: a named tuple while it trains, a tensor otherwise."""

    def __init__(self, classes):
        super().__init__()
        self.main, self.aux = nn.Linear(192, 3), nn.Linear(192, classes)

    def forward(self, photos):
        from torchvision.models.inception import InceptionOutputs

        flat = photos.flatten(1)
        return InceptionOutputs(self.main(flat), self.aux(flat)) if self.training else self.main(flat)


@pytest.mark.parametrize(("classes", "learns"), [(3, True), (1000, False)])
def test_auxiliary_logits_count_when_they_are_about_the_same_classes(classes, learns):
    model = Auxiliary(classes)
    before = model.aux.weight.detach().clone()
    results = train(model, loader(), loader(), adam(model), nn.CrossEntropyLoss(), 2, "cpu")
    assert torch.equal(model.aux.weight, before) is not learns
    assert results["test_loss"][1] < results["test_loss"][0]


class Recorder:
    def __init__(self):
        self.rows, self.flushed = [], 0

    def add_scalars(self, main_tag, tag_scalar_dict, global_step=None):
        self.rows.append((main_tag, sorted(tag_scalar_dict), global_step))

    def flush(self):
        self.flushed += 1


def test_a_writer_gets_both_curves_after_every_epoch():
    model, writer = Small(), Recorder()
    train(model, loader(), loader(), adam(model), nn.CrossEntropyLoss(), 2, "cpu", writer)
    assert writer.rows == [
        (title, [f"test_{kind}", f"train_{kind}"], epoch)
        for epoch in (1, 2)
        for title, kind in (("Loss", "loss"), ("Accuracy", "acc"))
    ]
    assert writer.flushed == 2


def test_a_fully_frozen_model_is_refused_with_the_cure():
    model = Small().requires_grad_(requires_grad=False)
    with pytest.raises(RequestError, match="nothing to learn") as caught:
        train(model, loader(), loader(), adam(model), nn.CrossEntropyLoss(), 1, "cpu")
    assert "replace_head" in str(caught.value)


def test_an_optimiser_made_before_the_head_was_replaced_is_noticed(capsys):
    model = Small()
    freeze_by_hand(model)
    optimizer = adam(model)
    model.classifier = nn.Linear(8, 3)
    with pytest.raises(RequestError, match="none of this model's trainable"):
        train(model, loader(), loader(), optimizer, nn.CrossEntropyLoss(), 1, "cpu")
    model.features.requires_grad_()
    train(model, loader(), loader(), optimizer, nn.CrossEntropyLoss(), 1, "cpu")
    assert "classifier.weight, classifier.bias" in capsys.readouterr().err


def test_a_loss_that_explodes_stops_with_a_sentence():
    model = Small()
    with pytest.raises(TrainingError, match="no finite number"):
        train(model, loader(), loader(), adam(model), lambda logits, _: logits.sum() * float("nan"), 1, "cpu")


def test_an_empty_loader_is_named():
    with pytest.raises(DataError, match="no photo"):
        evaluate_model(Small(), [], nn.CrossEntropyLoss(), "cpu")


def test_tensorboard_gets_its_files(tmp_path):
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    model = Small()
    with tensorboard.SummaryWriter(tmp_path) as writer:
        train(model, loader(), loader(), adam(model), nn.CrossEntropyLoss(), 1, "cpu", writer)
        assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {
            "Loss_train_loss", "Loss_test_loss", "Accuracy_train_acc", "Accuracy_test_acc",
        }  # fmt: skip


def test_of_several_labels_a_photo_is_right_where_all_that_is_known_is(capsys):
    pixels = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[1, 0, 0], [0, 1, 1], [0, 0, 0], [1, 1, 1], [1, 0, 1], [0, 1, 0]]).float()
    model = Small()
    photos = DataLoader(TensorDataset(pixels, labels), batch_size=4)
    loss, accuracy = test_step(model, photos, nn.BCEWithLogitsLoss(), "cpu")
    with torch.no_grad():
        logits = model.eval()(pixels)
    assert loss == pytest.approx(float(nn.BCEWithLogitsLoss()(logits, labels)), rel=1e-5)
    assert accuracy == ((logits.sigmoid() >= 0.5) == (labels > 0)).all(dim=1).float().mean()
    results = train(model, photos, photos, adam(model), nn.BCEWithLogitsLoss(), epochs=40, device="cpu")
    assert results["test_acc"][-1] > results["test_acc"][0]
    capsys.readouterr()
