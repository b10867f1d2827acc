"""One self-contained page: templates, sentences in two languages of which the reader chooses, and small pictures.

Sentences are made by ordinary functions that speak the language in use; :func:`in_each_language` calls such a function
twice. Pictures are JPEG in a data address, so that one file is all there is.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape
from PIL import Image

from tsugiki.core.devices import usable_cores
from tsugiki.core.errors import UnreadablePhoto
from tsugiki.data.images.decode import open_photo, read_content, strict_pillow
from tsugiki.locale.messages import in_a_row, language, speaking

_SIDE = 208
_QUALITY = 72


@dataclass(frozen=True)
class Bilingual:
    """One sentence in both languages; Jinja2 writes it as two marked parts, of which the style sheet shows one."""

    en: str
    ja: str

    def __html__(self) -> str:
        if self.en == self.ja:
            return str(escape(self.en))
        return str(Markup('<span lang="en">{}</span><span lang="ja">{}</span>').format(self.en, self.ja))

    def __str__(self) -> str:
        return self.__html__()

    def __bool__(self) -> bool:
        return bool(self.en)


def in_each_language(say: Callable[[], Mapping[str, str]]) -> dict[str, Bilingual]:
    """What ``say`` says in English and in Japanese, sentence by sentence."""
    with speaking("en"):
        english = dict(say())
    with speaking("ja"):
        japanese = say()
    return {name: Bilingual(text, japanese[name]) for name, text in english.items()}


def flow(sentences: Iterable[Bilingual]) -> Bilingual:
    """Sentences one after the other, spaced as each language spaces them; empty ones are left out."""
    parts = [part for part in sentences if part]
    with speaking("en"):
        english = in_a_row(*(part.en for part in parts))
    with speaking("ja"):
        return Bilingual(english, in_a_row(*(part.ja for part in parts)))


def render_page(template: str, title: str, **values: Any) -> str:
    """Fill a template of this floor.

    Args:
        template: File name in ``templates/``.
        title: Of the window.
        values: What the template asks for; everything that is no ``Markup`` is escaped.
    """
    script = _resource("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    page: str = (
        _environment()
        .get_template(template)
        .render(
            title=title,
            language=language(),
            version=metadata.version("tsugiki"),
            style=Markup(_resource("page.css")),  # noqa: S704 (our own files)
            script=Markup(script),  # noqa: S704
            script_hash=f"sha256-{digest}",
            **values,
        )
    )
    return page


def fill_text(template: str, **values: Any) -> str:
    """Fill a template that is no HTML: texts that anybody could have written go through its filter ``md``."""
    text: str = _environment().get_template(template).render(**values)
    return text


@functools.cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("tsugiki.reporting.pages", "templates"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",)),
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(flow=flow, md=plain_in_markdown, percent=_percent, interval=_interval)
    return environment


def plain_in_markdown(text: str) -> str:
    """Text that Markdown shows as it is: no tags, no table cells, no emphasis, no links."""
    flat = " ".join(str(text).split())
    return re.sub(r"([\\`*_|\[\]#~])", r"\\\1", flat).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _interval(ends: Sequence[float]) -> str:
    return f"{ends[0]:.1%} to {ends[1]:.1%}"


@functools.cache
def _resource(name: str) -> str:
    return resources.files("tsugiki.reporting.pages").joinpath("templates", name).read_text(encoding="utf-8")


def thumbnails(paths: Iterable[Path]) -> Mapping[Path, str]:
    """A data address per photo; photos that cannot be read any more are not in it."""
    wanted = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(usable_cores()) as pool, strict_pillow():
        made = pool.map(thumbnail, wanted)
        return {path: address for path, address in zip(wanted, made, strict=True) if address}


def thumbnail(path: Path, *, side: int = _SIDE) -> str:
    """The photo's middle square as a data address, or ``""`` when it cannot be read any more."""
    try:
        return data_address(_square(path, side))
    except (OSError, UnreadablePhoto, Image.DecompressionBombError):
        return ""


def data_address(photo: Image.Image) -> str:
    """A picture as ``data:image/jpeg``."""
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _square(path: Path, side: int) -> Image.Image:
    upright = _opened(read_content(path), 2 * side)
    edge = min(upright.size)
    left, top = (upright.width - edge) // 2, (upright.height - edge) // 2
    return upright.resize((side, side), Image.Resampling.BICUBIC, (left, top, left + edge, top + edge), reducing_gap=2.0)


def _opened(content: bytes, least: int) -> Image.Image:
    """The photo, upright; a large JPEG is decoded at a fraction of its size."""
    if not content.startswith(b"\xff\xd8\xff"):
        return open_photo(content)
    with Image.open(io.BytesIO(content), formats=("JPEG",)) as photo:
        photo.draft("RGB", (least, least))
        return open_photo(photo)
