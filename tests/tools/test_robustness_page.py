"""The page of robustness says what the tests say."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tools.robustness_page import PAGE, ROOT, SECTIONS, Case, page

TESTS = Path(__file__).parents[1]


def marked_cases():
    """Section, case and right value of every `pytest.mark.robust(...)` in the tests, read without running them."""
    for file in sorted(set(TESTS.rglob("test_*.py")) - {Path(__file__)}):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "robust":
                keywords = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords}
                yield file.name, ast.literal_eval(node.args[0]), keywords["case"], keywords["right"]


def test_every_marked_case_is_of_a_section_of_the_page():
    sections = {section for _, section, _, _ in marked_cases()}
    assert sections == set(SECTIONS)


def test_every_marked_case_stands_on_the_page_with_its_right_value():
    text = PAGE.read_text(encoding="utf-8").replace("\\|", "|")
    missing = [(file, case) for file, _, case, right in marked_cases() if f"| {case} | {right} |" not in text]
    assert not missing, "run python -m tools.robustness_page"


def test_a_case_of_several_tests_has_one_row_that_counts_them():
    case = Case("tables", "a label holds a|b", "refused, with the row", "timm#1")
    text = page({case: Counter(passed=3), Case("paths", "x", "y", ""): Counter(passed=1, failed=1)})
    assert "| a label holds a\\|b | refused, with the row | timm#1 | 3 passed |" in text
    assert "| x | y |  | 1 failed, 1 passed |" in text


def test_a_section_that_the_page_lacks_ends_the_tool_before_anything_runs(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    robust:\n    slow:\n")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n@pytest.mark.robust('cellar', case='a', right='b')\ndef test_it():\n    open('ran', 'w')\n"
    )
    tool = "import pathlib, tools.robustness_page as tool; print(tool.tried(pathlib.Path('.')))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {tool}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "no section 'cellar'; there are scores, " in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.endswith("The page was left as it is: not every test could be read and run, as pytest says above.\n")
    assert not (tmp_path / "ran").exists()
