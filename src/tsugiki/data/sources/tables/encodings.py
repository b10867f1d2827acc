"""Text of files that do not say how they are encoded: spreadsheets write what their system is used to, without a word."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from tsugiki.core.regular_files import TABLE_BYTES, read_regular
from tsugiki.data.sources.archives.zip_names import language_of, likeliest
from tsugiki.locale.messages import first_few, tr

_CODES = ("cp932", "gbk", "cp949", "big5", "cp1251", "cp1252")
"""What Windows writes tables in, in the order that decides where two readings are as likely."""

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}

_BETWEEN_WORDS = re.compile(rb'[,;\t\r\n"/]+')
"""Bytes that are in no letter of two bytes."""

_WEIGHED = 5000  # words that are no ASCII: more make no other language likelier


@dataclass(frozen=True)
class ReadText:
    """A text.

    Attributes:
        text: It, without a mark of its encoding.
        encoding: What it was guessed to be written in; ``""`` where it is UTF-8, or says what it is.
        example: A word that shows it.
    """

    text: str
    encoding: str = ""
    example: str = ""

    def sentence(self, name: str) -> str:
        """What has to be said about the guess; ``""`` where there was none."""
        if not self.encoding:
            return ""
        return tr(
            "{name} is not UTF-8 and was read as {language} ({encoding}), as in {example}. "
            "If that is wrong, save it again as CSV UTF-8.",
            name=name,
            language=language_of(self.encoding),
            encoding=self.encoding,
            example=self.example,
        )


def read_encoded(path: Path, *, limit: int = TABLE_BYTES) -> ReadText:
    """A text file: UTF-8, UTF-16 where it is marked so, else what makes its words the best ones.

    Raises:
        OSError: When it cannot be opened, or is too large.
        UnicodeDecodeError: When it is no text.
    """
    raw = read_regular(path, limit=limit)
    for mark, encoding in _MARKS.items():
        if raw.startswith(mark):
            return ReadText(raw.decode(encoding))
    try:
        return ReadText(raw.decode())
    except UnicodeDecodeError:
        if b"\0" in raw:  # no text in any of these encodings
            raise
        words = list(dict.fromkeys(word for word in _BETWEEN_WORDS.split(raw) if not word.isascii()))[:_WEIGHED]
        encoding = likeliest(words, _CODES)
        if not encoding:
            raise
    return ReadText(raw.decode(encoding), encoding, first_few([word.decode(encoding).strip() for word in words], 2))
