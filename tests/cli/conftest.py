"""The program, run in the process of the tests."""

import pytest

from tsugiki.cli import main


@pytest.fixture
def tsu(capsys):
    """Run the program in this process; gives exit status, standard output and standard error."""

    def run(*words):
        with pytest.raises(SystemExit) as left:
            main.run([str(word) for word in words])
        captured = capsys.readouterr()
        return left.value.code or 0, captured.out, captured.err

    return run
