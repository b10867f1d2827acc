"""The one decoder: every kind of picture upright and RGB, every kind of non-picture refused by name."""

import io
import threading
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from tsugiki.core.errors import DataError, TsugikiError, UnreadablePhoto
from tsugiki.data.images.decode import open_photo


def photo(width=40, height=24):
    """Every pixel tells where it is."""
    grid = np.zeros((height, width, 3), np.uint8)
    grid[..., 0] = np.linspace(0, 255, width)[None, :]
    grid[..., 1] = np.linspace(0, 255, height)[:, None]
    grid[: height // 2, : width // 2, 2] = 255
    return Image.fromarray(grid)


def stored(image, format_="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format_, **options)
    return stream.getvalue()


def reason(source):
    with pytest.raises(UnreadablePhoto) as caught:
        open_photo(source)
    return caught.value.what


TURNED_BACK = {  # how a camera held like this stores the upright photo
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(orientation, format_):
    exif = Image.Exif()
    exif[0x0112] = orientation
    as_stored = Image.fromarray(np.ascontiguousarray(TURNED_BACK[orientation](np.array(photo()))))
    special: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}
    options = special.get(format_, {})
    upright = open_photo(stored(as_stored, format_, exif=exif, **options))
    assert upright.size == (40, 24)
    wrong = np.abs(np.array(upright).astype(int) - np.array(photo()))
    assert wrong.mean() < 4, "the pixels are not where they belong"


def test_one_photo_in_every_wrapping(tmp_path):
    path = tmp_path / "写真" / "猫 é.png"
    path.parent.mkdir()
    photo().save(path)
    expected = np.array(photo())
    with path.open("rb") as stream:
        stream.seek(5)
        for source in (path, str(path), path.read_bytes(), stream, Image.open(path), photo(), expected):
            assert np.array_equal(np.array(open_photo(source)), expected)
        assert not stream.closed


def test_the_callers_image_stays_as_it_was():
    given = photo()
    opened = open_photo(given)
    opened.putpixel((0, 0), (1, 2, 3))
    assert np.array_equal(np.array(given), np.array(photo()))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_become_white(mode):
    image = Image.new(mode, (4, 4))  # black and transparent
    image.putpixel((0, 0), (0, 255) if mode == "LA" else (0, 0, 0, 255))
    opened = open_photo(stored(image))
    assert [opened.getpixel(at) for at in ((1, 1), (0, 0))] == [(255, 255, 255), (0, 0, 0)]


def test_half_transparent_is_mixed_with_white():
    assert open_photo(stored(Image.new("RGBA", (2, 2), (200, 0, 0, 128)))).getpixel((0, 0)) == pytest.approx(
        (227, 127, 127), abs=1
    )


@pytest.mark.parametrize("format_", ["PNG", "GIF"])
def test_a_transparent_palette_entry_becomes_white(format_):
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 10, 200, 30])
    image.putpixel((1, 0), 1)
    opened = open_photo(stored(image, format_, transparency=0))
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (10, 200, 30)]


def test_transparency_as_a_colour_key():
    image = Image.new("RGB", (2, 1), (1, 2, 3))
    image.putpixel((1, 0), (9, 9, 9))
    opened = open_photo(stored(image, transparency=(1, 2, 3)))
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (9, 9, 9)]


@pytest.mark.parametrize(
    "image", [photo().convert("L"), photo().convert("1"), photo().convert("P"), photo().convert("YCbCr"), photo().convert("PA")]
)
def test_other_modes_come_out_as_rgb(image):
    assert np.array_equal(np.array(open_photo(image)), np.array(image.convert("RGB")))


@pytest.mark.parametrize("premultiplied", ["RGBa", "La"])
def test_premultiplied_alpha(premultiplied):
    image = Image.new("RGBA" if premultiplied == "RGBa" else "LA", (2, 2))
    image.putpixel((1, 1), (0, 255) if image.mode == "LA" else (0, 0, 0, 255))
    assert open_photo(image.convert(premultiplied)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_rescaled_not_clipped(format_):
    values = np.array([[0, 257, 32896, 65535]], np.uint16)
    opened = open_photo(stored(Image.fromarray(values), format_))
    assert np.array(opened)[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[0.0, 100.0, 200.0]], np.float32), [0, 100, 200]),
        (np.array([[-5.0, 0.0, 5.0]], np.float32), [0, 128, 255]),
        (np.array([[np.nan, np.inf, 1.0]], np.float32), [0, 0, 255]),
        (np.array([[0, 100, 200]], np.int32), [0, 100, 200]),
        (np.array([[0, 32896, 65535]], np.int32), [0, 128, 255]),
        (np.array([[0, 50_000, 100_000]], np.int32), [0, 128, 255]),
        (np.array([[-7, -7, -7]], np.int32), [0, 0, 0]),
    ],
)
def test_deep_grey(values, expected):
    opened = open_photo(stored(Image.fromarray(values), "TIFF"))
    assert np.array(opened)[0, :, 0].tolist() == expected


