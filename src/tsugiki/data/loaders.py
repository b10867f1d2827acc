"""Two folders of class folders -> plain PyTorch DataLoaders: the ``create_dataloaders`` of the articles, made safe.

What differs from ``ImageFolder`` with ``DataLoader``:

* files that are no readable photos are named and left out, instead of stopping the training in the middle;
* every photo is opened by the one decoder: turned as its camera noted, transparency over white, 16 bits scaled;
* classes are those of the training folder, by name: a test folder with other classes never shifts a label;
* when worker processes cannot run here, loading goes on in this process;
* photos may have several labels each.

Letters: ``B`` photos of a batch, ``K`` classes.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from tsugiki.core.console import progress, say
from tsugiki.core.devices import usable_cores
from tsugiki.core.errors import DataError, RequestError, UnreadablePhoto
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.core.threads import ContextThreadPool
from tsugiki.data.images.decode import open_photo, reopen_photo
from tsugiki.data.images.remarks import noting, sentences
from tsugiki.data.label_sets import NOT_KNOWN, LabelReading
from tsugiki.data.load import describe_samples, label_reading, list_photos
from tsugiki.data.photo_index import Content, PhotoIndex
from tsugiki.data.samples import Samples
from tsugiki.data.sources.listing import Listing
from tsugiki.data.sources.tables.label_rows import as_sets
from tsugiki.locale.messages import tr

Transform: TypeAlias = Callable[[Image.Image], Tensor]
"""A photo of mode RGB to ``[3, H, W]``."""

MOST_WORKERS = 8
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (only looked at: it is where workers hand over their batches)
_SHARED_MEMORY_NEEDED = 256 * 2**20
_WORKER_TROUBLE = re.compile(r"DataLoader worker \(pid|shared memory|ancdata|pickle|file descriptor|</torch_", re.IGNORECASE)


Label: TypeAlias = int | Tensor
"""A class; or, where a photo may have several labels, ``[K]`` float32 of 1, 0 and, where nobody knows, NaN."""


class PhotoDataset(Dataset[tuple[Tensor, Label]]):
    """Photos and labels, with the attributes of torchvision's ``ImageFolder``.

    Attributes:
        samples: (path, label) of every photo; several labels are a tensor ``[K]``.
        targets: The labels.
        classes: Class names in the order of the labels.
        class_to_idx: The opposite.
        transform: What each photo goes through.
    """

    def __init__(self, samples: Sequence[tuple[str, Label]], classes: Sequence[str], transform: Transform) -> None:
        self.samples = list(samples)
        self.targets = [label for _, label in self.samples]
        self.classes = list(classes)
        self.class_to_idx = {name: label for label, name in enumerate(self.classes)}
        self.transform = transform

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, row: int) -> tuple[Tensor, Label]:
        path, label = self.samples[row]
        return self.transform(reopen_photo(path)), label


class PhotoLoader(DataLoader[Any]):
    """A DataLoader that goes on in this process when its worker processes fail; no batch is lost, repeated or reordered."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:  # type: ignore[override]  # an iterator all the same
        return self._watched() if self.num_workers else super().__iter__()

    def _watched(self) -> Iterator[tuple[Tensor, Tensor]]:
        before = self.generator.get_state()
        given = 0
        workers = None
        try:
            workers = super().__iter__()
            for batch in workers:
                yield batch
                given += 1
        except (RuntimeError, OSError, EOFError, AttributeError, pickle.PicklingError) as fault:
            reason = _worker_trouble(fault)
            if not reason:
                raise
            _end(workers)
            self._give_up_workers(reason)
        else:
            return
        self.generator.set_state(before)
        yield from islice(super().__iter__(), given, None)

    def _give_up_workers(self, reason: str) -> None:
        say(tr("Loading photos in worker processes failed here, so they are loaded in this one: {reason}", reason=reason))
        self.num_workers = 0
        self.prefetch_factor = None


def _end(workers: object) -> None:
    """End the other workers here: PyTorch tells of each that dies with an exception, which its destructor could only print."""
    shut_down = getattr(workers, "_shutdown_workers", None)
    if shut_down is not None:
        with suppress(RuntimeError):
            shut_down()


