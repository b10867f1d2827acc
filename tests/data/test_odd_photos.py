"""Photos that are sound although decoders stumble, damaged although they do not, or not what they seem."""

import base64
import importlib.util
import io
import re
import sys
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tsugiki.core.errors import UnreadablePhoto
from tsugiki.data.images import heif
from tsugiki.data.images.decode import check_content, open_photo
from tsugiki.data.images.jpeg import decode_jpeg
from tsugiki.data.images.jpeg_xl import jpeg_xl_size
from tsugiki.data.images.pixels import read_pixels
from tsugiki.data.images.remarks import note, noting, sentences
from tsugiki.data.loaders import create_dataloaders
from tsugiki.data.preprocess import Preprocess
from tsugiki.locale.messages import speaking

sys.path.insert(0, str(Path(__file__).parents[2]))

from tools.attack.heic import HEIC

SMALL = Preprocess(size=(48, 48), resize=56)
NOISE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
PHOTO = Image.fromarray(NOISE).resize((320, 240), Image.Resampling.BICUBIC)
EXTRA = all(importlib.util.find_spec(module) for module in ("pi_heif", "imagecodecs"))


def stored(image, format_="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format_, **options)
    return stream.getvalue()


def tiff(values, **options):
    tifffile = pytest.importorskip("tifffile")
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **options)
    return stream.getvalue()


def reason(content):
    """Why a file is refused: by the one decoder, and by both paths alike."""
    told = set()
    for look in (open_photo, lambda it: read_pixels(it, SMALL, fast=False), lambda it: read_pixels(it, SMALL, fast=True)):
        with pytest.raises(UnreadablePhoto) as caught:
            look(content)
        told.add(caught.value.what)
    (what,) = told
    return what


def opened(content):
    """The pixels of a file, and what was noted about it, on both paths alike."""
    seen = [read_pixels(content, SMALL, fast=fast).facts.remarks for fast in (False, True)]
    assert seen[0] == seen[1]
    return np.asarray(open_photo(content)), list(seen[0])


def chunk(name, body):
    return len(body).to_bytes(4) + name + body + zlib.crc32(name + body).to_bytes(4)


def png_with(chunk_bytes, *, behind=False):
    content = stored(PHOTO)
    at = len(content) - 12 if behind else 33
    return content[:at] + chunk_bytes + content[at:]


BROKEN = bytearray(chunk(b"tEXt", b"Comment\0hello"))
BROKEN[-1] ^= 1
BESIDE = {
    "a text of 70 MB": (png_with(chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * 70_000_000))), "zTXt"),
    "a text of 2 MB behind the picture": (
        png_with(chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(b"a" * 2_000_000)), behind=True),
        "iTXt",
    ),
    "a colour profile of 5 MB": (png_with(chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(5_000_000)))), "iCCP"),
    "a colour profile of an unknown kind": (png_with(chunk(b"iCCP", b"k\0\7odd")), "iCCP"),
    "a text whose checksum is wrong": (png_with(bytes(BROKEN)), "tEXt"),
    "the same behind the picture": (png_with(bytes(BROKEN), behind=True), "tEXt"),
    "an empty gamma": (png_with(chunk(b"gAMA", b"")), "gAMA"),
    "an empty list of transparency": (png_with(chunk(b"tRNS", b"")), "tRNS"),
}


@pytest.mark.robust(
    "pixels",
    case="a sound PNG with a large or broken text, colour profile or other note beside the picture",
    right="every pixel is read; the photo is named with the parts that were passed over",
    source="python-pillow/Pillow#8363",
)
@pytest.mark.parametrize("name", BESIDE)
def test_a_png_is_read_whatever_stands_beside_its_picture(name):
    content, part = BESIDE[name]
    pixels, remarks = opened(content)
    assert np.array_equal(pixels, np.asarray(PHOTO))
    assert remarks in ([], [f"png:{part}"])
    assert remarks or part == "iTXt", "Pillow leaves texts behind the picture unread"


def test_what_turns_a_png_upright_is_kept_when_other_notes_are_passed_over():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = stored(PHOTO, exif=exif)
    content = content[:33] + chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * 70_000_000)) + content[33:]
    assert open_photo(content).size == (240, 320)


