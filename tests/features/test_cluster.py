"""Processes of a cluster give the features that threads give, whatever happens to one of them."""

import contextlib
import os
import shutil
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tsugiki as tg
from tsugiki.core.errors import DataError, RequestError
from tsugiki.features.executor import parts_of
from tsugiki.features.extract import FeatureSettings, extract
from tsugiki.features.store import FeatureStore

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of files and processes that it leaves to the end


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """Two cores of this machine."""
    from tsugiki.features import cluster

    cluster._ray()
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def features(photos, place, **how):
    table = extract(tg.load(photos), backbone(), settings=FeatureSettings(store=FeatureStore(place), **how))
    return table, np.concatenate([table.train_photos.take(slice(None)), table.held_out])


def backbone():
    from tsugiki.backbones.load_backbone import load_backbone

    return load_backbone("bundled:nae")


def in_ray(**how):
    from tsugiki.features.cluster import InRay

    return InRay("auto", **how)


@pytest.mark.long
@pytest.mark.parametrize("engine", ["openvino", pytest.param("torch", marks=pytest.mark.slow)])
def test_vectors_are_those_of_threads_bit_for_bit(dishes, tmp_path, engine):
    threads, expected = features(dishes, tmp_path / "a", engine=engine)
    table, found = features(dishes, tmp_path / "b", engine=engine, executor=in_ray(workers=2))
    assert table.samples.names == threads.samples.names
    assert table.computed == threads.computed == 54
    assert (found == expected).all()
    again, _ = features(dishes, tmp_path / "b", engine=engine)
    assert again.computed == 0  # they are in this machine's store


@pytest.mark.slow  # each of these starts processes of its own
def test_photos_that_cannot_be_read_are_named_as_ever(dishes, tmp_path):
    photos = shutil.copytree(dishes, tmp_path / "dishes")
    broken = next((photos / "train").rglob("*.jpg"))
    broken.write_bytes(broken.read_bytes()[:200])
    from tsugiki.locale.messages import speaking

    with speaking("ja"):
        table, _ = features(photos, tmp_path / "store", executor=in_ray(workers=2))
    assert len(table.samples) == 53
    assert [Path(one.name).name for one in table.samples.left_out] == [broken.name]
    assert not table.samples.left_out[0].reason.isascii()


@pytest.mark.long
def test_a_process_that_dies_loses_nothing_and_gives_nothing_twice(dishes, tmp_path):
    photos = tmp_path / "many"
    photos.mkdir()
    for copy in range(12):  # each file another content: a comment at its end
        for path in sorted(dishes.rglob("*.jpg")):
            (photos / path.parent.name).mkdir(exist_ok=True)
            place = photos / path.parent.name / f"{path.parent.parent.name}-{copy}-{path.name}"
            place.write_bytes(path.read_bytes() + str(copy).encode())
    threads, expected = features(photos, tmp_path / "a")
    positions, killed = [], []

    def counted(todo, worker):
        for chunk in in_ray(workers=2)(todo, worker):
            positions.extend([*chunk.positions, *chunk.problems])
            yield chunk

    def kill_one():
        while not killed:
            for entry in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):  # it has ended by itself: one of the test before
                    if not killed and (entry / "cmdline").read_bytes().startswith(b"ray::_Looker.look"):
                        time.sleep(0.3)
                        os.kill(int(entry.name), signal.SIGKILL)
                        killed.append(entry.name)
            time.sleep(0.01)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    table, found = features(photos, tmp_path / "b", executor=counted)
    assert killed
    assert len(positions) == table.computed == threads.computed
    assert (found == expected).all()


@pytest.mark.slow
def test_a_file_that_changed_meanwhile_is_said_as_ever(dishes, tmp_path):
    photos = shutil.copytree(dishes, tmp_path / "dishes")

    def late(todo, worker):
        victim = worker.reader.paths[todo[-1]]
        victim.write_bytes(victim.read_bytes() + b"more")
        yield from in_ray(workers=1)(todo, worker)

    with pytest.raises(DataError, match="changed while it was being looked at"):
        features(photos, tmp_path / "store", executor=late)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nowhere", "127.0.0.1:99999", "127.0.0.1:", ""])
def test_where_nobody_listens_that_is_said_at_once(address):
    from tsugiki.features.cluster import InRay

    with pytest.raises(RequestError, match="no Ray cluster at"):
        InRay(address)


def test_who_listens_but_is_no_cluster_is_told(monkeypatch):
    def refuse(**_):
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(RequestError, match="no Ray cluster at") as refused:
        next(in_ray()([0], SimpleNamespace(device="cpu")))
    assert "nobody answers" in refused.value.got


def test_photos_that_only_this_machine_sees_are_no_unreadable_ones(tmp_path):
    from tsugiki.features.cluster import _Looker, _require_seen

    class Worker:
        batch_size = 8
        reader = SimpleNamespace(paths=[tmp_path / "there.jpg", tmp_path / "gone.jpg"])

        def __call__(self, positions):
            return SimpleNamespace(problems=dict.fromkeys(positions, "cannot be read"))

    (tmp_path / "there.jpg").write_bytes(b"no photo")
    looker = _Looker()
    looker._worker = Worker()
    _, missing = looker.look((None, "en"), [0, 1])
    assert missing == [tmp_path / "gone.jpg"]
    _require_seen(missing)  # nobody sees it: it has vanished, and is left out as ever
    (tmp_path / "gone.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"does not see the photo .*gone\.jpg"):
        _require_seen(missing)


def test_no_process_is_refused():
    with pytest.raises(RequestError, match="So many processes"):
        in_ray(workers=0)


def test_another_device_is_refused():
    with pytest.raises(RequestError, match="compute on processors"):
        next(in_ray()([0], SimpleNamespace(device="cuda:0")))


def test_parts_are_all_of_it():
    assert [list(part) for part in parts_of([3, 1, 2, 5, 4], 2)] == [[3, 1], [2, 5], [4]]
