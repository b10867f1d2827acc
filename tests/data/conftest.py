"""Small data sets made on the spot: every photo's pixels come from its path, so equal names mean equal content."""

import hashlib
import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tsugiki.core.errors import RequestError
from tsugiki.data.load import list_photos


def differing_bits(first: int, second: int) -> int:
    """In how many of 64 bits two perceptual hashes differ."""
    return ((first ^ second) & (2**64 - 1)).bit_count()


def said(listing):
    """What was decided about a listing, a line each."""
    return "\n".join(listing.decisions)


def refusal(source):
    """The sentence with which a data set is refused."""
    with pytest.raises(RequestError) as caught:
        list_photos(source)
    return str(caught.value)


def table(listing):
    """Photos per ``split:class``, or per class where nobody named a split."""
    pairs = zip(listing.splits, listing.labels, strict=True)
    return dict(Counter(f"{split}:{label}" if split else label for split, label in pairs))


def _photo_bytes(text: str, format_: str = "PNG") -> bytes:
    seed = hashlib.sha256(text.encode()).digest()
    image = Image.new("RGB", (6, 5), tuple(seed[:3]))
    image.putpixel((0, 0), tuple(seed[3:6]))
    stream = io.BytesIO()
    image.save(stream, format_)
    return stream.getvalue()


@pytest.fixture
def photo_bytes() -> Callable[..., bytes]:
    """``photo_bytes(text, format_="PNG")``: a small picture that nothing else has."""
    return _photo_bytes


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """``put(*names, content=None)``: files below a new folder, photos or ``content``; gives the folder."""
    root = tmp_path / "写真" / "猫 é"

    def place(*names: str, content: bytes | None = None) -> Path:
        root.mkdir(parents=True, exist_ok=True)
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_photo_bytes(name) if content is None else content)
        return root

    return place


@pytest.fixture
def put_classes(put: Callable[..., Path]) -> Callable[..., Path]:
    """``put_classes({"train/cat": 3})``: so many photos per folder; gives the folder above."""

    def place(counts: dict[str, int]) -> Path:
        root = put()
        for name, count in counts.items():
            root = put(*(f"{name}/{number}.png" for number in range(count)))
        return root

    return place


@pytest.fixture
def build(put: Callable[..., Path]) -> Callable[..., Path]:
    """``build({"cat": 3, "dog": ["a.png"], "list.csv": "..."})``: photos by number or name, other files."""

    def made(spec: dict[str, int | list[str] | str | bytes]) -> Path:
        root = put()
        for place, what in spec.items():
            if isinstance(what, str | bytes):
                put(place, content=what.encode() if isinstance(what, str) else what)
            else:
                names = [f"{number}.png" for number in range(what)] if isinstance(what, int) else what
                put(*(f"{place}/{name}" for name in names))
        return root

    return made
