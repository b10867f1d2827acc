"""Several labels per photo: toggled, kept as ``a|b``, learned as the command learns them, doubted one by one."""

import csv

import numpy as np
import pytest

from tests.serving.studio.steps import begun, left, until
from tsugiki.core.console import quiet
from tsugiki.core.errors import RequestError, UnknownName
from tsugiki.data.load import load
from tsugiki.serving.studio.label_store import OUT, LabelStore
from tsugiki.serving.studio.photo_set import PhotoSet
from tsugiki.serving.studio.studio_session import table_for

DISHES = ("sushi", "pizza", "steak")


def opened(folder, *, several=False):
    table = table_for(folder, None)
    return LabelStore(PhotoSet(folder, table.with_suffix(""), several=several), table, several=several)


@pytest.fixture
def store(meal):
    store = opened(meal, several=True)
    for name in DISHES:
        store.add_class(name)
    return store


def labels(store, count):
    return [label for label, _ in store.decided[:count]]


def give(store, truth, rows):
    """What is on the tables, as keys give it."""
    for row in rows:
        shown = truth[f"{row:02}.jpg"]
        for name in shown:
            store.toggle([row], name)
        if not shown:
            store.decide([row], label="|")


def test_a_class_is_given_to_all_and_taken_away_where_all_have_it(store):
    store.toggle([0], "sushi")
    store.toggle([0, 1], "sushi")
    assert labels(store, 3) == ["sushi", "sushi", ""]
    store.toggle([0, 1, 2], "pizza")
    assert labels(store, 3) == ["pizza|sushi", "pizza|sushi", "pizza"]
    store.toggle([0, 2], "pizza")
    assert labels(store, 3) == ["sushi", "pizza|sushi", ""]  # nobody has said that the third shows nothing
    store.undo()
    assert labels(store, 3) == ["pizza|sushi", "pizza|sushi", "pizza"]
    store.redo()
    store.decide([2], label="|")
    store.toggle([2], "steak")
    assert labels(store, 3) == ["sushi", "pizza|sushi", "steak"]


def test_a_label_brings_a_photo_back_that_was_left_out(store):
    store.decide([0], mark=OUT)
    store.toggle([0], "sushi")
    assert store.decided[0] == ("sushi", "")


def test_classes_that_are_not_there_are_refused(store, lunch):
    with pytest.raises(UnknownName):
        store.toggle([0], "soup")
    with pytest.raises(UnknownName):
        store.decide([0], label="sushi|soup")
    with pytest.raises(RequestError, match="There is no such photo"):
        store.toggle([99], "sushi")
    single = opened(lunch)
    single.add_class("sushi")
    with pytest.raises(RequestError, match="one label each"):
        single.toggle([0], "sushi")


def test_a_class_is_renamed_and_removed_where_it_stands_with_others(store):
    store.decide([0], label="sushi|pizza")
    store.decide([1], label="sushi")
    store.rename_class("sushi", "maki")
    assert labels(store, 2) == ["maki|pizza", "maki"]
    store.remove_class("maki")
    assert labels(store, 2) == ["pizza", ""]
    store.undo()
    assert labels(store, 2) == ["maki|pizza", "maki"]


def test_the_table_is_found_again_with_its_keys_and_says_itself_that_labels_are_several(store, meal):
    store.decide([0], label="steak|sushi")
    store.decide([1], label="|")
    store.decide([2], label="pizza")
    store.decide([3], mark=OUT)
    store.save()
    again = opened(meal)
    assert (again.several, again.told_by) == (True, "meal.studio.csv")
    assert again.classes == DISHES
    assert again.decided[:5] == [("steak|sushi", ""), ("|", ""), ("pizza", ""), ("", OUT), ("", "")]
    assert again.placed(label for label, _ in again.decided[:5]) == [[0, 2], [], [1], -1, -1]


def test_the_table_is_what_fit_reads(store, tables):
    give(store, tables[1], range(30))
    store.decide([4], mark=OUT)
    store.save()
    samples = load(store.table, held_out=0, multi_label=True)
    read = {name: frozenset(shown) for name, shown in zip(samples.names, samples.label_sets(), strict=True)}
    assert read == {f"meal/{row:02}.jpg": frozenset(tables[1][f"{row:02}.jpg"]) for row in range(30) if row != 4}