@pytest.mark.robust(
    "hostile", case="one flipped bit in the data of a PNG", right="refused by its checksum, which Pillow does not look at"
)
def test_a_changed_byte_in_a_png_is_noticed():
    content = bytearray(stored(PHOTO))
    content[len(content) // 2] ^= 16
    assert reason(bytes(content)) == "damaged: the checksum of the PNG chunk IDAT is wrong"
    with pytest.raises(UnreadablePhoto, match="checksum"):
        check_content(bytes(content))


@pytest.mark.robust(
    "hostile", case="a PNG, checksums right, whose data hold fewer rows", right="refused; the missing rows are not shown black"
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_png_of_too_few_rows_is_refused(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    whole = stored(PHOTO, exif=exif)
    at = whole.index(b"IDAT") - 4
    rows = [b"\0" + row.tobytes() for row in np.asarray(PHOTO)]
    for count in (*range(10, 240, 23), 239):
        content = whole[:at] + chunk(b"IDAT", zlib.compress(b"".join(rows[:count]))) + chunk(b"IEND", b"")
        assert "cut off" in reason(content)
    assert opened(whole[:at] + chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b""))[1] == []


def test_an_iphone_png_is_named_for_what_it_is():
    content = stored(PHOTO)
    assert "CgBI" in reason(content[:8] + chunk(b"CgBI", b"\x50\0\x20\2") + content[8:])


UNSUPPORTED = {
    "3 channels of float32, RGB": ((60, 80, 3), np.float32, {"photometric": "rgb"}),
    "3 channels of float64, RGB": ((60, 80, 3), np.float64, {"photometric": "rgb"}),
    "3 channels of uint32, RGB": ((60, 80, 3), np.uint32, {"photometric": "rgb"}),
    "1 channels of float16": ((60, 80), np.float16, {"photometric": "minisblack"}),
    "1 channels of float64": ((60, 80), np.float64, {"photometric": "minisblack"}),
    "3 channels of uint16, CIELab": ((60, 80, 3), np.uint16, {"photometric": "cielab"}),
    "8 channels of uint8, RGB": ((60, 80, 8), np.uint8, {"photometric": "rgb"}),
    "40 channels of uint16, RGB": ((60, 80, 40), np.uint16, {"photometric": "rgb"}),
}


@pytest.mark.robust(
    "pixels",
    case="TIFF of floats in three channels, of 8 channels, of 16-bit Lab",
    right="not called damaged: its kind is named, and what to save it as",
    source="python-pillow/Pillow#2485",
)
@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_a_tiff_that_cannot_be_read_is_named_by_its_kind(kind, caplog):
    shape, values, options = UNSUPPORTED[kind]
    told = reason(tiff(np.ones(shape, values), planarconfig="contig" if len(shape) == 3 else None, **options))
    assert kind in told
    assert "damaged" not in told
    assert "save it as RGB with 8 bits" in told
    assert caplog.records == []


@pytest.mark.parametrize("channels", [3, 8])
def test_a_tiff_of_channels_without_names_is_not_taken_for_colours(channels):
    content = tiff(np.ones((60, 80, channels), np.uint8), photometric="minisblack", planarconfig="contig")
    assert f"{channels} channels that does not say which are red, green and blue" in reason(content)


@pytest.mark.parametrize(("compression", "name"), [(34887, "LERC"), (50001, "WebP"), (50002, "JPEG XL")])
def test_a_tiff_of_an_unknown_compression_is_named_and_nothing_is_printed(compression, name, capfd):
    pytest.importorskip("imagecodecs")
    told = reason(tiff(NOISE, photometric="rgb", compression=compression))
    assert name in told
    assert "damaged" not in told
    assert capfd.readouterr().err == ""


@pytest.mark.robust(
    "pixels",
    case="JPEG of 12 bits, lossless JPEG, JPEG-LS, JPEG XR, DICOM, camera raw",
    right="not called damaged: the format is named, and what to save it as",
)
def test_formats_that_nobody_here_reads_are_named():
    imagecodecs = pytest.importorskip("imagecodecs")
    deep = NOISE.astype(np.uint16) * 16
    raw = tiff(NOISE, photometric="rgb", extratags=[(50706, 1, 4, b"\1\4\0\0", True)])
    files = {
        "JPEG, 12 bits": imagecodecs.jpeg8_encode(deep, bitspersample=12),
        "lossless JPEG, 16 bits": imagecodecs.ljpeg_encode(deep[..., 0].copy()),
        "JPEG-LS": imagecodecs.jpegls_encode(np.asarray(PHOTO)),
        "JPEG XR": imagecodecs.jpegxr_encode(np.asarray(PHOTO)),
        "DICOM": bytes(128) + b"DICM" + bytes(90),
        "CR3, camera raw": b"\0\0\0\x18ftypcrx " + bytes(90),
        "camera raw, of which only a small preview could be seen": raw,
    }
    for name, content in files.items():
        assert f"({name})" in reason(content)


@pytest.mark.robust(
    "hostile", case="a TIFF that promises more rows than it holds", right="refused; the missing rows are not shown black"
)
@pytest.mark.parametrize("byteorder", "<>")
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_a_tiff_with_too_few_parts_is_refused(byteorder, tile):
    order = "little" if byteorder == "<" else "big"
    whole = tiff(NOISE, photometric="rgb", byteorder=byteorder, tile=tile, rowsperstrip=None if tile else 20)
    assert opened(whole)[1] == []
    entry = (257).to_bytes(2, order) + (3).to_bytes(2, order) + (1).to_bytes(4, order)
    kind = entry if entry in whole else (257).to_bytes(2, order) + (4).to_bytes(2, order) + (1).to_bytes(4, order)
    at = whole.index(kind) + len(kind)
    width = 2 if kind == entry else 4
    taller = whole[:at] + (60 * 3).to_bytes(width, order) + whole[at + width :]
    assert "fewer strips or tiles" in reason(taller)


@pytest.mark.parametrize("options", [{}, {"tile": (16, 16)}, {"rowsperstrip": 16}])
def test_a_jpeg_inside_a_tiff_is_heard_too(options, capfd):
    pytest.importorskip("imagecodecs")
    content = bytearray(tiff(np.asarray(PHOTO), photometric="rgb", compression="jpeg", **options))
    assert opened(bytes(content))[1] == []
    with Image.open(io.BytesIO(content)) as photo:
        tags = photo.tag_v2
        places, lengths = (tags[273], tags[279]) if 273 in tags else (tags[324], tags[325])
    content[places[-1] + lengths[-1] * 2 // 3 : places[-1] + lengths[-1]] = bytes(lengths[-1] - lengths[-1] * 2 // 3)
    assert any(word in reason(bytes(content)) for word in ("cut off", "damaged"))
    assert capfd.readouterr() == ("", "")


def test_channels_beside_the_colours_are_said():
    content = tiff(np.dstack([NOISE, NOISE[..., :2]]), photometric="rgb", planarconfig="contig")
    pixels, remarks = opened(content)
    assert np.array_equal(pixels, NOISE)
    assert remarks == ["channels:5"]


def test_of_several_pages_the_first_counts_and_that_is_said():
    pixels, remarks = opened(stored(PHOTO, "TIFF", save_all=True, append_images=[PHOTO, PHOTO]))
    assert np.array_equal(pixels, np.asarray(PHOTO))
    assert remarks == ["frames:3"]


JPEG = stored(PHOTO, "JPEG", quality=90)
JPEGS = {
    "RGB": JPEG,
    "grey": stored(PHOTO.convert("L"), "JPEG"),
    "CMYK": stored(PHOTO.convert("CMYK"), "JPEG"),
    "progressive": stored(PHOTO, "JPEG", progressive=True),
    "with restarts": stored(PHOTO, "JPEG", restart_marker_blocks=5),
    "large": stored(PHOTO.resize((1600, 1200)), "JPEG"),
}


@pytest.mark.robust(
    "pixels",
    case="JPEG whose data end early, with or without an end mark",
    right="refused on the fast and on the exact path, not filled with grey; nothing on the terminal without the file's name",
    source="ultralytics/yolov5#916",
)
@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_whose_data_end_early_is_refused_wherever_it_ends(kind, capfd):
    whole = JPEGS[kind]
    assert opened(whole)[1] == []
    for part in range(1, 20):
        for end in (b"", b"\xff\xd9", b"\xff\xd9" + b"\0" * 30):
            told = reason(whole[: len(whole) * part // 20] + end)
            assert "cut off" in told or "damaged" in told
    assert capfd.readouterr() == ("", "")


def _odd_scan_head(content):
    end = content.index(b"\xff\xda") + 2
    end += int.from_bytes(content[end : end + 2], "big")
    return content[: end - 3] + bytes(3) + content[end:]


def _bytes_in_the_head(content):
    at = content.index(b"\xff\xdb")
    return content[:at] + b"\r\r\r" + content[at:]


def _odd_revision(content):
    at = content.index(b"JFIF\0") + 5
    return content[:at] + b"\x02" + content[at + 1 :]


def _odd_adobe_mark(content):
    at = content.index(b"Adobe") + 11
    return content[:at] + b"\x09" + content[at + 1 :]


ARRAYS = {
    "0 to 1": (NOISE / 255, "(ARRAY * 255).round().astype('uint8')"),
    "float32": ((NOISE / 255).astype(np.float32), "(ARRAY * 255).round().astype('uint8')"),
    "16 bits": (NOISE.astype(np.uint16) * 257, "(ARRAY // 257).astype('uint8')"),
    "whole numbers": (NOISE.astype(int), "ARRAY.astype('uint8')"),
    "channels first": (NOISE.transpose(2, 0, 1), "ARRAY.transpose(1, 2, 0)"),
}


@pytest.mark.robust(
    "pixels",
    case="arrays of floats, of 16 bits, channels first, several at once",
    right="never guessed: refused, with the code that makes the array a photo",
)
@pytest.mark.parametrize("kind", ARRAYS)
def test_an_array_of_another_kind_is_refused_with_its_cure(kind):
    array, code = ARRAYS[kind]
    with pytest.raises(UnreadablePhoto) as caught:
        open_photo(array)
    assert code in caught.value.cure
    made = eval(code, {"ARRAY": array})  # noqa: S307 (the sentence says to type it)
    assert np.array_equal(np.asarray(open_photo(np.ascontiguousarray(made))), NOISE)


def test_arrays_that_are_several_photos_or_none():
    for array, cure in ((NOISE[None], "list(ARRAY)"), (NOISE[..., :1], "ARRAY[..., 0]")):
        with pytest.raises(UnreadablePhoto) as caught:
            open_photo(array)
        assert cure in caught.value.cure
    for array in (np.zeros((0, 3, 3), np.uint8), np.array([None]), np.zeros(5, np.uint8), NOISE[..., :2]):
        with pytest.raises(UnreadablePhoto, match="an array that is no picture") as caught:
            open_photo(array)
        assert caught.value.cure == ""


@pytest.mark.robust("pixels", case="a file opened as text, a picture of no width", right="refused with what it is")
def test_a_text_file_object_and_a_picture_without_pixels_are_told(tmp_path):
    (tmp_path / "photo.png").write_bytes(stored(PHOTO))
    with (tmp_path / "photo.png").open(encoding="latin-1") as stream, pytest.raises(UnreadablePhoto, match="opened as text"):
        open_photo(stream)
    with (tmp_path / "photo.png").open(encoding="ascii") as stream, pytest.raises(UnreadablePhoto, match="opened as text"):
        open_photo(stream)
    with pytest.raises(UnreadablePhoto, match="opened as text"):
        open_photo(io.StringIO("a photo"))
    with pytest.raises(UnreadablePhoto, match="without a pixel"):
        open_photo(Image.new("RGB", (0, 5)))


SPOILT = {
    "saved as text, replaced": lambda: (JPEG.decode("utf-8", "replace").encode(), "saved as text"),
    "saved as text, as UTF-8": lambda: (JPEG.decode("latin-1").encode(), "saved as text"),
    "PNG saved as text": lambda: (stored(PHOTO).decode("utf-8", "replace").encode(), "saved as text"),
    "base64": lambda: (base64.b64encode(JPEG), "base64"),
    "a data address": lambda: (b"data:image/png;base64," + base64.b64encode(stored(PHOTO)), "base64"),
    "line ends before it": lambda: (b"\r\n\r\n" + JPEG, "behind 4 bytes"),
    "a mark of UTF-8 before it": lambda: (b"\xef\xbb\xbf" + stored(PHOTO), "behind 3 bytes"),
    "TGA": lambda: (stored(PHOTO, "TGA"), "(TGA)"),
}


@pytest.mark.robust(
    "pixels",
    case="pictures that went through a program for text, base64, bytes before a picture, TGA",
    right="refused with what was done to them, and how to undo it",
)
@pytest.mark.parametrize("kind", SPOILT)
def test_what_was_done_to_a_picture_is_told(kind):
    content, words = SPOILT[kind]()
    assert words in reason(content)


HARMLESS = {
    "Invalid SOS parameters": lambda: _odd_scan_head(JPEG),
    "extraneous bytes": lambda: _bytes_in_the_head(JPEG),
    "JFIF revision": lambda: _odd_revision(JPEG),
    "Adobe color transform": lambda: _odd_adobe_mark(JPEGS["CMYK"]),
    "all of them": lambda: _odd_scan_head(_bytes_in_the_head(_odd_revision(JPEG))),
}


@pytest.mark.robust(
    "pixels",
    case="JPEG of a camera that the decoder warns of harmlessly, and whose data end early besides",
    right="refused: the harmless warning, the first and only one that the decoder tells, hides nothing",
)
@pytest.mark.parametrize("warning", HARMLESS)
def test_a_harmless_warning_hides_no_missing_data(warning):
    whole = HARMLESS[warning]()
    _, remarks = opened(whole)
    assert all(remark.startswith("jpeg:") for remark in remarks)
    assert any(warning in remark for remark in remarks) or len(remarks) == 3
    half = whole[: len(whole) // 2]
    assert reason(half) == "cut off: the end of the file is missing"
    assert reason(half + b"\xff\xd9") == "cut off or damaged: the JPEG data end before the picture is complete"


@pytest.mark.robust(
    "hostile",
    case="JPEG with eight flipped bits",
    right="what the decoder notices is refused or said with the file's name; both paths agree whether it can be read",
    source="ultralytics/yolov5#2451",
)
def test_what_the_decoder_notices_of_flipped_bits_is_heard(capfd):
    dice = np.random.default_rng(0)
    refused = said = 0
    for _ in range(60):
        content = bytearray(JPEG)
        for at in dice.integers(700, len(content), 8):  # behind the head
            content[at] ^= 1 << dice.integers(8)
        found = []
        for fast in (False, True):
            try:
                found.append(read_pixels(bytes(content), SMALL, fast=fast).facts.remarks)
            except UnreadablePhoto as fault:
                found.append(fault.what)
        assert found[0] == found[1]
        refused += isinstance(found[0], str)
        said += not isinstance(found[0], str) and bool(found[0])
    assert refused + said >= 50
    assert min(refused, said) > 5
    assert capfd.readouterr() == ("", "")


@pytest.mark.robust(
    "hostile",
    case="a JPEG of 400 KB whose hundreds of scans keep a decoder busy for minutes",
    right="refused in a sentence before it is decoded; programs that save photos write ten scans",
)
def test_scans_without_end_are_not_waited_for():
    progressive = stored(PHOTO.resize((4000, 3000)), "JPEG", progressive=True)
    last = progressive.rfind(b"\xff\xda")
    bomb = progressive[:last] + (progressive[last:-2] * 400) + b"\xff\xd9"
    for read in (open_photo, check_content, lambda content: read_pixels(content, SMALL, fast=True)):
        with pytest.raises(UnreadablePhoto, match="12 million pixels in 409 scans"):
            read(bomb)
    assert open_photo(progressive).size == (4000, 3000)


def test_fewer_data_than_pixels_can_have_are_told_before_any_is_computed(monkeypatch):
    lied = bytearray(stored(PHOTO, "JPEG"))
    frame = lied.find(b"\xff\xc0")
    lied[frame + 5 : frame + 9] = (13_000).to_bytes(2) * 2
    monkeypatch.setattr("tsugiki.data.images.decode.decode_jpeg", lambda _: pytest.fail("decoded"))
    assert reason(bytes(lied)) == "cut off or damaged: the JPEG data end before the picture is complete"


@pytest.mark.robust(
    "hostile", case="a PNG, checksums of its chunks right, whose packed data are damaged", right="refused in a sentence"
)
def test_the_checksum_at_the_end_of_packed_data_counts():
    rows = bytearray(zlib.compress(bytes(193 * 64 + 999)))
    rows[-1] ^= 1
    head = (64).to_bytes(4) * 2 + bytes((8, 2, 0, 0, 0))
    content = stored(PHOTO)[:8] + chunk(b"IHDR", head) + chunk(b"IDAT", bytes(rows)) + chunk(b"IEND", b"")
    assert "incorrect data check" in reason(content)


def test_filling_before_the_end_mark_is_no_fault_and_other_bytes_are_said():
    filled = JPEG[:-2] + b"\0" * 7 + b"\xff\xd9"
    for behind in (b"", JPEG, b"\xff\xd9"):
        assert opened(filled + behind)[1] == []
    pixels, remarks = opened(JPEG[:-2] + b"not of the picture" + b"\xff\xd9")
    assert np.array_equal(pixels, np.asarray(open_photo(JPEG)))
    (remark,) = remarks
    assert re.fullmatch("jpeg:Corrupt JPEG data: 1[78] extraneous bytes before marker 0xd9", remark)


@pytest.mark.parametrize("kind", ["RGB", "progressive", "with restarts", "large"])
def test_both_decoders_give_the_same_pixels_at_every_scale(kind):
    for scale in (1, 2, 4, 8):
        by_pillow = Image.open(io.BytesIO(JPEGS[kind]))
        by_pillow.draft("RGB", (by_pillow.width // scale, by_pillow.height // scale))
        least = (0, 0) if scale == 1 else (by_pillow.height, by_pillow.width)
        assert np.array_equal(decode_jpeg(JPEGS[kind], least), np.asarray(by_pillow))


@pytest.mark.robust(
    "threads",
    case="many threads decode at once, some files are odd",
    right="each file has its own remarks, nobody else's; warnings of other libraries are shown as ever",
)
def test_threads_hear_their_own_files_only():
    odd = stored(PHOTO, "JPEG", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x05\x00junk")
    wrong = []

    def look(content, expected):
        for fast in [True, False] * 15:
            remarks = read_pixels(content, SMALL, fast=fast).facts.remarks
            if [remark.split(":")[0] for remark in remarks] != expected:
                wrong.append(remarks)

    work = [threading.Thread(target=look, args=(odd, ["pillow"])), threading.Thread(target=look, args=(JPEG, []))]
    work += [threading.Thread(target=look, args=(JPEG, [])), threading.Thread(target=look, args=(odd, ["pillow"]))]
    before = warnings.showwarning
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert wrong == []
    assert warnings.showwarning is before


def test_a_note_that_nobody_asked_for_goes_nowhere():
    note("dark", 3)
    with noting() as notes:
        note("dark", "1\n2\x1b[31m" + "x" * 200)
        note("dark", "1\n2\x1b[31m" + "x" * 200)
    assert notes == ["dark:1 2 [31m" + "x" * 72]


@pytest.mark.robust(
    "pixels",
    case="photos that are transparent all over",
    right="left out, with the reason and the cure, instead of counting as white copies of one another",
)
@pytest.mark.parametrize("format_", ["PNG", "WEBP", "TIFF", "GIF"])
def test_what_is_transparent_all_over_is_refused(format_):
    clear = Image.fromarray(np.dstack([NOISE, np.zeros(NOISE.shape[:2], np.uint8)]))
    if format_ == "GIF":
        content = stored(Image.new("P", (9, 9), 0), "GIF", transparency=0)
    else:
        content = stored(clear, format_, **({"lossless": True} if format_ == "WEBP" else {}))
    assert reason(content) == "nothing to see: all of it is transparent; save it without transparency"


FEW_BITS = [(bits, kind) for bits in (8, 10, 12, 14) for kind in ("grey", "RGB", "RGBA", "planes", "white is 0")]


@pytest.mark.robust(
    "pixels",
    case="10, 12 or 14 bits in files of 16",
    right="as bright as they were taken, and said with the file's name",
    source="danforthcenter/plantcv#1804",
)
@pytest.mark.parametrize(("bits", "kind"), FEW_BITS)
@pytest.mark.parametrize("byteorder", "<>")
def test_values_that_use_few_of_16_bits_are_as_bright_as_they_were_taken(bits, kind, byteorder):
    top = 2**bits - 1
    values = np.rint(NOISE / 255 * top).astype(np.uint16)
    grey, clear = values[..., 0], np.full(values.shape[:2], 65535, np.uint16)
    content, right = {
        "grey": lambda: (tiff(grey, photometric="minisblack", byteorder=byteorder), NOISE[..., [0, 0, 0]]),
        "RGB": lambda: (tiff(values, photometric="rgb", byteorder=byteorder), NOISE),
        "RGBA": lambda: (
            tiff(np.dstack([values, clear]), photometric="rgb", extrasamples=["unassalpha"], byteorder=byteorder),
            NOISE,
        ),
        "planes": lambda: (
            tiff(values.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate", byteorder=byteorder),
            NOISE,
        ),
        "white is 0": lambda: (tiff(grey, photometric="miniswhite", byteorder=byteorder), 255 - NOISE[..., [0, 0, 0]]),
    }[kind]()
    pixels, remarks = opened(content)
    assert np.abs(pixels.astype(int) - right).max() <= 1
    assert remarks == [f"bright:{top}"]


def test_png_of_few_bits_in_16_is_as_bright_as_it_was_taken():
    imagecodecs = pytest.importorskip("imagecodecs")
    for bits in (10, 12):
        pixels, remarks = opened(imagecodecs.png_encode(np.rint(NOISE / 255 * (2**bits - 1)).astype(np.uint16)))
        assert np.abs(pixels.astype(int) - NOISE).max() <= 1
        assert remarks == [f"bright:{2**bits - 1}"]


def test_sixteen_bits_that_are_used_are_neither_changed_nor_mentioned():
    imagecodecs = pytest.importorskip("imagecodecs")
    values = NOISE.astype(np.uint16) * 256 + 200
    pixels, remarks = opened(imagecodecs.png_encode(values))
    assert np.array_equal(pixels, NOISE)
    assert remarks == []


@pytest.mark.parametrize(
    ("values", "expected", "noted"),
    [
        (np.array([[0, 2**31, 2**32 - 1]], np.uint32), [0, 128, 255], []),
        (np.array([[0, 16384, 32767]], np.int16), [0, 128, 255], []),
        (np.array([[-100, 0, 100]], np.int16), [0, 128, 255], ["bright:100"]),
        (np.array([[0, 2000, 4000]], np.float32), [0, 125, 249], ["bright:4095"]),
    ],
)
def test_deep_integers_of_tiff(values, expected, noted):
    content = tiff(values, photometric="minisblack")
    with noting() as remarks:
        assert np.asarray(open_photo(content))[0, :, 0].tolist() == pytest.approx(expected, abs=1)
    assert remarks == noted


@pytest.mark.robust(
    "pixels",
    case="masks and frames in which nothing can be seen: nearly black, or of one colour",
    right="they count, and are named",
)
def test_what_shows_nothing_is_said():
    (dark,) = opened(stored(Image.fromarray(NOISE // 16)))[1]
    assert 7 <= int(dark.removeprefix("dark:")) <= 15
    assert opened(stored(Image.new("RGB", (30, 20), (200, 10, 10))))[1] == ["blank:"]
    assert opened(stored(PHOTO))[1] == []


@pytest.mark.robust(
    "pixels",
    case="HEIC, as iPhones take it, whatever its ending; JPEG XL",
    right="read with the extra; without it the refusal is the command that installs it",
    source="python-pillow/Pillow#2806",
)
@pytest.mark.parametrize(("content", "name"), [(HEIC, "HEIC"), (b"\xff\x0a" + bytes(50), "JPEG XL")])
def test_without_the_extra_the_command_is_named(monkeypatch, content, name):
    monkeypatch.setattr(heif.importlib.util, "find_spec", lambda _: None)
    assert reason(content) == f"{name}, which needs a library more: pip install 'tsugiki[heif]', or save it as JPEG"
    with speaking("ja"):
        assert "pip install 'tsugiki[heif]'" in reason(content)


@pytest.mark.robust(
    "pixels", case="colours of 12 or 16 bits in JPEG 2000", right="as they are; Pillow would show white as black"
)
@pytest.mark.parametrize("bits", [12, 16])
def test_deep_colours_of_jpeg_2000(monkeypatch, bits):
    imagecodecs = pytest.importorskip("imagecodecs")
    values = np.minimum(NOISE.astype(np.uint16) * 257, 65535) >> (16 - bits)
    values[0] = 2**bits - 1
    content = bytes(imagecodecs.jpeg2k_encode(values, level=0, reversible=True, bitspersample=bits))
    expected = np.rint(values * (255 / (2**bits - 1)))
    assert np.abs(opened(content)[0] - expected).max() <= 1
    head = content.find(b"ihdr")
    assert reason(content[: head + 14] + b"\x07" + content[head + 15 :]).startswith("damaged: JPEG 2000")
    monkeypatch.setattr(heif.importlib.util, "find_spec", lambda _: None)
    assert "pip install 'tsugiki[heif]'" in reason(content)


def _jpeg_xl_of(width, height):
    """The head of a JPEG XL codestream of that size."""
    bits = "0" + "".join(f"11{size - 1:030b}"[:2] + f"{size - 1:030b}"[::-1] for size in (height,)) + "000"
    bits += "11" + f"{width - 1:030b}"[::-1]
    bits += "0" * (-len(bits) % 8)
    return b"\xff\x0a" + bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))


@pytest.mark.skipif(not EXTRA, reason="needs the extra heif")
@pytest.mark.robust(
    "hostile", case="JPEG XL and JPEG 2000 whose heads tell of billions of pixels", right="refused before they are decoded"
)
def test_huge_pictures_of_other_libraries_are_refused_by_their_heads(monkeypatch):
    import imagecodecs

    small = imagecodecs.jpegxl_encode(NOISE)
    assert jpeg_xl_size(small) == (80, 60)
    assert jpeg_xl_size(imagecodecs.jpegxl_encode(NOISE[:, :40], usecontainer=True)) == (40, 60)
    assert jpeg_xl_size(imagecodecs.jpegxl_encode(np.tile(NOISE, (40, 5, 1)))) == (400, 2400)
    for name in ("jpegxl_decode", "jpeg2k_decode"):
        monkeypatch.setattr(imagecodecs, name, lambda _: pytest.fail("decoded"))
    assert reason(_jpeg_xl_of(40_000, 30_000) + bytes(50)) == "too large: more than 178 million pixels"
    deep = bytearray(imagecodecs.jpeg2k_encode(NOISE.astype(np.uint16) * 257, level=0, reversible=True))
    at = deep.find(b"\xff\x4f\xff\x51")
    deep[at + 8 : at + 16] = (40_000).to_bytes(4) * 2
    assert reason(bytes(deep)) == "too large: more than 178 million pixels"


@pytest.mark.skipif(not EXTRA, reason="needs the extra heif")
def test_with_the_extra_heic_and_jpeg_xl_are_read():
    import imagecodecs

    photo = open_photo(HEIC)
    assert photo.size == (32, 16)
    assert photo.getpixel((4, 8)) == pytest.approx((200, 40, 40), abs=6)
    assert photo.getpixel((28, 8)) == pytest.approx((40, 40, 200), abs=6)
    for values in (NOISE, NOISE[..., 0].copy(), NOISE.astype(np.uint16) * 257):
        pixels = np.asarray(open_photo(imagecodecs.jpegxl_encode(values, lossless=True)))
        assert np.array_equal(pixels, NOISE if values.ndim == 3 else NOISE[..., [0, 0, 0]])
    for part in (0.3, 0.6, 0.9):
        for content in (HEIC, imagecodecs.jpegxl_encode(NOISE)):
            told = reason(content[: int(len(content) * part)])
            assert "cut off" in told or "damaged" in told


def test_qoi_is_read():
    assert np.array_equal(np.asarray(open_photo(stored(PHOTO, "QOI"))), np.asarray(PHOTO))


def test_remarks_name_their_photos_in_the_language_that_is_asked_for():
    remarks = {f"{number}.png": ["dark:7"] for number in range(12)} | {"b.jpg": ["jpeg:odd {x}"], "c.jpg": []}
    dark, jpeg = sentences(remarks)
    assert "12 (0.png: 7, 1.png: 7" in dark
    assert "and 2 more" in dark
    assert "b.jpg: odd {x}" in jpeg
    with speaking("ja"):
        assert "ほとんど真っ黒な写真" in next(sentences(remarks))


def test_data_loaders_name_what_cannot_be_decoded_before_the_training_starts(tmp_path, capsys):
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / split / name).mkdir(parents=True)
            for number in range(2):
                Image.fromarray(np.roll(NOISE, number, 0)).save(tmp_path / split / name / f"{number}.jpg")
    (tmp_path / "train" / "cat" / "early.jpg").write_bytes(JPEG[: len(JPEG) // 2] + b"\xff\xd9")
    train, *_ = create_dataloaders(tmp_path / "train", tmp_path / "test", SMALL, 2, num_workers=0)
    assert len(train.dataset) == 4
    assert "cat/early.jpg: cut off or damaged" in capsys.readouterr().err


@pytest.mark.robust(
    "hostile",
    case="an AVIF file of a kilobyte that says that it has 169 million pixels",
    right="named and left out, before its decoder takes gigabytes for it",
)
def test_an_avif_file_that_would_fill_memory_is_refused_by_its_head():
    plain = Image.new("RGB", (64, 48), "orange")
    sound = stored(plain, "AVIF", quality=90)
    at = sound.index(b"ispe") + 8
    for side, word in ((13_000, "more pixels than so few bytes hold"), (14_000, "too large")):
        content = sound[:at] + side.to_bytes(4, "big") * 2 + sound[at + 8 :]
        with pytest.raises(UnreadablePhoto, match=word):
            open_photo(content)
    assert open_photo(sound).size == plain.size


def test_a_tiff_file_of_which_not_every_entry_can_be_read_is_not_guessed():
    """Pillow reads entries up to the first broken one; without the later ones a fourth channel would be transparency."""
    import tifffile

    stream = io.BytesIO()
    tifffile.imwrite(
        stream, np.dstack([NOISE, NOISE[..., :1]]), photometric="rgb", extrasamples=["unspecified"], software="x" * 9
    )
    sound = bytearray(stream.getvalue())
    assert np.array_equal(np.asarray(open_photo(bytes(sound))), NOISE)
    entry = sound.index((305).to_bytes(2, "little") + b"\2\0")  # who wrote it, which nobody needs
    sound[entry + 8 : entry + 12] = (1 << 30).to_bytes(4, "little")
    with pytest.raises(UnreadablePhoto, match="a TIFF file, cut off or damaged"):
        open_photo(bytes(sound))


def test_a_tiff_file_whose_places_are_fractions_is_refused():
    sound = bytearray(stored(PHOTO, "TIFF", compression="jpeg"))
    places = sound.index((273).to_bytes(2, "little"))
    assert open_photo(bytes(sound)).size == PHOTO.size
    sound[places + 2 : places + 4] = (5).to_bytes(2, "little")  # a fraction of two numbers, where a number was
    with pytest.raises(UnreadablePhoto, match="a TIFF file, cut off or damaged"):
        open_photo(bytes(sound))
