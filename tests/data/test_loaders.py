"""create_dataloaders: plain DataLoaders over two folders that real photos, odd classes and failing workers cannot break."""

import os

import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, get_worker_info
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter
from torchvision import transforms
from torchvision.transforms import v2

from tsugiki.core.errors import DataError, RequestError
from tsugiki.data.images.decode import open_photo
from tsugiki.data.loaders import PhotoDataset, PhotoLoader, create_dataloaders, stack_photos
from tsugiki.data.preprocess import Preprocess

SMALL = transforms.Compose([transforms.Resize((8, 8)), transforms.ToTensor()])


def photo(path, colour=(200, 30, 30), size=(20, 12)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


@pytest.fixture
def folders(tmp_path):
    """Three classes, 7 training and 4 test photos each, all of different colours."""
    for split, count in (("train", 7), ("test", 4)):
        for number, name in enumerate(("pizza", "steak", "寿司")):
            for index in range(count):
                colour = (40 + 80 * number, 10 * index, 5 if split == "test" else 95)
                photo(tmp_path / split / name / f"{index}.png", colour)
    return tmp_path / "train", tmp_path / "test"


def test_gives_two_loaders_and_the_names(folders):
    train, test, names = create_dataloaders(
        train_dir=str(folders[0]), test_dir=str(folders[1]), transform=SMALL, batch_size=4, num_workers=0
    )
    assert names == ["pizza", "steak", "寿司"]
    assert isinstance(train, DataLoader)
    assert [len(labels) for _, labels in train] == [4, 4, 4, 4, 4, 1], "the last batch is kept"
    photos, labels = next(iter(test))
    assert photos.shape == (4, 3, 8, 8)
    assert labels.tolist() == [0, 0, 0, 0]
    assert train.dataset.class_to_idx == {"pizza": 0, "steak": 1, "寿司": 2}
    assert train.dataset.targets.count(2) == 7


def test_training_photos_come_in_another_order_every_epoch_and_repeatably(folders):
    def epochs(seed):
        train, _, _ = create_dataloaders(*folders, SMALL, 21, num_workers=0, seed=seed)
        return [next(iter(train))[1].tolist() for _ in range(2)]

    torch.manual_seed(1)
    first = epochs(3)
    torch.manual_seed(2)
    assert epochs(3) == first
    assert first[0] != first[1]
    assert epochs(4) != first


@pytest.mark.parametrize(
    "transform",
    [
        v2.Compose([v2.Resize((8, 8)), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]),
        Preprocess(size=(8, 8), resize=8),
        transforms.Compose([transforms.RandomResizedCrop(8), transforms.RandomHorizontalFlip(), transforms.ToTensor()]),
    ],
    ids=["v2", "Preprocess", "augmentation"],
)
def test_any_transform_from_photo_to_tensor_works(folders, transform):
    train, _, _ = create_dataloaders(*folders, transform, 5, num_workers=0)
    assert next(iter(train))[0].shape == (5, 3, 8, 8)


def test_the_transforms_of_the_weights_work(folders):
    import torchvision

    automatic = torchvision.models.EfficientNet_B0_Weights.DEFAULT.transforms()
    _, test, _ = create_dataloaders(*folders, automatic, 3, num_workers=0)
    assert next(iter(test))[0].shape == (3, 3, 224, 224)


def test_unreadable_photos_are_named_and_left_out(folders, capsys):
    (folders[0] / "pizza" / "broken.jpg").write_bytes(b"<html>not found</html>")
    (folders[1] / "steak" / "empty.jpg").write_bytes(b"")
    train, test, _ = create_dataloaders(*folders, SMALL, 4, num_workers=0)
    assert len(train.dataset) == 21
    assert len(test.dataset) == 12
    said = capsys.readouterr().err
    assert "broken.jpg" in said
    assert "empty.jpg" in said


def test_what_looks_whole_and_cannot_be_decoded_is_left_out_before_the_training(folders, capsys, hollow_png):
    (folders[0] / "pizza" / "0.png").write_bytes(hollow_png)
    train, _, _ = create_dataloaders(*folders, SMALL, 4, num_workers=0)
    assert sum(len(labels) for _, labels in train) == 20
    assert "pizza/0.png: damaged" in capsys.readouterr().err


def test_other_classes_in_the_test_folder_never_shift_a_label(folders, capsys):
    import shutil

    shutil.rmtree(folders[1] / "pizza")
    photo(folders[1] / "apple" / "1.png")
    photo(folders[1] / "tofu" / "1.png")
    _, test, names = create_dataloaders(*folders, SMALL, 4, num_workers=0)
    assert names == ["pizza", "steak", "寿司"]
    assert {path.split("/")[-2]: label for path, label in test.dataset.samples} == {"steak": 1, "寿司": 2}
    said = capsys.readouterr().err
    assert "apple, tofu" in said
    assert "test has no photo of: pizza" in said


def test_no_common_class_is_refused_with_both_sides(folders, tmp_path):
    photo(tmp_path / "other" / "tofu" / "1.png")
    with pytest.raises(DataError, match="of the training classes") as caught:
        create_dataloaders(folders[0], tmp_path / "other", SMALL, 4)
    assert "pizza, steak" in str(caught.value)
    assert "tofu" in str(caught.value)


def test_an_all_bad_test_folder_never_takes_training_photos_instead(folders):
    for file in folders[1].glob("*/*"):
        file.write_bytes(b"")
    with pytest.raises(DataError, match="Not one photo"):
        create_dataloaders(*folders, SMALL, 4)


def test_the_folder_above_the_splits_is_refused(folders):
    with pytest.raises(RequestError, match="divided into splits"):
        create_dataloaders(folders[0].parent, folders[1], SMALL, 4)


def test_photos_are_opened_as_everywhere(folders):
    turned = Image.new("RGB", (16, 8), (0, 0, 255))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folders[0] / "pizza" / "turned.jpg", exif=exif)
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    clear.putpixel((0, 0), (0, 0, 0, 255))
    clear.save(folders[0] / "steak" / "clear.png")
    keep = transforms.ToTensor()
    dataset = create_dataloaders(*folders, keep, 4, num_workers=0)[0].dataset
    shown = {path.rsplit("/", 1)[-1]: dataset[row][0] for row, (path, _) in enumerate(dataset.samples)}
    assert shown["turned.jpg"].shape == (3, 16, 8)
    assert torch.all(shown["clear.png"][:, 1:] == 1), "transparent is white"
    assert torch.equal(shown["turned.jpg"], keep(open_photo(folders[0] / "pizza" / "turned.jpg")))


