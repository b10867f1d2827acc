"""Names in zip archives that do not say how they are encoded: read as what makes all of them names that people give.

Zip programs mark names as UTF-8 or write them as their machine does, without a word. The same bytes are Japanese in one
encoding and accented European letters in another, so every reading is weighed over all names of the archive.
"""

from __future__ import annotations

import os
import re
import unicodedata
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tsugiki.locale.messages import tr

_UTF8_MARK = 0x800

_CODES = ("utf-8", "cp932", "gbk", "cp949", "big5", "cp866", "cp437")
"""In the order that decides where two readings are as likely."""

_USUAL = frozenset("éèêëàâäáåçíîïóôöúûüñßÉÄÖÜÅÇÑæÆªº¿¡")
_ENDS_WORDS = frozenset("òìù")  # Italian and French have them at the end of words, and nobody has them elsewhere
_FREQUENT = frozenset(
    "的一是不了在人有我他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可里后小么心多天而能好都然没日于起"
    "还发成事只作当想看文无开手用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其"
    "种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关并内加化"
    "由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数件安表原车白应路期叫死常提感金何更反合放做"
    "系计司利受光王果亲界及今京务制解各任至清物台象记边共风战干接它许八特觉望直服毛林题建南度统色字请交爱让认算论百吃义科怎元社"
    "术结六功指思非流每青管夫连远资队跟带花快条院变联言权往展该领传近留红治决周保达办运武半候七必城父强步完革深区即求品士转量空"
    "甚众技轻程告江语英基派满式李息写呢识极令黄德收脸钱党倒未持取设始版双历越史商千片容研像找友孩站广改议形委早房音火际则首单据"
    "导影失拿网香似斯专石若兵弟谁校读志飞观争究包组造落视济喜离虽坏图猫狗鸟鱼虫鸡鸭牛羊猪虎狮熊兔鼠蛇草树叶苹香蕉橙梨桃瓜菜米"
    "蝶玫瑰菊兰荷郁竹松莓葡萄类格良异缺陷裂划痕污染病害健康正常损伤圾垃回厨余有害塑料纸玻璃属布衣裤鞋帽恤裙衬测验训练集照"
)
"""Characters that most Chinese names are made of; a Korean name read as Chinese has others as often."""

_RARE_INITIALS = frozenset({1, 4, 8, 13, 15, 16})  # of Hangul, by number
_RARE_VOWELS = frozenset({3, 7, 10, 12, 14, 15, 17, 19})
_USUAL_FINALS = frozenset({0, 1, 4, 8, 16, 17, 19, 21})

_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile(r"[A-Za-z]")


@dataclass(frozen=True)
class ZipNames:
    """The names of an archive's members.

    Attributes:
        names: One per member.
        encoding: How unmarked names were read; ``""`` where there is nothing to guess.
        example: One of them, as it was read.
    """

    names: list[str]
    encoding: str = ""
    example: str = ""

    def sentence(self) -> str:
        """What has to be said about the guess; ``""`` where there was none."""
        if not self.encoding:
            return ""
        return tr(
            "The archive does not say how its names are encoded; they were read as {language} ({encoding}), as in {example}. "
            "If that is wrong, unpack it yourself and name the folder.",
            language=language_of(self.encoding),
            encoding=self.encoding,
            example=repr(self.example),
        )


def language_of(encoding: str) -> str:
    """Whose letters an encoding is for, in words."""
    return {
        "cp932": tr("Japanese"),
        "gbk": tr("Chinese (simplified)"),
        "big5": tr("Chinese (traditional)"),
        "cp949": tr("Korean"),
        "cp866": tr("Russian"),
        "cp1251": tr("Russian"),
        "cp437": tr("Western European"),
        "cp1252": tr("Western European"),
    }.get(encoding, tr("Unicode"))


def names_in(infos: Sequence[zipfile.ZipInfo]) -> ZipNames:
    """The members' names, unmarked ones decoded by what makes the best names of all of them."""
    unmarked = [_raw(info) for info in infos if _is_unmarked(info)]
    if not unmarked:
        return ZipNames([info.filename for info in infos])
    encoding = likeliest(unmarked)
    names = [_raw(info).decode(encoding) if _is_unmarked(info) else info.filename for info in infos]
    return ZipNames(names, encoding, max((raw.decode(encoding) for raw in unmarked), key=lambda name: not name.isascii()))


def _is_unmarked(info: zipfile.ZipInfo) -> bool:
    # Where zipfile found the name in an extra field, it differs from the one in the header and is right already.
    from_header = info.orig_filename.split("\x00")[0].replace(os.sep, "/") == info.filename
    return from_header and not info.flag_bits & _UTF8_MARK and not info.filename.isascii()


def _raw(info: zipfile.ZipInfo) -> bytes:
    return info.orig_filename.split("\x00")[0].encode("cp437")