def _worker_trouble(fault: Exception) -> str:
    """What is wrong with the workers; nothing where ``fault`` is about the photos."""
    told = str(fault).strip()
    if _WORKER_TROUBLE.search(told):
        return told.splitlines()[0]
    # A batch is fetched from the worker that made it: one that has died meanwhile is met as a line that is closed or gone.
    # What goes wrong inside a worker is told with "Caught ...".
    if isinstance(fault, EOFError | ConnectionError | FileNotFoundError) and not told.startswith("Caught "):
        return tr("a DataLoader worker ended before its batch was fetched")
    return ""


def create_dataloaders(
    train_dir: str | os.PathLike[str],
    test_dir: str | os.PathLike[str],
    transform: Transform,
    batch_size: int,
    num_workers: int | Literal["auto"] = "auto",
    *,
    seed: int = DEFAULT_SEED,
    multi_label: bool = False,
    label_separator: str | None = None,
) -> tuple[PhotoLoader, PhotoLoader, list[str]]:
    """DataLoaders over a training and a test folder, and the names of the classes.

    Every photo is decoded once here, so that what cannot be read is named before the training starts. The training photos come
    in another order every epoch, the same at every run with the same ``seed``; the last batch is kept even where it is small.

    Where photos may have several labels, the labels of a batch are ``[B, K]`` float32 of 1 and 0, as
    ``nn.BCEWithLogitsLoss`` takes them, and NaN where nobody knows: a loss that forgets about these is no finite number instead
    of a wrong one. ``known = ~labels.isnan()`` says which cells count: ``loss_fn(logits[known], labels[known])``.

    Args:
        train_dir: A folder with one folder of photos per class; or one of photos with a table that names several labels.
        test_dir: Another one; photos of classes that ``train_dir`` does not have are named and left out.
        transform: A photo (Pillow, RGB) to a tensor ``[3, H, W]``: a torchvision ``Compose`` (v1 or v2),
            ``weights.transforms()`` or a :class:`tsugiki.data.Preprocess`. It is used for both folders.
        batch_size: Photos per batch.
        num_workers: Processes that load photos; ``"auto"`` takes as many as there are cores (8 at most) where that is safe,
            and none elsewhere (Windows, macOS, little shared memory).
        seed: Of the order of the training photos.
        multi_label: Whether a photo may have several labels, or none, even where no label says so.
        label_separator: What stands between several labels of one photo, if not ``|``.

    Returns:
        Training loader, test loader, class names in the order of the labels (natural order: ``2`` before ``10``).

    Raises:
        RequestError: When a folder is missing or laid out in another way.
        DataError: When nothing readable is left, or there are fewer than two classes.
    """
    samples = _settled(Path(train_dir), Path(test_dir), label_reading(multi_label=multi_label, label_separator=label_separator))
    if samples.decisions or samples.warnings or samples.left_out:
        say(describe_samples(samples))
    train, test = (_loader(samples, split, transform, batch_size, _workers(num_workers), seed) for split in ("train", "test"))
    return train, test, list(samples.classes)


def _settled(train_dir: Path, test_dir: Path, reading: LabelReading) -> Samples:
    parts = [_listed(train_dir, "train", reading), _listed(test_dir, "test", reading)]
    several = any(part.label_sets is not None for part in parts)
    looked_at = [_contents(part) for part in parts]
    both = Listing(
        root=Path(),
        names=tuple(str(path) for part in parts for path in part.paths),
        labels=tuple(label for part in parts for label in part.labels),
        splits=tuple(split for part in parts for split in part.splits),
        left_out=tuple(file for part in parts for file in part.left_out),
        decisions=tuple(dict.fromkeys(decision for part in parts for decision in part.decisions)),
        label_sets=tuple(one for part in parts for one in as_sets(part)) if several else None,
        classes=tuple(dict.fromkeys(name for part in parts for name in part.classes)),
    )
    samples = Samples.from_listing(both, [content for contents, _ in looked_at for content in contents])
    remarks = {name: notes for _, part in looked_at for name, notes in part.items() if name in samples.names}
    return replace(samples, warnings=(*samples.warnings, *sentences(remarks)))


