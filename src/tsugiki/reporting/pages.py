"""From a template to one self-contained HTML file: style and script inside, every text escaped, nothing fetched, ever.

The page's own policy forbids the browser any request and any script but ours, so that not even a file name that looks like
HTML could do anything.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Sequence
from importlib import metadata, resources
from typing import Any

from markupsafe import Markup

from tsugiki.core.messages import language
from tsugiki.reporting.both import flow


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
        loader=PackageLoader("tsugiki.reporting", "templates"),
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
    return resources.files("tsugiki.reporting").joinpath("templates", name).read_text(encoding="utf-8")
