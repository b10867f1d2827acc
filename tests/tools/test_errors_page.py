"""The page of error sentences says what the source says."""

import ast
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tools.errors_page import PAGE, SOURCE, errors, family, japanese, page


def test_page_and_source_say_the_same():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tools.errors_page"


def test_every_error_of_the_source_stands_on_the_page():
    """Counted in another way: by the calls themselves, wherever they are."""
    calls = set()
    for path in SOURCE.rglob("*.py"):
        if path.name != "errors.py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in family() and node.args:
                    sentence = node.args[0]
                    if isinstance(sentence, ast.Call) and ast.unparse(sentence.func) == "tr":
                        calls.add(ast.literal_eval(sentence.args[0]))
    listed = {text for sentences in errors().values() for sentence in sentences for text in sentence.what}
    assert len(calls) > 150
    assert calls <= listed


def test_every_sentence_is_there_in_japanese_and_most_say_what_to_do():
    every = [sentence for sentences in errors().values() for sentence in sentences]
    translated = japanese()
    literal = {text for sentence in every for text in sentence.what if text != "…" and " " in text and "…" not in text}
    assert not {text for text in literal if text not in translated}
    requests = errors()["RequestError"]
    helpful = [
        sentence for sentence in requests if {"allowed", "cure"} & dict(sentence.parts).keys() or "use" in str(sentence.what)
    ]
    assert len(helpful) > 0.6 * len(requests)
