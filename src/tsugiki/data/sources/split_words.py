"""What names of folders and files say about splits: words for train, val and test, alone or as parts of names."""

from __future__ import annotations

import re


def words_in(text: str) -> tuple[str, ...]:
    """The words of a text, for lists that would fill a page otherwise."""
    return tuple(text.split())


_WORDS = {
    "train": ("train", "training", "trn", "trainval", "学習", "学習用", "訓練", "訓練用", "教師", "训练", "训练集"),
    "val": ("val", "valid", "validation", "dev", "検証", "検証用", "验证", "验证集"),
    "test": (
        "test",
        "testing",
        "tst",
        "eval",
        "evaluation",
        "holdout",
        "heldout",
        "hold_out",
        "hold-out",
        "テスト",
        "テスト用",
        "評価",
        "評価用",
        "测试",
        "测试集",
    ),
}
_SPLIT_OF = {word: split for split, words in _WORDS.items() for word in words}

_PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_A-Za-z]+")
_THINGS = r"(?:s|sets?|data|dataset|images?|imgs?|photos?|pics?|files?|folder|dir)"
_COMPOUND = re.compile(rf"(train|training|test|testing|val|valid|validation){_THINGS}")

_PART = re.compile(
    r"(?P<what>(?:.*[^a-z])?(?:folds?|part|batch|chunk|shard|split|partition|images?|imgs?|photos?|pictures?|フォールド|分割))"
    r"[\s_.-]*(?P<number>\d+)$",
    re.IGNORECASE,
)

_VOLUME = re.compile(r"(?P<whole>.*\d{8}T\d{6}Z)(?:-\d+)?-\d{3}", re.IGNORECASE)
"""The pieces that Google Drive packs a large folder into."""

_PICTURES = words_in(
    "images image imgs img photos photo pictures picture pics jpg jpeg jpgs png pngs jpegimages "
    "originals original raw data 画像 写真 图片 图像 "
)

_MARKINGS = words_in(
    "annotations annotation masks mask labels label gt groundtruth ground_truth segmentation "
    "segmentations segmentationclass segmentationobject seg segs trimaps trimap "
    "bboxes マスク ラベル 标注 掩码 "
)


def split_of(name: str) -> str | None:
    """``train``, ``val`` or ``test`` for a word that means one of them."""
    return _SPLIT_OF.get(name.strip().casefold())


def split_in(name: str) -> str | None:
    """The one split whose word is a part of a name, as in ``seg_train``, ``TestSet`` or ``val2017``; ``None`` for two."""
    found = {split for piece in _PIECES.findall(name) if (split := _split_of_piece(piece))}
    return found.pop() if len(found) == 1 else None


def _split_of_piece(piece: str) -> str | None:
    if split := split_of(piece):
        return split
    if compound := _COMPOUND.fullmatch(piece.casefold()):
        return split_of(compound[1])
    if not piece.isascii():  # written without spaces, as 学習データ
        return next((split for word, split in _SPLIT_OF.items() if not word.isascii() and word in piece), None)
    return None


def are_parts(names: list[str]) -> bool:
    """Whether several names say that one thing was cut into pieces, as ``fold_1`` and ``fold_2`` do."""
    if len(names) > 1 and len({whole_of(name) for name in names}) == 1:
        return True
    matches = [_PART.fullmatch(name) for name in names]
    whole = {match["what"].casefold() if match else "" for match in matches}
    return len(names) > 1 and len(whole) == 1 and "" not in whole


def whole_of(name: str) -> str:
    """The name of the whole that a piece of a divided download is of; the name itself where it is no such piece."""
    match = _VOLUME.fullmatch(name)
    return match["whole"] if match else name


def means_pictures(name: str) -> bool:
    """Whether a folder is called after what is in any such folder, so that its name is no class."""
    return name.strip().casefold() in _PICTURES


def means_markings(name: str) -> bool:
    """Whether a folder is called after what belongs to photos: masks, annotations."""
    return name.strip().casefold() in _MARKINGS
