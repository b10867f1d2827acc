"""Every code block of both READMEs runs, in order, beside a folder of photos; both READMEs hold the same blocks."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.ja.md")


def _blocks(name: str) -> list[tuple[str, str]]:
    """Language and text of each fenced block."""
    return re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def _without_comments(text: str) -> str:
    return "\n".join(line.partition("#")[0].rstrip() for line in text.splitlines())


@pytest.fixture
def photos(tmp_path, monkeypatch, drawn_sample):
    """A small folder `photos`, and the folder around it as the place to work in."""
    for split, count in (("train", 12), ("test", 4)):
        for folder in sorted((drawn_sample / split).iterdir()):
            target = tmp_path / "photos" / split / folder.name
            target.mkdir(parents=True)
            for photo in sorted(folder.iterdir())[:count]:
                shutil.copy(photo, target)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


@pytest.mark.long
@pytest.mark.parametrize("name", READMES)
@pytest.mark.usefixtures("photos")
def test_every_block_runs(name, capsys):
    from tsugiki.cli.main import run

    ran, names = 0, {}
    for language, text in _blocks(name):
        if language == "python":
            exec(compile(text, name, "exec"), names)  # noqa: S102 (our own README)
            ran += 1
        for line in text.splitlines() if language == "bash" else ():
            if line.startswith("tsugiki "):
                with pytest.raises(SystemExit) as done:
                    run(shlex.split(line)[1:])
                assert not done.value.code, capsys.readouterr().err
                ran += 1
    assert ran == 5
    assert (Path("runs/food") / "report.html").is_file()


def test_both_readmes_hold_the_same_blocks():
    english, japanese = ([(language, _without_comments(text)) for language, text in _blocks(name)] for name in READMES)
    assert english == japanese


def test_every_link_of_the_readmes_leads_somewhere():
    for name in READMES:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / name).read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{name}: {target}"


def test_the_readme_names_the_commands_that_ci_runs():
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "pip install -e '.[dev]' && scripts/check" in readme
    assert "-e '.[dev]'" in ci
    assert "\nscripts/check --long\n" in ci