def test_a_photo_that_vanishes_later_is_named(folders):
    train, _, _ = create_dataloaders(*folders, SMALL, 4, num_workers=0)
    (folders[0] / "pizza" / "3.png").unlink()
    with pytest.raises(DataError, match=r"3\.png"):
        list(train)


def test_sizes_and_types_that_make_no_batch_say_what_to_do():
    with pytest.raises(RequestError, match="several sizes") as caught:
        stack_photos([(torch.zeros(3, 8, 9), 0), (torch.zeros(3, 8, 8), 1)])
    assert "Resize((224, 224))" in str(caught.value)
    with pytest.raises(RequestError, match="into a tensor"):
        stack_photos([(Image.new("RGB", (8, 8)), 0)])


class DiesInAWorker:
    """A transform that ends the process it runs in, if that is a worker: as a full /dev/shm does."""

    def __init__(self, after):
        self.after = after

    def __call__(self, picture):
        if get_worker_info() is not None and picture.getpixel((0, 0))[0] >= self.after:
            os._exit(1)
        return SMALL(picture)


@pytest.mark.parametrize("after", [0, 150], ids=["at once", "in the middle"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_failing_workers_cost_no_batch(folders, after, shuffle, capsys):
    files = create_dataloaders(*folders, SMALL, 4, num_workers=0)[0].dataset

    def loader(transform, workers):
        dataset = PhotoDataset(files.samples, files.classes, transform)
        return PhotoLoader(
            dataset, batch_size=4, shuffle=shuffle, num_workers=workers, generator=torch.Generator().manual_seed(0)
        )

    failing, calm = loader(DiesInAWorker(after), 2), loader(SMALL, 0)
    for _ in range(2):
        assert [labels.tolist() for _, labels in failing] == [labels.tolist() for _, labels in calm]
    assert "DataLoader worker" in capsys.readouterr().err
    assert failing.num_workers == 0


@pytest.mark.parametrize("lost", [EOFError(), ConnectionResetError(104, "reset"), FileNotFoundError(2, "no such line")])
def test_a_worker_that_dies_before_its_batch_is_fetched_costs_none(folders, lost, monkeypatch, capsys):
    failing, calm = (create_dataloaders(*folders, SMALL, 4, num_workers=workers)[0] for workers in (2, 0))
    fetch = _MultiProcessingDataLoaderIter._try_get_data
    fetched = []

    def dies_once(self, *words):
        fetched.append(1)
        if len(fetched) == 2:
            raise lost
        return fetch(self, *words)

    monkeypatch.setattr(_MultiProcessingDataLoaderIter, "_try_get_data", dies_once)
    assert [labels.tolist() for _, labels in failing] == [labels.tolist() for _, labels in calm]
    assert "a DataLoader worker ended" in capsys.readouterr().err


def test_a_fault_inside_a_worker_is_no_trouble_with_workers(folders):
    class Fails:
        def __call__(self, _picture):
            raise EOFError("of the photo's own")

    files = create_dataloaders(*folders, SMALL, 4, num_workers=0)[0].dataset
    loader = PhotoLoader(
        PhotoDataset(files.samples, files.classes, Fails()), batch_size=4, num_workers=2, generator=torch.Generator()
    )
    with pytest.raises(EOFError, match="of the photo's own"):
        list(loader)


@pytest.mark.long
def test_workers_give_what_this_process_gives(folders):
    one, two = (create_dataloaders(*folders, SMALL, 4, num_workers=workers)[0] for workers in (0, 2))
    for (photos, labels), (same_photos, same_labels) in zip(one, two, strict=True):
        assert torch.equal(photos, same_photos)
        assert torch.equal(labels, same_labels)


@pytest.fixture
def several(tmp_path):
    """Two folders of photos with tables: several labels, none, and one cell that nobody knows."""
    rows = {"train": ["0.png,1,1,0", "1.png,0,0,1", "2.png,1,,0", "3.png,0,0,0"], "test": ["0.png,0,1,1", "1.png,1,0,0"]}
    for split, lines in rows.items():
        for number in range(len(lines)):
            photo(tmp_path / split / f"{number}.png", (40 * number, 10, 5 if split == "test" else 95))
        (tmp_path / split / "labels.csv").write_text("\n".join(["path,pizza,steak,sushi", *lines]))
    return tmp_path / "train", tmp_path / "test"


@pytest.mark.long
def test_several_labels_are_cells_that_a_loss_of_ones_own_takes(several):
    train, test, names = create_dataloaders(*several, SMALL, 4, num_workers=0)
    assert names == ["pizza", "steak", "sushi"]
    assert [label.tolist() for label in test.dataset.targets] == [[0, 1, 1], [1, 0, 0]]
    _, labels = next(iter(train))
    assert labels.dtype == torch.float32
    assert labels.shape == (4, 3)
    known = ~labels.isnan()
    assert int(known.sum()) == 11
    logits, loss_fn = torch.zeros(4, 3), torch.nn.BCEWithLogitsLoss()
    assert not loss_fn(logits, labels).isfinite()  # whoever forgets about what nobody knows is told
    assert float(loss_fn(logits[known], labels[known])) == pytest.approx(0.6931, abs=1e-4)


def test_class_folders_may_stand_for_several_labels_where_a_person_says_so(folders):
    train, _, names = create_dataloaders(*folders, SMALL, 21, num_workers=0, multi_label=True)
    _, labels = next(iter(train))
    assert labels.sum(dim=0).tolist() == [7, 7, 7]
    assert len(names) == 3


def test_names_of_several_labels_may_be_separated_otherwise(tmp_path):
    for split in ("train", "test"):
        for number in range(3):
            photo(tmp_path / split / f"{number}.png", (80 * number, 10, 5 if split == "test" else 95))
        (tmp_path / split / "labels.csv").write_text("path,label\n0.png,cat;dog\n1.png,cat\n2.png,dog\n")
    train, _, names = create_dataloaders(tmp_path / "train", tmp_path / "test", SMALL, 3, num_workers=0, label_separator=";")
    assert names == ["cat", "dog"]
    assert sorted(label.tolist() for label in train.dataset.targets) == [[0, 1], [1, 0], [1, 1]]
