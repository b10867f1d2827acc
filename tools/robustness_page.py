"""Write docs/robustness.md from the tests that carry `robust`: what people bring, what is right, where it comes from, passed.

    python -m tools.robustness_page [--check]

A test joins the page by its marker:

    @pytest.mark.robust("tables", case="more cells than headings", right="refused, with the row", source="OWNER/NAME#1")

`source` is the public thread the case comes from, where there is one. With --check nothing is written; exit status 1 says that
the page no longer tells what the tests tell.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.pages import write_or_check

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "robustness.md"
SECTIONS = {
    "scores": "Scores that are what they are called",
    "layouts": "Folders and archives",
    "tables": "Tables",
    "labels": "Several labels per photo",
    "paths": "Paths and names",
    "pixels": "Pixels",
    "networks": "Networks, weights and their preprocessing",
    "artefacts": "Saved runs, exported files and caches",
    "threads": "Threads, memory, processes",
    "surface": "What a person sees and types",
    "hostile": "Hostile input and sudden death",
}


@dataclass(frozen=True, order=True)
class Case:
    """One row of the page."""

    section: str
    case: str
    right: str
    source: str


class Cases:
    """A plugin of pytest that notes the marked tests and how each ended."""

    def __init__(self) -> None:
        self.of_test: dict[str, Case] = {}
        self.outcomes: dict[Case, Counter[str]] = defaultdict(Counter)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Read the markers."""
        for item in items:
            marker = item.get_closest_marker("robust")
            if marker is not None:
                self.of_test[item.nodeid] = case_of(marker)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count how the test ended."""
        case = self.of_test.get(report.nodeid)
        if case is not None and (report.when == "call" or report.outcome != "passed"):
            self.outcomes[case][report.outcome] += 1


def case_of(marker: pytest.Mark) -> Case:
    """The row that a marker asks for.

    Raises:
        pytest.UsageError: for a section that the page does not have.
    """
    (section,) = marker.args
    if section not in SECTIONS:
        raise pytest.UsageError(f"robust: no section {section!r}; there are {', '.join(SECTIONS)}")
    return Case(section, marker.kwargs["case"], marker.kwargs["right"], marker.kwargs.get("source", ""))


def page(outcomes: dict[Case, Counter[str]]) -> str:
    """The page in Markdown; a case of several tests has one row, and counts them."""
    lines = [
        "# What people really bring",
        "",
        "Made by `python -m tools.robustness_page` from the tests that carry these cases; a test of the suite compares both.",
        "Where a public thread reported the case, to whatever tool, it is named.",
    ]
    for section, heading in SECTIONS.items():
        rows = sorted(case for case in outcomes if case.section == section)
        if rows:
            lines += ["", f"## {heading}", "", "| case | what is right | reported | tests |", "|---|---|---|---|"]
            lines += [f"| {_cell(c.case)} | {_cell(c.right)} | {_cell(c.source)} | {_passed(outcomes[c])} |" for c in rows]
    return "\n".join(lines) + "\n"


def _passed(outcomes: Counter[str]) -> str:
    if set(outcomes) == {"passed"}:
        return f"{outcomes['passed']} passed"
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def tried(tests: Path) -> dict[Case, Counter[str]]:
    """Run the marked tests below a folder; how the tests of each case ended.

    Raises:
        SystemExit: with status 1, where pytest did not come to the end of them: the page would lack cases, and say nothing.
    """
    cases = Cases()
    marked = ["-q", "-m", "robust and not slow", str(tests)]
    # Who runs tests in several processes sees no markers here: they are read first.
    for how in (["--collect-only"], ["-n", "2"]):
        if pytest.main([*marked, *how], plugins=[cases]) not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
            sys.exit("The page was left as it is: not every test could be read and run, as pytest says above.")
    return cases.outcomes


if __name__ == "__main__":
    write_or_check(PAGE, lambda: page(tried(ROOT / "tests")), about=__doc__)
