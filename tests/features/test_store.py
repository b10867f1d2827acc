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
@pytest.mark.robust(
    "hostile", case="the index of the feature store is damaged", right="said, put aside and made anew; the work goes on"
)
def test_a_damaged_index_is_put_aside_and_the_work_goes_on(store, how, capsys):
    store.space(KEY, WIDTH).add(digests_of(1), vectors_of(1))
    for rest in ("index.sqlite-wal", "index.sqlite-shm"):
        (store.folder / rest).unlink(missing_ok=True)
    _damage(store, how)
    again = FeatureStore(store.folder)
    assert f"The index of the feature store in {store.folder} is damaged" in capsys.readouterr().err
    assert again.on_disk
    assert again.space(KEY, WIDTH).rows_of(digests_of(1)) == [-1]
    again.space(KEY, WIDTH).add(digests_of(1), vectors_of(1))
    space = FeatureStore(store.folder).space(KEY, WIDTH)
    assert np.array_equal(space.vectors()[space.rows_of(digests_of(1))], vectors_of(1))
    assert capsys.readouterr().err == ""


@pytest.mark.robust(
    "hostile",
    case="a feature store that cannot be written",
    right="said with the way round; features are kept in memory and the work goes on",
)
def test_where_nothing_can_be_written_vectors_are_kept_in_memory(tmp_path, capsys):
    (tmp_path / "file").touch()
    (tmp_path / "store" / "index.sqlite").mkdir(parents=True)
    for place in (tmp_path / "file" / "store", tmp_path / "store"):
        store = FeatureStore(place)
        told = capsys.readouterr().err
        assert "set TSUGIKI_CACHE to a folder" in told
        assert "--clear" not in told
        space = store.space(KEY, WIDTH)
        assert (space.rows_of(digests_of(1, 2)) == -1).all()
        space.add(digests_of(1, 2), vectors_of(1, 2))
        for one in (space, store.space(KEY, WIDTH)):
            assert np.array_equal(one.vectors()[one.rows_of(digests_of(2, 1))], vectors_of(2, 1))
        assert (store.space(KEY | {"weights": "others"}, WIDTH).rows_of(digests_of(1)) == -1).all()
        facts = PhotoFacts(4, 3, (1.5, 2.0, 255.0), 7)
        store.remember_facts({digests_of(1)[0]: facts})
        assert store.facts(digests_of(1, 2)) == [facts, None]
        assert store.remembered("copies-2", "these", lambda: [1]) == [1]
        assert store.size() == (0, 0, 0)
        assert capsys.readouterr().err == ""  # said once


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


@pytest.mark.robust(
    "hostile",
    case="the disk of the cache fills up meanwhile",
    right="said; what is stored is still used, the rest is kept in memory",
)
def test_when_the_disk_is_full_the_rest_is_kept_in_memory(store, monkeypatch, capsys):
    space = store.space(KEY, WIDTH)
    space.add(digests_of(1), vectors_of(1))

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as small:
        small.setattr(os, "fsync", full)
        space.add(digests_of(2), vectors_of(2))
        space.add(digests_of(3), vectors_of(3))
    told = capsys.readouterr().err
    assert told.count("make room on the disk") == 1
    assert "--clear" not in told
    assert np.array_equal(space.vectors()[space.rows_of(digests_of(3, 1, 2))], vectors_of(3, 1, 2))
    assert (FeatureStore(store.folder).space(KEY, WIDTH).rows_of(digests_of(1, 2, 3)) >= 0).tolist() == [True, False, False]


def test_an_index_that_may_not_grow_is_done_without(store, capsys):
    rows = [(f"{row:0900}",) for row in range(99)]

    def fill(connection):
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        connection.executemany("INSERT INTO spaces (key, width, next_row) VALUES (?, 1, 0)", rows)

    assert store.ask(fill, "not written", writes=True) == "not written"
    assert not store.on_disk
    assert "make room on the disk" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser writes everywhere")
