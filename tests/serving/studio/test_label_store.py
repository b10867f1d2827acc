"""Decisions: undone and done again, on the disk at once, found again, and read by ``fit`` as they are."""

import os
import shutil

import pytest

from tsugiki.core.errors import DataError, RequestError, UnknownName
from tsugiki.data.load import list_photos, load
from tsugiki.serving.studio.label_store import OUT, RIGHT, LabelStore
from tsugiki.serving.studio.learning import Labels
from tsugiki.serving.studio.photo_set import PhotoSet, folder_of
from tsugiki.serving.studio.studio_session import table_for


@pytest.fixture
def store(lunch):
    return reopened(lunch)


def reopened(folder):
    table = table_for(folder, None)
    return LabelStore(PhotoSet(folder, table.with_suffix("")), table)


def test_decisions_are_found_again_and_the_photos_stay_as_they_are(store, lunch):
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in lunch.iterdir()}
    for name in ("sushi", "pizza"):
        store.add_class(name)
    store.decide([0, 3, 5], label="pizza")
    store.decide([1], label="sushi")
    store.decide([3], mark=OUT)
    store.decide([1], mark=RIGHT)
    store.save()
    again = reopened(lunch)
    assert again.decided[:6] == [("pizza", ""), ("sushi", RIGHT), ("", ""), ("", OUT), ("", ""), ("pizza", "")]
    assert set(again.classes) == {"pizza", "sushi"}
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in lunch.iterdir()} == before
    assert [path.name for path in sorted(lunch.parent.iterdir())] == ["lunch", "lunch.studio.csv"]


def test_classes_keep_their_keys(store, lunch):
    for name in ("sushi", "pizza", "10", "9"):
        store.add_class(name)
    for row, name in enumerate(store.classes):
        store.decide([row], label=name)
    store.save()
    assert reopened(lunch).classes == ("sushi", "pizza", "10", "9")


def test_the_table_is_what_fit_reads(store):
    for name in ("sushi", "pizza"):
        store.add_class(name)
    store.decide(range(8), label="pizza")
    store.decide(range(8, 14), label="sushi")
    store.decide([2], mark=OUT)
    store.save()
    samples = load(store.table, held_out=0)
    assert samples.counts() == {"train": {"pizza": 7, "sushi": 6}}
    assert "lunch/02.jpg" not in samples.names


def test_everything_can_be_undone_and_done_again(store):
    seen = [state(store)]

    def does(change):
        change()
        seen.append(state(store))

    does(lambda: store.add_class("pizza"))
    does(lambda: store.add_class("sushi"))
    does(lambda: store.decide([1, 2, 3], label="pizza"))
    does(lambda: store.decide([2], mark=OUT))
    does(lambda: store.rename_class("pizza", "calzone"))
    does(lambda: store.decide([1], label="sushi"))
    does(lambda: store.remove_class("calzone"))
    does(lambda: store.decide([1], label=""))
    for expected in reversed(seen[:-1]):
        assert store.undo() is not None
        assert state(store) == expected
    assert store.undo() is None
    for expected in seen[1:]:
        assert store.redo() is not None
        assert state(store) == expected
    assert store.redo() is None
    store.undo()
    store.decide([9], label="sushi")
    assert store.undoable == (True, False)


def state(store):
    return store.classes, list(store.decided)


def test_a_photo_that_was_left_out_and_gets_a_class_is_in_again(store):
    store.add_class("pizza")
    store.decide([0], mark=OUT)
    store.decide([0], label="pizza")
    assert store.decided[0] == ("pizza", "")


@pytest.mark.parametrize("name", ["", "  ", "a|b", "x" * 101, "a\x1bb", "Pizza", "ｐｉｚｚａ"])
def test_what_is_no_name_for_a_class_is_refused(store, name):
    store.add_class("pizza")
    with pytest.raises(RequestError):
        store.add_class(name)
    assert store.classes == ("pizza",)


def test_what_is_not_there_is_refused(store):
    store.add_class("pizza")
    with pytest.raises(UnknownName):
        store.decide([0], label="piza")
    for rows in ([30], [-1]):
        with pytest.raises(RequestError):
            store.decide(rows, label="pizza")
    with pytest.raises(RequestError):
        store.decide([0], mark="gone")
    assert store.undoable == (True, False)


def test_class_folders_are_labels_to_begin_with_and_a_decision_against_them_holds(flat):
    store = reopened(flat)
    assert store.classes == ("pizza", "steak", "sushi")
    assert {label for label, _ in store.decided} == set(store.classes)
    store.decide([0], label="")
    store.save()
    assert reopened(flat).decided[0] == ("", "")
    assert load(store.table, held_out=0).counts() == {"train": {"pizza": 17, "steak": 18, "sushi": 18}}


def test_splits_of_the_folder_are_kept(dishes, tmp_path):
    shutil.copytree(dishes, tmp_path / "dishes")
    store = reopened(tmp_path / "dishes")
    store.decide([0], label="sushi")
    store.save()
    assert list_photos(store.table).splits.count("test") == 18
    away = tmp_path / "dishes" / "test" / "sushi" / "13.jpg"
    away.rename(tmp_path / "away.jpg")
    again = reopened(tmp_path / "dishes")
    again.decide([1], label="sushi")
    again.save()
    (tmp_path / "away.jpg").rename(away)
    assert list_photos(store.table).splits.count("test") == 18


