"""The feature store: photos are known by content, rows by what is really on disk, and several may write at once."""

import errno
import os
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tsugiki.core.errors import TsugikiError
from tsugiki.data.images.decode import content_digest
from tsugiki.data.photo_index import PhotoFacts, stamp_of
from tsugiki.features.store import FeatureStore

WIDTH = 5
ONE, TWO, SIX = (b"GIF89a\1\0\1\0\x80\0\0" + bytes([n] * 6) + b",\0\0\0\0\1\0\1\0\0\2\2D\1\0;" for n in (1, 2, 6))
KEY = {"weights": "w", "precision": "float32"}


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store")


def digests_of(*numbers):
    return [content_digest(str(number).encode()) for number in numbers]


def vectors_of(*numbers):
    return np.array([[number + column / 10 for column in range(WIDTH)] for number in numbers], np.float32)


def settled(path):
    """The same file, old enough to be trusted."""
    while not stamp_of(path):
        time.sleep(0.01)
    return path


def test_vectors_come_back_by_content(store):
    space = store.space(KEY, WIDTH)
    space.add(digests_of(1, 2), vectors_of(1, 2))
    space.add(digests_of(3), vectors_of(3))
    rows = space.rows_of(digests_of(3, 9, 1, 2, 1))
    assert rows[1] == -1
    assert np.array_equal(space.vectors()[rows[[0, 2, 3, 4]]], vectors_of(3, 1, 2, 1))
    again = FeatureStore(store.folder).space(dict(reversed(KEY.items())), WIDTH)
    assert np.array_equal(again.rows_of(digests_of(3, 9, 1, 2, 1)), rows)
    assert (store.space(KEY | {"weights": "others"}, WIDTH).rows_of(digests_of(1)) == -1).all()


def test_more_photos_than_one_statement_takes(store):
    space = store.space(KEY, WIDTH)
    numbers = range(1203)
    space.add(digests_of(*numbers), vectors_of(*numbers))
    rows = space.rows_of(digests_of(*numbers))
    assert np.array_equal(space.vectors()[rows], vectors_of(*numbers))
    assert store.size()[1:] == (0, 1203)


def test_facts_come_back_by_content(store):
    facts = {
        digest: PhotoFacts(4, 3, (1.5, 2.0, 255.0), hashed)
        for digest, hashed in zip(digests_of(1, 2), (-(2**63), 7), strict=True)
    }
    store.remember_facts(facts)
    assert store.facts(digests_of(2, 9, 1)) == [facts[digests_of(2)[0]], None, facts[digests_of(1)[0]]]