def test_a_store_that_may_only_be_read_is_read(store):
    space = store.space(KEY, WIDTH)
    space.add(digests_of(1), vectors_of(1))
    with closing(sqlite3.connect(store.folder / "index.sqlite")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for path in (*store.folder.iterdir(), store.folder):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        again = FeatureStore(store.folder).space(KEY, WIDTH)
        again.add(digests_of(2), vectors_of(2))
        assert np.array_equal(again.vectors()[again.rows_of(digests_of(2, 1))], vectors_of(2, 1))
    finally:
        store.folder.chmod(0o700)


def _full_store(folder):
    """Twenty photos in two spaces, with facts and files, everything in the index's own file."""
    store = FeatureStore(folder)
    for key in (KEY, KEY | {"weights": "others"}):
        store.space(key, WIDTH).add(digests_of(*range(20)), vectors_of(*range(20)) + len(key["weights"]))
    store.remember_facts({digest: _fact(number) for number, digest in enumerate(digests_of(*range(20)))})
    with closing(sqlite3.connect(store.folder / "index.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    return store


def _fact(number):
    return PhotoFacts(number + 3, number + 9, (number + 0.5, 7.0, 9.25), number * 7919)


def _holds_only_what_is_right(folder):
    """Whether every vector and fact that a store gives is the right one, and how many it gives."""
    store = FeatureStore(folder)
    given = 0
    for key in (KEY, KEY | {"weights": "others"}):
        space = store.space(key, WIDTH)
        rows = space.rows_of(digests_of(*range(20)))
        there = np.flatnonzero(rows >= 0)
        given += len(there)
        if not np.array_equal(space.vectors()[rows[there]], vectors_of(*there).reshape(-1, WIDTH) + len(key["weights"])):
            return False, given
    facts = store.facts(digests_of(*range(20)))
    given += sum(fact is not None for fact in facts)
    return all(fact in {None, _fact(number)} for number, fact in enumerate(facts)), given


@pytest.mark.robust(
    "hostile",
    case="one bit, twenty bits or a zeroed block in the stored vectors",
    right="every damaged vector is thrown away, said and computed again; none is used",
)
@pytest.mark.parametrize("how", ["bit", "twenty", "zeros"])
def test_a_damaged_vector_is_never_used(tmp_path, how, capsys):
    random = np.random.default_rng(0)
    whole = (_full_store(tmp_path / "whole").folder / "1.f32").read_bytes()
    assert _holds_only_what_is_right(tmp_path / "whole") == (True, 60)
    assert capsys.readouterr().err == ""
    for number in range(20):
        content = bytearray(whole)
        if how == "zeros":
            start = int(random.integers(len(content) - 16))
            content[start : start + 16] = bytes(16)
        else:
            for at in random.integers(len(content) * 8, size=1 if how == "bit" else 20).tolist():
                content[at // 8] ^= 1 << at % 8
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", folder)
        (folder / "1.f32").write_bytes(content)
        right, given = _holds_only_what_is_right(folder)
        assert right
        assert given < 60
        assert "are damaged: they are thrown away and computed again." in capsys.readouterr().err


@pytest.mark.robust(
    "hostile", case="flipped bytes in the index of the feature store", right="no wrong vector and no wrong fact is ever given"
)
def test_a_damaged_index_never_gives_a_wrong_vector(tmp_path):
    random = np.random.default_rng(1)
    index = _full_store(tmp_path / "whole").folder / "index.sqlite"
    whole, given = index.read_bytes(), set()
    for number in range(40):
        content = bytearray(whole)
        for at in random.integers(len(content), size=1 + number % 5).tolist():
            content[at] = int(random.integers(256))
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", folder)
        (folder / "index.sqlite").write_bytes(content)
        right, count = _holds_only_what_is_right(folder)
        assert right, number
        given.add(count)
    assert 60 in given  # damage where nothing is written hurts nobody
    assert min(given) < 60


@pytest.mark.robust(
    "hostile",
    case="the vectors or the index of another store over the same photos",
    right="thrown away and said: a vector counts only in the space and for the photo it was made for",
)
@pytest.mark.parametrize("name", ["1.f32", "index.sqlite"])
def test_another_stores_file_is_not_believed(tmp_path, name, capsys):
    ours, theirs = _full_store(tmp_path / "ours"), FeatureStore(tmp_path / "theirs")
    for key in (KEY, KEY | {"weights": "others"}):
        theirs.space(key, WIDTH).add(digests_of(*range(19, -1, -1)), vectors_of(*range(19, -1, -1)) + 100)
    with closing(sqlite3.connect(theirs.folder / "index.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    shutil.copyfile(theirs.folder / name, ours.folder / name)
    assert _holds_only_what_is_right(ours.folder)[0]
    assert "are damaged" in capsys.readouterr().err


@pytest.mark.robust(
    "hostile", case="a feature store of an older version, without seals", right="said, and its features are computed again"
)
def test_a_store_without_seals_is_made_anew(tmp_path, capsys):
    with closing(sqlite3.connect(tmp_path / "index.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE spaces (id INTEGER PRIMARY KEY, key TEXT UNIQUE, width INT, next_row INT)")
        connection.execute("CREATE TABLE rows (space INT, digest BLOB, row INT, PRIMARY KEY (space, digest)) WITHOUT ROWID")
        connection.execute("INSERT INTO spaces VALUES (1, '{}', 5, 1)")
    (tmp_path / "1.f32").write_bytes(bytes(4 * WIDTH))
    assert FeatureStore(tmp_path).size()[1:] == (0, 0)
    assert "an older version's" in capsys.readouterr().err
    assert not (tmp_path / "1.f32").exists()
    assert FeatureStore(tmp_path).space(KEY, WIDTH).rows_of(digests_of(1)) == [-1]
    assert capsys.readouterr().err == ""


def test_another_programs_database_is_left_as_it_is(tmp_path):
    with closing(sqlite3.connect(tmp_path / "index.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE holidays (year INT)")
    before = (tmp_path / "index.sqlite").read_bytes()
    with pytest.raises(TsugikiError, match="another program's"):
        FeatureStore(tmp_path)
    assert (tmp_path / "index.sqlite").read_bytes()[100:] == before[100:]  # the first page's head names the journal


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
    for damaged in ('["', '"0", [0.1, 1]]', "[0.1, 1]", "null", "{}", "[" * 100_000):
        for path in tmp_path.glob("distances-1-*.json"):
            path.write_text(damaged, encoding="utf-8")
        assert store.remembered("distances-1", "these photos", compute) == [0.1, len(calls)]
    (path,) = (path for path in tmp_path.glob("distances-1-*.json") if "[0.1, 8]" in path.read_text(encoding="utf-8"))
    path.write_text(path.read_text(encoding="utf-8").replace("[0.1, 8]", "[0.2, 8]"), encoding="utf-8")
    assert store.remembered("distances-1", "these photos", compute) == [0.1, 9]


def test_rows_come_in_the_order_asked_for_however_they_lie_on_disk(tmp_path):
    space = FeatureStore(tmp_path).space({"weights": "w"}, 3)
    vectors = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    space.add([f"{row:064x}" for row in range(50)], vectors)
    for rows in ([], [7], list(range(50)), [49, 0, 1, 2, 30, 30, 5], list(range(0, 50, 7))):
        assert np.array_equal(space.vectors()[np.array(rows, np.int64)], vectors[rows])
    with pytest.raises(IndexError):
        space.vectors()[np.array([50])]