def likeliest(names: Collection[bytes], codes: Sequence[str] = _CODES) -> str:
    """The encoding that reads all names, best as words: UTF-8 wherever it can, else the one with the least odd letters.

    Empty where none of ``codes`` reads them.
    """
    costs: dict[str, float] = {}
    for encoding in codes:
        try:
            decoded = {part for name in names for part in name.decode(encoding).replace("\\", "/").split("/")}
        except UnicodeError:
            continue
        if encoding == "utf-8" and not any(map(_is_strange, decoded)):
            return encoding
        costs[encoding] = sum(_cost(part, encoding) for part in decoded if not part.isascii())
    return min(costs, key=lambda encoding: costs[encoding], default="")


def _is_strange(name: str) -> bool:
    """Whether a name has letters that hardly any language has: two Chinese bytes may happen to be one of them in UTF-8."""
    return any("\u0180" <= letter <= "\u02ff" or "\u0370" <= letter <= "\u037f" for letter in name)


def _cost(name: str, encoding: str) -> float:
    """How odd a name is under an encoding; a usual one costs little, a longer one more, since it was more likely to be odd."""
    if encoding in {"cp437", "cp1252"}:
        return _western_cost(name)
    if encoding in {"cp866", "cp1251"}:
        return _russian_cost(name)
    if encoding == "utf-8":
        return 2.0 * sum(_is_strange(letter) for letter in name)
    return sum(_eastern_cost(name, at, encoding) for at, letter in enumerate(name) if not letter.isascii())


def _western_cost(name: str) -> float:
    cost = 0.0
    for word in _WORD.findall(unicodedata.normalize("NFC", name)):
        odd = [letter for letter in word if not letter.isascii()]
        if odd and not (word.islower() or word.isupper() or word.istitle()):
            cost += 2 * len(odd)
        if len(odd) > 1 and 2 * len(odd) > len(word):
            cost += len(odd)
        cost += sum(
            0.3 if letter in _USUAL else 0.5 if letter in _ENDS_WORDS and word.endswith(letter) else 2 for letter in odd
        )
    return cost + 3 * sum(not letter.isascii() and not letter.isalpha() for letter in name)


def _russian_cost(name: str) -> float:
    cost = 0.0
    for word in _WORD.findall(name):
        odd = [letter for letter in word if not letter.isascii()]
        if odd and (_LATIN.search(word) or not (word.islower() or word.isupper() or word.istitle())):
            cost += 2 * len(odd)
        cost += sum(0.4 if "а" <= letter.lower() <= "я" or letter in "ёЁ" else 2 for letter in odd)
    return cost + 3 * sum(not letter.isascii() and not letter.isalpha() for letter in name)


def _eastern_cost(name: str, at: int, encoding: str) -> float:
    letter = name[at]
    before, after = name[at - 1 : at], name[at + 1 : at + 2]
    cost = _letter_cost(letter, encoding)
    # A Latin word and a Chinese character meet, as in OK品; one inside a Latin word, or before its small letters, is an accent.
    if after.isascii() and after.islower() and before != " ":
        cost += 2 if before.isascii() and before.isalpha() else 1
    return cost


def _letter_cost(letter: str, encoding: str) -> float:
    """How odd one letter is in the language of an encoding; frequent ones are those in the tables' first halves."""
    code = ord(letter)
    kana = 0x3041 <= code <= 0x30FF
    if encoding == "cp949":
        return _hangul_cost(code - 0xAC00) if 0xAC00 <= code <= 0xD7A3 and _lead(letter, encoding) >= 0xB0 else 2.5
    if kana:
        return 0.2 if encoding == "cp932" else 2.5
    if 0xFF61 <= code <= 0xFF9F:  # half-width katakana
        return 1.2
    if 0x4E00 <= code <= 0x9FFF:
        return _character_cost(letter, encoding)
    if unicodedata.category(letter) in {"Lo", "Lm"} or letter in "、。・（）「」【】＿－～々〇　":
        return 0.8
    return 2.5


def _hangul_cost(number: int) -> float:
    initial, vowel, final = number // 588, number // 28 % 21, number % 28
    return 0.45 + 0.3 * (initial in _RARE_INITIALS) + 0.3 * (vowel in _RARE_VOWELS) + 0.5 * (final not in _USUAL_FINALS)


def _character_cost(letter: str, encoding: str) -> float:
    if encoding == "gbk" and letter in _FREQUENT:
        return 0.3
    lead = _lead(letter, encoding)
    frequent = {"cp932": 0x88 <= lead <= 0x97, "gbk": 0xB0 <= lead <= 0xD7, "big5": 0xA4 <= lead <= 0xC6}[encoding]
    if frequent:
        return {"cp932": 0.4, "gbk": 0.6, "big5": 0.6}[encoding]
    return 1.5


def _lead(letter: str, encoding: str) -> int:
    return letter.encode(encoding)[0]