def test_a_file_is_known_until_it_changes(store, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(ONE)
    settled(path)
    (content,) = store.contents([path])
    assert content.digest == content_digest(ONE)
    assert store.known_digests([path]) == [content.digest]

    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_bytes(TWO)  # the same size, and then the same date
    os.utime(path, ns=times)
    assert path.stat().st_mtime_ns == times[1]
    assert store.known_digests([path]) == [""]
    assert store.contents([path])[0].digest == content_digest(TWO)

    settled(path)
    store.contents([path])
    other = tmp_path / "b.jpg"
    other.write_bytes(SIX)
    os.utime(other, ns=times)
    other.replace(path)
    assert store.contents([path])[0].digest == content_digest(SIX)


def test_a_file_that_was_touched_just_now_is_not_trusted(store, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(ONE)
    assert stamp_of(path) == ""
    store.contents([path])
    path.write_bytes(TWO)
    assert store.contents([path])[0].digest == content_digest(TWO)


def test_what_cannot_be_opened_is_named_with_its_reason(store, tmp_path):
    contents = store.contents([tmp_path / "gone.jpg", tmp_path])
    assert [content.digest for content in contents] == ["", ""]
    assert [content.reason for content in contents] == ["no such file", "a folder"]


def test_file_names_need_not_be_text(store, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))
    path.write_bytes(ONE)
    settled(path)
    store.contents([path])
    assert store.known_digests([path]) == [content_digest(ONE)]


@pytest.mark.parametrize("rest", [0, 2 * 4 * WIDTH, 2 * 4 * WIDTH + 3, 2 * 4 * WIDTH - 6])
def test_rows_that_a_cut_off_file_has_lost_are_missing_and_never_zeros(store, rest):
    space = store.space(KEY, WIDTH)
    space.add(digests_of(*range(6)), vectors_of(*range(6)))
    os.truncate(store.folder / "1.f32", rest)
    whole = rest // (4 * WIDTH)
    rows = space.rows_of(digests_of(*range(6)))
    assert [row >= 0 for row in rows] == [number < whole for number in range(6)]
    assert space.vectors().shape == (whole, WIDTH)
    assert np.array_equal(space.vectors()[rows[:whole]], vectors_of(*range(whole)).reshape(-1, WIDTH))
    # The file grows again beyond the rows that were lost: they do not come back as something else.
    space.add(digests_of(5), vectors_of(5))
    rows = space.rows_of(digests_of(*range(6)))
    assert [row >= 0 for row in rows] == [number < whole or number == 5 for number in range(6)]
    kept = np.flatnonzero(rows >= 0)
    assert np.array_equal(space.vectors()[rows[kept]], vectors_of(*kept))


def test_an_interrupted_writer_leaves_unused_rows_and_nothing_else(store, monkeypatch):
    space = store.space(KEY, WIDTH)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        space.add(digests_of(1), vectors_of(1))
    monkeypatch.undo()
    assert space.rows_of(digests_of(1)) == [-1]
    space.add(digests_of(2), vectors_of(2))
    assert np.array_equal(space.vectors()[space.rows_of(digests_of(2))], vectors_of(2))


def test_many_writers_at_once_lose_nothing(tmp_path):
    def write(number):
        space = FeatureStore(tmp_path / "store").space(KEY, WIDTH)
        for part in range(10):
            space.add(digests_of(number * 100 + part), vectors_of(number * 100 + part))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [number * 100 + part for number in range(4) for part in range(10)]
    space = FeatureStore(tmp_path / "store").space(KEY, WIDTH)
    assert np.array_equal(space.vectors()[space.rows_of(digests_of(*numbers))], vectors_of(*numbers))


def _damage(store, how):
    index = store.folder / "index.sqlite"
    if how == "text":
        index.write_text("this is no database, and long enough to be looked at " * 20)
    else:
        with sqlite3.connect(index) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
        content = bytearray(index.read_bytes())
        content[100 : len(content)] = b"\x55" * (len(content) - 100)
        index.write_bytes(content)


@pytest.mark.parametrize("how", ["text", "middle"])
def test_a_damaged_store_is_a_sentence_with_a_cure(store, how):
    store.space(KEY, WIDTH).add(digests_of(1), vectors_of(1))
    for rest in ("index.sqlite-wal", "index.sqlite-shm"):
        (store.folder / rest).unlink(missing_ok=True)
    _damage(store, how)
    with pytest.raises(TsugikiError) as caught:
        FeatureStore(store.folder).space(KEY, WIDTH).rows_of(digests_of(1))
    assert str(store.folder) in caught.value.what
    assert caught.value.cure == "tsugiki cache --clear"
    FeatureStore.clear(store.folder)
    assert FeatureStore(store.folder).size()[1:] == (0, 0)


def test_a_place_where_nothing_can_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "store" / "index.sqlite").mkdir(parents=True)
    for place in (tmp_path / "file" / "store", tmp_path / "store"):
        with pytest.raises(TsugikiError, match="TSUGIKI_CACHE") as caught:
            FeatureStore(place)
        assert "--clear" not in str(caught.value)


