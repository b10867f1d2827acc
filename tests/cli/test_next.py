"""``tsugiki next``: a table of photos to label, which is never written over once a person has labelled in it."""

import json

import pytest


@pytest.fixture
def new(tmp_path):
    from tsugiki.data.synthetic.sample import DISHES, draw_photo

    folder = tmp_path / "new"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.jpg").write_bytes(draw_photo((*DISHES,)[number % 3], 200 + number))
    return folder


def test_a_table_is_written_and_labels_in_it_are_safe(saved_classifier, tsu, new, tmp_path):
    run, table = saved_classifier, tmp_path / "next.csv"
    status, out, err = tsu("next", run, new, "--count", 3, "--out", table)
    assert status == 0
    assert len(out.splitlines()) == 4
    assert f"tsugiki fit DATA --labels {table}" in err
    status, out, _ = tsu("next", run, new, "--count", 2, "--out", table, "--json")  # nothing was labelled yet
    assert status == 0
    assert {"path", "label", "probabilities", "score"} <= set(json.loads(out)[0])
    head, first, *rest = table.read_text(encoding="utf-8-sig").splitlines()
    path, _, answers = first.split(",", 2)
    table.write_text("\n".join([head, f"{path},pizza,{answers}", *rest]) + "\n", encoding="utf-8")
    status, _, err = tsu("next", run, new, "--out", table)
    assert status == 2
    assert "it would be replaced" in err
    assert "pizza" in table.read_text(encoding="utf-8")


def test_labels_are_learned_from(saved_classifier, tsu, dishes, new, tmp_path):
    table = tmp_path / "next.csv"
    run = saved_classifier
    assert tsu("next", run, new, "--count", 3, "--out", table)[0] == 0
    head, *rows = table.read_text(encoding="utf-8-sig").splitlines()
    labelled = [row.replace(",,", ",pizza,", 1) for row in rows]
    table.write_text("\n".join([head, *labelled]) + "\n", encoding="utf-8")
    status, _, err = tsu("fit", dishes, "--backbone", "bundled:nae", "--labels", table, "--out", tmp_path / "more")
    assert status == 0, err
    assert "Labels of next.csv: 3 photos more to learn from" in err
    photos = json.loads((tmp_path / "more" / "classifier.json").read_text(encoding="utf-8"))["trained"]["photos"]
    assert photos == {"test": 18, "train": 39}
