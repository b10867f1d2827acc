"""Small sound files of every format and kind that is read, and two decoders beside Pillow.

One is OpenCV, the other imagecodecs with tifffile.

`tests/data/test_decoders_agree.py` compares them file by file; `python -m tools.attack decoders` damages them first.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import cv2
import imagecodecs
import numpy as np
import simplejpeg
import tifffile
from PIL import Image

from tools.attack.heic import HEIC

Values: TypeAlias = np.ndarray[Any, Any]
Files: TypeAlias = Iterator[tuple[str, bytes]]

HEIGHT, WIDTH = 48, 64


def _scene() -> Values:
    row, column = np.mgrid[0:HEIGHT, 0:WIDTH]
    values = np.stack([column / (WIDTH - 1), row / (HEIGHT - 1), (row + column) % 40 / 39], axis=2)
    values[: HEIGHT // 2, : WIDTH // 2, 2] = 1
    return values


BITS8 = np.rint(_scene() * 255).astype(np.uint8)
BITS16 = np.rint(_scene() * 65535).astype(np.uint16)
GREY8, GREY16 = BITS8[..., 0].copy(), BITS16[..., 0].copy()
ALPHA8 = np.rint(np.linspace(0, 255, HEIGHT)).astype(np.uint8)[:, None].repeat(WIDTH, 1)
ALPHA16 = ALPHA8.astype(np.uint16) * 257
PHOTO, GREY = Image.fromarray(BITS8), Image.fromarray(GREY8)
RGBA8, RGBA16 = np.dstack([BITS8, ALPHA8]), np.dstack([BITS16, ALPHA16])
PLANES8, PLANES16 = (np.ascontiguousarray(values.transpose(2, 0, 1)) for values in (BITS8, BITS16))


def _pillow(image: Image.Image, format_: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_, **options)
    return stream.getvalue()


def _tiff(values: Values, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **options)
    return stream.getvalue()


def _exif(orientation: int) -> Image.Exif:
    note = Image.Exif()
    note[0x0112] = orientation
    return note


def _png_with(*chunks: tuple[bytes, bytes]) -> bytes:
    content = _pillow(PHOTO, "PNG")
    made = [len(body).to_bytes(4) + name + body + zlib.crc32(name + body).to_bytes(4) for name, body in chunks]
    return content[:33] + b"".join(made) + content[33:]


def _adam7() -> bytes:
    """An interlaced PNG, which none of the libraries at hand writes."""
    passes = b""
    for top, left, down, right in (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ):
        passes += b"".join(b"\0" + row.tobytes() for row in BITS8[top::down, left::right])
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 1)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(passes)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(body).to_bytes(4) + name + body + zlib.crc32(name + body).to_bytes(4) for name, body in chunks
    )


def _netpbm(kind: str, values: Values, white: int) -> bytes:
    return f"{kind}\n{WIDTH} {HEIGHT}\n{white}\n".encode() + values.tobytes()


def _jpegs() -> Files:
    for sampling in ("444", "422", "420", "440", "411"):
        yield f"jpeg {sampling}", simplejpeg.encode_jpeg(BITS8, 90, "RGB", sampling)
    yield "jpeg grey", _pillow(GREY, "JPEG", quality=90)
    yield "jpeg progressive", _pillow(PHOTO, "JPEG", quality=90, progressive=True)
    yield "jpeg with restarts", _pillow(PHOTO, "JPEG", quality=90, restart_marker_blocks=2)
    yield "jpeg coarse", _pillow(PHOTO, "JPEG", quality=5)
    yield "jpeg of odd size", _pillow(PHOTO.crop((0, 0, 61, 37)), "JPEG", quality=90)
    large = PHOTO.resize((6 * WIDTH, 6 * HEIGHT), Image.Resampling.BICUBIC)  # of which the fast path decodes a part of the size
    yield "jpeg large", _pillow(large, "JPEG", quality=90)
    yield "jpeg large progressive", _pillow(large, "JPEG", quality=90, progressive=True)
    yield "jpeg of stored RGB", _pillow(PHOTO, "JPEG", quality=90, keep_rgb=True)
    yield "jpeg with more behind it", _pillow(PHOTO, "JPEG", quality=90) + b"\0" * 64
    yield "jpeg with a preview", _pillow(PHOTO, "MPO", save_all=True, append_images=[PHOTO.resize((8, 6))])
    yield "jpeg cmyk", _pillow(PHOTO.convert("CMYK"), "JPEG", quality=95)
    for orientation in range(2, 9):
        yield f"jpeg held as {orientation}", _pillow(PHOTO, "JPEG", quality=90, exif=_exif(orientation))


def _pngs() -> Files:
    for mode in ("RGB", "L", "P", "1"):
        yield f"png {mode}", _pillow(PHOTO.convert(mode), "PNG")
    yield "png RGBA", _pillow(Image.fromarray(RGBA8), "PNG")
    yield "png LA", _pillow(Image.fromarray(np.dstack([GREY8, ALPHA8])), "PNG")
    for bits in (2, 4):
        yield (
            f"png palette of {bits} bits",
            _pillow(PHOTO.convert("P", palette=Image.Palette.ADAPTIVE, colors=2**bits), "PNG", bits=bits),
        )
    yield "png 16 bits RGB", bytes(imagecodecs.png_encode(BITS16))
    yield "png 16 bits RGBA", bytes(imagecodecs.png_encode(RGBA16))
    yield "png 16 bits grey", bytes(imagecodecs.png_encode(GREY16))
    yield "png interlaced", _adam7()
    yield "png animated", _pillow(PHOTO, "PNG", save_all=True, append_images=[PHOTO.rotate(90)])
    yield "png with a clear colour", _pillow(PHOTO, "PNG", transparency=tuple(map(int, BITS8[3, 4])))
    yield "png with a broken profile", _png_with((b"iCCP", b"k\0\0no zlib"))
    yield "png with a large text", _png_with((b"zTXt", b"k\0\0" + zlib.compress(b"a" * 2_000_000)))


def _tiffs() -> Files:
    kinds: dict[str, tuple[Values, dict[str, Any]]] = {
        "RGB": (BITS8, {"photometric": "rgb"}),
        "grey": (GREY8, {"photometric": "minisblack"}),
        "16 bits RGB": (BITS16, {"photometric": "rgb"}),
        "16 bits grey": (GREY16, {"photometric": "minisblack"}),
        "planes": (PLANES8, {"photometric": "rgb", "planarconfig": "separate"}),
        "planes of 16 bits in strips": (PLANES16, {"photometric": "rgb", "planarconfig": "separate", "rowsperstrip": 5}),
        "white is 0": (255 - GREY8, {"photometric": "miniswhite"}),
        "16 bits, white is 0": (65535 - GREY16, {"photometric": "miniswhite"}),
        "RGBA": (RGBA8, {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
        "CMYK": (np.asarray(PHOTO.convert("CMYK")), {"photometric": "separated"}),
    }
    for compression in (None, "lzw", "deflate", "packbits"):
        for kind, (values, options) in kinds.items():
            yield f"tiff {kind} {compression or 'plain'}", _tiff(values, compression=compression, **options)
    yield "tiff big-endian", _tiff(BITS8, photometric="rgb", byteorder=">")
    yield "tiff big-endian 16 bits", _tiff(BITS16, photometric="rgb", byteorder=">")
    yield "tiff big-endian planes of 16 bits", _tiff(PLANES16, photometric="rgb", planarconfig="separate", byteorder=">")
    yield "bigtiff", _tiff(BITS8, photometric="rgb", bigtiff=True)
    yield "tiff predicted", _tiff(BITS8, photometric="rgb", compression="deflate", predictor=True)
    yield "tiff predicted 16 bits", _tiff(BITS16, photometric="rgb", compression="lzw", predictor=True)
    yield "tiff in tiles", _tiff(BITS8, photometric="rgb", tile=(16, 16), compression="lzw")
    yield "tiff zstd", _tiff(BITS8, photometric="rgb", compression="zstd")
    yield "tiff float", _tiff((GREY16 / 65535).astype(np.float32), photometric="minisblack")
    yield "tiff with an unnamed channel", _tiff(RGBA8, photometric="rgb", extrasamples=["unspecified"])
    yield "tiff jpeg", _pillow(PHOTO, "TIFF", compression="jpeg", quality=95)
    yield "tiff fax", _pillow(PHOTO.convert("1"), "TIFF", compression="group4")
    yield "tiff palette", _pillow(PHOTO.convert("P"), "TIFF")
    lightness = GREY8 // 2 + 64
    muted = [(BITS8[..., at] // 8 - 16).view(np.uint8) for at in (1, 2)]
    yield "tiff Lab", _tiff(np.dstack([lightness, *muted]), photometric="cielab")


def _others() -> Files:
    yield "gif", _pillow(PHOTO, "GIF")
    yield "gif with a clear colour", _pillow(PHOTO.convert("P"), "GIF", transparency=7)
    yield "gif animated", _pillow(PHOTO, "GIF", save_all=True, append_images=[PHOTO.rotate(90)])
    for mode in ("RGB", "L", "P", "1"):
        yield f"bmp {mode}", _pillow(PHOTO.convert(mode), "BMP")
    yield "webp lossless", _pillow(PHOTO, "WEBP", lossless=True)
    yield "webp lossy", _pillow(PHOTO, "WEBP", quality=90)
    yield "webp RGBA", _pillow(Image.fromarray(RGBA8), "WEBP", lossless=True, exact=True)
    yield "webp animated", _pillow(PHOTO, "WEBP", lossless=True, save_all=True, append_images=[PHOTO.rotate(90)])
    yield "pnm grey", _netpbm("P5", GREY8, 255)
    yield "pnm RGB", _netpbm("P6", BITS8, 255)
    yield "pnm 16 bits grey", _netpbm("P5", GREY16.astype(">u2"), 65535)
    yield "pnm 16 bits RGB", _netpbm("P6", BITS16.astype(">u2"), 65535)
    yield "jpeg 2000", _pillow(PHOTO, "JPEG2000")
    yield "jpeg 2000 grey", _pillow(GREY, "JPEG2000")
    yield "jpeg 2000 16 bits grey", bytes(imagecodecs.jpeg2k_encode(GREY16, level=0, reversible=True))
    yield "jpeg 2000 16 bits RGB", bytes(imagecodecs.jpeg2k_encode(BITS16, level=0, reversible=True))
    yield "jpeg 2000 16 bits RGBA", bytes(imagecodecs.jpeg2k_encode(RGBA16, level=0, reversible=True))
    yield "jpeg 2000 codestream", _pillow(PHOTO, "JPEG2000", no_jp2=True)
    yield "avif", _pillow(PHOTO, "AVIF", quality=95, subsampling="4:4:4")
    yield "qoi", _pillow(PHOTO, "QOI")
    yield "qoi RGBA", _pillow(Image.fromarray(RGBA8), "QOI")


VARIANTS = {name: content for family in (_jpegs, _pngs, _tiffs, _others) for name, content in family()}

WITH_THE_EXTRA = {"heic": HEIC, "jpeg xl": bytes(imagecodecs.jpegxl_encode(BITS8))}
"""What is read where the extra ``heif`` is installed; of these no two decoders at hand are independent of it."""


def _seen(values: Values) -> Values:
    """What a decoder gave, as RGB of 8 bits over white."""
    values = np.asarray(values)
    top = {"b": 1, "f": 1}.get(values.dtype.kind) or np.iinfo(values.dtype).max
    values = values.astype(np.float64) * (255 / top)
    values = values[..., None] if values.ndim == 2 else values
    if values.shape[2] in {2, 4}:
        alpha = values[..., -1:] / 255
        values = values[..., :-1] * alpha + 255 * (1 - alpha)
    return values if values.shape[2] == 3 else values[..., :1].repeat(3, 2)


AS_STORED = ("RGBA", "LA", "clear", "float")  # what OpenCV gives whole only where nothing is converted


def _by_opencv(name: str, content: bytes) -> Values | None:
    as_stored = any(word in name for word in AS_STORED)
    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED if as_stored else cv2.IMREAD_COLOR)
    if values is None:
        return None
    if values.ndim == 3 and values.shape[2] >= 3:
        values = values[..., [2, 1, 0, *range(3, values.shape[2])]]
    if name.startswith("tiff RGBA"):  # multiplied with its transparency already
        return values[..., :3] + 255.0 - values[..., 3:]
    return _seen(values)


def _by_imagecodecs(name: str, content: bytes) -> Values:
    if name.startswith(("tiff", "bigtiff")):
        return _by_tifffile(content)
    if name.startswith("pnm"):
        return _by_hand(content)
    family = "jpeg 2000" if name.startswith("jpeg 2000") else name.split(" ", 1)[0]
    decode = {
        "jpeg": imagecodecs.jpeg8_decode,
        "png": imagecodecs.png_decode,
        "gif": imagecodecs.gif_decode,
        "bmp": imagecodecs.bmp_decode,
        "webp": imagecodecs.webp_decode,
        "jpeg 2000": imagecodecs.jpeg2k_decode,
        "avif": imagecodecs.avif_decode,
        "qoi": imagecodecs.qoi_decode,
    }[family]
    values = decode(content)
    values = values[0] if values.ndim == 4 else values
    if name == "jpeg cmyk":  # as Adobe stores it: inverted
        values = np.rint(values[..., :3] * (values[..., 3:] / 255)).astype(np.uint8)
    if "held as" in name:
        values = TURNED[int(name[-1])](values)
    return _seen(values)


TURNED = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def _by_tifffile(content: bytes) -> Values:
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page: Any = file.pages[0]
        values = page.asarray()
        if page.planarconfig == 2 and values.ndim == 3:
            values = values.transpose(1, 2, 0)
        kind = page.photometric.name
        if kind == "PALETTE":
            return _seen(page.colormap.T[values])
        if kind == "MINISWHITE":
            values = ~values
        if kind == "SEPARATED":
            values = np.rint((255.0 - values[..., :3]) * (255.0 - values[..., 3:]) / 255).astype(np.uint8)
        if kind == "CIELAB":
            return np.rint(_rgb_of_lab(values))
        return _seen(values[..., :3] if kind == "RGB" and 0 in page.extrasamples else values)


def _rgb_of_lab(values: Values) -> Values:
    """CIELab of 8 bits as TIFF stores it, lit as in print (D50), to sRGB: the formulas of the CIE and of IEC 61966-2-1."""
    lightness, red_green, yellow_blue = values[..., 0] / 2.55, values[..., 1].view(np.int8), values[..., 2].view(np.int8)
    middle = (lightness + 16) / 116
    root = np.stack([middle + red_green / 500.0, middle, middle - yellow_blue / 200.0], axis=2)
    xyz = np.where(root**3 > 216 / 24389, root**3, (116 * root - 16) * 27 / 24389) * (0.9642, 1, 0.8251)
    to_rgb = np.array(
        [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]]
    )
    light = np.clip(xyz @ to_rgb.T, 0, 1)
    shown: Values = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return shown


def _by_hand(content: bytes) -> Values:
    kind, size, white, body = content.split(b"\n", 3)
    width, height = map(int, size.split())
    values = np.frombuffer(body, ">u2" if int(white) > 255 else np.uint8)
    top = 65535 if int(white) > 255 else 255
    values = np.minimum(values.astype(np.float64) * top / int(white), top)  # white is what the head says, where others read on
    shape = height, width, 3 if kind == b"P6" else 1
    return _seen(np.rint(values).reshape(shape).astype(np.uint16 if top > 255 else np.uint8))


DECODERS: dict[str, Callable[[str, bytes], Values | None]] = {"OpenCV": _by_opencv, "imagecodecs": _by_imagecodecs}
"""Name of a kind of files and content in, RGB of 8 bits over white out, ``[H, W, 3]``; nothing where it cannot be read."""

LOSSY = ("jpeg", "avif", "heic", "tiff jpeg", "webp lossy")


def apart(first: Values, second: Values) -> float:
    """By how many grey levels two pictures differ, on average."""
    return float(np.abs(first - second).mean())
