"""A finished run whose photos may have several labels learns more: what a table says of them counts, and only that."""

import shutil

import pytest

import tsugiki as tg
from tsugiki.core.console import quiet
from tsugiki.data.label_sets import LabelReading
from tsugiki.data.load import list_photos
from tsugiki.data.synthetic.sample import draw_photo
from tsugiki.evaluation.label_issues import Decisions
from tsugiki.features.extract import FeatureSettings
from tsugiki.features.store import FeatureStore
from tsugiki.training.corrections import apply_decisions
from tsugiki.training.more_photos.extension import Extension


@pytest.fixture
def marks(nae, tmp_path):
    """A run that has learned columns of 1 and 0, where features are kept, and how to write more such columns."""

    def table(name, rows):
        lines = ["path," + ",".join(classes := list(dict.fromkeys(key for marks in rows.values() for key in marks)))]
        for number, said in rows.items():
            path = tmp_path / f"{number}.jpg"
            path.write_bytes(draw_photo(("pizza", "steak", "sushi")[number % 3], number))
            lines.append(f"{path.name}," + ",".join(str(said.get(key, "")) for key in classes))
        (tmp_path / name).write_text("\n".join(lines))
        return tmp_path / name

    features = FeatureSettings(store=FeatureStore(tmp_path / "features"))
    rows = {number: {"pizza": int(number % 3 != 1), "steak": int(number % 3 != 0)} for number in range(24)}
    rows[1]["pizza"] = ""
    with quiet():
        samples = tg.load(table("old.csv", rows))
        model = tg.Classifier(nae, classes=samples.classes, task="multi")
        tg.fit(model, samples, features=features).save(tmp_path / "run")
    return tmp_path / "run", features, table


def _cells(samples, name):
    """What is known of one photo."""
    row = next(row for row, path in enumerate(samples.names) if path.endswith(f"/{name}") or path == name)
    return dict(zip(samples.classes, samples.targets[row].tolist(), strict=True))


def test_a_cell_of_a_new_class_that_nobody_answered_is_open_for_photos_of_before(marks):
    folder, features, table = marks
    rows = {number: {"pizza": 1, "steak": 0, "sushi": number % 2} for number in range(40, 52)}
    said = {0: {"pizza": 1, "steak": 0, "sushi": ""}, 3: {"pizza": 1, "steak": 0, "sushi": 0}, 6: {"pizza": 1, "sushi": 1}}
    found = Extension.of(folder).samples(table("more.csv", rows | said), index=features.store)
    assert [_cells(found, f"{number}.jpg")["sushi"] for number in (0, 3, 6, 9)] == [-1, 0, 1, -1]
    assert _cells(found, "6.jpg") == {"pizza": 1, "steak": 0, "sushi": 1}  # an empty cell takes nothing back


def test_a_label_that_a_column_takes_away_counts_and_is_told(marks):
    folder, features, table = marks
    said = {2: {"pizza": 0, "steak": 1}, 0: {"pizza": 1, "steak": 0}, 1: {"pizza": 0, "steak": 1}}
    found = Extension.of(folder).samples(table("fixed.csv", said), index=features.store)
    assert _cells(found, "2.jpg") == {"pizza": 0, "steak": 1}
    assert _cells(found, "1.jpg") == {"pizza": 0, "steak": 1}
    told = " ".join(found.decisions)
    assert "that of here counts: 1 (2.jpg: pizza, steak -> steak)" in told
    assert "whose open cells are answered here: 1." in told


def test_a_label_that_is_only_not_named_stays_and_its_photos_are_named(marks, tmp_path):
    folder, features, table = marks
    table("new.csv", {40: {"pizza": 1}})
    (tmp_path / "names.csv").write_text("path,label\n2.jpg,steak\n0.jpg,pizza\n40.jpg,pizza")
    found = Extension.of(folder).samples(tmp_path / "names.csv", index=features.store)
    assert _cells(found, "2.jpg") == {"pizza": 1, "steak": 1}
    assert any("do not have here stay" in said and "1 (2.jpg: pizza)" in said for said in found.decisions)


def test_several_labels_that_a_person_changed_stay_changed_where_the_table_still_says_otherwise(marks, tmp_path, nae):
    _, features, table = marks
    with quiet():
        samples = tg.load(tmp_path / "old.csv")
        decided = apply_decisions(samples, Decisions(frozenset(), {"2.jpg": "-"}, {"2.jpg": [("pizza", "")]}))
        model = tg.Classifier(nae, classes=samples.classes, task="multi")
        tg.fit(model, decided, features=features).save(tmp_path / "decided")
    rows = {number: {"pizza": 1, "steak": 0, "sushi": 1} for number in range(40, 44)}
    rows[2] = {"pizza": 1, "steak": 1, "sushi": 1}
    found = Extension.of(tmp_path / "decided").samples(table("more.csv", rows), index=features.store)
    assert _cells(found, "2.jpg") == {"pizza": 0, "steak": 1, "sushi": 1}


def test_several_labels_of_then_are_compared_by_mean_average_precision(marks, tmp_path, capsys):
    folder, features, table = marks
    rows = {number: {"pizza": int(number % 3 == 0), "sushi": int(number % 3 == 2)} for number in range(40, 52)}
    run = tg.extend(folder, table("more.csv", rows), features=features)
    told = run.evaluation["extended"]
    assert (told["task"], told["classes_before"], told["classes"]) == ("multi", 2, 3)
    assert 0 < told["before"] <= 1
    sentence = f"The {told['n']} held-out photos of before: mean average precision"
    assert sentence in capsys.readouterr().err
    saved = run.save(tmp_path / "more")
    assert all(sentence in (saved / name).read_text(encoding="utf-8") for name in ("report.html", "README.md"))


def test_several_labels_of_the_run_are_not_said_to_be_asked_for(marks, tmp_path):
    folder, features, table = marks
    table("new.csv", {number: {"pizza": 1} for number in (40, 41)})
    for name in ("soup", "tea+soup"):
        (tmp_path / "folders" / name).mkdir(parents=True)
    shutil.copy(tmp_path / "40.jpg", tmp_path / "folders" / "soup")
    shutil.copy(tmp_path / "41.jpg", tmp_path / "folders" / "tea+soup")
    extension = Extension.of(folder)
    for reading, words in [
        (LabelReading(), "(multi-label), as those of the run."),
        (LabelReading(multi_label=True), "because that was asked for"),
    ]:
        found = extension.samples(tmp_path / "folders" / "soup" / "..", index=features.store, reading=reading)
        assert any(words in sentence for sentence in found.decisions)
    divided = LabelReading(separator="+", is_of_run=True)
    assert "as those of the run. Names of class folders are divided at '+'." in " ".join(
        list_photos(tmp_path / "folders", divided).decisions
    )