def test_what_is_learned_from_is_what_fit_learns_from(dishes, tmp_path):
    shutil.copytree(dishes, tmp_path / "dishes")
    for dish in ("pizza", "steak", "sushi"):
        (tmp_path / "dishes" / "val" / dish).mkdir(parents=True)
        (tmp_path / "dishes" / "train" / dish / "03.jpg").rename(tmp_path / "dishes" / "val" / dish / "03.jpg")
    store = reopened(tmp_path / "dishes")
    store.decide([0], mark=RIGHT)
    store.save()
    labels, samples = Labels.of(store.revision, store.decided, store._photos.splits, store.classes), load(store.table)
    for rows, read in ((labels.rows, samples.train_rows), (labels.held_out, samples.held_out_rows)):
        assert [f"dishes/{store._photos.names[row]}" for row in rows] == [samples.names[row] for row in read]
    assert (len(labels.rows), len(labels.held_out), len(samples.val_rows)) == (33, 18, 3)


@pytest.mark.robust(
    "surface",
    case="photos that are away while decisions are saved (a drive that is not there)",
    right="what was decided about them is kept",
)
def test_decisions_about_photos_that_are_away_are_kept(store, lunch):
    store.add_class("pizza")
    store.decide(range(6), label="pizza")
    store.save()
    (lunch / "03.jpg").rename(lunch.parent / "away.jpg")
    other = reopened(lunch)
    other.decide([0], label="")
    other.save()
    (lunch.parent / "away.jpg").rename(lunch / "03.jpg")
    assert [label for label, _ in reopened(lunch).decided[:6]] == ["", "pizza", "pizza", "pizza", "pizza", "pizza"]


@pytest.mark.robust(
    "surface",
    case="a table of decisions that a spreadsheet has changed while the studio was open",
    right="it is not written over, and that is said",
)
def test_a_table_that_another_program_has_changed_is_not_written_over(store):
    store.add_class("pizza")
    store.decide([0], label="pizza")
    store.save()
    edited = store.table.read_bytes() + b"lunch/09.jpg,pizza,\n"
    store.table.write_bytes(edited)
    store.decide([1], label="pizza")
    with pytest.raises(DataError, match="changed by another program"):
        store.save()
    assert store.table.read_bytes() == edited


def test_a_table_that_a_spreadsheet_has_saved_is_read(store, lunch):
    store.add_class("寿司")
    store.decide([0, 1], label="寿司")
    store.save()
    text = store.table.read_text(encoding="utf-8-sig")
    store.table.write_bytes(text.replace(",", ";").encode("cp932"))
    assert reopened(lunch).decided[:2] == [("寿司", ""), ("寿司", "")]


def test_what_is_no_table_of_decisions_is_refused_and_stays(lunch):
    table = lunch.parent / "lunch.studio.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no table of decisions"):
        reopened(lunch)
    assert table.read_text() == "a,b\n1,2\n"


def test_names_that_a_spreadsheet_would_execute_come_back(lunch):
    (lunch / "00.jpg").rename(lunch / "=cmd.jpg")
    store = reopened(lunch)
    store.add_class("=1+1")
    store.decide([0], label="=1+1")
    store.save()
    assert "\n'=" not in store.table.read_text()
    assert ",'=1+1," in store.table.read_text()
    assert ("=1+1", "") in reopened(lunch).decided


def test_the_studio_opens_folders_only(tmp_path, lunch):
    (tmp_path / "table.csv").write_text("path,label\n")
    with pytest.raises(RequestError, match="opens a folder"):
        PhotoSet(tmp_path / "table.csv", tmp_path / "added")
    with pytest.raises(RequestError, match="There is no"):
        folder_of(str(tmp_path / "nowhere"))
    for inside in (lunch / "decisions.csv", lunch.parent / "table.txt"):
        with pytest.raises(RequestError, match="in a table beside"):
            table_for(lunch, inside)
    assert len(PhotoSet(tmp_path / "nothing", tmp_path / "added")) == 0


def test_where_nothing_can_be_written_is_said_before_the_studio_opens(lunch, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(RequestError, match="cannot be written") as refused:
        table_for(lunch, None)
    assert "--labels" in refused.value.cure


@pytest.mark.robust(
    "hostile",
    case="a studio that is killed while it saves",
    right="its table of decisions is whole",
)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that can be killed in the middle")
def test_a_killed_studio_leaves_a_whole_table(store, lunch):
    store.add_class("pizza")
    store.decide([0], label="pizza")
    store.save()
    child = os.fork()
    if not child:
        while True:
            store.decide([store.revision % 30], label="pizza")
            store.save()
    import signal
    import time

    time.sleep(0.15)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert reopened(lunch).decided[0][0] == "pizza"


def test_photos_that_were_put_on_the_page_in_one_go_are_undone_in_one(store, lunch):
    photos = store._photos
    contents = [path.read_bytes() + b"\0" * (number + 1) for number, path in enumerate(sorted(lunch.iterdir())[:3])]
    for content in contents[:2]:
        photos.add(content, most_pixels=10**7)
        store.grow("one")
    photos.add(contents[2], most_pixels=10**7)
    store.grow("two")
    assert store.decided[30:] == [("", "")] * 3
    store.undo()
    assert store.decided[30:] == [("", ""), ("", ""), ("", OUT)]
    store.undo()
    assert store.decided[30:] == [("", OUT)] * 3
    store.redo()
    store.redo()
    assert store.decided[30:] == [("", "")] * 3
    store.save()
    assert len(reopened(lunch)._photos) == 33
