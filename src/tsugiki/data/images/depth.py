"""Values of more than 8 bits, of integers and floats, become 8-bit values.

A file says how many bits it has room for, seldom how many its values need: cameras and microscopes store 10, 12 or 14 bits in
16. Such photos would come out nearly black. So the smallest customary range that holds all values counts, and where that is
not all of the file's own range a remark says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tsugiki.core.errors import UnreadablePhoto
from tsugiki.data.images.remarks import note
from tsugiki.data.images.tiff import name_kind

Values = npt.NDArray[Any]

WHITE_IS_ZERO = "white is zero"
"""What is true in ``info`` of a photo whose values have to be turned round."""

_UNSIGNED, _SIGNED = 1, 2
_PHOTOMETRIC, _BITS, _SAMPLE_FORMAT = 262, 258, 339  # tags of TIFF
_INTEGERS = (255, 1023, 4095, 16383, 65535)
_ALL_OF_32 = 2**32 - 1


@dataclass(frozen=True)
class Ranges:
    """The upper ends of customary ranges, in order, and those of them that a remark need not mention."""

    customary: tuple[float, ...]
    expected: tuple[float, ...]


SIXTEEN_BITS = Ranges(_INTEGERS, (65535,))
FLOATS = Ranges((1, *_INTEGERS), (1, 255, 65535))
_INTEGERS_OF_32 = Ranges(_INTEGERS, (255, 65535, _ALL_OF_32))
_SIGNED_16 = Ranges((*_INTEGERS[:-1], 32767), (32767,))
_EIGHT_BITS = Ranges((255,), (255,))

_MOST_OF_12_IN_16_BITS = 63  # high bytes of colours that 14 bits hold
_SWAPPED = {";16B": ";16L", ";16L": ";16B"}
_OPPOSITE_OF_NATIVE = ";16B" if np.little_endian else ";16L"


def is_deep_grey(photo: Image.Image) -> bool:
    """Whether a photo has one value per pixel that 8-bit grey cannot hold as it is."""
    return photo.mode.startswith(("I", "F")) or (photo.mode == "L" and _tag(photo, _SAMPLE_FORMAT, _UNSIGNED) == _SIGNED)


def eight_bit_grey(photo: Image.Image) -> Image.Image:
    """A photo of one deep value per pixel as 8-bit grey, mode ``L``; what is transparent is white."""
    values = np.asarray(photo)
    if photo.mode == "L":
        values = values.view(np.int8)
    elif _tag(photo, _BITS, 0) == 32 and _tag(photo, _SAMPLE_FORMAT, _UNSIGNED) == _UNSIGNED and photo.mode == "I":
        values = values.view(np.uint32)
    grey = eight_bit(values, _ranges(photo))
    if photo.info.get(WHITE_IS_ZERO) or _tag(photo, _PHOTOMETRIC, 1) == 0:
        grey = 255 - grey
    clear = photo.info.get("transparency")
    if isinstance(clear, int):
        grey = np.where(values == clear, np.uint8(255), grey)
    return Image.fromarray(grey)


def eight_bit(values: Values, ranges: Ranges) -> npt.NDArray[np.uint8]:
    """Deep values, ``[H, W]`` or ``[H, W, C]``, as 8-bit values; what is not finite counts as 0."""
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    bottom, top = _range(ranges, low, high)
    if high > low and top not in ranges.expected:
        note("bright", f"{top:.15g}")
    if values.dtype.itemsize == 2 and values.dtype.kind == "u":
        table = _scaled(np.arange(65536, dtype=np.uint16), bottom, top)  # 65536 sums instead of one per pixel
        return table[values]
    return _scaled(values, bottom, top)


def _scaled(values: Values, bottom: float, top: float) -> npt.NDArray[np.uint8]:
    scaled = (values.astype(np.float64) - bottom) * (255 / (top - bottom))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def _ranges(photo: Image.Image) -> Ranges:
    bits = _tag(photo, _BITS, 0)
    if photo.mode == "F":
        return FLOATS
    if photo.mode == "L":
        return _EIGHT_BITS
    if photo.format == "PPM":  # names its white, and Pillow has scaled it to this one
        return Ranges((65535,), (65535,))
    if 8 < bits < 16:
        return Ranges((2**bits - 1,), (2**bits - 1,))
    if photo.mode == "I":
        return _SIGNED_16 if bits == 16 else _INTEGERS_OF_32
    return SIXTEEN_BITS


def _range(ranges: Ranges, low: float, high: float) -> tuple[float, float]:
    for top in ranges.customary:
        if low >= 0 and high <= top:
            return 0, top
    if low >= 0 and _ALL_OF_32 / 2 < high <= _ALL_OF_32:
        return 0, _ALL_OF_32
    return low, max(high, low + 1e-12)


def has_deep_colours(photo: Image.Image) -> bool:
    """Whether a photo that has not been loaded yet holds colours of 16 bits, of which Pillow gives the upper eight."""
    return photo.mode in {"RGB", "RGBA", "LA"} and any(";16" in _raw_mode(tile) for tile in _tiles(photo))


def uses_few_bits(photo: Image.Image) -> bool:
    """Whether the upper eight bits of colours say that 14 of 16 are enough, and that there is something to be seen at all."""
    brightest = max(high for _, high in _colour_ranges(photo))
    return brightest <= _MOST_OF_12_IN_16_BITS


def swap_bytes(photo: Image.Image) -> None:
    """Let a photo of 16-bit colours that has not been loaded yet come out with its lower eight bits."""
    setattr(photo, "tile", [_with_raw_mode(tile, _swapped(_raw_mode(tile))) for tile in _tiles(photo)])  # noqa: B010 (no type has it)


def name_planes(photo: Image.Image) -> None:
    """Let an uncompressed TIFF photo of 16 bits whose colours lie apart be read by 16 bits, not by 8 as Pillow would.

    Raises:
        UnreadablePhoto: Where it cannot be, as with CMYK.
    """
    bits = getattr(photo, "tag_v2", {}).get(_BITS, (8,))
    if getattr(photo, "_planar_configuration", 1) != 2 or set(bits[: len(photo.getbands())]) != {16}:
        return
    if photo.mode == "CMYK" and any(len(_raw_mode(tile)) == 1 for tile in _tiles(photo)):
        raise UnreadablePhoto(name_kind(photo.tag_v2))  # type: ignore[attr-defined]
    order = ";16L" if photo.tag_v2.prefix == b"II" else ";16B"  # type: ignore[attr-defined]
    tiles = [_with_raw_mode(tile, mode + order) if len(mode := _raw_mode(tile)) == 1 else tile for tile in _tiles(photo)]
    setattr(photo, "tile", tiles)  # noqa: B010 (as above)


def brightened(upper: Image.Image, lower: Image.Image) -> Image.Image:
    """Colours of 16 bits that use fewer, from their upper and their lower eight bits, as 8-bit colours of the same mode."""
    high, low = (np.asarray(part).astype(np.uint16) for part in (upper, lower))
    values = high * 256 + low
    colours = values.shape[2] - (upper.mode in {"RGBA", "LA"})
    result = np.array(upper)
    result[..., :colours] = eight_bit(values[..., :colours], SIXTEEN_BITS)
    return Image.fromarray(result)


def _colour_ranges(photo: Image.Image) -> list[tuple[int, int]]:
    bands = photo.getbands()
    return [photo.getchannel(band).getextrema() for band in bands if band != "A"]  # type: ignore[misc]


def _tiles(photo: Image.Image) -> list[Any]:
    return getattr(photo, "tile", [])


def _raw_mode(tile: Any) -> str:
    arguments = tile[3]
    mode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return mode if isinstance(mode, str) else ""


def _with_raw_mode(tile: Any, mode: str) -> Any:
    arguments = (mode, *tile[3][1:]) if isinstance(tile[3], tuple) else mode
    return tile._replace(args=arguments)


def _swapped(mode: str) -> str:
    if mode.endswith(";16N"):
        return mode.removesuffix(";16N") + _OPPOSITE_OF_NATIVE
    order = mode[-4:]
    return mode.removesuffix(order) + _SWAPPED.get(order, order)


def _tag(photo: Image.Image, tag: int, otherwise: int) -> int:
    """A number among a TIFF photo's tags, the first of several."""
    value = getattr(photo, "tag_v2", {}).get(tag, otherwise)
    return int(value[0] if isinstance(value, tuple) else value)