def test_cmyk_jpeg_has_its_colours():
    opened = open_photo(stored(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95))
    assert opened.getpixel((8, 8)) == pytest.approx((255, 0, 0), abs=8)


def test_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    for format_ in ("GIF", "WEBP", "PNG"):
        opened = open_photo(stored(frames[0], format_, save_all=True, append_images=frames[1:]))
        assert opened.getpixel((4, 4)) == pytest.approx((255, 0, 0), abs=3), format_


@pytest.mark.parametrize("size", [(1, 1), (20_000, 20)])
def test_extreme_sizes(size):
    assert open_photo(stored(Image.new("RGB", size))).size == size


def test_what_is_no_photo_is_named():
    assert reason(b"") == "empty file"
    assert reason(b"\x00" * 5000) == "nothing but zero bytes"
    assert reason(b"\x00\x00\x00\x18ftypmp42" + b"\x01" * 50) == "a video"
    assert reason(b"<!DOCTYPE html><html>404</html>") == "an HTML page"
    assert reason("\ufeff<?xml version='1.0'?><svg></svg>".encode()) == "an SVG drawing"
    assert reason("猫\n".encode() * 2000) == "a text file"
    assert reason(b"version https://git-lfs.github.com/spec/v1\n") == "a Git LFS pointer: the photo itself was not downloaded"
    assert reason(b"%PDF-1.4 ...") == "a PDF file, no photo"
    assert reason(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n") == "a PostScript file, no photo"
    assert reason(b"\x01\x02\xfe\xff" * 20) == "no picture format that is known here"


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_photo_cut_anywhere_is_refused(format_):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    whole = stored(noise, format_)
    for part in (0.9, 0.5, 0.1, 0.01):
        text = reason(whole[: max(4, int(len(whole) * part))])
        assert any(word in text for word in ("cut off", "damaged", "known here")), text


def test_a_cut_jpeg_is_called_cut_off_even_when_others_allow_it(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    whole = stored(photo(400, 400), "JPEG")
    assert reason(whole[: len(whole) // 2]) == "cut off: the end of the file is missing"
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True, "their setting is theirs"


def test_missing_files_and_folders(tmp_path):
    assert reason(tmp_path / "none.jpg") == "no such file"
    assert reason(tmp_path) == "a folder"


@pytest.mark.parametrize("array", [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8)])
def test_arrays_that_are_no_pictures(array):
    assert reason(array) == "an array that is no picture"


def png_chunk(name, body=b""):
    return len(body).to_bytes(4) + name + body + zlib.crc32(name + body).to_bytes(4)


def bomb(side):
    """A PNG that promises a giant picture."""
    header = side.to_bytes(4) + side.to_bytes(4) + b"\x08\x02\x00\x00\x00"
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", body) + png_chunk(b"IEND")


def test_bombs_are_refused_before_they_are_decoded(monkeypatch):
    assert reason(bomb(30_000)) == "too large: more than 178 million pixels"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert reason(bomb(30_000)) == "too large: more than 178 million pixels"


def test_no_warning_leaks_where_pillow_would_warn(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        open_photo(stored(photo()))
        assert list(warnings.filters) == before
    assert heard == []


def test_many_threads_leave_everything_as_it_was():
    content, failures = stored(photo(), "JPEG"), []
    before = list(warnings.filters)

    def work():
        try:
            for _ in range(30):
                open_photo(content)
                reason(content[:300])
        except BaseException as fault:  # noqa: BLE001
            failures.append(fault)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(warnings.filters) == before


def test_a_broken_exif_block_does_not_lose_the_photo():
    content = stored(photo(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff broken")
    assert open_photo(content).size == (40, 24)


@pytest.mark.parametrize("step", ["convert", "load", "transpose", "getexif", "open"])
def test_full_memory_is_told_and_no_fault_of_the_photo(monkeypatch, step):
    content = stored(
        photo().convert("L"),
        "JPEG",
        exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06" + b"\0" * 7,
    )

    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(Image if step == "open" else JpegImageFile if step in {"load", "getexif"} else Image.Image, step, full)
    with pytest.raises(TsugikiError, match="not enough memory") as caught:
        open_photo(content)
    assert not isinstance(caught.value, DataError)
