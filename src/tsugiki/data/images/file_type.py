"""What a file that is no readable photo really is, from its first bytes."""

from __future__ import annotations

from PIL import features

from tsugiki.locale.messages import tr

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif")
_AVIF_BRANDS = (b"avif", b"avis")
_JPEG_XL_STARTS = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL \x0d\x0a\x87\x0a")

_PICTURES = (
    (b"\xff\xd8", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"\x00\x00\x00\x0cjP", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"qoif", "QOI"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
)

_UNREAD = (
    (b"II\xbc\x01", "JPEG XR"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
    (b"SIMPLE  =", "FITS"),
    (b"8BPS", "Photoshop"),
    (b"gimp xcf", "GIMP"),
    (b"DDS ", "DDS"),
    (b"icns", "ICNS"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"\x01\xda", "SGI"),
    (b"\x28\x00\x00\x00", "DIB"),
    (b"FUJIFILMCCD-RAW", "RAF, camera raw"),
    (b"IIU\x00", "RW2, camera raw"),
    (b"IIRO", "ORF, camera raw"),
    (b"IIRS", "ORF, camera raw"),
    (b"FOVb", "X3F, camera raw"),
)

_OTHERS = (
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x1f\x8b", "gzip"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf", "7z"),
    (b"RIFF", "RIFF"),
    (b"\x7fELF", "ELF"),
    (b"SQLite format 3", "SQLite"),
    (b"\x93NUMPY", "NumPy"),
    (b"\x89HDF", "HDF5"),
)


# How JPEG and PNG begin once their bytes were taken for letters: replaced, or written as UTF-8.
_AS_TEXT = (b"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", b"\xef\xbf\xbdPNG", b"\xc3\xbf\xc3\x98\xc3\xbf", b"\xc2\x89PNG")
_BASE64 = (b"/9j/", b"iVBORw0KGgo", b"R0lGOD", b"UklGR", b"data:image/")
_SURE_MARKS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_FEW_BYTES = 64

OWN_PICTURES = {"Software": "tsugiki"}
"""What the program notes in the pictures that it draws, so that it does not take them for photos later."""


def is_own_picture(content: bytes) -> bool:
    """Whether a file is a picture that this program drew: a plot, photos with their answers."""
    return content.startswith(b"\x89PNG") and b"tEXtSoftware\x00tsugiki" in content[:2048]


def starts_like_a_picture(head: bytes) -> bool:
    """Whether the first 16 bytes of a file are those of a picture."""
    if head[4:8] == b"ftyp":
        return head[8:12] in {*_HEIF_BRANDS, b"avif", b"avis"}
    return (head.startswith(b"RIFF") and head[8:12] == b"WEBP") or head.startswith(tuple(mark for mark, _ in _PICTURES))


def ending_of(content: bytes) -> str:
    """The usual ending of a picture file with this content, with its dot; empty where it is not known."""
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return ".webp"
    kind = next((name for mark, name in _PICTURES if content.startswith(mark)), "")
    return {"JPEG": ".jpg", "PNG": ".png", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif", "JPEG 2000": ".jp2"}.get(kind, "")


def is_heif(content: bytes) -> bool:
    """Whether content says that it is HEIC (or HEIF of another kind than AVIF, which Pillow reads)."""
    if content[4:8] != b"ftyp" or content[8:12] not in _HEIF_BRANDS:
        return False
    length = min(int.from_bytes(content[:4], "big"), 256)
    return not any(content[at : at + 4] in _AVIF_BRANDS for at in range(16, length, 4))


def is_jpeg_xl(content: bytes) -> bool:
    """Whether content says that it is JPEG XL."""
    return content.startswith(_JPEG_XL_STARTS)


def needs_library(name: str, command: str) -> str:
    """A few words for a format that can be read once ``command`` was typed."""
    return tr("{format}, which needs a library more: {command}, or save it as JPEG", format=name, command=command)


def unread_format(name: str) -> str:
    """A few words for a picture format that no decoder at hand reads."""
    return tr("a picture in a format that cannot be read here ({format}): save it as PNG or 8-bit JPEG", format=name)


def name_content(content: bytes) -> str:
    """A few words for content that no picture decoder recognised.

    Args:
        content: The whole file.
    """
    if not content:
        return tr("empty file")
    if not content.strip(b"\x00"):
        return tr("nothing but zero bytes")
    if content[4:8] == b"ftyp":
        return _name_iso_media(content[8:12])
    return _name_by_mark(content) or _name_spoilt(content) or _name_text(content[:4096])


def _name_by_mark(content: bytes) -> str | None:
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return tr("a {format} file, cut off or damaged", format="WebP")
    for mark, name in _PICTURES:
        if content.startswith(mark):
            return tr("a {format} file, cut off or damaged", format=name)
    for mark, name in _UNREAD:
        if content.startswith(mark):
            return unread_format(name)
    if content[128:132] == b"DICM":
        return unread_format("DICOM")
    for mark, name in _OTHERS:
        if content.startswith(mark):
            return tr("a {format} file, no photo", format=name)
    return None


def _name_spoilt(content: bytes) -> str | None:
    """What a picture has become that went through a program for text, or has something before it."""
    if content.startswith(_AS_TEXT):
        return tr("a picture that a program has saved as text, which cannot be undone: copy the original again, as binary")
    if content.lstrip()[:32].startswith(_BASE64):
        return tr("a picture written as text (base64): decode it first")
    at = next((at for mark in _SURE_MARKS if 0 < (at := content.find(mark, 0, _FEW_BYTES)) < _FEW_BYTES), 0)
    if at:
        return tr("a picture behind {count} bytes that do not belong to it: remove those", count=at)
    return unread_format("TGA") if content.endswith(b"TRUEVISION-XFILE.\x00") else None


def _name_iso_media(brand: bytes) -> str:
    if brand in _HEIF_BRANDS:
        return tr("a {format} file, cut off or damaged", format="HEIC")
    if brand in _AVIF_BRANDS and not features.check("avif"):
        return needs_library("AVIF", "pip install --upgrade pillow")
    if brand in _AVIF_BRANDS:
        return tr("a {format} file, cut off or damaged", format="AVIF")
    if brand == b"crx ":
        return unread_format("CR3, camera raw")
    return tr("a video")


def _name_text(head: bytes) -> str:
    try:
        # Cutting the head may have split its last letter.
        text = head.decode("utf-8-sig", errors="strict" if len(head) < 4096 else "ignore").lstrip().lower()
    except UnicodeDecodeError:
        return tr("no picture format that is known here")
    if "\x00" in text:
        return tr("no picture format that is known here")
    if text.startswith("version https://git-lfs"):
        return tr("a Git LFS pointer: the photo itself was not downloaded")
    if text.startswith(("<!doctype html", "<html")) or "<html" in text[:512]:
        return tr("an HTML page")
    if "<svg" in text:
        return tr("an SVG drawing")
    return tr("a text file")