def _listed(folder: Path, split: str, reading: LabelReading) -> Listing:
    listing = list_photos(folder, reading)
    if any(listing.splits):
        raise RequestError(
            tr("{folder} is divided into splits itself; name one of them.", folder=folder),
            got=", ".join(sorted(set(listing.splits))),
            cure=tr("create_dataloaders(train_dir, test_dir, ...) takes two folders of class folders"),
        )
    return replace(listing, splits=(split,) * len(listing))


def _contents(listing: Listing) -> tuple[list[Content], dict[str, list[str]]]:
    """What the files hold, and the remarks on those that are photos, by name.

    Each is decoded once: there is nobody behind a DataLoader who could leave one out later.
    """
    remarks: dict[str, list[str]] = {}

    def looked_at(path: Path, content: Content) -> Content:
        if content.reason:
            return content
        with noting() as notes:
            try:
                open_photo(path)
            except UnreadablePhoto as fault:
                return Content(reason=fault.what)
        remarks[str(path)] = notes
        return content

    contents = PhotoIndex().contents(listing.paths)
    with ContextThreadPool(usable_cores()) as pool, progress(tr("Decoding photos"), len(contents)) as tick:
        for at, content in enumerate(pool.map(looked_at, listing.paths, contents)):
            contents[at] = content
            tick(1, "")
    if all(content.reason for content in contents):
        raise DataError(tr("Not one photo in {folder} can be read.", folder=listing.root), got=contents[0].reason)
    return contents, remarks


def _loader(samples: Samples, split: str, transform: Transform, batch_size: int, workers: int, seed: int) -> PhotoLoader:
    part = samples.of(split)
    files: list[tuple[str, Label]] = list(zip(map(str, part.paths), _labels(part), strict=True))
    return PhotoLoader(
        PhotoDataset(files, samples.classes, transform),
        batch_size=batch_size,
        shuffle=split == "train",
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),  # elsewhere it only warns
        generator=torch.Generator().manual_seed(seed),
        collate_fn=stack_photos,
    )


def _labels(samples: Samples) -> list[Label]:
    if samples.targets is None:
        return [*samples.labels.tolist()]
    targets = torch.from_numpy(samples.targets).float()
    return [*targets.masked_fill(targets == NOT_KNOWN, torch.nan)]


def stack_photos(pairs: Sequence[tuple[Tensor, Label]]) -> tuple[Tensor, Tensor]:
    """Single photos ``[3, H, W]`` and labels to a batch ``[B, 3, H, W]``, ``[B]``; several labels each to ``[B, K]``.

    Raises:
        RequestError: When the transform gives no tensors, or tensors of several sizes.
    """
    photos = [photo for photo, _ in pairs]
    if not all(isinstance(photo, Tensor) for photo in photos):
        raise RequestError(
            tr("The transform must turn a photo into a tensor."),
            got=type(photos[0]).__name__,
            cure=tr("add transforms.ToTensor() to it"),
        )
    shapes = {tuple(photo.shape) for photo in photos}
    if len(shapes) > 1:
        raise RequestError(
            tr("The transform gives photos of several sizes, which do not fit into one batch."),
            got=", ".join(map(str, sorted(shapes))),
            cure=tr("Resize((224, 224)) gives every photo the same size; Resize(224) keeps the proportions"),
        )
    labels = [label for _, label in pairs]
    several = [label for label in labels if isinstance(label, Tensor)]
    return torch.stack(photos), torch.stack(several) if several else torch.tensor(labels)


def _workers(asked: int | str) -> int:
    if isinstance(asked, int):
        return asked
    # Starting a process anew runs the person's script again unless it has a __main__ guard; a fork does not.
    method = multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]
    if method != "fork":
        return 0
    if _SHARED_MEMORY.is_dir() and shutil.disk_usage(_SHARED_MEMORY).free < _SHARED_MEMORY_NEEDED:
        return 0
    return min(usable_cores(), MOST_WORKERS)
