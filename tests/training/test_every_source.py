"""One answer, whatever the photos come in: a folder, a table, an archive, shards, or objects of a program."""

import csv
import io
import shutil
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

import tsugiki as tg
from tests.data.hub_stand_in import ClassLabel, Dataset
from tests.data.hub_stand_in import Image as ImageFeature
from tsugiki.core.console import quiet
from tsugiki.data.synthetic.sample import draw_photo
from tsugiki.features.extract import FeatureSettings
from tsugiki.features.store import FeatureStore

COUNT = 75
DISHES = ("pizza", "steak", "sushi")


@pytest.fixture(scope="module")
def photos():
    """75 pictures of one size, their files without loss, and their classes."""
    pictures = []
    for number in range(COUNT):
        with Image.open(io.BytesIO(draw_photo(DISHES[number // 25], number % 25))) as photo:
            pictures.append(photo.convert("RGB").resize((160, 144)))
    files = []
    for picture in pictures:
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        files.append(stream.getvalue())
    return pictures, files, [DISHES[number // 25] for number in range(COUNT)]


def folder(root, photos):
    _, files, labels = photos
    for number, (file, label) in enumerate(zip(files, labels, strict=True)):
        place = root / label / f"{number:02}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file)
    return root


def archive(root, photos):
    return shutil.make_archive(str(root / "photos"), "zip", folder(root / "photos", photos))


def manifest(root, photos):
    _, files, labels = photos
    for number, file in enumerate(files):
        (root / f"{number:02}.png").write_bytes(file)
    with (root / "list.csv").open("w", newline="") as table:
        csv.writer(table).writerows([("path", "label"), *((f"{number:02}.png", label) for number, label in enumerate(labels))])
    return root / "list.csv"


def addresses(_, photos):
    import fsspec

    system = fsspec.filesystem("memory")
    for number, file in enumerate(photos[1]):
        system.pipe(f"/dishes/{number:02}.png", file)
    return [(f"memory://dishes/{number:02}.png", label) for number, label in enumerate(photos[2])]


def bytes_in_parquet(root, photos):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.table({"image": photos[1], "label": photos[2]}), root / "photos.parquet")
    return root / "photos.parquet"


def web_dataset(root, photos):
    with tarfile.open(root / "shard-000000.tar", "w") as tar:
        for number, (file, label) in enumerate(zip(*photos[1:], strict=True)):
            for name, content in ((f"{number:06}.png", file), (f"{number:06}.cls", label.encode())):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return root / "shard-000000.tar"


def hub_data_set(_, photos):
    """The library itself where it is installed, else what stands for it."""
    _, files, labels = photos
    columns = {"image": [{"bytes": file, "path": None} for file in files], "label": [DISHES.index(label) for label in labels]}
    try:
        import datasets
    except ImportError:
        return Dataset(columns, {"image": ImageFeature(), "label": ClassLabel(list(DISHES))})
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(DISHES))}
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


def arrays(_, photos):
    return np.stack([np.asarray(picture) for picture in photos[0]]), photos[2]


def list_of_pictures(_, photos):
    return photos[0], photos[2]


class TorchDataset(torch.utils.data.Dataset[tuple[Image.Image, int]]):
    def __init__(self, photos):
        self.pictures, _, self.labels = photos
        self.classes = list(DISHES)

    def __len__(self):
        return COUNT

    def __getitem__(self, at):
        return self.pictures[at], self.classes.index(self.labels[at])


def torch_data_set(_, photos):
    return TorchDataset(photos)


SOURCES = {
    "folder": folder,
    "manifest": manifest,
    "zip": archive,
    "addresses": addresses,
    "parquet": bytes_in_parquet,
    "WebDataset": web_dataset,
    "datasets.Dataset": hub_data_set,
    "arrays": arrays,
    "PIL images": list_of_pictures,
    "torch Dataset": torch_data_set,
}
WITHOUT_FILES = {"arrays", "PIL images", "torch Dataset"}
"""The same pixels in other files: their features and answers are the same, and photos are held out by what files hold."""


def taught(source, nae, store):
    """What a classifier that learned from a source says of the photos that were held out."""
    with quiet():
        run = tg.fit(tg.Classifier(nae, classes=DISHES), source, features=FeatureSettings(store=store))
    return run.predictions


def answers(model, source):
    """``[75, 3]``: what a classifier says about every photo of a source, in the order in which they are called."""
    with quiet():
        samples = tg.load(source)
    rows = sorted(range(COUNT), key=lambda row: (samples.labels[row], samples.names[row]))
    return np.array([one.probabilities for one in model.predict([samples.paths[row] for row in rows])])


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return FeatureStore(tmp_path_factory.mktemp("features"))


@pytest.fixture(scope="module")
def of_folder(photos, dish_run, nae, store, tmp_path_factory):
    """The answers of a classifier that learned from the folder, and of one that learned from other photos."""
    place = folder(tmp_path_factory.mktemp("reference"), photos)
    return taught(place, nae, store), answers(dish_run.classifier, place)


@pytest.mark.robust(
    "surface",
    case="the same 75 photos as a folder, a manifest, a zip, at addresses, as bytes in Parquet, a WebDataset, "
    "a datasets.Dataset, arrays, PIL images, a Dataset of PyTorch",
    right="the same probabilities, bit for bit; and the same classifier, where they are the same files",
)
@pytest.mark.parametrize("name", SOURCES)
def test_the_same_photos_give_the_same_answers_whatever_they_come_in(name, photos, dish_run, nae, store, of_folder, tmp_path):
    source = SOURCES[name](tmp_path, photos)
    expected, of_all = of_folder
    assert len({row.tobytes() for row in of_all}) == COUNT  # each photo has an answer of its own
    assert np.array_equal(answers(dish_run.classifier, source), of_all)
    if name not in WITHOUT_FILES:
        held_out = taught(source, nae, store)
        assert len(held_out.labels) == 15
        assert np.array_equal(held_out.labels, expected.labels)
        assert np.array_equal(held_out.probabilities, expected.probabilities)
