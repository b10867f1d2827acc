"""No cell of a table is a command to a spreadsheet, and every name comes back as it was."""

import pytest

from tsugiki.core.display.table_cells import table_rows, table_text

NAMES = [
    "=cmd|' /C calc'!A0",
    "+1",
    "-a.jpg",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "'=quoted",
    "'plain",
    "''-x",
    "a,b",
    'say "hi"',
    " a ",
    "猫.jpg",
]


@pytest.mark.robust(
    "hostile", case="a file or class called =cmd|...", right="text in every spreadsheet, and the same name when it is read back"
)
def test_what_a_spreadsheet_would_execute_is_text_and_comes_back():
    text = table_text([["path", "score"], *([name, 0.5] for name in NAMES)])
    assert table_rows(text)[1:] == [[name, "0.5"] for name in NAMES]
    cells = [line.strip('"') for line in text.split("\n")[1:-1]]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_numbers_stay_numbers():
    assert table_text([[-1.5, 0.1, True, None]]) == "-1.5,0.1,True,\n"