def test_a_data_set_with_several_labels_switches_it_on_and_what_nobody_knows_stays_open(meal):
    with (meal / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [["path", *DISHES], ["00.jpg", 1, 1, 0], ["01.jpg", 0, 0, 0], ["02.jpg", 1, "", 0], ["03.jpg", 0, 0, 1]]
        )
    store = opened(meal)
    assert (store.several, store.told_by) == (True, "meal")
    assert store._photos.half_known == 1
    assert dict(zip(store._photos.names, labels(store, 4), strict=False)) == {
        "00.jpg": "pizza|sushi",
        "01.jpg": "|",
        "02.jpg": "",
        "03.jpg": "steak",
    }


@pytest.mark.long
@pytest.mark.usefixtures("without_export")
def test_what_is_learned_and_written_is_what_the_command_makes(open_studio, asking, meal, tables, run_cli, tmp_path):
    server = open_studio(meal, several=True)
    me, store = asking(server), server.studio.labels
    for name in DISHES:
        store.add_class(name)
    give(store, tables[1], range(30))
    begun(server, me)
    studio = until(server, lambda studio: studio.learner.told()["learned"] == store.revision and studio.learner.proposals)
    learned, told = studio.learner.learned, studio.learner.told()
    assert learned.classifier.task == "multi"
    assert told["sentence"].startswith("Mean average precision")
    assert told["low"] <= told["accuracy"] <= told["high"]
    written = left(server, me, "first")
    assert "--multi-label" in written["command"]
    again = tmp_path / "again"
    words = written["command"].split()
    done = run_cli(*words[1 : words.index("--out")], "--out", again)
    assert done.returncode == 0, done.stderr
    first = tmp_path / "runs" / "first"
    assert (first / "predictions.csv").read_bytes() == (again / "predictions.csv").read_bytes()
    assert (first / "weights.safetensors").read_bytes() == (again / "weights.safetensors").read_bytes()
    import tsugiki as tg

    with quiet():
        run = tg.Classifier.load(again)
    np.testing.assert_array_equal(learned.classifier.head.weight.detach(), run.head.weight.detach())
    assert written["sentence"] == told["sentence"]


def test_sets_are_proposed_doubted_and_tried(open_studio, asking, meal, tables):
    server = open_studio(meal, several=True)
    me, store = asking(server), server.studio.labels
    for name in DISHES:
        store.add_class(name)
    give(store, tables[1], range(30))
    slip = next(row for row in range(30) if set(tables[1][f"{row:02}.jpg"]) == {"sushi"})
    store.decide([slip], label="|")
    begun(server, me)
    studio = until(server, lambda studio: len(studio.learner.proposed()["rows"]) == 6)
    told, classifier = me.get("/api/proposals").json, studio.learner.learned.classifier
    for row, chances in zip(told["rows"], told["chances"], strict=True):
        answer = classifier.predict(studio.photos.paths[row])
        assert [store.classes[number] for number, _ in chances] == [*answer.labels]
    found = me.get("/api/cleaning").json["kinds"]["suspects"]
    assert {"rows": [slip], "label": "sushi", "present": False} in [
        {name: one[name] for name in ("rows", "label", "present")} for one in found
    ]
    tried = me.post("/api/try?reasons=1", (meal / "33.jpg").read_bytes()).json
    thresholds = dict(zip(classifier.classes, classifier.multi_label.thresholds.tolist(), strict=True))
    assert {one["label"]: one["threshold"] for one in tried["top"]} == thresholds
    assert tried["labels"] == [one["label"] for one in tried["top"] if one["probability"] >= one["threshold"]]
    assert len(tried["maps"]) == max(1, len(tried["labels"]))
    assert me.post("/api/decide", {"rows": [slip], "toggle": 1}).status == 400
    # Once it is decided it does not come again; the other doubts about the photo do.
    me.post("/api/decide", {"rows": [slip], "toggle": "sushi"})
    assert not [
        one for one in me.get("/api/cleaning").json["kinds"]["suspects"] if (one["rows"], one["label"]) == ([slip], "sushi")
    ]
