"""The page of robustness says what the tests say."""

import ast
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tools.robustness_page import PAGE, Case, case_of, page

TESTS = Path(__file__).parents[1]


def marked_cases():
    """Section, case and right value of every `pytest.mark.robust(...)` in the tests, read without running them."""
    for file in sorted(set(TESTS.rglob("test_*.py")) - {Path(__file__)}):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "robust":
                keywords = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords}
                yield file.name, keywords["case"], keywords["right"]


@pytest.mark.skipif(not PAGE.is_file(), reason="no case is marked yet")
def test_every_marked_case_stands_on_the_page_with_its_right_value():
    text = PAGE.read_text(encoding="utf-8").replace("\\|", "|")
    missing = [(file, case) for file, case, right in marked_cases() if f"| {case} | {right} |" not in text]
    assert not missing, "run python -m tools.robustness_page"


def test_a_case_of_several_tests_has_one_row_that_counts_them():
    case = Case("tables", "a label holds a|b", "refused, with the row", "timm#1")
    text = page({case: Counter(passed=3), Case("paths", "x", "y", ""): Counter(passed=1, failed=1)})
    assert "| a label holds a\\|b | refused, with the row | timm#1 | 3 passed |" in text
    assert "| x | y |  | 1 failed, 1 passed |" in text


def test_a_section_that_the_page_lacks_is_refused():
    with pytest.raises(ValueError, match="no section 'cellar'"):
        case_of(pytest.mark.robust("cellar", case="a", right="b").mark)
