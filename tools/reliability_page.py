"""Write docs/reliability.md from the counts that the attacks have printed: benchmarks/results/reliability.json.

    python -m tools.attack decoders --count 100000 --record      # and doors, deaths, names, resources
    python -m tools.reliability_page [--check]

With --check nothing is written; exit status 1 says that the page no longer tells what was counted.
"""

from __future__ import annotations

from collections.abc import Mapping

from tools.attack.decoders import MEMORY, SECONDS
from tools.attack.outcome import is_fault
from tools.attack.records import ROOT, kept
from tools.pages import write_or_check

PAGE = ROOT / "docs" / "reliability.md"

_ABOUT = {
    "decoders": (
        "Damaged photos",
        """Small photos of more than a hundred kinds (JPEG, PNG, GIF, BMP, TIFF, WebP, QOI, PNM, JPEG 2000, AVIF, HEIC, JPEG
        XL), of which bits were flipped, parts cut off, repeated or taken from another file, and heads made to lie. Each
        is decoded in a process that may take SECONDS seconds and grow by MEMORY GiB. Where OpenCV and imagecodecs agree
        on what a file shows, the program has to show the same, to within 0.75 grey levels on average (2 where the format
        loses something). *Paths apart*: the fast path, which decodes a part of the size for the photos that are learned
        from, sees something else by more than 2.5 grey levels in a cut-out view, whose edges
        are rounded to pixels of the size that is decoded (docs/decisions/0010-what-decoders-say.md).""",
    ),
    "doors": (
        "Every other door",
        """Damaged run folders (description, weights, engine, tables), exports (ONNX, OpenVINO, what describes them), the cache
        of compiled networks, tables of photos, archives, archives made with care (names that lead out, links, devices, bombs
        by ratio and by count, nested, locked, twice the same name), the feature store (flipped, cut, deleted, rows
        exchanged, another file in its place), a zoo, weights from a file, the hub's cache, decisions and checkpoints. Each
        try ends in a sentence of the program (*named*) or in a right result. What a description says of itself, as the name
        of a class, is believed.""",
    ),
    "deaths": (
        "Sudden death",
        """`fit` killed just before changes of the disk, at system calls that write (by strace) and at any moment, over nothing
        and over an older run; interrupted and terminated; files of at most so many bytes, from none to all; disks of their
        own that are full from at once to never, or read-only; photos replaced, cut short and deleted
        meanwhile; two and four processes in one place; the clock set back. *Corrupt*: a run or store that cannot be
        read, or a next run that does not end as an undisturbed one. *Lost*: a photo or an older run that changed. *Left
        behind*: a file that an undisturbed run does not leave, after the next one.""",
    ),
    "names": (
        "Hostile names",
        """Names of photos and classes that are HTML, scripts, terminal escapes, marks of direction, line breaks, formulas,
        no UTF-8, or very long, and labels of tables with letters that no file name has, through everything that every verb
        writes: pages, cards, the terminal, CSV, JSON, JSON lines and file names; the program that lies beside an export; and
        all that the server answers, its pages, errors and metrics.""",
    ),
    "resources": (
        "Machines that have little",
        """One core, 512 MB of memory, 32 open files, no home, no `/dev/shm`, a cache that is read-only: the same run as
        anywhere, or a sentence that says what is missing.""",
    ),
    "connections": (
        "Nothing leaves the machine",
        """Every verb but the one that fetches what you name, the server and the studio asked, an export's own program: with
        its sockets and processes watched, and an empty home folder beside the program's own cache.""",
    ),
    "many": (
        "Many photos",
        """A folder of class folders, listed: seconds of one processor, and memory at most.""",
    ),
}
_HEAD = """Made by `python -m tools.reliability_page` from what the attacks have counted; each can be run again. CI runs small
ones each time (`scripts/check --long`), `pytest -m slow` large ones. What is counted in **bold** has to be 0."""
_REST = """What people really bring, case by case, stands in [robustness.md](robustness.md); every error sentence in
[errors.md](errors.md)."""


def page() -> str:
    """The page in Markdown."""
    records = kept()
    lines = ["# What it survives", "", _flat(_HEAD)]
    for what, (heading, about) in _ABOUT.items():
        if record := records.get(what):
            lines += [
                "",
                f"## {heading}",
                "",
                _flat(about),
                "",
                f"    python -m tools.attack {what} {record['how']}".rstrip(),
                "",
            ]
            lines += _table(record["counts"])
    lines += ["", "## Nothing leaves", "", _flat(_REST)]
    return "\n".join(lines) + "\n"


def _flat(text: str) -> str:
    return " ".join(text.split()).replace("SECONDS", f"{SECONDS:g}").replace("MEMORY", str(MEMORY >> 30))


def _table(counts: Mapping[str, int]) -> list[str]:
    names = [f"**{name}**" if is_fault(name) else name for name in counts]
    return [
        f"| {' | '.join(names)} |",
        f"|{'---|' * len(names)}",
        f"| {' | '.join(f'{count:,}' for count in counts.values())} |",
    ]


if __name__ == "__main__":
    write_or_check(PAGE, page, about=__doc__)