def test_a_store_that_somebody_else_keeps_locked_is_not_to_be_cleared(store, monkeypatch):
    monkeypatch.setattr("tsugiki.data.photo_index._PATIENCE", 0.05)
    with closing(sqlite3.connect(store.folder / "index.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TsugikiError, match="wait until the other") as caught:
            store.space(KEY, WIDTH)
        assert "--clear" not in str(caught.value)
        other.execute("COMMIT")
    store.space(KEY, WIDTH)


def test_a_lock_while_a_store_is_made_is_waited_for(tmp_path, monkeypatch):
    """The journal's kind is changed under a lock that SQLite itself does not wait for."""
    (tmp_path / "store").mkdir()
    other = sqlite3.connect(tmp_path / "store" / "index.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    asked = []

    def pause(seconds):
        asked.append(seconds)
        if len(asked) == 3:
            other.close()

    monkeypatch.setattr("tsugiki.data.photo_index._PATIENCE", 5.0)
    monkeypatch.setattr("tsugiki.data.photo_index.sqlite3.connect", partial(_impatient, sqlite3.connect))
    monkeypatch.setattr("tsugiki.data.photo_index.time.sleep", pause)
    assert FeatureStore(tmp_path / "store").size()[1:] == (0, 0)
    assert len(asked) == 3


def _impatient(connect, path, **options):
    return connect(path, **options | {"timeout": 0.0})


def test_a_full_disk_is_a_sentence_and_what_was_kept_stays(store, monkeypatch):
    space = store.space(KEY, WIDTH)
    space.add(digests_of(1), vectors_of(1))

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as small:
        small.setattr(os, "fsync", full)
        with pytest.raises(TsugikiError, match="make room on the disk") as caught:
            space.add(digests_of(2), vectors_of(2))
    assert "--clear" not in str(caught.value)
    assert (space.rows_of(digests_of(1, 2)) >= 0).tolist() == [True, False]


def test_an_index_that_may_not_grow_is_not_to_be_cleared(store):
    rows = [(f"{row:0900}",) for row in range(99)]

    def fill():
        with store.connection() as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")
            connection.executemany("INSERT INTO spaces (key, width, next_row) VALUES (?, 1, 0)", rows)

    with pytest.raises(TsugikiError, match="make room on the disk") as caught:
        fill()
    assert "--clear" not in str(caught.value)


def test_clearing_says_what_was_freed(store):
    store.space(KEY, WIDTH).add(digests_of(1), vectors_of(1))
    size, _, vectors = store.size()
    assert vectors == 1
    assert FeatureStore.clear(store.folder) >= 4 * WIDTH
    assert not store.folder.exists()
    assert size >= 4 * WIDTH
    assert FeatureStore.clear(store.folder) == 0


def test_a_store_can_be_moved(store, tmp_path):
    store.space(KEY, WIDTH).add(digests_of(1), vectors_of(1))
    shutil.move(store.folder, tmp_path / "elsewhere")
    space = FeatureStore(tmp_path / "elsewhere").space(KEY, WIDTH)
    assert np.array_equal(space.vectors()[space.rows_of(digests_of(1))], vectors_of(1))


def test_what_was_computed_is_remembered_and_what_is_damaged_is_computed_again(tmp_path):
    store, calls = FeatureStore(tmp_path), []

    def compute():
        calls.append(1)
        return [0.1, len(calls)]

    assert store.remembered("distances-1", "these photos", compute) == [0.1, 1]
    assert FeatureStore(tmp_path).remembered("distances-1", "these photos", compute) == [0.1, 1]
    assert store.remembered("distances-1", "others", compute) == [0.1, 2]
    for path in tmp_path.glob("distances-1-*.json"):
        path.write_text("[0.1,", encoding="utf-8")
    assert store.remembered("distances-1", "these photos", compute) == [0.1, 3]


def test_rows_come_in_the_order_asked_for_however_they_lie_on_disk(tmp_path):
    space = FeatureStore(tmp_path).space({"weights": "w"}, 3)
    vectors = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    space.add([f"{row:064x}" for row in range(50)], vectors)
    for rows in ([], [7], list(range(50)), [49, 0, 1, 2, 30, 30, 5], list(range(0, 50, 7))):
        assert np.array_equal(space.vectors()[np.array(rows, np.int64)], vectors[rows])
    with pytest.raises(IndexError):
        space.vectors()[np.array([50])]
